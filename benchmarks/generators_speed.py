"""How fast the generated examples are drawn, beside peers in the same run, and in how much memory.

Each task is drawn as a stream of raw features, portion by portion, and as `prepare` does: with its
world, hand-made features and what is known of the labels. Peers draw as much in the usual way: the
same mails, one at a time, with numpy's `Generator.multinomial`, and with `Generator.choice` and a
count; as many features as impressions have with scikit-learn's `make_classification`; pictures of
as many shapes, one at a time, with Pillow, and the noise of their pixels alone with numpy. Rates
are examples for a second of CPU time. The rounds are interleaved and their median is taken, so that
a busy machine slows all of them alike.

Memory is the largest resident set of a process of its own, imports and world included, that reads a
short or a long stream; and what each further example of a prepared data set adds to it, beside the
size of its features and label.

    python benchmarks/generators_speed.py [--rows 100000] [--long 10000000] [--json FILE]

Of pictures, which take longest, a tenth of the rows is drawn.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from takeoff import datasets
from takeoff.datasets import ad_click, car_position, spam
from takeoff.datasets.base import Dataset

ROUNDS = 5
PEER_ROWS = 2_000
SHORT = 20_000  # rows of a short stream
PREPARED = (100_000, 300_000)  # rows of data sets whose memory is compared
SHAPES = 9  # of a picture: a shadow, three things, and the car's five boxes


@dataclass(frozen=True)
class Task:
    """A generated data set.

    Attributes:
        stream: The first n examples, in portions.
        peers: By name, what draws n examples in another way.
        share: Of the rows that are asked for.
    """

    stream: Callable[[int], Iterator[object]]
    peers: dict[str, Callable[[int], object]]
    share: float = 1.0


def tasks() -> dict[str, Task]:
    """The tasks by name; `car_distance` and `car_offset` have the pictures of `car_position`."""
    mails, clicks = spam.make_world(0), ad_click.make_world(0)
    next(spam.chunks(mails, 0, spam.POOL, 1))  # makes the world's tables
    random = np.random.default_rng(0)
    return {
        "spam": Task(
            lambda n: spam.chunks(mails, 0, spam.POOL, n),
            {
                "numpy multinomial": lambda n: with_multinomial(mails, random, n),
                "numpy choice": lambda n: with_choice(mails, random, n),
            },
        ),
        "ad_click": Task(
            lambda n: impressions(clicks, n),
            {"make_classification": with_scikit_learn},
        ),
        "car_position": Task(
            lambda n: car_position.chunks(0, car_position.POOL, n),
            {
                "Pillow": lambda n: with_pillow(random, n),
                "numpy noise alone": lambda n: noise(random, n),
            },
            share=0.1,
        ),
    }


def impressions(world: ad_click.World, n: int) -> Iterator[object]:
    """The first n impressions of a stream, as raw features."""
    for part in ad_click.chunks(world, 0, ad_click.POOL, n):
        width = ad_click.N_INDICATORS + len(ad_click.NUMBERS)
        x = np.zeros((len(part.clicked), width), dtype=np.float32)
        ad_click.fill_raw(x, part)
        yield x


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


def with_scikit_learn(n: int) -> None:
    """Draw n examples with as many features as an impression has, 8 % of them in one class."""
    from sklearn.datasets import make_classification

    width = ad_click.N_INDICATORS + len(ad_click.NUMBERS)
    make_classification(n, width, n_informative=width // 2, weights=[0.92], random_state=0)


def with_pillow(random: np.random.Generator, n: int) -> None:
    """Draw n pictures of a road, its lines and as many boxes as there are, and noise over them."""
    from PIL import Image, ImageDraw

    height, width = car_position.HEIGHT, car_position.WIDTH
    greys = random.integers(0, 256, (n, SHAPES + 3)).tolist()
    corners = np.sort(random.uniform(0, width, (n, SHAPES, 2, 2)), axis=2).reshape(n, SHAPES, 4)
    for grey, boxes in zip(greys, corners.tolist(), strict=True):
        picture = Image.new("L", (width, height), grey[0])
        draw = ImageDraw.Draw(picture)
        draw.polygon([(15, 6), (16, 6), (width + 8, height), (-8, height)], fill=grey[1])
        for end in (-8, 6, 25, width + 8):
            draw.line([(15.5, 6), (end, height)], fill=grey[2])
        for box, value in zip(boxes, grey[3:], strict=True):
            draw.rectangle(box, fill=value)
        noisy = np.asarray(picture) + random.normal(0, car_position.SENSOR, (height, width))
        np.clip(noisy, 0, 255).astype(np.uint8)


def noise(random: np.random.Generator, n: int) -> None:
    """Draw a normal number for each pixel of n pictures."""
    for _ in range(0, n, car_position.AT_ONCE):
        pixels = (car_position.AT_ONCE, car_position.HEIGHT, car_position.WIDTH)
        random.standard_normal(pixels, dtype=np.float32)


def exhaust(stream: Iterator[object]) -> None:
    """Draw all of a stream, and keep nothing."""
    for _ in stream:
        pass


def prepare(name: str, rows: int) -> Dataset:
    """A data set with so many rows in its pool, and few to test with."""
    return datasets.prepare(name, seed=0, pool=rows, test=100, cache=Path())


def rate(action: Callable[[int], object], rows: int) -> float:
    """Examples for a second of one core."""
    start = time.process_time()
    action(rows)
    return rows / (time.process_time() - start)


def speed(name: str, task: Task, rows: int) -> dict[str, float]:
    """Print examples a second of a task and its peers, and the ratio of the stream to each."""
    ours = int(rows * task.share)
    actions: dict[str, tuple[Callable[[int], object], int]] = {
        "stream": (lambda n: exhaust(task.stream(n)), ours),
        "prepared": (lambda n: prepare(name, n), ours),
        **{peer: (action, PEER_ROWS) for peer, action in task.peers.items()},
    }
    for action, _ in actions.values():
        action(100)  # imports and tables
    rates: dict[str, list[float]] = {label: [] for label in actions}
    for _ in range(ROUNDS):
        for label, (action, count) in actions.items():
            rates[label].append(rate(action, count))
    stream = median(rates["stream"])
    for label, found in rates.items():
        print(
            f"{name:13s} {label:20s} {median(found):11,.0f} examples/s ({min(found):,.0f} to "
            f"{max(found):,.0f}), the stream draws {stream / median(found):.1f} x",
            flush=True,
        )
    return {f"{label}, examples a second": median(found) for label, found in rates.items()}


def memory(name: str, task: Task, long: int) -> dict[str, float]:
    """Print what a short and a long stream take, and an example of a prepared data set."""
    n = int(long * task.share)
    short_peak, _ = apart(name, "stream", SHORT)
    long_peak, seconds = apart(name, "stream", n)
    print(
        f"{name:13s} stream of {n:,}: {long_peak:.0f} MiB, of {SHORT:,}: {short_peak:.0f} MiB "
        f"({seconds:.0f} s of CPU time)"
    )
    data = prepare(name, 1000)
    arrays = (data.x_pool, data.y_pool, data.hand_pool)
    size = sum(array.nbytes for array in arrays if array is not None) / len(data.y_pool)
    (few, first), (many, second) = ((rows, apart(name, "prepare", rows)[0]) for rows in PREPARED)
    each = (second - first) * 2**20 / (many - few)
    print(f"{name:13s} prepared: {each:.0f} bytes an example, of which {size:.0f} stay", flush=True)
    return {"long, MiB": long_peak, "short, MiB": short_peak, "bytes an example": each}


def apart(name: str, what: str, n: int) -> tuple[float, float]:
    """The largest resident set, in MiB, of a process of its own, and its CPU seconds."""
    command = [sys.executable, __file__, "--apart", name, what, str(n)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, seconds = done.stdout.split()
    return float(peak), float(seconds)


def in_a_process_of_its_own(name: str, what: str, n: int) -> None:
    """Print MiB and seconds for `apart`."""
    start = time.process_time()
    if what == "stream":
        exhaust(tasks()[name].stream(n))
    else:
        prepare(name, n)
    print(resident(), time.process_time() - start)


def resident() -> float:
    """The largest resident set so far, in MiB, as Linux tells it.

    `getrusage` doesn't do: a process inherits that figure from the one that has started it.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> None:
    """Print rates, then memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000, help="examples a round")
    parser.add_argument("--long", type=int, default=10**7, help="examples of a long stream")
    parser.add_argument("--json", type=Path, help="write the figures here, too")
    parser.add_argument("--apart", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.apart:
        name, what, n = given.apart
        return in_a_process_of_its_own(name, what, int(n))
    found = {name: speed(name, task, given.rows) for name, task in tasks().items()}
    for name, task in tasks().items():
        found[name] |= memory(name, task, given.long)
    if given.json:
        given.json.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return None


if __name__ == "__main__":
    main()
