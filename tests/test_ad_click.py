"""Generated impressions: the streams, what is known of the labels, and the two sets of features."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from takeoff import datasets
from takeoff.datasets import ad_click
from takeoff.datasets.ad_click import (
    HISTORY,
    N_INDICATORS,
    POOL,
    SIZES,
    STARTS,
    TEST,
    Impressions,
    Rates,
    World,
    chunks,
    draw,
    historical_rates,
    make_world,
)
from takeoff.datasets.base import Dataset


@cache
def world() -> World:
    return make_world(5)


@cache
def rates() -> Rates:
    return historical_rates(world(), 5, rows=20_000)


@cache
def many() -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and labels of 200,000 impressions."""
    parts = list(chunks(world(), 5, POOL, 200_000))
    return tuple(  # type: ignore[return-value]
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("probability", "clicked")
    )


@cache
def prepared() -> Dataset:
    return datasets.prepare("ad_click", seed=3, pool=2000, test=20_000, cache=Path())


def test_the_first_impressions_do_not_depend_on_how_many_are_drawn() -> None:
    """Also when the end lies within a block; and the portions are blocks."""
    whole = draw(world(), rates(), 5, POOL, 3000)
    for n in (1, 1023, 1024, 1025, 2500):
        for part, all_of_it in zip(draw(world(), rates(), 5, POOL, n), whole, strict=True):
            assert np.array_equal(part, all_of_it[:n])
    assert [len(part.clicked) for part in chunks(world(), 5, POOL, 2500)] == [1024, 1024, 452]


def test_streams_and_worlds_are_their_own() -> None:
    """Pool, test set and history share no impressions; another seed is another world."""
    numbers = [next(chunks(world(), 5, stream, 100)).numbers for stream in (POOL, TEST, HISTORY)]
    assert not np.isin(numbers[0][:, 0], numbers[1][:, 0]).any()
    assert not np.isin(numbers[0][:, 0], numbers[2][:, 0]).any()
    assert not np.array_equal(make_world(6).main["site"], world().main["site"])


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_eight_in_a_hundred_are_clicked_on(seed: int) -> None:
    """In every world, within the sampling error of the impressions that set the intercept."""
    parts = chunks(make_world(seed), seed, TEST, 60_000)
    probability = np.concatenate([part.probability for part in parts])
    assert probability.mean() == pytest.approx(0.08, abs=0.003)


def test_the_posterior_is_calibrated() -> None:
    """Of the impressions with a probability of about p, a share of about p is clicked on."""
    p, clicked = many()
    for low, high in [(0, 0.01), (0.01, 0.03), (0.03, 0.08), (0.08, 0.2), (0.2, 0.5), (0.5, 1)]:
        inside = (p > low) & (p <= high)
        error = np.sqrt((p * (1 - p))[inside].sum()) / inside.sum()
        assert abs(clicked[inside].mean() - p[inside].mean()) < 4 * error
    brier, expected = (clicked - p) ** 2, p * (1 - p)
    assert abs(brier.mean() - expected.mean()) < 4 * brier.std() / np.sqrt(len(p))


def test_the_floors_are_what_drawn_labels_give() -> None:
    """Log-loss and area under the curve of the posterior itself, within their sampling error."""
    data = prepared()
    p, clicked = many()
    losses = -np.log(np.where(clicked == 1, p, 1 - p))
    near = 6 * losses.std() / np.sqrt(len(data.y_test))
    assert data.metric == "log_loss"
    assert not data.floor_is_bound
    own = data.posterior_test
    assert own is not None
    drawn = -np.log(own[np.arange(len(own)), data.y_test]).mean()
    assert abs(data.floors["log_loss"] - drawn) < near
    assert 0.75 < data.floors["auc"] < 0.92
    assert data.floors["log_loss"] < 0.85 * data.chance


def test_raw_features_are_one_column_for_each_value() -> None:
    """Of every category exactly one is set, the one that was drawn; numbers follow."""
    part = next(chunks(world(), 5, POOL, 700))
    x = draw(world(), rates(), 5, POOL, 700)[0]
    for name, start in STARTS.items():
        own = x[:, start : start + SIZES[name]]
        assert (own.sum(axis=1) == 1).all()
        assert np.array_equal(own.argmax(axis=1), part.codes[name])
    assert np.array_equal(x[:, N_INDICATORS:], part.numbers)
    assert prepared().kinds is not None
    assert int(np.count_nonzero(prepared().kinds)) == N_INDICATORS


def test_historical_rates_are_those_of_the_history() -> None:
    """Shrunk to the overall rate by what they start with, and blind to pool and test set."""
    parts = list(chunks(world(), 5, HISTORY, 20_000))
    site = np.concatenate([part.codes["site"] for part in parts])
    clicked = np.concatenate([part.clicked for part in parts])
    views, clicks = (site == 0).sum(), clicked[site == 0].sum()
    prior = ad_click.PRIOR_VIEWS
    rate = (clicks + prior * clicked.mean()) / (views + prior)
    assert rates().single["site"][0] == pytest.approx(np.log(rate / (1 - rate)), rel=1e-5)


def test_hand_made_features_do_not_see_the_label() -> None:
    """They are finite, and the same whoever clicks."""
    part = next(chunks(world(), 5, POOL, 500))
    features = rates().features(part)
    other = Impressions(part.codes, part.numbers, part.probability, 1 - part.clicked)
    assert features.shape == (500, rates().width)
    assert np.isfinite(features).all()
    assert np.array_equal(rates().features(other), features)
    assert prepared().hand_made().x_pool.shape == (2000, rates().width)


def test_equal_seeds_give_equal_data_sets() -> None:
    """Drawn again, by the same numpy on the same platform."""
    again = datasets.prepare("ad_click", seed=3, pool=2000, test=20_000, cache=Path())
    assert again.digest == prepared().digest
