"""What the tests of exports share: a Source as exports make it, without files."""

from pathlib import Path

from studio.config import TrainConfig
from studio.data.item_record import Item
from studio.export.dataset import group_for_trainers
from studio.export.source import Source
from studio.models.preset import model_preset
from studio.project_facts import Person
from studio.training.pairs import Manifest, Pair

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
