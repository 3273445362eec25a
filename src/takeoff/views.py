"""What the templates of the paper see: data sets, learners, claims and their parts.

Nothing in a view is a number to be printed: those are facts, which a view leads to by their ids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import takeoff
from takeoff import facts, option_views, wording
from takeoff.facts import Results
from takeoff.forecasts import Score, score

if TYPE_CHECKING:
    import pandas as pd

QUESTION = "Would more labelled data help, or a bigger network, and until when?"
DEVICES = {"cpu": "the CPU", "cuda": "a GPU (CUDA)", "mps": "a GPU (Apple)"}


@dataclass(frozen=True)
class DatasetView:
    """A data set as templates see it.

    Attributes:
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
    bayes_known: bool
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
        unit: A word to print after its effect, or "".
        is_steepness: Whether it compares the slopes of two curves.
        capped: Whether it looks at a smaller m than the data set has.
        distance: From the effect to the threshold; orders the parts.
    """

    id: str
    dataset: DatasetView
    subject: LearnerView | None
    versus: LearnerView | None
    verdict: str
    unit: str
    is_steepness: bool
    reason: str | None
    capped: bool
    distance: float


@dataclass(frozen=True)
class ClaimView:
    """A claim with its parts, the clearest first; `measured` if any of them has an estimate."""

    id: str
    verdict: str
    reason: str | None
    measured: bool
    parts: list[PartView]
    supported: list[PartView] = field(default_factory=list)
    refuted: list[PartView] = field(default_factory=list)
    undecided: list[PartView] = field(default_factory=list)


@dataclass(frozen=True)
class ForecastView:
    """What is said of the forecast of one curve.

    Attributes:
        family: The family of curves with the most weight.
        status: See `takeoff.extrapolate.Forecast`.
        shape: See `takeoff.shapes.shape_of`.
    """

    id: str
    dataset: DatasetView
    learner: LearnerView
    family: str
    status: str
    shape: str


def context(results: Results) -> dict[str, Any]:
    """The variables of the templates (the functions are in `takeoff.prose`)."""
    learners = {name: _learner(results, name) for name in results.learners}
    datasets = {name: _dataset(results, name, learners) for name in results.datasets}
    return {
        "study": {
            "name": results.study["study"],
            "title": results.study["title"],
            "question": results.study.get("question") or QUESTION,
        },
        "version": takeoff.__version__,
        "datasets": list(datasets.values()),
        "learners": list(learners.values()),
        "traditional": [learner for learner in learners.values() if not learner.is_network],
        "networks": [learner for learner in learners.values() if learner.is_network],
        "capped": _capped(results, datasets, learners),
        "claims": [_claim(claim, datasets, learners) for claim in results.claims_in_use],
        "given": _given(results),
        "devices": [
            DEVICES.get(name, name) for name in sorted(set(results.runs.get("device", ())))
        ],
        "packages": sorted(facts.versions(results.runs)),
        "statuses": _by_curve(results.fits, "status"),
        "forecasts": _forecasts(results, datasets, learners),
        "held_out": _held_out(results),
        "verdicts": _pair_verdicts(results.differences),
        "options": option_views.build(results, datasets, learners),
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


def _given(results: Results) -> dict[str, bool] | None:
    """Of a study that starts from a table: what says how far chance reaches; else None."""
    if not results.study.get("given"):
        return None
    repeats = results.runs.groupby(["dataset", "learner", "m"]).size()
    return {"repeats": bool(repeats.max() > 1), "stderr": "stderr" in results.runs}


def _dataset(results: Results, name: str, learners: Mapping[str, LearnerView]) -> DatasetView:
    sheet = results.sheets[name]
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
        bayes_known=sheet["floor"] is not None,
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
    claim: Mapping[str, Any],
    datasets: Mapping[str, DatasetView],
    learners: Mapping[str, LearnerView],
) -> ClaimView:
    parts = [_part(claim["claim"], part, datasets, learners) for part in claim["parts"]]
    parts.sort(key=lambda part: -part.distance)
    return ClaimView(
        id=claim["claim"],
        verdict=claim["verdict"],
        reason=claim.get("reason"),
        measured=any(part["effect"] is not None for part in claim["parts"]),
        parts=parts,
        **{word: [part for part in parts if part.verdict == word] for word in facts.VERDICTS},
    )


def _part(
    claim: str,
    part: Mapping[str, Any],
    datasets: Mapping[str, DatasetView],
    learners: Mapping[str, LearnerView],
) -> PartView:
    dataset = datasets[part["dataset"]]
    effect = part["effect"]
    return PartView(
        id=facts.part_id(claim, part),
        dataset=dataset,
        subject=learners.get(part["subject"]),
        versus=learners.get(part["versus"] or ""),
        verdict=part["verdict"],
        unit="points" if part["unit"] == "test error" else "",
        is_steepness=facts.is_steepness(part),
        reason=part.get("reason"),
        capped=part["m"] is not None and part["m"] < int(dataset.sizes[-1]),
        distance=-math.inf if effect is None else abs(effect - part["threshold"]),
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
    rows, level = results.held_out, results.study["statistics"]["forecast_level"]
    groups = {name: rows[rows["dataset"] == name] for name in results.datasets} | {"study": rows}
    return {name: score(some, level) for name, some in groups.items() if len(some)}


def _pair_verdicts(differences: pd.DataFrame) -> dict[str, str]:
    return {
        f"{row['dataset']}.{row['better']}.less_than.{row['worse']}": row["verdict"]
        for _, row in differences.iterrows()
    }
