"""Configs that come in: each value has become something or is listed, and means the same here as in the trainer it is from."""

import json
import tomllib
from dataclasses import replace

import pytest
import yaml
from export_kit import make_source
from training_kit import add_photo

from studio import cli
from studio.config import TrainConfig, flatten, from_dict, merge, nest, to_dict
from studio.errors import Problem
from studio.export.reading.taking_over import read_configs
from studio.export.reading.values import Counts
from studio.export.targets import ai_toolkit, diffusion_pipe, musubi
from studio.export.writing import to_toml, to_yaml

TRAINED = from_dict(
    TrainConfig,
    {
        "steps": 3600,
        "save_every": 900,
        "accumulation": 2,
        "seed": 7,
        "lora": {"rank": 48, "precision": "bf16"},
        "optimizer": {"learning_rate": 1.5e-4, "weight_decay": 0.02, "max_grad_norm": 0.5, "warmup_steps": 20, "schedule": "cosine"},
        "data": {"photo_size": 640, "clip_size": 320, "clip_frames": 17},
        "memory": {"blocks_swapped": 30},
    },
)
LEVELS = [
    {"distribution": "sigmoid", "scale": 0.8},
    {"distribution": "uniform"},
    {"distribution": "shifted_sigmoid", "shift": 5.0, "scale": 1.2},
    {"distribution": "shift", "shift": 4.0},
]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def read_settings(found):
    """The config that the found settings make of the defaults; illegal ones would raise."""
    return flatten(from_dict(TrainConfig, merge(to_dict(TrainConfig()), nest(found.settings))))


def write_exports(folder, to, train, num_items=20):
    """The configs of an export, as files."""
    source = make_source(train, num_items)
    if to == "ai-toolkit":
        return [write(folder / "config.yaml", to_yaml(ai_toolkit.job_config(source)))]
    target = {"diffusion-pipe": diffusion_pipe, "musubi": musubi}[to]
    configs = {expert: target.training_config(source, expert) for expert in ("high_noise", "low_noise")}
    configs["dataset"] = diffusion_pipe.dataset_config(source) if to == "diffusion-pipe" else musubi.dataset_config(train, source.groups)
    return [write(folder / f"{name}.toml", to_toml(data)) for name, data in configs.items()]


@pytest.mark.parametrize("levels", LEVELS, ids=lambda levels: levels["distribution"])
@pytest.mark.parametrize("to", ["diffusion-pipe", "musubi"])
def test_what_is_exported_is_read_back_the_same(tmp_path, to, levels):
    if to == "musubi" and levels["distribution"] == "shift":
        pytest.skip("musubi-tuner has no such levels, and its export says so")
    train = replace(TRAINED, timesteps=from_dict(type(TRAINED.timesteps), levels))
    found = read_configs(write_exports(tmp_path, to, train), Counts(19, 1))
    expected, got = flatten(train), read_settings(found)
    of_this_computer = {"memory.blocks_swapped"}
    unknown = {"diffusion-pipe": {"seed"}, "musubi": {"lora.precision"}}[to]
    for name in (
        "steps",
        "save_every",
        "accumulation",
        "seed",
        "high_noise_share",
        *(n for n in expected if n.startswith(("lora", "opt", "data", "time"))),
    ):
        if name not in unknown | of_this_computer and not (name == "timesteps.scale" and levels["distribution"] in ("uniform", "shift")):
            used = name != "timesteps.shift" or "shift" in levels
            assert not used or got[name] == expected[name], name
    assert not of_this_computer & found.settings.keys()


# -- every value of a config has become something, or is listed

