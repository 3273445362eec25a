"""Which rows of one's own data are the test set and the pool, and what their labels are.

Labels, groups, times and weights are read of all rows, a few bytes each; features are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from takeoff.datasets import encoding, readers
from takeoff.datasets.base import Targets, require_rows
from takeoff.errors import TakeoffError
from takeoff.metrics import Doubles

if TYPE_CHECKING:
    import pyarrow as pa

Rows = npt.NDArray[np.int64]

MOST_CLASSES = 100
ROLES = ("label", "group", "time", "weight")


@dataclass(frozen=True)
class Wish:
    """What is asked for: see `prepare`."""

    name: str
    seed: int
    pool: int
    test: int
    settings: Mapping[str, Any]
    paths: Mapping[str, Path]

    def refusal(self, key: str, problem: str, remedy: str) -> TakeoffError:
        """The error for a key of the config that does not fit the file."""
        return TakeoffError(problem, where=f"config: datasets.{self.name}.{key}", remedy=remedy)


@dataclass(eq=False)
class Known:
    """What is known of every row beside its features.

    Attributes:
        label: Number of the class, or the number itself; -1 or NaN where it is missing, [n].
        group: Hash of the group, uint64 [n]; None if there are no groups.
        time: Seconds, or a number that orders the rows, [n]; None if rows have no order.
        weight: [n]; None if rows count the same.
        left_out: Why a row can't be used, as a place in `reasons`, int8 [n]; 0 if it can.
        reasons: In words.
        earlier: What was left out while reading.
    """

    label: Targets
    group: npt.NDArray[np.uint64] | None
    time: Doubles | None
    weight: Doubles | None
    left_out: npt.NDArray[np.int8]
    earlier: Mapping[str, int]

    REASONS = ("", "label missing", "group missing", "time missing", "weight not positive")

    @property
    def usable(self) -> Rows:
        """The rows that can be used, in order."""
        return np.flatnonzero(self.left_out == 0)

    def counts(self) -> Counter[str]:
        """How many rows can't be used, by reason."""
        found = np.bincount(self.left_out, minlength=len(self.REASONS)).tolist()
        named = dict(zip(self.REASONS, found, strict=True))
        return Counter({name: n for name, n in named.items() if name and n} | dict(self.earlier))


class Labelling:
    """Reads labels; over all files, a class has one number."""

    def __init__(self, wish: Wish):
        self._wish = wish
        self._codes: dict[str, int] = {}
        self._dates: bool | None = None
        self._is_regression = wish.settings["task"] == "regression"

    def read(self, table: readers.Table, earlier: Mapping[str, int]) -> Known:
        """The roles of all rows of a file.

        Args:
            table: The file.
            earlier: How many examples were left out while opening it, by reason.

        Raises:
            TakeoffError: The label has too many values, or none that is a number.
        """
        settings = self._wish.settings
        names = {role: settings[role] for role in ROLES if settings[role]}
        names["label"] = settings["label"] or "label"
        parts: dict[str, list[Any]] = {role: [] for role in names}
        columns = list(dict.fromkeys(names.values()))
        for batch in table.batches(columns):
            for role, name in names.items():
                parts[role].append(self._read(role, name, batch.column(columns.index(name))))
        if not parts["label"]:
            raise readers.refusal(table.path, "has no rows", "give a table with rows")
        return self._known({role: np.concatenate(part) for role, part in parts.items()}, earlier)

    def _read(self, role: str, name: str, cells: pa.Array) -> Any:
        if role == "label" and not self._is_regression:
            return encoding.by_value(cells, self._code, -1).astype(np.int32)
        if role == "group":
            return encoding.by_value(cells, encoding.stable_hash, 0).astype(np.uint64)
        if role == "time" and self._is_date(cells, name):
            moments = encoding.dates(cells, name)
            return np.where(np.isnat(moments), np.nan, moments.astype(np.float64))
        return encoding.numbers(cells, name)

    def _is_date(self, cells: pa.Array, name: str) -> bool:
        """Whether times are dates, which the first rows decide; otherwise they are numbers."""
        if self._dates is None:
            self._dates = encoding.guess(cells, name)[0] == "date"
        return self._dates

    def _code(self, value: str) -> int:
        if value not in self._codes:
            if len(self._codes) == MOST_CLASSES:
                raise self._too_many()
            self._codes[value] = len(self._codes)
        return self._codes[value]

    def _too_many(self) -> TakeoffError:
        numeric = all(_is_number(value) for value in self._codes)
        return self._wish.refusal(
            "label",
            f"has more than {MOST_CLASSES} different values, too many for classes",
            "its values are numbers: set task: regression"
            if numeric
            else "merge classes, or name another column",
        )

    def _known(self, found: dict[str, Any], earlier: Mapping[str, int]) -> Known:
        label, group = found["label"], found.get("group")
        time, weight = found.get("time"), found.get("weight")
        missing = ~np.isfinite(label) if self._is_regression else label < 0
        if missing.all():
            raise self._wish.refusal(
                "label",
                "has no number in it" if self._is_regression else "has no value in it",
                "name another column, or set task: classification",
            )
        left_out = np.zeros(len(label), dtype=np.int8)
        # The first reason counts, so it is set last.
        if weight is not None:
            left_out[~(np.isfinite(weight) & (weight > 0))] = 4
        if time is not None:
            left_out[~np.isfinite(time)] = 3
        if group is not None:
            left_out[group == 0] = 2
        left_out[missing] = 1
        return Known(label, group, time, weight, left_out, earlier)

    def finish(self, files: Sequence[Known]) -> tuple[str, ...]:
        """Number the classes in the order of their values, in all files, and name them.

        Returns:
            The names; none in regression.

        Raises:
            TakeoffError: There is one class, or `classes` in the config does not fit.
        """
        if self._is_regression:
            return ()
        values = sorted(self._codes, key=_numbers_first)
        place = np.empty(len(values) + 1, dtype=np.int32)
        place[[self._codes[value] for value in values]] = np.arange(len(values))
        place[-1] = -1
        for known in files:
            known.label = place[known.label]
        return self._named(values)

    def _named(self, values: list[str]) -> tuple[str, ...]:
        if len(values) < 2:
            raise self._wish.refusal(
                "label", "has one value in all rows", "name a column that differs"
            )
        names: Mapping[str, str] | None = self._wish.settings["classes"]
        if not names:
            return tuple(values)
        unnamed = [value for value in values if value not in names]
        if unnamed:
            raise self._wish.refusal(
                "classes",
                f"has no name for {len(unnamed)} of the label's {len(values)} values",
                "write each value as it stands in the table, in quotes",
            )
        return tuple(names[value] for value in values)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _numbers_first(value: str) -> tuple[bool, float, str]:
    return (False, float(value), value) if _is_number(value) else (True, 0.0, value)


