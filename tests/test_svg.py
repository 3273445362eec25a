"""Figures that became part of the page show what they showed."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path as File
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from takeoff.paper import figures, svg
from takeoff.paper.looks import Look
from takeoff.paper.svg import FINE, UNITS, Path

matplotlib.use("svg")
LOOKS = [("--s0", Look("#56a0d8", "#7ec0f0", "-", "o"))]
COORDINATE = st.floats(-600, 600).map(lambda number: round(number, 6))
LINES = st.lists(st.tuples(COORDINATE, COORDINATE), min_size=2, max_size=30)


def d(line: list[tuple[float, float]]) -> str:
    """A line in matplotlib's spelling."""
    return "\n".join(f"{'L' if i else 'M'} {x} {y}" for i, (x, y) in enumerate(line))


def read(path: str) -> list[tuple[int, int]]:
    """The absolute places that a written path goes through."""
    at, start, places = (0, 0), (0, 0), []
    for command, numbers in re.findall(r"([a-z])([^a-z]*)", path):
        told = [int(number) for number in re.findall(r"-?\d+", numbers)]
        if command == "z":
            at = start
            continue
        if command in "hv":
            told = [part for n in told for part in ((n, 0) if command == "h" else (0, n))]
        for dx, dy in zip(told[::2], told[1::2], strict=True):
            at = (at[0] + dx, at[1] + dy)
            places.append(at)
            start = at if command == "m" else start
    return places


def inlined(figure: Figure, tmp_path: File, alt: str = "a") -> ElementTree.Element:
    file = tmp_path / "f.svg"
    figures.save(figure, file, "f")
    return ElementTree.fromstring(svg.inline("f", file.read_text(), alt, LOOKS))


def paths(root: ElementTree.Element) -> list[ElementTree.Element]:
    return root.findall(".//{*}path")


@given(LINES)
def test_a_path_goes_where_it_went(line: list[tuple[float, float]]) -> None:
    """To the nearest unit, without errors that add up; repeated places may go."""
    rounded = [(round(UNITS * x), round(UNITS * y)) for x, y in line]
    once = [place for i, place in enumerate(rounded) if i == 0 or place != rounded[i - 1]]
    found = read(str(Path.read(d(line))))
    assert [place for i, place in enumerate(found) if i == 0 or place != found[i - 1]] == once


@given(LINES)
def test_a_simplified_line_misses_nothing(line: list[tuple[float, float]]) -> None:
    """Every point that went is close to the line that is left; ends stay."""
    whole, fewer = Path.read(d(line)), Path.read(d(line)).simplified()
    left = fewer.places
    assert left[0] == whole.places[0] and left[-1] == whole.places[-1]
    pairs = list(pairwise(left)) or [(left[0], left[0])]
    for place in whole.places:
        assert min(svg._distance(place, *pair) for pair in pairs) <= FINE + 1e-9


def test_spellings_of_segments() -> None:
    """Level and upright lines, curves, closed parts and new starts."""
    path = "M 10 20 L 12 20 L 12 25 C 13 25 14 26 15 27 Q 1 2 3 4 z M 5 5 L 6 7"
    told = "m10,20h2v5c1,0,2,1,3,2q-14-25-12-23zm-5-15l1,2"
    assert str(Path.read(path)) == re.sub(r"\d+", lambda n: str(UNITS * int(n[0])), told)


def test_circles_are_arcs(tmp_path: File) -> None:
    """matplotlib's eight curves become two half circles of the same radius and centre."""
    figure = Figure(figsize=(2, 2))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.plot([0.5], [0.5], "o", markersize=10, markeredgewidth=0, color="#ff0000")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.axis("off")
    (path,) = paths(inlined(figure, tmp_path))
    x = y = 72 * UNITS
    radius = 5 * UNITS
    arcs = f"a{radius},{radius},0,1,0,{2 * radius},0,{radius},{radius},0,1,0-{2 * radius},0z"
    assert path.get("d") == f"m{x - radius},{y}{arcs}"


