"""Flights from New York City: from the tables to a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from takeoff.datasets import nycflights13
from takeoff.datasets.base import INDICATOR, NUMERIC
from takeoff.errors import TakeoffError
from takeoff.files import sha256
from takeoff.places import download_folder

N = 120


def tables() -> dict[str, pd.DataFrame]:
    """A flight an hour from noon of 2 January on, in reverse order; every tenth is cancelled."""
    times = pd.date_range("2013-01-02 12:00", periods=N, freq="h")
    flights = pd.DataFrame(
        {
            **{"year": times.year, "month": times.month, "day": times.day},
            **{"sched_dep_time": times.hour * 100 + 30, "sched_arr_time": 1455},
            "arr_delay": np.where(np.arange(N) % 10 == 0, np.nan, np.arange(N) % 20 + 5.0),
            **{"dep_delay": 99, "carrier": ["AA", "UA"] * (N // 2), "tailnum": "N1"},
            **{"origin": "JFK", "dest": "LAX", "distance": 2475},
            "time_hour": times.strftime("%Y-%m-%dT%H:00:00Z"),
        }
    )
    weather = pd.DataFrame(dict.fromkeys(nycflights13.WEATHER_COLUMNS, 1.0), index=range(N))
    weather["temp"] = np.arange(N)
    weather["origin"] = "JFK"
    weather["time_hour"] = flights["time_hour"]
    planes = pd.DataFrame({"tailnum": ["N1"], "year": [1999], "seats": [9], "engines": [2]})
    return {"flights.csv": flights[::-1], "weather.csv": weather, "planes.csv": planes}


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with the stand-ins."""
    folder = tmp_path / nycflights13.NAME
    folder.mkdir()
    for name, table in tables().items():
        table.to_csv(folder / name, index=False)
    sums = {name: sha256(folder / name) for name in nycflights13.CHECKSUMS}
    monkeypatch.setattr(nycflights13, "CHECKSUMS", sums)
    monkeypatch.setattr(nycflights13, "ROWS", N - N // 10)
    return tmp_path


def test_flights_are_in_order_of_time(small: Path) -> None:
    """The test set is the latest; weather is that of the hour before; cancelled flights count."""
    data = nycflights13.prepare(1, 60, 40, small)
    hours = np.array([i for i in range(N) if i % 10])[-100:]
    temperature = list(nycflights13.NUMBERS).index("temp")
    assert data.time_ordered
    assert data.x_pool[:, temperature].tolist() == (hours[:60] - 1).tolist()
    assert data.x_test[:, temperature].tolist() == (hours[60:] - 1).tolist()
    assert data.y_test.tolist() == (hours[60:] % 20 + 5 > 15).astype(int).tolist()
    assert data.left_out["earlier than the pool asked for"] == 8


def test_nothing_is_known_that_comes_after_the_departure(small: Path) -> None:
    """Other delays of departure, same features."""
    before = nycflights13.prepare(1, 60, 40, small)
    flights = tables()["flights.csv"]
    columns = {*nycflights13.CATEGORIES, *nycflights13.NUMBERS}
    assert not columns & {"dep_delay", "dep_time", "arr_time", "air_time", "arr_delay"}
    changed = flights.assign(dep_delay=-5, arr_delay=flights["arr_delay"] + 50)
    rows = nycflights13._joined(changed, *list(tables().values())[1:])
    x, _ = nycflights13.encode(rows.iloc[-100:])
    assert np.array_equal(x[:60], before.x_pool, equal_nan=True)


def test_schedules_are_minutes_and_categories_switches(small: Path) -> None:
    """1455 is 895 minutes after midnight; of airline and weekday, one switch each is on."""
    data = nycflights13.prepare(1, 60, 40, small)
    names = list(nycflights13.NUMBERS)
    assert set(data.x_pool[:, names.index("arrival")]) == {895}
    assert set(data.x_pool[:, names.index("departure")] % 60) == {30}
    assert set(data.x_pool[:, names.index("built")]) == {1999}
    assert data.kinds is not None
    assert data.kinds.tolist()[: len(names)] == [NUMERIC] * len(names)
    switches = data.x_pool[:, data.kinds == INDICATOR]
    assert set(np.unique(switches)) == {0, 1} and (switches.sum(axis=1) == 4).all()


def test_another_table_is_refused(small: Path) -> None:
    """Columns that are missing are one message."""
    paths = {name: small / "nycflights13/planes.csv" for name in nycflights13.CHECKSUMS}
    with pytest.raises(TakeoffError, match="is not the table it should be"):
        nycflights13.read(paths)


def test_the_real_files_are_what_they_should_be() -> None:
    """If they are in the cache: the number of flights and the share of late ones."""
    folder = download_folder() / nycflights13.NAME
    paths = {name: folder / name for name in nycflights13.CHECKSUMS}
    if not all(path.exists() for path in paths.values()):
        pytest.skip(f"{folder} is not there; a study of nycflights13 fetches it")
    rows = nycflights13.read(paths)
    assert len(rows) == nycflights13.ROWS
    assert rows["late"].mean() == pytest.approx(0.2371, abs=1e-4)
