"""How many tuned runs fit into a day, measured in four ways of computing the same cells.

    alone       each learning rate is trained by itself, to the end of its budget
    together    all of them side by side, in one batch
    stopping    the same, and runs end early whose validation loss has stopped improving
    pilots      the same, and only the best rate of short pilots gets the whole budget

The last one is how the study trains. Each way adds one measure to the one before, so that what each
saves can be told. A repeat has the same cells in all four ways, with the rows of the study's own
repeats; the ways are timed one right after the other, starting with another one each time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

import pandas as pd

from takeoff.datasets.base import Dataset
from takeoff.errors import TakeoffError
from takeoff.learners import mlp
from takeoff.metrics import MEASURES
from takeoff.planning.engine import Tally
from takeoff.training import Candidate, Sample, seed_of, split, subset, tuning_loss

if TYPE_CHECKING:
    from takeoff.progress import Progress

WAYS = ("alone", "together", "stopping", "pilots")
NEVER = 10**9  # evaluations without a better loss, before a run ends early


def parts(settings: Mapping[str, Any]) -> int:
    """A part is one repeat in one way."""
    return int(settings["settings"]["repeats"]) * len(WAYS)


def measure(
    settings: Mapping[str, Any], data: Dataset | None, cells: Path, progress: Progress
) -> pd.DataFrame:
    """Time the four ways.

    Args:
        settings: `Study.measure_settings`; `network` is the fit of the network.
        data: The data set.
        cells: Nothing is kept: a time that was measured by another machine is none.
        progress: Told of each part.

    Returns:
        A row per repeat and way: repeat, way, runs (tuned), seconds (of the processor; of an
        accelerator, of the clock), steps, test_error (mean), device.

    Raises:
        TakeoffError: The pool has too few rows.
    """
    assert data is not None
    _enough(settings["settings"]["m"], data)
    _timed(_samples(settings, data, 0)[:1], settings, "pilots")  # what only the first run pays for
    rows = []
    for repeat in range(settings["settings"]["repeats"]):
        samples = _samples(settings, data, repeat)
        first = repeat % len(WAYS)
        for way in WAYS[first:] + WAYS[:first]:
            rows.append({"repeat": repeat, "way": way} | _timed(samples, settings, way))
            progress.advance(cells=1, work=1 / parts(settings))
    table = pd.DataFrame(rows)
    order = table["way"].map(WAYS.index)
    return table.assign(order=order).sort_values(["repeat", "order"]).drop(columns="order")


def _enough(sizes: Sequence[int], data: Dataset) -> None:
    if max(sizes) > len(data.y_pool):
        raise TakeoffError(
            f"m = {max(sizes)} is larger than the pool of {data.name}, {len(data.y_pool)} rows",
            where="config: experiments.speed.m",
            remedy="give a smaller m, or another data set",
        )


def _samples(settings: Mapping[str, Any], data: Dataset, repeat: int) -> list[Sample]:
    """The cells of one repeat."""
    found = []
    for m in settings["settings"]["m"]:
        rows = subset(data, settings["seed"], m, repeat)
        groups = None if data.groups_pool is None else data.groups_pool[rows]
        train, validation = split(rows, settings["training"], groups, data.time_ordered)
        seed = seed_of(settings["seed"], data.name, "speed", m, repeat)
        found.append(Sample(data, m, repeat, train, validation, seed))
    return found


def _timed(samples: Sequence[Sample], settings: Mapping[str, Any], way: str) -> dict[str, Any]:
    """Train the cells in one way; then test them."""
    tally = Tally()
    processor, clock = time.process_time(), time.perf_counter()
    best = _trained(samples, settings["network"], settings["training"], way, tally)
    processor, clock = time.process_time() - processor, time.perf_counter() - clock
    return {
        "runs": len(samples),
        "seconds": processor if tally.device == "cpu" else clock,
        "steps": tally.n_steps,
        "test_error": mean(_error(sample, found) for sample, found in best),
        "device": tally.device,
    }


def _trained(
    samples: Sequence[Sample],
    fit: dict[str, Any],
    training: dict[str, Any],
    way: str,
    tally: Tally,
) -> list[tuple[Sample, Candidate]]:
    """Each cell with the network that is kept for it."""
    patient = training | {"patience": NEVER}
    if way == "pilots":
        mlp.fit_together(samples, fit, training, tally)
    elif way == "alone":
        return [_best_alone(sample, fit, patient, tally) for sample in samples]
    else:
        whole = training if way == "stopping" else patient
        mlp.fit_together(samples, fit, whole, tally, whole_grid=True)
    return tally.found


def _best_alone(
    sample: Sample, fit: dict[str, Any], training: dict[str, Any], tally: Tally
) -> tuple[Sample, Candidate]:
    """One learning rate after the other, each as if there were no other."""
    for rate in fit["grid"]["learning_rate"]:
        mlp.fit_together([sample], fit | {"grid": {"learning_rate": [rate]}}, training, tally)
    tried = [candidate for other, candidate in tally.found if other is sample]
    return sample, min(tried, key=lambda one: tuning_loss(one.validation, sample.truth))


def _error(sample: Sample, found: Candidate) -> float:
    """On the test set."""
    data = sample.data
    predicted = sample.predicted(found.predict, data.x_test)
    return float(MEASURES[data.metric](predicted, data.truth))
