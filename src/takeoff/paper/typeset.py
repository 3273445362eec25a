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
from takeoff.paper import svg
from takeoff.paper.looks import Look

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
        content = NUMBER.sub(lambda tag: f"<data value={numbers[tag[1]]}", content)
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
    tools: Mapping[str, Any] | None = None,
) -> str:
    """The HTML page: one file that loads nothing.

    Args:
        reports: Holds page.html.j2, page.css and page.js.
        body: What Typst made of the text.
        title: Of the window.
        figures: Figure id -> SVG.
        looks: How the learners are drawn: their colours get twins for dark pages.
        origins: See `Origins.page`.
        tools: See `takeoff.paper.tools.known`.
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
        content=Markup(NEEDLESS.sub("", content)),
        style=Markup(body.style + _parts(reports, "css") + shared),
        colours=Markup(colours(looks)),
        script=Markup(_parts(reports, "js")),
        origins=Markup(_data(origins)),
        tools=Markup(_data(tools)) if tools else None,
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


def inline_svg(figure_id: str, text: str, alt: str, looks: Iterable[Look]) -> str:
    """A figure as part of the page: own ids, the page's ink, colours that know about the dark.

    Args:
        figure_id: Keeps its ids apart from those of other figures.
        text: The SVG file's.
        alt: Alternative text, already escaped for an attribute.
        looks: See `page`.
    """
    figure = svg.inline(figure_id, text, alt, _named(looks))
    return f'<div class="scroll" tabindex="0" role="group" aria-label="Figure">{figure}</div>'


NEEDLESS = re.compile(r"</(?:td|th|tr|tbody|thead|li|dt|dd)>")  # ends that HTML finds by itself
WHOLE_SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)
INNER_TAG = re.compile(r"<(?!svg )[^>]+>")  # that of the whole holds the alternative text


def _shared(content: str) -> tuple[str, str]:
    """Say once what the figures say again and again: the page gets much lighter.

    Styles become classes, ids and series get short names.

    Returns:
        The content, and a style sheet that has to come after all others.
    """
    classes: dict[str, str] = {}
    ids: dict[str, str] = {}
    series: dict[str, str] = {}

    def lighter(whole: re.Match[str]) -> str:
        return INNER_TAG.sub(of_tag, whole[0])

    def of_tag(tag: re.Match[str]) -> str:
        named = re.sub(r'(\bid="|href="#|url\(#)([^")]+)', short, tag[0])
        named = named.replace(' data-m=""', " data-m")
        named = re.sub(r'(<g (?:class="key" )?data-s=")([^"]+)', counted, named)
        return named if " class=" in named else re.sub(r' style="([^"]*)"', classed, named)

    def short(name: re.Match[str]) -> str:
        return name[1] + ids.setdefault(name[2], f"i{len(ids)}")

    def counted(name: re.Match[str]) -> str:
        return name[1] + series.setdefault(name[2], str(len(series)))

    def classed(style: re.Match[str]) -> str:
        return f' class="{classes.setdefault(style[1], f"z{len(classes)}")}"'

    content = WHOLE_SVG.sub(lighter, content)
    # As specific as what the page's own style sheet says of all that is in a figure.
    return content, "".join(f"svg .{name}{{{style}}}\n" for style, name in classes.items())


def _named(looks: Iterable[Look]) -> list[tuple[str, Look]]:
    return [(f"--s{i}", look) for i, look in enumerate(looks)]


def colours(looks: Iterable[Look]) -> str:
    """A style sheet with the colours that `inline_svg` has named, for light and for dark pages."""
    named = _named(looks)
    light = "".join(f"{name}:{look.colour};" for name, look in named)
    dark = "".join(f"{name}:{look.dark};" for name, look in named)
    only_dark = "@media screen and (prefers-color-scheme:dark)"
    return f":root{{{light}}}\n{only_dark}{{:root{{{dark}}}}}\n"
