"""Decisions from one learning curve: how many labels, what more of them bring, has it flattened.

Within the measured range decisions are tests, on the repeats where there are any: they are the
independent units (Student's t). With standard errors alone they are z tests. With neither, the
noise comes from the curve itself (`takeoff.statistics.evidence.noise_of`). Beyond the measured
range decisions are statements about the predictive distribution of
`takeoff.statistics.extrapolate`. `basis` says which of these it was. What statements are about is
in `takeoff.statistics.measured`.

Nothing is stated beyond `FARTHEST` times the largest measured m: neither intervals nor
probabilities were checked there.

Comparisons of learners are in `takeoff.statistics.comparisons`, and can be had from here as well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from takeoff.errors import TakeoffError
from takeoff.statistics.claims import REPEATS_NEEDED, relative_reduction, slope_of
from takeoff.statistics.comparisons import (
    Crossing,
    Differences,
    Pair,
    Ranking,
    crossing,
    differences,
    probability_better,
    ranking,
)
from takeoff.statistics.evidence import POINTS_NEEDED
from takeoff.statistics.intervals import KNOWN, Estimate, Verdict, decide, mean_of
from takeoff.statistics.measured import (
    AHEAD,
    ESTIMATED,
    FARTHEST,
    HERE,
    LEVEL,
    About,
    Basis,
    Floats,
    Measured,
    at,
    in_digits,
    inflation,
    measured,
    noise_of_tests,
    tail_of,
)

__all__ = [
    "AHEAD",
    "ESTIMATED",
    "FARTHEST",
    "HERE",
    "KNOWN",
    "LEVEL",
    "About",
    "Basis",
    "Crossing",
    "Differences",
    "Gain",
    "LabelsNeeded",
    "Measured",
    "Pair",
    "Plateau",
    "Ranking",
    "at",
    "crossing",
    "differences",
    "floor_of",
    "gain_of",
    "labels_needed",
    "measured",
    "plateau",
    "probability_better",
    "ranking",
]

# Labels needed


@dataclass(frozen=True)
class LabelsNeeded:
    """The m that reaches a target error.

    Attributes:
        target: In the unit of the error.
        verdict: "reached" within the measured range; "about" beyond it; "never": the floor
            lies above the target; "not stated": it isn't reached within `FARTHEST` times the
            largest m by the median forecast, or there is too little to go on.
        m, low, high: Median and interval; None where not stated (beyond). `low` is the m from
            which the target may be reached already, also where the verdict is "not stated".
        probability: Of being at the target by `FARTHEST` times the largest m.
        floor, floor_low, floor_high: Where the curve would end, if that was asked; else None.
        remark: What else is to be known, or "".
    """

    target: float
    verdict: Literal["reached", "about", "never", "not stated"]
    m: float | None
    low: float | None
    high: float | None
    probability: float
    floor: float | None = None
    floor_low: float | None = None
    floor_high: float | None = None
    remark: str = ""

    def __str__(self) -> str:
        """In words."""
        if self.verdict == "never":
            return (
                f"never: floor at {self.floor:.3g} ({self.floor_low:.3g} to {self.floor_high:.3g})"
            )
        if self.verdict == "not stated":
            chance = f"P(by then) = {self.probability:.2f}"
            return f"beyond {FARTHEST:g}x the measured m: not stated ({chance})"
        range_ = f"({in_digits(self.low)} to {in_digits(self.high)})"
        start = "reached at about" if self.verdict == "reached" else "about"
        return f"{start} {in_digits(self.m)} {range_}"


def labels_needed(curve: Measured, target: float, *, level: float = LEVEL) -> LabelsNeeded:
    """How many labelled examples bring the error down to a target, and keep it there.

    Every quantile of the predictive distribution is a whole curve; the m at which the quantile
    curves of probability (1 - level) / 2, 1 / 2 and (1 + level) / 2 reach the target are the low
    end, the median and the high end. Within the measured range that is the m from which on
    the curve stays at the target or below it, so a dip that was lost again doesn't count.

    "never" needs two things: the low end of the forecast at `FARTHEST` times the largest m, and the
    low end of the floor (`floor_of`), are both above the target.

    Raises:
        TakeoffError: The target isn't a finite number >= 0.
    """
    if not (math.isfinite(target) and target >= 0):
        raise TakeoffError(f"the target {target} isn't an error", remedy="use 0.05, say")
    tail = tail_of(level)
    forecast = curve.forecast
    paths = forecast.quantile([tail, 0.5, 1 - tail])
    low, middle, high = (_reaches(forecast.m, path, target, len(curve.curve.m)) for path in paths)
    probability = float(np.max(forecast.cdf(target)[len(curve.curve.m) - 1 :]))
    found = LabelsNeeded(
        target, "not stated", middle, low, high, probability, remark=_lost(curve, target)
    )
    if middle is not None:
        return replace(found, verdict="reached" if middle <= curve.last_m else "about")
    if len(curve.curve.m) < POINTS_NEEDED:
        return replace(found, remark="too few points to say where the curve ends")
    if paths[0, -1] <= target:
        return found
    ends = floor_of(curve, level=level)
    if ends is None or ends[1] <= target:
        return found
    return replace(found, verdict="never", floor=ends[0], floor_low=ends[1], floor_high=ends[2])


def _reaches(m: Floats, path: Floats, target: float, points: int) -> float | None:
    """The m from which a path is at the target: for good among the first `points`, first beyond."""
    above = path > target
    inside = np.flatnonzero(above[:points])
    before = int(inside[-1]) if inside.size else -1
    if before == points - 1:
        below = np.flatnonzero(~above[points:])
        if not below.size:
            return None
        before = points - 1 + int(below[0])
    if before < 0:
        return float(m[0])
    share = (path[before] - target) / (path[before] - path[before + 1])
    return float(m[before] * (m[before + 1] / m[before]) ** share)


def _lost(curve: Measured, target: float) -> str:
    """A dip to the target that was lost again, in words."""
    reached = np.flatnonzero(curve.curve.error <= target)
    if curve.curve.last <= target or not reached.size:
        return ""
    return f"was at the target at m = {in_digits(float(curve.curve.m[reached[-1]]))}, then lost it"


def floor_of(curve: Measured, *, level: float = LEVEL) -> tuple[float, float, float] | None:
    """Where a curve ends: median, low and high end of the floors of several fits.

    Three families with floors, each unweighted and weighted to the tail, are fitted to the curve
    with noise added again (a parametric bootstrap); the quantiles are those of all these
    floors, so they carry the noise and the choice of the model alike. None with too few points.

    The floor is taken at `FOREVER` times the largest m, not at infinity: a flat curve is fitted by
    a power law without a floor and an exponent next to zero as well as by a constant, and these
    differ where nobody will ever be.

    True curves needn't belong to these families: what is uncertain at `FARTHEST` times the largest
    m is at least as uncertain beyond. So the low end is moved down by the lower half of the
    forecast's interval there. Without that "never" is wrong in 15 % of simulated curves whose
    targets lie next to the floor, with it in 4 % (`benchmarks/claims_calibration.py`).
    """
    if len(curve.curve.m) < POINTS_NEEDED:
        return None
    tail = tail_of(level)
    low, middle, high = np.quantile(curve.floors, [tail, 0.5, 1 - tail])
    farthest = curve.forecast.quantile([tail, 0.5])[:, -1]
    low = max(low - (farthest[1] - farthest[0]), curve.curve.bounds[0])
    return float(middle), float(low), float(high)


# Gain


@dataclass(frozen=True)
class Gain:
    """What `factor` times the data brings, in the unit of the error.

    Attributes:
        factor, m: Of the largest measured m, and their product.
        now: The measured error at the largest m.
        error, low, high: The forecast at m, with its interval.
        gain, gain_low, gain_high: now - error; positive where more data helps.
        relative, relative_low, relative_high: The same as a share of `now`; NaN where that is 0.
        probability: Of any gain.
    """

    factor: float
    m: float
    now: float
    error: float
    low: float
    high: float
    gain: float
    gain_low: float
    gain_high: float
    relative: float
    relative_low: float
    relative_high: float
    probability: float


def gain_of(curve: Measured, factor: float, *, level: float = LEVEL) -> Gain:
    """The error at `factor` times the largest m, and what that gains over the measured one.

    Raises:
        TakeoffError: The factor isn't above 1, or is beyond `FARTHEST`.
    """
    if not 1 < factor <= FARTHEST * (1 + 1e-9):
        raise TakeoffError(
            f"{factor:g} times the data: only factors above 1 and up to {FARTHEST:g} are stated",
            remedy=f"use a factor up to {FARTHEST:g}, or measure a larger m first",
        )
    m = curve.last_m * min(factor, FARTHEST)
    ahead = at(curve, [m])
    tail = tail_of(level)
    low, error, high = (float(q[0]) for q in ahead.quantile([tail, 0.5, 1 - tail]))
    now = curve.curve.last
    share = 1 / now if now > 0 else math.nan
    return Gain(
        factor=factor,
        m=m,
        now=now,
        error=error,
        low=low,
        high=high,
        gain=now - error,
        gain_low=now - high,
        gain_high=now - low,
        relative=(now - error) * share,
        relative_low=(now - high) * share,
        relative_high=(now - low) * share,
        probability=float(ahead.cdf(np.nextafter(now, -np.inf))[0]),
    )


# Plateau


@dataclass(frozen=True)
class Plateau:
    """Whether a curve has flattened.

    Attributes:
        verdict: supported (flat), refuted (still falls by the margin or more), or undecided.
        basis: "forecast" is about the next doublings, anything else about the last ones.
        from_m, to_m: What was compared.
        reduction, low, high: Relative reduction of the error per doubling; NaN if not known.
        p_flat, p_falls: One-sided p-values against "not flat" and "flat"; NaN if not known.
        reason: Why there is no estimate, or "".
    """

    verdict: Verdict
    basis: Basis
    from_m: float
    to_m: float
    reduction: float = math.nan
    low: float = math.nan
    high: float = math.nan
    p_flat: float = math.nan
    p_falls: float = math.nan
    reason: str = ""


def plateau(
    curve: Measured,
    margin: float = 0.05,
    doublings: float = 2,
    *,
    level: float = LEVEL,
    about: About = HERE,
) -> Plateau:
    """Is the relative reduction of the error per doubling of m below a margin?

    The test of `takeoff.statistics.claims.plateau`: flat isn't where no difference is significant,
    but where the reduction is shown to be *below* the margin (an equivalence test in the one
    direction that matters: Schuirmann 1987, Lakens 2017); an error that rises again counts as flat.
    The last `doublings` of m are looked at, on the scale of log2(error). Without repeats and
    standard errors the *next* doublings are, by the predictive distribution.

    Args:
        margin: Relative reduction per doubling, in (0, 1).
        about: What the statement is about; a pool only counts with repeats.

    Raises:
        TakeoffError: margin, doublings, pool or tests aren't usable.
    """
    tail_of(level)
    if not 0 < margin < 1:
        raise TakeoffError(f"margin {margin} isn't between 0 and 1", remedy="use 0.05, say")
    if not 0 < doublings <= math.log2(FARTHEST):
        raise TakeoffError(
            f"{doublings} doublings", remedy=f"use up to {math.log2(FARTHEST):.1f} doublings"
        )
    m = curve.curve.m
    start = _from_where(m, doublings)
    undecided = Plateau("undecided", "standard errors", float(m[start]), float(m[-1]))
    if len(m) < 2:
        return replace(undecided, reason="only one m was measured")
    slopes = _slopes(curve, start)
    if slopes is None and curve.standard_errors[1] != "standard errors":
        return _plateau_ahead(curve, margin, doublings, level)
    if (curve.curve.error[[start, -1]] <= 0).any() or not _finite(slopes):
        return replace(undecided, reason="an error of zero has no relative reduction")
    if slopes is None:
        estimate = _slope_of_means(curve, start)
    else:
        undecided, estimate = replace(undecided, basis="repeats"), mean_of(slopes)
        if about.pool is not None:
            more = inflation(m[-1], about.pool, slopes.size)
            estimate = replace(estimate, se=estimate.se * math.sqrt(float(more)))
    if about.tests is not None:
        estimate = _on_other_tests(estimate, curve, start, about.tests)
    return _plateau_from(undecided, estimate, margin, level)


def _on_other_tests(estimate: Estimate, curve: Measured, start: int, tests: float) -> Estimate:
    """A slope with what it owes to the test set."""
    ends = curve.curve.error[[start, -1]]
    relative = np.sqrt(noise_of_tests(curve, ends, tests)) / ends
    return estimate.widened(float(np.hypot(*relative)) / math.log(2) / _covered(curve, start))


def _from_where(m: Floats, doublings: float) -> int:
    """The index of the measured m nearest (in the logarithm) to the start of the last doublings."""
    if len(m) < 2:
        return 0
    return int(np.abs(np.log2(m[:-1] * 2.0**doublings / m[-1])).argmin())


def _slopes(curve: Measured, start: int) -> Floats | None:
    """[R] of log2(error) per doubling, by repeat; None without enough repeats.

    Not finite where an error is zero.
    """
    if curve.repeats is None:
        return None
    ends = curve.repeats[[start, -1]]
    ends = ends[:, np.isfinite(ends).all(axis=0)]
    if ends.shape[1] < REPEATS_NEEDED:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((np.log2(ends[0]) - np.log2(ends[1])) / _covered(curve, start))


def _finite(slopes: Floats | None) -> bool:
    return slopes is None or bool(np.isfinite(slopes).all())


def _covered(curve: Measured, start: int) -> float:
    return math.log2(curve.last_m / curve.curve.m[start])


def _slope_of_means(curve: Measured, start: int) -> Estimate:
    """Of log2(error) per doubling, by the delta method."""
    error, se = curve.curve.error[[start, -1]], curve.standard_errors[0][[start, -1]]
    covered = _covered(curve, start)
    spread = float(np.hypot(*(se / error))) / math.log(2) / covered
    return Estimate(float(np.log2(error[0] / error[1])) / covered, spread, KNOWN)


def _plateau_from(found: Plateau, slope: Estimate, margin: float, level: float) -> Plateau:
    low, high = (relative_reduction(end) for end in slope.interval(level))
    flat, falls = slope.p_below(slope_of(margin)), slope.p_above(slope_of(margin))
    return replace(
        found,
        verdict=decide(flat, falls, level),
        reduction=relative_reduction(slope.value),
        low=low,
        high=high,
        p_flat=flat,
        p_falls=falls,
    )


def _plateau_ahead(curve: Measured, margin: float, doublings: float, level: float) -> Plateau:
    """The reduction over the next doublings, from the predictive distribution."""
    now, to_m = curve.curve.last, curve.last_m * 2.0**doublings
    undecided = Plateau("undecided", "forecast", curve.last_m, to_m)
    if now <= 0:
        return replace(undecided, reason="an error of zero has no relative reduction")
    ahead, tail = at(curve, [to_m]), tail_of(level)
    low, middle, high = ahead.quantile([tail, 0.5, 1 - tail])[:, 0] / now
    falls_by = float(ahead.cdf(now * (1 - margin) ** doublings)[0])
    return replace(
        undecided,
        verdict=decide(falls_by, 1 - falls_by, level),
        reduction=1 - middle ** (1 / doublings),
        low=1 - high ** (1 / doublings),
        high=1 - low ** (1 / doublings),
        p_flat=falls_by,
        p_falls=1 - falls_by,
    )
