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
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from takeoff.errors import PreemptedError, TakeoffError

OWN_FILES = "TAKEOFF_OWN_FILES"
TERMINATED = 128 + 15  # as a shell says of a process that SIGTERM ended

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a `TakeoffError` is printed in its own words, without a traceback.

    Returns:
        The exit code: 0, 1 after an error, 143 after a SIGTERM whose work was saved.
    """
    chosen = _parser().parse_args(arguments)
    try:
        chosen.run(chosen)
    except PreemptedError as stop:
        print(f"takeoff: stopped: {stop}", file=sys.stderr)
        return TERMINATED
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
        table=settings.get("table"),
        paths=own_files().get(settings["name"]),
    )
    data.save(chosen.data)
    write_json(chosen.sheet, data.sheet())


def read_table(chosen: argparse.Namespace) -> None:
    """Take the learning curves of a table, instead of training any."""
    from takeoff.given import write_runs
    from takeoff.study import Runs

    write_runs(Runs.model_validate(chosen.settings), chosen.results)


def init(chosen: argparse.Namespace) -> None:
    """Look at a table, arrays or picture folders, and write a config for a study of them."""
    from takeoff.proposal import Asked, name_for, propose

    name = chosen.name or name_for(chosen.file)
    keys = ("label", "task", "group", "time", "weight", "test_path")
    asked = Asked(path=chosen.file, name=name, **{key: getattr(chosen, key) for key in keys})
    print(propose(asked, chosen.out or Path(f"config/{name}.yaml"), force=chosen.force))


def train_curve(chosen: argparse.Namespace) -> None:
    """Train one learning curve, cell by cell; finished cells come from the store."""
    from takeoff import learners
    from takeoff.datasets.base import Dataset
    from takeoff.files import write_csv
    from takeoff.progress import Progress, progress_file
    from takeoff.store import CellStore
    from takeoff.training import train_curve

    settings = chosen.settings
    learner = learners.load(settings["fit"]["kind"])
    data = Dataset.load(chosen.data)
    label = f"{settings['dataset']} {settings['learner']}"
    work = float(settings["repeats"] * sum(settings["m"]))
    cells = settings["repeats"] * len(settings["m"])
    with Progress(progress_file(chosen.out), label, cells, work) as progress:
        write_csv(
            chosen.out, train_curve(settings, data, learner, CellStore(chosen.cells), progress)
        )


def fit_curves(chosen: argparse.Namespace) -> None:
    """Average the repeats; describe every curve by a law, forecast it, and hold out its end."""
    from takeoff import given
    from takeoff.files import write_csv
    from takeoff.runs import read_runs
    from takeoff.statistics import fits, forecasts

    settings = chosen.settings
    runs = read_runs(chosen.runs, settings["design"])
    level = settings["level"]
    from_table = any(curve.get("given") for curve in settings["design"])
    source = given if from_table else fits
    curves = source.summarise(runs, level)
    how = {key: settings[key] for key in ("level", "bootstrap", "seed")}
    laws = source.fit_laws(runs, **how)
    write_csv(chosen.out / "curves.csv", curves)
    write_csv(chosen.out / "fits.csv", laws)
    sheets = _sheets(chosen.results, settings["datasets"])
    limits = {name: forecasts.Limits.of(sheet) for name, sheet in sheets.items()}
    known = (curves, settings["forecast_level"], limits)
    write_csv(chosen.out / "forecast.csv", forecasts.forecast_curves(*known))
    write_csv(chosen.out / "held_out.csv", forecasts.hold_out(*known))


def fit(chosen: argparse.Namespace) -> None:
    """Forecast the learning curves of a table, or fit a surface over network size and data."""
    surface = chosen.surface is not None and not (chosen.curves or chosen.predict)
    if surface and chosen.y and len(chosen.x or ()) == 2:
        from takeoff.statistics.surfaces import fit_file

        fit_file(chosen.surface, chosen.x, chosen.y, chosen.out, chance=chosen.chance)
    elif chosen.curves and chosen.predict and not chosen.surface:
        from takeoff.statistics.predictions import predict_file

        predict_file(chosen.curves, chosen.predict, chosen.out)
    else:
        raise TakeoffError(
            "it isn't clear what to fit",
            remedy="give CURVES --predict POINTS, or --surface POINTS --x N --x D --y loss",
        )


def decide(chosen: argparse.Namespace) -> None:
    """Print what the learning curves of a table say: labels needed, gains, plateaus, ranking."""
    from takeoff.statistics.decide import Asked, decide_file
    from takeoff.statistics.decisions import About

    asked = Asked(
        targets=chosen.target,
        factors=chosen.factor,
        margin=chosen.margin,
        doublings=chosen.doublings,
        level=chosen.level,
        about=About(chosen.pool, chosen.tests),
    )
    print(decide_file(chosen.curves, asked, chosen.out))


def check_claims(chosen: argparse.Namespace) -> None:
    """Hold the claims against the runs."""
    from takeoff.files import write_csv, write_json
    from takeoff.runs import read_runs
    from takeoff.statistics import claims, claims_from_means

    settings = chosen.settings
    from_table = any(curve.get("given") for curve in settings["design"])
    check = claims_from_means.check if from_table else claims.check
    thresholds = dict(settings["claims"])
    of_population = thresholds.pop("population")
    sheets = _sheets(chosen.results, settings["datasets"]) if of_population else {}
    found = check(
        read_runs(chosen.runs, settings["design"]),
        [claims.Learner(**learner) for learner in settings["learners"]],
        claims.ClaimSettings(
            level=settings["level"], tests=claims.sizes_of_test_sets(sheets), **thresholds
        ),
    )
    write_csv(chosen.out / "last_doublings.csv", found.last_doublings)
    write_csv(chosen.out / "differences.csv", found.differences)
    write_csv(chosen.out / "agreement.csv", found.agreement)
    write_json(chosen.out / "claims.json", found.claims)


def weigh_options(chosen: argparse.Namespace) -> None:
    """Decide what more labels would bring, and what holds the error back."""
    from takeoff.measures import Measure
    from takeoff.runs import read_runs
    from takeoff.statistics import options

    settings = chosen.settings
    sheets = _sheets(chosen.results, settings["datasets"])
    found = options.weigh(
        read_runs(chosen.runs, settings["design"]),
        settings["learners"],
        {name: Measure.of(sheet) for name, sheet in sheets.items()},
        options.Asked(**settings["asked"]),
        settings["feature_pairs"],
    )
    options.write(found, chosen.out)


def plot_figures(chosen: argparse.Namespace) -> None:
    """Draw every figure of the paper."""
    from takeoff.files import read_csv
    from takeoff.measures import Measure
    from takeoff.paper import figures

    learners, claims = chosen.settings["learners"], chosen.settings["claims"]
    sheets = _sheets(chosen.results, chosen.settings["datasets"])
    titles = {name: sheet["title"] for name, sheet in sheets.items()}
    tables = {
        path.stem: read_csv(path)
        for folder in ("fits", "claims", "decisions")
        for path in sorted((chosen.results / folder).glob("*.csv"))
    }
    curves, forecast = tables["curves"], tables["forecast"]
    errors = {name: rows["test_error"] for name, rows in curves.groupby("dataset")}
    measures = {name: Measure.of(sheet, errors[name]) for name, sheet in sheets.items()}
    margin = claims["margin"]
    shared = (learners, titles, measures)
    drawn = {
        "learning_curves": figures.learning_curves(curves, *shared),
        "above_floor": figures.above_floor(curves, *shared),
        "forecasts": figures.forecasts(curves, forecast, *shared),
        "held_out": figures.held_out(tables["held_out"], *shared),
        "last_doublings": figures.last_doublings(tables["last_doublings"], *shared, margin),
        "differences": figures.differences(tables["differences"], *shared),
        "agreement": figures.agreement(tables["agreement"], titles, claims["small_m"]),
        "gains": figures.gains(
            tables["gains"], learners, titles, chosen.settings["decisions"]["margin"]
        ),
    }
    if curves["seconds"].notna().any():
        drawn["cost"] = figures.cost(curves, learners, titles)
    for name, figure in drawn.items():
        figures.save(figure, chosen.out / f"{name}.svg", name)


def render_report(chosen: argparse.Namespace) -> None:
    """Write the paper: report.html, report.pdf, report.json, figures and tables."""
    from takeoff.files import read_csv, read_json
    from takeoff.paper import report as paper
    from takeoff.paper.facts import Results
    from takeoff.runs import read_runs
    from takeoff.statistics import options

    study, folder = chosen.settings["study"], chosen.results
    results = Results(
        study=study,
        sheets=_sheets(folder, study["use"]["datasets"]),
        runs=read_runs(chosen.runs, chosen.settings["design"]),
        curves=read_csv(folder / "fits/curves.csv"),
        fits=read_csv(folder / "fits/fits.csv"),
        forecast=read_csv(folder / "fits/forecast.csv"),
        held_out=read_csv(folder / "fits/held_out.csv"),
        last_doublings=read_csv(folder / "claims/last_doublings.csv"),
        differences=read_csv(folder / "claims/differences.csv"),
        agreement=read_csv(folder / "claims/agreement.csv"),
        claims=read_json(folder / "claims/claims.json"),
        options=options.read(folder / "decisions"),
    )
    paper.render(results, folder / "figures", chosen.reports, folder / "report")


def write_schema(chosen: argparse.Namespace) -> None:
    """Write the JSON schema of a config, which editors use to check and complete."""
    from takeoff.files import write_json
    from takeoff.study import Study

    write_json(chosen.out, Study.model_json_schema())


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


def download_folder() -> Path:
    """Where downloads are kept: $TAKEOFF_CACHE, or the user's cache folder."""
    from platformdirs import user_cache_path

    return Path(os.environ.get("TAKEOFF_CACHE") or user_cache_path("takeoff"))


