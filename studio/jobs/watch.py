"""Notices that a job does not get on, and that the computer slept, and puts it into words."""

import threading
from collections import deque
from collections.abc import Callable
from statistics import median

from studio.clocks import asleep_seconds, awake_seconds
from studio.words import duration

PATIENCE = 10  # times the usual length of a step
LEAST_SECONDS = 60.0
BESIDE_STEPS_SECONDS = 900.0  # for loading a model from a slow disk, and whatever else is no step
FEWEST_STEPS = 5  # before anything is usual
SHORTEST_SLEEP_SECONDS = 10.0


class Watch:
    """Told of everything that a job reports, and asked from time to time. clock, sleep: seconds awake, and asleep, since some moment."""

    def __init__(self, clock: Callable[[], float] = awake_seconds, sleep: Callable[[], float] = asleep_seconds):
        self._clock, self._sleep, self._lock = clock, sleep, threading.Lock()  # a job reports in one thread, and is watched in another
        self._asleep = sleep()
        self._last_sign, self._slept_since = clock(), 0.0
        self._stage: str | None = None
        self._done: float | None = None
        self._last_step: float | None = None
        self._intervals: deque[float] = deque(maxlen=50)
        self._is_stepping = False

    def saw_event(self) -> None:
        """Anything at all was reported."""
        with self._lock:
            self._last_sign, self._slept_since = self._clock(), 0.0

    def saw_progress(self, stage: str | None, done: float | None) -> None:
        """So much of a stage is done."""
        with self._lock:
            now = self._clock()
            if stage != self._stage:
                self._stage, self._last_step = stage, None
                self._intervals.clear()
            self._is_stepping = False
            if done is not None and self._done is not None and self._last_step is not None and done > self._done:
                self._is_stepping = True
                self._intervals.append(now - self._last_step)
            self._done = done
            self._last_step = self._last_sign = now
            self._slept_since = 0.0

    def look_for_sleep(self) -> float:
        """Seconds that the computer slept since the last look; 0 for none worth mentioning."""
        with self._lock:
            asleep = self._sleep()
            slept, self._asleep = asleep - self._asleep, asleep
            if slept < SHORTEST_SLEEP_SECONDS:
                return 0.0
            self._slept_since += slept
            return slept

    def notice(self) -> str:
        """Why the job may have come to a standstill, in words, or ""."""
        with self._lock:
            silent = self._clock() - self._last_sign
            return self._describe(silent) if silent > self._patience() else ""

    def _describe(self, silent: float) -> str:
        slept = f" The computer slept for {duration(self._slept_since, exact=True)} meanwhile." if self._slept_since else ""
        if not self._is_stepping:
            return f"Nothing has happened for {duration(silent, exact=True)}.{slept} The disk or the computer may be very busy."
        usual = f"one usually takes {duration(median(self._intervals), exact=True)}"
        advice = "Another program may be using the GPU, or memory is short; if it stays so, stop it and resume."
        return f"No step for {duration(silent, exact=True)}; {usual}.{slept} {advice}"

    def _patience(self) -> float:
        if not self._is_stepping or len(self._intervals) < FEWEST_STEPS:
            return BESIDE_STEPS_SECONDS
        return max(LEAST_SECONDS, PATIENCE * median(self._intervals))
