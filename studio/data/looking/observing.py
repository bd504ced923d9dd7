"""Looks at one photo or at frames of a clip: everything measured at once. It loads OpenCV: only what looks imports it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image

from studio.data.looking import detail, palette
from studio.data.looking.look import LARGE_FACE, LOOK_SIDE, OTHER_LEAST, Area, FaceLook, Look
from studio.data.looking.packing import pack_picture
from studio.data.media.photos import OpenedPhoto
from studio.data.persons import pack
from studio.models.eyes import FaceSight, NamingSight, Sight
from studio.models.faces.sight import MASK_SIDE, SeenFace

MIDDLE = 0.6  # of the short side: where a person usually is
WHITE = 250
LEAST_FACE = 32  # px of the small copy: in a smaller face nothing is told but that it is there
MOST_FACES = 6  # that are looked at closely
COLOUR_SIDE = 128
PART = 640  # px of the part in which JPEG's grid and flat colours are looked for
THUMBNAIL = 64  # px of the long side
SEAM_SIDE = 512


@dataclass(frozen=True)
class OpenEyes:
    """Who looks. drawn: the base model's own observer, which goes first where it knows the kind of picture."""

    face: FaceSight
    face_key: str
    drawn: Sight | None = None
    drawn_key: str = ""


def look_at_photo(photo: OpenedPhoto, eyes: OpenEyes) -> Look:
    tiny = cv2.resize(photo.small, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
    look = _look_at_whole(photo, tiny)
    if eyes.drawn is not None and eyes.drawn.knows(photo.small[None])[0]:
        whole = FaceLook(
            left=0, top=0, width=photo.width, height=photo.height, score=1, embedding=pack(eyes.drawn.embed(photo.small[None]))
        )
        seen = replace(whole, **_measure(photo, _middle(photo)).to_json())
        return replace(look, eye=eyes.drawn_key, faces=(seen,), names=_names(photo, eyes.drawn))
    found = eyes.face.find(photo.small)
    faces = tuple(
        _look_at_face(photo, face, eyes.face, face.width >= OTHER_LEAST * found[0].width and number < MOST_FACES)
        for number, face in enumerate(found)
    )
    colours = _look_at_colours(photo, tiny, eyes.face, found[0] if found else None)
    return replace(look, eye=eyes.face_key, faces=faces, middle=None if faces else _measure(photo, _middle(photo)), **colours)


def _names(photo: OpenedPhoto, sight: Sight) -> tuple[tuple[str, str], ...]:
    """What an eye that gives names says of the scene: (attribute, name) of each that is a word."""
    if not isinstance(sight, NamingSight):
        return ()
    return tuple((attribute, name) for attribute, name in sight.read(photo.small[None])[0].items() if isinstance(name, str))


def look_at_frames(frames: Sequence[np.ndarray], eyes: OpenEyes) -> tuple[Look, ...]:
    """frames: (H, W, 3) uint8. A video's grid and its scaling are the codec's, so they are not measured."""
    looks = []
    for frame in frames:
        image = Image.fromarray(frame)
        factor = -(-max(image.size) // LOOK_SIDE)
        small = np.asarray(image.reduce(factor)) if factor > 1 else frame
        looks.append(look_at_photo(OpenedPhoto(image, 1, small, *image.size, None, is_native=False), eyes))
    return tuple(looks)


def _look_at_whole(photo: OpenedPhoto, tiny: np.ndarray) -> Look:
    """What needs no eye. tiny: the photo at MASK_SIDE x MASK_SIDE px, whatever its shape."""
    small = Image.fromarray(photo.small)
    grey = small.convert("L")
    left, top = max(0, photo.width - PART) // 2 // 8 * 8, max(0, photo.height - PART) // 2 // 8 * 8
    part = photo.grey(left, top, left + PART, top + PART) if photo.is_native else None
    seams = grey.copy()
    seams.thumbnail((SEAM_SIDE, SEAM_SIDE), Image.Resampling.BOX)
    lab = palette.to_lab(cv2.resize(tiny, (COLOUR_SIDE, COLOUR_SIDE), interpolation=cv2.INTER_AREA))[..., 1:].astype(np.float32)
    return Look(
        eye="",
        width=photo.width,
        height=photo.height,
        jpeg_tables=photo.tables,
        blocks=detail.blockiness(part) if part is not None else None,
        flat=detail.flatness(part) if part is not None else None,
        luma=round(float(np.asarray(grey).mean()), 2),
        colour=round(float(np.linalg.norm(lab - lab.mean((0, 1)), axis=-1).mean()), 2),
        seam=detail.longest_seam(np.asarray(seams)),
        colours=small.resize((4, 4), Image.Resampling.BOX).tobytes().hex(),
        thumbnail=_thumbnail(grey),
    )


def _thumbnail(grey: Image.Image) -> str:
    scale = THUMBNAIL / max(grey.size)
    return pack_picture(np.asarray(grey.resize([max(1, round(side * scale)) for side in grey.size], Image.Resampling.BOX)))  # pyright: ignore[reportArgumentType] two sides


def _look_at_face(photo: OpenedPhoto, face: SeenFace, sight: FaceSight, closely: bool) -> FaceLook:
    """closely: who it is, where it looks, how sharp it is; else only that it is there."""
    scale = photo.width / photo.small.shape[1]
    box = tuple(value * scale for value in (face.left, face.top, face.width, face.height))
    look = FaceLook(
        **dict(zip(("left", "top", "width", "height"), (round(value, 1) for value in box))),
        score=round(face.score, 3),
        landmarks=tuple(round(float(value) * scale, 1) for value in face.landmarks.ravel()),
    )
    if not closely or face.width < LEAST_FACE:
        return look
    mesh = sight.mesh(photo.small, face)
    embedding = pack(sight.embed_face(photo.small, face)[None])
    seen = replace(look, turn=round(mesh.turn, 1), mouth=round(mesh.mouth, 4), sure=round(mesh.sure, 3), embedding=embedding)
    has_detail = photo.is_native and box[2] < LARGE_FACE
    return replace(seen, **_measure(photo, (box[0], box[1], box[0] + box[2], box[1] + box[3]), has_detail).to_json())


def _measure(photo: OpenedPhoto, box: tuple[float, float, float, float], has_detail: bool = False) -> Area:
    """Sharpness on the photo's own px, light on the small copy. has_detail: whether missing detail can be told there."""
    own = photo.grey(*box)
    scale = photo.small.shape[1] / photo.width
    left, top, right, bottom = (max(0, round(value * scale)) for value in box)
    seen = photo.small[top : max(bottom, top + 1), left : max(right, left + 1)]
    red, green, blue = cv2.split(seen)
    return Area(
        blur=detail.blur(own),
        upscaled=detail.octaves(own) if has_detail else None,
        blown=round(float((cv2.max(cv2.max(red, green), blue) >= WHITE).mean()), 4),
        luma=round(float(cv2.cvtColor(np.ascontiguousarray(seen), cv2.COLOR_RGB2GRAY).mean()), 2),
    )


def _middle(photo: OpenedPhoto) -> tuple[float, float, float, float]:
    """The square in the middle."""
    side = max(1, round(min(photo.width, photo.height) * MIDDLE))
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    return left, top, left + side, top + side


def _look_at_colours(photo: OpenedPhoto, tiny: np.ndarray, sight: FaceSight, face: SeenFace | None) -> dict[str, str | float]:
    """The place, and under a face the clothes."""
    mask, lab = cv2.resize(sight.mask(tiny), tiny.shape[1::-1]), palette.to_lab(tiny)
    place = palette.place_of(lab, mask)
    colours: dict[str, str | float] = {"background": palette.pack(place)}
    if len(place):
        colours["warmth"] = round(float(place[:, 2].mean()) - 128, 2)
    if face is not None:
        height, width = photo.small.shape[:2]
        box = face.left / width, face.top / height, face.width / width, face.height / height
        colours["outfit"] = palette.pack(palette.clothes_of(lab, mask, box))
    return colours
