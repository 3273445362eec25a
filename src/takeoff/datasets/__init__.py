"""The data sets. Each module here but `base` and `download` is one, and has a function

    prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset

A new data set is a new module: nothing else has to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import TYPE_CHECKING

from takeoff.errors import TakeoffError

if TYPE_CHECKING:
    from takeoff.datasets.base import Dataset

SHARED_MODULES = {"base", "download"}


def names() -> list[str]:
    """The data sets that can be prepared, in alphabetical order."""
    found = {module.name for module in pkgutil.iter_modules(__path__)}
    return sorted(found - SHARED_MODULES)


def prepare(name: str, *, seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Download or generate one data set.

    Args:
        name: One of `names()`.
        seed: Makes the world and the examples of a generated data set; others ignore it.
        pool: Number of labelled examples that the subsets are drawn from.
        test: Number of examples of the fixed test set.
        cache: Folder for downloads, kept between studies.

    Raises:
        TakeoffError: No such data set, too few rows in it, or no source delivers it.
    """
    if name not in names():
        raise TakeoffError(
            f"there is no data set '{name}'",
            where=f"config: datasets.{name}",
            remedy=f"use one of: {', '.join(names())}",
        )
    module = importlib.import_module(f"{__name__}.{name}")
    prepared: Dataset = module.prepare(seed=seed, pool=pool, test=test, cache=cache)
    return prepared
