"""The learners learn, choose by validation, and are the same whenever they are run."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from small import GRIDS, OF_CLASSES, TRAINING, blobs, curve

from takeoff import learners, training
from takeoff.learners.svm_rbf import fit_temperature
from takeoff.metrics import one_hot
from takeoff.training import Candidate, Cell, Sample

KINDS = OF_CLASSES


def sample_of(m: int = 200, n_classes: int = 3, seed: int = 0) -> Sample:
    """A cell of the small data set."""
    data = blobs(n_classes)
    train, held_out = training.split(training.subset(data, seed, m, 0), TRAINING)
    return Sample(data, m, 0, train, held_out, seed)


def cell(**size: int) -> tuple[Cell, np.ndarray, np.ndarray]:
    """A cell's data in memory, and the scaled test rows and labels."""
    sample = sample_of(**size)
    return sample.cell(), sample.scaled(sample.data.x_test), sample.data.y_test


def tried(kind: str, sample: Sample) -> list[Candidate]:
    """What the learner fits to the cell: every setting, or the one that a network has chosen."""
    learner, fit = learners.load(kind), {"kind": kind, **GRIDS[kind]}
    if kind != "mlp":
        return list(learner.candidates(sample.cell(), fit, TRAINING))
    found: list[Candidate] = []
    ledger = SimpleNamespace(
        checkpoint=Path("/nowhere"),
        plan=lambda steps: None,
        steps=lambda n: None,
        finish=lambda sample, best, seconds: found.append(best),
    )
    learner.fit_together([sample], fit, TRAINING, ledger)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_learns(kind: str, n_classes: int) -> None:
    """Probabilities sum to one, and the error is far below guessing."""
    sample = sample_of(n_classes=n_classes)
    made, x_test, y_test = cell(n_classes=n_classes)
    for candidate in tried(kind, sample):
        found = candidate.predict(x_test)
        assert found.shape == (len(x_test), n_classes)
        np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
        np.testing.assert_allclose(candidate.validation, candidate.predict(made.x_validation))
        assert np.mean(found.argmax(axis=1) != y_test) < 0.6 * (1 - 1 / n_classes)
        assert candidate.n_params > 0 and candidate.steps > 0


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mlp"])
def test_every_setting_of_the_grid_is_tried(kind: str) -> None:
    """One candidate per setting; the network tries its rates in pilot runs."""
    ((name, values),) = GRIDS[kind]["grid"].items()
    assert [candidate.settings[name] for candidate in tried(kind, sample_of())] == sorted(values)


@pytest.mark.parametrize("kind", KINDS)
def test_a_class_that_training_never_saw_gets_a_column(kind: str) -> None:
    """With a class missing from the training rows, probabilities still cover all classes."""
    whole = sample_of()
    seen = whole.train[whole.data.y_pool[whole.train] != 2]
    partial = dataclasses.replace(whole, train=seen)
    x_test = partial.scaled(whole.data.x_test)
    for candidate in tried(kind, partial):
        found = candidate.predict(x_test)
        assert found.shape == (len(x_test), 3)
        assert kind == "mlp" or not found[:, 2].any(), "a network starts out with all classes"
        assert np.isfinite(training.tuning_loss(candidate.validation, whole.truth))


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_cell_gives_the_same_result(kind: str) -> None:
    """Bit for bit, on one machine."""
    _, x_test, _ = cell()
    first, second = (
        [candidate.predict(x_test) for candidate in tried(kind, sample_of())] for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_only_imports_are_kept_from_the_garbage_collector() -> None:
    """What a library made is not looked through again; what comes later is collected as ever."""
    code = (
        "import gc; from takeoff import learners; learners.load('logistic_regression'); "
        "frozen = gc.get_freeze_count(); learners.load('logistic_regression'); "
        "print(gc.isenabled(), frozen > 10_000, gc.get_freeze_count() == frozen)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True"] * 3


def test_the_choice_is_made_on_validation_rows() -> None:
    """The candidate with the lowest validation log-loss wins; of equal ones the first."""
    made, _, _ = cell()
    truth = one_hot(made.y_validation, 3)
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


def test_curves_improve_with_m(tmp_path) -> None:
    """On separable clouds, every learner does better with eight times the labels."""
    from takeoff.store import CellStore

    for kind in KINDS:
        table = training.train_curve(
            curve(kind, [30, 240]), blobs(), learners.load(kind), CellStore(tmp_path)
        )
        errors = table.groupby("m")["test_error"].mean()
        assert errors[240] < errors[30] + 0.02
