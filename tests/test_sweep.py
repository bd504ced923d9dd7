"""The sweep: what is planned, what is drawn, what is never drawn twice, and the marks that drawn clips carry."""

from dataclasses import replace

import av
import numpy as np
import pytest
import torch
from model_kit import lora_state
from PIL import Image

from studio.config import SweepConfig, TrainConfig, to_dict
from studio.data.captions.rules import fill
from studio.disk import file_sha256, finished_dir, read_json, write_json
from studio.errors import Problem
from studio.evaluation import sweeps
from studio.evaluation.clip_files import IMAGE_DESCRIPTION, METADATA, read_clip, write_clip, write_poster
from studio.evaluation.composition import compose_comparison
from studio.evaluation.drawing import run_sweep
from studio.evaluation.drawing_memory import blocks_to_swap, how_to_keep
from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.measuring import measure
from studio.evaluation.judge.score import Needs
from studio.evaluation.judge.scores import all_scores
from studio.evaluation.judge.table import findings_in
from studio.evaluation.judge.verdict import verdict
from studio.evaluation.prompts import flags_in, read_prompts_file, resolve_prompts, standard_prompts
from studio.evaluation.sweep_facts import Prompt
from studio.evaluation.sweep_plan import plan_sweep
from studio.models.catalogue import BaseModel
from studio.models.files.lora_files import save_lora_file
from studio.models.preset import model_preset
from studio.tiny import demo_project, world
from studio.tiny.pixel_drawing import draw_clip, draw_photo
from studio.training.pairs import pair_file_name, pair_folder
from studio.training.plan.memory import block_bytes

EXPERTS = ("high_noise", "low_noise")
PROMPTS = ("Portrait | [trigger], a [class], facing forward", "Other | a [class], facing forward")
CONFIG = SweepConfig(prompts=PROMPTS, strengths=(0.7,), width=32, height=32, num_frames=5, num_inference_steps=3)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Tensors this small are slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def lora_states(tiny_base):
    """Three visibly different LoRA states that fit either expert."""
    from studio.models.loading import load_expert
    from studio.models.lora import add_lora

    model = load_expert(tiny_base, "high_noise", dtype=torch.float32, device=torch.device("cpu"))
    add_lora(model, 2, seed=0)
    shapes = {key: t.shape for key, t in lora_state(model).items()}
    generators = [torch.Generator().manual_seed(number) for number in range(3)]
    return [{key: torch.randn(shape, generator=g) * 0.1 for key, shape in shapes.items()} for g in generators]


@pytest.fixture
def tiny_project(project, tiny_base):
    """The project, with the tiny base model in its workspace."""
    return project


def make_pair(project, step, high, low, run="train-001", untrained=()):
    """A checkpoint pair on disk as training saves it."""
    run_dir = project.runs_dir / run
    run_dir.mkdir(parents=True, exist_ok=True)
    write_json(run_dir / "config.json", {"kind": "train"})
    experts = {}
    with finished_dir(pair_folder(run_dir, step)) as folder:
        for expert, state in zip(EXPERTS, (high, low), strict=True):
            name = pair_file_name(run_dir, step, expert)
            save_lora_file(folder / name, state, {})
            experts[expert] = {"file": name, "sha256": file_sha256(folder / name), "trained": expert not in untrained}
        write_json(folder / "manifest.json", {"step": step, "base_model": "tiny", "experts": experts, "settings": to_dict(TrainConfig())})
    return f"{run}/step-{step:06d}"


def run(project, config=CONFIG, pairs=None, should_stop=lambda: False):
    """Run a sweep job; (result, list of progress events)."""
    run_dir = project.new_run_dir("sweep")
    write_json(run_dir / "config.json", {"kind": "sweep", "config": to_dict(config), "pairs": pairs})
    events = []
    return run_sweep(config, run_dir, report=lambda event, **fields: events.append((event, fields)), should_stop=should_stop), events


# -- planning


