"""Typst source -> PDF and HTML, and the page around the HTML."""

from __future__ import annotations

import base64
import gzip
import html
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import jinja2
import matplotlib
import typst
from markupsafe import Markup

from takeoff.errors import TakeoffError
from takeoff.paper.looks import INK, Look

PDF_STANDARDS = ["a-3a", "ua-1"]
NO_DATE = 1767225600  # PDF/A wants a date; a fixed one makes equal papers equal bytes
EXPECTED_WARNING = "html export is under active development"
INTERNAL = "internal error"
START_TAG = re.compile(r"""<[a-zA-Z][^\s<>"/]*(?:\s+[^\s=<>"/]+(?:="[^"]*")?)*\s*/?>""")
ATTRIBUTE = re.compile(r'="([^"]*)"')
NUMBER = re.compile(r'<data value="([^"]+)"')
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@dataclass(frozen=True)
class Body:
    """Typst's HTML, taken apart.

    Attributes:
        content: What was between the body tags.
        style: Typst's own style sheet (for formulas).
        contents: Level, id and text of the headings.
    """

    content: str
    style: str
    contents: list[tuple[int, str, str]]


def to_pdf(folder: Path) -> bytes:
    """Compile folder/paper.typ to PDF/A-3a and PDF/UA-1.

    In rare layouts Typst (0.15) can't tag figures that float and fails with an internal error; then
    all of them stay where they stand in the text.

    Raises:
        TakeoffError: Typst fails or warns; a document that isn't accessible is a failure.
    """
    how: dict[str, Any] = {"pdf_standards": PDF_STANDARDS, "timestamp": NO_DATE}
    try:
        return _compile(folder, "pdf", **how)
    except TakeoffError as error:
        if INTERNAL not in error.problem:
            raise
        return _compile(folder, "pdf", floats="no", **how)


def to_html(folder: Path, numbers: Mapping[str, int] | None = None) -> Body:
    """Compile folder/paper.typ to HTML.

    Args:
        folder: Holds paper.typ and all that it reads.
        numbers: The places of facts, by id, in the page's list of them: a number in the page says
            its place, which is shorter. None leaves the ids.

    Raises:
        TakeoffError: Typst fails or warns, which it does where the page would lack something.
    """
    page = _compile(folder, "html").decode()
    page = START_TAG.sub(lambda tag: ATTRIBUTE.sub(_escaped, tag[0]), page)
    content, contents = _with_anchors(_between(page, "body"))
    if numbers is not None:
        content = NUMBER.sub(lambda tag: f'<data value="{numbers[tag[1]]}"', content)
    return Body(content, _between(page, "style"), contents)


def _escaped(value: re.Match[str]) -> str:
    """Typst leaves < as it is within an attribute, where it would look like a tag to us."""
    escaped = html.escape(html.unescape(value[1]), quote=False).replace('"', "&quot;")
    return f'="{escaped}"'


def _compile(
    folder: Path, target: Literal["pdf", "html"], floats: str = "yes", **options: Any
) -> bytes:
    compiler = typst.Compiler(
        str(folder / "paper.typ"),
        root=str(folder),
        font_paths=[str(FONTS)],
        ignore_system_fonts=True,
        sys_inputs={"target": target, "floats": floats},
    )
    try:
        output, warnings = compiler.compile_with_warnings(format=target, **options)
    except typst.TypstError as error:
        raise _typst_failure(str(error), target) from error
    for warning in warnings:
        if EXPECTED_WARNING not in warning.message:
            raise _typst_failure(f"warning: {warning.message}", target)
    return cast("bytes", output)  # one document, however many pages


def _typst_failure(message: str, target: str) -> TakeoffError:
    return TakeoffError(
        f"Typst can't make the {target.upper()}: {message.strip()}",
        where="reports",
        remedy="mend the templates; nothing of the old report was touched",
    )


def _between(page: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*)</{tag}>", page, re.DOTALL)
    return found[1] if found else ""


