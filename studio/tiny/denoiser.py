"""The embedded denoiser: one network trained over all noise levels, then two experts that go on from it, each in its own range."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import torch

from studio.config import TimestepConfig
from studio.tiny.lessons import CAPTIONS, Codec, Pool
from studio.tiny.stage import Interruption, Plan, muon_and_adamw, run_stage
from studio.tiny.words.text import encode_prompts
from studio.training.step.flow import Timesteps, add_noise, velocity
from studio.training.step.randomness import generator

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel
    from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

    from studio.models.loading import Vae

TRANSFORMER: dict[str, Any] = dict(  # as diffusers takes it, and writes it into config.json
    patch_size=(1, 2, 2),
    num_attention_heads=4,
    attention_head_dim=48,
    in_channels=12,
    out_channels=12,
    text_dim=64,
    freq_dim=64,
    ffn_dim=768,
    num_layers=6,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
    rope_max_seq_len=64,
)
BOUNDARY = 0.875
RANGES = {"base": (0.0, 1.0), "high_noise": (BOUNDARY, 1.0), "low_noise": (0.0, BOUNDARY)}
PHOTOS, CLIPS = 32, 12  # of a batch
# A base for LoRAs that are named hears names, but what it is asked for it should mostly be told whole.
WHOLE_CAPTIONS = CAPTIONS | dict(nobody=0.12, partly=0.12, phrase=0.05)
# Noise levels are uniform with a shift towards noise, where captions are needed. What tells views, eyes and gestures is a few cells, so that the
# plain mean square error hardly speaks of them: the person's cells weigh more. (More still for the cells
# that another word would change was tried, and was no better.)
COMMON: Plan = dict(
    learning_rate=2e-3, average=0.998, num_photos=40_000, num_clips=10_000, person_weight=4.0, clip_share=0.4, captions=WHOLE_CAPTIONS
)
EXPERT: Plan = COMMON | dict(steps=4000, warm_up=20, down=0.6, clip_share=0.5)
PLANS: dict[str, Plan] = {
    # The base keeps its learning rate to the end, and its averaged weights are what the experts begin with; theirs goes down.
    "base": COMMON | dict(steps=700, warm_up=60, down=0.0, shift=4.0),
    "high_noise": EXPERT | dict(shift=8.0),
    "low_noise": EXPERT | dict(shift=4.0),
}
# What a whole training leaves uncertain, a second one from its weights settles: which way a person looks, and their skin's tone.
SECOND_ROUND: dict[str, Plan] = {
    "low_noise": COMMON | dict(steps=2400, warm_up=40, down=1.0, learning_rate=1e-3, clip_share=0.35, shift=4.0)
}


def build_transformer(seed: int = 0) -> WanTransformer3DModel:
    """An untrained WanTransformer3DModel whose blocks' gates stand open: they learn from the first step."""
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WanTransformer3DModel(**TRANSFORMER)
    with torch.no_grad():
        for block in model.blocks:
            block.get_parameter("scale_shift_table")[:, (2, 5)] += 0.5  # the gates of self-attention and of the feed-forward part
    return model


def train_base(
    work_dir: Path,
    tokenizer: PreTrainedTokenizerFast,
    text_encoder: UMT5EncoderModel,
    vae: Vae,
    *,
    seed: int = 0,
    report: Callable[[str], None] = print,
    device: str | torch.device = "cpu",
    steps: int | None = None,
    **stage: Unpack[Interruption],
) -> tuple[WanTransformer3DModel, bool]:
    """(transformer, finished): trained over all noise levels, on captions that the text encoder can read already; `vae` is the studio's Vae."""
    plan = PLANS["base"] | {"name": "base", "seed": seed, "reads": _fingerprint(text_encoder)} | ({"steps": steps} if steps else {})
    model = build_transformer(seed)
    return model, _run(work_dir, plan, model, tokenizer, text_encoder, vae, report, device, stage)


