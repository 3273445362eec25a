"""Columns of a table as features: how each kind of column becomes numbers.

The layout (which features there are) is found from the pool's rows, and never from labels. Scales
are not part of it: those are fitted anew on the training rows of every cell, in
`takeoff.training`. What a column holds is one of

- number: as it is; NaN where it is missing, infinite or no number at all.
- boolean: 0 or 1.
- category: a 0/1 feature for each value, up to 64 of them; a value that the pool has not is all
  zeros. With more values, 64 buckets that a keyed hash of the value chooses from.
- date: days since 2000 as the trend, month, day of the month, hour, and a 0/1 feature for each
  day of the week.
- text: hashed words and pairs of words (term frequencies of unit length), and its length.
- ignore: left out.

A column with missing values in the pool gets one more 0/1 feature that says where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import INDICATOR, NUMERIC, Floats
from takeoff.errors import TakeoffError
from takeoff.kinds import KINDS, Kind

if TYPE_CHECKING:
    import pyarrow as pa

Doubles: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

CATEGORIES = 64
TEXT_WIDTH = 256
HASH_KEY = b"takeoff category"
DATE_FORMATS = ("ISO8601", "%Y/%m/%d", "%Y/%m/%d %H:%M:%S", "%d.%m.%Y", "%d.%m.%Y %H:%M:%S")
EPOCH = "2000-01-01"
SECONDS_A_DAY = 86_400.0
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
# Single precision has 24 binary digits: a column whose values are all close to a large number
# (seconds since 1970, coordinates in metres) is moved to zero before it loses them.
NARROW = 1e-3


class Encoder:
    """One column as features. `look` at the pool's rows first, portion by portion; then `encode`.

    Attributes:
        odd: Cells whose value is none of the column's kind; they count as missing.
    """

    def __init__(self, name: str):
        self.name = name
        self.odd = 0
        self._missing = False

    def look(self, cells: pa.Array) -> None:
        """Take notice of a portion of the pool's rows."""
        values, missing = self._read(cells)
        self._missing |= bool(missing.any())
        self._notice(values, missing)

    def encode(self, cells: pa.Array) -> Floats:
        """Cells [k] as features [k, width]; NaN where a number is missing."""
        values, missing = self._read(cells)
        self.odd += int((missing & ~_nulls(cells)).sum())
        features = [] if self.constant else [self._features(values, missing)]
        if self._missing:
            features.append(missing[:, None].astype(np.float32))
        return np.hstack(features) if features else np.empty((len(cells), 0), np.float32)

    @property
    def kinds(self) -> list[int]:
        """`NUMERIC` or `INDICATOR` of each feature."""
        return ([] if self.constant else self._kinds()) + [INDICATOR] * self._missing

    @property
    def constant(self) -> bool:
        """Whether all rows of the pool that are not missing have one value, or there is none."""
        raise NotImplementedError

    def _read(self, cells: pa.Array) -> tuple[Any, Mask]:
        """Values of the kind, and where there are none."""
        raise NotImplementedError

    def _notice(self, values: Any, missing: Mask) -> None:
        raise NotImplementedError

    def _features(self, values: Any, missing: Mask) -> Floats:
        raise NotImplementedError

    def _kinds(self) -> list[int]:
        raise NotImplementedError


class Number(Encoder):
    """A number is one feature."""

    def __init__(self, name: str):
        super().__init__(name)
        self._low, self._high = np.inf, -np.inf

    def _read(self, cells: pa.Array) -> tuple[Doubles, Mask]:
        values = numbers(cells, self.name)
        # Beyond single precision is as good as infinite.
        missing = ~(abs(values) <= float(np.finfo(np.float32).max))
        return values, missing

    def _notice(self, values: Doubles, missing: Mask) -> None:
        if not missing.all():
            present = values[~missing]
            self._low = min(self._low, float(present.min()))
            self._high = max(self._high, float(present.max()))

    @property
    def constant(self) -> bool:
        """Whether the smallest value is the largest."""
        return self._low >= self._high

    def _features(self, values: Doubles, missing: Mask) -> Floats:
        narrow = self._high - self._low < NARROW * max(abs(self._low), abs(self._high))
        moved = np.where(missing, np.nan, values) - (self._low if narrow else 0.0)
        return moved.astype(np.float32)[:, None]

    def _kinds(self) -> list[int]:
        return [NUMERIC]


