"""pyproject.toml, requirements.txt and environment.yml name the same things."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement

import takeoff

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [Requirement(line) for line in PROJECT["dependencies"] + EXTRAS["dev"]]


def pins() -> dict[str, list[Requirement]]:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    found: dict[str, list[Requirement]] = {}
    for line in lines:
        if line and not line.startswith("#"):
            pin = Requirement(line)
            found.setdefault(pin.name.lower(), []).append(pin)
    return found


@pytest.mark.parametrize("wanted", WANTED, ids=lambda wanted: wanted.name)
def test_every_dependency_is_pinned_within_its_range(wanted: Requirement) -> None:
    """The version that is installed is one that pyproject.toml allows."""
    found = pins()[wanted.name.lower()]
    assert found, f"{wanted.name} is not pinned: make lock"
    for pin in found:
        (specifier,) = pin.specifier
        assert specifier.operator == "=="
        assert specifier.version in wanted.specifier


def test_no_cuda_package_is_pinned() -> None:
    """Which CUDA packages are needed depends on the build of torch that the machine gets."""
    assert not [name for name in pins() if re.match(r"nvidia-|cuda-|triton", name)]


def test_one_version_of_each_applies_here() -> None:
    """Pins for other platforms or Pythons are marked as such."""
    here = default_environment()
    for name, found in pins().items():
        fitting = [pin for pin in found if pin.marker is None or pin.marker.evaluate(here)]
        assert len(fitting) <= 1, name


def test_the_conda_environment_is_a_thin_wrapper() -> None:
    """It adds Python and pip, and installs the very same pins."""
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, last = environment["dependencies"]
    assert f"python{PROJECT['requires-python']}" in conda
    assert [name for name in conda if not name.startswith("python")] == ["pip"]
    assert last["pip"] == ["-r requirements.txt", "-e ."]


def test_the_citation_names_the_version() -> None:
    """CITATION.cff and the package agree."""
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == takeoff.__version__
    assert citation["license"] == PROJECT["license"]
    assert f"## {takeoff.__version__}" in (ROOT / "CHANGELOG.md").read_text()
