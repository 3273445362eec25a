"""When runs arrive at a loss, and which learning rate arrives first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeoff.experiments import arrivals

NETWORK = {"optimiser": "sgd", "activation": "relu", "initialisation": "scaled", "depth": 2}


def curves(losses: dict[tuple[float, int], list[float]], steps: list[int]) -> list[dict[str, Any]]:
    """Rows of runs (rate, repeat), in the order in which they are measured."""
    return [
        {**NETWORK, "rate": rate, "repeat": repeat, "step": step, "loss": own[i]}
        for i, step in enumerate(steps)
        for (rate, repeat), own in losses.items()
    ]


def test_a_target_is_a_share_of_the_way_from_guessing() -> None:
    """None of it: guessing; all of it: the best loss."""
    assert arrivals.target(2.3, 0.3, 0.5) == pytest.approx(1.3)
    assert arrivals.target(2.3, 0.3, 1.0) == pytest.approx(0.3)


def test_an_arrival_lies_on_the_line_between_two_evaluations() -> None:
    """Halfway in loss is halfway in steps; exactly there is there."""
    steps, losses = np.array([0.0, 10, 20]), np.array([2.0, 1.0, 0.5])
    assert arrivals.arrival(steps, losses, 0.75) == pytest.approx(15)
    assert arrivals.arrival(steps, losses, 1.0) == pytest.approx(10)
    assert arrivals.arrival(steps, losses, 5.0) == 0


def test_what_does_not_arrive_is_infinitely_late() -> None:
    """A loss that stays above, one that diverges; the first arrival counts, whatever follows."""
    steps = np.array([0.0, 10, 20, 30])
    assert arrivals.arrival(steps, np.array([2.0, 1, 1, 1]), 0.5) == np.inf
    assert arrivals.arrival(steps, np.array([2.0, 3, np.nan, np.nan]), 0.5) == np.inf
    assert arrivals.arrival(steps, np.array([2.0, 0.4, 9, np.nan]), 0.4) == pytest.approx(10)


@given(st.lists(st.floats(0.1, 3), min_size=2, max_size=12), st.floats(0.1, 3), st.floats(0.1, 3))
def test_a_lower_loss_is_never_reached_earlier(losses: list[float], one: float, two: float) -> None:
    """And where it is reached, the loss is there between its neighbours."""
    steps, low, high = np.arange(len(losses)) * 7.0, min(one, two), max(one, two)
    late, early = (arrivals.arrival(steps, np.array(losses), goal) for goal in (low, high))
    assert early <= late
    if np.isfinite(late) and late > 0:
        assert np.interp(late, steps, losses) == pytest.approx(low, abs=1e-9)


def test_the_rate_that_arrives_first_is_taken() -> None:
    """By its mean over the repeats, with the budget in place of what never arrives."""
    rows = curves(
        {(0.1, 0): [2, 0, 0], (0.1, 1): [2, 2, 2], (0.3, 0): [2, 1, 0], (0.3, 1): [2, 1, 0]},
        [0, 50, 100],
    )
    found = arrivals.tuned(arrivals.arrivals(pd.DataFrame(rows), 0.5), budget=100)
    assert found["rate"].tolist() == [0.1]  # (37.5 + 100) / 2 against 75
    assert arrivals.fastest(pd.DataFrame(rows), 0.5, budget=1000) == 0.3


def test_without_arrivals_the_lowest_last_loss_decides() -> None:
    """A run that diverged has none; the edges of the grid are told."""
    rows = curves({(0.1, 0): [2, 1.9], (0.3, 0): [2, 1.5], (1.0, 0): [2, np.nan]}, [0, 100])
    found = arrivals.tuned(arrivals.arrivals(pd.DataFrame(rows), 0.5), budget=100).iloc[0]
    assert (found["rate"], found["steps"]) == (0.3, 100)
    assert not found["lowest"] and not found["highest"]
    assert arrivals.tuned(
        arrivals.arrivals(pd.DataFrame(rows).query("rate < 1"), 0.5), 100
    ).iloc[0]["highest"]  # fmt: skip


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(2, 5))
def test_tuning_that_ends_when_settled_chooses_the_same_rate(
    seed: int, repeats: int, rates: int
) -> None:
    """Whatever the curves: nothing that comes later could change it."""
    random = np.random.default_rng(seed)
    steps = arrivals.evaluations(200, 12)
    speed = random.uniform(0.2, 3, (rates, repeats))
    losses = {
        (float(rate), repeat): [2 * np.exp(-speed[rate, repeat] * step / 100) for step in steps]
        for rate in range(rates)
        for repeat in range(repeats)
    }
    rows, seen = curves(losses, steps), []
    for step in steps:
        seen += [row for row in rows if row["step"] == step]
        if arrivals.settled(seen, 0.5):
            break
    early, late = (arrivals.fastest(pd.DataFrame(some), 0.5, 200) for some in (seen, rows))
    assert early == late


def test_evaluations_are_denser_at_the_start() -> None:
    """From 0 to the last step, each once, never closer than the one before."""
    steps = arrivals.evaluations(1000, 30)
    gaps = np.diff(steps[1:])
    assert (steps[0], steps[-1]) == (0, 1000) and (gaps > 0).all() and gaps[-1] > 10 * gaps[0]
    assert arrivals.spaced(steps, 4)[0] == 0 and arrivals.spaced(steps, 4)[-1] == 1000
    assert len(arrivals.spaced(steps, 4)) == 4
