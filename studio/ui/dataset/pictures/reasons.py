"""The reason on a tile: two or three words for each code, where the viewer has the sentence."""

from studio.data import remarks as said
from studio.data.item_record import Item
from studio.data.remarks import Remark

SHORT = {
    said.SIZE: "small",
    said.FACE_SIZE: "small face",
    said.BLUR: "blurred",
    said.UPSCALED: "enlarged",
    said.BLOWN: "blown out",
    said.BLOCKS: "JPEG damage",
    said.DARK: "dark",
    said.BRIGHT: "too bright",
    said.COLLAGE: "collage",
    said.DRAWING: "drawn",
    said.MONOCHROME: "black and white",
    said.STRANGER: "someone else",
    said.SAID_OTHER: "someone else",
    said.PLEASE_LOOK: "who is it?",
    said.CANT_TELL: "can't tell who",
    said.OTHER_PEOPLE: "other people",
    said.TWO_ALIKE: "two alike",
    said.NO_FACE: "no face",
    said.SEVERAL_PEOPLE: "several people",
    said.ALIKE: "like {about}",
    said.TWIN: "twin of {about}",
    said.ENOUGH: "not needed",
    said.HELD_OUT: "held out",
    said.SWAPPED: "swapped for {about}",
    said.CUT_UP: "cut into pieces",
    said.UNREADABLE: "unreadable",
    said.BY_HAND: "left out by you",
}
UNNAMED = "left out"  # by a code that another version of the studio gave


def reason_on_tile(item: Item) -> str:
    """Why an item is left out, or what is doubted of one that is kept; "" where there is nothing to say."""
    if not item.keep:
        return _short(item.reasons[0]) if item.reasons else UNNAMED
    doubts = [doubt for doubt in item.doubts if doubt.code in SHORT]
    return _short(doubts[0]) if doubts else ""


def _short(remark: Remark) -> str:
    words = SHORT.get(remark.code, UNNAMED)
    return words.format(about=remark.about.lstrip("0") or "another") if remark.about else words.format(about="another")
