"""The experiment `speed`: its claim in studies where it is true, false and unclear; its numbers."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic_study

from takeoff import experiments
from takeoff.experiments import Asked, Findings, speed
from takeoff.planning import cells, reference
from takeoff.planning.costs import Stopping
from takeoff.statistics.claims import Part
from takeoff.study import Study, load_study

USE = {"claims": ["plateau", "iteration_speed"]}
REPEATS = 5
RNG = np.random.default_rng


def config(**changes: Any) -> dict[str, Any]:
    return synthetic_study.config(**USE) | changes


def runs_of(study: Study, growth: float, noise: float = 0.05, size: float = 1.0) -> pd.DataFrame:
    """Runs of a study in which the seconds of a network grow as so many powers of m and weights."""
    random = RNG(3)
    runs = synthetic_study.make_runs(study, RNG(7))
    off = np.exp(noise * random.normal(size=len(runs)))
    params = runs["n_params"] / 12_970
    return runs.assign(seconds=1e-3 * runs["m"] ** growth * params**size * off)


def own_of(
    factor: float, error: float, noise: float = 0.05, repeats: int = REPEATS
) -> pd.DataFrame:
    """Four ways; the last is `factor` times as fast as the first, its error so much higher."""
    random, rows = RNG(5), []
    for repeat in range(repeats):
        for way, power in zip(speed.WAYS, (0.0, 0.4, 0.7, 1.0), strict=True):
            luck = np.exp(noise * random.normal(size=2))
            rows.append({
                "repeat": repeat, "way": way, "runs": 2, "steps": 1000.0 - 600 * power,
                "seconds": luck[0] / factor**power, "device": "cpu",
                "test_error": 0.2 * (1 + error * power) * (luck[1] if power > 0.5 else 1.0),
            })  # fmt: skip
    return pd.DataFrame(rows)


def asked(
    runs: pd.DataFrame | None = None, own: pd.DataFrame | None = None, **changes: Any
) -> Asked:
    study = load_study(config(**changes))
    sheets = synthetic_study.SHEETS
    sizes = {"n_test": 10_000, "n_pool": 40_000}
    full = {
        name: sheets[name] | sizes | {"n_classes": len(sheets[name]["classes"])}
        for name in study.use.datasets
    }
    return Asked(
        settings=study.experiment_settings("speed"),
        runs=runs_of(study, 0.9) if runs is None else runs,
        own=own_of(5.0, 0.0) if own is None else own,
        sheets=full,
    )


def parts(found: Findings) -> dict[tuple[str, str, str | None], Part]:
    (claim,) = found.claims
    return {(p["dataset"], p["subject"], p["versus"]): Part(**p) for p in claim["parts"]}


def verdict(found: Findings) -> str:
    return str(found.claims[0]["verdict"])


def test_the_claim_is_true_where_time_grows_and_computing_better_saves() -> None:
    """Effects are what was put in: growth per tenfold, and the factor of runs a day."""
    found = speed.analyse(asked())
    assert verdict(found) == "supported"
    by_labels = parts(found)["spam", "mlp_large", None]
    assert by_labels.effect == pytest.approx(10**0.9, rel=0.1) and by_labels.m == 32000
    by_weights = parts(found)["spam", "mlp_large", "mlp_small"]
    assert by_weights.effect == pytest.approx(10, rel=0.1)
    assert parts(found)["fashion_mnist", speed.FASTER, None].effect == pytest.approx(5, rel=0.1)
    error = parts(found)["fashion_mnist", speed.AS_GOOD, None]
    assert error.effect == pytest.approx(0, abs=0.06) and error.threshold == 0.05
    assert len(found.claims[0]["parts"]) == 2 * 2 + 2


@pytest.mark.parametrize(
    ("runs", "own", "subject"),
    [
        ({"growth": 0.05}, (5.0, 0.0), "mlp_large"),
        ({"growth": 0.9, "size": 0.0}, (5.0, 0.0), "mlp_large"),
        ({"growth": 0.9}, (1.2, 0.0), speed.FASTER),
        ({"growth": 0.9}, (5.0, 0.4), speed.AS_GOOD),
    ],
)
def test_the_claim_is_false_where_one_of_them_fails(
    runs: dict[str, float], own: tuple[float, float], subject: str
) -> None:
    """A flat cost, one that size does not matter for, no saving, or one that spoils the result."""
    study = load_study(config())
    found = speed.analyse(asked(runs_of(study, **runs), own_of(*own, noise=0.02)))
    refuted = [key[1] for key, part in parts(found).items() if part.verdict == "refuted"]
    assert verdict(found) == "refuted" and set(refuted) == {subject}


def test_the_claim_stays_open_where_times_are_all_over_the_place() -> None:
    """Noise of a factor of ten leaves it undecided."""
    study = load_study(config())
    found = speed.analyse(asked(runs_of(study, 0.5, noise=2.3), own_of(3.0, 0.0, noise=2.0)))
    assert verdict(found) == "undecided"


def test_a_part_without_an_estimate_says_why() -> None:
    """One m, errors of zero, too few repeats."""
    zero = own_of(5.0, 0.0).assign(test_error=0.0)
    part = parts(speed.analyse(asked(own=zero)))["fashion_mnist", speed.AS_GOOD, None]
    assert part.effect is None and "error of zero" in str(part.reason)
    few = parts(speed.analyse(asked(own=own_of(5.0, 0.0, repeats=2))))
    assert "only 2 repeats" in str(few["fashion_mnist", speed.FASTER, None].reason)


def test_ways_are_multiples_of_the_first() -> None:
    """And runs a day follow from seconds a run."""
    table = speed.ways(own_of(4.0, 0.0, noise=0.001), 0.95).set_index("way")
    assert table.loc["alone", "factor"] == 1.0
    assert table["factor"].is_monotonic_increasing
    assert table.loc["pilots", "factor"] == pytest.approx(4, rel=0.01)
    assert table.loc["pilots", "low"] < 4 < table.loc["pilots", "high"] * 1.01
    assert table.loc["alone", "per_day"] == pytest.approx(2 * 86_400, rel=0.01)
    assert table["same"].tolist() == [True, True, False, False]


def test_steps_taken_are_a_share_of_the_whole_grid() -> None:
    """Between nothing and all, for every network and m."""
    table = speed.analyse(asked()).tables["steps"]
    assert table["share"].between(0, 1).all() and table["own_share"].gt(0).all()
    assert set(table["learner"]) == {"mlp_small", "mlp_medium", "mlp_large"}


def test_projections_go_on_from_what_was_measured() -> None:
    """A projected line starts at the last measured time, grows, and widens with its interval."""
    times = speed.analyse(asked()).tables["times"]
    for _, rows in times[times["times"] == 0].groupby("learner"):
        measured, projected = (rows[rows["projected"] == later] for later in (False, True))
        assert projected["seconds"].iloc[0] == pytest.approx(measured["seconds"].iloc[-1])
        assert projected["seconds"].is_monotonic_increasing
        assert (projected["low"] < projected["seconds"]).all()
        assert projected["m"].iloc[-1] == 100 * measured["m"].iloc[-1]
    wide = times[times["times"] == 100]
    large = times[(times["learner"] == "mlp_large") & (times["times"] == 0) & times["projected"]]
    assert (wide["seconds"].to_numpy() > 10 * large["seconds"].to_numpy()).all()


@pytest.mark.parametrize("times", [10, 100])
def test_wider_networks_have_so_many_times_the_weights(times: int) -> None:
    """Within what whole units allow."""
    fit = {"kind": "mlp", "hidden": [256, 256], "grid": {"learning_rate": [0.1]}}
    training = load_study(config()).training.model_dump()
    task = cells.planned(1000, fit, training, cells.Width(9, 9, 512, 2), Stopping())
    hidden = speed.widened(task, times)
    assert hidden[0] == hidden[1]
    wide = dataclasses.replace(task, hidden=hidden)
    assert wide.n_params == pytest.approx(times * task.n_params, rel=0.02)


def test_eight_devices_lengthen_the_list_and_shorten_no_run() -> None:
    """Eight times the runs a day, the same time for each; of cores, the first row is measured."""
    table = speed.analyse(asked()).tables["tasks"].set_index(["labels", "weights", "machine"])
    for task in ((1, 1), (100, 100)):
        one, eight = table.loc[(*task, "gpu")], table.loc[(*task, "gpus")]
        assert eight["per_day"] == pytest.approx(8 * one["per_day"])
        assert eight["seconds"] == one["seconds"]
        assert one["low"] < one["seconds"] < one["high"] and one["projected"]
    measured = table.index[~table["projected"].astype(bool)].tolist()
    assert measured == [(1, 1, "core"), (1, 1, "cores")]


def test_a_coarser_precision_has_a_higher_peak() -> None:
    """bfloat16 is what the tensor cores are for; what is unknown counts as single precision."""
    assert speed.devices("bf16-mixed")[0].peak > 10 * speed.devices("32-true")[0].peak
    assert speed.devices("something") == speed.devices("32-true")


def test_cheap_cells_foretell_the_rest() -> None:
    """Exactly, where the reference is right; how fast the machine is makes no difference."""
    some, runs = asked(), []
    for curve, of_curve in speed._measured(some).items():
        dataset, learner = curve.split()
        rows = some.runs[(some.runs["dataset"] == dataset) & (some.runs["learner"] == learner)]
        runs.append(rows.assign(seconds=[reference.MODEL.seconds(one.task) for one in of_curve]))
    right = pd.concat(runs)
    slow = right.assign(seconds=3 * right["seconds"])
    tables = [speed._foretold(speed._measured(asked(runs))) for runs in (right, slow)]
    assert tables[1]["factor"].tolist() == pytest.approx(tables[0]["factor"].tolist())
    known = tables[0]["curve"].str.contains("regression|svm")
    assert tables[0]["factor"][known].tolist() == pytest.approx([1.0] * known.sum())
    assert known.sum() == 4 and (tables[0]["known"] < tables[0]["seconds"]).all()


def test_one_network_and_no_own_measurement_are_enough_to_go_on() -> None:
    """What can't be said is left out, and nothing fails."""
    use = {"learners": ["mlp_small"], **USE}
    raw = synthetic_study.config(**use)
    study = load_study(raw)
    some = asked(runs_of(study, 0.9))
    alone = Asked(study.experiment_settings("speed"), some.runs, None, some.sheets)
    found = speed.analyse(alone)
    assert len(found.claims[0]["parts"]) == 2 and len(found.tables["ways"]) == 0
    assert all(part.versus is None for part in parts(found).values())
    assert math.isfinite(found.decided["left_out"]["mlp"])


