"""The graphics cards whose speed is known from data sheets (presets/speeds), found by the names that drivers and people give them. Torch-free.

A name fits a line of the table if it has all of its words and beside them only words that tell no chips apart. So a laptop's chip never passes for
the desktop's, nor a part of a card (MIG) for the whole: a wrong time is worse than none.
"""

import difflib
import functools
import re
from dataclasses import dataclass

from studio.config import load_preset
from studio.errors import Problem
from studio.facts import Facts

# words of a name that never tell two chips apart: who makes it, what it is, how it is plugged in, what its memory is made of
SAME_CHIP = {
    "nvidia",
    "geforce",
    "tesla",
    "amd",
    "radeon",
    "instinct",
    "corporation",
    "graphics",
    "gpu",
    "card",
    "edition",
    "generation",
    "ac",
}
SAME_CHIP |= {"workstation", "sxm", "sxm2", "sxm3", "sxm4", "sxm5", "sxm6", "pcie", "hbm2", "hbm2e", "hbm3", "hbm3e"}
SIZE = re.compile(r"(\d+)g(?:i?b)?")
NUM_NEAR = 4


@dataclass(frozen=True)
class Card:
    """A graphics card by its data sheet. tflops: dense bf16 products, TFLOP/s; pcie: generation and lanes of its plug."""

    name: str
    tflops: float
    vram_gb: float
    memory_gb_per_second: float
    pcie: tuple[int, int]
    has_bf16_units: bool

    @property
    def with_article(self) -> str:
        """ "an RTX 4090", "a T4"."""
        return f"{'an' if self.name[0] in 'AHLMR' else 'a'} {self.name}"


def find_card(name: str) -> Card | None:
    """The card that a driver or a person calls so; None for one that is not in the table. A size in the name is that of the memory."""
    words = _words(name)
    sizes = {word for word in words if SIZE.fullmatch(word)}
    fitting = [key for key, of_key in _table_words().items() if of_key <= words and words - of_key <= SAME_CHIP | sizes]
    return _card(max(fitting, key=lambda key: len(_table_words()[key])), sizes) if fitting else None


def named_card(name: str) -> Card:
    """The card that a person named; Problem with the nearest names if there is none."""
    if card := find_card(name):
        return card
    near = nearest_names(name)
    fix = f"Known names like it: {', '.join(near)}." if near else "Write it as the maker does, for example RTX 4090."
    raise Problem(f"No data sheet of a graphics card named {name!r} is known.", fix=fix)


def nearest_names(name: str) -> list[str]:
    """Names of the table that share the most with this one: first those with a word of it that has digits, else those spelt alike."""
    words = {word for word in _words(name) if any(letter.isdigit() for letter in word) and not SIZE.fullmatch(word)}
    sharing = [key for key, of_key in _table_words().items() if words & of_key]
    if sharing:
        return sorted(sharing, key=lambda key: (len(_table_words()[key] ^ _words(name)), key))[:NUM_NEAR]
    spelt = {" ".join(key.casefold().split()): key for key in _table()}
    return [spelt[key] for key in difflib.get_close_matches(name.casefold(), spelt, NUM_NEAR)]


def why_no_time(name: str) -> str:
    """What to do where a card is not in the table."""
    near = nearest_names(name)
    like = f", for example {near[0]}" if near else ""
    return f"Rehearse measures it in minutes, and `plan --gpu NAME` reckons with a card like it{like}"


def _words(name: str) -> frozenset[str]:
    """The words of a name, split at spaces and dashes, and where somebody left out the space: rtx4090."""
    return frozenset(re.findall(r"[a-z0-9]+", re.sub(r"\b(rtx|rx)(?=\d)", r"\1 ", name.casefold())))


@dataclass(frozen=True, kw_only=True)
class _Line(Facts):
    """A line of the table. vram_gb: the sizes it is sold in, the usual one first; gb_per_second: of its memory."""

    tflops: float
    vram_gb: tuple[float, ...]
    gb_per_second: float
    pcie: tuple[int, ...]
    bf16_units: bool = True


@functools.cache
def _table() -> dict[str, _Line]:
    return {
        name: _Line.from_json(line, f"presets/speeds/gpus.toml, {name}") for name, line in load_preset("speeds", "gpus")["cards"].items()
    }


@functools.cache
def _table_words() -> dict[str, frozenset[str]]:
    return {key: _words(key) for key in _table()}


def _card(key: str, sizes: set[str]) -> Card:
    """The Card of a line; sizes: words of its name such as 40gb, of which one may be a size that it is sold in."""
    line = _table()[key]
    named = {int(word.rstrip("gib")) for word in sizes}
    vram = next((size for size in line.vram_gb if size in named), line.vram_gb[0])
    generation, lanes = line.pcie
    return Card(key, line.tflops, vram, line.gb_per_second, (generation, lanes), line.bf16_units)
