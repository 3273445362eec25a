"""`takeoff plan`: the jobs of a study, what is there already, and how they fit on some cores."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_study import CONFIG, SmallStudy

from takeoff import datasets
from takeoff.cli import main
from takeoff.demand import read_study
from takeoff.errors import TakeoffError
from takeoff.planning import calibration, jobs, plan, reference
from takeoff.planning.jobs import Job, Known, Machine, urgency, wall_seconds
from takeoff.study import Study, load_study

NOTHING = Known()


def study(**changes: Any) -> Study:
    return load_study(CONFIG | changes)


def planned(
    some: Study, cores: int = 2, known: Known = NOTHING, folder: Path = Path()
) -> plan.Plan:
    return plan.plan(some, known, Machine(), cores, folder / "nowhere")


def seconds(found: plan.Plan, name: str) -> float:
    return sum(job.seconds for job in found.jobs if job.name == name)


# On some cores


@st.composite
def job_lists(draw: st.DrawFn) -> list[Job]:
    """Jobs that each wait for some of those before them."""
    found: list[Job] = []
    for i in range(draw(st.integers(1, 9))):
        earlier = [job.id for job in found]
        after = draw(st.lists(st.sampled_from(earlier), unique=True)) if earlier else []
        length = draw(st.floats(0.1, 50))
        found.append(Job(f"job{i}", seconds=length, after=tuple(after)))
    return found


def longest_path(some: list[Job]) -> float:
    """Seconds of the longest chain of jobs that wait for each other."""
    ends: dict[str, float] = {}
    for job in some:
        ends[job.id] = job.seconds + max((ends[name] for name in job.after), default=0.0)
    return max(ends.values())


@given(job_lists(), st.integers(1, 5))
def test_no_schedule_is_impossible_or_idle(some: list[Job], cores: int) -> None:
    """Not below the work of each core nor the longest chain; not above Graham's bound (1969)."""
    work, chain = sum(job.seconds for job in some), longest_path(some)
    found = wall_seconds(some, cores)
    assert found >= max(work / cores, chain) - 1e-9
    assert found <= work / cores + (1 - 1 / cores) * chain + 1e-9


@given(st.lists(st.floats(0.1, 50), min_size=1, max_size=9), st.integers(1, 4))
def test_one_core_takes_all_and_more_cores_no_longer(lengths: list[float], cores: int) -> None:
    """Of jobs that don't wait for each other, beginning with the longest."""
    some = [Job(f"job{i}", seconds=length) for i, length in enumerate(lengths)]
    assert wall_seconds(some, 1) == pytest.approx(sum(lengths))
    assert wall_seconds(some, cores + 1) <= wall_seconds(some, cores) * (4 / 3) + 1e-9
    assert wall_seconds(some, len(some)) == pytest.approx(max(lengths))


def test_what_others_wait_for_starts_first() -> None:
    """Though it is shorter."""
    first, after = Job("first", seconds=1.0), Job("after", seconds=10.0, after=("first",))
    long = [Job("one", seconds=5.0), Job("two", seconds=5.0)]
    assert urgency([*long, first, after]) == {"one": 5.0, "two": 5.0, "first": 11.0, "after": 10.0}
    assert wall_seconds([*long, first, after], 2) == 11.0


@given(job_lists())
def test_the_most_urgent_job_begins_the_longest_chain(some: list[Job]) -> None:
    """And no job is less urgent than one that waits for it."""
    found = urgency(some)
    assert max(found.values()) == pytest.approx(longest_path(some))
    assert all(found[name] > found[job.id] for job in some for name in job.after)


# A study


def test_every_job_is_there() -> None:
    """Data, curves, statistics, figures, paper; each curve after its data."""
    found = planned(study())
    names = [job.name for job in found.jobs]
    assert names == [
        *("prepare_dataset", "train", "train", "fit_curves", "check_claims", "weigh_options"),
        *("analyse_rankings", "plot_rankings", "plot_figures", "render_report"),
    ]
    assert all(job.seconds > 0 for job in found.jobs)
    assert found.jobs[1].after == ("prepare_dataset spam",)
    assert found.jobs[1].cells == 4
    assert found.cpu.low < found.cpu.value < found.cpu.high
    assert found.wall.value < found.cpu.value


def test_experiments_are_counted() -> None:
    """What the claims in use bring with them is measured, analysed and drawn."""
    use = CONFIG["use"] | {"claims": ["plateau", "iteration_speed"]}
    names = {job.name for job in planned(study(use=use)).jobs}
    assert {"measure_speed", "analyse_speed", "plot_speed"} <= names


