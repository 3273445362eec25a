"""Decisions from learning curves: how many labels, what more of them bring, which learner.

Within the measured range decisions are tests, on the repeats where there are any: all
learners see the same examples within a repeat, so differences are taken within repeats and the
repeats are the independent units (Student's t). With standard errors alone they are z tests
that take the means for independent, which errs on the wide side for means that share examples.
With neither, the noise comes from the curve itself (`takeoff.evidence.noise_of`). Beyond the
measured range decisions are statements about the predictive distribution of `takeoff.extrapolate`.
`basis` says which of these it was.

Nothing is stated beyond `FARTHEST` times the largest measured m: neither intervals nor
probabilities were checked there.

Subsets that overlap. The R subsets of m examples that are drawn from one pool of N share m^2 / N
examples on average. Their errors are independent draws *given the pool*, so t intervals are right
about the mean over subsets of this pool. For what another pool would give they are too narrow: the
errors of two repeats correlate by at most the share m / N (exactly so for a statistic that is a sum
over examples; its higher-order terms correlate less: Hoeffding 1948), which makes the variance of
the mean

    s^2 * (1 / R + share / (1 - share)),        share = m / N,

the form of the corrected resampled t test (Nadeau and Bengio 2003, who have n_test / n_train as
the ratio, for test sets that overlap; here all repeats share the test set, and the training sets
overlap).

One test set. Where all repeats are tested on the same T examples, no repeat shows how much the
errors owe to these examples: binomial noise, error * (1 - error) / T in variance (Dietterich 1998).
Of a difference of two errors it is the sum of both if they had nothing in common; two learners
fail on much the same examples, so that errs on the wide side.

`About(pool, tests)` adds either. The default is the rest of the package's: the repeats as units,
statements about this pool and this test set.

Arvesen 1969 and Holm 1979 are as in `takeoff.intervals`; Fieller 1954 is the idea of `crossing`,
Mogstad, Romano, Shaikh and Wilhelm 2024 ("Inference for ranks") that of the ranks' intervals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from takeoff import families
from takeoff.claims import REPEATS_NEEDED, relative_reduction, slope_of
from takeoff.errors import TakeoffError
from takeoff.evidence import POINTS_NEEDED, TAILS, Curve, Kind, check, noise_of, standard_errors
from takeoff.extrapolate import Forecast, forecast_curve, probability_below
from takeoff.intervals import (
    KNOWN,
    Estimate,
    Verdict,
    binomial_variance,
    decide,
    holm,
    mean_of,
    with_known,
)

Floats = NDArray[np.float64]
Basis = Literal["repeats", "standard errors", "noise of the curves", "forecast"]


@dataclass(frozen=True)
class About:
    """What statements within the measured range are about: see the module's docstring.

    Attributes:
        pool: Examples that the subsets of a repeat are drawn from, for statements about other
            pools; None for this pool.
        tests: Examples in the one test set of all repeats, for statements about other test sets;
            None for this one, or if every repeat has its own. Only for errors, not for losses.
    """

    pool: float | None = None
    tests: float | None = None


HERE = About()

FARTHEST = 10.0  # times the largest measured m; nothing is stated beyond
LEVEL = 0.9
AHEAD = np.geomspace(1.0, FARTHEST, 61)[1:]  # factors of the largest m looked at
DRAWS = 400  # of whole curves
ESTIMATED = 8  # degrees of freedom of a noise that was read off the last ten points
PER_OCTAVE = 2  # m at which two curves are tested for who is better; more would be nearly the same
BETWEEN = 40  # steps between two measured m in which a crossing is looked for
FOREVER = 1e6  # times the largest measured m: what isn't reached by then is never reached
FLOORED = ("pow3", "pow4", "m4")
REPLICATES = 40  # per family and weighting, of the floor


@dataclass(frozen=True)
class Measured:
    """A learning curve and what is known about its noise; see `measured`.

    Attributes:
        curve: Means, ascending in m.
        repeats: [P, R] errors by repeat, NaN where missing; None without repeats. Columns with
            the same index are the same repeat in every curve that is compared.
    """

    curve: Curve
    repeats: Floats | None = None

    @property
    def last_m(self) -> float:
        """The largest measured m."""
        return float(self.curve.m[-1])

    @cached_property
    def forecast(self) -> Forecast:
        """At the measured m and at `AHEAD` times the largest."""
        return forecast_curve(self.curve, np.concatenate([self.curve.m, self.last_m * AHEAD]))

    @cached_property
    def floors(self) -> Floats:
        """Bootstrapped floors: see `floor_of`."""
        return _floors(self.curve, self.standard_errors[0])

    @property
    def standard_errors(self) -> tuple[Floats, Basis]:
        """[P] of the means, > 0, and where they come from."""
        known = np.isfinite(self.curve.stderr) & (self.curve.stderr > 0)
        if known.any():
            usual = float(np.median(self.curve.stderr[known]))
            return np.where(known, self.curve.stderr, usual), "standard errors"
        return np.full(len(self.curve.m), noise_of(self.curve)), "noise of the curves"


def measured(
    m: ArrayLike,
    error: ArrayLike,
    *,
    stderr: ArrayLike | None = None,
    floor: float | None = None,
    chance: float | None = None,
    kind: Kind = "auto",
    where: str | None = None,
) -> Measured:
    """A curve to decide about.

    Args:
        m: [P] labelled examples, positive, distinct, any order.
        error: [P] mean test errors (or losses), or [P, R] by repeat, NaN where one is missing.
        stderr: [P] of the means; not with repeats, from which it is computed.
        floor, chance, kind: As in `takeoff.extrapolate.extrapolate`.
        where: What error messages name.

    Raises:
        TakeoffError: As `extrapolate` does, or standard errors beside repeats.
    """
    m, errors = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (m, error))
    if errors.ndim == 1:
        return Measured(
            check(m, errors, stderr, floor=floor, chance=chance, kind=kind, where=where)
        )
    if stderr is not None:
        raise TakeoffError(
            "has standard errors and repeats", where=where, remedy="leave out the standard errors"
        )
    count = np.isfinite(errors).sum(axis=1)
    if len(m) != len(errors) or (count == 0).any():
        raise TakeoffError(
            "an m has no errors", where=where, remedy="give at least one repeat of every m"
        )
    mean = np.nanmean(errors, axis=1)
    squares = np.nansum((errors - mean[:, None]) ** 2, axis=1)
    se = np.where(count > 1, np.sqrt(squares / np.maximum(count - 1, 1) / count), np.nan)
    curve = check(m, mean, se, floor=floor, chance=chance, kind=kind, where=where)
    return Measured(curve, errors[np.argsort(m)])


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
        range_ = f"({_count(self.low)} to {_count(self.high)})"
        start = "reached at about" if self.verdict == "reached" else "about"
        return f"{start} {_count(self.m)} {range_}"


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
    tail = _tail(level)
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
    return f"was at the target at m = {_count(float(curve.curve.m[reached[-1]]))}, then lost it"


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
    tail = _tail(level)
    low, middle, high = np.quantile(curve.floors, [tail, 0.5, 1 - tail])
    farthest = curve.forecast.quantile([tail, 0.5])[:, -1]
    low = max(low - (farthest[1] - farthest[0]), curve.curve.bounds[0])
    return float(middle), float(low), float(high)


def _floors(points: Curve, stderr: Floats) -> Floats:
    """Bootstrapped floors, in any order; see `floor_of`."""
    noise = np.random.default_rng(0).standard_normal((REPLICATES, len(points.m))) * stderr
    errors = np.clip(points.error + noise, 0.0, np.inf if points.is_loss else 1.0)
    precision = 1 / standard_errors(points) ** 2
    tails = [precision * (points.m / points.m[-1]) ** tail for tail in TAILS[:2]]
    weights = np.repeat(np.array([row / row.max() for row in tails]), REPLICATES, axis=0)
    errors = np.tile(errors, (len(tails), 1))
    floors = []
    for family in FLOORED:
        fitted = families.fit(
            family,
            points.m,
            errors,
            weights,
            bounds=points.bounds,
            ceiling=points.ceiling,
            robust=False,
            rounds=8,
        )
        ends = fitted.error(points.m[-1:] * FOREVER)[:, 0]
        floors.append(ends[np.isfinite(ends)])
    return np.concatenate(floors)


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
    tail = _tail(level)
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


def at(curve: Measured, m: ArrayLike) -> Forecast:
    """The curve's forecast at other m, read off the one that it keeps (linear in log m).

    Args:
        m: [T] within the measured range or up to `FARTHEST` times the largest.
    """
    whole = curve.forecast
    targets = np.atleast_1d(np.asarray(m, dtype=float))

    def between(values: Floats) -> Floats:
        return np.asarray(np.interp(np.log(targets), np.log(whole.m), values))

    return replace(
        whole,
        m=targets,
        predicted=between(whole.predicted),
        low=between(whole.low),
        high=between(whole.high),
        scale=between(whole.scale),
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

    The test of `takeoff.claims.plateau`: flat isn't where no difference is significant, but where
    the reduction is shown to be *below* the margin (an equivalence test in the one direction that
    matters: Schuirmann 1987, Lakens 2017); an error that rises again counts as flat. The last
    `doublings` of m are looked at, on the scale of log2(error). Without repeats and standard errors
    the *next* doublings are, by the predictive distribution.

    Args:
        margin: Relative reduction per doubling, in (0, 1).
        about: What the statement is about; a pool only counts with repeats.

    Raises:
        TakeoffError: margin, doublings, pool or tests aren't usable.
    """
    _tail(level)
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
            inflation = float(_inflation(m[-1], about.pool, slopes.size))
            estimate = replace(estimate, se=estimate.se * math.sqrt(inflation))
    if about.tests is not None:
        estimate = _on_other_tests(estimate, curve, start, about.tests)
    return _plateau_from(undecided, estimate, margin, level)


