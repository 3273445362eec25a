"""What holds an error back: labels, the network's size, the features, or the noise in the data.

Each *lever* is one effect, as a share of the error that the best learner makes with all labels,
held against one margin: how much a lever has to remove to be worth pulling.

- labels: the forecast for `LABELS` times the labels (`takeoff.statistics.decisions.gain_of`).
- network: the last step of the ladder, from the second largest to the largest network, as measured
  at the largest m of both. That it paid says that a still larger one may; it isn't a forecast.
- features: the same learner on raw and on hand-made features, where both were run.
- floor: what lies above the error of the best possible decision, where that is known; otherwise
  above the floor that the best learner's curve leads to (`takeoff.statistics.decisions.floor_of`).
  Of a lower bound of the floor, only that little lies above it can be concluded.

A lever is answered "yes" or "no" where its interval lies on one side of the margin, "open" where
it doesn't, and "unmeasured" where the study has nothing to say. For the floor, "yes" means that it
holds the error back: what lies above it is less than the margin.

Measured steps are taken as differences of log(error) within repeats (Student's t), since shares are
what is asked for; without repeats by the delta method, from standard errors.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from takeoff.statistics.claims import REPEATS_NEEDED
from takeoff.statistics.decisions import ESTIMATED, Gain, Measured, floor_of, gain_of
from takeoff.statistics.evidence import POINTS_NEEDED
from takeoff.statistics.intervals import KNOWN, Estimate, mean_of

LABELS = 4.0  # times the labels: what the first lever asks about
Kind = Literal["labels", "network", "features", "floor"]
Answer = Literal["yes", "no", "open", "unmeasured"]
Floor = Literal["known", "bound", "curve"]
Verdict = Literal["floor", "levers", "end of the curve", "none", "open"]
REASONS = {
    "zero": "an error of zero leaves nothing to remove",
    "few points": "its curve has too few points to say where it leads",
    "one network": "the study has no two networks of different size",
    "no hand-made": "none of these curves is one on hand-made features",
    "no m in common": "the two were never measured at the same number of labels",
}


@dataclass(frozen=True)
class Lever:
    """One lever and what is known about it.

    Attributes:
        kind: Which.
        answer: See the module's docstring.
        subject, versus: The learner that it is about, and the one that it is compared with.
        m: Labelled examples at which it was measured, or (labels) that are forecast.
        removes, low, high: The share of the error that it removes, with its interval; for the
            floor, the share of the error that lies above it. NaN where not known.
        floor: What is known of the floor; None for other levers.
        in_use: Whether the best learner has pulled it already (features).
        reason: A key of `REASONS`, or "".
    """

    kind: Kind
    answer: Answer = "unmeasured"
    subject: str | None = None
    versus: str | None = None
    m: float | None = None
    removes: float = math.nan
    low: float = math.nan
    high: float = math.nan
    floor: Floor | None = None
    in_use: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Named:
    """A learner's curve by name."""

    name: str
    curve: Measured


def answered(lever: Lever, margin: float) -> Lever:
    """The lever with its answer: where its interval lies against the margin."""
    if math.isnan(lever.low) or math.isnan(lever.high):
        return lever
    if lever.low > margin:
        return replace(lever, answer="yes")
    return replace(lever, answer="no" if lever.high < margin else "open")


# The levers


def gain_above(curve: Measured, factor: float, floor: float | None, level: float) -> Gain:
    """`gain_of`, but no error lies below the floor that is known (exactly, or a lower bound)."""
    gain = gain_of(curve, factor, level=level)
    if floor is None or gain.now <= floor:
        return gain
    error, low, high = (max(end, floor) for end in (gain.error, gain.low, gain.high))
    left = [gain.now - end for end in (error, high, low)]
    share = [value / gain.now for value in left]
    ends = {"gain": left[0], "gain_low": left[1], "gain_high": left[2]}
    ends |= {"relative": share[0], "relative_low": share[1], "relative_high": share[2]}
    return replace(gain, error=error, low=low, high=high, **ends)


