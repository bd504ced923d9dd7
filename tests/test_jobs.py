"""Jobs: a queue worked off by detached processes, stops that save, crashes that are noticed, errors in words."""

import errno
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from training_kit import add_photo

from studio import cli, disk
from studio.config import EXPERTS, CaptionConfig, to_dict
from studio.data.captions.caption_report import CaptionReport
from studio.disk import append_jsonl, read_json, read_jsonl, write_json
from studio.errors import Problem
from studio.jobs import launcher, processes, state, turns
from studio.jobs.kind import GPU, PROCESSOR, JobConfig, read_config
from studio.jobs.kinds.caption import CaptionJob, expect_seconds
from studio.jobs.kinds.curate import CurateJob
from studio.jobs.kinds.import_media import ImportJob
from studio.jobs.kinds.train import TrainJob
from studio.jobs.problems import explain
from studio.jobs.recorder import Pace, Recorder
from studio.jobs.state import Progress
from studio.jobs.worker import run_job
from studio.training import events, history
from studio.training.curves import BandCurve, read_curves
from studio.training.history import read_history

DEADLINE_SECONDS = 90

# A process that owns a job and is in the middle of a step: what a killed worker leaves behind.
HOLDER = """
import sys, time
from pathlib import Path
from studio.jobs import launcher, state, worker
from studio.jobs.recorder import Recorder
from studio.workspace import project_of
run_dir = Path(sys.argv[1])
lock = launcher.worker_lock(project_of(run_dir).workspace, state.read_status(run_dir).queue)
lock.acquire()
assert worker._claim(run_dir)
with Recorder(run_dir) as recorder:
    recorder.report("progress", stage="learning", done=3, total=10, unit="steps", message="")
    print("ready", flush=True)
    time.sleep(600)
"""


def wait_until(condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.05)
    return found


def wait_for_end(run_dir):
    def over():
        job = state.read_status(run_dir)
        return job if job.is_over else None

    return wait_until(over)


@contextmanager
def held_by_another(run_dir):
    """(run_dir, process): a job that another process is in the middle of."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(run_dir)], cwd=launcher.ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield run_dir, process
    process.kill()
    process.wait()


def events_in(run_dir):
    """The lines of a run's events.jsonl, of whatever kind."""
    return read_jsonl(run_dir / "events.jsonl")[0]


@pytest.fixture
def holder(project):
    """An import that another process is in the middle of."""
    with held_by_another(launcher.enqueue(project, ImportJob(paths=()))) as held:
        yield held


@pytest.fixture
def trainer(project):
    """A training that another process is in the middle of."""
    with held_by_another(launcher.enqueue(project, TrainJob(config={}), "Train Anna", expected_seconds=90_000)) as held:
        yield held


def queue_captions(project, title="Write captions", expected_seconds=None):
    """A job for the GPU's queue that is quickly done: there is nothing to write."""
    return launcher.enqueue(project, CaptionJob(config=to_dict(CaptionConfig()), only=()), title, expected_seconds)


def queue_import(project, path, times=1):
    return [launcher.enqueue(project, ImportJob(paths=(str(path),)), "Import") for _ in range(times)]


# -- the queue and the worker


def test_a_detached_worker_does_the_queued_jobs_in_order_and_lets_go(project, media):
    run_dirs = queue_import(project, media / "person_a_1.jpg", 2)
    assert [job.run_dir for job in state.queued_jobs(project.workspace)] == run_dirs
    assert launcher.ensure_worker(project.workspace)
    jobs = [wait_for_end(run_dir) for run_dir in run_dirs]
    assert [job.state for job in jobs] == ["done", "done"]
    assert jobs[0].ended_at <= jobs[1].started_at
    assert len(jobs[0].result["added"]) == 1 and len(jobs[1].result["duplicates"]) == 1
    wait_until(lambda: launcher.worker_record(project.workspace, PROCESSOR).pid is None)
    assert not launcher.ensure_worker(project.workspace)


def test_an_import_and_a_check_do_not_wait_for_a_training(project, media, trainer):
    [photos] = queue_import(project, media / "person_a_1.jpg")
    check = launcher.enqueue(project, CurateJob())
    captions = queue_captions(project)
    assert launcher.ensure_worker(project.workspace)
    assert [wait_for_end(run_dir).state for run_dir in (photos, check)] == ["done", "done"]
    assert state.read_status(captions).state == "queued" and state.read_status(trainer[0]).state == "running"


