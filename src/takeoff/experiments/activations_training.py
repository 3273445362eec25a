"""Networks that differ in their activation, their first weights and their depth, trained alike.

Every network (activation x initialisation x depth) is trained at every learning rate of one grid
in a few *tuning* repeats; with the rate that arrives first (see `arrivals`) it is then trained in
other, *judged* repeats. So no network is judged by the runs that it was chosen by. Runs of one
network stand side by side on a leading axis (see `takeoff.networks.replicates`).

What has to be arrived at is a share of the way from guessing to the lowest loss that any network of
the smallest depth had in its tuning runs: a loss that was reached, whatever the activation, and
that is known before deeper networks are tuned. Their tuning ends as soon as no other rate could
still be the best; judged runs take all steps.

All runs learn from the same labelled examples and are evaluated on the same held-out ones, of which
`split` takes as many as elsewhere. A repeat is a fresh draw of first weights and of the order of
the examples; both come from seeds that all networks of the repeat share, so that they are paired.

The optimiser is gradient descent with momentum, at a constant rate: the step of a weight is in
proportion to its gradient, so that a gradient that vanishes is felt. Adam, which divides by the
gradient's size, is there to be compared with.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from takeoff.datasets.base import Dataset
from takeoff.experiments import arrivals
from takeoff.experiments.activation_networks import (
    ACTIVATIONS,
    ReplicateAdam,
    ReplicateSGD,
    differentiate,
    initial,
    passed,
)
from takeoff.fingerprint import fingerprint, versions
from takeoff.memory import keep_freed_memory
from takeoff.networks.losses import CrossEntropy, SquaredError
from takeoff.networks.replicates import Shape
from takeoff.scaling import Rows, Target, fit
from takeoff.store import CellStore
from takeoff.training import seed_of, split, subset

if TYPE_CHECKING:
    from takeoff.progress import Progress

EVALUATED_ON = 256  # held-out examples
LAYER_LOOKS = 6  # evaluations of a judged run at which its layers are looked into
HOPELESS = 100.0  # times the loss of guessing: a run that is beyond it will not come back
COST_STEPS, COST_ROUNDS = 20, 6  # of the timing; the first round warms up
DIGITS = 6  # significant ones that are kept

COLUMNS = [
    *("kind", *arrivals.NETWORK, "phase", "rate", "repeat", "step", "layer"),
    *("loss", "gradient", "flat", "dead", "seconds"),
]
TYPES: dict[str, Any] = {
    **dict.fromkeys(("depth", "repeat", "step", "layer"), "Int64"),
    **dict.fromkeys(("rate", "loss", "gradient", "flat", "dead", "seconds"), float),
    **dict.fromkeys(("kind", "optimiser", "activation", "initialisation", "phase"), object),
}
# What says which networks there are and how they are judged, but not how one of them is trained.
EACH_NETWORK = (
    *("optimisers", "activations", "initialisations", "depths", "rates", "tuning_repeats"),
    *("repeats", "target", "shares", "dataset"),
)


# What is trained, and on what


class Network(NamedTuple):
    """What is tuned on its own; see `arrivals.NETWORK`."""

    optimiser: str
    activation: str
    initialisation: str
    depth: int


class Run(NamedTuple):
    """One of the runs of a network."""

    rate: float
    repeat: int


@dataclass(frozen=True, eq=False)
class Examples:
    """What all runs learn from, and what they are evaluated on.

    Attributes:
        x, y: Training rows [n, d] and their targets [n].
        x_held_out, y_held_out: The rows that losses are measured on, [v, d] and [v].
        loss: What is lowered.
        n_outputs: Of a network.
        chance: The loss of guessing: of the best constant for the training rows, on the held-out.
    """

    x: torch.Tensor
    y: torch.Tensor
    x_held_out: torch.Tensor
    y_held_out: torch.Tensor
    loss: type[CrossEntropy | SquaredError]
    n_outputs: int
    chance: float


def examples(data: Dataset, settings: Mapping[str, Any]) -> Examples:
    """The labelled rows of the study's first repeat, split and scaled as for every learner.

    All rows count alike, also where the data set gives them weights: what is asked is how fast a
    loss falls.

    Args:
        data: The data set.
        settings: seed, m, and `training` for the split.
    """
    rows = subset(data, settings["seed"], min(settings["m"], len(data.y_pool)), repeat=0)
    groups = None if data.groups_pool is None else data.groups_pool[rows]
    train, held_out = split(rows, settings["training"], groups, data.time_ordered)
    held_out = held_out[:EVALUATED_ON]
    scaling = fit(data, train)
    x, x_held_out = (
        torch.from_numpy(scaling(data.features(data.x_pool[part]))) for part in (train, held_out)
    )
    labels, chance = _targets(data, train, held_out)
    loss = SquaredError if data.is_regression else CrossEntropy
    return Examples(x, labels[0], x_held_out, labels[1], loss, len(data.classes) or 1, chance)


def _targets(
    data: Dataset, train: Rows, held_out: Rows
) -> tuple[tuple[torch.Tensor, torch.Tensor], float]:
    """Targets of both parts, and the held-out loss of the best constant for the training rows."""
    y, y_held_out = data.y_pool[train], data.y_pool[held_out]
    if data.is_regression:
        scale = Target.of(y)
        numbers = [torch.from_numpy(scale.standard(part)).float() for part in (y, y_held_out)]
        return (numbers[0], numbers[1]), float(numbers[1].square().mean())
    known, asked = torch.from_numpy(y), torch.from_numpy(y_held_out)
    counts = torch.bincount(known, minlength=len(data.classes))
    guess = torch.log((counts / len(known)).clamp_min(0.5 / len(known)))  # a class may be missing
    return (known, asked), float(functional.cross_entropy(guess.expand(len(asked), -1), asked))


# All networks


def parts(settings: Mapping[str, Any]) -> int:
    """How many parts `measure` has: tuned networks, judged networks, and the timing."""
    return 2 * len(networks(settings["settings"])) + 1


def measure(
    settings: Mapping[str, Any], data: Dataset, cells: Path, progress: Progress
) -> pd.DataFrame:
    """Tune and judge every network, and time the steps of each activation.

    Args:
        settings: `Study.measure_settings`.
        data: The data set.
        cells: Folder of the cell store: what is finished is kept at once.
        progress: Told of each part that is finished.

    Returns:
        All rows, with the columns of `COLUMNS`; what does not apply is missing. Kinds: "chance"
        (loss: of guessing), "loss" and "layer" (see `train`), and "cost" (see `step_costs`).
    """
    share = {"validation_fraction": settings["training"]["validation_fraction"]}
    asked = {**settings["settings"], "seed": settings["seed"], "training": share}
    keep_freed_memory()
    with tiny_numbers_as_zero():
        work = _Work(asked, examples(data, asked), CellStore(cells), data.digest, progress)
        chance = pd.DataFrame([{"kind": "chance", "loss": rounded(work.seen.chance)}])
        runs = [work.of(optimiser) for optimiser in asked["optimisers"]]
        found = [chance, *itertools.chain.from_iterable(runs), work.costs()]
    return pd.concat([_typed(part) for part in found], ignore_index=True)


def networks(settings: Mapping[str, Any], optimiser: str | None = None) -> list[Network]:
    """Every network that the experiment's settings ask for, the shallow ones first."""
    kinds = itertools.product(
        settings["optimisers"] if optimiser is None else [optimiser],
        settings["activations"],
        settings["initialisations"],
        settings["depths"],
    )
    return sorted((Network(*kind) for kind in kinds), key=lambda network: network.depth)


