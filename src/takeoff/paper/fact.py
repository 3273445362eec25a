"""One fact: a number of the paper with its text, its interval and its source.

`fact` makes one of anything that can be written; `of_share`, `of_error` and the like know how
numbers of a kind are. What writes a number (`share`, `about`, `money`) is given to `fact`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from takeoff import wording

if TYPE_CHECKING:
    import pandas as pd

    from takeoff.measures import Measure

Ends = tuple[Any, Any]
Source = tuple[str, str]
NONE: Ends = (None, None)


@dataclass(frozen=True)
class Fact:
    """A number with its text.

    Attributes:
        id: Its name.
        value: The number itself, in `unit`; None where `text` isn't a number (a version).
        low, high: Its interval, or None.
        unit: What the number counts: "share" is a fraction of 1, shown as a percentage.
        text: How the paper prints it, without its unit.
        interval: How the paper prints the interval, or None.
        source: `file` (below results/<study>/) and `select`: the rows and column behind it.
        suffix: The unit that follows it in a sentence, such as "nats"; or "".
        by: Path, line and name of the code that wrote it.
        origin: Its place among the paper's origins, see `takeoff.paper.origins`.
    """

    id: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    text: str
    interval: str | None
    source: dict[str, str]
    suffix: str = ""
    by: str = ""
    origin: int | None = None


# Facts of some kinds


def fact(
    fact_id: str,
    value: float,
    write: Callable[..., str],
    unit: str,
    source: Source,
    ends: Ends = NONE,
    decimals: Callable[[float], int] | None = None,
) -> Fact:
    """A fact and, where it has one, its interval, written with the same decimals."""
    low, high = (number(end) for end in ends)
    known = number(value)
    with_decimals = (decimals(known),) if decimals and known is not None else ()
    interval = None
    if low is not None and high is not None:
        interval = wording.between(write(low, *with_decimals), write(high, *with_decimals))
    text = wording.UNKNOWN if known is None else write(known, *with_decimals)
    where = {"file": source[0], "select": source[1]}
    return Fact(fact_id, known, low, high, unit, text, interval, where)


def number(value: Any) -> float | None:
    """A finite number, or None."""
    if missing(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)


def of_share(fact_id: str, value: float, source: Source, ends: Ends = NONE) -> Fact:
    """A test error or another fraction; an interval is cut where no fraction can be."""
    cut = tuple(None if number(end) is None else min(max(end, 0.0), 1.0) for end in ends)
    decimals = wording.percent_decimals
    return fact(fact_id, value, wording.percent, "share", source, (cut[0], cut[1]), decimals)


def of_error(
    fact_id: str,
    value: float,
    measure: Measure,
    source: Source,
    ends: Ends = NONE,
) -> Fact:
    """An error of one data set, as what it is judged by is written."""
    if measure.is_share:
        return of_share(fact_id, value, source, ends)
    cut = tuple(None if number(end) is None else measure.cut(end) for end in ends)
    unit = measure.suffix or "unit of the label"
    found = fact(fact_id, value, measure.write, unit, source, (cut[0], cut[1]))
    return replace(found, suffix=measure.suffix)


def of_gap(
    fact_id: str,
    value: float,
    measure: Measure,
    source: Source,
    ends: Ends = NONE,
) -> Fact:
    """A difference of two errors of one data set; of shares in percentage points."""
    unit = "share (shown in points)" if measure.is_share else measure.suffix or "unit of the label"
    near = (lambda gap: gap) if measure.is_share else None
    found = fact(fact_id, value, measure.write_gap, unit, source, ends, near)
    return replace(found, suffix=measure.gap_suffix)


def in_points(gap: Fact, measure: Measure) -> Fact:
    """A difference of errors that a sentence speaks of: of shares, with its unit."""
    return replace(gap, suffix="points") if measure.is_share else gap


def of_reduction(fact_id: str, value: float, source: Source, ends: Ends) -> Fact:
    """A relative reduction per doubling; may be negative."""
    return fact(fact_id, value, wording.percent, "share", source, ends, lambda _: 1)


def of_decimal(
    fact_id: str,
    value: float,
    unit: str,
    source: Source,
    ends: Ends = NONE,
    decimals: int = 2,
) -> Fact:
    return fact(fact_id, value, wording.decimal, unit, source, ends, lambda _: decimals)


def of_count(fact_id: str, value: float, source: Source) -> Fact:
    return fact(fact_id, value, wording.count, "count", source)


def of_text(fact_id: str, text: str, source: Source) -> Fact:
    """Something that is printed like a number but isn't one: a version, a grid of settings."""
    where = {"file": source[0], "select": source[1]}
    return Fact(fact_id, None, None, None, "text", text, None, where)


def ends_of(row: Mapping[str, Any] | pd.Series[Any], name: str = "") -> Ends:
    return row[f"{name}low"], row[f"{name}high"]


# How numbers are written


def missing(value: Any) -> bool:
    """None, NaN or infinite: not a number that can be printed."""
    return value is None or not math.isfinite(value)


def about(m: float) -> str:
    """An estimated number of labels: two digits."""
    if m <= 0:
        return wording.count(0)
    digits = 1 - math.floor(math.log10(m))
    return wording.count(round(m, min(digits, 0)))


def error(measure: Measure, near: float) -> Callable[[float], str]:
    """How an error is written, without its unit.

    Args:
        measure: What the data set is judged by.
        near: An error whose decimals the others get too.
    """
    return lambda value: measure.write(measure.cut(value), near)


def share(value: float) -> str:
    """A share of an error."""
    return wording.percent(value, 0 if abs(value) >= 0.095 else 1)


def money(currency: str) -> Callable[[float], str]:
    """An amount: cents only where they matter."""
    return lambda value: (
        f"{wording.decimal(value, 2 if abs(value) < 100 else 0)}{wording.NO_BREAK}{currency}"
    )


def about_money(currency: str) -> Callable[[float], str]:
    """An estimated amount: two digits."""
    return lambda value: (
        f"{few_digits(value) if value < 10 else about(value)}{wording.NO_BREAK}{currency}"
    )


def few_digits(value: float) -> str:
    return wording.decimal(value, wording.significant(value, 2, most=3))


def small_share(value: float) -> str:
    """A share that may be far below a hundredth."""
    return wording.percent(value, wording.significant(100 * value, 2, most=4))


def times(factor: float) -> str:
    return wording.plain_number(factor)
