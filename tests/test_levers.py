"""What holds an error back: a synthetic case for each answer, and for each that can't be had."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from takeoff.statistics import levers
from takeoff.statistics.decisions import Measured, measured
from takeoff.statistics.levers import Lever, Named, conclude

M = np.array([125, 250, 500, 1000, 2000, 4000, 8000, 16000, 32000], dtype=float)
MARGIN, LEVEL = 0.1, 0.9


def curve(
    floor: float = 0.0,
    amplitude: float = 1.0,
    exponent: float = 0.4,
    *,
    noise: float = 0.005,
    repeats: int = 5,
    seed: int = 1,
) -> Measured:
    """A power law with relative noise, by repeat."""
    random = np.random.default_rng(seed)
    mean = floor + amplitude * M**-exponent
    return measured(M, mean[:, None] * (1 + noise * random.normal(size=(len(M), repeats))))


def flat(**how: Any) -> Measured:
    """A curve that ended long ago."""
    return curve(0.2, 40.0, 1.2, **how)


# More labels


def test_a_falling_curve_wants_labels() -> None:
    """An error that falls by a quarter per doubling loses far more than a tenth to 4x labels."""
    lever = levers.labels(Named("a", curve()), MARGIN, LEVEL)
    assert lever.answer == "yes"
    assert lever.low > MARGIN
    assert lever.m == 128_000


def test_a_flat_curve_does_not() -> None:
    """Even the far end of the interval stays below the margin."""
    lever = levers.labels(Named("a", flat()), MARGIN, LEVEL)
    assert lever.answer == "no"
    assert lever.high < MARGIN


def test_a_rough_short_curve_leaves_it_open() -> None:
    """Three points with much noise say nothing, and why is told."""
    few = measured(M[:3], [0.3, 0.31, 0.24], stderr=[0.05, 0.05, 0.05])
    lever = levers.labels(Named("a", few), MARGIN, LEVEL)
    assert lever.answer == "open"
    assert lever.reason == "few points"


def test_nothing_can_be_removed_from_an_error_of_zero() -> None:
    """The answer is no, with the reason."""
    lever = levers.labels(Named("a", measured(M, [*(0.5 / M[:-1]), 0.0])), MARGIN, LEVEL)
    assert (lever.answer, lever.reason) == ("no", "zero")


def test_no_gain_goes_below_a_known_floor() -> None:
    """What lies below the best possible decision is cut off the forecast."""
    one = curve(0.05)
    free, cut = (levers.gain_above(one, 4, floor, LEVEL) for floor in (None, 0.058))
    assert free.low < 0.058 <= cut.low
    assert cut.gain_high == pytest.approx(cut.now - 0.058)
    assert cut.relative_high == pytest.approx(1 - 0.058 / cut.now)


# A bigger network


def test_a_step_that_paid_is_measured_at_the_largest_common_m() -> None:
    """A third of the error less, between the two largest networks."""
    ladder = [Named(name, curve(amplitude=a, seed=i)) for i, (name, a) in
              enumerate([("small", 2.0), ("medium", 1.5), ("large", 1.0)])]  # fmt: skip
    lever = levers.network(ladder, MARGIN, LEVEL)
    assert (lever.answer, lever.subject, lever.versus) == ("yes", "large", "medium")
    assert lever.m == 32_000
    assert lever.low < 1 / 3 < lever.high


def test_a_step_that_brought_little_is_told_from_one_that_is_open() -> None:
    """2 % less is too little with little noise, and open with much."""
    for noise, answer in ((0.005, "no"), (0.2, "open")):
        ladder = [Named("a", curve(noise=noise, seed=4)),
                  Named("b", curve(amplitude=0.98, noise=noise, seed=5))]  # fmt: skip
        assert levers.network(ladder, MARGIN, LEVEL).answer == answer


def test_paired_repeats_cancel_their_common_luck() -> None:
    """Luck that both networks share doesn't widen the interval of their step."""
    luck = np.random.default_rng(3).normal(size=(len(M), 5))
    mean = M[:, None] ** -0.4
    first, second = (measured(M, a * mean * (1 + 0.2 * luck)) for a in (1.0, 0.8))
    lever = levers.network([Named("a", first), Named("b", second)], MARGIN, LEVEL)
    assert lever.low == pytest.approx(0.2) == lever.high


def test_standard_errors_do_without_repeats() -> None:
    """The interval is that of the delta method."""
    a = measured(M, M**-0.4, stderr=0.01 * M**-0.4)
    b = measured(M, 0.8 * M**-0.4, stderr=0.008 * M**-0.4)
    lever = levers.network([Named("a", a), Named("b", b)], MARGIN, LEVEL)
    assert lever.low == pytest.approx(1 - 0.8 * math.exp(1.645 * math.sqrt(2) * 0.01), abs=1e-4)


@pytest.mark.parametrize(
    ("ladder", "reason"),
    [([], "one network"), ([Named("a", flat())], "one network"),
     ([Named("a", flat()), Named("b", measured([100, 300], [0.3, 0.2]))], "no m in common")],
)  # fmt: skip
def test_one_network_has_no_step(ladder: list[Named], reason: str) -> None:
    """Nor have two that were never measured at the same m."""
    lever = levers.network(ladder, MARGIN, LEVEL)
    assert (lever.answer, lever.reason) == ("unmeasured", reason)
    assert lever.reason in levers.REASONS


# Features


