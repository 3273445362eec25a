"""A job says how far it is, and a dead one is not taken for a running one."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from takeoff.progress import Progress, duration, progress_file, read_progress


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_lines_come_at_most_every_n_seconds(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """However often a job reports; the last line comes when it ends."""
    with Progress(None, "spam svm_rbf", 100, every=10, clock=clock) as progress:
        for _ in range(100):
            clock.now += 0.3
            progress.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "spam svm_rbf: 34/100 cells, 20 s left",
        "spam svm_rbf: 68/100 cells, 10 s left",
        "spam svm_rbf: 100/100 cells, 30 s",
    ]


def test_steps_are_counted_by_the_second(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    """The speed is that since the line before."""
    progress = Progress(None, "spam mlp_small", 3, every=10, clock=clock)
    for speed in (100, 2000):
        clock.now += 10
        progress.steps(10 * speed)
    assert capsys.readouterr().err.splitlines() == [
        "spam mlp_small: 0/3 cells, 100 steps/s",
        "spam mlp_small: 0/3 cells, 2,000 steps/s",
    ]


def test_the_time_left_counts_work_not_cells(clock: Clock) -> None:
    """Two cheap cells of three are not two thirds of the work; stored work took no time."""
    progress = Progress(None, "x", 4, total_work=1110, clock=clock)
    clock.now += 50
    progress.stored(1, work=10)
    clock.now += 10
    progress.advance(work=100)
    assert progress.state().done == 2
    assert progress.state().eta_seconds == pytest.approx(100)
    clock.now += 50
    progress.advance(cells=0, work=500)
    assert progress.state().eta_seconds == pytest.approx(50)


def test_the_file_is_there_while_the_job_runs(clock: Clock, tmp_path: Path) -> None:
    """It tells what `takeoff status` needs, and goes when the job ends, also with an error."""
    file = progress_file(tmp_path / "runs" / "svm_rbf.csv")
    assert file.name == "svm_rbf.csv.progress.json"
    with pytest.raises(KeyboardInterrupt), Progress(file, "x", 5, every=1, clock=clock) as progress:
        clock.now += 2
        progress.advance(2)
        state = read_progress(file)
        assert state is not None and state.running
        assert (state.done, state.total, state.eta_seconds) == (2, 5, 3)
        raise KeyboardInterrupt
    assert not file.exists() and read_progress(file) is None


def test_a_killed_job_is_known(tmp_path: Path) -> None:
    """kill -9 leaves the file; its process is gone."""
    file = tmp_path / "x.progress.json"
    code = (
        "import sys, time; from pathlib import Path; from takeoff.progress import Progress; "
        f"Progress(Path({str(file)!r}), 'x', 5); assert 'numpy' not in sys.modules; time.sleep(60)"
    )
    job = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 30
    while (state := read_progress(file)) is None:
        assert time.monotonic() < deadline and job.poll() is None
        time.sleep(0.01)
    assert state.running and state.pid == job.pid
    job.send_signal(signal.SIGKILL)
    job.wait()
    assert not state.running


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells when a process was started")
def test_a_number_that_is_used_again_is_no_old_job(tmp_path: Path) -> None:
    """Another process with the dead one's number does not make the job run."""
    state = Progress(None, "x", 5).state()
    assert state.running and not replace(state, born="1").running


def test_another_machine_is_believed_for_a_while() -> None:
    """Its processes can't be asked for."""
    state = replace(Progress(None, "x", 5).state(), host=f"not-{socket.gethostname()}", pid=1)
    assert state.running
    assert not replace(state, updated=time.time() - 10_000).running


@pytest.mark.parametrize("damage", [
    lambda text: "", lambda text: text[: len(text) // 2], lambda text: "[]", lambda text: "{}",
    lambda text: text.replace('"done": 0', '"done": 0, "more": 1'),
    lambda text: text.replace('"eta_seconds": null', '"eta_seconds": "soon"'),
])  # fmt: skip
def test_a_damaged_file_counts_as_none(tmp_path: Path, damage) -> None:
    """Cut off, or made by something else."""
    file = tmp_path / "x.progress.json"
    Progress(file, "x", 5)
    text = file.read_text()
    file.write_text(damage(text))
    assert damage(text) != text
    assert read_progress(file) is None


def test_a_job_does_its_work_although_it_can_not_say_so(tmp_path: Path) -> None:
    """The folder of the file is a file."""
    (tmp_path / "runs").write_text("")
    with Progress(tmp_path / "runs" / "x.json", "x", 1, every=0) as progress:
        progress.advance()
    assert progress.state().done == 1


def test_time_spans_are_readable() -> None:
    """Two figures at most."""
    assert [duration(s) for s in (0.2, 99, 100, 5900, 7500)] == [
        "0 s", "99 s", "2 min", "98 min", "2 h 05 min"
    ]  # fmt: skip
