"""The page's tools answer as the Python functions do that fill the tables."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import browser
import bundles
import numpy as np
import pytest
import test_options
from synthetic_sizes import additive, asked

from takeoff import wording
from takeoff.experiments import network_sizes
from takeoff.measures import Measure
from takeoff.paper import fact, packing, tools
from takeoff.paper.facts import Results
from takeoff.statistics import decisions, levers, options, surfaces
from takeoff.statistics.decisions import FARTHEST

LEARNER = "mlp_large"


@cache
def study() -> Any:
    return test_options.results()


def curve(dataset: str = "spam", learner: str = LEARNER) -> decisions.Measured:
    some = study()
    rows = some.runs[some.runs["dataset"] == dataset]
    return options.curves_of(rows, Measure.of(some.sheets[dataset]))[learner]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a study with options; without the figure it would need."""
    folder = tmp_path_factory.mktemp("tools")
    for name in (*bundles.FIGURES, "gains", "brief"):
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        (folder / "figures" / f"{name}.svg").write_text(bundles.BLANK)
    bundles.paper.render(study(), folder / "figures", bundles.REPORTS, folder / "report")
    return folder / "report" / "report.html"


def with_budgets() -> Results:
    """The study with the experiment that has a frontier."""
    return replace(study(), experiments={tools.SIZES: network_sizes.analyse(asked(additive))})


def test_budgets_are_those_of_the_frontier() -> None:
    """Every row for which something is stated, and whether it lies within the grid."""
    some = with_budgets()
    found, frontier = tools.known(some), some.experiments[tools.SIZES].tables["frontier"]
    assert found is not None and found["budgets"] is not None
    told = found["budgets"]
    stated = frontier[~frontier["status"].str.startswith("not stated")]
    assert (told["unit"], told["dataset"]) == ("operations", list(some.datasets).index("spam"))
    assert [row[0] for row in told["rows"]] == pytest.approx(list(stated["budget"]), rel=1e-3)
    assert [row[1] for row in told["rows"]] == pytest.approx(list(stated["parameters"]), rel=1e-3)
    assert [row[7] for row in told["rows"]] == pytest.approx(list(stated["error"]), rel=1e-3)
    assert [row[-1] for row in told["rows"]] == list(stated["status"] == surfaces.INSIDE)


ASK = """
  const said = [];
  const slot = page.querySelector("[data-tool=curves]");
  const [sets, learners] = slot.querySelectorAll("select");
  const [labels, gain] = slot.querySelectorAll("output");
  const change = (element, value, kind) => {{
    element.value = value;
    element.dispatchEvent(new frame.contentWindow.Event(kind, {{ bubbles: true }}));
  }};
  for (const [set, learner, field, value] of {wanted}) {{
    change(sets, set, "change");
    change(learners, learner, "change");
    change(slot.querySelector(`[name=${{field}}]`), value, "input");
    said.push(field === "target" ? labels.value : gain.value);
  }}
  return said;
"""


def ask(page: Path, wanted: list[tuple[int, int, str, Any]]) -> list[str]:
    """What the form says: data set, learner, "target" in percent or "more", and its value."""
    said = browser.run(page, ASK.format(wanted=json.dumps(wanted)))
    assert isinstance(said, list), said
    return [text.replace("\u2212", "-") for text in said]


def place(dataset: str = "spam", learner: str = LEARNER) -> tuple[int, int]:
    """Of a curve among those of the form."""
    own = study().options.ends
    learners = own.loc[own["dataset"] == dataset, "learner"].tolist()
    return list(study().datasets).index(dataset), learners.index(learner)


def test_the_page_knows_the_paths_that_the_tables_are_read_off() -> None:
    """Quantiles at every measured m and up to the farthest, to a few digits."""
    found = tools.known(study())
    assert found is not None and found["budgets"] is None
    assert len(found["sets"]) == 2 and {one["share"] for one in found["sets"]} == {True}
    at, which = place()
    told, own = found["sets"][at]["curves"][which], curve()
    points = len(own.curve.m)
    assert told["points"] == points and not told["few"]
    m, *errors = told["path"]
    assert m[:points] == own.curve.m.tolist() and m[-1] == round(FARTHEST * own.last_m)
    quantiles = own.forecast.quantile([0.05, 0.5, 0.95])
    for i in (0, -1):
        assert [column[i] for column in errors] == pytest.approx(quantiles[:, i], rel=1e-3)


def test_few_labels_stay_apart_on_a_path() -> None:
    """Whole numbers would fall together beyond an m of five, and nothing be read between them."""
    some = study()
    paths = some.options.paths.copy()
    paths["m"] /= 6_000
    known = tools.known(replace(some, options=replace(some.options, paths=paths)))
    assert known is not None
    for group in known["sets"]:
        for one in group["curves"]:
            assert all(before < after for before, after in pairwise(one["path"][0]))


