"""Fashion-MNIST: small grey pictures of clothes (Xiao, Rasul and Vollgraf, 2017).

The files are those of the authors, in the IDX format of LeCun's MNIST: a four-byte magic number
(zero, zero, type, number of axes), the length of each axis as a big-endian 32-bit integer, then
the values. The checksums below are of the unpacked files; Debian packs them without the file
name in gzip's header, so its archives differ from the authors' though the content is the same.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from takeoff.datasets.base import Bytes, Dataset, require_rows
from takeoff.datasets.download import DebianPackage, Folder, Source, Web, fetch
from takeoff.errors import TakeoffError

NAME = "fashion_mnist"
N_TRAIN, N_TEST = 60_000, 10_000
CHECKSUMS = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN_FOLDER = "usr/share/datasets/fashion-mnist"
# Amazon serves static web sites without TLS; the checksums vouch for the content.
UPSTREAM = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
GITHUB = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
UNSIGNED_BYTE = 8


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Fashion-MNIST, downloaded into `cache / "fashion_mnist"` unless it is there.

    Args:
        seed: Not used: nothing is random here.
        pool: The first so many of the 60,000 training images.
        test: The first so many of the 10,000 test images.
        cache: Folder for downloads.

    Raises:
        TakeoffError: More rows are asked for than exist, or no source delivers the files.
    """
    require_rows(NAME, "pool", pool, N_TRAIN)
    require_rows(NAME, "test", test, N_TEST)
    paths = fetch(CHECKSUMS, sources(cache / NAME), cache / NAME)
    x_pool, y_pool, x_test, y_test = (read_idx(paths[name]) for name in CHECKSUMS)
    return Dataset(
        name=NAME,
        title="Fashion-MNIST",
        description="Grey pictures of single garments, shoes and bags from a shop's catalogue, "
        "centred and scaled to the same small square",
        task="which kind of garment is on the picture",
        source="Zalando Research, https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        citation="xiao2017fashion",
        generated=False,
        classes=CLASSES,
        x_pool=x_pool[:pool].reshape(pool, -1),
        y_pool=y_pool[:pool].astype(np.int64),
        x_test=x_test[:test].reshape(test, -1),
        y_test=y_test[:test].astype(np.int64),
        levels=np.arange(256, dtype=np.float32) / np.float32(255),
    )


def sources(folder: Path) -> list[Source]:
    """Where the files can be had: by hand, an installed package, the authors, Debian."""
    return [
        Folder(folder),
        Folder(Path("/") / DEBIAN_FOLDER),
        Web(UPSTREAM),
        Web(GITHUB),
        DebianPackage("dataset-fashion-mnist", DEBIAN_FOLDER),
    ]


def read_idx(path: Path) -> Bytes:
    """Read an IDX file of unsigned bytes; its axes are the array's.

    Raises:
        TakeoffError: The file is missing or no such file.
    """
    try:
        content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise _not_idx(path, str(error)) from error
    if len(content) < 4 or content[0] or content[1] or content[2] != UNSIGNED_BYTE:
        raise _not_idx(path, "it doesn't start as one of unsigned bytes")
    n_axes = int(content[3])
    start = 4 + 4 * n_axes
    shape = content[4:start].view(">u4").tolist() if len(content) >= start else []
    if len(shape) != n_axes or len(content) - start != math.prod(shape):
        raise _not_idx(path, f"its {len(content):,} bytes don't fit its shape {shape}")
    return content[start:].reshape(shape)


def _not_idx(path: Path, reason: str) -> TakeoffError:
    return TakeoffError(
        f"can't be read as an IDX file: {reason}",
        where=str(path),
        remedy="delete it and run the study again: it is fetched again",
    )
