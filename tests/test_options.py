"""What more labels would bring: the tables, the facts, and every sentence about them."""

from __future__ import annotations

import dataclasses
import html
import math
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_study

from takeoff import settings as config_settings
from takeoff import wording
from takeoff.measures import Measure
from takeoff.paper import fact, facts, figures, option_facts, prose, typeset, views
from takeoff.paper import report as paper
from takeoff.paper.facts import Results
from takeoff.statistics import decisions, options
from takeoff.statistics.options import Asked, Options
from takeoff.study import load_study

REPORTS = Path(__file__).parents[1] / "reports"
CONFIG = synthetic_study.config()
LADDER = load_study(CONFIG).ladder()


def weighed(results: Results, asked: Asked | None = None) -> Options:
    about = {name: Measure.of(sheet) for name, sheet in results.sheets.items()}
    return options.weigh(results.runs, LADDER, about, asked or Asked())


@cache
def results() -> Results:
    plain = synthetic_study.results()
    return replace(plain, options=weighed(plain))


def verdicts(**changes: Any) -> Results:
    """The study, with what was concluded about Fashion-MNIST replaced, and that alone in it."""
    some = results()
    assert some.options is not None
    known = some.options.verdicts
    one = known["datasets"]["fashion_mnist"] | changes
    return alone(replace(some, options=replace(
        some.options, verdicts=known | {"datasets": {"fashion_mnist": one}}
    )))  # fmt: skip


def alone(some: Results) -> Results:
    """The study on Fashion-MNIST only."""
    assert some.options is not None
    frames = {
        field.name: value[value["dataset"] == "fashion_mnist"]
        for field in dataclasses.fields(some)
        if isinstance(value := getattr(some, field.name), pd.DataFrame)
    }
    own = {name: getattr(some.options, name) for name in options.TABLES}
    own = {name: table[table["dataset"] == "fashion_mnist"] for name, table in own.items()}
    use = some.study["use"] | {"datasets": ["fashion_mnist"], "claims": []}
    return replace(
        some, **frames, study={**some.study, "use": use},
        sheets={"fashion_mnist": some.sheets["fashion_mnist"]},
        options=replace(some.options, **own),
    )  # fmt: skip


def said(some: Results, macro: str = "conclusion", position: int | None = None) -> str:
    """What a macro of the section says about the first data set, without markup."""
    context = views.context(some)
    environment = prose._environment(REPORTS, facts.build(some))
    view = context["options"]["datasets"][0]
    call = f"<< d.{macro}(view) >>" if position is None else f"<< d.{macro}(view, at) >>"
    at = None if position is None else view.positions[position]
    source = (
        '<% import "words.typ.j2" as words with context %>'
        '<% import "figures.typ.j2" as figures with context %>'
        f'<% import "sections/decisions.typ.j2" as d with context %>{call}'
    )
    return plain(environment.from_string(source).render(**context, view=view, at=at))


def plain(typst: str) -> str:
    """Typst without its markup: numbers and texts as a reader sees them."""
    text = re.sub(r'#num\("([^"]*)", "[^"]*"(?:, interval: "[^"]*")?\);', r"\1", typst)
    text = re.sub(r'#"([^"]*)";', r"\1", text)
    return " ".join(text.replace("\u00a0", " ").replace("_", "").split())


def lever(kind: str, answer: str, **known: Any) -> dict[str, Any]:
    """A lever, as the verdicts have it."""
    best = {"subject": "mlp_large", "m": 32000.0, "removes": 0.2, "low": 0.15, "high": 0.25}
    more = {"network": {"versus": "mlp_medium"}, "features": {"versus": "mlp_medium"}}
    empty = {"versus": None, "floor": None, "in_use": False, "reason": ""}
    return {"kind": kind, "answer": answer} | empty | best | more.get(kind, {}) | known


def unmeasured(kind: str, reason: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("subject", "versus", "m", "removes", "low", "high"))
    return lever(kind, "unmeasured", **nothing) | {"reason": reason}


