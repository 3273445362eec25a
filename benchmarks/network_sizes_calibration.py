"""How often the claim `two_levers` and its surface say what, on grids whose truth is known.

The claim: the errors of the grid's cells are known, noise is that of `claims_calibration`. For each
of its four parts, the effect is varied around its threshold while the three others are clearly
true: the worst case for a false `supported`.

The surface: errors follow its own model, a law in which the levers need each other, or a law with
a bend in m. Half of the grid (the smaller N * m) predicts the other: how far off, against the
nearest cell, and how many of the true and of the measured means lie within the 90 % intervals.
Then, with intervals as the paper has them (widened by what the halves show) and without: how often
the true error at ten times the labels, or the network, lies within; and at ten times the budget,
the one that a network trained there would have. Last, by how much the true error is larger at what
is recommended for that budget than at what would have been best.

Usage: python benchmarks/network_sizes_calibration.py [--quick] [--studies N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from claims_calibration import TESTS, Floats, Noise, show, worst

from takeoff.errors import TakeoffError
from takeoff.experiments import size_surface
from takeoff.experiments.network_sizes import middle, two_levers
from takeoff.experiments.size_grid import Costs, Grid
from takeoff.statistics import surfaces
from takeoff.statistics.claims import ClaimSettings, decided, verdict_on

HIDDEN = [[1], [4], [16, 16], [16] * 4, [64], [64, 64], [256, 256], [512, 512]]
N = np.array([517, 2062, 8514, 9058, 32_962, 37_122, 197_634, 526_338], dtype=float)
M = np.array([500.0, 2000.0, 8000.0, 32_000.0])
SETTINGS = ClaimSettings()
ELSEWHERE = ClaimSettings(tests={"simulated": TESTS})
LEVEL = 0.9
BUDGET = 10.0  # times the largest whose best is within the grid


def grid_of(truth: Floats, noise: Noise, rng: np.random.Generator) -> Grid:
    """A grid whose errors [S, M] are measured in some repeats."""
    seen = np.broadcast_to(np.maximum(15_000.0, 5 * M), truth.shape)
    return Grid(
        dataset="simulated",
        networks=[f"mlp_{i}" for i in range(len(N))],
        hidden=HIDDEN,
        n=N,
        m=M,
        errors=noise.errors(truth, rng, m=M),
        examples=seen,
        seconds=1e-6 * seen + 2e-10 * N[:, None] * seen,
    )


# The claim


@dataclass(frozen=True)
class Effects:
    """What the four parts of the claim are about; all of them clearly true."""

    network_many: float = 0.06
    labels_largest: float = 0.15
    network_few: float = 0.01
    labels_smallest: float = 0.01

    def truth(self) -> Floats:
        """[S, M] errors with these effects; the cells in which no part looks don't matter."""
        errors = np.full((len(N), len(M)), 0.2)
        errors[-1, -1] = 0.1
        errors[0, -1] = errors[-1, -1] + self.network_many
        errors[-1, 0] = errors[-1, -1] + self.labels_largest
        i = _middle()
        doublings = np.log2(N[-1] / N[i])
        errors[i, 0] = errors[-1, 0] * (1 - self.network_few) ** -doublings
        errors[0, -2] = errors[0, -1] * (1 - self.labels_smallest) ** -2
        return errors


def _middle() -> int:
    still = grid_of(np.full((len(N), len(M)), 0.2), Noise(repeats=3), np.random.default_rng(0))
    return middle(still)


VARIED: dict[str, tuple[float, tuple[float, ...], int]] = {  # threshold, effects, claimed side
    "network_many": (0.0, (-0.02, -0.005, 0.0, 0.005, 0.02, 0.06), 1),
    "labels_largest": (0.0, (-0.02, -0.005, 0.0, 0.01, 0.04, 0.15), 1),
    "network_few": (0.05, (0.08, 0.06, 0.05, 0.04, 0.02, 0.0), -1),
    "labels_smallest": (0.05, (0.1, 0.06, 0.05, 0.04, 0.02, 0.0), -1),
}


def of_claim(studies: int, noise: Noise, settings: ClaimSettings) -> Iterator[dict[str, Any]]:
    """A row per part and effect."""
    rng = np.random.default_rng(1)
    for name, (threshold, effects, side) in VARIED.items():
        for effect in effects:
            truth = replace(Effects(), **{name: effect}).truth()
            found = Counter(
                verdict_on(
                    decided(list(two_levers(grid_of(truth, noise, rng), settings)), settings)
                )
                for _ in range(studies)
            )
            shares = {v: found[v] / studies for v in ("supported", "refuted", "undecided")}
            true = bool(side * (effect - threshold) > 0)
            yield {"part": name, "effect": effect, "true": true} | shares


def _verdict(truth: Floats, noise: Noise, settings: ClaimSettings, rng: np.random.Generator) -> str:
    parts = two_levers(grid_of(truth, noise, rng), settings)
    return verdict_on(decided(list(parts), settings))


# The surface


def own_model(rng: np.random.Generator) -> Callable[[Floats, Floats], Floats]:
    """The surface's own model."""
    floor, alpha, beta = rng.uniform(0.0, 0.05), rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.6)
    return lambda n, m: floor + 0.15 * (n / 517) ** -alpha + 0.15 * (m / 500) ** -beta


def interacting(rng: np.random.Generator) -> Callable[[Floats, Floats], Floats]:
    """The exponent of m grows with the network."""
    floor, base = rng.uniform(0.0, 0.05), rng.uniform(0.15, 0.3)
    more = rng.uniform(0.0, 0.03)
    return lambda n, m: floor + 0.28 * (m / 500) ** -(base + more * np.log(n / 517))


