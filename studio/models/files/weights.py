"""Reads weights tensor by tensor into a model, whatever names and number formats its files have: diffusers' own or ComfyUI's single files."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open

from studio.errors import Problem
from studio.models.files.weight_files import StoredWeight, stored_weights

Model = TypeVar("Model", bound=torch.nn.Module)
NAMED_KEYS = 5  # how many wrong keys a message names
NESTED = re.compile(r"(encoder|decoder)\.(down|up)samples\.(\d+)\.(?:down|up)samples\.(\d+)\.(.+)")
RESIDUAL = {
    "residual.0.": "norm1.",
    "residual.2.": "conv1.",
    "residual.3.": "norm2.",
    "residual.6.": "conv2.",
    "shortcut.": "conv_shortcut.",
}


@dataclass(frozen=True)
class Weight:
    """One weight as it is stored. key: its name in the model; tensor may be a view of the file; scale: for fp8, a number or one a row, or None."""

    key: str
    tensor: torch.Tensor
    scale: torch.Tensor | None = None

    def to(self, dtype: torch.dtype, device: torch.device | str = "cpu") -> torch.Tensor:
        """The weight's values in memory of their own: the file can be closed, moved or replaced while the model lives.

        Worked out on the device that they go to: a GPU is much quicker at it, and fewer bytes travel.
        """
        tensor = self.tensor.to(device)
        if self.scale is None:
            return tensor.to(dtype, copy=tensor.device.type == "cpu")  # elsewhere it is a copy already
        shape = (-1, *[1] * (tensor.ndim - 1)) if self.scale.numel() > 1 else ()
        return tensor.float().mul_(self.scale.float().reshape(shape).to(device)).to(dtype)


class Taking(Protocol):
    """Who takes some of a model's weights, to keep them in a form of its own."""

    def takes(self, key: str) -> bool: ...

    def put(self, weight: Weight, device: torch.device | str = "cpu") -> None: ...


def find_weights(files: Sequence[Path], part: str) -> dict[str, StoredWeight]:
    """{name in the model: StoredWeight} for a part ("transformer", "vae", "text_encoder") of a base model. Reads headers only."""
    stored = stored_weights(files)
    names = _names_in_model(list(stored), part)
    return {name: stored[key] for name, key in names.items()}


def read_weights(files: Sequence[Path], part: str, keys: Collection[str] | None = None) -> Iterator[Weight]:
    """Yield a Weight for each stored weight, in the order of the files' bytes. keys: only these names in the model."""
    found = find_weights(files, part)
    chosen = sorted((weight.path, weight.offset, key) for key, weight in found.items() if keys is None or key in keys)
    for path in dict.fromkeys(path for path, _, _ in chosen):
        with _opened(path) as file:
            for _, _, key in (entry for entry in chosen if entry[0] == path):
                scale = file.get_tensor(found[key].scale_key) if found[key].scale_key else None
                yield Weight(key, file.get_tensor(found[key].key), scale)


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, "pt")
    except SafetensorError as e:
        raise Problem(f"{path.name} in {path.parent} is damaged ({e}).", fix="Download that file again.") from None


def fill(
    model: Model,
    files: Sequence[Path],
    part: str,
    dtype: torch.dtype,
    small: "Taking | None" = None,
    device_of: Callable[[str], torch.device | str] = lambda key: "cpu",
) -> Model:
    """Give a model that was made without memory its weights, frozen: as `dtype`, but for those that its class keeps in fp32.

    small: who keeps some of them in 8 bits (`stream.storage`). device_of: where the weight of a name shall lie. RAM at its peak: what lies there,
    and one weight in fp32. Problem, before anything is read, unless every weight is there and has its shape.
    """
    check_names({name: tuple(p.shape) for name, p in model.named_parameters()}, files, part)
    kept = set(getattr(model, "_keep_in_fp32_modules", None) or ()) if part == "transformer" else set()
    for weight in read_weights(files, part):
        if small is not None and small.takes(weight.key):
            small.put(weight, device_of(weight.key))
            continue
        module, _, leaf = weight.key.rpartition(".")
        values = weight.to(torch.float32 if kept & set(weight.key.split(".")) else dtype, device_of(weight.key))
        setattr(model.get_submodule(module), leaf, torch.nn.Parameter(values, requires_grad=False))
    return model


def check_names(expected: Mapping[str, tuple[int, ...]], files: Sequence[Path], part: str) -> None:
    """Compare {name: shape} of a model with the headers of its files. Problem that names missing, unknown or misshaped weights."""
    found = {name: weight.shape for name, weight in find_weights(files, part).items()}
    wrong = {
        "missing": sorted(expected.keys() - found.keys()),
        "unknown": sorted(found.keys() - expected.keys()),
        "misshaped": [
            f"{k} {found[k]} instead of {expected[k]}" for k in sorted(expected.keys() & found.keys()) if found[k] != expected[k]
        ],
    }
    if any(wrong.values()):
        facts = "; ".join(f"{len(keys)} {kind}: {_first(keys)}" for kind, keys in wrong.items() if keys)
        where = f"{files[0].name} in {files[0].parent}" if len(files) == 1 else str(files[0].parent)
        raise Problem(
            f"The weights in {where} do not fit the model: {facts}.", fix="Download those files again, or choose another model's."
        )


def count_parameters(files: Sequence[Path], part: str) -> int:
    return sum(math.prod(weight.shape) for weight in find_weights(files, part).values())


def _names_in_model(keys: Sequence[str], part: str) -> dict[str, str]:
    """{name in the model: name in the file}."""
    if part == "text_encoder":
        # One table, whichever of its two names the file has; ComfyUI's files and transformers' agree in all others.
        return {key.replace("encoder.embed_tokens.", "shared."): key for key in keys}
    convert = _convert_vae if part == "vae" else _convert_transformer
    return convert({key: key for key in keys})


def _convert_transformer(names: dict[str, str]) -> dict[str, str]:
    if any(key.startswith("condition_embedder.") for key in names):
        return names  # diffusers' names already
    from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

    return convert_wan_transformer_to_diffusers(names)


def _convert_vae(names: dict[str, str]) -> dict[str, str]:
    if any(key.startswith("encoder.mid_block.") for key in names):
        return names
    from diffusers.loaders.single_file_utils import convert_wan_vae_to_diffusers

    nested = {key: NESTED.fullmatch(key) for key in names}
    renamed = {_name_of_nested(*match.groups()): key for key, match in nested.items() if match}
    return renamed | convert_wan_vae_to_diffusers({key: key for key in names if not nested[key]})


def _name_of_nested(coder: str, way: str, group: str, layer: str, rest: str) -> str:
    """A layer of the VAE of WAN 2.2 5B, whose groups have layers of their own; diffusers' converter does not know them."""
    owner = f"{coder}.{way}_blocks.{group}"
    if rest.startswith(("resample.", "time_conv.")):
        return f"{owner}.{way}sampler.{rest}"
    start = next((start for start in RESIDUAL if rest.startswith(start)), "")
    return f"{owner}.resnets.{layer}.{RESIDUAL.get(start, '')}{rest.removeprefix(start)}"


def _first(keys: Sequence[str]) -> str:
    return ", ".join(keys[:NAMED_KEYS]) + (", ..." if len(keys) > NAMED_KEYS else "")
