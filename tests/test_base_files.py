"""Files of base models that people have elsewhere: WAN's own repository, fp8 without its scales, experts without names, distilled ones."""

import json
import shutil

import pytest
import torch
from comfyui_kit import SMALL, add_small_model, in_form, make_comfyui, makers_names
from safetensors.torch import load_file, save_file

from studio import cli
from studio.errors import Problem
from studio.evaluation.telling import Errors, judge
from studio.models.catalogue import describe_model, find_model, link_model
from studio.models.files.comfyui_files import find_files
from studio.models.files.distilled import distilled
from studio.models.files.weight_files import stored_weights
from studio.models.loading import load_expert
from studio.tiny.demo_project import draw_media

HIGH, LOW = "wan2.2_t2v_high_noise_14B_fp32.safetensors", "wan2.2_t2v_low_noise_14B_fp32.safetensors"
STEM, PARTS = "diffusion_pytorch_model", 3


@pytest.fixture
def preset(tmp_path, tiny_base, monkeypatch):
    return add_small_model(tmp_path, tiny_base, monkeypatch)


@pytest.fixture
def comfyui(tmp_path, tiny_base, preset):
    return make_comfyui(tmp_path / "ComfyUI", tiny_base, preset.expect)


@pytest.fixture
def makers(tmp_path, tiny_base, preset):
    """A repository as WAN's makers give it: experts in parts under their own names, and .pth files for the rest."""
    root = tmp_path / "Wan2.2-T2V-A14B"
    for sub, folder in (("transformer", "high_noise_model"), ("transformer_2", "low_noise_model")):
        tensors = makers_names(load_file(tiny_base.folder / sub / f"{STEM}.safetensors"), preset.expect)
        (root / folder).mkdir(parents=True)
        names, index = sorted(tensors), {}
        for number in range(PARTS):
            part = f"{STEM}-{number + 1:05d}-of-{PARTS:05d}.safetensors"
            some = {name: tensors[name].contiguous() for name in names[number::PARTS]}
            save_file(some, root / folder / part)
            index |= dict.fromkeys(some, part)
        (root / folder / f"{STEM}.safetensors.index.json").write_text(json.dumps({"weight_map": index}), encoding="utf-8")
        (root / folder / "config.json").write_text("{}", encoding="utf-8")
    for name in ("models_t5_umt5-xxl-enc-bf16.pth", "Wan2.1_VAE.pth"):
        (root / name).write_bytes(b"PK")
    return root


# -- WAN's own repository


@pytest.fixture
def parts(comfyui):
    """A ComfyUI folder that has no experts."""
    shutil.rmtree(comfyui / "models/diffusion_models")
    return comfyui


def test_wans_own_repository_is_linked_for_the_experts_beside_comfyuis_other_parts(makers, parts, workspace, tiny_base):
    base = link_model(SMALL, [makers, parts], workspace)
    assert find_model(SMALL, workspace) == base
    lines = base.source.describe()
    assert lines[0] == f"high-noise expert: high_noise_model/{STEM}-00001-of-00003.safetensors and 2 more parts (bf16)"
    assert len([path for role, path in base.source.files() if role == "transformer_2"]) == PARTS
    for expert in base.experts:
        ours, theirs = (load_expert(b, expert, dtype=torch.float32, device="cpu").state_dict() for b in (base, tiny_base))
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_its_pth_files_are_refused_with_where_safetensors_are(makers, workspace):
    with pytest.raises(Problem, match=r"The text encoder \(UMT5-XXL\) and the VAE of Tiny") as caught:
        link_model(SMALL, makers, workspace)
    assert "models_t5_umt5-xxl-enc-bf16.pth is WAN's text encoder (UMT5-XXL) in a form that can hold programs" in caught.value.message
    assert "Wan2.1_VAE.pth is WAN's VAE" in caught.value.message
    assert "Comfy-Org/Wan_2.2_ComfyUI_Repackaged" in caught.value.fix and "beside this folder" in caught.value.fix


@pytest.mark.parametrize("number", range(1, PARTS + 1))
def test_a_part_that_is_missing_is_named_when_linked_and_later(makers, parts, workspace, number):
    link_model(SMALL, [makers, parts], workspace)
    part = makers / f"low_noise_model/{STEM}-{number:05d}-of-{PARTS:05d}.safetensors"
    part.unlink()
    assert part.name in describe_model(SMALL, workspace).reason
    with pytest.raises(Problem, match=rf"low_noise_model/{STEM} is incomplete: 1 of its 3 parts are missing, {part.name} the first"):
        link_model(SMALL, [makers, parts], workspace)


def test_a_weight_that_two_parts_have_is_no_weight_that_can_be_trusted(makers):
    one, two = (makers / f"high_noise_model/{STEM}-{n:05d}-of-{PARTS:05d}.safetensors" for n in (1, 2))
    save_file(load_file(two) | dict([next(iter(load_file(one).items()))]), two)
    with pytest.raises(Problem, match=r"has .* again, which another of its parts has"):
        stored_weights([one, two])


