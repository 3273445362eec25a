"""Who wins, repeat by repeat: agreement, winners, and what the paper says of them."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_study
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from test_options import weighed
from test_paper import FIGURES as OTHER_FIGURES
from test_paper import REPORTS, plain, tidy, written

from takeoff import experiments
from takeoff.experiments import Asked, Findings, rankings
from takeoff.paper import facts, typeset
from takeoff.paper import report as paper
from takeoff.paper.experiments import Drawn
from takeoff.paper.experiments import rankings as shown
from takeoff.paper.facts import Results
from takeoff.statistics.intervals import decide, mean_over_pairs

M = [100, 200, 400, 800]
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
HEADING = "Who wins, and how often"
NAMES = ["logistic_regression", "svm_rbf", "mlp_large"]


def ranks_of(errors: Any) -> np.ndarray[Any, Any]:
    return np.asarray(stats.rankdata(np.asarray(errors, float), axis=0))


def test_learners_are_ranked_in_every_repeat_by_itself() -> None:
    """Among those measured at every m; equal errors share the mean of their ranks."""
    errors = np.random.default_rng(3).integers(0, 4, size=(5, 4, 6)).astype(float)  # [M, L, R]
    sizes = [10, 20, 40, 80, 160]
    curves = {f"l{i}": pd.DataFrame(errors[:, i], index=sizes) for i in range(4)}
    curves["half"] = curves["l0"].iloc[:3]
    m, names, ranks = rankings._ranked(curves, list(curves)) or ([], [], None)
    assert (m, names) == (sizes, ["l0", "l1", "l2", "l3"])
    np.testing.assert_array_equal(ranks, stats.rankdata(errors, axis=1))


def test_equal_rankings_agree_fully() -> None:
    """But do not prove that another would be equal."""
    ranks = ranks_of([[1, 1, 1, 1, 1], [2, 2, 2, 2, 2], [3, 3, 3, 3, 3]])
    assert rankings.concordance(ranks) == pytest.approx(1)
    low, high = rankings.concordance_interval(ranks[None], 0.95)
    step = 0.5  # of Spearman's rho, for three learners
    assert low == pytest.approx(1 - 4 / 5 * 2.776 * 2 * step / 5, abs=1e-3) and high == 1


@pytest.mark.parametrize(
    ("ranks", "w"),
    [
        # Sums of ranks 4, 6, 8 around 6: S = 8; 12 * 8 / (9 * 24)
        ([[1, 2, 1], [2, 1, 3], [3, 3, 2]], 4 / 9),
        # Sums 3, 3: opposite rankings
        ([[1, 2], [2, 1]], 0),
        # Sums 2.5, 3.5, 6: S = 6.5; one pair tied, T = 6; 12 * 6.5 / (4 * 24 - 2 * 6)
        ([[1, 1.5], [2, 1.5], [3, 3]], 13 / 14),
    ],
)
def test_w_by_hand(ranks: list[list[float]], w: float) -> None:
    """With and without ties."""
    assert rankings.concordance(np.array(ranks, dtype=float)) == pytest.approx(w)


def test_the_interval_of_w_is_that_of_the_mean_correlation() -> None:
    """A U-statistic over the repeats; so it always holds W itself."""
    errors = np.random.default_rng(5).random((4, 7)) + np.arange(4)[:, None] / 4
    rho = mean_over_pairs(stats.spearmanr(errors).statistic)
    low, high = rankings.concordance_interval(ranks_of(errors)[None], 0.9)
    expected = [(1 + 6 * end) / 7 for end in rho.interval(0.9)]
    assert (low, high) == pytest.approx((max(expected[0], 0), min(expected[1], 1)))
    assert low <= rankings.concordance(ranks_of(errors)) <= high


def test_the_mean_correlation_of_ranks_follows_from_w() -> None:
    """Without ties, the mean of Spearman's rho over pairs is (R W - 1) / (R - 1)."""
    errors = np.random.default_rng(3).random((5, 6))
    w = rankings.concordance(ranks_of(errors))
    rho = stats.spearmanr(errors).statistic
    mean = (rho.sum() - 6) / 30
    assert (6 * w - 1) / 5 == pytest.approx(mean)


