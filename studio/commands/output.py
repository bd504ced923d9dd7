"""What a command says: text on stdout (or one JSON object with --json), progress on stderr; and how it runs a job in this terminal."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import NewerFormat
from studio.jobs import launcher
from studio.jobs.kind import JobConfig
from studio.jobs.problems import Failure
from studio.jobs.state import JobStatus, Progress
from studio.jobs.worker import run_job
from studio.words import duration
from studio.workspace import Project, Workspace

PROGRESS_SECONDS = 2.0
BYTES = {"MB": 1e6, "GB": 1e9}  # units of progress


class JobFailed(Exception):
    """A job ended as failed; it has already said so in its folder."""

    def __init__(self, job: JobStatus, failure: Failure):
        super().__init__(failure.message)
        self.job, self.failure = job, failure


class Output:
    def __init__(self, *, as_json: bool = False):
        self.as_json = as_json
        self._last_progress: tuple[tuple[str | None, bool] | None, float] = (None, 0.0)

    def print(self, text: str = "") -> None:
        """A line of the answer, for people."""
        if not self.as_json:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """A line about what is going on."""
        print(text, file=sys.stderr, flush=True)

    def table(self, rows: Iterable[Iterable[object]], header: Sequence[str]) -> None:
        cells = [list(header), *([str(value) for value in row] for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        for row in [cells[0], ["-" * w for w in widths], *cells[1:]]:
            self.print("  ".join(value.ljust(w) for value, w in zip(row, widths)).rstrip())

    def finish(self, data: Mapping[str, Any]) -> None:
        """The one JSON object of --json."""
        if self.as_json:
            print(json.dumps(data, ensure_ascii=False, default=_plain), flush=True)

    def report(self, event: str, fields: dict[str, Any] | None = None, **more: Any) -> None:
        """Events of a core function or job, as lines on stderr: progress every two seconds, the rest as it comes."""
        fields = (fields or {}) | more
        if event == "progress":
            self._progress(Progress(**{name: value for name, value in fields.items() if name != "seconds_left"}))
        elif event == "phase":
            self.note(f"  expert {fields.get('expert')}: steps {fields.get('first_step')} to {fields.get('last_step')}")
        elif event == "checkpoint":
            self.note(f"  saved the checkpoint pair of step {fields.get('step')}")
        elif event == "resume":
            self.note(f"  going on from step {fields.get('step')}")
        elif event == "held_out":
            self.note(
                f"  step {fields.get('step')}: loss on set-aside pictures {fields.get('loss', float('nan')):.4f} ({fields.get('expert')})"
            )
        elif event == "note":
            self.note(f"  {fields.get('message', '')}")

    def _progress(self, progress: Progress) -> None:
        stage, now = (progress.stage, progress.is_finished), time.monotonic()
        last_stage, then = self._last_progress
        if stage == last_stage and now - then < PROGRESS_SECONDS:
            return
        self._last_progress = (stage, now)
        total = f" of {progress.total:g}" if progress.total else ""
        counted = f"{progress.done or 0:g}{total}"
        parts = [f"{progress.stage or 'working'}:", counted, progress.unit, progress.message, _left(progress)]
        self.note("  " + " ".join(part for part in parts if part))


def _left(progress: Progress) -> str:
    """The time left of what is counted in bytes; other jobs say theirs in the studio."""
    if not progress.bytes_per_second or progress.unit not in BYTES or progress.total is None:
        return ""
    seconds = (progress.total - (progress.done or 0)) * BYTES[progress.unit] / progress.bytes_per_second
    return f"({duration(seconds)} left)" if seconds > 1 else ""


def find_project(workspace: Workspace, name: str, out: Output) -> Project:
    """The project of that name or folder; that it can only be looked at is said."""
    project = workspace.find_project(name)
    if project.facts().is_newer:
        out.note(NewerFormat(project.facts().name).in_words())
    return project


def run_here(project: Project, config: JobConfig, out: Output) -> JobStatus:
    """Run a new job in this process; its JobStatus. JobFailed if it failed."""
    return finish_here(launcher.prepare(project, config), out)


def finish_here(run_dir: Path, out: Output) -> JobStatus:
    job = run_job(run_dir, echo=out.report, say=out.note)
    if job.state == "failed" and job.error:
        raise JobFailed(job, job.error)
    return job


def _plain(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
