"""The figures: frames in, a figure out.

A figure shows one panel per data set, and a learner looks the same in all of them (see
`takeoff.paper.looks`).
"""

from __future__ import annotations

import functools
import io
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from takeoff.files import replacing
from takeoff.measures import Measure, axis_label, of_all
from takeoff.paper import scales
from takeoff.paper.looks import INK, STYLE, Learners, Look, looks
from takeoff.wording import MINUS, clean, count, plain_number, plain_percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

P = ParamSpec("P")
Titles = Mapping[str, str]  # data set -> the name readers see, in the paper's order
Measures = Mapping[str, Measure]  # data set -> what it is judged by

TICK_STEPS: Sequence[Sequence[float]] = (  # from sparse to dense, within a decade
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
)
NEAR = 4  # a floor further below all errors than this factor would squeeze the curves
TALLEST = 9.2  # inches that a page has room for beside a caption
NARROW = 6.0  # inches: figures of one panel
AXIS_WIDTH = 32  # characters of tick labels along the x axis of a small panel
ASIDE = 1.14  # between two intervals at the same m, as a factor of m
GAIN_MARKERS = ("o", "s", "D", "^", "v", "P")  # one for each multiple of the labels
GAIN_SPREAD = 0.24  # of a row, between two multiples
VERDICTS = {  # shape and fill, so that no verdict is told by colour alone
    "supported": ("o", True, "as claimed"),
    "undecided": ("o", False, "undecided"),
    "refuted": ("X", True, "the other way round"),
}


def save(figure: Figure, path: Path | str, figure_id: str) -> None:
    """Write a figure as SVG: the same figure gives the same bytes.

    Args:
        figure: What one of the functions here returned.
        path: Where to.
        figure_id: Seeds the identifiers within the SVG.
    """
    settings = STYLE | {"svg.hashsalt": figure_id}
    metadata = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with mpl.rc_context(settings), warnings.catch_warnings(), replacing(path, "wb") as file:
        # Text stays text: the reader's fonts may well have what this machine's lack.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        scales.name_panels(figure)
        drawn = io.StringIO()
        figure.savefig(drawn, format="svg", metadata=metadata)
        file.write(scales.described(drawn.getvalue(), figure).encode())


def _styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    @functools.wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return styled


@_styled
def learning_curves(
    curves: pd.DataFrame, learners: Learners, titles: Titles, measures: Measures
) -> Figure:
    """Error against m, log-log: mean and interval per learner.

    Args:
        curves: dataset, learner, m, test_error, low, high.
        learners: Order of the legend, and what decides the looks.
        titles: The data sets, in order.
        measures: What they are judged by; with the errors of the best possible and of the best
            constant predictions, where they are known.
    """
    figure, axes = _panels(titles, learners=learners)
    for dataset, ax in axes.items():
        rows, measure = curves[curves["dataset"] == dataset], measures[dataset]
        _curves(ax, rows, learners, "test_error")
        _error_axis(ax, [*rows["test_error"], *_near(rows["test_error"], measure)], measure)
        _m_axis(ax, rows["m"])
        _landmarks(ax, measure)
    _label_errors(axes, measures, "{name}")
    _learner_legend(figure, learners)
    return figure


@_styled
def above_floor(
    curves: pd.DataFrame, learners: Learners, titles: Titles, measures: Measures
) -> Figure:
    """What the errors have above those of the best possible predictions, log-log.

    Where most of an error is floor, the curves of the whole errors are all but flat, and only this
    shows how they differ. There is a panel for each data set whose floor is known exactly.

    Args:
        curves, learners, titles, measures: As for `learning_curves`.
    """
    exact = {name: title for name, title in titles.items() if measures[name].is_exact}
    figure, axes = _panels(exact, learners=learners)
    for dataset, ax in axes.items():
        measure, rows = measures[dataset], curves[curves["dataset"] == dataset]
        errors = ["test_error", "low", "high"]
        rows = rows.assign(**(rows[errors] - measure.floor))
        lowest = rows.loc[rows["test_error"] > 0, "test_error"].min()
        rows["low"] = rows["low"].clip(lower=lowest / 100)  # a log axis has no place for zero
        _curves(ax, rows, learners, "test_error")
        write = functools.partial(_scaled, scale=100 if measure.is_share else 1)
        _log_axis(ax, rows["test_error"].tolist(), write)
        _m_axis(ax, rows["m"])
    _label_errors(axes, measures, "{name} above the best possible", gaps=True)
    _learner_legend(figure, learners)
    return figure


