"""Exports hold what the other program needs, nothing that is private, and never replace one another."""

import hashlib
import json
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from export_kit import make_source
from house_kit import House
from model_kit import load_pipeline, lora_state
from PIL import Image

from studio import cli
from studio.config import PreservationConfig, TrainConfig, flatten, from_dict, list_settings, nest, to_dict
from studio.disk import file_sha256, finished_dir, write_json
from studio.errors import Problem
from studio.evaluation.clip_files import write_clip
from studio.evaluation.judge.verdict import VERDICT_VERSION
from studio.evaluation.sweep_facts import ComparedPair, Sweep
from studio.evaluation.sweeps import write_sweep
from studio.export.exporting import export_pair
from studio.export.left_out import Fate, account, left_out
from studio.export.lora_keys import check_lora
from studio.export.targets import find_target, target_names
from studio.export.writing import to_toml
from studio.models import lora
from studio.models.files import lora_files
from studio.models.loading import load_expert
from studio.models.loras.reading import read_lora_file
from studio.training.pairs import find_pair, pair_file_name, pair_folder

EXPERTS = ("high_noise", "low_noise")
PAIR = "train-001/step-000030"
TRAIN = from_dict(
    TrainConfig, {"steps": 60, "save_every": 30, "lora": {"rank": 2}, "data": {"clip_frames": 9}, "memory": {"blocks_swapped": 20}}
)


@pytest.fixture(scope="module")
def lora_states(tiny_base):
    states = {}
    for number, expert in enumerate(EXPERTS):
        model = load_expert(tiny_base, expert, dtype=torch.float32, device=torch.device("cpu"))
        lora.add_lora(model, 2, seed=number)
        generator = torch.Generator().manual_seed(number)
        states[expert] = {k: torch.randn(t.shape, generator=generator) * 0.2 for k, t in lora_state(model).items()}
    return states


@pytest.fixture
def trained(project, lora_states):
    """A project with two photos, a clip and one checkpoint pair."""
    run_dir = project.runs_dir / "train-001"
    run_dir.mkdir(parents=True)
    write_json(run_dir / "config.json", {"kind": "train"})
    experts = {}
    with finished_dir(pair_folder(run_dir, 30)) as folder:
        for expert, state in lora_states.items():
            name = pair_file_name(run_dir, 30, expert)
            lora_files.save_lora_file(folder / name, state, {"expert": expert})
            experts[expert] = {"file": name, "sha256": file_sha256(folder / name), "trained": True}
        facts = {"step": 30, "base_model": "tiny", "boundary": 0.875, "settings": to_dict(TRAIN)}
        write_json(folder / "manifest.json", facts | {"experts": experts})
    rng = np.random.default_rng(0)
    project.dataset_dir.mkdir()
    for stem in ("0001", "0002"):
        Image.fromarray(rng.integers(0, 256, (96, 64, 3), dtype=np.uint8)).save(project.dataset_dir / f"{stem}.jpg")
        (project.dataset_dir / f"{stem}.txt").write_text(f"ohwx, a person, photo {stem}", encoding="utf-8")
    write_clip(project.dataset_dir / "clip-01.mp4", rng.integers(0, 256, (30, 64, 64, 3), dtype=np.uint8), 24)
    (project.dataset_dir / "clip-01.txt").write_text("ohwx, a person, walking", encoding="utf-8")
    return project


def all_bytes(folder):
    """{name: bytes} of every file, those inside archives too."""
    found = {}
    for path in (p for p in folder.rglob("*") if p.is_file()):
        found[path.relative_to(folder).as_posix()] = path.read_bytes()
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                found |= {name: archive.read(name) for name in archive.namelist()}
    return found


def test_a_comfyui_export_is_the_pair_under_speaking_names_with_a_guide(trained):
    folder = export_pair(trained, PAIR, "comfyui", 0.8, lora_format="fp32")
    names = {p.name for p in folder.iterdir()}
    high, low = "anna_run1_step30_HIGH_noise.safetensors", "anna_run1_step30_LOW_noise.safetensors"
    assert names == {high, low, "README.txt", "export.json"}
    pair = find_pair(trained, PAIR)
    assert (folder / high).read_bytes() == pair.high_noise.read_bytes()
    assert (folder / low).read_bytes() == pair.low_noise.read_bytes()
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    for words in ("ComfyUI/models/loras", "LoraLoaderModelOnly", "0.8", "ohwx, a person", high, low, "AI-generated"):
        assert words in readme


