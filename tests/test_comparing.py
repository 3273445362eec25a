"""Two reports compared: what moved, what flipped, what is behind it, and how it is shown."""

from __future__ import annotations

import copy
import json
import math
import re
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic_study
from browser import audit, look, needs_axe, needs_browser
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from takeoff.cli import main
from takeoff.commands.compare import FAILED_ON
from takeoff.comparing import bundles, comparison, figures, page, words
from takeoff.comparing.bundles import Bundle, Report
from takeoff.comparing.comparison import Comparison
from takeoff.comparing.moves import GROUPS, Move, group_of
from takeoff.comparing.names import Names
from takeoff.errors import TakeoffError
from takeoff.measures import Measure
from takeoff.paper import facts
from takeoff.paper import report as paper
from takeoff.statistics import options
from takeoff.study import load_study

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / "reports"
HOSTILE = "<script>alert('x')</script> & \"quotes\" {{ seven }} \u202eturned\x07"
Record = dict[str, Any]


@cache
def written(seed: int) -> str:
    """report.json of the synthetic study, with advice; another seed is other luck."""
    results = synthetic_study.results(seed=seed)
    return json.dumps(paper.report_record(results, facts.build(results)))


@cache
def advised() -> str:
    """report.json of a study with a section on what more labels would bring."""
    some = synthetic_study.results()
    study = load_study(synthetic_study.config())
    measures = {name: Measure.of(sheet) for name, sheet in some.sheets.items()}
    asked = options.Asked(**study.option_settings()["asked"])
    weighed = options.weigh(some.runs, study.ladder(), measures, asked, [])
    some = replace(some, options=weighed, code={"learners": {"mlp_small": "aa"}})
    return json.dumps(paper.report_record(some, facts.build(some)))


def record(seed: int = 7) -> Record:
    found: Record = json.loads(written(seed))
    return found


def bundle(some: Record, where: str = "somewhere") -> Bundle:
    return Bundle(where, Report.model_validate(some))


def compared(old: Record, new: Record) -> Comparison:
    return comparison.compare(bundle(old, "old"), bundle(new, "new"))


def changed(fact_id: str, some: Record | None = None, **values: Any) -> Record:
    """A report with one fact changed."""
    some = copy.deepcopy(some or record())
    next(fact for fact in some["facts"] if fact["id"] == fact_id).update(values)
    return some


def move(found: Comparison, fact_id: str) -> Move:
    return next(move for move in found.moves if move.id == fact_id)


def save(some: Record, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(some))
    return path


# Numbers


def test_a_report_is_the_same_as_itself() -> None:
    """Nothing moved, nothing flipped, nothing to fail on, nothing to draw."""
    found = compared(json.loads(advised()), json.loads(advised()))
    assert set(found.counts) == {"same"} and found.tested == 0
    assert found.alarms() == [] and found.changes.none and found.flips == []
    assert words.verdicts(found) == "Every verdict stands."
    assert list(figures.draw(found)) == []


def test_old_and_new_may_be_exchanged() -> None:
    """Then every move goes back, with the same probability."""
    old, new = record(7), changed("study.n_runs", record(8), id="study.another")
    there, back = compared(old, new), compared(new, old)
    turned = {"appeared": "vanished", "vanished": "appeared"}
    assert there.tested > 100 and there.alarms() == back.alarms()
    for one, other in zip(there.moves, back.moves, strict=True):
        assert (one.id, turned.get(one.state, one.state)) == (other.id, other.state)
        assert one.p == other.p and (one.z is None or one.z == pytest.approx(-(other.z or 0)))
    assert {(flip.about, flip.names, flip.old, flip.new) for flip in there.flips} == {
        (flip.about, flip.names, flip.new, flip.old) for flip in back.flips
    }


def removed(fact: Record) -> bool:
    """Whether a fact is a share that something removes; its scale is log(1 - share)."""
    effect = fact["id"].startswith("claim.") and fact["unit"] == "share"
    return effect or bool(re.search(r"reduction$|\.relative$|\.lever\.", fact["id"]))


def uncertain(fact: Record) -> bool:
    """Whether a fact is a positive number of uncertain size; its scale is the logarithm."""
    predicted = fact["source"]["file"].startswith(("fits/forecast", "decisions"))
    return predicted and fact["unit"] != "errors" and fact["low"] > 0


