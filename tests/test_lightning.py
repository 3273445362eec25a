"""Lightning is imported without what networks have no use for."""

from __future__ import annotations

import subprocess
import sys

from lightning_utilities.core import imports

from takeoff.networks.lightning import SPARED, hidden


def asked_of_a_new_process(program: str) -> str:
    """What a program prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_network_s_job_imports_nothing_that_it_does_not_use() -> None:
    """It starts in two thirds of the time."""
    program = f"""
import sys
import takeoff.learners.mlp
print([package for package in {list(SPARED)} if package in sys.modules])
"""
    assert asked_of_a_new_process(program) == "[]"


def test_what_was_imported_before_stays_as_it_is() -> None:
    """In a notebook that draws, torchmetrics can draw as well."""
    program = """
import matplotlib.pyplot
import takeoff.networks.lightning
from torchmetrics.utilities import plot
print(bool(plot._MATPLOTLIB_AVAILABLE), hasattr(plot, "plt"))
"""
    assert asked_of_a_new_process(program) == "True True"


def test_packages_are_hidden_for_a_while_only() -> None:
    """Afterwards they are there again, but not for who has begun to go without them."""
    before = imports.RequirementCache("numpy")
    with hidden(["numpy"]):
        asked = imports.RequirementCache("numpy")
        assert not imports.package_available("numpy")
        assert not asked
        assert imports.package_available("scipy")
        assert imports.RequirementCache("scipy")
    assert imports.package_available("numpy")
    assert imports.RequirementCache("numpy")
    assert before
    assert not asked
