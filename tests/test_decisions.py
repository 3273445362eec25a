"""Decisions: what they say of curves whose truth is known, and what they refuse to say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from takeoff.errors import TakeoffError
from takeoff.statistics.decisions import (
    FARTHEST,
    About,
    Measured,
    crossing,
    differences,
    floor_of,
    gain_of,
    labels_needed,
    measured,
    plateau,
    probability_better,
    ranking,
)

Floats = NDArray[np.float64]
M = np.round(np.geomspace(32, 4096, 15))


def law(m: Any, floor: float = 0.0, amplitude: float = 0.8, exponent: float = 0.5) -> Floats:
    """A power law with a floor."""
    return np.asarray(floor + amplitude * np.asarray(m, dtype=float) ** -exponent)


def repeated(
    truth: Floats, *, seed: int = 0, repeats: int = 5, noise: float = 0.03, m: Floats = M
) -> Measured:
    """Repeats with relative noise."""
    rng = np.random.default_rng(seed)
    return measured(m, truth[:, None] * (1 + noise * rng.standard_normal((len(m), repeats))))


# Curves


def test_repeats_are_averaged_in_any_order_of_m() -> None:
    """Means, standard errors and repeats follow m when it is sorted; gaps are left out."""
    errors = np.array([[0.2, 0.4, np.nan], [0.5, 0.6, 0.7]])
    curve = measured([64, 32], errors)
    assert curve.curve.m.tolist() == [32, 64]
    assert curve.curve.error == pytest.approx([0.6, 0.3])
    assert curve.curve.stderr == pytest.approx([0.1 / np.sqrt(3), 0.1])
    assert curve.repeats is not None and curve.repeats[0].tolist() == [0.5, 0.6, 0.7]


def test_bad_curves_are_refused() -> None:
    """Standard errors beside repeats, an m without errors, and what `extrapolate` refuses."""
    with pytest.raises(TakeoffError, match="standard errors and repeats"):
        measured([1, 2], [[0.1, 0.2], [0.1, 0.2]], stderr=[0.1, 0.1])
    with pytest.raises(TakeoffError, match="an m has no errors"):
        measured([1, 2], [[0.1, 0.2], [np.nan, np.nan]])
    with pytest.raises(TakeoffError, match="m must be positive"):
        measured([0, 2], [0.1, 0.2])


# Labels needed


def test_a_target_within_the_measured_range_is_reached() -> None:
    """The m of the crossing is close to the true one, and the interval holds it."""
    found = labels_needed(repeated(law(M)), 0.05)
    assert found.verdict == "reached"
    assert found.low is not None and found.m is not None and found.high is not None
    assert found.low <= (0.8 / 0.05) ** 2 <= found.high
    assert found.m == pytest.approx(256, rel=0.1)
    assert str(found).startswith("reached at about 2")


def test_a_target_beyond_is_a_range() -> None:
    """Beyond the measured m the interval is wider and holds the true number of labels."""
    found = labels_needed(repeated(law(M)), 0.8 / 100)
    assert found.verdict == "about"
    assert found.m is not None and 4096 < found.m <= 4096 * FARTHEST
    assert found.low is not None and found.low < 10_000
    assert found.high is None or found.high > 10_000


def test_a_floor_above_the_target_is_never() -> None:
    """The floor is told with its interval."""
    found = labels_needed(repeated(law(M, floor=0.1), noise=0.01), 0.02)
    assert found.verdict == "never"
    assert found.floor == pytest.approx(0.1, abs=0.02)
    assert "never: floor at 0.1" in str(found)


def test_nothing_is_stated_beyond_the_farthest() -> None:
    """A slow curve without a floor gets there, but not within ten times the data."""
    found = labels_needed(repeated(law(M, exponent=0.2)), 0.02)
    assert found.verdict == "not stated"
    assert found.m is None and found.high is None
    assert "not stated" in str(found) and "10x" in str(found)


def test_few_points_never_say_never() -> None:
    """With too few points the floor isn't known."""
    found = labels_needed(measured([10, 100], [0.5, 0.5]), 0.001)
    assert found.verdict == "not stated" and "too few points" in found.remark
    assert floor_of(measured([10, 100], [0.5, 0.5])) is None


