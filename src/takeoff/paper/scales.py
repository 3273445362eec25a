"""What a page needs to read values off a figure: the scales of its panels, as attributes.

A panel's group in the SVG says how its axes tell values: `data-y="log 210 40.5 2 20|%"` puts 2% at
the height 210 and 20% at 40.5, on a logarithmic scale. Where an axis has the sizes m of a curve as
ticks, all of them are listed, and what lies beside one belongs to it. Axes of names, and those
whose labels are no plain numbers, say nothing.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from takeoff.wording import MINUS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

PANEL = "panel-"  # what ids of panels begin with in the SVG
SIZES = "sizes"  # gid of an axis whose ticks are all the m of a figure
LABEL = re.compile(rf"([-{MINUS}]?[\d,]*\.?\d+)([^\d.,]*)")
UNIT = re.compile(r"\(([^()]+)\)$|^(seconds)$")  # in the label of an axis
UNTOLD = "untold"  # ends the gid of marks that stand for a bound, or for no value at all
SCALES = {"log": "log", "linear": "lin"}


def name_panels(figure: Figure) -> None:
    """Give each panel an id that `described` finds again."""
    for i, ax in enumerate(figure.axes):
        ax.set_gid(f"{PANEL}{i}")


def described(svg: str, figure: Figure) -> str:
    """The SVG of a figure with the scales of its panels; call `name_panels` before drawing it."""
    up = ""
    for i, ax in enumerate(figure.axes):
        up = ax.get_ylabel() or up  # panels beside each other share one
        told = _attributes(ax, up)
        svg = svg.replace(f'id="{PANEL}{i}"', f'id="{PANEL}{i}"{told}')
    return svg


def _attributes(ax: Axes, label: str) -> str:
    """What the page reads: a value up the y axis and its m, or else one along the x axis.

    With the sides of the panel (left, top, right and bottom) and its title.
    """
    if not any(line.get_gid() for line in ax.lines):
        return ""  # the page tells values of series alone
    along = _scale(ax, ax.xaxis, ax.get_xlabel())
    up = _scale(ax, ax.yaxis, label)
    has_sizes, has_names = ax.xaxis.get_gid() == SIZES, not up and ax.get_yscale() == "linear"
    if has_names == has_sizes or not (up or has_names):
        along = ""  # neither the m of a value nor, beside names, the value
    if not (along or up):
        return ""
    told = {"box": _sides(ax), "title": ax.get_title("left"), "x": along, "y": up}
    return "".join(f' data-{name}="{html.escape(text)}"' for name, text in told.items() if text)


def _sides(ax: Axes) -> str:
    x, y = ax.get_xlim(), ax.get_ylim()
    across = sorted(_place(ax, ax.xaxis, value) for value in x)
    down = sorted(_place(ax, ax.yaxis, value) for value in y)
    return " ".join(f"{side:.1f}" for side in (across[0], down[0], across[1], down[1]))


def _scale(ax: Axes, axis: Axis, label: str) -> str:
    """Kind of scale, places of the first and the last value, the values, and the unit.

    Places are in points, as in the SVG, from the left and from the top.
    """
    kind = SCALES.get(axis.get_scale())
    ticks = [float(tick) for tick in axis.get_majorticklocs()]
    if axis.get_gid() == SIZES:
        ticks = sorted({*ticks, *map(float, axis.get_minorticklocs())})
        values, unit = ticks, ""
    else:
        values, unit = _labelled(ticks, axis.get_major_formatter().format_ticks(ticks))
        values, unit = [*values[:1], *values[-1:]], unit or _unit(label)
    if kind is None or len(ticks) < 2 or not values:
        return ""
    places = (f"{_place(ax, axis, tick):.4g}" for tick in (ticks[0], ticks[-1]))
    return " ".join([kind, *places, *map(_short, values)]) + f"|{unit}" * bool(unit)


def _unit(label: str) -> str:
    """What stands in brackets at the end of an axis label."""
    found = UNIT.search(label)
    return (found[1] or found[2]) if found else ""


def _labelled(ticks: Sequence[float], labels: Sequence[str]) -> tuple[list[float], str]:
    """The values that the labels tell, and their unit; none if labels aren't the ticks' values."""
    found = [LABEL.fullmatch(label) for label in labels]
    told = [float(one[1].replace(",", "").replace(MINUS, "-")) for one in found if one]
    units = {one[2] for one in found if one}
    if len(told) < len(ticks) or len(units) != 1:
        return [], ""
    for scale in (1, 100):
        if all(math.isclose(scale * tick, value, rel_tol=1e-6, abs_tol=1e-9)
               for tick, value in zip(ticks, told, strict=True)):  # fmt: skip
            return told, units.pop().strip()
    return [], ""


def _place(ax: Axes, axis: Axis, value: float) -> float:
    """Of a value on an axis, in points from the left or from the top."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    across = axis is ax.xaxis
    point = (value, ax.get_ylim()[0]) if across else (ax.get_xlim()[0], value)
    x, y = ax.transData.transform(point) * 72 / figure.dpi
    return float(x if across else 72 * figure.get_figheight() - y)


def _short(value: float) -> str:
    """A number that no later shortening of decimals reaches: 25e-4, not 0.0025."""
    sign, digits, exponent = Decimal(f"{value:.6g}").normalize().as_tuple()
    if isinstance(exponent, int) and exponent < -2:
        return f"{'-' * sign}{''.join(map(str, digits))}e{exponent}"
    return f"{Decimal(f'{value:.6g}').normalize():f}"
