"""A study that starts from a table, through the workflow."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from takeoff.files import read_json

pytestmark = pytest.mark.study

ROOT = Path(__file__).parents[1]
CONFIG = """
study: mine
title: More labels for the churn model?
runs:
  table: curves.csv
  learners: {small net: {family: network}, large net: {family: network}}
  datasets: {churn: {title: Churn, floor: 0.02}}
statistics: {bootstrap: 100}
costs: {label: 0.5}
"""


def curves() -> pd.DataFrame:
    """Means with standard errors, unequal m, and a name that no identifier is."""
    rows = [
        ("churn", learner, m, 0.02 + a * m**-0.4, 0.02 * a * m**-0.4)
        for learner, a, largest in (("SVM (RBF)", 1.6, 800), ("small net", 1.5, 3200),
                                    ("large net", 1.2, 3200))
        for m in 100 * 2 ** np.arange(6)
        if m <= largest
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["dataset", "learner", "m", "test_error", "stderr"])


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["snakemake", "--cores", "1", "--configfile", "mine.yaml", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(folder / "src")},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study in a copy of the project."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("config", "reports", "src", "workflow"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    curves().to_csv(folder / "curves.csv", index=False)
    (folder / "mine.yaml").write_text(CONFIG)
    done = snakemake(folder)
    assert done.returncode == 0, done.stdout
    assert "Training" not in done.stdout and "Preparing" not in done.stdout
    return folder


def test_the_same_paper_comes_of_a_table(study: Path) -> None:
    """Page, PDF and facts, with the table's names and without what a table doesn't tell."""
    report = study / "results/mine/report"
    facts = {fact["id"]: fact for fact in read_json(report / "report.json")["facts"]}
    assert facts["churn.large_net.error_at_max"]["value"] == pytest.approx(0.02 + 1.2 * 3200**-0.4)
    assert "churn.large_net.gain.0.price" in facts
    assert not [name for name in facts if "seconds" in name or "n_params" in name]
    page = (report / "report.html").read_text()
    assert "SVM (RBF)" in page and "cost of a label" not in page
    assert page.count("<svg") == len(list((report / "figures").glob("*.svg")))
    assert (report / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert str(study) not in page


def test_a_second_run_does_nothing_and_a_new_row_everything(study: Path) -> None:
    """The table is an input like any other."""
    assert "Nothing to be done" in snakemake(study).stdout
    table = study / "curves.csv"
    before = table.read_text()
    table.write_text(before + "churn,large net,6400,0.055,0.001\n")
    jobs = snakemake(study, "--dry-run", "--quiet", "rules").stdout
    for rule in ("read_table", "fit_curves", "check_claims", "weigh_options", "render_report"):
        assert rule in jobs
    assert "train" not in jobs
    table.write_text(before)


def test_a_bad_table_stops_before_anything_runs(study: Path) -> None:
    """One message with file and row, and the paper stays as it was."""
    table = study / "curves.csv"
    before = table.read_text()
    table.write_text(before.replace("churn,SVM (RBF),100,0", "churn,SVM (RBF),100,zero", 1))
    done = snakemake(study)
    table.write_text(before)
    assert done.returncode != 0
    assert "curves.csv, row 2: test_error isn't a finite number (zero" in done.stdout
    assert "Traceback" not in done.stdout
