"""Recipes: the numbers that run are those that their words say."""

import re
from statistics import mean

import pytest

from studio.config import TrainConfig, from_dict, list_presets, load_preset, to_dict
from studio.machine import Machine
from studio.models.preset import model_preset
from studio.project_facts import Permission
from studio.training.plan import estimates
from studio.training.plan.memory import Rows
from studio.training.plan.planner import propose
from studio.training.step.preservation import preservation_weight, preserved_pictures

MACHINE = Machine(gpus=(), ram_total_gb=64, ram_free_gb=58, cpu_name="", cpu_cores=16)
RECIPES = list_presets("recipes")
HOW_OFTEN = {1: "at every picture", 2: "at every second picture", 4: "at every fourth picture"}
CHOSEN_BY_ITSELF = ("person-photos", "person-mixed", "person-clips")


@pytest.fixture
def wan(workspace):
    return workspace.create_project("Bea", trigger="ohwx", base_model="wan22-t2v-a14b", permission=Permission(granted=True))


def plan_for(project, recipe, **overrides):
    return propose(project, MACHINE, workspace=project.workspace, vram_gb=24, recipe=recipe, overrides=overrides)


def mean_weight(config, steps=48):
    """Of the loss that protects, over the steps of a run as the loop weighs it."""
    count, preservation = config.accumulation, config.preservation
    return mean(preservation_weight(preservation, len(preserved_pictures(preservation, step, count)), count) for step in range(steps))


def said_strength(words):
    found = re.search(r"([\d.]+) times as strongly as usual", words)
    return float(found[1]) if found else 1.0


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_protects_other_people_as_strongly_and_as_often_as_its_words_say(wan, recipe):
    words, plan = load_preset("recipes", recipe)["description"], plan_for(wan, recipe)
    assert mean_weight(plan.config) == pytest.approx(said_strength(words))
    assert HOW_OFTEN[plan.config.preservation.every] in words
    assert ("pictures of others" in words) == (plan.config.preservation.pictures > 0)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_has_the_steps_and_pairs_that_its_words_say(wan, recipe):
    words, config = load_preset("recipes", recipe)["description"], plan_for(wan, recipe).config
    assert f"{config.steps:,} steps" in words and f"a pair every {config.save_every:,}" in words
    assert ("faster" in words) == (config.optimizer.learning_rate != TrainConfig().optimizer.learning_rate)
    assert ("smaller LoRA" in words) == (config.lora.rank < TrainConfig().lora.rank)
    pictures = re.search(r"(\w+) pictures a step", words)
    assert (pictures[1] if pictures else "four") == {2: "two", 4: "four"}[config.accumulation]


@pytest.mark.parametrize(("recipe", "strength"), [("person-photos", 1.0), ("person-photos-careful", 0.5), ("quick-look", 4.0)])
def test_the_plan_says_how_strongly_others_are_protected_whatever_was_chosen(wan, recipe, strength):
    plan = plan_for(wan, recipe, preservation={"multiplier": strength})
    [words] = [reason for reason in plan.reasons if reason.startswith("Other people are protected")]
    assert said_strength(words) == strength == pytest.approx(mean_weight(plan.config))
    for off in ({"enabled": False}, {"multiplier": 0.0}):
        assert "Other people are not protected." in plan_for(wan, recipe, preservation=off).reasons


def test_a_recipe_that_is_chosen_by_itself_keeps_others_at_pictures_of_them_as_the_small_world_found_best():
    learned_in_the_small_world = model_preset("tiny").train["preservation"]
    for recipe in CHOSEN_BY_ITSELF:
        assert load_preset("recipes", recipe)["train"]["preservation"] == {"enabled": True} | learned_in_the_small_world, recipe


def test_every_number_of_a_recipe_that_a_base_model_replaces_is_told(project):
    plan = propose(project, MACHINE, workspace=project.workspace, recipe="quick-look")
    [words] = [reason for reason in plan.reasons if "asks for other numbers than the recipe" in reason]
    for text in ("Steps 400", "Save every 100 steps", "Pictures a step 4", "Learning speed 0.004", "Photo size 80 px"):
        assert text in words
    assert "Size of the LoRA" not in words  # the same there
    mine = propose(project, MACHINE, workspace=project.workspace, recipe="quick-look", overrides={"accumulation": 8})
    assert not any("Pictures a step" in reason for reason in mine.reasons)


def test_time_counts_the_pictures_at_which_others_are_protected_as_often_as_they_come():
    """With two pictures a step and protection at every fourth, half of the steps have one."""
    facts, rows = model_preset("wan22-t2v-a14b").shape, Rows(1024, 1024, 12)

    def seconds(**changes):
        return estimates.seconds_per_step(facts, from_dict(TrainConfig, {"accumulation": 2} | changes), rows, 165.2, 25.0)

    without = seconds(preservation={"enabled": False})
    each = seconds(preservation={"every": 1}) - without
    assert seconds(preservation={"every": 4}) - without == pytest.approx(each / 4)
    assert seconds(preservation={"multiplier": 0.0}) == without


def test_pictures_of_others_beside_clips_cost_as_much_as_photos():
    facts = model_preset("wan22-t2v-a14b").shape
    clip, photo = Rows(8100, 8100, 12), Rows(8100, 8100, 12, class_tokens=1024)

    def seconds(rows, pictures):
        config = from_dict(TrainConfig, {"preservation": {"pictures": pictures, "every": 2}})
        return estimates.seconds_per_step(facts, config, rows, 165.2, 25.0)

    assert seconds(photo, 32) < 0.7 * seconds(clip, 0) and seconds(photo, 0) == seconds(clip, 0)


def test_settings_of_an_earlier_run_mean_what_they_meant():
    """A run keeps its own numbers, whatever recipes say since; what its config.json did not know yet is as it was then."""
    config = to_dict(TrainConfig())
    config["preservation"] = {"enabled": True, "multiplier": 4.0, "every": 4, "pictures": 0}
    assert to_dict(from_dict(TrainConfig, config)) == config
    config["preservation"] = {"enabled": True, "multiplier": 1.0}
    kept = from_dict(TrainConfig, config).preservation
    assert (kept.every, kept.pictures) == (1, 0)
