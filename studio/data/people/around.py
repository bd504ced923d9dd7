"""A photo of several people cut down to the person: the largest part that holds their head and no other face; the original stays."""

from dataclasses import dataclass

from studio.data import dataset
from studio.data.looking.look import FaceLook, Look
from studio.data.media.photos import load_photo, write_photo
from studio.data.media.probing import probe
from studio.data.people.sightings import counted_faces
from studio.workspace import Project

HEAD_SIDE, HEAD_TOP, HEAD_BOTTOM = 0.35, 0.5, 0.35  # hair and chin around a face, in its width and height
OTHER_MARGIN = 0.15  # of another face, cut off with it: ears and hair
LEAST_SIDE = 256  # px of what is left


@dataclass(frozen=True)
class Box:
    """A part of a photo in px, right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    def holds(self, other: "Box") -> bool:
        return self.left <= other.left and self.top <= other.top and self.right >= other.right and self.bottom >= other.bottom

    def meets(self, other: "Box") -> bool:
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


def box_around(look: Look, face: int) -> Box | None:
    """The largest part of a photo with the person's head and without any other face; None where the heads are too close for that."""
    whole = Box(0, 0, look.width, look.height)
    head = _clip(_around(look.faces[face], HEAD_SIDE, HEAD_TOP, HEAD_BOTTOM), whole)
    others = [_around(other, OTHER_MARGIN, OTHER_MARGIN, OTHER_MARGIN) for index, other in counted_faces(look) if index != face]
    best = _largest_without(whole, head, sorted(others, key=lambda other: -other.width))
    return best if best and min(best.width, best.height) >= LEAST_SIDE else None


def _largest_without(box: Box, head: Box, others: list[Box]) -> Box | None:
    """Cuts off one face after another, each at the side where most is left, and never into the head."""
    for other in others:
        if not box.meets(other):
            continue
        cuts = (
            Box(other.right, box.top, box.right, box.bottom),
            Box(box.left, box.top, other.left, box.bottom),
            Box(box.left, other.bottom, box.right, box.bottom),
            Box(box.left, box.top, box.right, other.top),
        )
        whole = [cut for cut in cuts if cut.holds(head)]
        if not whole:
            return None
        box = max(whole, key=lambda cut: cut.width * cut.height)
    return box


def _around(face: FaceLook, side: float, top: float, bottom: float) -> Box:
    return Box(
        round(face.left - side * face.width),
        round(face.top - top * face.height),
        round(face.left + (1 + side) * face.width),
        round(face.top + (1 + bottom) * face.height),
    )


def _clip(box: Box, whole: Box) -> Box:
    return Box(max(box.left, 0), max(box.top, 0), min(box.right, whole.right), min(box.bottom, whole.bottom))


def crop_person(project: Project, item_id: str, look: Look, face: int) -> str:
    """Add the part of a photo that shows the person alone, as a new item; the id. One step of undo; the photo itself stays as it is.

    ValueError if there is no such part.
    """
    item = dataset.get_item(project, item_id)
    box = box_around(look, face) if item.kind == "photo" and not item.problem else None
    if box is None:
        raise ValueError(f"{item_id} can't be cut down to the person: the other faces are too close, or too little would be left")
    image = load_photo(item.path)
    if image.size != (look.width, look.height):  # the dataset's copy may be smaller than what was looked at
        scale = image.width / look.width, image.height / look.height
        box = Box(round(box.left * scale[0]), round(box.top * scale[1]), round(box.right * scale[0]), round(box.bottom * scale[1]))
    with dataset.incoming(project) as folder:
        part = folder / "part.jpg"
        write_photo(image.crop((box.left, box.top, box.right, box.bottom)), part)
        return dataset.replace_media(project, item, part, probe(part), True, f"Part of {item_id} with the person alone")
