"""Support vector machine with a radial basis function kernel (Cortes and Vapnik, 1995).

The kernel matrix of the training rows is computed once, as one matrix product, and shared by all
settings of the grid. The kernel's width is fixed by the data: gamma = 1 / (d var(x)), which
scikit-learn calls "scale". The machine gives scores, not probabilities: a temperature fitted on the
validation rows turns them into probabilities (Guo et al., 2017) and leaves the decision as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.svm import SVC

from takeoff.training import Candidate, Cell, Floats, Labels, Probabilities, spread_classes

PREDICTION_ROWS = 2000  # bounds the kernel matrix between new rows and training rows


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Fit every C on the shared kernel matrix."""
    gamma = 1.0 / (cell.x_train.shape[1] * float(cell.x_train.var()))
    kernel = rbf_kernel(cell.x_train, gamma=gamma)
    kernel_validation = rbf_kernel(cell.x_validation, cell.x_train, gamma=gamma)
    for strength in sorted(fit["grid"]["C"]):
        model = SVC(C=strength, kernel="precomputed", decision_function_shape="ovr")
        model.fit(kernel, cell.y_train)
        scores = _scores(model, kernel_validation)
        temperature = fit_temperature(scores, _positions(model, cell.y_validation))
        validation = softmax(scores / temperature, axis=1)

        def predict(
            x: Floats, model: SVC = model, temperature: float = temperature
        ) -> Probabilities:
            parts = [
                _scores(model, rbf_kernel(x[i : i + PREDICTION_ROWS], cell.x_train, gamma=gamma))
                for i in range(0, len(x), PREDICTION_ROWS)
            ]
            found = softmax(np.concatenate(parts) / temperature, axis=1)
            return spread_classes(found, model.classes_, cell.n_classes)

        yield Candidate(
            settings={"C": strength},
            validation=spread_classes(validation, model.classes_, cell.n_classes),
            predict=predict,
            n_params=len(model.support_) * cell.x_train.shape[1] + model.dual_coef_.size,
            steps=int(model.n_iter_.sum()),
        )


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


def _scores(model: SVC, kernel: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Decision values [k, C]; two classes get the scores -f and f."""
    decision = np.asarray(model.decision_function(kernel), dtype=np.float64)
    return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision


def _positions(model: SVC, labels: Labels) -> Labels:
    columns = {int(label): column for column, label in enumerate(model.classes_)}
    return np.array([columns.get(int(label), -1) for label in labels], dtype=np.int64)
