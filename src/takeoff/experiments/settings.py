"""The settings of the experiments, one section for each that has any."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from takeoff.section import Count, Grid, Name, Section

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


class Experiments(Section):
    """What the experiments of the study's claims are about."""

    network_sizes: NetworkSizes = NetworkSizes()
