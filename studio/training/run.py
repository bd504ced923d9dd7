"""What stays the same through a training: its settings, its place, its device, and whom it tells and asks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from studio.config import TrainConfig
from studio.models.catalogue import BaseModel
from studio.training.endure.deadline import Deadline
from studio.training.endure.fallback import Fallback
from studio.training.endure.process_group import World
from studio.training.events import TRAINING, Report
from studio.workspace import Project


@dataclass(frozen=True)
class Words:
    """What the steps are called in its progress. code: for programs; stage: of the job; doing: of an expert, in front of what it learns."""

    stage: str = "Training"
    doing: str = "Learning"
    code: str = TRAINING


@dataclass(frozen=True, kw_only=True)
class Run:
    """should_stop, should_save: whether the person, or the system, has asked for it; should_save is True once for each time."""

    config: TrainConfig
    run_dir: Path
    project: Project
    base: BaseModel
    trigger: str
    class_noun: str
    device: torch.device
    dtype: torch.dtype
    report: Report
    should_stop: Callable[[], bool]
    should_save: Callable[[], bool]
    fallback: Fallback
    deadline: Deadline
    world: World
    words: Words = Words()