def test_markers_stand_where_they_stood(tmp_path: File) -> None:
    """Many marks of one kind are one path that has them at its points."""
    figure = Figure(figsize=(2, 2))
    ax = figure.add_axes((0, 0, 1, 1))
    x, y = np.array([0.1, 0.4, 0.9]), np.array([0.2, 0.8, 0.3])
    ax.plot(x, y, "s", color="#56a0d8", gid="a:series")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.axis("off")
    root = inlined(figure, tmp_path)
    (series,) = root.findall(".//{*}g[@data-s]")
    (marked,) = series.findall("{*}path")
    assert series.get("data-s") == "a" and marked.get("data-m") == ""
    size = 144 * UNITS
    assert read(marked.get("d", "")) == [
        (round(size * a), round(size * (1 - b))) for a, b in zip(x, y, strict=True)
    ]
    name = re.search(r"marker:url\(#(.*?)\)", marked.get("style", ""))
    (marker,) = root.findall(".//{*}marker")
    assert name and marker.get("id") == name[1]
    assert "fill:var(--s0)" in (marker[0].get("style") or "")


def test_only_what_sticks_out_is_clipped(tmp_path: File) -> None:
    """A line within its panel needs no clip path; one that leaves it keeps it."""
    figure = Figure(figsize=(2, 2))
    ax = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    ax.plot([0.1, 0.9], [0.1, 0.9], color="#010203")
    ax.plot([0.1, 3], [0.1, 3], color="#030201")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    root = inlined(figure, tmp_path)
    clipped = {one.get("style", ""): one.get("clip-path") for one in paths(root)}
    within, beyond = (next(c for s, c in clipped.items() if colour in s)
                      for colour in ("#010203", "#030201"))  # fmt: skip
    (clip,) = root.findall(".//{*}clipPath")
    assert within is None and beyond == f"url(#{clip.get('id')})"
    sides = [int(clip[0].get(side, 0)) for side in ("x", "y", "width", "height")]
    assert sides == [round(144 * UNITS * share) for share in (0.1, 0.1, 0.8, 0.8)]


def test_texts_stand_where_they_stood(tmp_path: File) -> None:
    """With their turn, their size and their ink, also where they have several lines."""
    figure = Figure(figsize=(2, 2))
    figure.text(0.5, 0.25, "<level>", fontsize=8, color=figures.INK)
    figure.text(0.25, 0.5, "one\ntwo", rotation=90)
    root = inlined(figure, tmp_path)
    texts = {"".join(text.itertext()): text for text in root.findall(".//{*}text")}
    assert set(texts) == {"<level>", "one", "two"}
    level = texts["<level>"]
    assert (level.get("x"), level.get("transform")) == (str(72 * UNITS), None)
    assert f"font-size:{8 * UNITS}px" in level.get("style", "")
    assert "fill:var(--ink)" in level.get("style", "")
    for name in ("one", "two"):
        x, y = texts[name].get("x"), texts[name].get("y")
        assert texts[name].get("transform") == f"rotate(-90 {x} {y})"


def test_widths_that_are_not_said_stay_a_point(tmp_path: File) -> None:
    """matplotlib leaves a width of one point out, which is less than that in the page's units."""
    figure = Figure(figsize=(2, 2))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.plot([0, 1], [0, 1], linewidth=1, color="#010203")
    ax.axis("off")
    (line,) = paths(inlined(figure, tmp_path))
    assert f"stroke-width:{UNITS}" in line.get("style", "")


def test_what_is_not_known_is_refused() -> None:
    """A group that is moved as a whole would be drawn in the wrong place."""
    moved = '<svg xmlns="http://www.w3.org/2000/svg"><g transform="translate(1 2)"></g></svg>'
    with pytest.raises(ValueError, match="moved as a whole"):
        svg.inline("f", moved, "a", [])
    turned = '<svg xmlns="http://www.w3.org/2000/svg"><text transform="skewX(3)">a</text></svg>'
    with pytest.raises(ValueError, match="skewX"):
        svg.inline("f", turned, "a", [])
