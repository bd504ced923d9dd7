"""What training makes of a photo: its size, what is cut off, and how large a face is then. The cache takes its crop here and nowhere else."""

from dataclasses import dataclass

from studio.data.buckets import choose_bucket, choose_corner, cover_size
from studio.data.cropping.head import Part
from studio.data.looking.look import FaceLook, Look

SMALL_SHARE = 0.8  # of the px that training takes: below it the loss is worth a word


@dataclass(frozen=True)
class TrainedPhoto:
    """size: (width, height) px. corner: where that lies in the scaled photo; None: in the middle. part: what of the photo it shows.

    scale: of the photo, at most 1: nothing is ever enlarged.
    """

    size: tuple[int, int]
    corner: tuple[int, int] | None
    part: Part
    scale: float

    def width_of(self, face: FaceLook, look: Look) -> int:
        """px that a face is wide then."""
        return round(face.width / look.width / self.part.width * self.size[0])

    @property
    def cut_off(self) -> float:
        """The share of the photo that training does not see."""
        return 1 - self.part.width * self.part.height


def is_small(width: int, height: int, wanted: int) -> bool:
    """Whether a photo has clearly fewer px than training at about wanted x wanted takes; it is never enlarged."""
    return width * height < SMALL_SHARE * wanted * wanted


def choose_photo(width: int, height: int, wanted: int, multiple: int, head: Part | None = None) -> TrainedPhoto:
    """A photo of that size, trained at about wanted x wanted px in steps of `multiple`; head: what stays whole. ValueError if it is too small."""
    size = choose_bucket(width, height, wanted, multiple)
    scaled, corner = cover_size(width, height, size), find_corner(width, height, size, head)
    left, top = corner or choose_corner(width, height, size)
    part = Part(left / scaled[0], top / scaled[1], (left + size[0]) / scaled[0], (top + size[1]) / scaled[1])
    return TrainedPhoto(size, corner, part, min(1.0, max(size[0] / width, size[1] / height)))


def find_corner(width: int, height: int, size: tuple[int, int], head: Part | None) -> tuple[int, int] | None:
    """Where a part of that size lies in a photo that is scaled to just cover it, so that the head stays whole; None: in the middle."""
    middle = choose_corner(width, height, size)
    corner = choose_corner(width, height, size, head.in_px(width, height)) if head else middle
    return None if corner == middle else corner
