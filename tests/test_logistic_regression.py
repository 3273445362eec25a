"""The regression is the one that its textbook defines, however badly the features are scaled."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.optimize import check_grad
from sklearn.linear_model import LogisticRegression

from takeoff.errors import TakeoffError
from takeoff.learners.logistic_regression import (
    Metric,
    candidates,
    loss_and_gradient,
    minimise,
    rows_at_once,
)
from takeoff.training import Cell


def cell(n: int = 300, d: int = 12, n_classes: int = 3, seed: int = 0) -> Cell:
    """Clouds whose features are strongly correlated and of unequal size; one is constant."""
    random = np.random.default_rng(seed)
    y = random.integers(0, n_classes, n)
    x = random.normal(size=(n, d)) + random.normal(size=(n_classes, d))[y]
    x = x @ random.normal(size=(d, d)) * np.logspace(0, -2, d)
    x -= x.mean(axis=0)
    x[:, -1] = 0
    x, half = x.astype(np.float32), n // 2
    return Cell(x[:half], y[:half], x[half:], y[half:], n_classes, 0)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_it_is_the_regression_of_scikit_learn(n_classes: int, strength: float) -> None:
    """With the same C: the same probabilities as its fit to the last digit, or nearly."""
    made = cell(n_classes=n_classes)
    (found,) = candidates(made, {"grid": {"C": [strength]}}, {})
    exact = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000)
    exact.fit(made.x_train.astype(np.float64), made.y_train)
    expected = exact.predict_proba(made.x_validation)
    assert np.abs(found.validation - expected).mean() < 0.005
    assert found.n_params == exact.coef_.size + exact.intercept_.size


def weighted(made: Cell, seed: int = 0) -> Cell:
    """The same cell, with rows that count differently."""
    weights = np.random.default_rng(seed).exponential(size=len(made.y_train)) + 0.01
    return dataclasses.replace(made, weights_train=weights / weights.mean())


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_may_count_differently(n_classes: int) -> None:
    """As in scikit-learn."""
    made = weighted(cell(n_classes=n_classes))
    (found,) = candidates(made, {"grid": {"C": [0.3]}}, {})
    exact = LogisticRegression(C=0.3, tol=1e-8, max_iter=10_000)
    exact.fit(made.x_train.astype(np.float64), made.y_train, made.weights_train)
    expected = exact.predict_proba(made.x_validation)
    assert np.abs(found.validation - expected).mean() < 0.005
    (plain,) = candidates(cell(n_classes=n_classes), {"grid": {"C": [0.3]}}, {})
    assert np.abs(plain.validation - expected).mean() > 0.01


def test_features_need_not_be_centred() -> None:
    """As those of a table, which have their median at 0."""
    made = cell()
    moved = dataclasses.replace(
        made, x_train=made.x_train + 0.5, x_validation=made.x_validation + 0.5
    )
    (found,) = candidates(moved, {"grid": {"C": [1.0]}}, {})
    exact = LogisticRegression(C=1.0, tol=1e-8, max_iter=10_000)
    exact.fit(moved.x_train.astype(np.float64), moved.y_train)
    assert np.abs(found.validation - exact.predict_proba(moved.x_validation)).mean() < 0.005


def test_numbers_are_refused() -> None:
    """With the learner to take in its place."""
    x, y = np.zeros((4, 1), dtype=np.float32), np.arange(4.0)
    with pytest.raises(TakeoffError, match="kind: ridge"):
        list(candidates(Cell(x, y, x, y, 0, 0), {"grid": {"C": [1.0]}}, {}))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_gradient_is_that_of_the_loss(n_classes: int) -> None:
    """Against differences, in weights and in the coordinates of the metric."""
    made = weighted(cell(n_classes=n_classes))
    metric = Metric.of(made.x_train, n_classes, 0.1)
    rows = 1 if n_classes == 2 else n_classes
    counts = made.weights_train.astype(np.float32)

    def loss(v: np.ndarray) -> float:
        weights = metric.weights(v)
        return loss_and_gradient(made.x_train, made.y_train, 0.1, weights, counts)[0]

    def gradient(v: np.ndarray) -> np.ndarray:
        weights = metric.weights(v)
        found = loss_and_gradient(made.x_train, made.y_train, 0.1, weights, counts)[1]
        return metric.gradient(found)

    v = np.random.default_rng(1).normal(size=rows * 13)
    assert check_grad(loss, gradient, v, epsilon=1e-2) < 0.02 * np.linalg.norm(gradient(v))


def test_the_coordinates_lead_back() -> None:
    """From weights to a point and back."""
    made = cell()
    metric = Metric.of(made.x_train, 3, 0.1)
    weights = np.random.default_rng(1).normal(size=(3, 13)).astype(np.float32)
    np.testing.assert_allclose(metric.weights(metric.point(weights)), weights, atol=1e-4)


@pytest.mark.parametrize(
    ("where", "size"), [("BLOCK_ROWS", 7), ("MULTIPLICATIONS", 16 * 13 * 3), ("SLIM", ())]
)
def test_blocks_and_parts_of_rows_add_up(
    monkeypatch: pytest.MonkeyPatch, where: str, size: object
) -> None:
    """Whatever their size, and whatever is left over."""
    made = cell()
    weights = np.random.default_rng(1).normal(size=(3, 13)).astype(np.float32)
    whole = loss_and_gradient(made.x_train, made.y_train, 0.1, weights)
    monkeypatch.setattr(f"takeoff.learners.logistic_regression.{where}", size)
    parts = loss_and_gradient(made.x_train, made.y_train, 0.1, weights)
    assert parts[0] == pytest.approx(whole[0], rel=1e-6)
    np.testing.assert_allclose(parts[1], whole[1], atol=1e-6)


def test_products_of_few_classes_are_small() -> None:
    """Of a power of two of rows, so that parts fill a block; others are of whole blocks."""
    assert [rows_at_once(784, classes) for classes in (1, 10, 13)] == [1024, 64, 1024]
    assert rows_at_once(2, 3) == 1024
    assert rows_at_once(10**6, 3) == 16


def test_the_metric_saves_iterations() -> None:
    """Against the plain coordinates, on features that are strongly correlated."""
    random, penalty = np.random.default_rng(0), 1e-4
    sizes = np.logspace(0.5, -1, 60)
    x = (random.normal(size=(2000, 60)) * sizes @ random.normal(size=(60, 60))).astype(np.float32)
    x -= x.mean(axis=0)
    # Noisy labels, for which each direction counts as much as its size.
    directions = np.linalg.pinv(x) @ random.normal(size=(2000, 3)) * 20
    y = (x @ directions + random.gumbel(size=(2000, 3))).argmax(axis=1)
    start = np.zeros((3, 61), dtype=np.float32)
    metric, plain = Metric.of(x, 3, penalty), Metric(np.eye(60, dtype=np.float32), 1.0)
    fitted, few = minimise(x, y, penalty, metric, start)
    slow, many = minimise(x, y, penalty, plain, start)
    reached, other = (loss_and_gradient(x, y, penalty, found)[0] for found in (fitted, slow))
    assert few < 0.5 * many and reached < other


def test_features_without_any_spread_are_no_failure() -> None:
    """All rows alike: the intercepts give the shares of the classes."""
    x = np.zeros((40, 5), dtype=np.float32)
    y = np.repeat([0, 1, 1, 2], 10)
    for found in candidates(Cell(x, y, x, y, 3, 0), {"grid": {"C": [0.01, 1e6]}}, {}):
        np.testing.assert_allclose(found.validation[0], [0.25, 0.5, 0.25], atol=0.01)