def bent(rng: np.random.Generator) -> Callable[[Floats, Floats], Floats]:
    """The curve in m steepens, as it does where a network first learns and then generalises."""
    alpha, beta = rng.uniform(0.2, 0.7), rng.uniform(0.2, 0.3)
    later, turn = rng.uniform(0.1, 0.3), 10 ** rng.uniform(3, 4)
    return lambda n, m: (
        0.02 + 0.1 * (n / 517) ** -alpha
        + 0.18 * (m / 500) ** -beta * ((1 + m / turn) / (1 + 500 / turn)) ** -later
    )  # fmt: skip


LAWS = {"own model": own_model, "levers need each other": interacting, "bent in m": bent}


def of_surfaces(studies: int, noise: Noise) -> Iterator[dict[str, Any]]:
    """A row per law."""
    for name, draw in LAWS.items():
        rng = np.random.default_rng(2)
        found = [one for _ in range(studies) if (one := _of_surface(draw(rng), noise, rng))]
        columns = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
        means = {key: float(np.mean(v)) if len(v) else None for key, v in columns.items()}
        yield {"law": name} | means | {"grids": len(found)}


def _of_surface(
    law: Callable[[Floats, Floats], Floats], noise: Noise, rng: np.random.Generator
) -> dict[str, Floats] | None:
    truth = np.clip(law(N[:, None], M[None, :]), 1e-3, 0.9)
    grid = grid_of(truth, noise, rng)
    limits: dict[str, float | None] = {"floor": None, "chance": None}
    try:
        late = size_surface.hold_out(grid, limits, LEVEL)
        cells = grid.cells()
        plain = size_surface.fit(cells["parameters"], cells["m"], cells["error"], limits, LEVEL)
    except TakeoffError:
        return None
    expected = truth.ravel()[size_surface.larger_half(grid)]
    held = {
        "missed": np.abs(late["predicted"] - late["measured"]).to_numpy(),
        "nearest_missed": np.abs(late["last_value"] - late["measured"]).to_numpy(),
        "covered": late["inside"].to_numpy(dtype=float),
        "true_covered": ((late["low"] <= expected) & (expected <= late["high"])).to_numpy(float),
        "width": (late["high"] - late["low"]).to_numpy(),
    }
    fitted = replace(plain, widened=size_surface.factor_needed(late, plain.floor, LEVEL))
    for name, one in (("", fitted), ("_not_widened", plain)):
        held |= _of_budget(law, grid, one, noise, rng, name)
        ahead = size_surface.ten_times(grid, one)
        for lever, at in (("labels", (N[-1], 10 * M[-1])), ("network", (10 * N[-1], M[-1]))):
            error = float(law(*map(np.array, at)))
            low, high = ahead[lever]["low"], ahead[lever]["high"]
            held[f"10x_{lever}{name}"] = np.array([float(low <= error <= high)])
    return held | {"factor": np.array([fitted.widened])}


def _of_budget(
    law: Callable[[Floats, Floats], Floats],
    grid: Grid,
    fitted: size_surface.Fitted,
    noise: Noise,
    rng: np.random.Generator,
    name: str,
) -> dict[str, Floats]:
    """At ten times the largest budget whose best is within the grid, where that is stated."""
    costs = Costs.of(grid, {})
    table = size_surface.frontier(grid, fitted, costs)
    row = table[(table["scale"] == BUDGET) & ~table["status"].str.startswith("not")]
    nothing = {f"budget{name}": np.array([]), f"excess{name}": np.array([])}
    if row.empty:
        return nothing
    asked = row.iloc[0]
    n = np.geomspace(N[0], surfaces.FARTHEST * N[-1], 600)
    m = asked["budget"] / (6 * costs.passes * n)
    allowed = (m >= M[0]) & (m <= surfaces.FARTHEST * M[-1])
    at = law(np.array([asked["parameters"]]), np.array([asked["m"]]))
    size = noise.relative * (asked["m"] / M[0]) ** -0.2 / np.sqrt(noise.repeats)
    trained = at * (1 + size * rng.standard_normal())
    covered = (asked["error_low"] <= trained) & (trained <= asked["error_high"])
    best = law(n[allowed], m[allowed]).min()
    return {f"budget{name}": covered.astype(float), f"excess{name}": at / best - 1}


def main() -> None:
    """Simulate, decide, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="few studies: within a minute")
    parser.add_argument("--studies", type=int, help="per effect; 1000, or 100 with --quick")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    studies = chosen.studies or (100 if chosen.quick else 1000)
    started = time.perf_counter()
    found: dict[str, Any] = {"studies": studies}
    three = Noise(repeats=3)
    on_others = replace(three, tests=TESTS)
    for title, noise, settings in (
        ("3 repeats, about this test set", three, SETTINGS),
        ("5 repeats, about this test set", Noise(), SETTINGS),
        (f"3 repeats, about the population, {TESTS:,} tests", on_others, ELSEWHERE),
    ):
        rows = list(of_claim(studies, noise, settings))
        show(f"two_levers: {title}", rows)
        print(f"largest share of a false `supported`: {worst(rows):.3f}")
        found[title] = rows
    rows = list(of_surfaces(max(studies // 10, 20), three))
    for row in rows:
        show(f"Surface ({row.pop('law')}): 90 % intervals", [row])
    found["surfaces"] = rows
    print(f"\n{time.perf_counter() - started:.0f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