def shifted(fact: Record, widths: float) -> Record:
    """Value and interval, moved by so many widths of the interval on the fact's scale."""
    there: Callable[[float], float] = float
    back: Callable[[float], float] = float
    if removed(fact):
        there, back = (lambda r: -math.log1p(-r)), (lambda x: -math.expm1(-x))
    elif uncertain(fact):
        there, back = math.log, math.exp
    width = there(fact["high"]) - there(fact["low"])
    return {key: back(there(fact[key]) + widths * width) for key in ("value", "low", "high")}


TESTABLE = [
    fact
    for fact in json.loads(advised())["facts"]
    if None not in (fact["value"], fact["low"], fact["high"]) and fact["low"] < fact["high"] < 1e6
    and fact["unit"] != "rank" and not (removed(fact) and fact["high"] > 0.999)
]  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(TESTABLE), st.sampled_from([-1, 1]))
def test_a_number_that_moved_by_ten_widths_is_found(fact: Record, sign: int) -> None:
    """Whatever it counts, up or down, and no other number is named."""
    old = bundle(json.loads(advised()))
    moved = bundles.Fact.model_validate(fact | shifted(fact, 10 * sign))
    others = [one for one in old.report.facts if one.id != fact["id"]]
    new = Bundle("new", old.report.model_copy(update={"facts": [*others, moved]}))
    found = comparison.compare(old, new)
    assert [move.id for move in found.moves if move.state == "beyond"] == [fact["id"]]
    assert found.alarms() == ["number", "any"]


def test_the_test_is_welchs() -> None:
    """Its statistic, from the intervals, is that of the repeats behind them."""
    random = np.random.default_rng(3)
    samples = [0.2 + 0.01 * random.normal(size=5), 0.22 + 0.02 * random.normal(size=5)]
    found = compared(*(errors_of({"error_at_max": sample}) for sample in samples))
    expected = stats.ttest_ind(samples[1], samples[0], equal_var=False)
    (tested,) = [move for move in found.moves if move.p is not None]
    assert tested.z == pytest.approx(expected.statistic)
    assert tested.p is not None
    assert expected.pvalue <= tested.p < 1.3 * expected.pvalue, "degrees of freedom are whole"


def errors_of(samples: dict[str, Any], digest: str = "same") -> Record:
    """A report that holds nothing but errors, from the repeats behind them."""
    found, curves = [], []
    for name, sample in samples.items():
        repeats, mean = len(sample), float(np.mean(sample))
        se = float(np.std(sample, ddof=1)) / repeats**0.5
        half = float(special.stdtrit(repeats - 1, 0.975)) * se
        found.append({"id": f"spam.{name}" if "." in name else f"spam.net.{name}", "value": mean,
                      "low": mean - half, "high": mean + half, "unit": "share", "text": str(mean),
                      "source": {"file": "runs/spam/net.csv"}})  # fmt: skip
        learner = name.split(".")[0] if "." in name else "net"
        curves.append(
            {
                "dataset": "spam",
                "learner": learner,
                "m": 1000,
                "repeats": repeats,
                "test_error": mean,
                "se": se,
                "low": mean - half,
                "high": mean + half,
            }
        )
    known = [("study.level", 0.95), ("spam.n_pool", 20_000), ("spam.n_test", 5000)]
    found += [{"id": name, "value": value, "source": {"file": "config"}} for name, value in known]
    return {"study": "errors", "facts": found, "tables": {"curves": curves},
            "data": {"spam": {"digest": digest}}}  # fmt: skip


@pytest.mark.parametrize("repeats", [3, 5])
@pytest.mark.parametrize("other_data", [False, True])
def test_luck_alone_seldom_raises_an_alarm(repeats: int, other_data: bool) -> None:
    """In one pair of reports in twenty at most: here, in 150 pairs with 30 errors each."""
    random, alarms, pairs = np.random.default_rng(repeats), 0, 150
    for _ in range(pairs):
        sides = [
            errors_of(
                {f"learner_{i}.error_at_max": luck(random, repeats, other_data) for i in range(30)},
                str(side) if other_data else "same",
            )
            for side in range(2)
        ]
        alarms += "number" in compared(*sides).alarms()
    assert stats.binomtest(alarms, pairs, 0.05, alternative="greater").pvalue > 0.001
    assert pairs > alarms, "it can raise one"


