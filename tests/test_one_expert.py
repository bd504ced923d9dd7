"""Base models that are one network and not two: taught, drawn, compared and exported as what they are. On the tiny model's low-noise expert alone."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from comfyui_kit import SMALL, add_small_model, make_comfyui
from model_kit import check_weights, load_pipeline
from safetensors import safe_open
from team_kit import losses, run_team
from training_kit import Events, add_photo, small_config

from studio.config import SweepConfig, TrainConfig, to_dict
from studio.disk import write_json
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.drawing import run_sweep
from studio.evaluation.judge.verdict import verdict
from studio.export.exporting import export_pair
from studio.jobs.kinds.train import TrainJob
from studio.machine import read_machine
from studio.models.catalogue import describe_model, find_model, link_model
from studio.models.fetch.needed import names_of_diffusers_folder
from studio.models.files.comfyui_files import find_files
from studio.models.loading import load_expert, load_vae
from studio.models.preset import list_models, model_preset
from studio.models.render import decode_frames, draw_stage, start_state
from studio.training.loop import train
from studio.training.pairs import list_pairs
from studio.training.plan.planner import propose
from studio.ui.train.expert_progress import read_lanes

FIRST = '[[experts]]\nname = "high_noise"\nwords = "layout and motion"\nnoise = [0.875, 1.0]\nguidance = 1.5\n\n'
ONE = {FIRST: "", "noise = [0.0, 0.875]": "noise = [0.0, 1.0]"}
CLIP = SweepConfig(strengths=(1.0,), prompts=("[trigger] smiling",), width=32, height=32, num_frames=1, num_inference_steps=3)


@pytest.fixture
def preset(tmp_path, tiny_base, monkeypatch):
    return add_small_model(tmp_path, tiny_base, monkeypatch, changes=ONE)


@pytest.fixture
def folder(tmp_path, tiny_base):
    """The tiny model's low-noise expert as a diffusers folder with one expert."""
    root = shutil.copytree(tiny_base.folder, tmp_path / "one", ignore=shutil.ignore_patterns("transformer", "captioner", "observer"))
    (root / "transformer_2").rename(root / "transformer")
    index = json.loads((root / "model_index.json").read_text(encoding="utf-8"))
    write_json(root / "model_index.json", index | {"transformer_2": [None, None], "boundary_ratio": None})
    return root


@pytest.fixture
def base(folder, preset, workspace):
    return link_model(SMALL, folder, workspace)


def test_every_noise_level_belongs_to_the_one_expert(base, tiny_base):
    assert base.experts == ("low_noise",) and base.sigma_range("low_noise") == (0.0, 1.0)
    assert {base.expert_of(sigma) for sigma in (0.0, 0.9, 1.0)} == {"low_noise"}
    ours, theirs = (load_expert(b, "low_noise", dtype=torch.float32, device="cpu").state_dict() for b in (base, tiny_base))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert check_weights(base, "low_noise") == base.preset.shape.parameters_per_expert


def test_it_draws_what_the_stock_pipeline_draws(base):
    pipeline, settings = load_pipeline(base), SweepConfig(width=32, height=32, num_frames=5, num_inference_steps=4, guidance_scale_low=1.0)
    pipeline.scheduler = type(pipeline.scheduler).from_config(
        pipeline.scheduler.config, use_flow_sigmas=True, flow_shift=settings.flow_shift
    )
    prompt = pipeline._get_t5_prompt_embeds(["a person"], max_sequence_length=base.max_prompt_tokens)
    state = start_state(base, settings, 7)
    options = {"width": 32, "height": 32, "num_frames": 5, "num_inference_steps": 4, "guidance_scale": 1.0, "output_type": "np"}
    expected = pipeline(prompt_embeds=prompt, latents=state["latents"].clone(), **options).frames[0]
    model = load_expert(base, "low_noise", dtype=torch.float32, device="cpu")
    drawn = draw_stage(model, base, settings, "low_noise", state, prompt, prompt, device="cpu")
    assert (decode_frames(load_vae(base, device="cpu"), drawn["latents"], "cpu") == expected).all()


