"""Two reports, compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from takeoff.comparing import changes, moves, verdicts
from takeoff.comparing.bundles import Bundle
from takeoff.comparing.changes import Changes
from takeoff.comparing.moves import LEVEL, Move, State
from takeoff.comparing.verdicts import Flip, Verdicts

SCHEMA = 1  # of `record`
Alarm = Literal["verdict", "number", "any"]
Kind = Literal["datasets", "learners"]
ALARMS: tuple[Alarm, ...] = ("verdict", "number", "any")


@dataclass(frozen=True)
class Comparison:
    """What changed from the old report to the new one.

    Attributes:
        old, new: The reports.
        changes: What is behind them.
        moves: What became of every number.
        verdicts: What became of the verdicts.
        level: See `moves.moves`.
    """

    old: Bundle
    new: Bundle
    changes: Changes
    moves: list[Move]
    verdicts: Verdicts
    level: float

    @property
    def flips(self) -> list[Flip]:
        return self.verdicts.flips

    @cached_property
    def counts(self) -> Counter[State]:
        """How many numbers are in which state, costs left out."""
        return Counter(move.state for move in self.moves if move.group != "costs")

    @property
    def tested(self) -> int:
        """How many numbers were tested: they differ, and have an interval in both reports."""
        return sum(move.p is not None for move in self.moves)

    @property
    def other_data(self) -> list[str]:
        """The data sets of both reports that hold other examples."""
        return [name for name, same in self.changes.same_data.items() if not same]

    def only(self, kind: Kind) -> tuple[list[str], list[str]]:
        """Names that only the old, and that only the new report has."""
        old, new = (_names(bundle, kind) for bundle in (self.old, self.new))
        return [n for n in old if n not in new], [n for n in new if n not in old]

    def alarms(self) -> list[Alarm]:
        """What a check could fail on.

        "verdict": a verdict flipped; "number": a number moved beyond its interval; "any": anything
        but costs differs.
        """
        differs = set(self.counts) - {"same"} or not self.changes.none
        claims = self.verdicts.vanished or self.verdicts.appeared
        found = {
            "verdict": bool(self.flips),
            "number": self.counts["beyond"] > 0,
            "any": bool(differs or self.flips or claims),
        }
        return [alarm for alarm in ALARMS if found[alarm]]

    def record(self) -> dict[str, Any]:
        """All of it, JSON-able, but for the numbers that are the same."""
        return {
            "schema": SCHEMA,
            "level": self.level,
            "old": _about(self.old),
            "new": _about(self.new),
            "alarms": self.alarms(),
            "counts": dict(sorted(self.counts.items())),
            "tested": self.tested,
            "verdicts": [
                asdict(flip) | {"effect": flip.effect and _moved(flip.effect)}
                for flip in self.flips
            ],
            "claims": {"vanished": self.verdicts.vanished, "appeared": self.verdicts.appeared},
            "numbers": [_moved(move) for move in self.moves if move.state != "same"],
            "changes": asdict(self.changes),
        }


def compare(old: Bundle, new: Bundle, level: float = LEVEL) -> Comparison:
    """Compare two reports; what only one of them has is named, the rest is compared."""
    behind = changes.compare(old, new)
    moved = moves.moves(old, new, behind.same_data, level)
    return Comparison(old, new, behind, moved, verdicts.compare(old, new, moved), level)


def _names(bundle: Bundle, kind: Kind) -> Sequence[str]:
    if kind == "datasets":
        return list(bundle.datasets)
    return [str(learner["name"]) for learner in bundle.learners]


def _about(bundle: Bundle) -> dict[str, Any]:
    report = bundle.report
    return {"where": bundle.where, "study": report.study, "version": report.version,
            "schema": report.schema_}  # fmt: skip


def _moved(move: Move) -> dict[str, Any]:
    sides = {side: fact and fact.model_dump(include={"value", "low", "high", "text"})
             for side, fact in (("old", move.old), ("new", move.new))}  # fmt: skip
    unit = (move.new or move.old).unit  # type: ignore[union-attr]
    return {"id": move.id, "group": move.group, "state": move.state, "unit": unit,
            "z": move.z, "p": move.p} | sides  # fmt: skip
