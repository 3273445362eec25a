"""How often claims and decisions say what, in simulated studies whose truth is known.

A study has true learning curves (floor + amplitude * m ** -exponent, with breaks in some), and R
repeats. The error of a repeat is off by what all learners share, as they see the same examples, by
what is the learner's own. Subsets of growing m are nested: what is off at one m is partly off at
the next. Read as claims about the test set at hand, the true curves are those on it. Read as claims
about the population, the errors also owe something to the test set, the same in all repeats, so
that no repeat shows it: claims (`ClaimSettings.tests`) and decisions (`decisions.About`) that
allow for it stand beside those that don't.

For each claim of `takeoff.statistics.claims` one effect is varied around its threshold while
everything else about the claim is clearly true: the worst case for a false `supported`. Then the
decisions: plateaus, crossings, labels needed, gains, P(A better than B), and what a known floor is
worth to forecasts. Last, how often the known parameters of surfaces over network size and data come
back within two standard errors.

Usage: python benchmarks/claims_calibration.py [--quick] [--studies N] [--json FILE]
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from takeoff.statistics import claims, comparisons, decisions, surfaces
from takeoff.statistics.claims import ClaimSettings, DataSetCurves, Learner
from takeoff.statistics.evidence import check
from takeoff.statistics.extrapolate import forecast_curve

Floats = NDArray[np.float64]
M = np.round(np.geomspace(100, 102_400, 11))  # doublings
TESTS = 10_000  # of a fixed test set, where there is one
SETTINGS = ClaimSettings()
ELSEWHERE = ClaimSettings(tests={"simulated": TESTS})
ELSEWHERE_FEW = ClaimSettings(tests={"simulated": TESTS // 10})
LEARNERS = [
    Learner("linear", "linear", "traditional", 0),
    Learner("trees", "trees", "traditional", 0),
    Learner("small", "small", "network", 1),
    Learner("medium", "medium", "network", 2),
    Learner("large", "large", "network", 3),
]


@dataclass(frozen=True)
class Noise:
    """What repeats are off by.

    Attributes:
        repeats: How many.
        relative: Standard deviation of a repeat's error at the smallest m, as a share of the error;
            it falls with m ** -0.2.
        shared: Of its variance, by all learners of a repeat.
        nested: Correlation of neighbouring m.
        tests: Examples in the fixed test set; infinity for none of its noise.
        same: Correlation of two learners' errors on the test set.
        kept: Correlation of a learner's errors on the test set at neighbouring m.
    """

    repeats: int = 5
    relative: float = 0.06
    shared: float = 0.5
    nested: float = 0.5
    tests: float = math.inf
    same: float = 0.8
    kept: float = 1.0

    def errors(self, truth: Floats, rng: np.random.Generator, m: Floats = M) -> Floats:
        """Measured errors [L, P, R] of true curves [L, P]."""
        learners, points = truth.shape
        common = self._walk(rng, (1, points, self.repeats), self.nested)
        own = self._walk(rng, (learners, points, self.repeats), self.nested)
        mixed = math.sqrt(self.shared) * common + math.sqrt(1 - self.shared) * own
        size = self.relative * (m / m[0]) ** -0.2
        off = self._of_tests(truth, rng)[..., None]
        return np.asarray(np.clip(truth[..., None] * (1 + size[:, None] * mixed) + off, 1e-5, 1.0))

    def _walk(self, rng: np.random.Generator, shape: tuple[int, int, int], nested: float) -> Floats:
        steps = rng.standard_normal(shape)
        for i in range(1, shape[1]):
            steps[:, i] *= math.sqrt(1 - nested**2)
            steps[:, i] += nested * steps[:, i - 1]
        return steps

    def _of_tests(self, truth: Floats, rng: np.random.Generator) -> Floats:
        """[L, P] from the fixed test set."""
        if math.isinf(self.tests):
            return np.zeros_like(truth)
        size = np.sqrt(truth * (1 - truth) / self.tests)
        common, own = (
            self._walk(rng, (learners, truth.shape[1], 1), self.kept)[..., 0]
            for learners in (1, len(truth))
        )
        return np.asarray(size * (math.sqrt(self.same) * common + math.sqrt(1 - self.same) * own))


UNLIKE = Noise(tests=TESTS, same=0.0, kept=0.0)  # the worst that the claims reckon with


def law(m: Floats, end: float, reduction: float, start: float = 0.5) -> Floats:
    """A curve that ends at `end`, where each of the last doublings removes `reduction` of it.

    Before the last two doublings it comes down from `start` as a power law.
    """
    from_m = m[-1] / 4
    bend = end * (1 - reduction) ** -2
    late = end * (m / m[-1]) ** (np.log2(1 - reduction))
    early = bend * (m / from_m) ** (math.log(start / bend) / math.log(m[0] / from_m))
    return np.asarray(np.where(m >= from_m * 0.999, late, early))


# The claims


@dataclass(frozen=True)
class Case:
    """A claim in studies with a certain effect.

    Attributes:
        claim: Its name.
        effect: In its unit.
        true: Whether the claim holds.
        truth: [5, P] curves of `LEARNERS`.
    """

    claim: str
    effect: float
    true: bool
    truth: Floats


def plateau_case(reduction: float) -> Case:
    """One traditional learner falls by `reduction` per doubling, the other is flat."""
    truth = usual()
    truth[1] = law(M, 0.12, reduction)
    return Case("plateau", reduction, reduction < SETTINGS.margin, truth)


def bigger_case(gap: float) -> Case:
    """The large network's error is below the medium one's by the share `gap`; the others follow."""
    truth = usual()
    truth[4] = truth[3] * (1 - gap)
    return Case("bigger_is_better", gap, gap > 0, truth)


def improving_case(reduction: float) -> Case:
    """The large network falls by `reduction` per doubling, the small one rises slightly."""
    truth = usual()
    truth[4], truth[2] = law(M, 0.04, reduction), law(M, 0.09, -0.02)
    return Case("keeps_improving", reduction, reduction > SETTINGS.margin, truth)


def steeper_case(difference: float) -> Case:
    """The large network removes `difference` more per doubling than the small one's 10 %."""
    truth = usual()
    truth[4], truth[2] = law(M, 0.04, 0.1 + difference), law(M, 0.09, 0.1)
    return Case("keeps_improving (steeper)", difference, difference > 0, truth)


