"""What a command says: text on stdout (or one JSON object with --json), progress on stderr; and how it runs a job in this terminal."""

import json
import sys
import time
from pathlib import Path

from studio.errors import NewerFormat
from studio.workspace import Project, Workspace

PROGRESS_SECONDS = 2.0


class JobFailed(Exception):
    """A job ended as failed; it has already said so in its folder."""

    def __init__(self, job):
        super().__init__(job.error["message"])
        self.job = job


class Output:
    def __init__(self, *, as_json=False):
        self.as_json = as_json
        self._last_progress = (None, 0.0)

    def print(self, text=""):
        """A line of the answer, for people."""
        if not self.as_json:
            print(text, flush=True)

    def note(self, text):
        """A line about what is going on."""
        print(text, file=sys.stderr, flush=True)

    def table(self, rows, header):
        rows = [[str(value) for value in row] for row in rows]
        widths = [max(len(row[i]) for row in [list(header), *rows]) for i in range(len(header))]
        for row in [header, ["-" * w for w in widths], *rows]:
            self.print("  ".join(value.ljust(w) for value, w in zip(row, widths)).rstrip())

    def finish(self, data):
        """The one JSON object of --json."""
        if self.as_json:
            print(json.dumps(data, ensure_ascii=False, default=_plain), flush=True)

    def report(self, event, fields=None, **more):
        """Events of a core function or job, as lines on stderr: progress every two seconds, the rest as it comes."""
        fields = (fields or {}) | more
        if event == "progress":
            self._progress(fields)
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

    def _progress(self, fields):
        finished = bool(fields.get("total")) and fields.get("done") == fields["total"]
        stage, now = (fields.get("stage"), finished), time.monotonic()
        last_stage, then = self._last_progress
        if stage == last_stage and now - then < PROGRESS_SECONDS:
            return
        self._last_progress = (stage, now)
        total = f" of {fields['total']:g}" if fields.get("total") else ""
        parts = [
            f"{fields.get('stage') or 'working'}:",
            f"{fields.get('done', 0):g}{total}",
            fields.get("unit", ""),
            fields.get("message", ""),
            _left(fields),
        ]
        self.note("  " + " ".join(str(part) for part in parts if part != ""))


def _left(fields):
    """The time left of what is counted in bytes; other jobs say theirs in the studio."""
    rate, scale = fields.get("bytes_per_second"), {"MB": 1e6, "GB": 1e9}.get(fields.get("unit"))
    seconds = (fields["total"] - fields["done"]) * scale / rate if rate and scale else 0
    return f"({duration(seconds)} left)" if seconds > 1 else ""


def find_project(workspace: Workspace, name: str, out: Output) -> Project:
    """The project of that name or folder; that it can only be looked at is said."""
    project = workspace.find_project(name)
    if project.facts().is_newer:
        out.note(NewerFormat(project.facts().name).in_words())
    return project


def run_here(project, kind, config, out, title=""):
    """Run a new job in this process; its JobStatus. JobFailed if it failed."""
    from studio.jobs import launcher

    return finish_here(launcher.prepare(project, kind, config, title), out)


def finish_here(run_dir, out):
    from studio.jobs.worker import run_job

    job = run_job(run_dir, echo=out.report, say=out.note)
    if job.state == "failed":
        raise JobFailed(job)
    return job


def _plain(value):
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def duration(seconds):
    """ "42 s", "3 min", "9.5 h"; "not known" for None."""
    if seconds is None:
        return "not known"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
