"""Looks through a clip or film once, moment by moment, and keeps what it saw by content: a stop or a kill loses at most half a minute of it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from studio.data import persons
from studio.data.looking.detail import blur
from studio.data.looking.look import FaceLook
from studio.data.media.clips import ClipInfo
from studio.data.pieces.even_moments import Shown, shown_frames
from studio.data.pieces.letters import SIDE as LETTERS_SIDE
from studio.data.pieces.letters import Letters, find_letters
from studio.data.pieces.moments import FADE_DELAY, SIDE, Fading, Measure, Measuring
from studio.data.pieces.piece_facts import MOMENTS_A_SECOND, FacesThen, Stretch
from studio.disk import append_jsonl, read_jsonl
from studio.models.eyes import FaceSight

VERSION = 1  # raise it when the same clip would be measured otherwise
STRETCH = 30 * MOMENTS_A_SECOND  # moments that are kept at once
_WARM_UP = 2 * MOMENTS_A_SECOND  # moments before the first one that is wanted: what compares with them needs them
_FACES_EVERY, _LETTERS_EVERY = 8, 4  # moments: twice and four times a second
FACES_SIDE = 960  # px: faces from 45 px up are found (FACTS.md, "Faces and curation": 100 % from 48 px at 1,024)
_LEAST_EMBEDDED = 32  # px of a face's width in that copy, below which nobody can tell who it is
_SAME_PICTURE = 0.002  # share of the picture that moved since the faces were looked for: they are where they were
_DARK = 12.0  # levels
_CUT_APART = 5  # moments between cuts, at least

Report = Callable[..., None]


@dataclass(frozen=True)
class Through:
    """A clip that was looked through: its stretches in order. is_whole: to its end."""

    stretches: tuple[Stretch, ...]
    is_whole: bool

    @property
    def count(self) -> int:
        return self.stretches[-1].first + self.stretches[-1].count if self.stretches else 0

    def values(self, name: str) -> np.ndarray:
        """(count,) of what `Stretch` measures by that name."""
        return np.array([value for stretch in self.stretches for value in getattr(stretch, name)], np.float32)

    @property
    def cuts(self) -> list[int]:
        return sorted({cut for stretch in self.stretches for cut in stretch.cuts})

    @property
    def faces(self) -> list[FacesThen]:
        return [then for stretch in self.stretches for then in stretch.faces]


def read_through(file: Path) -> Through:
    """What was kept of a clip, up to where the look through it ended."""
    lines, _ = read_jsonl(file)
    stretches: list[Stretch] = []
    is_whole = False
    for line in lines:
        if "end" in line:
            is_whole = is_whole or (bool(stretches) and line["end"] == stretches[-1].first + stretches[-1].count)
            continue
        stretch = Stretch.from_json(line, file.name)
        if stretch.first == (stretches[-1].first + stretches[-1].count if stretches else 0):  # two processes may have looked at once
            stretches.append(stretch)
    return Through(tuple(stretches), is_whole)


def look_through(
    path: Path, info: ClipInfo, file: Path, sight: FaceSight | None, report: Report, should_stop: Callable[[], bool], name: str
) -> Through:
    """Look through what `file` does not have yet; not to the end (`is_whole`) if it was stopped. name: of the clip, for the person."""
    known = read_through(file)
    if known.is_whole:
        return known
    file.parent.mkdir(parents=True, exist_ok=True)
    wanted = known.count
    gathered = _Gathered(max(0, wanted - _WARM_UP), sight)
    for number, shown in shown_frames(path, info, MOMENTS_A_SECOND, gathered.first):
        gathered.add(number, shown)
        if number % MOMENTS_A_SECOND == 0:
            _tell(report, number, info, name)
            if should_stop():
                return read_through(file)
        if gathered.num_ready >= wanted + STRETCH:
            append_jsonl(file, gathered.take(wanted, wanted + STRETCH).to_json())
            wanted += STRETCH
    gathered.finish()
    if gathered.num_ready > wanted:
        append_jsonl(file, gathered.take(wanted, gathered.num_ready).to_json())
    append_jsonl(file, {"end": gathered.num_ready}, sync=True)
    return read_through(file)


def _tell(report: Report, number: int, info: ClipInfo, name: str) -> None:
    report(
        "progress", stage=f"look through {name}", done=number // MOMENTS_A_SECOND, total=max(1, round(info.seconds)), unit="s", message=name
    )


@dataclass
class _Gathered:
    """What was measured since `first`; stretches are taken out of it."""

    first: int
    sight: FaceSight | None
    measures: list[Measure] = field(default_factory=list)
    letters: list[Letters] = field(default_factory=list)
    blends: list[float] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    faces: list[FacesThen] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._measuring, self._fading, self._cutting = Measuring(), Fading(), _Cutting(self.first)
        self._moved_since = 1.0
        self._ended = False

    @property
    def num_ready(self) -> int:
        """Moments before this one are measured in every way."""
        return self.first + (len(self.measures) if self._ended else max(0, len(self.measures) - FADE_DELAY))

    def add(self, number: int, shown: Shown) -> None:
        with_faces = self.sight is not None and number % _FACES_EVERY == 0
        with_letters = number % _LETTERS_EVERY == 0
        small = shown.pixels(SIDE)  # always made in the same way: two ways of scaling differ by more than a held frame
        large = small
        if with_faces or with_letters:
            large = shown.pixels(FACES_SIDE if with_faces else LETTERS_SIDE)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        measure = self._measuring.measure(grey)
        self.measures.append(measure)
        self._moved_since += measure.moved
        blend = self._fading.add(grey)
        if len(self.measures) > FADE_DELAY:
            self.blends.append(blend)
        self.cuts += self._cutting.add(number, small)
        if with_letters or not self.letters:
            self.letters.append(find_letters(_shrink(large, LETTERS_SIDE)))
        else:
            self.letters.append(self.letters[-1])
        if with_faces:
            self._look_for_faces(number, large, measure)

    def finish(self) -> None:
        """The clip's last moment was added."""
        self.blends += self._fading.rest()
        self._ended = True

    def take(self, start: int, end: int) -> Stretch:
        """What was measured of the moments from start to end; it is forgotten here, so that a film takes no more memory than a clip."""
        part = slice(start - self.first, end - self.first)
        measures, letters = self.measures[part], self.letters[part]
        columns: dict[str, Any] = {
            name: tuple(round(float(getattr(m, name)), 4) for m in measures)
            for name in ("luma", "spread", "flat", "change", "drift", "drifted", "shift_x", "shift_y")
        }
        for place, name in enumerate(("top", "bottom", "left", "right")):
            columns[name] = tuple(round(m.bars[place], 4) for m in measures)
        stretch = Stretch(
            first=start, blend=tuple(round(blend, 3) for blend in self.blends[part]),
            text=tuple(round(line.width, 3) for line in letters), text_at=tuple(round(line.at, 3) for line in letters),
            cuts=tuple(cut for cut in self.cuts if start <= cut < end),
            faces=tuple(then for then in self.faces if start <= then.moment < end), **columns,
        )  # fmt: skip
        for measured in (self.measures, self.letters, self.blends):
            del measured[: end - self.first]
        self.cuts = [cut for cut in self.cuts if cut >= end]
        self.faces = [then for then in self.faces if then.moment >= end]
        self.first = end
        return stretch

    def _look_for_faces(self, number: int, picture: np.ndarray, measure: Measure) -> None:
        if measure.luma < _DARK:
            found: tuple[FaceLook, ...] = ()
        elif self.faces and self._moved_since < _SAME_PICTURE:
            found = self.faces[-1].faces
        else:
            assert self.sight is not None
            found, self._moved_since = look_at_faces(self.sight, picture), 0.0
        self.faces.append(FacesThen(moment=number, faces=found))