def _curves(ax: Axes, rows: pd.DataFrame, learners: Learners, value: str) -> None:
    """The learning curves of one data set with their intervals; a ring ends a capped one."""
    dataset = rows["dataset"].iloc[0] if len(rows) else ""
    for name, look, curve in _by_learner(rows, learners):
        _band(ax, curve, look, f"{name}:{dataset}:band")
        _line(ax, curve, value, look, f"{name}:{dataset}:line")
        if curve["m"].max() < rows["m"].max():
            _open_end(ax, curve, value, look, f"{name}:{dataset}:end")


@_styled
def forecasts(
    curves: pd.DataFrame,
    forecast: pd.DataFrame,
    learners: Learners,
    titles: Titles,
    measures: Measures,
) -> Figure:
    """Measured errors, and where the curves are expected to lead beyond the measured m.

    Intervals stand side by side at the ends of the forecasts: as bands they would hide each other.

    Args:
        curves: dataset, learner, m, test_error.
        forecast: dataset, learner, m, predicted, low, high, from the largest m measured on.
        learners: Order of the legend, and what decides the looks.
        titles: The data sets, in order.
        measures: What they are judged by.
    """
    figure, axes = _panels(titles, learners=learners)
    for dataset, ax in axes.items():
        rows, measure = curves[curves["dataset"] == dataset], measures[dataset]
        ahead = forecast[forecast["dataset"] == dataset]
        ends = ahead.sort_values("m").groupby("learner").tail(1)
        for i, (name, look, curve) in enumerate(_by_learner(rows, learners)):
            gid = f"{name}:{dataset}"
            ax.plot(curve["m"], curve["test_error"], marker=look.marker, color=look.colour,
                    lw=1.1, gid=f"{gid}:points")  # fmt: skip
            _ahead(ax, ahead[ahead["learner"] == name].sort_values("m"), look, gid, ASIDE**i)
        lowest = ends["low"].clip(lower=ends["predicted"] / 3)  # below it, they leave the panel
        shown = (rows["test_error"], ahead["predicted"], ends["high"], lowest)
        _error_axis(ax, [value for values in shown for value in values], measure)
        _m_axis(ax, [*rows["m"], *(ahead["m"].max() for _ in range(len(ahead) > 0))])
        _landmarks(ax, measure, chance=False)
    _label_errors(axes, measures, "{name}")
    _learner_legend(figure, learners, lines=False)
    return figure


def _ahead(ax: Axes, ahead: pd.DataFrame, look: Look, gid: str, aside: float) -> None:
    """A forecast as a dashed line, and its interval at the end, set aside by this factor of m."""
    if ahead.empty:
        return
    ax.plot(ahead["m"], ahead["predicted"], color=look.colour, lw=1.3, ls=(0, (2.5, 1.5)),
            gid=f"{gid}:forecast")  # fmt: skip
    last = ahead.iloc[-1]
    m = ASIDE * aside * last["m"]
    ax.plot([m, m], [last["low"], last["high"]], color=look.colour, lw=1.4, gid=f"{gid}:interval")
    ax.plot([m], [last["predicted"]], marker="_", ms=5, mew=1.4, color=look.colour,
            gid=f"{gid}:end")  # fmt: skip


