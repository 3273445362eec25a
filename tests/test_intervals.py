"""Student's t, the jackknife, Holm and the three-valued decision."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from takeoff.statistics.intervals import (
    Estimate,
    binomial_variance,
    decide,
    holm,
    mean_of,
    mean_over_pairs,
)

SAMPLES = st.lists(st.floats(-10, 10), min_size=3, max_size=8)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def test_mean_and_interval_agree_with_scipy() -> None:
    """The interval and both p-values are those of the one-sample t test."""
    samples = [0.31, 0.28, 0.35, 0.30, 0.29]
    estimate = mean_of(samples)
    ours = estimate.interval(0.95)
    assert ours == pytest.approx(tuple(stats.ttest_1samp(samples, 0).confidence_interval(0.95)))
    above = stats.ttest_1samp(samples, 0.3, alternative="greater").pvalue
    below = stats.ttest_1samp(samples, 0.3, alternative="less").pvalue
    assert estimate.p_above(0.3) == pytest.approx(above)
    assert estimate.p_below(0.3) == pytest.approx(below)


@given(SAMPLES, st.floats(-10, 10))
def test_the_two_sides_share_one(samples: list[float], threshold: float) -> None:
    """What one side's p-value gains, the other's loses."""
    estimate = mean_of(samples)
    assert estimate.p_above(threshold) + estimate.p_below(threshold) == pytest.approx(1)


@pytest.mark.parametrize(("threshold", "p"), [(0.2, 0.0), (0.3, 0.5), (0.4, 1.0)])
def test_no_variance_decides_except_at_the_threshold(threshold: float, p: float) -> None:
    """Differences that are equal but for rounding have an interval of width zero, which decides."""
    estimate = mean_of([0.4 - 0.1, 0.5 - 0.2, 0.9 - 0.6])
    assert estimate.p_above(threshold) == p


@given(SAMPLES, st.floats(-10, 10))
def test_verdict_falls_where_the_interval_leaves_the_threshold(
    samples: list[float], threshold: float
) -> None:
    """Unadjusted, a verdict is the same as an interval wholly on one side of the threshold."""
    estimate = mean_of(samples)
    low, high = estimate.interval(0.9)
    if estimate.se < 1e-6 or min(abs(low - threshold), abs(high - threshold)) < 1e-9:
        return
    verdict = decide(estimate.p_above(threshold), estimate.p_below(threshold), 0.9)
    expected = "supported" if low > threshold else "refuted" if high < threshold else "undecided"
    assert verdict == expected


def test_holm_example() -> None:
    """Worked by hand: 0.01 * 4, 0.02 * 3, 0.03 * 2 (not below the one before), 0.4."""
    assert holm([0.4, 0.01, 0.03, 0.02]) == pytest.approx([0.4, 0.04, 0.06, 0.06])
    assert holm([]) == []


@given(P_VALUES)
def test_holm_is_between_nothing_and_bonferroni(p_values: list[float]) -> None:
    """Adjusted p-values keep their order, never fall, and are at most Bonferroni's."""
    adjusted = holm(p_values)
    for p, q in zip(p_values, adjusted, strict=True):
        assert p <= q <= min(1.0, p * len(p_values)) + 1e-12
    by_p = [q for _, q in sorted(zip(p_values, adjusted, strict=True))]
    assert by_p == sorted(by_p)


def _symmetric(values: list[float], size: int) -> np.ndarray:
    kernel = np.ones((size, size))
    for value, (i, j) in zip(values, itertools.combinations(range(size), 2), strict=True):
        kernel[i, j] = kernel[j, i] = value
    return kernel


@given(st.lists(st.floats(-1, 1), min_size=10, max_size=10))
def test_jackknife_is_the_one_from_the_definition(values: list[float]) -> None:
    """The closed form equals leaving every repeat out in turn; the diagonal plays no part."""

    def mean(kernel: np.ndarray) -> float:
        return float(kernel[np.triu_indices(len(kernel), 1)].mean())

    kernel = _symmetric(values, 5)
    without = [mean(np.delete(np.delete(kernel, r, 0), r, 1)) for r in range(5)]
    expected = np.sqrt(4 / 5 * np.sum((np.array(without) - np.mean(without)) ** 2))
    estimate = mean_over_pairs(kernel)
    assert estimate.value == pytest.approx(mean(kernel), abs=1e-12)
    assert estimate.se == pytest.approx(expected, abs=1e-9)
    assert estimate.df == 4


@pytest.mark.parametrize("repeats", [3, 5, 9])
def test_least_standard_error_is_that_of_one_odd_repeat(repeats: int) -> None:
    """Equal pairs get the standard error of a study in which one repeat is a step off."""
    equal = np.ones((repeats, repeats))
    one_off = equal.copy()
    one_off[0, 1:] = one_off[1:, 0] = 0.8
    assert mean_over_pairs(equal).se == 0
    assert mean_over_pairs(equal, step=0.2).se == pytest.approx(mean_over_pairs(one_off).se)


def test_jackknife_of_a_sum_is_the_t_interval() -> None:
    """For a kernel that is a mean of two numbers, it is the usual standard error of the mean."""
    samples = np.array([1.0, 4.0, 2.0, 7.0])
    expected = mean_of(samples)
    estimate = mean_over_pairs((samples[:, None] + samples) / 2)
    assert estimate.value == pytest.approx(expected.value)
    assert estimate.se == pytest.approx(expected.se)


def test_interval_covers_at_its_level() -> None:
    """The t interval of five normal samples covers the mean in 95 of 100 cases."""
    random = np.random.default_rng(0)
    samples = random.normal(size=(2000, 5))
    covered = [low < 0 < high for low, high in (mean_of(s).interval(0.95) for s in samples)]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.015)
    assert Estimate(0.0, 1.0, 4).interval(0.95)[1] == pytest.approx(2.776, abs=1e-3)


def test_a_known_part_widens_an_estimate() -> None:
    """Variances add, and what is known has no shortage of degrees of freedom."""
    estimate = Estimate(1.0, 0.3, 4)
    assert estimate.widened(0.0) == estimate
    wide = estimate.widened(0.4)
    assert (wide.value, wide.se) == (1.0, pytest.approx(0.5))
    assert 4 < wide.df < 100
    assert Estimate(1.0, 0.0, 4).widened(0.4).df > 10**5


def test_the_noise_of_a_test_set_is_binomial() -> None:
    """As simulated; and no rate has none."""
    rates = np.random.default_rng(0).binomial(500, 0.2, size=20_000) / 500
    assert binomial_variance(0.2, 500) == pytest.approx(rates.var(), rel=0.03)
    assert (binomial_variance([0.0, 1.0], 500) > 0).all()
