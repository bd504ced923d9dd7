"""The embedded model's tokenizer and its UMT5 encoder, which learns together with the denoiser."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from studio.tiny import world

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

WIDTH = 64  # of an embedding
MAX_TOKENS = 64
VOCABULARY = 640


def build_tokenizer(seed: int = 0) -> PreTrainedTokenizerFast:
    """A T5-like tokenizer (pad 0, end 1) on bytes, with merges for the captions' words: any word of any script gets its own ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=["<pad>", "</s>", "<unk>"], initial_alphabet=alphabet, show_progress=False, min_frequency=2
    )
    tokenizer.train_from_iterator(world.list_captions(random.Random(seed)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=MAX_TOKENS
    )


def build_text_encoder(tokenizer: PreTrainedTokenizerFast, seed: int = 0) -> UMT5EncoderModel:
    """An untrained UMT5 encoder for that tokenizer."""
    import torch
    from transformers import UMT5Config, UMT5EncoderModel

    config = UMT5Config(
        vocab_size=len(tokenizer),
        pad_token_id=0,
        eos_token_id=1,
        d_model=WIDTH,
        d_kv=16,
        d_ff=128,
        num_heads=4,
        num_layers=2,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UMT5EncoderModel(config).eval()


def encode_prompts(tokenizer: PreTrainedTokenizerFast, text_encoder: UMT5EncoderModel, texts: list[str]) -> torch.Tensor:
    """(N, MAX_TOKENS, D), zero behind the last token, as the studio's TextEncoder gives them; on the encoder's device, with gradients where they are on."""
    inputs = tokenizer(texts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt").to(text_encoder.device)
    embeds = text_encoder(inputs.input_ids, inputs.attention_mask).last_hidden_state
    return embeds * inputs.attention_mask[..., None]
