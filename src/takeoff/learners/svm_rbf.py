"""Support vector machine with a radial basis function kernel (Cortes and Vapnik, 1995).

The kernel matrix of the training rows, and the one between them and the validation rows, are
computed once, and shared by all settings of the grid and by all pairs of classes. The kernel's
width is fixed by the data: gamma = 1 / (d var(x)), which scikit-learn calls "scale". Test rows meet
the support vectors alone, as matrix products in single precision. The machine gives scores, not
probabilities: a temperature fitted on the validation rows turns them into probabilities (Guo et
al., 2017) and leaves the decision as it is.

Numbers are fitted by the machine for regression (Drucker et al., 1997) on the same kernel, on the
scale of the training labels: what is off by less than a tenth of their standard deviation costs
nothing (epsilon = 0.1, as in scikit-learn).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.svm import SVC, SVR

from takeoff.datasets.base import Floats, Labels, Probabilities
from takeoff.metrics import Doubles
from takeoff.scaling import Target
from takeoff.training import Candidate, Cell, Predictions, spread_classes

BLOCK_ROWS = 1000  # bounds the kernel matrix between new rows and support vectors
EPSILON = 0.1  # in regression, of the standard deviation of the training labels


@dataclass(frozen=True, eq=False)
class Machine:
    """A fitted machine, as far as new rows need it.

    Attributes:
        vectors: Support vectors, float32 [s, d].
        coefficients: Of each vector in each pair of classes, float32 [s, p].
        intercepts: [p]; of C classes C (C - 1) / 2, in regression one.
        gamma: Of the kernel exp(-gamma |a - b|^2).
    """

    vectors: Floats
    coefficients: Floats
    intercepts: Doubles
    gamma: float

    def decisions(self, x: Floats) -> Doubles:
        """Between the classes of each pair, or the fitted number: [k, p], of rows [k, d]."""
        parts = [
            self.decided(rbf_kernel(x[start : start + BLOCK_ROWS], self.vectors, self.gamma))
            for start in range(0, len(x), BLOCK_ROWS)
        ]
        return np.concatenate(parts)

    def decided(self, kernel: Floats) -> Doubles:
        """The same, [k, p], from the kernel of the rows with the vectors, [k, s]."""
        found: Doubles = kernel @ self.coefficients + self.intercepts
        return found


@dataclass(frozen=True, eq=False)
class Kernels:
    """What all settings of the grid share.

    Attributes:
        gamma: Of the kernel.
        train: Of the training rows with each other, [n, n].
        held_out: Of the validation rows with them, float32 [v, n].
    """

    gamma: float
    train: Doubles
    held_out: Floats

    @classmethod
    def of(cls, cell: Cell) -> Kernels:
        """Those of a cell."""
        # Without any spread, every kernel value is 1 whatever the width.
        spread = float(cell.x_train.var()) or 1.0
        gamma = 1.0 / (cell.x_train.shape[1] * spread)
        held_out = rbf_kernel(cell.x_validation, cell.x_train, gamma)
        return cls(gamma, training_kernel(cell.x_train, gamma), held_out)


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Fit every C on the shared kernels."""
    kernels = Kernels.of(cell)
    fitted = fit_numbers if cell.is_regression else fit_classes
    for strength in sorted(fit["grid"]["C"]):
        yield fitted(cell, kernels, strength)


def fit_classes(cell: Cell, kernels: Kernels, strength: float) -> Candidate:
    """The machine that tells classes apart."""
    model = SVC(C=strength, **_how(kernels))
    model.fit(kernels.train, cell.y_train, cell.weights_train)
    machine = Machine(
        vectors=cell.x_train[model.support_],
        coefficients=pair_coefficients(model.dual_coef_, model.n_support_),
        intercepts=model.intercept_,
        gamma=kernels.gamma,
    )
    held_out = machine.decided(kernels.held_out[:, model.support_])
    scores = class_scores(held_out, len(model.classes_))
    positions = _positions(model, cell.y_validation)
    temperature = fit_temperature(scores, positions, cell.weights_validation)

    def probabilities(scores: Doubles) -> Probabilities:
        found = softmax(scores / temperature, axis=1)
        return spread_classes(found, model.classes_, cell.n_classes)

    def predict(x: Floats) -> Probabilities:
        return probabilities(class_scores(machine.decisions(x), len(model.classes_)))

    return Candidate(
        settings={"C": strength},
        validation=probabilities(scores),
        predict=predict,
        n_params=machine.vectors.size + model.dual_coef_.size,
        steps=int(model.n_iter_.sum()),
    )


