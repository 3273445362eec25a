"""The figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import synthetic_study
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from takeoff import figures
from takeoff.facts import Results
from takeoff.study import load_study


@cache
def results() -> Results:
    return synthetic_study.results()


def ladder(**labels: str) -> list[dict[str, Any]]:
    """The learners, with some labels replaced."""
    learners = load_study(synthetic_study.config()).ladder()
    return [one | {"label": labels.get(one["name"], one["label"])} for one in learners]


def drawn(some: Results, learners: list[dict[str, Any]]) -> Iterator[tuple[str, Figure]]:
    """All figures of a study."""
    titles = {name: sheet["title"] for name, sheet in some.sheets.items()}
    bayes = {name: sheet["floor"] for name, sheet in some.sheets.items()}
    yield "learning_curves", figures.learning_curves(some.curves, learners, titles, bayes)
    yield "forecasts", figures.forecasts(some.curves, some.forecast, learners, titles)
    yield "held_out", figures.held_out(some.held_out, learners, titles)
    yield "last_doublings", figures.last_doublings(some.last_doublings, learners, titles, 0.05)
    yield "differences", figures.differences(some.differences, learners, titles)
    yield "agreement", figures.agreement(some.agreement, titles, 2)
    yield "cost", figures.cost(some.curves, learners, titles)


def texts(svg: Path) -> list[str]:
    """What a reader of the figure reads."""
    root = ElementTree.parse(svg).getroot()
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]


def test_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    """Figures drawn twice, in different folders, are equal files without a date."""
    for round_ in ("a", "b"):
        for name, figure in drawn(results(), ladder()):
            figures.save(figure, tmp_path / round_ / f"{name}.svg", name)
    for first in sorted((tmp_path / "a").iterdir()):
        assert first.read_bytes() == (tmp_path / "b" / first.name).read_bytes()
        assert b"dc:date" not in first.read_bytes()


def test_ticks_are_plain_numbers(tmp_path: Path) -> None:
    """The axis of m reads 32,000, not a power of ten; errors are percentages."""
    name, figure = next(drawn(results(), ladder()))
    figures.save(figure, tmp_path / "figure.svg", name)
    found = texts(tmp_path / "figure.svg")
    assert {"125", "32,000", "10%", "labelled examples m"} <= set(found)
    assert not any("10^" in text or "mathdefault" in text for text in found)


def test_bayes_error_is_drawn_where_it_is_known(tmp_path: Path) -> None:
    """Only the panel of the data set with a known posterior has the line of the best possible."""
    name, figure = next(drawn(results(), ladder()))
    figures.save(figure, tmp_path / "figure.svg", name)
    assert [text for text in texts(tmp_path / "figure.svg") if "best possible" in text] == [
        "best possible: 4.12%"
    ]


def test_capped_learner_ends_with_a_ring() -> None:
    """A learner that was stopped gets an open marker at its last m, the others none."""
    figure = figures.learning_curves(results().curves, ladder(), {"spam": "Spam"})
    rings = [line for line in figure.axes[0].lines if str(line.get_gid()).endswith(":end")]
    assert [line.get_gid() for line in rings] == ["svm_rbf:spam:end"]
    assert list(rings[0].get_xdata()) == [8000]
    assert rings[0].get_markerfacecolor() == "none"


def test_looks_tell_families_and_learners_apart() -> None:
    """Colours, and shapes too, are all different; networks are solid and darken with size."""
    looks = figures.looks(ladder())
    assert len({look.colour for look in looks.values()}) == len(looks)
    assert len({look.marker for look in looks.values()}) == len(looks)
    networks = [looks[name] for name in ("mlp_small", "mlp_medium", "mlp_large")]
    assert all(look.dash == "-" for look in networks)
    brightness = [sum(to_rgb(look.colour)) for look in networks]
    assert brightness == sorted(brightness, reverse=True)
    traditional = [looks[name] for name in ("logistic_regression", "svm_rbf", "gradient_boosting")]
    assert len({str(look.dash) for look in traditional} | {"-"}) == 4


@pytest.mark.parametrize(("ground", "which"), [("#ffffff", "colour"), ("#14171b", "dark")])
def test_colours_stand_out_from_the_page(ground: str, which: str) -> None:
    """Lines have a contrast of at least 2.7 to 1 with a light and with a dark page."""
    for look in figures.looks(ladder()).values():
        lightness = sorted([luminance(getattr(look, which)), luminance(ground)])
        assert (lightness[1] + 0.05) / (lightness[0] + 0.05) > 2.7


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_a_look_does_not_depend_on_the_data_set() -> None:
    """The same learner has the same colour in every figure and panel."""
    looks = figures.looks(ladder())
    figure = figures.cost(results().curves, ladder(), {"spam": "Spam", "fashion_mnist": "F"})
    for ax in figure.axes:
        for line in ax.lines:
            learner = str(line.get_gid()).split(":")[0]
            assert line.get_color() == looks[learner].colour


def test_labels_do_not_run_into_each_other() -> None:
    """Tick labels, titles and legend entries of a figure don't overlap."""
    for name, figure in drawn(results(), ladder()):
        figure.draw_without_rendering()
        for ax in figure.axes:
            for axis in (ax.xaxis, ax.yaxis):
                boxes = [label.get_window_extent() for label in axis.get_ticklabels()
                         if label.get_visible() and label.get_text()]  # fmt: skip
                inside = [box for box in boxes if figure.bbox.overlaps(box)]
                for i, box in enumerate(inside):
                    assert not any(box.overlaps(other) for other in inside[i + 1 :]), name
        for legend in figure.legends:
            entries = [text.get_window_extent() for text in legend.get_texts() if text.get_text()]
            for i, box in enumerate(entries):
                assert not any(box.overlaps(other) for other in entries[i + 1 :]), name


