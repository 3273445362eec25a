"""What the paper says of the activations, for whatever came out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_study
from synthetic_activations import all_alike, asked, lecture_is_right
from test_paper import FIGURES as OTHER_FIGURES
from test_paper import REPORTS, plain, tidy, written

from takeoff import experiments
from takeoff.experiments import Findings, activations
from takeoff.paper import facts, figures, typeset
from takeoff.paper import report as paper
from takeoff.paper.experiments import Drawn
from takeoff.paper.experiments import activations as shown
from takeoff.paper.facts import Results

BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'


def no_sigmoid(activation: str, initialisation: str, depth: int) -> float:
    """With default weights the sigmoid never arrives, and in the deepest networks nothing does."""
    if initialisation == "default" and (activation == "sigmoid" or depth == 8):
        return math.inf
    return lecture_is_right(activation, initialisation, depth)


def swapped(activation: str, initialisation: str, depth: int) -> float:
    """ReLU needs what the sigmoid should."""
    other = {"relu": "sigmoid", "sigmoid": "relu"}.get(activation, activation)
    return lecture_is_right(other, initialisation, depth)


CASES: dict[str, Callable[[], Findings]] = {
    "supported": lambda: activations.analyse(asked(lecture_is_right)),
    "refuted": lambda: activations.analyse(asked(swapped)),
    "undecided": lambda: activations.analyse(asked(all_alike)),
    "cut off": lambda: activations.analyse(asked(no_sigmoid)),
    "small": lambda: activations.analyse(
        asked(
            lecture_is_right,
            activations=["sigmoid", "relu"],
            initialisations=["default"],
            depths=[2],
            shares=[],
        )
    ),
}


@cache
def results() -> Results:
    raw = synthetic_study.config()
    raw["use"]["claims"] = ["plateau", "relu_is_faster"]
    return synthetic_study.results(raw)


@cache
def with_findings(case: str) -> Results:
    return replace(results(), experiments={"activations": CASES[case]()})


@pytest.fixture(scope="module", params=sorted(CASES))
def read(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, str]:
    """A case, and the text that a reader of the page reads on it."""
    work = tmp_path_factory.mktemp("page")
    names = [*OTHER_FIGURES, *experiments.FIGURES["activations"]]
    some = with_findings(request.param)
    paper._fill(work, written(some), dict.fromkeys(names, BLANK), b"{}", REPORTS)
    return request.param, plain(typeset.to_html(work).content)


def test_the_text_reads_well_for_every_outcome(read: tuple[str, str]) -> None:
    """No mark of a sentence that was put together badly; a verdict's own words are there."""
    case, text = read
    text = text[text.index("ReLU is faster than the sigmoid Both ends") :]
    text = text[: text.index(" 4 What") if " 4 What" in text else text.index(" 4 ")]
    assert tidy(text) == []
    words = {
        "supported": "the sigmoid is shown to take more steps at a depth of one layer (",
        "refuted": "the sigmoid is shown to take fewer steps",
        "undecided": "it stays open which of the two takes fewer steps",
        "cut off": "eight layers (no run of either arrived)",
        "small": "the sigmoid is shown to take more steps at a depth of two layers (",
    }
    assert words[case] in text
    if case == "cut off":
        assert "≥" in text and "scaling takes away at least" in text


def test_every_number_is_a_fact() -> None:
    """With its interval where it has one, and its source."""
    found = facts.build(with_findings("supported"))
    ratio = found["activations.scaled.8.sigmoid.ratio"]
    assert ratio.value == pytest.approx(2, rel=0.2) and ratio.interval
    assert ratio.low is not None and ratio.low < ratio.value
    assert ratio.source["file"] == "experiments/activations.json"
    assert found["activations.default.8.sigmoid.arrived"].text == "6"
    assert found["activations.goal"].value == pytest.approx(2.3 - 0.9 * 2.0)


@pytest.mark.parametrize("case", sorted(CASES))
def test_figures_are_drawn_for_every_outcome(case: str, tmp_path: Path) -> None:
    """Also where nothing arrived; twice the same bytes."""
    findings = with_findings(case).experiments["activations"]
    saved: list[dict[str, bytes]] = []
    for _ in range(2):
        drawn = shown.draw(Drawn(findings, [], {}, {}))
        assert tuple(drawn) == experiments.FIGURES["activations"]
        for name, figure in drawn.items():
            figures.save(figure, tmp_path / f"{name}.svg", name)
        saved.append({path.name: path.read_bytes() for path in tmp_path.iterdir()})
    assert saved[0] == saved[1]


def test_findings_survive_their_file(tmp_path: Path) -> None:
    """What is drawn and said from the file is what is from the findings themselves."""
    findings = CASES["cut off"]()
    experiments.write(findings, tmp_path / "f.json")
    back = experiments.read(tmp_path / "f.json")
    some: Any = [replace(results(), experiments={"activations": one}) for one in (findings, back)]
    said = [{one["id"]: one["text"] for one in facts.build(each).records()} for each in some]
    assert said[0] == said[1]
    assert np.isfinite(back.tables["layers"]["gradient"]).all()
