"""The curves of a training run, read from its events: incremental, so that polling a long run stays cheap."""

import functools
import threading
from pathlib import Path

from studio.config import EXPERTS
from studio.workspace import read_jsonl

MAX_POINTS = 500
STEP_FIELDS = ("loss", "preservation_loss", "learning_rate", "grad_norm", "seconds", "memory_gb")


def read_metrics(run_dir, max_points=MAX_POINTS):
    """{expert: {"step": [...], "loss": [...], ..., "held_out_step": [...], "held_out": [...]}} for both experts.

    Lists of a group have equal length, at most `max_points`, each point the mean of its neighbours (memory: the largest). What a
    resumed run did again counts once, as it was done last. A run without steps yet gives empty lists.
    """
    steps, held_out = _reader(str(Path(run_dir) / "events.jsonl")).read()
    return {expert: _series(steps, held_out, expert, max_points) for expert in EXPERTS}


def seconds_per_step(run_dir):
    """The median time of the last hundred steps, or None before the first one."""
    steps, _ = _reader(str(Path(run_dir) / "events.jsonl")).read()
    seconds = sorted(r["seconds"] for r in steps[-100:] if r.get("seconds"))
    return seconds[len(seconds) // 2] if seconds else None


def _series(steps, held_out, expert, max_points):
    mine = _thin([r for r in steps if r.get("expert") == expert], STEP_FIELDS, max_points)
    checks = _thin([r for r in held_out if r.get("expert") == expert], ("loss",), max_points)
    series = {"step": [r["step"] for r in mine]} | {name: [r[name] for r in mine] for name in STEP_FIELDS}
    return series | {"held_out_step": [r["step"] for r in checks], "held_out": [r["loss"] for r in checks]}


def _thin(records, names, max_points):
    """At most max_points records: runs of neighbours become one, at the last one's step."""
    size = -(-len(records) // max_points) or 1
    groups = [records[i : i + size] for i in range(0, len(records), size)]
    return [
        {"step": g[-1]["step"]} | {name: _combine(name, [r[name] for r in g if r.get(name) is not None]) for name in names} for g in groups
    ]


def _combine(name, values):
    if not values:
        return None
    return max(values) if name == "memory_gb" else sum(values) / len(values)


@functools.lru_cache(maxsize=16)
def _reader(path):
    return _Reader(Path(path))


class _Reader:
    """Step and held-out records of one events file; each call reads only what was added since the last."""

    def __init__(self, path):
        self.path = path
        self._lock = threading.Lock()
        self._start()

    def _start(self):
        self._offset, self._steps, self._held_out = 0, [], []

    def read(self):
        with self._lock:
            try:
                if self.path.stat().st_size < self._offset:
                    self._start()  # another file took its place
            except FileNotFoundError:
                self._start()
            records, self._offset = read_jsonl(self.path, self._offset)
            for record in records:
                self._add(record)
            return list(self._steps), list(self._held_out)

    def _add(self, record):
        event, step = record.get("event"), record.get("step")
        if not isinstance(step, (int, float)):
            return
        if event == "resume":
            self._forget_after(step)
        elif event == "step":
            if self._steps and step <= self._steps[-1]["step"]:
                self._forget_after(step - 1)  # started over
            self._steps.append(record)
        elif event == "held_out":
            self._held_out.append(record)

    def _forget_after(self, step):
        for records in (self._steps, self._held_out):
            while records and records[-1]["step"] > step:
                records.pop()
