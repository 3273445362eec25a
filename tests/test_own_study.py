"""A table of one's own, from `takeoff init` to the paper."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.study

ROOT = Path(__file__).parents[1]
SECRETS = ("SECRETVALUE", "SECRETTEXT", "SECRETFOLDER")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a copy of the project, with the copy's package."""
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PYTHONPATH": str(folder / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the study of the table."""
    files = ("config/own.yaml", "config/quick.yaml")
    return run(folder, "snakemake", "--cores", "2", "--configfile", *files, *arguments)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table outside the project, with secrets in its cells and its folder's name."""
    random = np.random.default_rng(0)
    n = 400
    number = random.normal(size=n)
    path = tmp_path_factory.mktemp("SECRETFOLDER") / "customers.csv"
    pd.DataFrame(
        {
            "amount": np.where(random.random(n) < 0.1, np.nan, number),
            "plan": random.choice(["SECRETVALUE", "plus", "pro"], n),
            "note": [f"SECRETTEXT of bill {i} from week {i % 7}" for i in range(n)],
            "churned": np.where(number + random.normal(size=n) > 0, "yes", "no"),
        }
    ).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, table: Path) -> Path:
    """A finished study of it in a copy of the project; a second config makes it quick."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", "reports", "src", "workflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    init = (sys.executable, "-m", "takeoff", "init", str(table), "--label", "churned")
    done = run(folder, *init, "--name", "own")
    assert done.returncode == 0, done.stdout
    quick = {
        "use": {"learners": ["logistic_regression", "mlp_small", "mlp_medium"]},
        "training": {"min_steps": 60, "max_steps": 100},
        "statistics": {"bootstrap": 100},
    }
    (folder / "config/quick.yaml").write_text(yaml.safe_dump(quick))
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    return folder


def test_the_paper_is_there(study: Path) -> None:
    """As a page and as a PDF."""
    assert (study / "results/own/report/report.pdf").read_bytes().startswith(b"%PDF-")
    assert "a table of 3 columns" in (study / "results/own/report/report.html").read_text().lower()


def test_no_value_and_no_path_is_in_what_was_written(study: Path) -> None:
    """Neither in the report, nor in the store, nor in Snakemake's logs and records."""
    searched = 0
    for file in [*(study / "results").rglob("*"), *(study / ".snakemake").rglob("*")]:
        if file.is_file():
            searched += 1
            content = file.read_bytes()
            assert not any(secret.encode() in content for secret in SECRETS), file
    assert searched > 50
    assert list((study / ".snakemake/log").iterdir())


def test_only_other_content_is_read_again(study: Path, table: Path) -> None:
    """A file that is touched is not; with a row more, the paper is made anew."""
    os.utime(table)
    assert "Nothing to be done" in snakemake(study, "--dry-run").stdout
    before = table.read_text()
    table.write_text(before + before.splitlines()[-1] + "\n")
    try:
        said = snakemake(study, "--dry-run").stdout
        assert "prepare_dataset" in said and "render_report" in said
        assert "SECRET" not in said
    finally:
        table.write_text(before)


def test_a_failure_names_the_file_but_not_where_it_lies(study: Path, table: Path) -> None:
    """A table that turned bad is one message."""
    before = table.read_text()
    table.write_text(before + "1,2,3,4,5\n")
    try:
        done = snakemake(study)
        assert done.returncode != 0
        assert "customers.csv: has 5 fields in line 402 and 4 names in the header" in done.stdout
        assert "SECRET" not in done.stdout and "Traceback" not in done.stdout
    finally:
        table.write_text(before)
