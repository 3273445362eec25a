"""`takeoff init`: the config that it writes is one that can be run, and gives nothing away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from own_data import mixed, saved
from test_images import folder

from takeoff.cli import main
from takeoff.demand import laid_over
from takeoff.errors import TakeoffError
from takeoff.proposal import (
    FITS,
    TRAINING,
    TRIED,
    Asked,
    Seen,
    grid,
    look,
    name_for,
    plan,
    propose,
)
from takeoff.study import Study, load_study

BASE = yaml.safe_load((Path(__file__).parents[1] / "config/config.yaml").read_text())


def proposed(path: Path, out: Path, label: str | None = "churned", **keys: Any) -> Study:
    """The study of the config that is written for a file."""
    propose(Asked(path=path, label=label, name="own", **keys), out)
    return load_study(laid_over(BASE, yaml.safe_load(out.read_text())))


def test_the_config_is_a_study_of_the_table(tmp_path: Path) -> None:
    """Kinds, task, sizes and learners; and the data set can be made from it."""
    study = proposed(saved(tmp_path, mixed()), tmp_path / "own.yaml")
    found = study.datasets["own"]
    assert study.use.datasets == ["own"] and "ridge" not in study.use.learners
    assert (found.task, found.label, found.pool, found.test) == (
        "classification",
        "churned",
        160,
        40,
    )
    assert found.columns["amount"] == "number" and found.columns["plan"] == "category"
    assert found.columns["since"] == "date" and found.columns["note"] == "text"
    assert found.m == [20, 40, 80]


def test_the_data_set_is_made_with_no_row_too_few(tmp_path: Path) -> None:
    """Pool and test set are as large as the rows allow, groups and a test file considered."""
    from takeoff.datasets import prepare

    path = saved(tmp_path, mixed())
    other = saved(tmp_path, mixed()[:60], "test.csv")
    for keys in ({}, {"group": "customer"}, {"time": "since"}, {"test_path": other}):
        study = proposed(path, tmp_path / f"{'-'.join(keys)}.yaml", **keys)
        settings = study.datasets["own"]
        data = prepare(
            **{"name": "own", "seed": study.seed, "cache": tmp_path},
            **{"pool": settings.pool, "test": settings.test},
            table=settings.table_settings(),
            paths={key: str(file) for key, file in settings.files().items()},
        )
        assert (len(data.y_pool), len(data.y_test)) == (settings.pool, settings.test)


def test_many_numbers_are_a_regression(tmp_path: Path) -> None:
    """With learners of numbers; few different numbers are classes, and --task overrules."""
    path = saved(tmp_path, mixed().assign(stars=np.arange(200) % 5))
    study = proposed(path, tmp_path / "a.yaml", "amount")
    assert study.datasets["own"].task == "regression"
    assert study.use.learners[0] == "ridge"
    assert proposed(path, tmp_path / "b.yaml", "stars").datasets["own"].task == "classification"
    forced = proposed(path, tmp_path / "c.yaml", "stars", task="regression")
    assert forced.datasets["own"].task == "regression"


def test_pictures_need_no_label(tmp_path: Path) -> None:
    """The folders are the classes."""
    study = proposed(folder(tmp_path / "pictures", n=80), tmp_path / "own.yaml", None)
    assert study.datasets["own"].label is None and study.datasets["own"].pool == 128


def test_a_config_that_exists_is_kept(tmp_path: Path) -> None:
    """Unless --force says otherwise."""
    path, out = saved(tmp_path, mixed()), tmp_path / "own.yaml"
    out.write_text("mine")
    asked = Asked(path=path, label="churned", name="own")
    with pytest.raises(TakeoffError, match="exists already"):
        propose(asked, out)
    assert out.read_text() == "mine"
    propose(asked, out, force=True)
    assert "study: own" in out.read_text()


def test_the_command_names_the_next_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The config is named after the file; a wrong label is one message."""
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, mixed(), "2024 Churn.csv")
    assert main(["init", "2024 Churn.csv", "--label", "churned"]) == 0
    said = capsys.readouterr().out
    assert "snakemake --cores all --configfile config/data_2024_churn.yaml" in said
    assert 'path: "2024 Churn.csv"' in (tmp_path / "config/data_2024_churn.yaml").read_text()
    assert main(["init", "2024 Churn.csv", "--label", "churn", "--force"]) == 1
    assert "did you mean 'churned'?" in capsys.readouterr().err
    assert main(["init", "2024 Churn.csv", "--force"]) == 1
    assert "say it with --label; the columns are: amount, plan" in capsys.readouterr().err
    assert main(["init", "no.csv", "--label", "x"]) == 1
    assert "no.csv: does not exist" in capsys.readouterr().err


