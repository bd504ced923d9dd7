"""The transformer's forward pass in three parts, so that somebody else can pass through the blocks between: begin, the blocks, finish.

Together they are WanTransformer3DModel.forward of diffusers 0.42, operation by operation; a test holds them equal to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch

Transformer: TypeAlias = Any  # a WanTransformer3DModel that carries a streamer and a storage report, which torch's types can't say


@dataclass(frozen=True)
class Context:
    """What every block, and the end, needs beside the hidden states.

    text: (B, L, D); time: (B, 6, D), or (B, S, 6, D) with a noise level for each token; rope: (cos, sin); time_embedding: (B, D) or (B, S, D);
    grid: latent (frames, height, width).
    """

    text: torch.Tensor
    time: torch.Tensor
    rope: tuple[torch.Tensor, torch.Tensor]
    time_embedding: torch.Tensor
    grid: tuple[int, int, int]

    @property
    def block_inputs(self) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """As WanTransformerBlock.forward takes them, behind the hidden states."""
        return self.text, self.time, self.rope


def begin(model: Transformer, x_t: torch.Tensor, timestep: torch.Tensor, prompt: torch.Tensor) -> tuple[torch.Tensor, Context]:
    """(hidden states (B, S, D), Context) of noised latents x_t (B, C, F, h, w), timestep (B,) in 0-1000, or (B, S), prompt (B, L, text_dim)."""
    rope = model.rope(x_t)
    hidden = model.patch_embedding(x_t).flatten(2).transpose(1, 2).contiguous()
    length = timestep.shape[1] if timestep.ndim == 2 else None
    embedding, time, text, _ = model.condition_embedder(timestep.flatten(), prompt, None, timestep_seq_len=length)
    _, _, num_frames, height, width = x_t.shape
    return hidden, Context(text, time.unflatten(-1, (6, -1)), rope, embedding, (num_frames, height, width))


def finish(model: Transformer, hidden: torch.Tensor, context: Context) -> torch.Tensor:
    """The model's answer (B, C, F, h, w) from the hidden states behind the last block."""
    embedding = context.time_embedding
    if embedding.ndim == 3:
        shift, scale = (part.squeeze(2) for part in (model.scale_shift_table[None] + embedding.unsqueeze(2)).chunk(2, dim=2))
    else:
        shift, scale = (model.scale_shift_table + embedding.unsqueeze(1)).chunk(2, dim=1)
    hidden = (model.norm_out(hidden.float()) * (1 + scale) + shift).type_as(hidden)
    return unpatchify(model.proj_out(hidden), context.grid, model.config.patch_size)


def unpatchify(tokens: torch.Tensor, grid: Sequence[int], patch_size: Sequence[int]) -> torch.Tensor:
    """(B, S, patch volume * C) -> (B, C, F, h, w)."""
    sizes = [whole // part for whole, part in zip(grid, patch_size)]
    parts = tokens.reshape(len(tokens), *sizes, *patch_size, -1).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return parts.flatten(6, 7).flatten(4, 5).flatten(2, 3)
