"""What of a dataset teaches a base model something, and the settings that fit that. Torch-free."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from studio.config import TrainConfig
from studio.data.buckets import choose_num_frames
from studio.data.item_record import Item
from studio.models.preset import ModelPreset
from studio.training.plan.estimates import count_class_pictures


class _HasHash(Protocol):
    @property
    def sha256(self) -> str: ...


Hashed = TypeVar("Hashed", bound=_HasHash)
LEAST_FRAMES, FRAMES_PER_LATENT = 5, 4  # one latent frame behind the first, in WAN's


def learnable(items: Sequence[Item], preset: ModelPreset) -> list[Item]:
    """Those of the items that are learned from: all, but where the model is given the first picture only clips that go on after it.

    A photo would be its own first picture: the answer is given away, and nothing is left to learn.
    """
    if not preset.takes_first_picture:
        return list(items)
    return [item for item in items if item.kind == "clip" and _num_frames(item, preset) > 1]


def _num_frames(item: Item, preset: ModelPreset) -> int:
    return choose_num_frames(item.seconds, preset.fps, LEAST_FRAMES, FRAMES_PER_LATENT)


def why_nothing_to_learn(items: Sequence[Item], preset: ModelPreset) -> str:
    """A sentence where there are items and none of them can be learned from, else ""."""
    if not items or learnable(items, preset):
        return ""
    return (
        f"{preset.title} learns from clips alone, and none is kept: it is given the first picture of each clip, so a photo teaches it nothing. "
        "Add clips of a few seconds, or choose a text-to-video base model."
    )


def why_left_out(items: Sequence[Item], preset: ModelPreset) -> str:
    """A sentence about the items that are not learned from, else ""."""
    count = len(items) - len(learnable(items, preset))
    if not count or count == len(items):
        return ""
    return (
        f"{count} of {len(items)} items {'is' if count == 1 else 'are'} not learned from: {preset.title} is given the first picture of each "
        "clip, and a photo, or a moment as short, has nothing more. Photos serve as first pictures of test clips."
    )


def held_out_first(items: Iterable[Hashed]) -> list[Hashed]:
    """Items, or samples of them, in the order in which they are set aside: the same in every run of the same photos, whatever the seed."""
    return sorted(items, key=lambda item: hashlib.sha256(f"held out {item.sha256}".encode()).hexdigest())


def share_held_out(count: int, wanted: int) -> int:
    """How many of so many items are set aside: never more than a fifth."""
    return min(wanted, count // 5)


def fit_to_material(config: TrainConfig, preset: ModelPreset) -> tuple[TrainConfig, list[str]]:
    """(TrainConfig, reasons): what a model that draws from a first picture can't do is taken out of the settings."""
    if not preset.takes_first_picture:
        return config, []
    reasons = []
    if count_class_pictures(config.preservation):
        config = replace(config, preservation=replace(config.preservation, pictures=0))
        reasons.append(f"Other people are protected at your own clips alone: {preset.title} can't draw any from words without a picture.")
    if config.data.clip_frames < LEAST_FRAMES:
        reasons.append(
            f"Clips have {LEAST_FRAMES} frames instead of {config.data.clip_frames}: the first one is given, so one teaches nothing."
        )
        config = replace(config, data=replace(config.data, clip_frames=LEAST_FRAMES))
    return config, reasons
