"""How well an observer sees: names, motions and likeness, measured on people and scenes that no training has seen."""

from __future__ import annotations

import dataclasses
import random
from pathlib import Path

import numpy as np
import torch

from studio.models.observer import Observer, Reading
from studio.tiny import world
from studio.tiny.eye.observer_training import PERSON, SCENE, WORDLESS, draw_traits, wear
from studio.tiny.pixel_drawing import CELL, draw_clip, draw_photo
from studio.training.step.randomness import generator, seed_of

PEOPLE, PHOTOS, CLIPS = 150, 13, 300
REFERENCES = 12  # photos whose mean embedding is a person, as in a dataset


def measure_observer(folder: Path, seed: int = 1, people: int = PEOPLE, clips: int = CLIPS, worn: bool = False) -> dict[str, float]:
    """{figure: number}: accuracies of every name and of the motion; similarities of one person, of siblings (same words) and of strangers.

    worn: as noisy, blurred and tinted as training's pictures are, instead of clean.
    """
    observer, rng = Observer.load(folder), random.Random(seed_of("observer measures", seed))
    draw = generator("observer measures", seed)
    persons = [world.draw_identity(rng, held_out=True) for _ in range(people)]
    siblings = [draw_sibling(person, rng) for person in persons]
    scenes, rows, readings = [], [], []
    for person in [*persons, *siblings]:
        shown = [world.draw_scene(rng, held_out=True) for _ in range(PHOTOS)]
        frames = np.stack([np.asarray(draw_photo(person, scene)) for scene in shown])
        frames = wear_frames(frames[:, None], draw)[:, 0] if worn else frames
        scenes.append(shown)
        rows.append(observer.embed(frames))
        readings.append(observer.read(frames))
    figures = {f"read {name}": share for name, share in _accuracies([*persons, *siblings], scenes, readings).items()}
    figures["read motion"] = _motion_accuracy(observer, rng, draw, clips, worn)
    return figures | _likeness(np.stack(rows), [world.describe(person) for person in persons])


def draw_sibling(person: world.Identity, rng: random.Random) -> world.Identity:
    """Somebody with the same caption and other eyes, sizes, marks and streaks."""
    while (other := dataclasses.replace(person, **draw_traits(WORDLESS, rng))) == person:
        pass
    return other


def wear_frames(clips: np.ndarray, draw: torch.Generator) -> np.ndarray:
    """(N, F, H, W, 3) uint8 of whole cells, worn as in training."""
    cells = torch.from_numpy(np.ascontiguousarray(clips[:, :, ::CELL, ::CELL])).permute(0, 1, 4, 2, 3) / 255
    worn = (wear(cells, draw) * 255).round().to(torch.uint8).permute(0, 1, 3, 4, 2).numpy()
    return worn.repeat(CELL, 2).repeat(CELL, 3)


def _accuracies(persons: list[world.Identity], scenes: list[list[world.Scene]], readings: list[list[Reading]]) -> dict[str, float]:
    """{name: share of the pictures where it is read right}; the hair of those who show none does not count."""
    right = {name: [] for name in [*PERSON, *SCENE]}
    for person, shown, answers in zip(persons, scenes, readings):
        truth = dataclasses.asdict(person)
        hairless = person.style == "bald" and not person.beard
        for scene, answer in zip(shown, answers):
            for name, hits in right.items():
                if name != "hair" or not hairless:
                    hits.append(answer[name] == (truth | dataclasses.asdict(scene))[name])
    return {name: float(np.mean(hits)) for name, hits in right.items()}


def _motion_accuracy(observer: Observer, rng: random.Random, draw: torch.Generator, clips: int, worn: bool) -> float:
    right = []
    for i in range(clips):
        person = world.draw_identity(rng, held_out=True)
        scene = dataclasses.replace(world.draw_scene(rng, held_out=True), motion=world.MOTION[i % len(world.MOTION)])
        clip = draw_clip(person, scene, rng.choice((5, 9, 17, 33)))
        clip = wear_frames(clip[None], draw)[0] if worn else clip
        right.append(observer.read_motion(clip) == scene.motion)
    return float(np.mean(right))


def _likeness(rows: np.ndarray, words: list[str]) -> dict[str, float]:
    """Cosines between pictures, and with the mean of REFERENCES pictures; rows (2 * people, PHOTOS, D), the siblings behind the people.

    words: how the people are described; strangers are those who are described otherwise.
    """
    people = len(rows) // 2
    cosines = np.einsum("ipd,jqd->ijpq", rows, rows[:people], optimize=True)
    twice = ~np.eye(PHOTOS, dtype=bool)
    same = np.stack([cosines[i, i][twice] for i in range(people)])
    siblings = np.stack([cosines[people + i, i] for i in range(people)])
    strange = np.array(words)[:, None] != np.array(words)
    strangers = cosines[:people][strange]
    means = rows[:people, :REFERENCES].mean(1)
    means /= np.linalg.norm(means, axis=-1, keepdims=True)
    to_mean = rows[:, REFERENCES:].mean(1) @ means.T  # (2 * people, people): another photo of each with each mean
    own, of_sibling = np.diag(to_mean[:people]), np.diag(to_mean[people:])
    return {
        "same person, median": float(np.median(same)),
        "same person, p5": float(np.quantile(same, 0.05)),
        "sibling, median": float(np.median(siblings)),
        "sibling, p95": float(np.quantile(siblings, 0.95)),
        "stranger, median": float(np.median(strangers)),
        "stranger, p99": float(np.quantile(strangers, 0.99)),
        "photo with mean of 12, median": float(np.median(own)),
        "photo with mean of 12, p5": float(np.quantile(own, 0.05)),
        "sibling with mean of 12, median": float(np.median(of_sibling)),
        "stranger with mean of 12, p99": float(np.quantile(to_mean[:people][strange], 0.99)),
        "sibling less like the mean than the person": float(np.mean(of_sibling < own)),
    }