def own_files() -> dict[str, dict[str, str]]:
    """Where the study's own data lie, by data set and key.

    The workflow says it in the environment: where someone's files lie is nothing that a result
    depends on, and what is in a command line or a parameter ends up in logs.
    """
    found: dict[str, dict[str, str]] = json.loads(os.environ.get(OWN_FILES) or "{}")
    return found


def _sheets(results: Path, names: Sequence[str]) -> dict[str, Any]:
    from takeoff.files import read_json

    return {name: read_json(results / f"data/{name}.json") for name in names}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="takeoff",
        description="Would more labelled data or a bigger network help, by how much, until when?",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(run: Callable[[argparse.Namespace], None], *paths: str, runs: bool = False) -> None:
        """Add the command that is named after its function."""
        name = run.__name__.replace("_", "-").removeprefix("write-")
        added = commands.add_parser(name, help=run.__doc__, description=run.__doc__)
        added.set_defaults(run=run)
        for path in paths:
            added.add_argument(f"--{path}", type=Path, required=True)
        if runs:
            added.add_argument("--runs", type=Path, nargs="+", required=True)
        if run is not write_schema:
            added.add_argument("--settings", type=json.loads, required=True, metavar="JSON")

    command(prepare_dataset, "data", "sheet")
    command(read_table, "results")
    command(train_curve, "data", "cells", "out")
    command(fit_curves, "results", "out", runs=True)
    command(check_claims, "results", "out", runs=True)
    command(weigh_options, "results", "out", runs=True)
    command(plot_figures, "results", "out")
    command(render_report, "results", "reports", runs=True)
    command(write_schema, "out")
    _add_init(commands)
    _add_fit(commands)
    _add_decide(commands)
    _add_status(commands)
    _add_store(commands)
    return parser


