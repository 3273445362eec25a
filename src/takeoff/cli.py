"""The command line: `takeoff COMMAND`, see `takeoff.commands`.

Modules are imported where they are used: a logistic regression never pays for torch, a plot never
for scikit-learn.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from takeoff.commands import compare, experiments, plan, project, rules, store, tables
from takeoff.errors import PreemptedError, TakeoffError

TERMINATED = 128 + 15  # as a shell says of a process that SIGTERM ended


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; a `TakeoffError` is printed in its own words, without a traceback.

    Returns:
        The exit code: 0, or what the command returned; 1 after an error, 143 after a SIGTERM whose
        work was saved.
    """
    chosen = _parser().parse_args(arguments)
    try:
        code: int | None = chosen.run(chosen)
    except PreemptedError as stop:
        print(f"takeoff: stopped: {stop}", file=sys.stderr)
        return TERMINATED
    except TakeoffError as error:
        print(f"takeoff: error: {error}", file=sys.stderr)
        return 1
    return code or 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="takeoff",
        description="Would more labelled data or a bigger network help, by how much, until when?",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for group in (project, rules, experiments, tables, compare, store, plan):
        group.add(commands)
    return parser
