"""Gathered rows are the features of the data set, scaled."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from takeoff.networks.rows import Rows, _even_step
from takeoff.scaling import Scaling

RANDOM = np.random.default_rng(0)
STORED = RANDOM.integers(0, 256, (50, 7)).astype(np.uint8)
EVEN = (np.arange(256) / 255).astype(np.float32)
UNEVEN = np.log1p(np.arange(256)).astype(np.float32)


def gathered(rows: Rows, wanted: torch.Tensor, scalings: list[Scaling]) -> torch.Tensor:
    """What networks with these scalings get of the rows [R, B]."""
    maps = [rows.map(scaling) for scaling in scalings]
    offsets, factors = (torch.stack(parts)[:, None, :] for parts in zip(*maps, strict=True))
    return rows.gather(wanted, offsets, factors)


@pytest.mark.parametrize("levels", [EVEN, UNEVEN, -3 + 0.5 * EVEN], ids=["even", "log", "shifted"])
@pytest.mark.parametrize("resident", [True, False])
def test_a_batch_is_scaled_like_the_features(levels, resident: bool) -> None:
    """(feature - centre) / scale for each replicate's own rows, centre and scale."""
    rows = Rows(STORED, levels.astype(np.float32), torch.device("cpu"))
    rows.resident = resident
    wanted = torch.from_numpy(RANDOM.integers(0, 50, (3, 4)))
    centers = RANDOM.normal(size=(3, 7)).astype(np.float32)
    scales = [0.5, 1.0, 2.0]
    scalings = [
        Scaling(center, np.float32(scale)) for center, scale in zip(centers, scales, strict=True)
    ]
    found = gathered(rows, wanted, scalings)
    features = levels[STORED[wanted.numpy()]]
    expected = (features - centers[:, None, :]) / np.array(scales)[:, None, None]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4, atol=2e-5)


def test_only_even_levels_are_even() -> None:
    """One step between all neighbours, upwards."""
    assert _even_step(EVEN) == pytest.approx(1 / 255)
    assert _even_step(UNEVEN) is None
    assert _even_step(np.zeros(256, np.float32)) is None
    almost = EVEN.copy()
    almost[100] += 1e-3
    assert _even_step(almost) is None


def test_a_smaller_batch_after_a_larger_one() -> None:
    """The work space is used again and does not leak from one batch into the next."""
    rows = Rows(STORED, UNEVEN, torch.device("cpu"))
    none, one = torch.zeros(1, 1, 7), torch.ones(1, 1, 1)
    rows.gather(torch.arange(40)[None], none, one)
    few = rows.gather(torch.tensor([[3, 1]]), none, one)
    np.testing.assert_array_equal(few[0].numpy(), UNEVEN[STORED[[3, 1]]])
