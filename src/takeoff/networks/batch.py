"""One Lightning module that trains many networks at once, each as if it were alone.

The networks of a learning curve have one shape and differ in all else: their rows, their learning
rate, their seed, their number of steps. Up to `capacity` of them are stacked on a leading axis and
take their steps together. One that has finished leaves the batch and the next in the queue takes
its place, so that the batch stays full to the end of the curve. Losses are summed over the
replicates: no gradient of one reaches another.

Steps are taken in blocks, up to the next evaluation of any network. Lightning's loop costs as much
as several steps of a small network, so `training_step` takes as many blocks as there is time for
before a user would miss what Lightning does in between. What comes next depends on the
evaluations, so the batches that Lightning hands over are only its clock.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from takeoff.errors import PreemptedError
from takeoff.networks import replicates
from takeoff.networks.device import portion
from takeoff.networks.lightning import lightning
from takeoff.networks.replicates import ReplicateAdamW, Shape
from takeoff.networks.rows import Labels, Rows
from takeoff.networks.schedule import Order, Progress, Schedule, Snapshot
from takeoff.scaling import Scaling, Target

ONE_CALL = 0.2  # seconds that Lightning waits for at least, unless all is done before


@dataclass(eq=False)
class Run:
    """One network to train.

    Attributes:
        name: Its identity among the runs of the curve; plain values, for a checkpoint.
        priority: The run with the lowest gets the next place.
        order: Its training rows, in its own order.
        validation: Its validation rows, int64 [v].
        scaling: Gives how features of its cell are scaled; called when it gets a place.
        rate, decay: Learning rate and weight decay.
        seed: Of its first weights.
        schedule: Where it stands.
        target: The scale of its numbers in regression.
        weight: Mean weight of its training rows.
        best: The weights (and moments) with the best validation loss so far.
        paused: Where it goes on from if it is not in a batch; None before its first step.
        branch: Of a pilot: the state, in the host's memory, from which a longer run goes on; None
            before the cool-down, and when the longer run would have ended like the pilot.
        seconds: Its share of the time of the batches it was in.
    """

    name: tuple[Any, ...]
    priority: tuple[float, ...]
    order: Order
    validation: torch.Tensor
    scaling: Callable[[], Scaling]
    rate: float
    decay: float
    seed: int
    schedule: Schedule
    target: Target | None = None
    weight: float = 1.0
    best: Snapshot | None = None
    paused: Snapshot | None = None
    branch: dict[str, Any] | None = None
    seconds: float = 0.0

    @property
    def loss(self) -> float:
        """The best validation loss so far; infinite if there was no finite one."""
        return self.schedule.at.loss

    def state(self, now: Snapshot | None) -> dict[str, Any]:
        """Plain values and tensors to go on from."""
        return {
            "name": list(self.name),
            "order": self.order.state(),
            "progress": self.schedule.state(),
            "best": _plain(self.best),
            "paused": _plain(now or self.paused),
            "branch": self.branch,
            "seconds": self.seconds,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a `state` of the same run, or from a `branch` of its pilot."""
        self.order.restore(state["order"])
        self.schedule.at = Progress(**state["progress"])
        self.best, self.paused = _snapshot(state["best"]), _snapshot(state["paused"])
        self.branch = state["branch"]
        self.seconds = state["seconds"]


@dataclass
class Block:
    """Steps up to the next evaluation.

    Attributes:
        rows, targets: [K, R, B].
        counts: How much each row counts, [K, R, B]; None: all the same.
        rates: [K, R].
    """

    rows: torch.Tensor
    targets: torch.Tensor
    counts: torch.Tensor | None
    rates: torch.Tensor


@dataclass(frozen=True)
class Stack:
    """All networks of a batch with their optimiser: [R, n], [2, R, n] and [R]."""

    networks: torch.Tensor
    moments: torch.Tensor
    taken: torch.Tensor

    def snapshot(self, replicate: int) -> Snapshot:
        """A copy of one of them."""
        return Snapshot(
            self.networks[replicate].clone(),
            self.moments[:, replicate].clone(),
            float(self.taken[replicate]),
        )

    def copy(self) -> Stack:
        """A copy of all."""
        return Stack(self.networks.clone(), self.moments.clone(), self.taken.clone())


