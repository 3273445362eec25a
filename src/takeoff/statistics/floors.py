"""How far learning curves end above the error of the best possible predictions, where it is known.

A relative reduction of the error says little where most of the error is noise that nothing can
remove: a log-loss of 0.22 over a floor of 0.21 can fall by 5 % at most. What lies above the floor
has no such limit, so a curve's last doublings are judged here by that part alone, in the same way
as `takeoff.statistics.claims` judges the whole error.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from takeoff.measures import Measure
from takeoff.statistics.claims import last_doublings, relative_reduction
from takeoff.statistics.intervals import mean_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class End:
    """The end of one curve, held against the best possible error.

    Attributes:
        m: The curve's largest.
        above, low, high: Mean error there minus the floor, and its interval, cut at zero.
        share: `above` as a share of the mean error.
        covered: The share of the way from the best constant predictions to the floor that the
            learner has covered; negative where it does worse than a constant, NaN if the two
            are the same.
        reduction, reduction_low, reduction_high: The share of what lies above the floor that each
            of the last doublings of m removed; NaN where an error reaches the floor, or there is
            only one m or one repeat.
    """

    dataset: str
    learner: str
    m: int
    above: float
    low: float
    high: float
    share: float
    covered: float
    reduction: float
    reduction_low: float
    reduction_high: float


def ends(
    runs: pd.DataFrame,
    curves: pd.DataFrame,
    measures: Mapping[str, Measure],
    doublings: int,
    level: float,
) -> Iterator[End]:
    """The ends of all curves on data sets whose floor, or a bound of it, is known.

    Args:
        runs: dataset, learner, m, repeat, test_error.
        curves: `takeoff.statistics.fits.summarise`.
        measures: By data set.
        doublings: The last doublings of m that `reduction` looks at.
        level: Of the intervals.
    """
    for dataset, rows in curves.groupby("dataset", sort=True):
        measure = measures[str(dataset)]
        if measure.floor is None:
            continue
        own = runs[runs["dataset"] == dataset]
        for learner, curve in rows.groupby("learner", sort=True):
            last = curve.sort_values("m").iloc[-1]
            table = own[own["learner"] == learner].pivot(
                index="m", columns="repeat", values="test_error"
            )
            fallen = _reduction(table.dropna(axis=1) - measure.floor, doublings, level)
            yield End(str(dataset), str(learner), int(last["m"]), *_above(last, measure), *fallen)


def _above(last: pd.Series[float], measure: Measure) -> tuple[float, float, float, float, float]:
    """`above`, its interval, `share` and `covered`."""
    floor, error = float(measure.floor or 0.0), float(last["test_error"])
    above = error - floor
    low, high = (max(float(last[end]) - floor, 0.0) for end in ("low", "high"))
    way = math.nan if measure.chance is None else measure.chance - floor
    covered = 1 - above / way if way > 0 else math.nan
    return above, low, high, above / error if error > 0 else math.nan, covered


def _reduction(excess: pd.DataFrame, doublings: int, level: float) -> tuple[float, float, float]:
    """The relative reduction per doubling with its interval, from the repeats' slopes."""
    unknown = math.nan, math.nan, math.nan
    if excess.shape[1] < 2:
        return unknown
    slopes = last_doublings(excess, doublings).slopes
    if slopes is None:
        return unknown
    slope = mean_of(slopes)
    low, high = slope.interval(level)
    return relative_reduction(slope.value), relative_reduction(low), relative_reduction(high)
