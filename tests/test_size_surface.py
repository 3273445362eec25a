"""The surface over network size and data: predictions, ends of levers, budgets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic_sizes as synthetic
from synthetic_sizes import additive, asked, neither_ends

from takeoff.experiments import network_sizes, size_surface
from takeoff.experiments.size_grid import Costs, Grid
from takeoff.experiments.size_surface import Fitted

LIMITS = {"floor": 0.017, "chance": None}
LEVEL = 0.9


def grid_of(law: synthetic.Law = additive, **changes: float) -> Grid:
    return Grid.of(asked(law, **changes))  # type: ignore[arg-type]


def fitted(grid: Grid, limits: dict[str, float | None] = LIMITS) -> Fitted:  # type: ignore[assignment]
    cells = grid.cells()
    return size_surface.fit(cells["parameters"], cells["m"], cells["error"], limits, LEVEL)


def test_what_lies_above_a_known_floor_is_fitted() -> None:
    """No prediction falls below it; a floor that an error contradicts isn't used."""
    grid = grid_of(noise=0.005)
    found = fitted(grid)
    assert found.floor == 0.017
    assert found.predicted([1e12], [1e12])[0] >= 0.017
    assert found.interval([1e12], [1e12])[0][0] >= 0.017
    assert fitted(grid, {"floor": 0.3, "chance": None}).floor == 0.0


def test_chance_is_used_where_all_errors_are_below_it() -> None:
    """A network that does worse than guessing rules it out."""
    grid = grid_of()
    assert np.isfinite(fitted(grid, {"floor": 0.017, "chance": 0.9}).surface.points.chance)
    assert np.isinf(fitted(grid, {"floor": 0.017, "chance": 0.2}).surface.points.chance)


def test_errors_that_follow_the_model_are_predicted() -> None:
    """The larger half from the smaller one: far better than the nearest cell, and covered."""
    grid = grid_of(noise=0.01)
    found = size_surface.hold_out(grid, LIMITS, LEVEL)
    score = size_surface.scored(found, grid, LEVEL)
    assert score["points"] == 16 and score["coverage"] == "kept"
    assert score["error"] < 0.2 * score["last_value_error"] and score["against_last"] == "better"


def test_the_halves_are_told_apart_by_parameters_times_m() -> None:
    """Every held-out cell is larger, and the factor says how far the largest one is."""
    grid = grid_of()
    found = size_surface.hold_out(grid, LIMITS, LEVEL)
    late = size_surface.larger_half(grid)
    product = np.outer(grid.n, grid.m).ravel()
    assert product[late].min() >= product[~late].max()
    assert sorted(found["parameters"] * found["m"]) == pytest.approx(sorted(product[late]))
    score = size_surface.scored(found, grid, LEVEL)
    assert score["factor"] == pytest.approx(product.max() / product[~late].max())


def test_the_nearest_cell_is_near_in_the_logarithms() -> None:
    """The naive prediction is the error of a known cell."""
    grid = grid_of(noise=0.0)
    found = size_surface.hold_out(grid, LIMITS, LEVEL)
    row = found[(found["learner"] == "mlp_16x16x16x16") & (found["m"] == 8000)].iloc[0]
    assert row["last_value"] == pytest.approx(additive(synthetic.parameters([16, 16]), 8000))


def test_intervals_hold_new_measurements_of_the_same_cells() -> None:
    """About as often as they promise, over many grids."""
    inside = []
    for seed in range(20):
        grid, again = (grid_of(noise=0.04, seed=s) for s in (seed, 100 + seed))
        low, high = fitted(grid).interval(again.cells()["parameters"], again.cells()["m"])
        inside.append((low <= again.mean.ravel()) & (again.mean.ravel() <= high))
    assert 0.85 < np.mean(inside) < 0.97


