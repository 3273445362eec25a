"""A small data set that is quick to learn, and the settings of a quick curve on it."""

from __future__ import annotations

from typing import Any

import numpy as np

from takeoff.datasets.base import Dataset
from takeoff.fingerprint import versions

GRIDS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"grid": {"C": [0.01, 1.0]}},
    "svm_rbf": {"grid": {"C": [1.0, 10.0]}},
    "gradient_boosting": {"grid": {"learning_rate": [0.1, 0.3]}, "max_trees": 10},
    "mlp": {"grid": {"learning_rate": [0.003, 0.01]}, "hidden": [16]},
}
TRAINING: dict[str, Any] = {
    "validation_fraction": 0.2, "batch_size": 32, "epochs": 5, "min_steps": 60, "max_steps": 90,
    "evaluations": 10, "patience": 3, "pilot_fraction": 0.5, "warmup_fraction": 0.1,
    "cooldown_fraction": 0.2, "weight_decay": 0.01, "accelerator": "cpu", "precision": "32-true",
}  # fmt: skip


def blobs(n_classes: int = 3, pool: int = 400, posterior: bool = False, seed: int = 0) -> Dataset:
    """Classes as overlapping clouds in eight dimensions, stored as bytes."""
    random = np.random.default_rng(seed)
    centres = random.uniform(60, 190, (n_classes, 8))

    def draw(n: int) -> tuple[Any, Any]:
        y = random.integers(0, n_classes, n)
        x = np.clip(centres[y] + random.normal(0, 25, (n, 8)), 0, 255)
        return x.astype(np.uint8), y.astype(np.int64)

    x_pool, y_pool = draw(pool)
    x_test, y_test = draw(200)
    known = np.eye(n_classes)[y_test] * 0.9 + 0.1 / n_classes if posterior else None
    return Dataset(
        name="blobs", title="Blobs", description="Clouds", task="which cloud", source="here",
        licence="MIT", citation="", generated=True,
        classes=tuple(f"class {k}" for k in range(n_classes)),
        x_pool=x_pool, y_pool=y_pool, x_test=x_test, y_test=y_test,
        levels=(np.arange(256) / 255).astype(np.float32), posterior_test=known,
    )  # fmt: skip


def curve(kind: str, m: list[int], repeats: int = 2, seed: int = 1) -> dict[str, Any]:
    """`Study.curve_settings` as a rule would pass them on."""
    return {
        "dataset": "blobs", "learner": f"a_{kind}", "m": m, "repeats": repeats, "seed": seed,
        "fit": {"kind": kind, **GRIDS[kind]}, "training": TRAINING,
        "code": "0", "versions": versions("numpy"),
    }  # fmt: skip
