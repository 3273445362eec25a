"""The cell store: a finished cell is kept at once, under a name that is its full meaning.

A cell is one (data set, learner, m, repeat). Its key is a hash over everything that its result
depends on: its part of the config, the digest of the data, the fingerprint of the code and the
versions of the libraries. Whatever key is asked for is therefore either the right cell or not
there: a killed job loses only the cell in flight, and adding an m or a repeat trains only that.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from takeoff.files import canonical_json, replacing

KEY_DIGITS = 32  # of the hash that names a file


@dataclass(frozen=True)
class StoredCell:
    """What is in the file of a cell: its result, and everything that the result depends on."""

    row: dict[str, Any]
    meaning: dict[str, Any]


class CellStore:
    """Cells as small JSON files in one folder; safe for jobs that write side by side."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)

    def get(self, meaning: dict[str, Any]) -> dict[str, Any] | None:
        """The stored row of the cell, or None. A damaged file counts as absent, with a warning."""
        path = self.path(meaning)
        try:
            return read_cell(path).row
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            print(f"warning: {path}: damaged ({error}); the cell is trained again", file=sys.stderr)
            return None

    def put(self, meaning: dict[str, Any], row: dict[str, Any]) -> None:
        """Keep the row of a finished cell (atomic; the last of two equal writers wins)."""
        with replacing(self.path(meaning)) as file:
            json.dump({"check": _check(row), "row": row, "meaning": meaning}, file)

    def unfinished(self, meaning: dict[str, Any]) -> Path:
        """Where work on something that is not finished yet may be kept; its folder exists."""
        folder = self.folder / "unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{_check(meaning)[:KEY_DIGITS]}.ckpt"

    def path(self, meaning: dict[str, Any]) -> Path:
        """Where the cell is, or would be."""
        return self.folder.joinpath(*_name(meaning))


def read_cell(path: Path) -> StoredCell:
    """Read the file of a cell and hold it against its checksum and its name.

    Raises:
        FileNotFoundError: There is no such cell (any more).
        ValueError: The file is damaged; says how.
    """
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        row, meaning, check = stored["row"], stored["meaning"], stored["check"]
    except KeyError as error:
        raise ValueError(f"it has no {error}") from error
    except TypeError as error:
        raise ValueError("it is no cell") from error
    if not isinstance(row, dict) or check != _check(row):
        raise ValueError("its checksum does not fit")
    if not isinstance(meaning, dict) or path.parts[-2:] != _name(meaning):
        raise ValueError("its name does not fit what it is")
    return StoredCell(row, meaning)


def _name(meaning: dict[str, Any]) -> tuple[str, str]:
    key = _check(meaning)
    return key[:2], f"{key[:KEY_DIGITS]}.json"


def _check(value: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
