"""The learners learn, choose by validation, and are the same whenever they are run."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small import GRIDS, OF_CLASSES, OF_NUMBERS, TRAINING, blobs, curve, hills, trained_curve

from takeoff import learners, training
from takeoff.learners.svm_rbf import fit_temperature
from takeoff.metrics import error_rate, one_hot, rmse
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


def heights(m: int = 300, **changes: Any) -> Sample:
    """A cell of the small data set with numbers."""
    data = hills(**changes)
    train, held_out = training.split(training.subset(data, 0, m, 0), TRAINING)
    return Sample(data, m, 0, train, held_out, 0)


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
        again = candidate.predict(made.x_validation)
        np.testing.assert_allclose(candidate.validation, again, atol=1e-7)
        assert np.mean(found.argmax(axis=1) != y_test) < 0.6 * (1 - 1 / n_classes)
        assert candidate.n_params > 0 and candidate.steps > 0


@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_it_learns_numbers(kind: str) -> None:
    """In the label's unit, whatever that is, with an error far below that of the mean."""
    sample = heights()
    data = sample.data
    x_test = sample.scaled(data.x_test)
    made = sample.cell()
    for candidate in tried(kind, sample):
        found = candidate.predict(x_test)
        assert found.shape == (len(x_test),) and found.dtype == np.float64
        again = candidate.predict(made.x_validation)
        np.testing.assert_allclose(candidate.validation, again, rtol=1e-5)
        assert rmse(found, data.truth) < 0.8 * data.chance
        assert candidate.n_params > 0 and candidate.steps > 0


@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_the_unit_of_the_label_does_not_matter(kind: str) -> None:
    """Millimetres above another zero: the same predictions, in millimetres above it."""
    metres = heights()
    millimetres = heights(y_pool=1000 * metres.data.y_pool - 10**6)
    x_test = metres.scaled(metres.data.x_test)
    for one, other in zip(tried(kind, metres), tried(kind, millimetres), strict=True):
        np.testing.assert_allclose(
            1000 * one.predict(x_test) - 10**6, other.predict(x_test), rtol=2e-3, atol=500
        )


WEIGHTS = np.random.default_rng(5).choice([1e-4, 1.0], 400)


@pytest.mark.parametrize("kind", sorted(GRIDS))
def test_rows_of_hardly_any_weight_have_hardly_any_say(kind: str) -> None:
    """Labels that are nonsense where the weight is tiny: much less harm than without weights."""
    sample = heights() if kind in OF_NUMBERS else sample_of(300)
    data = sample.data
    spoiled = np.where(WEIGHTS < 1, data.y_pool[::-1], data.y_pool).astype(data.y_pool.dtype)
    errors = {}
    for name, weights in (("plain", None), ("weighted", WEIGHTS)):
        other = dataclasses.replace(data, y_pool=spoiled, weights_pool=weights)
        spoilt = dataclasses.replace(sample, data=other)
        best = training.choose(iter(tried(kind, spoilt)), spoilt.cell())
        errors[name] = training.tuning_loss(best.predict(spoilt.scaled(data.x_test)), data.truth)
    assert errors["weighted"] < 0.9 * errors["plain"]


@pytest.mark.parametrize("kind", sorted(GRIDS))
def test_the_size_of_all_weights_does_not_matter(kind: str) -> None:
    """Only how they compare: ten times as much for each changes nothing."""
    sample = heights() if kind in OF_NUMBERS else sample_of(300)
    x_test = sample.scaled(sample.data.x_test)
    found = []
    for factor in (1.0, 8.0):
        weighted = dataclasses.replace(sample.data, weights_pool=factor * (0.5 + WEIGHTS))
        same = dataclasses.replace(sample, data=weighted)
        found.append([candidate.predict(x_test) for candidate in tried(kind, same)])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("numbers", [False, True])
@pytest.mark.parametrize("kind", sorted(GRIDS))
def test_rows_outside_the_cell_have_no_say(kind: str, numbers: bool) -> None:
    """Other features and labels in the rest of the pool and in the test set: the same fit."""
    if kind not in (OF_NUMBERS if numbers else OF_CLASSES):
        pytest.skip("it is not made for these labels")
    sample = heights(200) if numbers else sample_of(200)
    data = sample.data
    others = np.setdiff1d(np.arange(400), [*sample.train, *sample.validation])
    x, y = data.x_pool.copy(), data.y_pool.copy()
    x[others], y[others] = 7, y[others][::-1]
    elsewhere = dataclasses.replace(data, x_pool=x, y_pool=y, y_test=data.y_test[::-1].copy())
    changed = dataclasses.replace(sample, data=elsewhere)
    for one, other in zip(tried(kind, sample), tried(kind, changed), strict=True):
        assert one.settings == other.settings
        np.testing.assert_array_equal(
            one.predict(sample.scaled(data.x_test)), other.predict(changed.scaled(data.x_test))
        )


def chance(leaky: bool) -> Sample:
    """10,000 categories, and labels that have nothing to do with them.

    Args:
        leaky: Whether one feature is the mean label of a row's category in the whole pool.
    """
    random = np.random.default_rng(0)
    categories, labels = random.integers(0, 10_000, 3000), random.integers(0, 2, 3000)
    x = np.zeros((3000, 257), dtype=np.float32)
    x[np.arange(3000), categories % 256] = 1  # hashed, as categories are told without labels
    if leaky:
        sums, sizes = (np.bincount(categories, w, minlength=10_000) for w in (labels, None))
        x[:, 256] = (sums / np.maximum(sizes, 1))[categories]
    data = dataclasses.replace(
        blobs(2), x_pool=x[:2000], y_pool=labels[:2000], x_test=x[2000:], y_test=labels[2000:],
        levels=None, scaling="each", kinds=np.array([1] * 256 + [0], dtype=np.int8),
    )  # fmt: skip
    train, held_out = training.split(training.subset(data, 0, 2000, 0), TRAINING)
    return Sample(data, 2000, 0, train, held_out, 0)


@pytest.mark.parametrize("kind", ["logistic_regression", "gradient_boosting", "mlp"])
def test_a_category_is_no_way_to_its_label(kind: str) -> None:
    """Where labels are chance, so is the error: no step of the preparation looks at labels.

    That a category's mean label would be noticed, is shown by a feature that is just this.
    """
    honest, leaky = chance(leaky=False), chance(leaky=True)
    for candidate in tried(kind, honest):
        test = candidate.predict(honest.scaled(honest.data.x_test))
        for found, truth in ((candidate.validation, honest.truth), (test, honest.data.truth)):
            assert abs(error_rate(found, truth) - 0.5) < 4 * 0.5 / np.sqrt(len(found))
    for candidate in tried(kind, leaky):
        assert error_rate(candidate.validation, leaky.truth) < 0.3


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

    for kind in GRIDS:
        data = hills() if kind == "ridge" else blobs()
        table = trained_curve(
            curve(kind, [30, 240]), data, learners.load(kind), CellStore(tmp_path)
        )
        errors = table.groupby("m")["test_error"].mean()
        assert errors[240] < errors[30] + 0.02
