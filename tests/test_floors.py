"""The ends of learning curves, held against the best possible predictions."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from takeoff.measures import Measure
from takeoff.statistics import fits
from takeoff.statistics.floors import End, ends

M = [100, 200, 400, 800]
FLOOR = 0.2


def runs_of(excess: list[float], repeats: int = 3, spread: float = 0.05) -> pd.DataFrame:
    """Runs of one learner whose error lies so far above the floor, with a little noise."""
    factors = np.exp(spread * np.linspace(-1, 1, repeats))
    return pd.DataFrame([
        {"dataset": "d", "learner": "net", "m": m, "repeat": r,
         "test_error": FLOOR + above * factor, "log_loss": 0.0, "seconds": 1.0}
        for m, above in zip(M, excess, strict=False)
        for r, factor in enumerate(factors)
    ])  # fmt: skip


def end_of(runs: pd.DataFrame, measure: Measure, doublings: int = 2) -> End:
    curves = fits.summarise(runs, 0.95)
    (end,) = ends(runs, curves, {"d": measure}, doublings, 0.95)
    return end


def test_a_halving_excess_is_a_reduction_by_half() -> None:
    """However little the whole error moves, what lies above the floor is judged by itself."""
    end = end_of(runs_of([0.016, 0.008, 0.004, 0.002]), Measure("log_loss", floor=FLOOR))
    assert end.reduction == pytest.approx(0.5)
    assert end.reduction_low == pytest.approx(0.5) == end.reduction_high  # equal in all repeats
    assert end.m == 800 and end.above == pytest.approx(0.002, rel=0.01)
    assert end.share == pytest.approx(0.002 / 0.202, rel=0.01)


def test_the_interval_is_that_of_the_repeats_slopes() -> None:
    """Repeats that fall differently leave the reduction uncertain."""
    runs = runs_of([0.016, 0.008, 0.004, 0.002])
    late = (runs["m"] == 800) & (runs["repeat"] == 0)
    runs.loc[late, "test_error"] = FLOOR + 0.003
    end = end_of(runs, Measure("log_loss", floor=FLOOR))
    assert end.reduction_low < end.reduction < end.reduction_high < 1


def test_way_covered_is_measured_from_chance() -> None:
    """None of it at chance, all of it at the floor, less than none beyond chance."""
    for above, covered in ((0.1, 0.0), (0.0, 1.0), (0.05, 0.5), (0.2, -1.0)):
        runs = runs_of([above] * 4, spread=0.0)
        end = end_of(runs, Measure("log_loss", floor=FLOOR, chance=0.3))
        assert end.covered == pytest.approx(covered)
    assert math.isnan(end_of(runs, Measure("log_loss", floor=FLOOR, chance=FLOOR)).covered)
    assert math.isnan(end_of(runs, Measure("log_loss", floor=FLOOR)).covered)


@pytest.mark.parametrize(
    "runs",
    [
        runs_of([0.016, 0.008, 0.004, 0.0]),  # at the floor
        runs_of([0.016]),  # one m
        runs_of([0.016, 0.008, 0.004, 0.002], repeats=1),
    ],
)
def test_what_cannot_be_estimated_is_not(runs: pd.DataFrame) -> None:
    """A curve that reaches the floor has no logarithm there, one repeat no spread."""
    end = end_of(runs, Measure("log_loss", floor=FLOOR))
    assert math.isnan(end.reduction) and math.isnan(end.reduction_low)
    assert end.above >= 0


def test_repeats_with_gaps_are_left_out() -> None:
    """Only those that have every m can be followed along the curve."""
    runs = runs_of([0.016, 0.008, 0.004, 0.002], repeats=4, spread=0.0)
    gap = (runs["m"] == 200) & (runs["repeat"] == 0)
    assert end_of(runs[~gap], Measure(floor=FLOOR)).reduction == pytest.approx(0.5)


def test_without_a_floor_there_is_nothing_to_say() -> None:
    """Data sets whose best possible error is unknown have no ends."""
    runs = runs_of([0.016, 0.008])
    assert list(ends(runs, fits.summarise(runs, 0.95), {"d": Measure()}, 2, 0.95)) == []
