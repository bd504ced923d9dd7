"""Base models from ComfyUI's single files: found by what they hold, used like any other, and named in words where they are the wrong ones."""

import json
import shutil

import pytest
import torch
from comfyui_kit import SMALL, add_small_model, make_comfyui, make_true_comfyui, write_header
from model_kit import check_weights
from safetensors.torch import load_file, save_file
from training_kit import Events, add_photo, small_config
from transformers import UMT5EncoderModel

from studio import cli
from studio.disk import write_json
from studio.errors import Problem
from studio.models.catalogue import describe_model, find_model, link_model
from studio.models.files import comfyui_folders
from studio.models.files.comfyui_files import find_files
from studio.models.loading import load_expert, load_text_encoder, load_vae
from studio.models.preset import model_preset

HIGH, LOW = "wan2.2_t2v_high_noise_14B_fp32.safetensors", "wan2.2_t2v_low_noise_14B_fp32.safetensors"
A14B = "wan22-t2v-a14b"
BARE = {"token_embedding.weight": torch.zeros(9, 4), "blocks.0.attn.q.weight": torch.zeros(4, 4)}  # beside which nothing else counts


@pytest.fixture
def preset(tmp_path, tiny_base, monkeypatch):
    return add_small_model(tmp_path, tiny_base, monkeypatch)


@pytest.fixture
def comfyui(tmp_path, tiny_base, preset):
    return make_comfyui(tmp_path / "My ComfyUI", tiny_base, preset.expect)


@pytest.mark.parametrize("place", ["", "..", "models", "models/diffusion_models", "models/diffusion_models/wan"])
def test_a_comfyui_folder_is_found_wherever_in_it_the_person_points(comfyui, preset, place):
    (comfyui / "models/diffusion_models/wan").mkdir()
    (comfyui / "models/diffusion_models" / LOW).rename(comfyui / "models/diffusion_models/wan" / LOW)
    if place == "..":  # the folder that ComfyUI's ready-made packages unpack to
        comfyui = comfyui.rename(comfyui.with_name("ComfyUI"))
    found = find_files([(comfyui / place).resolve()], preset)
    assert {role: path.name for role, path in found.items()} == {
        "transformer": HIGH,
        "transformer_2": LOW,
        "text_encoder": "umt5_xxl_fp32.safetensors",
        "vae": "wan_2.1_vae.safetensors",
    }


def test_files_in_a_plain_folder_or_named_one_by_one_are_found_by_what_they_hold(comfyui, preset, tmp_path):
    plain = tmp_path / "plain"
    plain.mkdir()
    for n, path in enumerate(sorted(comfyui.rglob("*.safetensors"))):
        noise = next((w for w in ("high", "low") if w in path.name), "")
        shutil.copy(path, plain / f"{n}{noise}.safetensors")
    by_folder = find_files([plain], preset)
    assert [by_folder[role].name for role in ("transformer", "transformer_2")] == ["0high.safetensors", "1low.safetensors"]
    assert find_files(sorted(plain.iterdir()), preset) == by_folder


def test_the_places_that_comfyui_is_told_of_are_looked_at_too(comfyui, preset, tmp_path):
    elsewhere, models = tmp_path / "other disk", comfyui / "models"
    elsewhere.mkdir()
    shutil.move(models / "text_encoders", elsewhere / "encoders")
    shutil.move(models / "vae", elsewhere / "VAE")
    with pytest.raises(Problem, match=r"The text encoder \(UMT5-XXL\) and the VAE of"):
        find_files([comfyui], preset)
    file = comfyui / "extra_model_paths.yaml"
    file.write_text(f"shared:\n  base_path: {elsewhere}\n  clip: |\n    gone/\n    encoders/\n  vae: VAE\nempty:\n", encoding="utf-8")
    assert find_files([comfyui], preset)["text_encoder"] == elsewhere / "encoders/umt5_xxl_fp32.safetensors"
    file.write_text("shared: [", encoding="utf-8")
    with pytest.raises(Problem, match=r"extra_model_paths\.yaml can't be read"):
        find_files([comfyui], preset)


def test_a_folder_that_is_a_whole_disk_is_refused(tmp_path, preset, monkeypatch):
    monkeypatch.setattr(comfyui_folders, "MAX_FILES", 3)
    for n in range(4):
        (tmp_path / f"{n}.txt").touch()
    with pytest.raises(Problem, match="more than 3 files"):
        find_files([tmp_path], preset)


