"""The page of a comparison: one file that loads nothing and runs nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from takeoff import wording
from takeoff.comparing import figures, words
from takeoff.comparing.comparison import Comparison
from takeoff.comparing.moves import GROUPS, Move, State
from takeoff.comparing.names import Names
from takeoff.errors import TakeoffError
from takeoff.files import replacing
from takeoff.paper import typeset
from takeoff.paper.figures import NARROW, save
from takeoff.paper.looks import looks

TEMPLATE = "compare.html.j2"
ROWS = 40  # of a table that is folded away: the rest is in the JSON
FOLDED: tuple[State, ...] = ("within", "changed", "appeared", "vanished")


@dataclass(frozen=True)
class Folded:
    """Numbers of a group in a less remarkable state: the first of them, and how many."""

    state: str
    rows: list[Move]
    count: int


@dataclass(frozen=True)
class Group:
    """One group of numbers, as the page shows it.

    Attributes:
        title: In words.
        moved: Those beyond their intervals or apart, in full.
        folded: The others that differ.
        same: How many are the same.
    """

    title: str
    moved: list[Move]
    folded: list[Folded]
    same: int


def write_page(compared: Comparison, reports: Path, out: Path) -> None:
    """Write the page.

    Args:
        compared: What it shows.
        reports: Folder with the page's template and page.css.
        out: The file.

    Raises:
        TakeoffError: The template or the style isn't there, or the page can't be written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(reports),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"clean": wording.clean, "short": words.short}
    try:
        template = environment.get_template(TEMPLATE)
        style = (reports / "page.css").read_text(encoding="utf-8")
    except (OSError, jinja2.TemplateNotFound) as error:
        raise TakeoffError(
            f"the page needs {TEMPLATE} and page.css: {error}",
            where=str(reports),
            remedy="run it in the project's folder, or give --reports",
        ) from error
    with replacing(out) as file:
        file.write(template.render(_shown(compared, style)))


def _shown(compared: Comparison, style: str) -> dict[str, Any]:
    names, every_look = Names.both(compared), looks(compared.new.learners).values()
    return {
        "compared": compared,
        "names": names,
        "style": Markup(style),
        "colours": Markup(typeset.colours(every_look)),
        "words": words,
        "groups": list(_groups(compared)),
        "costs": words.ranked(compared.moves, "costs", "changed"),
        "figures": list(_figures(compared)),
        "rows": ROWS,
    }


def _groups(compared: Comparison) -> Iterator[Group]:
    for group, title in GROUPS.items():
        own = [move for move in compared.moves if move.group == group]
        if group == "costs" or not own:
            continue
        moved = [move for state in ("beyond", "apart")
                 for move in words.ranked(own, group, state)]  # fmt: skip
        folded = [Folded(words.STATES[state], rows[:ROWS], len(rows)) for state in FOLDED
                  if (rows := words.ranked(own, group, state))]  # fmt: skip
        yield Group(title, moved, folded, sum(move.state == "same" for move in own))


def _figures(compared: Comparison) -> Iterator[tuple[str, str, Markup, bool]]:
    """Id, caption, SVG as part of the page, and whether it is a single panel."""
    every_look = list(looks(compared.new.learners).values())
    with tempfile.TemporaryDirectory(prefix="takeoff-") as folder:
        for name, text, figure in figures.draw(compared):
            file = Path(folder) / "figure.svg"
            save(figure, file, name)
            svg = typeset.inline_svg(name, file.read_text("utf-8"), escape(text), every_look)
            yield name, text, Markup(svg), figure.get_figwidth() < NARROW
