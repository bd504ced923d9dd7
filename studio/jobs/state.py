"""What a job's run folder says: status (with crash detection) and log. The UI and the CLI read jobs through this file only."""

import functools
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

from studio.disk import FORMAT
from studio.facts import Facts, read_facts, write_facts
from studio.jobs.kind import JobConfig, queue_of, read_config
from studio.jobs.problems import Failure
from studio.workspace import Project, Workspace, project_of

OVER = ("done", "stopped", "failed", "crashed")
CLOCK_TOLERANCE_SECONDS = 2.0
SILENT_SECONDS = 90.0  # a running job writes its status every 5 seconds
ABORTED = {"aborted": True}  # the result of a job that was broken off at once, so that it returned none
Result = TypeVar("Result", bound=Facts)


@dataclass(frozen=True, kw_only=True)
class Progress(Facts):
    """How far a stage of a job has come. done, total: of `unit`; None where nothing is counted."""

    stage: str | None = None
    done: int | float | None = None
    total: int | float | None = None
    unit: str = ""
    message: str | None = None
    bytes_per_second: float | None = None
    code: str = ""  # which stage it is, where somebody has to know: see studio.training.events

    @property
    def fraction(self) -> float | None:
        """Done share of the stage, 0..1, or None when unknown."""
        return min(1.0, (self.done or 0) / self.total) if self.total else None

    @property
    def is_finished(self) -> bool:
        return bool(self.total) and self.done == self.total


@dataclass(frozen=True, kw_only=True)
class ProcessIdentity(Facts):
    """A process, for status files: its number may be given to another one, the moment of its start is not."""

    ALWAYS_WRITTEN = ("pid", "create_time")
    pid: int | None = None
    create_time: float | None = None

    @property
    def lives(self) -> bool:
        return is_alive(self.pid, self.create_time)

    def identity(self) -> dict[str, Any]:
        """pid and create_time, as fields to be changed in another file."""
        return {"pid": self.pid, "create_time": self.create_time}


@dataclass(frozen=True, kw_only=True)
class StatusFacts(ProcessIdentity):
    """status.json, which the process that runs the job writes. Times are seconds since 1970."""

    ALWAYS_WRITTEN = (
        *("kind", "title", "state", "pid", "create_time", "queued_at", "started_at", "updated_at", "ended_at"),
        *("progress", "seconds_left", "result", "error"),
    )
    kind: str
    title: str = ""
    state: str  # queued | running | stopping | done | stopped | failed | crashed
    queued_at: float = 0.0
    place: float = 0.0  # in the queue, as queued_at counts, where a person moved it; 0: where it came
    started_at: float | None = None
    updated_at: float | None = None
    ended_at: float | None = None
    progress: Progress = Progress()
    seconds_left: float | None = None
    expected_seconds: float | None = None  # for all of it, as whoever asked for the job reckoned; None: not known
    result: dict[str, Any] = field(default_factory=dict)  # of `JobKind.Result`, as JSON: see `JobStatus.read_result`
    error: Failure | None = None
    notice: str = ""  # why a running job may have come to a standstill, in words

    @property
    def is_over(self) -> bool:
        return self.state in OVER


