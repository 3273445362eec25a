"""Bigger networks and more data: the claim `two_levers`, on a grid of network sizes and m.

The lecture says that performance comes from a bigger network or from more data, and only up to a
point. On one data set, with N the parameters of a network, the claim has four parts. Each lever
works where the other is plentiful:

network, many labels: At the largest m, the network with the most parameters has a lower error than
    the one with the fewest.
labels, largest network: The network with the most parameters has a lower error at the largest m
    than at the smallest.

And neither goes on alone:

network, few labels: At the smallest m, going from the network in the middle of the list (by
    parameters, the lower one of two) to the largest removes less than the margin of the error per
    doubling of the parameters.
labels, smallest network: The last doublings of m remove less than the margin, each, of the error of
    the network with the fewest parameters.

The margin and the number of last doublings are those of the other claims. Effects are taken within
each repeat, in which all networks see the same examples, and have t intervals over the repeats.

Beside the claim, and no part of it: the *interaction*, how much more a doubling of the parameters
removes (on the log2 scale, from the smallest to the largest network) at the largest m than at the
smallest. Up to a factor, it is also how much more labels do for the largest network than for the
smallest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from takeoff.errors import TakeoffError
from takeoff.experiments import Asked, Findings, size_surface
from takeoff.experiments.size_grid import Costs, Grid
from takeoff.experiments.size_surface import Fitted
from takeoff.statistics.claims import (
    REDUCTION,
    TEST_ERROR,
    ClaimSettings,
    Part,
    decided,
    relative_reduction,
    slope_of,
    verdict_on,
)
from takeoff.statistics.intervals import (
    Estimate,
    binomial_variance,
    decide,
    mean_of,
)

CLAIM = "two_levers"
PER_PARAMETERS = "relative reduction of the test error per doubling of the parameters"
NAMES = {  # of the parts, for readers
    "network_many_labels": "the largest network in place of the smallest",
    "labels_largest_network": "more labels for the largest network",
    "network_few_labels": "a larger network with few labels",
    "labels_smallest_network": "more labels for the smallest network",
}
ZERO = "a test error of zero has no relative reduction"


def analyse(asked: Asked) -> Findings:
    """Decide the claim, and say what each lever brings, where it ends, and what to buy.

    Returns:
        tables: errors (`Grid.errors_table`), depths, gains, and where a surface could be fitted,
        ends, frontier, lines and held_out; see `Grid` and `size_surface`.
        decided: dataset, networks, interaction, unit and prices of the budgets, margin; and where
        there is a surface, its parameters, how it predicted the larger half of the grid, and what
        either lever has left to remove.
    """
    grid, settings = Grid.of(asked), asked.settings
    thresholds = asked.thresholds()
    parts = decided(list(two_levers(grid, thresholds)), thresholds)
    costs = Costs.of(grid, settings["costs"])
    sheet, level = asked.sheets[grid.dataset], settings["forecast_level"]
    limits = {name: sheet.get(name) for name in ("floor", "chance")}
    fitted = _fitted(grid, limits, level)
    tables = {
        "errors": _priced(grid.errors_table(settings["level"]), costs),
        "gains": size_surface.gains(grid, fitted, costs, settings["level"]),
        "depths": grid.depths(settings["level"]),
    }
    said: dict[str, Any] = {
        "dataset": grid.dataset,
        "networks": grid.networks,
        "labels": grid.labels,
        "own": [curve["learner"] for curve in settings["own_design"]],
        "m": grid.m.astype(int).tolist(),
        "repeats": grid.repeats,
        "margin": thresholds.margin,
        "middle": middle(grid),
        "interaction": interaction(grid, thresholds),
        "unit": costs.unit,
        "prices": {key: settings["costs"].get(key) for key in ("label", "hour", "currency")},
        "levels": size_surface.levels(grid.mean),
        "seconds": _times(grid, costs),
        "surface": None,
    }
    if fitted is not None:
        held_out = _held_out(grid, limits, level)
        if held_out is not None:
            tables["held_out"] = held_out
            said["held_out"] = size_surface.scored(held_out, grid, level)
            widened = size_surface.factor_needed(held_out, fitted.floor, level)
            fitted = replace(fitted, widened=widened)
        tables["ends"] = size_surface.ends_of_levers(grid, fitted, thresholds.margin)
        tables["frontier"] = size_surface.frontier(grid, fitted, costs)
        tables["lines"] = size_surface.lines(grid, fitted, said["levels"])
        said |= {
            "surface": _said_of(fitted),
            "left": size_surface.left_to_remove(grid, fitted, thresholds.margin),
            "ten_times": size_surface.ten_times(grid, fitted),
        }
    return Findings(claims=[_record(parts, thresholds)], tables=tables, decided=said, names=NAMES)


def _priced(cells: pd.DataFrame, costs: Costs) -> pd.DataFrame:
    """With `money`: what a network of this size and its labels cost; NaN without prices."""
    if not costs.priced:
        return cells.assign(money=math.nan)
    at = (cells[name].to_numpy(dtype=float) for name in ("parameters", "m"))
    return cells.assign(money=costs.money(*at))


def _record(parts: list[Part], thresholds: ClaimSettings) -> dict[str, Any]:
    return {
        "claim": CLAIM,
        "verdict": verdict_on(parts),
        "threshold": thresholds.margin,
        "unit": PER_PARAMETERS,
        "reason": None,
        "parts": [dict(vars(part)) for part in parts],
    }


# The claim


def two_levers(grid: Grid, thresholds: ClaimSettings) -> Iterator[Part]:
    """The parts of the claim; see the module's docstring."""
    last, most = len(grid.n) - 1, len(grid.m) - 1
    yield _difference(grid, "network_many_labels", (0, most), (last, most), thresholds)
    yield _difference(grid, "labels_largest_network", (last, 0), (last, most), thresholds)
    few = (middle(grid), 0), (last, 0)
    yield _reduction(grid, "network_few_labels", *few, PER_PARAMETERS, thresholds)
    late = (0, _from_m(grid, thresholds.doublings)), (0, most)
    yield _reduction(grid, "labels_smallest_network", *late, REDUCTION, thresholds)


