"""How far to the side the car on a generated picture is; see `takeoff.datasets.car_position`.

The label is the offset from the middle of the camera's lane, in metres to the right, as it was
noted. The error of that note is a lower bound of what the best possible prediction leaves.
"""

from __future__ import annotations

from pathlib import Path

from takeoff.datasets.base import Dataset
from takeoff.datasets.car_position import OFFSET_SD, POOL, TEST, about, draw, examples

NAME = "car_offset"


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Draw pictures; the label is the offset. Arguments as in `car_position.prepare`."""
    first, second = draw(seed, POOL, pool), draw(seed, TEST, test)
    return Dataset(
        **about(NAME, "Car offset", "how far to the side the car is"),
        **examples(first, second),
        classes=(),
        metric="rmse",
        unit="m",
        y_pool=first.noted[:, 0],
        y_test=second.noted[:, 0],
        mean_test=second.place[:, 0],
        noise_sd=OFFSET_SD,
    )
