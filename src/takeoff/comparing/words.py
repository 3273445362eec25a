"""What a comparison says in sentences, and the summary for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from takeoff import wording
from takeoff.comparing.changes import Change
from takeoff.comparing.comparison import Comparison, Kind
from takeoff.comparing.moves import GROUPS, Move, State
from takeoff.comparing.names import Names
from takeoff.comparing.verdicts import Flip

if TYPE_CHECKING:
    from takeoff.comparing.bundles import Fact
    from takeoff.comparing.page import Folded, Group

LEVERS = {
    "labels": "more labels",
    "network": "a larger network",
    "features": "hand-made features",
    "floor": "whether the floor is near",
}
NOTES: dict[State, str] = {"within": "within", "apart": "apart", "beyond": "beyond"}
SHOWN = 4  # of a kind, in the summary
KINDS: dict[Kind, str] = {"datasets": "data set", "learners": "learner"}
STATES: dict[State, str] = {
    "same": "the same",
    "within": "moved within what intervals allow",
    "apart": "apart (but luck could do it)",
    "beyond": "moved beyond what intervals allow",
    "changed": "changed (without an interval)",
    "appeared": "only in the new report",
    "vanished": "only in the old report",
}


def verdicts(compared: Comparison) -> str:
    """One sentence on the claims."""
    flipped = sum(flip.kind == "claim" for flip in compared.flips)
    n, others = compared.verdicts.compared, len(compared.flips) - flipped
    if not n and not others:
        return "The reports share no claim."
    first = f"{_number(flipped)} of {n} {_plural(n, 'claim')} got another verdict"
    if not others:
        return f"{first}." if flipped else "Every verdict stands."
    link = "and so did" if flipped else "but"
    end = "" if flipped else " did"
    return f"{first}, {link} {others} {_plural(others, 'part')} of claims or of the advice{end}."


def numbers(compared: Comparison) -> str:
    """One sentence on the numbers."""
    beyond, tested = compared.counts["beyond"], compared.tested
    if not set(compared.counts) - {"same"}:
        return f"All {wording.count(compared.counts['same'])} numbers are the same."
    others = [f"{wording.count(compared.counts[state])} {text}" for state, text in STATES.items()
              if state != "beyond" and compared.counts[state]]  # fmt: skip
    if not tested and not beyond:
        first = "No number with an interval differs"
    else:
        verb = "moved" if beyond else "has moved"
        of = f"{_number(beyond)} of {wording.count(tested)} tested {_plural(tested, 'number')}"
        first = f"{of} {verb} beyond what intervals allow"
    return f"{first}. The others: {_listed(others)}."


def notes(compared: Comparison) -> list[str]:
    """What a reader has to know before comparing: what only one side has, or doesn't say."""
    names = Names.both(compared)
    found = []
    if compared.old.report.study != compared.new.report.study:
        pair = [wording.clean(side.report.study) for side in (compared.old, compared.new)]
        found.append(f"Two studies, {pair[0]} and {pair[1]}: what they share is compared.")
    for kind, noun in KINDS.items():
        for side, only in zip(("old", "new"), compared.only(kind), strict=True):
            if only:
                listed = _listed([names.name(name) for name in only])
                found.append(f"Only the {side} report has the {_plural(len(only), noun)} {listed}.")
    ranges = _other_ranges(compared)
    if ranges:
        listed = _listed([names.name(name) for name in ranges])
        found.append(
            f"The largest m on {listed} is another one: numbers at the largest m, and what follows"
            " from them, are compared all the same."
        )
    if compared.other_data:
        listed = _listed([names.name(name) for name in compared.other_data])
        found.append(
            f"The examples of {listed} are not the same, or not known to be: intervals there were"
            " widened to hold for other pools and test sets of the same kind, too."
        )
    if _other_worlds(compared):
        listed = _listed([names.name(name) for name in _other_worlds(compared)])
        found.append(
            f"With another seed, {listed} may be drawn from another world, easier or harder:"
            " numbers can move for that alone."
        )
    if compared.changes.unsaid:
        listed = _listed(compared.changes.unsaid)
        found.append(f"Not both reports tell their {listed}, so these could not be compared.")
    return found


def _other_worlds(compared: Comparison) -> list[str]:
    """Generated data sets, where the seed is another one."""
    sides = (compared.old, compared.new)
    seeds = {side.facts["study.seed"].text for side in sides if "study.seed" in side.facts}
    data = compared.new.report.data or {}
    known = [name for name in compared.other_data if name in data and data[name].generated]
    return known if len(seeds) > 1 else []


def _other_ranges(compared: Comparison) -> list[str]:
    """Data sets whose largest m is not the same in both reports."""
    sides = (compared.old, compared.new)
    return [
        name
        for name in compared.changes.same_data
        if len({side.setting(f"{name}.m_max", 0.0) for side in sides}) > 1
    ]


@dataclass(frozen=True)
class Topic:
    """A claim, or a data set's advice, of which something flipped.

    Attributes:
        title: Its name.
        old, new: Its verdicts, which may be the same.
        parts: Those of its parts that flipped.
    """

    title: str
    old: str
    new: str
    parts: list[Flip]


def topics(compared: Comparison) -> list[Topic]:
    """The flips, by what they are about: claims first, then data sets."""
    names = Names.both(compared)
    found = {}
    for one in compared.flips:
        is_claim = one.kind in ("claim", "part")
        key = (is_claim, one.about)
        if key not in found:
            found[key] = Topic(names.name(one.about), *_verdicts(compared, *key), [])
        if one.names:
            found[key].parts.append(one)
    return list(found.values())


