"""What a learning curve says for itself about what comes beyond its largest m.

A curve is fitted by the members of the average (families of `takeoff.statistics.families`, each
with several weightings towards the tail), as a whole and at its beginnings, which gives forecasts
that can be checked inside the curve: rolling-origin backtests (Tashman 2000).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from takeoff.errors import TakeoffError
from takeoff.statistics import families

Floats = NDArray[np.float64]
Kind = Literal["auto", "error", "loss"]

TAILS = (0.0, 1.0, 3.5)  # weights are multiplied by (m / largest m) ** tail
FITTED = ("pow3", "pow4", "bnsl", "m4")
MEMBERS: tuple[tuple[str, float], ...] = (
    ("last_value", 0.0),
    *((family, tail) for family in FITTED for tail in TAILS),
    ("takes_off", 0.0),
)
LAST, TAKES_OFF = 0, len(MEMBERS) - 1
TAKE_OFF = 0.35  # of the last error is left once a constant learner has begun to learn

POINTS_NEEDED = 5
FIRST_ORIGIN = 5  # points before the first backtest, where there are enough of them
ORIGINS = 9
PAIRS = 6  # backtests that count for one factor
RECENT = 20  # points in which a repeated error is looked for
SMALLEST = 1e-12  # an error that is told from zero


@dataclass(frozen=True)
class Curve:
    """A learning curve, checked: see `check`.

    Attributes:
        m: [P] ascending, distinct, positive.
        error: [P] not negative.
        stderr: [P] standard errors, NaN where unknown.
        bounds: What the error stays within beyond the largest m: from the floor that is known, or
            0, to the error of guessing, or 1, or without end for a loss.
        ceiling: The error of guessing where it is known, or None.
    """

    m: Floats
    error: Floats
    stderr: Floats
    bounds: tuple[float, float]
    ceiling: float | None = None

    @property
    def last(self) -> float:
        """The error at the largest m."""
        return float(self.error[-1])

    @property
    def is_loss(self) -> bool:
        """A loss has no end above."""
        return bool(np.isinf(self.bounds[1]))

    @property
    def excess(self) -> Curve:
        """The curve above its known floor, as a curve whose floor is 0.

        What noise has put below the floor is put on it.
        """
        floor = self.bounds[0]
        if floor == 0:
            return self
        return replace(
            self,
            error=np.maximum(self.error - floor, 0.0),
            bounds=(0.0, self.bounds[1] - floor),
            ceiling=None if self.ceiling is None else self.ceiling - floor,
        )


def within(curve: Curve, floor: float | None, chance: float | None) -> Curve:
    """The curve with what is known of its ends; None leaves an end as it is.

    Args:
        floor: The irreducible (Bayes) error or loss.
        chance: The error of guessing. It is no end of a loss, and none for a learner that does
            worse than guessing at its largest m.

    Raises:
        TakeoffError: The whole curve lies below its floor, or chance does, or one is no error.
    """
    low, high = curve.bounds
    low = low if floor is None else float(floor)
    ceiling = curve.ceiling if chance is None else float(chance)
    if ceiling is not None and not curve.is_loss:
        high = max(ceiling, curve.last)
    _refuse_ends(low, ceiling, float(curve.error.max()))
    return replace(curve, bounds=(low, high), ceiling=ceiling)


def _refuse_ends(floor: float, ceiling: float | None, largest: float) -> None:
    remedy = "give the smallest possible error as the floor, and that of guessing as chance"
    if not 0 <= floor < np.inf:
        raise TakeoffError(f"the floor {floor:g} isn't an error", remedy=remedy)
    if ceiling is not None and not 0 < ceiling < np.inf:
        raise TakeoffError(f"chance {ceiling:g} isn't a positive error", remedy=remedy)
    if ceiling is not None and floor >= ceiling:
        raise TakeoffError(f"the floor {floor:g} isn't below chance, {ceiling:g}", remedy=remedy)
    if floor > largest:
        raise TakeoffError(f"no error is above the floor {floor:g}", remedy=remedy)


def check(
    m: ArrayLike,
    error: ArrayLike,
    stderr: ArrayLike | None = None,
    *,
    floor: float | None = None,
    chance: float | None = None,
    kind: Kind = "auto",
    where: str | None = None,
) -> Curve:
    """A curve from arrays in any order; see `extrapolate`.

    Args:
        floor, chance: See `within`.
        where: What the error message names.
    """

    def refuse(wrong: bool | np.bool_, problem: str, remedy: str) -> None:
        if wrong:
            raise TakeoffError(problem, where=where, remedy=remedy)

    m, error = (np.atleast_1d(np.asarray(values, dtype=float)) for values in (m, error))
    se = np.full(m.shape, np.nan) if stderr is None else np.atleast_1d(np.asarray(stderr, float))
    refuse(m.size == 0, "the curve has no points", "give at least one m with its error")
    same = m.ndim == 1 and m.shape == error.shape == se.shape
    refuse(not same, "m, error and stderr have different lengths", "give one of each per point")
    refuse(not np.isfinite(m).all() or (m <= 0).any(), "m must be positive", "leave out such rows")
    refuse(len(np.unique(m)) < len(m), "an m is there twice", "average the repeats first")
    wrong = not np.isfinite(error).all() or (error < 0).any()
    refuse(wrong, "errors must be finite and not negative", "leave out such rows")
    refuse((se < 0).any(), "standard errors must not be negative", "leave them out: NaN")
    loss = kind == "loss" or (kind == "auto" and bool((error > 1).any()))
    refuse(not loss and bool((error > 1).any()), "an error is above 1", "say that it is a loss")
    order = np.argsort(m)
    bounds = (0.0, np.inf if loss else 1.0)
    se = np.where(np.isfinite(se), se, np.nan)
    curve = Curve(m[order], error[order], se[order], bounds)
    try:
        return within(curve, floor, chance)
    except TakeoffError as error_:
        raise TakeoffError(error_.problem, where=where, remedy=error_.remedy) from error_


@dataclass(frozen=True)
class Evidence:
    """Members and features of one curve at H factors.

    Attributes:
        factors: [H] of m beyond the largest one.
        members: [H, K] forecasts.
        backtest: [H, K] mean absolute backtest errors; NaN without a backtest.
        reached: [H] factor of the backtests (geometric mean); 1 without one.
        noise: Of a point, in the unit of the error, > 0.
        last: The last error.
        rough: Share of all ups and downs that goes up, in [0, 1].
        points: P.
        stuck: The last errors are exactly equal.
        best_so_far: See `is_best_so_far`.
        statuses: Of the fits to the whole curve, by family.
    """

    factors: Floats
    members: Floats
    backtest: Floats
    reached: Floats
    noise: float
    last: float
    rough: float
    points: int
    stuck: bool
    best_so_far: bool
    statuses: Mapping[str, str]


def gather(curve: Curve, factors: Floats) -> Evidence:
    """Fit every member to the whole curve and to its beginnings.

    Args:
        factors: [H] >= 1 of the largest m.
    """
    targets = curve.m[-1] * factors
    origins = _origins(len(curve.m))
    members = np.full((len(factors), len(MEMBERS)), curve.last)
    inside = np.full((len(origins), len(curve.m), len(MEMBERS)), np.nan)
    inside[:] = curve.error[origins][:, None, None]
    stuck = is_stuck(curve)
    statuses = {"last_value": families.CONVERGED}
    if len(curve.m) >= POINTS_NEEDED:
        weights = _weightings(curve, origins)
        for family in FITTED:
            fitted = _fitted(family, curve, weights)
            statuses[family] = str(fitted.status[0])
            columns = [k for k, member in enumerate(MEMBERS) if member[0] == family]
            members[:, columns] = fitted.error(targets)[: len(TAILS)].T
            back = fitted.error(curve.m)[len(TAILS) :].reshape(len(origins), len(TAILS), -1)
            inside[:, :, columns] = back.transpose(0, 2, 1)
    if stuck:
        members[:, TAKES_OFF] = curve.last * TAKE_OFF
    members = np.where(np.isfinite(members), members, curve.last)
    inside = np.where(np.isfinite(inside), inside, curve.error[origins][:, None, None])
    backtest, reached = _backtests(curve, origins, inside, factors)
    moves = np.diff(curve.error)
    up, down = moves.clip(min=0).sum(), -moves.clip(max=0).sum()
    return Evidence(
        factors,
        members,
        backtest,
        reached,
        noise_of(curve),
        curve.last,
        float(up / (up + down)) if up + down > 0 else 0.0,
        len(curve.m),
        stuck,
        is_best_so_far(curve),
        statuses,
    )


def _fitted(family: str, curve: Curve, weights: Floats) -> families.Fits:
    return families.fit(
        family,
        curve.m,
        curve.error,
        weights,
        bounds=curve.bounds,
        ceiling=curve.ceiling,
        robust=False,  # sharp turns are real more often than points are outliers
        rounds=5,
    )


def is_stuck(curve: Curve) -> bool:
    """The last five errors are equal to the last digits, and not zero."""
    tail = curve.error[-POINTS_NEEDED:]
    constant = float(np.ptp(tail)) <= 1e-3 * curve.last
    return len(tail) == POINTS_NEEDED and constant and curve.last > 0.02


def is_best_so_far(curve: Curve) -> bool:
    """Whether the errors look like the best so far, rather than each m's own.

    They never rise, and some are exactly repeated: that is what is left of a measurement that was
    no better than one before. Such a curve hides its noise, and ends in its luckiest point: what
    comes next is more likely above it than below.
    """
    moves = np.diff(curve.error[-RECENT:])
    enough = len(curve.m) >= POINTS_NEEDED and not is_stuck(curve)
    return bool(enough and (np.diff(curve.error) <= 0).all() and (moves == 0).any())


def _origins(points: int) -> NDArray[np.intp]:
    """Indices of the last point of each beginning that is backtested."""
    first = FIRST_ORIGIN - 1 if points >= FIRST_ORIGIN + 2 else 2
    if points - 2 < first:
        return np.empty(0, dtype=np.intp)
    return np.unique(np.linspace(first, points - 2, ORIGINS).round().astype(np.intp))


def _weightings(curve: Curve, origins: NDArray[np.intp]) -> Floats:
    """[(1 + origins) * tails, P] weights: the whole curve, then its beginnings."""
    precision = 1 / standard_errors(curve) ** 2
    rows = []
    for end in (len(curve.m) - 1, *origins):
        upto = np.arange(len(curve.m)) <= end
        share = np.where(upto, curve.m / curve.m[end], 0.0)
        rows += [np.where(upto, precision * share**tail, 0.0) for tail in TAILS]
    weights = np.array(rows)
    return np.asarray(weights / weights.max(axis=1, keepdims=True))


def standard_errors(curve: Curve) -> Floats:
    """[P] standard errors for weighting: shrunken to the median *relative* one of the curve, so
    that no lucky point dominates (Smyth 2004), and proportional to the error where unknown."""
    scale = np.maximum(curve.error, max(1e-3 * float(curve.error.max()), SMALLEST))
    own = np.where(curve.stderr > 0, curve.stderr, np.nan) / scale
    known = own[np.isfinite(own)]
    pooled = float(np.median(known)) if known.size else 1.0
    own = np.where(np.isfinite(own), own, pooled)
    return np.asarray(scale * np.sqrt(0.7 * own**2 + 0.3 * pooled**2))


def noise_of(curve: Curve) -> float:
    """The noise of a point near the end: its standard error, or what second differences say.

    Second differences of equally spaced points have six times the variance of the noise; points
    that aren't equally spaced are compared with the line (in log m) through their neighbours. Of a
    curve too short to be fitted, its own movement is the least that must be reckoned with.
    """
    least = 1e-3 * max(curve.last, 1e-3 * float(curve.error.max()), 1e-12)
    known = curve.stderr[-8:][np.isfinite(curve.stderr[-8:])]
    few = len(curve.m) < POINTS_NEEDED
    moved = 0.25 * float(np.ptp(curve.error)) if few else 0.0
    if known.size:
        return max(float(np.median(known)), moved, least)
    if few:
        return max(moved, 0.05 * curve.last, least)
    log_m, y = np.log(curve.m[-10:]), curve.error[-10:]
    share = (log_m[1:-1] - log_m[:-2]) / (log_m[2:] - log_m[:-2])
    off = y[1:-1] - (1 - share) * y[:-2] - share * y[2:]
    sd = 1.4826 * float(np.median(np.abs(off) / np.sqrt(1 + share**2 + (1 - share) ** 2)))
    return max(sd, least)


def _backtests(
    curve: Curve, origins: NDArray[np.intp], inside: Floats, factors: Floats
) -> tuple[Floats, Floats]:
    """Mean absolute errors [H, K] of the beginnings, near each factor, and the factor reached.

    From each origin the measured m nearest to factor * m (in the logarithm) is predicted; the
    PAIRS whose factors are nearest count, so at a factor beyond the curve the longest that it has.
    """
    if not len(origins):
        return np.full((len(factors), len(MEMBERS)), np.nan), np.ones(len(factors))
    log_m = np.log(curve.m)
    later = np.arange(len(log_m)) > origins[:, None]
    steps = np.where(later, log_m - log_m[origins][:, None], np.nan)  # [O, P]
    missed = np.abs(inside - curve.error[None, :, None])
    errors, reached = [], []
    for factor in np.log(factors):
        target = np.nanargmin(np.abs(steps - factor), axis=1)
        own = steps[np.arange(len(origins)), target]
        gap = np.abs(own - factor)
        near = np.argsort(gap, kind="stable")[:PAIRS]
        near = near[gap[near] <= max(gap.min(), 0.0) + 0.35]
        errors.append(missed[near, target[near]].mean(axis=0))
        reached.append(float(np.exp(own[near].mean())))
    return np.array(errors), np.array(reached)