BY_HAND = {
    "job.yaml": """
job: extension
defaults: &rate 1e-4
config:
  name: anna
  process:
    - type: diffusion_trainer
      training_seed: 3
      network: {type: lora, linear: 32, linear_alpha: 16, conv: 16}
      save: {dtype: float16, save_every: 250, push_to_hub: false}
      datasets:
        - {folder_path: /photos, resolution: [512, 768, 1024], num_frames: 1, num_repeats: 3, flip_x: true, new_here: 1}
        - {folder_path: /clips, resolution: 480, num_frames: 41, fps: 16}
      train: {steps: 2000, lr: *rate, timestep_type: shift, lr_scheduler: constant_with_warmup, lr_scheduler_params: {num_warmup_steps: 30}, odd: []}
      model: {arch: "wan22_14b:t2v", quantize: true, qtype: int4, model_kwargs: {train_high_noise: true, train_low_noise: true}}
meta: {version: "1.0"}
""",
    "low.toml": """
output_dir = 'o'
dataset = 'dataset.toml'
epochs = 20
gradient_accumulation_steps = 2
lr_scheduler = 'cosine'
blocks_to_swap = 39
save_every_n_epochs = 5
activation_checkpointing = 'unsloth'
some_future_field = [1, 2]
[model]
type = 'wan'
shift = 3
timestep_sample_method = 'uniform'
min_t = 0
max_t = 0.875
[adapter]
type = 'lora'
rank = 32
dtype = 'bfloat16'
[optimizer]
type = 'adamw_optimi'
lr = 5e-5
betas = [0.9, 0.99]
stabilize = false
""",
    "dataset.toml": """
resolutions = [512, 640]
enable_ar_bucket = true
frame_buckets = [1, 33]
[[directory]]
path = '/photos'
num_repeats = 10
[[directory]]
path = '/clips'
num_repeats = 10
resolutions = [256]
frame_buckets = [1, 17]
""",
    "train.sh": """#!/bin/bash
# both caches are made before
MODELS="/models/wan"
RANK=32
python src/musubi_tuner/wan_cache_latents.py --dataset_config d.toml --vae "$MODELS/vae.safetensors"
CUDA_VISIBLE_DEVICES=0 accelerate launch --num_cpu_threads_per_process 1 src/musubi_tuner/wan_train_network.py \\
    --task t2v-A14B --dit "$MODELS/wan2.2_low.safetensors" --fp8_base --sdpa \\
    --optimizer_type AdamW --optimizer_args weight_decay=0.1 "betas=(.9,.99)" \\
    --learning_rate=2e-4 --network_module networks.lora_wan --network_dim $RANK --network_alpha ${RANK} \\
    --timestep_sampling shift --discrete_flow_shift 3.0 --min_timestep 0 --max_timestep 875 \\
    --max_train_epochs 4 --seed 42 --output_name "my lora" && echo done
""",
    "musubi.toml": """
[general]
resolution = [960, 544]
batch_size = 2
bucket_no_upscale = false
[[datasets]]
video_directory = "/clips"
target_frames = [1, 25, 45]
num_repeats = 2
frame_extraction = "uniform"
""",
}
TOGETHER = [["job.yaml"], ["low.toml", "dataset.toml"], ["train.sh", "musubi.toml"]]


def leaf_names(node, name=""):
    """Names of the values of a config, as they are listed."""
    if isinstance(node, dict) and node:
        return [leaf for key, value in node.items() for leaf in leaf_names(value, f"{name}.{key}" if name else str(key))]
    if isinstance(node, list) and node and all(isinstance(value, dict) for value in node):
        return [leaf for number, value in enumerate(node) for leaf in leaf_names(value, f"{name}.{number}")]
    return [name]


@pytest.mark.parametrize("names", TOGETHER, ids=lambda names: names[0])
def test_every_value_became_something_or_is_listed(tmp_path, names):
    found = read_configs([write(tmp_path / name, BY_HAND[name]) for name in names], Counts(20, 4))
    told = {name.removeprefix("config.process.0.").rpartition(": ")[2] for name, _, _ in [*found.became, *found.without]}
    for name in names:
        data = yaml.safe_load(BY_HAND[name]) if name.endswith(".yaml") else tomllib.loads(BY_HAND[name]) if name.endswith(".toml") else {}
        for leaf in leaf_names(data) if data else []:
            assert leaf.removeprefix("config.process.0.") in told, leaf
    assert all(why for _, _, why in found.without) and all(ours for _, _, ours in found.became)
    read_settings(found)


