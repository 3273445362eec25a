"""Features and targets are prepared from the training rows alone."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from small import blobs, hills

from takeoff import scaling, training
from takeoff.datasets.base import Dataset
from takeoff.networks.rows import Rows
from takeoff.scaling import Target, robust

BLOBS, HILLS = blobs(), hills()
NUMBERS = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, 1.0, np.nan, 3e38, -3e38, 1e-40]),
)


def test_one_scale_for_all_features() -> None:
    """After scaling the mean variance is one, and ratios between features are kept."""
    rows = np.arange(0, 400, 3)
    found = scaling.fit(BLOBS, rows)
    x = BLOBS.features(BLOBS.x_pool[rows])
    scaled = (x - found.center) / found.scale
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    assert scaled.var(axis=0).mean() == pytest.approx(1, rel=1e-4)
    sample = training.Sample(BLOBS, 400, 0, rows, rows, 0)
    np.testing.assert_array_equal(sample.cell().x_train, scaled)
    assert scaling.fit(BLOBS, rows[:1]).scale == 1.0, "constant features stay finite"


@pytest.mark.parametrize("data", [BLOBS, HILLS], ids=["common", "each"])
def test_rows_are_read_in_portions(data: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is bounded, the result the same."""
    rows = np.arange(400)
    whole = scaling.fit(data, rows)
    monkeypatch.setattr(scaling, "ROWS_AT_ONCE", 7)
    monkeypatch.setattr(scaling, "NUMBERS_AT_ONCE", 3 * 400)
    portions = scaling.fit(data, rows)
    np.testing.assert_allclose(whole.center, portions.center, rtol=1e-6)
    np.testing.assert_allclose(whole.scale, portions.scale, rtol=1e-6)


def test_a_missing_value_has_no_part_in_the_common_scale() -> None:
    """Mean and variance are those of the values that are there; what is missing becomes 0."""
    x = np.array([[1, 5], [3, np.nan], [np.nan, 9]], dtype=np.float32)
    data = hills(x_pool=np.tile(x, (2, 1)), y_pool=np.arange(6.0), x_test=x, y_test=np.arange(3.0),
                 kinds=None, scaling="common")  # fmt: skip
    found = scaling.fit(data, np.arange(6))
    np.testing.assert_allclose(found.center, [2, 7])
    assert found.scale == pytest.approx(np.sqrt((1 + 4) / 2))
    np.testing.assert_allclose(found(data.features(x))[[1, 2], [1, 0]], 0)


def test_each_number_has_a_robust_scale() -> None:
    """Median to 0, the quartiles a distance of 1 apart, then z / sqrt(1 + (z / 3)^2)."""
    rows = np.arange(300)
    sample = training.Sample(HILLS, 300, 0, rows, rows, 0)
    x, found = HILLS.x_pool[rows], sample.cell().x_train
    for k in range(5):
        low, median, high = np.nanquantile(x[:, k].astype(np.float64), [0.25, 0.5, 0.75])
        z = (x[:, k] - median) / (high - low)
        expected = np.nan_to_num(z / np.sqrt(1 + (z / 3) ** 2))
        np.testing.assert_allclose(found[:, k], expected, rtol=2e-4, atol=1e-5)
    assert np.abs(found[:, :5]).max() <= 3
    assert (found[np.isnan(x)] == 0).all()


def test_indicators_are_centred_and_neither_scaled_nor_clipped() -> None:
    """What never occurs in the training rows tells nothing: 0 wherever it occurs."""
    rows = np.flatnonzero(HILLS.x_pool[:, 7] == 0)
    sample = training.Sample(HILLS, len(rows), 0, rows, rows, 0)
    scaled = sample.scaled(HILLS.x_pool)
    share = HILLS.x_pool[rows, 5].mean()
    np.testing.assert_allclose(scaled[:, 5], HILLS.x_pool[:, 5] - share, atol=1e-6)
    assert (scaled[:, 7] == 0).all() and (HILLS.x_pool[:, 7] == 1).any()


