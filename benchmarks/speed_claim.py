"""How often the claim `iteration_speed` says what, in simulated studies whose truth is known.

In each row one of its effects is at its threshold and all others are clearly true: the worst case
for a false `supported`, which should come in at most 2.5 % of the studies (one-sided, 95 %
intervals). Times and errors of repeats are off by log-normal noise of their own.

Usage: python benchmarks/speed_claim.py [--studies N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from takeoff.experiments import Asked, speed
from takeoff.statistics import claims

SIZES = (4000, 8000, 16000)
PARAMS = {"small": 10_000, "large": 200_000}
FACTOR, MARGIN = 2.0, 0.05
SETTINGS: dict[str, Any] = {
    "settings": {"factor": FACTOR, "error_margin": MARGIN},
    "level": 0.95,
    "dataset": "simulated",
    "datasets": ["simulated"],
    "claims": {"doublings": 2},
    "learners": [
        {"name": name, "family": "network", "rank": rank} for rank, name in enumerate(PARAMS, 1)
    ],
}


@dataclass(frozen=True)
class World:
    """What is true: by tenfold labels and weights, of runs a day, of the error; and the noise."""

    labels: float = 6.0
    weights: float = 6.0
    saving: float = 6.0
    error: float = -0.05
    noise: float = 0.05
    repeats: int = 5


WORLDS = {
    "all true": World(),
    "labels at the threshold": World(labels=FACTOR),
    "weights at the threshold": World(weights=FACTOR),
    "saving at the threshold": World(saving=FACTOR),
    "error at the margin": World(error=MARGIN),
    "labels below it": World(labels=1.5),
}


def study(world: World, random: np.random.Generator) -> Asked:
    """One simulated study."""
    runs = pd.DataFrame(
        {"dataset": "simulated", "learner": name, "m": m, "repeat": repeat, "n_params": params,
         "seconds": _time(world, m, params) * math.exp(world.noise * random.normal())}
        for name, params in PARAMS.items() for m in SIZES for repeat in range(world.repeats)
    )  # fmt: skip
    own = pd.DataFrame(
        {"repeat": repeat, "way": way, "seconds": math.exp(world.noise * random.normal()) / saved,
         "test_error": 0.2 * raised * math.exp(0.3 * world.noise * random.normal())}
        for way, saved, raised in (("alone", 1.0, 1.0), ("pilots", world.saving, 1 + world.error))
        for repeat in range(world.repeats)
    )  # fmt: skip
    return Asked(SETTINGS, runs, own, {})


def _time(world: World, m: int, params: int) -> float:
    power = math.log10(m / SIZES[0]), math.log10(params / PARAMS["small"])
    return float(world.labels ** power[0] * world.weights ** power[1])


def verdict(asked: Asked) -> str:
    """What the claim comes to."""
    return str(claims.verdict_on(speed.decided(asked)))


def main() -> None:
    """Simulate, and print how often each verdict comes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--studies", type=int, default=500)
    parser.add_argument("--json", type=Path, metavar="FILE")
    chosen = parser.parse_args()
    shares = {}
    print(
        f"{'truth':<28}{'noise':>7}{'repeats':>9}{'supported':>11}{'refuted':>9}{'undecided':>11}"
    )
    for name, world in WORLDS.items():
        for noise, repeats in ((0.05, 5), (0.2, 4)):
            random = np.random.default_rng(1)
            drawn = replace(world, noise=noise, repeats=repeats)
            found = Counter(verdict(study(drawn, random)) for _ in range(chosen.studies))
            share = {key: found[key] / chosen.studies for key in ("supported", "refuted")}
            share["undecided"] = 1 - sum(share.values())
            shares[f"{name}, noise {noise}"] = share
            said = f"{share['supported']:>11.1%}{share['refuted']:>9.1%}{share['undecided']:>11.1%}"
            print(f"{name:<28}{noise:>7}{repeats:>9}{said}")
    if chosen.json:
        chosen.json.write_text(json.dumps(shares, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
