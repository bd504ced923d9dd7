"""ComfyUI: the pair under speaking names, with a guide for someone who has never used a LoRA."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from studio.export.readme import fill_in
from studio.export.source import Source
from studio.export.target import Target, any_model
from studio.export.writing import save_text

IN_FILE_NAMES = {"high_noise": "HIGH_noise", "low_noise": "LOW_noise"}

PAIR = """One LoRA pair for WAN 2.2, for ComfyUI
=======================================

WAN 2.2 draws with two models one after the other, so a LoRA is a pair: one file for each. Both are needed.

1. Copy the .safetensors files into the folder ComfyUI/models/loras
2. Open a WAN 2.2 {kind} workflow. It has two nodes "Load Diffusion Model": high noise and low noise.
3. Behind each of them put one node LoraLoaderModelOnly:
{slots}4. Set strength_model to {strength:g} in both. Too little likeness: go up by 0.1. Stiff motion or harsh skin: go down.
5. {begin}the prompt with: {trigger}, a {class_noun}, ...

Trained on: {base_title}
Pair: {pair}
{written}"""

ALONE = """One LoRA for {base_title}, for ComfyUI
{line}

1. Copy the .safetensors file into the folder ComfyUI/models/loras
2. Open a {kind} workflow for this model.
3. Behind its node "Load Diffusion Model" put one node LoraLoaderModelOnly: {file}
4. Set strength_model to {strength:g}. Too little likeness: go up by 0.1. Stiff motion or harsh skin: go down.
5. {begin}the prompt with: {trigger}, a {class_noun}, ...

Saved step: {pair}
{written}"""


def write(source: Source, folder: Path) -> None:
    several = len(source.preset.experts) > 1
    files = {expert: f"{source.name}{f'_{IN_FILE_NAMES[expert]}' if several else ''}.safetensors" for expert in source.pair.files}
    for expert, name in files.items():
        shutil.copyfile(source.pair.files[expert], folder / name)
    save_text(folder / "README.txt", guide(files, source))


def guide(files: Mapping[str, str], source: Source) -> str:
    """files: {expert: file name}."""
    written = f"{source.written.in_words()}\n" if source.written else ""
    if len(files) == 1:
        line = "=" * len(f"One LoRA for {source.preset.title}, for ComfyUI")
        return fill_in(ALONE, source, line=line, file=next(iter(files.values())), written=written)
    slots = "".join(f"     behind the {expert.replace('_', ' ')} model: {name}\n" for expert, name in files.items())
    return fill_in(PAIR, source, slots=slots, written=written)


TARGET = Target(
    name="comfyui",
    title="ComfyUI",
    writes="the LoRA files, and a guide to where they go",
    version=1,
    write=write,
    serves=any_model,
    lora_format="fp16",
    private="the LoRA files: they can draw the person. No photos are in it.",
)
