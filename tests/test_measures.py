"""What data sets are judged by."""

from __future__ import annotations

import math
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeoff import measures
from takeoff.measures import Measure, axis_label, of_all
from takeoff.metrics import Metric, Truth, balanced_error


def test_every_metric_has_its_words() -> None:
    """A metric that a data set may have can be named and explained."""
    for metric in get_args(Metric):
        measure = Measure(metric)
        assert measure.name and measure.plural != measure.name and measure.meaning


@pytest.mark.parametrize(
    ("metric", "unit", "suffix", "gap_suffix"),
    [
        ("error_rate", "", "", "percentage points"),
        ("balanced_error", "m", "", "percentage points"),  # a share has no unit
        ("log_loss", "", "nats", "nats"),
        ("log_loss", "bits", "bits", "bits"),
        ("rmse", "m", "m", "m"),
        ("rmse", "", "", ""),
    ],
)
def test_units_follow_the_metric(metric: Any, unit: str, suffix: str, gap_suffix: str) -> None:
    """Shares are shown with their own sign, and differences of shares in points."""
    measure = Measure.of({"metric": metric, "unit": unit})
    assert (measure.suffix, measure.gap_suffix) == (suffix, gap_suffix)


def test_posterior_decisions_are_no_floor_of_a_balanced_error() -> None:
    """The most likely class is hardly ever a rare one, so others make less of this error."""
    rare = np.repeat([0.02, 0.4], [90, 10])
    posterior = np.column_stack([1 - rare, rare])
    other = np.where(posterior[:, 1:] > 0.1, [[0.0, 1.0]], [[1.0, 0.0]])
    truth = Truth(target=posterior)
    assert balanced_error(other, truth) < balanced_error(posterior, truth)
    sheet = {"metric": "balanced_error", "floor": 0.5, "floor_is_bound": True}
    measure = Measure.of(sheet)
    assert measure.floor is None and not measure.floor_is_bound
    assert Measure.of(sheet | {"given": True}).floor == 0.5  # someone says that it is one


def test_a_floor_of_zero_is_no_floor() -> None:
    """Every error lies above it, so it says nothing."""
    assert Measure.of({"metric": "log_loss", "floor": 0.0}).floor is None


@pytest.mark.parametrize(
    ("metric", "smallest", "error", "text", "gap"),
    [
        ("log_loss", 0.2081, 0.21555, "0.2155", "0.00055"),
        ("log_loss", 1.32, 2.3026, "2.303", "0.0006"),
        ("rmse", 0.412, 4.5, "4.500", "0.0006"),
        ("rmse", 1234.5, 2345.6, "2,346", "0.0"),
        ("rmse", 0.00000321, 0.0000045, "0.00000450", "0.000550000"),
        ("error_rate", 0.04, 0.04121, "4.12%", "0.06"),
    ],
)
def test_decimals_are_those_the_smallest_error_needs(
    metric: Metric, smallest: float, error: float, text: str, gap: str
) -> None:
    """All errors of a data set have the same decimals, and differences one more."""
    measure = Measure(metric).fitting([error, smallest, 0.0])
    assert measure.write(error) == text
    assert measure.write_gap(0.00055) == gap


def test_no_errors_leave_the_decimals_as_they_are() -> None:
    """Zero, and nothing at all, have no digits to go by."""
    assert Measure("rmse", decimals=3).fitting([0.0]).decimals == 3
    assert Measure("rmse", decimals=3).fitting([]).decimals == 3


def test_errors_in_different_units_are_not_alike() -> None:
    """Metres are no feet, and a log-loss is no error rate, whatever their floors."""
    metres, feet = Measure("rmse", "m"), Measure("rmse", "ft")
    assert of_all([metres, feet]) is None
    assert of_all([Measure(), Measure("log_loss")]) is None
    assert of_all([metres, Measure("rmse", "m", floor=0.3)]) == metres


@pytest.mark.parametrize(("value", "cut"), [(-0.1, 0.0), (0.5, 0.5), (1.5, 1.0)])
def test_a_share_is_cut_at_both_ends(value: float, cut: float) -> None:
    """A loss at zero only."""
    assert Measure().cut(value) == cut
    assert Measure("log_loss").cut(value) == max(value, 0.0)


@given(st.text(max_size=50), st.text(max_size=50))
def test_axis_labels_lose_nothing_and_stay_narrow(text: str, unit: str) -> None:
    """Long ones take several lines; only white space changes."""
    label = axis_label(text, unit)
    whole = f"{text}({unit})" if unit else text
    assert "".join(label.split()) == "".join(whole.split())
    assert all(len(line) <= measures.LABEL_WIDTH for line in label.splitlines())


@given(st.sampled_from(get_args(Metric)), st.floats(0, 1e6), st.floats(1e-9, 1e6))
def test_written_errors_can_be_read_back(metric: Metric, error: float, smallest: float) -> None:
    """The printed number is the error, rounded to the decimals that it shows."""
    measure = Measure(metric).fitting([smallest])
    text = measure.write(error).replace(",", "")
    read = float(text.rstrip("%")) / (100 if measure.is_share else 1)
    half = 0.5 * 10.0 ** -(4 if measure.is_share else measure.decimals)
    tolerance = 0.006 if measure.is_share else half
    assert math.isclose(read, error, rel_tol=1e-9, abs_tol=1.001 * tolerance)
