"""Teaches the observer of the pixel world: who is who, from families of people who look alike; what a picture shows; what moves.

The cosine of two people is taught to be a product over what they have in common: 1 for the same person, about a half for each trait that
differs, so that somebody who is learned halfway is seen halfway, and strangers are near 0.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from studio.models.observer import ObserverConfig, ObserverNetwork, save_observer, to_cells
from studio.tiny import world
from studio.tiny.muon import Muon
from studio.tiny.pixel_drawing import CELLS, PHOTO_MOMENT, draw_cells
from studio.tiny.stage import run_stage
from studio.training.step.randomness import generator, seed_of

STEPS, AVERAGE = 1500, 0.995
MUON_RATE, ADAMW_RATE = 8e-3, 3e-3
FAMILIES, MEMBERS, PICTURES = 54, 2, 2  # of a step; members share most, pictures show one member
CLIPS = 20  # of a step
CLIP_FRAMES = (5, 9, 9, 13, 17, 33)
MOVING_SHARE = 0.35  # of the pictures are moments of a clip
BETWEEN_SHARE = 0.4  # of the people are between two others
SIMILARITY_WEIGHT, NAMED_WEIGHT, HINTED_WEIGHT = 4.0, 1.0, 0.5
PERSON = {"hair": [*world.HAIR], "style": [*world.STYLE], "skin": [*world.SKIN], "beard": [False, True]}
SCENE = {
    "shirt": [*world.SHIRT],
    "place": [*world.PLACE],
    "view": [*world.VIEW],
    "framing": [*world.FRAMING],
    "light": [*world.LIGHT],
    "glasses": [False, True],
}
UNSEEN = -1  # the target of what a picture cannot tell
WORDLESS = ("eyes", "width", "size", "mark", "streak")
# how much of the similarity stays if this differs
TRAITS = {"hair": 0.4, "style": 0.5, "skin": 0.45, "beard": 0.6, "eyes": 0.5, "mark_place": 0.6, "mark_colour": 0.65, "streak": 0.5}
WIDTH_SCALE, SIZE_SCALE = 0.12, 0.1  # differences at which 1/e of it stays
MARK_PLACES = [None, *((side * x, y) for side in (-1, 1) for x, y in ((0.55, 0.38), (0.4, -0.32), (0.3, 0.78)))]
NUM_CODES = {"eyes": len(world.EYES), "mark_place": len(MARK_PLACES), "mark_colour": len(world.MARK) + 1, "streak": len(world.STREAK) + 1}


def build_observer(
    folder: Path,
    work_dir: Path,
    seed: int = 0,
    report: Callable[[str], None] = print,
    steps: int = STEPS,
    should_stop: Callable[[], bool] = lambda: False,
) -> Path | None:
    """Write the trained observer into `folder`; `work_dir` holds what was trained before. Returns the folder, None if stopped."""
    network, hints = build_network(seed)
    modules = {"observer": network, "hints": hints}
    plan = {
        "name": "observer",
        "steps": steps,
        "seed": seed,
        "learning_rates": [MUON_RATE, ADAMW_RATE],
        "average": AVERAGE,
        "batch": [FAMILIES, MEMBERS, PICTURES, CLIPS],
        "shares": [MOVING_SHARE, BETWEEN_SHARE],
        "weights": [SIMILARITY_WEIGHT, NAMED_WEIGHT, HINTED_WEIGHT],
        "traits": [TRAITS, WIDTH_SCALE, SIZE_SCALE],
    }
    finished = run_stage(
        Path(work_dir),
        plan,
        modules,
        _optimizers(modules),
        Lessons(network, hints, seed),
        average=AVERAGE,
        report=report,
        should_stop=should_stop,
    )
    if not finished:
        return None
    save_observer(folder, network.eval())
    return Path(folder)


def _optimizers(modules: Mapping[str, nn.Module]) -> dict[str, torch.optim.Optimizer]:
    """Muon for the convolutions, which learn twice as fast with it; AdamW for everything else."""
    named = [(name, p) for module in modules.values() for name, p in module.named_parameters()]
    matrices = [p for name, p in named if p.ndim == 2 and name.startswith(("person.", "scene.", "motion."))]
    others = [p for _, p in named if not any(p is matrix for matrix in matrices)]
    return {"muon": Muon(matrices, lr=MUON_RATE), "adamw": torch.optim.AdamW(others, lr=ADAMW_RATE, betas=(0.9, 0.98), weight_decay=0.0)}


def build_network(seed: int = 0) -> tuple[ObserverNetwork, nn.ModuleDict]:
    """(ObserverNetwork, hints), untrained. hints: heads that make the person's trunk see what has no words; thrown away after training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = ObserverNetwork(ObserverConfig(person=PERSON, scene=SCENE, motion=[*world.MOTION], grid=CELLS))
        hints = torch.nn.ModuleDict({name: torch.nn.Linear(128, count) for name, count in NUM_CODES.items()})
        hints["sizes"] = torch.nn.Linear(128, 2)
    return network, hints


