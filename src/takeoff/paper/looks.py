"""How learners look in every figure, and the style that all figures share.

Networks are one family of blues, drawn solid and the stronger the larger the network; traditional
learners have a hue and a dash pattern each. Text is drawn in one colour (`INK`), which a page can
replace by its own; so can the learners' colours, which have a twin for dark pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.colors import LinearSegmentedColormap, to_hex

Learners = Sequence[Mapping[str, Any]]  # as in `Study.ladder`: name, label, family, rank

INK = "#1b1f24"
NETWORKS = ("#56a0d8", "#1f6db3", "#0a2f6b")  # small to large
NETWORKS_DARK = ("#4583b8", "#7db9ee", "#d5eaff")
TRADITIONAL = ("#c8500a", "#00805c", "#a8468c", "#8a6a00", "#6b6b6b", "#b3263a")
TRADITIONAL_DARK = ("#ff9d57", "#3fc79b", "#e48fcb", "#d8b23c", "#b4b4b4", "#ff8591")
DASHES = ("5 1.6", "2.2 1.2", "6 1.4 1.4 1.4", "1.1 1.1", "8 2", "4 1.2 1 1.2 1 1.2")
NETWORK_MARKERS = ("o", "s", "D", "p", "h", "8")
TRADITIONAL_MARKERS = ("^", "v", "P", "X", "<", ">")
STYLE: dict[Any, Any] = {
    # Verdana has the same widths as DejaVu Sans and is there where DejaVu isn't.
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "text.hinting": "none",  # widths as browsers have them
    "font.size": 8.5,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 2.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.16,
    "grid.color": INK,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.4,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.parse_math": False,
    **dict.fromkeys(
        ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), INK
    ),
}


@dataclass(frozen=True)
class Look:
    """How a learner is drawn.

    Attributes:
        colour, dark: On light and on dark pages, as #rrggbb.
        dash: A matplotlib line style.
        marker: A matplotlib marker.
    """

    colour: str
    dark: str
    dash: Any
    marker: str


def looks(learners: Learners) -> dict[str, Look]:
    """The look of every learner, by name; depends on nothing but the list."""
    networks = [learner for learner in learners if learner["rank"]]
    networks.sort(key=lambda network: network["rank"])
    traditional = [learner for learner in learners if not learner["rank"]]
    found = {}
    for i, learner in enumerate(networks):
        shades = (_shade(NETWORKS, i, len(networks)), _shade(NETWORKS_DARK, i, len(networks)))
        found[learner["name"]] = Look(*shades, "-", NETWORK_MARKERS[i % len(NETWORK_MARKERS)])
    for i, learner in enumerate(traditional):
        k = i % len(TRADITIONAL)
        dash = (0, tuple(float(length) for length in DASHES[k].split()))
        look = Look(TRADITIONAL[k], TRADITIONAL_DARK[k], dash, TRADITIONAL_MARKERS[k])
        found[learner["name"]] = look
    return found


def _shade(anchors: Sequence[str], i: int, n: int) -> str:
    """The i-th of n steps from the first anchor to the last; a single one is the last."""
    position = i / (n - 1) if n > 1 else 1.0
    return str(to_hex(LinearSegmentedColormap.from_list("networks", anchors)(position)))
