"""The commands that need no study: they ask tables of learning curves."""

from __future__ import annotations

import argparse
from pathlib import Path

from takeoff.commands import Commands
from takeoff.errors import TakeoffError


def add(commands: Commands) -> None:
    """`takeoff fit` and `takeoff decide`."""
    _add_fit(commands)
    _add_decide(commands)


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