def test_prompts_fill_trigger_and_class_and_tell_person_from_class():
    found = resolve_prompts(("[trigger], a [class], smiling", "A [class] walks", "Two | two people"), "ohwx", "actor")
    assert [p.text for p in found] == ["ohwx, an actor, smiling", "An actor walks", "two people"]
    assert [p.kind for p in found] == ["person", "class", "class"]
    assert found[2].label == "Two"
    assert fill("an [class]", "", "person") == "a person"


def test_a_prompt_that_needs_a_trigger_without_one_is_a_problem_with_the_way_out():
    with pytest.raises(Problem) as e:
        resolve_prompts(("[trigger] smiling",), "", "person")
    assert e.value.action == "open-dataset"


def test_the_flags_of_other_trainers_test_prompts_are_told_and_no_part_of_a_prompt(tmp_path):
    path = tmp_path / "prompts.txt"
    path.write_text(
        "# musubi\n[trigger], a woman, on a beach --w 832 --h 480 --n blurry, ugly\nLabel | a man -- in a park --d 1\n", encoding="utf-8"
    )
    assert read_prompts_file(path) == ("[trigger], a woman, on a beach", "Label | a man -- in a park")
    assert flags_in(path) == ("--w 832 --h 480 --n blurry, ugly", "--d 1")


def test_standard_prompts_fit_the_base_model_and_a_file_in_the_project_goes_first(project):
    assert "[trigger]" in standard_prompts(project, "wan22-t2v-a14b")[0]
    assert standard_prompts(project, "tiny") != standard_prompts(project, "wan22-t2v-a14b")
    (project.root / "prompts.txt").write_text("# mine\nPortrait | [trigger] at home\n\n[class] outside\n", encoding="utf-8")
    assert standard_prompts(project, "tiny") == ("Portrait | [trigger] at home", "[class] outside")


def test_signs_that_are_not_seen_do_not_become_part_of_a_prompt():
    assert [(p.label, p.text) for p in resolve_prompts(("A\x00 | [trigger]\x07 at\u202e home",), "ohwx", "person")] == [
        ("A", "ohwx at home")
    ]


def test_a_folder_is_no_prompts_file(tmp_path):
    with pytest.raises(ValueError, match="can't be read"):
        read_prompts_file(tmp_path)