def test_the_form_begins_with_the_best_learner_of_the_paper() -> None:
    """Not with one that has a lower error at fewer labels."""
    some = study()
    ends = some.options.ends.copy()
    ends.loc[ends["learner"] == "svm_rbf", "error"] = 0.001
    known = tools.known(replace(some, options=replace(some.options, ends=ends)))
    assert known is not None
    for name, group in zip(some.datasets, known["sets"], strict=True):
        best = some.options.verdicts["datasets"][name]["best"]
        label = some.study["learners"][best]["label"]
        assert group["curves"][group["best"]]["label"] == label


def test_papers_without_options_have_no_tools() -> None:
    """There would be nothing to ask."""
    assert tools.known(replace(study(), options=None)) is None


@browser.needs_browser
def test_labels_for_a_target_are_those_of_python(page: Path) -> None:
    """Measured or extrapolated, with the interval, to the two digits that are told."""
    own = curve()
    shares = [1.6, 1.25, 1.05, 0.95, 0.9, 0.85]
    targets = [float(f"{100 * share * own.curve.last:.4g}") for share in shares]
    said = ask(page, [(*place(), "target", target) for target in targets])
    for target, text in zip(targets, said, strict=True):
        found = decisions.labels_needed(own, target / 100)
        assert found.m is not None and found.low is not None
        numbers = [float(n.replace(",", "")) for n in re.findall(r"\d[\d,]{2,}", text)]
        assert numbers[0] == pytest.approx(found.m, rel=0.04), text
        assert numbers[1] == pytest.approx(found.low, rel=0.04), text
        if found.high is None:
            assert f"beyond {fact.about(FARTHEST * own.last_m)}" in text
        else:
            assert numbers[2] == pytest.approx(found.high, rel=0.04), text
        assert ("extrapolated" in text) is (found.m > own.last_m)
        assert ("within what was measured" in text) is (found.m <= own.last_m)


@browser.needs_browser
def test_what_is_never_reached_or_not_stated_is_said(page: Path) -> None:
    """Below the best possible, above a floor, beyond what is stated, before the first m."""
    own = curve("fashion_mnist")
    grid = np.linspace(0.001, own.curve.last, 200)
    verdicts = {decisions.labels_needed(own, t).verdict: float(t) for t in grid}
    wanted = {name: 100 * verdicts[name] for name in ("never", "not stated") if name in verdicts}
    assert wanted, "this curve has a floor or an end of what is stated"
    starts = {"never": "Never: ", "not stated": "More than "}
    said = ask(page, [(*place("fashion_mnist"), "target", value) for value in wanted.values()])
    for name, text in zip(wanted, said, strict=True):
        assert text.startswith(starts[name]), (name, text)
    floor = study().sheets["spam"]["floor"]
    first = 100 * float(curve().curve.error[0]) * 1.5
    below, early = ask(page, [(*place(), "target", 90 * floor), (*place(), "target", first)])
    assert below.startswith("Never: even the best possible predictions have")
    assert early.startswith("Reached with the fewest labels that were measured")


@browser.needs_browser
def test_what_more_labels_bring_is_that_of_python(page: Path) -> None:
    """The error then and the share of it that goes, with intervals; nothing beyond the farthest."""
    own, floor = curve(), study().sheets["spam"]["floor"]
    factors = [1.2, 2.0, 3.7, 10.0]
    more = [round((factor - 1) * own.last_m) for factor in factors]
    said = ask(page, [(*place(), "more", n) for n in [*more, 10 * own.last_m]])
    for n, text in zip(more, said[:-1], strict=True):
        gain = levers.gain_above(own, 1 + n / own.last_m, floor, 0.9)
        numbers = [float(one) for one in re.findall(r"(-?\d+\.?\d*)%", text)]
        error, _, low, high, _, removed = numbers[:6]
        assert error == pytest.approx(100 * gain.error, rel=0.01), text
        assert low == pytest.approx(100 * gain.low, rel=0.01), text
        assert high == pytest.approx(100 * gain.high, rel=0.01), text
        assert removed == pytest.approx(100 * gain.relative, abs=0.6), text
        assert f"With {wording.count(own.last_m + n)} labels" in text
    assert said[-1].startswith("Nothing is stated beyond 10 times")


@browser.needs_browser
def test_nonsense_is_asked_for_again(page: Path) -> None:
    """An empty or negative number has no answer."""
    said = ask(page, [(*place(), "target", ""), (*place(), "more", "0"), (*place(), "more", "-5")])
    assert said == ["Enter an error to reach.", *["Enter a number of labels."] * 2]


def test_names_in_the_form_are_texts() -> None:
    """A learner's label with markup in it ends no script element."""
    some = study()
    label = "</script><img src=x onerror=alert(1)>"
    learners = some.study["learners"] | {
        LEARNER: some.study["learners"][LEARNER] | {"label": label}
    }
    known = tools.known(replace(some, study={**some.study, "learners": learners}))
    assert known is not None
    names = [one["label"] for group in known["sets"] for one in group["curves"]]
    assert wording.clean(label) in names
    assert "<" not in packing.packed(known)
