"""What the large picture shows: its facts, its caption, why it is in or out, and what is known of it beyond."""

from dataclasses import dataclass

from studio.data.item_record import Item
from studio.ui.dataset.pictures.closer_look import Closer
from studio.ui.views import View

SOURCES = {"hand": "written by you", "auto": "written by the studio", "imported": "came with the file", "": "not written yet"}


@dataclass(frozen=True)
class Viewer(View):
    """The large picture with its caption. version: of its file; problems: what is wrong with the caption; problem: why it can't be used."""

    id: str
    project: str
    version: str
    kind: str
    src: str
    poster: str
    width: int
    height: int
    seconds: float | None
    facts: tuple[str, ...]
    caption: str
    source: str
    class_prompt: str
    problems: tuple[str, ...]
    unread: str  # the end of the caption that the base model does not see
    others: tuple[str, ...]  # captions that came with it and are not used
    placeholder: str
    keep: bool
    is_by_hand: bool  # the decision
    reason: str
    doubts: str
    problem: str
    closer: Closer


def describe_media(item: Item) -> tuple[str, ...]:
    facts = [f"{item.width} x {item.height} px"]
    if item.kind == "clip":
        facts += [f"{item.seconds:.1f} s", f"{item.fps:.3g} frames a second"]
    return tuple(facts + ([item.original] if item.original else []))
