"""What the paper says of network sizes: facts, and what its templates go through."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.experiments.size_surface import FARTHEST
from takeoff.paper.fact import (
    Fact,
    about,
    about_money,
    fact,
    missing,
    money,
    of_error,
    of_gap,
    share,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from takeoff.experiments import Findings
    from takeoff.measures import Measure
    from takeoff.paper.experiments import Drawn
    from takeoff.paper.facts import Results

FILE = "experiments/network_sizes.json"
NAME = "network_sizes"


# Facts


def facts(results: Results, findings: Findings) -> Iterator[Fact]:
    """Every number that the text prints."""
    said, tables = findings.decided, findings.tables
    measure = results.measures[said["dataset"]]
    yield from _asked(said, tables["errors"])
    yield from _seconds(said, tables["errors"])
    yield from _levers(tables["gains"], tables["errors"], said, measure)
    for i, row in enumerate(tables["depths"].to_dict("records")):
        source = (FILE, f"depths: {row['deep']}, {row['shallow']}")
        yield of_gap(
            f"{NAME}.depth.{i}", row["difference"], measure, source, (row["low"], row["high"])
        )
    if said["interaction"]:
        yield _estimate("interaction", said["interaction"], _two_decimals, "slope per doubling")
    if said["surface"]:
        yield from _surface(said, measure)
        yield from _ends(tables["ends"])
        yield from _budgets(tables["frontier"], said, measure)
    if "held_out" in said:
        yield from _held_out(said["held_out"], measure)


def _asked(said: Mapping[str, Any], cells: pd.DataFrame) -> Iterator[Fact]:
    for name, count in (
        ("n_networks", len(said["networks"])),
        ("n_own", len(said["own"])),
        ("n_m", len(said["m"])),
        ("n_cells", len(cells)),
        ("repeats", said["repeats"]),
        ("m_min", said["m"][0]),
        ("m_max", said["m"][-1]),
    ):
        yield fact(f"{NAME}.{name}", count, wording.count, "count", (FILE, name))
    sizes = cells.drop_duplicates("network").set_index("network")["parameters"]
    for network, size in sizes.items():
        source = (FILE, f"errors: {network}")
        yield fact(f"{NAME}.{network}.parameters", size, wording.count, "parameters", source)
    yield fact(f"{NAME}.margin", said["margin"], wording.plain_percent, "share", (FILE, "margin"))
    farthest = (FILE, "the farthest that is stated")
    yield fact(f"{NAME}.farthest", FARTHEST, wording.plain_number, "multiple", farthest)


def _seconds(said: Mapping[str, Any], cells: pd.DataFrame) -> Iterator[Fact]:
    for name, value in said["seconds"].items():
        source = (FILE, f"seconds: {name}")
        yield fact(f"{NAME}.seconds.{name}", value, wording.duration, "seconds", source)
    own = cells["network"].isin(said["own"])
    total = float(cells.loc[own, "seconds"].sum() * said["repeats"])
    source = (FILE, "errors: seconds of the networks trained for this, times the repeats")
    yield fact(f"{NAME}.seconds.own", total, wording.duration, "seconds", source)


def _levers(
    gains: pd.DataFrame, cells: pd.DataFrame, said: Mapping[str, Any], measure: Measure
) -> Iterator[Fact]:
    """Of every network at the largest m: its error, and what more of either lever brings."""
    most = said["m"][-1]
    for row in cells[cells["m"] == most].to_dict("records"):
        name, source = f"{NAME}.{row['network']}", (FILE, f"errors: {row['network']}, m = {most}")
        yield of_error(f"{name}.error", row["error"], measure, source, (row["low"], row["high"]))
    before = {"labels": said["m"][-2], "network": most}
    last = gains[gains["m"] == gains["lever"].map(before)]
    for row in last.to_dict("records"):
        name = f"{NAME}.{row['network']}.{row['lever']}.measured"
        source = (FILE, f"gains: {row['lever']}, {row['network']}, to m = {most}")
        yield fact(name, row["measured"], share, "share", source, (row["low"], row["high"]))
    for row in gains[gains["m"] == most].to_dict("records"):
        name = f"{NAME}.{row['network']}.{row['lever']}"
        source = (FILE, f"gains: {row['lever']}, {row['network']}, m = {most}")
        ends = (row["expected_low"], row["expected_high"])
        yield fact(f"{name}.expected", row["expected"], share, "share", source, ends)
        yield fact(f"{name}.flops", row["flops"], operations, "operations", source)
        yield fact(f"{name}.seconds", row["seconds"], wording.duration, "seconds", source)
        currency = said["prices"]["currency"]
        yield fact(f"{name}.money", row["money"], about_money(currency), currency, source)


def _surface(said: Mapping[str, Any], measure: Measure) -> Iterator[Fact]:
    surface = said["surface"]
    for name in ("alpha", "beta"):
        yield _estimate(name, surface["parameters"][name], _two_decimals, "exponent")
    floor = surface["parameters"]["E"]
    source = (FILE, "surface: E")
    yield of_error(f"{NAME}.floor", floor["value"], measure, source, (floor["low"], floor["high"]))
    source = (FILE, "surface: widened")
    yield fact(f"{NAME}.widened", surface["widened"], _two_decimals, "multiple", source)
    source = (FILE, "surface: rmse")
    yield fact(f"{NAME}.rmse", surface["rmse"], share, "share", source)
    for lever, left in said["left"].items():
        yield _estimate(f"left.{lever}", left, share, "share")
    for lever, ahead in said["ten_times"].items():
        source = (FILE, f"ten_times: {lever}")
        ends = (ahead["low"], ahead["high"])
        yield of_error(f"{NAME}.ten_times.{lever}", ahead["value"], measure, source, ends)


def _estimate(name: str, found: Mapping[str, Any], write: Any, unit: str) -> Fact:
    ends = (found["low"], found["high"])
    return fact(f"{NAME}.{name}", found["value"], write, unit, (FILE, name), ends)


def _ends(ends: pd.DataFrame) -> Iterator[Fact]:
    """Where the network's lever ends at each m, and the labels' for each network."""
    for row in ends.to_dict("records"):
        other = row["m"] if row["lever"] == "network" else row["parameters"]
        name = f"{NAME}.end.{row['lever']}.{other:.0f}"
        source = (FILE, f"ends: {row['lever']}, {other:.0f}")
        found = fact(name, row["end"], about, "count", source, (row["low"], row["high"]))
        yield replace(found, interval=None if missing(row["low"]) else end_interval(row))
        yield fact(f"{name}.at", other, wording.count, "count", source)


def end_interval(row: Mapping[Any, Any]) -> str:
    """Of a lever's end: an end that is that of the search is beyond it."""
    low = f"below {about(row['low'])}" if row["low_is_open"] else about(row["low"])
    high = f"beyond {about(row['high'])}" if row["high_is_open"] else about(row["high"])
    return wording.between(low, high)


