"""Photos out of clips: the sharpest frames with the person's face, never two of one moment."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from studio.data import dataset
from studio.data.media.clips import ClipInfo, read_frames
from studio.data.media.kinds import MediaFacts
from studio.data.media.photos import write_photo
from studio.data.people.sightings import LEAST_WIDTH
from studio.data.pieces import piece_facts as said
from studio.data.pieces.adding import Made, Source, take_in
from studio.data.pieces.judging_moments import face_codes, judge_moments
from studio.data.pieces.looking_through import Through
from studio.data.pieces.piece_facts import MOMENTS_A_SECOND
from studio.data.pieces.whose import FoundPeople
from studio.workspace import Project

MOST = 6  # of one clip: photos of one afternoon are like each other
LEAST_APART_SECONDS = 2.0
LEAST_DIFFERENT = 8.0  # mean difference in levels of two stills, small and grey: less is one moment that lasts
_NEAR = 2  # frames before and after, of which the sharpest is taken
_ALLOWED = ("", said.SHAKY, said.STILL)  # a clip's faults that a single picture does not have


@dataclass(frozen=True)
class Candidate:
    """A moment with the person's face in it. blur: 0 sharp to 1; box: left, top, width, height of the face as shares of the picture."""

    second: float
    blur: float
    box: tuple[float, float, float, float]


def find_candidates(through: Through, people: FoundPeople, size: tuple[int, int], info: ClipInfo) -> list[Candidate]:
    """The moments that could be a photo, the sharpest first. size: px of what faces were looked for in."""
    codes, mine = judge_moments(through, people, min(size)), face_codes(through, people, min(size))
    found = []
    for track, is_person in zip(people.tracks, people.is_person, strict=True):
        for moment, face in track.looks if is_person is not False else ():
            large = face.width / size[0] * info.width >= LEAST_WIDTH
            if codes[moment] in _ALLOWED and mine[moment] == "" and face.blur is not None and large:
                box = (face.left / size[0], face.top / size[1], face.width / size[0], face.height / size[1])
                found.append(Candidate(moment / MOMENTS_A_SECOND, face.blur, box))
    return sorted(found, key=lambda candidate: candidate.blur)


def add_stills(
    project: Project, source: Source, info: ClipInfo, candidates: Sequence[Candidate], should_stop: Callable[[], bool], most: int = MOST
) -> list[str]:
    """Take the best of the candidates out as photos; their ids. One step of undo. InterruptedError if it was stopped: then none came."""
    with dataset.incoming(project) as folder:
        made: list[Made] = []
        chosen: list[tuple[float, np.ndarray]] = []
        for candidate in candidates:
            if should_stop():
                raise InterruptedError
            if len(made) == most:
                break
            if any(abs(candidate.second - second) < LEAST_APART_SECONDS for second, _ in chosen):
                continue
            second, picture = sharpest_near(source.path, info, candidate)
            small = cv2.resize(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (64, 64), interpolation=cv2.INTER_AREA).astype(np.float32)
            if any(float(np.abs(small - other).mean()) < LEAST_DIFFERENT for _, other in chosen):
                continue
            chosen.append((second, small))
            made.append(_write(picture, second, folder / f"still-{len(made)}.jpg"))
        made.sort(key=lambda one: one.part)
        return take_in(project, source, made, f"{len(made)} stills of {source.name}", instead=False)


def sharpest_near(path: Path, info: ClipInfo, candidate: Candidate) -> tuple[float, np.ndarray]:
    """(second, picture) of the frame around a moment in which the face is sharpest, in the clip's own size."""
    start = max(0.0, candidate.second - _NEAR / info.fps)
    frames = read_frames(path, 2 * _NEAR + 1, info.fps, start=start, info=info)
    left, top, width, height = candidate.box
    high, wide = frames.shape[1:3]
    rows, columns = (slice(max(0, int(a * n)), int((a + b) * n) + 1) for a, b, n in ((top, height, high), (left, width, wide)))
    sharp = [float(cv2.Laplacian(cv2.cvtColor(frame[rows, columns], cv2.COLOR_RGB2GRAY), cv2.CV_32F).var()) for frame in frames]
    best = int(np.argmax(sharp))
    return start + best / info.fps, frames[best]


def _write(picture: np.ndarray, second: float, path: Path) -> Made:
    write_photo(Image.fromarray(picture), path)
    facts = MediaFacts(kind="photo", width=picture.shape[1], height=picture.shape[0])
    return Made(path, facts, (round(second, 3), round(second, 3)))
