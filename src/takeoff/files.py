"""Files that are either whole or not there.

Every result is written under a temporary name in its own folder and moved into place, so a job
that is killed, or a disk that fills up, never leaves half a file under the final name.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from takeoff.errors import TakeoffError

if TYPE_CHECKING:
    import pandas as pd


@contextmanager
def replacing(path: Path | str, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a temporary file that becomes `path` when the block ends well.

    Args:
        path: The final name; its folder is made when missing.
        mode: "w" for text (UTF-8, newline as written) or "wb" for bytes.

    Raises:
        TakeoffError: The file can't be written (disk full, no permission).
    """
    path = Path(path)
    encoding, newline = (None, None) if "b" in mode else ("utf-8", "")
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, mode, encoding=encoding, newline=newline) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        _remove(temporary)
        raise TakeoffError(
            f"can't be written: {error.strerror or error}",
            where=str(path),
            remedy="free some space or mend the permissions, then run the same command again",
        ) from error
    except BaseException:
        _remove(temporary)
        raise


def _remove(temporary: str | None) -> None:
    if temporary is not None and os.path.exists(temporary):
        os.unlink(temporary)


def sha256(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as readable JSON; equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, indent=1, allow_nan=False, ensure_ascii=False)
    with replacing(path) as file:
        file.write(text + "\n")


def read_json(path: Path | str) -> Any:
    """Read a JSON file.

    Raises:
        TakeoffError: The file is missing or not JSON (cut off, edited by hand).
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def write_csv(path: Path | str, frame: pd.DataFrame) -> None:
    """Write a table; floats keep every digit, so reading gives the same numbers back."""
    with replacing(path) as file:
        frame.to_csv(file, index=False, lineterminator="\n")


def write_rows(path: Path | str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a table row by row, as `write_csv` would; None is an empty place.

    Whoever has but a few rows saves half a second of pandas.

    Args:
        path: The file.
        rows: One or more, each with the same columns in the same order.
    """
    with replacing(path) as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def read_csv(path: Path | str) -> pd.DataFrame:
    """Read a table written by `write_csv` or `write_rows`.

    Raises:
        TakeoffError: The file is missing, empty or not a table.
    """
    import pandas as pd

    try:
        return pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path | str, error: Exception) -> TakeoffError:
    reason = "is missing" if isinstance(error, FileNotFoundError) else f"can't be read: {error}"
    return TakeoffError(
        reason, where=str(path), remedy="delete it if it is there and run snakemake again"
    )
