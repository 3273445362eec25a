"""What a study will take, before anything of it runs: job by job, and in all on some cores."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from takeoff import datasets
from takeoff.demand import RESULTS, demands
from takeoff.errors import TakeoffError
from takeoff.files import read_json
from takeoff.places import download_folder
from takeoff.planning import cells, reference
from takeoff.planning.cells import Width
from takeoff.planning.costs import Task
from takeoff.planning.jobs import (
    Asked,
    Job,
    Known,
    Machine,
    curves_of,
    jobs,
    urgency,
    wall_seconds,
)
from takeoff.progress import duration
from takeoff.store import CellStore
from takeoff.study import Study
from takeoff.upkeep import human_size, table

DRAWS = 400  # of what the jobs may take, for intervals
LEVEL = 0.9
HEAD = ("job", "data set", "learner", "cells", "stored", "seconds", "memory")


@dataclass(frozen=True)
class Range:
    """An expected number, and what it lies between with probability LEVEL."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Plan:
    """What a study will take.

    Attributes:
        study: The study.
        machine: What it is planned for.
        jobs: In the order of the workflow.
        cores: That they run on.
        cpu, wall: Seconds of all cores together, and until all is done.
        memory: Bytes, if the `cores` hungriest jobs run at the same time.
        gpu: Seconds of a GPU; 0 without.
    """

    study: Study
    machine: Machine
    jobs: Sequence[Job]
    cores: int
    cpu: Range
    wall: Range
    memory: float
    gpu: float


def plan(study: Study, known: Known, machine: Machine, cores: int, results: Path) -> Plan:
    """Plan a study.

    Raises:
        TakeoffError: A data set can't be looked at, or there is no core.
    """
    if cores < 1:
        raise TakeoffError(f"there are no {cores} cores", remedy="give --cores 1 or more")
    asked = Asked(study, widths(study, results), reference.MODEL, machine, known)
    found = jobs(asked)
    cpu, wall = _ranges(found, cores, machine)
    hungry = sorted((job.memory for job in found if job.seconds), reverse=True)[:cores]
    gpu = sum(job.seconds for job in found if job.gpu)
    return Plan(study, machine, found, cores, cpu, wall, sum(hungry), gpu)


def urgencies(study: Study, results: Path = RESULTS) -> dict[str, float]:
    """How urgent each job of the workflow is, by `Job.id`, when nothing is there yet.

    Rough is enough to start the long jobs first: nothing is timed, and of data of one's own that
    are not prepared yet a width is guessed.
    """
    some = jobs(Asked(study, widths(study, results, look=False), reference.MODEL, Machine()))
    return urgency(some)


def tasks(study: Study, results: Path) -> Iterator[Task]:
    """A cell of every kind of learner and shape of network in the study, to time."""
    seen = widths(study, results)
    for dataset, learner in () if study.given else curves_of(study):
        settings = study.curve_settings(dataset, learner)
        width = seen[dataset, settings["fit"].get("features", "raw")]
        how = (settings["fit"], settings["training"], width)
        yield cells.task(settings["m"][0], *how)


def widths(
    study: Study, results: Path = RESULTS, *, look: bool = True
) -> dict[tuple[str, str], Width]:
    """How wide the data sets are, by name and kind of features.

    What is prepared tells; of others, what is known of them, or a small part that is made to see
    (unless one is not to `look`: then it is guessed).
    """
    found = {}
    for name in () if study.given else study.use.datasets:
        for features in ("raw", "hand_made"):
            found[name, features] = _width(study, name, features, results / study.study, look)
    return found


def _width(study: Study, name: str, features: str, folder: Path, look: bool) -> Width:
    wanted = study.datasets[name]
    known = reference.WIDTHS.get(name) if wanted.path is None else None
    sheet = None if known else _sheet(study, name, folder, look)
    if sheet:
        width = Width.of(sheet, features)
        return dataclasses.replace(width, n_pool=wanted.pool, n_test=wanted.test)
    raw, hand_made, classes, stored = known or reference.GUESSED_WIDTH
    n_features = hand_made if features == "hand_made" and hand_made else raw
    return Width(wanted.pool, wanted.test, n_features, classes or 1, stored)


def _sheet(study: Study, name: str, folder: Path, look: bool) -> dict[str, object] | None:
    """Of the prepared data set; else of one that is made now and not kept, or None (no `look`)."""
    try:
        found: dict[str, object] = read_json(folder / "data" / f"{name}.json")
        return found
    except TakeoffError:
        if not look:
            return None
        settings = study.data_settings(name)
        paths = {key: str(path) for key, path in study.data_files(name).items()}
        made = datasets.prepare(
            name,
            seed=settings["seed"],
            pool=settings["pool"],
            test=settings["test"],
            cache=download_folder(),
            table=settings.get("table"),
            paths=paths,
        )
        return made.sheet()


