"""How fast networks are trained, beside three usual ways, in one run on one core.

The same cells (18: six m, three repeats), the same steps, the same learning rate and schedule, the
weights with the best of ten validation losses as the result, test errors side by side:

    lightning   one Lightning fit with a DataLoader for each cell
    torch       plain PyTorch with a fused optimiser, cell by cell
    sklearn     scikit-learn's MLPClassifier, cell by cell (no validation, its own Adam)
    takeoff     all cells as one batch (it may leave out steps, where the best weights came early)

Usage: python benchmarks/training_speed.py [--quick] [--json FILE]

Microseconds are per step of one network, and so is how much faster takeoff is. A step's
floating-point operations are those of its matrix products; the peak is that of a product of two
1024 x 1024 matrices, measured in the same run. Seconds are those of the processor, so that a busy
machine does not decide.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from takeoff.datasets.base import Dataset
from takeoff.learners import mlp
from takeoff.memory import keep_freed_memory
from takeoff.training import Candidate, Sample, split

FEATURES, CLASSES, BATCH, RATE, DECAY = 64, 10, 128, 0.003, 0.01
SIZES, REPEATS = (100, 316, 1000, 3162, 10000, 31623), 3
EVALUATIONS = 10
SHAPES = {"16": [16], "128-128": [128, 128], "512-512-512": [512, 512, 512]}
BATCHES = (128, 256, 512, 1024)


@dataclass
class Outcome:
    """What one way took, and what it reached: seconds, steps, test error of each cell."""

    seconds: float
    steps: int
    errors: list[float]


def task(seed: int = 0) -> Dataset:
    """Ten classes of points in six dimensions, seen through 64 noisy features."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(50_000, 6))
    seen = np.tanh(hidden @ random.normal(size=(6, FEATURES)) + 0.3 * random.normal(size=FEATURES))
    x = np.clip(128 + 96 * seen + 24 * random.normal(size=seen.shape), 0, 255).astype(np.uint8)
    scores = np.tanh(hidden @ random.normal(size=(6, 24))) @ random.normal(size=(24, CLASSES))
    y = (scores + 0.3 * random.gumbel(size=scores.shape)).argmax(axis=1).astype(np.int64)
    return Dataset(
        name="teacher", title="Teacher", description="", task="", source="", licence="",
        citation="", generated=True, classes=tuple(map(str, range(CLASSES))), x_pool=x[:40_000],
        y_pool=y[:40_000], x_test=x[40_000:], y_test=y[40_000:],
        levels=(np.arange(256) / 128 - 1).astype(np.float32),
    )  # fmt: skip


def samples(data: Dataset) -> list[Sample]:
    """The cells of one learning curve."""
    made = []
    for m in SIZES:
        for repeat in range(REPEATS):
            order = np.random.default_rng([m, repeat]).permutation(len(data.y_pool))[:m]
            parts = split(order, {"validation_fraction": 0.2})
            made.append(Sample(data, m, repeat, *parts, seed=1000 * repeat + m))
    return made


