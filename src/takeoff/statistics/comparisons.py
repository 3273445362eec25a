"""Two and more learners: which is better at which m, where they cross, and in what order they are.

All learners see the same examples within a repeat, so differences are taken within repeats, and
the repeats are the independent units (Student's t). With standard errors alone they are z tests
that take the means for independent, which errs on the wide side for means that share examples.
With neither, the noise comes from the curves themselves. Beyond the measured range the predictive
distributions of `takeoff.statistics.extrapolate` are compared. `basis` says which of these it was.

Arvesen 1969 and Holm 1979 are as in `takeoff.statistics.intervals`; Fieller 1954 is the idea of
`crossing`, Mogstad, Romano, Shaikh and Wilhelm 2024 ("Inference for ranks") that of the ranks'
intervals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from takeoff.errors import TakeoffError
from takeoff.statistics.claims import REPEATS_NEEDED
from takeoff.statistics.extrapolate import Forecast, probability_below
from takeoff.statistics.intervals import KNOWN, Estimate, Verdict, holm, with_known
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
    noise_of_tests,
    stated,
    tail_of,
)

DRAWS = 400  # of whole curves
PER_OCTAVE = 2  # m at which two curves are tested for who is better; more would be nearly the same
BETWEEN = 40  # steps between two measured m in which a crossing is looked for

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
    binomial = sum(noise_of_tests(curve, _interpolated(curve, targets)[0], about.tests)
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
        se = se * np.sqrt(inflation(m, about.pool, repeats))
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
            return f"at about {in_digits(self.m)} ({in_digits(self.low)} to {in_digits(self.high)})"
        range_ = f"{in_digits(self.from_m)} to {in_digits(self.to_m)}"
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
    tail_of(level)
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
    alpha = tail_of(level)
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
    probability, tail = float(crossed.mean()), tail_of(level)
    low, middle, high = np.quantile(where, [tail, 0.5, 1 - tail], method="nearest")
    found = Crossing(
        "undecided",
        "forecast",
        start,
        end,
        m=stated(middle),
        low=stated(low),
        high=stated(high),
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
    tail_of(level)
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
    tail = tail_of(level)
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
