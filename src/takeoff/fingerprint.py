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
    parts = [f"{name}:{_tree(_file(name, root))}" for name in sorted(closure(*modules, root=root))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def closure(*modules: str, root: Path = ROOT) -> set[str]:
    """The modules and all modules of the package that they import, directly or not."""
    found: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_imports(_file(name, root), root))
    return found


def versions(*packages: str) -> dict[str, str]:
    """Installed versions by package name, without importing the packages."""
    return {name: version(name) for name in packages}


def _file(module: str, root: Path) -> Path:
    path = root.parent.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    raise ModuleNotFoundError(f"no module '{module}' below {root}", name=module)


@cache
def _parse(path: Path, modified: int) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, Documented):
            _drop_docstring(node)
    return tree


def _tree(path: Path) -> str:
    return ast.dump(_parse(path, path.stat().st_mtime_ns))


def _drop_docstring(node: Documented) -> None:
    first = node.body[0] if node.body else None
    if (
        isinstance(first, ast.Expr)
        and isinstance(first.value, ast.Constant)
        and isinstance(first.value.value, str)
    ):
        node.body = node.body[1:]


def _imports(path: Path, root: Path) -> Iterator[str]:
    """Names of the package's modules that this file imports when it runs, at any depth."""
    tree = _parse(path, path.stat().st_mtime_ns)
    only_for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if id(node) in only_for_types:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if _is_module(name, root))


def _is_module(name: str, root: Path) -> bool:
    path = root.parent.joinpath(*name.split("."))
    inside = name.split(".")[0] == root.name
    return inside and path.with_suffix(".py").is_file()
