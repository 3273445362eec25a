"""The paper: results in, a PDF, a page, a JSON file and tables out.

The text lives in templates (see `takeoff.paper.prose`), which speak of what `takeoff.paper.views`
shows them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import takeoff
from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.paper import bundle, facts, origins, prose, tools, typeset, views
from takeoff.paper.facts import Facts, Results
from takeoff.paper.looks import looks
from takeoff.paper.published import published
from takeoff.statistics import options as option_tables

if TYPE_CHECKING:
    import pandas as pd

TABLES = (
    *("curves", "fits", "forecast", "held_out"),
    *("last_doublings", "differences", "agreement"),
)
TYPST_FILES = ("style.typ", "references.bib")
SCHEMA = 1  # of report.json; a number up where `takeoff compare` could no longer read it
OF_THE_SHEET = ("title", "digest", "metric", "unit", "n_pool", "n_test", "floor", "generated")
NOWHERE = origins.Where()


def render(
    results: Results,
    figures: Path,
    reports: Path,
    out: Path,
    workflow: Path | None = None,
    where: origins.Where = NOWHERE,
) -> None:
    """Write report.html, report.pdf, report.json, figures/*.svg, tables/*.csv and companions.

    Everything is made in a folder beside `out` first and then moved into place file by file, so a
    failure leaves the old report as it was.

    Args:
        results: What the paper is about.
        figures: Folder with <figure>.svg, for every figure that the text shows.
        reports: Folder of the templates.
        out: Folder of the report.
        workflow: The Snakefile, for the report's metadata; see `bundle.companions`.
        where: What the paper says of where its numbers come from.

    Raises:
        TakeoffError: A fact, figure or template is missing or broken, Typst warns, or a number is
            typed into the prose.
    """
    prose.check_prose(reports)
    _check_citations(results, reports)
    numbers, traced = origins.trace(facts.build(results), results, where)
    seen = views.context(results) | {"origins": traced.view()}
    source = prose.write_typst(reports, numbers, seen)
    svg = _figures_shown(source, figures)
    report = _json(report_record(results, numbers) | {"origins": traced.record()})
    with tempfile.TemporaryDirectory(prefix="takeoff-") as work, _staging(out) as staged:
        _fill(Path(work), source, svg, report, reports)
        body = typeset.to_html(Path(work))
        shown = [numbers[fact_id] for fact_id in body.numbers]
        title, shades = wording.clean(results.study["title"]), looks(_ladder(results)).values()
        files: dict[str, bytes] = {
            "report.html": typeset.page(
                reports,
                body,
                title,
                svg,
                shades,
                traced.page(shown, list(svg)),
                tools.known(results),
            ).encode(),
            "report.pdf": typeset.to_pdf(Path(work)),
            "report.json": report,
            **{f"figures/{name}.svg": bundle.on_white(text) for name, text in svg.items()},
            **{f"tables/{name}.csv": _csv(table) for name, table in _tables(results).items()},
        }
        files |= bundle.companions(results, body.content, files, reports, workflow)
        _publish(files, staged, out)


def report_record(results: Results, numbers: Facts) -> dict[str, Any]:
    """What report.json holds: facts, claims and tables, for programs that compare papers."""
    options = results.options
    return {
        "schema": SCHEMA,
        "study": results.study["study"],
        "title": results.study["title"],
        "version": takeoff.__version__,
        "versions": facts.versions(results.runs),
        "config": published(results.study),
        "code": {part: dict(prints) for part, prints in results.code.items()},
        "data": {name: _data(results, name) for name in results.datasets},
        "facts": numbers.records(),
        "claims": [dict(claim) for claim in results.claims_in_use],
        "options": dict(options.verdicts) if options else None,
        "experiments": {name: dict(found.decided) for name, found in results.experiments.items()},
        "tables": {name: _records(table) for name, table in _tables(results).items()},
    }


def _data(results: Results, name: str) -> dict[str, Any]:
    """What tells one data set from another, and the noise of its test set.

    `test_se` is, by learner, the standard error of one test error at the largest m that comes from
    which examples it was tested on, in its unit (mean of the repeats).
    """
    sheet, runs = results.sheets[name], results.runs
    found = {key: sheet[key] for key in OF_THE_SHEET if key in sheet}
    if "test_se" not in runs:
        return found
    own = runs[runs["dataset"] == name]
    at_max = own[own["m"] == own.groupby("learner")["m"].transform("max")]
    noise = at_max.groupby("learner")["test_se"].mean().dropna()
    return found | {"test_se": {str(learner): float(se) for learner, se in noise.items()}}


def _tables(results: Results) -> dict[str, pd.DataFrame]:
    """What the report publishes as tables, by name."""
    found = {name: getattr(results, name) for name in TABLES}
    if results.options:
        found |= {name: getattr(results.options, name) for name in option_tables.TABLES}
    for experiment, findings in results.experiments.items():
        found |= {f"{experiment}_{name}": table for name, table in findings.tables.items()}
    return found


def _ladder(results: Results) -> list[dict[str, Any]]:
    """The learners as `figures.looks` wants them."""
    rank, ladder = 0, []
    for name in results.learners:
        settings = results.study["learners"][name]
        is_network = settings["kind"] == "mlp" or settings.get("family") == "network"
        rank += is_network
        ladder.append({"name": name, "rank": rank if is_network else 0})
    return ladder


# Files


def _figures_shown(source: str, folder: Path) -> dict[str, str]:
    """The SVG of every figure that the text shows."""
    shown = re.findall(r'#fig\(\s*"(\w+)"', source)
    return {name: _svg(folder / f"{name}.svg") for name in shown}


def _svg(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        problem = f"a figure that the paper shows can't be read: {error.strerror}"
        raise TakeoffError(problem, where=str(path), remedy="run snakemake again") from error
    if "</svg>" not in text:
        raise TakeoffError("this figure is cut off", where=str(path), remedy=f"rm '{path}'")
    return text


def _fill(work: Path, source: str, svg: Mapping[str, str], report: bytes, reports: Path) -> None:
    """The folder that Typst sees: nothing else can be read from it, and no path leaks out."""
    (work / "paper.typ").write_text(source, encoding="utf-8")
    (work / "report.json").write_bytes(report)
    for name in TYPST_FILES:
        shutil.copyfile(reports / name, work / name)
    (work / "figures").mkdir()
    for name, text in svg.items():
        (work / "figures" / f"{name}.svg").write_text(text, encoding="utf-8")


@contextmanager
def _staging(out: Path) -> Iterator[Path]:
    """A folder beside `out`, on the same disk, that is gone afterwards."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
            yield Path(folder)
    except OSError as error:
        raise TakeoffError(
            f"the report can't be written: {error}",
            where=str(out),
            remedy="free some space or mend the permissions, then run the same command again",
        ) from error


def _check_citations(results: Results, reports: Path) -> None:
    """Every data set's `citation` is in the bibliography, or empty."""
    bibliography = (reports / "references.bib").read_text(encoding="utf-8")
    known = set(re.findall(r"@\w+\{\s*([^,\s]+)", bibliography))
    for name in results.datasets:
        key = results.sheets[name]["citation"]
        if key and key not in known:
            raise TakeoffError(
                f"the data set {name} cites '{key}', which is not in the bibliography",
                where="reports/references.bib",
                remedy=f"add an entry with the key {key}",
            )


def _publish(files: Mapping[str, bytes], staged: Path, out: Path) -> None:
    """Write all files, then move them into place; figures and tables of older papers go."""
    for name, content in files.items():
        (staged / name).parent.mkdir(exist_ok=True)
        (staged / name).write_bytes(content)
    for name in files:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / name, out / name)
    for old in [*out.glob("figures/*.svg"), *out.glob("tables/*.csv")]:
        if old.relative_to(out).as_posix() not in files:
            old.unlink()


def _json(value: Any) -> bytes:
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    return wording.encoded(f"{text}\n")


def _csv(frame: pd.DataFrame) -> bytes:
    return str(frame.to_csv(index=False, lineterminator="\n")).encode()


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON-able records; None where there is no number."""
    return list(json.loads(frame.to_json(orient="records", double_precision=15)))