def _on_other_tests(estimate: Estimate, curve: Measured, start: int, tests: float) -> Estimate:
    """A slope with what it owes to the test set."""
    ends = curve.curve.error[[start, -1]]
    relative = np.sqrt(_of_tests(curve, ends, tests)) / ends
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
    ahead, tail = at(curve, [to_m]), _tail(level)
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


# Two learners


@dataclass(frozen=True)
class Differences:
    """The error of one learner minus that of another, at T values of m.

    Attributes:
        m: [T]
        value, se, df: [T] with the degrees of freedom of `se`.
        basis: Where `se` comes from.
    """

    m: Floats
    value: Floats
    se: Floats
    df: Floats
    basis: Basis

    def estimate(self, i: int) -> Estimate:
        """At the i-th m."""
        return Estimate(float(self.value[i]), float(self.se[i]), int(self.df[i]))


def differences(
    first: Measured, second: Measured, m: ArrayLike, *, about: About = HERE
) -> Differences:
    """first - second at m within what both have measured; in between curves are power laws.

    Paired by repeat where both have the same repeats, at least three; otherwise the means are
    taken for independent.

    Args:
        m: [T] ascending.
        about: What the statement is about; a pool only counts with repeats.
    """
    targets = np.atleast_1d(np.asarray(m, dtype=float))
    found = _paired_differences(first, second, targets, about)
    if found is None:
        parts = [_interpolated(curve, targets) for curve in (first, second)]
        (a, a_se, a_basis), (b, b_se, b_basis) = parts
        known = a_basis == b_basis == "standard errors"
        basis: Basis = "standard errors" if known else "noise of the curves"
        df = np.full(len(targets), float(KNOWN if known else ESTIMATED))
        found = Differences(targets, a - b, np.hypot(a_se, b_se), df, basis)
    if about.tests is None:
        return found
    binomial = sum(_of_tests(curve, _interpolated(curve, targets)[0], about.tests)
                   for curve in (first, second))  # fmt: skip
    se, df = with_known(found.se, found.df, np.sqrt(binomial))
    return replace(found, se=se, df=df)


