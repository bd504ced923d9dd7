"""What a run's events tell of its steps and checks: read only as far as the file has grown, and kept in a few bytes a step, so that a run of days can be looked at every second. Torch-free."""

import functools
import threading
from array import array
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from math import nan
from pathlib import Path

import numpy as np

from studio.config import EXPERTS
from studio.training.events import Asleep, Event, HeldOut, Note, PhaseBegan, Resumed, StepTaken, read_events

CHUNK_BYTES = 1_000_000  # read at once: a window that is opened after a long run must not need the whole file in memory
NOTES_KEPT = 20
SECONDS = "seconds"
STEP_FIELDS = ("loss", "preservation_loss", "learning_rate", "grad_norm", SECONDS, "memory_gb", "ram_gb")


@dataclass(frozen=True)
class Steps:
    """Steps in their order: (n,) float64 each. experts: their places in EXPERTS; columns: {one of STEP_FIELDS: values}; NaN: nothing was recorded."""

    numbers: np.ndarray
    experts: np.ndarray
    columns: dict[str, np.ndarray]

    def of_expert(self, expert: str) -> "Steps":
        mine = self.experts == EXPERTS.index(expert)
        return Steps(self.numbers[mine], self.experts[mine], {name: values[mine] for name, values in self.columns.items()})


@dataclass(frozen=True)
class History:
    """checks: of the pictures set aside, by step; phase: the turn that began last; notes: the last things that were told to the person."""

    steps: Steps
    checks: tuple[HeldOut, ...]
    phase: PhaseBegan | None
    notes: tuple[Note | Asleep, ...] = ()

    def checks_of(self, expert: str) -> list[HeldOut]:
        return [check for check in self.checks if check.expert == expert]

    def seconds_per_step(self, count: int = 100) -> float | None:
        """The median time of the last `count` steps, or None before the first one."""
        seconds = self.steps.columns[SECONDS][-count:]
        seconds = np.sort(seconds[seconds > 0])
        return float(seconds[len(seconds) // 2]) if len(seconds) else None


def read_history(run_dir: Path) -> History:
    """The History of a run folder as far as it is written. What a resumed run did again counts once, as it was done last."""
    return _reader(str(Path(run_dir) / "events.jsonl")).read()


@functools.lru_cache(maxsize=16)
def _reader(path: str) -> "_Reader":
    return _Reader(Path(path))


class _Reader:
    """Steps and checks of one events file; each call reads only what was added since the last."""

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        self._history: History | None = None  # as it was last given away, until something is added
        self._offset = 0
        self._checks: list[HeldOut] = []
        self._phase: PhaseBegan | None = None
        self._notes: deque[Note | Asleep] = deque(maxlen=NOTES_KEPT)
        self._numbers, self._experts = array("d"), array("d")
        self._columns = {name: array("d") for name in STEP_FIELDS}

    def read(self) -> History:
        with self._lock:
            self._catch_up()
            if self._history is None:
                columns = {name: np.array(values) for name, values in self._columns.items()}
                steps = Steps(np.array(self._numbers), np.array(self._experts), columns)
                self._history = History(steps, tuple(self._checks), self._phase, tuple(self._notes))
            return self._history

    def _catch_up(self) -> None:
        try:
            if self.path.stat().st_size < self._offset:
                self._start()  # another file took its place
        except FileNotFoundError:
            self._start()
        while True:
            told, offset = read_events(self.path, self._offset, CHUNK_BYTES)
            if offset == self._offset:
                return
            self._offset, self._history = offset, None
            for event in told:
                self._add(event)

    def _add(self, event: Event) -> None:
        match event:
            case StepTaken() as taken:
                self._add_step(taken)
            case HeldOut(expert=expert) as check if expert in EXPERTS:
                self._checks.append(check)
            case Resumed(step=step):
                self._forget_after(step)
            case PhaseBegan() as phase:
                self._phase = phase
            case Note() | Asleep() as note:
                self._notes.append(note)

    def _add_step(self, taken: StepTaken) -> None:
        if self._numbers and taken.step <= self._numbers[-1]:
            self._forget_after(taken.step - 1)  # started over
        self._numbers.append(taken.step)
        self._experts.append(EXPERTS.index(taken.expert) if taken.expert in EXPERTS else nan)
        for name, column in self._columns.items():
            value = getattr(taken, name)
            column.append(nan if value is None else value)

    def _forget_after(self, step: int) -> None:
        kept = bisect_right(self._numbers, step)
        for column in (self._numbers, self._experts, *self._columns.values()):
            del column[kept:]
        self._checks = [check for check in self._checks if check.step <= step]
