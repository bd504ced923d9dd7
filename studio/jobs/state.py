"""What a job's run folder says: status (with crash detection), events, log. The UI and the CLI read jobs through this file only."""

import functools
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from studio.workspace import project_of, read_json, read_jsonl

KINDS = ("train", "rehearse", "caption", "sweep", "import", "curate", "download")
OVER = ("done", "stopped", "failed", "crashed")
CLOCK_TOLERANCE_SECONDS = 2.0
SILENT_SECONDS = 90.0  # a running job writes its status every 5 seconds


@dataclass(frozen=True)
class JobStatus:
    run_dir: Path
    kind: str
    title: str
    state: str  # queued | running | stopping | done | stopped | failed | crashed
    pid: int | None = None
    create_time: float | None = None
    queued_at: float = 0.0
    started_at: float | None = None
    updated_at: float | None = None
    ended_at: float | None = None
    progress: dict = field(default_factory=dict)  # done, total, unit, message, stage
    seconds_left: float | None = None
    result: dict = field(default_factory=dict)
    error: dict | None = None  # message, cost, fix, action
    notice: str = ""  # why a running job may have come to a standstill, in words

    @property
    def name(self):
        """The run's folder name, for example "train-001"."""
        return self.run_dir.name

    @property
    def project(self):
        return project_of(self.run_dir)

    @property
    def is_over(self):
        return self.state in OVER

    @property
    def is_running(self):
        return self.state in ("running", "stopping")

    @property
    def can_resume(self):
        return self.state in ("stopped", "failed", "crashed")

    @property
    def fraction(self):
        """Done share of the current stage, 0..1, or None when unknown."""
        total = self.progress.get("total")
        return min(1.0, self.progress.get("done", 0) / total) if total else None

    @property
    def seconds(self):
        """How long it has run, or ran."""
        return None if self.started_at is None else (self.ended_at or time.time()) - self.started_at

    def to_dict(self):
        data = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "run_dir"}
        return {"name": self.name, "project": self.project.slug, "seconds": self.seconds} | data


def status_file(run_dir):
    return Path(run_dir) / "status.json"


def stop_file(run_dir):
    return Path(run_dir) / "stop.request"


def save_file(run_dir):
    return Path(run_dir) / "save.request"


def read_config(run_dir):
    """The job's config.json: kind, created, title and what its kind needs."""
    return read_json(Path(run_dir) / "config.json")


def read_status(run_dir):
    """The job's status. "running" whose process is gone reads as "crashed". FileNotFoundError if this is no job's folder."""
    run_dir = Path(run_dir)
    data = _read(run_dir)
    if _owner_is_gone(data):
        data = _read(run_dir)  # it may have finished between the two looks
    state, error = data["state"], data.get("error")
    if _owner_is_gone(data):
        state, error = "crashed", _crash_error(run_dir, data)
    elif state == "running" and stop_file(run_dir).exists():
        state = "stopping"
    elif state == "running" and (silent := time.time() - (data.get("updated_at") or 0)) > SILENT_SECONDS:
        data = data | {"notice": f"It has not reported for {silent / 60:.0f} min: the computer may have slept, or is very busy."}
    known = {k: v for k, v in data.items() if k in JobStatus.__dataclass_fields__}
    return JobStatus(**known | {"run_dir": run_dir, "state": state, "error": error})


def read_record(run_dir):
    """status.json as a dict of its own, to be changed and written again; made up from config.json where it is damaged."""
    return dict(_read(Path(run_dir)))


def list_jobs(workspace, project=None):
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


def queued_jobs(workspace, jobs=None):
    """Jobs that wait for a worker, the oldest first; a job that waits in a terminal of its own is not among them."""
    jobs = list_jobs(workspace) if jobs is None else jobs
    return [job for job in reversed(jobs) if job.state == "queued" and job.pid is None]


def current_job(workspace):
    """The job that runs now, else the next one in the queue, else None."""
    jobs = list_jobs(workspace)
    running = [job for job in jobs if job.is_running]
    waiting = [job for job in reversed(jobs) if job.state == "queued"]
    return (running or waiting or [None])[0]


def read_events(run_dir, offset=0):
    """(events, next offset) from events.jsonl, from a byte offset on; an event being written is left for the next time.

    Each is {"event": type, "time": seconds since 1970, ...fields}.
    """
    return read_jsonl(Path(run_dir) / "events.jsonl", offset)


def read_log_tail(run_dir, max_bytes=16_000):
    """The end of log.txt as text, from a whole line on; "" if there is none."""
    return read_log_page(run_dir, max_bytes=max_bytes)[0]


def read_log_page(run_dir, end=None, max_bytes=16_000):
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


def is_alive(pid, create_time):
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


def own_identity():
    """{"pid", "create_time"} of this process, for status files."""
    return {"pid": os.getpid(), "create_time": psutil.Process().create_time()}


def _owner_is_gone(data):
    owned = data["state"] in ("running", "stopping") or (data["state"] == "queued" and data.get("pid"))
    return owned and not is_alive(data.get("pid"), data.get("create_time"))


def _crash_error(run_dir, data):
    if data["state"] == "queued":
        return {
            "message": "The terminal that was to run this was closed.",
            "cost": "Nothing was lost.",
            "fix": "Start it again.",
            "action": "resume",
        }
    message = "It ended without a word: the program was closed, the computer restarted, or memory ran out."
    cost = "Everything that was finished is kept."
    if data["kind"] == "train":
        step = last_safe_step(run_dir)
        cost = f"Training up to step {step} is kept." if step else "No safety copy had been written yet; it starts over."
    return {"message": message, "cost": cost, "fix": "Resume to go on from there.", "action": "resume"}


def last_safe_step(run_dir):
    """The step of a training's newest safety copy, resume/step-NNNNNN, from which it can go on; 0 without one."""
    return max((int(p.name.removeprefix("step-")) for p in (Path(run_dir) / "resume").glob("step-*") if p.name[5:].isdigit()), default=0)


def _read(run_dir):
    """status.json as a dict (not to be changed), parsed once per version of the file: polling many finished runs costs one stat each."""
    path = status_file(run_dir)
    stat = path.stat()
    return _parse(str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino)


@functools.lru_cache(maxsize=4096)
def _parse(path, mtime_ns, size, inode):
    try:
        data = read_json(path)
    except ValueError:
        data = {}
    if not isinstance(data.get("state"), str) or data.get("kind") not in KINDS:
        return _from_config(Path(path).parent, mtime_ns / 1e9)
    return data


def _from_config(run_dir, written):
    """What stands for a damaged status.json: a run that broke off, so that what it saved can still be gone on from. ValueError if it is no job."""
    config = read_config(run_dir)
    if config.get("kind") not in KINDS:
        raise ValueError(f"{run_dir} is no job")
    times = {"queued_at": float(config.get("created", written)), "started_at": written, "updated_at": written, "ended_at": written}
    return {"kind": config["kind"], "title": str(config.get("title", "")), "state": "running", "pid": None, "create_time": None} | times


def overwrite_status(run_dir, data):
    """The status written over the old one in place: for a full disk, where no second file fits beside it."""
    path = status_file(run_dir)
    text = json.dumps(data, ensure_ascii=False).encode()
    with open(path, "r+b") as file:
        file.write(text.ljust(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
