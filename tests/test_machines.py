"""Processes that a launcher started know their place, and of each other whether they live."""

import os
import subprocess
import sys

import pytest

from studio.cli import _parse
from studio.commands.training import _resume
from studio.config import TrainConfig, to_dict
from studio.disk import write_json
from studio.errors import Problem
from studio.jobs import launcher, machines, state
from studio.jobs.kind import read_config
from studio.jobs.kinds.train import TrainJob
from studio.jobs.machines import SILENT_SECONDS, Place, Pulse, Remote, find_place, network_card_towards, pulse_file

LAUNCHED = {"TORCHELASTIC_RUN_ID": "none", "RANK": "1", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_a_process_is_told_its_place_by_the_launcher_alone(monkeypatch):
    assert find_place() is None
    for name, value in LAUNCHED.items():
        monkeypatch.setenv(name, value)
    assert find_place() == Place(1, 4, 2)
    assert not LAUNCHED.keys() & launcher.worker_environment().keys()  # the next job in the queue is no member
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert find_place() is None


def test_a_process_lives_as_long_as_its_pulse_changes_and_ends_with_its_code(tmp_path, clock):
    with Pulse(tmp_path, 1) as pulse:
        other = Remote(tmp_path, 1, clock)
        assert other.poll() is None
        clock.now += SILENT_SECONDS - 1
        assert other.poll() is None  # nothing new, not yet for long
        write_json(pulse_file(tmp_path, 1), {"beat": 7, "code": None})
        clock.now += SILENT_SECONDS - 1
        assert other.poll() is None
        clock.now += SILENT_SECONDS - 1
        assert other.poll() is None
        clock.now += 2
        assert other.poll() == 1  # silent
        pulse.code = 3
    assert Remote(tmp_path, 1, clock).poll() == 3
    with pytest.raises(RuntimeError), Pulse(tmp_path, 2):
        raise RuntimeError
    assert Remote(tmp_path, 2, clock).wait(5) == 1


def test_a_process_that_never_came_is_not_waited_for_for_ever(tmp_path, clock):
    other = Remote(tmp_path, 1, clock)
    assert other.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(0)
    clock.now += SILENT_SECONDS + 1
    assert other.poll() == 1


def test_more_processes_than_graphics_cards_name_the_setting(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    machines.require_gpus(3)
    with pytest.raises(Problem, match="for 4 graphics cards, and 3 can be used") as caught:
        machines.require_gpus(4)
    assert "--resume --set processes=2" in caught.value.fix and caught.value.action == "use-fewer-cards"


def test_a_resumed_run_keeps_its_settings_but_for_the_number_of_processes(project):
    run_dir = launcher.enqueue(project, TrainJob(config=to_dict(TrainConfig(processes=4))))
    launcher.cancel(run_dir)
    command = ["train", "anna", "--resume", "--background", "--set"]
    with pytest.raises(Problem, match="keeps its settings"):
        _resume(_parse([*command, "lora.rank=8"]), project, {})
    with pytest.raises(ValueError, match="even number"):
        _resume(_parse([*command, "processes=3"]), project, {})
    _resume(_parse([*command, "processes=2"]), project, {})
    assert read_config(TrainJob, run_dir).config["processes"] == 2 and state.read_status(run_dir).state == "queued"


@pytest.mark.skipif(os.name != "posix", reason="only there the network card is named")
def test_the_network_card_is_the_one_that_leads_to_the_first_computer():
    assert network_card_towards("127.0.0.1").startswith("lo")


def test_what_a_launcher_started_does_not_go_into_the_background(project):
    command = [sys.executable, "-m", "studio", "train", "anna", "--home", str(project.workspace.home), "--background"]
    env = launcher.worker_environment() | LAUNCHED | {"RANK": "0"}
    found = subprocess.run(command, cwd=launcher.ROOT, env=env, capture_output=True, text=True)
    assert found.returncode == 2 and "can't go into the background" in found.stderr
