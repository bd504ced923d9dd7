"""A disk without space does not end a run of days: it waits, says so, and tries again."""

import time

from studio.errors import DiskFull, ProcessLost
from studio.training.endure.all_reduce import Mates

RETRY_SECONDS = 15.0
ALONE = Mates()
LOOK_SECONDS = 0.5  # how soon a request to stop is seen


def when_there_is_space(run, step, save, mates=ALONE):
    """save(), again every RETRY_SECONDS as long as it raises DiskFull; that is raised once a stop is asked for.

    Nothing of a save that failed stays on the disk, and the training holds what it has learned in memory. mates: who wait with this process.
    """
    is_waiting = False
    while True:
        result, problem = _try(run, save)
        if not mates.any(problem is not None):
            if is_waiting:
                run.report("note", message="There is space on the disk again; training goes on.")
            return result
        if mates.any(run.should_stop()):
            raise problem or ProcessLost()
        if problem and not is_waiting:
            run.report("note", message=f"{problem.message} Training waits until there is space; nothing is lost. {problem.fix}")
        is_waiting = True
        words = "The disk is full: training waits until there is space"
        run.report("progress", stage="Training", done=step, total=run.config.steps, unit="steps", message=words)
        _wait(run.should_stop)


def _try(run, save):
    """(what save() returned, None), or (None, the DiskFull that it raised)."""
    try:
        with run.deadline.measure("saving_seconds"):
            return save(), None
    except DiskFull as problem:
        return None, problem


def _wait(should_stop):
    end = time.monotonic() + RETRY_SECONDS
    while time.monotonic() < end and not should_stop():
        time.sleep(min(LOOK_SECONDS, RETRY_SECONDS))
