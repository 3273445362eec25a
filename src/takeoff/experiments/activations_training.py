"""Networks that differ in their activation, their first weights and their depth, trained alike.

Every network (activation x initialisation x depth) is trained at every learning rate of one grid
in a few *tuning* repeats; with the rate that arrives first (see `arrivals`) it is then trained in
other, *judged* repeats. So no network is judged by the runs that it was chosen by. Runs of one
network stand side by side on a leading axis (see `takeoff.networks.replicates`).

All runs learn from the same labelled examples and are evaluated on the same held-out ones, of which
`split` takes as many as elsewhere. A repeat is a fresh draw of first weights and of the order of
the examples; both come from seeds that all networks of the repeat share, so that they are paired.

The optimiser is gradient descent with momentum, at a constant rate: the step of a weight is in
proportion to its gradient, so that a gradient that vanishes is felt. Adam, which divides by the
gradient's size, is there to be compared with.

The initialisations:
    default: What `torch.nn.Linear` does without being asked: weights and biases uniform within
        1 / sqrt(fan-in).
    scaled: Made for the activation. ReLU and GELU: He et al. (2015). tanh: Glorot and Bengio
        (2010), normal. Sigmoid: as 1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2, there are weights and
        biases for which a sigmoid network computes what a tanh network computes: the same, times 2
        before the first hidden layer, times 4 between hidden layers, times 2 after the last, with
        biases that make up for outputs that lie around 1/2 (inputs around zero: LeCun et al.,
        1998). It starts from those of the tanh network, so that it, too, keeps the variance.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional

from takeoff.datasets.base import Dataset
from takeoff.experiments import arrivals
from takeoff.networks.losses import CrossEntropy, SquaredError
from takeoff.networks.replicates import ReplicateAdamW, Shape
from takeoff.scaling import Target, fit
from takeoff.store import CellStore
from takeoff.training import seed_of, split, subset

if TYPE_CHECKING:
    from takeoff.progress import Progress

Layers = Sequence[torch.Tensor]  # [R, out, in] and [R, out, 1] in turn

EVALUATED_ON = 256  # held-out examples
LAYER_LOOKS = 6  # evaluations of a judged run at which its layers are looked into
HOPELESS = 100.0  # times the loss of guessing: a run that is beyond it will not come back
COST_STEPS, COST_ROUNDS = 20, 6  # of the timing; the first round warms up
DIGITS = 6  # significant ones that are kept

COLUMNS = [
    *("kind", *arrivals.NETWORK, "phase", "rate", "repeat", "step", "layer"),
    *("loss", "gradient", "flat", "dead", "seconds"),
]
TYPES = {
    **dict.fromkeys(("depth", "repeat", "step", "layer"), "Int64"),
    **dict.fromkeys(("rate", "loss", "gradient", "flat", "dead", "seconds"), float),
    **dict.fromkeys(("kind", "optimiser", "activation", "initialisation", "phase"), object),
}
# What says which networks there are and how they are judged, but not how one of them is trained.
EACH_NETWORK = (
    *("optimisers", "activations", "initialisations", "depths", "rates", "tuning_repeats"),
    *("repeats", "target", "shares"),
)


# The activations


@dataclass(frozen=True)
class Activation:
    """A function of one number, and how a gradient comes back through it.

    Attributes:
        value: Of any shape.
        back: The gradient by what went in, from the gradient by what came out, what went in and
            what came out.
        steepest: The largest slope.
    """

    value: Callable[[torch.Tensor], torch.Tensor]
    back: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
    steepest: float


_aten = torch.ops.aten
ACTIVATIONS: Mapping[str, Activation] = {
    "relu": Activation(torch.relu, lambda g, z, a: _aten.threshold_backward(g, a, 0), 1.0),
    "sigmoid": Activation(torch.sigmoid, lambda g, z, a: _aten.sigmoid_backward(g, a), 0.25),
    "tanh": Activation(torch.tanh, lambda g, z, a: _aten.tanh_backward(g, a), 1.0),
    # The slope Phi(z) + z phi(z) is largest where its derivative (2 - z^2) phi(z) is zero.
    "gelu": Activation(functional.gelu, lambda g, z, a: _aten.gelu_backward(g, z), 1.128904),
}


# First weights


def initial(shape: Shape, activation: str, initialisation: str, seed: int) -> torch.Tensor:
    """One network [n], from its own seed, on the CPU; see the module for the kinds."""
    generator = torch.Generator().manual_seed(seed)
    network = torch.zeros(1, shape.length)
    layers = shape.layers(network)
    pairs = list(zip(layers[::2], layers[1::2], strict=True))
    for place, (weight, bias) in enumerate(pairs):
        if initialisation == "default":
            bound = weight.shape[2] ** -0.5
            nn.init.uniform_(weight, -bound, bound, generator=generator)
            nn.init.uniform_(bias, -bound, bound, generator=generator)
        elif activation in ("relu", "gelu"):
            kind = "relu" if place < len(pairs) - 1 else "linear"
            nn.init.kaiming_normal_(weight[0], nonlinearity=kind, generator=generator)
        else:
            nn.init.xavier_normal_(weight[0], generator=generator)
    if (activation, initialisation) == ("sigmoid", "scaled"):
        _as_tanh(pairs)
    return network[0]


def _as_tanh(pairs: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Weights of a tanh network -> of the sigmoid network that computes the same, in place."""
    for place, (weight, bias) in enumerate(pairs):
        if place < len(pairs) - 1:  # tanh(z) takes half of what the sigmoid takes
            weight.mul_(2)
            bias.mul_(2)
        if place > 0:  # what comes in is (1 + tanh) / 2
            weight.mul_(2)
            bias.sub_(weight.sum(dim=2, keepdim=True) / 2)


