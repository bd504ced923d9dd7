"""What a training or a rehearsal is asked for, as its run folder's config.json keeps it. Torch-free."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.config import TrainConfig, from_dict
from studio.facts import Facts, read_facts


@dataclass(frozen=True, kw_only=True)
class RunFacts(Facts):
    """config: as a dict of a TrainConfig; dataset_key: of what it learns from. What it knows of its project stays when the project is edited."""

    ALWAYS_WRITTEN = ("recipe", "hardware", "device", "config")
    trigger: str
    class_noun: str
    base_model: str
    config: dict[str, Any] = field(default_factory=dict)
    recipe: str = ""
    hardware: str = ""
    device: str = ""
    dataset_key: str = ""

    def train_config(self) -> TrainConfig:
        """ValueError for settings that this version does not know."""
        return from_dict(TrainConfig, self.config)


def read_run_facts(run_dir: Path) -> RunFacts:
    """OSError if there is no config.json; ValueError if it is damaged."""
    return read_facts(RunFacts, run_dir / "config.json")
