"""The facts: every number that the paper prints, by name.

Nothing else in the paper turns a number into text. A template asks for a fact by its id, such as
`fashion_mnist.mlp_large.error_at_max`; an id that isn't there fails the build.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.measures import Measure, of_all
from takeoff.paper import experiments, option_facts, origins
from takeoff.paper.fact import (
    Fact,
    ends_of,
    fact,
    in_points,
    number,
    of_count,
    of_decimal,
    of_error,
    of_gap,
    of_reduction,
    of_share,
    of_text,
)
from takeoff.statistics import claims, far, floors
from takeoff.statistics.forecasts import AHEAD, score

if TYPE_CHECKING:
    from takeoff.experiments import Findings
    from takeoff.metrics import Metric
    from takeoff.statistics.options import Options

MEANS = {  # of a `forecasts.Score`, and where they come from in the table
    "error": "|predicted - measured|",
    "last_value_error": "|last_value - measured|",
    "width": "high - low",
}
KINDS = {"slopes": "steepness", "log2 ratio": "shrinking"}  # in units: ends the ids of such parts
VERDICTS = ("supported", "refuted", "undecided")


@dataclass(frozen=True)
class Results:
    """All that a paper is made from.

    Attributes:
        study: The config, as `Study.model_dump(mode="json")`; `question` (optional) replaces the
            question that the introduction opens with.
        sheets: Per data set, `Dataset.sheet()`.
        runs: A row per cell.
        curves: `fits.summarise`.
        fits: `fits.fit_laws`.
        forecast: `forecasts.forecast_curves`.
        held_out: `forecasts.hold_out`.
        last_doublings, differences, agreement, claims: `claims.check`.
        options: `options.weigh`; None leaves their section out.
        experiments: By name, what they found.
        code: Of "datasets" and "learners", by name: the fingerprint of the code behind each.
    """

    study: Mapping[str, Any]
    sheets: Mapping[str, Mapping[str, Any]]
    runs: pd.DataFrame
    curves: pd.DataFrame
    fits: pd.DataFrame
    forecast: pd.DataFrame
    held_out: pd.DataFrame
    last_doublings: pd.DataFrame
    differences: pd.DataFrame
    agreement: pd.DataFrame
    claims: Mapping[str, Any]
    options: Options | None = None
    experiments: Mapping[str, Findings] = field(default_factory=dict)
    code: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    @property
    def datasets(self) -> list[str]:
        return list(self.study["use"]["datasets"])

    @cached_property
    def measures(self) -> dict[str, Measure]:
        """What each data set is judged by."""
        return {name: Measure.of(sheet, self._errors(name)) for name, sheet in self.sheets.items()}

    @cached_property
    def measure(self) -> Measure | None:
        """What all data sets are judged by, or None where they differ."""
        of_datasets = [self.measures[name] for name in self.datasets]
        same = of_all(of_datasets)
        return same.fitting(self._errors(*self.datasets)) if same else None

    def _errors(self, *datasets: str) -> list[float]:
        own = self.curves["dataset"].isin(datasets)
        return [float(error) for error in self.curves.loc[own, "test_error"]]

    @property
    def learners(self) -> list[str]:
        return list(self.study["use"]["learners"])

    @property
    def claims_in_use(self) -> list[Mapping[str, Any]]:
        """The claims that the study asks about, in its order."""
        experiments = [claim for one in self.experiments.values() for claim in one.claims]
        found = {claim["claim"]: claim for claim in [*self.claims["claims"], *experiments]}
        return [found[name] for name in self.study["use"]["claims"] if name in found]


class Facts:
    """The facts by id."""

    def __init__(self, facts: Iterable[Fact]):
        self._facts: dict[str, Fact] = {}
        for one in facts:
            if one.id in self._facts:
                raise ValueError(f"two facts have the id {one.id}")
            self._facts[one.id] = one

    def __getitem__(self, fact_id: str) -> Fact:
        try:
            return self._facts[fact_id]
        except KeyError:
            raise self._missing(fact_id) from None

    def __contains__(self, fact_id: str) -> bool:
        return fact_id in self._facts

    def __iter__(self) -> Iterator[Fact]:
        """Ordered by id."""
        return (self._facts[fact_id] for fact_id in sorted(self._facts))

    def records(self) -> list[dict[str, Any]]:
        """All facts as JSON-able records, ordered by id; `by` is told by their origins."""
        return [{key: value for key, value in vars(one).items() if key != "by"} for one in self]

    def _missing(self, fact_id: str) -> TakeoffError:
        near = difflib.get_close_matches(fact_id, self._facts, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return TakeoffError(
            f"there is no fact '{fact_id}'{hint}",
            remedy="mend the id in the template: the ids of all facts are in report.json",
        )


def build(results: Results) -> Facts:
    """All facts about a study's results."""
    about = (_study, _machines, _data_sets, _best_possible, _learners)
    measured = (_chosen, _errors, _above_floor, _fits, _reductions, _agreement, _differences)
    ahead = (_forecasts, _far, _held_out)
    groups = (*about, *measured, *ahead, _claims, option_facts.build, _experiments)
    return Facts(one for group in groups for one in _signed(group(results)))


