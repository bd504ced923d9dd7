"""Walks what was given, in bounds: folders with the links in them, archives entry by entry. Every file is found once, or named with its reason."""

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
class Walk:
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


def walk_all(paths: Sequence[Path | str], leave_out: Path | None) -> Walk:
    """The files under the given files, folders and archives, in order of name."""
    walk = Walk(leave_out and leave_out.resolve())
    chosen = [_from_home(Path(path)) for path in paths]
    names = _tell_apart(chosen)
    for path, shown in zip(chosen, names):
        try:
            _walk_chosen(walk, path, shown)
        except (OSError, RuntimeError) as e:  # RuntimeError: links in a circle
            walk.add(_missing(path, shown, why_unreadable(e)))
    return walk


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


def _walk_chosen(walk: Walk, path: Path, shown: str) -> None:
    """What a person named: a file, a folder or an archive."""
    if not path.exists():
        walk.add(_missing(path, shown, "there is no such file or folder; check the name"))
    elif path.is_dir():
        _walk_folder(walk, path.resolve(), shown)
    elif not path.is_file():
        walk.add(_missing(path, shown, NO_CONTENT))
    else:
        real = path.resolve()
        _add_file(walk, Found(str(path.parent.resolve()), (), path.name, shown, path=real, chosen=True))


def _missing(path: Path, shown: str, fault: str) -> Found:
    return Found(str(path.parent), (), path.name, shown, path=path, fault=fault, chosen=True)


# -- folders


def _walk_folder(walk: Walk, root: Path, shown: str, start: tuple[str, ...] = ()) -> None:
    """Everything below a folder, or below `start` in it; each real folder once, so that a circle of links ends."""
    todo = [start]
    while todo:
        parts = todo.pop()
        here = root.joinpath(*parts)
        found = Found(str(root), parts[:-1], here.name, "/".join((shown, *parts)), path=here)
        if _may_enter(walk, found, len(parts), root):
            todo += reversed([(*parts, name) for name in _look_into(walk, found, parts, root)])


def _may_enter(walk: Walk, folder: Found, depth: int, root: Path) -> bool:
    assert folder.path
    real = folder.path.resolve()
    if walk.is_own(real, root):
        walk.passed_over.append(folder.shown)
        return False
    if real in walk.seen:
        return False
    walk.seen.add(real)
    if depth > limits.MAX_FOLDER_DEPTH:
        walk.add(replace(folder, fault=f"it lies more than {limits.MAX_FOLDER_DEPTH} folders deep; import that folder by itself"))
        return False
    return True


def _look_into(walk: Walk, folder: Found, parts: tuple[str, ...], root: Path) -> list[str]:
    """Note the files of one folder; the names of the folders in it."""
    folders = []
    for name in _names_in(walk, folder):
        assert folder.path
        found = Found(str(root), parts, name, f"{folder.shown}/{name}", path=folder.path / name)
        if _is_folder(walk, found, root):
            folders.append(name)
    return folders


def _names_in(walk: Walk, folder: Found) -> list[str]:
    assert folder.path
    try:
        return sorted(path.name for path in folder.path.iterdir())
    except OSError as e:
        walk.add(replace(folder, fault=why_unreadable(e)))
        return []


def _is_folder(walk: Walk, found: Found, root: Path) -> bool:
    """Whether to look into it; a file is noted, and what can't even be looked at."""
    path = found.path
    assert path
    is_link = path.is_symlink()
    try:
        mode = path.stat().st_mode  # of what a link leads to
        real = path.resolve() if is_link else path
    except (OSError, RuntimeError) as e:
        walk.add(replace(found, fault=_NOWHERE if is_link else why_unreadable(e)))
        return False
    if stat.S_ISDIR(mode):
        return _follow(walk, found, real, root) if is_link else True
    if not stat.S_ISREG(mode):
        walk.add(replace(found, fault=NO_CONTENT))
    elif is_link and walk.is_own(real, root):
        walk.add(replace(found, fault="it is a link into the studio's own folder"))
    else:
        walk.num_links += is_link and not real.is_relative_to(root)
        _add_file(walk, found)
    return False


def _follow(walk: Walk, found: Found, real: Path, root: Path) -> bool:
    """A link to a folder: one inside is a folder like others; one outside is looked through in bounds, and not at all if it leads back."""
    if root.is_relative_to(real):
        walk.add(replace(found, fault=_CIRCLE))
        return False
    if real.is_relative_to(root):
        return True
    shown = found.shown.removesuffix("/".join(("", *found.parts, found.name)))
    part = Walk(walk.leave_out, most=limits.MAX_FILES, seen=set(walk.seen))
    try:
        _walk_folder(part, root, shown, (*found.parts, found.name))
    except TooMany:
        walk.add(replace(found, fault=f"it is a link to a folder with more than {limits.MAX_FILES:,} files; import that folder by itself"))
        return False
    for file in part.files:
        walk.add(file)
    walk.seen |= part.seen
    walk.num_links += len(part.files)
    return False


def _add_file(walk: Walk, found: Found) -> None:
    """A file, or what an archive holds."""
    assert found.path
    try:
        is_archive = found.suffix() == ".zip" or (found.chosen and _begins_as_archive(found.path))
        if is_archive and _begins_as_archive(found.path):
            for entry in _entries_of(found):
                walk.add(entry)
            return
    except OSError as e:
        found = replace(found, fault=why_unreadable(e))
    walk.add(found)


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
    return [name.replace("\\", "/").removeprefix("./") for name in names]


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
