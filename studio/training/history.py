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
from studio.workspace import read_jsonl

CHUNK_BYTES = 1_000_000  # read at once: a window that is opened after a long run must not need the whole file in memory
NOTES_KEPT = 20
STEP_FIELDS = ("loss", "preservation_loss", "learning_rate", "grad_norm", "seconds", "memory_gb", "ram_gb")


@dataclass(frozen=True)
class Check:
    """The loss of the pictures set aside, after a step; and of each band of noise levels."""

    step: int
    expert: str
    loss: float
    bands: tuple = ()  # (low, high, loss), by noise level


@dataclass(frozen=True)
class History:
    """columns: {"step", "expert" (its place in EXPERTS), *STEP_FIELDS}: (n,) float64, NaN where nothing was recorded; checks: by step.

    phase: {"expert", "first_step", "last_step"} of the turn that began last, or {}. notes: the last things that were told in words,
    {"time", "message"}, or of which a time asleep is known, {"time", "asleep_seconds"}.
    """

    columns: dict
    checks: tuple
    phase: dict
    notes: tuple = ()

    def steps_of(self, expert):
        """The columns of one expert's steps."""
        mine = self.columns["expert"] == EXPERTS.index(expert)
        return {name: values[mine] for name, values in self.columns.items()}

    def checks_of(self, expert):
        return [check for check in self.checks if check.expert == expert]

    def seconds_per_step(self, count=100):
        """The median time of the last `count` steps, or None before the first one."""
        seconds = self.columns["seconds"][-count:]
        seconds = np.sort(seconds[seconds > 0])
        return float(seconds[len(seconds) // 2]) if len(seconds) else None


def read_history(run_dir):
    """The History of a run folder as far as it is written. What a resumed run did again counts once, as it was done last."""
    return _reader(str(Path(run_dir) / "events.jsonl")).read()


@functools.lru_cache(maxsize=16)
def _reader(path):
    return _Reader(Path(path))


class _Reader:
    """Steps and checks of one events file; each call reads only what was added since the last."""

    def __init__(self, path):
        self.path = path
        self._lock = threading.Lock()
        self._start()

    def _start(self):
        self._history = None  # as it was last given away, until something is added
        self._offset, self._checks, self._phase, self._notes = 0, [], {}, deque(maxlen=NOTES_KEPT)
        self._columns = {name: array("d") for name in ("step", "expert", *STEP_FIELDS)}

    def read(self):
        with self._lock:
            self._catch_up()
            if self._history is None:
                columns = {name: np.array(values) for name, values in self._columns.items()}
                self._history = History(columns, tuple(self._checks), dict(self._phase), tuple(self._notes))
            return self._history

    def _catch_up(self):
        try:
            if self.path.stat().st_size < self._offset:
                self._start()  # another file took its place
        except FileNotFoundError:
            self._start()
        while True:
            records, offset = read_jsonl(self.path, self._offset, CHUNK_BYTES)
            if offset == self._offset:
                return
            self._offset, self._history = offset, None
            for record in records:
                self._add(record)

    def _add(self, record):
        event, step = record.get("event"), record.get("step")
        if event == "phase":
            self._phase = {name: record.get(name) for name in ("expert", "first_step", "last_step")}
        self._add_note(record)
        if not _is_number(step):
            return
        if event == "resume":
            self._forget_after(step)
        elif event == "step":
            if self._columns["step"] and step <= self._columns["step"][-1]:
                self._forget_after(step - 1)  # started over
            facts = record | {"expert": EXPERTS.index(record["expert"]) if record.get("expert") in EXPERTS else nan}
            for name, column in self._columns.items():
                column.append(facts[name] if _is_number(facts.get(name)) else nan)
        elif event == "held_out" and record.get("expert") in EXPERTS and _is_number(record.get("loss")):
            self._checks.append(Check(step, record["expert"], float(record["loss"]), _bands(record.get("bands"))))

    def _add_note(self, record):
        when = record["time"] if _is_number(record.get("time")) else 0.0
        if record.get("event") == "note" and isinstance(record.get("message"), str):
            self._notes.append({"time": when, "message": record["message"]})
        elif record.get("event") == "asleep" and _is_number(record.get("seconds")):
            self._notes.append({"time": when, "asleep_seconds": record["seconds"]})

    def _forget_after(self, step):
        kept = bisect_right(self._columns["step"], step)
        for column in self._columns.values():
            del column[kept:]
        self._checks = [check for check in self._checks if check.step <= step]


def _bands(recorded):
    """((low, high, loss), ...); nothing from a run of a studio that did not record them."""
    return tuple((band["low"], band["high"], band["loss"]) for band in recorded or ())


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
