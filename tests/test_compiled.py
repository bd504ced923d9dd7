"""A compiled block: the gradients of the plain block pass, few programs for all blocks and steps, and training that goes on where none can be made."""

from dataclasses import replace

import pytest
import torch
from test_precision import filled, weights  # noqa: F401
from test_streaming import BLOCKS, LateLink, assert_equal_gradients, gradients, group, placed, plain, with_lora  # noqa: F401
from torch._dynamo.utils import counters
from training_kit import Events, new_project, new_run, small_config

from studio.config import MemoryConfig
from studio.models.compiled import call_block, compile_block, why_not_compiled
from studio.models.stream.streaming import place_blocks
from studio.training import loop
from studio.training.step.block_pass import StepPlan
from studio.training.step.gradients import Group, accumulate_gradients, evaluate

QUICK = "aot_eager"  # all but the translation into machine code, which takes minutes: tests/benchmarks/compiled.py


@pytest.fixture(autouse=True)
def no_programs():
    torch.compiler.reset()
    counters.clear()


def num_programs():
    return counters["stats"]["unique_graphs"]


def test_programs_are_made_once_for_all_blocks_steps_and_experts_and_have_the_plain_gradients(filled, group):  # noqa: F811
    group = replace(group, rows=group.rows[2:])  # of one size: each takes seconds
    expected, model = filled(weights(), "int8"), filled(weights(), "int8")
    place_blocks(expected, "cpu")
    losses = accumulate_gradients(with_lora(expected), group, "cpu")
    place_blocks(model, "cpu", 3, link=LateLink())
    with_lora(model)
    plan = StepPlan(compute=compile_block(QUICK))
    for step in range(3):
        model.zero_grad()
        found = accumulate_gradients(model, group, "cpu", plan)
        assert torch.allclose(found, losses, rtol=1e-5)
        assert_equal_gradients(gradients(model), gradients(expected))
        if step == 0:
            made = num_programs()
            assert 0 < made <= 3  # the base model's answer; what is learned, forward, and forward and backward
    other = filled(weights(seed=1), "int8")
    place_blocks(other, "cpu", 1, link=LateLink())
    accumulate_gradients(with_lora(other), group, "cpu", plan)
    evaluate(other, group.rows, "cpu", plan)
    assert num_programs() == made


def test_any_number_of_sizes_takes_two_programs_of_a_kind_and_results_may_be_kept(plain, group):  # noqa: F811
    first = group.rows[0]
    rows = [type(first)(first.latents.repeat(1, n, 1, 1), first.noise.repeat(1, n, 1, 1), 0.5, first.prompt) for n in (1, 2, 3, 5)]
    expected, _ = placed(plain)
    accumulate_gradients(expected, Group(tuple(rows)), "cpu")
    model, _ = placed(plain)
    accumulate_gradients(model, Group(tuple(rows)), "cpu", StepPlan(blocks_kept=BLOCKS, compute=compile_block(QUICK)))
    assert_equal_gradients(gradients(model), gradients(expected))
    assert num_programs() <= 2


def test_a_program_keeps_no_8_bit_layers_whole_weight_for_the_way_back(filled):  # noqa: F811
    model = filled(weights(), "int8")
    layer = model.blocks[0].ffn.net[2]
    kept = []
    run = torch.compile(lambda layer, x: layer(x * 2), backend=QUICK, fullgraph=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        run(layer, torch.randn(1, 8, layer.in_features, requires_grad=True))
    assert kept and all(t.dtype != torch.float32 or t.shape != layer.weight.shape for t in kept)


def test_a_plan_compiles_where_asked_but_not_what_travels_while_it_is_kept():
    def compute(**memory):
        return StepPlan.of(MemoryConfig(**memory), 4).compute

    assert compute() is call_block
    assert compute(compile_blocks=True) is compute(compile_blocks=True, blocks_swapped=2) is compile_block()
    assert compute(compile_blocks=True, blocks_swapped=2, blocks_kept=1) is call_block


# -- where it cannot be done


@pytest.fixture
def no_compiler(monkeypatch, tmp_path):
    """As on a computer that has none."""
    from torch._inductor import config

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "programs"))
    with config.patch({"cpp.cxx": (str(tmp_path / "no compiler here"),)}):
        yield


def test_without_a_compiler_the_reason_is_one_line(no_compiler):
    why = why_not_compiled("cpu")
    assert why and "\n" not in why and len(why) < 300


def test_training_says_at_the_start_that_blocks_are_not_compiled_and_goes_on_without(no_compiler, tiny_base):
    run_dir, events = new_run(new_project(tiny_base)), Events()
    run = loop.open_run(small_config(memory={"compile_blocks": True}), run_dir, events, lambda: False)
    assert sum("not compiled" in note["message"] for note in events.of("note")) == 1
    assert events.of("memory") == [{"step": 0, "compile_blocks": False}] and StepPlan.of(run.fallback.memory, 4).compute is call_block


def test_a_program_that_cannot_be_made_in_the_night_costs_a_note_and_no_step(no_compiler, tiny_base, monkeypatch):
    monkeypatch.setattr(loop, "why_not_compiled", lambda device: "")  # the small program of the start could be made
    run_dir, events = new_run(new_project(tiny_base)), Events()
    result = loop.train(small_config(steps=2, save_every=2, memory={"compile_blocks": True}), run_dir, report=events)
    assert result.step == result.steps and [step["step"] for step in events.of("step")] == [1, 2]
    notes = [note["message"] for note in events.of("note") if "compiled" in note["message"]]
    assert len(notes) == 2 and "during the first steps" in notes[0] and "not compiled" in notes[1]
    assert [event["compile_blocks"] for event in events.of("memory")] == [False]