@dataclass(frozen=True, eq=False)
class Chosen:
    """Rows of the pool and the test set, and how many rows are in neither, by reason."""

    pool: Rows
    test: Rows
    left_out: Counter[str]


def choose(wish: Wish, known: Known, given: Known | None) -> Chosen:
    """Divide the usable rows; with a file `given` for the test set, its rows are that.

    Raises:
        TakeoffError: There are too few.
    """
    random = np.random.default_rng([wish.seed, 1])
    rest, test, left_out = divide(wish, known, given, random)
    require_rows(wish.name, "pool", wish.pool, len(rest))
    if known.time is not None:
        rest = rest[np.argsort(known.time[rest], kind="stable")]
        pool = rest[len(rest) - wish.pool :]
    else:
        pool = np.sort(draw(rest, known.label, wish.pool, random))
    left_out["more than are asked for"] += len(rest) - len(pool)
    return Chosen(pool, test, Counter({k: n for k, n in left_out.items() if n}))


def divide(
    wish: Wish, known: Known, given: Known | None, random: np.random.Generator
) -> tuple[Rows, Rows, Counter[str]]:
    """The rows that the pool can be made of, the test set, and what is in neither so far.

    Raises:
        TakeoffError: There are too few rows for the test set.
    """
    left_out = known.counts()
    rest = known.usable
    if given is not None:
        left_out.update(given.counts())
        require_rows(wish.name, "test", wish.test, len(given.usable))
        test = np.sort(draw(given.usable, given.label, wish.test, random))
        left_out["more than are asked for"] += len(given.usable) - len(test)
        taken = given.group[test] if given.group is not None else None
    else:
        require_rows(wish.name, "test", wish.test, max(len(rest) - 1, 0))
        rest, test = _held_out(wish, known, random)
        taken = known.group[test] if known.group is not None else None
    if taken is not None and known.group is not None:
        clash = np.isin(known.group[rest], taken)
        left_out["group is in the test set"] += int(clash.sum())
        rest = rest[~clash]
    return rest, test, left_out


def _held_out(wish: Wish, known: Known, random: np.random.Generator) -> tuple[Rows, Rows]:
    """The rows of one file that are not tested on, and those that are."""
    rows = known.usable
    if known.time is not None:
        order = rows[np.argsort(known.time[rows], kind="stable")]
        return np.sort(order[: -wish.test]), order[-wish.test :]
    if known.group is not None:
        rows = _whole_groups(rows, known.group[rows], wish.test, random)
    test = np.sort(draw(rows, known.label, wish.test, random))
    untested = known.left_out == 0
    untested[test] = False
    return np.flatnonzero(untested), test


def _whole_groups(
    rows: Rows, group: npt.NDArray[np.uint64], least: int, random: np.random.Generator
) -> Rows:
    """The rows of random groups, as few groups as give so many rows."""
    _, number, sizes = np.unique(group, return_inverse=True, return_counts=True)
    order = random.permutation(len(sizes))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), least)) + 1
    return rows[np.isin(number, order[:enough])]


def draw(rows: Rows, y: Targets, size: int, random: np.random.Generator) -> Rows:
    """So many of the rows at random, of each class its share (largest remainders are rounded up).

    Args:
        rows: To draw from.
        y: Labels of all rows of the file; only classes have shares to keep.
    """
    if size == len(rows):
        return rows
    if y.dtype.kind == "f":
        return random.permutation(rows)[:size]
    labels = y[rows]
    classes, counts = np.unique(labels, return_counts=True)
    exact = counts * (size / len(rows))
    take = np.floor(exact + 1e-9).astype(int)
    short = size - int(take.sum())
    take[np.argsort(take - exact, kind="stable")[:short]] += 1
    parts = [
        random.permutation(rows[labels == label])[:count]
        for label, count in zip(classes, take, strict=True)
    ]
    return np.concatenate(parts)
