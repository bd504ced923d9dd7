"""The pieces of a clip that are worth training, and every other second of it with what speaks against it."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from studio.data.media.filters import Crop
from studio.data.pieces import piece_facts as said
from studio.data.pieces.judging_moments import judge_moments, runs
from studio.data.pieces.looking_through import Through
from studio.data.pieces.piece_facts import LONGEST, MOMENTS_A_SECOND, SHORTEST, Piece, Span
from studio.data.pieces.whose import FoundPeople

MOST_PIECES, MOST_A_SHOT = 20, 3  # a dataset has 12 to 20 clips; three of one shot show what it has
BARS_LEAST, BARS_DIFFER = 0.02, 0.04  # shares of the picture: narrower ones are the edge of a film; both sides are alike
_CONTENT_LUMA = 30.0  # levels: what bars are looked for beside
_LARGE_FACE = 0.3  # width as a share of the short side: larger is no better


@dataclass(frozen=True)
class Proposal:
    """The pieces of a clip in its order, and its spans, which leave nothing out."""

    pieces: tuple[Piece, ...]
    spans: tuple[Span, ...]


@dataclass(frozen=True)
class Wish:
    """What a base model trains of a clip: frames a second, the step in which lengths grow, and how many seconds at most."""

    fps: float
    temporal_factor: int
    seconds: float

    def num_frames(self, there: float) -> int:
        """The frames of a piece within so many seconds: as long as what is trained, but never below or above a piece's length."""
        wanted = min(max(self.seconds, SHORTEST), LONGEST, there)
        frames = int(wanted * self.fps + 1e-6) - 1
        longer = -(-(int(SHORTEST * self.fps + 1e-6) - 1) // self.temporal_factor) * self.temporal_factor + 1
        shorter = frames // self.temporal_factor * self.temporal_factor + 1
        return max(shorter, longer) if longer <= there * self.fps + 1e-6 else shorter


def propose_pieces(through: Through, people: FoundPeople | None, size: tuple[int, int], seconds: float, wish: Wish) -> Proposal:
    """Of a clip that was looked through. size: px of what faces were looked for in; people: None where nobody looked for them."""
    codes = judge_moments(through, people, min(size))
    found: list[tuple[int, Piece]] = []  # shot, piece
    for start, end in runs(codes == ""):
        shot = int(np.searchsorted(through.cuts, start, side="right"))
        room = (end - start) / MOMENTS_A_SECOND
        if room + 1e-6 < _least(wish):
            codes[start:end] = said.SHORT
            continue
        codes[start:end] = said.ENOUGH
        found += [(shot, piece) for piece in _fill(start / MOMENTS_A_SECOND, room, wish, through, people, min(size))]
    chosen = sorted(_choose(found), key=lambda piece: piece.start)
    crops = [_bars(through, piece) for piece in chosen]
    pieces = tuple(replace(piece, crop=crop) for piece, crop in zip(chosen, crops, strict=True))
    return Proposal(pieces, _spans(codes, pieces, seconds))


def _least(wish: Wish) -> float:
    return wish.num_frames(SHORTEST + (wish.temporal_factor + 1) / wish.fps) / wish.fps


def _fill(start: float, room: float, wish: Wish, through: Through, people: FoundPeople | None, short_side: float) -> list[Piece]:
    """As many pieces as there is room for, evenly spread; each with what it is worth."""
    frames = wish.num_frames(room)
    length = frames / wish.fps
    count = max(1, int((room + 1e-6) / length))
    gap = (room - count * length) / (count + 1)
    starts = [start + gap + number * (length + gap) for number in range(count)]
    return [
        Piece(start=round(at, 3), num_frames=frames, fps=wish.fps, score=_worth(at, at + length, through, people, short_side))
        for at in starts
    ]


def _worth(start: float, end: float, through: Through, people: FoundPeople | None, short_side: float) -> float:
    """About 0 to 3: a large face, a sharp one, and that something moves."""
    first, last = (int(second * MOMENTS_A_SECOND) for second in (start, end))
    motion = min(float(through.values("change")[first:last].mean()) / 4, 1.0) if last > first else 0.0
    if people is None:
        return round(motion, 3)
    tracks = [track for track, mine in zip(people.tracks, people.is_person, strict=True) if mine is not False]
    faces = [face for track in tracks for moment, face in track.looks if first <= moment < last]
    if not faces:
        return round(motion, 3)
    width = float(np.median([face.width for face in faces])) / short_side
    blurs = [face.blur for face in faces if face.blur is not None]
    sharp = 1 - float(np.median(blurs)) if blurs else 0.5
    return round(min(width / _LARGE_FACE, 1.0) + sharp + 0.5 * motion, 3)


def _choose(found: Sequence[tuple[int, Piece]]) -> list[Piece]:
    """The best of every shot first, then the second best of each, and so on."""
    by_shot: dict[int, list[Piece]] = {}
    for shot, piece in found:
        by_shot.setdefault(shot, []).append(piece)
    ranked = [(rank, -piece.score, piece) for pieces in by_shot.values() for rank, piece in enumerate(_apart_first(pieces))]
    ranked = [entry for entry in sorted(ranked, key=lambda entry: entry[:2]) if entry[0] < MOST_A_SHOT]
    return [piece for _, _, piece in ranked[:MOST_PIECES]]


def _apart_first(pieces: Sequence[Piece]) -> list[Piece]:
    """The best piece, then whichever is good and far from those before."""
    left, chosen = list(pieces), [max(pieces, key=lambda piece: piece.score)]
    left.remove(chosen[0])
    while left and len(chosen) < MOST_A_SHOT:
        best = max(left, key=lambda piece: piece.score + min(min(abs(piece.start - other.start) for other in chosen) / 60, 1.0))
        left.remove(best)
        chosen.append(best)
    return chosen


def _bars(through: Through, piece: Piece) -> Crop | None:
    """What is left of the picture without black bars, or None where there are none. They are where they are in every moment."""
    first, last = round(piece.start * MOMENTS_A_SECOND), round(piece.end * MOMENTS_A_SECOND)
    lit = through.values("luma")[first:last] > _CONTENT_LUMA / 3
    sides = [through.values(name)[first:last][lit] for name in ("left", "top", "right", "bottom")]
    if not lit.any():
        return None
    left, top, right, bottom = (float(side.min()) for side in sides)
    left, right = _even_pair(left, right)
    top, bottom = _even_pair(top, bottom)
    if not any((left, top, right, bottom)):
        return None
    return left, top, round(1 - left - right, 4), round(1 - top - bottom, 4)


def _even_pair(a: float, b: float) -> tuple[float, float]:
    """Both bars, a line wider than they were measured; none where one side has none, as it is only dark there."""
    if min(a, b) < BARS_LEAST or abs(a - b) > BARS_DIFFER:
        return 0.0, 0.0
    return round(a + 0.004, 4), round(b + 0.004, 4)


def _spans(codes: np.ndarray, pieces: Sequence[Piece], seconds: float) -> tuple[Span, ...]:
    """All seconds: the pieces exactly, and what lies between them moment by moment."""
    edges = sorted({0.0, seconds, *(min(e, seconds) for piece in pieces for e in (piece.start, piece.end)), *_changes(codes, seconds)})
    spans: list[Span] = []
    for start, end in itertools.pairwise(edges):
        middle = (start + end) / 2
        piece = next((piece for piece in pieces if piece.start <= middle < piece.end), None)
        code = said.TAKEN if piece else _code_at(middle, codes)
        begins = piece is not None and start == piece.start
        if spans and spans[-1].code == code and not begins:
            spans[-1] = replace(spans[-1], end=end)
        else:
            spans.append(Span(start=start, end=end, code=code))
    return tuple(spans)


def _changes(codes: np.ndarray, seconds: float) -> list[float]:
    at = np.flatnonzero(codes[1:] != codes[:-1]) + 1
    return [second for number in at.tolist() if (second := number / MOMENTS_A_SECOND) < seconds]


def _code_at(second: float, codes: np.ndarray) -> str:
    return str(codes[min(int(second * MOMENTS_A_SECOND), len(codes) - 1)]) if len(codes) else said.NOBODY