def test_what_waits_says_for_what_and_until_when(project, trainer):
    first, second = queue_captions(project, "Write captions", 600), queue_captions(project, "Again")
    third = queue_captions(project, "Last")
    [photos] = queue_import(project, "nowhere")
    by_run = {turn.job.run_dir: turn for turn in turns.all_turns(project.workspace)}
    assert [by_run[run].after.title for run in (first, second, third)] == ["Train Anna", "Write captions", "Again"]
    assert 89_000 < by_run[first].seconds <= 90_000 and 599 < by_run[second].seconds - by_run[first].seconds < 601
    assert by_run[first].words().startswith("waits for: Train Anna, about 25 h (until ")
    assert by_run[third].seconds is None and by_run[third].words() == "waits for: Again; not known how long"
    assert by_run[photos].after is None and by_run[photos].words() == "is about to begin"
    launcher.hold_queue(project.workspace)
    assert "paused" in turns.find_turn(state.read_status(first)).words()
    assert turns.find_turn(state.read_status(photos)).words() == "is about to begin"
    assert turns.find_turn(state.read_status(trainer[0])) is None


def test_a_job_that_goes_on_is_expected_to_take_what_is_left(project):
    run_dir = queue_captions(project, expected_seconds=1000)
    now = time.time()
    over = {"state": "stopped", "started_at": now - 400, "ended_at": now}
    write_json(state.status_file(run_dir), read_json(state.status_file(run_dir)) | over)
    assert state.read_status(launcher.resume(run_dir)).expected_seconds == pytest.approx(600)


def test_the_queue_is_a_list_whose_jobs_are_moved_and_taken_out(project, capsys):
    runs = [queue_captions(project, title) for title in ("first", "second", "third")]

    def order():
        return [job.title for job in state.queued_jobs(project.workspace, GPU)]

    assert launcher.move(runs[2], -1) and order() == ["first", "third", "second"]
    assert launcher.move(runs[2], -1) and order() == ["third", "first", "second"]
    assert not launcher.move(runs[2], -1) and launcher.move(runs[0], 1) and order() == ["third", "second", "first"]
    queue_captions(project, "new")
    assert order() == ["third", "second", "first", "new"]
    launcher.cancel(runs[1])
    assert order() == ["third", "first", "new"] and not launcher.move(runs[1], -1)
    assert cli.main(["jobs", project.slug, "--down", runs[2].name, "--home", str(project.workspace.home)]) == 0
    assert order() == ["first", "third", "new"] and "waits for: first" in capsys.readouterr().out
    assert cli.main(["jobs", project.slug, "--remove", runs[0].name, "--home", str(project.workspace.home)]) == 0
    assert order() == ["third", "new"]
    assert cli.main(["jobs", project.slug, "--up", runs[2].name, "--home", str(project.workspace.home)]) == 2
    assert cli.main(["jobs", project.slug, "--up", "train-009", "--home", str(project.workspace.home)]) == 2


def test_a_paused_job_ends_and_no_other_begins_until_someone_goes_on(project, trainer):
    run_dir, process = trainer
    later = queue_captions(project)
    launcher.pause(run_dir)
    assert state.read_status(run_dir).state == "stopping"
    process.kill()
    process.wait()
    assert not launcher.ensure_worker(project.workspace)  # as the studio asks at each look
    subprocess.run([sys.executable, "-m", "studio.jobs.worker", str(project.workspace.home)], cwd=launcher.ROOT, check=True)
    assert state.read_status(later).state == "queued" and launcher.is_held(project.workspace)
    launcher.release_queue(project.workspace)
    assert launcher.ensure_worker(project.workspace) and wait_for_end(later).state == "done"


@pytest.mark.parametrize("begin", ["enqueue", "resume"])
def test_who_starts_or_resumes_a_job_lets_a_paused_queue_go_on(project, begin):
    run_dir = queue_captions(project)
    launcher.cancel(run_dir)
    launcher.hold_queue(project.workspace)
    queue_import(project, "nowhere")  # it does not use what was given free
    assert launcher.resume(run_dir, foreground=True) and launcher.is_held(project.workspace)  # a terminal of its own needs no queue
    launcher.cancel(run_dir)
    if begin == "resume":
        launcher.resume(run_dir)
    else:
        queue_captions(project)
    assert not launcher.is_held(project.workspace)


