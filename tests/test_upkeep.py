"""The store is listed, verified and pruned, whatever goes on in it meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from small_study import CONFIG, SmallStudy

from takeoff import upkeep
from takeoff.cli import main
from takeoff.upkeep import human_size, listing, scan


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SmallStudy:
    """The study with its data prepared and its linear curve stored; its folder is the current."""
    monkeypatch.chdir(tmp_path)
    made = SmallStudy(tmp_path)
    made.prepare()
    made.train("linear")
    return made


def takeoff(tiny: SmallStudy, *arguments: str) -> int:
    """Run a command on the study's store."""
    return main([*arguments, "--cells", str(tiny.store.folder)])


def prune(tiny: SmallStudy, *arguments: str) -> int:
    return takeoff(tiny, "store", "prune", "--configfile", str(tiny.config), *arguments)


def files(tiny: SmallStudy) -> set[Path]:
    return {path for path in tiny.store.folder.rglob("*") if path.is_file()}


class TestList:
    def test_every_cell_has_a_line(
        self, tiny: SmallStudy, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """In the order of m and repeat, and their sums."""
        assert takeoff(tiny, "store", "list") == 0
        head, *cells, total = capsys.readouterr().out.splitlines()
        assert head.split()[-3:] == ["seconds", "size", "age"]
        assert [line.split()[:6] for line in cells] == [
            ["spam", "linear", m, r, "0.2500", "1.5"] for m in ("20", "40") for r in "01"
        ]
        assert total.startswith("4 cells, 6 s of training")

    def test_it_can_be_narrowed(self, tiny: SmallStudy) -> None:
        """To a data set and a learner."""
        tiny.train("network")
        assert len(list(listing(tiny.store))) == 10
        assert len(list(listing(tiny.store, learner="network"))) == 6
        assert len(list(listing(tiny.store, dataset="other"))) == 2

    def test_there_may_be_no_store(self, tiny: SmallStudy, tmp_path: Path) -> None:
        """Then it is empty."""
        tiny.store.folder = tmp_path / "nowhere"
        assert list(listing(tiny.store))[-1] == "0 cells, 0 s of training, 0 B"

    def test_a_row_of_another_version_is_no_failure(self, tiny: SmallStudy) -> None:
        """Whatever a row lacks is left open."""
        tiny.store.put({"old": 1}, {"learner": "linear"})
        assert any("nan" in line for line in listing(tiny.store))


class TestVerify:
    @pytest.mark.parametrize("damage", [
        lambda t: t[: len(t) // 2], lambda t: t.replace("0.25", "0.20"), lambda t: "",
        lambda t: "[]", lambda t: t.replace('"m": 20', '"m": 21', 1), lambda t: "{}",
        lambda t: t.replace('"seed": 1', '"seed": 2'),
    ])  # fmt: skip
    def test_it_finds_what_a_job_would_not_use(
        self, tiny: SmallStudy, damage, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A cell is damaged for `verify` when it is for the job that asks for it."""
        meaning = next(tiny.curves()[0].cells())
        path = tiny.store.path(meaning)
        assert takeoff(tiny, "store", "verify") == 0
        text = path.read_text()
        assert damage(text) != text
        path.write_text(damage(text))
        assert tiny.store.get(meaning) is None
        assert takeoff(tiny, "store", "verify") == 1
        printed = capsys.readouterr()
        assert str(path) in printed.out and "1 damaged" in printed.out
        assert "--delete" in printed.err

    def test_a_cell_under_the_name_of_another_is_found(self, tiny: SmallStudy) -> None:
        """Its own checksum fits, and still it is not the cell that was asked for."""
        one, other = list(tiny.curves()[0].cells())[:2]
        tiny.store.path(one).write_bytes(tiny.store.path(other).read_bytes())
        assert tiny.store.get(one) is None and tiny.store.get(other) is not None
        assert [file.path for file in scan(tiny.store) if file.damage] == [tiny.store.path(one)]

    def test_the_damaged_ones_can_be_deleted(self, tiny: SmallStudy) -> None:
        """And nothing else."""
        before = files(tiny)
        path = min(before)
        path.write_text("")
        assert takeoff(tiny, "store", "verify", "--delete") == 0
        assert before - files(tiny) == {path}
        assert takeoff(tiny, "store", "verify") == 0


class TestPrune:
    def test_nothing_goes_without_yes(
        self, tiny: SmallStudy, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """It says what would go: the repeat that the study no longer takes."""
        before = files(tiny)
        gone = {tiny.store.path(cell) for cell in tiny.curves()[0].cells() if cell["repeat"] == 1}
        spam = CONFIG["datasets"]["spam"] | {"repeats": 1}
        tiny.write(datasets={"spam": spam})
        assert prune(tiny) == 0
        assert files(tiny) == before
        printed = capsys.readouterr().out
        assert "would delete: 2 files" in printed and all(str(path) in printed for path in gone)
        assert prune(tiny, "--yes") == 0
        assert before - files(tiny) == gone

    @pytest.mark.parametrize("change", [{"seed": 2}, {"learners": CONFIG["learners"] | {"linear": {
        "kind": "logistic_regression", "label": "x", "grid": {"C": [0.2]}}}}])  # fmt: skip
    def test_what_depends_on_an_older_config_goes(self, tiny: SmallStudy, change) -> None:
        """Another seed, another grid."""
        tiny.write(**change)
        assert prune(tiny, "--yes") == 0
        assert not files(tiny)

    def test_what_depends_on_older_code_or_data_goes(
        self, tiny: SmallStudy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The digest of the data, the fingerprint of the code."""
        before = files(tiny)
        tiny.prepare("d2")
        tiny.train("linear")
        assert len(files(tiny) - before) == 4
        prune(tiny, "--yes")
        assert not files(tiny) & before and len(files(tiny)) == 4
        monkeypatch.setattr("takeoff.demand.fingerprint", lambda module: "new")
        prune(tiny, "--yes")
        assert not files(tiny)

    def test_a_new_label_changes_nothing(self, tiny: SmallStudy) -> None:
        """Cells don't depend on it."""
        before = files(tiny)
        tiny.write(title="Another title")
        assert prune(tiny, "--yes") == 0
        assert files(tiny) == before

    @pytest.mark.parametrize("pool", [None, 99])
    def test_data_that_are_not_prepared_are_not_guessed_at(
        self, tiny: SmallStudy, pool: int | None
    ) -> None:
        """Without a sheet, or with one of another size: cells of any data stay, others go."""
        before = files(tiny)
        (tiny.results / "tiny/data/spam.json").unlink()
        if pool is not None:
            tiny.prepare("d2", pool)
        tiny.store.put({"else": 1}, {"x": 1})
        assert prune(tiny, "--yes") == 0
        assert files(tiny) == before

    def test_the_cells_of_every_study_are_kept(self, tiny: SmallStudy, tmp_path: Path) -> None:
        """Each --configfile is one."""
        before = files(tiny)
        other = SmallStudy(tmp_path / "other") if (tmp_path / "other").mkdir() is None else None
        assert other is not None
        other.write(seed=7)
        assert takeoff(tiny, "store", "prune", "--yes", "--configfile", str(other.config),
                       "--configfile", str(tiny.config)) == 0  # fmt: skip
        assert files(tiny) == before
        assert takeoff(tiny, "store", "prune", "--yes", "--configfile", str(other.config)) == 0
        assert not files(tiny)

    def test_what_killed_writers_left_goes_when_it_is_old(self, tiny: SmallStudy) -> None:
        """A temporary file may be a cell that is being written right now."""
        before = files(tiny)
        beside = min(before).parent
        old, new = beside / ".cell.json.abc", beside / ".cell.json.def"
        batch = tiny.store.unfinished(tiny.curves()[1].curve).with_suffix(".tmp")
        for path in (old, new, batch):
            path.write_text("x")
        long_ago = time.time() - 2 * upkeep.ABANDONED_SECONDS
        for path in (old, batch):
            os.utime(path, (long_ago, long_ago))
        assert prune(tiny, "--yes") == 0
        assert files(tiny) == before | {new}

    def test_unfinished_batches_go_with_their_curve(self, tiny: SmallStudy) -> None:
        """They stay while the study asks for the curve, or may ask for it."""
        wanted, unwanted = (
            tiny.store.unfinished(meaning) for meaning in (tiny.curves()[1].curve, {"else": 1})
        )
        for path in (wanted, unwanted):
            path.write_text("x")
        sheet = tiny.results / "tiny/data/spam.json"
        text = sheet.read_text()
        sheet.unlink()
        prune(tiny, "--yes")
        assert wanted.exists() and unwanted.exists()
        sheet.write_text(text)
        prune(tiny, "--yes")
        assert wanted.exists() and not unwanted.exists()


def test_a_file_may_vanish_between_two_looks(
    tiny: SmallStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process deletes a cell after it was listed, or after its size was read."""
    first, second = sorted(files(tiny))[:2]
    look, read = upkeep._look, upkeep.read_cell

    def vanish_before(path: Path):
        if path == first:
            path.unlink()
        return look(path)

    def vanish_after(path: Path):
        if path == second:
            path.unlink()
        return read(path)

    monkeypatch.setattr(upkeep, "_look", vanish_before)
    monkeypatch.setattr(upkeep, "read_cell", vanish_after)
    assert len(list(scan(tiny.store))) == 2
    assert upkeep.remove([first, second]) == 0


def test_sizes_are_readable() -> None:
    """Two figures or three."""
    assert [human_size(n) for n in (0, 999, 1500, 34e6, 5.2e9, 2e13)] == [
        "0 B", "999 B", "1.5 kB", "34 MB", "5.2 GB", "20000 GB"
    ]  # fmt: skip
