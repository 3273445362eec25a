"""The figures of network sizes: errors in a grid, gains of either lever, budgets."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from takeoff.experiments.size_surface import FARTHEST
from takeoff.measures import Measure, axis_label
from takeoff.paper.figures import (
    _legend,
    _log_axis,
    _signed,
    _styled,
)
from takeoff.paper.looks import INK, NETWORK_MARKERS, NETWORKS
from takeoff.wording import count, plain_number, plain_percent

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDTH = 7.1  # inches
SHADES = LinearSegmentedColormap.from_list("errors", ("#f7fafc", "#a9cbe6", "#4f8fc4"))
DARK = "#10151b"  # on the shades, which are light on dark pages too
STYLES: Sequence[Any] = ("-", (0, (5, 1.6)), (0, (1.4, 1.2)), (0, (6, 1.4, 1.2, 1.4)), (0, (9, 3)))
COLOURS = (*NETWORKS, INK)  # those of learners and of text, which have twins on dark pages
SHOWN = len(COLOURS)  # networks, or m, with a line of their own


def _written(measure: Measure, error: float) -> str:
    return plain_percent(error) if measure.is_share else plain_number(error)


# Errors


@_styled
def errors(cells: pd.DataFrame, said: Mapping[str, Any], measure: Measure) -> Figure:
    """The mean error of every cell, and lines between those above and below round errors.

    Args:
        cells: `Grid.errors_table`.
        said: What the experiment decided.
        measure: What the data set is judged by.
    """
    names = said["networks"]
    table = cells.pivot(index="network", columns="m", values="error").loc[names]
    figure = _figure(6.2, 1.0 + 0.37 * len(names))
    ax = figure.subplots()
    shade = np.log(np.maximum(table.to_numpy(), 1e-12))
    ax.pcolormesh(shade, cmap=SHADES, edgecolors="white", lw=0.6)
    for row in cells.to_dict("records"):
        x = said["m"].index(row["m"]) + 0.5
        y = names.index(row["network"]) + 0.5
        ends = [measure.write(measure.cut(row[end]), row["error"]) for end in ("low", "high")]
        ax.text(x, y + 0.13, measure.write(row["error"]), ha="center", va="center", color=DARK,
                fontsize=8.5)  # fmt: skip
        ax.text(x, y - 0.24, " to ".join(ends), ha="center", va="center", color=DARK,
                fontsize=6.3)  # fmt: skip
    for level, style in zip(said["levels"], itertools.cycle(STYLES), strict=False):
        for xs, ys in edges(table.to_numpy(), level):
            ax.plot(xs, ys, color=DARK, lw=1.9, ls=style, solid_capstyle="projecting")
    sizes = cells.drop_duplicates("network").set_index("network")["parameters"]
    labels = [
        f"{label}  ({count(sizes[name])})"
        for name, label in zip(names, said["labels"], strict=True)
    ]
    ax.set_yticks(np.arange(len(names)) + 0.5, labels)
    ax.set_xticks(np.arange(len(said["m"])) + 0.5, [count(m) for m in said["m"]])
    ax.set_xlabel("labelled examples m")
    ax.set_ylabel("hidden layers (parameters)")
    ax.tick_params(length=0)
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    handles = [
        Line2D([], [], color=INK, lw=1.9, ls=style)
        for _, style in zip(said["levels"], itertools.cycle(STYLES), strict=False)
    ]
    shown = [f"{_written(measure, level)}" for level in said["levels"]]
    if handles:
        _legend(figure, handles, shown, columns=len(handles))
    return figure


def edges(errors: Any, level: float) -> Iterator[tuple[list[float], list[float]]]:
    """The edges between cells [S, M] of which one is above a level and the other isn't.

    Edges that go on straight are joined, so that a dashed line stays one.
    """
    above = np.asarray(errors) > level
    rows, columns = above.shape
    for x in range(1, columns):
        for start, end in _runs(above[:, x - 1] != above[:, x]):
            yield [x, x], [start, end]
    for y in range(1, rows):
        for start, end in _runs(above[y - 1] != above[y]):
            yield [start, end], [y, y]


def _runs(marked: Any) -> Iterator[tuple[int, int]]:
    """Start and end of each stretch of marked places."""
    padded = np.concatenate([[False], marked, [False]])
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    yield from zip(changes[::2].tolist(), changes[1::2].tolist(), strict=True)


# Gains


@_styled
def gains(table: pd.DataFrame, said: Mapping[str, Any], measure: Measure) -> Figure:
    """What a doubling of each lever removed of the error, on the way from cell to cell.

    Left: of the labels, a line for some of the networks. Right: of the parameters, along a chain of
    networks each of which has at least twice the parameters of the one before, a line for each m.

    Args:
        table: `size_surface.gains`.
        said: What the experiment decided.
        measure: What the data set is judged by.
    """
    figure = _figure(WIDTH, 3.3)
    left, right = figure.subplots(1, 2, sharey=True)
    known = table[table["measured"].notna()]
    networks = _some(said["networks"])
    label = dict(zip(said["networks"], said["labels"], strict=True))
    for i, name in enumerate(networks):
        own = known[(known["lever"] == "labels") & (known["network"] == name)].sort_values("m")
        x = np.sqrt(own["m"] * own["to_m"].astype(float)) * 1.06 ** (i - (len(networks) - 1) / 2)
        _line(left, x, own, i, label[name])
    chain = _chain(known, said["networks"][0])
    every_m = _some(said["m"])
    for i, m in enumerate(every_m):
        own = known[(known["lever"] == "network") & (known["m"] == m)]
        own = own[own["network"].isin(chain)].sort_values("parameters")
        x = np.sqrt(own["parameters"] * own["to_parameters"].astype(float))
        x = x * 1.1 ** (i - (len(every_m) - 1) / 2)
        _line(right, x, own, i, f"m = {count(m)}")
    left.set_xlabel("labelled examples m")
    right.set_xlabel("parameters")
    left.set_title("Twice the labels")
    right.set_title("Twice the parameters")
    left.set_ylabel(axis_label(f"{measure.name} removed", "%"))
    for ax in (left, right):
        ax.set_xscale("log")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: count(x)))
        ax.axhline(0, color=INK, lw=0.7)
        ax.axhline(100 * said["margin"], color=INK, lw=1, ls=(0, (4, 2)))
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.22), ncols=2, handlelength=2.2)
    left.annotate(f"margin {plain_percent(said['margin'])}", (0.99, 100 * said["margin"]), (0, -3),
                  xycoords=("axes fraction", "data"), textcoords="offset points", fontsize=7.5,
                  ha="right", va="top")  # fmt: skip
    left.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    left.yaxis.set_major_formatter(FuncFormatter(lambda y, _: _signed(y)))
    return figure


def _line(ax: Axes, x: Any, own: pd.DataFrame, i: int, label: str) -> None:
    """Estimates of one line with their intervals."""
    colour = COLOURS[i % len(COLOURS)]
    low, high = 100 * own["low"], 100 * own["high"]
    ax.vlines(x, low, high, color=colour, lw=1.0, alpha=0.8)
    ax.plot(x, 100 * own["measured"], color=colour, ls=STYLES[i % len(STYLES)], lw=1.3, ms=4.6,
            marker=NETWORK_MARKERS[i % len(NETWORK_MARKERS)], label=label)  # fmt: skip


def _some(items: Sequence[Any]) -> list[Any]:
    """At most so many of them as lines can be told apart, the ends among them."""
    places = np.linspace(0, len(items) - 1, min(SHOWN, len(items))).round().astype(int)
    return [items[place] for place in dict.fromkeys(places.tolist())]


def _chain(known: pd.DataFrame, first: str) -> list[str]:
    """From the smallest network on, the next larger ones."""
    steps = known[known["lever"] == "network"].drop_duplicates("network").set_index("network")
    by_size = {row["parameters"]: str(name) for name, row in steps.iterrows()}
    chain = [first]
    while chain[-1] in steps.index:
        following = by_size.get(steps.loc[chain[-1], "to_parameters"])
        if following is None:
            break
        chain.append(following)
    return chain


# Budgets


@_styled
def budgets(
    tables: Mapping[str, pd.DataFrame | None], said: Mapping[str, Any], measure: Measure
) -> Figure:
    """Left: networks and labels, lines of equal error, the frontier. Right: error by budget.

    Args:
        tables: errors, and where there is a surface, frontier and lines.
        said: What the experiment decided.
        measure: What the data set is judged by.
    """
    figure = _figure(WIDTH, 3.5)
    left, right = figure.subplots(1, 2)
    cells, frontier, lines = (tables[name] for name in ("errors", "frontier", "lines"))
    assert cells is not None
    _map(left, cells, frontier, lines, said, measure)
    _errors_by_budget(right, cells, frontier, said, measure)
    handles = [
        Line2D([], [], color=INK, marker="o", ms=3.6, ls="none"),
        Line2D([], [], color=NETWORKS[2], lw=2.0),
        Line2D([], [], color=NETWORKS[2], lw=1.6, ls=STYLES[1]),
        Line2D([], [], color=INK, lw=0.9),
    ]
    labels = ["measured", "best for its budget", "the same, beyond what was measured",
              "equal error"]  # fmt: skip
    _legend(figure, handles, labels, columns=4)
    return figure


def _map(
    ax: Axes,
    cells: pd.DataFrame,
    frontier: pd.DataFrame | None,
    lines: pd.DataFrame | None,
    said: Mapping[str, Any],
    measure: Measure,
) -> None:
    n = sorted(set(cells["parameters"]))
    ax.plot(cells["m"], cells["parameters"], ls="none", marker="o", ms=3.6, color=INK)
    ax.set_yscale("log")
    ax.set_xscale("log")
    ax.set_xlim(said["m"][0] / 1.4, FARTHEST * said["m"][-1])
    ax.set_ylim(n[0] / 2.2, 2.2 * n[-1])
    for level in said["levels"] if lines is not None else ():
        assert lines is not None
        own = lines[lines["error"] == level]
        ax.plot(own["m"], own["parameters"], color=INK, lw=0.9, gid=f"size:{level}:line")
        top = own[own["parameters"] < 1.9 * n[-1]]
        if len(top):
            end = top.iloc[-1]
            ax.annotate(_written(measure, level), (end["m"], end["parameters"]), (3, 0),
                        textcoords="offset points", fontsize=7.5, va="center")  # fmt: skip
    if frontier is not None:
        stated = frontier[~frontier["status"].str.startswith("not")]
        _path(ax, stated, "m", "parameters")
    ax.set_xlabel("labelled examples m")
    ax.set_ylabel("parameters")
    _plain(ax, "x")
    _plain(ax, "y")


def _path(ax: Axes, rows: pd.DataFrame, x: str, y: str) -> None:
    """The frontier: solid where it was measured, dashed beyond."""
    inside = rows["status"] == "measured range"
    last = rows.index[inside].max() if inside.any() else -1
    ax.plot(rows[x], rows[y], color=NETWORKS[2], lw=1.6, ls=STYLES[1])
    known = rows[inside | (rows.index == last)]
    ax.plot(known[x], known[y], color=NETWORKS[2], lw=2.2)


def _errors_by_budget(
    ax: Axes,
    cells: pd.DataFrame,
    frontier: pd.DataFrame | None,
    said: Mapping[str, Any],
    measure: Measure,
) -> None:
    money = said["unit"] == "money"
    ax.plot(cells["money" if money else "flops"], cells["error"], ls="none", marker="o", ms=3.6,
            color=INK)  # fmt: skip
    shown = [*cells["error"]]
    if frontier is not None:
        stated = frontier[~frontier["status"].str.startswith("not")]
        ax.fill_between(stated["budget"], stated["error_low"], stated["error_high"],
                        color=NETWORKS[2], alpha=0.14, lw=0)  # fmt: skip
        _path(ax, stated, "budget", "error")
        shown += [*stated["error_low"], *stated["error_high"]]
    ax.set_xscale("log")
    _log_axis(ax, shown, plain_percent if measure.is_share else plain_number)
    currency = said["prices"]["currency"]
    ax.set_xlabel(f"cost of one network and its labels ({currency})" if money
                  else "floating-point operations of one run")  # fmt: skip
    ax.set_ylabel(axis_label(measure.name, measure.suffix))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_major_formatter(FuncFormatter(_power))


def _power(value: float, _: int) -> str:
    """1,000, and 10⁶ where that is shorter."""
    if value <= 0:
        return "0"
    exponent = round(math.log10(value))
    if abs(exponent) < 5:
        return plain_number(value)
    return "10" + str(exponent).translate(RAISED)


RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _plain(ax: Axes, axis: str) -> None:
    """A logarithmic axis with whole numbers at the decades."""
    of = ax.xaxis if axis == "x" else ax.yaxis
    low, high = ax.get_xlim() if axis == "x" else ax.get_ylim()
    decades = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    of.set_major_locator(FixedLocator([10.0**decade for decade in decades]))
    of.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    of.set_minor_formatter(NullFormatter())


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height))
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.08, wspace=0.03, hspace=0.06))
    return figure
