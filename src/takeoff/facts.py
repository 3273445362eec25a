"""The facts: every number that the paper prints, by name.

Nothing else in the paper turns a number into text. A template asks for a fact by its id, such as
`fashion_mnist.mlp_large.error_at_max`; an id that isn't there fails the build.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.forecasts import AHEAD, score

if TYPE_CHECKING:
    import pandas as pd

    from takeoff.options import Options

MEANS = {  # of a `forecasts.Score`, and where they come from in the table
    "error": "|predicted - measured|",
    "last_value_error": "|last_value - measured|",
    "width": "high - low",
}
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

    @property
    def datasets(self) -> list[str]:
        return list(self.study["use"]["datasets"])

    @property
    def learners(self) -> list[str]:
        return list(self.study["use"]["learners"])

    @property
    def claims_in_use(self) -> list[Mapping[str, Any]]:
        """The claims that the study asks about, in its order."""
        found = {claim["claim"]: claim for claim in self.claims["claims"]}
        return [found[name] for name in self.study["use"]["claims"] if name in found]


@dataclass(frozen=True)
class Fact:
    """A number with its text.

    Attributes:
        id: Its name.
        value: The number itself, in `unit`; None where `text` isn't a number (a version).
        low, high: Its interval, or None.
        unit: What the number counts: "share" is a fraction of 1, shown as a percentage.
        text: How the paper prints it.
        interval: How the paper prints the interval, or None.
        source: `file` (below results/<study>/) and `select`: the rows and column behind it.
    """

    id: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    text: str
    interval: str | None
    source: dict[str, str]


class Facts:
    """The facts by id."""

    def __init__(self, facts: Iterable[Fact]):
        self._facts: dict[str, Fact] = {}
        for fact in facts:
            if fact.id in self._facts:
                raise ValueError(f"two facts have the id {fact.id}")
            self._facts[fact.id] = fact

    def __getitem__(self, fact_id: str) -> Fact:
        try:
            return self._facts[fact_id]
        except KeyError:
            raise self._missing(fact_id) from None

    def __contains__(self, fact_id: str) -> bool:
        return fact_id in self._facts

    def records(self) -> list[dict[str, Any]]:
        """All facts as JSON-able records, ordered by id."""
        return [asdict(self._facts[fact_id]) for fact_id in sorted(self._facts)]

    def _missing(self, fact_id: str) -> TakeoffError:
        near = difflib.get_close_matches(fact_id, self._facts, n=1)
        hint = f"; did you mean '{near[0]}'?" if near else ""
        return TakeoffError(
            f"there is no fact '{fact_id}'{hint}",
            remedy="mend the id in the template: the ids of all facts are in report.json",
        )


def build(results: Results) -> Facts:
    """All facts about a study's results."""
    about = (_study, _data_sets, _learners)
    measured = (_chosen, _errors, _fits, _reductions, _agreement, _differences)
    ahead = (_forecasts, _held_out)
    from takeoff import option_facts  # it writes facts, so it imports this module

    groups = (*about, *measured, *ahead, _claims, option_facts.build)
    return Facts(fact for group in groups for fact in group(results))


# One fact


def _fact(
    fact_id: str,
    value: float,
    write: Callable[..., str],
    unit: str,
    source: tuple[str, str],
    ends: tuple[Any, Any] = (None, None),
    decimals: Callable[[float], int] | None = None,
) -> Fact:
    """A fact and, where it has one, its interval, written with the same decimals."""
    low, high = (_number(end) for end in ends)
    known = _number(value)
    with_decimals = (decimals(known),) if decimals and known is not None else ()
    interval = None
    if known is not None and low is not None and high is not None:
        interval = wording.between(write(low, *with_decimals), write(high, *with_decimals))
    text = wording.UNKNOWN if known is None else write(known, *with_decimals)
    where = {"file": source[0], "select": source[1]}
    return Fact(fact_id, known, low, high, unit, text, interval, where)


