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


def head_of(look: Look, face: FaceLook | None) -> Part | None:
    """The head around one of a picture's faces; None without one. Of drawn people the head is not known."""
    if face is None or not face.has_points:
        return None
    return Part(
        max(0.0, (face.left - SIDES * face.width) / look.width),
        max(0.0, (face.top - ABOVE * face.height) / look.height),
        min(1.0, (face.left + (1 + SIDES) * face.width) / look.width),
        min(1.0, (face.top + (1 + BELOW) * face.height) / look.height),
    )
