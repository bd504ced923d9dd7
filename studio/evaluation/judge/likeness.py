"""Likeness as numbers: how much faces are like the person's photos, and how near drawings come to copying one. Numpy alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from studio.models.eyes import LikenessScale

LEAST_GROUPS = 3  # photos (or clips, or frames of a single clip): with fewer there is no leaving one out
LEAST_CEILING = 0.2  # photos less alike than this do not show one person: nothing can be a share of it
DRAWN = LikenessScale()
THUMBNAIL = 16  # cells of a side: places and colours remain, detail does not
MOST_NEAR = 10.0  # an exact copy is infinitely near


class Likeness:
    """A person as the mean of embeddings (unit rows) of their own pictures; everything is a share of how alike those are to each other.

    scale: of the eye. is_about: whether so few pictures make the shares uncertain. references (N, D); groups (N,): pictures with the same number were taken together, as frames of a clip, and are not compared.
    """

    def __init__(self, references: ArrayLike, groups: ArrayLike | None = None, scale: LikenessScale = DRAWN) -> None:
        references = np.asarray(references, np.float32)
        groups = np.arange(len(references)) if groups is None else np.asarray(groups)
        if len(references) < scale.least:
            raise ValueError(f"likeness needs at least {scale.least} pictures of the person, got {len(references)}")
        self.floor, self.is_about = scale.floor, len(references) < scale.sure
        if len(set(groups.tolist())) < LEAST_GROUPS:
            groups = np.arange(len(references))  # a clip or two are all there is: then every frame stands for itself
        self.mean = _unit(references.mean(0))
        others = [_unit(references[groups != group].mean(0)) for group in groups]
        self.ceiling = float(np.mean(np.sum(references * np.stack(others), axis=1)))  # leave one out
        if self.ceiling - self.floor < LEAST_CEILING:
            raise ValueError("the pictures of the dataset do not show one person; leave out those of others")

    def shares(self, embeddings: ArrayLike) -> np.ndarray:
        """(M,) for embeddings (M, D): 1 is as like the person as their own photos are, 0 as any stranger is."""
        return (np.asarray(embeddings, np.float32) @ self.mean - self.floor) / (self.ceiling - self.floor)

    def identity(self, embeddings: ArrayLike) -> tuple[float, float]:
        """(share of a clip: the median of its frames, its fall from the first to the last third)."""
        shares = self.shares(embeddings)
        third = max(1, len(shares) // 3)
        return float(np.median(shares)), float(shares[:third].mean() - shares[-third:].mean())


class Copies:
    """Finds drawings that copy a training picture: nearer to one in pixels than those pictures usually are to each other."""

    def __init__(self, pictures: Sequence[np.ndarray], groups: ArrayLike | None = None) -> None:
        """pictures: list of (H, W, 3) uint8 of any sizes, at least two; groups as for Likeness."""
        self.pictures = pictures
        self.thumbnails: dict[float, np.ndarray] = {}
        self.groups = np.arange(len(pictures)) if groups is None else np.asarray(groups)
        if len(set(self.groups.tolist())) < 2:
            self.groups = np.arange(len(pictures))

    def nearness(self, frames: np.ndarray) -> float:
        """For frames (F, H, W, 3): the pictures' usual distance to their nearest neighbour through the clip's to its nearest picture.

        About 1 is a picture of its own, 2 is twice as near to one training picture as they are to each other. The median frame counts.
        """
        height, width = frames.shape[1:3]
        own = self._thumbnails(width / height)
        drawn = np.stack([thumbnail(frame, width / height) for frame in frames])
        apart = np.where(self.groups[:, None] == self.groups[None], np.inf, _distances(own, own))
        usual, nearest = np.median(apart.min(1)), np.median(_distances(drawn, own).min(1))
        return float(min(MOST_NEAR, usual / max(nearest, 1e-6)))

    def _thumbnails(self, ratio: float) -> np.ndarray:
        if ratio not in self.thumbnails:
            self.thumbnails[ratio] = np.stack([thumbnail(picture, ratio) for picture in self.pictures])
        return self.thumbnails[ratio]


def thumbnail(picture: np.ndarray, ratio: float) -> np.ndarray:
    """(H, W, 3) uint8 -> (THUMBNAIL, THUMBNAIL, 3) in 0..1: the largest middle part with that ratio of width to height, averaged."""
    height, width = picture.shape[:2]
    w, h = min(width, round(height * ratio)), min(height, round(width / ratio))
    left, top = (width - w) / 2, (height - h) / 2
    box = (left, top, left + max(w, 1), top + max(h, 1))
    small = Image.fromarray(picture).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX, box)
    return np.asarray(small, np.float32) / 255


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(len(a), len(b)): root mean square difference of thumbnails."""
    return np.sqrt(((a[:, None] - b[None]) ** 2).mean((2, 3, 4)))


def _unit(row: np.ndarray) -> np.ndarray:
    return row / max(np.linalg.norm(row), 1e-12)