def _signed(facts: Iterator[Fact]) -> Iterator[Fact]:
    """The facts, each with the line that wrote it."""
    for one in facts:
        yield replace(one, by=origins.written_by(facts))


def _experiments(results: Results) -> Iterator[Fact]:
    for name, findings in results.experiments.items():
        yield from experiments.module(name).facts(results, findings)


# The study, its data and its learners


def _study(results: Results) -> Iterator[Fact]:
    study, runs = results.study, results.runs
    config = "config"
    yield of_count("study.n_runs", len(runs), ("runs", "number of rows"))
    n_curves = len(runs[["dataset", "learner"]].drop_duplicates())
    yield of_count("study.n_curves", n_curves, ("runs", "number of tables"))
    yield of_count("study.n_datasets", len(results.datasets), (config, "use.datasets"))
    yield of_count("study.n_learners", len(results.learners), (config, "use.learners"))
    if runs["seconds"].notna().any():
        seconds, where = float(runs["seconds"].sum()), ("runs", "sum of seconds")
        yield fact("study.seconds", seconds, wording.duration, "seconds", where)
    yield of_text("study.seed", str(study["seed"]), (config, "seed"))
    repeats = sorted({study["datasets"][name]["repeats"] for name in results.datasets})
    shown = wording.between(*map(wording.count, (repeats[0], repeats[-1])))
    shown = shown if len(repeats) > 1 else wording.count(repeats[0])
    yield of_text("study.repeats", shown, (config, "datasets: repeats"))
    plain = wording.plain_percent
    for key in ("level", "forecast_level"):
        source = (config, f"statistics.{key}")
        yield fact(f"study.{key}", study["statistics"][key], plain, "share", source)
    level = study["statistics"]["level"]
    yield fact("study.one_sided", (1 - level) / 2, plain, "share", (config, "statistics.level"))
    bootstrap = study["statistics"]["bootstrap"]
    yield of_count("study.bootstrap", bootstrap, (config, "statistics.bootstrap"))
    yield from _settings("claims", study["claims"])
    yield from _settings("training", study["training"])
    for package, version in sorted(versions(runs).items()):
        yield of_text(f"version.{package}", version, ("runs", "versions"))


def _machines(results: Results) -> Iterator[Fact]:
    """What the data sets were prepared on; sheets of older studies don't tell."""
    for i, (dataset, known) in enumerate(machines(results)):
        for key, unit in (("cores", "count"), ("memory", "GiB")):
            value = math.nan if known[key] is None else known[key]
            source = (f"data/{dataset}.json", f"machine: {key}")
            yield fact(f"machine.{i}.{key}", value, wording.count, unit, source)