def test_the_words_of_a_command_line_are_its_settings(tmp_path):
    found = read_configs(
        [write(tmp_path / "train.sh", BY_HAND["train.sh"]), write(tmp_path / "musubi.toml", BY_HAND["musubi.toml"])], Counts(0, 10)
    )
    assert found.settings == {
        "optimizer.learning_rate": 2e-4,
        "optimizer.name": "adamw",
        "optimizer.weight_decay": 0.1,
        "lora.rank": 32,
        "seed": 42,
        "timesteps.distribution": "shifted_sigmoid",
        "timesteps.shift": 3.0,
        "accumulation": 2,
        "data.clip_size": 723,  # of the area of 960 x 544
        "data.clip_frames": 45,
        "steps": 2 * 4 * 10,  # 10 clips, twice each, two in a batch, 4 epochs, two experts
    }
    told = {name.rpartition(": ")[2] for name, _, _ in found.without}
    assert {"optimizer_args", "fp8_base", "output_name", "datasets.0.frame_extraction"} <= told


WINDOWS = r"""@echo off
rem musubi
set "FILES=D:\my models"
accelerate launch src\musubi_tuner\wan_train_network.py ^
  --task t2v-A14B --dit "%FILES%\wan2.2_high.safetensors" ^
  --network_module networks.lora_wan --network_dim 16 --network_alpha 16 ^
  --max_train_steps 500 --min_timestep 875
"""
POWERSHELL = "$rank = 16\naccelerate launch wan_train_network.py `\n --network_module networks.lora_wan `\n --network_dim $rank --max_train_steps 500"


@pytest.mark.parametrize(
    ("name", "text"), [("train.bat", WINDOWS.replace("\n", "\r\n")), ("train.ps1", POWERSHELL), ("notes.txt", WINDOWS)]
)
def test_scripts_of_windows_are_read_line_by_line(tmp_path, name, text):
    found = read_configs([write(tmp_path / name, text)])
    assert (found.settings["lora.rank"], found.settings["steps"]) == (16, 1000)


def test_two_trainings_in_one_script_are_the_two_experts(tmp_path):
    line = "python wan_train_network.py --network_module networks.lora_wan --network_dim 8 --max_train_steps {} --{} 875\n"
    found = read_configs([write(tmp_path / "both.sh", line.format(300, "min_timestep") + line.format(900, "max_timestep"))])
    assert (found.settings["steps"], found.settings["high_noise_share"]) == (1200, 0.25)


# -- it means the same here


@pytest.mark.parametrize(("repeats", "steps"), [(1, 360), (10, 3600)])
def test_repeats_of_a_dataset_count(tmp_path, repeats, steps):
    low = write(tmp_path / "low.toml", "epochs = 18\n[model]\ntype = 'wan'\nmax_t = 0.875\n[optimizer]\ntype = 'adamw'\n")
    data = write(tmp_path / "data.toml", f"resolutions = [512]\n[[directory]]\npath = '/x'\nnum_repeats = {repeats}\n")
    assert read_configs([low, data], Counts(10)).settings["steps"] == steps


def test_steps_of_which_only_every_fourth_changes_the_lora_are_a_quarter_here(tmp_path):
    train = {"steps": 4000, "gradient_accumulation_steps": 4, "gradient_accumulation": 2, "lr_scheduler_params": {"num_warmup_steps": 80}}
    job = {"config": {"process": [{"train": train, "save": {"save_every": 400}}]}}
    settings = read_configs([write(tmp_path / "a.json", json.dumps(job))]).settings
    names = ("steps", "accumulation", "save_every", "optimizer.warmup_steps")
    assert [settings[name] for name in names] == [1000, 8, 100, 20]


def test_the_size_of_pictures_of_others_is_not_that_of_photos(tmp_path):
    datasets = [{"folder_path": "/a", "resolution": [512]}, {"folder_path": "/b", "resolution": [1024], "num_frames": 1, "is_reg": True}]
    found = read_configs([write(tmp_path / "a.json", json.dumps({"config": {"process": [{"datasets": datasets}]}}))])
    assert found.settings["data.photo_size"] == 512 and "datasets.1.resolution" in {name for name, _, _ in found.without}


