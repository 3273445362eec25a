"""Made-up runs of a grid of network sizes, whose errors follow a known law."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from takeoff.experiments import Asked
from takeoff.networks.replicates import Shape

Law = Callable[[float, float], float]  # of parameters and m -> error

LADDER = {"mlp_small": [16, 16], "mlp_medium": [64, 64], "mlp_large": [256, 256]}
OWN = {"mlp_1": [1], "mlp_4": [4], "mlp_64": [64], "mlp_16x16x16x16": [16] * 4,
       "mlp_512x512": [512, 512]}  # fmt: skip
HIDDEN = LADDER | OWN
M = [500, 2000, 8000, 32000]
REPEATS = 3
CLAIMS = {"doublings": 2, "margin": 0.05, "agreement_margin": 0.1, "small_m": 2,
          "population": False}  # fmt: skip
SHEET = {"metric": "error_rate", "n_test": 20_000, "n_features": 512, "title": "Spam",
         "floor": 0.017, "chance": 0.4}  # fmt: skip
FREE = {"label": None, "hour": None, "currency": "EUR"}
PRICED = {"label": 0.05, "hour": 2.0, "currency": "EUR"}


def parameters(hidden: list[int], features: int = 512) -> int:
    """Of a network with two outputs."""
    return Shape(features, tuple(hidden), 2).n_params


def both_levers(n: float, m: float) -> float:
    """Each lever works where the other is plentiful, and ends where it is not."""
    return 0.03 + 0.35 * (n / 300) ** -0.7 + 0.3 * (m / 200) ** -0.7


def neither_ends(n: float, m: float) -> float:
    """Each doubling of either lever removes a tenth, wherever it starts."""
    return 0.37 * 0.9 ** (np.log2(n / 517) + np.log2(m / 500))


def nothing_helps(n: float, m: float) -> float:
    """All the same."""
    return 0.2


def additive(n: float, m: float) -> float:
    """The model of the surface, above a floor of 0.017."""
    return 0.017 + 1.2 * n**-0.45 + 3.0 * m**-0.38


def runs(
    law: Law,
    hidden: dict[str, list[int]],
    noise: float = 0.01,
    repeats: int = REPEATS,
    m: list[int] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """A row per cell. Half of the (relative) noise is shared by the networks of a repeat."""
    rng = np.random.default_rng(seed)
    rows = []
    shared = rng.normal(size=(len(m or M), repeats))
    for network, widths in hidden.items():
        n = parameters(widths)
        for i, size in enumerate(m or M):
            for repeat in range(repeats):
                off = noise * (0.7 * shared[i, repeat] + 0.7 * rng.normal())
                steps = max(120, round(0.035 * size))
                rows.append(
                    {"dataset": "spam", "learner": network, "m": size, "repeat": repeat,
                     "test_error": law(n, size) * np.exp(off), "n_params": n, "steps": steps,
                     "seconds": 0.1 + 1e-6 * steps * 128 + 2e-10 * n * steps * 128}
                )  # fmt: skip
    return pd.DataFrame(rows)


def settings(**changes: Any) -> dict[str, Any]:
    """`Study.experiment_settings`, as far as the experiment reads them."""
    return {
        "experiment": "network_sizes", "dataset": "spam", "m": M, "repeats": REPEATS,
        "networks": HIDDEN, "batch_size": 128, "level": 0.95, "forecast_level": 0.9,
        "claims": CLAIMS, "costs": FREE,
        "own_design": [{"dataset": "spam", "learner": name} for name in OWN],
    } | changes  # fmt: skip


def asked(law: Law, noise: float = 0.01, seed: int = 0, **changes: Any) -> Asked:
    """The question, with runs that follow a law; the study's own have more repeats and m."""
    more = runs(law, LADDER, noise, repeats=5, m=[250, *M, 64_000], seed=seed)
    own = runs(law, OWN, noise, seed=seed)
    every = settings(**changes)
    return Asked(every, more, own, {"spam": SHEET})
