"""Seconds of a cell as a function of its size.

The seconds of a cell are a sum of *terms*, each an amount of work (products of a network's steps,
the kernel of a support vector machine, ...) times the seconds that a unit of it takes. What work
there is follows from the algorithms; the seconds a unit are fitted to measured cells by least
squares of the relative errors, none below zero (Lawson and Hanson, 1974). So a law holds its shape
beyond the sizes that were measured: it is a sum of powers of m, not a polynomial.

How many steps a network takes, and how many trees a boosting makes, is known only once it is
trained, as early stopping ends most runs. Before that it is taken to be what it was elsewhere
(`Stopping`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from takeoff.errors import TakeoffError
from takeoff.networks.budget import Plan, pilot_of, plan_run

Floats = npt.NDArray[np.float64]

LEAVES = 31  # of a tree at most, and the rows of each at least: scikit-learn's and ours
LEAF_ROWS = 20
TREES_ROWS = 1000  # training rows that `Stopping.trees` is of
METRIC_ROWS = 4096  # that the curvature of a logistic regression is estimated from
NETWORK, BOOSTING = "mlp", "gradient_boosting"


@dataclass(frozen=True)
class Task:
    """What one cell has to do.

    Attributes:
        kind: Of the learner.
        n_train, n_validation, n_test: Rows.
        n_features: Inputs.
        n_outputs: Classes, or 1 for numbers.
        settings: How many are tried.
        hidden: Width of each hidden layer of a network.
        batch: Rows a step.
        steps: Of a network, those of all runs of the cell; of a boosting, trees for each class and
            setting.
    """

    kind: str
    n_train: int
    n_validation: int
    n_test: int
    n_features: int
    n_outputs: int
    settings: int
    hidden: tuple[int, ...] = ()
    batch: int = 0
    steps: float = 0.0

    @property
    def columns(self) -> int:
        """Functions that are fitted: two classes need one."""
        return 1 if self.n_outputs <= 2 else self.n_outputs

    @property
    def n_params(self) -> int:
        """Parameters of a network."""
        widths = [self.n_features, *self.hidden, self.n_outputs]
        return sum((a + 1) * b for a, b in pairwise(widths))

    @property
    def flops_a_step(self) -> float:
        """Floating-point operations of the matrix products of one step.

        Forward, and backward for weights and for inputs; nobody asks for those of the first layer.
        """
        products = [a * b for a, b in pairwise([self.n_features, *self.hidden, self.n_outputs])]
        return 2.0 * self.batch * (3 * sum(products) - products[0])


# The work of a cell, by term


def terms(task: Task) -> dict[str, float]:
    """The amounts of work in a cell; see the functions below for their units.

    Raises:
        TakeoffError: Nothing is known of this kind of learner.
    """
    try:
        return {"cell": 1.0, **WORK[task.kind](task)}
    except KeyError:
        raise TakeoffError(
            f"nothing is known of what a learner of the kind {task.kind} costs",
            where="config: learners",
            remedy="add its work to takeoff.planning.costs.WORK",
        ) from None


def _numbers(task: Task) -> float:
    """Numbers that are scaled: of all rows that are read."""
    return float(task.n_train + task.n_validation + task.n_test) * task.n_features


def _logistic_regression(task: Task) -> dict[str, float]:
    n, d = task.n_train, task.n_features
    metric = d**2 * min(n, max(METRIC_ROWS, d)) + d**3 / 3
    return {
        "numbers": _numbers(task),
        "products": float(task.settings * n * d * task.columns),
        "metric": float(metric),
        "coordinates": float(task.settings * d**2 * task.columns),
    }


def _ridge(task: Task) -> dict[str, float]:
    n, d = task.n_train, task.n_features
    return {
        "numbers": _numbers(task),
        "products": float(n) * d * min(n, d),
        "decomposition": float(min(n, d)) ** 3,
    }


def _svm_rbf(task: Task) -> dict[str, float]:
    n, d = task.n_train, task.n_features
    decided = task.n_test + task.settings * task.n_validation
    pairs = max(1, task.n_outputs * (task.n_outputs - 1) // 2)
    return {
        "numbers": _numbers(task),
        "kernel": float(n) ** 2 * d / 2,
        "solver": float(task.settings) * n**2,
        "judged": float(task.n_test + task.n_validation) * n * d,
        "pairs": float(decided) * n * pairs,
    }


def _gradient_boosting(task: Task) -> dict[str, float]:
    n, d = task.n_train, task.n_features
    trees = task.settings * task.steps * task.columns
    leaves = min(LEAVES, max(1.0, n / LEAF_ROWS))
    return {
        "numbers": _numbers(task),
        "trees": trees,
        "rows": trees * n * d,
        "leaves": trees * leaves * d,
    }


def _mlp(task: Task) -> dict[str, float]:
    return {
        "steps": task.steps,
        "inputs": task.steps * task.batch * task.n_features,
        "products": task.steps * task.flops_a_step,
        "parameters": task.steps * task.n_params,
        "judged": float(task.n_test) * task.n_params,
    }


WORK = {
    "logistic_regression": _logistic_regression,
    "ridge": _ridge,
    "svm_rbf": _svm_rbf,
    BOOSTING: _gradient_boosting,
    NETWORK: _mlp,
}


# Steps of a network's cell


@dataclass(frozen=True)
class Budget:
    """The steps of the runs of one cell.

    Attributes:
        main: Of the run that is kept, if nothing stops it early.
        pilot: Of each pilot; None where one setting needs none.
        settings: How many are tried.
        passes: Through the training rows, in the whole budget of one run.
    """

    main: Plan
    pilot: Plan | None
    settings: int
    passes: float

    @property
    def whole_grid(self) -> int:
        """Steps if every setting were given the whole budget."""
        return self.settings * self.main.total

    @property
    def most(self) -> int:
        """Steps if nothing stops early: pilots, the worst of them dropped halfway, and the run."""
        return self.pilots + self.main.total - (self.pilot.stable if self.pilot else 0)

    @property
    def pilots(self) -> int:
        """Steps of all pilots if none of them stops early."""
        if self.pilot is None:
            return 0
        dropped = self.settings // 3
        return (self.settings - dropped) * self.pilot.total + dropped * self.pilot.halfway

    def taken(self, chosen: float) -> float:
        """Steps that were taken at most, where the run that was kept took so many."""
        return self.pilots + max(0.0, chosen - (self.pilot.stable if self.pilot else 0))


def budget(n_train: int, training: Mapping[str, Any], settings: int) -> Budget:
    """The steps that a cell of a network may take.

    Args:
        n_train: Training rows.
        training: The study's training settings.
        settings: Learning rates in the grid.
    """
    main = plan_run(n_train, dict(training))
    passes = main.total * training["batch_size"] / n_train
    if settings < 2:
        return Budget(main, None, settings, passes)
    pilot = pilot_of(main, training["pilot_fraction"], compared=settings >= 3)
    return Budget(main, pilot, settings, passes)


@dataclass(frozen=True)
class Stopping:
    """How early training ends.

    Attributes:
        level, slope: Of the log of the share of its `Budget.most` that a network's cell takes, by
            the log of the passes through the training rows that the budget allows.
        spread: Standard deviation of that log from curve to curve.
        trees: That a boosting of TREES_ROWS rows makes for each class before it stops.
        growth: Their number grows as this power of the rows.
        trees_spread: Standard deviation of the log of it from curve to curve.
    """

    level: float = 0.0
    slope: float = 0.0
    spread: float = math.log(2.0)
    trees: float = 50.0
    growth: float = 0.0
    trees_spread: float = math.log(2.0)

    def share(self, passes: float) -> float:
        """Of its budget that a network takes; never above 1."""
        return min(1.0, math.exp(self.level + self.slope * math.log(max(passes, 1.0))))

    def trees_of(self, n_train: int, most: float) -> float:
        """Trees for each class that a boosting makes; never above `most`."""
        return float(min(most, self.trees * (n_train / TREES_ROWS) ** self.growth))


# Seconds


@dataclass(frozen=True)
class Model:
    """Seconds of cells.

    Attributes:
        units: By kind of learner and term, the seconds that a unit takes.
        spread: By kind, the standard deviation of log(measured / predicted) over curves that the
            model has not seen, given what was done.
        stopping: How early training ends.
    """

    units: Mapping[str, Mapping[str, float]]
    spread: Mapping[str, float]
    stopping: Stopping

    def seconds(self, task: Task) -> float:
        """Of one cell."""
        own = self.units.get(task.kind, {})
        return sum(own.get(name, 0.0) * amount for name, amount in terms(task).items())

    def uncertainty(self, kind: str) -> float:
        """Standard deviation of the log of a curve's seconds before it is trained."""
        own = self.spread.get(kind, max(self.spread.values(), default=0.0))
        early = {NETWORK: self.stopping.spread, BOOSTING: self.stopping.trees_spread}
        return math.hypot(own, early.get(kind, 0.0))