def test_intervals_of_forecasts_stand_side_by_side() -> None:
    """Those of learners with the same largest m don't hide each other, and end where they do."""
    figure = figures.forecasts(results().curves, results().forecast, ladder(), {"spam": "Spam"})
    bars = {str(line.get_gid()).split(":")[0]: line for line in figure.axes[0].lines
            if str(line.get_gid()).endswith(":interval")}  # fmt: skip
    assert set(bars) == {learner["name"] for learner in ladder()}
    assert len({line.get_xdata()[0] for line in bars.values()}) == len(bars)  # type: ignore[index]
    rows = results().forecast
    own = rows[(rows["dataset"] == "spam") & (rows["learner"] == "mlp_large")].iloc[-1]
    assert list(bars["mlp_large"].get_ydata()) == [own["low"], own["high"]]  # type: ignore[arg-type]


def test_held_out_figure_shows_the_largest_m_only() -> None:
    """A row per learner: the interval, what was measured, and the last error known."""
    late = results().held_out
    early = late.assign(m=late["m"] - 1, measured=0.9, last_value=0.9, high=0.9)
    figure = figures.held_out(pd.concat([late, early]), ladder(), {"spam": "Spam"})
    drawn = {str(line.get_gid()): line for line in figure.axes[0].lines}
    assert len(drawn) == 4 * len(ladder())
    own = late[(late["dataset"] == "spam") & (late["learner"] == "svm_rbf")].iloc[0]
    for value in ("measured", "last_value"):
        shown = drawn[f"svm_rbf:spam:{value}"].get_xdata()
        assert list(shown) == [100 * own[value]]  # type: ignore[arg-type]


def test_held_out_figure_of_nothing_is_drawn(tmp_path: Path) -> None:
    """A study without a curve to hold out still gets a file that the workflow can find."""
    figure = figures.held_out(results().held_out.iloc[:0], ladder(), {"spam": "Spam"})
    figures.save(figure, tmp_path / "figure.svg", "held_out")
    assert (tmp_path / "figure.svg").stat().st_size > 0


def test_one_data_set_and_one_learner_are_enough(tmp_path: Path) -> None:
    """A study with a single curve still gets its figures."""
    raw = synthetic_study.config(datasets=["spam"], learners=["mlp_small"])
    some = synthetic_study.results(raw)
    titles, learners = {"spam": "Spam"}, load_study(raw).ladder()
    figures.save(figures.learning_curves(some.curves, learners, titles), tmp_path / "a.svg", "a")
    figures.save(
        figures.forecasts(some.curves, some.forecast.iloc[:0], learners, titles),
        tmp_path / "b.svg",
        "b",
    )
    assert "small network" in texts(tmp_path / "b.svg")


def test_zero_error_is_drawn_on_a_linear_axis() -> None:
    """A test error of zero has no place on a logarithmic axis and must not vanish."""
    curves = results().curves.copy()
    curves.loc[curves["m"] == 32000, ["test_error", "low", "high"]] = 0.0
    figure = figures.learning_curves(curves, ladder(), {"spam": "Spam"})
    assert figure.axes[0].get_yscale() == "linear"


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-4, 0.5), st.floats(1.05, 1000))
def test_round_ticks_are_few_and_inside(low: float, ratio: float) -> None:
    """Any range of errors gets between two and a dozen ticks, all within it."""
    ticks = figures.round_ticks(low, low * ratio)
    assert 2 <= len(ticks) <= 12
    assert all(low <= tick <= low * ratio for tick in ticks)


@pytest.mark.parametrize(
    "label",
    ["a $x$ b", "<script>&\"'", "100 % \\alpha {}", "\u05d0\u05d1\u05d2", "\u6f22\u5b57", "a\x00b"],
)
def test_any_label_is_drawn_as_it_is(tmp_path: Path, label: str) -> None:
    """No label is read as a formula or as markup; the file stays well-formed."""
    learners = ladder(mlp_small=label)
    figure = figures.cost(results().curves, learners, {"spam": "Spam"})
    figures.save(figure, tmp_path / "figure.svg", "figure")
    assert label.replace("\x00", "\ufffd") in texts(tmp_path / "figure.svg")


def test_series_can_be_found_by_the_page(tmp_path: Path) -> None:
    """Every learner's lines are groups whose ids start with the learner's name."""
    for name, figure in drawn(results(), ladder()):
        figures.save(figure, tmp_path / "figure.svg", name)
        ids = re.findall(r'<g id="([^":]+):', (tmp_path / "figure.svg").read_text())
        if name not in ("differences", "agreement"):
            assert set(ids) == {learner["name"] for learner in ladder()}, name
