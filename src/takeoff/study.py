"""The study: what the config says, as typed and checked values.

A config holds definitions (`datasets`, `learners`) and, under `use`, the lists of what this study
takes of them. Lists, because a second config file laid over the first one replaces lists but only
adds to mappings: a smaller study can thus drop entries.

Each job of the workflow is given its own part of the study and nothing else (`curve_settings`,
`data_settings`, ...). What a job is not given it can't depend on, so a change elsewhere in the
config never makes its result stale.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import (
    Field,
    PrivateAttr,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from takeoff import wording
from takeoff.errors import TakeoffError, nearest
from takeoff.experiments import EXPERIMENT_OF, MEASURED
from takeoff.experiments.settings import MOST_M, Experiments
from takeoff.section import Name, Section
from takeoff.settings import (
    ClaimThresholds,
    Costs,
    DatasetSettings,
    DecisionSettings,
    LearnerSettings,
    Mlp,
    RateGrid,
    Runs,
    StatisticsSettings,
    TrainingSettings,
    Use,
    family,
    weights,
)

SIZES = "network_sizes"
FEATURES = "features"
HAND = "_hand"  # ends the names of learners on hand-made features


@dataclass(frozen=True)
class Given:
    """The curves of a table, as the rest of a study knows them; see `takeoff.given`.

    Attributes:
        design: As of `Study.design`, with `rows` (their number) and `given` (true).
        learners: As of `Study.ladder`.
        datasets: By name: title, metric, unit, floor, chance.
        names: The table's names of data sets and learners, by ours.
    """

    design: list[dict[str, Any]]
    learners: list[dict[str, Any]]
    datasets: dict[str, dict[str, Any]]
    names: dict[str, dict[str, str]]


class Study(Section):
    """One study: from its config to the paper."""

    study: Name
    title: Annotated[str, Field(min_length=1)]
    question: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="what the paper asks; without it, the lecture's question"
    )
    seed: Annotated[int, Field(ge=0)]
    use: Use
    datasets: dict[Name, DatasetSettings]
    learners: dict[Name, LearnerSettings]
    training: TrainingSettings = TrainingSettings()
    statistics: StatisticsSettings = StatisticsSettings()
    claims: ClaimThresholds = ClaimThresholds()
    decisions: DecisionSettings = DecisionSettings()
    costs: Costs = Costs()
    experiments: Experiments = Experiments()
    runs: Runs | None = Field(
        default=None,
        description="a table of learning curves to start from, instead of data sets and learners",
    )
    _given: Given | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _used_names_are_defined(self) -> Study:
        for used, defined in (
            (self.use.datasets, self.datasets),
            (self.use.learners, self.learners),
        ):
            for name in used:
                if name not in defined:
                    raise PydanticCustomError(
                        "undefined",
                        "use lists '{name}', which is not defined; {hint}",
                        {"name": name, "hint": nearest(name, defined)},
                    )
        return self

    @model_validator(mode="after")
    def _caps_name_data_sets(self) -> Study:
        for learner, settings in self.learners.items():
            for dataset in settings.m_max:
                if dataset not in self.datasets:
                    raise PydanticCustomError(
                        "undefined",
                        "learners.{learner}.m_max names '{dataset}', which is not defined; {hint}",
                        {
                            "learner": learner,
                            "dataset": dataset,
                            "hint": nearest(dataset, self.datasets),
                        },
                    )
        return self

    @model_validator(mode="after")
    def _experiments_use_data_sets_in_use(self) -> Study:
        for name in () if self.runs else self.experiments_in_use:
            dataset = self.experiment_dataset(name)
            if dataset is not None and dataset not in self.use.datasets:
                raise PydanticCustomError(
                    "undefined",
                    "experiments.{name}.dataset is '{dataset}', which is not in use; {hint}",
                    {
                        "name": name,
                        "dataset": dataset,
                        "hint": nearest(dataset, self.use.datasets),
                    },
                )
        return self

    @model_validator(mode="after")
    def _network_sizes_fit(self) -> Study:
        if not self.runs and "network_sizes" in self.experiments_in_use:
            asked, dataset = self.experiments.network_sizes, self.experiment_dataset(SIZES) or ""
            known = self.datasets[dataset]
            for m in sorted(set(asked.m or ()) - set(known.m)):
                raise ValueError(
                    f"experiments.network_sizes.m: {m} is none of datasets.{dataset}.m, {known.m}"
                )
            for name in sorted(set(self.size_networks) & set(self.learners)):
                raise ValueError(f"learners.{name} has the name of a network of network_sizes")
        return self

    @model_validator(mode="after")
    def _speed_fits_the_pool(self) -> Study:
        if not self.runs and "speed" in self.experiments_in_use:
            dataset = self.experiment_dataset("speed") or ""
            pool, largest = self.datasets[dataset].pool, max(self._sizes_of_speed())
            if largest > pool:
                raise ValueError(
                    f"experiments.speed.m: {largest} is larger than the pool of {dataset}, "
                    f"{pool} labelled examples"
                )
        return self

    @model_validator(mode="after")
    def _ladder_climbs(self) -> Study:
        ladder = [(name, weights(learner)) for name, learner in self.networks.items()]
        for (small, low), (large, high) in pairwise(ladder):
            if low >= high:
                raise ValueError(
                    f"use.learners: networks are listed from small to large, but {large} is not "
                    f"larger than {small}"
                )
        return self

    @model_validator(mode="after")
    def _caps_leave_a_curve(self) -> Study:
        for dataset in self.use.datasets:
            for learner in self.use.learners:
                if not self.sizes(dataset, learner):
                    raise ValueError(
                        f"learners.{learner}.m_max.{dataset} is below every m of "
                        f"datasets.{dataset}.m: nothing is left to train"
                    )
        return self

    @property
    def networks(self) -> dict[str, Mlp]:
        """The networks in use, from small to large."""
        if self.given:
            return {}
        used = {name: self.learners[name] for name in self.use.learners}
        return {name: learner for name, learner in used.items() if isinstance(learner, Mlp)}

    @property
    def given(self) -> Given | None:
        """The curves of the table that the study starts from; None where it trains its own."""
        return self._given

    def starting_from(self, given: Given) -> Study:
        """This study about the curves of a table: its own data sets and learners go."""
        use = self.use.model_copy(
            update={
                "datasets": list(given.datasets),
                "learners": [learner["name"] for learner in given.learners],
            }
        )
        study = self.model_copy(update={"use": use, "datasets": {}, "learners": {}})
        study._given = given
        return study

    def record(self) -> dict[str, Any]:
        """The config as JSON, for the paper; of a table, what stands for its definitions."""
        found = self.model_dump(mode="json")
        if self.given is None:
            return found
        found["runs"]["table"] = Path(found["runs"]["table"]).name  # where it lies isn't told
        most = {one["dataset"]: 1 for one in self.given.design}
        for one in self.given.design:
            most[one["dataset"]] = max(most[one["dataset"]], one["repeats"])
        return found | {
            "given": True,
            "datasets": {name: {"repeats": most[name]} for name in self.given.datasets},
            "learners": {one["name"]: {"kind": "given"} | one for one in self.given.learners},
        }

    @property
    def curves(self) -> list[tuple[str, str]]:
        """Every (data set, learner) of the study: one learning curve, one job each."""
        if self.given:
            return [(one["dataset"], one["learner"]) for one in self.given.design]
        return [(d, learner) for d in self.use.datasets for learner in self.use.learners]

    @property
    def own_curves(self) -> list[tuple[str, str]]:
        """The curves (data set, learner) that experiments train beside those of the study."""
        if self.runs:
            return []
        return [
            (curve["dataset"], curve["learner"])
            for name in self.experiments_in_use
            for curve in self.own_design(name)
        ]

    @property
    def hand_made_learners(self) -> dict[str, LearnerSettings]:
        """The learners that `features` trains on hand-made features, by name: svm_rbf_hand."""
        return {
            f"{name}{HAND}": self.learners[name].model_copy(
                update={
                    "features": "hand_made",
                    "label": f"{self.learners[name].label}, hand-made features",
                }
            )
            for name in self.experiments.features.learners
            if name in self.use.learners and self.learners[name].features == "raw"
        }

    @property
    def _hand_made_curves(self) -> list[tuple[str, str]]:
        datasets = [d for d in self.use.datasets if d in self.experiments.features.datasets]
        return [(dataset, learner) for dataset in datasets for learner in self.hand_made_learners]

    @property
    def size_m(self) -> list[int]:
        """The amounts m of network_sizes, ascending."""
        asked, known = self.experiments.network_sizes.m, self._size_dataset().m
        if asked is not None:
            return sorted(set(asked))
        return known if len(known) <= MOST_M else known[::-2][:MOST_M][::-1]

    @property
    def size_repeats(self) -> int:
        """The repeats of network_sizes: no more than the data set's curves have."""
        return min(self.experiments.network_sizes.repeats, self._size_dataset().repeats)

    @property
    def size_ladder(self) -> list[str]:
        """The networks in use that have every m of network_sizes, whose runs it takes."""
        dataset = self.experiment_dataset(SIZES) or ""
        return [n for n in self.networks if set(self.size_m) <= set(self.sizes(dataset, n))]

    @property
    def size_networks(self) -> dict[str, Mlp]:
        """The networks that network_sizes trains by itself, by name: mlp_4x4 has two layers."""
        asked = self.experiments.network_sizes
        there = [list(self.networks[name].hidden) for name in self.size_ladder]
        return {
            "mlp_" + "x".join(map(str, hidden)): Mlp(
                kind="mlp",
                label=wording.layers(hidden),
                hidden=hidden,
                grid=RateGrid(learning_rate=asked.grid.learning_rate),
            )
            for hidden in asked.hidden
            if hidden not in there
        }

    def _size_dataset(self) -> DatasetSettings:
        return self.datasets[self.experiment_dataset(SIZES) or ""]

    def learner(self, name: str) -> LearnerSettings:
        """The definition of a learner, or of one of an experiment."""
        if name in self.learners:
            return self.learners[name]
        return self.hand_made_learners.get(name) or self.size_networks[name]

    def sizes(self, dataset: str, learner: str) -> list[int]:
        """The amounts m that `learner` is trained on, up to its cap."""
        if learner not in self.learners and learner not in self.hand_made_learners:
            return self.size_m
        cap = self.learner(learner).m_max.get(dataset)
        return [m for m in self.datasets[dataset].m if cap is None or m <= cap]

    def data_settings(self, dataset: str) -> dict[str, Any]:
        """All that preparing a data set depends on."""
        settings = self.datasets[dataset]
        common = {
            "name": dataset,
            "seed": self.seed,
            "pool": settings.pool,
            "test": settings.test,
        }
        return common | ({} if settings.path is None else {"table": settings.table_settings()})

    def data_module(self, dataset: str) -> str:
        """The module that prepares a data set."""
        own = self.datasets[dataset].path is not None
        return f"takeoff.datasets.{'table' if own else dataset}"

    def data_files(self, dataset: str) -> dict[str, Path]:
        """The files of one's own data, by key; none of a data set that is a module."""
        settings = self.datasets.get(dataset)
        return {} if settings is None else settings.files()

    def curve_settings(self, dataset: str, learner: str) -> dict[str, Any]:
        """All that training one learning curve depends on, beside its data and code."""
        definition = self.learner(learner)
        shared = {"validation_fraction"}
        training = self.training.model_dump(include=None if definition.is_network else shared)
        return {
            "dataset": dataset,
            "learner": learner,
            "m": self.sizes(dataset, learner),
            "repeats": self._repeats(dataset, learner),
            "seed": self.seed,
            "fit": definition.training_part(),
            "training": training,
        }

    def design(self) -> list[dict[str, Any]]:
        """The cells that the runs must hold, curve by curve: nothing missing, nothing extra."""
        if self.given:
            return self.given.design
        return [self._cells(*curve) for curve in self.curves]

    def own_design(self, name: str) -> list[dict[str, Any]]:
        """The same for the curves that an experiment trains beside those of the study."""
        if name == FEATURES:
            return [self._cells(*curve) for curve in self._hand_made_curves]
        if name != SIZES:
            return []
        dataset = self.experiment_dataset(SIZES) or ""
        return [self._cells(dataset, network) for network in self.size_networks]

    def _cells(self, dataset: str, learner: str) -> dict[str, Any]:
        return {
            "dataset": dataset,
            "learner": learner,
            "m": self.sizes(dataset, learner),
            "repeats": self._repeats(dataset, learner),
        }

    def _repeats(self, dataset: str, learner: str) -> int:
        known = learner in self.learners or learner in self.hand_made_learners
        return self.datasets[dataset].repeats if known else self.size_repeats

    @property
    def experiments_in_use(self) -> list[str]:
        """The experiments that the claims in use bring with them, in the order of these."""
        if self.given:
            return []
        named = [EXPERIMENT_OF[claim] for claim in self.use.claims if claim in EXPERIMENT_OF]
        there = {
            SIZES: self._has_sizes,
            FEATURES: bool(self._hand_made_curves),
            "speed": bool(self.networks),
        }
        return [name for name in named if there.get(name, True)]

    @property
    def _has_sizes(self) -> bool:
        """Whether there is a grid of network sizes: networks, three m or more, and data for it.

        One's own data set has to be asked for: a grid takes longer than `takeoff init` promises.
        """
        asked = self.experiments.network_sizes.dataset
        found = self.datasets.get(asked or self.use.datasets[0])
        if found is None:  # which is an error of its own
            return True
        enough = self.experiments.network_sizes.m is not None or len(found.m) >= 3
        return bool(self.networks) and enough and (asked is not None or found.path is None)

    def experiment_dataset(self, name: str) -> str | None:
        """The data set that an experiment trains on by itself; None if it trains on none."""
        own = getattr(self.experiments, name, None)
        if own is None or "dataset" not in type(own).model_fields:
            return None
        return str(own.dataset or self.use.datasets[-1 if name == "activations" else 0])

    def measure_settings(self, name: str) -> dict[str, Any]:
        """All that an experiment's own measurement depends on, beside its data and code."""
        assert name in MEASURED
        return {
            "experiment": name,
            "settings": self._own_settings(name),
            "seed": self.seed,
            "training": self.training.model_dump(),
            **({"network": self._smallest_network()} if name == "speed" else {}),
        }

    def _smallest_network(self) -> dict[str, Any]:
        return next(iter(self.networks.values())).training_part()

    def experiment_settings(self, name: str) -> dict[str, Any]:
        """All that analysing an experiment depends on, beside the runs and the data sheets."""
        return {
            "experiment": name,
            "settings": self._own_settings(name),
            "seed": self.seed,
            "design": self.design(),
            "own_design": self.own_design(name),
            "datasets": self.use.datasets,
            "learners": self.ladder(),
            "feature_pairs": self.feature_pairs(),
            "level": self.statistics.level,
            "forecast_level": self.statistics.forecast_level,
            "bootstrap": self.statistics.bootstrap,
            "claims": self.claims.model_dump(),
            "costs": self.costs.model_dump(),
            **(self._size_settings() if name == SIZES else {}),
            **(self._feature_settings() if name == FEATURES else {}),
            **(self._what_runs_do() if name == "speed" else {}),
        }

    def _feature_settings(self) -> dict[str, Any]:
        """The learners on both kinds of features."""
        hand_made = [
            {"name": name, "label": learner.label, "rank": 0, "family": family(learner)}
            for name, learner in self.hand_made_learners.items()
        ]
        return {
            "learners": [*self.ladder(), *hand_made],
            "feature_pairs": [(name.removesuffix(HAND), name) for name in self.hand_made_learners],
        }

    def _size_settings(self) -> dict[str, Any]:
        """The grid of network_sizes."""
        names = [*self.size_ladder, *self.size_networks]
        return {
            "dataset": self.experiment_dataset(SIZES),
            "m": self.size_m,
            "repeats": self.size_repeats,
            "networks": {name: self.learner(name).model_dump()["hidden"] for name in names},
            "batch_size": self.training.batch_size,
        }

    def _what_runs_do(self) -> dict[str, Any]:
        """What the seconds of a run follow from, beside the data."""
        return {
            "dataset": self.experiment_dataset("speed"),
            "fits": {name: self.learners[name].training_part() for name in self.use.learners},
            "training": self.training.model_dump(),
        }

    def _own_settings(self, name: str) -> dict[str, Any]:
        own = getattr(self.experiments, name, None)
        if own is None:
            return {}
        dataset = self.experiment_dataset(name)
        values: dict[str, Any] = own.model_dump(mode="json")
        values |= {"m": self._sizes_of_speed()} if name == "speed" else {}
        return values | ({"dataset": dataset} if dataset else {})

    def _sizes_of_speed(self) -> list[int]:
        if self.experiments.speed.m is not None:
            return self.experiments.speed.m
        sizes = self.datasets[self.experiment_dataset("speed") or ""].m
        return sorted({sizes[min(place, len(sizes) - 1)] for place in (2, 4)})

    def option_settings(self) -> dict[str, Any]:
        """All that weighing the options depends on, beside the runs and the data sheets."""
        return {
            "design": self.design(),
            "datasets": self.use.datasets,
            "learners": self.ladder(),
            "feature_pairs": self.feature_pairs(),
            "asked": {
                **self.decisions.model_dump(),
                "doublings": self.claims.doublings,
                "plateau_margin": self.claims.margin,
                "level": self.statistics.forecast_level,
            },
        }

    def feature_pairs(self) -> list[tuple[str, str]]:
        """Learners that differ in nothing but their features: (on raw ones, on hand-made ones)."""
        if self.given:
            return []

        def what(name: str) -> dict[str, Any]:
            return self.learners[name].training_part()

        by_features = {
            kind: [name for name in self.use.learners if what(name).get("features") == kind]
            for kind in ("raw", "hand_made")
        }
        return [
            (raw, hand)
            for raw in by_features["raw"]
            for hand in by_features["hand_made"]
            if what(raw) | {"features": ""} == what(hand) | {"features": ""}
        ]

    def ladder(self) -> list[dict[str, Any]]:
        """The learners as the claims see them; `size_rank` is 0 for traditional learners."""
        if self.given:
            return self.given.learners
        ranks = {name: rank for rank, name in enumerate(self.networks, start=1)}
        return [
            {
                "name": name,
                "label": self.learners[name].label,
                "family": family(self.learners[name]),
                "rank": ranks.get(name, 0),
            }
            for name in self.use.learners
        ]


