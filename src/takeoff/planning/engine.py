"""The real engine outside of a study: to time it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from takeoff.datasets.base import Dataset
from takeoff.planning.costs import Task
from takeoff.training import Candidate, Ledger, Sample


class Tally(Ledger):
    """Takes finished cells as a ledger does, and stores nothing.

    Attributes:
        found: Each cell with the network that was kept for it.
        n_steps: Steps of all networks so far.
        device: Where the last one was trained.
    """

    def __init__(self) -> None:
        self.found: list[tuple[Sample, Candidate]] = []
        self.n_steps = 0
        self.device = "cpu"

    @property
    def checkpoint(self) -> Path:
        """A file that is not there."""
        return Path(tempfile.gettempdir()) / "takeoff-measures-nothing-to-go-on-from.ckpt"

    def plan(self, steps: int) -> None:
        """Nobody waits for it."""

    def steps(self, n: int) -> None:
        """Count them."""
        self.n_steps += n

    def finish(self, sample: Sample, best: Candidate, seconds: float) -> None:
        """Keep the network; nothing is tested."""
        self.found.append((sample, best))
        self.device = best.device


def random_samples(task: Task, networks: int, rows: int = 1000) -> list[Sample]:
    """As many cells as networks, of random examples as wide as those of a task."""
    random = np.random.default_rng(0)
    x = random.integers(0, 256, size=(rows, task.n_features), dtype=np.uint8)
    is_regression = task.n_outputs == 1
    y = random.normal(size=rows) if is_regression else random.integers(task.n_outputs, size=rows)
    data = Dataset(
        name="random", title="", description="", task="", source="", licence="", citation="",
        generated=True, classes=() if is_regression else tuple(map(str, range(task.n_outputs))),
        x_pool=x, y_pool=y, x_test=x[:10], y_test=y[:10],
        levels=(np.arange(256) / 128 - 1).astype(np.float32),
        metric="rmse" if is_regression else "error_rate",
    )  # fmt: skip
    order = np.arange(rows)
    train, validation = order[: rows * 4 // 5], order[rows * 4 // 5 :]
    return [Sample(data, rows, repeat, train, validation, repeat) for repeat in range(networks)]
