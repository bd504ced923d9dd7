"""The door of eyes: who makes an embedding of a person, and says what a picture shows. One file a member, found by this folder. Torch-free.

Eyes are models, with weights, a licence and base models that they are for; so they live here, and data and evaluation ask for them alike.
A member is a file of this folder with an `EYE`. It opens only when it is asked to look; what needs torch is imported there.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from studio.disk import file_sha256
from studio.doors import members
from studio.models.preset import ModelPreset

if TYPE_CHECKING:
    from studio.models.catalogue import BaseModel
    from studio.models.faces.mesh import Mesh
    from studio.models.faces.sight import SeenFace
    from studio.models.observer import ObserverConfig, Reading

EMBEDDINGS, NAMES, MOTION, FACES = "embeddings", "names", "motion", "faces"  # what an eye may give
FIRST_KEYS = {("observer", 1)}  # eyes whose keys were made of their files alone: what lies in projects keeps its worth


@dataclass(frozen=True)
class LikenessScale:
    """How the likeness that an eye sees becomes a share of how alike the person's own photos are.

    floor: cosine of strangers, which is a share of 0; least: photos below which nothing is said; sure: photos below which it is said "about".
    """

    floor: float = 0.0
    least: int = 3
    sure: int = 3


class Sight(Protocol):
    """An eye that was opened, as far as everyone asks. One that gives more (an eye's `gives`) has more methods."""

    def embed(self, frames: np.ndarray) -> np.ndarray:
        """(N, H, W, 3) uint8 -> (N, D) float32 rows of length 1: near 1 apart for one person, near 0 for two. Zeros where nobody is seen."""
        ...

    def knows(self, frames: np.ndarray) -> np.ndarray:
        """(N,) bool: whether each is a picture of the kind that the eye was made for. What it sees in others means nothing."""
        ...


@runtime_checkable
class NamingSight(Sight, Protocol):
    """An eye whose `gives` has NAMES and MOTION, opened: it says what a picture shows and what moves."""

    config: "ObserverConfig"  # which names there are

    def read(self, frames: np.ndarray) -> "list[Reading]":
        """(N, H, W, 3) uint8 -> {attribute: name} of each frame."""
        ...

    def read_motion(self, clip: np.ndarray) -> str:
        """The name of what moves in (F, H, W, 3) uint8 frames, evenly spaced in time."""
        ...


@runtime_checkable
class FaceSight(Sight, Protocol):
    """An eye whose `gives` has FACES, opened. A picture is (H, W, 3) uint8, RGB, of any size; places are px of it."""

    def find(self, picture: np.ndarray) -> "list[SeenFace]":
        """All faces, the largest first."""
        ...

    def embed_face(self, picture: np.ndarray, face: "SeenFace", mirrored: bool = False) -> np.ndarray:
        """(D,) float32 of length 1; mirrored: the mean of the face and its mirror image."""
        ...

    def mesh(self, picture: np.ndarray, face: "SeenFace") -> "Mesh":
        """Which way the face looks, whether its mouth is open."""
        ...

    def mask(self, picture: np.ndarray) -> np.ndarray:
        """(S, S) float32: how surely each part of the whole picture is a person, 0 to 1."""
        ...


class Eye(Protocol):
    """What a member says of itself."""

    name: str
    version: int  # raise it when the same picture would be seen otherwise: it is part of the key
    title: str  # in plain words
    gives: frozenset[str]
    needs_base: bool  # its files are a base model's; else it comes with the studio
    milliseconds: float  # for a picture, on one processor core
    licence: str
    scale: LikenessScale
    unseen: str  # why it can't judge most of some pictures, in words

    def is_for(self, preset: ModelPreset) -> bool:
        """Whether it can judge what that base model draws and learns from."""
        ...

    def files(self, base: "BaseModel | None") -> list[Path]:
        """The files that decide what it sees."""
        ...

    def open(self, base: "BaseModel | None") -> Sight:
        """Problem in words if a file is missing or damaged."""
        ...


def list_eyes() -> list[Eye]:
    """Every member, in order of name."""
    return sorted((module.EYE for module in members(__name__, ["EYE"])), key=lambda eye: eye.name)


def find_eye(preset: ModelPreset) -> Eye | None:
    """The eye for a base model's pictures: the one that came with the model, else one for any; None where there is none."""
    fitting = [eye for eye in list_eyes() if EMBEDDINGS in eye.gives and eye.is_for(preset)]
    return min(fitting, key=lambda eye: not eye.needs_base, default=None)


def find_face_eye() -> Eye:
    """The eye for real people, whatever the base model: one comes with the studio."""
    return next(eye for eye in list_eyes() if FACES in eye.gives)


def key_of(eye: Eye, base: "BaseModel | None") -> str:
    """Changes with the eye, its version and its files: what was seen under another key is looked at anew. Loads no torch."""
    digest = hashlib.sha256()
    if (eye.name, eye.version) not in FIRST_KEYS:
        digest.update(f"{eye.name} {eye.version}\n".encode())
    for path in eye.files(base):
        digest.update(f"{path.name} {file_sha256(path)}\n".encode())
    return digest.hexdigest()[:16]