class Boolean(Encoder):
    """Yes or no is one feature."""

    def __init__(self, name: str):
        super().__init__(name)
        self._seen: set[float] = set()

    def _read(self, cells: pa.Array) -> tuple[Doubles, Mask]:
        meaning = {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}
        values = by_value(cells, lambda value: meaning.get(value.casefold(), np.nan), np.nan)
        return values, np.isnan(values)

    def _notice(self, values: Doubles, missing: Mask) -> None:
        self._seen.update(np.unique(values[~missing]).tolist())

    @property
    def constant(self) -> bool:
        """Whether only one of the two occurs."""
        return len(self._seen) < 2

    def _features(self, values: Doubles, missing: Mask) -> Floats:
        return np.where(missing, 0.0, values).astype(np.float32)[:, None]

    def _kinds(self) -> list[int]:
        return [INDICATOR]


class Category(Encoder):
    """A value is a 0/1 feature, or switches on one of 64."""

    def __init__(self, name: str):
        super().__init__(name)
        self._values: set[str] = set()

    @property
    def hashed(self) -> bool:
        """Whether there are too many values for a feature each."""
        return len(self._values) > CATEGORIES

    def _read(self, cells: pa.Array) -> tuple[pa.Array, Mask]:
        return cells, _nulls(cells)

    def _notice(self, values: pa.Array, missing: Mask) -> None:
        for value in _distinct(values):
            if self.hashed:
                return
            self._values.add(value)

    @property
    def constant(self) -> bool:
        """Whether there is one value."""
        return len(self._values) < 2

    def _features(self, values: pa.Array, missing: Mask) -> Floats:
        place = {value: i for i, value in enumerate(sorted(self._values))}
        find = _bucket if self.hashed else lambda value: place.get(value, -1)
        codes = by_value(values, find, -1)
        return np.asarray(codes[:, None] == np.arange(len(self._kinds())), dtype=np.float32)

    def _kinds(self) -> list[int]:
        return [INDICATOR] * (CATEGORIES if self.hashed else len(self._values))


class Date(Encoder):
    """A date is its parts and the trend; those that never change are left out."""

    def __init__(self, name: str):
        super().__init__(name)
        self._low: Doubles | None = None
        self._high: Doubles | None = None

    def _read(self, cells: pa.Array) -> tuple[Doubles, Mask]:
        values = _parts(dates(cells, self.name))
        return values, np.isnan(values[:, 0])

    def _notice(self, values: Doubles, missing: Mask) -> None:
        if missing.all():
            return
        low, high = values[~missing].min(axis=0), values[~missing].max(axis=0)
        self._low = low if self._low is None else np.minimum(low, self._low)
        self._high = high if self._high is None else np.maximum(high, self._high)

    @property
    def _varies(self) -> Mask:
        if self._low is None or self._high is None:
            return np.zeros(11, dtype=bool)
        return np.asarray(self._low < self._high)

    @property
    def constant(self) -> bool:
        """Whether there is one point in time."""
        return not self._varies.any()

    def _features(self, values: Doubles, missing: Mask) -> Floats:
        values[missing, 4:] = 0.0
        return values[:, self._varies].astype(np.float32)

    def _kinds(self) -> list[int]:
        kinds = np.array([NUMERIC] * 4 + [INDICATOR] * 7)
        return [int(kind) for kind in kinds[self._varies]]


class Text(Encoder):
    """Words and pairs of words, hashed (Weinberger et al. 2009), and the number of characters."""

    def __init__(self, name: str):
        super().__init__(name)
        self._first: str | None = None
        self._varies = False

    def _read(self, cells: pa.Array) -> tuple[list[str], Mask]:
        missing = _nulls(cells)
        return [value or "" for value in _texts(cells).to_pylist()], missing

    def _notice(self, values: list[str], missing: Mask) -> None:
        if self._varies:
            return
        for value in (value for value, gap in zip(values, missing, strict=True) if not gap):
            self._first = value if self._first is None else self._first
            self._varies |= value != self._first

    @property
    def constant(self) -> bool:
        """Whether all texts are one."""
        return not self._varies

    def _features(self, values: list[str], missing: Mask) -> Floats:
        hashed = np.asarray(_vectorizer().transform(values).toarray(), dtype=np.float32)
        length = np.array([len(value) for value in values], dtype=np.float32)
        length[missing] = np.nan
        return np.hstack([hashed, length[:, None]])

    def _kinds(self) -> list[int]:
        return [NUMERIC] * (TEXT_WIDTH + 1)


