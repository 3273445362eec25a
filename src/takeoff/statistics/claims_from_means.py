"""The lecture's claims about curves that a table gave: also without repeats that could be paired.

Where all learners of a data set have the same three or more repeats, `takeoff.statistics.claims`
decides. Other data sets are decided part by part, from what there is: repeats that two curves have
in common, or the standard errors of the means (z tests, as if the means were independent, which
errs on the wide side for learners that saw the same examples). With neither, or where a claim is
about the repeats themselves, a part is undecided and says why.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from takeoff.given import has_whole_repeats, spread_known
from takeoff.statistics import claims, decisions
from takeoff.statistics.claims import ClaimSettings, DataSetCurves, Findings, Learner, Part
from takeoff.statistics.decisions import Measured, measured
from takeoff.statistics.fits import error_tables
from takeoff.statistics.intervals import KNOWN, Estimate, holm

NO_SPREAD = "neither repeats nor standard errors say how far chance reaches"
NO_REPEATS = "how stable an order is shows only between repeats that all learners share"
NO_LEARNERS = "the study has no learners that this claim is about"
NOT_ASKED = "this takes repeats that all learners share"
THRESHOLDS = {
    "plateau": ("margin", claims.REDUCTION),
    "bigger_is_better": (None, claims.TEST_ERROR),
    "keeps_improving": ("margin", claims.REDUCTION),
    "unclear_when_small": ("agreement_margin", claims.TAU),
}


@dataclass(frozen=True)
class Means:
    """A data set without whole repeats.

    Attributes:
        name: Of the data set.
        curves: By learner.
        about: The learners, as the claims see them; its own curves are empty.
        spread: Whether anything says how far chance reaches.
    """

    name: str
    curves: dict[str, Measured]
    about: DataSetCurves
    spread: bool


def check(runs: pd.DataFrame, learners: Sequence[Learner], settings: ClaimSettings) -> Findings:
    """`claims.check` for the runs of a table.

    Args:
        runs: dataset, learner, m, repeat, test_error, and possibly stderr.
        learners, settings: As for `claims.check`.
    """
    data = {str(name): rows for name, rows in runs.groupby("dataset", sort=True)}
    whole = [name for name, rows in data.items() if _is_whole(rows)]
    if len(whole) == len(data):
        return claims.check(runs, learners, settings)
    known = claims.check(runs[runs["dataset"].isin(whole)], learners, settings) if whole else None
    others = [_means(name, data[name], learners) for name in data if name not in whole]
    parts = {claim: _parts(claim, data, learners, others, settings) for claim in claims.CLAIMS}
    tables = _tables(others, parts["bigger_is_better"], known, settings)
    found = [_claim(claim, some, settings) for claim, some in parts.items()]
    return Findings(**tables, claims={"level": settings.level, "claims": found})


def _is_whole(rows: pd.DataFrame) -> bool:
    return has_whole_repeats(rows) and rows["repeat"].nunique() >= claims.REPEATS_NEEDED


def _present(rows: pd.DataFrame, learners: Sequence[Learner]) -> list[Learner]:
    there = set(rows["learner"])
    return [learner for learner in learners if learner.name in there]


def _means(name: str, rows: pd.DataFrame, learners: Sequence[Learner]) -> Means:
    repeats = rows["repeat"].unique()
    curves = {
        str(learner): _measured(own, repeats) for learner, own in rows.groupby("learner", sort=True)
    }
    about = DataSetCurves(name, {}, _present(rows, learners))
    return Means(name, curves, about, spread_known(rows))


def _measured(rows: pd.DataFrame, repeats: Any) -> Measured:
    if len(repeats) == 1:
        return measured(rows["m"], rows["test_error"], stderr=rows.get("stderr"))
    errors = rows.pivot(index="m", columns="repeat", values="test_error").reindex(columns=repeats)
    return measured(errors.index.to_numpy(dtype=float), errors.to_numpy(dtype=float))


def _parts(
    claim: str,
    data: dict[str, pd.DataFrame],
    learners: Sequence[Learner],
    others: Sequence[Means],
    settings: ClaimSettings,
) -> list[Part]:
    """All parts of a claim, decided together, in the order of the data sets."""
    found: list[Part] = []
    by_name = {one.name: one for one in others}
    for name, rows in data.items():
        if name in by_name:
            found += PARTS.get(claim, _unknown)(by_name[name], settings)
        else:
            whole = DataSetCurves(name, error_tables(rows), _present(rows, learners))
            found += claims.CLAIMS[claim](whole, settings)
    return claims.decided(found, settings)


# The effects


def _plateau(data: Means, settings: ClaimSettings) -> Iterator[Part]:
    for learner in data.about.traditional:
        yield _reduction(data, learner.name, settings, falls=False)


def _bigger_is_better(data: Means, settings: ClaimSettings) -> Iterator[Part]:
    networks = data.about.networks
    pairs = [
        (larger, smaller)
        for smaller, larger in itertools.combinations(networks, 2)
        if smaller.rank < larger.rank
    ]
    pairs += itertools.product(networks, data.about.traditional)
    parts = [_difference(data, better.name, worse.name, settings) for better, worse in pairs]
    known = [i for i, part in enumerate(parts) if part.p_for is not None]
    for i, p in zip(known, holm([parts[i].p_for or 0.0 for i in known]), strict=True):
        parts[i] = replace(parts[i], p_for=p)
    yield from parts


def _keeps_improving(data: Means, settings: ClaimSettings) -> Iterator[Part]:
    if not data.about.networks:
        return
    *smaller, largest = data.about.networks
    yield _reduction(data, largest.name, settings, falls=True)
    if smaller and smaller[0].rank < largest.rank:
        yield _steeper(data, largest.name, smaller[0].name, settings)
    else:
        only = "there is no smaller network to compare with"
        yield Part(data.name, largest.name, None, None, 0.0, claims.STEEPNESS, reason=only)


def _unclear_when_small(data: Means, settings: ClaimSettings) -> Iterator[Part]:
    last = max(int(curve.last_m) for curve in data.curves.values())
    part = Part(data.name, "ranking", None, last, settings.agreement_margin, claims.TAU)
    yield replace(part, reason=NO_REPEATS)


def _unknown(data: Means, settings: ClaimSettings) -> Iterator[Part]:
    """A claim that this module doesn't know."""
    yield Part(data.name, "", None, None, 0.0, "", reason=NOT_ASKED)


