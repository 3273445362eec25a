"""What one network does next: warm-up, evaluations, early stop, cool-down, end."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import TRAINING

from takeoff.networks.budget import Plan, pilot_of, plan_run
from takeoff.networks.schedule import Order, Schedule


def played(plan: Plan, losses) -> tuple[list[float], list[str], Schedule]:
    """Factors of every step, and what each evaluation led to, for a stream of losses."""
    schedule, factors, events = Schedule(plan), [], []
    losses = iter(losses)
    while not events or events[-1] != "end":
        n = schedule.due()
        factors += schedule.factors(n)
        assert schedule.took(n)
        schedule.evaluated(next(losses))
        events.append(schedule.next())
    return factors, events, schedule


def falling(start: float = 1.0):
    while True:
        yield start
        start *= 0.99


def test_the_budget_starves_neither_small_nor_large_m() -> None:
    """Epochs decide between the two limits."""
    training = TRAINING | {"epochs": 10, "min_steps": 100, "max_steps": 1000}
    totals = [plan_run(n, training).stable / 0.8 for n in (20, 1600, 10**6)]
    assert totals == pytest.approx([100, 500, 1000], abs=1)


@pytest.mark.parametrize(("share", "stable"), [(0.25, 24), (0.1, 8), (0.01, 4), (0.5, 48)])
def test_a_pilot_is_the_start_of_its_run(share: float, stable: int) -> None:
    """Up to an evaluation that the run has as well, at the same rates; then it branches off."""
    plan = Plan(96, 4, 10, 3, 0.2)
    pilot = pilot_of(plan, share)
    assert pilot.stable == stable
    whole, _, _ = played(plan, falling())
    factors, events, schedule = played(pilot, falling())
    assert factors[:stable] == whole[:stable] and factors[stable] == 1.0 > factors[stable + 1]
    assert len(factors) == stable + max(4, stable // 4)
    assert events[-1] == "end" and not schedule.branches()


def test_a_compared_pilot_waits_once() -> None:
    """At an evaluation halfway to the cool-down, if there is one; waiting changes nothing else."""
    plan = Plan(96, 4, 10, 3, 0.2)
    for share, halfway in [(0.25, 12), (0.2, 8), (0.01, 0)]:
        factors, events, _ = played(pilot_of(plan, share, compared=True), falling())
        alone, others, _ = played(pilot_of(plan, share), falling())
        waits = [4 * (place + 1) for place, event in enumerate(events) if event == "wait"]
        assert waits == [halfway] * (halfway > 0)
        assert factors == alone and len(events) == len(others)


def test_a_run_goes_on_from_a_pilot_unless_it_would_have_ended_there() -> None:
    """Not from one that stopped early or diverged, nor from one that was as long as the run."""
    early, bad = [1.0] * 10, [math.nan] * 10
    whole = Plan(96, 4, 10, 3, 0.2)
    pilot, short = pilot_of(whole, 0.1), pilot_of(Plan(1, 1, 0, 3, 0.2), 0.5)
    for plan, losses, expected in [
        (pilot, falling(), [False, True]),
        (pilot_of(whole, 0.25), iter(early), [False] * 4),
        (pilot, iter(bad), [False] * 2),
        (short, falling(), [False]),
        (whole, falling(), [False] * 24),
    ]:
        schedule, found = Schedule(plan), []
        while not schedule.at.annealing and schedule.at.stable < plan.stable:
            schedule.took(schedule.due())
            schedule.evaluated(next(losses))
            found.append(schedule.branches())
            schedule.next()
        assert found == expected


def test_the_rate_climbs_stays_and_ends_at_zero() -> None:
    """Without an early stop: warm-up, constant, then a linear cool-down where the run ends."""
    factors, events, schedule = played(Plan(80, 8, 10, 3, 0.2), falling())
    assert len(factors) == schedule.at.steps == 100
    assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert set(factors[10:80]) == {1.0}
    assert factors[80:] == pytest.approx(1 - np.arange(20) / 20)
    assert set(events[:-1]) == {"go on"}


def test_an_early_stop_goes_back_and_cools_down() -> None:
    """When patience ends, the run returns to its best weights and anneals a part as long."""
    losses = [1.0] * 5 + [0.5] + [0.9] * 100
    losses[:5] = [1.0, 0.9, 0.8, 0.7, 0.6]
    factors, events, schedule = played(Plan(800, 10, 0, 3, 0.2), losses)
    assert events[8] == "go back" and events.count("go back") == 1
    assert schedule.at.best == 60 and schedule.at.loss == 0.5
    assert len(factors) == 90 + 15
    assert factors[90:] == pytest.approx(1 - np.arange(15) / 15)


def test_a_better_loss_in_the_cool_down_counts() -> None:
    """The best of the whole run is kept, wherever it was."""
    losses = [*[1.0] * 4, 0.2, *[0.3] * 10]
    _, _, schedule = played(Plan(40, 10, 0, 10, 0.2), losses)
    assert schedule.at.loss == 0.2


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_run_that_diverges_ends(loss: float) -> None:
    """With no finite loss there is nothing to go back to."""
    _, events, schedule = played(Plan(80, 8, 0, 3, 0.2), [loss] * 50)
    assert events[-1] == "end" and len(events) == 3
    assert schedule.at.loss == math.inf


@given(
    stable=st.integers(1, 300),
    every=st.integers(1, 40),
    patience=st.integers(1, 8),
    data=st.lists(st.floats(0, 5) | st.just(math.nan), min_size=1, max_size=60),
    portion=st.integers(1, 13),
)
def test_every_run_ends_and_counts_its_steps(stable, every, patience, data, portion) -> None:
    """Whatever the losses and however its steps are cut into blocks."""
    schedule, losses = Schedule(Plan(stable, every, 3, patience, 0.2)), iter(data * 400)
    total = 0
    for _ in range(10_000):
        n = min(portion, schedule.due())
        assert len(schedule.factors(n)) == n and min(schedule.factors(n)) > 0
        total += n
        if schedule.took(n):
            schedule.evaluated(next(losses))
            if schedule.next() == "end":
                break
    assert schedule.next() == "end" and total == schedule.at.steps
    assert schedule.at.stable <= stable


class TestOrder:
    """The stream of training rows."""

    def test_every_epoch_sees_every_row_once(self) -> None:
        """Rows are drawn without replacement; the epochs differ."""
        rows = torch.tensor([7, 3, 9, 1, 4])
        order = Order(rows, seed=0)
        epochs = order.upcoming(15).view(3, 5).tolist()
        assert all(sorted(epoch) == [1, 3, 4, 7, 9] for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 1

    @given(portions=st.lists(st.integers(0, 12), max_size=12))
    def test_it_is_the_same_however_it_is_cut(self, portions: list[int]) -> None:
        """Looking ahead takes nothing away; dropping goes on behind."""
        whole = Order(torch.arange(5), seed=3).upcoming(sum(portions) + 4).tolist()
        order, seen = Order(torch.arange(5), seed=3), []
        for n in portions:
            order.upcoming(n + 4)
            seen += order.upcoming(n).tolist()
            order.drop(n)
        assert seen == whole[: len(seen)]

    def test_it_goes_on_from_its_state(self) -> None:
        """A restored order gives what the first one would have given."""
        order = Order(torch.arange(10), seed=1)
        order.upcoming(7)
        order.drop(7)
        other = Order(torch.arange(10), seed=99)
        other.restore(order.state())
        torch.testing.assert_close(other.upcoming(40), order.upcoming(40))
