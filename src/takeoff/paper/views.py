"""What the templates of the paper see: data sets, learners, claims and their parts.

Nothing in a view is a number to be printed: those are facts, which a view leads to by their ids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import takeoff
from takeoff import wording
from takeoff.experiments import EXPERIMENT_OF
from takeoff.measures import Measure
from takeoff.paper import experiments, facts, option_views
from takeoff.paper.facts import Results
from takeoff.statistics import floors
from takeoff.statistics.forecasts import Score, score

if TYPE_CHECKING:
    import pandas as pd

QUESTION = "Would more labelled data help, or a bigger network, and until when?"
DEVICES = {"cpu": "the CPU", "cuda": "a GPU (CUDA)", "mps": "a GPU (Apple)"}


@dataclass(frozen=True)
class MeasureView:
    """What one data set, or all of them, are judged by.

    Attributes:
        name, plural: Within a sentence: "log-loss", "log-losses". Of a study whose data sets are
            judged by different measures: "error", "errors".
        mean: The name of its mean over the repeats: "mean log-loss".
        unit: Of an error, or "".
        in_unit: The name with the unit: "log-loss in nats".
        meaning: What it is, in words.
        is_share: Whether it is a fraction of 1.
        is_mixed: Whether it stands for measures that differ.
    """

    name: str
    plural: str
    mean: str
    unit: str
    in_unit: str
    meaning: str
    is_share: bool
    is_mixed: bool = False


MIXED = MeasureView("error", "errors", "mean error", "", "error", "", is_share=False, is_mixed=True)


@dataclass(frozen=True)
class DatasetView:
    """A data set as templates see it.

    Attributes:
        measure: What it is judged by.
        is_regression: Whether its labels are numbers.
        unit: Of these numbers; may be empty.
        scaling: "common" or "each", see `Dataset`.
        floor_known: Whether the error of the best possible predictions is known, or a bound of it.
        floor_is_bound: Whether it is only a lower bound.
        floor_is_exact: Whether it is known, and no bound.
        truth_known: Whether the distribution of its labels is; `truth_is_bound`: given more than an
            example shows.
        chance_in_sight: Whether the curves reach the error of the best constant predictions.
        left_out: For each reason, what rows were left out for: the reason, and the id of the fact
            that says how many.
        sizes: Its m, as the ids of facts spell them.
        learners: Those that have a curve on it.
        best, best_when_small: The learners with the lowest mean error at the largest and at the
            smallest m.
    """

    name: str
    title: str
    description: str
    task: str
    source: str
    licence: str
    citation: str
    generated: bool
    measure: MeasureView
    is_regression: bool
    unit: str
    scaling: str
    time_ordered: bool
    has_hand_made: bool
    left_out: list[tuple[str, str]]
    floor_known: bool
    floor_is_bound: bool
    floor_is_exact: bool
    truth_known: bool
    truth_is_bound: bool
    chance_in_sight: bool
    sizes: list[str]
    learners: list[LearnerView]
    best: LearnerView
    best_when_small: LearnerView


@dataclass(frozen=True)
class LearnerView:
    """A learner as templates see it.

    Attributes:
        label: As in tables.
        named: The label as it stands in a sentence.
        key: The name of the hyper-parameter that is tuned.
        is_shallow: Whether it is a network with a single hidden layer.
    """

    name: str
    label: str
    named: str
    kind: str
    is_network: bool
    key: str
    is_shallow: bool


@dataclass(frozen=True)
class PartView:
    """One part of a claim.

    Attributes:
        id: Leads to its facts.
        is_steepness: Whether it compares the slopes of two curves.
        capped: Whether it looks at a smaller m than the data set has.
        distance: From the effect to the threshold; orders the parts. Where data sets are
            judged by different measures, a difference of two errors counts as a share of the
            lowest error on its data set.
    """

    id: str
    dataset: DatasetView
    subject: LearnerView | None
    versus: LearnerView | None
    verdict: str
    is_steepness: bool
    reason: str | None
    capped: bool
    distance: float


@dataclass(frozen=True)
class ClaimView:
    """A claim with its parts, the clearest first.

    Attributes:
        measured: Whether any of them has an estimate.
        experiment: The name of its experiment, if the study has that.
    """

    id: str
    verdict: str
    reason: str | None
    measured: bool
    parts: list[PartView]
    experiment: str | None = None
    supported: list[PartView] = field(default_factory=list)
    refuted: list[PartView] = field(default_factory=list)
    undecided: list[PartView] = field(default_factory=list)


@dataclass(frozen=True)
class ForecastView:
    """What is said of the forecast of one curve.

    Attributes:
        family: The family of curves with the most weight.
        status: See `takeoff.statistics.extrapolate.Forecast`.
        shape: See `takeoff.statistics.shapes.shape_of`.
    """

    id: str
    dataset: DatasetView
    learner: LearnerView
    family: str
    status: str
    shape: str


@dataclass(frozen=True)
class FloorView:
    """What the best possible predictions on one data set, known exactly, mean for its curves.

    Attributes:
        learner: The best at the largest m.
        out_of_reach: Whether less of its error than the margin lies above the floor, so that its
            curve counts as flat whatever it does.
        still_falling: Learners whose curves count as flat, while what lies above the floor is
            shown to fall by more than the margin per doubling.
    """

    dataset: DatasetView
    learner: LearnerView
    out_of_reach: bool
    still_falling: list[LearnerView]


def context(results: Results) -> dict[str, Any]:
    """The variables of the templates (the functions are in `takeoff.paper.prose`)."""
    learners = {name: _learner(results, name) for name in results.learners}
    datasets = {name: _dataset(results, name, learners) for name in results.datasets}
    return {
        "study": {
            "name": results.study["study"],
            "title": results.study["title"],
            "question": results.study.get("question") or QUESTION,
            "of_population": bool(results.study["claims"].get("population")),
        },
        "version": takeoff.__version__,
        "datasets": list(datasets.values()),
        "measure": _measure(results.measure) if results.measure else MIXED,
        "floor_measures": _floor_measures(results),
        "learners": list(learners.values()),
        "traditional": [learner for learner in learners.values() if not learner.is_network],
        "networks": [learner for learner in learners.values() if learner.is_network],
        "capped": _capped(results, datasets, learners),
        "claims": [
            _claim(results, claim, datasets, learners | _subjects(results, claim["claim"]))
            for claim in results.claims_in_use
        ],
        "given": _given(results),
        "own": _is_own(results),
        "devices": [
            DEVICES.get(name, name) for name in sorted(set(results.runs.get("device", ())))
        ],
        "packages": sorted(facts.versions(results.runs)),
        "machines": [
            {
                "id": f"machine.{i}",
                "processor": wording.clean(known["processor"]),
                "accelerators": [wording.clean(card) for card in known["accelerators"]],
            }
            for i, (_, known) in enumerate(facts.machines(results))
        ],
        "statuses": _by_curve(results.fits, "status"),
        "forecasts": _forecasts(results, datasets, learners),
        "held_out": _held_out(results),
        "floors": _floors(results, datasets, learners),
        "verdicts": _pair_verdicts(results.differences),
        "options": option_views.build(results, datasets, learners),
        "experiments": {
            name: experiments.module(name).view(results, findings)
            for name, findings in results.experiments.items()
        },
    }


def _learner(results: Results, name: str) -> LearnerView:
    settings = results.study["learners"][name]
    label = wording.clean(settings["label"])
    return LearnerView(
        name=name,
        label=label,
        named=wording.with_article(label),
        kind=settings["kind"],
        is_network=settings["kind"] == "mlp" or settings.get("family") == "network",
        key=next(iter(settings.get("grid", ())), ""),
        is_shallow=len(settings.get("hidden", ())) == 1,
    )


def _measure(measure: Measure) -> MeasureView:
    in_unit = f"{measure.name} in {measure.suffix}" if measure.suffix else measure.name
    return MeasureView(
        name=measure.name,
        plural=measure.plural,
        mean=measure.mean,
        unit=measure.suffix,
        in_unit=in_unit,
        meaning=measure.meaning,
        is_share=measure.is_share,
    )


def _floor_measures(results: Results) -> list[str]:
    """The measures of the best possible predictions that are known for any data set."""
    known = {key for sheet in results.sheets.values() for key in sheet.get("floors", {})}
    return [key for key in ("error_rate", "log_loss", "auc", "rmse") if key in known]


def _is_own(results: Results) -> bool:
    """Whether the paper is about data or curves of whoever asks: the lecture comes last then."""
    settings = (results.study["datasets"].get(name, {}) for name in results.datasets)
    return bool(results.study.get("given")) or any(one.get("path") for one in settings)


def _given(results: Results) -> dict[str, bool] | None:
    """Of a study that starts from a table: what says how far chance reaches; else None."""
    if not results.study.get("given"):
        return None
    repeats = results.runs.groupby(["dataset", "learner", "m"]).size()
    return {"repeats": bool(repeats.max() > 1), "stderr": "stderr" in results.runs}


def _dataset(results: Results, name: str, learners: Mapping[str, LearnerView]) -> DatasetView:
    sheet, measure = results.sheets[name], results.measures[name]
    curves = results.curves[results.curves["dataset"] == name]
    all_m = sorted({int(m) for m in curves["m"]})
    small, large = (curves[curves["m"] == m] for m in (all_m[0], all_m[-1]))
    texts = ("title", "description", "task", "source", "licence")
    present = set(curves["learner"])
    return DatasetView(
        name=name,
        **{key: wording.clean(sheet[key]) for key in texts},
        citation=sheet["citation"],
        generated=sheet["generated"],
        measure=_measure(measure),
        is_regression=measure.metric == "rmse",
        unit=measure.unit,
        scaling=sheet.get("scaling", "common"),
        time_ordered=bool(sheet.get("time_ordered")),
        has_hand_made=bool(sheet.get("n_hand_made")),
        left_out=[
            (wording.clean(reason), f"{name}.left_out.{i}")
            for i, reason in enumerate(sorted(sheet.get("left_out", {})))
        ],
        floor_known=measure.floor is not None,
        floor_is_bound=measure.floor_is_bound,
        floor_is_exact=measure.is_exact,
        truth_known=bool(sheet.get("floors")),
        truth_is_bound=bool(sheet.get("floors")) and bool(sheet["floor_is_bound"]),
        chance_in_sight=measure.chance is not None
        and bool(curves["test_error"].min() < measure.chance <= curves["test_error"].max()),
        sizes=[str(m) for m in all_m],
        learners=[learner for learner in learners.values() if learner.name in present],
        best=learners[_lowest(large)],
        best_when_small=learners[_lowest(small)],
    )


def _capped(
    results: Results, datasets: Mapping[str, DatasetView], learners: Mapping[str, LearnerView]
) -> list[dict[str, Any]]:
    """The learners whose curves end early, with the data sets (`capped_on`) where they do."""
    found = []
    for learner in learners.values():
        where = [view for view in datasets.values() if _ends_early(results, view, learner)]
        if where:
            found.append({"name": learner.name, "named": learner.named, "capped_on": where})
    return found


def _ends_early(results: Results, dataset: DatasetView, learner: LearnerView) -> bool:
    of_both = (results.runs["dataset"] == dataset.name) & (results.runs["learner"] == learner.name)
    own = results.runs.loc[of_both, "m"]
    return bool(len(own)) and int(own.max()) < int(dataset.sizes[-1])


def _lowest(rows: pd.DataFrame) -> str:
    return str(rows.sort_values("test_error", kind="stable")["learner"].iloc[0])


def _claim(
    results: Results,
    claim: Mapping[str, Any],
    datasets: Mapping[str, DatasetView],
    learners: Mapping[str, LearnerView],
) -> ClaimView:
    lowest = results.curves.groupby("dataset")["test_error"].min()
    scales = {name: 1.0 if results.measure else float(lowest[name]) or 1.0 for name in datasets}
    parts = [
        _part(claim["claim"], part, datasets, learners, scales[part["dataset"]])
        for part in claim["parts"]
    ]
    parts.sort(key=lambda part: -part.distance)
    return ClaimView(
        id=claim["claim"],
        verdict=claim["verdict"],
        reason=claim.get("reason"),
        measured=any(part["effect"] is not None for part in claim["parts"]),
        parts=parts,
        experiment=_experiment(results, claim["claim"]),
        **{word: [part for part in parts if part.verdict == word] for word in facts.VERDICTS},
    )


def _experiment(results: Results, claim: str) -> str | None:
    name = EXPERIMENT_OF.get(claim)
    return name if name in results.experiments else None


def _subjects(results: Results, claim: str) -> dict[str, LearnerView]:
    """What the parts of an experiment's claim compare, where that is no learner of the study."""
    name = _experiment(results, claim)
    names = results.experiments[name].names if name else {}
    return {
        subject: LearnerView(
            subject, wording.clean(label), wording.clean(label), "", False, "", False
        )
        for subject, label in names.items()
    }


