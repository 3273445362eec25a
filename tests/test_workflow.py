"""The smoke study end to end: what it makes, what it makes again, and how it fails."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import look, needs_browser

from takeoff import experiments
from takeoff.files import read_json

pytestmark = pytest.mark.study

ROOT = Path(__file__).parents[1]
REPORT = Path("results/smoke/report")
RULES = ("prepare_dataset", "train_baseline", "train_network", "fit_curves", "check_claims",
         "weigh_options", "plot_figures", "render_report")  # fmt: skip
DRAWN = 10 + sum(map(len, experiments.FIGURES.values()))  # figures


def snakemake(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the smoke study in a copy of the project, with the copy's package."""
    return subprocess.run(
        ["snakemake", "--cores", "2", "--configfile", "config/smoke.yaml", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder / "src")} | environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def would_run(folder: Path, rules: Collection[str] = RULES) -> dict[str, int]:
    """How many jobs of each of these rules a run would do now."""
    done = snakemake(folder, "--dry-run", "--quiet", "rules")
    assert done.returncode == 0, done.stdout
    jobs = re.findall(r"^(\w+)\s+(\d+)$", done.stdout, flags=re.MULTILINE)
    return {rule: int(count) for rule, count in jobs if rule in rules}


@contextmanager
def edited(path: Path, old: str, new: str) -> Iterator[None]:
    """The file with `old` replaced, and as it was afterwards."""
    before = path.read_text()
    assert old in before, f"{path} no longer holds {old!r}"
    try:
        path.write_text(before.replace(old, new, 1))
        yield
    finally:
        path.write_text(before)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished smoke study in a copy of the project."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", "reports", "src", "workflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    assert "The paper: results/smoke/report/report.html" in done.stdout
    return folder