@given(st.integers(0, 10_000))
def test_w_knows_no_names_and_no_scale(seed: int) -> None:
    """Other names of learners, or another monotone scale of the errors, change nothing."""
    random = np.random.default_rng(seed)
    errors = random.integers(1, 5, (4, 5)).astype(float)
    w = rankings.concordance(ranks_of(errors))
    other = rankings.concordance(ranks_of(np.exp(errors[random.permutation(4)])))
    assert math.isnan(w) if math.isnan(other) else w == pytest.approx(other)
    assert math.isnan(w) or -1e-12 <= w <= 1 + 1e-12


def test_ties_in_every_repeat_leave_w_undefined() -> None:
    """All learners alike rank nothing."""
    assert math.isnan(rankings.concordance(ranks_of(np.ones((3, 4)))))


def test_entropy_counts_the_bits_that_a_repeat_leaves_to_guess() -> None:
    """None for one winner; one for two, and a correction for how few the repeats are."""
    assert rankings.entropy(np.array([[1, 1, 1, 1], [0, 0, 0, 0]])) == 0
    even = np.tile([[1, 0], [0, 1], [0, 0]], 50)
    assert rankings.entropy(even) == pytest.approx(1, abs=0.01)
    assert rankings.entropy(even[:, :4]) == pytest.approx(1 + 1 / (8 * math.log(2)))


def test_a_change_of_entropy_is_shown_only_by_enough_repeats() -> None:
    """Three repeats that agree, after three that don't, show nothing; thirty do."""
    few = np.tile(ranks_of([[1, 2, 3], [2, 3, 1], [3, 1, 2]]), (2, 1, 1))
    many = np.tile(ranks_of([[1, 1, 1], [2, 2, 2], [3, 3, 3]]), (2, 1, 1))
    for copies, shown_to_fall in ((1, False), (10, True)):
        own = [np.tile(ranks, copies) for ranks in (few, many)]
        change = rankings.entropy_change(*own)
        assert change.value == pytest.approx(-math.log2(3))
        assert (change.interval(0.95)[1] < 0) is shown_to_fall
        back = rankings.entropy_change(*own[::-1])
        assert (back.value, back.se) == pytest.approx((-change.value, change.se))


@pytest.mark.parametrize("repeats", [3, 5, 8])
def test_equal_entropies_are_seldom_called_different(repeats: int) -> None:
    """Also where the winner is all but certain, and the m of one end have the same luck."""
    random, wrong = np.random.default_rng(1), 0
    for _ in range(300):
        errors = 1.5 * np.arange(3)[:, None] + random.standard_normal((2, 3, repeats))
        few, many = (np.stack([ranks_of(own)] * 2) for own in errors)
        change = rankings.entropy_change(few, many)
        wrong += decide(change.p_below(0), change.p_above(0), 0.95) != "undecided"
    assert wrong <= 0.05 * 300


def test_no_disagreement_on_the_winner_is_no_certainty() -> None:
    """The standard error is that of one odd repeat among others that agree."""
    same = ranks_of([[1.0] * 5, [2.0] * 5, [3.0] * 5])[None]
    odd = ranks_of([[3.0, *[1.0] * 4], [2.0] * 5, [1.0, *[3.0] * 4]])[None]
    expected = rankings.entropy_change(odd, same).se
    assert rankings.entropy_change(same, same).se == pytest.approx(expected) and expected > 0


@given(st.integers(0, 10_000))
def test_entropy_knows_no_names_and_no_scale(seed: int) -> None:
    """And lies between nothing and as many bits as the learners have."""
    random = np.random.default_rng(seed)
    errors = random.integers(1, 5, (4, 5)).astype(float)
    bits = rankings.mean_entropy(ranks_of(errors)[None])
    other = rankings.mean_entropy(ranks_of(np.exp(errors[random.permutation(4)]))[None])
    assert bits == pytest.approx(other) and 0 <= bits <= 2


def test_a_shared_win_is_shared() -> None:
    """Two that tie for the lowest error get half of the repeat each."""
    assert rankings.wins_of(ranks_of([[1], [1], [2]]))[:, 0].tolist() == [0.5, 0.5, 0]


