"""Why nothing is stated a hundred times beyond a curve: what intervals that far would be worth.

Forecasts reach ten times the largest m. The same method does give intervals for a hundred times;
`python benchmarks/extrapolation.py --curves lcdb_curves.csv.gz --horizon 10 100 --sample 400
--seed 1` measured them on curves of LCDB 1.1 (Yan, Mohr and Viering 2025), cut at a tenth and at a
hundredth of their largest m. They hold about as often as they promise, and are so wide that they
say next to nothing.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Far:
    """How 90 % intervals did.

    Attributes:
        factor: Of the largest m known.
        curves: How many were forecast.
        inside: The share of errors within the interval.
        width: Of the intervals, on average; errors are shares.
    """

    factor: float
    curves: int
    inside: float
    width: float


LEVEL = 0.9
TEN = Far(10, 400, 0.855, 0.106)
HUNDRED = Far(100, 394, 0.919, 0.409)
