"""What the denoiser learns from: a pool of drawn photos and clips as cells, their latents, and the captions they may have."""

from __future__ import annotations

import multiprocessing
import os
import random
import string
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import torch

from studio.tiny import world
from studio.tiny.pixel_drawing import CELL, PHOTO_MOMENT, draw_cells, draw_clip, person_mask

if TYPE_CHECKING:
    from studio.models.loading import Vae

Shown: TypeAlias = tuple[world.Identity, world.Scene]  # who and what a picture shows
CLIP_FRAMES = 9
FRAMES_PER_LATENT = 4
DRAWN_AT_ONCE = 500  # pictures, by one process
# What a training caption leaves out or adds, so that the base knows short captions, and names that mean nothing to it: shares of captions that
# are empty (for classifier-free guidance), begin with a name, say only "a person" or some of hair, skin and beard; of phrases that are left out.
CAPTIONS = dict(empty=0.08, named=0.4, nobody=0.3, partly=0.2, phrase=0.08)


class Pool:
    """Drawn pictures of people who are not held out, in scenes that are not: cells (N, F, 20, 20, 3) uint8 with who and what they show.

    Drawn by all processors once, kept in `folder` for the stages that follow.
    """

    def __init__(self, folder: Path, seed: int | str, num_photos: int, num_clips: int) -> None:
        self.kinds: list[tuple[list[Shown], np.ndarray]] = []
        for kind, count, num_frames in (("photos", num_photos, 1), ("clips", num_clips, CLIP_FRAMES)):
            rng = random.Random(f"{seed} {kind}")
            people = [(world.draw_identity(rng), world.draw_scene(rng, None if num_frames > 1 else "")) for _ in range(count)]
            self.kinds.append((people, _draw_all(Path(folder) / f"pool-{seed}-{kind}-{count}.npy", people, num_frames)))

    def batch(
        self, clips: bool, count: int, rng: random.Random, captions: Mapping[str, float] = CAPTIONS
    ) -> tuple[list[int], np.ndarray, list[str]]:
        """(numbers, cells (B, F, 20, 20, 3), captions) of `count` random photos or clips."""
        people, cells = self.kinds[bool(clips)]
        chosen = [rng.randrange(len(people)) for _ in range(count)]
        return chosen, cells[chosen], [vary_caption(*people[i], rng, captions) for i in chosen]

    def masks(self, clips: bool, chosen: Sequence[int]) -> torch.Tensor:
        """(B, f, 20, 20) float: where the people of those pictures are, in each frame of the latents."""
        people, cells = self.kinds[bool(clips)]
        masks = np.stack([[person_mask(*people[i], u) for u in moments(cells.shape[1])] for i in chosen])
        later = masks[:, 1:].reshape(len(masks), -1, FRAMES_PER_LATENT, *masks.shape[2:]).any(2)
        return torch.from_numpy(np.concatenate([masks[:, :1], later], 1)).float()


def _draw_all(path: Path, people: list[Shown], num_frames: int) -> np.ndarray:
    """(N, F, 20, 20, 3) uint8 cells, from the file or drawn and put there."""
    try:
        return np.load(path)
    except (OSError, ValueError, EOFError):
        pass  # not drawn yet, or cut off
    chunks = [people[start : start + DRAWN_AT_ONCE] for start in range(0, len(people), DRAWN_AT_ONCE)]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as processes:
        cells = np.concatenate(list(processes.map(_draw_chunk, chunks, [num_frames] * len(chunks))))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with open(temporary, "wb") as file:
        np.save(file, cells)
    os.replace(temporary, path)
    return cells


def _draw_chunk(people: list[Shown], num_frames: int) -> np.ndarray:
    return np.stack([draw_frames(*p, num_frames) for p in people])


def draw_frames(identity: world.Identity, scene: world.Scene, num_frames: int) -> np.ndarray:
    """(F, 20, 20, 3) uint8 cells."""
    return np.stack([draw_cells(identity, scene, u) for u in moments(num_frames)])


def moments(num_frames: int) -> list[float]:
    """Times in [0, 1] of the frames of a clip, or of a photo."""
    return [i / (num_frames - 1) for i in range(num_frames)] if num_frames > 1 else [PHOTO_MOMENT]


