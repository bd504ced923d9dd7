"""What Windows asks of a program that runs for days: to say that the computer must stay awake, and to end in order at a shutdown."""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

GOODBYES = {2: "the window was closed", 5: "the user logs off", 6: "the computer shuts down"}  # CTRL_CLOSE, CTRL_LOGOFF, CTRL_SHUTDOWN
GRACE_SECONDS = 20.0  # Windows ends the process when the handler returns, or when its own patience is over: after 5 s or more
STAY_AWAKE = 0x80000000 | 0x00000001  # ES_CONTINUOUS | ES_SYSTEM_REQUIRED: the screen may go dark
MAY_SESSION_END, SESSION_ENDS, CLOSE, DESTROY = 0x0011, 0x0016, 0x0010, 0x0002  # WM_QUERYENDSESSION, WM_ENDSESSION, WM_CLOSE, WM_DESTROY
ASKED_SECONDS = 4.0  # an answer that takes 5 s counts as none
FIRST_TO_BE_ASKED = 0x3FF  # the range of applications ends there; others have 0x280
WINDOW_CLASS = "LikenessStudioJob"

log = logging.getLogger(__name__)


@contextmanager
def long_job(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, Windows does not put the computer to sleep of itself, and its goodbyes call stop(); they wait until the block has ended.

    A closed console is told to the console's handler; a logoff or a shutdown to that, or, where user32.dll is loaded, to windows alone.
    """
    if os.name != "nt":
        yield
        return
    import ctypes

    kernel, ended = ctypes.windll.kernel32, threading.Event()
    handler = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_ulong)(lambda event: say_goodbye(event, stop, ended))
    kernel.SetThreadExecutionState(STAY_AWAKE)
    kernel.SetConsoleCtrlHandler(handler, True)
    kernel.SetProcessShutdownParameters(FIRST_TO_BE_ASKED, 0)
    window = SessionWindow(stop, ended)
    try:
        yield
    finally:
        ended.set()
        window.close()
        kernel.SetConsoleCtrlHandler(handler, False)
        kernel.SetThreadExecutionState(STAY_AWAKE & ~1)


def say_goodbye(event: int, stop: Callable[[], None], ended: threading.Event, grace_seconds: float = GRACE_SECONDS) -> bool:
    """The console's handler, in a thread that Windows makes for it: whether the event was ours."""
    if event not in GOODBYES:
        return False
    stop()
    ended.wait(grace_seconds)
    return True


def answer_session(
    message: int,
    is_certain: bool,
    stop: Callable[[], None],
    ended: threading.Event,
    asked_seconds: float = ASKED_SECONDS,
    grace_seconds: float = GRACE_SECONDS,
) -> int | None:
    """What a window answers when the session is about to end; None for other messages.

    The question alone stops the job: it has seconds, and if the shutdown is called off it can be resumed. is_certain: of SESSION_ENDS.
    """
    if message == MAY_SESSION_END:
        stop()
        ended.wait(asked_seconds)
        return 1
    if message == SESSION_ENDS:
        if is_certain:
            stop()
            ended.wait(grace_seconds)
        return 0
    return None


class SessionWindow:
    """A window that nobody sees, in a thread of its own: Windows tells the end of a session to windows, and not to those for messages only."""

    def __init__(self, stop: Callable[[], None], ended: threading.Event):
        self.user, self.stop, self.ended = _user32(), stop, ended
        self.handle: int | None = None
        self.is_made = threading.Event()
        self.thread = threading.Thread(target=self._live, name="session", daemon=True)
        self.thread.start()
        self.is_made.wait(5)

    def close(self) -> None:
        if self.handle:
            self.user.PostMessageW(self.handle, CLOSE, 0, 0)
            self.thread.join(5)

    def _live(self) -> None:
        import ctypes
        from ctypes import wintypes

        user, instance = self.user, ctypes.c_void_p(ctypes.windll.kernel32.GetModuleHandleW(None))
        procedure = _window_procedure()(self._hear)  # kept as long as the window lives
        look = _window_class()(lpfnWndProc=procedure, hInstance=instance, lpszClassName=WINDOW_CLASS)
        user.RegisterClassW(ctypes.byref(look))
        self.handle = user.CreateWindowExW(0, WINDOW_CLASS, "Likeness Studio", 0, 0, 0, 0, 0, None, None, instance, None)
        self.is_made.set()
        if not self.handle:  # no desktop, as in a service: the last safety copy has to do there
            log.warning("no window could be made, so a shutdown is not noticed (error %s)", ctypes.get_last_error())
            return
        user.ShutdownBlockReasonCreate(self.handle, "A job is being saved")
        message = wintypes.MSG()
        while user.GetMessageW(ctypes.byref(message), None, 0, 0) > 0:
            user.DispatchMessageW(ctypes.byref(message))
        user.UnregisterClassW(WINDOW_CLASS, instance)

    def _hear(self, handle: int, message: int, first: int, second: int) -> int:
        answer = answer_session(message, bool(first), self.stop, self.ended)
        if answer is not None:
            return answer
        if message == DESTROY:
            self.user.PostQuitMessage(0)
            return 0
        return self.user.DefWindowProcW(handle, message, first, second)


def _window_procedure() -> Any:
    import ctypes
    from ctypes import wintypes

    return ctypes.WINFUNCTYPE(ctypes.c_ssize_t, wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM)


def _window_class() -> Any:
    """WNDCLASSW."""
    import ctypes
    from ctypes import wintypes

    names = ("hIcon", "hCursor", "hbrBackground")
    fields = [("style", wintypes.UINT), ("lpfnWndProc", _window_procedure()), ("cbClsExtra", ctypes.c_int), ("cbWndExtra", ctypes.c_int)]
    fields += [("hInstance", wintypes.HINSTANCE), *((name, wintypes.HANDLE) for name in names)]
    fields += [("lpszMenuName", wintypes.LPCWSTR), ("lpszClassName", wintypes.LPCWSTR)]
    return type("WNDCLASSW", (ctypes.Structure,), {"_fields_": fields})


def _user32() -> Any:
    """user32.dll of our own, so that nobody else's argument types are changed."""
    import ctypes
    from ctypes import wintypes

    user = ctypes.WinDLL("user32", use_last_error=True)
    whole = [wintypes.HWND, wintypes.UINT, wintypes.WPARAM, wintypes.LPARAM]
    user.DefWindowProcW.argtypes, user.DefWindowProcW.restype = whole, ctypes.c_ssize_t
    user.PostMessageW.argtypes = whole
    user.CreateWindowExW.argtypes = [wintypes.DWORD, wintypes.LPCWSTR, wintypes.LPCWSTR, wintypes.DWORD, *[ctypes.c_int] * 4]
    user.CreateWindowExW.argtypes += [wintypes.HWND, wintypes.HMENU, wintypes.HINSTANCE, wintypes.LPVOID]
    user.CreateWindowExW.restype = wintypes.HWND
    user.ShutdownBlockReasonCreate.argtypes = [wintypes.HWND, wintypes.LPCWSTR]
    user.UnregisterClassW.argtypes = [wintypes.LPCWSTR, wintypes.HINSTANCE]
    return user
