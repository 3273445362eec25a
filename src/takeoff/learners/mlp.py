"""Fully connected ReLU networks, trained by PyTorch Lightning on whatever accelerator is there.

The learning rate is warmed up, held constant, and cooled down linearly to zero over the last part
of the run. When the validation log-loss has stopped improving before the budget of steps is used
up, the run goes back to its best weights and cools down from there (Hägele et al., 2024, cool down
from a checkpoint in the same way; early stopping after Prechelt, 1998). So the schedule ends where
the run ends: a run that stops early is annealed like one that does not. The weights with the best
validation log-loss of the whole run are the result.
"""

from __future__ import annotations

import copy
import itertools
import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import nn
from torch.nn import functional

from takeoff.training import Candidate, Cell, Floats, Probabilities

PREDICTION_ROWS = 8192

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


@dataclass(frozen=True)
class Plan:
    """The steps of one run.

    Attributes:
        batch: Rows a step.
        stable: Steps before the cool-down, if nothing stops the run early.
        every: Steps between two evaluations on the validation rows.
        warmup: Steps over which the learning rate climbs.
    """

    batch: int
    stable: int
    every: int
    warmup: int


@dataclass
class Best:
    """The best evaluation so far, and how many evaluations have not bettered it since."""

    loss: float = math.inf
    steps: int = 0
    network: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    waited: int = 0


