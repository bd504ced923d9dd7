"""More processes for one training, as many as it has graphics cards to use: started, listened to and ended by the process that runs the job.

Where a launcher started them all, they are invited instead: see studio.jobs.machines.

`python -m studio.jobs.siblings RUN_DIR PID CREATE_TIME` is one of them; it ends when the job's process is gone.
"""

import os
import subprocess
import sys
import time
import traceback
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from studio.config import RENDEZVOUS_FILE
from studio.errors import Problem, ProcessLost
from studio.jobs import launcher, machines, state
from studio.jobs.problems import KEPT, explain
from studio.workspace import append_jsonl, read_jsonl

ENDING_SECONDS = 120.0  # to save and end
LOOK_SECONDS = 0.2
COUNTED = ("step", "held_out")  # events whose step is that of all processes together


@contextmanager
def team(run_dir, size, recorder):
    """Whom the training talks to: the recorder alone, or one that speaks for this process and its siblings too.

    Problem if there are fewer GPUs than processes, or if a sibling failed.
    """
    if size == 1:
        yield recorder
        return
    voice, lost, place = Voice(run_dir, recorder), None, machines.find_place()
    if place:
        recorder.report("note", message=f"Waiting until all {place.size} processes are here.")
    with machines.invited(run_dir, place) if place else _started(run_dir, size) as voice.siblings:
        try:
            with _leaving_at_once():
                if not place:
                    voice.wait_until_all_are_here()
                yield voice
        except ProcessLost as error:
            lost = error
        finally:
            voice.end()
    voice.raise_error()
    if lost:
        raise lost


@contextmanager
def _started(run_dir, size):
    """The processes of all siblings on this computer; inside, this one is a member of their team."""
    machines.require_gpus(size)
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder, _environment(ranks(0, size, folder)):
        yield [_start(run_dir, rank, size, folder) for rank in range(1, size)]


class Voice:
    """Reports of all processes as one story: steps are counted as they come in, whoever took them."""

    def __init__(self, run_dir, recorder):
        self.run_dir, self.recorder, self.siblings = Path(run_dir), recorder, []
        self.step, self.error, self._offset = 0, None, 0
        self._num_here, self._works = 0, False  # a sibling says the same as this process, until it begins its own part
        self.should_save = recorder.should_save
        self._remove_files()

    def report(self, event, **fields):
        self._listen()
        self._tell(event, fields)

    def should_stop(self):
        """Whether to end: as asked, or because a sibling failed. All of them are told."""
        self._listen()
        stop = self.recorder.should_stop() or any(process.poll() for process in self.siblings)
        if stop:
            stop_file(self.run_dir).touch()
        return stop

    def wait_until_all_are_here(self):
        """Problem if one ends before: whoever called for it now would wait for days."""
        while self._num_here < len(self.siblings):
            self._listen()
            if any(process.poll() is not None for process in self.siblings):
                self._listen()
                self.raise_error()
            time.sleep(LOOK_SECONDS)

    def end(self):
        """Let the siblings end, if they are not through, and record what they still had to say. One that loads a model is not waited for."""
        stop_file(self.run_dir).touch()
        end = time.monotonic() + ENDING_SECONDS
        for process in self.siblings:
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                process.returncode = 0  # nothing went wrong: it has learned nothing since its safety copy
        self._listen()
        self._remove_files()

    def raise_error(self):
        """Problem if a sibling failed."""
        if self.error:
            raise Problem(self.error["message"], cost=self.error["cost"], fix=self.error["fix"], action=self.error["action"])
        if any(process.returncode for process in self.siblings):
            raise Problem(
                "The process of another graphics card ended without a word.",
                cost=KEPT,
                fix="Resume to go on from there; the log may say more.",
                action="resume",
            )

    def _remove_files(self):
        for file in self.run_dir.glob("siblings*"):
            with suppress(PermissionError):  # Windows: open elsewhere; the next run of the job removes it
                file.unlink(missing_ok=True)

    def _listen(self):
        records, self._offset = read_jsonl(reports_file(self.run_dir), self._offset)
        for record in records:
            event = record.pop("event")
            self._works |= event == "phase"
            self._num_here += event == "here"
            if event == "error":
                self.error = record
            elif self._works and event not in ("resume", "progress"):  # those of this process stand for all
                self._tell(event, record)

    def _tell(self, event, fields):
        if event == "resume":
            self.step = fields["step"] = state.last_safe_step(self.run_dir)
        if event == "step":
            self.step += 1
        if event in COUNTED:
            fields["step"] = self.step
        if event == "progress" and fields.get("stage") == "Training":
            fields = {name: value for name, value in fields.items() if name != "seconds_left"} | {"done": self.step}
        self.recorder.report(event, **fields)


