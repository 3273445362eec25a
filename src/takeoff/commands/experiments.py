"""The commands of the experiments' rules: to measure, to analyse, to draw."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from takeoff.commands import Commands
from takeoff.datasets.sheets import read_sheets


def add(commands: Commands) -> None:
    """`takeoff measure`, `takeoff analyse` and `takeoff plot`."""
    added = commands.add_parser("measure", help=measure.__doc__, description=measure.__doc__)
    added.set_defaults(run=measure)
    added.add_argument("--data", type=Path, help="a prepared data set, if it needs one")
    added.add_argument("--cells", type=Path, required=True, help="the store")
    _in_all(added)
    added = commands.add_parser("analyse", help=analyse.__doc__, description=analyse.__doc__)
    added.set_defaults(run=analyse)
    added.add_argument("--runs", type=Path, nargs="+", required=True)
    added.add_argument("--own", type=Path, nargs="*", default=[], help="what it measured itself")
    added.add_argument("--results", type=Path, required=True)
    _in_all(added)
    added = commands.add_parser("plot", help=plot.__doc__, description=plot.__doc__)
    added.set_defaults(run=plot)
    added.add_argument("--results", type=Path, required=True)
    _in_all(added)


def _in_all(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--settings", type=json.loads, required=True, metavar="JSON")
    parser.add_argument("--out", type=Path, required=True)


def measure(chosen: argparse.Namespace) -> None:
    """Train or time what an experiment needs beyond the study's learning curves."""
    from takeoff import experiments
    from takeoff.datasets.base import Dataset
    from takeoff.files import write_csv
    from takeoff.progress import Progress, progress_file

    name = chosen.settings["experiment"]
    training = experiments.training_module(name)
    data = None if chosen.data is None else Dataset.load(chosen.data)
    parts, work = training.parts(chosen.settings), 1.0
    with Progress(progress_file(chosen.out), name, parts, work) as progress:
        write_csv(chosen.out, training.measure(chosen.settings, data, chosen.cells, progress))


def analyse(chosen: argparse.Namespace) -> None:
    """Say what an experiment shows, and decide its claim."""
    from takeoff import experiments
    from takeoff.files import read_csv
    from takeoff.runs import read_runs

    settings = chosen.settings
    own = None
    if settings["own_design"]:
        own = read_runs(chosen.own, settings["own_design"])
    elif chosen.own:
        own = read_csv(*chosen.own)
    asked = experiments.Asked(
        settings=settings,
        runs=read_runs(chosen.runs, settings["design"]),
        own=own,
        sheets=read_sheets(chosen.results, settings["datasets"]),
    )
    found = experiments.module(settings["experiment"]).analyse(asked)
    experiments.write(found, chosen.out)


def plot(chosen: argparse.Namespace) -> None:
    """Draw the figures of an experiment."""
    from takeoff import experiments
    from takeoff.measures import Measure
    from takeoff.paper import experiments as shown
    from takeoff.paper import figures

    name = chosen.settings["experiment"]
    sheets = read_sheets(chosen.results, chosen.settings["datasets"])
    about = shown.Drawn(
        findings=experiments.read(chosen.results / f"experiments/{name}.json"),
        learners=chosen.settings["learners"],
        titles={dataset: sheet["title"] for dataset, sheet in sheets.items()},
        measures={dataset: Measure.of(sheet) for dataset, sheet in sheets.items()},
    )
    drawn = shown.module(name).draw(about)
    for figure in experiments.FIGURES[name]:
        figures.save(drawn[figure], chosen.out / f"{figure}.svg", figure)
