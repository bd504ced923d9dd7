"""The only ways a file of the workspace is read and written: atomic writes, JSON with its format, torn-proof logs, locks between processes."""

import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from studio.errors import Problem

FORMAT = 1  # of the files that this version writes
RETRY_SECONDS = 2.0  # Windows: a virus scanner or a reader may hold a file for a moment
MAX_PATH_BYTES = 32_000  # of a file that names a folder; Windows takes 32,767 characters
FOLDER_RETRY_SECONDS = 30.0  # it looks through a whole new folder for longer, and hours of training may lie in that
Answer = TypeVar("Answer")


def file_sha256(path: Path) -> str:
    """The hash of a file's bytes, as hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomic(path: Path | str, data: bytes) -> None:
    """Write bytes so that a reader, a crash or a full disk never sees half a file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """A hidden name beside `path` that nobody else has: not made of the time, which stands still for 15 ms on Windows, and short."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def replace(source: Path, target: Path) -> None:
    """os.replace, retried for a moment where Windows says that someone holds the file."""
    patiently(lambda: os.replace(source, target), RETRY_SECONDS)


def patiently(action: Callable[[], Answer], seconds: float) -> Answer:
    """What `action` returns, tried again for so long where Windows says that someone holds the file."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return action()
        except PermissionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def write_json(path: Path | str, data: Mapping[str, Any]) -> None:
    """A JSON object, with `format`, written atomically."""
    write_atomic(path, (json.dumps({"format": FORMAT} | dict(data), ensure_ascii=False, indent=1) + "\n").encode())


def parse_json(text: str | bytes) -> Any:
    """What a text or its UTF-8 bytes hold; ValueError if that is no JSON, or nested so deeply that it can only be meant to do harm."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_json(path: Path | str) -> dict[str, Any]:
    """The JSON object in a file. OSError if it is not there, ValueError in words if it is damaged."""
    try:
        data = parse_json(patiently(Path(path).read_bytes, RETRY_SECONDS))
    except ValueError as e:
        raise ValueError(f"{_place(path)} is damaged ({e}); restore it from a backup or delete it") from None
    if not isinstance(data, dict):
        raise ValueError(f"{_place(path)} is damaged (not a JSON object); restore it from a backup or delete it")
    return data


def _place(path: Path | str) -> str:
    """train-001/config.json: many folders have a file of that name."""
    return "/".join(Path(path).parts[-2:])


def read_path(path: Path | str) -> Path:
    """The folder that a text file names in its first line that is not empty, saved by any editor: Notepad's and PowerShell's marks, quotes
    around it. Problem, with the file's name, where it names none."""
    path = Path(path)
    if path.is_dir():
        raise _no_path(path, "is a folder, where a text file with the path of one belongs")
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_PATH_BYTES + 1)
        encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
        lines = [line.strip() for line in data.decode(encoding).splitlines()]
    except UnicodeDecodeError:
        raise _no_path(path, "is no text in UTF-8") from None
    except OSError as e:
        raise _no_path(path, f"can't be read ({e.strerror or e})") from None
    text = next((line.strip("\ufeff\"' ") for line in lines if line.strip("\ufeff")), "")
    if not text or not text.isprintable() or len(data) > MAX_PATH_BYTES:
        raise _no_path(path, "names no folder")
    return Path(text)


def _no_path(path: Path, what: str) -> Problem:
    return Problem(
        f"{path.name} {what}.", fix=f"Save {path} anew with the path of the folder in it, in UTF-8, or delete it and link the folder again."
    )


def append_jsonl(path: Path | str, record: Mapping[str, Any], *, sync: bool = False) -> None:
    """Append one JSON line. A line torn by a crash is closed first, so that only it is lost. sync: it is on the disk afterwards."""
    path = Path(path)
    line = json.dumps(dict(record), ensure_ascii=False).encode() + b"\n"
    with patiently(lambda: open(path, "ab+"), RETRY_SECONDS) as file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                line = b"\n" + line
        file.write(line)
        if sync:
            file.flush()
            os.fsync(file.fileno())


def read_jsonl(path: Path | str, offset: int = 0, max_bytes: int = -1) -> tuple[list[dict[str, Any]], int]:
    """(records, next offset) of the complete lines from a byte offset on; a torn line is left out. A missing file is empty.

    max_bytes: read about so much of a long file at once, up to the end of a line.
    """
    try:
        with patiently(lambda: open(path, "rb"), RETRY_SECONDS) as file:
            offset = offset if offset <= file.seek(0, os.SEEK_END) else 0  # shorter than it was: another file took its place
            file.seek(offset)
            data = file.read(max_bytes)
            data += file.readline() if max_bytes >= 0 else b""
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    records = []
    for line in data[:end].splitlines():
        try:
            record = parse_json(line)
        except ValueError:
            continue  # torn by a crash, and closed by append_jsonl
        if isinstance(record, dict):
            records.append(record)
    return records, offset + end


@contextmanager
def finished_dir(path: Path | str) -> Iterator[Path]:
    """A folder that appears whole or not at all: yields a temporary folder beside it, renamed to `path` at the end.

    One that is there already is renamed out of the way first, and removed last: if it can't be replaced, it stays as it was.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    temporary.mkdir()
    try:
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                _sync_file(file)
        _swap_in(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap_in(folder: Path, path: Path) -> None:
    """Rename a folder to `path`, in place of the one that may be there."""
    if not path.exists():
        patiently(lambda: os.replace(folder, path), FOLDER_RETRY_SECONDS)
        return
    former = _temporary(path)
    patiently(lambda: os.replace(path, former), FOLDER_RETRY_SECONDS)
    try:
        patiently(lambda: os.replace(folder, path), FOLDER_RETRY_SECONDS)
    except OSError:
        os.replace(former, path)
        raise
    shutil.rmtree(former, ignore_errors=True)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path | str, timeout_seconds: float = 20.0) -> Iterator[None]:
    """Hold an inter-process lock beside `path` for a read-change-write; freed by the system if the holder dies."""
    from filelock import FileLock, Timeout

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(path.with_name(f".{path.name}.lock")), timeout=timeout_seconds)
    try:
        lock.acquire()
    except Timeout:
        raise TimeoutError(f"{path.name} is in use by another program; close the other studio and try again") from None
    try:
        yield
    finally:
        lock.release()
