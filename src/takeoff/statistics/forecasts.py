"""What more labels would bring to each curve, and how well that could have been known.

Every curve is forecast beyond its largest m (see `takeoff.statistics.extrapolate`). How far such
forecasts can be trusted is measured on the same curves: the last octave of m is held out, forecast
from what lies before it, and compared with what was measured there. What is known of a data set's
errors, the best possible one and that of guessing, holds for every forecast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from takeoff.statistics.evidence import Curve, check
from takeoff.statistics.extrapolate import forecast_curve

AHEAD = {"twice": 2, "ten_times": 10}  # multiples of m that the paper speaks of
STEPS = 21  # values of m from the largest measured one to the end of the forecast
OCTAVE = 2  # the part of a curve beyond its largest m over this is held out
RARE = 0.05  # a coverage that chance brings less often than this is called too low
RATES = ("error_rate", "balanced_error")  # metrics within [0, 1]; the others are losses
SIMILAR = 0.1  # relative difference of mean errors that is called none

NAMES = ["dataset", "learner"]
FORECAST_COLUMNS = [
    *NAMES, "m", "measured", "predicted", "low", "high", "family", "status", "shape"
]  # fmt: skip
HELD_OUT_COLUMNS = [
    *NAMES, "fitted_to", "m", "measured", "predicted", "low", "high", "inside", "last_value"
]  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """What is known of the errors of a data set before anything is measured.

    Attributes:
        floor: The irreducible (Bayes) error or loss of its test set; None if unknown.
        chance: The error of guessing; None if unknown. A loss may be above it.
        kind: "error" is at most 1, "loss" has no end above.
    """

    floor: float | None = None
    chance: float | None = None
    kind: Literal["error", "loss"] = "error"

    @classmethod
    def of(cls, sheet: Mapping[str, Any]) -> Limits:
        """What the sheet of a data set says; see `Dataset.sheet`."""
        kind: Literal["error", "loss"] = "error" if sheet["metric"] in RATES else "loss"
        return cls(sheet["floor"], sheet["chance"], kind)


NOTHING_KNOWN = Limits()


def forecast_curves(
    curves: pd.DataFrame, level: float, limits: Mapping[str, Limits] | None = None
) -> pd.DataFrame:
    """Forecast every curve, from its largest m to ten times as many.

    Args:
        curves: `takeoff.statistics.fits.summarise`: dataset, learner, m, test_error, se (NaN if
        unknown). level: Of the intervals, such as 0.9. limits: What is known, by data set; nothing
        of those that aren't there.

    Returns:
        A row per curve and m: dataset, learner, m, measured (true at the largest m measured, where
        a forecast sets out), predicted, low and high (test error); and, the same in all rows of a
        curve, the family with the most weight, the status of the forecast and the curve's shape.
    """
    tables = []
    for names, rows in _curves(curves):
        largest = float(rows["m"].max())
        m = largest * _multiples()
        ahead = forecast_curve(_checked(names, rows, limits), m, level=level)
        numbers = {"predicted": ahead.predicted, "low": ahead.low, "high": ahead.high}
        texts = {"family": ahead.family, "status": ahead.status, "shape": ahead.shape}
        tables.append(pd.DataFrame({**names, "m": m, "measured": m <= largest, **numbers, **texts}))
    return _joined(tables, FORECAST_COLUMNS)


def hold_out(
    curves: pd.DataFrame, level: float, limits: Mapping[str, Limits] | None = None
) -> pd.DataFrame:
    """Forecast the last octave of every curve from what lies before it.

    Args:
        curves, level, limits: As for `forecast_curves`.

    Returns:
        A row per curve and m in (largest m / 2, largest m]: dataset, learner, fitted_to (the
        largest m that the forecast knew), m, measured (the mean test error), predicted, low, high,
        inside (measured within low and high) and last_value (the error at fitted_to). None for
        curves that have no m up to half of the largest.
    """
    tables = []
    for names, rows in _curves(curves):
        late = rows["m"] > rows["m"].max() / OCTAVE
        if late.all():
            continue
        known, asked = rows[~late], rows[late]
        ahead = forecast_curve(_checked(names, known, limits), asked["m"], level=level)
        measured = asked["test_error"].to_numpy()
        table = {
            **names,
            "fitted_to": known["m"].iloc[-1],
            "m": asked["m"].to_numpy(),
            "measured": measured,
            "predicted": ahead.predicted,
            "low": ahead.low,
            "high": ahead.high,
            "inside": (ahead.low <= measured) & (measured <= ahead.high),
            "last_value": known["test_error"].iloc[-1],
        }
        tables.append(pd.DataFrame(table))
    return _joined(tables, HELD_OUT_COLUMNS)


@dataclass(frozen=True)
class Score:
    """How some held-out forecasts did.

    Attributes:
        curves, points: How many were forecast.
        inside: How many of the points lay within their interval.
        error, last_value_error: Mean absolute error over the points, in the unit of the error: of
            the forecasts, and of saying that the last error known will stay.
        width: Mean width of the intervals, in the unit of the error.
        coverage: "kept", or "short": fewer points inside than the level of the intervals lets
            one expect, if the points missed independently of each other.
        against_last: The forecasts were "better", "similar" or "worse" than the last value.
    """

    curves: int
    points: int
    inside: int
    error: float
    last_value_error: float
    width: float
    coverage: str
    against_last: str


def score(held_out: pd.DataFrame, level: float) -> Score:
    """Score rows of `hold_out`, at least one of them."""
    points, inside = len(held_out), int(held_out["inside"].astype(bool).sum())
    missed, naive = (
        float((held_out[column] - held_out["measured"]).abs().mean())
        for column in ("predicted", "last_value")
    )
    at_most = float(special.bdtr(inside, points, level))
    return Score(
        curves=len(held_out[NAMES].drop_duplicates()),
        points=points,
        inside=inside,
        error=missed,
        last_value_error=naive,
        width=float((held_out["high"] - held_out["low"]).mean()),
        coverage="short" if at_most < RARE else "kept",
        against_last=_compared(missed, naive),
    )


def _compared(error: float, naive: float) -> str:
    if abs(error - naive) <= SIMILAR * naive:
        return "similar"
    return "better" if error < naive else "worse"


def _multiples() -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Multiples of the largest m, from 1; those that the paper speaks of among them."""
    named = list(AHEAD.values())
    return np.unique([*np.geomspace(1, max(named), STEPS)[:-1], *named])


def _curves(curves: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    for (dataset, learner), rows in curves.groupby(NAMES, sort=True):
        yield {"dataset": dataset, "learner": learner}, rows.sort_values("m")


def _checked(
    names: dict[str, Any], rows: pd.DataFrame, limits: Mapping[str, Limits] | None
) -> Curve:
    known = (limits or {}).get(names["dataset"], NOTHING_KNOWN)
    return check(
        rows["m"],
        rows["test_error"],
        rows["se"],
        floor=known.floor,
        chance=known.chance,
        kind=known.kind,
        where=f"curve of {names['learner']} on {names['dataset']}",
    )


def _joined(tables: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    joined = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return joined.reindex(columns=columns)
