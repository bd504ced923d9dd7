"""What happens to a run of days: memory that runs out, a person who wants the GPU back, learning that breaks down."""

import time

import pytest
import torch
from simulation_kit import Memory
from torch.utils._python_dispatch import TorchDispatchMode
from training_kit import Events, add_photo, lora_bits, new_project, new_run, small_config

from studio.config import MemoryConfig, merge
from studio.errors import Problem
from studio.models.loading import load_expert
from studio.models.lora import add_lora, trainable_lora
from studio.models.loras.reading import read_lora_file
from studio.training.endure.fallback import is_out_of_memory, next_notch
from studio.training.endure.stopping import PATIENCE_SECONDS, StopBetweenBlocks
from studio.training.loop import train
from studio.training.pairs import list_run_pairs
from studio.training.step.block_pass import BrokenOff, StepPlan
from studio.training.step.gradients import Group, Row, accumulate_gradients


@pytest.fixture(scope="module")
def project(tiny_base):
    """Photos so large that what a step keeps of them counts beside the model."""
    project = new_project(tiny_base, photos=0)
    for number in range(1, 5):
        add_photo(project, number, size=(72, 72))
    return project


def config(**changes):
    """Three steps of one expert."""
    few = {"steps": 3, "save_every": 3, "high_noise_share": 0.0, "data": {"photo_size": 64, "held_out_items": 0}}
    return small_config(**merge(few, changes))


@pytest.fixture(scope="module")
def finished(project):
    """The run folder of an uninterrupted run with all the memory there is."""
    run_dir = new_run(project)
    train(config(), run_dir, report=Events())
    return run_dir


def assert_same_lora(run_dir, other):
    """Equal but for the order in which sums are made."""
    [ours], [theirs] = list_run_pairs(run_dir), list_run_pairs(other)
    for expert, file in ours.files.items():
        found, expected = read_lora_file(file)[0], read_lora_file(theirs.files[expert])[0]
        assert all(torch.allclose(found[key], tensor, rtol=1e-3, atol=2e-5) for key, tensor in expected.items()), expert


# -- memory that runs out


class SmallDevice(Memory):
    """A device of so many bytes, as far as any program in it can tell: what does not fit raises what CUDA raises."""

    limit = float("inf")

    def follow(self, tensor):
        super().follow(tensor)
        if self.now > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate more than there is.")


class BusyDevice(TorchDispatchMode):
    """A device whose memory other programs hold: the next `refusals` matrix products are refused."""

    refusals = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self.refusals and "addmm" in str(func):
            self.refusals -= 1
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return func(*args, **(kwargs or {}))


def test_memory_that_runs_out_costs_no_step_and_does_not_change_the_result(project, finished):
    """After the first step another program takes two thirds of what it needed."""
    run_dir, events, device = new_run(project), Events(), SmallDevice()

    def report(event, **fields):
        events(event, **fields)
        if event == "phase":
            device.peak = device.now
        if event == "step":
            device.limit = device.now + (device.peak - device.now) // 3

    with device:
        train(config(), run_dir, report=report)
    notches = events.of("memory")
    assert len(notches) > 1 and notches[0] == {"step": 2, "gradient_checkpointing": True, "blocks_kept": 3}
    assert "memory ran out at step 2" in events.of("note")[0]["message"]
    assert [e["step"] for e in events.of("step")] == [1, 2, 3]
    assert_same_lora(run_dir, finished)


def test_where_nothing_else_helps_the_expert_is_loaded_again_with_more_blocks_in_ram(project, finished):
    tight = {"gradient_checkpointing": True, "inputs_in_ram": True, "rows_per_walk": 1}
    run_dir, events, device = new_run(project), Events(), BusyDevice()

    def report(event, **fields):
        events(event, **fields)
        if event == "step" and fields["step"] == 2:
            device.refusals = 2

    with device:
        train(config(memory=tight), run_dir, report=report)
    assert events.of("memory") == [{"step": 3, "blocks_swapped": 1}, {"step": 3, "blocks_swapped": 2}]
    assert [e["step"] for e in events.of("step")] == [1, 2, 3]
    assert_same_lora(run_dir, finished)


def test_memory_that_runs_out_while_an_expert_is_loaded_is_met_with_blocks_in_ram(project, finished):
    run_dir, events = new_run(project), Events()

    class Refuses(BusyDevice):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            if self.refusals and "uniform" in str(func):  # the first values of a LoRA
                self.refusals -= 1
                raise torch.OutOfMemoryError("CUDA out of memory.")
            return func(*args, **(kwargs or {}))

    device = Refuses()
    device.refusals = 1
    with device:
        train(config(), run_dir, report=events)
    assert events.of("memory") == [{"step": 1, "blocks_swapped": 1}]
    assert_same_lora(run_dir, finished)


