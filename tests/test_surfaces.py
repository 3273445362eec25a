"""Surfaces over network size and data: known parameters come back, and so does their error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from takeoff.cli import main
from takeoff.errors import TakeoffError
from takeoff.statistics.surfaces import (
    DELTA,
    GRADIENT,
    PARAMETERS,
    Points,
    Product,
    Surface,
    _Problem,
    fit,
    fit_file,
    frontier,
)

Floats = NDArray[np.float64]
HOFFMANN = {"E": 1.69, "A": 406.4, "alpha": 0.34, "B": 410.7, "beta": 0.28}
ERRORS = {"E": 0.05, "A": 1.2, "alpha": 0.25, "B": 2.0, "beta": 0.45}


def surface(n: Floats, d: Floats, p: dict[str, float] = HOFFMANN) -> Floats:
    """The model."""
    return np.asarray(p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * d ** -p["beta"])


def grid(size: int = 6) -> tuple[Floats, Floats]:
    """N and D on a grid."""
    n, d = np.meshgrid(np.geomspace(3e7, 1e10, size), np.geomspace(3e8, 1e11, size))
    return n.ravel(), d.ravel()


def noisy(seed: int, noise: float = 0.01) -> tuple[Floats, Floats, Floats]:
    """Points with relative noise."""
    n, d = grid()
    rng = np.random.default_rng(seed)
    return n, d, surface(n, d) * np.exp(noise * rng.standard_normal(len(n)))


@pytest.mark.parametrize("truth", [HOFFMANN, ERRORS])
def test_parameters_come_back_without_noise(truth: dict[str, float]) -> None:
    """To many digits, with next to no gradient left."""
    n, d = grid() if truth is HOFFMANN else (values / 1e5 for values in grid())
    found = fit(n, d, surface(n, d, truth), replicates=20)
    assert dict(found.parameters) == pytest.approx(truth, rel=1e-4)
    assert found.status == "converged"
    assert found.gradient_norm < 1e-9
    assert found.rmse < 1e-6


@pytest.fixture(scope="module")
def studies() -> list[Surface]:
    """Fits to 40 simulated studies."""
    return [fit(*noisy(seed), replicates=100) for seed in range(40)]


def test_parameters_lie_within_two_standard_errors(studies: list[Surface]) -> None:
    """In 95 % of the cases, over all parameters and for each."""
    held = [
        [
            abs(found.parameters[name] - HOFFMANN[name]) <= 2 * found.standard_errors[name]
            for name in PARAMETERS
        ]
        for found in studies
    ]
    assert np.mean(held) >= 0.95
    assert np.mean(held, axis=0).min() >= 0.95 - 2 * np.sqrt(0.05 * 0.95 / 40)
    assert max(found.gradient_norm for found in studies) <= GRADIENT * 36


def test_standard_errors_are_those_of_many_studies(studies: list[Surface]) -> None:
    """They have the size of the parameters' spread over studies, and aren't wide without need."""
    for name in ("E", "alpha", "beta"):
        spread = np.std([found.parameters[name] for found in studies])
        typical = np.median([found.standard_errors[name] for found in studies])
        assert 0.7 * spread < typical < 2.0 * spread


@pytest.mark.parametrize("chance", [np.inf, 20.0])
def test_the_gradient_is_that_of_the_objective(chance: float) -> None:
    """Against finite differences, on both sides of the Huber loss's bend."""
    n, d, loss = noisy(0)
    for delta in (DELTA, 10.0):
        problem = _Problem(Points(n, d, loss, chance), delta)
        theta = np.log([1.5, 0.5, np.exp(0.3), 0.9, np.exp(0.25)])
        _, gradient = problem.objective(theta)
        steps = 1e-6 * np.eye(5)
        ends = [problem.objective(theta + s)[0] - problem.objective(theta - s)[0] for s in steps]
        assert gradient == pytest.approx(np.array(ends) / 2e-6, rel=1e-4, abs=1e-7)


def test_outliers_hardly_matter() -> None:
    """The Huber loss: a point that is off by half moves no parameter by two standard errors."""
    n, d, loss = noisy(3)
    loss[7] *= 1.5
    found = fit(n, d, loss, replicates=100)
    for name in ("E", "alpha", "beta"):
        assert abs(found.parameters[name] - HOFFMANN[name]) <= 2.5 * found.standard_errors[name]


