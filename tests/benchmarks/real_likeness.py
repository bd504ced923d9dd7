"""Whether clips of real faces are ordered rightly by likeness: python tests/benchmarks/real_likeness.py FOLDER FOLDER [--photos 12] [--seed 1]

Each folder holds photos of one person. Of each person's photos with one face a part becomes references; of the others clips are made: steady (a slow
zoom), fading (into somebody else), melting (the face is bent more and more), another person, and hidden (a bar over the face). All go through the
evaluation's own likeness. Prints JSON: how often each clip that should be more like lies above each that should be less, for each person.
"""

import argparse
import itertools
import json
import random
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from studio.evaluation.judge.likeness import Likeness
from studio.models.eyes.of_faces import EYE

SIZE = 480
FRAMES = 9
BETTER = [("steady", "melting"), ("steady", "fading"), ("steady", "another"), ("melting", "another"), ("fading", "another")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--photos", type=int, default=12, help="references; the others become clips")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rng, sight = random.Random(args.seed), EYE.open(None)
    people = [[photo for path in sorted(folder.iterdir()) if (photo := read_face(sight, path)) is not None] for folder in args.folders]
    for photos in people:
        rng.shuffle(photos)
    found = {folder.name: measure(sight, people, number, args.photos) for number, folder in enumerate(args.folders)}
    print(json.dumps(found, indent=1))


def read_face(sight, path):
    """A square around the largest face, 480 px; None where there is none, or one that is small."""
    try:
        picture = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    except OSError:
        return None
    faces = sight.find(picture)
    if len(faces) != 1 or faces[0].width < 90:
        return None
    face = faces[0]
    side = int(min(2.4 * max(face.width, face.height), *picture.shape[:2]))
    left = int(np.clip(face.left + face.width / 2 - side / 2, 0, picture.shape[1] - side))
    top = int(np.clip(face.top + face.height / 2 - side / 2, 0, picture.shape[0] - side))
    return cv2.resize(picture[top : top + side, left : left + side], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def measure(sight, people, number, num_references):
    own, others = people[number], [photo for i, photos in enumerate(people) if i != number for photo in photos]
    references, rest = own[:num_references], own[num_references:]
    person = Likeness(sight.embed(np.stack(references)), scale=EYE.scale)
    values = {kind: [] for kind in ("steady", "fading", "melting", "another", "hidden")}
    falls = {kind: [] for kind in values}
    for i, photo in enumerate(rest):
        for kind, frames in clips_of(photo, others[i % len(others)]).items():
            rows = sight.embed(frames)
            seen = rows[rows.any(axis=1)]
            share, fall = person.identity(seen) if len(seen) >= len(rows) / 2 else (None, None)
            values[kind].append(share)
            falls[kind].append(fall)
    return {
        "references": len(references), "is_about": person.is_about, "ceiling": round(person.ceiling, 3), "clips of each kind": len(rest),
        "median share": {kind: summarize(own) for kind, own in values.items()}, "median fall": {kind: summarize(own) for kind, own in falls.items()},
        "face not seen": {kind: own.count(None) for kind, own in values.items()},
        "ordered rightly (same photo)": {f"{a} over {b}": ordered(values[a], values[b]) for a, b in BETTER},
        "ordered rightly (any two)": {f"{a} over {b}": ordered(*zip(*itertools.product(values[a], values[b]), strict=True)) for a, b in BETTER},
    }  # fmt: skip


def clips_of(photo, other):
    t = np.linspace(0, 1, FRAMES)
    zoom = [cv2.warpAffine(photo, cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 2 * x, 1 + 0.08 * x), (SIZE, SIZE)) for x in t]
    strange = [cv2.warpAffine(other, cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), 2 * x, 1 + 0.08 * x), (SIZE, SIZE)) for x in t]
    fading = [cv2.addWeighted(a, 1 - x, b, x, 0) for a, b, x in zip(zoom, strange, t, strict=True)]
    melting = [melt(frame, x) for frame, x in zip(zoom, t, strict=True)]
    hidden = [frame.copy() for frame in zoom]
    for frame in hidden:
        frame[SIZE // 5 : 4 * SIZE // 5, SIZE // 5 : 4 * SIZE // 5] = 90
    made = {"steady": zoom, "fading": fading, "melting": melting, "another": strange, "hidden": hidden}
    return {kind: np.stack(frames) for kind, frames in made.items()}


def melt(frame, x):
    """The face sags: waves of up to 5 % of the picture."""
    ys, xs = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    shift = np.float32(0.05 * SIZE * x)
    return cv2.remap(
        frame, xs + shift * np.sin(ys / 40), ys + shift * np.sin(xs / 30 + 1), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def summarize(values):
    known = [value for value in values if value is not None]
    return round(float(np.median(known)), 3) if known else None


def ordered(first, second):
    """Share of pairs in which the first lies above the second; a face that is not seen counts as nothing."""
    wins = [(a if a is not None else -1) > (b if b is not None else -1) for a, b in zip(first, second, strict=True)]
    return round(sum(wins) / len(wins), 3)


if __name__ == "__main__":
    main()
