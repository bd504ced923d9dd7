"""What the kept photos lack: a coded sentence, what it will probably cause, and what mends it."""

from dataclasses import dataclass

from studio.data.coverage.board import LIGHT, OUTFIT, PLACE, Board, Row
from studio.data.looking.look import CLOSE, FRONT, FULL, LEFT, PROFILE_LEFT, PROFILE_RIGHT, RIGHT, UPPER, WAIST
from studio.data.remarks import Remark

NO_FRONT, NO_LEFT, NO_RIGHT = "no-front", "no-left", "no-right"
NO_PROFILE, NO_PROFILE_LEFT, NO_PROFILE_RIGHT = "no-profile", "no-profile-left", "no-profile-right"
NO_CLOSE, NO_BODY, NO_FULL = "no-close", "no-body", "no-full"
ONE_OUTFIT, ONE_PLACE, ONE_LIGHT = "one-outfit", "one-place", "one-light"
ALWAYS = 0.85  # of the photos that show one thing: then it is learned as the person (FACTS.md: words in >= 85 % of captions fuse with the trigger)
LEAST_TOLD = 5  # photos that something is known of, before one says that it is always the same

ADD_PHOTOS = "upload"


@dataclass(frozen=True, kw_only=True)
class Shortfall(Remark):
    """code, words: what is lacking. weight: the share of readiness that it costs.

    cause: what it will probably do to the LoRA; action: by its name; show: the photos that it is about, as a choice of the grid's, or "".
    angle, framing: what to photograph, for a drawing of it.
    """

    cause: str
    weight: float
    action: str = ""
    show: str = ""
    angle: str = ""
    framing: str = ""


_TURNED = "a head turned that way may look like somebody else"
_ANGLES = (  # code, angle, framing of the drawing, words, cause, weight
    (NO_FRONT, FRONT, CLOSE, "no photo from the front: add three", "the face as a whole may not be learned", 0.2),
    (NO_LEFT, LEFT, UPPER, "no face half turned left: add two", _TURNED, 0.08),
    (NO_RIGHT, RIGHT, UPPER, "no face half turned right: add two", _TURNED, 0.08),
)
_FRAMINGS = (
    (NO_CLOSE, FRONT, CLOSE, "no close-up: add two", "skin, eyes and teeth may stay vague", 0.1),
    (NO_FULL, FRONT, FULL, "no full-body photo: add two", "height and build may be those of somebody else", 0.06),
)


def lacking(board: Board) -> list[Shortfall]:
    """What to photograph next, what costs most first. Nothing is said of what was not measured."""
    if not board.num_placed:
        return _sameness(board)
    found = [_absent(*row) for row in _ANGLES if not board.count_angle(row[1])]
    found += _profiles(board)
    found += [_absent(*row) for row in _FRAMINGS if not board.count_framing(row[2])]
    if not any(board.count_framing(framing) for framing in (UPPER, WAIST)):
        words = "no photo between close-up and full body: add three"
        found.append(_absent(NO_BODY, FRONT, WAIST, words, "the usual distance of a clip is the one it was never shown", 0.08))
    return sorted(found + _sameness(board), key=lambda lack: -lack.weight)


def _absent(code: str, angle: str, framing: str, words: str, cause: str, weight: float) -> Shortfall:
    return Shortfall(code=code, words=words, cause=cause, weight=weight, action=ADD_PHOTOS, angle=angle, framing=framing)


def _profiles(board: Board) -> list[Shortfall]:
    """One profile does for a start; the other side is worth a word."""
    left, right = (board.count_angle(angle) for angle in (PROFILE_LEFT, PROFILE_RIGHT))
    if not left and not right:
        return [
            _absent(NO_PROFILE, PROFILE_LEFT, UPPER, "no profile: add one from each side", "seen from the side it may be anybody", 0.08)
        ]
    if not left:
        return [_absent(NO_PROFILE_LEFT, PROFILE_LEFT, UPPER, "no profile that faces left: add one", _TURNED, 0.02)]
    if not right:
        return [_absent(NO_PROFILE_RIGHT, PROFILE_RIGHT, UPPER, "no profile that faces right: add one", _TURNED, 0.02)]
    return []


# -- always the same


def _sameness(board: Board) -> list[Shortfall]:
    told = {row.name: row for row in board.rows if row.told >= LEAST_TOLD and row.largest_share >= ALWAYS}
    found = []
    if row := told.get(OUTFIT):
        words = _always(row, "one outfit only, about", "in one outfit, about", "add two in other clothes")
        found.append(_same(ONE_OUTFIT, words, "the LoRA may learn the clothes as a part of the person", 0.12, row))
    if row := told.get(PLACE):
        words = _always(row, "one place only, about", "in one place, about", "add two somewhere else")
        found.append(_same(ONE_PLACE, words, "the LoRA may draw that place behind the person", 0.1, row))
    if row := told.get(LIGHT):
        words = _always(row, "one kind of light only, about", "in one kind of light, about", "add two in other light")
        found.append(_same(ONE_LIGHT, words, "every clip may come out in that light", 0.06, row))
    return found


def _always(row: Row, only: str, nearly: str, wish: str) -> str:
    largest = len(row.cells[0].ids)
    return f"{only}: {wish}" if largest == row.told else f"{largest} of {row.told} {nearly}: {wish}"


def _same(code: str, words: str, cause: str, weight: float, row: Row) -> Shortfall:
    return Shortfall(code=code, words=words, cause=cause, weight=weight, action=ADD_PHOTOS, show=f"kept/{row.cells[0].key}")
