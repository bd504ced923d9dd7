"""What tests ask of models: the state of an adapter, whether weight files fit, and the stock pipeline beside ours."""

import math

import torch
from diffusers import WanPipeline

from studio.models.catalogue import BaseModel
from studio.models.files.lora_files import LoraState
from studio.models.files.weights import check_names
from studio.models.forward import Transformer
from studio.models.loading import load_expert_on_meta
from studio.models.lora import trainable_lora
from studio.models.observer import Observer


def lora_state(model: Transformer) -> LoraState:
    """{file key: fp32 tensor on the CPU}, copies: what a file holds."""
    return {key: p.detach().float().cpu().clone() for key, p in trainable_lora(model).items()}


def check_weights(base: BaseModel, expert: str) -> int:
    """Compare the headers of an expert's weight files with the model's shapes; returns the number of parameters.

    Problem that names missing, extra or misshaped keys. Reads no weights.
    """
    expected = {name: tuple(p.shape) for name, p in load_expert_on_meta(base, expert).named_parameters()}
    check_names(expected, base.weight_files(base.subfolder(expert)), "transformer")
    return sum(math.prod(shape) for shape in expected.values())


def load_pipeline(base: BaseModel, dtype: torch.dtype = torch.float32) -> WanPipeline:
    """The stock WanPipeline of the whole folder: the reference that our own parts are checked against."""
    pipeline = WanPipeline.from_pretrained(base.folder, dtype=dtype, use_safetensors=True, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def find_observer(base: BaseModel) -> Observer | None:
    """The Observer that belongs to a base model; None for a model that has none."""
    name = base.preset.observer
    return Observer.load(base.folder / name) if name else None