# -- who is drawn


@dataclasses.dataclass(frozen=True)
class Person:
    """Somebody to be drawn: one of the world or, where `other` is given, between two who differ in one trait that has words.

    Every eighth combination of hair, style and skin is held out. From the others alone the network would learn that these do not exist, and
    read one trait by the other two; hair, styles and skins in between belong to no combination.
    """

    identity: world.Identity
    other: world.Identity | None = None
    trait: str = ""  # in which they differ
    share: float = 0.0  # of `other`
    key: int = 0  # tells people in between apart

    def draw(self, scene: world.Scene, u: float) -> np.ndarray:
        """(20, 20, 3) uint8 cells."""
        cells = draw_cells(self.identity, scene, u)
        if self.other is None:
            return cells
        return (cells * (1 - self.share) + draw_cells(self.other, scene, u) * self.share).round().astype("uint8")

    def changed(self, **traits: Any) -> Person:
        """The same, but for some traits."""
        if self.other is None:
            return Person(dataclasses.replace(self.identity, **traits))
        kept = {name: value for name, value in traits.items() if name != self.trait}
        replaced = {who: dataclasses.replace(getattr(self, who), **kept) for who in ("identity", "other")}
        return dataclasses.replace(self, **replaced)

    def is_held_out(self) -> bool:
        return any(world.is_held_out_identity(who) for who in (self.identity, self.other) if who)


def draw_person(rng: random.Random) -> Person:
    identity = world.draw_identity(rng)
    if rng.random() >= BETWEEN_SHARE:
        return Person(identity)
    trait = "skin" if identity.style == "bald" else rng.choice(("hair", "style", "skin"))
    others = [dataclasses.replace(identity, **{trait: name}) for name in PERSON[trait] if name not in ("bald", getattr(identity, trait))]
    other = rng.choice([other for other in others if not world.is_held_out_identity(other)])
    return Person(identity, other, trait, rng.uniform(0.25, 0.75), rng.getrandbits(31))


def draw_family(rng: random.Random, members: int = MEMBERS) -> list[Person]:
    """People who are easily confused: one, then others who differ in some of what has no words or, one in three, in one thing that has."""
    family = [draw_person(rng)]
    while len(family) < members:
        names = [rng.choice([*PERSON])] if rng.random() < 1 / 3 else rng.sample(WORDLESS, rng.randint(1, len(WORDLESS)))
        other = family[0].changed(**draw_traits(names, rng))
        if not other.is_held_out():
            family.append(other)
    return family


def draw_traits(names: Iterable[str], rng: random.Random) -> dict[str, Any]:
    """{name: value}, as of some random person."""
    drawn = world.draw_identity(rng)
    return {name: getattr(drawn, name) for name in names}


def codes_of(person: Person) -> dict[str, int]:
    """{trait: number} of what can be seen: a bald head has no streak, and no hair colour without a beard. Below UNSEEN: in between."""
    identity = person.identity
    bald, mark = identity.style == "bald", identity.mark
    codes = {
        "hair": UNSEEN if bald and not identity.beard else PERSON["hair"].index(identity.hair),
        "style": PERSON["style"].index(identity.style),
        "skin": PERSON["skin"].index(identity.skin),
        "beard": int(identity.beard),
        "eyes": world.EYES.index(identity.eyes),
        "mark_place": MARK_PLACES.index(mark[:2] if mark else None),
        "mark_colour": 1 + world.MARK.index(mark[2]) if mark else 0,
        "streak": 1 + world.STREAK.index(identity.streak) if identity.streak and not bald else 0,
    }
    return codes | ({person.trait: UNSEEN - 1 - person.key} if person.other else {})


