"""The figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
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
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from takeoff.measures import Measure
from takeoff.paper import figures
from takeoff.paper.facts import Results
from takeoff.study import load_study


@cache
def results() -> Results:
    return synthetic_study.results()


@cache
def mixed() -> Results:
    return synthetic_study.mixed()


def spam() -> tuple[Any, ...]:
    """Learners, titles and measures of a figure of one panel."""
    return ladder(), {"spam": "Spam"}, {"spam": results().measures["spam"]}


def ladder(**labels: str) -> list[dict[str, Any]]:
    """The learners, with some labels replaced."""
    learners = load_study(synthetic_study.config()).ladder()
    return [one | {"label": labels.get(one["name"], one["label"])} for one in learners]


def texts(svg: Path) -> list[str]:
    """What a reader of the figure reads."""
    root = ElementTree.parse(svg).getroot()
    return ["".join(element.itertext()) for element in root.iter() if element.tag.endswith("text")]


def test_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    """Figures drawn twice, in different folders, are equal files without a date."""
    for round_ in ("a", "b"):
        for name, figure in synthetic_study.draw(results(), ladder()):
            figures.save(figure, tmp_path / round_ / f"{name}.svg", name)
    for first in sorted((tmp_path / "a").iterdir()):
        assert first.read_bytes() == (tmp_path / "b" / first.name).read_bytes()
        assert b"dc:date" not in first.read_bytes()


def test_ticks_are_plain_numbers(tmp_path: Path) -> None:
    """The axis of m reads 32,000, not a power of ten; errors are percentages."""
    name, figure = next(synthetic_study.draw(results(), ladder()))
    figures.save(figure, tmp_path / "figure.svg", name)
    found = texts(tmp_path / "figure.svg")
    assert {"125", "32,000", "10%", "labelled examples m"} <= set(found)
    assert not any("10^" in text or "mathdefault" in text for text in found)


def test_bayes_error_is_drawn_where_it_is_known(tmp_path: Path) -> None:
    """Only the panel of the data set with a known posterior has the line of the best possible."""
    name, figure = next(synthetic_study.draw(results(), ladder()))
    figures.save(figure, tmp_path / "figure.svg", name)
    assert [text for text in texts(tmp_path / "figure.svg") if "best possible" in text] == [
        "best possible: 4.12%"
    ]


def test_capped_learner_ends_with_a_ring() -> None:
    """A learner that was stopped gets an open marker at its last m, the others none."""
    figure = figures.learning_curves(results().curves, *spam())
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


def apart(figure: Figure) -> bool:
    """Whether tick labels and legend entries keep clear of each other, and all is on the figure."""
    figure.draw_without_rendering()
    groups = [legend.get_texts() for legend in figure.legends]
    for ax in figure.axes:
        if ax.get_visible():
            groups += [ax.xaxis.get_ticklabels(), ax.yaxis.get_ticklabels()]
            groups += [[ax.xaxis.label, ax.title], [ax.yaxis.label]]
    for group in groups:
        boxes = [label.get_window_extent() for label in group
                 if label.get_visible() and label.get_text()]  # fmt: skip
        inside = [box for box in boxes if figure.bbox.overlaps(box)]
        if any(box.overlaps(other) for i, box in enumerate(inside) for other in inside[i + 1 :]):
            return False
    labels = [label for ax in figure.axes for label in (ax.xaxis.label, ax.yaxis.label)
              if ax.get_visible() and label.get_text()]  # fmt: skip
    return all(within(label, figure) for label in labels)


def within(label: Any, figure: Figure) -> bool:
    box, page = label.get_window_extent(), figure.bbox
    return bool(box.x0 >= page.x0 - 1 and box.x1 <= page.x1 + 1
                and box.y0 >= page.y0 - 1 and box.y1 <= page.y1 + 1)  # fmt: skip


def five() -> Results:
    """The mixed study with a fifth data set."""
    tables = ("runs", "curves", "fits", "forecast", "held_out", "last_doublings", "differences",
              "agreement")  # fmt: skip
    more = {name: pd.concat([rows, rows[rows["dataset"] == "ad_click"].assign(dataset="fifth")])
            for name in tables if (rows := getattr(mixed(), name)) is not None}  # fmt: skip
    sheet = dict(mixed().sheets["ad_click"]) | {"title": "A fifth one"}
    return replace(mixed(), sheets=dict(mixed().sheets) | {"fifth": sheet}, **more)


@pytest.mark.parametrize("study", [results, five])
def test_labels_do_not_run_into_each_other(study: Callable[[], Results]) -> None:
    """Two or five panels: labels are apart, on the figure, and the figure fits a page."""
    for name, figure in synthetic_study.draw(study(), ladder()):
        assert apart(figure), name
        assert figure.get_figheight() <= figures.TALLEST + 0.5, name


# What data sets are judged by


@cache
def mixed_figures() -> dict[str, Figure]:
    return dict(synthetic_study.draw(mixed(), ladder()))


def axis(figure: Figure, title: str) -> Axes:
    return next(ax for ax in figure.axes if ax.get_title(loc="left") == title)


def test_every_panel_names_its_measure_and_unit() -> None:
    """Where measures differ, no panel is left to be read with its neighbour's unit."""
    drawn = mixed_figures()
    names = {
        "Fashion-MNIST": "balanced test error", "Spam": "test error",
        "Ad clicks": "log-loss (nats)", "Car position": "root mean squared error (m)",
    }  # fmt: skip
    for title, name in names.items():
        for figure in ("learning_curves", "forecasts"):
            assert axis(drawn[figure], title).get_ylabel() == name
        assert axis(drawn["held_out"], title).get_xlabel() == name
    units = {"Fashion-MNIST": "(percentage points)", "Ad clicks": "(nats)", "Car position": "(m)"}
    for title, unit in units.items():
        assert axis(drawn["differences"], title).get_xlabel().endswith(unit)


