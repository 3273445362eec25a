"""A study that starts from a table of learning curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from takeoff import given
from takeoff.cli import main
from takeoff.demand import demands, read_study
from takeoff.errors import TakeoffError
from takeoff.measures import Measure
from takeoff.paper import facts, origins, prose, views
from takeoff.runs import read_runs
from takeoff.settings import Runs
from takeoff.statistics import claims, claims_from_means, fits, options
from takeoff.statistics.forecasts import forecast_curves, hold_out
from takeoff.study import Study

ROOT = Path(__file__).parents[1]
BASE = ROOT / "config/config.yaml"
M = [100, 200, 400, 800, 1600, 3200]
LEARNERS = {"Random forest": 1.6, "Net, small": 1.5, "Net, LARGE": 1.2}
SETTINGS = claims.ClaimSettings()


def table(spread: str = "repeat", seed: int = 1) -> pd.DataFrame:
    """Curves of three learners on two data sets: by repeat, with standard errors, or bare."""
    random = np.random.default_rng(seed)
    rows = [
        {"dataset": dataset, "learner": learner, "m": m, "repeat": f"r{repeat}",
         "test_error": (0.03 + a * m**-0.4) * (1 + 0.02 * random.normal())}
        for dataset in ("Churn 2024", "churn-2024")
        for learner, a in LEARNERS.items()
        for m in M
        for repeat in range(4)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    if spread == "repeat":
        return frame
    groups = frame.groupby(["dataset", "learner", "m"], sort=False)["test_error"]
    means = groups.mean().reset_index()
    return means.assign(stderr=groups.sem().to_numpy()) if spread == "stderr" else means


class Project:
    """A config that names a table, in a folder."""

    def __init__(self, folder: Path):
        self.table, self.config = folder / "curves.csv", folder / "mine.yaml"
        self.results = folder / "results"

    def write(self, frame: pd.DataFrame, config: dict[str, Any] | None = None, **runs: Any) -> None:
        frame.to_csv(self.table, index=False)
        named = {"runs": {"table": str(self.table)} | runs} if runs else {"runs": str(self.table)}
        known = {"study": "mine", "title": "More labels?"} | named | (config or {})
        self.config.write_text(yaml.safe_dump(known, sort_keys=False))

    def study(self) -> Study:
        """Over the lecture's config, as the workflow has it."""
        return read_study([self.config], BASE)

    def runs(self) -> pd.DataFrame:
        study = self.study()
        assert study.runs is not None
        folder = self.results / "mine"
        given.write_runs(study.runs, folder)
        files = [folder / "runs" / d / f"{learner}.csv" for d, learner in study.curves]
        return read_runs(files, study.design())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


NETWORKS = {
    "Net, small": {"family": "network"},
    "Net, LARGE": {"family": "network", "label": "large net"},
}


# What the study is


def test_a_path_is_enough(project: Project) -> None:
    """Data sets and learners are the table's, in its order, whatever the lecture's config uses."""
    project.write(table())
    study = project.study()
    assert study.use.datasets == ["churn_2024", "churn_2024_2"]
    assert study.use.learners == ["random_forest", "net_small", "net_large"]
    assert [one["label"] for one in study.ladder()] == list(LEARNERS)
    assert {one["family"] for one in study.ladder()} == {"traditional"}
    assert study.design()[0] == {
        "dataset": "churn_2024", "learner": "random_forest", "m": M, "repeats": 4, "rows": 24,
        "given": True,
    }  # fmt: skip
    assert study.networks == {} and study.feature_pairs() == []


def test_the_config_can_name_choose_and_rank(project: Project) -> None:
    """By the table's names; networks are ranked as the config lists them."""
    use = {"datasets": ["churn-2024"], "learners": ["Net, LARGE", "Net, small"]}
    project.write(table(), learners=NETWORKS, use=use,
                  datasets={"churn-2024": {"title": "Churn", "floor": 0.02}})  # fmt: skip
    study = project.study()
    assert study.given is not None
    assert study.given.datasets["churn_2024"]["floor"] == 0.02
    assert [(one["label"], one["rank"]) for one in study.ladder()] == [
        ("large net", 2), ("Net, small", 1)
    ]  # fmt: skip


