"""Fully connected ReLU networks, trained by PyTorch Lightning on whatever accelerator is there.

All cells of a learning curve are trained in one batch (see `takeoff.networks`). Every learning rate
is tried in a pilot: a whole run, cool-down included, on a fraction of the steps. All pilots of a
cell start from the same weights and see the batches in the same order. The best one is the start of
the cell's own run, which goes on from where this pilot began to cool down; if the pilot stopped
early, it is all of that run. So the result is that of a run with the chosen rate alone, to the bit.
Halfway to their cool-downs the pilots of a cell are compared and the worst third of them is dropped
(after successive halving; Jamieson and Talwalkar, 2016).

For that, a pilot that waits for the others at halfway holds a copy of itself and of its best
weights; so does one that cools down, and the best of those that have ended: with the optimiser's
moments six numbers for each parameter, in the host's memory. Their number is at most that of the
learning rates times that of the networks in a batch.
"""

from __future__ import annotations

import itertools
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from takeoff.datasets.base import Floats
from takeoff.errors import TakeoffError
from takeoff.memory import keep_freed_memory
from takeoff.networks import replicates
from takeoff.networks.batch import Batch, Queue, Run
from takeoff.networks.budget import Plan, pilot_of, plan_run
from takeoff.networks.device import capacity, portion, reserved
from takeoff.networks.lightning import (
    LightningEnvironment,
    MisconfigurationException,
    lightning,
)
from takeoff.networks.replicates import Shape
from takeoff.networks.rows import Labels, Rows
from takeoff.networks.schedule import Order, Schedule
from takeoff.scaling import Target, clipped
from takeoff.training import Candidate, Ledger, Predictions, Sample

PILOT, MAIN = "pilot", "main"

logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)


def fit_together(
    samples: Sequence[Sample],
    fit: dict[str, Any],
    training: dict[str, Any],
    ledger: Ledger,
    *,
    whole_grid: bool = False,
) -> None:
    """Train the cells of one curve, and enter each into the ledger as soon as it is ready.

    Args:
        samples: The cells; all of one data set.
        fit: The learner's part of the config.
        training: The study's training settings.
        ledger: Takes the finished cells, and says where a stopped batch is kept.
        whole_grid: Give every learning rate the whole budget instead of a pilot: to see what
            pilots save.

    Raises:
        PreemptedError: SIGTERM came; the batch has been saved.
        TakeoffError: Every learning rate of a cell made its loss infinite.
    """
    keep_freed_memory()
    with reserved(training["accelerator"]) as devices, tiny_numbers_as_zero():
        trainer = _trainer(training, devices)
        device = trainer.strategy.root_device
        curve = _Curve(samples, fit, training, ledger, device, whole_grid)
        curve.resume(ledger.checkpoint)
        ledger.plan(curve.steps_left())
        batch = curve.batch()
        with warnings.catch_warnings():
            # Lightning's advice on data loaders and its own use of deprecated calls.
            warnings.simplefilter("ignore")
            trainer.fit(batch, itertools.repeat(0))
    ledger.checkpoint.unlink(missing_ok=True)