def _add_init(commands: Commands) -> None:
    added = commands.add_parser("init", help=init.__doc__, description=init.__doc__)
    added.set_defaults(run=init)
    added.add_argument("file", type=Path, help="CSV, Parquet, NPZ, NPY, or a folder of pictures")
    added.add_argument("--label", help="column to be told from the others; not of pictures")
    added.add_argument("--name", help="of the study; without it, made of the file's name")
    added.add_argument("--task", choices=["classification", "regression"], help="else as it looks")
    added.add_argument("--group", help="column no value of which is both trained and tested on")
    added.add_argument("--time", help="column; the latest rows are the test set")
    added.add_argument("--weight", help="column; how much each row counts")
    added.add_argument("--test-path", type=Path, metavar="FILE", help="test rows, if given")
    added.add_argument("--out", type=Path, help="without it, config/NAME.yaml")
    added.add_argument("--force", action="store_true", help="replace a file that exists")


def _add_fit(commands: Commands) -> None:
    added = commands.add_parser("fit", help=fit.__doc__, description=fit.__doc__)
    added.set_defaults(run=fit)
    added.add_argument("curves", type=Path, nargs="?", help="dataset, learner, m, test_error, ...")
    added.add_argument("--predict", type=Path, metavar="POINTS", help="dataset, learner, m")
    added.add_argument("--surface", type=Path, metavar="POINTS", help="instead of CURVES")
    added.add_argument("--x", action="append", help="column of POINTS; given twice: N, then D")
    added.add_argument("--y", help="column of POINTS with the loss or the error")
    added.add_argument("--chance", type=float, help="of a surface: the loss of guessing")
    added.add_argument("--out", type=Path, required=True)


def _add_decide(commands: Commands) -> None:
    added = commands.add_parser("decide", help=decide.__doc__, description=decide.__doc__)
    added.set_defaults(run=decide)
    added.add_argument("curves", type=Path, help="dataset, learner, m, test_error, ...")
    added.add_argument("--target", type=float, nargs="+", required=True, help="errors to reach")
    added.add_argument("--factor", type=float, nargs="+", default=[2.0, 4.0, 10.0], help="of data")
    added.add_argument("--margin", type=float, default=0.05, help="a plateau falls by less")
    added.add_argument("--doublings", type=float, default=2.0, help="that a plateau is judged by")
    added.add_argument("--level", type=float, default=0.9, help="of intervals and tests")
    added.add_argument("--pool", type=float, help="that subsets are from; to speak of others too")
    added.add_argument("--tests", type=float, help="in the one test set; to speak of others too")
    added.add_argument("--out", type=Path, help="a table of every decision")


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
