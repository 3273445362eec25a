"""The settings of the experiments, one section for each that has any."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from takeoff.section import Count, Fraction, Name, Section


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


class Experiments(Section):
    """What the experiments of the study's claims are about."""

    speed: Speed = Speed()