def luck(random: np.random.Generator, repeats: int, other_data: bool) -> Any:
    """Errors of repeats; other data are other test sets (5,000) and pools (a share of 0.05)."""
    tests = np.sqrt(0.1 * 0.9 / 5000) * random.normal() if other_data else 0.0
    pool = np.sqrt(0.05) * random.normal() if other_data else 0.0
    own = np.sqrt(0.95 if other_data else 1.0) * random.normal(size=repeats)
    return 0.1 + tests + 0.003 * (pool + own)


def test_other_data_need_more_to_move_a_number() -> None:
    """Where the digests differ, the noise of pool and test set counts."""
    samples = [0.1 + 0.001 * np.arange(5), 0.108 + 0.001 * np.arange(5)]
    reports = [errors_of({"error_at_max": sample}) for sample in samples]
    here, elsewhere = compared(*reports), compared(
        reports[0], errors_of({"error_at_max": samples[1]}, "another")
    )  # fmt: skip
    assert here.counts["beyond"] == 1 and here.other_data == []
    assert elsewhere.counts["beyond"] == 0 and elsewhere.other_data == ["spam"]
    assert elsewhere.counts["apart"] == 1, "its intervals don't overlap"
    assert any("not the same" in note for note in words.notes(elsewhere))


def test_old_reports_are_of_other_data_if_their_seed_or_sizes_differ() -> None:
    """They have no digests."""
    old = {key: value for key, value in record().items() if key != "data"}
    assert compared(old, old).other_data == []
    assert len(compared(old, changed("study.seed", old, text="1")).other_data) == 2
    assert compared(old, changed("spam.n_pool", old, value=1.0)).other_data == ["spam"]


def test_another_seed_may_be_another_world() -> None:
    """Of data that are generated; the reader is told."""
    new = changed("study.seed", text="1")
    new["data"]["spam"]["digest"] = new["data"]["fashion_mnist"]["digest"] = "f" * 64
    said = " ".join(words.notes(compared(record(), new)))
    assert "The examples of Fashion-MNIST and Spam are not the same" in said
    assert "With another seed, Spam may be drawn from another world" in said
    new = changed("study.seed", new, text="2026")
    assert "another world" not in " ".join(words.notes(compared(record(), new)))


def test_one_interval_is_looked_at() -> None:
    """A number that lies outside of the only interval has left it."""
    fact = "spam.mlp_large.error_at_max"
    without = {"low": None, "high": None, "interval": None}
    before = next(one for one in record()["facts"] if one["id"] == fact)
    inside = changed(fact, value=before["high"] - 1e-6, **without)
    outside = changed(fact, value=before["high"] + 1e-6, **without)
    assert move(compared(record(), inside), fact).state == "within"
    assert move(compared(record(), outside), fact).state == "beyond"
    assert move(compared(outside, inside), fact).state == "changed", "without any"


def test_numbers_in_other_units_are_not_tested() -> None:
    """They have changed, however near they are."""
    fact = "spam.mlp_large.error_at_max"
    found = move(compared(record(), changed(fact, unit="nats", value=9.0)), fact)
    assert (found.state, found.p) == ("changed", None)


def test_costs_are_never_an_alarm() -> None:
    """Seconds are others in every run."""
    new = record()
    for fact in new["facts"]:
        if fact["unit"] == "seconds":
            fact |= {"value": 2 * fact["value"], "text": "long"}
    found = compared(record(), new)
    assert found.alarms() == []
    assert {one.group for one in found.moves if one.state == "changed"} == {"costs"}


def test_every_fact_has_a_group_that_the_page_knows() -> None:
    """Errors, forecasts and effects are where a reader looks for them."""
    found = compared(json.loads(advised()), json.loads(advised()))
    groups = {move.id: move.group for move in found.moves}
    assert set(groups.values()) <= set(GROUPS)
    assert groups["spam.svm_rbf.error_at_max"] == "ends"
    assert groups["spam.svm_rbf.error.1000"] == "curves"
    assert groups["spam.svm_rbf.seconds.1000"] == "costs"
    assert groups["spam.svm_rbf.ten_times.error"] == "forecasts"
    assert groups["claim.plateau.spam.svm_rbf"] == "claims"
    assert groups["spam.lever.labels"] == "decisions"
    assert groups["spam.n_pool"] == groups["study.level"] == "design"