@dataclass(frozen=True, kw_only=True)
class JobStatus(StatusFacts):
    """A job as it is now: what its status.json says, and whether that still holds."""

    run_dir: Path

    @property
    def name(self) -> str:
        """The run's folder name, for example "train-001"."""
        return self.run_dir.name

    @property
    def project(self) -> Project:
        return project_of(self.run_dir)

    @property
    def queue(self) -> str:
        return queue_of(self.kind)

    @property
    def waits(self) -> bool:
        """Whether it waits for a worker; one that waits in a terminal of its own does not."""
        return self.state == "queued" and self.pid is None

    @property
    def order(self) -> tuple[float, float, str]:
        """What comes first in a queue is smaller."""
        return (self.place or self.queued_at, self.queued_at, str(self.run_dir))

    @property
    def is_running(self) -> bool:
        return self.state in ("running", "stopping")

    @property
    def can_resume(self) -> bool:
        return self.state in ("stopped", "failed", "crashed")

    @property
    def fraction(self) -> float | None:
        """Done share of the current stage, 0..1, or None when unknown."""
        return self.progress.fraction

    @property
    def seconds(self) -> float | None:
        """How long it has run, or ran."""
        return None if self.started_at is None else (self.ended_at or time.time()) - self.started_at

    def read_result(self, kind: type[Result]) -> Result | None:
        """What `run` of its kind returned; None where it did not: before it has ended, and where it failed or was broken off at once."""
        return None if self.result in ({}, ABORTED) else kind.from_json(self.result, f"the result of {self.name}")

    def to_dict(self) -> dict[str, Any]:
        data = {name: value for name, value in self.to_json().items() if name != "run_dir"}
        return {"name": self.name, "project": self.project.slug, "seconds": self.seconds, "notice": self.notice} | data


def status_file(run_dir: Path | str) -> Path:
    return Path(run_dir) / "status.json"


def stop_file(run_dir: Path | str) -> Path:
    return Path(run_dir) / "stop.request"


def save_file(run_dir: Path | str) -> Path:
    return Path(run_dir) / "save.request"


def read_status(run_dir: Path | str) -> JobStatus:
    """The job's status. "running" whose process is gone reads as "crashed". FileNotFoundError if this is no job's folder."""
    run_dir = Path(run_dir)
    facts = _read(run_dir)
    if _owner_is_gone(facts):
        facts = _read(run_dir)  # it may have finished between the two looks
    return JobStatus(run_dir=run_dir, **vars(facts) | _what_changed_since(run_dir, facts))


def _what_changed_since(run_dir: Path, facts: StatusFacts) -> dict[str, Any]:
    """Fields that do not hold any more since the status was written."""
    if _owner_is_gone(facts):
        return {"state": "crashed", "error": _crash_error(run_dir, facts)}
    if facts.state != "running":
        return {}
    if stop_file(run_dir).exists():
        return {"state": "stopping"}
    silent = time.time() - (facts.updated_at or 0)
    if silent > SILENT_SECONDS:
        return {"notice": f"It has not reported for {silent / 60:.0f} min: the computer may have slept, or is very busy."}
    return {}


def read_record(run_dir: Path | str) -> StatusFacts:
    """What status.json says, to be changed and written again; made up from config.json where it is damaged."""
    return _read(Path(run_dir))


def write_record(run_dir: Path | str, facts: StatusFacts) -> None:
    write_facts(status_file(run_dir), facts)


def list_jobs(workspace: Workspace, project: Project | None = None) -> list[JobStatus]:
    """Every job of the workspace (or of one project), newest first. Folders that cannot be read are left out."""
    roots = [project.root] if project else workspace.projects_dir.glob("*")
    jobs = []
    for root in roots:
        for run_dir in (root / "runs").glob("*"):
            try:
                jobs.append(read_status(run_dir))
            except (OSError, ValueError, KeyError, TypeError):
                continue  # being made, or not a job
    return sorted(jobs, key=lambda job: (job.queued_at, str(job.run_dir)), reverse=True)


def queued_jobs(workspace: Workspace, queue: str = "", jobs: list[JobStatus] | None = None) -> list[JobStatus]:
    """Jobs that wait for a worker, of one queue or of all, the next one first; a job that waits in a terminal of its own is not among them."""
    jobs = list_jobs(workspace) if jobs is None else jobs
    return sorted((job for job in jobs if job.waits and queue in ("", job.queue)), key=lambda job: job.order)


def current_job(workspace: Workspace, queue: str = "") -> JobStatus | None:
    """The job that runs now, else the next one in the queue, else None; of one queue or of all."""
    jobs = [job for job in list_jobs(workspace) if not job.is_over and queue in ("", job.queue)]
    return min(jobs, key=lambda job: (not job.is_running, job.order), default=None)