def plan_run(n_train: int, training: dict[str, Any], share: float = 1.0) -> Plan:
    """Steps from epochs, but at least `min_steps` (small m) and at most `max_steps` (large m).

    Args:
        n_train: Training rows.
        training: The study's training settings.
        share: Of those steps, for a pilot run.
    """
    batch = min(training["batch_size"], n_train)
    wanted = round(training["epochs"] * n_train / batch)
    total = round(share * min(max(wanted, training["min_steps"]), training["max_steps"]))
    stable = max(1, round(total * (1.0 - training["cooldown_fraction"])))
    every = max(1, stable // training["evaluations"])
    return Plan(batch, stable, every, warmup=round(training["warmup_fraction"] * total))


def candidates(cell: Cell, fit: dict[str, Any], training: dict[str, Any]) -> Iterator[Candidate]:
    """Try every learning rate in a short pilot run, then train with the best one.

    A pilot is a whole run, cool-down included, on a fraction of the steps; all runs of a cell start
    from the same weights and see the batches in the same order.
    """
    rates = sorted(fit["grid"]["learning_rate"])
    if len(rates) > 1:
        pilots = {
            rate: train(cell, fit["hidden"], rate, training, training["pilot_fraction"])
            for rate in rates
        }
        rates = [min(rates, key=lambda rate: pilots[rate].validation_loss)]
    run = train(cell, fit["hidden"], rates[0], training)

    def predict(x: Floats) -> Probabilities:
        return run.probabilities(torch.from_numpy(x))

    yield Candidate(
        settings={"learning_rate": rates[0]},
        validation=predict(cell.x_validation),
        predict=predict,
        n_params=sum(p.numel() for p in run.network.parameters()),
        steps=run.steps,
        device=run.trained_on,
    )


def train(
    cell: Cell, hidden: list[int], rate: float, training: dict[str, Any], share: float = 1.0
) -> Run:
    """One run with `share` of the budget of steps."""
    run = Run(cell, hidden, rate, training, share)
    with warnings.catch_warnings():
        # Lightning's advice on data loaders and its own use of deprecated calls.
        warnings.simplefilter("ignore")
        _trainer(training).fit(run, itertools.repeat(0))
    return run


def build(n_features: int, hidden: list[int], n_classes: int, seed: int) -> nn.Sequential:
    """A network with He initialisation (He et al., 2015) drawn from its own seed."""
    generator = torch.Generator().manual_seed(seed)
    widths = [n_features, *hidden, n_classes]
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(widths):
        layer = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(layer.bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@dataclass(frozen=True)
class Block:
    """Steps between two evaluations: row numbers [k, batch], factors of the learning rate [k]."""

    rows: torch.Tensor
    factors: list[float]


class Run(lightning.LightningModule):
    """One network, one learning rate, one cell.

    Lightning calls `training_step` once per block of steps between two evaluations: its loop
    costs about as much as a step of a small network, so it is better called once for many. What
    comes next depends on the evaluations, so the run draws its blocks itself and tells the
    trainer when there are no more; the batches that Lightning hands over are only its clock.
    """

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_validation: torch.Tensor
    y_validation: torch.Tensor

    def __init__(
        self, cell: Cell, hidden: list[int], rate: float, training: dict[str, Any], share: float
    ):
        super().__init__()
        self.automatic_optimization = False
        self.network = build(cell.x_train.shape[1], hidden, cell.n_classes, cell.seed)
        self.rate, self.training_settings = rate, training
        self.plan = plan_run(len(cell.x_train), training, share)
        self.order = _epochs(len(cell.x_train), self.plan.batch, cell.seed)
        self.schedule = self._schedule()
        self.steps = 0
        self.trained_on = "cpu"
        self.validation_loss = math.inf
        self.best = Best()
        for name in ("x_train", "y_train", "x_validation", "y_validation"):
            self.register_buffer(name, torch.from_numpy(getattr(cell, name)), persistent=False)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.network.parameters(),
            lr=self.rate,
            weight_decay=self.training_settings["weight_decay"],
            fused=True,
        )

    def on_fit_start(self) -> None:
        self.trained_on = self.device.type

    def training_step(self, tick: int, index: int) -> None:
        """Take the steps of the next block, then evaluate; stop the trainer after the last."""
        block = next(self.schedule, None)
        if block is None:
            self.trainer.should_stop = True
            return
        optimizer = self._optimizer()
        for rows, factor in zip(block.rows.to(self.device), block.factors, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = self.rate * factor
            loss = functional.cross_entropy(self.network(self.x_train[rows]), self.y_train[rows])
            optimizer.zero_grad(set_to_none=True)
            self.manual_backward(loss)
            optimizer.step()
        self.steps += len(block.rows)
        self._evaluate(optimizer)

    def on_train_end(self) -> None:
        """The best weights of the run are its result."""
        self.network.load_state_dict(self.best.network)
        self.validation_loss = self.best.loss
        self.best = Best()

    def _schedule(self) -> Iterator[Block]:
        """Warm-up and constant rate until the budget or the patience ends, then the cool-down."""
        plan, patience = self.plan, self.training_settings["patience"]
        while self.steps < plan.stable and self.best.waited < patience:
            upcoming = range(self.steps, min(self.steps + plan.every, plan.stable))
            yield self._block([min(1.0, (step + 1) / max(1, plan.warmup)) for step in upcoming])
        if self.best.waited:
            self._go_back()
        fraction = self.training_settings["cooldown_fraction"]
        annealed = self.steps if not self.best.waited else self.best.steps
        length = max(plan.every, round(annealed * fraction / (1.0 - fraction)))
        cooling = [1.0 - step / length for step in range(length)]
        for start in range(0, length, plan.every):
            yield self._block(cooling[start : start + plan.every])

    def _block(self, factors: list[float]) -> Block:
        return Block(torch.stack([next(self.order) for _ in factors]), factors)

    def _go_back(self) -> None:
        """Return to the best weights so far, with the optimiser as it was then."""
        self.network.load_state_dict(self.best.network)
        self._optimizer().load_state_dict(self.best.optimizer)

    def _optimizer(self) -> torch.optim.Optimizer:
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        return optimizer

    def _evaluate(self, optimizer: torch.optim.Optimizer) -> None:
        with torch.no_grad():
            logits = self.network(self.x_validation)
            loss = float(functional.cross_entropy(logits, self.y_validation))
        if loss < self.best.loss:
            state = copy.deepcopy((self.network.state_dict(), optimizer.state_dict()))
            self.best = Best(loss, self.steps, *state)
        else:
            self.best.waited += 1

    def probabilities(self, x: torch.Tensor) -> Probabilities:
        """Class probabilities [k, C] of rows [k, d]."""
        with torch.no_grad():
            parts = [
                functional.softmax(self.network(part.to(self.device)).double(), dim=1).cpu()
                for part in x.split(PREDICTION_ROWS)
            ]
        return torch.cat(parts).numpy()


def _epochs(n: int, batch: int, seed: int) -> Iterator[torch.Tensor]:
    """Batches of row numbers, without replacement within an epoch; a short last one is dropped."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield from (
            part
            for part in torch.randperm(n, generator=generator).split(batch)
            if len(part) == batch
        )


def _trainer(training: dict[str, Any]) -> lightning.Trainer:
    return lightning.Trainer(
        accelerator=training["accelerator"],
        devices=1,
        precision=training["precision"],
        max_epochs=1,
        deterministic=True,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