def test_one_file_under_two_names_is_not_two_experts(comfyui, preset, tiny_base, tmp_path, workspace):
    models = comfyui / "models/diffusion_models"
    shutil.copy(models / HIGH, models / LOW)
    with pytest.raises(Problem, match=f"{HIGH} and .*{LOW} hold the same weights"):
        link_model(SMALL, comfyui, workspace)
    folder = shutil.copytree(tiny_base.folder, tmp_path / "diffusers")
    shutil.rmtree(folder / "transformer_2")
    shutil.copytree(folder / "transformer", folder / "transformer_2")
    with pytest.raises(Problem, match="hold the same weights"):
        link_model(SMALL, folder, workspace)


def test_the_makers_own_files_go_before_distilled_ones_and_exact_forms_before_others(comfyui, preset, tiny_base, tmp_path):
    models = comfyui / "models/diffusion_models"
    for name in ("wan2.2_t2v_high_noise_4steps_lightx2v.safetensors", "a_high.safetensors"):
        shutil.copy(models / HIGH, models / name)
    other = make_comfyui(tmp_path / "other", tiny_base, preset.expect, "fp8_scaled")
    for path in (other / "models/diffusion_models").iterdir():
        shutil.move(path, models / f"a{path.name}")
    assert find_files([comfyui], preset)["transformer"].name == "a_high.safetensors"  # fp32, as short as can be
    for name in ("a_high.safetensors", HIGH):
        (models / name).unlink()
    assert find_files([comfyui], preset)["transformer"].name == "awan2.2_t2v_high_noise_14B_fp8_scaled.safetensors"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def make_i2v(path):
    tensors = load_file(path)
    shape = tensors["patch_embedding.weight"].shape
    save_file(tensors | {"patch_embedding.weight": torch.zeros(shape[0], 36, *shape[2:])}, path)


def make_lora(path):
    save_file({"diffusion_model.blocks.0.self_attn.q.lora_A.weight": torch.zeros(4, 8)}, path)


def make_vace(path):
    save_file(load_file(path) | {"vace_blocks.0.after_proj.bias": torch.zeros(2)}, path)


def make_gguf(path):
    path.rename(path.with_suffix(".gguf"))


def make_web_page(path):
    path.write_bytes(b"<html>not found</html>")


def make_nested(path):
    text = b"[" * 100_000
    path.write_bytes(len(text).to_bytes(8, "little") + text)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (make_nested, rf"{HIGH} in .* it is no safetensors file"),
        (truncate, rf"{HIGH} in .* is incomplete or damaged: it has [\d,]+ of [\d,]+ bytes"),
        (make_web_page, rf"{HIGH} in .* it is no safetensors file"),
        (make_i2v, rf"{HIGH} is an expert of another model: it has 36 input channels, .* Tiny \(built in\) has 12"),
        (make_lora, rf"{HIGH} is a LoRA, not a base model"),
        (make_vace, rf"{HIGH} is a model for VACE"),
        (make_gguf, r"Only \.safetensors files are opened, so wan2.2_t2v_high_noise_14B_fp32.gguf can't be used"),
        (lambda path: path.unlink(), r"The high-noise expert of Tiny \(built in\) is not in"),
        (lambda path: path.rename(path.with_name("one.safetensors")), r"one\.safetensors can be either expert"),
    ],
)
def test_a_wrong_expert_is_named_in_words(comfyui, workspace, damage, words):
    damage(comfyui / "models/diffusion_models" / HIGH)
    with pytest.raises(Problem, match=words) as caught:
        link_model(SMALL, comfyui, workspace)
    assert "The high-noise expert" in caught.value.message and "Their usual names: high-noise expert: the transformer" in caught.value.fix
    assert not workspace.models_dir.exists()


ODD = {
    "no blocks": {"patch_embedding.weight": [], "blocks.0.x": [1]},
    "blocks without numbers": {"patch_embedding.weight": [8, 16, 1, 2, 2], "blocks.0.ffn.0.weight": [], "blocks.x.y": [1]},
    "a scalar VAE": {"encoder.conv1.weight": [8, 3, 3, 3, 3], "conv2.weight": []},
    "half a text encoder": {"encoder.block.0.layer.1.DenseReluDense.wi_0.weight": [4], "shared.weight": []},
    "a marker alone": {"scaled_fp8": [2]},
    "nothing": {},
}


@pytest.mark.parametrize("odd", ODD)
def test_odd_files_among_comfyuis_are_passed_over_or_named(tmp_path, comfyui, preset, odd):
    write_header(comfyui / "models/vae/odd high.safetensors", {name: ("F64", tuple(shape), b"") for name, shape in ODD[odd].items()})
    assert find_files([comfyui], preset)["vae"].name == "wan_2.1_vae.safetensors"
    with pytest.raises(Problem, match="are not in"):
        find_files([comfyui / "models/vae/odd high.safetensors"], preset)