@_styled
def brief(
    curves: pd.DataFrame,
    forecast: pd.DataFrame,
    best: Mapping[str, str],
    factor: float,
    learners: Learners,
    titles: Titles,
    measures: Measures,
) -> Figure:
    """The best learner's curve on each data set, as measured and as it is expected to go on.

    Args:
        curves: dataset, learner, m, test_error, low, high.
        forecast: dataset, learner, m, predicted, low, high, from the largest m measured on.
        best: The learner, by data set.
        factor: How many times the labels it is shown to.
        learners: What decides the looks.
        titles: The data sets, in order.
        measures: What they are judged by.
    """
    look = looks(learners)
    figure, axes = _panels(titles, height=1.4)
    for dataset, ax in axes.items():
        name, measure = best[dataset], measures[dataset]
        rows, ahead = (
            table[(table["dataset"] == dataset) & (table["learner"] == name)].sort_values("m")
            for table in (curves, forecast)
        )
        ahead = ahead[ahead["m"] <= factor * rows["m"].max()]
        own, gid = look[name], f"{name}:{dataset}"
        ax.plot(rows["m"], rows["test_error"], marker=own.marker, color=own.colour, lw=1.5,
                gid=f"{gid}:points")  # fmt: skip
        ax.plot(ahead["m"], ahead["predicted"], color=own.colour, lw=1.5, ls=(0, (2.5, 1.5)),
                gid=f"{gid}:forecast")  # fmt: skip
        for table in (rows, ahead):
            ax.fill_between(table["m"], table["low"], table["high"], color=own.colour, alpha=0.16,
                            lw=0, gid=f"{gid}:band")  # fmt: skip
        lowest = ahead["low"].clip(lower=ahead["predicted"] / 3)  # below it, they leave the panel
        _error_axis(ax, [*rows["test_error"], *rows["high"], *ahead["high"], *lowest], measure)
        _m_axis(ax, rows["m"])
        _landmarks(ax, measure, chance=False)
    _label_errors(axes, measures, "{name}")
    return figure


@_styled
def held_out(late: pd.DataFrame, learners: Learners, titles: Titles, measures: Measures) -> Figure:
    """The last error of every curve: as it was forecast from half the labels, and as measured.

    Args:
        late: dataset, learner, m, measured, predicted, low, high, last_value; of several m of a
            curve the largest is shown.
        learners: Rows, from top to bottom.
        titles: The data sets, in order.
        measures: What they are judged by.
    """
    look, names = looks(learners), [learner["name"] for learner in learners]
    height = _rows_height(len(learners)) + 0.25
    figure, axes = _panels(titles, height=height, share_y=True, legend_rows=1)
    for dataset, ax in axes.items():
        own, measure = late[late["dataset"] == dataset], measures[dataset]
        scale = 100 if measure.is_share else 1
        for _, row in own.sort_values("m").groupby("learner").tail(1).iterrows():
            name, y = row["learner"], names.index(row["learner"])
            _whisker(ax, y, row, "predicted", look[name], f"{name}:{dataset}", scale=scale)
            for value in _SEEN:
                ax.plot([scale * row[value]], [y], gid=f"{name}:{dataset}:{value}", **_SEEN[value])
        ax.set_xlabel(axis_label(measure.name, measure.suffix))
        _value_axis(ax, "%" if measure.is_share else "")
    _row_labels(axes, [clean(learner["label"]) for learner in learners])
    forecast = Line2D([], [], color=INK, marker="o", ms=5.6, mew=0, lw=1.4)
    handles = [forecast, *(Line2D([], [], **_SEEN[value]) for value in _SEEN)]
    labels = ["forecast from half the labels", "then measured", "last error it knew"]
    _legend(figure, handles, labels, columns=3)
    return figure


_SEEN: Mapping[str, dict[str, Any]] = {  # told apart from a forecast by shape
    "measured": {"ls": "none", "marker": "|", "ms": 11, "mew": 1.8, "color": INK},
    "last_value": {"ls": "none", "marker": "o", "ms": 5, "mew": 1.1, "mfc": "none", "color": INK},
}


