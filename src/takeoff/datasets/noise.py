"""How much of the error is in the labels: what rows with equal features say about it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import Stored, Targets, release

PARTS = 16


def label_noise(x: Stored, y: Targets, *, is_regression: bool) -> float | None:
    """Error rate, or RMSE, of the best function of the features on these rows; None if all differ.

    Rows with equal features get one answer: their most frequent label, or the mean of their
    labels. What that gets wrong, over all rows, no function of the features gets right. The answer
    was chosen for these rows, so on average this is below what can be reached on others.
    """
    keys = _row_hashes(x)
    repeated, missed = False, 0.0
    # A part of the rows at a time: sorting all of them takes several times their memory.
    for part in range(PARTS):
        rows = np.flatnonzero(keys % np.uint64(PARTS) == part)
        _, group, sizes = np.unique(keys[rows], return_inverse=True, return_counts=True)
        again = sizes[group] > 1
        repeated |= bool(again.any())
        missed += _missed(group[again], y[rows][again], is_regression)
    if not repeated:
        return None
    return float(np.sqrt(missed / len(y)) if is_regression else missed / len(y))


def _missed(group: npt.NDArray[np.int64], y: Targets, is_regression: bool) -> float:
    """Squares that the means of groups leave, or labels that are not their group's commonest."""
    if len(y) == 0:
        return 0.0
    _, group, sizes = np.unique(group, return_inverse=True, return_counts=True)
    if is_regression:
        mean = np.bincount(group, y) / sizes
        return float(np.sum((y - mean[group]) ** 2))
    n_classes = int(y.max()) + 1
    pairs, counts = np.unique(group * n_classes + y, return_counts=True)
    most = np.zeros(len(sizes), dtype=np.int64)
    np.maximum.at(most, pairs // n_classes, counts)
    return float(len(y) - most.sum())


def _row_hashes(x: Stored) -> npt.NDArray[np.uint64]:
    """64 bits of each row: equal for equal rows (NaN equals NaN), otherwise as good as never."""
    random = np.random.default_rng(0)
    first, second = random.integers(1, 2**63, (2, x.shape[1]), dtype=np.uint64) | np.uint64(1)
    found = np.empty(len(x), dtype=np.uint64)
    step = max(2**20 // x.shape[1], 1)
    for start in range(0, len(x), step):
        part = np.ascontiguousarray(x[start : start + step])
        # Adding zero makes -0.0 and 0.0 the same bits.
        bits = part if part.dtype == np.uint8 else (part + np.float32(0)).view(np.uint32)
        mixed = (bits.astype(np.uint64) + np.uint64(1)) * first
        mixed ^= mixed >> np.uint64(31)
        found[start : start + step] = (mixed * second).sum(axis=1, dtype=np.uint64)
        release(x)
    return found
