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
from typing import Any

import numpy as np
import numpy.typing as npt

from takeoff.datasets import encoding, images, readers
from takeoff.datasets.base import (
    Dataset,
    Floats,
    Labels,
    Stored,
    Targets,
    release,
)
from takeoff.datasets.choosing import ROLES, Chosen, Labelling, Rows, Wish, choose
from takeoff.datasets.noise import label_noise
from takeoff.errors import TakeoffError, nearest
from takeoff.kinds import Kind
from takeoff.metrics import Metric

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
            (`takeoff.settings.DatasetSettings.table_settings`).
        paths: Where they are: "path" and, if there is one, "test_path".
        cache: Folder for large arrays while they are in use.

    Raises:
        TakeoffError: A file can't be read, a column is not there, or too few rows can be used.
    """
    wish = Wish(name, seed, pool, test, settings, {key: Path(p) for key, p in paths.items()})
    main = open_source(wish.paths["path"], wish)
    given = open_source(wish.paths["test_path"], wish) if "test_path" in wish.paths else None
    labels = Labelling(wish)
    known = labels.read(main.table, main.left_out)
    known_test = labels.read(given.table, given.left_out) if given else None
    classes = labels.finish([known, *([known_test] if known_test else [])])
    chosen = choose(wish, known, known_test)
    features = main.features(chosen.pool, Scratch(cache))
    x_pool, x_test = _examples(features, main, given, chosen)
    label = np.float64 if settings["task"] == "regression" else np.int64
    y_pool = known.label[chosen.pool].astype(label)
    y_test = (known_test or known).label[chosen.test].astype(label)
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


def default_metric(y: Targets, n_classes: int) -> Metric:
    """RMSE of numbers; of classes the error rate, or the balanced error if one is rare.

    Rare is a class with less than a fifth of an equal share: below 10 % of two classes.
    """
    if n_classes == 0:
        return "rmse"
    shares = np.bincount(y, minlength=n_classes) / len(y)
    return "balanced_error" if shares.min() < RARE / n_classes else "error_rate"


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
        kinds = [kind for column in columns for kind in column.kinds]
        self.kinds, self._width = np.array(kinds, dtype=np.int8), len(kinds)

    def take(self, source: Source, rows: Rows) -> Stored:
        """Features of every column side by side."""
        found = self._scratch.array((len(rows), self._width), np.float32)
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


def _description(settings: Mapping[str, Any], source: Source, features: Features) -> str:
    own = settings["description"]
    if isinstance(features, Columns):
        counts = _columns_in_words(source, features)
        return f"{own.rstrip('.')}: a table of {counts}" if own else f"A table of {counts}"
    return str(own or "Arrays of equal shape, taken as they are")


def _columns_in_words(source: Source, features: Columns) -> str:
    kinds = Counter(source.kinds.values())
    ignored = kinds.pop("ignore", 0)
    constant = sum(column.constant for column in features.columns)
    odd = sum(column.odd for column in features.columns)
    said = [f"{n} with {PLURALS[kind]}" for kind, n in kinds.items()]
    texts = [f"{_plural(len(source.kinds), 'column')} beside the label ({', '.join(said)})"]
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


def _numbered(group: npt.NDArray[np.uint64]) -> Labels:
    """Hashes of groups as numbers from 0."""
    return np.unique(group, return_inverse=True)[1].astype(np.int64)