ENCODERS: dict[str, type[Encoder]] = {
    "number": Number,
    "boolean": Boolean,
    "category": Category,
    "date": Date,
    "text": Text,
}


def numbers(cells: pa.Array, name: str) -> Doubles:
    """Cells as numbers, [k]; NaN where there is none.

    Raises:
        TakeoffError: The column is of a type that has no numbers (a list, a date).
    """
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = _plain(cells)
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        cells = pc.utf8_trim_whitespace(cells)
    try:
        found = pc.cast(cells, pa.float64(), safe=False)
    except pa.ArrowInvalid:
        return np.asarray(pd.to_numeric(cells.to_pandas(), errors="coerce"), dtype=np.float64)
    except pa.ArrowNotImplementedError:
        raise _wrong_kind(name, "numbers", cells) from None
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.float64)


def dates(cells: pa.Array, name: str) -> npt.NDArray[np.datetime64]:
    """Cells as points in time, [k], to the second; NaT where there is none.

    Raises:
        TakeoffError: The column is of a type that has no dates.
    """
    import pandas as pd
    import pyarrow as pa

    cells = _plain(cells)
    if pa.types.is_temporal(cells.type):
        try:
            return np.asarray(cells.cast(pa.timestamp("s"), safe=False)).astype("datetime64[s]")
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise _wrong_kind(name, "dates", cells) from None
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)):
        raise _wrong_kind(name, "dates", cells)
    texts = cells.to_pandas()
    found = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[s]")
    for form in DATE_FORMATS:
        waiting = np.isnat(found) & texts.notna().to_numpy()
        if not waiting.any():
            break
        parsed = pd.to_datetime(texts[waiting], format=form, errors="coerce", utc=True)
        found[waiting] = parsed.dt.tz_localize(None).to_numpy().astype("datetime64[s]")
    return found


def _parts(moments: npt.NDArray[np.datetime64]) -> Doubles:
    """Days since 2000, month, day of the month, hour, and Monday to Sunday as 0/1: [k, 11]."""
    missing = np.isnat(moments)
    days = moments.astype("datetime64[D]")
    months = moments.astype("datetime64[M]")
    trend = (moments - np.datetime64(EPOCH, "s")).astype(float) / SECONDS_A_DAY
    hour = (moments - days.astype("datetime64[s]")).astype(float) / 3600.0
    month = months.astype("int64") % 12 + 1.0
    day = (days - months.astype("datetime64[D]")).astype(float) + 1.0
    weekday = (days.astype("int64") + 3) % 7  # day 0, 1 January 1970, was a Thursday
    parts = np.column_stack([trend, month, day, hour, weekday[:, None] == np.arange(7)])
    parts[missing] = np.nan
    return parts


def category(value: str) -> str:
    """What two cells must share to be of one category: the text, without spaces around it."""
    return value.strip()


def stable_hash(value: str, key: bytes = HASH_KEY) -> int:
    """64 bits of a text, the same in every process and on every machine."""
    return int.from_bytes(
        hashlib.blake2b(value.encode(), key=key, digest_size=8).digest(), "little"
    )


def _bucket(value: str) -> int:
    return stable_hash(value) % CATEGORIES


@lru_cache(maxsize=1)
def _vectorizer() -> Any:
    from sklearn.feature_extraction.text import HashingVectorizer

    return HashingVectorizer(n_features=TEXT_WIDTH, ngram_range=(1, 2), norm="l2")


def _plain(cells: pa.Array) -> pa.Array:
    import pyarrow as pa

    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _nulls(cells: pa.Array) -> Mask:
    """Where a cell is empty (or NaN), [k]."""
    import pyarrow as pa

    gaps = cells.is_null(nan_is_null=pa.types.is_floating(cells.type))
    return np.asarray(gaps.to_numpy(zero_copy_only=False))


