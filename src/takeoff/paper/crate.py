"""The report as a Workflow Run RO-Crate: what was run, on what, and what came out.

See https://w3id.org/ro/crate/1.1 and https://w3id.org/ro/wfrun/workflow/0.5. The metadata lack what
would differ between two equal runs: the times of the run, and whoever started it where.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import takeoff
from takeoff import wording
from takeoff.paper import facts
from takeoff.paper.facts import Results

METADATA = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"
SETTINGS = "workflow/settings.json"
CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    "https://w3id.org/ro/terms/workflow-run/context",
]
CRATE = "https://w3id.org/ro/crate/1.1"
WORKFLOW_CRATE = "https://w3id.org/workflowhub/workflow-ro-crate/1.0"
PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": ("Process Run Crate", "0.5"),
    "https://w3id.org/ro/wfrun/workflow/0.5": ("Workflow Run Crate", "0.5"),
    WORKFLOW_CRATE: ("Workflow RO-Crate", "1.0"),
}
NO_DATE = "2026-01-01"  # a crate has to have one; this is the fixed one that the PDF has, too
NAMES = {
    "report.html": "The paper as one page",
    "report.pdf": "The paper as PDF",
    "report.json": "Every number in the paper, with its interval and source",
    "index.md": "The report in short, for Sphinx with MyST",
    "mkdocs.md": "The report in short, for MkDocs",
    "badge.svg": "A badge with the number of supported claims",
    "badge.json": "The same for shields.io",
    SETTINGS: "The study's settings",
    "MANIFEST.sha256": "SHA-256 of all files",
}
FORMATS = {
    ".html": "text/html",
    ".pdf": "application/pdf",
    ".json": "application/json",
    ".md": "text/markdown",
    ".svg": "image/svg+xml",
    ".csv": "text/csv",
}
TRAINED = "Prepares the data sets, trains the learners, and writes the report."
GIVEN = "Reads a table of learning curves, and writes the report."
LICENCE = {
    "@id": "#licence",
    "@type": "CreativeWork",
    "name": "No licence is stated",
    "description": "Whoever made the report says how it may be used; the data sets have their own.",
}
Entity = dict[str, Any]


def metadata(
    results: Results, abstract: str, files: Mapping[str, bytes], manifest: str
) -> dict[str, Any]:
    """What ro-crate-metadata.json holds.

    Args:
        results: What the paper is about.
        abstract: Of the paper, as plain text.
        files: All files of the report but these metadata and the manifest, by their paths. With
            `WORKFLOW` among them the crate describes a run of the workflow.
        manifest: The path of the manifest.
    """
    ran = WORKFLOW in files
    entities = [
        _descriptor(ran),
        _root(results, abstract, [*sorted(files), manifest], ran),
        LICENCE,
        *(_file(name, files[name]) for name in sorted(files) if name != WORKFLOW),
        _file(manifest, None),
        *_datasets(results),
        *(_run(results, files) if ran else ()),
    ]
    return {"@context": CONTEXT, "@graph": entities}


def _descriptor(ran: bool) -> Entity:
    return {
        "@id": METADATA,
        "@type": "CreativeWork",
        "about": _to("./"),
        "conformsTo": [_to(CRATE), *([_to(WORKFLOW_CRATE)] if ran else [])],
    }


def _root(results: Results, abstract: str, names: list[str], ran: bool) -> Entity:
    run = {
        "conformsTo": [_to(profile) for profile in PROFILES],
        "mainEntity": _to(WORKFLOW),
        "mentions": _to("#run"),
    }
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": wording.clean(results.study["title"]),
        "description": abstract,
        "datePublished": NO_DATE,
        "license": _to(LICENCE["@id"]),
        "hasPart": [_to(name) for name in names],
        **(run if ran else {}),
    }


def _file(name: str, content: bytes | None) -> Entity:
    path = PurePosixPath(name)
    found: Entity = {
        "@id": name,
        "@type": "File",
        "name": NAMES.get(name) or f"{path.parent.name.rstrip('s').capitalize()} {path.stem}",
        "encodingFormat": FORMATS.get(path.suffix, "text/plain"),
    }
    if content is None:
        return found
    digest = hashlib.sha256(content).hexdigest()
    return found | {"contentSize": str(len(content)), "sha256": digest}


def _datasets(results: Results) -> Iterator[Entity]:
    """The data sets that the learners were trained and tested on; they are no part of the crate."""
    for name in results.datasets:
        sheet = results.sheets[name]
        stated = {"license": "licence", "citation": "source", "description": "description"}
        texts = {term: wording.clean(str(sheet.get(key) or "")) for term, key in stated.items()}
        yield {
            "@id": _dataset_id(name),
            "@type": "Dataset",
            "name": wording.clean(sheet["title"]),
            **{term: text for term, text in texts.items() if text},
            **({"identifier": f"sha256:{sheet['digest']}"} if sheet.get("digest") else {}),
        }


def _dataset_id(name: str) -> str:
    return f"#data-{name}"


# The run


def _run(results: Results, files: Mapping[str, bytes]) -> Iterator[Entity]:
    """The workflow, what it needs, and the action that made the report."""
    software = [_software("takeoff", takeoff.__version__, "#takeoff")]
    for package, version in sorted(facts.versions(results.runs).items()):
        address = f"https://pypi.org/project/{package}/"
        software.append(_software(package, version, address) | {"url": address})
    for profile, (name, version) in PROFILES.items():
        yield {"@id": profile, "@type": "CreativeWork", "name": name, "version": version}
    yield {
        **_file(WORKFLOW, files[WORKFLOW]),
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": "From labelled data to the paper",
        "version": takeoff.__version__,
        "programmingLanguage": _to("#snakemake"),
        "softwareRequirements": [_to(one["@id"]) for one in software],
    }
    yield {
        "@id": "#snakemake",
        "@type": "ComputerLanguage",
        "name": "Snakemake",
        "identifier": "https://snakemake.github.io",
        "url": "https://snakemake.github.io",
    }
    yield from software
    yield _action(results, files)


def _software(name: str, version: str, address: str) -> Entity:
    return {
        "@id": address,
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }


def _action(results: Results, files: Mapping[str, bytes]) -> Entity:
    made = sorted(name for name in files if name not in (WORKFLOW, SETTINGS))
    return {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"The run of the study {results.study['study']}",
        "description": GIVEN if results.study.get("given") else TRAINED,
        "instrument": _to(WORKFLOW),
        "object": [_to(SETTINGS), *(_to(_dataset_id(name)) for name in results.datasets)],
        "result": [_to(name) for name in made],
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _to(entity: str) -> dict[str, str]:
    return {"@id": entity}