def test_a_target_that_was_lost_again_is_told() -> None:
    """A curve that dipped below the target and rose isn't there."""
    error = np.array([0.5, 0.3, 0.1, 0.2, 0.3, 0.3, 0.3, 0.3])
    found = labels_needed(measured(2.0 ** np.arange(4, 12), error, stderr=0.001 + 0 * error), 0.15)
    assert found.verdict != "reached"
    assert "was at the target at m = 64" in found.remark


def test_a_curve_below_the_target_from_the_start() -> None:
    """The smallest measured m is all that is known."""
    assert labels_needed(repeated(law(M)), 0.9).m == 32


@pytest.mark.parametrize("target", [-0.1, np.nan, np.inf])
def test_targets_that_are_not_errors(target: float) -> None:
    """They are refused."""
    with pytest.raises(TakeoffError, match="isn't an error"):
        labels_needed(repeated(law(M)), target)


def test_higher_levels_give_wider_ranges() -> None:
    """The range at 0.9 lies within that at 0.99."""
    curve = repeated(law(M))
    inner, outer = (labels_needed(curve, 0.05, level=level) for level in (0.9, 0.99))
    assert outer.low is not None and inner.low is not None and outer.low <= inner.low
    assert inner.high is not None and (outer.high is None or outer.high >= inner.high)


# Gains


def test_gains_hold_the_truth() -> None:
    """Twice to ten times the data of a known law, absolute and relative."""
    curve = repeated(law(M, floor=0.02))
    for factor in (2.0, 4.0, 10.0):
        found = gain_of(curve, factor)
        truth = float(law(4096 * factor, floor=0.02))
        assert found.m == 4096 * factor
        assert found.low <= truth <= found.high
        assert found.gain == pytest.approx(found.now - found.error)
        assert found.relative == pytest.approx(found.gain / found.now)
        assert found.gain_low <= found.gain <= found.gain_high
    assert gain_of(curve, 2).probability > 0.9


@pytest.mark.parametrize("factor", [1.0, 0.5, 10.1, np.nan])
def test_factors_beyond_the_stated_are_refused(factor: float) -> None:
    """Nothing is stated beyond ten times the data."""
    with pytest.raises(TakeoffError, match="only factors above 1 and up to 10"):
        gain_of(repeated(law(M)), factor)


def test_no_relative_gain_of_nothing() -> None:
    """An error of zero can't be reduced by a share."""
    found = gain_of(measured(M, np.append(law(M)[:-1], 0.0)), 2)
    assert np.isnan(found.relative) and found.gain <= 0


# Plateaus


def test_plateaus_of_clear_curves() -> None:
    """Flat, falling, and too noisy to tell."""
    assert plateau(repeated(0.2 + 0 * M, noise=0.01)).verdict == "supported"
    assert plateau(repeated(law(M), noise=0.01)).verdict == "refuted"
    assert plateau(repeated(0.2 + 0 * M, noise=0.5)).verdict == "undecided"


def test_the_basis_of_a_plateau_is_the_best_there_is() -> None:
    """Repeats, then standard errors, then the forecast of the next doublings."""
    flat = 0.2 + 0 * M
    assert plateau(repeated(flat)).basis == "repeats"
    known = plateau(measured(M, flat, stderr=0.002 + 0 * M))
    assert (known.basis, known.verdict) == ("standard errors", "supported")
    ahead = plateau(measured(M, flat))
    assert (ahead.basis, ahead.verdict) == ("forecast", "supported")
    assert (ahead.from_m, ahead.to_m) == (4096, 4 * 4096)
    assert plateau(measured(M, law(M))).verdict == "refuted"


def test_a_rising_error_is_flat() -> None:
    """More data that makes it worse doesn't make it better."""
    assert plateau(repeated(0.2 + 0.02 * np.log2(M), noise=0.01)).verdict == "supported"


