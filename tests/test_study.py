"""The config as typed values, and the messages for what is wrong in it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from takeoff import datasets
from takeoff.cli import main
from takeoff.errors import TakeoffError
from takeoff.networks.replicates import Shape
from takeoff.study import Study, load_study

ROOT = Path(__file__).parents[1]
LECTURE = ROOT / "config/config.yaml"
SMOKE = ROOT / "config/smoke.yaml"


def lecture() -> dict[str, Any]:
    return yaml.safe_load(LECTURE.read_text())


def laid_over(base: dict[str, Any], top: dict[str, Any]) -> dict[str, Any]:
    """Merge as Snakemake does: mappings are joined, everything else is replaced."""
    merged = dict(base)
    for key, value in top.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = laid_over(merged[key], value) if both else value
    return merged


def refused(change: dict[str, Any]) -> str:
    """The message for the lecture's config with a change laid over it."""
    with pytest.raises(TakeoffError) as error:
        load_study(laid_over(lecture(), change), [LECTURE])
    return str(error.value)


def test_the_shipped_studies_are_valid() -> None:
    """The lecture study, the one of a minute and the one for GPUs use data sets that exist."""
    whole = load_study(lecture(), [LECTURE])
    smoke, full = (
        load_study(laid_over(lecture(), yaml.safe_load(file.read_text())), [LECTURE, file])
        for file in (SMOKE, SMOKE.with_name("full.yaml"))
    )
    assert (whole.study, smoke.study, full.study) == ("lecture", "smoke", "full")
    assert full.datasets["spam"].m[-1] == 1_000_000
    assert set(whole.use.datasets) <= set(datasets.names())
    assert whole.datasets["spam"].repeats >= 3, "claims need at least three repeats"


def test_an_unknown_key_gets_the_nearest_valid_name() -> None:
    """A typo never passes silently, at any depth."""
    message = refused({"learners": {"mlp_small": {"grid": {"learning_rat": [1]}}}})
    assert "config.yaml: learners.mlp_small.grid.learning_rat" in message
    assert "did you mean 'learning_rate'?" in message
    assert "did you mean 'training'?" in refused({"trainin": {}})


def test_an_unknown_learner_gets_the_nearest_valid_name() -> None:
    """`use` may list only what is defined."""
    message = refused({"use": {"learners": ["mlp_smal"]}})
    assert "'mlp_smal', which is not defined; did you mean 'mlp_small'?" in message


def test_an_unknown_kind_lists_the_valid_ones() -> None:
    """The kinds are in the message."""
    message = refused({"learners": {"mlp_small": {"kind": "forest"}}})
    assert "'mlp'" in message and "'svm_rbf'" in message


def test_m_larger_than_the_pool_says_what_to_do() -> None:
    """Names the data set, the m and the pool."""
    message = refused({"datasets": {"spam": {"pool": 31999}}})
    assert "datasets.spam" in message
    assert "m = 32000 is larger than the pool of 31999" in message
    assert "drop it from m" in message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"datasets": {"spam": {"m": [100, 50]}}}, "m must grow"),
        ({"datasets": {"spam": {"repeats": 0}}}, "greater than or equal to 1"),
        ({"datasets": {"spam": {"m": []}}}, "at least 1 item"),
        ({"use": {"datasets": ["spam", "spam"]}}, "listed twice: spam"),
        ({"use": {"claims": ["plato"]}}, "'plateau'"),
        ({"use": {"learners": ["mlp_large", "mlp_small"]}}, "mlp_small is not larger"),
        ({"learners": {"svm_rbf": {"m_max": {"spam": 10}}}}, "nothing is left to train"),
        ({"learners": {"svm_rbf": {"m_max": {"spma": 4000}}}}, "did you mean 'spam'?"),
        ({"training": {"min_steps": 9000}}, "above max_steps"),
        ({"study": "My Study"}, "pattern"),
        ({"statistics": {"level": 95}}, "less than 1"),
    ],
)
def test_wrong_values_are_refused(change: dict[str, Any], says: str) -> None:
    """Each wrong value is one message that says what is wrong."""
    assert says in refused(change)


