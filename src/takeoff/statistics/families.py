"""Families of learning curves, fitted by profiles: no starting values, no local minima.

Most families have the form

    error(m) = floor + amplitude * basis(m; theta)

with a basis that falls with m and one to four nonlinear parameters theta. Given theta the best
floor and amplitude are those of a weighted linear regression with two non-negative coefficients,
which has a closed form; so theta is tried on a grid over its whole range, and the neighbourhood of
the best is refined (variable projection: Golub and Pereyra 1973). All grid points and all B
weightings or bootstrap replicates of a curve are one product of matrices. M4 is not of that form,
but linear in three other parameters once its floor and ceiling are given.

The objective is a sum of squares over the points, and summed, not averaged: an optimiser that
stops at a tolerance stops too early on a mean (Besiroglu et al. 2024 on Hoffmann et al. 2022).
Here it is only compared. Outlying points are given less weight, as Huber (1964) does: `huber`.

Families, with m the number of labelled examples (or any other measure of resources):

- `last_value`: the error at the largest m. The naive forecast, which every other has to beat.
- `power_law`: amplitude * m ** -exponent (Cortes et al. 1993; Hestness et al. 2017).
- `pow3`: floor + amplitude * m ** -exponent (Cortes et al. 1993; Mohr and van Rijn 2022).
- `m4`: (error - floor) / (ceiling - error) ** bend = amplitude * m ** -exponent, bounded above by
  the error of guessing (Alabdulmohsin, Neyshabur and Zhai 2022).
- `mmf4`: floor + amplitude / (1 + (m / scale) ** exponent) (Morgan, Mercer and Flodin 1975).
- `weibull4`: floor + amplitude * exp(-(m / scale) ** exponent) (Gu, Hu and Liu 2001).
- `pow4`: floor + amplitude * (m + shift) ** -exponent (Gu, Hu and Liu 2001).
- `bnsl`: floor + amplitude * m ** -exponent * (1 + (m / scale) ** (1 / width)) ** -(change *
  width), a power law with one smooth break (Caballero et al. 2023).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]

CONVERGED = "converged"
AT_BOUND = "at a bound"
NOT_DECREASING = "not decreasing"
TOO_FEW = "too few points"

ROUNDS = 30  # of refinement; each moves or halves the step
HUBER = 2.0  # robust standard deviations beyond which a point loses weight
EDGE = 1e-9


@dataclass(frozen=True)
class Axis:
    """A nonlinear parameter: its range and how many values are tried first, in the logarithm."""

    name: str
    low: float
    high: float
    tried: int

    @property
    def grid(self) -> Floats:
        """[tried] logarithms."""
        return np.asarray(np.linspace(np.log(self.low), np.log(self.high), self.tried))

    @property
    def step(self) -> float:
        """Between two neighbours of `grid`."""
        return float(np.log(self.high / self.low)) / (self.tried - 1)


Basis = Callable[[Floats, Floats], Floats]  # log x [..., P], log theta [..., Q] -> [..., P]


@dataclass(frozen=True)
class Separable:
    """A family that is linear in floor and amplitude.

    Attributes:
        axes: The nonlinear parameters. Scales and shifts are in units of the largest m.
        basis: From log(m / largest m) and the logarithms of theta.
        floored: Has a floor of its own; otherwise it is zero.
    """

    axes: tuple[Axis, ...]
    basis: Basis
    floored: bool = True

    @property
    def parameters(self) -> int:
        """How many it has in all."""
        return 1 + self.floored + len(self.axes)

    def grid(self) -> Floats:
        """[K, Q] logarithms of the theta tried first."""
        return np.array(list(itertools.product(*(axis.grid for axis in self.axes))))

    def around(self) -> Floats:
        """[N, Q] steps to the neighbours of a theta and to itself."""
        axes = [np.array([0.0, -axis.step, axis.step]) for axis in self.axes]
        if len(axes) <= 2:  # all neighbours, else only along the axes
            return np.array(list(itertools.product(*axes)))
        own = np.eye(len(axes)) * [axis.step for axis in self.axes]
        return np.concatenate([np.zeros((1, len(axes))), own, -own])


def _power(log_x: Floats, theta: Floats) -> Floats:
    return np.asarray(np.exp(-np.exp(theta[..., 0:1]) * log_x))


def _shifted(log_x: Floats, theta: Floats) -> Floats:
    shift = np.exp(theta[..., 1:2])
    power = np.log((np.exp(log_x) + shift) / (1 + shift))
    return np.asarray(np.exp(-np.exp(theta[..., 0:1]) * power))


def _mmf(log_x: Floats, theta: Floats) -> Floats:
    exponent = np.exp(theta[..., 0:1]) * (log_x - theta[..., 1:2])
    return 1 / (1 + np.exp(np.minimum(exponent, 500.0)))


def _weibull(log_x: Floats, theta: Floats) -> Floats:
    exponent = np.exp(theta[..., 0:1]) * (log_x - theta[..., 1:2])
    return np.exp(-np.exp(np.minimum(exponent, 6.0)))


def _broken(log_x: Floats, theta: Floats) -> Floats:
    exponent, after, scale, width = (theta[..., i : i + 1] for i in range(4))
    width = np.exp(width)
    turn = np.logaddexp(0.0, (log_x - scale) / width) * width
    # "after" is the exponent beyond the break, so that both sides fall with m.
    return np.exp(-np.exp(exponent) * log_x - (np.exp(after) - np.exp(exponent)) * turn)


_EXPONENT = Axis("exponent", 0.02, 4.0, 36)
_SHAPE = Axis("exponent", 0.1, 5.0, 14)
_SCALE = Axis("scale", 1e-4, 10.0, 14)

SEPARABLE: Mapping[str, Separable] = {
    "power_law": Separable((_EXPONENT,), _power, floored=False),
    "pow3": Separable((_EXPONENT,), _power),
    "mmf4": Separable((_SHAPE, _SCALE), _mmf),
    "weibull4": Separable((_SHAPE, _SCALE), _weibull),
    "pow4": Separable((Axis("exponent", 0.02, 5.0, 20), Axis("shift", 1e-4, 3.0, 9)), _shifted),
    "bnsl": Separable(
        (
            Axis("exponent", 0.01, 2.0, 6),
            Axis("after", 0.01, 2.0, 6),
            Axis("scale", 0.003, 0.7, 6),
            Axis("width", 0.1, 0.6, 2),
        ),
        _broken,
    ),
}
FAMILIES = ("last_value", *SEPARABLE, "m4")


@dataclass(frozen=True)
class Fits:
    """One family fitted to B weightings or replicates of a curve.

    Attributes:
        family: Its name.
        parameters: Each [B], in the units of the error and of m.
        misfit: [B] weighted sum of squares of error - fit.
        status: [B] converged, at a bound, not decreasing, or too few points.
        bounds: Floor and ceiling that no prediction leaves.
    """

    family: str
    parameters: Mapping[str, Floats]
    misfit: Floats
    status: Texts
    bounds: tuple[float, float]

    def error(self, m: Floats) -> Floats:
        """The error at each m: [T] -> [B, T]; NaN where there were too few points."""
        columns = {name: values[:, None] for name, values in self.parameters.items()}
        return np.asarray(np.clip(_CURVES[self.family](m, columns), *self.bounds))


def fit(
    family: str,
    m: Floats,
    errors: Floats,
    weights: Floats,
    *,
    bounds: tuple[float, float] = (0.0, 1.0),
    ceiling: float | None = None,
    robust: bool = True,
    rounds: int = ROUNDS,
) -> Fits:
    """Fit one family to B weightings or replicates of one curve at once.

    Args:
        family: One of `FAMILIES`.
        m: [P] resources, positive, ascending, distinct.
        errors: [P], or [B, P] for replicates.
        weights: [B, P] >= 0, such as 1 / stderr ** 2; a weight of zero leaves a point out. Only
            the ratios within a row matter.
        bounds: Floor and ceiling of the error. A fitted floor is not below the first.
        ceiling: For m4, the error of guessing; by default bounds[1] where that is finite, and
            otherwise just above the largest error.
        robust: Give outlying points less weight (one step of reweighting; Huber 1964).
        rounds: Of refinement around the best point of the grid.

    Raises:
        KeyError: The family is unknown.
    """
    weights = np.atleast_2d(np.asarray(weights, dtype=float))
    errors = np.broadcast_to(np.asarray(errors, dtype=float), weights.shape)
    one = _fitter(family, m, errors, bounds, ceiling, rounds)
    fitted = one(weights)
    if robust and family != "last_value":
        fitted = one(weights * huber(errors - fitted.error(m), weights))
    return fitted


def huber(residuals: Floats, weights: Floats) -> Floats:
    """Factors [B, P] for the weights: 1, and less beyond HUBER robust standard deviations.

    The standard deviation is 1.4826 times the median absolute standardised residual of the points
    that have a weight.
    """
    size = np.abs(residuals) * np.sqrt(weights)
    used = np.where(weights > 0, size, np.nan)
    known = np.isfinite(used).any(axis=1, keepdims=True)
    sigma = 1.4826 * np.nanmedian(np.where(known, used, 0.0), axis=1, keepdims=True)
    limit = HUBER * np.maximum(sigma, np.finfo(float).tiny)
    return np.where(size > limit, limit / np.maximum(size, np.finfo(float).tiny), 1.0)


def _fitter(
    family: str,
    m: Floats,
    errors: Floats,
    bounds: tuple[float, float],
    ceiling: float | None,
    rounds: int,
) -> Callable[[Floats], Fits]:
    if family == "last_value":
        return lambda weights: _fit_last(m, errors, weights, bounds)
    if family == "m4":
        return lambda weights: _fit_m4(m, errors, weights, bounds, ceiling)
    kind = SEPARABLE[family]
    return lambda weights: _fit_separable(family, kind, m, errors, weights, bounds, rounds)


def _fit_last(m: Floats, errors: Floats, weights: Floats, bounds: tuple[float, float]) -> Fits:
    used = weights > 0
    last = used.shape[1] - 1 - used[:, ::-1].argmax(axis=1)
    value = np.take_along_axis(errors, last[:, None], axis=1)[:, 0]
    status = np.where(used.any(axis=1), CONVERGED, TOO_FEW)
    parameters = {"level": np.where(used.any(axis=1), value, np.nan)}
    return Fits("last_value", parameters, np.zeros(len(value)), status, bounds)


# Families that are linear in floor and amplitude


def _fit_separable(
    family: str,
    kind: Separable,
    m: Floats,
    errors: Floats,
    weights: Floats,
    bounds: tuple[float, float],
    rounds: int,
) -> Fits:
    unit = float(m[-1])
    log_x = np.log(m / unit)
    lowest = bounds[0] if np.isfinite(bounds[0]) else 0.0
    data = _Weighted(errors - lowest, weights, kind.floored)
    grid = kind.grid()
    best = data.misfit(kind.basis(log_x, grid)[None]).argmin(axis=1)
    theta = _refined(kind, log_x, data, grid[best], rounds)
    floor, amplitude, misfit = data.solve(kind.basis(log_x, theta[:, None, :]))
    few = (weights > 0).sum(axis=1) < kind.parameters
    linear = {"floor": floor[:, 0] + lowest, "amplitude": amplitude[:, 0]}
    status = _status(kind, theta, floor[:, 0], amplitude[:, 0], few)
    parameters = {
        name: np.where(few, np.nan, values)
        for name, values in _natural(family, kind, theta, linear, unit).items()
    }
    return Fits(family, parameters, misfit[:, 0], status, bounds)


class _Weighted:
    """B weighted curves, and the regression of each on a constant and a basis.

    Args:
        errors: [B, P] above the lowest floor.
        weights: [B, P].
        floored: The constant is a coefficient; otherwise it is zero.
    """

    def __init__(self, errors: Floats, weights: Floats, floored: bool) -> None:
        total = np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(float).tiny)
        self.weights, self.floored, self.total = weights / total, floored, total
        self.weighted = self.weights * errors
        self.mean = self.weighted.sum(axis=1, keepdims=True)
        self.square = (self.weighted * errors).sum(axis=1, keepdims=True)

    def solve(self, basis: Floats) -> tuple[Floats, Floats, Floats]:
        """Floor, amplitude (both >= 0) and misfit for bases [1 or B, K, P]: each [B, K]."""
        ones, square, product = self._sums(basis)
        tiny = np.finfo(float).tiny
        alone = np.maximum(product / np.maximum(square, tiny), 0.0)
        floor, amplitude = np.zeros_like(alone), alone
        if self.floored:
            spread = square - ones**2
            flat = spread <= 1e-13 * square
            slope = (product - ones * self.mean) / np.where(flat, 1.0, spread)
            both = np.where(flat, 0.0, np.maximum(slope, 0.0))
            rest = self.mean - both * ones
            floor, amplitude = np.maximum(rest, 0.0), np.where(rest < 0, alone, both)
        with np.errstate(over="ignore", invalid="ignore"):  # a basis may be next to nothing
            misfit = (
                self.square
                - 2 * (amplitude * product + floor * self.mean)
                + amplitude**2 * square
                + 2 * amplitude * floor * ones
                + floor**2
            )
        misfit = np.where(np.isfinite(misfit), np.maximum(misfit, 0.0), np.inf)
        return floor, amplitude, misfit * self.total

    def misfit(self, basis: Floats) -> Floats:
        """[B, K]."""
        return self.solve(basis)[2]

    def _sums(self, basis: Floats) -> tuple[Floats, Floats, Floats]:
        """Weighted means of basis, basis squared and basis times error: each [B, K]."""
        if len(basis) == 1:
            columns = basis[0].T
            return self.weights @ columns, self.weights @ columns**2, self.weighted @ columns
        per_row = self.weights[..., None], self.weighted[..., None]
        mean, product = ((basis @ column)[..., 0] for column in per_row)
        return mean, (basis**2 @ per_row[0])[..., 0], product


def _refined(kind: Separable, log_x: Floats, data: _Weighted, theta: Floats, rounds: int) -> Floats:
    """Theta [B, Q] after moving to the best neighbour; steps are halved where there is none."""
    low = np.log([axis.low for axis in kind.axes])
    high = np.log([axis.high for axis in kind.axes])
    steps = np.repeat(kind.around()[None] / 2, len(theta), axis=0)
    for _ in range(rounds):
        near = np.clip(theta[:, None, :] + steps, low, high)
        best = data.misfit(kind.basis(log_x, near)).argmin(axis=1)
        theta = np.take_along_axis(near, best[:, None, None], axis=1)[:, 0]
        steps[best == 0] /= 2  # the first neighbour is theta itself
    return theta


def _status(
    kind: Separable, theta: Floats, floor: Floats, amplitude: Floats, few: NDArray[np.bool_]
) -> Texts:
    low = np.log([axis.low for axis in kind.axes]) + EDGE
    high = np.log([axis.high for axis in kind.axes]) - EDGE
    no_floor = kind.floored & (floor <= 1e-3 * amplitude)  # amplitude: at the largest m
    edge = ((theta < low) | (theta > high)).any(axis=1) | no_floor
    flat = (amplitude <= 0) | ((not kind.floored) & (theta[:, 0] < low[0]))
    return np.select([few, flat, edge], [TOO_FEW, NOT_DECREASING, AT_BOUND], CONVERGED)


def _natural(
    family: str, kind: Separable, theta: Floats, linear: dict[str, Floats], unit: float
) -> dict[str, Floats]:
    """Parameters in the units of m, from those in units of the largest m."""
    values = {axis.name: np.exp(theta[:, i]) for i, axis in enumerate(kind.axes)}
    amplitude = linear["amplitude"]
    if family in ("power_law", "pow3", "bnsl"):
        amplitude = amplitude * unit ** values["exponent"]
    if family == "pow4":
        amplitude = amplitude * (unit * (1 + values["shift"])) ** values["exponent"]
    for name in ("scale", "shift"):
        if name in values:
            values[name] = values[name] * unit
    if family == "bnsl":
        values["change"] = values.pop("after") - values["exponent"]
    return {"floor": linear["floor"], "amplitude": amplitude} | values


# M4

FLOORS = 30
BENDS = (0.0, 2.0)


def _fit_m4(
    m: Floats,
    errors: Floats,
    weights: Floats,
    bounds: tuple[float, float],
    ceiling: float | None,
) -> Fits:
    """M4 by a profile over its floor: for each, log(error - floor) is linear in log m and
    log(ceiling - error), with delta-method weights.

    The bend is kept within BENDS and the exponent from being negative: where the regression leaves
    the range, it is redone with the value at its end.
    """
    used = weights > 0
    top = _ceiling(errors, bounds, ceiling)
    lowest = bounds[0] if np.isfinite(bounds[0]) else 0.0
    smallest = np.where(used, errors, np.inf).min(axis=1, keepdims=True)
    room = np.where(np.isfinite(smallest), smallest - lowest, 0.0)
    shares = np.concatenate([[0.0], 1 - np.geomspace(0.98, 0.002, FLOORS - 1)])
    floors = lowest + np.maximum(room, 0.0) * shares  # [B, K]
    lines = _m4_lines(np.log(m / m[-1]), errors, weights, floors, top)
    best = lines["misfit"].argmin(axis=1)[:, None]
    chosen = {name: np.take_along_axis(v, best, axis=1)[:, 0] for name, v in lines.items()}
    chosen["floor"] = np.take_along_axis(floors, best, axis=1)[:, 0]
    few = used.sum(axis=1) < 4
    exponent = chosen["exponent"]
    edge = (chosen["floor"] <= lowest) | (chosen["bend"] >= BENDS[1] - EDGE)
    status = np.select([few, exponent <= 0, edge], [TOO_FEW, NOT_DECREASING, AT_BOUND], CONVERGED)
    parameters = {
        "floor": chosen["floor"],
        "ceiling": np.full(len(exponent), top),
        "log_amplitude": chosen["intercept"] + exponent * np.log(m[-1]),
        "exponent": exponent,
        "bend": chosen["bend"],
    }
    parameters = {name: np.where(few, np.nan, values) for name, values in parameters.items()}
    return Fits("m4", parameters, chosen["misfit"], status, bounds)


def _ceiling(errors: Floats, bounds: tuple[float, float], ceiling: float | None) -> float:
    """The error of guessing, above every error measured."""
    largest = float(np.max(errors))
    known = ceiling if ceiling is not None else bounds[1]
    return max(known, largest * 1.001) if np.isfinite(known) else largest * 1.1


def _m4_lines(
    log_x: Floats, errors: Floats, weights: Floats, floors: Floats, top: float
) -> dict[str, Floats]:
    """Intercept, exponent, bend and misfit for floors [B, K]: each [B, K]."""
    tiny = 1e-9 * max(float(np.max(errors)), np.finfo(float).tiny)
    excess = np.maximum(errors[:, None, :] - floors[..., None], tiny)
    below = np.maximum(top - errors, tiny)[:, None, :]
    response, bent = np.log(excess), np.log(below)
    scaled = weights[:, None, :] * excess**2  # delta method
    total = np.maximum(scaled.sum(axis=2, keepdims=True), np.finfo(float).tiny)
    scaled = scaled / total

    def centred(values: Floats) -> tuple[Floats, Floats]:
        mean = (scaled * values).sum(axis=2, keepdims=True)
        return values - mean, mean[..., 0]

    (y, y_mean), (u, u_mean), (v, v_mean) = map(centred, (response, log_x + 0 * excess, bent))
    uu, uv, vv = ((scaled * a * b).sum(axis=2) for a, b in ((u, u), (u, v), (v, v)))
    uy, vy = (scaled * u * y).sum(axis=2), (scaled * v * y).sum(axis=2)
    determinant = uu * vv - uv**2
    solvable = determinant > 1e-10 * np.maximum(uu * vv, np.finfo(float).tiny)
    free = (uu * vy - uv * uy) / np.where(solvable, determinant, 1.0)
    bend = np.where(solvable, np.clip(free, *BENDS), 0.0)
    slope = np.minimum((uy - bend * uv) / np.maximum(uu, np.finfo(float).tiny), 0.0)
    residual = y - slope[..., None] * u - bend[..., None] * v
    # A residual of the logarithms as one of the error (first order in it).
    on_error = residual * excess / (1 + bend[..., None] * excess / below)
    misfit = (weights[:, None, :] * on_error**2).sum(axis=2)
    intercept = y_mean - slope * u_mean - bend * v_mean
    return {"intercept": intercept, "exponent": -slope, "bend": bend, "misfit": misfit}


def _m4_error(m: Floats, p: Mapping[str, Any]) -> Floats:
    """The error at each m, by bisection: the left side of M4 rises with the error."""
    right = p["log_amplitude"] - p["exponent"] * np.log(m)
    low = np.broadcast_to(p["floor"], right.shape).copy()
    high = np.broadcast_to(p["ceiling"], right.shape).copy()
    for _ in range(45):
        middle = (low + high) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.log(middle - p["floor"]) - p["bend"] * np.log(p["ceiling"] - middle)
        above = left > right
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.where(np.isnan(right), np.nan, (low + high) / 2)


# The curves in natural units, for predictions


def _with_floor(shape: Callable[[Floats, Mapping[str, Any]], Floats]) -> Callable[..., Floats]:
    def curve(m: Floats, p: Mapping[str, Any]) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            value = p["floor"] + p["amplitude"] * shape(m, p)
        return np.asarray(value, dtype=float)

    return curve


def _bnsl_shape(m: Floats, p: Mapping[str, Any]) -> Floats:
    turn = np.logaddexp(0.0, np.log(m / p["scale"]) / p["width"]) * p["width"]
    return np.asarray(np.exp(-p["exponent"] * np.log(m) - p["change"] * turn))


_CURVES: Mapping[str, Callable[..., Floats]] = {
    "last_value": lambda m, p: p["level"] + 0 * m,
    "power_law": _with_floor(lambda m, p: m ** -p["exponent"]),
    "pow3": _with_floor(lambda m, p: m ** -p["exponent"]),
    "mmf4": _with_floor(lambda m, p: 1 / (1 + (m / p["scale"]) ** p["exponent"])),
    "weibull4": _with_floor(lambda m, p: np.exp(-((m / p["scale"]) ** p["exponent"]))),
    "pow4": _with_floor(lambda m, p: (m + p["shift"]) ** -p["exponent"]),
    "bnsl": _with_floor(_bnsl_shape),
    "m4": _m4_error,
}
