"""Fashion-MNIST: its files are read with care; the real ones are tried where they can be had."""

from __future__ import annotations

import gzip
import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs
import pytest

from takeoff.datasets import fashion_mnist
from takeoff.datasets.download import Folder, Web
from takeoff.errors import TakeoffError


def idx(array: npt.NDArray[np.uint8]) -> bytes:
    """An array as an IDX file."""
    return (
        bytes([0, 0, 8, array.ndim])
        + struct.pack(f">{array.ndim}I", *array.shape)
        + (array.tobytes())
    )


def test_an_idx_file_is_read_with_its_shape(tmp_path: Path) -> None:
    """Values and axes come back, the last axis fastest."""
    array = np.arange(24, dtype=np.uint8).reshape(4, 3, 2)
    (tmp_path / "file").write_bytes(idx(array))
    found = fashion_mnist.read_idx(tmp_path / "file")
    assert found.dtype == np.uint8
    assert found.tolist() == array.tolist()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\0\x08",
        b"\0\0\x08\x03\0\0",
        b"\x1f\x8b\x08\x00" + bytes(20),
        b"\0\0\x0d\x01\0\0\0\x01" + bytes(4),
        idx(np.zeros((5, 2), np.uint8))[:-1],
        idx(np.zeros((5, 2), np.uint8)) + b"\0",
        b"\0\0\x08\x04" + b"\xff" * 16,
    ],
    ids=["empty", "short", "no axes", "gzip", "floats", "cut off", "too long", "huge"],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    """The error names the file and says what to do."""
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(TakeoffError, match="IDX") as caught:
        fashion_mnist.read_idx(tmp_path / "file")
    assert caught.value.where == str(tmp_path / "file")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder with files of Fashion-MNIST's form, but few rows."""
    random = np.random.default_rng(0)
    folder = tmp_path / "fashion_mnist"
    folder.mkdir()
    checksums = {}
    for name, shape, top in zip(
        fashion_mnist.CHECKSUMS,
        [(30, 28, 28), (30,), (20, 28, 28), (20,)],
        [256, 10] * 2,
        strict=True,
    ):
        content = idx(random.integers(0, top, shape, dtype=np.uint8))
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
        checksums[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(fashion_mnist, "CHECKSUMS", checksums)
    monkeypatch.setattr(fashion_mnist, "sources", lambda folder: [Folder(folder)])
    return tmp_path


def test_pool_and_test_are_the_first_rows(small: Path) -> None:
    """The pool comes from the training images, the test set from the others, in file order."""
    data = fashion_mnist.prepare(seed=0, pool=25, test=15, cache=small)
    folder = small / "fashion_mnist"
    names = list(fashion_mnist.CHECKSUMS)
    images = fashion_mnist.read_idx(folder / names[0])
    labels = fashion_mnist.read_idx(folder / names[3])
    assert data.x_pool.tolist() == images[:25].reshape(25, 784).tolist()
    assert data.y_test.tolist() == labels[:15].tolist()
    assert data.levels[[0, 51, 255]] == pytest.approx([0, 0.2, 1])
    assert data.floors == {}
    assert fashion_mnist.prepare(seed=1, pool=25, test=15, cache=small).digest == data.digest


@pytest.mark.parametrize(("pool", "test", "key"), [(60_001, 10, "pool"), (10, 10_001, "test")])
def test_more_rows_than_exist_are_refused_before_any_download(
    tmp_path: Path, pool: int, test: int, key: str
) -> None:
    """The error names the key of the config."""
    with pytest.raises(TakeoffError, match=rf"datasets\.fashion_mnist\.{key}: "):
        fashion_mnist.prepare(seed=0, pool=pool, test=test, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_authors_come_before_the_copies(tmp_path: Path) -> None:
    """Files on this machine first, then the web, Debian last."""
    kinds = [type(source).__name__ for source in fashion_mnist.sources(tmp_path)]
    assert kinds == ["Folder", "Folder", "Web", "Web", "DebianPackage"]
    webs = [source for source in fashion_mnist.sources(tmp_path) if isinstance(source, Web)]
    assert "zalandoresearch" in webs[1].label


def test_the_real_files_are_what_they_should_be() -> None:
    """60,000 and 10,000 images of 784 pixels in ten equally frequent classes."""
    cache = Path(os.environ.get("TAKEOFF_CACHE") or platformdirs.user_cache_path("takeoff"))
    try:
        data = fashion_mnist.prepare(seed=0, pool=60_000, test=10_000, cache=cache)
    except TakeoffError as error:
        pytest.skip(f"neither cache nor network has Fashion-MNIST: {error}")
    assert data.x_pool.shape == (60_000, 784)
    assert data.x_test.shape == (10_000, 784)
    assert np.bincount(data.y_pool).tolist() == [6_000] * 10
    assert np.bincount(data.y_test).tolist() == [1_000] * 10
    trousers = data.x_pool[data.y_pool == fashion_mnist.CLASSES.index("Trouser")]
    assert trousers.mean() < data.x_pool.mean()
