"""The cost model: what work there is, what a unit of it takes, and how far off it is."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeoff.errors import TakeoffError
from takeoff.planning import cells, costs, reference
from takeoff.planning.cells import Width
from takeoff.planning.costs import Measured, Model, Stopping, Task
from takeoff.settings import TrainingSettings

TRAINING = TrainingSettings().model_dump()
RATES = {"learning_rate": [0.001, 0.003, 0.01]}
FITS = {
    "mlp": {"kind": "mlp", "hidden": [16, 16], "grid": RATES},
    "svm_rbf": {"kind": "svm_rbf", "grid": {"C": [1.0, 3.0]}},
    "ridge": {"kind": "ridge", "grid": {"C": [1.0]}},
    "logistic_regression": {"kind": "logistic_regression", "grid": {"C": [1.0]}},
    "gradient_boosting": {"kind": "gradient_boosting", "grid": RATES, "max_trees": 200},
}
WIDTH = Width(n_pool=50_000, n_test=5000, n_features=100, n_outputs=3)
TRUE = {"mlp": {"steps": 1e-4, "products": 3e-11}, "svm_rbf": {"solver": 2e-8, "numbers": 1e-8}}


def planned(kind: str, m: int, width: Width = WIDTH) -> Task:
    return cells.planned(m, FITS[kind], TRAINING, width, Stopping())


def made_up(kind: str, noise: float = 0.0) -> list[Measured]:
    """Three curves, of data sets of different widths, whose seconds follow known units."""
    random, model = np.random.default_rng(0), Model(TRUE, {}, Stopping())
    found = []
    for d in (50, 200, 800):
        for m in (100, 400, 1600, 6400):
            task = planned(kind, m, replace(WIDTH, n_features=d))
            seconds = model.seconds(task) * math.exp(noise * random.normal())
            found.append(Measured(f"{d} {kind}", task, seconds, most=task.steps))
    return found


@pytest.mark.parametrize("kind", sorted(TRUE))
def test_known_units_come_back(kind: str) -> None:
    """Without noise the fit is exact, and so is the forecast of a curve that it has not seen."""
    model = costs.fit(made_up(kind))
    for cell in made_up(kind):
        assert model.seconds(cell.task) == pytest.approx(cell.seconds, rel=1e-6)
    assert all(abs(off) < 1e-6 for off in costs.left_out(made_up(kind)).values())


def test_the_fit_takes_as_long_as_the_cells() -> None:
    """Least squares of relative errors err on the short side; the sum does not."""
    noisy = made_up("svm_rbf", noise=0.5)
    model = costs.fit(noisy)
    in_all = sum(model.seconds(cell.task) for cell in noisy)
    assert in_all == pytest.approx(sum(cell.seconds for cell in noisy))
    assert 1e-6 < model.spread["svm_rbf"] < 1.5


def test_a_single_curve_has_nothing_to_be_held_against() -> None:
    """Its spread is taken to be a factor of two."""
    one = [cell for cell in made_up("mlp") if cell.curve == "50 mlp"]
    assert costs.left_out(one) == {}
    assert costs.fit(one).spread == {"mlp": pytest.approx(math.log(2))}


@given(
    kind=st.sampled_from(sorted(FITS)),
    m=st.integers(20, 10**6),
    d=st.integers(1, 2000),
    outputs=st.integers(1, 12),
)
def test_more_of_anything_takes_longer(kind: str, m: int, d: int, outputs: int) -> None:
    """Of labels, features, classes: the reference never says that more would be faster."""
    width = Width(10**6, 1000, d, outputs)
    seconds = reference.MODEL.seconds(planned(kind, m, width))
    assert seconds > 0
    for more in (
        planned(kind, 2 * m, width),
        planned(kind, m, replace(width, n_features=2 * d)),
        planned(kind, m, replace(width, n_outputs=outputs + 1)),
    ):
        assert reference.MODEL.seconds(more) >= seconds * (1 - 1e-9)


def test_an_unknown_kind_is_refused_in_words() -> None:
    """With where its work would have to be written down."""
    with pytest.raises(TakeoffError, match="a learner of the kind abacus costs"):
        costs.terms(replace(planned("ridge", 100), kind="abacus"))


def test_operations_of_a_step_are_those_of_its_products() -> None:
    """Forward, for the weights, and for the inputs of all layers but the first; counted by hand."""
    task = Task("mlp", 80, 20, 10, 5, 3, 1, hidden=(7,), batch=4)
    forward = 2 * 4 * (5 * 7 + 7 * 3)
    assert task.flops_a_step == 2 * forward + 2 * 4 * 7 * 3
    assert task.n_params == 5 * 7 + 7 + 7 * 3 + 3


@pytest.mark.parametrize("settings", [1, 2, 3, 6])
def test_pilots_take_less_than_the_whole_grid(settings: int) -> None:
    """One setting needs none; what was taken at most lies between the run itself and the budget."""
    found = costs.budget(1600, TRAINING, settings)
    assert found.most <= found.whole_grid
    assert (found.most < found.whole_grid) == (settings > 1)
    assert found.taken(found.main.total) == found.most
    assert found.taken(0) == found.pilots <= found.most


def test_steps_are_taken_back_to_the_table_of_runs() -> None:
    """A cell's row says what its chosen run took; the pilots come on top, up to the budget."""
    runs = pd.DataFrame({"dataset": "d", "learner": "mlp", "m": [100, 4000], "steps": [100, 500],
                         "seconds": [1.0, 2.0]})  # fmt: skip
    small, large = cells.measured(runs, FITS["mlp"], TRAINING, WIDTH)
    assert small.task.n_train == 80 and small.task.n_validation == 20
    assert large.share == pytest.approx(1.0, abs=0.02) and small.share < 0.6
    assert small.passes > large.passes
    assert large.most == costs.budget(3200, TRAINING, 3).most
    again = small.before(Stopping(level=math.log(0.5)))
    assert again.steps == pytest.approx(0.5 * small.most)


