"""The lecture's claims on synthetic runs where the truth is known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from takeoff.errors import TakeoffError
from takeoff.statistics.claims import (
    CLAIMS,
    ClaimSettings,
    Curve,
    DataSetCurves,
    Findings,
    Learner,
    Part,
    check,
    decided,
    last_doublings,
    ranking_agreement,
    relative_reduction,
    sizes_of_test_sets,
    slope_of,
    verdict_on,
)

M = [125, 250, 500, 1000, 2000, 4000, 8000]
REPEATS = 5
SETTINGS = ClaimSettings()
LEARNERS = [
    Learner("svm", "SVM", "traditional", 0),
    Learner("small", "Small network", "network", 1),
    Learner("medium", "Medium network", "network", 2),
    Learner("large", "Large network", "network", 3),
]
# Error at the largest m, and relative reduction per doubling: as the lecture has them.
LECTURE = {"svm": (0.3, 0.01), "small": (0.2, 0.08), "medium": (0.15, 0.12), "large": (0.1, 0.2)}


def curve(
    last: float, reduction: float, random: np.random.Generator, repeats: int = REPEATS
) -> Curve:
    """A power law; the noise has a part for the repeat and a part for the cell."""
    m = np.array(M)
    noise = 0.01 * random.normal(size=(1, repeats)) + 0.01 * random.normal(size=(len(M), repeats))
    errors = last * (m / m[-1])[:, None] ** -slope_of(reduction) * np.exp(noise)
    return pd.DataFrame(errors, index=M, columns=range(repeats))


def study(truth: Mapping[str, tuple[float, float]], seed: int = 0) -> dict[str, Curve]:
    random = np.random.default_rng(seed)
    return {learner: curve(*of_learner, random) for learner, of_learner in truth.items()}


def runs_of(curves: Mapping[str, Curve], dataset: str = "d") -> pd.DataFrame:
    rows = [
        (dataset, learner, m, repeat, error)
        for learner, table in curves.items()
        for m, of_m in table.iterrows()
        for repeat, error in of_m.items()
    ]
    return pd.DataFrame(rows, columns=["dataset", "learner", "m", "repeat", "test_error"])


def findings(curves: Mapping[str, Curve], wanted: ClaimSettings = SETTINGS) -> Findings:
    return check(runs_of(curves), LEARNERS, wanted)


def claim(found: Findings, name: str) -> dict[str, Any]:
    return next(one for one in found.claims["claims"] if one["claim"] == name)


def verdict(truth: Mapping[str, tuple[float, float]], name: str) -> str:
    return str(claim(findings(study(truth, seed=1)), name)["verdict"])


def by_pair(table: pd.DataFrame) -> dict[tuple[str, str], dict[str, Any]]:
    """The rows of `differences` by (better, worse)."""
    rows: list[Any] = table.to_dict("records")
    return {(row["better"], row["worse"]): row for row in rows}


# plateau


@pytest.mark.parametrize(
    ("reduction", "expected"),
    [(0.0, "supported"), (-0.05, "supported"), (0.2, "refuted"), (0.05, "undecided")],
)
def test_plateau(reduction: float, expected: str) -> None:
    """Flat or rising curves plateau, falling ones don't, and at the margin nothing is shown."""
    assert verdict(LECTURE | {"svm": (0.3, reduction)}, "plateau") == expected


def test_plateau_effect_is_the_relative_reduction_per_doubling() -> None:
    """An error that loses 20 % with each doubling has an effect of 0.2, whatever the grid."""
    curves = study(LECTURE | {"svm": (0.3, 0.2)})
    for table in (curves["svm"], curves["svm"].drop(index=[2000])):
        part = claim(findings(curves | {"svm": table}), "plateau")["parts"][0]
        assert part["effect"] == pytest.approx(0.2, abs=0.02)
        assert part["low"] < part["effect"] < part["high"]
        assert (part["subject"], part["m"], part["threshold"]) == ("svm", 8000, 0.05)


