"""What more labels would bring, and what else: the options of whoever has a study's results.

`weigh` asks `takeoff.statistics.decisions` what its curves say (labels needed, gains, plateaus,
crossings, rankings) and `takeoff.statistics.levers` what holds the error back. Everything comes out
as plain tables, which the paper's facts are made from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from takeoff.errors import TakeoffError
from takeoff.files import read_csv, read_json, write_csv, write_json
from takeoff.measures import Measure
from takeoff.statistics import decisions, levers
from takeoff.statistics.decisions import Measured, measured
from takeoff.statistics.levers import Named
from takeoff.statistics.measured import tail_of

# The targets that "auto" asks for: the best error without these shares of it, or of what lies above
# the floor where that is known, since nothing gets below it.
BELOW_BEST = (0.1, 0.25, 0.5)
PER_CASES = 1000  # an error rate is lowered by one error in so many cases
LOSS_STEP = 0.01  # a loss is lowered by this share of what it is
BEST_POSSIBLE = "the best possible decision has a larger error"
TABLES = (
    *("labels_needed", "gains", "plateaus", "ranks", "pairs", "crossings", "label_values"),
    *("paths", "ends"),
)
EVERY = 3  # of the m beyond the measured ones, a path keeps every third
Row = dict[str, Any]
Curves = Mapping[str, Measured]


@dataclass(frozen=True)
class Asked:
    """What is asked; see `takeoff.settings.DecisionSettings`.

    Attributes:
        targets: Errors to reach, in every data set; "auto": `BELOW_BEST`.
        factors: Multiples of the labels.
        margin: Share of the error that a lever must remove to be worth it.
        doublings, plateau_margin: As in `takeoff.statistics.decisions.plateau`.
        level: Of all intervals and tests.
    """

    targets: Sequence[float] | Literal["auto"] = "auto"
    factors: Sequence[float] = (2.0, 4.0, 10.0)
    margin: float = 0.1
    doublings: float = 2.0
    plateau_margin: float = 0.05
    level: float = decisions.LEVEL


@dataclass(frozen=True)
class Options:
    """What was decided.

    Attributes:
        labels_needed: A row per curve and target: dataset, learner, target, and the attributes of
            `decisions.LabelsNeeded`.
        gains: Per curve and factor: those of `decisions.Gain`, and metric.
        plateaus: Per curve: those of `decisions.Plateau`.
        ranks: Per data set, position (few, middling, all: how many labels) and learner measured at
            its m: error, rank_low, rank_high, basis, and p_best (probability that it is better than
            the one with the lowest mean error, which itself has none).
        pairs: Per data set, measured m and pair of learners: those of `decisions.Pair`.
        crossings: Per data set and pair: those of `decisions.Crossing`.
        label_values: Per curve: those of `levers.LabelValue`.
        paths: Per curve and m, measured ones and beyond: the quantiles that all of the above are
            read off (low, median, high), and whether m was measured.
        ends: Per curve: its error at the largest m, and where it would end (see
            `decisions.floor_of`).
        verdicts: JSON-able: margin, level, factors, and per data set the best learner, the best
            network, its targets, its levers and what follows from them.
    """

    labels_needed: pd.DataFrame
    gains: pd.DataFrame
    plateaus: pd.DataFrame
    ranks: pd.DataFrame
    pairs: pd.DataFrame
    crossings: pd.DataFrame
    label_values: pd.DataFrame
    paths: pd.DataFrame
    ends: pd.DataFrame
    verdicts: dict[str, Any]


def write(options: Options, folder: Path) -> None:
    """Write every table as CSV, and the verdicts as JSON."""
    for name in TABLES:
        write_csv(folder / f"{name}.csv", getattr(options, name))
    write_json(folder / "verdicts.json", options.verdicts)


def read(folder: Path) -> Options:
    """What `write` wrote.

    Raises:
        TakeoffError: A file is missing or damaged.
    """
    tables = {name: read_csv(folder / f"{name}.csv") for name in TABLES}
    return Options(**tables, verdicts=read_json(folder / "verdicts.json"))


def curves_of(runs: pd.DataFrame, known: Measure) -> dict[str, Measured]:
    """The curves of one data set, by learner.

    Args:
        runs: learner, m, repeat, test_error; where there is a column stderr, a row per m. Repeats
            with the same name are aligned, and may be missing.
        known: What the data set is judged by.
    """
    repeats = runs["repeat"].unique()
    return {
        str(name): _curve(rows, repeats, known)
        for name, rows in runs.groupby("learner", sort=False)
    }


def _curve(rows: pd.DataFrame, repeats: Any, known: Measure) -> Measured:
    names = f"{rows['learner'].iloc[0]} on {rows['dataset'].iloc[0]}"
    how: dict[str, Any] = {
        "floor": known.floor,
        "chance": known.chance,
        "kind": "error" if known.is_share else "loss",
        "where": f"curve of {names}",
    }
    if len(repeats) == 1:
        return measured(rows["m"], rows["test_error"], stderr=rows.get("stderr"), **how)
    errors = rows.pivot(index="m", columns="repeat", values="test_error").reindex(columns=repeats)
    return measured(errors.index.to_numpy(dtype=float), errors.to_numpy(dtype=float), **how)


def weigh(
    runs: pd.DataFrame,
    learners: Sequence[Mapping[str, Any]],
    known: Mapping[str, Measure],
    asked: Asked,
    feature_pairs: Sequence[tuple[str, str]] = (),
) -> Options:
    """Decide everything.

    Args:
        runs: dataset, and what `curves_of` takes.
        learners: `Study.ladder`: name, family, rank.
        known: What each data set is judged by, in the paper's order.
        asked: What to decide.
        feature_pairs: The same learner on raw and on hand-made features, by name.

    Raises:
        TakeoffError: Something asked for isn't usable.
    """
    tables: dict[str, list[Row]] = {name: [] for name in TABLES}
    found = {}
    for dataset, info in known.items():
        own = curves_of(runs[runs["dataset"] == dataset], info)
        study = _OneDataset(own, info, asked, learners, feature_pairs)
        for name, rows in study.tables().items():
            tables[name] += [{"dataset": dataset} | row for row in rows]
        found[dataset] = study.verdict()
    verdicts = {
        "margin": asked.margin,
        "level": asked.level,
        "factors": list(asked.factors),
        "auto_targets": asked.targets == "auto",
        "datasets": found,
    }
    return Options(
        **{name: pd.DataFrame(rows, columns=_columns(name)) for name, rows in tables.items()},
        verdicts=verdicts,
    )


COLUMNS: dict[str, Sequence[str]] = {
    "labels_needed": ("learner", *decisions.LabelsNeeded.__annotations__),
    "gains": ("learner", "metric", *decisions.Gain.__annotations__),
    "plateaus": ("learner", *decisions.Plateau.__annotations__),
    "ranks": ("position", "m", "learner", "error", "rank_low", "rank_high", "p_best", "basis"),
    "pairs": ("m", *decisions.Pair.__annotations__, "basis"),
    "crossings": ("first", "second", *decisions.Crossing.__annotations__),
    "label_values": ("learner", *levers.LabelValue.__annotations__),
    "paths": ("learner", "m", "low", "median", "high", "measured"),
    "ends": ("learner", "error", "floor", "floor_low", "floor_high"),
}


def _columns(table: str) -> list[str]:
    return ["dataset", *COLUMNS[table]]


@dataclass(frozen=True)
class _OneDataset:
    """The curves of one data set, and what is asked of them."""

    curves: Curves
    info: Measure
    asked: Asked
    learners: Sequence[Mapping[str, Any]]
    feature_pairs: Sequence[tuple[str, str]]

    @property
    def level(self) -> float:
        return self.asked.level

    @property
    def last_m(self) -> float:
        return max(curve.last_m for curve in self.curves.values())

    @property
    def best(self) -> Named:
        """The lowest mean error at the largest m of the data set."""
        return self._lowest(self.curves)

    @property
    def best_network(self) -> Named | None:
        """Of the networks with the largest m, the one with the lowest mean error there."""
        networks = [one["name"] for one in self.learners if one["family"] == "network"]
        own = {name: self.curves[name] for name in networks if name in self.curves}
        return self._lowest(own) if own else None

    @staticmethod
    def _lowest(curves: Curves) -> Named:
        farthest = max(curve.last_m for curve in curves.values())
        there = [name for name, curve in curves.items() if curve.last_m == farthest]
        name = min(there, key=lambda name: curves[name].curve.last)
        return Named(name, curves[name])

    @property
    def targets(self) -> list[float]:
        """In descending order: the nearest first."""
        if self.asked.targets == "auto":
            last, floor = self.best.curve.curve.last, self.info.floor or 0.0
            above = last - floor if last > floor else last
            return [last - share * above for share in BELOW_BEST]
        return sorted(self.asked.targets, reverse=True)

    def tables(self) -> dict[str, list[Row]]:
        """Rows by table, without the data set's name."""
        return {name: list(getattr(self, f"_{name}")()) for name in TABLES}

    def verdict(self) -> Row:
        """What holds the error back, and who is the best."""
        asked = self.asked_levers()
        conclusion, because = levers.conclude(asked)
        network = self.best_network
        return {
            "best": self.best.name,
            "best_network": network.name if network else None,
            "metric": self.info.metric,
            "targets": self.targets,
            "conclusion": conclusion,
            "because": [lever.kind for lever in because],
            "levers": [_plain(asdict(lever)) for lever in asked],
        }

    def asked_levers(self) -> list[levers.Lever]:
        """All four, in the order in which the paper tells them."""
        margin, level, best = self.asked.margin, self.level, self.best
        pairs = [
            (Named(raw, self.curves[raw]), Named(hand, self.curves[hand]))
            for raw, hand in self.feature_pairs
            if raw in self.curves and hand in self.curves
        ]
        return [
            levers.labels(best, margin, level, self.info.floor),
            levers.network(self._ladder(), margin, level),
            levers.features(pairs, best.name, margin, level),
            levers.floor(best, self.info.floor, self.info.floor_is_bound, margin, level),
        ]

    def _ladder(self) -> list[Named]:
        """Networks of different size on the same features, from small to large."""
        hand_made = {hand for _, hand in self.feature_pairs}
        by_rank = {
            one["rank"]: Named(one["name"], self.curves[one["name"]])
            for one in reversed(self.learners)
            if one["family"] == "network" and one["name"] in self.curves
            and one["name"] not in hand_made
        }  # fmt: skip
        return [by_rank[rank] for rank in sorted(by_rank)]

    def _labels_needed(self) -> Iterator[Row]:
        for name, curve in self.curves.items():
            for target in self.targets:
                yield {"learner": name} | vars(self._needed(curve, target))

    def _needed(self, curve: Measured, target: float) -> decisions.LabelsNeeded:
        """Below a known floor, or a lower bound of it, no curve ever gets."""
        needed = decisions.labels_needed(curve, target, level=self.level)
        floor = self.info.floor
        if floor is None or target >= floor:
            return needed
        return replace(
            needed, verdict="never", m=None, low=None, high=None, probability=0.0,
            floor=floor, floor_low=floor, floor_high=floor, remark=BEST_POSSIBLE,
        )  # fmt: skip

    def _gains(self) -> Iterator[Row]:
        for name, curve in self.curves.items():
            for factor in self.asked.factors:
                gain = levers.gain_above(curve, factor, self.info.floor, self.level)
                yield {"learner": name, "metric": self.info.metric} | vars(gain)

    def _plateaus(self) -> Iterator[Row]:
        for name, curve in self.curves.items():
            flat = decisions.plateau(
                curve, self.asked.plateau_margin, self.asked.doublings, level=self.level
            )
            yield {"learner": name} | vars(flat)

    def positions(self) -> dict[str, float]:
        """Few, middling and all labels: the smallest m, one in the middle, the largest."""
        every = np.unique(np.concatenate([curve.curve.m for curve in self.curves.values()]))
        named = {"few": every[0], "all": every[-1]}
        if len(every) > 2:
            middle = math.sqrt(every[0] * every[-1])
            inner = every[1:-1]
            named["middling"] = inner[np.abs(np.log(inner / middle)).argmin()]
        return {name: float(named[name]) for name in ("few", "middling", "all") if name in named}

    def _ranks(self) -> Iterator[Row]:
        for position, m in self.positions().items():
            ranking = self._ranking(m)
            best = next(iter(ranking.errors))
            behind = {pair.second: pair for pair in ranking.pairs if pair.first == best}
            for name, error in ranking.errors.items():
                low, high = ranking.ranks[name]
                chance = 1 - behind[name].probability if name in behind else math.nan
                yield {
                    "position": position, "m": m, "learner": name, "error": error,
                    "rank_low": low, "rank_high": high, "p_best": chance, "basis": ranking.basis,
                }  # fmt: skip

    def _ranking(self, m: float) -> decisions.Ranking:
        """Of the learners that were measured up to this m and from it on."""
        there = {
            name: curve for name, curve in self.curves.items()
            if curve.curve.m[0] <= m <= curve.last_m
        }  # fmt: skip
        return decisions.ranking(there, m, level=self.level)

    def _pairs(self) -> Iterator[Row]:
        every = np.unique(np.concatenate([curve.curve.m for curve in self.curves.values()]))
        for m in every:
            ranking = self._ranking(float(m))
            for pair in ranking.pairs:
                yield {"m": float(m), "basis": ranking.basis} | vars(pair)

    def _crossings(self) -> Iterator[Row]:
        for first, second in combinations(self.curves, 2):
            try:
                found = decisions.crossing(
                    self.curves[first], self.curves[second], level=self.level
                )
            except TakeoffError as error:
                if "range of m in common" not in error.problem:
                    raise
                continue
            yield {"first": first, "second": second} | vars(found)

    def _label_values(self) -> Iterator[Row]:
        for name, curve in self.curves.items():
            now = curve.curve.last
            step = 1 / PER_CASES if self.info.is_share else LOSS_STEP * now
            yield {"learner": name} | vars(self._value(curve, step))

    def _paths(self) -> Iterator[Row]:
        tail = tail_of(self.level)
        for name, curve in self.curves.items():
            points, whole = len(curve.curve.m), curve.forecast
            quantiles = whole.quantile([tail, 0.5, 1 - tail]).T
            kept = {*range(points), *range(len(whole.m) - 1, points - 1, -EVERY)}
            for i in sorted(kept):
                low, median, high = map(float, quantiles[i])
                yield {"learner": name, "m": float(whole.m[i]), "low": low, "median": median,
                       "high": high, "measured": i < points}  # fmt: skip

    def _ends(self) -> Iterator[Row]:
        for name, curve in self.curves.items():
            ends = decisions.floor_of(curve, level=self.level) or (math.nan,) * 3
            named = dict(zip(("floor", "floor_low", "floor_high"), ends, strict=True))
            yield {"learner": name, "error": curve.curve.last} | named

    def _value(self, curve: Measured, step: float) -> levers.LabelValue:
        return levers.value_of_labels(curve, step, self.level, self.info.floor)


def _plain(values: Row) -> Row:
    """NaN, which JSON doesn't have, as None."""
    return {
        key: None if isinstance(value, float) and math.isnan(value) else value
        for key, value in values.items()
    }
