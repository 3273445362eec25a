"""How many networks at once, and on which device."""

from __future__ import annotations

import fcntl
import os
import stat
from types import SimpleNamespace
from typing import IO

import pytest
import torch

from takeoff.networks import device
from takeoff.networks.replicates import Shape

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_small_networks_are_many_large_ones_few() -> None:
    """What fits the cache, within limits."""
    small, medium, large = (
        device.capacity(CPU, Shape(n_features, hidden, 10), 128)
        for n_features, hidden in ((64, (16,)), (784, (64, 64)), (784, (512, 512)))
    )
    assert device.ON_CPU[1] == small > medium > large == device.ON_CPU[0]


def test_rows_are_evaluated_in_portions_that_a_core_caches() -> None:
    """Of the widest layer, the inputs included; at least one row."""
    wide, deep, huge = (
        device.portion(CPU, Shape(n_features, hidden, 10))
        for n_features, hidden in ((784, (16,)), (16, (64, 512)), (10**6, (16,)))
    )
    assert (wide, deep, huge) == (320, 512, 1)  # whole blocks of 64


def test_an_accelerator_is_filled_by_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger card takes more, up to a limit; at least one network is tried."""
    found = []
    for free in (2**20, 2**30, 2**38):
        monkeypatch.setattr(device, "free_memory", lambda _, free=free: free)
        found.append(device.capacity(GPU, Shape(784, (512, 512), 10), 128))
    assert found[0] == 1 < found[1] < found[2] == device.ON_ACCELERATOR[1]


def test_the_machine_has_memory() -> None:
    """Bytes, not pages or megabytes."""
    assert 10**8 < device.free_memory(CPU) < 10**14


class TestReserved:
    """One GPU a job."""

    @pytest.fixture(autouse=True)
    def two_gpus(self, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
        cuda = SimpleNamespace(
            is_available=lambda: True,
            device_count=lambda: 2,
            get_device_properties=lambda index: SimpleNamespace(uuid=f"uuid-{index}"),
        )
        monkeypatch.setattr(torch, "cuda", cuda)
        monkeypatch.setattr(device.tempfile, "gettempdir", lambda: str(tmp_path))

    def test_jobs_side_by_side_get_different_ones(self, capsys) -> None:
        """The third shares one, and says so; a GPU that is given back is free again."""
        with device.reserved("auto") as first, device.reserved("gpu") as second:
            assert [first, second] == [[0], [1]]
            assert not capsys.readouterr().err
            with device.reserved("auto") as third:
                assert third in ([0], [1])
            assert "every GPU is taken" in capsys.readouterr().err
        with device.reserved("auto") as again:
            assert again == [0]

    def test_users_of_a_machine_share_its_locks(self, tmp_path, monkeypatch) -> None:
        """A lock needs a file that can be read, and whatever the umask, others can read it."""
        writable = []
        lock = fcntl.flock

        def observed(file: IO[bytes], how: int) -> None:
            writable.append(file.writable())
            lock(file, how)

        monkeypatch.setattr(device.fcntl, "flock", observed)
        before = os.umask(0o077)
        try:
            with device.reserved("auto") as first, device.reserved("auto") as second:
                assert [first, second] == [[0], [1]]
        finally:
            os.umask(before)
        assert writable and not any(writable)
        assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o644}

    def test_the_cpu_needs_no_lock(self, tmp_path) -> None:
        """Nothing is locked where nothing is to be shared out."""
        with device.reserved("cpu") as one:
            assert one == 1
        assert not list(tmp_path.iterdir())
