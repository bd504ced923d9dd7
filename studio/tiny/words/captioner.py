"""Builds the tiny captioner: a real Qwen3-VL model with its processor, small enough for two CPU cores."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from studio.config import list_presets, load_preset
from studio.data.captions.writing.instructions import instruction
from studio.tiny import world

if TYPE_CHECKING:
    import torch
    from transformers import Qwen2Tokenizer, Qwen3VLForConditionalGeneration, Qwen3VLProcessor

VOCAB_SIZE = 1024  # 256 bytes, the special tokens, and merges learned from the texts
SIDE = 20  # pixels of a square picture as the model sees it: one for each cell of the pixel world
# All patches of such a picture become one token, by a layer that weighs every place on its own: with a hundred tokens a picture,
# the direction of a face was still a guess after 8,000 pictures, and this way it is mostly right.
PATCH_SIZE, MERGE_SIZE = 5, 4
TEMPORAL_PATCH = 1  # a token for each frame: where two frames share one, the view of a person who walks through them is hardly learned
NUM_FRAMES = 8  # of a clip, as studio.data.captions.writing.writer reads it
TEXT_WIDTH, VISION_WIDTH = 96, 64
TEXT = dict(
    hidden_size=TEXT_WIDTH,
    intermediate_size=256,
    num_hidden_layers=3,
    num_attention_heads=3,
    num_key_value_heads=1,
    head_dim=32,
    max_position_embeddings=4096,
    initializer_range=0.05,
)
VISION = dict(hidden_size=VISION_WIDTH, intermediate_size=256, depth=4, num_heads=4, deepstack_visual_indexes=[], initializer_range=0.1)
SHAPE = {"text": TEXT, "vision": VISION, "side": SIDE, "patch": PATCH_SIZE, "temporal_patch": TEMPORAL_PATCH, "merge": MERGE_SIZE}
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
CHAT_TEMPLATE = """\
{%- for message in messages -%}
{{ '<|im_start|>' + message.role + '\\n' }}
{%- if message.content is string -%}
{{ message.content }}
{%- else -%}
{%- for part in message.content -%}
{%- if part.type == 'image' -%}
{{ '<|vision_start|><|image_pad|><|vision_end|>' }}
{%- elif part.type == 'video' -%}
{{ '<|vision_start|><|video_pad|><|vision_end|>' }}
{%- elif part.type == 'text' -%}
{{ part.text }}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- endif -%}
"""


def build_untaught_captioner(folder: Path, texts: list[str] | None = None, seed: int = 0) -> Path:
    """Write the tiny captioner with random weights into `folder` (transformers layout) and return the folder.

    texts: what its words are learned from, else `list_texts()`; any other text is spelled in bytes. The same texts and seed give the same files.
    """
    texts = list_texts() if texts is None else list(texts)
    if not texts:
        raise ValueError("texts is empty; give the texts whose words the tiny captioner should know")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _train_tokenizer(texts)
    _build_processor(tokenizer).save_pretrained(folder)
    _build_model(tokenizer, seed).save_pretrained(folder)
    return folder


def list_texts(seed: int = 0) -> list[str]:
    """What it is asked and what it answers: captions of the pixel world, and the instructions of every style, often enough to become words."""
    asked = [instruction(load_preset("captions", style), kind) + "\n" for style in list_presets("captions") for kind in ("photo", "clip")]
    return [*world.list_captions(random.Random(seed)), *(["PERSON: \nSCENE: "] + asked) * 20]


def _train_tokenizer(texts: list[str]) -> Qwen2Tokenizer:
    """Qwen's own byte-level tokenizer, with merges learned from the texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import Qwen2Tokenizer

    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = Qwen2Tokenizer().backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        min_frequency=2,
        show_progress=False,
    )
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())["model"]
    vocab = dict(sorted(learned["vocab"].items(), key=lambda item: item[1]))
    return Qwen2Tokenizer(
        vocab=vocab,
        merges=[tuple(pair) for pair in learned["merges"]],  # pyright: ignore[reportArgumentType]: transformers says str, its BPE takes pairs
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token=None,  # pyright: ignore[reportArgumentType]: bytes leave nothing unknown; transformers allows it and says str
        additional_special_tokens=list(SPECIAL_TOKENS),
        model_max_length=4096,
    )


class _Patches(TypedDict):
    """How pictures become patches, as transformers' processors of pictures and of clips take it."""

    patch_size: int
    merge_size: int
    temporal_patch_size: int
    image_mean: list[float]
    image_std: list[float]


def _build_processor(tokenizer: Qwen2Tokenizer) -> Qwen3VLProcessor:
    """Any picture becomes one of about SIDE x SIDE pixels, an exact square where it is square; a clip's frames too."""
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    shared: _Patches = {
        "patch_size": PATCH_SIZE,
        "merge_size": MERGE_SIZE,
        "temporal_patch_size": TEMPORAL_PATCH,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    low, high = round(0.9 * SIDE**2), round(1.1 * SIDE**2)  # room for rounding to whole tokens
    images = Qwen2VLImageProcessor(**shared, size={"shortest_edge": low, "longest_edge": high})
    frames = {"shortest_edge": NUM_FRAMES * low, "longest_edge": NUM_FRAMES * high}
    videos = Qwen3VLVideoProcessor(**shared, size=frames, cap_pixels_per_frame=False)
    return Qwen3VLProcessor(image_processor=images, tokenizer=tokenizer, video_processor=videos, chat_template=CHAT_TEMPLATE)


def _build_model(tokenizer: Qwen2Tokenizer, seed: int) -> Qwen3VLForConditionalGeneration:
    import torch
    from transformers import GenerationConfig, Qwen3VLConfig, Qwen3VLForConditionalGeneration

    ids = tokenizer.get_vocab()
    config = Qwen3VLConfig(
        text_config=dict(
            **TEXT,
            vocab_size=len(tokenizer),
            rope_parameters=dict(rope_type="default", rope_theta=10_000.0, mrope_section=[6, 5, 5], mrope_interleaved=True),
            tie_word_embeddings=True,
            eos_token_id=ids["<|im_end|>"],
            pad_token_id=ids["<|endoftext|>"],
        ),
        vision_config=dict(
            **VISION,
            patch_size=PATCH_SIZE,
            spatial_merge_size=MERGE_SIZE,
            temporal_patch_size=TEMPORAL_PATCH,
            out_hidden_size=TEXT_WIDTH,
            num_position_embeddings=(SIDE // PATCH_SIZE) ** 2,
            rope_parameters=dict(rope_type="axial", rope_theta=100.0),  # of a grid this small
        ),
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=True,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Qwen3VLForConditionalGeneration(config).eval()
    model.model.visual.pos_embed.weight.data.copy_(_make_positions(SIDE // PATCH_SIZE, VISION_WIDTH))
    model.generation_config = GenerationConfig(
        do_sample=False, eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], pad_token_id=ids["<|endoftext|>"]
    )
    return model


def _make_positions(side: int, width: int) -> torch.Tensor:
    """(side * side, width): sines and cosines of row and column, as strong as a patch's own values, so that places differ from the first step on."""
    import torch

    place = torch.arange(side) / side
    waves = 2 * torch.pi * place[:, None] * torch.linspace(0.25, side / 4, width // 4)  # (side, width / 4)
    line = torch.cat([waves.sin(), waves.cos()], 1)
    return torch.cat([line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)], 2).reshape(side * side, width)
