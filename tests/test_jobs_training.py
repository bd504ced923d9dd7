"""A real training as a job: killed at any moment, resumed, stopped, saved; the end is the same."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import psutil
import pytest
import torch
from safetensors.torch import load_file

from studio.config import EXPERTS, TrainConfig, merge, to_dict
from studio.data.importer import import_media
from studio.jobs import launcher, state
from studio.jobs.kind import read_config
from studio.jobs.kinds.train import TrainJob
from studio.jobs.worker import run_job
from studio.project_facts import Permission
from studio.training.curves import read_curves
from studio.training.events import PhaseBegan, StepTaken, read_events
from studio.training.pairs import list_pairs
from studio.workspace import Workspace

DEADLINE_SECONDS = 900  # nobody waits for it where things go well
SETTINGS = {
    "steps": 8,
    "save_every": 4,
    "resume_every": 1,
    "held_out_every": 4,
    "accumulation": 1,
    "lora": {"rank": 2},
    "data": {"photo_size": 80, "clip_size": 80, "clip_frames": 5, "held_out_items": 0},
    "preservation": {"enabled": False},
    "memory": {"precision": "fp32", "gradient_checkpointing": False},
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, tiny_base):
    """A workspace with the tiny model and a project whose photos are encoded: what every test copies."""
    workspace = Workspace(tmp_path_factory.mktemp("prepared"))
    project = workspace.create_project("Anna", trigger="ohwx", base_model="tiny", permission=Permission(granted=True))
    folder = tmp_path_factory.mktemp("photos")
    from studio.tiny.demo_project import draw_media

    draw_media(folder, faults=False, captions=True)
    import_media(project, sorted(folder.glob("photo-0[1-4]*")))
    run_here(project, steps=2)
    shutil.rmtree(project.runs_dir)
    return workspace


@pytest.fixture(scope="module")
def uninterrupted(prepared, tmp_path_factory):
    """The tensors of a training by one process that nothing disturbed: what every other way must come to."""
    home = tmp_path_factory.mktemp("uninterrupted") / "home"
    shutil.copytree(prepared.home, home)
    project = Workspace(home).project("anna")
    run_here(project)
    return tensors(project)


@pytest.fixture
def project(prepared, tmp_path):
    shutil.copytree(prepared.home, tmp_path / "home")
    return Workspace(tmp_path / "home").project("anna")


def train(project, make=launcher.enqueue, **changes):
    return make(project, TrainJob(config=merge(to_dict(TrainConfig()), SETTINGS, changes)))


def run_here(project, **changes):
    """Uninterrupted, in this process."""
    job = run_job(train(project, launcher.prepare, **changes))
    assert job.state == "done", job.error


def start(run_dir):
    launcher.ensure_worker(state.read_status(run_dir).project.workspace)


def wait_until(run_dir, condition):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        job = state.read_status(run_dir)
        if condition(job):
            return job
        assert time.monotonic() < deadline, f"{job}\n{state.read_log_tail(run_dir)}"
        time.sleep(0.02)


def run(run_dir):
    start(run_dir)
    job = wait_until(run_dir, lambda job: job.is_over)
    assert job.state == "done", state.read_log_tail(run_dir)
    return job


def told(run_dir, kind):
    """A training's events of a kind."""
    return [event for event in read_events(run_dir / "events.jsonl")[0] if isinstance(event, kind)]


def steps_done(run_dir):
    return [event.step for event in told(run_dir, StepTaken)]


def kill(run_dir):
    process = psutil.Process(state.read_status(run_dir).pid)
    process.kill()
    process.wait(10)


def tensors(project):
    """Every LoRA tensor of every pair, by step, expert and name."""
    files = [(pair.step, expert, getattr(pair, expert)) for pair in list_pairs(project) for expert in EXPERTS]
    return {(step, expert, key): tensor for step, expert, path in files for key, tensor in load_file(path).items()}


def test_a_killed_training_is_noticed_and_resumes_to_the_same_pairs(project, uninterrupted):
    run_dir = train(project)
    for _ in range(2):  # once in each expert's phase or a save, wherever it happens to be
        begun = len(steps_done(run_dir))
        start(run_dir)
        wait_until(run_dir, lambda job, begun=begun: len(steps_done(run_dir)) >= begun + 2)
        kill(run_dir)
        job = state.read_status(run_dir)
        assert job.state == "crashed" and job.error.action == "resume" and "is kept" in job.error.cost
        launcher.resume(run_dir)
    job = run(run_dir)
    assert job.result["step"] == 8 and [pair.step for pair in list_pairs(project)] == [4, 8]
    series = read_curves(run_dir)
    assert sorted(series["high_noise"].step + series["low_noise"].step) == list(range(1, 9))
    assert_equal(tensors(project), uninterrupted)


def assert_equal(mine, theirs):
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


def test_a_stop_from_the_studio_saves_and_ends_and_a_save_now_makes_a_pair(project):
    run_dir = train(project, steps=2000, save_every=2000)
    start(run_dir)
    wait_until(run_dir, lambda job: steps_done(run_dir))
    launcher.request_save(run_dir)
    wait_until(run_dir, lambda job: list_pairs(project))
    assert not state.save_file(run_dir).exists()
    launcher.request_stop(run_dir)
    job = wait_until(run_dir, lambda job: job.is_over)
    assert job.state == "stopped" and job.can_resume and job.result["stopped"]
    assert not state.stop_file(run_dir).exists()
    assert job.progress.total == 2000 and 0 < job.progress.done < 2000


FREE_WITHIN_SECONDS = 10


