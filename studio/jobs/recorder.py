"""What a running job writes: events as they happen, and its status from a thread of its own, so that a long step still has a pulse."""

import threading
import time
import traceback
from contextlib import suppress

from studio.clocks import awake_seconds
from studio.errors import is_disk_full
from studio.jobs import state
from studio.jobs.problems import explain
from studio.jobs.watch import Watch, in_words
from studio.workspace import append_jsonl, write_json

STATUS_SECONDS = 0.5  # at most this often while there is news
HEARTBEAT_SECONDS = 5.0  # at least this often
MAX_UNWRITTEN = 20_000  # events kept in memory: days of steps of a large model
PROGRESS_EVENT_SECONDS = 60.0  # each step has an event of its own; these are for whoever reads the file later


class Recorder:
    """`report`, `should_stop` and `should_save` for core functions. Use as a context manager, and call `end` once inside it."""

    def __init__(self, run_dir, echo=None):
        self.run_dir = run_dir
        self.echo = echo  # called as echo(event, fields) for a person who watches
        self.status = state.read_record(run_dir) | {
            "state": "running",
            "started_at": time.time(),
            "ended_at": None,
            "error": None,
            "notice": "",
        }
        self.stop_was_seen = False
        self._unwritten, self._write_again = [], 0.0  # events, while another program has the file to itself
        self._stop = False
        self._lock, self._events_lock = threading.Lock(), threading.Lock()
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._keep_status, name="status", daemon=True)
        self._pace, self._watch = Pace(), Watch()
        self._progress_written = (None, 0.0)

    def __enter__(self):
        self._write_status()
        self._thread.start()
        return self

    def __exit__(self, *exc_info):
        self._closing.set()
        self._news.set()
        self._thread.join()

    # -- for core functions

    def report(self, event, **fields):
        """Record an event; "progress" also refreshes the status and the time left."""
        if event == "progress":
            self._report_progress(fields)
        else:
            self._watch.saw_event()
            self._append({"event": event, "time": time.time()} | fields)
        if event in ("note", "error", "checkpoint", "resume"):
            self.log(f"{event}: " + ", ".join(f"{k} {v}" for k, v in fields.items()))
        self._tell(event, fields)

    def should_stop(self):
        """Whether the person, or the system, asked the job to save and end."""
        if self._stop or state.stop_file(self.run_dir).exists():
            self.stop_was_seen = True
        return self.stop_was_seen

    def should_save(self):
        """True once for every "save now"."""
        if not state.save_file(self.run_dir).exists():
            return False
        return _remove(state.save_file(self.run_dir))

    # -- for the worker

    def stop_now(self):
        """Ask for a stop from inside the process (a signal)."""
        self._stop = True

    def end(self, final_state, *, result=None, error=None):
        """Write the last status: done, stopped or failed."""
        if self._unwritten:
            with suppress(OSError), self._events_lock:  # a full disk: how the job ended matters more
                self._write_events()
        for request in (state.stop_file(self.run_dir), state.save_file(self.run_dir)):
            _remove(request)
        with self._lock:
            self.status |= {"state": final_state, "ended_at": time.time(), "result": result or {}, "error": error, "seconds_left": None}
        self._write_status()

    def fail(self, exception):
        """End as failed, in words; the traceback goes to the log. Returns the words."""
        error = explain(exception)
        self.log("".join(traceback.format_exception(exception)))
        try:
            self._append({"event": "error", "time": time.time()} | error)
        except OSError as e:
            self.log(f"the event could not be written: {e}")
        self.end("failed", error=error)
        return error

    def log(self, text):
        """A line for log.txt with the time; a full disk or a program that holds the log must not end a job only because of it."""
        try:
            with open(self.run_dir / "log.txt", "a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")
        except OSError as e:
            if not (is_disk_full(e) or isinstance(e, PermissionError)):
                raise

    # -- inside

    def _append(self, event):
        """An event for events.jsonl. While the disk is full, or another program (Excel, a backup) keeps the file to itself, it waits in memory."""
        with self._events_lock:
            self._unwritten.append(event)
            if time.monotonic() >= self._write_again:
                self._write_events()

    def _write_events(self):
        try:
            while self._unwritten:
                append_jsonl(self.run_dir / "events.jsonl", self._unwritten[0])
                self._unwritten.pop(0)
        except OSError as e:
            if not (isinstance(e, PermissionError) or is_disk_full(e)) or len(self._unwritten) > MAX_UNWRITTEN:
                raise
            self._write_again = time.monotonic() + HEARTBEAT_SECONDS  # each try waits for a while: not at every step
            self.log(f"{len(self._unwritten)} events wait, because events.jsonl can't be written now: {e}")

    def _tell(self, event, fields):
        """Show an event in the terminal, as long as there is one: a job outlives its window."""
        if self.echo:
            try:
                self.echo(event, fields)
            except OSError:
                self.echo = None

    def _report_progress(self, fields):
        stage, now = fields.get("stage"), awake_seconds()
        self._watch.saw_progress(stage, fields.get("done"))
        seconds_left = fields.pop("seconds_left", None)
        if seconds_left is None:
            seconds_left = self._pace.seconds_left(stage, fields.get("done"), fields.get("total"), now)
        with self._lock:
            self.status |= {"progress": fields, "seconds_left": seconds_left}
        self._news.set()
        last_stage, written = self._progress_written
        finished = fields.get("total") and fields.get("done") == fields["total"]
        if stage != last_stage or finished or now - written > PROGRESS_EVENT_SECONDS:
            self._progress_written = (stage, now)
            self._append({"event": "progress", "time": time.time()} | fields)

    def _keep_status(self):
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

    def _look_around(self):
        """Notice a standstill, and that the computer slept."""
        if slept := self._watch.look_for_sleep():
            self._append({"event": "asleep", "time": time.time(), "seconds": round(slept)})
            self.log(f"note: the computer slept for {in_words(slept)}; the job goes on")
        notice = self._watch.notice()
        if notice and not self.status.get("notice"):
            self.log(f"note: {notice}")
        with self._lock:
            self.status |= {"notice": notice}

    def _write_status(self):
        with self._lock:
            # create_time is read afresh: it moves with the computer's clock, for the readers just as for us
            self.status |= state.own_identity() | {"updated_at": time.time()}
            over = self.status["state"] in state.OVER
            data = self.status | ({"pid": None, "create_time": None, "notice": ""} if over else {})
            try:
                write_json(state.status_file(self.run_dir), data)
            except OSError as e:
                # Windows: a reader forbids to replace, not to write
                if not (is_disk_full(e) or (over and isinstance(e, PermissionError))):
                    raise
                state.overwrite_status(self.run_dir, data)


def _remove(request):
    """Remove a file of a request; whether that worked. On Windows another program may hold it for a moment."""
    try:
        request.unlink(missing_ok=True)
    except PermissionError:
        return False
    return True


class Pace:
    """Time left from the recent pace of a stage: the last half of what is known, so that a slow start is forgotten."""

    def __init__(self):
        self._stage, self._points = None, []

    def seconds_left(self, stage, done, total, now):
        if not total or done is None:
            return None
        if stage != self._stage or (self._points and done < self._points[-1][1]):
            self._stage, self._points = stage, []
        self._points.append((now, done))
        if len(self._points) > 256:
            self._points = self._points[::2]
        then, done_then = self._points[len(self._points) // 2 - 1] if len(self._points) > 1 else self._points[0]
        return (total - done) * (now - then) / (done - done_then) if done > done_then else None
