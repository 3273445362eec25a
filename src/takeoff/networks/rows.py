"""Examples for a batch of networks: gathered as they are stored, scaled where they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from takeoff.networks.device import free_memory
from takeoff.networks.losses import CrossEntropy, SquaredError
from takeoff.scaling import CLIP, FARTHEST, Scaling, Target

RESIDENT_SHARE = 0.5  # of the device's free memory that stored examples may take


class Map(NamedTuple):
    """Takes what `Rows` reads to a network's input: (read - offset) * factor.

    Attributes:
        offset: [d].
        factor: [1], or [d] where each feature has its own.
    """

    offset: torch.Tensor
    factor: torch.Tensor


class Room(NamedTuple):
    """Where rows of one shape are put; all but `shape` share two or three pieces of memory.

    Attributes:
        shape: [R, B] of the row numbers.
        stored, read: Rows as they are stored, [R B, d] and [R, B, d].
        found: Scaled, [R, B, d]; where rows are stored as floats, this is `read`.
    """

    shape: torch.Size
    stored: torch.Tensor
    read: torch.Tensor
    found: torch.Tensor


class Rows:
    """Stored examples [N, d]: numbers, or one byte a feature and the numbers that bytes stand for.

    Gathering bytes moves a quarter of what floats would, and nothing is copied for the cells:
    they are all subsets of one array. It lies on the device if it fits, otherwise it stays where
    it is (in memory or in a memory-mapped file) and each batch is sent over.

    Levels that are evenly spaced need no table: byte * step + first is folded into the scaling.

    Args:
        x: uint8, or float32 where `levels` is None; NaN is missing.
        levels: The number that each byte stands for, [256].
        device: Where networks are trained.
        clipped: Which features are clipped once they are scaled, bool [d]; None for none.
    """

    def __init__(
        self,
        x: npt.NDArray[Any],
        levels: npt.NDArray[np.float32] | None,
        device: torch.device,
        clipped: npt.NDArray[np.bool_] | None = None,
    ):
        self.device = device
        self.resident = device.type == "cpu" or x.nbytes <= RESIDENT_SHARE * free_memory(device)
        stored = torch.from_numpy(x)
        self.stored = stored.to(device) if self.resident else stored
        self.first, self.step, self.levels = 0.0, None if levels is not None else 1.0, None
        if levels is not None:
            self.first, self.step = float(levels[0]), _even_step(levels)
            self.levels = torch.from_numpy(levels).to(device)
        self.bend = None
        if clipped is not None:
            # z / sqrt(1 + bend z^2) is the clipped z, and z itself where this is 0
            self.bend = torch.from_numpy(clipped.astype(np.float32) / CLIP**2).to(device)
        self._buffers: dict[str, torch.Tensor] = {}
        self._room: Room | None = None

    def map(self, scaling: Scaling) -> Map:
        """What gives the scaled features, before they are clipped."""
        offset = torch.from_numpy(scaling.center.astype(np.float64))
        scale = torch.from_numpy(np.atleast_1d(scaling.scale).astype(np.float64))
        if self.step is None:
            return Map(offset.float().to(self.device), (1.0 / scale).float().to(self.device))
        offset = (offset - self.first) / self.step
        return Map(offset.float().to(self.device), (self.step / scale).float().to(self.device))

    def gather(
        self, rows: torch.Tensor, offsets: torch.Tensor, factors: torch.Tensor
    ) -> torch.Tensor:
        """Scaled examples, 0 where a value is missing, in a buffer that the next call overwrites.

        Args:
            rows: [R, B] row numbers, on the device if the rows are resident, else on the host.
            offsets: [R, 1, d].
            factors: [R, 1, 1] or [R, 1, d].

        Returns:
            float32 [R, B, d] on the device.
        """
        room = self._room_for(rows.shape)
        found = torch.sub(self._read(rows, room), offsets, out=room.found).mul_(factors)
        if self.levels is None:
            found.nan_to_num_(0.0)
        if self.bend is not None:
            found.clamp_(-FARTHEST, FARTHEST)
            work = self._buffer("work", found.shape, torch.float32)
            torch.mul(found, found, out=work)
            found.div_(work.mul_(self.bend).add_(1.0).sqrt_())
        return found

    def _read(self, rows: torch.Tensor, room: Room) -> torch.Tensor:
        """The rows [R, B, d] as they are stored; where their levels are uneven, these."""
        if self.resident:
            torch.index_select(self.stored, 0, rows.reshape(-1), out=room.stored)
            read = room.read
        else:
            read = self.stored[rows].to(self.device, non_blocking=True)
        if self.levels is None or self.step is not None:
            return read
        levels = room.found.view(-1)
        torch.index_select(self.levels, 0, read.view(-1).int(), out=levels)
        return room.found

    def _room_for(self, shape: torch.Size) -> Room:
        """That of the last call, if it was for the same shape; its memory otherwise, or more."""
        if self._room is None or self._room.shape != shape:
            size = torch.Size([*shape, self.stored.shape[1]])
            found = read = self._buffer("floats", size, torch.float32)
            if self.stored.dtype != torch.float32:
                read = self._buffer("stored", size, self.stored.dtype)
            self._room = Room(shape, read.flatten(0, 1), read, found)
        return self._room

    def _buffer(self, name: str, size: torch.Size, dtype: torch.dtype) -> torch.Tensor:
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size.numel():
            buffer = torch.empty(size.numel(), dtype=dtype, device=self.device)
            self._buffers[name] = buffer
        return buffer[: size.numel()].view(size)


class Labels:
    """What the networks of a batch are trained towards: labels of all rows, and their weights.

    Args:
        labels: int64 classes, or float64 numbers, [N].
        weights: How much each row counts, [N]; None: all the same.
        device: Where networks are trained.
    """

    def __init__(
        self,
        labels: npt.NDArray[Any],
        weights: npt.NDArray[np.float64] | None,
        device: torch.device,
    ):
        self.device = device
        self.are_numbers = labels.dtype == np.float64
        self.loss: type[CrossEntropy | SquaredError] = CrossEntropy
        self.labels = torch.from_numpy(labels)
        if self.are_numbers:
            self.loss = SquaredError  # numbers stay on the host: not every device has doubles
        else:
            self.labels = self.labels.to(device)
        self.weights = None if weights is None else torch.from_numpy(weights)

    def targets(
        self, rows: torch.Tensor, at_hand: torch.Tensor, scales: Sequence[Target | None]
    ) -> torch.Tensor:
        """What `loss` takes for rows [..., R, B], on the device.

        Args:
            rows: On the host.
            at_hand: The same on the device.
            scales: Of each of the R networks, the scale of its numbers.
        """
        if not self.are_numbers:
            return self.labels.index_select(0, at_hand.view(-1)).view(at_hand.shape)
        known = [scale for scale in scales if scale is not None]
        centers = torch.tensor([scale.center for scale in known], dtype=torch.float64)
        sizes = torch.tensor([scale.scale for scale in known], dtype=torch.float64)
        standard = (self.labels[rows] - centers[:, None]) / sizes[:, None]
        return standard.float().to(self.device)

    def counts(self, rows: torch.Tensor, means: Sequence[float]) -> torch.Tensor | None:
        """Weights of rows [..., R, B] in units of the R networks' means, on the device, or None."""
        if self.weights is None:
            return None
        units = torch.tensor(means, dtype=torch.float64)[:, None]
        return (self.weights[rows] / units).float().to(self.device)

    def mean(self, rows: torch.Tensor) -> float:
        """Mean weight of some rows."""
        return 1.0 if self.weights is None else float(self.weights[rows].mean())


def _even_step(levels: npt.NDArray[np.float32]) -> float | None:
    """The distance between neighbouring levels, or None if it is not the same everywhere."""
    step = (float(levels[-1]) - float(levels[0])) / (len(levels) - 1)
    even = float(levels[0]) + step * np.arange(len(levels))
    return step if step > 0 and np.allclose(levels, even, rtol=1e-6, atol=1e-6 * step) else None
