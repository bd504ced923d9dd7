"""Ask for jobs: queue, resume, stop, and start the detached worker. Nothing here waits, and nothing here imports torch."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import psutil
from filelock import BaseFileLock, FileLock

from studio.config import RENDEZVOUS_FILE, merge
from studio.disk import locked
from studio.facts import read_facts, write_facts
from studio.jobs import state
from studio.jobs.kind import DOWNLOADS, JobConfig, SettingsJob, find_kind, read_config
from studio.jobs.machines import LAUNCHED, RANK_VARIABLES
from studio.jobs.problems import Failure
from studio.models.fetch.offers import note_wish
from studio.surroundings import as_found
from studio.workspace import Project, Workspace, project_of

ROOT = Path(__file__).resolve().parent.parent.parent
MAX_START_ATTEMPTS = 3
NOBODY = state.ProcessIdentity()
JOB_ENVIRONMENT = dict(  # no library calls home; GPUs are numbered as NVML numbers them
    HF_HUB_OFFLINE="1",
    TRANSFORMERS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    DO_NOT_TRACK="1",
    TOKENIZERS_PARALLELISM="false",
    CUDA_DEVICE_ORDER="PCI_BUS_ID",
    OMP_DYNAMIC="FALSE",  # a busy computer must not change how many threads add up a sum: the same run, the same bits
    MKL_DYNAMIC="FALSE",
    NCCL_P2P_DISABLE="1",  # accelerate refuses several RTX 40 with an older driver without these two, and nothing here uses NCCL
    NCCL_IB_DISABLE="1",
    OMP_WAIT_POLICY="PASSIVE",  # waiting threads sleep instead of spinning: 20 times faster where other programs are busy too
    **({"PYTORCH_ALLOC_CONF": "expandable_segments:True"} if sys.platform == "linux" else {}),  # sizes vary from bucket to bucket
)


def enqueue(project: Project, config: JobConfig, title: str = "") -> Path:
    """Make runs/<kind>-<n> with its config.json and put it into the queue; `ensure_worker` gets it started."""
    return _create(project, config, title, NOBODY)


def prepare(project: Project, config: JobConfig, title: str = "") -> Path:
    """As `enqueue`, for a job that this very process will run with `worker.run_job`: no worker takes it."""
    return _create(project, config, title, state.own_identity())


def _create(project: Project, config: JobConfig, title: str, owner: state.ProcessIdentity) -> Path:
    kind = find_kind(config.KIND)
    project.require_ours()
    assert (kind.QUEUE == DOWNLOADS) == project.workspace.is_downloads, f"{config.KIND} jobs wait in the queue of {kind.QUEUE}"
    run_dir = project.new_run_dir(config.KIND)
    title = title or kind.TITLE
    try:
        config = replace(config.complete(project), kind=config.KIND, created=time.time(), title=title)
        write_facts(run_dir / "config.json", config)
        state.write_record(run_dir, _queued(state.StatusFacts(kind=config.KIND, title=title, state="queued"), owner))
        if owner == NOBODY:
            release_queue(project.workspace)
    except OSError:  # a full disk: half a job would be no job, and its folder only in the way
        shutil.rmtree(run_dir, ignore_errors=True)
        raise
    return run_dir


def _queued(facts: state.StatusFacts, owner: state.ProcessIdentity) -> state.StatusFacts:
    """The same job, waiting now. owner: the process that will run it itself."""
    now = time.time()
    fresh = state.StatusFacts(kind=facts.kind, title=facts.title, state="queued", queued_at=now, updated_at=now, unknown=facts.unknown)
    return replace(fresh, **owner.identity())


def resume(run_dir: Path | str, *, foreground: bool = False) -> Path:
    """Put a stopped, failed or crashed job back into the queue; ValueError if it has nothing to resume."""
    run_dir = Path(run_dir)
    project_of(run_dir).require_ours()
    with locked(state.status_file(run_dir)):
        job = state.read_status(run_dir)
        if not job.can_resume:
            words = {"done": "is finished", "queued": "is waiting in the queue already"}.get(job.state, "is running already")
            raise ValueError(f"{job.name} {words}; there is nothing to resume")
        for request in (state.stop_file(run_dir), state.save_file(run_dir)):
            request.unlink(missing_ok=True)
        owner = state.own_identity() if foreground else NOBODY
        state.write_record(run_dir, replace(_queued(state.read_record(run_dir), owner), progress=job.progress))
    if not foreground:
        release_queue(project_of(run_dir).workspace)
    return run_dir


def change_settings(run_dir: Path | str, changes: dict[str, Any]) -> None:
    """Change settings of a job that is over, nested as in its config, before it goes on; everything else in its config.json is kept."""
    run_dir = Path(run_dir)
    with locked(state.status_file(run_dir)):
        job = state.read_status(run_dir)
        if not job.can_resume:
            raise ValueError(f"{job.name} can't be changed: it {'is finished' if job.state == 'done' else 'has not ended'}")
        config = read_config(SettingsJob, run_dir)
        write_facts(run_dir / "config.json", replace(config, config=merge(config.config, changes)))


def request_stop(run_dir: Path | str) -> None:
    """Ask a running job to save and end; seen between two steps."""
    state.stop_file(run_dir).touch()


def request_save(run_dir: Path | str) -> None:
    """Ask a running training to save a checkpoint pair as soon as it can, and go on."""
    state.save_file(run_dir).touch()


def cancel(run_dir: Path | str) -> None:
    """Take a waiting job out of the queue; a running one is asked to stop; one that is over stays as it is."""
    run_dir = Path(run_dir)
    with locked(state.status_file(run_dir)):
        job = state.read_status(run_dir)
        if job.state == "queued":
            found = state.read_record(run_dir)
            state.write_record(run_dir, replace(found, state="stopped", pid=None, create_time=None, ended_at=time.time()))
        elif job.is_running:
            request_stop(run_dir)


def pause(run_dir: Path) -> None:
    """Stop a running job, which saves and gives back all it holds of the GPU, and let no other begin in its place: see `hold_queue`."""
    hold_queue(project_of(run_dir).workspace)
    cancel(run_dir)


def hold_queue(workspace: Workspace) -> None:
    """No waiting job begins until someone starts, resumes or releases one. (A job in a terminal of its own is not held.)"""
    workspace.update(queue_held=True)


def is_held(workspace: Workspace) -> bool:
    return workspace.facts().queue_held


def release_queue(workspace: Workspace) -> None:
    if is_held(workspace):
        workspace.update(queue_held=False)


# -- the worker process


def worker_lock(workspace: Workspace) -> BaseFileLock:
    """The lock that lets one job run at a time in a workspace; the system frees it when its holder dies."""
    workspace.home.mkdir(parents=True, exist_ok=True)
    return FileLock(str(workspace.home / ".worker.lock"))


@dataclass(frozen=True, kw_only=True)
class WorkerFacts(state.ProcessIdentity):
    """worker.json: who runs jobs in a workspace, or is about to. attempts: how often one was started that did not take the job."""

    state: str = ""  # starting | running; "" without a worker
    attempts: int = 0


def worker_record(workspace: Workspace) -> WorkerFacts:
    try:
        return read_facts(WorkerFacts, _record_file(workspace))
    except (FileNotFoundError, ValueError):
        return WorkerFacts()  # damaged: as good as none, it only saves starting a second worker


def write_worker_record(workspace: Workspace, facts: WorkerFacts) -> None:
    write_facts(_record_file(workspace), facts)


def clear_worker_record(workspace: Workspace, pids: set[int]) -> None:
    """Forget the record if it belongs to one of these processes."""
    with locked(_record_file(workspace)):
        if worker_record(workspace).pid in pids:
            _record_file(workspace).unlink(missing_ok=True)


def _record_file(workspace: Workspace) -> Path:
    return workspace.home / "worker.json"


def ensure_worker(workspace: Workspace) -> bool:
    """Start a detached worker if a job waits and none lives. Cheap, and safe to call from several programs at once.

    Returns whether one was started.
    """
    if not _waiting_in_vain(workspace):
        return False
    with locked(_record_file(workspace)):
        queue = _waiting_in_vain(workspace)
        if not queue:
            return False
        record = worker_record(workspace)
        attempts = record.attempts + 1 if record.state == "starting" else 1
        if attempts > MAX_START_ATTEMPTS:
            _give_up(workspace, queue[0])
            return False
        started = _start(workspace)
        write_worker_record(workspace, WorkerFacts(**started.identity(), state="starting", attempts=attempts))
    return True


def _waiting_in_vain(workspace: Workspace) -> list[state.JobStatus]:
    """The queue, if nobody lives who would take it on."""
    jobs = state.list_jobs(workspace)
    queue = state.queued_jobs(workspace, jobs)
    queue = [] if queue and is_held(workspace) else queue
    lives = any(job.is_running for job in jobs) or (bool(queue) and worker_record(workspace).lives)
    return [] if lives else queue


def _give_up(workspace: Workspace, job: state.JobStatus) -> None:
    """The worker died several times before it took the job: say so on the job instead of trying forever."""
    error = Failure(
        message="The worker program could not start.",
        cost="Nothing was lost.",
        fix=f"See {workspace.home / 'worker.log'}; running the doctor command shows what is missing.",
        action="resume",
    )
    state.write_record(job.run_dir, replace(state.read_record(job.run_dir), state="failed", ended_at=time.time(), error=error))
    _record_file(workspace).unlink(missing_ok=True)


def offline_environment() -> dict[str, str]:
    """JOB_ENVIRONMENT, and whether it was the person's own wish that the hub is not asked: a download heeds that, and nothing else goes online."""
    return note_wish(os.environ) | JOB_ENVIRONMENT


