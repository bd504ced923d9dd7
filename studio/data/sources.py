"""What an import finds: files, folders and zip archives walked with bounds, each photo or clip with the caption beside it.

Nothing is unpacked here by its own name: an archive's entry is copied to a path the importer chose, its bytes counted as they come.
"""

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from studio.data import limits
from studio.data.captions.files import decode_text
from studio.data.media import kinds as media
from studio.workspace import safe_join

_NOISE = {"__macosx", "thumbs.db", "desktop.ini", ".ds_store", "@eadir", "$recycle.bin", "system volume information"}
_CAPTION_SUFFIXES = (".txt", ".caption")
_CHUNK = 1024 * 1024
_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError)  # of a damaged or exchanged archive


class Refused(ValueError):
    """Why one file is not imported; the others are."""


@dataclass(frozen=True)
class Source:
    """One file that may become an item. `reason` says why it can't, where that is known already."""

    name: str  # as shown to the person: relative to what they chose
    reason: str = ""
    path: Path | None = None
    archive: Path | None = None
    entry: str = ""
    caption_file: Path | None = None
    caption_entry: str = ""  # of the archive

    def file_name(self) -> str:
        return self.path.name if self.path else self.entry

    def sha256(self) -> str:
        """Hash of the content where it can be had without copying, else ""."""
        if not self.path:
            return ""
        with open(self.path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def size(self) -> int:
        return self.path.stat().st_size if self.path else 0


def find_sources(paths: Sequence[Path | str], leave_out: Path | None = None) -> list[Source]:
    """[Source] of everything under the given files, folders and archives, in order of name; not what lies in the folder `leave_out`."""
    chosen = [_from_home(Path(path)) for path in paths]
    texts = [path for path in chosen if path.suffix.casefold() in _CAPTION_SUFFIXES]
    stems = {path.stem.casefold() for path in chosen if path not in texts}
    found: list[Source] = []
    for path in chosen:
        if path in texts and path.stem.casefold() in stems:
            continue  # the caption of a photo chosen with it
        try:
            found += _from_chosen(path, texts, limits.MAX_FILES - len(found), leave_out)
        except (OSError, RuntimeError) as e:  # RuntimeError: links in a circle
            found.append(Source(path.name or str(path), reason=why_unreadable(e)))
    if len(found) > limits.MAX_FILES:
        raise ValueError(f"that is more than {limits.MAX_FILES:,} files; import the folders with this person's photos only")
    return found


def why_unreadable(error: Exception) -> str:
    """Why a file can't be read, in words."""
    if isinstance(error, FileNotFoundError):
        return "it is not there any more; see whether it was moved, or its disk was taken out"
    return f"it can't be read ({getattr(error, 'strerror', None) or error}); check that you may open it"


def _from_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # ~ and a name that nobody here has: a file may be called so
        return path


def _from_chosen(path: Path, texts: list[Path], room: int, leave_out: Path | None) -> list[Source]:
    """The sources in what a person named: a file, with the caption chosen with it, or a folder."""
    if not path.exists():
        return [Source(path.name or str(path), reason="there is no such file or folder; check the name")]
    if path.is_dir():
        return _find_files(path.resolve(), room, leave_out and leave_out.resolve())
    if not path.is_file():
        return [Source(path.name, reason="it is no file with a content of its own; choose photos, clips or a folder")]
    nearest_last = sorted(texts, key=lambda text: text.parent == path.parent)
    captions = _captions_beside(path.resolve()) | {text.stem.casefold(): text.resolve() for text in nearest_last}
    return _from_file(path.resolve(), path.name, captions, chosen=True)


class Archives:
    """Opens each archive once; all are closed at the end."""

    def __init__(self) -> None:
        self._opened: dict[Path, _OpenArchive] = {}

    def open(self, path: Path) -> "_OpenArchive":
        if path not in self._opened:
            self._opened[path] = _OpenArchive(path)
        return self._opened[path]

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


def read_caption(source: Source, archives: Archives) -> str:
    """The text beside a photo or clip, or "". Refused or OSError if there is one and it can't be read."""
    if source.archive and source.caption_entry:
        with _unpacking(), archives.open(source.archive).zip.open(source.caption_entry) as file:
            return decode_text(file.read(limits.MAX_CAPTION_BYTES))
    if not source.caption_file:
        return ""
    with open(source.caption_file, "rb") as file:
        return decode_text(file.read(limits.MAX_CAPTION_BYTES))


def copy_source(source: Source, target: Path, archives: Archives) -> str:
    """Copy the bytes to `target` and return their sha256. Refused if there are more than a photo or clip may have."""
    if source.archive:
        with _unpacking():
            return archives.open(source.archive).copy(source.entry, target)
    assert source.path, f"{source.name} lies nowhere"
    with open(source.path, "rb") as file:
        return _copy(file, target, limits.MAX_CLIP_BYTES)


@contextmanager
def _unpacking() -> Iterator[None]:
    try:
        yield
    except _BROKEN as e:
        raise Refused("it can't be unpacked: the archive is damaged, packed in an unusual way, or was changed; unpack it yourself") from e


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


# -- folders


def _find_files(root: Path, room: int, leave_out: Path | None) -> list[Source]:
    """Media files below a folder. Hidden files, system files, links that lead outside and a folder to leave out are passed over."""
    found: list[Source] = []
    seen: set[Path] = set()

    def note_unreadable(error: OSError) -> None:
        found.append(Source(Path(error.filename).relative_to(root.parent).as_posix(), reason=why_unreadable(error)))

    for folder, folders, names in os.walk(root, onerror=note_unreadable):
        here = Path(folder)
        real = here.resolve()
        if (
            real in seen
            or (real == leave_out != root)
            or not real.is_relative_to(root)
            or len(here.relative_to(root).parts) > limits.MAX_FOLDER_DEPTH
        ):
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not _is_noise(name))
        names = sorted(name for name in names if not _is_noise(name))
        captions = {stem: here / name for stem, name in _captions_by_stem(names).items()}
        for name in names:
            path, shown = here / name, (here / name).relative_to(root.parent).as_posix()
            try:
                if path.is_file() and path.resolve().is_relative_to(root):
                    found += _from_file(path, shown, captions)
            except OSError as e:
                found.append(Source(shown, reason=why_unreadable(e)))
            if len(found) > room:
                return found
    return found


