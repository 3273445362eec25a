"""Fingerprints of code: what a job's result depends on, comments and layout left out.

Snakemake sees neither an edit in an imported module (its results go stale silently) nor that an
edit was only a comment (it would train everything again). So each rule carries, as a parameter,
a hash over the syntax trees of the code that it runs and of all modules of this package which that
imports, directly or not. The code is a module, or one function of a module with what it uses of
that module: a command does not depend on the other commands in its file.
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


def fingerprint(*names: str, root: Path = ROOT) -> str:
    """A hash of some code and of all it imports from the same package.

    Args:
        names: Of modules, such as "takeoff.statistics.fits", or of functions in them, such as
            "takeoff.commands.rules:fit_curves".
        root: Folder of the package; the package's name is the folder's.

    Raises:
        ModuleNotFoundError: A module is not part of the package, or has no such function.
    """
    parts = [f"{name}:{_code(name, root).tree}" for name in sorted(closure(*names, root=root))]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def closure(*names: str, root: Path = ROOT) -> set[str]:
    """The code of these names and all modules of the package that it imports, directly or not."""
    found: set[str] = set()
    waiting = list(names)
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
    """What a file, or a part of it, says.

    Attributes:
        tree: Its syntax tree as text, without docstrings.
        imported: What it imports when it runs, at any depth: dotted names of modules, and of what
            may be modules.
    """

    tree: str
    imported: tuple[str, ...]


def _code(name: str, root: Path) -> _Code:
    module, _, function = name.partition(":")
    path = _file(module, root)
    if path is None:
        raise ModuleNotFoundError(f"no module '{module}' below {root}", name=module)
    return _read(path, path.stat().st_mtime_ns, function)


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
def _read(path: Path, modified: int, function: str) -> _Code:
    tree = _parse(path, modified)
    if function:
        tree = ast.Module(_used_by(function, tree), [])
        if not tree.body:
            raise ModuleNotFoundError(f"no function '{function}' in {path}", name=function)
    return _Code(ast.dump(tree), tuple(_imports(tree)))


@cache
def _parse(path: Path, modified: int) -> ast.Module:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, Documented):
            _drop_docstring(node)
    return tree


def _used_by(function: str, tree: ast.Module) -> list[ast.stmt]:
    """The statements of a module that a function of it needs, itself included, in their order."""
    bound = {name: statement for statement in tree.body for name in _bound_by(statement)}
    found: list[ast.stmt] = []
    waiting = [function]
    while waiting:
        statement = bound.get(waiting.pop())
        if statement is not None and statement not in found:
            found.append(statement)
            waiting += [node.id for node in ast.walk(statement) if isinstance(node, ast.Name)]
    return sorted(found, key=lambda statement: statement.lineno)


def _bound_by(statement: ast.stmt) -> Iterator[str]:
    """The names that a statement of a module gives a meaning to."""
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in statement.names)
    elif isinstance(statement, ast.Assign | ast.AnnAssign):
        yield from (
            node.id
            for node in ast.walk(statement)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        )


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
