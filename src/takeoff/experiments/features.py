"""Hand-made features against raw ones: the claim `features_matter_when_small`.

The lecture says that where labelled data are few, hand-made features decide, and that an SVM with
good ones may then win. Some learners of the study are trained on both kinds of features, on the
same examples. The claim has two parts for each of them and each data set, on the log2 ratio of its
errors, raw over hand-made, which is 1 where hand-made features halve the error:

saving: At the smallest m (`small_m` of them) the ratio is above zero: hand-made features lower the
    error. It is reported as the share of the error that they save.
shrinking: The ratio is larger there than at as many of the largest m: what hand-made features do
    for a learner, enough labels do as well.

Ratios are taken within each repeat, averaged over the m, and have t intervals over the repeats.

Beside the claim, as the lecture says "may": whether a support vector machine on hand-made features
has a lower error at the smallest m than the largest network on raw ones, on each data set and
anywhere; where hand-made features stop paying (`decisions.crossing`); and what they are worth in
labels: the number of labelled examples at which raw features give the same error, as a multiple
of m.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from takeoff.errors import TakeoffError
from takeoff.experiments import Asked, Findings
from takeoff.measures import Measure
from takeoff.statistics import decisions
from takeoff.statistics.claims import (
    ClaimSettings,
    Curve,
    Part,
    decided,
    measured_part,
    relative_reduction,
    verdict_on,
)
from takeoff.statistics.fits import error_tables
from takeoff.statistics.intervals import (
    Floats,
    Verdict,
    binomial_variance,
    decide,
    holm,
    mean_of,
)
from takeoff.statistics.options import curves_of

CLAIM = "features_matter_when_small"
SAVING = "relative: share of the error that hand-made features save at small m"
SHRINKING = "log2 ratio of the errors, at small m minus at large m"
ZERO = "a test error of zero has no ratio"
FEW_M = "small and large m overlap"
SVM = "svm"  # begins the names of support vector machines

WORTH = ["dataset", "raw", "hand_made", "m", "factor", "low", "high", "bound"]
STOPS = ["dataset", "raw", "hand_made", "verdict", "basis", "m", "low", "high", "better_after"]
ERRORS = ["dataset", "learner", "pair", "features", "m", "error", "low", "high"]
RIVALS = ["dataset", "hand_made", "network", "m", "difference", "low", "high", "verdict"]


@dataclass(frozen=True)
class Pair:
    """One learner on both kinds of features, on one data set: errors by m and repeat."""

    dataset: str
    raw: str
    hand_made: str
    errors_raw: Curve
    errors_hand: Curve

    @property
    def m(self) -> list[int]:
        """The m that both have, ascending."""
        return sorted(set(self.errors_raw.index) & set(self.errors_hand.index))

    def ratios(self, some: Sequence[int]) -> Floats | None:
        """Mean log2 ratio of the errors over some m, by repeat, [R]; None if an error is zero."""
        raw, hand = (t.loc[list(some)].to_numpy() for t in (self.errors_raw, self.errors_hand))
        if (raw <= 0).any() or (hand <= 0).any():
            return None
        return np.asarray(np.log2(raw / hand).mean(axis=0))

    def noise(self, some: Sequence[int], tests: int | None) -> float:
        """Standard deviation of the mean of `ratios` that comes from the test set; 0 without T.

        By the delta method, as if the mistakes of the two learners had nothing in common, and
        those at different m were the same: an upper bound.
        """
        if tests is None:
            return 0.0
        errors = np.stack(
            [table.loc[list(some)].mean(axis=1) for table in (self.errors_raw, self.errors_hand)]
        )
        relative = binomial_variance(errors, tests) / errors**2
        return float(np.sqrt(relative.sum(axis=0)).mean() / math.log(2))


def analyse(asked: Asked) -> Findings:
    """Decide the claim, and say what hand-made features are worth and until when.

    Returns:
        tables: errors, worth, stops and rivals.
        decided: small_m, level, and anywhere: the verdict on whether the machine wins on some data
            set, None where nothing was compared.
    """
    settings = asked.settings
    known = asked.thresholds()
    runs = pd.concat(
        [frame for frame in (asked.runs, asked.own) if frame is not None], ignore_index=True
    )
    tables = {str(name): error_tables(rows) for name, rows in runs.groupby("dataset", sort=False)}
    hand = {hand_made for _, hand_made in settings["feature_pairs"]}
    pairs = list(_pairs(tables, settings["feature_pairs"], settings["datasets"]))
    parts = decided([part for pair in pairs for part in _parts(pair, known)], known)
    measures = {name: Measure.of(sheet) for name, sheet in asked.sheets.items()}
    on_raw = [one for one in settings["learners"] if one["name"] not in hand]
    rivals = _rivals(pairs, tables, on_raw, known)
    return Findings(
        claims=[_claim(parts)],
        tables={
            "errors": pd.DataFrame(_errors(pairs, known.level), columns=ERRORS),
            "worth": pd.DataFrame(_worth(pairs, known.level), columns=WORTH),
            "stops": pd.DataFrame(
                _stops(pairs, runs, measures, settings["forecast_level"]), columns=STOPS
            ),
            "rivals": pd.DataFrame(rivals, columns=RIVALS),
        },
        decided={
            "small_m": known.small_m,
            "level": known.level,
            "anywhere": anywhere([row["verdict"] for row in rivals]),
        },
        names={one["name"]: one["label"] for one in settings["learners"] if one["name"] in hand},
    )


def _pairs(
    tables: Mapping[str, Mapping[str, Curve]],
    names: Sequence[Sequence[str]],
    datasets: Sequence[str],
) -> Iterator[Pair]:
    for dataset in datasets:
        curves = tables.get(dataset, {})
        for raw, hand in names:
            if raw in curves and hand in curves:
                yield Pair(dataset, raw, hand, curves[raw], curves[hand])


# The claim


def _parts(pair: Pair, known: ClaimSettings) -> Iterator[Part]:
    m, count = pair.m, known.small_m
    saving = Part(pair.dataset, pair.hand_made, pair.raw, None, 0.0, SAVING)
    shrinking = replace(saving, unit=SHRINKING)
    if not m:
        yield replace(saving, reason="they have no m in common")
        return
    small = pair.ratios(m[:count])
    saving, shrinking = replace(saving, m=m[min(count, len(m)) - 1]), replace(shrinking, m=m[-1])
    if small is None:
        yield replace(saving, reason=ZERO)
        yield replace(shrinking, reason=ZERO)
        return
    tests = known.tests_of(pair.dataset)
    at_small = pair.noise(m[:count], tests)
    found = measured_part(saving, mean_of(small).widened(at_small), known.level)
    ends: dict[str, Any] = {
        name: relative_reduction(getattr(found, name)) for name in ("effect", "low", "high")
    }
    yield replace(found, **ends)
    large = pair.ratios(m[-count:])
    if len(m) < 2 * count:
        yield replace(shrinking, reason=FEW_M)
    elif large is None:
        yield replace(shrinking, reason=ZERO)
    else:
        noise = math.hypot(at_small, pair.noise(m[-count:], tests))
        yield measured_part(shrinking, mean_of(small - large).widened(noise), known.level)


def _claim(parts: Sequence[Part]) -> dict[str, Any]:
    return {
        "claim": CLAIM,
        "verdict": verdict_on(parts),
        "threshold": 0.0,
        "unit": SAVING,
        "reason": None if parts else "no learner was trained on both kinds of features",
        "parts": [dict(vars(part)) for part in parts],
    }


# Beside the claim


def _errors(pairs: Sequence[Pair], level: float) -> Iterator[dict[str, Any]]:
    """Mean errors of both of each pair, with intervals."""
    for pair in pairs:
        both = {"raw": (pair.raw, pair.errors_raw), "hand_made": (pair.hand_made, pair.errors_hand)}
        for features, (learner, table) in both.items():
            for m, errors in table.iterrows():
                estimate = mean_of(errors.to_numpy(dtype=float))
                low, high = estimate.interval(level)
                yield {
                    "dataset": pair.dataset, "learner": learner, "pair": pair.raw,
                    "features": features, "m": int(str(m)), "error": estimate.value,
                    "low": low, "high": high,
                }  # fmt: skip


def _worth(pairs: Sequence[Pair], level: float) -> Iterator[dict[str, Any]]:
    """What hand-made features are worth in labels, at each m."""
    for pair in pairs:
        for m in pair.m:
            names = {"dataset": pair.dataset, "raw": pair.raw, "hand_made": pair.hand_made, "m": m}
            yield names | worth(pair.errors_raw, pair.errors_hand.loc[m].to_numpy(), m, level)


def worth(raw: Curve, hand: Floats, m: int, level: float) -> dict[str, Any]:
    """How many times m labelled examples on raw features give the error of hand-made ones at m.

    In each repeat, the curve on raw features is made falling (the lowest error so far) and read,
    between its m, as a power law. The factor is the geometric mean over the repeats with a t
    interval of its logarithm. Where a repeat's error lies outside the measured curve, its factor is
    only bounded: the result then is a bound too, without an interval, and none where some repeats
    leave at one end and others at the other.

    Args:
        raw: Errors on raw features, by m (ascending) and repeat.
        hand: Errors on hand-made features at m, [R].
        m: Labelled examples.
        level: Of the interval.

    Returns:
        factor, low, high, and bound: "", "at least", "at most", or "open" (no factor).
    """
    sizes = np.log(raw.index.to_numpy(dtype=float))
    found = [_reached(sizes, raw.iloc[:, r].to_numpy(), float(hand[r])) for r in range(len(hand))]
    logs = np.array([log for log, _ in found]) - math.log(m)
    sides = {side for _, side in found} - {""}
    if len(sides) > 1:
        return {"factor": math.nan, "low": math.nan, "high": math.nan, "bound": "open"}
    if sides:
        factor = math.exp(float(logs.mean()))
        return {"factor": factor, "low": math.nan, "high": math.nan, "bound": sides.pop()}
    estimate = mean_of(logs)
    low, high = (math.exp(end) for end in estimate.interval(level))
    return {"factor": math.exp(estimate.value), "low": low, "high": high, "bound": ""}


def _reached(log_m: Floats, errors: Floats, target: float) -> tuple[float, str]:
    """The log m at which a curve comes down to an error, or the end beyond which it does."""
    falling = np.minimum.accumulate(errors)
    if target >= falling[0]:
        return float(log_m[0]), "" if target == falling[0] else "at most"
    if target < falling[-1]:
        return float(log_m[-1]), "at least"
    after = int(np.flatnonzero(falling <= target)[0])
    above, below = falling[after - 1], falling[after]
    # A line in the logarithms; where the error below is zero, which has none, in the errors.
    up, down, at = (above, below, target) if below <= 0 else np.log([above, below, target])
    share = (up - at) / (up - down)
    return float(log_m[after - 1] + share * (log_m[after] - log_m[after - 1])), ""


def _stops(
    pairs: Sequence[Pair], runs: pd.DataFrame, measures: Mapping[str, Measure], level: float
) -> Iterator[dict[str, Any]]:
    """Where raw features overtake hand-made ones, or don't."""
    for dataset in dict.fromkeys(pair.dataset for pair in pairs):
        curves = curves_of(runs[runs["dataset"] == dataset], measures[dataset])
        for pair in (pair for pair in pairs if pair.dataset == dataset):
            try:
                found = decisions.crossing(curves[pair.raw], curves[pair.hand_made], level=level)
            except TakeoffError as error:
                if "range of m in common" not in error.problem:
                    raise
                continue
            after = {0: "raw", 1: "hand_made", None: ""}[found.better_after]
            yield {
                "dataset": dataset, "raw": pair.raw, "hand_made": pair.hand_made,
                "verdict": found.verdict, "basis": found.basis, "m": found.m, "low": found.low,
                "high": found.high, "better_after": after,
            }  # fmt: skip


