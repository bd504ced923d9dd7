"""What a running job writes: events as they happen, and its status from a thread of its own, so that a long step still has a pulse."""

import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from studio.clocks import awake_seconds
from studio.disk import append_jsonl
from studio.errors import is_disk_full
from studio.jobs import state
from studio.jobs.problems import Failure, explain
from studio.jobs.watch import Watch
from studio.words import duration

STATUS_SECONDS = 0.5  # at most this often while there is news
HEARTBEAT_SECONDS = 5.0  # at least this often
MAX_UNWRITTEN = 20_000  # events kept in memory: days of steps of a large model
PROGRESS_EVENT_SECONDS = 60.0  # each step has an event of its own; these are for whoever reads the file later
Echo = Callable[[str, dict[str, Any]], None]  # (event, fields), for a person who watches


class Recorder:
    """`report`, `should_stop` and `should_save` for core functions. Use as a context manager, and call `end` once inside it."""

    def __init__(self, run_dir: Path, echo: Echo | None = None):
        self.run_dir = run_dir
        self.echo = echo  # called as echo(event, fields) for a person who watches
        found = state.read_record(run_dir)
        self.status = replace(found, state="running", started_at=time.time(), ended_at=None, error=None, notice="")
        self.stop_was_seen = False
        self._unwritten: list[dict[str, Any]] = []  # events, while another program has the file to itself
        self._write_again = 0.0
        self._stop = False
        self._lock, self._events_lock = threading.Lock(), threading.Lock()
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_status, name="status", daemon=True)
        self._pace, self._watch = Pace(), Watch()
        self._progress_written: tuple[str | None, float] = (None, 0.0)

    def __enter__(self) -> Self:
        self._write_status()
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closing.set()
        self._news.set()
        self._thread.join()

    # -- for core functions

    def report(self, event: str, **fields: Any) -> None:
        """Record an event; "progress" also refreshes the status and the time left."""
        if event == "progress":
            self._report_progress(**fields)
        else:
            self._watch.saw_event()
            self._append({"event": event, "time": time.time()} | fields)
        if event in ("note", "error", "checkpoint", "resume"):
            self.log(f"{event}: " + ", ".join(f"{k} {v}" for k, v in fields.items()))
        self._tell(event, fields)

    def should_stop(self) -> bool:
        """Whether the person, or the system, asked the job to save and end."""
        if self._stop or state.stop_file(self.run_dir).exists():
            self.stop_was_seen = True
        return self.stop_was_seen

    def should_save(self) -> bool:
        """True once for every "save now"."""
        if not state.save_file(self.run_dir).exists():
            return False
        return _remove(state.save_file(self.run_dir))

    # -- for the worker

    def stop_now(self) -> None:
        """Ask for a stop from inside the process (a signal)."""
        self._stop = True

    def end(self, final_state: str, *, result: dict[str, Any] | None = None, error: Failure | None = None) -> None:
        """Write the last status: done, stopped or failed."""
        if self._unwritten:
            with suppress(OSError), self._events_lock:  # a full disk: how the job ended matters more
                self._write_events()
        for request in (state.stop_file(self.run_dir), state.save_file(self.run_dir)):
            _remove(request)
        with self._lock:
            self.status = replace(self.status, state=final_state, ended_at=time.time(), result=result or {}, error=error, seconds_left=None)
        self._write_status()

    def fail(self, exception: BaseException) -> Failure:
        """End as failed, in words; the traceback goes to the log. Returns the words."""
        error = explain(exception)
        self.log("".join(traceback.format_exception(exception)))
        try:
            self._append({"event": "error", "time": time.time()} | error.to_json())
        except OSError as e:
            self.log(f"the event could not be written: {e}")
        self.end("failed", error=error)
        return error

    def log(self, text: str) -> None:
        """A line for log.txt with the time; a full disk or a program that holds the log must not end a job only because of it."""
        try:
            with open(self.run_dir / "log.txt", "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")
        except OSError as e:
            if not (is_disk_full(e) or isinstance(e, PermissionError)):
                raise

    # -- inside

    def _append(self, event: dict[str, Any]) -> None:
        """An event for events.jsonl. While the disk is full, or another program (Excel, a backup) keeps the file to itself, it waits in memory."""
        with self._events_lock:
            self._unwritten.append(event)
            if time.monotonic() >= self._write_again:
                self._write_events()

    def _write_events(self) -> None:
        try:
            while self._unwritten:
                append_jsonl(self.run_dir / "events.jsonl", self._unwritten[0])
                self._unwritten.pop(0)
        except OSError as e:
            if not (isinstance(e, PermissionError) or is_disk_full(e)) or len(self._unwritten) > MAX_UNWRITTEN:
                raise
            self._write_again = time.monotonic() + HEARTBEAT_SECONDS  # each try waits for a while: not at every step
            self.log(f"{len(self._unwritten)} events wait, because events.jsonl can't be written now: {e}")

    def _tell(self, event: str, fields: dict[str, Any]) -> None:
        """Show an event in the terminal, as long as there is one: a job outlives its window."""
        if self.echo:
            try:
                self.echo(event, fields)
            except OSError:
                self.echo = None

    def _report_progress(self, seconds_left: float | None = None, **fields: Any) -> None:
        progress, now = state.Progress(**fields), awake_seconds()
        self._watch.saw_progress(progress.stage, progress.done)
        if seconds_left is None:
            seconds_left = self._pace.seconds_left(progress, now)
        with self._lock:
            self.status = replace(self.status, progress=progress, seconds_left=seconds_left)
        self._news.set()
        last_stage, written = self._progress_written
        if progress.stage != last_stage or progress.is_finished or now - written > PROGRESS_EVENT_SECONDS:
            self._progress_written = (progress.stage, now)
            self._append({"event": "progress", "time": time.time()} | fields)

    def _keep_status(self) -> None:
        while not self._closing.is_set():
            self._news.wait(HEARTBEAT_SECONDS)
            self._news.clear()
            if self._closing.is_set():
                return
            try:
                self._look_around()
                self._write_status()
            except OSError as e:  # the next pulse tries again; the job itself meets a lasting fault in its own writes
                self.log(f"the status could not be written: {e}")
            self._closing.wait(STATUS_SECONDS)

    def _look_around(self) -> None:
        """Notice a standstill, and that the computer slept."""
        if slept := self._watch.look_for_sleep():
            self._append({"event": "asleep", "time": time.time(), "seconds": round(slept)})
            self.log(f"note: the computer slept for {duration(slept)}; the job goes on")
        notice = self._watch.notice()
        if notice and not self.status.notice:
            self.log(f"note: {notice}")
        with self._lock:
            self.status = replace(self.status, notice=notice)

    def _write_status(self) -> None:
        with self._lock:
            # create_time is read afresh: it moves with the computer's clock, for the readers just as for us
            self.status = replace(self.status, **state.own_identity().identity(), updated_at=time.time())
            over = self.status.is_over
            facts = replace(self.status, pid=None, create_time=None, notice="") if over else self.status
            try:
                state.write_record(self.run_dir, facts)
            except OSError as e:
                # Windows: a reader forbids to replace, not to write
                if not (is_disk_full(e) or (over and isinstance(e, PermissionError))):
                    raise
                state.overwrite_status(self.run_dir, facts)


def _remove(request: Path) -> bool:
    """Remove a file of a request; whether that worked. On Windows another program may hold it for a moment."""
    try:
        request.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True


class Pace:
    """Time left from the recent pace of a stage: the last half of what is known, so that a slow start is forgotten."""

    def __init__(self):
        self._stage: str | None = None
        self._points: list[tuple[float, float]] = []

    def seconds_left(self, progress: state.Progress, now: float) -> float | None:
        stage, done, total = progress.stage, progress.done, progress.total
        if not total or done is None:
            return None
        if stage != self._stage or (self._points and done < self._points[-1][1]):
            self._stage, self._points = stage, []
        self._points.append((now, done))
        if len(self._points) > 256:
            self._points = self._points[::2]
        then, done_then = self._points[len(self._points) // 2 - 1] if len(self._points) > 1 else self._points[0]
        return (total - done) * (now - then) / (done - done_then) if done > done_then else None