@_styled
def last_doublings(
    reductions: pd.DataFrame,
    learners: Learners,
    titles: Titles,
    measures: Measures,
    margin: float,
) -> Figure:
    """What a doubling of m still removes of the error, with the margin of flatness.

    Args:
        reductions: dataset, learner, reduction, low, high (shares of the error).
        learners: Rows, from top to bottom.
        titles: The data sets, in order.
        measures: What they are judged by.
        margin: Below it a curve counts as flat.
    """
    look, names = looks(learners), [learner["name"] for learner in learners]
    figure, axes = _panels(titles, height=_rows_height(len(learners)), share_y=True)
    for dataset, ax in axes.items():
        for _, row in reductions[reductions["dataset"] == dataset].iterrows():
            name = row["learner"]
            _whisker(ax, names.index(name), row, "reduction", look[name], f"{name}:{dataset}")
        ax.axvline(0, color=INK, lw=0.7)
        ax.axvline(100 * margin, color=INK, lw=1, ls=(0, (4, 2)))
        ax.annotate(f"margin {plain_percent(margin)}", (100 * margin, 1), (3, 1),
                    xycoords=("data", "axes fraction"), textcoords="offset points",
                    fontsize=7.5)  # fmt: skip
        ax.set_xlabel(f"{measures[dataset].name} removed\nper doubling of m")
        _value_axis(ax, "%")
        ax.set_title(clean(titles[dataset]), pad=14)
    _row_labels(axes, [clean(learner["label"]) for learner in learners])
    return figure


@_styled
def gains(bringing: pd.DataFrame, learners: Learners, titles: Titles, margin: float) -> Figure:
    """What share of the error more labels remove: a mark for each multiple, one below the other.

    Args:
        bringing: dataset, learner, factor, relative, relative_low, relative_high (shares).
        learners: Rows, from top to bottom.
        titles: The data sets, in order.
        margin: The share that is worth it.
    """
    look, names = looks(learners), [learner["name"] for learner in learners]
    factors = sorted(set(bringing["factor"]))
    height = _rows_height(len(learners)) * 1.25 + 0.25
    figure, axes = _panels(titles, height=height, share_y=True, legend_rows=1)
    ends = {"relative_low": "low", "relative_high": "high"}
    for dataset, ax in axes.items():
        for _, row in bringing[bringing["dataset"] == dataset].rename(columns=ends).iterrows():
            name, i = row["learner"], factors.index(row["factor"])
            y = names.index(name) + GAIN_SPREAD * (i - (len(factors) - 1) / 2)
            own = replace(look[name], marker=GAIN_MARKERS[i % len(GAIN_MARKERS)])
            _whisker(ax, y, row, "relative", own, f"{name}:{dataset}:{i}")
        ax.axvline(0, color=INK, lw=0.7)
        ax.axvline(100 * margin, color=INK, lw=1, ls=(0, (4, 2)))
        ax.set_xlabel("error removed")
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{_signed(x)}%"))
    _row_labels(axes, [clean(learner["label"]) for learner in learners])
    handles = [
        Line2D([], [], color=INK, marker=GAIN_MARKERS[i % len(GAIN_MARKERS)], ms=5.6, mew=0, lw=1.4)
        for i in range(len(factors))
    ]
    labels = [f"{plain_number(factor)} times the labels" for factor in factors]
    _legend(figure, handles, labels, columns=min(len(factors), 3))
    return figure


