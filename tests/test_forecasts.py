"""Forecasts of the paper's curves, and the last octave held out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from takeoff.errors import TakeoffError
from takeoff.statistics.forecasts import (
    AHEAD,
    FORECAST_COLUMNS,
    HELD_OUT_COLUMNS,
    Limits,
    forecast_curves,
    hold_out,
    score,
)

M = [125, 250, 500, 1000, 2000, 4000, 8000, 16000]


def curves_of(
    errors: list[float], m: list[int] = M, learner: str = "net", dataset: str = "d"
) -> pd.DataFrame:
    """Mean errors as `summarise` gives them, with standard errors of 1 %."""
    frame = pd.DataFrame({"m": m, "test_error": errors})
    return frame.assign(dataset=dataset, learner=learner, se=0.01 * frame["test_error"])


def power_law(m: list[int] = M) -> list[float]:
    return [0.05 + 2 * size**-0.5 for size in m]


def held(*rows: tuple[float, float, bool, float], dataset: str = "d") -> pd.DataFrame:
    """Held-out rows of as many learners: measured, predicted, inside, last value."""
    frame = pd.DataFrame(rows, columns=["measured", "predicted", "inside", "last_value"])
    frame = frame.assign(low=frame["predicted"] - 0.02, high=frame["predicted"] + 0.03)
    return frame.assign(dataset=dataset, learner=[f"net {i}" for i in range(len(frame))])


# Forecasts


def test_a_forecast_goes_from_the_largest_m_to_ten_times_as_many() -> None:
    """It sets out at the measured error, and names every multiple that the paper speaks of."""
    forecast = forecast_curves(curves_of(power_law()), level=0.95)
    assert list(forecast) == FORECAST_COLUMNS
    m = forecast["m"]
    assert (m.min(), m.max()) == (16000, 160000)
    assert m.is_monotonic_increasing
    for multiple in AHEAD.values():
        assert np.isclose(m, 16000 * multiple).sum() == 1
    assert forecast["measured"].tolist() == [True] + [False] * (len(m) - 1)
    assert forecast["predicted"].iloc[0] == pytest.approx(power_law()[-1])


def test_a_forecast_falls_with_the_law_and_widens() -> None:
    """A clean power law is followed; the interval is wider at ten times than at twice."""
    forecast = forecast_curves(curves_of(power_law()), level=0.95)
    last = forecast.iloc[-1]
    truth = 0.05 + 2 * 160000**-0.5
    assert last["predicted"] == pytest.approx(truth, abs=0.005)
    assert last["low"] <= truth <= last["high"]
    width = forecast["high"] - forecast["low"]
    assert width.iloc[-1] > width.iloc[1]
    assert forecast[["family", "status", "shape"]].drop_duplicates().shape == (1, 3)
    assert forecast["shape"].iloc[0] == "decreasing"


def test_a_higher_level_is_a_wider_interval() -> None:
    """The study's level is that of the forecasts."""
    low, high = (forecast_curves(curves_of(power_law()), level=p) for p in (0.8, 0.95))
    assert (high["high"] - high["low"] >= low["high"] - low["low"]).all()
    assert (high["predicted"] == low["predicted"]).all()


def test_every_curve_is_forecast_by_itself() -> None:
    """Other curves, and the order of rows, change nothing."""
    one = curves_of(power_law())
    two = curves_of([0.4 - 0.02 * i for i in range(8)], learner="svm")
    both = pd.concat([two, one]).sample(frac=1, random_state=0)
    alone, among = forecast_curves(one, level=0.9), forecast_curves(both, level=0.9)
    of_net = among[among["learner"] == "net"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_net, alone)


def test_a_short_curve_says_so() -> None:
    """Three points: the status says so, and the interval keeps the last error for possible."""
    forecast = forecast_curves(curves_of(power_law(M[:3]), M[:3]), level=0.95)
    assert set(forecast["status"]) == {"too few points"}
    last = power_law(M[:3])[-1]
    assert (forecast["low"] < last).all() and (forecast["high"] >= last).all()


