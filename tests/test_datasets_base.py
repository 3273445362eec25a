"""The container of a data set: what it computes, and that a file of it is whole or refused."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from takeoff import datasets
from takeoff.datasets.base import Dataset, require_rows
from takeoff.errors import TakeoffError


def make(**changes: Any) -> Dataset:
    """A small valid data set with the given fields changed."""
    random = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "name": "toy",
        "title": "Toy",
        "description": "Random bytes",
        "task": "which byte it is",
        "source": "a generator",
        "licence": "MIT",
        "citation": "",
        "generated": True,
        "classes": ("no", "yes"),
        "x_pool": random.integers(0, 256, (8, 3), dtype=np.uint8),
        "y_pool": np.array([0, 1, 0, 0, 1, 0, 0, 0]),
        "x_test": random.integers(0, 256, (3, 3), dtype=np.uint8),
        "y_test": np.array([1, 0, 1]),
        "levels": np.arange(256, dtype=np.float32) / np.float32(255),
        "posterior_test": np.array([[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]),
    }
    return Dataset(**{**fields, **changes})


def numbers(**changes: Any) -> Dataset:
    """A small valid regression: numbers are stored, one of them missing."""
    random = np.random.default_rng(0)
    x_pool = random.normal(size=(8, 3)).astype(np.float32)
    x_pool[0, 0] = np.nan
    fields: dict[str, Any] = {
        **{"classes": (), "metric": "rmse", "levels": None, "posterior_test": None},
        **{"x_pool": x_pool, "x_test": random.normal(size=(3, 3)).astype(np.float32)},
        **{"y_pool": random.normal(size=8), "y_test": random.normal(size=3)},
        **{"weights_pool": np.ones(8), "groups_pool": np.arange(8), "scaling": "each"},
    }
    return make(**{**fields, **changes})


def fields_of(data: Dataset) -> dict[str, Any]:
    """All fields, arrays as lists, for comparison."""
    values = {field.name: getattr(data, field.name) for field in dataclasses.fields(data)}
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in values.items()}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved data set."""
    path = tmp_path_factory.mktemp("saved") / "toy.npz"
    make().save(path)
    return path


def test_loading_gives_back_what_was_saved(saved: Path) -> None:
    """Every field and every type survives the file, with and without a posterior."""
    assert fields_of(Dataset.load(saved)) == fields_of(make())
    assert Dataset.load(saved).x_pool.dtype == np.uint8
    without = saved.with_name("without.npz")
    make(posterior_test=None).save(without)
    assert Dataset.load(without).posterior_test is None
    numbers().save(without)
    for name, value in fields_of(Dataset.load(without)).items():
        np.testing.assert_equal(value, fields_of(numbers())[name])


