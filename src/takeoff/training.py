"""One learning curve: every cell (m, repeat) of one learner on one data set.

What is the same for all learners is decided here, so that no learner can be favoured: which rows a
cell gets, what is held out for validation, how features are scaled, which of the tried
hyper-parameter settings is taken, and how the test error is measured. A learner (see
`takeoff.learners`) only fits.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import Dataset
from takeoff.errors import TakeoffError
from takeoff.files import canonical_json
from takeoff.store import CellStore

if TYPE_CHECKING:
    import pandas as pd

    from takeoff.progress import Progress

Floats = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Rows = npt.NDArray[np.int64]

# A probability of zero for what then happens would make the mean log-loss infinite.
SMALLEST_PROBABILITY = 1e-7

ROWS_AT_ONCE = 2**14  # read as floating-point numbers at a time


@dataclass(frozen=True)
class Cell:
    """The data of one cell, scaled; the test set is not in it.

    Attributes:
        x_train, x_validation: float32 [n, d] and [v, d].
        y_train, y_validation: int64 [n] and [v].
        n_classes: Number of classes of the data set; some may be missing in `y_train`.
        seed: Seed for whatever is random in the fit.
    """

    x_train: Floats
    y_train: Labels
    x_validation: Floats
    y_validation: Labels
    n_classes: int
    seed: int


@dataclass(frozen=True)
class Candidate:
    """One fitted hyper-parameter setting.

    Attributes:
        settings: The hyper-parameters that were tried.
        validation: Class probabilities of the validation rows, [v, n_classes].
        predict: float32 [k, d] -> class probabilities [k, n_classes].
        n_params: Numbers that the fitted model stores.
        steps: Iterations of the optimiser, or trees.
        device: Where it was fitted.
    """

    settings: dict[str, float]
    validation: Probabilities
    predict: Callable[[Floats], Probabilities]
    n_params: int
    steps: int
    device: str = "cpu"


def train_curve(
    settings: dict[str, Any],
    data: Dataset,
    learner: ModuleType,
    store: CellStore,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Train, or take from the store, every cell of one learning curve.

    Args:
        settings: `Study.curve_settings`, with `code` (fingerprint) and `versions` added.
        data: The data set.
        learner: A module of `takeoff.learners`.
        store: Where finished cells are kept.
        progress: Told of each finished cell.

    Returns:
        A row per cell, ordered by m and repeat.

    Raises:
        TakeoffError: A cell can't be trained (a single class in its training rows).
    """
    import pandas as pd

    ledger = Ledger(settings, data, store, progress)
    missing = [key for key in _keys(settings) if key not in ledger.rows]
    samples = [_sample(settings, data, *key) for key in missing]
    ledger.start()
    if samples and hasattr(learner, "fit_together"):
        learner.fit_together(samples, settings["fit"], settings["training"], ledger)
    else:
        for sample in samples:
            _fit_alone(sample, settings, learner, ledger)
    print(
        f"{settings['dataset']} {settings['learner']}: {len(samples)} cells trained, "
        f"{len(ledger.rows) - len(samples)} were stored",
        file=sys.stderr,
    )
    return pd.DataFrame([ledger.rows[m, r] for m, r in _keys(settings)])


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows of one cell, and how its features are scaled.

    Attributes:
        data: The data set.
        m: Labelled examples.
        repeat: Which of the repeats.
        train: Rows of the pool to learn from, int64 [n].
        validation: Rows of the pool to choose by, int64 [v]; n + v = m.
        seed: Seed for whatever is random in the fit.
    """

    data: Dataset
    m: int
    repeat: int
    train: Rows
    validation: Rows
    seed: int

    @cached_property
    def scaling(self) -> tuple[Floats, np.float32]:
        """Centre [d] and common scale of the features, from the training rows."""
        return scaling(self.data, self.train)

    def scaled(self, stored: Bytes) -> Floats:
        """Stored examples [k, d] as the numbers that a learner gets, [k, d]."""
        center, scale = self.scaling
        found = self.data.features(stored)
        found -= center
        found /= scale
        return found

    def cell(self) -> Cell:
        """The cell's data in memory, for learners that take one cell at a time."""
        x, y = self.data.x_pool, self.data.y_pool
        return Cell(
            x_train=self.scaled(x[self.train]),
            y_train=y[self.train],
            x_validation=self.scaled(x[self.validation]),
            y_validation=y[self.validation],
            n_classes=len(self.data.classes),
            seed=self.seed,
        )


