"""What of a clip is trained: how many frames, how large, at which speed. The cache and the preview take their frames here and nowhere else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studio.config import DataConfig
from studio.data.buckets import choose_bucket, choose_num_frames
from studio.data.item_record import Item
from studio.data.media.clips import read_frames
from studio.models.preset import ModelPreset

WORTH_SAYING_SECONDS = 0.25  # four frames more or less are the rounding to 4n + 1


@dataclass(frozen=True)
class Rule:
    """What a base model takes of any clip: its frame rate, and the steps in which sizes and lengths may grow."""

    fps: float
    size_multiple: int
    temporal_factor: int


@dataclass(frozen=True)
class Excerpt:
    """The first frames of a clip, as they are trained."""

    size: tuple[int, int]  # width, height
    num_frames: int
    fps: float

    @property
    def seconds(self) -> float:
        return self.num_frames / self.fps


def rule_of(preset: ModelPreset) -> Rule:
    """The Rule of a base model, also while it is not on this computer."""
    return Rule(preset.fps, preset.shape.pixels_per_token, preset.shape.frames_per_latent)


def choose_excerpt(item: Item, settings: DataConfig, rule: Rule) -> Excerpt:
    """What of a clip is trained. ValueError if it is too small."""
    size = choose_bucket(item.width, item.height, settings.clip_size, rule.size_multiple)
    return Excerpt(size, choose_num_frames(item.seconds, rule.fps, settings.clip_frames, rule.temporal_factor), rule.fps)


def read_excerpt(path: Path, excerpt: Excerpt) -> np.ndarray:
    """(F, H, W, 3) uint8: exactly the frames that are trained, by timestamp. ValueError if the clip has fewer."""
    frames = read_frames(path, excerpt.num_frames, excerpt.fps, size=excerpt.size)
    if len(frames) != excerpt.num_frames:
        raise ValueError(f"{path.name} has {len(frames)} frames at {excerpt.fps:g} a second where {excerpt.num_frames} were expected")
    return frames


def describe_excerpt(seconds: float, excerpt: Excerpt) -> str:
    """ "the first 2.1 of 9.3 s are trained (33 frames, 16 a second, 832 x 480 px); the rest is not"."""
    frames = f"{excerpt.num_frames} frames, {excerpt.fps:g} a second, {excerpt.size[0]} x {excerpt.size[1]} px"
    if excerpt.num_frames == 1:
        return f"one picture of it is trained, as it is too short to move ({excerpt.size[0]} x {excerpt.size[1]} px)"
    if seconds - excerpt.seconds < WORTH_SAYING_SECONDS:
        return f"all of it is trained ({frames})"
    return f"the first {excerpt.seconds:.1f} of {seconds:.1f} s are trained ({frames}); the rest is not"


def why_shortened(items: Iterable[Item], settings: DataConfig, rule: Rule) -> str:
    """A sentence about what of the clips is not trained, else ""."""
    clips = [item for item in items if item.kind == "clip" and not item.problem]
    taken = [choose_num_frames(clip.seconds, rule.fps, settings.clip_frames, rule.temporal_factor) / rule.fps for clip in clips]
    longer = [clip for clip, seconds in zip(clips, taken, strict=True) if clip.seconds - seconds >= WORTH_SAYING_SECONDS]
    if not longer:
        return ""
    return _shortened_words(len(longer), len(clips), [clip.seconds for clip in clips], taken, settings.clip_frames / rule.fps)


def _shortened_words(num_longer: int, num_clips: int, there: Sequence[float], taken: Sequence[float], most: float) -> str:
    verb = "is" if num_longer == 1 else "are"
    whose = "The clip is" if num_clips == 1 else f"{num_longer} of {num_clips} clips {verb}"
    all_of_it = f"of {sum(there):.1f} s of clips {sum(taken):.1f} s are trained"
    return f"{whose} longer than what is trained of one (the first {most:.1f} s): {all_of_it}. Cut them into pieces, or train more frames of each."
