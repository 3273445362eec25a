"""Markdown: what a reader sees is what was meant, in every dialect."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from takeoff import wording
from takeoff.paper import markdown as md

HOSTILE = [
    "*bold* _it_ `code` ~~struck~~ ^sup^ ==marked== ++new++",
    "# heading", "- item", "+ item", "12. item", "3) item", "=====", "---", "***", "> quoted",
    "a | b", "$x$ and $$y$$", "{{ macro }} {% tag %} {role}`x` {: .class }", "::: note", "!!! note",
    "??? note", "% comment", "[text](https://x.org) ![alt](x.png) [ref][1] [^1]: note",
    "<script>alert('x')</script> &lt; &amp; &#42;", "https://x.org me@x.org @user #123 :smile:",
    "back\\slash \\* \\\\", ":::{figure}", "(target)=", "    indented", "~~~", "```",
    "Term\n: meaning", "*[HTML]: abbreviation", "[x]: https://x.org", "-- x ---",
    "\u202eturned", "1.", "1)",
]  # fmt: skip


def of_commonmark(text: str) -> str:
    markdown_it = pytest.importorskip("markdown_it")
    parser = markdown_it.MarkdownIt("commonmark").enable(["table", "strikethrough"])
    return str(parser.render(text))


def of_python_markdown(text: str) -> str:
    markdown = pytest.importorskip("markdown")
    found = markdown.markdown(text, extensions=["extra", "toc", "sane_lists", "admonition"])
    return str(found)


RENDERERS = pytest.mark.parametrize("rendered", [of_commonmark, of_python_markdown])


def visible(page: str) -> str:
    """The text of the only paragraph or heading of a page."""
    found = re.fullmatch(r"\s*<(p|h1)(?: id=\"[^\"]*\")?>(.*)</\1>\s*", page, flags=re.DOTALL)
    assert found, page
    assert "<" not in found[2], page
    return html.unescape(found[2])


@RENDERERS
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_shown_in_its_very_characters(rendered, text: str) -> None:  # type: ignore[no-untyped-def]
    """As a paragraph and as a heading: no mark-up, no link, nothing lost."""
    shown = wording.clean(text)
    assert visible(rendered(md.escape(shown))) == shown
    assert visible(rendered(f"# {md.escape(shown)}")) == shown


@RENDERERS
@given(text=st.text(max_size=60).map(wording.clean).filter(lambda text: text.strip()))
@example(text="a_b_c *d* 1. 2)")
def test_any_text_is_shown_in_its_very_characters(rendered, text: str) -> None:  # type: ignore[no-untyped-def]
    """Whatever is in it; white space at its ends may go."""
    shown = visible(rendered(md.escape(text.strip())))
    assert shown.strip() == text.strip()


@RENDERERS
@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_in_its_cell_and_in_its_alternative_text(rendered, text: str) -> None:  # type: ignore[no-untyped-def]
    """A table keeps its cells, and an image its description."""
    shown = wording.clean(text)
    table = rendered(f"| a | b |\n| --- | --- |\n| {md.escape(shown)} | 2 |")
    cells = re.findall(r"<td>(.*?)</td>", table, flags=re.DOTALL)
    assert [html.unescape(cell) for cell in cells] == [shown, "2"]
    image = re.search(r'alt="([^"]*)"', rendered(f"![{md.escape(shown)}](x.svg)"))
    assert image and html.unescape(image[1]) == shown


@RENDERERS
def test_emphasis_and_web_links_stay(rendered) -> None:  # type: ignore[no-untyped-def]
    """The rest of the mark-up becomes its text; links within the page lose their target."""
    page = md.tree(
        'As <em>m</em> grows <a href="#x">[1]</a>, <data title="t">9.1%</data> of'
        ' <strong>all </strong>errors; see <a href="https://x.org/a_b?c=1&amp;d=2">x_y</a>.'
    )
    shown = html.unescape(rendered(md.inline(page)))
    assert "<em>m</em>" in shown and "<strong>all</strong> errors" in shown
    assert "grows [1], 9.1% of" in shown
    assert '<a href="https://x.org/a_b?c=1&d=2">x_y</a>.' in shown


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "https://x.org/)("])
def test_other_addresses_are_no_links(address: str) -> None:
    """Only plain addresses on the web are."""
    assert md.inline(md.tree(f'<a href="{address}">text</a>')) == "text"


def test_a_table_keeps_its_cells() -> None:
    """A row a line; columns of numbers stand on the right."""
    page = md.tree(
        "<table><thead><tr><th><strong>a|b</strong></th><th>n</th></tr></thead>"
        "<tbody><tr><td>x<br>y</td><td>1,000</td></tr></tbody></table>"
    )
    lines = md.table(page).splitlines()
    assert lines == ["| a&#124;b | n |", "| --- | ---: |", "| x y | 1,000 |"]


def test_a_table_with_merged_cells_is_refused() -> None:
    """Markdown has none."""
    page = md.tree("<table><tr><th>a</th><th>b</th></tr><tr><td colspan='2'>c</td></tr></table>")
    with pytest.raises(ValueError, match="merged"):
        md.table(page)


def test_void_tags_need_no_end() -> None:
    """As HTML writes them."""
    page = md.tree('a<br>b<img src="x">c')
    assert isinstance(page, ET.Element) and md.plain(page) == "abc"
