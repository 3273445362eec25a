"""The learners learn, choose by validation, and are the same whenever they are run."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from small import GRIDS, TRAINING, blobs, curve

from takeoff import learners, training
from takeoff.learners.svm_rbf import fit_temperature
from takeoff.training import Candidate, Cell

KINDS = list(GRIDS)


def cell(m: int = 200, n_classes: int = 3, seed: int = 0) -> tuple[Cell, np.ndarray, np.ndarray]:
    """A cell of the small data set, and its scaled test rows and labels."""
    data = blobs(n_classes)
    train, held_out = training.split(training.subset(data, seed, m, 0), TRAINING)
    center, scale = training.scaling(data.features(data.x_pool[train]))

    def scaled(x):
        return (data.features(x) - center) / scale

    made = Cell(
        x_train=scaled(data.x_pool[train]), y_train=data.y_pool[train],
        x_validation=scaled(data.x_pool[held_out]), y_validation=data.y_pool[held_out],
        n_classes=n_classes, seed=seed,
    )  # fmt: skip
    return made, scaled(data.x_test), data.y_test


def tried(kind: str, of: Cell) -> list[Candidate]:
    return list(learners.load(kind).candidates(of, {"kind": kind, **GRIDS[kind]}, TRAINING))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_learns(kind: str, n_classes: int) -> None:
    """Probabilities sum to one, and the error is far below guessing."""
    made, x_test, y_test = cell(n_classes=n_classes)
    for candidate in tried(kind, made):
        found = candidate.predict(x_test)
        assert found.shape == (len(x_test), n_classes)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(candidate.validation, candidate.predict(made.x_validation))
        assert np.mean(found.argmax(axis=1) != y_test) < 0.6 * (1 - 1 / n_classes)
        assert candidate.n_params > 0 and candidate.steps > 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mlp"])
def test_every_setting_of_the_grid_is_tried(kind: str) -> None:
    """One candidate per setting; the network tries its rates in pilot runs."""
    made, _, _ = cell()
    ((name, values),) = GRIDS[kind]["grid"].items()
    assert [candidate.settings[name] for candidate in tried(kind, made)] == sorted(values)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_training_never_saw_gets_a_column(kind: str) -> None:
    """With a class missing from the training rows, probabilities still cover all classes."""
    made, x_test, _ = cell()
    seen = made.y_train != 2
    partial = Cell(
        made.x_train[seen], made.y_train[seen], made.x_validation, made.y_validation, 3, 0
    )
    for candidate in tried(kind, partial):
        found = candidate.predict(x_test)
        assert found.shape == (len(x_test), 3)
        assert kind == "mlp" or not found[:, 2].any(), "a network starts out with all classes"
        truth = training.one_hot(partial.y_validation, 3)
        assert np.isfinite(training.expected_log_loss(candidate.validation, truth))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_cell_gives_the_same_result(kind: str) -> None:
    """Bit for bit, on one machine."""
    made, x_test, _ = cell()
    first, second = (
        [candidate.predict(x_test) for candidate in tried(kind, made)] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_the_choice_is_made_on_validation_rows() -> None:
    """The candidate with the lowest validation log-loss wins; of equal ones the first."""
    made, _, _ = cell()
    truth = training.one_hot(made.y_validation, 3)
    good, bad = 0.8 * truth + 0.2 / 3, np.full_like(truth, 1 / 3)
    candidates = [
        Candidate({"C": number}, validation, lambda x: x, 1, 1)
        for number, validation in enumerate([bad, good, good])
    ]
    assert training.choose(iter(candidates), made).settings == {"C": 1}


def test_the_temperature_is_the_best_one() -> None:
    """Scores that are log-probabilities times two get the temperature two."""
    random = np.random.default_rng(0)
    probabilities = random.dirichlet([1, 1, 1], 20000)
    labels = (probabilities.cumsum(axis=1) > random.random((20000, 1))).argmax(axis=1)
    found = fit_temperature(2 * np.log(probabilities), labels.astype(np.int64))
    assert found == pytest.approx(2, rel=0.05)
    assert fit_temperature(np.zeros((3, 2)), np.array([-1, -1, -1])) == 1.0


class TestNetwork:
    """The schedule of a network's run."""

    @staticmethod
    def run(n: int = 160, share: float = 1.0, **changes):
        from takeoff.learners.mlp import Run

        made, _, _ = cell(n)
        return Run(made, [16], 0.01, TRAINING | changes, share)

    def test_the_budget_starves_neither_small_nor_large_m(self) -> None:
        """Epochs decide between the two limits; a pilot gets its share."""
        from takeoff.learners.mlp import plan_run

        def total(n: int, share: float = 1.0) -> float:
            limits = {"epochs": 10, "min_steps": 100, "max_steps": 1000}
            return plan_run(n, TRAINING | limits, share).stable / 0.8

        assert total(20) == pytest.approx(100, abs=1)
        assert total(1600) == pytest.approx(500, abs=1)
        assert total(10**6) == pytest.approx(1000, abs=1)
        assert total(10**6, 0.25) == pytest.approx(250, abs=1)

    def test_the_rate_climbs_stays_and_ends_at_zero(self) -> None:
        """Without an early stop: warm-up, constant, then a linear cool-down where the run ends."""
        run = self.run(min_steps=100, max_steps=100, patience=10**6)
        factors = []
        for block in run.schedule:
            factors += block.factors
            run.steps += len(block.factors)
        assert len(factors) == 100
        assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
        assert set(factors[10:80]) == {1.0}
        assert factors[80:] == pytest.approx(1 - np.arange(20) / 20)

    def test_an_early_stop_goes_back_and_cools_down(self) -> None:
        """When patience ends, the run returns to its best weights and anneals a part as long."""
        run = self.run(min_steps=1000, max_steps=1000)
        run._go_back = lambda: setattr(run, "went_back", run.best.steps)
        run.best.loss, run.best.steps = 0.1, 400
        factors = []
        for block in run.schedule:
            factors += block.factors
            run.steps += len(block.factors)
            run.best.waited += 1
        assert run.went_back == 400
        cooling = [factor for factor in factors if factor < 1.0][100:]
        assert len(factors) == 3 * run.plan.every + 100
        assert cooling == sorted(cooling, reverse=True)

    def test_the_best_weights_are_restored(self) -> None:
        """The returned network has the lowest validation log-loss that the run ever saw."""
        from takeoff.learners import mlp

        made, _, _ = cell(60)
        seen = []

        class Spy(mlp.Run):
            def _evaluate(self, optimizer) -> None:
                super()._evaluate(optimizer)
                seen.append(self.best.loss)

        run = Spy(made, [64], 0.05, TRAINING | {"min_steps": 400, "max_steps": 400}, 1.0)
        mlp._trainer(TRAINING).fit(run, itertools.repeat(0))
        truth = training.one_hot(made.y_validation, 3)
        reached = training.expected_log_loss(candidate_of(run, made), truth)
        assert reached == pytest.approx(min(seen), rel=1e-2)

    def test_every_epoch_sees_every_row_once(self) -> None:
        """Batches are drawn without replacement."""
        from takeoff.learners.mlp import _epochs

        batches = list(itertools.islice(_epochs(96, 32, seed=0), 6))
        for epoch in (batches[:3], batches[3:]):
            assert sorted(int(i) for batch in epoch for i in batch) == list(range(96))


def candidate_of(run, made: Cell):
    import torch

    return run.probabilities(torch.from_numpy(made.x_validation))


def test_curves_improve_with_m(tmp_path) -> None:
    """On separable clouds, every learner does better with eight times the labels."""
    from takeoff.store import CellStore

    for kind in KINDS:
        table = training.train_curve(
            curve(kind, [30, 240]), blobs(), learners.load(kind), CellStore(tmp_path)
        )
        errors = table.groupby("m")["test_error"].mean()
        assert errors[240] < errors[30] + 0.02
