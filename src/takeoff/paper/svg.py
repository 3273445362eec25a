"""A figure as matplotlib writes it -> the same as a light part of the page.

matplotlib writes each artist in groups of its own, with its whole style, six decimals and a clip
path, and each tick and marker as an element. A page of twenty figures would weigh megabytes. Here
the file is taken apart into what is drawn, in order, and put together again: artists of one style
are one path, markers sit on the points of a path, places are whole numbers of a fine unit, each
told from the one before, and a clip path stays only where something would stick out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from html import escape
from itertools import groupby, pairwise
from xml.etree import ElementTree

from takeoff.paper.looks import INK, Look
from takeoff.paper.scales import UNTOLD

UNITS = 4  # of the page's figures in a point; places are rounded to them
FINE = 0.9  # units by which a simplified line may miss a point
PALE = 2.0  # the same of a shape without an edge that lets through what is below it
CLOSE = 2  # units that something may stick out of its clip path: less than half a line's width
LENGTHS = re.compile(r"\b(font-size|stroke-width|stroke-dasharray|stroke-dashoffset):([^;]*)")
COMMAND = re.compile(r"([MLCQZz])([^MLCQZz]*)")
NUMBER = re.compile(r"-?\d+\.?\d*")
MOVED = re.compile(
    r"(?:translate\((?P<x>\S+) (?P<y>\S+)\) ?)?(?:rotate\((?P<angle>[^ )]+)(?: \S+ \S+)?\))?"
)
SERIES = re.compile(rf"([a-z0-9_]+):.*?(?:\b(legend|{UNTOLD}))?$")
XLINK = "{http://www.w3.org/1999/xlink}href"

Place = tuple[int, int]
Segment = tuple[str, tuple[Place, ...]]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Path:
    """Segments, each a command and its places, absolute and in units.

    Commands are those of SVG (m, l, c, q and z); a is half a circle to its place.
    """

    segments: tuple[Segment, ...]

    @classmethod
    def read(cls, d: str) -> Path:
        """From an attribute in which every segment has its command, as matplotlib writes it."""
        found = []
        for command, numbers in COMMAND.findall(d):
            units = list(map(_units, numbers.split()))
            places = tuple(zip(units[::2], units[1::2], strict=True))
            found.append((command.lower(), places))
        return cls(_circle(found) or tuple(found))

    @property
    def places(self) -> list[Place]:
        """All of them, those that only bend a curve included (but for circles: left and right)."""
        return [place for _, places in self.segments for place in places]

    @property
    def is_closed(self) -> bool:
        """Whether it encloses something."""
        return any(command == "z" for command, _ in self.segments)

    def moved(self, by: Place) -> Path:
        """The same elsewhere."""
        return Path(
            tuple(
                (command, tuple((x + by[0], y + by[1]) for x, y in places))
                for command, places in self.segments
            )
        )

    def simplified(self, miss: float = FINE) -> Path:
        """With fewer points on its straight segments, none missed by more than so many units."""
        kept: list[tuple[str, tuple[Place, ...]]] = []
        for straight, run in groupby(self.segments, key=lambda segment: segment[0] == "l"):
            segments = list(run)
            if straight and kept and kept[-1][1]:
                line = [kept[-1][1][-1], *(places[0] for _, places in segments)]
                kept += [("l", (place,)) for place in _fewer(line, miss)[1:]]
            else:
                kept += segments
        return Path(tuple(kept))

    def __str__(self) -> str:
        """As an attribute: each place told from the one before.

        Rounded places are subtracted, so errors don't add up; of places in a line that have become
        one, one stays.
        """
        told: list[str] = []
        at = start = (0, 0)
        last = ""
        for command, places in self.segments:
            moves = [way for x, y in places for way in (x - at[0], y - at[1])]
            at = places[-1] if places else start
            start = at if command == "m" else start
            if moves == [0, 0] and last in ("l", "h", "v"):
                continue
            command, numbers = _shorter(command, moves)
            # Two letters m in one would draw a line.
            goes_on = command == last != "m"
            told.append(numbers if goes_on else command + numbers.lstrip(","))
            last = command
        return "".join(told)


def _circle(segments: list[Segment]) -> tuple[Segment, ...] | None:
    """The circle that matplotlib draws as eight curves from its lowest point, or None."""
    if [command for command, _ in segments] != ["m", *"cccccccc", "z"]:
        return None
    corners = [places[-1] for _, places in segments[:-1]]
    (x, low), high = corners[0], corners[4][1]
    radius = abs(low - high) // 2
    y = (low + high) // 2
    if any(abs(((a - x) ** 2 + (b - y) ** 2) ** 0.5 - radius) > 1 for a, b in corners):
        return None
    left, right = (x - radius, y), (x + radius, y)
    return ("m", (left,)), ("a", (right,)), ("a", (left,)), ("z", ())


def _shorter(command: str, moves: list[int]) -> tuple[str, str]:
    """A segment, with the shorter commands for one that is level or upright."""
    if command == "l" and 0 in moves:
        command, moves = ("v", moves[1:]) if moves[0] == 0 else ("h", moves[:1])
    elif command == "a":
        radius = abs(moves[0]) // 2
        moves = [radius, radius, 0, 1, 0, *moves]
    return command, "".join(str(move) if move < 0 else f",{move}" for move in moves)


def _units(points: str) -> int:
    return round(UNITS * float(points))


def _fewer(line: list[Place], miss: float) -> list[Place]:
    """The points of a line that matter (Ramer, 1972; Douglas and Peucker, 1973)."""
    kept, todo = {0, len(line) - 1}, [(0, len(line) - 1)]
    while todo:
        first, last = todo.pop()
        missed = [_distance(line[i], line[first], line[last]) for i in range(first + 1, last)]
        if missed and max(missed) > miss:
            middle = first + 1 + missed.index(max(missed))
            kept.add(middle)
            todo += [(first, middle), (middle, last)]
    return [line[i] for i in sorted(kept)]


def _distance(place: Place, first: Place, last: Place) -> float:
    """From a place to the segment between two others."""
    dx, dy = last[0] - first[0], last[1] - first[1]
    x, y = place[0] - first[0], place[1] - first[1]
    length = dx * dx + dy * dy
    along = min(1.0, max(0.0, (x * dx + y * dy) / length)) if length else 0.0
    return float(((x - along * dx) ** 2 + (y - along * dy) ** 2) ** 0.5)


# Taking apart


@dataclass(frozen=True)
class Drawn:
    """One thing that is drawn: a path, or a text.

    Attributes:
        style: How, as an attribute.
        series: Whose it is, or "".
        part: Of a series: legend, or marks whose values are UNTOLD; or "".
        clip: Id of its clip path, or "".
        path: Its path, or None.
        at: Where markers of this shape are drawn; empty where `path` is drawn where it is.
        line: The style of a line through all of them, or "".
        text: A text with its attributes, or None.
    """

    style: str
    series: str
    part: str = ""
    clip: str = ""
    path: Path | None = None
    at: tuple[Place, ...] = ()
    line: str = ""
    text: ElementTree.Element | None = field(default=None, compare=False)

    @property
    def has_markers(self) -> bool:
        """Whether it is a shape that is drawn at several places."""
        return self.path is not None and self.path.is_closed and len(self.at) > 1

    @property
    def points(self) -> Path:
        """The line through the places of its markers."""
        return Path(tuple(("l" if i else "m", (place,)) for i, place in enumerate(self.at)))


@dataclass(frozen=True)
class _Read:
    """Of a file: its symbols and clip paths by id."""

    symbols: Mapping[str, ElementTree.Element]
    clips: Mapping[str, Box]

    @classmethod
    def of(cls, root: ElementTree.Element) -> _Read:
        symbols = {path.get("id", ""): path for path in root.iterfind(".//{*}defs/{*}path")}
        clips = {}
        for clip in root.iterfind(".//{*}clipPath"):
            rectangle = clip.find("{*}rect")
            if rectangle is not None:
                sides = (rectangle.get(name, "0") for name in ("x", "y", "width", "height"))
                x, y, width, height = map(_units, sides)
                clips[clip.get("id", "")] = (x, y, x + width, y + height)
        return cls(symbols, clips)

    def drawn(
        self, element: ElementTree.Element, owner: tuple[str, str] = ("", ""), clip: str = ""
    ) -> Iterator[Drawn]:
        """What an element draws, in order."""
        clip = element.get("clip-path", "")[len("url(#") : -1] or clip
        style = element.get("style", "")
        match element.tag.rpartition("}")[2]:
            case "svg" | "g":
                if element.get("transform"):
                    raise ValueError("a group that is moved as a whole is not known here")
                named = SERIES.match(element.get("id", ""))
                owner = (named[1], named[2] or "") if named else owner
                for child in element:
                    yield from self.drawn(child, owner, clip)
            case "path":
                if style.strip("; ") == "fill: none":
                    return  # nothing to be seen
                path = Path.read(element.get("d", "")).simplified(_tolerance(style))
                if len(path.segments) > 1:
                    yield self._clipped(Drawn(style, *owner, clip, path))
            case "use":
                yield self._clipped(self._used(element, owner, clip))
            case "text":
                yield Drawn(style, *owner, text=element)

    def _used(self, use: ElementTree.Element, owner: tuple[str, str], clip: str) -> Drawn:
        """A marker, or a shape that is used once, where it is."""
        symbol = self.symbols[use.get(XLINK, "")[1:]]
        # The symbol's own style goes before what it inherits.
        style = f"{use.get('style', '')};{symbol.get('style', '')}".strip(";")
        path = Path.read(symbol.get("d", "")).simplified(_tolerance(style))
        x, y = (_units(use.get(name, "0")) for name in ("x", "y"))
        return Drawn(style, *owner, clip, path, at=((x, y),))

    def _clipped(self, drawn: Drawn) -> Drawn:
        """Without its clip path, if nothing sticks out of that."""
        if not drawn.clip or drawn.path is None:
            return drawn
        left, top, right, bottom = self.clips[drawn.clip]
        x, y = drawn.at[0] if drawn.at else (0, 0)
        inside = all(
            left - CLOSE <= x + a <= right + CLOSE and top - CLOSE <= y + b <= bottom + CLOSE
            for a, b in drawn.path.places
        )
        return replace(drawn, clip="") if inside else drawn


def _tolerance(style: str) -> float:
    """How closely a path has to be followed."""
    return PALE if "fill-opacity" in style and "stroke:" not in style else FINE


# Putting together


def inline(figure_id: str, svg: str, alt: str, looks: Iterable[tuple[str, Look]]) -> str:
    """The SVG element, as HTML spells it.

    Args:
        figure_id: Keeps its ids apart from those of other figures.
        svg: The file's text.
        alt: Alternative text, escaped for an attribute.
        looks: Names of colours that differ on dark pages, and the looks that have them.
    """
    root = ElementTree.fromstring(svg)
    read = _Read.of(root)
    page = _Page(figure_id, read.clips, list(looks))
    groups = groupby(read.drawn(root), key=lambda one: (one.series, one.part == "legend"))
    body = "".join(
        page.group(series, is_key, _marked(_joined(list(those))))
        for (series, is_key), those in groups
    )
    scales = _panels(root) if " data-m=" in body else ""
    size = " ".join(str(_units(side)) for side in root.get("viewBox", "").split())
    return (
        f'<svg role="img" aria-label="{alt}" viewBox="{size}">'
        f"{page.definitions()}{body}{scales}</svg>"
    )


def _panels(root: ElementTree.Element) -> str:
    """What the file says of its panels' scales (see `takeoff.paper.scales`), in units."""
    found = []
    for panel in root.iterfind(".//{*}g[@data-box]"):
        told = {name: panel.get(f"data-{name}", "") for name in ("box", "title", "x", "y")}
        told["box"] = " ".join(str(_units(side)) for side in told["box"].split(" "))
        for axis in "xy":
            kind, *rest = told[axis].split(" ")
            told[axis] = " ".join([kind, *(str(_units(place)) for place in rest[:2]), *rest[2:]])
        said = (f' data-{name}="{escape(text)}"' for name, text in told.items() if text)
        found.append(f"<g{''.join(said)}/>")
    return "".join(found)


