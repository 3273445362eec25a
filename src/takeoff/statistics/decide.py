"""Decisions for tables: `takeoff decide CURVES --target 0.05`.

CURVES is as for `takeoff fit` (see `takeoff.statistics.predictions`): dataset, learner, m,
test_error, and stderr or repeat. For every curve: how many labels the target needs, what more data
gains, whether it has flattened, its shape. For every data set: the ranking at the largest m that
all its learners share, and where pairs of learners cross. What is meant by each is in
`takeoff.statistics.decisions`.

`--out` writes everything that was decided, in one long table with a row per decision; what is
printed leaves out the pairs that don't cross.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from takeoff.errors import TakeoffError
from takeoff.statistics import decisions
from takeoff.statistics.decisions import About, Measured, measured
from takeoff.statistics.predictions import read_repeats, write_table

COLUMNS = [
    *("dataset", "decision", "learner", "versus", "at", "verdict", "value", "low", "high"),
    *("probability", "basis", "remark"),
]
CROSSINGS_SHOWN = 12  # of a data set, printed; `--out` has all
Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What to decide.

    Attributes:
        targets: Errors to reach.
        factors: Of the largest m, above 1 and at most `decisions.FARTHEST`.
        margin: Relative reduction per doubling below which a curve is flat.
        doublings: The last (or next) ones, of which that is asked.
        level: Of all intervals and tests.
        about: This pool and test set, or others too.
    """

    targets: Sequence[float]
    factors: Sequence[float] = (2.0, 4.0, 10.0)
    margin: float = 0.05
    doublings: float = 2.0
    level: float = decisions.LEVEL
    about: About = decisions.HERE


def decide_file(curves: Path, asked: Asked, out: Path | None = None) -> str:
    """Read CURVES, decide, write the long table to `out` where that is given.

    Returns:
        The text to print.

    Raises:
        TakeoffError: The file or what is asked isn't usable; it names file, column and row.
    """
    table = decide(read_curves(curves), asked)
    if out is not None:
        write_table(out, table)
    return as_text(table, asked)


Curves = Mapping[str, Mapping[str, Measured]]


def read_curves(path: Path) -> Curves:
    """The curves of a table, by data set and learner; repeats with the same name are aligned.

    Raises:
        TakeoffError: It isn't there, or isn't such a table.
    """
    table = read_repeats(path)
    studied: dict[str, dict[str, Measured]] = {}
    for (dataset, learner), rows in _by_curve(table):
        where = f"{path}, {learner} on {dataset}"
        # One metric per data set: a loss isn't an error because one of its curves is low.
        loss = bool((table["test_error"][table["dataset"] == dataset] > 1).any())
        one = _measured(rows, table, dataset, "loss" if loss else "error", where)
        studied.setdefault(dataset, {})[learner] = one
    return studied


def _by_curve(table: pd.DataFrame) -> Iterator[tuple[tuple[str, str], pd.DataFrame]]:
    for (dataset, learner), rows in table.groupby(["dataset", "learner"], sort=False):
        yield (str(dataset), str(learner)), rows


def _measured(
    rows: pd.DataFrame, table: pd.DataFrame, dataset: str, kind: Any, where: str
) -> Measured:
    if "repeat" not in rows:
        se = rows["stderr"].to_numpy(dtype=float) if "stderr" in rows else None
        m, error = (rows[name].to_numpy(dtype=float) for name in ("m", "test_error"))
        return measured(m, error, stderr=se, kind=kind, where=where)
    repeats = table.loc[table["dataset"] == dataset, "repeat"].unique()
    errors = rows.pivot(index="m", columns="repeat", values="test_error").reindex(columns=repeats)
    m = errors.index.to_numpy(dtype=float)
    return measured(m, errors.to_numpy(dtype=float), kind=kind, where=where)


def decide(curves: Curves, asked: Asked) -> pd.DataFrame:
    """Every decision as a row, see `COLUMNS`; what isn't known or not stated is missing.

    Raises:
        TakeoffError: A target, factor, margin or level isn't usable.
    """
    rows: list[Row] = []
    for dataset, learners in curves.items():
        found = [row for name, one in learners.items() for row in _of_curve(name, one, asked)]
        found += _of_ranking(learners, asked)
        found += [
            _of_crossing(first, second, learners, asked)
            for first, second in combinations(learners, 2)
        ]
        rows += [{"dataset": dataset} | row for row in found]
    table = pd.DataFrame(rows, columns=COLUMNS)
    texts = ["learner", "versus", "verdict", "basis", "remark"]
    numbers = ["at", "value", "low", "high", "probability"]
    table[texts] = table[texts].astype(object).where(table[texts].notna(), "")
    table[numbers] = table[numbers].astype(float)
    return table


def _of_curve(name: str, curve: Measured, asked: Asked) -> Iterator[Row]:
    for target in asked.targets:
        labels = decisions.labels_needed(curve, target, level=asked.level)
        yield _row("labels_needed", name, labels, at=target, value=labels.m, text=str(labels))
    for factor in asked.factors:
        gain = decisions.gain_of(curve, factor, level=asked.level)
        ends = {"value": gain.relative, "low": gain.relative_low, "high": gain.relative_high}
        remark = f"error {gain.now:.4g} -> {gain.error:.4g} ({gain.low:.4g} to {gain.high:.4g})"
        yield _row("gain", name, gain, at=factor, remark=remark, basis="forecast") | ends
    flat = decisions.plateau(
        curve, asked.margin, asked.doublings, level=asked.level, about=asked.about
    )
    yield _row("plateau", name, flat, at=flat.to_m, value=flat.reduction, remark=flat.reason)
    shape = curve.forecast.shape
    yield {
        "decision": "shape",
        "learner": name,
        "at": curve.last_m,
        "verdict": shape,
        "value": curve.curve.last,
        "remark": curve.forecast.status,
    }


