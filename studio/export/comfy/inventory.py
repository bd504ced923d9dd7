"""What a ComfyUI has to draw a base model with, told by the files' headers: experts, text encoder, VAE, and LoRA files that draw in four steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.errors import Problem
from studio.export.comfy.installation import EXPERTS, LORAS, TEXT_ENCODERS, VAES, Installation
from studio.models.files.comfyui_files import DISTILLED, OTHER_KINDS, find_files, role_by_name
from studio.models.files.layouts import KNOWN_EXPERTS, WeightFile
from studio.models.preset import ModelPreset

KINDS = {
    "transformer": EXPERTS,
    "transformer_2": EXPERTS,
    "text_encoder": TEXT_ENCODERS,
    "vae": VAES,
}  # {role of a file: kind of its folder}
QUICK = re.compile(r"lightx2v|lightning|\d-?steps?", re.IGNORECASE)  # in the names of LoRA files that draw in few steps
A_LAYER = re.compile(r"blocks[._](\d+)[._]self_attn[._]q\.(?:lora_(?:A|down)(?:\.\w+)?\.weight)$")


@dataclass(frozen=True, kw_only=True)
class Models:
    """What ComfyUI calls the files of a base model. experts: in the order in which they draw; is_distilled: they draw in few steps by themselves."""

    experts: tuple[str, ...]
    text_encoder: str
    vae: str
    is_distilled: bool


def find_models(comfyui: Installation, preset: ModelPreset, linked: Mapping[str, Path]) -> Models:
    """The files of a base model in a ComfyUI: those that the studio is linked to, else the small ones, else any.

    linked: {role: file}. Problem in words for what is missing.
    """
    names = {path: (kind, name) for kind in dict.fromkeys(KINDS.values()) for name, path in comfyui.list_names(kind).items()}
    paths = list(names)
    for choice in ([path for path in linked.values() if path in names], [path for path in paths if _is_small(path, names[path][0])]):
        try:
            return _name_models(find_files(choice, preset, where=comfyui.title), names)
        except Problem:  # not all of them: what is missing is said of all files, below
            continue
    candidates = [path for path in paths if not _is_of_another(path, preset)]  # it has a right to be there, and explains nothing
    return _name_models(find_files(candidates + _others(comfyui), preset, where=comfyui.title), names)


def find_quick_loras(comfyui: Installation, preset: ModelPreset) -> tuple[str, ...]:
    """The LoRA files that let this base model's experts draw in four steps, one for each in their order; () if they are not there."""
    of_kind = "i2v" if preset.takes_first_picture else "t2v"
    by_role: dict[str, list[str]] = {"transformer": [], "transformer_2": []}
    for name, path in comfyui.list_names(LORAS).items():
        role = role_by_name(path)
        if role and QUICK.search(path.stem) and of_kind in _words(name) and _fits(path, preset):
            by_role[role].append(name)
    return tuple(max(names, key=_newest) for names in by_role.values()) if all(by_role.values()) else ()


def _name_models(files: Mapping[str, Path], names: Mapping[Path, tuple[str, str]]) -> Models:
    called = {role: names[path][1] for role, path in files.items()}
    experts = tuple(called[role] for role in ("transformer", "transformer_2") if role in called)
    distilled = any(
        DISTILLED.search(files["transformer"].parent.name + files[role].name) for role in files if role.startswith("transformer")
    )
    return Models(experts=experts, text_encoder=called["text_encoder"], vae=called["vae"], is_distilled=distilled)


def _is_small(path: Path, kind: str) -> bool:
    """Whether an expert or a text encoder is stored in 8 bits: what most graphics cards can hold."""
    try:
        return kind == VAES or WeightFile(path).form.startswith("fp8")
    except (Problem, ValueError):  # damaged, or of no form that is read; it is looked at again with all the others
        return False


def _is_of_another(path: Path, preset: ModelPreset) -> bool:
    """Whether a file is an expert of another base model that is known."""
    file = WeightFile(path)
    try:
        if file.kind != "expert":
            return False
    except Problem:  # damaged: find_files says so
        return False
    channels, width, _ = file.expert_facts
    own = (preset.expect["in_channels"], preset.expect["num_attention_heads"] * preset.expect["attention_head_dim"])
    return (channels, width) in KNOWN_EXPERTS.keys() - {own}


def _others(comfyui: Installation) -> list[Path]:
    """Files that hold a model in another form, which are named where it is missing."""
    folders = [folder for kind in dict.fromkeys(KINDS.values()) for folder in comfyui.folders_of(kind) if folder.is_dir()]
    return [path for folder in folders for path in sorted(folder.iterdir()) if path.suffix.lower() in OTHER_KINDS]


def _fits(path: Path, preset: ModelPreset) -> bool:
    """Whether a LoRA file is for experts of that width and number of blocks."""
    width = preset.expect["num_attention_heads"] * preset.expect["attention_head_dim"]
    try:
        shapes = WeightFile(path).shapes
    except Problem:  # damaged: ComfyUI could not use it either
        return False
    found = {int(match[1]): shape[-1] for key, shape in shapes.items() if (match := A_LAYER.search(key))}
    return set(found.values()) == {width} and max(found) + 1 == preset.expect["num_layers"]


def _words(name: str) -> Sequence[str]:
    return re.split(r"[^a-z0-9]+", name.lower())


def _newest(name: str) -> tuple[tuple[int, ...], str]:
    """By the version in its name: v1.1 goes before v1."""
    match = re.search(r"(?<![a-z])v(\d+(?:\.\d+)*)", name.lower())
    return tuple(map(int, match[1].split("."))) if match else (), name
