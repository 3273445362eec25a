"""How often `features_matter_when_small` is called supported when it is not true.

Studies of two learners on three data sets are simulated with errors whose noise is shared within a
repeat. In the worst false cases all parts but one hold clearly, and that one is exactly at its
threshold: features that save nothing at small m, or an advantage that does not shrink.

    python benchmarks/features_calibration.py [--studies 1000] [--repeats 5]
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from takeoff.experiments.features import Pair, _parts
from takeoff.statistics.claims import ClaimSettings, decided, verdict_on

M = [125, 250, 500, 1000, 2000, 4000]
NOISE, SHARED = 0.05, 0.04  # of the logarithm of an error: a cell's own, and its repeat's
CASES = {  # log2 ratio at small and at large m, of the one pair that is at its threshold
    "true": (0.5, 0.0),
    "nothing saved": (0.0, -0.5),
    "not shrinking": (0.5, 0.5),
}


def pair(
    random: np.random.Generator, dataset: str, ends: tuple[float, float], repeats: int
) -> Pair:
    """One learner on both kinds of features, whose log2 ratio goes from one end to the other."""
    ratio = np.linspace(*ends, len(M))
    ratio[:2], ratio[-2:] = ends
    size = (len(M), repeats)
    luck = SHARED * random.standard_normal(repeats)
    raw = 0.3 * np.array(M)[:, None] ** -0.2 * np.exp(luck + NOISE * random.standard_normal(size))
    hand = 0.3 * np.array(M)[:, None] ** -0.2 * 2 ** -ratio[:, None]
    hand = hand * np.exp(luck + NOISE * random.standard_normal(size))
    frames = (pd.DataFrame(errors, index=M) for errors in (raw, hand))
    return Pair(dataset, "raw", "hand", *frames)


def supported(random: np.random.Generator, case: str, repeats: int) -> bool:
    """Whether one simulated study calls the claim supported."""
    known = ClaimSettings()
    clear = [pair(random, f"d{i}", (0.8, 0.0), repeats) for i in range(5)]
    pairs = [*clear, pair(random, "d9", CASES[case], repeats)]
    return verdict_on(decided([p for one in pairs for p in _parts(one, known)], known)) == (
        "supported"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    for case in CASES:
        random = np.random.default_rng(1)
        rate = np.mean([supported(random, case, chosen.repeats) for _ in range(chosen.studies)])
        print(f"{case}: supported in {rate:.1%} of {chosen.studies} studies")


if __name__ == "__main__":
    main()
