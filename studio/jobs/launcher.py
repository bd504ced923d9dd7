"""Ask for jobs: queue, resume, stop, and start the detached worker. Nothing here waits, and nothing here imports torch."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
from filelock import FileLock

from studio.config import RENDEZVOUS_FILE, merge
from studio.jobs import state
from studio.jobs.machines import LAUNCHED, RANK_VARIABLES
from studio.models.fetch.offers import note_wish
from studio.surroundings import as_found
from studio.workspace import locked, project_of, read_json, write_json

ROOT = Path(__file__).resolve().parent.parent.parent
MAX_START_ATTEMPTS = 3
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
TITLES = {
    "train": "Train",
    "rehearse": "Rehearse",
    "caption": "Write captions",
    "sweep": "Draw and compare",
    "import": "Import",
    "curate": "Choose the best photos",
    "download": "Download",
}


def enqueue(project, kind, config, title=""):
    """Make runs/<kind>-<n> with its config.json and put it into the queue; `ensure_worker` gets it started."""
    return _create(project, kind, config, title, {})


def prepare(project, kind, config, title=""):
    """As `enqueue`, for a job that this very process will run with `worker.run_job`: no worker takes it."""
    return _create(project, kind, config, title, state.own_identity())


def _create(project, kind, config, title, owner):
    if kind not in state.KINDS:
        raise ValueError(f"there is no job kind {kind!r}; there are {', '.join(state.KINDS)}")
    project.require_ours()
    run_dir = project.new_run_dir(kind)
    title = title or TITLES[kind]
    try:
        write_json(run_dir / "config.json", {"kind": kind, "created": time.time(), "title": title} | _complete(project, kind, config))
        write_json(state.status_file(run_dir), {"kind": kind, "title": title} | _queued() | owner)
        if not owner:
            release_queue(project.workspace)
    except OSError:  # a full disk: half a job would be no job, and its folder only in the way
        shutil.rmtree(run_dir, ignore_errors=True)
        raise
    return run_dir


def _complete(project, kind, config):
    """What a job of that kind needs to know of its project, so that a later edit of the project does not change the run."""
    if kind in ("train", "rehearse"):
        return project.facts().person().to_json() | {"recipe": "", "hardware": "", "device": ""} | config
    if kind == "sweep":
        return {"sweep": None, "pairs": None} | config
    return config


def _queued():
    blank = dict.fromkeys(("pid", "create_time", "started_at", "ended_at", "seconds_left", "error"))
    return blank | {"state": "queued", "queued_at": time.time(), "updated_at": time.time(), "progress": {}, "result": {}}


def resume(run_dir, *, foreground=False):
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
        owner = state.own_identity() if foreground else {}
        write_json(state.status_file(run_dir), state.read_record(run_dir) | _queued() | {"progress": job.progress} | owner)
    if not foreground:
        release_queue(project_of(run_dir).workspace)
    return run_dir


def change_settings(run_dir, changes):
    """Change settings of a job that is over, nested as in its config, before it goes on; everything else in its config.json is kept."""
    run_dir = Path(run_dir)
    with locked(state.status_file(run_dir)):
        job = state.read_status(run_dir)
        if not job.can_resume:
            raise ValueError(f"{job.name} can't be changed: it {'is finished' if job.state == 'done' else 'has not ended'}")
        config = state.read_config(run_dir)
        write_json(run_dir / "config.json", config | {"config": merge(config["config"], changes)})


def request_stop(run_dir):
    """Ask a running job to save and end; seen between two steps."""
    state.stop_file(run_dir).touch()


def request_save(run_dir):
    """Ask a running training to save a checkpoint pair as soon as it can, and go on."""
    state.save_file(run_dir).touch()


def cancel(run_dir):
    """Take a waiting job out of the queue; a running one is asked to stop; one that is over stays as it is."""
    run_dir = Path(run_dir)
    with locked(state.status_file(run_dir)):
        job = state.read_status(run_dir)
        if job.state == "queued":
            data = state.read_record(run_dir)
            write_json(state.status_file(run_dir), data | {"state": "stopped", "pid": None, "create_time": None, "ended_at": time.time()})
        elif job.is_running:
            request_stop(run_dir)


def pause(run_dir):
    """Stop a running job, which saves and gives back all it holds of the GPU, and let no other begin in its place: see `hold_queue`."""
    hold_queue(project_of(run_dir).workspace)
    cancel(run_dir)


def hold_queue(workspace):
    """No waiting job begins until someone starts, resumes or releases one. (A job in a terminal of its own is not held.)"""
    workspace.update(queue_held=True)


def is_held(workspace):
    return workspace.facts().queue_held


def release_queue(workspace):
    if is_held(workspace):
        workspace.update(queue_held=False)


# -- the worker process


def worker_lock(workspace):
    """The lock that lets one job run at a time in a workspace; the system frees it when its holder dies."""
    workspace.home.mkdir(parents=True, exist_ok=True)
    return FileLock(str(workspace.home / ".worker.lock"))


def worker_record(workspace):
    """worker.json: {"pid", "create_time", "state": "starting" | "running", "attempts"}, or {} without one."""
    try:
        return read_json(_record_file(workspace))
    except FileNotFoundError:
        return {}
    except ValueError:
        return {}  # damaged: as good as none, it only saves starting a second worker


def write_worker_record(workspace, record):
    write_json(_record_file(workspace), record)


def clear_worker_record(workspace, pids):
    """Forget the record if it belongs to one of these processes."""
    with locked(_record_file(workspace)):
        if worker_record(workspace).get("pid") in pids:
            _record_file(workspace).unlink(missing_ok=True)


def _record_file(workspace):
    return workspace.home / "worker.json"


def ensure_worker(workspace):
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
        attempts = record.get("attempts", 0) + 1 if record.get("state") == "starting" else 1
        if attempts > MAX_START_ATTEMPTS:
            _give_up(workspace, queue[0])
            return False
        pid, create_time = _start(workspace)
        write_worker_record(workspace, {"pid": pid, "create_time": create_time, "state": "starting", "attempts": attempts})
    return True


def _waiting_in_vain(workspace):
    """The queue, if nobody lives who would take it on."""
    jobs = state.list_jobs(workspace)
    queue = state.queued_jobs(workspace, jobs)
    queue = [] if queue and is_held(workspace) else queue
    record = worker_record(workspace) if queue else {}
    lives = any(job.is_running for job in jobs) or state.is_alive(record.get("pid"), record.get("create_time"))
    return [] if lives else queue


def _give_up(workspace, job):
    """The worker died several times before it took the job: say so on the job instead of trying forever."""
    error = {
        "message": "The worker program could not start.",
        "cost": "Nothing was lost.",
        "fix": f"See {workspace.home / 'worker.log'}; running the doctor command shows what is missing.",
        "action": "resume",
    }
    data = state.read_record(job.run_dir)
    write_json(state.status_file(job.run_dir), data | {"state": "failed", "ended_at": time.time(), "error": error})
    _record_file(workspace).unlink(missing_ok=True)


def offline_environment():
    """JOB_ENVIRONMENT, and whether it was the person's own wish that the hub is not asked: a download heeds that, and nothing else goes online."""
    return note_wish(os.environ) | JOB_ENVIRONMENT