def machines(results: Results) -> list[tuple[str, Mapping[str, Any]]]:
    """Unlike machines, each with the first data set that was prepared on it."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    for dataset in results.datasets:
        known = results.sheets[dataset].get("machine")
        if known and known not in [one for _, one in found]:
            found.append((dataset, known))
    return found


def _settings(section: str, values: Mapping[str, Any]) -> Iterator[Fact]:
    """The numbers of one section of the config; fractions are shown as percentages."""
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        is_share = key == "margin" or key.endswith("fraction")
        write = wording.plain_percent if is_share else wording.plain_number
        unit = "share" if is_share else "number"
        yield fact(f"{section}.{key}", value, write, unit, ("config", f"{section}.{key}"))


def versions(runs: pd.DataFrame) -> dict[str, str]:
    """Package -> version, as the runs recorded it; several where they differ."""
    found: dict[str, set[str]] = {}
    if "versions" not in runs:
        return {}
    for text in runs["versions"].dropna().unique():
        for package, version in json.loads(text).items():
            found.setdefault(package, set()).add(str(version))
    return {package: wording.joined(sorted(versions)) for package, versions in found.items()}


def _data_sets(results: Results) -> Iterator[Fact]:
    for name, sheet in results.sheets.items():
        if not sheet.get("given"):
            yield from _sheet(name, sheet)
        all_m = sorted({int(m) for m in results.runs.loc[results.runs["dataset"] == name, "m"]})
        yield of_count(f"{name}.m_min", all_m[0], (f"runs/{name}", "smallest m"))
        yield of_count(f"{name}.m_max", all_m[-1], (f"runs/{name}", "largest m"))
        yield of_count(f"{name}.n_m", len(all_m), (f"runs/{name}", "different m"))
        for m in all_m:
            yield of_count(f"{name}.m.{m}", m, ("config", f"datasets.{name}.m"))
        repeats = results.study["datasets"][name]["repeats"]
        yield of_count(f"{name}.repeats", repeats, ("config", f"datasets.{name}.repeats"))


def _sheet(name: str, sheet: Mapping[str, Any]) -> Iterator[Fact]:
    """How large the parts of a data set are, and what was left out of it."""
    source = f"data/{name}.json"
    for key in ("n_pool", "n_test", "n_features", "n_classes", "n_hand_made"):
        yield of_count(f"{name}.{key}", sheet[key], (source, key))
    if sheet["class_shares"]:
        largest = max(sheet["class_shares"])
        yield of_share(f"{name}.largest_class", largest, (source, "class_shares: the largest"))
    for i, (reason, rows) in enumerate(sorted(sheet["left_out"].items())):
        yield of_count(f"{name}.left_out.{i}", rows, (source, f"left_out: {reason}"))
    noise = sheet.get("label_noise")
    if noise and sheet["classes"]:
        yield of_share(f"{name}.label_noise", noise, (source, "label_noise"))


def _best_possible(results: Results) -> Iterator[Fact]:
    """What the best possible and the best constant predictions get."""
    for name, measure in results.measures.items():
        source = f"data/{name}.json"
        if measure.chance is not None:
            yield of_error(f"{name}.chance", measure.chance, measure, (source, "chance"))
        # The second id is the older one, of the time when every measure was a share.
        for key in ("floor", "bayes_error") if measure.floor is not None else ():
            yield of_error(f"{name}.{key}", measure.floor or 0.0, measure, (source, "floor"))
        for key, value in results.sheets[name].get("floors", {}).items():
            if key != "balanced_error":  # see `Measure.of`
                yield _known_floor(f"{name}.floors.{key}", key, value, measure, source)


def _known_floor(fact_id: str, key: str, value: float, measure: Measure, file: str) -> Fact:
    """One measure of the best possible predictions, or a bound of it."""
    source = (file, f"floors: {key}")
    if key == "auc":
        return of_decimal(fact_id, value, "1", source, decimals=3)
    own = key == measure.metric
    of_key = measure if own else Measure(cast("Metric", key), measure.unit).fitting([value])
    return of_error(fact_id, value, of_key, source)


def _learners(results: Results) -> Iterator[Fact]:
    for name in results.learners:
        settings = results.study["learners"][name]
        if "grid" not in settings:
            continue
        key, grid = next(iter(settings["grid"].items()))
        tried = wording.joined([wording.plain_number(value) for value in sorted(grid)])
        yield of_text(f"{name}.grid.{key}", tried, ("config", f"learners.{name}.grid.{key}"))
        if "hidden" in settings:
            hidden = wording.joined([wording.count(width) for width in settings["hidden"]])
            yield of_text(f"{name}.hidden", hidden, ("config", f"learners.{name}.hidden"))
        if "max_trees" in settings:
            source = ("config", f"learners.{name}.max_trees")
            yield of_count(f"{name}.max_trees", settings["max_trees"], source)


# What was measured


def _chosen(results: Results) -> Iterator[Fact]:
    """How often each setting of the grid was chosen, and how often one at the grid's edge."""
    if "settings" not in results.runs:
        return
    for (dataset, learner), runs in results.runs.groupby(["dataset", "learner"], sort=True):
        key, grid = next(iter(results.study["learners"][learner]["grid"].items()))
        chosen = [float(json.loads(settings)[key]) for settings in runs["settings"]]
        shown = [f"{wording.plain_number(v)}: {chosen.count(float(v))}" for v in sorted(grid)]
        source = (f"runs/{dataset}/{learner}.csv", f"settings: {key}")
        name = f"{dataset}.{learner}"
        yield of_text(f"{name}.chosen", ", ".join(shown), source)
        at_edge = sum(value in (min(grid), max(grid)) for value in chosen) / len(chosen)
        yield of_share(f"{name}.at_edge", at_edge, source)


