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

Floats = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

# A probability of zero for what then happens would make the mean log-loss infinite.
SMALLEST_PROBABILITY = 1e-7


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
    settings: dict[str, Any], data: Dataset, learner: ModuleType, store: CellStore
) -> pd.DataFrame:
    """Train, or take from the store, every cell of one learning curve.

    Args:
        settings: `Study.curve_settings`, with `code` (fingerprint) and `versions` added.
        data: The data set.
        learner: A module of `takeoff.learners`.
        store: Where finished cells are kept.

    Returns:
        A row per cell, ordered by m and repeat.

    Raises:
        TakeoffError: A cell can't be trained (a single class in its training rows).
    """
    import pandas as pd

    rows = []
    for m in settings["m"]:
        cells = [_cell(settings, data, learner, store, m, r) for r in range(settings["repeats"])]
        rows += [row for row, _ in cells]
        _report(settings, m, cells)
    return pd.DataFrame(rows)


def _cell(
    settings: dict[str, Any],
    data: Dataset,
    learner: ModuleType,
    store: CellStore,
    m: int,
    repeat: int,
) -> tuple[dict[str, Any], bool]:
    """The row of one cell, and whether it was already in the store."""
    meaning = cell_meaning(settings, data.digest, m, repeat)
    stored = store.get(meaning)
    if stored is not None:
        return stored, True
    row = train_cell(settings, data, learner, m, repeat)
    store.put(meaning, row)
    return row, False


def cell_meaning(settings: dict[str, Any], digest: str, m: int, repeat: int) -> dict[str, Any]:
    """Everything that the result of one cell depends on; the other cells of the curve are not."""
    own = {key: value for key, value in settings.items() if key not in ("m", "repeats")}
    return {**own, "data": digest, "m": m, "repeat": repeat}


def train_cell(
    settings: dict[str, Any], data: Dataset, learner: ModuleType, m: int, repeat: int
) -> dict[str, Any]:
    """Fit the grid of one cell, take the setting with the lowest validation log-loss, test it.

    Seconds cover the whole grid: tuning is part of what a learner costs.
    """
    started = time.perf_counter()
    train, validation = split(subset(data, settings["seed"], m, repeat), settings["training"])
    _needs_two_classes(data, train, m, repeat)
    center, scale = scaling(data.features(data.x_pool[train]))
    cell = Cell(
        x_train=(data.features(data.x_pool[train]) - center) / scale,
        y_train=data.y_pool[train],
        x_validation=(data.features(data.x_pool[validation]) - center) / scale,
        y_validation=data.y_pool[validation],
        n_classes=len(data.classes),
        seed=seed_of(settings["seed"], data.name, settings["learner"], m, repeat),
    )
    best = choose(learner.candidates(cell, settings["fit"], settings["training"]), cell)
    test = best.predict((data.features(data.x_test) - center) / scale)
    truth = one_hot(cell.y_validation, cell.n_classes)
    target = data.posterior_test
    if target is None:
        target = one_hot(data.y_test, cell.n_classes)
    return {
        "dataset": data.name,
        "learner": settings["learner"],
        "m": m,
        "repeat": repeat,
        "n_train": len(train),
        "n_validation": len(validation),
        "test_error": expected_error(test, target),
        "log_loss": expected_log_loss(test, target),
        "validation_error": expected_error(best.validation, truth),
        "validation_log_loss": expected_log_loss(best.validation, truth),
        "settings": canonical_json(best.settings),
        "n_params": best.n_params,
        "steps": best.steps,
        "seconds": round(time.perf_counter() - started, 4),
        "device": best.device,
        "versions": canonical_json(settings["versions"]),
    }


def subset(data: Dataset, seed: int, m: int, repeat: int) -> npt.NDArray[np.intp]:
    """The rows of the pool that are labelled: the first m of the repeat's own permutation.

    The permutation depends on the study's seed, the data set and the repeat alone. So a smaller m
    is nested in a larger one, and every learner gets the same rows.
    """
    order = np.random.default_rng(seed_of(seed, data.name, repeat)).permutation(len(data.y_pool))
    return order[:m]


def split(
    rows: npt.NDArray[np.intp], training: dict[str, Any]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Take the validation rows out of the labelled ones, evenly along their order.

    Row i is held out when floor((i + 1) f) > floor(i f) for the validation fraction f, so that
    the parts are nested in m as well.
    """
    fraction = training["validation_fraction"]
    marks = np.floor(np.arange(len(rows) + 1) * fraction + 1e-9)
    held_out = np.diff(marks) > 0
    return rows[~held_out], rows[held_out]


def scaling(features: Floats) -> tuple[Floats, np.float32]:
    """Centre of each feature and one common scale, both from the training rows.

    One scale for all features keeps what is nearly constant small; a scale for each would blow
    up a pixel or a word that hardly ever occurs in a small sample.
    """
    center = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = np.sqrt(np.mean((features - center) ** 2, dtype=np.float64))
    return center, np.float32(spread if spread > 0 else 1.0)


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


def _needs_two_classes(data: Dataset, train: npt.NDArray[np.intp], m: int, repeat: int) -> None:
    present = np.unique(data.y_pool[train])
    if len(present) < 2:
        raise TakeoffError(
            f"m = {m} gives the training part of repeat {repeat} a single class "
            f"('{data.classes[present[0]]}'), from which nothing can be learned",
            where=f"config: datasets.{data.name}.m",
            remedy=f"drop m = {m} from the grid, or start it higher",
        )


def _report(settings: dict[str, Any], m: int, cells: list[tuple[dict[str, Any], bool]]) -> None:
    """A line of progress on stderr for all repeats at one m."""
    errors = [row["test_error"] for row, _ in cells]
    fresh = [row["seconds"] for row, stored in cells if not stored]
    done = settings["m"].index(m) + 1
    print(
        f"{settings['dataset']} {settings['learner']} [{done}/{len(settings['m'])}]  m = {m:,}: "
        f"test error {np.mean(errors):.4f}, {len(cells)} repeats, "
        f"{sum(fresh):.1f} s" + ("" if len(fresh) == len(cells) else " (the rest was stored)"),
        file=sys.stderr,
        flush=True,
    )