def test_a_shutdown_or_a_person_who_wants_the_gpu_back_need_not_wait_for_a_long_step(project):
    """A step of some ten seconds on this computer: it is broken off between two blocks, and nothing is lost but the step itself."""
    run_dir = train(project, accumulation=64, steps=20, memory={"gradient_checkpointing": True})
    start(run_dir)
    wait_until(run_dir, lambda job: bool(told(run_dir, PhaseBegan)))
    time.sleep(1.5)  # in the middle of the first step
    worker, asked = psutil.Process(state.read_status(run_dir).pid), time.monotonic()
    if os.name == "posix":
        worker.terminate()  # as a shutdown does
    else:
        launcher.request_stop(run_dir)
    worker.wait(FREE_WITHIN_SECONDS)  # the memory is free when the process is gone
    job = state.read_status(run_dir)
    assert job.state == "stopped" and job.can_resume and job.result["step"] == 0 and time.monotonic() - asked < FREE_WITHIN_SECONDS


def test_four_processes_are_one_job_that_ends_when_one_dies_and_can_go_on(project):
    """What they compute is in test_process_group.py."""
    settings = {"steps": 24, "save_every": 16, "high_noise_share": 0.4, "accumulation": 2}
    run_dir = train(project, processes=4, resume_every=4, **settings)

    def experts_seen(job):
        return job.is_over or {event.expert for event in told(run_dir, StepTaken)} == set(EXPERTS)

    start(run_dir)
    wait_until(run_dir, experts_seen)
    others = psutil.Process(state.read_status(run_dir).pid).children()
    others[-1].kill()
    job = wait_until(run_dir, lambda job: job.is_over)
    assert job.state == "failed" and "another graphics card ended without a word" in job.error.message and job.error.action == "resume"
    assert len(others) == 3 and not any(process.is_running() for process in others)
    launcher.change_settings(run_dir, {"processes": 1})  # the card is broken
    assert run_job(launcher.resume(run_dir, foreground=True)).result["step"] == 24
    series = read_curves(run_dir)  # after a death, which expert's last steps count anew is told by their order alone
    assert sorted(series["high_noise"].step + series["low_noise"].step) == list(range(1, 25))
    assert [pair.step for pair in list_pairs(project)] == [16, 24] and not list(run_dir.glob("group*"))


def test_two_machines_by_accelerates_launcher_train_to_the_same_tensors_as_one_process(project, prepared, tmp_path):
    """Two launches on this computer stand for two computers that share a folder; they are told to use GPUs, as on a real one, and find none."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port, home = str(free.getsockname()[1]), project.workspace.home
    settings = [f"--set={name}={value}" for name, value in flat(SETTINGS).items()]
    env = launcher.worker_environment() | {"CUDA_VISIBLE_DEVICES": ""}
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_machines", "2", "--num_processes", "2"]
    launch += ["--main_process_ip", "127.0.0.1", "--main_process_port", port, "--mixed_precision", "no", "--dynamo_backend", "no"]
    command = ["-m", "studio", "train", "anna", "--home", str(home), *settings]
    outputs = [(tmp_path / f"machine-{rank}.txt").open("w+", encoding="utf-8") for rank in (0, 1)]
    machines = [
        subprocess.Popen([*launch, "--machine_rank", str(rank), *command], cwd=launcher.ROOT, env=env, stdout=output, stderr=output)
        for rank, output in enumerate(outputs)
    ]
    codes = [machine.wait(DEADLINE_SECONDS) for machine in machines]
    said = [(output.seek(0), output.read())[1] for output in outputs]
    assert codes == [0, 0], said
    assert "train-001 is done" in said[0] and "Process 2 of 2 takes part" in said[1] and "train-001 has ended" in said[1]
    run_dir = project.runs_dir / "train-001"
    config = read_config(TrainJob, run_dir).config
    assert config["processes"] == 2 and not list(run_dir.glob("group*"))
    assert sorted(steps_done(run_dir)) == list(range(1, 9))
    shutil.copytree(prepared.home, tmp_path / "alone")
    alone = Workspace(tmp_path / "alone").project("anna")
    run_here(alone, **config | {"processes": 1})  # with the settings that the command chose
    assert_equal(tensors(project), tensors(alone))


def flat(nested, prefix=""):
    """{"lora": {"rank": 2}} -> {"lora.rank": "2"}, as the command line takes settings."""
    found = {}
    for name, value in nested.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: json.dumps(value)}
    return found


AS_IN_A_TERMINAL = (  # a shell's background jobs, and so some test runs, ignore Ctrl-C; children inherit that
    "import runpy, signal; signal.signal(signal.SIGINT, signal.default_int_handler); runpy.run_module('studio', run_name='__main__')"
)


@pytest.mark.skipif(os.name != "posix", reason="sends a POSIX signal")
def test_ctrl_c_in_the_terminal_saves_and_the_studio_can_go_on(project):
    command = [sys.executable, "-c", AS_IN_A_TERMINAL, "train", "anna", "--home", str(project.workspace.home), "--json", "--steps", "2000"]
    env = launcher.worker_environment() | {"CUDA_VISIBLE_DEVICES": ""}
    terminal = subprocess.Popen(command, cwd=launcher.ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    run_dir = project.runs_dir / "train-001"
    while not (state.status_file(run_dir).exists() and steps_done(run_dir)):
        assert terminal.poll() is None, terminal.communicate()[1]
        time.sleep(0.05)
    assert state.read_status(run_dir).state == "running"
    terminal.send_signal(2)
    out, err = terminal.communicate()
    assert terminal.returncode == 0 and '"state": "stopped"' in out and "Stopping after this step" in err
    assert state.read_status(run_dir).can_resume
    launcher.resume(run_dir)
    assert state.queued_jobs(project.workspace)[0].name == "train-001"
