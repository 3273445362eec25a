"""What the section "What more labels would bring" sees: verdicts in words, and ids of facts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.paper.fact import missing
from takeoff.statistics import levers

if TYPE_CHECKING:
    import pandas as pd

    from takeoff.paper.facts import Results
    from takeoff.paper.views import DatasetView, LearnerView
    from takeoff.statistics.options import Options

MOST_CROSSINGS = 6  # told of a data set; the table has all


@dataclass(frozen=True)
class LeverView:
    """A lever, see `levers.Lever`; `id` leads to its facts, `rises`: it makes the error larger."""

    id: str
    kind: str
    answer: str
    subject: LearnerView | None
    versus: LearnerView | None
    floor: str | None
    in_use: bool
    measured: bool
    rises: bool
    reason: str


@dataclass(frozen=True)
class PositionView:
    """An amount of labels: few, middling or all.

    Attributes:
        leaders: The learners that no other is shown to beat, the lowest mean error first.
        beaten: The others.
        ranked: All that were measured there, the lowest mean error first.
        absent: Those that weren't.
        basis: What the order rests on, see `decisions.Basis`.
    """

    name: str
    leaders: list[LearnerView]
    beaten: list[LearnerView]
    ranked: list[LearnerView]
    absent: list[LearnerView]
    basis: str


@dataclass(frozen=True)
class CrossingView:
    """Two learners that change places; `ahead` beyond the measured labels."""

    id: str
    before: LearnerView
    after: LearnerView
    ahead: bool


@dataclass(frozen=True)
class Overtaken:
    """A learner that starts out better, and those that overtake it."""

    before: LearnerView
    pairs: list[CrossingView]


@dataclass(frozen=True)
class OptionsView:
    """What is said of one data set.

    Attributes:
        is_rate: Whether errors are counted (per case), or measured in another unit.
        spoken_of: The best learner, and the best network if that is another one.
        conclusion, because: See `levers.conclude`.
        targets: Places of the targets, as ids spell them.
        pays_for_sure: Whether labels are shown to lower the error of the best learner at all.
        pays: Whether they are expected to.
        out_of_reach: Whether no learner reaches any target by the median of its forecast.
    """

    dataset: DatasetView
    is_rate: bool
    best: LearnerView
    best_network: LearnerView | None
    spoken_of: list[LearnerView]
    conclusion: str
    because: list[LeverView]
    levers: list[LeverView]
    positions: list[PositionView]
    crossings: list[Overtaken]
    more_crossings: int
    targets: list[str]
    pays_for_sure: bool
    pays: bool
    out_of_reach: bool

    @property
    def rivals(self) -> list[LearnerView]:
        """The learners that are not shown to be worse than the best one with all labels."""
        return [learner for learner in self.positions[-1].leaders if learner is not self.best]

    def lever(self, kind: str) -> LeverView | None:
        """What was measured of one lever, if anything was."""
        return next((one for one in self.levers if one.kind == kind and one.measured), None)


def build(
    results: Results,
    datasets: Mapping[str, DatasetView],
    learners: Mapping[str, LearnerView],
) -> dict[str, Any] | None:
    """What the templates know as `options`; None where nothing was weighed."""
    options = results.options
    if options is None:
        return None
    costs = results.study.get("costs") or {}
    found, factors = options.verdicts["datasets"], list(options.verdicts["factors"])
    # In the paper's order: a JSON file has its own.
    views = [
        _of_dataset(options, dataset, found[name], learners)
        for name, dataset in datasets.items()
        if name in found
    ]
    return {
        "datasets": views,
        "by_best": _together(views, lambda view: view.best.name),
        "alike": _together(views, _kind_of_conclusion),
        "lever_gain": str(factors.index(levers.LABELS)) if levers.LABELS in factors else "",
        "factors": [str(i) for i in range(len(factors))],
        "factor_texts": [wording.plain_number(one) for one in factors],
        "two_spoken_of": any(len(view.spoken_of) > 1 for view in views),
        "auto_targets": options.verdicts["auto_targets"],
        "label_price": costs.get("label") is not None,
        "hour_price": costs.get("hour") is not None,
        "bases": sorted({basis for basis in options.ranks["basis"]}),
    }


def _together(
    views: list[OptionsView], alike: Callable[[OptionsView], object]
) -> list[list[OptionsView]]:
    """Data sets of which the same is said, in order of appearance."""
    groups: dict[object, list[OptionsView]] = {}
    for view in views:
        groups.setdefault(alike(view), []).append(view)
    return list(groups.values())


def _kind_of_conclusion(view: OptionsView) -> object:
    """The levers are named only where they are the conclusion."""
    kinds = tuple(lever.kind for lever in view.because)
    return view.conclusion, kinds if view.conclusion == "levers" else bool(kinds)


def _of_dataset(
    options: Options,
    dataset: DatasetView,
    verdict: Mapping[str, Any],
    learners: Mapping[str, LearnerView],
) -> OptionsView:
    levers_asked = {one["kind"]: _lever(one, dataset.name, learners) for one in verdict["levers"]}
    best, network = learners[verdict["best"]], learners.get(verdict["best_network"] or "")
    tables = {name: _own(getattr(options, name), dataset.name) for name in
              ("ranks", "crossings", "label_values", "labels_needed")}  # fmt: skip
    values = tables["label_values"].set_index("learner").loc[best.name]
    positions = _positions(tables["ranks"], dataset, learners)
    crossings = _crossings(tables["crossings"], positions, dataset, learners)
    return OptionsView(
        dataset=dataset,
        is_rate=dataset.measure.is_share,
        best=best,
        best_network=network,
        spoken_of=[best, network] if network is not None and network is not best else [best],
        conclusion=verdict["conclusion"],
        because=[levers_asked[kind] for kind in verdict["because"]],
        levers=list(levers_asked.values()),
        positions=positions,
        crossings=_grouped(crossings[:MOST_CROSSINGS]),
        more_crossings=max(len(crossings) - MOST_CROSSINGS, 0),
        targets=[str(i) for i in range(len(verdict["targets"]))],
        pays_for_sure=bool(values["low"] > 0),
        pays=bool(values["avoids"] > 0),
        out_of_reach=bool(tables["labels_needed"]["m"].isna().all()),
    )


def _own(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    return table[table["dataset"] == dataset]


def _lever(one: Mapping[str, Any], dataset: str, learners: Mapping[str, LearnerView]) -> LeverView:
    return LeverView(
        id=f"{dataset}.lever.{one['kind']}",
        kind=one["kind"],
        answer=one["answer"],
        subject=learners.get(one["subject"] or ""),
        versus=learners.get(one["versus"] or ""),
        floor=one["floor"],
        in_use=one["in_use"],
        measured=not missing(one["removes"]),
        rises=not missing(one["removes"]) and one["removes"] < 0,
        reason=levers.REASONS.get(one["reason"], ""),
    )


def _positions(
    ranks: pd.DataFrame, dataset: DatasetView, learners: Mapping[str, LearnerView]
) -> list[PositionView]:
    views = []
    for name, rows in ranks.groupby("position", sort=False):
        order = [learners[learner] for learner in rows["learner"]]
        views.append(
            PositionView(
                name=str(name),
                leaders=[learners[one] for one in rows.loc[rows["rank_low"] == 1, "learner"]],
                beaten=[learners[one] for one in rows.loc[rows["rank_low"] > 1, "learner"]],
                ranked=order,
                absent=[learner for learner in dataset.learners if learner not in order],
                basis=str(rows["basis"].iloc[0]),
            )
        )
    return views


def _crossings(
    crossings: pd.DataFrame,
    positions: list[PositionView],
    dataset: DatasetView,
    learners: Mapping[str, LearnerView],
) -> list[CrossingView]:
    """Those shown, first where a learner crosses that leads somewhere; then from small m on."""
    leading = {position.leaders[0].name for position in positions}
    shown = crossings[crossings["verdict"] == "crosses"]
    rows = sorted(
        (row for _, row in shown.iterrows()),
        key=lambda row: (len({row["first"], row["second"]} & leading) * -1, row["m"]),
    )
    views = []
    for row in rows:
        pair = (row["first"], row["second"])
        before = pair[int(row["better_before"])]
        views.append(
            CrossingView(
                id=f"{dataset.name}.crossing.{pair[0]}.{pair[1]}",
                before=learners[before],
                after=learners[pair[0] if before == pair[1] else pair[1]],
                ahead=row["basis"] == "forecast",
            )
        )
    return views


def _grouped(crossings: list[CrossingView]) -> list[Overtaken]:
    """By the learner that is better before, in order of appearance."""
    groups: dict[str, Overtaken] = {}
    for one in crossings:
        groups.setdefault(one.before.name, Overtaken(one.before, [])).pairs.append(one)
    return list(groups.values())
