"""Small tables to read, for several test modules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from takeoff.datasets import prepare
from takeoff.datasets.base import Dataset
from takeoff.settings import DatasetSettings


def mixed(n: int = 200) -> pd.DataFrame:
    """A column of each kind, some cells missing, and a label that the number tells in part."""
    random = np.random.default_rng(0)
    number = random.normal(size=n)
    table = pd.DataFrame(
        {
            "amount": number,
            "plan": random.choice(["basic", "plus", "pro"], n),
            "shop": [f"shop {i % 97}" for i in range(n)],
            "member": random.random(n) < 0.5,
            "since": pd.date_range("2020-02-28", periods=n, freq="7h").astype(str),
            "note": [f"called about bill {i} and again {i % 7}" for i in range(n)],
            "constant": 7,
            "customer": np.arange(n) // 4,
            "churned": np.where(number + random.normal(size=n) > 0.3, "yes", "no"),
        }
    )
    table.loc[::5, "amount"] = np.nan
    table.loc[1::10, "plan"] = None
    return table


def read(path: Path, pool: int = 120, test: int = 40, seed: int = 1, **keys: Any) -> Dataset:
    """The data set that a config with these keys describes."""
    keys = {"label": None if path.is_dir() else "churned"} | keys
    settings = DatasetSettings(m=[10], pool=pool, test=test, path=path, **keys)
    files = {key: str(file) for key, file in settings.files().items()}
    return prepare(
        **{"name": "own", "seed": seed, "pool": pool, "test": test, "cache": path.parent},
        table=settings.table_settings(),
        paths=files,
    )


def saved(folder: Path, table: pd.DataFrame, name: str = "table.csv") -> Path:
    """The table as a file."""
    path = folder / name
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False)
    return path
