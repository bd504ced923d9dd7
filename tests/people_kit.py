"""Looks of photos that were never taken: people as SFace sees them (likeness .55 of one person, .09 of two), views, places, faults."""

import dataclasses
from pathlib import Path

import numpy as np
from PIL import Image

from studio.data import dataset, persons
from studio.data.item_record import Item
from studio.data.looking import looks
from studio.data.looking.look import FaceLook, Look
from studio.data.looking.packing import pack_picture, pack_shares

DIMENSIONS = 128
TURNS = {"front": 0.0, "left": -35.0, "right": 35.0, "profile-left": -60.0, "profile-right": 60.0}
HEIGHTS = {"close": 0.45, "upper": 0.28, "waist": 0.17, "full": 0.09}


def unit(row):
    return row / np.linalg.norm(row)


def embedding(person, rng, own=0.745, everyone=0.3):
    """A row like SFace's: two of one person are alike by own ** 2, two people's by everyone ** 2."""
    who = unit(np.random.default_rng(1000 + person).normal(size=DIMENSIONS))
    all_of_us = unit(np.random.default_rng(1).normal(size=DIMENSIONS))
    parts = max(0.0, own**2 - everyone**2) ** 0.5 * who + everyone * all_of_us
    return unit(parts + max(0.0, 1 - own**2) ** 0.5 * unit(rng.normal(size=DIMENSIONS))).astype(np.float32)


def make_face(person=0, rng=None, at=(400, 300), width=260.0, angle="front", own=0.745, **changes):
    """A good face of that person."""
    rng = rng or np.random.default_rng(0)
    left, top = at
    high = width * 1.25
    points = (0.3, 0.4, 0.7, 0.4, 0.5, 0.6, 0.35, 0.75, 0.65, 0.75)
    landmarks = tuple(p * (high if n % 2 else width) + (top if n % 2 else left) for n, p in enumerate(points))
    values = dict(landmarks=landmarks, blur=0.3, upscaled=0.2, blown=0.0, luma=120.0, turn=TURNS[angle], score=0.9)
    values |= dict(embedding=persons.pack(embedding(person, rng, own)[None]))
    return FaceLook(left=at[0], top=at[1], width=width, height=width * 1.25, **values | changes)


def make_look(*faces, size=(1024, 1024), seed=0, place=0, outfit=0, **changes):
    """A good photo with these faces."""
    rng = np.random.default_rng(seed)
    ordered = tuple(sorted(faces, key=lambda face: -face.width))
    small = np.kron(rng.integers(0, 255, (16, 16)), np.ones((4, 4))).astype(np.uint8)
    values = dict(
        luma=120.0, colour=12.0, warmth=4.0, flat=0.1, seam=0.2, jpeg_tables=300, blocks=1.0, thumbnail=pack_picture(small),
        background=pack_shares(_histogram(place)), outfit=pack_shares(_histogram(100 + outfit)),
    )  # fmt: skip
    return Look(eye="faces", width=size[0], height=size[1], faces=ordered, **values | changes)


def _histogram(seed):
    shares = np.random.default_rng(seed).random(1536) ** 12
    return shares / shares.sum()


def make_photo(number, rng, person=0, angle="front", framing="close", size=(1024, 1024), **changes):
    """A good photo of one person, in that view."""
    height = HEIGHTS[framing] * size[1]
    face = {
        name: changes.pop(name)
        for name in list(changes)
        if name in {f.name for f in dataclasses.fields(FaceLook)} and name not in ("luma",)
    }
    return make_look(make_face(person, rng, width=height / 1.25, angle=angle, **face), size=size, seed=number, **changes)


def make_item(name, look, **changes):
    values = dict(kind="photo", width=look.width, height=look.height, num_frames=1, fps=0.0, seconds=0.0, caption="", caption_source="")
    return dataclasses.replace(Item(id=name, path=Path(f"{name}.jpg"), original=f"{name}.jpg", sha256=name, **values), **changes)


def named(looks):
    """{"0001": look, ...} of a list."""
    return {f"{number:04d}": look for number, look in enumerate(looks, 1)}


def crowd(project):
    """The looks of six photos of the person alone, p0 to p5, and of p6, in which somebody else's face, at the other end, is twice as wide."""
    rng, eye = np.random.default_rng(0), looks.find_eyes(project).face_key
    alone = [make_look(make_face(0, rng), size=(1000, 1500)) for _ in range(6)]
    person, other = make_face(0, rng, at=(100, 1240), width=200), make_face(1, rng, at=(300, 10), width=400)
    seen = [dataclasses.replace(look, eye=eye) for look in (*alone, make_look(person, other, size=(1000, 1500)))]
    project.dataset_dir.mkdir(parents=True)
    for number in range(len(seen)):
        Image.new("RGB", (200, 300), (number, 99, 0)).save(project.dataset_dir / f"p{number}.png")
    for item, look in zip(dataset.list_items(project), seen, strict=True):
        looks.add(looks.looks_file(project), item.sha256, [look])
    return seen
