"""The first picture of a clip, as image-to-video models take it: channels behind the noised latents, the same at every noise level.

As `diffusers.WanImageToVideoPipeline` makes them for WAN 2.2, which has no image encoder.
"""

from typing import Protocol

import torch


class PixelEncoder(Protocol):
    """A VAE, as far as pixels are made latents."""

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, 3, F, H, W) in [-1, 1] -> latents (B, C, f, h, w)."""
        ...


def encode_first_picture(vae: PixelEncoder, pixels: torch.Tensor, num_frames: int, temporal_factor: int) -> torch.Tensor:
    """(1, temporal_factor + C, F, h, w): a mask that is 1 in the first latent frame, then the latents of the picture with nothing behind it.

    pixels: (1, 3, 1, H, W) in [-1, 1]; nothing is 0 there, a grey. The mask has a channel for each frame of a latent frame.
    """
    nothing = pixels.new_zeros(1, 3, num_frames - 1, *pixels.shape[3:])
    latents = vae.encode(torch.cat([pixels, nothing], dim=2))
    mask = latents.new_zeros(1, temporal_factor, *latents.shape[2:])
    mask[:, :, 0] = 1
    return torch.cat([mask, latents], dim=1)


def with_condition(x_t: torch.Tensor, condition: torch.Tensor | None) -> torch.Tensor:
    """What the model takes, (B, C + channels, F, h, w): noised latents, and behind them what is given of the clip, if anything is."""
    return x_t if condition is None else torch.cat([x_t, condition.expand(len(x_t), -1, -1, -1, -1)], dim=1)
