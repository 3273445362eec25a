"""Hand-made features against raw ones: the claim, and what they are worth in labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from takeoff.experiments import Asked, Findings, features

M = [100, 200, 400, 800, 1600, 3200]
LADDER = [
    {"name": "svm_rbf", "label": "SVM", "family": "traditional", "rank": 0},
    {"name": "mlp_large", "label": "large network", "family": "network", "rank": 1},
]
HAND = {"name": "svm_rbf_hand", "label": "SVM, by hand", "family": "traditional", "rank": 0}
SHEET = {
    "metric": "error_rate", "unit": "", "floor": None, "floor_is_bound": False, "chance": 0.9,
}  # fmt: skip
CLAIMS = {
    "doublings": 2, "margin": 0.05, "agreement_margin": 0.1, "small_m": 2, "population": False,
}  # fmt: skip


def curve(learner: str, law: Any, noise: float = 0.002, repeats: int = 5) -> pd.DataFrame:
    """Errors of one learner, with repeats that share their luck."""
    random = np.random.default_rng(len(learner))
    return pd.DataFrame([
        {"dataset": "spam", "learner": learner, "m": m, "repeat": r,
         "test_error": law(m) * np.exp(noise * random.standard_normal())}
        for m in M for r in range(repeats)
    ])  # fmt: skip


def found(
    raw: Any,
    hand: Any,
    network: Any = None,
    noise: float = 0.002,
    sheet: dict[str, Any] = SHEET,
    **claims: Any,
) -> Findings:
    runs = [curve("svm_rbf", raw, noise), curve("mlp_large", network or raw, noise)]
    settings = {
        "claims": CLAIMS | claims, "level": 0.95, "forecast_level": 0.9,
        "feature_pairs": [["svm_rbf", "svm_rbf_hand"]],
        "datasets": ["spam"], "learners": [*LADDER, HAND],
    }  # fmt: skip
    own = curve("svm_rbf_hand", hand, noise)
    return features.analyse(Asked(settings, pd.concat(runs), own, {"spam": sheet}))


def falling(m: float) -> float:
    return float(2 * m**-0.4)


def ahead(m: float) -> float:
    """Half the error at first, with an advantage that fades."""
    return falling(m) * (1 - 40 / (m + 30))


def verdicts(one: Findings) -> list[str]:
    return [part["verdict"] for part in one.claims[0]["parts"]]


def test_the_claim_holds_where_features_help_first_and_less_later() -> None:
    """The saving is told as a share of the error on raw features."""
    one = found(falling, ahead)
    assert one.claims[0]["verdict"] == "supported"
    share = 1 - np.sqrt(np.prod([ahead(m) / falling(m) for m in M[:2]]))
    assert one.claims[0]["parts"][0]["effect"] == pytest.approx(share, abs=0.01)


def test_features_that_never_help_refute_it() -> None:
    """As does an advantage that grows with m."""
    assert verdicts(found(falling, lambda m: 1.3 * falling(m)))[0] == "refuted"
    grows = found(falling, lambda m: falling(m) * (1 - m / 8000))
    assert verdicts(grows) == ["supported", "refuted"]


def test_noise_leaves_it_open() -> None:
    """A constant advantage within the noise shows neither part."""
    assert verdicts(found(falling, falling, noise=0.3)) == ["undecided", "undecided"]


def test_about_other_test_sets_the_noise_of_this_one_counts() -> None:
    """A small test set leaves open what a large one shows; only where claims are about others."""
    small, large = ({**SHEET, "n_test": n} for n in (40, 4_000_000))
    for sheet, population, verdict in (
        (small, False, "supported"), (large, True, "supported"), (small, True, "undecided"),
    ):  # fmt: skip
        one = found(falling, ahead, sheet=sheet, population=population)
        assert one.claims[0]["verdict"] == verdict
    parts = (found(falling, ahead, sheet=small, population=p).claims[0]["parts"]
             for p in (False, True))  # fmt: skip
    for own, others in zip(*parts, strict=True):
        assert own["effect"] == others["effect"] and others["low"] < own["low"]
    rivals = (found(falling, ahead, sheet=small, population=p).tables["rivals"]
              for p in (False, True))  # fmt: skip
    own, others = (table.iloc[0] for table in rivals)
    assert own["difference"] == others["difference"] and others["low"] < own["low"]


def test_the_noise_of_the_test_set_is_that_of_simulated_ones() -> None:
    """Learners that fail independently on examples of a test set: the bound is their noise."""
    tests, errors = 500, np.array([[0.3, 0.2], [0.2, 0.1]])  # [kind, m]
    random = np.random.default_rng(0)
    hits = random.random((4000, 2, 1, tests)) < errors[:, :, None]  # the same examples at each m
    rates = hits.mean(axis=-1)
    ratios = np.log2(rates[:, 0] / rates[:, 1]).mean(axis=1)
    curves = [pd.DataFrame({0: row}, index=[100, 200]) for row in errors]
    pair = features.Pair("spam", "a", "b", *curves)
    assert pair.noise([100, 200], tests) == pytest.approx(ratios.std(), rel=0.1)
    assert pair.noise([100, 200], None) == 0


def test_an_error_of_zero_has_no_ratio() -> None:
    """The reason says so, and nothing is made up."""
    one = found(falling, lambda m: 0.0 if m > 1000 else ahead(m))
    saving, shrinking = one.claims[0]["parts"]
    assert saving["verdict"] == "supported" and shrinking["verdict"] == "undecided"
    assert "zero" in shrinking["reason"]


def test_what_features_are_worth_is_recovered() -> None:
    """Features that do what four times the labels do are worth a factor of four."""
    worth = found(falling, lambda m: falling(4 * m)).tables["worth"].set_index("m")
    for m in M[:3]:
        assert worth.loc[m, "factor"] == pytest.approx(4, rel=0.05)
        assert worth.loc[m, "low"] < worth.loc[m, "factor"] < worth.loc[m, "high"]
        assert worth.loc[m, "bound"] == ""
    assert worth.loc[3200, "bound"] == "at least"
    assert worth.loc[3200, "factor"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("hand", "bound", "factor"),
    [([0.01] * 3, "at least", 16.0), ([0.9] * 3, "at most", 0.5), ([0.01, 0.9, 0.3], "open", None)],
)
def test_beyond_the_measured_curve_only_bounds_are_told(
    hand: list[float], bound: str, factor: float | None
) -> None:
    """And where repeats leave the curve at both ends, nothing is."""
    raw = pd.DataFrame({r: [0.5, 0.3, 0.1] for r in range(3)}, index=[100, 800, 3200])
    one = features.worth(raw, np.array(hand), 200, 0.95)
    assert one["bound"] == bound and np.isnan(one["low"])
    assert np.isnan(one["factor"]) if factor is None else one["factor"] == pytest.approx(factor)


def test_a_curve_that_rises_in_between_is_read_where_it_first_came_down() -> None:
    """A bump above an error that was reached before doesn't count."""
    bumpy = pd.DataFrame({r: [0.4, 0.2, 0.3, 0.1] for r in range(3)}, index=[100, 200, 400, 800])
    one = features.worth(bumpy, np.full(3, 0.2), 100, 0.95)
    assert one["factor"] == pytest.approx(2)