@pytest.mark.parametrize(
    ("column", "center", "scale"),
    [
        ([2, 2, 2, 2], 2, np.inf),
        ([np.nan] * 4, 0, np.inf),
        ([0, 0, 0, 0, 0, 0, 0, 8], 0, 4),
        ([np.nan, 1, 3, np.nan], 2, 1),
        ([7], 7, np.inf),
    ],
    ids=["constant", "missing", "mostly zero", "two values", "one row"],
)
def test_edges_of_the_robust_scale(column: list[float], center: float, scale: float) -> None:
    """Equal quartiles: half the range; no variation, or no value at all: the feature goes."""
    found = robust(np.array([column], dtype=np.float32))
    assert (found[0][0], found[1][0]) == (center, scale)


@given(arrays.arrays(np.float32, (12, 3), elements=NUMBERS))
@settings(max_examples=60, deadline=None)
def test_whatever_the_numbers_what_a_learner_gets_is_bounded(x: np.ndarray) -> None:
    """Gaps, constants, huge and tiny numbers: within 3 of 0, alike in both places, no warning."""
    data = hills(x_pool=x, y_pool=np.arange(12.0), x_test=x[:4], y_test=np.arange(4.0), kinds=None)
    rows = np.arange(6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sample = training.Sample(data, 6, 0, rows, rows, 0)
        scaled = sample.scaled(x)
    assert np.isfinite(scaled).all() and np.abs(scaled).max() <= 3
    np.testing.assert_allclose(networks_get(data, sample), scaled, rtol=1e-3, atol=1e-5)


def networks_get(data: Dataset, sample: training.Sample, resident: bool = True) -> np.ndarray:
    """All rows of the pool, as a network of the cell gets them."""
    rows = Rows(data.x_pool, data.levels, torch.device("cpu"), scaling.clipped(data))
    rows.resident = resident
    offset, factor = rows.map(sample.scaling)
    wanted = torch.arange(len(data.x_pool))[None]
    return rows.gather(wanted, offset[None, None], factor[None, None])[0].numpy().copy()


AS_BYTES = dataclasses.replace(BLOBS, scaling="each", kinds=np.array([0, 1] * 4, dtype=np.int8))


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize(
    "data",
    [
        BLOBS,
        HILLS,
        AS_BYTES,
        dataclasses.replace(AS_BYTES, levels=np.log1p(np.arange(256, dtype=np.float32))),
        dataclasses.replace(HILLS, scaling="common"),
        dataclasses.replace(HILLS, kinds=None),
    ],
    ids=["bytes", "table", "bytes each", "uneven bytes each", "table common", "no indicators"],
)
def test_networks_get_what_other_learners_get(data: Dataset, resident: bool) -> None:
    """Gathered by row numbers or scaled at once: the same numbers to single precision."""
    rows = np.arange(0, 400, 5)
    sample = training.Sample(data, len(rows), 0, rows, rows, 0)
    expected = sample.scaled(data.x_pool)
    found = networks_get(data, sample, resident)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("data", [BLOBS, HILLS, AS_BYTES], ids=["bytes", "table", "bytes each"])
def test_rows_outside_the_training_part_have_no_say(data: Dataset) -> None:
    """Other features and labels everywhere else: the same preparation, bit for bit."""
    rows = np.arange(0, 400, 5)
    others = np.setdiff1d(np.arange(400), rows)
    x, y = data.x_pool.copy(), data.y_pool.copy()
    x[others], y[others] = x[others][::-1] // 2 + 1, y[others][::-1]
    changed = dataclasses.replace(data, x_pool=x, y_pool=y)
    one, other = (training.Sample(d, len(rows), 0, rows, rows, 0) for d in (data, changed))
    np.testing.assert_array_equal(one.scaling.center, other.scaling.center)
    np.testing.assert_array_equal(one.scaling.scale, other.scaling.scale)
    assert one.target == other.target


def test_numbers_come_back_from_the_scale_they_are_fitted_on() -> None:
    """With weights: mean 0 and variance 1 on the training labels, and the way back."""
    labels, weights = np.array([3.0, 5.0, 10.0]), np.array([1.0, 2.0, 1.0])
    target = Target.of(labels, weights)
    standard = target.standard(labels)
    assert np.average(standard, weights=weights) == pytest.approx(0)
    assert np.average(standard**2, weights=weights) == pytest.approx(1)
    np.testing.assert_allclose(target.back(standard), labels)
