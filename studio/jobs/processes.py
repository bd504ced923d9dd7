"""The process group of a training, as many processes as it has graphics cards to use: the one of rank 0, which runs the job, starts the others
(studio.jobs.follower), listens to them and ends them. Where a launcher started them all, they are invited instead: see studio.jobs.machines.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from studio.config import RENDEZVOUS_FILE
from studio.disk import read_jsonl
from studio.errors import Problem, ProcessLost
from studio.jobs import launcher, machines, state
from studio.jobs.problems import KEPT, Failure
from studio.jobs.recorder import Recorder
from studio.training.events import TRAINING

ENDING_SECONDS = 120.0  # to save and end
LOOK_SECONDS = 0.2
COUNTED = ("step", "held_out")  # events whose step is that of all processes together


@contextmanager
def process_group(run_dir: Path, world_size: int, recorder: Recorder) -> "Iterator[Recorder | GroupRecorder]":
    """Whom the training reports to: the recorder alone, or one that records for all processes of the group.

    Problem if there are fewer GPUs than processes, or if a process of another rank failed.
    """
    if world_size == 1:
        yield recorder
        return
    group, lost, place = GroupRecorder(run_dir, recorder), None, machines.find_place()
    if place:
        recorder.report("note", message=f"Waiting until all {place.size} processes are here.")
    with machines.invited(run_dir, place) if place else _started(run_dir, world_size) as group.others:
        try:
            with _leaving_at_once():
                if not place:
                    group.wait_until_all_are_here()
                yield group
        except ProcessLost as error:
            lost = error
        finally:
            group.end()
    group.raise_error()
    if lost:
        raise lost


@contextmanager
def _started(run_dir: Path, world_size: int) -> "Iterator[list[subprocess.Popen[bytes]]]":
    """The processes of all other ranks on this computer; inside, this one is rank 0 of their group."""
    machines.require_gpus(world_size)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, _environment(rank_variables(0, world_size, folder)):
        yield [_start(run_dir, rank, world_size, folder) for rank in range(1, world_size)]


class GroupRecorder:
    """Records the reports of all processes as one story: steps are counted as they come in, whichever rank took them."""

    def __init__(self, run_dir: Path, recorder: Recorder):
        self.run_dir, self.recorder = Path(run_dir), recorder
        self.others: Sequence[subprocess.Popen[bytes] | machines.Remote] = []  # the processes of the other ranks
        self.error: Failure | None = None
        self.step, self._offset = 0, 0
        self._num_here, self._works = 0, False  # another rank says the same as this process, until it begins its own part
        self.should_save = recorder.should_save
        self._remove_files()

    def report(self, event: str, **fields: Any) -> None:
        self._listen()
        self._tell(event, fields)

    def should_stop(self) -> bool:
        """Whether to end: as asked, or because another process failed. All of them are told."""
        self._listen()
        stop = self.recorder.should_stop() or any(process.poll() for process in self.others)
        if stop:
            stop_file(self.run_dir).touch()
        return stop

    def wait_until_all_are_here(self) -> None:
        """Problem if one ends before: whoever called for it now would wait for days."""
        while self._num_here < len(self.others):
            self._listen()
            if any(process.poll() is not None for process in self.others):
                self._listen()
                self.raise_error()
            time.sleep(LOOK_SECONDS)

    def end(self) -> None:
        """Let the other processes end, if they are not through, and record what they still had to say. One that loads a model is not waited for."""
        stop_file(self.run_dir).touch()
        end = time.monotonic() + ENDING_SECONDS
        for process in self.others:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                process.returncode = 0  # nothing went wrong: it has learned nothing since its safety copy
        self._listen()
        self._remove_files()

    def raise_error(self) -> None:
        """Problem if another process failed."""
        if self.error:
            raise self.error.as_problem()
        if any(process.returncode for process in self.others):
            raise Problem(
                "The process of another graphics card ended without a word.",
                cost=KEPT,
                fix="Resume to go on from there; the log may say more.",
                action="resume",
            )

    def _remove_files(self) -> None:
        for file in self.run_dir.glob("group*"):
            with suppress(PermissionError):  # Windows: open elsewhere; the next run of the job removes it
                file.unlink(missing_ok=True)

    def _listen(self) -> None:
        records, self._offset = read_jsonl(reports_file(self.run_dir), self._offset)
        for record in records:
            event = record.pop("event")
            self._works |= event == "phase"
            self._num_here += event == "here"
            if event == "error":
                self.error = Failure.from_json(record, "group.jsonl")
            elif self._works and event not in ("resume", "progress"):  # those of this process stand for all
                self._tell(event, record)

    def _tell(self, event: str, fields: dict[str, Any]) -> None:
        if event == "resume":
            self.step = fields["step"] = state.last_safe_step(self.run_dir)
        if event == "step":
            self.step += 1
        if event in COUNTED:
            fields["step"] = self.step
        if event == "progress" and fields.get("code") == TRAINING:
            fields = {name: value for name, value in fields.items() if name != "seconds_left"} | {"done": self.step}
        self.recorder.report(event, **fields)


def stop_file(run_dir: Path | str) -> Path:
    return Path(run_dir) / "group.stop"


def reports_file(run_dir: Path | str) -> Path:
    return Path(run_dir) / "group.jsonl"


def rank_variables(rank: int, world_size: int, folder: Path | str) -> dict[str, str]:
    """The environment of a process of a group on this computer, whose processes meet in a folder and talk through the loopback."""
    values = dict(zip(machines.RANK_VARIABLES, (rank, rank, world_size, world_size))) | {RENDEZVOUS_FILE: Path(folder) / "store"}
    return {name: str(value) for name, value in values.items()} | machines.talking_through("127.0.0.1")


def _start(run_dir: Path, rank: int, world_size: int, folder: str) -> "subprocess.Popen[bytes]":
    me = state.own_identity()
    command = [sys.executable, "-m", "studio.jobs.follower", str(run_dir), str(me.pid), repr(me.create_time)]
    flags = subprocess.CREATE_NO_WINDOW if os.name == "nt" else 0
    env = launcher.worker_environment() | rank_variables(rank, world_size, folder)
    with open(Path(run_dir) / "log.txt", "ab") as log:
        return subprocess.Popen(
            command,
            cwd=launcher.ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            creationflags=flags,
            start_new_session=os.name == "posix",  # Ctrl-C is the job's to hear
        )


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """Inside, this process is a member of the group; afterwards the next job of the same process can be of another."""
    from studio.training.endure.process_group import destroy_process_group  # loads torch

    before = {name: os.environ.get(name) for name in variables}
    destroy_process_group()
    os.environ.update(variables)
    try:
        yield
    finally:
        destroy_process_group()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def _leaving_at_once() -> Iterator[None]:
    """Who fails inside is no member any more: processes that wait for an answer of this one hear of it, instead of waiting on."""
    from studio.training.endure.process_group import destroy_process_group  # loads torch

    try:
        yield
    except BaseException:
        destroy_process_group()
        raise
