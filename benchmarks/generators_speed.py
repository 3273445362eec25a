"""How fast the generated tasks are drawn, in memory that does not grow with their number.

Each task's stream is drawn once, portion by portion, as `prepare` does it (raw features included),
and thrown away. Rates are examples for a second of one core; the peak is that of the whole process,
which draws one task. spam is drawn by numpy's own `Generator.choice` and `bincount`, too, mail by
mail: the peer.

    python benchmarks/generators_speed.py [--rows 1000000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

SEED, STREAM = 1, 1
PEER_ROWS = 5_000
PICTURES = 10  # pictures cost about as much more than rows of a table


def draw_spam(rows: int) -> Iterator[int]:
    """Counts and labels of mails."""
    from takeoff.datasets import spam

    for _, labels in spam.chunks(spam.make_world(SEED), SEED, STREAM, rows):
        yield len(labels)


def draw_ad_click(rows: int) -> Iterator[int]:
    """One-hot columns and numbers of impressions."""
    from takeoff.datasets import ad_click

    width = ad_click.N_INDICATORS + len(ad_click.NUMBERS)
    for part in ad_click.chunks(ad_click.make_world(SEED), SEED, STREAM, rows):
        ad_click.fill_raw(np.zeros((len(part.clicked), width), dtype=np.float32), part)
        yield len(part.clicked)


def draw_car_position(rows: int) -> Iterator[int]:
    """Pictures, their cells and their posterior's arguments."""
    from takeoff.datasets import car_position

    for part in car_position.chunks(SEED, STREAM, rows // PICTURES):
        yield len(part.cell)


def draw_by_choice(rows: int) -> Iterator[int]:
    """The peer: mails word by word with numpy's own weighted choice."""
    from takeoff.datasets import spam

    world, random = spam.make_world(SEED), np.random.default_rng(SEED)
    probability = world.weights / spam.WHOLE
    for _ in range(min(rows, PEER_ROWS)):
        source = random.choice(len(world.share), p=world.share)
        length = max(world.shortest, min(random.poisson(world.mean_length[source]), world.longest))
        words = random.choice(world.n_buckets, length, p=probability[source])
        np.bincount(words, minlength=world.n_buckets)
        yield 1


TASKS: dict[str, Callable[[int], Iterator[int]]] = {
    "spam": draw_spam,
    "spam, numpy's choice": draw_by_choice,
    "ad_click": draw_ad_click,
    "car_position": draw_car_position,
}


def measured(task: str, rows: int) -> dict[str, float]:
    """Draw the stream of a task; run in a process of its own."""
    started = time.process_time()
    drawn = sum(TASKS[task](rows))
    seconds = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"examples": drawn, "examples a second": drawn / seconds, "peak MB": peak}


def main() -> None:
    """Print a line a task."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    found = {}
    for task in TASKS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            found[task] = one = pool.apply(measured, (task, chosen.rows))
        rate, peak = one["examples a second"], one["peak MB"]
        print(f"{task:22} {one['examples']:>12,} drawn {rate:>12,.0f} a second {peak:>6.0f} MB")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2), encoding="utf-8")


if __name__ == "__main__":
    main()