def test_a_curve_without_repeats_has_intervals() -> None:
    """No standard errors: the roughness of the curve stands in for them."""
    forecast = forecast_curves(curves_of(power_law()).assign(se=np.nan), level=0.95)
    assert (forecast["low"] < forecast["high"]).all()


def test_a_broken_curve_is_named() -> None:
    """An error that is no error names learner and data set."""
    with pytest.raises(TakeoffError, match="curve of net on d"):
        forecast_curves(curves_of([2.0, *power_law()[1:]]), level=0.95)


def test_no_forecast_is_below_the_best_possible_error() -> None:
    """A known floor ends and narrows the intervals of its data set, and of no other."""
    curves = curves_of([0.051 + 3 * size**-0.6 for size in M])
    both = pd.concat([curves, curves.assign(dataset="e")])
    plain, known = (forecast_curves(both, 0.9, limits) for limits in (None, {"d": Limits(0.05)}))
    ahead = ~plain["measured"]
    own, other = ahead & (plain["dataset"] == "d"), ahead & (plain["dataset"] == "e")
    assert plain["low"][own].min() < 0.05
    assert (known["low"][own] >= 0.05).all()
    width = known["high"] - known["low"]
    assert (width[own] < (plain["high"] - plain["low"])[own]).all()
    assert known[other].equals(plain[other])


def test_the_measured_error_stays_what_it_is() -> None:
    """At the largest m stands the measured mean, also where noise put it below the floor."""
    errors = [*power_law()[:-1], 0.0605]
    forecast = forecast_curves(curves_of(errors), 0.9, {"d": Limits(floor=0.061)})
    assert forecast["predicted"].iloc[0] == pytest.approx(0.0605)
    assert (forecast["low"].iloc[1:] >= 0.061).all()
    assert (forecast["high"].iloc[1:] > forecast["low"].iloc[1:]).all()


def test_no_error_rises_above_that_of_guessing() -> None:
    """Chance is the upper end, unless the learner is worse than that at its largest m."""
    stuck = [0.5 + 0.001 * (-1) ** i for i in range(8)]
    for last, most in ((0.499, 0.5), (0.503, 0.503)):
        forecast = forecast_curves(curves_of([*stuck[:-1], last]), 0.9, {"d": Limits(chance=0.5)})
        assert forecast["high"].iloc[1:].max() <= most + 1e-12
    assert forecast_curves(curves_of(stuck), 0.9)["high"].max() > 0.503


def test_a_loss_has_a_floor_but_no_end_above() -> None:
    """Losses above 1 are taken where the data set's metric is a loss, and may exceed chance."""
    losses = [0.7 + 8 * size**-0.4 for size in M]
    limits = {"d": Limits(floor=0.69, chance=2.3, kind="loss")}
    forecast = forecast_curves(curves_of(losses), 0.9, limits)
    assert (forecast["low"] >= 0.69).all()
    held_back = hold_out(curves_of(losses), 0.9, limits)
    assert held_back["inside"].all()
    wild = forecast_curves(curves_of([2.5 + 0.3 * (-1) ** i for i in range(8)]), 0.9, limits)
    assert wild["high"].max() > 2.3


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(floor=0.9), "no error is above the floor"),
        (Limits(floor=-0.1), "floor -0.1"),
        (Limits(chance=0.0), "chance 0"),
        (Limits(floor=0.05, chance=0.05), "below chance"),
    ],
)
def test_limits_that_cannot_be_are_refused(limits: Limits, message: str) -> None:
    """The message names the curve."""
    with pytest.raises(TakeoffError, match=f"curve of net on d: .*{message}"):
        forecast_curves(curves_of(power_law()), 0.9, {"d": limits})


# The last octave


def test_the_last_octave_is_held_out() -> None:
    """Forecast from the points up to half of the largest m, which it doesn't see."""
    curves = curves_of(power_law())
    late = hold_out(curves, level=0.95)
    assert list(late) == HELD_OUT_COLUMNS
    row = late.iloc[0]
    assert (len(late), row["fitted_to"], row["m"]) == (1, 8000, 16000)
    assert (row["measured"], row["last_value"]) == (power_law()[-1], power_law()[-2])
    assert row["inside"] == (row["low"] <= row["measured"] <= row["high"])
    changed = curves.assign(test_error=curves["test_error"].where(curves["m"] < 16000, 0.9))
    again = hold_out(changed, level=0.95).iloc[0]
    assert again["predicted"] == row["predicted"]
    assert row["inside"] and not again["inside"]


