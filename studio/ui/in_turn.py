"""A lock that is given in the order in which it was asked for: what a person pressed first is done first."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class InTurn:
    """Used as `with in_turn:`. threading.Lock promises no order among those who wait."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.line: deque[threading.Event] = deque()  # the first one holds the lock; each is set when its turn has come

    def __enter__(self) -> None:
        mine = threading.Event()
        with self.guard:
            self.line.append(mine)
            is_first = len(self.line) == 1
        if not is_first:
            mine.wait()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        with self.guard:
            self.line.popleft()
            if self.line:
                self.line[0].set()
