"""The command that says what a study will take before it runs."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from takeoff.commands import Commands


def add(commands: Commands) -> None:
    """`takeoff plan`."""
    added = commands.add_parser("plan", help=plan.__doc__, description=plan.__doc__)
    added.set_defaults(run=plan)
    added.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="the study: files laid over config/config.yaml, as by snakemake; default: that alone",
    )
    added.add_argument("--cores", type=int, help="that it will run on; default: all that are here")
    added.add_argument(
        "--calibrate", action="store_true", help="time this machine first, for less than a minute"
    )
    added.add_argument("--json", type=Path, metavar="FILE", help="write the plan there too")
    added.add_argument("--cells", type=Path, default=Path("results/cells"), help="the store")
    added.add_argument("--results", type=Path, default=Path("results"), help="of all studies")


def plan(chosen: argparse.Namespace) -> None:
    """Print what a study will take: seconds, memory and price of each job, and in all."""
    from takeoff.demand import read_study
    from takeoff.files import write_json
    from takeoff.places import download_folder
    from takeoff.planning import calibration, plan
    from takeoff.planning.jobs import Machine
    from takeoff.store import CellStore

    study, folder = read_study(chosen.configfile), download_folder()
    if chosen.calibrate:
        calibration.keep(folder, calibration.calibrate(plan.tasks(study, chosen.results)))
    machine = calibration.kept(folder) or Machine()
    cores = os.cpu_count() or 1 if chosen.cores is None else chosen.cores
    known = plan.known(study, CellStore(chosen.cells), chosen.results)
    found = plan.plan(study, known, machine, cores, chosen.results)
    print(*plan.report(found), sep="\n")
    if chosen.json:
        write_json(chosen.json, plan.record(found))