def test_plateau_is_judged_at_a_learner_s_own_cap() -> None:
    """A learner that is capped is compared over the last doublings that it has."""
    curves = study(LECTURE)
    capped = curves | {"svm": curves["svm"].loc[:2000]}
    part = claim(findings(capped), "plateau")["parts"][0]
    assert part["m"] == 2000
    row = findings(capped).last_doublings.set_index("learner").loc["svm"]
    assert (row["from_m"], row["to_m"]) == (500, 2000)
    assert row["reduction"] == part["effect"]


def test_last_doublings_start_at_the_closest_m() -> None:
    """Two doublings back from 30000 is 7500: 10000 is closer than 3000, as a ratio."""
    table = pd.DataFrame(np.full((4, 3), 0.2), index=[1000, 3000, 10000, 30000])
    assert last_doublings(table, 2).from_m == 10000
    assert last_doublings(table, 3).from_m == 3000
    assert last_doublings(table, 9).from_m == 1000


def test_a_single_m_leaves_slopes_undecided() -> None:
    """One m has no doublings; the reason is given, and the table has a gap, not a number."""
    curves = {name: table.loc[[8000]] for name, table in study(LECTURE).items()}
    found = findings(curves)
    for name in ("plateau", "keeps_improving", "unclear_when_small"):
        assert claim(found, name)["verdict"] == "undecided"
        assert all(part["reason"] for part in claim(found, name)["parts"])
    assert claim(found, "bigger_is_better")["verdict"] == "supported"
    assert found.last_doublings["reduction"].isna().all()


def test_an_error_of_zero_leaves_the_slope_undecided() -> None:
    """Zero has no logarithm: no verdict on the slope, but differences are still taken."""
    curves = study(LECTURE)
    curves["svm"].loc[8000, 2] = 0.0
    found = findings(curves)
    part = claim(found, "plateau")["parts"][0]
    assert (part["verdict"], part["effect"]) == ("undecided", None)
    assert "zero" in part["reason"]
    assert claim(found, "bigger_is_better")["parts"][-1]["effect"] is not None


@given(st.floats(-3, 0.95))
def test_slope_and_reduction_are_inverse(reduction: float) -> None:
    """Halving per doubling is a slope of 1; there and back gives the same number."""
    assert relative_reduction(1.0) == pytest.approx(0.5)
    assert relative_reduction(slope_of(reduction)) == pytest.approx(reduction, abs=1e-12)


# bigger_is_better


@pytest.mark.parametrize(
    ("large", "expected"), [(0.1, "supported"), (0.18, "refuted"), (0.15, "undecided")]
)
def test_bigger_is_better(large: float, expected: str) -> None:
    """True in the lecture's order, refuted by one pair the other way round, open for a tie."""
    assert verdict(LECTURE | {"large": (large, 0.2)}, "bigger_is_better") == expected


def test_differences_are_all_claimed_pairs() -> None:
    """Every larger network against every smaller, every network against every baseline."""
    table = findings(study(LECTURE)).differences
    pairs = set(zip(table["better"], table["worse"], strict=True))
    assert pairs == {
        *(("medium", "small"), ("large", "small"), ("large", "medium")),
        *(("small", "svm"), ("medium", "svm"), ("large", "svm")),
    }
    row = by_pair(table)["large", "svm"]
    assert row["difference"] == pytest.approx(0.2, abs=0.01)
    assert row["low"] < row["difference"] < row["high"]
    assert (row["m"], row["verdict"]) == (8000, "supported")


def test_differences_are_paired_and_adjusted() -> None:
    """The p-values are those of the paired t test, times the number still in Holm's race."""
    curves = study(LECTURE)
    table = by_pair(findings(curves).differences)
    last = {name: of_learner.loc[8000] for name, of_learner in curves.items()}
    plain = {
        (better, worse): stats.ttest_rel(last[worse], last[better], alternative="greater").pvalue
        for better, worse in table
    }
    smallest = min(plain, key=lambda pair: plain[pair])
    largest = max(plain, key=lambda pair: plain[pair])
    assert table[smallest]["p_for"] == pytest.approx(6 * plain[smallest])
    assert table[largest]["p_for"] >= plain[largest]
    assert all(row["p_against"] == 1 for row in table.values())


