"""How well learning curves are extrapolated, beside its peers in the same run.

    python benchmarks/extrapolation.py --curves lcdb_curves.csv.gz --horizon 2 4 16
    python benchmarks/extrapolation.py --curves scaling_curves.csv.gz

A table of dataset, learner, m, test_error, stderr: curves whose largest m is at least 2048 are cut
at m_max / F, and their last error is predicted. Peers are the last value, four families fitted by
least squares from several starting points with weights 1 / stderr, and their AICc-weighted and
equal averages (protocol of Mohr and van Rijn 2022). Only takeoff states an interval; so that
widths compare, the intervals of each peer are the narrowest multiples of its own base (the spread
of the four families for averages, the way from the last value otherwise, plus the standard error)
that cover as often as takeoff's do: the peer is told the answer, takeoff isn't.

The constants in `takeoff.statistics.learned` come from LCDB 1.1. On curves that they come from,
pass --constants FOLDS.json, which `learn_extrapolation.py --folds FOLDS.json` writes: then every
data set is predicted with constants that never saw it.

A table of domain, task, model, x, loss, training (1: fit, 0: predict): the root mean square of the
difference of log losses, averaged over the tasks of each domain. Peers: last value, M2, M4, BNSL.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import least_squares

from takeoff.statistics.averaging import Constants
from takeoff.statistics.evidence import check
from takeoff.statistics.extrapolate import Forecast, forecast_curve
from takeoff.statistics.families import fit
from takeoff.statistics.learned import LEARNED

Floats = NDArray[np.float64]
Curve = Callable[[Any, Floats], Floats]

LEAST = 2048
EVALUATIONS = 60


# Peers: least squares from several starting points


def pow3(p: Any, m: Floats) -> Floats:
    """floor, amplitude, exponent."""
    return np.asarray(p[0] + p[1] * m ** -p[2])


def pow4(p: Any, m: Floats) -> Floats:
    """floor, amplitude, exponent, shift."""
    return np.asarray(p[0] + p[1] * (m + p[3]) ** -p[2])


def mmf4(p: Any, m: Floats) -> Floats:
    """error at 0, scale, floor, exponent."""
    return np.asarray((p[0] * p[1] + p[2] * m ** p[3]) / (p[1] + m ** p[3]))


def wbl4(p: Any, m: Floats) -> Floats:
    """floor, error at 0, scale, exponent."""
    power = np.exp(np.clip(np.log(p[2]) + p[3] * np.log(m), -50, 5))
    return np.asarray(p[0] - (p[0] - p[1]) * np.exp(-power))


def bnsl(p: Any, x: Floats) -> Floats:
    """floor, amplitude, exponent, change, log scale, width: one break (Caballero et al. 2023)."""
    turn = np.logaddexp(0.0, (np.log(x) - p[4]) / p[5]) * p[5]
    return np.asarray(p[0] + p[1] * np.exp(-p[2] * np.log(x) - p[3] * turn))


PEERS: Mapping[str, tuple[Curve, list[float], list[float]]] = {
    "pow3": (pow3, [0, 0, 0], [1, np.inf, 10]),
    "pow4": (pow4, [0, 0, 0, 0], [1, np.inf, 10, np.inf]),
    "mmf4": (mmf4, [0, 0, 0, 0], [5, np.inf, 1, 10]),
    "wbl4": (wbl4, [0, 0, 0, 0], [1, 5, np.inf, 10]),
}


def starts(name: str, m: Floats, y: Floats) -> list[list[float]]:
    """Four starting points for each family."""
    low, high, span = y.min(), y.max(), max(float(np.ptp(y)), 1e-3)
    middle = float(np.exp(np.log(m).mean()))
    if name in ("pow3", "pow4"):
        tried = ((0.5, 0.3, 1.0), (0.9, 0.6, 10.0), (0.0, 0.1, 0.1), (0.8, 1.0, middle))
        return [
            [low * f, max(y[0] - low * f, 1e-3) * (m[0] + (d if name == "pow4" else 0)) ** c, c]
            + ([d] if name == "pow4" else [])
            for f, c, d in tried
        ]
    shapes = ((0.1, 0.5, 0.5), (0.5, 0.9, 1.0), (0.1, 0.9, 2.0), (1.0, 0.0, 0.3))
    if name == "mmf4":
        return [[high + g * span, middle**d, low * f, d] for g, f, d in shapes]
    return [[low * f, high + g * span, middle**-d, d] for g, f, d in shapes]


def best_fit(
    residual: Callable[[Any], Floats], from_: list[list[float]], low: Any, high: Any
) -> tuple[Floats, float]:
    """Parameters and half the sum of squares of the best of several local searches."""
    low, high = np.array(low, float), np.array(high, float)
    found, least = np.clip(np.array(from_[0]), low, high), np.inf
    for start in from_:
        start = np.clip(start, low + 1e-9, np.minimum(high, 1e15) - 1e-9)
        try:
            fitted = least_squares(
                residual,
                start,
                bounds=(low, high),
                x_scale=np.maximum(np.abs(start), 1e-3),
                max_nfev=EVALUATIONS,
            )
        except ValueError:  # the residual isn't finite at this start
            continue
        if np.isfinite(fitted.cost) and fitted.cost < least:
            found, least = fitted.x, float(fitted.cost)
    return found, least


def peer_forecasts(m: Floats, y: Floats, se: Floats, target: float) -> dict[str, dict[str, float]]:
    """Forecast and seconds of every peer, and the spread of the four families."""
    typical = float(np.nanmedian(se)) if np.isfinite(se).any() else 1.0
    sigma = np.maximum(np.nan_to_num(se, nan=typical), 0.2 * typical) if typical > 0 else 0 * y + 1
    found = {"last value": {"predicted": float(y[-1]), "seconds": 0.0}}
    scores = {}
    for name, (curve, low, high) in PEERS.items():
        start = time.perf_counter()
        p, cost = best_fit(lambda p, c=curve: (c(p, m) - y) / sigma, starts(name, m, y), low, high)
        value = float(np.clip(curve(p, np.array([target]))[0], 0, 1))
        value = value if np.isfinite(cost) and np.isfinite(value) else float(y[-1])
        found[name] = {"predicted": value, "seconds": time.perf_counter() - start}
        scores[name] = aicc(cost, len(m), len(p) + 1)
    values = np.array([found[name]["predicted"] for name in PEERS])
    seconds = sum(found[name]["seconds"] for name in PEERS)
    scored = np.array(list(scores.values()))
    weights = np.exp(-(scored - scored.min()) / 2) if np.isfinite(scored).any() else 0 * scored + 1
    average = float(weights @ values / weights.sum())
    spread = {"seconds": seconds, "spread": float(values.std())}
    found["AICc average"] = {"predicted": average, **spread}
    found["equal average"] = {"predicted": float(values.mean()), **spread}
    return found


def aicc(cost: float, points: int, parameters: int) -> float:
    """Akaike's criterion, corrected for few points (Hurvich and Tsai 1989)."""
    if points <= parameters + 1 or not np.isfinite(cost):
        return np.inf
    fit = points * np.log(max(2 * cost, 1e-12) / points)
    more = 2 * parameters * (parameters + 1) / (points - parameters - 1)
    return float(fit + 2 * parameters + more)


