"""Tables read batch by batch: CSV, Parquet and NumPy arrays, whatever the number of rows.

A CSV file is read as text, column by column; what a column holds is decided in
`takeoff.datasets.encoding`, by the whole column and not by its first rows. Messages name the file
(without its folder, where that lies outside the project), columns and row numbers, never what is
written in a cell.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from takeoff.errors import TakeoffError
from takeoff.files import sha256

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_AT_ONCE = 2**16
HASHED_BY_CONTENT = 2**27  # bytes of a file
BYTES_AT_ONCE = 2**23  # of a CSV file; a row can't be longer
DELIMITERS = ",;\t|"
CSV_ENDINGS = (".csv", ".tsv", ".txt")
PARQUET_ENDINGS = (".parquet", ".pq")
ARRAY_ENDINGS = (".npz", ".npy")
MISSING = (
    *("", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-NaN", "-nan"),
    *("NULL", "null", "None"),
)
OTHER_ENCODINGS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class Table(Protocol):
    """Rows of named columns."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names, each once."""

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows in order, a portion at a time, of the named columns in the order asked for.

        Raises:
            TakeoffError: The file can't be read to its end.
        """


def shown(path: Path) -> str:
    """A path for a message or a log: from the project's folder, or only the file's name."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return path.name


def fingerprint_of(path: Path) -> str:
    """What changes when a file, or anything in a folder, is another: for a job's parameters.

    By content; of large files and of folders by names, sizes and times of the last change.
    """
    if path.is_file() and path.stat().st_size <= HASHED_BY_CONTENT:
        return sha256(path)[:16]
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    total = hashlib.sha256()
    for file in files:
        if file.is_file():
            state = file.stat()
            within = file.relative_to(path) if path.is_dir() else file.name
            total.update(f"{within}|{state.st_size}|{state.st_mtime_ns}\n".encode())
    return total.hexdigest()[:16]


def open_table(path: Path) -> Table:
    """Open a file by its ending.

    Raises:
        TakeoffError: There is no such file, its kind is unknown, or it holds no table.
    """
    if path.is_dir():
        raise refusal(
            path, "is a folder", "name a file in it; of pictures, a folder for each class"
        )
    if not path.exists():
        raise refusal(path, "does not exist", "mend `path` in the config")
    ending = path.suffix.lower()
    table: Table
    if ending in CSV_ENDINGS:
        table = CsvTable(path)
    elif ending in PARQUET_ENDINGS:
        table = ParquetTable(path)
    elif ending in ARRAY_ENDINGS:
        table = open_arrays(path)
    else:
        known = ", ".join((*CSV_ENDINGS, *PARQUET_ENDINGS, *ARRAY_ENDINGS))
        raise refusal(path, "is of no known kind", f"give one that ends in {known}")
    _check_names(path, table.columns)
    return table


def refusal(path: Path, problem: str, remedy: str) -> TakeoffError:
    """The error for a file that can't be used."""
    return TakeoffError(problem, where=shown(path), remedy=remedy)


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise refusal(
            path, f"has more than one column '{twice[0]}'", "give each column a name of its own"
        )
    if "" in names:
        number = list(names).index("") + 1
        raise refusal(path, f"has no name for column {number}", "give each column a name")