def load_study(config: dict[str, Any], files: Sequence[Path | str] = ()) -> Study:
    """Check a config (already merged) and give it types.

    Args:
        config: The merged config.
        files: The files that it was merged from, in order; only to name the one at fault.

    Raises:
        TakeoffError: A key is unknown or a value is wrong; names file, key and remedy.
    """
    try:
        return Study.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        keys = _config_keys(first["loc"], config)
        if first["type"] == "unknown_key":
            keys.append(first["ctx"]["key"])
        more = error.error_count() - 1
        raise TakeoffError(
            first["msg"].removeprefix("Value error, "),
            where=f"{_file_of(keys, files)}: {'.'.join(map(str, keys)) or 'top level'}",
            remedy="mend this key in the config" + (f" ({more} more to mend)" if more else ""),
        ) from None


def _config_keys(location: tuple[int | str, ...], config: Any) -> list[int | str]:
    """The part of pydantic's location that is in the config; it adds the kinds of learners."""
    keys: list[int | str] = []
    for step in location:
        if isinstance(config, dict) and step not in config and step == config.get("kind"):
            continue
        config = _within(config, step)
        keys.append(step)
    return keys


def _file_of(keys: list[int | str], files: Sequence[Path | str]) -> str:
    """The last file that sets the key, since later files overrule earlier ones."""
    for file in reversed(files):
        value = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        for key in keys:
            value = _within(value, key)
        if value is not None:
            return str(file)
    return str(files[-1]) if files else "config"


def _within(value: Any, key: int | str) -> Any:
    """value[key], or None where there is no such thing."""
    try:
        return value[key]
    except (KeyError, IndexError, TypeError):
        return None
