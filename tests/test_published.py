"""What a report tells of its study's settings, and what it keeps to itself."""

from __future__ import annotations

import json

import pytest

from takeoff.paper.published import of_dataset, published

OWN = {
    **{"m": [10], "repeats": 3, "pool": 20, "test": 20, "path": "mine.csv", "label": "SECRET"},
    **{"classes": ["SECRET"], "task": "classification", "test_path": None},
}


def test_how_a_table_of_ones_own_is_read_stays_closed() -> None:
    """Names of columns and classes are a digest, which changes with them."""
    shown = of_dataset(OWN)
    assert "SECRET" not in json.dumps(shown) and shown["path"] == "mine.csv"
    assert shown["reading"] != of_dataset(OWN | {"label": "other"})["reading"]
    assert shown["reading"] == of_dataset(OWN | {"m": [20]})["reading"]


def test_other_data_sets_are_as_in_the_config() -> None:
    """Without what is not set."""
    known = {"m": [10], "repeats": 3, "pool": 20, "test": 20, "task": "classification"}
    assert of_dataset(known | {"path": None, "metric": None, "label": None}) == known


@pytest.mark.parametrize("runs", [None, {"table": "/home/ann/curves.csv"}])
def test_only_what_is_in_use_is_shown(runs: dict[str, str] | None) -> None:
    """Of a table of runs, the name."""
    defined = {"datasets": {"mine": OWN, "other": OWN}, "learners": {"ridge": {}, "svm": {}}}
    used = {"datasets": ["mine"], "learners": ["ridge"]}
    shown = published({"use": used, "seed": 7, "runs": runs, **defined})
    assert set(shown["datasets"]) == {"mine"} and set(shown["learners"]) == {"ridge"}
    assert shown["seed"] == 7
    assert shown["runs"] == (None if runs is None else {"table": "curves.csv"})