def worker_environment() -> dict[str, str]:
    """The environment of the worker: offline, UTF-8, a log that is written at once; the place that a launcher gave to this process is its own."""
    found = as_found(os.environ)
    inherited = {name: value for name, value in found.items() if name not in (*RANK_VARIABLES, LAUNCHED, RENDEZVOUS_FILE)}
    return inherited | offline_environment() | dict(PYTHONUTF8="1", PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1")


def _start(workspace: Workspace) -> state.ProcessIdentity:
    """A new worker that outlives this process: own session, no inherited pipes, no console window."""
    command = [sys.executable, "-m", "studio.jobs.worker", str(workspace.home.resolve())]
    with open(workspace.home / "worker.log", "ab") as log:
        process = _spawn_on_windows(command, log) if os.name == "nt" else _spawn(command, log)
    try:
        return state.ProcessIdentity(pid=process.pid, create_time=psutil.Process(process.pid).create_time())
    except psutil.NoSuchProcess:
        return state.ProcessIdentity(pid=process.pid, create_time=time.time())


def _spawn(command: list[str], log: BinaryIO, flags: int = 0) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=worker_environment(),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        close_fds=True,
        start_new_session=os.name == "posix",
        creationflags=flags,
    )


def _spawn_on_windows(command: list[str], log: BinaryIO) -> "subprocess.Popen[bytes]":
    """CREATE_NO_WINDOW gives an own, invisible console. (DETACHED_PROCESS would switch it off, and then the interpreter
    that a venv's python.exe starts would open a visible one.)"""
    flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        return _spawn(command, log, flags | subprocess.CREATE_BREAKAWAY_FROM_JOB)
    except PermissionError:  # the job object we are in does not let its processes leave
        return _spawn(command, log, flags)
