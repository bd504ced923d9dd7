"""What speaks against each moment of a clip. Thresholds act here, when they are read: nothing is measured anew when one moves."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from studio.data.looking.look import OTHER_LEAST
from studio.data.pieces import piece_facts as said
from studio.data.pieces.looking_through import Through
from studio.data.pieces.moments import HALF_SECOND
from studio.data.pieces.piece_facts import MOMENTS_A_SECOND
from studio.data.pieces.whose import FoundPeople

# Each was chosen on one half of the clips that tests/benchmarks/pieces.py makes, and its errors counted on the other half.
BLACK_LUMA, BLACK_SPREAD = 24.0, 8.0  # levels
TITLE_FLAT = 0.72  # share of the picture in one brightness
FROZEN_DRIFTED, FROZEN_DRIFT, FROZEN_SECONDS = 0.0015, 0.35, 0.1  # beside the half second that drift looks back
BLEND_MOST = 0.2
TEXT_SECONDS, TEXT_MOVES = 0.7, 0.05  # a line of letters stays that long where it is
FACE_SMALL = 0.045  # width of the face as a share of the picture's short side
FACE_BLURRED = 0.72  # looser than .66 of photos (FACTS.md): of sharp faces in small clips .53 to .65, of blurred ones .82
SHAKE_MOST = 0.006  # of the picture's width, from moment to moment
STILL_DRIFTED = 0.01
FACE_GAP_SECONDS = 1.25  # turned away for so long, the person is still there
OTHERS_GAP_SECONDS = 3.0
MARGIN = 2  # moments on both sides of a cut


@dataclass(frozen=True)
class FaceAt:
    """The person's face at a moment, or why there is none. width: as a share of the picture's short side."""

    code: str  # "" for the person
    width: float = 0.0
    blur: float | None = None


def judge_moments(through: Through, people: FoundPeople | None, short_side: float) -> np.ndarray:
    """(count,) codes of piece_facts, "" for good moments. people: None where nobody looked for faces; short_side: px of what was looked at."""
    codes = np.full(through.count, "", dtype=object)
    if not through.count:
        return codes
    _mark(codes, _shaky(through), said.SHAKY)
    _mark(codes, _still(through), said.STILL)
    seen = np.full(through.count, said.NOBODY, dtype=object)
    if people is not None:
        seen = face_codes(through, people, short_side)
        for code in (said.BLURRED, said.SMALL_FACE, said.OTHER_PEOPLE, said.SOMEBODY_ELSE, said.NOBODY):
            _mark(codes, seen == code, code)
    for find, code in _BY_PIXELS:
        _mark(codes, find(through), code)
    _mark(codes, _title(through) & (seen == said.NOBODY), said.TITLE)
    _mark(codes, _black(through), said.BLACK)
    return codes


def _mark(codes: np.ndarray, where: np.ndarray, code: str) -> None:
    codes[where] = code


# -- by pixels


def _cut(through: Through) -> np.ndarray:
    near = np.zeros(through.count, bool)
    for cut in through.cuts:
        near[max(0, cut - MARGIN) : cut + MARGIN] = True
    return near


def _blend(through: Through) -> np.ndarray:
    """Fades, with half a second to both sides; what fades from or to black is as bad."""
    at = through.values("blend") < BLEND_MOST
    return _widen(_runs_of(at, 3), MOMENTS_A_SECOND // 4)


def _black(through: Through) -> np.ndarray:
    return (through.values("luma") < BLACK_LUMA) & (through.values("spread") < BLACK_SPREAD)


def _title(through: Through) -> np.ndarray:
    """Letters or nothing on a ground of one brightness; with a face in it, it is a person before a plain wall."""
    return through.values("flat") > TITLE_FLAT


def _frozen(through: Through) -> np.ndarray:
    """Held frames: nothing differs from half a second before."""
    held = (through.values("drifted") < FROZEN_DRIFTED) & (through.values("drift") < FROZEN_DRIFT)
    held[:HALF_SECOND] = False
    found = _runs_of(held, round(FROZEN_SECONDS * MOMENTS_A_SECOND))
    for start, _ in runs(found):
        found[start - HALF_SECOND + 1 : start] = True
    return found


def _subtitles(through: Through) -> np.ndarray:
    """Letters that stay where they are."""
    there, at = through.values("text") > 0, through.values("text_at")
    moves = np.abs(np.diff(at, prepend=at[:1])) > TEXT_MOVES
    found, start = np.zeros(through.count, bool), 0
    least = round(TEXT_SECONDS * MOMENTS_A_SECOND)
    for number in range(through.count + 1):
        if number == through.count or not there[number] or moves[number]:
            if number - start >= least:
                found[max(0, start - MOMENTS_A_SECOND // 4) : number] = True
            start = number if number < through.count and there[number] else number + 1
    return found


def _shaky(through: Through) -> np.ndarray:
    """Where the picture goes to and fro: its speed changes from moment to moment."""
    jolts = np.hypot(np.diff(through.values("shift_x"), prepend=0.0), np.diff(through.values("shift_y"), prepend=0.0))
    jolts[0] = 0.0
    for cut in through.cuts:
        jolts[max(0, cut - 1) : cut + 2] = 0.0
    size = MOMENTS_A_SECOND
    mean = np.convolve(np.minimum(jolts, 4 * SHAKE_MOST), np.ones(size) / size, "same")
    return mean > SHAKE_MOST


def _still(through: Through) -> np.ndarray:
    """Where next to nothing moves for two seconds: as good as a photo."""
    size = 2 * MOMENTS_A_SECOND
    if through.count < size:
        return np.zeros(through.count, bool)
    mean = np.convolve(through.values("drifted"), np.ones(size) / size, "same")
    edge = size // 2
    mean[:edge], mean[-edge:] = mean[edge], mean[-edge - 1]
    return mean < STILL_DRIFTED


_BY_PIXELS: tuple[tuple[Callable[[Through], np.ndarray], str], ...] = (  # the last one that holds is said
    (_subtitles, said.SUBTITLES),
    (_frozen, said.FROZEN),
    (_blend, said.BLEND),
    (_cut, said.CUT),
)


# -- by faces


def face_codes(through: Through, people: FoundPeople, short_side: float) -> np.ndarray:
    """(count,) codes of who is seen at each moment, "" for the person."""
    looked = sorted(then.moment for then in through.faces)
    codes = np.full(through.count, said.NOBODY, dtype=object)
    if not looked:
        return codes
    found = _faces_by_moment(people, short_side)
    shots = np.searchsorted(through.cuts, np.arange(through.count), side="right")
    states = {moment: found[moment].code if moment in found else said.NOBODY for moment in looked}
    _forgive_gaps(states, looked, shots)
    _join_others(states, looked, shots)
    places = np.array(looked)
    for number in range(through.count):
        near = places[max(0, np.searchsorted(places, number) - 1) : np.searchsorted(places, number) + 1]
        same_shot = [int(place) for place in near if shots[place] == shots[number]]
        codes[number] = states[min(same_shot, key=lambda place: abs(place - number))] if same_shot else said.NOBODY
    return codes


def _faces_by_moment(people: FoundPeople, short_side: float) -> dict[int, FaceAt]:
    """Of each moment with faces: the person's, or why it is no good."""
    here: dict[int, list[tuple[bool | None, float, float | None]]] = {}
    for track, is_person in zip(people.tracks, people.is_person, strict=True):
        for moment, face in track.looks:
            here.setdefault(moment, []).append((is_person, face.width / short_side, face.blur))
    return {moment: _judge_faces(faces) for moment, faces in here.items()}


