"""What project.json and workspace.json hold: the facts of a person's project, what the tabs remember in it, and what holds for the workspace."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.facts import Facts

MAX_NAME_CHARACTERS, MAX_NOUN_CHARACTERS = 80, 40
_JOINERS = "\u200c\u200d"  # part of words in some scripts, and of emoji


@dataclass(frozen=True, kw_only=True)
class Permission(Facts):
    """That the person may be trained: the sentence somebody agreed to, and when."""

    ALWAYS_WRITTEN = ("granted", "statement")
    granted: bool = False
    statement: str = ""
    time: float | None = None


@dataclass(frozen=True, kw_only=True)
class TrainChoice(Facts):
    """What the Train form holds beside the recipe's own values. overrides: by dotted names, for example lora.rank."""

    ALWAYS_WRITTEN = ("recipe", "overrides")
    recipe: str = ""
    overrides: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class TakenOver(Facts):
    """Settings from a config of another trainer. without: (name, value, why) of what has no counterpart here."""

    ALWAYS_WRITTEN = ("program", "settings", "without")
    program: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    without: tuple[tuple[str, ...], ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SweepChoice(Facts):
    """What the next comparison draws. pairs: their ids; None for all there are."""

    ALWAYS_WRITTEN = ("settings", "pairs")
    settings: dict[str, Any] = field(default_factory=dict)
    pairs: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class ExportChoice(Facts):
    """What the next export makes. pair: its id; "" for the one in use, else the last one. strength: that its guide names, for the pair
    strength_of alone."""

    to: str = "comfyui"
    pair: str = ""
    photos: bool = False  # whether a bundle holds them
    strength: float | None = None
    strength_of: str = ""


@dataclass(frozen=True, kw_only=True)
class PhotoChoice(Facts):
    """How photos are judged, where that differs from what the studio would do."""

    limits: dict[str, float] = field(default_factory=dict)  # that were moved, by name
    compares_people: bool = True  # whether somebody else is called so


@dataclass(frozen=True, kw_only=True)
class ChosenPair(Facts):
    """The pair that the person took for their own, and the folder with its files for ComfyUI."""

    pair: str
    step: int
    strength: float
    folder: str


@dataclass(frozen=True, kw_only=True)
class Person(Facts):
    """What training and drawing need to know of a project: the word that stands for the person, what they are, and the base model."""

    trigger: str
    class_noun: str
    base_model: str


@dataclass(frozen=True, kw_only=True)
class ProjectFacts(Person):
    """project.json."""

    ALWAYS_WRITTEN = ("permission",)
    name: str
    permission: Permission | None = None  # None: nobody agreed to anything yet
    created: float | None = None  # seconds since 1970
    train_choice: TrainChoice = TrainChoice()
    train_import: TakenOver | None = None
    sweep_choice: SweepChoice = SweepChoice()
    export_choice: ExportChoice = ExportChoice()
    photo_choice: PhotoChoice = PhotoChoice()
    caption_choice: dict[str, Any] = field(default_factory=dict)  # settings of captions that a person changed
    traits: dict[str, str] = field(default_factory=dict)  # {trait of presets/traits: "learn" or "name"}, what a person decided
    sample_prompt: str = ""  # the test prompt of sample clips; "" for the first one
    chosen: ChosenPair | None = None
    lora_format: str = ""  # of exported LoRA files; "" for what suits the program they are for
    dismissed: tuple[str, ...] = ()  # jobs whose result was read
    demo_version: int | None = None  # how far the project "Demo" was filled; None: this is a person's own project

    @property
    def is_permitted(self) -> bool:
        return self.permission is not None and self.permission.granted

    def person(self) -> Person:
        return Person(trigger=self.trigger, class_noun=self.class_noun, base_model=self.base_model)


@dataclass(frozen=True, kw_only=True)
class WorkspaceFacts(Facts):
    """workspace.json: what is remembered of the workspace as a whole."""

    queue_held: bool = False  # no waiting job begins
    hub_mirror: str = ""  # the address that stands in for huggingface.co
    hub_offline: bool = False
    comfyui: str = ""  # the folder that a person named as their ComfyUI's
    last_project: str = ""  # the slug of the one that was shown last, in whatever browser
    demo_created: bool = False  # somebody who deleted the project "Demo" does not want it back


def checked(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts of a project, name and class noun cleaned; ValueError if one can't be used."""
    facts = dict(changes)
    if "name" in facts:
        facts["name"] = _checked_name(facts["name"])
    if "class_noun" in facts:
        facts["class_noun"] = _checked_noun(facts["class_noun"])
    return facts


def _checked_name(text: str) -> str:
    name = clean_line(text)
    if not name:
        raise ValueError("the name is empty; give the person a name, for example Anna")
    if len(name) > MAX_NAME_CHARACTERS:
        raise ValueError(f"the name has {len(name)} characters; use at most {MAX_NAME_CHARACTERS}")
    return name


def _checked_noun(text: str) -> str:
    noun = clean_line(text) or "person"
    if len(noun) > MAX_NOUN_CHARACTERS or not re.fullmatch(r"\w[\w' -]*", noun):
        raise ValueError(f"the class noun {noun[:40]!r} can't be used; say what the person is in a word or two, for example woman")
    return noun


def clean_line(text: str) -> str:
    """Text on one line, without what is not seen: control signs and marks that turn the direction of writing; emoji stay whole."""
    visible = (c for c in text if c in _JOINERS or unicodedata.category(c) not in ("Cf", "Cs", "Co"))
    return " ".join("".join(" " if unicodedata.category(c) == "Cc" else c for c in visible).split())
