"""The facts."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from functools import cache

import pytest
import synthetic_study
from hypothesis import given
from hypothesis import strategies as st

from takeoff import wording
from takeoff.errors import TakeoffError
from takeoff.measures import Measure
from takeoff.paper import fact, facts
from takeoff.paper.facts import Facts, Results

FINITE = st.floats(-1e6, 1e6)


@cache
def results() -> Results:
    return synthetic_study.results()


@cache
def built() -> Facts:
    return facts.build(results())


def test_error_at_max_is_the_mean_of_the_runs_behind_it() -> None:
    """A fact's value can be found again in the runs that its source names."""
    fact = built()["fashion_mnist.mlp_large.error_at_max"]
    runs = results().runs
    rows = runs[(runs.dataset == "fashion_mnist") & (runs.learner == "mlp_large")]
    mean = rows.loc[rows.m == rows.m.max(), "test_error"].mean()
    assert fact.value == pytest.approx(mean)
    assert fact.low is not None and fact.high is not None
    assert fact.low < mean < fact.high
    assert fact.text == wording.percent(mean)
    assert fact.source["file"] == "runs/fashion_mnist/mlp_large.csv"
    assert "m = 32000" in fact.source["select"]


def test_a_capped_learner_speaks_of_its_own_largest_m() -> None:
    """`error_at_max` of a learner that was stopped is not the data set's largest m."""
    assert built()["spam.svm_rbf.m_max"].text == "8,000"
    assert built()["spam.svm_rbf.twice.m"].value == 16000
    assert "spam.svm_rbf.error.32000" not in built()


def test_missing_fact_is_named_with_the_nearest_one() -> None:
    """An unknown id is an error that names it and what was probably meant."""
    with pytest.raises(TakeoffError, match=r"'spam\.mlp_large\.eror_at_max'.*mean '.*error_at_max"):
        built()["spam.mlp_large.eror_at_max"]


def test_the_same_id_twice_is_refused() -> None:
    """Two facts can't share an id: one of them would be lost."""
    fact = built()["study.n_runs"]
    with pytest.raises(ValueError, match=r"study\.n_runs"):
        Facts([fact, fact])


def test_every_part_of_every_claim_has_its_facts() -> None:
    """Effect, p-values and m of a part are facts, and the verdict counts add up."""
    for claim in results().claims_in_use:
        for part in claim["parts"]:
            name = facts.part_id(claim["claim"], part)
            assert built()[name].value == pytest.approx(part["effect"])
            assert built()[f"{name}.p_for"].value == pytest.approx(part["p_for"])
        name = f"claim.{claim['claim']}"
        counts = [built()[f"{name}.n_{verdict}"].value for verdict in facts.VERDICTS]
        assert sum(int(count or 0) for count in counts) == built()[f"{name}.n_parts"].value


def test_records_are_json_without_nan_and_sorted() -> None:
    """The registry can be written as strict JSON, in an order that doesn't depend on the build."""
    records = built().records()
    json.dumps(records, allow_nan=False)
    assert [record["id"] for record in records] == sorted(record["id"] for record in records)


def test_forecasts_are_those_of_the_table() -> None:
    """More labels, less error; each fact is the row of the table that its source names."""
    now, twice, later = (
        built()[f"fashion_mnist.mlp_large.{name}"]
        for name in ("error_at_max", "twice.error", "ten_times.error")
    )
    assert now.value and twice.value and later.value
    assert now.value > twice.value > later.value
    rows = results().forecast
    rows = rows[(rows.dataset == "fashion_mnist") & (rows.learner == "mlp_large")]
    assert later.source["select"].endswith("m = 320000")
    assert later.value == rows.loc[rows.m == 320000, "predicted"].item()
    assert built()["fashion_mnist.mlp_large.ten_times.m"].value == 320000


def test_held_out_facts_are_those_of_the_table() -> None:
    """Each data set has its own, and the study those of all rows."""
    late = results().held_out
    spam = late[late.dataset == "spam"]
    assert built()["spam.held_out.points"].value == len(spam)
    assert built()["study.held_out.inside"].value == late["inside"].sum()
    missed = (spam.predicted - spam.measured).abs().mean()
    assert built()["spam.held_out.error"].value == pytest.approx(missed)
    missed = (late.last_value - late.measured).abs().mean()
    assert built()["study.held_out.last_value_error"].value == pytest.approx(missed)


