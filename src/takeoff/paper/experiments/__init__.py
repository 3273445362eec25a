"""What the paper says and shows of the experiments.

For each experiment, the module of its name has

    facts(results, findings) -> Iterator[Fact]     every number that the text prints
    view(results, findings) -> Any                 what templates see as `experiments.<name>`
    draw(about: Drawn) -> dict[str, Figure]        its figures, by name

Its text is in reports/sections/<name>.typ.j2, under that on its claim.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from takeoff.experiments import Findings
    from takeoff.measures import Measure


@dataclass(frozen=True)
class Drawn:
    """What figures are drawn from.

    Attributes:
        findings: Of the experiment.
        learners: `Study.ladder`.
        titles: Of the data sets, in the paper's order.
        measures: What they are judged by.
    """

    findings: Findings
    learners: Sequence[Mapping[str, Any]]
    titles: Mapping[str, str]
    measures: Mapping[str, Measure]


def module(name: str) -> ModuleType:
    """Of one experiment; imports what it draws with only when it draws."""
    return importlib.import_module(f"takeoff.paper.experiments.{name}")
