"""Fetch a base model, a captioner or another thing from the hub: only the files it needs, resumable at any byte, each checked before it counts. Torch-free.

models/<name>/.download holds what is not finished: a file moves to its place only when its checksum is right, the weights after the small
files. So a folder whose files are all there is whole, and the thing itself stays the judge of that.
"""

import collections
import contextlib
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from studio.disk import read_json, replace, write_json
from studio.errors import Problem, is_disk_full
from studio.facts import Facts
from studio.machine import free_disk_gb
from studio.models.fetch.fetchable import find_fetchable
from studio.models.fetch.looked_up import LookedUp, note_looked_up
from studio.models.fetch.offers import RESERVE_GB, model_folder, needs_a_look, require_source
from studio.words import gigabytes
from studio.workspace import Workspace, safe_join

if TYPE_CHECKING:
    from studio.models.fetch.hub import Hub, RemoteFile, Repository

Answer = TypeVar("Answer")
Report = Callable[..., object]  # report(event, **facts)
WAITS = (1, 2, 4, 8, 15, 30, 60, 60, 60, 120, 120, 120)  # seconds between tries; they begin anew whenever something has come
FIRST_WAITS = WAITS[:3]  # before anything has come: who is offline is told so at once
TICK_SECONDS = 0.25  # a request to stop is seen this soon, whatever the network does
REPORT_SECONDS = 1.0
SPEED_SECONDS = 20.0  # the speed is that of the last so many
HASH_BYTES = 8_000_000
PARTS = ".download"
_KEPT = "What was fetched is kept."


class _Stopped(Exception):
    pass


@dataclass(frozen=True)
class Needed:
    """What a model consists of on the hub, and how much of it is here."""

    repository: "Repository"
    files: "list[RemoteFile]"  # in the order in which they are fetched
    here_bytes: int

    @property
    def total_bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def missing_bytes(self) -> int:
        return self.total_bytes - self.here_bytes


@dataclass(frozen=True, kw_only=True)
class DownloadReport(Facts):
    """What a download did. bytes, files: of the whole; fetched_bytes: that came this time; folder: where it lies."""

    ALWAYS_WRITTEN = ("stopped", "bytes", "fetched_bytes", "files", "folder")
    stopped: bool = False
    bytes: int = 0
    fetched_bytes: int = 0
    files: int = 0
    folder: str = ""


def list_needed(name: str, workspace: Workspace) -> Needed:
    """Ask the hub what would be fetched, and fetch nothing. Problem in words if it can't be asked."""
    return Download(name, workspace, waits=()).list_needed()


def look_up(name: str, workspace: Workspace) -> DownloadReport:
    """Ask the hub how large a thing is and what its licence is, keep that, and fetch nothing. Problem in words if it can't be used here."""
    asked = Download(name, workspace)
    needed = asked.list_needed()
    return DownloadReport(bytes=needed.total_bytes, files=len(needed.files), folder=str(asked.folder))


def download_model(
    name: str,
    workspace: Workspace,
    *,
    report: Report,
    should_stop: Callable[[], bool],
    free_gb: Callable[[Path], float] = free_disk_gb,
    waits: Sequence[float] = WAITS,
) -> DownloadReport:
    """Fetch what is missing of a thing into models/<name>, until it is complete or `should_stop()`.

    Problem if it can't go on; what was fetched is kept then, too.
    """
    return Download(name, workspace, report=report, should_stop=should_stop, free_gb=free_gb, waits=waits).run()


