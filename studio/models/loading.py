"""Loads the parts of a base model from its files: experts, VAE, text encoder; each alone, and freed after use."""

import gc
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from accelerate import init_empty_weights

from studio.models.catalogue import BaseModel
from studio.models.files.weights import count_parameters, fill
from studio.models.forward import Transformer
from studio.models.stream.precision import COMPUTE
from studio.models.stream.storage import SmallStorage
from studio.models.stream.streaming import place_blocks, swapped_indices
from studio.models.tokenizer import load_tokenizer

if TYPE_CHECKING:
    pass

log = logging.getLogger(__name__)
Held = TypeVar("Held")


def pick_device() -> torch.device:
    """The device to compute on, as accelerate sees it: this process's GPU, else the CPU."""
    from accelerate import PartialState

    device = PartialState().device
    assert device is not None  # it is set by the line above, which accelerate's types do not say
    return device


def why_no_gpu() -> str:
    """What CUDA itself says of why it cannot be used, one sentence; "" where it can."""
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as e:  # a build without CUDA asserts
        return str(e).partition(". ")[0] + "."
    return ""


def dtype_of(precision: str) -> torch.dtype:
    """What a model computes in, by how it is stored: "fp32" | "bf16" | "int8" | "fp8" -> torch dtype."""
    if precision not in COMPUTE:
        raise ValueError(f"precision must be one of {', '.join(COMPUTE)}, got {precision!r}")
    return COMPUTE[precision]


def load_expert(
    base: BaseModel,
    expert: str,
    *,
    dtype: torch.dtype,
    device: torch.device | str,
    blocks_swapped: int = 0,
    precision: str = "bf16",
    multiply: str = "exact",
) -> Transformer:
    """The frozen WanTransformer3DModel of an expert, its blocks placed; swapped blocks never reach the device as a whole.

    dtype: what it computes in; precision: "int8" and "fp8" store the blocks' weights in 8 bits, anything else in `dtype`. `model.storage`, a
    StorageReport, says what that changed.
    """
    model = load_expert_on_meta(base, expert)
    small = SmallStorage(model, precision, device, multiply)
    swapped = {f"blocks.{i}" for i in swapped_indices(len(model.blocks), blocks_swapped)}

    def device_of(key: str) -> torch.device | str:
        """What stays goes where it stays: RAM holds the others alone."""
        return "cpu" if ".".join(key.split(".")[:2]) in swapped else device

    fill(model, base.weight_files(base.subfolder(expert)), "transformer", dtype, small, device_of)
    model.storage = small.report
    place_blocks(model, device, blocks_swapped)
    return model


def load_expert_on_meta(base: BaseModel, expert: str) -> Transformer:
    """The expert without weights: shapes only, at no cost of memory."""
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

    with init_empty_weights():
        model: Any = WanTransformer3DModel.from_config(base.configs[base.subfolder(expert)])
    return model.requires_grad_(False).eval()


class Vae:
    """Pixels (B, 3, F, H, W) in [-1, 1] to normalised latents (B, C, f, h, w) and back, in fp32 as WanPipeline does."""

    def __init__(self, model: Any) -> None:
        self.model = model
        config = model.config
        self.mean = torch.tensor(config.latents_mean).view(1, -1, 1, 1, 1).to(model.device)
        self.inverse_std = 1.0 / torch.tensor(config.latents_std).view(1, -1, 1, 1, 1).to(model.device)

    @torch.no_grad()
    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        pixels = pixels.to(self.model.device, self.model.dtype)
        return (self._run(self.model.encode, pixels).latent_dist.mode() - self.mean) * self.inverse_std

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        latents = latents.to(self.model.device, self.model.dtype)
        latents = latents / self.inverse_std + self.mean  # to the last bit as WanPipeline writes it
        return self._run(self.model.decode, latents).sample

    def _run(self, method: Callable[[torch.Tensor], Any], tensor: torch.Tensor) -> Any:
        """On the whole picture; in tiles once that took more GPU memory than there is. A 720p clip needs about 20 GB whole."""
        if not self.model.use_tiling:
            try:
                return method(tensor)
            except torch.OutOfMemoryError:
                log.warning("the whole picture does not fit into the GPU's memory; the VAE goes on in tiles")
            self.model.clear_cache()
            release()
            self.model.enable_tiling()
        return method(tensor)


def load_vae(base: BaseModel, *, device: torch.device | str) -> Vae:
    from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

    with init_empty_weights():
        model: Any = AutoencoderKLWan.from_config(base.configs["vae"])
    return Vae(fill(model.eval(), base.weight_files("vae"), "vae", torch.float32).to(device))


class TextEncoder:
    """Prompts to (N, max_prompt_tokens, D), zero behind the last token, exactly as WanPipeline does."""

    def __init__(self, tokenizer: Callable[..., Any], model: Any, max_prompt_tokens: int) -> None:
        self.tokenizer, self.model, self.max_prompt_tokens = tokenizer, model, max_prompt_tokens

    @torch.no_grad()
    def encode(self, prompts: Sequence[str]) -> torch.Tensor:
        from diffusers.pipelines.wan.pipeline_wan import prompt_clean

        inputs = self.tokenizer(
            [prompt_clean(p) for p in prompts],
            padding="max_length",
            max_length=self.max_prompt_tokens,
            truncation=True,
            add_special_tokens=True,
            return_attention_mask=True,
            return_tensors="pt",
        ).to(self.model.device)
        embeds = self.model(inputs.input_ids, inputs.attention_mask).last_hidden_state
        lengths = inputs.attention_mask.gt(0).sum(1)
        behind = torch.arange(embeds.shape[1], device=embeds.device) >= lengths[:, None]
        return embeds.masked_fill(behind[..., None], 0)


def load_text_encoder(base: BaseModel, *, device: torch.device | str, dtype: torch.dtype) -> TextEncoder:
    """The text encoder on `device`, or in RAM where it is larger than the GPU's free memory: UMT5-XXL takes 11.4 GB in bf16."""
    from transformers import UMT5Config, UMT5EncoderModel

    files = base.weight_files("text_encoder")
    device = _roomy_device(device, count_parameters(files, "text_encoder") * dtype.itemsize)
    tokenizer = load_tokenizer(base)
    with init_empty_weights():
        model: Any = UMT5EncoderModel(UMT5Config.from_dict(base.configs["text_encoder"]))
    model.set_input_embeddings(model.shared)  # one table of words, whatever the config says
    model = fill(model.eval(), files, "text_encoder", dtype)
    return TextEncoder(tokenizer, model.to(device), base.max_prompt_tokens)


def _roomy_device(device: torch.device | str, num_bytes: float) -> torch.device:
    """`device`, or the CPU if that many bytes and a tenth for the work do not fit into a GPU's free memory."""
    device = torch.device(device)
    if device.type != "cuda" or num_bytes * 1.1 <= torch.cuda.mem_get_info(device)[0]:
        return device
    return torch.device("cpu")


def quiet_libraries() -> None:
    """No progress bars of the libraries in logs and terminals; the studio shows its own."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()


@contextmanager
def borrowed(model: Held) -> Iterator[Held]:
    """A model for as long as it is needed; then its memory is given back."""
    try:
        yield model
    finally:
        release(model)


def release(*holders: Any) -> None:
    """Empty the given models' weights and give their memory back; they cannot be used afterwards."""
    for holder in holders:
        model = getattr(holder, "model", holder)
        if isinstance(model, torch.nn.Module):
            if (streamer := getattr(model, "streamer", None)) is not None:
                streamer.clear()
            model.to("meta")
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