@_styled
def differences(
    pairs: pd.DataFrame, learners: Learners, titles: Titles, measures: Measures
) -> Figure:
    """Paired differences of errors, in the claimed order; right of zero is as claimed.

    Args:
        pairs: dataset, better, worse, difference, low, high, verdict.
        learners: For their labels.
        titles: The data sets, in order.
        measures: What they are judged by. Every data set has an axis of its own.
    """
    label = {learner["name"]: clean(learner["label"]) for learner in learners}
    names = list(dict.fromkeys(zip(pairs["better"], pairs["worse"], strict=True)))
    names.sort(key=lambda pair: [list(label).index(name) for name in pair])
    height = _rows_height(len(names)) + 0.25
    figure, axes = _panels(titles, height=height, share_y=True, legend_rows=1)
    for dataset, ax in axes.items():
        measure = measures[dataset]
        for _, row in pairs[pairs["dataset"] == dataset].iterrows():
            y = names.index((row["better"], row["worse"]))
            marker, filled, _ = VERDICTS[row["verdict"]]
            look = Look(INK, INK, "-", marker)
            scale = 100 if measure.is_share else 1
            _whisker(ax, y, row, "difference", look, None, filled, scale)
        ax.axvline(0, color=INK, lw=1)
        ax.set_xlabel(axis_label(f"difference in {measure.name}", measure.gap_suffix))
        _value_axis(ax)
    _row_labels(axes, [f"{label[better]}  vs  {label[worse]}" for better, worse in names])
    used = [verdict for verdict in VERDICTS if (pairs["verdict"] == verdict).any()]
    handles = [_verdict_handle(verdict) for verdict in used]
    _legend(figure, handles, [VERDICTS[verdict][2] for verdict in used], columns=3)
    return figure


@_styled
def agreement(rankings: pd.DataFrame, titles: Titles, small_m: int) -> Figure:
    """How far the repeats rank the learners alike, against m.

    Args:
        rankings: dataset, m, agreement, low, high (mean Kendall tau over pairs of repeats).
        titles: The data sets, in order.
        small_m: How many of the smallest (and of the largest) m the claim compares.
    """
    figure, axes = _panels(titles, height=2.3)
    for dataset, ax in axes.items():
        rows = rankings[rankings["dataset"] == dataset].sort_values("m")
        spread = [rows["agreement"] - rows["low"], rows["high"] - rows["agreement"]]
        ax.errorbar(rows["m"], rows["agreement"], spread, color=INK, marker="o", lw=1.2,
                    elinewidth=1, capsize=2)  # fmt: skip
        if len(rows) >= 2 * small_m:
            _shaded(ax, rows["m"].iloc[:small_m].tolist(), "small m")
            _shaded(ax, rows["m"].iloc[-small_m:].tolist(), "large m")
        lowest = min(0.0, *rows["low"]) if len(rows) else 0.0
        ax.set_ylim(lowest - 0.05, 1.16)
        ticks = [-1.0, -0.5, 0.0, 0.25, 0.5, 0.75, 1.0]
        ax.yaxis.set_major_locator(FixedLocator([tick for tick in ticks if tick >= lowest - 0.05]))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _signed(y)))
        _m_axis(ax, rows["m"])
    _label_left(axes, "agreement between repeats\n(Kendall\u2019s tau)")
    return figure


def _shaded(ax: Axes, m: list[float], label: str) -> None:
    ax.axvspan(m[0] / 1.25, m[-1] * 1.25, color=INK, alpha=0.07, lw=0)
    ax.annotate(label, (math.sqrt(m[0] * m[-1]), 1.09), ha="center", va="center", fontsize=7.5)


@_styled
def cost(curves: pd.DataFrame, learners: Learners, titles: Titles) -> Figure:
    """Seconds that one cell takes (all settings tried), against m, log-log.

    Args:
        curves: dataset, learner, m, seconds.
        learners: Order of the legend, and what decides the looks.
        titles: The data sets, in order.
    """
    figure, axes = _panels(titles, learners=learners)
    for dataset, ax in axes.items():
        rows = curves[curves["dataset"] == dataset]
        for name, look, curve in _by_learner(rows, learners):
            _line(ax, curve, "seconds", look, f"{name}:{dataset}:line")
            if curve["m"].max() < rows["m"].max():
                _open_end(ax, curve, "seconds", look, f"{name}:{dataset}:end")
        _log_axis(ax, rows["seconds"].tolist(), plain_number)
        _m_axis(ax, rows["m"])
    _label_left(axes, "seconds")
    _learner_legend(figure, learners)
    return figure


