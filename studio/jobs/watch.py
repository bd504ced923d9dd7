"""Notices that a job does not get on, and that the computer slept, and puts it into words."""

import threading
from collections import deque
from statistics import median

from studio.clocks import asleep_seconds, awake_seconds

PATIENCE = 10  # times the usual length of a step
LEAST_SECONDS = 60.0
BESIDE_STEPS_SECONDS = 900.0  # for loading a model from a slow disk, and whatever else is no step
FEWEST_STEPS = 5  # before anything is usual
SHORTEST_SLEEP_SECONDS = 10.0


class Watch:
    """Told of everything that a job reports, and asked from time to time. clock, sleep: seconds awake, and asleep, since some moment."""

    def __init__(self, clock=awake_seconds, sleep=asleep_seconds):
        self._clock, self._sleep, self._lock = clock, sleep, threading.Lock()  # a job reports in one thread, and is watched in another
        self._asleep = sleep()
        self._last_sign, self._slept_since = clock(), 0.0
        self._stage, self._done, self._last_step = None, None, None
        self._intervals = deque(maxlen=50)
        self._is_stepping = False

    def saw_event(self):
        """Anything at all was reported."""
        with self._lock:
            self._last_sign, self._slept_since = self._clock(), 0.0

    def saw_progress(self, stage, done):
        """So much of a stage is done."""
        with self._lock:
            now = self._clock()
            if stage != self._stage:
                self._stage, self._last_step = stage, None
                self._intervals.clear()
            self._is_stepping = None not in (done, self._done, self._last_step) and done > self._done
            if self._is_stepping:
                self._intervals.append(now - self._last_step)
            self._done = done
            self._last_step = self._last_sign = now
            self._slept_since = 0.0

    def look_for_sleep(self):
        """Seconds that the computer slept since the last look; 0 for none worth mentioning."""
        with self._lock:
            asleep = self._sleep()
            slept, self._asleep = asleep - self._asleep, asleep
            if slept < SHORTEST_SLEEP_SECONDS:
                return 0.0
            self._slept_since += slept
            return slept

    def notice(self):
        """Why the job may have come to a standstill, in words, or ""."""
        with self._lock:
            silent = self._clock() - self._last_sign
            return self._describe(silent) if silent > self._patience() else ""

    def _describe(self, silent):
        slept = f" The computer slept for {in_words(self._slept_since)} meanwhile." if self._slept_since else ""
        if not self._is_stepping:
            return f"Nothing has happened for {in_words(silent)}.{slept} The disk or the computer may be very busy."
        usual = f"one usually takes {in_words(median(self._intervals))}"
        advice = "Another program may be using the GPU, or memory is short; if it stays so, stop it and resume."
        return f"No step for {in_words(silent)}; {usual}.{slept} {advice}"

    def _patience(self):
        if not self._is_stepping or len(self._intervals) < FEWEST_STEPS:
            return BESIDE_STEPS_SECONDS
        return max(LEAST_SECONDS, PATIENCE * median(self._intervals))


def in_words(seconds):
    """ "40 s", "12 min", "7 h 5 min"."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
