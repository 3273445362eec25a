"""A small data set that is quick to learn, and the settings of a quick curve on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from takeoff import training
from takeoff.datasets.base import Dataset
from takeoff.fingerprint import versions
from takeoff.metrics import NAMES

GRIDS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"grid": {"C": [0.01, 1.0]}},
    "svm_rbf": {"grid": {"C": [1.0, 10.0]}},
    "gradient_boosting": {"grid": {"learning_rate": [0.1, 0.3]}, "max_trees": 10},
    "mlp": {"grid": {"learning_rate": [0.003, 0.01]}, "hidden": [16]},
    "ridge": {"grid": {"C": [0.01, 1.0]}},
}
OF_CLASSES = [kind for kind in GRIDS if kind != "ridge"]
OF_NUMBERS = [kind for kind in GRIDS if kind != "logistic_regression"]
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


def hills(pool: int = 400, seed: int = 0, **changes: Any) -> Dataset:
    """Heights in metres, told by a table: numbers with gaps and outliers, and three indicators."""
    random = np.random.default_rng(seed)

    def draw(n: int) -> tuple[Any, Any]:
        x = random.normal(size=(n, 8)).astype(np.float32)
        x[:, 5:] = np.eye(3)[random.integers(0, 3, n)]
        y = 500 + 40 * (2 * x[:, 0] + x[:, 1] * x[:, 2] + x[:, 5]) + 10 * random.normal(size=n)
        x[:, 0] = 1000 * x[:, 0] + 5000
        x[:, 3] = np.exp(6 * x[:, 3])
        x[random.random((n, 8)) < [0, 0, 0.05, 0.3, 0, 0, 0, 0]] = np.nan
        return x, y.astype(np.float64)

    x_pool, y_pool = draw(pool)
    x_test, y_test = draw(200)
    return Dataset(**{
        "name": "hills", "title": "Hills", "description": "Heights", "task": "how high it is",
        "source": "here", "licence": "MIT", "citation": "", "generated": True, "classes": (),
        "x_pool": x_pool, "y_pool": y_pool, "x_test": x_test, "y_test": y_test, "metric": "rmse",
        "unit": "m", "scaling": "each", "kinds": np.array([0] * 5 + [1] * 3, dtype=np.int8),
    } | changes)  # fmt: skip


def curve(kind: str, m: list[int], repeats: int = 2, seed: int = 1) -> dict[str, Any]:
    """`Study.curve_settings` as a rule would pass them on."""
    return {
        "dataset": "blobs", "learner": f"a_{kind}", "m": m, "repeats": repeats, "seed": seed,
        "fit": {"kind": kind, **GRIDS[kind]}, "training": TRAINING,
        "code": "0", "versions": versions("numpy"),
    }  # fmt: skip


def trained_curve(*how: Any) -> pd.DataFrame:
    """The rows of `training.train_curve` as a table."""
    table = pd.DataFrame(training.train_curve(*how))
    return table.astype(dict.fromkeys(("test_se", *NAMES), float))