def similarity_targets(codes: dict[str, torch.Tensor], sizes: torch.Tensor) -> torch.Tensor:
    """Cosines (N, N) that people should have. codes: {trait: (N,)}; sizes: (N, 2), width and size."""
    width, size = ((column[:, None] - column) for column in sizes.T)
    target = torch.exp(-((width / WIDTH_SCALE) ** 2) - (size / SIZE_SCALE) ** 2)
    for name, kept in TRAITS.items():
        target = target * torch.where(codes[name][:, None] == codes[name], 1.0, kept)
    return target


def draw_picture(person: Person, rng: random.Random) -> tuple[world.Scene, np.ndarray]:
    """(scene, cells (20, 20, 3) uint8) of a photo or of a moment of a clip; view or framing are "" where the motion changes them."""
    moving = rng.random() < MOVING_SHARE
    scene = world.draw_scene(rng, None if moving else "")
    cells = person.draw(scene, rng.random() if moving else PHOTO_MOMENT)
    if scene.motion.startswith("turning"):
        scene = dataclasses.replace(scene, view="")
    if scene.motion.startswith("zooming"):
        scene = dataclasses.replace(scene, framing="")
    return scene, cells


def draw_moments(identity: world.Identity, scene: world.Scene, count: int, num_frames: int) -> np.ndarray:
    """Cells (num_frames, 20, 20, 3) of a clip of `count` frames, resampled as the observer does it."""
    moments = [round(k * (count - 1) / (num_frames - 1)) / (count - 1) for k in range(num_frames)]
    return np.stack([draw_cells(identity, scene, u) for u in moments])


# -- the lessons


class Lessons:
    """The loss of a step, drawn from the step's number alone."""

    def __init__(self, network: ObserverNetwork, hints: nn.ModuleDict, seed: int) -> None:
        self.network, self.hints, self.seed = network.train(), hints, seed

    def __call__(self, step: int) -> torch.Tensor:
        rng, draw = random.Random(seed_of("observer", self.seed, step)), generator("observer wear", self.seed, step)
        return self.pictures_loss(rng, draw) + self.clips_loss(rng, draw)

    def pictures_loss(self, rng: random.Random, draw: torch.Generator) -> torch.Tensor:
        """Who they are, and what their pictures show."""
        people = [person for _ in range(FAMILIES) for person in draw_family(rng) for _ in range(PICTURES)]
        scenes, cells = zip(*[draw_picture(person, rng) for person in people])
        cells = wear(to_cells(np.stack(cells), CELLS)[:, None], draw)[:, 0]
        person, scene = self.network.look(cells)
        codes = _stack([codes_of(person) for person in people])
        sizes = torch.tensor([[p.identity.width, p.identity.size] for p in people])
        answers = self.network.name(person, scene)
        named = sum(_cross_entropy(answers[name], codes[name]) for name in PERSON)
        named = named + sum(_cross_entropy(answers[name], _scene_targets(scenes, name)) for name in SCENE)
        hinted = sum(_cross_entropy(self.hints[name](person), codes[name]) for name in NUM_CODES)
        hinted = hinted + F.mse_loss(self.hints["sizes"](person), (sizes - 1) * 10)
        likeness = similarity_loss(self.network.embed(person), similarity_targets(codes, sizes))
        return SIMILARITY_WEIGHT * likeness + NAMED_WEIGHT * named + HINTED_WEIGHT * hinted

    def clips_loss(self, rng: random.Random, draw: torch.Generator) -> torch.Tensor:
        scenes = [world.draw_scene(rng, None) for _ in range(CLIPS)]
        count = self.network.config.num_frames
        clips = [draw_moments(world.draw_identity(rng), scene, rng.choice(CLIP_FRAMES), count) for scene in scenes]
        cells = torch.stack([to_cells(clip, CELLS) for clip in clips])
        targets = torch.tensor([world.MOTION.index(scene.motion) for scene in scenes])
        return F.cross_entropy(self.network.watch(wear(cells, draw)), targets)


