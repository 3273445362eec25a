"""How numbers, names and lists are written: one place for the figures, the tables and the prose."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence

MINUS = "\u2212"
NO_BREAK = "\u00a0"
UNKNOWN = "\u2013"  # what a table shows where there is no number
UNREADABLE = "\ufffd"
# They would turn around text that isn't theirs; letters find their direction without them.
DIRECTION_CONTROLS = {*range(0x202A, 0x202F), *range(0x2066, 0x206A)}
BYTE_ORDER_MARK = 0xFEFF  # shows nothing, and PDF/A refuses it
BREAKS = re.compile(r"[ \t-\r\x1c-\x1f\x85\u2028\u2029]+")  # but not no-break spaces
NOT_TEXT = {"Cc", "Cs", "Co"}  # control, surrogate and private-use characters
NOT_XML = {0xFFFE, 0xFFFF}


def clean(text: str) -> str:
    """A user's string as one line of text that SVG, HTML and PDF can all hold.

    White space is joined; direction controls and byte order marks go; characters that no font or
    file format knows become the replacement character, so that a reader sees that something is
    missing.
    """
    return "".join(_shown(character) for character in BREAKS.sub(" ", text).strip(" "))


def _shown(character: str) -> str:
    if ord(character) in DIRECTION_CONTROLS or ord(character) == BYTE_ORDER_MARK:
        return ""
    unknown = unicodedata.category(character) in NOT_TEXT or ord(character) in NOT_XML
    return UNREADABLE if unknown else character


def encoded(text: str) -> bytes:
    """A text as UTF-8, which has no half characters (lone surrogates)."""
    return re.sub("[\ud800-\udfff]", UNREADABLE, text).encode()


def decimal(value: float, decimals: int) -> str:
    """Fixed decimals, thousands separators, a real minus sign, and never a minus before zero."""
    text = f"{abs(value):,.{decimals}f}"
    negative = value < 0 and any(digit in "123456789" for digit in text)
    return (MINUS if negative else "") + text


def significant(value: float, digits: int, most: int) -> int:
    """How many decimals show `digits` significant digits, but never more than `most`."""
    if value == 0 or not math.isfinite(value):
        return 0 if most == 0 else 1
    return min(max(digits - 1 - math.floor(math.log10(abs(value))), 0), most)


def count(value: float) -> str:
    """A whole number: 32,000."""
    return decimal(value, 0)


def percent(share: float, decimals: int | None = None) -> str:
    """A share as a percentage with three significant digits, at most two decimals: 11.3%, 4.05%."""
    if decimals is None:
        decimals = percent_decimals(share)
    return f"{decimal(100 * share, decimals)}%"


def percent_decimals(share: float) -> int:
    """The decimals that `percent` gives a share."""
    return significant(100 * share, 3, most=2)


def plain_percent(share: float) -> str:
    """A percentage that someone chose, without needless zeros: 5%, 2.5%."""
    return f"{100 * share:.6g}%"


def plain_number(value: float) -> str:
    """A number that someone chose, without needless zeros: 0.0003, 10."""
    if value == int(value):
        return count(value)
    return f"{value:.6g}" if abs(value) >= 1e-4 else f"{value:.10f}".rstrip("0")


def p_value(p: float) -> str:
    """Three decimals; small ones as < 0.001."""
    return f"<{NO_BREAK}0.001" if p < 0.001 else f"{p:.3f}"


def duration(seconds: float) -> str:
    """A time span in the unit that keeps it readable: 0.4 s, 12 min, 3.5 h."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            value = seconds / size
            return f"{decimal(value, significant(value, 2, most=1))}{NO_BREAK}{unit}"
    return f"{decimal(seconds, significant(seconds, 2, most=2))}{NO_BREAK}s"


def between(low: str, high: str) -> str:
    """An interval: low to high."""
    return f"{low} to {high}"


ARTICLES = {"the", "a", "an", "our"}
TAKES_ARTICLE = {"classifier", "ensemble", "forest", "learner", "machine", "model", "network"}


def with_article(label: str) -> str:
    """A learner's label within a sentence: the small network, but logistic regression."""
    words = label.lower().split()
    if words and words[-1] in TAKES_ARTICLE and words[0] not in ARTICLES:
        return f"the {label}"
    return label


def layers(hidden: Sequence[int]) -> str:
    """The widths of a network's hidden layers: 16-16."""
    return "-".join(map(str, hidden))


def joined(names: Sequence[str], word: str = "and") -> str:
    """A list in prose: a, b and c."""
    *first, last = names
    return f"{', '.join(first)} {word} {last}" if first else last
