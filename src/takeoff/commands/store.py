"""The commands that look after a study's run, and after the store of finished cells."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from takeoff.commands import Commands
from takeoff.errors import TakeoffError


def add(commands: Commands) -> None:
    """`takeoff status` and `takeoff store`."""
    _add_status(commands)
    _add_store(commands)


def status(chosen: argparse.Namespace) -> None:
    """Print where a study stands: per learning curve, what is stored, running and missing."""
    from takeoff.demand import read_study
    from takeoff.status import report, standings
    from takeoff.store import CellStore

    for files in chosen.configfile:
        study = read_study(files)
        curves = list(standings(study, CellStore(chosen.cells), chosen.results))
        print(*report(study, curves), sep="\n")


def list_cells(chosen: argparse.Namespace) -> None:
    """Print a table of the stored cells."""
    from takeoff.store import CellStore
    from takeoff.upkeep import listing

    print(*listing(CellStore(chosen.cells), chosen.dataset, chosen.learner), sep="\n")


def verify_cells(chosen: argparse.Namespace) -> None:
    """Read every stored cell; print the damaged ones, and fail if any are left."""
    from takeoff.store import CellStore
    from takeoff.upkeep import remove, scan

    found = list(scan(CellStore(chosen.cells)))
    damaged = [file for file in found if file.damage]
    for file in damaged:
        print(f"{file.path}: damaged: {file.damage}")
    print(f"{len(found):,} cells read, {len(damaged):,} damaged")
    if chosen.delete:
        print(f"{remove(file.path for file in damaged):,} deleted")
    elif damaged:
        raise TakeoffError(
            f"{len(damaged):,} cells are damaged",
            where=str(chosen.cells),
            remedy="takeoff store verify --delete; the next run trains them again",
        )


def prune_cells(chosen: argparse.Namespace) -> None:
    """Print what no study asks for any more; delete it with --yes.

    A study asks for a cell when its config, its code, its libraries and its data are now what they
    were when the cell was trained. Every --configfile is one study, as for `snakemake`.
    """
    from takeoff.demand import demands, read_study
    from takeoff.store import CellStore
    from takeoff.upkeep import human_size, remove, superfluous

    studies = [read_study(files) for files in chosen.configfile]
    asked = [demand for study in studies for demand in demands(study, chosen.results)]
    found = list(superfluous(CellStore(chosen.cells), asked))
    for one in found:
        print(f"{one.file.path}: {one.reason}")
    total = f"{len(found):,} files, {human_size(sum(one.file.size for one in found))}"
    if chosen.yes:
        remove(one.file.path for one in found)
        print(f"deleted: {total}")
    else:
        print(f"would delete: {total}" + (" (with --yes)" if found else ""))


def _add_status(commands: Commands) -> None:
    added = commands.add_parser("status", help=status.__doc__, description=status.__doc__)
    _run_on_the_store(added, status)
    _ask_for_studies(added)


def _add_store(commands: Commands) -> None:
    text = "Look after the finished cells."
    actions = commands.add_parser("store", help=text, description=text).add_subparsers(
        required=True, metavar="ACTION"
    )

    def action(run: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        name = run.__name__.removesuffix("_cells")
        text = (run.__doc__ or "").partition("\n")[0]
        added = actions.add_parser(name, help=text, description=run.__doc__)
        _run_on_the_store(added, run)
        return added

    listed = action(list_cells)
    listed.add_argument("--dataset", help="only cells of this data set")
    listed.add_argument("--learner", help="only cells of this learner")
    action(verify_cells).add_argument(
        "--delete", action="store_true", help="delete the damaged ones"
    )
    pruned = action(prune_cells)
    _ask_for_studies(pruned)
    pruned.add_argument(
        "--yes", action="store_true", help="delete, instead of saying what would be"
    )


def _run_on_the_store(
    parser: argparse.ArgumentParser, run: Callable[[argparse.Namespace], None]
) -> None:
    parser.set_defaults(run=run)
    parser.add_argument("--cells", type=Path, default=Path("results/cells"), help="the store")


def _ask_for_studies(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--configfile",
        type=Path,
        nargs="+",
        action="append",
        required=True,
        metavar="FILE",
        help="a study: files laid over config/config.yaml, as by snakemake; may be given again",
    )
    parser.add_argument("--results", type=Path, default=Path("results"), help="of all studies")
