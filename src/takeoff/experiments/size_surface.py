"""A surface over network size and labelled data: how well it predicts, and what it says to buy.

The surface is that of `takeoff.statistics.surfaces`, fitted to the mean errors of a `Grid`, bent
towards the error of guessing where that is known and above all of them. Where the error of the best
possible predictions is known, what lies above it is fitted, so that no prediction falls below.

Intervals for errors are wider than those for the surface: to the bootstrap's replicates comes the
scatter of the measured errors around the surface, times sqrt(n / (n - 5)) as five parameters were
fitted to it. So they allow for the shapes of networks, for the noise of the repeats, and for the
curvature that the model lacks, as far as this shows inside the grid. Where too few cells of the
larger half lie within what the smaller half says of them, intervals for errors are widened by the
factor that would have held enough of them (`factor_needed`), on the logarithmic scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from takeoff.experiments.size_grid import Costs, Floats, Grid
from takeoff.statistics import forecasts, surfaces
from takeoff.statistics.claims import relative_reduction
from takeoff.statistics.surfaces import PARAMETERS, Surface

# Budgets that the paper speaks of, as multiples of the largest one whose best network and m are
# both within the measured range.
SCALES = (0.1, 1.0, 10.0, 100.0)
STEPS = 61  # points of the frontier
ROUND = ((1, 2, 5), (1, 1.5, 2, 3, 5, 7), (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8))
SEARCHED = 400  # sizes among which a lever's end is looked for
FARTHEST = surfaces.FARTHEST  # times what was measured: nothing is stated beyond


@dataclass(frozen=True)
class Fitted:
    """A surface, with what is known of the errors' ends.

    Attributes:
        surface: Of the errors above the floor.
        floor: The error of the best possible predictions, or 0.
        widened: The factor by which intervals for errors are wider, on the logarithmic scale.
    """

    surface: Surface
    floor: float
    widened: float = 1.0

    @property
    def replicates(self) -> Floats:
        """[B, 5]."""
        return self.surface.replicates

    @property
    def own(self) -> Floats:
        """[1, 5]."""
        return np.array([[self.surface.parameters[name] for name in PARAMETERS]])

    def errors(self, parameters: Floats, n: ArrayLike, m: ArrayLike) -> Floats:
        """[B, 5] parameters, at [T] N and m -> [B, T] errors."""
        at = np.asarray(n, float), np.asarray(m, float)
        above = surfaces.losses(parameters, *at, self.surface.points.chance)
        return np.asarray(self.floor + above)

    def predicted(self, n: ArrayLike, m: ArrayLike) -> Floats:
        """[T] errors."""
        return np.asarray(self.errors(self.own, n, m)[0])

    def with_scatter(self, errors: Floats) -> Floats:
        """[B, T] errors of replicates -> [B * P, T]: each with the scatter of every point."""
        points = self.surface.points
        off = np.log(points.loss / self.surface.loss(points.n, points.d))
        count = len(off)
        off = off * math.sqrt(count / (count - len(PARAMETERS)))
        above = (errors - self.floor)[:, None, :] * np.exp(off)[None, :, None]
        return np.asarray(self.floor + above.reshape(-1, errors.shape[-1]))

    def interval(self, n: ArrayLike, m: ArrayLike) -> tuple[Floats, Floats]:
        """Ends of the interval for an error that is measured at each N and m, [T] each."""
        drawn = self.with_scatter(self.errors(self.replicates, n, m))
        return self.around(self.predicted(n, m), drawn)

    def around(self, predicted: Floats, drawn: Floats) -> tuple[Floats, Floats]:
        """Ends of the intervals around [T] predictions, from draws [B, T], widened."""
        above = predicted - self.floor
        low, high = (
            self.floor + above * ((end - self.floor) / above) ** self.widened
            for end in self.ends(drawn)
        )
        return low, high

    def ends(self, drawn: Floats) -> tuple[Floats, Floats]:
        """Quantiles over the first axis, at the level of the surface."""
        tail = (1 - self.surface.level) / 2
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
        return low, high


def fit(
    n: ArrayLike, m: ArrayLike, error: ArrayLike, limits: Mapping[str, float | None], level: float
) -> Fitted:
    """Fit a surface to P errors.

    Args:
        n, m, error: [P].
        limits: floor and chance: the errors of the best possible and of the best constant
            predictions; None where they aren't known. One that an error contradicts isn't used.
        level: Of the intervals.

    Raises:
        TakeoffError: As `surfaces.fit`.
    """
    errors = np.asarray(error, dtype=float)
    floor = limits.get("floor") or 0.0
    floor = floor if floor < errors.min() else 0.0
    chance = limits.get("chance")
    known = chance is not None and chance > errors.max()
    ceiling = chance - floor if known and chance is not None else None
    return Fitted(surfaces.fit(n, m, errors - floor, chance=ceiling, level=level), floor)


# How well it predicts


def larger_half(grid: Grid) -> NDArray[np.bool_]:
    """[S * M] which cells are in the half with the larger N * m."""
    product = np.outer(grid.n, grid.m).ravel()
    chosen = np.zeros(len(product), dtype=bool)
    chosen[np.argsort(product, kind="stable")[(len(product) + 1) // 2 :]] = True
    return chosen


def hold_out(grid: Grid, limits: Mapping[str, float | None], level: float) -> pd.DataFrame:
    """Predict the half of the cells with the larger N * m from the other half.

    Returns:
        A row per held-out cell: dataset, learner (the network), parameters, m, measured, predicted,
        low, high, inside, and last_value: the error of the nearest cell of the other half (in log N
        and log m), the naive prediction. As for `forecasts.score`.

    Raises:
        TakeoffError: As `surfaces.fit`.
    """
    cells, late = grid.cells(), larger_half(grid)
    known, asked = cells[~late], cells[late]
    fitted = fit(known["parameters"], known["m"], known["error"], limits, level)
    at = asked["parameters"].to_numpy(), asked["m"].to_numpy()
    low, high = fitted.interval(*at)
    measured = asked["error"].to_numpy()
    return pd.DataFrame(
        {
            "dataset": grid.dataset,
            "learner": asked["network"].to_numpy(),
            "parameters": at[0],
            "m": at[1],
            "measured": measured,
            "predicted": fitted.predicted(*at),
            "low": low,
            "high": high,
            "inside": (low <= measured) & (measured <= high),
            "last_value": _nearest(known, asked),
        }
    )


def factor_needed(held_out: pd.DataFrame, floor: float, level: float) -> float:
    """By how much intervals have to be wider, at least 1, to hold this share of the cells.

    Args:
        held_out: `hold_out`.
        floor: Below all of its errors.
        level: The share.
    """
    above = {name: held_out[name] - floor for name in ("measured", "predicted", "low", "high")}
    off = np.log(above["measured"] / above["predicted"])
    end = np.where(off < 0, above["low"], above["high"])
    needed = off / np.log(end / above["predicted"])
    return max(1.0, float(np.quantile(needed, level, method="inverted_cdf")))


def _nearest(known: pd.DataFrame, asked: pd.DataFrame) -> Floats:
    """The errors of the nearest known cells."""
    place = [np.log(table[["parameters", "m"]].to_numpy(dtype=float)) for table in (known, asked)]
    distance = np.linalg.norm(place[1][:, None] - place[0][None], axis=2)
    return np.asarray(known["error"].to_numpy()[distance.argmin(axis=1)])


def scored(held_out: pd.DataFrame, grid: Grid, level: float) -> dict[str, Any]:
    """`forecasts.score`, with `factor`: how far beyond the known half N * m reaches."""
    product = np.outer(grid.n, grid.m).ravel()
    known = product[~larger_half(grid)].max()
    return vars(forecasts.score(held_out, level)) | {"factor": float(product.max() / known)}


# What it says


def gains(grid: Grid, fitted: Fitted | None, costs: Costs, level: float) -> pd.DataFrame:
    """What more of one lever brings at each point of the grid, and what it costs.

    Returns:
        A row per lever ("labels", "network") and cell: lever, network, label, parameters, m;
        to_parameters, to_m: the next cell measured (the next m; the next network with twice the
        parameters), or twice as much where there is none; measured, low, high: share of the error
        that a doubling removed on the way there (paired, with t intervals; NaN where there is no
        next cell); expected, expected_low, expected_high: the same by the surface; flops, seconds,
        money: what going there costs more.
    """
    rows = [
        _gain(grid, fitted, costs, level, lever, i, j)
        for lever in ("labels", "network")
        for i in range(len(grid.n))
        for j in range(len(grid.m))
    ]
    return pd.DataFrame(rows)


def _gain(
    grid: Grid, fitted: Fitted | None, costs: Costs, level: float, lever: str, i: int, j: int
) -> dict[str, Any]:
    of_labels = lever == "labels"
    n, m = grid.n[i], grid.m[j]
    larger = grid.next_larger(i) if not of_labels else None
    after = ((i, j + 1) if j + 1 < len(grid.m) else None) if of_labels else None
    after = (larger, j) if larger is not None else after
    to = (n, 2 * m) if of_labels else (2 * n, m)
    to = to if after is None else (grid.n[after[0]], grid.m[after[1]])
    slope = None if after is None else grid.slope((i, j), after)
    measured: tuple[float, ...] = (math.nan,) * 3
    if slope is not None:
        measured = tuple(map(relative_reduction, (slope.value, *slope.interval(level))))
    ends = np.array([[n, to[0]], [m, to[1]]])
    expected: tuple[float, ...] = (math.nan,) * 3
    if fitted is not None:
        expected = _expected(fitted, ends, math.log2(to[0] / n * to[1] / m))
    cost = {
        name: float(np.diff(of(*ends))[0])
        for name, of in (("flops", costs.flops), ("seconds", costs.seconds), ("money", costs.money))
    }
    return {
        "lever": lever, "network": grid.networks[i], "label": grid.labels[i],
        "parameters": int(n), "m": int(m), "to_parameters": int(to[0]), "to_m": int(to[1]),
        **dict(zip(("measured", "low", "high"), measured, strict=True)),
        **dict(zip(("expected", "expected_low", "expected_high"), expected, strict=True)),
        **cost, "money": cost["money"] if costs.priced else math.nan,
    }  # fmt: skip


def _expected(fitted: Fitted, ends: Floats, doublings: float) -> tuple[float, float, float]:
    own, drawn = (fitted.errors(p, *ends) for p in (fitted.own, fitted.replicates))
    shares = [1 - (errors[:, 1] / errors[:, 0]) ** (1 / doublings) for errors in (own, drawn)]
    low, high = fitted.ends(shares[1])
    return float(shares[0][0]), float(low), float(high)


def ends_of_levers(grid: Grid, fitted: Fitted, margin: float) -> pd.DataFrame:
    """Up to which size one more doubling of a lever removes at least `margin` of the error.

    By the surface. The reduction may fall and rise with the size; the end is the largest size at
    which it is still that much, of those from a tenth of the smallest measured to ten times the
    largest.

    Returns:
        A row per lever and size of the other one: lever, parameters (NaN for "network"), m (NaN for
        "labels"), end, low, high (sizes), low_is_open, high_is_open (whether the interval reaches
        to an end of the search), where ("measured range", "beyond it", "not within ten
        times": the end of the search, or "before it": below the smallest measured).
    """
    rows = []
    for lever, sizes, others in (("network", grid.n, grid.m), ("labels", grid.m, grid.n)):
        tried = np.geomspace(sizes[0] / FARTHEST, FARTHEST * sizes[-1], SEARCHED)
        for other in others:
            own, drawn = (
                _ends(fitted, parameters, lever, tried, other, margin)
                for parameters in (fitted.own, fitted.replicates)
            )
            low, high = fitted.ends(drawn[:, None])
            rows.append(
                {
                    "lever": lever,
                    "parameters": math.nan if lever == "network" else float(other),
                    "m": math.nan if lever == "labels" else float(other),
                    "end": float(own[0]),
                    "low": float(low[0]),
                    "high": float(high[0]),
                    "low_is_open": bool(low[0] <= tried[0]),
                    "high_is_open": bool(high[0] >= tried[-1]),
                    "where": _where(float(own[0]), sizes, tried),
                }
            )
    return pd.DataFrame(rows)


def _ends(
    fitted: Fitted, parameters: Floats, lever: str, tried: Floats, other: float, margin: float
) -> Floats:
    """[B] the largest of the tried sizes at which a doubling still removes the margin."""
    same = np.full_like(tried, other)
    pairs = [(size, same) if lever == "network" else (same, size) for size in (tried, 2 * tried)]
    before, after = (fitted.errors(parameters, *pair) for pair in pairs)
    enough = 1 - after / before >= margin
    last = len(tried) - 1 - enough[:, ::-1].argmax(axis=1)
    return np.asarray(np.where(enough.any(axis=1), tried[last], tried[0]))


def _where(end: float, sizes: Floats, tried: Floats) -> str:
    if end >= tried[-1]:
        return "not within ten times"
    if end < sizes[0]:
        return "before it"
    return "measured range" if end <= sizes[-1] else "beyond it"


def left_to_remove(grid: Grid, fitted: Fitted, margin: float) -> dict[str, Any]:
    """What unlimited amounts of a lever would still remove, at the largest cell of the grid.

    Returns:
        By lever: value (share of the error), low, high, by the surface; and whether the lever has
        come to its "end" (the interval is below the margin), is "open" (above it), or "unclear".
    """
    at = np.array([grid.n[-1]]), np.array([grid.m[-1]])
    found = {}
    for lever, columns in (("network", (1,)), ("labels", (3,))):
        shares = []
        for parameters in (fitted.own, fitted.replicates):
            without = parameters.copy()
            without[:, columns] = 0.0
            ratio = fitted.errors(without, *at) / fitted.errors(parameters, *at)
            shares.append(1 - ratio[:, 0])
        low, high = fitted.ends(shares[1])
        verdict = "end" if high < margin else "open" if low > margin else "unclear"
        found[lever] = {
            "value": float(shares[0][0]), "low": float(low), "high": float(high),
            "verdict": verdict,
        }  # fmt: skip
    return found


# The frontier


def frontier(grid: Grid, fitted: Fitted, costs: Costs) -> pd.DataFrame:
    """The least error that each budget buys, and the network and m that it buys it with.

    Returns:
        A row per budget: unit, budget, scale (see `SCALES`; NaN for the others), parameters, m,
        error, each with low and high, and status: see `surfaces.Frontier`. No row has a scale
        where no budget's best is within the measured range, and there is none where the best is a
        smaller network or m than the smallest measured.
    """
    most = float(costs.price(grid.n[-1:], grid.m[-1:])[0])
    least = 2 * float(costs.price(grid.n[:1], grid.m[:1])[0])
    spread = np.geomspace(least, max(FARTHEST * most, 2 * least), STEPS)
    table = pd.DataFrame(_frontier(fitted, costs, spread)).assign(scale=math.nan)
    inside = table.loc[table["status"] == surfaces.INSIDE, "budget"]
    if len(inside):
        base = float(inside.max())
        scales = [scale for scale in SCALES if scale * base > least]
        asked = _frontier(fitted, costs, np.array(scales) * base)
        table = pd.concat([table, pd.DataFrame(asked).assign(scale=scales)])
    possible = (table["parameters"] >= grid.n[0]) & (table["m"] >= grid.m[0])
    table = table[possible].assign(unit=costs.unit)
    ordered: pd.DataFrame = table.sort_values("budget", kind="stable", ignore_index=True)
    return ordered


def _frontier(fitted: Fitted, costs: Costs, budgets: Floats) -> list[dict[str, Any]]:
    with np.errstate(invalid="ignore", divide="ignore"):  # the best of a flat one is at no size
        found = surfaces.frontier(fitted.surface, budgets, costs.price)
        drawn = fitted.with_scatter(fitted.floor + found.drawn)
        low, high = fitted.around(fitted.floor + found.loss, drawn)
    columns = {
        "budget": budgets,
        "parameters": found.n,
        "parameters_low": found.n_low,
        "parameters_high": found.n_high,
        "m": found.d,
        "m_low": found.d_low,
        "m_high": found.d_high,
        "error": fitted.floor + found.loss,
        "error_low": low,
        "error_high": high,
    }
    return [
        {name: float(values[i]) for name, values in columns.items()} | {"status": status}
        for i, status in enumerate(found.status)
    ]


def ten_times(grid: Grid, fitted: Fitted) -> dict[str, Any]:
    """The error expected with ten times one lever, from the largest cell of the grid.

    Returns:
        For "labels", "network" and "neither": value, low, high.
    """
    n, m = grid.n[-1], grid.m[-1]
    n_at = np.array([n, FARTHEST * n, n])
    m_at = np.array([FARTHEST * m, m, m])
    low, high = fitted.interval(n_at, m_at)
    return {
        lever: {"value": float(value), "low": float(low[i]), "high": float(high[i])}
        for i, (lever, value) in enumerate(
            zip(("labels", "network", "neither"), fitted.predicted(n_at, m_at), strict=True)
        )
    }


# Lines of equal error


def levels(errors: Floats) -> list[float]:
    """Round errors between the smallest and the largest, at least three if there are any."""
    positive = errors[errors > 0]
    if not len(positive):
        return []
    low, high = float(positive.min()), float(positive.max())
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for steps in ROUND:
        found = [round(step * 10.0**decade, 12) for decade in decades for step in steps]
        found = [level for level in found if low < level < high]
        if len(found) >= 3:
            break
    return found


def lines(grid: Grid, fitted: Fitted, at: list[float]) -> pd.DataFrame:
    """Where the surface has which error: a row per error and network size.

    Returns:
        error, m, parameters (ascending), both up to ten times those measured; no row where no m
        gives that error.
    """
    n = np.geomspace(grid.n[0], FARTHEST * grid.n[-1], STEPS)
    floor, a, alpha, b, beta = fitted.own[0]
    chance = fitted.surface.points.chance
    rows = []
    for level in at:
        above = level - fitted.floor - floor
        if math.isfinite(chance):
            room = chance - floor
            above = -room * math.log1p(-min(above / room, 1 - 1e-12))
        left = above - a * n**-alpha
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            m = (b / left) ** (1 / beta) if beta > 0 else np.full_like(n, np.nan)
        there = (left > 0) & (m >= grid.m[0]) & (m <= FARTHEST * grid.m[-1])
        rows += [(level, float(x), float(y)) for x, y in zip(m[there], n[there], strict=True)]
    return pd.DataFrame(rows, columns=["error", "m", "parameters"])