def _paired_differences(
    first: Measured, second: Measured, m: Floats, about: About
) -> Differences | None:
    paired = _paired(first, second, m)
    if paired is None:
        return None
    repeats = paired.shape[1]
    se = paired.std(axis=1, ddof=1) / math.sqrt(repeats)
    if about.pool is not None:
        se = se * np.sqrt(_inflation(m, about.pool, repeats))
    df = np.full(len(m), repeats - 1.0)
    return Differences(m, paired.mean(axis=1), se, df, "repeats")


def _paired(first: Measured, second: Measured, m: Floats) -> Floats | None:
    """[T, R] differences within repeats; None without enough repeats in common."""
    if first.repeats is None or second.repeats is None:
        return None
    if first.repeats.shape[1] != second.repeats.shape[1]:
        return None
    values = [_by_repeat(curve, m) for curve in (first, second)]
    difference = values[0] - values[1]
    difference = difference[:, np.isfinite(difference).all(axis=0)]
    return difference if difference.shape[1] >= REPEATS_NEEDED else None


def _by_repeat(curve: Measured, m: Floats) -> Floats:
    """[T, R] errors by repeat at m; NaN where a neighbour is missing."""
    assert curve.repeats is not None
    before, share = _neighbours(curve.curve.m, m)
    after = np.minimum(before + 1, len(curve.curve.m) - 1)
    return _between(curve.repeats[before], curve.repeats[after], share[:, None])