def _errors(results: Results) -> Iterator[Fact]:
    for (dataset, learner), curve in results.curves.groupby(["dataset", "learner"], sort=True):
        name, file = f"{dataset}.{learner}", f"runs/{dataset}/{learner}.csv"
        measure = results.measures[str(dataset)]
        for _, row in curve.iterrows():
            yield from _mean(f"{name}.%s.{row['m']}", row, measure, file)
        last = curve.sort_values("m").iloc[-1]
        yield of_count(f"{name}.m_max", last["m"], (file, "largest m"))
        yield from _mean(f"{name}.%s_at_max", last, measure, file)
    if "n_params" not in results.runs:
        return
    for (dataset, learner), runs in results.runs.groupby(["dataset", "learner"], sort=True):
        at_max = runs[runs["m"] == runs["m"].max()]
        source = (f"runs/{dataset}/{learner}.csv", "mean n_params at the largest m")
        yield of_count(f"{dataset}.{learner}.n_params", float(at_max["n_params"].mean()), source)


def _mean(fact_id: str, row: pd.Series[Any], measure: Measure, file: str) -> Iterator[Fact]:
    """Mean error and cost of the repeats at one m; `fact_id` has a place for which of them."""
    source = (file, f"mean test_error where m = {row['m']}")
    yield of_error(fact_id % "error", row["test_error"], measure, source, ends_of(row))
    if number(row["seconds"]) is None:
        return
    source = (file, f"mean seconds where m = {row['m']}")
    yield fact(fact_id % "seconds", row["seconds"], wording.duration, "seconds", source)


def _above_floor(results: Results) -> Iterator[Fact]:
    """How far the ends of the curves lie above the best possible error, where that is known.

    Where only a lower bound of it is known, the distance is an upper bound.
    """
    level = results.study["statistics"]["level"]
    of_all_curves = (results.runs, results.curves, results.measures)
    for end in floors.ends(*of_all_curves, doublings(results), level):
        measure = results.measures[end.dataset]
        name, at = f"{end.dataset}.{end.learner}", f"mean test_error where m = {end.m}"
        file, floor = f"runs/{end.dataset}/{end.learner}.csv", f"floor in data/{end.dataset}.json"
        source = (file, f"{at}, minus the {floor}")
        yield of_gap(f"{name}.above_floor", end.above, measure, source, (end.low, end.high))
        source = (file, f"{at}: the share of it above the {floor}")
        yield of_share(f"{name}.share_above_floor", end.share, source)
        source = (file, f"{at}: its place between chance (0%) and the {floor} (100%)")
        yield of_reduction(f"{name}.way_covered", end.covered, source, (None, None))
        source = (file, f"test_error minus the {floor}: removed per doubling at the end")
        fallen = (end.reduction_low, end.reduction_high)
        yield of_reduction(f"{name}.above_floor_reduction", end.reduction, source, fallen)