def test_false_plateaus_are_rare() -> None:
    """A curve that falls by exactly the margin is called flat in at most (1 - level) / 2."""
    slope = -np.log2(1 - 0.05)
    truth = 0.2 * (M / M[0]) ** -slope
    verdicts = [plateau(repeated(truth, seed=i)).verdict for i in range(1000)]
    assert verdicts.count("supported") <= 0.05 * 1000 + 3 * np.sqrt(0.05 * 0.95 * 1000)
    assert verdicts.count("supported") >= 0.02 * 1000  # as sharp as it may be


@pytest.mark.parametrize("repeats", [None, 5])
def test_zero_errors_have_no_reduction(repeats: int | None) -> None:
    """The verdict is undecided, with the reason."""
    error = np.append(law(M)[:-1], 0.0)
    curve = measured(M, error if repeats is None else np.tile(error[:, None], (1, repeats)))
    found = plateau(curve)
    assert found.verdict == "undecided" and "zero" in found.reason
    assert plateau(measured([10], [0.1])).reason == "only one m was measured"


def test_bad_margins_and_levels_are_refused() -> None:
    """Margins, doublings and levels out of range."""
    curve = repeated(law(M))
    for bad in (0.0, 1.0, -0.1):
        with pytest.raises(TakeoffError, match="margin"):
            plateau(curve, bad)
        with pytest.raises(TakeoffError, match="level"):
            plateau(curve, level=bad)
    with pytest.raises(TakeoffError, match="doublings"):
        plateau(curve, 0.05, 5)


# Crossings

STEEP, SHALLOW = law(M, 0.0, 0.9), law(M, 0.03, 0.45)  # cross at (0.45 / 0.03) ** 2 = 225


def test_a_crossing_within_the_measured_range() -> None:
    """It is found with an interval, and with who was better before and after."""
    found = crossing(repeated(STEEP, seed=1), repeated(SHALLOW, seed=2))
    assert (found.verdict, found.basis) == ("crosses", "repeats")
    assert found.low is not None and found.high is not None
    assert found.low <= 225 <= found.high
    assert (found.better_before, found.better_after) == (1, 0)
    assert str(found).startswith("at about 2")


def test_crossings_are_the_same_from_the_other_side() -> None:
    """Swapping the curves swaps nothing but who is better."""
    a, b = repeated(STEEP, seed=1), repeated(SHALLOW, seed=2)
    one, other = crossing(a, b), crossing(b, a)
    assert (one.low, one.high) == (other.low, other.high)
    assert one.better_before == other.better_after


def test_intervals_of_crossings_cover() -> None:
    """At least as often as they say, with three repeats as with ten."""
    for repeats in (3, 10):
        found = [
            crossing(
                repeated(STEEP, seed=i, repeats=repeats),
                repeated(SHALLOW, seed=10_000 + i, repeats=repeats),
            )
            for i in range(150)
        ]
        inside = [one for one in found if one.verdict == "crosses" and one.basis == "repeats"]
        held = [one.low <= 225 <= one.high for one in inside if one.low and one.high]
        assert len(inside) > 100
        assert np.mean(held) >= 0.9 - 3 * np.sqrt(0.09 / len(held))


def test_equal_learners_are_not_shown_to_cross() -> None:
    """In at most 1 - level of the cases."""
    crossed = [
        crossing(
            repeated(law(M), seed=i, noise=0.05), repeated(law(M), seed=10_000 + i, noise=0.05)
        ).verdict
        for i in range(60)
    ]
    assert crossed.count("crosses") <= 0.1 * 60


def test_a_crossing_with_standard_errors_alone() -> None:
    """The means are taken for independent."""
    se = 0.01 * STEEP
    found = crossing(measured(M, STEEP, stderr=se), measured(M, SHALLOW, stderr=se))
    assert (found.verdict, found.basis) == ("crosses", "standard errors")
    assert found.m == pytest.approx(225, rel=0.03)


def test_no_crossing_is_shown_too() -> None:
    """A learner far below another stays there, also beyond the measured range."""
    found = crossing(repeated(law(M)), repeated(law(M, floor=0.3)))
    assert found.verdict == "none"
    assert (found.better_before, found.better_after) == (0, 0)
    assert str(found) == "none within 32 to 41,000"


