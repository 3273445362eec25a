"""How the time and the memory of training grow with m, and with the number of networks at once.

One small network learns `spam` from 10^3 to 10^6 labelled examples for three epochs; then 1 to 64
networks learn from 10^4 examples in one batch. Each point runs in a process of its own, so that the
memory is its own (the largest resident set, imports included; the mapped file counts as read).

Usage: python benchmarks/training_scaling.py [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

SIZES, COUNTS = (10**3, 10**4, 10**5, 10**6), (1, 2, 4, 8, 16, 32, 64)
COUNTED_AT = 10**4


def settings(m: int) -> dict[str, Any]:
    """Three epochs without tuning, early stops or limits on the steps."""
    return {
        "batch_size": 128, "epochs": 3, "min_steps": 1, "max_steps": 10**9, "evaluations": 3,
        "patience": 10**6, "pilot_fraction": 0.25, "warmup_fraction": 0.0,
        "cooldown_fraction": 0.2, "weight_decay": 0.01, "accelerator": "cpu",
        "precision": "32-true", "validation_fraction": 0.2,
    }  # fmt: skip


def point(file: Path, m: int, count: int) -> dict[str, float]:
    """Train `count` networks on m examples each, in this process."""
    import numpy as np

    from takeoff.datasets.base import Dataset
    from takeoff.learners import mlp
    from takeoff.training import Sample, split

    class Taken:
        """Stands in for a ledger: the networks are only trained."""

        checkpoint = Path("/nowhere/to/be/found")

        def plan(self, steps: int) -> None:
            pass

        def steps(self, n: int) -> None:
            pass

        def finish(self, *found: object) -> None:
            pass

    data = Dataset.load(file)
    samples = [
        Sample(data, m, repeat, *split(np.random.default_rng(repeat).permutation(m), settings(m)),
               seed=repeat)
        for repeat in range(count)
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    mlp.capacity = lambda *_: count  # type: ignore[assignment]
    started = time.perf_counter()
    fit = {"hidden": [16, 16], "grid": {"learning_rate": [0.003]}}
    mlp.fit_together(samples, fit, settings(m), Taken())  # type: ignore[arg-type]
    return {
        "m": m,
        "networks": count,
        "seconds": time.perf_counter() - started,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "megabytes_before": before,
    }


def measured(file: Path, m: int, count: int) -> dict[str, float]:
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--point", str(file), str(m), str(count)]
    done = subprocess.run(
        command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def prepare(folder: Path, rows: int) -> Path:
    """A spam data set with so many rows in its pool."""
    from takeoff.datasets import prepare as prepare_dataset

    data = prepare_dataset("spam", seed=0, pool=rows, test=1000, cache=folder)
    data.save(folder / f"{rows}.npz")
    return folder / f"{rows}.npz"


def show(rows: list[dict[str, float]], by: str) -> None:
    """A table, with each step's growth beside that of what grows."""
    print(f"\n{by:>10}{'seconds':>10}{'MB':>8}{'of these, MB before':>21}{'us per unit':>13}")
    for row in rows:
        per = 1e6 * row["seconds"] / row[by]
        print(f"{row[by]:10,.0f}{row['seconds']:10.2f}{row['megabytes']:8.0f}"
              f"{row['megabytes_before']:21.0f}{per:13.1f}")  # fmt: skip


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="m up to 10^5, up to 16 networks")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.point:
        file, m, count = chosen.point
        print(json.dumps(point(Path(file), int(m), int(count))))
        return
    sizes = SIZES[:-1] if chosen.quick else SIZES
    counts = COUNTS[:5] if chosen.quick else COUNTS
    with tempfile.TemporaryDirectory() as folder:
        by_m = [measured(prepare(Path(folder), m), m, 1) for m in sizes]
        show(by_m, "m")
        file = prepare(Path(folder), COUNTED_AT)
        by_count = [measured(file, COUNTED_AT, count) for count in counts]
        show(by_count, "networks")
    if chosen.json:
        chosen.json.write_text(json.dumps({"by_m": by_m, "by_networks": by_count}, indent=1))


if __name__ == "__main__":
    main()
