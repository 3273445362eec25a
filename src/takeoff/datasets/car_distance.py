"""How far away the car on a generated picture is, in metres; see `takeoff.datasets.car_position`.

The label is the distance as it was noted, with an error of 3 % that nothing in a picture tells. The
root mean square of that error is a lower bound of what the best possible prediction leaves.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from takeoff.datasets.base import Dataset
from takeoff.datasets.car_position import DISTANCE_SD, POOL, TEST, about, draw, examples

NAME = "car_distance"


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Draw pictures; the label is the distance. Arguments as in `car_position.prepare`."""
    first, second = draw(seed, POOL, pool), draw(seed, TEST, test)
    # The noted distance is log-normal around the true one.
    spread = DISTANCE_SD**2
    mean = second.place[:, 1] * np.exp(spread / 2)
    return Dataset(
        **about(NAME, "Car distance", "how far away the car is"),
        **examples(first, second),
        classes=(),
        metric="rmse",
        unit="m",
        y_pool=first.noted[:, 1],
        y_test=second.noted[:, 1],
        mean_test=mean,
        noise_sd=float(np.sqrt(np.mean(mean**2) * np.expm1(spread))),
    )