def test_intervals_of_errors_stay_within_zero_and_one() -> None:
    """A t interval may leave [0, 1]; the printed interval of an error does not."""
    error = fact.of_share("x", 0.01, ("file", "rows"), (-0.02, 0.04))
    assert error.interval == "0.00% to 4.00%"


@cache
def mixed() -> Results:
    return synthetic_study.mixed()


@cache
def built_mixed() -> Facts:
    return facts.build(mixed())


@pytest.mark.parametrize(
    ("fact_id", "text", "suffix", "unit"),
    [
        ("fashion_mnist.mlp_large.error_at_max", r"11\.\d%", "", "share"),
        ("spam.mlp_large.error_at_max", r"7\.\d\d%", "", "share"),
        ("ad_click.mlp_large.error_at_max", r"0\.21\d\d", "nats", "nats"),
        ("car_position.mlp_large.error_at_max", r"1\.\d\d", "m", "m"),
        ("car_position.mlp_large.twice.error", r"\d\.\d\d", "m", "m"),
        ("ad_click.mlp_large.fit.floor", r"0\.20\d\d", "nats", "nats"),
        ("spam.mlp_large.less_than.mlp_small", r"1\.\d\d", "percentage points", "share .*"),
        ("ad_click.mlp_large.less_than.mlp_small", r"0\.00\d{3}", "nats", "nats"),
        ("car_position.mlp_large.less_than.mlp_small", r"0\.\d{3}", "m", "m"),
        ("claim.bigger_is_better.spam.mlp_large.mlp_small", r"1\.\d\d", "points", "share .*"),
        ("ad_click.held_out.width", r"0\.00\d{3}", "nats", "nats"),
        ("ad_click.mlp_large.reduction", r"1\.\d%", "", "share"),
        ("ad_click.chance", r"0\.2536", "nats", "nats"),
        ("car_position.floor", r"0\.30", "m", "m"),
    ],
)
def test_errors_are_written_as_what_they_are(
    fact_id: str, text: str, suffix: str, unit: str
) -> None:
    """Shares are percentages and their differences points; all else has its own unit."""
    fact = built_mixed()[fact_id]
    assert re.fullmatch(text, fact.text)
    assert fact.suffix == suffix
    assert re.fullmatch(unit, fact.unit)


def test_floors_of_all_measures_are_facts() -> None:
    """Each one in its own unit; none of what is not known, or of a balanced error."""
    built = built_mixed()
    assert built["spam.floors.error_rate"].text == "4.12%"
    assert built["spam.floors.log_loss"].suffix == "nats"
    assert built["ad_click.floors.auc"].text == "0.742"
    assert built["ad_click.floors.log_loss"].text == built["ad_click.floor"].text == "0.2079"
    assert built["car_position.floors.rmse"].suffix == "m"
    assert "fashion_mnist.floor" not in built and "spam.floors.rmse" not in built
    known = {"floors": {"error_rate": 0.1, "balanced_error": 0.2}, "floor": 0.2}
    sheets = {**mixed().sheets, "fashion_mnist": {**mixed().sheets["fashion_mnist"], **known}}
    other = facts.build(replace(mixed(), sheets=sheets))
    assert other["fashion_mnist.floors.error_rate"].text == "10.0%"
    assert "fashion_mnist.floor" not in other and "fashion_mnist.floors.balanced_error" not in other


def test_a_classification_has_classes_and_a_regression_has_none() -> None:
    """There is no most frequent class of a number."""
    assert built_mixed()["ad_click.largest_class"].value == 0.93
    assert "car_position.largest_class" not in built_mixed()


def test_rows_left_out_are_counted_by_reason() -> None:
    """The source of the number names the reason."""
    fact = built_mixed()["fashion_mnist.left_out.0"]
    assert (fact.value, fact.source["select"]) == (12, "left_out: without a label")