# Forward and backward


def differentiate(
    layers: Layers,
    x: torch.Tensor,
    activation: Activation,
    slope: Callable[[torch.Tensor], torch.Tensor],
    gradients: Layers,
) -> None:
    """Forward and backward pass of R networks; `replicates.differentiate` for any activation.

    Args:
        layers: [R, out, in] and [R, out, 1] in turn.
        x: [R, B, d].
        activation: After every layer but the last.
        slope: Derivatives of a loss by the outputs, [R, C, B], from the outputs.
        gradients: Where the derivatives by each layer are written, of the layers' sizes.
    """
    before, after = _passed(layers, x.mT, activation)
    above = slope(before.pop())
    for layer in reversed(range(0, len(layers), 2)):
        below = after.pop()
        gradients[layer].copy_(torch.bmm(above, below.mT))
        gradients[layer + 1].copy_(above.sum(dim=2, keepdim=True))
        if layer:
            above = activation.back(torch.bmm(layers[layer].mT, above), before.pop(), below)


def _passed(
    layers: Layers, inputs: torch.Tensor, activation: Activation
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """What goes into each activation and, last, the outputs; the inputs, and what comes out."""
    before: list[torch.Tensor] = []
    after = [inputs]
    for layer in range(0, len(layers), 2):
        before.append(torch.baddbmm(layers[layer + 1], layers[layer], after[-1]))
        if layer < len(layers) - 2:
            after.append(activation.value(before[-1]))
    return before, after


# Optimisers


class ReplicateSGD:
    """Gradient descent with momentum (Polyak, 1964) for R networks, each at its own rate.

    With its velocity v and the gradient g a weight w goes on by v <- momentum v + g and
    w <- w - rate v.

    Args:
        shape: Of each network.
        networks: [R, n]; changed in place.
        rates: [R].
        momentum: Share of the velocity that is kept.
        velocity: So far, [R, n]; zeros without.
    """

    def __init__(
        self,
        shape: Shape,
        networks: torch.Tensor,
        rates: torch.Tensor,
        momentum: float,
        velocity: torch.Tensor | None = None,
    ):
        self.shape, self.networks, self.rates, self.momentum = shape, networks, rates, momentum
        self.layers = shape.layers(networks)
        self._gradient = torch.zeros_like(networks)
        self.gradients = shape.layers(self._gradient)
        self._velocity = torch.zeros_like(networks) if velocity is None else velocity
        self._factors = rates.float()[:, None]

    def advance(self) -> None:
        """One step of every network, with `gradients`."""
        self._velocity.mul_(self.momentum).add_(self._gradient)
        self.networks.addcmul_(self._velocity, self._factors, value=-1)

    def only(self, some: torch.Tensor) -> ReplicateSGD:
        """Of the replicates that are true in bool [R]."""
        velocity = self._velocity[some]
        return ReplicateSGD(
            self.shape, self.networks[some], self.rates[some], self.momentum, velocity
        )


class ReplicateAdam(ReplicateAdamW):
    """Adam (Kingma and Ba, 2015) at constant rates, as the package's other networks use it.

    Args:
        shape: Of each network.
        networks: [R, n]; changed in place.
        rates: float64 [R].
        steps: How many are still to be taken.
        moments, taken: See `ReplicateAdamW`.
    """

    def __init__(
        self,
        shape: Shape,
        networks: torch.Tensor,
        rates: torch.Tensor,
        steps: int,
        moments: torch.Tensor | None = None,
        taken: torch.Tensor | None = None,
    ):
        super().__init__(shape, networks, torch.zeros(len(networks)), moments, taken)
        self.layers = shape.layers(networks)  # leaves that autograd knows nothing of
        self.rates = rates
        self.schedule(rates.expand(steps, -1))

    def only(self, some: torch.Tensor) -> ReplicateAdam:
        """Of the replicates that are true in bool [R]."""
        left, moments, taken = len(self._rates), self.moments[:, some], self.taken[some]
        return ReplicateAdam(
            self.shape, self.networks[some], self.rates[some], left, moments, taken
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
        name: Of the data set.
    """

    x: torch.Tensor
    y: torch.Tensor
    x_held_out: torch.Tensor
    y_held_out: torch.Tensor
    loss: type[CrossEntropy | SquaredError]
    n_outputs: int
    chance: float
    name: str


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
    y, y_held_out = data.y_pool[train], data.y_pool[held_out]
    if not data.is_regression:
        y, y_held_out = torch.from_numpy(y), torch.from_numpy(y_held_out)
        shares = torch.bincount(y, minlength=len(data.classes)) / len(y)
        guess = torch.log(shares.clamp_min(0.5 / len(y)))  # a class may be missing
        chance = float(functional.cross_entropy(guess.expand(len(y_held_out), -1), y_held_out))
        loss: type[CrossEntropy | SquaredError] = CrossEntropy
    else:
        scale = Target.of(y)
        y, y_held_out = (torch.from_numpy(scale.standard(part)).float() for part in (y, y_held_out))
        chance, loss = float(y_held_out.square().mean()), SquaredError
    count = len(data.classes) or 1
    return Examples(x, y, x_held_out, y_held_out, loss, count, chance, data.name)


# All networks


def measure(
    settings: dict[str, Any], data: Dataset, cells: Path, progress: Progress | None = None
) -> pd.DataFrame:
    """Tune and judge every network, and time the steps of each activation.

    Args:
        settings: seed, training, code and versions, and those of the experiment: see
            `takeoff.experiments.settings.Activations`.
        data: The data set.
        cells: Folder of the cell store: what is finished is kept at once.
        progress: Told of each network that is tuned, and of each that is judged.

    Returns:
        All rows, with the columns of `COLUMNS`; what does not apply is missing. Kinds: "chance"
        (loss: of guessing), "loss" and "layer" (see `train`), and "cost" (see `step_costs`).
    """
    with tiny_numbers_as_zero():
        work = _Work(settings, examples(data, settings), CellStore(cells), data.digest, progress)
        tuning = pd.concat([work.tuned(network) for network in networks(settings)])
        judged = [work.judged(*chosen) for chosen in _chosen(tuning, settings, work.seen.chance)]
        chance = pd.DataFrame([{"kind": "chance", "loss": rounded(work.seen.chance)}])
        costs = work.costs()
    parts = [chance, tuning, *judged, costs]
    return pd.concat([part.reindex(columns=COLUMNS).astype(TYPES) for part in parts])


def networks(settings: Mapping[str, Any]) -> list[Network]:
    """Every network that the settings ask for."""
    lists = [settings[name] for name in ("optimisers", "activations", "initialisations", "depths")]
    return [Network(*one) for one in itertools.product(*lists)]


def _chosen(
    tuning: pd.DataFrame, settings: Mapping[str, Any], chance: float
) -> Iterator[tuple[Network, float]]:
    """Each network with the rate that arrives first at the claim's target."""
    for _, own in tuning.groupby("optimiser", sort=False):
        goal = arrivals.target(chance, arrivals.best_loss(own), settings["target"])
        best = arrivals.tuned(arrivals.arrivals(own, goal), settings["steps"])
        for row in best.itertuples():
            yield Network(*(getattr(row, name) for name in arrivals.NETWORK)), float(row.rate)


@dataclass(frozen=True, eq=False)
class _Work:
    """What is to be done, and where what is done is kept."""

    settings: dict[str, Any]
    seen: Examples
    store: CellStore
    digest: str
    progress: Progress | None

    def tuned(self, network: Network) -> pd.DataFrame:
        """The tuning runs of a network: every rate in every tuning repeat."""
        repeats = range(self.settings["tuning_repeats"])
        rates = self.settings["rates"][network.optimiser]
        runs = [Run(rate, repeat) for rate in rates for repeat in repeats]
        return self._trained(network, runs, "tuning")

    def judged(self, network: Network, rate: float) -> pd.DataFrame:
        """The runs that a network is judged by, in repeats that it was not tuned in."""
        first = self.settings["tuning_repeats"]
        repeats = range(first, first + self.settings["repeats"])
        return self._trained(network, [Run(rate, repeat) for repeat in repeats], "judged")

    def costs(self) -> pd.DataFrame:
        """See `step_costs`."""
        return self._kept({"phase": "cost"}, lambda: step_costs(self.settings, self.seen))

    def _trained(self, network: Network, runs: Sequence[Run], phase: str) -> pd.DataFrame:
        what = {"phase": phase, "network": network._asdict(), "runs": [list(run) for run in runs]}
        return self._kept(what, lambda: train(network, runs, phase, self.settings, self.seen))

    def _kept(self, what: dict[str, Any], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A table from the store or, if it is not there, made and put there."""
        own = {key: value for key, value in self.settings.items() if key not in EACH_NETWORK}
        meaning = {"experiment": "activations", "data": self.digest, **own, **what}
        stored = self.store.get(meaning)
        if stored is None:
            table = make()
            stored = {"table": json.loads(table.to_json(orient="split", double_precision=15))}
            self.store.put(meaning, stored)
        if self.progress is not None:
            self.progress.advance()
        return pd.DataFrame(**stored["table"]).reindex(columns=COLUMNS).astype(TYPES)


def step_costs(settings: Mapping[str, Any], seen: Examples) -> pd.DataFrame:
    """Seconds that a step of one network takes, as many side by side as are judged.

    All activations of a depth are timed in turn, round by round, so that whatever else the machine
    is doing slows none more than another.

    Returns:
        A row per optimiser, depth, activation and round (`repeat`): seconds.
    """
    rows = []
    short = {**settings, "steps": COST_ROUNDS * COST_STEPS}
    runs = [Run(min(map(min, settings["rates"].values())), r) for r in range(settings["repeats"])]
    for optimiser, depth in itertools.product(settings["optimisers"], settings["depths"]):
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
    network: Network, runs: Sequence[Run], phase: str, settings: Mapping[str, Any], seen: Examples
) -> pd.DataFrame:
    """Train the runs of one network side by side.

    Args:
        network: Its activation, initialisation, depth and optimiser.
        runs: One for each replicate.
        phase: "tuning" or "judged": in judged runs, layers are looked into as well.
        settings: steps, batch_size, evaluations, width, momentum, seed, flat.
        seen: The examples.

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
        self.orders = {run.repeat: self._order(run.repeat) for run in runs}
        first = [
            initial(self.shape, network.activation, network.initialisation, self._seed(run, "first"))
            for run in runs
        ]
        self.optimiser = self._optimiser(torch.stack(first))
        self.latest = torch.zeros(len(runs))

    def _seed(self, run: Run, what: str) -> int:
        """Of a repeat: the same for all activations, initialisations and rates."""
        depth = str(self.network.depth) if what == "first" else ""
        return seed_of(self.settings["seed"], "activations", self.seen.name, run.repeat, what, depth)

    def _order(self, repeat: int) -> torch.Tensor:
        """Rows of all batches of a repeat, [steps, B]: one permutation after the other."""
        generator = torch.Generator().manual_seed(self._seed(Run(0.0, repeat), "order"))
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
        while self.runs and self.step < until:
            rows = torch.stack([self.orders[run.repeat][self.step] for run in self.runs])
            x = self.seen.x.index_select(0, rows.view(-1)).view(*rows.shape, -1)
            y = self.seen.y[rows]
            slope = _slope_of_mean(loss, y, size)
            differentiate(layers, x, self.activation, slope, self.optimiser.gradients)
            self.optimiser.advance()
            self.step += 1

    @torch.no_grad()
    def losses(self) -> Iterator[dict[str, Any]]:
        """The loss of every run on the held-out rows; NaN for those that diverged."""
        if self.runs:
            before, _ = _passed(self.optimiser.layers, self._held_out(), self.activation)
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
        before, after = _passed(layers, x.mT, self.activation)
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
        return few.float().mean(dim=2)

    def drop_hopeless(self) -> None:
        """Leave out the runs whose last loss is not finite, or beyond all hope."""
        fine = self.latest < HOPELESS * self.seen.chance  # false for NaN
        if bool(fine.all()):
            return
        self.diverged += [run for run, ok in zip(self.runs, fine, strict=True) if not ok]
        self.runs = [run for run, ok in zip(self.runs, fine, strict=True) if ok]
        self.latest = self.latest[fine]
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
