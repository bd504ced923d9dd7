"""A job that comes to a standstill says so, and why it may be; a computer that slept is noticed; Windows' goodbyes save and stop."""

import os
import threading
import time
from dataclasses import replace

import pytest

from studio.clocks import asleep_seconds, awake_seconds
from studio.jobs import launcher, recorder, state, watch, windows
from studio.jobs.kinds.train import TrainJob
from studio.jobs.recorder import Recorder
from studio.jobs.watch import BESIDE_STEPS_SECONDS, LEAST_SECONDS, Watch
from studio.training.events import Asleep, read_events
from studio.words import duration


class Time:
    """Seconds awake and asleep, as a test lets them pass."""

    def __init__(self):
        self.awake = self.asleep = 0.0

    def watch(self):
        return Watch(lambda: self.awake, lambda: self.asleep)


def steps(watched, clock, count, seconds, first=0):
    for done in range(first, first + count):
        clock.awake += seconds
        watched.saw_progress("Training", done)


def test_a_step_that_does_not_come_is_told_by_the_usual_pace():
    clock = Time()
    watched = clock.watch()
    steps(watched, clock, 20, 12.0)
    clock.awake += 119
    assert watched.notice() == ""
    clock.awake += 60
    assert watched.notice().startswith("No step for 3 min; one usually takes 12 s. Another program may be using the GPU")
    steps(watched, clock, 1, 1.0, first=20)
    assert watched.notice() == ""


def test_quick_steps_and_loading_are_given_time():
    clock = Time()
    watched = clock.watch()
    steps(watched, clock, 20, 0.1)
    clock.awake += LEAST_SECONDS - 1
    assert watched.notice() == ""
    watched.saw_progress("Training", 19)  # "Loading low_noise": nothing more is done
    clock.awake += BESIDE_STEPS_SECONDS - 1
    assert watched.notice() == ""
    clock.awake += 120
    assert watched.notice().startswith("Nothing has happened for 17 min")


def test_a_sleep_is_noticed_once_and_named_as_a_reason_until_the_next_step():
    clock = Time()
    watched = clock.watch()
    steps(watched, clock, 20, 12.0)
    clock.asleep += 7 * 3600
    assert watched.look_for_sleep() == 7 * 3600 and watched.look_for_sleep() == 0.0
    assert watched.notice() == ""  # asleep is not idle
    clock.awake += 500
    assert "The computer slept for 7 h meanwhile." in watched.notice()
    steps(watched, clock, 1, 12.0, first=20)
    clock.awake += 500
    assert "slept" not in watched.notice()


def test_the_clocks_of_this_computer_go_and_do_not_sleep_by_themselves():
    awake, asleep, wall = awake_seconds(), asleep_seconds(), time.monotonic()
    time.sleep(0.2)
    assert 0.15 < awake_seconds() - awake < 0.1 + time.monotonic() - wall
    assert asleep >= -0.1 and abs(asleep_seconds() - asleep) < 0.1


@pytest.mark.parametrize(("seconds", "words"), [(0.24, "0.2 s"), (12, "12 s"), (89, "1 min"), (150, "2 min"), (25_500, "7 h 5 min")])
def test_lengths_of_time_are_short_words(seconds, words):
    assert duration(seconds, exact=True) == words


@pytest.fixture
def run_dir(project):
    return launcher.prepare(project, TrainJob(config={}))


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_the_status_of_a_job_that_stands_still_says_so_until_it_goes_on(run_dir, monkeypatch):
    for module, name, value in ((watch, "LEAST_SECONDS", 0.3), (recorder, "HEARTBEAT_SECONDS", 0.05), (recorder, "STATUS_SECONDS", 0.01)):
        monkeypatch.setattr(module, name, value)

    def step(done):
        job.report("progress", stage="Training", done=done, total=99, unit="steps", message="")

    with Recorder(run_dir) as job:
        for done in range(8):
            step(done)
            time.sleep(0.01)
        wait_for(lambda: state.read_status(run_dir).notice.startswith("No step for "))
        step(8)
        wait_for(lambda: state.read_status(run_dir).notice == "")
        job.end("done")
    assert "note: No step for" in state.read_log_tail(run_dir)


def test_a_job_that_slept_tells_it_in_its_events_and_log(run_dir):
    with Recorder(run_dir) as job:
        clock = Time()
        job._watch = clock.watch()
        clock.asleep = 3600.0
        job._look_around()
        job.end("done")
    assert [event.seconds for event in read_events(run_dir / "events.jsonl")[0] if isinstance(event, Asleep)] == [3600]
    assert "slept for 1 h;" in state.read_log_tail(run_dir)


def test_a_running_job_whose_program_is_silent_is_told_from_one_that_works(run_dir):
    me = state.own_identity().identity()
    record = replace(state.read_record(run_dir), **me, state="running", updated_at=time.time() - 600)
    state.write_record(run_dir, record)
    assert "has not reported for 10 min: the computer may have slept" in state.read_status(run_dir).notice


@pytest.mark.parametrize("event", sorted(windows.GOODBYES))
def test_windows_waits_with_a_goodbye_until_the_job_has_saved(event):
    asked, ended, answers = threading.Event(), threading.Event(), []
    handler = threading.Thread(target=lambda: answers.append(windows.say_goodbye(event, asked.set, ended)))
    handler.start()
    assert asked.wait(5) and not answers
    ended.set()
    handler.join(5)
    assert answers == [True]


def test_other_events_of_a_console_are_none_of_ours_and_patience_ends():
    assert windows.say_goodbye(0, None, None) is False  # Ctrl-C
    assert windows.say_goodbye(6, lambda: None, threading.Event(), grace_seconds=0.01) is True


@pytest.mark.skipif(os.name == "nt", reason="Windows has calls of its own for this")
def test_elsewhere_a_long_job_needs_nothing():
    with windows.long_job(None):
        pass


@pytest.mark.parametrize(("message", "answer"), [(windows.MAY_SESSION_END, 1), (windows.SESSION_ENDS, 0)])
def test_a_windows_session_that_ends_waits_until_the_job_has_saved(message, answer):
    asked, ended, answers = threading.Event(), threading.Event(), []
    window = threading.Thread(target=lambda: answers.append(windows.answer_session(message, True, asked.set, ended)))
    window.start()
    assert asked.wait(5) and not answers
    ended.set()
    window.join(5)
    assert answers == [answer]


def test_a_windows_session_that_goes_on_and_other_messages_stop_nothing():
    def never():
        raise AssertionError("stopped")

    assert windows.answer_session(windows.SESSION_ENDS, False, never, threading.Event()) == 0
    assert windows.answer_session(windows.CLOSE, True, never, threading.Event()) is None
    assert (
        windows.answer_session(windows.MAY_SESSION_END, True, lambda: None, threading.Event(), asked_seconds=0.01) == 1
    )  # no time to save
