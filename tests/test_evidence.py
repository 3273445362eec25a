"""What a curve says for itself: backtests inside it, noise, and which learners are stuck."""

from __future__ import annotations

import numpy as np
import pytest

from takeoff.statistics.evidence import (
    LAST,
    MEMBERS,
    TAKE_OFF,
    TAKES_OFF,
    check,
    gather,
    is_best_so_far,
    is_stuck,
    noise_of,
    standard_errors,
)

M = np.round(np.geomspace(16, 4096, 25))
ERRORS = 0.05 + 0.8 * M**-0.5
POW3 = MEMBERS.index(("pow3", 0.0))


def test_the_right_family_wins_its_backtests() -> None:
    """On a power law with a floor, pow3 misses by less than the last value does."""
    found = gather(check(M, ERRORS), np.array([2.0, 4.0]))
    assert (found.backtest[:, POW3] < 0.1 * found.backtest[:, LAST]).all()
    assert found.members[:, LAST] == pytest.approx(ERRORS[-1])
    assert found.reached == pytest.approx([2.0, 4.0], rel=0.2)


def test_backtests_of_the_last_value_are_what_they_say() -> None:
    """With three points on a straight line the backtest error is the step."""
    m = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    found = gather(check(m, [0.5, 0.4, 0.3, 0.2, 0.1]), np.array([2.0]))
    assert found.backtest[0, LAST] == pytest.approx(0.1)
    assert found.reached[0] == pytest.approx(2)


def test_a_factor_beyond_the_curve_is_backtested_at_the_longest_it_has() -> None:
    """`reached` says how far the backtests go."""
    found = gather(check(M, ERRORS), np.array([1000.0]))
    assert 4 < found.reached[0] < 256


def test_members_ignore_what_comes_after_the_origin() -> None:
    """A backtest sees nothing of the future: another end leaves early backtests alone."""
    changed = ERRORS.copy()
    changed[-1] = 0.9
    first, second = (gather(check(M, e), np.array([1.2])) for e in (ERRORS, changed))
    assert second.backtest[0, LAST] > first.backtest[0, LAST]
    short = [gather(check(M[:-1], e[:-1]), np.array([2.0])).backtest for e in (ERRORS, changed)]
    assert short[0] == pytest.approx(short[1])


def test_noise_is_found_without_standard_errors() -> None:
    """Second differences give the standard deviation of the noise within a factor of two."""
    noisy = [
        noise_of(check(M, ERRORS + np.random.default_rng(s).normal(0, 0.01, 25))) for s in range(20)
    ]
    assert 0.005 < np.median(noisy) < 0.02
    assert noise_of(check(M, ERRORS)) < 0.002
    assert noise_of(check(M, ERRORS, np.full(25, 0.02))) == pytest.approx(0.02)


def test_standard_errors_are_shrunken_and_never_zero() -> None:
    """A lucky zero does not get all the weight; unknown ones are like their neighbours."""
    given = np.full(25, 0.01)
    given[3], given[4] = 0.0, np.nan
    se = standard_errors(check(M, ERRORS, given))
    assert (se > 0.002).all()
    assert standard_errors(check(M, ERRORS)) / ERRORS == pytest.approx(1)


def test_a_constant_learner_is_stuck_and_may_take_off() -> None:
    """Equal errors at the end add a member; any movement there takes it away."""
    stuck = check(M, np.full(25, 0.7))
    assert is_stuck(stuck)
    found = gather(stuck, np.array([2.0]))
    assert found.members[0, TAKES_OFF] == pytest.approx(TAKE_OFF * 0.7)
    assert not is_stuck(check(M, ERRORS))
    assert not is_stuck(check(M, np.zeros(25)))


def test_the_best_error_so_far_is_told_from_each_m_s_own() -> None:
    """A running minimum of noisy errors repeats itself and never rises; other curves do."""
    noisy = ERRORS + np.random.default_rng(1).normal(0, 0.02, 25)
    assert is_best_so_far(check(M, np.minimum.accumulate(noisy)))
    assert not is_best_so_far(check(M, noisy))
    assert not is_best_so_far(check(M, ERRORS))
    assert not is_best_so_far(check(M, np.full(25, 0.7)))
    assert not is_best_so_far(check(M[:4], np.minimum.accumulate(noisy)[:4]))