def doublings(results: Results) -> int:
    """Over how many of the last doublings of m curves are judged."""
    return int(results.study["claims"]["doublings"])


def _fits(results: Results) -> Iterator[Fact]:
    for _, row in results.fits.iterrows():
        name = f"{row['dataset']}.{row['learner']}.fit"
        where = f"{row['dataset']}, {row['learner']}"
        source = ("fits/fits.csv", where)
        measure = results.measures[row["dataset"]]
        yield of_error(f"{name}.floor", row["floor"], measure, source, ends_of(row, "floor_"))
        yield of_decimal(
            f"{name}.exponent", row["exponent"], "1", source, ends_of(row, "exponent_")
        )
        yield of_share(f"{name}.rmse", row["log_rmse"], source)


def _forecasts(results: Results) -> Iterator[Fact]:
    """Expected errors at multiples of each curve's own largest m."""
    for (dataset, learner), rows in results.forecast.groupby(["dataset", "learner"], sort=True):
        multiples, measure = rows["m"] / rows["m"].min(), results.measures[str(dataset)]
        for word, multiple in AHEAD.items():
            row = rows[np.isclose(multiples, multiple)].iloc[0]
            name = f"{dataset}.{learner}.{word}"
            source = ("fits/forecast.csv", f"{dataset}, {learner}, m = {row['m']:.0f}")
            yield of_error(f"{name}.error", row["predicted"], measure, source, ends_of(row))
            yield of_count(f"{name}.m", row["m"], source)


def _whole_percent(share: float) -> str:
    return wording.percent(share, 0)


def _far(_: Results) -> Iterator[Fact]:
    """What intervals for a hundred times the labels are worth; see `takeoff.statistics.far`."""
    for name, found in (("ten", far.TEN), ("hundred", far.HUNDRED)):
        source = ("benchmarks/extrapolation.py", f"--horizon {found.factor:g}")
        yield of_count(f"far.{name}.curves", found.curves, source)
        for key in ("inside", "width"):
            share = getattr(found, key)
            yield fact(f"far.{name}.{key}", share, _whole_percent, "share", source)
    source = ("benchmarks/extrapolation.py", "level of the intervals")
    yield fact("far.level", far.LEVEL, wording.plain_percent, "share", source)


def _held_out(results: Results) -> Iterator[Fact]:
    """How the forecasts of the last octave did, in each data set and in all."""
    level = results.study["statistics"]["forecast_level"]
    for name, rows in held_out_groups(results).items():
        found = score(rows, level)
        source = ("fits/held_out.csv", "all rows" if name == "study" else f"{name}")
        for key in ("curves", "points", "inside"):
            yield of_count(f"{name}.held_out.{key}", getattr(found, key), source)
        yield of_share(f"{name}.held_out.share_inside", found.inside / found.points, source)
        measure = results.measure if name == "study" else results.measures[name]
        for key, of in MEANS.items():
            where, value = (source[0], f"{source[1]}: mean of {of}"), getattr(found, key)
            if measure:
                yield of_gap(f"{name}.held_out.{key}", value, measure, where)
            else:
                where = (where[0], f"{where[1]}, in units of the mean measured of the data set")
                yield of_reduction(f"{name}.held_out.{key}", value, where, (None, None))


def held_out_groups(results: Results) -> dict[str, pd.DataFrame]:
    """Rows of `held_out` by data set, and all of them as "study"; only groups that have rows.

    Errors of unlike measures can't be averaged. Where the study has them, those of "study" are in
    units of the mean error that was measured on their data set.
    """
    rows = results.held_out
    groups = {name: rows[rows["dataset"] == name] for name in results.datasets}
    groups = {name: some for name, some in groups.items() if len(some)}
    if not groups:
        return {}
    together = [*groups.values()] if results.measure else [*map(_relative, groups.values())]
    return {"study": pd.concat(together), **groups}