@dataclass(frozen=True, eq=False)
class _Work:
    """What is to be done, and where what is done is kept."""

    settings: dict[str, Any]
    seen: Examples
    store: CellStore
    digest: str
    progress: Progress

    def of(self, optimiser: str) -> list[pd.DataFrame]:
        """All runs with one optimiser."""
        every = networks(self.settings, optimiser)
        shallow = [network for network in every if network.depth == every[0].depth]
        tuning = [self._tuned(network, goal=None) for network in shallow]
        best = arrivals.best_loss(pd.concat(tuning))
        goal = arrivals.target(self.seen.chance, best, self.settings["target"])
        tuning += [self._tuned(network, goal) for network in every if network not in shallow]
        judged = [
            self._judged(network, arrivals.fastest(runs, goal, self.settings["steps"]))
            for network, runs in zip(every, tuning, strict=True)
        ]
        return [*tuning, *judged]

    def costs(self) -> pd.DataFrame:
        """See `step_costs`."""
        kinds = ("optimisers", "activations", "depths", "repeats")
        what = {"phase": "cost"} | {name: self.settings[name] for name in kinds}
        return self._kept(what, 1, lambda: step_costs(self.settings, self.seen))

    def _tuned(self, network: Network, goal: float | None) -> pd.DataFrame:
        """The tuning runs of a network: every rate in every tuning repeat."""
        repeats = range(self.settings["tuning_repeats"])
        rates = self.settings["rates"][network.optimiser]
        runs = [Run(rate, repeat) for rate in rates for repeat in repeats]
        return self._trained(network, runs, "tuning", goal)

    def _judged(self, network: Network, rate: float) -> pd.DataFrame:
        """The runs that a network is judged by, in repeats that it was not tuned in."""
        first = self.settings["tuning_repeats"]
        repeats = range(first, first + self.settings["repeats"])
        return self._trained(network, [Run(rate, repeat) for repeat in repeats], "judged")

    def _trained(
        self, network: Network, runs: Sequence[Run], phase: str, goal: float | None = None
    ) -> pd.DataFrame:
        what = {"network": network._asdict(), "phase": phase, "runs": [list(run) for run in runs]}
        return self._kept(
            what | {"goal": goal},
            len(runs),
            lambda: train(network, runs, phase, self.settings, self.seen, goal),
        )

    def _kept(
        self, what: dict[str, Any], runs: int, make: Callable[[], pd.DataFrame]
    ) -> pd.DataFrame:
        """A table from the store or, if it is not there, made and put there."""
        own = {key: value for key, value in self.settings.items() if key not in EACH_NETWORK}
        meaning = {"experiment": "activations", "data": self.digest, **self._code, **own, **what}
        stored = self.store.get(meaning)
        if stored is None:
            stored = {"table": json.loads(make().to_json(orient="split", double_precision=15))}
            self.store.put(meaning, stored)
            self.progress.advance(work=runs / self._runs)
        else:
            self.progress.stored(1, work=runs / self._runs)
        return _typed(pd.DataFrame(**stored["table"]))

    @cached_property
    def _code(self) -> dict[str, Any]:
        return {"code": fingerprint(__name__), "versions": versions("numpy", "torch")}

    @property
    def _runs(self) -> int:
        """Of all parts."""
        settings = self.settings
        each = settings["repeats"] * len(settings["optimisers"])
        rates = [settings["rates"][optimiser] for optimiser in settings["optimisers"]]
        each += settings["tuning_repeats"] * sum(map(len, rates))
        return int(each) * len(networks(settings)) // len(settings["optimisers"]) + 1


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    return table.reindex(columns=COLUMNS).astype(TYPES)