def test_the_influential_point_is_named() -> None:
    """Leaving each point out in turn: the only large network decides about its term."""
    rng = np.random.default_rng(0)
    n = np.append(np.tile(np.geomspace(3e7, 1e8, 5), 5), 1e10)
    d = np.append(np.repeat(np.geomspace(3e8, 1e11, 5), 5), 1e11)
    loss = surface(n, d) * np.exp(0.003 * rng.standard_normal(len(n)))
    loss[-1] *= 1.02
    found = fit(n, d, loss, replicates=50)
    assert found.influence.shape == (26, 5)
    row, moved = found.most_influential()["alpha"]
    assert row == 25 and moved != 0


def test_a_surface_without_a_floor_is_at_a_bound() -> None:
    """The status says that a term can't be told from zero."""
    n, d = (values / 1e5 for values in grid())
    truth = ERRORS | {"E": 0.0}
    found = fit(n, d, surface(n, d, truth), replicates=20)
    assert found.status == "at a bound"
    assert found.parameters["E"] < 1e-3


def test_errors_near_chance() -> None:
    """The bent model gives the floor and exponents back where the plain one is far off."""
    n, d = (values / 1e6 for values in grid())
    above = surface(n, d, ERRORS | {"E": 0.0})
    error = 0.9 - 0.85 * np.exp(-above / 0.85)
    bent, plain = (fit(n, d, error, chance=chance, replicates=20) for chance in (0.9, None))
    assert dict(bent.parameters) == pytest.approx(ERRORS, rel=1e-3)
    assert plain.parameters["A"] != pytest.approx(1.2, rel=0.05)
    assert bent.loss(1e-9, 1e-9) <= 0.9


def test_losses_have_intervals() -> None:
    """They hold the truth and widen away from the data."""
    found = fit(*noisy(1))
    low, high = found.interval(np.array([1e9, 1e12]), np.array([1e10, 1e13]))
    truth = surface(np.array([1e9, 1e12]), np.array([1e10, 1e13]))
    assert (low <= truth).all() and (truth <= high).all()
    assert high[1] - low[1] > high[0] - low[0]


# The frontier


def test_the_frontier_of_a_product_has_the_closed_form() -> None:
    """It is the numeric optimum, and spends the budget."""
    found = fit(*noisy(0), replicates=40)
    budgets = np.array([1e19, 1e21])
    closed = frontier(found, budgets)
    numeric = frontier(found, budgets, lambda n, d: 6 * n * d)
    assert closed.n == pytest.approx(numeric.n, rel=0.01)
    assert closed.d == pytest.approx(numeric.d, rel=0.01)
    assert closed.loss == pytest.approx(numeric.loss, rel=1e-5)
    assert 6 * closed.n * closed.d == pytest.approx(budgets)


def test_the_frontier_holds_the_truth() -> None:
    """Intervals for N, D and the loss at the best spending."""
    found = frontier(fit(*noisy(2)), [1e20])
    p = HOFFMANN
    g = (p["alpha"] * p["A"] / (p["beta"] * p["B"])) ** (1 / (p["alpha"] + p["beta"]))
    n = g * (1e20 / 6) ** (p["beta"] / (p["alpha"] + p["beta"]))
    assert found.n_low[0] <= n <= found.n_high[0]
    assert found.loss_low[0] <= surface(n, 1e20 / 6 / n) <= found.loss_high[0]
    assert found.status == ("measured range",)


def test_other_prices_have_other_optima() -> None:
    """Dear labels buy larger networks and fewer labels; the budget is spent."""
    found = fit(*noisy(0), replicates=40)

    def dear(n: Floats, d: Floats) -> Floats:
        return np.asarray(6 * n * d + 1e11 * d)

    plain, labelled = frontier(found, [1e21]), frontier(found, [1e21], dear)
    assert labelled.n[0] > plain.n[0] and labelled.d[0] < plain.d[0]
    assert dear(labelled.n, labelled.d) == pytest.approx([1e21], rel=0.01)