def _budgets(frontier: pd.DataFrame, said: Mapping[str, Any], measure: Measure) -> Iterator[Fact]:
    currency = said["prices"]["currency"]
    write, unit = (
        (operations, "operations") if said["unit"] == "flops" else (about_money(currency), currency)
    )
    for row in frontier[frontier["scale"].notna()].to_dict("records"):
        name = f"{NAME}.budget.{row['scale']:g}"
        source = (FILE, f"frontier: scale = {row['scale']:g}")
        yield fact(f"{name}.scale", row["scale"], wording.plain_number, "multiple", source)
        yield fact(name, row["budget"], write, unit, source)
        for key in ("parameters", "m"):
            ends = (row[f"{key}_low"], row[f"{key}_high"])
            alike = not any(map(missing, ends)) and about(ends[0]) == about(ends[1])
            known = fact(f"{name}.{key}", row[key], about, "count", source, ends)
            yield replace(known, interval=None) if alike else known
        ends = (row["error_low"], row["error_high"])
        yield of_error(f"{name}.error", row["error"], measure, source, ends)
    for key, of in (("label", "cost of a label"), ("hour", "cost of an hour")):
        price = said["prices"][key]
        if price is not None:
            yield fact(f"{NAME}.price.{key}", price, money(currency), currency, ("config", of))


def _held_out(score: Mapping[str, Any], measure: Measure) -> Iterator[Fact]:
    name, source = f"{NAME}.held_out", (FILE, "held_out")
    for key in ("points", "inside"):
        yield fact(f"{name}.{key}", score[key], wording.count, "count", source)
    yield fact(f"{name}.factor", score["factor"], about, "multiple", source)
    for key in ("error", "last_value_error", "width"):
        yield of_gap(f"{name}.{key}", score[key], measure, source)


def _two_decimals(value: float) -> str:
    return wording.decimal(value, 2)


def operations(count: float) -> str:
    """A number of floating-point operations, two digits: 9.2 billion."""
    for name, size in (("quadrillion", 1e15), ("trillion", 1e12), ("billion", 1e9)):
        if count >= 0.95 * size:
            return f"{_two_digits(count / size)}{wording.NO_BREAK}{name}"
    return f"{_two_digits(count / 1e6)}{wording.NO_BREAK}million"