# The tables


def test_every_curve_is_asked_everything() -> None:
    """A row per curve, and target or factor; a pair of learners is compared at each common m."""
    found = results().options
    assert found is not None
    assert len(found.labels_needed) == len(found.gains) == 12 * 3
    assert len(found.plateaus) == len(found.label_values) == 12
    assert len(found.crossings) == 2 * 15
    assert set(found.ranks["position"]) == {"few", "middling", "all"}
    at_most = found.pairs.groupby(["dataset", "m"]).size()
    assert at_most.max() == 15 and at_most.min() == 10, "a capped learner isn't ranked beyond"


def test_tables_are_written_and_read_back(tmp_path: Path) -> None:
    """The files hold what was decided, so that the paper needs nothing else."""
    found = results().options
    assert found is not None
    options.write(found, tmp_path)
    again = options.read(tmp_path)
    assert again.verdicts == found.verdicts
    numbers = facts.build(replace(results(), options=again)).records()
    assert numbers == facts.build(results()).records()


def test_auto_targets_lie_below_the_best_error() -> None:
    """Above a known floor, since nothing gets below; those of the config are taken as they are."""
    found = results().options
    assert found is not None
    best = results().curves.query("dataset == 'spam' and m == 32000")["test_error"].min()
    targets = found.verdicts["datasets"]["spam"]["targets"]
    above = best - 0.0412
    assert targets == pytest.approx([best - share * above for share in (0.1, 0.25, 0.5)])
    best = results().curves.query("dataset == 'fashion_mnist' and m == 32000")["test_error"].min()
    targets = found.verdicts["datasets"]["fashion_mnist"]["targets"]
    assert targets == pytest.approx([0.9 * best, 0.75 * best, 0.5 * best])
    asked = weighed(synthetic_study.results(), Asked(targets=[0.01, 0.2]))
    assert asked.verdicts["datasets"]["spam"]["targets"] == [0.2, 0.01]


def test_no_target_below_a_known_floor_is_ever_reached() -> None:
    """Whatever the curve says, and the words say why."""
    found = weighed(synthetic_study.results(), Asked(targets=[0.03, 0.05]))
    spam = found.labels_needed.query("dataset == 'spam' and target < 0.0412")
    assert len(spam) == 6
    assert set(spam["verdict"]) == {"never"}
    assert set(spam["remark"]) == {options.BEST_POSSIBLE}


def test_losses_are_weighed_too() -> None:
    """Values above 1 are losses: no chance, no ceiling, steps as a share of what they are."""
    runs = synthetic_study.results().runs
    runs = runs.assign(test_error=10 * runs["test_error"])
    about = {name: Measure(metric="log_loss") for name in ("fashion_mnist", "spam")}
    found = options.weigh(runs, LADDER, about, Asked())
    now = found.gains.groupby(["dataset", "learner"])["now"].first()
    value = found.label_values.set_index(["dataset", "learner"])["step"]
    np.testing.assert_allclose(value, 0.01 * now.reindex(value.index))


def test_repeats_may_be_missing_and_one_is_enough() -> None:
    """With gaps what is there is used; means alone are compared by the noise of the curves."""
    runs = synthetic_study.results().runs
    spam = {"spam": Measure()}
    gaps = runs[~((runs["m"] == 32000) & (runs["repeat"] == 4))].query("dataset == 'spam'")
    assert set(options.weigh(gaps, LADDER, spam, Asked()).ranks["basis"]) == {"repeats"}
    single = runs.query("dataset == 'spam' and repeat == 0")
    found = options.weigh(single, LADDER, spam, Asked())
    assert set(found.ranks["basis"]) == {"noise of the curves"}
    errors = single.assign(stderr=0.002)
    found = options.weigh(errors, LADDER, spam, Asked())
    assert set(found.ranks["basis"]) == {"standard errors"}