# -- fp8


def without_scales(tensors, layers=lambda key: True):
    endings = (".scale_weight", ".weight_scale", ".scale_input", ".input_scale", ".comfy_quant")
    return {key: tensor for key, tensor in tensors.items() if not (key.endswith(endings) and layers(key))}


@pytest.mark.parametrize("form", ["fp8_scaled", "fp8_scaled_new"])
@pytest.mark.parametrize(
    ("layers", "words"),
    [
        (lambda key: True, "marked as scaled_fp8|hundreds|times as large as trained ones"),
        (lambda key: ".ffn.2." in key, r"6 of its \d+ fp8 weights have no scale"),
        (
            lambda key: key.startswith("blocks.3.cross_attn.k."),
            r"1 of its \d+ fp8 weights have no scale, blocks\.3\.cross_attn\.k\.weight the first",
        ),
    ],
)
def test_an_fp8_expert_whose_scales_are_missing_is_refused(tmp_path, preset, tiny_base, workspace, form, layers, words):
    root = make_comfyui(tmp_path / "fp8", tiny_base, preset.expect, form)
    link_model(SMALL, root, workspace)
    path = next((root / "models/diffusion_models").glob("*low*"))
    save_file(without_scales(load_file(path), layers), path)
    with pytest.raises(Problem, match=rf"{path.name} in .* is an fp8 file whose scales are missing: .*({words})"):
        link_model(SMALL, root, workspace)
    assert "scales are missing" in describe_model(SMALL, workspace).reason
    save_file({key: tensor for key, tensor in without_scales(load_file(path)).items() if key != "scaled_fp8"}, path)
    with pytest.raises(Problem, match="times as large as trained ones"):
        link_model(SMALL, root, workspace)


@pytest.mark.parametrize("part", ["text_encoders", "diffusion_models"])
@pytest.mark.parametrize("form", ["fp8", "fp8_e5m2"])
def test_a_plain_cast_never_had_scales_and_is_taken(tmp_path, preset, tiny_base, workspace, form, part):
    root = make_comfyui(tmp_path / "fp8", tiny_base, preset.expect, form)
    assert link_model(SMALL, root, workspace).source.describe()[0].endswith("(fp8)")
    for path in (root / "models" / part).iterdir():  # ten times as large as they were trained, and still a cast
        save_file({k: (t.float() * 10).to(t.dtype) if "float8" in str(t.dtype) else t for k, t in load_file(path).items()}, path)
    assert link_model(SMALL, root, workspace)


def test_a_text_encoder_without_its_scales_is_refused_too(tmp_path, preset, tiny_base, workspace):
    root = make_comfyui(tmp_path / "fp8", tiny_base, preset.expect, "fp8_scaled_new")
    path = next((root / "models/text_encoders").iterdir())
    save_file(without_scales(load_file(path)), path)
    with pytest.raises(Problem, match=f"{path.name} in .* times as large"):
        link_model(SMALL, root, workspace)


def test_a_diffusers_folder_with_fp8_without_its_scales_is_refused(tmp_path, preset, tiny_base, workspace):
    folder = shutil.copytree(tiny_base.folder, tmp_path / "diffusers")
    path = folder / f"transformer_2/{STEM}.safetensors"
    save_file(without_scales(in_form(load_file(path), "fp8_scaled_new")), path)
    with pytest.raises(Problem, match="scales are missing"):
        link_model(SMALL, folder, workspace)


# -- which expert is which


@pytest.fixture
def unnamed(comfyui):
    """The two experts under names that say nothing."""
    models = comfyui / "models/diffusion_models"
    for name, plain in ((LOW, "one.safetensors"), (HIGH, "two.safetensors")):
        (models / name).rename(models / plain)
    return models


def test_of_two_experts_without_names_the_person_says_which_is_which(unnamed, comfyui, preset, workspace):
    with pytest.raises(Problem, match=r"one\.safetensors, two\.safetensors can be either expert") as caught:
        link_model(SMALL, comfyui, workspace)
    assert "--high-noise FILE" in caught.value.fix and "--tell-apart" in caught.value.fix
    for chosen, other in (("two", "one"), ("one", "two")):
        base = link_model(SMALL, comfyui, workspace, high_noise=unnamed / f"{chosen}.safetensors")
        paths = dict(base.single_files)
        assert (paths["transformer"].stem, paths["transformer_2"].stem) == (chosen, other) and find_model(SMALL, workspace) == base
        assert any("as you said" in line for line in base.source.describe())


