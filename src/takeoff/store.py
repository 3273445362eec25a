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
from pathlib import Path
from typing import Any

from takeoff.files import canonical_json, replacing


class CellStore:
    """Cells as small JSON files in one folder; safe for jobs that write side by side."""

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)

    def get(self, meaning: dict[str, Any]) -> dict[str, Any] | None:
        """The stored row of the cell, or None. A damaged file counts as absent, with a warning."""
        path = self._path(meaning)
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
            row = stored["row"]
            if not isinstance(row, dict) or stored["check"] != _check(row):
                raise ValueError("its checksum does not fit")
        except (OSError, ValueError, KeyError, TypeError) as error:
            print(f"warning: {path}: damaged ({error}); the cell is trained again", file=sys.stderr)
            return None
        return row

    def put(self, meaning: dict[str, Any], row: dict[str, Any]) -> None:
        """Keep the row of a finished cell (atomic; the last of two equal writers wins)."""
        with replacing(self._path(meaning)) as file:
            json.dump({"check": _check(row), "row": row, "meaning": meaning}, file)

    def unfinished(self, meaning: dict[str, Any]) -> Path:
        """Where work on something that is not finished yet may be kept; its folder exists."""
        folder = self.folder / "unfinished"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{_check(meaning)[:32]}.ckpt"

    def _path(self, meaning: dict[str, Any]) -> Path:
        key = _check(meaning)
        return self.folder / key[:2] / f"{key[:32]}.json"


def _check(value: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
