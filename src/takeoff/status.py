"""Where a study stands: per learning curve, what is stored, what runs, what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from takeoff.demand import RESULTS, Demand, demands
from takeoff.progress import State, duration, progress_file, read_progress
from takeoff.store import CellStore, read_cell
from takeoff.study import Study
from takeoff.upkeep import table

HEAD = ("data set", "learner", "cells", "stored", "running", "missing", "training", "state")


@dataclass(frozen=True)
class Standing:
    """Where one curve stands.

    Attributes:
        demand: The curve.
        cells: Cells in all.
        stored: Whole cells in the store.
        seconds: Time that training the stored ones took.
        job: What the job that trains it last wrote; None if there is none.
    """

    demand: Demand
    cells: int
    stored: int
    seconds: float
    job: State | None

    @property
    def running(self) -> int:
        """Cells that a running job still has to train."""
        return self.cells - self.stored if self.job is not None and self.job.running else 0

    @property
    def missing(self) -> int:
        """Cells that are not stored and that no job is at."""
        return self.cells - self.stored - self.running

    @property
    def state(self) -> str:
        """In words."""
        if self.job is not None:
            said = self.job.line().removeprefix(f"{self.job.label}: ")
            return said if self.job.running else f"interrupted at {said}"
        if self.demand.digest is None:
            return "data set not prepared"
        if not self.missing:
            return "done" if self.demand.table.exists() else "stored"
        return ""


def standings(study: Study, store: CellStore, results: Path = RESULTS) -> Iterator[Standing]:
    """Where every curve of the study stands, in the paper's order."""
    for demand in demands(study, results):
        meanings = list(demand.cells())
        seconds = [
            found
            for found in (_seconds(store.path(meaning)) for meaning in meanings)
            if found is not None
        ]
        job = read_progress(progress_file(demand.table))
        yield Standing(demand, len(meanings), len(seconds), sum(seconds), job)


def report(study: Study, curves: Sequence[Standing]) -> Iterator[str]:
    """The study's table, and its sums in the last line."""
    yield f"{study.study}: {study.title}"
    if study.given and study.runs:
        given = counted_curves(len(study.given.design))
        yield f"{given} from {study.runs.table}: nothing to train"
        return
    rows = [
        [curve.demand.dataset, curve.demand.learner, *_figures([curve]), curve.state]
        for curve in curves
    ]
    rows.append(["in all", "", *_figures(curves), ""])
    yield from table(HEAD, rows, left=2, right=7)


def counted_curves(n: int) -> str:
    """1 curve, 12 curves."""
    return f"{n:,} curve" + ("s" if n != 1 else "")


def _figures(curves: Sequence[Standing]) -> list[str]:
    counts = (
        sum(curve.cells for curve in curves),
        sum(curve.stored for curve in curves),
        sum(curve.running for curve in curves),
        sum(curve.missing for curve in curves),
    )
    return [*map(str, counts), duration(sum(curve.seconds for curve in curves))]


def _seconds(path: Path) -> float | None:
    """Training time of a stored cell; None when it is missing or damaged."""
    try:
        return float(read_cell(path).row["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
