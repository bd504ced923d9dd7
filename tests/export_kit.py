"""What the tests of exports share: a Source as exports make it, without files."""

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from studio.config import EXPERTS, TrainConfig, from_dict, nest, to_dict
from studio.data.item_record import Item
from studio.disk import file_sha256, write_json
from studio.export.dataset_copy import group_for_trainers
from studio.export.source import Source
from studio.models.preset import model_preset
from studio.project_facts import Person
from studio.training.pairs import Manifest, Pair, pair_file_name, pair_folder

NO_FILES = Pair("train-001", 30, Path("checkpoints/step-000030"), None, None, Manifest(boundary=0.875, experts={}))


def make_source(train: TrainConfig, num_items: int = 2, model: str = "wan22-t2v-a14b", pair: Pair = NO_FILES) -> Source:
    """Of photos and one clip of ten seconds, `num_items` in all."""
    items = [_item(number, "photo" if number < num_items else "clip") for number in range(1, num_items + 1)]
    preset = model_preset(model)
    return Source(
        pair=pair,
        name="anna_run1_step30",
        person=Person(trigger="ohwx", class_noun="person", base_model=model),
        preset=preset,
        rank=train.lora.rank,
        train=train,
        strength=None,
        groups=group_for_trainers(items, preset, train),
    )


def _item(number: int, kind: str) -> Item:
    known = {"caption": "", "caption_source": "", "original": "", "sha256": ""}
    return Item(id=f"{number:04d}", path=Path(f"{number:04d}"), kind=kind, width=64, height=64, fps=16.0, seconds=10.0, **known)


def make_pair(project, step=30, **settings):
    """A checkpoint pair as training leaves it, with LoRA files of one layer; free of torch."""
    run_dir = project.runs_dir / "train-001"
    folder, experts = pair_folder(run_dir, step), {}
    folder.mkdir(parents=True)
    write_json(run_dir / "config.json", {"kind": "train"})
    layer = "diffusion_model.blocks.0.self_attn.q"
    for number, expert in enumerate(EXPERTS):
        tensors = {
            f"{layer}.lora_A.weight": np.full((2, 8), number, np.float32),
            f"{layer}.lora_B.weight": np.full((8, 2), number, np.float32),
        }
        name = pair_file_name(run_dir, step, expert)
        save_file(tensors, folder / name)
        experts[expert] = {"file": name, "sha256": file_sha256(folder / name), "trained": True}
    train = to_dict(from_dict(TrainConfig, nest({"steps": 60, "lora.rank": 2} | settings)))
    facts = {"step": step, "base_model": project.facts().base_model, "boundary": 0.875, "settings": train, "experts": experts}
    write_json(folder / "manifest.json", facts)