class _Cutting:
    """Cuts between shots, by scenedetect's detector for what moves fast."""

    def __init__(self, first: int) -> None:
        from scenedetect.common import FrameTimecode  # loads moviepy: a second, in the process that looks alone
        from scenedetect.detectors import AdaptiveDetector

        self._first, self._timecode = first, FrameTimecode
        self._detector = AdaptiveDetector(min_scene_len=_CUT_APART)

    def add(self, number: int, picture: np.ndarray) -> list[int]:
        """Numbers of moments, a few back, with which another shot begins."""
        time = self._timecode(number - self._first, float(MOMENTS_A_SECOND))
        found = self._detector.process_frame(time, np.ascontiguousarray(picture[..., ::-1]))
        return [int(cut.frame_num) + self._first for cut in found]


def look_at_faces(sight: FaceSight, picture: np.ndarray) -> tuple[FaceLook, ...]:
    """The faces of a picture with who they are and how blurred; places are px of it."""
    return tuple(_describe(sight, picture, face, place) for place, face in enumerate(sight.find(picture)[:6]))


def _describe(sight: FaceSight, picture: np.ndarray, face: Any, place: int) -> FaceLook:
    embedding, blurred = "", None
    if face.width >= _LEAST_EMBEDDED:
        embedding = persons.pack(sight.embed_face(picture, face)[None])
        blurred = measure_blur(picture, face) if place == 0 else None
    return FaceLook(
        left=round(face.left, 1), top=round(face.top, 1), width=round(face.width, 1), height=round(face.height, 1),
        score=round(face.score, 3), embedding=embedding, blur=blurred,
    )  # fmt: skip


def measure_blur(picture: np.ndarray, face: Any) -> float | None:
    """0 sharp to 1 blurred, of the face; None where too little of it is in the picture."""
    height, width = picture.shape[:2]
    left, top = max(0, int(face.left)), max(0, int(face.top))
    crop = picture[top : min(height, int(face.top + face.height)), left : min(width, int(face.left + face.width))]
    return blur(cv2.cvtColor(np.ascontiguousarray(crop), cv2.COLOR_RGB2GRAY)) if crop.size else None


def _shrink(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
