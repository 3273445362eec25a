"""What the page's scripts know, spelled so that it takes little room.

All of it is JSON, compressed. That finds what comes again word for word; the spellings here are for
what comes again in another way: names that differ from the one before in one part, texts that say
in other words what a name says, and places in a list that mostly follow one another.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any


class Places(dict[Any, int]):
    """The places of things in a list that grows with every new one."""

    def __init__(self, things: Iterable[Hashable] = ()):
        super().__init__()
        self.all(things)

    def __missing__(self, thing: Hashable) -> int:
        return self.setdefault(thing, len(self))

    def all(self, things: Iterable[Hashable]) -> list[int]:
        """The place of each."""
        return [self[thing] for thing in things]


def packed(value: Mapping[str, Any]) -> str:
    """JSON, compressed, in letters that mean nothing in HTML."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def steps(things: Iterable[Hashable]) -> list[int]:
    """Where things stand in a list of all of them that is in the order of their first appearance.

    Returns:
        Of each thing 0 if it is new, which makes it the next of the list, or how many places it is
        back from there.
    """
    places = Places()
    return [len(places) - places[thing] for thing in things]


def unlike_before(names: Iterable[str]) -> list[str]:
    """Names with dots, without the parts that the name before has at the same place.

    Raises:
        ValueError: A name has an empty part.
    """
    found: list[str] = []
    before: Sequence[str] = ()
    for name in names:
        parts = name.split(".")
        if "" in parts:
            raise ValueError(f"the name {name!r} has an empty part")
        same = [*(a == b for a, b in zip(parts, before, strict=False)), *(False for _ in parts)]
        found.append(".".join("" if same[i] else part for i, part in enumerate(parts)))
        before = parts
    return found


def by_parts(text: str, name: str) -> str:
    """A text in which each part of a name with dots is that part's number, in two braces.

    A text that has two braces itself is left as it is, behind a sign of equality.
    """
    if "{{" in text or text.startswith("="):
        return f"={text}"
    parts = {part: f"{{{{{i}}}}}" for i, part in reversed([*enumerate(name.split("."))])}
    known = sorted((part for part in parts if len(part) > 1), key=len, reverse=True)
    if not known:
        return text
    return re.sub("|".join(map(re.escape, known)), lambda one: parts[one[0]], text)
