"""The scores of clips: a file each, found here. To add one, put a file with a `SCORE` beside the others: `studio.evaluation.judge.score` says of what."""

import functools
from typing import TypeVar

from studio.doors import members
from studio.evaluation.judge.score import Part, Score

PartKind = TypeVar("PartKind", bound=Part)


@functools.cache
def all_scores() -> tuple[Score, ...]:
    """By name."""
    return tuple(sorted((module.SCORE for module in members(__name__, ["SCORE"])), key=lambda score: score.name))


@functools.cache
def parts(kind: type[PartKind], with_eye: bool = True) -> tuple[PartKind, ...]:
    """All parts of a kind in their order; with_eye: those too that only an eye can fill."""
    scores = [score for score in all_scores() if with_eye or not score.needs.is_eye]
    found = [part for score in scores for part in score.parts if isinstance(part, kind)]
    return tuple(sorted(found, key=lambda part: part.place))


def eye_scores() -> list[Score]:
    return [score for score in all_scores() if score.needs.is_eye]
