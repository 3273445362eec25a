"""What the paper says of the activations: facts, and what its templates go through."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from takeoff import wording
from takeoff.experiments.activations import CLAIM, LABELS, WEIGHTS
from takeoff.paper.fact import Fact, fact
from takeoff.paper.facts import part_id

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from takeoff.experiments import Findings
    from takeoff.paper.experiments import Drawn
    from takeoff.paper.facts import Results

FILE = "experiments/activations.json"
OPTIMISERS = {"sgd": "gradient descent with momentum", "adam": "Adam"}
FEW = 0.1  # of a network's slopes
SIGNS = {"least": "≥\u202f", "most": "≤\u202f", "both": "~\u202f", "": ""}


# Facts


def facts(results: Results, findings: Findings) -> Iterator[Fact]:
    """Every number that the text prints."""
    said, tables = findings.decided, _of_first(findings)
    yield from _asked(said)
    for row in records(tables["networks"]):
        yield from _network(row)
    for row in records(tables["ratios"]):
        yield from _ratio(row, said)
    for row in records(tables["initialisations"]):
        name = f"activations.{row['activation']}.{row['depth']}.default_to_scaled"
        yield _times(name, row, "ratio", "initialisations")
    for row in records(tables["shares"]):
        source = (FILE, f"shares: {row['depth']}")
        name = f"activations.{row['depth']}.share_gone"
        yield fact(name, row["share"], lambda x: wording.percent(x, 0), "share", source)
    for row in records(tables["kept"]):
        name = f"activations.{row['initialisation']}.{row['activation']}.kept"
        yield _times(name, row, "kept", "kept")
    for row in records(tables["costs"]):
        yield from _cost(row)
    for (activation, initialisation), share in _flat_at_start(tables["layers"]).items():
        name = f"activations.{initialisation}.{activation}.flat_at_start"
        yield fact(name, share, _some, "share", (FILE, f"layers: {name}"))


def _some(share: float) -> str:
    """A share of things that are many, before "of"."""
    return "none" if share < 0.005 else wording.percent(share, 0)


def _flat_at_start(layers: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Share of flat slopes before the first step, over the hidden layers of the deepest networks.

    By activation and initialisation.
    """
    rows = layers[(layers["step"] == 0) & (layers["depth"] == layers["depth"].max())]
    means = rows.groupby(["activation", "initialisation"])["flat"].mean()
    return {(str(one), str(other)): float(share) for (one, other), share in means.items()}


def _of_first(findings: Findings) -> dict[str, pd.DataFrame]:
    """The tables, of the optimiser that the claim is decided for."""
    first = findings.decided["optimiser"]
    return {name: table[table["optimiser"] == first] for name, table in findings.tables.items()}


def _asked(said: Mapping[str, Any]) -> Iterator[Fact]:
    for name in ("m", "width", "steps", "batch_size", "tuning_repeats", "repeats"):
        yield _count(f"activations.{name}", said[name])
    for depth in said["depths"]:
        yield _count(f"activations.depth.{depth}", depth)
    rates = said["rates"][said["optimiser"]]
    yield _count("activations.n_rates", len(rates))
    for name, value in (("lowest_rate", min(rates)), ("highest_rate", max(rates))):
        yield fact(f"activations.{name}", value, wording.plain_number, "rate", (FILE, "rates"))
    yield fact(
        "activations.momentum", said["momentum"], wording.plain_number, "share", (FILE, "momentum")
    )
    for name in ("target", "flat"):
        source = (FILE, name)
        yield fact(f"activations.{name}", said[name], wording.plain_percent, "share", source)
    for i, share in enumerate(said["shares"]):
        source = (FILE, "shares")
        yield fact(f"activations.share.{i}", share, wording.plain_percent, "share", source)
    for name in ("goal", "chance", "best"):
        yield fact(f"activations.{name}", said[name], _loss, "loss", (FILE, name))


def _network(row: Mapping[str, Any]) -> Iterator[Fact]:
    name = _id(row)
    source = (FILE, f"networks: {name}")
    yield _count(f"{name}.arrived", row["arrived"])
    yield _count(f"{name}.repeats", row["repeats"])
    yield fact(f"{name}.rate", row["rate"], wording.plain_number, "rate", source)
    ends = (row["low"], row["high"])
    yield fact(f"{name}.steps", row["steps"], wording.count, "steps", source, ends)
    yield fact(f"{name}.median", row["median"], wording.count, "steps", source)