def test_curves_of_experiments_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they train beside the study's own curves is trained by the same rules."""
    use = CONFIG["use"] | {"claims": ["iteration_speed"]}
    before = seconds(planned(study(use=use)), "train")
    own = [{"dataset": "spam", "learner": "network", "m": [20], "repeats": 1}]
    asked = Study.experiment_settings
    monkeypatch.setattr(
        Study, "experiment_settings", lambda self, name: asked(self, name) | {"own_design": own}
    )
    found = planned(study(use=use))
    assert [job.learner for job in found.jobs if job.name == "train"][2:] == ["network"]
    assert seconds(found, "train") > before


@pytest.mark.parametrize("name", ["m", "repeats", "width"])
def test_more_takes_longer(name: str) -> None:
    """More labels, more repeats, a wider network."""
    spam, network = CONFIG["datasets"]["spam"], CONFIG["learners"]["network"]
    more = {
        "m": {"datasets": {"spam": spam | {"m": [20, 80]}}},
        "repeats": {"datasets": {"spam": spam | {"repeats": 4}}},
        "width": {"learners": CONFIG["learners"] | {"network": network | {"hidden": [512]}}},
    }[name]
    assert seconds(planned(study(**more)), "train") > seconds(planned(study()), "train")


def test_what_is_there_costs_nothing(tmp_path: Path) -> None:
    """Prepared data and stored cells are not counted; with the tables and the paper, nothing is."""
    small = SmallStudy(tmp_path)
    small.write(use=CONFIG["use"] | {"claims": ["plateau", "iteration_speed"]})
    small.prepare()
    small.train("linear")
    seen = plan.known(small.study, small.store, small.results)
    found = plan.plan(small.study, seen, Machine(), 2, small.results)
    by_learner = {job.learner: job for job in found.jobs if job.name == "train"}
    assert seconds(found, "prepare_dataset") == 0
    assert (by_learner["linear"].stored, by_learner["network"].stored) == (4, 0)
    assert by_learner["linear"].seconds < 1.0 < by_learner["network"].seconds

    small.train("network")
    for curve in small.curves():
        curve.table.parent.mkdir(parents=True, exist_ok=True)
        curve.table.touch()
    for name in ("experiments/speed.csv", "report/report.json"):
        (small.results / "tiny" / name).parent.mkdir()
        (small.results / "tiny" / name).touch()
    seen = plan.known(small.study, small.store, small.results)
    nothing = plan.plan(small.study, seen, Machine(), 2, small.results)
    assert nothing.cpu.value == nothing.wall.value == 0
    assert any("nothing: all is there" in line for line in plan.report(nothing))


def test_a_gpu_and_a_price_are_told() -> None:
    """GPU hours are those of the networks; the price that of all cores together."""
    machine = Machine(device="cuda", calibrated=True)
    some = study(costs={"hour": 3600.0, "currency": "EUR"})
    found = plan.plan(some, NOTHING, machine, 1, Path("nowhere"))
    assert 0 < found.gpu < found.cpu.value
    text = "\n".join(plan.report(found))
    assert "of a GPU" in text and "EUR" in text and "--calibrate" not in text
    assert f"price: {found.cpu.value:,.2f} EUR" in text


def test_a_slower_machine_takes_longer() -> None:
    """Kinds of learners by their own factors, shapes of networks by theirs, all else by `other`."""
    slow = Machine({"logistic_regression": 100.0, "mlp": 100.0}, other=3.0)
    plain = planned(study())
    found = plan.plan(study(), NOTHING, slow, 2, Path("nowhere"))
    for before, after in zip(plain.jobs, found.jobs, strict=True):
        assert after.seconds > 2.9 * before.seconds
    (task,) = [task for task in plan.tasks(study(), Path("nowhere")) if task.kind == "mlp"]
    assert slow.factor(task) == 100.0
    assert replace(slow, shapes={jobs.shape_key(task): 2.0}).factor(task) == 2.0


def test_no_core_is_refused() -> None:
    """In words."""
    with pytest.raises(TakeoffError, match="there are no 0 cores"):
        planned(study(), cores=0)


@pytest.mark.parametrize("name", ["spam", "ad_click", "car_position"])
def test_known_widths_are_those_of_the_data_sets(name: str, tmp_path: Path) -> None:
    """What is said of a data set before it is prepared is what it has then."""
    made = datasets.prepare(name, seed=1, pool=120, test=60, cache=tmp_path)
    hand_made = 0 if made.hand_pool is None else made.hand_pool.shape[1]
    stored = made.x_pool.dtype.itemsize
    found = (made.x_pool.shape[1], hand_made, len(made.classes), stored)
    assert reference.WIDTHS[name] == found


