"""Whose head training's crop keeps: the person's, who need not have the largest face in a photo."""

from studio.data import dataset
from studio.data.cropping.head import Part, head_of
from studio.data.looking.looks import seen_in
from studio.data.people.who import find_people_in, person_face
from studio.workspace import Project


def person_heads(project: Project) -> dict[str, Part]:
    """{id: the person's head} of every photo and clip that was looked at; where nobody knows who is meant, that of the largest face."""
    items = dataset.list_items(project)
    seen = seen_in(project, items)
    people = find_people_in(items, seen)
    heads = {item_id: head_of(look, person_face(look, people.seen.get(item_id))) for item_id, look in seen.items()}
    return {item_id: head for item_id, head in heads.items() if head}
