"""The regression is the one that its textbook defines."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from takeoff.errors import TakeoffError
from takeoff.learners import ridge
from takeoff.learners.ridge import candidates
from takeoff.training import Cell

GRID = {"grid": {"C": [0.001, 0.1, 10.0]}}


def cell(n: int, d: int, weighted: bool = False, seed: int = 0) -> Cell:
    """A noisy linear law far from 0, with correlated features, one of them constant."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(n + 50, d)) @ random.normal(size=(d, d)) + 3
    y = 1000 + 7 * x @ random.normal(size=d) + 5 * random.normal(size=n + 50)
    x[:, -1] = 2
    x = x.astype(np.float32)
    weights = random.uniform(0.1, 3, n)
    weights /= weights.mean()
    return Cell(x[:n], y[:n], x[n:], y[n:], 0, 0, weights if weighted else None)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), [(200, 12), (30, 40), (40, 40), (41, 40)])
def test_it_is_the_regression_of_scikit_learn(n: int, d: int, weighted: bool) -> None:
    """With alpha = 1 / C on standardised labels, for more and for fewer rows than features."""
    made = cell(n, d, weighted)
    mean = np.average(made.y_train, weights=made.weights_train)
    sd = np.sqrt(np.average((made.y_train - mean) ** 2, weights=made.weights_train))
    for found in candidates(made, GRID, {}):
        exact = Ridge(alpha=1 / found.settings["C"], solver="svd")
        exact.fit(made.x_train.astype(float), (made.y_train - mean) / sd, made.weights_train)
        expected = mean + sd * exact.predict(made.x_validation.astype(float))
        np.testing.assert_allclose(found.validation, expected, rtol=1e-6)
        np.testing.assert_array_equal(found.predict(made.x_validation), found.validation)
        assert found.n_params == d + 1


def test_one_decomposition_serves_the_grid(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many penalties are tried."""
    calls = []
    real = ridge.eigh
    monkeypatch.setattr(ridge, "eigh", lambda *a, **k: calls.append(1) or real(*a, **k))
    assert len(list(candidates(cell(50, 5), GRID, {}))) == 3 and len(calls) == 1


def test_blocks_of_rows_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a block."""
    made = cell(200, 12, weighted=True)
    whole = [found.validation for found in candidates(made, GRID, {})]
    monkeypatch.setattr(ridge, "BLOCK_ROWS", 7)
    parts = [found.validation for found in candidates(made, GRID, {})]
    np.testing.assert_allclose(parts, whole, rtol=1e-9)


def test_features_without_any_spread_are_no_failure() -> None:
    """All rows alike: the mean of the labels."""
    x, y = np.zeros((40, 5), dtype=np.float32), np.arange(40.0)
    for found in candidates(Cell(x, y, x, y, 0, 0), GRID, {}):
        np.testing.assert_allclose(found.validation, 19.5)


def test_classes_are_refused() -> None:
    """With the learner to take in its place."""
    x, y = np.zeros((4, 1), dtype=np.float32), np.array([0, 1, 0, 1])
    with pytest.raises(TakeoffError, match="kind: logistic_regression"):
        list(candidates(Cell(x, y, x, y, 2, 0), GRID, {}))
