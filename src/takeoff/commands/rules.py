"""The commands of the workflow: one for each of its rules.

Each takes what it depends on as arguments (its part of the study as JSON) and writes its outputs
whole.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from takeoff.commands import Commands
from takeoff.datasets.sheets import read_sheets
from takeoff.places import download_folder, own_files


def add(commands: Commands) -> None:
    """Each command is named after its function."""

    def command(run: Callable[[argparse.Namespace], None], *paths: str, runs: bool = False) -> None:
        added = commands.add_parser(
            run.__name__.replace("_", "-"), help=run.__doc__, description=run.__doc__
        )
        added.set_defaults(run=run)
        for path in paths:
            added.add_argument(f"--{path}", type=Path, required=True)
        if runs:
            added.add_argument("--runs", type=Path, nargs="+", required=True)
        added.add_argument("--settings", type=json.loads, required=True, metavar="JSON")

    command(prepare_dataset, "data", "sheet")
    command(read_table, "results")
    command(train_curve, "data", "cells", "out")
    command(fit_curves, "results", "out", runs=True)
    command(check_claims, "results", "out", runs=True)
    command(weigh_options, "results", "out", runs=True)
    command(plot_figures, "results", "out")
    command(render_report, "results", "reports", "workflow", runs=True)


def prepare_dataset(chosen: argparse.Namespace) -> None:
    """Download or generate one data set."""
    from takeoff import datasets
    from takeoff.files import write_json
    from takeoff.machine import machine

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
    write_json(chosen.sheet, data.sheet() | {"machine": machine()})


def read_table(chosen: argparse.Namespace) -> None:
    """Take the learning curves of a table, instead of training any."""
    from takeoff.given import write_runs
    from takeoff.settings import Runs

    write_runs(Runs.model_validate(chosen.settings), chosen.results)


def train_curve(chosen: argparse.Namespace) -> None:
    """Train one learning curve, cell by cell; finished cells come from the store."""
    from takeoff import learners
    from takeoff.datasets.base import Dataset
    from takeoff.files import write_rows
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
        rows = train_curve(settings, data, learner, CellStore(chosen.cells), progress)
        write_rows(chosen.out, rows)


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
    sheets = read_sheets(chosen.results, settings["datasets"])
    limits = {name: forecasts.Limits.of(sheet) for name, sheet in sheets.items()}
    known = (curves, settings["forecast_level"], limits)
    write_csv(chosen.out / "forecast.csv", forecasts.forecast_curves(*known))
    write_csv(chosen.out / "held_out.csv", forecasts.hold_out(*known))


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
    sheets = read_sheets(chosen.results, settings["datasets"]) if of_population else {}
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
    sheets = read_sheets(chosen.results, settings["datasets"])
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
    from takeoff.files import read_csv, read_json
    from takeoff.measures import Measure
    from takeoff.paper import figures
    from takeoff.statistics.levers import LABELS

    learners, claims = chosen.settings["learners"], chosen.settings["claims"]
    sheets = read_sheets(chosen.results, chosen.settings["datasets"])
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
    verdicts = read_json(chosen.results / "decisions/verdicts.json")["datasets"]
    best = {name: verdict["best"] for name, verdict in verdicts.items()}
    drawn = {
        "learning_curves": figures.learning_curves(curves, *shared),
        "above_floor": figures.above_floor(curves, *shared),
        "forecasts": figures.forecasts(curves, forecast, *shared),
        "brief": figures.brief(curves, forecast, best, LABELS, *shared),
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
    """Write the paper: report.html, report.pdf, report.json, figures, tables, pages for sites."""
    from takeoff import experiments
    from takeoff.files import read_csv, read_json
    from takeoff.paper import origins
    from takeoff.paper import report as paper
    from takeoff.paper.facts import Results
    from takeoff.runs import read_runs
    from takeoff.statistics import options

    study, folder = chosen.settings["study"], chosen.results
    results = Results(
        study=study,
        sheets=read_sheets(folder, study["use"]["datasets"]),
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
        experiments={
            name: experiments.read(folder / f"experiments/{name}.json")
            for name in chosen.settings["experiments"]
        },
        code=chosen.settings["code"],
    )
    commit, changed = origins.commit()
    where = origins.Where(folder, chosen.settings["configs"], commit, changed)
    out = folder / "report"
    paper.render(results, folder / "figures", chosen.reports, out, chosen.workflow, where)
