"""The method on real learning curves, where they are there: a small sample, loosely.

The measurement is `benchmarks/extrapolation.py`; this only sees to it that nothing is broken.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from takeoff.statistics.extrapolate import extrapolate

CURVES = Path(
    os.environ.get("TAKEOFF_CURVES") or Path(__file__).parents[2] / "shared/data/lcdb_curves.csv.gz"
)


@pytest.fixture(scope="module")
def curves() -> list[pd.DataFrame]:
    """Sixty curves of LCDB 1.1 with at least 2048 examples."""
    if not CURVES.exists():
        pytest.skip("no LCDB curves: set TAKEOFF_CURVES to a table of them")
    rows = pd.read_csv(CURVES)
    rows = rows[rows["learner"] != "DummyClassifier"]
    known = [c for _, c in rows.groupby(["dataset", "learner"]) if c["m"].max() >= 2048]
    picked = np.random.default_rng(0).choice(len(known), 60, replace=False)
    return [known[i].sort_values("m") for i in picked]


@pytest.mark.parametrize("factor", [2, 4, 16])
def test_real_curves_are_extrapolated_and_covered(
    curves: list[pd.DataFrame], factor: float
) -> None:
    """The median error is below the last value's; 80 to 99 % are covered."""
    missed, naive, covered = [], [], []
    for curve in curves:
        m, y, se = (curve[name].to_numpy(float) for name in ("m", "test_error", "stderr"))
        use = m <= m[-1] / factor
        found = extrapolate(m[use], y[use], stderr=se[use], at=m[-1:], kind="error")
        missed.append(abs(found.predicted[0] - y[-1]))
        naive.append(abs(y[use][-1] - y[-1]))
        covered.append(found.low[0] <= y[-1] <= found.high[0])
    assert np.median(missed) < 0.95 * np.median(naive)
    assert 0.8 <= np.mean(covered) <= 0.99
