"""Who wins, repeat by repeat: agreement, winners, and what the paper says of them."""

from __future__ import annotations

import math
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
from test_paper import FIGURES as OTHER_FIGURES
from test_paper import REPORTS, plain

from takeoff import experiments
from takeoff.experiments import Asked, Findings, rankings
from takeoff.paper import report as paper
from takeoff.paper.experiments import Drawn
from takeoff.paper.experiments import rankings as shown
from takeoff.paper.facts import Results

M = [100, 200, 400, 800]
NAMES = ["logistic_regression", "svm_rbf", "mlp_large"]


def ranks_of(errors: Any) -> np.ndarray[Any, Any]:
    return np.asarray(stats.rankdata(np.asarray(errors, float), axis=0))


def test_equal_rankings_agree_fully() -> None:
    """And their interval is just that."""
    ranks = ranks_of([[1, 1, 1], [2, 2, 2], [3, 3, 3]])
    assert rankings.concordance(ranks) == pytest.approx(1)
    assert rankings.concordance_interval(ranks, 0.95) == pytest.approx((1, 1))


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


def test_a_shared_win_is_shared() -> None:
    """Two that tie for the lowest error get half of the repeat each."""
    assert rankings.wins_of(ranks_of([[1], [1], [2]]))[:, 0].tolist() == [0.5, 0.5, 0]


def found(winners: list[str], learners: int = 3, repeats: int = 6) -> Findings:
    """One learner wins at each m; "any" leaves it to luck."""
    random, rows = np.random.default_rng(0), []
    for m, winner in zip(M, winners, strict=True):
        for repeat in range(repeats):
            for name in NAMES[:learners]:
                error = 0.1 if name == winner else 0.2 + 0.1 * random.random()
                rows.append(("spam", name, m, repeat, error))
    runs = pd.DataFrame(rows, columns=["dataset", "learner", "m", "repeat", "test_error"])
    settings = {
        "learners": [{"name": name} for name in NAMES], "claims": {"small_m": 2}, "level": 0.95,
        "datasets": ["spam"],
    }  # fmt: skip
    return rankings.analyse(Asked(settings, runs, None, {}))


def test_who_wins_is_told_at_both_ends() -> None:
    """With the share of the repeats, and less entropy where one always wins."""
    decided = found(["any", "any", "mlp_large", "mlp_large"]).decided["datasets"]["spam"]
    assert decided["often_many"] == "mlp_large" and decided["share_many"] == 1
    assert decided["many"] == 0 < decided["few"]


@pytest.mark.parametrize(("learners", "repeats"), [(2, 6), (3, 2)])
def test_too_few_to_rank_are_left_out(learners: int, repeats: int) -> None:
    """Two learners, or two repeats, tell no stable order from a lucky one."""
    one = found(["any"] * 4, learners, repeats)
    assert one.decided["datasets"] == {} and one.tables["winners"].empty


@cache
def results(case: str) -> Results:
    winners = {
        "same": ["svm_rbf"] * 4,
        "changes": ["svm_rbf", "svm_rbf", "mlp_large", "mlp_large"],
        "open": ["mlp_large", "mlp_large", "any", "any"],
        "none": ["any"] * 4,
    }[case]
    one = found(winners, learners=2 if case == "none" else 3)
    raw = synthetic_study.config()
    m = pd.Series(M).map(dict(zip(M, synthetic_study.M[:4], strict=True)))
    tables = {
        name: table.assign(m=table["m"].map(dict(zip(M, m, strict=True))).astype(int))
        for name, table in one.tables.items()
    }
    return replace(
        synthetic_study.results(raw), experiments={"rankings": replace(one, tables=tables)}
    )


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("same", "wins most often both at small m"),
        ("changes", "the large network at large m"),
        ("open", "the entropy does not fall"),
        ("none", ""),
    ],
)
def test_the_text_follows_what_came_out(tmp_path: Path, case: str, says: str) -> None:
    """Where there was nothing to rank, there is no section."""
    for name in [*OTHER_FIGURES, *experiments.FIGURES["rankings"]]:
        (tmp_path / f"{name}.svg").write_text(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
        )
    paper.render(results(case), tmp_path, REPORTS, tmp_path / "report")
    text = plain((tmp_path / "report/report.html").read_text())
    assert ("Who wins, and how often" in text) == (case != "none")
    assert says in text


def test_the_figure_is_drawn() -> None:
    """A panel for each data set that was ranked."""
    ladder = [{"name": n, "label": n, "rank": int(n.startswith("mlp"))} for n in NAMES]
    drawn = shown.draw(Drawn(found(["any"] * 4), ladder, {"spam": "Spam", "other": "Other"}, {}))
    assert len([ax for ax in drawn["rankings_winners"].axes if ax.get_visible()]) == 1
