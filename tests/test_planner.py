"""The plan: presets in layers, memory that fits, and reasons in words."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from benchmarks.card_times import table_lines
from comfyui_kit import make_true_comfyui
from simulation_kit import Shape, simulate_step

from studio.config import PRESETS_DIR, TrainConfig, from_dict, list_presets, load_preset
from studio.disk import append_jsonl, write_json
from studio.machine import Gpu, Machine, TorchBuild
from studio.models.catalogue import link_model
from studio.models.preset import model_preset
from studio.project_facts import Permission
from studio.training.plan import estimates, memory, planner
from studio.training.plan.memory import Rows
from studio.training.plan.placement import Room, place
from studio.training.plan.planner import propose
from studio.training.schedule import steps_in_turn
from studio.training.step.block_pass import StepPlan
from studio.ui.train.plan import time_text

MACHINE = Machine(gpus=(), ram_total_gb=64, ram_free_gb=58, cpu_name="", cpu_cores=16)
CARD = Gpu(0, "RTX 4090", 24, 22.1, "555", (("chrome", 1.1),))
TIERS = (8, 10, 12, 16, 24, 32, 48, 80)


FACTS = model_preset("wan22-t2v-a14b").shape


@pytest.fixture
def room():
    """A function that makes a Room on a 4090's arithmetic; by_hand: settings that the person chose."""

    def make(vram, kind="photo", ram=58, **by_hand):
        return Room(FACTS, [SimpleNamespace(kind=kind)] * 12, vram, ram, 165.2, 25.0, by_hand)

    return make


def config_of(**changes):
    return from_dict(TrainConfig, changes)


def with_memory(config, **changes):
    return replace(config, memory=replace(config.memory, **changes))


@pytest.fixture
def wan(workspace):
    return workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))


@pytest.fixture
def with_card(monkeypatch):
    monkeypatch.setattr(planner, "read_torch_build", lambda: TorchBuild("2.14.1+cu130", (13, 0)))
    return replace(MACHINE, gpus=(CARD,))


def plan_for(project, vram, **overrides):
    return propose(project, MACHINE, workspace=project.workspace, vram_gb=vram, overrides=overrides)


@pytest.mark.parametrize("vram", TIERS)
def test_every_tier_gets_its_preset_and_fits(wan, vram):
    plan = plan_for(wan, vram)
    assert plan.hardware == f"{vram}gb" and plan.device == "cuda" and plan.fits
    assert plan.predicted.vram_gb <= vram
    assert plan.config.memory.precision == "bf16"


def test_smaller_cards_keep_more_blocks_in_ram_and_the_largest_none(wan):
    waiting = [plan_for(wan, vram, data={"photo_size": 512}).config.memory.blocks_swapped for vram in TIERS]
    assert min(waiting[:3]) >= 30 and waiting[2:] == sorted(waiting[2:], reverse=True) and waiting[-2:] == [0, 0]


def test_a_small_need_is_told_in_megabytes_and_impossible_memory_is_refused(project, monkeypatch):
    monkeypatch.setattr(planner, "free_disk_gb", lambda path: 2 / 1024)
    plan = propose(project, MACHINE, workspace=project.workspace)
    assert not plan.fits and " MB on the disk, and 2 MB are free." in plan.reasons[-1]
    for ram in (-5, float("nan"), 0):
        with pytest.raises(ValueError, match="ram must be"):
            propose(project, MACHINE, workspace=project.workspace, ram_gb=ram)


def test_a_large_model_without_a_gpu_is_refused_for_that_reason_and_no_other(wan):
    plan = propose(wan, replace(MACHINE, gpus=()), workspace=wan.workspace)
    assert not plan.fits and "too large to train without a GPU" in plan.reasons[-1]
    assert not any("Close other programs" in reason for reason in plan.reasons)


def test_a_run_of_another_length_than_its_recipe_says_so(project, wan):
    assert not any(reason.startswith("Here ") for reason in plan_for(wan, 24).reasons)
    assert "Here 500 steps and a checkpoint pair every 500: as you asked." in plan_for(wan, 24, steps=500).reasons
    assert any("asks for other numbers" in reason for reason in propose(project, MACHINE, workspace=project.workspace).reasons)


