"""Reports of made-up studies, with small stand-ins for the figures."""

from __future__ import annotations

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import synthetic_study

from takeoff.paper import report as paper
from takeoff.paper.facts import Results

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"
SNAKEFILE = ROOT / "workflow" / "Snakefile"
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
FIGURES = (
    *("learning_curves", "above_floor", "forecasts", "held_out"),
    *("last_doublings", "differences", "agreement", "cost"),
)


def results(**changes: Any) -> Results:
    """The synthetic study, with keys of its config replaced."""
    return synthetic_study.results(synthetic_study.config() | changes)


def render(some: Results, folder: Path, workflow: Path | None = SNAKEFILE) -> Path:
    """Write the report to folder/report."""
    for name in FIGURES:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        (folder / "figures" / f"{name}.svg").write_text(BLANK)
    paper.render(some, folder / "figures", REPORTS, folder / "report", workflow)
    return folder / "report"


def told(report: Path) -> dict[str, Any]:
    """What the page of a report knows of origins, with all that was left out to save room.

    `facts` has one id, selection and origin for each number on the page.
    """
    page = (report / "report.html").read_text()
    found = re.search(r'<script[^>]*\bid="?origins"?[^>]*>(.*?)</script>', page)
    assert found
    known: dict[str, Any] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    names = whole_names(known["ids"])
    texts = [filled(text, name) for text, name in zip(known["selects"], names, strict=True)]
    origins = walked(known["from"], list(range(len(known["origins"]))))
    facts = list(zip(names, texts, origins, strict=True))
    return known | {"facts": walked(known["numbers"], facts)}


def walked(steps: list[int], things: list[Any]) -> list[Any]:
    """The inverse of `packing.steps`."""
    seen, found = 0, []
    for step in steps:
        found.append(things[seen - step])
        seen += step == 0
    return found


def whole_names(names: list[str]) -> list[str]:
    """The inverse of `packing.unlike_before`."""
    before: list[str] = []
    found = []
    for name in names:
        before = [part or before[i] for i, part in enumerate(name.split("."))]
        found.append(".".join(before))
    return found


def filled(text: str, name: str) -> str:
    """The inverse of `packing.by_parts`."""
    if text.startswith("="):
        return text[1:]
    parts = name.split(".")
    return re.sub(r"\{\{(\d+)\}\}", lambda number: parts[int(number[1])], text)
