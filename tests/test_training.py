"""What is the same for all learners: subsets, validation, scaling, choice and test error."""

from __future__ import annotations

import dataclasses
import itertools
import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small import OF_NUMBERS, TRAINING, blobs, curve, hills, trained_curve

from takeoff import learners, training
from takeoff.errors import TakeoffError
from takeoff.metrics import NAMES
from takeoff.networks.rows import Labels, Rows
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


def grouped(sizes: list[int], seed: int = 0) -> np.ndarray:
    """Group numbers of rows, group by group."""
    names = np.random.default_rng(seed).permutation(10 * len(sizes))[: len(sizes)]
    return np.repeat(names, sizes)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=2, max_size=200),
    fraction=st.sampled_from([0.1, 0.2, 0.5, 0.8]),
    in_time=st.booleans(),
)
def test_no_group_is_in_both_parts(sizes: list[int], fraction: float, in_time: bool) -> None:
    """Neither part is empty, and the held-out share is right to within a group."""
    groups = grouped(sizes)
    rows = np.random.default_rng(1).permutation(3 * len(groups))[: len(groups)]
    parts = training.split(rows, {"validation_fraction": fraction}, groups, in_time)
    train, held_out = (set(part.tolist()) for part in parts)
    assert train and held_out and not train & held_out and train | held_out == set(rows.tolist())
    of = dict(zip(rows.tolist(), groups.tolist(), strict=True))
    assert not {of[row] for row in train} & {of[row] for row in held_out}
    assert abs(len(held_out) - fraction * len(rows)) <= max(sizes)


@given(sizes=st.lists(st.integers(1, 9), min_size=20, max_size=99))
def test_held_out_groups_are_nested_in_m(sizes: list[int]) -> None:
    """What is decided of a whole group does not depend on the groups behind it."""
    groups = grouped(sizes)
    fewer = sum(sizes[:-5])
    rows, how = np.arange(len(groups)), {"validation_fraction": 0.2}
    small, large = (training.split(rows[:m], how, groups[:m])[1] for m in (fewer, len(rows)))
    np.testing.assert_array_equal(small, large[large < fewer])


@given(m=st.integers(10, 300), fraction=st.sampled_from([0.1, 0.2, 0.5]))
def test_in_order_of_time_the_latest_rows_are_held_out(m: int, fraction: float) -> None:
    """As many as otherwise; all of them later than every training row."""
    rows, how = np.random.default_rng(m).permutation(10 * m)[:m], {"validation_fraction": fraction}
    train, held_out = training.split(rows, how, time_ordered=True)
    assert len(held_out) == len(training.split(rows, how)[1])
    assert train.max() < held_out.min() and len(train) + len(held_out) == m


def test_subsets_are_made_of_whole_groups() -> None:
    """All but the last group are whole; a smaller m is the start of a larger one."""
    groups = np.random.default_rng(0).permutation(grouped([7] * 40 + [1] * 120))
    data = dataclasses.replace(DATA, groups_pool=groups)
    small, large = (training.subset(data, 1, m, 0) for m in (50, 200))
    np.testing.assert_array_equal(small, large[:50])
    assert len(set(large)) == 200
    order = list(dict.fromkeys(groups[large]))
    for group in order[:-1]:
        assert (groups[large] == group).sum() == (groups == group).sum()
    assert order != sorted(order) and set(groups[training.subset(data, 1, 50, 1)]) != set(order)


def test_groups_and_times_of_the_data_set_reach_its_cells() -> None:
    """No group of a cell is in both parts, and in order of time training rows come first."""
    groups = np.random.default_rng(0).integers(0, 60, 400)
    settings, keys = curve("ridge", [40, 160]), [(40, 0), (160, 0), (160, 1)]
    for sample in training._samples(settings, hills(groups_pool=groups), keys):
        assert not set(groups[sample.train]) & set(groups[sample.validation])
        assert len(sample.train) + len(sample.validation) == sample.m
    for sample in training._samples(settings, hills(time_ordered=True), keys):
        assert sample.train.max() < sample.validation.min()


