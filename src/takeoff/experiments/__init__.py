"""Experiments: what a claim needs beyond the study's learning curves.

An experiment comes with its claim: a study that lists the claim in `use.claims` runs it. Its module
`takeoff.experiments.<name>` has

    analyse(asked: Asked) -> Findings

and decides the claim. One that measures something by itself (see `MEASURED`) has a second module,
`takeoff.experiments.<name>_training`, with

    measure(settings, data, cells, progress) -> DataFrame

which is apart so that a change in the analysis trains nothing again. What the paper says of it is
in `takeoff.paper.experiments.<name>`.
"""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from takeoff.errors import TakeoffError
from takeoff.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

    from takeoff.statistics.claims import ClaimSettings

EXPERIMENT_OF: dict[str, str] = {  # claim -> experiment
    "unclear_when_small": "rankings",
    "features_matter_when_small": "features",
    "two_levers": "network_sizes",
    "relu_is_faster": "activations",
    "iteration_speed": "speed",
}
MEASURED = frozenset({"activations", "speed"})  # those that measure something by themselves
FIGURES: dict[str, tuple[str, ...]] = {  # experiment -> figures
    "rankings": ("rankings_winners",),
    "features": ("features_errors", "features_worth"),
    "network_sizes": ("size_errors", "size_gains", "size_budgets"),
    "activations": (
        *("activations_slopes", "activations_loss"),
        *("activations_steps", "activations_gradients"),
    ),
    "speed": ("iteration_time", "measures"),
}


@dataclass(frozen=True)
class Asked:
    """What an experiment is asked.

    Attributes:
        settings: `Study.experiment_settings`.
        runs: A row per cell of the study's learning curves.
        own: What the experiment itself trained or measured; None if it doesn't.
        sheets: Per data set, `Dataset.sheet()`.
    """

    settings: Mapping[str, Any]
    runs: pd.DataFrame
    own: pd.DataFrame | None
    sheets: Mapping[str, Mapping[str, Any]]

    def thresholds(self) -> ClaimSettings:
        """What claims must show; with the sizes of the test sets if they are about the population.

        Only where those are judged by an error rate, whose noise is known.
        """
        from takeoff.statistics.claims import ClaimSettings

        chosen, tests = dict(self.settings["claims"]), None
        if chosen.pop("population", False):
            tests = {
                name: int(sheet["n_test"])
                for name, sheet in self.sheets.items()
                if sheet["metric"] == "error_rate"
            }
        return ClaimSettings(level=self.settings["level"], tests=tests, **chosen)


@dataclass(frozen=True)
class Findings:
    """What an experiment found.

    Attributes:
        claims: Records as of `takeoff.statistics.claims.check`.
        tables: By name.
        decided: JSON-able: everything else that the paper speaks of.
        names: What readers are to see for subjects of parts that are no learners.
    """

    claims: list[dict[str, Any]] = field(default_factory=list)
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    decided: Mapping[str, Any] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)


def module(name: str) -> ModuleType:
    """Of the analysis."""
    return importlib.import_module(f"takeoff.experiments.{name}")


def training_module(name: str) -> ModuleType:
    """Of what the experiment measures by itself."""
    return importlib.import_module(f"takeoff.experiments.{name}_training")


def write(findings: Findings, path: Path) -> None:
    """Write everything to one JSON file."""
    tables = {name: _columns(table) for name, table in findings.tables.items()}
    write_json(path, vars(findings) | {"tables": tables})


def read(path: Path) -> Findings:
    """What `write` wrote.

    Raises:
        TakeoffError: The file is missing or damaged.
    """
    found = read_json(path)
    try:
        tables = {name: _frame(columns) for name, columns in found["tables"].items()}
        return Findings(**found | {"tables": tables})
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TakeoffError(
            f"these findings are damaged: {error}", where=str(path), remedy=f"rm '{path}'"
        ) from error


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    columns: dict[str, Any] = json.loads(
        table.to_json(orient="table", index=False, double_precision=15)
    )
    return columns


def _frame(columns: dict[str, Any]) -> pd.DataFrame:
    import pandas as pd

    return pd.read_json(io.StringIO(json.dumps(columns)), orient="table", precise_float=True)
