"""The machine's own products give what scikit-learn's machine gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import pairwise
from sklearn.svm import SVC

from takeoff.learners import svm_rbf
from takeoff.learners.svm_rbf import candidates, class_scores, rbf_kernel, training_kernel
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