def test_a_crossing_ahead() -> None:
    """The forecasts say where, as a range beyond the largest m."""
    steep, shallow = law(M, 0.0, 0.8, 0.45), law(M, 0.012, 0.25, 0.45)
    truth = (0.55 / 0.012) ** (1 / 0.45)
    found = crossing(repeated(steep, noise=0.005), repeated(shallow, noise=0.005))
    assert found.basis == "forecast" and found.better_before == 1
    assert found.probability > 0.5
    assert found.m is not None and found.low is not None and found.low > 4096 * 0.99
    assert found.low <= truth and (found.high is None or truth <= found.high)


def test_curves_without_a_common_range_do_not_compare() -> None:
    """Crossings and rankings need one."""
    a, b = measured([1, 2, 3], [0.3, 0.2, 0.1]), measured([4, 5, 6], [0.3, 0.2, 0.1])
    with pytest.raises(TakeoffError, match="no range of m in common"):
        crossing(a, b)
    with pytest.raises(TakeoffError, match="no range of m in common"):
        ranking({"a": a, "b": b})


# Rankings


def test_a_clear_ranking() -> None:
    """Best first, every rank certain, every pair shown."""
    curves = {name: repeated(law(M, f), seed=i) for i, (name, f) in enumerate(
        [("worst", 0.3), ("best", 0.0), ("middle", 0.1)]
    )}  # fmt: skip
    found = ranking(curves)
    assert list(found.errors) == ["best", "middle", "worst"]
    assert found.ranks == {"best": (1, 1), "middle": (2, 2), "worst": (3, 3)}
    assert (found.m, found.basis) == (4096, "repeats")
    assert all(pair.verdict == "supported" and pair.probability > 0.95 for pair in found.pairs)


def test_equal_learners_share_their_ranks() -> None:
    """Holm: any pair of six equal learners is shown in at most 1 - level of the studies."""
    shown = 0
    for study in range(200):
        curves = {str(i): repeated(law(M), seed=100 * study + i, noise=0.1) for i in range(6)}
        shown += any(low > 1 or high < 6 for low, high in ranking(curves, level=0.9).ranks.values())
    assert shown <= 0.1 * 200 + 3 * np.sqrt(0.09 * 200)


def test_repeats_are_paired() -> None:
    """A difference far smaller than what repeats share is shown."""
    shared = 1 + 0.2 * np.random.default_rng(0).standard_normal((1, 5))
    rng = np.random.default_rng(1)
    noise = 1 + 0.001 * rng.standard_normal((2, len(M), 5))
    truth = law(M)[:, None] * shared
    curves = {"a": measured(M, truth * noise[0]), "b": measured(M, 1.02 * truth * noise[1])}
    assert ranking(curves).ranks == {"a": (1, 1), "b": (2, 2)}
    unpaired = {
        name: measured(M, one.curve.error, stderr=one.curve.stderr) for name, one in curves.items()
    }
    assert ranking(unpaired).ranks == {"a": (1, 2), "b": (1, 2)}


def test_a_ranking_ahead_is_less_sure() -> None:
    """Beyond the measured range the forecasts are compared, up to ten times."""
    curves = {"a": repeated(law(M)), "b": repeated(law(M, 0.01))}
    now, ahead = ranking(curves), ranking(curves, 40_000)
    assert ahead.basis == "forecast"
    assert 0.5 < ahead.pairs[0].probability < now.pairs[0].probability
    with pytest.raises(TakeoffError, match="can't be ranked"):
        ranking(curves, 50_000)
    with pytest.raises(TakeoffError, match="no curves"):
        ranking({})


def test_one_learner_has_the_first_rank() -> None:
    """There is nobody to compare with."""
    found = ranking({"a": repeated(law(M))})
    assert found.ranks == {"a": (1, 1)} and not found.pairs


