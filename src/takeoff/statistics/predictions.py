"""Forecasts for tables: `takeoff fit CURVES --predict POINTS --out PREDICTIONS`.

CURVES has the columns dataset, learner, m, test_error, and may have stderr (standard error of
test_error) or repeat (a row per repeat; they are averaged, and their standard error is computed).
POINTS has dataset, learner and m. PREDICTIONS are the rows of POINTS, in their order and with all
their columns, and predicted, lo90, hi90, family, status. Tables are CSV (also .gz) or Parquet, by
the end of their names.

Errors lie in [0, 1]; a data set with any value above 1 is taken to hold losses.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd

from takeoff.errors import TakeoffError
from takeoff.files import replacing, write_csv
from takeoff.statistics.evidence import Kind, check
from takeoff.statistics.extrapolate import forecast_curve

LEVEL = 0.9
NAMES = ("dataset", "learner")
ADDED = ["predicted", "lo90", "hi90", "family", "status"]
NO_CURVE = "no curve of this learner on this data set"
WORTH_A_POOL = 300  # curves; starting workers takes a second or two
CHUNK = 64

Job = tuple[pd.DataFrame, Kind, np.ndarray[tuple[int], np.dtype[np.float64]], str]


def predict_file(curves: Path, points: Path, out: Path, *, workers: int | None = None) -> None:
    """Read CURVES and POINTS, and write PREDICTIONS; see the module's docstring.

    Args:
        workers: Processes; by default as many as there are cores to run on.

    Raises:
        TakeoffError: A file is missing or isn't such a table; it names file, column and row.
    """
    known, asked = read_curves(curves), read_points(points)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    write_table(out, predict(known, asked, workers=workers or cores or 1, where=str(curves)))


def predict(
    curves: pd.DataFrame, points: pd.DataFrame, *, workers: int = 1, where: str = "curves"
) -> pd.DataFrame:
    """The rows of `points` with forecasts.

    Args:
        curves: As `read_curves` returns them.
        points: As `read_points` returns them.
        workers: Processes; more than one needs the usual `if __name__ == "__main__"`.
        where: What error messages name.
    """
    # One metric per data set: a loss isn't taken for an error because one of its curves is low.
    loss = curves.groupby("dataset")["test_error"].max() > 1
    by_curve = dict(list(curves.groupby(list(NAMES), sort=False)))
    rows = dict(points.groupby(list(NAMES), sort=False).indices)
    names = [name for name in rows if name in by_curve]
    jobs: list[Job] = [
        (
            by_curve[name],
            "loss" if loss[name[0]] else "error",
            points["m"].to_numpy(dtype=float)[rows[name]],
            f"{where}, {name[1]} on {name[0]}",
        )
        for name in names
    ]
    result = points.drop(columns=[name for name in ADDED if name in points]).reset_index(drop=True)
    found = pd.DataFrame(np.nan, index=result.index, columns=ADDED[:3])
    texts = pd.DataFrame("", index=result.index, columns=ADDED[3:]).astype(object)
    texts["status"] = NO_CURVE
    for name, (numbers, family, status) in zip(names, _forecasts(jobs, workers), strict=True):
        found.iloc[rows[name]] = numbers
        texts.iloc[rows[name]] = np.array([[family, text] for text in status], dtype=object)
    return pd.concat([result, found, texts], axis=1)


Forecasts = tuple["np.ndarray[tuple[int, int], np.dtype[np.float64]]", str, list[str]]


def _forecasts(jobs: Sequence[Job], workers: int) -> list[Forecasts]:
    chunks = [list(jobs[i : i + CHUNK]) for i in range(0, len(jobs), CHUNK)]
    if workers == 1 or len(jobs) < WORTH_A_POOL:
        return [one for chunk in chunks for one in _forecast_chunk(chunk)]
    threads = "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(dict.fromkeys(threads, "1"))  # the workers are started with these
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            return [one for part in pool.map(_forecast_chunk, chunks) for one in part]
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _forecast_chunk(jobs: Sequence[Job]) -> list[Forecasts]:
    return [_forecast(*job) for job in jobs]


def _forecast(
    rows: pd.DataFrame,
    kind: Kind,
    at: np.ndarray[tuple[int], np.dtype[np.float64]],
    where: str,
) -> Forecasts:
    m, error, se = (rows[name].to_numpy(dtype=float) for name in ("m", "test_error", "stderr"))
    forecast = forecast_curve(check(m, error, se, kind=kind, where=where), at, level=LEVEL)
    numbers = np.stack([forecast.predicted, forecast.low, forecast.high], axis=1)
    shape = forecast.shape
    remark = "" if shape in ("decreasing", "flat", "too short") else f"; {shape}"
    inside = at <= m.max()
    status = ["measured range" if i else forecast.status + remark for i in inside]
    return numbers, forecast.family, status


# Reading and writing


def read_curves(path: Path) -> pd.DataFrame:
    """CURVES as dataset, learner, m, test_error, stderr (NaN where unknown), a row per m.

    Raises:
        TakeoffError: It isn't there, or isn't such a table.
    """
    table = read_repeats(path)
    if "repeat" in table:
        return _averaged(table)
    return table.assign(stderr=table.get("stderr", np.nan))[[*NAMES, "m", "test_error", "stderr"]]


def read_repeats(path: Path) -> pd.DataFrame:
    """CURVES as they are, with all columns: a row per m, or per m and repeat.

    Raises:
        TakeoffError: It isn't there, or isn't such a table.
    """
    table = _read(path, [*NAMES, "m", "test_error"])
    _numbers(table, "m", path, positive=True)
    _numbers(table, "test_error", path)
    if "stderr" in table and "repeat" in table:
        raise TakeoffError(
            "has both a column stderr and a column repeat",
            where=str(path),
            remedy="drop stderr: it is computed from the repeats",
        )
    if "stderr" in table:
        _numbers(table, "stderr", path, optional=True)
    keys = [*NAMES, "m", *(["repeat"] if "repeat" in table else [])]
    _refuse(
        table.duplicated(keys),
        table,
        path,
        f"the same {', '.join(keys)} is there twice",
        "drop one of the two, or number them in a column `repeat`",
    )
    return table


def read_points(path: Path) -> pd.DataFrame:
    """POINTS, with all columns it has.

    Raises:
        TakeoffError: It isn't there, or isn't such a table.
    """
    table = _read(path, [*NAMES, "m"])
    _numbers(table, "m", path, positive=True)
    return table


def read_numbers(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A table in which these columns are positive numbers; its other columns don't matter.

    Raises:
        TakeoffError: It isn't there, or isn't such a table.
    """
    table = _columns(path, columns)
    for name in columns:
        _numbers(table, name, path, positive=True)
    return table


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write CSV (compressed where the name ends in .gz) or Parquet.

    Raises:
        TakeoffError: It can't be written.
    """
    if _is_parquet(path):
        _need_parquet(path)
        with replacing(path, "wb") as file:
            table.to_parquet(file, index=False)
    elif path.suffix == ".gz":
        with replacing(path, "wb") as file:
            table.to_csv(file, index=False, compression={"method": "gzip", "mtime": 0})
    else:
        write_csv(path, table)


def _averaged(table: pd.DataFrame) -> pd.DataFrame:
    groups = table.groupby([*NAMES, "m"], sort=False)["test_error"]
    means = groups.agg(["mean", "std", "size"]).reset_index()
    means["stderr"] = means["std"] / np.sqrt(means["size"])
    return means.rename(columns={"mean": "test_error"})[[*NAMES, "m", "test_error", "stderr"]]


def _is_parquet(path: Path) -> bool:
    return path.suffix in (".parquet", ".pq")


def _need_parquet(path: Path) -> None:
    try:
        import pyarrow  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    except ImportError as error:
        raise TakeoffError(
            "Parquet needs the package pyarrow, which isn't installed",
            where=str(path),
            remedy="pip install pyarrow, or use a CSV file",
        ) from error


def _read(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """A table with these columns and at least one row; names are texts without gaps."""
    table = _columns(path, needed)
    for name in NAMES:
        _refuse(table[name].isna(), table, path, f"{name} is empty", "fill it in")
        table[name] = table[name].astype(str)
    return table


def _columns(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    """A table with these columns and at least one row."""
    where = str(path)
    table = _raw(path)
    table.columns = [str(name).strip() for name in table.columns]
    missing = [name for name in needed if name not in table]
    if missing:
        raise TakeoffError(
            f"has no column {', '.join(missing)}",
            where=where,
            remedy=f"it needs the columns {', '.join(needed)}; it has {', '.join(table.columns)}",
        )
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise TakeoffError(f"has two columns {twice[0]}", where=where, remedy="rename one of them")
    if table.empty:
        raise TakeoffError("has no rows", where=where, remedy="put at least one row into it")
    return table.reset_index(drop=True)


def _raw(path: Path) -> pd.DataFrame:
    where = str(path)
    if path.is_dir():
        raise TakeoffError("is a folder", where=where, remedy="name a CSV or Parquet file")
    if not path.exists():
        raise TakeoffError("isn't there", where=where, remedy="check the name")
    remedy = "it must be a comma-separated table in UTF-8 with a header, or a Parquet file"
    try:
        if _is_parquet(path):
            _need_parquet(path)
            return pd.read_parquet(path)
        types = dict.fromkeys(NAMES, str)
        return pd.read_csv(path, dtype=types, keep_default_na=False, na_values=["", "NaN", "nan"])
    except UnicodeDecodeError as error:
        raise TakeoffError("isn't UTF-8 text", where=where, remedy=remedy) from error
    except pd.errors.EmptyDataError as error:
        raise TakeoffError("is empty", where=where, remedy=remedy) from error
    except TakeoffError:
        raise
    except Exception as error:  # whatever the readers raise for a file that isn't a table
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise TakeoffError(f"can't be read: {reason}", where=where, remedy=remedy) from error


def _numbers(
    table: pd.DataFrame, name: str, path: Path, *, positive: bool = False, optional: bool = False
) -> None:
    """Turn a column into finite numbers, not negative, in place."""
    values = pd.to_numeric(table[name], errors="coerce").astype(float)
    given = table[name].notna()
    allowed = ~given if optional else pd.Series(False, index=table.index)
    unusable = ~values.abs().lt(np.inf) & ~allowed
    text = "isn't a finite number"
    _refuse(unusable, table, path, f"{name} {text}", "mend it or drop the row", name)
    least = "must be positive" if positive else "must not be negative"
    wrong = values <= 0 if positive else values < 0
    _refuse(wrong, table, path, f"{name} {least}", "mend it or drop the row", name)
    if not pd.api.types.is_numeric_dtype(table[name]):
        table[name] = values


def _refuse(
    wrong: pd.Series,
    table: pd.DataFrame,
    path: Path,
    problem: str,
    remedy: str,
    column: str | None = None,
) -> None:
    """Name the first row that is wrong; the header is row 1."""
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong.to_numpy())[0])
    value = "" if column is None else f" ({table[column].iloc[row]})"
    raise TakeoffError(f"{problem}{value}", where=f"{path}, row {row + 2}", remedy=remedy)