def test_data_of_ones_own_are_looked_at(tmp_path: Path) -> None:
    """Their width comes from the file."""
    rows = "\n".join(f"{i % 7},{i % 3},{'ab'[i % 2]}" for i in range(200))
    (tmp_path / "mine.csv").write_text(f"x,y,label\n{rows}\n")
    own = {"path": str(tmp_path / "mine.csv"), "label": "label", "m": [40], "repeats": 2,
           "pool": 150, "test": 50}  # fmt: skip
    some = study(use=CONFIG["use"] | {"datasets": ["mine"]}, datasets={"mine": own})
    found = planned(some, folder=tmp_path)
    assert seconds(found, "train") > 0


def test_to_order_the_jobs_no_data_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The workflow asks at each start, and the table may be a large one."""
    (tmp_path / "mine.csv").write_text("x,y,label\n")
    own = {"path": str(tmp_path / "mine.csv"), "label": "label", "m": [40], "repeats": 2,
           "pool": 60, "test": 20}  # fmt: skip
    some = study(
        datasets=CONFIG["datasets"] | {"mine": own}, use=CONFIG["use"] | {"datasets": ["mine"]}
    )
    monkeypatch.setattr(plan.datasets, "prepare", pytest.fail)
    sheet = tmp_path / some.study / "data" / "mine.json"
    sheet.parent.mkdir(parents=True)
    sheet.write_text("half a she")
    found = plan.urgencies(some, tmp_path)
    first, last = found["prepare_dataset mine"], found["render_report"]
    assert first > max(found[f"train mine {learner}"] for learner in some.use.learners) > last


# The command


def test_the_command_prints_and_writes_the_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row for each curve, sums, and what is not known of the machine; the same as JSON."""
    small = SmallStudy(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAKEOFF_CACHE", str(tmp_path / "cache"))
    assert (
        main(["plan", "--configfile", str(small.config), "--cores", "3", "--json", "p.json"]) == 0
    )
    text = capsys.readouterr().out
    assert "train" in text and "on 3 cores: " in text and "--calibrate" in text
    written = json.loads((tmp_path / "p.json").read_text())
    assert written["cores"] == 3 and not written["calibrated"]
    assert {job["job"] for job in written["jobs"]} >= {"train", "render_report"}
    assert main(["plan", "--configfile", "absent.yaml"]) == 1


def test_without_a_config_file_the_lecture_is_planned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `snakemake` runs it then; its experiments are among the jobs."""
    monkeypatch.chdir(Path(__file__).parents[1])
    monkeypatch.setenv("TAKEOFF_CACHE", str(tmp_path))
    assert main(["plan", "--cells", str(tmp_path), "--results", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    assert text.startswith("lecture: ")
    (seconds,) = re.findall(r"measure_activations +([\d]+) s", text)
    assert 55 <= int(seconds) <= 90  # those of the study that the model was fitted to: 70


def test_a_kept_calibration_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Timed once with --calibrate, known from then on."""
    small = SmallStudy(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAKEOFF_CACHE", str(tmp_path / "cache"))
    timed = Machine({"mlp": 2.0}, {}, 2.0, "cpu", 0.1, True)
    monkeypatch.setattr(calibration, "calibrate", lambda tasks: timed)
    arguments = ["plan", "--configfile", str(small.config)]
    assert main([*arguments, "--calibrate"]) == 0
    first = capsys.readouterr().out
    assert main(arguments) == 0
    assert capsys.readouterr().out == first and "--calibrate" not in first


def test_a_study_of_given_curves_trains_nothing(tmp_path: Path) -> None:
    """Only statistics, figures and the paper are planned."""
    rows = "\n".join(f"d,{name},{m},{1 / m}" for name in "ab" for m in (10, 20, 40, 80, 160))
    (tmp_path / "curves.csv").write_text(f"dataset,learner,m,test_error\n{rows}\n")
    config = {"study": "given", "title": "T", "runs": {"table": str(tmp_path / "curves.csv")}}
    (tmp_path / "given.yaml").write_text(json.dumps(config))
    some = read_study([tmp_path / "given.yaml"])
    found = planned(some, folder=tmp_path)
    assert {job.name for job in found.jobs} >= {"fit_curves", "render_report"}
    assert not any(job.name in ("train", "prepare_dataset") for job in found.jobs)
    assert 0 < found.cpu.value < 60
    assert list(plan.tasks(some, tmp_path)) == []
    assert "of one core" in "\n".join(plan.report(found))
