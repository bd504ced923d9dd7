"""Weights in 8 bits: how far off, what is computed with them, and that streaming, loading and training do the same with them."""

import copy

import pytest
import torch
import torch.nn.functional as F
from accelerate import init_empty_weights
from diffusers import WanTransformer3DModel
from safetensors.torch import save_file
from simulation_kit import Memory, make_model
from test_streaming import BLOCKS, CONFIG, LateLink, assert_equal_gradients, gradients, group, with_lora  # noqa: F401
from training_kit import Events, lora_bits, new_project, new_run, small_config

from studio.errors import Problem
from studio.models.files.weights import fill
from studio.models.loading import load_expert
from studio.models.lora import lora_off
from studio.models.stream.precision import FrozenLinear, dequantize, multiply_small, quantize, relative_error
from studio.models.stream.storage import SmallStorage, linears_stored_small
from studio.models.stream.streaming import place_blocks
from studio.training.loop import train
from studio.training.step.block_pass import StepPlan
from studio.training.step.gradients import accumulate_gradients

A14B = dict(num_attention_heads=40, attention_head_dim=128, text_dim=4096, freq_dim=256, ffn_dim=13824, cross_attn_norm=True)
FORMATS = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}


def draw(*shape, seed=0, scale=1.0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * scale


def weights(seed=0):
    """A small transformer's weights by diffusers' names."""
    torch.manual_seed(seed)
    return WanTransformer3DModel(**CONFIG).state_dict()


@pytest.fixture
def filled(tmp_path):
    """A function that saves weights as a file, fp8 scales among them, and loads them again."""

    def load(state, precision, dtype=torch.float32):
        path = tmp_path / "diffusion_pytorch_model.safetensors"
        save_file(state, path)
        model = empty()
        small = SmallStorage(model, precision)
        fill(model, [path], "transformer", dtype, small)
        model.storage = small.report
        return model

    return load


def empty():
    with init_empty_weights():
        return WanTransformer3DModel(**CONFIG).requires_grad_(False).eval()


def plain_copy(model):
    """The same model with ordinary Linears that hold what 8 bits stand for."""
    twin = copy.deepcopy(model)
    for name, module in model.named_modules():
        if isinstance(module, FrozenLinear):
            linear = torch.nn.Linear(module.in_features, module.out_features, bias=module.bias is not None)
            linear.weight.data, linear.bias.data = module.make_weight(torch.float32), module.bias.data.clone()
            owner, _, child = name.rpartition(".")
            setattr(twin.get_submodule(owner), child, linear.requires_grad_(False))
    return twin


# -- numbers


@pytest.mark.parametrize(("precision", "most"), [("int8", 0.008), ("fp8", 0.028)])
def test_gaussian_weights_are_as_close_as_promised(precision, most):
    weight = draw(256, 5120, scale=0.02)
    stored, scale = quantize(weight, FORMATS[precision])
    assert stored.nbytes + scale.nbytes <= 1.04 * weight.numel()
    assert most / 2 < relative_error(weight, stored, scale) <= most


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("width", [16, 40, 48, 64, 192])
def test_no_value_is_cut_and_zeros_stay_zero(precision, width):
    weight = draw(8, width) * torch.logspace(-6, 3, 8)[:, None]
    weight[3] = 0
    stored, scale = quantize(weight, FORMATS[precision])
    back = dequantize(stored, scale, torch.float32)
    assert torch.equal(back[3], torch.zeros(width))
    largest = weight.abs().amax(1)
    assert torch.allclose(back.abs().amax(1), largest, rtol=0.01, atol=0)


def test_a_row_that_is_much_smaller_than_its_neighbours_loses_nothing():
    weight = draw(2, 64) * torch.tensor([[1e-4], [10.0]])
    stored, scale = quantize(weight, torch.int8)
    assert relative_error(weight[:1], stored[:1], scale[:1]) < 0.01


@pytest.mark.parametrize("spoil", [float("nan"), float("inf")])
def test_a_layer_that_8_bits_cannot_hold_is_named(filled, spoil):
    state = weights()
    state["blocks.3.ffn.net.2.weight"][0, 0] = spoil
    with pytest.raises(Problem, match=r"blocks\.3\.ffn\.net\.2") as e:
        filled(state, "int8")
    assert "bf16" in e.value.fix


# -- computing


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_frozen_linear_is_the_linear_of_what_it_stores_both_ways(precision, dtype):
    layer, weight = _layer(precision, dtype)
    x = draw(3, 5, 128, seed=1).to(dtype).requires_grad_()
    twin = x.detach().clone().requires_grad_()
    expected = F.linear(twin, weight, layer.bias)
    found = layer(x)
    assert torch.equal(found, expected)
    gradient = draw(3, 5, 32, seed=2).to(dtype)
    found.backward(gradient)
    expected.backward(gradient)
    assert torch.equal(x.grad, twin.grad)


def test_nothing_is_kept_for_the_way_back():
    layer, _ = _layer("int8", torch.float32)
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        layer(draw(2, 128).requires_grad_())
    assert not kept


def _layer(precision, dtype):
    stored, scale = quantize(draw(32, 128, scale=0.05), FORMATS[precision])
    layer = FrozenLinear(128, 32, True, stored.dtype, scale.shape[1], dtype=dtype)
    layer.weight.data, layer.scale.data, layer.bias.data = stored, scale, draw(32, seed=3).to(dtype)
    return layer, layer.make_weight(dtype)


@pytest.mark.parametrize("precision", FORMATS)
@pytest.mark.parametrize("plan", [StepPlan(), StepPlan(rows_per_block_pass=2, blocks_kept=2, inputs_in_ram=True)], ids=str)
def test_a_streamed_8_bit_step_has_the_gradients_of_ordinary_linears(precision, plan, filled, group):  # noqa: F811
    model = filled(weights(), precision)
    plain = plain_copy(model)
    place_blocks(plain, "cpu")
    accumulate_gradients(with_lora(plain), group, "cpu")
    place_blocks(model, "cpu", 3, link=LateLink())
    accumulate_gradients(with_lora(model), group, "cpu", plan)
    assert sum(isinstance(m, FrozenLinear) for m in model.modules()) == 10 * BLOCKS
    assert_equal_gradients(gradients(model), gradients(plain))


def test_the_true_models_blocks_travel_and_wait_in_half_the_bytes():
    def expert_gb(precision):
        """(one block's bytes on the way, RAM of an expert) at the shapes of WAN 2.2 A14B, in GB of 10^9."""
        model = make_model(A14B | {"num_layers": 2}, torch.bfloat16, precision)
        beside = sum(p.nbytes for name, p in model.named_parameters() if not name.startswith("blocks."))
        slab = place_blocks(model, "meta", 2).slabs[0].nbytes
        return slab / 1e9, (40 * slab + beside) / 1e9

    assert expert_gb("bf16") == pytest.approx((0.703, 28.6), abs=0.1)
    assert expert_gb("int8")[1] <= 15.5 and expert_gb("int8")[0] < 0.53 * expert_gb("bf16")[0]


def test_lora_off_is_the_base_to_the_last_bit(filled):
    model = filled(weights(), "int8")
    inputs = (draw(1, 16, 1, 4, 4), torch.tensor([500.0]), draw(1, 6, 16))
    with torch.no_grad():
        before = model(*inputs, return_dict=False)[0]
        with_lora(model)
        with lora_off(model):
            assert torch.equal(model(*inputs, return_dict=False)[0], before)
        assert not torch.equal(model(*inputs, return_dict=False)[0], before)


# -- loading


def test_every_linear_of_the_blocks_is_small_and_nothing_else(filled):
    model = filled(weights(), "int8", torch.bfloat16)
    small = {name for name, module in model.named_modules() if isinstance(module, FrozenLinear)}
    assert small == {name for name, _ in linears_stored_small(model)} == set(model.storage.errors)
    assert len(small) == 10 * BLOCKS
    assert {p.dtype for name, p in model.named_parameters() if "norm2" in name} == {torch.float32}
    assert model.dtype == torch.bfloat16 == model.proj_out.weight.dtype
    assert "int8" in model.storage.describe() and model.storage.worst[1] < 0.008


def test_fp8_files_are_kept_to_the_bit(filled):
    state, name = weights(), "blocks.1.attn1.to_q.weight"
    fp8 = state[name] = (state[name] / 0.37).to(torch.float8_e4m3fn)
    state["blocks.1.attn1.to_q.scale_weight"] = torch.tensor(0.37)
    model = filled(state, "fp8")
    layer = model.blocks[1].attn1.to_q
    assert model.storage.num_kept == 1 and len(model.storage.errors) == 10 * BLOCKS - 1
    assert torch.equal(layer.weight.view(torch.uint8), fp8.view(torch.uint8))
    assert torch.equal(layer.make_weight(torch.float32), fp8.float() * 0.37)
    assert torch.equal(layer.make_weight(torch.bfloat16), (fp8.float() * 0.37).to(torch.bfloat16))
    whole = filled(state, "fp32")
    assert torch.equal(whole.blocks[1].attn1.to_q.weight, fp8.float() * 0.37) and not whole.storage.describe()


@pytest.mark.parametrize("precision", ["bf16", "int8", "fp8"])
def test_loading_takes_little_more_memory_than_the_model(tmp_path, precision):
    """Counted bytes of storages that are alive at once; the file's own pages are the system's."""
    state = weights()
    save_file(state, tmp_path / "model.safetensors")
    largest, model = max(tensor.nbytes for tensor in state.values()), empty()
    with Memory() as memory:
        fill(model, [tmp_path / "model.safetensors"], "transformer", torch.bfloat16, SmallStorage(model, precision))
    kept = sum(p.nbytes for p in model.parameters())
    assert kept <= memory.peak <= kept + 8 * largest


# -- training


def test_training_with_8_bit_weights_says_so_and_goes_on_exactly(tiny_base):
    config = small_config(steps=4, memory={"precision": "int8", "blocks_swapped": 2})
    whole, cut = new_run(new_project(tiny_base)), new_run(new_project(tiny_base, name="Berta"))
    events = Events()
    train(config, whole, report=events)
    assert any("stored in 8 bits" in note["message"] for note in events.of("note"))
    train(config, cut, report=Events(), should_stop=iter([False] * 2 + [True] * 99).__next__)
    train(config, cut, report=Events())
    assert set(lora_bits(cut).values()) == set(lora_bits(whole).values())


def test_the_expert_in_8_bits_answers_nearly_as_the_whole_one(tiny_base):
    inputs = (draw(1, tiny_base.latent_channels, 1, 8, 8), torch.tensor([300.0]), draw(1, 16, 64))
    answers = {}
    for precision in ("fp32", *FORMATS):
        model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu", precision=precision)
        text = draw(1, 16, model.config.text_dim, seed=4)
        with torch.no_grad():
            answers[precision] = model(inputs[0], inputs[1], text, return_dict=False)[0]
    for precision, most in (("int8", 0.02), ("fp8", 0.08)):
        off = (answers[precision] - answers["fp32"]).norm() / answers["fp32"].norm()
        assert 0 < off < most, precision


# -- products of 8-bit numbers


@pytest.mark.parametrize(("precision", "most"), [("int8", 0.02), ("fp8", 0.06)])
@pytest.mark.parametrize("rows", [32, 1030])
def test_products_of_8_bit_numbers_are_a_little_off_and_their_way_back_is_exact(precision, most, rows):
    weight = draw(48, 128, scale=0.05)
    stored, scale = quantize(weight, FORMATS[precision], block=0)
    assert scale.shape == (48, 1)
    layer = FrozenLinear(128, 48, True, stored.dtype, 1, dtype=torch.float32)
    layer.weight.data, layer.scale.data, layer.bias.data = stored, scale, draw(48, seed=3)
    x = draw(rows, 128, seed=1).requires_grad_()
    exact = layer(x)
    (expected,) = torch.autograd.grad(exact.square().sum(), x, retain_graph=True)
    layer.multiplies_small = True
    found = layer(x)
    assert 0 < (found - exact).norm() / exact.norm() < most
    gradient = 2 * exact.detach()
    assert torch.equal(torch.autograd.grad(found, x, gradient)[0], expected)
    assert torch.equal(layer(x[:8]), layer_without(layer, x[:8]))  # too few rows to be worth it


def layer_without(layer, x):
    return F.linear(x, layer.make_weight(x.dtype), layer.bias)


def test_rows_of_very_different_size_keep_their_precision():
    weight, x = draw(32, 64, scale=0.05), draw(64, 64, seed=1) * torch.logspace(-4, 4, 64)[:, None]
    stored, scale = quantize(weight, torch.int8, block=0)
    found, exact = multiply_small(x, stored, scale), x @ dequantize(stored, scale, torch.float32).t()
    assert ((found - exact).norm(dim=1) / exact.norm(dim=1)).max() < 0.03
    assert torch.equal(multiply_small(torch.zeros(40, 64), stored, scale), torch.zeros(40, 32))


@pytest.mark.parametrize("precision", ["bf16", *FORMATS])
def test_training_with_products_of_8_bit_numbers_says_what_is_done(tiny_base, precision):
    model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu", precision=precision, multiply="8bit")
    small = [m for m in model.modules() if isinstance(m, FrozenLinear)]
    assert model.storage.num_multiplied == len(small) == (0 if precision == "bf16" else 10 * len(model.blocks))
    assert ("multiply 8-bit numbers" in model.storage.describe()) == (precision != "bf16")
    exact = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu")
    inputs = (draw(1, tiny_base.latent_channels, 1, 20, 20), torch.tensor([300.0]), draw(1, 64, model.config.text_dim, seed=4))
    with torch.no_grad():
        answers = [m(*inputs, return_dict=False)[0] for m in (model, exact)]
    off = (answers[0] - answers[1]).norm() / answers[1].norm()
    assert off == 0 if precision == "bf16" else 0 < off < 0.15