def test_a_job_survives_the_program_that_asked_for_it(project, media):
    [run_dir] = queue_import(project, media)
    code = "import sys; from pathlib import Path; from studio.jobs.launcher import ensure_worker; from studio.workspace import Workspace\nprint(ensure_worker(Workspace(Path(sys.argv[1]))))"
    studio = subprocess.run([sys.executable, "-c", code, str(project.workspace.home)], cwd=launcher.ROOT, capture_output=True, text=True)
    assert studio.stdout.strip() == "True", studio.stderr
    assert wait_for_end(run_dir).state == "done"


def test_the_worker_is_its_own_session_without_our_pipes(project, media):
    [run_dir] = queue_import(project, media)
    launcher.ensure_worker(project.workspace)
    record = launcher.worker_record(project.workspace, PROCESSOR)
    if os.name == "posix":
        assert os.getsid(record.pid) == record.pid != os.getsid(0)
    assert wait_for_end(run_dir).state == "done"


def test_two_studios_at_once_start_one_worker(project, media):
    run_dirs = queue_import(project, media / "person_a_1.jpg", 3)
    code = "import sys; from pathlib import Path; from studio.jobs.launcher import ensure_worker; from studio.workspace import Workspace\nprint(ensure_worker(Workspace(Path(sys.argv[1]))))"
    command = [sys.executable, "-c", code, str(project.workspace.home)]
    studios = [subprocess.Popen(command, cwd=launcher.ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    started = [studio.communicate()[0].strip() for studio in studios]
    jobs = [wait_for_end(run_dir) for run_dir in run_dirs]
    assert started.count("True") >= 1
    spans = sorted((job.started_at, job.ended_at) for job in jobs)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans)), "two jobs ran at the same time"


def test_a_second_worker_leaves_while_another_program_runs_jobs(project, media):
    [run_dir] = queue_import(project, media / "person_a_1.jpg")
    lock = launcher.worker_lock(project.workspace, PROCESSOR)
    with lock:
        command = [sys.executable, "-m", "studio.jobs.worker", str(project.workspace.home), PROCESSOR]
        assert subprocess.run(command, cwd=launcher.ROOT).returncode == 0
        assert state.read_status(run_dir).state == "queued"


def test_a_worker_that_cannot_start_fails_the_job_instead_of_trying_for_ever(project, monkeypatch):
    [run_dir] = queue_import(project, "nowhere")
    monkeypatch.setattr(sys, "executable", "/bin/false" if os.name == "posix" else "where.exe")

    def settled():
        launcher.ensure_worker(project.workspace)
        return state.read_status(run_dir).is_over

    wait_until(settled)
    job = state.read_status(run_dir)
    assert job.state == "failed" and "could not start" in job.error.message and "worker.log" in job.error.fix


def test_looking_at_an_idle_queue_starts_nothing(workspace):
    assert not launcher.ensure_worker(workspace)
    assert state.current_job(workspace) is None and state.list_jobs(workspace) == []


def test_a_job_of_a_kind_that_is_not_there_is_refused(project):
    class PaintJob(JobConfig):
        KIND = "paint"

    with pytest.raises(ValueError, match="no job kind 'paint'"):
        launcher.enqueue(project, PaintJob())
    assert project.list_runs() == []


def test_a_train_job_carries_what_the_project_said_when_it_was_made(project):
    run_dir = launcher.enqueue(project, TrainJob(config={"steps": 4}))
    project.update(trigger="later")
    config = read_config(TrainJob, run_dir)
    assert (config.trigger, config.class_noun, config.base_model) == ("ohwx", "person", "tiny")
    assert config.kind == "train" and config.created and read_json(run_dir / "config.json")["format"] == 1


# -- stop, cancel, resume


def test_a_waiting_job_is_cancelled_and_can_come_back(project):
    [run_dir] = queue_import(project, "nowhere")
    launcher.cancel(run_dir)
    assert state.read_status(run_dir).state == "stopped"
    assert state.queued_jobs(project.workspace) == []
    launcher.resume(run_dir)
    assert state.read_status(run_dir).state == "queued"
    with pytest.raises(ValueError, match="waiting in the queue already"):
        launcher.resume(run_dir)


def test_a_finished_job_has_nothing_to_resume(project, media):
    run_dir = launcher.prepare(project, ImportJob(paths=(str(media / "person_a_1.jpg"),)))
    assert run_job(run_dir).state == "done"
    with pytest.raises(ValueError, match="is finished; there is nothing to resume"):
        launcher.resume(run_dir)


def test_a_request_to_stop_shows_at_once_and_reaches_the_job(holder):
    run_dir, _ = holder
    assert state.read_status(run_dir).state == "running"
    launcher.request_stop(run_dir)
    assert state.read_status(run_dir).state == "stopping"
    recorder = Recorder(run_dir)
    assert recorder.should_stop() and recorder.stop_was_seen


