"""Where networks are trained, and how many at once."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import torch

from takeoff.networks.replicates import Shape

# Bytes of a CPU core's caches that a batch of networks may fill: its own and its share of the last
# one. With more, networks push each other out; with less, the interpreter has more to do for each.
# For 16-16 to 512-512-512 units and 64 to 784 features the fastest number of networks filled 3 to
# 6 MB, or was one; with twelve a step took 2 (128-128, 64 features) to 18 % (64-64, 784) more.
CACHE = 5 * 2**20
ON_CPU = (1, 24)  # fewest and most networks side by side: beyond, nothing is gained
ON_ACCELERATOR = (1, 512)
ACTIVATIONS = 3  # copies of a batch's units that a step holds: values, gradients, work space
MEMORY_SHARE = 0.5  # of the accelerator's free memory that a batch may fill
FLOAT = 4  # bytes
ROW_BLOCK = 64
# Numbers of a layer that are evaluated at once: what a CPU core caches, what a GPU has room for.
EVALUATED_AT_ONCE = {"cpu": 2**18, "other": 2**28}


def capacity(device: torch.device, shape: Shape, batch: int) -> int:
    """How many networks to train side by side: what fits the cache, or the device's memory."""
    units = shape.n_features + ACTIVATIONS * (sum(shape.hidden) + shape.n_classes)
    # parameters, their gradients and two moments; the inputs and the units of each layer
    each = FLOAT * (4 * shape.n_params + batch * units)
    if device.type == "cpu":
        room, (fewest, most) = float(CACHE), ON_CPU
    else:
        room, (fewest, most) = MEMORY_SHARE * free_memory(device), ON_ACCELERATOR
    return max(fewest, min(most, int(room / each)))


def portion(device: torch.device, shape: Shape) -> int:
    """How many rows, of all networks together, to evaluate at once."""
    most = EVALUATED_AT_ONCE["cpu" if device.type == "cpu" else "other"]
    rows = most // max(shape.n_features, *shape.hidden)
    # What is left over of whole blocks costs as much as a block in a product.
    return rows // ROW_BLOCK * ROW_BLOCK or max(1, rows)


def free_memory(device: torch.device) -> int:
    """Bytes that are free on the device; on the CPU, of the machine."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def reserved(accelerator: str) -> Iterator[list[int] | int]:
    """The device for this job, in the form that Lightning's Trainer takes.

    A workflow engine counts GPUs but names none. So of several visible GPUs each job takes one
    that no other job holds, with a lock that ends with the process; when all are taken it shares
    one. With a single GPU, or none, Lightning's own choice stands. CUDA_VISIBLE_DEVICES, as a
    scheduler sets it, decides what is visible.
    """
    wants_gpu = accelerator in ("auto", "gpu")
    visible = torch.cuda.device_count() if wants_gpu and torch.cuda.is_available() else 0
    if visible < 2:
        yield 1
        return
    for index in range(visible):
        identity = torch.cuda.get_device_properties(index).uuid
        with _lock_file(Path(tempfile.gettempdir()) / f"takeoff-gpu-{identity}.lock") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                continue
            yield [index]
            return
    shared = os.getpid() % visible
    print(f"every GPU is taken by another job; sharing GPU {shared}", file=sys.stderr)
    yield [shared]


def _lock_file(path: Path) -> IO[bytes]:
    """Open for reading, which is enough to lock it, and all that another user's file allows."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        path.touch()
        path.chmod(0o644)  # whatever the umask: everyone on this machine shares its GPUs
        return path.open("rb")
