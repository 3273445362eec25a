"""How members are weighted and how wide the forecast is: formulas, and the constants in them.

The constants are in `takeoff.statistics.learned`; here is what they mean. All features are ratios,
so that nothing changes where m or the unit of the error is rescaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from takeoff.statistics.evidence import LAST, MEMBERS, TAILS, TAKES_OFF, Evidence

Floats = NDArray[np.float64]

REACH = 5.0  # log2 of the factor beyond which the constants' effects stay what they are
WIDEST = 30.0  # scales, and ratios under a logarithm, are kept within this many e-folds


@dataclass(frozen=True)
class Constants:
    """Everything that was learned from other curves. K members (`evidence.MEMBERS`).

    Attributes:
        prior: [K] log odds of the members, at a factor of 4.
        per_octave: [K] what each further doubling of m adds to them.
        backtest: [2] power of a member's backtest error (relative to the last value's), at a
            factor of 4 and per octave.
        outlying: [2] the same for its distance from the median member.
        caution: [4] what the last value gains from roughness, octaves beyond the backtests, the
            logarithm of the number of points, and roughness times octaves.
        rough_tail: What a weighting of the whole tail gains from roughness.
        best_so_far: [2] what the last value, and a weighting of the whole tail, gain where a curve
            holds the best error so far (`takeoff.statistics.evidence.is_best_so_far`).
        take_off: [4] log odds that a stuck learner begins to learn: constant, per octave, per unit
            of error, where the error is above one half.
        scale: [11] coefficients of `scale_features`.
        probabilities, quantiles: [Q] of the standardised errors, ascending; the median is 0.
    """

    prior: tuple[float, ...]
    per_octave: tuple[float, ...]
    backtest: tuple[float, ...]
    outlying: tuple[float, ...]
    caution: tuple[float, ...]
    rough_tail: float
    best_so_far: tuple[float, ...]
    take_off: tuple[float, ...]
    scale: tuple[float, ...]
    probabilities: tuple[float, ...]
    quantiles: tuple[float, ...]

    def weights(self, evidence: Evidence) -> Floats:
        """[H, K] weights of the members at each factor; rows sum to 1."""
        scores = score_features(evidence) @ self.coefficients()
        scores[:, TAKES_OFF] += 0.0 if evidence.stuck else -np.inf
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True))

    def coefficients(self) -> Floats:
        """The coefficients of `score_features`, in one vector."""
        return np.concatenate(
            [
                self.prior,
                self.per_octave,
                self.backtest,
                self.outlying,
                self.caution,
                [self.rough_tail],
                self.best_so_far,
                self.take_off,
            ]
        )

    def widths(self, evidence: Evidence, weights: Floats) -> Floats:
        """[H] scale of the predictive distribution, in the unit of the error."""
        unit, features = scale_features(evidence, weights)
        return np.asarray(unit * np.exp(np.clip(features @ np.array(self.scale), -WIDEST, 5.0)))

    def standard_quantile(self, p: Floats) -> Floats:
        """Quantiles of the standardised errors, linear in the logit of p."""
        return np.interp(_logit(p), _logit(np.array(self.probabilities)), self.quantiles)

    def standard_cdf(self, value: Floats) -> Floats:
        """The inverse of `standard_quantile`, with tails that go on as 1 / value ** 2."""
        p, q = np.array(self.probabilities), np.array(self.quantiles)
        inside = 1 / (1 + np.exp(-np.interp(value, q, _logit(p))))
        with np.errstate(divide="ignore", invalid="ignore"):
            below = p[0] * np.where(value < q[0], (q[0] / value) ** 2, 1.0)
            above = 1 - (1 - p[-1]) * np.where(value > q[-1], (q[-1] / value) ** 2, 1.0)
        return np.where(value < q[0], below, np.where(value > q[-1], above, inside))


def _logit(p: Floats) -> Floats:
    return np.asarray(np.log(p) - np.log1p(-p))


def octaves(evidence: Evidence) -> Floats:
    """[H] log2 of the factor, at most REACH."""
    return np.minimum(np.log2(evidence.factors), REACH)


def score_features(evidence: Evidence) -> Floats:
    """[H, K, C] what the log odds of each member are linear in: see `Constants`."""
    factors, count = len(evidence.factors), len(MEMBERS)
    far = octaves(evidence) - 2
    each = np.broadcast_to(np.eye(count), (factors, count, count))
    gain, off = backtest_gain(evidence), outlying(evidence)
    further = far[:, None]
    blocks = [each, each * far[:, None, None]]
    blocks += [np.stack([-gain, -gain * further], axis=2), np.stack([-off, -off * further], axis=2)]
    rough = evidence.rough - 0.2
    unreached = np.maximum(np.log2(evidence.factors / evidence.reached), 0.0).clip(max=REACH)
    caution = np.zeros((factors, count, 4))
    caution[:, LAST, 0], caution[:, LAST, 1] = rough, unreached
    caution[:, LAST, 2] = np.log(evidence.points) - 3.5
    caution[:, LAST, 3] = rough * (far + 2)
    whole = np.array([1 - tail / TAILS[-1] for _, tail in MEMBERS])
    whole[[LAST, TAKES_OFF]] = 0.0
    tails = np.broadcast_to(rough * whole[None, :, None], (factors, count, 1))
    luckiest = np.zeros((factors, count, 2))
    luckiest[:, LAST, 0], luckiest[:, :, 1] = evidence.best_so_far, evidence.best_so_far * whole
    start = np.zeros((factors, count, 4))
    level = min(evidence.last, 1.0)
    start[:, TAKES_OFF, 0], start[:, TAKES_OFF, 1] = 1.0, far
    start[:, TAKES_OFF, 2], start[:, TAKES_OFF, 3] = level, float(level > 0.5)
    return np.concatenate([*blocks, caution, tails, luckiest, start], axis=2)


def backtest_gain(evidence: Evidence) -> Floats:
    """[H, K] log of the backtest error relative to the last value's; 0 without a backtest."""
    own, naive = evidence.backtest, evidence.backtest[:, [LAST]]
    ratio = np.log((own + evidence.noise) / (naive + evidence.noise))
    return np.nan_to_num(ratio, nan=0.0)