def unclear_case(closeness: float) -> Case:
    """At the two smallest m the learners lie `closeness` times closer together than at the others.

    The effect is the true change of Kendall's tau between repeats, from 400 of them.
    """
    middle = law(M, 0.08, 0.05, start=0.4)
    ranks = np.linspace(-1, 1, len(LEARNERS))[:, None]
    spread = np.where(np.arange(len(M)) < 2, 0.2 / closeness, 0.2 * (M / M[0]) ** -0.2)
    truth = middle * (1 + ranks * spread)
    many = Noise(repeats=400, tests=math.inf).errors(truth, np.random.default_rng(0))
    part = next(claims.unclear_when_small(studied(many), SETTINGS))
    change = 0.0 if part.effect is None else part.effect
    return Case("unclear_when_small", change, change > SETTINGS.agreement_margin, truth)


def usual() -> Floats:
    """Curves for which every claim but the last is clearly true."""
    ends = [(0.16, 0.0), (0.12, 0.0), (0.09, 0.02), (0.06, 0.1), (0.04, 0.25)]
    return np.stack([law(M, end, reduction) for end, reduction in ends])


CASES: list[tuple[Callable[[float], Case], tuple[float, ...]]] = [
    (plateau_case, (0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.12, 0.2)),
    (bigger_case, (-0.1, -0.05, -0.02, 0.0, 0.02, 0.05, 0.1, 0.2)),
    (improving_case, (0.0, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)),
    (steeper_case, (-0.05, -0.02, 0.0, 0.02, 0.05, 0.1)),
    (unclear_case, (0.8, 1.2, 1.6, 2.0, 3.0, 5.0, 10.0, 40.0)),
]


def studied(errors: Floats) -> DataSetCurves:
    """Measured errors [5, P, R] as the claims take them."""
    curves = {
        learner.name: pd.DataFrame(one, index=M.astype(int))
        for learner, one in zip(LEARNERS, errors, strict=True)
    }
    return DataSetCurves("simulated", curves, LEARNERS)


def verdict(claim: str, errors: Floats, settings: ClaimSettings) -> str:
    """What the package says about a claim."""
    name = claim.partition(" ")[0]
    parts = list(claims.CLAIMS[name](studied(errors), settings))
    return claims.verdict_on(claims.decided(parts, settings))