@pytest.mark.parametrize(
    ("fact", "group"),
    [
        ({"id": "speed.spam.factor", "unit": "ratio"}, "costs"),
        ({"id": "claim.iteration_speed.spam.mlp_large", "unit": "ratio"}, "costs"),
        ({"id": "activations.relu.microseconds", "unit": "µs"}, "costs"),
        ({"id": "network_sizes.step.money", "unit": "EUR"}, "costs"),
        ({"id": "spam.mlp_large.label.price", "unit": "EUR"}, "costs"),
        ({"id": "spam.mlp_large.label.cost", "unit": "count"}, "decisions"),
        ({"id": "network_sizes.net_8.error", "unit": "share"}, "experiments"),
    ],
)
def test_what_comes_from_times_is_a_cost(fact: Record, group: str) -> None:
    """The labels that a step costs are none."""
    file = {"decisions": "decisions/label_values.csv"}.get(group, "experiments/some.json")
    assert group_of(bundles.Fact.model_validate(fact | {"source": {"file": file}})) == group


def test_a_fact_of_no_data_set_is_about_all() -> None:
    """It has the fewest repeats of all, and other data anywhere make it less sure."""

    def with_floor(value: float, digest: str = "same") -> Record:
        some = errors_of({"error_at_max": 0.1 + 0.001 * np.arange(5)}, digest)
        ends = {"value": value, "low": value - 0.01, "high": value + 0.01, "unit": "share"}
        return some | {"facts": [*some["facts"], {"id": "network_sizes.floor", **ends}]}

    here = move(compared(with_floor(0.1), with_floor(0.13)), "network_sizes.floor")
    elsewhere = move(compared(with_floor(0.1), with_floor(0.13, "another")), "network_sizes.floor")
    assert here.z == pytest.approx(0.03 / (2**0.5 * 0.01 / stats.t.ppf(0.975, 4)))
    assert elsewhere.z is not None and elsewhere.z < 0.5 * here.z


# Verdicts


def other(verdict: str) -> str:
    return "refuted" if verdict == "supported" else "supported"


def test_flipped_verdicts_are_listed_with_their_effects() -> None:
    """The claim, and those of its parts that flipped."""
    some = synthetic_study.results()
    old = record()
    claims = synthetic_study.with_verdict(some, "plateau", "undecided")
    forced = replace(some, claims=claims)
    new = json.loads(json.dumps(paper.report_record(forced, facts.build(forced))))
    found = compared(old, new)
    was = next(claim for claim in old["claims"] if claim["claim"] == "plateau")
    claim, *parts = [flip for flip in found.flips if flip.about == "plateau"]
    assert (claim.kind, claim.old, claim.new) == ("claim", was["verdict"], "undecided")
    assert parts and all(part.kind == "part" and part.old != part.new for part in parts)
    assert all(part.effect and part.effect.state == "same" for part in parts)
    assert found.alarms() == ["verdict", "any"]
    assert "1 of 4 claims got another verdict" in words.verdicts(found)


def test_a_threshold_that_moved_is_told() -> None:
    """It explains verdicts whose effects are the same."""
    new = record()
    part = new["claims"][0]["parts"][0]
    part |= {
        "threshold": 0.07,
        "verdict": {"supported": "refuted"}.get(part["verdict"], "supported"),
    }
    (flip,) = compared(record(), new).flips
    assert flip.thresholds == (0.05, 0.07)
    assert "unchanged; threshold 0.05 → 0.07" in words.effect(flip)


def test_other_advice_is_a_flipped_verdict() -> None:
    """So is another answer on a lever."""
    old, new = json.loads(advised()), json.loads(advised())
    spam = new["options"]["datasets"]["spam"]
    spam |= {"conclusion": "another", "because": ["labels"]}
    spam["levers"][0]["answer"] = "surely"
    conclusion, lever = compared(old, new).flips
    assert (conclusion.kind, conclusion.new) == ("conclusion", "another (labels)")
    assert (lever.kind, lever.names, lever.new) == ("lever", (spam["levers"][0]["kind"],), "surely")
    assert lever.effect and lever.effect.id == f"spam.lever.{lever.names[0]}"


def test_claims_of_one_report_only_are_named() -> None:
    """They are not flips, but a difference."""
    new = record()
    gone = new["claims"].pop()["claim"]
    found = compared(record(), new)
    assert found.verdicts.vanished == [gone] and found.flips == []
    assert found.alarms() == ["any"]