class Ledger:
    """The rows of a curve's cells: those that were stored, and each new one as it is finished."""

    def __init__(
        self,
        settings: dict[str, Any],
        data: Dataset,
        store: CellStore,
        progress: Progress | None = None,
    ):
        self._settings, self._data, self._store = settings, data, store
        self._progress = progress
        self._work_per_step: float | None = None
        self.rows: dict[tuple[int, int], dict[str, Any]] = {}
        for m, repeat in _keys(settings):
            row = store.get(cell_meaning(settings, data.digest, m, repeat))
            if row is not None:
                self.rows[m, repeat] = row

    @property
    def checkpoint(self) -> Path:
        """Where a batch that was stopped in the middle is kept: one file a curve."""
        return self._store.unfinished(curve_meaning(self._settings, self._data.digest))

    def start(self) -> None:
        """Report the cells that are there already."""
        if self._progress is not None:
            self._progress.stored(len(self.rows), work=float(sum(m for m, _ in self.rows)))

    def plan(self, steps: int) -> None:
        """Let the time left be told from steps, of which all missing cells need at most so many."""
        missing = sum(m for m, repeat in _keys(self._settings) if (m, repeat) not in self.rows)
        self._work_per_step = missing / steps

    def steps(self, n: int) -> None:
        """Report steps of an optimiser."""
        if self._progress is not None:
            self._progress.steps(n)
            self._progress.advance(cells=0, work=n * (self._work_per_step or 0.0))

    def finish(self, sample: Sample, best: Candidate, seconds: float) -> None:
        """Test what was fitted, and store the cell at once.

        Args:
            sample: The cell.
            best: The setting that was chosen for it.
            seconds: Time of the whole grid: tuning is part of what a learner costs.
        """
        started = time.perf_counter()
        row = _tested(self._settings, sample, best)
        row["seconds"] = round(seconds + time.perf_counter() - started, 4)
        meaning = cell_meaning(self._settings, self._data.digest, sample.m, sample.repeat)
        self._store.put(meaning, row)
        self.rows[sample.m, sample.repeat] = row
        if self._progress is not None:
            self._progress.advance(work=0.0 if self._work_per_step else float(sample.m))


def cell_meaning(settings: dict[str, Any], digest: str, m: int, repeat: int) -> dict[str, Any]:
    """Everything that the result of one cell depends on; the other cells of the curve are not."""
    return {**curve_meaning(settings, digest), "m": m, "repeat": repeat}


def curve_meaning(settings: dict[str, Any], digest: str) -> dict[str, Any]:
    """Everything that all cells of a curve depend on alike."""
    own = {key: value for key, value in settings.items() if key not in ("m", "repeats")}
    return {**own, "data": digest}


def _keys(settings: dict[str, Any]) -> list[tuple[int, int]]:
    return [(m, repeat) for m in settings["m"] for repeat in range(settings["repeats"])]


def _sample(settings: dict[str, Any], data: Dataset, m: int, repeat: int) -> Sample:
    train, validation = split(subset(data, settings["seed"], m, repeat), settings["training"])
    _needs_two_classes(data, train, m, repeat)
    seed = seed_of(settings["seed"], data.name, settings["learner"], m, repeat)
    return Sample(data, m, repeat, train, validation, seed)


def _fit_alone(
    sample: Sample, settings: dict[str, Any], learner: ModuleType, ledger: Ledger
) -> None:
    """Fit the grid of one cell and take the setting with the lowest validation log-loss."""
    started = time.perf_counter()
    cell = sample.cell()
    best = choose(learner.candidates(cell, settings["fit"], settings["training"]), cell)
    ledger.finish(sample, best, time.perf_counter() - started)


def _tested(settings: dict[str, Any], sample: Sample, best: Candidate) -> dict[str, Any]:
    data = sample.data
    n_classes = len(data.classes)
    truth = one_hot(data.y_pool[sample.validation], n_classes)
    test = best.predict(sample.scaled(data.x_test))
    target = data.posterior_test
    if target is None:
        target = one_hot(data.y_test, n_classes)
    return {
        "dataset": data.name,
        "learner": settings["learner"],
        "m": sample.m,
        "repeat": sample.repeat,
        "n_train": len(sample.train),
        "n_validation": len(sample.validation),
        "test_error": expected_error(test, target),
        "log_loss": expected_log_loss(test, target),
        "validation_error": expected_error(best.validation, truth),
        "validation_log_loss": expected_log_loss(best.validation, truth),
        "settings": canonical_json(best.settings),
        "n_params": best.n_params,
        "steps": best.steps,
        "seconds": 0.0,
        "device": best.device,
        "versions": canonical_json(settings["versions"]),
    }