def test_the_report_is_whole(study: Path) -> None:
    """Page, PDF, facts, figures and tables are there, and the page shows every figure."""
    report = study / REPORT
    facts = read_json(report / "report.json")
    assert len(facts["facts"]) > 100
    assert all(fact["source"]["file"] for fact in facts["facts"])
    figures = sorted(path.stem for path in (report / "figures").glob("*.svg"))
    page = (report / "report.html").read_text()
    assert len(figures) == DRAWN
    assert page.count("<svg") == len(figures)
    assert (report / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert list((report / "tables").glob("*.csv"))
    manifest = (report / "MANIFEST.sha256").read_text()
    for name in ("index.md", "mkdocs.md", "badge.svg", "ro-crate-metadata.json"):
        assert (report / name).is_file() and f"  {name}\n" in manifest
    snakefile = (report / "workflow/Snakefile").read_bytes()
    assert snakefile == (study / "workflow/Snakefile").read_bytes()


def test_snakemakes_own_report_is_made_without_a_network(study: Path) -> None:
    """It holds the figures, the tables and the paper, loads nothing, and names no folder."""
    nowhere = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    done = snakemake(study, "--report", "own.html", **nowhere)
    assert done.returncode == 0, done.stdout
    page = (study / "own.html").read_text()
    for name in ("report/report.html", "figures/learning_curves.svg", "fits/forecast.csv"):
        assert f'"results/smoke/{name}": {{' in page
    assert "A figure of the paper." in page and "What was found, as a page" in page
    assert not re.search(r"<(?:script|link|img)[^>]*(?:src|href)=\"https?:", page)
    assert str(study) not in page


@needs_browser
@pytest.mark.parametrize("width", [360, 390, 1250, 1600])
def test_the_page_opens_cleanly_at_any_width(study: Path, width: int) -> None:
    """No sideways scrolling, no error in the console, every figure drawn."""
    needed, figures, console = look(study / REPORT / "report.html", width)
    assert needed <= width
    assert figures == DRAWN
    assert console == ""


def test_a_second_run_has_nothing_to_do(study: Path) -> None:
    """And says so."""
    done = snakemake(study)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_a_comment_in_the_training_code_reruns_nothing(study: Path) -> None:
    """Nor does a docstring."""
    with edited(study / "src/takeoff/training.py", ">> 1\n", ">> 1  # a comment\n"):
        assert would_run(study) == {}


def test_a_line_of_network_code_retrains_networks_only(study: Path) -> None:
    """Sixteen network curves, and what follows from them; the engine is part of what they are."""
    code = study / "src/takeoff/networks/replicates.py"
    with edited(code, "EPSILON = 1e-8", "EPSILON = 1e-7"):
        expected = {"train_network": 16, "fit_curves": 1, "check_claims": 1, "weigh_options": 1,
                    "plot_figures": 1,
                    "render_report": 1}  # fmt: skip
        assert would_run(study) == expected
    assert would_run(study) == {}, "taken back, nothing is stale"


def test_a_line_of_a_command_runs_that_command_again(study: Path) -> None:
    """Not the others in its file, except for the paper, which shows what it drew."""
    code = study / "src/takeoff/commands/rules.py"
    with edited(code, 'margin = claims["margin"]', 'margin = 2 * claims["margin"]'):
        assert would_run(study) == {"plot_figures": 1, "render_report": 1}


def test_a_line_of_shared_training_code_retrains_every_curve(study: Path) -> None:
    """What all learners share reaches all thirty-four curves; the data sets stay."""
    with edited(study / "src/takeoff/training.py", ">> 1\n", ">> 2\n"):
        jobs = would_run(study)
    assert jobs["train_network"] + jobs["train_baseline"] == 34
    assert "prepare_dataset" not in jobs


def test_a_line_of_an_experiments_statistics_trains_nothing(study: Path) -> None:
    """It is analysed and drawn anew; a line of its training measures it, and no curve."""
    of_it = ("measure_activations", "analyse_activations", "plot_activations")
    rules = (*of_it, "train_network", "render_report")
    package = study / "src/takeoff/experiments"
    with edited(package / "activations.py", "GRID = 180", "GRID = 18"):
        assert would_run(study, rules) == dict.fromkeys((*of_it[1:], "render_report"), 1)
    with edited(package / "activation_networks.py", "1.128904", "1.13"):
        assert would_run(study, rules) == dict.fromkeys((*of_it, "render_report"), 1)


def test_a_learners_setting_retrains_its_curves(study: Path) -> None:
    """One learner on four data sets and on hand-made features of three, and what follows."""
    with edited(study / "config/smoke.yaml", "C: [1, 10]", "C: [1, 20]"):
        jobs = would_run(study)
    assert jobs == {"train_baseline": 7, "fit_curves": 1, "check_claims": 1, "weigh_options": 1,
                    "plot_figures": 1,
                    "render_report": 1}  # fmt: skip


def test_a_reworded_sentence_renders_the_paper_only(study: Path) -> None:
    """Without training, in seconds; the new words are in the page."""
    text = study / "reports/sections/limitations.typ.j2"
    words = text.read_text()
    assert "= Limitations" in words
    with edited(text, "= Limitations", "= Shortcomings"):
        assert would_run(study) == {"render_report": 1}
        started = time.monotonic()
        assert snakemake(study).returncode == 0
        assert time.monotonic() - started < 60, "far more than a render needs: something trained"
        assert "Shortcomings" in (study / REPORT / "report.html").read_text()
    assert snakemake(study).returncode == 0


def test_equal_results_give_equal_bytes(study: Path) -> None:
    """Rendered again from the same results, the report is the same to the last byte."""
    before = {path: path.read_bytes() for path in (study / REPORT).rglob("*") if path.is_file()}
    assert len(before) > 20
    assert snakemake(study, "--forcerun", "plot_figures").returncode == 0
    assert {path: path.read_bytes() for path in before} == before


def test_a_table_cut_in_half_stops_before_the_paper(study: Path) -> None:
    """Names the file and the remedy; the old paper is not replaced by one with a hole."""
    table = study / "results/smoke/runs/spam/svm_rbf.csv"
    whole = table.read_text()
    page = (study / REPORT / "report.html").read_text()
    table.write_text(whole[: len(whole) // 2])
    done = snakemake(study)
    assert done.returncode != 0
    assert "runs/spam/svm_rbf.csv" in done.stdout and "run snakemake again" in done.stdout
    assert (study / REPORT / "report.html").read_text() == page
    table.unlink()
    again = snakemake(study)
    assert again.returncode == 0, again.stdout
    assert " 0 cells trained" in again.stdout, "the finished cells were kept"
    assert table.read_text() == whole


def test_a_killed_run_is_simply_run_again(study: Path) -> None:
    """kill -9 of Snakemake itself: no lock to break, no half file, the same table in the end."""
    table = study / "results/smoke/runs/spam/mlp_small.csv"
    whole = table.read_text()
    table.unlink()
    shutil.rmtree(study / "results/cells")
    run = subprocess.Popen(
        ["snakemake", "--cores", "2", "--configfile", "config/smoke.yaml"],
        cwd=study, env=os.environ | {"PYTHONPATH": str(study / "src")}, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list((study / "results/cells").rglob("*.json")):
        assert run.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not table.exists()
    finished = len(list((study / "results/cells").rglob("*.json")))
    again = snakemake(study)
    assert again.returncode == 0, again.stdout
    assert f" {finished} were stored" in again.stdout, "no finished cell is trained twice"
    measured = [line.split(",")[:8] for line in table.read_text().splitlines()]
    assert measured == [line.split(",")[:8] for line in whole.splitlines()]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("training: {min_steps: 100", "training: {min_step: 100", "did you mean 'min_steps'?"),
        ("  mlp_small: {grid", "  mlp_smal: {grid", "learners.mlp_smal"),
        ("800], repeats: 3, pool: 2000", "8000], repeats: 3, pool: 2000", "larger than the pool"),
    ],
    ids=["unknown key", "unknown learner", "m beyond the pool"],
)
def test_a_wrong_config_is_one_message(study: Path, old: str, new: str, says: str) -> None:
    """Names the file and the key, exits non-zero, starts nothing."""
    with edited(study / "config/smoke.yaml", old, new):
        done = snakemake(study)
    assert done.returncode != 0
    assert says in done.stdout and "config/smoke.yaml" in done.stdout
    assert "Traceback" not in done.stdout
