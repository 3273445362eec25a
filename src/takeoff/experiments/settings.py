"""The settings of the experiments, one section for each that has any."""

from __future__ import annotations

from takeoff.section import Section


class Experiments(Section):
    """What the experiments of the study's claims are about."""