def _between(left: Floats, right: Floats, share: Floats) -> Floats:
    """Errors between two measured m: on the power law through both, on a line where one is zero.

    Only the left (right) one counts where the share is 0 (1), also if the other is missing.
    """
    left, right = np.where(share == 1, right, left), np.where(share == 0, left, right)
    with np.errstate(divide="ignore", invalid="ignore"):
        power = np.exp((1 - share) * np.log(left) + share * np.log(right))
    line = left + share * (right - left)
    return np.where((left > 0) & (right > 0), power, line)


def _neighbours(known: Floats, m: Floats) -> tuple[NDArray[np.intp], Floats]:
    """The index of the measured m before each m, and how far it is to the next, in log m."""
    if len(known) == 1:
        return np.zeros(len(m), dtype=np.intp), np.zeros(len(m))
    before = np.clip(np.searchsorted(known, m, side="right") - 1, 0, len(known) - 2)
    share = np.log(m / known[before]) / np.log(known[before + 1] / known[before])
    return before, np.clip(share, 0.0, 1.0)


def _interpolated(curve: Measured, m: Floats) -> tuple[Floats, Floats, Basis]:
    """Means and standard errors at m, for independent points."""
    se, basis = curve.standard_errors
    before, share = _neighbours(curve.curve.m, m)
    after = np.minimum(before + 1, len(curve.curve.m) - 1)
    error = curve.curve.error
    mean = _between(error[before], error[after], share)
    return mean, np.hypot((1 - share) * se[before], share * se[after]), basis


