"""Bytes that a job holds at its peak, from the arrays that it makes."""

from __future__ import annotations

from takeoff.planning.cells import Width
from takeoff.planning.costs import NETWORK, Task

MIB = 2.0**20
# A process with its libraries, before it does anything.
LIBRARIES = {NETWORK: 480 * MIB, "other": 170 * MIB}
STATISTICS = 260 * MIB
FLOAT, DOUBLE = 4, 8
PREDICTED_AT_ONCE = 2**11  # rows
CACHE = 5 * MIB  # of networks side by side on a CPU
SNAPSHOTS = 6  # numbers for each parameter that a pilot keeps


def stored(width: Width) -> float:
    """Of the prepared examples, which are mapped from their file."""
    return float(width.n_pool + width.n_test) * width.n_features * width.stored


def preparing(width: Width) -> float:
    """To make a data set: its arrays, and a copy while they are written."""
    return LIBRARIES["other"] + 2 * stored(width)


def training(task: Task, width: Width) -> float:
    """To train the largest cell of a curve."""
    rows = task.n_train + task.n_validation
    examples = FLOAT * task.n_features * (rows + min(task.n_test, PREDICTED_AT_ONCE))
    library = LIBRARIES.get(task.kind, LIBRARIES["other"])
    return library + stored(width) + examples + _own(task)


def _own(task: Task) -> float:
    """What the learner adds."""
    n, d = float(task.n_train), float(task.n_features)
    if task.kind == "svm_rbf":  # the kernels, and libsvm's copy in single precision
        return (DOUBLE + FLOAT) * n * n + FLOAT * n * task.n_validation
    if task.kind == "gradient_boosting":  # columns in another order, and their bins
        return (FLOAT + 1) * n * d
    if task.kind == NETWORK:
        return CACHE + FLOAT * SNAPSHOTS * task.n_params * task.settings * 24
    return 3 * DOUBLE * d * d
