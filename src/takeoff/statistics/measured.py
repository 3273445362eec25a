"""A learning curve to decide about, what is known of its noise, and what statements are about.

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

`About(pool, tests)` adds either. The default is the repeats as units, statements about this pool
and this test set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from takeoff.errors import TakeoffError
from takeoff.statistics import families
from takeoff.statistics.evidence import TAILS, Curve, Kind, check, noise_of, standard_errors
from takeoff.statistics.extrapolate import Forecast, forecast_curve
from takeoff.statistics.intervals import binomial_variance

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
ESTIMATED = 8  # degrees of freedom of a noise that was read off the last ten points
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
        floor, chance, kind: As in `takeoff.statistics.extrapolate.extrapolate`.
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


# Overlapping subsets, and what else is shared


def inflation(m: ArrayLike, pool: float, repeats: int) -> Floats:
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


def noise_of_tests(curve: Measured, error: Floats, tests: float) -> Floats:
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


# Small things


def tail_of(level: float) -> float:
    """What a two-sided interval leaves out on each side.

    Raises:
        TakeoffError: The level isn't between 0 and 1.
    """
    if not 0 < level < 1:
        raise TakeoffError(f"level {level} isn't between 0 and 1", remedy="use 0.9, say")
    return (1 - level) / 2


def stated(m: float) -> float | None:
    """None for infinity: beyond what is stated."""
    return float(m) if math.isfinite(m) else None


def in_digits(m: float | None) -> str:
    """A number of examples to two digits; what isn't stated is beyond."""
    if m is None:
        return f"beyond {FARTHEST:g}x"
    digits = 1 - math.floor(math.log10(m)) if m > 0 else 0
    return f"{round(m, digits):,.0f}" if m >= 10 else f"{m:.2g}"