def _number(value: Any) -> float | None:
    """A finite number, or None."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, int | np.integer) else float(value)


def _share(
    fact_id: str, value: float, source: tuple[str, str], ends: tuple[Any, Any] = (None, None)
) -> Fact:
    """A test error or another fraction; an interval is cut where no fraction can be."""
    cut = tuple(None if _number(end) is None else min(max(end, 0.0), 1.0) for end in ends)
    decimals = wording.percent_decimals
    return _fact(fact_id, value, wording.percent, "share", source, (cut[0], cut[1]), decimals)


def _points(fact_id: str, value: float, source: tuple[str, str], ends: tuple[Any, Any]) -> Fact:
    """A difference of two test errors, in percentage points."""
    write = lambda share, decimals: wording.decimal(100 * share, decimals)  # noqa: E731
    decimals = lambda share: 1 if abs(share) >= 0.1 else 2  # noqa: E731
    return _fact(fact_id, value, write, "share (shown in points)", source, ends, decimals)


def _reduction(fact_id: str, value: float, source: tuple[str, str], ends: tuple[Any, Any]) -> Fact:
    """A relative reduction per doubling; may be negative."""
    return _fact(fact_id, value, wording.percent, "share", source, ends, lambda _: 1)


def _decimal(
    fact_id: str,
    value: float,
    unit: str,
    source: tuple[str, str],
    ends: tuple[Any, Any] = (None, None),
    decimals: int = 2,
) -> Fact:
    return _fact(fact_id, value, wording.decimal, unit, source, ends, lambda _: decimals)


def _count(fact_id: str, value: float, source: tuple[str, str]) -> Fact:
    return _fact(fact_id, value, wording.count, "count", source)


def _text(fact_id: str, text: str, source: tuple[str, str]) -> Fact:
    """Something that is printed like a number but isn't one: a version, a grid of settings."""
    where = {"file": source[0], "select": source[1]}
    return Fact(fact_id, None, None, None, "text", text, None, where)


def _ends(row: Mapping[str, Any] | pd.Series[Any], name: str = "") -> tuple[Any, Any]:
    return row[f"{name}low"], row[f"{name}high"]


# The study, its data and its learners


def _study(results: Results) -> Iterator[Fact]:
    study, runs = results.study, results.runs
    config = "config"
    yield _count("study.n_runs", len(runs), ("runs", "number of rows"))
    n_curves = len(runs[["dataset", "learner"]].drop_duplicates())
    yield _count("study.n_curves", n_curves, ("runs", "number of tables"))
    yield _count("study.n_datasets", len(results.datasets), (config, "use.datasets"))
    yield _count("study.n_learners", len(results.learners), (config, "use.learners"))
    if runs["seconds"].notna().any():
        seconds, where = float(runs["seconds"].sum()), ("runs", "sum of seconds")
        yield _fact("study.seconds", seconds, wording.duration, "seconds", where)
    yield _text("study.seed", str(study["seed"]), (config, "seed"))
    repeats = sorted({study["datasets"][name]["repeats"] for name in results.datasets})
    shown = wording.between(*map(wording.count, (repeats[0], repeats[-1])))
    shown = shown if len(repeats) > 1 else wording.count(repeats[0])
    yield _text("study.repeats", shown, (config, "datasets: repeats"))
    plain = wording.plain_percent
    for key in ("level", "forecast_level"):
        source = (config, f"statistics.{key}")
        yield _fact(f"study.{key}", study["statistics"][key], plain, "share", source)
    level = study["statistics"]["level"]
    yield _fact("study.one_sided", (1 - level) / 2, plain, "share", (config, "statistics.level"))
    bootstrap = study["statistics"]["bootstrap"]
    yield _count("study.bootstrap", bootstrap, (config, "statistics.bootstrap"))
    yield from _settings("claims", study["claims"])
    yield from _settings("training", study["training"])
    for package, version in sorted(versions(runs).items()):
        yield _text(f"version.{package}", version, ("runs", "versions"))