def test_the_prediction_is_the_sum_of_its_parts(wan):
    predicted = plan_for(wan, 24).predicted
    for name in ("vram", "ram", "disk"):
        assert getattr(predicted, f"{name}_gb") == pytest.approx(sum(gb for _, gb in getattr(predicted, f"{name}_parts")))
    weights = dict(plan_for(wan, 80).predicted.vram_parts)["the expert's weights that stay"]
    assert weights == pytest.approx(14_288_491_584 * 2 / 2**30, rel=0.003)  # FACTS.md: parameters of an expert; a few of them fp32


def test_the_card_that_is_there_is_explained_with_what_holds_its_memory(wan, with_card):
    plan = propose(wan, with_card, workspace=wan.workspace)
    assert plan.reasons[0] == "RTX 4090, 24 GB, 22.1 GB free (1.1 GB held by chrome)."
    assert plan.hardware == "24gb"
    assert plan.predicted.seconds_per_step > 0 and "rough estimate" in plan.predicted.how_sure


def test_memory_held_by_another_program_lowers_the_preset_and_says_which(wan, with_card):
    busy = replace(with_card, gpus=(replace(CARD, vram_free_gb=14.0, holders=(("blender", 9.0),)),))
    plan = propose(wan, busy, workspace=wan.workspace)
    assert plan.hardware == "16gb" and plan.fits
    assert any("closing blender" in reason for reason in plan.reasons)


def test_a_larger_lora_makes_more_blocks_wait_or_what_is_kept_between_them(wan):
    small, large = (plan_for(wan, 24, lora={"rank": rank}).config.memory for rank in (32, 128))
    assert (large.blocks_swapped, large.inputs_in_ram) > (small.blocks_swapped, small.inputs_in_ram)


def test_long_clips_pass_the_blocks_in_small_groups_with_their_inputs_in_ram(room):
    """Eight rows of 480 x 832 x 81 would keep 107 GB between the blocks: what is told is how that is avoided."""
    clips = {"clip_size": 632, "clip_frames": 81}
    config, reasons = place(room(22.5, "clip", data=clips), config_of(data=clips))
    assert config.memory.inputs_in_ram and 1 <= config.memory.rows_per_walk < 8 and config.memory.precision == "bf16"
    assert any("pass the blocks together" in reason for reason in reasons) and "What a step keeps for its way back waits in RAM." in reasons
    rows = Rows(32_760, 32_760, 12)
    whole, one = (with_memory(config, rows_per_walk=rows, inputs_in_ram=True) for rows in (0, 1))
    assert memory.input_bytes(FACTS, whole, rows) == 8 * 32_760 * 5120 * 2 * 40 == 8 * memory.input_bytes(FACTS, one, rows)
    assert estimates.loads_per_step(FACTS, one) == 8 * estimates.loads_per_step(FACTS, whole)


def test_where_bf16_does_not_fit_into_ram_the_base_model_is_kept_as_int8_and_that_is_told(room):
    roomy, reasons = place(room(14.8), config_of())
    assert roomy.memory.precision == "bf16" and not any("int8" in reason for reason in reasons)
    tight, reasons = place(room(7.2, ram=22), config_of())
    assert tight.memory.precision == "int8" and any("22 GB of RAM" in reason for reason in reasons)
    assert place(room(7.2, ram=22, memory={"precision": "bf16"}), config_of())[0].memory.precision == "bf16"  # the person's choice


def test_files_that_are_fp8_already_stay_so(wan, tmp_path):
    preset = model_preset("wan22-t2v-a14b")
    before = plan_for(wan, 24)
    link_model("wan22-t2v-a14b", [make_true_comfyui(tmp_path / "ComfyUI", preset)], wan.workspace)
    plan = plan_for(wan, 24)
    assert (before.config.memory.precision, plan.config.memory.precision) == ("bf16", "fp8")
    assert plan.config.memory.blocks_swapped < before.config.memory.blocks_swapped and any("files are fp8" in r for r in plan.reasons)
    chosen = plan_for(wan, 24, memory={"precision": "bf16"})
    assert chosen.config.memory.precision == "bf16" and not any("files are fp8" in r for r in chosen.reasons)


