"""Draws the pixel world: a picture is 20 x 20 cells of 4 x 4 pixels, averaged from a drawing eight times as fine."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from studio.tiny.world import FRAMING, HAIR, LIGHT, PLACE, SHIRT, SKIN, VIEW, Identity, Scene

CELLS, CELL = 20, 4
PIXELS = CELLS * CELL  # width and height of a picture
FINE = 8  # drawn pixels of a cell
CANVAS = CELLS * FINE
PHOTO_MOMENT = 0.5


def draw_photo(identity: Identity, scene: Scene, scale: int = 1) -> Image.Image:
    """The picture in the middle of the scene's motion: a PIL image of 80 x 80 pixels, times `scale` with hard edges."""
    size = PIXELS * scale
    return Image.fromarray(draw_cells(identity, scene, PHOTO_MOMENT)).resize((size, size), Image.Resampling.NEAREST)


def draw_clip(identity: Identity, scene: Scene, num_frames: int = 9, scale: int = 1) -> np.ndarray:
    """(num_frames, 80 * scale, 80 * scale, 3) uint8, the motion from start to end."""
    frames = np.stack([draw_cells(identity, scene, i / max(num_frames - 1, 1)) for i in range(num_frames)])
    return frames.repeat(CELL * scale, axis=1).repeat(CELL * scale, axis=2)


def draw_cells(identity: Identity, scene: Scene, u: float) -> np.ndarray:
    """One frame at time u in [0, 1] as (20, 20, 3) uint8, a colour a cell."""
    place = PLACE[scene.place]
    image = Image.new("RGB", (CANVAS, CANVAS), place)
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, CANVAS * 0.8, CANVAS, CANVAS], fill=_shade(place, 0.75))
    dx, dy, zoom, yaw = _movement(scene, u)
    r = CANVAS * 0.205 * identity.size * FRAMING[scene.framing] * zoom
    x, y = CANVAS / 2 + dx, CANVAS * 0.47 + dy * 0.3
    draw.rounded_rectangle([x - r * 1.5, y + r * 1.15, x + r * 1.5, CANVAS * 1.4], radius=r * 0.6, fill=SHIRT[scene.shirt])
    if scene.motion == "waving":
        _draw_arm(draw, identity, scene, x, y, r, u)
    _draw_head(draw, identity, x, y + dy * 0.7, r)
    _draw_face(draw, identity, x, y + dy * 0.7, r, yaw, scene.glasses)
    cells = np.asarray(image.resize((CELLS, CELLS), Image.Resampling.BOX), np.float32) * LIGHT[scene.light]
    return cells.round().astype(np.uint8)


def person_mask(identity: Identity, scene: Scene, u: float) -> np.ndarray:
    """(20, 20) bool: the cells in which head, hair and a waving hand are, where most of what a caption says is shown by few cells."""
    x, y, r = _head(identity, scene, u)
    spots = [(x, y - 0.1 * r, 1.6 * r)] + ([(x + 1.75 * r, y + 0.15 * r, 0.9 * r)] if scene.motion == "waving" else [])
    middles = (np.arange(CELLS) + 0.5) * FINE
    return np.any([(middles[None] - sx) ** 2 + (middles[:, None] - sy) ** 2 < radius**2 for sx, sy, radius in spots], axis=0)


def _head(identity: Identity, scene: Scene, u: float) -> tuple[float, float, float]:
    """(x, y, radius) of the head on the canvas, nodding included."""
    dx, dy, zoom, _ = _movement(scene, u)
    return CANVAS / 2 + dx, CANVAS * 0.47 + dy, CANVAS * 0.205 * identity.size * FRAMING[scene.framing] * zoom


def _movement(scene: Scene, u: float) -> tuple[float, float, float, float]:
    """(dx, dy, zoom, yaw) of the figure at time u."""
    dx, dy, zoom, yaw = 0.0, 0.0, 1.0, VIEW[scene.view]
    match scene.motion:
        case "walking left" | "walking right":
            way = 1 if scene.motion.endswith("right") else -1
            dx, dy = way * (u - 0.5) * CANVAS * 0.45, -abs(math.sin(3 * math.pi * u)) * 6
        case "turning left" | "turning right":
            yaw = (1 if scene.motion.endswith("right") else -1) * (u - 0.5) * 1.9
        case "nodding":
            dy = math.sin(2 * math.pi * u) * 16
        case "zooming in":
            zoom = 0.75 + 0.5 * u
        case "zooming out":
            zoom = 1.25 - 0.5 * u
    return dx, dy, zoom, yaw


