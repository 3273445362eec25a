"""How often `takeoff compare` names numbers as moved, in simulated pairs of reports.

Both reports of a pair are of one study with the same true learning curves, so nothing but luck
differs, or of one in which a learner got worse. Each is a whole report: runs, curves, fits,
forecasts, claims, decisions, facts. The repeats of a report share part of their luck, subsets of
growing m are nested, and the share m / N of what a repeat is off by is the pool's. Where the data
are other ones, the pool and the test set are drawn anew.

A pair is a false alarm if any number is named although only luck differs: at most 5 % should be.

Usage: python benchmarks/compare_calibration.py [--quick] [--pairs N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from takeoff.comparing.bundles import Bundle, Report
from takeoff.comparing.comparison import compare
from takeoff.measures import Measure
from takeoff.paper import facts
from takeoff.paper.facts import Results
from takeoff.paper.report import report_record
from takeoff.statistics import claims, fits, forecasts, options
from takeoff.study import Study, load_study

Floats = NDArray[np.float64]
M = [125, 250, 500, 1000, 2000, 4000, 8000, 16000]
POOL, TESTS = 60_000, 10_000
WORSE = "mlp_medium"
LAWS = {  # floor, amplitude, exponent; the second data set is easier by a fifth
    "logistic_regression": (0.11, 1.6, 0.5),
    "gradient_boosting": (0.07, 1.3, 0.38),
    "mlp_small": (0.06, 1.4, 0.37),
    "mlp_medium": (0.055, 1.45, 0.39),
    "mlp_large": (0.05, 1.5, 0.4),
}


@dataclass(frozen=True)
class Case:
    """What differs between the reports of a pair.

    Attributes:
        title: For readers.
        repeats: Of both.
        relative: Standard deviation of a repeat's error at the smallest m, as a share of it.
        other_data: Whether pool and test set are other ones.
        told: Whether the reports say so (their digests differ).
        worse: By how much, as a share of its error, one learner got worse on one data set.
    """

    title: str
    repeats: int = 5
    relative: float = 0.08
    other_data: bool = False
    told: bool = True
    worse: float = 0.0


CASES = (
    Case("same data, 5 repeats"),
    Case("same data, 3 repeats", repeats=3),
    Case("same data, 5 repeats, noisy", relative=0.2),
    Case("other data, 5 repeats", other_data=True),
    Case("other data, 3 repeats", repeats=3, other_data=True),
    Case("other data, not told", other_data=True, told=False),
    Case("one learner worse by 10 %", worse=0.1),
    Case("one learner worse by 20 %", worse=0.2),
    Case("one learner worse by 20 %, 3 repeats", repeats=3, worse=0.2),
    Case("one learner worse by 20 %, other data", other_data=True, worse=0.2),
)


def study_of(repeats: int) -> Study:
    """Two data sets, two traditional learners and three networks."""
    kinds: dict[str, dict[str, Any]] = {
        "logistic_regression": {"kind": "logistic_regression", "grid": {"C": [0.1]}},
        "gradient_boosting": {"kind": "gradient_boosting", "grid": {"learning_rate": [0.1]}},
    }
    for name, width in (("mlp_small", 16), ("mlp_medium", 64), ("mlp_large", 256)):
        kinds[name] = {"kind": "mlp", "hidden": [width], "grid": {"learning_rate": [0.001]}}
    size = {"m": M, "repeats": repeats, "pool": POOL, "test": TESTS}
    return load_study(
        {
            "study": "simulated",
            "title": "Simulated",
            "seed": 1,
            "use": {"datasets": ["one", "two"], "learners": list(LAWS)},
            "datasets": {"one": size, "two": size},
            "learners": {name: kind | {"label": name} for name, kind in kinds.items()},
            "statistics": {"bootstrap": 100},
        }
    )


def runs_of(study: Study, case: Case, data: int, luck: np.random.Generator, worse: float) -> Any:
    """A row per cell.

    Args:
        study: Which cells.
        case: How noisy.
        data: Seed of the pool and the test set.
        luck: Of the repeats.
        worse: See `Case`.
    """
    of_data, rows = np.random.default_rng(data), []
    m = np.array(M, dtype=float)
    size, share = case.relative * (m / m[0]) ** -0.2, m / POOL
    for dataset, easier in (("one", 1.0), ("two", 0.8)):
        common = walk(luck, case.repeats)
        pool, tests = (walk(of_data, 1) for _ in range(2))
        for learner, (floor, amplitude, exponent) in LAWS.items():
            hit = worse if (dataset, learner) == ("one", WORSE) else 0.0
            truth = easier * (1 + hit) * (floor + amplitude * m**-exponent)
            mixed = math.sqrt(0.5) * (common + walk(luck, case.repeats))
            own_pool = math.sqrt(0.5) * (pool + walk(of_data, 1))
            own_tests = math.sqrt(0.8) * tests + math.sqrt(0.2) * walk(of_data, 1)
            shared = np.sqrt(share)[:, None]
            off = size[:, None] * (np.sqrt(1 - shared**2) * mixed + shared * own_pool)
            noise = np.sqrt(truth * (1 - truth) / TESTS)[:, None] * own_tests
            errors = np.clip(truth[:, None] * (1 + off) + noise, 1e-4, 0.95)
            rows += [(dataset, learner, M[i], r, errors[i, r])
                     for i in range(len(M)) for r in range(case.repeats)]  # fmt: skip
    runs = pd.DataFrame(rows, columns=["dataset", "learner", "m", "repeat", "test_error"])
    return runs.assign(log_loss=np.nan, seconds=np.nan)


def walk(rng: np.random.Generator, repeats: int, nested: float = 0.5) -> Floats:
    """[P, R] standard normal, neighbouring m correlated."""
    steps = rng.standard_normal((len(M), repeats))
    for i in range(1, len(M)):
        steps[i] = nested * steps[i - 1] + math.sqrt(1 - nested**2) * steps[i]
    return np.asarray(steps)


def bundle_of(study: Study, runs: pd.DataFrame, digest: str) -> Bundle:
    """The report that these runs make."""
    sheets = {name: sheet(name, digest) for name in study.use.datasets}
    curves = fits.summarise(runs, 0.95)
    limits = {name: forecasts.Limits.of(one) for name, one in sheets.items()}
    ladder = [claims.Learner(**learner) for learner in study.ladder()]
    thresholds = study.claims.model_dump(exclude={"population"})
    found = claims.check(runs, ladder, claims.ClaimSettings(**thresholds))
    measures = {name: Measure.of(one) for name, one in sheets.items()}
    asked = options.Asked(**study.option_settings()["asked"])
    results = Results(
        study=study.record(),
        sheets=sheets,
        runs=runs,
        curves=curves,
        fits=fits.fit_laws(runs, level=0.95, bootstrap=100, seed=1),
        forecast=forecasts.forecast_curves(curves, 0.9, limits),
        held_out=forecasts.hold_out(curves, 0.9, limits),
        last_doublings=found.last_doublings,
        differences=found.differences,
        agreement=found.agreement,
        claims=found.claims,
        options=options.weigh(runs, study.ladder(), measures, asked, []),
    )
    record = report_record(results, facts.build(results))
    return Bundle(digest, Report.model_validate(record))


def sheet(name: str, digest: str) -> dict[str, Any]:
    """Of a data set."""
    return {
        **{"name": name, "title": name, "digest": digest, "metric": "error_rate", "unit": ""},
        **{"n_pool": POOL, "n_test": TESTS, "n_features": 10, "n_classes": 2, "n_hand_made": 0},
        **{"class_shares": [0.5, 0.5], "classes": ["a", "b"], "left_out": {}, "floors": {}},
        **{"floor": None, "floor_is_bound": False, "chance": 0.5, "generated": True},
    }


def of_case(case: Case, pairs: int) -> dict[str, Any]:
    """Alarms and named numbers of so many pairs."""
    study, alarms, found = study_of(case.repeats), 0, 0
    named: Counter[str] = Counter()
    tested = flips = 0
    for pair in range(pairs):
        data = (2 * pair, 2 * pair + 1 if case.other_data else 2 * pair)
        sides = []
        for side, seed in enumerate(data):
            luck = np.random.default_rng([7, pair, side])
            runs = runs_of(study, case, seed, luck, case.worse * side)
            sides.append(bundle_of(study, runs, str(seed if case.told else 0)))
        compared = compare(*sides)
        beyond = [move for move in compared.moves if move.state == "beyond"]
        alarms += bool(beyond)
        found += any(WORSE in move.names and "one" in move.names for move in beyond)
        named.update(move.group for move in beyond)
        tested += compared.tested
        flips += any(flip.kind == "claim" for flip in compared.flips)
    return {
        "case": case.title,
        "pairs": pairs,
        "alarms": alarms / pairs,
        "found": found / pairs,
        "flipped": flips / pairs,
        "named of tested": sum(named.values()) / tested,
        "named": {group: count / pairs for group, count in named.most_common()},
    }


def main() -> None:
    """Simulate, compare, count."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--quick", action="store_true", help="few pairs: within two minutes")
    parser.add_argument("--pairs", type=int, help="of reports, per case; 400, or 10 with --quick")
    parser.add_argument("--json", type=Path, help="write the figures here")
    chosen = parser.parse_args()
    started, rows = time.perf_counter(), []
    for case in CASES:
        row = of_case(case, chosen.pairs or (10 if chosen.quick else 400))
        rows.append(row)
        learner = f", the worse learner found in {row['found']:.3f}" if case.worse else ""
        groups = ", ".join(f"{group} {count:.2f}" for group, count in row["named"].items())
        print(f"{case.title}: any number named in {row['alarms']:.3f} of {row['pairs']} pairs"
              f"{learner}; a claim flipped in {row['flipped']:.2f}"
              f"\n    named a pair: {groups or 'none'}", flush=True)  # fmt: skip
    print(f"\n{time.perf_counter() - started:.0f} s")
    if chosen.json:
        chosen.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
