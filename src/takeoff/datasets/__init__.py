"""The data sets. Each module here but those of `SHARED_MODULES` is one, and has a function

    prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset

A new data set is a new module: nothing else has to know of it. Data of one's own need no module:
`takeoff.datasets.table` reads them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from takeoff.errors import TakeoffError

if TYPE_CHECKING:
    from takeoff.datasets.base import Dataset

SHARED_MODULES = {
    *("base", "download", "choosing", "encoding", "images", "noise", "readers", "table")
}


def names() -> list[str]:
    """The data sets that can be prepared, in alphabetical order."""
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    return sorted(found - SHARED_MODULES)


def prepare(
    name: str,
    *,
    seed: int,
    pool: int,
    test: int,
    cache: Path,
    table: Mapping[str, Any] | None = None,
    paths: Mapping[str, str] | None = None,
) -> Dataset:
    """Download, generate or read one data set.

    Args:
        name: One of `names()`, or any name for data of one's own.
        seed: Makes the world and the examples of a generated data set, and chooses the rows of
            one's own; others ignore it.
        pool: Number of labelled examples that the subsets are drawn from.
        test: Number of examples of the fixed test set.
        cache: Folder for downloads, kept between studies.
        table: Of data of one's own, what the files hold.
        paths: Of data of one's own, where the files are.

    Raises:
        TakeoffError: No such data set, too few rows in it, or no source delivers it.
    """
    prepared: Dataset
    if table is not None:
        own = importlib.import_module(f"{__name__}.table")
        prepared = own.prepare(
            **{"name": name, "seed": seed, "pool": pool, "test": test, "cache": cache},
            settings=table,
            paths=paths or {},
        )
        return prepared
    if name not in names():
        raise TakeoffError(
            f"there is no data set '{name}'",
            where=f"config: datasets.{name}",
            remedy=f"use one of: {', '.join(names())}; or give the path of your own data",
        )
    module = importlib.import_module(f"{__name__}.{name}")
    prepared = module.prepare(seed=seed, pool=pool, test=test, cache=cache)
    return prepared
