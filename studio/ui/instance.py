"""One studio per workspace: who runs it, and on which port. Free of gradio, so that a second start answers at once."""

import errno
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from filelock import BaseFileLock, FileLock, Timeout

from studio.disk import read_json, write_json
from studio.errors import Problem
from studio.jobs.state import is_alive, own_identity
from studio.surroundings import as_found
from studio.workspace import Workspace

LOOPBACK = "127.0.0.1"
NUM_PORTS_TRIED = 20
APPEARS_WITHIN_SECONDS = 3.0  # between taking the lock and writing the address


class AlreadyRunning(Problem):
    """Another studio has this workspace; `url` is its address."""

    def __init__(self, url: str):
        super().__init__(f"the studio already runs at {url}")
        self.url = url


def record_file(workspace: Workspace) -> Path:
    return workspace.home / "studio.json"


def find_running(workspace: Workspace) -> str | None:
    """The address of the studio that has this workspace, or None. A killed one leaves nothing behind that counts: its lock is gone."""
    deadline = time.monotonic() + APPEARS_WITHIN_SECONDS
    while _is_locked(workspace):
        record = _read_record(workspace)
        if is_alive(record.get("pid"), record.get("create_time")):
            return record["url"]
        if time.monotonic() > deadline:
            if psutil.pid_exists(record.get("pid", -1)) and _answers(record["port"]):
                return record["url"]  # the computer's clock was set since it started, and with it the create times
            raise Problem(f"another program holds the workspace {workspace.home}", fix="close it, or start with --home and another folder")
        time.sleep(0.05)
    return None


@contextmanager
def claim(workspace: Workspace, port: int) -> Iterator[str]:
    """Have the workspace for this process while the block runs; yields the address. AlreadyRunning if another studio has it."""
    url = f"http://{LOOPBACK}:{port}"
    workspace.home.mkdir(parents=True, exist_ok=True)
    lock = _lock(workspace)
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            running = find_running(workspace)  # None: it was only being looked at
            if running:
                raise AlreadyRunning(running) from None
    try:
        write_json(record_file(workspace), own_identity().identity() | {"port": port, "url": url})
        yield url
    finally:
        record_file(workspace).unlink(missing_ok=True)
        lock.release()


def _lock(workspace: Workspace) -> BaseFileLock:
    return FileLock(str(workspace.home / ".studio.lock"))


def _is_locked(workspace: Workspace) -> bool:
    if not workspace.home.is_dir():
        return False
    lock = _lock(workspace)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _read_record(workspace: Workspace) -> dict[str, Any]:
    try:
        return read_json(record_file(workspace))
    except (OSError, ValueError):  # not yet written, or half-removed: the caller looks again
        return {}


def _answers(port: int) -> bool:
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0):
            return True
    except OSError:
        return False


def choose_port(port: int, *, fixed: bool = False, host: str = LOOPBACK) -> int:
    """`port`, or the next free one after it, or any; Problem if `port` is taken and `fixed`."""
    for candidate in range(port, port + 1 if fixed else min(port + NUM_PORTS_TRIED, 65535) + 1):
        if port_is_free(candidate, host):
            return candidate
    if fixed:
        raise Problem(
            f"port {port} is in use by another program", fix=f"choose another, for example --port {port + 1 if port < 65535 else 7860}"
        )
    with socket.socket() as anything:  # Windows with Hyper-V or Docker reserves whole blocks of ports: the system knows a free one
        anything.bind((host, 0))
        return anything.getsockname()[1]


def port_is_free(port: int, host: str = LOOPBACK) -> bool:
    with socket.socket() as probe:
        if os.name == "nt":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EACCES and os.name != "nt":
                raise Problem(f"port {port} is reserved by the system", fix="choose one above 1023, for example --port 7860") from None
            return False
    return True


def open_in_browser(url: str) -> None:
    """Open a browser window where there is a desktop; never a text browser in the terminal."""
    if sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        command = [sys.executable, "-I", "-c", "import sys, webbrowser; webbrowser.open(sys.argv[1])", url]
        subprocess.run(command, env=as_found(os.environ), stdin=subprocess.DEVNULL, check=False)  # a browser wants the person's proxy
