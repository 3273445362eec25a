"""The lecture's claims, decided by the runs.

Every claim is made of *parts*: one effect in one data set, with a two-sided t interval and one
threshold. Repeats are the independent units: within a repeat all learners see the same examples,
so effects are taken within each repeat and averaged over the repeats (paired), with one degree of
freedom less than there are repeats.

A part is `supported` where the claimed side of its threshold is shown, `refuted` where the other
side is shown, and `undecided` otherwise; shown means a one-sided p-value below half of what the
two-sided intervals leave out (0.025 for 95 % intervals). "No significant difference" thus never
counts as a finding.

A claim says that all its parts hold. It is `supported` if every part is: the intersection-union
test, which needs no correction (Berger 1982). It is `refuted` if any part is; because
many parts give many chances to err, every `p_against` is adjusted over the parts of its
claim (Holm 1979). A part that the study can't speak about (one network only, a test error of
zero) is `undecided`, with the reason in words.

All repeats are tested on the same examples, so no repeat shows what the errors owe to these. Where
the number of test examples T is known (`ClaimSettings.tests`), claims are about the population that
they come from: the variance of every effect has a part added for the choice of the test set. For
an error rate it is the binomial error * (1 - error) / T. For a difference of two it is the sum of
both: right for learners whose mistakes have nothing in common, and on the wide side for others,
as which mistakes they share is not in the runs. So it is for a relative change of one learner's
error with m, by the delta method, and for the difference of two such changes. Without T, claims are
about this test set.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from takeoff.errors import TakeoffError
from takeoff.statistics.fits import error_tables
from takeoff.statistics.intervals import (
    Estimate,
    Floats,
    Verdict,
    binomial_variance,
    decide,
    holm,
    mean_of,
    mean_over_pairs,
)

REPEATS_NEEDED = 3
LEARNERS_NEEDED = 3  # two learners can't tell a stable order from a lucky one
REDRAWN = 200  # test sets, for their effect on rankings

REDUCTION = "relative reduction of the test error per doubling of m"
STEEPNESS = "difference of log2(test error) slopes per doubling of m"
TEST_ERROR = "test error"
TAU = "Kendall tau"

# Test errors of one curve: a row per m (ascending), a column per repeat.
Curve = pd.DataFrame


@dataclass(frozen=True)
class ClaimSettings:
    """What a claim must show.

    Attributes:
        level: Of the two-sided intervals.
        doublings: How many of the last doublings of m say whether a curve still falls.
        margin: Relative reduction of the test error per doubling below which a curve is flat.
        agreement_margin: Difference in Kendall tau below which rankings are equally stable.
        small_m: How many of the smallest m count as small, and of the largest as large.
        tests: How many examples the one test set of each data set has, for claims about the
            population (see the module's docstring). Data sets that aren't there are judged on their
            test set; leave out those whose metric isn't an error rate.
    """

    level: float = 0.95
    doublings: int = 2
    margin: float = 0.05
    agreement_margin: float = 0.1
    small_m: int = 2
    tests: Mapping[str, int] | None = None

    def tests_of(self, dataset: str) -> int | None:
        """The number of test examples, or None for claims about this test set.

        Raises:
            TakeoffError: It isn't positive.
        """
        tests = (self.tests or {}).get(dataset)
        if tests is not None and not tests > 0:
            raise TakeoffError(
                f"{tests} test examples",
                where=f"claims on {dataset}",
                remedy="give the number of examples that errors are measured on, or leave it out",
            )
        return tests


def sizes_of_test_sets(sheets: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    """`ClaimSettings.tests` from the sheets of data sets: of those judged by their error rate."""
    return {
        name: int(sheet["n_test"])
        for name, sheet in sheets.items()
        if sheet["metric"] == "error_rate" and "n_test" in sheet
    }


@dataclass(frozen=True)
class Learner:
    """A learner as the claims see it.

    Attributes:
        name: As in the runs.
        label: For readers.
        family: Network or traditional.
        rank: Orders the networks by size, 1 for the smallest; 0 for traditional learners.
            Networks of equal rank aren't compared.
    """

    name: str
    label: str
    family: Literal["traditional", "network"]
    rank: int


@dataclass(frozen=True)
class Findings:
    """What `check` returns.

    Attributes:
        last_doublings: A row per data set and learner: dataset, learner, family, from_m, to_m,
            reduction, low, high (relative reduction of the test error per doubling; NaN where a
            test error is zero or there is only one m).
        differences: The parts of `bigger_is_better`: dataset, better, worse, m, difference (test
            error of `worse` minus that of `better`, in the claimed order), low, high, p_for,
            p_against, verdict.
        agreement: A row per data set and m: dataset, m, learners (their number), agreement (mean
            Kendall tau between the repeats' rankings), low, high (clipped to [-1, 1]).
        claims: JSON-able: level, and per claim its verdict, threshold, unit, reason and parts.
            What isn't known is None.
    """

    last_doublings: pd.DataFrame
    differences: pd.DataFrame
    agreement: pd.DataFrame
    claims: dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One effect of a claim against its threshold.

    Attributes:
        dataset, subject, versus: What is compared: a learner, and the learner it is compared
            with (None where it isn't).
        m: The largest m that the effect looks at.
        effect, low, high: In `unit`; None where there is no estimate. The interval is for this
            part alone, not adjusted for the others.
        p_for: One-sided p-value for the claimed side (adjusted only where the claim says so).
        p_against: One-sided p-value for the other side; `check` adjusts it over the claim's parts.
        threshold, unit: What the effect is held against.
        reason: Why there is no estimate, or None.
        verdict: Decided by `check`.
    """

    dataset: str
    subject: str
    versus: str | None
    m: int | None
    threshold: float
    unit: str
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    p_for: float | None = None
    p_against: float | None = None
    reason: str | None = None
    verdict: Verdict = "undecided"


@dataclass(frozen=True)
class DataSetCurves:
    """The curves of one data set, and its learners (those that have a curve)."""

    name: str
    curves: Mapping[str, Curve]
    learners: Sequence[Learner]

    @property
    def networks(self) -> list[Learner]:
        """From small to large."""
        networks = [learner for learner in self.learners if learner.family == "network"]
        return sorted(networks, key=lambda network: network.rank)

    @property
    def traditional(self) -> list[Learner]:
        return [learner for learner in self.learners if learner.family == "traditional"]


def check(runs: pd.DataFrame, learners: Sequence[Learner], settings: ClaimSettings) -> Findings:
    """Decide the claims.

    Args:
        runs: A row per data set, learner, m and repeat, with its test error.
        learners: Every learner in the runs.
        settings: What a claim must show.

    Raises:
        TakeoffError: Fewer than three repeats, gaps in the runs, or a learner that isn't listed.
    """
    studied = _by_dataset(runs, learners)
    parts = {
        claim: decided([part for one in studied for part in of_dataset(one, settings)], settings)
        for claim, of_dataset in CLAIMS.items()
    }
    claims = [_claim(claim, parts[claim], settings) for claim in CLAIMS]
    return Findings(
        last_doublings=_last_doublings(studied, settings),
        differences=_differences(parts["bigger_is_better"]),
        agreement=_agreement(studied, settings),
        claims={"level": settings.level, "claims": claims},
    )


def _by_dataset(runs: pd.DataFrame, learners: Sequence[Learner]) -> list[DataSetCurves]:
    unknown = set(runs["learner"]) - {learner.name for learner in learners}
    if unknown:
        raise TakeoffError(
            f"there are runs of {min(unknown)}, which the study doesn't list",
            remedy=f"add it under `learners`, or delete its runs: {min(unknown)}.csv",
        )
    studied = []
    for name, rows in runs.groupby("dataset", sort=True):
        curves = error_tables(rows)
        _need_repeats(str(name), curves)
        present = [learner for learner in learners if learner.name in curves]
        studied.append(DataSetCurves(str(name), curves, present))
    return studied


def _need_repeats(dataset: str, curves: Mapping[str, Curve]) -> None:
    learner, curve = next(iter(curves.items()))
    if curve.shape[1] < REPEATS_NEEDED:
        raise TakeoffError(
            f"{curve.shape[1]} repeat(s) of {learner}: claims need at least {REPEATS_NEEDED}",
            where=f"runs on {dataset}",
            remedy=f"set `datasets.{dataset}.repeats` to {REPEATS_NEEDED} or more",
        )


# The effects


@dataclass(frozen=True)
class Doublings:
    """How a curve moved over its last doublings of m.

    Attributes:
        from_m, to_m: The two m compared; None where the curve has only one.
        slopes: [R] per repeat, log2(error(from_m) / error(to_m)) per doubling: 1 is an error that
            halves with each doubling. None where it can't be had.
        reason: Why not, or None.
    """

    from_m: int | None
    to_m: int
    slopes: Floats | None = None
    reason: str | None = None


def last_doublings(curve: Curve, doublings: int) -> Doublings:
    """The slope of a curve over its last doublings.

    The comparison starts at the measured m that is closest, in the logarithm, to
    2 ** -doublings times the largest; the slope is divided by the doublings really covered.

    A test error of zero has no logarithm. Putting in a small number instead would let that number,
    not the data, decide the claim; so there is no slope, and the reason says so.
    """
    to_m = int(curve.index[-1])
    if len(curve) < 2:
        return Doublings(None, to_m, reason=f"only m = {to_m} was measured")
    before = curve.index[:-1].to_numpy(dtype=float)
    distance = np.abs(np.log2(before * 2.0**doublings / to_m))
    from_m = int(curve.index[int(distance.argmin())])
    ends = curve.loc[[from_m, to_m]].to_numpy()
    if (ends <= 0).any():
        return Doublings(from_m, to_m, reason="a test error of zero has no relative reduction")
    slopes = np.log2(ends[0] / ends[1]) / math.log2(to_m / from_m)
    return Doublings(from_m, to_m, slopes)


def slope_noise(curve: Curve, moved: Doublings, tests: int | None) -> float:
    """The standard deviation of a slope that comes from the test set; 0 without T.

    By the delta method, as if the mistakes at both ends had nothing in common: an upper bound
    for a learner that goes on failing on the same examples.
    """
    if tests is None or moved.from_m is None:
        return 0.0
    errors = curve.loc[[moved.from_m, moved.to_m]].mean(axis=1).to_numpy()
    relative = binomial_variance(_rates(errors), tests) / errors**2
    return math.sqrt(relative.sum()) / math.log(2) / math.log2(moved.to_m / moved.from_m)


def _rates(errors: Floats) -> Floats:
    """The errors, if they are error rates.

    Raises:
        TakeoffError: They are losses, of whose noise nothing is known.
    """
    if (errors > 1).any():
        raise TakeoffError(
            "the noise of a test set is only known for error rates, and an error is above 1",
            remedy="leave out the number of tests of this data set",
        )
    return errors


def relative_reduction(slope: float) -> float:
    """The share of the error that one doubling removes, from its log2 slope: 1 - 2 ** -slope."""
    return -math.expm1(-slope * math.log(2))


def slope_of(reduction: float) -> float:
    """The log2 slope of a relative reduction per doubling, < 1: the inverse."""
    return -math.log1p(-reduction) / math.log(2)


def ranking_agreement(errors: Floats) -> Floats:
    """Kendall's tau-b between the repeats' rankings of the learners (Kendall 1945).

    Args:
        errors: [..., L, R] test errors of L learners in R repeats.

    Returns:
        [..., R, R]; tau-b allows for ties. A repeat in which all learners tie ranks nothing, and
        agrees with no other: 0.
    """
    first, second = np.triu_indices(errors.shape[-2], k=1)
    order = np.sign(errors[..., first, :] - errors[..., second, :])
    untied = np.abs(order).sum(axis=-2)
    scale = np.sqrt(untied[..., :, None] * untied[..., None, :])
    concordance = np.swapaxes(order, -1, -2) @ order
    result: Floats = np.divide(concordance, scale, out=np.zeros_like(scale), where=scale > 0)
    return result


def one_swap(learners: int) -> float:
    """How far Kendall's tau falls when two neighbours in one of the rankings swap places."""
    return 4 / (learners * (learners - 1))


# The claims


def plateau(data: DataSetCurves, settings: ClaimSettings) -> Iterator[Part]:
    """Traditional learners flatten: their last doublings remove less than `margin` each.

    A part per traditional learner, over the last doublings of its own m: a learner that is capped
    below the data set's largest m is judged at its cap (the part's `m`). An error that rises
    again counts as flat.
    """
    for learner in data.traditional:
        yield _reduction_part(data, learner, settings, claimed="below")


def bigger_is_better(data: DataSetCurves, settings: ClaimSettings) -> Iterator[Part]:
    """At the largest m: large network < small network < traditional learner in test error.

    A part per pair of networks of different rank, and per network and traditional learner, at the
    largest m that both have. The effect is the error of the one that should be worse minus the
    error of the one that should be better; the threshold is 0.

    `p_for` is adjusted over the data set's pairs too (Holm), so that every row may be read
    alone. That is stricter than the claim needs: its intersection-union test errs in at most 2.5 %
    (95 % intervals) with unadjusted p-values.
    """
    parts = [_difference_part(data, *pair, settings) for pair in _claimed_order(data)]
    yield from _adjusted(parts, "p_for")


def keeps_improving(data: DataSetCurves, settings: ClaimSettings) -> Iterator[Part]:
    """The largest network goes on improving, and faster than the smallest.

    Two parts: its last doublings remove more than `margin` each; and its log2 slope over the last
    doublings that both networks have is steeper than that of the smallest network.
    """
    if not data.networks:
        return
    *smaller, largest = data.networks
    yield _reduction_part(data, largest, settings, claimed="above")
    if smaller and smaller[0].rank < largest.rank:
        yield _steeper_part(data, largest, smaller[0], settings)
    else:
        only = "there is no smaller network to compare with"
        yield Part(data.name, largest.name, None, None, 0.0, STEEPNESS, reason=only)


def unclear_when_small(data: DataSetCurves, settings: ClaimSettings) -> Iterator[Part]:
    """The order of the learners is less stable at small m than at large.

    The effect is the agreement between the repeats' rankings (mean Kendall tau over all pairs of
    repeats) at the `small_m` largest m minus that at the `small_m` smallest, for the learners that
    were measured at every m. It is a U-statistic over the repeats; its interval is the jackknife's
    (see `intervals.mean_over_pairs`).
    """
    kernels, learners = _agreements(data)
    all_m = sorted(kernels)
    part = Part(
        data.name, "ranking", None, max(all_m, default=None), settings.agreement_margin, TAU
    )
    if learners < LEARNERS_NEEDED:
        yield replace(part, reason="too few learners were measured at every m")
    elif len(all_m) < 2 * settings.small_m:
        yield replace(part, reason=f"{len(all_m)} different m: small and large m overlap")
    else:
        small = [kernels[m] for m in all_m[: settings.small_m]]
        large = [kernels[m] for m in all_m[-settings.small_m :]]
        change = np.mean(large, axis=0) - np.mean(small, axis=0)
        step = one_swap(learners) / settings.small_m
        estimate = mean_over_pairs(change, step)
        tests = settings.tests_of(data.name)
        if tests is not None:
            # The two ends get test sets of their own, which errs on the wide side.
            rng, count = np.random.default_rng(0), settings.small_m
            small_ones, large_ones = (
                _agreement_elsewhere(_ranked(data, some), tests, rng)
                for some in (all_m[:count], all_m[-count:])
            )
            estimate = _off_by(large_ones - small_ones, estimate)
        yield measured_part(part, estimate, settings.level)


CLAIMS: dict[str, Callable[[DataSetCurves, ClaimSettings], Iterator[Part]]] = {
    "plateau": plateau,
    "bigger_is_better": bigger_is_better,
    "keeps_improving": keeps_improving,
    "unclear_when_small": unclear_when_small,
}


# The parts


def _reduction_part(
    data: DataSetCurves,
    learner: Learner,
    settings: ClaimSettings,
    claimed: Literal["above", "below"],
) -> Part:
    """A learner's reduction per doubling against `margin`, decided on the log2 scale."""
    moved = last_doublings(data.curves[learner.name], settings.doublings)
    part = Part(data.name, learner.name, None, moved.to_m, settings.margin, REDUCTION)
    if moved.slopes is None:
        return replace(part, reason=moved.reason)
    on_log2 = replace(part, threshold=slope_of(settings.margin))
    noise = slope_noise(data.curves[learner.name], moved, settings.tests_of(data.name))
    slope = mean_of(moved.slopes).widened(noise)
    measured = measured_part(on_log2, slope, settings.level, claimed)
    names = ("effect", "low", "high")
    ends: dict[str, Any] = {n: relative_reduction(getattr(measured, n)) for n in names}
    return replace(measured, threshold=settings.margin, **ends)


def _claimed_order(data: DataSetCurves) -> list[tuple[Learner, Learner]]:
    """The pairs (better, worse) as the lecture has them."""
    networks = [
        (larger, smaller)
        for smaller, larger in itertools.combinations(data.networks, 2)
        if smaller.rank < larger.rank
    ]
    return networks + list(itertools.product(data.networks, data.traditional))


def _difference_part(
    data: DataSetCurves, better: Learner, worse: Learner, settings: ClaimSettings
) -> Part:
    part = Part(data.name, better.name, worse.name, None, 0.0, TEST_ERROR)
    better_curve, worse_curve = data.curves[better.name], data.curves[worse.name]
    shared = better_curve.index.intersection(worse_curve.index)
    if shared.empty:
        return replace(part, reason="they have no m in common")
    m = int(shared.max())
    errors = np.stack([worse_curve.loc[m], better_curve.loc[m]])
    difference = mean_of(errors[0] - errors[1])
    tests = settings.tests_of(data.name)
    if tests is not None:
        variance = binomial_variance(_rates(errors.mean(axis=1)), tests).sum()
        difference = difference.widened(math.sqrt(variance))
    return measured_part(replace(part, m=m), difference, settings.level)


def _steeper_part(
    data: DataSetCurves, larger: Learner, smaller: Learner, settings: ClaimSettings
) -> Part:
    curves = [data.curves[larger.name], data.curves[smaller.name]]
    shared = curves[0].index.intersection(curves[1].index).sort_values()
    part = Part(data.name, larger.name, smaller.name, None, 0.0, STEEPNESS)
    if shared.empty:
        return replace(part, reason="they have no m in common")
    large, small = (last_doublings(curve.loc[shared], settings.doublings) for curve in curves)
    part = replace(part, m=large.to_m)
    if large.slopes is None or small.slopes is None:
        return replace(part, reason=large.reason or small.reason)
    tests = settings.tests_of(data.name)
    noise = [slope_noise(c, d, tests) for c, d in zip(curves, (large, small), strict=True)]
    difference = mean_of(large.slopes - small.slopes).widened(math.hypot(*noise))
    return measured_part(part, difference, settings.level)


def _agreements(data: DataSetCurves) -> tuple[dict[int, Floats], int]:
    """Agreement between repeats [R, R] at each m, and how many learners are ranked.

    Ranked are the learners that were measured at every m of the data set, so that
    the agreement at different m is about the same learners. No agreement with fewer than three.
    """
    all_m = sorted({int(m) for curve in data.curves.values() for m in curve.index})
    ranked = [curve for curve in data.curves.values() if len(curve) == len(all_m)]
    if len(ranked) < LEARNERS_NEEDED:
        return {}, len(ranked)
    errors = np.stack([curve.to_numpy() for curve in ranked])
    return {m: ranking_agreement(errors[:, i]) for i, m in enumerate(all_m)}, len(ranked)


def _ranked(data: DataSetCurves, m: Sequence[int]) -> Floats:
    """Errors [L, M, R] at some m, of the learners that were measured at every m."""
    all_m = {m for curve in data.curves.values() for m in curve.index}
    ranked = [curve for curve in data.curves.values() if len(curve) == len(all_m)]
    return np.stack([curve.loc[list(m)].to_numpy() for curve in ranked])


def _agreement_elsewhere(errors: Floats, tests: int, rng: np.random.Generator) -> Floats:
    """Mean agreement between repeats over some m, as other test sets might have it: [REDRAWN].

    A test set moves all repeats of a learner alike, by its binomial noise. That is drawn again and
    added (a parametric bootstrap): on top of the noise that the errors have already, so this tells
    how far the agreement is from what it would be without the first.

    Args:
        errors: [L, M, R].
        tests: T.
    """
    mean = _rates(errors.mean(axis=2, keepdims=True))
    size = np.sqrt(binomial_variance(mean, tests))
    moved = errors + size * rng.standard_normal((REDRAWN, len(errors), 1, 1))
    kernels = ranking_agreement(np.moveaxis(moved, 1, 2))
    repeats = errors.shape[2]
    pairs = kernels.sum(axis=(2, 3)) - np.trace(kernels, axis1=2, axis2=3)
    return np.asarray(pairs.mean(axis=1) / (repeats * (repeats - 1)))


def _off_by(elsewhere: Floats, here: Estimate) -> Estimate:
    """An agreement, or a change of it, widened by the root mean square of what a test set does."""
    return here.widened(float(np.sqrt(np.mean((elsewhere - here.value) ** 2))))


# The decisions


def measured_part(
    part: Part, estimate: Estimate, level: float, claimed: Literal["above", "below"] = "above"
) -> Part:
    """The part with its effect, interval and one-sided p-values."""
    low, high = estimate.interval(level)
    above, below = estimate.p_above(part.threshold), estimate.p_below(part.threshold)
    p_for, p_against = (above, below) if claimed == "above" else (below, above)
    return replace(
        part, effect=estimate.value, low=low, high=high, p_for=p_for, p_against=p_against
    )


def _adjusted(parts: Sequence[Part], p_value: Literal["p_for", "p_against"]) -> list[Part]:
    """The parts with one of their p-values adjusted over all that have an estimate."""
    result = list(parts)
    measured = [i for i, part in enumerate(parts) if part.effect is not None]
    adjusted = holm([getattr(parts[i], p_value) for i in measured])
    for i, p in zip(measured, adjusted, strict=True):
        change: dict[str, Any] = {p_value: p}
        result[i] = replace(parts[i], **change)
    return result


def decided(parts: Sequence[Part], settings: ClaimSettings) -> list[Part]:
    """All parts of one claim, with adjusted `p_against` and their verdicts."""
    result = []
    for part in _adjusted(parts, "p_against"):
        if part.p_for is not None and part.p_against is not None:
            part = replace(part, verdict=decide(part.p_for, part.p_against, settings.level))
        result.append(part)
    return result


def verdict_on(parts: Sequence[Part]) -> Verdict:
    """The verdict on a claim from those on its parts (see the module's docstring)."""
    verdicts = {part.verdict for part in parts}
    if "refuted" in verdicts:
        return "refuted"
    return "supported" if verdicts == {"supported"} else "undecided"


def _claim(claim: str, parts: Sequence[Part], settings: ClaimSettings) -> dict[str, Any]:
    threshold, unit = {
        "plateau": (settings.margin, REDUCTION),
        "bigger_is_better": (0.0, TEST_ERROR),
        "keeps_improving": (settings.margin, REDUCTION),
        "unclear_when_small": (settings.agreement_margin, TAU),
    }[claim]
    return {
        "claim": claim,
        "verdict": verdict_on(parts),
        "threshold": threshold,
        "unit": unit,
        "reason": None if parts else "the study has no learners that this claim is about",
        "parts": [dict(vars(part)) for part in parts],
    }


# The tables


def _last_doublings(studied: Sequence[DataSetCurves], settings: ClaimSettings) -> pd.DataFrame:
    rows = []
    for data in studied:
        for learner in data.learners:
            part = _reduction_part(data, learner, settings, claimed="below")
            moved = last_doublings(data.curves[learner.name], settings.doublings)
            ends = (moved.from_m, moved.to_m, part.effect, part.low, part.high)
            rows.append((data.name, learner.name, learner.family, *ends))
    names = ["dataset", "learner", "family", "from_m", "to_m", "reduction", "low", "high"]
    frame = pd.DataFrame(rows, columns=names)
    return frame.astype({"from_m": "Int64", "reduction": float, "low": float, "high": float})


def _differences(parts: Sequence[Part]) -> pd.DataFrame:
    """The parts of `bigger_is_better` as a table."""
    names = {"subject": "better", "versus": "worse", "effect": "difference"}
    measures = ["difference", "low", "high", "p_for", "p_against"]
    table = pd.DataFrame([vars(part) for part in parts], columns=list(Part.__annotations__))
    table = table.rename(columns=names)[["dataset", "better", "worse", "m", *measures, "verdict"]]
    return table.astype({"m": "Int64"} | dict.fromkeys(measures, float))


def _agreement(studied: Sequence[DataSetCurves], settings: ClaimSettings) -> pd.DataFrame:
    rows = []
    for data in studied:
        kernels, learners = _agreements(data)
        tests = settings.tests_of(data.name)
        for m, kernel in kernels.items():
            estimate = mean_over_pairs(kernel, one_swap(learners))
            if tests is not None:
                rng = np.random.default_rng(0)
                elsewhere = _agreement_elsewhere(_ranked(data, [m]), tests, rng)
                estimate = _off_by(elsewhere, estimate)
            low, high = np.clip(estimate.interval(settings.level), -1, 1)
            rows.append((data.name, m, learners, estimate.value, low, high))
    names = ["dataset", "m", "learners", "agreement", "low", "high"]
    return pd.DataFrame(rows, columns=names)