def test_i2v_files_are_told_from_t2v_ones_by_name_of_the_model(tmp_path):
    """By true headers, with empty bodies."""
    preset = model_preset(A14B)
    make_true_comfyui(tmp_path, preset, kind="i2v", in_channels=36)
    with pytest.raises(
        Problem, match=r"i2v_high.* is an expert of WAN image-to-video 14B: it has 36 input channels.* WAN 2.2 T2V A14B has 16"
    ):
        find_files([tmp_path], preset)
    found = find_files([tmp_path], model_preset("wan22-i2v-a14b"))
    assert [path.name for path in found.values()][:2] == [
        "wan2.2_i2v_high_noise_14B_fp8_scaled.safetensors",
        "wan2.2_i2v_low_noise_14B_fp8_scaled.safetensors",
    ]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("text_encoders/umt5_xxl_fp32.safetensors", {"shared.weight": torch.zeros(320, 64)}, "is another text encoder: it knows 320 words"),
        ("text_encoders/umt5_xxl_fp32.safetensors", {"spiece_model": None}, "without its list of words"),
        ("text_encoders/umt5_xxl_fp32.safetensors", {"encoder.final_layer_norm.weight": None}, "lacks weights .*final_layer_norm"),
        ("text_encoders/umt5_xxl_fp32.safetensors", BARE, "form of the WanVideoWrapper nodes"),
        ("vae/wan_2.1_vae.safetensors", {"post_quant_conv.weight": torch.zeros(48, 48, 1, 1, 1)}, "VAE of another model: .* 48 channels"),
    ],
)
def test_a_wrong_text_encoder_or_vae_is_named_in_words(comfyui, preset, name, change, words):
    path = comfyui / "models" / name
    tensors = {key: tensor for key, tensor in (load_file(path) | change).items() if tensor is not None}
    save_file(tensors, path)
    with pytest.raises(Problem, match=words):
        find_files([comfyui], preset)


def test_files_of_the_true_shapes_are_found_described_and_counted(tmp_path, workspace):
    """By true headers, with empty bodies: all that can be had of the 28 GB here."""
    make_true_comfyui(tmp_path, model_preset(A14B))
    base = link_model(A14B, tmp_path, workspace)
    assert base.source.describe()[:2] == [
        "high-noise expert: wan2.2_t2v_high_noise_14B_fp8_scaled.safetensors (fp8 with scales)",
        "low-noise expert: wan2.2_t2v_low_noise_14B_fp8_scaled.safetensors (fp8 with scales)",
    ]
    assert check_weights(base, "high_noise") == check_weights(base, "low_noise") == base.preset.shape.parameters_per_expert
    assert base.latent_shape(81, 480, 832) == (16, 21, 60, 104)


def test_a_folder_without_any_of_the_files_says_what_to_look_for(tmp_path):
    with pytest.raises(Problem, match=r"The high-noise expert, the low-noise expert, the text encoder \(UMT5-XXL\) and the VAE") as caught:
        find_files([tmp_path], model_preset(A14B))
    assert "umt5_xxl_fp16.safetensors" in caught.value.fix and "vae/wan_2.1_vae.safetensors" in caught.value.fix


# -- using


def test_a_linked_comfyui_folder_is_a_base_model_like_any_other(comfyui, workspace, tiny_base):
    base = link_model(SMALL, comfyui, workspace)
    assert find_model(SMALL, workspace) == base and describe_model(SMALL, workspace).available
    assert base.source.describe()[0] == f"high-noise expert: {HIGH} (fp32)"
    assert (base.boundary, base.num_blocks, base.latent_channels, base.size_multiple) == (0.875, 6, 12, 8)
    for expert in base.experts:
        ours, theirs = (load_expert(b, expert, dtype=torch.bfloat16, device="cpu").state_dict() for b in (base, tiny_base))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs)
    pixels = torch.rand(1, 3, 5, 32, 32) * 2 - 1
    assert torch.equal(*(load_vae(b, device="cpu").encode(pixels) for b in (base, tiny_base)))


def test_an_fp8_folder_stays_fp8_in_memory_where_that_is_asked_for(tmp_path, preset, tiny_base, workspace):
    base = link_model(SMALL, make_comfyui(tmp_path / "fp8", tiny_base, preset.expect, "fp8_scaled"), workspace)
    assert "(fp8 with scales)" in base.source.describe()[0] and "stays as its files have it" in base.source.describe()[-1]
    kept = load_expert(base, "low_noise", dtype=torch.bfloat16, device="cpu", precision="fp8")
    assert kept.storage.num_kept == 10 * base.num_blocks and not kept.storage.errors
    whole = load_expert(base, "low_noise", dtype=torch.float32, device="cpu", precision="fp32")
    for ours, theirs in zip(kept.blocks, whole.blocks):
        assert torch.equal(ours.ffn.net[2].make_weight(torch.float32), theirs.ffn.net[2].weight)
    encoder = load_text_encoder(base, device="cpu", dtype=torch.float32)
    assert encoder.encode(["ohwx, a person"]).abs().sum() > 0


