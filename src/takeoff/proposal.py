"""A config proposed for data of one's own: `takeoff init`.

The file is looked at (kinds of columns by its first rows, labels by all of them), and what a first
study of it could be is written down with the reasons, for a person to read and change. Neither the
config nor a message says what is written in a cell.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from takeoff.datasets import encoding, readers, table
from takeoff.errors import TakeoffError, nearest
from takeoff.files import replacing
from takeoff.kinds import Kind

MOST_TESTED = 10_000
TESTED = 0.2  # of the rows
LARGEST_M = 32_000  # that is proposed; beyond, a first look takes long
SMALLEST_M = 25
SIZES = 8  # values of m at most
NUMBERS_AS_CLASSES = 20  # different numbers, up to which they are taken for classes
# A training part of one class teaches nothing; a smallest m is wanted that is this unlikely to.
SINGLE_CLASS = 1e-4
GROUPS_LEFT = 0.95  # of the rows outside the test set's groups: another seed leaves fewer

CLASSIFIERS = ("logistic_regression", "svm_rbf", "gradient_boosting")
REGRESSORS = ("ridge", "svm_rbf", "gradient_boosting")
NETWORKS = ("mlp_small", "mlp_medium", "mlp_large")
CAPS = {"svm_rbf": 4_000}  # the largest m for what grows faster than the number of rows


@dataclass(frozen=True)
class Asked:
    """What the user says about the file.

    Attributes:
        path: The file, or a folder of picture folders.
        label: Column to be told; None for pictures.
        name: Of the data set and the study.
        task: "classification" or "regression"; None to have it told from the label.
        group, time, weight: Columns, if there are such.
        test_path: A file of test rows, if there is one.
        seed: That the study will have.
    """

    path: Path
    label: str | None
    name: str
    task: str | None = None
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    test_path: Path | None = None
    seed: int = 2026

    def settings(self, task: str, kinds: Mapping[str, Kind]) -> dict[str, Any]:
        """As of `DatasetSettings.table_settings`."""
        roles = {"label": self.label, "group": self.group, "time": self.time, "weight": self.weight}
        return {
            **roles,
            **{"task": task, "columns": dict(kinds), "metric": None, "unit": "", "classes": None},
            **{"image_size": 32, "title": None, "description": None},
        }


@dataclass(frozen=True)
class Seen:
    """What the file turned out to hold.

    Attributes:
        task: "classification" or "regression".
        kinds: Kind of each feature column, and the reason.
        features: Numbers that an example becomes, by the sample.
        shares: Of the classes in the rows that can be used; empty in regression.
        rows: That have a label.
        pool, test: Rows of the two parts.
        left_out: Rows in neither, by reason.
    """

    task: str
    kinds: dict[str, tuple[Kind, str]]
    features: int
    shares: list[float]
    rows: int
    pool: int
    test: int
    left_out: Mapping[str, int] = field(default_factory=dict)


def propose(asked: Asked, out: Path, *, force: bool = False) -> str:
    """Look at the file and write a config.

    Args:
        asked: What the user says about it.
        out: Where to write to.
        force: Whether an existing file may be replaced.

    Returns:
        What was found and the next command, for the terminal.

    Raises:
        TakeoffError: The file can't be used, or `out` exists.
    """
    if out.exists() and not force:
        raise TakeoffError(
            "exists already", where=str(out), remedy="name another file with --out, or add --force"
        )
    seen = look(asked)
    text = config(asked, seen)
    with replacing(out) as file:
        file.write(text)
    return (
        f"{seen.rows:,} labelled rows, {len(seen.kinds)} columns as {seen.features} features, "
        f"{seen.task}: {out}\n"
        f"  read it, then: snakemake --cores all --configfile {out}"
    )


def name_for(path: Path) -> str:
    """An identifier made of a file's name."""
    found = re.sub(r"[^a-z0-9]+", "_", path.stem.lower()).strip("_")
    return found if re.match(r"[a-z]", found) else f"data_{found}".rstrip("_")


def look(asked: Asked) -> Seen:
    """Read the file: a sample for the columns, every row for the labels.

    Raises:
        TakeoffError: The file can't be used.
    """
    if asked.path.is_dir():
        kinds: dict[str, tuple[Kind, str]] = {}
        task = "classification"
    else:
        held = readers.open_table(asked.path)
        _check(asked, held)
        roles = {asked.label, asked.group, asked.time, asked.weight}
        kinds = table.guess_kinds(held, [name for name in held.columns if name not in roles])
        task = asked.task or _task(held, str(asked.label))
    settings = asked.settings(task, {name: kind for name, (kind, _) in kinds.items()})
    return _divided(asked, settings, task, kinds)


