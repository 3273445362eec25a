"""Fingerprints of code: what a job's result depends on, comments and layout left out.

Snakemake sees neither an edit in an imported module (its results go stale silently) nor that an
edit was only a comment (it would train everything again). So each rule carries, as a parameter,
a hash over the syntax trees of the module that it runs and of all modules of this package which
that module imports, directly or not.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parent
Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def fingerprint(*modules: str, root: Path = ROOT) -> str:
    """A hash of the modules' code and of all they import from the same package.

    Args:
        modules: Dotted names, such as "takeoff.statistics.fits".
        root: Folder of the package; the package's name is the folder's.

    Raises:
        ModuleNotFoundError: A module is not part of the package.
    """
    parts = [f"{name}:{_code(name, root).tree}" for name in sorted(closure(*modules, root=root))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def closure(*modules: str, root: Path = ROOT) -> set[str]:
    """The modules and all modules of the package that they import, directly or not."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            imported = _code(name, root).imported
            waiting.extend(name for name in imported if _file(name, root))
    return found


def versions(*packages: str) -> dict[str, str]:
    """Installed versions by package name, without importing the packages."""
    return {name: version(name) for name in packages}


@dataclass(frozen=True)
class _Code:
    """What a file says.

    Attributes:
        tree: Its syntax tree as text, without docstrings.
        imported: What it imports when it runs, at any depth: dotted names of modules, and of what
            may be modules.
    """

    tree: str
    imported: tuple[str, ...]


def _code(module: str, root: Path) -> _Code:
    path = _file(module, root)
    if path is None:
        raise ModuleNotFoundError(f"no module '{module}' below {root}", name=module)
    return _read(path, path.stat().st_mtime_ns)


def _file(name: str, root: Path) -> Path | None:
    """Where a module of the package is; None if the name is of something else.

    The package's own file counts as something else: it holds the version, and a new one trains
    nothing again.
    """
    if not name.startswith(f"{root.name}."):
        return None
    path = root.parent.joinpath(*name.split("."))
    places = (path.with_suffix(".py"), path / "__init__.py")
    return next((place for place in places if place.is_file()), None)


@cache  # a workflow asks for dozens of fingerprints, and each of them for much the same files
def _read(path: Path, modified: int) -> _Code:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, Documented):
            _drop_docstring(node)
    return _Code(ast.dump(tree), tuple(_imports(tree)))


def _drop_docstring(node: Documented) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:]


def _imports(tree: ast.Module) -> Iterator[str]:
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
        else:
            waiting.extend(ast.iter_child_nodes(node))
