"""A data set as every learner gets it: examples, labels, and the sheet that describes them.

An example is stored as one byte per feature (a grey value, a word count) and `levels` says which
number each byte stands for. That keeps a file of 70,000 images at 55 MB, and the conversion to
floating point in one place.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from takeoff.errors import TakeoffError
from takeoff.files import canonical_json, replacing

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Probabilities = npt.NDArray[np.float64]

ABOUT = "about.json"
TEXTS = ("name", "title", "description", "task", "source", "licence", "citation")
ARRAYS = ("x_pool", "y_pool", "x_test", "y_test", "levels", "posterior_test")
# The oldest date a zip archive can hold. A fixed one makes equal data sets equal files.
NO_DATE = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled examples in two parts: a pool to draw training subsets from, and a test set.

    Attributes:
        name: Name of the module that prepares it.
        title: Name for a reader.
        description: One sentence for the paper, without numbers: those are in the sheet.
        task: What has to be told from an example, as "which garment is on the picture".
        source: Who made it, or where it comes from.
        licence: Under which terms it may be used.
        citation: Key of its entry in the bibliography; empty if there is none.
        generated: Whether the examples were drawn from a known distribution.
        classes: Names of the classes; label k is `classes[k]`.
        x_pool: Stored examples of the pool, [n, d].
        y_pool: Their labels, [n].
        x_test: Stored examples of the test set, [t, d].
        y_test: Their labels, [t].
        levels: The number that each stored byte stands for, [256].
        posterior_test: The exact P(class | example) of the test set, [t, C]; None if unknown.

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
    x_pool: Bytes
    y_pool: Labels
    x_test: Bytes
    y_test: Labels
    levels: Floats
    posterior_test: Probabilities | None = None

    def __post_init__(self) -> None:
        problem = (
            _problem_of_part("pool", self.x_pool, self.y_pool, len(self.classes))
            or _problem_of_part("test", self.x_test, self.y_test, len(self.classes))
            or self._problem_of_levels()
            or self._problem_of_posterior()
        )
        if problem:
            raise TakeoffError(
                problem, where=f"data set {self.name}", remedy="mend the module that prepares it"
            )

    def _problem_of_levels(self) -> str | None:
        if self.x_pool.shape[1] != self.x_test.shape[1]:
            return "pool and test set differ in the number of features"
        if self.levels.shape != (256,) or self.levels.dtype != np.float32:
            return "levels must be 256 values of type float32"
        return None if np.isfinite(self.levels).all() else "levels must be finite"

    def _problem_of_posterior(self) -> str | None:
        posterior = self.posterior_test
        if posterior is None:
            return None
        if posterior.shape != (len(self.y_test), len(self.classes)):
            return "the posterior needs a row for each test example and a column for each class"
        # Written so that NaN fails too.
        valid = (posterior >= 0).all() and (abs(posterior.sum(axis=1) - 1) < 1e-9).all()
        return None if valid else "the posterior's rows must be probabilities that sum to 1"

    def features(self, x: Bytes) -> Floats:
        """Stored bytes, [n, d], as the numbers that a learner sees, [n, d]."""
        return self.levels[x]

    @property
    def bayes_error(self) -> float | None:
        """Error of the best possible rule on the test set: the mean of 1 - max P(class | x)."""
        if self.posterior_test is None:
            return None
        return float(np.mean(1.0 - self.posterior_test.max(axis=1)))

    @property
    def bayes_log_loss(self) -> float | None:
        """Log-loss of the exact posterior on the test set: its mean entropy, in nats."""
        if self.posterior_test is None:
            return None
        p = self.posterior_test
        log_p = np.log(p, out=np.zeros_like(p), where=p > 0)
        return float(-np.mean(np.sum(p * log_p, axis=1)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over the arrays (with names, types and shapes) and the names of the classes."""
        total = hashlib.sha256(canonical_json(list(self.classes)).encode())
        for name, array in self._arrays().items():
            total.update(canonical_json([name, array.dtype.str, list(array.shape)]).encode())
            total.update(np.ascontiguousarray(array).data)
        return total.hexdigest()

    def sheet(self) -> dict[str, Any]:
        """What the data set is, as plain values for a JSON file; shares are those of the pool."""
        counts = np.bincount(self.y_pool, minlength=len(self.classes))
        return {
            **self._about(),
            "n_pool": len(self.y_pool),
            "n_test": len(self.y_test),
            "n_features": self.x_pool.shape[1],
            "n_classes": len(self.classes),
            "class_shares": (counts / len(self.y_pool)).tolist(),
            "bayes_error": self.bayes_error,
            "bayes_log_loss": self.bayes_log_loss,
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
                    np.lib.format.write_array(stream, array, allow_pickle=False)

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
        texts = {name: getattr(self, name) for name in TEXTS}
        return {**texts, "generated": self.generated, "classes": list(self.classes)}

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


def _problem_of_part(part: str, x: Bytes, y: Labels, n_classes: int) -> str | None:
    if x.ndim != 2 or x.dtype != np.uint8:
        return f"x_{part} must be a matrix of type uint8"
    if y.shape != (len(x),) or y.dtype != np.int64:
        return f"y_{part} must hold one label of type int64 for each row of x_{part}"
    if len(y) == 0:
        return f"the {part} part is empty"
    if y.min() < 0 or y.max() >= n_classes:
        return f"y_{part} holds a label that is none of the {n_classes} classes"
    return None
