"""The clip as training sees it: the very frames that the cache encodes, at their size and speed, to look at."""

import secrets
from pathlib import Path

from studio.data.item_record import Item
from studio.data.media.even_rate import write_pixels
from studio.data.media.thumbnails import version_of
from studio.data.pieces.excerpt import Excerpt, read_excerpt
from studio.disk import replace
from studio.workspace import Project


def excerpt_name(item: Item, excerpt: Excerpt) -> str:
    """The name of the file that shows an excerpt of a clip, by all that decides its frames."""
    width, height = excerpt.size
    return f"{version_of(item)}-{width}x{height}x{excerpt.num_frames}-{excerpt.fps:g}fps.mp4"


def trained_view(project: Project, item: Item, excerpt: Excerpt) -> Path:
    """Path of an MP4 of exactly the frames that are trained, made once. ValueError if the clip has fewer."""
    path = project.cache_dir / "trained" / excerpt_name(item, excerpt)
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{secrets.token_hex(4)}.mp4")
        try:
            write_pixels(unfinished, read_excerpt(item.path, excerpt), excerpt.fps)
            replace(unfinished, path)
        finally:
            unfinished.unlink(missing_ok=True)
    return path
