"""The runs: one table per learning curve, a row per cell, read back only when it is whole."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from takeoff.errors import TakeoffError
from takeoff.files import read_csv

CELL = ["dataset", "learner", "m", "repeat"]
MEASURED = ["test_error", "seconds"]  # which no cell lacks


def read_runs(files: Sequence[Path | str], design: list[dict[str, Any]]) -> pd.DataFrame:
    """Read the tables of all curves and check them against the study's design.

    Args:
        files: One CSV per learning curve, in the order of `design`.
        design: `Study.design`: the cells that must be there.

    Returns:
        All rows, ordered by data set, learner (both as in the design), m and repeat.

    Raises:
        TakeoffError: A table is unreadable, lacks cells, or holds cells twice or unasked for.
    """
    return pd.concat(
        [_read_curve(file, curve) for file, curve in zip(files, design, strict=True)],
        ignore_index=True,
    )


def _read_curve(file: Path | str, curve: dict[str, Any]) -> pd.DataFrame:
    if curve.get("given"):
        return _read_given(file, curve)
    table = read_csv(file)
    lacking = [name for name in CELL + MEASURED if name not in table]
    if lacking:
        raise _not_whole(file, f"has no column {', '.join(lacking)}")
    expected = pd.MultiIndex.from_product(
        [[curve["dataset"]], [curve["learner"]], curve["m"], range(curve["repeats"])], names=CELL
    )
    found = pd.MultiIndex.from_frame(table[CELL])
    if len(found) != len(expected) or not expected.isin(found).all():
        here = int(expected.isin(found).sum())
        raise _not_whole(file, f"holds {here} of {len(expected)} cells, in {len(found)} rows")
    if table[MEASURED].isna().any(axis=None):
        raise _not_whole(file, f"has an empty value in {', '.join(MEASURED)}")
    return table.set_index(CELL).loc[expected].reset_index()


def _read_given(file: Path | str, curve: dict[str, Any]) -> pd.DataFrame:
    """A curve that came with a table: it may lack repeats, and has nothing but its errors."""
    table = read_csv(file)
    lacking = [name for name in [*CELL, "test_error"] if name not in table]
    if lacking:
        raise _not_whole(file, f"has no column {', '.join(lacking)}")
    names = [curve["dataset"], curve["learner"]]
    if not (table[["dataset", "learner"]] == names).all(axis=None):
        raise _not_whole(file, f"is not the curve of {names[1]} on {names[0]}")
    if len(table) != curve["rows"] or table["test_error"].isna().any():
        raise _not_whole(file, f"holds {len(table)} of {curve['rows']} rows of the table")
    return table.assign(**dict.fromkeys(("log_loss", "seconds"), float("nan")))


def _not_whole(file: Path | str, problem: str) -> TakeoffError:
    return TakeoffError(
        problem,
        where=str(file),
        remedy=f"delete it and run snakemake again: rm '{file}'; finished cells are kept",
    )
