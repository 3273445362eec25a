"""Spambase: from its file to a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from takeoff.datasets import spambase
from takeoff.errors import TakeoffError
from takeoff.files import sha256
from takeoff.places import download_folder


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with a stand-in of 60 e-mails, the first 20 of them spam; feature 0 counts rows."""
    rows = np.random.default_rng(0).integers(0, 9, (60, 58)).astype(float)
    rows[:, 0] = np.arange(60)
    rows[:, -1] = np.arange(60) < 20
    folder = tmp_path / spambase.NAME
    folder.mkdir()
    np.savetxt(folder / spambase.FILE, rows, delimiter=", ")
    monkeypatch.setattr(spambase, "CHECKSUMS", {spambase.FILE: sha256(folder / spambase.FILE)})
    monkeypatch.setattr(spambase, "ROWS", 60)
    return tmp_path


def test_rows_are_mixed_and_none_is_in_both_parts(small: Path) -> None:
    """The seed orders them; a larger pool holds the smaller one, with one test set."""
    data = spambase.prepare(1, 30, 20, small)
    assert data.x_pool.shape == (30, 57) and data.left_out == {"more than are asked for": 10}
    assert ((data.x_pool[:, 0] < 20) == (data.y_pool == 1)).all()
    assert not set(data.x_pool[:, 0]) & set(data.x_test[:, 0])
    assert 0 < data.y_test.sum() < 20
    larger = spambase.prepare(1, 40, 20, small)
    assert (larger.x_test == data.x_test).all() and (larger.x_pool[:30] == data.x_pool).all()
    assert (spambase.prepare(2, 30, 20, small).x_pool != data.x_pool).any()


def test_more_rows_than_exist_are_refused(small: Path) -> None:
    """Before anything is read."""
    with pytest.raises(TakeoffError, match="there are 40"):
        spambase.prepare(1, 41, 20, small)


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file without numbers is named."""
    (tmp_path / "other").write_text("no,numbers")
    with pytest.raises(TakeoffError, match="other: can't be read as numbers"):
        spambase.read(tmp_path / "other")


def test_the_real_file_is_what_it_should_be() -> None:
    """If it is in the cache: its rows, its share of spam, and the mean of a known feature."""
    path = download_folder() / spambase.NAME / spambase.FILE
    if not path.exists():
        pytest.skip(f"{path} is not there; a study of spambase fetches it")
    x, y = spambase.read(path)
    assert x.shape == (spambase.ROWS, spambase.FEATURES) and y.sum() == 1812
    assert x[:, 15].mean() == pytest.approx(0.249, abs=0.002), "'free', in per cent of the words"