def test_no_step_copies_the_pool(tmp_path) -> None:
    """A pool of 38 MB in a file: scaling, cells and predictions of 200 rows stay far below it."""
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(200_000, 48))
    x[:] = np.random.default_rng(0).normal(size=(len(x), 1))
    y = np.arange(200_000, dtype=np.float64)
    data = hills(x_pool=x, y_pool=y, kinds=None, x_test=x[:100], y_test=y[:100])
    tracemalloc.start()
    try:
        (sample,) = training._samples(curve("ridge", [200], 1), data, [(200, 0)])
        sample.cell()
        sample.predicted(lambda found: found[:, 0], data.x_test)
        assert tracemalloc.get_traced_memory()[1] < x.nbytes / 5
    finally:
        tracemalloc.stop()
    assert Rows(x, None, torch.device("cpu")).stored.data_ptr() == x.ctypes.data
    assert Labels(y, None, torch.device("cpu")).labels.data_ptr() == y.ctypes.data


def test_a_single_group_is_refused(tmp_path) -> None:
    """There is none to hold out."""
    groups = np.repeat([0, 1], [390, 10]).astype(np.int64)
    data = dataclasses.replace(DATA, groups_pool=groups)
    learner = learners.load("logistic_regression")
    with pytest.raises(TakeoffError, match="a single group"):
        trained_curve(curve("logistic_regression", [10], 9), data, learner, CellStore(tmp_path))


@pytest.mark.parametrize("kind", OF_NUMBERS)
def test_labels_that_are_all_equal_are_refused(tmp_path, kind: str) -> None:
    """Of numbers as of classes; the number itself is not told."""
    data = hills(y_pool=np.full(400, 512.25))
    with pytest.raises(TakeoffError, match=r"datasets\.hills\.m: m = 20 .*all equal") as told:
        trained_curve(curve(kind, [20]), data, learners.load(kind), CellStore(tmp_path))
    assert "512" not in str(told.value)


def test_a_validation_part_without_rows_is_refused(tmp_path) -> None:
    """Nothing could be chosen."""
    settings = curve("ridge", [20]) | {"training": {"validation_fraction": 0.01}}
    with pytest.raises(TakeoffError, match="the validation part of repeat 0 no row"):
        trained_curve(settings, hills(), learners.load("ridge"), CellStore(tmp_path))


MEASURES_OF = {
    "error_rate": {"error_rate", "balanced_error", "log_loss", "auc"},
    "balanced_error": {"error_rate", "balanced_error", "log_loss", "auc"},
    "log_loss": {"error_rate", "balanced_error", "log_loss", "auc"},
    "rmse": {"rmse", "mae"},
}


@pytest.mark.parametrize("metric", MEASURES_OF)
def test_a_row_holds_the_metric_and_all_that_applies(tmp_path, metric: str) -> None:
    """One set of columns for all data sets; what does not apply is empty."""
    classes = dataclasses.replace(blobs(n_classes=2), metric=metric) if metric != "rmse" else None
    kind = "gradient_boosting"
    table = trained_curve(
        curve(kind, [60]), classes or hills(), learners.load(kind), CellStore(tmp_path)
    )
    assert set(table.columns[table.notna().all()]) >= MEASURES_OF[metric] | {"test_se"}
    assert table[[name for name in NAMES if name not in MEASURES_OF[metric]]].isna().all(axis=None)
    pd.testing.assert_series_equal(table["test_error"], table[metric], check_names=False)
    assert (table["test_se"] > 0).all() and (table["test_se"] <= table["test_error"]).all()
    if metric in ("log_loss", "rmse"):
        np.testing.assert_allclose(table["validation_loss"], table["validation_error"])
    again = trained_curve(
        curve(kind, [60]), classes or hills(), learners.load(kind), CellStore(tmp_path)
    )
    pd.testing.assert_frame_equal(again, table)


def test_a_chosen_setting_has_the_lowest_rmse(tmp_path) -> None:
    """Among the candidates on the same validation rows."""
    data, settings = hills(), curve("ridge", [60], 1)
    row = trained_curve(settings, data, learners.load("ridge"), CellStore(tmp_path)).iloc[0]
    (sample,) = training._samples(settings, data, [(60, 0)])
    tried = list(learners.load("ridge").candidates(sample.cell(), settings["fit"], TRAINING))
    losses = [np.sqrt(np.mean((c.validation - sample.truth.values) ** 2)) for c in tried]
    assert row["validation_loss"] == pytest.approx(min(losses)) and losses[0] != losses[1]
    assert json.loads(row["settings"]) == tried[int(np.argmin(losses))].settings


