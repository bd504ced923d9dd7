"""What the page shows, as types: each component draws the JSON of one View, and a reader of the page gives Views."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from studio.workspace import Workspace

Json = dict[str, Any] | list[Any] | str | int | float | bool | None


class ActingPage(Protocol):
    """What the files below page.py need of the page that they are used on."""

    workspace: Workspace

    def acts(self, event: Any, act: Any) -> None: ...


@dataclass(frozen=True)
class View:
    """What one component, or a part of it, shows. Its JSON has the names of its fields: the component's script reads them."""

    def to_json(self) -> dict[str, Json]:
        return {field.name: as_json(getattr(self, field.name)) for field in dataclasses.fields(self)}


def as_json(value: Any) -> Any:
    """A value as a browser takes it: Views as objects, tuples as lists; what is plain already stays."""
    if isinstance(value, View):
        return value.to_json()
    if isinstance(value, Mapping):
        return {key: as_json(part) for key, part in value.items()}
    return [as_json(part) for part in value] if isinstance(value, (tuple, list)) else value


@dataclass(frozen=True)
class Button(View):
    """A button that does an action.

    name: the action's; run: the run that it is about, or ""; place: where on the page it leads (see `actions`), or "" for what the server does.
    """

    name: str
    label: str
    run: str = ""
    place: str = ""

    @property
    def action(self) -> str:
        """What a browser sends back: the name, and the run that it is about."""
        return f"{self.name}:{self.run}" if self.run else self.name

    def to_json(self) -> dict[str, Json]:
        return {"action": self.action, "label": self.label, "place": self.place}


@dataclass(frozen=True)
class NextStep(View):
    """The one thing to do next in a tab. text: a sentence that goes on after "Next:"; reason: why, in small."""

    text: str
    reason: str = ""
    button: Button | None = None


@dataclass(frozen=True)
class Notice(View):
    """A message above the tabs. tone: "done" or "bad"; cost: what was lost; fix: what to do; project: the slug of whom it is about, or "".

    number: which message of the window it is, so that the same words can be said again.
    """

    text: str
    tone: str
    cost: str = ""
    fix: str = ""
    button: Button | None = None
    project: str = ""
    number: int = 0


@dataclass(frozen=True)
class Troubles(View):
    """What can't be read, and what can be done about it."""

    troubles: tuple[Notice, ...]


@dataclass(frozen=True)
class Remark(View):
    """A sentence beside a control. tone: "remark" for what stands in the way, "muted" for the rest, "" for plain text."""

    text: str
    tone: str = "muted"


@dataclass(frozen=True)
class Remarks(View):
    remarks: tuple[Remark, ...]


@dataclass(frozen=True)
class Shows(View):
    """Whose page a browser shows: comes with what it is about, and goes back with every action.

    made: when that project was made, for another may have taken its slug; unread: numbers of the readers that failed.
    """

    project: str | None = None
    made: float | None = None
    unread: tuple[int, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any] | None) -> Shows:
        return cls(data["project"], data["made"], tuple(data["unread"])) if data else cls()


@dataclass(frozen=True)
class News(View):
    """Another number when the disk says something new."""

    number: int