@dataclass(frozen=True)
class Measured:
    """A cell with what it took.

    Attributes:
        curve: Names the learning curve that it is of.
        task: What it did; of a network, with the steps that it took.
        seconds: Measured.
        share: Of a network's `Budget.most` that its steps are; 1 for others.
        passes: Of a network's whole budget through the training rows.
        most: Steps, or trees, that it might have taken.
    """

    curve: str
    task: Task
    seconds: float
    share: float = 1.0
    passes: float = 1.0
    most: float = 0.0

    def before(self, stopping: Stopping) -> Task:
        """What could be said of the task before it was done."""
        if self.task.kind == NETWORK:
            return replace(self.task, steps=self.most * stopping.share(self.passes))
        if self.task.kind == BOOSTING:
            return replace(self.task, steps=stopping.trees_of(self.task.n_train, self.most))
        return self.task


def fit(cells: Sequence[Measured]) -> Model:
    """The model of measured cells; its spread is that of curves that were left out in turn."""
    units, spread = {}, {}
    for kind in sorted({cell.task.kind for cell in cells}):
        own = [cell for cell in cells if cell.task.kind == kind]
        units[kind] = _units(own)
        errors = left_out(own)
        if errors:
            spread[kind] = _root_mean_square(list(errors.values()))
    worst = max(spread.values(), default=math.log(2.0))
    return Model(units, {kind: spread.get(kind, worst) for kind in units}, fit_stopping(cells))