def test_trees_that_were_made_are_those_kept_and_the_patience() -> None:
    """Never more than the config allows; before they are made, as many as elsewhere."""
    runs = pd.DataFrame({"dataset": "d", "learner": "g", "m": [100, 4000], "steps": [20.0, 199.0],
                         "seconds": [1.0, 2.0]})  # fmt: skip
    few, many = cells.measured(runs, FITS["gradient_boosting"], TRAINING, WIDTH)
    assert (few.task.steps, many.task.steps) == (30, 200)
    assert few.before(Stopping(trees=300)).steps == 200
    assert planned("gradient_boosting", 100).steps == Stopping().trees


def test_how_the_trees_grow_is_learned_within_curves() -> None:
    """A curve with more trees does not count as growth, though it was measured at larger m only."""
    found = []
    for name, level, sizes in (("a", 20.0, (100, 400, 1600)), ("b", 80.0, (1600, 6400))):
        for m in sizes:
            task = planned("gradient_boosting", m)
            trees = level * (task.n_train / costs.TREES_ROWS) ** 0.25
            found.append(Measured(name, replace(task, steps=trees), 1.0, most=200))
    stopping = costs.fit_stopping(found)
    assert stopping.growth == pytest.approx(0.25)
    assert stopping.trees == pytest.approx(40.0)
    assert stopping.trees_spread == pytest.approx(math.log(2))
    assert stopping.trees_of(costs.TREES_ROWS * 16, most=200) == pytest.approx(80.0)
    assert stopping.trees_of(10**9, most=200) == 200
    assert costs.fit_stopping(found[:1]).growth == 0


def test_early_stopping_is_learned_from_the_cells() -> None:
    """Shares that fall with the passes come back, and so does what curves differ by."""
    found = []
    for name, off in (("a", 0.2), ("b", -0.2)):
        for passes in (10.0, 100.0, 1000.0):
            share = 0.9 * passes**-0.2 * math.exp(off)
            found.append(Measured(name, planned("mlp", 100), 1.0, share, passes))
    stopping = costs.fit_stopping(found)
    assert stopping.slope == pytest.approx(-0.2) and math.exp(stopping.level) == pytest.approx(0.9)
    assert stopping.spread == pytest.approx(0.2)
    assert stopping.share(1e-9) <= 1


def test_hand_made_features_are_narrower() -> None:
    """A learner on hand-made features costs by their number, where the data set has some."""
    sheet = {"n_pool": 9, "n_test": 9, "n_features": 500, "n_hand_made": 30, "n_classes": 2}
    assert Width.of(sheet, "hand_made").n_features == 30
    assert Width.of(sheet).n_features == 500
    assert Width.of(sheet | {"n_hand_made": 0, "n_classes": 0}, "hand_made").n_outputs == 1
