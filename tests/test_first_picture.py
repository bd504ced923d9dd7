"""Base models that draw from a first picture and words, end to end, on the tiny model widened for one."""

import dataclasses
import shutil
import tomllib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import yaml
from comfyui_kit import SMALL, make_comfyui, make_true_comfyui
from diffusers import WanImageToVideoPipeline
from first_picture_kit import CONDITION, link_picture_model
from model_kit import check_weights
from PIL import Image
from stock_kit import draw_by_pipeline
from training_kit import Events, add_clip, add_photo, small_config

from studio.commands.training import _require_pictures
from studio.config import EXPERTS, SweepConfig, to_dict
from studio.data.cache import Cache, Sample, encode_condition, plan_samples, read_first_picture, read_pixels, to_model_range
from studio.data.dataset import kept_items, list_items, set_keep
from studio.disk import read_json, write_json
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.clip_files import read_clip
from studio.evaluation.drawing import run_sweep
from studio.evaluation.first_pictures import choose_first_pictures, describe_first_pictures
from studio.evaluation.prompts import standard_prompts
from studio.evaluation.sweep_plan import plan_sweep
from studio.export.exporting import export_pair
from studio.machine import read_machine
from studio.models.catalogue import BaseModel, link_model
from studio.models.fetch.needed import names_of_diffusers_folder
from studio.models.first_picture import encode_first_picture
from studio.models.loading import load_expert, load_text_encoder, load_vae
from studio.models.lora import add_lora, apply_lora, lora_off, trainable_lora
from studio.models.loras.reading import read_lora_file
from studio.models.preset import model_preset
from studio.models.render import decode_frames, draw_stage, start_state, to_bytes
from studio.project_facts import Permission
from studio.training.class_pictures import STAGE
from studio.training.loop import train
from studio.training.pairs import list_pairs
from studio.training.plan.planner import propose
from studio.training.samples import Samples, split
from studio.training.step.batches import Batches
from studio.training.step.block_pass import StepPlan
from studio.training.step.gradients import Group, Row, accumulate_gradients
from studio.ui.dataset import view as dataset_view
from studio.ui.evaluate import choice as evaluate_choice
from studio.ui.evaluate import sample_clips as train_samples
from studio.ui.side.new_person import CLIPS_ALONE, new_person_options
from studio.ui.train import view as train_view
from studio.ui.train.choice import what_prevents
from studio.workspace import Workspace

A14B = "wan22-i2v-a14b"
CPU = torch.device("cpu")
PROMPT, NEGATIVE, SEED = "ohwx, a person, waving", "blurry", 7
SETTINGS = SweepConfig(
    width=48, height=32, num_frames=9, num_inference_steps=6, guidance_scale_high=4.0, guidance_scale_low=2.5, negative_prompt=NEGATIVE
)

CONFIG = small_config(steps=2, save_every=2, preservation={"every": 1, "pictures": 3})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("pictures home"))


@pytest.fixture(scope="module")
def base(tmp_path_factory, tiny_base, home):
    with pytest.MonkeyPatch.context() as monkeypatch:
        yield link_picture_model(tmp_path_factory.mktemp("a base"), tiny_base, monkeypatch, home)


@pytest.fixture
def picture():
    """(H, W, 3) uint8."""
    return np.random.default_rng(1).integers(0, 255, (SETTINGS.height, SETTINGS.width, 3), dtype=np.uint8)


# -- what the model takes


def test_a_first_picture_is_known_by_the_channels_and_not_by_a_name(base, tiny_base):
    assert base.first_picture and not tiny_base.first_picture
    assert (base.boundary, base.latent_channels) == (0.9, 12)
    configs = base.configs | {"transformer": base.configs["transformer"] | {"in_channels": 24}}
    odd = BaseModel("odd", "Odd", base.folder, preset=base.preset)
    odd.__dict__["configs"] = configs
    with pytest.raises(Problem, match=r"Odd takes 12 channels beside the noised picture, where a first picture has 16"):
        odd.first_picture  # noqa: B018 - the question is what is tested


