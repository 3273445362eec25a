"""The figures of a comparison, in the looks of the paper's."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy import special

from takeoff import wording
from takeoff.comparing.bundles import Bundle, Point
from takeoff.comparing.comparison import Comparison
from takeoff.comparing.moves import CLOSE, difference
from takeoff.measures import axis_label
from takeoff.paper import figures as paper
from takeoff.paper.looks import INK, Learners, looks
from takeoff.statistics.intervals import Estimate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

OLD: Mapping[str, Any] = {
    "color": INK, "alpha": 0.6, "ls": (0, (4, 2)), "lw": 1.2, "marker": "o", "mfc": "none", "ms": 5
}  # fmt: skip


def draw(compared: Comparison) -> Iterator[tuple[str, str, Figure]]:
    """Id, what is shown in words, and figure: the change of all errors, then data set by data set.

    Only data sets and learners whose curves differ are drawn.
    """
    moved = {name: learners for name in shared_datasets(compared)
             if (learners := _differing(compared, name))}  # fmt: skip
    if not moved:
        return
    titles = {name: compared.new.datasets[name] for name in moved}
    changes = "Change of every learner\u2019s error at the largest m that both reports have, in "
    changes += "percent of the old error, with its interval. No bar: the error is the same."
    yield "changes", changes, _changes(compared, titles)
    for name, title in titles.items():
        yield f"curves_{name}", _caption(compared, name, title), _overlay(compared, name)


def _caption(compared: Comparison, dataset: str, title: str) -> str:
    n = len(_shared(compared, dataset)) - len(_differing(compared, dataset))
    same = f" The other {wording.count(n)} are the same." if n > 1 else ""
    same = " The other one is the same." if n == 1 else same
    return f"Learning curves on {title}, old and new: a panel for each that differs.{same}"


def shared_datasets(compared: Comparison) -> list[str]:
    """In the order of the new report."""
    return [name for name in compared.new.datasets if name in compared.old.datasets]


def shared_learners(compared: Comparison) -> Learners:
    """As `Study.ladder`, in the order of the new report."""
    before = {learner["name"] for learner in compared.old.learners}
    return [learner for learner in compared.new.learners if learner["name"] in before]


def _shared(compared: Comparison, dataset: str) -> Learners:
    """The learners that have a curve on this data set in both reports."""
    old, new = (_by_learner(bundle, dataset) for bundle in (compared.old, compared.new))
    return [one for one in shared_learners(compared) if one["name"] in old and one["name"] in new]


def _differing(compared: Comparison, dataset: str) -> Learners:
    """Those whose curves are not the same."""
    old, new = (_by_learner(bundle, dataset) for bundle in (compared.old, compared.new))
    shared = _shared(compared, dataset)
    return [one for one in shared if not _same(old[one["name"]], new[one["name"]])]


def _by_learner(bundle: Bundle, dataset: str) -> dict[str, dict[str, Point]]:
    return {learner: curve for (of, learner), curve in bundle.points.items() if of == dataset}


def _same(old: Mapping[str, Point], new: Mapping[str, Point]) -> bool:
    return old.keys() == new.keys() and all(
        math.isclose(point.error, new[m].error, rel_tol=CLOSE) for m, point in old.items()
    )


# The change at the largest m


@paper._styled
def _changes(compared: Comparison, titles: Mapping[str, str]) -> Figure:
    """The change of the error in percent of the old one, with its interval."""
    learners = shared_learners(compared)
    look, names = looks(compared.new.learners), [learner["name"] for learner in learners]
    beyond = {move.id for move in compared.moves if move.state == "beyond"}
    height = paper._rows_height(len(names))
    figure, axes = paper._panels(titles, height=height, share_y=True, legend_rows=1)
    for dataset, ax in axes.items():
        for i, name in enumerate(names):
            found = _change(compared, dataset, name)
            if found is not None:
                m, row = found
                filled = f"{dataset}.{name}.error.{m}" in beyond
                paper._whisker(ax, i, row, "change", look[name], f"{name}:{dataset}", filled)
        ax.axvline(0, color=INK, lw=0.7)
        measure = compared.new.measures[dataset].name
        ax.set_xlabel(axis_label(f"change of the {measure}", ""))
        paper._value_axis(ax, "%")
    paper._row_labels(axes, [learner["label"] for learner in learners])
    shape: dict[str, Any] = {"color": INK, "marker": "o", "ms": 5.6, "lw": 1.4}
    handles = [Line2D([], [], mew=0, **shape), Line2D([], [], mfc="none", mew=1.2, **shape)]
    labels = ["moved beyond what intervals allow", "within, apart, or the same"]
    paper._legend(figure, handles, labels, columns=2)
    return figure


def _change(compared: Comparison, dataset: str, learner: str) -> tuple[str, Any] | None:
    """The largest m of both and, as shares of the old error: change, low, high."""
    import pandas as pd

    old, new = (
        bundle.points.get((dataset, learner), {}) for bundle in (compared.old, compared.new)
    )
    shared = [m for m in old if m and m in new and old[m].error > 0]
    if not shared:
        return None
    m = max(shared, key=float)
    before, after = (
        Estimate(point.error, point.se if point.se >= 0 else 0.0, max(point.repeats - 1, 1))
        for point in (old[m], new[m])
    )
    apart = difference(before, after)
    half = float(special.stdtrit(apart.df, (1 + compared.level) / 2)) * apart.se
    half = 0.0 if math.isclose(before.value, after.value, rel_tol=CLOSE) else half
    ends = (apart.value, apart.value - half, apart.value + half)
    shares = [end / before.value for end in ends]
    return m, pd.Series(shares, index=["change", "low", "high"])


# Old curves under new ones


@paper._styled
def _overlay(compared: Comparison, dataset: str) -> Figure:
    """Old curves (grey, dashed, open circles) under the new ones, a panel for each learner."""
    sides = {"old": compared.old.curves, "new": compared.new.curves}
    own = {side: rows[rows["dataset"] == dataset] for side, rows in sides.items()}
    labels = {one["name"]: one["label"] for one in _differing(compared, dataset)}
    figure, axes = paper._panels(labels, height=2.1, legend_rows=1)
    look, measure = looks(compared.new.learners), compared.new.measures[dataset]
    for name, ax in axes.items():
        old, new = (rows[rows["learner"] == name].sort_values("m") for rows in own.values())
        _old(ax, old)
        paper._band(ax, new, look[name], f"{name}:band")
        paper._line(ax, new, "test_error", look[name], f"{name}:line")
        paper._error_axis(ax, [*old["test_error"], *new["test_error"]], measure)
        paper._m_axis(ax, [*old["m"], *new["m"]])
    paper._label_left(axes, axis_label(measure.name, measure.suffix))
    handles = [Line2D([], [], **OLD), Line2D([], [], color=INK, marker="o")]
    paper._legend(
        figure, handles, ["old", "new (in the learner\u2019s colour and shape)"], columns=2
    )
    return figure


def _old(ax: Axes, curve: pd.DataFrame) -> None:
    ax.fill_between(curve["m"], curve["low"], curve["high"], color=INK, alpha=0.09, lw=0)
    ax.plot(curve["m"], curve["test_error"], **OLD)