def of_claims(
    studies: int, noise: Noise, settings: ClaimSettings = SETTINGS
) -> list[dict[str, Any]]:
    """A row per claim and effect: how often each verdict came out."""
    rows = []
    for make, effects in CASES:
        for effect in effects:
            case = make(effect)
            rng = np.random.default_rng([1, round(1000 * (effect + 1))])
            said: Counter[str] = Counter(
                verdict(case.claim, noise.errors(case.truth, rng), settings) for _ in range(studies)
            )
            rows.append(
                {"claim": case.claim, "effect": case.effect, "true": case.true}
                | shares(said, studies)
            )
    return rows


def shares(said: Counter[str], studies: int) -> dict[str, Any]:
    """Of each verdict, and the number of studies."""
    kinds = ("supported", "refuted", "undecided")
    return {kind: said[kind] / studies for kind in kinds} | {"studies": studies}


# The decisions


def of_plateaus(studies: int, noise: Noise) -> list[dict[str, Any]]:
    """`decisions.plateau` from repeats, standard errors and the curve alone."""
    rows = []
    for basis in ("repeats", "standard errors", "forecast"):
        for reduction in (0.0, 0.02, 0.05, 0.08, 0.12, 0.2):
            rng = np.random.default_rng([2, round(1000 * reduction)])
            truth = ahead(reduction) if basis == "forecast" else law(M, 0.1, reduction)
            said: Counter[str] = Counter(
                decisions.plateau(
                    curve_of(noise.errors(truth[None], rng)[0], basis), level=0.95
                ).verdict
                for _ in range(studies if basis != "forecast" else max(studies // 4, 20))
            )
            rows.append(
                {"decision": "plateau", "basis": basis, "effect": reduction,
                 "true": reduction < SETTINGS.margin} | shares(said, said.total())
            )  # fmt: skip
    return rows


def ahead(reduction: float) -> Floats:
    """A curve whose *next* two doublings remove `reduction` each: a power law, or one with a floor
    that is nearly reached."""
    slope = -math.log2(1 - reduction)
    if slope >= 0.1:
        return np.asarray(0.1 * (M / M[-1]) ** -slope)
    # Over two doublings from m_max a part p above the floor shrinks to p * 4 ** -0.5.
    part = (1 - (1 - reduction) ** 2) / (1 - 4**-0.5)
    return np.asarray(0.1 * (1 - part + part * (M / M[-1]) ** -0.5))


def curve_of(errors: Floats, basis: str) -> decisions.Measured:
    """Repeats [P, R] as a curve with less or more known about its noise."""
    if basis == "repeats":
        return decisions.measured(M, errors)
    mean, se = errors.mean(axis=1), errors.std(axis=1, ddof=1) / math.sqrt(errors.shape[1])
    return decisions.measured(M, mean, stderr=se if basis == "standard errors" else None)


def of_crossings(
    studies: int, noise: Noise, about: decisions.About = decisions.HERE
) -> list[dict[str, Any]]:
    """Within the measured range: is it found, does the interval hold it? And without one?"""
    rows = []
    for place in (400.0, 3000.0, 20_000.0, math.inf):
        for angle in (0.05, 0.15, 0.4):
            first = 0.02 + 1.5 * M**-0.4
            apart = angle * np.log(M / place) if math.isfinite(place) else np.zeros(len(M))
            truth = np.stack([first, first * np.exp(apart)])
            rng = np.random.default_rng([3, round(min(place, 1e6)), round(100 * angle)])
            rows.append(
                {"decision": "crossing", "at": place if math.isfinite(place) else None,
                 "log_error_per_e_fold": angle if math.isfinite(place) else 0.0}
                | crossings(truth, place, studies, noise, about, rng)
            )  # fmt: skip
            if math.isinf(place):
                break
    return rows


def crossings(
    truth: Floats,
    place: float,
    studies: int,
    noise: Noise,
    about: decisions.About,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """How often they are shown, held by the interval, and how wide that is (in doublings)."""
    held, widths = [], []
    for _ in range(studies):
        pair = [decisions.measured(M, one) for one in noise.errors(truth, rng)]
        found = comparisons._crossing_inside(pair[0], pair[1], 0.9, about)
        if found.verdict == "crosses" and found.low is not None and found.high is not None:
            held.append(found.low <= place <= found.high)
            widths.append(math.log2(found.high / found.low))
    return {
        "shown": len(held) / studies,
        "covered": float(np.mean(held)) if held and math.isfinite(place) else None,
        "doublings_wide": float(np.median(widths)) if widths else None,
        "studies": studies,
    }


def true_curves(rng: np.random.Generator) -> Callable[[Floats], Floats]:
    """A curve drawn from four families, about half of them with a floor that matters."""
    start, exponent = rng.uniform(0.2, 0.5), rng.uniform(0.15, 0.7)
    floor = start * rng.choice([0.0, rng.uniform(0.02, 0.5)])
    scale = 10 ** rng.uniform(2, 4.5)
    family = rng.integers(4)

    def curve(m: Floats) -> Floats:
        x = np.asarray(m, dtype=float) / M[0]
        shapes = [
            x**-exponent,
            ((x + scale / M[0]) / (1 + scale / M[0])) ** -exponent,
            2 / (1 + x ** (exponent * 1.2)),
            x**-exponent * ((1 + x * M[0] / scale) / (1 + M[0] / scale)) ** (exponent / 2),
        ]
        return np.asarray(floor + (start - floor) * np.minimum(shapes[family], 1.0))

    return curve


def of_labels(studies: int, noise: Noise) -> dict[str, Any]:
    """Do the ranges of labels needed hold the truth, is "never" true, do gains hold the truth?"""
    rng = np.random.default_rng(4)
    tally: Counter[str] = Counter()
    grid = np.geomspace(M[0], 1e6 * M[-1], 6000)
    for _ in range(studies):
        curve = true_curves(rng)
        one = decisions.measured(M, noise.errors(curve(M)[None], rng)[0])
        factor = 10 ** rng.uniform(-1, 1.7)
        target = float(curve(np.array([factor * M[-1]]))[0]) * rng.choice(
            [1.0, rng.uniform(0.6, 1)]
        )
        below = np.flatnonzero(curve(grid) <= target)
        truth = float(grid[below[0]]) if below.size else math.inf
        found = decisions.labels_needed(one, target)
        tally.update(labels_tally(found, truth, one.last_m))
        gain = decisions.gain_of(one, float(2 ** rng.integers(1, 4)))
        tally["gains"] += 1
        tally["gains held"] += gain.low <= float(curve(np.array([gain.m]))[0]) <= gain.high
    return dict(tally)


def labels_tally(found: decisions.LabelsNeeded, truth: float, last: float) -> Iterator[str]:
    """What there is to count in one answer. A high end that isn't stated is beyond."""
    yield found.verdict
    beyond = truth > decisions.FARTHEST * last
    if found.verdict in ("reached", "about"):
        assert found.low is not None
        if found.low <= truth <= (found.high or math.inf):
            yield f"{found.verdict} held"
        if found.high is None:
            yield f"{found.verdict} open"
    elif found.verdict == "never" and math.isfinite(truth):
        yield "never false"  # the target is reached within a million times the data
        if not beyond:
            yield "never badly false"
    elif found.verdict == "not stated" and not beyond:
        yield "not stated though within 10x"
        if found.low is not None and found.low <= truth:
            yield "not stated though within 10x, low held"


def of_probabilities(
    studies: int, noise: Noise, about: decisions.About = decisions.HERE
) -> list[dict[str, Any]]:
    """How often is A better, where P(A better) was said? At the largest m, and ahead."""
    rng = np.random.default_rng(5)
    said: dict[str, list[tuple[float, bool]]] = {"measured": [], "4 times ahead": []}
    for study in range(studies):
        m = np.array([M[-1], 4 * M[-1]])
        gap, bend = rng.normal(0, 0.02), rng.normal(0, 0.05)
        base = true_curves(rng)

        def other(at: Floats, gap: float = gap, bend: float = bend, base: Any = base) -> Floats:
            return np.asarray(base(at) * np.exp(gap + bend * np.log10(at / M[-1])))

        truth = np.stack([base(M), other(M)])
        pair = [decisions.measured(M, one) for one in noise.errors(truth, rng)]
        better = base(m) < other(m)
        p = decisions.probability_better(pair[0], pair[1], m[:1], about=about)
        said["measured"].append((float(p[0]), bool(better[0])))
        if study < max(studies // 4, 50):
            p = decisions.probability_better(pair[0], pair[1], m[1:])
            said["4 times ahead"].append((float(p[0]), bool(better[1])))
    return [row for kind, pairs in said.items() for row in tenths(kind, pairs)]


def tenths(kind: str, pairs: list[tuple[float, bool]]) -> Iterator[dict[str, Any]]:
    """Mean P and the share in which A is better, by tenths of P."""
    p, true = (np.array(values, dtype=float) for values in zip(*pairs, strict=True))
    edges = [0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 1.0001]
    for low, high in itertools.pairwise(edges):
        inside = (p >= low) & (p < high)
        if inside.any():
            yield {
                "decision": "P(A better)", "where": kind, "said": float(p[inside].mean()),
                "found": float(true[inside].mean()), "pairs": int(inside.sum()),
            }  # fmt: skip


# Known floors


def of_floors(studies: int, noise: Noise) -> list[dict[str, Any]]:
    """Forecasts of curves whose best possible error is known, told of it, cut off at it, or not.

    Half of the learners come down to it in the end, the others to a floor of their own.
    """
    rng = np.random.default_rng(7)
    factors = np.array([2.0, 4.0, 10.0])
    found: dict[str, list[Floats]] = {"not told": [], "cut off": [], "told": []}
    truths = []
    for _ in range(studies):
        floor, above = rng.choice([0.02, 0.05, 0.1, 0.2]), true_curves(rng)
        truth = floor + above(M) * 0.7
        errors = noise.errors(truth[None], rng)[0]
        mean, se = errors.mean(axis=1), errors.std(axis=1, ddof=1) / math.sqrt(noise.repeats)
        at = M[-1] * factors
        truths.append(floor + above(at) * 0.7)
        plain = forecast_curve(check(M, mean, se), at).quantile(QUANTILES)
        found["not told"].append(plain)
        found["cut off"].append(np.maximum(plain, floor))
        found["told"].append(
            forecast_curve(check(M, mean, se, floor=floor), at).quantile(QUANTILES)
        )
    return [
        {"floor": how, "factor": factor} | scored(np.array(quantiles)[:, :, i], truth)
        for i, (factor, truth) in enumerate(zip(factors, np.array(truths).T, strict=True))
        for how, quantiles in found.items()
    ]


QUANTILES = (0.05, 0.5, 0.95)


def scored(quantiles: Floats, truth: Floats) -> dict[str, Any]:
    """Mean error of the median, coverage, width and interval score (Gneiting and Raftery 2007)."""
    low, middle, high = quantiles.T
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return {
        "mean_error": float(np.abs(middle - truth).mean()),
        "bias": float((middle - truth).mean()),
        "coverage": float((outside == 0).mean()),
        "width": float((high - low).mean()),
        "interval_score": float((high - low + 20 * outside).mean()),
        "curves": len(truth),
    }


# Surfaces

SURFACES = {
    "losses (Hoffmann et al. 2022)": ((1.69, 406.4, 0.34, 410.7, 0.28), (7.5, 10.0, 8.5, 11.0)),
    "errors": ((0.05, 1.2, 0.25, 2.0, 0.45), (3.0, 6.5, 2.5, 6.0)),
    "errors, next to no floor": ((0.002, 1.0, 0.2, 2.0, 0.4), (3.0, 6.5, 2.5, 6.0)),
}
DESIGNS = ((36, 0.01, "grid"), (36, 0.03, "grid"), (60, 0.01, "t3"), (20, 0.01, "scattered"))


def of_surfaces(studies: int) -> list[dict[str, Any]]:
    """How often each known parameter lies within two standard errors of the fitted one."""
    rows = []
    for name, (truth, ranges) in SURFACES.items():
        for points, noise, design in DESIGNS:
            rng = np.random.default_rng(6)
            drawn = [sampled(truth, ranges, points, noise, design, rng) for _ in range(studies)]
            fits = [surfaces.fit(*one) for one in drawn]
            held = [
                [abs(f.parameters[p] - x) <= 2 * f.standard_errors[p] for p, x in named(truth)]
                for f in fits
            ]
            each = dict(zip(surfaces.PARAMETERS, np.mean(held, axis=0).tolist(), strict=True))
            rows.append(
                {"surface": name, "points": points, "noise": noise, "design": design} | each
                | {"all": float(np.mean(held)), "studies": studies,
                   "largest_gradient": max(f.gradient_norm for f in fits),
                   "converged": float(np.mean([f.status == surfaces.CONVERGED for f in fits]))}
            )  # fmt: skip
    return rows


def named(truth: Sequence[float]) -> Iterator[tuple[str, float]]:
    """The parameters of a surface by name."""
    yield from zip(surfaces.PARAMETERS, truth, strict=True)


def sampled(
    truth: Sequence[float],
    ranges: Sequence[float],
    points: int,
    noise: float,
    design: str,
    rng: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """N, D and losses with relative noise; ranges are the powers of ten of N and of D."""
    n_from, n_to, d_from, d_to = ranges
    if design == "grid":
        side = round(math.sqrt(points))
        axes = np.logspace(n_from, n_to, side), np.logspace(d_from, d_to, side)
        n, d = (axis.ravel() for axis in np.meshgrid(*axes))
    else:
        n, d = 10 ** rng.uniform(n_from, n_to, points), 10 ** rng.uniform(d_from, d_to, points)
    e, a, alpha, b, beta = truth
    off = rng.standard_t(3, len(n)) if design == "t3" else rng.standard_normal(len(n))
    return n, d, (e + a * n**-alpha + b * d**-beta) * np.exp(noise * off)


# What is printed


def show(title: str, rows: list[dict[str, Any]]) -> None:
    """A table."""
    print(f"\n{title}")
    table = pd.DataFrame(rows)
    print(table.to_string(index=False, float_format=number, na_rep="-"))


def number(x: float) -> str:
    """Three decimals, or a power of ten where they would all be zero."""
    return f"{x:.3f}" if x == 0 or abs(x) >= 5e-4 else f"{x:.1e}"


def worst(rows: list[dict[str, Any]]) -> float:
    """The largest share of a false `supported`."""
    return max(float(row["supported"]) for row in rows if not row["true"])


def show_labels(tally: dict[str, Any]) -> None:
    """The answers to "how many labels?" in words."""
    print("\nLabels needed (90 % ranges), and gains")
    for verdict in ("reached", "about"):
        count, held, open_ = (tally.get(f"{verdict}{s}", 0) for s in ("", " held", " open"))
        print(f"  {verdict:11}{count:6}  range holds the truth {held / max(count, 1):.3f}, "
              f"without an upper end {open_ / max(count, 1):.3f}")  # fmt: skip
    never, false, bad = (tally.get(f"never{s}", 0) for s in ("", " false", " badly false"))
    print(f"  never      {never:6}  reached within 10x after all {bad / max(never, 1):.3f}, "
          f"within a million times {false / max(never, 1):.3f}")  # fmt: skip
    unsaid = tally.get("not stated", 0)
    near = tally.get("not stated though within 10x", 0)
    print(f"  not stated {unsaid:6}  though reached within 10x {near / max(unsaid, 1):.3f}")
    print(f"  gains      {tally['gains']:6}  interval holds the truth "
          f"{tally['gains held'] / tally['gains']:.3f}")  # fmt: skip


def main() -> None:
    """Simulate, decide, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="few studies: within a minute")
    parser.add_argument("--studies", type=int, help="per effect; 1000, or 100 with --quick")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    studies = chosen.studies or (100 if chosen.quick else 1000)
    started = time.perf_counter()
    found: dict[str, Any] = {"studies": studies}
    tests = Noise(tests=TESTS)
    variants = [
        ("about this test set", Noise(), SETTINGS),
        ("about this test set", Noise(repeats=3), SETTINGS),
        (f"about the population, {TESTS:,} tests not allowed for", tests, SETTINGS),
        (f"about the population, from {TESTS:,} tests", tests, ELSEWHERE),
        (f"the same, mistakes have nothing in common, {TESTS:,} tests", UNLIKE, ELSEWHERE),
        (f"the same, {TESTS // 10:,} tests", Noise(tests=TESTS / 10), ELSEWHERE_FEW),
    ]
    for kind, noise, settings in [variants[0], variants[3]] if chosen.quick else variants:
        rows = of_claims(studies, noise, settings)
        title = f"Claims (level {SETTINGS.level}): {noise.repeats} repeats, {kind}"
        show(title, rows)
        print(f"largest share of a false `supported`: {worst(rows):.3f}")
        found[title] = rows
    about = decisions.About(tests=TESTS)
    for title, rows in (
        ("Plateau (level 0.95)", of_plateaus(studies, Noise())),
        ("Crossing (90 % intervals)", of_crossings(studies, Noise())),
        (f"Crossing on other tests than these {TESTS:,}", of_crossings(studies, tests)),
        ("Crossing, tests allowed for", of_crossings(studies, tests, about)),
        ("P(A better than B)", of_probabilities(studies, Noise())),
        (f"P(A better) on other tests than these {TESTS:,}", of_probabilities(studies, tests)),
        ("P(A better), tests allowed for", of_probabilities(studies, tests, about)),
        ("Known floors (90 % intervals)", of_floors(max(studies // 2, 40), Noise())),
        ("Surfaces: within two standard errors", of_surfaces(5 if chosen.quick else studies // 5)),
    ):
        found[title] = rows
        show(title, rows)
    found["labels"] = of_labels(max(studies, 200), Noise())
    show_labels(found["labels"])
    print(f"\n{time.perf_counter() - started:.0f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
