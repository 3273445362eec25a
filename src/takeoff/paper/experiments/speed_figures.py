"""The figures of the experiment `speed`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from takeoff.paper import figures
from takeoff.paper.figures import round_ticks
from takeoff.paper.looks import INK, STYLE, Learners, looks
from takeoff.wording import clean, count, plain_number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

DAY = 86_400.0
LANDMARKS = {600.0: "ten minutes", DAY: "a day", 30 * DAY: "a month"}
SPANS = {  # that the axis of times is labelled with
    0.001: "1 ms", 0.01: "10 ms", 0.1: "0.1 s", 1.0: "1 s", 10.0: "10 s", 60.0: "1 min",
    600.0: "10 min", 3600.0: "1 h", DAY: "1 d", 10 * DAY: "10 d",
    100 * DAY: "100 d", 1000 * DAY: "1,000 d",
}  # fmt: skip
ROOM = 12  # for labels at the ends of lines, as a factor of m
AHEAD = "4.5 2"  # dashes of what is projected


def iteration_time(times: pd.DataFrame, learners: Learners, largest: str, unit: str) -> Figure:
    """Time of a tuned run against m, measured and projected, with the lecture's three spans.

    Args:
        times: learner, times, m, seconds, low, high, projected.
        learners: What decides the looks.
        largest: The network that is also shown with many times its weights.
        unit: Of the machine, that one run takes: core or device.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(7.1, 4.3))
        figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.08))
        ax = figure.subplots()
        _network_lines(ax, times, learners)
        _wider_lines(ax, times, looks(learners)[largest].colour)
        _time_axes(ax, times)
        ax.set_ylabel(f"time of a tuned run on one {unit}")
        _landmarks(ax)
        _legend(figure, times, learners)
        return figure


def _network_lines(ax: Axes, times: pd.DataFrame, learners: Learners) -> None:
    look = looks(learners)
    for name, rows in times[times["times"] == 0].groupby("learner", sort=False):
        of = look[str(name)]
        for projected, some in rows.groupby("projected"):
            style = {"ls": (0, _dash(AHEAD))} if projected else {"ls": "-", "marker": of.marker}
            gid = f"{name}:{'projected' if projected else 'line'}"
            ax.plot(some["m"], some["seconds"], color=of.colour, gid=gid, **style)
            ax.fill_between(
                some["m"], some["low"], some["high"], color=of.colour, alpha=0.14, lw=0,
                gid=f"{gid}:band",
            )  # fmt: skip


def _wider_lines(ax: Axes, times: pd.DataFrame, colour: str) -> None:
    for wider, some in times[times["times"] > 0].groupby("times"):
        ax.plot(some["m"], some["seconds"], color=colour, ls=(0, _dash("1.2 1.4")), gid=f"x{wider}")
        ax.fill_between(some["m"], some["low"], some["high"], color=colour, alpha=0.1, lw=0)
        last = some.iloc[-1]
        text = f"{count(float(str(wider)))}\u00d7 the weights"
        ax.annotate(text, (last["m"], last["seconds"]), (5, 0), fontsize=7.5, ha="left",
                    va="center", textcoords="offset points")  # fmt: skip


def _time_axes(ax: Axes, times: pd.DataFrame) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    low, high = times["seconds"].min() / 1.8, max(times["high"].max(), 30 * DAY) * 2.2
    ax.set_ylim(low, high)
    shown = [span for span in SPANS if low <= span <= high]
    ax.yaxis.set_major_locator(FixedLocator(shown))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: SPANS.get(y, "")))
    ticks = round_ticks(times["m"].min(), times["m"].max())
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: count(x)))
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_minor_formatter(NullFormatter())
        axis.set_minor_locator(FixedLocator([]))
    ax.set_xlim(times["m"].min() / 1.5, times["m"].max() * ROOM)
    ax.set_xlabel("labelled examples m")
    _runs_a_day(ax, low, high)


def _runs_a_day(ax: Axes, low: float, high: float) -> None:
    """The same axis read the other way: how many ideas a day."""
    right = ax.secondary_yaxis("right", functions=(_in_a_day, _in_a_day))
    right.set_ylabel("tuned runs a day")
    ticks = [10.0**k for k in range(-3, 9) if low <= DAY / 10.0**k <= high]
    right.yaxis.set_major_locator(FixedLocator(ticks))
    right.yaxis.set_major_formatter(FuncFormatter(lambda n, _: plain_number(round(n, 9))))
    right.yaxis.set_minor_locator(FixedLocator([]))
    right.spines["right"].set_visible(True)


def _in_a_day(span: Any) -> Any:
    """Seconds a run -> runs a day, and back; matplotlib asks for what 0 would be, too."""
    return DAY / np.maximum(span, 1e-12)


def _landmarks(ax: Axes) -> None:
    for seconds, text in LANDMARKS.items():
        ax.axhline(seconds, color=INK, lw=0.9, alpha=0.65)
        ax.annotate(text, (0.01, seconds), (0, 3), xycoords=("axes fraction", "data"),
                    textcoords="offset points", fontsize=8)  # fmt: skip


def _legend(figure: Figure, times: pd.DataFrame, learners: Learners) -> None:
    look, drawn = looks(learners), set(times["learner"])
    handles, labels = [], []
    for learner in sorted(learners, key=lambda one: int(one["rank"])):
        if learner["name"] in drawn:
            of = look[learner["name"]]
            gid = f"{learner['name']}:legend"
            handles.append(Line2D([], [], color=of.colour, ls="-", marker=of.marker, gid=gid))
            labels.append(clean(learner["label"]))
    handles.append(Line2D([], [], color=INK, ls=(0, _dash(AHEAD))))
    labels.append("projected")
    figures._legend(figure, handles, labels, columns=4)


def measures(ways: pd.DataFrame, labels: Mapping[str, str], factor: float) -> Figure:
    """How many times as many tuned runs a day each way of computing gives.

    Args:
        ways: way, factor, low, high.
        labels: Of the ways.
        factor: That the claim asks for.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(6.2, 0.75 + 0.33 * max(len(ways), 1)))
        figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.08))
        ax = figure.subplots()
        for y, row in enumerate(ways.to_dict("records")):
            ax.plot([row["low"], row["high"]], [y, y], color=INK, lw=1.4)
            ax.plot([row["factor"]], [y], ls="none", marker="o", ms=5.6, color=INK)
        ax.axvline(factor, color=INK, lw=0.9, ls=(0, (4, 2)))
        ax.set_xscale("log")
        low, high = 0.85, max([factor, *ways["high"]]) * 1.15
        low = min([low, *(ways["low"] / 1.15)])
        ax.set_xlim(low, high)
        ax.xaxis.set_major_locator(FixedLocator(round_ticks(low, high)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain_number(x)))
        ax.xaxis.set_minor_locator(FixedLocator([]))
        ax.set_xlabel("tuned runs a day, as a multiple of the first row")
        ax.set_yticks(range(len(ways)), [labels[way] for way in ways["way"]])
        ax.set_ylim(len(ways) - 0.4, -0.6)
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)
        return figure


def _dash(text: str) -> tuple[float, ...]:
    return tuple(float(length) for length in text.split())
