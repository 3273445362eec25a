"""What makes boosting faster leaves every tree as it is."""

from __future__ import annotations

import dataclasses
from itertools import islice

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from takeoff.learners.gradient_boosting import LEAF_ROWS, boost, candidates, splittable
from takeoff.training import Cell


def counts(n: int = 300, d: int = 40, v: int = 100, n_classes: int = 3, seed: int = 0) -> Cell:
    """Counts that are mostly zero, some of them so rarely that no leaf can hold the others."""
    random = np.random.default_rng(seed)
    means = random.uniform(0, 0.4, (n_classes, d)) * np.linspace(0, 2, d)
    y = random.integers(0, n_classes, n + v)
    x = random.poisson(means[y]).astype(np.float32)
    return Cell(x[:n], y[:n], x[n:], y[n:], n_classes, seed)


def plain(cell: Cell, rate: float, trees: int) -> tuple[HistGradientBoostingClassifier, int]:
    """scikit-learn's boosting on all features, and the number of trees that was best."""
    model = HistGradientBoostingClassifier(
        learning_rate=rate, max_iter=trees, max_bins=32, early_stopping=True, n_iter_no_change=10,
        tol=0.0, random_state=0,
    ).fit(cell.x_train, cell.y_train, X_val=cell.x_validation, y_val=cell.y_validation)  # fmt: skip
    return model, max(1, int(np.argmax(model.validation_score_)))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_trees_are_those_of_all_features(n_classes: int) -> None:
    """Stage by stage on all features, binned anew for each rate: the same probabilities."""
    cell = counts(n_classes=n_classes)
    assert 1 < len(splittable(cell.x_train, LEAF_ROWS)) < cell.x_train.shape[1]
    fit = {"grid": {"learning_rate": [0.1, 0.3]}, "max_trees": 60}
    for candidate in candidates(cell, fit, {}):
        model, best = plain(cell, candidate.settings["learning_rate"], fit["max_trees"])
        staged = next(islice(model.staged_predict_proba(cell.x_validation), best - 1, None))
        np.testing.assert_array_equal(candidate.validation, staged)
        assert candidate.steps == best < len(model.validation_score_) - 1


@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_are_boosted_by_squared_error(weighted: bool) -> None:
    """scikit-learn's trees on standardised labels, in the label's unit; rows may count more."""
    cell, random = counts(), np.random.default_rng(1)
    y = {"y_train": cell.x_train, "y_validation": cell.x_validation}
    y = {key: 50 + 3 * x[:, -3:].sum(axis=1).astype(float) for key, x in y.items()}
    names = ("weights_train", "weights_validation")
    sizes = map(len, y.values())
    weights = dict(
        zip(names, (random.exponential(size=n) if weighted else None for n in sizes), strict=True)
    )
    numbers = dataclasses.replace(cell, **y, **weights, n_classes=0)
    weights = list(weights.values())
    mean = np.average(y["y_train"], weights=weights[0])
    sd = np.sqrt(np.average((y["y_train"] - mean) ** 2, weights=weights[0]))
    (found,) = candidates(numbers, {"grid": {"learning_rate": [0.3]}, "max_trees": 60}, {})
    model = HistGradientBoostingRegressor(
        learning_rate=0.3, max_iter=60, max_bins=32, early_stopping=True, n_iter_no_change=10,
        tol=0.0, random_state=0,
    ).fit(
        cell.x_train, (y["y_train"] - mean) / sd, weights[0],
        X_val=cell.x_validation, y_val=(y["y_validation"] - mean) / sd,
        sample_weight_val=weights[1],
    )  # fmt: skip
    best = max(1, int(np.argmax(model.validation_score_)))
    staged = next(islice(model.staged_predict(cell.x_validation), best - 1, None))
    np.testing.assert_allclose(found.validation, mean + sd * staged, rtol=1e-12)
    assert found.steps == best and np.corrcoef(found.validation, y["y_validation"])[0, 1] > 0.8


def test_rows_may_count_differently() -> None:
    """In the trees and where they stop, as in scikit-learn."""
    cell, random = counts(n_classes=2), np.random.default_rng(1)
    first, second = random.exponential(size=300), random.exponential(size=100)
    weighted = dataclasses.replace(cell, weights_train=first, weights_validation=second)
    (found,) = candidates(weighted, {"grid": {"learning_rate": [0.2]}, "max_trees": 60}, {})
    model = HistGradientBoostingClassifier(
        learning_rate=0.2, max_iter=60, max_bins=32, early_stopping=True, n_iter_no_change=10,
        tol=0.0, random_state=0,
    ).fit(
        cell.x_train, cell.y_train, first,
        X_val=cell.x_validation, y_val=cell.y_validation, sample_weight_val=second,
    )  # fmt: skip
    best = max(1, int(np.argmax(model.validation_score_)))
    staged = next(islice(model.staged_predict_proba(cell.x_validation), best - 1, None))
    np.testing.assert_allclose(found.validation, staged, rtol=1e-12)


def test_a_feature_stays_if_one_split_leaves_rows_enough() -> None:
    """Both sides of a split hold `leaf_rows` or more; ties can't be split."""
    n, rows = 50, 20
    x = np.zeros((n, 5), dtype=np.float32)
    x[:rows, 0] = 1  # 20 and 30
    x[: rows - 1, 1] = 1  # 19 and 31
    x[: rows + 10, 2] = -1  # 30 and 20
    x[:, 3] = np.arange(n)
    assert splittable(x, rows).tolist() == [0, 2, 3]


@pytest.mark.parametrize("x", [np.zeros((50, 3)), np.eye(30)])
def test_without_a_feature_to_split_one_is_left(x: np.ndarray) -> None:
    """Boosting then gives every row the shares of the classes."""
    n = len(x)
    assert splittable(x.astype(np.float32), LEAF_ROWS).tolist() == [0]
    y = np.arange(n) % 2
    cell = Cell(x.astype(np.float32), y, x[:4].astype(np.float32), y[:4], 2, 0)
    (only,) = candidates(cell, {"grid": {"learning_rate": [0.1]}, "max_trees": 5}, {})
    np.testing.assert_allclose(only.validation, 0.5)


def test_the_rates_share_their_bins() -> None:
    """This version of scikit-learn still bins where it is expected to."""
    cell, shared = counts(), {}
    columns = splittable(cell.x_train, LEAF_ROWS)
    boost(cell, columns, 0.1, 5, shared)
    (_, train), (_, validation) = shared[True], shared[False]
    assert train.shape == (300, len(columns)) and validation.shape == (100, len(columns))
    again = boost(cell, columns, 0.2, 5, shared)
    assert again._bin_mapper is shared[True][0]


def test_new_rows_are_predicted_in_parts_alike() -> None:
    """More rows than fit one part."""
    cell = counts()
    (only,) = candidates(cell, {"grid": {"learning_rate": [0.1]}, "max_trees": 5}, {})
    many = np.tile(cell.x_validation, (12, 1))
    np.testing.assert_array_equal(only.predict(many), np.tile(only.validation, (12, 1)))
