"""The order of the learners, repeat by repeat: what is behind the claim `unclear_when_small`.

That claim is decided by Kendall's tau between repeats (`takeoff.statistics.claims`). This says more
of the same rankings: how well all repeats agree at each m (Kendall's W), who wins, and how much a
repeat leaves to guess of the winner (the entropy of who wins). Ranked are the learners that were
measured at every m of a data set, so that different m speak of the same learners.

An entropy from R repeats is too small on average: (K - 1) / (2 R ln 2) bits are added for K
different winners (Miller 1955).

Intervals are the jackknife's, over the repeats. Both statistics move in steps and may show no
variation by luck, so a standard error is taken to be at least what it is where one repeat differs
from all others, and these agree; see `intervals.mean_over_pairs`. Where several m are averaged, it
differs at all of them, as the luck of a repeat may be the same at neighbouring m. All of it is
about the one test set: nothing is added for the choice of its examples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from takeoff.experiments import Asked, Findings
from takeoff.statistics.claims import LEARNERS_NEEDED, REPEATS_NEEDED, Curve
from takeoff.statistics.fits import error_tables
from takeoff.statistics.intervals import (
    ROUNDING,
    Estimate,
    Floats,
    Verdict,
    decide,
    mean_of,
)

AGREEMENT = ["dataset", "m", "learners", "w", "low", "high", "entropy", "winners"]
WINNERS = ["dataset", "m", "learner", "share", "mean_rank"]


def analyse(asked: Asked) -> Findings:
    """Rank the learners in every repeat.

    Returns:
        tables: agreement (Kendall's W with its interval, entropy of the winner in bits, number of
            different winners) and winners (share of the repeats that each learner wins, its mean
            rank), by data set and m.
        decided: by data set with three learners or more whose small and large m are apart: `few`
            and `many` for the `small_m` smallest and largest m (see `_end`), and `change`, the
            entropy at many minus that at few, with its interval and whether it is shown to fall
            ("supported") or to rise ("refuted").
    """
    names = [learner["name"] for learner in asked.settings["learners"]]
    small_m = asked.settings["claims"]["small_m"]
    agreement: list[dict[str, Any]] = []
    winners: list[dict[str, Any]] = []
    decided: dict[str, Any] = {}
    for dataset in asked.settings["datasets"]:
        own = asked.runs[asked.runs["dataset"] == dataset]
        ranked = _ranked(error_tables(own[own["learner"].isin(names)]), names)
        if ranked is None:
            continue
        m, learners, ranks = ranked
        agreement += [{"dataset": dataset, **row} for row in _agreement(m, ranks, asked)]
        winners += [{"dataset": dataset, **row} for row in _winners(m, learners, ranks)]
        if len(m) >= 2 * small_m:
            decided[dataset] = _ends(learners, ranks, small_m, asked.settings["level"])
    return Findings(
        tables={
            "agreement": pd.DataFrame(agreement, columns=AGREEMENT),
            "winners": pd.DataFrame(winners, columns=WINNERS),
        },
        decided={"datasets": decided, "small_m": small_m},
    )


def _ranked(
    curves: Mapping[str, Curve], names: list[str]
) -> tuple[list[int], list[str], Floats] | None:
    """The m, the learners measured at all of them, and their ranks [M, L, R]; None: too few."""
    m = sorted({int(m) for curve in curves.values() for m in curve.index})
    whole = [name for name in names if name in curves and len(curves[name]) == len(m)]
    if len(whole) < LEARNERS_NEEDED or curves[whole[0]].shape[1] < REPEATS_NEEDED:
        return None
    errors = np.stack([curves[name].to_numpy(dtype=float) for name in whole], axis=1)
    by_learner = pd.DataFrame(errors.swapaxes(0, 1).reshape(len(whole), -1))
    ranks = by_learner.rank().to_numpy().reshape(len(whole), len(m), -1).swapaxes(0, 1)
    return m, whole, ranks


def _agreement(m: list[int], ranks: Floats, asked: Asked) -> Iterator[dict[str, Any]]:
    for size, own in zip(m, ranks, strict=True):
        low, high = concordance_interval(own[None], asked.settings["level"])
        wins = wins_of(own)
        yield {
            "m": size, "learners": len(own), "w": concordance(own), "low": low, "high": high,
            "entropy": entropy(wins), "winners": int((wins.sum(axis=1) > 0).sum()),
        }  # fmt: skip


def _winners(m: list[int], learners: list[str], ranks: Floats) -> Iterator[dict[str, Any]]:
    for size, own in zip(m, ranks, strict=True):
        shares = wins_of(own).mean(axis=1)
        for name, share, place in zip(learners, shares, own.mean(axis=1), strict=True):
            yield {"m": size, "learner": name, "share": float(share), "mean_rank": float(place)}


def _ends(learners: list[str], ranks: Floats, count: int, level: float) -> dict[str, Any]:
    few, many = ranks[:count], ranks[-count:]
    estimate = entropy_change(few, many)
    most = math.log2(len(learners))
    low, high = (float(np.clip(end, -most, most)) for end in estimate.interval(level))
    verdict: Verdict = decide(estimate.p_below(0.0), estimate.p_above(0.0), level)
    return {
        "few": _end(learners, few, level),
        "many": _end(learners, many, level),
        "change": {"value": estimate.value, "low": low, "high": high, "verdict": verdict},
    }


def _end(learners: list[str], ranks: Floats, level: float) -> dict[str, Any]:
    """What is told of some m, together.

    Args:
        learners, ranks: [L] and [M, L, R].
        level: Of the interval.

    Returns:
        entropy (bits, the mean over these m), often (who wins most often; several where they do so
        equally often), share (of the repeats at these m, that each of them wins), w (the mean over
        these m) and its low and high.
    """
    shares = np.mean([wins_of(own).mean(axis=1) for own in ranks], axis=0)
    most = float(shares.max())
    low, high = concordance_interval(ranks, level)
    return {
        "entropy": mean_entropy(ranks),
        "often": [name for name, x in zip(learners, shares, strict=True) if x > most - ROUNDING],
        "share": most,
        "w": mean_concordance(ranks),
        "low": low,
        "high": high,
    }


def concordance(ranks: Floats) -> float:
    """Kendall's W (Kendall and Babington Smith 1939), with his correction for ties.

    Args:
        ranks: [L, R] of L learners in R repeats; tied ones share their mean rank.

    Returns:
        1 where all repeats rank alike, near 0 where they have nothing in common; NaN where every
        repeat ties all learners.
    """
    learners, repeats = ranks.shape
    sums = ranks.sum(axis=1)
    spread = float(((sums - sums.mean()) ** 2).sum())
    ties = 0.0
    for own in ranks.T:
        counts = np.unique(own, return_counts=True)[1].astype(float)
        ties += float((counts**3 - counts).sum())
    most = repeats**2 * (learners**3 - learners) - repeats * ties
    return 12 * spread / most if most > 0 else math.nan


def mean_concordance(ranks: Floats) -> float:
    """Kendall's W, averaged over some m: of ranks [M, L, R]."""
    return float(np.mean([concordance(own) for own in ranks]))


