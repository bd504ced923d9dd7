"""Where a base model stops reading a prompt: counted by its own tokenizer, without torch, and only for prompts long enough to be cut."""

import bisect
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import Problem
from studio.models.catalogue import find_model
from studio.models.files.weight_files import read_header
from studio.models.preset import model_preset
from studio.workspace import Workspace


@dataclass(frozen=True)
class PromptReader:
    """What counts the tokens of a base model. place: its tokenizer folder, or ComfyUI's text encoder file."""

    place: Path
    prompt_tokens: int

    def num_characters_read(self, prompt: str) -> int:
        """How many characters of a prompt the model sees; all of them, unless it is cut."""
        if not may_be_cut(prompt, self.prompt_tokens):
            return len(prompt)
        return _num_read(self.place, prompt, self.prompt_tokens - 1)  # the last one is the end mark

    def unread(self, prompt: str) -> str:
        """The end of a prompt that the model does not see; "" unless it is cut."""
        return prompt[self.num_characters_read(prompt) :]

    def num_tokens(self, prompt: str) -> int:
        """How many tokens the model makes of a prompt, its mark at the end counted."""
        return _num_tokens(self.place, prompt) + 1


def may_be_cut(prompt: str, prompt_tokens: int) -> bool:
    """Whether a prompt can be longer than that: a token holds at least one byte; a mark begins the prompt, and one ends it."""
    return len(prompt.encode()) + 2 > prompt_tokens


def find_prompt_reader(base_model: str, workspace: Workspace) -> PromptReader | None:
    """None while the base model is not on this computer: nobody can count its tokens then."""
    try:
        return PromptReader(find_model(base_model, workspace).source.tokenizer, model_preset(base_model).max_prompt_tokens)
    except (Problem, OSError):
        return None


@functools.lru_cache(maxsize=16_384)
def _num_tokens(place: Path, prompt: str) -> int:
    return _counter(place)(prompt)


@functools.lru_cache(maxsize=4096)
def _num_read(place: Path, prompt: str, most: int) -> int:
    """The length of the longest beginning of the prompt that has no more than `most` tokens."""
    count = _counter(place)
    if count(prompt) <= most:
        return len(prompt)
    return bisect.bisect_right(range(len(prompt)), most, key=lambda end: count(prompt[: end + 1]))


def _counter(place: Path) -> Callable[[str], int]:
    if (place / "tokenizer.json").is_file() and not (place / "spiece.model").is_file():
        tokenizer = _fast_tokenizer(place / "tokenizer.json")
        return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
    pieces = _sentencepiece(place)
    return lambda text: len(pieces.encode(text))


@functools.lru_cache(maxsize=2)
def _fast_tokenizer(file: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(file))


@functools.lru_cache(maxsize=2)
def _sentencepiece(place: Path) -> Any:
    from sentencepiece import SentencePieceProcessor

    if place.is_dir():
        return SentencePieceProcessor(model_file=str(place / "spiece.model"))
    return SentencePieceProcessor(model_proto=read_header(place).read_bytes("spiece_model"))