def steps_of(sample: Sample, share: float) -> int:
    """Fifteen epochs, but 400 to 4000 steps; then that share of them."""
    return max(20, round(share * min(max(15 * len(sample.train) // BATCH, 400), 4000)))


def layers(hidden: list[int], seed: int) -> nn.Sequential:
    """The network as PyTorch's own layers."""
    torch.manual_seed(seed)
    made: list[nn.Module] = []
    for fan_in, fan_out in pairwise([FEATURES, *hidden, CLASSES]):
        layer = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
        made += [layer, nn.ReLU()]
    return nn.Sequential(*made[:-1])


def schedule(step: int, steps: int) -> float:
    """The factor of the rate that takeoff uses: constant, then linear to zero over a fifth."""
    return min(1.0, (steps - step) / (0.2 * steps))


def tensors(sample: Sample) -> dict[str, torch.Tensor]:
    """The cell's data, scaled."""
    cell = sample.cell()
    arrays = {
        "x": cell.x_train, "y": cell.y_train, "vx": cell.x_validation, "vy": cell.y_validation,
        "tx": sample.scaled(sample.data.x_test), "ty": sample.data.y_test,
    }  # fmt: skip
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


class Best:
    """The weights with the lowest validation loss so far."""

    def __init__(self) -> None:
        self.loss, self.weights = float("inf"), {}

    def note(self, network: nn.Module, loss: torch.Tensor) -> None:
        """Keep the weights if they are the best."""
        if float(loss) < self.loss:
            self.loss = float(loss)
            self.weights = {name: value.clone() for name, value in network.state_dict().items()}

    def error(self, network: nn.Module, data: dict[str, torch.Tensor]) -> float:
        """Share of the test rows that the best weights get wrong."""
        network.load_state_dict(self.weights)
        with torch.no_grad():
            return float((network(data["tx"]).argmax(1) != data["ty"]).float().mean())


def with_lightning(sample: Sample, hidden: list[int], steps: int) -> float:
    """The usual script: a module, a DataLoader, a fit."""
    import pytorch_lightning as lightning
    from torch.utils.data import DataLoader, TensorDataset

    data, best = tensors(sample), Best()

    class Net(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = layers(hidden, sample.seed)

        def training_step(self, batch: Any, index: int) -> torch.Tensor:
            return functional.cross_entropy(self.network(batch[0]), batch[1])

        def validation_step(self, batch: Any, index: int) -> None:
            best.note(self.network, functional.cross_entropy(self.network(batch[0]), batch[1]))

        def configure_optimizers(self) -> Any:
            optimizer = torch.optim.AdamW(self.parameters(), RATE, weight_decay=DECAY)
            factor = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: schedule(k, steps))
            return [optimizer], [{"scheduler": factor, "interval": "step"}]

    trainer = lightning.Trainer(
        max_steps=steps, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, check_val_every_n_epoch=None,
        val_check_interval=max(1, steps // EVALUATIONS),
    )  # fmt: skip
    net = Net()
    train = DataLoader(
        TensorDataset(data["x"], data["y"]), min(BATCH, len(data["x"])), shuffle=True,
        drop_last=True,
    )  # fmt: skip
    trainer.fit(net, train, DataLoader(TensorDataset(data["vx"], data["vy"]), 8192))
    return best.error(net.network, data)


def with_torch(sample: Sample, hidden: list[int], steps: int) -> float:
    """A loop by hand, with the fused optimiser and batches gathered as tensors."""
    data, network, best = tensors(sample), layers(hidden, sample.seed), Best()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY, fused=True)
    rows, batch = torch.empty(0, dtype=torch.int64), min(BATCH, len(data["x"]))
    for step in range(steps):
        if len(rows) < batch:
            rows = torch.randperm(len(data["x"]))
        optimizer.param_groups[0]["lr"] = RATE * schedule(step, steps)
        loss = functional.cross_entropy(network(data["x"][rows[:batch]]), data["y"][rows[:batch]])
        rows = rows[batch:]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        if (step + 1) % max(1, steps // EVALUATIONS) == 0:
            with torch.no_grad():
                best.note(network, functional.cross_entropy(network(data["vx"]), data["vy"]))
    return best.error(network, data)


def with_sklearn(sample: Sample, hidden: list[int], steps: int) -> float:
    """Epochs of MLPClassifier until the steps are taken."""
    from sklearn.neural_network import MLPClassifier

    cell = sample.cell()
    batch = min(BATCH, len(cell.x_train))
    network = MLPClassifier(
        hidden, batch_size=batch, learning_rate_init=RATE, alpha=0.0,
        max_iter=max(1, round(steps * batch / len(cell.x_train))), n_iter_no_change=10**6,
        random_state=sample.seed,
    )  # fmt: skip
    network.fit(cell.x_train, cell.y_train)
    found = network.predict(sample.scaled(sample.data.x_test))
    return float(np.mean(found != sample.data.y_test))


def one_by_one(
    way: Callable[[Sample, list[int], int], float], cells: list[Sample], hidden: list[int],
    share: float,
) -> Outcome:  # fmt: skip
    """Cell after cell."""
    started = time.process_time()
    errors = [way(sample, hidden, steps_of(sample, share)) for sample in cells]
    steps = sum(steps_of(sample, share) for sample in cells)
    return Outcome(time.process_time() - started, steps, errors)


class Tested:
    """Takes finished cells as a ledger does, and keeps their test errors."""

    checkpoint = Path("/nowhere/to/be/found")

    def __init__(self) -> None:
        self.errors: dict[tuple[int, int], float] = {}
        self.taken = 0

    def plan(self, steps: int) -> None:
        pass

    def steps(self, n: int) -> None:
        self.taken += n

    def finish(self, sample: Sample, best: Candidate, seconds: float) -> None:
        found = best.predict(sample.scaled(sample.data.x_test)).argmax(axis=1)
        self.errors[sample.m, sample.repeat] = float(np.mean(found != sample.data.y_test))


def with_takeoff(cells: list[Sample], hidden: list[int], share: float) -> Outcome:
    """One batch, as in a study, without tuning and early stops."""
    ledger, training = Tested(), settings(share)
    started = time.process_time()
    fit = {"hidden": hidden, "grid": {"learning_rate": [RATE]}}
    mlp.fit_together(cells, fit, training, ledger)  # type: ignore[arg-type]
    seconds = time.process_time() - started
    return Outcome(
        seconds, ledger.taken, [ledger.errors[sample.m, sample.repeat] for sample in cells]
    )


def settings(share: float, batch: int = BATCH) -> dict[str, Any]:
    """A study's training settings for as many steps as the others take."""
    return {
        "batch_size": batch, "epochs": 15 * share, "min_steps": max(20, round(400 * share)),
        "max_steps": max(20, round(4000 * share)), "evaluations": EVALUATIONS,
        "patience": 10**6, "pilot_fraction": 0.25, "warmup_fraction": 0.0,
        "cooldown_fraction": 0.2, "weight_decay": DECAY, "accelerator": "cpu",
        "precision": "32-true",
    }  # fmt: skip


def operations(hidden: list[int], batch: int = BATCH) -> float:
    """Floating-point operations of one step: forward, and backward but for the inputs."""
    widths = [FEATURES, *hidden, CLASSES]
    return batch * (6 * sum(a * b for a, b in pairwise(widths)) - 2 * widths[0] * widths[1])


def peak() -> float:
    """GFLOP/s of the best of many products of two 1024 x 1024 matrices."""
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    found, out = 0.0, torch.empty(1024, 1024)
    for _ in range(20):
        started = time.process_time()
        torch.mm(a, b, out=out)
        found = max(found, 2 * 1024**3 / (time.process_time() - started) / 1e9)
    return found


class Untested(Tested):
    """Leaves out the test, which is not training."""

    def finish(self, sample: Sample, best: Candidate, seconds: float) -> None:
        pass


def best_batch(cells: list[Sample], hidden: list[int]) -> dict[str, float]:
    """GFLOP/s of four of the largest networks at each batch size, of the same number of rows."""
    large = next(sample for sample in cells if sample.m == max(SIZES))
    four = [replace(large, repeat=place) for place in range(4)]
    fit, found = {"hidden": hidden, "grid": {"learning_rate": [RATE]}}, {}
    for batch in BATCHES:
        ledger, steps = Untested(), 200 * BATCHES[0] // batch
        training = settings(1.0, batch) | {"min_steps": steps, "max_steps": steps, "evaluations": 1}
        started = time.process_time()
        mlp.fit_together(four, fit, training, ledger)  # type: ignore[arg-type]
        seconds = time.process_time() - started
        found[str(batch)] = ledger.taken * operations(hidden, batch) / seconds / 1e9
    return found


def measure(share: float, shapes: dict[str, list[int]]) -> dict[str, Any]:
    """All ways for all shapes."""
    cells, figures = samples(task()), {}
    for name, hidden in shapes.items():
        steps = sum(steps_of(sample, share) for sample in cells)
        highest = peak()
        ways = {
            "takeoff": with_takeoff(cells, hidden, share),
            "torch": one_by_one(with_torch, cells, hidden, share),
            "lightning": one_by_one(with_lightning, cells, hidden, share),
            "sklearn": one_by_one(with_sklearn, cells, hidden, share),
        }
        highest = max(highest, peak())
        print(f"\nhidden {name}, {len(cells)} cells, {steps:,} steps, peak {highest:.0f} GFLOP/s")
        print(f"{'':12}{'seconds':>9}{'us/step':>9}{'GFLOP/s':>9}{'of peak':>9}{'takeoff is':>12}"
              f"{'error, smallest m':>19}{'largest m':>11}")  # fmt: skip
        rows = {}
        for way, outcome in ways.items():
            each = outcome.seconds / outcome.steps
            rate = operations(hidden) / each / 1e9
            faster = each * ways["takeoff"].steps / ways["takeoff"].seconds
            first, last = np.mean(outcome.errors[:REPEATS]), np.mean(outcome.errors[-REPEATS:])
            rows[way] = {
                "seconds": outcome.seconds, "steps": outcome.steps,
                "microseconds_per_step": 1e6 * each,
                "gflops": rate, "share_of_peak": rate / highest, "takeoff_faster": faster,
                "errors": outcome.errors,
            }  # fmt: skip
            print(f"{way:12}{outcome.seconds:9.1f}{1e6 * each:9.0f}{rate:9.1f}"
                  f"{rate / highest:9.0%}{faster:11.1f}x{first:19.3f}{last:11.3f}")  # fmt: skip
        figures[name] = {"steps": steps, "peak_gflops": highest, "ways": rows}
    name, hidden = list(shapes.items())[-1]
    rates, highest = best_batch(cells, hidden), peak()
    print(f"\nhidden {name} by batch size: "
          + ", ".join(f"{batch}: {rate:.0f} GFLOP/s ({rate / highest:.0%} of {highest:.0f})"
                      for batch, rate in rates.items()))  # fmt: skip
    figures["batch_size"] = {"gflops": rates, "peak_gflops": highest}
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--quick", action="store_true", help="without the largest network, few steps"
    )
    parser.add_argument("--share", type=float, help="of the steps, instead of all")
    parser.add_argument("--shapes", nargs="+", choices=SHAPES)
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    warnings.simplefilter("ignore")
    share = chosen.share or (0.05 if chosen.quick else 1.0)
    shapes = chosen.shapes or list(SHAPES)[: 2 if chosen.quick else 3]
    figures = measure(share, {name: SHAPES[name] for name in shapes})
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
