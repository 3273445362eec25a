"""What is behind two reports: their configs, the versions of packages, their data, their code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from takeoff import wording
from takeoff.comparing.bundles import Bundle
from takeoff.files import canonical_json

NONE = wording.UNKNOWN  # where one of the reports has nothing


@dataclass(frozen=True)
class Change:
    """A setting, a version, a data set or a piece of code that is another one now; in words."""

    name: str
    old: str
    new: str


@dataclass(frozen=True)
class Changes:
    """What is behind the reports.

    Attributes:
        config, versions, data, code: What changed.
        unsaid: What one of the reports doesn't say, so that it could not be compared.
        same_data: Per data set of both, whether it holds the same examples.
    """

    config: list[Change] = field(default_factory=list)
    versions: list[Change] = field(default_factory=list)
    data: list[Change] = field(default_factory=list)
    code: list[Change] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    same_data: Mapping[str, bool] = field(default_factory=dict)

    @property
    def none(self) -> bool:
        return not (self.config or self.versions or self.data or self.code)


def compare(old: Bundle, new: Bundle) -> Changes:
    """Hold what is behind two reports side by side."""
    sides = (old.report, new.report)
    config, code = [[getattr(side, key) for side in sides] for key in ("config", "code")]
    versions, digests = [[of(side) for side in (old, new)] for of in (_versions, _digests)]
    known = {"config": config, "code": code, "data": digests}
    return Changes(
        config=_between(*config),
        versions=_between(*versions),
        data=_between(*(digest and _short(digest) for digest in digests)),
        code=_between(*code),
        unsaid=[name for name, both in known.items() if None in both],
        same_data=_same_data(old, new),
    )


def _versions(bundle: Bundle) -> dict[str, str]:
    """Of takeoff and of the packages; from the facts, where the report is an old one."""
    said = bundle.report.versions
    if said is None:
        facts = bundle.facts.values()
        found = {fact.id: fact.text for fact in facts if fact.id.startswith("version.")}
        said = {name.removeprefix("version."): text for name, text in found.items()}
    return {"takeoff": bundle.report.version} | said


def _digests(bundle: Bundle) -> dict[str, str] | None:
    data = bundle.report.data
    return None if data is None else {name: one.digest for name, one in data.items()}


def _short(digests: Mapping[str, str]) -> dict[str, str]:
    return {name: digest[:12] for name, digest in digests.items()}


def _same_data(old: Bundle, new: Bundle) -> dict[str, bool]:
    """Whether the data sets of both reports are the same; where no digest says it, they are if
    their sizes and the study's seed are.
    """
    before, after = _digests(old) or {}, _digests(new) or {}
    seeds = [bundle.facts.get("study.seed") for bundle in (old, new)]
    same_seed = None in seeds or seeds[0].text == seeds[1].text  # type: ignore[union-attr]
    found = {}
    for name in (name for name in old.datasets if name in new.datasets):
        if before.get(name) and after.get(name):
            found[name] = before[name] == after[name]
        else:
            sizes = [[bundle.setting(f"{name}.{key}", 0.0) for key in ("n_pool", "n_test")]
                     for bundle in (old, new)]  # fmt: skip
            found[name] = same_seed and sizes[0] == sizes[1]
    return found


def _between(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[Change]:
    """Every key whose value differs; nothing where a side is not known."""
    if old is None or new is None:
        return []
    before, after = dict(_flat(old)), dict(_flat(new))
    names = [*before, *(name for name in after if name not in before)]
    return [
        Change(name, before.get(name, NONE), after.get(name, NONE))
        for name in names
        if before.get(name) != after.get(name)
    ]


def _flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys with their values in words; lists are one value."""
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _flat(inner, f"{above}{key}.")
        else:
            yield f"{above}{key}", inner if isinstance(inner, str) else canonical_json(inner)
