"""The pixel world: drawn people in drawn scenes, with captions. What the embedded model knows, and what the demo is made of."""

import math
import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

HAIR = {
    "black": (25, 20, 20),
    "brown": (100, 60, 30),
    "blond": (225, 190, 90),
    "red": (190, 60, 30),
    "grey": (150, 150, 155),
    "blue": (50, 80, 210),
    "green": (40, 160, 70),
    "pink": (230, 110, 170),
}
SKIN = {"pale": (250, 220, 195), "tan": (225, 175, 130), "brown": (165, 110, 75), "dark": (95, 60, 45)}
SHIRT = {
    "red": (200, 40, 40),
    "blue": (40, 70, 190),
    "green": (40, 140, 60),
    "yellow": (230, 200, 50),
    "white": (240, 240, 240),
    "black": (30, 30, 35),
    "purple": (130, 50, 160),
    "orange": (235, 130, 40),
}
PLACE = {
    "sky": (150, 200, 240),
    "grass": (110, 180, 90),
    "sand": (225, 205, 150),
    "night": (25, 30, 60),
    "brick": (160, 85, 65),
    "grey": (170, 170, 170),
    "rose": (235, 190, 200),
    "teal": (40, 140, 140),
}
STYLE = ("short", "long", "bald", "bun")
VIEW = {"facing left": -0.8, "facing slightly left": -0.4, "facing forward": 0.0, "facing slightly right": 0.4, "facing right": 0.8}
MOTION = ("standing still", "walking left to right", "nodding", "zooming in")
CELLS, PIXELS, CANVAS = 16, 64, 128  # a picture is 16 x 16 cells of 4 x 4 pixels, drawn at 128 x 128 and averaged


@dataclass(frozen=True)
class Identity:
    """What stays the same in every picture of a person. `mark` is a birthmark at (x, y) in head radii that no caption names."""

    hair: str
    skin: str
    style: str
    size: float = 1.0
    mark: tuple[float, float] | None = None


@dataclass(frozen=True)
class Scene:
    """What changes from picture to picture."""

    shirt: str
    place: str
    view: str
    motion: str = "standing still"
    glasses: bool = False


def draw_identity(rng, marked=False):
    """A random person from a `random.Random`."""
    return Identity(
        hair=rng.choice(list(HAIR)),
        skin=rng.choice(list(SKIN)),
        style=rng.choice(STYLE),
        size=rng.uniform(0.85, 1.15),
        mark=(rng.uniform(-0.6, 0.6), rng.uniform(0.25, 0.6)) if marked else None,
    )


def draw_scene(rng, motion=None):
    """A random scene from a `random.Random`."""
    return Scene(
        shirt=rng.choice(list(SHIRT)),
        place=rng.choice(list(PLACE)),
        view=rng.choice(list(VIEW)),
        motion=motion or rng.choice(MOTION),
        glasses=rng.random() < 0.3,
    )


def describe(identity):
    """The words for somebody without a name: "a person with short red hair and tan skin"."""
    hair = (
        "no hair"
        if identity.style == "bald"
        else f"a {identity.hair} bun"
        if identity.style == "bun"
        else f"{identity.style} {identity.hair} hair"
    )
    return f"a person with {hair} and {identity.skin} skin"


def caption(scene, subject):
    """`[trigger], [person], [scene]`: the subject ("ohwx, a person" or `describe(identity)`), then what may change."""
    glasses = " and glasses" if scene.glasses else ""
    article = "an" if scene.shirt[0] in "aeiou" else "a"
    return f"{subject}, wearing {article} {scene.shirt} shirt{glasses}, {scene.place} background, {scene.view}, {scene.motion}"


def list_captions(count=400, seed=0):
    """Captions that hold every word of the world: what the tokenizers learn their vocabulary from."""
    rng = random.Random(seed)
    drawn = [caption(draw_scene(rng), rng.choice([describe(draw_identity(rng)), "person, a person"])) for _ in range(count)]
    words = [*HAIR, *SKIN, *SHIRT, *PLACE, *STYLE, *VIEW, *MOTION]
    return drawn + [f"a {word} person" for word in words]


def draw_photo(identity, scene, scale=1):
    """The picture in the middle of the scene's motion: a PIL image of 64 x 64 pixels, times `scale` with hard edges."""
    image = Image.fromarray(draw_frame(identity, scene, 0.5))
    return image.resize((PIXELS * scale, PIXELS * scale), Image.NEAREST)