PARTS = {
    "plateau": _plateau,
    "bigger_is_better": _bigger_is_better,
    "keeps_improving": _keeps_improving,
    "unclear_when_small": _unclear_when_small,
}


def _reduction(data: Means, learner: str, settings: ClaimSettings, *, falls: bool) -> Part:
    """What a doubling still removes, against the margin; `falls`: claimed to be above it."""
    curve = data.curves[learner]
    part = Part(data.name, learner, None, int(curve.last_m), settings.margin, claims.REDUCTION)
    if not data.spread:
        return replace(part, reason=NO_SPREAD)
    found = decisions.plateau(curve, settings.margin, settings.doublings, level=settings.level)
    if found.basis == "forecast" or math.isnan(found.reduction):
        return replace(part, reason=found.reason or NO_SPREAD)
    flat, still = found.p_flat, found.p_falls
    p_for, p_against = (still, flat) if falls else (flat, still)
    return replace(
        part, effect=found.reduction, low=found.low, high=found.high, p_for=p_for,
        p_against=p_against,
    )  # fmt: skip


def _difference(data: Means, better: str, worse: str, settings: ClaimSettings) -> Part:
    part = Part(data.name, better, worse, None, 0.0, claims.TEST_ERROR)
    above, below = data.curves[worse], data.curves[better]
    shared = np.intersect1d(above.curve.m, below.curve.m)
    if not shared.size:
        return replace(part, reason="they have no m in common")
    part = replace(part, m=int(shared[-1]))
    if not data.spread:
        return replace(part, reason=NO_SPREAD)
    found = decisions.differences(above, below, [shared[-1]])
    if found.basis == "noise of the curves":
        return replace(part, reason=NO_SPREAD)
    return _with(part, found.estimate(0), settings.level)