def test_the_file_at_fault_is_the_last_that_sets_the_key(tmp_path: Path) -> None:
    """With two config files, the one that set the wrong value is named."""
    top = tmp_path / "mine.yaml"
    top.write_text("datasets: {spam: {pool: 100}}")
    config = laid_over(lecture(), yaml.safe_load(top.read_text()))
    with pytest.raises(TakeoffError, match=r"mine\.yaml: datasets\.spam"):
        load_study({**config, "seed": 1}, [LECTURE, top])


def test_a_cap_ends_the_curve_of_one_learner_only() -> None:
    """Sizes above the cap are left out for that learner, on that data set."""
    study = load_study(lecture())
    assert study.sizes("spam", "svm_rbf")[-1] == 8000
    assert study.sizes("spam", "mlp_small")[-1] == 32000


def test_a_job_is_given_only_what_it_depends_on() -> None:
    """Labels, other learners, claims and (for baselines) network settings don't reach a curve."""
    before = load_study(lecture())
    changed = copy.deepcopy(lecture())
    changed["learners"]["svm_rbf"]["label"] = "SVM"
    changed["learners"]["mlp_small"]["grid"]["learning_rate"] = [0.5]
    changed["training"]["epochs"] = 99
    changed["claims"]["margin"] = 0.2
    after = load_study(changed)
    same = [
        curve for curve in before.curves
        if before.curve_settings(*curve) == after.curve_settings(*curve)
    ]  # fmt: skip
    baselines = {"logistic_regression", "svm_rbf", "gradient_boosting"}
    assert {learner for _, learner in same} == baselines


def test_the_ladder_ranks_networks_by_size() -> None:
    """Traditional learners have rank 0, networks 1, 2, ... from small to large."""
    ranks = {learner["name"]: learner["rank"] for learner in load_study(lecture()).ladder()}
    assert [ranks[f"mlp_{size}"] for size in ("small", "medium", "large")] == [1, 2, 3]
    assert ranks["svm_rbf"] == 0


def test_the_schema_for_editors_is_up_to_date(tmp_path: Path) -> None:
    """workflow/schemas/study.schema.json is what `takeoff schema` writes."""
    assert main(["schema", "--out", str(tmp_path / "schema.json")]) == 0
    shipped = (ROOT / "workflow/schemas/study.schema.json").read_text()
    assert shipped == (tmp_path / "schema.json").read_text(), (
        "renew it: takeoff schema --out workflow/schemas/study.schema.json"
    )


def test_values_can_not_be_changed_by_accident() -> None:
    """A study is frozen."""
    study = load_study(lecture())
    with pytest.raises(ValueError, match="frozen"):
        study.seed = 3  # type: ignore[misc]
    assert isinstance(study, Study)


def test_what_a_learner_learns_from_is_part_of_its_fit() -> None:
    """Raw features by default; others only where the config says so, and by their name."""
    study = load_study(laid_over(lecture(), {"learners": {"ridge": {"features": "hand_made"}}}))
    assert study.learners["ridge"].training_part()["features"] == "hand_made"
    assert study.curve_settings("spam", "svm_rbf")["fit"]["features"] == "raw"
    assert "learners.ridge.features" in refused({"learners": {"ridge": {"features": "made"}}})


def own(tmp_path: Path, **keys: Any) -> dict[str, Any]:
    """A change that studies one's own table instead."""
    (tmp_path / "SECRETFOLDER").mkdir(exist_ok=True)
    path = tmp_path / "SECRETFOLDER/mine.csv"
    path.touch()
    mine = {"m": [10, 20], "pool": 20, "test": 10, "path": str(path), "label": "y"} | keys
    return {"use": {"datasets": ["mine"]}, "datasets": {"mine": mine}}


