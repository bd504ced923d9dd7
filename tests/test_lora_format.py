"""The number format of exported LoRA files: half the size by default for drawing, fp32 for going on, and the difference measured and said."""

import json

import numpy as np
import pytest
import torch
from lora_kit import deltas, deltas_of, make_matrices, write
from safetensors import safe_open
from safetensors.torch import load_file
from test_export import EXPERTS, PAIR, lora_states, trained  # noqa: F401 - fixtures

from studio import cli
from studio.disk import file_sha256
from studio.errors import Problem
from studio.export.exporting import export_pair, read_export
from studio.export.lora_format import FORMATS, write_in_format
from studio.export.targets import find_target, target_names
from studio.models.loading import load_expert
from studio.models.lora import apply_lora
from studio.models.loras.names import our_key
from studio.models.loras.reading import read_lora, read_lora_file
from studio.training.pairs import find_pair
from studio.ui.evaluate.comfyui_fold import read_lora_format, save_lora_format

TYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}


def own_file(path, matrices, metadata=None):
    tensors = {our_key(block, layer, part): m for (block, layer), pair in matrices.items() for part, m in zip("AB", pair, strict=True)}
    return write(path, tensors, metadata)


def norm(matrices):
    return sum(m.square().sum() for m in matrices.values()).sqrt()


@pytest.mark.parametrize("lora_format", FORMATS)
def test_numbers_are_rounded_as_torch_rounds_them_and_the_difference_is_that_of_the_change_of_weights(tmp_path, lora_format):
    matrices = make_matrices(3, 6, 40, 64)
    source, target = own_file(tmp_path / "a.safetensors", matrices, {"step": "20", "expert": "low_noise"}), tmp_path / "b.safetensors"
    written = write_in_format(source, target, lora_format)
    before, after = load_file(source), load_file(target)
    assert before.keys() == after.keys()
    assert all(torch.equal(after[key], before[key].to(TYPES[lora_format])) for key in before)
    exact, rounded = deltas(matrices), deltas_of({key: tensor.float() for key, tensor in after.items()})
    expected = (norm({place: rounded[place] - exact[place] for place in exact}) / norm(exact)).item()
    assert written.difference == pytest.approx(expected, rel=1e-4, abs=1e-8)
    assert written.num_bytes == target.stat().st_size
    with safe_open(target, "pt") as file:
        assert file.metadata() == {"format": "pt", "step": "20", "expert": "low_noise"}
    again = tmp_path / "c.safetensors"
    write_in_format(source, again, lora_format)
    assert again.read_bytes() == target.read_bytes()


def test_fp16_is_the_closer_half_on_numbers_as_loras_have_them(tmp_path):
    """A as it is begun, B as it is after training: small, and very uneven from layer to layer; the figures stand in lora_format.py."""
    matrices = make_matrices(2, 16, 256, 512)
    rng = np.random.default_rng(0)
    uneven = {place: (a, b * 10 ** float(rng.uniform(-3, 0))) for place, (a, b) in matrices.items()}
    source = own_file(tmp_path / "a.safetensors", uneven)
    fp16, bf16 = (write_in_format(source, tmp_path / f"{name}.safetensors", name).difference for name in ("fp16", "bf16"))
    print(f"fp16 {fp16:.2e}, bf16 {bf16:.2e}")
    assert fp16 < 4e-4 and 1e-3 < bf16 < 4e-3 and bf16 > 5 * fp16


def test_the_tiny_models_output_differs_by_less_than_it_can_show(tmp_path, tiny_base):
    matrices = make_matrices(6, 4, 192, 768)
    source = own_file(tmp_path / "fp32.safetensors", matrices)
    model, outputs = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu"), {"base": None}
    generator = torch.Generator().manual_seed(1)
    x, prompt = torch.randn(1, 12, 1, 8, 8, generator=generator), torch.randn(1, 12, 64, generator=generator)
    for name in ("base", *FORMATS):
        if name != "base":
            write_in_format(source, tmp_path / f"{name}_.safetensors", name)
            apply_lora(model, read_lora_file(tmp_path / f"{name}_.safetensors")[0])
        with torch.no_grad():
            outputs[name] = model(hidden_states=x, timestep=torch.tensor([600.0]), encoder_hidden_states=prompt, return_dict=False)[0]
    effect = (outputs["fp32"] - outputs["base"]).norm()
    shares = {name: ((outputs[name] - outputs["fp32"]).norm() / effect).item() for name in ("fp16", "bf16")}
    print("of the LoRA's effect on the output: " + ", ".join(f"{name} {share:.2e}" for name, share in shares.items()))
    assert shares["fp16"] < 1e-3 and shares["bf16"] < 1e-2 and shares["fp16"] < shares["bf16"]


