"""The process that runs jobs, one at a time in each queue: `python -m studio.jobs.worker HOME [QUEUE]`; `run_job` does the same in a terminal."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from filelock import BaseFileLock, Timeout

from studio.disk import locked
from studio.facts import Facts
from studio.jobs import launcher, state, windows
from studio.jobs.kind import PROCESSOR, JobConfig, Work, find_kind, queues_of, read_config
from studio.jobs.processes import process_group
from studio.jobs.recorder import Echo, Recorder
from studio.jobs.signals import stop_on_signals
from studio.machine import step_back
from studio.workspace import Workspace, project_of

LOCK_SECONDS = 5.0  # a worker that has just ended may not have let go yet


def main(home: str, queue: str = "") -> None:
    """Run the next job of a queue ("": the workspace's first), then start a fresh worker if more wait. Quiet if another program runs them."""
    workspace = Workspace(Path(home))
    queue = queue or queues_of(workspace)[0]
    lock = launcher.worker_lock(workspace, queue)
    try:
        lock.acquire(timeout=LOCK_SECONDS)
    except Timeout:
        launcher.clear_worker_record(workspace, queue, {os.getpid(), os.getppid()})  # on Windows a venv's python.exe is our parent
        return
    wake = partial(launcher.ensure_worker, workspace)
    if queue == PROCESSOR:
        step_back()
        wake = partial(launcher.ensure_worker, workspace, [queue])  # what it starts steps back too, which a training must not
    with _holding(workspace, queue, lock, wake):
        run_dir = _take_next(workspace, queue)
        if run_dir:
            _send_output_to(run_dir / "log.txt")
            execute(run_dir)


def run_job(run_dir: Path | str, *, echo: Echo | None = None, say: Callable[[str], None] = print) -> state.JobStatus:
    """Run a job made with `launcher.prepare` in this process; waits while another job of its queue runs. Returns its last status."""
    run_dir = Path(run_dir)
    workspace, queue = project_of(run_dir).workspace, state.read_status(run_dir).queue
    lock = launcher.worker_lock(workspace, queue)
    try:
        _acquire_patiently(lock, workspace, run_dir, say)
    except KeyboardInterrupt:
        launcher.cancel(run_dir)
        return state.read_status(run_dir)
    with _holding(workspace, queue, lock, lambda: launcher.ensure_worker(workspace)):
        if _claim(run_dir):
            execute(run_dir, echo=echo)
    return state.read_status(run_dir)


def execute(run_dir: Path, echo: Echo | None = None) -> None:
    """Run one claimed job and write how it ended. Never raises for a failed job; a second Ctrl-C aborts at once."""
    with Recorder(run_dir, echo) as recorder, stop_on_signals(recorder.stop_now), windows.long_job(recorder.stop_now):
        try:
            result = run_work(Work(run_dir, recorder, partial(process_group, run_dir, recorder=recorder)))
        except KeyboardInterrupt:
            recorder.end("stopped", result=state.ABORTED)
        except Exception as error:
            recorder.fail(error)
        else:
            stopped = getattr(result, "stopped", recorder.stop_was_seen)  # not every kind's result says it
            recorder.end("stopped" if stopped else "done", result=result.to_json())


def run_work(work: Work) -> Facts:
    """Do what the job's kind does, to its end or until it saw a request to stop. Returns its Result."""
    kind = find_kind(read_config(JobConfig, work.run_dir).kind)
    return kind.run(read_config(kind.Config, work.run_dir), work)


@contextmanager
def _holding(workspace: Workspace, queue: str, lock: BaseFileLock, wake: Callable[[], object]) -> Iterator[None]:
    """Say who runs jobs here; at the end let go and wake the queue."""
    with locked(launcher.record_file(workspace, queue)):
        launcher.write_worker_record(workspace, queue, launcher.WorkerFacts(**state.own_identity().identity(), state="running"))
    try:
        yield
    finally:
        launcher.clear_worker_record(
            workspace, queue, {os.getpid()}
        )  # before the last look at the queue: whoever queues now starts a worker
        lock.release()
        wake()


def _acquire_patiently(lock: BaseFileLock, workspace: Workspace, run_dir: Path, say: Callable[[str], None]) -> None:
    said = ""
    while True:
        try:
            lock.acquire(timeout=1.0 if said else 0)
            return
        except Timeout:
            job = state.current_job(workspace, state.read_status(run_dir).queue)
            if state.read_status(run_dir).state != "queued":
                lock.acquire()  # cancelled from the studio: take the turn only to find that out
                return
            text = f"waiting: {job.name} ({job.title}) of {job.project.slug} is running" if job else "waiting for another program"
            if text != said:
                say(text)
                said = text


def _take_next(workspace: Workspace, queue: str) -> Path | None:
    """Claim the next job of a queue; None if none waits, or none may begin."""
    for job in [] if launcher.is_held(workspace, queue) else state.queued_jobs(workspace, queue):
        if _claim(job.run_dir):
            return job.run_dir
    return None


def _claim(run_dir: Path) -> bool:
    """Mark a queued job as ours; False if it was cancelled meanwhile."""
    with locked(state.status_file(run_dir)):
        found = state.read_record(run_dir)
        if found.state != "queued":
            return False
        me = state.own_identity().identity()
        state.write_record(run_dir, replace(found, **me, state="running", started_at=time.time()))
    return True


def _send_output_to(path: Path) -> None:
    """Point stdout and stderr of this process, C libraries' included, at a file."""
    with open(path, "ab") as file:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])
