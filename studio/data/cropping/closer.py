"""A part of a photo that shows the person larger: the head whole, in the upper third, in the shape of a portrait."""

from studio.data import dataset
from studio.data.cropping.adding_parts import add_part
from studio.data.cropping.head import Part, head_of
from studio.data.looking.look import CLOSE, UPPER, FaceLook, Look
from studio.workspace import Project

SHARES = {CLOSE: 0.45, UPPER: 0.28}  # height of the face in the part: the middle of what is called so
SHAPE = 4 / 5  # width by height
ABOVE_HEAD = 0.06  # of the part's height
LEAST_SIDE = 384  # px of what is left: below half of the usual training size little is learned
WORTH_IT = 0.7  # most of the photo's height that the part has: else it is the same photo again


def part_closer(look: Look, face: FaceLook, framing: str) -> Part | None:
    """The part for that framing; None where the photo is as near already, too little would be left, or the person is drawn."""
    head = head_of(look, face)
    if head is None:
        return None
    height = min(float(look.height), face.height / SHARES[framing])
    width = min(float(look.width), max(height * SHAPE, head.width * look.width))
    if height > WORTH_IT * look.height or min(width, height) < LEAST_SIDE:
        return None
    left = face.left + face.width / 2 - width / 2
    top = head.top * look.height - ABOVE_HEAD * height
    left, top = min(max(left, 0.0), look.width - width), min(max(top, 0.0), look.height - height)
    return Part(left / look.width, top / look.height, (left + width) / look.width, (top + height) / look.height)


def crop_closer(project: Project, item_id: str, look: Look, face: FaceLook, framing: str) -> str:
    """Add that part of a photo as a new item; its id. One step of undo; the photo itself stays as it is. ValueError where there is none."""
    item = dataset.get_item(project, item_id)
    part = part_closer(look, face, framing) if item.kind == "photo" and not item.problem else None
    if part is None:
        raise ValueError(f"{item_id} has no part that shows the person larger and is large enough to learn from")
    return add_part(project, item, part, f"Closer part of {item_id}")
