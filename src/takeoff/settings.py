"""The sections of a config, typed: what each key means, and what it may be.

`takeoff.study` puts them together and checks what spans several of them.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer, field_validator, model_validator

from takeoff.experiments import EXPERIMENT_OF
from takeoff.kinds import Kind
from takeoff.metrics import Metric
from takeoff.section import Count, Fraction, Grid, Name, Positive, Section, Text

CLAIMS = ("plateau", "bigger_is_better", "keeps_improving", "unclear_when_small")
ALL_CLAIMS = (*CLAIMS, *(claim for claim in EXPERIMENT_OF if claim not in CLAIMS))

ALWAYS = {"m", "repeats", "pool", "test"}  # what a data set of either kind has


class DatasetSettings(Section):
    """Which amounts of labelled data a study takes from one data set.

    With `path` the data set is one's own, and the keys after it say what the file holds; without
    it, the data set is the module of that name.
    """

    m: Annotated[list[Annotated[int, Field(ge=10)]], Field(min_length=1)]
    repeats: Count = 5
    pool: Annotated[int, Field(ge=10, description="rows that the subsets are drawn from")]
    test: Annotated[int, Field(ge=10, description="rows of the fixed test set")]
    path: Path | None = Field(
        default=None,
        description="of one's own data: .csv, .parquet, .npz, .npy, or a folder of picture folders",
    )
    test_path: Path | None = Field(default=None, description="a file of test rows, if one is given")
    label: Text | None = Field(default=None, description="the column to be told from the others")
    task: Literal["classification", "regression"] = "classification"
    metric: Metric | None = Field(
        default=None, description="default: rmse, or error_rate; balanced_error if a class is rare"
    )
    unit: str = Field(default="", description="of the label in regression")
    columns: dict[Text, Kind] = Field(
        default_factory=dict, description="kinds of columns; others get the kind they look like"
    )
    group: Text | None = Field(
        default=None, description="column; no value of it is both trained and tested on"
    )
    time: Text | None = Field(default=None, description="column; the latest rows are the test set")
    weight: Text | None = Field(default=None, description="column; how much each row counts")
    classes: dict[str, Text] | None = Field(
        default=None, description="what readers are to see for each value of the label"
    )
    image_size: Annotated[int, Field(ge=4, le=256)] = 32
    title: Text | None = None
    description: Text | None = Field(default=None, description="one sentence for the paper")

    @field_validator("classes", mode="before")
    @classmethod
    def _values_as_text(cls, classes: Any) -> Any:
        """YAML reads 0, 1, true and false as what they are; in the table they are text."""
        if not isinstance(classes, dict):
            return classes
        words = {True: "true", False: "false"}
        return {
            words[key] if isinstance(key, bool) else str(key): value
            for key, value in classes.items()
        }

    @field_validator("path", "test_path")
    @classmethod
    def _file_exists(cls, path: Path | None) -> Path | None:
        if path is not None and not path.exists():
            raise ValueError(f"there is no '{path.name}' where it points to")
        return path

    @model_validator(mode="after")
    def _table_keys_fit(self) -> DatasetSettings:
        own = sorted((self.model_fields_set - ALWAYS) - {"path"})
        if self.path is None and own:
            raise ValueError(f"{own[0]} is for data of one's own: give path, or drop {own[0]}")
        if self.metric is not None and (self.metric == "rmse") != (self.task == "regression"):
            raise ValueError(f"the metric {self.metric} does not fit task: {self.task}")
        if self.task == "regression" and self.classes:
            raise ValueError("classes has no meaning in regression: drop it")
        roles = [name for name in (self.label, self.group, self.time, self.weight) if name]
        if len(roles) > len(set(roles)):
            raise ValueError("one column can't be two of label, group, time and weight")
        if self.columns.get(self.label or "", "ignore") != "ignore":
            raise ValueError(f"columns must not list the label '{self.label}'")
        return self

    @field_serializer("path", "test_path")
    def _name_only(self, path: Path | None) -> str | None:
        """Where a file lies is nobody's business who reads a report."""
        return None if path is None else path.name

    @field_serializer("classes")
    def _shown_only(self, classes: dict[str, str] | None) -> list[str] | None:
        """The names that stand for values may be there to hide those."""
        return None if classes is None else list(classes.values())

    def table_settings(self) -> dict[str, Any]:
        """All that reading one's own data depends on, except where it lies."""
        keys = set(type(self).model_fields) - ALWAYS - {"path", "test_path"}
        return {key: getattr(self, key) for key in sorted(keys)}

    def files(self) -> dict[str, Path]:
        """The files of one's own data, by key."""
        named = {"path": self.path, "test_path": self.test_path}
        return {key: path for key, path in named.items() if path is not None}

    @model_validator(mode="after")
    def _m_fits_the_pool(self) -> DatasetSettings:
        if any(low >= high for low, high in pairwise(self.m)):
            raise ValueError(f"m must grow from entry to entry, not {self.m}")
        if self.m[-1] > self.pool:
            raise ValueError(
                f"m = {self.m[-1]} is larger than the pool of {self.pool} labelled examples: "
                "drop it from m, or enlarge pool if the data set has more rows"
            )
        return self


