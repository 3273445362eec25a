"""What a data set's learning curves are drawn of: its name, its unit, and how it is written.

A share is written as a percentage and a difference of shares in percentage points; a log-loss in
nats; a root mean squared error in the unit of the label. The decimals of the last two are those
that the smallest error of the data set needs, so that its numbers can be compared at sight.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from takeoff import wording
from takeoff.metrics import Metric

NAMES: Mapping[Metric, tuple[str, str]] = {  # in a sentence: one, several
    "error_rate": ("test error", "test errors"),
    "balanced_error": ("balanced test error", "balanced test errors"),
    "log_loss": ("log-loss", "log-losses"),
    "rmse": ("root mean squared error", "root mean squared errors"),
}
MEANINGS: Mapping[Metric, str] = {
    "error_rate": "the share of wrong decisions",
    "balanced_error": "the share of wrong decisions within each class, averaged over the classes",
    "log_loss": "the mean negative logarithm of the probability that was given to what happened",
    "rmse": "the square root of the mean squared distance between prediction and label",
}
SHARES = ("error_rate", "balanced_error")
POINTS = "percentage points"
NATS = "nats"
MOST_DECIMALS = 12
LABEL_WIDTH = 30  # characters along an axis of a small panel
# A log-loss is mostly floor: what learners differ by is in its later digits.
DIGITS = {"log_loss": 4}
DIGITS_OF_OTHERS = 3


@dataclass(frozen=True)
class Measure:
    """What one data set is judged by, and the errors that bound it.

    Attributes:
        metric: See `takeoff.metrics`.
        unit: Of the label in regression, as readers see it; or one of a log-loss that is not in
            nats. May be empty.
        floor: The error of the best possible predictions; None where it is not known, or zero.
        floor_is_bound: Whether the best possible error may be larger than `floor`.
        chance: The error of the best constant prediction; None where it is not known.
        decimals: Of an error that isn't a share.
    """

    metric: Metric = "error_rate"
    unit: str = ""
    floor: float | None = None
    floor_is_bound: bool = False
    chance: float | None = None
    decimals: int = 4

    @classmethod
    def of(cls, sheet: Mapping[str, Any], errors: Iterable[float] = ()) -> Measure:
        """What a data set's sheet (`Dataset.sheet`) says.

        Args:
            sheet: A table of curves that were measured elsewhere has no more than a metric.
            errors: Of its learning curves; the smallest says how many decimals are needed.
        """
        metric = sheet.get("metric", "error_rate")
        # The posterior's decisions have the lowest error rate, but not the lowest balanced error.
        unsure = metric == "balanced_error" and not sheet.get("given")
        floor = None if unsure else sheet.get("floor") or None  # all errors lie above zero
        return cls(
            metric=metric,
            unit="" if metric in SHARES else wording.clean(sheet.get("unit", "")),
            floor=floor,
            floor_is_bound=floor is not None and bool(sheet.get("floor_is_bound")),
            chance=sheet.get("chance"),
        ).fitting(errors)

    def fitting(self, errors: Iterable[float]) -> Measure:
        """The same measure, with the decimals that these errors need."""
        digits = DIGITS.get(self.metric, DIGITS_OF_OTHERS)
        smallest = min((error for error in errors if error > 0), default=0.0)
        if not smallest or not math.isfinite(smallest):
            return self
        return replace(self, decimals=wording.significant(smallest, digits, most=MOST_DECIMALS))

    @property
    def is_share(self) -> bool:
        """Whether errors are fractions of 1, shown as percentages."""
        return self.metric in SHARES

    @property
    def name(self) -> str:
        """As it stands in a sentence, after an article."""
        return NAMES[self.metric][0]

    @property
    def plural(self) -> str:
        return NAMES[self.metric][1]

    @property
    def mean(self) -> str:
        """Of several repeats."""
        return f"{'average' if 'mean' in self.name else 'mean'} {self.name}"

    @property
    def meaning(self) -> str:
        return MEANINGS[self.metric]

    @property
    def suffix(self) -> str:
        """What follows an error in a sentence: its unit. The sign of a percentage is no unit."""
        return self.unit or (NATS if self.metric == "log_loss" else "")

    @property
    def gap_suffix(self) -> str:
        """What follows a difference of two errors."""
        return POINTS if self.is_share else self.suffix

    @property
    def is_exact(self) -> bool:
        """Whether the error of the best possible predictions is known, not only a bound of it."""
        return self.floor is not None and not self.floor_is_bound

    def alike(self, other: Measure) -> bool:
        """Whether errors of both can share a name, an average and an axis."""
        return (self.metric, self.unit) == (other.metric, other.unit)

    def write(self, error: float, near: float | None = None) -> str:
        """An error, without its unit.

        Args:
            error: To write.
            near: An error whose decimals this one gets too (only shares have decimals of their
                own).
        """
        if self.is_share:
            decimals = wording.percent_decimals(error if near is None else near)
            return wording.percent(error, decimals)
        return wording.decimal(error, self.decimals)

    def write_gap(self, gap: float, near: float | None = None) -> str:
        """A difference of two errors, without its unit; shares in percentage points."""
        if self.is_share:
            wide = abs(gap if near is None else near) >= 0.1
            return wording.decimal(100 * gap, 1 if wide else 2)
        return wording.decimal(gap, min(self.decimals + 1, MOST_DECIMALS))

    def cut(self, error: float) -> float:
        """The nearest possible error: an interval may reach beyond it."""
        return min(max(error, 0.0), 1.0 if self.is_share else math.inf)


def axis_label(text: str, unit: str) -> str:
    """What an axis shows, with the unit in brackets, where there is one; in lines that fit."""
    return textwrap.fill(f"{text} ({unit})" if unit else text, LABEL_WIDTH)


def of_all(measures: Iterable[Measure]) -> Measure | None:
    """The measure that all of these are, or None where they differ."""
    first, *others = measures
    return first if all(first.alike(other) for other in others) else None
