"""The loss as a function of network size and data, and what to buy with a budget.

The model (Hoffmann et al. 2022, approach 3) of the loss, or the error, with N parameters and D
labelled examples is

    L(N, D) = E + A * N ** -alpha + B * D ** -beta

with the floor E in the unit of the loss. It is fitted as in the source: the Huber loss (delta =
1e-3) of log(model) - log(loss), minimised by L-BFGS in log E, log A, log B, alpha and beta from
several starts. Two things differ from it. The objective is the *sum* over the points: on the mean
the optimiser stops early, which gave the source its wrong parameters and far too narrow intervals
(Besiroglu et al. 2024). And log N and log D are centred, which makes the problem well conditioned;
the best starts are those of a grid over the two exponents, for each of which E, A and B come from
a linear regression. Newton steps end the search, and the norm of the gradient where it ended is
reported.

An error rate can't exceed the error of guessing. With `chance` = c given, the model bends away
from it: L = E + (c - E) * (1 - exp(-(A * N ** -alpha + B * D ** -beta) / (c - E))), which is the
same to first order where the loss is far from c, and has the same floor.

Standard errors are those of a bootstrap over the points (Efron and Tibshirani 1993), times
sqrt(n / (n - 5)) as each replicate has as many parameters as the fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize

from takeoff.errors import TakeoffError
from takeoff.files import write_json
from takeoff.statistics.predictions import read_numbers

Floats = NDArray[np.float64]
Price = Callable[[Floats, Floats], Floats]  # of N and D -> cost

PARAMETERS = ("E", "A", "alpha", "B", "beta")
POINTS_NEEDED = 7  # five parameters, and two points to contradict them
DELTA = 1e-3
EXPONENTS = np.geomspace(0.03, 3.0, 14)  # tried first, for alpha and for beta
LARGEST_EXPONENT = 6.0
STARTS = 4
SLACK = 14.0  # E, A and B may fall this many e-folds below the smallest loss, and are then zero
STEPS = 90  # of `_Problem.descend`
GRADIENT = 1e-6  # norm per point below which the search has converged
REPLICATES = 200
FARTHEST = 10.0  # times the largest N and D measured; nothing is stated beyond
SEARCHED = 1e4  # times the measured range of N that a frontier is searched in, at both ends

INSIDE = "measured range"  # of a frontier's N and D
CONVERGED, AT_BOUND, STUCK = "converged", "at a bound", "not converged"


@dataclass(frozen=True)
class Points:
    """Losses at n pairs of N and D; see `fit`.

    Attributes:
        n, d, loss: [n] positive.
        chance: The loss of guessing, or infinity.
    """

    n: Floats
    d: Floats
    loss: Floats
    chance: float = math.inf

    @property
    def centred(self) -> Floats:
        """[2, n] log N and log D, less their means."""
        logs = np.log(np.stack([self.n, self.d]))
        return np.asarray(logs - logs.mean(axis=1, keepdims=True))


@dataclass(frozen=True)
class Surface:
    """A fitted surface.

    Attributes:
        parameters: E, A, alpha, B, beta.
        standard_errors: By parameter; of E, A and B they are in their own unit.
        intervals: By parameter, percentiles of the bootstrap at `level`.
        level: Of the intervals.
        gradient_norm: Of the summed objective at the optimum, in the parameters of the search.
        status: converged, at a bound (a term is zero, or an exponent as large as allowed), or not
            converged.
        objective: Sum of the Huber losses.
        rmse: Root mean square of log(loss / model).
        replicates: [B, 5] parameters of the bootstrap, in the order of `PARAMETERS`.
        influence: [n, 5] parameters without each point minus those with all, in standard errors.
        points: What was fitted.
    """

    parameters: Mapping[str, float]
    standard_errors: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    level: float
    gradient_norm: float
    status: str
    objective: float
    rmse: float
    replicates: Floats
    influence: Floats
    points: Points

    def loss(self, n: ArrayLike, d: ArrayLike) -> Floats:
        """The loss at each N and D: [T], [T] -> [T]."""
        own = np.array([[self.parameters[name] for name in PARAMETERS]])
        return np.asarray(
            losses(own, np.asarray(n, float), np.asarray(d, float), self.points.chance)[0]
        )

    def interval(self, n: ArrayLike, d: ArrayLike) -> tuple[Floats, Floats]:
        """Ends of the interval for the expected loss at each N and D: [T], [T]."""
        each = losses(
            self.replicates, np.asarray(n, float), np.asarray(d, float), self.points.chance
        )
        tail = (1 - self.level) / 2
        low, high = np.quantile(each, [tail, 1 - tail], axis=0)
        return low, high

    def most_influential(self) -> dict[str, tuple[int, float]]:
        """By parameter, the point whose absence moves it most, and by how many standard errors."""
        rows = np.abs(self.influence).argmax(axis=0)
        return {
            name: (int(row), float(self.influence[row, i]))
            for i, (name, row) in enumerate(zip(PARAMETERS, rows, strict=True))
        }


def fit(
    n: ArrayLike,
    d: ArrayLike,
    loss: ArrayLike,
    *,
    chance: float | None = None,
    level: float = 0.9,
    replicates: int = REPLICATES,
    delta: float = DELTA,
    seed: int = 0,
    where: str | None = None,
) -> Surface:
    """Fit a surface.

    Args:
        n: [n] network sizes (or any other resource), positive.
        d: [n] labelled examples (or any other resource), positive.
        loss: [n] losses or errors, positive.
        chance: The loss of guessing, if it is near some of them; above all of them.
        level: Of the intervals.
        replicates: Of the bootstrap.
        delta: Of the Huber loss.
        where: What error messages name.

    Raises:
        TakeoffError: Lengths differ, values aren't positive, too few points or too few different N
            or D to tell the terms apart.
    """
    points = _checked(n, d, loss, chance, where)
    if not 0 < level < 1:
        raise TakeoffError(f"level {level} isn't between 0 and 1", remedy="use 0.9, say")
    problem = _Problem(points, delta)
    best = problem.search(problem.starts())
    value, gradient = problem.objective(best)
    found = problem.natural(best)
    counts = _draws(points, replicates, seed), 1 - np.eye(len(points.loss))
    drawn, without = (problem.again(best, one) for one in counts)
    inflated = math.sqrt(len(points.loss) / (len(points.loss) - len(PARAMETERS)))
    errors = drawn.std(axis=0, ddof=1) * inflated
    tail = (1 - level) / 2
    ends = np.quantile(drawn, [tail, 1 - tail], axis=0).T
    residual = problem.residuals(best)
    return Surface(
        parameters=_named(found),
        standard_errors=_named(errors),
        intervals={
            name: (float(low), float(high))
            for name, (low, high) in zip(PARAMETERS, ends, strict=True)
        },
        level=level,
        gradient_norm=float(np.linalg.norm(problem.free(best, gradient))),
        status=problem.status(best, gradient),
        objective=value,
        rmse=float(np.sqrt(np.mean(residual**2))),
        replicates=drawn,
        influence=(without - found) / np.maximum(errors, np.finfo(float).tiny),
        points=points,
    )


def _named(values: Floats) -> dict[str, float]:
    return {name: float(value) for name, value in zip(PARAMETERS, values, strict=True)}


def _checked(
    n: ArrayLike, d: ArrayLike, loss: ArrayLike, chance: float | None, where: str | None
) -> Points:
    arrays = [np.atleast_1d(np.asarray(values, dtype=float)) for values in (n, d, loss)]

    def refuse(wrong: bool, problem: str, remedy: str) -> None:
        if wrong:
            raise TakeoffError(problem, where=where, remedy=remedy)

    shapes = {values.shape for values in arrays}
    refuse(
        len(shapes) > 1 or arrays[0].ndim != 1, "N, D and loss differ in length", "give all three"
    )
    usable = all(bool((np.isfinite(values) & (values > 0)).all()) for values in arrays)
    refuse(not usable, "N, D and loss must be positive and finite", "leave out such points")
    few = len(arrays[0]) < POINTS_NEEDED
    refuse(few, f"{len(arrays[0])} points: a surface needs {POINTS_NEEDED}", "measure more points")
    for name, values in zip("ND", arrays, strict=False):
        different = len(np.unique(values))
        refuse(
            different < 3,
            f"{different} different {name}: its term has a floor, an amplitude and an exponent",
            f"measure at least 3 different {name}",
        )
    ceiling = math.inf if chance is None else float(chance)
    refuse(
        not ceiling > arrays[2].max(),
        "a loss isn't below chance",
        "leave out such points, or chance",
    )
    return Points(arrays[0], arrays[1], arrays[2], ceiling)


def losses(parameters: Floats, n: Floats, d: Floats, chance: float) -> Floats:
    """[B, 5] parameters at [T] N and D -> [B, T]."""
    floor, a, alpha, b, beta = (parameters[:, i, None] for i in range(5))
    above = a * n**-alpha + b * d**-beta
    if math.isinf(chance):
        return np.asarray(floor + above)
    room = chance - floor
    return np.asarray(floor - room * np.expm1(-above / room))


class _Problem:
    """The objective in theta = (log E, log A', alpha, log B', beta).

    A' and B' are the terms at the (geometric) mean N and D, so that exponents and amplitudes hardly
    depend on each other.

    Args:
        points: What is fitted.
        delta: Of the Huber loss.
    """

    def __init__(self, points: Points, delta: float) -> None:
        self.points, self.delta = points, delta
        self.x, self.y = points.centred, np.log(points.loss)
        self.shift = np.log(points.n).mean(), np.log(points.d).mean()
        smallest, largest = float(self.y.min()), float(self.y.max())
        terms = (smallest - SLACK, largest + SLACK)
        slope = (0.0, LARGEST_EXPONENT)
        # The floor lies below the smallest loss, by as much as noise may have lowered that.
        self.bounds = [(smallest - SLACK, largest), terms, slope, terms, slope]

    def starts(self) -> list[Floats]:
        """The best of a grid over the exponents, with E, A' and B' by regression."""
        tried = []
        weights = 1 / self.points.loss
        least = math.exp(float(self.y.min()) - SLACK + 1)
        for alpha in EXPONENTS:
            for beta in EXPONENTS:
                columns = np.stack(
                    [np.ones_like(self.y), np.exp(-alpha * self.x[0]), np.exp(-beta * self.x[1])]
                )
                linear, off = optimize.nnls((columns * weights).T, self.points.loss * weights)
                logs = np.log(np.maximum(linear, least))
                tried.append((off, np.array([logs[0], logs[1], alpha, logs[2], beta])))
        tried.sort(key=lambda one: one[0])
        return [start for _, start in tried[:STARTS]]

    def search(self, starts: Sequence[Floats]) -> Floats:
        """The best end of the searches from all starts.

        The Huber loss with a small delta has sharp bends, so a smoother one is minimised first.
        """
        ends = []
        for start in starts:
            theta = start
            for delta in (0.1, 0.01, self.delta):
                theta = self._lbfgs(theta, max(delta, self.delta))
            ends.append(theta)
        polished = self.descend(np.array(ends), np.ones((len(ends), len(self.y))))
        return min(polished, key=lambda theta: self.objective(theta)[0])

    def _lbfgs(self, theta: Floats, delta: float) -> Floats:
        found = optimize.minimize(
            self.objective,
            np.clip(theta, *np.transpose(self.bounds)),
            args=(delta,),
            jac=True,
            method="L-BFGS-B",
            bounds=self.bounds,
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-9},
        )
        return np.asarray(found.x, dtype=float)

    def descend(self, theta: Floats, counts: Floats) -> Floats:
        """Damped Gauss-Newton steps for B problems at once, with two curvatures in turn.

        Reweighted least squares (points beyond delta count delta / |residual|) comes near from
        anywhere; the curvature of the points within delta alone gets the last digits.

        Args:
            theta: [B, 5] starts.
            counts: [B, n] how often each point counts.
        """
        low, high = np.transpose(self.bounds)
        theta, damping = np.clip(theta, low, high), np.full(len(theta), 1e-4)
        value = self._sums(self._model(theta)[0], counts)
        for step in range(STEPS):
            residual, jacobian = self._model(theta)
            size = np.maximum(np.abs(residual), np.finfo(float).tiny)
            slope = counts * np.clip(residual, -self.delta, self.delta)
            gradient = (slope[:, None, :] @ jacobian)[:, 0]
            reweighted = step % 3 > 0
            share = np.minimum(self.delta / size, 1.0) if reweighted else size <= self.delta
            inner = jacobian.swapaxes(1, 2) @ (jacobian * (counts * share)[..., None])
            scale = (counts[..., None] * jacobian**2).sum(axis=1) + 1e-9
            inner += np.eye(5) * (damping[:, None] * scale)[:, None, :]
            downhill = self.free(theta, gradient)[..., None]
            move = np.asarray(np.linalg.solve(inner, downhill)[..., 0], dtype=float)
            tried = np.clip(theta - self.free(theta, move), low, high)
            new = self._sums(self._model(tried)[0], counts)
            better = new < value
            theta = np.where(better[:, None], tried, theta)
            value = np.where(better, new, value)
            damping = np.clip(np.where(better, damping / 4, damping * 4), 1e-12, 1e6)
        return theta

    def _sums(self, residual: Floats, counts: Floats) -> Floats:
        """[B] summed Huber losses."""
        size = np.abs(residual)
        bent = self.delta * (size - self.delta / 2)
        each = np.where(size <= self.delta, residual**2 / 2, bent)
        return np.asarray((counts * each).sum(axis=1))

    def objective(self, theta: Floats, delta: float | None = None) -> tuple[float, Floats]:
        """The summed Huber loss and its gradient."""
        delta = self.delta if delta is None else delta
        (residual,), (jacobian,) = self._model(theta[None])
        size = np.abs(residual)
        each = np.where(size <= delta, residual**2 / 2, delta * (size - delta / 2))
        slope = np.clip(residual, -delta, delta)
        return float(each.sum()), np.asarray(slope @ jacobian)

    def residuals(self, theta: Floats) -> Floats:
        """[n] log(model / loss)."""
        return np.asarray(self._model(theta[None])[0][0])

    def _model(self, theta: Floats) -> tuple[Floats, Floats]:
        """[B, n] residuals of the logarithm and their [B, n, 5] derivatives."""
        log_e, log_a, alpha, log_b, beta = (theta[:, i, None] for i in range(5))
        of_n, of_d = np.exp(log_a - alpha * self.x[0]), np.exp(log_b - beta * self.x[1])
        floor, above = np.exp(log_e), of_n + of_d
        slope, of_floor, model = np.ones_like(above), np.ones_like(above), floor + above
        if math.isfinite(self.points.chance):
            room = np.maximum(self.points.chance - floor, 1e-9 * self.points.chance)
            slope = np.exp(-above / room)
            of_floor = slope * (1 + above / room)
            model = floor - room * np.expm1(-above / room)
        of_n, of_d = of_n * slope, of_d * slope
        terms = [floor * of_floor, of_n, -of_n * self.x[0], of_d, -of_d * self.x[1]]
        return np.log(model) - self.y, np.stack(terms, axis=2) / model[..., None]

    def free(self, theta: Floats, direction: Floats) -> Floats:
        """A direction (to go down along its negative) without what leads out of the bounds."""
        low, high = np.transpose(self.bounds)
        outward = ((theta <= low) & (direction > 0)) | ((theta >= high) & (direction < 0))
        return np.where(outward, 0.0, direction)

    def status(self, theta: Floats, gradient: Floats) -> str:
        """See `Surface`."""
        if np.linalg.norm(self.free(theta, gradient)) > GRADIENT * len(self.y):
            return STUCK
        low, high = np.transpose(self.bounds)
        edge = 0.5 * np.array([SLACK, SLACK, 0.0, SLACK, 0.0]) + 1e-6
        return AT_BOUND if ((theta < low + edge) | (theta > high - 1e-6)).any() else CONVERGED

    def again(self, best: Floats, counts: Floats) -> Floats:
        """[B, 5] E, A, alpha, B, beta, refitted to points with other counts [B, n]."""
        starts = np.repeat(best[None], len(counts), axis=0)
        return np.array([self.natural(theta) for theta in self.descend(starts, counts)])

    def natural(self, theta: Floats) -> Floats:
        """[5] E, A, alpha, B, beta."""
        log_e, log_a, alpha, log_b, beta = theta
        logs = log_a + alpha * self.shift[0], log_b + beta * self.shift[1]
        return np.array([math.exp(log_e), math.exp(logs[0]), alpha, math.exp(logs[1]), beta])


def _draws(points: Points, replicates: int, seed: int) -> Floats:
    """[B, n] how often each point is drawn, with replacement.

    A draw with too few different N or D to be fitted is drawn again.
    """
    rng = np.random.default_rng(seed)
    drawn: list[Floats] = []
    size = len(points.loss)
    while len(drawn) < replicates:
        rows = rng.integers(size, size=size)
        if min(len(np.unique(points.n[rows])), len(np.unique(points.d[rows]))) >= 3:
            drawn.append(np.bincount(rows, minlength=size).astype(float))
    return np.array(drawn)


# The frontier


@dataclass(frozen=True)
class Frontier:
    """The best that each budget buys.

    Attributes:
        budget: [C] in the unit of the price.
        n, d, loss: [C] the best N and D that cost the budget, and the loss there.
        n_low, n_high, d_low, d_high, loss_low, loss_high: [C] ends of the intervals.
        status: [C] "measured range", "beyond it" (up to `FARTHEST` times the largest N and D), or
            "not stated: ..." where N or D lies further out; the numbers are there all the same.
        drawn: [B, C] the losses of the bootstrap's surfaces, each at its own best N and D.
    """

    budget: Floats
    n: Floats
    d: Floats
    loss: Floats
    n_low: Floats
    n_high: Floats
    d_low: Floats
    d_high: Floats
    loss_low: Floats
    loss_high: Floats
    status: tuple[str, ...]
    drawn: Floats


@dataclass(frozen=True)
class Product:
    """The price unit * N * D, of training: 6 floating-point operations per parameter and example
    (Kaplan et al. 2020)."""

    unit: float = 6.0

    def __call__(self, n: Floats, d: Floats) -> Floats:
        """The price of each N and D."""
        return np.asarray(self.unit * n * d)


def frontier(surface: Surface, budgets: ArrayLike, price: Price | None = None) -> Frontier:
    """How to spend a budget: the N and D of the least loss, with intervals from the bootstrap.

    Args:
        budgets: [C] positive, in the unit of the price.
        price: What N and D cost; rising in both, and able to be met at any N that is searched. By
            default `Product()`, for which the optimum has a closed form (Hoffmann et al. 2022):
            N = G * (C / 6) ** (beta / (alpha + beta)), G = (alpha A / (beta B)) ** (1 / (alpha +
            beta)), D = C / (6 N). Labels at 0.10 each and computing at 1e-15 per operation
            are `lambda n, d: 0.1 * d + 6e-15 * n * d`.

    Raises:
        TakeoffError: A budget isn't positive, or buys nothing within what is searched.
    """
    costs = np.atleast_1d(np.asarray(budgets, dtype=float))
    if not (np.isfinite(costs) & (costs > 0)).all():
        raise TakeoffError("a budget isn't positive", remedy="leave it out")
    price = Product() if price is None else price
    own = np.array([[surface.parameters[name] for name in PARAMETERS]])
    all_parameters = np.concatenate([own, surface.replicates])
    spent = [_spend(surface.points, all_parameters, float(cost), price) for cost in costs]
    n, d = (np.stack(values, axis=1) for values in zip(*spent, strict=True))
    # A replicate's own loss at its own optimum: what the budget would bring if it were the truth.
    reached = np.stack(
        [
            np.diag(losses(all_parameters, n[:, i], d[:, i], surface.points.chance))
            for i in range(len(costs))
        ],
        axis=1,
    )
    tail = (1 - surface.level) / 2
    (n_low, n_high), (d_low, d_high), (loss_low, loss_high) = (
        np.quantile(values[1:], [tail, 1 - tail], axis=0) for values in (n, d, reached)
    )
    return Frontier(
        budget=costs,
        n=n[0],
        d=d[0],
        loss=reached[0],
        n_low=n_low,
        n_high=n_high,
        d_low=d_low,
        d_high=d_high,
        loss_low=loss_low,
        loss_high=loss_high,
        status=tuple(_where(surface.points, *pair) for pair in zip(n[0], d[0], strict=True)),
        drawn=reached[1:],
    )


def _where(points: Points, n: float, d: float) -> str:
    ratio = max(n / points.n.max(), d / points.d.max())
    if ratio > FARTHEST:
        return f"not stated: beyond {FARTHEST:g} times the measured N or D"
    inside = ratio <= 1 and n >= points.n.min() and d >= points.d.min()
    return INSIDE if inside else "beyond it"


def _spend(points: Points, parameters: Floats, cost: float, price: Price) -> tuple[Floats, Floats]:
    """[B] the best N and D of each surface for one budget."""
    if isinstance(price, Product):
        return _spend_on_product(parameters, cost / price.unit)
    n = np.geomspace(points.n.min() / SEARCHED, points.n.max() * SEARCHED, 600)
    d = _affordable(n, cost, price, points)
    n, d = n[np.isfinite(d)], d[np.isfinite(d)]
    if not len(n):
        raise TakeoffError(
            f"a budget of {cost:g} buys no N and D within {SEARCHED:g} times what was measured",
            remedy="check the units of the price and of the budget",
        )
    return _least(parameters, n, d)


def _spend_on_product(parameters: Floats, product: float) -> tuple[Floats, Floats]:
    _, a, alpha, b, beta = parameters.T
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        log_g = (np.log(alpha * a) - np.log(beta * b)) / (alpha + beta)
        n = np.exp(log_g + beta / (alpha + beta) * math.log(product))
        return n, product / n


def _affordable(n: Floats, cost: float, price: Price, points: Points) -> Floats:
    """[K] the D that uses up the budget at each N, by bisection; NaN where there is none."""
    low = np.full(len(n), math.log(points.d.min() / SEARCHED))
    high = np.full(len(n), math.log(points.d.max() * SEARCHED))
    possible = (price(n, np.exp(low)) <= cost) & (price(n, np.exp(high)) >= cost)
    for _ in range(60):
        middle = (low + high) / 2
        above = price(n, np.exp(middle)) > cost
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(possible, np.exp((low + high) / 2), np.nan)


def _least(parameters: Floats, n: Floats, d: Floats) -> tuple[Floats, Floats]:
    """[B] the N and D with the least loss, between grid points by a parabola in log N."""
    found = losses(parameters, n, d, math.inf)
    best = np.clip(found.argmin(axis=1), 1, max(len(n) - 2, 1)) if len(n) > 2 else None
    if best is None:
        rows = found.argmin(axis=1)
        return n[rows], d[rows]
    rows = np.arange(len(parameters))
    before, at, after = (found[rows, best + step] for step in (-1, 0, 1))
    bend = before - 2 * at + after
    shift = np.where(bend > 0, (before - after) / np.where(bend > 0, 2 * bend, 1.0), 0.0)
    index = best + np.clip(shift, -1.0, 1.0)
    grid = np.arange(len(n))
    best_n, best_d = (np.exp(np.interp(index, grid, np.log(values))) for values in (n, d))
    return best_n, best_d


# Files


def fit_file(
    points: Path, x: Sequence[str], y: str, out: Path, *, chance: float | None = None
) -> None:
    """`takeoff fit --surface POINTS --x N --x D --y loss --out FIT.json`.

    Args:
        points: CSV (also .gz) or Parquet with these columns.
        x: The columns of N and D.
        y: The column of the loss or error.
        chance: As in `fit`.

    Raises:
        TakeoffError: The file isn't such a table; it names file, column and row.
    """
    if len({*x, y}) < 3:
        raise TakeoffError("--x and --y name a column twice", remedy="name three columns")
    table = read_numbers(points, [*x, y])
    n, d, loss = (table[name].to_numpy(dtype=float) for name in (*x, y))
    surface = fit(n, d, loss, chance=chance, where=str(points))
    names = {"N": x[0], "D": x[1], "loss": y}
    write_json(out, as_json(surface) | {"columns": names})


def as_json(surface: Surface) -> dict[str, Any]:
    """What is written: everything but the replicates. Rows of points count from 1."""
    influence = {
        name: {"point": row + 1, "moves_by_standard_errors": _known(moved)}
        for name, (row, moved) in surface.most_influential().items()
    }
    parameters = {
        name: {
            "value": surface.parameters[name],
            "standard_error": _known(surface.standard_errors[name]),
            "low": surface.intervals[name][0],
            "high": surface.intervals[name][1],
        }
        for name in PARAMETERS
    }
    chance = surface.points.chance
    return {
        "model": "E + A * N ** -alpha + B * D ** -beta",
        "chance": chance if math.isfinite(chance) else None,
        "parameters": parameters,
        "level": surface.level,
        "status": surface.status,
        "gradient_norm": surface.gradient_norm,
        "objective": surface.objective,
        "n": len(surface.points.loss),
        "rmse": surface.rmse,
        "influence": influence,
    }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