def test_a_request_to_save_is_seen_once(project):
    [run_dir] = queue_import(project, "nowhere")
    recorder = Recorder(run_dir)
    assert not recorder.should_save()
    launcher.request_save(run_dir)
    assert recorder.should_save() and not recorder.should_save()


# -- crashes


def test_a_killed_worker_reads_as_crashed_and_offers_to_resume(holder):
    run_dir, process = holder
    wait_until(lambda: state.read_status(run_dir).progress.done)
    assert state.read_status(run_dir).state == "running"
    process.kill()
    wait_until(lambda: state.read_status(run_dir).state == "crashed")  # also while nobody has collected the zombie
    job = state.read_status(run_dir)
    assert job.can_resume and job.error.action == "resume" and "ended without a word" in job.error.message
    assert job.progress.done == 3


def test_another_process_with_the_same_number_is_not_taken_for_the_worker(project):
    [run_dir] = queue_import(project, "nowhere")
    mine = state.own_identity().identity()
    write_json(state.status_file(run_dir), read_json(state.status_file(run_dir)) | mine | {"state": "running"})
    assert state.read_status(run_dir).state == "running"
    after_reboot = {"pid": mine["pid"], "create_time": mine["create_time"] - 3600}
    write_json(state.status_file(run_dir), read_json(state.status_file(run_dir)) | after_reboot)
    assert state.read_status(run_dir).state == "crashed"


def test_after_a_crash_the_rest_of_the_queue_goes_on_and_the_crashed_job_waits_for_a_word(holder, project, media):
    crashed, process = holder
    [following] = queue_import(project, media / "person_a_1.jpg")
    assert not launcher.ensure_worker(project.workspace)  # the holder lives
    process.kill()
    process.wait()
    assert launcher.ensure_worker(project.workspace)
    assert wait_for_end(following).state == "done"
    assert state.read_status(crashed).state == "crashed"
    launcher.resume(crashed)
    launcher.ensure_worker(project.workspace)
    assert wait_for_end(crashed).state in ("done", "failed")


def test_a_long_step_still_has_a_pulse(holder):
    run_dir, _ = holder
    first = state.read_status(run_dir).updated_at
    wait_until(lambda: state.read_status(run_dir).updated_at > first)


def test_a_terminal_closed_while_its_job_waited_leaves_it_resumable(project):
    [run_dir] = queue_import(project, "nowhere")
    with subprocess.Popen([sys.executable, "-c", "pass"]) as process:
        gone = {"pid": process.pid, "create_time": psutil.Process(process.pid).create_time()}
    write_json(state.status_file(run_dir), read_json(state.status_file(run_dir)) | gone)
    job = state.read_status(run_dir)
    assert job.state == "crashed" and job.can_resume
    assert state.queued_jobs(project.workspace) == []


# -- in a terminal


def test_a_job_in_a_terminal_waits_for_its_turn_and_says_so(holder, project, media):
    _, process = holder
    run_dir = launcher.prepare(project, ImportJob(paths=(str(media / "person_a_1.jpg"),)))
    said = []

    def say(text):
        said.append(text)
        process.kill()

    assert run_job(run_dir, say=say).state == "done"
    assert said[0].startswith("waiting: import-001")


def test_no_worker_takes_the_job_of_a_terminal(project, media):
    run_dir = launcher.prepare(project, ImportJob(paths=(str(media),)))
    assert not launcher.ensure_worker(project.workspace)
    assert state.read_status(run_dir).state == "queued"


