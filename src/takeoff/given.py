"""A study that starts from a table of learning curves: `runs: curves.csv` in its config.

The table is as for `takeoff fit` (see `takeoff.statistics.predictions`). `load` reads the config
and looks into the table, so that the study knows its data sets, learners and m before anything
runs; `write_runs` then writes what training would have written: a table per curve, and a sheet per
data set. Names become identifiers (they are parts of file names and of ids); readers see those of
the table.

`summarise` and `fit_laws` are those of `takeoff.statistics.fits` for curves that may lack repeats;
claims about them are in `takeoff.statistics.claims_from_means`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from scipy import special

from takeoff.errors import TakeoffError, nearest
from takeoff.files import write_csv, write_json
from takeoff.settings import Runs, TableDataset, TableLearner
from takeoff.statistics import fits
from takeoff.statistics.predictions import read_repeats
from takeoff.study import Given, Study, load_study

RATES = ("error_rate", "balanced_error")
KEYS = ["dataset", "learner"]
KEPT = ("m", "repeat", "test_error", "stderr")


def load(config: dict[str, Any], files: Sequence[Path | str] = ()) -> Study:
    """`load_study`, and if it names a table, the study about that table's curves.

    Raises:
        TakeoffError: The config or the table isn't usable; names file, key or row.
    """
    if config.get("runs") is not None:
        _nothing_beside(files)
    study = load_study(config, files)
    if study.runs is None:
        return study
    return study.starting_from(given_by(study.runs))


def _nothing_beside(files: Sequence[Path | str]) -> None:
    """A file that names a table can't name data sets and learners to train, too."""
    for file in files:
        config = yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}
        if "runs" not in config:
            continue
        use = config.get("use") or {}
        beside = [key for key in ("datasets", "learners") if key in config]
        beside += [f"use.{key}" for key in ("datasets", "learners") if key in use]
        if beside:
            raise TakeoffError(
                f"{beside[0]} stands beside `runs`, whose data sets and learners are the table's",
                where=str(file),
                remedy=f"say it within: `runs: {{table: ..., {_nested(beside[0])}}}`",
            )


def _nested(key: str) -> str:
    first, _, second = key.partition(".")
    return f"{first}: {{{second}: [...]}}" if second else f"{first}: {{...}}"


# Looking into the table


def given_by(runs: Runs) -> Given:
    """What a study knows of a table.

    Raises:
        TakeoffError: The table isn't usable, or the config speaks of what isn't in it.
    """
    table = read_table(runs)
    names = {key: _identifiers(_chosen(runs, table, key)) for key in KEYS}
    learners = _learners(runs, names["learner"])
    datasets = {
        name: _dataset(runs.datasets.get(original, TableDataset()), original)
        for name, original in names["dataset"].items()
    }
    by_curve = dict(list(table.groupby(KEYS, sort=False)))
    design = [
        _design(dataset, learner, by_curve[pair])
        for dataset, first in names["dataset"].items()
        for learner, second in names["learner"].items()
        if (pair := (first, second)) in by_curve
    ]
    return Given(design, learners, datasets, names)


def read_table(runs: Runs) -> pd.DataFrame:
    """The rows that the study is about, in the table's order.

    Raises:
        TakeoffError: See `given_by`.
    """
    path = Path(runs.table)
    table = read_repeats(path)
    for key in KEYS:
        table = table[table[key].isin(_chosen(runs, table, key))]
    where = str(path)
    whole = table["m"] == np.floor(table["m"])
    if not whole.all():
        value = table.loc[~whole, "m"].iloc[0]
        problem, remedy = f"m = {value} isn't a whole number", "m counts labelled examples"
        raise TakeoffError(problem, where=where, remedy=remedy)
    for (dataset, learner), rows in table.groupby(KEYS, sort=False):
        _check_curve(runs, str(dataset), str(learner), rows)
    return table.assign(m=table["m"].astype(int)).reset_index(drop=True)


def _check_curve(runs: Runs, dataset: str, learner: str, rows: pd.DataFrame) -> None:
    where = f"{runs.table}, {learner} on {dataset}"
    if rows["m"].nunique() < 2:
        raise TakeoffError(
            f"only m = {rows['m'].iloc[0]:g} was measured, which makes no learning curve",
            where=where,
            remedy="add rows with other m, or leave it out with runs.use",
        )
    metric = runs.datasets.get(dataset, TableDataset()).metric
    if metric in RATES and rows["test_error"].max() > 1:
        raise TakeoffError(
            f"a test error of {rows['test_error'].max():g} is above 1",
            where=where,
            remedy=f"give errors as fractions, or say runs.datasets.{dataset}.metric: log_loss",
        )


def _chosen(runs: Runs, table: pd.DataFrame, key: str) -> list[str]:
    """The table's data sets or learners that the study takes, in the paper's order."""
    there = [str(name) for name in table[key].unique()]
    chosen = getattr(runs.use, f"{key}s")
    described = getattr(runs, f"{key}s")
    for place, named in ((f"use.{key}s", chosen or []), (f"{key}s", described)):
        for name in named:
            if name not in there and (place.startswith("use") or chosen is None):
                raise TakeoffError(
                    f"runs.{place} names '{name}', which isn't in the table",
                    where=runs.table,
                    remedy=nearest(name, there),
                )
    return list(dict.fromkeys(chosen)) if chosen else there