def _judge_faces(faces: list[tuple[bool | None, float, float | None]]) -> FaceAt:
    """A face of which nobody can tell counts as the person's where it is alone."""
    mine = max((f for f in faces if f[0]), key=lambda f: f[1], default=None) or max(
        (f for f in faces if f[0] is None), key=lambda f: f[1], default=None
    )
    if mine is None:
        return FaceAt(said.SOMEBODY_ELSE)
    _, width, blur = mine
    if any(f is not mine and f[1] > OTHER_LEAST * width for f in faces):
        return FaceAt(said.OTHER_PEOPLE, width, blur)
    if width < FACE_SMALL:
        return FaceAt(said.SMALL_FACE, width, blur)
    return FaceAt(said.BLURRED if blur is not None and blur > FACE_BLURRED else "", width, blur)


def _forgive_gaps(states: dict[int, str], looked: list[int], shots: np.ndarray) -> None:
    """Looks without a face between two with the person's, in one shot: turned away for a moment."""
    last = -1
    for moment in looked:
        if states[moment]:
            continue
        if last >= 0 and shots[last] == shots[moment] and moment - last <= FACE_GAP_SECONDS * MOMENTS_A_SECOND + 8:
            for between in looked:
                if last < between < moment and states[between] == said.NOBODY:
                    states[between] = ""
        last = moment


def _join_others(states: dict[int, str], looked: list[int], shots: np.ndarray) -> None:
    """Other people who are seen before and after are there in between, too: a face that is turned away is missed now and then."""
    last = -1
    for moment in looked:
        if states[moment] != said.OTHER_PEOPLE:
            continue
        if last >= 0 and shots[last] == shots[moment] and moment - last <= OTHERS_GAP_SECONDS * MOMENTS_A_SECOND:
            for between in looked:
                if last < between < moment and states[between] == "":
                    states[between] = said.OTHER_PEOPLE
        last = moment


# -- runs of moments


def _runs_of(where: np.ndarray, least: int) -> np.ndarray:
    """Only the runs of at least that many moments."""
    result = np.zeros_like(where)
    for start, end in runs(where):
        if end - start >= least:
            result[start:end] = True
    return result


def _widen(where: np.ndarray, by: int) -> np.ndarray:
    return np.convolve(where, np.ones(2 * by + 1), "same") > 0 if where.any() else where


def runs(where: np.ndarray) -> list[tuple[int, int]]:
    """[start, end) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], where, [False]]).astype(np.int8)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
