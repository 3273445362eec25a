"""Multinomial logistic regression with an L2 penalty (preconditioned L-BFGS of SciPy).

The mean log-loss of n rows plus |weights|^2 / (2 C n) is minimised; the intercepts carry no
penalty, and two classes share one row of weights. That is scikit-learn's `LogisticRegression`.
Where rows count differently, the mean is the weighted one.

How long L-BFGS takes is decided by how unequal the curvature is, and neighbouring pixels are nearly
the same feature. So it works in coordinates in which the curvature at the start would be nearly
that of a ball (Nocedal and Wright, 2006, section 7.2): with A = L L' as below, in v = L' w. On
Fashion-MNIST that takes a third to a half of the iterations, for a lower loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize
from scipy.special import softmax

from takeoff.datasets.base import Floats, Labels, Probabilities
from takeoff.errors import TakeoffError
from takeoff.training import Candidate, Cell, spread_classes

MAX_ITERATIONS = 1000
# Relative decrease of the loss in an iteration, below which it counts as settled. On Fashion-MNIST
# the loss is then closer to the smallest one than scikit-learn's is with a tolerance of 1e-3.
TOLERANCE = 5e-5
BLOCK_ROWS = 1024  # that stay in the cache between the logits and the gradient
# For 3 to 12 classes a product is so slim that OpenBLAS copies its rows for longer than it
# multiplies them. Below a million multiplications it takes them as they lie, so blocks are
# multiplied in parts: on 784 features that saves a fifth to a third of the time. For more classes
# it would cost some.
SLIM = range(3, 13)
MULTIPLICATIONS = 2**19
METRIC_ROWS = 4096  # at most, to estimate the curvature from
# The curvature of a fitted model, as a share of that of a model that knows nothing: sure
# predictions are flat. Between 1/6 and 1 it matters little.
FITTED_CURVATURE = 1 / 3

Weights = npt.NDArray[np.float32]  # [k, d + 1], the intercept last; k = 1 for two classes


@dataclass(frozen=True)
class Metric:
    """Coordinates in which the loss curves about equally in all directions.

    The curvature of the loss in the weights of one class is about A = p (1 - p) X'X / n + penalty,
    for a typical probability p; X is centred, so that of the intercept stands apart.

    Attributes:
        factor: L, lower triangular [d, d], with A = L L'.
        curvature: p (1 - p).
    """

    factor: Floats
    curvature: float

    @classmethod
    def of(cls, x: Floats, n_classes: int, penalty: float) -> Metric:
        """Estimate it from some of the rows x [n, d]; numbers of the size of d^2 are kept."""
        some = x[:: math.ceil(len(x) / max(METRIC_ROWS, x.shape[1]))]
        curvature = FITTED_CURVATURE * (1 - 1 / n_classes) / n_classes
        matrix = (some.T @ some) * np.float32(curvature / len(some))
        # Whatever the penalty is, it must stay a positive matrix in single precision.
        smallest = 1e-5 * float(matrix.trace()) / len(matrix) + 1e-12
        matrix[np.diag_indices_from(matrix)] += np.float32(max(penalty, smallest))
        return cls(cholesky(matrix, lower=True, overwrite_a=True), curvature)

    def weights(self, v: npt.NDArray[np.float64]) -> Weights:
        """Weights [k, d + 1] of a point [k (d + 1)] in these coordinates."""
        point = v.reshape(-1, len(self.factor) + 1).astype(np.float32)
        steep = self._solved(point[:, :-1], trans="T")
        return np.hstack([steep, point[:, -1:] / np.float32(math.sqrt(self.curvature))])

    def point(self, weights: Weights) -> npt.NDArray[np.float64]:
        """The inverse of `weights`."""
        steep = weights[:, :-1] @ self.factor
        last = weights[:, -1:] * math.sqrt(self.curvature)
        return np.hstack([steep, last]).astype(np.float64).ravel()

    def gradient(self, gradient: Weights) -> npt.NDArray[np.float64]:
        """A gradient in weights [k, d + 1] as one in these coordinates [k (d + 1)]."""
        steep = self._solved(gradient[:, :-1], trans="N")
        last = gradient[:, -1:] / math.sqrt(self.curvature)
        return np.hstack([steep, last]).astype(np.float64).ravel()

    def _solved(self, rows: Weights, trans: Literal["N", "T"]) -> Weights:
        """L (or L') times what comes out, [k, d], are the rows [k, d]."""
        right = np.asarray_chkfinite(rows.T)
        # Left to itself it would search the factor as well, each time, which has been searched.
        found: Weights = solve_triangular(
            self.factor, right, trans, lower=True, check_finite=False
        ).T
        return found


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Fit along increasing C, each fit starting from the last one's solution.

    Raises:
        TakeoffError: The labels are numbers.
    """
    if cell.is_regression:
        raise TakeoffError(
            "logistic regression tells classes apart, but the labels are numbers",
            where="config: use.learners",
            remedy="take a learner with `kind: ridge` in its place",
        )
    counts = None if cell.weights_train is None else cell.weights_train.astype(np.float32)
    present, columns = np.unique(cell.y_train, return_inverse=True)
    strengths = sorted(fit["grid"]["C"])
    penalties = [1 / (strength * len(cell.x_train)) for strength in strengths]
    metric = Metric.of(cell.x_train, len(present), math.prod(penalties) ** (1 / len(penalties)))
    rows = 1 if len(present) == 2 else len(present)
    weights = np.zeros((rows, cell.x_train.shape[1] + 1), dtype=np.float32)
    steps = 0
    for strength, penalty in zip(strengths, penalties, strict=True):
        weights, iterations = minimise(cell.x_train, columns, penalty, metric, weights, counts)
        steps += iterations

        def predict(x: Floats, weights: Weights = weights) -> Probabilities:
            found = softmax(_logits(x, weights).T.astype(np.float64), axis=1)
            return spread_classes(found, present, cell.n_classes)

        yield Candidate(
            settings={"C": strength},
            validation=predict(cell.x_validation),
            predict=predict,
            n_params=weights.size,
            steps=steps,
        )


def minimise(
    x: Floats,
    y: Labels,
    penalty: float,
    metric: Metric,
    start: Weights,
    counts: Floats | None = None,
) -> tuple[Weights, int]:
    """The weights with the smallest penalised loss, and the iterations that it took.

    Args:
        x: Rows, [n, d], centred.
        y: Their classes, [n], from 0 on.
        penalty: Of half the squared weights.
        metric: The coordinates to work in.
        start: Weights to start from, [k, d + 1].
        counts: How much each row counts, [n], 1 on average; None for all the same.
    """

    def loss(v: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        value, gradient = loss_and_gradient(x, y, penalty, metric.weights(v), counts)
        return value, metric.gradient(gradient)

    options = {"maxiter": MAX_ITERATIONS, "ftol": TOLERANCE, "gtol": 0.0}
    found = minimize(loss, metric.point(start), jac=True, method="L-BFGS-B", options=options)
    return metric.weights(found.x), int(found.nit)


def loss_and_gradient(
    x: Floats, y: Labels, penalty: float, weights: Weights, counts: Floats | None = None
) -> tuple[float, Weights]:
    """Mean log-loss plus penalty |weights|^2 / 2, in nats, and its gradient [k, d + 1]."""
    counts = np.ones(len(x), dtype=np.float32) if counts is None else counts
    total, gradient = 0.0, np.zeros_like(weights)
    for start in range(0, len(x), BLOCK_ROWS):
        part, labels = x[start : start + BLOCK_ROWS], y[start : start + BLOCK_ROWS]
        part.max()  # read in order, rows reach the cache at twice the pace that a product asks for
        count = counts[start : start + BLOCK_ROWS]
        here = np.arange(len(labels))
        logits = _logits(part, weights)
        logits -= logits.max(axis=0)
        total -= float((count * logits[labels, here]).sum(dtype=np.float64))
        error = np.exp(logits, out=logits)
        sums = error.sum(axis=0)
        total += float((count * np.log(sums)).sum(dtype=np.float64))
        error /= sums
        error[labels, here] -= 1
        error *= count
        error = error[-len(weights) :]
        gradient[:, :-1] += _summed(error, part)
        gradient[:, -1] += error.sum(axis=1)
    gradient /= len(x)
    steep = weights[:, :-1]
    gradient[:, :-1] += np.float32(penalty) * steep
    squares = float(np.sum(steep.astype(np.float64) ** 2))
    return total / len(x) + penalty / 2 * squares, gradient


def _logits(x: Floats, weights: Weights) -> Floats:
    """Logits [C, n], class by class; of two classes, the first one's are zero."""
    steep = weights[:, :-1].T
    rows = rows_at_once(x.shape[1], len(weights))
    whole = len(x) - len(x) % rows
    found = np.empty((len(x), len(weights)), dtype=np.float32)
    np.matmul(_parts(x[:whole], rows), steep, out=_parts(found[:whole], rows))
    np.matmul(x[whole:], steep, out=found[whole:])
    logits = np.ascontiguousarray(found.T)
    logits += weights[:, -1:]
    return np.vstack([np.zeros_like(logits), logits]) if len(weights) == 1 else logits


def _summed(error: Floats, x: Floats) -> Floats:
    """error [k, n] times x [n, d]: [k, d]."""
    rows = rows_at_once(x.shape[1], len(error))
    whole = len(x) - len(x) % rows
    parts = error[:, :whole].reshape(len(error), -1, rows).swapaxes(0, 1)
    found: Floats = np.matmul(parts, _parts(x[:whole], rows)).sum(axis=0)
    found += error[:, whole:] @ x[whole:]
    return found


def rows_at_once(d: int, classes: int) -> int:
    """Rows of d features in one product with the weights of so many classes."""
    if classes not in SLIM:
        return BLOCK_ROWS
    return int(min(max(2.0 ** round(math.log2(MULTIPLICATIONS / (d * classes))), 16), BLOCK_ROWS))


def _parts(x: Floats, rows: int) -> Floats:
    """[n, d] as [n / rows, rows, d]."""
    return x.reshape(-1, rows, x.shape[1])
