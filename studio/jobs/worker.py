"""The process that runs jobs, one at a time in a workspace: `python -m studio.jobs.worker HOME`; `run_job` does the same in a terminal."""

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import Timeout

from studio.jobs import launcher, state, windows
from studio.jobs.recorder import Recorder
from studio.jobs.tasks import run_task
from studio.workspace import Workspace, locked, project_of, write_json

LOCK_SECONDS = 5.0  # a worker that has just ended may not have let go yet


def main(home):
    """Run the oldest queued job, then start a fresh worker if more wait. Exits quietly if another program runs jobs here."""
    workspace = Workspace(Path(home))
    lock = launcher.worker_lock(workspace)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        launcher.clear_worker_record(workspace, {os.getpid(), os.getppid()})  # on Windows a venv's python.exe is our parent
        return
    with _holding(workspace, lock):
        run_dir = _take_next(workspace)
        if run_dir:
            _send_output_to(run_dir / "log.txt")
            execute(run_dir)


def run_job(run_dir, *, echo=None, say=print):
    """Run a job made with `launcher.prepare` in this process; waits while another job runs. Returns its last status."""
    run_dir = Path(run_dir)
    workspace = project_of(run_dir).workspace
    lock = launcher.worker_lock(workspace)
    try:
        _acquire_patiently(lock, workspace, run_dir, say)
    except KeyboardInterrupt:
        launcher.cancel(run_dir)
        return state.read_status(run_dir)
    with _holding(workspace, lock):
        if _claim(run_dir):
            execute(run_dir, echo=echo)
    return state.read_status(run_dir)


def execute(run_dir, echo=None):
    """Run one claimed job and write how it ended. Never raises for a failed job; a second Ctrl-C aborts at once."""
    with Recorder(run_dir, echo) as recorder, stop_on_signals(recorder.stop_now), windows.long_job(recorder.stop_now):
        try:
            result = run_task(run_dir, recorder) or {}
        except KeyboardInterrupt:
            recorder.end("stopped", result={"aborted": True})
        except Exception as error:
            recorder.fail(error)
        else:
            stopped = result.get("stopped", recorder.stop_was_seen)
            recorder.end("stopped" if stopped else "done", result=result)


@contextmanager
def _holding(workspace, lock):
    """Say who runs jobs here; at the end let go and wake the queue."""
    with locked(workspace.home / "worker.json"):
        launcher.write_worker_record(workspace, state.own_identity() | {"state": "running"})
    try:
        yield
    finally:
        launcher.clear_worker_record(workspace, {os.getpid()})  # before the last look at the queue: whoever queues now starts a worker
        lock.release()
        launcher.ensure_worker(workspace)


def _acquire_patiently(lock, workspace, run_dir, say):
    said = ""
    while True:
        try:
            return lock.acquire(timeout=1.0 if said else 0)
        except Timeout:
            job = state.current_job(workspace)
            if state.read_status(run_dir).state != "queued":
                return lock.acquire()  # cancelled from the studio: take the turn only to find that out
            text = f"waiting: {job.name} ({job.title}) of {job.project.slug} is running" if job else "waiting for another program"
            if text != said:
                say(text)
                said = text


def _take_next(workspace):
    """Claim the oldest queued job; None if none waits, or none may begin."""
    for job in [] if launcher.is_held(workspace) else state.queued_jobs(workspace):
        if _claim(job.run_dir):
            return job.run_dir
    return None


def _claim(run_dir):
    """Mark a queued job as ours; False if it was cancelled meanwhile."""
    with locked(state.status_file(run_dir)):
        data = state.read_record(run_dir)
        if data["state"] != "queued":
            return False
        write_json(state.status_file(run_dir), data | state.own_identity() | {"state": "running", "started_at": time.time()})
    return True


@contextmanager
def stop_on_signals(stop_now):
    """Ctrl-C, SIGTERM and CTRL_BREAK ask for a stop that saves, by stop_now(); the same once more raises KeyboardInterrupt."""
    names = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
    numbers = [n for name in names if (n := getattr(signal, name, None)) and signal.getsignal(n) != signal.SIG_IGN]  # nohup ignores SIGHUP
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    asked = []

    def ask(number, frame):
        if number in asked:  # a launcher that passes Ctrl-C on sends another signal, beside the terminal's own
            raise KeyboardInterrupt
        asked.append(number)
        stop_now()
        with suppress(OSError):  # the terminal may be gone: that is what SIGHUP means
            os.write(2, b"Stopping after this step, and saving. Once more aborts at once.\n")  # print may not be used inside a handler

    before = {number: signal.signal(number, ask) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _send_output_to(path):
    """Point stdout and stderr of this process, C libraries' included, at a file."""
    with open(path, "ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


if __name__ == "__main__":
    main(sys.argv[1])