def test_pairs_meet_at_the_largest_m_that_both_have() -> None:
    """A capped learner is compared at its cap; with no m in common there is a reason."""
    curves = study(LECTURE)
    curves["svm"] = curves["svm"].loc[:1000]
    curves["small"] = curves["small"].loc[2000:]
    table = by_pair(findings(curves).differences)
    assert table["large", "svm"]["m"] == 1000
    assert table["large", "small"]["m"] == 8000
    assert sum(map(pd.isna, table["small", "svm"].values())) == 6
    parts = claim(findings(curves), "bigger_is_better")["parts"]
    assert [part["subject"] for part in parts if part["reason"]] == ["small"]


def test_equal_differences_without_variance_decide() -> None:
    """The same difference in every repeat is shown; the same error in every repeat is a tie."""
    errors = dict.fromkeys(("svm", "small"), 0.2) | {"medium": 0.1, "large": 0.1}
    curves = {
        name: pd.DataFrame(value, index=M, columns=range(3)) for name, value in errors.items()
    }
    table = by_pair(findings(curves).differences)
    assert table["large", "svm"]["verdict"] == "supported"
    assert table["large", "medium"]["verdict"] == "undecided"
    assert table["small", "svm"]["verdict"] == "undecided"


# keeps_improving


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "supported"),
        ({"large": (0.1, 0.0)}, "refuted"),
        ({"small": (0.2, 0.3)}, "refuted"),
        ({"large": (0.1, 0.05), "small": (0.2, 0.0)}, "undecided"),
        ({"small": (0.2, 0.2)}, "undecided"),
    ],
)
def test_keeps_improving(changed: dict[str, tuple[float, float]], expected: str) -> None:
    """It must fall by more than the margin, and faster than the smallest network."""
    assert verdict(LECTURE | changed, "keeps_improving") == expected


def test_keeps_improving_has_two_parts_in_their_own_units() -> None:
    """The reduction is held against the margin, the difference of slopes against zero."""
    own, against = claim(findings(study(LECTURE)), "keeps_improving")["parts"]
    assert (own["subject"], own["versus"], own["threshold"]) == ("large", None, 0.05)
    assert (against["subject"], against["versus"], against["threshold"]) == ("large", "small", 0.0)
    assert own["effect"] == pytest.approx(0.2, abs=0.02)
    assert against["effect"] == pytest.approx(slope_of(0.2) - slope_of(0.08), abs=0.03)


def test_one_network_can_not_improve_faster_than_itself() -> None:
    """With one network the second part is open, and so is the claim."""
    curves = {name: table for name, table in study(LECTURE).items() if name in ("svm", "large")}
    decision = claim(findings(curves), "keeps_improving")
    assert [part["verdict"] for part in decision["parts"]] == ["supported", "undecided"]
    assert decision["verdict"] == "undecided"
    assert "no smaller network" in decision["parts"][1]["reason"]


# unclear_when_small


def ranked(
    small_noise: float, large_noise: float, learners: int = 4, seed: int = 0
) -> dict[str, Curve]:
    """Learners 5 % apart, with noise at the three smallest and at the other m."""
    random = np.random.default_rng(seed)
    noise = np.where(np.arange(len(M)) < 3, small_noise, large_noise)[:, None]
    return {
        learner.name: pd.DataFrame(
            0.2 * 1.05**place * np.exp(noise * random.normal(size=(len(M), REPEATS))), index=M
        )
        for place, learner in enumerate(LEARNERS[:learners])
    }


@pytest.mark.parametrize(
    ("small_noise", "large_noise", "margin", "expected"),
    [
        (1.0, 0.001, 0.1, "supported"),
        (0.001, 1.0, 0.1, "refuted"),
        (0.001, 0.001, 0.3, "refuted"),
        (0.05, 0.04, 0.1, "undecided"),
    ],
)
def test_unclear_when_small(
    small_noise: float, large_noise: float, margin: float, expected: str
) -> None:
    """Random order at small m supports it; a stable order there refutes it."""
    at_margin = replace(SETTINGS, agreement_margin=margin)
    found = findings(ranked(small_noise, large_noise), at_margin)
    assert claim(found, "unclear_when_small")["verdict"] == expected