def test_data_of_ones_own_need_no_module(tmp_path: Path) -> None:
    """The study says what the file holds, where it is, and which module reads it."""
    change = own(tmp_path, columns={"a": "text"}, classes={0: "stays", True: "leaves"})
    study = load_study(laid_over(lecture(), change))
    table = study.data_settings("mine")["table"]
    assert table["columns"] == {"a": "text"}
    assert table["classes"] == {"0": "stays", "true": "leaves"}
    assert study.data_module("mine") == "takeoff.datasets.table"
    assert study.data_module("spam") == "takeoff.datasets.spam"
    assert [path.name for path in study.data_files("mine").values()] == ["mine.csv"]
    assert study.data_files("spam") == {}
    assert "table" not in study.data_settings("spam")


def test_a_record_of_the_study_hides_folders_and_values(tmp_path: Path) -> None:
    """Of a path it has the name, of renamed classes the new names; a job's settings have none."""
    change = own(tmp_path, classes={"SECRETVALUE": "stays", "other": "leaves"})
    study = load_study(laid_over(lecture(), change))
    record = study.record()["datasets"]["mine"]
    assert (record["path"], record["classes"]) == ("mine.csv", ["stays", "leaves"])
    assert "SECRET" not in str(study.record())
    assert "SECRETFOLDER" not in str(study.data_settings("mine"))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"labl": "y"}, "did you mean 'label'?"),
        ({"path": "/nowhere/gone.csv"}, "there is no 'gone.csv' where it points to"),
        ({"columns": {"a": "numbr"}}, "'number'"),
        ({"columns": {"y": "number"}}, "must not list the label 'y'"),
        ({"metric": "rmse"}, "rmse does not fit task: classification"),
        ({"task": "regression", "metric": "error_rate"}, "does not fit task: regression"),
        ({"task": "regression", "classes": {"a": "b"}}, "no meaning in regression"),
        ({"group": "y"}, "can't be two of"),
        ({"path": None}, "label is for data of one's own"),
    ],
)
def test_what_makes_no_sense_of_ones_own_data_is_refused(
    tmp_path: Path, keys: dict[str, Any], says: str
) -> None:
    """Each mistake is one message at its key."""
    message = refused(own(tmp_path, **keys))
    assert says in message and "datasets.mine" in message


# Network sizes


def with_sizes(**asked: Any) -> Study:
    """The lecture study with other settings of network_sizes."""
    return load_study(laid_over(lecture(), {"experiments": {"network_sizes": asked}}))


def test_a_grid_of_network_sizes_spans_three_decades() -> None:
    """Eight or more networks, those in use among them, at some of the m of the first data set."""
    study = with_sizes()
    settings = study.experiment_settings("network_sizes")
    sizes = sorted(Shape(512, tuple(h), 2).n_params for h in settings["networks"].values())
    assert len(sizes) >= 8 and sizes[-1] / sizes[0] >= 1000
    assert settings["dataset"] == "spam" and settings["m"] == [500, 2000, 8000, 32000]
    assert {"mlp_small", "mlp_large"} <= set(settings["networks"])
    assert [curve["learner"] for curve in settings["own_design"]] == list(study.size_networks)


def test_networks_of_the_grid_are_trained_like_those_in_use() -> None:
    """By the same settings, on fewer m and repeats, and under a name of their shape."""
    study = with_sizes(hidden=[[4, 4, 4]], repeats=4)
    own = study.curve_settings("spam", "mlp_4x4x4")
    ladder = study.curve_settings("spam", "mlp_small")
    assert own["training"] == ladder["training"] and own["repeats"] == 4
    assert own["m"] == study.size_m and own["fit"]["hidden"] == [4, 4, 4]
    assert ("spam", "mlp_4x4x4") in study.own_curves and ("spam", "mlp_4x4x4") not in study.curves
    assert study.design() == with_sizes(hidden=[[1]]).design(), "no job of the study depends on it"


