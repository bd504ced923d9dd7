"""What Windows asks of a program that runs for days: to say that the computer must stay awake, and to end in order at a shutdown."""

import os
import threading
from contextlib import contextmanager

GOODBYES = {2: "the window was closed", 5: "the user logs off", 6: "the computer shuts down"}  # CTRL_CLOSE, CTRL_LOGOFF, CTRL_SHUTDOWN
GRACE_SECONDS = 20.0  # Windows ends the process when the handler returns, or when its own patience is over: after 5 s or more
STAY_AWAKE = 0x80000000 | 0x00000001  # ES_CONTINUOUS | ES_SYSTEM_REQUIRED: the screen may go dark


@contextmanager
def long_job(stop):
    """Inside, Windows does not put the computer to sleep of itself, and its goodbyes call stop(); it waits until the block has ended.

    A process that has loaded user32.dll, as torch may, is told of a closed window only; there the last safety copy has to do.
    """
    if os.name != "nt":
        yield
        return
    import ctypes

    kernel, ended = ctypes.windll.kernel32, threading.Event()
    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_ulong)(lambda event: say_goodbye(event, stop, ended))
    kernel.SetThreadExecutionState(STAY_AWAKE)
    kernel.SetConsoleCtrlHandler(handler, True)
    try:
        yield
    finally:
        ended.set()
        kernel.SetConsoleCtrlHandler(handler, False)
        kernel.SetThreadExecutionState(STAY_AWAKE & ~1)


def say_goodbye(event, stop, ended, grace_seconds=GRACE_SECONDS):
    """The console's handler, in a thread that Windows makes for it: whether the event was ours."""
    if event not in GOODBYES:
        return False
    stop()
    ended.wait(grace_seconds)
    return True
