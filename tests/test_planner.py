"""The plan: presets in layers, memory that fits, and reasons in words."""

from dataclasses import replace

import pytest

from studio.config import list_presets, load_preset
from studio.machine import Gpu, Machine
from studio.training import estimates, planner
from studio.training.planner import propose
from studio.workspace import append_jsonl, write_json

MACHINE = Machine(gpus=(), ram_total_gb=64, ram_free_gb=58, cpu_name="", cpu_cores=16)
CARD = Gpu(0, "RTX 4090", 24, 22.1, "555", (("chrome", 1.1),))
TIERS = (12, 16, 24, 32, 48, 80)


@pytest.fixture
def wan(workspace):
    return workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b", permission={"granted": True})


@pytest.fixture
def with_card(monkeypatch):
    monkeypatch.setattr(planner, "is_cuda_build", lambda version: True)
    return replace(MACHINE, gpus=(CARD,))


def plan_for(project, vram, **overrides):
    return propose(project, MACHINE, workspace=project.workspace, vram_gb=vram, overrides=overrides)


@pytest.mark.parametrize("vram", TIERS)
def test_every_tier_gets_its_preset_and_fits(wan, vram):
    plan = plan_for(wan, vram)
    assert plan.hardware == f"{vram}gb" and plan.device == "cuda" and plan.fits
    assert plan.predicted["vram_gb"] <= vram
    assert plan.config.memory.precision == "bf16"


def test_smaller_cards_keep_more_blocks_in_ram_and_the_largest_none(wan):
    waiting = [plan_for(wan, vram, data={"photo_size": 512}).config.memory.blocks_swapped for vram in TIERS]
    assert waiting == sorted(waiting, reverse=True) and waiting[0] >= 30 and waiting[-1] == 0


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
    assert any("asks for that" in reason for reason in propose(project, MACHINE, workspace=project.workspace).reasons)


@pytest.mark.parametrize(("width", "frames", "counted_gb"), [(768, 1, 1.126), (480, 33, 3.898)])
def test_working_memory_is_not_promised_below_what_was_counted_on_the_true_shapes(wan, width, frames, counted_gb):
    """counted_gb: bytes of storages alive at the peak of two 14 B blocks with rank 32, checkpointing and bf16 autocast, on fake tensors
    (torch 2.14, diffusers 0.42), less weights, the blocks' saved inputs and the LoRA's gradients."""
    facts = load_preset("models", "wan22-t2v-a14b")["memory"]
    tokens = estimates.count_tokens(facts, width, width, frames)
    parts = dict(estimates.vram_parts(facts, plan_for(wan, 24).config, estimates.Rows(tokens, tokens, 1)))
    assert counted_gb <= parts["working memory of one block"] * 2**30 / 1e9 <= 1.15 * counted_gb


def test_the_prediction_is_the_sum_of_its_parts(wan):
    predicted = plan_for(wan, 24).predicted
    for name in ("vram", "ram", "disk"):
        assert predicted[f"{name}_gb"] == pytest.approx(sum(gb for _, gb in predicted[f"{name}_parts"]))
    weights = dict(plan_for(wan, 80).predicted["vram_parts"])["the expert's weights that stay"]
    assert weights == pytest.approx(14_288_491_584 * 2 / 2**30)  # FACTS.md: parameters of an expert


def test_the_card_that_is_there_is_explained_with_what_holds_its_memory(wan, with_card):
    plan = propose(wan, with_card, workspace=wan.workspace)
    assert plan.reasons[0] == "RTX 4090, 24 GB, 22.1 GB free (1.1 GB held by chrome)."
    assert plan.hardware == "24gb"
    assert plan.predicted["seconds_per_step"] > 0 and "rough estimate" in plan.predicted["how_sure"]


def test_memory_held_by_another_program_lowers_the_preset_and_says_which(wan, with_card):
    busy = replace(with_card, gpus=(replace(CARD, vram_free_gb=14.0, holders=(("blender", 9.0),)),))
    plan = propose(wan, busy, workspace=wan.workspace)
    assert plan.hardware == "16gb" and plan.fits
    assert any("closing blender" in reason for reason in plan.reasons)


def test_a_larger_lora_makes_more_blocks_wait_or_what_is_kept_between_them(wan):
    small, large = (plan_for(wan, 24, lora={"rank": rank}).config.memory for rank in (32, 128))
    assert (large.blocks_swapped, large.inputs_in_ram) > (small.blocks_swapped, small.inputs_in_ram)