def _joined(drawn: list[Drawn]) -> list[Drawn]:
    """Lines of one style are one path, and markers of one shape and style one set of places."""
    kept: dict[object, Drawn] = {}
    for place, one in enumerate(drawn):
        key: object = place
        if one.at:
            key = (one.path, one.style, one.clip, one.part)
        elif one.path and (one.series or "fill: none" in one.style):
            key = (one.style, one.clip)
        before = kept.get(key)
        if before is None:
            kept[key] = one
        elif one.at:
            kept[key] = replace(before, at=before.at + one.at)
        elif before.path and one.path:
            kept[key] = replace(before, path=Path(before.path.segments + one.path.segments))
    return list(kept.values())


def _marked(drawn: list[Drawn]) -> list[Drawn]:
    """Lines take the markers that come right after them, if those stand at their points."""
    kept: list[Drawn] = []
    for before, one in pairwise([None, *drawn]):
        assert one is not None
        is_on_it = (
            before is not None
            and before.path is not None
            and not before.at
            and "fill: none" in before.style
            and before.clip == one.clip
            and one.has_markers
            and before.path == one.points.simplified()
        )
        if is_on_it:
            kept[-1] = replace(one, line=kept[-1].style)
        else:
            kept.append(one)
    return kept


@dataclass
class _Page:
    """Writes what is drawn; collects what has to be defined for it."""

    figure_id: str
    clips: Mapping[str, Box]
    looks: list[tuple[str, Look]]
    markers: dict[tuple[str, str], str] = field(default_factory=dict)
    clipping: set[str] = field(default_factory=set)

    def group(self, series: str, is_key: bool, drawn: Iterable[Drawn]) -> str:
        """All of one series, its place in a legend, or what belongs to none."""
        inside = "".join(
            self._texts(list(alike)) if is_text else "".join(map(self._written, alike))
            for is_text, alike in groupby(drawn, key=lambda one: one.text is not None)
        )
        if not series:
            return inside
        kind, colour = ' class="key"' if is_key else "", ""
        own = [name for name, _ in self.looks if f"var({name})" in inside]
        if len(own) == 1:
            inside = inside.replace(f"var({own[0]})", "currentColor")
            colour = f' style="color:var({own[0]})"'
        return f'<g{kind} data-s="{series}"{colour}>{inside}</g>'

    def definitions(self) -> str:
        """Of markers and clip paths."""
        found = [
            f'<marker id="{name}" markerUnits="userSpaceOnUse">'
            f'<path d="{d}" style="{style}"/></marker>'
            for (d, style), name in self.markers.items()
        ]
        for name in sorted(self.clipping):
            x, y, right, bottom = self.clips[name]
            box = (("x", x), ("y", y), ("width", right - x), ("height", bottom - y))
            sides = "".join(f' {side}="{size}"' for side, size in box)
            found.append(f'<clipPath id="{self.figure_id}-{name}"><rect{sides}/></clipPath>')
        return f"<defs>{''.join(found)}</defs>" if found else ""

    def _written(self, one: Drawn) -> str:
        if one.text is not None:
            return self._text(one.text)
        assert one.path is not None
        style, clip = self._style(one.style), ""
        if one.clip:
            self.clipping.add(one.clip)
            clip = f' clip-path="url(#{self.figure_id}-{one.clip})"'
        if not one.at:
            return f'<path d="{one.path}"{clip} style="{style}"/>'
        # The area below a curve is a shape, too; matplotlib has it at the left edge.
        told = bool(one.series) and not one.part and one.at[0][0] > 0
        if not one.has_markers:
            several = Path(tuple(s for place in one.at for s in one.path.moved(place).segments))
            places = " ".join(f"{x} {y}" for x, y in one.at)  # of one, the page sees it
            values = f' data-m="{places if len(one.at) > 1 else ""}"' if told else ""
            return f'<path d="{several}"{clip}{values} style="{style}"/>'
        name = self.markers.setdefault(
            (str(one.path), style), f"{self.figure_id}-marker-{len(self.markers)}"
        )
        clip += ' data-m=""' if told else ""
        line = f"{self._style(one.line)};" if one.line else ""
        return f'<path d="{one.points}"{clip} style="{line}marker:url(#{name})"/>'

    def _texts(self, drawn: list[Drawn]) -> str:
        """Texts, with one style for those that have the same; the first may be a legend's entry."""
        first, *others = [one.text for one in drawn if one.text is not None]
        written = self._text(first)
        for style, alike in groupby(others, key=lambda text: text.get("style", "")):
            several = list(alike)
            if len(several) == 1:
                written += self._text(several[0])
            else:
                inside = "".join(self._text(text, is_styled=False) for text in several)
                written += f'<g style="{self._style(style)}">{inside}</g>'
        return written

    def _text(self, text: ElementTree.Element, is_styled: bool = True) -> str:
        x, y, angle = _placed(text)
        turn = f' transform="rotate({angle:g} {x} {y})"' if angle else ""
        style = f' style="{self._style(text.get("style", ""))}"' if is_styled else ""
        return f'<text{style} x="{x}" y="{y}"{turn}>{escape("".join(text.itertext()))}</text>'

    def _style(self, style: str) -> str:
        """With the page's colours.

        The page's own style sheet has the family of the letters, and leaves paths empty.
        """
        style = re.sub(r"font-family: [^;]*;?", "", style)
        style = re.sub(r"\s*([:;])\s*", r"\1", style).strip("; ")
        last = dict(part.split(":", 1) for part in style.split(";") if part)
        if "stroke" in last:
            last.setdefault("stroke-width", "1")  # of a point, which SVG's own 1 no longer is
        last.setdefault("fill", "#000")  # that of SVG
        if last.get("fill-opacity") == "0":
            del last["fill-opacity"]
            last["fill"] = "none"
        for needless in ("fill:none", "stroke:none", "stroke-dashoffset:0"):
            name, _, value = needless.partition(":")
            if last.get(name) == value:
                del last[name]
        style = ";".join(f"{name}:{value}" for name, value in last.items())
        style = LENGTHS.sub(lambda found: f"{found[1]}:{_scaled(found[2])}", style)
        style = style.replace(INK, "var(--ink)")
        for name, look in self.looks:
            style = style.replace(look.colour, f"var({name})")
        return escape(style)


def _placed(text: ElementTree.Element) -> tuple[int, int, float]:
    """Where a text stands, and by how many degrees it is turned about that place.

    Raises:
        ValueError: It is moved in a way that matplotlib doesn't move texts.
    """
    transform = text.get("transform", "")
    moved = MOVED.fullmatch(transform)
    if not moved:
        raise ValueError(f"texts are not known to be moved by {transform}")
    x, y = (moved["x"], moved["y"]) if moved["x"] else (text.get("x", "0"), text.get("y", "0"))
    return _units(x), _units(y), float(moved["angle"] or 0)


def _scaled(lengths: str) -> str:
    """Lengths of a style, from points to units."""
    return NUMBER.sub(lambda number: f"{UNITS * float(number[0]):.4g}", lengths)