def _settings(section: str, values: Mapping[str, Any]) -> Iterator[Fact]:
    """The numbers of one section of the config; fractions are shown as percentages."""
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        is_share = key == "margin" or key.endswith("fraction")
        write = wording.plain_percent if is_share else wording.plain_number
        unit = "share" if is_share else "number"
        yield _fact(f"{section}.{key}", value, write, unit, ("config", f"{section}.{key}"))


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
        source = f"data/{name}.json"
        if not sheet.get("given"):
            for key in ("n_pool", "n_test", "n_features", "n_classes"):
                yield _count(f"{name}.{key}", sheet[key], (source, key))
            largest = max(sheet["class_shares"])
            yield _share(f"{name}.largest_class", largest, (source, "class_shares: the largest"))
        if sheet["floor"] is not None:
            yield _share(f"{name}.bayes_error", sheet["floor"], (source, "floor"))
        all_m = sorted({int(m) for m in results.runs.loc[results.runs["dataset"] == name, "m"]})
        yield _count(f"{name}.m_min", all_m[0], (f"runs/{name}", "smallest m"))
        yield _count(f"{name}.m_max", all_m[-1], (f"runs/{name}", "largest m"))
        yield _count(f"{name}.n_m", len(all_m), (f"runs/{name}", "different m"))
        for m in all_m:
            yield _count(f"{name}.m.{m}", m, ("config", f"datasets.{name}.m"))
        repeats = results.study["datasets"][name]["repeats"]
        yield _count(f"{name}.repeats", repeats, ("config", f"datasets.{name}.repeats"))


def _learners(results: Results) -> Iterator[Fact]:
    for name in results.learners:
        settings = results.study["learners"][name]
        if "grid" not in settings:
            continue
        key, grid = next(iter(settings["grid"].items()))
        tried = wording.joined([wording.plain_number(value) for value in sorted(grid)])
        yield _text(f"{name}.grid.{key}", tried, ("config", f"learners.{name}.grid.{key}"))
        if "hidden" in settings:
            hidden = wording.joined([wording.count(width) for width in settings["hidden"]])
            yield _text(f"{name}.hidden", hidden, ("config", f"learners.{name}.hidden"))
        if "max_trees" in settings:
            source = ("config", f"learners.{name}.max_trees")
            yield _count(f"{name}.max_trees", settings["max_trees"], source)


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
        yield _text(f"{name}.chosen", ", ".join(shown), source)
        at_edge = sum(value in (min(grid), max(grid)) for value in chosen) / len(chosen)
        yield _share(f"{name}.at_edge", at_edge, source)


def _errors(results: Results) -> Iterator[Fact]:
    for (dataset, learner), curve in results.curves.groupby(["dataset", "learner"], sort=True):
        name, file = f"{dataset}.{learner}", f"runs/{dataset}/{learner}.csv"
        for _, row in curve.iterrows():
            yield from _mean(f"{name}.%s.{row['m']}", row, file)
        last = curve.sort_values("m").iloc[-1]
        yield _count(f"{name}.m_max", last["m"], (file, "largest m"))
        yield from _mean(f"{name}.%s_at_max", last, file)
    if "n_params" not in results.runs:
        return
    for (dataset, learner), runs in results.runs.groupby(["dataset", "learner"], sort=True):
        at_max = runs[runs["m"] == runs["m"].max()]
        source = (f"runs/{dataset}/{learner}.csv", "mean n_params at the largest m")
        yield _count(f"{dataset}.{learner}.n_params", float(at_max["n_params"].mean()), source)


def _mean(fact_id: str, row: pd.Series[Any], file: str) -> Iterator[Fact]:
    """Mean error and cost of the repeats at one m; `fact_id` has a place for which of them."""
    source = (file, f"mean test_error where m = {row['m']}")
    yield _share(fact_id % "error", row["test_error"], source, _ends(row))
    if _number(row["seconds"]) is None:
        return
    source = (file, f"mean seconds where m = {row['m']}")
    yield _fact(fact_id % "seconds", row["seconds"], wording.duration, "seconds", source)


def _fits(results: Results) -> Iterator[Fact]:
    for _, row in results.fits.iterrows():
        name = f"{row['dataset']}.{row['learner']}.fit"
        where = f"{row['dataset']}, {row['learner']}"
        source = ("fits/fits.csv", where)
        yield _share(f"{name}.floor", row["floor"], source, _ends(row, "floor_"))
        yield _decimal(f"{name}.exponent", row["exponent"], "1", source, _ends(row, "exponent_"))
        yield _share(f"{name}.rmse", row["log_rmse"], source)