def test_distance_from_the_best_possible_is_the_error_minus_the_floor() -> None:
    """Absolute, as a share of the error, and as the way covered from chance."""
    error = built_mixed()["ad_click.mlp_large.error_at_max"].value or 0.0
    above = built_mixed()["ad_click.mlp_large.above_floor"]
    assert above.value == pytest.approx(error - 0.2079)
    assert above.low and above.high and above.low < error - 0.2079 < above.high
    share = built_mixed()["ad_click.mlp_large.share_above_floor"].value
    assert share == pytest.approx((error - 0.2079) / error)
    way = built_mixed()["ad_click.mlp_large.way_covered"].value
    assert way == pytest.approx((0.2536 - error) / (0.2536 - 0.2079))


def test_unlike_measures_are_averaged_as_shares_of_the_error() -> None:
    """Over all data sets, held-out misses are relative; in each of them, in its unit."""
    late = mixed().held_out
    missed = (late["predicted"] - late["measured"]).abs()
    scale = late.groupby("dataset")["measured"].transform("mean")
    assert built_mixed()["study.held_out.error"].value == pytest.approx((missed / scale).mean())
    assert built_mixed()["study.held_out.error"].text.endswith("%")
    clicks = late["dataset"] == "ad_click"
    assert built_mixed()["ad_click.held_out.error"].value == pytest.approx(missed[clicks].mean())
    assert built()["study.held_out.error"].suffix == "percentage points"


def test_intervals_of_losses_stay_above_zero() -> None:
    """And they have no end above, while shares have."""
    measure = Measure("rmse", "m", decimals=1)
    loss = fact.of_error("x", 0.5, measure, ("file", "rows"), (-0.2, 12.0))
    assert loss.interval == "0.0 to 12.0"
    share = fact.of_error("x", 0.5, Measure(), ("file", "rows"), (-0.2, 12.0))
    assert share.interval == "0.0% to 100.0%"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1129, "11.3%"), (0.0405, "4.05%"), (0.00052, "0.05%"), (1.0, "100%"), (0.0, "0.0%")],
)
def test_percentages_have_three_significant_digits(value: float, text: str) -> None:
    """Test errors are readable: no more digits than three, no more decimals than two."""
    assert wording.percent(value) == text


@pytest.mark.parametrize(
    ("p", "text"), [(0.0, "< 0.001"), (0.00099, "< 0.001"), (0.0494, "0.049"), (1.0, "1.000")]
)
def test_small_p_values_are_bounded(p: float, text: str) -> None:
    """A p-value is never printed as zero."""
    assert wording.p_value(p).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.42 s"), (12, "12 s"), (90, "1.5 min"), (3599, "60 min"), (5400, "1.5 h")],
)
def test_durations_change_their_unit(seconds: float, text: str) -> None:
    """A time span is printed in the unit that keeps it short."""
    assert wording.duration(seconds).replace("\u00a0", " ") == text


@pytest.mark.parametrize(
    ("names", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_lists_are_joined_as_in_speech(names: list[str], text: str) -> None:
    """The last two names are joined by a word, the others by commas."""
    assert wording.joined(names) == text


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("small network", "the small network"),
        ("logistic regression", "logistic regression"),
        ("the old model", "the old model"),
        ("", ""),
    ],
)
def test_labels_take_an_article_where_english_wants_one(label: str, text: str) -> None:
    """A label that names a thing gets its article within a sentence; a method's name doesn't."""
    assert wording.with_article(label) == text


@given(FINITE, st.integers(0, 4))
def test_decimals_can_be_read_back(value: float, decimals: int) -> None:
    """A printed number is the number, rounded; and zero has no sign."""
    text = wording.decimal(value, decimals)
    read = float(text.replace(",", "").replace(wording.MINUS, "-"))
    assert math.isclose(read, value, abs_tol=0.5000001 * 10**-decimals)
    assert not (read == 0 and wording.MINUS in text)


@given(st.text())
def test_clean_text_is_one_line_without_controls(text: str) -> None:
    """Clean text has nothing that XML or PDF refuses; cleaning it again changes nothing."""
    cleaned = wording.clean(text)
    assert cleaned == wording.clean(cleaned)
    assert not re.search("[\x00-\x1f\x7f\ue000-\uf8ff\u202a-\u202e]", cleaned)