def left_out(cells: Sequence[Measured]) -> dict[str, float]:
    """By curve, log(predicted / measured) of its seconds in all, predicted from the others.

    Args:
        cells: Of one kind of learner; empty is what a single curve gives.
    """
    found = {}
    for curve in sorted({cell.curve for cell in cells}):
        others = [cell for cell in cells if cell.curve != curve]
        own = [cell for cell in cells if cell.curve == curve]
        if others:
            model = Model({own[0].task.kind: _units(others)}, {}, Stopping())
            predicted = sum(model.seconds(cell.task) for cell in own)
            found[curve] = math.log(predicted / sum(cell.seconds for cell in own))
    return found


def fit_stopping(cells: Sequence[Measured]) -> Stopping:
    """How early training ends, from cells that have been trained."""
    networks = [cell for cell in cells if cell.task.kind == NETWORK]
    boosted = [cell for cell in cells if cell.task.kind == BOOSTING and cell.task.steps > 0]
    found = Stopping()
    if networks:
        x = np.log([cell.passes for cell in networks])
        y = np.log([cell.share for cell in networks])
        slope = float(np.polyfit(x, y, 1)[0]) if np.ptp(x) > 0 else 0.0
        level = float(np.mean(y) - slope * np.mean(x))
        off = _by_curve(networks, y - level - slope * x)
        found = replace(found, level=level, slope=slope, spread=_root_mean_square(off))
    if boosted:
        x = np.log([cell.task.n_train / TREES_ROWS for cell in boosted])
        y = np.log([cell.task.steps for cell in boosted])
        growth = _slope_within(boosted, x, y)
        off = _by_curve(boosted, y - growth * x)
        level = float(np.mean(off))
        spread = _root_mean_square([value - level for value in off])
        found = replace(found, trees=math.exp(level), growth=growth, trees_spread=spread)
    return found


def _slope_within(cells: Sequence[Measured], x: Floats, y: Floats) -> float:
    """Of y over x within curves: which of them were measured at larger x does not matter."""
    curves = np.array([cell.curve for cell in cells])
    for curve in set(curves):
        own = curves == curve
        x = np.where(own, x - x[own].mean(), x)
        y = np.where(own, y - y[own].mean(), y)
    squares = float(x @ x)
    return float(x @ y) / squares if squares > 0 else 0.0


def _by_curve(cells: Sequence[Measured], values: Floats) -> list[float]:
    """The mean of each curve."""
    curves = np.array([cell.curve for cell in cells])
    return [float(values[curves == curve].mean()) for curve in sorted(set(curves))]


def _units(cells: Sequence[Measured]) -> dict[str, float]:
    """Seconds a unit of each term, by least squares of relative errors.

    Those are lower for what is too small than for what is too large by the same factor, so the
    units are then scaled: all cells together take what they took.
    """
    from scipy.optimize import nnls

    work = [terms(cell.task) for cell in cells]
    seconds = np.array([cell.seconds for cell in cells])
    amounts = np.array([list(one.values()) for one in work])
    relative = amounts / seconds[:, None]
    scale = np.maximum(relative.max(axis=0), 1e-300)
    units = nnls(relative / scale, np.ones(len(cells)))[0] / scale
    units *= seconds.sum() / (amounts @ units).sum()
    return {name: float(value) for name, value in zip(work[0], units, strict=True)}


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(sum(value**2 for value in values) / len(values)) if values else 0.0