def test_prompts_are_encoded_with_the_list_of_words_in_the_file(comfyui, workspace, tiny_base):
    base = link_model(SMALL, comfyui, workspace)
    encoder = load_text_encoder(base, device="cpu", dtype=torch.float32)
    prompts = ["ohwx, a person in a red coat", "", "漢字 and " + "rain " * 100]
    embeds = encoder.encode(prompts)
    pieces = encoder.tokenizer.pieces
    theirs = UMT5EncoderModel.from_pretrained(tiny_base.folder / "text_encoder", dtype=torch.float32)
    for prompt, found in zip(prompts, embeds):
        ids = torch.tensor([[*pieces.encode(prompt.strip())[: base.max_prompt_tokens - 1], 1]])
        with torch.no_grad():
            expected = theirs(ids).last_hidden_state[0]
        torch.testing.assert_close(found[: ids.shape[1]], expected, atol=1e-5, rtol=1e-5)
        assert found[ids.shape[1] :].abs().sum() == 0
    assert pieces.decode(pieces.encode("ohwx, a red coat 漢")) == "ohwx, a red coat 漢"


def test_a_person_is_learned_from_comfyuis_files(comfyui, workspace, tiny_base):
    from studio.training.loop import train

    link_model(SMALL, comfyui, workspace)
    project = workspace.create_project("Anna", trigger="ohwx", class_noun="person", base_model=SMALL)
    for number in range(1, 4):
        add_photo(project, number)
    run_dir = project.new_run_dir("train")
    write_json(run_dir / "config.json", {"kind": "train", "trigger": "ohwx", "class_noun": "person", "base_model": SMALL})
    events = Events()
    train(small_config(steps=2, save_every=2, preservation={"enabled": False}), run_dir, report=events)
    assert len(events.of("step")) == 2 and len(list(run_dir.glob("checkpoints/*/*.safetensors"))) == 2


def test_other_files_of_the_same_shapes_are_another_model(comfyui, workspace):
    key = link_model(SMALL, comfyui, workspace).key
    path = comfyui / "models/diffusion_models" / LOW
    save_file({name: tensor * 1.01 for name, tensor in load_file(path).items()}, path)
    assert find_model(SMALL, workspace).key != key


def test_files_that_are_gone_or_changed_get_a_sentence(comfyui, workspace):
    link_model(SMALL, comfyui, workspace)
    path = comfyui / "models/diffusion_models" / HIGH
    whole = path.read_bytes()
    truncate(path)
    assert "is incomplete or damaged" in describe_model(SMALL, workspace).reason
    path.unlink()
    with pytest.raises(Problem, match=rf"The file .*{HIGH} of the base model is gone") as caught:
        find_model(SMALL, workspace)
    assert caught.value.action == "link-model"
    path.write_bytes(whole)
    assert describe_model(SMALL, workspace).available


def test_the_models_command_links_a_comfyui_folder_and_says_which_files_it_took(comfyui, workspace, capsys):
    assert cli.main(["models", "--link", SMALL, str(comfyui), "--home", str(workspace.home), "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)["models"]}
    assert rows[SMALL]["available"] and rows[SMALL]["size_gb"] > 0.01 and rows[SMALL]["folder"] == str(comfyui)
    assert cli.main(["models", "--link", SMALL, str(comfyui), "--home", str(workspace.home)]) == 0
    said = capsys.readouterr().out
    assert f"high-noise expert: {HIGH} (fp32)" in said and "told by the files' names" in said
    assert cli.main(["models", "--link", SMALL, "--home", str(workspace.home)]) == 2
    assert "FOLDER" in capsys.readouterr().err


def test_the_window_links_a_comfyui_folder_and_says_which_files_it_took(comfyui, workspace):
    from studio.ui.dataset.tab import link_folder

    project = workspace.create_project("Anna", trigger="ohwx", class_noun="person", base_model=SMALL)
    said = link_folder(project, SMALL, f'"{comfyui}"')
    assert said.startswith("Tiny (built in) is ready to use. High-noise expert: ") and HIGH in said
    (comfyui / "models/vae/wan_2.1_vae.safetensors").unlink()
    with pytest.raises(Problem, match=r"The VAE .* is not in"):
        link_folder(project, SMALL, str(comfyui))