def _with_anchors(content: str) -> tuple[str, list[tuple[int, str, str]]]:
    """Give every heading an id; returns the content, and level, id and text of the headings."""
    contents: list[tuple[int, str, str]] = []

    def anchored(found: re.Match[str]) -> str:
        level, attributes, inner = int(found[1]), found[2], found[3]
        own = re.search(r'id="([^"]+)"', attributes)
        anchor = own[1] if own else f"section-{len(contents) + 1}"
        contents.append((level, anchor, html.unescape(re.sub(r"<[^>]+>", "", inner))))
        return f'<h{level} id="{anchor}">{inner}</h{level}>'

    return re.sub(r"<h([23])([^>]*)>(.*?)</h\1>", anchored, content, flags=re.DOTALL), contents


# The page

SLOT = re.compile(r'<div class="svg-slot" data-figure="([^"]+)" data-alt="([^"]*)"></div>')


def page(
    reports: Path,
    body: Body,
    title: str,
    figures: Mapping[str, str],
    looks: Iterable[Look],
    origins: Mapping[str, Any],
) -> str:
    """The HTML page: one file that loads nothing.

    Args:
        reports: Holds page.html.j2, page.css and page.js.
        body: What Typst made of the text.
        title: Of the window.
        figures: Figure id -> SVG.
        looks: How the learners are drawn: their colours get twins for dark pages.
        origins: See `Origins.page`.
    """
    looks = list(looks)

    def filled(slot: re.Match[str]) -> str:
        return inline_svg(slot[1], figures[slot[1]], slot[2], looks)

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(reports),
        undefined=jinja2.StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    content, shared = _shared(SLOT.sub(filled, body.content))
    return environment.get_template("page.html.j2").render(
        title=title,
        contents=body.contents,
        content=Markup(content),
        style=Markup(body.style + _parts(reports, "css") + shared),
        dark_colours=Markup(dark_colours(looks)),
        script=Markup(_parts(reports, "js")),
        origins=Markup(_data(origins)),
    )


