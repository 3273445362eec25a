"""Typst's HTML as Markdown, and any text as Markdown that shows exactly this text.

Special characters become numeric character references. Those are text and nothing else in
CommonMark, MyST and Python-Markdown alike, whatever extensions (math, attributes, emoji) a site has
switched on; a backslash is not.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser

from takeoff.wording import BREAKS

ALWAYS = r"[\\`*_{}\[\]<>&$~^|#@]"
IN_COMPANY = r"[=+%!?](?=[=+%!?])|-(?=-)|(?<=-)-|:(?=\S)|(?<=:):"  # marks, fences, emoji, addresses
SPECIAL = re.compile(f"{ALWAYS}|{IN_COMPANY}")
AT_THE_START = re.compile(r"[-+=:%]|(?<=\d)[.)]")  # lists, headings, comments
EMPHASIS = {"em": "*", "i": "*", "strong": "**", "b": "**"}
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
ADDRESS = re.compile(r"https?://[^\s<>(){}\\\"]+")


def escape(text: str) -> str:
    """A string as Markdown, on one line, that shows this string wherever it stands."""
    return _as_block(_as_text(BREAKS.sub(" ", text)))


def _as_text(text: str) -> str:
    return SPECIAL.sub(_reference, text)


def _as_block(line: str) -> str:
    """A line that begins a paragraph, whatever its first characters are."""
    digits = len(line) - len(line.lstrip("0123456789"))
    first = AT_THE_START.match(line, digits)
    return line if first is None else line[:digits] + _reference(first) + line[digits + 1 :]


def _reference(character: re.Match[str]) -> str:
    return f"&#{ord(character[0])};"


def tree(fragment: str) -> ET.Element:
    """A piece of HTML as a tree, below a `div`."""
    reader = _Reader()
    reader.feed(f"<div>{fragment}</div>")
    reader.close()
    return reader.builder.close()


class _Reader(HTMLParser):
    """HTML as Typst writes it: every tag but the void ones is closed."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.builder = ET.TreeBuilder()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        if tag in VOID:
            self.builder.end(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.builder.start(tag, {name: value or "" for name, value in attrs})
        self.builder.end(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.builder.end(tag)

    def handle_data(self, data: str) -> None:
        self.builder.data(data)


def plain(element: ET.Element) -> str:
    """What a reader reads, as one line."""
    return BREAKS.sub(" ", "".join(element.itertext())).strip(" ")


def inline(element: ET.Element) -> str:
    """What an element holds, as one line of Markdown.

    Emphasis and links to the web stay; links within the page, which is another file, become their
    text, as everything else does.
    """
    return _as_block(_content(element))


def _content(element: ET.Element) -> str:
    parts = [_as_text(element.text or "")]
    for child in element:
        parts += [_written(child), _as_text(child.tail or "")]
    return BREAKS.sub(" ", "".join(parts)).strip(" ")


def _written(element: ET.Element) -> str:
    if element.tag == "br":
        return " "
    if element.tag in EMPHASIS:
        mark = EMPHASIS[element.tag]
        return _around(element, lambda inner: f"{mark}{inner}{mark}")
    address = ADDRESS.fullmatch(element.get("href", ""))
    if element.tag == "a" and address:
        target = address[0].replace("&", "&amp;")
        return _around(element, lambda inner: f"[{inner}](<{target}>)")
    return _around(element, lambda inner: inner)


def _around(element: ET.Element, wrapped: Callable[[str], str]) -> str:
    """The content, wrapped; white space at its ends stays outside, where it means nothing."""
    inner, text = _content(element), "".join(element.itertext())
    before, after = (" " if BREAKS.match(end) else "" for end in (text[:1], text[-1:]))
    return f"{before}{wrapped(inner)}{after}" if inner else before or after


def table(element: ET.Element) -> str:
    """An HTML table without merged cells as a Markdown table; numbers stand on the right."""
    rows = [
        [inline(cell) for cell in row if cell.tag in ("td", "th")] for row in element.iter("tr")
    ]
    head = [plain(cell) for row in list(element.iter("tr"))[:1] for cell in row]
    width = len(head)
    if width == 0 or any(len(row) != width for row in rows):
        raise ValueError("a table with merged cells or none at all")
    numeric = [
        bool(rows[1:]) and all(re.fullmatch(r"[\d.,%\u2212]+", row[i]) for row in rows[1:])
        for i in range(width)
    ]
    rule = ["---:" if is_number else "---" for is_number in numeric]
    lines = [[escape(name) for name in head], rule, *rows[1:]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
