"""Traits of a person that may change from photo to photo or not: each is learned as the person, and in no caption, or it is named in captions."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from studio.config import list_presets, load_preset
from studio.facts import Facts

LEARN, NAME = "learn", "name"
CHOICES = (LEARN, NAME)


@dataclass(frozen=True, kw_only=True)
class Trait(Facts):
    """A file of presets/traits. noun: in "Do not mention ..."; ask: what the captioner is asked where it is to be named; words: that name it."""

    name: str  # of the file
    title: str
    help: str
    order: int
    default: str  # of CHOICES
    noun: str
    ask: str
    words: tuple[str, ...]


@dataclass(frozen=True)
class ChosenTraits:
    """What a person decided. named: only what they decided themselves; what is named by default is said where the captioner says it, unasked."""

    learned: tuple[Trait, ...]
    named: tuple[Trait, ...] = ()

    @property
    def forbidden_words(self) -> tuple[str, ...]:
        """That may be in no automatic caption."""
        return tuple(word for trait in self.learned for word in trait.words)


@functools.cache
def list_traits() -> tuple[Trait, ...]:
    """Every trait there is. ValueError names the file and the field that is damaged."""
    found = [_read_trait(name, load_preset("traits", name)) for name in list_presets("traits")]
    return tuple(sorted(found, key=lambda trait: trait.order))


def _read_trait(name: str, data: dict[str, Any]) -> Trait:
    where = f"presets/traits/{name}.toml"
    trait = Trait.from_json(data | {"name": name}, where)
    if trait.default not in CHOICES:
        raise ValueError(f"{where} is damaged: default must be one of {', '.join(CHOICES)}, got {trait.default!r}")
    return trait


def choice_of(trait: Trait, choices: Mapping[str, str]) -> str:
    """LEARN or NAME: what the person chose, else the default."""
    return choices[trait.name] if choices.get(trait.name) in CHOICES else trait.default


def choose_traits(choices: Mapping[str, str]) -> ChosenTraits:
    """choices: {name of a trait: LEARN or NAME}, as a project's facts hold them."""
    traits = list_traits()
    learned = tuple(trait for trait in traits if choice_of(trait, choices) == LEARN)
    return ChosenTraits(learned, tuple(trait for trait in traits if choices.get(trait.name) == NAME))


def check_choice(name: str, choice: str) -> Trait:
    """The trait of that name. ValueError if there is none, or no such choice."""
    trait = next((trait for trait in list_traits() if trait.name == name), None)
    if trait is None or choice not in CHOICES:
        known = ", ".join(trait.name for trait in list_traits())
        raise ValueError(f"{name} can't be set to {choice!r}; the traits are {known}, each {LEARN} or {NAME}")
    return trait
