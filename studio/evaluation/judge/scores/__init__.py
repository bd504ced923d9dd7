"""The scores of clips: a file each, found here. To add one, put a file with a `SCORE` beside the others: `studio.evaluation.judge.score` says of what."""

import functools
import importlib
import pkgutil
from typing import TypeVar

from studio.evaluation.judge.score import Needs, Part, Score

PartKind = TypeVar("PartKind", bound=Part)


@functools.cache
def all_scores() -> tuple[Score, ...]:
    """By name."""
    modules = (importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__))
    return tuple(sorted((module.SCORE for module in modules), key=lambda score: score.name))


@functools.cache
def parts(kind: type[PartKind], with_eye: bool = True) -> tuple[PartKind, ...]:
    """All parts of a kind in their order; with_eye: those too that only an eye can fill."""
    scores = [score for score in all_scores() if with_eye or score.needs is not Needs.EYE]
    found = [part for score in scores for part in score.parts if isinstance(part, kind)]
    return tuple(sorted(found, key=lambda part: part.place))


def eye_scores() -> list[Score]:
    return [score for score in all_scores() if score.needs is Needs.EYE]