# What is behind them


def test_settings_versions_data_and_code_are_compared() -> None:
    """By their names, old and new."""
    old, new = json.loads(advised()), json.loads(advised())
    new["config"]["training"]["epochs"] = 99
    new["versions"]["torch"] = "9.9"
    new["data"]["spam"]["digest"] = "f" * 64
    new["code"]["learners"]["mlp_small"] = "bb"
    found = compared(old, new).changes
    assert [(one.name, one.new) for one in found.config] == [("training.epochs", "99")]
    assert [(one.name, one.new) for one in found.versions] == [("torch", "9.9")]
    assert [(one.name, one.new) for one in found.data] == [("spam", "f" * 12)]
    assert [(one.name, one.old) for one in found.code] == [("learners.mlp_small", "aa")]
    assert found.unsaid == [] and not found.none


def test_old_reports_say_less_and_are_compared_all_the_same() -> None:
    """What they don't tell is named; versions are found among their facts."""
    old = record()
    for key in ("schema", "config", "code", "data", "versions"):
        del old[key]
    found = compared(old, record())
    assert set(found.counts) == {"same"} and found.flips == []
    assert found.changes.unsaid == ["config", "code", "data"] and found.changes.none
    assert "Not both reports tell their config, code and data" in words.summary(found)
    ranks = {one["name"]: one["rank"] for one in found.old.learners}
    assert ranks == {one["name"]: one["rank"] for one in found.new.learners}
    assert ranks["mlp_large"] == 3 and ranks["svm_rbf"] == 0


def test_the_record_tells_what_comparing_needs() -> None:
    """The config that is used, and no more; digests; the noise of the test set."""
    found = record()
    assert found["schema"] == paper.SCHEMA == bundles.SCHEMA
    assert set(found["config"]["datasets"]) == {"fashion_mnist", "spam"}
    assert found["data"]["spam"]["digest"] == "0" * 64
    assert set(found["data"]["spam"]["test_se"]) == set(found["config"]["learners"])
    assert found["versions"] == {"numpy": "2.4.6", "torch": "2.13.0"}


def test_studies_that_share_little_are_compared_in_what_they_share() -> None:
    """And it is said what they don't."""
    mixed = synthetic_study.mixed(learners=["svm_rbf", "mlp_small", "mlp_large"])
    other = json.loads(json.dumps(paper.report_record(mixed, facts.build(mixed))))
    found = compared(record(), other)
    assert found.only("datasets") == ([], ["ad_click", "car_position"])
    assert found.only("learners")[0] == ["logistic_regression", "gradient_boosting", "mlp_medium"]
    said = " ".join(words.notes(found))
    assert "Two studies, synthetic and mixed" in said
    assert "Only the new report has the data sets Ad clicks and Car position." in said
    assert {figure for figure, _, _ in figures.draw(found)} >= {"changes", "curves_spam"}


# Reading