class Download:
    """One model on its way. Whatever waits for the network runs beside, so that a stop is always seen."""

    def __init__(
        self,
        name: str,
        workspace: Workspace,
        *,
        report: Report = lambda *_, **__: None,
        should_stop: Callable[[], bool] = lambda: False,
        free_gb: Callable[[Path], float] = free_disk_gb,
        waits: Sequence[float] = WAITS,
    ) -> None:
        self.name, self.workspace, self.thing = name, workspace, find_fetchable(name)
        self.is_unknown = needs_a_look(self.thing.about)
        self.folder, self.parts = model_folder(name, workspace), model_folder(name, workspace) / PARTS
        self.source = require_source(name, workspace)
        self.report, self.should_stop, self.free_gb, self.waits = report, should_stop, free_gb, waits
        self._hub: Hub | None = None
        self._needed: Needed | None = None
        self._working: threading.Thread | None = None
        self.done_bytes, self.fetched_bytes = 0, 0
        self._points: collections.deque[tuple[float, int]] = collections.deque()  # (time, fetched bytes)
        self._reported = 0.0

    @property
    def hub(self) -> "Hub":
        assert self._hub is not None, "inside of _connected"
        return self._hub

    @property
    def needed(self) -> Needed:
        assert self._needed is not None, "after _list"
        return self._needed

    def list_needed(self) -> Needed:
        with self._connected():
            return self._again(self._list, self.waits[: len(FIRST_WAITS)])

    def run(self) -> DownloadReport:
        try:
            with self._connected():
                self._say("asking the hub what belongs to the model")
                self._needed = self._again(self._list, self.waits[: len(FIRST_WAITS)])
                missing = self._find_missing()
                self._require_space(missing)
                for file in missing:
                    self._fetch(file)
        except _Stopped:
            return self._result(stopped=True)
        self.thing.check(self.folder)
        self._clean_up()
        self._say("done")
        return self._result(stopped=False)

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        from studio.models.fetch import hub

        with hub.online():
            self._hub = hub.Hub(self.source.endpoint)
            yield

    def _result(self, stopped: bool) -> DownloadReport:
        files, total = (len(self.needed.files), self.needed.total_bytes) if self._needed else (0, 0)
        return DownloadReport(stopped=stopped, bytes=total, fetched_bytes=self.fetched_bytes, files=files, folder=str(self.folder))

    # -- what there is, and what is missing

    def _list(self) -> Needed:
        repository = self.hub.read_repository(self.source.repository)
        names = self.thing.choose_names(repository.files, lambda name: json.loads(self.hub.read_file(repository, name)))
        files = [repository.files[name] for name in names]
        if self.is_unknown:
            found = LookedUp(repository=repository.id, licence=repository.licence, bytes=sum(file.size for file in files))
            note_looked_up(self.name, found, self.workspace)
        return Needed(repository, files, sum(self._bytes_here(file) for file in files))

    def _bytes_here(self, file: "RemoteFile") -> int:
        """How much of a file is here, by its length alone."""
        path = safe_join(self.folder, file.name)
        if path.is_file() and path.stat().st_size == file.size:
            return file.size
        return min(_size(self._part(file)), file.size)

    def _part(self, file: "RemoteFile") -> Path:
        return self.parts / f"{file.name.replace('/', '--')}.{file.digest[:12]}.part"

    def _find_missing(self) -> list["RemoteFile"]:
        """The files still to be fetched. One that lies in place is read once, and then remembered as good while it is not touched."""
        good, missing = self._read_good(), []
        for file in self.needed.files:
            path = safe_join(self.folder, file.name)
            if path.is_file() and (good.get(file.name) == _stamp(path, file) or self._is_right(path, file)):
                self._note_good(file)
                self.done_bytes += file.size
            else:
                missing.append(file)
        self.done_bytes += sum(min(_size(self._part(file)), file.size) for file in missing)
        return missing

    def _read_good(self) -> dict[str, Any]:
        try:
            return read_json(self.parts / "good.json")
        except (FileNotFoundError, ValueError):  # as good as none: the files are read again
            return {}

    def _note_good(self, file: "RemoteFile") -> None:
        self.parts.mkdir(parents=True, exist_ok=True)
        write_json(self.parts / "good.json", self._read_good() | {file.name: _stamp(safe_join(self.folder, file.name), file)})

    def _require_space(self, missing: Sequence["RemoteFile"]) -> None:
        need = sum(file.size - min(_size(self._part(file)), file.size) for file in missing) / 1e9
        free = self.free_gb(self.folder)
        if missing and free < need + RESERVE_GB:
            raise no_space(need, free, self.folder)

    # -- one file

    def _fetch(self, file: "RemoteFile") -> None:
        """Fetch, check, and put in place. A file that comes wrong is fetched once more."""
        part, target = self._part(file), safe_join(self.folder, file.name)
        for _ in range(2):
            if self._receive(file, part) and self._is_right(part, file):
                target.parent.mkdir(parents=True, exist_ok=True)
                replace(part, target)
                self._note_good(file)
                return
            self.done_bytes -= min(_size(part), file.size)
            part.unlink(missing_ok=True)
            self.report("note", message=f"{file.name} arrived damaged")
        raise Problem(
            f"{file.name} arrived damaged twice: its checksum is not the one that {self.hub.host} states.",
            cost="The files that were fetched before are kept.",
            fix="Try again later; if it stays so, the mirror or something between it and this computer changes the file.",
        )

    def _receive(self, file: "RemoteFile", part: Path) -> bool:
        """Fill `part` up to the file's size, from where it ends now; False if what came can't be the file."""
        from studio.models.fetch.hub import WrongBytes

        self.parts.mkdir(parents=True, exist_ok=True)
        for old in self.parts.glob(f"{file.name.replace('/', '--')}.*.part"):
            if old != part:
                old.unlink()  # of another version
        try:
            if _size(part) < file.size or not file.size:
                self._again(lambda: self._stream(file, part), self.waits, doing=_room(file))
        except WrongBytes:
            return False
        except OSError as e:
            if not is_disk_full(e):
                raise
            left = gigabytes((self.needed.total_bytes - self.done_bytes) / 1e9)
            message = f"The disk of {self.folder} is full; {left} of the model are still to be fetched."
            raise Problem(message, cost=_KEPT, fix="Free some space, then go on.") from None
        return _size(part) == file.size

    def _stream(self, file: "RemoteFile", part: Path) -> None:
        """(In a thread.) Append what comes to `part`."""
        from studio.models.fetch.hub import ConnectionLost

        have, mine = _size(part), threading.current_thread()
        with self.hub.open_file(self.needed.repository, file, have) as (start, pieces):
            if self._working is not mine:
                return  # given up: another may be at this file by now
            with open(part, "ab", buffering=0) as out:
                if start < have:
                    out.truncate(start)
                    self.done_bytes += start - have
                for piece in pieces:
                    if self._working is not mine:
                        return
                    _write_whole(out, piece)
                    self.done_bytes += len(piece)
                    self.fetched_bytes += len(piece)
                os.fsync(out.fileno())
        if _size(part) < file.size:
            raise ConnectionLost("ended the connection early")

    def _is_right(self, path: Path, file: "RemoteFile") -> bool:
        """Whether a file is the one that the hub lists."""
        if not path.is_file() or _size(path) != file.size:
            return False
        digest = hashlib.sha256() if file.sha256 else hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)
        with open(path, "rb") as content:
            while block := content.read(HASH_BYTES):
                digest.update(block)
                self._tick(f"checking {_room(file)}")
        return digest.hexdigest() == (file.sha256 or file.blob_id or digest.hexdigest())

    # -- waiting

    def _again(self, work: Callable[[], Answer], waits: Sequence[float], doing: str = "") -> Answer:
        """What `work()` returns, done in a thread and tried again after each of `waits`; they begin anew when bytes have come."""
        from studio.models.fetch.hub import ConnectionLost

        tries = 0
        while True:
            before = self.fetched_bytes
            try:
                return self._beside(work, doing)
            except ConnectionLost as e:
                tries = 0 if self.fetched_bytes > before else tries
                if tries >= len(waits):
                    raise Problem(f"{self.hub.host} {e.words}.", cost=_KEPT, fix="Check the connection, then go on.") from None
                seconds = max(waits[tries], e.wait_seconds)
                self.report("note", message=f"{self.hub.host} {e.words}; trying again in {seconds:.0f} s")
                self._wait(seconds, f"{self.hub.host} {e.words}; trying again")
                tries += 1

    def _beside(self, work: Callable[[], Answer], doing: str) -> Answer:
        answer: list[tuple[Any, BaseException | None]] = []

        def run():
            try:
                answer.append((work(), None))
            except BaseException as e:
                answer.append((None, e))

        thread = self._working = threading.Thread(target=run, name="download", daemon=True)
        thread.start()
        try:
            while thread.is_alive():
                thread.join(TICK_SECONDS)
                self._tick(doing)
        finally:
            self._working = None
        result, error = answer[0]
        if error:
            raise error
        return result

    def _wait(self, seconds: float, doing: str) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._tick(doing)
            time.sleep(min(TICK_SECONDS, left))

    def _tick(self, doing: str) -> None:
        if self.should_stop():
            raise _Stopped
        if time.monotonic() - self._reported >= REPORT_SECONDS:
            self._say(doing)

    def _say(self, doing: str) -> None:
        now, total = time.monotonic(), self.needed.total_bytes if self._needed else 0
        self._reported = now
        self._points.append((now, self.fetched_bytes))
        while len(self._points) > 2 and now - self._points[0][0] > SPEED_SECONDS:
            self._points.popleft()
        before, seconds = self._points[0][1], now - self._points[0][0]
        speed = (self.fetched_bytes - before) / seconds if seconds else 0.0
        unit, scale = ("GB", 1e9) if total >= 1e9 else ("MB", 1e6)
        self.report(
            "progress",
            stage="download",
            done=round(self.done_bytes / scale, 2),
            total=round(total / scale, 2),
            unit=unit,
            message=" · ".join(text for text in (f"{speed / 1e6:.1f} MB/s" if speed else "", doing) if text),
            seconds_left=(total - self.done_bytes) / speed if speed and total else None,
            bytes_per_second=round(speed),
        )

    def _clean_up(self) -> None:
        """Take away what only downloads need: our own half files, and those of the hub's own tools."""
        shutil.rmtree(self.parts, ignore_errors=True)
        shutil.rmtree(self.folder / ".cache" / "huggingface", ignore_errors=True)
        with contextlib.suppress(OSError):  # somebody else's files are in it, or it is not there
            (self.folder / ".cache").rmdir()


def no_space(need_gb: float, free_gb: float, folder: Path) -> Problem:
    """The Problem that says how much is missing, and where."""
    missing = max(0.0, need_gb + RESERVE_GB - free_gb)
    return Problem(
        f"{gigabytes(missing)} of free space is missing on the disk of {folder}: "
        f"{gigabytes(need_gb)} are still to be fetched, {gigabytes(free_gb)} are free, and {RESERVE_GB:g} GB stay free.",
        cost=_KEPT,
        fix="Free some space and go on, or choose another workspace folder with --home.",
    )


def _room(file: "RemoteFile") -> str:
    """What a person should know of a file's name while it comes: the part of the model."""
    return file.name.partition("/")[0]


def _write_whole(file: RawIOBase, data: bytes) -> None:
    """An unbuffered file may take only a part of what it is given, above all on a disk that is nearly full."""
    left = memoryview(data)
    while left:
        left = left[file.write(left) or 0 :]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _stamp(path: Path, file: "RemoteFile") -> list[Any]:
    info = path.stat()
    return [info.st_size, info.st_mtime_ns, file.digest]
