"""Where the page finds pictures of an item: each address carries a version, so that a browser may keep what it got."""

from studio.data.item_record import Item
from studio.data.media.thumbnails import version_of
from studio.workspace import Project


def media_address(project: Project, what: str, item: Item) -> str:
    return f"/media/{project.slug}/{what}/{item.id}?v={version_of(item)}"


def face_address(project: Project, item: Item, face: int) -> str:
    """Of a face cut out, by its place in the item's Look."""
    return f"/media/{project.slug}/faces/{item.id}?face={face}&v={version_of(item)}"
