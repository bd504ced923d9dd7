"""Who waits for whom in a queue, and until when: from what runs, and from how long each job was expected to take when it was asked for."""

from dataclasses import dataclass

from studio.jobs import launcher, state
from studio.jobs.kind import queues_of
from studio.jobs.state import JobStatus
from studio.words import duration, until
from studio.workspace import Workspace


@dataclass(frozen=True)
class Turn:
    """A waiting job's place in its queue.

    after: the job before it, which may run, or None where it is next and nothing runs; held: the queue stands still.
    seconds: until it begins, None where that is not known; number, of: which of how many that wait, from 1.
    """

    job: JobStatus
    after: JobStatus | None
    seconds: float | None
    number: int
    of: int
    held: bool = False

    def words(self) -> str:
        """For what it waits, and until when; without a capital letter and a full stop."""
        if self.held:
            return "waits: the queue is paused"
        if self.after is None:
            return "is about to begin"
        if self.seconds is None:
            return f"waits for: {self.after.title}; not known how long"
        return f"waits for: {self.after.title}, about {duration(self.seconds)} (until {until(self.seconds)})"


def turns(workspace: Workspace, queue: str, jobs: list[JobStatus] | None = None) -> list[Turn]:
    """Every job that waits in a queue, the next one first."""
    jobs = state.list_jobs(workspace) if jobs is None else jobs
    waiting = state.queued_jobs(workspace, queue, jobs)
    held = bool(waiting) and launcher.is_held(workspace, queue)
    before = next((job for job in jobs if job.is_running and job.queue == queue), None)
    seconds = seconds_left(before) if before else 0.0
    found = []
    for number, job in enumerate(waiting, 1):
        found.append(Turn(job, before, None if held else seconds, number, len(waiting), held))
        seconds = add(seconds, job.expected_seconds)
        before = job
    return found


def find_turn(job: JobStatus) -> Turn | None:
    """The turn of one job; None where it does not wait for a worker."""
    return next((turn for turn in turns(job.project.workspace, job.queue) if turn.job.run_dir == job.run_dir), None)


def all_turns(workspace: Workspace, jobs: list[JobStatus] | None = None) -> list[Turn]:
    """Every job that waits in the queues of a workspace, by queue."""
    jobs = state.list_jobs(workspace) if jobs is None else jobs
    return [turn for queue in queues_of(workspace) for turn in turns(workspace, queue, jobs)]


def seconds_left(job: JobStatus) -> float | None:
    """How long a running job will still take, as it says itself, else as it was expected; None where neither is known."""
    if job.seconds_left is not None or job.expected_seconds is None:
        return job.seconds_left
    return max(0.0, job.expected_seconds - (job.seconds or 0.0))


def add(seconds: float | None, more: float | None) -> float | None:
    return None if seconds is None or more is None else seconds + more