def test_a_device_that_is_too_small_for_anything_ends_with_advice_and_loses_nothing(project, finished):
    run_dir, events, device = new_run(project), Events(), BusyDevice()
    last_notch_but_one = {"gradient_checkpointing": True, "inputs_in_ram": True, "rows_per_walk": 1, "blocks_swapped": 5}

    def report(event, **fields):
        events(event, **fields)
        if event == "step":
            device.refusals = 1000

    with device, pytest.raises(Problem, match="even with every block in RAM") as caught:
        train(config(memory=last_notch_but_one), run_dir, report=report)
    assert "smaller photos" in caught.value.fix and events.of("memory") == [{"step": 2, "blocks_swapped": 6}]
    train(config(), run_dir, report=events)
    assert [e["step"] for e in events.of("step")] == [1, 2, 3]
    assert_same_lora(run_dir, finished)


def test_the_notches_go_from_cheap_to_dear_and_end():
    memory, taken = MemoryConfig(rows_per_pass=4, blocks_kept=10, blocks_swapped=0), []
    while found := next_notch(memory, 40, 8):
        before, memory = memory, found.memory
        assert found.words
        taken.append({name: value for name, value in vars(memory).items() if value != getattr(before, name)})
    assert taken[:6] == [{"rows_per_pass": 2}, {"rows_per_pass": 1}, *({"blocks_kept": kept} for kept in (5, 2, 1, 0))]
    assert taken[6:10] == [{"rows_per_walk": 4}, {"rows_per_walk": 2}, {"rows_per_walk": 1}, {"inputs_in_ram": True}]
    assert taken[10:] == [{"blocks_swapped": swapped} for swapped in range(5, 41, 5)]


def test_blocks_that_travel_make_short_block_passes_dear_and_ram_that_is_short_is_left_alone():
    memory = MemoryConfig(blocks_swapped=20)
    assert next_notch(memory, 40, 8).memory.inputs_in_ram
    without_ram = next_notch(memory, 40, 8, ram_suffices=False).memory
    assert (without_ram.inputs_in_ram, without_ram.rows_per_walk) == (False, 4)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("x"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"), True),
        (RuntimeError("shapes do not match"), False),
        (MemoryError(), False),
    ],
)
def test_memory_of_the_gpu_is_told_from_other_faults(error, expected):
    assert is_out_of_memory(error) is expected


# -- a person who wants the GPU back


def test_a_stop_in_the_middle_of_a_step_ends_it_between_two_blocks_and_loses_nothing(project, finished):
    run_dir, events, asked = new_run(project), Events(), []

    def should_stop():
        """Asked for in the middle of the first step, whose length nobody knows yet."""
        asked.append(1)
        return len(asked) > 8

    result = train(config(), run_dir, report=events, should_stop=should_stop)
    assert result.stopped and result.step == 0 and not events.of("step")
    train(config(), run_dir, report=events)
    assert [e["step"] for e in events.of("step")] == [1, 2, 3] and lora_bits(run_dir) == lora_bits(finished)


def test_a_step_that_ends_soon_is_waited_for_and_a_long_one_is_not():
    soon, late = (StopBetweenBlocks(lambda: True, torch.device("cpu"), seconds) for seconds in (PATIENCE_SECONDS / 2, 60.0))
    soon()
    with pytest.raises(BrokenOff):
        late()
    soon.asked = time.monotonic() - PATIENCE_SECONDS - 1  # it drags on
    with pytest.raises(BrokenOff):
        soon()
    StopBetweenBlocks(lambda: False, torch.device("cpu"), None)()


def test_a_block_pass_that_was_left_leaves_nothing_behind(tiny_base):
    draw = torch.Generator().manual_seed(0)
    latents = torch.randn(tiny_base.latent_shape(1, 32, 32), generator=draw)
    row = Row(latents, torch.randn(latents.shape, generator=draw), 0.5, torch.randn(4, tiny_base.configs["transformer"]["text_dim"]))
    group, plan = Group((row,) * 2), StepPlan(inputs_in_ram=True)

    def gradients(break_off_at=None):
        model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu", blocks_swapped=2)
        add_lora(model, 2, seed=0)
        store, seen = plan.make_store(torch.device("cpu")), []

        def before_block():
            seen.append(1)
            if len(seen) == break_off_at:
                raise BrokenOff

        if break_off_at:
            with pytest.raises(BrokenOff):
                accumulate_gradients(model, group, "cpu", plan, store, before_block)
            model.zero_grad()
        accumulate_gradients(model, group, "cpu", plan, store)
        return {key: p.grad for key, p in trainable_lora(model).items()}

    expected = gradients()
    for break_off_at in (3, 9):  # in the forward pass, and in the backward pass
        found = gradients(break_off_at)
        assert all(torch.equal(found[key], grad) for key, grad in expected.items())
