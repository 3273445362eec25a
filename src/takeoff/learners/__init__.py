"""The learners, one small module each.

A learner module has one public function of two. Either it takes one cell at a time,

    candidates(cell, fit, training) -> Iterator[Candidate]

fits every setting of its hyper-parameter grid on the training rows of the cell, in a fixed order,
and yields each. Or it takes all cells of a curve,

    fit_together(samples, fit, training, ledger) -> None

chooses a setting for each, and enters each into the ledger as soon as it is ready. `fit` holds the
learner's part of the config, `training` the study's training settings. The module's name is the
`kind` in the config.

Labels are classes or, in regression, numbers (`Cell.is_regression`). A learner that is made for one
of them refuses the other and names the learner to take in its place. Rows may count differently
(`Cell.weights_train`).
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType


def load(kind: str) -> ModuleType:
    """Import the learner module of this kind, and only that one."""
    name = f"{__name__}.{kind}"
    if name not in sys.modules:
        with _uncollected():
            import_module(name)
    return sys.modules[name]


@contextmanager
def _uncollected() -> Iterator[None]:
    """What is made here stays to the end: the garbage collector need not look at it, ever.

    Importing a large library makes hundreds of thousands of objects. To go through them again and
    again, and once more at the end, takes a third of the time of the import of PyTorch Lightning.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