def cut(text: str) -> str:
    return text[: len(text) // 2]


def with_(**changes: Any) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | changes)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, "isn't JSON"),
        (lambda _: "", "isn't JSON"),
        (lambda _: "[1, 2]", "isn't a report"),
        (lambda _: '{"a": 1}', "isn't a whole report: study"),
        (with_(facts=None), "isn't a whole report: facts"),
        (with_(facts=[{"id": "a", "value": "many"}]), "facts.0.value"),
        (with_(facts=[{"id": "a", "value": float("nan")}]), "facts.0.value"),
        (with_(claims=[{"claim": "plateau"}]), "claims.0.verdict"),
        (with_(data={"spam": {"metric": "luck"}}), "data.spam.metric"),
        (with_(tables={"curves": 3}), "tables.curves"),
        (with_(schema=2), "schema 2; this takeoff knows up to 1"),
        (with_(schema="new"), "schema 'new'"),
    ],
)
def test_what_is_no_report_is_refused_in_words(
    damage: Callable[[str], str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cut off, foreign, of a newer takeoff: the message names the file; the exit code is 1."""
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(written(7))
    bad.write_text(damage(written(7)))
    for pair in ((good, bad), (bad, good)):
        assert main(["compare", *map(str, pair)]) == 1
        error = capsys.readouterr().err
        assert "bad.json" in error and said in error and "->" in error


ODD = {"dataset": "spam", "learner": "mlp_small", "m": 0, "test_error": "little"}


@pytest.mark.parametrize(
    "table", [[], [{}], [{"dataset": "spam"}], [{"m": "many"}], [{"dataset": {}}], [ODD, ODD]]
)
def test_a_report_whose_curves_are_missing_is_still_compared(table: list[Record]) -> None:
    """Its numbers are there."""
    new = record()
    new["tables"]["curves"] = table
    found = compared(record(), new)
    assert set(found.counts) == {"same"}
    assert list(figures.draw(found)) == []


def test_a_report_is_found_in_its_folders(tmp_path: Path) -> None:
    """report.json itself, the report's folder, or the study's."""
    save(record(), tmp_path / "results/mine/report/report.json")
    for place in ("", "/report", "/report/report.json"):
        assert bundles.read(f"{tmp_path}/results/mine{place}").report.study == "synthetic"
    with pytest.raises(TakeoffError, match=r"holds no report\.json"):
        bundles.read(str(tmp_path))
    with pytest.raises(TakeoffError, match="is missing"):
        bundles.read(str(tmp_path / "nowhere"))


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_revisions_of_a_committed_report_are_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """REVISION:PATH, whatever the working folder holds by now."""
    monkeypatch.chdir(tmp_path)
    git(tmp_path, "init", "--quiet")
    path = tmp_path / "docs/report/report.json"
    for value in (0.3, 0.9):
        save(changed("spam.mlp_large.error_at_max", value=value, low=value - 0.01,
                     high=value + 0.01, text=f"{value}"), path)  # fmt: skip
        git(tmp_path, "add", ".")
        git(tmp_path, "commit", "--quiet", "-m", "a report")
    path.unlink()
    for place in ("docs/report", "docs/report/", "docs", "docs/report/report.json"):
        assert main(["compare", f"HEAD~1:{place}", f"HEAD:{place}", "--fail-on", "number"]) == 3
        assert "0.3 (" in capsys.readouterr().out
    assert main(["compare", "HEAD:docs/report", "HEAD:docs/report", "--fail-on", "any"]) == 0
    for missing in ("HEAD:elsewhere", "nothing:docs/report", ":docs", "--help:docs"):
        with pytest.raises(TakeoffError, match=r"git finds no report|is missing"):
            bundles.read(missing)


# Showing


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, {"verdict": 0, "number": 0, "any": 0}),
        ({"facts": True}, {"verdict": 0, "number": FAILED_ON, "any": FAILED_ON}),
        ({"claims": True}, {"verdict": FAILED_ON, "number": 0, "any": FAILED_ON}),
        ({"versions": True}, {"verdict": 0, "number": 0, "any": FAILED_ON}),
    ],
)
def test_the_exit_code_is_what_was_asked_for(
    change: Record, codes: dict[str, int], tmp_path: Path
) -> None:
    """Without --fail-on, it is 0."""
    new = record()
    if "facts" in change:
        new = changed("spam.svm_rbf.error_at_max", value=0.9, low=0.89, high=0.91)
    if "claims" in change:
        claim = new["claims"][0]
        claim["verdict"] = other(claim["verdict"])
    if "versions" in change:
        new["versions"]["numpy"] = "3.0"
    reports = [str(save(record(), tmp_path / "old.json")), str(save(new, tmp_path / "new.json"))]
    assert main(["compare", *reports]) == 0
    for alarm, code in codes.items():
        assert main(["compare", *reports, "--fail-on", alarm]) == code
    assert main(["compare", *reports, "--fail-on", "verdict", "--fail-on", "number"]) == max(
        codes["verdict"], codes["number"]
    )


def test_everything_is_in_the_json(tmp_path: Path) -> None:
    """All numbers that differ, the flips, what is behind them; without NaN."""
    out = tmp_path / "compare.json"
    reports = [str(save(record(seed), tmp_path / f"{seed}.json")) for seed in (7, 8)]
    assert main(["compare", *reports, "--json", str(out)]) == 0
    found = json.loads(out.read_text(), parse_constant=pytest.fail)
    assert len(found["numbers"]) == sum(count for state, count in found["counts"].items()
                                        if state != "same") + len(
        [one for one in found["numbers"] if one["group"] == "costs"])  # fmt: skip
    assert {"alarms", "changes", "claims", "level", "new", "old", "tested", "verdicts"} < set(found)


def test_a_level_that_is_none_is_refused(tmp_path: Path) -> None:
    """With exit code 1."""
    report = str(save(record(), tmp_path / "report.json"))
    assert main(["compare", report, report, "--level", "95"]) == 1


def test_a_missing_template_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The page needs the project's folder; the summary doesn't."""
    report = str(save(record(), tmp_path / "report.json"))
    out = tmp_path / "page.html"
    arguments = ["compare", report, report, "--out", str(out), "--reports", str(tmp_path)]
    assert main(arguments) == 1 and not out.exists()
    assert "give --reports" in capsys.readouterr().err


def write(found: Comparison, folder: Path) -> Path:
    page.write_page(found, REPORTS, folder / "compare.html")
    return folder / "compare.html"


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two reports that differ in luck, a setting and hostile names."""
    new = record(8)
    new["config"]["training"]["epochs"] = HOSTILE
    new["config"]["learners"]["mlp_small"]["label"] = HOSTILE
    new["data"]["spam"]["title"] = HOSTILE
    new["title"] = HOSTILE
    new["claims"][0]["verdict"] = HOSTILE
    new["facts"][5] |= {"text": HOSTILE, "interval": HOSTILE}
    return write(compared(record(7), new), tmp_path_factory.mktemp("page"))


def test_hostile_names_are_text_on_the_page(shown: Path) -> None:
    """No tag, no control character comes of them."""
    text = shown.read_text(encoding="utf-8")
    assert "<script" not in text.lower() and "&lt;script&gt;" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    assert "{{" not in text.replace("{{ seven }}", "")


def test_the_page_loads_nothing(shown: Path) -> None:
    """One file: no link, no picture, no script."""
    text = shown.read_text(encoding="utf-8")
    assert not re.findall(r"<(?:link|img|script|iframe)\b|\bsrc=|url\(h|@import", text)
    assert not re.findall(r'href="(?!#)', text)


@needs_browser
@pytest.mark.parametrize("width", [360, 1250])
def test_the_page_opens_cleanly(shown: Path, width: int) -> None:
    """No sideways scrolling, nothing in the console, every figure drawn."""
    needed, drawn, console = look(shown, width)
    assert needed <= width
    assert drawn == 3
    assert console == ""


@needs_axe
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(shown: Path, dark: bool) -> None:
    """In light and in dark."""
    found = audit(shown, dark, width=500)
    assert found["dark"] is dark and "color-contrast" in found["passed"]
    assert not found["violations"], "\n\n".join(found["violations"])


def test_a_page_about_nothing_says_so(tmp_path: Path) -> None:
    """Without empty tables."""
    text = write(compared(record(), record()), tmp_path).read_text(encoding="utf-8")
    assert "Every verdict stands." in text and "numbers are the same." in text
    assert "Nothing that both reports tell of differs." in text
    assert "<svg" not in text and "<tbody>\n</tbody>" not in text


def test_the_summary_is_short() -> None:
    """However much differs."""
    lines = words.summary(compared(record(7), record(8))).splitlines()
    assert 5 < len(lines) < 60
    assert lines[0] == "old → new"


def test_only_what_differs_is_drawn() -> None:
    """A panel for each curve that is not the same."""
    new = record()
    for row in new["tables"]["curves"]:
        if (row["dataset"], row["learner"]) == ("spam", "mlp_small"):
            row["test_error"] *= 1.1
    drawn = {name: (text, figure) for name, text, figure in figures.draw(compared(record(), new))}
    assert set(drawn) == {"changes", "curves_spam"}
    text, figure = drawn["curves_spam"]
    assert [ax.get_title(loc="left") for ax in figure.axes if ax.get_visible()] == ["small network"]
    assert "The other 5 are the same." in text


def test_numbers_have_names() -> None:
    """Of the data set, the learners, and what was counted."""
    names = Names.both(compared(record(), record()))
    for fact_id, said in (
        ("spam.mlp_large.error_at_max", "Spam, large network: error at the largest m"),
        ("spam.mlp_large.error.2000", "Spam, large network: error at m\u00a0=\u00a02,000"),
        ("spam.mlp_large.less_than.svm_rbf",
         "Spam, large network against RBF support vector machine: lead"),
        ("claim.plateau.spam.svm_rbf", "plateau: Spam, RBF support vector machine"),
        ("study.n_runs", "study n runs"),
    ):  # fmt: skip
        assert names.fact(fact_id) == said