def test_the_machine_is_held_against_the_largest_network() -> None:
    """It wins where the network is worse at small m, loses where it is better."""
    wins = found(falling, ahead, network=lambda m: 1.5 * falling(m)).tables["rivals"]
    assert wins["verdict"].tolist() == ["supported"] and wins["network"].tolist() == ["mlp_large"]
    loses = found(falling, ahead, network=lambda m: 0.3 * falling(m)).tables["rivals"]
    assert loses["verdict"].tolist() == ["refuted"] and loses["difference"].iloc[0] < 0


def test_a_crossing_says_until_when_features_pay() -> None:
    """Raw features are the better ones behind it."""
    one = found(falling, lambda m: 0.22 * (m / 400) ** -0.1).tables["stops"].iloc[0]
    assert one["verdict"] == "crosses" and one["better_after"] == "raw"
    assert one["low"] < one["m"] < one["high"]


def test_the_largest_network_is_one_on_raw_features() -> None:
    """However a ladder ranks those on hand-made ones."""
    runs = pd.concat([curve("svm_rbf", falling), curve("mlp_large", falling)])
    own = pd.concat([curve("svm_rbf_hand", ahead), curve("mlp_large_hand", ahead)])
    of_hand = {"name": "mlp_large_hand", "label": "by hand", "family": "network", "rank": 2}
    settings = {
        "claims": CLAIMS, "level": 0.95, "forecast_level": 0.9, "datasets": ["spam"],
        "feature_pairs": [["svm_rbf", "svm_rbf_hand"], ["mlp_large", "mlp_large_hand"]],
        "learners": [*LADDER, HAND, of_hand],
    }  # fmt: skip
    one = features.analyse(Asked(settings, runs, own, {"spam": SHEET}))
    assert one.tables["rivals"]["network"].tolist() == ["mlp_large"]


def test_all_runs_may_come_together() -> None:
    """Where a study trains both kinds by itself, the experiment has none of its own."""
    apart = found(falling, ahead)
    runs = [curve("svm_rbf", falling), curve("mlp_large", falling), curve("svm_rbf_hand", ahead)]
    settings = {
        "claims": CLAIMS, "level": 0.95, "forecast_level": 0.9, "datasets": ["spam"],
        "feature_pairs": [["svm_rbf", "svm_rbf_hand"]], "learners": [*LADDER, HAND],
    }  # fmt: skip
    together = features.analyse(Asked(settings, pd.concat(runs), None, {"spam": SHEET}))
    assert together.claims == apart.claims


@pytest.mark.parametrize(
    ("each", "verdict"),
    [
        ([], None),
        (["supported", "refuted"], "supported"),
        (["refuted", "refuted"], "refuted"),
        (["refuted", "undecided"], "undecided"),
    ],
)
def test_one_win_is_a_win_somewhere(each: list[Any], verdict: str | None) -> None:
    """And only losses everywhere show that there is none."""
    assert features.anywhere(each) == verdict
