"""What can be fetched: a base model, a captioner, whatever has a file in `fetchables`. Everybody who downloads, links or lists asks here. Torch-free."""

import difflib
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol, cast

from studio.doors import members
from studio.errors import Problem
from studio.models.fetch import fetchables
from studio.models.fetch.needed import ReadJson
from studio.models.presence import Presence
from studio.workspace import Workspace

GIVES = ("WORD", "ID", "list_names", "knows", "fetchable")


class About(Protocol):
    """What a preset says of a thing. repository: "" for one that comes from nowhere; download_gb: GB of 10^9 bytes."""

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def description(self) -> str: ...
    @property
    def repository(self) -> str: ...
    @property
    def licence(self) -> str: ...
    @property
    def download_gb(self) -> float: ...
    @property
    def is_built_in(self) -> bool: ...


class Fetchable(Protocol):
    """One thing, by its name."""

    @property
    def about(self) -> About: ...

    def why_not_here(self, workspace: Workspace) -> str:
        """A sentence where it is not on this computer, or not whole; "" where it is ready."""
        ...

    def find_files(self, workspace: Workspace) -> tuple[Path, Sequence[Path]]:
        """(its folder, its weight files); the folder where it would lie, and no files, if it is not here."""
        ...

    def link(self, paths: Sequence[str], workspace: Workspace) -> Sequence[str]:
        """Use what is on this computer already; lines about it, of which the first says where it lies. Problem if it is not whole."""
        ...

    def choose_names(self, names: Collection[str], read_json: ReadJson) -> list[str]:
        """Which of a repository's files it needs, the weights last. Problem that names the first one that is missing."""
        ...

    def check(self, folder: Path) -> None:
        """Problem if what lies in the folder is not whole."""
        ...


class FetchableKind(Protocol):
    """What a file in `fetchables` gives. WORD: what people call it, "base model"; ID: what the page calls it, in one word."""

    WORD: str
    ID: str

    def list_names(self) -> list[str]: ...

    def knows(self, name: str) -> bool:
        """Whether a thing of that name is one of this kind; names that it does not list may be, too."""
        ...

    def fetchable(self, name: str) -> Fetchable: ...


def kinds() -> tuple[FetchableKind, ...]:
    return cast(tuple[FetchableKind, ...], members(fetchables.__name__, GIVES))


def list_names() -> Iterator[str]:
    """The names of all that can be fetched, kind by kind."""
    for kind in kinds():
        yield from kind.list_names()


def kind_of(name: str) -> FetchableKind:
    """The kind of the thing of that name; Problem that names what there is."""
    for kind in kinds():
        if kind.knows(name):
            return kind
    words = " or ".join(kind.WORD for kind in kinds() if kind.list_names())
    near = difflib.get_close_matches(str(name), list(list_names()), 1)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(list_names())}."
    raise Problem(f"There is no {words} named {name!r}.", fix=hint)


def is_fetchable(name: str) -> bool:
    return any(kind.knows(name) for kind in kinds())


def find_fetchable(name: str) -> Fetchable:
    return kind_of(name).fetchable(name)


def describe(name: str, workspace: Workspace) -> Presence:
    thing = find_fetchable(name)
    return Presence(name, thing.about.title, thing.why_not_here(workspace))
