"""Typst source -> PDF and HTML, and the page around the HTML."""

from __future__ import annotations

import html
import re
from collections import Counter
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
from takeoff.paper.packing import packed

PDF_STANDARDS = ["a-3a", "ua-1"]
NO_DATE = 1767225600  # PDF/A wants a date; a fixed one makes equal papers equal bytes
EXPECTED_WARNING = "html export is under active development"
INTERNAL = "internal error"
START_TAG = re.compile(r"""<[a-zA-Z][^\s<>"/]*(?:\s+[^\s=<>"/]+(?:="[^"]*")?)*\s*/?>""")
ATTRIBUTE = re.compile(r'="([^"]*)"')
NUMBER = re.compile(r'<data value="([^"]+)"([^>]*)>(.*?)</data>', re.DOTALL)
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@dataclass(frozen=True)
class Body:
    """Typst's HTML, taken apart.

    Attributes:
        content: What was between the body tags.
        style: Typst's own style sheet (for formulas).
        contents: Level, id and text of the headings.
        numbers: The facts, by their ids, that the numbers in the content are, in their order. Such
            a number is a b element, which nothing else is.
    """

    content: str
    style: str
    contents: list[tuple[int, str, str]]
    numbers: list[str]


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


def to_html(folder: Path) -> Body:
    """Compile folder/paper.typ to HTML.

    Raises:
        TakeoffError: Typst fails or warns, which it does where the page would lack something.
    """
    page = _compile(folder, "html").decode()
    page = START_TAG.sub(lambda tag: ATTRIBUTE.sub(_escaped, tag[0]), page)
    content, contents = _with_anchors(_between(page, "body"))
    numbers = [html.unescape(number[1]) for number in NUMBER.finditer(content)]
    content = NUMBER.sub(r"<b\2>\3</b>", content)
    return Body(content, _between(page, "style"), contents, numbers)


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
        content=Markup(_brief(content)),
        style=Markup(_brief_css(body.style + _parts(reports, "css") + shared)),
        colours=Markup(colours(looks)),
        script=Markup(_parts(reports, "js")),
        origins=Markup(packed(origins)),
        tools=Markup(packed(tools)) if tools else None,
    )


def _brief(content: str) -> str:
    """HTML without what its parsers add by themselves: ends of elements, quotes, bold heads."""
    content = NEEDLESS.sub("", HEAD.sub(r"<th>\1", content))
    return START_TAG.sub(lambda tag: ATTRIBUTE.sub(_unquoted, tag[0]), content)


def _unquoted(value: re.Match[str]) -> str:
    """A slash right after a value without quotes would be part of it."""
    if not value[1] or not UNQUOTED.fullmatch(value[1]):
        return value[0]
    return f"={value[1]}" + (" " if value.string[value.end() :].startswith("/") else "")


def _brief_css(style: str) -> str:
    return CSS_SPACES.sub(r"\1", CSS_COMMENT.sub("", style)).replace(";}", "}").strip()