def found(
    winners: list[str], learners: int = 3, repeats: int = 6, *, others: bool = False, cap: int = 800
) -> Findings:
    """One learner wins at each m; "any" leaves it to luck, "turns" lets each win in its turn.

    Args:
        winners: At the m of `M`, in order.
        learners, repeats: How many.
        others: Whether there are runs of a learner that was not asked about, which always wins.
        cap: The largest m of the second learner.
    """
    random, rows = np.random.default_rng(0), []
    for m, winner in zip(M, winners, strict=False):
        for repeat in range(repeats):
            first = NAMES[repeat % learners] if winner == "turns" else winner
            for name in NAMES[:learners]:
                error = 0.1 if name == first else 0.2 + 0.1 * random.random()
                rows.append(("spam", name, m, repeat, error))
            if others:
                rows.append(("spam", "mlp_4", m, repeat, 0.01))
    rows = [row for row in rows if row[1] != NAMES[1] or row[2] <= cap]
    runs = pd.DataFrame(rows, columns=["dataset", "learner", "m", "repeat", "test_error"])
    settings = {
        "learners": [{"name": name} for name in NAMES], "claims": {"small_m": 2}, "level": 0.95,
        "datasets": ["spam"],
    }  # fmt: skip
    return rankings.analyse(Asked(settings, runs, None, {}))


def test_who_wins_is_told_at_both_ends() -> None:
    """With the share of the repeats, and less entropy where one always wins."""
    decided = found(["any", "any", "mlp_large", "mlp_large"]).decided["datasets"]["spam"]
    many, few = decided["many"], decided["few"]
    assert many["often"] == ["mlp_large"] and many["share"] == 1 and rankings.always_wins(many)
    assert many["entropy"] == 0 < few["entropy"] and not rankings.always_wins(few)
    change = decided["change"]
    assert change["value"] == pytest.approx(-few["entropy"]) and change["low"] >= -math.log2(3)
    assert many["low"] <= many["w"] <= many["high"] and few["low"] <= few["w"] <= few["high"]


def test_learners_that_win_equally_often_share_the_place() -> None:
    """None of them is made the winner by its name."""
    decided = found(["svm_rbf", "mlp_large", "any", "any"]).decided["datasets"]["spam"]
    assert decided["few"]["often"] == ["svm_rbf", "mlp_large"] and decided["few"]["share"] == 0.5


def test_the_claim_is_decided_elsewhere() -> None:
    """And runs of other learners change nothing."""
    whole, others = found(["any"] * 4), found(["any"] * 4, others=True)
    assert whole.claims == [] and whole.decided == others.decided
    for name, table in whole.tables.items():
        pd.testing.assert_frame_equal(table, others.tables[name])


def test_learners_that_were_capped_are_not_ranked() -> None:
    """As in the claim; and too few m have no small and large ones, but a table."""
    capped = found(["any"] * 4, cap=400)
    assert capped.tables["agreement"].empty and capped.decided["datasets"] == {}
    short = found(["any"] * 3)
    assert len(short.tables["agreement"]) == 3 and short.decided["datasets"] == {}


@pytest.mark.parametrize(("learners", "repeats"), [(1, 6), (2, 6), (3, 2)])
def test_too_few_to_rank_are_left_out(learners: int, repeats: int) -> None:
    """One or two learners, or two repeats, tell no stable order from a lucky one."""
    one = found(["any"] * 4, learners, repeats)
    assert one.decided["datasets"] == {} and one.tables["winners"].empty


CASES = {
    "same": ["svm_rbf"] * 4,
    "changes": ["svm_rbf", "svm_rbf", "mlp_large", "mlp_large"],
    "most often": ["turns", "svm_rbf", "svm_rbf", "turns"],
    "shared": ["turns", "turns", "svm_rbf", "svm_rbf"],
    "falls": ["turns", "turns", "mlp_large", "mlp_large"],
    "rises": ["mlp_large", "mlp_large", "turns", "turns"],
    "none": ["any"] * 4,
}
REPEATS = {"falls": 30, "rises": 30}


@cache
def results(case: str) -> Results:
    learners = 2 if case == "none" else 3
    one = found(CASES[case], learners, REPEATS.get(case, 3))
    raw = synthetic_study.config()
    m = pd.Series(M).map(dict(zip(M, synthetic_study.M[:4], strict=True)))
    tables = {
        name: table.assign(m=table["m"].map(dict(zip(M, m, strict=True))).astype(int))
        for name, table in one.tables.items()
    }
    return replace(
        synthetic_study.results(raw), experiments={"rankings": replace(one, tables=tables)}
    )