def worker_environment():
    """The environment of the worker: offline, UTF-8, a log that is written at once; the place that a launcher gave to this process is its own."""
    found = as_found(os.environ)
    inherited = {name: value for name, value in found.items() if name not in (*RANK_VARIABLES, LAUNCHED, RENDEZVOUS_FILE)}
    return inherited | offline_environment() | dict(PYTHONUTF8="1", PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1")


def _start(workspace):
    """(pid, create time) of a new worker that outlives this process: own session, no inherited pipes, no console window."""
    command = [sys.executable, "-m", "studio.jobs.worker", str(workspace.home.resolve())]
    with open(workspace.home / "worker.log", "ab") as log:
        options = dict(cwd=ROOT, env=worker_environment(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True)
        process = _start_on_windows(command, options) if os.name == "nt" else subprocess.Popen(command, start_new_session=True, **options)
    try:
        return process.pid, psutil.Process(process.pid).create_time()
    except psutil.NoSuchProcess:
        return process.pid, time.time()


def _start_on_windows(command, options):
    """CREATE_NO_WINDOW gives an own, invisible console. (DETACHED_PROCESS would switch it off, and then the interpreter
    that a venv's python.exe starts would open a visible one.)"""
    flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        return subprocess.Popen(command, creationflags=flags | subprocess.CREATE_BREAKAWAY_FROM_JOB, **options)
    except PermissionError:  # the job object we are in does not let its processes leave
        return subprocess.Popen(command, creationflags=flags, **options)
