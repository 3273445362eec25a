"""Forecasts of learning curves: invariants, decisions not to extrapolate, and failures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takeoff.errors import TakeoffError
from takeoff.statistics.extrapolate import FAR, NAIVE, WAITING, extrapolate, probability_below
from takeoff.statistics.families import TOO_FEW

M = np.round(np.geomspace(16, 4096, 25))
AHEAD = np.array([8192.0, 16384.0, 65536.0])


def power_law(m: np.ndarray) -> np.ndarray:
    """A well-behaved curve."""
    return 0.05 + 0.8 * m**-0.5


def noisy(seed: int = 0, sd: float = 0.002) -> np.ndarray:
    """That curve as it is measured."""
    return power_law(M) + np.random.default_rng(seed).normal(0, sd, len(M))


def test_a_well_behaved_curve_is_extrapolated() -> None:
    """The forecast is nearer to the truth than the last value, and the interval covers it."""
    found = extrapolate(M, noisy(), at=AHEAD)
    missed = np.abs(found.predicted - power_law(AHEAD))
    assert (missed < np.abs(noisy()[-1] - power_law(AHEAD)))[1:].all()
    assert ((found.low <= power_law(AHEAD)) & (power_law(AHEAD) <= found.high)).all()
    assert found.shape == "decreasing"
    assert found.family != "last_value"
    assert sum(found.weights.values()) == pytest.approx(1)


def test_intervals_widen_with_the_horizon() -> None:
    """The scale never falls with m, and grows in all by a good deal."""
    found = extrapolate(M, noisy(), at=np.geomspace(4097, 4096 * 40, 50))
    assert (np.diff(found.scale) >= 0).all()
    assert found.scale[-1] > 3 * found.scale[0]


def test_more_noise_widens_intervals() -> None:
    """Standard errors are heard."""
    narrow = extrapolate(M, noisy(), at=AHEAD, stderr=np.full(len(M), 0.001))
    wide = extrapolate(M, noisy(sd=0.02), at=AHEAD, stderr=np.full(len(M), 0.02))
    assert (wide.high - wide.low > narrow.high - narrow.low).all()


def test_the_order_of_points_does_not_matter() -> None:
    """Rows may come in any order."""
    order = np.random.default_rng(0).permutation(len(M))
    first = extrapolate(M, noisy(), at=AHEAD)
    second = extrapolate(M[order], noisy()[order], at=AHEAD)
    assert second.predicted == pytest.approx(first.predicted)
    assert second.low == pytest.approx(first.low)


def test_the_unit_of_m_does_not_matter() -> None:
    """A curve in thousands of examples has the same forecast."""
    first = extrapolate(M, noisy(), at=AHEAD)
    second = extrapolate(M / 1000, noisy(), at=AHEAD / 1000)
    assert second.predicted == pytest.approx(first.predicted, rel=1e-3)
    assert second.high == pytest.approx(first.high, rel=1e-2)


def test_a_forecast_does_not_depend_on_what_else_is_asked() -> None:
    """One point alone is predicted as it is among others."""
    together = extrapolate(M, noisy(), at=AHEAD)
    alone = extrapolate(M, noisy(), at=AHEAD[:1])
    assert alone.predicted[0] == pytest.approx(together.predicted[0])
    assert alone.low[0] == pytest.approx(together.low[0])


def test_losses_have_no_ceiling() -> None:
    """Values above 1 are losses; their unit does not matter."""
    losses = 20 * noisy()
    found = extrapolate(M, losses, at=AHEAD)
    assert found.bounds == (0.0, np.inf)
    assert found.predicted == pytest.approx(20 * power_law(AHEAD), rel=0.15)
    ten = extrapolate(M, 10 * losses, at=AHEAD)
    assert ten.predicted == pytest.approx(10 * found.predicted, rel=1e-3)


def test_a_curve_that_only_wobbles_is_not_extrapolated() -> None:
    """Noise around a constant gives a forecast near the constant."""
    errors = 0.3 + np.random.default_rng(3).normal(0, 0.004, len(M))
    found = extrapolate(M, errors, at=AHEAD)
    assert found.predicted == pytest.approx(0.3, abs=0.015)


def test_a_stuck_learner_is_named_and_uncertain() -> None:
    """The same error at every m says nothing about the day it begins to learn."""
    found = extrapolate(M, np.full(len(M), 0.8), at=AHEAD)
    assert found.shape == "stuck"
    assert found.status in (WAITING, NAIVE)
    assert found.high[-1] - found.low[-1] > 0.2
    assert 0.1 < found.predicted[-1] <= 0.8


@pytest.mark.parametrize("points", [1, 2, 3, 4])
def test_few_points_still_give_the_last_value(points: int) -> None:
    """With fewer than five points nothing is fitted, and the interval is wide."""
    found = extrapolate(M[:points], power_law(M[:points]), at=[64.0])
    assert found.status == TOO_FEW
    assert found.predicted[0] == pytest.approx(power_law(M[points - 1 : points])[0])
    assert found.high[0] - found.low[0] > 0.02


def test_five_points_are_enough_for_an_interval() -> None:
    """From five points upwards a family is fitted."""
    m = np.geomspace(100, 1600, 5)
    found = extrapolate(m, power_law(m), at=[3200.0])
    assert found.status != TOO_FEW
    assert found.low[0] < power_law(np.array([3200.0]))[0] < found.high[0]


def test_very_far_is_said() -> None:
    """Beyond 32 times the largest m the status says that nothing was calibrated there."""
    assert extrapolate(M, noisy(), at=[4096.0 * 33]).status == FAR


def test_within_the_measured_range_the_curve_is_interpolated() -> None:
    """A measured m has its measured error."""
    assert extrapolate(M, noisy(), at=M[[3, 10]]).predicted == pytest.approx(noisy()[[3, 10]])


def test_quantiles_cdf_and_paths_agree() -> None:
    """All three describe one distribution."""
    found = extrapolate(M, noisy(), at=AHEAD)
    p = np.array([0.02, 0.05, 0.3, 0.5, 0.8, 0.95])
    quantiles = found.quantile(p)
    assert (np.diff(quantiles, axis=0) > 0).all()
    assert quantiles[[1, 5]] == pytest.approx(np.stack([found.low, found.high]))
    for probability, values in zip(p, quantiles, strict=True):
        assert found.cdf(values) == pytest.approx(probability, abs=1e-6)
    paths = found.paths(4000, seed=1)
    assert np.quantile(paths, 0.3, axis=0) == pytest.approx(quantiles[2], rel=0.02)
    assert (found.paths(5, seed=2) == found.paths(5, seed=2)).all()


def test_the_better_of_two_forecasts() -> None:
    """A curve that lies far below another is better with near certainty; alike ones are a toss."""
    low, high = (extrapolate(M, shift + noisy(), at=AHEAD) for shift in (0.0, 0.3))
    assert (probability_below(low, high) > 0.95).all()
    assert probability_below(low, low) == pytest.approx(0.5, abs=0.01)
    with pytest.raises(TakeoffError, match="same m"):
        probability_below(low, extrapolate(M, noisy(), at=AHEAD[:2]))


@pytest.mark.parametrize(
    ("m", "error", "more", "message"),
    [
        ([], [], {}, "no points"),
        ([1, 2], [0.1], {}, "different lengths"),
        ([1, 1], [0.1, 0.2], {}, "twice"),
        ([0, 1], [0.1, 0.2], {}, "positive"),
        ([1, 2], [0.1, np.nan], {}, "finite"),
        ([1, 2], [0.1, -0.1], {}, "not negative"),
        ([1, 2], [0.1, 1.5], {"kind": "error"}, "above 1"),
        ([1, 2], [0.2, 0.1], {"stderr": [-1, 0]}, "negative"),
        ([1, 2], [0.2, 0.1], {"at": [-1]}, "positive"),
        ([1, 2], [0.2, 0.1], {"level": 1.0}, "between 0 and 1"),
        ([1, 2], [0.2, 0.1], {"chance": 0.0}, "chance"),
    ],
)
def test_what_cannot_be_used_is_refused(
    m: list[float], error: list[float], more: dict[str, object], message: str
) -> None:
    """Every bad input is named."""
    with pytest.raises(TakeoffError, match=message):
        extrapolate(m, error, **({"at": [10.0]} | more))  # type: ignore[arg-type]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=14),
    st.integers(0, 1000),
    st.booleans(),
)
def test_whatever_the_curve_a_forecast_is_in_order(
    errors: list[float], seed: int, loss: bool
) -> None:
    """Any curve: low <= predicted <= high, within bounds, finite, and widening."""
    random = np.random.default_rng(seed)
    m = random.choice(10_000, len(errors), replace=False) + 1.0
    at = m.max() * np.array([1.5, 3.0, 20.0, 100.0])
    values = np.array(errors) * (50 if loss else 1)
    found = extrapolate(m, values, at=at, kind="loss" if loss else "error")
    assert np.isfinite([found.low, found.predicted, found.high]).all()
    assert (found.low <= found.predicted).all()
    assert (found.predicted <= found.high).all()
    assert (found.low >= 0).all()
    assert (found.high <= found.bounds[1]).all()
    assert (np.diff(found.scale) >= 0).all()
