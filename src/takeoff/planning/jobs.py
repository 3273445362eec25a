"""The jobs of a study, with what each of them needs: seconds of a core, memory, earlier jobs."""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from takeoff.experiments import MEASURED
from takeoff.planning import cells, costs, memory, reference
from takeoff.planning.cells import Width
from takeoff.planning.costs import NETWORK, Model, Task
from takeoff.study import Study


@dataclass(frozen=True)
class Machine:
    """How a machine compares with the one that the reference was measured on.

    Attributes:
        factors: By kind of learner, how many times as long it takes.
        shapes: The same of networks by `shape_key`, where they were timed by themselves.
        other: The same of all else: starts, imports, figures.
        device: Where networks are trained: cpu, cuda, mps.
        spread: Standard deviation of the log of all of them together.
        calibrated: Whether this machine was timed at all.
    """

    factors: Mapping[str, float] = field(default_factory=dict)
    shapes: Mapping[str, float] = field(default_factory=dict)
    other: float = 1.0
    device: str = "cpu"
    spread: float = reference.UNKNOWN_MACHINE
    calibrated: bool = False

    def factor(self, task: Task) -> float:
        """How many times as long a cell takes."""
        known = self.shapes.get(shape_key(task)) if task.kind == NETWORK else None
        return known or self.factors.get(task.kind) or self.other


def shape_key(task: Task) -> str:
    """The shape of a network, with its rows a step."""
    widths = [task.n_features, *task.hidden, task.n_outputs]
    return f"{'-'.join(map(str, widths))}x{task.batch}"


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        name: Its rule, or "train".
        dataset, learner: What it works on; "" where it is about all.
        seconds: Of one core, expected.
        spread: Standard deviation of their log, beside what all jobs share.
        memory: Bytes at its peak.
        after: Names of the jobs (`id`) that must have ended.
        gpu: Whether it computes on a GPU.
        cells, stored: Cells in all, and those in the store.
    """

    name: str
    dataset: str = ""
    learner: str = ""
    seconds: float = 0.0
    spread: float = 0.2
    memory: float = 0.0
    after: tuple[str, ...] = ()
    gpu: bool = False
    cells: int = 0
    stored: int = 0

    @property
    def id(self) -> str:
        """Its own name."""
        return " ".join(part for part in (self.name, self.dataset, self.learner) if part)


@dataclass(frozen=True)
class Known:
    """What is there already.

    Attributes:
        data: Data sets that are prepared.
        stored: By (data set, learner), the cells (m, repeat) in the store.
        tables: Curves whose tables are written.
        measured: Experiments whose own measurements are written.
        report: Whether the paper is.
    """

    data: frozenset[str] = frozenset()
    stored: Mapping[tuple[str, str], frozenset[tuple[int, int]]] = field(default_factory=dict)
    tables: frozenset[tuple[str, str]] = frozenset()
    measured: frozenset[str] = frozenset()
    report: bool = False


@dataclass(frozen=True)
class Asked:
    """What jobs are estimated from.

    Attributes:
        study: The study.
        widths: By data set and kind of features.
        model, machine: Of seconds.
        known: What is there already.
    """

    study: Study
    widths: Mapping[tuple[str, str], Width]
    model: Model
    machine: Machine
    known: Known = Known()


def jobs(asked: Asked) -> list[Job]:
    """Every job that would run, in the order of the workflow; what is there already costs nothing.

    A curve whose cells are all stored still starts, to write its table, unless that is there.
    """
    if asked.study.given:
        return list(_after_training(asked, ()))
    data = [_prepare(asked, name) for name in asked.study.use.datasets]
    curves = [_train(asked, *curve) for curve in curves_of(asked.study)]
    measures = [
        _measure(asked, name) for name in asked.study.experiments_in_use if name in MEASURED
    ]
    first = [*data, *curves, *measures]
    if asked.known.report and not any(job.seconds for job in [*curves, *measures]):
        return first
    return [*first, *_after_training(asked, tuple(job.id for job in [*curves, *measures]))]


def curves_of(study: Study) -> list[tuple[str, str]]:
    """Every (data set, learner) that is trained, with those that experiments train beside them."""
    own = [
        (str(curve["dataset"]), str(curve["learner"]))
        for name in study.experiments_in_use
        for curve in study.experiment_settings(name)["own_design"]
    ]
    return [*study.curves, *own]


def _prepare(asked: Asked, dataset: str) -> Job:
    width = asked.widths[dataset, "raw"]
    rows = width.n_pool + width.n_test
    own = asked.study.datasets[dataset].path is not None
    each = reference.OWN_ROW if own else reference.ROWS.get(dataset, reference.OWN_ROW)
    seconds = (reference.START_BASELINE + rows * each) * asked.machine.other
    done = dataset in asked.known.data
    return Job(
        "prepare_dataset",
        dataset,
        seconds=0.0 if done else seconds,
        spread=reference.SPREAD,
        memory=memory.preparing(width),
    )


def _train(asked: Asked, dataset: str, learner: str) -> Job:
    settings = asked.study.curve_settings(dataset, learner)
    fit, training = settings["fit"], settings["training"]
    width = asked.widths[dataset, fit.get("features", "raw")]
    done = asked.known.stored.get((dataset, learner), frozenset())
    wanted = [(m, r) for m in settings["m"] for r in range(settings["repeats"])]
    missing = [m for m, repeat in wanted if (m, repeat) not in done]
    planned = [cells.planned(m, fit, training, width, asked.model.stopping) for m in missing]
    is_network = fit["kind"] == NETWORK
    seconds = sum(asked.model.seconds(task) * asked.machine.factor(task) for task in planned)
    if missing or (dataset, learner) not in asked.known.tables:
        start = reference.START_NETWORK if is_network else reference.START_BASELINE
        seconds += (start + reference.LOAD * memory.stored(width)) * asked.machine.other
    largest = [cells.planned(m, fit, training, width, asked.model.stopping) for m in settings["m"]]
    return Job(
        "train",
        dataset,
        learner,
        seconds=seconds,
        spread=asked.model.uncertainty(fit["kind"]),
        memory=memory.training(largest[-1], width),
        after=(f"prepare_dataset {dataset}",),
        gpu=is_network and asked.machine.device != "cpu",
        cells=len(wanted),
        stored=len(wanted) - len(missing),
    )


def _measure(asked: Asked, name: str) -> Job:
    study = asked.study
    dataset = study.experiment_dataset(name)
    seconds = MEASURES[name](asked) if name in MEASURES else reference.MEASURE
    seconds += reference.START_NETWORK * asked.machine.other
    width = asked.widths[dataset, "raw"] if dataset else None
    return Job(
        f"measure_{name}",
        seconds=0.0 if name in asked.known.measured else seconds,
        spread=reference.SPREAD_OF_MEASURES,
        memory=memory.LIBRARIES[NETWORK] + (memory.stored(width) if width else 0.0),
        after=(f"prepare_dataset {dataset}",) if dataset else (),
    )


def _seconds_of_speed(asked: Asked) -> float:
    """Four ways to train the same cells, in steps of the first one's: see `speed_training`."""
    study = asked.study
    settings = study.measure_settings("speed")
    fit, training = settings["network"], settings["training"]
    width = asked.widths[study.experiment_dataset("speed") or "", fit.get("features", "raw")]
    total = 0.0
    for m in settings["settings"]["m"]:
        task = cells.task(m, fit, training, width)
        steps = costs.budget(task.n_train, training, task.settings).whole_grid
        task = dataclasses.replace(task, steps=reference.FOUR_WAYS * steps)
        total += asked.model.seconds(task) * asked.machine.factor(task)
    return float(settings["settings"]["repeats"]) * total


