"""Generated impressions: the streams, what is known of the labels, and the two sets of features."""

from __future__ import annotations

import math
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


def test_the_probability_is_the_sum_of_the_stated_effects_of_what_a_learner_sees() -> None:
    """Effect by effect by hand, from the raw features of an impression and nothing else."""
    x, _, probability, _ = draw(world(), rates(), 5, TEST, 300)
    for features, p in zip(x.astype(float), probability, strict=True):
        assert by_hand(world(), features) == pytest.approx(np.log(p / (1 - p)), abs=1e-9)


def by_hand(world: World, features: np.ndarray) -> float:
    """Log-odds of a click given raw features [d]."""
    code = {
        name: int(features[start : start + SIZES[name]].argmax()) for name, start in STARTS.items()
    }
    age, log_seen, log_hours, score, _ = features[N_INDICATORS:]
    code["weekend"] = int(code["weekday"] in (5, 6))
    away = (age - world.age_peak[code["category"]]) / world.age_width[code["category"]]
    views = min(round(math.exp(log_seen)) - 1, 8)
    return float(
        world.intercept
        + sum(effect[code[name]] for name, effect in world.main.items())
        + sum(effect[code[one], code[two]] for (one, two), effect in world.pairs.items())
        + 0.6 * (math.exp(-0.5 * away**2) - 0.5)
        + 0.5 * score
        - 0.22 * views * math.exp(-math.expm1(log_hours) / 30)
    )


def test_the_posterior_is_calibrated() -> None:
    """Of the impressions with a probability of about p, a share of about p is clicked on."""
    p, clicked = many()
    for low, high in [(0, 0.01), (0.01, 0.03), (0.03, 0.08), (0.08, 0.2), (0.2, 0.5), (0.5, 1)]:
        inside = (p > low) & (p <= high)
        error = np.sqrt((p * (1 - p))[inside].sum()) / inside.sum()
        assert abs(clicked[inside].mean() - p[inside].mean()) < 4 * error
    brier, expected = (clicked - p) ** 2, p * (1 - p)
    assert abs(brier.mean() - expected.mean()) < 4 * brier.std() / np.sqrt(len(p))


def test_it_is_judged_by_its_log_loss() -> None:
    """And its floor is exact: it is what a click's probability leaves open, well below chance."""
    data = prepared()
    assert data.metric == "log_loss"
    assert not data.floor_is_bound
    assert 0.75 < data.floors["auc"] < 0.92
    assert data.floors["log_loss"] < 0.85 * data.chance
    assert data.floors["error_rate"] > 0.85 * 0.08  # nearly what "never" gives: it says nothing


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