# Learning curves


def score_curve(
    job: tuple[str, str, pd.DataFrame, Constants], horizons: list[float]
) -> list[dict[str, Any]]:
    """A row per horizon and method: predicted, truth, seconds, and takeoff's interval."""
    dataset, learner, curve, constants = job
    m, y, se = (curve[name].to_numpy(float) for name in ("m", "test_error", "stderr"))
    rows = []
    for horizon in horizons:
        use = m <= m[-1] / horizon * (1 + 1e-9)
        if use.sum() < 5:
            continue
        start = time.perf_counter()
        own = forecast_curve(
            check(m[use], y[use], se[use], kind="error"), m[-1:], constants=constants
        )
        seconds = time.perf_counter() - start
        common = {
            "dataset": dataset,
            "learner": learner,
            "horizon": horizon,
            "truth": float(y[-1]),
            "last": float(y[use][-1]),
            "noise": max(float(np.nan_to_num(se[use][-1])), 1e-4),
            "shape": own.shape,
        }
        rows.append(common | {"method": "takeoff"} | takeoff_row(own, seconds))
        peers = peer_forecasts(m[use], y[use], se[use], float(m[-1]))
        rows += [common | {"method": name} | values for name, values in peers.items()]
    return rows


def takeoff_row(own: Forecast, seconds: float) -> dict[str, Any]:
    """What a forecast says at its last m."""
    names = ("predicted", "low", "high")
    numbers = {name: float(getattr(own, name)[-1]) for name in names}
    return {**numbers, "seconds": seconds, "status": own.status, "family": own.family}


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per horizon and method."""
    found = []
    for horizon, of_horizon in rows.groupby("horizon"):
        ours = of_horizon[of_horizon["method"] == "takeoff"]
        covered = float(((ours["low"] <= ours["truth"]) & (ours["truth"] <= ours["high"])).mean())
        for method, of_method in of_horizon.groupby("method", sort=False):
            low, high = intervals(of_method, covered)
            truth, predicted = of_method["truth"], of_method["predicted"]
            missed = predicted - truth
            logs = np.log(predicted.clip(lower=1e-3) / truth.clip(lower=1e-3))
            found.append(
                {
                    "horizon": horizon,
                    "method": method,
                    "curves": len(of_method),
                    "mean": missed.abs().mean(),
                    "median": missed.abs().median(),
                    "log_rmse": float(np.sqrt((logs**2).mean())),
                    "bias": missed.mean(),
                    "coverage": ((low <= truth) & (truth <= high)).mean(),
                    "width": (high - low).mean(),
                    "seconds": of_method["seconds"].mean(),
                }
            )
    return pd.DataFrame(found)


def intervals(rows: pd.DataFrame, covered: float) -> tuple[pd.Series, pd.Series]:
    """Takeoff's intervals, or those of a peer that is told how wide they must be."""
    if (rows["method"] == "takeoff").all():
        return rows["low"], rows["high"]
    way = (rows["predicted"] - rows["last"]).abs()
    base = rows["spread"].where(rows["spread"].notna(), way) + rows["noise"]
    needed = ((rows["predicted"] - rows["truth"]).abs() / base).quantile(covered)
    low, high = rows["predicted"] - needed * base, rows["predicted"] + needed * base
    return low.clip(0, 1), high.clip(0, 1)


