"""The paper: results in, a PDF, a page, a JSON file and tables out.

The text lives in templates (see `takeoff.prose`); here are the names that they use. A view shows a
template what it may speak of, and nothing in a view is a number: those are facts.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import takeoff
from takeoff import facts, prose, typeset, wording
from takeoff.errors import TakeoffError
from takeoff.facts import Facts, Results
from takeoff.figures import looks

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("curves", "fits", "last_doublings", "differences", "agreement")
QUESTION = "Would more labelled data help, or a bigger network, and until when?"
DEVICES = {"cpu": "the CPU", "cuda": "a GPU (CUDA)", "mps": "a GPU (Apple)"}
TYPST_FILES = ("style.typ", "references.bib")


@dataclass(frozen=True)
class DatasetView:
    """A data set as templates see it.

    Attributes:
        sizes: Its m, as the ids of facts spell them.
        learners: Those that have a curve on it.
        best, best_when_small: The learners with the lowest mean error at the largest and at the
            smallest m.
    """

    name: str
    title: str
    description: str
    task: str
    source: str
    licence: str
    citation: str
    generated: bool
    bayes_known: bool
    sizes: list[str]
    learners: list[LearnerView]
    best: LearnerView
    best_when_small: LearnerView


@dataclass(frozen=True)
class LearnerView:
    """A learner as templates see it.

    Attributes:
        label: As in tables.
        named: The label as it stands in a sentence.
        key: The name of the hyper-parameter that is tuned.
        is_shallow: Whether it is a network with a single hidden layer.
    """

    name: str
    label: str
    named: str
    kind: str
    is_network: bool
    key: str
    is_shallow: bool


@dataclass(frozen=True)
class PartView:
    """One part of a claim.

    Attributes:
        id: Leads to its facts.
        unit: A word to print after its effect, or "".
        is_steepness: Whether it compares the slopes of two curves.
        capped: Whether it looks at a smaller m than the data set has.
        distance: From the effect to the threshold; orders the parts.
    """

    id: str
    dataset: DatasetView
    subject: LearnerView | None
    versus: LearnerView | None
    verdict: str
    unit: str
    is_steepness: bool
    reason: str | None
    capped: bool
    distance: float


@dataclass(frozen=True)
class ClaimView:
    """A claim with its parts, the clearest first; `measured` if any of them has an estimate."""

    id: str
    verdict: str
    reason: str | None
    measured: bool
    parts: list[PartView]
    supported: list[PartView] = field(default_factory=list)
    refuted: list[PartView] = field(default_factory=list)
    undecided: list[PartView] = field(default_factory=list)


def render(results: Results, figures: Path, reports: Path, out: Path) -> None:
    """Write report.html, report.pdf, report.json, figures/*.svg and tables/*.csv.

    Everything is made in a folder beside `out` first and then moved into place file by file, so a
    failure leaves the old report as it was.

    Args:
        results: What the paper is about.
        figures: Folder with <figure>.svg, for every figure that the text shows.
        reports: Folder of the templates.
        out: Folder of the report.

    Raises:
        TakeoffError: A fact, figure or template is missing or broken, Typst warns, or a number is
            typed into the prose.
    """
    prose.check_prose(reports)
    numbers = facts.build(results)
    source = prose.write_typst(reports, numbers, context(results))
    svg = _figures_shown(source, figures)
    report = _json(report_record(results, numbers))
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="takeoff-") as work, _staging(out) as staged:
        _fill(Path(work), source, svg, report, reports)
        body = typeset.to_html(Path(work))
        title, shades = wording.clean(results.study["title"]), looks(_ladder(results)).values()
        files: dict[str, bytes] = {
            "report.html": typeset.page(reports, body, title, svg, shades).encode(),
            "report.pdf": typeset.to_pdf(Path(work)),
            "report.json": report,
            **{f"figures/{name}.svg": text.encode() for name, text in svg.items()},
            **{f"tables/{name}.csv": _csv(getattr(results, name)) for name in TABLES},
        }
        _publish(files, Path(staged), out)


def report_record(results: Results, numbers: Facts) -> dict[str, Any]:
    """What report.json holds: facts, claims and tables, for programs that compare papers."""
    return {
        "study": results.study["study"],
        "title": results.study["title"],
        "version": takeoff.__version__,
        "facts": numbers.records(),
        "claims": [dict(claim) for claim in results.claims_in_use],
        "tables": {name: _records(getattr(results, name)) for name in TABLES},
    }


# What templates see


def context(results: Results) -> dict[str, Any]:
    """The variables of the templates (the functions are in `takeoff.prose`)."""
    learners = {name: _learner(results, name) for name in results.learners}
    datasets = {name: _dataset(results, name, learners) for name in results.datasets}
    return {
        "study": {
            "name": results.study["study"],
            "title": results.study["title"],
            "question": results.study.get("question") or QUESTION,
        },
        "version": takeoff.__version__,
        "datasets": list(datasets.values()),
        "learners": list(learners.values()),
        "traditional": [learner for learner in learners.values() if not learner.is_network],
        "networks": [learner for learner in learners.values() if learner.is_network],
        "capped": _capped(results, datasets, learners),
        "claims": [_claim(claim, datasets, learners) for claim in results.claims_in_use],
        "devices": [DEVICES.get(name, name) for name in sorted(set(results.runs["device"]))],
        "packages": sorted(facts.versions(results.runs)),
        "statuses": _by_curve(results.fits, "status"),
        "verdicts": _pair_verdicts(results.differences),
    }


def _learner(results: Results, name: str) -> LearnerView:
    settings = results.study["learners"][name]
    label = wording.clean(settings["label"])
    return LearnerView(
        name=name,
        label=label,
        named=wording.with_article(label),
        kind=settings["kind"],
        is_network=settings["kind"] == "mlp",
        key=next(iter(settings["grid"])),
        is_shallow=len(settings.get("hidden", ())) == 1,
    )


def _dataset(results: Results, name: str, learners: Mapping[str, LearnerView]) -> DatasetView:
    sheet = results.sheets[name]
    curves = results.curves[results.curves["dataset"] == name]
    all_m = sorted({int(m) for m in curves["m"]})
    small, large = (curves[curves["m"] == m] for m in (all_m[0], all_m[-1]))
    texts = ("title", "description", "task", "source", "licence")
    present = set(curves["learner"])
    return DatasetView(
        name=name,
        **{key: wording.clean(sheet[key]) for key in texts},
        citation=sheet["citation"],
        generated=sheet["generated"],
        bayes_known=sheet["bayes_error"] is not None,
        sizes=[str(m) for m in all_m],
        learners=[learner for learner in learners.values() if learner.name in present],
        best=learners[_lowest(large)],
        best_when_small=learners[_lowest(small)],
    )


def _capped(
    results: Results, datasets: Mapping[str, DatasetView], learners: Mapping[str, LearnerView]
) -> list[dict[str, Any]]:
    """The learners whose curves end early, with the data sets (`capped_on`) where they do."""
    last = results.runs.groupby(["dataset", "learner"])["m"].max()
    found: dict[str, list[DatasetView]] = {}
    for name in learners:
        for dataset in datasets:
            if (dataset, name) in last.index and last[dataset, name] < last[dataset].max():
                found.setdefault(name, []).append(datasets[dataset])
    return [
        {"name": name, "named": learners[name].named, "capped_on": where}
        for name, where in found.items()
    ]


def _lowest(rows: pd.DataFrame) -> str:
    return str(rows.loc[rows["test_error"].idxmin(), "learner"])


def _claim(
    claim: Mapping[str, Any],
    datasets: Mapping[str, DatasetView],
    learners: Mapping[str, LearnerView],
) -> ClaimView:
    parts = [_part(claim["claim"], part, datasets, learners) for part in claim["parts"]]
    parts.sort(key=lambda part: -part.distance)
    return ClaimView(
        id=claim["claim"],
        verdict=claim["verdict"],
        reason=claim.get("reason"),
        measured=any(part["effect"] is not None for part in claim["parts"]),
        parts=parts,
        **{word: [part for part in parts if part.verdict == word] for word in facts.VERDICTS},
    )


def _part(
    claim: str,
    part: Mapping[str, Any],
    datasets: Mapping[str, DatasetView],
    learners: Mapping[str, LearnerView],
) -> PartView:
    dataset = datasets[part["dataset"]]
    effect = part["effect"]
    return PartView(
        id=facts.part_id(claim, part),
        dataset=dataset,
        subject=learners.get(part["subject"]),
        versus=learners.get(part["versus"] or ""),
        verdict=part["verdict"],
        unit="points" if part["unit"] == "test error" else "",
        is_steepness=facts.is_steepness(part),
        reason=part.get("reason"),
        capped=part["m"] is not None and part["m"] < int(dataset.sizes[-1]),
        distance=-math.inf if effect is None else abs(effect - part["threshold"]),
    )


def _by_curve(frame: pd.DataFrame, column: str) -> dict[str, Any]:
    return {f"{row['dataset']}.{row['learner']}": row[column] for _, row in frame.iterrows()}


def _pair_verdicts(differences: pd.DataFrame) -> dict[str, str]:
    return {
        f"{row['dataset']}.{row['better']}.less_than.{row['worse']}": row["verdict"]
        for _, row in differences.iterrows()
    }


def _ladder(results: Results) -> list[dict[str, Any]]:
    """The learners as `figures.looks` wants them."""
    rank, ladder = 0, []
    for name in results.learners:
        is_network = results.study["learners"][name]["kind"] == "mlp"
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


def _fill(
    work: Path, source: str, svg: Mapping[str, str], report: bytes, reports: Path
) -> None:
    """The folder that Typst sees: nothing else can be read from it, and no path leaks out."""
    (work / "paper.typ").write_text(source, encoding="utf-8")
    (work / "report.json").write_bytes(report)
    for name in TYPST_FILES:
        shutil.copyfile(reports / name, work / name)
    (work / "figures").mkdir()
    for name, text in svg.items():
        (work / "figures" / f"{name}.svg").write_text(text, encoding="utf-8")


def _staging(out: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent)


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
    return f"{text}\n".encode()


def _csv(frame: pd.DataFrame) -> bytes:
    return str(frame.to_csv(index=False, lineterminator="\n")).encode()


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON-able records; None where there is no number."""
    return list(json.loads(frame.to_json(orient="records", double_precision=15)))
