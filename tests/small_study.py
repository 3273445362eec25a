"""A study with two curves whose data set is known by its sheet alone, and a store for its cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from takeoff.demand import Demand, demands, read_study
from takeoff.files import write_json
from takeoff.store import CellStore
from takeoff.study import Study

CONFIG: dict[str, Any] = {
    "study": "tiny", "title": "Tiny", "seed": 1,
    "use": {"datasets": ["spam"], "learners": ["linear", "network"]},
    "datasets": {"spam": {"m": [20, 40], "repeats": 2, "pool": 100, "test": 50}},
    "learners": {
        "linear": {"kind": "logistic_regression", "label": "linear", "grid": {"C": [0.1]}},
        "network": {"kind": "mlp", "label": "net", "hidden": [4], "grid": {"learning_rate": [0.1]}},
    },
}  # fmt: skip


class SmallStudy:
    """The study in a folder: its config file, its results and its store."""

    def __init__(self, folder: Path):
        self.config, self.results = folder / "tiny.yaml", folder / "results"
        self.store = CellStore(self.results / "cells")
        self.write()

    def write(self, **changes: Any) -> None:
        """Write the config, with changes at its top level."""
        self.config.write_text(yaml.safe_dump(CONFIG | changes))

    def prepare(self, digest: str = "d1", pool: int = 100) -> None:
        """What preparing the data set tells of it."""
        sheet = {"digest": digest, "n_pool": pool, "n_test": 50}
        write_json(self.results / "tiny/data/spam.json", sheet)

    @property
    def study(self) -> Study:
        return read_study([self.config])

    def curves(self) -> list[Demand]:
        return list(demands(self.study, self.results))

    def train(self, learner: str) -> list[Path]:
        """Store made-up cells of a learner; returns their files."""
        (curve,) = [curve for curve in self.curves() if curve.learner == learner]
        for meaning in curve.cells():
            row = {
                "dataset": "spam", "learner": learner, "m": meaning["m"],
                "repeat": meaning["repeat"], "test_error": 0.25, "seconds": 1.5,
            }  # fmt: skip
            self.store.put(meaning, row)
        return [self.store.path(meaning) for meaning in curve.cells()]