def test_the_config_allows_what_decisions_state() -> None:
    """No factor beyond the one that nothing is stated beyond."""
    assert config_settings.FARTHEST == decisions.FARTHEST
    wrong = CONFIG | {"decisions": {"factors": [2, 20]}}
    with pytest.raises(Exception, match=r"decisions\.factors\.1"):
        load_study(wrong)


# The facts


@pytest.mark.parametrize(
    ("m", "text"), [(0, "0"), (7.3, "7"), (94.6, "95"), (1234, "1,200"), (98_765, "99,000")]
)
def test_estimated_labels_have_two_digits(m: float, text: str) -> None:
    """More would claim what nobody knows."""
    assert fact.about(m) == text


NEEDED = {
    "reached": ({"verdict": "reached", "m": 1234.0, "low": 987.0, "high": 1500.0},
                ("1,200", "990 to 1,500")),
    "reached exactly": ({"verdict": "reached", "m": 125.0, "low": 125.0, "high": 125.0},
                        ("120", None)),
    "about": ({"verdict": "about", "m": 45_678.0, "low": 38_000.0, "high": math.nan},
              ("≈ 46,000", "38,000 to beyond 320,000")),
    "never": ({"verdict": "never", "floor": 0.12, "floor_low": 0.1, "floor_high": 0.13},
              ("never", "ends at 10.0% to 13.0%")),
    "below": ({"verdict": "never", "remark": options.BEST_POSSIBLE},
              ("never", "below the best possible")),
    "beyond": ({"verdict": "not stated", "probability": 0.223},
               ("beyond 320,000", "22% chance by then")),
    "few": ({"verdict": "not stated", "remark": "too few points to say where the curve ends"},
            (wording.UNKNOWN, "too few points")),
}  # fmt: skip


@pytest.mark.parametrize("case", NEEDED)
def test_labels_needed_in_words(case: str) -> None:
    """Each verdict in a cell: the number, and below it the interval or the reason."""
    known, expected = NEEDED[case]
    row = {"remark": "", "m": math.nan, "low": math.nan, "high": math.nan} | known
    text, below = option_facts.needed_in_words(row, 32_000, Measure())
    assert (text.replace("\u00a0", " "), below) == expected


def test_prices_follow_from_the_costs() -> None:
    """Twice the labels cost the labels that are added, at the price of one."""
    some = results()
    costs = {"label": 0.05, "hour": 2.0, "currency": "EUR"}
    some = replace(some, study={**some.study, "costs": costs})
    built = facts.build(some)
    assert built["spam.mlp_large.gain.0.price"].value == pytest.approx(0.05 * 32_000)
    cost, price = (built[f"spam.mlp_large.label.{key}"].value for key in ("cost", "price"))
    assert cost is not None and price == pytest.approx(0.05 * cost)
    seconds = some.curves.set_index(["dataset", "learner", "m"])["seconds"]
    step = seconds["spam", "mlp_large", 32000] - seconds["spam", "mlp_medium", 32000]
    assert built["spam.lever.network.price"].value == pytest.approx(2.0 * step / 3600)
    assert "spam.mlp_large.gain.0.price" not in facts.build(results())


# The sentences