def test_with_room_to_spare_results_are_kept_instead_of_computed_again(room):
    config, reasons = place(room(78), config_of())
    assert config.memory.blocks_swapped == 0 and config.memory.blocks_kept == 40
    assert any("instead of computing them again" in reason for reason in reasons)
    assert room(78).seconds(config) < room(78).seconds(with_memory(config, blocks_kept=0))


def test_what_does_not_fit_in_any_way_is_made_smaller_and_told_unless_the_person_chose_the_size(room):
    clips = {"clip_size": 640, "clip_frames": 81}
    config, reasons = place(room(7.2, "clip", ram=28), config_of(data=clips))
    assert (config.data.clip_frames, config.data.clip_size) < (81, 640) and room(7.2, "clip", ram=28).over(config) == 0
    assert any("lowered from 81 to" in reason for reason in reasons)
    stubborn = room(7.2, "clip", ram=28, data=clips)
    config, _ = place(stubborn, config_of(data=clips))
    assert (config.data.clip_frames, config.data.clip_size) == (81, 640) and stubborn.over(config) > 0


def test_a_second_card_takes_an_expert_of_its_own_in_ram_and_an_average_its_raw_weights_on_the_disk():
    one, two = (dict(memory.ram_parts(FACTS, config_of(processes=count, memory={"blocks_swapped": 20}), "cuda")) for count in (1, 2))
    assert two["blocks that wait"] == pytest.approx(2 * one["blocks that wait"])
    plain, averaged = (estimates.disk_parts(FACTS, config_of(optimizer={"average": a}), Rows(1, 1, 1))[0][1] for a in (0.0, 0.99))
    assert averaged == pytest.approx(2 * plain)


def test_several_cards_take_a_share_of_the_pictures_each_and_a_share_of_the_time(room):
    """Two cards: half the run. Four: half the pictures of a step on each, beside the time in which gradients meet."""
    place_in, facts = room(22.5, ram=500), FACTS
    one, two, four = (config_of(processes=count, accumulation=4, memory={"blocks_swapped": 20}) for count in (1, 2, 4))
    seconds = [place_in.seconds(config) for config in (one, two, four)]
    assert seconds[0] == seconds[1] and seconds[2] == pytest.approx(seconds[0] / 2 + estimates.exchange_seconds(facts, four), rel=0.01)
    hours = [each * steps_in_turn(config) for config, each in zip((one, two, four), seconds)]
    assert hours[1] == hours[0] / 2 and hours[2] < hours[1] / 1.5
    assert place_in.vram(four) < place_in.vram(two) == place_in.vram(one)
    assert replace(place_in, num_here=2).ram(four) == pytest.approx(place_in.ram(four) / 2, rel=0.1)


def test_cards_are_counted_and_several_explained(wan, with_card):
    cards = replace(with_card, gpus=(CARD, replace(CARD, index=1, vram_free_gb=CARD.vram_free_gb - 2)))

    def plan_with(count, machine=cards):
        return propose(wan, machine, workspace=wan.workspace, overrides={"processes": count}, ram_gb=500)

    assert any("There is a second graphics card" in reason for reason in plan_with(1).reasons)
    two, four = plan_with(2), plan_with(4)
    assert two.fits and two.predicted.vram_free_gb == CARD.vram_free_gb - 2
    assert any("of the 2 that are used" in reason.casefold() for reason in two.reasons)
    assert any("Both experts learn at once" in reason for reason in two.reasons)
    assert not four.fits and any("for 4 graphics cards in this computer, and there are 2; set 'Graphics cards'" in r for r in four.reasons)
    elsewhere = propose(wan, cards, workspace=wan.workspace, overrides={"processes": 4}, ram_gb=500, num_here=2)
    assert elsewhere.fits and any("2 cards of each expert share the 4 pictures" in reason for reason in elsewhere.reasons)
    with pytest.raises(ValueError, match="even number"):
        plan_with(3)