def known(study: Study, store: CellStore, results: Path = RESULTS) -> Known:
    """What of a study is there already."""
    prepared, stored, tables = set(), {}, set()
    for demand in demands(study, results):
        curve = (demand.dataset, demand.learner)
        if demand.digest is not None:
            prepared.add(demand.dataset)
            meanings = demand.cells()
            here = [cell for cell in meanings if store.path(cell).exists()]
            stored[curve] = frozenset((cell["m"], cell["repeat"]) for cell in here)
        if demand.table.exists():
            tables.add(curve)
    folder = results / study.study
    measured = {
        name for name in study.experiments_in_use if (folder / f"experiments/{name}.csv").exists()
    }
    return Known(
        data=frozenset(prepared),
        stored=stored,
        tables=frozenset(tables),
        measured=frozenset(measured),
        report=(folder / "report" / "report.json").exists(),
    )


def _ranges(some: Sequence[Job], cores: int, machine: Machine) -> tuple[Range, Range]:
    """Of CPU and of wall seconds, by drawing what each job and the machine are off by."""
    random = np.random.default_rng(0)
    ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
    cpu, wall = [], []
    engine = reference.ENGINE * machine.other
    each = reference.ENGINE_JOB * machine.other
    working = [job for job in some if job.seconds]
    for draw in range(DRAWS + 1):
        noise = np.zeros(len(working)) if draw == 0 else random.normal(size=len(working))
        shared = 0.0 if draw == 0 else machine.spread * random.normal()
        drawn = [
            dataclasses.replace(job, seconds=job.seconds * float(np.exp(shared + job.spread * off)))
            for job, off in zip(working, noise, strict=True)
        ]
        waited = engine + each * len(working) / cores if working else 0.0
        cpu.append(sum(job.seconds for job in drawn) + (engine if working else 0.0))
        wall.append(wall_seconds(drawn, cores) + waited)
    return (
        Range(cpu[0], *map(float, np.quantile(cpu[1:], ends))),
        Range(wall[0], *map(float, np.quantile(wall[1:], ends))),
    )


# In words


def report(found: Plan) -> Iterator[str]:
    """The table of jobs, and what they come to."""
    study = found.study
    yield f"{study.study}: {study.title}"
    training = [job for job in found.jobs if job.name == "train"]
    if training:
        yield from table(HEAD, list(_rows(found.jobs)), left=3, right=7)
    yield f"of one core: {_range(found.cpu)}"
    yield f"on {found.cores} {'core' if found.cores == 1 else 'cores'}: {_range(found.wall)}"
    if any(job.seconds for job in found.jobs):
        yield f"memory, at most: {human_size(round(found.memory))}"
    if found.gpu:
        yield f"of a GPU: {found.gpu / 3600:.2f} hours"
    yield from _price(found)
    if not found.machine.calibrated:
        yield "this machine was not timed: add --calibrate, which takes less than a minute"


def _rows(some: Sequence[Job]) -> Iterator[list[str]]:
    rest = [job for job in some if job.name != "train" and not job.name.startswith("measure")]
    for job in some:
        if job in rest:
            continue
        cells_and_stored = [str(job.cells), str(job.stored)] if job.cells else ["", ""]
        size = human_size(round(job.memory)) if job.memory else ""
        seconds = duration(job.seconds) if job.seconds else "-"
        yield [job.name, job.dataset, job.learner, *cells_and_stored, seconds, size]
    seconds = duration(sum(job.seconds for job in rest))
    yield ["all others", "", "", "", "", seconds, ""]


def _range(of: Range) -> str:
    if not of.value:
        return "nothing: all is there"
    return f"{duration(of.value)} ({duration(of.low)} to {duration(of.high)})"


def _price(found: Plan) -> Iterator[str]:
    hour = found.study.costs.hour
    if hour is not None:
        price, currency = found.cpu.value / 3600 * hour, found.study.costs.currency
        yield f"price: {price:,.2f} {currency}"


def record(found: Plan) -> dict[str, object]:
    """The plan as JSON."""
    return {
        "study": found.study.study,
        "cores": found.cores,
        "calibrated": found.machine.calibrated,
        "device": found.machine.device,
        "cpu_seconds": vars(found.cpu),
        "wall_seconds": vars(found.wall),
        "gpu_seconds": found.gpu,
        "memory_bytes": found.memory,
        "jobs": [
            {
                **{"job": job.name, "dataset": job.dataset, "learner": job.learner},
                **{"seconds": job.seconds, "memory_bytes": job.memory},
                **{"cells": job.cells, "stored": job.stored},
            }
            for job in found.jobs
        ],
    }
