"""Derive the constants of `takeoff.statistics.learned` from a collection of learning curves.

Every curve whose largest m is at least --least is cut at m_max / F for several F: once as it is
and, for some, thinned, with the noise of a single repeat and no standard errors, as the best such
error so far, or reduced to a few of its points; the forecast of its last error is what the
constants are judged by. They minimise the mean absolute error (each F alike, relative to the last
value's), a share of the relative error, so that small errors count too, the square of the mean
error, and a ridge. Scales are the maximum-likelihood ones for Student's t with three degrees of
freedom, from errors of folds that the weights were not fitted to; the quantiles are those of the
standardised errors.

    python benchmarks/learn_extrapolation.py --curves CURVES.csv.gz --out src/takeoff/learned.py

prints, first, how constants derived from four fifths of the data sets do on the other fifth
(5-fold, grouped by data set): that is what the method is worth. CURVES has columns dataset,
learner, m, test_error and stderr. The shipped constants come from the 134 OpenML data sets of LCDB
1.1 (Yan, Mohr and Viering 2025; CC BY 4.0).
"""

from __future__ import annotations

import argparse
import json
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from takeoff.statistics.averaging import Constants, scale_features, score_features
from takeoff.statistics.evidence import MEMBERS, TAKES_OFF, Curve, Evidence, check, gather, is_stuck

Floats = NDArray[np.float64]

FACTORS = (1.4, 2.0, 4.0, 8.0, 16.0)
FOLDS = 5
RIDGE = 5e-3
BIAS = 10.0  # weight of the squared mean error at each factor
RELATIVE = 1.0  # weight of the relative error
IMPORTANCE = {"full": 1.0, "thinned": 0.5, "noisy": 0.25, "few": 0.25, "best": 0.25}
FREEDOM = 3.0
LEAST_ERROR = 0.001  # that relative errors are relative to: a lucky zero would count for all
SMALL = 0.0025  # errors of which half is noise, for the best error so far
SPLITS = 25  # behind each mean error of LCDB
PROBABILITIES = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
LENGTHS = {
    "prior": len(MEMBERS),
    "per_octave": len(MEMBERS),
    "backtest": 2,
    "outlying": 2,
    "caution": 4,
    "rough_tail": 1,
    "best_so_far": 2,
    "take_off": 4,
}


@dataclass(frozen=True)
class Case:
    """A curve that was cut: what it said, and what came."""

    dataset: str
    learner: str
    factor: float
    variant: str
    evidence: Evidence
    truth: float


@dataclass(frozen=True)
class Cases:
    """N cases as arrays: features [N, K, C], members [N, K], the rest [N]."""

    features: Floats
    members: Floats
    truth: Floats
    last: Floats
    noise: Floats
    stuck: NDArray[np.bool_]
    group: NDArray[np.intp]
    fold: NDArray[np.intp]
    factor: Floats
    cases: list[Case]


def cases_of(rows: pd.DataFrame, seed: int) -> list[Case]:
    """All cuts of the curves of one data set."""
    random = np.random.default_rng(seed)
    found = []
    for (dataset, learner), curve in rows.groupby(["dataset", "learner"], sort=True):
        curve = curve.sort_values("m")
        m, y, se = (curve[name].to_numpy(float) for name in ("m", "test_error", "stderr"))
        for factor in FACTORS:
            n = int((m <= m[-1] / factor * (1 + 1e-9)).sum())
            for variant, cut in variants(m[:n], y[:n], se[:n], random).items():
                evidence = gather(cut, np.array([m[-1] / cut.m[-1]]))
                case = Case(str(dataset), str(learner), factor, variant, evidence, float(y[-1]))
                found.append(case)
    return found


