"""Files of tables: what is read, and what is said of those that can't be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from own_data import mixed, read, saved

from takeoff.datasets.readers import fingerprint_of, open_table, shown
from takeoff.errors import TakeoffError


def cells(path: Path, *columns: str) -> list[list[object]]:
    """All cells of the columns."""
    batches = list(open_table(path).batches(columns))
    return [
        [cell for batch in batches for cell in batch.column(i).to_pylist()]
        for i in range(len(columns))
    ]


@pytest.mark.parametrize(
    "content",
    [
        b'a,b\n1,x\n,"y,\nz"\n',
        b'\xef\xbb\xbfa,b\r\n1,x\r\n,"y,\nz"\r\n',
        b'a;b\n1;x\n;"y,\nz"\n',
        b'a\tb\n1\tx\nNA\t"y,\nz"\n',
        b'\n\n"a",b\n1,x\n\n,"y,\nz"',
    ],
    ids=["plain", "bom", "semicolons", "tabs", "empty lines"],
)
def test_text_files_are_read_as_they_are_meant(tmp_path: Path, content: bytes) -> None:
    """Marks at the start, other delimiters, quoted delimiters and line ends, empty lines."""
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert cells(path, "b", "a") == [["x", "y,\nz"], ["1", None]]


def write(content: bytes, name: str = "table.csv") -> Callable[[Path], Path]:
    """What makes such a file in a folder."""

    def made(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return made


def cut_parquet(folder: Path) -> Path:
    """A Parquet file without its end."""
    path = saved(folder, mixed(), "table.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    return path


def holed_parquet(folder: Path) -> Path:
    """A Parquet file whose middle is damaged."""
    path = folder / "table.parquet"
    mixed().to_parquet(path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[200:900] = bytes(700)
    path.write_bytes(content)
    return path


def pickled(folder: Path) -> Path:
    """An array of Python objects."""
    np.savez(folder / "table.npz", x=np.array([[{}], [[]]], dtype=object), y=np.zeros(2))
    return folder / "table.npz"


def uneven(folder: Path) -> Path:
    """Arrays of unlike length."""
    np.savez(folder / "table.npz", x=np.zeros((3, 2)), churned=np.zeros(2))
    return folder / "table.npz"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (write(b""), "is empty"),
        (write(b"\n\n"), "is empty"),
        (write(b"a,churned\n"), "has no rows"),
        (write(b"a,a,churned\n1,2,yes\n"), "more than one column 'a'"),
        (write(b"a,,churned\n1,2,yes\n"), "has no name for column 2"),
        (write("a,churned\nä,yes\n".encode("latin1")), "is not written in UTF-8"),
        (write("ä,churned\n1,yes\n".encode("latin1")), "is not written in UTF-8"),
        (write("a,churned\n1,yes\n".encode("utf-16")), "is not written in UTF-8"),
        (write(b"a,churned\n1,yes\n2,no,3\n"), "has 3 fields in line 3 and 2 names"),
        (write(b'a,churned\n1,"yes\n' + b"2,no\n" * 2_000_000), "one of them is never closed"),
        (write(b"\x00" * 100), ""),
        (write(b"PAR1", "table.parquet"), "is no whole Parquet file"),
        (cut_parquet, "is no whole Parquet file"),
        (holed_parquet, "is no whole Parquet file"),
        (pickled, "can't be read as arrays"),
        (uneven, "holds 'churned' of shape (2,), and 3 rows of x"),
        (write(b"not a zip", "table.npz"), "can't be read as arrays"),
        (write(b"a,churned", "table.xlsx"), "is of no known kind"),
    ],
)
def test_other_files_are_refused_in_words(
    tmp_path: Path, make: Callable[[Path], Path], says: str
) -> None:
    """Each names the file without its folder, what is wrong, and what to do."""
    path = make(tmp_path)
    with pytest.raises(TakeoffError) as error:
        read(path, pool=10, test=10)
    assert says in str(error.value) and "\n  -> " in str(error.value)
    assert str(tmp_path) not in str(error.value)


def test_a_folder_in_place_of_a_file_is_named(tmp_path: Path) -> None:
    """A folder holds pictures, and says so if it doesn't."""
    with pytest.raises(TakeoffError, match="has no folder in it"):
        read(tmp_path)
    with pytest.raises(TakeoffError, match="is a folder"):
        open_table(tmp_path)


def test_a_link_out_of_the_project_is_followed(tmp_path: Path) -> None:
    """Whoever names a link in a config means what it points to; its target is not shown."""
    target = saved(tmp_path, mixed())
    (tmp_path / "project").mkdir()
    link = tmp_path / "project/link.csv"
    link.symlink_to(target)
    assert read(link).digest == read(target).digest
    target.write_text("")
    with pytest.raises(TakeoffError) as error:
        read(link)
    assert str(error.value).startswith("link.csv: is empty")


def test_arrays_are_tables_or_pictures(tmp_path: Path) -> None:
    """Numbers become columns; bytes, and whatever has more axes, are taken as they are."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, 60)
    path = tmp_path / "arrays.npz"
    np.savez(path, x=np.where(random.random((60, 3)) < 0.1, np.nan, 1.5), churned=labels)
    assert read(path, pool=40, test=20).x_pool.shape == (40, 3)
    np.savez(path, X=random.integers(0, 256, (60, 4, 4), dtype=np.uint8), churned=labels)
    pictures = read(path, pool=40, test=20)
    assert pictures.levels is not None and pictures.x_pool.shape == (40, 16)
    np.save(tmp_path / "x.npy", random.normal(size=(60, 2, 2)))
    np.save(tmp_path / "churned.npy", labels)
    numbers = read(tmp_path / "x.npy", pool=40, test=20)
    assert numbers.levels is None and numbers.scaling == "common"
    assert (numbers.y_pool.sum() + numbers.y_test.sum()) == labels.sum()


def test_a_fingerprint_follows_the_content(tmp_path: Path) -> None:
    """A file that is only touched is the same; in a folder, a file more makes another one."""
    path = saved(tmp_path, mixed())
    before, folder = fingerprint_of(path), fingerprint_of(tmp_path)
    os.utime(path, (1, 1))
    assert fingerprint_of(path) == before
    path.write_text(path.read_text() + "\n")
    assert fingerprint_of(path) != before
    (tmp_path / "more").mkdir()
    (tmp_path / "more/file").touch()
    assert fingerprint_of(tmp_path) != folder


def test_paths_outside_the_project_are_reduced_to_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within it they are shown from its folder."""
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "data/table.csv") == "data/table.csv"
    assert shown(tmp_path.parent / "table.csv") == "table.csv"


def test_missing_values_have_many_names(tmp_path: Path) -> None:
    """They are the same in either format."""
    path = tmp_path / "table.csv"
    path.write_text("a,b\nNA,1\nnull,2\n,3\nn/a,4\nnone at all,5\n")
    assert cells(path, "a") == [[None, None, None, None, "none at all"]]
    assert isinstance(pd.read_csv(path), pd.DataFrame)
