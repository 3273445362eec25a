"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from takeoff import files
from takeoff.errors import TakeoffError


def test_a_failure_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """What was there stays, and no temporary file is left behind."""
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.replacing(path) as file:
        file.write("new, but ")
        raise RuntimeError("killed half way")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["table.csv"]


def test_a_full_disk_is_one_clear_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC names the file and the remedy, and leaves nothing half written."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TakeoffError, match=r"table\.csv.*No space left(.|\n)*free some space"):
        files.write_json(tmp_path / "table.csv", {"a": 1})
    assert list(tmp_path.iterdir()) == []


def test_folders_are_made(tmp_path: Path) -> None:
    """The folder of a result need not exist."""
    files.write_json(tmp_path / "a/b/c.json", [1])
    assert files.read_json(tmp_path / "a/b/c.json") == [1]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, x: list[float]
) -> None:
    """A table loses no digit of a float."""
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    files.write_csv(path, pd.DataFrame({"x": x}))
    np.testing.assert_array_equal(files.read_csv(path)["x"].to_numpy(dtype=float), x)


VALUES = st.one_of(
    st.none(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["C"]), min_size=1),
)  # fmt: skip


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1))
def test_rows_are_written_as_a_table_is(
    tmp_path_factory: pytest.TempPathFactory, values: list[tuple[object, object]]
) -> None:
    """The same bytes, whatever is in them: who reads a curve need not know who wrote it."""
    folder = tmp_path_factory.mktemp("csv")
    rows = [{"m": i, "one, of two": a, "two": b} for i, (a, b) in enumerate(values)]
    files.write_rows(folder / "rows.csv", rows)
    files.write_csv(folder / "table.csv", pd.DataFrame(rows, dtype=object))
    assert (folder / "rows.csv").read_bytes() == (folder / "table.csv").read_bytes()


def test_nan_is_refused_in_json(tmp_path: Path) -> None:
    """JSON has no NaN; a missing number must be said as null."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "x.json", float("nan"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [None, "", '{"a": [1, 2'])
def test_a_missing_or_cut_json_file_is_named(tmp_path: Path, content: str | None) -> None:
    """The message names the file and says to run again."""
    path = tmp_path / "claims.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TakeoffError, match=r"claims\.json(.|\n)*run snakemake again"):
        files.read_json(path)


@pytest.mark.parametrize("content", [None, ""])
def test_a_missing_or_empty_table_is_named(tmp_path: Path, content: str | None) -> None:
    """The message names the file."""
    path = tmp_path / "curves.csv"
    if content is not None:
        path.write_text(content)
    with pytest.raises(TakeoffError, match=r"curves\.csv"):
        files.read_csv(path)