def _steeper(data: Means, larger: str, smaller: str, settings: ClaimSettings) -> Part:
    part = Part(data.name, larger, smaller, None, 0.0, claims.STEEPNESS)
    first, second = data.curves[larger], data.curves[smaller]
    shared = np.intersect1d(first.curve.m, second.curve.m)
    if shared.size < 2:
        return replace(part, reason="they have fewer than two m in common")
    part = replace(part, m=int(shared[-1]))
    if not data.spread:
        return replace(part, reason=NO_SPREAD)
    start = int(np.abs(np.log2(shared[:-1] * 2.0**settings.doublings / shared[-1])).argmin())
    steep, flat = (_slope(curve, shared[start], shared[-1]) for curve in (first, second))
    if steep is None or flat is None:
        return replace(part, reason="a test error of zero has no relative reduction")
    estimate = Estimate(steep[0] - flat[0], math.hypot(steep[1], flat[1]), KNOWN)
    return _with(part, estimate, settings.level)


def _slope(curve: Measured, from_m: float, to_m: float) -> tuple[float, float] | None:
    """log2(error) per doubling and its standard error, by the delta method."""
    ends = [int(np.flatnonzero(curve.curve.m == m)[0]) for m in (from_m, to_m)]
    error, se = curve.curve.error[ends], curve.standard_errors[0][ends]
    if (error <= 0).any():
        return None
    covered = math.log2(to_m / from_m)
    spread = float(np.hypot(*(se / error))) / math.log(2) / covered
    return float(np.log2(error[0] / error[1])) / covered, spread


def _with(part: Part, estimate: Estimate, level: float) -> Part:
    low, high = estimate.interval(level)
    return replace(
        part, effect=estimate.value, low=low, high=high, p_for=estimate.p_above(part.threshold),
        p_against=estimate.p_below(part.threshold),
    )  # fmt: skip


# What `claims.check` returns


def _claim(claim: str, parts: Sequence[Part], settings: ClaimSettings) -> dict[str, Any]:
    key, unit = THRESHOLDS.get(claim, (None, ""))
    reasons = {part.reason for part in parts} or {NO_LEARNERS}
    return {
        "claim": claim,
        "verdict": claims.verdict_on(parts),
        "threshold": getattr(settings, key) if key else 0.0,
        "unit": unit,
        "reason": reasons.pop() if len(reasons) == 1 else None,
        "parts": [dict(vars(part)) for part in parts],
    }


def _tables(
    others: Sequence[Means], pairs: Sequence[Part], known: Findings | None, settings: ClaimSettings
) -> dict[str, pd.DataFrame]:
    """The three tables of `Findings`."""
    reductions = pd.DataFrame(
        [row for data in others for row in _reductions(data, settings)], columns=REDUCTIONS
    )
    differences = pd.DataFrame([_pair(part) for part in pairs], columns=DIFFERENCES)
    agreement = pd.DataFrame(columns=AGREEMENT)
    if known is not None:
        reductions = pd.concat([known.last_doublings, reductions]).sort_values(
            "dataset", kind="stable", ignore_index=True
        )
        agreement = known.agreement
    numbers = ["difference", "low", "high", "p_for", "p_against"]
    return {
        "last_doublings": reductions.astype({"from_m": "Int64", "to_m": "Int64"}),
        "differences": differences.astype({"m": "Int64"} | dict.fromkeys(numbers, float)),
        "agreement": agreement,
    }


REDUCTIONS = ["dataset", "learner", "family", "from_m", "to_m", "reduction", "low", "high"]
DIFFERENCES = [
    *("dataset", "better", "worse", "m", "difference", "low", "high"),
    *("p_for", "p_against", "verdict"),
]
AGREEMENT = ["dataset", "m", "learners", "agreement", "low", "high"]


def _reductions(data: Means, settings: ClaimSettings) -> Iterator[tuple[Any, ...]]:
    for learner in data.about.learners:
        part = _reduction(data, learner.name, settings, falls=False)
        curve = data.curves[learner.name]
        found = decisions.plateau(curve, settings.margin, settings.doublings, level=settings.level)
        from_m = None if found.basis == "forecast" else int(found.from_m)
        ends = [math.nan if end is None else end for end in (part.effect, part.low, part.high)]
        yield data.name, learner.name, learner.family, from_m, int(curve.last_m), *ends


def _pair(part: Part) -> tuple[Any, ...]:
    numbers = (part.effect, part.low, part.high, part.p_for, part.p_against)
    return part.dataset, part.subject, part.versus, part.m, *numbers, part.verdict
