"""How often the claim `relu_is_faster` says what, in simulated runs whose truth is known.

One part of the claim is simulated, all others taken to be clearly true: the worst case for a false
`supported`. The steps of a repeat are off by what both networks share, as they see the same
batches, and by what is their own. Runs that need more than the budget are cut off there. The true
ratio is that of restricted steps, as the claim is about them; it comes from many draws.

The kinds of noise: on the logarithm normal; skewed, as of runs that sit on a plateau for a while;
and stuck, where now and then a run with ReLU never arrives, which few repeats may well not show.
Or tuned: normal, and each network's best rate lies anywhere between those of the grid, of which one
is chosen in two repeats, as in the experiment. No repeat that is judged shows what that costs.

The parts on vanishing gradients compare what is left of a gradient per layer; their noise is normal
or skewed, shared by both networks of a repeat in part, and the same at every depth or larger in
deeper networks.

Usage: python benchmarks/activations_calibration.py [--studies N]
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from takeoff.experiments.activations import compared
from takeoff.statistics.intervals import decide, mean_of

Floats = NDArray[np.float64]
LEVEL, BUDGET = 0.95, 1000.0
SHARED, OWN = 0.15, 0.25  # standard deviations of the logarithm of steps
STUCK = 0.1  # share of the runs with ReLU that never arrive
MANY = 100_000
TUNED_IN, GRID = 2, np.arange(-3.0, 4.0)  # repeats; places of the rates, one grid step apart
DEPTHS, RELU = np.array([1.0, 2.0, 4.0, 8.0]), 0.58  # what ReLU keeps of a gradient per layer
ASTRAY = 0.5  # what a rate that is one step of the grid off adds to the logarithm of steps


def drawn(
    kind: str, ratio: float, mean: float, repeats: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Steps of the sigmoid and of ReLU, [R] each; infinity for never."""
    shared = SHARED * rng.standard_normal(repeats)
    if kind == "skewed":
        own = OWN * (rng.exponential(size=(2, repeats)) - 1)
    else:
        own = OWN * rng.standard_normal((2, repeats))
    if kind == "tuned" and repeats < MANY:
        own += np.array([[tuning(rng)], [tuning(rng)]])
    sigmoid, relu = mean * np.exp(shared + own + np.log([[ratio], [1.0]]))
    if kind == "stuck":
        relu = np.where(rng.random(repeats) < STUCK, np.inf, relu)
    return (np.where(sigmoid > BUDGET, np.inf, sigmoid), np.where(relu > BUDGET, np.inf, relu))


def tuning(rng: np.random.Generator) -> float:
    """What the chosen rate adds to the logarithm of steps, beyond that of the best one."""
    lost = ASTRAY * (GRID - rng.uniform(-0.5, 0.5)) ** 2
    seen = lost + OWN * rng.standard_normal((TUNED_IN, len(GRID)))
    return float(lost[np.exp(seen).mean(axis=0).argmin()])


def runs(arrived_at: Floats) -> pd.DataFrame:
    """As the experiment has them."""
    return pd.DataFrame(
        {"repeat": np.arange(len(arrived_at)), "arrived_at": arrived_at,
         "steps": np.minimum(arrived_at, BUDGET), "astray": ASTRAY}
    )  # fmt: skip


def verdict(sigmoid: Floats, relu: Floats) -> str:
    """What the experiment says of such a part."""
    estimate = compared(runs(sigmoid), runs(relu), TUNED_IN)
    if estimate is None:
        return "undecided"
    return decide(estimate.p_above(0.0), estimate.p_below(0.0), LEVEL)


def rows(studies: int) -> Iterator[dict[str, Any]]:
    """A row per kind of noise, number of repeats, difficulty and ratio."""
    for kind in ("normal", "skewed", "stuck", "tuned"):
        for repeats in (3, 6):
            for mean in (200.0, 900.0, 3000.0):
                for ratio in (0.8, 1.0, 1.25, 1.6, 3.0):
                    rng = np.random.default_rng([1, repeats, round(mean), round(100 * ratio)])
                    many = drawn(kind, ratio, mean, MANY, rng)
                    cut = [np.minimum(steps, BUDGET) for steps in many]
                    true = float(np.exp(np.mean(np.log(cut[0]) - np.log(cut[1]))))
                    said = Counter(
                        verdict(*drawn(kind, ratio, mean, repeats, rng)) for _ in range(studies)
                    )
                    yield {
                        "noise": kind, "repeats": repeats, "mean": mean, "ratio": ratio,
                        "restricted": true, "true": true > 1 + 1e-3 and ratio > 1,
                        "cut off": float(np.isinf(many).mean()),
                        **{name: said[name] / studies
                           for name in ("supported", "refuted", "undecided")},
                    }  # fmt: skip


def left_per_layer(kind: str, kept: float, shared: Floats, rng: np.random.Generator) -> Floats:
    """Log of what is left of a gradient per layer, [R], as a slope over the depths."""
    size = (len(DEPTHS), len(shared))
    own = rng.exponential(size=size) - 1 if kind == "skewed" else rng.standard_normal(size)
    if kind == "deeper is noisier":
        own *= DEPTHS[:, None] / DEPTHS.mean()
    ends = DEPTHS[:, None] * math.log(kept) + shared + OWN * own
    centred = (DEPTHS - DEPTHS.mean())[:, None]
    return np.asarray((centred * ends).sum(axis=0) / (centred**2).sum())


def vanishing(studies: int) -> Iterator[dict[str, Any]]:
    """A row per kind of noise, number of repeats, and what the sigmoid keeps per layer."""
    for kind in ("normal", "skewed", "deeper is noisier"):
        for repeats in (3, 6):
            for kept in (0.7, 0.58, 0.5, 0.14):
                rng = np.random.default_rng([2, repeats, round(1000 * kept)])
                said: Counter[str] = Counter()
                for _ in range(studies):
                    shared = SHARED * rng.standard_normal(repeats)
                    relu, sigmoid = (left_per_layer(kind, k, shared, rng) for k in (RELU, kept))
                    estimate = mean_of(relu - sigmoid)
                    said[decide(estimate.p_above(0.0), estimate.p_below(0.0), LEVEL)] += 1
                yield {
                    "noise": kind, "repeats": repeats, "kept": kept, "true": kept < RELU,
                    **{name: said[name] / studies
                       for name in ("supported", "refuted", "undecided")},
                }  # fmt: skip


def main() -> None:
    """Simulate, decide, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--studies", type=int, default=2000, help="per row")
    studies = parser.parse_args().studies
    for simulated in (rows, vanishing):
        table = pd.DataFrame(simulated(studies))
        print(table.to_string(index=False, float_format=lambda x: f"{x:.3f}"))
        for kind, own in table[~table["true"]].groupby("noise", sort=False):
            false = own["supported"].max()
            print(f"largest share of a false `supported`, {kind} noise: {false:.3f}")


if __name__ == "__main__":
    main()