def test_one_measure_is_named_once_a_row() -> None:
    """Panels of one measure don't repeat it."""
    figure = next(synthetic_study.draw(results(), ladder()))[1]
    assert [ax.get_ylabel() for ax in figure.axes] == ["test error", ""]


def test_numbers_on_axes_are_in_the_unit_of_the_axis() -> None:
    """A difference of shares is drawn in points, one of log-losses in nats."""
    figure = figures.differences(mixed().differences, ladder(), *titles_and_measures(mixed()))
    for title, dataset, scale in (("Spam", "spam", 100), ("Ad clicks", "ad_click", 1)):
        own = mixed().differences[mixed().differences["dataset"] == dataset]
        points = [line.get_xdata()[0] for line in axis(figure, title).lines  # type: ignore[index]
                  if len(line.get_xdata()) == 1]  # type: ignore[arg-type]  # fmt: skip
        assert sorted(points) == pytest.approx(sorted(scale * own["difference"]))


def titles_and_measures(some: Results) -> tuple[dict[str, str], dict[str, Measure]]:
    return {name: sheet["title"] for name, sheet in some.sheets.items()}, dict(some.measures)


def test_a_bound_is_not_called_the_best_possible(tmp_path: Path) -> None:
    """A lower bound says that it is one; a floor far below the curves is said, not drawn."""
    figure = mixed_figures()["learning_curves"]
    figures.save(figure, tmp_path / "figure.svg", "figure")
    assert {text for text in texts(tmp_path / "figure.svg") if "best possible" in text} == {
        "best possible: at least 4.12%", "best possible: 0.2079", "\u2193 best possible: 0.30",
    }  # fmt: skip
    low, _ = axis(figure, "Car position").get_ylim()
    assert low > 0.3


def test_what_lies_above_the_floor_is_drawn_where_it_is_known_exactly() -> None:
    """A panel for exact floors only, of errors minus the floor, logarithmic; intervals stay in."""
    figure = mixed_figures()["above_floor"]
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["Ad clicks", "Car position"]
    clicks = figure.axes[0]
    line = next(one for one in clicks.lines if one.get_gid() == "mlp_large:ad_click:line")
    curve = mixed().curves
    own = curve[(curve["dataset"] == "ad_click") & (curve["learner"] == "mlp_large")]
    assert list(line.get_ydata()) == pytest.approx(list(own["test_error"] - 0.2079))  # type: ignore[arg-type]
    assert clicks.get_yscale() == "log"
    low, high = clicks.get_ylim()
    assert high / low > 4  # the whole errors differ by a ninth: here they can be told apart


def test_an_interval_that_reaches_the_floor_is_drawn() -> None:
    """A logarithmic axis has no place for zero; the curve and its axis stay as they are."""
    curves = mixed().curves.assign(low=0.0)
    figure = figures.above_floor(curves, ladder(), *titles_and_measures(mixed()))
    figure.draw_without_rendering()
    assert 0.001 < figure.axes[0].get_ylim()[0] < 0.006