def _relative(rows: pd.DataFrame) -> pd.DataFrame:
    errors = ["measured", "predicted", "low", "high", "last_value"]
    return rows.assign(**(rows[errors] / (rows["measured"].mean() or 1.0)))


def _reductions(results: Results) -> Iterator[Fact]:
    for _, row in results.last_doublings.iterrows():
        name = f"{row['dataset']}.{row['learner']}.reduction"
        source = ("claims/last_doublings.csv", f"{row['dataset']}, {row['learner']}")
        yield of_reduction(name, row["reduction"], source, ends_of(row))
        yield of_count(f"{name}.to_m", row["to_m"], source)


def _agreement(results: Results) -> Iterator[Fact]:
    for _, row in results.agreement.iterrows():
        source = ("claims/agreement.csv", f"{row['dataset']}, m = {row['m']}")
        name = f"{row['dataset']}.agreement.{row['m']}"
        yield of_decimal(name, row["agreement"], "Kendall tau", source, ends_of(row))


def _differences(results: Results) -> Iterator[Fact]:
    for _, row in results.differences.iterrows():
        name = f"{row['dataset']}.{row['better']}.less_than.{row['worse']}"
        source = ("claims/differences.csv", name.replace(".", ", "))
        measure = results.measures[row["dataset"]]
        yield of_gap(name, row["difference"], measure, source, ends_of(row))
        if number(row["difference"]) is not None:
            yield of_count(f"{name}.m", row["m"], source)


# What was decided


def _claims(results: Results) -> Iterator[Fact]:
    file = "claims/claims.json"
    for claim in results.claims_in_use:
        name = f"claim.{claim['claim']}"
        verdicts = [part["verdict"] for part in claim["parts"]]
        yield of_count(f"{name}.n_parts", len(verdicts), (file, claim["claim"]))
        for verdict in VERDICTS:
            where = f"{claim['claim']}: parts that are {verdict}"
            yield of_count(f"{name}.n_{verdict}", verdicts.count(verdict), (file, where))
        for part in claim["parts"]:
            measure = results.measures[part["dataset"]]
            yield from _part(part_id(claim["claim"], part), part, measure, file)


def part_id(claim: str, part: Mapping[str, Any]) -> str:
    """The id of the effect of one part of a claim."""
    kind = next((name for mark, name in KINDS.items() if mark in part["unit"]), None)
    names = [claim, part["dataset"], part["subject"], part["versus"], kind]
    return "claim." + ".".join(name for name in names if name)


def is_steepness(part: Mapping[str, Any]) -> bool:
    """Whether a part compares the slopes of two curves."""
    return "slopes" in part["unit"]


def _slope_decimals(ends: tuple[Any, Any]) -> int:
    """Enough to tell the ends apart: near its floor, the slopes of a log-loss are tiny."""
    low, high = (number(end) for end in ends)
    width = 0.0 if low is None or high is None else high - low
    return max(wording.significant(width, 1, most=4), 2)


def is_difference(part: Mapping[str, Any]) -> bool:
    """Whether a part's effect is a difference of two errors of its data set."""
    return bool(part["unit"] == claims.TEST_ERROR)


def _part(name: str, part: Mapping[str, Any], measure: Measure, file: str) -> Iterator[Fact]:
    source = (file, name.removeprefix("claim.").replace(".", ", "))
    value = math.nan if part["effect"] is None else part["effect"]
    ends = ends_of(part)
    if "relative" in part["unit"]:
        yield of_reduction(name, value, source, ends)
    elif is_difference(part):
        yield in_points(of_gap(name, value, measure, source, ends), measure)
    else:
        decimals = _slope_decimals(ends) if is_steepness(part) else 2
        yield of_decimal(name, value, part["unit"], source, ends, decimals)
    for p in ("p_for", "p_against"):
        value = math.nan if part[p] is None else part[p]
        yield fact(f"{name}.{p}", value, wording.p_value, "p-value", source)
    if part["m"] is not None:
        yield of_count(f"{name}.m", part["m"], source)
