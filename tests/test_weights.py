"""Weights from safetensors files of every form: what they mean, what they take in RAM, and what is wrong with the others."""

import json
import struct

import pytest
import torch
from comfyui_kit import FORMS, in_form, makers_names, values_of
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors.torch import load_file, save_file
from simulation_kit import Memory
from transformers import UMT5Config, UMT5EncoderModel

from studio.errors import Problem
from studio.models.files.layouts import umt5_shapes, wan_shapes
from studio.models.files.weights import Weight, fill, find_weights, read_weights
from studio.models.loading import load_expert, load_expert_on_meta
from studio.models.preset import model_preset

A14B = "wan22-t2v-a14b"


@pytest.fixture(scope="module")
def block(tiny_base):
    """The tiny high-noise expert's weights under the makers' names, and what WanTransformer3DModel is made with."""
    expect = {k: v for k, v in tiny_base.configs["transformer"].items() if v is not None and k[0] != "_"}
    return makers_names(load_file(tiny_base.folder / "transformer/diffusion_pytorch_model.safetensors"), expect), expect


@pytest.mark.parametrize(("form", "prefix"), [*((form, "") for form in FORMS), ("fp8_scaled", "model.diffusion_model.")])
def test_an_expert_is_read_as_its_file_means_it(tiny_base, block, tmp_path, form, prefix):
    tensors, expect = block
    path = tmp_path / "expert.safetensors"
    save_file({prefix + key: tensor.contiguous() for key, tensor in in_form(tensors, form).items()}, path)
    model = fill(load_expert_on_meta(tiny_base, "high_noise"), [path], "transformer", torch.float32)
    expected, parameters = makers_names_to_values(values_of(tensors, form), expect), dict(model.named_parameters())
    assert expected.keys() == parameters.keys()
    assert all(torch.equal(parameters[key], value) for key, value in expected.items())
    whole = load_expert(tiny_base, "high_noise", dtype=torch.float32, device="cpu").state_dict()
    largest = max(((parameters[key] - whole[key]).abs().max() / whole[key].abs().max()).item() for key in whole)
    assert largest == 0 if form == "fp32" else largest < (0.2 if "e5m2" in form else 0.07)  # half a step of the format


def makers_names_to_values(values, expect):
    names = {name: name for name in wan_shapes(expect)}
    from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

    return {key: values[name] for key, name in convert_wan_transformer_to_diffusers(names).items()}