def _draw_arm(draw: ImageDraw.ImageDraw, identity: Identity, scene: Scene, x: float, y: float, r: float, u: float) -> None:
    """A raised arm whose hand goes out and in, twice."""
    hand = x + r * (1.75 + 0.5 * math.sin(4 * math.pi * u)), y + r * 0.15
    draw.line([(x + r * 1.25, y + r * 1.7), hand], fill=SHIRT[scene.shirt], width=round(r * 0.45))
    draw.ellipse([hand[0] - r * 0.32, hand[1] - r * 0.32, hand[0] + r * 0.32, hand[1] + r * 0.32], fill=SKIN[identity.skin])


def _draw_head(draw: ImageDraw.ImageDraw, identity: Identity, x: float, y: float, r: float) -> None:
    hair, skin, w = HAIR[identity.hair], SKIN[identity.skin], r * identity.width
    match identity.style:
        case "long":
            draw.rounded_rectangle([x - w * 1.27, y - r * 1.1, x + w * 1.27, y + r * 1.75], radius=r, fill=hair)
        case "bun":
            draw.ellipse([x - r * 0.5, y - r * 1.9, x + r * 0.5, y - r * 0.9], fill=hair)
        case "curly":
            draw.ellipse([x - w * 1.5, y - r * 1.6, x + w * 1.5, y + r * 0.75], fill=hair)
    if identity.style in ("short", "bun"):
        draw.ellipse([x - w * 1.12, y - r * 1.25, x + w * 1.12, y + r * 0.6], fill=hair)
    draw.rectangle([x - r * 0.35, y + r * 0.8, x + r * 0.35, y + r * 1.4], fill=_shade(skin, 0.9))
    draw.ellipse([x - w, y - r * 1.05, x + w, y + r * 1.15], fill=skin)
    if identity.beard:
        draw.chord([x - w, y - r * 1.05, x + w, y + r * 1.18], 15, 165, fill=_shade(hair, 0.8))
    if identity.style != "bald":
        draw.chord([x - w * 1.05, y - r * 1.2, x + w * 1.05, y + r * 0.55], 190, 350, fill=hair)
        if identity.streak:
            draw.polygon(
                [(x + w * f, y + r * g) for f, g in ((0.1, -1.35), (0.6, -1.2), (0.75, -0.35), (0.3, -0.45))], fill=identity.streak
            )


def _draw_face(draw: ImageDraw.ImageDraw, identity: Identity, x: float, y: float, r: float, yaw: float, glasses: bool) -> None:
    w, e = r * identity.width, r * 0.2
    turned = x + yaw * w * 0.5
    for side in (-1, 1):
        ex, ey = turned + side * w * 0.42 * (1 - 0.3 * abs(yaw)), y + r * 0.02
        draw.ellipse([ex - e * 1.2, ey - e, ex + e * 1.2, ey + e], fill=(255, 255, 255))
        draw.ellipse([ex - e * 0.8, ey - e * 0.8, ex + e * 0.8, ey + e * 0.8], fill=identity.eyes)
        if glasses:
            draw.rectangle([ex - e * 1.7, ey - e * 1.6, ex + e * 1.7, ey + e * 1.6], outline=(10, 10, 10), width=max(2, round(r * 0.11)))
    if glasses:
        draw.line([(turned - w * 0.3, y), (turned + w * 0.3, y)], fill=(10, 10, 10), width=max(2, round(r * 0.1)))
    nose = x + yaw * w * 0.75
    skin = _shade(SKIN[identity.skin], 0.75)
    draw.polygon([(nose, y + r * 0.08), (nose - r * 0.16, y + r * 0.48), (nose + r * 0.16, y + r * 0.48)], fill=skin)
    draw.line([(turned - w * 0.33, y + r * 0.72), (turned + w * 0.33, y + r * 0.72)], fill=(160, 40, 55), width=max(2, round(r * 0.14)))
    if identity.mark:
        mx, my, colour = x + (yaw * 0.5 + identity.mark[0]) * w, y + identity.mark[1] * r, identity.mark[2]
        draw.ellipse([mx - r * 0.2, my - r * 0.2, mx + r * 0.2, my + r * 0.2], fill=colour)


def _shade(color: tuple[int, int, int], factor: float) -> tuple[int, ...]:
    return tuple(int(c * factor) for c in color)
