"""A small image-to-video model: the tiny one whose experts take a first picture too, with weights for it that are left to chance."""

import json
import shutil

import torch
from comfyui_kit import SMALL, add_small_model
from safetensors.torch import load_file, save_file

from studio.models.catalogue import link_model

CONDITION = 16  # channels: 4 of the mask, 12 of the latents
CHANGES = {
    "in_channels = 12": f"in_channels = {12 + CONDITION}",
    "noise = [0.875, 1.0]": "noise = [0.9, 1.0]",
    "noise = [0.0, 0.875]": "noise = [0.0, 0.9]",
    'title = "Tiny (built in)"': 'title = "Tiny from pictures"',
}
WEIGHTS = "diffusion_pytorch_model.safetensors"


def add_picture_model(folder, base, monkeypatch):
    """Let the studio know it; its preset."""
    return add_small_model(folder, base, monkeypatch, changes=CHANGES)


def make_picture_folder(root, base):
    """The model in diffusers form; returns root."""
    shutil.copytree(base.folder, root, ignore=shutil.ignore_patterns("captioner", "observer"))
    for number, sub in enumerate(("transformer", "transformer_2")):
        path, draw = root / sub / "config.json", torch.Generator().manual_seed(number)
        config = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(config | {"in_channels": config["in_channels"] + CONDITION}), encoding="utf-8")
        tensors = load_file(root / sub / WEIGHTS)
        known = tensors["patch_embedding.weight"]
        more = torch.randn(known.shape[0], CONDITION, *known.shape[2:], generator=draw) * known.std() / 2
        save_file(tensors | {"patch_embedding.weight": torch.cat([known, more], dim=1)}, root / sub / WEIGHTS)
    index = json.loads((root / "model_index.json").read_text(encoding="utf-8"))
    nobody = {"image_encoder": [None, None], "image_processor": [None, None]}
    index |= nobody | {"_class_name": "WanImageToVideoPipeline", "boundary_ratio": 0.9}
    (root / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return root


def link_picture_model(tmp_path, base, monkeypatch, workspace):
    """The BaseModel, linked in this workspace."""
    add_picture_model(tmp_path, base, monkeypatch)
    return link_model(SMALL, make_picture_folder(tmp_path / "from pictures", base), workspace)
