"""The embedded denoiser: one network trained over all noise levels, then two experts that go on from it, each in its own range."""

import functools
import random

import torch
import torch.nn.functional as F

from studio.config import TimestepConfig
from studio.tiny.samples import CAPTIONS, Codec, Pool
from studio.tiny.stage import muon_and_adamw, run_stage
from studio.tiny.text import build_text_encoder, build_tokenizer, encode_prompts
from studio.training.flow import Timesteps, add_noise, velocity
from studio.training.randomness import generator

TRANSFORMER = dict(
    patch_size=(1, 2, 2),
    num_attention_heads=4,
    attention_head_dim=48,
    in_channels=16,
    out_channels=16,
    text_dim=64,
    freq_dim=64,
    ffn_dim=768,
    num_layers=6,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
    rope_max_seq_len=64,
)
BOUNDARY = 0.875
RANGES = {"high_noise": (BOUNDARY, 1.0), "low_noise": (0.0, BOUNDARY)}
PHOTOS, CLIPS = 32, 12  # of a batch
CLIP_SHARE = 0.4  # of the steps
# Noise levels are uniform with a shift towards noise. Four frames of three colours fill sixteen channels, so that a picture shines through noise
# that would hide a photo; captions are needed, and learned, at the highest levels only. Hence the second lesson, with more whole captions.
WHOLE_CAPTIONS = CAPTIONS | dict(nobody=0.12, partly=0.12, phrase=0.05)
LESSONS = [dict(start=0, shift=3.0, captions=CAPTIONS), dict(start=743, shift=8.0, captions=WHOLE_CAPTIONS)]
EXPERT = dict(learning_rate=1.5e-3, down=0.6, average=0.99, num_photos=30_000, num_clips=8_000)
# What the views, eyes and gestures are told by is a few cells, so that the plain mean square error hardly speaks of them: here the person weighs more.
ROUND_2 = EXPERT | dict(warm_up=19.2, person_weight=4.0, compiled=True)
PLANS = {
    # The base keeps its learning rate to the end, and its averaged weights are what the experts begin with; theirs goes down.
    "base": dict(steps=1157, warm_up=78, down=0.0, learning_rate=2e-3, average=0.998, num_photos=40_000, num_clips=10_000, lessons=LESSONS),
    "high_noise": EXPERT | dict(steps=480, lessons=[dict(start=0, shift=8.0, captions=WHOLE_CAPTIONS)]),
    "low_noise": EXPERT | dict(steps=440, lessons=[dict(start=0, shift=4.0, captions=WHOLE_CAPTIONS)]),
    "high_noise_2": ROUND_2 | dict(steps=320, lessons=[dict(start=0, shift=8.0, captions=WHOLE_CAPTIONS)]),
    "low_noise_2": ROUND_2 | dict(steps=320, lessons=[dict(start=0, shift=4.0, captions=WHOLE_CAPTIONS)]),
}


def build_transformer(seed=0):
    """An untrained WanTransformer3DModel whose blocks' gates stand open: they learn from the first step."""
    from diffusers import WanTransformer3DModel

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WanTransformer3DModel(**TRANSFORMER)
    with torch.no_grad():
        for block in model.blocks:
            block.scale_shift_table[:, (2, 5)] += 0.5  # the gates of self-attention and of the feed-forward part
    return model


def train_base(work_dir, vae, *, seed=0, report=print, steps=None, **stage):
    """(transformer, text encoder, finished): trained together over all noise levels; `vae` is the studio's Vae."""
    plan = PLANS["base"] | {"name": "base", "seed": seed} | ({"steps": steps} if steps else {})
    tokenizer = build_tokenizer(seed)
    model, text_encoder = build_transformer(seed), build_text_encoder(tokenizer, seed)
    modules = {"transformer": model, "text_encoder": text_encoder}
    train_step = _DenoisingStep(plan, model, lambda texts: encode_prompts(tokenizer, text_encoder, texts), Codec(vae), (0.0, 1.0))
    finished = _run(work_dir, plan, modules, train_step, report, stage)
    return model, text_encoder, finished


def train_expert(work_dir, name, base, text_encoder, vae, *, seed=0, report=print, steps=None, **stage):
    """(transformer, finished): the base network, trained on in the range of one expert; the text encoder stays as it is."""
    plan = PLANS[name] | {"name": name, "seed": seed, "from": _fingerprint(base)} | ({"steps": steps} if steps else {})
    tokenizer = build_tokenizer(seed)
    model = build_transformer(seed)
    model.load_state_dict(base.state_dict())

    @torch.no_grad()
    def embed(texts):
        return encode_prompts(tokenizer, text_encoder, texts)

    train_step = _DenoisingStep(plan, model, embed, Codec(vae), RANGES[name.removesuffix("_2")])
    return model, _run(work_dir, plan, {"transformer": model}, train_step, report, stage)


def finish_expert(work_dir, expert, base, text_encoder, vae, **options):
    """(transformer, finished): `train_expert`, and then its second round."""
    model, finished = train_expert(work_dir, expert, base, text_encoder, vae, **options)
    return train_expert(work_dir, f"{expert}_2", model, text_encoder, vae, **options) if finished else (model, False)


def _run(work_dir, plan, modules, train_step, report, stage):
    optimizers = muon_and_adamw(modules, learning_rate=plan["learning_rate"])
    return run_stage(work_dir / plan["name"], plan, modules, optimizers, train_step, average=plan["average"], report=report, **stage)


class _DenoisingStep:
    """Loss of one batch: photos or clips, noised at levels of a range; all of it a function of (seed, stage, step)."""

    def __init__(self, plan, model, embed, codec, sigma_range):
        self.plan, self.embed, self.codec = plan, embed, codec
        self.network = torch.compile(model, dynamic=False) if plan.get("compiled") else model  # 1.7 times as fast on a processor
        self.lessons = [
            (lesson, Timesteps(TimestepConfig(distribution="shift", shift=lesson["shift"]), *sigma_range)) for lesson in plan["lessons"]
        ]

    @functools.cached_property
    def pool(self):
        """Drawn when the first step needs it: a finished stage needs none."""
        return Pool(f"{self.plan['seed']} {self.plan['name']}", self.plan["num_photos"], self.plan["num_clips"])

    def __call__(self, step):
        key = (self.plan["seed"], self.plan["name"], step)
        rng, draw = random.Random(repr(key)), generator(*key)
        clips = rng.random() < CLIP_SHARE
        lesson, timesteps = next(pair for pair in reversed(self.lessons) if pair[0]["start"] <= step)
        chosen, cells, texts = self.pool.batch(clips, CLIPS if clips else PHOTOS, rng, lesson["captions"])
        latents = self.codec.encode(cells)
        noise = torch.randn(latents.shape, generator=draw)
        sigma = timesteps.sample(len(latents), draw).float()
        x_t = add_noise(latents, noise, sigma.view(-1, 1, 1, 1, 1))
        answer = self.network(x_t, sigma * 1000, self.embed(texts), return_dict=False)[0]
        if "person_weight" not in self.plan:
            return F.mse_loss(answer, velocity(latents, noise))
        weights = 1 + (self.plan["person_weight"] - 1) * self.pool.masks(clips, chosen)[:, None]
        return ((answer - velocity(latents, noise)).square() * weights / weights.mean()).mean()


def _fingerprint(model):
    """A short hash of a model's weights."""
    import hashlib

    digest = hashlib.sha256()
    for key, tensor in sorted(model.state_dict().items()):
        digest.update(key.encode() + tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]
