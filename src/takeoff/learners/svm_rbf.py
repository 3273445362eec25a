"""Support vector machine with a radial basis function kernel (Cortes and Vapnik, 1995).

The kernel matrix of the training rows is computed once, and shared by all settings of the grid and
by all pairs of classes. The kernel's width is fixed by the data: gamma = 1 / (d var(x)), which
scikit-learn calls "scale". New rows meet the support vectors alone, as matrix products in single
precision. The machine gives scores, not probabilities: a temperature fitted on the validation rows
turns them into probabilities (Guo et al., 2017) and leaves the decision as it is.
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
from sklearn.svm import SVC

from takeoff.training import Candidate, Cell, Floats, Labels, Probabilities, spread_classes

BLOCK_ROWS = 1000  # bounds the kernel matrix between new rows and support vectors

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Machine:
    """A fitted machine, as far as scores of new rows need it.

    Attributes:
        vectors: Support vectors, float32 [s, d].
        coefficients: Of each vector in each pair of classes, float32 [s, p].
        intercepts: [p].
        n_classes: C; p = C (C - 1) / 2.
        gamma: Of the kernel exp(-gamma |a - b|^2).
    """

    vectors: Floats
    coefficients: Floats
    intercepts: Doubles
    n_classes: int
    gamma: float

    def scores(self, x: Floats) -> Doubles:
        """A score for each class, [k, C], of rows [k, d]: the highest one is the decision."""
        parts = [
            rbf_kernel(x[start : start + BLOCK_ROWS], self.vectors, self.gamma) @ self.coefficients
            for start in range(0, len(x), BLOCK_ROWS)
        ]
        return class_scores(np.concatenate(parts) + self.intercepts, self.n_classes)


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Fit every C on the shared kernel matrix."""
    gamma = 1.0 / (cell.x_train.shape[1] * float(cell.x_train.var()))
    kernel = training_kernel(cell.x_train, gamma)
    for strength in sorted(fit["grid"]["C"]):
        # With the whole kernel at hand, leaving rows out for a while costs more than it saves.
        model = SVC(
            C=strength, kernel="precomputed", shrinking=False, cache_size=_megabytes(len(kernel))
        )
        model.fit(kernel, cell.y_train)
        machine = Machine(
            vectors=cell.x_train[model.support_],
            coefficients=pair_coefficients(model.dual_coef_, model.n_support_),
            intercepts=model.intercept_,
            n_classes=len(model.classes_),
            gamma=gamma,
        )
        scores = machine.scores(cell.x_validation)
        temperature = fit_temperature(scores, _positions(model, cell.y_validation))
        validation = softmax(scores / temperature, axis=1)

        def predict(
            x: Floats,
            machine: Machine = machine,
            temperature: float = temperature,
            classes: Labels = model.classes_,
        ) -> Probabilities:
            found = softmax(machine.scores(x) / temperature, axis=1)
            return spread_classes(found, classes, cell.n_classes)

        yield Candidate(
            settings={"C": strength},
            validation=spread_classes(validation, model.classes_, cell.n_classes),
            predict=predict,
            n_params=len(model.support_) * cell.x_train.shape[1] + model.dual_coef_.size,
            steps=int(model.n_iter_.sum()),
        )


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


def fit_temperature(scores: npt.NDArray[np.float64], positions: Labels) -> float:
    """The temperature T > 0 with the lowest log-loss of softmax(scores / T).

    Args:
        scores: [v, C] decision values.
        positions: [v] column of the true class, -1 where the class was not seen in training.
    """
    known = positions >= 0
    if not known.any():
        return 1.0
    scores, positions = scores[known], positions[known]

    def log_loss(log_temperature: float) -> float:
        logs = log_softmax(scores / np.exp(log_temperature), axis=1)
        return float(-logs[np.arange(len(logs)), positions].mean())

    return float(np.exp(minimize_scalar(log_loss, bounds=(-5.0, 5.0), method="bounded").x))


def _megabytes(n: int) -> float:
    """Of the cache that holds the kernel of n rows as libsvm keeps it, in single precision."""
    return 4 * n * n / 2**20 + 1


def _positions(model: SVC, labels: Labels) -> Labels:
    columns = {int(label): column for column, label in enumerate(model.classes_)}
    return np.array([columns.get(int(label), -1) for label in labels], dtype=np.int64)
