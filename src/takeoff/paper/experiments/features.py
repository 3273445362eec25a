"""What the paper says and shows of hand-made features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.paper.fact import Fact, about, fact, in_points, missing, of_gap

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path as MplPath

    from takeoff.experiments import Findings
    from takeoff.paper.experiments import Drawn
    from takeoff.paper.facts import Results
    from takeoff.paper.looks import Look

FILE = "experiments/features.json"
SIGNS = {"at least": "≥", "at most": "≤", "": ""}
BOUNDS = {"at least": 1, "at most": -1}  # where what a bound leaves open lies: above, below
ARROW = ((0, -1), (0, 1), (-0.5, 0.3), (0, 1), (0.5, 0.3))  # shaft and head, pointing up
ROOM = 1.4  # that an arrow needs, as a factor
BEYOND = 9  # points from a bound's mark to the middle of its arrow
ENDS = ("overtaken", "expected", "reversed", "never", "useless", "open", "")  # `PairView.end`
FROM_A_LOG = {"ad_click"}  # data sets whose hand-made features know labels that m doesn't count


# Facts


def facts(results: Results, findings: Findings) -> Iterator[Fact]:
    """Every number that the text prints."""
    count = findings.tables["worth"]["raw"].nunique()
    yield fact("features.n_learners", count, wording.count, "count", (FILE, "worth: raw"))
    for row in findings.tables["worth"].to_dict("records"):
        source = (FILE, f"worth: {row['dataset']}, {row['hand_made']}, m = {row['m']}")
        ends = (row["low"], row["high"])
        yield fact(f"{_id(row)}.worth.{row['m']}", row["factor"], _times, "multiple", source, ends)
    for row in findings.tables["stops"].to_dict("records"):
        source = (FILE, f"stops: {row['dataset']}, {row['hand_made']}")
        ends = (row["low"], row["high"])
        yield fact(f"{_id(row)}.stops", row["m"], about, "labelled examples", source, ends)
    for row in findings.tables["rivals"].to_dict("records"):
        source = (FILE, f"rivals: {row['dataset']}")
        name = f"features.{row['dataset']}.{row['hand_made']}.rival"
        measure, ends = results.measures[row["dataset"]], (row["low"], row["high"])
        gap = of_gap(name, row["difference"], measure, source, ends)
        yield in_points(gap, measure)


def _id(row: Mapping[Any, Any]) -> str:
    return f"features.{row['dataset']}.{row['raw']}"


def _times(factor: float) -> str:
    """A multiple, in two digits."""
    return wording.decimal(factor, wording.significant(factor, 2, most=2))


# What templates see


@dataclass(frozen=True)
class WorthView:
    """What features are worth at one m: the id of the fact, and what of a bound it is."""

    id: str
    sign: str
    is_open: bool


@dataclass(frozen=True)
class PairView:
    """A learner on both kinds of features.

    Attributes:
        id: Leads to its facts.
        raw, named: The learner's label, as in tables and as in a sentence.
        few, many: Its worth at the smallest and the largest m.
        stops: "crosses", "none" or "undecided"; or "" where it isn't known.
        ahead: Whether that is beyond the measured m.
        after: Which features are better behind a crossing, or throughout.
        title: Of the data set.
    """

    id: str
    raw: str
    named: str
    few: WorthView
    many: WorthView
    stops: str
    ahead: bool
    after: str
    title: str

    @property
    def end(self) -> str:
        """How hand-made features come to stop paying: a word for each sentence on it."""
        if self.stops == "crosses" and self.after == "raw":
            return "expected" if self.ahead else "overtaken"
        if self.stops == "crosses":
            return "reversed"
        if self.stops == "none":
            return "useless" if self.after == "raw" else "never"
        return "open" if self.stops else ""


@dataclass(frozen=True)
class RivalView:
    """A support vector machine on hand-made features against a network on raw ones."""

    id: str
    title: str
    network: str
    verdict: str


@dataclass(frozen=True)
class GroupView:
    """The pairs of one data set."""

    name: str
    title: str
    pairs: list[PairView]


def view(results: Results, findings: Findings) -> dict[str, Any]:
    """What templates see as `experiments.features`.

    groups (a `GroupView` each), ends (the pairs by their `PairView.end`), rivals, anywhere (the
    verdict on all rivals), and logs (titles of data sets whose features use a log).
    """
    tables = findings.tables
    titles = {name: wording.clean(results.sheets[name]["title"]) for name in results.datasets}
    present = set(tables["worth"]["dataset"])
    groups = [
        GroupView(name, title, list(_pairs(results, tables, name)))
        for name, title in titles.items()
        if name in present
    ]
    rivals = [
        RivalView(
            id=f"features.{row['dataset']}.{row['hand_made']}.rival",
            title=titles[row["dataset"]],
            network=_named(results, row["network"]),
            verdict=row["verdict"],
        )
        for row in tables["rivals"].to_dict("records")
    ]
    logs = [group.title for group in groups if group.name in FROM_A_LOG]
    ends: dict[str, list[PairView]] = {end: [] for end in ENDS}
    for pair in (pair for group in groups for pair in group.pairs):
        ends[pair.end].append(pair)
    return {
        "groups": groups,
        "ends": ends,
        "rivals": rivals,
        "anywhere": findings.decided["anywhere"],
        "logs": logs,
    }


def _named(results: Results, learner: str) -> str:
    return wording.with_article(wording.clean(results.study["learners"][learner]["label"]))


def _pairs(
    results: Results, tables: Mapping[str, pd.DataFrame], dataset: str
) -> Iterator[PairView]:
    worth, stops = (tables[name][tables[name]["dataset"] == dataset] for name in ("worth", "stops"))
    for raw, rows in worth.groupby("raw", sort=False):
        found = stops[stops["raw"] == raw].to_dict("records")
        stop = found[0] if found else {"verdict": "", "basis": "", "better_after": ""}
        ordered: list[Any] = rows.sort_values("m").to_dict("records")
        few, many = ordered[0], ordered[-1]
        yield PairView(
            id=_id(few),
            raw=wording.clean(results.study["learners"][str(raw)]["label"]),
            named=_named(results, str(raw)),
            few=_worth(few),
            many=_worth(many),
            stops=stop["verdict"],
            ahead=stop["basis"] == "forecast",
            after=stop["better_after"],
            title=wording.clean(results.sheets[dataset]["title"]),
        )


def _worth(row: Mapping[str, Any]) -> WorthView:
    return WorthView(
        id=f"{_id(row)}.worth.{row['m']}",
        sign=SIGNS.get(row["bound"], ""),
        is_open=missing(row["factor"]),
    )


# Figures


def draw(about: Drawn) -> dict[str, Figure]:
    """The errors on both kinds of features, and what hand-made ones are worth in labels."""
    import matplotlib as mpl

    from takeoff.paper.looks import STYLE

    with mpl.rc_context(STYLE):
        return {"features_errors": _draw_errors(about), "features_worth": _draw_worth(about)}


def _draw_errors(about: Drawn) -> Figure:
    from takeoff.paper import figures
    from takeoff.paper.looks import looks

    errors = about.findings.tables["errors"]
    titles, learners = _shown(about, errors["pair"])
    look = looks(about.learners)
    figure, axes = figures._panels(titles, legend_rows=3)
    for dataset, ax in axes.items():
        own, measure = errors[errors["dataset"] == dataset], about.measures[dataset]
        for (pair, features), rows in own.groupby(["pair", "features"], sort=False):
            _curve(ax, rows.sort_values("m"), look[str(pair)], features == "hand_made", f"{pair}")
        figures._error_axis(ax, own["error"].tolist(), measure)
        figures._m_axis(ax, own["m"])
        figures._landmarks(ax, measure, chance=False)
    figures._label_errors(axes, about.measures, "{name}")
    _legend(figure, learners, look)
    return figure


def _draw_worth(about: Drawn) -> Figure:
    from matplotlib.ticker import FuncFormatter

    from takeoff.paper import figures
    from takeoff.paper.looks import INK, looks

    worth = about.findings.tables["worth"]
    titles, learners = _shown(about, worth["raw"])
    look = looks(about.learners)
    figure, axes = figures._panels(titles, height=2.4, legend_rows=2)
    for dataset, ax in axes.items():
        own = worth[(worth["dataset"] == dataset) & worth["factor"].notna()]
        for i, (raw, rows) in enumerate(own.groupby("raw", sort=False)):
            _factors(ax, rows.sort_values("m"), look[str(raw)], 1.05**i, f"{raw}:{dataset}")
        arrows = own["factor"] * ROOM ** own["bound"].map(BOUNDS).fillna(0)
        figures._log_axis(ax, [*own["factor"], *arrows, 0.7, 1.5], wording.plain_number)
        ax.yaxis.set_major_formatter(
            FuncFormatter(lambda y, _: f"{wording.plain_number(y)}\N{MULTIPLICATION SIGN}")
        )
        ax.axhline(1, color=INK, lw=0.8)
        figures._m_axis(ax, worth.loc[worth["dataset"] == dataset, "m"])
    figures._label_left(axes, "labels on raw features that do\nas well, as a multiple of m")
    _legend(figure, learners, look, kinds=False)
    return figure


def _shown(about: Drawn, names: pd.Series[Any]) -> tuple[dict[str, str], list[Mapping[str, Any]]]:
    """The data sets and the learners that there is something to show of."""
    present = set(about.findings.tables["errors"]["dataset"])
    titles = {name: title for name, title in about.titles.items() if name in present}
    return titles, [one for one in about.learners if one["name"] in set(names)]


def _curve(ax: Axes, rows: pd.DataFrame, look: Look, hand_made: bool, gid: str) -> None:
    """Solid and filled on raw features, dashed and open on hand-made ones."""
    kind, dataset = "hand" if hand_made else "raw", rows["dataset"].iloc[0]
    ax.fill_between(rows["m"], rows["low"], rows["high"], color=look.colour, alpha=0.12, lw=0,
                    gid=f"{gid}:{dataset}:{kind}:band")  # fmt: skip
    ax.plot(rows["m"], rows["error"], color=look.colour, marker=look.marker,
            ls=(0, (4, 1.6)) if hand_made else "-", mfc="none" if hand_made else look.colour,
            gid=f"{gid}:{dataset}:{kind}")  # fmt: skip


def _factors(ax: Axes, rows: pd.DataFrame, look: Look, aside: float, gid: str) -> None:
    """Factors with their intervals, a bit aside; a bound is an open mark with an arrow."""
    from matplotlib.transforms import ScaledTranslation

    from takeoff.paper.scales import UNTOLD

    known = rows[rows["bound"] == ""]
    ax.plot(aside * known["m"], known["factor"], color=look.colour, marker=look.marker, lw=1.1,
            gid=f"{gid}:factors")  # fmt: skip
    for i, row in enumerate(known.to_dict("records")):
        ax.plot([aside * row["m"]] * 2, [row["low"], row["high"]], color=look.colour, lw=1.1,
                gid=f"{gid}:interval{i}")  # fmt: skip
    for bound, up in BOUNDS.items():
        some, own = rows[rows["bound"] == bound], f"{gid}:{bound.replace(' ', '')}"
        there = (aside * some["m"], some["factor"])
        ax.plot(*there, ls="none", marker=look.marker, mfc="none", color=look.colour,
                gid=f"{own}:{UNTOLD}")  # fmt: skip
        beyond = ScaledTranslation(0, up * BEYOND / 72, ax.figure.dpi_scale_trans)
        ax.plot(*there, ls="none", marker=_arrow(up), ms=9, mfc="none", color=look.colour,
                transform=ax.transData + beyond, gid=f"{own}:arrow:{UNTOLD}")  # fmt: skip


def _arrow(up: int) -> MplPath:
    """A marker that points up, or down for -1."""
    from matplotlib.path import Path as MplPath

    move, line = MplPath.MOVETO, MplPath.LINETO
    return MplPath([(x, up * y) for x, y in ARROW], [move, line, move, line, line])


def _legend(
    figure: Figure,
    learners: list[Mapping[str, Any]],
    look: Mapping[str, Look],
    kinds: bool = True,
) -> None:
    """The learners as they look in every figure and, if asked, what tells kinds of features."""
    from matplotlib.lines import Line2D

    from takeoff.paper import figures
    from takeoff.paper.looks import INK

    handles, labels = [], []
    for one in learners:
        own = look[one["name"]]
        handles.append(Line2D([], [], color=own.colour, marker=own.marker,
                              gid=f"{one['name']}:legend"))  # fmt: skip
        labels.append(wording.clean(one["label"]))
    if kinds:
        handles.append(Line2D([], [], color=INK, marker="o"))
        handles.append(Line2D([], [], color=INK, marker="o", mfc="none", ls=(0, (4, 1.6))))
        labels += ["raw features", "hand-made features"]
    figures._legend(figure, handles, labels, columns=2)
