"""Which scores a clip still lacks, and how they are measured. Free of torch."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from studio.data.dataset import held_out_items, kept_items
from studio.disk import file_sha256
from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.score import Needs, Score
from studio.evaluation.judge.scores import all_scores, eye_scores
from studio.evaluation.sweep_facts import Cell, Values
from studio.models.catalogue import BaseModel
from studio.models.eyes import FACES, FIRST_KEYS, find_eye
from studio.workspace import Project


def score_keys(project: Project, base: BaseModel) -> dict[str, str]:
    """{score: what it is measured with now}, its version among that; only what can be measured with this base model."""
    eye, keys = _describe_eye(project, base), {}
    for score in all_scores():
        if not score.needs.is_eye:
            keys[score.name] = str(score.version)
        elif eye and (score.needs is Needs.EYE or _sees_faces(base)):
            keys[score.name] = hashlib.sha256(json.dumps([score.version, *eye]).encode()).hexdigest()[:16]
    return keys


def _describe_eye(project: Project, base: BaseModel) -> list[Any] | None:
    """Hashes of the eye's files and of the pictures kept for training or held out, and which eye it is; None where there is none for this base model."""
    eye = find_eye(base.preset)
    if eye is None:
        return None
    files = [file_sha256(path) for path in eye.files(base)]
    named = [] if (eye.name, eye.version) in FIRST_KEYS else [eye.name, eye.version]
    held_out = sorted(item.sha256 for item in held_out_items(project))
    return [files, sorted(item.sha256 for item in kept_items(project)), *named, *([held_out] if held_out else [])]


def _sees_faces(base: BaseModel) -> bool:
    eye = find_eye(base.preset)
    return eye is not None and FACES in eye.gives


def missing_scores(cell: Cell, keys: Mapping[str, str]) -> list[Score]:
    """Those that a finished cell was never measured with, or in an earlier version, or against other pictures."""
    if not cell.is_done:
        return []
    asked = [score for score in all_scores() if score.name in keys and (cell.pair or score.needs is not Needs.BASE)]
    return [score for score in asked if score.name not in cell.measured or cell.measured[score.name] != keys[score.name]]


def was_seen(cell: Cell) -> bool:
    """Whether an eye has looked at it, whatever it could measure."""
    return any(score.name in cell.measured for score in eye_scores())


def measure(look: Look, scores: Iterable[Score]) -> Values:
    """The values of these scores, those left out that can't be measured with an eye."""
    values: dict[str, float | bool | None] = {}
    for score in scores:
        values |= score.measure(look)
    return values


def with_scores(cell: Cell, look: Look, keys: Mapping[str, str]) -> Cell:
    """The cell with what it lacks measured; what an earlier version of a score said is gone."""
    missing = missing_scores(cell, keys)
    former = {name for score in missing for name in score.gives}
    kept = {name: value for name, value in cell.scores.items() if name not in former}
    measured = dict(cell.measured) | {score.name: keys[score.name] for score in missing}
    return replace(cell, scores=kept | dict(measure(look, missing)), measured=measured)