def _verdicts(compared: Comparison, is_claim: bool, about: str) -> tuple[str, str]:
    """The old and the new verdict on a claim, or the advice on a data set."""
    sides = (compared.old.report, compared.new.report)
    if is_claim:
        old, new = (next(c.verdict for c in side.claims if c.claim == about) for side in sides)
    else:
        old, new = (side.options.datasets[about].advice for side in sides if side.options)
    return wording.clean(old), wording.clean(new)


def flip(one: Flip, names: Names) -> str:
    """Whom a flipped part is about."""
    if one.kind == "lever":
        return LEVERS.get(one.names[0]) or names.name(one.names[0])
    first, *others = [names.name(name) for name in one.names]
    return f"{first}, {' against '.join(others)}" if others else first


def effect(one: Flip) -> str:
    """What became of the effect behind a verdict, and of the threshold it was held against."""
    said = [_arrow(one.effect), NOTES.get(one.effect.state, "")] if one.effect else []
    if one.thresholds:
        old, new = (wording.plain_number(threshold) for threshold in one.thresholds)
        said.append(f"threshold {old} → {new}")
    return "; ".join(part for part in said if part)


def summary(compared: Comparison) -> str:
    """What a terminal shows."""
    lines = [f"{compared.old.where} → {compared.new.where}", ""]
    lines += [f"Verdicts  {verdicts(compared)}", *_flips(compared)]
    lines += [f"Numbers   {numbers(compared)}", *_beyond(compared)]
    for title, changed in (("Config", compared.changes.config),
                           ("Versions", compared.changes.versions),
                           ("Data", compared.changes.data),
                           ("Code", compared.changes.code)):  # fmt: skip
        lines += _changes(title, changed)
    lines += [f"Note      {note}" for note in notes(compared)]
    return "\n".join(line.replace(wording.NO_BREAK, " ") for line in lines)


def _flips(compared: Comparison) -> Iterator[str]:
    names = Names.both(compared)
    for topic in topics(compared):
        same = topic.old == topic.new
        arrow = f"{topic.new}, as before" if same else f"{topic.old} → {topic.new}"
        yield f"  {topic.title}: {arrow}"
        for one in topic.parts[:SHOWN]:
            said = effect(one)
            arrow = f"{wording.clean(one.old)} → {wording.clean(one.new)}"
            yield f"    {flip(one, names)}: {arrow}" + (f" ({said})" if said else "")
        yield from _more(topic.parts, "    ")


def _more(listed: Sequence[object], indent: str) -> Iterator[str]:
    if len(listed) > SHOWN:
        yield f"{indent}and {len(listed) - SHOWN} more"


def _beyond(compared: Comparison) -> Iterator[str]:
    names = Names.both(compared)
    for group, title in GROUPS.items():
        own = ranked(compared.moves, group, "beyond")
        if own:
            yield f"  {title}"
        for move in own[:SHOWN]:
            yield f"    {names.fact(move.id)}: {_arrow(move)}"
        yield from _more(own, "    ")


def _arrow(move: Move) -> str:
    if move.state == "same" and move.new:
        return f"{move.new.shown}, unchanged"
    return " → ".join(fact.shown if fact else wording.UNKNOWN for fact in (move.old, move.new))


def ranked(moves: Sequence[Move], group: str, state: State) -> list[Move]:
    """The moves of a group in one state, the most remarkable first."""
    own = [move for move in moves if (move.group, move.state) == (group, state)]
    return sorted(own, key=lambda move: (1.0 if move.p is None else move.p, -abs(move.z or 0)))


def _changes(title: str, changed: Sequence[Change]) -> Iterator[str]:
    for i, change in enumerate(changed[:SHOWN]):
        head = title if i == 0 else ""
        yield f"{head:<10}{wording.clean(change.name)}: {short(change.old)} → {short(change.new)}"
    yield from _more(changed, " " * 10)


def short(text: str, most: int = 60) -> str:
    """A setting in one line."""
    clean = wording.clean(text)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _number(count: int) -> str:
    return "None" if count == 0 else wording.count(count)


def _plural(count: int, noun: str) -> str:
    return noun if count == 1 else f"{noun}s"


def _listed(parts: Sequence[str]) -> str:
    return wording.joined(list(parts)) if parts else "none"


# For the page


def value(fact: Fact) -> str:
    """A number without its interval."""
    return fact.shown.removesuffix(f" ({wording.clean(fact.interval)})" if fact.interval else "")


def distance(move: Move) -> str:
    """How far a number moved, in standard errors."""
    if move.z is None:
        return wording.UNKNOWN
    decimals = 1 if abs(move.z) < 10 else 0
    return f"{wording.decimal(move.z, decimals)}{wording.NO_BREAK}SE"


def counts(group: Group) -> str:
    """One sentence on the numbers of a group that are not shown."""
    parts = [f"{wording.count(one.count)} {one.state}" for one in group.folded]
    parts += [f"{wording.count(group.same)} the same"] if group.same else []
    return f"{'The others: ' if group.moved else ''}{_listed(parts)}." if parts else ""


def folded(one: Folded) -> str:
    """What is folded away."""
    first = f"{one.state[0].upper()}{one.state[1:]}: {wording.count(one.count)}"
    return first + (f", of which the first {len(one.rows)}" if one.count > len(one.rows) else "")


def changed_costs(costs: Sequence[Move]) -> str:
    """What is folded away of the costs."""
    return f"{wording.count(len(costs))} {_plural(len(costs), 'cost')} changed"


def alpha(compared: Comparison) -> str:
    """The probability of a false alarm."""
    return wording.plain_percent(1 - compared.level)