def test_agreement_is_the_mean_kendall_tau() -> None:
    """The table has, for each m, the mean of tau over all pairs of repeats."""
    curves = ranked(0.1, 0.05)
    table = findings(curves).agreement
    assert list(table["m"]) == M
    assert (table["learners"] == 4).all()
    errors = np.array([curves[name].loc[125] for name in curves])
    taus = [
        stats.kendalltau(errors[:, r], errors[:, s]).statistic
        for r in range(REPEATS)
        for s in range(r)
    ]
    first = table.iloc[0]
    assert first["agreement"] == pytest.approx(np.mean(taus))
    assert -1 <= first["low"] < first["agreement"] < first["high"] <= 1


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=5))
def test_ranking_agreement_is_tau_b(rankings: list[list[int]]) -> None:
    """Ties are counted as scipy counts them; a ranking that is all ties agrees with none."""
    agreement = ranking_agreement(np.array(rankings, dtype=float).T)
    for r, first in enumerate(rankings):
        for s, second in enumerate(rankings):
            all_tied = len(set(first)) == 1 or len(set(second)) == 1
            expected = 0.0 if all_tied else stats.kendalltau(first, second).statistic
            assert agreement[r, s] == pytest.approx(expected)


def test_equal_rankings_in_few_repeats_do_not_prove_stability() -> None:
    """Five equal rankings of three learners still leave an interval around an agreement of 1."""
    found = findings(ranked(0.001, 0.001, learners=3))
    assert (found.agreement["agreement"] == 1).all()
    assert (found.agreement["low"] < 0.8).all()
    assert claim(found, "unclear_when_small")["verdict"] == "undecided"


def test_too_few_learners_or_m_leave_the_ranking_undecided() -> None:
    """A small study is legal; the part says what is missing."""
    curves = study(LECTURE)
    capped = {name: table.loc[: 8000 if name == "svm" else 4000] for name, table in curves.items()}
    few_m = {name: table.loc[4000:] for name, table in curves.items()}
    for small_study, reason in ((capped, "too few learners"), (few_m, "overlap")):
        decision = claim(findings(small_study), "unclear_when_small")
        assert decision["verdict"] == "undecided"
        assert reason in decision["parts"][0]["reason"]
    assert findings(capped).agreement.empty


# The test set


POPULATION = ClaimSettings(tests={"d": 2000})


def effects(found: Findings, name: str) -> list[dict[str, Any]]:
    return [part for part in claim(found, name)["parts"] if part["effect"] is not None]


@pytest.mark.parametrize("name", list(CLAIMS))
def test_claims_about_the_population_have_wider_intervals(name: str) -> None:
    """The test set's size changes no effect, and widens every interval, less if there are more."""
    curves = study(LECTURE)
    here, few, many = (
        effects(findings(curves, wanted), name)
        for wanted in (SETTINGS, POPULATION, ClaimSettings(tests={"d": 10**9}))
    )
    assert here
    for plain, wide, narrow in zip(here, few, many, strict=True):
        assert wide["effect"] == narrow["effect"] == plain["effect"]
        assert wide["low"] < plain["low"] and wide["high"] > plain["high"]
        assert narrow["low"] == pytest.approx(plain["low"], abs=2e-3)
    other = ClaimSettings(tests={"another": 2000})
    assert effects(findings(curves, other), name) == here


def test_a_difference_has_the_binomial_noise_of_both_errors() -> None:
    """With repeats that agree exactly, the interval is the one of two proportions."""
    errors = {"small": 0.2, "large": 0.1}
    curves = {n: pd.DataFrame(e, index=M, columns=range(5)) for n, e in errors.items()}
    row = by_pair(findings(curves, POPULATION).differences)["large", "small"]
    half = stats.norm.ppf(0.975) * np.sqrt((0.2 * 0.8 + 0.1 * 0.9) / 2000)
    assert (row["low"], row["high"]) == pytest.approx((0.1 - half, 0.1 + half), rel=1e-4)


def test_a_slope_has_the_noise_of_both_its_ends() -> None:
    """By the delta method, divided by the doublings covered."""
    table = pd.DataFrame(0.2, index=M, columns=range(5))
    assert last_doublings(table, 2).from_m == 2000
    part = effects(findings({"svm": table}, POPULATION), "plateau")[0]
    half = stats.norm.ppf(0.975) * np.sqrt(2 * 0.8 / 0.2 / 2000) / np.log(2) / 2
    assert part["high"] == pytest.approx(relative_reduction(half), rel=1e-3)