def train_expert(
    work_dir: Path,
    name: str,
    base: WanTransformer3DModel,
    tokenizer: PreTrainedTokenizerFast,
    text_encoder: UMT5EncoderModel,
    vae: Vae,
    *,
    seed: int = 0,
    report: Callable[[str], None] = print,
    device: str | torch.device = "cpu",
    steps: int | None = None,
    **stage: Unpack[Interruption],
) -> tuple[WanTransformer3DModel, bool]:
    """(transformer, finished): the base network, trained on in the range of one expert, in one or two rounds."""
    model, finished = build_transformer(seed), True
    model.load_state_dict(base.state_dict())
    for number, plan in enumerate((PLANS[name], SECOND_ROUND.get(name)), 1):
        if plan and finished:
            folder = {"folder": f"{name}-{number}"} if number > 1 else {}
            plan = plan | {"name": name, "seed": seed, "from": _fingerprint(model)} | folder | ({"steps": steps} if steps else {})
            finished = _run(work_dir, plan, model, tokenizer, text_encoder, vae, report, device, stage)
    return model, finished


def _run(
    work_dir: Path,
    plan: Plan,
    model: WanTransformer3DModel,
    tokenizer: PreTrainedTokenizerFast,
    text_encoder: UMT5EncoderModel,
    vae: Vae,
    report: Callable[[str], None],
    device: str | torch.device,
    stage: Interruption,
) -> bool:
    _place(device, text_encoder, model)

    @torch.no_grad()
    def embed(texts: list[str]) -> torch.Tensor:
        return encode_prompts(tokenizer, text_encoder, texts)

    modules = {"transformer": model}
    optimizers = muon_and_adamw(modules, learning_rate=plan["learning_rate"])
    train_step = _DenoisingStep(work_dir, plan, model, embed, Codec(vae), device)
    finished = run_stage(
        work_dir / plan.get("folder", plan["name"]), plan, modules, optimizers, train_step, average=plan["average"], report=report, **stage
    )
    _place("cpu", text_encoder, model)
    return finished


def _place(device: str | torch.device, *networks: torch.nn.Module) -> None:
    for network in networks:
        network.to(device)


class _DenoisingStep:
    """Loss of one batch: photos or clips, noised at levels of a range; all of it a function of (seed, stage, step)."""

    def __init__(
        self,
        work_dir: Path,
        plan: Plan,
        model: torch.nn.Module,
        embed: Callable[[list[str]], torch.Tensor],
        codec: Codec,
        device: str | torch.device,
    ) -> None:
        self.work_dir, self.plan, self.embed, self.codec, self.device = work_dir, plan, embed, codec, device
        self.network = torch.compile(model, dynamic=False)  # 1.7 times as fast on a processor
        self.timesteps = Timesteps(TimestepConfig(distribution="shift", shift=plan["shift"]), *RANGES[plan["name"]])

    @functools.cached_property
    def pool(self) -> Pool:
        """Drawn when the first step asks for it: a finished stage needs none."""
        return Pool(self.work_dir, self.plan["seed"], self.plan["num_photos"], self.plan["num_clips"])

    def __call__(self, step: int) -> torch.Tensor:
        key = (self.plan["seed"], self.plan.get("folder", self.plan["name"]), step)
        rng, draw = random.Random(repr(key)), generator(*key)
        clips = rng.random() < self.plan["clip_share"]
        chosen, cells, texts = self.pool.batch(clips, CLIPS if clips else PHOTOS, rng, self.plan["captions"])
        latents = self.codec.encode(cells)
        noise = torch.randn(latents.shape, generator=draw)
        sigma = self.timesteps.sample(len(latents), draw).float()
        weights = 1 + (self.plan["person_weight"] - 1) * self.pool.masks(clips, chosen)[:, None]
        x_t, target = add_noise(latents, noise, sigma.view(-1, 1, 1, 1, 1)), velocity(latents, noise)
        x_t, t, target, weights = (tensor.to(self.device) for tensor in (x_t, sigma * 1000, target, weights / weights.mean()))
        answer = self.network(x_t, t, self.embed(texts), return_dict=False)[0]
        return ((answer - target).square() * weights).mean()


def _fingerprint(model: torch.nn.Module) -> str:
    """A short hash of a model's weights."""
    import hashlib

    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
