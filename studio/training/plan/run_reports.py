"""How a training or a rehearsal ended, as its job's status.json keeps it. Torch-free."""

from dataclasses import dataclass
from typing import Any

from studio.facts import Facts

FINISH_BY, REQUEST = "finish-by", "request"  # by what a training was stopped


@dataclass(frozen=True, kw_only=True)
class TrainReport(Facts):
    """How far a training came. step, steps: of the run, done and asked for; pairs: ids; stopped_by: FINISH_BY, REQUEST or ""."""

    ALWAYS_WRITTEN = ("step", "steps", "stopped", "nothing_to_do", "pairs")
    step: int = 0
    steps: int = 0
    stopped: bool = False
    nothing_to_do: bool = False
    pairs: tuple[str, ...] = ()
    stopped_by: str = ""


@dataclass(frozen=True, kw_only=True)
class RehearsalReport(Facts):
    """Whether a rehearsal was stopped before it had measured; one that was not is a Measured."""

    ALWAYS_WRITTEN = ("stopped",)
    stopped: bool = False


@dataclass(frozen=True, kw_only=True)
class Measured(RehearsalReport):
    """What a rehearsal measured, in its rehearsal.json. memory: the settings that sufficed, the planned ones or less, as a dict of a MemoryConfig.

    vram_gb: the most that was reserved, CUDA's own added, None on a CPU; seconds: medians of steps on the dataset as it is, and on its largest item.
    """

    memory: dict[str, Any]
    vram_gb: float | None
    ram_gb: float
    seconds_per_step: float
    seconds_largest: float = 0.0
