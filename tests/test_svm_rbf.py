"""The machine's own products give what scikit-learn's machine gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import pairwise
from sklearn.svm import SVC, SVR

from takeoff.learners import svm_rbf
from takeoff.learners.svm_rbf import (
    candidates,
    class_scores,
    fit_temperature,
    rbf_kernel,
    training_kernel,
)
from takeoff.training import Cell


def cell(n_classes: int, n: int = 240, d: int = 20) -> Cell:
    """Overlapping clouds, of classes that are not equally frequent."""
    random = np.random.default_rng(0)
    y = np.minimum(random.integers(0, n_classes + 1, n), n_classes - 1)
    x = (random.normal(size=(n, d)) + 0.7 * random.normal(size=(n_classes, d))[y]).astype("f4")
    return Cell(x[: n // 2], y[: n // 2], x[n // 2 :], y[n // 2 :], n_classes, 0)


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_the_decisions_are_those_of_scikit_learn(
    n_classes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine with its own kernel, in double precision: the same scores, row for row."""
    monkeypatch.setattr(svm_rbf, "BLOCK_ROWS", 50)
    found = {}

    def keep(scores: np.ndarray, positions: np.ndarray, weights: None) -> float:
        found["scores"] = scores
        return 1.0

    monkeypatch.setattr(svm_rbf, "fit_temperature", keep)
    made = cell(n_classes)
    (candidate,) = candidates(made, {"grid": {"C": [1.0]}}, {})
    expected = SVC(C=1.0, gamma="scale").fit(made.x_train.astype(np.float64), made.y_train)
    decisions = expected.decision_function(made.x_validation.astype(np.float64))
    if n_classes == 2:
        decisions = np.stack([-decisions, decisions], axis=1)
    np.testing.assert_allclose(found["scores"], decisions, atol=5e-3)
    assert candidate.n_params == pytest.approx(
        expected.support_vectors_.size + expected.dual_coef_.size, rel=0.02
    )


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_are_those_of_scikit_learn(weighted: bool) -> None:
    """Its machine on standardised labels with its own kernel: the same numbers, in their unit."""
    made = cell(2)
    random = np.random.default_rng(1)
    y = 300 + 20 * np.sin(made.x_train[:, 0]) + random.normal(size=len(made.x_train))
    weights = random.uniform(0.1, 2, len(y)) if weighted else None
    numbers = dataclasses.replace(
        made, y_train=y, y_validation=y, n_classes=0, weights_train=weights
    )
    mean = np.average(y, weights=weights)
    sd = np.sqrt(np.average((y - mean) ** 2, weights=weights))
    for found in candidates(numbers, {"grid": {"C": [0.1, 1.0]}}, {}):
        exact = SVR(C=found.settings["C"], gamma="scale", epsilon=0.1)
        exact.fit(made.x_train.astype(np.float64), (y - mean) / sd, weights)
        expected = mean + sd * exact.predict(made.x_validation.astype(np.float64))
        np.testing.assert_allclose(found.validation, expected, atol=0.02 * sd)


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_validation_rows_are_predicted_as_any_others(n_classes: int) -> None:
    """Their kernel is shared by the grid, that of others is made for each machine's vectors."""
    made = cell(n_classes or 2)
    if n_classes == 0:
        y = np.sin(made.x_train[:, 0])
        made = dataclasses.replace(made, y_train=y, y_validation=y, n_classes=0)
    for found in candidates(made, {"grid": {"C": [0.1, 10.0]}}, {}):
        others = found.predict(made.x_validation)
        np.testing.assert_allclose(found.validation, others, atol=1e-5)


def test_rows_may_count_differently() -> None:
    """As in scikit-learn, in the fit and in the temperature."""
    made = cell(3)
    weights = np.random.default_rng(2).exponential(size=(2, len(made.y_train)))
    counted = dataclasses.replace(made, weights_train=weights[0], weights_validation=weights[1])
    (found,) = candidates(counted, {"grid": {"C": [1.0]}}, {})
    exact = SVC(C=1.0, gamma="scale").fit(made.x_train, made.y_train, weights[0])
    decided = exact.decision_function(made.x_validation).argmax(axis=1)
    assert (found.validation.argmax(axis=1) == decided).mean() > 0.98
    scores = np.array([[2.0, 0.0], [2.0, 0.0]])
    labels, three_to_one = np.array([0, 1]), np.array([3.0, 1.0])
    temperature = fit_temperature(scores, labels, three_to_one)
    assert temperature == pytest.approx(2 / np.log(3), rel=1e-3)


def test_features_without_any_spread_are_no_failure() -> None:
    """All rows alike: one prediction for all."""
    x, y = np.zeros((20, 3), dtype=np.float32), np.repeat([0, 1], [5, 15])
    for n_classes, labels in ((2, y), (0, y.astype(float))):
        (found,) = candidates(Cell(x, labels, x, labels, n_classes, 0), {"grid": {"C": [1.0]}}, {})
        assert (
            np.isfinite(found.validation).all() and len(np.unique(found.validation[..., -1:])) == 1
        )


def test_ties_between_classes_are_settled_by_their_sums() -> None:
    """Each class wins one duel: the one that won by most comes first, by less than half a win."""
    scores = class_scores(np.array([[3.0, -1.0, 0.5]]), 3)  # 0 beats 1, 2 beats 0, 1 beats 2
    assert scores.argmax() == 0 and np.abs(scores - 1).max() < 0.5


def test_the_kernel_is_the_one_of_its_formula(monkeypatch: pytest.MonkeyPatch) -> None:
    """To five digits and one on the diagonal, in blocks of any size."""
    x = cell(3).x_train * 3
    expected = pairwise.rbf_kernel(x.astype(np.float64), gamma=0.01)
    np.testing.assert_allclose(rbf_kernel(x, x[:7], 0.01), expected[:, :7], atol=1e-5)
    monkeypatch.setattr(svm_rbf, "BLOCK_ROWS", 50)
    kernel = training_kernel(x, 0.01)
    np.testing.assert_allclose(kernel, expected, atol=1e-5)
    assert (kernel.diagonal() == 1).all()
