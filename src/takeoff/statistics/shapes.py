"""The shape of a learning curve in a word, so that one that misbehaves isn't smoothed away."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from takeoff.statistics.evidence import Curve, is_stuck, noise_of

Floats = NDArray[np.float64]


def shape_of(curve: Curve) -> str:
    """The shape of a curve in a word.

    Movements count where they exceed both three times the noise of a difference of two points and a
    twentieth of the range of the curve.

    - "too short": fewer than four points.
    - "stuck": the last errors are equal to the last digit: the learner hasn't begun to learn.
    - "flat": never moves.
    - "decreasing" and "increasing": moves in one direction.
    - "peaking": falls (or starts low), rises to a peak and falls again (double descent is one).
    - "dipping": falls, then rises and stays up (Loog and Viering 2022).
    - "non-monotone": any other.
    """
    if len(curve.m) < 4:
        return "too short"
    if is_stuck(curve):
        return "stuck"
    turns = _turns(curve.error, _movement(curve))
    names = {
        (): "flat",
        (-1,): "decreasing",
        (1,): "increasing",
        (-1, 1): "dipping",
        (1, -1): "peaking",
        (-1, 1, -1): "peaking",
    }
    return names.get(tuple(turns), "non-monotone")


def _movement(curve: Curve) -> float:
    """The smallest movement that is one, in the unit of the error."""
    se = np.where(np.isfinite(curve.stderr), curve.stderr, noise_of(curve))
    noise = 3 * np.sqrt(2) * float(np.median(se))
    sizes = noise, 0.05 * float(np.ptp(curve.error)), 0.01 * float(curve.error.min()), 1e-12
    return float(max(sizes))


def _turns(values: Floats, threshold: float) -> list[int]:
    """Directions of a zigzag: a new one begins when values move back by the threshold."""
    turns: list[int] = []
    low = high = values[0]
    for value in values[1:]:
        low, high = min(low, value), max(high, value)
        direction = turns[-1] if turns else 0
        if direction >= 0 and value < high - threshold:
            turns.append(-1)
            low = high = value
        elif direction <= 0 and value > low + threshold:
            turns.append(1)
            low = high = value
        elif direction < 0:
            high = low if value == low else high
        elif direction > 0:
            low = high if value == high else low
    return turns