def variants(m: Floats, y: Floats, se: Floats, random: np.random.Generator) -> dict[str, Curve]:
    """The curve, and for some curves what it might have been with less effort."""
    found = {}
    n = len(m)
    if n >= 5:
        found["full"] = check(m, y, se, kind="error")
    if n >= 3 and random.random() < 0.4:
        points = every(n, int(random.integers(2, 7)))
        found["thinned"] = check(m[points], y[points], kind="error")
    if n >= 6 and random.random() < 0.3:
        points = every(n, int(random.integers(2, 9)))[-int(random.integers(2, 8)) :]
        found["few"] = check(m[points], y[points], se[points], kind="error")
    if n >= 5 and random.random() < 0.5:
        points = every(n, int(random.integers(1, 4)))
        noisy = y + np.sqrt(SPLITS) * np.nan_to_num(se) * random.standard_normal(n)
        found["noisy"] = check(m[points], noisy[points].clip(0, 1), kind="error")
    if n >= 6 and random.random() < 0.35:
        points = every(n, int(random.integers(1, 5)))
        noisy = y + np.sqrt(SPLITS) * np.nan_to_num(se) * random.standard_normal(n)
        best = check(m[points], np.minimum.accumulate(noisy[points].clip(0, 1)), kind="error")
        # Where a repeat is off by as much as the error itself, the best is next to zero and says
        # nothing; a constant one looks like a learner that hasn't begun.
        noise = np.sqrt(SPLITS) * float(np.nanmedian(se[-8:]))
        if 2 * max(noise, SMALL) < best.last and not is_stuck(best):
            found["best"] = best
    return found


