"""`takeoff status` tells what is stored, what runs and what is missing."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest
from small_study import SmallStudy
from snakemake.utils import update_config

from takeoff.cli import main
from takeoff.demand import laid_over, read_study
from takeoff.errors import TakeoffError
from takeoff.files import canonical_json, write_json
from takeoff.progress import Progress, progress_file


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallStudy:
    monkeypatch.chdir(tmp_path)
    return SmallStudy(tmp_path)


def printed(tiny: SmallStudy, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """The columns of each line by learner (or "all"): four counts, the time, the state."""
    assert main(["status", "--configfile", str(tiny.config)]) == 0
    _, _, *lines = capsys.readouterr().out.splitlines()
    columns = [line.split(maxsplit=8) for line in lines]
    return {line[1]: [*line[2:6], " ".join(line[6:8]), *line[8:]] for line in columns}


def test_a_curve_is_missing_stored_or_done(
    tiny: SmallStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    """Done means that its table is there as well."""
    assert printed(tiny, capsys)["linear"] == ["4", "0", "0", "4", "0 s", "data set not prepared"]
    tiny.prepare()
    first, *_ = tiny.train("linear")
    assert printed(tiny, capsys) == {
        "linear": ["4", "4", "0", "0", "6 s", "stored"],
        "network": ["4", "0", "0", "4", "0 s"],
        "all": ["8", "4", "0", "4", "6 s"],
    }
    tiny.curves()[0].table.parent.mkdir(parents=True)
    tiny.curves()[0].table.write_text("")
    assert printed(tiny, capsys)["linear"][-1] == "done"
    first.write_text("damaged")
    assert printed(tiny, capsys)["linear"] == ["4", "3", "0", "1", "4 s"]


def test_a_running_job_says_how_far_it_is(
    tiny: SmallStudy, capsys: pytest.CaptureFixture[str]
) -> None:
    """A dead one is interrupted: its cells are missing, not running; a damaged file is no job."""
    tiny.prepare()
    file = progress_file(tiny.curves()[1].table)
    with Progress(file, "spam network", 4) as job:
        assert printed(tiny, capsys)["network"] == ["4", "0", "4", "0", "0 s", "0/4 cells"]
        assert printed(tiny, capsys)["all"][:4] == ["8", "0", "4", "4"]
        write_json(file, asdict(replace(job.state(), pid=2**22 + 1, done=3, eta_seconds=60.0)))
        assert printed(tiny, capsys)["network"] == [
            "4", "0", "0", "4", "0 s", "interrupted at 3/4 cells, 60 s left"
        ]  # fmt: skip
        file.write_text("{")
        assert printed(tiny, capsys)["network"] == ["4", "0", "0", "4", "0 s"]


def test_a_trained_curve_is_found(tiny: SmallStudy, capsys: pytest.CaptureFixture[str]) -> None:
    """What a job stores under the study's settings is what the study asks for."""
    study, data = tiny.study, tiny.results / "tiny/data"
    settings = canonical_json(study.data_settings("spam"))
    assert main(["prepare-dataset", "--settings", settings, "--data", str(data / "spam.npz"),
                 "--sheet", str(data / "spam.json")]) == 0  # fmt: skip
    curve = tiny.curves()[0]
    assert main(["train-curve", "--settings", canonical_json(curve.settings),
                 "--data", str(data / "spam.npz"), "--cells", str(tiny.store.folder),
                 "--out", str(curve.table)]) == 0  # fmt: skip
    linear = printed(tiny, capsys)["linear"]
    assert linear[:4] == ["4", "4", "0", "0"] and linear[-1] == "done"
    assert main(["store", "prune", "--yes", "--configfile", str(tiny.config)]) == 0
    assert "deleted: 0 files" in capsys.readouterr().out


def test_files_are_laid_over_each_other_as_by_snakemake(tmp_path: Path) -> None:
    """Mappings are merged, lists and values replaced."""
    below = {"a": {"b": 1, "c": [1, 2]}, "d": {"e": 1}, "f": 1}
    above = {"a": {"c": [3]}, "d": 2, "f": {"g": 1}, "h": {"i": {}}}
    expected = {"a": dict(below["a"]), "d": dict(below["d"]), "f": 1}
    update_config(expected, above)
    assert laid_over(below, above) == expected


def test_the_base_config_lies_under_the_files() -> None:
    """As for snakemake in the project's folder; given itself, it is there once."""
    base = Path(__file__).parents[1] / "config/config.yaml"
    assert read_study([base], base).study == "lecture"
    smoke = read_study([base.with_name("smoke.yaml")], base)
    assert smoke.study == "smoke" and smoke.seed == read_study([base], base).seed


@pytest.mark.parametrize("text", [None, "a: [", "just text", "study: 1"])
def test_a_bad_config_is_one_message(tmp_path: Path, text: str | None) -> None:
    """It names the file."""
    file = tmp_path / "x.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(TakeoffError, match=r"x\.yaml"):
        read_study([file], base=tmp_path / "none")
