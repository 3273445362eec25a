"""The claim that ReLU is faster, where the truth is known."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from synthetic_activations import BEST, CHANCE, all_alike, asked, lecture_is_right

from takeoff.experiments import Findings, activations
from takeoff.experiments.arrivals import NETWORK


def claim(found: Findings) -> dict[str, Any]:
    """The only one."""
    (one,) = found.claims
    return one


def part(found: Findings, subject: str) -> dict[str, Any]:
    """One part of the claim."""
    (one,) = [one for one in claim(found)["parts"] if one["subject"] == subject]
    return one


def swapped(activation: str, initialisation: str, depth: int) -> float:
    """The sigmoid in ReLU's place, and the other way round."""
    other = {"relu": "sigmoid", "sigmoid": "relu"}.get(activation, activation)
    return lecture_is_right(other, initialisation, depth)


def row(found: Findings, table: str, **wanted: Any) -> pd.Series:
    """One row of a table."""
    rows = found.tables[table]
    for name, value in wanted.items():
        rows = rows[rows[name] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_it_is_supported_where_it_is_true() -> None:
    """Each part with its ratio: a step count for each depth and kind of weights, and a gradient."""
    found = activations.analyse(asked(lecture_is_right))
    assert claim(found)["verdict"] == "supported"
    assert len(claim(found)["parts"]) == 2 * (4 + 1)
    deep = part(found, "relu_default_8")
    assert deep["effect"] == pytest.approx(2 * (1 + 0.3 * 8), rel=0.15)
    assert deep["low"] < deep["effect"] < deep["high"]
    assert part(found, "relu_scaled_8")["effect"] == pytest.approx(2, rel=0.15)
    assert part(found, "relu_default")["effect"] == pytest.approx(0.45 / 0.15, rel=0.1)


def test_it_is_refuted_where_the_sigmoid_is_faster() -> None:
    """Every part on steps is; that on gradients stands."""
    found = activations.analyse(asked(swapped))
    assert claim(found)["verdict"] == "refuted"
    assert {part(found, f"relu_scaled_{d}")["verdict"] for d in (1, 2, 4, 8)} == {"refuted"}
    assert part(found, "relu_default")["verdict"] == "supported"


def test_it_is_undecided_where_there_is_no_difference() -> None:
    """Neither side is shown."""
    found = activations.analyse(asked(all_alike, kept_per_layer=lambda a, i: 0.5))
    assert claim(found)["verdict"] == "undecided"


def test_a_gradient_that_vanishes_more_with_relu_refutes() -> None:
    """Also where ReLU needs fewer steps."""

    def more(activation: str, initialisation: str) -> float:
        return {"relu": 0.2}.get(activation, 0.9)

    found = activations.analyse(asked(lecture_is_right, kept_per_layer=more))
    assert part(found, "relu_scaled")["verdict"] == "refuted"
    assert claim(found)["verdict"] == "refuted"


def test_a_sigmoid_that_never_arrives_gives_a_lower_bound() -> None:
    """The budget over ReLU's steps: shown, and known as a bound."""
    found = activations.analyse(
        asked(lambda a, i, d: math.inf if a == "sigmoid" else 100.0, steps=1000)
    )
    one = part(found, "relu_default_2")
    assert one["verdict"] == "supported" and one["effect"] == pytest.approx(10, rel=0.15)
    ratio = row(found, "ratios", activation="sigmoid", initialisation="default", depth=2, share=0.9)
    assert (ratio["bound"], ratio["arrived"], ratio["relu_arrived"]) == ("least", 0, 6)
    network = row(found, "networks", activation="sigmoid", initialisation="default", depth=2)
    assert network["arrived"] == 0 and np.isnan(network["median"])
    assert network["steps"] == pytest.approx(1000)


def test_a_relu_that_never_arrives_speaks_against() -> None:
    """Not only is nothing shown."""
    found = activations.analyse(asked(lambda a, i, d: math.inf if a == "relu" else 100.0))
    assert part(found, "relu_scaled_4")["verdict"] == "refuted"
    ratio = row(found, "ratios", activation="sigmoid", initialisation="scaled", depth=4, share=0.9)
    assert ratio["bound"] == "most"


def test_where_nothing_arrives_nothing_is_said() -> None:
    """The part is open, with the reason; the claim can't be supported."""

    def none_when_deep(activation: str, initialisation: str, depth: int) -> float:
        if depth == 8 and initialisation == "default":
            return math.inf
        return lecture_is_right(activation, initialisation, depth)

    found = activations.analyse(asked(none_when_deep))
    one = part(found, "relu_default_8")
    assert one["verdict"] == "undecided" and one["effect"] is None and "arrived" in one["reason"]
    assert claim(found)["verdict"] == "undecided"


def test_a_gradient_of_zero_is_said_to_be_one() -> None:
    """It has no logarithm."""
    question = asked(lecture_is_right)
    own = question.own
    assert own is not None
    dead = (own["kind"] == "layer") & (own["activation"] == "relu") & (own["layer"] == 1)
    own.loc[dead & (own["repeat"] == 3), "gradient"] = 0.0
    found = activations.analyse(question)
    assert "zero" in part(found, "relu_default")["reason"]
    assert part(found, "relu_default")["verdict"] == "undecided"


def test_intervals_are_paired_over_the_repeats() -> None:
    """A difficulty that all networks of a repeat share does not widen them."""
    question = asked(lecture_is_right)
    own = question.own
    assert own is not None
    before = part(activations.analyse(question), "relu_scaled_1")
    slow = (own["kind"] == "loss") & (own["phase"] == "judged") & (own["repeat"] == 3)
    left = (own.loc[slow, "loss"] - BEST) / (CHANCE - BEST)
    own.loc[slow, "loss"] = BEST + (CHANCE - BEST) * left ** (1 / 1.5)
    after = part(activations.analyse(question), "relu_scaled_1")
    assert after["high"] / after["low"] == pytest.approx(before["high"] / before["low"], rel=0.03)


def test_tuning_that_could_have_gone_astray_widens_intervals() -> None:
    """The more a neighbouring rate costs, and the fewer repeats the rate was chosen in."""
    rates = pd.DataFrame(
        [("sgd", "relu", "scaled", 2, rate, 0, at, 0.0)
         for rate, at in ((0.01, 150.0), (0.03, 100.0), (0.1, np.inf))],
        columns=[*NETWORK, "rate", "repeat", "arrived_at", "last_loss"],
    )  # fmt: skip
    (astray,) = activations.astray_rates(rates, 1000)["astray"]
    assert astray == pytest.approx((math.log(1.5) + math.log(10)) / 2)
    (alone,) = activations.astray_rates(rates.iloc[1:2], 1000)["astray"]
    assert alone == 0

    def compared(astray: float, tuned_in: int) -> float:
        steps = np.array([100.0, 120, 90, 110])
        runs = pd.DataFrame(
            {"repeat": range(4), "arrived_at": steps, "steps": steps, "astray": astray}
        )
        found = activations.compared(runs, runs.assign(steps=[80.0, 90, 95, 70]), tuned_in)
        assert found is not None
        return found.se

    assert compared(2.0, 2) > compared(0.5, 2) > compared(0.0, 2) > compared(0.0, 4)


def test_the_initialisations_share_is_what_goes_away() -> None:
    """log 6.8 of which log 2 is left at depth 8: it is most of it; at depth 1 it isn't shown."""
    found = activations.analyse(asked(lecture_is_right, noise=0.02))
    deep = row(found, "shares", depth=8)
    assert deep["share"] == pytest.approx(1 - math.log(2) / math.log(2 * 3.4), abs=0.05)
    assert deep["most"] == "supported"
    assert row(found, "shares", depth=1)["most"] == "refuted"
    gained = row(found, "initialisations", activation="sigmoid", depth=8)
    assert gained["ratio"] == pytest.approx(3.4, rel=0.1)
    assert row(found, "initialisations", activation="relu", depth=8)["ratio"] == pytest.approx(
        1, rel=0.1
    )


def test_seconds_are_steps_times_what_a_step_takes() -> None:
    """With the interval of both."""
    found = activations.analyse(asked(lecture_is_right))
    ratio = row(found, "ratios", activation="sigmoid", initialisation="scaled", depth=2, share=0.9)
    cost = row(found, "costs", activation="sigmoid", depth=2)
    assert ratio["seconds"] == pytest.approx(ratio["ratio"] * cost["ratio"])
    assert ratio["seconds_high"] / ratio["seconds_low"] > ratio["high"] / ratio["low"]


def test_curves_of_arrival_are_those_of_kaplan_and_meier() -> None:
    """Censored at the budget: the share that is left there is that of those which never arrived."""
    arrived_at = pd.Series([10.0, 20.0, np.inf, 30.0])
    steps, shares = activations.kaplan_meier(arrived_at, 100)
    assert shares[:4] == pytest.approx([1, 0.75, 0.5, 0.25]) and steps[:4] == [0, 10, 20, 30]
    sample = stats.CensoredData(uncensored=[10.0, 20.0, 30.0], right=[100.0])
    assert stats.ecdf(sample).sf.evaluate([25.0])[0] == pytest.approx(shares[2])


def test_a_rate_at_the_edge_of_its_grid_is_told() -> None:
    """The best may lie beyond it."""
    question = asked(lecture_is_right)
    assert question.own is not None
    assert set(activations.analyse(question).tables["networks"]["at_edge"]) == {""}
    own = question.own
    few = own[~((own["phase"] == "tuning") & (own["rate"] == 0.01))]
    question = type(question)(question.settings, question.runs, few, {})
    assert set(activations.analyse(question).tables["networks"]["at_edge"]) == {"lowest"}


def test_findings_are_plain_json() -> None:
    """Claims and decisions go through a file unharmed."""
    found = activations.analyse(asked(lecture_is_right, initialisations=["default"], depths=[2]))
    for one in (found.claims, found.decided, found.names):
        assert json.loads(json.dumps(one, allow_nan=False)) == one
    assert "single depth" in part(found, "relu_default")["reason"]
    assert found.tables["shares"].empty and found.tables["initialisations"].empty
    assert set(found.names) >= {one["subject"] for one in claim(found)["parts"]} | {"sigmoid"}
