"""Where the person is in each photo of a project, who need not have the largest face in it."""

from studio.data import dataset
from studio.data.looking.look import FaceLook, Look
from studio.data.looking.looks import seen_in
from studio.data.people.who import find_people_in, person_face
from studio.workspace import Project


def person_faces(project: Project) -> dict[str, tuple[Look, FaceLook]]:
    """{id: (its look, the person's face in it)} of every photo and clip in which a face was seen; where nobody knows who is meant, the largest."""
    items = dataset.list_items(project)
    looks = seen_in(project, items)
    people = find_people_in(items, looks)
    faces = {item_id: (look, person_face(look, people.seen.get(item_id))) for item_id, look in looks.items()}
    return {item_id: (look, face) for item_id, (look, face) in faces.items() if face is not None}
