"""The reason on a tile: two or three words for each code, where the viewer has the sentence."""

from studio.data import remarks as said
from studio.data.item_record import Item
from studio.data.remarks import Remark

SHORT = {
    said.SIZE: "small",
    said.BLUR: "blurred",
    said.BLOWN: "blown out",
    said.BLOCKS: "JPEG damage",
    said.DARK: "dark",
    said.BRIGHT: "too bright",
    said.STRANGER: "someone else",
    said.SEVERAL_PEOPLE: "several people",
    said.ALIKE: "like {about}",
    said.TWIN: "twin of {about}",
    said.ENOUGH: "not needed",
    said.UNREADABLE: "unreadable",
    said.BY_HAND: "left out by you",
}
UNNAMED = "left out"  # by a code that another version of the studio gave


def reason_on_tile(item: Item) -> str:
    """Why an item is left out, or what is doubted of one that is kept; "" where there is nothing to say."""
    if not item.keep:
        return _short(item.reasons[0]) if item.reasons else UNNAMED
    doubts = [warning for warning in item.measurements.warnings if warning.code in SHORT and warning.code != said.SEVERAL_PEOPLE]
    return _short(doubts[0]) if doubts else ""


def _short(remark: Remark) -> str:
    words = SHORT.get(remark.code, UNNAMED)
    return words.format(about=remark.about.lstrip("0") or "another") if remark.about else words.format(about="another")