@dataclass(frozen=True)
class CsvTable:
    """A text file with a header line, in UTF-8; its delimiter is the one the header has most of."""

    path: Path

    @cached_property
    def _header(self) -> tuple[str, tuple[str, ...]]:
        """The delimiter, and the fields of the first line that has any."""
        try:
            with open(self.path, "rb") as file:
                if file.read(2) in OTHER_ENCODINGS:
                    raise _not_utf8(self.path)
            with open(self.path, encoding="utf-8-sig", newline="") as text:
                first = next((line for line in text if line.strip()), "")
                outside = re.sub(r'"[^"]*"', "", first)
                delimiter = max(DELIMITERS, key=outside.count)
                text.seek(0)
                rows = csv.reader(text, delimiter=delimiter)
                return delimiter, tuple(next((row for row in rows if row), ()))
        except UnicodeDecodeError as error:
            raise _not_utf8(self.path) from error
        except csv.Error as error:
            raise refusal(self.path, f"has no readable header ({error})", "mend it") from error
        except OSError as error:
            raise refusal(self.path, f"can't be read: {error.strerror}", "mend it") from error

    @property
    def delimiter(self) -> str:
        """One of `DELIMITERS`; what stands within quotes does not count."""
        return self._header[0]

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The header line's fields."""
        names = tuple(name.strip() for name in self._header[1])
        if not any(names):
            raise refusal(self.path, "is empty", "give a table with a header line")
        return names

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Rows as text; what is empty or written as one of `MISSING` is null."""
        import pyarrow as pa

        try:
            for batch in self._open(columns):
                yield batch.select(list(columns))
        except pa.ArrowInvalid as error:
            # Its own words quote the row.
            raise self._refused(str(error)) from None
        except OSError as error:
            raise refusal(self.path, f"can't be read: {error.strerror}", "mend it") from None

    def _open(self, columns: Sequence[str]) -> Any:
        import pyarrow as pa
        from pyarrow import csv as arrow

        return arrow.open_csv(
            self.path,
            read_options=arrow.ReadOptions(
                use_threads=False,  # else errors do not say which row
                block_size=BYTES_AT_ONCE,
                column_names=list(self.columns),
                skip_rows=0,
                skip_rows_after_names=1,
            ),
            parse_options=arrow.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            convert_options=arrow.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(self.columns, pa.string()),
                null_values=list(MISSING),
                strings_can_be_null=True,
                check_utf8=True,
            ),
        )

    def _refused(self, message: str) -> TakeoffError:
        row = re.search(r"Row #(\d+)", message)
        where = f" in line {row[1]}" if row else ""
        counts = re.search(r"Expected (\d+) columns, got (\d+)", message)
        if "UTF8" in message or "UTF-8" in message:
            return _not_utf8(self.path)
        if counts:
            problem = f"has {counts[2]} fields{where} and {counts[1]} names in the header"
            remedy = "mend the line: fields that contain the delimiter need quotes"
            return refusal(self.path, problem, remedy)
        if "straddling" in message:
            problem = f"has a row of more than {BYTES_AT_ONCE:,} bytes{where}"
            return refusal(self.path, problem, "look for a quote that is never closed")
        return refusal(self.path, f"can't be read as a table{where}", "look for unclosed quotes")


def _not_utf8(path: Path) -> TakeoffError:
    return refusal(
        path, "is not written in UTF-8", "convert it: iconv -f latin1 -t utf-8 OLD > NEW.csv"
    )


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file."""

    path: Path

    @cached_property
    def _file(self) -> Any:
        import pyarrow as pa
        from pyarrow import parquet

        try:
            return parquet.ParquetFile(self.path)
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damaged() from error

    def _damaged(self) -> TakeoffError:
        return refusal(self.path, "is no whole Parquet file", "write it again")

    @property
    def columns(self) -> tuple[str, ...]:
        """The schema's names."""
        return tuple(self._file.schema_arrow.names)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Rows with the types that the file gives them."""
        import pyarrow as pa

        try:
            for batch in self._file.iter_batches(ROWS_AT_ONCE, columns=list(columns)):
                yield batch.select(list(columns))
        except (pa.ArrowInvalid, OSError) as error:
            raise self._damaged() from error


@dataclass(frozen=True)
class HeldTable:
    """Arrays of equal length, held in memory or mapped.

    Attributes:
        path: Where they come from.
        arrays: Examples `x`, [n, ...], and one-dimensional arrays, [n], by name.
        left_out: How many examples were left out while reading, by reason.
    """

    path: Path
    arrays: Mapping[str, Any]
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def pictures(self) -> bool:
        """Whether x is stored as it is: bytes, or more than one axis for an example."""
        x = self.arrays["x"]
        return bool(x.dtype == np.uint8 or x.ndim > 2)

    @property
    def columns(self) -> tuple[str, ...]:
        """The arrays, and each feature of x as x0, x1, ... unless x is taken as it is."""
        width = 0 if self.pictures else self.arrays["x"].shape[1]
        return (*(name for name in self.arrays if name != "x"), *(f"x{i}" for i in range(width)))

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Rows with the types of the arrays."""
        import pyarrow as pa

        for start in range(0, len(self.arrays["x"]), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            values = [pa.array(np.ascontiguousarray(self._column(name)[part])) for name in columns]
            yield pa.record_batch(values, names=list(columns))

    def _column(self, name: str) -> Any:
        return self.arrays[name] if name in self.arrays else self.arrays["x"][:, int(name[1:])]


def open_arrays(path: Path) -> HeldTable:
    """NumPy arrays of equal length.

    Of an .npz file, `x` holds the examples and every other array can be the label, group, time or
    weight. Beside an .npy file of examples, those are .npy files of their own in its folder.

    Raises:
        TakeoffError: The file is damaged, holds Python objects, or has no examples.
    """
    try:
        found = _neighbours(path) if path.suffix.lower() == ".npy" else _members(path)
    # A damaged byte can surface as nearly any exception of zipfile or numpy.
    except Exception as error:
        raise refusal(
            path,
            "can't be read as arrays of numbers or text",
            "write it with numpy.savez(x=..., y=...), without objects",
        ) from error
    if found["x"] is None or found["x"].ndim < 2:
        raise refusal(path, "has no array x with a row for each example", "name the examples x")
    rows = len(found["x"])
    for name, array in found.items():
        if name != "x" and array.shape != (rows,):
            problem = f"holds '{name}' of shape {array.shape}, and {rows:,} rows of x"
            raise refusal(path, problem, f"leave '{name}' out, or give it a value for each row")
    return HeldTable(path, found)


def _members(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        found = {name: file[name] for name in file.files}
    return {"x": found.pop("X", None), **found}


def _neighbours(path: Path) -> dict[str, Any]:
    x = np.load(path, mmap_mode="r", allow_pickle=False)
    found = {"x": x}
    for other in sorted(path.parent.glob("*.npy")):
        array = np.load(other, mmap_mode="r", allow_pickle=False) if other != path else x
        if array.shape == x.shape[:1]:
            found[other.stem] = array
    return found