def _identifiers(names: Iterable[str]) -> dict[str, str]:
    """Names that the workflow can use, by which the table's are found."""
    found: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
        plain = plain if plain[:1].isalpha() else f"x_{plain}".rstrip("_")
        other, i = plain, 1
        while other in found:
            i += 1
            other = f"{plain}_{i}"
        found[other] = name
    return found


def _learners(runs: Runs, names: dict[str, str]) -> list[dict[str, Any]]:
    """As `Study.ladder`; networks without a rank are ranked as the config lists them."""
    ranks: dict[str, int] = {}
    for original, known in runs.learners.items():
        if known.family == "network" and original in names.values():
            ranks[original] = known.rank or max(ranks.values(), default=0) + 1
    found = []
    for name, original in names.items():
        known = runs.learners.get(original, TableLearner())
        rest = {"family": known.family, "rank": ranks.get(original, 0)}
        found.append({"name": name, "label": known.label or original} | rest)
    return found


def _dataset(known: TableDataset, original: str) -> dict[str, Any]:
    return known.model_dump() | {"title": known.title or original}


def _design(dataset: str, learner: str, rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "learner": learner,
        "m": sorted(int(m) for m in rows["m"].unique()),
        "repeats": int(rows["repeat"].nunique()) if "repeat" in rows else 1,
        "rows": len(rows),
        "given": True,
    }


# What training would have written


def write_runs(runs: Runs, folder: Path) -> None:
    """Write runs/<data set>/<learner>.csv for every curve, and data/<data set>.json."""
    given, table = given_by(runs), read_table(runs)
    by_curve = dict(list(table.groupby(KEYS, sort=False)))
    for one in given.design:
        names = (one["dataset"], one["learner"])
        pair = tuple(given.names[key][name] for key, name in zip(KEYS, names, strict=True))
        rows = by_curve[pair]
        kept = rows[[name for name in KEPT if name in rows]].copy()
        kept.insert(0, "learner", one["learner"])
        kept.insert(0, "dataset", one["dataset"])
        if "repeat" not in kept:
            kept.insert(3, "repeat", 0)
        kept = kept.sort_values(["m", "repeat"], kind="stable")
        write_csv(folder / "runs" / one["dataset"] / f"{one['learner']}.csv", kept)
    for name, known in given.datasets.items():
        write_json(folder / "data" / f"{name}.json", _sheet(name, known))


def _sheet(name: str, known: dict[str, Any]) -> dict[str, Any]:
    """The data sheet of a data set of which little is known."""
    unknown = dict.fromkeys(("description", "task", "source", "licence", "citation"), "")
    plain = {
        **{"generated": False, "floor_is_bound": False, "time_ordered": False, "given": True},
        **{"scaling": "common", "n_hand_made": 0, "left_out": {}, "class_shares": []},
    }
    return {"name": name, **unknown, **plain, **known}


# The statistics, where there may be no repeats


def summarise(runs: pd.DataFrame, level: float) -> pd.DataFrame:
    """`fits.summarise`; where the table has standard errors, intervals are normal ones of these."""
    curves = fits.summarise(runs, level)
    if "stderr" not in runs:
        return curves
    known = runs.set_index([*KEYS, "m"])["stderr"]
    where = pd.MultiIndex.from_frame(curves[[*KEYS, "m"]])
    curves["se"] = known.reindex(where).to_numpy()
    half = float(special.ndtri((1 + level) / 2)) * curves["se"]
    curves["low"], curves["high"] = curves["test_error"] - half, curves["test_error"] + half
    return curves


def fit_laws(runs: pd.DataFrame, **how: Any) -> pd.DataFrame:
    """`fits.fit_laws`; data sets whose repeats have gaps are fitted to their means."""
    whole = [
        rows if has_whole_repeats(rows) else _means(rows)
        for _, rows in runs.groupby("dataset", sort=True)
    ]
    return fits.fit_laws(pd.concat(whole), **how)


def _means(runs: pd.DataFrame) -> pd.DataFrame:
    means = runs.groupby([*KEYS, "m"], sort=False)["test_error"].mean().reset_index()
    return means.assign(repeat=0)


def has_whole_repeats(runs: pd.DataFrame) -> bool:
    """Whether all curves of a data set have the same repeats at every m."""
    repeats = runs["repeat"].nunique()
    cells = runs.groupby(["learner", "m"])["repeat"].agg(["nunique", "size"])
    return bool((cells == repeats).all(axis=None))


def spread_known(runs: pd.DataFrame) -> bool:
    """Whether repeats or standard errors say how far chance reaches."""
    own = runs.groupby(["learner", "m"])["repeat"].nunique()
    has_stderr = "stderr" in runs and bool(runs["stderr"].notna().any())
    return has_stderr or not math.isclose(float(own.max()), 1.0)
