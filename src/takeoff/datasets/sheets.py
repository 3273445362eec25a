"""What is known of the data sets of a study once they are prepared: their sheets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from takeoff.files import read_json


def read_sheets(results: Path, names: Sequence[str]) -> dict[str, Any]:
    """The sheets (see `takeoff.datasets.base.Dataset.sheet`) of data sets, by name.

    Args:
        results: Folder of the study's results.
        names: Of the data sets.

    Raises:
        TakeoffError: A sheet is missing or damaged.
    """
    return {name: read_json(results / f"data/{name}.json") for name in names}