def test_features_ask_the_pair_of_the_best_learner() -> None:
    """Its own pair is asked although another one has a lower error on raw features."""
    curves = {"svm": 1.0, "svm hand": 0.9, "net": 2.0, "net hand": 0.6}
    one = {name: Named(name, curve(amplitude=a, seed=i))
           for i, (name, a) in enumerate(curves.items())}  # fmt: skip
    pairs = [(one["svm"], one["svm hand"]), (one["net"], one["net hand"])]
    lever = levers.features(pairs, "net hand", MARGIN, LEVEL)
    assert (lever.versus, lever.subject) == ("net", "net hand")
    assert lever.answer == "yes" and lever.in_use
    other = levers.features(pairs[:1], "net", MARGIN, LEVEL)
    assert (other.subject, other.in_use) == ("svm hand", False)


def test_without_hand_made_features_nothing_is_measured() -> None:
    """And the reason says so."""
    lever = levers.features([], "net", MARGIN, LEVEL)
    assert (lever.answer, lever.reason) == ("unmeasured", "no hand-made")


# The floor


def test_a_known_floor_next_to_the_error_holds_it_back() -> None:
    """Less than the margin lies above it; a lower one leaves room; in between it is open."""
    best = Named("a", flat(noise=0.02))
    answers = [levers.floor(best, known, False, MARGIN, LEVEL).answer
               for known in (0.195, 0.1, 0.9 * best.curve.curve.last)]  # fmt: skip
    assert answers == ["yes", "no", "open"]


def test_a_lower_bound_can_hold_back_but_never_shows_room() -> None:
    """The best possible decision may be far above the bound."""
    best = Named("a", flat())
    assert levers.floor(best, 0.195, True, MARGIN, LEVEL).answer == "yes"
    assert levers.floor(best, 0.1, True, MARGIN, LEVEL).answer == "open"


def test_without_a_known_floor_the_curve_tells() -> None:
    """A flat curve is at its end, a steep one leaves it open or has room."""
    at_end = levers.floor(Named("a", flat(noise=0.002)), None, False, MARGIN, LEVEL)
    assert (at_end.answer, at_end.floor) == ("yes", "curve")
    steep = levers.floor(Named("a", curve()), None, False, MARGIN, LEVEL)
    assert steep.answer in ("no", "open")
    few = levers.floor(Named("a", measured(M[:3], [0.3, 0.2, 0.1])), None, False, MARGIN, LEVEL)
    assert (few.answer, few.reason) == ("unmeasured", "few points")


# What follows


def found(**answers: Any) -> list[Lever]:
    """The four levers with these answers."""
    kinds = ("labels", "network", "features", "floor")
    known = {"floor": "known"} | {k: v for k, v in answers.items() if k in ("floor_is", "in_use")}
    return [
        Lever(kind, answers.get(kind, "unmeasured"),
              floor=known.get("floor_is", "known") if kind == "floor" else None,
              in_use=bool(known.get("in_use")) and kind == "features")  # type: ignore[arg-type]
        for kind in kinds
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "verdict", "because"),
    [
        ({"floor": "yes", "labels": "yes"}, "floor", ["floor"]),
        ({"floor": "yes", "floor_is": "bound"}, "floor", ["floor"]),
        ({"labels": "yes", "network": "no"}, "levers", ["labels"]),
        ({"labels": "yes", "network": "yes", "features": "yes"}, "levers",
         ["labels", "network", "features"]),
        ({"labels": "open", "network": "yes", "floor": "no"}, "levers", ["network"]),
        ({"features": "yes", "labels": "no"}, "levers", ["features"]),
        ({"features": "yes", "in_use": True, "labels": "no", "network": "no"}, "none",
         ["labels", "network"]),
        ({"floor": "yes", "floor_is": "curve", "labels": "no", "network": "no"},
         "end of the curve", ["floor"]),
        ({"floor": "yes", "floor_is": "curve", "network": "yes"}, "levers", ["network"]),
        ({"labels": "no", "network": "no", "floor": "no"}, "none", ["labels", "network"]),
        ({"labels": "open", "network": "no"}, "open", ["labels"]),
        ({}, "open", []),
    ],
)  # fmt: skip
def test_what_follows_from_the_answers(
    answers: dict[str, Any], verdict: str, because: list[str]
) -> None:
    """A known floor says all; then the levers that pay; a lever in use isn't one to pull."""
    conclusion, reasons = conclude(found(**answers))
    assert conclusion == verdict
    assert [lever.kind for lever in reasons] == because


# What a label is worth


def test_labels_are_worth_the_mean_slope_of_the_next_doubling() -> None:
    """The exchange rate is labels over the errors that they avoid, with its interval turned."""
    one = curve(noise=0.001)
    value = levers.value_of_labels(one, 0.001, LEVEL)
    expected = 32_000 * (1 - 2**-0.4) / 32_000 * 32_000**-0.4
    assert value.lot == 1000
    assert value.avoids / value.lot == pytest.approx(expected / 32_000, rel=0.1)
    assert value.cost == pytest.approx(0.001 / (value.avoids / value.lot))
    assert value.cost_low is not None and value.cost_high is not None
    assert value.cost_low < value.cost < value.cost_high


def test_labels_that_may_bring_nothing_have_no_highest_price() -> None:
    """Where the interval holds zero, no number of labels need be enough."""
    value = levers.value_of_labels(flat(), 0.001, LEVEL)
    assert value.low < 0
    assert value.cost_high is None
