"""What an export is made of: a checkpoint pair, the settings it was trained with, and the photos and clips that go along."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.config import TrainConfig
from studio.export.dataset import Group
from studio.models.catalogue import takes_first_picture
from studio.training.pairs import Pair

USUAL_STRENGTH = 0.7


@dataclass(frozen=True, kw_only=True)
class Report:
    """A comparison that holds the pair."""

    page: Path  # report.html
    verdict: Path  # verdict.json

    @property
    def files(self) -> tuple[Path, Path]:
        return self.page, self.verdict


@dataclass(frozen=True, kw_only=True)
class Source:
    """All that an export is made of."""

    pair: Pair
    name: str  # "anna_run1_step3000"
    trigger: str
    class_noun: str
    base_model: str
    preset: dict[str, Any]
    rank: int
    train: TrainConfig
    strength: float | None
    groups: tuple[Group, ...]
    report: Report | None = None

    @property
    def boundary(self) -> float:
        return float(self.pair.manifest.get("boundary") or self.preset["default_boundary"])

    @property
    def first_picture(self) -> bool:
        return takes_first_picture(self.preset)

    @property
    def base_title(self) -> str:
        return self.preset["title"]

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
            "trigger": self.trigger,
            "class_noun": self.class_noun,
            "base_title": self.base_title,
        }