def labels(best: Named, margin: float, level: float, floor: float | None = None) -> Lever:
    """Would `LABELS` times the labels remove more than the margin?"""
    found = Lever("labels", subject=best.name, m=LABELS * best.curve.last_m)
    if best.curve.curve.last <= 0:
        return replace(found, answer="no", removes=0.0, reason="zero")
    gain = gain_above(best.curve, LABELS, floor, level)
    few = "few points" if len(best.curve.curve.m) < POINTS_NEEDED else ""
    known = replace(
        found, removes=gain.relative, low=gain.relative_low, high=gain.relative_high, reason=few
    )
    return answered(known, margin)


def network(ladder: Sequence[Named], margin: float, level: float) -> Lever:
    """Did the last step of the ladder of networks remove more than the margin?

    Args:
        ladder: Networks of different size, from small to large.
    """
    if len(ladder) < 2:
        return Lever("network", reason="one network")
    smaller, larger = ladder[-2:]
    return _step("network", smaller, larger, margin, level)


def features(pairs: Sequence[tuple[Named, Named]], best: str, margin: float, level: float) -> Lever:
    """Do hand-made features remove more than the margin from the error on raw ones?

    Args:
        pairs: Raw and hand-made, of the same learner each.
        best: The learner with the lowest error: its own pair is asked, if it is in one; otherwise
            the pair that holds the lowest error.
    """
    if not pairs:
        return Lever("features", reason="no hand-made")

    def place(pair: tuple[Named, Named]) -> tuple[bool, float]:
        lowest = min(one.curve.curve.last for one in pair)
        return best not in (pair[0].name, pair[1].name), lowest

    raw, hand_made = min(pairs, key=place)
    lever = _step("features", raw, hand_made, margin, level)
    return replace(lever, in_use=best in {hand.name for _, hand in pairs})


def floor(best: Named, known: float | None, is_bound: bool, margin: float, level: float) -> Lever:
    """Does less than the margin lie above the floor?

    Args:
        known: The error of the best possible decision, or None.
        is_bound: Whether `known` is only a lower bound of it.
    """
    found = Lever("floor", subject=best.name, m=best.curve.last_m, floor="curve")
    now = best.curve.curve.last
    if now <= 0:
        return replace(found, answer="no", reason="zero")
    if known is not None:
        low, high = _interval_of_last(best.curve, level)
        shares = [1 - known / max(error, 1e-300) for error in (low, now, high)]
        room = replace(found, floor="bound" if is_bound else "known")
        room = replace(room, low=shares[0], removes=shares[1], high=shares[2])
    else:
        ends = floor_of(best.curve, level=level)
        if ends is None:
            return replace(found, reason="few points")
        shares = [1 - end / now for end in ends]
        room = replace(found, removes=shares[0], high=shares[1], low=shares[2])
    return _at_floor(room, margin)


def _at_floor(room: Lever, margin: float) -> Lever:
    """A floor answers the other way round: it holds back where little lies above it."""
    above = answered(room, margin).answer
    turned: dict[Answer, Answer] = {"yes": "no", "no": "yes"}
    if room.floor == "bound" and above == "yes":
        return replace(room, answer="open")
    return replace(room, answer=turned.get(above, above))


def _step(kind: Kind, before: Named, after: Named, margin: float, level: float) -> Lever:
    """What going from one learner to another removed, at the largest m that both have."""
    found = Lever(kind, subject=after.name, versus=before.name)
    shared = np.intersect1d(before.curve.curve.m, after.curve.curve.m)
    if not shared.size:
        return replace(found, reason="no m in common")
    m = float(shared[-1])
    estimate = log_ratio(before.curve, after.curve, m)
    if estimate is None:
        return replace(found, m=m, reason="zero")
    low, high = estimate.interval(level)
    shares = [-math.expm1(-value) for value in (estimate.value, low, high)]
    return answered(replace(found, m=m, removes=shares[0], low=shares[1], high=shares[2]), margin)


def log_ratio(before: Measured, after: Measured, m: float) -> Estimate | None:
    """log(error before) - log(error after) at an m that both have measured; None at zero errors.

    Paired within repeats where both have the same ones, at least three of them.
    """
    rows = [int(np.flatnonzero(curve.curve.m == m)[0]) for curve in (before, after)]
    means = [curve.curve.error[row] for curve, row in zip((before, after), rows, strict=True)]
    if min(means) <= 0:
        return None
    paired = _paired_logs(before, after, rows)
    if paired is not None:
        return mean_of(paired) if np.isfinite(paired).all() else None
    errors = [curve.standard_errors for curve in (before, after)]
    relative = [se[row] / mean for (se, _), row, mean in zip(errors, rows, means, strict=True)]
    known = all(basis == "standard errors" for _, basis in errors)
    value = math.log(means[0] / means[1])
    return Estimate(value, math.hypot(*relative), KNOWN if known else ESTIMATED)


