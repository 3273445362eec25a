"""What the paper says and shows of the experiment `speed`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.paper.experiments import Drawn
from takeoff.paper.fact import NONE, Ends, Fact, fact

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from takeoff.experiments import Findings
    from takeoff.paper.facts import Results

FILE = "experiments/speed.json"
WAYS = {  # what each adds to the one before
    "alone": "one network after the other",
    "together": "side by side",
    "stopping": "and stopped early",
    "pilots": "and with pilots",
}
DAY = 86_400.0
MACHINES = ("core", "cores", "gpu", "gpus")
PRECISIONS = {"32-true": "single precision", "bf16-mixed": "half precision"}


def facts(results: Results, findings: Findings) -> Iterator[Fact]:
    """Every number of the section."""
    decided = findings.decided
    yield _number("factor", decided["factor"], "factor", wording.plain_number)
    yield _share("error_margin", decided["error_margin"], wording.plain_percent)
    yield _number("repeats", decided["repeats"], "count", wording.count)
    sizes = wording.joined([wording.count(m) for m in decided["m"]])
    where = {"file": FILE, "select": "decided: m"}
    yield Fact("speed.m", None, None, None, "text", sizes, None, where)
    yield from _ways(findings)
    yield from _steps(findings)
    yield from _tasks(findings)
    yield from _costs(decided)


def _number(
    name: str, value: Any, unit: str, write: Callable[[float], str], ends: Ends = NONE
) -> Fact:
    source = (FILE, name.replace(".", ": "))
    return fact(f"speed.{name}", value, write, unit, source, ends)


def _share(name: str, value: float, write: Callable[[float], str] = wording.percent) -> Fact:
    return _number(name, value, "share", write)


def _factor(name: str, value: Any, ends: Ends = NONE) -> Fact:
    return _number(name, value, "factor", lambda factor: wording.decimal(factor, 1), ends)


def _ways(findings: Findings) -> Iterator[Fact]:
    for row in findings.tables["ways"].to_dict("records"):
        name = f"way.{row['way']}"
        yield _factor(f"{name}.factor", row["factor"], (row["low"], row["high"]))
        yield _number(f"{name}.seconds", row["seconds"], "seconds", span)
        yield _number(f"{name}.per_day", row["per_day"], "runs a day", roughly)
        yield _number(f"{name}.steps", row["steps"], "steps", wording.count)


def _steps(findings: Findings) -> Iterator[Fact]:
    table = findings.tables["steps"]
    yield _share("steps.share.lowest", float(table["share"].min()))
    yield _share("steps.share.highest", float(table["share"].max()))
    largest = table[table["learner"] == findings.decided["largest"]]
    for dataset, rows in largest.groupby("dataset"):
        last = rows.sort_values("m").iloc[-1]
        yield _share(f"steps.{dataset}.share", float(last["share"]))


def _tasks(findings: Findings) -> Iterator[Fact]:
    for row in findings.tables["tasks"].to_dict("records"):
        name = f"task.{row['labels']}.{row['weights']}"
        machine = f"{name}.{row['machine']}"
        ends = (row["low"], row["high"])
        yield _number(f"{machine}.seconds", row["seconds"], "seconds", span, ends)
        yield _number(f"{machine}.per_day", row["per_day"], "runs a day", roughly)
        if row["machine"] == MACHINES[0]:
            yield _number(f"{name}.labels", row["labels"], "factor", wording.count)
            yield _number(f"{name}.weights", row["weights"], "factor", wording.count)


def _costs(decided: Mapping[str, Any]) -> Iterator[Fact]:
    for kind, factor in decided["left_out"].items():
        yield _factor(f"left_out.{kind}", factor)
    yield _number("foretold", decided["foretold"], "factor", lambda x: wording.decimal(x, 2))
    yield _factor("foretold_typical", decided["foretold_typical"])
    peak = decided["peak"] / 1e12
    yield _number("peak", peak, "trillion operations a second", wording.plain_number)
    for name in ("share", "share_low", "share_high"):
        yield _share(name, decided[name], wording.plain_percent)


def span(seconds: float) -> str:
    """A time span, also a very short or a very long one: 4 ms, 35 d."""
    if seconds < 0.095:
        return f"{seconds * 1000:.2g}{wording.NO_BREAK}ms"
    if seconds > 2 * DAY:
        return f"{roughly(seconds / DAY)}{wording.NO_BREAK}d"
    return wording.duration(seconds)


def roughly(value: float) -> str:
    """Two digits of a number that is an estimate: 17,000, 320, 1.5."""
    if value < 10:
        return wording.decimal(value, 1)
    return wording.count(float(f"{value:.2g}"))


def view(results: Results, findings: Findings) -> dict[str, Any]:
    """What the templates see."""
    learners = results.study["learners"]
    decided, ways = findings.decided, findings.tables["ways"]
    tasks = findings.tables["tasks"].drop_duplicates(["labels", "weights"])
    return {
        "dataset": wording.clean(results.sheets[decided["dataset"]]["title"]),
        "network": wording.with_article(wording.clean(learners[decided["network"]]["label"])),
        "largest": wording.with_article(wording.clean(learners[decided["largest"]]["label"])),
        "ways": [{"id": way, "label": WAYS[way]} for way in ways["way"]],
        "same": bool(ways.loc[ways["way"] == "together", "same"].all()) if len(ways) else False,
        "tasks": [
            {"id": f"speed.task.{row['labels']}.{row['weights']}", "measured": not row["projected"],
             "wider": row["weights"] > 1}
            for row in tasks.to_dict("records")
        ],
        "kinds": list(decided["left_out"]),
        "precision": PRECISIONS.get(results.study["training"]["precision"], "this precision"),
        "gpu": "NVIDIA H100",
        "card": "H100",
        "unit": decided["unit"],
        "on_cpu": decided["unit"] == "core",
        "foretold": decided["foretold"] is not None,
    }  # fmt: skip


def draw(about: Drawn) -> dict[str, Figure]:
    """Both figures."""
    from takeoff.paper.experiments import speed_figures

    tables, decided = about.findings.tables, about.findings.decided
    return {
        "iteration_time": speed_figures.iteration_time(
            tables["times"], about.learners, decided["largest"], decided["unit"]
        ),
        "measures": speed_figures.measures(tables["ways"], WAYS, decided["factor"]),
    }