def test_equal_data_sets_are_equal_files(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file doesn't depend on when it is written."""
    monkeypatch.setattr("time.time", lambda: 2e9)
    again = saved.with_name("again.npz")
    make().save(again)
    assert again.read_bytes() == saved.read_bytes()


@given(share=st.floats(0, 1, exclude_max=True))
@settings(max_examples=60, deadline=None)
def test_a_file_cut_off_anywhere_is_refused(saved: Path, share: float) -> None:
    """A cut-off file gives an error that names it and says what to do."""
    content = saved.read_bytes()
    cut = saved.with_name("cut.npz")
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(TakeoffError, match="damaged or cut off") as caught:
        Dataset.load(cut)
    assert caught.value.where == str(cut)
    assert "delete it" in str(caught.value.remedy)


@given(position=st.integers(0, 10**6), flip=st.integers(1, 255))
@settings(max_examples=300, deadline=None)
def test_a_changed_byte_never_changes_the_data(saved: Path, position: int, flip: int) -> None:
    """A file with a wrong byte is refused, unless the byte means nothing."""
    content = bytearray(saved.read_bytes())
    content[position % len(content)] ^= flip
    damaged = saved.with_name("damaged.npz")
    damaged.write_bytes(content)
    try:
        assert fields_of(Dataset.load(damaged)) == fields_of(make())
    except TakeoffError as error:
        assert "damaged" in error.problem


def test_a_missing_file_is_called_missing(tmp_path: Path) -> None:
    """The error doesn't advise to delete what isn't there."""
    with pytest.raises(TakeoffError, match="is missing") as caught:
        Dataset.load(tmp_path / "none.npz")
    assert "delete" not in str(caught.value.remedy)


def test_the_digest_covers_arrays_and_classes_and_nothing_else() -> None:
    """It changes with any array and any class name, not with the texts."""
    original = make()
    changed_arrays: list[dict[str, Any]] = [
        {"x_pool": original.x_pool ^ 1},
        {"y_pool": 1 - original.y_pool},
        {"x_test": original.x_test[::-1]},
        {"y_test": 1 - original.y_test},
        {"levels": original.levels * 2},
        {"posterior_test": None},
        {"x_pool": original.x_pool[:4], "y_pool": original.y_pool[:4]},
        {"classes": ("yes", "no")},
    ]
    digests = {make(**change).digest for change in changed_arrays}
    assert len(digests | {original.digest}) == len(changed_arrays) + 1
    assert make(title="Other").digest == original.digest
    assert make(x_pool=np.asfortranarray(original.x_pool)).digest == original.digest


def test_features_are_the_levels_of_the_bytes() -> None:
    """Bytes become 32-bit numbers of the same shape."""
    features = make().features(np.array([[0, 255, 51]], dtype=np.uint8))
    assert features.dtype == np.float32
    assert features == pytest.approx(np.array([[0.0, 1.0, 0.2]]))


def test_features_are_looked_up_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last portion may be shorter."""
    monkeypatch.setattr("takeoff.datasets.base.LOOKED_UP_AT_ONCE", 3)
    data, stored = make(), np.random.default_rng(0).integers(0, 256, (7, 3), dtype=np.uint8)
    np.testing.assert_array_equal(data.features(stored), data.levels[stored])


def test_the_floors_come_from_the_posterior() -> None:
    """The error is the mean of 1 - max p, the log-loss the mean entropy; 0 log 0 is 0."""
    data = make()
    entropies = [-0.25 * math.log(0.25) - 0.75 * math.log(0.75), 0.0, math.log(2)]
    assert data.floors["error_rate"] == pytest.approx((0.25 + 0.0 + 0.5) / 3)
    assert data.floors["log_loss"] == pytest.approx(sum(entropies) / 3)
    assert data.sheet()["floor"] == data.floors["error_rate"]
    unknown = make(posterior_test=None)
    assert unknown.floors == {}
    assert unknown.sheet()["floor"] is None


def test_the_floor_of_a_regression_is_its_noise() -> None:
    """Predicting the expected label leaves the label's own standard deviation."""
    mean = np.array([1.0, 2.0, 4.0])
    data = numbers(mean_test=mean, noise_sd=0.5)
    assert data.floors == {"rmse": pytest.approx(0.5)}
    assert numbers().floors == {}


def test_chance_is_the_best_constant() -> None:
    """Of classes it is to say the most frequent one of the pool; of numbers, the pool's mean."""
    labels = make(posterior_test=None)
    assert labels.chance == pytest.approx(2 / 3)  # "no" is the most frequent, and one of three
    data = numbers()
    away = data.y_test - data.y_pool.mean()
    assert data.chance == pytest.approx(np.sqrt(np.mean(away**2)))


def test_hand_made_features_replace_the_raw_ones() -> None:
    """The labels stay; the numbers are taken as they are, and each gets a scale of its own."""
    hand = np.arange(16, dtype=np.float32).reshape(8, 2), np.zeros((3, 2), np.float32)
    data = make(hand_pool=hand[0], hand_test=hand[1]).hand_made()
    assert data.features(data.x_pool).tolist() == hand[0].tolist()
    assert data.y_pool.tolist() == make().y_pool.tolist()
    assert data.scaling == "each"
    with pytest.raises(TakeoffError, match="no hand-made features"):
        make().hand_made()


def test_the_sheet_is_plain_and_counts_right() -> None:
    """It survives JSON unchanged; its numbers are those of the arrays."""
    sheet = make().sheet()
    assert json.loads(json.dumps(sheet, allow_nan=False)) == sheet
    assert (sheet["n_pool"], sheet["n_test"], sheet["n_features"], sheet["n_classes"]) == (
        8,
        3,
        3,
        2,
    )
    assert sheet["class_shares"] == [0.75, 0.25]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"x_pool": np.zeros((8, 3))}, "x_pool must be a matrix of type uint8"),
        ({"y_pool": np.zeros(7, np.int64)}, "one label of type int64 for each row"),
        ({"y_test": np.array([0, 1, 2])}, "none of the 2 classes"),
        ({"y_test": np.array([0, -1, 1])}, "none of the 2 classes"),
        ({"x_pool": np.zeros((0, 3), np.uint8), "y_pool": np.zeros(0, np.int64)}, "is empty"),
        ({"x_test": np.zeros((3, 4), np.uint8)}, "number of features"),
        ({"levels": np.zeros(255, np.float32)}, "256 values"),
        ({"levels": np.full(256, np.nan, np.float32)}, "finite"),
        ({"posterior_test": np.full((3, 3), 1 / 3)}, "a column for each class"),
        ({"posterior_test": np.full((3, 2), 0.4)}, "sum to 1"),
        ({"posterior_test": np.full((3, 2), np.nan)}, "sum to 1"),
        ({"posterior_test": np.array([[2.0, -1.0]] * 3)}, "sum to 1"),
    ],
)
def test_arrays_that_do_not_belong_together_are_refused(
    changes: dict[str, Any], problem: str
) -> None:
    """The error says which part is wrong."""
    with pytest.raises(TakeoffError, match=problem):
        make(**changes)


def test_asking_for_too_many_rows_names_the_key() -> None:
    """The error names the key of the config and the largest value that works."""
    require_rows("toy", "pool", 10, 10)
    with pytest.raises(TakeoffError, match=r"datasets\.toy\.pool") as caught:
        require_rows("toy", "pool", 11, 10)
    assert "10" in str(caught.value.remedy)


def test_the_modules_are_the_data_sets() -> None:
    """Helper modules are no data sets, and an unknown name lists the known ones."""
    assert {"fashion_mnist", "spam"} <= set(datasets.names())
    assert not {"base", "download"} & set(datasets.names())
    with pytest.raises(TakeoffError, match=r"no data set 'spma'") as caught:
        datasets.prepare("spma", seed=0, pool=10, test=10, cache=Path("unused"))
    assert "spam" in str(caught.value.remedy)


def test_a_data_set_is_prepared_by_its_name(tmp_path: Path) -> None:
    """`prepare` passes its arguments on to the data set's module."""
    data = datasets.prepare("spam", seed=1, pool=30, test=20, cache=tmp_path)
    assert (data.name, len(data.y_pool), len(data.y_test)) == ("spam", 30, 20)
