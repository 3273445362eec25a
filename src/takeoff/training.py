"""One learning curve: every cell (m, repeat) of one learner on one data set.

What is the same for all learners is decided here, so that no learner can be favoured: which rows a
cell gets, what is held out for validation, how features are scaled, which of the tried
hyper-parameter settings is taken, and how the test error is measured. A learner (see
`takeoff.learners`) only fits.
"""

from __future__ import annotations

import hashlib
import math
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

from takeoff import scaling
from takeoff.datasets.base import Dataset, Floats, Labels, Probabilities, Stored, Targets
from takeoff.errors import TakeoffError
from takeoff.files import canonical_json
from takeoff.metrics import (
    MEASURES,
    NAMES,
    Doubles,
    Truth,
    log_loss,
    one_hot,
    rmse,
    scores,
    standard_error,
)
from takeoff.scaling import Rows, Scaling, Target
from takeoff.store import CellStore

if TYPE_CHECKING:
    from takeoff.progress import Progress

PREDICTED_AT_ONCE = 2**11  # rows, as numbers
Predictions = Doubles  # class probabilities [k, C], or in regression numbers [k]


@dataclass(frozen=True, eq=False)
class Cell:
    """The data of one cell, scaled; the test set is not in it.

    Attributes:
        x_train, x_validation: float32 [n, d] and [v, d].
        y_train, y_validation: [n] and [v]; int64 classes, or float64 numbers in regression.
        n_classes: Number of classes of the data set; some may be missing in `y_train`. 0 in
            regression.
        seed: Seed for whatever is random in the fit.
        weights_train: How much each training row counts, [n], 1 on average; None: all the same.
        weights_validation: How much each validation row counts, [v]; None: all the same.
    """

    x_train: Floats
    y_train: Targets
    x_validation: Floats
    y_validation: Targets
    n_classes: int
    seed: int
    weights_train: Doubles | None = None
    weights_validation: Doubles | None = None

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers."""
        return self.n_classes == 0

    @property
    def truth(self) -> Truth:
        """What predictions of the validation rows are held against."""
        return truth_of(self.y_validation, self.n_classes, self.weights_validation)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One fitted hyper-parameter setting.

    Attributes:
        settings: The hyper-parameters that were tried.
        validation: Predictions for the validation rows: class probabilities [v, C], or in
            regression numbers in the label's unit [v].
        predict: float32 [k, d] -> the same for other rows, [k, C] or [k].
        n_params: Numbers that the fitted model stores.
        steps: Iterations of the optimiser, or trees.
        device: Where it was fitted.
    """

    settings: dict[str, float]
    validation: Predictions
    predict: Callable[[Floats], Predictions]
    n_params: int
    steps: int
    device: str = "cpu"


