"""Small pictures for lists and previews, made once and kept in the cache by content."""

import io
from pathlib import Path

from PIL import Image

from studio.data import limits
from studio.data.buckets import fit_side
from studio.data.item_record import Item
from studio.data.media.clips import read_frames
from studio.data.media.photos import load_photo
from studio.disk import write_atomic
from studio.workspace import Project

THUMBNAIL_SIDE = 320
PREVIEW_SIDE = 1280
VERSION_CHARACTERS = 32


def thumbnail(project: Project, item: Item) -> Path:
    """Path of a JPEG of at most 320 px: the photo, or a frame from the middle of the clip; a grey card where it can't be read."""
    return _cached(project, item, "small", THUMBNAIL_SIDE)


def find_thumbnail(project: Project, version: str) -> Path | None:
    """The thumbnail of that `version_of`, if it is made already: found without a look at the dataset. None if it is not."""
    if len(version) != VERSION_CHARACTERS or not set(version) <= set("0123456789abcdef"):
        return None
    path = _place(project, version, "small")
    return path if path.is_file() else None


def version_of(item: Item) -> str:
    """Names the content of a thumbnail."""
    return item.sha256[:VERSION_CHARACTERS]


def preview(project: Project, item: Item) -> Path:
    """Path of what is shown large: a JPEG of at most 1280 px for a photo, the dataset's own MP4 for a clip."""
    return item.path if item.kind == "clip" and not item.problem else _cached(project, item, "large", PREVIEW_SIDE)


def _cached(project: Project, item: Item, name: str, side: int) -> Path:
    path = _place(project, version_of(item), name)
    if not path.is_file():
        buffer = io.BytesIO()
        _picture(item, side).save(buffer, "JPEG", quality=85)
        write_atomic(path, buffer.getvalue())
    return path


def _place(project: Project, version: str, name: str) -> Path:
    return project.cache_dir / "thumbnails" / f"{version}-{name}.jpg"


def _picture(item: Item, side: int) -> Image.Image:
    try:
        image = middle_frame(item, side) if item.kind == "clip" else _photo(item, side)
    except (OSError, ValueError):  # the item itself carries the reason in words
        return Image.new("RGB", (side, side * 3 // 4), (128, 128, 128))
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _photo(item: Item, side: int) -> Image.Image:
    return load_photo(item.path, max_side=min(4 * side, limits.MAX_PHOTO_SIDE))


def middle_frame(item: Item, side: int = PREVIEW_SIDE) -> Image.Image:
    """A PIL image of the frame in the middle of a clip, at most `side` px."""
    size = fit_side(item.width, item.height, side)
    return Image.fromarray(read_frames(item.path, 1, item.fps, start=item.seconds / 2, size=size)[0])