@dataclass(frozen=True)
class Crossing:
    """Where two curves change places.

    Attributes:
        verdict: "crosses", "none", or "undecided", between from_m and to_m.
        basis: "forecast": beyond the measured range; otherwise within it.
        from_m, to_m: What was looked at. After "none" within the measured range and a look
            ahead, to_m is the end of what was looked at.
        m, low, high: Where, with its interval; None unless it crosses, or, for a forecast, where
            the median is (or isn't) there.
        better_before, better_after: 0 for the first curve, 1 for the second, None if not known.
        probability: Of a change of places beyond the measured range by to_m; NaN within it.
    """

    verdict: Literal["crosses", "none", "undecided"]
    basis: Basis
    from_m: float
    to_m: float
    m: float | None = None
    low: float | None = None
    high: float | None = None
    better_before: int | None = None
    better_after: int | None = None
    probability: float = math.nan

    def __str__(self) -> str:
        """In words."""
        if self.verdict == "crosses":
            return f"at about {_count(self.m)} ({_count(self.low)} to {_count(self.high)})"
        range_ = f"{_count(self.from_m)} to {_count(self.to_m)}"
        if self.verdict == "none":
            return f"none within {range_}"
        chance = "" if math.isnan(self.probability) else f", P = {self.probability:.2f}"
        return f"undecided within {range_}{chance}"


def crossing(
    first: Measured, second: Measured, *, level: float = LEVEL, about: About = HERE
) -> Crossing:
    """Where the order of two learners changes (for the last time), as an interval in m.

    Within the measured range they cross where one is shown to be better at some m and the other
    at some larger m, with Holm's correction over the m that are tested (at most `PER_OCTAVE` in an
    octave). The interval is the inversion of the test: all m between these two at which the
    difference isn't significantly different from zero; between measured m, curves are taken for
    power laws. It covers the m of a true difference of zero with probability `level` however few
    the repeats are, as Fieller's (1954) does for a ratio and a bootstrap over a handful of repeats
    doesn't.

    Without a crossing there, the two predictive distributions say whether and where they
    cross up to `FARTHEST` times the smaller of the two largest m. They are taken for independent.

    "none" is shown, too: one learner is better at every m tested, and beyond with
    probability at least (1 + level) / 2.

    Raises:
        TakeoffError: The measured ranges don't overlap.
    """
    _tail(level)
    inside = _crossing_inside(first, second, level, about)
    if inside.verdict == "crosses":
        return inside
    ahead = _crossing_ahead(first, second, level, inside.to_m)
    if ahead.verdict == "none":
        return replace(ahead, verdict=inside.verdict, from_m=inside.from_m)
    return ahead


def _common_range(first: Measured, second: Measured) -> tuple[float, float]:
    start = max(float(first.curve.m[0]), float(second.curve.m[0]))
    end = min(first.last_m, second.last_m)
    if start > end:
        raise TakeoffError(
            "the two curves have no range of m in common", remedy="measure both at the same m"
        )
    return start, end


def _crossing_inside(first: Measured, second: Measured, level: float, about: About) -> Crossing:
    start, end = _common_range(first, second)
    known = np.union1d(first.curve.m, second.curve.m)
    known = known[(known >= start) & (known <= end)]
    tested = differences(first, second, _thinned(known), about=about)
    signs = _shown(tested, level)
    found = Crossing("undecided", tested.basis, start, end)
    shown = np.flatnonzero(signs)
    changes = np.flatnonzero(np.diff(signs[shown]))
    if changes.size:
        left, right = shown[changes[-1]], shown[changes[-1] + 1]
        between = (tested.m[left], tested.m[right])
        found = _located(
            replace(found, verdict="crosses"), first, second, known, between, level, about
        )
        return replace(
            found, better_before=int(signs[left] > 0), better_after=int(signs[right] > 0)
        )
    better = _better_throughout(tested, level)
    if better is not None:
        found = replace(found, verdict="none", better_before=better, better_after=better)
    return found


def _thinned(m: Floats) -> Floats:
    """At most PER_OCTAVE of the m in an octave, counted from the largest, and the smallest."""
    kept = [float(m[-1])]
    for value in m[::-1][1:]:
        if value <= kept[-1] * 2 ** (-1 / PER_OCTAVE) * (1 + 1e-9):
            kept.append(float(value))
    return np.array(kept[::-1])


