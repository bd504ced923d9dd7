"""Several processes at one training: four, two an expert, compute what one does; they stop, give up memory and go on together, and none waits for a dead one."""

import contextlib
import os
import time

import psutil
import pytest
import torch
from team_kit import PATIENCE_SECONDS, context, losses, nothing_happens, run_team
from torch.utils._python_dispatch import TorchDispatchMode
from training_kit import Events, lora_bits, new_project, new_run, small_config

from studio.config import TrainConfig
from studio.errors import Problem
from studio.jobs.processes import rank_variables
from studio.jobs.state import last_safe_step
from studio.models.loras.reading import read_lora_file
from studio.training.endure.process_group import World, destroy_process_group
from studio.training.loop import train
from studio.training.pairs import list_run_pairs
from studio.training.schedule import fit_to_experts, group_size, num_process_groups


def config(**changes):
    """Three pictures a step: of two processes of an expert one has two, and the other one."""
    return small_config(**{"steps": 8, "save_every": 4, "resume_every": 1, "accumulation": 3} | changes)


@pytest.fixture(scope="module")
def project(tiny_base):
    return new_project(tiny_base, photos=6)


@pytest.fixture(scope="module")
def alone(project):
    """(run folder, {(event, expert, its step): loss}) of one process: what several must equal."""
    run_dir, events = new_run(project), Events()
    train(config(), run_dir, report=events)
    return run_dir, losses(events)


def assert_same(run_dir, curve, alone):
    whole, expected = alone
    assert curve.keys() == expected.keys() and max(abs(curve[key] - loss) for key, loss in expected.items()) <= 1e-5
    for ours, theirs in zip(list_run_pairs(run_dir), list_run_pairs(whole), strict=True):
        for expert, file in ours.files.items():
            found, wanted = read_lora_file(file)[0], read_lora_file(theirs.files[expert])[0]
            apart = {key: ((found[key] - tensor).norm() / tensor.norm()).item() for key, tensor in wanted.items()}
            assert max(apart.values()) < 1e-3, max(apart.items(), key=lambda item: item[1])


@contextlib.contextmanager
def one_dies(rank, run_dir):
    yield lambda: rank == 1 and last_safe_step(run_dir) >= 3 and os._exit(1)


class BusyDevice(TorchDispatchMode):
    """After a safety copy another program holds the memory for a moment: two products are refused."""

    def __init__(self, run_dir):
        super().__init__()
        self.run_dir, self.refusals = run_dir, 2

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self.refusals and "addmm" in str(func) and last_safe_step(self.run_dir) >= 2:
            self.refusals -= 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def memory_runs_out_on_one_and_only_followers_hear_the_stop(rank, run_dir):
    with BusyDevice(run_dir) if rank == 1 else contextlib.nullcontext():
        yield lambda: rank in (1, 3) and last_safe_step(run_dir) >= 5


@contextlib.contextmanager
def nobody_beyond_this_computer_is_listened_to(rank, run_dir):
    def should_stop():
        listening = {found.laddr.ip for found in psutil.Process().net_connections("inet") if found.status == psutil.CONN_LISTEN}
        assert listening <= {"127.0.0.1", "::1"}, listening
        return False

    yield should_stop


def test_two_processes_train_an_expert_each_to_the_same_bits(project, alone):
    run_dir = new_run(project)
    told = run_team(config(processes=2), run_dir, nobody_beyond_this_computer_is_listened_to)
    assert losses(told[0][0], told[1][0]) == alone[1] and lora_bits(run_dir) == lora_bits(alone[0])


def test_four_processes_follow_the_curve_of_one_even_if_one_dies_on_the_way(project, alone):
    run_dir = new_run(project)
    before = run_team(config(processes=4), run_dir, one_dies)
    assert before.keys() == {0, 2, 3} and before[0][1]["error"] == "ProcessLost" and before[0][1]["action"] == "resume"
    after = run_team(config(processes=4), run_dir, nothing_happens)
    assert [answer[1].step for answer in after.values()] == [8] * 4
    assert not after[1][0] and not after[3][0]  # the main process of each group speaks for it
    assert_same(run_dir, losses(before[0][0], before[2][0], after[0][0], after[2][0]), alone)


def test_processes_of_an_expert_give_up_memory_together_and_a_stop_that_one_hears_ends_them_all_after_the_same_step(project, alone):
    run_dir = new_run(project)
    before = run_team(config(processes=4), run_dir, memory_runs_out_on_one_and_only_followers_hear_the_stop)
    assert all(answer[1].stopped for answer in before.values())
    notes = [fields["message"] for event, fields in before[0][0] if event == "note"]
    assert sum("memory of another GPU ran out" in note for note in notes) == 2
    after = run_team(config(processes=4), run_dir, nothing_happens)
    assert_same(run_dir, losses(before[0][0], before[2][0], after[0][0], after[2][0]), alone)


def one_of_two(rank, folder, told):
    """The first fails, and holds the error as long as it lives; the second waits for its answer."""
    os.environ.update(rank_variables(rank, 2, folder))
    world = World.join(TrainConfig(processes=2), num_experts=1)
    world.process_group.any(False)
    try:
        if rank == 0:
            raise Problem("The lamp went out.")
        world.process_group.any(True)
    except Problem as error:
        destroy_process_group()
        told.put(type(error).__name__)
        time.sleep(PATIENCE_SECONDS)


def test_one_that_fails_lets_go_of_the_others_at_once(tmp_path):
    told = context.Queue()
    both = [context.Process(target=one_of_two, args=(rank, tmp_path, told)) for rank in (0, 1)]
    try:
        for process in both:
            process.start()
        assert {told.get(timeout=PATIENCE_SECONDS / 2) for _ in both} == {"Problem", "ProcessLost"}
    finally:
        for process in both:
            process.kill()


# -- settings


def test_processes_are_one_or_an_even_number():
    for wrong in (3, 15, 17, 0):
        with pytest.raises(ValueError, match="processes"):
            TrainConfig(processes=wrong)
    with pytest.raises(ValueError, match=r"1 or an even number.*try 4"):
        TrainConfig(processes=5)


def test_a_step_has_a_picture_for_each_process_or_the_setting_to_change_is_named():
    eight = TrainConfig(processes=8, accumulation=4)
    both, one = ("high_noise", "low_noise"), ("low_noise",)
    assert (num_process_groups(eight, 2), group_size(eight, 2)) == (2, 4) and fit_to_experts(eight, both) == eight
    assert (num_process_groups(eight, 1), group_size(eight, 1)) == (1, 8)
    with pytest.raises(ValueError, match=r"8 share the pictures of a step, and there are 4; raise 'Pictures a step' \(accumulation\)"):
        fit_to_experts(eight, one)
    assert group_size(TrainConfig(), 2) == group_size(TrainConfig(processes=2), 2) == 1
