"""Where the seconds of a study go: imports, data, training, fits, claims, figures, paper, engine.

The study runs once, from nothing, in a copy of the project in a temporary folder, job after job on
one core. A `python` in front of the real one on the path times every job and has the interpreter
say what its imports took (`-X importtime`, which makes them a little slower). What is left of the
whole run is the engine: Snakemake itself, its start and what it does between jobs (and the timing,
a few hundredths of a second a job). Downloads are kept in $TAKEOFF_CACHE as always: run twice to
leave them out.

    python benchmarks/study_time.py [--configfile config/smoke.yaml] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROJECT = ("config", "reports", "src", "workflow")
LOG = "STUDY_TIME_LOG"
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+\d+ \| ")
NAMES = {
    "prepare-dataset": "data",
    "fit-curves": "fits",
    "check-claims": "claims",
    "plot-figures": "figures",
    "render-report": "paper",
}


@dataclass(frozen=True)
class Job:
    """One job of the study.

    Attributes:
        kind: What it does: "data", "training: svm_rbf", ...
        seconds: From the start of its interpreter to its end.
        imports: Seconds of that in which modules were imported.
    """

    kind: str
    seconds: float
    imports: float


@dataclass(frozen=True)
class Share:
    """A line of the table; `jobs` is 0 for the engine."""

    kind: str
    jobs: int
    seconds: float
    share: float


def run_job(arguments: Sequence[str]) -> int:
    """Run `python ARGUMENTS` in the place of the real one, and log how long it took."""
    started = time.perf_counter()
    job = subprocess.Popen(
        [sys.executable, "-X", "importtime", *arguments], stderr=subprocess.PIPE, text=True
    )
    imports = 0
    assert job.stderr is not None
    for line in job.stderr:
        found = IMPORT.match(line)
        if found:
            imports += int(found[1])
        elif not line.startswith("import time:"):
            print(line, end="", file=sys.stderr, flush=True)
    code = job.wait()
    done = Job(kind_of(arguments), time.perf_counter() - started, imports / 1e6)
    with open(os.environ[LOG], "a", encoding="utf-8") as log:
        log.write(json.dumps(asdict(done)) + "\n")
    return code


def kind_of(arguments: Sequence[str]) -> str:
    """What a job does: its command, and for training the kind of its learner."""
    command = arguments[arguments.index("takeoff") + 1] if "takeoff" in arguments else "other"
    if command != "train-curve":
        return NAMES.get(command, command)
    settings = json.loads(arguments[arguments.index("--settings") + 1])
    return f"training: {settings['fit']['kind']}"


def run_study(configfile: str, folder: Path) -> tuple[float, list[Job]]:
    """Run the study in a copy of the project.

    Args:
        configfile: As for `snakemake`, relative to the project.
        folder: Where the copy is made.

    Returns:
        Seconds of the whole run, and its jobs.
    """
    for name in PROJECT:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    log = folder / "jobs.jsonl"
    environment = os.environ | {
        "PATH": f"{_shim(folder)}:{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        LOG: str(log),
    }
    warm_up(environment)
    started = time.perf_counter()
    done = subprocess.run(
        ["snakemake", "--cores", "1", "--configfile", configfile],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"the study failed:\n{done.stdout}{done.stderr}")
    return seconds, [Job(**json.loads(line)) for line in log.read_text().splitlines()]


def warm_up(environment: dict[str, str]) -> None:
    """Compile the copy's modules, as they are on a machine that is in use."""
    compiled = [sys.executable, "-m", "compileall", "-q", environment["PYTHONPATH"]]
    subprocess.run(compiled, check=True, stdout=subprocess.DEVNULL)


def shares(seconds: float, jobs: Sequence[Job]) -> list[Share]:
    """The run's seconds by kind, the largest first; imports of all jobs are a kind of their own."""
    counts: dict[str, int] = defaultdict(int)
    spent: dict[str, float] = defaultdict(float)
    for job in jobs:
        counts[job.kind] += 1
        spent[job.kind] += job.seconds - job.imports
    counts["imports"], spent["imports"] = len(jobs), sum(job.imports for job in jobs)
    counts["engine"], spent["engine"] = 0, seconds - sum(job.seconds for job in jobs)
    ordered = sorted(spent, key=lambda kind: -spent[kind])
    return [Share(kind, counts[kind], spent[kind], spent[kind] / seconds) for kind in ordered]


def main() -> None:
    """Run the study, print the table, and write it as JSON if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--configfile", default="config/smoke.yaml", help="as for snakemake")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds, jobs = run_study(chosen.configfile, Path(folder))
    lines = shares(seconds, jobs)
    print(f"{'what':<32}{'jobs':>5}{'seconds':>10}{'share':>8}")
    for line in lines:
        print(f"{line.kind:<32}{line.jobs or '':>5}{line.seconds:>10.1f}{line.share:>8.1%}")
    print(f"{'in all':<32}{len(jobs):>5}{seconds:>10.1f}{1:>8.1%}")
    if chosen.json:
        figures: dict[str, Any] = {
            "configfile": chosen.configfile,
            "seconds": seconds,
            "kinds": [asdict(line) for line in lines],
            "jobs": [asdict(job) for job in jobs],
        }
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _shim(folder: Path) -> Path:
    """A folder with a `python` that hands its arguments to `run_job`."""
    place = folder / "bin"
    place.mkdir()
    script = place / "python"
    # -S spares the timing process what it does not need; the job's own interpreter gets it all.
    script.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -S "{Path(__file__).resolve()}" --job "$@"\n'
    )
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return place


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        sys.exit(run_job(sys.argv[2:]))
    main()