class CGrid(Section):
    """Strengths of the penalty: the larger C, the weaker the penalty."""

    C: Grid


class RateGrid(Section):
    """Learning rates (step sizes of the optimiser, or shrinkage of boosting)."""

    learning_rate: Grid


class _LearnerSettings(Section):
    label: Annotated[str, Field(min_length=1, description="the name readers see")]
    m_max: dict[Name, Count] = Field(
        default_factory=dict,
        description="per data set, the largest m that this learner is trained on (its cost)",
    )
    features: Literal["raw", "hand_made"] = Field(
        default="raw", description="what it learns from; hand_made where the data set has those"
    )

    @property
    def is_network(self) -> bool:
        return False

    def training_part(self) -> dict[str, Any]:
        """What a fit depends on: everything but the label and the caps."""
        return self.model_dump(exclude={"label", "m_max"})


class LogisticRegression(_LearnerSettings):
    """Multinomial logistic regression with an L2 penalty."""

    kind: Literal["logistic_regression"]
    grid: CGrid


class Ridge(_LearnerSettings):
    """Linear regression of numbers with an L2 penalty."""

    kind: Literal["ridge"]
    grid: CGrid


class SvmRbf(_LearnerSettings):
    """Support vector machine with a radial basis function kernel."""

    kind: Literal["svm_rbf"]
    grid: CGrid


class GradientBoosting(_LearnerSettings):
    """Histogram gradient boosting of decision trees."""

    kind: Literal["gradient_boosting"]
    grid: RateGrid
    max_trees: Count = 200


class Mlp(_LearnerSettings):
    """Fully connected ReLU network; `hidden` lists the width of each hidden layer."""

    kind: Literal["mlp"]
    hidden: Annotated[list[Count], Field(min_length=1)]
    grid: RateGrid

    @property
    def is_network(self) -> bool:
        return True


LearnerSettings = Annotated[
    LogisticRegression | Ridge | SvmRbf | GradientBoosting | Mlp, Field(discriminator="kind")
]


class TrainingSettings(Section):
    """How networks are trained; `validation_fraction` holds for every learner."""

    validation_fraction: Fraction = 0.2
    batch_size: Count = 128
    epochs: Count = 15
    min_steps: Count = 500
    max_steps: Count = 4000
    evaluations: Count = 25
    patience: Count = 5
    pilot_fraction: Fraction = 0.25
    warmup_fraction: Fraction = 0.05
    cooldown_fraction: Fraction = 0.2
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    @model_validator(mode="after")
    def _steps_in_order(self) -> TrainingSettings:
        if self.min_steps > self.max_steps:
            raise ValueError(f"min_steps = {self.min_steps} is above max_steps = {self.max_steps}")
        return self


class StatisticsSettings(Section):
    """Intervals and the bootstrap behind them."""

    level: Annotated[Fraction, Field(description="of the intervals for what was measured")] = 0.95
    forecast_level: Annotated[Fraction, Field(description="of the intervals of forecasts")] = 0.9
    bootstrap: Annotated[int, Field(ge=100)] = 2000