def read_log_tail(run_dir: Path | str, max_bytes: int = 16_000) -> str:
    """The end of log.txt as text, from a whole line on; "" if there is none."""
    return read_log_page(run_dir, max_bytes=max_bytes)[0]


def read_log_page(run_dir: Path | str, end: int | None = None, max_bytes: int = 16_000) -> tuple[str, int]:
    """(text, where it begins in bytes) of the whole lines of log.txt before the byte `end`; without one, of the last lines there are."""
    try:
        with open(Path(run_dir) / "log.txt", "rb") as file:
            size = file.seek(0, os.SEEK_END)
            end = size if end is None else max(0, min(end, size))
            begin = file.seek(max(0, end - max_bytes))
            data = file.read(end - begin)
    except FileNotFoundError:
        return "", 0
    torn = data.find(b"\n") + 1 if begin else 0  # the end of a line that began before; a line longer than a page is shown in parts
    torn = torn if torn < len(data) else 0
    return data[torn:].decode("utf-8", "replace"), begin + torn


def is_alive(pid: int | None, create_time: float | None) -> bool:
    """Whether the very process lives: the number may have been given to another one, and a zombie does not count."""
    if not pid or create_time is None:
        return False
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and abs(process.create_time() - create_time) < CLOCK_TOLERANCE_SECONDS
    except psutil.AccessDenied:  # alive, but of another user
        return True
    except psutil.Error:
        return False


def own_identity() -> ProcessIdentity:
    """This process."""
    return ProcessIdentity(pid=os.getpid(), create_time=psutil.Process().create_time())


def _owner_is_gone(facts: StatusFacts) -> bool:
    owned = facts.state in ("running", "stopping") or (facts.state == "queued" and facts.pid is not None)
    return owned and not facts.lives


def _crash_error(run_dir: Path, facts: StatusFacts) -> Failure:
    if facts.state == "queued":
        return Failure(
            message="The terminal that was to run this was closed.", cost="Nothing was lost.", fix="Start it again.", action="resume"
        )
    message = "It ended without a word: the program was closed, the computer restarted, or memory ran out."
    cost = "Everything that was finished is kept."
    if facts.kind == "train":
        step = last_safe_step(run_dir)
        cost = f"Training up to step {step} is kept." if step else "No safety copy had been written yet; it starts over."
    return Failure(message=message, cost=cost, fix="Resume to go on from there.", action="resume")


def last_safe_step(run_dir: Path | str) -> int:
    """The step of a training's newest safety copy, resume/step-NNNNNN, from which it can go on; 0 without one."""
    return max((int(p.name.removeprefix("step-")) for p in (Path(run_dir) / "resume").glob("step-*") if p.name[5:].isdigit()), default=0)


def _read(run_dir: Path) -> StatusFacts:
    """status.json, parsed once per version of the file: polling many finished runs costs one stat each."""
    path = status_file(run_dir)
    stat = path.stat()
    return _parse(str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino)


@functools.lru_cache(maxsize=4096)
def _parse(path: str, mtime_ns: int, size: int, inode: int) -> StatusFacts:
    try:
        return read_facts(StatusFacts, Path(path))
    except ValueError:
        return _from_config(Path(path).parent, mtime_ns / 1e9)


def _from_config(run_dir: Path, written: float) -> StatusFacts:
    """What stands for a damaged status.json: a run that broke off, so that what it saved can still be gone on from. ValueError if it is no job."""
    config = read_config(JobConfig, run_dir)
    if not config.kind:
        raise ValueError(f"{run_dir} is no job")
    return StatusFacts(
        kind=config.kind,
        title=config.title,
        state="running",
        queued_at=config.created or written,
        started_at=written,
        updated_at=written,
        ended_at=written,
    )


def overwrite_status(run_dir: Path | str, facts: StatusFacts) -> None:
    """The status written over the old one in place: for a full disk, where no second file fits beside it."""
    path = status_file(run_dir)
    text = json.dumps({"format": FORMAT} | facts.to_json(), ensure_ascii=False).encode()
    with open(path, "r+b") as file:
        file.write(text.ljust(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