def test_errors_of_zero_still_have_a_test_set() -> None:
    """No mistake among twenty examples doesn't show that a learner makes none."""
    errors = {"small": 0.05, "large": 0.0}
    curves = {n: pd.DataFrame(e, index=M, columns=range(5)) for n, e in errors.items()}
    few = by_pair(findings(curves, ClaimSettings(tests={"d": 20})).differences)
    assert few["large", "small"]["verdict"] == "undecided"
    assert by_pair(findings(curves).differences)["large", "small"]["verdict"] == "supported"


def test_losses_have_no_binomial_noise() -> None:
    """A number of tests for a metric that isn't an error rate is refused, as is none at all."""
    losses = {n: 20 * table for n, table in study(LECTURE).items()}
    with pytest.raises(TakeoffError, match="error rates"):
        findings(losses, POPULATION)
    with pytest.raises(TakeoffError, match="0 test examples"):
        findings(study(LECTURE), ClaimSettings(tests={"d": 0}))


# Over all claims


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        (["supported", "supported"], "supported"),
        (["supported", "undecided"], "undecided"),
        (["undecided", "refuted"], "refuted"),
        (["supported", "refuted"], "refuted"),
        ([], "undecided"),
    ],
)
def test_a_claim_says_that_all_its_parts_hold(verdicts: list[Any], expected: str) -> None:
    """One refuted part refutes it, one open part leaves it open."""
    part = Part("d", "large", None, 1, 0.0, "test error")
    assert verdict_on([replace(part, verdict=one) for one in verdicts]) == expected


def test_refutation_is_corrected_for_the_number_of_parts() -> None:
    """A p-value of 0.02 refutes a claim of one part, but not a claim of two."""
    part = Part("d", "svm", None, 1, 0.0, "", effect=-1.0, low=-2.0, high=-0.1, p_for=0.98)
    part = replace(part, p_against=0.02)
    assert [one.verdict for one in decided([part], SETTINGS)] == ["refuted"]
    other = replace(part, p_against=0.9)
    missing = replace(part, effect=None, p_for=None, p_against=None)
    both = decided([missing, part, other], SETTINGS)
    assert [one.verdict for one in both] == ["undecided"] * 3
    assert [one.p_against for one in both] == [None, 0.04, 0.9]


def test_claims_are_plain_json() -> None:
    """No NaN, no numpy numbers; the same keys in every part."""
    curves = study(LECTURE)
    curves["small"] = curves["small"].loc[[125]]
    found = check(
        pd.concat([runs_of(curves, "b"), runs_of(study(LECTURE), "a")]), LEARNERS, SETTINGS
    )
    text = json.dumps(found.claims, allow_nan=False)
    assert json.loads(text) == found.claims
    assert [one["claim"] for one in found.claims["claims"]] == list(CLAIMS)
    parts = [part for one in found.claims["claims"] for part in one["parts"]]
    assert {part["dataset"] for part in parts} == {"a", "b"}
    assert len({tuple(part) for part in parts}) == 1


def test_order_of_rows_does_not_matter() -> None:
    """Shuffled runs give the same findings."""
    runs = runs_of(study(LECTURE))
    first = check(runs, LEARNERS, SETTINGS)
    again = check(runs.sample(frac=1, random_state=0), LEARNERS, SETTINGS)
    assert first.claims == again.claims
    pd.testing.assert_frame_equal(first.agreement, again.agreement)
    pd.testing.assert_frame_equal(first.last_doublings, again.last_doublings)


def test_a_study_without_networks_leaves_their_claims_open() -> None:
    """Claims about learners that aren't there are undecided, and say why."""
    found = findings({"svm": study(LECTURE)["svm"]})
    for name in ("bigger_is_better", "keeps_improving"):
        assert claim(found, name)["verdict"] == "undecided"
        assert claim(found, name)["reason"]
    assert list(found.differences.columns)[:3] == ["dataset", "better", "worse"]
    assert claim(found, "plateau")["reason"] is None


