"""Pictures in folders, one folder a class, as rows of bytes.

Every picture is turned as its camera says, scaled to one square and stored grey if all pictures
are, otherwise in colour. What is no picture, can't be read, or is a link that leads out of the
folder is left out and counted.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import Bytes
from takeoff.datasets.readers import refusal

if TYPE_CHECKING:
    from PIL import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
GREY = ("1", "L", "LA", "I", "I;16")


def pictures(folder: Path) -> dict[str, list[Path]]:
    """The files below each class's folder, in alphabetical order; hidden ones don't count.

    Raises:
        TakeoffError: There is no folder with pictures in it, or a class has none.
    """
    classes = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    found = {path.name: sorted(_files(path)) for path in classes}
    if not found:
        raise refusal(folder, "has no folder in it", "make a folder for each class of pictures")
    empty = [name for name, files in found.items() if not any(_is_picture(file) for file in files)]
    if empty:
        raise refusal(
            folder / empty[0], "holds no picture", f"remove it, or add {', '.join(ENDINGS[:4])} ..."
        )
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        # A link to a folder is not gone through, but it is not passed over in silence either.
        if (path.is_file() or path.is_symlink()) and not path.name.startswith("."):
            yield path


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def read(folder: Path, size: int) -> tuple[Bytes, npt.NDArray[np.object_], dict[str, int]]:
    """All pictures, scaled to `size` by `size`.

    Returns:
        Bytes [n, size * size] or [n, size * size * 3]; the name of each one's folder, [n]; how
        many files were left out, by reason.

    Raises:
        TakeoffError: No picture can be read, or a class has none.
    """
    left_out: Counter[str] = Counter()
    chosen: list[tuple[str, Path]] = []
    for name, files in pictures(folder).items():
        for file in files:
            reason = _reason_against(file, folder)
            if reason:
                left_out[reason] += 1
            else:
                chosen.append((name, file))
    colour = any(_mode(file) not in (*GREY, None) for _, file in chosen)
    read_ones = [(name, _pixels(file, size, colour)) for name, file in chosen]
    kept = [(name, pixels) for name, pixels in read_ones if pixels is not None]
    if len(kept) < len(read_ones):
        left_out["a picture that can't be read"] = len(read_ones) - len(kept)
    if not kept:
        raise refusal(folder, "holds no picture that can be read", "look at the files in it")
    names = np.array([name for name, _ in kept], dtype=object)
    return np.stack([pixels for _, pixels in kept]), names, dict(left_out)


def _reason_against(file: Path, folder: Path) -> str | None:
    if not file.resolve().is_relative_to(folder.resolve()):
        return "a link out of the folder"
    return None if _is_picture(file) else "a file that is no picture"


def _mode(file: Path) -> str | None:
    from PIL import Image

    with contextlib.suppress(OSError, Image.DecompressionBombError), Image.open(file) as picture:
        # A palette may hold greys only, but pictures with one are seldom photographs.
        return picture.mode
    return None


def _pixels(file: Path, size: int, colour: bool) -> Bytes | None:
    """A picture as bytes, [size * size (* 3)]; None if it is damaged."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as picture:
            turned = ImageOps.exif_transpose(picture)
            if turned.mode in ("I", "I;16"):
                turned = _eight_bits(turned)
            scaled = turned.convert("RGB" if colour else "L").resize((size, size))
            return np.asarray(scaled, dtype=np.uint8).reshape(-1)
    # Decoders of damaged files raise several types.
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Greys of sixteen bits: converting them would cut off all above 255."""
    from PIL import Image

    greys = np.asarray(picture, dtype=np.float64) / 257
    return Image.fromarray(np.clip(greys, 0, 255).astype(np.uint8))