def test_what_a_person_says_of_the_experts_is_checked(unnamed, comfyui, preset):
    for path in (comfyui / "models/vae/wan_2.1_vae.safetensors", next((comfyui / "models/text_encoders").iterdir())):
        with pytest.raises(Problem, match="is not one of two experts"):
            find_files([comfyui], preset, high_noise=path)
    shutil.copy(unnamed / "one.safetensors", unnamed / "three.safetensors")
    with pytest.raises(Problem, match=r"two\.safetensors is the high-noise expert, and one\.safetensors, three\.safetensors can each be"):
        find_files([comfyui], preset, high_noise=unnamed / "two.safetensors")
    (unnamed / "three.safetensors").rename(unnamed / "low.safetensors")
    assert find_files([comfyui], preset, high_noise=unnamed / "two.safetensors")["transformer_2"].name == "low.safetensors"


def test_a_look_at_both_experts_tells_which_is_which_whatever_their_order(unnamed, comfyui, preset, workspace, tmp_path, capsys):
    (tmp_path / "drawn").mkdir()
    draw_media(tmp_path / "drawn", faults=False)
    picture = sorted((tmp_path / "drawn").glob("*.png"))[0]
    home = ["--home", str(workspace.home)]
    words = ["models", "--tell-apart", SMALL, str(comfyui), "--picture", str(picture), "--caption", "a person", "--json", *home]
    for high in ("two", "a"):  # found behind the other one, and before it
        next(path for path in unnamed.iterdir() if path.stem != "one").rename(unnamed / f"{high}.safetensors")
        assert cli.main(words) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["high_noise"].endswith(f"{high}.safetensors") and found["sure"], found["why"]
    assert not workspace.models_dir.exists()  # it was a look
    assert cli.main(["models", "--link", SMALL, str(comfyui), "--high-noise", found["high_noise"], *home]) == 0
    assert "high-noise expert: a.safetensors" in capsys.readouterr().out
    assert cli.main(words[:4] + home) == 2 and "--picture" in capsys.readouterr().err


def test_a_look_that_says_nothing_clear_is_not_sure(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    clear = judge([Errors(one, 0.5, 0.9), Errors(two, 0.7, 0.6)])
    assert (clear.low_noise, clear.high_noise, clear.sure) == (one, two, True)
    better = judge([Errors(one, 0.5, 0.5), Errors(two, 0.7, 0.6)])  # better everywhere: another model, not another expert
    assert (better.low_noise, better.sure) == (one, False) and "no clear answer" in better.why
    assert not judge([Errors(one, 0.5, 0.5), Errors(two, 0.5, 0.5)]).sure


def test_the_window_takes_the_persons_word_too(unnamed, comfyui, preset, workspace):
    from studio.ui.dataset.tab import link_folder

    project = workspace.create_project("Anna", trigger="ohwx", class_noun="person", base_model=SMALL)
    said = link_folder(project, SMALL, str(comfyui), f'"{unnamed / "two.safetensors"}"')
    assert "High-noise expert: two.safetensors" in said
    with pytest.raises(Problem, match="can be either expert"):
        link_folder(project, SMALL, str(comfyui), "")


# -- distilled


@pytest.mark.parametrize(
    ("name", "is_distilled"),
    [
        ("wan2.2_t2v_high_noise_4steps_lightx2v.safetensors", True),
        ("Wan2.2-Lightning_T2V-A14B-4steps-lora_HIGH_fp16.safetensors", True),
        ("Wan21_CausVid_14B_T2V.safetensors", True),
        ("WanT2V_MasterModel_FusionX.safetensors", True),
        ("wan2.2-rapid-mega-aio-v10.safetensors", True),
        ("fastwan-14b.safetensors", True),
        ("wan_14b_8-step.safetensors", True),
        ("wan_high_distilled.safetensors", True),
        ("Wan2_2-T2V-A14B-HIGH_fp8_e4m3fn_scaled_KJ.safetensors", False),
        ("wan2.2_t2v_high_noise_14B_fp16.safetensors", False),
        ("anna_step3000_high_noise.safetensors", False),
        ("anna_highlights_breakfast_high.safetensors", False),
        ("anna_run1_step12_low.safetensors", False),
        ("anna_000000750_high_noise.safetensors", False),
    ],
)
def test_a_distilled_file_is_told_by_its_name(name, is_distilled):
    assert bool(distilled(name)) == is_distilled


def test_a_distilled_file_is_told_by_its_header_and_said_when_it_is_linked(comfyui, preset, workspace):
    assert "by its header" in distilled("x.safetensors", {"modelspec.title": "Wan 2.2 Lightning, 4 steps"})
    assert not distilled("x.safetensors", {"ss_training_comment": "breakfast", "ss_steps": "4 steps"})
    path = comfyui / "models/diffusion_models" / LOW
    assert not any("distilled" in line for line in link_model(SMALL, comfyui, workspace).source.describe())
    save_file(load_file(path), path, {"modelspec.description": "CausVid"})
    (line,) = [line for line in link_model(SMALL, comfyui, workspace).source.describe() if "distilled" in line]
    assert line.startswith("The low-noise expert was distilled") and "CausVid, by its header" in line