def test_no_value_of_a_cell_is_in_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not even those of the label; of a path, only what the config needs to find the file."""
    table = mixed()
    table["plan"] = table["plan"].replace({"pro": "SECRETVALUE"})
    table["note"] = table["note"] + " SECRETTEXT"
    table["churned"] = table["churned"].replace({"yes": "SECRETCLASS"})
    out = tmp_path / "own.yaml"
    proposed(saved(tmp_path, table), out)
    said = capsys.readouterr()
    assert "SECRET" not in out.read_text() + said.out + said.err


def test_odd_names_of_columns_survive(tmp_path: Path) -> None:
    """Whatever a column is called, the config says it back."""
    names = ["yes", "a: b", "# c", "ü 'q' \"d\"", "1", "{x}"]
    table = mixed()
    for name in names:
        table[name] = np.random.default_rng(0).normal(size=len(table))
    study = proposed(saved(tmp_path, table, "table.parquet"), tmp_path / "own.yaml")
    assert set(names) <= set(study.datasets["own"].columns)


def test_sizes_double_up_to_the_pool() -> None:
    """The smallest leaves two classes in a training part, almost surely."""
    assert grid(16_000, [0.5, 0.5], False) == [62, *(125 * 2**k for k in range(7))]
    assert grid(455, [], False) == [27, 55, 110, 220]
    assert grid(1_000_000, [], False)[-1] == 32_000
    rare = grid(16_000, [0.99, 0.01], False)
    assert 0.99 ** (0.8 * rare[0]) < 1e-3 < 0.99 ** (0.8 * rare[0] / 2)
    assert grid(40, [], True) == [20]


def test_costly_learners_are_stopped_earlier() -> None:
    """Many features or classes lower the caps, and a long study has fewer repeats."""
    small = Seen("classification", {}, 30, [0.5, 0.5], 20_000, 16_000, 4_000)
    wide = Seen("classification", {}, 3_000, [0.1] * 10, 70_000, 60_000, 10_000)
    assert plan(small, clustered=False).repeats == 5
    assert plan(small, clustered=False).seconds < 300
    costly = plan(wide, clustered=False)
    assert costly.caps["gradient_boosting"] < costly.caps["svm_rbf"] < 32_000
    assert set(costly.caps.values()) <= set(costly.m)


def test_what_is_estimated_is_what_the_config_defines() -> None:
    """The learners that the proposal is laid over."""
    for name, fit in FITS.items():
        defined = BASE["learners"][name]
        assert defined["kind"] == fit["kind"] and defined.get("hidden") == fit.get("hidden")
        assert [len(values) for values in defined["grid"].values()] == [TRIED]
    assert BASE["learners"]["gradient_boosting"]["max_trees"] == FITS["ridge"]["max_trees"]
    assert BASE["training"] == TRAINING


@pytest.mark.parametrize(
    ("file", "name"),
    [("Churn 2024.csv", "churn_2024"), ("2024.csv", "data_2024"), ("ü.csv", "data"), ("a", "a")],
)
def test_names_are_identifiers(file: str, name: str) -> None:
    """Made of the file's name."""
    assert name_for(Path(file)) == name


def test_a_table_with_few_rows_is_refused(tmp_path: Path) -> None:
    """A learning curve needs some."""
    with pytest.raises(TakeoffError, match="has too few labelled rows"):
        look(Asked(path=saved(tmp_path, mixed()[:60]), label="churned", name="own"))
    one = pd.concat([mixed()] * 2).assign(customer=1)
    with pytest.raises(TakeoffError, match="or more groups"):
        look(Asked(path=saved(tmp_path, one), label="churned", name="own", group="customer"))
