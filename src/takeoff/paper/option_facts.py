"""The facts of "What more labels would bring", from the tables of `takeoff.statistics.options`.

An estimated number of labels is written with two digits: more would claim what nobody knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.paper.fact import (
    Fact,
    about,
    about_money,
    error,
    fact,
    few_digits,
    missing,
    money,
    share,
    small_share,
    times,
)
from takeoff.statistics.decisions import FARTHEST
from takeoff.statistics.levers import LABELS
from takeoff.statistics.options import BELOW_BEST, BEST_POSSIBLE, LOSS_STEP, PER_CASES

if TYPE_CHECKING:
    import pandas as pd

    from takeoff.measures import Measure
    from takeoff.paper.facts import Results
    from takeoff.statistics.options import Options

Measures = Mapping[str, "Measure"]


def build(results: Results) -> Iterator[Fact]:
    """All facts about a study's options; none where nothing was weighed."""
    options = results.options
    if options is None:
        return
    costs, measures = results.study.get("costs") or {}, results.measures
    yield from _asked(options, costs)
    for dataset, verdict in options.verdicts["datasets"].items():
        yield from _verdict(dataset, verdict, measures[dataset])
    yield from _labels_needed(options, measures)
    yield from _gains(options, measures, costs)
    yield from _ranks(options, measures)
    yield from _crossings(options)
    yield from _values(options, measures, costs)
    yield from _price_of_the_step(results, costs)


# What was asked


def _asked(options: Options, costs: Mapping[str, Any]) -> Iterator[Fact]:
    asked, config = options.verdicts, "config"
    plain = wording.plain_percent
    yield fact("option.margin", asked["margin"], plain, "share", (config, "decisions.margin"))
    level = (config, "statistics.forecast_level")
    yield fact("option.level", asked["level"], plain, "share", level)
    source = ("code", "takeoff.statistics.measured.FARTHEST")
    yield fact("option.farthest", FARTHEST, times, "multiple of m", source)
    source = ("code", "takeoff.statistics.levers.LABELS")
    yield fact("option.lever", LABELS, times, "multiple of m", source)
    for i, factor in enumerate(asked["factors"]):
        source = (config, "decisions.factors")
        yield fact(f"option.factor.{i}", factor, times, "multiple of m", source)
    below = wording.joined([plain(one) for one in BELOW_BEST])
    where = {"file": config, "select": "decisions.targets"}
    yield Fact("option.below_best", None, None, None, "text", below, None, where)
    if costs.get("label") is not None:
        text = money(costs["currency"])
        yield fact("cost.label", costs["label"], text, costs["currency"], (config, "costs.label"))
    if costs.get("hour") is not None:
        text = money(costs["currency"])
        yield fact("cost.hour", costs["hour"], text, costs["currency"], (config, "costs.hour"))


def _verdict(dataset: str, verdict: Mapping[str, Any], measure: Measure) -> Iterator[Fact]:
    file = "decisions/verdicts.json"
    for i, target in enumerate(verdict["targets"]):
        write = error(measure, target)
        known = fact(f"{dataset}.target.{i}", target, write, "error", (file, f"{dataset}: targets"))
        yield replace(known, suffix=measure.suffix)
    for lever in verdict["levers"]:
        name, source = f"{dataset}.lever.{lever['kind']}", (file, f"{dataset}: {lever['kind']}")
        yield fact(name, lever["removes"], share, "share", source, (lever["low"], lever["high"]))
        yield fact(f"{name}.most", lever["high"], share, "share", source)
        yield fact(f"{name}.m", lever["m"], wording.count, "count", source)


# The tables


def _labels_needed(options: Options, measures: Measures) -> Iterator[Fact]:
    places: dict[tuple[str, str], int] = {}
    last = {
        (row["dataset"], row["learner"]): row["m"] for _, row in options.label_values.iterrows()
    }
    for _, row in options.labels_needed.iterrows():
        curve = (row["dataset"], row["learner"])
        i = places[curve] = places.get(curve, -1) + 1
        name = f"{row['dataset']}.{row['learner']}.labels_for.{i}"
        text, interval = needed_in_words(row, last[curve], measures[row["dataset"]])
        m, low, high = (None if missing(row[key]) else row[key] for key in ("m", "low", "high"))
        select = f"{row['dataset']}, {row['learner']}, target = {row['target']:.6g}"
        source = {"file": "decisions/labels_needed.csv", "select": select}
        yield Fact(name, m, low, high, "count", text, interval, source)


def needed_in_words(
    row: Mapping[str, Any] | pd.Series[Any], last_m: float, measure: Measure
) -> tuple[str, str | None]:
    """The number of labels that a target needs, and what is said below it."""
    end = about(FARTHEST * last_m)
    if row["verdict"] == "never":
        if row["remark"] == BEST_POSSIBLE:
            return "never", "below the best possible"
        write = error(measure, row["floor"])
        ends = wording.between(write(row["floor_low"]), write(row["floor_high"]))
        return "never", f"ends at {ends}"
    if row["verdict"] == "not stated":
        if "too few points" in str(row["remark"]):
            return wording.UNKNOWN, "too few points"
        return f"beyond {end}", f"{wording.percent(row['probability'], 0)} chance by then"
    low = about(row["low"])
    high = f"beyond {end}" if missing(row["high"]) else about(row["high"])
    sign = "" if row["verdict"] == "reached" else f"≈{wording.NO_BREAK}"
    if low == high == about(row["m"]):
        return f"{sign}{low}", None
    return f"{sign}{about(row['m'])}", wording.between(low, high)


