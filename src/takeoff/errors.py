"""What a user is meant to read when a command does not end well."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class TakeoffError(Exception):
    """A failure that the user can mend: what is wrong, where, and what to do about it.

    Args:
        problem: One sentence that says what is wrong.
        where: The file, and the key or row in it, that the problem is about.
        remedy: What to do; a command where there is one.
    """

    def __init__(self, problem: str, *, where: str | None = None, remedy: str | None = None):
        self.problem, self.where, self.remedy = problem, where, remedy
        lines = [f"{where}: {problem}" if where else problem]
        if remedy:
            lines.append(f"  -> {remedy}")
        super().__init__("\n".join(lines))


class PreemptedError(Exception):
    """SIGTERM came: what was being done has been saved, and the same command goes on with it."""


def nearest(name: str, valid: Iterable[str]) -> str:
    """Say which valid name was probably meant, or list the valid ones."""
    valid = sorted(valid)
    close = difflib.get_close_matches(name, valid, n=1)
    return f"did you mean '{close[0]}'?" if close else f"valid names: {', '.join(valid)}"
