"""Looking after the cell store: what is in it, what is damaged, what nobody asks for any more.

Jobs may be at work in the store meanwhile: a file that vanishes between two looks was never there.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from takeoff.demand import Demand
from takeoff.progress import duration
from takeoff.store import CellStore, StoredCell, read_cell

# A temporary file lives for the moment of a write; one as old as this has lost its writer.
ABANDONED_SECONDS = 3600.0
HEAD = ("data set", "learner", "m", "repeat", "test error", "seconds", "size", "age")


@dataclass(frozen=True)
class Found:
    """A file of the store.

    Attributes:
        path: The file.
        size: Bytes.
        written: Seconds since the epoch.
        cell: What is in it; None if it is damaged.
        damage: What is wrong with it; empty if nothing is.
    """

    path: Path
    size: int
    written: float
    cell: StoredCell | None = None
    damage: str = ""


@dataclass(frozen=True)
class Superfluous:
    """A file that `prune` would remove, and why."""

    file: Found
    reason: str


def scan(store: CellStore) -> Iterator[Found]:
    """Read every cell of the store, in the order of their names."""
    for path in sorted(store.folder.glob("[0-9a-f][0-9a-f]/*.json")):
        found = _look(path)
        if found is None:
            continue
        try:
            yield Found(path, found.size, found.written, read_cell(path))
        except FileNotFoundError:
            continue
        except (OSError, ValueError) as error:
            yield Found(path, found.size, found.written, damage=str(error))


def listing(
    store: CellStore, dataset: str | None = None, learner: str | None = None
) -> Iterator[str]:
    """A table of the cells, one line each, and their sum.

    Args:
        store: The store.
        dataset: Only cells of this data set.
        learner: Only cells of this learner.
    """
    chosen = [
        (found, found.cell.row)
        for found in scan(store)
        if found.cell is not None
        and dataset in (None, found.cell.row.get("dataset"))
        and learner in (None, found.cell.row.get("learner"))
    ]
    chosen.sort(key=lambda pair: (*_place(pair[1]), pair[0].written))
    now = time.time()
    yield from table(HEAD, [_line(found, row, now) for found, row in chosen], left=2)
    seconds = sum(float(row.get("seconds", 0)) for _, row in chosen)
    size = sum(found.size for found, _ in chosen)
    yield f"{len(chosen):,} cells, {duration(seconds)} of training, {human_size(size)}"


def superfluous(store: CellStore, asked: Iterable[Demand]) -> Iterator[Superfluous]:
    """Files that no study asks for: cells, unfinished batches, and what killed writers left.

    A data set that is not prepared has no digest yet: cells of its curves are kept whatever data
    they are of, and so are all unfinished batches. Damaged cells are left to `verify`.

    Args:
        store: The store.
        asked: The curves of all studies whose cells are kept.
    """
    asked = list(asked)
    keep = {store.path(meaning) for demand in asked for meaning in demand.cells()}
    for found in scan(store):
        if found.cell is None or found.path in keep:
            continue
        if store.path(found.cell.meaning | {"data": ""}) not in keep:
            yield Superfluous(found, "no study asks for it")
    yield from _unfinished(store, asked)
    yield from _abandoned(store)


def remove(files: Iterable[Path]) -> int:
    """Delete files, and say how many there were; those that are gone already don't count."""
    removed = 0
    for path in files:
        try:
            path.unlink()
        except FileNotFoundError:
            continue
        removed += 1
    return removed


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], left: int, right: int | None = None
) -> Iterator[str]:
    """Lines of aligned columns: those from `left` up to `right` hold numbers, the others texts."""
    right = len(head) if right is None else right
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        cells = [
            text.rjust(width) if left <= column < right else text.ljust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def human_size(size: int) -> str:
    """Bytes for readers: "812 B", "2.1 kB", "34 MB"."""
    amount, units = float(size), ["B", "kB", "MB", "GB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return (
        f"{amount:.1f} {units[0]}"
        if amount < 10 and units[0] != "B"
        else f"{amount:.0f} {units[0]}"
    )


def _unfinished(store: CellStore, asked: Sequence[Demand]) -> Iterator[Superfluous]:
    folder = store.folder / "unfinished"
    if not folder.is_dir() or any(demand.digest is None for demand in asked):
        return
    keep = {store.unfinished(demand.curve) for demand in asked}
    for path in sorted(folder.glob("*.ckpt")):
        found = _look(path)
        if found is not None and path not in keep:
            yield Superfluous(found, "unfinished batch of a curve that no study asks for")


def _abandoned(store: CellStore) -> Iterator[Superfluous]:
    now = time.time()
    for pattern in ("[0-9a-f][0-9a-f]/.*.json.*", "unfinished/*.tmp"):
        for path in sorted(store.folder.glob(pattern)):
            found = _look(path)
            if found is not None and now - found.written > ABANDONED_SECONDS:
                yield Superfluous(found, "left by a writer that was killed")


def _look(path: Path) -> Found | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return Found(path, status.st_size, status.st_mtime)


def _place(row: dict[str, Any]) -> tuple[str, str, int, int]:
    return (
        str(row.get("dataset", "")),
        str(row.get("learner", "")),
        int(row.get("m", 0)),
        int(row.get("repeat", 0)),
    )


def _line(found: Found, row: dict[str, Any], now: float) -> list[str]:
    dataset, learner, m, repeat = _place(row)
    age = max(0.0, now - found.written)
    return [
        dataset,
        learner,
        f"{m:,}",
        str(repeat),
        f"{row.get('test_error', float('nan')):.4f}",
        f"{row.get('seconds', float('nan')):.1f}",
        human_size(found.size),
        duration(age) if age < 48 * 3600 else f"{age / 86400:.0f} days",
    ]
