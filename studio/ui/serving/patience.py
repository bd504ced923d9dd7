"""How long the studio waits for others: requests that never end are cut off, and wrong passwords are answered ever more slowly."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

HEAD_SECONDS = 15.0  # for the head of a request, from its first byte, or from the connection on
BODY_SECONDS = 60.0  # without a byte of a body that has not ended: a slow upload sends some
LOOK_SECONDS = 5.0
FREE_TRIES = 5  # wrong passwords that cost nothing
MOST_WAIT_SECONDS = 60.0
MOST_ADDRESSES = 1000  # remembered


class PatientProtocol(AutoHTTPProtocol):
    """uvicorn's own, which waits for ever for a request that was begun."""

    cycle: Any  # uvicorn's: the request that arrives or is answered, None before the first
    transport: Any

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._heard = self._begun = time.monotonic()
        self._look_again()

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        if not self._is_reading():
            self._begun = now  # the next request on a connection that was kept
        self._heard = now
        super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        super().connection_lost(exc)

    def _is_reading(self) -> bool:
        """Whether a request has begun to arrive, or is still to come on a new connection, and has not all arrived."""
        return self.cycle is None or (not self.cycle.response_complete and self.cycle.more_body)

    def _look_again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._end_if_abandoned)

    def _end_if_abandoned(self) -> None:
        now = time.monotonic()
        head_is_late = self.cycle is None and now - self._begun > HEAD_SECONDS
        body_is_late = self.cycle is not None and self._is_reading() and now - self._heard > BODY_SECONDS
        if head_is_late or body_is_late:
            self.transport.close()
        else:
            self._look_again()


class Tries:
    """Wrong passwords by address. After a few each one more costs twice the time, and nothing from that address is looked at meanwhile."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, tuple[int, float]] = OrderedDict()  # address -> (wrong passwords, until when it has to wait)

    def seconds_to_wait(self, address: str) -> float:
        _, until = self._known.get(address, (0, 0.0))
        return max(0.0, until - time.monotonic())

    def note_wrong(self, address: str) -> None:
        count = self._known.pop(address, (0, 0.0))[0] + 1
        wait = min(MOST_WAIT_SECONDS, 2.0 ** (count - FREE_TRIES)) if count > FREE_TRIES else 0.0
        self._known[address] = (count, time.monotonic() + wait)
        while len(self._known) > MOST_ADDRESSES:
            self._known.popitem(last=False)

    def note_right(self, address: str) -> None:
        self._known.pop(address, None)