# Panels and axes


def _panels(
    titles: Titles,
    *,
    height: float = 2.75,
    learners: Learners = (),
    legend_rows: int = 0,
    share_y: bool = False,
) -> tuple[Figure, dict[str, Axes]]:
    """One panel per data set, two in a row; with room for a legend of learners, or of some rows."""
    columns = min(2, max(len(titles), 1))
    rows = math.ceil(len(titles) / columns) or 1
    height = min(height, TALLEST / rows - 0.35)
    width = 7.1 if columns > 1 else 4.9 + share_y
    cells, in_a_row = _legend_cells(learners, width), _legend_columns(learners, width)
    legend_rows = legend_rows or len(cells) // in_a_row
    size = (width, rows * (height + 0.35) + 0.2 * legend_rows)
    figure = Figure(figsize=size)
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.08, wspace=0.03, hspace=0.06))
    grid = figure.subplots(rows, columns, squeeze=False, sharey=share_y)
    axes = dict(zip(titles, grid.flat, strict=False))
    for spare in list(grid.flat)[len(titles) :]:
        spare.set_visible(False)
    for dataset, ax in axes.items():
        ax.set_title(clean(titles[dataset]))
    return figure, axes


def _by_learner(rows: pd.DataFrame, learners: Learners) -> Iterator[tuple[str, Look, pd.DataFrame]]:
    """Name, look and rows (by m) of the learners that have any; the networks lie on top."""
    look = looks(learners)
    for learner in sorted(learners, key=lambda learner: learner["rank"]):
        curve = rows[rows["learner"] == learner["name"]].sort_values("m")
        if len(curve):
            yield learner["name"], look[learner["name"]], curve


def _line(ax: Axes, curve: pd.DataFrame, value: str, look: Look, gid: str) -> None:
    ax.plot(curve["m"], curve[value], color=look.colour, ls=look.dash, marker=look.marker, gid=gid)


def _open_end(ax: Axes, curve: pd.DataFrame, value: str, look: Look, gid: str) -> None:
    """A ring around the last point: the curve ends here because it was stopped."""
    last = curve.iloc[-1]
    ax.plot([last["m"]], [last[value]], ls="none", marker="o", ms=9, mfc="none", mew=1.2,
            color=look.colour, gid=gid)  # fmt: skip


def _band(ax: Axes, curve: pd.DataFrame, look: Look, gid: str) -> None:
    ax.fill_between(curve["m"], curve["low"], curve["high"], color=look.colour, alpha=0.14, lw=0,
                    gid=gid)  # fmt: skip


def _near(errors: Sequence[float] | pd.Series[Any], measure: Measure) -> list[float]:
    """The floor, as long as an axis that shows it leaves the curves their room."""
    floor, lowest = measure.floor, min(errors, default=math.nan)
    return [floor] if floor and lowest / floor <= NEAR else []


def _landmarks(ax: Axes, measure: Measure, chance: bool = True) -> None:
    """Lines at the errors of the best possible and the best constant predictions.

    Neither stretches the axis; a floor below it is said in words.
    """
    low, high = ax.get_ylim()
    floor = measure.floor
    if chance and measure.chance is not None and low < measure.chance < high:
        ax.axhline(measure.chance, color=INK, lw=0.8, alpha=0.45)
        _note(ax, f"best constant: {measure.write(measure.chance)}", 0.99, measure.chance)
    if floor is None:
        return
    known = "best possible: at least" if measure.floor_is_bound else "best possible:"
    if low < floor < high:
        ax.axhline(floor, color=INK, lw=1.1, ls=(0, (1, 1.6)))
        _note(ax, f"{known} {measure.write(floor)}", 0.01, floor)
    elif floor <= low:
        _note(ax, f"\u2193 {known} {measure.write(floor)}", 0.01, low)


