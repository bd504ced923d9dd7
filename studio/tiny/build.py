"""Builds the embedded base model: a WAN 2.2-shaped diffusers folder for the pixel world, from a seed, in seconds."""

import random
from pathlib import Path

import numpy as np
import torch

from studio.tiny import world
from studio.tiny.vae import build_vae

TRANSFORMER = dict(
    patch_size=(1, 2, 2),
    num_attention_heads=4,
    attention_head_dim=24,
    in_channels=16,
    out_channels=16,
    text_dim=64,
    freq_dim=64,
    ffn_dim=384,
    num_layers=4,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
    rope_max_seq_len=256,
)
TEXT_ENCODER = dict(d_model=64, d_kv=16, d_ff=128, num_heads=4, num_layers=2, feed_forward_proj="gated-gelu", dropout_rate=0.0)
MAX_TOKENS = 96
BOUNDARY = 0.875
RIDGE = 1e-2
PATCH_GAIN = 4.0


def build_pack(folder, seed=0):
    """Write the whole pack (diffusers layout, and `captioner/`) into an empty `folder`; the same seed gives the same files on the same machine."""
    from diffusers import UniPCMultistepScheduler, WanPipeline

    from studio.tiny.captioner import build_captioner

    folder = Path(folder)
    state = torch.random.get_rng_state()
    try:
        captions = world.list_captions()
        tokenizer = build_tokenizer(captions)
        text_encoder = build_text_encoder(tokenizer, seed)
        clips, texts = draw_samples(seed)
        vae, latents = build_vae(clips, seed)
        prompts = [_encode_prompts(tokenizer, text_encoder, group) for group in texts]
        experts = {
            expert: build_expert(latents, prompts, *sigmas, seed + i)
            for i, (expert, sigmas) in enumerate({"high_noise": (BOUNDARY, 1.0), "low_noise": (0.0, BOUNDARY)}.items())
        }
        pipeline = WanPipeline(
            tokenizer=tokenizer,
            text_encoder=text_encoder,
            vae=vae,
            transformer=experts["high_noise"],
            transformer_2=experts["low_noise"],
            scheduler=UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0),
            boundary_ratio=BOUNDARY,
        )
        pipeline.save_pretrained(folder, safe_serialization=True)
        build_captioner(folder / "captioner", captions)
    finally:
        torch.random.set_rng_state(state)
    return folder


def build_tokenizer(captions):
    """A T5-like tokenizer (pad 0, end 1) on bytes, with merges for the captions' words: any word of any script gets its own ids."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=640, special_tokens=["<pad>", "</s>", "<unk>"], initial_alphabet=alphabet, show_progress=False, min_frequency=2
    )
    tokenizer.train_from_iterator(captions, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=MAX_TOKENS
    )


def build_text_encoder(tokenizer, seed):
    """A UMT5 encoder with random weights; each token still gets an embedding of its own, mixed with its neighbours'."""
    from transformers import UMT5Config, UMT5EncoderModel

    torch.manual_seed(seed)
    config = UMT5Config(vocab_size=len(tokenizer), pad_token_id=0, eos_token_id=1, **TEXT_ENCODER)
    return UMT5EncoderModel(config).eval().requires_grad_(False)


@torch.no_grad()
def build_expert(latents, prompts, lowest, highest, seed):
    """A transformer with random blocks; its last layer is the least-squares fit to the world's velocities at these noise levels.

    latents: batches (B, C, F, h, w) of one shape each; prompts: (B, tokens, text_dim) of each.
    """
    from diffusers import WanTransformer3DModel

    torch.manual_seed(seed)
    model = WanTransformer3DModel(**TRANSFORMER).eval().requires_grad_(False)
    patches = model.patch_embedding.weight
    torch.nn.init.orthogonal_(patches.view(len(patches), -1), PATCH_GAIN)  # so that the picture outweighs what random blocks add
    gram, moment = 0.0, 0.0
    generator = torch.Generator().manual_seed(seed)
    for clean, prompt in zip(latents, prompts):
        sigma = lowest + (highest - lowest) * torch.rand(len(clean), generator=generator)
        s = sigma.view(-1, 1, 1, 1, 1)
        noise = torch.randn(clean.shape, generator=generator)
        features = _last_features(model, (1 - s) * clean + s * noise, sigma, prompt)
        target = _patches(noise - clean, model.config.patch_size)
        gram, moment = gram + features.T @ features, moment + features.T @ target
    ridge = RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    solution = torch.linalg.solve(gram + ridge, moment).float()  # (features + 1, patch values)
    model.proj_out.weight.copy_(solution[:-1].T)
    model.proj_out.bias.copy_(solution[-1])
    return model


def _last_features(model, x_t, sigma, prompt):
    """What `proj_out` sees, with a column of ones: (tokens, hidden + 1), float64."""
    seen = []
    handle = model.proj_out.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].flatten(0, 1)))
    model(x_t, timestep=sigma * 1000, encoder_hidden_states=prompt)
    handle.remove()
    features = seen[0].double()
    return torch.cat([features, torch.ones(len(features), 1, dtype=features.dtype)], 1)


def _patches(latents, patch_size):
    """(B, C, F, h, w) -> (tokens, values of a patch) in the order in which the transformer writes them."""
    t, p, q = patch_size
    batch, channels, frames, height, width = latents.shape
    x = latents.reshape(batch, channels, frames // t, t, height // p, p, width // q, q)
    return x.permute(0, 2, 4, 6, 3, 5, 7, 1).reshape(-1, t * p * q * channels).double()


def draw_samples(seed, num_photos=96, num_clips=24):
    """([photos (N, 3, 1, 64, 64), clips (M, 3, 9, 64, 64)] float in [-1, 1], [captions of the photos, of the clips]): what the fits are made on."""
    rng = random.Random(seed)
    groups, texts = [], []
    for count, num_frames in ((num_photos, 1), (num_clips, 9)):
        people = [(world.draw_identity(rng), world.draw_scene(rng)) for _ in range(count)]
        frames = [world.draw_clip(*p, 9) if num_frames > 1 else np.asarray(world.draw_photo(*p))[None] for p in people]
        groups.append(torch.from_numpy(np.stack(frames)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1)
        texts.append([world.caption(scene, world.describe(identity)) for identity, scene in people])
    return groups, texts


@torch.no_grad()
def _encode_prompts(tokenizer, text_encoder, texts):
    inputs = tokenizer(texts, padding="max_length", max_length=MAX_TOKENS, truncation=True, return_tensors="pt")
    embeds = text_encoder(inputs.input_ids, inputs.attention_mask).last_hidden_state
    return embeds * inputs.attention_mask[..., None]
