"""Folders of pictures as data sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from own_data import read
from PIL import Image

from takeoff.errors import TakeoffError


def folder(path: Path, colour: bool = False, n: int = 12) -> Path:
    """Dark pictures of cats and bright ones of dogs."""
    random = np.random.default_rng(0)
    for name, low in (("cats", 0), ("dogs", 128)):
        (path / name).mkdir(parents=True)
        for i in range(n):
            pixels = random.integers(low, low + 128, (9, 7 + i, 3) if colour else (9, 7 + i))
            Image.fromarray(pixels.astype(np.uint8)).save(path / name / f"{i}.png")
    return path


@pytest.mark.parametrize(("colour", "width"), [(False, 64), (True, 192)])
def test_a_folder_is_a_class(tmp_path: Path, colour: bool, width: int) -> None:
    """All sizes become one; grey pictures stay grey, and brightness tells the two apart."""
    data = read(folder(tmp_path / "p", colour), pool=12, test=10, image_size=8)
    assert data.classes == ("cats", "dogs") and data.x_pool.shape == (12, width)
    assert data.levels is not None and data.scaling == "common"
    assert ((data.x_pool.mean(axis=1) > 127) == (data.y_pool == 1)).all()


def test_what_is_no_picture_is_counted(tmp_path: Path) -> None:
    """Other files, damaged ones, and links out of the folder are left out, each by its reason."""
    path = folder(tmp_path / "p")
    (path / "cats/notes.txt").write_text("not a picture")
    (path / "cats/cut.png").write_bytes((path / "cats/1.png").read_bytes()[:60])
    (path / "dogs/empty.jpg").touch()
    outside = folder(tmp_path / "outside")
    (path / "dogs/link.png").symlink_to(outside / "dogs/1.png")
    (path / "dogs/more").symlink_to(outside / "dogs")
    (path / "dogs/.hidden").touch()
    assert read(path, pool=12, test=10).left_out == {
        "a file that is no picture": 1,
        "a picture that can't be read": 2,
        "a link out of the folder": 2,
        "more than are asked for": 2,
    }


def test_sixteen_bits_of_grey_are_scaled(tmp_path: Path) -> None:
    """Half of the range is half of the range."""
    path = folder(tmp_path / "p", n=10)
    for file in path.rglob("*.png"):
        Image.fromarray(np.full((5, 5), 32896, dtype=np.uint16)).save(file)
    assert set(np.unique(read(path, pool=10, test=10).x_pool)) == {128}


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    """An empty class would be missing from the paper without a word."""
    path = folder(tmp_path / "p")
    (path / "birds").mkdir()
    with pytest.raises(TakeoffError, match="birds: holds no picture"):
        read(path, pool=10, test=10)
    with pytest.raises(TakeoffError, match="a folder, which has no columns"):
        read(path, pool=10, test=10, label="churned")
