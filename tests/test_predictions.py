"""`takeoff fit`: tables in, tables out, and every bad table named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from takeoff.cli import main
from takeoff.errors import TakeoffError
from takeoff.statistics.predictions import (
    ADDED,
    NO_CURVE,
    predict,
    predict_file,
    read_curves,
    read_points,
)

M = np.round(np.geomspace(16, 2048, 15))


def curves(**learners: float) -> pd.DataFrame:
    """A power law with this floor for each learner."""
    tables = [
        pd.DataFrame(
            {"dataset": "mail", "learner": name, "m": M, "test_error": floor + 0.7 * M**-0.5}
        )
        for name, floor in learners.items()
    ]
    return pd.concat(tables, ignore_index=True)


POINTS = pd.DataFrame(
    {"dataset": "mail", "learner": ["b", "a", "b"], "m": [4096, 8192, 100], "why": ["x", "y", "z"]}
)


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path, Path]:
    """CURVES and POINTS as files, and where PREDICTIONS go."""
    curves(a=0.02, b=0.1).to_csv(tmp_path / "curves.csv", index=False)
    POINTS.to_csv(tmp_path / "points.csv", index=False)
    return tmp_path / "curves.csv", tmp_path / "points.csv", tmp_path / "out.csv"


def test_the_command_adds_forecasts_to_the_points(tables: tuple[Path, Path, Path]) -> None:
    """Rows, their order and their columns stay; five columns are added."""
    known, asked, out = tables
    assert main(["fit", str(known), "--predict", str(asked), "--out", str(out)]) == 0
    found = pd.read_csv(out)
    pd.testing.assert_frame_equal(found[list(POINTS)], POINTS)
    assert list(found.columns) == [*POINTS, *ADDED]
    truth = [0.1 + 0.7 * 4096**-0.5, 0.02 + 0.7 * 8192**-0.5]
    assert found["predicted"][:2].to_numpy() == pytest.approx(truth, rel=0.1)
    assert ((found["lo90"] <= found["predicted"]) & (found["predicted"] <= found["hi90"])).all()
    assert found["status"][2] == "measured range"


def test_compressed_tables_are_read_and_written(tmp_path: Path) -> None:
    """.csv.gz works on both sides."""
    curves(a=0.02).to_csv(tmp_path / "c.csv.gz", index=False)
    POINTS[1:2].to_csv(tmp_path / "p.csv", index=False)
    predict_file(tmp_path / "c.csv.gz", tmp_path / "p.csv", tmp_path / "o.csv.gz")
    assert len(pd.read_csv(tmp_path / "o.csv.gz")) == 1


def test_parquet_is_read_and_written(tmp_path: Path) -> None:
    """Where pyarrow is there, Parquet gives the same forecasts as CSV."""
    pytest.importorskip("pyarrow")
    curves(a=0.02).to_parquet(tmp_path / "c.parquet", index=False)
    POINTS[1:2].to_parquet(tmp_path / "p.parquet", index=False)
    predict_file(tmp_path / "c.parquet", tmp_path / "p.parquet", tmp_path / "o.parquet")
    found = pd.read_parquet(tmp_path / "o.parquet")
    expected = predict(curves(a=0.02).assign(stderr=np.nan), POINTS[1:2])
    assert found["predicted"].to_numpy() == pytest.approx(expected["predicted"].to_numpy())


def test_parquet_without_pyarrow_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy names the package."""
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "c.parquet").write_bytes(b"PAR1")
    with pytest.raises(TakeoffError, match="pip install pyarrow"):
        read_curves(tmp_path / "c.parquet")


def test_repeats_are_averaged(tmp_path: Path) -> None:
    """A row per repeat becomes a mean with its standard error."""
    rows = pd.concat(
        [curves(a=0.02 + shift).assign(repeat=i) for i, shift in enumerate((0.0, 0.01, 0.02))]
    )
    rows.sample(frac=1, random_state=0).to_csv(tmp_path / "c.csv", index=False)
    found = read_curves(tmp_path / "c.csv").sort_values("m")
    assert found["test_error"].to_numpy() == pytest.approx(0.03 + 0.7 * M**-0.5)
    assert found["stderr"].to_numpy() == pytest.approx(0.01 / np.sqrt(3))


def test_a_point_without_a_curve_keeps_its_row() -> None:
    """The status says that nothing is known, and nothing is predicted."""
    asked = pd.DataFrame({"dataset": "mail", "learner": ["nobody", "a"], "m": [10, 4096]})
    found = predict(curves(a=0.02).assign(stderr=np.nan), asked)
    assert found["status"][0] == NO_CURVE
    assert found["predicted"].isna().tolist() == [True, False]