def subset(data: Dataset, seed: int, m: int, repeat: int) -> Rows:
    """The rows of the pool that are labelled: the first m of the repeat's own permutation.

    The permutation depends on the study's seed, the data set and the repeat alone. So a smaller m
    is nested in a larger one, and every learner gets the same rows.
    """
    order = np.random.default_rng(seed_of(seed, data.name, repeat)).permutation(len(data.y_pool))
    return order[:m]


def split(rows: Rows, training: dict[str, Any]) -> tuple[Rows, Rows]:
    """Take the validation rows out of the labelled ones, evenly along their order.

    Row i is held out when floor((i + 1) f) > floor(i f) for the validation fraction f, so that
    the parts are nested in m as well.
    """
    fraction = training["validation_fraction"]
    marks = np.floor(np.arange(len(rows) + 1) * fraction + 1e-9)
    held_out = np.diff(marks) > 0
    return rows[~held_out], rows[held_out]


def scaling(data: Dataset, rows: Rows) -> tuple[Floats, np.float32]:
    """Centre of each feature and one common scale, both from the training rows.

    One scale for all features keeps what is nearly constant small; a scale for each would blow
    up a pixel or a word that hardly ever occurs in a small sample. Rows are read in portions: the
    memory does not grow with their number.

    Returns:
        Centre [d], and the root of the features' mean variance (1 if nothing varies).
    """
    total, squares = np.zeros(data.x_pool.shape[1]), np.zeros(data.x_pool.shape[1])
    for start in range(0, len(rows), ROWS_AT_ONCE):
        features = data.features(data.x_pool[rows[start : start + ROWS_AT_ONCE]])
        total += features.sum(axis=0, dtype=np.float64)
        squares += np.einsum("nd,nd->d", features, features, dtype=np.float64)
    mean = total / len(rows)
    variance = float(np.maximum(squares / len(rows) - mean**2, 0.0).mean())
    scale = np.sqrt(variance) if variance > 1e-12 * float(np.mean(mean**2)) else 1.0
    return mean.astype(np.float32), np.float32(scale)


def choose(candidates: Iterator[Candidate], cell: Cell) -> Candidate:
    """The candidate with the lowest log-loss on the validation rows; the first of equal ones."""
    truth = one_hot(cell.y_validation, cell.n_classes)
    return min(candidates, key=lambda tried: expected_log_loss(tried.validation, truth))


def expected_error(probabilities: Probabilities, target: Probabilities) -> float:
    """Mean probability that the most likely class is wrong, under the target distribution.

    Args:
        probabilities: Predicted, [t, C]; the first of equally likely classes is taken.
        target: P(class | x), [t, C]: the known posterior, or 0 and 1 for observed labels (then
            this is the error rate).
    """
    decided = probabilities.argmax(axis=1)
    return float(np.mean(1.0 - target[np.arange(len(target)), decided]))


def expected_log_loss(probabilities: Probabilities, target: Probabilities) -> float:
    """Mean of -sum target log(probability), in nats; probabilities are clipped at 1e-7."""
    clipped = np.clip(probabilities, SMALLEST_PROBABILITY, 1.0)
    return float(-np.mean(np.sum(target * np.log(clipped), axis=1)))


def one_hot(labels: Labels, n_classes: int) -> Probabilities:
    """Labels [n] as distributions [n, n_classes] that put everything on the label."""
    return np.eye(n_classes)[labels]


def spread_classes(
    probabilities: npt.NDArray[Any], present: npt.NDArray[Any], n_classes: int
) -> Probabilities:
    """Columns of the classes seen in training -> columns of all classes, zero for the others."""
    spread = np.zeros((len(probabilities), n_classes))
    spread[:, present] = probabilities
    return spread


def seed_of(*identity: str | int) -> int:
    """A 63-bit seed from what something is, never from when or where it happens to run."""
    digest = hashlib.sha256(canonical_json(identity).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def _needs_two_classes(data: Dataset, train: Rows, m: int, repeat: int) -> None:
    present = np.unique(data.y_pool[train])
    if len(present) < 2:
        raise TakeoffError(
            f"m = {m} gives the training part of repeat {repeat} a single class "
            f"('{data.classes[present[0]]}'), from which nothing can be learned",
            where=f"config: datasets.{data.name}.m",
            remedy=f"drop m = {m} from the grid, or start it higher",
        )
