"""Turns prompts into token numbers: with the tokenizer of a diffusers folder, or the one inside ComfyUI's text encoder file."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch

from studio.errors import Problem
from studio.models.catalogue import BaseModel
from studio.models.files.weight_files import read_header

if TYPE_CHECKING:
    from transformers import BatchEncoding

PAD, END = 0, 1  # as UMT5 was trained with


class SentencePieceTokenizer:
    """Called as WanPipeline calls a tokenizer of transformers; always pads and cuts to max_length, with the end mark last."""

    def __init__(self, model_proto: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self.pieces = SentencePieceProcessor(model_proto=model_proto)

    def __call__(self, texts: Iterable[str], *, max_length: int, **_: Any) -> "BatchEncoding":
        """BatchEncoding of input_ids and attention_mask, both (N, max_length)."""
        from transformers import BatchEncoding

        tokens = [ids[: max_length - 1] + [END] for ids in self.pieces.encode(list(texts))]
        input_ids = torch.tensor([ids + [PAD] * (max_length - len(ids)) for ids in tokens])
        mask = torch.tensor([[1] * len(ids) + [0] * (max_length - len(ids)) for ids in tokens])
        return BatchEncoding({"input_ids": input_ids, "attention_mask": mask})


def load_tokenizer(base: BaseModel) -> Callable[..., Any]:
    """The tokenizer of a base model."""
    place = base.source.tokenizer
    if place.is_dir():
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(place, local_files_only=True)
    try:
        return SentencePieceTokenizer(read_header(place).read_bytes("spiece_model"))
    except (KeyError, ValueError, RuntimeError) as e:
        raise Problem(
            f"The list of words (spiece_model) in {place.name} can't be read ({e}).", fix="Download that file again, from ComfyUI's own."
        ) from None
