"""What a photo or clip is, found by reading it."""

from pathlib import Path

from studio.data.media import clips, photos
from studio.data.media.animations import is_animation, probe_animation
from studio.data.media.kinds import SNIFF_BYTES, MediaFacts, refusal, sniff


def probe(path: Path) -> MediaFacts:
    """The facts of a photo or clip. ValueError says why the file can't be used."""
    with open(path, "rb") as file:
        head = file.read(SNIFF_BYTES)
    kind = sniff(head)
    if kind == "photo" and is_animation(path):
        return probe_animation(path).media()
    if kind == "photo":
        width, height = photos.load_photo(path).size
        return MediaFacts(kind=kind, width=width, height=height)
    if kind == "clip":
        return clips.probe_clip(path).media()
    raise ValueError(refusal(Path(path).name, head))
