"""Generated pictures of a road: the streams, what is known of the labels, and what can be seen."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from takeoff import datasets
from takeoff.datasets import car_position
from takeoff.datasets.base import Dataset
from takeoff.datasets.car_position import (
    CLASSES,
    HEIGHT,
    POOL,
    TEST,
    WIDTH,
    Scenes,
    draw,
    posterior,
)


@cache
def some() -> Scenes:
    """Twenty blocks of pictures."""
    return draw(7, POOL, 20 * car_position.BLOCK)


@cache
def prepared(name: str) -> Dataset:
    """One of the three data sets, small."""
    return datasets.prepare(name, seed=3, pool=1500, test=4000, cache=Path())


def test_the_first_pictures_do_not_depend_on_how_many_are_drawn() -> None:
    """Also when the end lies within a portion or a block."""
    for n in (1, 63, 64, 65, 1024, 1100):
        part = draw(7, POOL, n)
        assert np.array_equal(part.pictures, some().pictures[:n])
        assert np.array_equal(part.noted, some().noted[:n])


def test_chunks_are_the_stream_in_portions() -> None:
    """Put together they are what `draw` gives, and none is longer than a portion."""
    parts = list(car_position.chunks(7, POOL, 300))
    assert np.array_equal(np.concatenate([p.pictures for p in parts]), some().pictures[:300])
    assert max(len(part.place) for part in parts) == car_position.AT_ONCE


def test_pool_test_set_and_seeds_have_pictures_of_their_own() -> None:
    """No stream repeats another."""
    first = draw(7, POOL, 64).pictures
    for other in (draw(7, TEST, 64), draw(8, POOL, 64)):
        assert not (first == other.pictures).all(axis=1).any()


def test_the_posterior_is_that_of_the_noted_cells() -> None:
    """Noted again and again from the same places, cells are as frequent as it says."""
    place = some().place[:400]
    random = np.random.default_rng(0)
    drawn = 3000
    offset = place[:, 0] + random.normal(0, car_position.OFFSET_SD, (drawn, len(place)))
    factor = np.exp(random.normal(0, car_position.DISTANCE_SD, (drawn, len(place))))
    again = Scenes(some().pictures[:0], place, np.stack([offset, place[:, 1] * factor], axis=-1))
    cells = np.stack([Scenes(again.pictures, place, noted).cell for noted in again.noted])
    frequency = np.stack([(cells == k).mean(axis=0) for k in range(len(CLASSES))], axis=1)
    expected = posterior(place)
    error = np.sqrt(expected * (1 - expected) / drawn) + 1 / drawn
    assert (abs(frequency - expected) < 5 * error).all()


def test_the_posterior_is_calibrated() -> None:
    """Among labels that it gives a probability of about p, a share of about p comes true."""
    p, labels = posterior(some().place), some().cell
    true = np.eye(len(CLASSES))[labels]
    for low, high in [(0.0, 0.02), (0.02, 0.2), (0.2, 0.8), (0.8, 0.98), (0.98, 1.0)]:
        inside = (p > low) & (p <= high)
        error = np.sqrt((p * (1 - p))[inside].sum()) / inside.sum() + 1e-9
        assert abs(true[inside].mean() - p[inside].mean()) < 4 * error


def test_the_floor_is_the_error_of_whoever_knows_the_place() -> None:
    """Against drawn labels, within their sampling error; and it is called a bound."""
    p, labels = posterior(some().place), some().cell
    floor = float((1 - p.max(axis=1)).mean())
    wrong = float((p.argmax(axis=1) != labels).mean())
    assert abs(wrong - floor) < 4 * np.sqrt(floor * (1 - floor) / len(labels))
    data = prepared("car_position")
    assert data.floor_is_bound
    assert data.floors["error_rate"] == pytest.approx(floor, abs=0.02)


@pytest.mark.parametrize("name", ["car_distance", "car_offset"])
def test_the_floor_of_a_number_is_the_error_of_its_notes(name: str) -> None:
    """What was noted lies around the expected label with the standard deviation that is stated."""
    data = prepared(name)
    assert data.mean_test is not None
    missed = data.y_test - data.mean_test
    assert abs(missed.mean()) < 4 * data.noise_sd / np.sqrt(len(missed))
    assert np.sqrt(np.mean(missed**2)) == pytest.approx(data.noise_sd, rel=0.05)
    assert data.floors == {"rmse": pytest.approx(data.noise_sd)}
    assert (data.is_regression, data.unit, data.floor_is_bound) == (True, "m", True)


def test_every_cell_is_about_as_frequent() -> None:
    """Places are uniform across the road and in the logarithm of the distance."""
    shares = np.bincount(some().cell, minlength=len(CLASSES)) / len(some().cell)
    assert shares.min() > 0.09
    assert shares.max() < 0.13


def test_a_car_stands_where_it_is_said_to_be() -> None:
    """Pictures that differ in the place of the car alone differ around that place."""
    near = some().place[:, 1] < 10
    grey = some().pictures.reshape(-1, HEIGHT, WIDTH).astype(float)
    right, left = (grey[near & (side * some().place[:, 0] > 2)] for side in (1, -1))
    spread = [group.std(axis=0)[8:14] for group in (left, right)]
    assert spread[0][:, :10].mean() > 1.2 * spread[1][:, :10].mean()
    assert spread[1][:, -10:].mean() > 1.2 * spread[0][:, -10:].mean()


def test_hand_made_features_are_of_the_pictures_alone() -> None:
    """Finite, one row a picture, and a brighter exposure changes them little."""
    pictures = some().pictures[:500]
    features = car_position.hand_made(pictures)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    assert (features.std(axis=0) > 0).all()
    darker = car_position.hand_made((pictures // 2).astype(np.uint8))
    alike = np.corrcoef(features.ravel(), darker.ravel())[0, 1]
    assert alike > 0.98
    data = prepared("car_position")
    assert data.hand_made().x_pool.shape == (1500, features.shape[1])


def test_equal_seeds_give_equal_data_sets() -> None:
    """The three data sets are of the same pictures, and drawn again they are the same."""
    again = datasets.prepare("car_position", seed=3, pool=1500, test=4000, cache=Path())
    assert again.digest == prepared("car_position").digest
    assert np.array_equal(prepared("car_offset").x_test, prepared("car_distance").x_test)
