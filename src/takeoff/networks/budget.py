"""How many steps a run takes, its pilots included: plain arithmetic that needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Plan:
    """The steps of one run.

    Attributes:
        stable: Steps before the cool-down, if nothing stops the run early.
        every: Steps between two evaluations on the validation rows.
        warmup: Steps over which the learning rate climbs.
        patience: Evaluations without a better loss before the cool-down.
        cooldown: The cool-down's share of all steps.
        pilot: Whether a longer run may go on from where this one begins to cool down.
        halfway: Steps after which it waits to be compared with others; 0 for never.
    """

    stable: int
    every: int
    warmup: int
    patience: int
    cooldown: float
    pilot: bool = False
    halfway: int = 0

    @property
    def total(self) -> int:
        """Steps in all, if nothing stops the run early."""
        return round(self.stable / (1.0 - self.cooldown))


def plan_run(n_train: int, training: dict[str, Any]) -> Plan:
    """Steps from epochs, but at least `min_steps` (small m) and at most `max_steps` (large m).

    Args:
        n_train: Training rows.
        training: The study's training settings.
    """
    wanted = round(training["epochs"] * n_train / training["batch_size"])
    total = min(max(wanted, training["min_steps"]), training["max_steps"])
    stable = max(1, round(total * (1.0 - training["cooldown_fraction"])))
    return Plan(
        stable=stable,
        every=max(1, stable // training["evaluations"]),
        warmup=round(training["warmup_fraction"] * total),
        patience=training["patience"],
        cooldown=training["cooldown_fraction"],
    )


def pilot_of(plan: Plan, share: float, compared: bool = False) -> Plan:
    """The start of a run, up to an evaluation near this share of its steps, and a cool-down.

    Args:
        plan: Of the run.
        share: Of its steps.
        compared: Whether the pilot waits at an evaluation halfway to its cool-down.
    """
    evaluations = max(1, round(share * plan.stable / plan.every))
    stable = min(plan.every * evaluations, plan.stable)
    halfway = plan.every * (evaluations // 2) if compared else 0
    return replace(plan, stable=stable, pilot=stable < plan.stable, halfway=halfway)