def _ratio(row: Mapping[str, Any], said: Mapping[str, Any]) -> Iterator[Fact]:
    if row["share"] == said["target"]:
        yield _times(f"{_id(row)}.ratio", row, "ratio", "ratios")
        ends = (row["seconds_low"], row["seconds_high"])
        source = (FILE, f"ratios: {_id(row)}")
        yield fact(f"{_id(row)}.seconds", row["seconds"], times, "ratio", source, ends)
    else:
        place = said["shares"].index(row["share"])
        yield _times(f"{_id(row)}.ratio_at.{place}", row, "ratio", "ratios")


def _cost(row: Mapping[str, Any]) -> Iterator[Fact]:
    name = f"activations.{row['activation']}.{row['depth']}"
    source = (FILE, f"costs: {name}")
    micros = 1e6 * row["seconds"]
    yield fact(f"{name}.microseconds", micros, wording.count, "µs", source)
    yield fact(f"{name}.cost", row["ratio"], times, "ratio", source, (row["low"], row["high"]))


def _times(name: str, row: Mapping[str, Any], value: str, table: str) -> Fact:
    """A ratio with its interval."""
    ends = (row["low"], row["high"])
    return fact(name, row[value], times, "ratio", (FILE, f"{table}: {name}"), ends)


def _count(name: str, value: int) -> Fact:
    return fact(name, value, wording.count, "count", (FILE, name.removeprefix("activations.")))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _id(row: Mapping[str, Any]) -> str:
    return f"activations.{row['initialisation']}.{row['depth']}.{row['activation']}"


def times(ratio: float) -> str:
    """A ratio in three digits, of which two are decimals at most."""
    return wording.decimal(ratio, wording.significant(ratio, 3, most=2))


def _loss(loss: float) -> str:
    return wording.decimal(loss, 2)


# What templates go through


@dataclass(frozen=True)
class RatioView:
    """One ratio of steps to ReLU's.

    Attributes:
        id: Leads to the facts of the network; `.ratio` is not known where nothing arrived.
        depth: The id of the depth's fact.
        activation: Its label.
        has_ratio: Whether a run of either arrived.
        sign: Before the ratio: that it is a bound, or that runs of both were cut off.
        verdict: On the claim's part; "" for others than the sigmoid.
        earlier: Where no run arrived: the ids of the largest share of the way that some did arrive
            at, and of the ratio there.
        earlier_sign: Before that ratio.
    """

    id: str
    depth: str
    activation: str
    has_ratio: bool
    sign: str
    verdict: str
    earlier: tuple[str, str] | None
    earlier_sign: str


@dataclass(frozen=True)
class WeightsView:
    """The networks with one kind of first weights.

    Attributes:
        name, label: As "default" and "default weights".
        signs: Of the ratios of all activations but ReLU, by id.
        cut_off: Ids of the networks of which a run was cut off.
        sigmoid: Those of the sigmoid, by depth.
        vanishing: The verdict on the part on gradients, or "" where there is no estimate.
        part: Its id.
        steep: Whether less than a tenth of the sigmoid's slopes are flat before the first step.
    """

    name: str
    label: str
    signs: dict[str, str]
    cut_off: set[str]
    sigmoid: list[RatioView]
    vanishing: str
    part: str
    steep: bool

    @property
    def is_bound(self) -> bool:
        """Whether any of its ratios has a sign."""
        return any(self.signs.values())


@dataclass(frozen=True)
class ShareView:
    """How much of the sigmoid's disadvantage at one depth is owed to the initialisation.

    Attributes:
        depth: The id of the depth's fact.
        share: The id of the share's fact.
        most: Whether that is shown to be more than half; "" where there was no disadvantage to
            be shown.
        cut_off: Whether runs were cut off, so that the share is a lower bound.
    """

    depth: str
    share: str
    most: str
    cut_off: bool


