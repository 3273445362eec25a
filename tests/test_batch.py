"""Many networks in one batch: each as if it were alone, whoever comes, goes or stops."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from small import blobs, curve, hills, trained_curve

from takeoff import learners, training
from takeoff.errors import PreemptedError, TakeoffError
from takeoff.learners import mlp
from takeoff.networks import batch, replicates
from takeoff.progress import Progress
from takeoff.store import CellStore

DATA = blobs()
SIZES = [40, 80, 160]
THREE_RATES = {
    "grid": {"learning_rate": [0.001, 0.003, 0.01]}, "patience": 10**6, "min_steps": 100,
    "max_steps": 100,
}  # fmt: skip


def settings(**changes):
    """A curve of three m and two repeats, with other training settings or another shape."""
    made = curve("mlp", SIZES)
    shape = {key: changes.pop(key) for key in ("hidden", "grid") if key in changes}
    return made | {
        "fit": made["fit"] | shape,
        "training": made["training"] | changes,
    }


def trained(folder: Path, **changes) -> pd.DataFrame:
    table = trained_curve(settings(**changes), DATA, learners.load("mlp"), CellStore(folder))
    return table.drop(columns="seconds")


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> pd.DataFrame:
    """The curve, trained in one go."""
    return trained(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def three_rates(tmp_path_factory) -> pd.DataFrame:
    """The curve with a third rate, so that a pilot of each cell is dropped."""
    return trained(tmp_path_factory.mktemp("three_rates"), **THREE_RATES)


@pytest.mark.parametrize("capacity", [1, 2, 5])
def test_it_does_not_matter_who_else_is_in_the_batch(
    tmp_path, monkeypatch, whole: pd.DataFrame, three_rates: pd.DataFrame, capacity: int
) -> None:
    """Alone, in pairs or all together: the same table, bit for bit."""
    monkeypatch.setattr(mlp, "capacity", lambda *_: capacity)
    pd.testing.assert_frame_equal(trained(tmp_path / "two"), whole, check_exact=True)
    again = trained(tmp_path / "three", **THREE_RATES)
    pd.testing.assert_frame_equal(again, three_rates, check_exact=True)


WEIGHTS = np.random.default_rng(0).uniform(0.1, 3, 400)
TABLES = {
    "numbers": hills(),
    "weighted numbers": hills(weights_pool=WEIGHTS),
    "weighted classes": dataclasses.replace(DATA, weights_pool=WEIGHTS),
    "bytes scaled each": dataclasses.replace(DATA, scaling="each"),
}


@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES.keys())
def test_nor_does_it_matter_for_tables_numbers_and_weights(tmp_path, monkeypatch, data) -> None:
    """Alone or in pairs: the same table as all together, bit for bit."""
    tables = []
    for capacity in (6, 1, 2):
        monkeypatch.setattr(mlp, "capacity", lambda *_, capacity=capacity: capacity)
        store = CellStore(tmp_path / str(capacity))
        table = trained_curve(settings(), data, learners.load("mlp"), store)
        tables.append(table.drop(columns="seconds"))
    pd.testing.assert_frame_equal(tables[1], tables[0], check_exact=True)
    pd.testing.assert_frame_equal(tables[2], tables[0], check_exact=True)


@pytest.mark.parametrize("data", TABLES.values(), ids=TABLES.keys())
def test_the_loss_of_an_evaluation_is_that_of_the_choice(tmp_path, monkeypatch, data) -> None:
    """Also for numbers (on their own scale) and weighted rows, whatever is read at once."""
    lowest: dict[tuple, float] = {}
    measure = batch.Batch._validation_losses

    def spy(self, due):
        found = measure(self, due)
        for replicate, loss in zip(due, found, strict=True):
            scale = self.runs[replicate].target
            loss = loss if scale is None else np.sqrt(loss) * scale.scale
            name = self.runs[replicate].name[1:3]
            lowest[name] = min(loss, lowest.get(name, np.inf))
        return found

    monkeypatch.setattr(batch.Batch, "_validation_losses", spy)
    monkeypatch.setattr(batch, "portion", lambda *_: 5)
    one = settings(grid={"learning_rate": [0.01]})
    table = trained_curve(one, data, learners.load("mlp"), CellStore(tmp_path))
    for row in table.itertuples():
        assert row.validation_loss == pytest.approx(lowest[row.m, row.repeat], rel=1e-4)


def test_a_replicate_alone_follows_the_losses_of_one_among_others(monkeypatch, tmp_path) -> None:
    """Every validation loss along the way, not only the last."""
    measure = batch.Batch._validation_losses
    seen: dict[int, dict[tuple, list[float]]] = {1: {}, 6: {}}
    for capacity, losses in seen.items():

        def spy(self, due, losses=losses):
            found = measure(self, due)
            for replicate, loss in zip(due, found, strict=True):
                losses.setdefault(self.runs[replicate].name, []).append(loss)
            return found

        monkeypatch.setattr(batch.Batch, "_validation_losses", spy)
        monkeypatch.setattr(mlp, "capacity", lambda *_, capacity=capacity: capacity)
        trained(tmp_path / str(capacity))
    assert seen[1].keys() == seen[6].keys() and len(seen[1]) == 3 * 2 * (2 + 1)
    for name, losses in seen[1].items():
        np.testing.assert_allclose(losses, seen[6][name], rtol=1e-6)


def test_another_repeat_or_m_changes_no_other_cell(tmp_path, whole: pd.DataFrame) -> None:
    """A cell depends on its identity alone."""
    one = settings() | {"m": [80], "repeats": 1}
    alone = trained_curve(one, DATA, learners.load("mlp"), CellStore(tmp_path))
    same = whole[(whole["m"] == 80) & (whole["repeat"] == 0)].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone.drop(columns="seconds"), same, check_exact=True)


def test_the_best_weights_are_the_result(monkeypatch, tmp_path) -> None:
    """The stored validation loss is the lowest that the run ever had."""
    lowest: dict[tuple, float] = {}
    measure = batch.Batch._validation_losses

    def spy(self, due):
        found = measure(self, due)
        for replicate, loss in zip(due, found, strict=True):
            name = self.runs[replicate].name
            lowest[name] = min(loss, lowest.get(name, np.inf))
        return found

    monkeypatch.setattr(batch.Batch, "_validation_losses", spy)
    table = trained(tmp_path, hidden=[64], min_steps=300, max_steps=300)
    for row in table.itertuples():
        reached = min(
            loss for name, loss in lowest.items() if name[:3] == ("main", row.m, row.repeat)
        )
        assert row.validation_loss == pytest.approx(reached, rel=1e-4)


@pytest.mark.parametrize("patience", [1, 3, 10**6])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_a_chosen_rate_alone_gives_the_same_network(tmp_path, patience: int, share: float) -> None:
    """The best pilot is the start of the cell's run: the same, bit for bit, as without pilots."""
    common = {"patience": patience, "hidden": [64], "min_steps": 200, "max_steps": 200}
    grid = {"learning_rate": [0.03, 0.1, 0.3]}
    tuned = trained(tmp_path / "tuned", grid=grid, pilot_fraction=share, **common)
    chosen = tuned["settings"].map(lambda text: json.loads(text)["learning_rate"])
    for rate in chosen.unique():
        alone = trained(tmp_path / str(rate), grid={"learning_rate": [rate]}, **common)
        same = chosen == rate
        pd.testing.assert_frame_equal(tuned[same], alone[same], check_exact=True)


