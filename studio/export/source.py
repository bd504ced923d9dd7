"""What an export is made of: a checkpoint pair, the settings it was trained with, and the photos and clips that go along."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from studio.config import USUAL_STRENGTH, TrainConfig
from studio.export.dataset_copy import Group
from studio.export.lora_format import Written
from studio.models.preset import ModelPreset
from studio.project_facts import Person
from studio.training.pairs import Pair


@dataclass(frozen=True, kw_only=True)
class Report:
    """A comparison that holds the pair."""

    page: Path  # report.html
    verdict: Path  # verdict.json

    @property
    def files(self) -> tuple[Path, Path]:
        return self.page, self.verdict


Tell = Callable[[int, int, str], None]  # (items done, items in all, the file): called before each photo and clip that is written


def tell_nobody(done: int, total: int, name: str) -> None:
    pass


@dataclass(frozen=True, kw_only=True)
class Source:
    """All that an export is made of."""

    pair: Pair
    name: str  # "anna_run1_step3000"
    person: Person
    preset: ModelPreset
    rank: int
    train: TrainConfig
    strength: float | None
    groups: tuple[Group, ...]
    report: Report | None = None
    written: Written | None = None  # how the pair's files were written; None: they are the ones that training saved
    tell: Tell = tell_nobody

    @property
    def boundary(self) -> float:
        return float(self.pair.manifest.boundary or self.preset.default_boundary)

    @property
    def first_picture(self) -> bool:
        return self.preset.takes_first_picture

    @property
    def num_items(self) -> int:
        return sum(len(group.items) for group in self.groups)

    @property
    def facts(self) -> dict[str, str | float]:
        """What the READMEs tell of the pair."""
        return {
            "name": self.name,
            "pair": self.pair.id,
            "strength": self.strength or USUAL_STRENGTH,
            "trigger": self.person.trigger,
            "class_noun": self.person.class_noun,
            "base_title": self.preset.title,
        }