def similarity_loss(rows: torch.Tensor, target: torch.Tensor, pictures: int = PICTURES, members: int = MEMBERS) -> torch.Tensor:
    """Squared error of the cosines, the mean of three kinds of pairs: of one person, of one family, of strangers."""
    person = torch.arange(len(rows)) // pictures
    same, family = person[:, None] == person, (person // members)[:, None] == person // members
    other = ~torch.eye(len(rows), dtype=torch.bool)
    error = (rows @ rows.T - target).square()
    return error[same & other].mean() + error[family & ~same].mean() + 3 * error[~family].mean()


def _stack(dicts: list[dict[str, int]]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([d[name] for d in dicts]) for name in dicts[0]}


def _scene_targets(scenes: Sequence[world.Scene], name: str) -> torch.Tensor:
    """Numbers (N,) of the names, UNSEEN where there is none."""
    values = [getattr(scene, name) for scene in scenes]
    return torch.tensor([UNSEEN if value == "" else SCENE[name].index(value) for value in values])


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(logits, targets.clamp(min=UNSEEN), ignore_index=UNSEEN)


# -- what happens to pictures between their drawing and their being seen


def wear(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """(N, F, 3, 20, 20) in [0, 1], worn as a model's pictures and as files are: shifted, mixed, blurred, tinted, noisy, with wrong cells.

    What is done to a clip is done to all its frames alike, but for the noise.
    """
    for damage in (_shift, _mix, _blur, _thin_out_colour, _tint, _add_noise, _misplace):
        cells = damage(cells, draw)
    return cells.clamp(0, 1)


def _strengths(cells: torch.Tensor, draw: torch.Generator, share: float, most: float) -> torch.Tensor:
    """(N, 1, 1, 1, 1): 0 for most, up to `most` for a share of them."""
    lots = torch.rand(len(cells), 2, 1, 1, 1, 1, generator=draw)
    return (lots[:, 0] < share) * lots[:, 1] * most


def _shift(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """By up to half a cell, and a few percent larger or smaller."""
    moved = _strengths(cells, draw, 0.3, 1.0).flatten()
    lots = (2 * torch.rand(len(cells), 3, generator=draw) - 1) * moved[:, None]
    turn = torch.zeros(len(cells), 2, 3)
    turn[:, 0, 0] = turn[:, 1, 1] = 1 + 0.02 * lots[:, 0]
    turn[:, :, 2] = lots[:, 1:] / CELLS  # the picture is 2 wide: half a cell
    grid = F.affine_grid(turn, [len(cells), 3, CELLS, CELLS], align_corners=False)
    shifted = F.grid_sample(cells.flatten(1, 2), grid, padding_mode="border", align_corners=False).view_as(cells)
    return torch.where(moved.view(-1, 1, 1, 1, 1) > 0, shifted, cells)


def _mix(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """With another picture, faintly."""
    return torch.lerp(cells, cells.roll(PICTURES * MEMBERS, 0), _strengths(cells, draw, 0.25, 0.2))


def _blur(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """With up to a quarter of each neighbour, one direction after the other."""
    side = _strengths(cells, draw, 0.5, 0.25)
    for dim in (-1, -2):
        ends = [cells.narrow(dim, 0, 1), cells, cells.narrow(dim, CELLS - 1, 1)]
        wide = torch.cat(ends, dim)
        cells = cells + side * (wide.narrow(dim, 0, CELLS) + wide.narrow(dim, 2, CELLS) - 2 * cells)
    return cells


def _thin_out_colour(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Colour of 2 x 2 cells together, brightness of each: what video files do, one step coarser."""
    grey = cells.mean(2, keepdim=True)
    colour = (cells - grey).flatten(1, 2)
    coarse = F.interpolate(F.avg_pool2d(colour, 2), scale_factor=2).view_as(cells)
    return torch.lerp(cells, grey + coarse, _strengths(cells, draw, 0.2, 1.0))


def _tint(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    amount = _strengths(cells, draw, 0.6, 1.0)
    lots = 2 * torch.rand(2, len(cells), 1, 3, 1, 1, generator=draw) - 1
    return cells * (1 + 0.06 * amount * lots[0]) + 0.03 * amount * lots[1]


def _add_noise(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Fine noise of up to 20 of 255, and coarse of up to 12."""
    fine = torch.randn(cells.shape, generator=draw) * _strengths(cells, draw, 0.6, 0.08)
    coarse = torch.randn(len(cells), cells.shape[1] * 3, 5, 5, generator=draw)
    coarse = F.interpolate(coarse, (CELLS, CELLS), mode="bilinear").view_as(cells) * _strengths(cells, draw, 0.4, 0.05)
    return cells + fine + coarse


def _misplace(cells: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Some cells show what is two cells beside them."""
    wrong = torch.rand(len(cells), cells.shape[1], 1, CELLS, CELLS, generator=draw) < _strengths(cells, draw, 0.25, 0.06)
    return torch.where(wrong, cells.roll(2, -1), cells)