@pytest.mark.parametrize("name", ["wan22-t2v-a14b", "wan22-ti2v-5b", "wan21-t2v-1.3b"])
def test_the_text_to_video_models_take_none(name, tmp_path):
    preset = model_preset(name)
    base = BaseModel(name, preset.title, tmp_path, preset)
    base.__dict__["configs"] = {"transformer": preset.expect, "vae": preset.configs["vae"]}
    assert not base.first_picture


@pytest.mark.parametrize("num_frames", [1, 5, 9])
def test_the_condition_is_the_stock_pipelines(base, picture, num_frames):
    pipeline = WanImageToVideoPipeline.from_pretrained(base.folder, dtype=torch.float32, local_files_only=True)
    pixels = to_model_range(picture[None])
    expected = pipeline.prepare_latents(pixels[:, :, 0], 1, 12, 32, 48, num_frames, torch.float32, CPU)[1]
    found = encode_first_picture(load_vae(base, device=CPU), pixels, num_frames, base.temporal_factor)
    assert found.shape == (1, CONDITION, (num_frames - 1) // 4 + 1, 8, 12)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("scheduler", ["unipc", "euler"])
def test_two_stages_from_a_picture_equal_the_stock_pipeline_bit_for_bit(base, picture, scheduler):
    settings = dataclasses.replace(SETTINGS, scheduler=scheduler)
    encoder, vae = load_text_encoder(base, device=CPU, dtype=torch.float32), load_vae(base, device=CPU)
    embeds = [encoder.encode([text]) for text in (PROMPT, NEGATIVE)]
    condition = encode_first_picture(vae, to_model_range(picture[None]), settings.num_frames, base.temporal_factor)
    drawn = {}
    for name, given in (("picture", condition), ("nothing", torch.zeros_like(condition))):
        state = start_state(base, settings, SEED, given)
        for expert in EXPERTS:
            model = load_expert(base, expert, dtype=torch.float32, device=CPU)
            state = draw_stage(model, base, settings, expert, state, *embeds, device=CPU)
        drawn[name] = decode_frames(vae, state["latents"], CPU)
    assert np.array_equal(drawn["picture"], draw_stock(base, settings, picture))
    assert not np.array_equal(drawn["picture"], drawn["nothing"])


def draw_stock(base, settings, picture, lora_files=()):
    """The clip by diffusers alone; lora_files: of the high-noise expert, and of the low-noise one."""
    pipeline = WanImageToVideoPipeline.from_pretrained(base.folder, dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    for is_second, path in enumerate(lora_files):
        pipeline.load_lora_weights(path, adapter_name="person", load_into_transformer_2=bool(is_second))
    return draw_by_pipeline(pipeline, settings, SEED, Image.fromarray(picture), PROMPT, max_prompt_tokens=base.max_prompt_tokens)[0]


# -- what is learned


@pytest.fixture
def project(base, home):
    return new_project(home)


def new_project(home):
    """Three clips, and two photos that are not learned from."""
    project = home.create_project("Anna", trigger="ohwx", class_noun="person", base_model=SMALL, permission=Permission(granted=True))
    for number in (1, 2, 3):
        add_clip(project, number, num_frames=12 + 4 * number)
    for number in (1, 2):
        add_photo(project, number)
    return project


def start_run(project, config=CONFIG):
    run_dir = project.new_run_dir("train")
    facts = {"kind": "train", "trigger": "ohwx", "class_noun": "person", "base_model": SMALL, "config": to_dict(config)}
    write_json(run_dir / "config.json", facts)
    return run_dir


@pytest.fixture(scope="module")
def finished(base, home):
    """(project, run folder, its samples, events) of a run."""
    project, events = new_project(home), Events()
    run_dir = start_run(project)
    train(CONFIG, run_dir, report=events)
    samples = [Sample.from_json(data, "dataset.json") for data in read_json(run_dir / "dataset.json")["learned"]]
    return project, run_dir, samples, events


def test_clips_are_learned_from_and_photos_left_out_in_words(finished):
    project, _, samples, events = finished
    assert [sample.item_id for sample in samples] == ["clip-01", "clip-02", "clip-03"]
    assert any("2 of 5 items are not learned from" in note["message"] for note in events.of("note"))
    assert not [e for e in events.of("progress") if e["stage"] == STAGE], "nobody can be drawn from words alone"
    assert all(e["preservation_loss"] is not None for e in events.of("step"))
    (pair,) = list_pairs(project)
    assert list(pair.files) == list(EXPERTS) and pair.manifest.boundary == 0.9
    assert pair.manifest.settings["preservation"]["pictures"] == 0


def test_what_is_given_of_a_clip_is_its_first_picture_and_is_made_again_where_it_is_damaged(base, finished):
    project, run_dir, samples, _ = finished
    cache, item = Cache(project), next(item for item in list_items(project) if item.id == "clip-02")
    pixels = read_pixels(item, samples[1], base.fps)
    assert np.array_equal(read_first_picture(item, samples[1].bucket, base.fps), pixels[:1])
    expected = encode_first_picture(load_vae(base, device=CPU), to_model_range(pixels[:1]), len(pixels), base.temporal_factor)[0]
    assert torch.equal(cache.load_condition(samples[1]), expected)
    assert len({sample.condition_key for sample in samples} | {sample.latents_key for sample in samples}) == 6

    file = cache.condition_file(samples[1])
    file.write_bytes(file.read_bytes()[:-1])
    events = Events()
    train(small_config(steps=3, save_every=3, high_noise_share=0.0), run_dir, report=events)
    assert torch.equal(cache.load_condition(samples[1]), expected)
    assert [e["total"] for e in events.of("progress") if e["stage"] == "Photos and clips"] == [1, 1]


def test_every_row_brings_what_is_given(base, finished):
    project, _, learned, _ = finished
    batches = Batches(CONFIG, project, base, "low_noise", Samples(tuple(learned[:2]), tuple(learned[2:])))
    group = batches.group(0)
    assert len(group.rows) == len(group.class_rows) == 2 and len(list(batches.held_out_rows())) == 4
    for row in (*group.rows, *group.class_rows, *batches.held_out_rows()):
        assert row.condition.shape == (CONDITION, *row.latents.shape[1:])
        assert row.condition[:4, 0].min() == 1 and not row.condition[:4, 1:].any()


@pytest.mark.parametrize("plan", [StepPlan(), StepPlan(rows_per_pass=2), StepPlan(inputs_in_ram=True, rows_per_block_pass=1)], ids=str)
def test_gradients_equal_those_of_a_plain_loop(base, plan):
    draw = torch.Generator().manual_seed(3)
    model, plain = with_lora(base, blocks_swapped=2), with_lora(base)
    group = Group(tuple(random_row(draw) for _ in range(2)), tuple(random_row(draw) for _ in range(2)), 2.0)
    losses = accumulate_gradients(model, group, CPU, plan).tolist()

    def answer(row):
        x_t = torch.cat([(1 - row.sigma) * row.latents + row.sigma * row.noise, row.condition])
        return plain(x_t[None], torch.tensor([row.sigma * 1000]), row.prompt[None], return_dict=False)[0]

    with torch.no_grad(), lora_off(plain):
        priors = [answer(row) for row in group.class_rows]
    mains = [F.mse_loss(answer(row), (row.noise - row.latents)[None]) for row in group.rows]
    preserved = [F.mse_loss(answer(row), prior) for row, prior in zip(group.class_rows, priors)]
    ((sum(mains) + 2.0 * sum(preserved)) / 2).backward()
    assert losses[:2] == pytest.approx([sum(mains).item() / 2, sum(preserved).item() / 2], rel=1e-5) and losses[1] > 0
    expected = trainable_lora(plain)
    for key, p in trainable_lora(model).items():
        assert (p.grad - expected[key].grad).norm() <= 1e-5 * expected[key].grad.norm(), key


def with_lora(base, **options):
    """The low-noise expert with a LoRA of which every gradient is alive."""
    model = load_expert(base, "low_noise", dtype=torch.float32, device=CPU, **options)
    add_lora(model, 4, seed=1)
    draw = torch.Generator().manual_seed(2)
    for key, p in trainable_lora(model).items():
        p.data += torch.randn(p.shape, generator=draw) * 0.1 * key.endswith("lora_B.weight")
    return model


def random_row(draw):
    latents, noise = (torch.randn(12, 2, 4, 6, generator=draw) for _ in range(2))
    condition = torch.randn(CONDITION, 2, 4, 6, generator=draw)
    return Row(latents, noise, 0.4, torch.randn(8, 64, generator=draw), condition)


def test_photos_alone_teach_nothing_and_that_is_said_before_anything_is_started(base, project):
    for item in list_items(project):
        set_keep(project, item.id, item.kind == "photo")
    with pytest.raises(Problem, match="Tiny from pictures learns from clips alone, and none is kept") as caught:
        train(CONFIG, start_run(project), report=Events())
    assert caught.value.action == "open-dataset"
    plan = propose(project, read_machine(), workspace=project.workspace)
    assert not plan.fits and "learns from clips alone" in plan.reasons[-1]
    step = dataset_view.next_step(project)
    assert step.text == "add clips of the person." and step.reason == plan.reasons[-1]
    assert what_prevents(project, plan) == (plan.reasons[-1], "open-dataset")
    with pytest.raises(Problem, match="learns from clips alone"):
        _require_pictures(project)


def test_the_plan_counts_the_clips_and_says_what_is_left_out(base, project):
    settings = {"preservation": {"pictures": 5}, "data": {"clip_frames": 1}}
    plan = propose(project, read_machine(), workspace=project.workspace, overrides=settings)
    assert plan.fits and plan.recipe == "person-clips"
    assert (plan.config.preservation.pictures, plan.config.data.clip_frames) == (0, 5)
    for words in ("2 of 5 items are not learned from", "at your own clips alone", "5 frames instead of 1"):
        assert any(words in reason for reason in plan.reasons), words
    key = plan.job_config(project)["dataset_key"]
    add_photo(project, 9)
    assert plan.job_config(project)["dataset_key"] == key, "a photo more is nothing new to learn"


# -- what is compared

PROMPTS = ("Waving | [trigger], a [class], waving", "Turning | [trigger], a [class], turning around")
SWEEP = SweepConfig(prompts=PROMPTS, strengths=(1.0,), width=48, height=32, num_frames=5, num_inference_steps=4, guidance_scale_low=1.0)


def ids(pictures):
    return [picture.id for picture in pictures]


def test_test_clips_begin_with_the_photos_that_fill_them_best(base, project):
    add_photo(project, 3, size=(96, 64))
    add_photo(project, 4, size=(32, 96))
    assert ids(choose_first_pictures(project, 5, (48, 32))) == ["0001", "0002", "0003", "0004", "0001"]
    assert ids(choose_first_pictures(project, 2, (32, 96))) == ["0004", "0003"], "the others would be enlarged and cut"


def test_without_photos_they_begin_as_the_clips_do_that_training_sets_aside(base, project, finished):
    for item in list_items(project):
        set_keep(project, item.id, item.kind == "clip")
    (alone,) = set(ids(choose_first_pictures(project, 4, (48, 32))))
    for number in range(4, 11):
        add_clip(project, number, num_frames=12 + 4 * number)
    samples = plan_samples(kept_items(project), base=base, data_config=CONFIG.data, trigger="ohwx", class_noun="person")
    held_out = {sample.item_id for sample in split(samples, 2).held_out}
    assert set(ids(choose_first_pictures(project, 4, (48, 32)))) == held_out and len(held_out) == 2
    assert alone.startswith("clip-")
    for item in list_items(project):
        set_keep(project, item.id, False)
    with pytest.raises(Problem, match="no picture of the person that test clips could begin with"):
        choose_first_pictures(project, 1, (48, 32))
    shutil.copytree(finished[1], project.runs_dir / "train-001")
    assert "no picture of the person" in evaluate_choice.estimate(project)


def start_sweep(project, should_stop=lambda: False):
    job = project.new_run_dir("sweep")
    write_json(job / "config.json", {"kind": "sweep", "config": to_dict(SWEEP), "pairs": ["train-001/step-000002"]})
    return run_sweep(SWEEP, job, report=Events(), should_stop=should_stop)


def test_pairs_are_compared_from_the_same_pictures_and_a_stopped_comparison_goes_on(base, finished):
    project = finished[0]
    asked = []
    stopped = start_sweep(project, should_stop=lambda: len(asked) == 10 or asked.append(1))
    assert stopped.stopped and stopped.rendered == 0, "the first stages are drawn, and wait in files"
    result = start_sweep(project)
    assert (result.rendered, result.failed, result.stopped) == (4, 0, False)
    folder = project.sweep_dir(result.sweep)
    sweep = sweeps.read_sweep(folder)
    assert [prompt.first_picture.item for prompt in sweep.prompts] == ["0001", "0002"]
    assert "begins with 0002" in (folder / "report.html").read_text(encoding="utf-8")
    assert len({cell.key for cell in sweep.cells}) == 4

    cell = sweep.find_cell(None, 1, SWEEP.seeds[0], 0.0)
    drawn = read_clip(folder / cell.clip).astype(float)
    right, wrong = draw_alone(base, project, sweep.prompts[1].text, ("0002", "0001"))
    assert abs(drawn - right).mean() < abs(drawn - wrong).mean() / 3


def draw_alone(base, project, text, photos):
    """The base's clips from these photos by the plain way: (F, H, W, 3) each."""
    vae, encoder = load_vae(base, device=CPU), load_text_encoder(base, device=CPU, dtype=torch.float32)
    items = {item.id: item for item in list_items(project)}
    given = [encode_condition(vae, items[photo], (48, 32), SWEEP.num_frames, base) for photo in photos]
    states, embeds = [start_state(base, SWEEP, SWEEP.seeds[0], one) for one in given], [encoder.encode([t]) for t in (text, "")]
    for expert in EXPERTS:
        model = load_expert(base, expert, dtype=torch.float32, device=CPU)
        states = [draw_stage(model, base, SWEEP, expert, state, *embeds, device=CPU) for state in states]
    return [to_bytes(decode_frames(vae, state["latents"], CPU)).astype(float) for state in states]


def test_another_first_picture_is_another_clip_and_the_window_names_them(base, finished):
    other = finished[0]
    plan = plan_sweep(other, SWEEP)
    assert describe_first_pictures(plan.prompts) == "Each clip begins with a picture of the person: 0001, 0002."
    evaluate_choice.save_choice(other, prompts="\n".join(PROMPTS))
    assert evaluate_choice.estimate(other).endswith("of the person: 0001, 0002.")
    sample = plan_sweep(other, train_samples.sample_config(other))
    whole = plan_sweep(other, evaluate_choice.read_choice(other)[0])
    assert {cell.key for cell in sample.cells} < {cell.key for cell in whole.cells}, "a look at a training is part of it"
    set_keep(other, "0001", False)
    changed = plan_sweep(other, SWEEP)
    assert not {cell.key for cell in plan.cells if cell.prompt == 0} & {cell.key for cell in changed.cells}
    assert {c.key for c in plan.cells if c.prompt == 1} == {c.key for c in changed.cells if c.prompt == 1}
    set_keep(other, "0001", True)


def test_a_prompt_can_name_what_it_begins_with(base, finished, project):
    prompts = ("[trigger] waving [picture clip-02]", "Calm | [trigger]", "[picture 0001] [trigger] turning")
    plan = plan_sweep(finished[0], dataclasses.replace(SWEEP, prompts=prompts))
    assert [(p.text, p.first_picture.item) for p in plan.prompts] == [
        ("ohwx waving", "clip-02"), ("ohwx", "0002"), ("ohwx turning", "0001"),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="no photo or clip 0009 that test clips could begin with; 0001 is one"):
        plan_sweep(finished[0], dataclasses.replace(SWEEP, prompts=("[trigger] [picture 0009]",)))
    evaluate_choice.save_choice(project, prompts="[trigger] [picture 0009]")
    with pytest.raises(ValueError, match="prompt 1 is empty"):
        plan_sweep(finished[0], dataclasses.replace(SWEEP, prompts=("[picture 0001]",)))
    shutil.copytree(finished[1], project.runs_dir / "train-001")
    assert evaluate_choice.estimate(project).startswith("There is no photo or clip 0009"), "the tab goes on, whatever a prompt names"
    project.update(base_model="tiny")
    with pytest.raises(ValueError, match=r"draws from words alone; take \[picture \.\.\.\] out"):
        plan_sweep(project, dataclasses.replace(SWEEP, prompts=prompts))


def test_the_standard_prompts_tell_what_happens_next(base, finished):
    assert standard_prompts(finished[0], SMALL) == standard_prompts(finished[0], A14B) != standard_prompts(finished[0], "wan22-t2v-a14b")


# -- where it comes from, and where it goes


def test_a_new_person_is_told_that_such_a_model_needs_clips_and_others_go_first(base, home, tmp_path):
    models = {model.name: model.reason for model in new_person_options(home).models}
    assert models[SMALL] == f"Ready to use. {CLIPS_ALONE}" and models[A14B].endswith(CLIPS_ALONE)
    names = [model.name for model in new_person_options(Workspace(tmp_path)).models]
    assert names.index("wan22-t2v-a14b") < names.index(A14B)
    assert not any("clips" in reason for name, reason in models.items() if name not in (SMALL, A14B))


def test_an_empty_project_asks_for_clips_in_both_tabs(home):
    wanted = {}
    for name in (A14B, "wan22-t2v-a14b"):
        project = home.create_project(f"Empty {name}", trigger="ohwx", base_model=name, permission=Permission(granted=True))
        _, _, grid, _ = dataset_view.read_pictures(project, dataset_view.Place())
        wanted[name] = [grid.empty.title, train_view.next_step(project).text]
        assert ("photos" in grid.empty.text) == (name != A14B)
    assert wanted == {A14B: ["No clips yet", "add clips first."], "wan22-t2v-a14b": ["No photos yet", "add photos first."]}


def test_comfyuis_files_are_the_same_model(base, tmp_path):
    comfyui = make_comfyui(tmp_path / "Comfy UI", base, base.preset.expect)
    linked = link_model(SMALL, comfyui, Workspace(tmp_path / "home"))
    assert linked.first_picture and linked.boundary == 0.9 and check_weights(linked, "high_noise")
    ours, theirs = (load_expert(b, "high_noise", dtype=torch.float32, device=CPU).state_dict() for b in (linked, base))
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_a_download_needs_no_image_encoder(base):
    names = [path.relative_to(base.folder).as_posix() for path in base.folder.rglob("*") if path.is_file()]
    assert {name.split("/")[0] for name in names_of_diffusers_folder(names, None)} == {
        "model_index.json", "scheduler", "tokenizer", "text_encoder", "transformer", "transformer_2", "vae",
    }  # fmt: skip


def test_the_true_model_is_linked_from_comfyuis_files_and_planned_from_clips(tmp_path, home):
    make_true_comfyui(tmp_path, model_preset(A14B), kind="i2v", in_channels=36)
    base = link_model(A14B, tmp_path, home)
    assert base.first_picture and (base.boundary, base.size_multiple, base.num_blocks) == (0.9, 16, 40)
    project, text = (home.create_project("Bea", trigger="ohwx", base_model=name) for name in (A14B, "wan22-t2v-a14b"))
    for each in (project, text):
        add_clip(each, 1)
    for vram in (8, 24):
        plan = propose(project, read_machine(), workspace=home, vram_gb=vram, ram_gb=64)
        assert plan.fits and plan.recipe == "person-clips" and plan.predicted.vram_gb <= vram
    same = propose(text, read_machine(), workspace=home, vram_gb=24, ram_gb=64, recipe="person-clips")
    assert plan.predicted.disk_gb > same.predicted.disk_gb, "what is given takes its place in the cache"


def test_the_exported_pair_draws_in_the_stock_pipeline_as_it_does_here(base, finished, picture):
    pair = list_pairs(finished[0])[0]
    folder = export_pair(finished[0], pair, "comfyui", lora_format="fp32")
    files = [next(folder.glob(f"*_{noise}_noise.safetensors")) for noise in ("HIGH", "LOW")]
    vae, encoder = load_vae(base, device=CPU), load_text_encoder(base, device=CPU, dtype=torch.float32)
    state = start_state(base, SETTINGS, SEED, encode_first_picture(vae, to_model_range(picture[None]), SETTINGS.num_frames, 4))
    for expert in EXPERTS:
        model = load_expert(base, expert, dtype=torch.float32, device=CPU)
        apply_lora(model, read_lora_file(pair.files[expert])[0], 1.0)
        state = draw_stage(model, base, SETTINGS, expert, state, encoder.encode([PROMPT]), encoder.encode([NEGATIVE]), device=CPU)
    drawn = decode_frames(vae, state["latents"], CPU)
    assert np.array_equal(drawn, draw_stock(base, SETTINGS, picture, files))
    assert not np.array_equal(drawn, draw_stock(base, SETTINGS, picture))


def test_a_pair_is_exported_under_the_models_own_names(base, finished):
    project = finished[0]
    pair = list_pairs(project)[0]
    readme = (export_pair(project, pair, "comfyui") / "README.txt").read_text(encoding="utf-8")
    assert "Open a WAN 2.2 image-to-video workflow" in readme and "picture of the person as the start image" in readme
    folders = {to: export_pair(project, pair, to) for to in ("ai-toolkit", "musubi", "diffusion-pipe")}
    for folder in folders.values():
        assert not (folder / "dataset/photos").exists() and len(list(folder.glob("dataset/*/*.mp4"))) == 3
    model = yaml.safe_load((folders["ai-toolkit"] / "config.yaml").read_text(encoding="utf-8"))["config"]["process"][0]["model"]
    assert (model["arch"], model["name_or_path"]) == ("wan22_14b_i2v", "ai-toolkit/Wan2.2-I2V-A14B-Diffusers-bf16")
    musubi, pipe, dataset = (
        tomllib.loads((folders[to] / f"{name}.toml").read_text(encoding="utf-8"))
        for to, name in (("musubi", "high_noise"), ("diffusion-pipe", "low_noise"), ("diffusion-pipe", "dataset"))
    )
    assert (musubi["task"], musubi["dit"], musubi["min_timestep"]) == (
        "i2v-A14B",
        "FILE/OF/wan2.2_i2v_high_noise_14B_fp16.safetensors",
        900,
    )
    start = (folders["musubi"] / "start.sh").read_text(encoding="utf-8")
    assert '--vae "$files/wan_2.1_vae.safetensors" --i2v' in start and "wan2.2_i2v_${expert}_14B_fp16" in start
    assert pipe["model"]["ckpt_path"].endswith("Wan2.2-I2V-A14B") and pipe["model"]["max_t"] == 0.9
    assert [directory["frame_buckets"] for directory in dataset["directory"]] == [[5]]
    assert export_pair(project, pair, "bundle").is_dir()
