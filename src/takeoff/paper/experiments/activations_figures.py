"""The figures of the activations: the functions, losses, steps to the target, gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from takeoff.experiments.activations import LABELS, WEIGHTS
from takeoff.paper.figures import _legend, _styled, round_ticks
from takeoff.paper.looks import DASHES, INK, NETWORKS, TRADITIONAL, Look
from takeoff.paper.scales import UNTOLD
from takeoff.wording import plain_number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

WIDTH = 7.1  # inches
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _dash(place: int) -> Any:
    return (0, tuple(float(length) for length in DASHES[place].split()))


LOOKS = {  # the colours are those of learners, which have a twin for dark pages
    "relu": Look(NETWORKS[2], "", "-", "o"),
    "sigmoid": Look(TRADITIONAL[0], "", _dash(0), "^"),
    "tanh": Look(TRADITIONAL[1], "", _dash(1), "v"),
    "gelu": Look(TRADITIONAL[2], "", _dash(2), "P"),
}


@_styled
def slopes(ratios: pd.DataFrame, said: Mapping[str, Any]) -> Figure:
    """The sigmoid and ReLU, their slopes, and beside them the measured ratio of steps.

    Args:
        ratios: `activations.Optimised.ratios`.
        said: What the experiment decided.
    """
    figure = _figure(2.6)
    functions, derivatives, measured = figure.subplots(1, 3, width_ratios=(1, 1, 1.15))
    z = np.linspace(-6, 6, 481)
    sigmoid = 1 / (1 + np.exp(-z))
    for ax, title, relu, other in (
        (functions, "Value", np.maximum(z, 0), sigmoid),
        (derivatives, "Slope", np.where(z > 0, 1.0, 0.0), sigmoid * (1 - sigmoid)),
    ):
        for name, y in (("relu", relu), ("sigmoid", other)):
            ax.plot(z, y, color=LOOKS[name].colour, ls=LOOKS[name].dash, label=LABELS[name])
        ax.set_title(title)
        ax.set_xlabel("what goes in, z")
    functions.set_ylim(-0.15, 2.3)
    derivatives.set_ylim(-0.07, 1.2)
    derivatives.annotate("never above ¼", (0.6, 0.25), (2, 3), textcoords="offset points",
                         fontsize=7.5)  # fmt: skip
    functions.legend(loc="upper left", handlelength=2.2)
    _ratios(measured, ratios, said)
    return figure


def _ratios(ax: Axes, ratios: pd.DataFrame, said: Mapping[str, Any]) -> None:
    """Ratio of steps against depth, sigmoid to ReLU, with either kind of weights."""
    rows = ratios[(ratios["activation"] == "sigmoid") & (ratios["share"] == said["target"])]
    kinds = said["initialisations"]
    for i, kind in enumerate(kinds):
        own = rows[(rows["initialisation"] == kind) & rows["ratio"].notna()].sort_values("depth")
        aside = 1.07 ** (i - (len(kinds) - 1) / 2)
        filled = kind == "default"
        for row in own.to_dict("records"):
            x = row["depth"] * aside
            ax.plot([x, x], [row["low"], row["high"]], color=INK, lw=1.2)
            if row["bound"] == "least":
                ax.annotate("", (x, row["high"] * 1.28), (x, row["high"]),
                            arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.0})  # fmt: skip
        look: dict[str, Any] = {"marker": "s" if filled else "o", "mfc": INK if filled else "none"}
        ax.plot(own["depth"] * aside, own["ratio"], color=INK, lw=0.9, ls="-" if filled else ":",
                ms=5, label=WEIGHTS[kind], **look)  # fmt: skip
    ax.axhline(1, color=INK, lw=0.7)
    ax.set_title("Measured", pad=6)
    ax.set_ylabel("steps, sigmoid to ReLU")
    ax.set_yscale("log")
    known = rows[["low", "high"]].to_numpy()
    known = known[np.isfinite(known)]
    low, high = min([1.0, *known]) / 1.1, max([2.0, *known]) * 2.6
    ax.set_ylim(low, high)
    _round(ax, low, high)
    _depth_axis(ax, said["depths"])
    ax.legend(loc="upper left", handlelength=2.2)


@_styled
def losses(curves: pd.DataFrame, said: Mapping[str, Any]) -> Figure:
    """Loss against steps: a panel for each depth and kind of weights.

    Args:
        curves: `activations.Optimised.losses`.
        said: What the experiment decided.
    """
    kinds, depths = said["initialisations"], said["depths"]
    figure = _figure(0.75 + 1.75 * len(kinds))
    grid = figure.subplots(len(kinds), len(depths), squeeze=False, sharex=True, sharey=True)
    for i, kind in enumerate(kinds):
        for j, depth in enumerate(depths):
            ax = grid[i, j]
            own = curves[(curves["initialisation"] == kind) & (curves["depth"] == depth)]
            for name in said["activations"]:
                curve = own[(own["activation"] == name) & (own["step"] > 0)].sort_values("step")
                look = LOOKS[name]
                gid = f"{name}:{kind}:{depth}"
                ax.plot(curve["step"], curve["loss"], color=look.colour, ls=look.dash, lw=1.4,
                        gid=f"{gid}:line")  # fmt: skip
                ax.fill_between(curve["step"], curve["low"], curve["high"], color=look.colour,
                                alpha=0.14, lw=0, gid=f"{gid}:band")  # fmt: skip
            ax.axhline(said["goal"], color=INK, lw=0.9, ls=(0, (1, 1.6)))
            if i == 0:
                ax.set_title(_layers(depth))
            if j == 0:
                ax.set_ylabel(f"{WEIGHTS[kind]}\nloss")
            if i == len(kinds) - 1:
                ax.set_xlabel("steps")
    ax = grid[0, 0]
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(10))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain_number(x)))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_ylim(0, 1.25 * said["chance"])
    _activation_legend(figure, said, markers=False)
    return figure


@_styled
def steps(runs: pd.DataFrame, networks: pd.DataFrame, said: Mapping[str, Any]) -> Figure:
    """Steps to the target of every run, and their geometric mean; what never arrived on top.

    Args:
        runs: `activations.Optimised.runs`.
        networks: `activations.Optimised.networks`.
        said: What the experiment decided.
    """
    kinds = said["initialisations"]
    figure = _figure(3.5)
    grid = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    for ax, kind in zip(grid, kinds, strict=True):
        ax.set_title(WEIGHTS[kind][:1].upper() + WEIGHTS[kind][1:])
        for i, depth in enumerate(said["depths"]):
            for k, name in enumerate(said["activations"]):
                x = i + 0.19 * (k - (len(said["activations"]) - 1) / 2)
                here = (runs["initialisation"] == kind) & (runs["depth"] == depth)
                own = runs[here & (runs["activation"] == name)]
                _arrivals(ax, x, own, LOOKS[name], said, f"{name}:{kind}:{depth}")
        ax.axhline(said["steps"], color=INK, lw=0.9, ls=(0, (4, 2)))
        ax.set_xticks(range(len(said["depths"])), [str(depth) for depth in said["depths"]])
        ax.set_xlim(-0.5, len(said["depths"]) - 0.5)
        ax.set_xlabel("hidden layers")
        ax.grid(axis="x", visible=False)
    ax = grid[0]
    ax.set_yscale("log")
    low, high = 0.8 * min([said["steps"], *runs["step"].dropna()]), 1.75 * said["steps"]
    ax.set_ylim(low, high)
    _round(ax, low, said["steps"])
    ax.set_ylabel("steps to the target")
    _activation_legend(figure, said)
    return figure


def _arrivals(
    ax: Axes, x: float, runs: pd.DataFrame, look: Look, said: Mapping[str, Any], gid: str
) -> None:
    """One network: a small mark for each run that arrived; how many did not."""
    there = runs["step"].dropna()
    ax.plot([x] * len(there), there, ls="none", marker=look.marker, ms=3.2, mfc="none", mew=0.8,
            color=look.colour, alpha=0.75, gid=f"{gid}:runs")  # fmt: skip
    if len(there) == len(runs) and len(runs):
        mean = math.exp(float(np.log(there.clip(lower=1)).mean()))
        ax.plot([x - 0.085, x + 0.085], [mean, mean], color=look.colour, lw=2.4,
                gid=f"{gid}:mean")  # fmt: skip
    elif len(runs):
        ax.plot([x], [1.2 * said["steps"]], ls="none", marker=look.marker, ms=5, mfc="none",
                mew=1.2, color=look.colour, gid=f"{gid}:{UNTOLD}")  # fmt: skip
        ax.annotate(str(len(runs) - len(there)), (x, 1.2 * said["steps"]), (0, 5), ha="center",
                    textcoords="offset points", fontsize=7, color=INK)  # fmt: skip


@_styled
def gradients(layers: pd.DataFrame, said: Mapping[str, Any]) -> Figure:
    """Norm of the gradient by each layer's weights, and the share of flat slopes, by layer.

    The deepest networks, with ReLU and with the sigmoid: before training, halfway through the
    evaluations that were looked at, and at the end.

    Args:
        layers: `activations.Optimised.layers`.
        said: What the experiment decided.
    """
    kinds, deepest = said["initialisations"], max(said["depths"])
    figure = _figure(4.9)
    grid = figure.subplots(2, len(kinds), squeeze=False, sharex=True, sharey="row")
    rows = layers[layers["depth"] == deepest]
    at = sorted(set(rows["step"]))
    chosen = [at[0], at[len(at) // 2], at[-1]]
    for column, kind in enumerate(kinds):
        for name in ("relu", "sigmoid"):
            here = (rows["initialisation"] == kind) & (rows["activation"] == name)
            gid = f"{name}:{kind}"
            _through_training(list(grid[:, column]), rows[here], LOOKS[name], chosen, gid)
        grid[0, column].set_title(WEIGHTS[kind][:1].upper() + WEIGHTS[kind][1:])
        grid[1, column].set_xlabel("layer, from the input on")
        grid[1, column].set_xticks(range(1, deepest + 2))
    top, bottom = grid[0, 0], grid[1, 0]
    top.set_yscale("log")
    top.yaxis.set_major_formatter(FuncFormatter(_power))
    top.yaxis.set_minor_formatter(NullFormatter())
    top.set_ylabel("norm of the gradient")
    bottom.set_ylim(-3, 103)
    bottom.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.0f}%"))
    bottom.set_ylabel("flat slopes")
    handles = [
        Line2D(
            [],
            [],
            color=LOOKS[name].colour,
            ls=LOOKS[name].dash,
            marker=LOOKS[name].marker,
            gid=f"{name}:legend",
        )
        for name in ("relu", "sigmoid")
    ] + [Line2D([], [], color=INK, ls="none", marker="s", ms=5, **fill) for fill in FILLS]
    when = ["before the first step", *(f"after {plain_number(step)} steps" for step in chosen[1:])]
    _legend(figure, handles, [LABELS["relu"], LABELS["sigmoid"], *when], columns=5)
    return figure


FILLS: Sequence[dict[str, Any]] = (  # of marks: before, halfway, at the end
    {"mew": 0.0},
    {"fillstyle": "left", "mew": 0.9, "markerfacecoloralt": "none"},
    {"mfc": "none", "mew": 1.1},
)
WIDTHS = (1.6, 1.1, 0.8)


def _through_training(
    axes: Sequence[Axes], rows: pd.DataFrame, look: Look, chosen: Sequence[int], gid: str
) -> None:
    for step, fill, width in zip(chosen, FILLS, WIDTHS, strict=True):
        own = rows[rows["step"] == step].sort_values("layer")
        gradient = own["gradient"].where(own["gradient"] > 0)
        style = {"color": look.colour, "ls": look.dash, "marker": look.marker, "lw": width, **fill}
        axes[0].plot(own["layer"], gradient, gid=f"{gid}:{step}:gradient", **style)
        axes[1].plot(own["layer"], 100 * own["flat"], gid=f"{gid}:{step}:flat", **style)


# What they share


def _figure(height: float) -> Figure:
    figure = Figure(figsize=(WIDTH, height))
    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=0.06, wspace=0.03, hspace=0.05))
    return figure


def _layers(depth: int) -> str:
    return f"{depth} hidden layer{'s' * (depth > 1)}"


def _depth_axis(ax: Axes, depths: Sequence[int]) -> None:
    ax.set_xscale("log")
    ax.set_xlim(min(depths) / 1.3, max(depths) * 1.3)
    ax.xaxis.set_major_locator(FixedLocator(list(depths)))
    ax.xaxis.set_minor_locator(FixedLocator([]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: plain_number(x)))
    ax.set_xlabel("hidden layers")


def _round(ax: Axes, low: float, high: float) -> None:
    ax.yaxis.set_major_locator(FixedLocator(round_ticks(low, high)))
    ax.yaxis.set_minor_locator(FixedLocator([]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: plain_number(y)))


def _power(value: float, _: Any) -> str:
    """A power of ten: 10⁻³."""
    exponent = round(math.log10(value))
    return f"10{str(exponent).translate(RAISED)}"


def _activation_legend(figure: Figure, said: Mapping[str, Any], markers: bool = True) -> None:
    names = said["activations"]
    handles = [
        Line2D([], [], color=LOOKS[name].colour, ls="none" if markers else LOOKS[name].dash,
               marker=LOOKS[name].marker if markers else None, ms=5, mfc="none", mew=1.1,
               gid=f"{name}:legend")
        for name in names
    ]  # fmt: skip
    labels = [LABELS[name] for name in names]
    if markers:
        handles.append(Line2D([], [], color=INK, lw=2.4))
        labels.append("geometric mean")
    else:
        handles.append(Line2D([], [], color=INK, lw=0.9, ls=(0, (1, 1.6))))
        labels.append("target")
    _legend(figure, handles, labels, columns=len(labels))
