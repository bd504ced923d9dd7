"""Whether the disk holds something else than a moment ago, at the price of looking at names and times: what an open page asks every two seconds."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from studio.workspace import Workspace, safe_join

# What the page shows something of, each below the folder it lies in. A page that is open looks at everything now and then all the same.
OF_WORKSPACE = (("*",), ("models", "*"), ("projects", "*", "project.json"), ("projects", "*", "runs", "*", "status.json"))
OF_DOWNLOADS = (("projects", "*", "runs", "*", "status.json"),)
OF_PROJECT = (
    ("*",),
    ("dataset", "*"),
    ("cache", "looks", "*"),
    ("exports", "*"),
    ("runs", "*", "*"),
    ("runs", "*", "checkpoints", "*", "*"),
    ("sweeps", "*", "*"),
    ("sweeps", "*", "comparisons", "*"),
)


def fingerprint(workspace: Workspace, slug: str = "") -> str:
    """Changes with any of those files, of the workspace and of that project: its name, its size, its time."""
    digest = hashlib.sha256()
    for folder, patterns in _folders(workspace, slug):
        for pattern in patterns:
            for entry in sorted(find(folder, pattern)):
                digest.update(f"{entry}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()[:16]


def _folders(workspace: Workspace, slug: str) -> Iterable[tuple[Path, tuple[tuple[str, ...], ...]]]:
    yield workspace.home, OF_WORKSPACE
    yield workspace.downloads.home, OF_DOWNLOADS
    with suppress(ValueError):  # no name of a folder
        if slug:
            yield safe_join(workspace.projects_dir, slug), OF_PROJECT


def find(folder: Path, pattern: tuple[str, ...]) -> Iterator[tuple[str, int, int]]:
    """(path, size, time in nanoseconds) of what matches, folder by folder; "*" is any name. What can't be looked at is passed over."""
    first, rest = pattern[0], pattern[1:]
    try:
        if first != "*":
            yield from find(folder / first, rest) if rest else [_look(folder / first)]
            return
        with os.scandir(folder) as entries:
            for entry in entries:
                if not rest:
                    found = entry.stat()
                    yield entry.path, found.st_size, found.st_mtime_ns
                elif entry.is_dir():
                    yield from find(Path(entry.path), rest)
    except OSError:  # it is not there, or was removed while we looked
        return


def _look(path: Path) -> tuple[str, int, int]:
    found = path.stat()
    return str(path), found.st_size, found.st_mtime_ns
