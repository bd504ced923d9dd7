"""What a family of captioners is: models that are loaded and asked the same way. Which one a folder's model is of, its config.json says. Torch-free."""

from collections.abc import Collection, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from studio.disk import read_json
from studio.doors import members
from studio.models.captioners import families
from studio.models.fetch.needed import ReadJson

if TYPE_CHECKING:
    from PIL import Image

GIVES = ("fit", "list_missing", "choose_names", "load")
AS_STORED, FOUR_BIT = "", "4-bit"  # how a captioner's weights are kept in memory: bf16 on a graphics card, else as the files have them
AGAIN = "download the model's folder again, every file of it; only safetensors weights are read"


class Fit(IntEnum):
    """How well a family suits a model; the best one has it."""

    NONE = 0
    IN_GENERAL = 1
    MADE_FOR_IT = 2


class Answer(NamedTuple):
    """What a captioner said. is_complete: False where it was cut off at the most words that were asked for."""

    text: str
    is_complete: bool


class Interrupted(Exception):
    """A stop was asked for while a captioner was answering."""


class Captioner(Protocol):
    """A model that is loaded, or a server that has one.

    name, version: what is noted with each caption it writes. sees_movement: False where it looks at one picture of a clip.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def sees_movement(self) -> bool: ...

    def answer(self, pictures: Sequence["Image.Image"], fps: float, instruction: str, max_new_tokens: int, attempt: int = 0) -> Answer:
        """For a photo's one picture (fps 0) or a clip's frames, of which frame i is the one at i / fps seconds.

        The same every time for the same attempt; another attempt may give another answer.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds in memory."""
        ...


class Family(Protocol):
    """What a file in `families` gives. Importing it loads no torch."""

    def fit(self, config: Mapping[str, Any]) -> Fit:
        """How well it suits the model whose folder has this config.json."""
        ...

    def list_missing(self, folder: Path) -> list[str]:
        """What a folder lacks, in words; [] for a whole one. Problem for a damaged file."""
        ...

    def choose_names(self, names: Collection[str], read_json: ReadJson) -> list[str]:
        """Which of a repository's files it needs. Problem that names the first one that is missing."""
        ...

    def load(self, folder: Path, precision: str = AS_STORED) -> Captioner:
        """The captioner in a whole folder, its weights kept so. Problem in words if it can't be loaded."""
        ...


def list_families() -> dict[str, Family]:
    """{name of its file: family}."""
    return {module.__name__.rpartition(".")[2]: cast(Family, module) for module in members(families.__name__, GIVES)}


def family_named(name: str) -> Family:
    """The family that a captioner's preset names. ValueError names those there are."""
    found = list_families()
    if name not in found:
        raise ValueError(f"there is no family of captioners named {name!r}; there are {', '.join(found)}")
    return found[name]


def family_of(folder: Path) -> Family:
    """The family of the captioner in a folder; without a config.json that can be read, the one that says what is wrong with it."""
    try:
        config = read_json(folder / "config.json")
    except (OSError, ValueError):
        config = {}
    return max(list_families().values(), key=lambda family: family.fit(config))
