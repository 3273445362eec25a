"""Freed memory is kept where the C library can be told to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from takeoff.memory import keep_freed_memory

FAULTS = """
import resource, sys
import numpy as np
from takeoff.memory import keep_freed_memory
if sys.argv[1] == "keep" and not keep_freed_memory():
    sys.exit("no glibc")
for _ in range(20):
    arrays = [np.ones(500_000, np.uint8) for _ in range(20)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""


def test_arrays_are_not_mapped_anew() -> None:
    """Twenty times twenty large arrays take little more page faults than twenty."""
    if not keep_freed_memory():
        pytest.skip("another C library than glibc")

    def faults(how: str) -> int:
        command = [sys.executable, "-c", FAULTS, how]
        return int(subprocess.run(command, capture_output=True, check=True, text=True).stdout)

    assert faults("keep") < faults("default") - 10_000


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no glibc nothing is done, and said."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