def verdicts(table: pd.DataFrame) -> list[str]:
    """The targets, horizon by horizon."""
    lines = []
    for horizon, rows in table.groupby("horizon"):
        by = rows.set_index("method")
        ours, peers = by.loc["takeoff"], by.drop(index="takeoff")
        best = peers["mean"].idxmin()
        lines.append(
            f"F = {horizon:g}: mean error {ours['mean'] / peers['mean'].min():.2f} x the best peer "
            f"({best}); |bias| {abs(ours['bias']) / ours['mean']:.2f} x the mean error; coverage "
            f"{ours['coverage']:.3f}; width {ours['width'] / by.loc['equal average', 'width']:.2f} "
            f"x the equal average's at that coverage"
        )
    return lines


def learning_curves(rows: pd.DataFrame, chosen: argparse.Namespace) -> dict[str, Any]:
    """Score all curves and print the tables."""
    rows = rows[rows["learner"] != "DummyClassifier"]
    folds = folds_of(chosen.constants)
    if folds is None:
        print("constants as shipped: they have seen LCDB's data sets (see --constants)")
    jobs = []
    for (dataset, learner), curve in rows.groupby(["dataset", "learner"], sort=True):
        if curve["m"].max() >= LEAST:
            constants = LEARNED if folds is None else folds[str(dataset)]
            jobs.append((str(dataset), str(learner), curve.sort_values("m"), constants))
    if chosen.sample and chosen.sample < len(jobs):
        picked = np.random.default_rng(chosen.seed).choice(len(jobs), chosen.sample, replace=False)
        jobs = [jobs[i] for i in sorted(picked)]
    score = partial(score_curve, horizons=chosen.horizon)
    with ProcessPoolExecutor(chosen.workers) as pool:
        scored = pd.DataFrame([row for part in pool.map(score, jobs, chunksize=4) for row in part])
    table = summary(scored)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    print(*verdicts(table), sep="\n")
    print("worst curves:")
    print(worst(scored).to_string(index=False, float_format=lambda value: f"{value:.3f}"))
    if chosen.rows:
        scored.to_csv(chosen.rows, index=False)
    return {"curves": len(jobs), "table": table.to_dict("records")}


def worst(scored: pd.DataFrame, count: int = 4) -> pd.DataFrame:
    """The curves that the method misses by most, at each horizon."""
    ours = scored[scored["method"] == "takeoff"]
    ours = ours.assign(missed=(ours["predicted"] - ours["truth"]).abs())
    names = ["horizon", "dataset", "learner", "last", "predicted", "low", "high", "truth", "shape"]
    ranked = ours.sort_values("missed", ascending=False).groupby("horizon").head(count)
    return ranked.sort_values(["horizon", "missed"], ascending=[True, False])[names]


