"""One's own data: what becomes a feature, which rows are where, and what nobody gets to read."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from own_data import mixed, read, saved

from takeoff.datasets import table as module
from takeoff.datasets.base import INDICATOR, Dataset
from takeoff.datasets.noise import label_noise
from takeoff.errors import TakeoffError
from takeoff.files import canonical_json


def rows_of(data: Dataset) -> int:
    """All rows that are accounted for."""
    return len(data.y_pool) + len(data.y_test) + sum(data.left_out.values())


def test_csv_and_parquet_give_one_data_set(tmp_path: Path) -> None:
    """The same table is the same data set, down to the digest, in either format, read twice."""
    first = read(saved(tmp_path, mixed()))
    assert first.digest == read(saved(tmp_path, mixed())).digest
    assert first.digest == read(saved(tmp_path, mixed(), "table.parquet")).digest
    assert first.digest != read(saved(tmp_path, mixed()), seed=2).digest


def test_nothing_depends_on_the_size_of_the_portions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table that is read in many portions is the one that is read in one."""
    path = saved(tmp_path, mixed(), "table.parquet")
    whole = read(path)
    monkeypatch.setattr("takeoff.datasets.readers.ROWS_AT_ONCE", 7)
    monkeypatch.setattr(module, "IN_MEMORY", 0)
    pieces = read(path)
    assert pieces.digest == whole.digest
    assert isinstance(pieces.x_pool, np.memmap), "beyond a size, features are not in memory"
    pieces.save(tmp_path / "saved.npz")
    assert Dataset.load(tmp_path / "saved.npz").digest == whole.digest
    assert not list(tmp_path.glob("tmp*")), "nothing is left behind"


def test_every_row_is_used_or_counted(tmp_path: Path) -> None:
    """Rows without a label, and those beyond pool and test, are counted by reason."""
    table = mixed()
    table.loc[:9, "churned"] = None
    data = read(saved(tmp_path, table))
    assert data.left_out == {"label missing": 10, "more than are asked for": 30}
    assert rows_of(data) == len(table)


def test_columns_are_counted_not_named(tmp_path: Path) -> None:
    """The description says how many columns there are of a kind, and how many were left out."""
    table = mixed()
    table.loc[3, "amount"] = np.inf
    said = read(saved(tmp_path, table), columns={"customer": "ignore"}, pool=150, test=50)
    assert "8 columns" in said.description
    assert "1 left out by choice" in said.description
    assert "1 left out as constant" in said.description
    assert "1 cell counted as missing" in said.description


def test_the_test_set_has_the_classes_in_their_shares(tmp_path: Path) -> None:
    """A random test set is stratified."""
    table = mixed()
    data = read(saved(tmp_path, table))
    share = (table["churned"] == "yes").mean()
    assert data.classes == ("no", "yes")
    assert abs(data.y_test.mean() - share) < 1 / 40
    assert abs(data.y_pool.mean() - share) < 1 / 100


