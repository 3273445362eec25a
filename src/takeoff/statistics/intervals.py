"""Student's t, Holm and the three-valued decision: the statistics that the claims share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
Verdict = Literal["supported", "refuted", "undecided"]

# Differences of equal decimal numbers differ in the last bits; below this they are equal.
ROUNDING = 1e-12
KNOWN = 10**6  # degrees of freedom of a standard error that was not estimated


@dataclass(frozen=True)
class Estimate:
    """A mean with its standard error, whose studentised error follows a t distribution.

    Attributes:
        value: The estimate, in the unit of the samples.
        se: Its standard error, same unit. Zero is allowed: all repeats agree to the last digit.
        df: Degrees of freedom of `se`.
    """

    value: float
    se: float
    df: int

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided t interval that covers with probability `level`."""
        half = float(special.stdtrit(self.df, (1 + level) / 2)) * self.se
        return self.value - half, self.value + half

    def p_above(self, threshold: float) -> float:
        """One-sided p-value against "the true value is at most `threshold`".

        An interval of width zero decides: 0 above the threshold, 1 below it, and 0.5 at the
        threshold itself, which shows neither side.
        """
        distance = self.value - threshold
        scale = max(1.0, abs(self.value), abs(threshold))
        if self.se > ROUNDING * scale:
            return float(special.stdtr(self.df, -distance / self.se))
        if abs(distance) <= ROUNDING * scale:
            return 0.5
        return 0.0 if distance > 0 else 1.0

    def p_below(self, threshold: float) -> float:
        """One-sided p-value against "the true value is at least `threshold`"."""
        return Estimate(-self.value, self.se, self.df).p_above(-threshold)

    def widened(self, known: float) -> Estimate:
        """With an independent part of its error added, whose standard deviation is known."""
        if known == 0:
            return self
        se, df = with_known(np.array(self.se), np.array(self.df), np.array(known))
        return replace(self, se=float(se), df=int(df))


def with_known(se: Floats, df: Floats, known: Floats) -> tuple[Floats, Floats]:
    """Standard errors with a known part added, and their degrees of freedom (Welch 1947).

    Args:
        se, df: Of any shape, the estimated standard errors.
        known: Of the same shape, standard deviations that are known.
    """
    both = np.hypot(se, known)
    share = np.divide(se, both, out=np.zeros_like(both), where=both > 0)
    return both, np.minimum(df / np.maximum(share, 1e-3) ** 4, KNOWN)


def binomial_variance(error: ArrayLike, tests: float) -> Floats:
    """The variance of error rates that comes from which T examples they were tested on.

    Binomial: error * (1 - error) / T (Dietterich 1998). It holds for one trained model, and is an
    upper bound for the mean over several that were trained on different examples: what a test
    example adds is then the share of them that fail on it, which varies less than 0 and 1 do. It is
    an upper bound, too, where the posterior is known and P(class | example) is averaged instead of
    zeros and ones.

    A rate of 0 or 1 is taken to be one example off: no test set shows that its noise is zero.

    Args:
        error: Of any shape, in [0, 1].
        tests: T, positive.
    """
    rate = np.clip(np.asarray(error, dtype=float), 1 / (tests + 1), tests / (tests + 1))
    return np.asarray(rate * (1 - rate) / tests)


def mean_of(samples: ArrayLike) -> Estimate:
    """The mean of independent samples (one per repeat) and its standard error.

    Args:
        samples: [R] one number per repeat, R >= 2.
    """
    values = np.asarray(samples, dtype=float)
    se = float(values.std(ddof=1)) / math.sqrt(values.size)
    return Estimate(float(values.mean()), se, values.size - 1)


def mean_over_pairs(kernel: Floats, step: float = 0.0) -> Estimate:
    """The mean of a symmetric function of two repeats, over all pairs, by the jackknife.

    The R (R - 1) / 2 pairs share repeats and so are not independent: a t interval over the pairs
    would be far too narrow. The mean over pairs is a U-statistic of order two; the repeats are
    the independent units, and leaving each of them out in turn gives a consistent variance
    for it (Arvesen 1969), which errs on the large side in expectation (Efron and Stein 1981).

    A statistic that moves in steps may show no variation by luck: five equal rankings don't prove
    that a sixth would be equal. So the standard error is taken to be at least 2 * step / R, the
    jackknife's value where one repeat is a step away from all others, and these agree.

    Args:
        kernel: [R, R] symmetric, the value for each pair of repeats, R >= 3. The diagonal is
            not used.
        step: The smallest change of the kernel; 0 for a continuous one.
    """
    repeats = len(kernel)
    off_diagonal = kernel - np.diag(np.diag(kernel))
    total = off_diagonal.sum()
    without = (total - 2 * off_diagonal.sum(axis=1)) / ((repeats - 1) * (repeats - 2))
    value = float(total / (repeats * (repeats - 1)))
    pseudo_values = repeats * value - (repeats - 1) * without
    se = max(mean_of(pseudo_values).se, 2 * step / repeats)
    return Estimate(value, se, repeats - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that hold for the whole family at once (Holm 1979).

    Args:
        p_values: [k] one p-value per hypothesis of the family.

    Returns:
        [k] in the same order; rejecting where the adjusted value is below alpha errs on any
        hypothesis with probability at most alpha, however the p-values depend on each other.
    """
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    steps = p[order] * np.arange(p.size, 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def decide(p_for: float, p_against: float, level: float) -> Verdict:
    """The verdict on "the effect is on the claimed side of the threshold".

    Args:
        p_for: One-sided p-value against the unclaimed side; small where the claim is shown.
        p_against: One-sided p-value against the claimed side; small where it is contradicted.
        level: Level of the matching two-sided interval: with unadjusted p-values a verdict falls
            exactly where that interval lies wholly on one side of the threshold.
    """
    alpha = (1 - level) / 2
    if p_for < alpha:
        return "supported"
    return "refuted" if p_against < alpha else "undecided"
