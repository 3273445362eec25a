"""A data set of one's own: a table, arrays, or pictures in folders.

A table is read three times, a portion of rows at a time: labels, groups and times, from which the
test set and the pool are chosen; then the pool's features, for their layout; then all of them,
into a file that is mapped into memory. So what stays in memory is some tens of bytes a row,
however many columns there are.

No row is left out silently: `Dataset.left_out` counts them by reason, and the description counts
columns. Neither says what is written in a cell; only the label's values are named, as classes, and
`classes` in the config can give them other names.

Which rows are the test set:

- `test_path`: rows of that file;
- `time`: the latest rows, and the pool is what came before;
- otherwise rows drawn at random by the study's seed: whole groups if there are groups, and the
  classes in their shares if not.

A group that has rows in the test set has none in the pool.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from takeoff.datasets import encoding, images, readers
from takeoff.datasets.base import (
    Dataset,
    Doubles,
    Floats,
    Labels,
    Stored,
    Targets,
    release,
    require_rows,
)
from takeoff.errors import TakeoffError, nearest
from takeoff.kinds import Kind
from takeoff.metrics import Metric

if TYPE_CHECKING:
    import pyarrow as pa

Rows = npt.NDArray[np.int64]

MOST_CLASSES = 100
FEW_ROWS = 10  # of a class, below which it is said
# The rarest class has less than this part of an equal share: then a balanced error is measured.
RARE = 0.2
SAMPLE = 10_000  # rows that kinds are told from where the config doesn't
PLURALS: dict[str, str] = {
    "number": "numbers",
    "boolean": "yes or no",
    "category": "categories",
    "date": "dates",
    "text": "text",
}
ROLES = ("label", "group", "time", "weight")
NOISE_PARTS = 16
IN_MEMORY = 2**26  # bytes; larger arrays are files, mapped
GREY_VALUES = np.arange(256, dtype=np.float32) / np.float32(255)


def prepare(
    *,
    name: str,
    seed: int,
    pool: int,
    test: int,
    settings: Mapping[str, Any],
    paths: Mapping[str, str],
    cache: Path,
) -> Dataset:
    """Read the files and divide them into a pool and a test set.

    Args:
        name: What the config calls it.
        seed: Of the random choice of rows.
        pool, test: Rows wanted of each.
        settings: The part of the config that says what the files hold
            (`takeoff.study.DatasetSettings.table_settings`).
        paths: Where they are: "path" and, if there is one, "test_path".
        cache: Folder for large arrays while they are in use.

    Raises:
        TakeoffError: A file can't be read, a column is not there, or too few rows can be used.
    """
    wish = Wish(name, seed, pool, test, settings, {key: Path(p) for key, p in paths.items()})
    main = open_source(wish.paths["path"], wish)
    given = open_source(wish.paths["test_path"], wish) if "test_path" in wish.paths else None
    labels = Labelling(wish)
    known, known_test = labels.read(main), labels.read(given) if given else None
    y, classes = labels.finish([known, *([known_test] if known_test else [])])
    chosen = choose(wish, known, known_test, y[0], y[1] if given else None)
    features = main.features(chosen.pool, Scratch(cache))
    x_pool, x_test = _examples(features, main, given, chosen)
    label = np.float64 if settings["task"] == "regression" else np.int64
    y_pool = y[0][chosen.pool].astype(label)
    y_test = y[1 if given else 0][chosen.test].astype(label)
    weights = [k.weight for k in (known, known_test or known)]
    _warn_of_small_classes(name, y_pool, classes)
    return Dataset(
        name=name,
        title=settings["title"] or name.replace("_", " "),
        description=_description(settings, main, features),
        task=f"the value of “{settings['label']}”" if settings["label"] else "the folder's class",
        source="the authors' own data",
        licence="not stated",
        citation="",
        generated=False,
        classes=classes,
        x_pool=x_pool,
        y_pool=y_pool,
        x_test=x_test,
        y_test=y_test,
        levels=features.levels,
        metric=settings["metric"] or default_metric(y_pool, len(classes)),
        unit=settings["unit"],
        scaling="common" if features.levels is not None or features.alike else "each",
        kinds=features.kinds,
        weights_pool=None if weights[0] is None else weights[0][chosen.pool],
        weights_test=None if weights[1] is None else weights[1][chosen.test],
        groups_pool=None if known.group is None else _numbered(known.group[chosen.pool]),
        time_ordered=settings["time"] is not None,
        left_out=dict(sorted(chosen.left_out.items())),
        label_noise=label_noise(x_pool, y_pool, is_regression=not classes),
    )


def _examples(
    features: Features, main: Source, given: Source | None, chosen: Chosen
) -> tuple[Stored, Stored]:
    """Pool and test set; of one file, both are read at once."""
    if given is not None:
        return features.take(main, chosen.pool), features.take(given, chosen.test)
    both = features.take(main, np.concatenate([chosen.pool, chosen.test]))
    return both[: len(chosen.pool)], both[len(chosen.pool) :]


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


def default_metric(y: Targets, n_classes: int) -> Metric:
    """RMSE of numbers; of classes the error rate, or the balanced error if one is rare.

    Rare is a class with less than a fifth of an equal share: below 10 % of two classes.
    """
    if n_classes == 0:
        return "rmse"
    shares = np.bincount(y, minlength=n_classes) / len(y)
    return "balanced_error" if shares.min() < RARE / n_classes else "error_rate"


# ------------------------------------------------------------------------------------------------
# Arrays that may be larger than memory


@dataclass(frozen=True)
class Scratch:
    """Where large arrays are while they are in use: files without a name, gone with the process."""

    folder: Path

    def array(self, shape: tuple[int, int], dtype: Any) -> Stored:
        """An array to fill."""
        if shape[0] * shape[1] * np.dtype(dtype).itemsize <= IN_MEMORY:
            return np.empty(shape, dtype)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as file:
                return np.memmap(file, dtype, mode="w+", shape=shape)
        except OSError as error:
            raise TakeoffError(
                f"can't hold {shape[0]:,} rows of {shape[1]:,} features: {error.strerror}",
                where=str(self.folder),
                remedy="free some space, or set TAKEOFF_CACHE to a folder on a larger disk",
            ) from error


# ------------------------------------------------------------------------------------------------
# Labels, groups, times and weights


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

    def read(self, source: Source) -> Known:
        """The roles of all rows of a file.

        Raises:
            TakeoffError: The label has too many values, or none that is a number.
        """
        settings = self._wish.settings
        names = {role: settings[role] for role in ROLES if settings[role]}
        names["label"] = settings["label"] or "label"
        parts: dict[str, list[Any]] = {role: [] for role in names}
        columns = list(dict.fromkeys(names.values()))
        for batch in source.table.batches(columns):
            for role, name in names.items():
                parts[role].append(self._read(role, name, batch.column(columns.index(name))))
        if not parts["label"]:
            raise readers.refusal(source.table.path, "has no rows", "give a table with rows")
        return self._known({role: np.concatenate(part) for role, part in parts.items()}, source)

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

    def _known(self, found: dict[str, Any], source: Source) -> Known:
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
        return Known(label, group, time, weight, left_out, source.left_out)

    def finish(self, files: Sequence[Known]) -> tuple[list[Targets], tuple[str, ...]]:
        """Labels of each file, and the classes' names in the order of their values.

        Raises:
            TakeoffError: There is one class, or `classes` in the config does not fit.
        """
        if self._is_regression:
            return [known.label for known in files], ()
        values = sorted(self._codes, key=_numbers_first)
        place = np.empty(len(values) + 1, dtype=np.int32)
        place[[self._codes[value] for value in values]] = np.arange(len(values))
        place[-1] = -1
        return [place[known.label] for known in files], self._named(values)

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


def _warn_of_small_classes(name: str, y: Targets, classes: Sequence[str]) -> None:
    if not classes:
        return
    counts = np.bincount(y, minlength=len(classes))
    small = int((counts <= FEW_ROWS).sum())
    if small:
        print(
            f"{name}: {small} of {len(classes)} classes have {FEW_ROWS} rows or fewer in the "
            "pool: what is said of them rests on little",
            file=sys.stderr,
        )


# ------------------------------------------------------------------------------------------------
# Which rows


@dataclass(frozen=True, eq=False)
class Chosen:
    """Rows of the pool and the test set, and how many rows are in neither, by reason."""

    pool: Rows
    test: Rows
    left_out: Counter[str]


def choose(
    wish: Wish, known: Known, given: Known | None, y: Targets, y_given: Targets | None
) -> Chosen:
    """Divide the usable rows; with a file `given` for the test set, its rows are that.

    Raises:
        TakeoffError: There are too few.
    """
    random = np.random.default_rng([wish.seed, 1])
    rest, test, left_out = divide(wish, known, given, y, y_given, random)
    require_rows(wish.name, "pool", wish.pool, len(rest))
    if known.time is not None:
        rest = rest[np.argsort(known.time[rest], kind="stable")]
        pool = rest[len(rest) - wish.pool :]
    else:
        pool = np.sort(draw(rest, y, wish.pool, random))
    left_out["more than are asked for"] += len(rest) - len(pool)
    return Chosen(pool, test, Counter({k: n for k, n in left_out.items() if n}))


def divide(
    wish: Wish,
    known: Known,
    given: Known | None,
    y: Targets,
    y_given: Targets | None,
    random: np.random.Generator,
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
        test = np.sort(draw(given.usable, y_given, wish.test, random))
        left_out["more than are asked for"] += len(given.usable) - len(test)
        taken = given.group[test] if given.group is not None else None
    else:
        require_rows(wish.name, "test", wish.test, max(len(rest) - 1, 0))
        rest, test = _held_out(wish, known, y, random)
        taken = known.group[test] if known.group is not None else None
    if taken is not None and known.group is not None:
        clash = np.isin(known.group[rest], taken)
        left_out["group is in the test set"] += int(clash.sum())
        rest = rest[~clash]
    return rest, test, left_out


def _held_out(
    wish: Wish, known: Known, y: Targets, random: np.random.Generator
) -> tuple[Rows, Rows]:
    """The rows of one file that are not tested on, and those that are."""
    rows = known.usable
    if known.time is not None:
        order = rows[np.argsort(known.time[rows], kind="stable")]
        return np.sort(order[: -wish.test]), order[-wish.test :]
    if known.group is not None:
        rows = _whole_groups(rows, known.group[rows], wish.test, random)
    test = np.sort(draw(rows, y, wish.test, random))
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


def draw(rows: Rows, y: Targets | None, size: int, random: np.random.Generator) -> Rows:
    """So many of the rows at random, of each class its share (largest remainders are rounded up).

    Args:
        rows: To draw from.
        y: Labels of all rows of the file; only classes have shares to keep.
    """
    if size == len(rows):
        return rows
    if y is None or y.dtype.kind == "f":
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


def _numbered(group: npt.NDArray[np.uint64]) -> Labels:
    """Hashes of groups as numbers from 0."""
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


# ------------------------------------------------------------------------------------------------
# Features


@dataclass(frozen=True)
class Source:
    """A file, and what its columns are."""

    table: readers.Table
    kinds: Mapping[str, Kind]

    @property
    def left_out(self) -> Mapping[str, int]:
        """How many examples were left out while reading, by reason."""
        held = self.table
        return held.left_out if isinstance(held, readers.HeldTable) else {}

    @property
    def pictures(self) -> Any:
        """Examples that are taken as they are, [n, ...]; None if there are columns instead."""
        held = self.table
        return held.arrays["x"] if isinstance(held, readers.HeldTable) and held.pictures else None

    def features(self, pool: Rows, scratch: Scratch) -> Features:
        """The layout of the features, from the pool's rows.

        Raises:
            TakeoffError: There are none.
        """
        if self.pictures is not None:
            return Pictures()
        columns = encoding.encoders(self.kinds.items())
        for cells, _ in self.portions([column.name for column in columns], pool):
            for column, part in zip(columns, cells, strict=True):
                column.look(part)
        if not any(column.kinds for column in columns):
            raise readers.refusal(
                self.table.path,
                "has no column that differs between rows, beside the label",
                "look at `columns` in the config",
            )
        return Columns(columns, scratch)

    def portions(self, columns: Sequence[str], rows: Rows) -> Iterator[tuple[list[Any], Rows]]:
        """The chosen rows, a portion at a time: cells of each column, and their places in `rows`.

        Args:
            columns: Names.
            rows: Rows of the file, in any order.
        """
        order = np.argsort(rows, kind="stable")
        start, position = 0, 0
        for batch in self.table.batches(columns) if columns else ():
            stop = start + batch.num_rows
            end = int(np.searchsorted(rows, stop, sorter=order))
            places = order[position:end]
            if len(places) == batch.num_rows:
                yield batch.columns, places
            elif len(places):
                yield (
                    [cells.take(_indices(rows[places] - start)) for cells in batch.columns],
                    places,
                )
            start, position = stop, end
            if position == len(order):
                return


def _indices(rows: Rows) -> Any:
    import pyarrow as pa

    return pa.array(rows)


class Features:
    """How rows become examples."""

    levels: Floats | None = None
    kinds: npt.NDArray[np.int8] | None = None
    alike = False  # whether one scale suits all features

    def take(self, source: Source, rows: Rows) -> Stored:
        """Examples of the rows, [len(rows), d]."""
        raise NotImplementedError


class Pictures(Features):
    """Examples as they are."""

    alike = True

    def take(self, source: Source, rows: Rows) -> Stored:
        """Flat rows of bytes, or of numbers that are NaN where they are not finite."""
        x = source.pictures[rows].reshape(len(rows), -1)
        if x.dtype == np.uint8:
            self.levels = GREY_VALUES
            return np.asarray(x)
        with np.errstate(over="ignore"):
            numbers = np.asarray(x, dtype=np.float32)
        return np.where(np.isfinite(numbers), numbers, np.float32(np.nan))


class Columns(Features):
    """Columns of a table, one after the other."""

    def __init__(self, columns: Sequence[encoding.Encoder], scratch: Scratch):
        self.columns, self._scratch = columns, scratch
        self.kinds = np.array([k for column in columns for k in column.kinds], dtype=np.int8)

    def take(self, source: Source, rows: Rows) -> Stored:
        """Features of every column side by side."""
        found = self._scratch.array((len(rows), len(self.kinds)), np.float32)
        names = [column.name for column in self.columns]
        for cells, places in source.portions(names, rows):
            found[places] = encoding.encode(self.columns, cells)
            release(found)
        return found


def open_source(path: Path, wish: Wish) -> Source:
    """A file or a folder, and what the config says about it.

    Raises:
        TakeoffError: It can't be read, or has no such column.
    """
    settings = wish.settings
    if path.is_dir():
        if any(settings[role] for role in ROLES) or settings["columns"]:
            raise readers.refusal(
                path, "is a folder, which has no columns", "give no label, group, time or columns"
            )
        x, names, left_out = images.read(path, settings["image_size"])
        table: readers.Table = readers.HeldTable(path, {"x": x, "label": names}, left_out)
        return Source(table, {})
    table = readers.open_table(path)
    if not settings["label"]:
        raise wish.refusal("label", "is missing", f"name one of the columns of {path.name}")
    named = {f"columns.{name}": name for name in settings["columns"]}
    for key, name in ({role: settings[role] for role in ROLES if settings[role]} | named).items():
        if name not in table.columns:
            hint = nearest(name, table.columns)
            raise wish.refusal(key, f"{readers.shown(path)} has no column '{name}'", hint)
    return Source(table, _kinds(table, settings))


def _kinds(table: readers.Table, settings: Mapping[str, Any]) -> dict[str, Kind]:
    """The kind of each feature column: as the config says, or as its first rows look."""
    roles = {settings[role] for role in ROLES}
    named: dict[str, Kind] = dict(settings["columns"])
    unnamed = [name for name in table.columns if name not in named and name not in roles]
    guessed = {name: kind for name, (kind, _) in guess_kinds(table, unnamed).items()}
    return {name: (named | guessed)[name] for name in table.columns if name in (named | guessed)}


def guess_kinds(table: readers.Table, columns: Sequence[str]) -> dict[str, tuple[Kind, str]]:
    """The kind of each column by its first rows, and the reason for it."""
    import pyarrow as pa

    if not columns:
        return {}
    sample = []
    rows = 0
    for batch in table.batches(columns):
        sample.append(batch)
        rows += batch.num_rows
        if rows >= SAMPLE:
            break
    if not rows:
        raise readers.refusal(table.path, "has no rows", "give a table with rows")
    first = pa.Table.from_batches(sample).slice(0, SAMPLE).combine_chunks()
    return {
        name: encoding.guess(first.column(i).combine_chunks(), name)
        for i, name in enumerate(columns)
    }


# ------------------------------------------------------------------------------------------------
# Texts and numbers for the sheet


def _description(settings: Mapping[str, Any], source: Source, features: Features) -> str:
    own = settings["description"]
    if isinstance(features, Columns):
        counts = _columns_in_words(source, features)
        return f"{own.rstrip('.')}: {counts}" if own else f"A table: {counts}"
    return str(own or "Arrays of equal shape, taken as they are")


def _columns_in_words(source: Source, features: Columns) -> str:
    kinds = Counter(source.kinds.values())
    ignored = kinds.pop("ignore", 0)
    constant = sum(column.constant for column in features.columns)
    odd = sum(column.odd for column in features.columns)
    said = [f"{n} with {PLURALS[kind]}" for kind, n in kinds.items()]
    texts = [f"{_plural(len(source.kinds), 'column')} ({', '.join(said)})"]
    if ignored:
        texts.append(f"{ignored} left out by choice")
    if constant:
        texts.append(f"{constant} left out as constant or empty")
    if odd:
        cells = _plural(odd, "cell")
        texts.append(f"{cells} counted as missing, being infinite or not of the column's kind")
    return "; ".join(texts)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def label_noise(x: Stored, y: Targets, *, is_regression: bool) -> float | None:
    """Error rate, or RMSE, of the best function of the features on these rows; None if all differ.

    Rows with equal features get one answer: their most frequent label, or the mean of their
    labels. What that gets wrong, over all rows, no function of the features gets right. The answer
    was chosen for these rows, so on average this is below what can be reached on others.
    """
    keys = _row_hashes(x)
    repeated, missed = False, 0.0
    # A part of the rows at a time: sorting all of them takes several times their memory.
    for part in range(NOISE_PARTS):
        rows = np.flatnonzero(keys % np.uint64(NOISE_PARTS) == part)
        _, group, sizes = np.unique(keys[rows], return_inverse=True, return_counts=True)
        again = sizes[group] > 1
        repeated |= bool(again.any())
        missed += _missed(group[again], y[rows][again], is_regression)
    if not repeated:
        return None
    return float(np.sqrt(missed / len(y)) if is_regression else missed / len(y))


def _missed(group: Rows, y: Targets, is_regression: bool) -> float:
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
