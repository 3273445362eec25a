"""Ridge regression: a linear fit of numbers with an L2 penalty (Hoerl and Kennard, 1970).

On the scale of the training labels, half the mean squared error of n rows plus
|weights|^2 / (2 C n) is minimised; the intercept carries no penalty. So C means the same as in
logistic regression: the larger, the weaker the penalty. It is scikit-learn's `Ridge` with
alpha = 1 / C. Where rows count differently, the mean is the weighted one.

With X centred and X'X = Q diag(s) Q', the weights are Q diag(1 / (s + alpha)) Q'X'y: one
decomposition serves the whole grid (Hastie, Tibshirani and Friedman, 2009, section 3.4.1). With
fewer rows than features, it is that of XX', since the weights are a combination of the rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh

from takeoff.datasets.base import Floats
from takeoff.errors import TakeoffError
from takeoff.metrics import Doubles
from takeoff.scaling import Target
from takeoff.training import Candidate, Cell, Predictions

BLOCK_ROWS = 1024  # in double precision at a time


@dataclass(frozen=True, eq=False)
class Decomposition:
    """What a ridge regression of any penalty is made from.

    Attributes:
        x: Rows, float32 [n, d].
        root: Square root of how much each row counts, [n].
        center: Weighted mean of the rows, [d].
        values: Eigenvalues of the smaller one of X'X and XX', [min(n, d)].
        vectors: Its eigenvectors, as columns.
        by_rows: Whether it is XX'.
        projected: The targets in these directions, [min(n, d)].
    """

    x: Floats
    root: Doubles
    center: Doubles
    values: Doubles
    vectors: Doubles
    by_rows: bool
    projected: Doubles

    @classmethod
    def of(cls, x: Floats, y: Doubles, weights: Doubles | None = None) -> Decomposition:
        """Of rows [n, d] with targets [n] whose weighted mean is 0."""
        root = np.ones(len(x)) if weights is None else np.sqrt(weights)
        center = np.zeros(x.shape[1])
        for part in _blocks(len(x)):
            center += root[part] ** 2 @ x[part]
        center /= np.sum(root**2)
        by_rows = len(x) < x.shape[1]
        if by_rows:
            rows = (x - center) * root[:, None]
            matrix, right = rows @ rows.T, root * y
        else:
            matrix, right = np.zeros((x.shape[1],) * 2), np.zeros(x.shape[1])
            for part in _blocks(len(x)):
                rows = (x[part] - center) * root[part, None]
                matrix += rows.T @ rows
                right += rows.T @ (root[part] * y[part])
        values, vectors = eigh(matrix, overwrite_a=True)
        return cls(x, root, center, np.maximum(values, 0), vectors, by_rows, vectors.T @ right)

    def weights(self, alpha: float) -> Doubles:
        """The weights [d] with the penalty alpha |weights|^2 of the sum of squares."""
        found: Doubles = self.vectors @ (self.projected / (self.values + alpha))
        if not self.by_rows:
            return found
        combined = found * self.root
        spread: Doubles = combined @ self.x - combined.sum() * self.center
        return spread


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Fit every C.

    Raises:
        TakeoffError: The labels are classes.
    """
    if not cell.is_regression:
        raise TakeoffError(
            "ridge regression fits numbers, but the labels are classes",
            where="config: use.learners",
            remedy="take a learner with `kind: logistic_regression` in its place",
        )
    target = Target.of(cell.y_train, cell.weights_train)
    parts = Decomposition.of(cell.x_train, target.standard(cell.y_train), cell.weights_train)
    for strength in sorted(fit["grid"]["C"]):
        weights = parts.weights(1 / strength)
        intercept = -float(parts.center @ weights)

        def predict(
            x: Floats, weights: Doubles = weights, intercept: float = intercept
        ) -> Predictions:
            return target.back(_products(x, weights) + intercept)

        yield Candidate(
            settings={"C": strength},
            validation=predict(cell.x_validation),
            predict=predict,
            n_params=len(weights) + 1,
            steps=1,
        )


def _products(x: Floats, weights: Doubles) -> Doubles:
    """x @ weights in double precision, without a copy of x in it."""
    found = np.empty(len(x))
    for part in _blocks(len(x)):
        found[part] = x[part].astype(np.float64) @ weights
    return found


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK_ROWS) for start in range(0, n, BLOCK_ROWS))
