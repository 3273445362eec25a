"""The cell store gives back the right cell or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from takeoff.store import CellStore

MEANING = {"learner": "svm", "m": 100, "repeat": 0, "code": "abc"}
ROW = {"test_error": 0.1 + 0.2, "settings": "{}"}


@pytest.fixture
def store(tmp_path: Path) -> CellStore:
    return CellStore(tmp_path / "cells")


def test_a_cell_comes_back_as_it_was(store: CellStore) -> None:
    """To the last digit, and whatever the order of the keys."""
    store.put(MEANING, ROW)
    assert store.get(dict(reversed(MEANING.items()))) == ROW


@pytest.mark.parametrize("key", list(MEANING))
def test_any_other_meaning_is_another_cell(store: CellStore, key: str) -> None:
    """Each part of the meaning counts."""
    store.put(MEANING, ROW)
    assert store.get(MEANING | {key: "other"}) is None


@pytest.mark.parametrize("damage", [lambda t: t[: len(t) // 2], lambda t: t.replace("0.3", "0.2"),
                                    lambda t: "", lambda t: "[]"])  # fmt: skip
def test_a_damaged_cell_is_never_used(
    store: CellStore, damage, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cut or altered file counts as absent, with a warning that names it."""
    store.put(MEANING, ROW)
    (path,) = store.folder.rglob("*.json")
    path.write_text(damage(path.read_text()))
    assert store.get(MEANING) is None
    assert str(path) in capsys.readouterr().err
    store.put(MEANING, ROW)
    assert store.get(MEANING) == ROW