def test_a_short_curve_is_predicted_by_its_last_value() -> None:
    """With two points there is still a row with an interval."""
    short = curves(a=0.02).assign(stderr=np.nan)[:2]
    found = predict(short, pd.DataFrame({"dataset": ["mail"], "learner": ["a"], "m": [999]}))
    assert found["status"][0] == "too few points; too short".removesuffix("; too short")
    assert found["predicted"][0] == pytest.approx(short["test_error"].iloc[-1])


def test_losses_of_a_data_set_share_their_kind() -> None:
    """A low loss isn't held below 1 where the data set's other curve is above."""
    both = curves(a=0.9, b=2.0).assign(stderr=np.nan)
    asked = pd.DataFrame({"dataset": "mail", "learner": ["a"], "m": [4096]})
    assert predict(both, asked)["predicted"][0] == pytest.approx(0.9 + 0.7 / 64, rel=0.03)


def test_names_that_look_like_numbers_stay_texts(tmp_path: Path) -> None:
    """A data set called 007 isn't 7."""
    curves(a=0.02).assign(dataset="007").to_csv(tmp_path / "c.csv", index=False)
    POINTS[1:2].assign(dataset="007").to_csv(tmp_path / "p.csv", index=False)
    predict_file(tmp_path / "c.csv", tmp_path / "p.csv", tmp_path / "o.csv")
    found = pd.read_csv(tmp_path / "o.csv", dtype=str)
    assert found["dataset"][0] == "007"
    assert found["status"][0] != NO_CURVE


def test_workers_change_nothing() -> None:
    """A pool of processes gives the same numbers as one."""
    many = pd.concat(
        [curves(a=0.02 + i / 1000).assign(dataset=f"d{i}", stderr=np.nan)[-6:] for i in range(310)]
    )
    asked = many.groupby("dataset").tail(1)[["dataset", "learner"]].assign(m=4096.0)
    one, two = (predict(many, asked, workers=workers) for workers in (1, 2))
    pd.testing.assert_frame_equal(one, two)


def set_cell(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """A change of the fourth row."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table = table.astype({column: object})
        table.loc[3, column] = value
        return table

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="test_error"), "no column test_error"),
        (lambda t: t[:0], "no rows"),
        (set_cell("test_error", "high"), r"row 5: test_error isn't a finite number \(high\)"),
        (set_cell("test_error", np.nan), "row 5: test_error isn't a finite number"),
        (set_cell("test_error", np.inf), "row 5: test_error isn't a finite number"),
        (set_cell("test_error", -0.1), "row 5: test_error must not be negative"),
        (set_cell("m", 0), "row 5: m must be positive"),
        (set_cell("m", np.nan), "row 5: m isn't a finite number"),
        (set_cell("learner", np.nan), "row 5: learner is empty"),
        (lambda t: t.assign(stderr=0.1, repeat=1), "both"),
        (lambda t: pd.concat([t, t[:1]]), "twice"),
        (lambda t: t.assign(stderr=-1.0), "stderr must not be negative"),
    ],
)
def test_bad_curves_are_named(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    """File, row, column and value are in the message."""
    path = tmp_path / "c.csv"
    change(curves(a=0.02)).to_csv(path, index=False)
    with pytest.raises(TakeoffError, match=message) as raised:
        read_curves(path)
    assert str(path) in str(raised.value)
    assert raised.value.remedy


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00\x01dataset", "isn't UTF-8"),
        (b"dataset,learner,m\nmail,a,12\nmail,a,12,13,14\n", "can't be read"),
        (b"dataset,learner\nmail,a\n", "no column m"),
        (b"dataset,learner,m\nmail,a,many\n", "row 2: m isn't a finite number"),
    ],
)
def test_bad_points_are_named(tmp_path: Path, content: bytes, message: str) -> None:
    """So are files that are no tables."""
    path = tmp_path / "p.csv"
    path.write_bytes(content)
    with pytest.raises(TakeoffError, match=message):
        read_points(path)


def test_folders_and_missing_files_are_named(
    tables: tuple[Path, Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback from the command line."""
    known, asked, out = tables
    for curves_path, points_path in ((known.parent, asked), (known, asked.parent / "no.csv")):
        arguments = ["fit", str(curves_path), "--predict", str(points_path), "--out", str(out)]
        assert main(arguments) == 1
    printed = capsys.readouterr().err
    assert "is a folder" in printed
    assert "isn't there" in printed


def test_a_folder_as_output_is_named(tables: tuple[Path, Path, Path]) -> None:
    """A place that can't be written is an error in words, too."""
    known, asked, out = tables
    with pytest.raises(TakeoffError, match="can't be written"):
        predict_file(known, asked, out.parent)
