"""The families of captioners, with true processors and tiny random weights: what each is given of a photo and of a clip, and how it is kept."""

import json
import shutil

import pytest
from PIL import Image

from studio.machine import Gpu, Machine
from studio.models.captioners import choosing
from studio.models.captioners.choosing import (
    captioners_in_order,
    find_four_bit,
    place,
    suggest,
    usual_captioners,
    weigh,
    weights_in,
    weights_of,
)
from studio.models.captioners.family import AS_STORED, FOUR_BIT, family_of
from studio.models.captioners.places import load_captioner

PICTURE = Image.effect_noise((96, 64), 60).convert("RGB")
TEXT = "Say what can be seen."
WORDS = [
    "Say",
    "what",
    "can",
    "be",
    "seen",
    ".",
    "Describe",
    "with",
    "a",
    "paragraph",
    "is",
    "shown",
    "in",
    "the",
    "image",
    "seconds",
    ":",
    "PERSON",
    "SCENE",
    "system",
    "user",
    "assistant",
    "You",
    "are",
    "helpful",
    "captioner",
]
LLAVA_HF = (
    "{% for message in messages %}{{ message['role'].upper() }}: {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% elif part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %} {% endfor %}"
    "{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
JOY = (
    "{{ bos_token }}{% for message in messages %}<|start|>{{ message['role'] }}\n{% if message['role'] == 'user' %}<image>\n{% endif %}"
    "{{ message['content'] }}<|end|>{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)
PLAIN = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def tokenizer(*special, **named):
    """Whole words, as FACTS has them for tiny models; what is not known is <unk>."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocab = {word: i for i, word in enumerate(dict.fromkeys(["<pad>", "<s>", "</s>", "<unk>", "<image>", *special, *WORDS]))}
    found = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    found.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    found.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=found, pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"}, additional_special_tokens=list(special), **named,
    )  # fmt: skip


@pytest.fixture(scope="module")
def llava_folder(tmp_path_factory):
    return build_llava(tmp_path_factory.mktemp("llava") / "tiny-llava")


def build_llava(folder, template=JOY):
    import torch
    from transformers import LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor, SiglipImageProcessor

    words = tokenizer("<|start|>", "<|end|>")
    text = dict(
        model_type="llama",
        vocab_size=len(words),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
    )
    eyes = dict(
        model_type="siglip_vision_model",
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        patch_size=8,
    )
    config = LlavaConfig(
        text_config=text,
        vision_config=eyes,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy="full",
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    torch.manual_seed(0)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    seen = SiglipImageProcessor(size={"height": 32, "width": 32})
    LlavaProcessor(seen, words, patch_size=8, vision_feature_select_strategy="full", chat_template=template).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def florence_folder(tmp_path_factory):
    import torch
    from transformers import CLIPImageProcessor, Florence2Config, Florence2ForConditionalGeneration, Florence2Processor

    folder = tmp_path_factory.mktemp("florence") / "tiny-florence"
    words = tokenizer()
    text = dict(model_type="bart", vocab_size=len(words), d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
                encoder_ffn_dim=64, decoder_ffn_dim=64, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=2)  # fmt: skip
    eyes = dict(
        depths=(1, 1, 1, 1), embed_dim=(16, 16, 16, 32), num_heads=(2, 2, 2, 2), num_groups=(2, 2, 2, 2), window_size=4, projection_dim=32
    )
    config = Florence2Config(
        text_config=text,
        vision_config=eyes,
        image_token_id=words.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
    )
    torch.manual_seed(0)
    Florence2ForConditionalGeneration(config).save_pretrained(folder)
    seen = CLIPImageProcessor(size={"height": 64, "width": 64}, do_center_crop=False, crop_size={"height": 64, "width": 64})
    seen.image_seq_length = 2 * 2 + 1  # what 64 px become by strides of 4, 2, 2, 2, and their mean
    Florence2Processor(seen, words, post_processor_config={"pure_text": {}}).save_pretrained(folder)
    return folder


# -- which family


@pytest.mark.parametrize(
    ("model_type", "family"),
    [("qwen3_vl", "vision_language"), ("florence2", "florence2"), ("llava", "llava"), ("some_new_vlm", "vision_language")],
)
def test_the_family_of_a_folder_is_told_by_its_config(model_type, family, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}), encoding="utf-8")
    assert family_of(tmp_path).__name__.endswith(f".{family}")


def test_every_captioner_that_can_be_fetched_names_a_family_that_there_is():
    from studio.models.captioners.family import family_named

    for preset in captioners_in_order():
        assert family_named(preset.family)


# -- Qwen3-VL


@pytest.fixture(scope="module")
def qwen_folder(tmp_path_factory):
    """Qwen3-VL with its true patches: two frames share a token, as in the real one."""
    import torch
    from transformers import Qwen2VLImageProcessor, Qwen3VLConfig, Qwen3VLForConditionalGeneration, Qwen3VLProcessor, Qwen3VLVideoProcessor

    from studio.tiny.words.captioner import CHAT_TEMPLATE, SPECIAL_TOKENS, _train_tokenizer

    folder = tmp_path_factory.mktemp("qwen") / "tiny-qwen"
    words = _train_tokenizer([TEXT, "<1.2 seconds>"] * 3)
    patches = dict(patch_size=16, merge_size=2, temporal_patch_size=2)
    bounds = {"shortest_edge": 32 * 32, "longest_edge": 64 * 64 * 8}
    pictures, clips = Qwen2VLImageProcessor(size=bounds, **patches), Qwen3VLVideoProcessor(size=bounds, **patches)
    Qwen3VLProcessor(pictures, words, clips, chat_template=CHAT_TEMPLATE).save_pretrained(folder)
    ids = dict(
        zip(
            ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id"),
            words.convert_tokens_to_ids([SPECIAL_TOKENS[i] for i in (5, 6, 3, 4)]),
            strict=True,
        )
    )
    text = dict(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
        vocab_size=1024,
        rope_scaling={"rope_type": "default", "mrope_section": [8, 4, 4], "mrope_interleaved": True},
    )
    eyes = dict(
        hidden_size=32,
        intermediate_size=64,
        depth=2,
        num_heads=2,
        out_hidden_size=64,
        deepstack_visual_indexes=[0],
        num_position_embeddings=16,
        **{"patch_size": 16, "spatial_merge_size": 2, "temporal_patch_size": 2},
    )
    torch.manual_seed(0)
    Qwen3VLForConditionalGeneration(Qwen3VLConfig(text_config=text, vision_config=eyes, **ids)).save_pretrained(folder)
    return folder


def test_a_clips_frames_stand_behind_their_true_seconds_as_qwens_own_code_puts_them(qwen_folder):
    """8 frames of a clip of 6.4 s, two a token: the seconds are the means of 0 and .8, 1.6 and 2.4, ... and no mark stands twice."""
    captioner = load_captioner(qwen_folder)
    inputs = captioner.prepare([PICTURE] * 8, 8 / 6.4, TEXT)
    prompt = captioner.processor.tokenizer.decode(inputs["input_ids"][0])
    for second in ("0.4", "2.0", "3.6", "5.2"):
        assert f"<{second} seconds><|vision_start|><|video_pad|>" in prompt
    assert prompt.count("<|vision_start|>") == prompt.count("<|vision_end|>") == 4
    assert inputs["video_grid_thw"].tolist()[0][0] == 4


def test_qwen_answers_about_photos_and_clips_the_same_every_time(qwen_folder):
    captioner = load_captioner(qwen_folder)
    assert captioner.sees_movement and captioner.name == "tiny-qwen"
    for pictures, fps in (([PICTURE], 0.0), ([PICTURE] * 8, 1.6)):
        first = captioner.answer(pictures, fps, TEXT, 6)
        assert first == captioner.answer(pictures, fps, TEXT, 6)
        assert first.is_complete is False  # random weights find no end
        assert captioner.answer(pictures, fps, TEXT, 6, attempt=1) == captioner.answer(pictures, fps, TEXT, 6, attempt=1)
        assert captioner.answer(pictures, fps, TEXT, 24, attempt=1) != captioner.answer(pictures, fps, TEXT, 24, attempt=2)


# -- LLaVA and JoyCaption


@pytest.mark.parametrize("template", [JOY, LLAVA_HF, PLAIN], ids=["JoyCaption", "llava-hf", "no place"])
def test_a_llava_prompt_has_the_picture_once_and_begins_once(template, tmp_path):
    captioner = load_captioner(build_llava(tmp_path / "llava", template))
    ids = captioner.prepare([PICTURE], 0.0, TEXT)["input_ids"][0].tolist()
    image = captioner.processor.image_token_id
    assert ids.count(image) == 16  # 32 px in patches of 8: one run of them
    assert ids[ids.index(image) : ids.index(image) + 16] == [image] * 16
    assert ids.count(1) == 1 and ids[0] == 1  # <s>
    assert TEXT.split()[0] in captioner.processor.tokenizer.decode(ids)


def test_a_llava_looks_at_the_middle_of_a_clip_and_says_that_it_sees_no_movement(llava_folder):
    import torch

    captioner = load_captioner(llava_folder)
    frames = [Image.new("RGB", (32, 32), color) for color in ("black", "red", "white")]
    assert torch.equal(captioner.prepare(frames, 1.0, TEXT)["pixel_values"], captioner.prepare([frames[1]], 0.0, TEXT)["pixel_values"])
    assert captioner.sees_movement is False
    assert captioner.answer(frames, 1.0, TEXT, 5) == captioner.answer(frames, 1.0, TEXT, 5)


# -- Florence-2


def test_florence_is_asked_its_own_task_about_one_picture_and_only_its_answer_comes_back(florence_folder):
    captioner = load_captioner(florence_folder)
    inputs = captioner.prepare([PICTURE] * 3, 1.0, TEXT)
    said = captioner.processor.tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=True)
    assert "paragraph" in said and "Say" not in said
    assert inputs["pixel_values"].shape[0] == 1
    answer = captioner.answer([PICTURE], 0.0, TEXT, 5)
    assert "paragraph" not in answer.text.split()[:0] and captioner.sees_movement is False
    assert answer == captioner.answer([PICTURE], 0.0, TEXT, 5)


# -- by the graphics card


def machine(gb, ram=32.0):
    gpus = (Gpu(0, "RTX", gb, gb, "600"),) if gb else ()
    return Machine(gpus=gpus, ram_total_gb=ram, ram_free_gb=ram, cpu_name="", cpu_cores=8)


@pytest.mark.parametrize(
    ("gb", "name", "precision"),
    [
        (80, "Qwen3-VL-8B-Instruct", AS_STORED),
        (24, "Qwen3-VL-8B-Instruct", AS_STORED),
        (16, "Qwen3-VL-8B-Instruct", FOUR_BIT),
        (12, "Qwen3-VL-8B-Instruct", FOUR_BIT),
        (8, "Qwen3-VL-4B-Instruct", FOUR_BIT),
        (6, "Qwen3-VL-2B-Instruct", FOUR_BIT),
        (4, "Qwen3-VL-2B-Instruct", AS_STORED),
        (0, "Qwen3-VL-2B-Instruct", AS_STORED),
    ],
)
def test_the_captioner_is_chosen_by_the_graphics_card(gb, name, precision):
    found = suggest(machine(gb))
    assert (found.name, found.placing.precision) == (name, precision)
    assert "GB" in found.placing.why


def test_where_four_bits_are_not_possible_a_smaller_one_is_chosen_and_the_reason_said():
    reason = "the library bitsandbytes is not installed."
    assert suggest(machine(12), reason).name == "Qwen3-VL-2B-Instruct" if 8.88 + 2 > 12 * 1.0737 - 1.5 else "Qwen3-VL-4B-Instruct"
    preset = usual_captioners()[0]
    placing = place(weights_of(preset), machine(12), preset.title, reason)
    assert (placing.precision, placing.fits) == (AS_STORED, False)
    assert "waits in RAM" in placing.why and reason in placing.why


def test_four_bits_need_a_card_by_nvidia_and_the_library(monkeypatch):
    assert "NVIDIA" in find_four_bit(machine(0))
    monkeypatch.setattr(choosing.importlib.util, "find_spec", lambda name: None)
    assert "bitsandbytes" in find_four_bit(machine(24))


def test_too_little_ram_for_the_processor_is_said():
    assert "hardly run" in suggest(machine(0, ram=4.0)).placing.why


def test_the_presets_tell_the_bytes_of_the_true_shapes():
    """The shapes are those of the makers' config.json; counted on the meta device, without a weight."""
    found = {name: count(config) for name, config in true_configs().items()}
    for preset in captioners_in_order():
        assert (preset.memory_gb, preset.memory_4bit_gb) == pytest.approx(found[preset.name], abs=0.011), preset.name
    assert set(found) == {preset.name for preset in captioners_in_order()}


def count(config):
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    model.tie_weights()
    weights = weigh([(name, tuple(weight.shape)) for name, weight in model.named_parameters()])
    return weights.gb, weights.four_bit_gb


def true_configs():
    from transformers import Florence2Config, LlavaConfig, Qwen3VLConfig

    def qwen(hidden, feed, layers, heads, is_tied, eyes):
        text = dict(
            hidden_size=hidden,
            intermediate_size=feed,
            num_hidden_layers=layers,
            num_attention_heads=heads,
            num_key_value_heads=8,
            head_dim=128,
            vocab_size=151936,
            tie_word_embeddings=is_tied,
        )
        eyes = eyes | dict(num_heads=16, out_hidden_size=hidden, num_position_embeddings=2304, patch_size=16)
        return Qwen3VLConfig(text_config=text, vision_config=eyes, tie_word_embeddings=is_tied)

    large = dict(depth=27, hidden_size=1152, intermediate_size=4304, deepstack_visual_indexes=[8, 16, 24])
    small = dict(depth=24, hidden_size=1024, intermediate_size=4096, deepstack_visual_indexes=[5, 11, 17])
    bart = dict(
        model_type="bart",
        vocab_size=51328,
        d_model=1024,
        encoder_layers=12,
        decoder_layers=12,
        encoder_attention_heads=16,
        decoder_attention_heads=16,
        encoder_ffn_dim=4096,
        decoder_ffn_dim=4096,
    )
    davit = dict(
        embed_dim=(256, 512, 1024, 2048), num_heads=(8, 16, 32, 64), num_groups=(8, 16, 32, 64), depths=(1, 1, 9, 1), projection_dim=1024
    )
    llama = dict(
        model_type="llama",
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
    )
    siglip = dict(
        model_type="siglip_vision_model",
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=27,
        num_attention_heads=16,
        image_size=384,
        patch_size=14,
    )
    return {
        "Qwen3-VL-8B-Instruct": qwen(4096, 12288, 36, 32, False, large),
        "Qwen3-VL-4B-Instruct": qwen(2560, 9728, 36, 32, True, small),
        "Qwen3-VL-2B-Instruct": qwen(2048, 6144, 28, 16, True, small),
        "Florence-2-large": Florence2Config(text_config=bart, vision_config=davit),
        "llama-joycaption-beta-one-hf-llava": LlavaConfig(text_config=llama, vision_config=siglip, vision_feature_select_strategy="full"),
    }


def test_the_weights_of_a_folder_are_counted_from_its_files(llava_folder, qwen_folder):
    import torch
    from safetensors import safe_open

    for folder in (llava_folder, qwen_folder):
        with safe_open(folder / "model.safetensors", "pt") as file:
            numbers = sum(file.get_slice(key).get_shape() and torch.Size(file.get_slice(key).get_shape()).numel() for key in file.keys())  # noqa: SIM118
        weights = weights_in(folder)
        assert weights.gb == round(2 * numbers / 1e9, 2)
        assert weights.four_bit_gb <= weights.gb


def test_four_bits_are_what_the_library_makes_of_the_language_models_linears(qwen_folder, tmp_path):
    """With bitsandbytes' own code, which also runs on a processor; it is installed where there is a card by NVIDIA."""
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is installed where there is a card by NVIDIA")
    folder = shutil.copytree(qwen_folder, tmp_path / "tiny-qwen")
    captioner = load_captioner(folder, FOUR_BIT)
    kinds = {name: type(module).__name__ for name, module in captioner.model.named_modules() if "inear" in type(module).__name__}
    assert {kind for name, kind in kinds.items() if "visual" in name or name == "lm_head"} == {"Linear"}
    assert {kind for name, kind in kinds.items() if "language_model" in name} == {"Linear4bit"}
    assert captioner.version.endswith(FOUR_BIT)
    assert captioner.answer([PICTURE], 0.0, TEXT, 4) == captioner.answer([PICTURE], 0.0, TEXT, 4)
