"""Walks what was given, in bounds: folders with the links in them, archives entry by entry. Every file is found once, or named with its reason."""

import re
import stat
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from studio.data import limits
from studio.data.incoming.encodings import read_texts
from studio.data.incoming.found import NO_CONTENT, Found, why_unreadable
from studio.workspace import safe_join

_ENCRYPTED = 0x1
_NAME_IS_UTF8 = 0x800
_CIRCLE = "it is a link to a folder that it lies in itself; it leads in a circle"
_NOWHERE = "it is a link that leads nowhere or in a circle"


@dataclass
class Search:
    """The files found so far, and what there is to know of the way."""

    leave_out: Path | None = None  # a folder that is passed over, unless it was chosen itself
    files: list[Found] = field(default_factory=list)
    most: int = limits.MAX_LOOKED_AT
    num_links: int = 0  # files that lie elsewhere on this computer
    passed_over: list[str] = field(default_factory=list)  # the studio's own folder
    seen: set[Path] = field(default_factory=set)  # folders, as they really lie

    def add(self, found: Found) -> None:
        self.files.append(found)
        if len(self.files) > self.most:
            raise TooMany(f"that is more than {self.most:,} files; import the folders with this person's photos only")

    def is_own(self, real: Path, root: Path) -> bool:
        """Whether it is of the studio's own folder, which nobody chose."""
        return bool(self.leave_out) and real.is_relative_to(self.leave_out or real) and not root.is_relative_to(self.leave_out or root)


class TooMany(ValueError):
    """More files than are looked at in one import."""


def search_all(paths: Sequence[Path | str], leave_out: Path | None) -> Search:
    """The files under the given files, folders and archives, in order of name."""
    search = Search(leave_out and leave_out.resolve())
    chosen = [_from_home(Path(path)) for path in paths]
    names = _tell_apart(chosen)
    for path, shown in zip(chosen, names):
        try:
            _search_chosen(search, path, shown)
        except (OSError, RuntimeError) as e:  # RuntimeError: links in a circle
            search.add(_missing(path, shown, why_unreadable(e)))
    return search


