"""How long a comparison takes, said before anything is drawn: an estimate from the card's data sheet, and called one."""

from dataclasses import replace

import pytest
from comfyui_kit import make_true_comfyui
from test_sweep import make_pair

from studio.config import SweepConfig
from studio.evaluation import drawing_time as estimates
from studio.evaluation import sweeps
from studio.evaluation.drawing_time import drawing_seconds, estimate_drawing, num_passes
from studio.evaluation.sweep_plan import plan_sweep
from studio.machine import Gpu, Machine, TorchBuild
from studio.models.catalogue import find_model, link_model
from studio.models.preset import model_preset
from studio.models.render import stage_steps
from studio.project_facts import Permission
from studio.training.plan.cards import find_card
from studio.training.plan.estimates import forward_operations
from studio.ui.evaluate import choice as evaluate_choice

CARD = Gpu(0, "RTX 4090", 24, 22.1, "555", pcie=(4, 16))
MACHINE = Machine(gpus=(CARD,), ram_total_gb=64, ram_free_gb=58, cpu_name="", cpu_cores=16)
PROMPTS = ("Portrait | [trigger], a [class]", "Other | a [class]")


@pytest.fixture
def wan(workspace, tmp_path, monkeypatch):
    """A project on ComfyUI's files of WAN 2.2, with two pairs; a torch that can use the card."""
    monkeypatch.setattr(estimates, "read_torch_build", lambda: TorchBuild("2.14.1+cu130", (13, 0)))
    link_model("wan22-t2v-a14b", [make_true_comfyui(tmp_path / "ComfyUI", model_preset("wan22-t2v-a14b"))], workspace)
    project = workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))
    import torch

    states = [{"blocks.0.attn1.to_q.lora_A.weight": torch.full((2, 4), float(step))} for step in (1, 2)]
    for step, state in enumerate(states, 1):
        make_pair(project, step * 1000, state, {name: tensor + 0.5 for name, tensor in state.items()})
    return project


def plan_with(project, **changes):
    return plan_sweep(project, SweepConfig(**{"prompts": PROMPTS, "strengths": (0.7,)} | changes))


def seconds_of(project, machine=MACHINE, **changes):
    return estimate_drawing(project, plan_with(project, **changes), machine).seconds


def test_a_first_comparison_says_its_time_and_that_it_is_an_estimate(wan):
    found = estimate_drawing(wan, plan_with(wan), MACHINE)
    assert "estimate" in found.how_sure and "as on an RTX 4090" in found.how_sure
    tokens, facts = 9 * 52 * 30, model_preset("wan22-t2v-a14b").shape  # 33 frames of 832 x 480
    computing = 6 * 20 * 2 * forward_operations(facts, tokens) / (165.2e12 * 0.4)  # 6 clips, 20 steps, with and without the prompt
    assert computing < found.seconds < 1.5 * computing + 120


def test_the_time_follows_what_is_drawn_and_on_what(wan):
    usual = seconds_of(wan)
    assert 1.7 * usual < seconds_of(wan, num_inference_steps=40) < 2.1 * usual
    assert 0.45 * usual < seconds_of(wan, guidance_scale_high=1.0, guidance_scale_low=1.0) < 0.65 * usual
    assert seconds_of(wan, num_frames=81) > 2.4 * usual
    assert seconds_of(wan, strengths=(0.7, 1.0)) == pytest.approx(usual * 10 / 6, rel=0.05)
    slower = replace(MACHINE, gpus=(replace(CARD, name="RTX 3090"),))
    assert seconds_of(wan, slower) > 1.8 * usual
    some = plan_with(wan)
    drawn = {cell.place for cell in some.cells[:3]}
    some = some.with_cells(lambda cell: replace(cell, state="done") if cell.place in drawn else cell)
    assert estimate_drawing(wan, some, MACHINE).seconds == pytest.approx(usual / 2, rel=0.05)


def test_a_small_card_waits_for_the_blocks_in_ram(wan):
    small, base = replace(CARD, vram_free_gb=7.0, pcie=(3, 4)), find_model("wan22-t2v-a14b", wan.workspace)
    plan = plan_with(wan, num_frames=1)
    card = find_card("RTX 4090")
    assert drawing_seconds(base, plan, small, card, 64) > 1.2 * drawing_seconds(base, plan, CARD, card, 64)


def test_a_card_without_a_data_sheet_has_no_time_and_says_why(wan):
    found = estimate_drawing(wan, plan_with(wan), replace(MACHINE, gpus=(replace(CARD, name="Unheard Of"),)))
    assert found.seconds is None and "no data sheet here of Unheard Of" in found.how_sure
    none = estimate_drawing(wan, plan_with(wan), replace(MACHINE, gpus=()))
    assert none.seconds is None and "not known for this computer" in none.how_sure


def test_clips_that_were_drawn_before_count_more_than_a_data_sheet(wan):
    folder = sweeps.open_sweep(wan, SweepConfig(prompts=PROMPTS, strengths=(0.7,)))
    sweeps.write_sweep(folder, sweeps.read_sweep(folder).with_cells(lambda cell: replace(cell, seconds=100.0)))
    found = estimate_drawing(wan, plan_with(wan, strengths=(0.9,)), MACHINE)
    assert found.seconds == pytest.approx(600) and "estimate" not in found.how_sure


def test_the_evaluate_tab_says_it(wan, monkeypatch):
    monkeypatch.setattr(evaluate_choice, "read_machine", lambda: MACHINE)
    words = evaluate_choice.estimate(wan)
    assert "clips; about " in words and "a rough estimate, as on an RTX 4090 by its data sheet" in words


@pytest.mark.parametrize("scheduler", ["unipc", "euler"])
@pytest.mark.parametrize(("shift", "steps"), [(5.0, 20), (3.0, 40), (12.0, 8), (1.5, 30)])
def test_the_experts_share_the_steps_as_they_do_when_drawing(tiny_base, scheduler, shift, steps):
    settings = SweepConfig(flow_shift=shift, num_inference_steps=steps, scheduler=scheduler, guidance_scale_high=1.0)
    high, low = (num_passes(settings, expert, tiny_base.boundary) for expert in tiny_base.experts)
    assert abs(high - stage_steps(tiny_base, settings, "high_noise")) <= 1 and low == 2 * (steps - high)
