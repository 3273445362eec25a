"""How far a job is: a line on stderr now and then, and a small file that `takeoff status` reads.

The file lies there while the job runs. A job that ends, well or with an error, removes it; one
that was killed leaves it behind, and is known as interrupted by its dead process.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from takeoff.errors import TakeoffError
from takeoff.files import write_json

SECONDS_BETWEEN_LINES = 10.0
# Processes of another machine can't be asked for; one that has said nothing for so long is gone.
SILENT_SECONDS = 3600.0


@dataclass(frozen=True)
class State:
    """What a job last wrote about itself.

    Attributes:
        label: What it works on.
        pid, born, host: Its process, when that was started (as the kernel counts), its machine.
        started, updated: Seconds since the epoch.
        done, total: Cells that are finished, stored ones included, and cells in all.
        steps_per_second: Steps of an optimiser since the line before; None when none are counted.
        eta_seconds: Estimated time left; None before any work is done.
    """

    label: str
    pid: int
    born: str
    host: str
    started: float
    updated: float
    done: int
    total: int
    steps_per_second: float | None
    eta_seconds: float | None

    @property
    def running(self) -> bool:
        """Whether the job still runs, as far as this machine can tell."""
        if self.host != socket.gethostname():
            return time.time() - self.updated < SILENT_SECONDS
        return _born(self.pid) == self.born

    def line(self) -> str:
        """The state in one line: "spam svm_rbf: 12/35 cells, 340 steps/s, 2 min left"."""
        parts = [f"{self.done}/{self.total} cells"]
        if self.steps_per_second is not None:
            parts.append(f"{self.steps_per_second:,.0f} steps/s")
        if self.eta_seconds is not None and self.done < self.total:
            parts.append(f"{duration(self.eta_seconds)} left")
        return f"{self.label}: {', '.join(parts)}"


class Progress:
    """Counts what a job has done.

    Cells differ in cost, so the time left is estimated from work: units of the caller's choice that
    take about the same time each. What was stored before does not count as work done.

    Args:
        file: Where the state is written; None for lines alone.
        label: What the job works on, as "spam svm_rbf".
        total: Cells in all.
        total_work: Work in all; without it, every cell is one unit.
        every: Seconds between two lines, and two writes of the file.
        clock: Seconds from a fixed moment on.
    """

    def __init__(
        self,
        file: Path | str | None,
        label: str,
        total: int,
        total_work: float | None = None,
        every: float = SECONDS_BETWEEN_LINES,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._file = None if file is None else Path(file)
        self._label, self._total = label, total
        self._counts_cells = total_work is None
        self._work_left = float(total) if total_work is None else total_work
        self._every, self._clock = every, clock
        self._done, self._work_done = 0, 0.0
        self._steps: int | None = None
        self._rate: float | None = None
        self._started = time.time()
        self._begun = self._last = clock()
        self._write()

    def stored(self, cells: int, work: float = 0.0) -> None:
        """Count cells, and their work, that were finished by an earlier job."""
        self._done += cells
        self._work_left -= cells if self._counts_cells else work
        self._begun = self._clock()
        self._write()

    def advance(self, cells: int = 1, work: float = 0.0) -> None:
        """Count cells that are finished now, and work; `cells` may be 0 for a part of one."""
        self._done += cells
        step = cells if self._counts_cells else work
        self._work_done += step
        self._work_left -= step
        self._report()

    def steps(self, n: int = 1) -> None:
        """Count steps of an optimiser."""
        self._steps = (self._steps or 0) + n
        self._report()

    def close(self) -> None:
        """Print the last line and remove the file."""
        elapsed = self._clock() - self._begun
        print(f"{self.state().line()}, {duration(elapsed)}", file=sys.stderr, flush=True)
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.unlink()

    def state(self) -> State:
        """How far the job is now."""
        return State(
            label=self._label,
            pid=os.getpid(),
            born=_born(os.getpid()),
            host=socket.gethostname(),
            started=self._started,
            updated=time.time(),
            done=self._done,
            total=self._total,
            steps_per_second=self._rate,
            eta_seconds=self._seconds_left(),
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _seconds_left(self) -> float | None:
        if self._work_done <= 0:
            return None
        elapsed = self._clock() - self._begun
        return max(0.0, self._work_left) * elapsed / self._work_done

    def _report(self) -> None:
        """A line and the file, if it is time."""
        passed = self._clock() - self._last
        if passed < self._every:
            return
        if self._steps is not None:
            self._rate, self._steps = self._steps / passed, 0
        self._last = self._clock()
        print(self.state().line(), file=sys.stderr, flush=True)
        self._write()

    def _write(self) -> None:
        if self._file is not None:
            # A job that can't say how far it is still does its work.
            with contextlib.suppress(TakeoffError):
                write_json(self._file, asdict(self.state()))


def progress_file(table: Path) -> Path:
    """Where the job that makes this table says how far it is: beside it."""
    return table.with_name(f"{table.name}.progress.json")


def read_progress(file: Path) -> State | None:
    """What a job last wrote about itself; None when the file is missing or damaged."""
    try:
        state = State(**json.loads(file.read_text(encoding="utf-8")))
        state.line()  # numbers where numbers belong
    except (OSError, ValueError, TypeError):
        return None
    return state


def duration(seconds: float) -> str:
    """A time span for readers: "8 s", "3 min", "2 h 05 min"."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def _born(pid: int) -> str:
    """When a process was started, so that a number that is used again is no old job; "" if dead.

    Linux tells the start in clock ticks since boot, as the 22nd field of /proc/PID/stat (the
    second one, in brackets, may hold spaces). Elsewhere all that are alive are "alive".
    """
    try:
        if sys.platform == "linux":
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return "" if fields[0] == "Z" else fields[19]
        os.kill(pid, 0)
    except PermissionError:
        return "alive"
    except (OSError, OverflowError):
        return ""
    return "alive"
