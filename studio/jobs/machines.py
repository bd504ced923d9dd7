"""A training whose processes were started by accelerate's launcher, on this computer or on several that share the workspace folder.

The launcher tells each process its place; the first one runs the job as ever, and tells the others which run it is. They hear of each other
through small files in the run folder, as no process can look at one of another computer.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

from studio.clocks import awake_seconds
from studio.errors import Problem
from studio.facts import Facts, read_facts, write_facts
from studio.training.schedule import processes_for

RANK_VARIABLES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")  # as accelerate reads them
LAUNCHED = "TORCHELASTIC_RUN_ID"  # set by its launcher alone
BEAT_SECONDS = 5.0
SILENT_SECONDS = 120.0  # without a beat, after which a process counts as gone
LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Place:
    """Where a process stands among all that a launcher started. local_size: of those on this computer."""

    rank: int
    size: int
    local_size: int


def find_place() -> Place | None:
    """The Place that a launcher gave to this process; None where it was started by itself."""
    if LAUNCHED not in os.environ or os.environ["WORLD_SIZE"] == "1":
        return None
    return Place(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")))


@contextmanager
def invited(run_dir: Path, place: Place) -> Iterator[list[Remote]]:
    """[Remote] of all other processes, after they have been told to take part in the run; this one's own pulse beats inside."""
    others = [Remote(run_dir, rank) for rank in range(1, place.size)]
    try:
        with Pulse(run_dir, place.rank):
            gather(place, Path(run_dir).name)
            yield others
    finally:
        with suppress(PermissionError):  # Windows: open elsewhere
            pulse_file(run_dir, place.rank).unlink(missing_ok=True)


def gather(place: Place, run_name: str = "") -> str:
    """Wait for all processes of the launch. Returns the name of the run that the first one announces; the others leave it out."""
    from studio.training.endure.process_group import broadcast_text, init_process_group  # loads torch

    require_gpus(place.local_size)
    os.environ.update({name: os.environ.get(name, value) for name, value in talking_through(os.environ["MASTER_ADDR"]).items()})
    init_process_group()
    return broadcast_text(run_name)


def require_gpus(size: int) -> None:
    """Problem if this computer has GPUs, and fewer than processes."""
    import torch

    count = torch.cuda.device_count()
    if 0 < count < size:
        fewer = processes_for(count)
        raise Problem(
            f"This training is for {size} graphics cards, and {count} can be used.",
            cost="Nothing was lost.",
            fix=f"Let it go on with {fewer}, in a terminal with: train PROJECT --resume --set processes={fewer}",
            action="use-fewer-cards",
        )


def talking_through(address: str) -> dict[str, str]:
    """Environment that lets gloo use the network card that leads to an address: by itself it takes the host name's, which may be any of them."""
    name = network_card_towards(address) if os.name == "posix" else ""
    return {"GLOO_SOCKET_IFNAME": name} if name else {}


def network_card_towards(address: str) -> str:
    """The name of this computer's network card that leads to an address or host name; "" if it can't be told."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((address, 9))  # sends nothing
        except OSError:
            return ""
        own = probe.getsockname()[0]
    return next((name for name, found in psutil.net_if_addrs().items() if any(card.address == own for card in found)), "")


def pulse_file(run_dir: Path, rank: int) -> Path:
    return Path(run_dir) / f"group-{rank}.json"


@dataclass(frozen=True, kw_only=True)
class Beat(Facts):
    """A process's sign of life; code: the exit code that it ended with."""

    ALWAYS_WRITTEN = ("beat", "code")
    beat: int
    code: int | None = None


class Pulse:
    """While the block runs, a file says again and again that this process lives; afterwards, with which exit code it ended."""

    def __init__(self, run_dir: Path, rank: int):
        self.file, self.code = pulse_file(run_dir, rank), 0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Self:
        self._write(0, None)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        self._closing.set()
        self._thread.join()
        self._write(0, self.code or int(kind is not None))

    def _beat(self) -> None:
        count = 0
        while not self._closing.wait(BEAT_SECONDS):
            count += 1
            self._write(count, None)

    def _write(self, count: int, code: int | None) -> None:
        with suppress(
            OSError
        ):  # a shared folder that is away for a moment: the next beat tells; one that stays away is met by the training
            write_facts(self.file, Beat(beat=count, code=code))


class Remote:
    """A process that only its pulse is known of; to be asked as a subprocess.Popen is."""

    def __init__(self, run_dir: Path, rank: int, clock: Callable[[], float] = awake_seconds):
        self.file = pulse_file(run_dir, rank)
        self.returncode: int | None = None
        self._beat: Beat | None = None
        self._clock, self._heard, self._looked = clock, clock(), float("-inf")

    def poll(self) -> int | None:
        """None as long as it lives, as far as is known."""
        now = self._clock()
        if self.returncode is None and now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look(now)
        return self.returncode

    def _look(self, now: float) -> None:
        try:
            found = read_facts(Beat, self.file)
        except (OSError, ValueError):  # not there yet, or being written
            found = self._beat
        if found != self._beat:
            self._beat, self._heard = found, now
        if found and found.code is not None:
            self.returncode = found.code
        elif now - self._heard > SILENT_SECONDS:
            self.returncode = 1

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and timeout is not None and time.monotonic() >= end:
                raise subprocess.TimeoutExpired(self.file.name, timeout)
            time.sleep(0.2)
        return code

    def kill(self) -> None:
        """It is out of reach: it ends by itself once this process is silent."""
        self.returncode = 1 if self.returncode is None else self.returncode