def _rivals(
    pairs: Sequence[Pair],
    tables: Mapping[str, Mapping[str, Curve]],
    on_raw: Sequence[Mapping[str, Any]],
    known: ClaimSettings,
) -> list[dict[str, Any]]:
    """A support vector machine on hand-made features against the largest network on raw ones.

    The difference is the network's error minus that of the machine, averaged over the small m. As
    the question is whether the machine wins anywhere, p-values are corrected over the data sets.
    """
    networks = sorted((one for one in on_raw if one["rank"]), key=lambda one: int(one["rank"]))
    found, sides = [], []
    for pair in pairs:
        largest = networks[-1]["name"] if networks else ""
        other = tables[pair.dataset].get(largest)
        if not pair.hand_made.startswith(SVM) or other is None:
            continue
        shared = sorted(set(pair.errors_hand.index) & set(other.index))[: known.small_m]
        if not shared:
            continue
        gaps = (other.loc[shared] - pair.errors_hand.loc[shared]).to_numpy().mean(axis=0)
        estimate = mean_of(gaps).widened(_noise(pair, other, shared, known))
        low, high = estimate.interval(known.level)
        found.append({
            "dataset": pair.dataset, "hand_made": pair.hand_made, "network": largest,
            "m": shared[-1], "difference": estimate.value, "low": low, "high": high,
        })  # fmt: skip
        sides.append((estimate.p_above(0.0), estimate.p_below(0.0)))
    if not found:
        return []
    wins, loses = (holm([pair[side] for pair in sides]) for side in (0, 1))
    return [
        row | {"verdict": decide(wins[i], loses[i], known.level)} for i, row in enumerate(found)
    ]


def _noise(pair: Pair, other: Curve, shared: Sequence[int], known: ClaimSettings) -> float:
    """What the mean difference owes to the test set, an upper bound as in `Pair.noise`."""
    tests = known.tests_of(pair.dataset)
    if tests is None:
        return 0.0
    errors = np.stack([table.loc[list(shared)].mean(axis=1) for table in (other, pair.errors_hand)])
    return float(np.sqrt(binomial_variance(errors, tests).sum(axis=0)).mean())


def anywhere(verdicts: Sequence[Verdict]) -> Verdict | None:
    """Whether the machine wins on some data set, from what is shown on each of them.

    Supported by a single win, as verdicts are corrected over the data sets; refuted only where it
    is shown to lose on all of them. None where there is nothing to judge by.
    """
    if not verdicts:
        return None
    if "supported" in verdicts:
        return "supported"
    return "refuted" if set(verdicts) == {"refuted"} else "undecided"