def _texts(cells: pa.Array) -> pa.Array:
    """Cells as text; a whole number has no decimal point, whatever its type."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = _plain(cells)
    if pa.types.is_floating(cells.type):
        return pa.array([None if v is None or v != v else f"{v:.15g}" for v in cells.to_pylist()])
    try:
        return pc.cast(cells, pa.large_string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None if value is None else str(value) for value in cells.to_pylist()])


def _coded(cells: pa.Array) -> tuple[list[str | None], npt.NDArray[np.int64]]:
    """Distinct texts, and which of them each cell is, [k]; -1 for none."""
    coded = _plain(cells).dictionary_encode()
    names = [
        None if value is None else category(value) for value in _texts(coded.dictionary).to_pylist()
    ]
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return names, codes


def _distinct(cells: pa.Array) -> list[str]:
    return [name for name in _coded(cells)[0] if name is not None]


def by_value(cells: pa.Array, find: Callable[[str], Any], missing: Any) -> npt.NDArray[Any]:
    """`find` of each cell, [k], called once for each distinct text."""
    names, codes = _coded(cells)
    found = [missing if name is None else find(name) for name in names]
    return np.array([*found, missing])[codes]


def _wrong_kind(name: str, wanted: str, cells: pa.Array) -> TakeoffError:
    return TakeoffError(
        f"column '{name}' is of type {cells.type}, which holds no {wanted}",
        where="config: datasets.*.columns",
        remedy=f"give it another kind: {', '.join(KINDS)}",
    )


def guess(cells: pa.Array, name: str) -> tuple[Kind, str]:
    """The kind of a column, from a sample of its cells, and the reason in words.

    Args:
        cells: Consecutive rows of the column.
        name: Of the column, for messages.
    """
    import pyarrow as pa

    cells = _plain(cells)
    present = cells.drop_null()
    if len(present) == 0:
        return "ignore", "empty"
    if pa.types.is_boolean(cells.type):
        return "boolean", "yes or no"
    if pa.types.is_timestamp(cells.type) or pa.types.is_date(cells.type):
        return "date", "dates"
    if pa.types.is_nested(cells.type) or pa.types.is_binary(cells.type):
        return "ignore", f"of type {cells.type}"
    values = numbers(present, name)
    share = float(np.isfinite(values).mean())
    if share >= 0.95:
        return _guess_number(values[np.isfinite(values)], share)
    return _guess_text(present, name)


def _guess_number(values: Doubles, share: float) -> tuple[Kind, str]:
    distinct = np.unique(values)
    if set(distinct.tolist()) == {0.0, 1.0}:
        return "boolean", "0 or 1"
    if len(values) > 20 and (np.diff(values) == 1).all():
        return "ignore", "counts the rows"
    others = "" if share == 1 else f", {1 - share:.1%} of the sample is no number"
    return "number", f"numbers{others}"


def _guess_text(present: pa.Array, name: str) -> tuple[Kind, str]:
    texts = [category(text) for text in _texts(present).to_pylist()]
    distinct = {text.casefold() for text in texts}
    if distinct <= {*TRUE, *FALSE}:
        return "boolean", "yes or no"
    if not np.isnat(dates(_texts(present).cast("string"), name)).any():
        return "date", "dates"
    words = float(np.mean([len(text.split()) for text in texts]))
    if words > 3 and len(distinct) > min(CATEGORIES, len(texts) / 2):
        return "text", f"about {words:.0f} words a row"
    if len(texts) > 20 and len(distinct) > 0.9 * len(texts):
        return "ignore", "nearly every row has a value of its own"
    return "category", f"{len(distinct):,} values in the sample"


def encoders(kinds: Iterable[tuple[str, str]]) -> list[Encoder]:
    """An encoder for each (column, kind) that is not ignored."""
    return [ENCODERS[kind](name) for name, kind in kinds if kind != "ignore"]


def encode(columns: Sequence[Encoder], cells: Sequence[pa.Array]) -> Floats:
    """A portion of k rows as features, [k, d]."""
    return np.hstack([column.encode(part) for column, part in zip(columns, cells, strict=True)])