def test_no_group_is_in_both_parts(tmp_path: Path) -> None:
    """Whole groups are tested on; what is left of the last one is in neither part."""
    table = mixed()
    table["row"] = np.arange(len(table)) * 1.5
    kinds = {name: "ignore" for name in table.columns if name not in ("row", "churned", "customer")}
    data = read(saved(tmp_path, table), group="customer", columns=kinds, test=39)
    customers = [set((part[:, 0] / 1.5).round() // 4) for part in (data.x_pool, data.x_test)]
    assert not customers[0] & customers[1]
    assert len(customers[1]) == 10
    assert data.left_out["group is in the test set"] == 1
    assert data.groups_pool is not None
    same = data.groups_pool[:, None] == data.groups_pool
    of_pool = (data.x_pool[:, 0] / 1.5).round() // 4
    assert (same == (of_pool[:, None] == of_pool)).all()


@pytest.mark.parametrize("name", ["table.csv", "table.parquet"])
def test_the_latest_rows_are_the_test_set(tmp_path: Path, name: str) -> None:
    """Pool and test set are in order of time, whatever the order of the file."""
    table = mixed()
    table["row"] = np.arange(len(table)) * 1.5
    kinds = {column: "ignore" for column in table.columns if column not in ("row", "churned")}
    del kinds["since"]
    shuffled = table.sample(frac=1, random_state=0)
    if name == "table.parquet":
        shuffled["since"] = pd.to_datetime(shuffled["since"])
    data = read(saved(tmp_path, shuffled, name), time="since", columns=kinds)
    assert data.time_ordered
    assert data.x_test[:, 0].tolist() == table["row"][160:].tolist()
    assert data.x_pool[:, 0].tolist() == table["row"][40:160].tolist()


def test_a_given_test_file_is_the_test_set(tmp_path: Path) -> None:
    """Its rows are tested on, with the layout of the pool; groups in it leave the pool."""
    table = mixed()
    other = mixed()[100:140].assign(plan="never seen")
    path, test = saved(tmp_path, table), saved(tmp_path, other, "test.csv")
    data = read(path, test_path=test, group="customer")
    assert len(data.y_test) == 40 and data.left_out["group is in the test set"] == 40
    assert data.x_test.shape[1] == data.x_pool.shape[1]


def test_weights_are_read_and_bad_ones_left_out(tmp_path: Path) -> None:
    """A row whose weight is no positive number is left out."""
    table = mixed()
    table["weight"] = np.linspace(1, 2, len(table))
    table.loc[:2, "weight"] = [0.0, -1.0, np.nan]
    data = read(saved(tmp_path, table), weight="weight", pool=150)
    assert data.left_out["weight not positive"] == 3
    assert data.weights_pool is not None and data.weights_test is not None
    assert data.weights_pool.min() > 1 and data.x_pool.shape[1] == data.x_test.shape[1]


def test_the_layout_is_that_of_the_pool(tmp_path: Path) -> None:
    """A value that only test rows have is no feature, and none of the features of the others."""
    table = mixed()
    table.loc[190:, "plan"] = "later"
    data = read(saved(tmp_path, table), time="since", columns={"note": "ignore"})
    before = read(saved(tmp_path, mixed()), time="since", columns={"note": "ignore"})
    assert data.x_pool.shape == before.x_pool.shape
    assert (data.x_pool == before.x_pool)[~np.isnan(before.x_pool)].all()


def test_labels_never_reach_a_feature(tmp_path: Path) -> None:
    """Other labels, same features: with the rows' parts fixed by time, every byte is the same."""
    table = mixed()
    other = table.assign(churned=np.where(np.arange(len(table)) % 3, "yes", "no"))
    first = read(saved(tmp_path, table), time="since")
    second = read(saved(tmp_path, other), time="since")
    assert (first.y_pool != second.y_pool).any()
    assert first.x_pool.tobytes() == second.x_pool.tobytes()
    assert first.x_test.tobytes() == second.x_test.tobytes()


def test_regression_is_judged_by_rmse(tmp_path: Path) -> None:
    """Numbers to predict have no classes; rows without one are left out."""
    data = read(saved(tmp_path, mixed()), label="amount", task="regression", unit="EUR")
    assert data.is_regression and data.metric == "rmse" and data.unit == "EUR"
    assert data.left_out["label missing"] == 40
    assert np.std(data.y_pool) == pytest.approx(1.0, abs=0.2)


def test_a_rare_class_makes_the_error_balanced() -> None:
    """Below a fifth of an equal share; the config may overrule it."""
    assert module.default_metric(np.repeat([0, 1], [91, 9]), 2) == "balanced_error"
    assert module.default_metric(np.repeat([0, 1], [90, 10]), 2) == "error_rate"
    assert module.default_metric(np.repeat(np.arange(20), 5), 20) == "error_rate"


def test_classes_can_have_other_names(tmp_path: Path) -> None:
    """What the config calls them is all that readers see; values it forgets are an error."""
    path = saved(tmp_path, mixed().assign(churned=lambda t: (t["churned"] == "yes").astype(int)))
    data = read(path, classes={0: "stays", 1: "leaves"})
    assert data.classes == ("stays", "leaves")
    with pytest.raises(TakeoffError, match="no name for 1 of the label's 2 values"):
        read(path, classes={0: "stays"})


def test_repeated_rows_with_unlike_labels_bound_the_error() -> None:
    """What the commonest label, or the mean, of equal rows gets wrong, over all rows."""
    x = np.array([[1, np.nan], [1, np.nan], [1, np.nan], [2, 0], [2, -0.0], [3, 3]], np.float32)
    assert label_noise(x, np.array([0, 1, 1, 0, 0, 1]), is_regression=False) == pytest.approx(1 / 6)
    y = np.array([0.0, 3.0, 3.0, 1.0, 1.0, 9.0])
    assert label_noise(x, y, is_regression=True) == pytest.approx(np.sqrt(6 / 6))
    assert label_noise(x[[0, 3, 5]], y[[0, 3, 5]], is_regression=True) is None
    assert label_noise(np.ones((6, 2), np.uint8), np.zeros(6, int), is_regression=False) == 0


def test_the_bound_of_the_noise_is_found(tmp_path: Path) -> None:
    """Labels that are flipped with probability 0.2, on few distinct rows, show just that."""
    random = np.random.default_rng(0)
    kind = random.integers(0, 5, 4000)
    flipped = random.random(4000) < 0.2
    table = pd.DataFrame({"kind": kind, "churned": (kind % 2 == 0) ^ flipped})
    data = read(saved(tmp_path, table), pool=3000, test=1000)
    assert data.label_noise == pytest.approx(0.2, abs=0.02)
    assert data.sheet()["label_noise"] == data.label_noise


def test_many_values_of_the_label_are_no_classes(tmp_path: Path) -> None:
    """More than a hundred are refused; for numbers, regression is suggested."""
    path = saved(tmp_path, mixed().assign(churned=np.arange(200)))
    with pytest.raises(TakeoffError, match="set task: regression"):
        read(path)
    path = saved(tmp_path, mixed().assign(churned=[f"name {i}" for i in range(200)]))
    with pytest.raises(TakeoffError, match="merge classes") as error:
        read(path)
    assert "name 1" not in str(error.value)


def test_a_class_of_one_row_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It works, and a line says on how little it rests, without the value."""
    table = mixed()
    table.loc[0, "churned"] = "SECRET"
    data = read(saved(tmp_path, table), pool=160)
    assert len(data.classes) == 3
    said = capsys.readouterr().err
    assert "1 of 3 classes have 10 rows or fewer" in said and "SECRET" not in said


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"label": "chruned"}, "did you mean 'churned'?"),
        ({"group": "custmer"}, "did you mean 'customer'?"),
        ({"columns": {"amont": "number"}}, "did you mean 'amount'?"),
        ({"label": "constant"}, "has one value in all rows"),
        ({"label": "plan", "task": "regression"}, "has no number in it"),
        ({"pool": 170}, "170 rows are asked for, but there are 160"),
        ({"label": None}, "label: is missing"),
    ],
)
def test_what_does_not_fit_the_file_is_named(
    tmp_path: Path, keys: dict[str, Any], says: str
) -> None:
    """Each mistake is one message that names the key."""
    with pytest.raises(TakeoffError) as error:
        read(saved(tmp_path, mixed()), **keys)
    assert says in str(error.value) and "config: datasets.own." in str(error.value)


SECRETS = ("SECRETVALUE", "SECRETTEXT", "SECRETSHOP")


def test_no_value_and_no_path_leaves_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Planted values of cells, and the folder, are in nothing that is written or said."""
    folder = tmp_path / "SECRETFOLDER"
    folder.mkdir()
    table = mixed()
    table["plan"] = table["plan"].replace({"pro": SECRETS[0]})
    table["note"] = table["note"] + f" {SECRETS[1]}"
    table["shop"] = [f"{SECRETS[2]}{i}" for i in range(len(table))]
    data = read(saved(folder, table), columns={"shop": "category"})
    data.save(tmp_path / "data.npz")
    with zipfile.ZipFile(tmp_path / "data.npz") as archive:
        names = [info.filename for info in archive.infolist()]
        about = archive.read("about.json").decode()
    raw = (tmp_path / "data.npz").read_bytes()
    said = capsys.readouterr()
    written = canonical_json(data.sheet()) + about + "".join(names) + said.out + said.err
    for secret in (*SECRETS, "SECRETFOLDER"):
        assert secret not in written
        assert secret.encode() not in raw


def test_messages_about_broken_files_quote_nothing(tmp_path: Path) -> None:
    """A row with a field too many is named by its number."""
    folder = tmp_path / "SECRETFOLDER"
    folder.mkdir()
    path = folder / "table.csv"
    path.write_text("a,churned\n1,yes\n2,no\nSECRETVALUE,no,3\n")
    with pytest.raises(TakeoffError) as error:
        read(path)
    assert "SECRET" not in str(error.value)
    assert "table.csv: has 3 fields in line 4 and 2 names in the header" in str(error.value)


# ------------------------------------------------------------------------------------------------
# Tables that nobody made on purpose

cells = st.one_of(
    st.none(),
    st.sampled_from([np.nan, np.inf, -np.inf, 1e300, 0, 1, -1, "NA", "", "yes", "no", "x,y", '"']),
    st.floats(width=32),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00\r"), max_size=8),
    st.dates().map(str),
)
columns = st.one_of(
    st.lists(cells, min_size=40, max_size=40),
    cells.map(lambda value: [value] * 40),
    st.permutations(range(40)),
    st.just([f"value {i}" for i in range(40)]),
)
labels = st.one_of(
    st.lists(st.sampled_from(["a", "b", None]), min_size=40, max_size=40),
    st.lists(st.sampled_from([0, 1, 2.5, None]), min_size=40, max_size=40),
    st.just(list(range(40))),
)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(columns, min_size=1, max_size=4), labels, st.data())
def test_any_table_is_read_whole_or_refused_in_words(
    tmp_path: Path, drawn: list[list[Any]], label: list[Any], data: st.DataObject
) -> None:
    """Never another error, never a value that is no number, never a row that isn't counted."""
    table = {f"c{i}": column for i, column in enumerate(drawn)} | {"churned": label}
    frame = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in table.items()})
    kinds = {
        name: data.draw(st.sampled_from(["number", "category", "boolean", "date", "text"]))
        for name in table
        if name != "churned" and data.draw(st.booleans())
    }
    task = data.draw(st.sampled_from(["classification", "regression"]))
    path = tmp_path / "table.csv"
    text = io.StringIO()
    frame.to_csv(text, index=False)
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    try:
        found = read(path, pool=12, test=10, columns=kinds, task=task)
    except TakeoffError as error:
        assert "\n  -> " in str(error)
        return
    assert rows_of(found) == 40
    assert found.kinds is not None and found.x_pool.shape[1] == len(found.kinds)
    assert not np.isinf(found.x_pool).any() and not np.isinf(found.x_test).any()
    switches = found.x_pool[:, found.kinds == INDICATOR]
    assert ((switches == 0) | (switches == 1)).all()
    json.dumps(found.sheet(), allow_nan=False)


def test_ten_thousand_categories_are_sixty_four_features(tmp_path: Path) -> None:
    """Beyond 64 values the features are buckets, one of them on in each row."""
    table = pd.DataFrame(
        {"shop": [f"shop {i % 10_000}" for i in range(20_000)], "churned": [0, 1] * 10_000}
    )
    data = read(saved(tmp_path, table), pool=10_000, test=5000, columns={"shop": "category"})
    assert data.x_pool.shape[1] == 64
    assert (data.x_pool.sum(axis=1) == 1).all()
    assert data.x_pool.sum(axis=0).min() > 50, "no bucket is empty"
