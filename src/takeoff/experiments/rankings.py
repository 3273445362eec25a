"""The order of the learners, repeat by repeat: what is behind the claim `unclear_when_small`.

That claim is decided by Kendall's tau between repeats (`takeoff.statistics.claims`). This says more
of the same rankings: how well all repeats agree at each m (Kendall's W), who wins, and how much a
repeat leaves to guess of the winner (the entropy of who wins). Ranked are the learners that were
measured at every m of a data set, so that different m speak of the same learners.

An entropy from R repeats is too small on average: (K - 1) / (2 R
ln 2) bits are added for K different winners (Miller 1955).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from takeoff.experiments import Asked, Findings
from takeoff.statistics.claims import LEARNERS_NEEDED, REPEATS_NEEDED, Curve
from takeoff.statistics.fits import error_tables
from takeoff.statistics.intervals import Floats, mean_of

AGREEMENT = ["dataset", "m", "learners", "w", "low", "high", "entropy", "winners"]
WINNERS = ["dataset", "m", "learner", "share", "mean_rank"]


def analyse(asked: Asked) -> Findings:
    """Rank the learners in every repeat.

    Returns:
        tables: agreement (Kendall's W with its interval, entropy of the winner in bits, number of
            different winners) and winners (share of the repeats that each learner wins, its mean
            rank), by data set and m.
        decided: by data set with three learners or more: few, many (the entropy in bits at the
            `small_m` smallest and largest m, averaged), often_few, often_many (who wins most often
            there) and share_few, share_many (of these repeats).
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
            decided[dataset] = _ends(learners, ranks, small_m)
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
    return m, whole, np.asarray(stats.rankdata(errors, axis=1))


def _agreement(m: list[int], ranks: Floats, asked: Asked) -> Iterator[dict[str, Any]]:
    for size, own in zip(m, ranks, strict=True):
        low, high = concordance_interval(own, asked.settings["level"])
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


def _ends(learners: list[str], ranks: Floats, count: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for end, some in (("few", ranks[:count]), ("many", ranks[-count:])):
        shares = np.mean([wins_of(own).mean(axis=1) for own in some], axis=0)
        found[end] = float(np.mean([entropy(wins_of(own)) for own in some]))
        found[f"often_{end}"] = learners[int(shares.argmax())]
        found[f"share_{end}"] = float(shares.max())
    return found


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


def concordance_interval(ranks: Floats, level: float) -> tuple[float, float]:
    """A jackknife interval over the repeats, cut at 0 and 1; see `intervals.mean_over_pairs`."""
    repeats = ranks.shape[1]
    without = np.array([concordance(np.delete(ranks, r, axis=1)) for r in range(repeats)])
    pseudo_values = repeats * concordance(ranks) - (repeats - 1) * without
    if not np.isfinite(pseudo_values).all():
        return math.nan, math.nan
    low, high = mean_of(pseudo_values).interval(level)
    return max(low, 0.0), min(high, 1.0)


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
