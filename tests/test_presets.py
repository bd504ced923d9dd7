"""What the studio knows of a base model is a type: its experts, its shape, and a sentence for a file that lacks something."""

import re
import shutil

import pytest

from studio import config
from studio.config import EXPERTS, list_presets
from studio.models.preset import experts_of, list_models, model_preset

NAME = "mine"


@pytest.fixture
def presets(tmp_path, monkeypatch):
    """The presets, for a person to edit."""
    folder = shutil.copytree(config.PRESETS_DIR, tmp_path / "presets", ignore=shutil.ignore_patterns("tiny"))
    monkeypatch.setattr(config, "PRESETS_DIR", folder)
    return folder


def write(presets, text):
    (presets / f"models/{NAME}.toml").write_text(text, encoding="utf-8")


def read(presets, name="wan22-t2v-a14b"):
    return (presets / f"models/{name}.toml").read_text(encoding="utf-8")


def test_the_experts_are_data_of_the_preset():
    wan, small = model_preset("wan22-t2v-a14b"), model_preset("wan22-ti2v-5b")
    assert wan.expert_names == EXPERTS and wan.words_of("high_noise") == "layout and motion"
    assert [expert.noise for expert in wan.experts] == [(0.875, 1.0), (0.0, 0.875)] and wan.default_boundary == 0.875
    assert (small.expert_names, small.default_boundary, small.train_config.high_noise_share) == (("low_noise",), 2.0, 0.0)
    drawn = small.sweep_config()
    assert drawn.guidance_of("low_noise") == 5.0 and (drawn.guidance_scale_high, drawn.guidance_scale_low) == (5.0, 5.0)


def test_the_shape_knows_what_other_tables_say():
    wan, picture, tiny = (model_preset(name) for name in ("wan22-t2v-a14b", "wan22-i2v-a14b", "tiny"))
    assert (wan.shape.num_experts, wan.shape.text_dim, wan.shape.head_dim, wan.shape.prompt_tokens) == (2, 4096, 128, 512)
    assert picture.shape.condition_channels == 20 and picture.takes_first_picture and not wan.takes_first_picture
    assert (tiny.shape.text_dim, tiny.shape.head_dim, tiny.shape.prompt_tokens) == (64, 48, 64)


@pytest.mark.parametrize(("name", "num_experts", "boundary"), [("wan22-t2v-a14b", 2, 0.875), ("wan22-ti2v-5b", 1, 2.0)])
def test_a_preset_of_the_time_before_the_experts_means_the_same(presets, name, num_experts, boundary):
    """Somebody's own file: [memory] was the shape, and the settings stood in [train] and [sweep]."""
    text = re.sub(r"\[\[experts\]\]\n(\w+ = .*\n)+\n?", "", read(presets, name)).replace(
        "[shape]", f"[memory]\nnum_experts = {num_experts}"
    )
    text = text.replace("fps = ", f"default_boundary = {boundary}\nfps = ", 1)
    if num_experts == 1:
        text = text.replace("[train.memory]", "[train]\nhigh_noise_share = 0.0\n\n[train.memory]")
        text = text.replace("[sweep]", "[sweep]\nguidance_scale_high = 5.0\nguidance_scale_low = 5.0")
    write(presets, text)
    old, new = model_preset(NAME), model_preset(name)
    assert old.shape == new.shape and old.expert_names == new.expert_names and old.default_boundary == boundary
    assert [expert.noise for expert in old.experts] == [expert.noise for expert in new.experts]
    assert (old.train_config, old.sweep_config()) == (new.train_config, new.sweep_config())


@pytest.mark.parametrize(("taken", "words"), [
    ('title = "WAN 2.2 T2V A14B"\n', "presets/models/mine.toml is damaged: 'title' is missing"),
    ("hidden = 5120\n", "presets/models/mine.toml, shape is damaged: 'hidden' is missing"),
    ("[shape]\n", "presets/models/mine.toml is damaged: the table [shape] is missing"),
    ("in_channels = 16\n", "presets/models/mine.toml, expect is damaged: 'in_channels' is missing"),
    ('words = "layout and motion"\n', "presets/models/mine.toml, experts[0] is damaged: 'words' is missing"),
    ("title = ", "presets/models/mine.toml can't be read"),
])  # fmt: skip
def test_a_preset_that_lacks_something_says_which_file_and_what(presets, taken, words):
    text = read(presets)
    assert taken in text
    write(presets, text.replace(taken, "", 1))
    with pytest.raises(ValueError) as e:
        model_preset(NAME)
    assert words in str(e.value)


def test_a_field_of_another_version_is_kept(presets):
    write(presets, read(presets).replace("fps = 16", 'fps = 16\nlater = "yes"'))
    assert dict(model_preset(NAME).unknown) == {"later": "yes"} and model_preset(NAME).fps == 16


def test_what_was_made_with_a_model_that_is_gone_has_wans_experts():
    assert [expert.name for expert in experts_of("gone")] == list(EXPERTS) and set(list_models()) == set(list_presets("models"))
