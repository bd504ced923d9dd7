"""The head around a face, which no crop may cut: hair and chin lie outside of what a detector calls a face."""

from dataclasses import dataclass

from studio.data.looking.look import FaceLook, Look

SIDES, ABOVE, BELOW = 0.35, 0.5, 0.35  # of a face's width and height: hair, ears and chin around it


@dataclass(frozen=True)
class Part:
    """A part of a picture, as shares of its width and height: so it means the same in every copy of it."""

    left: float
    top: float
    right: float
    bottom: float

    def in_px(self, width: int, height: int) -> tuple[float, float, float, float]:
        return self.left * width, self.top * height, self.right * width, self.bottom * height

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


def head_of(look: Look | None, face: int | None = None) -> Part | None:
    """The head of the largest face, or of that one; None where no face was seen, or nobody looked. Of drawn people the head is not known."""
    if look is None or not look.faces or not look.faces[face or 0].landmarks:
        return None
    return _around(look.faces[face or 0], look.width, look.height)


def _around(face: FaceLook, width: int, height: int) -> Part:
    return Part(
        max(0.0, (face.left - SIDES * face.width) / width),
        max(0.0, (face.top - ABOVE * face.height) / height),
        min(1.0, (face.left + (1 + SIDES) * face.width) / width),
        min(1.0, (face.top + (1 + BELOW) * face.height) / height),
    )
