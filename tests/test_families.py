"""Families of curves: known parameters come back, and what travels with them is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takeoff.statistics import families
from takeoff.statistics.families import AT_BOUND, CONVERGED, FAMILIES, NOT_DECREASING, TOO_FEW, fit

M = np.round(np.geomspace(16, 4096, 33))
FAR = np.array([8192.0, 65536.0])
EVEN = np.ones((1, len(M)))

TRUTHS = {
    "power_law": {"amplitude": 0.9, "exponent": 0.4},
    "pow3": {"floor": 0.05, "amplitude": 0.8, "exponent": 0.5},
    "mmf4": {"floor": 0.04, "amplitude": 0.6, "exponent": 0.9, "scale": 100.0},
    "weibull4": {"floor": 0.05, "amplitude": 0.7, "exponent": 0.5, "scale": 60.0},
    "pow4": {"floor": 0.05, "amplitude": 6.0, "exponent": 0.8, "shift": 60.0},
    "m4": {
        "floor": 0.05,
        "ceiling": 0.9,
        "log_amplitude": 2.0,
        "exponent": 0.6,
        "bend": 0.7,
    },
    "bnsl": {
        "floor": 0.03,
        "amplitude": 0.6,
        "exponent": 0.1,
        "scale": 300.0,
        "width": 0.3,
        "change": 0.5,
    },
}


def truth(family: str, m: np.ndarray) -> np.ndarray:
    """The family's curve with its true parameters."""
    values = {"floor": 0.0} | TRUTHS[family]
    parameters = {name: np.array([value]) for name, value in values.items()}
    status = np.array([CONVERGED])
    fits = families.Fits(family, parameters, np.zeros(1), status, (0.0, 1.0))
    return fits.error(m)[0]


@pytest.mark.parametrize("family", TRUTHS)
def test_a_curve_of_the_family_is_extrapolated_well(family: str) -> None:
    """Without noise, the forecast at 16 times the largest m is within 5 % of the truth; that of
    the broken power law, whose six parameters aren't identified, within 35 %."""
    fits = fit(family, M, truth(family, M), EVEN, ceiling=0.9)
    assert fits.error(M)[0] == pytest.approx(truth(family, M), rel=0.05)
    near = 0.35 if family == "bnsl" else 0.05
    assert fits.error(FAR)[0] == pytest.approx(truth(family, FAR), rel=near)


@pytest.mark.parametrize("family", ["power_law", "pow3", "mmf4", "weibull4"])
def test_parameters_come_back_in_the_units_of_m(family: str) -> None:
    """Amplitudes, exponents, scales and floors are those that the curve was made with."""
    fits = fit(family, M, truth(family, M), EVEN)
    for name, value in TRUTHS[family].items():
        assert fits.parameters[name][0] == pytest.approx(value, rel=0.15), name


def test_the_power_law_with_a_floor_is_exact() -> None:
    """Its profile has one nonlinear parameter, so that refinement ends close to the truth."""
    fits = fit("pow3", M, truth("pow3", M), EVEN)
    assert fits.parameters["exponent"][0] == pytest.approx(0.5, abs=2e-3)
    assert fits.status[0] == CONVERGED


@pytest.mark.parametrize("family", FAMILIES)
def test_replicates_are_fitted_as_if_alone(family: str) -> None:
    """A row of a batch has the same fit as that row alone."""
    random = np.random.default_rng(0)
    errors = truth("pow3", M) + random.normal(0, 0.01, (3, len(M)))
    together = fit(family, M, errors, np.repeat(EVEN, 3, axis=0)).error(FAR)
    for row, values in enumerate(together):
        assert values == pytest.approx(fit(family, M, errors[row], EVEN).error(FAR)[0], rel=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_unit_of_m_does_not_matter(family: str) -> None:
    """Counting examples in thousands gives the same forecasts."""
    errors = truth("pow4", M) + np.random.default_rng(1).normal(0, 0.004, len(M))
    here = fit(family, M, errors, EVEN).error(FAR)
    assert fit(family, M / 1000, errors, EVEN).error(FAR / 1000) == pytest.approx(here, rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_weight_of_zero_leaves_a_point_out(family: str) -> None:
    """The fit is the one without the point (the unit is the largest m, which stays)."""
    errors = truth("pow3", M).copy()
    weights = EVEN.copy()
    weights[0, 5] = 0
    with_it = fit(family, M, errors, weights).error(FAR)
    errors[5] = 0.99
    assert fit(family, M, errors, weights).error(FAR) == pytest.approx(with_it, rel=1e-9)


def test_an_outlier_has_little_say() -> None:
    """One wild point moves a robust fit by less than a plain one."""
    errors = truth("pow3", M) + np.random.default_rng(2).normal(0, 0.002, len(M))
    errors[-6] += 0.3
    off = [
        abs(fit("pow3", M, errors, EVEN, robust=robust).error(FAR)[0, 0] - truth("pow3", FAR)[0])
        for robust in (True, False)
    ]
    assert off[0] < off[1] / 2


@pytest.mark.parametrize("family", ["power_law", "pow3", "mmf4", "weibull4", "pow4", "bnsl", "m4"])
def test_statuses(family: str) -> None:
    """Too few points and errors that rise are said."""
    few = fit(family, M[:1], np.array([0.3]), np.ones((1, 1)))
    assert few.status[0] == TOO_FEW
    assert np.isnan(few.error(FAR)).all()
    rising = fit(family, M, np.linspace(0.1, 0.4, len(M)), EVEN)
    assert rising.status[0] == NOT_DECREASING


def test_a_floor_of_zero_is_at_a_bound() -> None:
    """A curve that falls below every floor has its floor at the bound."""
    assert fit("pow3", M, M**-1.0, EVEN).status[0] == AT_BOUND


def test_losses_stay_above_their_floor() -> None:
    """A lower bound above zero is kept by fits and forecasts."""
    losses = 1.5 + 4 * M**-0.3
    fits = fit("pow3", M, losses, EVEN, bounds=(1.2, np.inf))
    assert fits.error(np.array([1e12]))[0, 0] >= 1.2
    assert fits.parameters["floor"][0] == pytest.approx(1.5, abs=0.05)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(FAMILIES),
    st.lists(st.floats(0, 1), min_size=2, max_size=12),
    st.integers(0, 1000),
)
def test_whatever_the_curve_forecasts_stay_in_bounds(
    family: str, errors: list[float], seed: int
) -> None:
    """Any errors in [0, 1], any weights: forecasts are in [0, 1] (or NaN, with too few points)."""
    m = np.sort(np.random.default_rng(seed).choice(10_000, len(errors), replace=False) + 1.0)
    weights = np.random.default_rng(seed).uniform(0.01, 1, (2, len(m)))
    fits = fit(family, m, np.array(errors), weights)
    values = fits.error(np.array([m[-1], 2.0 * m[-1], 1e9]))
    known = fits.status != TOO_FEW
    assert ((values[known] >= 0) & (values[known] <= 1)).all()
    assert (np.diff(values[known], axis=1) <= 1e-9).all()  # no family rises with m
