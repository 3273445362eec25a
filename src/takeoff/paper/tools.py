"""What the page's tools know: curves to ask, and budgets to try.

A tool answers in the page what the tables answer for a few cases, by the same rules: the labels
that a target needs are read off the quantiles of a curve as in `decisions.labels_needed`, and what
more labels bring as in `levers.gain_above`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.statistics.decisions import FARTHEST
from takeoff.statistics.evidence import POINTS_NEEDED
from takeoff.statistics.surfaces import INSIDE

if TYPE_CHECKING:
    import pandas as pd

    from takeoff.paper.facts import Results

DIGITS, EXACT = 4, 6  # of estimates; of numbers of labels, which have to stay apart
SIZES = "network_sizes"  # the experiment with budgets


def known(results: Results) -> dict[str, Any] | None:
    """For the page's script; None where nothing was weighed.

    Returns:
        farthest: Times the largest m up to which something is said.
        level: Of all intervals, in words.
        sets: Of each data set the title, the measure's name and suffix, whether it is a share,
            decimals, the known floor, and the curves: label, error at the largest m, where the
            curve ends at the least and at the most, whether too few points were measured,
            how many points were, and of its path all m, low, medians and high.
        budgets: See `_budgets`; None without that experiment.
    """
    options = results.options
    if options is None:
        return None
    return {
        "farthest": FARTHEST,
        "level": wording.plain_percent(options.verdicts["level"]),
        "sets": [_dataset(results, name) for name in results.datasets],
        "budgets": _budgets(results),
    }


def _dataset(results: Results, name: str) -> dict[str, Any]:
    measure, options = results.measures[name], results.options
    assert options is not None
    paths, ends = (_own(table, name) for table in (options.paths, options.ends))
    lowest = float(ends["error"].min())
    written = measure.write(lowest)
    return {
        "title": wording.clean(results.sheets[name]["title"]),
        "name": measure.name,
        "suffix": measure.suffix,
        "share": measure.is_share,
        "decimals": len(written.rstrip("%").partition(".")[2]),
        "floor": measure.floor,
        "best": ends["learner"].tolist().index(options.verdicts["datasets"][name]["best"]),
        "curves": [
            _curve(results, row, paths[paths["learner"] == row["learner"]])
            for row in ends.to_dict("records")
        ],
    }


def _own(table: pd.DataFrame, dataset: str) -> pd.DataFrame:
    return table[table["dataset"] == dataset]


def _curve(results: Results, ends: dict[Any, Any], path: pd.DataFrame) -> dict[str, Any]:
    points = int(path["measured"].sum())
    columns = path[["m", "low", "median", "high"]].to_numpy(dtype=float)
    return {
        "label": wording.clean(results.study["learners"][ends["learner"]]["label"]),
        "error": rounded(ends["error"]),
        "ends": [rounded(ends["floor_low"]), rounded(ends["floor_high"])],
        "few": points < POINTS_NEEDED,
        "points": points,
        "path": [
            [rounded(value, EXACT if i == 0 else DIGITS) for value in column]
            for i, column in enumerate(columns.T.tolist())
        ],
    }


def rounded(value: float, digits: int = DIGITS) -> float | None:
    """To a few digits; None where there is no number."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() else short


def _budgets(results: Results) -> dict[str, Any] | None:
    """The frontier of budgets: what each is best spent on, and what that brings.

    Returns:
        dataset: Whose errors these are, as a place in `sets`.
        unit: A currency, or operations.
        rows: Those for which anything is stated: budget, parameters, low, high, m, low, high,
            error, low, high, and whether network and m both lie within the grid.
    """
    found = results.experiments.get(SIZES)
    if found is None or "frontier" not in found.tables:
        return None
    table, said = found.tables["frontier"], found.decided
    names = [
        f"{name}{end}" for name in ("parameters", "m", "error") for end in ("", "_low", "_high")
    ]
    rows = table[~table["status"].str.startswith("not stated")]
    if rows.empty:
        return None
    money = said["unit"] == "money"
    return {
        "dataset": list(results.datasets).index(said["dataset"]),
        "unit": said["prices"]["currency"] if money else "operations",
        "rows": [
            [rounded(row["budget"]), *(rounded(row[name]) for name in names),
             row["status"] == INSIDE]
            for row in rows.to_dict("records")
        ],
    }  # fmt: skip
