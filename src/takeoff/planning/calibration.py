"""How this machine compares with the reference: a few seconds of the real thing, kept for later.

Networks are timed in the shapes of the study, on random examples as wide as its own; what
traditional learners take depends on the data, so they are timed on one small task. Each is held
against what the same took on the reference machine, and all else against what imports took there.
Seconds are those of the processor, so that other jobs on the machine matter little; of a GPU they
are those of the clock.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from takeoff.files import canonical_json, write_json
from takeoff.fingerprint import fingerprint, versions
from takeoff.planning import costs, reference
from takeoff.planning.costs import NETWORK, Task
from takeoff.planning.jobs import Machine, shape_key

FILE = "calibration.json"
SECONDS_A_SHAPE = 0.7  # that the steps of one shape are to take
ROWS, FEATURES, CLASSES = 800, 300, 3  # of the task that traditional learners are timed on
GRIDS: dict[str, dict[str, Any]] = {
    "logistic_regression": {"grid": {"C": [0.003, 0.02, 0.1]}},
    "ridge": {"grid": {"C": [0.001, 0.03, 1.0]}},
    "svm_rbf": {"grid": {"C": [1.0, 3.0, 10.0]}},
    "gradient_boosting": {"grid": {"learning_rate": [0.4]}, "max_trees": 20},
}


def calibrate(tasks: Iterable[Task]) -> Machine:
    """Time this machine on the kinds of learners, and the shapes of networks, of these cells."""
    from threadpoolctl import threadpool_limits

    tasks = list(tasks)
    importlib.import_module("sklearn.svm")  # its libraries have to be there to be limited
    with threadpool_limits(limits=1):  # as every job of the workflow
        return _timed(tasks)


def _timed(tasks: list[Task]) -> Machine:
    kinds = sorted({task.kind for task in tasks} - {NETWORK})
    networks = {shape_key(task): task for task in tasks if task.kind == NETWORK}
    other = seconds_of_imports() / reference.IMPORTS
    factors = {kind: seconds_of_probe(kind) / reference.PROBES[kind] for kind in kinds}
    shapes, device = {}, "cpu"
    for key, task in networks.items():
        seconds, device = seconds_a_step(task)
        shapes[key] = seconds / reference_step(task)
    if shapes:
        factors[NETWORK] = median(shapes.values())
    return Machine(factors, shapes, other, device, reference.CALIBRATED_MACHINE, calibrated=True)


def seconds_of_imports() -> float:
    """CPU seconds of a process that imports what trains networks; the second of two counts.

    The first may have to compile modules, and to read them from a slow disk.
    """
    command = [sys.executable, "-c", "import takeoff.learners.mlp"]
    taken = 0.0
    for _ in range(2):
        before = os.times()
        subprocess.run(command, check=True)
        after = os.times()
        taken = after.children_user + after.children_system
        taken -= before.children_user + before.children_system
    return taken


def seconds_of_probe(kind: str) -> float:
    """CPU seconds that a traditional learner takes for a small cell; the best of five."""
    learner = importlib.import_module(f"takeoff.learners.{kind}")
    cell = _small_cell(regression=kind == "ridge")
    found = []
    for _ in range(5):
        started = time.process_time()
        for candidate in learner.candidates(cell, GRIDS[kind], {}):
            candidate.predict(cell.x_validation)
        found.append(time.process_time() - started)
    return min(found)


def seconds_a_step(task: Task) -> tuple[float, str]:
    """Seconds of one step of one network of this shape, in a full batch; and the device."""
    import torch

    from takeoff.learners import mlp
    from takeoff.planning.engine import Tally, random_samples

    torch.set_num_threads(1)

    samples = random_samples(task, networks=24)
    steps = max(8, min(200, round(SECONDS_A_SHAPE / (24 * reference_step(task)))))
    tally = Tally()
    training = _short(task.batch, steps)
    fit = {"hidden": list(task.hidden), "grid": {"learning_rate": [0.001]}}
    mlp.fit_together(samples[:1], fit, training, tally)
    before, tally.n_steps = (time.process_time(), time.perf_counter()), 0
    mlp.fit_together(samples, fit, training, tally)
    processor, clock = time.process_time() - before[0], time.perf_counter() - before[1]
    return (processor if tally.device == "cpu" else clock) / tally.n_steps, tally.device


def _short(batch: int, steps: int) -> dict[str, Any]:
    return {
        "batch_size": batch, "epochs": 1, "min_steps": steps, "max_steps": steps,
        "evaluations": 2, "patience": 99, "pilot_fraction": 0.25, "warmup_fraction": 0.05,
        "cooldown_fraction": 0.2, "weight_decay": 0.01, "accelerator": "auto",
        "precision": "32-true", "validation_fraction": 0.2,
    }  # fmt: skip


def reference_step(task: Task) -> float:
    """What the same took on the reference machine."""
    one = costs.terms(replace(task, steps=1.0))
    return sum(seconds * one[name] for name, seconds in reference.STEP.items())


def _small_cell(regression: bool) -> Any:
    """A task that can be learned, the same everywhere."""
    from takeoff.training import Cell

    random = np.random.default_rng(0)
    x = random.normal(size=(ROWS + ROWS // 4, FEATURES)).astype(np.float32)
    scores = x[:, :20] @ random.normal(size=(20, CLASSES)) + random.normal(size=(len(x), CLASSES))
    y = scores[:, 0] if regression else scores.argmax(axis=1).astype(np.int64)
    return Cell(x[:ROWS], y[:ROWS], x[ROWS:], y[ROWS:], 0 if regression else CLASSES, 0)


# Kept


def key() -> str:
    """What a calibration holds for: this machine, these libraries, this code."""
    meaning = {
        "machine": [platform.node(), platform.machine(), _processor(), os.cpu_count()],
        "versions": versions("numpy", "scipy", "scikit-learn", "torch", "pytorch-lightning"),
        "code": fingerprint("takeoff.planning.calibration", "takeoff.learners.mlp"),
    }
    return hashlib.sha256(canonical_json(meaning).encode()).hexdigest()[:16]


def _processor() -> str:
    """The model of the processor, as far as the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line for line in lines if line.startswith("model name")).partition(":")[2]
    except (OSError, StopIteration):
        return platform.processor()


def kept(folder: Path) -> Machine | None:
    """The calibration of this machine that was kept; None if there is none, or it is damaged."""
    entry = _entries(folder / FILE).get(key())
    try:
        machine = Machine(**entry)  # type: ignore[arg-type]
        numbers = [*machine.factors.values(), *machine.shapes.values(), machine.other]
        numbers.append(machine.spread)
        return machine if all(0 < n < math.inf for n in numbers) else None
    except (TypeError, AttributeError):
        return None


def keep(folder: Path, machine: Machine) -> None:
    """Keep it beside those of other machines; shapes that were timed before stay known."""
    entries = _entries(folder / FILE)
    before = kept(folder)
    if before is not None and before.device == machine.device:
        known = {"factors": {**before.factors, **machine.factors}}
        known["shapes"] = {**before.shapes, **machine.shapes}
        machine = Machine(**{**asdict(machine), **known})
    write_json(folder / FILE, {**entries, key(): asdict(machine)})


def _entries(path: Path) -> dict[str, Any]:
    """All that is kept; a damaged file counts as empty, with a warning."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
        problem = "it is no list of machines"
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problem = str(error)
    print(f"warning: {path}: damaged ({problem}); it is made anew", file=sys.stderr)
    return {}