class ClaimThresholds(Section):
    """What each claim is held against, fixed before any result is seen."""

    doublings: Count = 2
    margin: Fraction = 0.05
    agreement_margin: Annotated[float, Field(ge=0, lt=2)] = 0.1
    small_m: Count = 2
    population: Annotated[
        bool,
        Field(
            description="claims about error rates on other test sets too, not on this one alone; "
            "wider intervals, and more is undecided"
        ),
    ] = False


FARTHEST = 10  # times the largest m: nothing is forecast beyond, as in `decisions`


class DecisionSettings(Section):
    """What "What more labels would bring" is asked."""

    targets: Annotated[
        Literal["auto"] | Annotated[list[Positive], Field(min_length=1)],
        Field(
            description="errors to reach; auto: 10, 25, 50 % lower than the best (above its floor)"
        ),
    ] = "auto"
    factors: Annotated[
        list[Annotated[float, Field(gt=1, le=FARTHEST)]],
        Field(min_length=1, description="multiples of the labels"),
    ] = Field(default=[2, 4, 10])
    margin: Annotated[
        Fraction, Field(description="share of the error that a lever must remove to be worth it")
    ] = 0.1

    @field_validator("targets", "factors")
    @classmethod
    def _ordered_once(cls, values: Any) -> Any:
        return values if isinstance(values, str) else sorted(set(values))


class Costs(Section):
    """What labels and computing cost; the paper then speaks of money too."""

    label: Annotated[float, Field(ge=0, description="one labelled example")] | None = None
    hour: Annotated[float, Field(ge=0, description="an hour of computing")] | None = None
    currency: Annotated[str, Field(min_length=1)] = "EUR"


class TableDataset(Section):
    """What is known of a data set whose curves come from a table."""

    title: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="the name readers see; without it, the table's"
    )
    metric: Literal["error_rate", "balanced_error", "log_loss", "rmse"] = "error_rate"
    unit: Annotated[str, Field(description="of the metric, where it has one")] = ""
    floor: Annotated[float, Field(ge=0, description="of the best possible decision")] | None = None
    chance: Annotated[float, Field(gt=0, description="the error of guessing")] | None = None


class TableLearner(Section):
    """What is known of a learner whose curves come from a table."""

    label: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="the name readers see; without it, the table's"
    )
    family: Literal["traditional", "network"] = "traditional"
    rank: Count | None = Field(
        default=None, description="of a network, by size: 1 for the smallest; without it, by order"
    )

    @model_validator(mode="after")
    def _only_networks_have_a_rank(self) -> TableLearner:
        if self.rank is not None and self.family != "network":
            raise ValueError("only networks have a rank: say `family: network`, or drop it")
        return self


Names = Annotated[list[str], Field(min_length=1)]


class TableUse(Section):
    """What a study takes of its table, in the paper's order; without it, all, in the table's."""

    datasets: Names | None = None
    learners: Names | None = None


class Runs(Section):
    """A table of learning curves that a study starts from; names are those of the table."""

    table: Annotated[str, Field(min_length=1, description="CSV or Parquet, see `takeoff fit`")]
    use: TableUse = TableUse()
    datasets: dict[str, TableDataset] = Field(default_factory=dict)
    learners: dict[str, TableLearner] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _a_path_is_enough(cls, value: Any) -> Any:
        return {"table": value} if isinstance(value, str) else value


class Use(Section):
    """What this study takes of the definitions, in the order of the paper."""

    datasets: Annotated[list[Name], Field(min_length=1)]
    learners: Annotated[list[Name], Field(min_length=1)]
    claims: list[Literal[ALL_CLAIMS]] = Field(  # type: ignore[valid-type]
        default_factory=lambda: list(CLAIMS),
        description="what is held against the data; some bring an experiment of their own",
    )

    @field_validator("datasets", "learners", "claims")
    @classmethod
    def _no_doubles(cls, names: list[str]) -> list[str]:
        doubles = sorted({name for name in names if names.count(name) > 1})
        if doubles:
            raise ValueError(f"listed twice: {', '.join(doubles)}")
        return names


def family(learner: LearnerSettings) -> str:
    """What the claims tell apart."""
    return "network" if learner.is_network else "traditional"


def weights(network: Mlp) -> int:
    """A measure of size that needs no data: weights between hidden layers plus their units."""
    return sum(a * b for a, b in pairwise(network.hidden)) + sum(network.hidden)
