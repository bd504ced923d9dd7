"""Clips with planted effects, made from stills: a camera moves over a photo, and cuts, freezes, bars, subtitles and the like lie where the kit says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

LINES = (
    "I never said that it was mine.",
    "We have been here before,",
    "and nobody told you why?",
    "Where did you put the keys?",
    "Come in. It is open.",
)
CREDITS = "A FILM BY NOBODY"


@dataclass(frozen=True)
class Scene:
    """One shot: a camera that moves over a photo. face: (x, y, width) in the photo, which stays in sight; None where there is none.

    effects: {name: (from, to) in seconds of the scene}; "letterbox", "beside" hold for all of it.
    """

    photo: np.ndarray
    seconds: float
    face: tuple[float, float, float] | None = None
    effects: dict[str, tuple[float, float]] = field(default_factory=dict)
    other: np.ndarray | None = None  # somebody's photo, beside the person
    other_face: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Planted:
    """What lies where in a clip, in its seconds."""

    effect: str
    start: float
    end: float


def make_film(
    path: Path, scenes: Sequence[Scene], *, size=(832, 480), fps: float = 30.0, seed: int = 0, fades: Sequence[int] = ()
) -> list[Planted]:
    """Write a clip of scenes; what was planted. fades: numbers of scenes that begin with a fade of .8 s instead of a cut."""
    rng = np.random.default_rng(seed)
    noise = [rng.normal(0, 2.2, (size[1] // 2, size[0] // 2, 3)).astype(np.float32) for _ in range(6)]
    noise = [cv2.resize(tile, size) for tile in noise]
    planted, at = [], 0.0
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "20", "preset": "superfast", "g": "250"}
        last = None
        for number, scene in enumerate(scenes):
            fading = number in fades and last is not None
            for step, picture in enumerate(_frames(scene, size, fps, rng)):
                if fading and step < 0.8 * fps:
                    picture = cv2.addWeighted(last, 1 - step / (0.8 * fps), picture, step / (0.8 * fps), 0)
                if not ("freeze" in scene.effects and _is_in(scene.effects["freeze"], step / fps)):
                    shown = cv2.add(picture, noise[int(rng.integers(6))], dtype=cv2.CV_8U)
                frame = av.VideoFrame.from_ndarray(shown, format="rgb24")
                output.mux(stream.encode(frame))
            planted += _planted(scene, at, number, fading)
            at += round(scene.seconds * fps) / fps
            last = picture
        output.mux(stream.encode(None))
    return planted


def _planted(scene: Scene, at: float, number: int, fading: bool) -> list[Planted]:
    found = [Planted(name, at + start, at + min(end, scene.seconds)) for name, (start, end) in scene.effects.items()]
    if number:
        found.append(Planted("fade", at, at + 0.8) if fading else Planted("cut", at, at))
    if scene.other is not None:
        found.append(Planted("other people", at, at + scene.seconds))
    return found


def _is_in(times: tuple[float, float], second: float) -> bool:
    return times[0] <= second < times[1]


def _frames(scene: Scene, size: tuple[int, int], fps: float, rng: np.random.Generator) -> Iterator[np.ndarray]:
    count = round(scene.seconds * fps)
    path = _camera(scene, size, count, rng)
    scene, path = _scaled(scene, size, path)
    line, frozen = LINES[int(rng.integers(len(LINES)))], None
    jolts = rng.normal(0, 0.012, (count, 2))
    for step in range(count):
        second = step / fps
        picture = _look(scene, size, path[step], jolts[step] if _has(scene, "shake", second) else (0.0, 0.0))
        if _has(scene, "freeze", second):
            frozen = picture if frozen is None else frozen
            picture = frozen
        yield _with_effects(scene, picture, second, line)


def _scaled(scene: Scene, size: tuple[int, int], path: np.ndarray) -> tuple[Scene, np.ndarray]:
    """The photo at about twice the size at which it is seen: a warp of a larger one would take every so many-th pixel."""
    scale = min(1.0, 1.6 * size[0] / float(path[:, 2].max()))
    if scale == 1.0 or scene.other is not None:
        return scene, path
    photo = cv2.resize(scene.photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return replace(scene, photo=photo), path * scale


def _has(scene: Scene, name: str, second: float) -> bool:
    return name in scene.effects and _is_in(scene.effects[name], second)


def _camera(scene: Scene, size: tuple[int, int], count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, 3): centre and width of what is seen, a slow move with a little of a hand's sway; the face stays within."""
    height, width = scene.photo.shape[:2]
    aspect = size[0] / size[1]
    most = min(width, height * aspect)
    x, y, face = scene.face or (width / 2, height / 2, most / 6)
    near = float(np.clip(face * rng.uniform(3.5, 7) * max(1.0, aspect), most * 0.3, most * 0.75))
    ends, side = [], float(rng.choice([-1, 1]))
    for zoom in (rng.uniform(0.85, 0.92), rng.uniform(0.93, 1.0)):  # there is always some room to move in
        wide = min(most, near / zoom)
        reach = max(0.0, wide * 0.5 - face * 1.2)
        ends.append(
            (
                x + side * reach * rng.uniform(0.5, 0.9),
                y + rng.uniform(0.1, 0.6) * max(0.0, wide / aspect / 2 - face * 1.4),
                wide,
            )
        )
    t = np.linspace(0, 1, count)[:, None]
    path = np.array(ends[0]) * (1 - t) + np.array(ends[1]) * t
    sway = np.cumsum(rng.normal(0, 1, (count, 2)), axis=0)
    sway = cv2.GaussianBlur(sway, (1, 31), 8) if count > 31 else sway * 0
    path[:, :2] += sway / max(1e-6, np.abs(sway).max()) * near * 0.025
    half = path[:, 2] / 2
    path[:, 0] = np.clip(path[:, 0], half, width - half)
    path[:, 1] = np.clip(path[:, 1], half / aspect, height - half / aspect)
    return path


