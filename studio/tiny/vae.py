"""The embedded model's VAE, set by hand instead of trained: it keeps the mean colour of every 4 x 4 pixel cell of every frame.

The residual branches are zero, so the network is linear up to its output norms; those are made linear by a large constant beside the signal.
Four frames of three colours become twelve latent channels: brightness, red against blue and green against both, each as a mean over the frames and
three differences between frames (Haar's wavelets). Differences are made large, so that what moves weighs in a clip about as much as what stays: with
colours and frames mixed in every channel, movement was 4 % of the variance and was not learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

CONSTANT = 200.0  # the larger, the more linear: the error is about |signal| / CONSTANT
SILU_LINEAR = 20.0  # silu(x) = x to float precision around here
LOG_VARIANCE = -10.0
COLOURS = ((1 / 3, 1 / 3, 1 / 3), (0.5, 0.0, -0.5), (-0.25, 0.5, -0.25))  # of red, green and blue
# Of the four frames, the last one first, as the encoder puts them.
FRAMES = ((0.25, 0.25, 0.25, 0.25), (0.25, 0.25, -0.25, -0.25), (0.5, -0.5, 0.0, 0.0), (0.0, 0.0, 0.5, -0.5))
STILL = slice(0, 3)  # the channels of the means over frames
MOVING_DEVIATION = 0.35  # of a difference's channel over photos and clips: few cells move, and with 1 these outweigh everything else


@torch.no_grad()
def build_vae(groups: list[torch.Tensor]) -> tuple[AutoencoderKLWan, list[torch.Tensor]]:
    """(AutoencoderKLWan, latents) for batches of pixels [(B, 3, F, H, W)] in [-1, 1].

    The latents [(B, C, f, h, w)], normalised as the VAE's config says, have zero mean; colours deviate by 1, their differences by MOVING_DEVIATION.
    """
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

    vae = AutoencoderKLWan(
        base_dim=8,
        z_dim=12,
        dim_mult=[1, 2, 2],
        num_res_blocks=1,
        attn_scales=[],
        temperal_downsample=[True, True],
        scale_factor_spatial=4,
        scale_factor_temporal=4,
    )
    vae.eval().requires_grad_(False)
    for name, p in vae.named_parameters():
        p.fill_(1.0 if name.endswith("gamma") else 0.0)
    analysis = torch.kron(torch.tensor(FRAMES), torch.tensor(COLOURS))
    _set_encoder(vae, analysis)
    _set_decoder(vae, analysis)
    raw = [vae.encode(pixels, return_dict=False)[0].mode() for pixels in groups]
    std, mean = torch.std_mean(torch.cat([z.transpose(0, 1).flatten(1) for z in raw], 1), 1)
    std[STILL.stop :] /= MOVING_DEVIATION
    mean, std = ([round(v, 4) for v in values.tolist()] for values in (mean, std))
    vae.register_to_config(latents_mean=mean, latents_std=std)
    mean, std = (torch.tensor(v).view(1, -1, 1, 1, 1) for v in (mean, std))
    return vae, [(z - mean) / std for z in raw]


def _set_encoder(vae: AutoencoderKLWan, analysis: torch.Tensor) -> None:
    """Colours -> 2 x 2 means, two frames side by side in the channels, twice -> latents. A single frame is repeated."""
    get = vae.get_parameter
    _set_tap(get("encoder.conv_in.weight"), range(3))
    for place, width in ((1, 3), (3, 6)):  # of the blocks that make it smaller; residual blocks are between them
        halve = get(f"encoder.down_blocks.{place}.resample.1.weight")
        for target in range(2 * width):
            halve[target, target % width, :2, :2] = 0.25
        split = get(f"encoder.down_blocks.{place}.time_conv.weight")
        for channel in range(width):
            split[channel, channel, 2] = 1.0  # the later frame
            split[width + channel, channel, 1] = 1.0  # the earlier frame
    _set_tap(get("encoder.down_blocks.2.conv_shortcut.weight"), range(6))
    get("encoder.mid_block.resnets.1.conv2.bias").fill_(CONSTANT)
    get("encoder.norm_out.gamma").fill_(SILU_LINEAR)
    gain = CONSTANT / SILU_LINEAR
    weight = get("encoder.conv_out.weight")[:, :, -1, 1, 1]
    weight[:12, :12] = analysis * gain
    weight[:12, 12:] = -analysis.sum(1, keepdim=True) * gain / 4  # minus the constant, read from the four spare channels
    get("encoder.conv_out.bias")[12:] = LOG_VARIANCE
    _set_tap(get("quant_conv.weight"), range(24))


def _set_decoder(vae: AutoencoderKLWan, analysis: torch.Tensor) -> None:
    """The way back: undo the analysis, split the channels into frames, repeat pixels, twice."""
    get = vae.get_parameter
    _set_tap(get("post_quant_conv.weight"), range(12))
    get("decoder.conv_in.weight")[:12, :, -1, 1, 1] = torch.linalg.pinv(analysis)
    for place, width in ((0, 6), (1, 3)):
        split = get(f"decoder.up_blocks.{place}.upsamplers.0.time_conv.weight")  # (two frames of all channels, channels, 3, 1, 1)
        double = get(f"decoder.up_blocks.{place}.upsamplers.0.resample.1.weight")
        for channel in range(width):
            split[channel, width + channel, -1] = 1.0  # the earlier frame
            split[split.shape[1] + channel, channel, -1] = 1.0  # the later frame
            double[channel, channel, 1, 1] = 1.0
    _set_tap(get("decoder.up_blocks.1.resnets.0.conv_shortcut.weight"), range(6))
    get("decoder.up_blocks.2.resnets.1.conv2.bias").fill_(CONSTANT)
    get("decoder.norm_out.gamma").fill_(SILU_LINEAR)
    gain = CONSTANT / SILU_LINEAR
    weight = get("decoder.conv_out.weight")[:, :, -1, 1, 1]
    weight[:, :3] = torch.eye(3) * gain
    weight[:, 3:] = -gain / 5


def _set_tap(weight: torch.Tensor, channels: Iterable[int]) -> None:
    """Copy channels through a causal convolution: its last frame, its middle pixel."""
    middle = weight.shape[-1] // 2
    for channel in channels:
        weight[channel, channel, -1, middle, middle] = 1.0
