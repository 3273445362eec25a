"""What the paper says of hand-made features, for whatever came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import synthetic_study
from test_features import ahead, falling, found
from test_paper import FIGURES as OTHER_FIGURES
from test_paper import REPORTS, plain

from takeoff import experiments
from takeoff.experiments import Findings
from takeoff.experiments import features as analysis
from takeoff.paper import report as paper
from takeoff.paper.experiments import Drawn
from takeoff.paper.experiments import features as shown
from takeoff.paper.facts import Results

BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
CASES: dict[str, Callable[[], Findings]] = {
    "supported": lambda: found(falling, ahead, network=lambda m: 1.5 * falling(m)),
    "refuted": lambda: found(falling, lambda m: 1.3 * falling(m), network=lambda m: falling(m) / 3),
    "undecided": lambda: found(falling, falling, noise=0.3),
    "zero": lambda: found(falling, lambda m: 0.0 if m > 1000 else ahead(m)),
}

ENDINGS = (
    "Raw features overtake them for",
    "raw features are expected to overtake them for",
    "hand-made features overtake raw ones for",
    "no crossing is in sight, for",
    "raw features are the better ones for",
    "Whether and where the curves cross is undecided for",
)
DATASETS = ("spam", "fashion_mnist")


@cache
def results(case: str) -> Results:
    raw = synthetic_study.config()
    raw["use"]["claims"] = ["plateau", "features_matter_when_small"]
    return replace(synthetic_study.results(raw), experiments={"features": CASES[case]()})


@cache
def page(case: str) -> str:
    return rendered(results(case))


def rendered(study: Results) -> str:
    """The text of its page."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        svg = Path(folder)
        for name in [*OTHER_FIGURES, *experiments.FIGURES["features"]]:
            (svg / f"{name}.svg").write_text(BLANK)
        paper.render(study, svg, REPORTS, svg / "report")
        return plain((svg / "report/report.html").read_text())


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("supported", ["At small m, hand-made features save a share of the", "the machine wins"]),
        ("refuted", ["they make things worse for", "the large network wins"]),
        ("undecided", ["Whether they help at small m stays open for", "neither is shown"]),
        ("zero", ["a test error of zero has no ratio"]),
    ],
)
def test_each_verdict_has_its_sentences(case: str, says: list[str]) -> None:
    """They name who, where, and by how much."""
    text = page(case)
    for words in says:
        assert words in text
    assert "  " not in text.split("With few labels, features decide")[-1].replace("\n", " ")[:200]


@pytest.mark.parametrize("case", CASES)
def test_figures_are_drawn_whatever_came_out(case: str) -> None:
    """Bounds and open factors included."""
    study = results(case)
    ladder = [
        {"name": name, "label": name, "rank": int(name.startswith("mlp"))}
        for name in study.learners
    ]
    titles = {"spam": "Spam"}
    drawn = shown.draw(Drawn(study.experiments["features"], ladder, titles, study.measures))
    assert set(drawn) == set(experiments.FIGURES["features"])
    assert len(drawn["features_errors"].axes) >= 1


@pytest.mark.parametrize(
    ("stops", "after", "basis", "says"),
    [
        ("crosses", "raw", "repeats", "Raw features overtake them for"),
        ("crosses", "raw", "forecast", "raw features are expected to overtake them for"),
        ("crosses", "hand_made", "repeats", "hand-made features overtake raw ones for"),
        ("none", "hand_made", "repeats", "no crossing is in sight, for"),
        ("none", "raw", "repeats", "raw features are the better ones for"),
        ("undecided", "", "forecast", "Whether and where the curves cross is undecided for"),
    ],
)
def test_where_features_stop_paying_is_told(stops: str, after: str, basis: str, says: str) -> None:
    """One sentence for what came out, and none of the others."""
    text = told(stops, after, basis).split("Where they stop paying")[-1]
    assert says in text
    others = [words for words in ENDINGS if words != says]
    assert not any(words in text for words in others)


def told(stops: str, after: str, basis: str) -> str:
    """The paper on features whose curves end like this."""
    one = CASES["supported"]()
    row = one.tables["stops"].iloc[[0]].assign(verdict=stops, better_after=after, basis=basis)
    row = row.assign(**dict(m=900.0, low=700.0, high=1200.0) if stops == "crosses" else {})
    study = results("supported")
    findings = replace(one, tables={**one.tables, "stops": row})
    return rendered(replace(study, experiments={"features": findings}))


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        (["supported", "undecided"], "So such a machine can win"),
        (["refuted", "refuted"], "So it wins on none of them"),
        (["undecided", "refuted"], "So whether it wins anywhere stays open"),
    ],
)
def test_several_rivals_are_summed_up(verdicts: list[Any], says: str) -> None:
    """Where there is more than one data set to speak of."""
    one = CASES["supported"]()
    row = one.tables["rivals"].iloc[[0]]
    rows = [row.assign(dataset=d, verdict=v) for d, v in zip(DATASETS, verdicts, strict=True)]
    findings = replace(
        one,
        tables={**one.tables, "rivals": pd.concat(rows, ignore_index=True)},
        decided={**one.decided, "anywhere": analysis.anywhere(verdicts)},
    )
    assert says in rendered(replace(results("supported"), experiments={"features": findings}))