def test_a_faster_slot_makes_blocks_in_ram_cheaper():
    slow, fast, untold = (replace(CARD, pcie=pcie) for pcie in ((3, 8), (4, 16), (0, 0)))
    assert untold.link_gb_per_second == 0 < slow.link_gb_per_second < fast.link_gb_per_second / 3
    config, rows = config_of(memory={"blocks_swapped": 40}), Rows(1024, 1024, 1)
    seconds = [estimates.seconds_per_step(FACTS, config, rows, 1e6, card.link_gb_per_second) for card in (fast, untold, slow)]
    assert seconds == sorted(seconds) and seconds[0] == pytest.approx(2 * 40 * 0.7028 / fast.link_gb_per_second, rel=0.01)


@pytest.mark.parametrize("precision", ["bf16", "int8"])
@pytest.mark.parametrize(
    ("shape", "memory_settings"),
    [
        (Shape(1, 96, 96, rows=2, preserved=2), {}),
        (Shape(9, 60, 104, rows=2), {"inputs_in_ram": True, "blocks_swapped": 3}),
        (Shape(1, 64, 64, rows=2), {"blocks_kept": 2, "blocks_swapped": 1}),
    ],
    ids=str,
)
def test_the_formula_is_within_2_percent_of_the_simulated_step_at_true_width(precision, shape, memory_settings):
    assert_formula_holds("wan22-t2v-a14b", precision, shape, memory_settings)


@pytest.mark.parametrize("model", ["wan22-ti2v-5b", "wan21-t2v-1.3b", "wan22-i2v-a14b"])
def test_the_formula_holds_for_other_models_too(model):
    assert_formula_holds(model, "bf16", Shape(1, 96, 96, rows=2, preserved=2), {})


def assert_formula_holds(model, precision, shape, memory_settings, blocks=3):
    """Three blocks instead of all: the formula knows their number, the simulation counts them."""
    preset = model_preset(model)
    facts, all_blocks = preset.shape, preset.shape.num_blocks
    facts = replace(
        facts,
        num_blocks=blocks,
        lora_parameters_per_rank=facts.lora_parameters_per_rank * blocks // all_blocks,
        parameters_per_expert=facts.parameters_per_expert - (all_blocks - blocks) * facts.block_parameters,
    )
    protection = {"enabled": shape.preserved > 0}
    config = config_of(accumulation=shape.rows, preservation=protection, memory=memory_settings | {"precision": precision})
    architecture = preset.expect | {"num_layers": blocks, "cross_attn_norm": True, "freq_dim": 256}
    options = dict(rank=32, blocks_swapped=config.memory.blocks_swapped, precision=precision)
    counted = simulate_step(architecture, shape, StepPlan.of(config.memory, blocks), **options)
    tokens = shape.frames * shape.height * shape.width // 4
    parts = dict(memory.vram_parts(facts, config, Rows(tokens, tokens, 1)))
    predicted = sum(parts.values()) - parts["CUDA"] - parts["rounding of the allocator"]
    assert predicted * 2**30 == pytest.approx(counted.peak, rel=0.02)


def test_what_the_person_sets_wins_and_is_told_if_it_does_not_fit(wan):
    plan = plan_for(wan, 16, memory={"blocks_swapped": 0}, steps=40)
    assert plan.config.memory.blocks_swapped == 0 and plan.config.steps == 40
    assert not plan.fits and "let all blocks wait in RAM" in plan.reasons[-1]


def test_too_little_ram_is_told(wan):
    plan = propose(wan, MACHINE, workspace=wan.workspace, vram_gb=24, ram_gb=12)
    assert not plan.fits and "GB of RAM" in plan.reasons[-1]