@dataclass
class Queue:
    """Runs that wait for a place in the batch."""

    waiting: list[Run] = field(default_factory=list)

    def add(self, runs: Iterable[Run]) -> None:
        """Let them wait as well, in the order of their priorities."""
        self.waiting = sorted([*self.waiting, *runs], key=lambda run: run.priority)

    def take(self, n: int) -> list[Run]:
        """Remove and return up to n of them."""
        taken, self.waiting = self.waiting[:n], self.waiting[n:]
        return taken


class Batch(lightning.LightningModule):
    """Networks side by side, from the queue, until it is empty.

    Args:
        shape: Of every network.
        rows: Where examples are read.
        labels: Of all rows.
        queue: The runs, in the order in which they get a place.
        capacity: How many run at once.
        batch_size: Rows a step of each network.
        on_finished: Called with each run that has ended, or that is to wait and has its `paused`
            set; what it returns joins the queue.
        on_block: Called with the number of steps after each block.
        checkpoint: Where the batch is saved when SIGTERM comes; None to stop without.
        more_state: What else belongs into the checkpoint.
    """

    def __init__(
        self,
        shape: Shape,
        rows: Rows,
        labels: Labels,
        queue: Queue,
        *,
        capacity: int,
        batch_size: int,
        on_finished: Callable[[Run], Sequence[Run]],
        on_block: Callable[[int], None] = lambda steps: None,
        checkpoint: Path | None = None,
        more_state: Callable[[], dict[str, Any]] = dict,
    ):
        super().__init__()
        self.automatic_optimization = False
        self.shape, self.rows, self.labels, self.queue = shape, rows, labels, queue
        self.capacity, self.batch_size = capacity, batch_size
        self.on_finished, self.on_block = on_finished, on_block
        self.checkpoint, self.more_state = checkpoint, more_state
        self.runs: list[Run] = []
        self.networks: nn.Parameter
        self.optimizer: ReplicateAdamW
        self._seat([], queue.take(capacity))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.optimizer

    def training_step(self, tick: int, index: int) -> None:
        """Some blocks of steps; stops the trainer after the last run, or when SIGTERM has come."""
        until = time.perf_counter() + ONE_CALL
        while self.runs:
            self._go_on()
            if self.trainer.received_sigterm and self.runs:
                self._stop_here()
            if time.perf_counter() > until:
                break
        self.trainer.should_stop = not self.runs

    # Steps

    def _go_on(self) -> None:
        """One block of steps and what follows from it."""
        started = time.perf_counter()
        block = self._next_block()
        if not self._take(block):
            return
        leaving = self._evaluate(
            [r for r, run in enumerate(self.runs) if self._counted(run, block)]
        )
        each = (time.perf_counter() - started) / len(self.runs)
        for run in self.runs:
            run.seconds += each
        self.on_block(len(block.rows) * len(self.runs))
        self._reseat(leaving)

    def _next_block(self) -> Block:
        steps = min(run.schedule.due() for run in self.runs)
        size = steps * self.batch_size
        rows = torch.stack([run.order.upcoming(size) for run in self.runs])
        rows = rows.view(len(self.runs), steps, self.batch_size).transpose(0, 1)
        at_hand = rows.to(self.rows.device).contiguous()
        targets = self.labels.targets(rows, at_hand, [run.target for run in self.runs])
        rates = [[run.rate * factor for factor in run.schedule.factors(steps)] for run in self.runs]
        return Block(
            rows=at_hand if self.rows.resident else rows.contiguous(),
            targets=targets,
            counts=self.labels.counts(rows, [run.weight for run in self.runs]),
            rates=torch.tensor(rates, dtype=torch.float64).T.contiguous(),
        )

    @torch.no_grad()
    def _take(self, block: Block) -> bool:
        """Take the steps; False if the memory did not hold the batch, which has been halved."""
        before = self._remembered()
        self.optimizer.schedule(block.rates)
        try:
            passes = replicates.passes(
                self.optimizer.layers, self.optimizer.gradients, self.batch_size
            )
            for step, rows in enumerate(block.rows):
                x = self.rows.gather(rows, self.offsets, self.factors)
                slope = partial(self._slope, block, step)
                passes.differentiate(x, slope)
                self.optimizer.advance()
        except torch.OutOfMemoryError:
            if before is None or len(self.runs) == 1:
                raise
            self._halve(before)
            return False
        return True

    def _slope(self, block: Block, step: int, outputs: torch.Tensor) -> torch.Tensor:
        """Of the mean loss of each replicate's batch."""
        found = self.labels.loss.slope(outputs, block.targets[step]).div_(self.batch_size)
        return found if block.counts is None else found.mul_(block.counts[step][:, None])

    def _counted(self, run: Run, block: Block) -> bool:
        """Count the steps of the block; whether the run is due for an evaluation."""
        run.order.drop(len(block.rows) * self.batch_size)
        return run.schedule.took(len(block.rows))

    # Evaluations

    def _evaluate(self, due: list[int]) -> list[int]:
        """Evaluate these replicates; the ones that leave, as they have ended or are to wait."""
        leaving = []
        for replicate, loss in zip(due, self._validation_losses(due), strict=True):
            run = self.runs[replicate]
            if run.schedule.evaluated(loss):
                run.best = self._stack().snapshot(replicate)
            if run.schedule.branches():
                run.branch = run.state(self._on_host(replicate))
            match run.schedule.next():
                case "go back":
                    assert run.best is not None
                    self._put(replicate, run.best)
                case "wait":
                    run.paused = self._on_host(replicate)
                    leaving.append(replicate)
                case "end":
                    leaving.append(replicate)
                case "go on":
                    pass
        return leaving

    def _on_host(self, replicate: int) -> Snapshot:
        """A copy, to be kept, of one of them; its best weights are moved to the host as well.

        The memory of the device is for the networks that are being trained.
        """
        run = self.runs[replicate]
        run.best = run.best and run.best.on_host()
        return self._stack().snapshot(replicate).on_host()

    @torch.no_grad()
    def _validation_losses(self, due: list[int]) -> list[float]:
        losses = dict.fromkeys(due, 0.0)
        most = portion(self.rows.device, self.shape)
        for together in self._groups(due, most):
            # a view of all of them, or a copy of some
            some = slice(None) if len(together) == len(self.runs) else together
            layers = self.shape.layers(self.networks[some])
            scaling = self.offsets[some], self.factors[some]
            rows = torch.stack([self.runs[replicate].validation for replicate in together])
            for part in rows.split(most, dim=1):
                sums = self._summed_losses(together, layers, part, *scaling)
                for replicate, found in zip(together, sums, strict=True):
                    losses[replicate] += found / rows.shape[1]
        return [losses[replicate] for replicate in due]

    def _groups(self, due: list[int], most: int) -> Iterator[list[int]]:
        """Replicates with equally many validation rows, up to so many rows together, or one."""
        by_size: dict[int, list[int]] = {}
        for replicate in due:
            by_size.setdefault(len(self.runs[replicate].validation), []).append(replicate)
        for size, members in by_size.items():
            together = max(1, most // size)
            for start in range(0, len(members), together):
                yield members[start : start + together]

    def _summed_losses(
        self, together: list[int], layers: Sequence[torch.Tensor], rows: torch.Tensor, *scaling: Any
    ) -> list[float]:
        """Of each of g replicates over its rows, [g, v]."""
        at_hand = rows.to(self.rows.device)
        x = self.rows.gather(at_hand if self.rows.resident else rows, *scaling)
        runs = [self.runs[replicate] for replicate in together]
        targets = self.labels.targets(rows, at_hand, [run.target for run in runs])
        each = self.labels.loss.each(replicates.logits(layers, x), targets)
        counts = self.labels.counts(rows, [self.labels.mean(run.validation) for run in runs])
        each = each if counts is None else each.mul_(counts)
        found: list[float] = each.double().sum(dim=1).tolist()
        return found

    # Who is in the batch

    def _reseat(self, leaving: list[int]) -> None:
        """Those that wait in the queue take the places of those that leave."""
        if not leaving:
            return
        for replicate in leaving:
            self.queue.add(self.on_finished(self.runs[replicate]))
        staying = [replicate for replicate in range(len(self.runs)) if replicate not in leaving]
        self._seat(staying, self.queue.take(self.capacity - len(staying)))

    def _halve(self, before: Stack) -> None:
        """Go back to before the block and let half of the replicates wait for a place."""
        half = len(self.runs) // 2
        for replicate, run in enumerate(self.runs):
            run.paused = before.snapshot(replicate)
        self.capacity = half
        print(
            f"out of memory with {len(self.runs)} networks at once; going on with {half}",
            file=sys.stderr,
            flush=True,
        )
        self.queue.add(self.runs)
        self._seat([], self.queue.take(half))

    @torch.no_grad()
    def _seat(self, staying: list[int], joining: list[Run]) -> None:
        """Make the batch of the replicates that stay and the runs that join."""
        parts = [run.paused or self._first(run) for run in joining]
        for run in joining:
            run.paused = None
        if staying:
            now = self._stack()
            parts = [now.snapshot(replicate) for replicate in staying] + parts
        self.runs = [self.runs[replicate] for replicate in staying] + joining
        if not self.runs:
            return
        device = self.rows.device
        self.networks = nn.Parameter(
            torch.stack([part.network.to(device) for part in parts]), requires_grad=False
        )
        self.optimizer = ReplicateAdamW(
            self.shape,
            self.networks.data,
            decay=torch.tensor([run.decay for run in self.runs]),
            moments=torch.stack([part.moments.to(device) for part in parts], dim=1),
            taken=torch.tensor([part.taken for part in parts], dtype=torch.float64),
        )
        if self._trainer is not None:
            self.trainer.strategy.optimizers = [self.optimizer]
        maps = [self.rows.map(run.scaling()) for run in self.runs]
        self.offsets = torch.stack([map.offset for map in maps])[:, None, :]
        self.factors = torch.stack([map.factor for map in maps])[:, None, :]

    def _first(self, run: Run) -> Snapshot:
        network = replicates.initial(self.shape, run.seed)
        return Snapshot(network, torch.zeros(2, len(network)), 0.0)

    def _stack(self) -> Stack:
        """The batch as it is now; not a copy."""
        return Stack(self.networks.detach(), self.optimizer.moments, self.optimizer.taken)

    @torch.no_grad()
    def _put(self, replicate: int, snapshot: Snapshot) -> None:
        self.networks[replicate] = snapshot.network
        self.optimizer.moments[:, replicate] = snapshot.moments
        self.optimizer.taken[replicate] = snapshot.taken

    def _remembered(self) -> Stack | None:
        """The batch before a block, on devices whose memory may run out in the middle of it."""
        return None if self.rows.device.type == "cpu" else self._stack().copy()

    # Checkpoints

    def _stop_here(self) -> None:
        if self.checkpoint is None:
            raise PreemptedError("nothing was saved of the networks in training")
        unfinished = self.checkpoint.with_suffix(".tmp")
        self.trainer.save_checkpoint(unfinished)
        unfinished.replace(self.checkpoint)
        raise PreemptedError(
            f"{len(self.runs)} networks in training were saved; run it again to go on with them"
        )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Where each run stands; the runs of the batch with their weights."""
        now = self._stack()
        seated = [run.state(now.snapshot(place)) for place, run in enumerate(self.runs)]
        checkpoint["runs"] = [*seated, *(run.state(None) for run in self.queue.waiting)]
        checkpoint.update(self.more_state())


def _plain(snapshot: Snapshot | None) -> dict[str, Any] | None:
    return None if snapshot is None else dict(vars(snapshot))


def _snapshot(state: dict[str, Any] | None) -> Snapshot | None:
    return None if state is None else Snapshot(**state)
