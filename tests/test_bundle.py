"""The report as a folder to attach: its names, its pages for sites, its badge, its metadata."""

from __future__ import annotations

import hashlib
import html
import json
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import bundles
import pytest
import synthetic_study

import takeoff
from takeoff.errors import TakeoffError
from takeoff.files import read_json
from takeoff.paper import bundle, crate, markdown

NAMES = {
    *("report.html", "report.pdf", "report.json", "index.md", "mkdocs.md"),
    *("badge.svg", "badge.json", "ro-crate-metadata.json", "MANIFEST.sha256"),
    *("workflow/Snakefile", "workflow/settings.json"),
}
NASTY = "# <b>*Costs* $5</b> | {{ a }} [b](c) `d` _e_ &amp; ::: !!!"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.render(bundles.results(), tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def metadata(report: Path) -> dict[str, Any]:
    found: dict[str, Any] = read_json(report / "ro-crate-metadata.json")
    return found


def entities(metadata: dict[str, Any]) -> dict[str, Any]:
    return {entity["@id"]: entity for entity in metadata["@graph"]}


def references(value: Any) -> list[str]:
    """Every {"@id": ...} that stands for another entity."""
    if isinstance(value, dict):
        found = [value["@id"]] if set(value) == {"@id"} else []
        return [*found, *(name for inner in value.values() for name in references(inner))]
    return (
        [name for inner in value for name in references(inner)] if isinstance(value, list) else []
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


# Files


def test_names_are_stable(report: Path) -> None:
    """Beside figures and tables there are these files and no others."""
    files = {path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file()}
    others = {name for name in files if not name.startswith(("figures/", "tables/"))}
    assert others == NAMES
    assert "figures/learning_curves.svg" in files and "tables/curves.csv" in files


def test_manifest_lists_every_file_with_its_digest(report: Path) -> None:
    """In the form of sha256sum, by name; only the manifest itself is left out."""
    lines = (report / "MANIFEST.sha256").read_text().splitlines()
    listed = dict(reversed(line.split("  ", 1)) for line in lines)
    files = {path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file()}
    assert list(listed) == sorted(files - {"MANIFEST.sha256"})
    for name, digest in listed.items():
        assert hashlib.sha256((report / name).read_bytes()).hexdigest() == digest


def test_figures_have_a_ground_of_their_own(report: Path) -> None:
    """They can be read on a dark page."""
    for path in (report / "figures").glob("*.svg"):
        assert "background: #fff" in ET.parse(path).getroot().get("style", "")


def test_a_missing_snakefile_stops_before_the_report_changes(tmp_path: Path) -> None:
    """The error names the file."""
    with pytest.raises(TakeoffError, match=r"nowhere/Snakefile"):
        bundles.render(bundles.results(), tmp_path, tmp_path / "nowhere/Snakefile")
    assert not (tmp_path / "report").exists()


RENDER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import bundles, synthetic_study
from takeoff.paper import figures, origins, report
from takeoff.study import load_study

folder, some = Path(sys.argv[2]), synthetic_study.results()
for name, figure in synthetic_study.draw(some, load_study(synthetic_study.config()).ladder()):
    figures.save(figure, folder / f"figures/{name}.svg", name)
where = origins.Where(None, origins.Where().configs, *origins.commit())
report.render(
    some, folder / "figures", bundles.REPORTS, folder / "report", bundles.SNAKEFILE, where
)
"""


def rendered_in(folder: Path, **environment: str) -> dict[str, bytes]:
    """The files of a report that a process of its own makes there, from a study drawn anew."""
    folder.mkdir(parents=True)
    subprocess.run(
        [sys.executable, "-c", RENDER, str(Path(__file__).parent), "."],
        cwd=folder, check=True, env=os.environ | environment,
    )  # fmt: skip
    files = sorted(path for path in (folder / "report").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_same_inputs_give_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Another folder, time zone, locale, encoding, user and hash seed change no byte."""
    here = rendered_in(
        tmp_path / "one", TZ="Pacific/Kiritimati", LC_ALL="C.UTF-8", PYTHONHASHSEED="1", USER="ann"
    )
    there = rendered_in(
        tmp_path / "somewhere/else",
        TZ="America/Los_Angeles", LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0",
        LANGUAGE="de", PYTHONHASHSEED="2", USER="bob",
    )  # fmt: skip
    assert list(here) == list(there)
    assert [name for name in here if here[name] != there[name]] == []
    for name, content in here.items():
        assert str(tmp_path).encode() not in content, name


# Pages for sites


def test_pages_say_what_the_paper_says(report: Path) -> None:
    """The abstract, the verdicts and the captions are those of the page, word for word."""
    body = re.search(r"<main[^>]*>(.*)</main>", (report / "report.html").read_text(), re.DOTALL)
    assert body
    page = markdown.tree(body[1])
    abstract = page.find(".//section[@class='abstract']")
    caption = page.find(".//figure[@id='fig-learning-curves']/figcaption")
    assert abstract is not None and caption is not None
    for name in ("index.md", "mkdocs.md"):
        text = one_line(html.unescape((report / name).read_text()).replace("*", ""))
        assert one_line(markdown.plain(abstract)) in text
        assert one_line(markdown.plain(caption)) in text
        assert "Traditional learners flatten | " in text


@pytest.mark.parametrize("name", ["index.md", "mkdocs.md"])
def test_links_and_images_of_pages_lead_to_files_of_the_folder(report: Path, name: str) -> None:
    """None is absolute, none is broken, and every image has an alternative text."""
    text = (report / name).read_text()
    targets = re.findall(r"\]\(([^)<]+)\)", text)
    assert {"report.html", "report.pdf", "report.json", "badge.svg"} <= set(targets)
    for target in targets:
        assert (report / target).is_file(), target
    images = re.findall(r"!\[([^\]]*)\]", text)
    assert len(images) == 5 and all(len(alternative) > 20 for alternative in images)


def test_pages_list_the_works_that_they_cite(report: Path) -> None:
    """A number in square brackets is explained at the end; works cited elsewhere are not."""
    before, after = html.unescape((report / "index.md").read_text()).split("## References")
    assert re.findall(r"\[(\d+)\]", after) == sorted(set(re.findall(r"\[(\d+)\]", before)))


def test_a_study_without_claims_has_pages_too(tmp_path: Path) -> None:
    """They have no verdicts, and the badge speaks of runs."""
    some = synthetic_study.results(synthetic_study.config(claims=[]))
    folder = bundles.render(some, tmp_path, None)
    assert "## Verdicts" not in (folder / "index.md").read_text()
    assert read_json(folder / "badge.json")["message"] == f"{len(some.runs)} runs"


def test_a_broken_template_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that isn't there fails the build."""
    (tmp_path / "summary.md.j2").write_text("<< nothing >>")
    with pytest.raises(TakeoffError, match=r"summary\.md\.j2"):
        bundle.companions(bundles.results(), "<p>x</p>", {}, tmp_path, None)


# The badge


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        (["supported"] * 4, "4 of 4 supported"),
        (["supported", "refuted", "undecided", "refuted"], "1 of 4 supported"),
        (["refuted"] * 4, "0 of 4 supported"),
    ],
)
def test_the_badge_counts_supported_claims(verdicts: list[str], says: str) -> None:
    """Among those that the study asks about; in the schema that shields.io reads."""
    some = bundles.results()
    claims = [
        dict(claim, verdict=verdict)
        for claim, verdict in zip(some.claims["claims"], verdicts, strict=True)
    ]
    said = bundle.badge(replace(some, claims={"claims": claims}))
    assert said.pop("color")
    assert said == {"schemaVersion": 1, "label": "takeoff", "message": says}


