"""What the paper says and shows of who wins, repeat by repeat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.experiments.rankings import always_wins
from takeoff.paper.fact import Fact, fact, missing, share

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from takeoff.experiments import Findings
    from takeoff.paper.experiments import Drawn
    from takeoff.paper.facts import Results

FILE = "experiments/rankings.json"
LARGEST = 15.0  # size of the mark of one who wins every repeat
EMPTY = 3.0  # of one who wins none
IN_LEGEND = (0.2, 0.6, 1.0)  # shares


def facts(results: Results, findings: Findings) -> Iterator[Fact]:
    """Every number that the text prints."""
    for row in findings.tables["agreement"].to_dict("records"):
        name = f"rankings.{row['dataset']}.{row['m']}"
        source = (FILE, f"agreement: {row['dataset']}, m = {row['m']}")
        ends = (row["low"], row["high"])
        yield fact(f"{name}.w", row["w"], _two_decimals, "Kendall's W", source, ends)
        yield fact(f"{name}.entropy", row["entropy"], _two_decimals, "bits", source)
        yield fact(f"{name}.winners", row["winners"], wording.count, "count", source)
    for dataset, found in findings.decided["datasets"].items():
        yield from _ends(f"rankings.{dataset}", found, (FILE, f"decided: {dataset}"))


def _ends(name: str, found: Mapping[str, Any], source: tuple[str, str]) -> Iterator[Fact]:
    """Of small and of large m, and how they differ."""
    for end in ("few", "many"):
        one = found[end]
        ends = (one["low"], one["high"])
        yield fact(f"{name}.{end}", one["entropy"], _two_decimals, "bits", source)
        yield fact(f"{name}.share_{end}", one["share"], share, "share", source)
        yield fact(f"{name}.w_{end}", one["w"], _two_decimals, "Kendall's W", source, ends)
    change = found["change"]
    ends = (change["low"], change["high"])
    yield fact(f"{name}.change", change["value"], _two_decimals, "bits", source, ends)


def _two_decimals(value: float) -> str:
    return wording.decimal(value, 2)


@dataclass(frozen=True)
class EndView:
    """Small or large m of one data set.

    Attributes:
        often: Who wins most often, as in a sentence; several if they do so equally often.
        always: Whether one learner wins every repeat.
        certain: Whether the repeats agree on the winner at each of these m.
        has_w: Whether Kendall's W is known.
    """

    often: list[str]
    always: bool
    certain: bool
    has_w: bool


@dataclass(frozen=True)
class GroupView:
    """One data set.

    Attributes:
        id: Leads to its facts.
        sizes: Its small and its large m, as the ids of facts spell them.
        few, many: Its small and its large m.
        same: Whether one and the same learner wins most often at both.
        falls: The verdict on whether the winner is easier to guess at large m.
    """

    id: str
    name: str
    title: str
    sizes: list[str]
    few: EndView
    many: EndView
    same: bool
    falls: str


def view(results: Results, findings: Findings) -> list[GroupView]:
    """A `GroupView` of each data set whose small and large m are apart."""
    agreement, count = findings.tables["agreement"], results.study["claims"]["small_m"]
    groups = []
    for dataset, found in findings.decided["datasets"].items():
        rows = agreement[agreement["dataset"] == dataset]
        few, many = found["few"]["often"], found["many"]["often"]
        groups.append(
            GroupView(
                id=f"rankings.{dataset}",
                name=dataset,
                title=wording.clean(results.sheets[dataset]["title"]),
                sizes=[str(m) for m in [*rows["m"].head(count), *rows["m"].tail(count)]],
                few=_end(results, found["few"]),
                many=_end(results, found["many"]),
                same=few == many and len(few) == 1,
                falls=found["change"]["verdict"],
            )
        )
    return groups


def _end(results: Results, found: Mapping[str, Any]) -> EndView:
    return EndView(
        often=[_named(results, name) for name in found["often"]],
        always=always_wins(found),
        certain=found["entropy"] == 0,
        has_w=not missing(found["w"]),
    )


def _named(results: Results, learner: str) -> str:
    return wording.with_article(wording.clean(results.study["learners"][learner]["label"]))


def draw(about: Drawn) -> dict[str, Figure]:
    """A mark for each learner and m, the larger the more repeats it wins."""
    import matplotlib as mpl

    from takeoff.paper.looks import STYLE

    with mpl.rc_context(STYLE):
        return {"rankings_winners": _draw_winners(about)}


def _draw_winners(about: Drawn) -> Figure:
    from matplotlib.lines import Line2D

    from takeoff.paper import figures
    from takeoff.paper.looks import INK, looks

    winners = about.findings.tables["winners"]
    present, titles = set(winners["dataset"]), about.titles
    titles = {name: title for name, title in titles.items() if name in present}
    names = [one["name"] for one in about.learners if one["name"] in set(winners["learner"])]
    labels = {one["name"]: wording.clean(one["label"]) for one in about.learners}
    look = looks(about.learners)
    height = 0.7 + 0.3 * len(names)
    figure, axes = figures._panels(titles, height=height, legend_rows=1, share_y=True)
    for dataset, ax in axes.items():
        own: list[Any] = winners[winners["dataset"] == dataset].to_dict("records")
        own.sort(key=lambda row: names.index(row["learner"]))
        for i, row in enumerate(own):
            mark = _mark(row["share"], look[row["learner"]].colour)
            gid = f"{row['learner']}:{dataset}:{i}"
            ax.plot([row["m"]], [names.index(row["learner"])], **mark, gid=gid)
        figures._m_axis(ax, [row["m"] for row in own])
    figures._row_labels(axes, [labels[name] for name in names])
    handles = [Line2D([], [], **_mark(x, INK)) for x in (0.0, *IN_LEGEND)]
    texts = ["never wins", *(f"wins {share(x)}" for x in IN_LEGEND)]
    figures._legend(figure, handles, texts, columns=len(handles))
    return figure


def _mark(won: float, colour: str) -> dict[str, Any]:
    """A dot whose area is the share that was won; a small ring for none."""
    if won == 0:
        return {
            "marker": "o",
            "ls": "none",
            "color": colour,
            "ms": EMPTY,
            "mfc": "none",
            "mew": 0.7,
        }
    size = max(LARGEST * won**0.5, EMPTY)
    return {"marker": "o", "ls": "none", "color": colour, "ms": size, "mew": 0}
