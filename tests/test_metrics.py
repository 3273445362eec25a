"""Every measure against a plain definition of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, log_loss, roc_auc_score

from takeoff import metrics
from takeoff.metrics import Truth, one_hot, scores


def drawn(seed: int, classes: int = 2, size: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions with ties [t, C], labels of all classes [t], and weights [t]."""
    random = np.random.default_rng(seed)
    raw = random.integers(1, 6, (size, classes)).astype(float)
    labels = random.integers(0, classes, size)
    labels[:classes] = np.arange(classes)
    return raw / raw.sum(axis=1, keepdims=True), labels, random.uniform(0.1, 3, size)


@given(seed=st.integers(0, 10**6), classes=st.integers(2, 4))
@settings(max_examples=40, deadline=None)
def test_measures_of_observed_labels_are_scikit_learns(seed: int, classes: int) -> None:
    """With weights and ties, whatever the number of classes."""
    predicted, labels, weights = drawn(seed, classes)
    found = scores(predicted, Truth(target=one_hot(labels, classes), weights=weights))
    decided = predicted.argmax(axis=1)
    assert found["error_rate"] == pytest.approx(np.average(decided != labels, weights=weights))
    balanced = balanced_accuracy_score(labels, decided, sample_weight=weights)
    assert found["balanced_error"] == pytest.approx(1 - balanced)
    assert found["log_loss"] == pytest.approx(log_loss(labels, predicted, sample_weight=weights))
    if classes == 2:
        area = roc_auc_score(labels, predicted[:, 1], sample_weight=weights)
        assert found["auc"] == pytest.approx(area)
    else:
        assert "auc" not in found


@given(seed=st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_measures_under_a_posterior_are_expectations(seed: int) -> None:
    """An example with P(class) = (3/4, 1/4) counts like three of one class and one of the other."""
    predicted, _, _ = drawn(seed)
    share = np.random.default_rng(seed).integers(0, 5, len(predicted)) / 4
    soft = scores(predicted, Truth(target=np.column_stack([1 - share, share])))
    several = np.repeat(predicted, 4, axis=0)
    labels = (np.tile(np.arange(4), len(predicted)) < np.repeat(4 * share, 4)).astype(int)
    assert soft == pytest.approx(scores(several, Truth(target=one_hot(labels, 2))))


def test_numbers_are_measured_by_their_distance() -> None:
    """The noise around a known mean adds to the squared error, and leaves no absolute one."""
    predicted, values = np.array([1.0, 2.0]), np.array([4.0, -2.0])
    assert scores(predicted, Truth(values=values)) == {
        "rmse": pytest.approx(np.sqrt(12.5)),
        "mae": pytest.approx(3.5),
    }
    known = scores(predicted, Truth(values=values, variance=0.25))
    assert known == {"rmse": pytest.approx(np.sqrt(12.75))}


def test_an_area_without_one_of_the_classes_is_not_a_number() -> None:
    """There is no pair to compare."""
    target = one_hot(np.zeros(3, dtype=np.int64), 2)
    assert np.isnan(metrics.auc(np.full((3, 2), 0.5), Truth(target=target)))


@pytest.mark.parametrize("metric", metrics.MEASURES)
@pytest.mark.parametrize("weighted", [False, True])
def test_a_standard_error_is_the_spread_over_test_sets(
    metric: metrics.Metric, weighted: bool
) -> None:
    """Over two thousand redrawn test sets of 400 examples, to a tenth."""
    random = np.random.default_rng(3)
    size, count = 20_000, 2000
    weights = random.uniform(0.2, 2, size) if weighted else None
    if metric == "rmse":
        values, target = random.normal(size=size) ** 3, None
        predicted = values + random.normal(size=size)
    else:
        values, predicted = None, random.dirichlet([2, 2, 1], size)
        labels = (predicted.cumsum(axis=1) > random.random((size, 1))).argmax(axis=1)
        target = one_hot(np.where(random.random(size) < 0.3, 0, labels), 3)

    def part(rows: np.ndarray) -> tuple[np.ndarray, Truth]:
        target_, values_, weights_ = (
            None if a is None else a[rows] for a in (target, values, weights)
        )
        return predicted[rows], Truth(target_, values_, weights=weights_)

    drawn = [part(random.integers(0, size, 400)) for _ in range(count)]
    spread = np.std([metrics.MEASURES[metric](*one) for one in drawn])
    told = np.mean([metrics.standard_error(metric, *one) for one in drawn])
    assert told == pytest.approx(spread, rel=0.1)


def test_a_standard_error_of_a_mean_is_the_textbooks() -> None:
    """The standard deviation of the losses over the root of their number; unknown for one."""
    predicted, values = np.array([1.0, 2.0, 0.0]), np.array([1.0, 2.0, 2.0])
    expected = np.std([0, 0, 4], ddof=1) / np.sqrt(3) / (2 * np.sqrt(4 / 3))
    truth = Truth(values=values)
    assert metrics.standard_error("rmse", predicted, truth) == pytest.approx(expected)
    one = Truth(values=values[:1])
    assert np.isnan(metrics.standard_error("rmse", predicted[:1], one))
    assert metrics.standard_error("rmse", values, truth) == 0