def view(results: Results, findings: Findings) -> dict[str, Any]:
    """What templates see as `experiments.activations`."""
    said, tables = findings.decided, _of_first(findings)
    weights = [_weights(name, findings, tables) for name in said["initialisations"]]
    ratios = tables["ratios"].query("activation == 'sigmoid' and share == @said['target']")
    cut_off = {
        row["depth"]
        for row in records(ratios.query("initialisation == 'default'"))
        if row["bound"] == "least"
    }
    return {
        "dataset": results.sheets[said["dataset"]]["title"],
        "optimiser": OPTIMISERS[said["optimiser"]],
        "momentum": said["optimiser"] == "sgd",
        "activations": [(name, LABELS[name]) for name in said["activations"]],
        "depths": [f"activations.depth.{depth}" for depth in said["depths"]],
        "deepest": f"activations.depth.{max(said['depths'])}",
        "depth_names": [str(depth) for depth in said["depths"]],
        "weights": weights,
        "shares": [_share(row, cut_off) for row in records(tables["shares"])],
        "kept": set(tables["kept"].dropna()["initialisation"]),
        "at_edge": _at_edge(tables["networks"]),
        "diverged": bool(tables["networks"]["diverged"].any()),
    }


def _weights(name: str, findings: Findings, tables: Mapping[str, pd.DataFrame]) -> WeightsView:
    target = findings.decided["target"]
    parts = {part["subject"]: part for part in _parts(findings)}
    rows = []
    for row in records(tables["ratios"]):
        if row["share"] != target or row["initialisation"] != name:
            continue
        verdict = parts[f"relu_{name}_{row['depth']}"]["verdict"]
        of_claim = row["activation"] == "sigmoid"
        earlier, sign = _earlier(row, tables["ratios"], findings.decided["shares"])
        rows.append(
            RatioView(
                id=_id(row),
                depth=f"activations.depth.{row['depth']}",
                activation=LABELS[row["activation"]],
                has_ratio=math.isfinite(row["ratio"]),
                sign=SIGNS[row["bound"]],
                verdict=verdict if of_claim else "",
                earlier=earlier,
                earlier_sign=sign,
            )
        )
    vanishing = parts[f"relu_{name}"]
    verdict = "" if vanishing["effect"] is None else vanishing["verdict"]
    sigmoid = [row for row in rows if row.activation == LABELS["sigmoid"]]
    return WeightsView(
        name,
        WEIGHTS[name],
        signs={row.id: row.sign for row in rows},
        cut_off={
            _id(row) for row in records(tables["networks"]) if row["arrived"] < row["repeats"]
        },
        sigmoid=sigmoid,
        vanishing=verdict,
        part=part_id(CLAIM, vanishing),
        steep=_flat_at_start(tables["layers"])["sigmoid", name] < FEW,
    )


def _earlier(
    row: Mapping[str, Any], ratios: pd.DataFrame, shares: list[float]
) -> tuple[tuple[str, str] | None, str]:
    """The largest of the other shares at which there is a ratio; its ids and its sign.

    None of runs that were cut off for both: it would say little.
    """
    same = ratios["share"].isin(shares) & ratios["ratio"].notna() & (ratios["bound"] != "both")
    for name in ("activation", "initialisation", "depth"):
        same &= ratios[name] == row[name]
    known = records(ratios[same].sort_values("share"))
    if not known:
        return None, ""
    place = shares.index(known[-1]["share"])
    ids = (f"activations.share.{place}", f"{_id(row)}.ratio_at.{place}")
    return ids, SIGNS[known[-1]["bound"]]


def _parts(findings: Findings) -> list[Mapping[str, Any]]:
    (claim,) = findings.claims
    parts: list[Mapping[str, Any]] = claim["parts"]
    return parts


def _share(row: Mapping[str, Any], cut_off: set[int]) -> ShareView:
    depth = row["depth"]
    names = (f"activations.depth.{depth}", f"activations.{depth}.share_gone")
    return ShareView(*names, most=row["most"] or "", cut_off=depth in cut_off)


def _at_edge(networks: pd.DataFrame) -> list[str]:
    """Networks that arrived and whose rate is at an edge of the grid, in words."""
    there = networks[(networks["at_edge"] != "") & (networks["arrived"] > 0)]
    return [
        f"{LABELS[row['activation']]} with {WEIGHTS[row['initialisation']]} "
        f"({row['depth']} deep, {row['at_edge']} rate)"
        for row in records(there)
    ]


# Figures


def draw(about: Drawn) -> dict[str, Figure]:
    """The figures, by name."""
    from takeoff.paper.experiments import activations_figures as figures

    tables, said = _of_first(about.findings), about.findings.decided
    return {
        "activations_slopes": figures.slopes(tables["ratios"], said),
        "activations_loss": figures.losses(tables["losses"], said),
        "activations_steps": figures.steps(tables["runs"], tables["networks"], said),
        "activations_gradients": figures.gradients(tables["layers"], said),
    }