def _shown(tested: Differences, level: float) -> NDArray[np.int_]:
    """[T] the sign of each difference where it is shown, corrected over all of them; else 0."""
    p = []
    for i in range(len(tested.m)):
        estimate = tested.estimate(i)
        p.append(min(1.0, 2 * min(estimate.p_above(0.0), estimate.p_below(0.0))))
    significant = np.array(holm(p)) < 1 - level
    return np.where(significant, np.sign(tested.value), 0).astype(int)


def _better_throughout(tested: Differences, level: float) -> int | None:
    """The curve that is better at every m tested: intersection-union, so uncorrected."""
    estimates = [tested.estimate(i) for i in range(len(tested.m))]
    alpha = _tail(level)
    if all(estimate.p_below(0.0) < alpha for estimate in estimates):
        return 0
    return 1 if all(estimate.p_above(0.0) < alpha for estimate in estimates) else None


def _located(
    found: Crossing,
    first: Measured,
    second: Measured,
    known: Floats,
    between: tuple[float, float],
    level: float,
    about: About,
) -> Crossing:
    """The last change of sign between two m, and the m that the test doesn't tell from it."""
    inside = known[(known >= between[0]) & (known <= between[1])]
    steps = np.linspace(0, 1, BETWEEN, endpoint=False)
    log_m = np.log(inside[:-1, None]) + steps * np.diff(np.log(inside))[:, None]
    dense = np.append(np.exp(log_m.ravel()), inside[-1])
    difference = differences(first, second, dense, about=about)
    critical = special.stdtrit(np.floor(difference.df), (1 + level) / 2)
    excess = np.abs(difference.value) - critical * difference.se  # above 0: told from a crossing
    turn = int(np.flatnonzero(np.diff(np.sign(difference.value)) != 0)[-1])
    near = np.flatnonzero(excess <= 0)
    low, high = int(min(near.min(initial=turn), turn)), int(max(near.max(initial=0), turn + 1))
    m = _zero(dense, difference.value, turn, turn + 1)
    return replace(
        found,
        m=m,
        low=min(m, _zero(dense, excess, low, max(low - 1, 0))),
        high=max(m, _zero(dense, excess, high, min(high + 1, len(dense) - 1))),
    )


def _zero(m: Floats, values: Floats, inner: int, outer: int) -> float:
    """Where values that change their sign between two m are zero; at `inner` if they don't."""
    if values[inner] * values[outer] >= 0:
        return float(m[inner])
    share = values[inner] / (values[inner] - values[outer])
    return float(m[inner] * (m[outer] / m[inner]) ** share)


def _crossing_ahead(first: Measured, second: Measured, level: float, start: float) -> Crossing:
    """Up to FARTHEST times the smaller of the two largest m, by the predictive distributions."""
    end = FARTHEST * min(first.last_m, second.last_m)
    m = np.geomspace(start, end, len(AHEAD) + 1)[1:]
    begun = differences(first, second, [start])
    better = int(begun.value[0] > 0)
    draws = [at(one, m).paths(DRAWS, seed=i) for i, one in enumerate((first, second))]
    other = (draws[0] > draws[1]) if better == 0 else (draws[0] < draws[1])
    crossed = other.any(axis=1)
    where = np.where(crossed, m[other.argmax(axis=1)], np.inf)
    probability, tail = float(crossed.mean()), _tail(level)
    low, middle, high = np.quantile(where, [tail, 0.5, 1 - tail], method="nearest")
    found = Crossing(
        "undecided",
        "forecast",
        start,
        end,
        m=_stated(middle),
        low=_stated(low),
        high=_stated(high),
        better_before=better,
        probability=probability,
    )
    if probability >= 1 - tail:
        return replace(found, verdict="crosses", better_after=1 - better)
    if probability <= tail:
        return replace(found, verdict="none", better_after=better)
    return found


# Several learners