def _from_home(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # ~ and a name that nobody here has: a file may be called so
        return path


def _tell_apart(paths: Sequence[Path]) -> list[str]:
    """What each is called: its name, with the folder before it where several have that name."""
    names = [path.name or str(path) for path in paths]
    places = [str(path) for path in paths]
    is_alone = {name: len({place for place, other in zip(places, names) if other == name}) == 1 for name in set(names)}
    return [name if is_alone[name] else f"{path.parent.name}/{name}" for path, name in zip(paths, names)]


def _search_chosen(search: Search, path: Path, shown: str) -> None:
    """What a person named: a file, a folder or an archive."""
    if not path.exists():
        search.add(_missing(path, shown, "there is no such file or folder; check the name"))
    elif path.is_dir():
        _search_folder(search, path.resolve(), shown)
    elif not path.is_file():
        search.add(_missing(path, shown, NO_CONTENT))
    else:
        real = path.resolve()
        _add_file(search, Found(str(path.parent.resolve()), (), path.name, shown, path=real, chosen=True))


def _missing(path: Path, shown: str, fault: str) -> Found:
    return Found(str(path.parent), (), path.name, shown, path=path, fault=fault, chosen=True)


# -- folders


def _search_folder(search: Search, root: Path, shown: str, start: tuple[str, ...] = ()) -> None:
    """Everything below a folder, or below `start` in it; each real folder once, so that a circle of links ends."""
    todo = [start]
    while todo:
        parts = todo.pop()
        here = root.joinpath(*parts)
        found = Found(str(root), parts[:-1], here.name, "/".join((shown, *parts)), path=here)
        if _may_enter(search, found, len(parts), root):
            todo += reversed([(*parts, name) for name in _look_into(search, found, parts, root)])


def _may_enter(search: Search, folder: Found, depth: int, root: Path) -> bool:
    assert folder.path
    real = folder.path.resolve()
    if search.is_own(real, root):
        search.passed_over.append(folder.shown)
        return False
    if real in search.seen:
        return False
    search.seen.add(real)
    if depth > limits.MAX_FOLDER_DEPTH:
        search.add(replace(folder, fault=f"it lies more than {limits.MAX_FOLDER_DEPTH} folders deep; import that folder by itself"))
        return False
    return True


def _look_into(search: Search, folder: Found, parts: tuple[str, ...], root: Path) -> list[str]:
    """Note the files of one folder; the names of the folders in it."""
    folders = []
    for name in _names_in(search, folder):
        assert folder.path
        found = Found(str(root), parts, name, f"{folder.shown}/{name}", path=folder.path / name)
        if _is_folder(search, found, root):
            folders.append(name)
    return folders


def _names_in(search: Search, folder: Found) -> list[str]:
    assert folder.path
    try:
        return sorted(path.name for path in folder.path.iterdir())
    except OSError as e:
        search.add(replace(folder, fault=why_unreadable(e)))
        return []


def _is_folder(search: Search, found: Found, root: Path) -> bool:
    """Whether to look into it; a file is noted, and what can't even be looked at."""
    path = found.path
    assert path
    is_link = path.is_symlink()
    try:
        mode = path.stat().st_mode  # of what a link leads to
        real = path.resolve() if is_link else path
    except (OSError, RuntimeError) as e:
        search.add(replace(found, fault=_NOWHERE if is_link else why_unreadable(e)))
        return False
    if stat.S_ISDIR(mode):
        return _follow(search, found, real, root) if is_link else True
    if not stat.S_ISREG(mode):
        search.add(replace(found, fault=NO_CONTENT))
    elif is_link and search.is_own(real, root):
        search.add(replace(found, fault="it is a link into the studio's own folder"))
    else:
        search.num_links += is_link and not real.is_relative_to(root)
        _add_file(search, found)
    return False


def _follow(search: Search, found: Found, real: Path, root: Path) -> bool:
    """A link to a folder: one inside is a folder like others; one outside is looked through in bounds, and not at all if it leads back."""
    if root.is_relative_to(real):
        search.add(replace(found, fault=_CIRCLE))
        return False
    if real.is_relative_to(root):
        return True
    shown = found.shown.removesuffix("/".join(("", *found.parts, found.name)))
    part = Search(search.leave_out, most=limits.MAX_FILES, seen=set(search.seen))
    try:
        _search_folder(part, root, shown, (*found.parts, found.name))
    except TooMany:
        search.add(
            replace(found, fault=f"it is a link to a folder with more than {limits.MAX_FILES:,} files; import that folder by itself")
        )
        return False
    for file in part.files:
        search.add(file)
    search.seen |= part.seen
    search.num_links += len(part.files)
    return False


def _add_file(search: Search, found: Found) -> None:
    """A file, or what an archive holds."""
    assert found.path
    try:
        is_archive = found.suffix() == ".zip" or (found.chosen and _begins_as_archive(found.path))
        if is_archive and _begins_as_archive(found.path):
            for entry in _entries_of(found):
                search.add(entry)
            return
    except OSError as e:
        found = replace(found, fault=why_unreadable(e))
    search.add(found)


def _begins_as_archive(path: Path) -> bool:
    with open(path, "rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


# -- archives


def _entries_of(archive: Found) -> Iterator[Found]:
    """The files in an archive; those that may not come in carry the reason. Names are never used as paths."""
    assert archive.path
    try:
        with zipfile.ZipFile(archive.path) as opened:
            entries = opened.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, EOFError) as e:
        yield replace(archive, fault=f"the archive is damaged or not finished downloading ({e}); get it again")
        return
    if len(entries) > limits.MAX_ZIP_ENTRIES:
        yield replace(archive, fault=f"the archive holds {len(entries):,} files, more than {limits.MAX_ZIP_ENTRIES:,}; split it")
        return
    names = _names_of(entries)
    found = [_from_entry(archive, number, entry, names[number]) for number, entry in enumerate(entries) if not names[number].endswith("/")]
    yield from sorted(found, key=lambda file: file.shown)


def _names_of(entries: Sequence[zipfile.ZipInfo]) -> list[str]:
    """Their names, / between folders; those of an old program in the letters of its computer's language, where they can be told."""
    names = [entry.filename for entry in entries]
    old = [n for n, entry in enumerate(entries) if not entry.flag_bits & _NAME_IS_UTF8 and not entry.filename.isascii()]
    raws = [names[n].encode("cp437", errors="replace") for n in old]
    for n, reading in zip(old, read_texts(raws)):
        names[n] = names[n] if reading.fault else reading.text
    return [re.sub("(?<=.)//+", "/", name.replace("\\", "/").removeprefix("./")) for name in names]


def _from_entry(archive: Found, number: int, entry: zipfile.ZipInfo, name: str) -> Found:
    *folders, own = name.split("/")
    parts = (*archive.parts, archive.name, *folders)
    shown = f"{archive.shown}/{name}"
    found = Found(archive.root, parts, own, shown, archive=archive.path, entry=number, entry_name=entry.filename)
    return replace(found, fault=_entry_fault(entry, name))


def _entry_fault(entry: zipfile.ZipInfo, name: str) -> str:
    """Why an entry's name or kind is not safe, or "". Its name is never used as a path; it is refused all the same, as an attack."""
    if stat.S_ISLNK(entry.external_attr >> 16):
        return "it is a link to another place, which an archive of photos has no use for"
    try:
        safe_join(Path("archive"), name)
    except ValueError:
        return "its name leads outside the archive or is reserved by Windows; such a file is not unpacked"
    if entry.flag_bits & _ENCRYPTED:
        return "it is locked with a password; unpack the archive yourself and import the folder"
    return ""
