"""Is ReLU faster than the sigmoid? The claim `relu_is_faster`, and what is beside it.

Steps to a target are compared within each repeat, in which all networks see the same batches and
have the same underlying random weights, as ratios: by differences of their logarithms, with a t
interval over the repeats. A run that has not arrived when the budget is used up counts as having
needed the budget: what is compared is the *restricted* time (Royston and Parmar, 2013). So a ratio
is a lower bound where only its numerator was censored; where no run of either network arrived there
is no ratio. Curves of who has arrived by when are those of Kaplan and Meier (1958).

Intervals allow for how well the rates were tuned, which no repeat that is judged shows. With K
tuning repeats, log steps that vary by s between runs, and a rate that adds c when it is one step of
the grid off (a parabola; the best rate may lie anywhere between two), the chosen rate is off by
c / sqrt(180) for the grid and by about 0.43 s / sqrt(K) for the choice: fitted to simulations with
s from 0.15 to 0.35, c from 0.1 to 2 and K from 2 to 4. `benchmarks/activations_calibration.py`
shows what comes of it.

The claim has two kinds of parts, for each initialisation:

steps: At each depth, the sigmoid takes more steps to the target than ReLU: a ratio above 1.
vanishing: Before the first step, the gradient's norm by the first layer's weights over that by the
    last layer's falls with depth, by a factor per layer (least squares on the logarithm); that
    factor is smaller for the sigmoid than for ReLU: a ratio above 1.

How much of a ratio is owed to the initialisation: with L the logarithm of the ratio of steps, the
share 1 - L(scaled) / L(default) of it goes away once the weights are scaled for each activation.
That this is more than half is shown where the repeats' L(default) - 2 L(scaled) are above zero.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from takeoff.experiments import Asked, Findings, arrivals
from takeoff.experiments.arrivals import NETWORK, Floats
from takeoff.statistics.claims import ClaimSettings, Part, decided, verdict_on
from takeoff.statistics.intervals import Estimate, decide, mean_of

CLAIM = "relu_is_faster"
RATIO = "ratio of steps, sigmoid to ReLU"
VANISHING = "ratio of what is kept of a gradient per layer, ReLU to sigmoid"
NEITHER = "no run of either arrived within the budget of steps"
LABELS = {"relu": "ReLU", "sigmoid": "sigmoid", "tanh": "tanh", "gelu": "GELU"}
WEIGHTS = {"default": "default weights", "scaled": "scaled weights"}


def analyse(asked: Asked) -> Findings:
    """Decide the claim, for the first of the optimisers, and say what is beside it.

    Returns:
        tables: Those of `TABLES`; see the methods of `Optimised`.
        decided: The settings that the paper speaks of; the optimiser that the claim is decided for;
        and losses: chance, best, the goal, and the goals of the other shares.
    """
    assert asked.own is not None
    settings, level = asked.settings["settings"], asked.settings["level"]
    every = [Optimised(asked.own, one, settings, level) for one in settings["optimisers"]]
    first = every[0]
    parts = decided(list(first.parts()), ClaimSettings(level=level))
    return Findings(
        claims=[
            {
                "claim": CLAIM, "verdict": verdict_on(parts), "threshold": 1.0, "unit": RATIO,
                "reason": None, "parts": [dict(vars(part)) for part in parts],
            }
        ],
        tables={
            name: pd.concat([getattr(one, name)() for one in every], ignore_index=True)
            for name in TABLES
        },
        decided={
            **{name: settings[name] for name in SPOKEN_OF},
            "optimiser": first.optimiser, "goal": first.goal, "chance": first.chance,
            "best": first.best, "goals": first.goals,
        },
        names=_names(settings),
    )  # fmt: skip


CHOICE = 2 * 0.43**2 / 2  # as a share of the variance of a log ratio, which is 2 s^2
GRID = 180  # the reciprocal variance of u^2, u uniform between -1/2 and 1/2

TABLES = (
    *("networks", "ratios", "initialisations", "shares", "kept", "costs"),
    *("runs", "arrived", "losses", "layers"),
)
SPOKEN_OF = (
    *("dataset", "m", "activations", "initialisations", "depths", "width", "steps", "batch_size"),
    *("tuning_repeats", "repeats", "target", "shares", "flat", "momentum", "rates"),
)


@dataclass(frozen=True, eq=False)
class Optimised:
    """All runs with one optimiser.

    Args:
        own: What `activations_training.measure` returned.
        optimiser: Its name.
        settings: Of the experiment.
        level: Of the intervals.
    """

    own: pd.DataFrame
    optimiser: str
    settings: Mapping[str, Any]
    level: float

    # What was measured

    def rows(self, kind: str, phase: str | None = None) -> pd.DataFrame:
        """Of one kind, whole numbers as such."""
        chosen = (self.own["kind"] == kind) & (self.own["optimiser"] == self.optimiser)
        if phase is not None:
            chosen &= self.own["phase"] == phase
        whole = [name for name in ("depth", "repeat", "step", "layer")]
        found = self.own[chosen].dropna(axis="columns", how="all")
        return found.astype({name: int for name in whole if name in found})

    @cached_property
    def chance(self) -> float:
        """The loss of guessing."""
        return float(self.own.loc[self.own["kind"] == "chance", "loss"].iloc[0])

    @cached_property
    def best(self) -> float:
        """The lowest loss of the shallowest networks' tuning runs; as in the training."""
        tuning = self.rows("loss", "tuning")
        return arrivals.best_loss(tuning[tuning["depth"] == tuning["depth"].min()])

    @cached_property
    def goal(self) -> float:
        """The loss that has to be arrived at."""
        return arrivals.target(self.chance, self.best, self.settings["target"])

    @property
    def goals(self) -> list[float]:
        """The losses of the other shares of the way."""
        return [arrivals.target(self.chance, self.best, share) for share in self.settings["shares"]]

    @cached_property
    def judged(self) -> pd.DataFrame:
        """`arrivals.arrivals` of the judged runs at the goal, with restricted steps, and astray."""
        return self._judged_at(self.goal)

    def _judged_at(self, goal: float) -> pd.DataFrame:
        found = arrivals.arrivals(self.rows("loss", "judged"), goal)
        found = found.merge(astray_rates(self.tuning, self.settings["steps"]), on=NETWORK)
        return found.assign(steps=found["arrived_at"].clip(upper=self.settings["steps"]))

    @cached_property
    def tuning(self) -> pd.DataFrame:
        """`arrivals.arrivals` of the tuning runs at the goal."""
        return arrivals.arrivals(self.rows("loss", "tuning"), self.goal)

    def steps(self, activation: str, initialisation: str, depth: int) -> pd.DataFrame:
        """The judged runs of one network, in the order of the repeats."""
        runs = self.judged
        own = (
            (runs["activation"] == activation)
            & (runs["initialisation"] == initialisation)
            & (runs["depth"] == depth)
        )
        return runs[own].sort_values("repeat")

    # The claim

    def parts(self) -> Iterator[Part]:
        """Of the claim."""
        for initialisation in self.settings["initialisations"]:
            for depth in self.settings["depths"]:
                subject = f"relu_{initialisation}_{depth}"
                part = Part(self.settings["dataset"], subject, "sigmoid", None, 1.0, RATIO)
                estimate = self.ratio("sigmoid", initialisation, depth)
                yield self._measured(part, estimate, NEITHER)
            yield self._vanishing(initialisation)

    def _measured(self, part: Part, estimate: Estimate | None, reason: str) -> Part:
        """A part with a ratio, from the estimate of its logarithm."""
        if estimate is None:
            return replace(part, reason=reason)
        low, high = estimate.interval(self.level)
        return replace(
            part,
            effect=_exp(estimate.value),
            low=_exp(low),
            high=_exp(high),
            p_for=estimate.p_above(0.0),
            p_against=estimate.p_below(0.0),
        )

    def ratio(self, activation: str, initialisation: str, depth: int) -> Estimate | None:
        """Log ratio of restricted steps, to ReLU's; None if no run of either arrived."""
        own, relu = (self.steps(a, initialisation, depth) for a in (activation, "relu"))
        return compared(own, relu, self.settings["tuning_repeats"])

    def _vanishing(self, initialisation: str) -> Part:
        dataset, subject = self.settings["dataset"], f"relu_{initialisation}"
        part = Part(dataset, subject, "sigmoid", None, 1.0, VANISHING)
        if len(self.settings["depths"]) < 2:
            return replace(part, reason="a single depth was trained")
        relu, sigmoid = (self.kept_per_layer(a, initialisation) for a in ("relu", "sigmoid"))
        if not (np.isfinite(relu).all() and np.isfinite(sigmoid).all()):
            return replace(part, reason="some gradient was zero from the start")
        return self._measured(part, mean_of(relu - sigmoid), "")

    def kept_per_layer(self, activation: str, initialisation: str) -> Floats:
        """Log of the factor by which first-layer over last-layer gradient falls per layer, [R]."""
        ends = self._ends(activation, initialisation)
        depths = ends.index.to_numpy(dtype=float)
        centred = (depths - depths.mean())[:, None]
        with np.errstate(invalid="ignore"):  # infinity less infinity
            found: Floats = (centred * ends.to_numpy()).sum(axis=0) / (centred**2).sum()
        return found

    def kept(self) -> pd.DataFrame:
        """A row per activation and initialisation: what is kept of a gradient per layer.

        kept, low, high; missing where a gradient was zero, or only one depth was trained.
        """
        rows = []
        for activation, initialisation in itertools.product(
            self.settings["activations"], self.settings["initialisations"]
        ):
            several = len(self.settings["depths"]) > 1
            logs = self.kept_per_layer(activation, initialisation) if several else np.array([])
            estimate = mean_of(logs) if several and np.isfinite(logs).all() else None
            rows.append(
                {"optimiser": self.optimiser, "activation": activation,
                 "initialisation": initialisation}
                | _ends_of(("kept", "low", "high"), estimate, self.level)
            )  # fmt: skip
        return pd.DataFrame(rows)

    def _ends(self, activation: str, initialisation: str) -> pd.DataFrame:
        """Log of first-layer over last-layer gradient at the start: a row per depth."""
        rows = self.rows("layer")
        rows = rows[
            (rows["step"] == 0)
            & (rows["activation"] == activation)
            & (rows["initialisation"] == initialisation)
        ]
        table = rows.pivot(index=["depth", "repeat"], columns="layer", values="gradient")
        last = table.ffill(axis="columns").iloc[:, -1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return pd.DataFrame(np.log(table[1] / last), columns=["log"])["log"].unstack("repeat")

    # The tables

    def networks(self) -> pd.DataFrame:
        """A row per network: rate, at_edge, arrived, repeats, steps (geometric mean), low, high."""
        tuned = arrivals.tuned(self.tuning, self.settings["steps"])
        edge = np.select([tuned["lowest"], tuned["highest"]], ["lowest", "highest"], "")
        rows = []
        for network, own in self.judged.groupby(NETWORK, sort=False):
            estimate = mean_of(np.log(own["steps"]))
            ends = map(_exp, estimate.interval(self.level))
            arrived = int(np.isfinite(own["arrived_at"]).sum())
            diverged = int(np.isinf(own["last_loss"]).sum())
            last = (_median(own["arrived_at"]), float(own["last_loss"].mean()))
            steps = (_exp(estimate.value), *ends)
            rows.append((*network, arrived, len(own), diverged, *steps, *last))
        names = ["arrived", "repeats", "diverged", "steps", "low", "high", "median", "last_loss"]
        found = pd.DataFrame(rows, columns=[*NETWORK, *names])
        return found.merge(tuned[[*NETWORK, "rate"]].assign(at_edge=edge), on=NETWORK)

    def ratios(self) -> pd.DataFrame:
        """A row per activation but ReLU, initialisation, depth and share of the way.

        ratio, low, high: of restricted steps to ReLU's; seconds, seconds_low, seconds_high: of
        seconds; arrived, relu_arrived: how many of the runs; bound: "least" where only runs of the
        activation were censored, "most" where only ReLU's, "both", or "".
        """
        rows = []
        shares = [*self.settings["shares"], self.settings["target"]]
        for share, goal in zip(shares, [*self.goals, self.goal], strict=True):
            at = replace(self, settings={**self.settings, "target": share})
            assert at.goal == goal
            rows += list(at._ratios())
        return pd.DataFrame(rows)

    def _ratios(self) -> Iterator[dict[str, Any]]:
        kinds = itertools.product(self.settings["initialisations"], self.settings["depths"])
        others = [name for name in self.settings["activations"] if name != "relu"]
        for (initialisation, depth), activation in itertools.product(kinds, others):
            own, relu = (self.steps(a, initialisation, depth) for a in (activation, "relu"))
            steps = compared(own, relu, self.settings["tuning_repeats"])
            row = {
                "optimiser": self.optimiser, "activation": activation,
                "initialisation": initialisation, "depth": depth, "share": self.settings["target"],
                **_ends_of(("ratio", "low", "high"), steps, self.level),
            }  # fmt: skip
            seconds = None if steps is None else _sum(steps, self.cost(activation, depth))
            names = ("seconds", "seconds_low", "seconds_high")
            arrived = [int(np.isfinite(runs["arrived_at"]).sum()) for runs in (own, relu)]
            yield (
                row
                | _ends_of(names, seconds, self.level)
                | {
                    "arrived": arrived[0],
                    "relu_arrived": arrived[1],
                    "repeats": len(own),
                    "bound": _bound(own, relu),
                }
            )

    def cost(self, activation: str, depth: int) -> Estimate:
        """Log ratio of the seconds of a step to ReLU's, over the rounds of the timing."""
        rows = self.rows("cost")
        rows = rows[rows["depth"] == depth]
        seconds = rows.pivot(index="repeat", columns="activation", values="seconds")
        return mean_of(np.log(seconds[activation] / seconds["relu"]))

    def costs(self) -> pd.DataFrame:
        """A row per activation and depth: seconds of a step (median), ratio to ReLU, low, high."""
        rows = []
        measured = self.rows("cost").groupby(["activation", "depth"])["seconds"].median()
        for activation, depth in itertools.product(
            self.settings["activations"], self.settings["depths"]
        ):
            ends = _ends_of(("ratio", "low", "high"), self.cost(activation, depth), self.level)
            seconds = float(measured[activation, depth])
            rows.append(
                {"optimiser": self.optimiser, "activation": activation, "depth": depth,
                 "seconds": seconds} | ends
            )  # fmt: skip
        return pd.DataFrame(rows)

    def initialisations(self) -> pd.DataFrame:
        """A row per activation and depth: ratio of steps, default to scaled; low, high, bound."""
        names = ["optimiser", "activation", "depth", "ratio", "low", "high", "bound"]
        if not {"default", "scaled"} <= set(self.settings["initialisations"]):
            return pd.DataFrame(columns=names)
        rows = []
        for activation, depth in itertools.product(
            self.settings["activations"], self.settings["depths"]
        ):
            default, scaled = (self.steps(activation, i, depth) for i in ("default", "scaled"))
            estimate = compared(default, scaled, self.settings["tuning_repeats"])
            ends = _ends_of(("ratio", "low", "high"), estimate, self.level)
            rows.append(
                {"optimiser": self.optimiser, "activation": activation, "depth": depth}
                | ends | {"bound": _bound(default, scaled)}
            )  # fmt: skip
        return pd.DataFrame(rows, columns=names)

    def shares(self) -> pd.DataFrame:
        """A row per depth: the share of the sigmoid's disadvantage that scaled weights remove.

        default, scaled: log ratios of steps (sigmoid to ReLU); share: 1 - scaled / default, where
        default is shown to be above zero; most: whether it is shown to be more than half.
        """
        names = ["optimiser", "depth", "default", "scaled", "share", "most"]
        if not {"default", "scaled"} <= set(self.settings["initialisations"]):
            return pd.DataFrame(columns=names)
        rows = [self._share(depth) for depth in self.settings["depths"]]
        return pd.DataFrame(rows, columns=names)

    def _share(self, depth: int) -> tuple[Any, ...]:
        runs = {
            kind: [self.steps(activation, kind, depth) for activation in PAIR]
            for kind in ("default", "scaled")
        }
        logs = [_log_ratios(pair[0], pair[1]) for pair in runs.values()]
        means = [None if each is None else float(each.mean()) for each in logs]
        none = (self.optimiser, depth, *means, None, "")
        if logs[0] is None or logs[1] is None:
            return none
        tuned_in = self.settings["tuning_repeats"]
        default = compared(runs["default"][0], runs["default"][1], tuned_in)
        assert default is not None
        if decide(default.p_above(0), default.p_below(0), self.level) != "supported":
            return none
        astray = [_astray(one) for one in runs["default"]]
        astray += [2 * _astray(one) for one in runs["scaled"]]
        half = _allowing(mean_of(logs[0] - 2 * logs[1]), tuned_in, astray)
        verdict = decide(half.p_above(0), half.p_below(0), self.level)
        share = 1 - float(logs[1].mean()) / float(logs[0].mean())
        return (self.optimiser, depth, *means, share, verdict)

    def losses(self) -> pd.DataFrame:
        """A row per network and step: loss (mean of the judged runs), low, high (its interval)."""
        rows = []
        judged = self.rows("loss", "judged").groupby([*NETWORK, "step"], sort=True)["loss"]
        for key, values in judged:
            if values.isna().any():  # a run diverged, and a mean of the others would flatter
                continue
            estimate = mean_of(values)
            rows.append((*key, estimate.value, *estimate.interval(self.level)))
        return pd.DataFrame(rows, columns=[*NETWORK, "step", "loss", "low", "high"])

    def runs(self) -> pd.DataFrame:
        """A row per judged run: its network, repeat, rate and step (missing: it never arrived)."""
        step = self.judged["arrived_at"].replace(np.inf, np.nan)
        return self.judged[[*NETWORK, "repeat", "rate"]].assign(step=step)

    def arrived(self) -> pd.DataFrame:
        """A row per network and step at which a run arrived: the share that had not yet."""
        rows = []
        for network, own in self.judged.groupby(NETWORK, sort=True):
            steps, shares = kaplan_meier(own["arrived_at"], self.settings["steps"])
            rows += [(*network, step, share) for step, share in zip(steps, shares, strict=True)]
        return pd.DataFrame(rows, columns=[*NETWORK, "step", "share"])

    def layers(self) -> pd.DataFrame:
        """A row per network, step and layer: gradient (geometric mean of the runs), flat, dead."""
        rows = self.rows("layer")
        with np.errstate(divide="ignore"):
            rows = rows.assign(gradient=np.log(rows["gradient"]))
        means = rows.groupby([*NETWORK, "step", "layer"], as_index=False)
        found = means[["gradient", "flat", "dead"]].mean()
        return found.assign(gradient=np.exp(found["gradient"]))


PAIR = ("sigmoid", "relu")


def kaplan_meier(arrived_at: pd.Series, budget: int) -> tuple[list[float], list[float]]:
    """Steps, from 0 on, and the share of runs that have not arrived until then.

    Args:
        arrived_at: Infinity for runs that are censored at the budget.
        budget: Steps a run.
    """
    from scipy import stats

    steps = np.asarray(arrived_at, dtype=float)
    there = np.isfinite(steps)
    sample = stats.CensoredData(uncensored=steps[there], right=np.full((~there).sum(), budget))
    curve = stats.ecdf(sample).sf
    return [0.0, *curve.quantiles.tolist()], [1.0, *curve.probabilities.tolist()]


def astray_rates(arrived: pd.DataFrame, budget: int) -> pd.DataFrame:
    """What a rate that is one step of the grid off adds to the logarithm of a network's steps.

    The mean over the neighbours of the tuned rate, restricted to the budget: at least so much.

    Args:
        arrived: `arrivals.arrivals`, of every rate of the grid.
        budget: Steps a run.

    Returns:
        A row per network: `NETWORK`, astray.
    """
    best = arrivals.tuned(arrived, budget)
    logs = arrived.assign(log=np.log(arrived["arrived_at"].clip(1, budget)))
    grid = logs.groupby([*NETWORK, "rate"], as_index=False)["log"].mean()
    grid["place"] = grid.groupby(NETWORK)["rate"].rank()
    chosen = grid.merge(best[[*NETWORK, "rate"]], on=[*NETWORK, "rate"])
    both = grid.merge(chosen, on=NETWORK, suffixes=("", "_chosen"))
    beside = both[(both["place"] - both["place_chosen"]).abs() <= 1]
    more = beside.assign(astray=(beside["log"] - beside["log_chosen"]).clip(lower=0))
    more.loc[more["place"] == more["place_chosen"], "astray"] = np.nan
    found: pd.DataFrame = more.groupby(NETWORK, as_index=False)["astray"].mean()
    return found.fillna({"astray": 0.0})  # a grid of one rate has no neighbours


def _log_ratios(one: pd.DataFrame, other: pd.DataFrame) -> Floats | None:
    """Log ratios of restricted steps within the repeats, [R]; None if no run arrived."""
    assert one["repeat"].tolist() == other["repeat"].tolist()
    if not np.isfinite([*one["arrived_at"], *other["arrived_at"]]).any():
        return None
    # An arrival before the first step would have no logarithm.
    steps = [np.log(runs["steps"].clip(lower=1.0).to_numpy(dtype=float)) for runs in (one, other)]
    return np.asarray(steps[0] - steps[1])


def compared(one: pd.DataFrame, other: pd.DataFrame, tuned_in: int) -> Estimate | None:
    """The log ratio of restricted steps, with what tuning adds; None if no run arrived.

    Args:
        one, other: Judged runs of two networks: repeat, arrived_at, steps, astray.
        tuned_in: Tuning repeats.
    """
    found = _log_ratios(one, other)
    if found is None:
        return None
    return _allowing(mean_of(found), tuned_in, [_astray(runs) for runs in (one, other)])


def _allowing(estimate: Estimate, tuned_in: int, astray: Sequence[float]) -> Estimate:
    """With what tuning adds to its error; see the module."""
    repeats = estimate.df + 1
    wider = replace(estimate, se=estimate.se * math.sqrt(1 + CHOICE * repeats / tuned_in))
    return wider.widened(math.sqrt(sum(each**2 for each in astray) / GRID))


def _astray(runs: pd.DataFrame) -> float:
    return float(runs["astray"].iloc[0])


def _sum(one: Estimate, other: Estimate) -> Estimate:
    """Of two independent estimates, with the fewer degrees of freedom."""
    se = math.hypot(one.se, other.se)
    return Estimate(one.value + other.value, se, min(one.df, other.df))


def _ends_of(names: Sequence[str], log: Estimate | None, level: float) -> dict[str, float]:
    """A ratio and its interval, from its logarithm; NaN where there is none."""
    if log is None:
        return dict.fromkeys(names, math.nan)
    ends = (log.value, *log.interval(level))
    return dict(zip(names, map(_exp, ends), strict=True))


def _bound(one: pd.DataFrame, other: pd.DataFrame) -> str:
    """What a ratio of restricted steps is, seen as one of steps."""
    first, second = (bool(np.isinf(runs["arrived_at"]).any()) for runs in (one, other))
    if first and second:
        return "both"
    return "least" if first else "most" if second else ""


def _median(arrived_at: pd.Series) -> float:
    """When half of the runs had arrived; NaN if they never did."""
    median = float(np.sort(arrived_at)[(len(arrived_at) - 1) // 2])
    return median if math.isfinite(median) else math.nan


def _exp(log: float) -> float:
    """Never beyond the largest number: so wide an interval says nothing in any case."""
    return math.exp(min(log, 700.0))


def _names(settings: Mapping[str, Any]) -> dict[str, str]:
    """What readers are to see for the subjects of parts."""
    names = dict(LABELS)
    for initialisation in settings["initialisations"]:
        names[f"relu_{initialisation}"] = f"ReLU ({WEIGHTS[initialisation]})"
        for depth in settings["depths"]:
            hidden = f"{depth} hidden layer{'s' * (depth > 1)}"
            names[f"relu_{initialisation}_{depth}"] = f"ReLU ({WEIGHTS[initialisation]}, {hidden})"
    return names
