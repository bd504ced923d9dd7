"""A disk without space does not end a run of days: it waits, says so, and tries again."""

import time
from collections.abc import Callable
from typing import TypeVar

from studio.errors import DiskFull, ProcessLost
from studio.training.endure.all_reduce import ProcessGroup
from studio.training.events import Progressed, say, tell
from studio.training.run import Run

RETRY_SECONDS = 15.0
ALONE = ProcessGroup()
LOOK_SECONDS = 0.5  # how soon a request to stop is seen
Saved = TypeVar("Saved")


def when_there_is_space(run: Run, step: int, save: Callable[[], Saved], process_group: ProcessGroup = ALONE) -> Saved:
    """save(), again every RETRY_SECONDS as long as it raises DiskFull; that is raised once a stop is asked for.

    Nothing of a save that failed stays on the disk, and the training holds what it has learned in memory. process_group: who wait with this process.
    """
    is_waiting = False
    while True:
        saved = _try(run, save)
        if not process_group.any(isinstance(saved, DiskFull)) and not isinstance(saved, DiskFull):
            if is_waiting:
                say(run.report, "There is space on the disk again; training goes on.")
            return saved
        if process_group.any(run.should_stop()):
            raise saved if isinstance(saved, DiskFull) else ProcessLost()
        if isinstance(saved, DiskFull) and not is_waiting:
            say(run.report, f"{saved.message} Training waits until there is space; nothing is lost. {saved.fix}")
        is_waiting = True
        words = "The disk is full: training waits until there is space"
        tell(
            run.report,
            Progressed(stage=run.words.stage, code=run.words.code, done=step, total=run.config.steps, unit="steps", message=words),
        )
        _wait(run.should_stop)


def _try(run: Run, save: Callable[[], Saved]) -> Saved | DiskFull:
    try:
        with run.deadline.measure("saving_seconds"):
            return save()
    except DiskFull as problem:
        return problem


def _wait(should_stop: Callable[[], bool]) -> None:
    end = time.monotonic() + RETRY_SECONDS
    while time.monotonic() < end and not should_stop():
        time.sleep(min(LOOK_SECONDS, RETRY_SECONDS))