def step_costs(settings: Mapping[str, Any], seen: Examples) -> pd.DataFrame:
    """Seconds that a step of one network takes, as many side by side as are judged.

    All activations of a depth are timed in turn, round by round, so that whatever else the machine
    is doing slows none more than another.

    Returns:
        A row per optimiser, depth, activation and round (`repeat`): seconds.
    """
    rows = []
    short = {**settings, "steps": COST_ROUNDS * COST_STEPS}
    for optimiser, depth in itertools.product(settings["optimisers"], settings["depths"]):
        runs = [Run(min(settings["rates"][optimiser]), r) for r in range(settings["repeats"])]
        sides = {
            name: _Side(Network(optimiser, name, "default", depth), runs, short, seen)
            for name in settings["activations"]
        }
        for turn, (name, side) in itertools.product(range(COST_ROUNDS), sides.items()):
            started = time.perf_counter()
            side.go_on(until=side.step + COST_STEPS)
            seconds = (time.perf_counter() - started) / COST_STEPS / len(runs)
            if turn:  # the first round warms up
                rows.append(("cost", optimiser, name, depth, turn, rounded(seconds)))
    names = ["kind", "optimiser", "activation", "depth", "repeat", "seconds"]
    return pd.DataFrame(rows, columns=names).reindex(columns=COLUMNS)


