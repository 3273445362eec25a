"""The reference of the cost model, from a study that has been run: what `takeoff plan` starts from.

    python benchmarks/cost_reference.py --results results/lecture [--configfile FILE] [--check]

It prints the constants of src/takeoff/planning/reference.py. With --check, each data set is planned
from the others alone, and held against what it took.
"""

from __future__ import annotations

import argparse
import math
import pprint
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from takeoff.demand import read_study
from takeoff.files import read_csv, read_json
from takeoff.learners import ridge
from takeoff.planning import calibration, cells, costs
from takeoff.planning.costs import Measured, Model
from takeoff.planning.jobs import shape_key
from takeoff.study import Study
from takeoff.training import Cell


def measured(study: Study, results: Path) -> list[Measured]:
    """Every cell of the study."""
    found: list[Measured] = []
    for dataset, learner in study.curves:
        settings = study.curve_settings(dataset, learner)
        runs = read_csv(results / "runs" / dataset / f"{learner}.csv")
        sheet = read_json(results / "data" / f"{dataset}.json")
        width = cells.Width.of(sheet, settings["fit"]["features"])
        found += cells.measured(runs, settings["fit"], settings["training"], width)
    return found


def small_ridges() -> list[Measured]:
    """Fits of numbers: the lecture study has none."""
    found, random = [], np.random.default_rng(0)
    for d in (30, 300, 800):
        for m in (125, 500, 2000, 8000):
            x = random.normal(size=(m + 5000, d)).astype(np.float32)
            y = x @ random.normal(size=d) + random.normal(size=len(x))
            n = m - m // 5
            cell = Cell(x[:n], y[:n], x[n:m], y[n:m], 0, 0)
            started = time.process_time()
            for tried in ridge.candidates(cell, calibration.GRIDS["ridge"], {}):
                best = tried
            best.predict(x[m:])
            seconds = time.process_time() - started
            task = costs.Task("ridge", n, m - n, 5000, d, 1, 3)
            found.append(Measured(f"ridge {d}", task, seconds))
    return found


def timed_steps(some: list[Measured]) -> dict[str, float]:
    """Seconds a unit of a step, from timing every shape of the study, and narrow ones."""
    shapes = {shape_key(cell.task): cell.task for cell in some if cell.task.hidden}
    narrow = [replace(task, n_features=d) for task in shapes.values() for d in (10, 50)]
    shapes |= {shape_key(task): task for task in narrow if task.n_outputs == 2}
    timed, names = [], ("steps", "inputs", "products", "parameters")
    for task in shapes.values():
        seconds, _ = calibration.seconds_a_step(task)
        one = costs.terms(replace(task, steps=1.0))
        timed.append([one[name] / seconds for name in names])
        print(f"# {shape_key(task)}: {1e6 * seconds:.0f} microseconds")
    scale = np.max(timed, axis=0)
    units = nnls(np.array(timed) / scale, np.ones(len(timed)))[0] / scale
    return {name: float(f"{unit:.4g}") for name, unit in zip(names, units, strict=True)}


def rounded(model: Model) -> Model:
    """Four digits."""
    short = {
        kind: {name: float(f"{value:.4g}") for name, value in units.items()}
        for kind, units in model.units.items()
    }
    spread = {kind: round(value, 3) for kind, value in model.spread.items()}
    early = {name: round(value, 4) for name, value in vars(model.stopping).items()}
    return replace(model, units=short, spread=spread, stopping=costs.Stopping(**early))


def check(study: Study, results: Path, some: list[Measured]) -> None:
    """Plan each data set from the others."""
    for dataset in study.use.datasets:
        model = costs.fit([cell for cell in some if not cell.curve.startswith(f"{dataset} ")])
        planned = 0.0
        for learner in study.use.learners:
            settings = study.curve_settings(dataset, learner)
            sheet = read_json(results / "data" / f"{dataset}.json")
            width = cells.Width.of(sheet, settings["fit"]["features"])
            how = (settings["fit"], settings["training"], width, model.stopping)
            tasks = [cells.planned(m, *how) for m in settings["m"]]
            planned += settings["repeats"] * sum(model.seconds(task) for task in tasks)
        took = sum(cell.seconds for cell in some if cell.curve.startswith(f"{dataset} "))
        print(
            f"{dataset:<16}{planned:>8.1f} s planned{took:>8.1f} s measured{planned / took:>8.2f}"
        )


def main() -> None:
    """Print the reference."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--results", type=Path, default=Path("results/lecture"))
    parser.add_argument("--configfile", type=Path, nargs="*", default=[Path("config/config.yaml")])
    parser.add_argument("--check", action="store_true")
    chosen = parser.parse_args()
    study = read_study(chosen.configfile)
    some = measured(study, chosen.results)
    if chosen.check:
        check(study, chosen.results, some)
        return
    model = rounded(costs.fit([*some, *small_ridges()]))
    print("MODEL = ", end="")
    pprint.pp(model, width=96)
    probes = {kind: round(calibration.seconds_of_probe(kind), 4) for kind in calibration.GRIDS}
    print("PROBES = ", end="")
    pprint.pp(probes)
    print("STEP = ", end="")
    pprint.pp(timed_steps(some))
    print("IMPORTS =", round(calibration.seconds_of_imports(), 2))
    off = {k: math.exp(v) for k, v in costs.left_out([c for c in some if c.task.hidden]).items()}
    pprint.pp({name: round(value, 2) for name, value in off.items()})


if __name__ == "__main__":
    main()