def _captions_beside(path: Path) -> dict[str, Path]:
    try:
        names = _captions_by_stem([entry.name for entry in path.parent.iterdir()])
        return {stem: path.parent / name for stem, name in names.items()}
    except OSError:
        return {}


def _captions_by_stem(names: Iterable[str]) -> dict[str, str]:
    """{stem in lower case: name of the caption file}; .txt before .caption."""
    texts = [name for name in names if name.casefold().endswith(_CAPTION_SUFFIXES)]
    return {Path(name).stem.casefold(): name for name in sorted(texts, key=lambda name: not name.casefold().endswith(".caption"))}


def _from_file(path: Path, name: str, captions: dict[str, Path], chosen: bool = False) -> list[Source]:
    """The sources in one file: itself, an archive's entries, or nothing where it is no media and nobody chose it."""
    try:
        with open(path, "rb") as file:
            head = file.read(media.SNIFF_BYTES)
    except OSError as e:
        return [Source(name, reason=why_unreadable(e))]
    if path.suffix.casefold() in _CAPTION_SUFFIXES:
        return [Source(name, reason="it is a text without a photo or clip of the same name beside it")] if chosen else []
    kind = media.sniff(head)
    if kind == "zip" and (chosen or path.suffix.casefold() == ".zip"):
        return _list_archive(path, name)
    if kind in ("photo", "clip") and not media.is_raw(name):
        caption = captions.get(path.stem.casefold()) or captions.get(path.name.casefold())
        return [Source(name, path=path, caption_file=caption)]
    if chosen or media.looks_like_media(name) or path.suffix.casefold() == ".zip":
        return [Source(name, reason=media.refusal(name, head))]
    return []


def _is_noise(name: str) -> bool:
    return name.startswith(".") or name.casefold() in _NOISE


# -- archives


