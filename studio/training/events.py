"""What a training tells while it runs: typed events, which `report` puts into the run's events.jsonl, and which are read from there again. Torch-free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from studio.facts import Facts


class Report(Protocol):
    """Takes an event's name and its fields, plain JSON types: a job's recorder, or a terminal."""

    def __call__(self, event: str, /, **fields: Any) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Event(Facts):
    """time: seconds since 1970 at which it was recorded; the recorder puts it in."""

    NAME: ClassVar[str] = ""
    time: float = 0.0


@dataclass(frozen=True, kw_only=True)
class StepTaken(Event):
    """An optimizer step. step: of both experts together; loss, preservation_loss: means over the step's rows; None: not known, or none was needed."""

    NAME = "step"
    ALWAYS_WRITTEN = (
        "expert_step",
        "loss",
        "preservation_loss",
        "learning_rate",
        "grad_norm",
        "seconds",
        "memory_gb",
        "ram_gb",
    )
    step: int
    expert: str
    expert_step: int | None = None
    loss: float | None = None
    preservation_loss: float | None = None
    learning_rate: float | None = None
    grad_norm: float | None = None
    seconds: float | None = None
    memory_gb: float | None = None
    ram_gb: float | None = None


@dataclass(frozen=True, kw_only=True)
class Band(Facts):
    """The held-out loss within a band of noise levels."""

    low: float
    high: float
    loss: float


@dataclass(frozen=True, kw_only=True)
class HeldOut(Event):
    """The loss of the pictures set aside, after a step; and of each band of noise levels: none from a studio that did not record them."""

    NAME = "held_out"
    ALWAYS_WRITTEN = ("expert_step", "bands")
    step: int
    expert: str
    expert_step: int | None = None
    loss: float
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PhaseBegan(Event):
    """An expert's turn, and its first and last step, counted over both experts."""

    NAME = "phase"
    expert: str
    first_step: int
    last_step: int


@dataclass(frozen=True, kw_only=True)
class Resumed(Event):
    """What comes after that step is done again, or for the first time."""

    NAME = "resume"
    step: int


@dataclass(frozen=True, kw_only=True)
class RolledBack(Event):
    """Learning broke down at a step; it goes on from an earlier one with another factor on the learning rate."""

    NAME = "rollback"
    step: int
    to_step: int
    rate_factor: float
    reason: str


@dataclass(frozen=True, kw_only=True)
class PairSaved(Event):
    NAME = "checkpoint"
    step: int


@dataclass(frozen=True, kw_only=True)
class Note(Event):
    """A sentence for the person."""

    NAME = "note"
    message: str


@dataclass(frozen=True, kw_only=True)
class Asleep(Event):
    """The computer slept for so long; told by whoever watches over the job."""

    NAME = "asleep"
    seconds: float


TRAINING, REHEARSAL = "training", "rehearsal"  # codes of the stages that take optimizer steps


@dataclass(frozen=True, kw_only=True)
class Progressed(Event):
    """How far a stage is; it refreshes the job's status and is not kept. stage: in words; code: which stage it is, for programs, or ""."""

    NAME = "progress"
    stage: str
    code: str = ""
    done: int
    total: int
    unit: str
    message: str
    seconds_left: float | None = None


MEMORY = "memory"  # an event of the settings of a MemoryConfig that a run falls back to, and the step
KINDS: dict[str, type[Event]] = {kind.NAME: kind for kind in (StepTaken, HeldOut, PhaseBegan, Resumed, RolledBack, PairSaved, Note, Asleep)}


def tell(report: Report, event: Event) -> None:
    report(event.NAME, **event.to_json())


def say(report: Report, message: str) -> None:
    """Tell a Note."""
    tell(report, Note(message=message))


def read_event(record: Mapping[str, Any]) -> Event | None:
    """The event of a line of events.jsonl; None for one that is damaged, or of a kind that is none of the training's."""
    kind = KINDS.get(str(record.get("event")))
    if kind is None:
        return None
    try:
        return kind.from_json({name: value for name, value in record.items() if name != "event"}, "events.jsonl")
    except ValueError:
        return None