def _part(
    claim: str,
    part: Mapping[str, Any],
    datasets: Mapping[str, DatasetView],
    learners: Mapping[str, LearnerView],
    scale: float,
) -> PartView:
    dataset, effect = datasets[part["dataset"]], part["effect"]
    scale = scale if facts.is_difference(part) else 1.0
    return PartView(
        id=facts.part_id(claim, part),
        dataset=dataset,
        subject=learners.get(part["subject"]),
        versus=learners.get(part["versus"] or ""),
        verdict=part["verdict"],
        is_steepness=facts.is_steepness(part),
        reason=part.get("reason"),
        capped=part["m"] is not None and part["m"] < int(dataset.sizes[-1]),
        distance=-math.inf if effect is None else abs(effect - part["threshold"]) / scale,
    )


def _by_curve(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    return {f"{row['dataset']}.{row['learner']}": row[column] for _, row in frame.iterrows()}


def _forecasts(
    results: Results, datasets: Mapping[str, DatasetView], learners: Mapping[str, LearnerView]
) -> dict[str, ForecastView]:
    """One per curve, by data set and learner; in the paper's order."""
    first = results.forecast.drop_duplicates(["dataset", "learner"])
    rows = {(row["dataset"], row["learner"]): row for _, row in first.iterrows()}
    return {
        f"{dataset}.{learner}": ForecastView(
            f"{dataset}.{learner}",
            datasets[dataset],
            learners[learner],
            *(str(rows[dataset, learner][key]) for key in ("family", "status", "shape")),
        )
        for dataset in datasets
        for learner in learners
        if (dataset, learner) in rows
    }


def _held_out(results: Results) -> dict[str, Score]:
    """Scores by data set, and of all curves as "study"; empty where nothing was held out."""
    level = results.study["statistics"]["forecast_level"]
    return {name: score(some, level) for name, some in facts.held_out_groups(results).items()}


def _floors(
    results: Results, datasets: Mapping[str, DatasetView], learners: Mapping[str, LearnerView]
) -> list[FloorView]:
    level, margin = results.study["statistics"]["level"], results.study["claims"]["margin"]
    ends = {
        (end.dataset, end.learner): end
        for end in floors.ends(
            results.runs, results.curves, results.measures, facts.doublings(results), level
        )
    }
    flat = results.last_doublings[results.last_doublings["high"] < margin]
    still = {
        (row["dataset"], row["learner"])
        for _, row in flat.iterrows()
        if (end := ends.get((row["dataset"], row["learner"]))) and end.reduction_low > margin
    }
    return [
        FloorView(
            dataset,
            dataset.best,
            out_of_reach=ends[dataset.name, dataset.best.name].share < margin,
            still_falling=[one for one in learners.values() if (dataset.name, one.name) in still],
        )
        for dataset in datasets.values()
        if dataset.floor_is_exact
    ]


def _pair_verdicts(differences: pd.DataFrame) -> dict[str, str]:
    return {
        f"{row['dataset']}.{row['better']}.less_than.{row['worse']}": row["verdict"]
        for _, row in differences.iterrows()
    }
