"""The "finish by 07:00" of a run: it ends before that time, with a saved pair."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

LEAST_RESERVE_SECONDS = 30.0  # before anything was saved, and nobody knows how long that takes here
SAVINGS = 3  # a safety copy and the pair made of it, and as much again in case the disk is busy


class Deadline:
    """When a run must have ended; never, if text is "". It learns how long a step, a saving, and loading an expert take."""

    def __init__(self, text: str, now: float | None = None):
        """text: a time of day, "07:00"; its next occurrence counts."""
        now = time.time() if now is None else now
        self.at = next_time(text, now) if text else None
        self.step_seconds = self.saving_seconds = self.loading_seconds = 0.0

    @property
    def is_near(self) -> bool:
        """Whether it is time to end: another step would use up what saving needs."""
        return not self._leaves(self.step_seconds)

    @property
    def is_near_for_loading(self) -> bool:
        """Whether there is no use in loading an expert."""
        return not self._leaves(self.loading_seconds + self.step_seconds)

    def _leaves(self, seconds: float) -> bool:
        return self.at is None or time.time() + seconds + self._reserve < self.at

    def limit(self, seconds_left: float) -> float:
        """The time left, for a run that may have to end before it is done."""
        return seconds_left if self.at is None else min(seconds_left, max(0.0, self.at - self._reserve - time.time()))

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Learn from the length of the block, unless it fails: "saving_seconds" or "loading_seconds"."""
        started = time.monotonic()
        yield
        setattr(self, name, max(getattr(self, name), time.monotonic() - started))

    @property
    def _reserve(self) -> float:
        return max(LEAST_RESERVE_SECONDS, SAVINGS * self.saving_seconds)


def next_time(text: str, now: float) -> float:
    """Seconds since 1970 of the next "HH:MM" after `now`, in this computer's time zone."""
    hour, minute = (int(part) for part in text.split(":"))
    today = time.localtime(now)
    # mktime knows the lengths of months, and the hour that summer time takes or gives
    days = (time.mktime((today.tm_year, today.tm_mon, today.tm_mday + ahead, hour, minute, 0, 0, 0, -1)) for ahead in (0, 1))
    return next(at for at in days if at > now)