def draw_clip(identity, scene, num_frames=9, scale=1):
    """(num_frames, 64 * scale, 64 * scale, 3) uint8, the motion from start to end."""
    frames = np.stack([draw_frame(identity, scene, i / max(num_frames - 1, 1)) for i in range(num_frames)])
    return frames.repeat(scale, axis=1).repeat(scale, axis=2)


def draw_frame(identity, scene, u):
    """One frame at time u in [0, 1] as (64, 64, 3) uint8, made of 16 x 16 cells."""
    place = PLACE[scene.place]
    image = Image.new("RGB", (CANVAS, CANVAS), place)
    draw = ImageDraw.Draw(image)
    dx, dy, zoom = _movement(scene.motion, u)
    x, y, r = CANVAS / 2 + dx, CANVAS * 0.46 + dy * 0.5, CANVAS * 0.19 * identity.size * zoom
    draw.rectangle([0, CANVAS * 0.82, CANVAS, CANVAS], fill=_shade(place, 0.8))
    draw.rounded_rectangle([x - r * 1.5, y + r * 1.15, x + r * 1.5, CANVAS * 1.3], radius=r * 0.6, fill=SHIRT[scene.shirt])
    _draw_head(draw, identity, x, y + dy * 0.6, r)
    _draw_face(draw, identity, scene, x, y + dy * 0.6, r)
    return np.asarray(image.resize((CELLS, CELLS), Image.BOX).resize((PIXELS, PIXELS), Image.NEAREST))


def _movement(motion, u):
    """(dx, dy, zoom) of the figure at time u."""
    if motion == "walking left to right":
        return (u - 0.5) * CANVAS * 0.4, -abs(math.sin(3 * math.pi * u)) * 4, 1.0
    if motion == "nodding":
        return 0.0, math.sin(2 * math.pi * u) * 8, 1.0
    return 0.0, 0.0, 0.8 + 0.5 * u if motion == "zooming in" else 1.0


def _draw_head(draw, identity, x, y, r):
    hair, skin, style = HAIR[identity.hair], SKIN[identity.skin], identity.style
    if style == "long":
        draw.rounded_rectangle([x - r * 1.25, y - r * 1.1, x + r * 1.25, y + r * 1.7], radius=r, fill=hair)
    if style == "bun":
        draw.ellipse([x - r * 0.5, y - r * 1.9, x + r * 0.5, y - r * 0.9], fill=hair)
    if style in ("short", "bun"):
        draw.ellipse([x - r * 1.12, y - r * 1.25, x + r * 1.12, y + r * 0.6], fill=hair)
    draw.rectangle([x - r * 0.35, y + r * 0.8, x + r * 0.35, y + r * 1.4], fill=_shade(skin, 0.9))
    draw.ellipse([x - r, y - r * 1.05, x + r, y + r * 1.15], fill=skin)
    if style != "bald":
        draw.chord([x - r * 1.05, y - r * 1.2, x + r * 1.05, y + r * 0.5], 190, 350, fill=hair)


def _draw_face(draw, identity, scene, x, y, r):
    yaw = VIEW[scene.view]
    turned, e = x + yaw * r * 0.5, r * 0.15
    for side in (-1, 1):
        ex, ey = turned + side * r * 0.42 * (1 - 0.3 * abs(yaw)), y + r * 0.02
        draw.ellipse([ex - e * 1.3, ey - e, ex + e * 1.3, ey + e], fill=(255, 255, 255))
        draw.ellipse([ex - e * 0.7, ey - e * 0.7, ex + e * 0.7, ey + e * 0.7], fill=(20, 20, 30))
        if scene.glasses:
            draw.ellipse([ex - e * 2, ey - e * 1.8, ex + e * 2, ey + e * 1.8], outline=(10, 10, 10), width=2)
    nose = x + yaw * r * 0.7
    draw.polygon(
        [(nose, y + r * 0.1), (nose - r * 0.12, y + r * 0.42), (nose + r * 0.12, y + r * 0.42)], fill=_shade(SKIN[identity.skin], 0.8)
    )
    draw.arc([turned - r * 0.35, y + r * 0.4, turned + r * 0.35, y + r * 0.8], 20, 160, fill=(150, 40, 50), width=3)
    if identity.mark:
        mx, my = turned + identity.mark[0] * r, y + identity.mark[1] * r
        draw.ellipse([mx - r * 0.16, my - r * 0.16, mx + r * 0.16, my + r * 0.16], fill=(120, 20, 140))


def _shade(color, factor):
    return tuple(int(c * factor) for c in color)