@cache
def page(case: str, decided: bool = False) -> str:
    """The text that a reader of the page reads."""
    names = [*OTHER_FIGURES, *experiments.FIGURES["rankings"]]
    with tempfile.TemporaryDirectory() as work:
        some = results(case)
        some = written(replace(some, options=weighed(some)) if decided else some)
        paper._fill(Path(work), some, dict.fromkeys(names, BLANK), b"{}", REPORTS)
        return plain(typeset.to_html(Path(work)).content).replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("same", "machine wins every repeat, both at small m and at large. At neither end do"),
        ("changes", "at small m, and the large network wins every repeat at large m. At neither"),
        ("most often", "wins most often both at small m (67% of the repeats) and at large (67%)."),
        ("shared", "share the most wins at small m (33% of the repeats each), and"),
        ("shared", "Whether the winner is easier to guess at large m, the repeats do not tell"),
        ("falls", "The entropy falls from 1.58 to 0.00 bits, a change of \u22121.58 ("),
        ("rises", "The entropy does not fall but rises, from 0.00 to 1.58 bits, a change of 1.58"),
    ],
)
def test_the_text_says_what_came_out(case: str, says: str) -> None:
    """Each outcome has its words."""
    assert says in section(case)


def section(case: str) -> str:
    text = page(case)
    text = text[text.index(HEADING) :]
    return text[: text.index("Few repeats tell an entropy")]


@pytest.mark.parametrize("case", sorted(set(CASES) - {"none"}))
def test_the_text_reads_well_for_every_outcome(case: str) -> None:
    """No mark of a sentence that was put together badly."""
    assert tidy(section(case)) == []


def test_crossings_are_left_to_the_section_on_decisions() -> None:
    """Where the paper has that."""
    crossings = "Which learners change places, and at which m, is told with intervals in Section"
    with_options = page("changes", decided=True)
    assert crossings in with_options and "Which learners change places" not in page("changes")
    assert tidy(with_options[with_options.index(HEADING) :][:1500]) == []


def test_every_number_is_a_fact() -> None:
    """With its interval where it has one, and its source."""
    known = facts.build(results("shared"))
    decided = results("shared").experiments["rankings"].decided["datasets"]["spam"]
    change, w = known["rankings.spam.change"], known["rankings.spam.w_few"]
    assert change.value == decided["change"]["value"] and change.low == decided["change"]["low"]
    assert w.value == decided["few"]["w"] and w.high == decided["few"]["high"]
    assert change.source["file"] == w.source["file"] == "experiments/rankings.json"


def test_findings_survive_their_file(tmp_path: Path) -> None:
    """What is said from the file is what is said from the findings themselves."""
    some = results("shared")
    experiments.write(some.experiments["rankings"], tmp_path / "f.json")
    back = replace(some, experiments={"rankings": experiments.read(tmp_path / "f.json")})
    said = [{one["id"]: one["text"] for one in facts.build(x).records()} for x in (some, back)]
    assert said[0] == said[1]


def test_where_nothing_was_ranked_there_is_no_section() -> None:
    """But the verdict on the claim is there."""
    assert HEADING not in page("none") and HEADING in page("same")
    assert "the order is not settled" in page("none")


def test_the_figure_is_drawn() -> None:
    """A panel for each data set that was ranked."""
    ladder = [{"name": n, "label": n, "rank": int(n.startswith("mlp"))} for n in NAMES]
    drawn = shown.draw(Drawn(found(["any"] * 4), ladder, {"spam": "Spam", "other": "Other"}, {}))
    assert len([ax for ax in drawn["rankings_winners"].axes if ax.get_visible()]) == 1


def test_the_area_of_a_mark_is_the_share_of_the_repeats() -> None:
    """So that it can be read without colours; a ring is no small dot."""
    whole, quarter, none = (shown._mark(won, "#000000") for won in (1.0, 0.25, 0.0))
    assert whole["ms"] ** 2 == pytest.approx(4 * quarter["ms"] ** 2)
    assert none["mfc"] == "none" and none["mew"] > 0 == whole["mew"]