def _forecasts(results: Results) -> Iterator[Fact]:
    """Expected errors at multiples of each curve's own largest m."""
    for (dataset, learner), rows in results.forecast.groupby(["dataset", "learner"], sort=True):
        multiples = rows["m"] / rows["m"].min()
        for word, multiple in AHEAD.items():
            row = rows[np.isclose(multiples, multiple)].iloc[0]
            name = f"{dataset}.{learner}.{word}"
            source = ("fits/forecast.csv", f"{dataset}, {learner}, m = {row['m']:.0f}")
            yield _share(f"{name}.error", row["predicted"], source, _ends(row))
            yield _count(f"{name}.m", row["m"], source)


def _held_out(results: Results) -> Iterator[Fact]:
    """How the forecasts of the last octave did, in each data set and in all."""
    level = results.study["statistics"]["forecast_level"]
    groups = [("study", results.held_out), *results.held_out.groupby("dataset", sort=True)]
    for name, rows in groups:
        if rows.empty:
            continue
        found = score(rows, level)
        source = ("fits/held_out.csv", "all rows" if name == "study" else f"{name}")
        for key in ("curves", "points", "inside"):
            yield _count(f"{name}.held_out.{key}", getattr(found, key), source)
        yield _share(f"{name}.held_out.share_inside", found.inside / found.points, source)
        for key, of in MEANS.items():
            where = (source[0], f"{source[1]}: mean of {of}")
            yield _points(f"{name}.held_out.{key}", getattr(found, key), where, (None, None))


def _reductions(results: Results) -> Iterator[Fact]:
    for _, row in results.last_doublings.iterrows():
        name = f"{row['dataset']}.{row['learner']}.reduction"
        source = ("claims/last_doublings.csv", f"{row['dataset']}, {row['learner']}")
        yield _reduction(name, row["reduction"], source, _ends(row))
        yield _count(f"{name}.to_m", row["to_m"], source)


def _agreement(results: Results) -> Iterator[Fact]:
    for _, row in results.agreement.iterrows():
        source = ("claims/agreement.csv", f"{row['dataset']}, m = {row['m']}")
        name = f"{row['dataset']}.agreement.{row['m']}"
        yield _decimal(name, row["agreement"], "Kendall tau", source, _ends(row))


def _differences(results: Results) -> Iterator[Fact]:
    for _, row in results.differences.iterrows():
        name = f"{row['dataset']}.{row['better']}.less_than.{row['worse']}"
        source = ("claims/differences.csv", name.replace(".", ", "))
        yield _points(name, row["difference"], source, _ends(row))
        if _number(row["difference"]) is not None:
            yield _count(f"{name}.m", row["m"], source)


# What was decided


def _claims(results: Results) -> Iterator[Fact]:
    file = "claims/claims.json"
    for claim in results.claims_in_use:
        name = f"claim.{claim['claim']}"
        verdicts = [part["verdict"] for part in claim["parts"]]
        yield _count(f"{name}.n_parts", len(verdicts), (file, claim["claim"]))
        for verdict in VERDICTS:
            where = f"{claim['claim']}: parts that are {verdict}"
            yield _count(f"{name}.n_{verdict}", verdicts.count(verdict), (file, where))
        for part in claim["parts"]:
            yield from _part(part_id(claim["claim"], part), part, file)


def part_id(claim: str, part: Mapping[str, Any]) -> str:
    """The id of the effect of one part of a claim."""
    slopes = "steepness" if is_steepness(part) else None
    names = [claim, part["dataset"], part["subject"], part["versus"], slopes]
    return "claim." + ".".join(name for name in names if name)


def is_steepness(part: Mapping[str, Any]) -> bool:
    """Whether a part compares the slopes of two curves."""
    return "slopes" in part["unit"]


def _part(name: str, part: Mapping[str, Any], file: str) -> Iterator[Fact]:
    source = (file, name.removeprefix("claim.").replace(".", ", "))
    value = math.nan if part["effect"] is None else part["effect"]
    ends = _ends(part)
    if "relative" in part["unit"]:
        yield _reduction(name, value, source, ends)
    elif part["unit"] == "test error":
        yield _points(name, value, source, ends)
    else:
        yield _decimal(name, value, part["unit"], source, ends)
    for p in ("p_for", "p_against"):
        value = math.nan if part[p] is None else part[p]
        yield _fact(f"{name}.{p}", value, wording.p_value, "p-value", source)
    if part["m"] is not None:
        yield _count(f"{name}.m", part["m"], source)
