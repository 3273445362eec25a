"""A page as a reader sees it, and as its elements; nothing here minds how its tags are spelled."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

NOT_READ = {"script", "style", "svg"}
BREAKS = {
    *("p", "div", "figure", "figcaption", "h1", "h2", "h3", "h4", "table", "tr", "td", "th"),
    *("ul", "ol", "li", "dl", "dt", "dd", "pre", "header", "section", "main", "br", "math"),
}


class Page(HTMLParser):
    """A page, or a part of one, taken apart.

    Attributes:
        tags: Name and attributes of each start tag, in order.
        numbers: The texts of its b elements: numbers that lead to their origins.
        styles, scripts: What these elements hold.
    """

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.numbers: list[str] = []
        self.styles: list[str] = []
        self.scripts: list[str] = []
        self._within: list[str] = []
        self._read: list[str] = []
        self.feed(page)
        self.close()

    @classmethod
    def of(cls, file: Path) -> Page:
        return cls(file.read_text(encoding="utf-8"))

    @property
    def text(self) -> str:
        """What a reader reads, as one line."""
        return " ".join("".join(self._read).split())

    def attributes(self, name: str) -> list[str]:
        """The values of an attribute, of all elements that have it."""
        return [found[name] for _, found in self.tags if name in found]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag in NOT_READ:
            self._within.append(tag)
        if tag in ("script", "style"):
            (self.scripts if tag == "script" else self.styles).append("")
        if tag == "b":
            self.numbers.append("")
            self._within.append(tag)
        self._break(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()
        self._break(tag)

    def handle_data(self, data: str) -> None:
        inner = self._within[-1] if self._within else ""
        if inner == "b":
            self.numbers[-1] += data
        elif inner in ("script", "style"):
            (self.scripts if inner == "script" else self.styles)[-1] += data
        if not NOT_READ.intersection(self._within):
            self._read.append(data)

    def _break(self, tag: str) -> None:
        if tag in BREAKS:
            self._read.append(" ")