def test_a_study_without_networks_has_no_such_experiment() -> None:
    """Nor has one of which the claim is not asked."""
    traditional = synthetic_study.config(learners=["svm_rbf"], **USE)
    assert "speed" not in load_study(traditional).experiments_in_use
    assert "speed" not in load_study(synthetic_study.config()).experiments_in_use


def test_sizes_are_those_of_the_data_set_unless_they_are_given() -> None:
    """The third and the fifth; none may be above the pool."""
    study = load_study(config())
    assert study.measure_settings("speed")["settings"]["m"] == [500, 2000]
    assert study.experiment_dataset("speed") == "fashion_mnist"
    given = load_study(config(experiments={"speed": {"m": [100], "dataset": "spam"}}))
    assert given.measure_settings("speed")["settings"]["m"] == [100]
    with pytest.raises(Exception, match="100000 is larger than the pool of fashion_mnist"):
        load_study(config(experiments={"speed": {"m": [100_000]}}))


def test_findings_go_through_a_file(tmp_path: Path) -> None:
    """All of them can be written as JSON and come back."""
    found = speed.analyse(asked())
    experiments.write(found, tmp_path / "speed.json")
    back = experiments.read(tmp_path / "speed.json")
    assert back.claims == found.claims and set(back.tables) == set(found.tables)