def _check(asked: Asked, held: readers.Table) -> None:
    roles = {"label": asked.label, "group": asked.group, "time": asked.time}
    for role, name in (roles | {"weight": asked.weight}).items():
        if name is not None and name not in held.columns:
            raise TakeoffError(
                f"has no column '{name}'",
                where=readers.shown(asked.path),
                remedy=f"--{role}: {nearest(name, held.columns)}",
            )
    if asked.label is None:
        raise TakeoffError(
            "it isn't clear which column is the label",
            where=readers.shown(asked.path),
            remedy=f"say it with --label; the columns are: {', '.join(held.columns)}",
        )


def _task(held: readers.Table, label: str) -> str:
    """Many different numbers are a regression; everything else is classes."""
    seen: set[float] = set()
    for batch in held.batches([label]):
        cells = batch.column(0).drop_null()
        if len(cells) == 0:
            continue
        if encoding.guess(cells, label)[0] not in ("number", "ignore", "boolean"):
            return "classification"
        values = encoding.numbers(cells, label)
        if not np.isfinite(values).all():
            return "classification"
        seen.update(np.unique(values).tolist())
        if len(seen) > NUMBERS_AS_CLASSES:
            return "regression"
    return "classification"


def _divided(
    asked: Asked, settings: dict[str, Any], task: str, kinds: dict[str, tuple[Kind, str]]
) -> Seen:
    paths = {"path": asked.path}
    if asked.test_path is not None:
        paths["test_path"] = asked.test_path
    wish = table.Wish(asked.name, asked.seed, 0, 1, settings, paths)
    files = [table.open_source(path, wish) for path in paths.values()]
    labels = table.Labelling(wish)
    known = [labels.read(file) for file in files]
    y, classes = labels.finish(known)
    usable = [len(one.usable) for one in known]
    test = min(MOST_TESTED, round(TESTED * usable[0]) if len(files) == 1 else usable[1])
    wish = table.Wish(asked.name, asked.seed, 0, test, settings, paths)
    rest, _, left_out = table.divide(
        wish, known[0], *((known[1], y[0], y[1]) if len(files) > 1 else (None, y[0], None)),
        np.random.default_rng([asked.seed, 1]),
    )  # fmt: skip
    pool = len(rest) if asked.group is None else math.floor(GROUPS_LEFT * len(rest))
    if min(pool, test) < SMALLEST_M:
        raise TakeoffError(
            f"has too few labelled rows for a learning curve: {pool:,} to learn from, {test:,} "
            "to test on",
            where=readers.shown(asked.path),
            remedy="give a table with more rows"
            + (", or more groups" if asked.group is not None else ""),
        )
    counts = np.bincount(y[0][rest]) / len(rest) if classes else np.empty(0)
    features = files[0].features(rest[: table.SAMPLE], table.Scratch(Path()))
    width = features.take(files[0], rest[:1]).shape[1]
    return Seen(task, kinds, width, counts.tolist(), usable[0], pool, test, dict(left_out))


# ------------------------------------------------------------------------------------------------
# What is proposed


def grid(pool: int, shares: list[float], clustered: bool) -> list[int]:
    """Values of m that double, up to the pool, from where a training part has two classes.

    Args:
        pool: Rows.
        shares: Of the classes; empty in regression.
        clustered: Whether rows come in groups or in order of time, so that few are alike.
    """
    least = float(SMALLEST_M)
    if shares:
        least = max(least, math.log(SINGLE_CLASS) / (0.8 * math.log(max(shares))))
    least *= 2 if clustered else 1
    found = [_round(min(pool, LARGEST_M))]
    while len(found) < SIZES and found[-1] / 2 >= least:
        found.append(found[-1] // 2)
    return found[::-1]


def _round(number: int) -> int:
    """The number, rounded down to two digits."""
    unit: int = 10 ** max(len(str(number)) - 2, 0)
    return number // unit * unit


def learners(task: str) -> list[str]:
    """The learners for a task, traditional ones first, networks from small to large."""
    return [*(REGRESSORS if task == "regression" else CLASSIFIERS), *NETWORKS]
