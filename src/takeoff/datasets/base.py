"""A data set as every learner gets it: examples, labels, and the sheet that describes them.

Examples are stored in one of two ways. As one byte per feature (a grey value, a word count), and
`levels` says which number each byte stands for: that keeps a file of 70,000 images at 55 MB, and
the conversion to floating point in one place. Or as single-precision numbers, NaN where a value is
missing.

Labels are classes (whole numbers from 0) or, in regression, numbers.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from takeoff.errors import TakeoffError
from takeoff.files import canonical_json, replacing
from takeoff.metrics import MEASURES, Doubles, Metric, Truth, one_hot, scores

Bytes: TypeAlias = npt.NDArray[np.uint8]
Labels: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float32]
Stored: TypeAlias = npt.NDArray[Any]  # uint8 or float32
Targets: TypeAlias = npt.NDArray[Any]  # int64 classes or float64 numbers
Probabilities: TypeAlias = Doubles

ABOUT = "about.json"
PLAIN = (
    *("name", "title", "description", "task", "source", "licence", "citation", "generated"),
    *("metric", "unit", "scaling", "noise_sd", "floor_is_bound", "time_ordered", "left_out"),
    "label_noise",
)
ARRAYS = (
    *("x_pool", "y_pool", "x_test", "y_test", "levels", "posterior_test", "mean_test"),
    *("hand_pool", "hand_test", "kinds", "weights_pool", "weights_test", "groups_pool"),
)
NUMERIC, INDICATOR = 0, 1
PORTION = 2**24  # bytes that are hashed or written at a time
LOOKED_UP_AT_ONCE = 2**10  # rows
# The oldest date a zip archive can hold. A fixed one makes equal data sets equal files.
NO_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples in two parts: a pool to draw training subsets from, and a test set.

    Attributes:
        name: What the config calls it.
        title: Name for a reader.
        description: One sentence for the paper, without numbers: those are in the sheet.
        task: What has to be told from an example, as "which garment is on the picture".
        source: Who made it, or where it comes from.
        licence: Under which terms it may be used.
        citation: Key of its entry in the bibliography; empty if there is none.
        generated: Whether the examples were drawn from a known distribution.
        classes: Names of the classes; label k is `classes[k]`. Empty in regression.
        x_pool: Stored examples of the pool, uint8 or float32 [n, d].
        y_pool: Their labels: int64 classes or float64 numbers, [n].
        x_test: Stored examples of the test set, [t, d].
        y_test: Their labels, [t].
        levels: The number that each stored byte stands for, [256]; None if numbers are stored.
        posterior_test: The exact P(class | example) of the test set, [t, C]; None if unknown.
        mean_test: In regression, the exact expected label of the test set, [t]; None if unknown.
        noise_sd: Standard deviation of the label around `mean_test`.
        floor_is_bound: Whether what is known is more than an example tells, so that the error of
            the best possible decision is a lower bound only.
        metric: What the data set's learning curves are drawn of.
        unit: Of the labels in regression, for a reader ("m"); may be empty.
        scaling: "common": one scale for all features, which keeps what is nearly constant small.
            "each": a robust scale for every numeric feature, for tables of unlike columns.
        kinds: int8 [d], `NUMERIC` or `INDICATOR` (0 or 1) of each feature; None: all numeric.
        hand_pool, hand_test: Hand-made features of the same examples, float32 [n, k] and [t, k];
            None if there are none.
        weights_pool, weights_test: How much each example counts, [n] and [t]; None: all the same.
        groups_pool: Number of the group that each example of the pool belongs to, int64 [n]. No
            group is both trained on and validated with. None: every example is its own.
        time_ordered: Whether the pool is in order of time; then the latest of the labelled
            examples are the validation rows.
        left_out: How many rows of a table were left out, by the reason for it.
        label_noise: Error rate (RMSE in regression) in the pool of the best function that sees
            only the features, as far as repeated rows with unlike labels tell: on average a lower
            bound of what can be reached. None if no row is repeated.

    Raises:
        TakeoffError: The arrays don't belong together.
    """

    name: str
    title: str
    description: str
    task: str
    source: str
    licence: str
    citation: str
    generated: bool
    classes: tuple[str, ...]
    x_pool: Stored
    y_pool: Targets
    x_test: Stored
    y_test: Targets
    levels: Floats | None = None
    posterior_test: Probabilities | None = None
    mean_test: Doubles | None = None
    noise_sd: float = 0.0
    floor_is_bound: bool = False
    metric: Metric = "error_rate"
    unit: str = ""
    scaling: Literal["common", "each"] = "common"
    kinds: npt.NDArray[np.int8] | None = None
    hand_pool: Floats | None = None
    hand_test: Floats | None = None
    weights_pool: Doubles | None = None
    weights_test: Doubles | None = None
    groups_pool: Labels | None = None
    time_ordered: bool = False
    left_out: Mapping[str, int] = field(default_factory=dict)
    label_noise: float | None = None

    def __post_init__(self) -> None:
        problem = (
            self._problem_of_part("pool")
            or self._problem_of_part("test")
            or self._problem_of_levels()
            or self._problem_of_knowledge()
            or self._problem_of_hand_made()
            or self._problem_of_metric()
        )
        if problem:
            raise TakeoffError(
                problem, where=f"data set {self.name}", remedy="mend the module that prepares it"
            )

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers."""
        return not self.classes

    def _problem_of_part(self, part: str) -> str | None:
        x, y = getattr(self, f"x_{part}"), getattr(self, f"y_{part}")
        weights = getattr(self, f"weights_{part}")
        stored = np.float32 if self.levels is None else np.uint8
        label = np.float64 if self.is_regression else np.int64
        if x.ndim != 2 or x.dtype != stored:
            return f"x_{part} must be a matrix of type {stored.__name__}"
        if y.shape != (len(x),) or y.dtype != label:
            return f"y_{part} must hold one label of type {label.__name__} for each row of x_{part}"
        if len(y) == 0:
            return f"the {part} part is empty"
        if self.is_regression and not np.isfinite(y).all():
            return f"y_{part} holds a label that is no finite number"
        if not self.is_regression and (y.min() < 0 or y.max() >= len(self.classes)):
            return f"y_{part} holds a label that is none of the {len(self.classes)} classes"
        if weights is not None and not (weights.shape == y.shape and (weights > 0).all()):
            return f"weights_{part} must hold a positive number for each row of x_{part}"
        return None

    def _problem_of_levels(self) -> str | None:
        if self.x_pool.shape[1] != self.x_test.shape[1]:
            return "pool and test set differ in the number of features"
        if self.kinds is not None and self.kinds.shape != (self.x_pool.shape[1],):
            return "kinds must name the kind of each feature"
        if self.groups_pool is not None and self.groups_pool.shape != self.y_pool.shape:
            return "groups_pool must name the group of each row of x_pool"
        if self.levels is None:
            return None
        if self.levels.shape != (256,) or self.levels.dtype != np.float32:
            return "levels must be 256 values of type float32"
        return None if np.isfinite(self.levels).all() else "levels must be finite"

    def _problem_of_knowledge(self) -> str | None:
        if self.mean_test is not None and self.mean_test.shape != self.y_test.shape:
            return "mean_test needs a number for each test example"
        posterior = self.posterior_test
        if posterior is None:
            return None
        if posterior.shape != (len(self.y_test), len(self.classes)):
            return "the posterior needs a row for each test example and a column for each class"
        # Written so that NaN fails too.
        valid = (posterior >= 0).all() and (abs(posterior.sum(axis=1) - 1) < 1e-9).all()
        return None if valid else "the posterior's rows must be probabilities that sum to 1"

    def _problem_of_hand_made(self) -> str | None:
        pool, test = self.hand_pool, self.hand_test
        if pool is None and test is None:
            return None
        if pool is None or test is None or pool.shape[1:] != test.shape[1:]:
            return "hand-made features are needed of the pool and of the test set, the same ones"
        if (len(pool), len(test)) != (len(self.y_pool), len(self.y_test)):
            return "hand-made features need a row for each example"
        return None

    def _problem_of_metric(self) -> str | None:
        fits = self.metric in MEASURES and (self.metric == "rmse") == self.is_regression
        return None if fits else f"the metric {self.metric} does not fit the labels"

    def hand_made(self) -> Dataset:
        """The same examples, as their hand-made features.

        Raises:
            TakeoffError: The data set has none.
        """
        if self.hand_pool is None or self.hand_test is None:
            raise TakeoffError(
                "has no hand-made features",
                where=f"data set {self.name}",
                remedy="let no learner with `features: hand_made` run on it",
            )
        return replace(
            self,
            x_pool=self.hand_pool,
            x_test=self.hand_test,
            hand_pool=None,
            hand_test=None,
            levels=None,
            kinds=None,
            scaling="each",
        )

    def features(self, x: Stored) -> Floats:
        """Stored examples, [n, d], as the numbers that a learner sees, [n, d]; NaN is missing."""
        if self.levels is None:
            return np.array(x, dtype=np.float32)
        found = np.empty(x.shape, dtype=np.float32)
        # Twice as fast as an index, which may be anything; but it makes eight bytes of each place.
        for start in range(0, len(x), LOOKED_UP_AT_ONCE):
            part = slice(start, start + LOOKED_UP_AT_ONCE)
            found[part] = np.take(self.levels, x[part])
        return found

    @cached_property
    def truth(self) -> Truth:
        """What predictions of the test set are held against."""
        if self.is_regression:
            known = self.mean_test is not None
            values = self.mean_test if self.mean_test is not None else self.y_test
            variance = self.noise_sd**2 if known else 0.0
            return Truth(values=values, variance=variance, weights=self.weights_test)
        target = self.posterior_test
        if target is None:
            target = one_hot(self.y_test, len(self.classes))
        return Truth(target=target, weights=self.weights_test)

    @cached_property
    def floors(self) -> dict[str, float]:
        """Measures (see `takeoff.metrics.scores`) of the best possible predictions.

        Empty where they are not known. The best predictions are the posterior itself, or in
        regression the expected label. Other decisions have a lower balanced error, so that has no
        floor here.
        """
        best = self.mean_test if self.is_regression else self.posterior_test
        found = {} if best is None else scores(best, self.truth)
        found.pop("balanced_error", None)
        return found

    @property
    def chance(self) -> float:
        """The metric of the best constant prediction: the classes' shares, or the mean, of the
        pool."""
        weights, size = self.weights_pool, len(self.y_test)
        if self.is_regression:
            constant = np.full(size, np.average(self.y_pool, weights=weights))
        else:
            constant = np.tile(self._shares(weights), (size, 1))
        return MEASURES[self.metric](constant, self.truth)

    def _shares(self, weights: Doubles | None = None) -> Doubles:
        counts = np.bincount(self.y_pool, weights, minlength=len(self.classes)).astype(float)
        return np.asarray(counts / counts.sum())

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the arrays (with names, types and shapes) and all that results depend on."""
        plain = [self.metric, self.scaling, self.noise_sd, self.time_ordered]
        total = hashlib.sha256(canonical_json([list(self.classes), plain]).encode())
        for name, array in self._arrays().items():
            total.update(canonical_json([name, array.dtype.str, list(array.shape)]).encode())
            for portion in _portions(array):
                total.update(portion.data)
        return total.hexdigest()

    def sheet(self) -> dict[str, Any]:
        """What the data set is, as plain values for a JSON file; shares are those of the pool.

        `floors` and `chance` are in the units of the measures; `floor` is the one of the metric,
        None where it is not known.
        """
        hand_made = 0 if self.hand_pool is None else self.hand_pool.shape[1]
        return {
            **self._about(),
            "n_pool": len(self.y_pool),
            "n_test": len(self.y_test),
            "n_features": self.x_pool.shape[1],
            "n_hand_made": hand_made,
            "n_classes": len(self.classes),
            "class_shares": [] if self.is_regression else self._shares().tolist(),
            "floors": self.floors,
            "floor": self.floors.get(self.metric),
            "chance": self.chance,
            "digest": self.digest,
        }

    def save(self, path: Path | str) -> None:
        """Write an uncompressed .npz file; equal data sets give equal bytes.

        Raises:
            TakeoffError: The file can't be written.
        """
        with replacing(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
            about = canonical_json({**self._about(), "digest": self.digest})
            archive.writestr(zipfile.ZipInfo(ABOUT, NO_DATE), about)
            for name, array in self._arrays().items():
                member = zipfile.ZipInfo(f"{name}.npy", NO_DATE)
                with archive.open(member, "w", force_zip64=True) as stream:
                    header = np.lib.format.header_data_from_array_1_0(array)
                    np.lib.format.write_array_header_1_0(stream, header | {"fortran_order": False})
                    for portion in _portions(array):
                        stream.write(portion.data)

    @classmethod
    def load(cls, path: Path | str) -> Dataset:
        """Read a file written by `save`.

        The arrays are mapped from the file, not read into memory: jobs side by side share one
        copy, and a pool may be larger than memory. They can be written to without changing it.

        Raises:
            TakeoffError: The file is missing, cut off or damaged.
        """
        try:
            with zipfile.ZipFile(path) as archive:
                about = json.loads(archive.read(ABOUT))
                members = {info.filename: info for info in archive.infolist()}
                arrays: dict[str, Any] = {
                    name: _mapped(path, members[f"{name}.npy"])
                    for name in ARRAYS
                    if f"{name}.npy" in members
                }
            digest, classes = about.pop("digest"), tuple(about.pop("classes"))
            data = cls(**about, classes=classes, **arrays)
            if data.digest != digest:
                raise ValueError("its checksum is wrong")
            return data
        # A damaged byte can surface as nearly any exception of zipfile, json or numpy.
        except Exception as error:
            missing = isinstance(error, FileNotFoundError)
            raise TakeoffError(
                "is missing" if missing else f"is damaged or cut off ({error})",
                where=str(path),
                remedy=("" if missing else "delete it and ")
                + "run the study again: that prepares the data set",
            ) from error

    def _about(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in PLAIN}
        return {**plain, "left_out": dict(self.left_out), "classes": list(self.classes)}

    def _arrays(self) -> dict[str, npt.NDArray[Any]]:
        arrays = {name: getattr(self, name) for name in ARRAYS}
        return {name: array for name, array in arrays.items() if array is not None}


def _mapped(path: Path | str, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """An array that lies uncompressed in a zip archive, mapped from where it lies."""
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{member.filename} is compressed")
    with open(path, "rb") as file:
        # The header in front of the data repeats the name, and has an extra field of its own.
        file.seek(member.header_offset + 26)
        lengths = int.from_bytes(file.read(2), "little") + int.from_bytes(file.read(2), "little")
        file.seek(lengths, os.SEEK_CUR)
        np.lib.format.read_magic(file)
        shape, by_columns, dtype = np.lib.format.read_array_header_1_0(file)
        start = file.tell()
    order: Literal["F", "C"] = "F" if by_columns else "C"
    if 0 in shape:
        return np.empty(shape, dtype, order)
    return np.memmap(path, dtype, mode="c", offset=start, shape=shape, order=order)


def _portions(array: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """An array by rows, in portions that lie in one piece; mapped ones don't fill the memory."""
    step = max(PORTION // max(array[:1].nbytes, 1), 1)
    for start in range(0, len(array), step):
        yield np.ascontiguousarray(array[start : start + step])
        release(array)


def release(array: npt.NDArray[Any]) -> None:
    """Let go of the memory in front of a mapped file; what was written stays in the file.

    Not of a private mapping, whose changes are nowhere else.
    """
    if not (isinstance(array, np.memmap) and array.mode in ("r", "r+", "w+")):
        return
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def require_rows(name: str, key: str, wanted: int, available: int) -> None:
    """Refuse a config that asks a data set for more rows than there are.

    Args:
        name: The data set.
        key: "pool" or "test".
        wanted: Number of rows asked for.
        available: Number of rows that exist.

    Raises:
        TakeoffError: More rows are wanted than available.
    """
    if wanted > available:
        raise TakeoffError(
            f"{wanted:,} rows are asked for, but there are {available:,}",
            where=f"config: datasets.{name}.{key}",
            remedy=f"set it to {available} or less",
        )
