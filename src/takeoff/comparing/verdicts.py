"""Which verdicts flipped: of claims, of their parts, and on what more labels would bring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from takeoff.comparing.bundles import Bundle, Claim, Part
from takeoff.comparing.moves import Move
from takeoff.paper.facts import part_id

Kind = Literal["claim", "part", "conclusion", "lever"]
Key = tuple[str | None, str | None, str | None, str, int]


@dataclass(frozen=True)
class Flip:
    """A verdict that is another one now.

    Attributes:
        kind: A claim, one of its parts, what to do about a data set, or one of the levers there.
        about: The claim's name, or the data set's.
        names: What the part is about (data set, learner, the learner it is compared with), or the
            lever; empty for whole claims and conclusions.
        old, new: The verdicts.
        effect: What became of the effect that it was decided from; None where there is none.
        thresholds: What it was held against, where that is not the same.
    """

    kind: Kind
    about: str
    names: tuple[str, ...]
    old: str
    new: str
    effect: Move | None = None
    thresholds: tuple[float, float] | None = None


@dataclass(frozen=True)
class Verdicts:
    """What became of the verdicts.

    Attributes:
        flips: Those that differ.
        compared: How many verdicts of claims both reports have.
        vanished, appeared: Claims that only the old, or only the new report has.
    """

    flips: list[Flip]
    compared: int
    vanished: list[str]
    appeared: list[str]


def compare(old: Bundle, new: Bundle, moves: list[Move]) -> Verdicts:
    """Hold the verdicts of two reports side by side.

    Args:
        old, new: The reports.
        moves: What became of their numbers.
    """
    effects = {move.id: move for move in moves}
    before, after = (
        {claim.claim: claim for claim in bundle.report.claims} for bundle in (old, new)
    )
    shared = [name for name in before if name in after]
    flips = [
        *(flip for name in shared for flip in _of_claim(before[name], after[name], effects)),
        *_of_options(old, new, effects),
    ]
    return Verdicts(
        flips,
        len(shared),
        [name for name in before if name not in after],
        [name for name in after if name not in before],
    )


def _of_claim(before: Claim, after: Claim, effects: Mapping[str, Move]) -> Iterator[Flip]:
    if before.verdict != after.verdict:
        yield Flip("claim", before.claim, (), before.verdict, after.verdict)
    old, new = _by_key(before.parts), _by_key(after.parts)
    for key in (key for key in old if key in new and old[key].verdict != new[key].verdict):
        part = new[key]
        effect = effects.get(part_id(after.claim, part.model_dump())) if part.dataset else None
        names = tuple(name for name in key[:3] if name)
        verdicts, limits = (old[key].verdict, part.verdict), (old[key].threshold, part.threshold)
        alike = None in limits or limits[0] == limits[1]
        thresholds = None if alike else cast("tuple[float, float]", limits)
        yield Flip("part", before.claim, names, *verdicts, effect, thresholds)


def _by_key(parts: list[Part]) -> dict[Key, Part]:
    """Parts by what they are about; twins are told apart by their order."""
    seen: Counter[tuple[str | None, ...]] = Counter()
    found: dict[Key, Part] = {}
    for part in parts:
        about = (part.dataset, part.subject, part.versus, part.unit)
        found[*about, seen[about]] = part
        seen[about] += 1
    return found


def _of_options(old: Bundle, new: Bundle, effects: Mapping[str, Move]) -> Iterator[Flip]:
    if old.report.options is None or new.report.options is None:
        return
    before, after = old.report.options.datasets, new.report.options.datasets
    for dataset in (name for name in before if name in after):
        was, now = before[dataset].advice, after[dataset].advice
        if was != now:
            yield Flip("conclusion", dataset, (), was, now)
        answers = {lever.kind: lever.answer for lever in before[dataset].levers}
        for lever in after[dataset].levers:
            if lever.answer != answers.get(lever.kind, lever.answer):
                effect = effects.get(f"{dataset}.lever.{lever.kind}")
                was, now = answers[lever.kind], lever.answer
                yield Flip("lever", dataset, (lever.kind,), was, now, effect)