def test_the_comfyui_pair_loads_in_stock_diffusers_and_changes_the_output(trained, tiny_base):
    folder = export_pair(trained, PAIR, "comfyui")
    pipeline = load_pipeline(tiny_base)

    def draw():
        return pipeline(
            "ohwx, a person",
            height=32,
            width=32,
            num_frames=1,
            num_inference_steps=4,
            generator=torch.Generator("cpu").manual_seed(0),
            max_sequence_length=tiny_base.max_prompt_tokens,
            output_type="latent",
        ).frames

    base = draw()
    pipeline.load_lora_weights(next(folder.glob("*HIGH*")), adapter_name="person")
    high_only = draw()
    pipeline.load_lora_weights(next(folder.glob("*LOW*")), adapter_name="person", load_into_transformer_2=True)
    both = draw()
    assert not torch.equal(base, high_only)
    assert not torch.equal(high_only, both)


@pytest.mark.parametrize("to", target_names())
def test_no_export_carries_a_path_and_repeating_it_gives_the_same_folder(trained, tmp_path, to):
    folder = export_pair(trained, PAIR, to)
    files = all_bytes(folder)
    assert not [name for name, data in files.items() if str(tmp_path).encode() in data]
    assert all(name.isascii() and not set(name) & set('<>:"|?*\\') for name in files)
    times = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert export_pair(trained, PAIR, to) == folder
    assert times == {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    assert len(list(trained.exports_dir.iterdir())) == 1


def test_other_settings_or_a_damaged_export_get_a_folder_of_their_own(trained):
    first = export_pair(trained, PAIR, "comfyui", 0.7)
    second = export_pair(trained, PAIR, "comfyui", 1.0)
    assert first != second
    (first / "README.txt").write_text("mine now", encoding="utf-8")
    third = export_pair(trained, PAIR, "comfyui", 0.7)
    assert third not in (first, second)
    assert (first / "README.txt").read_text(encoding="utf-8") == "mine now"


def test_a_damaged_pair_is_not_exported(trained):
    path = find_pair(trained, PAIR).low_noise
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match="changed or damaged"):
        export_pair(trained, PAIR, "comfyui")
    assert not trained.exports_dir.exists() or not list(trained.exports_dir.iterdir())


@pytest.mark.parametrize("strength", [0, -1, 5, float("nan")])
def test_a_strength_that_nobody_can_use_is_refused(trained, strength):
    with pytest.raises(ValueError, match="above 0 and up to 2"):
        export_pair(trained, "train-001/step-000001", "comfyui", strength=strength)


def test_unknown_targets_and_pairs_are_named(trained):
    with pytest.raises(ValueError, match="comfyui, ai-toolkit"):
        export_pair(trained, PAIR, "comfy")
    with pytest.raises(ValueError, match=PAIR):
        export_pair(trained, "train-001/step-000099", "comfyui")


def test_a_file_with_foreign_keys_is_no_pair(tmp_path):
    lora_files.save_lora_file(tmp_path / "a.safetensors", {"lora_unet_blocks_0.lora_down.weight": torch.zeros(2, 2)}, {})
    with pytest.raises(Problem, match="lora_unet_blocks_0"):
        check_lora(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"nothing")
    with pytest.raises(Problem, match="can't be read"):
        check_lora(tmp_path / "b.safetensors")


def check_dataset(folder):
    """Media and captions are all there, photos and clips apart."""
    assert {p.name for p in (folder / "dataset/photos").iterdir()} == {"0001.jpg", "0001.txt", "0002.jpg", "0002.txt"}
    assert (folder / "dataset/clips-9-frames/clip-01.txt").read_text(encoding="utf-8") == "ohwx, a person, walking"
    assert (folder / "dataset/clips-9-frames/clip-01.mp4").is_file()


