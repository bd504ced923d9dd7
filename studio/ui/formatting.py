"""Numbers, durations and states in words: everything that a person reads and that is not a picture."""

from studio.jobs.problems import Failure
from studio.words import amount as amount
from studio.words import count as count
from studio.words import duration as duration
from studio.words import file_size as file_size
from studio.words import gigabytes as gigabytes
from studio.words import sentence as sentence
from studio.words import until as until

STATES = {
    "queued": "waiting in the queue",
    "running": "running",
    "stopping": "saving and stopping",
    "done": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "crashed": "interrupted",
}


def time_left(seconds_left: float | None) -> str:
    """about 3 h 12 min left (until 07:40), or "" when unknown."""
    if seconds_left is None:
        return ""
    when = f" (until {until(seconds_left)})" if seconds_left >= 60 else ""
    return f"about {duration(seconds_left)} left{when}"


def seconds_per_step(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return f"{seconds:.1f} s a step" if seconds >= 1 else f"{seconds:.2f} s a step"


def in_sentences(failure: Failure | None, *, with_cost: bool = True) -> str:
    """What a job's failure says: what happened, what it cost, what to do; "" without one."""
    if failure is None:
        return ""
    parts = (failure.message, failure.cost if with_cost else "", failure.fix)
    return " ".join(sentence(part) for part in parts if part)
