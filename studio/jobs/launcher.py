"""Ask for jobs: queue, resume, stop, and start the detached worker. Nothing here waits, and nothing here imports torch."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import psutil
from filelock import BaseFileLock, FileLock

from studio.config import RENDEZVOUS_FILE, merge
from studio.disk import locked
from studio.facts import read_facts, write_facts
from studio.jobs import state
from studio.jobs.kind import GPU, JobConfig, SettingsJob, find_kind, queues_of, read_config
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


def enqueue(project: Project, config: JobConfig, title: str = "", expected_seconds: float | None = None) -> Path:
    """Make runs/<kind>-<n> with its config.json and put it into the queue; `ensure_worker` gets it started.

    expected_seconds: how long it will take, for those that wait behind it; None where nobody knows.
    """
    return _create(project, config, title, NOBODY, expected_seconds)


def prepare(project: Project, config: JobConfig, title: str = "", expected_seconds: float | None = None) -> Path:
    """As `enqueue`, for a job that this very process will run with `worker.run_job`: no worker takes it."""
    return _create(project, config, title, state.own_identity(), expected_seconds)


def _create(project: Project, config: JobConfig, title: str, owner: state.ProcessIdentity, expected_seconds: float | None) -> Path:
    kind = find_kind(config.KIND)
    project.require_ours()
    assert kind.QUEUE in queues_of(project.workspace), f"{config.KIND} jobs wait in the queue {kind.QUEUE}, which is not that workspace's"
    run_dir = project.new_run_dir(config.KIND)
    title = title or kind.TITLE
    try:
        config = replace(config.complete(project), kind=config.KIND, created=time.time(), title=title)
        write_facts(run_dir / "config.json", config)
        facts = state.StatusFacts(kind=config.KIND, title=title, state="queued", expected_seconds=expected_seconds)
        state.write_record(run_dir, _queued(facts, owner))
        if owner == NOBODY and kind.QUEUE == GPU:
            release_queue(project.workspace)
    except OSError:  # a full disk: half a job would be no job, and its folder only in the way
        shutil.rmtree(run_dir, ignore_errors=True)
        raise
    return run_dir


def _queued(facts: state.StatusFacts, owner: state.ProcessIdentity) -> state.StatusFacts:
    """The same job, waiting now. owner: the process that will run it itself."""
    now = time.time()
    fresh = state.StatusFacts(kind=facts.kind, title=facts.title, state="queued", queued_at=now, updated_at=now, unknown=facts.unknown)
    fresh = replace(fresh, expected_seconds=facts.expected_seconds)
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
        fresh = _queued(state.read_record(run_dir), owner)
        state.write_record(run_dir, replace(fresh, progress=job.progress, expected_seconds=_expected_of_the_rest(job)))
    if not foreground and job.queue == GPU:
        release_queue(project_of(run_dir).workspace)
    return run_dir


def _expected_of_the_rest(job: state.JobStatus) -> float | None:
    """How long a job will take that goes on where it ended: what was expected, less what it ran; None where that does not tell."""
    if job.expected_seconds is None or job.seconds is None or job.seconds >= job.expected_seconds:
        return None
    return job.expected_seconds - job.seconds


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
    """No job that waits for the GPU begins until someone starts, resumes or releases one. (A job in a terminal of its own is not held.)"""
    workspace.update(queue_held=True)


def is_held(workspace: Workspace, queue: str = GPU) -> bool:
    """Whether a queue stands still: only the GPU's can be held."""
    return queue == GPU and workspace.facts().queue_held


def move(run_dir: Path | str, places: int) -> bool:
    """Move a waiting job so many places up (below 0) or down in its queue; whether it moved: it may have begun meanwhile, or be at the end."""
    run_dir = Path(run_dir)
    workspace, queue = project_of(run_dir).workspace, state.read_status(run_dir).queue
    with locked(record_file(workspace, queue)):
        waiting = state.queued_jobs(workspace, queue)
        here = next((number for number, job in enumerate(waiting) if job.run_dir == run_dir), None)
        if here is None or not 0 <= here + places < len(waiting):
            return False
        waiting.insert(here + places, waiting.pop(here))
        first = min(job.place or job.queued_at for job in waiting)
        moved = [_put(job, first + number * 1e-3) for number, job in enumerate(waiting)]  # what is queued later has a later time
    return all(moved)


def _put(job: state.JobStatus, place: float) -> bool:
    """Give a waiting job its place in the queue; False if it does not wait any more."""
    with locked(state.status_file(job.run_dir)):
        found = state.read_record(job.run_dir)
        if found.state != "queued":
            return False
        state.write_record(job.run_dir, replace(found, place=place))
    return True


def release_queue(workspace: Workspace) -> None:
    if is_held(workspace):
        workspace.update(queue_held=False)


# -- the worker process


