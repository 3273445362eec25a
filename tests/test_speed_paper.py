"""What the paper says of the experiment `speed`, whatever the verdict."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import synthetic_study
from matplotlib.figure import Figure
from test_speed import asked, own_of, runs_of

from takeoff.experiments import speed
from takeoff.measures import Measure
from takeoff.paper import facts, prose, typeset, views
from takeoff.paper.experiments import Drawn
from takeoff.paper.experiments import speed as shown
from takeoff.paper.facts import Results
from takeoff.study import load_study

REPORTS = Path(__file__).parents[1] / "reports"
CONFIG = synthetic_study.config(claims=["plateau", "iteration_speed"])
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
CASES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "supported": ({"growth": 0.9}, {"factor": 5.0, "error": 0.0, "noise": 0.01}),
    "refuted": ({"growth": 0.05}, {"factor": 1.2, "error": 0.4, "noise": 0.01}),
    "undecided": ({"growth": 0.5, "noise": 2.5}, {"factor": 3.0, "error": 0.0, "noise": 2.0}),
}


@cache
def results(verdict: str, one: bool = False) -> Results:
    """A study with the experiment, with that verdict; `one` has one data set and one network."""
    runs, own = CASES[verdict]
    changes: dict[str, Any] = {}
    if one:
        use = {"datasets": ["spam"], "learners": ["svm_rbf", "mlp_small"]}
        changes = {"use": CONFIG["use"] | use}
    raw = CONFIG | changes
    found = speed.analyse(asked(runs_of(load_study(raw), **runs), own_of(**own), **changes))
    assert found.claims[0]["verdict"] == verdict
    return replace(synthetic_study.results(raw), experiments={"speed": found})


def written(some: Results) -> str:
    return prose.write_typst(REPORTS, facts.build(some), views.context(some))


def page(some: Results, folder: Path) -> str:
    """The text of the section as readers get it."""
    source = written(some)
    (folder / "paper.typ").write_text(source)
    (folder / "report.json").write_text("{}")
    for name in ("style.typ", "references.bib"):
        (folder / name).write_text((REPORTS / name).read_text())
    (folder / "figures").mkdir(exist_ok=True)
    for name in re.findall(r'#fig\(\s*"(\w+)"', source):
        (folder / "figures" / f"{name}.svg").write_text(BLANK)
    text = re.sub(r"<[^>]+>", "", typeset.to_html(folder).content)
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("one", [False, True])
@pytest.mark.parametrize("verdict", sorted(CASES))
def test_every_verdict_has_its_sentences(verdict: str, one: bool, tmp_path: Path) -> None:
    """They compile, have no seams, and say what was decided."""
    text = page(results(verdict, one), tmp_path)
    say = {
        "supported": "Both hold",
        "refuted": "At least one of the two fails.",
        "undecided": "Nothing speaks clearly against it",
    }
    assert say[verdict] in text
    assert "What an answer costs here and elsewhere" in text
    assert not re.search(
        r" [,.;:]|\.\.| \)|\( |,\s*and\s*\.|: \.", text.partition("Fast comput")[2]
    )
    assert ("Both hold in every data set" in text) == (verdict == "supported" and not one)


def test_numbers_of_the_section_are_facts(tmp_path: Path) -> None:
    """The factor of each way, what a run costs, and how far off the cost model is."""
    some = results("supported")
    numbers = facts.build(some)
    assert numbers["speed.way.pilots.factor"].value == pytest.approx(5, rel=0.05)
    assert numbers["speed.way.pilots.factor"].interval
    assert numbers["speed.task.10.10.core.seconds"].low is not None
    assert numbers["speed.peak"].text == "67"
    assert numbers["claim.iteration_speed.n_parts"].value == 6
    assert numbers["speed.m"].text == "500 and 2,000"


def test_estimates_are_written_roughly() -> None:
    """Two digits: more would claim what nobody knows."""
    written = [shown.roughly(value) for value in (1_234_567, 12_345, 47.2, 9.94, 0.12)]
    assert written == ["1,200,000", "12,000", "47", "9.9", "0.1"]


@pytest.mark.parametrize("verdict", sorted(CASES))
def test_figures_show_every_network_and_way(verdict: str) -> None:
    """Measured and projected lines of each network, and a point for each way."""
    some = results(verdict)
    titles = {name: sheet["title"] for name, sheet in some.sheets.items()}
    ladder = load_study(CONFIG).ladder()
    measures = {name: Measure.of(sheet) for name, sheet in some.sheets.items()}
    drawn = shown.draw(Drawn(some.experiments["speed"], ladder, titles, measures))
    assert all(isinstance(figure, Figure) for figure in drawn.values())
    lines = {line.get_gid() for line in drawn["iteration_time"].axes[0].lines}
    for network in ("mlp_small", "mlp_medium", "mlp_large"):
        assert {f"{network}:line", f"{network}:projected"} <= lines
    labels = [tick.get_text() for tick in drawn["measures"].axes[0].get_yticklabels()]
    assert labels == list(shown.WAYS.values())