def test_no_step_of_a_pilot_is_taken_twice(tmp_path, monkeypatch) -> None:
    """The steps of all pilots, and of one run a cell what is left of it behind its pilot."""
    steps: list[int] = []
    planned: list[int] = []
    monkeypatch.setattr(training.Ledger, "steps", lambda _, n: steps.append(n))
    monkeypatch.setattr(training.Ledger, "plan", lambda _, n: planned.append(n))
    trained(tmp_path, patience=10**6, min_steps=100, max_steps=100)
    pilot, cooldown, whole = 40, 10, 100
    assert planned == [sum(steps)] == [6 * (2 * (pilot + cooldown) + whole - pilot)]


def test_the_worst_third_of_the_pilots_ends_halfway(tmp_path, monkeypatch) -> None:
    """Of four, the one with the highest loss by then; its steps are saved, its seconds count."""
    measure = batch.Batch._validation_losses
    losses: dict[tuple, list[float]] = {}

    def spy(self, due):
        found = measure(self, due)
        for replicate, loss in zip(due, found, strict=True):
            losses.setdefault(self.runs[replicate].name, []).append(loss)
        return found

    steps: list[int] = []
    monkeypatch.setattr(training.Ledger, "steps", lambda _, n: steps.append(n))
    monkeypatch.setattr(batch.Batch, "_validation_losses", spy)
    rates = [0.0003, 0.001, 0.003, 0.01]
    common = {"patience": 10**6, "min_steps": 100, "max_steps": 100}
    trained(tmp_path, grid={"learning_rate": rates}, **common)
    halfway, pilot, cooldown, whole = 16, 40, 10, 100
    assert sum(steps) == 6 * (halfway + 3 * (pilot + cooldown) + whole - pilot)
    for m, repeat in itertools.product(SIZES, range(2)):
        seen = {rate: losses["pilot", m, repeat, rate] for rate in rates}
        early = {rate: min(own[:2]) for rate, own in seen.items()}
        (dropped,) = [rate for rate, own in seen.items() if len(own) == 2]
        assert early[dropped] == max(early.values())


