"""The claim two_levers on grids whose truth is known, and what is beside it."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_sizes as synthetic
from synthetic_sizes import additive, asked, both_levers, neither_ends, nothing_helps

from takeoff.errors import TakeoffError
from takeoff.experiments import Findings, network_sizes
from takeoff.experiments.size_grid import Costs, Grid

SMALLEST, LARGEST = 517, 526_338


def analysed(law: synthetic.Law, **changes: Any) -> Findings:
    return network_sizes.analyse(asked(law, **changes))


def verdicts(findings: Findings) -> dict[str, str]:
    (claim,) = findings.claims
    return {part["subject"]: part["verdict"] for part in claim["parts"]} | {
        "claim": claim["verdict"]
    }


# The claim


def test_both_levers_that_end_alone_support_the_claim() -> None:
    """Every part is shown."""
    assert set(verdicts(analysed(both_levers)).values()) == {"supported"}


def test_levers_that_never_end_refute_the_claim() -> None:
    """They help where the other is plentiful, but just as much where it is not."""
    found = verdicts(analysed(neither_ends))
    assert found == {
        "network_many_labels": "supported",
        "labels_largest_network": "supported",
        "network_few_labels": "refuted",
        "labels_smallest_network": "refuted",
        "claim": "refuted",
    }


def test_levers_that_do_nothing_leave_the_claim_undecided() -> None:
    """No difference is shown in either direction, whereas both curves are flat."""
    found = verdicts(analysed(nothing_helps, noise=0.003))
    assert found["network_many_labels"] == found["labels_largest_network"] == "undecided"
    assert found["network_few_labels"] == found["labels_smallest_network"] == "supported"
    assert found["claim"] == "undecided"


def test_a_larger_network_that_is_worse_refutes_the_claim() -> None:
    """The order of sizes is by parameters, so that the largest is the last."""
    found = verdicts(analysed(lambda n, m: 0.1 + 1e-7 * n + 20 / m))
    assert (found["network_many_labels"], found["claim"]) == ("refuted", "refuted")


def test_noise_hides_everything() -> None:
    """Three repeats that differ by half don't tell."""
    assert verdicts(analysed(both_levers, noise=0.5, seed=3))["claim"] == "undecided"


def test_an_error_of_zero_is_said_and_never_supports() -> None:
    """It has no relative reduction, and no surface either."""
    found = analysed(lambda n, m: 0.0 if n > 1e5 else both_levers(n, m))
    (claim,) = found.claims
    reasons = {part["subject"]: part["reason"] for part in claim["parts"]}
    assert "zero" in reasons["network_few_labels"] and claim["verdict"] == "undecided"
    assert found.decided["surface"] is None and "frontier" not in found.tables
    assert found.decided["interaction"] is None


def test_parts_are_about_the_cells_that_the_claim_names() -> None:
    """Effects and m, on runs without noise."""
    (claim,) = analysed(both_levers, noise=0.0).claims
    parts = {part["subject"]: part for part in claim["parts"]}
    first = both_levers(SMALLEST, 32_000) - both_levers(LARGEST, 32_000)
    assert parts["network_many_labels"]["effect"] == pytest.approx(first)
    assert [parts[name]["m"] for name in parts] == [32_000, 32_000, 500, 32_000]
    middle = synthetic.parameters([16] * 4)
    ratio = both_levers(LARGEST, 500) / both_levers(middle, 500)
    per_doubling = 1 - ratio ** (1 / math.log2(LARGEST / middle))
    assert parts["network_few_labels"]["effect"] == pytest.approx(per_doubling)
    last = both_levers(SMALLEST, 32_000) / both_levers(SMALLEST, 8000)
    assert parts["labels_smallest_network"]["effect"] == pytest.approx(1 - last**0.5)


def test_claims_about_the_population_are_wider() -> None:
    """The choice of the test examples is added to every part; of losses it isn't known."""
    small = {"spam": synthetic.SHEET | {"n_test": 500}}
    wide = synthetic.CLAIMS | {"population": True}
    here, there = (
        network_sizes.analyse(replace(asked(both_levers, claims=claims), sheets=small)).claims[0]
        for claims in (synthetic.CLAIMS, wide)
    )
    for one, other in zip(here["parts"], there["parts"], strict=True):
        assert other["low"] < one["low"] and other["high"] > one["high"]
    losses = {"spam": small["spam"] | {"metric": "log_loss"}}
    again = network_sizes.analyse(replace(asked(both_levers, claims=wide), sheets=losses)).claims
    assert again[0]["parts"] == here["parts"]


