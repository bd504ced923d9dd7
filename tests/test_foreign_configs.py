"""Configs of other trainers become settings here; what has no counterpart is named, and a hostile file is a sentence."""

import json
from dataclasses import replace

import pytest
import yaml
from export_kit import make_source

from studio import cli
from studio.config import TrainConfig, flatten, from_dict, merge, nest, to_dict
from studio.errors import Problem
from studio.export.reading.config_files import MAX_BYTES
from studio.export.reading.taking_over import read_configs
from studio.export.reading.values import Counts
from studio.export.targets import ai_toolkit, diffusion_pipe
from studio.export.writing import to_toml, to_yaml

TRAINED = from_dict(
    TrainConfig,
    {
        "steps": 4800,
        "save_every": 800,
        "accumulation": 2,
        "lora": {"rank": 48},
        "timesteps": {"distribution": "uniform"},
        "preservation": {"enabled": True, "multiplier": 2.5},
        "optimizer": {"learning_rate": 1.5e-4, "weight_decay": 0.02, "max_grad_norm": 0.5, "warmup_steps": 20},
        "data": {"photo_size": 640, "clip_size": 320, "clip_frames": 17},
        "memory": {"blocks_swapped": 30},
    },
)
# what each format can carry of our settings
CARRIED = (
    "steps",
    "save_every",
    "accumulation",
    "lora.rank",
    "timesteps.distribution",
    "data.photo_size",
    "data.clip_size",
    "data.clip_frames",
)
CARRIED += tuple(f"optimizer.{name}" for name in ("name", "learning_rate", "weight_decay", "max_grad_norm"))
AI_TOOLKIT = ("optimizer.schedule", "preservation.enabled", "preservation.multiplier")
PIPE = ("optimizer.warmup_steps", "optimizer.schedule", "high_noise_share")


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def write_pipe(folder, train, num_items):
    """The three files of an export to diffusion-pipe."""
    source = make_source(train, num_items)
    configs = {expert: diffusion_pipe.training_config(source, expert) for expert in ("high_noise", "low_noise")}
    configs["dataset"] = diffusion_pipe.dataset_config(source)
    return [write(folder / f"{name}.toml", to_toml(data)) for name, data in configs.items()]


def read_settings(found):
    """The config that the found settings make of the defaults; illegal ones would raise."""
    return flatten(from_dict(TrainConfig, merge(to_dict(TrainConfig()), nest(found.settings))))


@pytest.mark.parametrize(
    "optimizer",
    [{}, {"name": "adamw8bit", "schedule": "cosine"}, {"name": "prodigy", "prodigy_factor": 0.8}, {"name": "adafactor", "average": 0.995}],
)
def test_what_is_exported_to_ai_toolkit_is_read_back_the_same(tmp_path, optimizer):
    train = replace(TRAINED, optimizer=replace(TRAINED.optimizer, **optimizer))
    text = to_yaml(ai_toolkit.job_config(make_source(train)))
    found = read_configs([write(tmp_path / "config.yaml", text)])
    expected, got = flatten(train), read_settings(found)
    names = (*CARRIED, *AI_TOOLKIT, *(f"optimizer.{name}" for name in optimizer))
    for name in names:
        if name != "optimizer.learning_rate" or train.optimizer.name != "prodigy":
            assert got[name] == expected[name], name
    told = {name: why for name, _, why in found.without}
    assert "next save" in told["train.switch_boundary_every"] and "project's" in told["trigger_word"]


@pytest.mark.parametrize(("share", "name"), [(0.5, "adamw"), (0.75, "adamw8bit")])
def test_what_is_exported_to_diffusion_pipe_is_read_back_the_same(tmp_path, share, name):
    train = replace(TRAINED, high_noise_share=share, optimizer=replace(TRAINED.optimizer, name=name))
    found = read_configs(write_pipe(tmp_path, train, num_items=20), Counts(19, 1))
    expected, got = flatten(train), read_settings(found)
    assert {name: got[name] for name in (*CARRIED, *PIPE)} == {name: expected[name] for name in (*CARRIED, *PIPE)}
    assert ("high_noise.toml: adapter.init_from_existing", "lora_high_noise") in [entry[:2] for entry in found.without]


def test_one_expert_s_config_stands_for_both_and_says_so(tmp_path):
    high, low, _ = write_pipe(tmp_path, TRAINED, 20)
    found = read_configs([low], Counts(19, 1))
    assert (found.settings["steps"], found.settings["save_every"]) == (4800, 800) and "both experts" in found.without[-1][2]
    write(low, low.read_text(encoding="utf-8").replace("rank = 48", "rank = 16"))
    found = read_configs([high, low], Counts(19, 1))
    assert found.settings["lora.rank"] == 16
    assert ("high_noise: lora.rank", "48", "both experts learn with the same: 16") in found.without
    with pytest.raises(Problem, match="Two of the files are of the low noise expert"):
        read_configs([low, write(tmp_path / "again.toml", low.read_text(encoding="utf-8"))], Counts(19, 1))


