"""Experiments: which a study has, and what they found goes through a file unharmed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from takeoff import experiments
from takeoff.errors import TakeoffError
from takeoff.experiments import Findings


def found() -> Findings:
    """Findings with every kind of column."""
    table = pd.DataFrame({
        "name": ["a", "b", None], "m": [1, 2, 3], "error": [0.1, 1 / 3, np.nan],
        "late": [True, False, True],
    })  # fmt: skip
    empty = pd.DataFrame({"m": pd.Series([], dtype=int), "error": pd.Series([], dtype=float)})
    return Findings(
        [{"claim": "plateau", "parts": []}], {"some": table, "none": empty}, {"x": 1}, {"a": "A"}
    )


def test_findings_come_back_as_they_were_written(tmp_path: Path) -> None:
    """To the last digit; what is missing stays missing, and an empty table keeps its columns."""
    experiments.write(found(), tmp_path / "f.json")
    back = experiments.read(tmp_path / "f.json")
    assert (back.claims, back.decided, back.names) == (found().claims, {"x": 1}, {"a": "A"})
    some = back.tables["some"]
    assert some["error"].iloc[1] == pytest.approx(1 / 3, abs=1e-15)
    assert np.isnan(some["error"].iloc[2]) and some["name"].isna().tolist() == [False, False, True]
    assert some["m"].dtype == int and some["late"].tolist() == [True, False, True]
    assert list(back.tables["none"].columns) == ["m", "error"]


@pytest.mark.parametrize("text", ["{}", '{"tables": {"a": 3}}', '{"tables": {}, "more": 1}'])
def test_damaged_findings_are_refused(tmp_path: Path, text: str) -> None:
    """With the file's name and what to do."""
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(TakeoffError, match="damaged"):
        experiments.read(tmp_path / "f.json")


def test_every_experiment_has_figures_and_belongs_to_a_claim() -> None:
    """What the workflow asks of each."""
    assert set(experiments.FIGURES) == set(experiments.EXPERIMENT_OF.values())
    assert set(experiments.FIGURES) >= experiments.MEASURED