def test_two_repeats_are_refused() -> None:
    """Two repeats have one degree of freedom; the message names the config's key."""
    curves = {name: table[[0, 1]] for name, table in study(LECTURE).items()}
    with pytest.raises(TakeoffError, match=r"datasets\.d\.repeats") as caught:
        findings(curves)
    assert "2 repeat" in caught.value.problem


def test_an_unlisted_learner_is_refused() -> None:
    """Runs left over from another study don't slip into the claims."""
    with pytest.raises(TakeoffError, match="runs of large"):
        check(runs_of(study(LECTURE)), LEARNERS[:3], SETTINGS)


# Calibration

STUDIES = 400
# At a true rate of 2.5 %, more than 4.75 % of 400 studies come up once in 300 times.
MOST = 0.0475


def share_supported(name: str, studies: list[dict[str, Curve]], wanted: ClaimSettings) -> float:
    """Share of the studies whose claim is supported."""
    data = [
        DataSetCurves("d", curves, [n for n in LEARNERS if n.name in curves]) for curves in studies
    ]
    verdicts = [verdict_on(decided(list(CLAIMS[name](one, wanted)), wanted)) for one in data]
    return verdicts.count("supported") / len(verdicts)


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("plateau", {"svm": (0.3, 0.05)}),
        ("bigger_is_better", {"large": (0.15, 0.2)}),
        ("keeps_improving", {"large": (0.1, 0.05), "small": (0.2, -0.2)}),
        ("keeps_improving", {"large": (0.1, 0.3), "small": (0.2, 0.3)}),
    ],
)
def test_a_truth_at_the_threshold_is_rarely_supported(
    name: str, changed: dict[str, tuple[float, float]]
) -> None:
    """One part exactly at its threshold, the others far above: the hardest false claim."""
    studies = [study(LECTURE | changed, seed) for seed in range(STUDIES)]
    assert share_supported(name, studies, SETTINGS) <= MOST


@pytest.mark.parametrize("name", ["plateau", "bigger_is_better", "keeps_improving"])
def test_a_clear_truth_is_nearly_always_supported(name: str) -> None:
    """Far from the threshold, five repeats are enough."""
    studies = [study(LECTURE, seed) for seed in range(60)]
    assert share_supported(name, studies, SETTINGS) >= 0.95


def test_a_tie_in_the_population_is_rarely_supported() -> None:
    """The test set favours one of two equal networks in all repeats: allowed for, it shows none."""
    random = np.random.default_rng(0)
    studies = []
    for seed in range(STUDIES):
        curves = study(LECTURE | {"large": LECTURE["medium"]}, seed)
        tests = {name: random.normal(size=1) for name in curves}
        studies.append(
            {
                name: table + tests[name] * np.sqrt(table.mean(axis=1).to_numpy()[:, None] / 2500)
                for name, table in curves.items()
            }
        )
    assert share_supported("bigger_is_better", studies, SETTINGS) > 0.1
    assert share_supported("bigger_is_better", studies, POPULATION) <= MOST


def test_agreement_at_the_threshold_is_rarely_supported() -> None:
    """The margin is set to the true change, measured over all studies together."""
    studies = [ranked(0.1, 0.03, seed=seed) for seed in range(STUDIES)]
    effects = [
        next(CLAIMS["unclear_when_small"](DataSetCurves("d", one, LEARNERS), SETTINGS)).effect
        for one in studies
    ]
    at_truth = replace(SETTINGS, agreement_margin=float(np.mean(np.array(effects, dtype=float))))
    assert share_supported("unclear_when_small", studies, at_truth) <= MOST
    clear = [ranked(1.0, 0.005, seed=seed) for seed in range(60)]
    assert share_supported("unclear_when_small", clear, SETTINGS) >= 0.95


def test_the_number_of_tests_is_known_of_error_rates_only() -> None:
    """Of losses nothing is known of what another test set would change."""
    sheets = {
        "a": {"metric": "error_rate", "n_test": 500},
        "b": {"metric": "log_loss", "n_test": 500},
        "from a table": {"metric": "error_rate"},
    }
    assert sizes_of_test_sets(sheets) == {"a": 500}
