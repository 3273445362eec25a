"""The cells of a learning curve as tasks: those that are planned, and those that were trained."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from takeoff.planning.costs import BOOSTING, NETWORK, Budget, Measured, Stopping, Task, budget

if TYPE_CHECKING:
    import pandas as pd

TREES_BEYOND = 10  # that a boosting makes after the best one, before it stops


@dataclass(frozen=True)
class Width:
    """What the cost of a data set depends on.

    Attributes:
        n_pool, n_test: Rows.
        n_features: Of an example as learners see it.
        n_outputs: Classes, or 1 for numbers.
        stored: Bytes that a feature takes in the prepared file.
    """

    n_pool: int
    n_test: int
    n_features: int
    n_outputs: int
    stored: int = 4

    @classmethod
    def of(cls, sheet: Mapping[str, Any], features: str = "raw") -> Width:
        """From `Dataset.sheet()`, for learners on raw or on hand-made features."""
        hand_made = features == "hand_made" and sheet.get("n_hand_made")
        return cls(
            n_pool=int(sheet["n_pool"]),
            n_test=int(sheet["n_test"]),
            n_features=int(sheet["n_hand_made"] if hand_made else sheet["n_features"]),
            n_outputs=int(sheet["n_classes"]) or 1,
        )


def settings_tried(fit: Mapping[str, Any]) -> int:
    """How many settings the grid of a learner has."""
    return math.prod(len(values) for values in fit["grid"].values())


def task(m: int, fit: Mapping[str, Any], training: Mapping[str, Any], width: Width) -> Task:
    """A cell of m labelled examples; with no steps as yet.

    Args:
        m: Labelled examples, those for validation included.
        fit: The learner's part of the config.
        training: The study's training settings.
        width: Of the data set.
    """
    n_validation = math.floor(m * training["validation_fraction"] + 1e-9)
    return Task(
        kind=fit["kind"],
        n_train=m - n_validation,
        n_validation=n_validation,
        n_test=width.n_test,
        n_features=width.n_features,
        n_outputs=width.n_outputs,
        settings=settings_tried(fit),
        hidden=tuple(fit.get("hidden", ())),
        batch=training.get("batch_size", 0),
    )


def planned(
    m: int,
    fit: Mapping[str, Any],
    training: Mapping[str, Any],
    width: Width,
    stopping: Stopping,
) -> Task:
    """A cell before it is trained, which ends as early as others did."""
    found = task(m, fit, training, width)
    if fit["kind"] == NETWORK:
        allowed = _budget(found, training)
        return replace(found, steps=allowed.most * stopping.share(allowed.passes))
    if fit["kind"] == BOOSTING:
        return replace(found, steps=stopping.trees_of(found.n_train, fit["max_trees"]))
    return found


def measured(
    runs: pd.DataFrame,
    fit: Mapping[str, Any],
    training: Mapping[str, Any],
    width: Width,
) -> Iterator[Measured]:
    """The cells of one curve as they were trained.

    Args:
        runs: A row per cell: dataset, learner, m, steps, seconds.
        fit, training, width: As for `task`.
    """
    for row in runs[["dataset", "learner", "m", "steps", "seconds"]].to_dict("records"):
        found = task(int(row["m"]), fit, training, width)
        cell = Measured(f"{row['dataset']} {row['learner']}", found, float(row["seconds"]))
        if fit["kind"] == NETWORK:
            allowed = _budget(found, training)
            steps = allowed.taken(float(row["steps"]))
            cell = replace(cell, share=steps / allowed.most, passes=allowed.passes)
            cell = replace(cell, task=replace(found, steps=steps), most=allowed.most)
        elif fit["kind"] == BOOSTING:
            built = min(float(row["steps"]) + TREES_BEYOND, fit["max_trees"])
            cell = replace(cell, task=replace(found, steps=built), most=fit["max_trees"])
        yield cell


def _budget(of: Task, training: Mapping[str, Any]) -> Budget:
    return budget(of.n_train, training, of.settings)
