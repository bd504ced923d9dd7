"""Settings: one definition, checked values, presets that all load."""

import json
import tomllib

import pytest

from studio import config
from studio.config import CaptionConfig, SweepConfig, TrainConfig, from_dict, list_presets, list_settings, load_preset, merge, nest, to_dict


def test_a_config_survives_the_way_through_json():
    before = TrainConfig(steps=500, lora=config.LoraConfig(rank=8), data=config.DataConfig(clip_frames=17))
    assert from_dict(TrainConfig, json.loads(json.dumps(to_dict(before)))) == before
    sweep = SweepConfig(strengths=(0.5, 1.0), seeds=(1, 2))
    assert from_dict(SweepConfig, json.loads(json.dumps(to_dict(sweep)))) == sweep


def test_an_unknown_setting_is_an_error_that_names_the_nearest():
    with pytest.raises(ValueError, match=r"config\.lora: unknown setting 'rnak'; did you mean 'rank'"):
        from_dict(TrainConfig, {"lora": {"rnak": 8}})


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"steps": 1}, "steps must be at least 2"),
        ({"steps": "many"}, "steps must be a number"),
        ({"steps": 2.5}, "whole number"),
        ({"steps": True}, "must be a number"),
        ({"optimizer": {"learning_rate": float("nan")}}, "must be a number"),
        ({"optimizer": {"learning_rate": 2}}, "at most 1"),
        ({"timesteps": {"distribution": "sigmod"}}, "did you mean 'sigmoid'"),
        ({"preservation": {"enabled": 1}}, "true or false"),
        ({"finish_by": "7 am"}, "a time of day such as 07:00"),
        ({"finish_by": "24:00"}, "a time of day such as 07:00"),
        ({"data": {"clip_frames": 32}}, "4n \\+ 1, got 32; try 29"),
        ({"lora": 8}, "expected a table"),
    ],
)
def test_a_bad_value_is_named_with_the_fix(data, words):
    with pytest.raises(ValueError, match=words):
        from_dict(TrainConfig, data)


def test_a_save_interval_longer_than_the_run_becomes_one_save_at_the_end():
    assert TrainConfig(steps=20).save_every == 20


def test_a_sweep_needs_a_seed_and_strengths_above_zero():
    with pytest.raises(ValueError, match="seeds is empty"):
        SweepConfig(seeds=())
    with pytest.raises(ValueError, match="strengths must lie above 0"):
        SweepConfig(strengths=(0.0, 1.0))


def test_settings_cannot_be_changed_after_they_are_made():
    with pytest.raises(AttributeError):
        TrainConfig().steps = 5


@pytest.mark.parametrize("cls", [TrainConfig, SweepConfig, CaptionConfig])
def test_every_setting_has_words_for_the_form_and_the_help(cls):
    for name, field, _ in list_settings(cls):
        assert field.help.endswith("."), name
        assert field.label, name


def test_dotted_names_lead_to_the_settings_and_back():
    flat = {name: field.default for name, field, _ in list_settings(TrainConfig)}
    assert "lora.rank" in flat and "memory.blocks_swapped" in flat
    assert from_dict(TrainConfig, nest(flat)) == TrainConfig()


def test_later_layers_win_and_tables_are_merged():
    assert merge({"lora": {"rank": 8}, "a": 1}, {"lora": {"x": 2}}, {"a": 3}) == {"lora": {"rank": 8, "x": 2}, "a": 3}


@pytest.mark.parametrize("kind", ["recipes", "models", "hardware"])
def test_every_preset_gives_a_valid_config(kind):
    names = list_presets(kind)
    assert names
    for name in names:
        preset = load_preset(kind, name)
        from_dict(TrainConfig, preset.get("train", {}), name)
        assert preset["title"] and preset["description"]
        if "sweep" in preset:
            from_dict(SweepConfig, preset["sweep"], name)


def test_every_preset_file_is_readable():
    for path in config.PRESETS_DIR.rglob("*.toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))


def test_a_preset_that_is_not_there_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean 'quick-look'"):
        load_preset("recipes", "quicklook")
    with pytest.raises(ValueError, match="no preset"):
        load_preset("recipes", "../models/tiny")


def test_the_persons_recipe_is_the_one_of_the_guide():
    recipe = from_dict(TrainConfig, load_preset("recipes", "person-photos")["train"])
    assert (recipe.steps, recipe.save_every, recipe.accumulation) == (3000, 1000, 4)
    assert recipe.timesteps.distribution == "sigmoid" and recipe.optimizer.learning_rate == 2e-4 and recipe.preservation.enabled


def test_a_comparison_draws_no_clip_twice():
    config = SweepConfig(strengths=(1.0, 0.7, 1.0), seeds=(1, 1, 2))
    assert (config.strengths, config.seeds) == ((1.0, 0.7), (1, 2))
