"""Ctrl-C and what else asks a process to end: heard once it is a wish to save and stop, heard twice it is an order."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType


@contextmanager
def stop_on_signals(stop_now: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C, SIGTERM and CTRL_BREAK ask for a stop that saves, by stop_now(); the same once more raises KeyboardInterrupt."""
    names = ("SIGINT", "SIGTERM", "SIGBREAK", "SIGHUP")
    numbers = [n for name in names if (n := getattr(signal, name, None)) and signal.getsignal(n) != signal.SIG_IGN]  # nohup ignores SIGHUP
    if threading.current_thread() is not threading.main_thread():
        yield  # Python delivers signals to the main thread only
        return
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
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
