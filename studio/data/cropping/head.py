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

    def holds(self, other: "Part") -> bool:
        return self.left <= other.left and self.top <= other.top and self.right >= other.right and self.bottom >= other.bottom

    def meets(self, other: "Part") -> bool:
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom

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
    return part_around(look, face, SIDES, ABOVE, BELOW)


def part_around(look: Look, face: FaceLook, sides: float, above: float, below: float) -> Part:
    """The part of a picture with a face and so much around it, as shares of the face's width and height."""
    return Part(
        max(0.0, (face.left - sides * face.width) / look.width),
        max(0.0, (face.top - above * face.height) / look.height),
        min(1.0, (face.left + (1 + sides) * face.width) / look.width),
        min(1.0, (face.top + (1 + below) * face.height) / look.height),
    )
