"""`takeoff compare`: what changed between two reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from takeoff.commands import Commands

FAILED_ON = 3  # the exit code where --fail-on found what it looks for; 1 is an error, 2 bad usage


def add(commands: Commands) -> None:
    """`takeoff compare`."""
    text = compare.__doc__
    added = commands.add_parser("compare", help=(text or "").partition("\n")[0], description=text)
    added.set_defaults(run=compare)
    report = "a report's folder, report.json, or REVISION:PATH of one in git"
    added.add_argument("old", help=report)
    added.add_argument("new", help=report)
    added.add_argument("--out", type=Path, metavar="FILE.html", help="write a page")
    added.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON")
    added.add_argument(
        "--fail-on",
        action="append",
        choices=("verdict", "number", "any"),
        default=[],
        help=f"exit with {FAILED_ON} if a verdict flipped, if a number moved beyond its interval,"
        " or if anything but costs differs; may be given again",
    )
    level = "1 - the chance of naming a number although only luck differs (default: 0.95)"
    added.add_argument("--level", type=float, default=0.95, help=level)
    added.add_argument(
        "--reports", type=Path, default=Path("reports"), help="folder of the page's template"
    )


def compare(chosen: argparse.Namespace) -> int:
    """Print what changed between two reports: verdicts, numbers beyond their intervals, settings.

    The exit code is 0, or 3 if --fail-on found what it looks for.
    """
    from takeoff.comparing import words
    from takeoff.comparing.bundles import read
    from takeoff.comparing.comparison import compare
    from takeoff.files import write_json
    from takeoff.statistics.measured import tail_of

    tail_of(chosen.level)  # refuses what is no level
    compared = compare(read(chosen.old), read(chosen.new), chosen.level)
    print(words.summary(compared))
    if chosen.json:
        write_json(chosen.json, compared.record())
    if chosen.out:
        from takeoff.comparing.page import write_page

        write_page(compared, chosen.reports, chosen.out)
        print(f"The page: {chosen.out}")
    return FAILED_ON if set(chosen.fail_on) & set(compared.alarms()) else 0