def test_the_interaction_is_that_of_the_corners() -> None:
    """It is zero where one lever's effect doesn't depend on the other."""
    independent = analysed(neither_ends, noise=0.0).decided["interaction"]
    assert independent["value"] == pytest.approx(0.0, abs=1e-12)
    found = analysed(both_levers).decided["interaction"]
    assert found["verdict"] == "supported" and found["low"] > 0


# The grid


def test_the_grid_takes_the_study_s_runs_where_m_and_repeat_coincide() -> None:
    """Networks are ordered by parameters, whoever trained them."""
    grid = Grid.of(asked(both_levers))
    assert grid.labels[:4] == ["1", "4", "16-16", "16-16-16-16"]
    assert grid.m.tolist() == synthetic.M and grid.repeats == 3
    assert grid.errors.shape == (8, 4, 3) and (np.diff(grid.n) > 0).all()


def test_a_missing_cell_is_an_error() -> None:
    """A grid with a hole would shift every comparison."""
    whole = asked(both_levers)
    assert whole.own is not None
    with pytest.raises(TakeoffError, match="95 of the 96 cells"):
        Grid.of(replace(whole, own=whole.own.iloc[1:]))


def test_the_next_larger_network_has_twice_the_parameters() -> None:
    """Networks of nearly the same size are no doubling."""
    grid = Grid.of(asked(both_levers))
    following = grid.next_larger(grid.labels.index("16-16"))
    assert following is not None and grid.labels[following] == "64"
    assert grid.next_larger(len(grid.n) - 1) is None


def test_depth_is_compared_at_the_same_width() -> None:
    """A deeper network that is shown to be worse is called so."""
    table = Grid.of(asked(lambda n, m: 0.2 if 9000 < n < 9100 else 0.1)).depths(0.95)
    pairs = {(row.shallow, row.deep): row.verdict for row in table.itertuples()}
    assert pairs == {("16-16", "16-16-16-16"): "worse", ("64", "64-64"): "unclear"}


# What it costs


def test_costs_are_those_that_were_measured() -> None:
    """At the largest m, to a percent; ten times the labels, or parameters, take ten times as many
    operations."""
    grid = Grid.of(asked(both_levers))
    costs = Costs.of(grid, synthetic.PRICED)
    m = np.full_like(grid.n, grid.m[-1])
    np.testing.assert_allclose(costs.seconds(grid.n, m), grid.seconds[:, -1], rtol=0.01)
    np.testing.assert_allclose(costs.flops(grid.n, m), 6 * grid.n * grid.examples[:, -1])
    np.testing.assert_allclose(costs.flops(grid.n, 10 * m), costs.flops(10 * grid.n, m))
    assert costs.unit == "money" and Costs.of(grid, synthetic.FREE).unit == "flops"


def test_money_is_labels_and_hours() -> None:
    """Either price may be missing."""
    grid = Grid.of(asked(both_levers))
    at = grid.n[:1], np.array([1000.0])
    labels = Costs.of(grid, synthetic.PRICED | {"hour": None})
    hours = Costs.of(grid, synthetic.PRICED | {"label": None})
    assert labels.money(*at)[0] == pytest.approx(50.0)
    assert hours.money(*at)[0] == pytest.approx(2 * hours.seconds(*at)[0] / 3600)


# The findings


def test_findings_are_whole_for_every_law() -> None:
    """They go through a file, with every table that the paper reads."""
    from takeoff.paper.report import _json

    for law in (both_levers, neither_ends, nothing_helps, additive):
        found = analysed(law)
        assert set(found.tables) >= {"errors", "gains", "depths", "ends", "frontier", "lines"}
        assert len(found.tables["errors"]) == 32 and len(found.tables["gains"]) == 64
        _json(found.decided | {"claims": found.claims})


def test_a_grid_too_small_for_halves_still_has_a_surface() -> None:
    """Three sizes at three m: nothing is said of how it predicts."""
    networks = {name: synthetic.HIDDEN[name] for name in ("mlp_1", "mlp_small", "mlp_large")}
    found = analysed(additive, networks=networks, m=synthetic.M[1:])
    assert found.decided["surface"] is not None and "held_out" not in found.decided
    assert isinstance(found.tables["frontier"], pd.DataFrame)
