"""Gradient boosting of decision trees on histograms (scikit-learn, after Ke et al., 2017).

Nearly all of its time goes into binning the training rows and into histograms of them, feature by
feature. So features that no tree could split are left out, and the learning rates share the bins;
both leave every tree as it is.

Classes are told apart by their log-loss. Of numbers, the squared error is boosted, on the scale of
the training labels: gradients are kept in single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from takeoff.datasets.base import Floats
from takeoff.scaling import Target
from takeoff.training import Candidate, Cell, Predictions, spread_classes

BINS = 32  # per feature; on pixels three times faster than 255, with the same validation error
PATIENCE = 10  # trees (per class) without a better validation loss before boosting stops
LEAF_ROWS = 20  # at least, in every leaf
PREDICTION_ROWS = 500  # that fit the cache, where every tree asks for them again

Columns = npt.NDArray[np.intp]


class SharedBins:
    """Lets scikit-learn's boosting bin rows only if no earlier model of the same rows has done it.

    Attributes:
        shared: What was binned, by whether it is the training rows; the models of one cell hold the
            same dictionary. A scikit-learn that bins by another method than `_bin_data` fills
            nothing in, and every model bins by itself.
    """

    shared: dict[bool, tuple[Any, Any]]
    # scikit-learn's own
    _bin_mapper: Any  # the bins of each feature
    _predictors: Any  # the trees of each stage
    validation_score_: Any

    def _bin_data(self, x: Any, *rest: Any, is_training_data: bool) -> Any:
        if is_training_data not in self.shared:
            binned = super()._bin_data(  # type: ignore[misc]
                x, *rest, is_training_data=is_training_data
            )
            self.shared[is_training_data] = self._bin_mapper, binned
        self._bin_mapper, binned = self.shared[is_training_data]
        return binned

    def cut_back(self) -> None:
        """Drop the trees after the best validation score; score 0 is before the first tree.

        In public, scikit-learn predicts with fewer trees only stage by stage, with probabilities
        at every stage; that takes longer than all trees at once.
        """
        if len(self.validation_score_):
            del self._predictors[max(1, int(np.argmax(self.validation_score_))) :]

    @property
    def leaves(self) -> int:
        """Leaves of all trees."""
        return sum(tree.get_n_leaf_nodes() for stage in self._predictors for tree in stage)


class Classifier(SharedBins, HistGradientBoostingClassifier):  # type: ignore[misc]
    """Of classes."""


class Regressor(SharedBins, HistGradientBoostingRegressor):  # type: ignore[misc]
    """Of numbers."""


Model = Classifier | Regressor


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Fit every learning rate; keep as many trees as were best on the validation rows."""
    columns = splittable(cell.x_train, LEAF_ROWS)
    shared: dict[bool, tuple[Any, Any]] = {}
    for rate in sorted(fit["grid"]["learning_rate"]):
        model = boost(cell, columns, rate, fit["max_trees"], shared)
        predict = _prediction(model, columns, cell)
        yield Candidate(
            settings={"learning_rate": rate},
            validation=predict(cell.x_validation),
            predict=predict,
            n_params=model.leaves,
            steps=model.n_iter_,
        )


def _prediction(model: Model, columns: Columns, cell: Cell) -> Callable[[Floats], Predictions]:
    """Of the cell's classes or numbers, for rows [k, d]."""

    def parts(x: Floats) -> Iterator[Floats]:
        for start in range(0, len(x), PREDICTION_ROWS):
            yield x[start : start + PREDICTION_ROWS, columns]

    def classes(x: Floats) -> Predictions:
        found = np.concatenate([model.predict_proba(part) for part in parts(x)])
        return spread_classes(found, model.classes_, cell.n_classes)

    def numbers(x: Floats) -> Predictions:
        return target.back(np.concatenate([model.predict(part) for part in parts(x)]))

    if not cell.is_regression:
        return classes
    target = Target.of(cell.y_train, cell.weights_train)
    return numbers


def boost(
    cell: Cell,
    columns: Columns,
    rate: float,
    max_trees: int,
    shared: dict[bool, tuple[Any, Any]] | None = None,
) -> Model:
    """Boost on some features, with early stopping on the validation rows.

    Args:
        cell: The data.
        columns: The features that are used.
        rate: Learning rate.
        max_trees: Trees (per class) at most.
        shared: Bins of the same cell and features from an earlier call.

    Returns:
        The model, cut back to the number of trees with the best validation loss.
    """
    known = _judged(cell)
    model = (Regressor if cell.is_regression else Classifier)(
        learning_rate=rate,
        max_iter=max_trees,
        max_bins=BINS,
        min_samples_leaf=LEAF_ROWS,
        early_stopping=bool(known.any()),
        n_iter_no_change=PATIENCE,
        tol=0.0,
        random_state=cell.seed % 2**32,
    )
    model.shared = {} if shared is None else shared
    weights = cell.weights_validation
    held_out = {
        "X_val": cell.x_validation[np.ix_(known, columns)],
        "y_val": _labels(cell, cell.y_validation[known]),
        "sample_weight_val": None if weights is None else weights[known],
    }
    # Column by column, as features are binned.
    x_train = np.asfortranarray(cell.x_train[:, columns])
    model.fit(
        x_train,
        _labels(cell, cell.y_train),
        cell.weights_train,
        **(held_out if known.any() else {}),
    )
    model.cut_back()
    return model


def _judged(cell: Cell) -> npt.NDArray[np.bool_]:
    """The validation rows that can be held against a prediction: classes seen in training."""
    if cell.is_regression:
        return np.ones(len(cell.y_validation), dtype=bool)
    return np.isin(cell.y_validation, np.unique(cell.y_train))


def _labels(cell: Cell, labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Classes as they are; numbers on the scale of the training labels."""
    if not cell.is_regression:
        return labels
    return Target.of(cell.y_train, cell.weights_train).standard(labels)


def splittable(x: Floats, leaf_rows: int) -> Columns:
    """The features [d'] of x [n, d] that a split can use: both sides hold `leaf_rows` or more.

    Sorted, the value that ends the smallest left side must differ from the one that starts the
    smallest right side. If no feature can be split, the first one stands for all.
    """
    n = len(x)
    if n < 2 * leaf_rows:
        return np.zeros(1, dtype=np.intp)
    low, high = leaf_rows - 1, n - leaf_rows
    ordered = np.partition(x, (low, high), axis=0)
    found = np.flatnonzero(ordered[low] < ordered[high])
    return found if len(found) else np.zeros(1, dtype=np.intp)
