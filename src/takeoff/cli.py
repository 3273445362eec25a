"""The command line: one command for each rule of the workflow.

Each command takes what it depends on as arguments (its part of the study as JSON) and writes its
outputs whole. Modules are imported where they are used: a logistic regression never pays for
torch, a plot never for scikit-learn.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from takeoff.errors import TakeoffError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a `TakeoffError` is printed in its own words, without a traceback."""
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except TakeoffError as error:
        print(f"takeoff: error: {error}", file=sys.stderr)
        return 1
    return 0


def prepare_dataset(chosen: argparse.Namespace) -> None:
    """Download or generate one data set."""
    from takeoff import datasets
    from takeoff.files import write_json

    settings = chosen.settings
    data = datasets.prepare(
        settings["name"],
        seed=settings["seed"],
        pool=settings["pool"],
        test=settings["test"],
        cache=download_folder(),
    )
    data.save(chosen.data)
    write_json(chosen.sheet, data.sheet())


def train_curve(chosen: argparse.Namespace) -> None:
    """Train one learning curve, cell by cell; finished cells come from the store."""
    from takeoff import learners
    from takeoff.datasets.base import Dataset
    from takeoff.files import write_csv
    from takeoff.store import CellStore
    from takeoff.training import train_curve

    learner = learners.load(chosen.settings["fit"]["kind"])
    data = Dataset.load(chosen.data)
    write_csv(chosen.runs, train_curve(chosen.settings, data, learner, CellStore(chosen.cells)))


def download_folder() -> Path:
    """Where downloads are kept: $TAKEOFF_CACHE, or the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("TAKEOFF_CACHE") or user_cache_path("takeoff"))


def write_schema(chosen: argparse.Namespace) -> None:
    """Write the JSON schema of a config, which editors use to check and complete."""
    from takeoff.files import write_json
    from takeoff.study import Study

    write_json(chosen.out, Study.model_json_schema())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="takeoff", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Any, *paths: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        for path in paths:
            added.add_argument(f"--{path}", type=Path, required=True)
        return added

    def study_part(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--settings", type=json.loads, required=True, help="as JSON")
        return added

    study_part(command("prepare-dataset", prepare_dataset, "data", "sheet"))
    study_part(command("train-curve", train_curve, "data", "cells", "runs"))
    command("schema", write_schema, "out")
    return parser