def test_the_badges_drawing_says_the_same(report: Path) -> None:
    """To readers and to screen readers; its halves are beside each other."""
    said = read_json(report / "badge.json")
    svg = ET.parse(report / "badge.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    assert [text.text for text in svg.iter(f"{space}text")] == [said["label"], said["message"]]
    assert svg.get("aria-label") == f"{said['label']}: {said['message']}"
    left, right = svg.iter(f"{space}rect")
    assert right.get("x") == left.get("width")
    assert int(svg.get("width", "")) == sum(int(half.get("width", "")) for half in (left, right))


# Metadata


def test_crate_has_what_the_profiles_require(metadata: dict[str, Any]) -> None:
    """Of RO-Crate 1.1 and Workflow Run Crate 0.5: the entities, their types, and how they hang."""
    found = entities(metadata)
    assert len(found) == len(metadata["@graph"])
    descriptor, root = found["ro-crate-metadata.json"], found["./"]
    assert descriptor["about"] == {"@id": "./"}
    assert {"@id": "https://w3id.org/ro/crate/1.1"} in descriptor["conformsTo"]
    assert root["@type"] == "Dataset" and root["name"] and root["description"]
    assert root["license"] and re.fullmatch(r"\d{4}-\d\d-\d\d", root["datePublished"])
    assert {"@id": "https://w3id.org/ro/wfrun/workflow/0.5"} in root["conformsTo"]
    main = found[root["mainEntity"]["@id"]]
    assert main["@type"] == ["File", "SoftwareSourceCode", "ComputationalWorkflow"]
    assert found[main["programmingLanguage"]["@id"]]["@type"] == "ComputerLanguage"
    action = found[root["mentions"]["@id"]]
    assert action["@type"] == "CreateAction" and action["instrument"] == root["mainEntity"]


def test_crate_refers_to_nothing_that_it_does_not_have(
    metadata: dict[str, Any], report: Path
) -> None:
    """Every reference leads to an entity, and every file is there as it is described."""
    found = entities(metadata)
    assert set(references(metadata["@graph"])) - set(found) == {crate.CRATE}
    parts = {part["@id"] for part in found["./"]["hasPart"]}
    files = {path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file()}
    assert parts == files - {"ro-crate-metadata.json"}
    for name in parts - {"MANIFEST.sha256"}:
        content = (report / name).read_bytes()
        assert found[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert found[name]["contentSize"] == str(len(content))


def test_crate_tells_what_went_in_and_what_came_out(metadata: dict[str, Any]) -> None:
    """Data sets with source, licence and digest; settings; versions; the report."""
    found = entities(metadata)
    action = found["#run"]
    used = [found[one["@id"]] for one in action["object"]]
    data = {one["name"]: one for one in used if one["@type"] == "Dataset"}
    assert list(data) == ["Fashion-MNIST", "Spam"]
    assert data["Fashion-MNIST"]["license"] == "MIT"
    assert "Zalando" in data["Fashion-MNIST"]["citation"]
    assert data["Spam"]["identifier"] == f"sha256:{'0' * 64}"
    assert {"@id": "workflow/settings.json"} in action["object"]
    assert {"@id": "report.html"} in action["result"]
    needs = [found[one["@id"]] for one in found[crate.WORKFLOW]["softwareRequirements"]]
    versions = {one["name"]: one["softwareVersion"] for one in needs}
    assert versions == {"takeoff": takeoff.__version__, "numpy": "2.4.6", "torch": "2.13.0"}


def test_crate_of_a_report_without_a_workflow_describes_no_run(tmp_path: Path) -> None:
    """It is a crate all the same."""
    folder = bundles.render(bundles.results(), tmp_path, None)
    found = entities(read_json(folder / "ro-crate-metadata.json"))
    assert "mainEntity" not in found["./"] and "#run" not in found
    assert not (folder / "workflow").exists()


def test_settings_tell_nothing_of_a_table_but_its_sizes(tmp_path: Path) -> None:
    """No column's name, no value of the label, no folder; of other data sets all that they use."""
    some = bundles.results()
    own = {**some.study["datasets"]["spam"], "path": "customers.csv", "label": "secret",
           "columns": {"secret": "text"}, "classes": {"secret": "yes"}}  # fmt: skip
    study = {**some.study, "datasets": {**some.study["datasets"], "spam": own, "unused": own}}
    study["runs"] = {"table": "/home/secret/curves.csv"}
    folder = bundles.render(replace(some, study=study), tmp_path)
    settings = read_json(folder / "workflow/settings.json")
    assert list(settings["datasets"]) == ["fashion_mnist", "spam"]
    public = some.study["datasets"]["fashion_mnist"]
    of_own = {"columns", "image_size"}  # only what is one's own is read by them
    kept = {key: public[key] for key in public.keys() - of_own if public[key] is not None}
    assert settings["datasets"]["fashion_mnist"] == kept
    assert settings["datasets"]["spam"]["pool"] == own["pool"]
    assert settings["runs"] == {"table": "curves.csv"}
    assert settings == read_json(folder / "report.json")["config"]
    for path in folder.rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes(), path


def test_hostile_texts_are_kept_as_they_are(tmp_path: Path) -> None:
    """In the metadata as JSON strings, on the pages in their very characters."""
    folder = bundles.render(bundles.results(title=NASTY), tmp_path)
    assert entities(read_json(folder / "ro-crate-metadata.json"))["./"]["name"] == NASTY
    heading = (folder / "index.md").read_text().splitlines()[0]
    assert heading.startswith("# ") and html.unescape(heading[2:]) == NASTY
    assert not re.search(r"[<>*`_$|{}\[\]]", heading[2:])
    assert json.loads((folder / "workflow/settings.json").read_text())["title"] == NASTY