def test_long_clips_pass_the_blocks_in_small_groups_with_their_inputs_in_ram(wan):
    """Eight rows of 480 x 832 x 81 would keep 107 GB between the blocks: what is told is how that is avoided."""
    clips = {"data": {"clip_size": 640, "clip_frames": 81, "photo_size": 512}}
    facts = load_preset("models", "wan22-t2v-a14b")["memory"]
    tokens = estimates.count_tokens(facts, 640, 640, 81)
    rows = estimates.Rows(tokens, tokens, 12)
    config = plan_for(wan, 24, **clips).config
    whole = replace(config, memory=replace(config.memory, rows_per_walk=0, inputs_in_ram=False))
    assert estimates.input_bytes(facts, whole, rows) == estimates.rows_per_step(config) * tokens * 5120 * 2 * 40
    one = replace(config, memory=replace(config.memory, rows_per_walk=1, inputs_in_ram=True))
    assert estimates.input_bytes(facts, one, rows) * estimates.rows_per_step(config) == estimates.input_bytes(facts, whole, rows)
    assert estimates.loads_per_step(facts, one) == estimates.rows_per_step(config) * estimates.loads_per_step(facts, whole)


def test_what_the_person_sets_wins_and_is_told_if_it_does_not_fit(wan):
    plan = plan_for(wan, 16, memory={"blocks_swapped": 0}, steps=40)
    assert plan.config.memory.blocks_swapped == 0 and plan.config.steps == 40
    assert not plan.fits and "let all blocks wait in RAM" in plan.reasons[-1]


def test_too_little_ram_is_told(wan):
    plan = propose(wan, MACHINE, workspace=wan.workspace, vram_gb=24, ram_gb=16)
    assert not plan.fits and "GB of RAM" in plan.reasons[-1]


def test_without_a_gpu_the_large_model_is_refused_and_the_tiny_one_is_not(wan, project):
    large = propose(wan, MACHINE, workspace=wan.workspace)
    assert (large.device, large.hardware, large.fits) == ("cpu", "", False)
    assert any("too large to train without a GPU" in reason for reason in large.reasons)
    tiny = propose(project, MACHINE, workspace=project.workspace)
    assert tiny.fits and tiny.config.memory.precision == "fp32" and tiny.predicted["vram_gb"] is None


def test_a_gpu_that_the_installed_torch_cannot_use_is_explained(wan, monkeypatch):
    monkeypatch.setattr(planner, "is_cuda_build", lambda version: False)
    plan = propose(wan, replace(MACHINE, gpus=(CARD,)), workspace=wan.workspace)
    assert plan.device == "cpu" and "cannot use it" in plan.reasons[0]


def test_layers_later_ones_win(project, wan):
    assert propose(project, MACHINE, workspace=project.workspace, recipe="person-photos").config.data.photo_size == 80  # the model's own
    assert plan_for(wan, 24).config.data.photo_size == 768  # the recipe's
    assert plan_for(wan, 12).config.data.photo_size == 512  # the card's limit
    assert plan_for(wan, 12, data={"photo_size": 640}).config.data.photo_size == 640  # the person's


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
    assert first.predicted["seconds_per_step"] is None and first.predicted["hours"] is None
    run_dir = project.new_run_dir("train")
    write_json(run_dir / "config.json", {"kind": "train"} | first.job_config(project))
    for step in (1, 2, 3):
        append_jsonl(run_dir / "events.jsonl", {"event": "step", "step": step, "seconds": 0.5})
    plan = propose(project, MACHINE, workspace=project.workspace)
    assert plan.predicted["seconds_per_step"] == 0.5 and plan.predicted["how_sure"] == "measured in train-001"
    other = propose(project, MACHINE, workspace=project.workspace, overrides={"accumulation": 1})
    assert other.predicted["seconds_per_step"] is None


def test_pictures_of_others_that_are_drawn_first_take_their_time(wan, with_card):
    def hours(**protection):
        plan = propose(wan, with_card, workspace=wan.workspace, overrides={"preservation": protection})
        return plan.predicted["hours"]

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
    assert clips.predicted["vram_gb"] > photos.predicted["vram_gb"]


def test_known_gpus_are_told_apart_by_their_full_names():
    assert estimates.tflops_of("RTX 4090") > estimates.tflops_of("RTX 4080 SUPER") > estimates.tflops_of("RTX 4080")
    assert estimates.tflops_of("H100 80GB HBM3") > estimates.tflops_of("H100 PCIe")
    assert estimates.tflops_of("RTX 4090 Laptop GPU") is None
    assert estimates.tflops_of("Unheard Of") is None


def test_a_photo_and_a_clip_have_the_tokens_that_wan_counts():
    assert estimates.count_tokens({}, 512, 512) == 1024
    assert estimates.count_tokens({}, 832, 480, 81) == 32_760  # FACTS.md