def every(points: int, step: int) -> NDArray[np.intp]:
    """Indices of every step-th point, the last one among them, and at least three."""
    step = max(min(step, (points - 1) // 2), 1)
    return np.arange(points - 1, -1, -step)[::-1]


def arrays(cases: list[Case]) -> Cases:
    """The cases as arrays, with folds that keep data sets together."""
    names = sorted({case.dataset for case in cases})
    order = np.random.default_rng(0).permutation(len(names)) % FOLDS
    fold = dict(zip(names, order, strict=True))
    groups = sorted({(case.factor, case.variant) for case in cases})
    return Cases(
        np.concatenate([score_features(case.evidence) for case in cases]),
        np.concatenate([case.evidence.members for case in cases]),
        np.array([case.truth for case in cases]),
        np.array([case.evidence.last for case in cases]),
        np.array([case.evidence.noise for case in cases]),
        np.array([case.evidence.stuck for case in cases]),
        np.array([groups.index((case.factor, case.variant)) for case in cases]),
        np.array([fold[case.dataset] for case in cases]),
        np.array([case.factor for case in cases]),
        cases,
    )


def weights_of(features: Any, stuck: Any, coefficients: Any) -> Any:
    """[N, K] softmax, without the last member where the curve isn't stuck."""
    scores = features @ coefficients
    off = torch.zeros_like(scores)
    off[:, TAKES_OFF] = torch.where(stuck, 0.0, -1e9).to(scores)
    return torch.softmax(scores + off, dim=1)


def learn_weights(data: Cases, use: NDArray[np.bool_]) -> Floats:
    """The coefficients of the scores, from the cases in use."""
    x, f, y, last, noise = (
        torch.from_numpy(values[use])
        for values in (data.features, data.members, data.truth, data.last, data.noise)
    )
    stuck = torch.from_numpy(data.stuck[use])
    own = torch.from_numpy(per_group(data, use, np.abs(data.truth - data.last)))
    relative = 1 / (0.1 * torch.clamp(last, min=LEAST_ERROR) + noise)
    unit = 0.1 * np.maximum(data.last, LEAST_ERROR) + data.noise
    from_last = np.abs(data.truth - data.last) / unit
    own_relative = torch.from_numpy(per_group(data, use, np.minimum(from_last, 20)))
    groups = [torch.from_numpy(data.group[use] == g).double() for g in np.unique(data.group)]
    c = torch.zeros(x.shape[2], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([c], max_iter=200, line_search_fn="strong_wolfe")

    def objective() -> Any:
        optimiser.zero_grad()
        missed = (weights_of(x, stuck, c) * f).sum(dim=1) - y
        loss = (own * torch.sqrt(missed**2 + 1e-6)).sum() + RIDGE * (c**2).sum()
        share = missed * relative
        loss = loss + RELATIVE * (own_relative * torch.sqrt(share**2 + 1e-4)).sum()
        loss = loss + BIAS * sum(((own * g * missed).sum()) ** 2 for g in groups)
        loss.backward()
        return loss

    optimiser.step(objective)
    return np.asarray(c.detach().numpy())


def per_group(data: Cases, use: NDArray[np.bool_], size: Floats) -> Floats:
    """Factors for the cases in use: 1 / (number * mean size) in their group."""
    groups = data.group[use]
    total = np.bincount(groups, weights=size[use], minlength=data.group.max() + 1)
    share = np.zeros(len(total))
    share[data.group] = [IMPORTANCE[case.variant] for case in data.cases]
    share /= np.maximum(total, 1e-12)
    return np.asarray(share[groups])


def constants_of(coefficients: Floats, **more: tuple[float, ...]) -> Constants:
    """Constants with these coefficients; a scale and quantiles that aren't used unless given."""
    parts, start = {}, 0
    for name, length in LENGTHS.items():
        values = tuple(round(float(v), 3) for v in coefficients[start : start + length])
        parts[name] = values if length > 1 else values[0]
        start += length
    return Constants(
        **{"scale": (), "probabilities": (), "quantiles": (), **parts, **more}  # type: ignore[arg-type]
    )


def forecasts(data: Cases, coefficients: Floats, use: NDArray[np.bool_]) -> tuple[Floats, ...]:
    """Forecasts, and units and features of their scales, of the cases in use."""
    constants = constants_of(coefficients)
    predicted, units, features = [], [], []
    for i in np.flatnonzero(use):
        evidence = data.cases[i].evidence
        weights = constants.weights(evidence)
        unit, feature = scale_features(evidence, weights)
        predicted.append(float((weights * evidence.members).sum()))
        units.append(unit[0])
        features.append(feature[0])
    return np.array(predicted), np.array(units), np.array(features)


def learn_scale(missed: Floats, units: Floats, features: Floats) -> Floats:
    """Coefficients of the log scale: maximum likelihood of Student's t."""
    e, x = torch.from_numpy(missed / units), torch.from_numpy(features)
    c = torch.zeros(features.shape[1], dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([c], max_iter=300, line_search_fn="strong_wolfe")

    def objective() -> Any:
        optimiser.zero_grad()
        log_scale = x @ c
        tail = torch.log1p((e * torch.exp(-log_scale)) ** 2 / FREEDOM) * (FREEDOM + 1) / 2
        loss = (log_scale + tail).mean() + 1e-4 * (c**2).sum()
        loss.backward()
        return loss

    optimiser.step(objective)
    result = np.asarray(c.detach().numpy())
    return np.concatenate([result[:1], np.maximum(result[1:2], 0.0), result[2:]])


def quantiles_of(standardised: Floats) -> dict[str, tuple[float, ...]]:
    """Probabilities and quantiles of truth - forecast over scale; the median is set to zero."""
    p = np.array([*PROBABILITIES, *(1 - np.array(PROBABILITIES[-2::-1]))])
    q = np.quantile(standardised, p)
    q[: len(PROBABILITIES)] = np.minimum(q[: len(PROBABILITIES)], 0.0)
    q[len(PROBABILITIES) - 1] = 0.0
    q[len(PROBABILITIES) :] = np.maximum(q[len(PROBABILITIES) :], 0.0)
    return {
        "probabilities": tuple(round(float(v), 4) for v in p),
        "quantiles": tuple(round(float(v), 3) for v in q),
    }


def learn(data: Cases) -> tuple[list[Constants], Constants]:
    """Constants without each fold in turn, and from all cases.

    Weights are fitted without a fold, and scales to the errors of folds left out: for the
    constants without fold f, to those of the other folds.
    """
    coefficients = [learn_weights(data, data.fold != fold) for fold in range(FOLDS)]
    missed, units = np.zeros(len(data.truth)), np.zeros(len(data.truth))
    features: Floats = np.zeros((0, 0))
    for fold, own in enumerate(data.fold == fold for fold in range(FOLDS)):
        predicted, units[own], own_features = forecasts(data, coefficients[fold], own)
        missed[own] = data.truth[own] - predicted
        if not features.size:
            features = np.zeros((len(missed), own_features.shape[1]))
        features[own] = own_features

    def completed(weights: Floats, use: NDArray[np.bool_]) -> Constants:
        scale = learn_scale(missed[use], units[use], features[use])
        widths = units[use] * np.exp(np.clip(features[use] @ scale, -30.0, 5.0))
        rounded = tuple(round(float(v), 3) for v in scale)
        return constants_of(weights, scale=rounded, **quantiles_of(missed[use] / widths))

    everything = np.ones(len(missed), dtype=bool)
    by_fold = [completed(coefficients[fold], data.fold != fold) for fold in range(FOLDS)]
    return by_fold, completed(learn_weights(data, everything), everything)


def cross_validated(data: Cases, by_fold: list[Constants]) -> pd.DataFrame:
    """A row per case: forecast and interval from constants that never saw its data set."""
    rows = []
    for case, fold in zip(data.cases, data.fold, strict=True):
        constants = by_fold[fold]
        weights = constants.weights(case.evidence)
        predicted = float((weights * case.evidence.members).sum())
        scale = float(constants.widths(case.evidence, weights)[0])
        low, high = constants.standard_quantile(np.array([0.05, 0.95])) * scale + predicted
        rows.append(
            {
                "dataset": case.dataset,
                "learner": case.learner,
                "factor": case.factor,
                "variant": case.variant,
                "truth": case.truth,
                "last": case.evidence.last,
                "predicted": predicted,
                "low": max(low, 0.0),
                "high": min(high, 1.0),
                "fold": fold,
            }
        )
    return pd.DataFrame(rows)


def report(found: pd.DataFrame) -> None:
    """Print errors and coverage at each factor, as the data are and thinned."""
    for (factor, variant), rows in found.groupby(["factor", "variant"]):
        missed = rows["predicted"] - rows["truth"]
        naive = (rows["last"] - rows["truth"]).abs().mean()
        covered = ((rows["low"] <= rows["truth"]) & (rows["truth"] <= rows["high"])).mean()
        print(
            f"F = {factor:4.1f} {variant:8s} n = {len(rows)}  "
            f"mean {missed.abs().mean():.4f} (last value {naive:.4f})  "
            f"median {missed.abs().median():.4f}  bias {missed.mean():+.4f}  "
            f"coverage {covered:.3f}  width {(rows['high'] - rows['low']).mean():.4f}"
        )


def module_text(constants: Constants) -> str:
    """The module `takeoff.statistics.learned`."""
    lines = [
        '"""What the extrapolation learned from other curves: see `averaging.Constants`.',
        "",
        "Derived, and to be derived again where members or features change, by",
        "",
        "    python benchmarks/learn_extrapolation.py --curves CURVES --out src/takeoff/learned.py",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        "from takeoff.statistics.averaging import Constants",
        "",
        "LEARNED = Constants(",
        *(f"    {field.name}={getattr(constants, field.name)!r}," for field in fields(constants)),
        ")",
    ]
    return "\n".join(lines) + "\n"


def folds_text(data: Cases, by_fold: list[Constants]) -> str:
    """Which fold each data set is in, and the constants that never saw that fold."""
    folds = {case.dataset: int(fold) for case, fold in zip(data.cases, data.fold, strict=True)}
    return json.dumps({"folds": folds, "constants": [asdict(one) for one in by_fold]}) + "\n"


def load(path: Path, least: int, kept: Path | None) -> list[Case]:
    """The cases of all curves, from the file `kept` where it is there."""
    if kept is not None and kept.exists():
        with open(kept, "rb") as file:
            return list(pickle.load(file))
    rows = pd.read_csv(path)
    rows = rows[rows["learner"] != "DummyClassifier"]
    rows = rows[rows.groupby(["dataset", "learner"])["m"].transform("max") >= least]
    tables = [table for _, table in rows.groupby("dataset", sort=True)]
    with ProcessPoolExecutor() as pool:
        found = [case for part in pool.map(cases_of, tables, range(len(tables))) for case in part]
    if kept is not None:
        with open(kept, "wb") as file:
            pickle.dump(found, file)
    return found


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--curves", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="the module to write")
    parser.add_argument("--least", type=int, default=2048, help="largest m a curve must have")
    parser.add_argument("--keep", type=Path, help="keep what was gathered in this file")
    parser.add_argument("--check", type=Path, help="write the cross-validated forecasts here (CSV)")
    parser.add_argument("--folds", type=Path, help="write the constants of each fold here (JSON)")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    data = arrays(load(chosen.curves, chosen.least, chosen.keep))
    by_fold, constants = learn(data)
    found = cross_validated(data, by_fold)
    report(found)
    if chosen.folds:
        chosen.folds.write_text(folds_text(data, by_fold), encoding="utf-8")
    if chosen.check:
        found.to_csv(chosen.check, index=False)
    if chosen.out:
        chosen.out.write_text(module_text(constants), encoding="utf-8")
    else:
        print(module_text(constants))


if __name__ == "__main__":
    main()