@pytest.mark.parametrize(("name", "content", "words"), [
    ("p.txt", b"\n", "no prompt"),
    ("p.txt", b"\xff\xfe\x00", "UTF-8"),
    ("p.toml", b"x = [", "TOML"),
    ("p.toml", b"x = 1", "prompts"),
    ("p.txt", b"Label |", "empty"),
])  # fmt: skip
def test_a_bad_prompts_file_says_what_is_wrong(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_prompts_file(tmp_path / name)


def test_keys_follow_the_content_and_the_base_is_shared(tiny_project, lora_states):
    make_pair(tiny_project, 10, lora_states[0], lora_states[1])
    make_pair(tiny_project, 20, lora_states[0], lora_states[2])
    config = SweepConfig(**to_dict(CONFIG) | {"strengths": (0.7, 1.0)})
    plan = plan_sweep(tiny_project, config)
    assert len(plan.cells) == 2 * (1 + 2 * 2)
    assert len({c.key for c in plan.cells}) == len(plan.cells)
    row = [c for c in plan.cells if c.prompt == 0]
    same_high = [c.high_key for c in row if c.pair and c.strength == 0.7]
    assert len(same_high) == 2
    assert len(set(same_high)) == 1, "pairs with the same high-noise file share its stage"
    more_steps = plan_sweep(tiny_project, SweepConfig(**to_dict(config) | {"num_inference_steps": 4}))
    assert not {c.key for c in plan.cells} & {c.key for c in more_steps.cells}
    other_low = plan_sweep(tiny_project, SweepConfig(**to_dict(config) | {"guidance_scale_low": 2.0}))
    assert {c.high_key for c in plan.cells} == {c.high_key for c in other_low.cells}


def test_an_untrained_expert_shares_the_stage_of_the_base(tiny_project, lora_states):
    make_pair(tiny_project, 10, lora_states[0], lora_states[1], untrained=("high_noise",))
    base, lora = (c for c in plan_sweep(tiny_project, CONFIG).cells if c.prompt == 0)
    assert base.high_key == lora.high_key
    assert base.key != lora.key


def test_a_plan_without_pairs_or_with_a_wrong_size_says_what_to_do(tiny_project, lora_states):
    with pytest.raises(Problem, match="no checkpoint pair"):
        plan_sweep(tiny_project, CONFIG)
    make_pair(tiny_project, 10, lora_states[0], lora_states[1])
    with pytest.raises(ValueError, match="train-001/step-000010"):
        plan_sweep(tiny_project, CONFIG, ["train-009/step-000001"])
    with pytest.raises(ValueError, match="try 32"):
        plan_sweep(tiny_project, SweepConfig(**to_dict(CONFIG) | {"width": 33}))


def test_sweep_config_layers_the_model_preset_under_the_overrides():
    config = model_preset("tiny").sweep_config({"num_inference_steps": 4, "seeds": None})
    assert (config.width, config.num_inference_steps, config.seeds) == (80, 4, (42,))


def test_blocks_wait_in_ram_when_the_gpu_is_small():
    big = BaseModel("wan", "WAN", None, model_preset("wan22-t2v-a14b"))
    vae, transformer = {"scale_factor_spatial": 8, "scale_factor_temporal": 4, "z_dim": 16}, {"patch_size": [1, 2, 2]}
    big.__dict__["configs"] = {"vae": vae, "transformer": transformer}
    swapped = [blocks_to_swap(big, SweepConfig(), gb) for gb in (80, 32, 24, 16, 12)]
    assert swapped[0] == 0
    assert swapped == sorted(swapped)
    assert 10 <= swapped[2] < 40


@pytest.mark.parametrize(("ram_gb", "small", "expected"), [(64, False, "bf16"), (32, False, "int8"), (32, True, "fp8"), (64, True, "fp8")])
def test_clips_are_drawn_with_weights_that_fit_into_the_ram(ram_gb, small, expected):
    big = BaseModel("wan", "WAN", None, model_preset("wan22-t2v-a14b"))
    vae, transformer = {"scale_factor_spatial": 8, "scale_factor_temporal": 4, "z_dim": 16}, {"patch_size": [1, 2, 2]}
    big.__dict__.update(configs={"vae": vae, "transformer": transformer}, has_small_files=small)
    precision, swapped = how_to_keep(big, SweepConfig(), 11.0, ram_gb)
    assert precision == expected and swapped * block_bytes(big.preset.shape, precision) <= (ram_gb - 8) * 1e9
    assert how_to_keep(big, SweepConfig(), 78.0, ram_gb) == ("fp8" if small else "bf16", 0)


@pytest.mark.parametrize("free_gb", [12, 16, 22])
def test_swapped_blocks_leave_room_for_the_one_that_visits(free_gb):
    big = BaseModel("wan", "WAN", None, model_preset("wan22-t2v-a14b"))
    vae, transformer = {"scale_factor_spatial": 8, "scale_factor_temporal": 4, "z_dim": 16}, {"patch_size": [1, 2, 2]}
    big.__dict__["configs"] = {"vae": vae, "transformer": transformer}
    facts, tokens = big.preset.shape, 9 * 52 * 30  # 33 frames of 480 x 832
    resident = facts.parameters_per_expert - blocks_to_swap(big, SweepConfig(), free_gb) * facts.block_parameters
    visiting, lora = facts.block_parameters * 2, facts.lora_parameters_per_rank * 64 * 4
    activations = 2.84e9 * tokens / 14040  # counted on the true 14 B shapes
    assert resident * 2 + visiting + lora + activations + 1.4e9 <= free_gb * 1e9


# -- drawing


def test_a_sweep_draws_base_and_pairs_once_and_a_second_run_draws_nothing(tiny_project, lora_states):
    ids = [make_pair(tiny_project, step, *states) for step, states in ((10, lora_states[:2]), (20, lora_states[1:]))]
    result, events = run(tiny_project)
    assert (result.rendered, result.reused, result.failed, result.total, result.stopped) == (6, 0, 0, 6, False)
    folder = tiny_project.sweep_dir(result.sweep)
    sweep = sweeps.read_sweep(folder)
    clips = [read_clip(folder / c.clip) for c in sweep.cells]
    assert all(clip.shape == (5, 32, 32, 3) for clip in clips)
    assert [c.pair for c in sweep.cells[:3]] == [None, *ids]
    assert all(c.scores["applied"] and c.scores["change"] > 0 for c in sweep.cells if c.pair)
    assert (folder / result.report).is_file()
    assert len(list((folder / "comparisons").glob("*.mp4"))) == len(sweep.prompts)
    assert not (folder / "stages").exists()
    progress = [fields for event, fields in events if event == "progress"]
    assert all(0 <= p["done"] <= p["total"] == 6 and p["unit"] == "clips" for p in progress)
    assert progress[-1]["done"] == 6
    assert sweeps.estimate_seconds(tiny_project, sweep) == 0
    before = {p.name: p.stat().st_mtime_ns for p in (folder / "cells").iterdir()}
    again, _ = run(tiny_project)
    assert (again.sweep, again.rendered, again.reused) == (result.sweep, 0, 6)
    assert before == {p.name: p.stat().st_mtime_ns for p in (folder / "cells").iterdir()}


def test_clips_do_not_depend_on_what_else_the_sweep_draws(tiny_project, lora_states):
    ids = [make_pair(tiny_project, step, *states) for step, states in ((10, lora_states[:2]), (20, lora_states[1:]))]
    both = tiny_project.sweep_dir(run(tiny_project)[0].sweep)
    keys = {c.key for c in sweeps.read_sweep(both).cells if c.pair in (None, ids[1])}
    hashes = {key: file_sha256(both / f"cells/{key}.mp4") for key in keys}
    for path in both.rglob("*.mp4"):
        path.unlink()
    alone = tiny_project.sweep_dir(run(tiny_project, pairs=[ids[1]])[0].sweep)
    assert alone != both
    assert hashes == {key: file_sha256(alone / f"cells/{key}.mp4") for key in keys}


def test_a_new_pair_joins_the_same_sweep_and_other_sweeps_lend_their_clips(tiny_project, lora_states):
    first = make_pair(tiny_project, 10, *lora_states[:2])
    one, _ = run(tiny_project)
    make_pair(tiny_project, 20, *lora_states[1:])
    two, _ = run(tiny_project)
    assert two.sweep == one.sweep
    assert (two.rendered, two.reused) == (2, 4)
    fewer = SweepConfig(**to_dict(CONFIG) | {"prompts": PROMPTS[:1]})
    three, _ = run(tiny_project, fewer, [first])
    assert three.sweep != one.sweep
    assert (three.rendered, three.reused) == (0, 2)
    cells = sweeps.read_sweep(tiny_project.sweep_dir(three.sweep)).cells
    assert cells[1].scores["applied"] is True


def test_missing_and_damaged_clips_are_drawn_again(tiny_project, lora_states):
    make_pair(tiny_project, 10, *lora_states[:2])
    folder = tiny_project.sweep_dir(run(tiny_project)[0].sweep)
    cells = sweeps.read_sweep(folder).cells
    good = (folder / cells[1].clip).read_bytes()
    (folder / cells[0].poster).unlink()
    (folder / cells[1].clip).write_bytes(good[:-100])
    result, _ = run(tiny_project)
    assert (result.rendered, result.reused) == (2, 2)
    assert (folder / cells[1].clip).read_bytes() == good


def test_a_stopped_sweep_keeps_finished_stages_and_continues(tiny_project, lora_states, monkeypatch):
    make_pair(tiny_project, 10, *lora_states[:2])
    looks = []
    result, events = run(tiny_project, should_stop=lambda: looks.append(1) or len(looks) > 6)
    assert result.stopped
    assert result.rendered == 0
    assert any(event == "note" for event, _ in events)
    folder = tiny_project.sweep_dir(result.sweep)
    kept = {p.stem for p in (folder / "stages").iterdir()}
    assert kept <= {c.high_key for c in sweeps.read_sweep(folder).cells}
    assert kept
    times = {p: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    stopped_again, _ = run(tiny_project, should_stop=lambda: True)
    assert times == {p: p.stat().st_mtime_ns for p in (folder / "stages").iterdir()}
    result, _ = run(tiny_project)
    assert (result.sweep, result.rendered, result.stopped) == (stopped_again.sweep, 4, False)
    fresh = {c.key: file_sha256(folder / c.clip) for c in sweeps.read_sweep(folder).cells}
    for path in folder.rglob("*.mp4"):
        path.unlink()
    run(tiny_project)
    assert fresh == {key: file_sha256(folder / f"cells/{key}.mp4") for key in fresh}


def test_a_damaged_pair_fails_alone_with_a_sentence(tiny_project, lora_states):
    bad = make_pair(tiny_project, 10, *lora_states[:2])
    good = make_pair(tiny_project, 20, *lora_states[1:])
    path = next((tiny_project.runs_dir / "train-001/checkpoints/step-000010").glob("*high_noise*"))
    path.write_bytes(path.read_bytes()[:-8])
    result, _ = run(tiny_project)
    assert (result.rendered, result.failed) == (4, 2)
    cells = sweeps.read_sweep(tiny_project.sweep_dir(result.sweep)).cells
    assert {c.pair for c in cells if c.state == "failed"} == {bad}
    assert all("was changed or damaged after it was saved; use another pair" in c.error for c in cells if c.state == "failed")
    assert {c.pair for c in cells if c.state == "done"} == {None, good}


def test_a_lora_of_next_to_nothing_is_seen_as_not_applied(tiny_project, lora_states):
    nothing = weaken(lora_states[0], 1e-12)
    make_pair(tiny_project, 10, nothing, nothing)
    result, _ = run(tiny_project)
    scored = [c.scores for c in sweeps.read_sweep(tiny_project.sweep_dir(result.sweep)).cells if c.pair]
    assert [s["applied"] for s in scored] == [False, False]


# -- likeness


def put_photos(project, numbers):
    """Drawn photos of one person, put into dataset/ by hand."""
    project.dataset_dir.mkdir(parents=True, exist_ok=True)
    for i in numbers:
        draw_photo(demo_project.PERSON, demo_project.scene_of(i), 4).save(project.dataset_dir / f"{i + 1:04d}.jpg", quality=95)


def measured(project, result):
    """(cells, hashes of the clips' files with the times they were written)."""
    folder = project.sweep_dir(result.sweep)
    cells = sweeps.read_sweep(folder).cells
    return cells, {c.key: (c.clip_sha256, (folder / c.clip).stat().st_mtime_ns) for c in cells}


def read_last(project):
    return sweeps.read_sweep(sweeps.list_sweeps(project)[-1])


def test_a_sweep_measures_likeness_of_base_and_pairs_and_other_photos_measure_anew_without_drawing(tiny_project, lora_states):
    put_photos(tiny_project, range(6))
    make_pair(tiny_project, 10, *lora_states[:2])
    cells, files = measured(tiny_project, run(tiny_project)[0])
    kinds = {"person": {"identity", "identity_fall", "memorised"}, "class": {"resemblance"}}
    for cell in cells:
        assert kinds["person" if cell.prompt == 0 else "class"] <= set(cell.scores)
        assert ("motion" in cell.scores) == (cell.pair is not None)
    put_photos(tiny_project, [6])
    assert sweeps.count_unmeasured(tiny_project, read_last(tiny_project)) == 4
    result, events = run(tiny_project)
    again, same = measured(tiny_project, result)
    assert (result.rendered, result.reused) == (0, 4) and same == files
    assert any(fields.get("stage") == "Measuring" for _, fields in events)
    assert {c.measured["follows"] for c in again} != {c.measured["follows"] for c in cells}
    assert [c.scores.get("identity") for c in again] != [c.scores.get("identity") for c in cells]
    assert sweeps.count_unmeasured(tiny_project, read_last(tiny_project)) == 0


SCENES = [
    world.Scene("red", "sky", "facing forward", "close-up", motion="standing still"),
    world.Scene("black", "grass", "facing right", motion="walking right"),
    world.Scene("green", "sand", "facing slightly left", glasses=True, motion="nodding"),
]


def draw_instead(folder, sweep, draw):
    """Put clips of drawn people where the model's would be: draw(step, prompt index) -> frames."""

    def finish(cell):
        frames = draw(int(cell.pair[-6:]) if cell.pair else 0, cell.prompt)
        write_clip(folder / cell.clip, frames, 16)
        write_poster(folder / cell.poster, frames)
        return replace(cell, state="done", clip_sha256=file_sha256(folder / cell.clip))

    sweeps.write_sweep(folder, sweep.with_cells(finish))


def test_the_person_drawn_well_wins_over_too_little_and_over_copies_that_took_strangers_along(tiny_project, lora_states):
    put_photos(tiny_project, range(12))
    for step, states in ((10, lora_states[:2]), (20, lora_states[1:]), (30, lora_states[::-1][:2])):
        make_pair(tiny_project, step, *states)
    somebody = world.Identity("brown", "short", "dark", eyes=world.EYES[3])
    texts = [f"{i} | {world.caption(scene, '[trigger], a person')}" for i, scene in enumerate(SCENES)]
    texts.append(f"other | {world.caption(SCENES[0], world.describe(somebody))}")
    config = SweepConfig(**to_dict(CONFIG) | {"prompts": tuple(texts)})

    def draw(step, prompt):
        scene = SCENES[prompt % 3]
        if prompt == 3:
            return draw_clip(demo_project.PERSON if step == 30 else somebody, scene)
        if step == 30:
            return np.stack(
                [np.asarray(draw_photo(demo_project.PERSON, demo_project.scene_of(prompt)))] * 9
            )  # a photo, whatever was asked for
        return draw_clip({0: somebody, 10: demo_project.STRANGER, 20: demo_project.PERSON}[step], scene)

    folder = sweeps.open_sweep(tiny_project, config)
    draw_instead(folder, sweeps.read_sweep(folder), draw)
    assert run(tiny_project, config)[0].rendered == 0
    found = verdict(tiny_project, folder)
    rows = {row.step: row for row in found.table}
    assert (found.pair[-2:], found.sure) == ("20", "clear")
    assert rows[20].faults == [] and rows[20].identity > 0.75 and rows[20].of_base("identity") < 0.5
    assert rows[10].faults == ["weak"]
    assert {"copied", "bleed", "disobeys", "frozen"} <= set(rows[30].faults)
    assert any(s.startswith("Step 30 of train-001 is over-trained: it copies training pictures") for s in found.why)


def weaken(state, factor):
    """A LoRA state whose update is that many times as strong."""
    return {key: tensor * factor if "lora_B" in key else tensor for key, tensor in state.items()}


def record_losses(project, pair_id, losses):
    """The held-out losses of a pair, in its manifest."""
    run, _, step = pair_id.partition("/")
    file = project.runs_dir / run / "checkpoints" / step / "manifest.json"
    write_json(file, read_json(file) | {"held_out": dict(zip(EXPERTS, losses, strict=True))})


def test_without_likeness_no_spoilt_copy_of_a_pair_wins_over_it(tiny_project, lora_states):
    high, low, strange = (weaken(state, 3.0) for state in lora_states)
    spoilt = {
        "scaled": (weaken(high, 0.2), weaken(low, 0.2)),
        "low emptied": (high, weaken(low, 1e-9)),  # exact zeros are refused before drawing
        "high emptied": (weaken(high, 1e-9), low),
        "swapped": (low, high),
        "another person's": (strange, weaken(strange, 0.5)),
    }
    full = make_pair(tiny_project, 10, high, low)
    record_losses(tiny_project, full, (0.30, 0.25))
    for number, states in enumerate(spoilt.values(), 2):
        record_losses(tiny_project, make_pair(tiny_project, 10, *states, run=f"train-{number:03d}"), (0.2, 0.2))
        record_losses(tiny_project, make_pair(tiny_project, 20 + number, *states), (0.2, 0.2))  # and as a later step of the same run
    result, _ = run(tiny_project, SweepConfig(**to_dict(CONFIG) | {"strengths": (0.7,)}))
    sweep = sweeps.read_sweep(tiny_project.sweep_dir(result.sweep))
    for others in ([p for p in sweep.pairs if p.id != full], *([p] for p in sweep.pairs if p.id != full)):
        ids = {full, *(pair.id for pair in others)}
        pairs, cells = [p for p in sweep.pairs if p.id in ids], [c for c in sweep.cells if c.pair in (None, *ids)]
        few = replace(sweep, pairs=tuple(pairs), cells=tuple(cells))
        found = verdict(tiny_project, few)
        assert found.pair in (None, full), ids
        assert found.sure != "clear"
        assert "over-trained" not in " ".join(found.why)
        assert found.why[0].startswith("Likeness was not measured")


def test_a_sweep_from_before_likeness_was_measured_is_measured_and_not_drawn(tiny_project, lora_states):
    put_photos(tiny_project, range(4))
    make_pair(tiny_project, 10, *lora_states[:2])
    first, _ = run(tiny_project)
    folder = tiny_project.sweep_dir(first.sweep)
    sweep = read_json(folder / "sweep.json")
    for cell in sweep["cells"]:
        del cell["measured"]
        cell["scores"] = {name: value for name, value in cell["scores"].items() if name in ("motion", "change", "applied")}
    write_json(folder / "sweep.json", sweep)
    result, _ = run(tiny_project)
    assert result.rendered == 0
    assert all(c.scores.keys() & {"identity", "resemblance"} for c in sweeps.read_sweep(folder).cells)


def test_without_photos_a_sweep_says_why_likeness_was_not_measured(tiny_project, lora_states):
    make_pair(tiny_project, 10, *lora_states[:2])
    _, events = run(tiny_project)
    assert any("at least 3" in fields.get("message", "") for event, fields in events if event == "note")


def test_pairs_with_equal_files_keep_their_places_when_the_sweep_goes_on(tiny_project, lora_states):
    ids = [make_pair(tiny_project, step, *lora_states[:2]) for step in (10, 20)]
    run(tiny_project)
    folder = tiny_project.sweep_dir(run(tiny_project)[0].sweep)
    assert [c.pair for c in sweeps.read_sweep(folder).cells] == [None, *ids, None, *ids]


# -- clips


def test_clips_are_h264_yuv420p_that_start_while_loading_and_carry_the_mark_but_no_path(tmp_path):
    frames = np.random.default_rng(0).integers(0, 256, (6, 34, 49, 3), dtype=np.uint8)
    write_clip(tmp_path / "a.mp4", frames, 16)
    with av.open(str(tmp_path / "a.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        assert (stream.width, stream.height, stream.frames, float(stream.average_rate)) == (48, 34, 6, 16.0)
        assert container.metadata["comment"].startswith("AI-generated")
        assert container.metadata["description"] == "digital_source_type=trainedAlgorithmicMedia"
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    assert str(tmp_path).encode() not in data
    write_clip(tmp_path / "b.mp4", frames, 16)
    assert data == (tmp_path / "b.mp4").read_bytes(), "the same frames give the same file"


def test_the_same_frames_give_the_same_file_whatever_memory_held_before(tmp_path):
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (9, 24, 24, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    files, kept = set(), []
    for number in range(60):
        kept.append(rng.integers(0, 255, number * 37 + 1, dtype=np.uint8))  # so that each encoder finds its memory used by something else
        write_clip(tmp_path / "a.mp4", frames, 16)
        files.add((tmp_path / "a.mp4").read_bytes())
    assert len(files) == 1


def test_colours_survive_the_clip(tmp_path):
    frames = np.zeros((3, 32, 32, 3), np.uint8) + np.array([200, 60, 40], np.uint8)
    write_clip(tmp_path / "a.mp4", frames, 16)
    assert np.abs(read_clip(tmp_path / "a.mp4").astype(int) - frames).max() <= 3


def read_mark(path):
    """What a clip or poster says about its origin, "" if nothing."""
    if path.suffix == ".jpg":
        with Image.open(path) as image:
            return image.getexif().get(IMAGE_DESCRIPTION, "")
    with av.open(str(path)) as container:
        return "; ".join(v for k, v in sorted(container.metadata.items()) if k in METADATA)


def test_posters_carry_the_mark(tmp_path):
    write_poster(tmp_path / "a.jpg", np.full((3, 32, 48, 3), 90, np.uint8))
    assert read_mark(tmp_path / "a.jpg").startswith("AI-generated with Likeness Studio")
    with Image.open(tmp_path / "a.jpg") as image:
        assert b"trainedAlgorithmicMedia" in image.info["xmp"]


def test_a_damaged_clip_is_named(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"not a clip")
    with pytest.raises(ValueError, match=r"a\.mp4 is damaged"):
        read_clip(tmp_path / "a.mp4")


def test_a_comparison_clip_shows_base_and_pairs_under_titles(tiny_project, lora_states):
    make_pair(tiny_project, 10, *lora_states[:2])
    folder = tiny_project.sweep_dir(run(tiny_project)[0].sweep)
    path = compose_comparison(folder, 0)
    clip = read_clip(path)
    assert clip.shape[0] == 5
    assert clip.shape[2] == 2 * (192 + 4)
    assert read_mark(path).startswith("AI-generated")
    assert clip[:, :40].max() > 200, "the title is drawn"
    with pytest.raises(ValueError, match="no prompt 7"):
        compose_comparison(folder, 7)


# -- scores


def walking_square(size=6, speed=3, brightness=200):
    frames = np.full((9, 64, 64, 3), 60, np.uint8)
    for i, frame in enumerate(frames):
        frame[20 : 20 + size * 3, 4 + i * speed : 4 + i * speed + size * 3] = brightness
    return frames


def compare(frames, base_frames):
    """What pixels alone say of a clip beside the base's."""
    prompt = Prompt(label="", text="", kind="person")
    look = Look(frames, prompt, base=Look(base_frames, prompt))
    return measure(look, [score for score in all_scores() if score.needs is Needs.BASE])


def test_equal_clips_score_one_and_count_as_not_applied():
    scores = compare(walking_square(), walking_square())
    assert (scores["motion"], scores["sharpness"], scores["change"], scores["applied"]) == (1.0, 1.0, 0.0, False)


def test_frozen_motion_flicker_and_clipping_are_found_and_a_clean_clip_has_no_findings():
    base = walking_square()
    assert findings_in(compare(walking_square(speed=2), base)) == []
    assert findings_in(compare(walking_square(speed=0), base)) == ["frozen"]
    flicker = base.copy()
    flicker[::2] += 30
    assert "flicker" in findings_in(compare(flicker, base))
    burnt = base.copy()
    burnt[:, 40:] = 255
    assert "clipping" in findings_in(compare(burnt, base))


def test_a_blurred_clip_is_soft_and_a_darker_one_is_not():
    rng = np.random.default_rng(0)
    base = np.repeat(rng.integers(0, 256, (1, 64, 64, 3), dtype=np.uint8), 9, axis=0)
    blurred = np.stack([np.asarray(Image.fromarray(f).resize((8, 8)).resize((64, 64), Image.Resampling.BICUBIC)) for f in base])
    assert "soft" in findings_in(compare(blurred, base))
    assert findings_in(compare(base // 2, base)) == []


def test_motion_is_not_measured_against_a_base_that_stands_still():
    assert compare(walking_square(), walking_square(speed=0))["motion"] is None


def test_a_result_and_its_job_name_the_sweep_folder(tiny_project, lora_states):
    make_pair(tiny_project, 10, *lora_states[:2])
    result, _ = run(tiny_project)
    assert read_json(tiny_project.list_runs("sweep")[0] / "config.json")["sweep"] == result.sweep == "sweep-001"


def test_a_job_whose_request_is_damaged_says_so_and_draws_nothing(tiny_project, lora_states):
    make_pair(tiny_project, 10, *lora_states[:2])
    with pytest.raises(ValueError, match=r"config.json, pairs is damaged: expected a list, got 'train-001'"):
        run(tiny_project, pairs="train-001")
    assert sweeps.list_sweeps(tiny_project) == []