def test_a_mistake_ends_the_job_in_words_and_the_log_has_the_traceback(project):
    run_dir = launcher.prepare(project, TrainJob(config={"steps": "many"}))
    job = run_job(run_dir)
    assert job.state == "failed" and "steps must be a number" in job.error.message and not job.error.unexpected
    assert "Traceback" in state.read_log_tail(run_dir)
    assert events_in(run_dir)[-1]["event"] == "error"


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_sigterm_asks_a_worker_to_save_and_stop(project):
    [run_dir] = queue_import(project, "nowhere")
    code = """
import sys, time
from pathlib import Path
from studio.jobs.recorder import Recorder
from studio.jobs.signals import stop_on_signals
with Recorder(Path(sys.argv[1])) as recorder, stop_on_signals(recorder.stop_now):
    print("ready", flush=True)
    while not recorder.should_stop():
        time.sleep(0.01)
    recorder.end("stopped")
"""
    with subprocess.Popen([sys.executable, "-c", code, str(run_dir)], cwd=launcher.ROOT, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert state.read_status(run_dir).state == "stopped"


# -- status, events, time left


def test_progress_reaches_the_status_with_the_time_left(project):
    [run_dir] = queue_import(project, "nowhere")
    with Recorder(run_dir) as recorder:
        for done in range(5):
            recorder.report("progress", stage="learning", done=done, total=100, unit="steps", message="")
            time.sleep(0.01)
        recorder.end("done", result={"added": 1})
    job = state.read_status(run_dir)
    assert job.state == "done" and job.progress.done == 4 and job.fraction == 0.04
    assert job.result == {"added": 1} and job.pid is None and job.seconds >= 0


def test_the_time_left_follows_the_recent_pace_and_forgets_a_slow_start():
    pace = Pace()
    assert pace.seconds_left(Progress(stage="a", done=0, total=100), 0.0) is None
    left = [pace.seconds_left(Progress(stage="a", done=done, total=100), 60.0 + done) for done in range(1, 51)]
    assert left[-1] == pytest.approx(50, rel=0.1)
    assert pace.seconds_left(Progress(stage="b", done=0, total=10), 200.0) is None
    assert pace.seconds_left(Progress(stage="b", done=1), 201.0) is None


def test_a_full_disk_does_not_hide_how_a_job_ended(project, monkeypatch):
    [run_dir] = queue_import(project, "nowhere")
    with Recorder(run_dir) as recorder:
        monkeypatch.setattr(os, "fsync", _full_disk_for_new_files())
        recorder.fail(OSError(errno.ENOSPC, "No space left on device"))
    job = state.read_status(run_dir)
    assert job.state == "failed" and job.error.message == "The disk is full."


def _full_disk_for_new_files():
    fsync = os.fsync

    def full(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}")
        if name.exists() and str(name.readlink()).endswith(".tmp"):
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    return full


def test_errors_are_put_into_words_with_what_to_do():
    class OutOfMemoryError(RuntimeError):
        """As torch names it."""

    words = explain(Problem("The loss jumped.", cost="The pair of step 200 is kept.", fix="Lower it.", action="halve-learning-rate"))
    assert words.action == "halve-learning-rate" and not words.unexpected
    assert "GPU's memory is full" in explain(OutOfMemoryError("CUDA out of memory")).message
    assert "RAM" in explain(MemoryError()).message
    assert explain(OSError(errno.ENOSPC, "No space left on device")).message == "The disk is full."
    assert explain(RuntimeError("I/O error: No space left on device (os error 28)")).message == "The disk is full."
    assert explain(ValueError("steps must be at least 2")).message == "steps must be at least 2"
    unexpected = explain(KeyError("x"))
    assert unexpected.unexpected and "KeyError" in unexpected.message and unexpected.action == "open-log"


@pytest.mark.parametrize(
    ("message", "words", "action"),
    [
        ("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later", "failed while it was computing", "resume"),
        ("CUDA error: no kernel image is available for execution on the device", "not built for this GPU", ""),
    ],
)
def test_what_a_gpu_can_do_at_night_is_put_into_words(message, words, action):
    torch = pytest.importorskip("torch")
    told = explain(torch.AcceleratorError(message))
    assert words in told.message and told.action == action and not told.unexpected


def test_the_end_of_a_long_log_is_read_from_a_whole_line_on(project):
    [run_dir] = queue_import(project, "nowhere")
    assert state.read_log_tail(run_dir) == ""
    (run_dir / "log.txt").write_text("".join(f"line {n} é\n" for n in range(5000)), encoding="utf-8")
    tail = state.read_log_tail(run_dir)
    assert tail.startswith("line ") and tail.endswith("line 4999 é\n") and len(tail) < 20_000


def test_jobs_are_listed_newest_first_and_the_running_one_is_current(holder, project):
    run_dir, _ = holder
    [later] = queue_import(project, "nowhere")
    assert [job.run_dir for job in state.list_jobs(project.workspace)] == [later, run_dir]
    assert state.current_job(project.workspace).run_dir == run_dir
    (project.runs_dir / "import-099").mkdir()  # being made
    assert len(state.list_jobs(project.workspace, project)) == 2


# -- curves


def step(n, expert="high_noise", loss=1.0, **more):
    return {"event": "step", "step": n, "expert": expert, "loss": loss, "seconds": 2.0, "memory_gb": n} | more


def write_events(run_dir, *events):
    for event in events:
        append_jsonl(run_dir / "events.jsonl", {"time": 0.0} | event)


def test_curves_are_kept_per_expert_and_read_as_they_grow(project):
    run_dir = project.new_run_dir("train")
    assert read_curves(run_dir)["low_noise"].step == []
    write_events(run_dir, step(1), step(2, loss=0.5), {"event": "held_out", "step": 2, "expert": "high_noise", "loss": 0.7})
    first = read_curves(run_dir)
    assert read_history(run_dir).seconds_per_step() == 2.0
    assert first["high_noise"].loss == [1.0, 0.5] and first["high_noise"].held_out == [0.7]
    write_events(run_dir, step(3, "low_noise"))
    assert read_curves(run_dir)["low_noise"].step == [3]
    assert read_curves(run_dir)["high_noise"] == first["high_noise"]


def test_held_out_losses_are_kept_by_band_and_only_of_the_bands_used_now(project):
    run_dir = project.new_run_dir("train")

    def check(step, *losses, bands=((0.0, 0.5), (0.5, 0.9))):
        found = [{"low": low, "high": high, "loss": loss} for (low, high), loss in zip(bands, losses)]
        return {"event": "held_out", "step": step, "expert": "low_noise", "loss": sum(losses) / len(losses), "bands": found}

    old = {"event": "held_out", "step": 0, "expert": "low_noise", "loss": 0.5}  # of a studio that knew no bands
    write_events(
        run_dir,
        old,
        check(5, 0.9, bands=((0.0, 0.9),)),
        check(10, 0.3, 0.2),
        {"event": "phase", "expert": "low_noise"},
        check(20, 0.25, 0.1),
    )
    series = read_curves(run_dir)
    assert series["low_noise"].held_out == [0.5, 0.9, 0.25, 0.175] and series["high_noise"].bands == ()
    assert series["low_noise"].bands == (
        BandCurve(0.0, 0.5, [None, None, 0.3, 0.25]),
        BandCurve(0.5, 0.9, [None, None, 0.2, 0.1]),
    )


def test_steps_done_again_after_a_resume_count_once(project):
    run_dir = project.new_run_dir("train")
    checked = {"event": "held_out", "step": 4, "expert": "high_noise", "loss": 0.7}
    write_events(run_dir, *(step(n, loss=n) for n in range(1, 6)), checked, {"event": "resume", "step": 3}, step(4, loss=40))
    series = read_curves(run_dir)["high_noise"]
    assert series.loss == [1, 2, 3, 40] and series.held_out == []
    write_events(run_dir, step(1, loss=10))  # started over without a safety copy
    assert read_curves(run_dir)["high_noise"].loss == [10]


def test_a_long_run_is_thinned_to_what_a_chart_can_show(project):
    run_dir = project.new_run_dir("train")
    lines = "".join(f'{{"event": "step", "step": {n}, "expert": "low_noise", "loss": 2.0, "memory_gb": {n}}}\n' for n in range(1, 5001))
    (run_dir / "events.jsonl").write_text(lines, encoding="utf-8")
    series = read_curves(run_dir)["low_noise"]
    assert read_history(run_dir).seconds_per_step() is None
    assert len(series.step) == 500 and series.step[-1] == 5000
    assert set(series.loss) == {2.0} and max(series.memory_gb) == 5000 and series.grad_norm[0] is None


def test_a_day_of_steps_is_kept_in_a_few_bytes_each_and_only_what_is_new_is_read(project, monkeypatch):
    """A step as Python objects takes 1.5 kB: at two a second that is 130 MB in a window that stays open, and as many again to read anew."""
    run_dir = project.new_run_dir("train")
    with open(run_dir / "events.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(step(n, EXPERTS[n // 500 % 2], learning_rate=1e-4)) + "\n" for n in range(1, 20_001))
    asked = []
    monkeypatch.setattr(events, "read_jsonl", lambda path, offset, size: asked.append(size) or read_jsonl(path, offset, size))
    monkeypatch.setattr(history, "CHUNK_BYTES", 100_000)
    tracemalloc.start()
    assert len(read_curves(run_dir)["high_noise"].step) <= 500
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 200 * 20_000 and peak < 400 * 20_000 and set(asked) == {100_000}
    asked.clear()
    assert read_history(run_dir).seconds_per_step() == 2.0 and len(asked) == 1


def test_the_log_is_read_in_pages_of_whole_lines_from_its_end_to_its_beginning(project):
    run_dir = project.new_run_dir("train")
    assert state.read_log_page(run_dir) == ("", 0)
    lines = [f"2026-01-01 note: line {n} é" for n in range(100)]
    (run_dir / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pages, end = [], None
    while end != 0:
        text, end = state.read_log_page(run_dir, end, max_bytes=700)
        pages.insert(0, text)
    assert "".join(pages).splitlines() == lines and len(pages) > 4 and all(page.startswith("2026") for page in pages)
    (run_dir / "log.txt").write_text("50 %\r" * 1000, encoding="utf-8")  # a progress bar: a line longer than a page
    assert len(state.read_log_tail(run_dir, 600)) == 600


# -- files that another program holds, as Excel, a virus scanner or a backup does on Windows; terminals that are gone


def held(name):
    """`open` for writing as Windows answers while another program has a file of that name open for itself."""

    def open_unless_held(path, mode="r", *arguments, **options):
        if held.now and Path(str(path)).name == name and mode[0] in "aw":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return io.open(path, mode, *arguments, **options)  # noqa: UP020 - the built-in name is replaced by this

    held.now = True
    return open_unless_held


def test_events_that_cannot_be_written_now_are_written_later_and_do_not_end_the_job(project, monkeypatch):
    [run_dir] = queue_import(project, "nowhere")
    monkeypatch.setattr(disk, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr("builtins.open", held("events.jsonl"))
    with Recorder(run_dir) as recorder:
        recorder.report("note", message="one")
        recorder.report("progress", stage="learning", done=1, total=9, unit="steps", message="")
        assert events_in(run_dir) == []
        held.now = False
        recorder.report("note", message="two")
        recorder.end("done")
    assert [e.get("message") for e in events_in(run_dir)] == ["one", "", "two"]


def test_a_log_that_is_open_elsewhere_does_not_end_the_job(project, monkeypatch):
    [run_dir] = queue_import(project, "nowhere")
    monkeypatch.setattr("builtins.open", held("log.txt"))
    with Recorder(run_dir) as recorder:
        recorder.report("note", message="one")
        recorder.end("done")
    assert state.read_status(run_dir).state == "done"


def test_how_a_job_ended_is_told_even_while_its_status_cannot_be_replaced(project, monkeypatch):
    [run_dir] = queue_import(project, "nowhere")
    with Recorder(run_dir) as recorder:
        monkeypatch.setattr(disk, "RETRY_SECONDS", 0.0)
        monkeypatch.setattr(os, "replace", refuse)
        monkeypatch.setattr(Path, "unlink", refuse)
        launcher.request_save(run_dir)
        assert not recorder.should_save()  # its file can't be removed now: the next step asks again
        recorder.end("done", result={"step": 4})
    job = state.read_status(run_dir)
    assert job.state == "done" and job.result == {"step": 4}


def test_events_wait_for_space_on_a_full_disk_and_a_job_does_not_end_for_them(project, monkeypatch):
    [run_dir] = queue_import(project, "nowhere")

    def full(path, *data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with Recorder(run_dir) as recorder:
        with monkeypatch.context() as now:
            now.setattr("studio.jobs.recorder.append_jsonl", full)
            now.setattr("studio.facts.write_json", full)
            recorder.report("note", message="one")
            recorder.report("progress", stage="Training", done=1, total=9, unit="steps", message="The disk is full")
            recorder._write_status()
            job = state.read_status(run_dir)
            assert job.state == "running" and job.progress.message == "The disk is full"  # written over the old one, in place
        recorder._write_again = 0.0
        recorder.report("note", message="two")
        recorder.end("done")
    assert [e.get("message") for e in events_in(run_dir)] == ["one", "The disk is full", "two"]


def test_a_process_of_the_group_that_cannot_start_is_said_instead_of_waited_for(project):
    [run_dir] = queue_import(project, "nowhere")
    with Recorder(run_dir) as recorder:
        group = processes.GroupRecorder(run_dir, recorder)
        group.others = [subprocess.Popen([sys.executable, "-c", "raise SystemExit(3)"])]
        with pytest.raises(Problem, match="another graphics card ended without a word"):
            group.wait_until_all_are_here()
        group.end()
        recorder.end("failed")
    assert not list(run_dir.glob("group*"))


def test_a_full_disk_for_events_does_not_hide_how_a_job_ended(project, monkeypatch):
    [run_dir] = queue_import(project, "nowhere")

    def full(path, record):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with Recorder(run_dir) as recorder:
        monkeypatch.setattr("studio.jobs.recorder.append_jsonl", full)
        recorder.report("note", message="one")
        recorder.fail(OSError(errno.ENOSPC, "No space left on device"))
    assert state.read_status(run_dir).error.message == "The disk is full."


def refuse(*arguments, **options):
    raise PermissionError(errno.EACCES, "The process cannot access the file because it is being used by another process")


@pytest.mark.skipif(os.name != "posix", reason="closes a POSIX terminal")
def test_a_closed_terminal_stops_and_saves_instead_of_failing(project):
    [run_dir] = queue_import(project, "nowhere")
    code = """
import signal, sys, time
from pathlib import Path
from studio.commands.output import Output
from studio.jobs.recorder import Recorder
from studio.jobs.signals import stop_on_signals
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with Recorder(Path(sys.argv[1]), Output().report) as recorder, stop_on_signals(recorder.stop_now):
    recorder.report("checkpoint", step=1)
    while not recorder.should_stop():
        time.sleep(0.01)
    recorder.report("checkpoint", step=2)
    recorder.end("stopped")
"""
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", code, str(run_dir)]
    with subprocess.Popen(command, cwd=launcher.ROOT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        assert b"step 1" in os.read(ours, 1000)
        os.close(ours)  # the window is closed: whatever is written to it fails from now on
        process.send_signal(signal.SIGHUP)
        assert process.wait() == 0
    assert state.read_status(run_dir).state == "stopped"
    assert [event["step"] for event in events_in(run_dir)] == [1, 2]


def test_libraries_and_paths_that_windows_refuses_are_put_into_words():
    def windows_error(number, message, filename=None):
        error = OSError(errno.ENOENT, message, filename)
        error.winerror = number
        return error

    missing = windows_error(
        126, 'The specified module could not be found. Error loading "C:\\x\\torch\\lib\\c10.dll" or one of its dependencies.'
    )
    for error in (missing, ImportError("DLL load failed while importing _C: The specified module could not be found.")):
        words = explain(error)
        assert "Visual C++" in words.message and "winget install" in words.fix and not words.unexpected
    words = explain(windows_error(3, "The system cannot find the path specified", "C:\\" + "long" * 70))
    assert "too long for Windows" in words.message and "--home" in words.fix and not words.unexpected
    assert "too long" in explain(windows_error(206, "The filename or extension is too long")).message


@pytest.mark.parametrize("damage", [b"", b'{"state": "runn', b"[1]", b'{"state": 3, "kind": "train"}'])
def test_a_job_whose_status_is_damaged_counts_as_broken_off_and_can_go_on(project, damage):
    run_dir = launcher.prepare(project, ImportJob(paths=("nowhere",)))
    state.status_file(run_dir).write_bytes(damage)
    job = state.read_status(run_dir)
    assert (job.state, job.kind, job.can_resume) == ("crashed", "import", True) and job.error.fix
    assert [j.name for j in state.list_jobs(project.workspace)] == ["import-001"]
    launcher.resume(run_dir, foreground=True)
    assert run_job(run_dir).state == "done"


def test_a_job_that_could_not_be_written_leaves_no_half_folder(project, monkeypatch):
    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("studio.facts.write_json", full)
    with pytest.raises(OSError, match="No space"):
        launcher.enqueue(project, ImportJob(paths=()))
    assert list(project.runs_dir.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EIO, errno.ENOTDIR, errno.ENAMETOOLONG])
def test_what_the_disk_refuses_is_no_fault_of_ours_and_comes_with_a_way_out(number):
    words = explain(OSError(number, os.strerror(number), "/photos/anna"))
    assert not words.unexpected and "/photos/anna" in words.message and "--home" in words.fix


def test_captions_take_as_long_as_those_of_the_same_captioner_took_here(project, monkeypatch):
    monkeypatch.setattr(launcher, "ensure_worker", lambda workspace: False)
    photos = [add_photo(project, number) for number in range(1, 4)]
    for photo in photos[:2]:
        photo.with_suffix(".txt").unlink()
    job = CaptionJob(config=to_dict(CaptionConfig()))
    assert expect_seconds(project, job) is None  # nothing was written here before
    earlier = launcher.enqueue(project, job)
    times = {"state": "done", "started_at": 100.0, "ended_at": 140.0, "result": CaptionReport(written=8).to_json()}
    write_json(earlier / "status.json", read_json(earlier / "status.json") | times)
    assert expect_seconds(project, job) == pytest.approx(2 * 40 / 8)  # one of the three has a caption
    assert expect_seconds(project, CaptionJob(config=to_dict(CaptionConfig(captioner="Qwen3-VL-8B-Instruct")))) is None
