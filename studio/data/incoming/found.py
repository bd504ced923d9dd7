"""One file that was given: where it lies, and how its bytes are read. Nothing but a plain file is ever opened."""

import hashlib
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

from studio.data import limits

_CHUNK = 1024 * 1024
BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    IndexError,
)  # a damaged or exchanged archive
UNPACKABLE = "it can't be unpacked: the archive is damaged or packed in an unusual way, or was changed; unpack it yourself"
NO_CONTENT = "it is no file with a content of its own; choose photos, clips or a folder"


class Refused(ValueError):
    """Why one file is not imported; the others are."""


@dataclass(frozen=True)
class Found:
    """One file. `parts` are the folders between what was chosen and the file, an archive on the way counted as one."""

    root: str  # what was chosen: two folders of equal names are two
    parts: tuple[str, ...]
    name: str
    shown: str  # to the person: relative to what they chose
    path: Path | None = None
    archive: Path | None = None
    entry: int = 0  # its place in the archive's directory: names may be there twice
    entry_name: str = ""
    fault: str = ""  # why it can't come in, where that is known already
    given: bool = True  # or found beside what was given
    chosen: bool = False  # by its own name, not with a folder

    @cached_property
    def folder(self) -> tuple[str, tuple[str, ...]]:
        """What files of one folder have in common."""
        return self.root, tuple(fold(part) for part in self.parts)

    @cached_property
    def stem(self) -> str:
        return fold(stem_of(self.name))

    def suffix(self) -> str:
        return self.name[len(stem_of(self.name)) :].casefold()


def fold(name: str) -> str:
    """A name as it is compared: one form of Unicode, whatever the case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def stem_of(name: str) -> str:
    dot = name.rfind(".")
    return name[:dot] if dot > 0 else name


def why_unreadable(error: Exception) -> str:
    """Why a file can't be read, in words."""
    if isinstance(error, FileNotFoundError):
        return "it is not there any more; see whether it was moved, or its disk was taken out"
    return f"it can't be read ({getattr(error, 'strerror', None) or error}); check that you may open it"


def open_plain(path: Path) -> IO[bytes]:
    """Refused for a pipe, a socket or a device, which reading might wait for without an end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise Refused(NO_CONTENT)
    return open(path, "rb")


class Archives:
    """Opens each archive once; all are closed at the end."""

    def __init__(self) -> None:
        self._opened: dict[Path, OpenArchive] = {}

    def open(self, path: Path) -> "OpenArchive":
        if path not in self._opened:
            self._opened[path] = OpenArchive(path)
        return self._opened[path]

    def read(self, found: Found, most: int) -> bytes:
        """The first bytes of a file. OSError or Refused if it can't be read."""
        if found.archive:
            with unpacking(), self.open(found.archive).open_entry(found) as file:
                return file.read(most)
        assert found.path, f"{found.shown} lies nowhere"
        with open_plain(found.path) as file:
            return file.read(most)

    def copy(self, found: Found, target: Path) -> str:
        """Copy the bytes to `target` and return their sha256. Refused if there are more than a photo or clip may have."""
        if found.archive:
            with unpacking():
                return self.open(found.archive).copy(found, target)
        assert found.path, f"{found.shown} lies nowhere"
        with open_plain(found.path) as file:
            return _copy(file, target, limits.MAX_FILM_BYTES)

    def close(self) -> None:
        for archive in self._opened.values():
            archive.zip.close()


@contextmanager
def open_archives() -> Iterator[Archives]:
    archives = Archives()
    try:
        yield archives
    finally:
        archives.close()


@contextmanager
def unpacking() -> Iterator[None]:
    try:
        yield
    except BROKEN as e:
        raise Refused(UNPACKABLE) from e


class OpenArchive:
    """A zip whose unpacked bytes are counted while they come, whatever its directory claims."""

    def __init__(self, path: Path) -> None:
        self.zip = zipfile.ZipFile(path)
        self.size = path.stat().st_size
        self.unpacked = 0

    def open_entry(self, found: Found) -> IO[bytes]:
        return self.zip.open(self._entry(found))

    def _entry(self, found: Found) -> zipfile.ZipInfo:
        entry = self.zip.infolist()[found.entry]
        if entry.filename != found.entry_name:
            raise KeyError(found.entry_name)
        return entry

    def copy(self, found: Found, target: Path) -> str:
        """Unpack one entry to `target`; its sha256. Refused when it turns out larger than it may be."""
        entry = self._entry(found)
        packed = min(entry.compress_size, self.size)
        most = min(limits.MAX_CLIP_BYTES, max(limits.ZIP_RATIO_FLOOR, packed * limits.MAX_ZIP_RATIO))
        with self.zip.open(entry) as file:
            return _copy(file, target, most, self._count)

    def _count(self, size: int) -> None:
        self.unpacked += size
        if self.unpacked > min(limits.MAX_ZIP_BYTES, max(16 * limits.ZIP_RATIO_FLOOR, self.size * limits.MAX_ZIP_RATIO)):
            raise Refused("the archive unpacks to far more than it should, as a zip bomb does; the rest of it is left out")


def _copy(file: IO[bytes], target: Path, most: int, count: Callable[[int], None] = lambda size: None) -> str:
    sha256 = hashlib.sha256()
    total = 0
    with open(target, "wb") as output:
        while chunk := file.read(_CHUNK):
            total += len(chunk)
            if total > most:
                raise Refused(f"it holds more than {most / 1024**2:,.0f} MB, more than a photo or clip may have")
            count(len(chunk))
            sha256.update(chunk)
            output.write(chunk)
    return sha256.hexdigest()
