"""The commands: what they import, and what they leave behind when killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from small import blobs, curve

from takeoff.files import canonical_json

HEAVY = ("torch", "pytorch_lightning", "sklearn", "matplotlib", "snakemake", "pandas")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def train(folder: Path, kind: str, m: list[int], repeats: int = 2, **changes: int) -> list[str]:
    """The command that trains a curve on the small data set."""
    settings = curve(kind, m, repeats)
    settings["training"] = settings["training"] | changes
    if not (folder / "blobs.npz").exists():
        blobs().save(folder / "blobs.npz")
    return [
        "train-curve", "--settings", canonical_json(settings),
        "--data", str(folder / "blobs.npz"), "--cells", str(folder / "cells"),
        "--out", str(folder / f"{kind}.csv"),
    ]  # fmt: skip


def imported_by(arguments: list[str]) -> set[str]:
    """Which heavy packages a command has imported when it ends."""
    code = (
        "import sys; from takeoff.cli import main; "
        f"assert main({arguments!r}) == 0; "
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          env=ENVIRONMENT)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split("loaded:")[1].split())


@pytest.mark.parametrize(
    ("kind", "needs"),
    [
        ("logistic_regression", set()),
        ("svm_rbf", {"sklearn", "pandas"}),  # the second because of the first
        ("gradient_boosting", {"sklearn", "pandas"}),
    ],
)
def test_no_job_imports_torch_that_trains_no_network(
    tmp_path: Path, kind: str, needs: set[str]
) -> None:
    """A baseline's job pays for scikit-learn at most."""
    assert imported_by(train(tmp_path, kind, [40])) == needs


def test_a_network_job_imports_no_plots(tmp_path: Path) -> None:
    """Nor tables, nor Snakemake: the package knows nothing of it."""
    loaded = imported_by(train(tmp_path, "mlp", [40], 1))
    assert {"torch", "pytorch_lightning"} <= loaded
    assert loaded == {"torch", "pytorch_lightning"}


def test_the_other_commands_import_nothing_that_trains(tmp_path: Path) -> None:
    """Preparing data needs none of the heavy packages."""
    settings = canonical_json({"name": "spam", "seed": 1, "pool": 100, "test": 50})
    loaded = imported_by([
        "prepare-dataset", "--settings", settings,
        "--data", str(tmp_path / "spam.npz"), "--sheet", str(tmp_path / "spam.json"),
    ])  # fmt: skip
    assert not loaded


def test_a_killed_job_keeps_its_finished_cells(tmp_path: Path) -> None:
    """kill -9: no table, the finished cells stay, and the rerun goes on from there."""
    command = [sys.executable, "-m", "takeoff", *train(tmp_path, "mlp", [40, 80, 160], 3)]
    job = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while len(stored := list((tmp_path / "cells").rglob("*.json"))) < 2:
        assert time.monotonic() < deadline and job.poll() is None, "the job ended too early"
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.communicate()
    assert not (tmp_path / "mlp.csv").exists()
    before = {path: path.stat().st_mtime_ns for path in stored}
    again = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    trained, kept = map(int, re.search(r"(\d+) cells trained, (\d+) were", again.stderr).groups())
    assert trained + kept == 9 and kept >= 2, "none was trained twice"
    assert {path: path.stat().st_mtime_ns for path in stored} == before, "they were not retrained"
    assert len(pd.read_csv(tmp_path / "mlp.csv")) == 9


def test_a_job_that_is_told_to_end_saves_its_batch(tmp_path: Path) -> None:
    """SIGTERM: exit code 143, one line that says what to do, and the rerun goes on."""
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    for folder in (whole, stopped):
        folder.mkdir()
    slow = {"min_steps": 16000, "max_steps": 16000, "patience": 1000}
    command = [sys.executable, "-m", "takeoff", *train(stopped, "mlp", [40, 80], **slow)]
    job = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (stopped / "cells/unfinished").exists():
        assert time.monotonic() < deadline and job.poll() is None, "the job ended too early"
        time.sleep(0.01)
    time.sleep(1)  # a moment before the first step, SIGTERM just ends it
    job.send_signal(signal.SIGTERM)
    _, said = job.communicate()
    assert job.returncode == 143 and "run it again to go on" in said, said
    assert "Traceback" not in said
    assert len(list((stopped / "cells/unfinished").iterdir())) == 1
    subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
    command = [sys.executable, "-m", "takeoff", *train(whole, "mlp", [40, 80], **slow)]
    subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
    tables = [
        pd.read_csv(folder / "mlp.csv").drop(columns="seconds") for folder in (whole, stopped)
    ]
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_two_trainings_from_nothing_give_the_same_table(tmp_path: Path) -> None:
    """On one machine, all but the seconds."""
    tables = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        subprocess.run(
            [sys.executable, "-m", "takeoff", *train(tmp_path / name, "mlp", [40, 80])],
            env=ENVIRONMENT, check=True, capture_output=True,
        )  # fmt: skip
        tables.append(pd.read_csv(tmp_path / name / "mlp.csv").drop(columns="seconds"))
    pd.testing.assert_frame_equal(*tables, check_exact=True)


def test_an_unknown_data_set_is_one_message(tmp_path: Path) -> None:
    """Exit code 1, the valid names, no traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "takeoff", "prepare-dataset",
         "--settings", '{"name":"spams","seed":1,"pool":100,"test":50}',
         "--data", str(tmp_path / "x.npz"), "--sheet", str(tmp_path / "x.json")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "no data set 'spams'" in done.stderr and "spam" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