def test_no_floor_is_no_panel(tmp_path: Path) -> None:
    """A study without a known floor still gets a file that the workflow can find."""
    titles = {"fashion_mnist": "Fashion-MNIST"}
    figure = figures.above_floor(results().curves, ladder(), titles, results().measures)
    figures.save(figure, tmp_path / "figure.svg", "above_floor")
    assert [ax for ax in figure.axes if ax.get_visible()] == []


@pytest.mark.parametrize(("chance", "drawn"), [(0.15, True), (0.9, False), (0.01, False)])
def test_chance_is_drawn_where_the_panel_reaches_it(chance: float, drawn: bool) -> None:
    """The error of the best constant prediction never stretches the axis."""
    measure = replace(results().measures["spam"], chance=chance)
    figure = figures.learning_curves(
        results().curves, ladder(), {"spam": "Spam"}, {"spam": measure}
    )
    notes = [note.get_text() for note in figure.axes[0].texts]
    assert ("best constant: 15.0%" in notes) is drawn
    assert any("constant" in note for note in notes) is drawn


@settings(max_examples=10, deadline=None)
@given(st.text(max_size=60))
def test_any_unit_fits_on_the_figure(unit: str) -> None:
    """A user's unit is drawn as it is, and a long one takes more lines."""
    measure = Measure.of({"metric": "rmse", "unit": unit, "floor": 0.3}, [1.0])
    rows = mixed().differences[mixed().differences["dataset"] == "car_position"]
    figure = figures.differences(rows, ladder(), {"car_position": "Car"}, {"car_position": measure})
    words = " ".join(figure.axes[0].get_xlabel().split())
    assert words.startswith("difference in root mean squared error")
    assert "".join(measure.unit.split()) in "".join(words.split())


def test_intervals_of_forecasts_stand_side_by_side() -> None:
    """Those of learners with the same largest m don't hide each other, and end where they do."""
    figure = figures.forecasts(results().curves, results().forecast, *spam())
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
    figure = figures.held_out(pd.concat([late, early]), *spam())
    drawn = {str(line.get_gid()): line for line in figure.axes[0].lines}
    assert len(drawn) == 4 * len(ladder())
    own = late[(late["dataset"] == "spam") & (late["learner"] == "svm_rbf")].iloc[0]
    for value in ("measured", "last_value"):
        shown = drawn[f"svm_rbf:spam:{value}"].get_xdata()
        assert list(shown) == [100 * own[value]]  # type: ignore[arg-type]


def test_held_out_figure_of_nothing_is_drawn(tmp_path: Path) -> None:
    """A study without a curve to hold out still gets a file that the workflow can find."""
    figure = figures.held_out(results().held_out.iloc[:0], *spam())
    figures.save(figure, tmp_path / "figure.svg", "held_out")
    assert (tmp_path / "figure.svg").stat().st_size > 0


def test_one_data_set_and_one_learner_are_enough(tmp_path: Path) -> None:
    """A study with a single curve still gets its figures."""
    raw = synthetic_study.config(datasets=["spam"], learners=["mlp_small"])
    some = synthetic_study.results(raw)
    shared = (load_study(raw).ladder(), {"spam": "Spam"}, some.measures)
    figures.save(figures.learning_curves(some.curves, *shared), tmp_path / "a.svg", "a")
    figures.save(
        figures.forecasts(some.curves, some.forecast.iloc[:0], *shared),
        tmp_path / "b.svg",
        "b",
    )
    assert "small network" in texts(tmp_path / "b.svg")


def test_zero_error_is_drawn_on_a_linear_axis() -> None:
    """A test error of zero has no place on a logarithmic axis and must not vanish."""
    curves = results().curves.copy()
    curves.loc[curves["m"] == 32000, ["test_error", "low", "high"]] = 0.0
    figure = figures.learning_curves(curves, *spam())
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
    for name, figure in synthetic_study.draw(results(), ladder()):
        figures.save(figure, tmp_path / "figure.svg", name)
        ids = re.findall(r'<g id="([^":]+):', (tmp_path / "figure.svg").read_text())
        if name not in ("differences", "agreement"):
            assert set(ids) == {learner["name"] for learner in ladder()}, name
