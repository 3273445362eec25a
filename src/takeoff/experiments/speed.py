"""The claim `iteration_speed`: how long an answer takes, and what makes it come sooner.

The lecture says that progress is a circle (an idea, its code, an experiment, the next idea), and
that fast computation shortens it: who has an answer in ten minutes or in a day tries more ideas
than who waits a month. That a faster machine takes less time needs no experiment. Two things do:

- What makes networks better makes the circle longer. Ten times the labels, or a network of ten
  times the weights, multiply the seconds of a tuned run by more than `factor`. Otherwise early
  stopping and a fixed number of steps would have made computing cheap enough for nobody to wait.
  The effect is the growth over the last doublings of the largest network's curve, and that from the
  smallest network to the largest at the largest m that both have, each taken to the power that
  makes it a growth per factor of ten.
- Computing better shortens it on the same machine: the same cells, computed as the study computes
  them (side by side, stopped early, with short pilots), come out more than `factor` times as fast
  as one network after the other, and their error is not higher by `error_margin` of it. The second
  half is needed: it is easy to be fast by stopping too early.

Repeats are the units, on logarithmic scales. What else a machine did meanwhile is shared by the
repeats of a curve and is in no interval; the four ways are timed by the processor's own clock, and
in turns.

Times beyond what was measured come from the cost model (`takeoff.planning.costs`), fitted to the
cells of this study. How good it is, is shown twice: each curve is left out in turn, and the
cheapest cells alone foretell all others. Other machines are projections from published figures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from takeoff.experiments import Asked, Findings
from takeoff.planning import cells, costs
from takeoff.planning.cells import Width
from takeoff.planning.costs import NETWORK, Measured, Model, Task
from takeoff.statistics import claims
from takeoff.statistics.claims import ClaimSettings, Part
from takeoff.statistics.intervals import Estimate, mean_of

CLAIM = "iteration_speed"
GROWTH = "factor of seconds per tenfold"
SAVING = "factor of tuned runs a day"
ERROR = "relative change of the error"
FASTER, AS_GOOD = "computing_better", "error_of_computing_better"
NAMES = {
    FASTER: "all measures together",
    AS_GOOD: "all measures together",
}
WAYS = ("alone", "together", "stopping", "pilots")
DAY, MONTH, MINUTES = 86_400.0, 30 * 86_400.0, 600.0
AHEAD = (10, 100)  # times the labels, or the weights, that times are projected to
POINTS = 13  # of a projected line
CHEAPEST = 0.2  # of the sizes of a curve that are to foretell the others

REPEATS_NEEDED = 3


@dataclass(frozen=True)
class Device:
    """A machine that the study did not run on.

    Attributes:
        name: Short.
        count: Of the devices; each works on runs of its own.
        peak: Floating-point operations a second of one, at the study's precision.
        low, share, high: Of the peak that training reaches.
    """

    name: str
    count: int
    peak: float
    low: float
    share: float
    high: float


# NVIDIA H100 SXM, data sheet (2023), without sparsity: 67e12 in 32 bits, 989e12 in bfloat16. Large
# language models reach 0.38 to 0.43 of the latter on thousands of them (Llama Team, 2024); networks
# as small as these less, even when many of them fill the card. So half of that is taken, between a
# quarter of it and all of it.
PEAKS = {"32-true": 67e12, "bf16-mixed": 989e12}
SHARES = (0.1, 0.2, 0.4)


def analyse(asked: Asked) -> Findings:
    """Decide the claim, and say what an answer costs here and elsewhere."""
    parts = decided(asked)
    measured = _measured(asked)
    everything = [cell for some in measured.values() for cell in some]
    model = costs.fit(everything)
    foretold = _foretold(measured)
    return Findings(
        claims=[
            {
                "claim": CLAIM,
                "verdict": claims.verdict_on(parts),
                "threshold": asked.settings["settings"]["factor"],
                "unit": GROWTH,
                "reason": None if parts else "the study has no networks",
                "parts": [dict(vars(part)) for part in parts],
            }
        ],
        tables={
            "ways": ways(asked.own, asked.settings["level"]),
            "steps": _steps(asked),
            "times": _times(asked, model),
            "tasks": _tasks(asked, model),
            "foretold": foretold,
        },
        decided=_told(asked, model, foretold, everything),
        names=NAMES,
    )


# The claim


def decided(asked: Asked) -> list[Part]:
    """The parts of the claim, with their verdicts."""
    settings = ClaimSettings(level=asked.settings["level"])
    return claims.decided([*_growth(asked), *_computing_better(asked)], settings)


def _growth(asked: Asked) -> Iterator[Part]:
    """What more labels and more weights do to the time of the largest network."""
    networks = _networks(asked)
    if not networks:
        return
    doublings = asked.settings["claims"]["doublings"]
    for dataset in asked.settings["datasets"]:
        seconds = {name: _seconds(asked.runs, dataset, name) for name in networks}
        yield _with_labels(asked, dataset, networks[-1], seconds[networks[-1]], doublings)
        if len(networks) > 1:
            yield _with_weights(asked, dataset, networks[-1], networks[0], seconds)


def _with_labels(
    asked: Asked, dataset: str, name: str, seconds: pd.DataFrame, doublings: int
) -> Part:
    moved = claims.last_doublings(seconds, doublings)
    part = Part(dataset, name, None, moved.to_m, asked.settings["settings"]["factor"], GROWTH)
    if moved.slopes is None:
        return replace(part, reason=moved.reason)
    return _on_logs(part, -moved.slopes * math.log2(10), asked.settings["level"])


def _with_weights(
    asked: Asked, dataset: str, large: str, small: str, seconds: Mapping[str, pd.DataFrame]
) -> Part:
    """From the smallest network to the largest, by the power of ten between their weights."""
    shared = seconds[large].index.intersection(seconds[small].index)
    part = Part(dataset, large, small, None, asked.settings["settings"]["factor"], GROWTH)
    if shared.empty:
        return replace(part, reason="they have no m in common")
    m = int(shared.max())
    ratio = _parameters(asked, dataset, large) / _parameters(asked, dataset, small)
    times = np.log2(seconds[large].loc[m].to_numpy() / seconds[small].loc[m].to_numpy())
    return _on_logs(replace(part, m=m), times / math.log10(ratio), asked.settings["level"])


def _computing_better(asked: Asked) -> Iterator[Part]:
    """The same cells, as the study computes them, against one network after the other."""
    own, wanted = asked.own, asked.settings["settings"]
    if own is None:
        return
    dataset, level = asked.settings["dataset"], asked.settings["level"]
    seconds = own.pivot(index="repeat", columns="way", values="seconds")
    errors = own.pivot(index="repeat", columns="way", values="test_error")
    part = Part(dataset, FASTER, None, None, wanted["factor"], SAVING)
    yield _on_logs(part, _log_ratio(seconds["alone"], seconds["pilots"]), level)
    part = Part(dataset, AS_GOOD, None, None, wanted["error_margin"], ERROR)
    if (errors[["alone", "pilots"]] <= 0).any(axis=None):
        yield replace(part, reason="an error of zero has no relative change")
        return
    yield _on_logs(part, _log_ratio(errors["pilots"], errors["alone"]), level)


def _log_ratio(above: pd.Series[Any], below: pd.Series[Any]) -> Any:
    return np.log2(above.to_numpy(dtype=float) / below.to_numpy(dtype=float))


def _on_logs(part: Part, logs: Any, level: float) -> Part:
    """A factor, or a change of the error, that is decided by its logarithm to base two, [R].

    A factor has to be above its threshold, a change of the error below it.
    """
    if len(logs) < REPEATS_NEEDED:
        return replace(part, reason=f"there are only {len(logs)} repeats")
    less = 1.0 if part.unit == ERROR else 0.0
    found, threshold = mean_of(logs), math.log2(part.threshold + less)
    above, below = found.p_above(threshold), found.p_below(threshold)
    p_for, p_against = (below, above) if part.unit == ERROR else (above, below)
    effect, low, high = (2**value - less for value in (found.value, *found.interval(level)))
    return replace(part, effect=effect, low=low, high=high, p_for=p_for, p_against=p_against)


# What was measured


def ways(own: pd.DataFrame | None, level: float) -> pd.DataFrame:
    """The four ways: tuned runs a day, and how many times those of the first one.

    Returns:
        A row per way: way, seconds (of a tuned run), steps (of a tuned run), test_error, per_day,
        factor, low, high (of the factor), same (whether each error is that of the first way).
    """
    names = ["way", "seconds", "steps", "test_error", "per_day", "factor", "low", "high", "same"]
    if own is None:
        return pd.DataFrame(columns=names)
    each = own.assign(seconds=own["seconds"] / own["runs"], steps=own["steps"] / own["runs"])
    first = each[each["way"] == "alone"].set_index("repeat")
    rows = []
    for way in WAYS:
        some = each[each["way"] == way].set_index("repeat").loc[first.index]
        faster = mean_of(np.log2(first["seconds"] / some["seconds"]))
        low, high = faster.interval(level)
        means = some[["seconds", "steps", "test_error"]].mean()
        same = bool((some["test_error"] == first["test_error"]).all())
        factors = (2**value for value in (faster.value, low, high))
        rows.append((way, *means, DAY / means["seconds"], *factors, same))
    return pd.DataFrame(rows, columns=names)


def _steps(asked: Asked) -> pd.DataFrame:
    """Of each network and m, the share of the steps of the whole grid that were taken at most."""
    rows = []
    training = asked.settings["training"]
    for dataset in asked.settings["datasets"]:
        for name in _networks(asked):
            fit = asked.settings["fits"][name]
            some = _runs_of(asked.runs, dataset, name)
            for m, at in some.groupby("m"):
                n_train = int(at["n_train"].iloc[0])
                allowed = costs.budget(n_train, training, cells.settings_tried(fit))
                taken = float(np.mean([allowed.taken(float(n)) for n in at["steps"]]))
                own = float(at["steps"].mean()) / allowed.main.total
                rows.append((dataset, name, int(str(m)), taken / allowed.whole_grid, own))
    return pd.DataFrame(rows, columns=["dataset", "learner", "m", "share", "own_share"])


def _measured(asked: Asked) -> dict[str, list[Measured]]:
    """The cells of every curve, by data set and learner."""
    found = {}
    for curve in asked.settings["design"]:
        dataset, learner = curve["dataset"], curve["learner"]
        fit, training = asked.settings["fits"][learner], asked.settings["training"]
        width = Width.of(asked.sheets[dataset], fit.get("features", "raw"))
        some = _runs_of(asked.runs, dataset, learner)
        found[f"{dataset} {learner}"] = list(cells.measured(some, fit, training, width))
    return found


def _foretold(measured: Mapping[str, Sequence[Measured]]) -> pd.DataFrame:
    """What the cheapest cells of each curve, with the cost model, say of its other cells.

    The model is the reference that comes with takeoff, times one factor for the curve: that of its
    cells at the fewest labels. Nothing of the others is used, not even how early they stopped.

    Returns:
        A row per curve with more than one m: curve, known, foretold, seconds (measured), factor.
    """
    from takeoff.planning import reference

    rows = []
    for curve, some in measured.items():
        sizes = sorted({cell.task.n_train for cell in some})
        if len(sizes) < 2:
            continue
        cheap = set(sizes[: max(1, round(CHEAPEST * len(sizes)))])
        known = [cell for cell in some if cell.task.n_train in cheap]
        others = [cell for cell in some if cell.task.n_train not in cheap]
        expected = reference.MODEL.seconds
        scale = sum(cell.seconds for cell in known) / sum(expected(cell.task) for cell in known)
        before = [cell.before(reference.MODEL.stopping) for cell in others]
        told = scale * sum(expected(task) for task in before)
        took = sum(cell.seconds for cell in others)
        rows.append((curve, sum(cell.seconds for cell in known), told, took, told / took))
    names = ["curve", "known", "foretold", "seconds", "factor"]
    return pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[1:], float))


# Beyond what was measured


def _times(asked: Asked, model: Model) -> pd.DataFrame:
    """Seconds of a tuned run of each network on the data set, measured and projected.

    Returns:
        A row per network and m: learner, times (how many times the weights of the largest
        network, 0 for the study's own), m, seconds, low, high, projected.
    """
    dataset, level = asked.settings["dataset"], asked.settings["level"]
    rows: list[tuple[Any, ...]] = []
    for name in _networks(asked):
        seconds = _seconds(asked.runs, dataset, name)
        for m, at in seconds.iterrows():
            low, high = _interval_of(at.to_numpy(), level)
            rows.append((name, 0, int(str(m)), float(at.mean()), low, high, False))
    for name, times in _projected_networks(asked):
        anchor, start = _anchor(asked, model, name)
        for m in np.geomspace(start, start * max(AHEAD), POINTS):
            found = _projection(asked, model, name, times, round(m), anchor)
            rows.append((name, times, round(m), *found, True))
    names = ["learner", "times", "m", "seconds", "low", "high", "projected"]
    return pd.DataFrame(rows, columns=names)


def _projected_networks(asked: Asked) -> list[tuple[str, int]]:
    networks = _networks(asked)
    return [*((name, 0) for name in networks), *((networks[-1], times) for times in AHEAD)]


def _projection(
    asked: Asked, model: Model, name: str, times: int, m: int, anchor: float
) -> tuple[float, float, float]:
    """Seconds of a tuned run, and their interval.

    The number of passes through the labels stays what the config says, however many steps that
    is: a cap on steps would make the largest m cheap, and the answer worse.
    """
    task = _task(asked, model, name, times, m)
    seconds = anchor * model.seconds(task)
    far = NormalDist().inv_cdf((1 + asked.settings["forecast_level"]) / 2)
    off = math.exp(far * model.uncertainty(NETWORK))
    return seconds, seconds / off, seconds * off


def _task(asked: Asked, model: Model, name: str, times: int, m: int) -> Task:
    training = asked.settings["training"]
    uncapped = training | {"max_steps": 10**12}
    fit = asked.settings["fits"][name]
    width = Width.of(asked.sheets[asked.settings["dataset"]], fit.get("features", "raw"))
    found = cells.planned(m, fit, uncapped, width, model.stopping)
    return replace(found, hidden=widened(found, times)) if times else found


def widened(task: Task, times: float) -> tuple[int, ...]:
    """Hidden layers of the same proportions with about so many times the parameters."""
    low, high = 1.0, float(times)
    for _ in range(60):
        middle = (low + high) / 2
        wide = tuple(max(1, round(middle * units)) for units in task.hidden)
        if replace(task, hidden=wide).n_params < times * task.n_params:
            low = middle
        else:
            high = middle
    return tuple(max(1, round(high * units)) for units in task.hidden)


def _anchor(asked: Asked, model: Model, name: str) -> tuple[float, int]:
    """How many times the model's seconds a network took at its largest m, and that m."""
    seconds = _seconds(asked.runs, asked.settings["dataset"], name)
    m = int(seconds.index[-1])
    expected = model.seconds(_task(asked, model, name, 0, m))
    return float(np.mean(seconds.loc[m].to_numpy())) / expected, m


def _tasks(asked: Asked, model: Model) -> pd.DataFrame:
    """What a tuned run of the largest network takes here and on other machines.

    Returns:
        A row per task and machine: labels, weights (how many times the study's largest), machine,
        seconds, low, high, per_day (of all its devices), projected.
    """
    name = _networks(asked)[-1]
    anchor, m = _anchor(asked, model, name)
    rows: list[tuple[Any, ...]] = []
    for labels, weights in ((1, 1), (10, 1), (10, 10), (100, 100)):
        task = _task(asked, model, name, weights if weights > 1 else 0, labels * m)
        here = _projection(asked, model, name, weights if weights > 1 else 0, labels * m, anchor)
        if labels == weights == 1:
            seconds = _seconds(asked.runs, asked.settings["dataset"], name).loc[m].to_numpy()
            here = (float(seconds.mean()), *_interval_of(seconds, asked.settings["level"]))
        projected = labels * weights > 1
        for machine, count in (("core", 1), ("cores", 2)):
            rows.append((labels, weights, machine, *here, count * DAY / here[0], projected))
        for device in devices(asked.settings["training"]["precision"]):
            work = task.steps * task.flops_a_step
            some = [work / (device.peak * x) for x in (device.share, device.high, device.low)]
            per_day = device.count * DAY / some[0]
            rows.append((labels, weights, device.name, *some, per_day, True))
    names = ["labels", "weights", "machine", "seconds", "low", "high", "per_day", "projected"]
    return pd.DataFrame(rows, columns=names)


def devices(precision: str) -> list[Device]:
    """One GPU, and eight."""
    peak = PEAKS.get(precision, PEAKS["32-true"])
    return [Device(name, n, peak, *SHARES) for name, n in (("gpu", 1), ("gpus", 8))]


def _told(
    asked: Asked, model: Model, foretold: pd.DataFrame, measured: Sequence[Measured]
) -> dict[str, Any]:
    """What the paper speaks of beside the tables."""
    kinds = sorted({cell.task.kind for cell in measured})
    left_out = {
        kind: costs.left_out([cell for cell in measured if cell.task.kind == kind])
        for kind in kinds
    }
    task = _task(asked, model, _networks(asked)[-1], 0, 1000)
    precision = asked.settings["training"]["precision"]
    low, share, high = SHARES
    return {
        "dataset": asked.settings["dataset"],
        "network": _networks(asked)[0],
        "largest": _networks(asked)[-1],
        "factor": asked.settings["settings"]["factor"],
        "error_margin": asked.settings["settings"]["error_margin"],
        "m": asked.settings["settings"]["m"],
        "repeats": asked.settings["settings"]["repeats"],
        "parameters": task.n_params,
        "unit": "core" if set(asked.runs.get("device", ["cpu"])) == {"cpu"} else "device",
        "left_out": {kind: _typical(list(some.values())) for kind, some in left_out.items()},
        "foretold": float(foretold["foretold"].sum() / foretold["seconds"].sum())
        if len(foretold)
        else None,
        "foretold_typical": _typical(np.log(foretold["factor"]).tolist()),
        "peak": PEAKS.get(precision, PEAKS["32-true"]),
        "share": share,
        "share_low": low,
        "share_high": high,
    }


def _typical(logs: Sequence[float]) -> float | None:
    """The factor that predictions are off by, up or down, as a root mean square."""
    return math.exp(math.sqrt(float(np.mean(np.square(logs))))) if logs else None


# Small pieces


def _networks(asked: Asked) -> list[str]:
    """Names, from small to large."""
    networks = [one for one in asked.settings["learners"] if one["family"] == "network"]
    return [one["name"] for one in sorted(networks, key=lambda one: one["rank"])]


def _runs_of(runs: pd.DataFrame, dataset: str, learner: str) -> pd.DataFrame:
    return runs[(runs["dataset"] == dataset) & (runs["learner"] == learner)]


def _seconds(runs: pd.DataFrame, dataset: str, learner: str) -> pd.DataFrame:
    """Of every run: a row per m (ascending), a column per repeat."""
    some = _runs_of(runs, dataset, learner)
    return some.pivot(index="m", columns="repeat", values="seconds").sort_index()


def _parameters(asked: Asked, dataset: str, learner: str) -> float:
    return float(_runs_of(asked.runs, dataset, learner)["n_params"].iloc[0])


def _interval_of(seconds: Any, level: float) -> tuple[float, float]:
    """Of the mean; on a logarithmic scale, as seconds are positive."""
    if len(seconds) < 2:
        return math.nan, math.nan
    found: Estimate = mean_of(np.log(seconds))
    low, high = found.interval(level)
    return math.exp(low), math.exp(high)
