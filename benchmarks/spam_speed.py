"""How fast spam's mails are drawn, beside plain numpy in the same run.

Both peers draw the same mails (source, length, then words from the source's distribution), one at
a time: with `Generator.multinomial`, and with `Generator.choice` and a count. The rounds are
interleaved and their median is taken, so that a busy machine slows all of them alike.

    python benchmarks/spam_speed.py [mails a round]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np

from takeoff.datasets import spam

ROUNDS = 7
PEER_MAILS = 2_000


def with_multinomial(world: spam.World, random: np.random.Generator, n: int) -> None:
    """Draw n mails, each by one multinomial draw over the buckets."""
    probability = world.weights / spam.WHOLE
    for source, length in sources_and_lengths(world, random, n):
        random.multinomial(length, probability[source])


def with_choice(world: spam.World, random: np.random.Generator, n: int) -> None:
    """Draw n mails, each as words that are then counted."""
    probability = world.weights / spam.WHOLE
    for source, length in sources_and_lengths(world, random, n):
        words = random.choice(world.n_buckets, length, p=probability[source])
        np.bincount(words, minlength=world.n_buckets)


def sources_and_lengths(
    world: spam.World, random: np.random.Generator, n: int
) -> list[tuple[int, int]]:
    """The source of each of n mails, and its number of words."""
    source = random.choice(len(world.share), n, p=world.share)
    success = spam.LENGTH_SHAPE / (spam.LENGTH_SHAPE + world.mean_length[source])
    length = random.negative_binomial(spam.LENGTH_SHAPE, success)
    return list(zip(source, np.clip(length, world.shortest, world.longest), strict=True))


def rate(action: Callable[[], object], n: int) -> float:
    """Mails for a second of one core."""
    start = time.process_time()
    action()
    return n / (time.process_time() - start)


def main(n: int) -> None:
    """Print mails a second for drawing, for the posterior, and for both peers."""
    world = spam.make_world(seed=0)
    x, _ = spam.draw(world, 0, spam.TEST, PEER_MAILS)
    spam.posterior(world, x)  # fills the world's tables
    random = np.random.default_rng(0)
    actions: dict[str, tuple[Callable[[], object], int]] = {
        "takeoff": (lambda: spam.draw(world, 0, spam.POOL, n), n),
        "numpy multinomial": (lambda: with_multinomial(world, random, PEER_MAILS), PEER_MAILS),
        "numpy choice": (lambda: with_choice(world, random, PEER_MAILS), PEER_MAILS),
        "posterior": (lambda: spam.posterior(world, x), PEER_MAILS),
    }
    rates: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(ROUNDS):
        for name, (action, count) in actions.items():
            rates[name].append(rate(action, count))
    ours = median(rates["takeoff"])
    for name, found in rates.items():
        print(
            f"{name:18s} {median(found):10,.0f} mails/s "
            f"({min(found):,.0f} to {max(found):,.0f}), takeoff draws {ours / median(found):.1f} x"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
