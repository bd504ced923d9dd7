"""Whose head training's crop keeps: the person's."""

from studio.data.cropping.head import Part, head_of
from studio.data.people.person_faces import person_faces
from studio.workspace import Project


def person_heads(project: Project) -> dict[str, Part]:
    """{id: the person's head} of every photo and clip in which it was seen; where nobody knows who is meant, that of the largest face."""
    heads = {item_id: head_of(look, face) for item_id, (look, face) in person_faces(project).items()}
    return {item_id: head for item_id, head in heads.items() if head}
