"""The four ways to train the same cells, with the real engine on a small task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small import GRIDS, TRAINING, blobs, hills

from takeoff.datasets.base import Dataset
from takeoff.errors import TakeoffError
from takeoff.experiments import speed_training
from takeoff.progress import Progress

SETTINGS: dict[str, Any] = {
    "experiment": "speed", "settings": {"m": [60, 120], "repeats": 2}, "seed": 1,
    "training": TRAINING, "network": {"kind": "mlp", **GRIDS["mlp"]},
}  # fmt: skip


def measured(data: Dataset, **changes: Any) -> pd.DataFrame:
    settings = SETTINGS | changes
    parts = speed_training.parts(settings)
    with Progress(None, "speed", parts, 1.0) as progress:
        table = speed_training.measure(settings, data, Path("nowhere"), progress)
        assert progress.state().done == parts == len(table)
    return table


@pytest.mark.parametrize("data", [blobs(), hills()], ids=["classes", "numbers"])
def test_each_way_takes_fewer_steps_and_none_changes_what_it_should_not(data: Dataset) -> None:
    """Side by side gives the same networks to the bit; stopping and pilots leave out steps."""
    table = measured(data)
    assert table["way"].tolist() == [*speed_training.WAYS] * 2
    steps = table.pivot(index="repeat", columns="way", values="steps")
    errors = table.pivot(index="repeat", columns="way", values="test_error")
    assert (steps["alone"] == steps["together"]).all()
    assert (errors["alone"] == errors["together"]).all()
    assert (steps["stopping"] <= steps["together"]).all()
    assert (steps["pilots"] < steps["together"]).all()
    assert (table["seconds"] > 0).all() and (table["runs"] == 2).all()


def test_the_whole_grid_is_what_it_says() -> None:
    """Without early stopping, every rate of every cell is cooled down from its best weights."""
    table = measured(blobs(), settings={"m": [60], "repeats": 1}).set_index("way")
    at_most = len(GRIDS["mlp"]["grid"]["learning_rate"]) * TRAINING["min_steps"]
    assert 0.8 * at_most <= table.loc["alone", "steps"] <= at_most


def test_the_last_way_is_that_of_the_study() -> None:
    """With early stopping that never strikes and one setting, all ways are the same."""
    network = SETTINGS["network"] | {"grid": {"learning_rate": [0.01]}}
    training = TRAINING | {"patience": 999}
    table = measured(blobs(), network=network, training=training)
    for _, rows in table.groupby("repeat"):
        assert rows["steps"].nunique() == rows["test_error"].nunique() == 1


def test_too_small_a_pool_is_refused_in_words() -> None:
    """With the key to mend."""
    with pytest.raises(TakeoffError, match="m = 900 is larger than the pool of blobs"):
        measured(blobs(), settings={"m": [900], "repeats": 1})