def _row(decision: str, learner: str, found: Any, *, text: str = "", **known: Any) -> Row:
    """A row with what the attributes of a decision have for it."""
    names = ("verdict", "low", "high", "probability", "basis", "remark")
    row = {name: getattr(found, name, None) for name in names} | known
    row["remark"] = "; ".join(part for part in (text, row["remark"] or "") if part)
    return {"decision": decision, "learner": learner} | row


def _of_ranking(learners: Mapping[str, Measured], asked: Asked) -> list[Row]:
    try:
        ranking = decisions.ranking(learners, level=asked.level, about=asked.about)
    except TakeoffError as error:
        if "range of m in common" not in error.problem:
            raise
        return [{"decision": "rank", "verdict": "not stated", "remark": error.problem}]
    rows = [
        {
            "decision": "rank",
            "learner": name,
            "at": ranking.m,
            "value": i + 1,
            "low": ranking.ranks[name][0],
            "high": ranking.ranks[name][1],
            "basis": ranking.basis,
            "remark": f"error {ranking.errors[name]:.4g}",
        }
        for i, name in enumerate(ranking.errors)
    ]
    for pair in ranking.pairs:
        row = _row("better", pair.first, pair, at=ranking.m, value=pair.difference)
        rows.append(
            row | {"versus": pair.second, "basis": ranking.basis, "remark": f"p = {pair.p:.2g}"}
        )
    return rows


def _of_crossing(first: str, second: str, learners: Mapping[str, Measured], asked: Asked) -> Row:
    pair = learners[first], learners[second]
    named: Row = {"versus": second}
    try:
        found = decisions.crossing(*pair, level=asked.level, about=asked.about)
    except TakeoffError as error:
        if "range of m in common" not in error.problem:
            raise
        return {"decision": "crossing", "learner": first, "remark": error.problem} | named
    text = str(found)
    if found.verdict == "crosses" and found.better_before is not None:
        text += f": {(first, second)[found.better_before]} before"
    return _row("crossing", first, found, at=found.to_m, value=found.m, text=text) | named


# What is printed


def as_text(table: pd.DataFrame, asked: Asked) -> str:
    """The table for readers: a block per data set."""
    blocks = [
        _block(str(dataset), rows, asked) for dataset, rows in table.groupby("dataset", sort=False)
    ]
    margin = f"plateau: the error falls by less than {asked.margin:.0%} per doubling"
    return "\n\n".join([*blocks, f"{asked.level:.0%} intervals; {margin}."])


def _block(dataset: str, rows: pd.DataFrame, asked: Asked) -> str:
    by_learner = rows[rows["decision"].isin(["labels_needed", "gain", "plateau", "shape"])]
    lines = [_line(str(name), one) for name, one in by_learner.groupby("learner", sort=False)]
    heads = [
        "learner",
        *(f"labels for {target:g}" for target in asked.targets),
        *(f"gain of {factor:g}x" for factor in asked.factors),
        "plateau",
        "shape",
    ]
    return "\n".join([dataset, *_columns([heads, *lines]), *_order(rows), *_crossings(rows)])


def _line(learner: str, rows: pd.DataFrame) -> list[str]:
    return [learner, *(_cell(row) for row in rows.to_dict("records"))]


def _cell(row: Mapping[Any, Any]) -> str:
    if row["decision"] == "labels_needed":
        return str(row["remark"])
    if row["decision"] == "shape":
        return str(row["verdict"])
    if np.isnan(row["value"]):
        return f"{row['verdict']}: {row['remark']}"
    share = f"{row['value']:.0%} ({row['low']:.0%} to {row['high']:.0%})"
    return share if row["decision"] == "gain" else f"{row['verdict']}, {share}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _order(rows: pd.DataFrame) -> list[str]:
    ranks = rows[rows["decision"] == "rank"]
    if ranks["at"].isna().all():
        return [f"  ranking: {text}" for text in ranks["remark"]]
    better = rows[rows["decision"] == "better"].set_index(["learner", "versus"])["probability"]
    names = list(ranks["learner"])
    cells = [["rank", "learner", "error", "P(better than the next)"]]
    for row, after in zip(ranks.to_dict("records"), [*names[1:], None], strict=True):
        rank = f"{row['low']:.0f}" + (f"-{row['high']:.0f}" if row["low"] < row["high"] else "")
        next_ = "" if after is None else f"{better[row['learner'], after]:.3f}"
        cells.append([rank, row["learner"], row["remark"].removeprefix("error "), next_])
    return [f"  ranking at m = {ranks['at'].iloc[0]:,.0f} ({ranks['basis'].iloc[0]}):"] + [
        "  " + line for line in _columns(cells)
    ]


def _crossings(rows: pd.DataFrame) -> list[str]:
    pairs = rows[rows["decision"] == "crossing"]
    told = pairs[pairs["verdict"] == "crosses"]
    lines = [
        f"    {row['learner']} and {row['versus']}: {row['remark']}"
        for row in told.head(CROSSINGS_SHOWN).to_dict("records")
    ]
    more = len(told) - CROSSINGS_SHOWN
    lines += [f"    and {more} more"] if more > 0 else []
    counts = pairs["verdict"].value_counts()
    summary = ", ".join(
        f"{counts.get(verdict, 0)} {words}"
        for verdict, words in (
            ("crosses", "shown"),
            ("none", "shown not to"),
            ("undecided", "undecided"),
        )
    )
    return [f"  crossings of {len(pairs)} pairs: {summary}", *lines] if len(pairs) else []