def _parts(reports: Path, kind: str) -> str:
    """The page's style sheet or script: page.<kind>, and what page/ adds to it.

    Comments (a line each) and indents stay behind.
    """
    files = [reports / f"page.{kind}", *sorted((reports / "page").glob(f"*.{kind}"))]
    lines = (line.strip() for file in files for line in file.read_text("utf-8").splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


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


WHOLE_SVG = re.compile(r"<svg .*?</svg>", re.DOTALL)
STYLED = re.compile(r' style="([^"]*)"')
MARKER = re.compile(r'<marker id="(?P<id>[^"]*)"(?P<shape>.*?)</marker>')
MARKED = re.compile(r"marker:url\(#([^)]*)\)")
NEEDLESS = re.compile(r"</(?:td|th|tr|tbody|thead|li|dt|dd)>")
HEAD = re.compile(r"<th><strong>(.*?)</strong>(?=</th>)", re.DOTALL)  # they are bold anyway
UNQUOTED = re.compile(r"[\w#.:,+()-]+", re.ASCII)
CSS_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CSS_SPACES = re.compile(r"\s*([{};,])\s*|(?<=[\w-]:)\s+")
SERIES = re.compile(
    r'(?P<tag><g (?:class="key" )?data-s=)"(?P<series>[^"]+)"(?P<rest> style="(?P<style>[^"]*)")?'
)
INNER_TAG = re.compile(r"<(?!svg )[^>]+>")  # that of the whole holds the alternative text


def _shared(content: str) -> tuple[str, str]:
    """Say once what the figures say again and again: the page gets much lighter.

    Styles that come again become classes, ids and series get short names, series keep their
    colours, and equal markers are one.

    Returns:
        The content, and a style sheet that has to come after all others.
    """
    ids: dict[str, str] = {}
    series: dict[str, str] = {}
    colours: dict[str, str] = {}  # of series
    uses: Counter[str] = Counter()  # of styles

    def lighter(whole: re.Match[str]) -> str:
        return INNER_TAG.sub(of_tag, whole[0])

    def of_tag(tag: re.Match[str]) -> str:
        named = re.sub(r'(\bid="|href="#|url\(#)([^")]+)', short, tag[0])
        named = named.replace(' data-m=""', " data-m")
        named = SERIES.sub(counted, named)
        uses.update(styles(named))
        return named

    def short(name: re.Match[str]) -> str:
        return name[1] + ids.setdefault(name[2], f"i{len(ids)}")

    def counted(of: re.Match[str]) -> str:
        number = series.setdefault(of["series"], str(len(series)))
        is_known = of["style"] and colours.setdefault(number, of["style"]) == of["style"]
        return f'{of["tag"]}"{number}"' + ("" if is_known else of["rest"] or "")

    def styles(tag: str) -> list[str]:
        """A marker is a style of its own: many lines that look alike have one each."""
        found = None if " class=" in tag else STYLED.search(tag)
        return [style for style in re.split(";?(?=marker:)", found[1]) if style] if found else []

    def classed(tag: re.Match[str]) -> str:
        own = styles(tag[0])
        names = " ".join(classes[style] for style in own if style in classes)
        rest = ";".join(style for style in own if style not in classes)
        attributes = (f' class="{names}"' if names else "") + (f' style="{rest}"' if rest else "")
        return STYLED.sub(attributes, tag[0]) if own else tag[0]

    content = WHOLE_SVG.sub(lighter, _with_equal_markers(content))
    again = [style for style, n in uses.most_common() if n > 1]
    classes = {style: f"z{i}" for i, style in enumerate(again)}
    content = WHOLE_SVG.sub(lambda whole: INNER_TAG.sub(classed, whole[0]), content)
    rules = [f'[data-s="{number}"]{{{style}}}' for number, style in colours.items()]
    rules += [f".{name}{{{style}}}" for style, name in classes.items()]
    return content, "\n".join([*rules, ""])


def _with_equal_markers(content: str) -> str:
    """The figures, with one marker for all of one shape and style."""
    first: dict[str, str] = {}
    same: dict[str, str] = {}

    def kept(marker: re.Match[str]) -> str:
        same[marker["id"]] = first.setdefault(marker["shape"], marker["id"])
        return marker[0] if same[marker["id"]] == marker["id"] else ""

    content = MARKER.sub(kept, content).replace("<defs></defs>", "")
    return MARKED.sub(lambda use: f"marker:url(#{same.get(use[1], use[1])})", content)


def _named(looks: Iterable[Look]) -> list[tuple[str, Look]]:
    return [(f"--s{i}", look) for i, look in enumerate(looks)]


def colours(looks: Iterable[Look]) -> str:
    """A style sheet with the colours that `inline_svg` has named, for light and for dark pages."""
    named = _named(looks)
    light = ";".join(f"{name}:{look.colour}" for name, look in named)
    dark = ";".join(f"{name}:{look.dark}" for name, look in named)
    only_dark = "@media screen and (prefers-color-scheme:dark)"
    return f":root{{{light}}}\n{only_dark}{{:root{{{dark}}}}}\n"