def concordance_interval(ranks: Floats, level: float) -> tuple[float, float]:
    """The interval of `mean_concordance`, cut at 0 and 1.

    Without ties W is 1 / R + (R - 1) / R times the mean of Spearman's rho over all pairs of
    repeats (Kendall and Babington Smith 1939). That mean is what the jackknife is for, as how far W
    lies above it depends on R. The step is that of two neighbours who swap places in one repeat.

    Args:
        ranks: [M, L, R] with R >= 3.
        level: Of the interval.

    Returns:
        NaN twice where W isn't defined, with all repeats or without one of them.
    """
    _, learners, repeats = ranks.shape
    step = 12 / (learners**3 - learners)
    rho = _jackknife(_mean_correlation, ranks, least=2 * step / repeats)
    if not math.isfinite(rho.se):
        return math.nan, math.nan
    low, high = ((1 + (repeats - 1) * end) / repeats for end in rho.interval(level))
    return max(low, 0.0), min(high, 1.0)


def _mean_correlation(ranks: Floats) -> float:
    repeats = ranks.shape[2]
    return float((repeats * mean_concordance(ranks) - 1) / (repeats - 1))


def _jackknife(statistic: Callable[[Floats], float], ranks: Floats, least: float) -> Estimate:
    """A statistic of all repeats, with its standard error from leaving out each in turn.

    Args:
        statistic: Of ranks [..., R].
        ranks: [..., R].
        least: What the standard error is at least.
    """
    repeats, value = ranks.shape[-1], statistic(ranks)
    without = np.array([statistic(np.delete(ranks, r, axis=-1)) for r in range(repeats)])
    se = mean_of(repeats * value - (repeats - 1) * without).se
    return Estimate(value, max(se, least), repeats - 1)


def wins_of(ranks: Floats) -> Floats:
    """[L, R] who wins each repeat: 1, or a share of it where several tie."""
    best = ranks == ranks.min(axis=0)
    return np.asarray(best / best.sum(axis=0))


def entropy(wins: Floats) -> float:
    """Of who wins, in bits, corrected as the module says; at most log2 of how many there are."""
    repeats = wins.shape[1]
    shares = wins.mean(axis=1)
    shares = shares[shares > 0]
    plain = float(-(shares * np.log2(shares)).sum())
    corrected = plain + (len(shares) - 1) / (2 * repeats * math.log(2))
    return float(min(corrected, math.log2(len(wins))))


def mean_entropy(ranks: Floats) -> float:
    """`entropy`, averaged over some m: of ranks [M, L, R]."""
    return float(np.mean([entropy(wins_of(own)) for own in ranks]))


def entropy_change(few: Floats, many: Floats) -> Estimate:
    """The mean entropy at many labels minus that at few, in bits.

    Args:
        few, many: Ranks [M, L, R] at the small and at the large m, of the same repeats.
    """
    sizes, _, repeats = few.shape

    def change(ranks: Floats) -> float:
        return mean_entropy(ranks[sizes:]) - mean_entropy(ranks[:sizes])

    odd = np.zeros((2, repeats - 1))  # who wins where one repeat differs, and another is left out
    odd[0], odd[:, 0] = 1, (0, 1)
    least = (repeats - 1) / repeats * entropy(odd)
    return _jackknife(change, np.concatenate([few, many]), least)


def always_wins(end: Mapping[str, Any]) -> bool:
    """Whether one learner wins every repeat, of what `analyse` decided for some m."""
    return bool(end["share"] > 1 - ROUNDING)
