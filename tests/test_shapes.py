"""Curves that misbehave are named."""

from __future__ import annotations

import numpy as np
import pytest

from takeoff.statistics.evidence import check
from takeoff.statistics.shapes import shape_of

M = np.round(np.geomspace(16, 4096, 25))
STEP = np.linspace(0, 1, 25)
SHAPES = {
    "decreasing": 0.05 + 0.8 * M**-0.5,
    "increasing": 0.1 + 0.3 * STEP,
    "flat": np.full(25, 0.3) + 1e-3 * np.cos(np.arange(25)),
    "dipping": 0.2 + 0.6 * (STEP - 0.5) ** 2,
    "peaking": 0.5 - 0.4 * STEP + 0.5 * np.exp(-(((STEP - 0.5) / 0.1) ** 2)),
    "non-monotone": 0.3 + 0.2 * np.sin(14 * STEP),
    "stuck": np.full(25, 0.6),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_are_named(shape: str) -> None:
    """Each curve has the name of its shape."""
    assert shape_of(check(M, SHAPES[shape])) == shape


@pytest.mark.parametrize("shape", ["decreasing", "dipping", "peaking"])
@pytest.mark.parametrize("seed", range(5))
def test_noise_does_not_make_a_shape(shape: str, seed: int) -> None:
    """Noise within the standard errors changes no name."""
    errors = SHAPES[shape] + np.random.default_rng(seed).normal(0, 0.005, 25)
    assert shape_of(check(M, errors, np.full(25, 0.005))) == shape


def test_three_points_have_no_shape() -> None:
    """Fewer than four points are too short."""
    assert shape_of(check(M[:3], SHAPES["decreasing"][:3])) == "too short"