def test_a_readme_names_what_the_other_trainer_does_not_protect():
    with_pictures = TrainConfig(preservation=PreservationConfig(pictures=24))
    target = find_target("ai-toolkit")
    assert any("not at pictures of others" in entry.why for entry in left_out(with_pictures, target))
    assert not [entry for entry in left_out(TrainConfig(), target) if entry.name.startswith("preservation.")]


def test_ai_toolkit_gets_a_job_that_continues_from_the_pair(trained):
    folder = export_pair(trained, PAIR, "ai-toolkit")
    check_dataset(folder)
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    name, process = config["config"]["name"], config["config"]["process"][0]
    saved = {p.name for p in (folder / process["training_folder"] / name).iterdir()}
    assert saved == {f"{name}_000000030_{expert}.safetensors" for expert in EXPERTS}
    assert process["model"]["arch"] == "wan22_14b"
    assert process["network"] == {"type": "lora", "linear": 2, "linear_alpha": 2}
    assert (process["train"]["steps"], process["train"]["lr"], process["train"]["timestep_type"]) == (60, 2e-4, "sigmoid")
    assert process["train"]["diff_output_preservation_class"] == "person"
    assert [(d["folder_path"], d["num_frames"]) for d in process["datasets"]] == [("dataset/photos", 1), ("dataset/clips-9-frames", 9)]
    assert process["datasets"][1]["fps"] == 16
    assert all((folder / d["folder_path"]).is_dir() for d in process["datasets"])