def test_budgets_far_beyond_the_data_are_not_stated() -> None:
    """The status says so."""
    statuses = frontier(fit(*noisy(0), replicates=20), [1e18, 1e22, 1e26]).status
    assert [text.partition(":")[0] for text in statuses] == [
        "measured range", "beyond it", "not stated",
    ]  # fmt: skip


def test_bad_budgets() -> None:
    """Not positive, or in the wrong unit."""
    found = fit(*noisy(0), replicates=20)
    with pytest.raises(TakeoffError, match="isn't positive"):
        frontier(found, [0.0])
    with pytest.raises(TakeoffError, match="buys no N and D"):
        frontier(found, [1e-30], lambda n, d: n + d)
    assert Product(2.0)(np.array([3.0]), np.array([4.0])).tolist() == [24.0]


# Failure paths and files


def test_bad_points_are_refused() -> None:
    """Each with its reason."""
    n, d, loss = noisy(0)
    for change, problem in (
        ((n[:5], d, loss), "differ in length"),
        ((n, d, -loss), "positive and finite"),
        ((n * np.nan, d, loss), "positive and finite"),
        ((n[:6], d[:6], loss[:6]), "needs 7"),
        ((1e8 + 0 * n, d, loss), "1 different N"),
        ((n, 1e8 + 0 * d, loss), "1 different D"),
    ):
        with pytest.raises(TakeoffError, match=problem):
            fit(*change)
    with pytest.raises(TakeoffError, match="below chance"):
        fit(n, d, loss, chance=1.0)
    with pytest.raises(TakeoffError, match="level"):
        fit(n, d, loss, level=1.0)


def test_the_command_writes_the_fit(tmp_path: Path) -> None:
    """Everything a reader needs to judge it, and equal runs give equal bytes."""
    table = pd.DataFrame(dict(zip(["size", "examples", "loss"], noisy(0), strict=True)))
    table.assign(why="x").to_csv(tmp_path / "p.csv", index=False)
    command = ["fit", "--surface", str(tmp_path / "p.csv"), "--x", "size", "--x", "examples"]
    for out in ("a.json", "b.json"):
        assert main([*command, "--y", "loss", "--out", str(tmp_path / out)]) == 0
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = json.loads((tmp_path / "a.json").read_text())
    assert set(found["parameters"]) == set(PARAMETERS)
    alpha = found["parameters"]["alpha"]
    assert alpha["low"] <= alpha["value"] <= alpha["high"] and alpha["standard_error"] > 0
    assert found["status"] == "converged" and found["gradient_norm"] < 1e-4
    assert found["n"] == 36 and 0 < found["rmse"] < 0.02
    assert found["columns"] == {"N": "size", "D": "examples", "loss": "loss"}
    assert 1 <= found["influence"]["E"]["point"] <= 36


@pytest.mark.parametrize(
    "arguments",
    [
        ["--surface", "p.csv", "--x", "n", "--y", "loss"],
        ["--surface", "p.csv", "--x", "n", "--x", "d"],
        ["--surface", "p.csv", "curves.csv", "--x", "n", "--x", "d", "--y", "loss"],
        ["curves.csv"],
        [],
    ],
)
def test_half_a_command_says_what_is_missing(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """CURVES with --predict, or --surface with two --x and --y."""
    assert main(["fit", *arguments, "--out", "out.json"]) == 1
    assert "it isn't clear what to fit" in capsys.readouterr().err


def test_bad_files_are_named(tmp_path: Path) -> None:
    """File, column and row."""
    file, out = tmp_path / "p.csv", tmp_path / "o.json"
    table = pd.DataFrame(dict(zip(["n", "d", "loss"], noisy(0), strict=True)))
    table.to_csv(file, index=False)
    with pytest.raises(TakeoffError, match="has no column size"):
        fit_file(file, ["size", "d"], "loss", out)
    with pytest.raises(TakeoffError, match="twice"):
        fit_file(file, ["d", "d"], "loss", out)
    table.loc[3, "d"] = 0
    table.to_csv(file, index=False)
    with pytest.raises(TakeoffError, match=r"p\.csv, row 5: d must be positive"):
        fit_file(file, ["n", "d"], "loss", out)
    with pytest.raises(TakeoffError, match="isn't there"):
        fit_file(tmp_path / "none.csv", ["n", "d"], "loss", out)