def test_a_learner_may_see_the_hand_made_features(tmp_path) -> None:
    """It learns from those alone, and its cells are told from those on raw features."""
    raw = hills(x_pool=np.zeros((400, 2), np.float32), x_test=np.zeros((200, 2), np.float32),
                kinds=None)  # fmt: skip
    made = hills()
    data = dataclasses.replace(raw, hand_pool=made.x_pool, hand_test=made.x_test)
    store, learner = CellStore(tmp_path), learners.load("ridge")
    plain = curve("ridge", [200])
    hand = plain | {"fit": plain["fit"] | {"features": "hand_made"}}
    blind, seeing = (trained_curve(which, data, learner, store) for which in (plain, hand))
    assert (seeing["test_error"] < 0.9 * blind["test_error"]).all()
    assert store.get(training.cell_meaning(hand, data.digest, 200, 0)) is not None
    with pytest.raises(TakeoffError, match="no hand-made features"):
        trained_curve(hand, made, learner, store)


def test_test_rows_are_predicted_a_portion_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers, and never more rows at once than a portion."""
    (sample,) = training._samples(curve("ridge", [60], 1), hills(), [(60, 0)])
    seen = []

    def predict(x: np.ndarray) -> np.ndarray:
        seen.append(len(x))
        return x.sum(axis=1)

    whole = sample.predicted(predict, sample.data.x_test)
    monkeypatch.setattr(training, "PREDICTED_AT_ONCE", 7)
    np.testing.assert_array_equal(sample.predicted(predict, sample.data.x_test), whole)
    assert seen[0] == 200 and max(seen[1:]) == 7


def test_a_single_class_is_refused_with_the_key_to_mend(tmp_path) -> None:
    """Names the data set's m, the repeat and the class, and what to do."""
    data = blobs(n_classes=2)
    data.y_pool[:] = 1
    settings = curve("logistic_regression", [20])
    learner = learners.load("logistic_regression")
    with pytest.raises(TakeoffError, match=r"datasets\.blobs\.m: m = 20 .*(.|\n)*drop m = 20"):
        trained_curve(settings, data, learner, CellStore(tmp_path))


@pytest.mark.parametrize("posterior", [False, True])
def test_a_curve_has_a_row_per_cell(tmp_path, posterior: bool) -> None:
    """Every (m, repeat) once, in order, with everything that the paper needs."""
    data = blobs(posterior=posterior)
    settings = curve("logistic_regression", [40, 80, 160], repeats=3)
    learner = learners.load("logistic_regression")
    table = trained_curve(settings, data, learner, CellStore(tmp_path))
    cells = list(itertools.product([40, 80, 160], range(3)))
    assert list(zip(table["m"], table["repeat"], strict=True)) == cells
    assert (table["n_train"] + table["n_validation"] == table["m"]).all()
    assert table["test_error"].between(0, 1).all()
    assert table.drop(columns=["auc", "rmse", "mae"]).notna().all(axis=None)
    assert {json.loads(chosen)["C"] for chosen in table["settings"]} <= {0.01, 1.0}
    if posterior:
        assert table["test_error"].min() >= data.floors["error_rate"]


@pytest.mark.parametrize("kind", ["logistic_regression", "mlp"])
def test_only_missing_cells_are_trained(
    tmp_path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Adding one m trains that one; a label-free rerun trains nothing and gives the same table."""
    learner, store = learners.load(kind), CellStore(tmp_path)
    first = trained_curve(curve(kind, [40, 80]), DATA, learner, store)
    trained = []
    real = training.Ledger.finish

    def finish(ledger, sample, *found) -> None:
        trained.append((sample.m, sample.repeat))
        real(ledger, sample, *found)

    monkeypatch.setattr(training.Ledger, "finish", finish)
    more = trained_curve(curve(kind, [40, 80, 160]), DATA, learner, store)
    assert sorted(trained) == [(160, 0), (160, 1)]
    pd.testing.assert_frame_equal(more[:4], first)


def test_cells_depend_on_their_identity_alone(tmp_path) -> None:
    """A cell trained alone equals the same cell trained as part of a longer curve."""
    learner = learners.load("mlp")
    alone = trained_curve(curve("mlp", [80], 1), DATA, learner, CellStore(tmp_path / "a"))
    among = trained_curve(curve("mlp", [40, 80], 2), DATA, learner, CellStore(tmp_path / "b"))
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
    from takeoff.settings import TrainingSettings

    assert set(TRAINING) == set(TrainingSettings.model_fields)
