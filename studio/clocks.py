"""Clocks that know sleep: one that stands still while the computer sleeps, and how long it has slept since it was started."""

import os
import time


def awake_seconds() -> float:
    """For measuring work: seconds that go on only while the computer is awake."""
    return _unbiased_seconds() if os.name == "nt" else time.monotonic()


def asleep_seconds() -> float:
    """Seconds that the computer has spent asleep since it was started; changes of its clock do not matter. 0 where the system does not tell."""
    if os.name == "nt":
        return _ticks() - _unbiased_seconds()
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)
    return 0.0


def _unbiased_seconds() -> float:
    """Windows' count of awake time."""
    import ctypes

    count = ctypes.c_ulonglong()
    ctypes.windll.kernel32.QueryUnbiasedInterruptTime(ctypes.byref(count))
    return count.value / 1e7


def _ticks() -> float:
    """Windows' time since the start, sleep counted."""
    import ctypes

    ctypes.windll.kernel32.GetTickCount64.restype = ctypes.c_ulonglong
    return ctypes.windll.kernel32.GetTickCount64() / 1e3