def test_intervals_are_widened_until_they_hold_enough_of_the_other_half() -> None:
    """By the factor that does; not at all where they hold enough already."""
    held_out = pd.DataFrame({
        "measured": [0.1, 0.12, 0.1, 0.09], "predicted": 0.1, "low": 0.09, "high": 0.11,
    })  # fmt: skip
    assert size_surface.factor_needed(held_out, 0.0, 0.7) == 1.0
    factor = size_surface.factor_needed(held_out, 0.0, 0.9)
    assert factor == pytest.approx(np.log(1.2) / np.log(1.1))
    grid = grid_of(noise=0.02)
    narrow = fitted(grid)
    wide = replace(narrow, widened=2.0)
    at = grid.cells()["parameters"], grid.cells()["m"]
    logs = [
        np.log((np.stack(one.interval(*at)) - 0.017) / (one.predicted(*at) - 0.017))
        for one in (narrow, wide)
    ]
    np.testing.assert_allclose(logs[1], 2 * logs[0])


def test_the_paper_s_intervals_are_the_widened_ones() -> None:
    """Where a law in which the levers need each other is beyond the model."""
    law = lambda n, m: 0.017 + 0.28 * (m / 500) ** -(0.25 + 0.02 * np.log(n / 517))  # noqa: E731
    found = network_sizes.analyse(asked(law))
    factor = found.decided["surface"]["widened"]
    assert factor == size_surface.factor_needed(found.tables["held_out"], 0.017, LEVEL) > 1
    ahead = found.decided["ten_times"]["labels"]
    narrow = size_surface.ten_times(grid_of(law), fitted(grid_of(law)))["labels"]
    assert ahead["value"] == pytest.approx(narrow["value"], rel=0.05)
    assert ahead["high"] - ahead["low"] > narrow["high"] - narrow["low"]


# Levers


def test_gains_without_noise_are_those_of_the_law() -> None:
    """Measured on the way to the next cell, per doubling; expected also beyond the last one."""
    grid = grid_of(neither_ends, noise=0.0)
    table = size_surface.gains(grid, None, Costs.of(grid, synthetic.FREE), 0.95)
    known = table["measured"].notna()
    np.testing.assert_allclose(table.loc[known, "measured"], 0.1)
    beyond = table[~known]
    assert (beyond["lever"] == "labels").sum() == 8 and (beyond["lever"] == "network").sum() == 4
    doubled = beyond["to_parameters"] * beyond["to_m"] / beyond["parameters"] / beyond["m"]
    assert (doubled == 2).all() and table["expected"].isna().all()
    assert (table[["flops", "seconds"]] >= 0).all(axis=None) and table["money"].isna().all()


def test_expected_gains_are_those_of_the_surface() -> None:
    """On errors that follow the model, to a percentage point."""
    grid = grid_of(noise=0.002)
    table = size_surface.gains(grid, fitted(grid), Costs.of(grid, synthetic.PRICED), 0.95)
    for row in table.to_dict("records"):
        before = additive(row["parameters"], row["m"])
        after = additive(row["to_parameters"], row["to_m"])
        doublings = np.log2(row["to_parameters"] / row["parameters"] * row["to_m"] / row["m"])
        assert row["expected"] == pytest.approx(1 - (after / before) ** (1 / doublings), abs=0.01)
        assert row["expected_low"] <= row["expected"] <= row["expected_high"]
        assert row["money"] > 0


def test_a_lever_ends_where_a_doubling_removes_less_than_the_margin() -> None:
    """Later for the network the more labels there are, and at sizes where that is so."""
    grid = grid_of(noise=0.002)
    found = fitted(grid)
    table = size_surface.ends_of_levers(grid, found, 0.05)
    network = table[table["lever"] == "network"]
    assert (np.diff(network["end"]) > 0).all()
    for row in network.to_dict("records"):
        pair = additive(row["end"], row["m"]), additive(2 * row["end"], row["m"])
        assert 1 - pair[1] / pair[0] == pytest.approx(0.05, abs=0.01)
        assert row["low"] <= row["end"] <= row["high"]