def folds_of(path: Path | None) -> dict[str, Constants] | None:
    """Constants for each data set that never saw it."""
    if path is None:
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    constants = [
        Constants(**{k: tuple(v) if isinstance(v, list) else v for k, v in one.items()})
        for one in data["constants"]
    ]
    return {name: constants[fold] for name, fold in data["folds"].items()}


# Scaling laws


def scaling_peers(x: Floats, y: Floats, at: Floats) -> dict[str, Floats]:
    """Last value, M2, M4 and BNSL, fitted to the log loss from several starting points."""
    unit = x[-1]
    u, v, log_y = x / unit, at / unit, np.log(y)
    low, span = y.min(), max(float(np.ptp(y)), 1e-6)

    def fitted(curve: Curve, from_: list[list[float]], least: Any, most: Any) -> Floats:
        def residual(p: Any) -> Floats:
            return np.asarray(np.log(np.maximum(curve(p, u), 1e-12)) - log_y)

        p, _ = best_fit(residual, from_, least, most)
        return curve(p, v)

    power = [
        [low * f, span * a, c] for f, a, c in ((0.5, 0.1, 0.3), (0.9, 0.1, 1.0), (0, 0.5, 0.1))
    ]
    broken = [
        [*p[:3], change, scale, 0.3] for p in power for change, scale in ((0.5, -1.0), (0.2, -3.0))
    ]
    inf = np.inf
    return {
        "last value": np.full(len(at), y[-1]),
        "M2": fitted(pow3, power, [0, 0, 0], [inf, inf, 5]),
        "M4": m4(u, y, v),
        "BNSL": fitted(bnsl, broken, [0, 0, -1, -5, -8, 0.05], [inf, inf, 5, 5, 0, 5]),
    }


def m4(u: Floats, y: Floats, v: Floats) -> Floats:
    """M4 with even weights, by `takeoff.statistics.families`' profile: local searches of its log
    residuals, as its authors do them, end in worse places on these curves."""
    bounds = (0.0, 1.0 if y.max() < 1 else np.inf)
    return fit("m4", u, y, np.ones((1, len(u))), bounds=bounds, robust=False).error(v)[0]


def scaling_laws(rows: pd.DataFrame, chosen: argparse.Namespace) -> dict[str, Any]:
    """Score all tasks and print the mean log RMSE of each domain."""
    found = []
    for (domain, task, model), points in rows.groupby(["domain", "task", "model"], sort=True):
        known = points[points["training"] == 1].groupby("x")["loss"].mean()
        test = points[points["training"] == 0]
        x, y = known.index.to_numpy(float), known.to_numpy(float)
        at, truth = test["x"].to_numpy(float), test["loss"].to_numpy(float)
        own = forecast_curve(check(x, y), at)
        covered = float(((own.low <= truth) & (truth <= own.high)).mean())
        for name, predicted in {"takeoff": own.predicted, **scaling_peers(x, y, at)}.items():
            rmse = float(np.sqrt(np.mean((np.log(predicted) - np.log(truth)) ** 2)))
            inside = covered if name == "takeoff" else np.nan
            found.append((domain, task, model, name, rmse, inside, own.family))
    names = ["domain", "task", "model", "method", "log_rmse", "coverage", "family"]
    scored = pd.DataFrame(found, columns=names)
    means = scored.groupby(["domain", "method"], sort=False)
    table = means.agg(
        tasks=("log_rmse", "size"),
        mean=("log_rmse", "mean"),
        median=("log_rmse", "median"),
        coverage=("coverage", "mean"),
    ).reset_index()
    print(table.to_string(index=False, float_format=lambda value: f"{value:.4f}"))
    wide = scored.pivot(index=["domain", "task", "model"], columns="method", values="log_rmse")
    print(wide.to_string(float_format=lambda value: f"{value:.4f}"))
    if chosen.rows:
        scored.to_csv(chosen.rows, index=False)
    return {"table": table.where(table.notna(), None).to_dict("records")}


def main() -> None:
    """See the module's docstring."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--horizon", type=float, nargs="+", default=[2.0, 4.0, 16.0])
    parser.add_argument("--sample", type=int, default=200, help="curves; 0: all of them")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--constants", type=Path, help="by fold: see the top of this file")
    parser.add_argument("--json", type=Path, help="write the tables here")
    parser.add_argument("--rows", type=Path, help="write every forecast here (CSV)")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    chosen = parser.parse_args()
    rows = pd.read_csv(chosen.curves)
    scaling = {"domain", "task", "model", "x", "loss", "training"} <= set(rows.columns)
    result = (scaling_laws if scaling else learning_curves)(rows, chosen)
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