def stop_file(run_dir):
    return Path(run_dir) / "siblings.stop"


def reports_file(run_dir):
    return Path(run_dir) / "siblings.jsonl"


def ranks(rank, size, folder):
    """The environment variables of a process of a team on this computer, whose processes meet in a folder and talk through the loopback."""
    values = dict(zip(machines.RANK_VARIABLES, (rank, rank, size, size))) | {RENDEZVOUS_FILE: Path(folder) / "store"}
    return {name: str(value) for name, value in values.items()} | machines.talking_through("127.0.0.1")


def _start(run_dir, rank, size, folder):
    me = state.own_identity()
    command = [sys.executable, "-m", "studio.jobs.siblings", str(run_dir), str(me["pid"]), repr(me["create_time"])]
    flags = (
        {"creationflags": subprocess.CREATE_NO_WINDOW} if os.name == "nt" else {"start_new_session": True}
    )  # Ctrl-C is the job's to hear
    with open(Path(run_dir) / "log.txt", "ab") as log:
        env = launcher.worker_environment() | ranks(rank, size, folder)
        return subprocess.Popen(command, cwd=launcher.ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **flags)


@contextmanager
def _environment(variables):
    """Inside, this process is a member of the team; afterwards the next job of the same process can be of another."""
    from studio.training.endure.process_group import destroy_process_group

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
def _leaving_at_once():
    """Who fails inside is no member any more: siblings that wait for an answer of this process hear of it, instead of waiting on."""
    from studio.training.endure.process_group import destroy_process_group

    try:
        yield
    except BaseException:
        destroy_process_group()
        raise


def main(run_dir, pid, create_time):
    """Take part in the training of a run folder until it is done, a stop is asked for, or the job's process is gone."""
    return take_part(Path(run_dir), lambda: not state.is_alive(int(pid), float(create_time)))


def follow(project, place):
    """Take part in the training that the first process of a launch runs. Returns (name of the run, exit code). Ctrl-C here stops them all."""
    from studio.jobs.worker import stop_on_signals

    run_dir = project.runs_dir / machines.gather(place)
    if not (run_dir / "config.json").is_file():
        raise Problem(
            f"{run_dir.name}, which the first computer has begun, is not in {project.runs_dir}.",
            cost="Nothing was lost.",
            fix="Let all computers use one workspace on a shared folder, and name it with --home.",
        )
    with machines.Pulse(run_dir, place.rank) as pulse, stop_on_signals(lambda: launcher.request_stop(run_dir)):
        first = machines.Remote(run_dir, 0)
        pulse.code = take_part(run_dir, lambda: first.poll() is not None) or first.poll() or 0
    return run_dir.name, pulse.code


def take_part(run_dir, is_alone):
    """This process's part of a training. is_alone(): whether the process that runs the job is gone. Returns the exit code."""
    import studio.training.loop  # noqa: F401 - what can fail before it is here
    from studio.jobs.tasks import train_beside

    def report(event, **fields):
        append_jsonl(reports_file(run_dir), {"event": event} | fields)

    report("here")
    try:
        train_beside(run_dir, report, lambda: stop_file(run_dir).exists() or is_alone())
    except ProcessLost:
        traceback.print_exc()
        return 1  # the process that ended has the words for it
    except Exception as error:
        traceback.print_exc()
        report("error", **explain(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
