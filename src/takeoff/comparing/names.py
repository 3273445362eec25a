"""What readers see instead of the ids of facts, claims, data sets and learners."""

from __future__ import annotations

from dataclasses import dataclass

from takeoff import wording
from takeoff.comparing.comparison import Comparison

WORDS = {  # the part of an id that isn't a name
    "error_at_max": "error at the largest m",
    "twice.error": "forecast at twice the labels",
    "ten_times.error": "forecast at ten times the labels",
    "reduction": "removed per doubling of m",
    "above_floor": "above the best possible",
    "above_floor_reduction": "removed per doubling of m, above the best possible",
    "share_above_floor": "share above the best possible",
    "way_covered": "way from chance to the best possible",
    "less_than": "lead",
    "fit.floor": "floor of the fit",
    "fit.exponent": "exponent of the fit",
    "fit.rmse": "misfit",
    "label.avoids": "what a label avoids",
    "label.avoids_at_most": "what a label avoids at most",
    "label.cost": "labels for a step",
    "label.cost_at_least": "labels for a step, at least",
    "lever.labels": "removed by more labels",
    "lever.network": "removed by a larger network",
    "lever.features": "removed by hand-made features",
    "lever.floor": "share of the error that is floor",
}


@dataclass(frozen=True)
class Names:
    """The names of both reports.

    Attributes:
        of: Data set or learner -> what readers see; the new report's, where both have it.
    """

    of: dict[str, str]

    @classmethod
    def both(cls, compared: Comparison) -> Names:
        """Those of a comparison."""
        found: dict[str, str] = {}
        for bundle in (compared.old, compared.new):
            found |= {str(one["name"]): str(one["label"]) for one in bundle.learners}
            found |= bundle.datasets
        return cls(found)

    def name(self, name: str) -> str:
        """Of a data set, a learner, a claim or a lever."""
        return self.of.get(name) or in_words(name)

    def fact(self, fact_id: str) -> str:
        """Of a number: whom it is about, and what it is."""
        first, *rest = fact_id.split(".")
        claim, parts = (first, rest) if first == "claim" and rest else ("", [first, *rest])
        if claim:
            claim, *parts = parts
        about = [self.of[part] for part in parts if part in self.of]
        what = ".".join(part for part in parts if part not in self.of)
        said = [in_words(claim)] if claim else []
        said += [" against ".join([about[0], *about[1:]])] if len(about) == 1 else []
        said += [f"{about[0]}, {' against '.join(about[1:])}"] if len(about) > 1 else []
        return wording.clean(": ".join([*said, *([_what(what)] if what else [])]))


def _what(words: str) -> str:
    kind, _, m = words.rpartition(".")
    if m.isdigit() and kind in ("error", "seconds", "agreement", "m"):
        return f"{kind} at m{wording.NO_BREAK}={wording.NO_BREAK}{wording.count(int(m))}"
    return WORDS.get(words) or in_words(words.replace(".", " "))


def in_words(name: str) -> str:
    """An id as words."""
    return wording.clean(name.replace("_", " "))