class _Curve:
    """The runs of one learning curve: pilots first, then each cell's own run."""

    def __init__(
        self,
        samples: Sequence[Sample],
        fit: dict[str, Any],
        training: dict[str, Any],
        ledger: Ledger,
        device: torch.device,
        whole_grid: bool = False,
    ):
        data = samples[0].data
        self.samples = {(sample.m, sample.repeat): sample for sample in samples}
        self.fit, self.training, self.ledger, self.device = fit, training, ledger, device
        # In regression, the one output is a number.
        self.shape = Shape(data.x_pool.shape[1], tuple(fit["hidden"]), len(data.classes) or 1)
        self.rows = Rows(data.x_pool, data.levels, device, clipped(data))
        self.labels = Labels(data.y_pool, data.weights_pool, device)
        self.rates = sorted(fit["grid"]["learning_rate"])
        self.whole_grid = whole_grid
        self.dropped = 0 if whole_grid else len(self.rates) // 3
        # by learning rate, those that have ended or wait halfway; of cells without an own run
        self.pilots: dict[tuple[int, int], dict[float, Run]] = {}
        self.queue = Queue()
        if len(self.rates) > 1:
            self.queue.add(
                self._run(PILOT, cell, rate) for cell in self.samples for rate in self.rates
            )
        else:
            self.queue.add(self._run(MAIN, cell, self.rates[0]) for cell in self.samples)

    def batch(self) -> Batch:
        """The Lightning module that trains them all."""
        size = self.training["batch_size"]
        return Batch(
            self.shape,
            self.rows,
            self.labels,
            self.queue,
            capacity=capacity(self.device, self.shape, size),
            batch_size=size,
            on_finished=self._finished,
            on_block=self.ledger.steps,
            checkpoint=self.ledger.checkpoint,
            more_state=self._state,
        )

    def _run(self, kind: str, cell: tuple[int, int], rate: float) -> Run:
        sample = self.samples[cell]
        return Run(
            name=(kind, *cell, rate),
            # The longest first, so that the batch is full to the end; what has begun goes on.
            priority=(-sample.m, kind == PILOT, sample.repeat, rate),
            order=Order(torch.from_numpy(sample.train), sample.seed),
            validation=torch.from_numpy(sample.validation),
            scaling=lambda: sample.scaling,
            rate=rate,
            decay=self.training["weight_decay"],
            seed=sample.seed,
            schedule=Schedule(self._plan(kind, cell)),
            target=sample.target,
            weight=self.labels.mean(torch.from_numpy(sample.train)),
        )

    def _plan(self, kind: str, cell: tuple[int, int]) -> Plan:
        plan = plan_run(len(self.samples[cell].train), self.training)
        if kind == MAIN or self.whole_grid:
            return plan
        return pilot_of(plan, self.training["pilot_fraction"], compared=self.dropped > 0)

    def _finished(self, run: Run) -> list[Run]:
        """What goes on after it: other pilots of the cell, or its own run, or nothing any more."""
        kind, m, repeat, rate = run.name
        cell = (m, repeat)
        if kind == PILOT:
            tried = self.pilots.setdefault(cell, {})
            tried[rate] = run
            if run.paused is None:
                _keep_best(tried)
            if len(tried) < len(self.rates):
                return []
            going = _go_on(tried, self.dropped)
            if going:
                return going
            run = self._own_run(cell, self.pilots.pop(cell))
            if run.name[0] == MAIN:
                return [run]
        self._finish(cell, run)
        return []

    def _own_run(self, cell: tuple[int, int], pilots: dict[float, Run]) -> Run:
        """What the best pilot began, or that pilot if it stopped early; its seconds are all."""
        best = _ranked(pilots)[0]
        seconds = sum(pilot.seconds for pilot in pilots.values())
        if best.branch is not None:
            own = self._run(MAIN, cell, best.rate)
            own.restore(best.branch)
            best = own
        best.seconds = seconds
        return best

    def _finish(self, cell: tuple[int, int], run: Run) -> None:
        sample = self.samples[cell]
        if run.best is None:
            raise self._diverged(cell)
        network = run.best.network

        def predict(x: Floats) -> Predictions:
            return predicted(self.shape, network, x, sample.target)

        found = Candidate(
            settings={"learning_rate": run.rate},
            validation=sample.predicted(predict, sample.data.x_pool[sample.validation]),
            predict=predict,
            n_params=self.shape.n_params,
            steps=run.schedule.at.steps,
            device=self.device.type,
        )
        self.ledger.finish(sample, found, run.seconds)

    def _diverged(self, cell: tuple[int, int]) -> TakeoffError:
        return TakeoffError(
            f"at m = {cell[0]}, repeat {cell[1]}, the loss was infinite from the first evaluation",
            where="config: learners: grid.learning_rate",
            remedy=f"add a learning rate below {self.rates[0]:g}",
        )

    def steps_left(self) -> int:
        """Steps that all runs take at most, those included that wait for their pilots."""
        runs = [*self.queue.waiting, *(run for run in self._resting() if run.paused is not None)]
        plans = [(run.schedule.plan, run.schedule.at.steps) for run in runs]
        begun = {run.name[1:3] for run in self.queue.waiting if run.name[0] == MAIN}
        for cell in self.samples.keys() - begun:
            plan = self._plan(MAIN, cell)
            plans.append((plan, self._plan(PILOT, cell).stable))
        return sum(plan.total - taken for plan, taken in plans)

    def _state(self) -> dict[str, Any]:
        return {"pilots": [pilot.state(None) for pilot in self._resting()]}

    def _resting(self) -> list[Run]:
        return [pilot for tried in self.pilots.values() for pilot in tried.values()]

    def resume(self, checkpoint: Path) -> None:
        """Go on from a saved batch; cells that it knows nothing of start anew."""
        saved = _read(checkpoint)
        if saved is None:
            return
        resting, begun = self._restored(saved["pilots"]), self._restored(saved["runs"])
        for pilot in resting:
            self.pilots.setdefault(pilot.name[1:3], {})[pilot.rate] = pilot
        own = {run.name[1:3] for run in begun if run.name[0] == MAIN}
        known = {run.name for run in [*resting, *begun]}
        anew = [
            run for run in self.queue.waiting if run.name not in known and run.name[1:3] not in own
        ]
        self.queue = Queue()
        self.queue.add([*begun, *anew])

    def _restored(self, states: list[dict[str, Any]]) -> list[Run]:
        """The saved runs of cells that are still to be trained."""
        runs = []
        for state in states:
            kind, m, repeat, rate = state["name"]
            if (m, repeat) in self.samples:
                runs.append(self._run(kind, (m, repeat), rate))
                runs[-1].restore(state)
        return runs