def middle(grid: Grid) -> int:
    """The network in the middle of the list; of an even number the smaller one."""
    return (len(grid.n) - 1) // 2


def _from_m(grid: Grid, doublings: int) -> int:
    """The m that is closest, in the logarithm, to 2 ** -doublings times the largest."""
    distance = np.abs(np.log2(grid.m[:-1] * 2.0**doublings / grid.m[-1]))
    return int(distance.argmin())


Cell = tuple[int, int]


def _difference(
    grid: Grid, subject: str, worse: Cell, better: Cell, thresholds: ClaimSettings
) -> Part:
    """That the error is lower in one cell than in the other."""
    m = int(grid.m[better[1]])
    part = Part(grid.dataset, subject, None, m, 0.0, TEST_ERROR)
    estimate = mean_of(grid.errors[worse] - grid.errors[better])
    return _measured(part, estimate.widened(_noise(grid, worse, better, thresholds)), thresholds)


def _noise(grid: Grid, one: Cell, other: Cell, thresholds: ClaimSettings) -> float:
    """What a difference of two errors owes to the test set, as if they had nothing in common."""
    tests = thresholds.tests_of(grid.dataset)
    if tests is None:
        return 0.0
    errors = np.array([grid.mean[one], grid.mean[other]])
    return math.sqrt(binomial_variance(errors, tests).sum())


def _reduction(
    grid: Grid, subject: str, before: Cell, after: Cell, unit: str, thresholds: ClaimSettings
) -> Part:
    """That a doubling removes less than the margin on the way between two cells (in log2)."""
    m = int(grid.m[after[1]])
    part = Part(grid.dataset, subject, None, m, thresholds.margin, unit)
    slope = grid.slope(before, after)
    if slope is None:
        return replace(part, reason=ZERO)
    slope = slope.widened(_slope_noise(grid, before, after, thresholds))
    on_log2 = replace(part, threshold=slope_of(thresholds.margin))
    found = _measured(on_log2, slope, thresholds, claimed="below")
    names = ("effect", "low", "high")
    ends: dict[str, Any] = {name: relative_reduction(getattr(found, name)) for name in names}
    return replace(found, threshold=thresholds.margin, **ends)