def test_few_weights_are_kept_of_pilots(tmp_path, monkeypatch) -> None:
    """One set of a cell's ended pilots and two of each that waits, of as many cells as places."""
    finished = mlp._Curve._finished
    cells, waiting = [], []

    def spy(self, run):
        following = finished(self, run)
        for tried in self.pilots.values():
            ended = [pilot for pilot in tried.values() if pilot.paused is None]
            kept = [pilot for pilot in ended if pilot.best or pilot.branch]
            assert len(kept) <= 1 and not any(pilot.best and pilot.branch for pilot in kept)
        waiting.append(sum(pilot.paused is not None for pilot in self._resting()))
        cells.append(len(self.pilots))
        return following

    monkeypatch.setattr(mlp._Curve, "_finished", spy)
    monkeypatch.setattr(mlp, "capacity", lambda *_: 2)
    trained(tmp_path, grid={"learning_rate": [0.001, 0.003, 0.01, 0.03]})
    assert max(cells) == 2 and cells[-1] == 0
    assert 1 < max(waiting) <= 2 * 3


def test_validation_rows_come_in_portions(monkeypatch, tmp_path, whole: pd.DataFrame) -> None:
    """A validation set that is larger than what is read at once gives the same loss."""
    monkeypatch.setattr(batch, "portion", lambda *_: 5)
    pd.testing.assert_frame_equal(trained(tmp_path), whole, rtol=1e-5)


