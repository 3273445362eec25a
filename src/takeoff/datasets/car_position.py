"""Generated pictures of a road with one car on it, which has to be found: the data sheet.

What is drawn. A camera 2 m above a flat road looks ahead and takes a grey picture of 24 x 32
pixels. The road is a little curved, has three lanes of 3 m with dashed lines between them and
solid ones at its edges; its greys, those of the verge and of the sky, and the brightness of the
paint change from picture to picture, and so does the whole exposure. The camera isn't quite in the
middle of its lane, and pitches and yaws a little. Up to three upright things (posts, trees, parked
vans, houses) stand beside the road, and in a third of the pictures a shadow lies across it. Then
one car: a dark patch under it, a body, a cabin, in half of the pictures two lamps. Its distance is
uniform in the logarithm between 8 and 27 m, its place across the road uniform. The sensor adds
noise to every pixel.

The label is the place of the car as someone has noted it, with an error of 0.15 m sideways and of
3 % in the distance (both normal). Three tasks are made of it: `car_position`, in which of nine
cells (three lanes, three distances) it is; `car_offset`, how far to the side of the camera's lane
in metres; and `car_distance`, how far away in metres.

Why it is like the real thing. What makes the task hard for a camera is here: perspective, things
that look like a car but are none, light that changes, a car that differs little from the road, and
labels that people have made. Where a car stands is told by few pixels, which no one has pointed
out.

What it lacks. Other cars, bends, hills, rain, night, texture, colour, and all that a second
picture would tell. Cars and things are boxes.

What is known. P(label | where the car really is) is known exactly, but an example is a picture,
which shows less than that. So the error of whoever knew the true place is a *lower bound* of the
error of the best possible decision on pictures, and is called one. Test errors are expectations
under that probability: given the true place, the label has no more to do with the picture.

Hand-made features: profiles of the rows and columns below the horizon (mean grey, what stands out
from its row, darkness, edges) and centroids of them, of the picture with its own mean and contrast
taken out.

How its numbers were set. The camera, the road and the car are what they are like; what they leave
open was revised once, after learners had been seen on a first version: that had 24 x 24 pixels
with cars of up to three pixels and twelve cells, of which little was learned from 3,000 pictures.
So the car was made larger, the picture wider, and the cells nine. A study's pictures are drawn from
its own seed.

Streams: row k of a stream depends on the seed and on k alone, not on how many are drawn. The same
numpy on the same platform gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from takeoff.datasets.base import Bytes, Dataset, Floats, Probabilities

NAME = "car_position"
LANES = ("left lane", "middle lane", "right lane")
BANDS = ("near", "in between", "far")
CLASSES = tuple(f"{lane}, {band}" for lane in LANES for band in BANDS)

HEIGHT, WIDTH = 24, 32
HORIZON = 6.0  # row, of a camera that doesn't pitch
MIDDLE = (WIDTH - 1) / 2
FOCAL = 30.0  # pixels
CAMERA = 2.0  # metres above the road
PITCH, YAW = 0.5, 0.5  # standard deviations, pixels
CURVATURE, OFF_CENTRE = 0.003, 0.25  # standard deviations, 1 / (2 metres) and metres

LANE = 3.0  # metres
NEAREST, FARTHEST = 8.0, 27.0  # metres, of the car
BAND_ENDS = (12.0, 18.0)
LANE_ENDS = (-LANE / 2, LANE / 2)
OFFSET_SD, DISTANCE_SD = 0.15, 0.03  # of what was noted: metres; share of the distance

LINES = (1.5 * LANE, 0.5 * LANE)  # metres to the side: solid edges, dashed lines
LINE_WIDTH, DASH, BLUR = 0.15, 4.0, 0.1  # metres
SMALLEST_DROP = 0.35  # rows below the horizon where the road begins
N_THINGS = 3
SHADOWED, LIT = 0.35, 0.5  # share of the pictures with a shadow, and with lamps
EXPOSURE, BRIGHTNESS, SENSOR = 0.15, 6.0, 6.0  # standard deviations: of log, grey, grey
ROUGH = 128.0  # standard deviation of the sum of three random bytes, nearly normal

BLOCK, AT_ONCE = 1024, 64  # rows drawn from one generator; rows that stay in the cache
POOL, TEST = 1, 2
# Keeps these random numbers apart from those of other data sets with the same seed.
KEY = int.from_bytes(NAME.encode(), "big")
GROUND = 7  # the first row that is always below the horizon
ROWS, COLUMNS = np.arange(HEIGHT, dtype=np.float32), np.arange(WIDTH, dtype=np.float32)

Doubles = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.floating[Any]]  # in single precision, for speed


@dataclass(frozen=True)
class Scenes:
    """Pictures and where their cars are.

    Attributes:
        pictures: Grey values, [n, HEIGHT * WIDTH].
        place: Where the car is: metres to the right of the camera's lane, and ahead, [n, 2].
        noted: The same as someone has noted it, [n, 2].
    """

    pictures: Bytes
    place: Doubles
    noted: Doubles

    @property
    def cell(self) -> npt.NDArray[np.int64]:
        """The class of each noted place, [n]."""
        lane = np.searchsorted(LANE_ENDS, self.noted[:, 0], side="right")
        band = np.searchsorted(BAND_ENDS, self.noted[:, 1], side="right")
        return np.asarray(lane * len(BANDS) + band, dtype=np.int64)


def prepare(seed: int, pool: int, test: int, cache: Path) -> Dataset:
    """Draw pictures; the class is the lane and the distance of the car.

    Args:
        seed: Makes the pool and the test set.
        pool: Number of pictures to draw subsets from.
        test: Number of pictures in the test set.
        cache: Not used: nothing is downloaded.
    """
    first, second = draw(seed, POOL, pool), draw(seed, TEST, test)
    return Dataset(
        **about(NAME, "Car position", "in which lane and at which distance the car is"),
        **examples(first, second),
        classes=CLASSES,
        y_pool=first.cell,
        y_test=second.cell,
        posterior_test=posterior(second.place),
    )


def about(name: str, title: str, task: str) -> dict[str, Any]:
    """What the data sets made of these pictures say of themselves alike."""
    return {
        "name": name,
        "title": title,
        "task": task,
        "description": "Generated pictures of a road ahead with one car on it, among roadside "
        "clutter, shadows and changing light",
        "source": "drawn by takeoff from the study's seed",
        "licence": "MIT",
        "citation": "",
        "generated": True,
        "floor_is_bound": True,
    }


def examples(pool: Scenes, test: Scenes) -> dict[str, Any]:
    """The pictures, and their hand-made features."""
    return {
        "x_pool": pool.pictures,
        "x_test": test.pictures,
        "levels": (np.arange(256) / 255).astype(np.float32),
        "hand_pool": hand_made(pool.pictures),
        "hand_test": hand_made(test.pictures),
    }


def draw(seed: int, stream: int, n: int) -> Scenes:
    """The first n pictures of a stream."""
    pictures = np.empty((n, HEIGHT * WIDTH), dtype=np.uint8)
    place, noted = np.empty((n, 2)), np.empty((n, 2))
    start = 0
    for part in chunks(seed, stream, n):
        rows = slice(start, start + len(part.place))
        pictures[rows], place[rows], noted[rows] = part.pictures, part.place, part.noted
        start = rows.stop
    return Scenes(pictures, place, noted)


def chunks(seed: int, stream: int, n: int) -> Iterator[Scenes]:
    """The first n pictures of a stream in portions, so that memory doesn't grow with n.

    Args:
        seed, stream: Decide on the pictures; streams (`POOL`, `TEST`) are independent.
        n: Number of pictures.
    """
    for start in range(0, n, AT_ONCE):
        if start % BLOCK == 0:
            sequence = np.random.SeedSequence(seed, spawn_key=(KEY, stream, start // BLOCK))
            random = np.random.Generator(np.random.SFC64(sequence))
        # A portion is always drawn whole, so the first rows don't depend on n.
        whole, stop = _draw_portion(random), min(AT_ONCE, n - start)
        yield Scenes(whole.pictures[:stop], whole.place[:stop], whole.noted[:stop])


def posterior(place: Doubles) -> Probabilities:
    """P(class | true place) of places [n, 2]: [n, 9]."""
    from scipy.special import ndtr

    offset, distance = place[:, :1], place[:, 1:]
    below_lane = ndtr((np.array(LANE_ENDS) - offset) / OFFSET_SD)
    below_band = ndtr(np.log(np.array(BAND_ENDS) / distance) / DISTANCE_SD)
    lane, band = (
        np.diff(below, axis=1, prepend=0.0, append=1.0) for below in (below_lane, below_band)
    )
    return np.asarray((lane[:, :, None] * band[:, None, :]).reshape(len(place), -1))


# The pictures


class _Draws:
    """Random numbers for the pictures of one portion, [AT_ONCE] each."""

    def __init__(self, random: np.random.Generator):
        self._random = random

    def uniform(self, low: float, high: float) -> Numbers:
        drawn = self._random.random(AT_ONCE, dtype=np.float32)
        return drawn * np.float32(high - low) + np.float32(low)

    def log_uniform(self, low: float, high: float) -> Numbers:
        return np.asarray(np.exp(self.uniform(np.log(low), np.log(high))))

    def normal(self, sd: float) -> Numbers:
        return self._random.standard_normal(AT_ONCE, dtype=np.float32) * np.float32(sd)

    def chance(self, share: float) -> Numbers:
        """1 in this share of the pictures, 0 in the others."""
        return (self._random.random(AT_ONCE, dtype=np.float32) < share).astype(np.float32)

    def grain(self) -> Numbers:
        """Noise of every pixel, [AT_ONCE, HEIGHT, WIDTH]."""
        count = AT_ONCE * HEIGHT * WIDTH
        bytes_ = np.frombuffer(self._random.bytes(3 * count), dtype=np.uint8).reshape(3, -1)
        total = bytes_.sum(axis=0, dtype=np.int16).astype(np.float32)
        total -= np.float32(3 * 255 / 2)
        total *= np.float32(SENSOR / ROUGH)
        return np.asarray(total.reshape(AT_ONCE, HEIGHT, WIDTH))


@dataclass(frozen=True)
class _Camera:
    """How the camera of each picture looks on the road, [n] each."""

    horizon: Numbers
    yaw: Numbers
    curvature: Numbers
    off_centre: Numbers

    def column(self, offset: Numbers, distance: Numbers) -> Numbers:
        """Where something to the side, at a distance, both in metres, appears; any shape."""
        bend = self.curvature * distance
        return (
            np.float32(MIDDLE) + self.yaw + FOCAL * (bend + (offset - self.off_centre) / distance)
        )

    def foot(self, distance: Numbers) -> Numbers:
        """The row where something at this distance stands on the road."""
        return self.horizon + np.float32(FOCAL * CAMERA) / distance

    def by_rows(self) -> _Camera:
        """The same for arrays [n, HEIGHT]."""
        return _Camera(*(value[:, None] for value in vars(self).values()))


def _draw_portion(random: np.random.Generator) -> Scenes:
    draws = _Draws(random)
    offset, distance = draws.uniform(-1.5 * LANE, 1.5 * LANE), draws.log_uniform(NEAREST, FARTHEST)
    camera = _Camera(*(draws.normal(sd) for sd in (PITCH, YAW, CURVATURE, OFF_CENTRE)))
    camera = _Camera(**{**vars(camera), "horizon": camera.horizon + np.float32(HORIZON)})
    picture = _road(draws, camera)
    _shade(picture, draws, camera)
    for _ in range(N_THINGS):
        _add_thing(picture, draws, camera)
    _add_car(picture, draws, camera, offset, distance)
    picture *= np.exp(draws.normal(EXPOSURE))[:, None, None]
    picture += draws.normal(BRIGHTNESS)[:, None, None]
    picture += draws.grain()
    np.clip(picture, 0, 255, out=picture)
    noted = offset + draws.normal(OFFSET_SD), distance * np.exp(draws.normal(DISTANCE_SD))
    return Scenes(
        picture.astype(np.uint8).reshape(AT_ONCE, -1),
        np.stack([offset, distance], axis=1).astype(np.float64),
        np.stack(noted, axis=1).astype(np.float64),
    )


def _road(draws: _Draws, camera: _Camera) -> Numbers:
    """Sky, verge, road and its lines, [n, HEIGHT, WIDTH]."""
    sky, road, verge = draws.uniform(120, 230), draws.uniform(60, 120), draws.uniform(60, 150)
    paint, phase = draws.uniform(40, 110), draws.uniform(0, 2 * DASH)
    drop = ROWS - camera.horizon[:, None]
    is_ground = (drop > SMALLEST_DROP).astype(np.float32)
    distance = np.float32(FOCAL * CAMERA) / np.maximum(drop, np.float32(SMALLEST_DROP))
    metres = distance / np.float32(FOCAL)  # that a pixel is wide
    centre = camera.by_rows().column(np.zeros(1, np.float32), distance)
    aside = COLUMNS - centre[:, :, None]
    aside *= metres[:, :, None]
    np.abs(aside, out=aside)
    above = sky[:, None] - np.float32(1.5) * ROWS
    picture = (aside < 1.5 * LANE + 0.3) * ((road - verge)[:, None] * is_ground)[:, :, None]
    picture += np.where(is_ground > 0, verge[:, None], above)[:, :, None]
    is_dash = ((distance + phase[:, None]) % np.float32(2 * DASH) < DASH) * is_ground
    # A line that is thinner than a pixel is as much fainter.
    reach = np.float32(BLUR) + metres / 2
    strength = paint[:, None] * np.minimum(1, np.float32(LINE_WIDTH) / reach)
    for line, drawn in zip(LINES, (is_ground, is_dash), strict=True):
        cover = aside - np.float32(line)
        np.abs(cover, out=cover)
        cover *= (-1 / reach)[:, :, None]
        cover += 1
        np.maximum(cover, 0, out=cover)
        cover *= (strength * drawn)[:, :, None]
        picture += cover
    return np.asarray(picture, dtype=np.float32)


def _shade(picture: Numbers, draws: _Draws, camera: _Camera) -> None:
    """A shadow across the road, in some of the pictures."""
    depth = draws.chance(SHADOWED) * draws.uniform(0.15, 0.5)
    rows = _cover(ROWS, draws.uniform(8, 23), draws.uniform(0.7, 3))
    drop = ROWS - camera.horizon[:, None]
    rows *= drop > SMALLEST_DROP
    columns = _cover(COLUMNS, np.float32(MIDDLE) + draws.uniform(-10, 10), draws.uniform(3, 12))
    light = (rows * -depth[:, None])[:, :, None] * columns[:, None, :]
    light += 1
    picture *= light


def _add_thing(picture: Numbers, draws: _Draws, camera: _Camera) -> None:
    """Something upright beside the road, in some of the pictures."""
    distance, side = draws.log_uniform(8, 60), 2 * draws.chance(0.5) - 1
    column = camera.column(side * draws.uniform(6, 16), distance)
    scale = np.float32(FOCAL) / distance / 2
    half_height, half_width = scale * draws.uniform(1, 6), scale * draws.uniform(0.15, 2.2)
    rows = _cover(ROWS, camera.foot(distance) - half_height, half_height)
    rows *= draws.chance(0.6)[:, None]
    _paint(picture, rows, _cover(COLUMNS, column, half_width), draws.uniform(20, 220))


def _add_car(
    picture: Numbers, draws: _Draws, camera: _Camera, offset: Numbers, distance: Numbers
) -> None:
    column, foot = camera.column(offset, distance), camera.foot(distance)
    scale = np.float32(FOCAL) / distance  # pixels a metre
    width = scale * (np.float32(1.8) + draws.normal(0.12))
    height = scale * (np.float32(1.45) + np.abs(draws.normal(0.25)))
    grey, glass = draws.uniform(20, 235), draws.uniform(0, 60)

    def box(middle: Numbers, half_height: Numbers, half_width: Numbers, value: Numbers) -> None:
        rows = _cover(ROWS, middle, half_height)
        _paint(picture, rows, _cover(COLUMNS, column, half_width), value)

    under = foot + np.float32(0.05) * scale
    box(under, np.float32(0.12) * scale, np.float32(0.55) * width, draws.uniform(5, 40))
    body, cabin = np.float32(0.3) * height, np.float32(0.2) * height
    bottom = foot - np.float32(0.18) * scale
    box(bottom - body, body, width / 2, grey)
    box(bottom - 2 * body - cabin, cabin, np.float32(0.4) * width, grey / 2 + glass)
    lamps = [column + np.float32(side * 0.4) * width for side in (-1, 1)]
    left, right = (_cover(COLUMNS, lamp, np.float32(0.13) * scale) for lamp in lamps)
    rows = _cover(ROWS, bottom - np.float32(1.1) * body, np.float32(0.1) * scale)
    rows *= draws.chance(LIT)[:, None]
    _paint(picture, rows, np.minimum(left + right, 1), draws.uniform(150, 250))


def _cover(pixels: Numbers, centre: Numbers, half: Numbers) -> Numbers:
    """Share of each pixel, [n, pixels], that a stretch of 2 * half around the centre covers."""
    cover = half[:, None] - np.abs(pixels - centre[:, None])
    cover += np.float32(0.5)
    # A stretch that is thinner than a pixel covers no more than its width.
    return np.clip(cover, 0, np.minimum(1, 2 * half)[:, None], out=cover)


def _paint(picture: Numbers, rows: Numbers, columns: Numbers, grey: Numbers) -> None:
    """Blend a grey, [n], over the picture, where rows [n, HEIGHT] and columns [n, WIDTH] say."""
    change = grey[:, None, None] - picture
    change *= rows[:, :, None]
    change *= columns[:, None, :]
    picture += change


# Hand-made features


def hand_made(pictures: Bytes) -> Floats:
    """Profiles and centroids (see the module's docstring) of pictures [n, HEIGHT * WIDTH]."""
    # Filled portion by portion: put together at the end, they would take twice the memory.
    found = np.empty((len(pictures), _profiles(pictures[:1]).shape[1]), dtype=np.float32)
    for start in range(0, len(pictures), 8 * AT_ONCE):
        rows = slice(start, start + 8 * AT_ONCE)
        found[rows] = _profiles(pictures[rows])
    return found


def _profiles(pictures: Bytes) -> Floats:
    grey = pictures.reshape(-1, HEIGHT, WIDTH).astype(np.float32)
    grey -= grey.mean(axis=(1, 2), keepdims=True)
    grey /= grey.std(axis=(1, 2), keepdims=True) + 1
    ground = grey[:, GROUND:]
    stands_out = ground - ground.mean(axis=2, keepdims=True)
    dark, bright = np.maximum(-stands_out - 0.5, 0), np.abs(stands_out)
    upright = np.abs(np.diff(ground, axis=2))
    # Brighter above than below: the lower edge of a body over the shadow under it.
    undersides = np.maximum(grey[:, GROUND - 1 : -1] - ground, 0)
    profiles = [
        *(ground.mean(axis=1), ground.mean(axis=2)),
        *(bright.max(axis=1), bright.max(axis=2)),
        *(dark.sum(axis=1), dark.sum(axis=2)),
        *(upright.mean(axis=1), undersides.max(axis=1), undersides.max(axis=2)),
    ]
    maps = (dark, bright, upright, undersides)
    centroids = [_centroid(weights**2, axis) for weights in maps for axis in (1, 2)]
    return np.hstack([*profiles, *centroids])


def _centroid(weights: Floats, axis: int) -> Floats:
    """Mean row (axis 1) or column (axis 2) of pixels weighted with [n, h, w]: [n, 1]."""
    along = weights.sum(axis=3 - axis)
    total = along.sum(axis=1, keepdims=True) + np.float32(1e-3)
    # A matrix product would round a row otherwise, depending on how many there are.
    moment = (along * np.arange(along.shape[1], dtype=np.float32)).sum(axis=1, keepdims=True)
    return np.asarray(moment / total)