def test_one_run_for_both_experts_takes_the_steps_that_it_says(tmp_path):
    line = "python wan_train_network.py --network_module networks.lora_wan --network_dim 8 --max_train_steps 1600 --dit low.st --dit_high_noise high.st"
    found = read_configs([write(tmp_path / "train.sh", line)])
    assert found.settings["steps"] == 1600 and "the other expert's config" not in {name for name, _, _ in found.without}


@pytest.mark.parametrize("levels", ["qinglong_flux", "sigmoid", "uniform", "shift"])
def test_what_is_said_to_have_become_a_setting_is_one(tmp_path, levels):
    line = f"python wan_train_network.py --network_module networks.lora_wan --timestep_sampling {levels} --discrete_flow_shift 5 --sigmoid_scale 2"
    found = read_configs([write(tmp_path / "train.sh", line)])
    became = {ours for name, _, ours in found.became if name.endswith(("discrete_flow_shift", "sigmoid_scale"))}
    assert became <= set(found.settings)
    named = {name.rpartition(" ")[2] for name, _, _ in (*found.became, *found.without)}
    assert {"discrete_flow_shift", "sigmoid_scale", "timestep_sampling"} <= named


def test_what_a_config_does_not_say_is_told(tmp_path):
    low = "epochs = 18\ndataset = 'd.toml'\n[model]\ntype = 'wan'\nmax_t = 0.875\n[optimizer]\ntype = 'adamw'\n"
    told = {name: why for name, _, why in read_configs([write(tmp_path / "low.toml", low)], Counts(10)).without}
    assert "num_repeats = 1" in told["low.toml: dataset"]
    train = "network_module = 'networks.lora_wan'\nnetwork_dim = 32\n"
    found = read_configs([write(tmp_path / "low_noise.toml", train)])
    told = {name: why for name, _, why in found.without}
    assert "32 times as strongly" in told["low_noise.toml: network_alpha"] and found.settings["steps"] == 3200


def test_levels_of_noise_that_have_a_parameter_of_their_own_bring_it(tmp_path):
    job = "config: {process: [{train: {timestep_type: shift}}]}"
    assert read_configs([write(tmp_path / "a.yaml", job)]).settings["timesteps.shift"] == 5.0  # as it always is there


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "config: {process: [{model: {arch: flux}}]}", "FLUX"),
        ("a.yaml", "config: {process: [{model: {arch: 'qwen_image_edit:2509'}}]}", "Qwen-Image"),
        ("a.yaml", "config: {process: [{model: {name_or_path: x, is_xl: true}}]}", "Stable Diffusion XL"),
        ("a.toml", "[model]\ntype = 'hunyuan-video'\n[optimizer]\ntype = 'adamw'", "HunyuanVideo"),
        ("a.toml", "[model]\ntype = 'ltx2'\n[optimizer]\ntype = 'adamw'", "LTX-Video"),
        ("a.toml", "network_module = 'networks.lora_framepack'", "FramePack"),
        ("a.toml", "network_module = 'networks.lora'\npretrained_model_name_or_path = 'x'", "Stable Diffusion"),
        ("a.sh", "python hv_train_network.py --network_module networks.lora --network_dim 4", "HunyuanVideo"),
        ("a.sh", "accelerate launch train_network.py --network_module networks.lora", "Stable Diffusion"),
        ("a.toml", "[[datasets]]\n[[datasets.subsets]]\nimage_dir = 'x'", "sd-scripts"),
    ],
)
def test_a_config_for_another_model_is_refused_by_name(tmp_path, name, text, words):
    with pytest.raises(Problem, match=words) as refused:
        read_configs([write(tmp_path / name, text)])
    assert refused.value.fix


def test_a_single_model_of_the_same_family_is_told(tmp_path):
    found = read_configs([write(tmp_path / "a.yaml", "config: {process: [{model: {arch: wan21}, train: {steps: 100}}]}")])
    assert found.settings["steps"] == 100 and any("WAN 2.1" in why for _, _, why in found.without)


# -- advice instead of a parser's sentence