def test_without_a_gpu_the_large_model_is_refused_and_the_tiny_one_is_not(wan, project):
    large = propose(wan, MACHINE, workspace=wan.workspace)
    assert (large.device, large.hardware, large.fits) == ("cpu", "", False)
    assert any("too large to train without a GPU" in reason for reason in large.reasons)
    tiny = propose(project, MACHINE, workspace=project.workspace)
    assert tiny.fits and tiny.config.memory.precision == "fp32" and tiny.predicted.vram_gb is None


def test_a_gpu_that_the_installed_torch_cannot_use_is_explained(wan, with_card, monkeypatch):
    old = replace(CARD, driver="537.42", driver_cuda=(12, 2))
    plan = propose(wan, replace(with_card, gpus=(old,)), workspace=wan.workspace)
    assert plan.device == "cpu" and "its driver 537.42 is too old" in plan.reasons[0]
    monkeypatch.setattr(planner, "read_torch_build", lambda: TorchBuild("2.14.1+cpu"))
    plan = propose(wan, with_card, workspace=wan.workspace)
    assert plan.device == "cpu" and "cannot use it" in plan.reasons[0]


def test_layers_later_ones_win(project, wan):
    assert propose(project, MACHINE, workspace=project.workspace, recipe="person-photos").config.data.photo_size == 80  # the model's own
    assert plan_for(wan, 24).config.data.photo_size == 768  # the recipe's
    assert plan_for(wan, 8).config.data.photo_size == 512  # the card's limit
    assert plan_for(wan, 8, data={"photo_size": 640}).config.data.photo_size == 640  # the person's


def test_every_recipe_can_be_planned(wan):
    for recipe in list_presets("recipes"):
        assert propose(wan, MACHINE, workspace=wan.workspace, vram_gb=24, recipe=recipe).recipe == recipe


def test_wrong_names_are_answered_with_the_nearest(project):
    with pytest.raises(ValueError, match="did you mean 'quick-look'"):
        propose(project, MACHINE, workspace=project.workspace, recipe="quick-lok")
    with pytest.raises(ValueError, match="did you mean 'rank'"):
        propose(project, MACHINE, workspace=project.workspace, overrides={"lora": {"rnk": 3}})
    with pytest.raises(ValueError, match="vram must be"):
        propose(project, MACHINE, workspace=project.workspace, vram_gb=0)


def test_time_is_measured_in_an_earlier_run_of_the_same_work(project):
    first = propose(project, MACHINE, workspace=project.workspace)
    assert first.predicted.seconds_per_step is None and first.predicted.hours is None
    run_dir = project.new_run_dir("train")
    write_json(run_dir / "config.json", {"kind": "train"} | first.job_config(project))
    for step in (1, 2, 3):
        append_jsonl(run_dir / "events.jsonl", {"event": "step", "step": step, "expert": "low_noise", "seconds": 0.5})
    plan = propose(project, MACHINE, workspace=project.workspace)
    assert plan.predicted.seconds_per_step == 0.5 and plan.predicted.how_sure == "measured in train-001"
    other = propose(project, MACHINE, workspace=project.workspace, overrides={"accumulation": 1})
    assert other.predicted.seconds_per_step is None


def test_pictures_of_others_that_are_drawn_first_take_their_time(wan, with_card):
    def hours(**protection):
        plan = propose(wan, with_card, workspace=wan.workspace, overrides={"preservation": protection})
        return plan.predicted.hours

    assert hours(pictures=0) < hours(pictures=24) < hours(pictures=48) < hours(pictures=0) + 4
    assert hours(pictures=48, enabled=False) == hours(pictures=0, enabled=False)
    plan = propose(wan, with_card, workspace=wan.workspace, overrides={"preservation": {"pictures": 48}})
    assert any("48 pictures of other people" in reason for reason in plan.reasons)


def test_clips_make_clips_the_recipe_and_cost_more(wan, media):
    from studio.data.importer import import_media

    photos = plan_for(wan, 48)
    import_media(wan, [media / "bigbuckbunny.mp4"], report=lambda event, **fields: None)
    clips = plan_for(wan, 48)
    assert (photos.recipe, clips.recipe) == ("person-photos", "person-clips")
    assert clips.config.memory.blocks_kept < photos.config.memory.blocks_kept or clips.config.memory.inputs_in_ram


