"""The faces that stand side by side in a comparison: the person's own, and the one that was found in each clip."""

from pathlib import Path

from studio.data.item_record import Item
from studio.data.people.who import PERSON
from studio.evaluation.sweep_facts import Cell
from studio.ui.dataset.pictures.media_addresses import face_address, media_address
from studio.ui.dataset.view import look_at
from studio.workspace import Project

MOST_FACES = 8  # of the person; more are not looked at


def find_face(folder: Path, cell: Cell) -> str:
    """The file of the face in a clip, else its poster."""
    return cell.face if (folder / cell.face).is_file() else cell.poster


def find_own_faces(project: Project) -> tuple[str, ...]:
    """Addresses of the person's faces in kept photos, spread over them; of whole photos where no face was looked for."""
    look = look_at(project)
    photos = [item for item in look.items if item.keep and item.kind == "photo" and not item.problem]
    seen = look.study.people.seen
    faces = [(item, seen[item.id].face) for item in photos if item.id in seen and seen[item.id].who == PERSON]
    found = [face_address(project, item, face) for item, face in _spread(faces) if face is not None]
    return tuple(found) or tuple(media_address(project, "thumbnails", item) for item, _ in _spread([(item, None) for item in photos]))


def _spread(faces: list[tuple[Item, int | None]]) -> list[tuple[Item, int | None]]:
    """At most MOST_FACES of them, evenly from the first to the last."""
    count = min(len(faces), MOST_FACES)
    return [faces[number * len(faces) // count] for number in range(count)]
