"""A grid of networks and amounts of labelled data: what was measured in each of its cells."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from takeoff.errors import TakeoffError
from takeoff.experiments import Asked
from takeoff.statistics import surfaces
from takeoff.statistics.intervals import Estimate, mean_of
from takeoff.wording import layers

Floats = NDArray[np.float64]

LARGER = 2.0  # times the parameters that the next larger network must have at least


@dataclass(frozen=True, eq=False)
class Grid:
    """S networks at M amounts of labelled data, in R repeats that share their examples.

    Attributes:
        dataset: The data set.
        networks: Names, from few parameters to many.
        hidden: Widths of their hidden layers.
        n: [S] parameters.
        m: [M] labelled examples, ascending.
        errors: [S, M, R] test errors.
        examples: [S, M] examples that the kept run of a network has seen, batch by batch.
        seconds: [S, M] of a cell, tuning included: the median of the repeats.
    """

    dataset: str
    networks: list[str]
    hidden: list[list[int]]
    n: Floats
    m: Floats
    errors: Floats
    examples: Floats
    seconds: Floats

    @classmethod
    def of(cls, asked: Asked) -> Grid:
        """The grid of a study: the curves of its own networks, and those trained beside them.

        Raises:
            TakeoffError: A network lacks a cell.
        """
        settings = asked.settings
        tables = [asked.runs, *([] if asked.own is None else [asked.own])]
        rows = pd.concat(tables, ignore_index=True)
        rows = rows[
            (rows["dataset"] == settings["dataset"])
            & rows["learner"].isin(list(settings["networks"]))
            & rows["m"].isin(settings["m"])
            & (rows["repeat"] < settings["repeats"])
        ]
        return grid_of(rows, settings["networks"], settings["batch_size"])

    @property
    def mean(self) -> Floats:
        """[S, M] errors."""
        return np.asarray(self.errors.mean(axis=2))

    @property
    def labels(self) -> list[str]:
        """What readers see of the networks: 16-16."""
        return [layers(hidden) for hidden in self.hidden]

    def next_larger(self, network: int) -> int | None:
        """The smallest network with at least `LARGER` times the parameters, if there is one."""
        larger = np.flatnonzero(self.n >= LARGER * self.n[network])
        return int(larger[0]) if len(larger) else None

    def slope(self, before: tuple[int, int], after: tuple[int, int]) -> Estimate | None:
        """Log2 of the error before over that after, per doubling of what grew between two cells.

        Within each repeat, then over the repeats; None where an error is zero. Only one of network
        and m may differ.
        """
        ends = np.stack([self.errors[before], self.errors[after]])
        if (ends <= 0).any():
            return None
        grew = self.n[after[0]] / self.n[before[0]] * self.m[after[1]] / self.m[before[1]]
        return mean_of(np.log2(ends[0] / ends[1]) / math.log2(grew))

    def cells(self) -> pd.DataFrame:
        """A row per cell: network, label, parameters, m, seconds, examples, flops."""
        s, m = (index.ravel() for index in np.indices(self.mean.shape))
        return pd.DataFrame(
            {
                "network": [self.networks[i] for i in s],
                "label": [self.labels[i] for i in s],
                "parameters": self.n[s].astype(int),
                "m": self.m[m].astype(int),
                "error": self.mean.ravel(),
                "seconds": self.seconds.ravel(),
                "examples": self.examples.ravel(),
                "flops": 6 * self.n[s] * self.examples.ravel(),
            }
        )

    def errors_table(self, level: float) -> pd.DataFrame:
        """`cells`, with t intervals of the errors (low, high)."""
        ends = [mean_of(cell).interval(level) for cell in self.errors.reshape(-1, self.repeats)]
        return self.cells().assign(low=[end[0] for end in ends], high=[end[1] for end in ends])

    def depths(self, level: float) -> pd.DataFrame:
        """What more layers of one width bring, at the largest m.

        Returns:
            A row per pair of networks whose layers all have one width, the next depth against the
            one before: width, shallow, deep (labels), difference (error of the deeper minus that of
            the shallower one, paired), low, high, verdict: better, worse or unclear.
        """
        even = {i: hidden for i, hidden in enumerate(self.hidden) if len(set(hidden)) == 1}
        rows = []
        for width in sorted({hidden[0] for hidden in even.values()}):
            same = sorted((i for i in even if even[i][0] == width), key=lambda i: len(even[i]))
            for shallow, deep in itertools.pairwise(same):
                estimate = mean_of(self.errors[deep, -1] - self.errors[shallow, -1])
                low, high = estimate.interval(level)
                verdict = "better" if high < 0 else "worse" if low > 0 else "unclear"
                pair = (self.labels[shallow], self.labels[deep])
                rows.append((width, *pair, estimate.value, low, high, verdict))
        names = ["width", "shallow", "deep", "difference", "low", "high", "verdict"]
        return pd.DataFrame(rows, columns=names)

    @property
    def repeats(self) -> int:
        """R."""
        return int(self.errors.shape[2])


def grid_of(rows: pd.DataFrame, hidden: Mapping[str, Sequence[int]], batch_size: int) -> Grid:
    """The grid of runs of one data set: a row per network, m and repeat, none missing.

    Args:
        rows: dataset, learner, m, repeat, test_error, n_params, steps, seconds.
        hidden: By network.
        batch_size: Examples a step.

    Raises:
        TakeoffError: A network lacks a cell.
    """
    params = rows.groupby("learner")["n_params"].first().sort_values(kind="stable")
    names = [str(name) for name in params.index]
    cells = rows.sort_values("repeat").set_index(["learner", "m", "repeat"])
    every_m, repeats = sorted(rows["m"].unique()), sorted(rows["repeat"].unique())
    whole = pd.MultiIndex.from_product([names, every_m, repeats], names=cells.index.names)
    if len(cells) != len(whole) or not whole.isin(cells.index).all():
        raise TakeoffError(
            f"{len(cells)} of the {len(whole)} cells of the grid of network sizes are there",
            remedy="delete the runs of its networks and run snakemake again",
        )
    shape = len(names), len(every_m), len(repeats)

    def measured(column: str) -> Floats:
        return np.asarray(cells.loc[whole, column].to_numpy(dtype=float).reshape(shape))

    return Grid(
        dataset=str(rows["dataset"].iloc[0]),
        networks=names,
        hidden=[list(hidden[name]) for name in names],
        n=params.to_numpy(dtype=float),
        m=np.array(every_m, dtype=float),
        errors=measured("test_error"),
        examples=batch_size * measured("steps").mean(axis=2),
        seconds=np.median(measured("seconds"), axis=2),
    )


# What cells cost


@dataclass(frozen=True, eq=False)
class Costs:
    """What training one network of N parameters on m labelled examples costs.

    A run is taken to pass through its examples as often as those at the largest m did, on average
    over the networks. That is too little for small m, at which runs have a least number of steps.

    Attributes:
        passes: Examples seen by a run for each labelled one.
        weights: [3] seconds for a cell, for each example that is seen, and for each parameter and
            example.
        largest: Parameters of the largest network.
        label: The price of one label, or 0.
        hour: That of an hour of computing, or 0.
    """

    passes: float
    weights: Floats
    largest: float
    label: float = 0.0
    hour: float = 0.0

    @classmethod
    def of(cls, grid: Grid, prices: Mapping[str, Any]) -> Costs:
        """From what was measured: seconds by least squares of the relative errors, none below 0."""
        from scipy import optimize

        seen = grid.examples
        terms = np.stack([np.ones_like(seen), seen, grid.n[:, None] * seen], axis=-1)
        seconds = np.maximum(grid.seconds, 1e-6)[..., None]
        system = (terms / seconds).reshape(-1, 3)
        scale = np.linalg.norm(system, axis=0)
        weights, _ = optimize.nnls(system / scale, np.ones(len(system)))
        return cls(
            float(np.exp(np.log(seen[:, -1]).mean()) / grid.m[-1]),
            np.asarray(weights / scale),
            largest=float(grid.n[-1]),
            label=prices.get("label") or 0.0,
            hour=prices.get("hour") or 0.0,
        )

    def flops(self, n: Floats, m: Floats) -> Floats:
        """Floating-point operations of one run: 6 a parameter and example (Kaplan et al. 2020)."""
        return np.asarray(6.0 * self.passes * n * m)

    def seconds(self, n: Floats, m: Floats) -> Floats:
        """Of a cell on the machine that trained the grid, tuning included."""
        seen = self.passes * m
        return np.asarray(self.weights[0] + self.weights[1] * seen + self.weights[2] * n * seen)

    def money(self, n: Floats, m: Floats) -> Floats:
        """Labels, and the hours of one cell."""
        return np.asarray(self.label * m + self.hour * self.seconds(n, m) / 3600)

    @property
    def priced(self) -> bool:
        """Whether there is a price of anything."""
        return self.label > 0 or self.hour > 0

    @property
    def unit(self) -> str:
        """What budgets are in: money where anything has a price, else operations."""
        return "money" if self.priced else "flops"

    @property
    def price(self) -> surfaces.Price:
        """Of N and m, in `unit`.

        Where labels are dear and computing is cheap, ever larger networks would be worth their
        money by a hair: in money, no network beyond the largest measured one can be bought.
        """
        if not self.priced:
            return surfaces.Product(6.0 * self.passes)
        return lambda n, m: np.where(n <= self.largest, self.money(n, m), np.inf)