def test_a_shape_in_use_is_not_trained_twice() -> None:
    """Its runs are taken, unless the study stopped them below an m of the grid."""
    assert list(with_sizes(hidden=[[16, 16], [2]]).size_networks) == ["mlp_2"]
    capped = {"learners": {"mlp_small": {"m_max": {"spam": 1000}}},
              "experiments": {"network_sizes": {"hidden": [[16, 16], [2]]}}}  # fmt: skip
    study = load_study(laid_over(lecture(), capped))
    assert list(study.size_networks) == ["mlp_16x16", "mlp_2"]
    assert "mlp_small" not in study.experiment_settings("network_sizes")["networks"]


def test_the_grid_follows_the_data_sets_in_use() -> None:
    """A study of another data set gets its own m; no networks, no such experiment."""
    other = {"use": {"datasets": ["fashion_mnist"]}}
    study = load_study(laid_over(lecture(), other))
    assert study.own_curves[0][0] == "fashion_mnist" and study.size_m == [250, 1000, 4000, 16000]
    plain = {"use": {"learners": ["logistic_regression"]}}
    assert "network_sizes" not in load_study(laid_over(lecture(), plain)).experiments_in_use


def test_ones_own_data_gets_a_grid_only_when_asked(tmp_path: Path) -> None:
    """It takes longer than what `takeoff init` promises."""
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    own = {"use": {"datasets": ["own"]},
           "datasets": {"own": {"path": str(tmp_path / "t.csv"), "label": "b", "pool": 900,
                                "test": 100, "m": [100, 200, 400, 800]}}}  # fmt: skip
    assert load_study(laid_over(lecture(), own)).own_curves == []
    asked = own | {"experiments": {"network_sizes": {"dataset": "own"}}}
    assert load_study(laid_over(lecture(), asked)).own_curves[0][0] == "own"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"m": [500, 2000, 3000]}, "3000 is none of datasets.spam.m"),
        ({"dataset": "spambase"}, "'spambase', which is not in use"),
        ({"m": [500, 2000]}, "at least 3 items"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(asked: dict[str, Any], says: str) -> None:
    """With the key and what is wrong with it."""
    assert says in refused({"experiments": {"network_sizes": asked}})


def test_a_grid_needs_three_m_and_names_of_its_own() -> None:
    """With fewer there is none; a name that a learner has is refused."""
    few = load_study(laid_over(lecture(), {"datasets": {"spam": {"m": [500, 1000]}}}))
    assert "network_sizes" not in few.experiments_in_use
    assert all(learner.endswith("_hand") for _, learner in few.own_curves)
    learner = lecture()["learners"]["mlp_small"]
    message = refused({"learners": {"mlp_1": learner}})
    assert "learners.mlp_1 has the name of a network of network_sizes" in message


def test_learners_on_hand_made_features_are_twins_of_those_in_use() -> None:
    """Same grid, m and repeats; trained on the data sets that are named and in use."""
    study = load_study(lecture(), [LECTURE])
    raw, hand = (study.curve_settings("spam", name) for name in ("svm_rbf", "svm_rbf_hand"))
    assert hand["fit"] == raw["fit"] | {"features": "hand_made"}
    assert (hand["m"], hand["repeats"]) == (raw["m"], raw["repeats"])
    trained = {dataset for dataset, name in study.own_curves if name == "svm_rbf_hand"}
    assert trained == {"spam", "ad_click", "car_position"}
    names = [one["name"] for one in study.experiment_settings("features")["learners"]]
    assert names[-1] == "mlp_medium_hand" and "mlp_medium_hand" not in study.use.learners


def test_without_a_data_set_that_has_them_there_is_no_experiment_on_features() -> None:
    """A study of Fashion-MNIST alone trains nothing on hand-made features."""
    study = load_study(laid_over(lecture(), {"use": {"datasets": ["fashion_mnist"]}}), [LECTURE])
    assert "features" not in study.experiments_in_use