def _look(scene: Scene, size: tuple[int, int], view: np.ndarray, jolt: Sequence[float]) -> np.ndarray:
    x, y, wide = view
    if scene.other is None:
        return _through(scene.photo, size, x + jolt[0] * wide, y + jolt[1] * wide, wide)
    half = size[0] // 2, size[1]
    mine = _portrait(scene.photo, half, scene.face, jolt, view)
    theirs = _portrait(scene.other, half, scene.other_face, jolt, view)
    return np.hstack([mine, theirs])


def _portrait(
    photo: np.ndarray, size: tuple[int, int], face: tuple[float, float, float], jolt: Sequence[float], view: np.ndarray
) -> np.ndarray:
    x, y, width = face
    wide = min(width * 2.8 * (1 + 0.05 * np.sin(view[0] / 9)), photo.shape[1], photo.shape[0] * size[0] / size[1])
    return _through(photo, size, x + jolt[0] * wide + 0.02 * wide * np.cos(view[0] / 7), y + 0.2 * width, wide)


def _through(photo: np.ndarray, size: tuple[int, int], x: float, y: float, wide: float) -> np.ndarray:
    scale = size[0] / wide
    matrix = np.array([[scale, 0, size[0] / 2 - x * scale], [0, scale, size[1] / 2 - y * scale]], np.float32)
    return cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def _with_effects(scene: Scene, picture: np.ndarray, second: float, line: str) -> np.ndarray:
    height, width = picture.shape[:2]
    if _has(scene, "blur", second):
        picture = cv2.GaussianBlur(picture, (0, 0), height / 60)
    if _has(scene, "letterbox", second):
        picture = picture.copy()
        bar = round(height * 0.12)
        picture[:bar] = picture[-bar:] = 0
    if _has(scene, "pillars", second):
        picture = picture.copy()
        bar = round(width * 0.15)
        picture[:, :bar] = picture[:, -bar:] = 0
    if _has(scene, "subtitles", second):
        picture = write_line(picture, line)
    if _has(scene, "black", second):
        picture = np.zeros_like(picture)
    if _has(scene, "title", second):
        picture = write_line(np.full_like(picture, 18), CREDITS, 0.5)
    return picture


def write_line(picture: np.ndarray, text: str, at: float = 0.88) -> np.ndarray:
    """Letters in white with a dark rim, as subtitles are burnt in."""
    image = Image.fromarray(picture)
    draw, size = ImageDraw.Draw(image), max(12, round(min(image.size) * 0.055))
    font = ImageFont.load_default(size)
    wide = draw.textlength(text, font=font)
    place = ((image.width - wide) / 2, image.height * at - size / 2)
    draw.text(place, text, font=font, fill=(245, 245, 245), stroke_width=max(1, size // 9), stroke_fill=(0, 0, 0))
    return np.asarray(image)