def test_probabilities_are_complementary_and_follow_the_curves() -> None:
    """P(A better) + P(B better) = 1; small before the crossing, large after it."""
    a, b = repeated(STEEP, seed=1), repeated(SHALLOW, seed=2)
    m = [40, 100, 225, 1000, 4096, 8000]
    p, q = probability_better(a, b, m), probability_better(b, a, m)
    assert p + q == pytest.approx(np.ones(6), abs=0.01)
    assert p[0] < 0.05 and p[4] > 0.95 and p[5] > 0.9
    with pytest.raises(TakeoffError, match="are stated"):
        probability_better(a, b, [50_000])


def test_probabilities_are_calibrated() -> None:
    """Of equal learners, P(A better) is uniform: each tenth holds a tenth."""
    p = [
        float(probability_better(repeated(law(M), seed=i), repeated(law(M), seed=5000 + i), 512)[0])
        for i in range(600)
    ]
    shares = np.histogram(p, np.linspace(0, 1, 6))[0] / 600
    assert shares == pytest.approx(np.full(5, 0.2), abs=4 * np.sqrt(0.16 / 600))


# Overlapping subsets


def test_the_correction_for_a_pool_is_right_for_a_mean() -> None:
    """The error of a mean over subsets of a pool, about what *another* pool would give, is as wide
    as the corrected standard error says; without the correction it is far too narrow."""
    rng = np.random.default_rng(0)
    pool, m, repeats, plain, corrected, means = 200, 100, 5, [], [], []
    for _ in range(1500):
        examples = rng.standard_normal(pool)
        errors = [0.5 + examples[rng.permutation(pool)[:m]].mean() / 10 for _ in range(repeats)]
        one = measured([m], [errors])
        none = measured([m], [np.full(repeats, 0.5)])
        means.append(np.mean(errors) - 0.5)
        plain.append(differences(one, none, [m]).se[0] ** 2)
        corrected.append(differences(one, none, [m], about=About(pool=pool)).se[0] ** 2)
    truth = np.mean(np.square(means))
    assert np.mean(corrected) == pytest.approx(truth, rel=0.15)
    assert np.mean(plain) < 0.4 * truth


def test_a_pool_makes_all_intervals_wider() -> None:
    """Plateaus, crossings and rankings alike; a pool that is no larger than a subset is refused."""
    a, b = repeated(STEEP, seed=1), repeated(SHALLOW, seed=2)
    narrow, wide = plateau(a), plateau(a, about=About(pool=8192))
    assert wide.low < narrow.low and wide.high > narrow.high
    pairs = [ranking({"a": a, "b": b}, about=About(pool=pool)).pairs[0] for pool in (None, 8192)]
    assert pairs[1].high - pairs[1].low > pairs[0].high - pairs[0].low
    with pytest.raises(TakeoffError, match="isn't larger than its subset"):
        plateau(a, about=About(pool=4096))


def test_a_fixed_test_set_counts_where_it_is_said() -> None:
    """Two learners that are equal but for the test set are told apart by repeats alone, as the
    difference is real on these examples, and not with the size of the test set."""
    rng = np.random.default_rng(0)
    tests, truth, plain, wide = 2000, 0.1, 0, 0
    for seed in range(200):
        on_tests = rng.binomial(tests, truth, size=2) / tests
        a, b = (repeated(e + 0 * M, seed=10 * seed + i, noise=0.01) for i, e in enumerate(on_tests))
        plain += ranking({"a": a, "b": b}).pairs[0].p < 0.1
        wide += ranking({"a": a, "b": b}, about=About(tests=tests)).pairs[0].p < 0.1
    assert plain > 0.5 * 200
    assert wide <= 0.1 * 200 + 3 * np.sqrt(0.09 * 200)


def test_the_test_set_of_losses_is_not_known() -> None:
    """Only errors are binomial."""
    loss = measured(M, np.outer(2 + law(M), [1, 1.01, 1.02]))
    with pytest.raises(TakeoffError, match="only known for error rates"):
        plateau(loss, about=About(tests=100))
    with pytest.raises(TakeoffError, match="only known for error rates"):
        plateau(repeated(law(M)), about=About(tests=0))
    flat = repeated(0.1 + 0 * M)
    assert plateau(flat, about=About(tests=100)).high > plateau(flat).high
