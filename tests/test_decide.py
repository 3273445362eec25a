"""`takeoff decide`: a table in, decisions out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from takeoff.cli import main
from takeoff.errors import TakeoffError
from takeoff.statistics.decide import COLUMNS, Asked, decide_file, read_curves

M = np.round(np.geomspace(32, 4096, 15))
REAL = Path(__file__).parents[2] / "shared/data/lcdb_curves.csv.gz"


def table(repeats: int = 5) -> pd.DataFrame:
    """A learner that falls and one that is flat at 0.1; they cross at (0.9 / 0.1) ** 2 = 81."""
    rng = np.random.default_rng(0)
    truth = {"deep": 0.9 * M**-0.5, "simple": 0.1 + 0 * M}
    rows = [
        {
            "dataset": "mail",
            "learner": name,
            "m": m,
            "repeat": repeat,
            "test_error": error * (1 + 0.02 * rng.standard_normal()),
        }
        for name, curve in truth.items()
        for m, error in zip(M, curve, strict=True)
        for repeat in range(repeats)
    ]
    return pd.DataFrame(rows)


@pytest.fixture
def curves(tmp_path: Path) -> Path:
    """CURVES with repeats."""
    table().to_csv(tmp_path / "curves.csv", index=False)
    return tmp_path / "curves.csv"


def test_the_command_prints_and_writes(
    curves: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All decisions of a data set are in the text and in the table."""
    out = tmp_path / "out.csv"
    assert main(["decide", str(curves), "--target", "0.03", "0.01", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    for said in ("mail", "labels for 0.03", "labels for 0.01", "gain of 10x", "never: floor at 0.1",
                 "reached at about 9", "supported", "refuted", "crossings of 1 pairs: 1 shown",
                 "simple before", "ranking at m = 4,096 (repeats)"):  # fmt: skip
        assert said in text, said
    found = pd.read_csv(out, keep_default_na=False)
    assert list(found.columns) == COLUMNS
    counts = found["decision"].value_counts().to_dict()
    assert counts == {
        "labels_needed": 4, "gain": 6, "plateau": 2, "shape": 2, "rank": 2, "better": 1,
        "crossing": 1,
    }  # fmt: skip
    ranks = found[found["decision"] == "rank"][["learner", "value", "low", "high"]]
    assert ranks.to_numpy().tolist() == [
        ["deep", "1.0", "1.0", "1.0"],
        ["simple", "2.0", "2.0", "2.0"],
    ]
    place = found[found["decision"] == "crossing"].iloc[0]
    assert float(place["low"]) <= 81 <= float(place["high"])


def test_factors_margins_and_levels_are_heard(curves: Path) -> None:
    """A wide margin makes a falling curve flat; other factors are other columns."""
    text = decide_file(curves, Asked([0.05], [3.0], margin=0.5, level=0.8))
    assert "gain of 3x" in text and "gain of 2x" not in text
    assert "refuted" not in text and "80% intervals" in text and "less than 50%" in text


def test_parquet_and_compressed_tables_give_the_same(curves: Path, tmp_path: Path) -> None:
    """The kind of file doesn't matter."""
    text = decide_file(curves, Asked([0.05]))
    table().to_csv(tmp_path / "c.csv.gz", index=False)
    assert decide_file(tmp_path / "c.csv.gz", Asked([0.05])) == text
    pytest.importorskip("pyarrow")
    table().to_parquet(tmp_path / "c.parquet", index=False)
    assert decide_file(tmp_path / "c.parquet", Asked([0.05])) == text


def test_repeats_are_aligned_by_name(tmp_path: Path) -> None:
    """Rows in any order, and a repeat that one learner lacks."""
    rows = table()
    lacks = rows[~((rows["learner"] == "deep") & (rows["repeat"] == 2))]
    lacks.sample(frac=1, random_state=0).to_csv(tmp_path / "c.csv", index=False)
    found = read_curves(tmp_path / "c.csv")["mail"]
    deep, simple = found["deep"].repeats, found["simple"].repeats
    assert deep is not None and simple is not None and deep.shape == simple.shape == (15, 5)
    assert np.isnan(deep).sum() == 15 and not np.isnan(simple).any()


def test_learners_without_a_common_m_are_told(tmp_path: Path) -> None:
    """Decisions on single curves are still made."""
    rows = table().query("(learner == 'deep' and m < 300) or (learner == 'simple' and m > 400)")
    rows.to_csv(tmp_path / "c.csv", index=False)
    text = decide_file(tmp_path / "c.csv", Asked([0.05]))
    assert "no range of m in common" in text and "labels for 0.05" in text


def test_one_curve_with_one_point(tmp_path: Path) -> None:
    """The least that there can be still has every column."""
    table(1).head(1).drop(columns="repeat").to_csv(tmp_path / "c.csv", index=False)
    text = decide_file(tmp_path / "c.csv", Asked([0.05]))
    assert "not stated" in text and "undecided: only one m was measured" in text


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        (["--target", "-1"], "isn't an error"),
        (["--target", "0.1", "--factor", "20"], "only factors above 1 and up to 10"),
        (["--target", "0.1", "--margin", "2"], "isn't between 0 and 1"),
        (["--target", "0.1", "--level", "90"], "isn't between 0 and 1"),
        (["--target", "0.1", "--pool", "100"], "isn't larger than its subset"),
    ],
)
def test_what_cannot_be_asked(
    asked: list[str], problem: str, curves: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message says what is wrong and what to do."""
    assert main(["decide", str(curves), *asked]) == 1
    said = capsys.readouterr().err
    assert problem in said and "->" in said


def test_bad_tables_are_named(tmp_path: Path) -> None:
    """File, column and row, as for `takeoff fit`."""
    file = tmp_path / "c.csv"
    with pytest.raises(TakeoffError, match="isn't there"):
        decide_file(file, Asked([0.05]))
    table().drop(columns="test_error").to_csv(file, index=False)
    with pytest.raises(TakeoffError, match="has no column test_error"):
        decide_file(file, Asked([0.05]))
    table().assign(m=0).to_csv(file, index=False)
    with pytest.raises(TakeoffError, match=r"c\.csv, row 2: m must be positive"):
        decide_file(file, Asked([0.05]))


def test_real_curves_are_decided(tmp_path: Path) -> None:
    """28 learners with standard errors, of every shape."""
    if not REAL.exists():
        pytest.skip(f"{REAL} isn't there")
    rows = pd.read_csv(REAL)
    rows[rows["dataset"] == "openml-3"].to_csv(tmp_path / "c.csv", index=False)
    text = decide_file(tmp_path / "c.csv", Asked([0.05]), tmp_path / "out.csv")
    assert "crossings of 378 pairs" in text
    found = pd.read_csv(tmp_path / "out.csv")
    known = found[["low", "high"]].notna().all(axis=1)
    assert (found["low"] <= found["high"])[known].all()
