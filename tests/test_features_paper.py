"""What the paper says of hand-made features, for whatever came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import synthetic_study
from test_features import ahead, falling, found
from test_paper import FIGURES as OTHER_FIGURES
from test_paper import REPORTS, plain

from takeoff import experiments
from takeoff.experiments import Findings
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


@cache
def results(case: str) -> Results:
    raw = synthetic_study.config()
    raw["use"]["claims"] = ["plateau", "features_matter_when_small"]
    return replace(synthetic_study.results(raw), experiments={"features": CASES[case]()})


@cache
def page(case: str) -> str:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        svg = Path(folder)
        for name in [*OTHER_FIGURES, *experiments.FIGURES["features"]]:
            (svg / f"{name}.svg").write_text(BLANK)
        paper.render(results(case), svg, REPORTS, svg / "report")
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