@dataclass(frozen=True)
class Pair:
    """Two learners at one m.

    Attributes:
        first, second: Their names; the first has the lower mean error.
        difference, low, high: Error of the second minus that of the first; the interval is for
            this pair alone.
        probability: That the first is better.
        p: Two-sided p-value, adjusted over all pairs (Holm).
        verdict: supported: the first is shown to be better, after the correction; or undecided.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    probability: float
    p: float
    verdict: Verdict


@dataclass(frozen=True)
class Ranking:
    """The order of some learners at one m.

    Attributes:
        m: Where.
        basis: Where the uncertainty comes from; "forecast" beyond the measured range.
        errors: By learner, from best to worst.
        ranks: By learner, the lowest and the highest rank that the pairs leave open: 1 + how many
            are shown to be better, and the number of learners minus how many are shown to be
            worse. All hold at once, as the pairs do.
        pairs: All of them.
    """

    m: float
    basis: Basis
    errors: Mapping[str, float]
    ranks: Mapping[str, tuple[int, int]]
    pairs: tuple[Pair, ...]


def ranking(
    curves: Mapping[str, Measured],
    m: float | None = None,
    *,
    level: float = LEVEL,
    about: About = HERE,
) -> Ranking:
    """Order learners by their error at one m, and say which differences are shown.

    Args:
        curves: By learner.
        m: Where; by default the largest m up to which all were measured. Beyond that the
            predictive distributions are compared, up to `FARTHEST` times.

    Raises:
        TakeoffError: No curves, no range in common, or m outside what may be stated.
    """
    _tail(level)
    if not curves:
        raise TakeoffError("there are no curves to rank", remedy="give at least one")
    start = max(float(curve.curve.m[0]) for curve in curves.values())
    end = min(curve.last_m for curve in curves.values())
    where = end if m is None else float(m)
    if start > end:
        raise TakeoffError("the curves have no range of m in common", remedy="rank fewer of them")
    if not start <= where <= FARTHEST * end * (1 + 1e-9):
        raise TakeoffError(
            f"m = {where:g} can't be ranked: the curves have {start:g} to {end:g} in common",
            remedy=f"use an m from {start:g} to {FARTHEST * end:g}",
        )
    return _ranked(curves, where, where > end, level, about)


def _ranked(
    curves: Mapping[str, Measured], m: float, ahead: bool, level: float, about: About
) -> Ranking:
    forecasts = {name: at(curve, [m]) for name, curve in curves.items()} if ahead else {}
    errors = {name: float(one.predicted[0]) for name, one in forecasts.items()} or {
        name: float(_interpolated(curve, np.array([m]))[0][0]) for name, curve in curves.items()
    }
    order = sorted(errors, key=lambda name: errors[name])
    bases: set[Basis] = {"forecast"} if ahead else set()
    pairs = []
    for first, second in itertools.combinations(order, 2):
        if ahead:
            pairs.append(_forecast_pair(first, second, forecasts, level))
        else:
            found = differences(curves[second], curves[first], [m], about=about)
            bases.add(found.basis)
            pairs.append(_measured_pair(first, second, found.estimate(0), level))
    adjusted = holm([pair.p for pair in pairs]) if pairs else []
    pairs = [
        replace(pair, p=p, verdict="supported" if p < 1 - level else "undecided")
        for pair, p in zip(pairs, adjusted, strict=True)
    ]
    basis: Basis = max(bases, key=_WEAKEST.index, default=curves[order[0]].standard_errors[1])
    return Ranking(
        m, basis, {name: errors[name] for name in order}, _ranks(order, pairs), tuple(pairs)
    )


_WEAKEST: tuple[Basis, ...] = ("repeats", "standard errors", "noise of the curves", "forecast")


def _measured_pair(first: str, second: str, estimate: Estimate, level: float) -> Pair:
    low, high = estimate.interval(level)
    not_better = estimate.p_above(0.0)
    p = min(1.0, 2 * min(not_better, 1 - not_better))
    return Pair(first, second, estimate.value, low, high, 1 - not_better, p, "undecided")


def _forecast_pair(
    first: str, second: str, forecasts: Mapping[str, Forecast], level: float
) -> Pair:
    a, b = forecasts[first], forecasts[second]
    draws = b.paths(10 * DRAWS, seed=1)[:, 0] - a.paths(10 * DRAWS, seed=2)[:, 0]
    tail = _tail(level)
    low, high = np.quantile(draws, [tail, 1 - tail])
    better = float(probability_below(a, b)[0])
    value = float(b.predicted[0] - a.predicted[0])
    p = 2 * min(better, 1 - better)
    return Pair(first, second, value, float(low), float(high), better, p, "undecided")


def _ranks(order: Sequence[str], pairs: Sequence[Pair]) -> dict[str, tuple[int, int]]:
    shown = [pair for pair in pairs if pair.verdict == "supported"]
    return {
        name: (
            1 + sum(pair.second == name for pair in shown),
            len(order) - sum(pair.first == name for pair in shown),
        )
        for name in order
    }


def probability_better(
    first: Measured, second: Measured, m: ArrayLike, *, about: About = HERE
) -> Floats:
    """P(the first has the lower error) at each m: [T].

    Where both are measured it is the confidence distribution of their difference (one minus
    the one-sided p-value), beyond that it compares the predictive distributions.

    Args:
        m: [T] up to `FARTHEST` times the smaller of the two largest m.

    Raises:
        TakeoffError: An m is outside of that, or the measured ranges don't overlap.
    """
    targets = np.atleast_1d(np.asarray(m, dtype=float))
    start, end = _common_range(first, second)
    if (targets < start).any() or (targets > FARTHEST * end * (1 + 1e-9)).any():
        raise TakeoffError(
            f"only m from {start:g} to {FARTHEST * end:g} are stated", remedy="leave out the others"
        )
    inside = differences(first, second, np.minimum(targets, end), about=about)
    known = [inside.estimate(i).p_above(0.0) for i in range(len(targets))]
    if (targets <= end).all():
        return np.array(known)
    beyond = probability_below(at(first, targets), at(second, targets))
    return np.where(targets <= end, known, beyond)


# Overlapping subsets, and what else is shared


def _inflation(m: ArrayLike, pool: float, repeats: int) -> Floats:
    """Of the variance of a mean over subsets of a pool, for statements about other pools.

    (1 / R + share / (1 - share)) / (1 / R); see the module's docstring.

    Raises:
        TakeoffError: A subset has at least as many examples as the pool.
    """
    share = np.asarray(m, dtype=float) / pool
    if not (pool > 0 and (share < 1).all()):
        raise TakeoffError(
            f"a pool of {pool:g} examples isn't larger than its subset of {np.max(m):g}",
            remedy="give the number of examples that the subsets are drawn from",
        )
    return np.asarray(1 + repeats * share / (1 - share))


def _of_tests(curve: Measured, error: Floats, tests: float) -> Floats:
    """[T] the variance of errors [T] that comes from the choice of the test examples.

    Raises:
        TakeoffError: These are losses, or there are no test examples.
    """
    if not tests > 0 or curve.curve.is_loss:
        raise TakeoffError(
            "the noise of a test set is only known for error rates and a number of examples",
            remedy="leave out the size of the test set",
        )
    return binomial_variance(error, tests)


def _tail(level: float) -> float:
    """What a two-sided interval leaves out on each side.

    Raises:
        TakeoffError: The level isn't between 0 and 1.
    """
    if not 0 < level < 1:
        raise TakeoffError(f"level {level} isn't between 0 and 1", remedy="use 0.9, say")
    return (1 - level) / 2


def _stated(m: float) -> float | None:
    """None for infinity: beyond what is stated."""
    return float(m) if math.isfinite(m) else None


def _count(m: float | None) -> str:
    """A number of examples to two digits; what isn't stated is beyond."""
    if m is None:
        return f"beyond {FARTHEST:g}x"
    digits = 1 - math.floor(math.log10(m)) if m > 0 else 0
    return f"{round(m, digits):,.0f}" if m >= 10 else f"{m:.2g}"
