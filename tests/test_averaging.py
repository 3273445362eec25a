"""Weights of members and widths of forecasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from takeoff.statistics.averaging import backtest_gain, outlying, scale_features, score_features
from takeoff.statistics.evidence import LAST, MEMBERS, TAKES_OFF, check, gather
from takeoff.statistics.learned import LEARNED

M = np.round(np.geomspace(16, 4096, 25))
ERRORS = 0.05 + 0.8 * M**-0.5
FACTORS = np.array([1.0, 2.0, 4.0, 32.0])
EVIDENCE = gather(check(M, ERRORS), FACTORS)


def test_weights_are_shares() -> None:
    """They are positive and sum to 1; nothing takes off that isn't stuck."""
    weights = LEARNED.weights(EVIDENCE)
    assert weights.sum(axis=1) == pytest.approx(1)
    assert (weights >= 0).all()
    assert (weights[:, TAKES_OFF] == 0).all()
    assert (LEARNED.weights(replace(EVIDENCE, stuck=True))[:, TAKES_OFF] > 0).all()


def test_a_better_backtest_gives_more_weight() -> None:
    """At every factor up to 16."""
    better = EVIDENCE.backtest.copy()
    better[:, 3] /= 100
    before, after = (
        LEARNED.weights(evidence)[:3, 3]
        for evidence in (EVIDENCE, replace(EVIDENCE, backtest=better))
    )
    assert (after >= before).all()


def test_the_best_error_so_far_is_not_taken_at_its_word() -> None:
    """Its noise doesn't show: the last value and weightings of the whole curve gain, and the
    interval is wider."""
    best = replace(EVIDENCE, best_so_far=True)
    before, after = (LEARNED.weights(evidence) for evidence in (EVIDENCE, best))
    assert (after[:, LAST] > before[:, LAST]).all()
    steep, whole = (MEMBERS.index(("pow4", tail)) for tail in (3.5, 0.0))
    assert (after[:, whole] / after[:, steep] > before[:, whole] / before[:, steep]).all()
    assert (LEARNED.widths(best, before) > LEARNED.widths(EVIDENCE, before)).all()


def test_a_rough_curve_is_extrapolated_less() -> None:
    """The last value gains weight with roughness, up to a factor of 4."""
    rough = LEARNED.weights(replace(EVIDENCE, rough=0.6))[:3]
    assert (rough[:, LAST] > LEARNED.weights(EVIDENCE)[:3, LAST]).all()


def test_features_have_one_column_per_coefficient() -> None:
    """And are ratios: rescaling m and errors changes none but the level of a stuck learner."""
    features = score_features(EVIDENCE)
    assert features.shape == (4, len(MEMBERS), len(LEARNED.coefficients()))
    scaled = score_features(gather(check(M * 10, ERRORS / 2, kind="loss"), FACTORS))
    assert scaled[:, :TAKES_OFF] == pytest.approx(features[:, :TAKES_OFF], abs=0.6)
    assert scaled[:, LAST] == pytest.approx(features[:, LAST], abs=1e-9)


def test_features_of_a_curve_without_backtests_are_finite() -> None:
    """Two points have no backtest; nothing is NaN."""
    evidence = gather(check(M[:2], ERRORS[:2]), FACTORS)
    assert (backtest_gain(evidence) == 0).all()
    assert np.isfinite(outlying(evidence)).all()
    unit, features = scale_features(evidence, LEARNED.weights(evidence))
    assert np.isfinite(features).all()
    assert (unit > 0).all()


def test_the_learned_quantiles_are_a_distribution() -> None:
    """Ascending, with median 0, and inverted by the cdf, also in the tails."""
    assert (np.diff(LEARNED.probabilities) > 0).all()
    assert (np.diff(LEARNED.quantiles) > 0).all()
    assert LEARNED.standard_quantile(np.array([0.5]))[0] == 0
    p = np.array([0.01, 0.2, 0.5, 0.7, 0.99])
    assert LEARNED.standard_cdf(LEARNED.standard_quantile(p)) == pytest.approx(p, abs=1e-9)
    far = LEARNED.standard_cdf(np.array([-1e6, -100.0, 100.0, 1e6]))
    assert (np.diff(far) >= 0).all()
    assert far[0] == pytest.approx(0, abs=1e-6)
    assert far[-1] == pytest.approx(1, abs=1e-6)