OPEN_FLOOR = lever("floor", "open", floor="curve")
ONE_NETWORK = unmeasured("network", "one network")
RAW_ONLY = unmeasured("features", "no hand-made")
CONCLUSIONS: dict[str, tuple[dict[str, Any], str]] = {
    "floor": (
        {"conclusion": "floor", "because": ["floor"],
         "levers": [lever("floor", "yes", floor="known", high=0.08)]},
        "It is the noise in the data. The error of the large network, 10.6%, is next to that of "
        "the best possible predictions: nothing whatever could remove more than 8.0% of it.",
    ),
    "labels": (
        {"conclusion": "levers", "because": ["labels"],
         "levers": [lever("labels", "yes"), ONE_NETWORK, RAW_ONLY, OPEN_FLOOR]},
        "What would help is more labels (4 times the labels would remove 20% (15% to 25%) of the "
        "error of the large network).",
    ),
    "all levers": (
        {"conclusion": "levers", "because": ["labels", "network", "features"],
         "levers": [lever("labels", "yes"), lever("network", "yes"), lever("features", "yes"),
                    OPEN_FLOOR]},
        "What would help is more labels (4 times the labels would remove 20% (15% to 25%) of the "
        "error of the large network), a bigger network (the step from the medium network to the "
        "large network, at m = 32,000, removed 20% (15% to 25%)) and better features (going from "
        "the medium network to the large network, at m = 32,000, removed 20% (15% to 25%)).",
    ),
    "end of the curve": (
        {"conclusion": "end of the curve", "because": ["floor"],
         "levers": [lever("floor", "yes", floor="curve", high=0.08)]},
        "More labels would not help the large network: its curve has all but come to its end, and "
        "even there its error would be lower by no more than 8.0% of what it is now. Whether "
        "another learner could get further, these curves do not say.",
    ),
    "none": (
        {"conclusion": "none", "because": ["labels", "network"],
         "levers": [lever("labels", "no", removes=0.05, low=0.01, high=0.08),
                    lever("network", "no", removes=0.02, low=0.001, high=0.05), OPEN_FLOOR]},
        "None of the levers that were measured removes as much as 10% of the error: 4 times the "
        "labels would remove 5.0% (1.0% to 8.0%) of the error of the large network and the step "
        "from the medium network to the large network, at m = 32,000, removed 2.0% (0.1% to "
        "5.0%).",
    ),
    "open": (
        {"conclusion": "open", "because": ["labels"],
         "levers": [lever("labels", "open", low=0.05), ONE_NETWORK, OPEN_FLOOR]},
        "It stays open whether any lever removes as much as 10% of the error: 4 times the labels "
        "would remove 20% (5.0% to 25%) of the error of the large network.",
    ),
    "nothing": (
        {"conclusion": "open", "because": [], "levers": [ONE_NETWORK, RAW_ONLY, OPEN_FLOOR]},
        "Nothing that was measured says what holds the error back.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONCLUSIONS)
def test_every_conclusion_reads_as_a_sentence(case: str) -> None:
    """What holds the error back, word for word."""
    changes, expected = CONCLUSIONS[case]
    assert said(verdicts(**changes)) == expected


BRIEFLY: dict[str, tuple[str, str, str]] = {  # what more brings, what holds back, what to do
    "floor": (
        "Neither what more labels nor what a bigger network would bring is known.",
        "As things are, the noise in the data holds the error back.",
        "Stop: nearly all that is left is noise, which no learner can remove.",
    ),
    "labels": (
        "More labels, 4 times as many, are expected to remove 20% (15% to 25%) of the error.",
        "As things are, more labels would remove more than 10% of the error.",
        "Label more.",
    ),
    "all levers": (
        "More labels, 4 times as many, are expected to remove 20% (15% to 25%) of the error; the "
        "last step up in the size of the network removed 20% (15% to 25%) of the error.",
        "As things are, more labels, a bigger network and better features would each remove more "
        "than 10% of the error.",
        "Label more, train a larger network and work on the features.",
    ),
    "end of the curve": (
        "Neither what more labels nor what a bigger network would bring is known.",
        "As things are, more labels would no longer help the best learner.",
        "Buy no more labels for this learner; look for a better learner, or for better features.",
    ),
    "none": (
        "More labels, 4 times as many, are expected to remove 5.0% (1.0% to 8.0%) of the error; "
        "the last step up in the size of the network removed 2.0% (0.1% to 5.0%) of the error.",
        "As things are, nothing that was measured removes as much as 10% of the error.",
        "Spend nothing on what was measured here; change something else, such as the features or "
        "the quality of the labels.",
    ),
    "open": (
        "More labels, 4 times as many, are expected to remove 20% (5.0% to 25%) of the error.",
        "As things are, it is open whether anything that was measured removes as much as 10% of "
        "the error.",
        "Pay for nothing yet, and measure on: more repeats, or somewhat more labels, may settle "
        "it.",
    ),
    "nothing": (
        "Neither what more labels nor what a bigger network would bring is known.",
        "As things are, nothing that was measured says what holds the error back.",
        "Pay for nothing yet, and measure on: more repeats, or somewhat more labels, may settle "
        "it.",
    ),
}


def briefly(some: Results) -> str:
    """The page for whoever has no time, up to its table or figure."""
    context = views.context(some)
    environment = prose._environment(REPORTS, facts.build(some))
    source = (
        '<% import "words.typ.j2" as words with context %><% include "sections/brief.typ.j2" %>'
    )
    text = plain(environment.from_string(source).render(**context))
    return re.split(r"#(?:ruled|fig)\(", text)[0]


@pytest.mark.parametrize("case", BRIEFLY)
def test_every_conclusion_has_its_advice_and_its_risk(case: str) -> None:
    """Three sentences, what to do, and what may be wrong with that, word for word."""
    text = briefly(verdicts(**CONCLUSIONS[case][0]))
    more, held, advice = BRIEFLY[case]
    best = "The best learner is the large network, with a test error of 10.6% (10.5% to 10.7%)"
    assert f"{best} with 32,000 labels (@fig-brief). {more} {held} #advice( [{advice} ]," in text
    kinds = [one["kind"] for one in CONCLUSIONS[case][0]["levers"]]
    assert ("More labels, 4 times" in text) is ("labels" in kinds)
    assert ("is a forecast, with 90% intervals" in text) is ("labels" in kinds)
    assert ("What better features would bring was not part" in text) is (case != "all levers")
    assert ("does not promise that the next one will" in text) is (case == "all levers")


def test_in_brief_all_data_sets_are_spoken_of_together() -> None:
    """Those of which the same is said in one breath."""
    text = briefly(results())
    assert "The best learner is the large network on Fashion-MNIST and Spam; @tab-brief" in text
    assert "On Fashion-MNIST and Spam, it is open whether" in text
    assert text.count("pay for nothing yet") == 1


def test_learners_that_are_not_shown_to_be_worse_are_named_beside_the_best() -> None:
    """The lowest mean is not always the best learner."""
    some = verdicts()
    assert some.options is not None
    ranks = some.options.ranks.copy()
    ranks.loc[(ranks["position"] == "all") & (ranks["learner"] == "mlp_medium"), "rank_low"] = 1
    text = briefly(replace(some, options=replace(some.options, ranks=ranks)))
    assert "with 32,000 labels (@fig-brief); the medium network is not shown to be worse." in text


def test_a_known_floor_is_told_with_its_error() -> None:
    """Exact, or as the bound that it is."""
    for kind, words in (
        ("known", "best possible predictions, 4.12%: nothing"),
        ("bound", "predictions, which is no lower than 4.12%: nothing"),
    ):
        some = verdicts(conclusion="floor", because=["floor"],
                        levers=[lever("floor", "yes", floor=kind)])  # fmt: skip
        sheet = some.sheets["fashion_mnist"] | {"floor": 0.0412}
        assert words in said(replace(some, sheets={"fashion_mnist": sheet}))


def test_levers_that_bring_too_little_are_told_beside_those_that_pay() -> None:
    """And not where they are the conclusion already."""
    levers = [lever("labels", "yes"), lever("network", "no", removes=0.02, low=0.0, high=0.04)]
    some = verdicts(conclusion="levers", because=["labels"], levers=[*levers, OPEN_FLOOR])
    assert said(some, "too_little") == (
        "Too little comes of a bigger network (the step from the medium network to the large "
        "network, at m = 32,000, removed 2.0% (0.0% to 4.0%))."
    )
    some = verdicts(conclusion="none", because=["network"], levers=[levers[1], OPEN_FLOOR])
    assert said(some, "too_little") == ""


def test_features_in_use_are_told_as_such() -> None:
    """They have paid, or bring little."""
    starts = {
        "yes": "Better features have paid already",
        "no": "The hand-made features that the large network has bring little",
    }
    for answer, start in starts.items():
        some = verdicts(because=[], levers=[lever("features", answer, in_use=True), OPEN_FLOOR])
        assert said(some, "in_use") == (
            f"{start}: going from the medium network to the large network, at m = 32,000, removed "
            "20% (15% to 25%)."
        )


def test_a_step_that_raises_the_error_is_told_as_a_rise() -> None:
    """A removed share below zero would be hard to read."""
    step = lever("network", "no", removes=-0.02, low=-0.04, high=0.0)
    some = verdicts(conclusion="none", because=["network"], levers=[step, OPEN_FLOOR])
    assert said(some).endswith(f"removed {wording.MINUS}2.0% ({wording.MINUS}4.0% to 0.0%), "
                               "which is a rise.")  # fmt: skip


def ranked(*leaders: str, of: tuple[str, ...]) -> Results:
    """The study, with these learners unbeaten at the largest m."""
    some = verdicts()
    assert some.options is not None
    rows = [
        {"dataset": "fashion_mnist", "position": "all", "m": 32000.0, "learner": name,
         "error": 0.1 + i / 100, "rank_low": 1 if name in leaders else 2, "rank_high": len(of),
         "p_best": math.nan if i == 0 else 0.2, "basis": "repeats"}
        for i, name in enumerate(of)
    ]  # fmt: skip
    return replace(some, options=replace(some.options, ranks=pd.DataFrame(rows)))


FOUR = ("mlp_large", "mlp_medium", "mlp_small", "logistic_regression")
ABSENT = " Not measured there: "
CHOICES = {
    ("mlp_large",): "take the large network: it is the only one that none of the others is shown "
    "to beat.",
    FOUR[:2]: "take the large network or the medium network: no learner is shown to be better "
    "than either of these, and the lowest error is that of the large network.",
    FOUR[:3]: "only logistic regression is shown to be worse than another learner; the lowest "
    "error, 10.0%, is that of the large network.",
    FOUR: "no learner is shown to be worse than another; the lowest error, 10.0%, is that of the "
    "large network.",
}


@pytest.mark.parametrize("leaders", CHOICES, ids=len)
def test_every_choice_reads_as_a_sentence(leaders: tuple[str, ...]) -> None:
    """Which learner to take: one, some, all but some, any; and who wasn't there."""
    text = said(ranked(*leaders, of=FOUR), "choice", 0)
    start, _, absent = text.partition(ABSENT)
    assert start == f"With all labels (m = 32,000), {CHOICES[leaders]}"
    assert absent == "the RBF support vector machine and gradient boosting."


def test_a_single_learner_is_no_choice() -> None:
    """It is said that there was no other."""
    text = said(ranked("mlp_large", of=("mlp_large",)), "choice", 0)
    assert text.startswith("With all labels (m = 32,000), only the large network was measured.")


def valued(**changes: Any) -> Results:
    some = verdicts()
    assert some.options is not None
    values = some.options.label_values.copy()
    for key, value in changes.items():
        values.loc[values["learner"] == "mlp_large", key] = value
    return replace(some, options=replace(some.options, label_values=values))


WORTH = {
    "sure": (
        {"avoids": 3e-4, "low": 1e-4, "high": 6e-4, "cost": 3333, "cost_low": 1667,
         "cost_high": 10_000},
        "With 1,000 more labels, the large network would avoid 0.30 errors per thousand cases "
        "(0.10 to 0.60). So one error fewer per thousand cases takes 3,300 (1,700 to 10,000) "
        "labels",
        "; at 0.05 EUR a label it has to be worth 170 EUR (83 EUR to 500 EUR).",
    ),
    "perhaps": (
        {"avoids": 3e-4, "low": -1e-4, "high": 6e-4, "cost": 3333, "cost_low": 1667,
         "cost_high": math.nan},
        "With 1,000 more labels, the large network would avoid 0.30 errors per thousand cases; it "
        "may be 0.60, and it may be none. So one error fewer per thousand cases takes about 3,300 "
        "labels, 1,700 at the least, and no number may be enough",
        "; at 0.05 EUR a label it has to be worth 83 EUR at the least.",
    ),
    "hardly": (
        {"avoids": -1e-5, "low": -1e-4, "high": 6e-4, "cost": math.nan, "cost_low": 1667,
         "cost_high": math.nan},
        "With 1,000 more labels, the large network would not be expected to avoid any error; it "
        "may be 0.60 errors per thousand cases. So one error fewer per thousand cases takes 1,700 "
        "labels at the least, if any number is enough",
        "; at 0.05 EUR a label it has to be worth 83 EUR at the least.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WORTH)
def test_what_a_label_has_to_be_worth_reads_as_a_sentence(case: str) -> None:
    """The exchange rate, and the price where the cost of a label is known."""
    changes, rate, price = WORTH[case]
    some = valued(**changes)
    assert said(some, "worth") == rate + "."
    costs = {"label": 0.05, "hour": None, "currency": "EUR"}
    assert said(replace(some, study={**some.study, "costs": costs}), "worth") == rate + price


def test_a_log_loss_is_told_as_a_share_of_it() -> None:
    """Nobody counts errors of a log-loss: labels buy a share of it."""
    some = synthetic_study.mixed(datasets=["ad_click"], claims=[])
    about = {"ad_click": Measure.of(some.sheets["ad_click"])}
    weights = options.weigh(some.runs, LADDER, about, Asked())
    text = said(replace(some, options=weights), "worth")
    assert re.fullmatch(
        r"With 1,000 more labels, the large network would lose 0\.\d+% of its log-loss "
        r"\(0\.\d+% to 0\.\d+%\)\. So a hundredth of it less takes [\d,]+ "
        r"\([\d,]+ to [\d,]+\) labels\.",
        text,
    ), text


# The section in the paper


def read(some: Results, work: Path) -> str:
    """What a reader of the page reads, as one line."""
    source = prose.write_typst(REPORTS, facts.build(some), views.context(some))
    blank = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"></svg>'
    svg = dict.fromkeys(re.findall(r'#fig\(\s*"(\w+)"', source), blank)
    paper._fill(work, source, svg, b"{}", REPORTS)
    page = re.sub(r"</(p|h\d|td|th|li|figcaption|div)>", " ", typeset.to_html(work).content)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", "", page)).split())


def test_the_section_has_no_badly_joined_sentence(tmp_path: Path) -> None:
    """No doubled word, no space before a stop, none missing after one; every label is defined."""
    text = read(results(), tmp_path)
    section = text[text.index("This section is for whoever") : text.index("One test set.")]
    marks = (r"\s[,.;:)]", r"\(\s", r"[,;:]\s*[.,;]", r"\.\.", r"[a-z)]\.[A-Z]")
    words = (r"\b([A-Za-z]+) \1\b", r"\bNone\b", r"\bnan\b", r"\b\w+_\w+\b")
    for pattern in (*marks, *words):
        found = [section[max(0, m.start() - 40) : m.end()] for m in re.finditer(pattern, section)]
        assert not found, found
    assert "On Spam, it stays open whether" in section


def test_without_options_the_paper_has_no_such_section() -> None:
    """Results from before there were any still make a paper."""
    some = replace(results(), options=None)
    source = prose.write_typst(REPORTS, facts.build(some), views.context(some))
    assert "What more labels would bring" not in source


def test_the_figure_marks_every_multiple() -> None:
    """One interval and one mark for each learner, data set and multiple."""
    found = results().options
    assert found is not None
    titles = {"fashion_mnist": "Fashion-MNIST", "spam": "Spam"}
    figure = figures.gains(found.gains, LADDER, titles, 0.1)
    marks = [line.get_gid() for ax in figure.axes for line in ax.lines if line.get_gid()]
    assert len([gid for gid in marks if gid.endswith(":estimate")]) == 2 * 6 * 3
    assert "mlp_large:spam:2:interval" in marks
