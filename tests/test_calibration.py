"""Timing this machine: what is timed, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from takeoff.planning import calibration, reference
from takeoff.planning.costs import Task
from takeoff.planning.jobs import Machine, shape_key

NETWORK = Task("mlp", 80, 20, 10, 6, 3, 3, hidden=(4,), batch=16, steps=1.0)
NUMBERS = Task("mlp", 80, 20, 10, 6, 1, 3, hidden=(4,), batch=16, steps=1.0)
LINEAR = Task("logistic_regression", 80, 20, 10, 6, 3, 3)
TIMED = Machine({"svm_rbf": 1.5}, {"6-4-3x16": 2.0}, 1.2, "cpu", 0.1, True)


@pytest.mark.parametrize("task", [NETWORK, NUMBERS])
def test_the_real_engine_is_timed(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step of it takes some time, of classes as of numbers."""
    monkeypatch.setattr(calibration, "SECONDS_A_SHAPE", 0.0)
    seconds, device = calibration.seconds_a_step(task)
    assert seconds > 0 and device


def test_each_kind_and_shape_is_held_against_the_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice its seconds is a factor of two; a shape is timed once however often it is there."""
    shapes: list[str] = []

    def a_step(task: Task) -> tuple[float, str]:
        shapes.append(shape_key(task))
        return 3 * calibration.reference_step(task), "cuda"

    monkeypatch.setattr(calibration, "seconds_a_step", a_step)
    monkeypatch.setattr(calibration, "seconds_of_probe", lambda kind: 2 * reference.PROBES[kind])
    monkeypatch.setattr(calibration, "seconds_of_imports", lambda: 4 * reference.IMPORTS)
    found = calibration.calibrate([NETWORK, NETWORK, LINEAR])
    assert found.factors == pytest.approx({"logistic_regression": 2.0, "mlp": 3.0})
    assert found.shapes == pytest.approx({"6-4-3x16": 3.0}) and shapes == ["6-4-3x16"]
    assert found.other == pytest.approx(4.0) and found.device == "cuda" and found.calibrated
    assert found.factor(NETWORK) == pytest.approx(3.0)


@pytest.mark.parametrize("kind", sorted(calibration.GRIDS))
def test_every_traditional_learner_has_a_small_task(kind: str) -> None:
    """It can be learned from, and the reference knows how long that took."""
    assert calibration.seconds_of_probe(kind) > 0
    assert reference.PROBES[kind] > 0


def test_what_is_kept_comes_back(tmp_path: Path) -> None:
    """And a later calibration adds shapes to it, without forgetting others."""
    assert calibration.kept(tmp_path) is None
    calibration.keep(tmp_path, TIMED)
    assert calibration.kept(tmp_path) == TIMED
    calibration.keep(tmp_path, Machine({"ridge": 1.0}, {"other": 5.0}, 1.0, "cpu", 0.1, True))
    found = calibration.kept(tmp_path)
    assert found is not None
    assert found.shapes == {"6-4-3x16": 2.0, "other": 5.0}
    assert found.factors == {"svm_rbf": 1.5, "ridge": 1.0} and found.other == 1.0


def test_another_machine_or_another_code_is_not_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was timed elsewhere stays in the file, and is not used."""
    calibration.keep(tmp_path, TIMED)
    monkeypatch.setattr(calibration.platform, "node", lambda: "elsewhere")
    assert calibration.kept(tmp_path) is None
    monkeypatch.undo()
    monkeypatch.setattr(calibration, "fingerprint", lambda *modules: "changed")
    assert calibration.kept(tmp_path) is None
    monkeypatch.undo()
    assert calibration.kept(tmp_path) == TIMED


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"x"'])
def test_a_damaged_file_is_no_calibration(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is named in a warning, and made anew by the next calibration."""
    (tmp_path / calibration.FILE).write_text(text)
    assert calibration.kept(tmp_path) is None
    assert "calibration.json: damaged" in capsys.readouterr().err
    calibration.keep(tmp_path, TIMED)
    assert calibration.kept(tmp_path) == TIMED


@pytest.mark.parametrize("entry", [3, {}, {"factors": 3}, {"unknown": 1}, {"other": -1.0},
                                   {"other": "x"}, {"shapes": {"a": 0}}])  # fmt: skip
def test_a_damaged_entry_is_no_calibration(entry: object, tmp_path: Path) -> None:
    """Whatever stands where this machine should, no plan is made from it."""
    calibration.write_json(tmp_path / calibration.FILE, {calibration.key(): entry})
    found = calibration.kept(tmp_path)
    assert found is None or found == Machine()
