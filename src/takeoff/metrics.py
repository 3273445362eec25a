"""How far predictions are from the truth: every measure that a data set can be judged by.

Lower is better for all but `auc`. Where the distribution of the label given the example is known,
measures are expectations under it, which have less noise than those of one drawn label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Doubles: TypeAlias = npt.NDArray[np.float64]
Metric = Literal["error_rate", "balanced_error", "log_loss", "rmse"]

# A probability of zero for what then happens would make the mean log-loss infinite.
SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True, eq=False)
class Truth:
    """What predictions of t examples are held against.

    Attributes:
        target: P(class | x), [t, C]: the known posterior, or 0 and 1 for observed labels.
            None in regression.
        values: In regression, the number to predict, [t]: the expected one where it is known,
            otherwise the observed one.
        variance: Of the observed number around `values`: 0 where `values` are the observed ones.
        weights: How much each example counts, [t]; None for all the same.
    """

    target: Doubles | None = None
    values: Doubles | None = None
    variance: float = 0.0
    weights: Doubles | None = None


def scores(predicted: Doubles, truth: Truth) -> dict[str, float]:
    """All measures that apply.

    Args:
        predicted: Class probabilities [t, C], or numbers [t] in regression.
        truth: Of the same examples.

    Returns:
        error_rate, balanced_error, log_loss and, of two classes, auc. Or rmse and, where numbers
        were observed and not their expectation, mae.
    """
    if truth.target is None:
        found = {"rmse": rmse(predicted, truth)}
        return found | ({} if truth.variance else {"mae": mae(predicted, truth)})
    found = {
        "error_rate": error_rate(predicted, truth),
        "balanced_error": balanced_error(predicted, truth),
        "log_loss": log_loss(predicted, truth),
    }
    return found | ({"auc": auc(predicted, truth)} if truth.target.shape[1] == 2 else {})


def error_rate(probabilities: Doubles, truth: Truth) -> float:
    """Mean probability that the most likely class is wrong; the first of equally likely ones."""
    return _mean(_wrong(probabilities, truth), truth.weights)


def balanced_error(probabilities: Doubles, truth: Truth) -> float:
    """Error rate within each class, averaged over the classes that occur."""
    weighted, right, sizes = _by_class(probabilities, truth)
    return float(np.mean(1.0 - (weighted * right).sum(axis=0) / sizes))


def log_loss(probabilities: Doubles, truth: Truth) -> float:
    """Mean of -sum target log(probability), in nats; probabilities are clipped at 1e-7."""
    return _mean(_surprise(probabilities, truth), truth.weights)


def auc(probabilities: Doubles, truth: Truth) -> float:
    """Area under the ROC curve of two classes: P(a positive example scores above a negative one).

    Ties count half (Mann and Whitney 1947). An example counts as positive with its probability
    of being so. NaN where one class has no weight.
    """
    target = _target(truth)
    weights = np.ones(len(target)) if truth.weights is None else truth.weights
    _, level = np.unique(probabilities[:, 1], return_inverse=True)
    negative, positive = (np.bincount(level, weights * target[:, k]) for k in (0, 1))
    below = np.cumsum(negative) - negative / 2
    pairs = positive.sum() * negative.sum()
    return float((positive * below).sum() / pairs) if pairs > 0 else float("nan")


def rmse(predicted: Doubles, truth: Truth) -> float:
    """Root mean squared error, in the unit of the number."""
    return float(np.sqrt(_mean(_squares(predicted, truth), truth.weights) + truth.variance))


def mae(predicted: Doubles, truth: Truth) -> float:
    """Mean absolute error, in the unit of the number."""
    return _mean(np.abs(predicted - _values(truth)), truth.weights)


MEASURES: dict[Metric, Callable[[Doubles, Truth], float]] = {
    "error_rate": error_rate,
    "balanced_error": balanced_error,
    "log_loss": log_loss,
    "rmse": rmse,
}


NAMES = ("error_rate", "balanced_error", "log_loss", "auc", "rmse", "mae")  # of all measures


def standard_error(metric: Metric, predicted: Doubles, truth: Truth) -> float:
    """How far the metric of another test set of the same size would be from this one's.

    Examples are taken to be independent, the predictions as given. A metric that is no mean over
    examples is taken as linear in its means (the delta method).

    Args:
        metric: Any of `MEASURES`.
        predicted: As for `scores`.
        truth: Of the same t examples.

    Returns:
        The standard error in the metric's unit, with t / (t - 1) for the fitted mean; NaN if t = 1.
    """
    shares = _shares(metric, predicted, truth)
    count = len(shares)
    if count < 2:
        return float("nan")
    return float(np.sqrt(count / (count - 1) * np.sum(shares**2)))


def _shares(metric: Metric, predicted: Doubles, truth: Truth) -> Doubles:
    """What each example adds to the metric's distance from its expectation, [t]; the sum is 0."""
    if metric == "balanced_error":
        weighted, right, sizes = _by_class(predicted, truth)
        wrong = 1.0 - right
        errors = (weighted * wrong).sum(axis=0) / sizes
        each: Doubles = (weighted * (wrong - errors) / sizes).mean(axis=1)
        return each
    losses = {"error_rate": _wrong, "log_loss": _surprise, "rmse": _squares}[metric](
        predicted, truth
    )
    weights = np.ones(len(losses)) if truth.weights is None else truth.weights
    each = weights * (losses - _mean(losses, weights)) / weights.sum()
    if metric != "rmse":
        return each
    root = rmse(predicted, truth)
    return each / (2 * root) if root > 0 else each


def one_hot(labels: npt.NDArray[np.int64], n_classes: int) -> Doubles:
    """Labels [n] as distributions [n, n_classes] that put everything on the label."""
    return np.eye(n_classes)[labels]


def _wrong(probabilities: Doubles, truth: Truth) -> Doubles:
    """P(the decision is wrong) of each example, [t]."""
    target = _target(truth)
    found: Doubles = 1.0 - target[np.arange(len(target)), probabilities.argmax(axis=1)]
    return found


def _surprise(probabilities: Doubles, truth: Truth) -> Doubles:
    """Expected log-loss of each example, [t]."""
    clipped = np.clip(probabilities, SMALLEST_PROBABILITY, 1.0)
    found: Doubles = -np.sum(_target(truth) * np.log(clipped), axis=1)
    return found


def _squares(predicted: Doubles, truth: Truth) -> Doubles:
    """Squared distance of each example, [t]."""
    found: Doubles = (predicted - _values(truth)) ** 2
    return found


def _by_class(probabilities: Doubles, truth: Truth) -> tuple[Doubles, Doubles, Doubles]:
    """Weighted targets [t, K], decisions [t, K] and total weights [K] of the classes that occur."""
    target = _target(truth)
    weighted = target if truth.weights is None else target * truth.weights[:, None]
    right = np.eye(target.shape[1])[probabilities.argmax(axis=1)]
    sizes = weighted.sum(axis=0)
    present = sizes > 0
    return weighted[:, present], right[:, present], sizes[present]


def _mean(values: Doubles, weights: Doubles | None) -> float:
    return float(np.average(values, weights=weights))


def _target(truth: Truth) -> Doubles:
    if truth.target is None:
        raise ValueError("classes are measured against a distribution of classes")
    return truth.target


def _values(truth: Truth) -> Doubles:
    if truth.values is None:
        raise ValueError("numbers are measured against numbers")
    return truth.values