def test_a_lever_that_goes_on_has_no_end_in_sight() -> None:
    """It is said to lie beyond ten times the largest; one that never began, before the smallest."""
    grid = grid_of(lambda n, m: 0.017 + 0.35 * (m / 500) ** -0.3, noise=0.001)
    table = size_surface.ends_of_levers(grid, fitted(grid), 0.05)
    assert set(table.loc[table["lever"] == "labels", "where"]) == {"not within ten times"}
    assert set(table.loc[table["lever"] == "network", "where"]) == {"before it"}
    left = size_surface.left_to_remove(grid, fitted(grid), 0.05)
    assert (left["network"]["verdict"], left["labels"]["verdict"]) == ("end", "open")


# Budgets


@pytest.mark.parametrize("prices", [synthetic.FREE, synthetic.PRICED])
def test_a_budget_is_spent_and_nothing_affordable_is_better(prices: dict[str, float]) -> None:
    """What is recommended costs the budget; random other ways of spending it have larger errors."""
    grid = grid_of(noise=0.002)
    costs, found = Costs.of(grid, prices), fitted(grid)
    table = size_surface.frontier(grid, found, costs)
    assert (table["error"].diff().dropna() <= 1e-9).all()
    rng = np.random.default_rng(0)
    for row in table.iloc[::9].to_dict("records"):
        price = costs.price(np.array([row["parameters"]]), np.array([row["m"]]))
        assert price[0] == pytest.approx(row["budget"], rel=0.05)
        n, m = np.exp(rng.uniform([4, 4], [16, 16], size=(4000, 2))).T
        affordable = costs.price(n, m) <= row["budget"]
        assert found.predicted(n, m)[affordable].min() >= row["error"] - 5e-4


def test_budgets_that_are_spoken_of_start_at_the_edge_of_what_was_measured() -> None:
    """The first is the last budget whose best is inside; a hundred times as much isn't stated."""
    grid = grid_of(noise=0.002)
    table = size_surface.frontier(grid, fitted(grid), Costs.of(grid, synthetic.FREE))
    spoken = table[table["scale"].notna()].set_index("scale")
    assert spoken.loc[1.0, "status"] == "measured range"
    assert spoken.loc[10.0, "status"] == "beyond it"
    assert spoken.loc[100.0, "status"].startswith("not stated")
    inside = table[table["status"] == "measured range"]
    assert inside["budget"].max() == pytest.approx(spoken.loc[1.0, "budget"])


def test_ten_times_a_lever_is_what_the_surface_says() -> None:
    """From the largest cell on."""
    grid = grid_of(noise=0.002)
    found = size_surface.ten_times(grid, fitted(grid))
    n, m = grid.n[-1], grid.m[-1]
    truth = {
        "labels": additive(n, 10 * m),
        "network": additive(10 * n, m),
        "neither": additive(n, m),
    }
    for lever, error in truth.items():
        assert found[lever]["value"] == pytest.approx(error, abs=0.002)
        assert found[lever]["low"] <= error <= found[lever]["high"]


# Lines of equal error


def test_lines_run_where_the_surface_has_their_error() -> None:
    """Within the networks measured, and up to ten times as much."""
    grid = grid_of(noise=0.002)
    found = fitted(grid)
    table = size_surface.lines(grid, found, [0.1, 0.15])
    assert set(table["error"]) == {0.1, 0.15}
    np.testing.assert_allclose(found.predicted(table["parameters"], table["m"]), table["error"])
    bent = fitted(grid, {"floor": 0.017, "chance": 0.5})
    table = size_surface.lines(grid, bent, [0.1, 0.15])
    np.testing.assert_allclose(bent.predicted(table["parameters"], table["m"]), table["error"])


def test_levels_are_round_and_between() -> None:
    """At least three where the errors differ by much; none where they don't differ."""
    assert size_surface.levels(np.array([0.09, 0.31])) == [0.1, 0.15, 0.2, 0.3]
    assert size_surface.levels(np.array([0.2, 0.2])) == []
    assert len(size_surface.levels(np.array([0.001, 0.4]))) >= 3
