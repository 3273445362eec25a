"""Runs are read back only when they are whole."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from takeoff.cli import main
from takeoff.errors import TakeoffError
from takeoff.files import canonical_json, write_csv
from takeoff.runs import read_runs

DESIGN = [{"dataset": "spam", "learner": "svm", "m": [100, 200], "repeats": 3}]


def table() -> pd.DataFrame:
    cells = list(product(["spam"], ["svm"], [100, 200], range(3)))
    frame = pd.DataFrame(cells, columns=["dataset", "learner", "m", "repeat"])
    return frame.assign(test_error=0.2, log_loss=0.5, seconds=1.0, settings='{"C":1.0}')


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "svm.csv"
    write_csv(path, table())
    return path


def test_a_whole_table_is_read_in_the_order_of_the_design(file: Path) -> None:
    """Rows in any order come back ordered by m and repeat."""
    write_csv(file, table().sample(frac=1, random_state=1))
    read = read_runs([file], DESIGN)
    pd.testing.assert_frame_equal(read[table().columns], table())


@pytest.mark.parametrize("keep", [0.3, 0.5, 0.8, 0.99])
def test_a_table_cut_off_anywhere_is_refused(file: Path, keep: float) -> None:
    """Names the file and how to mend it, wherever the cut is."""
    text = file.read_text()
    file.write_text(text[: int(keep * len(text))])
    with pytest.raises(TakeoffError, match=r"svm\.csv(.|\n)*run snakemake again"):
        read_runs([file], DESIGN)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t[:-1],
        lambda t: pd.concat([t, t[:1]]),
        lambda t: pd.concat([t, t[:1].assign(m=400)]),
        lambda t: t.drop(columns="seconds"),
        lambda t: t.assign(test_error=[None, *t["test_error"][1:]]),
        lambda t: t.assign(learner="other"),
    ],
    ids=["missing", "twice", "unasked", "no column", "no value", "another learner"],
)
def test_what_is_not_the_design_is_refused(file: Path, spoil: Any) -> None:
    """A cell missing, doubled or unasked for never reaches a fit."""
    write_csv(file, spoil(table()))
    with pytest.raises(TakeoffError, match=r"svm\.csv: (holds|has)"):
        read_runs([file], DESIGN)


def test_the_command_says_so_and_fails(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On the command line: one message without a traceback, exit code 1, nothing written."""
    file.write_text(file.read_text()[:60])
    settings = {"design": DESIGN, "level": 0.95, "bootstrap": 100, "seed": 1}
    out = tmp_path / "fits"
    code = main(["fit-curves", "--settings", canonical_json(settings),
                 "--runs", str(file), "--results", str(tmp_path), "--out", str(out)])  # fmt: skip
    message = capsys.readouterr().err
    assert code == 1
    assert message.startswith("takeoff: error: ") and "svm.csv" in message
    assert "Traceback" not in message
    assert not out.exists()