@contextmanager
def tiny_numbers_as_zero() -> Iterator[None]:
    """What a vanishing gradient leaves of a velocity is so small that a CPU is slow with it."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


# One network, all its runs


def train(
    network: Network,
    runs: Sequence[Run],
    phase: str,
    settings: Mapping[str, Any],
    seen: Examples,
    goal: float | None = None,
) -> pd.DataFrame:
    """Train the runs of one network side by side.

    Args:
        network: Its activation, initialisation, depth and optimiser.
        runs: One for each replicate.
        phase: "tuning" or "judged": in judged runs, layers are looked into as well.
        settings: steps, batch_size, evaluations, width, momentum, seed, flat.
        seen: The examples.
        goal: A loss; all runs end when it is settled which rate arrives there first.

    Returns:
        A row per run and evaluation (kind "loss"; NaN from where a run diverged), and a row per
        run, look and layer (kind "layer"): the norm of the gradient by the layer's weights, and of
        its hidden units the shares of flat slopes and of dead units. Columns as in `COLUMNS`.
    """
    side = _Side(network, runs, settings, seen)
    at = arrivals.evaluations(settings["steps"], settings["evaluations"])
    looks = set(arrivals.spaced(at, LAYER_LOOKS)) if phase == "judged" else set()
    rows: list[dict[str, Any]] = []
    for step in at:
        side.go_on(until=step)
        rows += [{"kind": "loss", "step": step} | row for row in side.losses()]
        if step in looks:
            rows += [{"kind": "layer", "step": step} | row for row in side.layers()]
        side.drop_hopeless()
        if not side.runs or (goal is not None and arrivals.settled(rows, goal)):
            break
    found = pd.DataFrame(rows).assign(phase=phase, **network._asdict())
    return found.reindex(columns=COLUMNS)


class _Side:
    """The runs of one network, side by side; those that diverged are left out."""

    def __init__(
        self, network: Network, runs: Sequence[Run], settings: Mapping[str, Any], seen: Examples
    ):
        self.settings, self.seen, self.network = settings, seen, network
        self.activation = ACTIVATIONS[network.activation]
        hidden = (settings["width"],) * network.depth
        self.shape = Shape(seen.x.shape[1], hidden, seen.n_outputs)
        self.runs, self.step, self.diverged = list(runs), 0, list[Run]()
        repeats = sorted({run.repeat for run in runs})
        self.orders = torch.stack([self._order(repeat) for repeat in repeats])
        self.places = torch.tensor([repeats.index(run.repeat) for run in runs])
        first = [
            initial(
                self.shape,
                network.activation,
                network.initialisation,
                self._seed(run.repeat, "first weights"),
            )
            for run in runs
        ]
        self.optimiser = self._optimiser(torch.stack(first))
        self.latest = torch.zeros(len(runs))

    def _seed(self, repeat: int, what: str) -> int:
        """Of a repeat: the same for all activations, initialisations, rates and optimisers."""
        own = self.shape.hidden if what == "first weights" else ()
        return seed_of(self.settings["seed"], "activations", what, repeat, *own)

    def _order(self, repeat: int) -> torch.Tensor:
        """Rows of all batches of a repeat, [steps, B]: one permutation after the other."""
        generator = torch.Generator().manual_seed(self._seed(repeat, "order"))
        size, n = self.settings["batch_size"], len(self.seen.x)
        needed = self.settings["steps"] * size
        orders = [torch.randperm(n, generator=generator) for _ in range(-(-needed // n))]
        return torch.cat(orders)[:needed].view(-1, size)

    def _optimiser(self, networks: torch.Tensor) -> ReplicateSGD | ReplicateAdam:
        rates = torch.tensor([run.rate for run in self.runs], dtype=torch.float64)
        if self.network.optimiser == "adam":
            return ReplicateAdam(self.shape, networks, rates, self.settings["steps"])
        return ReplicateSGD(self.shape, networks, rates, self.settings["momentum"])

    @torch.no_grad()
    def go_on(self, until: int) -> None:
        """Take the steps up to this one."""
        size = self.settings["batch_size"]
        loss, layers = self.seen.loss, self.optimiser.layers
        one_each = self.places.tolist() == list(range(len(self.orders)))
        while self.runs and self.step < until:
            rows = self.orders[:, self.step]  # runs of a repeat share them: they are read once
            x = self.seen.x.index_select(0, rows.reshape(-1)).view(*rows.shape, -1)
            slope = _slope_of_mean(loss, self.seen.y[rows][self.places], size)
            gradients = self.optimiser.gradients
            x = x if one_each else x.index_select(0, self.places)
            differentiate(layers, x, self.activation, slope, gradients)
            self.optimiser.advance()
            self.step += 1

    @torch.no_grad()
    def losses(self) -> Iterator[dict[str, Any]]:
        """The loss of every run on the held-out rows; NaN for those that diverged."""
        if self.runs:
            before, _ = passed(self.optimiser.layers, self._held_out(), self.activation)
            targets = self.seen.y_held_out.expand(len(self.runs), -1)
            self.latest = self.seen.loss.each(before[-1], targets).mean(dim=1)
        for run, loss in zip(self.runs, self.latest.tolist(), strict=True):
            finite = loss if np.isfinite(loss) else np.nan
            yield {"rate": run.rate, "repeat": run.repeat, "loss": rounded(finite)}
        for run in self.diverged:
            yield {"rate": run.rate, "repeat": run.repeat, "loss": np.nan}

    def _held_out(self) -> torch.Tensor:
        return self.seen.x_held_out.T.expand(len(self.runs), -1, -1)

    @torch.no_grad()
    def layers(self) -> Iterator[dict[str, Any]]:
        """What each layer of every run does with the held-out rows."""
        layers, size = self.optimiser.layers, len(self.seen.y_held_out)
        gradients = [torch.empty_like(layer) for layer in layers]
        targets = self.seen.y_held_out.expand(len(self.runs), -1)
        x = self._held_out().mT
        slope = _slope_of_mean(self.seen.loss, targets, size)
        differentiate(layers, x, self.activation, slope, gradients)
        before, after = passed(layers, x.mT, self.activation)
        for place, gradient in enumerate(gradients[::2]):
            norms = gradient.flatten(1).norm(dim=1).tolist()
            hidden = place < self.network.depth
            flat = self._flat(before[place], after[place + 1]) if hidden else None
            for replicate, run in enumerate(self.runs):
                yield {
                    "rate": run.rate, "repeat": run.repeat, "layer": place + 1,
                    "gradient": rounded(norms[replicate]),
                    "flat": np.nan if flat is None else rounded(float(flat[replicate].mean())),
                    "dead": np.nan if flat is None else
                            rounded(float((flat[replicate] == 1).float().mean())),
                }  # fmt: skip

    def _flat(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        """For each unit the share of rows on which its slope is next to nothing, [R, units]."""
        slopes = self.activation.back(torch.ones_like(before), before, after).abs()
        few = slopes < self.settings["flat"] * self.activation.steepest
        found: torch.Tensor = few.float().mean(dim=2)
        return found

    def drop_hopeless(self) -> None:
        """Leave out the runs whose last loss is not finite, or beyond all hope."""
        fine = self.latest < HOPELESS * self.seen.chance  # false for NaN
        if bool(fine.all()):
            return
        self.diverged += [run for run, ok in zip(self.runs, fine, strict=True) if not ok]
        self.runs = [run for run, ok in zip(self.runs, fine, strict=True) if ok]
        self.latest, self.places = self.latest[fine], self.places[fine]
        if self.runs:
            self.optimiser = self.optimiser.only(fine)


def _slope_of_mean(
    loss: type[CrossEntropy | SquaredError], targets: torch.Tensor, size: int
) -> Callable[[torch.Tensor], torch.Tensor]:
    """The derivative of the mean loss of each replicate's rows."""
    return lambda outputs: loss.slope(outputs, targets).div_(size)


def rounded(value: float) -> float:
    """To so many digits that a table of it is no longer than it need be."""
    return float(f"{value:.{DIGITS}g}")