AI_TOOLKIT_BY_HAND = """
job: extension
config:
  name: my lora
  process:
    - type: diffusion_trainer
      network: {type: lokr, linear: 500, linear_alpha: 16}
      datasets:
        - {folder_path: /home/me/photos, num_frames: 1, resolution: [512, 768], caption_dropout_rate: 0.05}
        - {folder_path: /home/me/clips, num_frames: 40, resolution: 480}
      train:
        steps: many
        batch_size: 2
        gradient_accumulation: 3
        lr: 1e-4
        timestep_type: weighted
        optimizer: Automagic
        gradient_checkpointing: 1
      model: {arch: wan22_14b, model_kwargs: {train_high_noise: false, train_low_noise: true}}
"""


def test_what_cannot_be_used_is_named_with_the_reason_and_the_rest_is_taken(tmp_path):
    found = read_configs([write(tmp_path / "job.yml", AI_TOOLKIT_BY_HAND)])
    assert found.settings == {
        "optimizer.learning_rate": 1e-4,  # a text for YAML
        "accumulation": 6,
        "data.photo_size": 768,
        "data.clip_size": 480,
        "high_noise_share": 0.0,
    }
    told = {name: (value, why) for name, value, why in found.without}
    assert told["train.steps"] == ("many", "it must be a whole number")
    assert told["train.gradient_checkpointing"] == ("1", "it must be true or false")
    assert told["lora.rank"][0] == "500" and "at most 256" in told["lora.rank"][1]
    assert "4n + 1" in told["data.clip_frames"][1] and "alpha is always the rank" in told["network.linear_alpha"][1]
    assert "only LoRAs" in told["network.type"][1] and "sigmoid, shift, uniform" in told["train.timestep_type"][1]
    assert (
        told["datasets.0.caption_dropout_rate"][0] == "0.05"
        and "each of 512, 768 px, here at one size: 768" in told["datasets.0.resolution"][1]
    )
    assert all(why for _, _, why in found.without)


def nested(depth):
    return "a: " + "[" * depth + "]" * depth


BOMB = "a: &a [1,1,1,1,1,1,1,1,1]\n" + "".join(f"{b}: &{b} [{','.join(['*' + a] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.yaml", b"x" * (MAX_BYTES + 1), "too large"),
        ("a.yaml", BOMB.encode(), "refers to another place"),
        ("a.yaml", nested(20_000).encode(), "nested too deeply|can't be read"),
        ("a.toml", nested(20_000).replace(":", " =").encode(), "nested too deeply"),
        ("a.yaml", b"!!python/object/apply:os.system ['echo hello']", "can't be read"),
        ("a.yaml", b"a: \x00\x01", "no text"),
        ("a.yaml", b"- 1", "no settings"),
        ("a.yaml", b"config: {process: 3}", "must be a list of jobs"),
        ("a.yaml", b"config: {process: [1]}", "must be a list of jobs"),
        ("a.yaml", b"a: 1\n---\nb: 2", "more than one config"),
        ("a.toml", b"model = ", "can't be read"),
        ("a.toml", b"network_module = 'networks.lora_flux_2'", "another base model: FLUX"),
        ("a.yaml", b"", "no settings"),
        ("a.yaml", ("config: {process: [{" + ", ".join(f"k{n}: 1" for n in range(9000)) + "}]}").encode(), "too many values"),
    ],
)
def test_a_hostile_or_wrong_file_is_refused_in_words(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Problem, match=words) as refused:
        read_configs([tmp_path / name])
    assert refused.value.fix


def test_numbers_that_are_none_and_odd_kinds_do_no_harm(tmp_path):
    process = {
        "train": {"steps": float("inf"), "lr": [1], "batch_size": {"a": 1}},
        "network": None,
        "datasets": ["photos"],
        3: {None: "x\u202ey"},
    }
    found = read_configs([write(tmp_path / "a.yaml", yaml.safe_dump({"config": {"process": [process]}}))])
    assert found.settings == {"accumulation": 1}
    huge = read_configs([write(tmp_path / "b.toml", f"epochs = 0x{'f' * 5000}\n[model]\ntype = 'wan'\n[optimizer]\nlr = nan\n")])
    assert ("b.toml: epochs", "a very large number", "it must be a whole number") in huge.without
    assert not any("\u202e" in value for _, value, _ in found.without)


def test_two_programs_at_once_and_a_missing_file_are_refused(tmp_path):
    job, *_ = write(tmp_path / "job.yaml", AI_TOOLKIT_BY_HAND), None
    with pytest.raises(Problem, match="different programs"):
        read_configs([job, *write_pipe(tmp_path, TRAINED, 20)])
    with pytest.raises(Problem, match="no file"):
        read_configs([tmp_path / "gone.yaml"])


def test_the_command_fills_the_train_form_and_says_what_is_left_out(project, tmp_path, capsys):
    job = write(tmp_path / "my job.yaml", AI_TOOLKIT_BY_HAND.replace("steps: many", "steps: 1200"))
    home = ["--home", str(project.workspace.home)]
    assert cli.main(["import-config", "Anna", str(job), "--json", *home]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (
        told["program"] == "AI Toolkit"
        and told["settings"]["steps"] == 1200
        and ["train.optimizer", "Automagic"] in [entry[:2] for entry in told["without"]]
    )
    assert project.facts().train_choice.overrides["steps"] == 1200
    assert cli.main(["import-config", "Anna", str(tmp_path / "gone.yaml"), *home]) == 2
