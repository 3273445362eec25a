"""What one network of a batch does next: its batches, its learning rate, and when it ends.

The learning rate is warmed up, held constant, and cooled down linearly to zero over the last part
of the run. When the validation loss has stopped improving before the budget of steps is used
up, the run goes back to its best weights and cools down from there (Hägele et al., 2024, cool down
from a checkpoint in the same way; early stopping after Prechelt, 1998). So the schedule ends where
the run ends: a run that stops early is annealed like one that does not. The weights with the best
validation loss of the whole run are its result.

So a short run with the same warm-up is the start of a longer one up to its cool-down. A pilot is
such a run: it cools down early, to be judged as a finished network, and the run that it was a
pilot of goes on from where the cool-down began.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import torch

from takeoff.networks.budget import Plan

Next = Literal["go on", "go back", "wait", "end"]


class Order:
    """Row numbers without end: one permutation of the rows after the other, from its own seed."""

    def __init__(self, rows: torch.Tensor, seed: int):
        self.rows = rows
        self._generator = torch.Generator().manual_seed(seed)
        self._waiting = torch.empty(0, dtype=torch.int64)

    def upcoming(self, n: int) -> torch.Tensor:
        """The next n row numbers, [n]; they stay the next ones until they are dropped."""
        parts, found = [self._waiting], len(self._waiting)
        while found < n:
            epoch = torch.randperm(len(self.rows), generator=self._generator)
            parts.append(self.rows.index_select(0, epoch))
            found += len(epoch)
        if len(parts) > 1:
            self._waiting = torch.cat(parts)
        return self._waiting[:n]

    def drop(self, n: int) -> None:
        """Go on behind the next n."""
        self._waiting = self._waiting[n:]

    def state(self) -> dict[str, torch.Tensor]:
        """All that is needed to go on from here."""
        return {"generator": self._generator.get_state(), "waiting": self._waiting.clone()}

    def restore(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from a `state` of an order of the same rows."""
        self._generator.set_state(state["generator"])
        self._waiting = state["waiting"]


@dataclass
class Snapshot:
    """A network and its optimiser at one moment.

    Attributes:
        network: All its parameters, [n].
        moments: First and second moments of the optimiser, [2, n].
        taken: Steps that the optimiser had taken.
    """

    network: torch.Tensor
    moments: torch.Tensor
    taken: float

    def on_host(self) -> Snapshot:
        """The same in the host's memory, which is not copied if it is there already."""
        return replace(self, network=self.network.cpu(), moments=self.moments.cpu())


@dataclass
class Progress:
    """How far a run has come; plain numbers, for a checkpoint.

    Attributes:
        steps: Steps of the whole run, those that were undone by going back included.
        stable: Steps before the cool-down so far.
        annealing: Steps of the cool-down; 0 before it.
        annealed: Steps of it taken.
        loss: Best validation loss so far: log-loss in nats, or squared error on the scale of the
            training labels.
        best: Steps up to the best one.
        waited: Evaluations before the cool-down that did not better it.
    """

    steps: int = 0
    stable: int = 0
    annealing: int = 0
    annealed: int = 0
    loss: float = math.inf
    best: int = 0
    waited: int = 0


@dataclass
class Schedule:
    """The state machine of one run: how many steps until something happens, and then what."""

    plan: Plan
    at: Progress = field(default_factory=Progress)

    def due(self) -> int:
        """Steps until the next evaluation, at least one."""
        if self.at.annealing:
            left, taken = self.at.annealing - self.at.annealed, self.at.annealed
        else:
            left, taken = self.plan.stable - self.at.stable, self.at.stable
        return min(self.plan.every - taken % self.plan.every, left)

    def factors(self, n: int) -> list[float]:
        """Factors of the learning rate in the next n <= due() steps."""
        if self.at.annealing:
            return [1.0 - (self.at.annealed + k) / self.at.annealing for k in range(n)]
        warmup = max(1, self.plan.warmup)
        return [min(1.0, (self.at.stable + k + 1) / warmup) for k in range(n)]

    def took(self, n: int) -> bool:
        """Count n steps; whether an evaluation is due after them."""
        due = self.due()
        self.at.steps += n
        if self.at.annealing:
            self.at.annealed += n
        else:
            self.at.stable += n
        return n == due

    def evaluated(self, loss: float) -> bool:
        """Take note of a validation loss; whether it is the best so far."""
        if loss < self.at.loss:
            self.at.loss, self.at.best, self.at.waited = loss, self.at.stable, 0
            return True
        self.at.waited += not self.at.annealing
        return False

    def branches(self) -> bool:
        """Whether a longer run goes on at its constant rate where this one must cool down.

        To be asked between an evaluation and `next`.
        """
        reached = not self.at.annealing and self.at.stable == self.plan.stable
        improving = self.at.waited < self.plan.patience and math.isfinite(self.at.loss)
        return self.plan.pilot and reached and improving

    def next(self) -> Next:
        """What follows an evaluation; "go back" means to the best weights, then on.

        After "wait" the run goes on, if at all, as after "go on".
        A run whose every loss was infinite or not a number has nothing to go back to, and ends.
        """
        if self.at.annealing:
            return "go on" if self.at.annealed < self.at.annealing else "end"
        if self.at.stable < self.plan.stable and self.at.waited < self.plan.patience:
            return "wait" if self.at.stable == self.plan.halfway else "go on"
        if not math.isfinite(self.at.loss):
            return "end"
        share = self.plan.cooldown / (1.0 - self.plan.cooldown)
        self.at.annealing = max(self.plan.every, round(self.at.best * share))
        return "go back" if self.at.waited else "go on"

    def state(self) -> dict[str, Any]:
        """All that is needed to go on from here, beside the plan."""
        return asdict(self.at)