ADVICE = [
    ("a.toml", b'a = 1\nout = "D:\\loras\\anna"\n', "in line 2 a path with", "single quotes: out = 'D:\\loras\\anna'"),
    ("a.toml", b'out = "C:\\Users\\anna"\n', "in line 1 a path with", "out = 'C:\\Users\\anna'"),
    ("a.yaml", b'a: 1\nfolder: "C:\\ai-toolkit\\output"\n', "in line 2 a path with", "folder: 'C:\\ai-toolkit\\output'"),
    ("a.json", b'{"folder": "C:\\ai-toolkit\\photos"}', "in line 1 a path with", '"folder": "C:/ai-toolkit/photos"'),
    ("a.yaml", b"a:\n\tb: 1\n", "line 2 begins with a tab", "YAML takes spaces alone"),
    ("a.yaml", b"a: 1\n---\na: 2\n", "more than one config", "a file of its own"),
    ("a.yaml", b"a: !!python/object/apply:os.system ['touch x']", "objects of a program", "line 1"),
    ("a.toml", b"steps = \n", "can't be read", "line 1: steps ="),
    ("a.sh", b"echo hello\n", "starts no training", "training program"),
]


@pytest.mark.parametrize(("name", "content", "words", "fix"), ADVICE)
def test_what_a_parser_refuses_becomes_advice(tmp_path, name, content, words, fix):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Problem) as refused:
        read_configs([tmp_path / name])
    assert words in refused.value.message and fix in refused.value.fix


JOB = "# 设置\nconfig:\n  process:\n  - train: {steps: 1234}\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gbk", "cp1252"])
def test_a_config_in_another_encoding_is_read_and_told(tmp_path, encoding):
    text = JOB.replace("设置", "façade") if encoding == "cp1252" else JOB
    (tmp_path / "a.yaml").write_bytes(text.encode(encoding))
    found = read_configs([tmp_path / "a.yaml"])
    assert found.settings["steps"] == 1234
    assert any("encoding" in name for name, _, _ in found.without) == (encoding in ("gbk", "cp1252"))


def test_references_within_bounds_are_followed(tmp_path):
    text = "rate: &rate 3e-4\ncommon: &c {steps: 700}\nconfig: {process: [{train: {<<: *c, lr: *rate}}]}"
    assert read_configs([write(tmp_path / "a.yaml", text)]).settings == {"steps": 700, "optimizer.learning_rate": 3e-4, "accumulation": 1}


# -- a project


def test_a_second_config_begins_from_the_recipe_and_names_what_goes(project, tmp_path, capsys):
    home = ["--home", str(project.workspace.home)]
    first = write(tmp_path / "first.yaml", "config: {process: [{network: {linear: 64}, train: {steps: 900, lr: 3e-4}}]}")
    second = write(tmp_path / "second.yaml", "config: {process: [{train: {steps: 1200}}]}")
    assert cli.main(["import-config", "Anna", str(first), *home]) == 0
    capsys.readouterr()
    assert cli.main(["import-config", "Anna", str(second), "--json", *home]) == 0
    told = json.loads(capsys.readouterr().out)
    assert project.facts().train_choice.overrides == {"steps": 1200, "accumulation": 1}
    gone = {name: why for name, _, why in told["without"]}
    assert "begins from the recipe" in gone["lora.rank"] and "begins from the recipe" in gone["optimizer.learning_rate"]


def test_photos_and_clips_that_are_kept_count_for_epochs(project, tmp_path):
    for number in range(1, 6):
        add_photo(project, number)
    low = write(tmp_path / "low.toml", "epochs = 10\n[model]\ntype = 'wan'\nmax_t = 0.875\n[optimizer]\ntype = 'adamw'\n")
    data = write(tmp_path / "data.toml", "resolutions = [512]\n[[directory]]\npath = '/x'\nnum_repeats = 2\n")
    assert cli.main(["import-config", "Anna", str(low), str(data), "--home", str(project.workspace.home)]) == 0
    assert project.facts().train_choice.overrides["steps"] == 2 * 10 * 5 * 2