def test_musubi_gets_its_own_key_names_with_the_same_numbers(trained, lora_states):
    folder = export_pair(trained, PAIR, "musubi")
    check_dataset(folder)
    dataset = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    assert [d.get("image_directory") or d["video_directory"] for d in dataset["datasets"]] == ["dataset/photos", "dataset/clips-9-frames"]
    assert dataset["datasets"][1]["source_fps"] == 16.0
    assert dataset["datasets"][1]["target_frames"] == [9]
    for expert, bounds in (("high_noise", (875, 1000)), ("low_noise", (0, 875))):
        config = tomllib.loads((folder / f"{expert}.toml").read_text(encoding="utf-8"))
        assert (config["min_timestep"], config["max_timestep"]) == bounds
        assert config["network_dim"] == config["network_alpha"] == 2
        state, _ = read_lora_file(folder / config["network_weights"])
        assert state.keys() == lora_states[expert].keys()
        assert all(torch.equal(state[key], tensor) for key, tensor in lora_states[expert].items())
        with open(folder / config["network_weights"], "rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        assert "lora_unet_blocks_0_self_attn_q.lora_down.weight" in header
        assert "lora_unet_blocks_0_ffn_2.alpha" in header


def test_diffusion_pipe_gets_a_config_for_each_expert_with_its_noise_range(trained):
    folder = export_pair(trained, PAIR, "diffusion-pipe")
    check_dataset(folder)
    dataset = tomllib.loads((folder / "dataset.toml").read_text(encoding="utf-8"))
    assert [d["path"] for d in dataset["directory"]] == ["dataset/photos", "dataset/clips-9-frames"]
    assert dataset["directory"][1]["frame_buckets"] == [9]
    for expert, bounds in (("high_noise", (0.875, 1.0)), ("low_noise", (0.0, 0.875))):
        config = tomllib.loads((folder / f"{expert}.toml").read_text(encoding="utf-8"))
        assert (config["model"]["min_t"], config["model"]["max_t"]) == bounds
        assert (config["adapter"]["rank"], config["blocks_to_swap"], config["epochs"]) == (2, 20, 10)
        assert "alpha" not in config["adapter"]
        assert len(list((folder / config["adapter"]["init_from_existing"]).glob("*.safetensors"))) == 1


def test_what_another_trainer_cannot_do_is_said(trained):
    readme = (export_pair(trained, PAIR, "musubi") / "README.txt").read_text(encoding="utf-8")
    assert "no Differential Output Preservation" in readme


def test_a_bundle_is_one_zip_without_photos_unless_asked(trained):
    folder = export_pair(trained, PAIR, "bundle")
    assert {p.suffix for p in folder.iterdir()} == {".zip", ".json"}
    names = set(all_bytes(folder))
    assert {"lora/README-ComfyUI.txt", "manifest.json", "settings.json", "README.txt"} <= names
    assert not [n for n in names if n.startswith("dataset/") or "report" in n]
    assert len([n for n in names if n.startswith("lora/") and n.endswith(".safetensors")]) == 2
    settings = json.loads(all_bytes(folder)["settings.json"])
    assert (settings["trigger"], settings["train"]["steps"]) == ("ohwx", 60)
    with_photos = export_pair(trained, PAIR, "bundle", include_photos=True)
    assert with_photos != folder
    assert "dataset/photos/0001.jpg" in all_bytes(with_photos)


def test_a_bundle_brings_the_report_of_the_comparison(trained):
    for number in (1, 2):
        folder = trained.sweeps_dir / f"sweep-00{number}"
        compared = ComparedPair(id=PAIR, run="train-001", step=60, high_sha256="", low_sha256="")
        facts = {"created": 0.0, "base_model": "tiny", "base_key": "k", "fps": 16, "settings": {}}
        write_sweep(folder, Sweep(**facts, prompts=(), pairs=(compared,), cells=()))
        write_json(folder / "verdict.json", {"pair": PAIR, "number": number, "verdict_version": VERDICT_VERSION})
        (folder / "report.html").write_text(f"report {number}", encoding="utf-8")
    files = all_bytes(export_pair(trained, PAIR, "bundle"))
    assert files["report.html"] == b"report 2"
    assert json.loads(files["verdict.json"])["number"] == 2


def test_toml_is_read_back_as_it_was():
    data = {
        "text": 'a "quote" \\ and\nnew line',
        "list": [1, 2.5, "x"],
        "on": True,
        "small": 1e-8,
        "table": {"x": 1},
        "rows": [{"a": 1}, {"a": 2}],
    }
    assert tomllib.loads(to_toml(data)) == data


def test_the_longest_path_of_an_export_fits_windows_with_a_workspace_as_deep_as_doctor_accepts(project, tmp_path):
    from studio.commands.doctor import MAX_HOME_CHARACTERS, _path
    from studio.workspace import MAX_SLUG_CHARACTERS

    slug = "x" * MAX_SLUG_CHARACTERS
    name = f"{slug}_run1_step5000"
    folder = f"projects/{slug}/exports/.ai-toolkit-train-001-step-005000.01234567.tmp"
    longest = f"{folder}/output/{name}/{name}_000005000_high_noise.safetensors"
    assert MAX_HOME_CHARACTERS + 1 + len(longest) < 260
    deep = tmp_path / ("deep" * 20)
    assert _path(deep, True) == [] and _path(Path("C:/Likeness"), False) == []
    assert "--home" in _path(deep, False)[0].text


EXPORTED_BEFORE = "what an earlier version of the studio wrote"


def test_an_export_of_the_version_before_is_the_same_export_where_its_files_would_be_equal(trained):
    """Its content is reckoned here as that version did, from its source: the list and the order are on people's disks."""
    pair = find_pair(trained, PAIR)
    loras = [file_sha256(pair.files[expert]) for expert in EXPERTS]
    facts = {"name": "anna_run1_step30", "pair": PAIR, "trigger": "ohwx", "class_noun": "person", "base_title": "Tiny (built in)"}
    for to, same in (("comfyui", False), ("bundle", True), ("musubi", False)):  # for drawing it is fp16 now
        what = [1, to, PAIR, loras, facts | {"strength": 0.8}, 0.8, [], [], to_dict(TRAIN)]
        content = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
        folder = trained.exports_dir / f"{to}-train-001-step-000030"
        folder.mkdir(parents=True)
        (folder / "README.txt").write_text(EXPORTED_BEFORE, encoding="utf-8")
        files = {"README.txt": file_sha256(folder / "README.txt")}
        write_json(folder / "export.json", {"to": to, "pair": PAIR, "strength": 0.8, "content": content, "files": files})
        assert (export_pair(trained, PAIR, to, 0.8) == folder) is same, to


# -- what became of each setting

OTHER_VALUES = {  # of settings whose next value is not allowed or is the same
    "processes": [2],
    "finish_by": ["07:00"],
    "data.clip_frames": [17],
    "optimizer.average": [0.5],
    "optimizer.learning_rate": [3e-4],
    "optimizer.weight_decay": [0.5],
    "optimizer.prodigy_factor": [2.0, 0.05],
    "high_noise_share": [0.25, 0.0, 1.0],
    "memory.blocks_swapped": [20, 40],
}
AROUND = [  # beside which other settings each is changed: some act together
    {},
    {"timesteps.distribution": "shift"},
    {"timesteps.distribution": "shifted_sigmoid", "preservation.enabled": False},
    {"optimizer.name": "prodigy", "optimizer.schedule": "cosine"},
    {"optimizer.name": "adafactor", "memory.gradient_checkpointing": False},
]
TRAINERS = [name for name in target_names() if find_target(name).settings]


def other_values(name, about, value):
    """Other values of a setting, by what the settings themselves say of it."""
    if name in OTHER_VALUES:
        return OTHER_VALUES[name]
    if about.choices:
        return [choice for choice in about.choices if choice != value]
    return [not value] if isinstance(value, bool) else [value * 2 or 1]


def write_configs(to, train, pair, folder):
    """(the text of each config of an export, its README), without media."""
    folder.mkdir(parents=True)
    source = make_source(train, pair=pair)
    find_target(to).write(replace(source, groups=tuple(replace(group, items=()) for group in source.groups)), folder)
    texts = {p.name: p.read_text(encoding="utf-8") for p in folder.iterdir() if p.suffix in (".toml", ".yaml")}
    return texts, (folder / "README.txt").read_text(encoding="utf-8")


def as_shown(value):
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("to", TRAINERS)
@pytest.mark.parametrize("around", AROUND, ids=lambda around: ", ".join(map(str, around.values())) or "alone")
def test_every_setting_is_in_the_config_or_in_the_list(trained, tmp_path, to, around):
    """Each setting is changed to each of its other kinds of value: then a config is another one, or the README and the answer name it."""
    pair, target = replace(find_pair(trained, PAIR), high_noise=None, low_noise=None), find_target(to)
    base = from_dict(TrainConfig, nest(around))
    before, _ = write_configs(to, base, pair, tmp_path / "before")
    for name, about, _ in list_settings(TrainConfig):
        acts_alone = around and name.partition(".")[0] not in ("timesteps", "preservation", "optimizer", "memory")
        for value in () if name in around or acts_alone else other_values(name, about, flatten(base)[name]):
            train = from_dict(TrainConfig, nest(around | {name: value}))
            after, readme = write_configs(to, train, pair, tmp_path / f"{name} {value}")
            fate = {entry.name: entry for entry in account(train, target)}[name]
            listed = f"{name} = {as_shown(value)}" in readme
            if fate.fate == Fate.WRITTEN:
                assert after != before, f"{name} = {value} is said to be written"
            else:
                assert listed and (fate.value, bool(fate.why)) == (value, fate.fate != Fate.SAME), f"{name} = {value} is shown nowhere"


@pytest.mark.parametrize("to", TRAINERS)
def test_the_answer_tells_of_every_setting_and_what_will_come_of_it(trained, capsys, to):
    home = ["--home", str(trained.workspace.home)]
    assert cli.main(["export", "Anna", "--to", to, "--json", *home]) == 0
    told = json.loads(capsys.readouterr().out)
    assert {name for name, *_ in told["settings"]} == set(flatten(TrainConfig()))
    assert (told["promise"]["items"], told["promise"]["lost"], told["promise"]["speed"]) == (3, [], [1.0, 1.0])
    assert told["promise"]["steps"] == {"high_noise": 30, "low_noise": 30}
    assert "your photos" in told["private"]
    assert cli.main(["export", "Anna", "--to", to, *home]) == 0
    said = capsys.readouterr().out
    assert "trains on 3 of 3 items: 2 pictures and 1 clip" in said and "Private" in said


@pytest.mark.parametrize("to", TRAINERS)
def test_what_makes_no_difference_is_not_named(to):
    plain = from_dict(TrainConfig, nest({"preservation.enabled": False, "timesteps.distribution": "uniform", "timesteps.scale": 2.0}))
    named = {entry.name for entry in left_out(plain, find_target(to))}
    assert not named & {
        "preservation.enabled",
        "preservation.every",
        "timesteps.distribution",
        "timesteps.scale",
        "optimizer.prodigy_factor",
    }


def test_a_fixed_parameter_of_another_trainer_is_named_unless_it_is_the_same():
    def named(to, **timesteps):
        found = left_out(from_dict(TrainConfig, {"timesteps": timesteps}), find_target(to))
        return {entry.name: entry.why for entry in found if entry.name.startswith("timesteps.")}

    assert named("ai-toolkit", distribution="shift", shift=3.0) == {"timesteps.shift": "it is 5 in this export"}
    assert named("ai-toolkit", distribution="shift", shift=5.0) == {}
    assert named("diffusion-pipe", distribution="sigmoid", scale=0.5) == {}
    assert named("ai-toolkit", distribution="sigmoid", scale=0.5) == {"timesteps.scale": "it is 1 in this export"}
    assert "moves the levels of a sigmoid" in named("musubi", distribution="shift")["timesteps.distribution"]


def test_the_command_says_what_the_other_trainer_does_not_get(trained, capsys):
    home = ["--home", str(trained.workspace.home)]
    assert cli.main(["export", "Anna", "--to", "musubi", "--json", *home]) == 0
    told = json.loads(capsys.readouterr().out)["left_out"]
    assert ["resume_every", 50, "only the studio does that"] in told
    assert cli.main(["export", "Anna", "--to", "musubi", *home]) == 0
    assert "only the studio does that" in capsys.readouterr().out
    assert cli.main(["export", "Anna", "--to", "comfyui", "--json", *home]) == 0
    assert json.loads(capsys.readouterr().out)["left_out"] == []


# -- the door

CARD_FILE = '''
"""Card file: a trainer that nobody has heard of."""

from studio.export.target import Reader, Settings, Target, any_model


def write(source, folder):
    (folder / "card.toml").write_text(f"card_steps = {source.train.steps}", encoding="utf-8")


def read(files, found, num_items):
    found.settings["steps"] = files[0][1]["card_steps"]
    found.leave("colour", "blue", "there are no colours here")


TARGET = Target(
    name="card-file",
    title="Card File",
    writes="a card",
    version=1,
    write=write,
    serves=any_model,
    settings=Settings(distribution="any", words={}, written=frozenset(["steps"]), absent={}),
    recognises=lambda name, data: "card_steps" in data,
    reader=Reader(files="a card", read=read),
)
'''


def test_a_file_more_is_a_target_more_that_is_offered_written_and_read_back(trained, tmp_path):
    """Nothing else is told of it; it has told nothing of most settings, and they are named all the same."""
    house, home = House(tmp_path / "a house"), trained.workspace.home
    house.add("studio/export/targets/card_file.py", CARD_FILE)
    assert "card-file" in house.run(home, "export", "--help").stdout
    exported, _ = house.answer(home, "export", "Anna", "--to", "card-file")
    card = Path(exported["folder"]) / "card.toml"
    assert card.read_text(encoding="utf-8") == "card_steps = 60"
    named = {name for name, _, _ in exported["left_out"]}
    assert "steps" not in named and {"timesteps.distribution", "optimizer.warmup_steps", "lora.rank"} <= named
    found, _ = house.answer(home, "import-config", "Anna", card)
    assert (found["program"], found["settings"], found["without"]) == (
        "Card File",
        {"steps": 60},
        [["colour", "blue", "there are no colours here"]],
    )
    (tmp_path / "other.yaml").write_text("a: 1", encoding="utf-8")
    assert "or a card" in house.run(home, "import-config", "Anna", tmp_path / "other.yaml").stderr