class TestStopping:
    """SIGTERM, and what is found the next time."""

    @staticmethod
    def stop_after(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """Send this process a SIGTERM in the middle of the training."""
        counter = itertools.count(1)
        go_on = batch.Batch._go_on

        def going(self) -> None:
            if next(counter) == blocks:
                os.kill(os.getpid(), signal.SIGTERM)
            go_on(self)

        monkeypatch.setattr(batch.Batch, "_go_on", going)

    @pytest.mark.parametrize("blocks", [1, 6, 9, 13, 20])
    def test_the_next_run_goes_on(
        self, tmp_path, monkeypatch, whole: pd.DataFrame, blocks: int
    ) -> None:
        """The batch is saved; the table is that of an uninterrupted run; the file is gone."""
        with monkeypatch.context() as during:
            during.setattr(mlp, "capacity", lambda *_: 4)
            self.stop_after(blocks, during)
            with pytest.raises(PreemptedError):
                trained(tmp_path)
        (saved,) = (tmp_path / "unfinished").iterdir()
        state = torch.load(saved, weights_only=True)
        assert {"runs", "pilots", "state_dict", "pytorch-lightning_version"} <= state.keys()
        steps = []
        monkeypatch.setattr(training.Ledger, "steps", lambda _, n: steps.append(n))
        pd.testing.assert_frame_equal(trained(tmp_path), whole, check_exact=True)
        assert not saved.exists()
        monkeypatch.setattr(training.Ledger, "steps", lambda _, n: all_steps.append(n))
        all_steps: list[int] = []
        trained(tmp_path / "again")
        assert sum(steps) < sum(all_steps)

    @pytest.mark.parametrize("capacity", [1, 4])
    @pytest.mark.parametrize("rests", [1, 2, 3, 4, 5])
    def test_a_run_goes_on_from_its_pilot_after_a_stop_between_them(
        self, tmp_path, monkeypatch, three_rates: pd.DataFrame, capacity: int, rests: int
    ) -> None:
        """Stopped when pilots come to rest: thrice halfway, twice at the end of one."""
        finished, resting = mlp._Curve._finished, itertools.count(1)

        def stopping(self, run):
            following = finished(self, run)
            if run.name[0] == mlp.PILOT and next(resting) == rests:
                os.kill(os.getpid(), signal.SIGTERM)
            return following

        with monkeypatch.context() as during:
            during.setattr(mlp, "capacity", lambda *_: capacity)
            during.setattr(mlp._Curve, "_finished", stopping)
            with pytest.raises(PreemptedError):
                trained(tmp_path, **THREE_RATES)
        (saved,) = (tmp_path / "unfinished").iterdir()
        state = torch.load(saved, weights_only=True)
        own = [run["progress"]["steps"] for run in state["runs"] if run["name"][0] == mlp.MAIN]
        if capacity == 1:
            assert len(state["pilots"]) == {1: 1, 2: 2, 3: 1, 4: 2, 5: 0}[rests]
            assert len(own) == (rests == 5)
        assert all(steps > 0 for steps in own)
        again = trained(tmp_path, **THREE_RATES)
        pd.testing.assert_frame_equal(again, three_rates, check_exact=True)

    def test_a_damaged_checkpoint_is_not_used(
        self, tmp_path, monkeypatch, capsys, whole: pd.DataFrame
    ) -> None:
        """Its cells are trained anew, with a warning."""
        with monkeypatch.context() as during:
            self.stop_after(9, during)
            with pytest.raises(PreemptedError):
                trained(tmp_path)
        (saved,) = (tmp_path / "unfinished").iterdir()
        saved.write_bytes(saved.read_bytes()[:1000])
        pd.testing.assert_frame_equal(trained(tmp_path), whole, check_exact=True)
        assert "damaged" in capsys.readouterr().err


class TestMemory:
    """A device whose memory does not hold the batch."""

    def test_the_batch_is_halved_and_goes_on(
        self, tmp_path, monkeypatch, capsys, whole: pd.DataFrame
    ) -> None:
        """Nothing of the failed block remains: the table is the same."""
        differentiate = replicates.Passes.differentiate

        def limited(self, x, slope):
            if len(x) > 3:
                raise torch.OutOfMemoryError("too many")
            differentiate(self, x, slope)

        monkeypatch.setattr(replicates.Passes, "differentiate", limited)
        monkeypatch.setattr(batch.Batch, "_remembered", lambda self: self._stack().copy())
        pd.testing.assert_frame_equal(trained(tmp_path), whole, check_exact=True)
        assert "6 networks at once; going on with 3" in capsys.readouterr().err

    def test_one_network_that_does_not_fit_is_an_error(self, tmp_path, monkeypatch) -> None:
        """There is nothing to halve."""

        def never(*_):
            raise torch.OutOfMemoryError("too large")

        monkeypatch.setattr(replicates, "passes", never)
        monkeypatch.setattr(batch.Batch, "_remembered", lambda self: self._stack().copy())
        with pytest.raises(torch.OutOfMemoryError):
            trained(tmp_path)


def test_the_time_left_is_told_before_the_first_cell_is_finished(tmp_path) -> None:
    """From steps, since the longest networks come first; in the end the planned work is done."""
    told = []

    class Spy(Progress):
        def steps(self, n: int = 1) -> None:
            super().steps(n)
            told.append(self.state())

    work = float(2 * sum(SIZES))
    with Spy(None, "blobs a_mlp", 6, work) as progress:
        trained_curve(
            settings(patience=10**6), DATA, learners.load("mlp"), CellStore(tmp_path), progress
        )
    assert told[2].done == 0 and told[2].eta_seconds > 0
    assert progress.state().done == 6
    assert abs(progress._work_left) < 0.25 * work


def test_rates_that_all_diverge_are_said(tmp_path, monkeypatch) -> None:
    """A message that names the key, not a table with a hole."""
    monkeypatch.setattr(
        batch.Batch, "_validation_losses", lambda self, due: [float("nan")] * len(due)
    )
    with pytest.raises(TakeoffError, match="learning_rate"):
        trained(tmp_path)


def test_a_rate_that_diverges_loses(tmp_path) -> None:
    """The pilot run that blew up is not chosen."""
    table = trained(tmp_path, grid={"learning_rate": [0.01, 1e30]})
    assert set(table["settings"]) == {'{"learning_rate":0.01}'}


def test_an_accelerator_that_is_not_there_is_said(tmp_path) -> None:
    """One message that names the key."""
    if torch.backends.mps.is_available():
        pytest.skip("this machine has one")
    with pytest.raises(TakeoffError, match=r"training\.accelerator: mps"):
        trained(tmp_path, accelerator="mps")


def test_a_lower_precision_learns_as_well(tmp_path, whole: pd.DataFrame) -> None:
    """Products in half precision, weights in full: other numbers, the same errors."""
    table = trained(tmp_path, precision="bf16-mixed")
    assert not table["log_loss"].equals(whole["log_loss"])
    np.testing.assert_allclose(table["test_error"], whole["test_error"], atol=0.05)
