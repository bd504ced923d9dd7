"""Two texts that go line by line: prompts.txt beside videos.txt, as trainers of diffusers' family want them."""

from studio.data.incoming.found import fold
from studio.data.incoming.listing import Entry, Listing, Text, TextIndex, lines_of

CAPTIONS = ("prompts.txt", "prompt.txt", "captions.txt", "caption.txt")
FILES = ("videos.txt", "video.txt", "images.txt", "image.txt", "files.txt", "media.txt")


def read(text: Text, index: TextIndex) -> Listing | None:
    if fold(text.found.name) not in CAPTIONS:
        return None
    other = next((found for name in FILES if (found := index.beside(text, name))), None)
    if other is None:
        return None
    captions, files = _lines(text), _lines(other)
    if len(captions) != len(files):
        words = f"it has {len(captions)} lines and {other.found.name} has {len(files)}: which belongs to which can't be told"
        return Listing((), (other.found,), (words,))
    return Listing(tuple(Entry(name, (caption,)) for name, caption in zip(files, captions)), (other.found,))


def _lines(text: Text) -> list[str]:
    return lines_of(text.text)