@pytest.mark.parametrize(
    ("photos", "clips", "recipe"),
    [
        (0, 0, "photos"),
        (20, 0, "photos"),
        (20, 3, "photos"),
        (3, 1, "photos"),
        (12, 4, "mixed"),
        (8, 12, "mixed"),
        (2, 14, "clips"),
        (0, 12, "clips"),
    ],
)
def test_the_recipe_is_for_what_the_dataset_holds(photos, clips, recipe):
    items = [SimpleNamespace(kind="photo")] * photos + [SimpleNamespace(kind="clip")] * clips
    chosen, [reason] = planner._choose_recipe("", items, model_preset("tiny"))
    assert chosen.name == f"person-{recipe}" and ("because" in reason) == bool(items)


@pytest.mark.parametrize("vram", TIERS)
def test_every_size_of_card_has_hours_as_on_a_card_that_is_named(wan, vram):
    plan, usual = plan_for(wan, vram), load_preset("hardware", f"{vram}gb")["usual_card"]
    assert 0.5 < plan.predicted.hours < 24 * 14 and plan.predicted.seconds_per_step > 0
    assert f"as on an {usual}" in plan.predicted.how_sure and "estimate" in plan.predicted.how_sure
    assert f"Times are as on an {usual}, the usual one; --gpu NAME names another." in plan.reasons[0]


def test_the_readmes_table_of_cards_is_what_the_plan_says(workspace):
    """`python tests/benchmarks/card_times.py` makes it."""
    readme = (PRESETS_DIR.parent / "README.md").read_text(encoding="utf-8")
    assert "\n".join(table_lines(workspace)) in readme


def test_a_card_that_is_named_brings_its_memory_and_its_speed(wan):
    def plan_on(name, **options):
        return propose(wan, MACHINE, workspace=wan.workspace, gpu_name=name, **options)

    quick, slow, laptop = (plan_on(name) for name in ("NVIDIA GeForce RTX 4090", "rtx 3090", "RTX 4090 Laptop GPU"))
    assert quick.hardware == slow.hardware == "24gb" and laptop.hardware == "16gb" and quick.fits
    assert quick.predicted.hours < slow.predicted.hours < 3 * quick.predicted.hours < 4 * laptop.predicted.hours
    assert quick.reasons[0].startswith("Planned for an RTX 4090 with 24 GB, of which 22.6 GB are free")
    assert quick.predicted.hours == plan_for(wan, 24).predicted.hours
    assert plan_on("A100-SXM4-40GB").predicted.vram_free_gb < 40 < plan_on("A100-SXM4-80GB").predicted.vram_free_gb
    assert plan_on("RTX 4060 Ti", vram_gb=16).hardware == "16gb"
    assert any("no units for bf16" in reason for reason in plan_on("Tesla T4").reasons)
    with pytest.raises(ValueError, match="named 'RTX 4099'") as problem:
        plan_on("RTX 4099")
    assert "RTX 4090" in problem.value.fix


def test_a_card_without_a_data_sheet_has_no_hours_and_it_is_said_what_to_do(wan, with_card):
    strange = replace(with_card, gpus=(replace(CARD, name="RTX 4090 Ti"),))
    plan = propose(wan, strange, workspace=wan.workspace)
    assert plan.hardware == "24gb" and plan.fits and plan.predicted.hours is None
    for word in ("no data sheet here of RTX 4090 Ti", "Rehearse measures", "plan --gpu NAME", "for example RTX 4090"):
        assert word in plan.predicted.how_sure
    assert time_text(plan.predicted, 3000).startswith("not known yet: Rehearse measures")


def test_a_photo_and_a_clip_have_the_tokens_that_wan_counts():
    assert estimates.count_tokens(FACTS, 512, 512) == 1024
    assert estimates.count_tokens(FACTS, 832, 480, 81) == 32_760  # FACTS.md