def _parts(reports: Path, kind: str) -> str:
    """The page's style sheet or script: page.<kind>, and what page/ adds to it.

    Comments (a line each) and indents stay behind.
    """
    files = [reports / f"page.{kind}", *sorted((reports / "page").glob(f"*.{kind}"))]
    lines = (line.strip() for file in files for line in file.read_text("utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def _data(value: Mapping[str, Any]) -> str:
    """JSON for the page's script, compressed: names that come again and again take little."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def inline_svg(figure_id: str, svg: str, alt: str, looks: Iterable[Look]) -> str:
    """A figure as part of the page: own ids, the page's ink, colours that know about the dark.

    Args:
        figure_id: Keeps its ids apart from those of other figures.
        svg: The file's text.
        alt: Alternative text, already escaped for an attribute.
        looks: See `page`.
    """
    svg = _compact(svg[svg.index("<svg") :])
    named = _named(looks)
    svg = re.sub(r"<[^>]+>", lambda tag: _of_the_page(tag[0], figure_id, named), svg)
    svg = svg.replace("<svg ", f'<svg role="img" aria-label="{alt}" ', 1)
    return f'<div class="scroll" tabindex="0" role="group" aria-label="Figure">{svg}</div>'


def _of_the_page(tag: str, figure_id: str, looks: Iterable[tuple[str, Look]]) -> str:
    """A tag with the figure's own ids and the page's colours; texts between tags stay alone."""
    tag = re.sub(r'<g id="([a-z0-9_]+):[^"]*"', r'<g class="series" data-series="\1"', tag)
    tag = re.sub(r'<g id="[^"]*"', "<g", tag)
    tag = re.sub(r'\bid="([^"]+)"', rf'id="{figure_id}-\1"', tag)
    tag = re.sub(r'(href="#|url\(#)', rf"\1{figure_id}-", tag)
    tag = tag.replace(INK, "currentColor")
    for name, look in looks:
        tag = tag.replace(look.colour, f"var({name},{look.colour})")
    return tag


def _compact(svg: str) -> str:
    """Leave out what the page's style sheet says once for all figures, and needless digits."""
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<[^>]+>", _compact_tag, svg)
    return re.sub(r">\s+<", "><", svg).strip()


def _compact_tag(found: re.Match[str]) -> str:
    tag = re.sub(r"\s+", " ", found[0])
    if tag.startswith("<svg"):
        return re.sub(r' (?:width|height|version|xmlns:xlink)="[^"]*"', "", tag)
    tag = re.sub(r" font-family: [^;\"]*;", "", tag).replace("xlink:href", "href")
    tag = re.sub(r' style="[^"]*"', lambda style: re.sub(r"([:;]) ", r"\1", style[0]), tag)
    tag = re.sub(r' transform="rotate\(-?0 [^"]*\)"', "", tag)
    tag = re.sub(r"(\d\.\d\d)\d+", r"\1", tag)
    return PATH.sub(_compact_path, re.sub(r' (?:x|y)="[^"]*"', _compact_places, tag))


PATH = re.compile(r' d="([^"]*)"')
COMMAND = re.compile(r"([MLCQZz])([^MLCQZz]*)")


def _compact_places(found: re.Match[str]) -> str:
    """Coordinates to a tenth of a point."""
    return re.sub(r"(\d\.\d)\d+", r"\1", found[0])


def _compact_path(found: re.Match[str]) -> str:
    """A path to a tenth of a point, each place told from the one before: half as long.

    It is rounded first, so that errors don't add up; of places that have become one, one stays.
    Every segment has its command, as matplotlib writes it.
    """
    shorter: list[str] = []
    at = start = (0, 0)
    last = ""
    for command, numbers in COMMAND.findall(found[1]):
        command = command.lower()
        tenths = [round(10 * float(number)) for number in numbers.split()]
        places = list(zip(tenths[::2], tenths[1::2], strict=True))
        moves = [way for x, y in places for way in (x - at[0], y - at[1])]
        at = places[-1] if places else start
        start = at if command == "m" else start
        if command == last == "l" and moves == [0, 0]:
            continue
        told = "".join(map(_tenths, moves))
        goes_on = command == last != "m"  # two letters m in one would draw a line
        shorter.append(told if goes_on else command + told.lstrip())
        last = command
    return f' d="{"".join(shorter)}"'


def _tenths(tenths: int) -> str:
    """A number of tenths, set off from what stands before it."""
    text = f"{tenths / 10:g}".replace("0.", ".") if abs(tenths) < 10 else f"{tenths / 10:.5g}"
    return text if tenths < 0 else f" {text}"


WHOLE_SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)
GROUP = re.compile(r"<(/?)g\b([^>]*)>")
INNER_TAG = re.compile(r"<(?!svg )[^>]+>")  # that of the whole holds the alternative text


def _shared(content: str) -> tuple[str, str]:
    """Say once what the figures say again and again: the page gets much lighter.

    Styles become classes, ids get short names, and groups that only group are dissolved.

    Returns:
        The content, and a style sheet that has to come after all others.
    """
    classes: dict[str, str] = {}
    ids: dict[str, str] = {}

    def lighter(svg: re.Match[str]) -> str:
        return INNER_TAG.sub(of_tag, _ungrouped(svg[0]))

    def of_tag(tag: re.Match[str]) -> str:
        named = re.sub(r'(\bid="|href="#|url\(#)([^")]+)', short, tag[0])
        return named if " class=" in named else re.sub(r' style="([^"]*)"', classed, named)

    def short(name: re.Match[str]) -> str:
        return name[1] + ids.setdefault(name[2], f"i{len(ids)}")

    def classed(style: re.Match[str]) -> str:
        return f' class="{classes.setdefault(style[1], f"z{len(classes)}")}"'

    content = WHOLE_SVG.sub(lighter, content)
    # As specific as what the page's own style sheet says of all that is in a figure.
    return content, "".join(f"svg .{name}{{{style}}}\n" for style, name in classes.items())


def _ungrouped(svg: str) -> str:
    """Without the <g> that have no attribute."""
    kept: list[bool] = []

    def tag(found: re.Match[str]) -> str:
        closes, attributes = found.groups()
        if attributes.endswith("/"):
            return found[0]
        if closes:
            return found[0] if kept.pop() else ""
        kept.append(bool(attributes))
        return found[0] if kept[-1] else ""

    return GROUP.sub(tag, svg)


def _named(looks: Iterable[Look]) -> list[tuple[str, Look]]:
    return [(f"--series-{i}", look) for i, look in enumerate(looks)]


def dark_colours(looks: Iterable[Look]) -> str:
    """The colours that `inline_svg` has named, for dark pages."""
    return "".join(f"{name}:{look.dark};" for name, look in _named(looks))
