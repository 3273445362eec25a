"""Fingerprints see code, and nothing but code."""

from __future__ import annotations

from pathlib import Path

import pytest

from takeoff.fingerprint import closure, fingerprint, versions

MODULES = {
    "__init__": "",
    "top": "from kit import middle\nfrom kit.side import f\n\ndef run():\n    return middle.g()\n",
    "middle": "def g():\n    from kit.late import h\n    return h()\n",
    "side": '"""Text."""\n\ndef f(x):\n    """More text."""\n    return x + 1\n',
    "late": "def h():\n    return 2\n",
    "typed": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from kit import late\n",
    "other": "VALUE = 3\n",
}


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    root = tmp_path / "kit"
    root.mkdir()
    for name, text in MODULES.items():
        (root / f"{name}.py").write_text(text)
    return root


def test_the_closure_follows_imports_into_functions(kit: Path) -> None:
    """Imports count wherever they stand, except those for type checkers."""
    assert closure("kit.top", root=kit) == {"kit.top", "kit.middle", "kit.side", "kit.late"}
    assert closure("kit.typed", root=kit) == {"kit.typed"}


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\ndef f(x):\n    return x + 1\n",
        '"""Other text."""\ndef f(x):\n\n    return (x + 1)  # why\n',
    ],
)
def test_comments_docstrings_and_layout_do_not_count(kit: Path, text: str) -> None:
    """What doesn't change what runs doesn't change the fingerprint."""
    before = fingerprint("kit.top", root=kit)
    (kit / "side.py").write_text(text)
    assert fingerprint("kit.top", root=kit) == before


def test_an_edit_counts_for_its_users_only_and_can_be_taken_back(kit: Path) -> None:
    """A helper's edit reaches what imports it, indirectly too; reverting it reverts the print."""
    top, other = fingerprint("kit.top", root=kit), fingerprint("kit.other", root=kit)
    (kit / "late.py").write_text("def h():\n    return 3\n")
    assert fingerprint("kit.top", root=kit) != top
    assert fingerprint("kit.other", root=kit) == other
    (kit / "late.py").write_text(MODULES["late"])
    assert fingerprint("kit.top", root=kit) == top


def test_code_of_a_package_counts_for_those_who_import_it(kit: Path) -> None:
    """A package is its `__init__`; who imports a module of it by its own name does not ask it."""
    (kit / "pack").mkdir()
    (kit / "pack/__init__.py").write_text("NAMES = ('one',)\n")
    (kit / "pack/inner.py").write_text("")
    (kit / "asks.py").write_text("from kit import pack\n")
    (kit / "passes.py").write_text("import kit.pack.inner\n")
    asks, passes = fingerprint("kit.asks", root=kit), fingerprint("kit.passes", root=kit)
    (kit / "pack/__init__.py").write_text("NAMES = ('one', 'two')\n")
    assert fingerprint("kit.asks", root=kit) != asks
    assert fingerprint("kit.passes", root=kit) == passes


def test_the_paper_depends_on_what_experiments_are_drawn() -> None:
    """A list that is kept in a package's own file."""
    assert "takeoff.experiments" in closure("takeoff.paper.report")


def test_a_baseline_does_not_depend_on_networks() -> None:
    """An edit of the network code retrains networks only."""
    assert "takeoff.learners.mlp" not in closure("takeoff.learners.svm_rbf")
    assert "takeoff.training" in closure("takeoff.learners.svm_rbf")
    assert "takeoff.paper.report" not in closure("takeoff.learners.mlp")


COMMANDS = """
from kit.side import f
import kit.late as late
LIMIT: int = 3

def first():
    from kit import middle
    return helper(middle.g())

def helper(x):
    return f(x) + LIMIT

def second():
    return late.h()
"""


class TestOfAFunction:
    """A function with what it uses of its module."""

    @pytest.fixture(autouse=True)
    def commands(self, kit: Path) -> Path:
        (kit / "commands.py").write_text(COMMANDS)
        return kit / "commands.py"

    def test_it_imports_what_it_uses(self, kit: Path) -> None:
        """By itself and by its helpers, at the top of the file too."""
        found = closure("kit.commands:first", root=kit)
        assert found == {"kit.commands:first", "kit.middle", "kit.side", "kit.late"}
        assert closure("kit.commands:second", root=kit) == {"kit.commands:second", "kit.late"}

    @pytest.mark.parametrize(
        ("old", "new"),
        [("x) + LIMIT", "x) - LIMIT"), ("= 3", "= 4"), ("side import f", "middle import g as f")],
    )
    def test_an_edit_counts_where_it_is_used(
        self, kit: Path, commands: Path, old: str, new: str
    ) -> None:
        """A helper, a constant and an import of the first are nothing to the second."""
        names = ("kit.commands:first", "kit.commands:second")
        first, second = (fingerprint(name, root=kit) for name in names)
        commands.write_text(COMMANDS.replace(old, new))
        assert fingerprint(names[0], root=kit) != first
        assert fingerprint(names[1], root=kit) == second

    def test_one_that_is_not_there_is_an_error(self, kit: Path) -> None:
        """A renamed command must not have a fingerprint of nothing."""
        with pytest.raises(ModuleNotFoundError, match="third"):
            fingerprint("kit.commands:third", root=kit)


@pytest.mark.parametrize("command", ["fit_curves", "check_claims", "weigh_options", "plot_figures"])
def test_a_command_does_not_depend_on_the_paper(command: str) -> None:
    """A reworded sentence is written, and nothing is fitted or drawn again."""
    found = closure(f"takeoff.commands.rules:{command}")
    assert not found & {"takeoff.paper.report", "takeoff.paper.prose", "takeoff.commands.rules"}
    assert len(found) > 5


def test_a_module_that_is_not_there_is_an_error(kit: Path) -> None:
    """No fingerprint of nothing."""
    with pytest.raises(ModuleNotFoundError):
        fingerprint("kit.missing", root=kit)


def test_versions_are_those_installed() -> None:
    """Versions come from the installed packages, by name."""
    import numpy as np

    assert versions("numpy") == {"numpy": np.__version__}
