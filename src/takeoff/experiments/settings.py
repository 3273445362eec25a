"""The settings of the experiments, one section for each that has any."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from takeoff.section import Count, Fraction, Grid, Name, Section

SIZES = [[1], [4], [64], [16, 16, 16, 16], [512, 512]]  # beside the ladder of the lecture study
MOST_M = 4  # of a data set's m, where none are given


class SizesGrid(Section):
    """Learning rates, tuned in every cell."""

    learning_rate: Grid = Field(default=[0.001, 0.003, 0.01])


class NetworkSizes(Section):
    """A grid of network sizes and amounts of labels, on one data set."""

    dataset: Name | None = Field(
        default=None, description="default: the first in use, unless that is one's own"
    )
    hidden: Annotated[
        list[Annotated[list[Count], Field(min_length=1)]],
        Field(min_length=1, description="networks beside those in use: widths of hidden layers"),
    ] = SIZES
    m: Annotated[list[Count], Field(min_length=3)] | None = Field(
        default=None,
        description="some of the data set's m; default: at most four of the largest, every other",
    )
    repeats: Annotated[Count, Field(ge=3)] = 3
    grid: SizesGrid = SizesGrid()


class Rates(Section):
    """The learning rates that are tried, for each optimiser."""

    sgd: Grid = Field(default=[0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0])
    adam: Grid = Field(default=[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1])


class Activations(Section):
    """Networks that differ in their activation, trained alike: is ReLU faster than the sigmoid?"""

    dataset: Name | None = Field(
        default=None, description="one in use; the last, unless it is named"
    )
    m: Annotated[int, Field(ge=10, description="labelled examples, at most")] = 16000
    activations: list[Literal["relu", "sigmoid", "tanh", "gelu"]] = Field(
        default=["relu", "sigmoid", "tanh", "gelu"]
    )
    initialisations: Annotated[list[Literal["default", "scaled"]], Field(min_length=1)] = Field(
        default=["default", "scaled"],
        description="first weights: PyTorch's own, or made for the activation",
    )
    depths: Annotated[list[Count], Field(min_length=1, description="hidden layers")] = Field(
        default=[1, 2, 4, 8]
    )
    width: Annotated[Count, Field(description="of each hidden layer")] = 32
    optimisers: Annotated[list[Literal["sgd", "adam"]], Field(min_length=1)] = Field(
        default=["sgd"], description="the claim is decided by the first"
    )
    rates: Rates = Rates()
    momentum: Fraction = 0.9
    batch_size: Count = 32
    steps: Annotated[int, Field(ge=20, description="a run's budget")] = 1000
    evaluations: Annotated[int, Field(ge=5, description="of the loss, within a run")] = 32
    tuning_repeats: Annotated[Count, Field(description="that choose the learning rate")] = 2
    repeats: Annotated[int, Field(ge=3, description="that are judged, other ones")] = 6
    target: Annotated[
        Fraction, Field(description="share of the way from guessing to the lowest loss")
    ] = 0.9
    shares: list[Fraction] = Field(
        default=[0.5, 0.8], description="other shares of that way, which no verdict looks at"
    )
    flat: Annotated[
        Fraction, Field(description="share of the steepest slope below which a unit is flat")
    ] = 0.05

    @field_validator("activations", "initialisations", "depths", "optimisers")
    @classmethod
    def _each_once(cls, values: list[str]) -> list[str]:
        if len(set(values)) < len(values):
            raise PydanticCustomError("twice", "an entry is listed twice")
        return values

    @field_validator("activations")
    @classmethod
    def _both_of_the_claim(cls, values: list[str]) -> list[str]:
        if not {"relu", "sigmoid"} <= set(values):
            raise PydanticCustomError(
                "incomplete", "the claim compares relu with sigmoid: list both"
            )
        return values


class Speed(Section):
    """How long an answer takes, and what makes it come sooner."""

    dataset: Name | None = Field(
        default=None, description="that training is timed on; default: the first in use"
    )
    m: Annotated[list[Annotated[int, Field(ge=10)]], Field(min_length=1)] | None = Field(
        default=None,
        description="of the cells that are trained in four ways; default: the third and the fifth "
        "of the data set's, or the largest",
    )
    repeats: Annotated[Count, Field(ge=3)] = 4
    factor: Annotated[
        float,
        Field(
            gt=1,
            description="ten times the labels, or the weights, lengthen a run by more than it; "
            "computing better shortens one by more than it",
        ),
    ] = 2.0
    error_margin: Annotated[
        Fraction, Field(description="share by which computing better may raise the error")
    ] = 0.05


class Features(Section):
    """Learners of the study that are trained on hand-made features, too."""

    datasets: list[Name] = Field(
        default=[], description="that have hand-made features; those in use are taken"
    )
    learners: list[Name] = Field(default=[], description="those in use are taken")


class Experiments(Section):
    """What the experiments of the study's claims are about."""

    features: Features = Features()
    network_sizes: NetworkSizes = NetworkSizes()
    activations: Activations = Activations()
    speed: Speed = Speed()
