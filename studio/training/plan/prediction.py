"""What a plan says that a run will take, beside what there is of it. Torch-free."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple


class Part(NamedTuple):
    """A share of the memory or disk that a run takes. gb: GB of 2**30 bytes in memory, of 10**9 on a disk."""

    what: str
    gb: float


def total_gb(parts: Iterable[Part]) -> float:
    return sum(part.gb for part in parts)


@dataclass(frozen=True)
class Pace:
    """Time of an optimizer step. seconds: None where it can't be known; source: where it comes from, or why there is none;
    advice: how to know it better, or ""."""

    seconds: float | None
    source: str
    advice: str = ""

    @property
    def how_sure(self) -> str:
        """Source and advice as one sentence without its full stop."""
        return f"{self.source}; {self.advice}" if self.advice else self.source


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The need of a run and what is free of it. vram: None on a CPU; hours: of the whole run, None where the pace is not known."""

    vram_free_gb: float | None
    ram_free_gb: float
    disk_free_gb: float
    vram_parts: tuple[Part, ...]
    ram_parts: tuple[Part, ...]
    disk_parts: tuple[Part, ...]
    hours: float | None
    pace: Pace

    @property
    def vram_gb(self) -> float | None:
        return None if self.vram_free_gb is None else total_gb(self.vram_parts)

    @property
    def ram_gb(self) -> float:
        return total_gb(self.ram_parts)

    @property
    def disk_gb(self) -> float:
        return total_gb(self.disk_parts)

    @property
    def seconds_per_step(self) -> float | None:
        return self.pace.seconds

    @property
    def how_sure(self) -> str:
        return self.pace.how_sure

    def to_json(self) -> dict[str, Any]:
        """As `plan --json` prints it."""
        totals = {name: getattr(self, name) for name in ("vram_gb", "ram_gb", "disk_gb")}
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("hours", "pace")}
        return totals | fields | {"seconds_per_step": self.pace.seconds, "hours": self.hours, "how_sure": self.pace.how_sure}