def _gains(options: Options, measures: Measures, costs: Mapping[str, Any]) -> Iterator[Fact]:
    factors = options.verdicts["factors"]
    for _, row in options.gains.iterrows():
        name = f"{row['dataset']}.{row['learner']}.gain.{factors.index(row['factor'])}"
        select = f"{row['dataset']}, {row['learner']}, factor = {row['factor']:g}"
        source, ends = ("decisions/gains.csv", select), (row["low"], row["high"])
        write = error(measures[row["dataset"]], row["now"])
        yield fact(f"{name}.error", row["error"], write, "error", source, ends)
        ends = (row["relative_low"], row["relative_high"])
        yield fact(f"{name}.relative", row["relative"], share, "share", source, ends)
        yield fact(f"{name}.m", row["m"], wording.count, "count", source)
        if costs.get("label") is not None:
            price = (row["m"] - row["m"] / row["factor"]) * costs["label"]
            unit = costs["currency"]
            yield fact(f"{name}.price", price, money(unit), unit, source)


def _ranks(options: Options, measures: Measures) -> Iterator[Fact]:
    for (dataset, position), rows in options.ranks.groupby(["dataset", "position"], sort=False):
        source = ("decisions/ranks.csv", f"{dataset}, {position}")
        m = rows["m"].iloc[0]
        yield fact(f"{dataset}.rank.{position}.m", m, wording.count, "count", source)
        for _, row in rows.iterrows():
            name = f"{dataset}.{row['learner']}.rank.{position}"
            low, high = int(row["rank_low"]), int(row["rank_high"])
            text = str(low) if low == high else wording.between(str(low), str(high))
            where = {"file": source[0], "select": f"{source[1]}, {row['learner']}"}
            yield Fact(name, low, low, high, "rank", text, None, where)
            measure = measures[str(dataset)]
            write = error(measure, row["error"])
            known = fact(f"{name}.error", row["error"], write, "error", source)
            yield replace(known, suffix=measure.suffix)
            yield fact(f"{name}.p_best", row["p_best"], _probability, "probability", source)


def _probability(p: float) -> str:
    """A probability; none is ever 0 or 1 to the reader."""
    if p < 0.01:
        return f"<{wording.NO_BREAK}1%"
    return f">{wording.NO_BREAK}99%" if p > 0.99 else wording.percent(p, 0)


def _crossings(options: Options) -> Iterator[Fact]:
    for _, row in options.crossings.iterrows():
        if row["verdict"] != "crosses":
            continue
        name = f"{row['dataset']}.crossing.{row['first']}.{row['second']}"
        select = f"{row['dataset']}, {row['first']}, {row['second']}"
        source, ends = ("decisions/crossings.csv", select), (row["low"], row["high"])
        yield fact(name, row["m"], about, "count", source, ends)


def _values(options: Options, measures: Measures, costs: Mapping[str, Any]) -> Iterator[Fact]:
    for _, row in options.label_values.iterrows():
        name = f"{row['dataset']}.{row['learner']}.label"
        source = ("decisions/label_values.csv", f"{row['dataset']}, {row['learner']}")
        if measures[row["dataset"]].is_share:
            unit, write, scale = "errors", few_digits, float(PER_CASES)
        else:  # a step is LOSS_STEP of the error, so that this is a share of it
            unit, write, scale = "share", small_share, LOSS_STEP / row["step"]
        avoids = [scale * row[key] for key in ("avoids", "low", "high")]
        yield fact(f"{name}.lot", row["lot"], wording.count, "count", source)
        yield fact(f"{name}.avoids", avoids[0], write, unit, source, (avoids[1], avoids[2]))
        yield fact(f"{name}.avoids_at_most", avoids[2], write, unit, source)
        ends = (row["cost_low"], row["cost_high"])
        yield fact(f"{name}.cost", row["cost"], about, "count", source, ends)
        yield fact(f"{name}.cost_at_least", row["cost_low"], about, "count", source)
        if costs.get("label") is not None:
            unit = costs["currency"]
            price = [row[key] * costs["label"] for key in ("cost", "cost_low", "cost_high")]
            text = about_money(unit)
            yield fact(f"{name}.price", price[0], text, unit, source, (price[1], price[2]))
            yield fact(f"{name}.price_at_least", price[1], text, unit, source)


def _price_of_the_step(results: Results, costs: Mapping[str, Any]) -> Iterator[Fact]:
    """What the last step of the ladder of networks costs in computing, a run."""
    if costs.get("hour") is None or results.options is None:
        return
    seconds = results.curves.set_index(["dataset", "learner", "m"])["seconds"]
    for dataset, verdict in results.options.verdicts["datasets"].items():
        lever = next(one for one in verdict["levers"] if one["kind"] == "network")
        if missing(lever["removes"]):
            continue
        after, before = (seconds[dataset, lever[key], lever["m"]] for key in ("subject", "versus"))
        price, unit = (after - before) / 3600 * costs["hour"], costs["currency"]
        source = ("fits/curves.csv", f"{dataset}: seconds of the two largest networks")
        if not missing(price):
            yield fact(f"{dataset}.lever.network.price", price, money(unit), unit, source)
