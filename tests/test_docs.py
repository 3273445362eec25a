"""The project's site, and sites that a report is dropped into, are built without a warning."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import bundles
import pytest
import synthetic_study

pytestmark = pytest.mark.docs

ROOT = Path(__file__).parents[1]
needs_sphinx = pytest.mark.skipif(
    not (find_spec("sphinx") and find_spec("myst_parser")),
    reason="sphinx and myst-parser are not installed",
)
needs_mkdocs = pytest.mark.skipif(not find_spec("mkdocs"), reason="mkdocs is not installed")
NASTY = [
    "# <b>*Costs* $5</b> | {{ a }} [b](c) `d` _e_ &amp; ::: !!! \\",
    "{ref}`x` ](y) ![z](w) <!-- no comment --> </figure> https://x.org",
]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bundles.render(bundles.results(), tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose title, labels and data sets are full of mark-up."""
    raw = synthetic_study.config() | {"title": NASTY[0], "study": "hostile"}
    for name in raw["learners"]:
        raw["learners"][name]["label"] = f"{NASTY[1]} {name}"
    sheets = {
        name: sheet | {"title": f"{NASTY[0]} {name}"}
        for name, sheet in synthetic_study.SHEETS.items()
    }
    return bundles.render(
        synthetic_study.results(raw, sheets=sheets), tmp_path_factory.mktemp("hostile")
    )


def build(*command: str, cwd: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def sphinx(source: Path, out: Path) -> Path:
    build("sphinx", "-W", "--keep-going", "-q", "-b", "html", str(source), str(out), cwd=source)
    return out


def project(folder: Path) -> Path:
    """What the project's site is made from, in a copy."""
    for name in ("docs", "workflow"):
        unwanted = shutil.ignore_patterns("__pycache__", "made", "report")
        shutil.copytree(ROOT / name, folder / name, ignore=unwanted)
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def text_of(page: Path) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page.read_text())).split())


@needs_sphinx
def test_the_projects_site_shows_the_lectures_report(report: Path, tmp_path: Path) -> None:
    """With its figures, and with the paper to be downloaded."""
    folder = project(tmp_path / "project")
    shutil.copytree(report, folder / "results/lecture/report")
    site = sphinx(folder / "docs", tmp_path / "site")
    page = (site / "report/index.html").read_text()
    assert page.count("<figure") == 4 and page.count("<figcaption") == 4
    assert [path.name for path in site.glob("_downloads/*/report.pdf")] == ["report.pdf"]
    assert "takeoff store verify" in text_of(site / "made/commands.html")
    assert "agreement_margin" in text_of(site / "made/settings.html")


@needs_sphinx
def test_the_projects_site_says_how_to_make_a_report_that_is_not_there(tmp_path: Path) -> None:
    """And is built without a warning all the same."""
    site = sphinx(project(tmp_path / "project") / "docs", tmp_path / "site")
    assert "make report" in text_of(site / "report/index.html")


@needs_sphinx
def test_reports_can_be_dropped_into_a_plain_sphinx_site(
    report: Path, hostile: Path, tmp_path: Path
) -> None:
    """Several of them, whatever their texts hold; every figure keeps its alternative text."""
    source = tmp_path / "source"
    for name, folder in {"calm": report, "hostile": hostile}.items():
        shutil.copytree(folder, source / name)
    (source / "conf.py").write_text('extensions = ["myst_parser"]\n')
    (source / "index.md").write_text("# Site\n\n```{toctree}\ncalm/index\nhostile/index\n```\n")
    site = sphinx(source, tmp_path / "site")
    page = (site / "hostile/index.html").read_text()
    assert NASTY[0] in text_of(site / "hostile/index.html").replace("¶", "")
    alternatives = re.findall(r'<img alt="([^"]*)"', page)
    assert len(alternatives) == 5 and NASTY[1] in html.unescape(alternatives[1])
    assert "<b>*Costs" not in page and "<!-- no comment" not in page


@needs_mkdocs
@pytest.mark.parametrize("which", ["report", "hostile"])
def test_the_example_of_a_mkdocs_site_is_built(
    which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """As docs/mkdocs has it, with a report copied into it."""
    source = tmp_path / "source"
    shutil.copytree(ROOT / "docs/mkdocs", source, ignore=shutil.ignore_patterns("report"))
    shutil.copytree(request.getfixturevalue(which), source / "docs/report")
    build("mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site"), cwd=source)
    page = tmp_path / "site/report/mkdocs/index.html"
    shown = text_of(page)
    assert "Abstract" in shown and "Verdicts" in shown
    assert page.read_text().count('src="../figures/') == 4
    assert (tmp_path / "site/report/report.html").is_file()
    assert not (tmp_path / "site/report/index.html").exists()
    if which == "hostile":
        assert NASTY[0] in shown and "<b>*Costs" not in page.read_text()