def test_a_study_of_a_table_asks_for_no_cells(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """`status` says so, and `store prune` has nothing to keep for it."""
    project.write(table())
    assert list(demands(project.study())) == []
    assert main(["status", "--configfile", str(project.config)]) == 0
    assert "6 curves from" in capsys.readouterr().out
    arguments = ["--cells", str(project.results / "cells"), "--configfile", str(project.config)]
    assert main(["store", "prune", *arguments]) == 0


# What a table must be


def without_stderr_of_one(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(stderr=[-1.0, *frame["stderr"][1:]])


BAD = {
    "no column": (lambda t: t.drop(columns="test_error"), "has no column test_error"),
    "not a number": (lambda t: t.assign(test_error=[np.nan, *t["test_error"][1:]]),
                     "row 2: test_error isn't a finite number"),
    "twice": (lambda t: pd.concat([t, t[:1]]), "row 146: the same dataset, learner, m, repeat"),
    "one m": (lambda t: t[(t["m"] == 100) | (t["learner"] != "Net, small")],
              "Net, small on Churn 2024: only m = 100 was measured"),
    "half an example": (lambda t: t.assign(m=t["m"] + 0.5), "m = 100.5 isn't a whole number"),
    "percentages": (lambda t: t.assign(test_error=100 * t["test_error"]), "is above 1"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_one_message(
    project: Project, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It names the file and what is wrong, before anything runs."""
    spoil, says = BAD[case]
    project.write(spoil(table()))
    with pytest.raises(TakeoffError) as caught:
        project.study()
    assert says in str(caught.value) and "curves.csv" in str(caught.value)
    assert main(["status", "--configfile", str(project.config)]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_a_table_that_is_not_there_is_one_message(project: Project) -> None:
    """Named by its path."""
    project.write(table())
    project.table.unlink()
    with pytest.raises(TakeoffError, match=r"curves\.csv: isn't there"):
        project.study()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"use": {"learners": ["Net, small"]}}, "use.learners stands beside `runs`"),
        ({"datasets": {"spam": {"m": [10], "pool": 10, "test": 10}}}, "datasets stands beside"),
    ],
)
def test_what_the_lecture_names_stands_within_runs(
    project: Project, config: dict[str, Any], says: str
) -> None:
    """A key that would be ignored is an error, with the place where it belongs."""
    project.write(table(), config)
    with pytest.raises(TakeoffError) as caught:
        project.study()
    assert says in str(caught.value) and "runs: {table:" in str(caught.value)


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        ({"use": {"learners": ["Net small"]}}, "did you mean 'Net, small'?"),
        ({"learners": {"Net, smal": {"label": "x"}}}, "did you mean 'Net, small'?"),
        ({"learners": {"Net, small": {"rank": 2}}}, "only networks have a rank"),
        ({"tabel": "x"}, "did you mean 'table'?"),
    ],
)
def test_a_name_that_the_table_lacks_is_one_message(
    project: Project, runs: dict[str, Any], says: str
) -> None:
    """With the nearest one."""
    project.write(table(), **runs)
    with pytest.raises(TakeoffError) as caught:
        project.study()
    assert says in str(caught.value)


def test_losses_are_said_to_be_losses(project: Project) -> None:
    """With their metric, values above 1 are fine."""
    metric = {"metric": "log_loss"}
    known = {"Churn 2024": metric, "churn-2024": metric}
    frame = table()
    project.write(frame.assign(test_error=10 * frame["test_error"]), datasets=known)
    assert len(project.runs()) == len(frame)


# Reading it back


def test_runs_come_back_whole_or_not_at_all(project: Project) -> None:
    """Every number of the table is there; a file cut short is refused."""
    project.write(table())
    runs = project.runs()
    assert sorted(runs["test_error"]) == sorted(table()["test_error"])
    file = project.results / "mine/runs/churn_2024/net_small.csv"
    file.write_text("\n".join(file.read_text().splitlines()[:-3]))
    study = project.study()
    with pytest.raises(TakeoffError, match=r"net_small\.csv: holds 21 of 24 rows"):
        read_runs([file], [study.design()[1]])


def test_parquet_is_read_like_csv(project: Project) -> None:
    """The same study comes of it."""
    project.write(table())
    expected = project.study().design()
    parquet = project.table.with_suffix(".parquet")
    table().to_parquet(parquet)
    assert given.given_by(Runs.model_validate(str(parquet))).design == expected


# Statistics without repeats


def test_standard_errors_make_the_intervals(project: Project) -> None:
    """Normal ones around the error; without them there are none."""
    project.write(table("stderr"))
    runs = project.runs()
    curves = given.summarise(runs, 0.95)
    np.testing.assert_allclose(curves["se"], runs.sort_values(
        ["dataset", "learner", "m"])["stderr"])  # fmt: skip
    np.testing.assert_allclose(curves["high"] - curves["low"], 2 * 1.959964 * curves["se"])
    project.write(table("none"))
    assert given.summarise(project.runs(), 0.95)["low"].isna().all()


def test_whole_repeats_are_judged_as_ever(project: Project) -> None:
    """The same verdicts as of runs that takeoff made."""
    project.write(table(), learners=NETWORKS)
    runs, ladder = project.runs(), [claims.Learner(**one) for one in project.study().ladder()]
    mine, theirs = claims_from_means.check(runs, ladder, SETTINGS), claims.check(
        runs, ladder, SETTINGS)  # fmt: skip
    assert mine.claims == theirs.claims
    pd.testing.assert_frame_equal(mine.differences, theirs.differences)
    laws = {"level": 0.95, "bootstrap": 100, "seed": 1}
    pd.testing.assert_frame_equal(given.fit_laws(runs, **laws), fits.fit_laws(runs, **laws))


def verdicts(project: Project) -> dict[str, Any]:
    ladder = [claims.Learner(**one) for one in project.study().ladder()]
    found = claims_from_means.check(project.runs(), ladder, SETTINGS)
    return {one["claim"]: one for one in found.claims["claims"]}


def test_standard_errors_decide_what_needs_no_repeats(project: Project) -> None:
    """Reductions, slopes and differences by z tests; the stability of orders stays open."""
    project.write(table("stderr"), learners=NETWORKS)
    found = verdicts(project)
    assert found["plateau"]["verdict"] == "refuted"
    pairs = {(part["subject"], part["versus"]): part for part in found["bigger_is_better"]["parts"]}
    part = pairs["net_large", "random_forest"]
    assert part["verdict"] == "supported" and part["m"] == 3200
    assert part["low"] < part["effect"] < part["high"]
    assert found["keeps_improving"]["parts"][1]["effect"] is not None
    assert found["unclear_when_small"]["verdict"] == "undecided"
    assert found["unclear_when_small"]["reason"] == claims_from_means.NO_REPEATS


def test_bare_numbers_decide_nothing_and_say_why(project: Project) -> None:
    """Every claim is undecided, with the reason in words."""
    project.write(table("none"), learners=NETWORKS)
    for name, claim in verdicts(project).items():
        assert claim["verdict"] == "undecided"
        expected = claims_from_means.NO_REPEATS if "small" in name else claims_from_means.NO_SPREAD
        assert claim["reason"] == expected


def test_repeats_with_gaps_are_compared_where_both_have_them(project: Project) -> None:
    """One learner without its last repeat at the largest m: the rest still decides."""
    frame = table()
    gone = (frame["m"] == 3200) & (frame["repeat"] == "r3") & (frame["learner"] == "Net, LARGE")
    project.write(frame[~gone], learners=NETWORKS)
    found = verdicts(project)
    assert found["plateau"]["verdict"] == "refuted"
    assert all(part["effect"] is not None for part in found["bigger_is_better"]["parts"])


# The paper


def paper_results(project: Project) -> facts.Results:
    """All that the paper on the table is made from."""
    study, runs = project.study(), project.runs()
    from takeoff.files import read_json

    assert study.given is not None
    sheets = {n: read_json(project.results / f"mine/data/{n}.json") for n in study.use.datasets}
    curves = given.summarise(runs, 0.95)
    ladder = [claims.Learner(**one) for one in study.ladder()]
    found = claims_from_means.check(runs, ladder, SETTINGS)
    about = {name: Measure.of(sheet) for name, sheet in sheets.items()}
    return facts.Results(
        study=study.record(), sheets=sheets, runs=runs, curves=curves,
        fits=given.fit_laws(runs, level=0.95, bootstrap=100, seed=1),
        forecast=forecast_curves(curves, level=0.9), held_out=hold_out(curves, level=0.9),
        last_doublings=found.last_doublings, differences=found.differences,
        agreement=found.agreement, claims=found.claims,
        options=options.weigh(runs, study.ladder(), about, options.Asked()),
    )  # fmt: skip


def paper_source(project: Project) -> str:
    """The Typst of the paper on the table."""
    results = paper_results(project)
    return prose.write_typst(ROOT / "reports", facts.build(results), views.context(results))


def test_numbers_from_a_table_lead_to_what_read_it(project: Project) -> None:
    """Runs and sheets come from the rule that read the table, not from one that trains."""
    project.write(table(), learners=NETWORKS)
    some = paper_results(project)
    _, found = origins.trace(facts.build(some), some, origins.Where())
    rules = {source.file.split("/")[0]: source.rule for source in found.sources.values()}
    assert rules["runs"] == rules["data"] == "read_table"
    assert "given.py" in found.sources["fits/fits.csv"].code[0]


@pytest.mark.parametrize(
    ("spread", "says"),
    [("repeat", "learners are compared within them"), ("stderr", "comes with its standard error"),
     ("none", "without repeats or a standard error")],
)  # fmt: skip
def test_the_paper_says_what_is_known_and_no_more(project: Project, spread: str, says: str) -> None:
    """No word on training, settings, licences and cost, whatever the table has."""
    project.write(table(spread), learners=NETWORKS)
    source = paper_source(project)
    assert says in source
    for unknown in ("licence", "AdamW", "Chosen settings", "What it costs", "would have cost",
                    "computing time in all", "One test set", "fig-cost"):  # fmt: skip
        assert unknown not in source
    assert ("bootstrap samples of whole repeats" in source) == (spread == "repeat")