def _note(ax: Axes, text: str, x: float, y: float) -> None:
    """Small text above the height y, which begins or ends at a fraction x of the axis."""
    ax.annotate(text, (x, y), (0, 3), xycoords=("axes fraction", "data"), fontsize=7.5,
                textcoords="offset points", ha="right" if x > 0.5 else "left")  # fmt: skip


def _m_axis(ax: Axes, m: Sequence[float] | pd.Series[Any]) -> None:
    """A logarithmic axis with the measured m as ticks, some of them labelled."""
    values = sorted(set(m))
    ax.set_xlabel("labelled examples m")
    if not values:
        return
    ax.xaxis.set_gid(scales.SIZES)
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter(NullFormatter())
    labelled = _spread_out(values, at_most=5)
    ax.xaxis.set_major_locator(FixedLocator(labelled))
    ax.xaxis.set_minor_locator(FixedLocator([v for v in values if v not in labelled]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: count(x)))


def _spread_out(values: Sequence[float], at_most: int) -> list[float]:
    """At most so many of the sorted values, no two closer than a fifth of the (log) range."""
    closest = max(math.log(values[-1] / values[0]) / at_most, 1e-9)
    chosen = [values[-1]]
    for value in reversed(values[:-1]):
        if math.log(chosen[-1] / value) > closest * 0.999:
            chosen.append(value)
    return chosen[::-1]


def _error_axis(ax: Axes, errors: Sequence[float], measure: Measure) -> None:
    _log_axis(ax, errors, plain_percent if measure.is_share else plain_number)


def _log_axis(ax: Axes, values: Sequence[float], write: Callable[[float], str]) -> None:
    """A logarithmic axis around the values with round ticks; linear where one of them is zero."""
    known = [value for value in values if math.isfinite(value)] or [1.0]
    low, high = min(known), max(known)
    if low <= 0:
        ax.set_ylim(0, 1.08 * high or 1)
        ax.yaxis.set_major_locator(MaxNLocator(6))
    else:
        ax.set_yscale("log")
        margin = max((high / low) ** 0.07, 1.03)
        low, high = low / margin, high * margin
        ax.set_ylim(low, high)
        ax.yaxis.set_major_locator(FixedLocator(round_ticks(low, high)))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.yaxis.set_minor_locator(FixedLocator([]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: write(y)))


def round_ticks(low: float, high: float, at_least: int = 4) -> list[float]:
    """Round numbers within [low, high], fit for a logarithmic axis: the sparsest set that does."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in TICK_STEPS:
        ticks = [round(step * 10.0**decade, 12) for decade in decades for step in steps]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) >= at_least:
            return inside
    return [float(tick) for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]


def _scaled(value: float, scale: float) -> str:
    return plain_number(round(scale * value, 12))


def _signed(value: float) -> str:
    """An axis number with a real minus sign, and no negative zero."""
    return f"{value:.6g}".replace("-", MINUS) if abs(value) > 1e-9 else "0"


def _label_errors(
    axes: Mapping[str, Axes], measures: Measures, text: str, gaps: bool = False
) -> None:
    """Name the y axis once a row, or in every panel where the data sets' measures differ."""
    same = of_all(measures[dataset] for dataset in axes) if axes else None
    for i, (dataset, ax) in enumerate(axes.items()):
        if i % 2 == 0 or not same:
            measure = measures[dataset]
            unit = measure.gap_suffix if gaps else measure.suffix
            ax.set_ylabel(axis_label(text.format(name=measure.name), unit))


def _value_axis(ax: Axes, sign: str = "") -> None:
    """A linear x axis with as many ticks as there is room for; `sign` follows every number."""
    low, high = ax.get_xlim()
    for most in (5, 4, 3, 2):
        locator = MaxNLocator(most, steps=[1, 2, 5, 10])
        ticks = locator.tick_values(low, high)
        labels = [f"{_signed(x)}{sign}" for x in ticks if low <= x <= high]
        if len("  ".join(labels)) <= AXIS_WIDTH:
            break
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{_signed(x)}{sign}"))


