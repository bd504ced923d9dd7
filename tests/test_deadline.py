"""Finish by 07:00: the run ends before that time with a saved pair, and can go on later."""

import time

import pytest
from training_kit import Events, new_project, new_run, small_config

from studio.training.endure.deadline import LEAST_RESERVE_SECONDS, Deadline, next_time
from studio.training.loop import train
from studio.training.pairs import list_run_pairs


@pytest.fixture
def set_clock(monkeypatch):
    """Makes the local time of day what the test wants, by moving to a time zone of its own."""
    if not hasattr(time, "tzset"):
        pytest.skip("the time zone of a process can be set on POSIX only")

    def set_to(hour, minute, second):
        utc = time.gmtime()
        ahead = (hour * 3600 + minute * 60 + second - (utc.tm_hour * 3600 + utc.tm_min * 60 + utc.tm_sec)) % 86400
        monkeypatch.setenv("TZ", f"STUDIO-{ahead // 3600:02d}:{ahead // 60 % 60:02d}:{ahead % 60:02d}")
        time.tzset()

    yield set_to
    monkeypatch.undo()
    time.tzset()


def test_a_run_ends_before_its_time_with_a_pair_and_goes_on_later(tiny_base, set_clock):
    settings = {"steps": 4000, "save_every": 4000, "resume_every": 1000}
    run_dir, events = new_run(new_project(tiny_base, photos=5)), Events()
    train(small_config(**settings), run_dir, report=events, should_stop=lambda: bool(events.of("step")))  # the photos are prepared
    set_clock(6, 59, 60 - int(LEAST_RESERVE_SECONDS) - 7)

    result = train(small_config(**settings, finish_by="07:00"), run_dir, report=events)

    assert time.localtime().tm_hour == 6  # in time
    assert result.stopped_by == "finish-by" and 1 < result.step < 4000
    [pair] = list_run_pairs(run_dir)
    assert pair.step == result.step and pair.manifest.saved_by == "finish-by"
    notes = [e["message"] for e in events.of("note")]
    assert any("ends with a saved pair before" in note and "07:00" in note for note in notes) and "to be finished by 07:00" in notes[-1]
    assert events.of("progress")[-1]["seconds_left"] < 10  # it is the time until then
    train(small_config(**settings), run_dir, report=events, should_stop=lambda: len(events.of("step")) > result.step)
    assert [e["step"] for e in events.of("step")] == list(range(1, result.step + 2))


def test_a_run_that_is_due_at_once_makes_no_step_and_no_pair_of_nothing(tiny_base, set_clock):
    run_dir, events = new_run(new_project(tiny_base, photos=5)), Events()
    set_clock(6, 59, 50)
    result = train(small_config(finish_by="07:00"), run_dir, report=events)
    assert result.stopped and result.step == 0 and not list_run_pairs(run_dir) and not events.of("phase")


def test_the_next_time_of_day_is_today_or_tomorrow():
    day = time.mktime((2026, 2, 28, 0, 0, 0, 0, 0, -1))
    clock = lambda seconds: time.strftime("%m-%d %H:%M", time.localtime(seconds))  # noqa: E731
    assert clock(next_time("07:00", day + 3600)) == "02-28 07:00"
    assert clock(next_time("7:00", day + 8 * 3600)) == "03-01 07:00"
    assert clock(next_time("00:00", day)) == "03-01 00:00"


def test_what_saving_and_loading_take_is_kept_free():
    deadline = Deadline("07:00")
    deadline.at = time.time() + 100
    assert not deadline.is_near and not deadline.is_near_for_loading and 60 < deadline.limit(500) <= 70
    deadline.loading_seconds = 90
    assert not deadline.is_near and deadline.is_near_for_loading
    deadline.saving_seconds = 34
    assert deadline.is_near and deadline.limit(500) == 0
    assert not Deadline("").is_near and Deadline("").limit(500) == 500
