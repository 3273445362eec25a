"""What a machine is, for the paper: nothing that tells whose it is or what it is called."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

CPUINFO, DRIVERS = Path("/proc/cpuinfo"), Path("/proc/driver/nvidia/gpus")


def machine(cpuinfo: Path = CPUINFO, drivers: Path = DRIVERS) -> dict[str, Any]:
    """Processor, number of cores, memory in GiB, accelerators; "" and None where unknown.

    Args:
        cpuinfo, drivers: Where Linux tells of processors and NVIDIA's driver of its cards.
    """
    return {
        "processor": _told(cpuinfo, "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": _memory(),
        "accelerators": [_told(card, "Model") for card in sorted(drivers.glob("*/information"))],
    }


def _told(file: Path, key: str) -> str:
    """The value of the first line "key : value" in a file; "" where there is none."""
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    values = (value for line in lines for name, _, value in [line.partition(":")]
              if name.strip() == key)  # fmt: skip
    return next(values, "").strip()


def _memory() -> int | None:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system has these names
        return None
    return round(total / 2**30)