class _OpenArchive:
    """A zip whose unpacked bytes are counted while they come, whatever its directory claims."""

    def __init__(self, path: Path) -> None:
        self.zip = zipfile.ZipFile(path)
        self.size = path.stat().st_size
        self.unpacked = 0

    def copy(self, name: str, target: Path) -> str:
        """Unpack one entry to `target`; its sha256. Refused when it turns out larger than it may be."""
        entry = self.zip.getinfo(name)
        packed = min(entry.compress_size, self.size)
        most = min(limits.MAX_CLIP_BYTES, max(limits.ZIP_RATIO_FLOOR, packed * limits.MAX_ZIP_RATIO))
        with self.zip.open(entry) as file:
            return _copy(file, target, most, self._count)

    def _count(self, size: int) -> None:
        self.unpacked += size
        if self.unpacked > min(limits.MAX_ZIP_BYTES, max(16 * limits.ZIP_RATIO_FLOOR, self.size * limits.MAX_ZIP_RATIO)):
            raise Refused("the archive unpacks to far more than it should, as a zip bomb does; the rest of it is left out")


def _list_archive(path: Path, name: str) -> list[Source]:
    """Sources for the entries of an archive; those that may not come in carry the reason."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            if len(entries) > limits.MAX_ZIP_ENTRIES:
                return [Source(name, reason=f"the archive holds {len(entries):,} files, more than {limits.MAX_ZIP_ENTRIES:,}; split it")]
            captions = _captions_in_archive([entry.filename for entry in entries])
            found = [_from_entry(archive, path, name, entry, captions) for entry in entries if not entry.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError) as e:
        return [Source(name, reason=f"the archive is damaged or not finished downloading ({e}); get it again")]
    return sorted((s for s in found if s), key=lambda s: s.name)


def _captions_in_archive(names: list[str]) -> dict[tuple[str, str], str]:
    """{(folder, stem in lower case): entry} of an archive's caption files."""
    captions = {}
    for folder in {_folder(name) for name in names}:
        here = [name[len(folder) :] for name in names if _folder(name) == folder]
        captions |= {(folder, stem): folder + name for stem, name in _captions_by_stem(here).items()}
    return captions


def _folder(name: str) -> str:
    return name[: name.rfind("/") + 1]


def _from_entry(
    archive: zipfile.ZipFile, path: Path, archive_name: str, entry: zipfile.ZipInfo, captions: dict[tuple[str, str], str]
) -> Source | None:
    shown = f"{archive_name}/{entry.filename}"
    parts = entry.filename.replace("\\", "/").split("/")
    fault = _entry_fault(entry)
    if fault:
        return Source(shown, reason=fault)
    if any(_is_noise(part) for part in parts):
        return None
    if entry.flag_bits & _ENCRYPTED:
        return Source(shown, reason="it is locked with a password; unpack the archive yourself and import the folder")
    head = b""
    try:
        with archive.open(entry) as file:
            head = file.read(media.SNIFF_BYTES)
    except (*_BROKEN, OSError):
        return (
            Source(shown, reason="it can't be unpacked: the archive is damaged or packed in an unusual way")
            if media.looks_like_media(shown)
            else None
        )
    kind = media.sniff(head)
    if kind in ("photo", "clip") and not media.is_raw(shown):
        folder = _folder(entry.filename)
        stem = Path(parts[-1]).stem.casefold()
        caption = captions.get((folder, stem)) or captions.get((folder, parts[-1].casefold()))
        return Source(shown, archive=path, entry=entry.filename, caption_entry=caption or "")
    if kind == "zip" and parts[-1].casefold().endswith(".zip"):
        return Source(shown, reason="it is an archive within an archive; unpack it and import it by itself")
    return Source(shown, reason=media.refusal(shown, head)) if media.looks_like_media(shown) else None


def _entry_fault(entry: zipfile.ZipInfo) -> str:
    """Why an entry's name or kind is not safe, or "". Its name is never used as a path; it is refused all the same, as an attack."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "it is a link to another place, which an archive of photos has no use for"
    try:
        safe_join(Path("archive"), entry.filename)
    except ValueError:
        return "its name leads outside the archive or is reserved by Windows; such a file is not unpacked"
    return ""