def test_every_m_of_the_last_octave_is_held_out() -> None:
    """A curve with more m has more of them beyond half of its largest."""
    m = [100, 150, 200, 300, 400, 600, 800]
    late = hold_out(curves_of(power_law(m), m), level=0.95)
    assert late["m"].tolist() == [600, 800]
    assert set(late["fitted_to"]) == {400}


def test_a_capped_learner_is_held_out_at_its_own_end() -> None:
    """Half of its own largest m, not of its neighbour's."""
    both = pd.concat([curves_of(power_law()), curves_of(power_law(M[:6]), M[:6], learner="svm")])
    late = hold_out(both, level=0.95).set_index("learner")
    assert late["m"].to_dict() == {"net": 16000, "svm": 4000}


def test_a_curve_within_an_octave_is_not_held_out() -> None:
    """Nothing is known of it before its last octave: no row, but the columns."""
    late = hold_out(curves_of([0.3, 0.2], [100, 150]), level=0.95)
    assert late.empty and list(late) == HELD_OUT_COLUMNS


# Scores


def test_a_score_counts_and_averages() -> None:
    """Points inside, curves, and mean absolute errors of the forecasts and of the last value."""
    found = score(held((0.10, 0.11, True, 0.14), (0.20, 0.17, False, 0.22)), 0.9)
    assert (found.curves, found.points, found.inside) == (2, 2, 1)
    assert found.error == pytest.approx(0.02)
    assert found.last_value_error == pytest.approx(0.03)
    assert found.width == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("predicted", "says"),
    [(0.11, "better"), (0.121, "similar"), (0.0815, "similar"), (0.05, "worse")],
)
def test_forecasts_are_compared_with_the_last_value(predicted: float, says: str) -> None:
    """Within a tenth of each other, two mean errors are alike."""
    assert score(held((0.1, predicted, True, 0.12)), 0.9).against_last == says


def test_equal_errors_are_similar_even_at_zero() -> None:
    """A flat curve that stays flat: neither did better."""
    assert score(held((0.1, 0.1, True, 0.1)), 0.9).against_last == "similar"


@pytest.mark.parametrize(
    ("inside", "points", "says"),
    [(12, 12, "kept"), (10, 12, "kept"), (8, 12, "short"), (0, 1, "kept"), (0, 2, "short")],
)
def test_coverage_is_short_where_chance_rarely_brings_so_little(
    inside: int, points: int, says: str
) -> None:
    """At a level of 90 %, one miss in one is nothing yet; four in twelve are too many."""
    rows = [(0.1, 0.1, i < inside, 0.2) for i in range(points)]
    assert score(held(*rows), 0.9).coverage == says


def test_intervals_hold_the_last_octave_of_made_up_curves() -> None:
    """On a hundred noisy power laws, close to the stated level lies inside, and few by width alone.

    The forecasts also beat the last value by far.
    """
    random = np.random.default_rng(5)
    studies = []
    for i in range(100):
        floor, exponent = random.uniform(0, 0.1), random.uniform(0.2, 0.7)
        errors = floor + 1.5 * np.array(M) ** -exponent
        noisy = errors * (1 + 0.01 * random.normal(size=len(M)))
        studies.append(curves_of(noisy.tolist(), learner=f"net {i}"))
    late = hold_out(pd.concat(studies), level=0.9)
    found = score(late, 0.9)
    assert found.inside >= 85
    assert found.error < 0.5 * found.last_value_error
    assert ((late["high"] - late["low"]) / late["measured"]).median() < 0.25


def test_limits_are_those_of_the_data_sheet() -> None:
    """A log-loss has no end above; an error rate is at most that of guessing."""
    sheet = {"metric": "log_loss", "floor": 0.2, "chance": 0.69}
    assert Limits.of(sheet) == Limits(0.2, 0.69, "loss")
    assert Limits.of({"metric": "error_rate", "floor": None, "chance": 0.5}).kind == "error"
