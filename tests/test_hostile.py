"""Hostile names reach the reader as they are, through everything that the paper is made of.

A part of the strings is tried each time; TAKEOFF_THOROUGH=1 tries two thousand, and as many in
whole papers.
"""

from __future__ import annotations

import base64
import gzip
import html
import json
import os
import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import bundles
import hostile
import matplotlib
import pytest
import synthetic_study
from matplotlib.figure import Figure
from pages import Page

from takeoff import wording
from takeoff.paper import figures, packing, prose, typeset
from takeoff.paper import report as paper
from takeoff.paper.facts import Results
from takeoff.paper.looks import STYLE as STYLED
from takeoff.paper.looks import looks

THOROUGH = os.environ.get("TAKEOFF_THOROUGH") == "1"
STRINGS = hostile.strings(2000)
TRIED = STRINGS if THOROUGH else STRINGS[:400]
BATCH = 100
BATCHES = range(0, len(TRIED), BATCH)
IN_ONE_PAPER = 22
PAPERS = range(-(-len(STRINGS) // IN_ONE_PAPER) if THOROUGH else 2)
# Typst keeps spaces in a row, and marks them.
SPACES = re.compile(r'<span style="white-space: pre-wrap">(.*?)</span>', re.DOTALL)
STYLE = (bundles.REPORTS / "style.typ").read_text()


def one_line(text: str) -> str:
    return " ".join(text.split())


def read(text: str) -> str:
    """What readers are to see of a string, as one line."""
    return one_line(wording.clean(text))


class Skeleton(HTMLParser):
    """Counts the tags of a page with the names of their attributes, and keeps texts and values."""

    def __init__(self, page: str):
        super().__init__()
        self.tags: Counter[tuple[str, tuple[str, ...]]] = Counter()
        self.texts: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if (tag, attributes) == ("span", [("style", "white-space: pre-wrap")]):
            return
        self.tags[tag, tuple(sorted(name for name, _ in attributes))] += 1
        self.texts += [value for name, value in attributes if value and name not in ("href", "id")]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


# One layer at a time


@pytest.mark.parametrize("start", BATCHES)
def test_typst_shows_every_string(start: int, tmp_path: Path) -> None:
    """In paragraphs, headings, cells, numbers, titles, alternative texts; the PDF is made too."""
    batch = TRIED[start : start + BATCH]
    body = [
        f"== x{prose.shown(text)}\n\ny{prose.shown(text)}z\n\n"
        f'#num({prose.quoted(text)}, "id", interval: {prose.quoted(text)})\n\n'
        f'#table([{prose.shown(text)}])\n\n#fig("f{i}", alt: {prose.quoted(text)}, [c])\n'
        for i, text in enumerate(batch)
    ]
    for name, content in (("style.typ", STYLE), ("report.json", "{}")):
        (tmp_path / name).write_text(content)
    (tmp_path / "figures").mkdir()
    for i in range(len(batch)):
        (tmp_path / f"figures/f{i}.svg").write_text(bundles.BLANK)
    head = '#import "style.typ": *\n#set document(title: "t")\n= A\n'
    (tmp_path / "paper.typ").write_text(head + "\n".join(body), encoding="utf-8")
    page = typeset.to_html(tmp_path)
    content = SPACES.sub(r"\1", page.content)
    headings = [one_line(heading) for _, _, heading in page.contents[1:]]
    assert headings == [one_line(f"x{wording.clean(text)}") for text in batch]
    tags = {tag for tag, _ in Skeleton(content).tags}
    assert tags <= {"h2", "h3", "p", "b", "table", "tbody", "tr", "td", "figure", "div",
                    "figcaption"}  # fmt: skip
    slots = typeset.SLOT.findall(content)
    assert [one_line(html.unescape(alt)) for _, alt in slots] == [read(text) for text in batch]
    numbers = re.findall(r'<b title="interval ([^"]*)">(.*?)</b>', content, re.S)
    shown = [(one_line(html.unescape(a)), one_line(html.unescape(b))) for a, b in numbers]
    assert shown == [(read(text), read(text)) for text in batch]
    for tag, before, after in (("p", "y", "z"), ("td", "", "")):
        found = re.findall(rf"<{tag}>{before}(.*?){after}</{tag}>", content, re.DOTALL)
        texts = [one_line(html.unescape(text)) for text in found]
        assert set(texts) >= {read(text) for text in batch}
    if THOROUGH or start == 0:
        assert typeset.to_pdf(tmp_path).startswith(b"%PDF")


@pytest.mark.parametrize("start", BATCHES)
def test_figures_show_every_string(start: int, tmp_path: Path) -> None:
    """As text in SVG that is well-formed, alone and within the page, and runs nothing."""
    batch = TRIED[start : start + BATCH]
    with matplotlib.rc_context(STYLED):
        figure = Figure(figsize=(4, 40))
        for i, text in enumerate(batch):
            figure.text(0.1, i / BATCH, wording.clean(text), gid=f"s{i}")
    figures.save(figure, tmp_path / "f.svg", "f")
    alone = (tmp_path / "f.svg").read_text(encoding="utf-8")
    shades = looks([{"name": "a", "rank": 0}, {"name": "b", "rank": 1}]).values()
    alt = html.escape(wording.clean(batch[0]))
    inline, _ = typeset._shared(typeset.inline_svg("f", alone, alt, shades))
    for svg in (alone, inline):
        tree = ET.fromstring(svg[svg.index("<svg") : svg.rindex("</svg>") + 6])
        texts = [one_line("".join(e.itertext())) for e in tree.iter() if e.tag.endswith("text")]
        assert sorted(texts) == sorted(read(text) for text in batch)
        tags = {element.tag.rpartition("}")[2] for element in tree.iter()}
        assert tags <= {"svg", "g", "path", "text", "tspan", "defs", "style", "metadata", "RDF",
                        "Work", "type", "rect", "clipPath", "use"}  # fmt: skip
        names = {name.rpartition("}")[2] for element in tree.iter() for name in element.attrib}
        assert not [name for name in names if name.startswith("on")]


def test_json_and_the_page_s_data_hold_every_string() -> None:
    """What is read is what was written, and no string ends the script that holds it."""
    assert json.loads(paper._json([wording.clean(text) for text in STRINGS])) == [
        wording.clean(text) for text in STRINGS
    ]
    data = packing.packed({"strings": [wording.clean(text) for text in STRINGS]})
    assert "<" not in data
    assert json.loads(gzip.decompress(base64.b64decode(data)))["strings"] == [
        wording.clean(text) for text in STRINGS
    ]


# Whole papers


def named(strings: Iterator[str]) -> Results:
    """The study of four measures, with all that a user can name named anew."""
    some = mixed()
    learners = {
        name: {**settings, "label": next(strings)} if name in some.learners else settings
        for name, settings in some.study["learners"].items()
    }
    study = {**some.study, "learners": learners, "title": next(strings), "question": next(strings)}
    sheets: dict[str, dict[str, Any]] = {name: dict(sheet) for name, sheet in some.sheets.items()}
    for sheet in sheets.values():
        sheet |= {key: next(strings) for key in ("title", "task", "description")}
    sheets["car_position"] |= {"unit": next(strings), "source": next(strings)}
    sheets["fashion_mnist"] |= {"licence": next(strings), "left_out": {next(strings): 12}}
    return replace(some, study=study, sheets=sheets)


MIXED: list[Results] = []


def mixed() -> Results:
    if not MIXED:
        MIXED.append(synthetic_study.mixed())
    return MIXED[0]


@pytest.fixture(scope="module")
def plain_tags(tmp_path_factory: pytest.TempPathFactory) -> Counter[tuple[str, tuple[str, ...]]]:
    """The tags of the paper whose names are harmless."""
    words = (f"Word {'abcdefghijklmnopqrstuvwxyz'[i]}" for i in range(26))
    report = bundles.render(named(words), tmp_path_factory.mktemp("plain"))
    return Skeleton((report / "report.html").read_text()).tags


@pytest.mark.parametrize("paper_number", PAPERS)
def test_whole_papers_show_every_string(
    paper_number: int, plain_tags: Counter[tuple[str, tuple[str, ...]]], tmp_path: Path
) -> None:
    """All that a user can name, at once: the page has the tags that it has with harmless names."""
    first = paper_number * IN_ONE_PAPER
    used: list[str] = []

    def strings() -> Iterator[str]:
        for text in islice(cycle(STRINGS), first, None):
            used.append(text)
            yield text

    report = bundles.render(named(strings()), tmp_path)
    page = Skeleton((report / "report.html").read_text(encoding="utf-8"))
    assert page.tags == plain_tags
    whole = one_line(" ".join(page.texts)).lower()  # some begin a sentence
    missing = [text for text in used if read(text).lower() not in whole]
    assert missing == []
    json.loads((report / "report.json").read_text(encoding="utf-8"))
    json.loads((report / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    ET.fromstring((report / "badge.svg").read_text(encoding="utf-8"))
    for table in (report / "tables").glob("*.csv"):
        cells = re.split("[,\n]", table.read_text(encoding="utf-8"))
        assert not [cell for cell in cells if re.match(r"[=@\t+]|-\D", cell)], table.name
    for name in ("index.md", "mkdocs.md"):
        without_code = re.sub(r"`[^`]*`", "", (report / name).read_text(encoding="utf-8"))
        assert not re.search(r"<(?!https?://[^\s>]*>)[a-z!/?]", without_code), name


@pytest.mark.parametrize("paper_number", [number for number in PAPERS if number % 10 == 0])
def test_papers_show_every_string_in_their_figures(paper_number: int, tmp_path: Path) -> None:
    """Labels of axes, rows and legends, in figures that are part of the page."""
    some = named(islice(cycle(STRINGS), paper_number * IN_ONE_PAPER, None))
    rows = [{"name": name, "rank": i, "label": some.study["learners"][name]["label"]}
            for i, name in enumerate(some.learners)]  # fmt: skip
    for name, figure in synthetic_study.draw(some, rows):
        figures.save(figure, tmp_path / f"figures/{name}.svg", name)
    paper.render(some, tmp_path / "figures", bundles.REPORTS, tmp_path / "report")
    page = (tmp_path / "report/report.html").read_text(encoding="utf-8")
    texts = one_line(" ".join(Skeleton(" ".join(re.findall("<text.*?</text>", page, re.S))).texts))
    for row in rows:
        assert read(row["label"]) in texts
    assert not {tag for tag, _ in Skeleton(page).tags} & {"img", "iframe", "object", "embed"}
    found = Page(page)
    links = [link[1:] for link in found.attributes("href") if link.startswith("#")]
    used = re.findall(r"url\(#([^)]+)\)", " ".join(found.attributes("clip-path")))
    assert links and {*links, *used} <= set(found.attributes("id"))