def vary_caption(
    identity: world.Identity,
    scene: world.Scene,
    rng: random.Random,
    shares: Mapping[str, float] = CAPTIONS,
    said: set[str] | None = None,
) -> str:
    """One of the captions that a picture may have: whole, short, without the person's looks, with a name in front, or empty.

    said: a set to which the names of all attributes are added that the caption tells.
    """
    said = set() if said is None else said
    if rng.random() < shares["empty"]:
        return ""
    lot = rng.random()
    parts = ("hair", "skin", "beard")
    if lot < shares["nobody"]:
        parts = ()
    elif lot < shares["nobody"] + shares["partly"]:
        parts = tuple(part for part in parts if rng.random() < 0.5)
    subject = world.describe(identity, parts)
    if rng.random() < shares["named"]:
        subject = f"{''.join(rng.choices(string.ascii_lowercase, k=rng.randint(3, 7)))}, {subject}"
    omit = [what for what in world.scene_phrases(scene) if rng.random() < shares["phrase"]]
    said |= world.told_attributes(identity, scene, parts, omit)
    return world.caption(scene, subject, omit=omit)


def draw_groups(seed: int | str, num_photos: int = 96, num_clips: int = 24) -> list[torch.Tensor]:
    """[photos (N, 3, 1, 80, 80), clips (M, 3, 9, 80, 80)] float in [-1, 1]: what the VAE's normalisation is measured on."""
    rng = random.Random(f"{seed} groups")
    groups = []
    for count, num_frames in ((num_photos, 1), (num_clips, CLIP_FRAMES)):
        frames = [
            draw_clip(world.draw_identity(rng), world.draw_scene(rng, None if num_frames > 1 else ""), num_frames) for _ in range(count)
        ]
        groups.append(to_pixels(np.stack(frames)))
    return groups


def to_pixels(frames: np.ndarray) -> torch.Tensor:
    """(B, F, H, W, 3) uint8 -> (B, 3, F, H, W) float in [-1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 4, 1, 2, 3).float() / 127.5 - 1


class Codec:
    """The VAE's encoder for pictures that are made of cells, as the linear map that it is (see `vae.py`), read off the VAE itself.

    A thousand times faster than the VAE; a test compares the two.
    """

    def __init__(self, vae: Vae) -> None:
        """vae: the studio's Vae, which gives normalised latents."""
        colours = 3 * FRAMES_PER_LATENT
        basis = torch.cat([torch.zeros(1, colours), torch.eye(colours)])  # nothing, then each colour of each frame alone
        frames = torch.cat([torch.zeros(colours + 1, 1, 3), basis.view(-1, FRAMES_PER_LATENT, 3)], 1)
        latents = self._encode(vae, frames)[:, :, 1]
        self.offset, self.later = latents[0], latents[1:] - latents[0]  # (C,), (12, C)
        first = self._encode(vae, torch.cat([torch.zeros(1, 3), torch.eye(3)])[:, None])[:, :, 0]
        self.first_offset, self.first = first[0], first[1:] - first[0]

    @staticmethod
    def _encode(vae: Vae, colours: torch.Tensor) -> torch.Tensor:
        """Latents (N, C, f) of evenly coloured clips (N, F, 3)."""
        pixels = colours.permute(0, 2, 1)[..., None, None].expand(-1, -1, -1, 2 * CELL, 2 * CELL)
        return vae.encode(pixels).mean((-1, -2))

    def encode(self, cells: np.ndarray) -> torch.Tensor:
        """(B, F, h, w, 3) uint8 cells -> normalised latents (B, C, (F - 1) // 4 + 1, h, w)."""
        colours = torch.from_numpy(cells).float() / 127.5 - 1
        batch, frames, height, width, _ = colours.shape
        first = colours[:, :1] @ self.first + self.first_offset
        groups = colours[:, 1:].reshape(batch, -1, FRAMES_PER_LATENT, height, width, 3).permute(0, 1, 3, 4, 2, 5)
        later = groups.reshape(batch, (frames - 1) // FRAMES_PER_LATENT, height, width, 3 * FRAMES_PER_LATENT) @ self.later + self.offset
        return torch.cat([first, later], 1).permute(0, 4, 1, 2, 3)