def outlying(evidence: Evidence) -> Floats:
    """[H, K] log of 1 + distance from the median member, in units of its way from the last."""
    members = evidence.members[:, :TAKES_OFF]
    median = np.median(members, axis=1, keepdims=True)
    way = np.abs(evidence.last - median) + evidence.noise
    return np.asarray(np.log1p(np.abs(evidence.members - median) / way))


def scale_features(evidence: Evidence, weights: Floats) -> tuple[Floats, Floats]:
    """[H] a unit, and [H, 11] features of the log of the scale in that unit.

    The features: constant, octaves, octaves beyond the backtests, roughness, the log of 1 + the
    share of points missing to 30, whether the learner is stuck, whether the errors are the best so
    far, whose noise doesn't show; then logs in the unit: noise, spread of the members, backtest
    error of the average, way to go.
    """
    unit = np.full(len(evidence.factors), max(evidence.last, evidence.noise) + evidence.noise)
    predicted = (weights * evidence.members).sum(axis=1)
    spread = np.sqrt((weights * (evidence.members - predicted[:, None]) ** 2).sum(axis=1))
    naive = np.nan_to_num(evidence.backtest, nan=0.0)
    missed = (weights * naive).sum(axis=1)
    way = np.abs(predicted - evidence.last)
    far = octaves(evidence)
    one = np.ones(len(far))
    unreached = np.maximum(np.log2(evidence.factors / evidence.reached), 0.0).clip(max=REACH)
    few = np.log1p(max(30 / evidence.points - 1, 0.0))
    plain = [one, far, unreached, one * evidence.rough, one * few, one * evidence.stuck]
    plain.append(one * evidence.best_so_far)
    sizes = [one * 0.0, spread, missed, way]
    logs = [np.log((size + evidence.noise) / unit) for size in sizes]
    return unit, np.stack(plain + logs, axis=1)
