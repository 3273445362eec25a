"""Examples for a batch of networks: gathered as stored bytes, scaled where they are used."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from takeoff.networks.device import free_memory

RESIDENT_SHARE = 0.5  # of the device's free memory that stored examples may take


class Scaling(NamedTuple):
    """Maps what `Rows` reads to a network's input: (read - offset) * factor.

    Attributes:
        offset: [d].
        factor: A number.
    """

    offset: torch.Tensor
    factor: float


class Rows:
    """Stored examples [N, d], one byte a feature, and the numbers that the bytes stand for.

    Gathering bytes moves a quarter of what floats would, and nothing is copied for the cells:
    they are all subsets of one array. It lies on the device if it fits, otherwise it stays where
    it is (in memory or in a memory-mapped file) and each batch is sent over.

    Levels that are evenly spaced need no table: byte * step + first is folded into the scaling.
    """

    def __init__(
        self, x: npt.NDArray[np.uint8], levels: npt.NDArray[np.float32], device: torch.device
    ):
        self.device = device
        self.resident = device.type == "cpu" or x.nbytes <= RESIDENT_SHARE * free_memory(device)
        stored = torch.from_numpy(x)
        self.stored = stored.to(device) if self.resident else stored
        self.first, self.step = float(levels[0]), _even_step(levels)
        self.levels = torch.from_numpy(levels).to(device)
        self._buffers: dict[torch.dtype, torch.Tensor] = {}

    def scaling(self, center: npt.NDArray[np.float32], scale: float) -> Scaling:
        """The scaling that gives (feature - center) / scale; center is [d]."""
        offset = torch.from_numpy(center.astype(np.float64))
        if self.step is None:
            return Scaling(offset.float().to(self.device), 1.0 / scale)
        offset = (offset - self.first) / self.step
        return Scaling(offset.float().to(self.device), self.step / scale)

    def gather(
        self, rows: torch.Tensor, offsets: torch.Tensor, factors: torch.Tensor
    ) -> torch.Tensor:
        """Scaled examples, in a buffer that the next call overwrites.

        Args:
            rows: [R, B] row numbers, on the device if the rows are resident, else on the host.
            offsets: [R, 1, d].
            factors: [R, 1, 1].

        Returns:
            float32 [R, B, d] on the device.
        """
        found = self._read(rows.reshape(-1)).view(*rows.shape, -1)
        return found.sub_(offsets).mul_(factors)

    def _read(self, rows: torch.Tensor) -> torch.Tensor:
        size = (len(rows), self.stored.shape[1])
        floats = self._buffer(size, torch.float32, self.device)
        if self.resident:
            stored = self._buffer(size, torch.uint8, self.device)
            torch.index_select(self.stored, 0, rows, out=stored)
        else:
            stored = self.stored[rows].to(self.device, non_blocking=True)
        if self.step is not None:
            return floats.copy_(stored)
        torch.index_select(self.levels, 0, stored.view(-1).int(), out=floats.view(-1))
        return floats

    def _buffer(
        self, size: tuple[int, int], dtype: torch.dtype, device: torch.device
    ) -> torch.Tensor:
        wanted = size[0] * size[1]
        buffer = self._buffers.get(dtype)
        if buffer is None or len(buffer) < wanted:
            buffer = self._buffers[dtype] = torch.empty(wanted, dtype=dtype, device=device)
        return buffer[:wanted].view(size)


def _even_step(levels: npt.NDArray[np.float32]) -> float | None:
    """The distance between neighbouring levels, or None if it is not the same everywhere."""
    step = (float(levels[-1]) - float(levels[0])) / (len(levels) - 1)
    even = float(levels[0]) + step * np.arange(len(levels))
    return step if step > 0 and np.allclose(levels, even, rtol=1e-6, atol=1e-6 * step) else None