def test_numbers_that_are_too_large_for_fp16_are_refused_and_fit_bf16(tmp_path):
    matrices = {place: (a * 1e6, b) for place, (a, b) in make_matrices().items()}
    source = own_file(tmp_path / "a.safetensors", matrices)
    with pytest.raises(Problem, match="too large for fp16"):
        write_in_format(source, tmp_path / "b.safetensors", "fp16")
    assert write_in_format(source, tmp_path / "b.safetensors", "bf16").difference < 0.01


def exported_loras(folder):
    return sorted(folder.rglob("*.safetensors"))


def test_an_export_for_drawing_is_half_the_size_and_one_for_going_on_is_what_training_saved(trained):  # noqa: F811
    pair = find_pair(trained, PAIR)
    whole = sum(path.stat().st_size for path in pair.files.values())
    for to in target_names():
        folder = export_pair(trained, PAIR, to)
        expected = "fp16" if to == "comfyui" else "fp32"
        assert read_export(folder).lora_format == find_target(to).lora_format == expected
        forms = {read_lora(path).form for path in exported_loras(folder)}
        assert forms == ({expected} if to != "bundle" else set())
    folder = export_pair(trained, PAIR, "comfyui")
    record = read_export(folder)
    assert record.lora_bytes == sum(path.stat().st_size for path in exported_loras(folder)) < 0.6 * whole
    assert 0 < record.difference < 1e-3 and "half the size of fp32" in (folder / "README.txt").read_text(encoding="utf-8")
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]


def test_each_format_is_an_export_of_its_own_on_request(trained):  # noqa: F811
    folders = {name: export_pair(trained, PAIR, "musubi", lora_format=name) for name in FORMATS}
    assert len(set(folders.values())) == 3 and export_pair(trained, PAIR, "musubi") == folders["fp32"]
    for name, folder in folders.items():
        assert {read_lora(path).form for path in exported_loras(folder)} == {name}
        assert export_pair(trained, PAIR, "musubi", lora_format=name) == folder
    with pytest.raises(ValueError, match="choose one of fp16, bf16, fp32"):
        export_pair(trained, PAIR, "musubi", lora_format="fp8")


def test_a_bundles_manifest_tells_the_hashes_of_the_files_that_are_in_it(trained, tmp_path):  # noqa: F811
    import zipfile

    folder = export_pair(trained, PAIR, "bundle", lora_format="bf16")
    with zipfile.ZipFile(next(folder.glob("*.zip"))) as archive:
        archive.extractall(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    found = {file_sha256(path) for path in (tmp_path / "lora").glob("*.safetensors")}
    assert {manifest["experts"][expert]["sha256"] for expert in EXPERTS} == found


def test_the_command_says_the_format_and_the_difference(trained, capsys):  # noqa: F811
    home = ["--home", str(trained.workspace.home)]
    assert cli.main(["export", trained.slug, "--to", "comfyui", *home]) == 0
    assert "Written in fp16" in (said := capsys.readouterr().out) and "differs by" in said
    assert cli.main(["export", trained.slug, "--to", "comfyui", "--lora-format", "bf16", "--json", *home]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["lora_format"] == "bf16" and 0 < answer["difference"] < 0.01
    assert cli.main(["export", trained.slug, "--lora-format", "int4", *home]) == 2


def test_the_window_remembers_the_format_for_a_person(trained):  # noqa: F811
    assert read_lora_format(None) == read_lora_format(trained) == "fp16"
    save_lora_format(trained, "bf16")
    assert read_lora_format(trained) == "bf16"
    with pytest.raises(ValueError, match="choose one of"):
        save_lora_format(trained, "int4")
