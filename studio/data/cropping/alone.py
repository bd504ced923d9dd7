"""A photo of several people cut down to the person: the largest part that holds their head and no other face; the original stays."""

from studio.data import dataset
from studio.data.cropping.adding_parts import add_part
from studio.data.cropping.head import Part, head_of, part_around
from studio.data.looking.look import FaceLook, Look
from studio.data.people.sightings import counted_faces
from studio.workspace import Project

OTHER_MARGIN = 0.15  # of another face, cut off with it: ears and hair
LEAST_SIDE = 256  # px of what is left: less than a closer part needs (studio.data.cropping.closer), as the whole photo is no use


def part_alone(look: Look, face: FaceLook) -> Part | None:
    """The largest part of a photo with the person's head and without any other face; None where the heads are too close for that."""
    head = head_of(look, face)
    if head is None:
        return None
    others = [part_around(look, other, OTHER_MARGIN, OTHER_MARGIN, OTHER_MARGIN) for _, other in counted_faces(look) if other is not face]
    part = _largest_without(head, sorted(others, key=lambda other: -other.width))
    return part if part and min(part.width * look.width, part.height * look.height) >= LEAST_SIDE else None


def _largest_without(head: Part, others: list[Part]) -> Part | None:
    """Cuts off one face after another, each at the side where most is left, and never into the head."""
    part = Part(0.0, 0.0, 1.0, 1.0)
    for other in others:
        if not part.meets(other):
            continue
        cuts = (
            Part(other.right, part.top, part.right, part.bottom),
            Part(part.left, part.top, other.left, part.bottom),
            Part(part.left, other.bottom, part.right, part.bottom),
            Part(part.left, part.top, part.right, other.top),
        )
        whole = [cut for cut in cuts if cut.holds(head)]
        if not whole:
            return None
        part = max(whole, key=lambda cut: cut.width * cut.height)
    return part


def crop_alone(project: Project, item_id: str, look: Look, face: FaceLook) -> str:
    """Add the part of a photo that shows the person alone, as a new item; its id. One step of undo; the photo itself stays as it is.

    ValueError if there is no such part.
    """
    item = dataset.get_item(project, item_id)
    part = part_alone(look, face) if item.kind == "photo" and not item.problem else None
    if part is None:
        raise ValueError(f"{item_id} can't be cut down to the person: the other faces are too close, or too little would be left")
    return add_part(project, item, part, f"Part of {item_id} with the person alone")