def test_a_person_is_learned_compared_and_exported(base, workspace):
    project = workspace.create_project("Anna", trigger="ohwx", class_noun="person", base_model=SMALL)
    for number in range(1, 5):
        add_photo(project, number)
    run_dir = project.new_run_dir("train")
    config = small_config(steps=2, save_every=2, high_noise_share=0.5, preservation={"pictures": 1, "every": 1})
    facts = {"kind": "train", "trigger": "ohwx", "class_noun": "person", "base_model": SMALL, "config": to_dict(config)}
    write_json(run_dir / "config.json", facts)
    events = Events()
    train(config, run_dir, report=events)
    assert [(p["expert"], p["last_step"]) for p in events.of("phase")] == [("low_noise", 2)]
    (pair,) = list_pairs(project)
    assert list(pair.files) == ["low_noise"] and pair.manifest.experts.keys() == {"low_noise"}
    with safe_open(pair.low_noise, "pt") as file:
        assert any(file.get_tensor(key).abs().sum() for key in file.keys() if "lora_B" in key)  # noqa: SIM118

    job = project.new_run_dir("sweep")
    write_json(job / "config.json", {"kind": "sweep", "config": to_dict(CLIP), "pairs": None})
    result = run_sweep(CLIP, job, report=Events())
    assert (result.rendered, result.failed, result.stopped) == (2, 0, False)
    sweep = sweeps.read_sweep(project.sweep_dir(result.sweep))
    assert verdict(project, sweep)

    exported = export_pair(project, pair, "comfyui")
    assert sorted(p.name for p in exported.glob("*")) == ["README.txt", "anna_run1_step2.safetensors", "export.json"]
    assert "One LoRA for Tiny (built in)" in (exported / "README.txt").read_text(encoding="utf-8")
    assert export_pair(project, pair, "bundle").is_dir()
    with pytest.raises(Problem, match="can't be exported to musubi"):
        export_pair(project, pair, "musubi")


def test_all_graphics_cards_share_the_steps_of_the_one_expert(base, workspace):
    project = workspace.create_project("Anna", trigger="ohwx", class_noun="person", base_model=SMALL)
    for number in range(1, 5):
        add_photo(project, number)
    alone, told = Events(), {}
    for processes in (1, 2):
        config, run_dir = small_config(steps=3, save_every=3, processes=processes), project.new_run_dir("train")
        write_json(run_dir / "config.json", {"kind": "train", "trigger": "ohwx", "class_noun": "person", "base_model": SMALL})
        told = run_team(config, run_dir) if processes > 1 else train(config, run_dir, report=alone)
    curve, expected = losses(told[0][0]), losses(alone)
    assert curve.keys() == expected.keys() and not told[1][0]
    assert max(abs(curve[key] - expected[key]) for key in expected) <= 1e-5


def test_the_window_shows_one_lane(base, workspace):
    class Job:
        run_dir, state, is_over, is_running = workspace.home, "done", True, False

    config = TrainJob(trigger="ohwx", class_noun="person", base_model=SMALL, config=to_dict(TrainConfig(high_noise_share=0.0)))
    assert [lane.id for lane in read_lanes(Job, config)[0]] == ["low_noise"]
    assert [lane.id for lane in read_lanes(Job, replace(config, base_model="tiny"))[0]] == ["high_noise", "low_noise"]


def test_it_is_found_among_comfyuis_files_without_a_word_on_noise(tmp_path, preset, tiny_base, workspace):
    comfyui = make_comfyui(tmp_path / "ComfyUI", tiny_base, preset.expect)
    models = comfyui / "models/diffusion_models"
    (models / "wan2.2_t2v_low_noise_14B_fp32.safetensors").unlink()
    (models / "wan2.2_t2v_high_noise_14B_fp32.safetensors").rename(models / "wan2.1_t2v_1.3B.safetensors")
    base = link_model(SMALL, comfyui, workspace)
    assert base.source.describe()[0] == "model itself: wan2.1_t2v_1.3B.safetensors (fp32)" and len(base.source.describe()) == 3
    assert check_weights(base, "low_noise")
    (models / "wan2.1_t2v_1.3B.safetensors").unlink()
    with pytest.raises(Problem, match=r"The model itself of Tiny \(built in\) is not in"):
        find_files([comfyui], preset)


def test_a_folder_with_another_number_of_experts_is_refused(folder, preset, tiny_base, workspace):
    with pytest.raises(Problem, match=r"has two experts, Tiny .* has one"):
        link_model(SMALL, tiny_base.folder, workspace)
    with pytest.raises(Problem, match=r"has one expert, WAN 2.2 T2V A14B has two"):
        link_model("wan22-t2v-a14b", folder, workspace)
    (folder / "transformer/config.json").unlink()
    with pytest.raises(Problem, match=r"transformer/config\.json is missing"):
        link_model(SMALL, folder, workspace)


def test_a_download_fetches_one_expert(folder):
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    found = names_of_diffusers_folder(names, None, num_experts=1)
    assert "transformer/diffusion_pytorch_model.safetensors" in found and not any(name.startswith("transformer_2") for name in found)


def test_the_models_with_one_expert_are_these(workspace):
    assert [name for name in list_models() if len(model_preset(name).experts) == 1] == ["wan21-t2v-1.3b", "wan22-ti2v-5b"]
    for name in ("wan21-t2v-1.3b", "wan22-ti2v-5b"):
        preset = model_preset(name)
        assert preset.default_boundary > 1 and preset.train_config.high_noise_share == 0
        assert not describe_model(name, workspace).available
        with pytest.raises(Problem, match="not on this computer"):
            find_model(name, workspace)


def test_the_plan_gives_all_steps_to_the_one_expert(preset, workspace):
    project = workspace.create_project("Anna", trigger="ohwx", class_noun="person", base_model=SMALL)
    plan = propose(project, read_machine(), workspace=workspace, overrides={"high_noise_share": 0.5})
    assert plan.config.high_noise_share == 0.0
