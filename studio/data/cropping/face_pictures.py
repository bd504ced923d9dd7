"""Small pictures of single faces, made once and kept in the cache by content."""

import io
from pathlib import Path

from PIL import Image

from studio.data.cropping.head import Part, head_of
from studio.data.item_record import Item
from studio.data.looking import looks
from studio.data.looking.look import typical
from studio.data.media.photos import load_photo
from studio.data.media.thumbnails import middle_frame, version_of
from studio.disk import write_atomic
from studio.workspace import Project

SIDE = 112  # px; shown at half of it


def face_picture(project: Project, item: Item, face: int) -> Path:
    """Path of a square JPEG of one head, by the face's place in what was seen of the item. ValueError if there is no such face, or a drawn one."""
    seen = looks.seen(project, item)
    look = typical(seen) if seen else None
    if look is None or not 0 <= face < len(look.faces):
        raise ValueError(f"no face {face + 1} was seen in {item.id}")
    head = head_of(look, look.faces[face])
    if head is None:
        raise ValueError(f"{item.id} is drawn: where its head is was not looked for")
    corner = "-".join(str(round(1000 * place)) for place in (head.left, head.top))  # another eye may see another face in that place
    path = project.cache_dir / "thumbnails" / f"{version_of(item)}-face-{face}-{corner}.jpg"
    if not path.is_file():
        whole = middle_frame(item) if item.kind == "clip" else load_photo(item.path)
        buffer = io.BytesIO()
        whole.crop(square_around(head, *whole.size)).resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=85)
        write_atomic(path, buffer.getvalue())
    return path


def square_around(head: Part, width: int, height: int) -> tuple[int, int, int, int]:
    """The square in px around a head, within the picture."""
    left, top, right, bottom = head.in_px(width, height)
    side = min(max(right - left, bottom - top), width, height)
    left = min(max((left + right - side) / 2, 0), width - side)
    top = min(max((top + bottom - side) / 2, 0), height - side)
    return round(left), round(top), round(left + side), round(top + side)
