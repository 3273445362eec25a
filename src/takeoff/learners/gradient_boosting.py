"""Gradient boosting of decision trees on histograms (scikit-learn, after Ke et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier

from takeoff.training import Candidate, Cell, Floats, Probabilities, spread_classes

BINS = 32  # per feature; on pixels three times faster than 255, with the same validation error
PATIENCE = 10  # trees (per class) without a better validation log-loss before boosting stops


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Fit every learning rate; keep as many trees as were best on the validation rows."""
    known = np.isin(cell.y_validation, np.unique(cell.y_train))
    for rate in sorted(fit["grid"]["learning_rate"]):
        model = HistGradientBoostingClassifier(
            learning_rate=rate,
            max_iter=fit["max_trees"],
            max_bins=BINS,
            early_stopping=bool(known.any()),
            n_iter_no_change=PATIENCE,
            tol=0.0,
            random_state=cell.seed % 2**32,
        )
        held_out = {"X_val": cell.x_validation[known], "y_val": cell.y_validation[known]}
        model.fit(cell.x_train, cell.y_train, **(held_out if known.any() else {}))
        trees = _best_trees(model)

        def predict(
            x: Floats, model: HistGradientBoostingClassifier = model, trees: int = trees
        ) -> Probabilities:
            staged = next(islice(model.staged_predict_proba(x), trees - 1, None))
            return spread_classes(staged, model.classes_, cell.n_classes)

        yield Candidate(
            settings={"learning_rate": rate},
            validation=predict(cell.x_validation),
            predict=predict,
            n_params=_leaves(model, trees),
            steps=trees,
        )


def _best_trees(model: HistGradientBoostingClassifier) -> int:
    """Boosting iterations up to the best validation score (score 0 is before the first tree)."""
    if not len(model.validation_score_):
        return int(model.n_iter_)
    return max(1, int(np.argmax(model.validation_score_)))


def _leaves(model: HistGradientBoostingClassifier, trees: int) -> int:
    return sum(tree.get_n_leaf_nodes() for stage in model._predictors[:trees] for tree in stage)