def worker_lock(workspace: Workspace, queue: str) -> BaseFileLock:
    """The lock that lets one job of a queue run at a time; the system frees it when its holder dies."""
    workspace.home.mkdir(parents=True, exist_ok=True)
    return FileLock(str(workspace.home / f".worker{_ending(workspace, queue)}.lock"))


@dataclass(frozen=True, kw_only=True)
class WorkerFacts(state.ProcessIdentity):
    """worker.json: who runs the jobs of a queue, or is about to. attempts: how often one was started that did not take the job."""

    state: str = ""  # starting | running; "" without a worker
    attempts: int = 0


def worker_record(workspace: Workspace, queue: str) -> WorkerFacts:
    try:
        return read_facts(WorkerFacts, record_file(workspace, queue))
    except (FileNotFoundError, ValueError):
        return WorkerFacts()  # damaged: as good as none, it only saves starting a second worker


def write_worker_record(workspace: Workspace, queue: str, facts: WorkerFacts) -> None:
    write_facts(record_file(workspace, queue), facts)


def clear_worker_record(workspace: Workspace, queue: str, pids: set[int]) -> None:
    """Forget the record if it belongs to one of these processes."""
    with locked(record_file(workspace, queue)):
        if worker_record(workspace, queue).pid in pids:
            record_file(workspace, queue).unlink(missing_ok=True)


def record_file(workspace: Workspace, queue: str) -> Path:
    """worker.json of a queue, which names who runs its jobs."""
    return workspace.home / f"worker{_ending(workspace, queue)}.json"


def _ending(workspace: Workspace, queue: str) -> str:
    """What tells the files of a queue from those of the workspace's first."""
    return "" if queue == queues_of(workspace)[0] else f"-{queue}"


def ensure_worker(workspace: Workspace, queues: Sequence[str] | None = None) -> bool:
    """Start a detached worker for each queue (of these) in which a job waits and none lives. Cheap, and safe to call from several programs at
    once. Returns whether one was started.
    """
    jobs = state.list_jobs(workspace)
    in_vain = [queue for queue in queues or queues_of(workspace) if _waiting_in_vain(workspace, queue, jobs)]
    started = [queue for queue in in_vain if _start_worker(workspace, queue)]
    return bool(started)


def _start_worker(workspace: Workspace, queue: str) -> bool:
    """Start a worker for a queue; False if somebody else did meanwhile, or if it never took the job that waits."""
    with locked(record_file(workspace, queue)):
        waiting = _waiting_in_vain(workspace, queue, state.list_jobs(workspace))
        if not waiting:
            return False
        record = worker_record(workspace, queue)
        attempts = record.attempts + 1 if record.state == "starting" else 1
        if attempts > MAX_START_ATTEMPTS:
            _give_up(workspace, waiting[0])
            return False
        started = _start(workspace, queue)
        write_worker_record(workspace, queue, WorkerFacts(**started.identity(), state="starting", attempts=attempts))
    return True


def _waiting_in_vain(workspace: Workspace, queue: str, jobs: list[state.JobStatus]) -> list[state.JobStatus]:
    """The jobs that wait in a queue, if nobody lives who would take them on."""
    waiting = state.queued_jobs(workspace, queue, jobs)
    if not waiting or is_held(workspace, queue):
        return []
    lives = any(job.is_running and job.queue == queue for job in jobs) or worker_record(workspace, queue).lives
    return [] if lives else waiting


def _give_up(workspace: Workspace, job: state.JobStatus) -> None:
    """The worker died several times before it took the job: say so on the job instead of trying forever."""
    error = Failure(
        message="The worker program could not start.",
        cost="Nothing was lost.",
        fix=f"See {workspace.home / 'worker.log'}; running the doctor command shows what is missing.",
        action="resume",
    )
    state.write_record(job.run_dir, replace(state.read_record(job.run_dir), state="failed", ended_at=time.time(), error=error))
    record_file(workspace, job.queue).unlink(missing_ok=True)


def offline_environment() -> dict[str, str]:
    """JOB_ENVIRONMENT, and whether it was the person's own wish that the hub is not asked: a download heeds that, and nothing else goes online."""
    return note_wish(os.environ) | JOB_ENVIRONMENT


def worker_environment() -> dict[str, str]:
    """The environment of the worker: offline, UTF-8, a log that is written at once; the place that a launcher gave to this process is its own."""
    found = as_found(os.environ)
    inherited = {name: value for name, value in found.items() if name not in (*RANK_VARIABLES, LAUNCHED, RENDEZVOUS_FILE)}
    return inherited | offline_environment() | dict(PYTHONUTF8="1", PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1")


def _start(workspace: Workspace, queue: str) -> state.ProcessIdentity:
    """A new worker that outlives this process: own session, no inherited pipes, no console window."""
    command = [sys.executable, "-m", "studio.jobs.worker", str(workspace.home.resolve()), queue]
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