def _ranked(pilots: dict[float, Run]) -> list[Run]:
    """The one with the lowest loss first; of equal ones that with the lowest rate."""
    return sorted(pilots.values(), key=lambda pilot: (pilot.loss, pilot.rate))


def _go_on(pilots: dict[float, Run], dropped: int) -> list[Run]:
    """Take out those that go on from halfway: if any wait there, all but the worst.

    The best loss of a pilot never rises: none that is dropped comes before one that is not.
    """
    if all(pilot.paused is None for pilot in pilots.values()):
        return []
    for worst in _ranked(pilots)[-dropped:]:
        worst.paused = worst.best = worst.branch = None
    going = [pilot for pilot in pilots.values() if pilot.paused is not None]
    for pilot in going:
        del pilots[pilot.rate]
    return going


def _keep_best(pilots: dict[float, Run]) -> None:
    """Forget the weights that no run can need any more: of the ended, all but the best one's."""
    best, *others = _ranked({rate: run for rate, run in pilots.items() if run.paused is None})
    if best.branch is not None:
        best.best = None
    for pilot in others:
        pilot.best = pilot.branch = None


def _read(checkpoint: Path) -> dict[str, Any] | None:
    """A saved batch, or None; a damaged file counts as absent, with a warning."""
    if not checkpoint.exists():
        return None
    try:
        saved: dict[str, Any] = torch.load(checkpoint, map_location="cpu", weights_only=True)
        return {"runs": saved["runs"], "pilots": saved["pilots"]}
    # A damaged byte can surface as nearly any exception of zipfile or pickle.
    except Exception as error:
        print(
            f"warning: {checkpoint}: damaged ({error}); its cells are trained anew",
            file=sys.stderr,
        )
        return None


def predicted(
    shape: Shape, network: torch.Tensor, x: Floats, target: Target | None = None
) -> Predictions:
    """What one network [n] says of scaled rows [k, d].

    Returns:
        Class probabilities [k, C]; with the scale of a target, numbers in the label's unit [k].
    """
    layers = shape.layers(network[None])
    parts = []
    with torch.no_grad():
        for part in torch.from_numpy(x).split(portion(network.device, shape)):
            found = replicates.logits(layers, part[None].to(network.device))[0].cpu().double()
            parts.append(functional.softmax(found, dim=0).T if target is None else found[0])
    whole: Predictions = np.ascontiguousarray(torch.cat(parts).numpy())
    return whole if target is None else target.back(whole)


@contextmanager
def tiny_numbers_as_zero() -> Iterator[None]:
    """The moments of idle weights decay to numbers so small that a CPU is slow with them."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _trainer(training: dict[str, Any], devices: list[int] | int) -> lightning.Trainer:
    try:
        return lightning.Trainer(
            accelerator=training["accelerator"],
            devices=devices,
            precision=training["precision"],
            # A job is one process, also where a scheduler's variables suggest more.
            plugins=[LightningEnvironment()],
            max_epochs=1,
            deterministic=True,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except MisconfigurationException as error:
        raise TakeoffError(
            str(error).partition("\n")[0],
            where=f"config: training.accelerator: {training['accelerator']}",
            remedy="set it to auto, which takes what is there",
        ) from error