def test_scales_for_each_row_are_read_too_and_stored_values_are_handed_out_as_they_are(block, tmp_path):
    key = "blocks.0.ffn.0.weight"
    weight = block[0][key]
    scale = weight.abs().amax(1, keepdim=True) / 448
    stored = in_form(block[0], "fp32") | {key: (weight / scale).to(torch.float8_e4m3fn), "blocks.0.ffn.0.weight_scale": scale}
    save_file(stored, tmp_path / "rows.safetensors")
    (found,) = read_weights([tmp_path / "rows.safetensors"], "transformer", keys={"blocks.0.ffn.net.0.proj.weight"})
    assert found.tensor.dtype == torch.float8_e4m3fn and torch.equal(found.scale, scale)
    assert torch.equal(found.to(torch.float32), found.tensor.float() * scale)
    for weight in (found, Weight("x", found.tensor.float())):
        assert weight.to(torch.bfloat16).dtype == torch.bfloat16
        assert weight.to(torch.float32).data_ptr() != weight.tensor.data_ptr()  # of its own, so that the file can be closed
        elsewhere = weight.to(torch.bfloat16, "meta")
        assert (elsewhere.device.type, elsewhere.dtype, elsewhere.shape) == ("meta", torch.bfloat16, weight.tensor.shape)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"blocks.0.ffn.0.comfy_quant": torch.tensor(list(b'{"format": "nvfp4"}'), dtype=torch.uint8)}, "nvfp4"),
        ({"blocks.0.ffn.0.weight": torch.zeros(4, 4, dtype=torch.int8)}, "I8"),
        ({"blocks.0.ffn.0.weight_scale": torch.ones(3, 7)}, "with scales"),
        ({"blocks.9.ffn.0.weight_scale": torch.ones(1)}, "scales for blocks.9"),
    ],
)
def test_a_form_that_is_not_read_is_named(block, tmp_path, changes, words):
    save_file(in_form(block[0], "fp32") | changes, tmp_path / "new form.safetensors")
    with pytest.raises(Problem, match=f"new form.safetensors .*can't be read here .*{words}"):
        find_weights([tmp_path / "new form.safetensors"], "transformer")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"data_offsets": [-8, 8]}, "is incomplete or damaged"),
        ({"shape": [5]}, "another length than its shape says"),
        ({"data_offsets": [8, 24]}, "is damaged"),  # bytes that belong to nothing
        ({"shape": "many"}, "is incomplete or damaged"),
    ],
)
def test_headers_that_lie_are_refused(tmp_path, change, words):
    path, entry = tmp_path / "lies.safetensors", {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    text = json.dumps({"x": entry | change}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes((entry | change)["data_offsets"][1]))
    with pytest.raises(Problem, match=words):
        list(read_weights([path], "text_encoder"))


def test_weights_missing_unknown_or_misshaped_are_named_before_any_is_read(tiny_base, block, tmp_path):
    wrong = dict(block[0]) | {"blocks.0.ffn.0.bias": torch.zeros(3), "vace_blocks.0.bias": torch.zeros(1)}
    del wrong["blocks.1.norm3.bias"]
    save_file(wrong, tmp_path / "wrong.safetensors")
    with pytest.raises(Problem, match=r"1 missing: blocks\.1\.norm2\.bias; 1 unknown: vace_blocks\.0\.bias; 1 misshaped: blocks\.0\.ffn"):
        fill(load_expert_on_meta(tiny_base, "high_noise"), [tmp_path / "wrong.safetensors"], "transformer", torch.float32)


@pytest.mark.parametrize("form", ["fp16", "fp8_scaled"])
def test_loading_takes_the_expert_at_its_target_precision_and_a_few_weights_more(block, tiny_base, tmp_path, form):
    """Bytes of all storages, the mapped file's included. At true shapes the largest weight has 70.8 M numbers."""
    path = tmp_path / "expert.safetensors"
    save_file(in_form(block[0], form), path)
    model = load_expert_on_meta(tiny_base, "high_noise")
    with Memory() as memory:
        fill(model, [path], "transformer", torch.bfloat16)
    held = sum(p.nbytes for p in model.parameters())
    largest = max(p.numel() for p in model.parameters())
    bytes_more = (memory.peak - held) / largest
    print(f"{form}: {bytes_more:.2f} bytes more for each number of the largest weight; {bytes_more * 13824 * 5120 / 1e9:.2f} GB at 14 B")
    assert memory.now == pytest.approx(held, rel=0.01) and bytes_more * 13824 * 5120 < 1e9


def test_the_names_of_the_true_models_are_known():
    preset = model_preset(A14B)
    with torch.device("meta"):
        expert, text = WanTransformer3DModel(**preset.expect), UMT5EncoderModel(UMT5Config(**preset.configs["text_encoder"]))
        vae = AutoencoderKLWan(**preset.configs["vae"])
    assert makers_names_to_values(wan_shapes(preset.expect), preset.expect) == {n: tuple(p.shape) for n, p in expert.named_parameters()}
    names = {n: tuple(p.shape) for n, p in text.named_parameters() if n != "encoder.embed_tokens.weight"}
    assert umt5_shapes(preset.configs["text_encoder"]) == names
    assert sum(p.numel() for p in text.shared.parameters()) == 256384 * 4096 and text.config.dense_act_fn == "gelu_new"
    assert (vae.config.z_dim, len(vae.config.latents_mean), sum(p.numel() for p in vae.parameters())) == (16, 16, 126_892_531)