def train_curve(
    settings: dict[str, Any],
    data: Dataset,
    learner: ModuleType,
    store: CellStore,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
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
        TakeoffError: A cell can't be trained (a single class in its training rows), or the learner
            does not take what the data set has.
    """
    ledger = Ledger(settings, data, store, progress)
    missing = [key for key in _keys(settings) if key not in ledger.rows]
    samples = _samples(settings, data, missing)
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
    return [ledger.rows[key] for key in _keys(settings)]


@dataclass(frozen=True, eq=False)
class Sample:
    """The rows of one cell, and how its features are scaled.

    Attributes:
        data: The data set, as the learner sees it: raw or hand-made features.
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
    def scaling(self) -> Scaling:
        """How features are scaled, from the training rows."""
        return scaling.fit(self.data, self.train)

    def scaled(self, stored: Stored) -> Floats:
        """Stored examples [k, d] as the numbers that a learner gets, [k, d]."""
        return self.scaling(self.data.features(stored))

    def predicted(self, predict: Callable[[Floats], Predictions], stored: Stored) -> Predictions:
        """What is predicted for stored examples [k, d], which are scaled a portion at a time."""
        starts = range(0, len(stored), PREDICTED_AT_ONCE)
        parts = [
            predict(self.scaled(stored[start : start + PREDICTED_AT_ONCE])) for start in starts
        ]
        return np.concatenate(parts)

    @property
    def weights_train(self) -> Doubles | None:
        """How much each training row counts, [n], 1 on average; None: all the same."""
        weights = self.data.weights_pool
        return None if weights is None else weights[self.train] / weights[self.train].mean()

    @cached_property
    def target(self) -> Target | None:
        """The scale of the numbers to predict, from the training rows; None of classes."""
        if not self.data.is_regression:
            return None
        return Target.of(self.data.y_pool[self.train], self.weights_train)

    @property
    def truth(self) -> Truth:
        """What predictions of the validation rows are held against."""
        weights = self.data.weights_pool
        return truth_of(
            self.data.y_pool[self.validation],
            len(self.data.classes),
            None if weights is None else weights[self.validation],
        )

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
            weights_train=self.weights_train,
            weights_validation=self.truth.weights,
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


def _samples(settings: dict[str, Any], data: Dataset, keys: list[tuple[int, int]]) -> list[Sample]:
    """The cells (m, repeat), on the features that the learner asks for."""
    seen = data.hand_made() if settings["fit"].get("features") == "hand_made" else data
    largest = {repeat: max(m for m, other in keys if other == repeat) for _, repeat in keys}
    orders = {repeat: subset(data, settings["seed"], m, repeat) for repeat, m in largest.items()}
    return [_sample(settings, seen, m, repeat, orders[repeat][:m]) for m, repeat in keys]


def _sample(settings: dict[str, Any], data: Dataset, m: int, repeat: int, rows: Rows) -> Sample:
    groups = None if data.groups_pool is None else data.groups_pool[rows]
    _can_be_split(data, groups, m, repeat)
    train, validation = split(rows, settings["training"], groups, data.time_ordered)
    _can_be_learned(data, train, validation, m, repeat)
    seed = seed_of(settings["seed"], data.name, settings["learner"], m, repeat)
    return Sample(data, m, repeat, train, validation, seed)


def _fit_alone(
    sample: Sample, settings: dict[str, Any], learner: ModuleType, ledger: Ledger
) -> None:
    """Fit the grid of one cell and take the setting that is best on its validation rows."""
    started = time.perf_counter()
    cell = sample.cell()
    best = choose(learner.candidates(cell, settings["fit"], settings["training"]), cell)
    ledger.finish(sample, best, time.perf_counter() - started)


def _tested(settings: dict[str, Any], sample: Sample, best: Candidate) -> dict[str, Any]:
    data = sample.data
    test = sample.predicted(best.predict, data.x_test)
    measure = MEASURES[data.metric]
    measured = scores(test, data.truth)
    return {
        "dataset": data.name,
        "learner": settings["learner"],
        "m": sample.m,
        "repeat": sample.repeat,
        "n_train": len(sample.train),
        "n_validation": len(sample.validation),
        "test_error": measure(test, data.truth),
        "test_se": _number(standard_error(data.metric, test, data.truth)),
        **{name: _number(measured.get(name)) for name in NAMES},
        "validation_error": measure(best.validation, sample.truth),
        "validation_loss": tuning_loss(best.validation, sample.truth),
        "settings": canonical_json(best.settings),
        "n_params": best.n_params,
        "steps": best.steps,
        "seconds": 0.0,
        "device": best.device,
        "versions": canonical_json(settings["versions"]),
    }


def _number(value: float | None) -> float | None:
    """None for what does not apply or is not a number, which JSON can't hold."""
    return None if value is None or math.isnan(value) else value


def subset(data: Dataset, seed: int, m: int, repeat: int) -> Rows:
    """The rows of the pool that are labelled: the first m of the repeat's own permutation.

    The permutation depends on the study's seed, the data set and the repeat alone. So a smaller m
    is nested in a larger one, and every learner gets the same rows. Where examples come in groups,
    these are permuted, and the rows within each: all but the last group are whole.
    """
    random = np.random.default_rng(seed_of(seed, data.name, repeat))
    order = random.permutation(len(data.y_pool))
    if data.groups_pool is None:
        return order[:m].copy()  # not a view, which would keep the whole permutation
    _, group, sizes = np.unique(data.groups_pool, return_inverse=True, return_counts=True)
    by_place = random.permutation(len(sizes))
    place = np.argsort(by_place)[group]
    needed = 1 + np.searchsorted(np.cumsum(sizes[by_place]), m)
    order = order[place[order] < needed]
    return order[np.argsort(place[order], kind="stable")][:m].copy()


def split(
    rows: Rows,
    training: dict[str, Any],
    groups: Labels | None = None,
    time_ordered: bool = False,
) -> tuple[Rows, Rows]:
    """Take the validation rows out of the labelled ones.

    Without groups, row i is held out when floor((i + 1) f) > floor(i f) for the validation
    fraction f, so that the parts are nested in m; in order of time, the latest as many rows are.
    For groups see `_held_out_groups`.

    Args:
        rows: The labelled rows, [m].
        training: The study's training settings.
        groups: Of each of these rows, [m]: two groups or more.
        time_ordered: Whether a larger row number is a later time.
    """
    fraction = training["validation_fraction"]
    if groups is not None:
        held_out = _held_out_groups(groups, fraction, rows if time_ordered else None)
    else:
        marks = np.floor(np.arange(len(rows) + 1) * fraction + 1e-9)
        held_out = np.diff(marks) > 0
        if time_ordered:
            latest = np.argsort(rows)[len(rows) - np.count_nonzero(held_out) :]
            held_out = np.isin(np.arange(len(rows)), latest)
    return rows[~held_out], rows[held_out]


def _held_out_groups(groups: Labels, fraction: float, times: Rows | None) -> npt.NDArray[np.bool_]:
    """Which rows are held out, [m], so that no group is in both parts.

    One group after the other, in the order of the rows, goes where the share of the held-out rows
    gets closest to the fraction: what is decided of a group does not depend on later ones. In order
    of time, the groups whose last row is latest are taken first, up to that share.
    """
    names, first, group = np.unique(groups, return_index=True, return_inverse=True)
    sizes = np.bincount(group)
    if times is None:
        out = _spread(sizes[np.argsort(first)], fraction)[np.argsort(np.argsort(first))]
    else:
        last = np.full(len(names), -1)
        np.maximum.at(last, group, times)
        by_time = np.argsort(-last)
        reached = np.abs(np.cumsum(sizes[by_time]) - fraction * len(groups))
        out = np.isin(np.arange(len(names)), by_time[: 1 + reached[:-1].argmin()])
    found: npt.NDArray[np.bool_] = out[group]
    return found


def _spread(sizes: Labels, fraction: float) -> npt.NDArray[np.bool_]:
    """Which of the groups are held out, given their sizes; never all, nor none."""
    out = np.zeros(len(sizes), dtype=bool)
    held, seen = 0, 0
    for i, size in enumerate(sizes.tolist()):
        seen += size
        out[i] = held + size / 2 < fraction * seen
        held += size * int(out[i])
    if out.all() or not out.any():
        share = np.abs(sizes / seen - (fraction if not out.any() else 1 - fraction))
        out[share.argmin()] ^= True
    return out


def choose(candidates: Iterator[Candidate], cell: Cell) -> Candidate:
    """The candidate that is best on the validation rows; the first of equal ones."""
    truth = cell.truth
    return min(candidates, key=lambda tried: tuning_loss(tried.validation, truth))


def tuning_loss(predicted: Predictions, truth: Truth) -> float:
    """What every choice is made by: the log-loss, or in regression the RMSE."""
    return (log_loss if truth.target is not None else rmse)(predicted, truth)


def truth_of(labels: Targets, n_classes: int, weights: Doubles | None = None) -> Truth:
    """What predictions are held against where labels [v] were observed; 0 classes: numbers."""
    if n_classes == 0:
        return Truth(values=labels, weights=weights)
    return Truth(target=one_hot(labels, n_classes), weights=weights)


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


def _can_be_split(data: Dataset, groups: Labels | None, m: int, repeat: int) -> None:
    if groups is not None and (groups == groups[0]).all():
        raise TakeoffError(
            f"the m = {m} rows of repeat {repeat} are of a single group, so that none can be held "
            "out to choose by",
            where=f"config: datasets.{data.name}.m",
            remedy=f"drop m = {m} from the grid, or start it higher",
        )


def _can_be_learned(data: Dataset, train: Rows, validation: Rows, m: int, repeat: int) -> None:
    problem = _problem_of(data, train, validation)
    if problem:
        raise TakeoffError(
            f"m = {m} gives {problem[0]} of repeat {repeat} {problem[1]}",
            where=f"config: datasets.{data.name}.m",
            remedy=f"drop m = {m} from the grid, or start it higher",
        )


def _problem_of(data: Dataset, train: Rows, validation: Rows) -> tuple[str, str] | None:
    if len(validation) == 0:
        return "the validation part", "no row, by which nothing can be chosen"
    labels = data.y_pool[train]
    if (labels != labels[0]).any():
        return None
    if data.is_regression:
        return "the training part", "labels that are all equal, from which nothing can be learned"
    only = data.classes[labels[0]]
    return "the training part", f"a single class ('{only}'), from which nothing can be learned"
