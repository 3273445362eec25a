"""What a machine is."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path

from takeoff.machine import machine


def test_processor_and_accelerators_are_read(tmp_path: Path) -> None:
    """The model of the first processor and of each card, as the system names them."""
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Chip 3000: fast\nmodel name\t: other\n")
    for card in ("0000:01", "0000:02"):
        (tmp_path / "gpus" / card).mkdir(parents=True)
        (tmp_path / "gpus" / card / "information").write_text("Model: \t Card 80GB\nIRQ: 7\n")
    found = machine(cpuinfo, tmp_path / "gpus")
    assert found["processor"] == "Chip 3000: fast"
    assert found["accelerators"] == ["Card 80GB", "Card 80GB"]
    assert found["cores"] == os.cpu_count() and found["memory"] > 0


def test_a_machine_that_tells_nothing_is_no_error(tmp_path: Path) -> None:
    """Without the system's files, what Python knows is left."""
    found = machine(tmp_path / "no", tmp_path / "none")
    assert found["processor"] == platform.processor() and found["accelerators"] == []


def test_the_machine_has_no_name() -> None:
    """What goes into the paper doesn't say what the machine is called."""
    assert platform.node() not in json.dumps(machine())