def _seconds_of_activations(asked: Asked) -> float:
    """Runs of narrow networks at the small batches of `activations_training`: what takes time is
    how many layers their steps go through, not how wide these are.
    """
    study = asked.study
    settings = study.measure_settings("activations")["settings"]
    ways = math.prod(len(settings[name]) for name in ("activations", "initialisations"))
    layers = sum(depth + 1 for depth in settings["depths"])
    runs = sum(
        len(settings["rates"][one]) * settings["tuning_repeats"] + settings["repeats"]
        for one in settings["optimisers"]
    )
    seconds = reference.LAYER_STEP * settings["steps"] * ways * layers * runs
    return float(seconds) * asked.machine.other


# Of experiments that measure something by themselves, with no curves of their own.
MEASURES: dict[str, Callable[[Asked], float]] = {
    "speed": _seconds_of_speed,
    "activations": _seconds_of_activations,
}


def _after_training(asked: Asked, trained: tuple[str, ...]) -> Iterator[Job]:
    """Statistics, figures and the paper."""
    study = asked.study
    curves = len(study.curves)

    def job(name: str, after: Sequence[str], start: float, each: float) -> Job:
        seconds = (start + each * curves) * asked.machine.other
        return Job(name, seconds=seconds, memory=memory.STATISTICS, after=tuple(after))

    found = [job(name, trained, *reference.STATISTICS[name]) for name in reference.STATISTICS]
    yield from found
    needed = [one.id for one in found]
    for name in study.experiments_in_use:
        analysis = job(f"analyse_{name}", trained, *reference.ANALYSIS)
        drawing = job(f"plot_{name}", [analysis.id], *reference.DRAWING)
        yield from (analysis, drawing)
        needed += [analysis.id, drawing.id]
    figures = job("plot_figures", [one.id for one in found], *reference.FIGURES)
    yield figures
    yield job("render_report", [*needed, figures.id], *reference.PAPER)


# On some cores


def urgency(some: Sequence[Job]) -> dict[str, float]:
    """By `Job.id`, the seconds that must pass from its start until all is done.

    Its own, and those of the longest chain of jobs that wait for it. To start the job first for
    which they are most is a good rule (HLFET; Adam, Chandy and Dickson, 1974).

    Args:
        some: Jobs, each behind those that it waits for.
    """
    behind: dict[str, float] = {}
    found = {}
    for job in reversed(some):
        found[job.id] = job.seconds + behind.get(job.id, 0.0)
        for name in job.after:
            behind[name] = max(behind.get(name, 0.0), found[job.id])
    return found


def wall_seconds(some: Sequence[Job], cores: int) -> float:
    """Seconds until all jobs have ended, on so many cores: list scheduling (Graham, 1969).

    A job starts as soon as a core is free and those before it have ended; of several, the most
    urgent one starts, as in the workflow.

    Args:
        some: Jobs, each behind those that it waits for.
        cores: On which they run.
    """
    urgent = urgency(some)
    waiting = {job.id: job for job in some}
    blocked = {job.id: {name for name in job.after if name in waiting} for job in some}
    running: list[tuple[float, str]] = []
    now = 0.0
    while waiting or running:
        ready = [job for name, job in waiting.items() if not blocked[name]]
        ready.sort(key=lambda job: (-urgent[job.id], job.id))
        for job in ready[: cores - len(running)]:
            heapq.heappush(running, (now + job.seconds, job.id))
            del waiting[job.id]
        now, ended = heapq.heappop(running)
        for others in blocked.values():
            others.discard(ended)
    return now
