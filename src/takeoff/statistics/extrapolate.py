"""What would more data bring: a learning curve beyond its largest m, with an interval.

The forecast is an average of members: the last value and a few families of curves (see
`takeoff.statistics.families`), each fitted with several weightings towards the tail, since where
the weight lies matters more than the form (Alabdulmohsin et al. 2022, and every curve this was
measured on). A member's weight is a softmax of

- how well it did in *rolling-origin backtests* inside the curve, at the factor of m that is asked
  for or the nearest that the curve allows, relative to the last value (Tashman 2000);
- how far it lies from what the others say;
- how well it does at this factor in general, which was learned from other curves.

The last value gains weight where a curve is rough or its backtests fall short of the factor: where
nothing is known, nothing is extrapolated. A curve that is exactly constant comes from a learner
that hasn't begun to learn (or is done): it has a member of its own, "takes off".

The predictive distribution is a location-scale family. Its scale is a product of powers of the
backtest error, the spread of the members, the way to go and the noise, so it has the unit of the
error and scales with it. Its quantiles are those of standardised errors of the same
method on other curves (a conformal step: Vovk et al. 2005; Tibshirani et al. 2019 for why other
curves may stand in). Scales never fall with m.

Where the irreducible error is known, what is forecast is the excess above it, as if it were the
error: a known floor is to the excess what zero is to an error, and scales shrink with what is
left to gain. `benchmarks/claims_calibration.py` has it beside intervals cut off at the floor.

Everything learned is in `takeoff.statistics.learned`, which says how it is derived.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from takeoff.errors import TakeoffError
from takeoff.statistics import families
from takeoff.statistics.averaging import Constants
from takeoff.statistics.evidence import (
    MEMBERS,
    POINTS_NEEDED,
    Curve,
    Evidence,
    Kind,
    check,
    gather,
    noise_of,
    within,
)
from takeoff.statistics.learned import LEARNED
from takeoff.statistics.shapes import shape_of

Floats = NDArray[np.float64]
OCTAVE_STEP = 0.5  # of the grid on which forecasts are made, in doublings of m
OCTAVES = 5.0  # beyond which the learned constants stay what they are

CONVERGED, AT_BOUND = families.CONVERGED, families.AT_BOUND
TOO_FEW = families.TOO_FEW
NAIVE = "not extrapolated: the last value does best"
WAITING = "not fitted: a constant learner may yet begin to learn"
FAR = "beyond 32 times the largest m: not calibrated"


@dataclass(frozen=True)
class Forecast:
    """The predictive distribution of the mean error at T values of m.

    Attributes:
        m: [T] as asked for.
        predicted: [T] its median, in the unit of the error.
        low, high: [T] ends of the interval, low <= predicted <= high.
        level: Of the interval.
        family: The member family with the most weight, at the largest m asked for.
        weights: Of every family at that m; their sum is 1.
        status: converged, at a bound, too few points, not extrapolated, not fitted (a constant
            learner), or not calibrated.
        shape: See `takeoff.statistics.shapes.shape_of`.
        bounds: Floor and ceiling that nothing beyond the largest measured m leaves.
        scale: [T] of the distribution, in the unit of the error.
        last_m: The largest measured m.
        constants: What the quantiles come from.
    """

    m: Floats
    predicted: Floats
    low: Floats
    high: Floats
    level: float
    family: str
    weights: Mapping[str, float]
    status: str
    shape: str
    bounds: tuple[float, float]
    scale: Floats
    last_m: float
    constants: Constants = LEARNED

    @property
    def ends(self) -> tuple[Floats, Floats]:
        """[T] each: the bounds, and what any error stays within where it was measured."""
        ahead = self.m > self.last_m
        top = np.inf if np.isinf(self.bounds[1]) else 1.0
        return np.where(ahead, self.bounds[0], 0.0), np.where(ahead, self.bounds[1], top)

    def quantile(self, p: ArrayLike) -> Floats:
        """[Q] probabilities in (0, 1) -> [Q, T] errors, increasing in p, within the bounds."""
        standard = self.constants.standard_quantile(np.atleast_1d(np.asarray(p, dtype=float)))
        return np.clip(self.predicted + standard[:, None] * self.scale, *self.ends)

    def cdf(self, value: ArrayLike) -> Floats:
        """P(error at m <= value): a number or [T] -> [T]."""
        values = np.broadcast_to(np.asarray(value, dtype=float), self.m.shape)
        scale = np.maximum(self.scale, np.finfo(float).tiny)
        inside = self.constants.standard_cdf((values - self.predicted) / scale)
        low, high = self.ends
        return np.where(values < low, 0.0, np.where(values >= high, 1.0, inside))

    def paths(self, n: int, *, seed: int = 0) -> Floats:
        """[n, T] whole curves; each keeps its rank at every m.

        What is uncertain beyond the data is the curve, not the noise around it, so a draw that is
        low at one m is low at the next. A number such as the m that reaches a target is then
        found path by path.
        """
        return self.quantile(np.random.default_rng(seed).uniform(size=n))


def extrapolate(
    m: ArrayLike,
    error: ArrayLike,
    *,
    at: ArrayLike,
    stderr: ArrayLike | None = None,
    level: float = 0.9,
    floor: float | None = None,
    chance: float | None = None,
    kind: Kind = "auto",
) -> Forecast:
    """Forecast one learning curve.

    Args:
        m: [P] labelled examples (or another measure of resources), positive, distinct, any order.
        error: [P] mean test error as a fraction, or a loss; not negative.
        at: [T] where to predict, positive. Within the measured range the curve is interpolated.
        stderr: [P] standard errors of `error`; NaN or None where unknown.
        level: Of the interval.
        floor: The irreducible (Bayes) error or loss, where it is known: see the module's docstring.
        chance: The error of guessing, where it is known: a curve bends away from it, and errors
            don't rise above it, unless the last one measured is (a loss may).
        kind: "error" keeps everything in [0, 1], "loss" above 0; "auto" takes values above 1 for
            a loss.

    Raises:
        TakeoffError: Lengths differ, no points, m not positive or twice there, values that aren't
            finite or leave their range, or floor and chance that can't be this curve's.
    """
    curve = check(m, error, stderr, floor=floor, chance=chance, kind=kind)
    return forecast_curve(curve, at, level=level)


def probability_below(first: Forecast, second: Forecast) -> Floats:
    """P(first < second) at each m, for independent forecasts: [T].

    Raises:
        TakeoffError: They aren't forecasts at the same m.
    """
    if first.m.shape != second.m.shape or (first.m != second.m).any():
        raise TakeoffError("the forecasts aren't at the same m", remedy="ask both for the same m")
    p = (np.arange(400) + 0.5) / 400  # second's quantiles, one per equal share of probability
    values = second.quantile(p)
    return np.asarray(np.mean([first.cdf(row) for row in values], axis=0))


def forecast_curve(
    curve: Curve,
    at: ArrayLike,
    *,
    level: float = 0.9,
    constants: Constants = LEARNED,
    floor: float | None = None,
    chance: float | None = None,
) -> Forecast:
    """`extrapolate` for a curve that was checked.

    Args:
        floor, chance: Instead of those that the curve was checked with.

    Raises:
        TakeoffError: `at` or `level` isn't usable, or floor and chance can't be this curve's.
    """
    curve = within(curve, floor, chance)
    targets = np.atleast_1d(np.asarray(at, dtype=float))
    if targets.ndim != 1 or not np.isfinite(targets).all() or (targets <= 0).any():
        raise TakeoffError("m to predict at must be positive", remedy="leave out such rows")
    if not 0 < level < 1:
        raise TakeoffError(f"level {level} isn't between 0 and 1", remedy="use 0.9, say")
    evidence = gather(curve.excess, _factors(curve, targets))
    weights = constants.weights(evidence)
    return _assembled(curve, targets, level, evidence, weights, constants)


def _factors(curve: Curve, targets: Floats) -> Floats:
    """The grid of factors beyond the largest m: it doesn't depend on what was asked for, except
    for how far it goes, so that neither do the forecasts."""
    farthest = max(float(np.log2(targets.max() / curve.m[-1])), OCTAVES)
    steps = int(np.ceil(farthest / OCTAVE_STEP)) + 1
    return np.asarray(2.0 ** (OCTAVE_STEP * np.arange(steps)))


def _assembled(
    curve: Curve,
    targets: Floats,
    level: float,
    evidence: Evidence,
    weights: Floats,
    constants: Constants,
) -> Forecast:
    excess = np.minimum.accumulate((weights * evidence.members).sum(axis=1))
    path = curve.bounds[0] + excess
    scales = np.maximum.accumulate(constants.widths(evidence, weights))
    predicted, scale = _at_targets(curve, targets, evidence.factors, path, scales)
    by_family = _by_family(weights, evidence.factors, targets.max() / curve.m[-1])
    best = max(by_family, key=lambda name: by_family[name])
    forecast = Forecast(
        targets,
        predicted,
        predicted,
        predicted,
        level,
        best,
        by_family,
        _status(curve, evidence, best, float(targets.max())),
        shape_of(curve),
        curve.bounds,
        scale,
        float(curve.m[-1]),
        constants,
    )
    forecast = replace(forecast, predicted=np.clip(predicted, *forecast.ends))
    low, high = forecast.quantile([(1 - level) / 2, (1 + level) / 2])
    return replace(forecast, low=low, high=high)


def _at_targets(
    curve: Curve, targets: Floats, factors: Floats, path: Floats, scales: Floats
) -> tuple[Floats, Floats]:
    """Medians and scales at the targets: linear in log m between the points of the grid.

    Within the measured range the curve itself is interpolated, with the noise as its scale; below
    it, the first error stands, with a scale that grows with the distance.
    """
    log_m, log_t = np.log(curve.m), np.log(targets)
    ahead = log_t > log_m[-1]
    grid = log_m[-1] + np.log(factors)
    inner = np.interp(log_t, log_m, curve.error)
    predicted = np.where(ahead, np.interp(log_t, grid, path), inner)
    noise = noise_of(curve.excess)
    before = np.maximum(log_m[0] - log_t, 0.0) * max(float(np.ptp(curve.error)), noise)
    scale = np.where(ahead, np.interp(log_t, grid, scales), noise + before)
    return predicted, scale


def _by_family(weights: Floats, factors: Floats, factor: float) -> dict[str, float]:
    """The weights of the families, at the factor of the grid nearest to the one asked for."""
    row = weights[int(np.abs(np.log(factors / factor)).argmin())]
    totals = dict.fromkeys((name for name, _ in MEMBERS), 0.0)
    for (name, _), weight in zip(MEMBERS, row, strict=True):
        totals[name] += float(weight)
    return totals


def _status(curve: Curve, evidence: Evidence, best: str, farthest: float) -> str:
    if evidence.points < POINTS_NEEDED:
        return TOO_FEW
    if farthest > curve.m[-1] * 2**OCTAVES * 1.001:
        return FAR
    if best == "last_value":
        return NAIVE
    if best == "takes_off":
        return WAITING
    return evidence.statuses.get(best, CONVERGED)
