"""Turns and mirrors a photo of the dataset, as one step that can be undone; never done unasked."""

from pathlib import Path

from PIL import Image

from studio.data import dataset
from studio.data.media.photos import load_photo, write_photo
from studio.data.media.probing import probe
from studio.workspace import Project

TURN_LEFT, TURN_RIGHT, MIRROR = "turn-left", "turn-right", "mirror"
_HOW = {
    TURN_LEFT: (Image.Transpose.ROTATE_90, "Turn of {id} to the left"),
    TURN_RIGHT: (Image.Transpose.ROTATE_270, "Turn of {id} to the right"),
    MIRROR: (Image.Transpose.FLIP_LEFT_RIGHT, "Mirror image of {id}"),
}
_WRITTEN = (".jpg", ".jpeg", ".png", ".webp")


def turn_photo(project: Project, item_id: str, how: str) -> None:
    """how: TURN_LEFT, TURN_RIGHT or MIRROR. The file in originals/ stays as it is. ValueError for a clip, or what can't be written again."""
    if how not in _HOW:
        raise ValueError(f"a photo can be changed by {', '.join(_HOW)}, not by {how!r}")
    item, (transpose, text) = dataset.get_item(project, item_id), _HOW[how]
    if item.kind != "photo" or item.problem:
        raise ValueError(f"{item_id} is not a photo that can be turned")
    suffix = item.path.suffix.casefold()
    if suffix not in _WRITTEN:
        raise ValueError(f"{item.path.name} was put into the dataset by hand in a format that is only read here; save it as a JPEG first")
    with dataset.incoming(project) as folder:
        written = folder / f"turned{suffix}"
        _write(load_photo(item.path, max_pixels=item.width * item.height).transpose(transpose), written)
        dataset.replace_media(project, item, written, probe(written), False, text.format(id=item_id))


def _write(image: Image.Image, path: Path) -> None:
    """In the format that the file has: its name stays, too."""
    if path.suffix == ".png":
        image.save(path)
    elif path.suffix == ".webp":
        image.save(path, lossless=True)
    else:
        write_photo(image, path)
