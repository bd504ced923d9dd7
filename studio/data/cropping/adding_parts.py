"""A part of a photo as an item of its own."""

from studio.data import dataset
from studio.data.cropping.head import Part
from studio.data.item_record import Item
from studio.data.media.photos import load_photo, write_photo
from studio.data.media.probing import probe
from studio.workspace import Project


def add_part(project: Project, item: Item, part: Part, text: str) -> str:
    """Add a part of a photo to the dataset; the new id. text: names the step of undo. The photo itself stays as it is."""
    image = load_photo(item.path)
    left, top, right, bottom = map(round, part.in_px(*image.size))
    with dataset.incoming(project) as folder:
        written = folder / "part.jpg"
        write_photo(image.crop((left, top, right, bottom)), written)
        return dataset.replace_media(project, item, written, probe(written), True, text)
