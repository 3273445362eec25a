"""What makes a folder of a report: pages for documentation sites, a badge, metadata, a manifest.

Every text is taken from the paper's page or from the facts behind it. The files say neither when
nor where they were made, so equal results give equal bytes.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.experiments import FIGURES
from takeoff.paper import crate, markdown
from takeoff.paper.facts import Results
from takeoff.paper.prose import DELIMITERS
from takeoff.paper.published import published

SITES = {"sphinx": "index.md", "mkdocs": "mkdocs.md"}
MAIN_FIGURES = ("learning_curves", "forecasts", "last_doublings", "differences", "gains")
LABEL = "takeoff"
GROUNDS = ("#3d4550", "#0b4f94")  # of the badge's halves; white text has enough contrast on both
MANIFEST = "MANIFEST.sha256"


def companions(
    results: Results, content: str, files: Mapping[str, bytes], reports: Path, workflow: Path | None
) -> dict[str, bytes]:
    """The files beside the paper, by their paths in the report's folder.

    Args:
        results: What the paper is about.
        content: The body of the paper's page, with a slot for each figure.
        files: The paper and its figures and tables, by their paths.
        reports: Folder of the templates.
        workflow: The Snakefile that the results come from; None if there is none.

    Raises:
        TakeoffError: The template is broken, or the Snakefile can't be read.
    """
    page = markdown.tree(content)
    said = badge(results)
    found: dict[str, bytes] = {
        **{name: _summary(reports, site, results, page, files) for site, name in SITES.items()},
        "badge.json": _json(said),
        "badge.svg": _badge_svg(said["label"], said["message"]).encode(),
    }
    if workflow is not None:
        found[crate.WORKFLOW] = _read(workflow)
        found[crate.SETTINGS] = _json(published(results.study))
    abstract = _abstract(page)
    text = "" if abstract is None else markdown.plain(abstract)
    found[crate.METADATA] = _json(crate.metadata(results, text, {**files, **found}, MANIFEST))
    return found | {MANIFEST: manifest({**files, **found})}


def manifest(files: Mapping[str, bytes]) -> bytes:
    """SHA-256 and path of every file, as `sha256sum -c` reads them."""
    lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in sorted(files))
    return "".join(lines).encode()


def on_white(svg: str) -> bytes:
    """A figure as a file of its own: its ink is dark, so it can't lie bare on a dark page."""
    return svg.replace("<svg ", '<svg style="background: #fff" ', 1).encode()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TakeoffError(f"can't be read: {error.strerror}", where=str(path)) from error


def _json(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    return wording.encoded(f"{text}\n")


# The badge


def badge(results: Results) -> dict[str, Any]:
    """What the badge says, in the form that shields.io reads from an endpoint.

    A refuted claim is a finding as good as a supported one: the colour does not judge.
    """
    verdicts = [claim["verdict"] for claim in results.claims_in_use]
    said = f"{verdicts.count('supported')} of {len(verdicts)} supported"
    message = said if verdicts else f"{len(results.runs)} runs"
    return {"schemaVersion": 1, "label": LABEL, "message": message, "color": GROUNDS[1][1:]}


def _badge_svg(label: str, message: str) -> str:
    """The two halves of the badge beside each other, each as wide as its text."""
    widths = [_width(text) + 12 for text in (label, message)]
    whole, name = sum(widths), html.escape(f"{label}: {message}")
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img"'
        f' aria-label="{name}">\n<title>{name}</title>\n'
    )
    for text, width, at, ground in zip(
        (label, message), widths, (0, widths[0]), GROUNDS, strict=True
    ):
        svg += (
            f'<rect x="{at}" width="{width}" height="20" fill="{ground}"/>\n'
            f'<text x="{at + width / 2:g}" y="14" fill="#fff" font-size="11" text-anchor="middle"'
            f' font-family="Verdana,DejaVu Sans,sans-serif" textLength="{width - 12}">'
            f"{html.escape(text)}</text>\n"
        )
    return f"{svg}</svg>\n"


def _width(text: str) -> int:
    """How many pixels it takes, in a font that comes with matplotlib."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    font = FontProperties(family="DejaVu Sans")
    return round(TextPath((0, 0), text, size=11, prop=font).get_extents().width)


# The pages for documentation sites


def _summary(
    reports: Path, site: str, results: Results, page: ET.Element, files: Mapping[str, bytes]
) -> bytes:
    """The report in short, as the Markdown of one kind of site."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(reports),
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        **DELIMITERS,
    )
    try:
        text = environment.get_template("summary.md.j2").render(
            site=site, **_context(results, page, files)
        )
    except jinja2.TemplateError as error:
        raise TakeoffError(str(error), where="reports/summary.md.j2") from error
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n").encode() + b"\n"


def _shown(value: Any) -> Any:
    return value if isinstance(value, Markup | jinja2.Undefined) else markdown.escape(str(value))


def _context(results: Results, page: ET.Element, files: Mapping[str, bytes]) -> dict[str, Any]:
    figures = list(_figures(results, page))
    abstract, subtitle = _abstract(page), page.find(".//p[@class='subtitle']")
    shown = [abstract, *(figure["element"] for figure in figures)]
    said = badge(results)
    return {
        "title": wording.clean(results.study["title"]),
        "subtitle": _inline(subtitle),
        "abstract": _inline(abstract),
        "badge": f"{said['label']}: {said['message']}",
        "verdicts": _verdicts(page),
        "figures": figures,
        "tables": [Markup(name) for name in sorted(files) if name.startswith("tables/")],
        "references": list(
            _references(page, [element for element in shown if element is not None])
        ),
    }


def _abstract(page: ET.Element) -> ET.Element | None:
    return page.find(".//section[@class='abstract']")


def _inline(element: ET.Element | None) -> Markup:
    return Markup("" if element is None else markdown.inline(element))


def _verdicts(page: ET.Element) -> dict[str, Markup] | None:
    figure = page.find(".//figure[@id='tab-verdicts']")
    table = None if figure is None else figure.find(".//table")
    if figure is None or table is None:
        return None
    caption = figure.find("figcaption")
    return {"table": Markup(markdown.table(table)), "caption": _inline(caption)}


def _figures(results: Results, page: ET.Element) -> Iterator[dict[str, Any]]:
    """The figures that the short report shows, in the paper's order, each with its texts."""
    for figure in page.iter("figure"):
        slot, caption = figure.find(".//div[@data-figure]"), figure.find("figcaption")
        if slot is None or caption is None or slot.get("data-figure") not in _main(results):
            continue
        name = slot.get("data-figure", "")
        yield {
            "name": Markup(name),
            "label": Markup(f"{results.study['study']}-{name}".replace("_", "-")),
            "alt": slot.get("data-alt", ""),
            "caption": _inline(caption),
            "element": caption,
        }


def _main(results: Results) -> set[str]:
    """The paper's main figures: of an experiment, the first one."""
    return {*MAIN_FIGURES, *(FIGURES[name][0] for name in results.experiments if FIGURES[name])}


def _references(page: ET.Element, elements: list[ET.Element]) -> Iterator[Markup]:
    """The entries of the bibliography that these elements cite, in its order."""
    cited = {
        link.get("href", "").removeprefix("#")
        for element in elements
        for link in element.iter("a")
        if link.get("role") == "doc-biblioref"
    }
    for entry in page.iter("li"):
        if entry.get("id") in cited:
            yield _inline(entry)
