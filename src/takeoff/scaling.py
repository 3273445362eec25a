"""Features and targets as a learner gets them: what a cell's own training rows say of each.

Nothing here looks at a row that is not among the training rows, nor at a label when features are
prepared. So neither validation nor test rows can leak into a fit through their preparation.

Features on one common scale (pixels, counts of words) are centred and divided by one number. Those
of a table, each in a unit of its own, get a robust scale each and are clipped smoothly, after
Holzmüller, Grinsztajn and Steinwart (Better by default, NeurIPS 2024, appendix on RealMLP): with
the median and the quartiles of a feature,

    z = (x - median) / (upper quartile - lower quartile),    z / sqrt(1 + (z / 3)^2).

Where the quartiles are equal, half the range takes their place; what never varies becomes 0. A
value that is missing becomes 0 too, that of a typical row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import NUMERIC, Dataset, Floats, Stored
from takeoff.metrics import Doubles

ROWS_AT_ONCE = 2**10  # read as floating-point numbers at a time: they stay in the cache
NUMBERS_AT_ONCE = 2**24  # of the training rows, held to take quartiles
CLIP = 3.0  # no clipped feature gets farther from 0 than this
FARTHEST = 1e9  # a scaled value beyond it is clipped to 3 in any case
SMALLEST, LARGEST = 1e-30, 1e30  # scales whose inverse is a number in single precision

Rows = npt.NDArray[np.int64]
Scale = np.float32 | Floats


@dataclass(frozen=True, eq=False)
class Scaling:
    """Makes (feature - center) / scale of features, smoothly clipped where that is asked.

    Attributes:
        center: [d].
        scale: One number, or one for each feature, [d]; infinite for a feature that tells nothing.
        clipped: Which features are clipped, bool [d]; None for none of them.
    """

    center: Floats
    scale: Scale
    clipped: npt.NDArray[np.bool_] | None = None

    def __call__(self, features: Floats) -> Floats:
        """Scaled features [k, d] in place of the given ones; 0 where a value is missing (NaN)."""
        # Infinite values are clipped below; infinity over infinity tells nothing, as NaN does.
        with np.errstate(over="ignore", invalid="ignore"):
            features -= self.center
            features /= self.scale
        np.copyto(features, 0, where=np.isnan(features))
        if self.clipped is not None and self.clipped.all():
            _clip(features)
        elif self.clipped is not None:
            features[:, self.clipped] = _clip(features[:, self.clipped])
        return features


def _clip(z: Floats) -> Floats:
    """z / sqrt(1 + (z / 3)^2), in place."""
    np.clip(z, -FARTHEST, FARTHEST, out=z)  # its square must be finite
    z /= np.sqrt(1 + np.square(z / np.float32(CLIP)))
    return z


def fit(data: Dataset, rows: Rows) -> Scaling:
    """The scaling of a cell with these training rows, int64 [n], as `data.scaling` asks for it."""
    return _common(data, rows) if data.scaling == "common" else _each(data, rows)


def clipped(data: Dataset) -> npt.NDArray[np.bool_] | None:
    """Which features of a data set are clipped, [d], whatever the training rows; None: none."""
    if data.scaling == "common":
        return None
    found: npt.NDArray[np.bool_] = _kinds(data) == NUMERIC
    return found


def portions(data: Dataset, stored: Stored, rows: Rows) -> Iterator[Floats]:
    """Features of some stored rows, a portion at a time: memory does not grow with their number."""
    for start in range(0, len(rows), ROWS_AT_ONCE):
        yield data.features(stored[rows[start : start + ROWS_AT_ONCE]])


def _common(data: Dataset, rows: Rows) -> Scaling:
    """One scale for all features: the root of their mean variance, 1 if nothing varies.

    It keeps what is nearly constant small; a scale for each would blow up a pixel or a word that
    hardly ever occurs in a small sample.
    """
    width = data.x_pool.shape[1]
    total, squares, known = np.zeros(width), np.zeros(width), np.full(width, len(rows))
    for features in portions(data, data.x_pool, rows):
        if data.levels is None:
            known -= np.count_nonzero(np.isnan(features), axis=0)
            np.copyto(features, 0, where=np.isnan(features))
        total += features.sum(axis=0, dtype=np.float64)
        squares += np.einsum("nd,nd->d", features, features, dtype=np.float64)
    known = np.maximum(known, 1)
    mean = total / known
    variance = float(np.maximum(squares / known - mean**2, 0.0).mean())
    scale = np.sqrt(variance) if variance > 1e-12 * float(np.mean(mean**2)) else 1.0
    return Scaling(mean.astype(np.float32), np.float32(scale))


def _each(data: Dataset, rows: Rows) -> Scaling:
    """A scale for each feature: robust for numbers; indicators are centred and stay as they are."""
    width = data.x_pool.shape[1]
    numbers = _kinds(data) == NUMERIC
    center, scale = np.zeros(width, np.float32), np.full(width, np.inf, np.float32)
    at_once = max(1, NUMBERS_AT_ONCE // len(rows))
    for start in range(0, width, at_once):
        part = slice(start, start + at_once)
        values = data.features(data.x_pool[:, part][rows]).T
        numeric = numbers[part]
        center[part][numeric], scale[part][numeric] = robust(values[numeric])
        center[part][~numeric], scale[part][~numeric] = _indicators(values[~numeric])
    return Scaling(center, scale, clipped(data))


def _kinds(data: Dataset) -> npt.NDArray[np.int8]:
    width = data.x_pool.shape[1]
    return np.full(width, NUMERIC, np.int8) if data.kinds is None else np.asarray(data.kinds)


def robust(values: Floats) -> tuple[Floats, Floats]:
    """Centre and scale of features [d, n], NaN where a value is missing; see the module.

    Returns:
        Medians [d] (0 where all values are missing), and distances of the quartiles [d], or half
        the range where that is 0; infinite where nothing varies.
    """
    ordered = np.sort(values, axis=1)  # NaN last
    known = np.count_nonzero(~np.isnan(ordered), axis=1)
    lower, median, upper = (_quantile(ordered, known, level) for level in (0.25, 0.5, 0.75))
    half_range = (_quantile(ordered, known, 1.0) - _quantile(ordered, known, 0.0)) / 2
    scale = np.where(upper > lower, upper - lower, half_range)
    scale = np.where(scale > 0, np.clip(scale, SMALLEST, LARGEST), np.inf)
    return np.nan_to_num(median).astype(np.float32), scale.astype(np.float32)


def _quantile(ordered: Floats, known: npt.NDArray[np.int_], level: float) -> Doubles:
    """Of the first `known` [d] of the ordered values [d, n], interpolated; NaN if there is none."""
    if not ordered.size:
        return np.full(len(ordered), np.nan)
    place = level * np.maximum(known - 1, 0)
    below = place.astype(np.intp)
    above = np.minimum(below + 1, np.maximum(known - 1, 0))
    features = np.arange(len(ordered))
    low, high = (ordered[features, at].astype(np.float64) for at in (below, above))
    return low + (place - below) * (high - low)


def _indicators(values: Floats) -> tuple[Floats, Floats]:
    """Means [d] of indicators [d, n], and 1, or infinity where one does not occur."""
    known = np.maximum(np.count_nonzero(~np.isnan(values), axis=1), 1)
    total = np.nansum(values, axis=1, dtype=np.float64)
    scale = np.where(total > 0, np.float32(1), np.float32(np.inf))
    return (total / known).astype(np.float32), scale.astype(np.float32)


@dataclass(frozen=True)
class Target:
    """Numbers to predict, on the scale of the training rows: (label - center) / scale."""

    center: float
    scale: float

    @classmethod
    def of(cls, labels: Doubles, weights: Doubles | None = None) -> Target:
        """With mean 0 and variance 1 on these labels [n], which must not be all equal."""
        center = float(np.average(labels, weights=weights))
        return cls(center, float(np.sqrt(np.average((labels - center) ** 2, weights=weights))))

    def standard(self, labels: Doubles) -> Doubles:
        """Labels on that scale."""
        found: Doubles = (labels - self.center) / self.scale
        return found

    def back(self, predicted: npt.NDArray[np.floating]) -> Doubles:
        """Predictions in the label's own unit."""
        found: Doubles = predicted.astype(np.float64) * self.scale + self.center
        return found