def fit_numbers(cell: Cell, kernels: Kernels, strength: float) -> Candidate:
    """The machine for regression."""
    target = Target.of(cell.y_train, cell.weights_train)
    model = SVR(C=strength, epsilon=EPSILON, **_how(kernels))
    model.fit(kernels.train, target.standard(cell.y_train), cell.weights_train)
    machine = Machine(
        vectors=cell.x_train[model.support_],
        coefficients=model.dual_coef_.T.astype(np.float32),
        intercepts=model.intercept_,
        gamma=kernels.gamma,
    )

    def numbers(decisions: Doubles) -> Predictions:
        return target.back(decisions[:, 0])

    return Candidate(
        settings={"C": strength},
        validation=numbers(machine.decided(kernels.held_out[:, model.support_])),
        predict=lambda x: numbers(machine.decisions(x)),
        n_params=machine.vectors.size + model.dual_coef_.size,
        steps=int(np.sum(model.n_iter_)),
    )


def _how(kernels: Kernels) -> dict[str, Any]:
    """What both machines are told."""
    cache = _megabytes(len(kernels.train))
    # With the whole kernel at hand, leaving rows out for a while costs more than it saves.
    return {"kernel": "precomputed", "shrinking": False, "cache_size": cache}


def rbf_kernel(a: Floats, b: Floats, gamma: float) -> Floats:
    """exp(-gamma |a - b|^2) of rows [k, d] and [n, d]: [k, n].

    Distances come from products, in single precision: of centred and scaled rows, the kernel is
    right to about five digits.
    """
    exponents: Floats = a @ b.T
    exponents *= 2
    exponents -= np.einsum("ij,ij->i", a, a)[:, None]
    exponents -= np.einsum("ij,ij->i", b, b)
    exponents *= np.float32(gamma)
    np.minimum(exponents, 0, out=exponents)
    np.exp(exponents, out=exponents)
    return exponents


def training_kernel(x: Floats, gamma: float) -> Doubles:
    """The kernel of the rows x [n, d] with each other, [n, n], as libsvm takes it.

    libsvm wants double precision. The matrix is symmetric, so each block is computed once.
    """
    kernel = np.empty((len(x), len(x)))
    for start in range(0, len(x), BLOCK_ROWS):
        stop = start + BLOCK_ROWS
        block = rbf_kernel(x[start:stop], x[start:], gamma)
        kernel[start:stop, start:] = block
        kernel[stop:, start:stop] = block[:, BLOCK_ROWS:].T
    np.fill_diagonal(kernel, 1.0)
    return kernel


def pair_coefficients(dual: Doubles, n_support: npt.NDArray[np.int32]) -> Floats:
    """The coefficients of all support vectors in all pairs of classes, [s, p].

    Args:
        dual: scikit-learn's `dual_coef_`, [C - 1, s]: of a vector of class i, row r belongs to the
            pair with the r-th of the other classes. Of two classes, there is one row.
        n_support: Vectors of each class, [C]; they are ordered by class.
    """
    if len(n_support) == 2:
        return dual.T.astype(np.float32)
    ends = np.cumsum(n_support)
    rows = [slice(end - n, end) for end, n in zip(ends, n_support, strict=True)]
    pairs = list(combinations(range(len(n_support)), 2))
    found = np.zeros((dual.shape[1], len(pairs)), dtype=np.float32)
    for column, (i, j) in enumerate(pairs):
        found[rows[i], column] = dual[j - 1, rows[i]]
        found[rows[j], column] = dual[i, rows[j]]
    return found


def class_scores(decisions: Doubles, n_classes: int) -> Doubles:
    """Scores of classes, [k, C], from decisions between pairs, [k, p].

    As in scikit-learn: the number of duels that a class wins, plus its summed decisions squeezed
    into less than half a win, which settles ties. Two classes have the scores -f and f.
    """
    if n_classes == 2:
        return np.hstack([-decisions, decisions])
    wins: Doubles = np.zeros((len(decisions), n_classes))
    sums = np.zeros_like(wins)
    for column, (i, j) in enumerate(combinations(range(n_classes), 2)):
        decision = decisions[:, column]
        wins[:, i] += decision >= 0
        wins[:, j] += decision < 0
        sums[:, i] += decision
        sums[:, j] -= decision
    wins += sums / (3 * (np.abs(sums) + 1))
    return wins


def fit_temperature(scores: Doubles, positions: Labels, weights: Doubles | None = None) -> float:
    """The temperature T > 0 with the lowest log-loss of softmax(scores / T).

    Args:
        scores: [v, C] decision values.
        positions: [v] column of the true class, -1 where the class was not seen in training.
        weights: How much each row counts, [v]; None for all the same.
    """
    known = positions >= 0
    if not known.any():
        return 1.0
    scores, positions = scores[known], positions[known]
    weights = None if weights is None else weights[known]

    def log_loss(log_temperature: float) -> float:
        logs = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-np.average(logs[np.arange(len(logs)), positions], weights=weights))

    return float(np.exp(minimize_scalar(log_loss, bounds=(-5.0, 5.0), method="bounded").x))


def _megabytes(n: int) -> float:
    """Of the cache that holds the kernel of n rows as libsvm keeps it, in single precision."""
    return 4 * n * n / 2**20 + 1


def _positions(model: SVC, labels: Labels) -> Labels:
    columns = {int(label): column for column, label in enumerate(model.classes_)}
    return np.array([columns.get(int(label), -1) for label in labels], dtype=np.int64)
