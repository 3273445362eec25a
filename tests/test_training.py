"""What is the same for all learners: subsets, validation, scaling, choice and test error."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small import TRAINING, blobs, curve

from takeoff import learners, training
from takeoff.errors import TakeoffError
from takeoff.store import CellStore

DATA = blobs()


def test_subsets_are_nested_in_m_and_differ_between_repeats() -> None:
    """Within a repeat a smaller m is the start of a larger; another repeat is another order."""
    small, large = (training.subset(DATA, 1, m, 0) for m in (50, 200))
    np.testing.assert_array_equal(small, large[:50])
    assert len(set(large)) == 200
    assert set(training.subset(DATA, 1, 200, 1)) != set(large)


@given(m=st.integers(10, 2000), fraction=st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.5]))
def test_validation_comes_out_of_m_and_is_nested(m: int, fraction: float) -> None:
    """The parts are disjoint, make up m, have the share asked for, and grow with m."""
    rows = np.arange(m)
    train, held_out = training.split(rows, {"validation_fraction": fraction})
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), rows)
    assert abs(len(held_out) - fraction * m) < 1
    larger, larger_held_out = training.split(np.arange(2 * m), {"validation_fraction": fraction})
    np.testing.assert_array_equal(larger_held_out[: len(held_out)], held_out)
    np.testing.assert_array_equal(larger[: len(train)], train)


def test_scaling_centres_each_feature_and_shares_one_scale() -> None:
    """After scaling the mean variance is one, and ratios between features are kept."""
    rows = np.arange(0, 400, 3)
    center, scale = training.scaling(DATA, rows)
    x = DATA.features(DATA.x_pool[rows])
    scaled = (x - center) / scale
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-5)
    assert scaled.var(axis=0).mean() == pytest.approx(1, rel=1e-4)
    sample = training.Sample(DATA, 400, 0, rows, rows, 0)
    np.testing.assert_allclose(sample.cell().x_train, scaled, rtol=1e-6)
    assert training.scaling(DATA, rows[:1])[1] == 1.0, "constant features stay finite"


def test_scaling_reads_rows_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory is bounded, the result the same."""
    rows = np.arange(400)
    whole = training.scaling(DATA, rows)
    monkeypatch.setattr(training, "ROWS_AT_ONCE", 7)
    portions = training.scaling(DATA, rows)
    np.testing.assert_allclose(whole[0], portions[0], rtol=1e-6)
    assert whole[1] == pytest.approx(portions[1], rel=1e-6)


def test_expected_error_is_the_error_rate_for_observed_labels() -> None:
    """With 0-and-1 targets: the share of wrong decisions."""
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.5, 0.5]])
    target = training.one_hot(np.array([0, 0, 0, 1]), 2)
    assert training.expected_error(probabilities, target) == 0.5


def test_expected_error_under_a_posterior_is_what_drawn_labels_average_to() -> None:
    """The mean over many drawn label sets agrees within four standard errors."""
    random = np.random.default_rng(0)
    target = random.dirichlet([1, 1, 1], 100)
    probabilities = random.dirichlet([1, 1, 1], 100)
    drawn = np.array([
        training.expected_error(
            probabilities,
            training.one_hot((target.cumsum(1) > random.random((100, 1))).argmax(1), 3),
        )
        for _ in range(2000)
    ])  # fmt: skip
    se = drawn.std() / np.sqrt(len(drawn))
    assert abs(drawn.mean() - training.expected_error(probabilities, target)) < 4 * se


def test_the_posterior_itself_has_the_lowest_log_loss() -> None:
    """No prediction beats the truth, whose log-loss is its entropy; certainty stays finite."""
    target = np.random.default_rng(1).dirichlet([1, 1, 1], 50)
    best = training.expected_log_loss(target, target)
    other = np.random.default_rng(2).dirichlet([1, 1, 1], 50)
    assert best < training.expected_log_loss(other, target)
    assert best == pytest.approx(float(-np.mean(np.sum(target * np.log(target), axis=1))))
    assert np.isfinite(training.expected_log_loss(np.eye(3)[[0] * 50], target))


def test_a_single_class_is_refused_with_the_key_to_mend(tmp_path) -> None:
    """Names the data set's m, the repeat and the class, and what to do."""
    data = blobs(n_classes=2)
    data.y_pool[:] = 1
    settings = curve("logistic_regression", [20])
    learner = learners.load("logistic_regression")
    with pytest.raises(TakeoffError, match=r"datasets\.blobs\.m: m = 20 .*(.|\n)*drop m = 20"):
        training.train_curve(settings, data, learner, CellStore(tmp_path))


@pytest.mark.parametrize("posterior", [False, True])
def test_a_curve_has_a_row_per_cell(tmp_path, posterior: bool) -> None:
    """Every (m, repeat) once, in order, with everything that the paper needs."""
    data = blobs(posterior=posterior)
    settings = curve("logistic_regression", [40, 80, 160], repeats=3)
    learner = learners.load("logistic_regression")
    table = training.train_curve(settings, data, learner, CellStore(tmp_path))
    cells = list(itertools.product([40, 80, 160], range(3)))
    assert list(zip(table["m"], table["repeat"], strict=True)) == cells
    assert (table["n_train"] + table["n_validation"] == table["m"]).all()
    assert table["test_error"].between(0, 1).all()
    assert table.notna().all(axis=None)
    assert {json.loads(chosen)["C"] for chosen in table["settings"]} <= {0.01, 1.0}
    if posterior:
        assert table["test_error"].min() >= data.floors["error_rate"]


@pytest.mark.parametrize("kind", ["logistic_regression", "mlp"])
def test_only_missing_cells_are_trained(
    tmp_path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Adding one m trains that one; a label-free rerun trains nothing and gives the same table."""
    learner, store = learners.load(kind), CellStore(tmp_path)
    first = training.train_curve(curve(kind, [40, 80]), DATA, learner, store)
    trained = []
    real = training.Ledger.finish

    def finish(ledger, sample, *found) -> None:
        trained.append((sample.m, sample.repeat))
        real(ledger, sample, *found)

    monkeypatch.setattr(training.Ledger, "finish", finish)
    more = training.train_curve(curve(kind, [40, 80, 160]), DATA, learner, store)
    assert sorted(trained) == [(160, 0), (160, 1)]
    pd.testing.assert_frame_equal(more[:4], first)


def test_cells_depend_on_their_identity_alone(tmp_path) -> None:
    """A cell trained alone equals the same cell trained as part of a longer curve."""
    learner = learners.load("mlp")
    alone = training.train_curve(curve("mlp", [80], 1), DATA, learner, CellStore(tmp_path / "a"))
    among = training.train_curve(
        curve("mlp", [40, 80], 2), DATA, learner, CellStore(tmp_path / "b")
    )
    same = among[(among["m"] == 80) & (among["repeat"] == 0)].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.drop(columns="seconds"), same.drop(columns="seconds"))


def test_seeds_follow_identity() -> None:
    """Equal identities give equal seeds; any difference another one."""
    seeds = {training.seed_of(1, "spam", "svm", m, r) for m in (10, 20) for r in range(5)}
    assert len(seeds) == 10
    assert training.seed_of(1, "spam") == training.seed_of(1, "spam")
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_settings_used_here_are_those_of_the_study() -> None:
    """The quick settings have the very keys that a study hands to a curve."""
    from takeoff.study import TrainingSettings

    assert set(TRAINING) == set(TrainingSettings.model_fields)