def _slope_noise(grid: Grid, before: Cell, after: Cell, thresholds: ClaimSettings) -> float:
    """What a slope owes to the test set, by the delta method; see `claims.slope_noise`."""
    tests = thresholds.tests_of(grid.dataset)
    if tests is None:
        return 0.0
    errors = np.array([grid.mean[before], grid.mean[after]])
    grew = grid.n[after[0]] / grid.n[before[0]] * grid.m[after[1]] / grid.m[before[1]]
    relative = binomial_variance(errors, tests) / errors**2
    return math.sqrt(relative.sum()) / math.log(2) / math.log2(grew)


def _measured(
    part: Part,
    estimate: Estimate,
    thresholds: ClaimSettings,
    claimed: Literal["above", "below"] = "above",
) -> Part:
    low, high = estimate.interval(thresholds.level)
    above, below = estimate.p_above(part.threshold), estimate.p_below(part.threshold)
    p_for, p_against = (above, below) if claimed == "above" else (below, above)
    return replace(
        part, effect=estimate.value, low=low, high=high, p_for=p_for, p_against=p_against
    )


def interaction(grid: Grid, thresholds: ClaimSettings) -> dict[str, Any] | None:
    """How much more a doubling of the parameters removes with many labels than with few.

    Returns:
        value, low, high: difference of log2 slopes, from the smallest network to the largest;
        verdict: whether it is shown to be above zero. None where an error is zero.
    """
    corners = grid.errors[np.ix_([0, -1], [0, -1])]
    if (corners <= 0).any():
        return None
    logs = np.log2(corners)
    moved = (logs[0] - logs[1]) / math.log2(grid.n[-1] / grid.n[0])
    estimate = mean_of(moved[1] - moved[0])
    low, high = estimate.interval(thresholds.level)
    sides = estimate.p_above(0.0), estimate.p_below(0.0)
    verdict = decide(*sides, thresholds.level)
    return {"value": estimate.value, "low": low, "high": high, "verdict": verdict}


# The surface


def _times(grid: Grid, costs: Costs) -> dict[str, float]:
    """Seconds of the largest cell, as measured, and with ten times its parameters or labels."""
    n, m = grid.n[-1:], grid.m[-1:]
    ten = size_surface.FARTHEST
    return {
        "largest": float(grid.seconds[-1, -1]),
        "network": float(costs.seconds(ten * n, m)[0]),
        "labels": float(costs.seconds(n, ten * m)[0]),
    }


def _fitted(grid: Grid, limits: Mapping[str, float | None], level: float) -> Fitted | None:
    """A surface over the whole grid; None where the grid is too small or an error is zero."""
    cells = grid.cells()
    try:
        return size_surface.fit(cells["parameters"], cells["m"], cells["error"], limits, level)
    except TakeoffError:
        return None


def _held_out(grid: Grid, limits: Mapping[str, float | None], level: float) -> pd.DataFrame | None:
    """None where the smaller half of the grid is too small for a surface."""
    try:
        return size_surface.hold_out(grid, limits, level)
    except TakeoffError:
        return None


def _said_of(fitted: Fitted) -> dict[str, Any]:
    """Its parameters; those of the floor as errors."""
    surface = fitted.surface
    parameters = {
        name: {
            "value": value,
            "low": surface.intervals[name][0],
            "high": surface.intervals[name][1],
        }
        for name, value in surface.parameters.items()
    }
    floor = {key: value + fitted.floor for key, value in parameters["E"].items()}
    return {
        "parameters": parameters | {"E": floor},
        "floor": fitted.floor,
        "widened": fitted.widened,
        "chance": surface.points.chance + fitted.floor
        if math.isfinite(surface.points.chance)
        else None,
        "status": surface.status,
        "rmse": surface.rmse,
        "points": len(surface.points.loss),
    }
