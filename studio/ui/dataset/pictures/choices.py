"""Which pictures the grid shows: the usual choices with their buttons, and those that a cell of the board or a finding leads to."""

from collections.abc import Callable, Mapping, Sequence

from studio.data.coverage.board import ANGLE, ANGLE_WORDS, FRAMING, FRAMING_WORDS, LIGHT, OUTFIT, PLACE, fits
from studio.data.coverage.study import Study
from studio.data.item_record import Item
from studio.data.people.who import CANT_TELL, LOOK, NOBODY, PERSON, STRANGER
from studio.data.remarks import Remark

SHOWN = {
    "all": "All",
    "kept": "Kept",
    "out": "Left out",
    "held-out": "Held out",
    "clips": "Clips",
    "no-caption": "Without caption",
    "remark": "Caption with a remark",
    "doubt": "Kept with a doubt",
    "small": "Kept and small",
}
SCOPES = {"kept": "kept", "out": "left out", "all": ""}  # of a choice by what pictures show: "kept/angle:left+framing:close"
WHO, GROUP = "who", "group"  # "all/who:stranger", "all/group:2": by who is in them
WHO_WORDS = {
    PERSON: "the person",
    LOOK: "perhaps somebody else",
    STRANGER: "somebody else",
    CANT_TELL: "who it is can't be told",
    NOBODY: "no face is seen",
}
_WORDS: Mapping[str, Callable[[str], str]] = {
    ANGLE: lambda value: ANGLE_WORDS[value],
    FRAMING: lambda value: FRAMING_WORDS[value],
    PLACE: lambda value: "about one place",
    OUTFIT: lambda value: "about one outfit",
    WHO: lambda value: WHO_WORDS[value],
    GROUP: lambda value: "one face",
    LIGHT: lambda value: f"light: {value}",
}


def usual_choices(remarks: Mapping[str, Sequence[Remark]], small: frozenset[str]) -> dict[str, Callable[[Item], bool]]:
    """{of SHOWN: whether an item is among them}. remarks: about captions, by id; small: ids."""
    return {
        "all": lambda item: True,
        "kept": lambda item: item.keep,
        "out": lambda item: not item.keep and not item.held_out,
        "held-out": lambda item: item.held_out,
        "clips": lambda item: item.kind == "clip",
        "no-caption": lambda item: not item.caption,
        "remark": lambda item: bool(item.caption and remarks[item.id]),
        "doubt": lambda item: item.keep and bool(item.doubts),
        "small": lambda item: item.keep and item.id in small,
    }


def is_choice(show: str) -> bool:
    """Whether that is a choice at all: a page may be older than the studio."""
    scope, _, key = show.partition("/")
    return show in SHOWN or (scope in SCOPES and all(_is_known(part) for part in key.split("+")))


def _is_known(part: str) -> bool:
    name, _, value = part.partition(":")
    words = {ANGLE: ANGLE_WORDS, FRAMING: FRAMING_WORDS, WHO: WHO_WORDS}
    return bool(value) and (value in words[name] if name in words else name in (PLACE, OUTFIT, LIGHT, GROUP))


def by_what_they_show(show: str, study: Study) -> Callable[[Item], bool]:
    """Whether an item is among those of a choice that is none of the usual ones."""
    scope, _, key = show.partition("/")
    in_scope: dict[str, Callable[[Item], bool]] = {"kept": lambda i: i.keep, "out": lambda i: not i.keep, "all": lambda i: True}
    return lambda item: in_scope[scope](item) and _shows(item, key, study)


def _shows(item: Item, key: str, study: Study) -> bool:
    name, _, value = key.partition(":")
    seen = study.people.seen.get(item.id)
    if name == WHO:
        return seen is not None and seen.who == value
    if name == GROUP:
        groups = study.people.groups
        number = int(value) if value.isdigit() else len(groups)
        return number < len(groups) and any(face.item == item.id for face in groups[number].faces)
    return item.id in study.shown and fits(study.shown[item.id], key)


def describe_choice(show: str) -> str:
    """ "Kept: half turned left, close-up"."""
    scope, _, key = show.partition("/")
    parts = [part.partition(":") for part in key.split("+")]
    words = ", ".join(_WORDS[name](value) for name, _, value in parts)
    said = f"{SCOPES[scope]}: {words}" if SCOPES[scope] else words
    return said[:1].upper() + said[1:]