def _paired_logs(
    before: Measured, after: Measured, rows: Sequence[int]
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """[R] differences of logs within repeats; None without enough of them in common."""
    if before.repeats is None or after.repeats is None:
        return None
    first, second = before.repeats[rows[0]], after.repeats[rows[1]]
    if first.shape != second.shape:
        return None
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < REPEATS_NEEDED:
        return None
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(first[both]) - np.log(second[both]))


def _interval_of_last(curve: Measured, level: float) -> tuple[float, float]:
    """Of the mean error at the largest m; not below zero."""
    se, basis = curve.standard_errors
    own = None if curve.repeats is None else curve.repeats[-1][np.isfinite(curve.repeats[-1])]
    if own is not None and own.size >= REPEATS_NEEDED:
        low, high = mean_of(own).interval(level)
    else:
        df = KNOWN if basis == "standard errors" else ESTIMATED
        low, high = Estimate(curve.curve.last, float(se[-1]), df).interval(level)
    return max(low, 0.0), high


# What follows from them


def conclude(levers: Sequence[Lever]) -> tuple[Verdict, list[Lever]]:
    """What holds the error back, and the levers that say so.

    - "floor": the error is next to that of the best possible decision: nothing helps.
    - "levers": these would remove more than the margin, or did so with the last step.
    - "end of the curve": nothing is known of the best possible decision, but the best learner's
      curve is next to where it ends: more labels don't help *this* learner.
    - "none": every lever that was measured removes less than the margin.
    - "open": the intervals don't say.
    """
    by_kind = {lever.kind: lever for lever in levers}
    end = by_kind["floor"]
    if end.answer == "yes" and end.floor != "curve":
        return "floor", [end]
    pulled = [lever for lever in levers if lever.kind != "floor"]
    paying = [lever for lever in pulled if lever.answer == "yes" and not lever.in_use]
    if paying:
        return "levers", paying
    if end.answer == "yes":
        return "end of the curve", [end]
    asked = [lever for lever in pulled if lever.answer != "unmeasured" and not lever.in_use]
    if asked and all(lever.answer == "no" for lever in asked):
        return "none", asked
    return "open", [lever for lever in asked if lever.answer == "open"]


# What a label is worth


@dataclass(frozen=True)
class LabelValue:
    """What labels buy, on average over the next doubling of m.

    Attributes:
        m: The largest measured m, where the doubling starts.
        lot: Labels that are bought at once, to speak of: a power of ten, about a tenth of m.
        avoids, low, high: By how much a lot lowers the error, in its unit, with the interval of
            the forecast for twice the labels; low may be negative.
        cost, cost_low, cost_high: Labels that lower the error by `step`; None where the end of
            the interval says that no number of labels does.
        step: In the unit of the error.
    """

    m: float
    lot: int
    avoids: float
    low: float
    high: float
    step: float
    cost: float | None
    cost_low: float | None
    cost_high: float | None


def value_of_labels(
    curve: Measured, step: float, level: float, floor: float | None = None
) -> LabelValue:
    """What a label buys: (error now - error at twice the labels) / labels, with its interval.

    The mean slope of the forecast over the next doubling, not its slope at one point: whoever buys
    labels buys many, and the slope at one point is the noise of the last mean.

    Args:
        step: See `LabelValue`.
        floor: See `gain_above`.
    """
    gain, m = gain_above(curve, 2.0, floor, level), curve.last_m
    lot = 10 ** max(math.floor(math.log10(m)) - 1, 0)
    rate, low, high = (value / m for value in (gain.gain, gain.gain_low, gain.gain_high))
    cost, cost_low, cost_high = (step / one if one > 0 else None for one in (rate, high, low))
    return LabelValue(m, lot, lot * rate, lot * low, lot * high, step, cost, cost_low, cost_high)