def _two_digits(value: float) -> str:
    if value >= 99.5:
        return about(value)
    return wording.decimal(value, wording.significant(value, 2, most=3))


# What templates see


@dataclass(frozen=True)
class NetworkView:
    """A network of the grid.

    Attributes:
        id: Of its facts.
        label: The widths of its hidden layers: 16-16.
        has_next: Whether a larger one was measured.
    """

    id: str
    label: str
    has_next: bool


@dataclass(frozen=True)
class EndView:
    """Where a lever ends, by the surface.

    Attributes:
        id: Of the facts on it.
        where: See `size_surface.ends_of_levers`.
    """

    id: str
    where: str


@dataclass(frozen=True)
class BudgetView:
    """What one budget buys.

    Attributes:
        id: Of its facts.
        status: "inside", "beyond" or "not stated".
        short_of: What would have to be more than ten times what was measured: "labels",
            "parameters", or "" where it is stated.
    """

    id: str
    status: str
    short_of: str


def view(results: Results, findings: Findings) -> dict[str, Any]:
    """What templates see as `experiments.network_sizes`."""
    said, tables = findings.decided, findings.tables
    gains = tables["gains"]
    wider = gains[(gains["lever"] == "network") & gains["measured"].notna()]
    networks = [
        NetworkView(f"{NAME}.{name}", label, name in set(wider["network"]))
        for name, label in zip(said["networks"], said["labels"], strict=True)
    ]
    surface = said["surface"] is not None
    return {
        "dataset": wording.clean(results.sheets[said["dataset"]]["title"]),
        "measure": results.measures[said["dataset"]],
        "networks": networks,
        "smallest": networks[0],
        "middle": networks[said["middle"]],
        "largest": networks[-1],
        "own": bool(said["own"]),
        "depths_differ": len({label.count("-") for label in said["labels"]}) > 1,
        "interaction": (said["interaction"] or {}).get("verdict", ""),
        "depths": [
            {"id": f"{NAME}.depth.{i}", **{k: row[k] for k in ("shallow", "deep", "verdict")}}
            for i, row in enumerate(tables["depths"].to_dict("records"))
        ],
        "priced": said["unit"] == "money",
        "label_price": bool(said["prices"]["label"]),
        "hour_price": bool(said["prices"]["hour"]),
        "surface": surface,
        "at_floor": surface and said["surface"]["floor"] > 0,
        "widened": surface and said["surface"]["widened"] > 1,
        "status": said["surface"]["status"] if surface else "",
        "left": {lever: one["verdict"] for lever, one in said["left"].items()} if surface else {},
        "ends": _end_views(tables["ends"]) if surface else {},
        "budgets": _budget_views(tables["frontier"], said, tables["errors"]) if surface else [],
        "held_out": said.get("held_out"),
    }


def _end_views(ends: pd.DataFrame) -> dict[str, list[EndView]]:
    found: dict[str, list[EndView]] = {"network": [], "labels": []}
    for row in ends.to_dict("records"):
        other = row["m"] if row["lever"] == "network" else row["parameters"]
        name = f"{NAME}.end.{row['lever']}.{other:.0f}"
        found[row["lever"]].append(EndView(name, row["where"]))
    return found


def _budget_views(
    frontier: pd.DataFrame, said: Mapping[str, Any], cells: pd.DataFrame
) -> list[BudgetView]:
    words = {"measured range": "inside", "beyond it": "beyond"}
    found = []
    for row in frontier[frontier["scale"].notna()].to_dict("records"):
        status = words.get(row["status"], "not stated")
        reached = {
            "labels": row["m"] / said["m"][-1],
            "parameters": row["parameters"] / float(cells["parameters"].max()),
        }
        short_of = max(reached, key=lambda key: reached[key]) if status == "not stated" else ""
        found.append(BudgetView(f"{NAME}.budget.{row['scale']:g}", status, short_of))
    return found


# Figures


def draw(about: Drawn) -> dict[str, Figure]:
    """The figures, by name."""
    from takeoff.paper.experiments import size_figures

    said, tables = about.findings.decided, about.findings.tables
    measure = about.measures[said["dataset"]]
    measure = measure.fitting(tables["errors"]["error"])
    return {
        "size_errors": size_figures.errors(tables["errors"], said, measure),
        "size_gains": size_figures.gains(tables["gains"], said, measure),
        "size_budgets": size_figures.budgets(
            {name: tables.get(name) for name in ("errors", "frontier", "lines")}, said, measure
        ),
    }
