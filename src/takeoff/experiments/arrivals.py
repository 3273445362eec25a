"""When a training run arrives at a loss, and which learning rate arrives first.

A run is its loss at some steps. It arrives where the loss first is at a target or below; one that
has not arrived when its steps are used up is *censored* there: it would have taken longer, or for
ever. All that is measured is thus restricted to the budget of steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NETWORK = ["optimiser", "activation", "initialisation", "depth"]  # what is tuned on its own
RUN = [*NETWORK, "rate", "repeat"]


def target(chance: float, best: float, share: float) -> float:
    """The loss after this share of the way from guessing to the best loss."""
    return chance - share * (chance - best)


def arrival(steps: Floats, losses: Floats, goal: float) -> float:
    """The step at which a loss arrives, between two evaluations on the line through both.

    Args:
        steps: [E], ascending.
        losses: [E]; what is not finite has not arrived.
        goal: The loss to arrive at.

    Returns:
        Infinity if it doesn't.
    """
    there = np.flatnonzero(losses <= goal)
    if not there.size:
        return float("inf")
    first = int(there[0])
    if first == 0 or not np.isfinite(losses[first - 1]):
        return float(steps[first])
    part = (losses[first - 1] - goal) / (losses[first - 1] - losses[first])
    return float(steps[first - 1] + part * (steps[first] - steps[first - 1]))


def arrivals(losses: pd.DataFrame, goal: float) -> pd.DataFrame:
    """When each run arrives, and the last loss that it had.

    Args:
        losses: A row per run (the columns of `RUN`) and step: step, loss; NaN where it diverged.
        goal: The loss to arrive at.

    Returns:
        A row per run: `RUN`, arrived_at (infinity: never), last_loss (infinity: it diverged).
    """
    rows = []
    for run, own in losses.sort_values("step", kind="stable").groupby(RUN, sort=True):
        steps, values = (own[name].to_numpy(dtype=float) for name in ("step", "loss"))
        last = values[-1] if np.isfinite(values[-1]) else np.inf
        rows.append((*run, arrival(steps, values, goal), last))
    return pd.DataFrame(rows, columns=[*RUN, "arrived_at", "last_loss"])


def best_loss(losses: pd.DataFrame) -> float:
    """The lowest loss that any of the runs had at any step."""
    return float(losses["loss"].min())


def tuned(arrived: pd.DataFrame, budget: int) -> pd.DataFrame:
    """The learning rate of each network that needs the fewest steps, on average over its repeats.

    Steps are restricted to the budget. Where several rates need as many, as when none ever arrives,
    the lowest mean last loss decides, then the lowest rate.

    Args:
        arrived: `arrivals`, of every rate of the grid.
        budget: Steps a run.

    Returns:
        A row per network: `NETWORK`, rate, steps (restricted mean), lowest and highest (whether the
        rate is at that edge of its grid).
    """
    steps = arrived["arrived_at"].clip(upper=budget)
    means = arrived.assign(steps=steps).groupby([*NETWORK, "rate"], as_index=False)
    ranked = means[["steps", "last_loss"]].mean()
    ranked = ranked.sort_values([*NETWORK, "steps", "last_loss", "rate"])
    best = ranked.groupby(NETWORK, as_index=False).first()
    edges = arrived.groupby(NETWORK)["rate"].agg(["min", "max"]).reset_index()
    best = best.merge(edges, on=NETWORK)
    at_edge = {"lowest": best["rate"] == best["min"], "highest": best["rate"] == best["max"]}
    return best.assign(**at_edge)[[*NETWORK, "rate", "steps", "lowest", "highest"]]


def fastest(losses: pd.DataFrame, goal: float, budget: int) -> float:
    """The tuned rate of a single network; see `arrivals` and `tuned`."""
    return float(tuned(arrivals(losses, goal), budget)["rate"].iloc[0])


def settled(rows: Sequence[Mapping[str, Any]], goal: float) -> bool:
    """Whether it is known which learning rate of a network arrives first, on average.

    With K repeats, a rate that has not arrived in all of them after s steps will have needed more
    than s / K on average. So once s is K times the best mean, nothing can change any more.

    Args:
        rows: Of all runs so far: rate, repeat, step, loss.
        goal: The loss to arrive at.
    """
    runs: dict[tuple[float, int], list[tuple[int, float]]] = {}
    for row in rows:
        runs.setdefault((row["rate"], row["repeat"]), []).append((row["step"], row["loss"]))
    by_rate: dict[float, list[float]] = {}
    for (rate, _), run in runs.items():
        steps, losses = np.array(run, dtype=float).T
        by_rate.setdefault(rate, []).append(arrival(steps, losses, goal))
    best = min(by_rate.values(), key=lambda found: float(np.mean(found)))
    return bool(rows[-1]["step"] >= sum(best))


def evaluations(steps: int, count: int) -> list[int]:
    """When a run is evaluated: at step 0, then denser at the start than at the end, up to the last.

    A run that needs few steps is thus timed as closely, as a share of its steps, as one that needs
    many.
    """
    spread = np.geomspace(max(steps / 100, 1), steps, count)
    return [0, *sorted({round(step) for step in spread})]


def spaced(steps: Sequence[int], count: int) -> list[int]:
    """About `count` of the evaluations, the first and the last among them."""
    places = np.linspace(0, len(steps) - 1, min(count, len(steps)))
    return [steps[round(place)] for place in places]