def _label_left(axes: Mapping[str, Axes], label: str) -> None:
    """Name the y axis once a row."""
    for i, ax in enumerate(axes.values()):
        if i % 2 == 0:
            ax.set_ylabel(label)


# Rows of a forest plot


def _rows_height(rows: int) -> float:
    return 0.75 + 0.235 * rows


def _whisker(
    ax: Axes,
    y: float,
    row: pd.Series[Any],
    value: str,
    look: Look,
    gid: str | None,
    filled: bool = True,
    scale: float = 100,
) -> None:
    """An estimate with its interval, in percent unless `scale` says otherwise, if there is one."""
    if not math.isfinite(row[value]):
        return
    ends = [scale * row["low"], scale * row["high"]]
    ax.plot(ends, [y, y], color=look.colour, lw=1.4, gid=gid and f"{gid}:interval")
    face = look.colour if filled else "none"
    ax.plot([scale * row[value]], [y], ls="none", marker=look.marker, ms=5.6, color=look.colour,
            mfc=face, mew=1.2 if not filled else 0, gid=gid and f"{gid}:estimate")  # fmt: skip


def _row_labels(axes: Mapping[str, Axes], labels: list[str]) -> None:
    for ax in axes.values():
        ax.set_yticks(range(len(labels)), labels)
        ax.set_ylim(len(labels) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)


# Legends


def _verdict_handle(verdict: str) -> Line2D:
    marker, filled, _ = VERDICTS[verdict]
    face = INK if filled else "none"
    return Line2D([], [], color=INK, marker=marker, ms=5.6, mfc=face, mew=0 if filled else 1.2)


def _legend_columns(learners: Learners, width: float) -> int:
    """As many as the labels leave room for in a figure that is `width` inches wide."""
    longest = max((len(clean(learner["label"])) for learner in learners), default=1)
    fit = 3 if longest <= 26 else 2 if longest <= 44 else 1
    return fit if width > NARROW else max(fit - 1, 1)


def _legend_cells(learners: Learners, width: float) -> list[Mapping[str, Any] | None]:
    """The learners row by row, each family starting a new one; None is an empty cell."""
    columns = _legend_columns(learners, width)
    cells: list[Mapping[str, Any] | None] = []
    for is_network in (False, True):
        family = [learner for learner in learners if bool(learner["rank"]) is is_network]
        cells += family + [None] * (-len(family) % columns)
    return cells


def _learner_legend(figure: Figure, learners: Learners, lines: bool = True) -> None:
    look, width = looks(learners), figure.get_figwidth()
    handles, labels = [], []
    for cell in _legend_cells(learners, width):
        if cell is None:
            handles.append(Line2D([], [], ls="none"))
            labels.append("")
            continue
        of = look[cell["name"]]
        gid = f"{cell['name']}:legend"
        ls = of.dash if lines else "-"
        handles.append(Line2D([], [], color=of.colour, ls=ls, marker=of.marker, gid=gid))
        labels.append(clean(cell["label"]))
    _legend(figure, handles, labels, _legend_columns(learners, width))


def _legend(figure: Figure, handles: list[Line2D], labels: list[str], columns: int) -> None:
    """A legend below the panels; matplotlib fills it by columns, the cells come by rows.

    A handle whose gid is NAME:legend shows a series NAME alone, when it is pressed in the page.
    """
    rows = math.ceil(len(handles) / columns)
    order = [row * columns + column for column in range(columns) for row in range(rows)]
    order = [i for i in order if i < len(handles)]
    drawn = figure.legend([handles[i] for i in order], [labels[i] for i in order],
                          loc="outside lower center", ncols=columns, columnspacing=1.6,
                          handletextpad=0.6)  # fmt: skip
    for i, handle in zip(order, drawn.legend_handles, strict=True):
        if handle is not None:
            handle.set_gid(handles[i].get_gid())  # which isn't among what a legend copies
