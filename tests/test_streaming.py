"""Swapped blocks: the same numbers as the plain model, and as few loads as promised."""

import copy

import pytest
import torch
from diffusers import WanTransformer3DModel

from studio.models.lora import add_lora, lora_off, trainable_lora
from studio.models.streaming import place_blocks, swapped_indices

CONFIG = dict(
    num_attention_heads=2,
    attention_head_dim=12,
    text_dim=16,
    freq_dim=16,
    ffn_dim=48,
    num_layers=5,
    cross_attn_norm=True,
    qk_norm="rms_norm_across_heads",
    rope_max_seq_len=32,
)


@pytest.fixture
def plain():
    torch.manual_seed(0)
    return WanTransformer3DModel(**CONFIG).requires_grad_(False).eval()


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    return dict(
        hidden_states=torch.randn(2, 16, 2, 4, 4, generator=generator),
        timestep=torch.tensor([300.0, 700.0]),
        encoder_hidden_states=torch.randn(2, 6, 16, generator=generator),
    )


def run(model, inputs):
    return model(**inputs, return_dict=False)[0]


def make_b_matter(model):
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for key, p in trainable_lora(model).items():
            if "lora_B" in key:
                p.copy_(torch.randn(p.shape, generator=generator) * 0.1)


def lora_grads(model, inputs):
    output = run(model, inputs)
    output.square().mean().backward()
    return output.detach(), {key: p.grad for key, p in trainable_lora(model).items()}


@pytest.mark.parametrize("num_swapped", [1, 2, 5])
def test_swapped_blocks_give_the_plain_output_to_the_last_bit_with_one_load_each(plain, inputs, num_swapped):
    streamed = copy.deepcopy(plain)
    streamer = place_blocks(streamed, "cpu", num_swapped)
    with torch.no_grad():
        assert torch.equal(run(plain, inputs), run(streamed, inputs))
    assert streamer.num_loads == num_swapped
    with torch.inference_mode():
        assert torch.equal(run(plain, inputs), run(streamed, inputs))
    assert streamer.num_loads == 2 * num_swapped


@pytest.mark.parametrize("checkpointing", [False, True])
@pytest.mark.parametrize("num_swapped", [0, 2, 5])
@pytest.mark.parametrize("lora_first", [False, True])
def test_lora_gradients_equal_the_plain_models(plain, inputs, num_swapped, checkpointing, lora_first):
    placed = copy.deepcopy(plain)
    add_lora(plain, 4, seed=0)
    make_b_matter(plain)
    expected_output, expected = lora_grads(plain, inputs)
    if lora_first:
        add_lora(placed, 4, seed=0)
    streamer = place_blocks(placed, "cpu", num_swapped, gradient_checkpointing=checkpointing)
    if not lora_first:
        add_lora(placed, 4, seed=0)
    make_b_matter(placed)
    placed.train()
    output, grads = lora_grads(placed, inputs)
    assert torch.equal(output, expected_output)
    assert len(expected) == 2 * 10 * CONFIG["num_layers"]
    for key in expected:
        assert (grads[key] - expected[key]).norm() <= 1e-6 * expected[key].norm(), key
    assert streamer.num_loads == 2 * num_swapped


def test_weights_of_an_evicted_block_are_poison_and_are_never_used(plain, inputs):
    placed = copy.deepcopy(plain)
    place_blocks(placed, "cpu", 2)
    swapped = swapped_indices(5, 2)
    for _ in range(2):
        for i, block in enumerate(placed.blocks):
            assert all(torch.isnan(p).all() == (i in swapped) for p in block.parameters())
        with torch.no_grad():
            assert torch.isfinite(run(placed, inputs)).all()


def test_the_memory_of_an_evicted_block_is_one_slab_in_ram(plain):
    block_bytes = sum(p.nbytes for p in plain.blocks[0].parameters())
    streamer = place_blocks(plain, "cpu", 5)
    assert all(block_bytes <= slab.host.nbytes < 1.3 * block_bytes + 8192 for slab in streamer.slabs)
    assert sum(p.untyped_storage().nbytes() for p in plain.blocks.parameters()) < 5 * 64 * 8


def test_lora_off_gives_the_base_output_while_blocks_are_swapped(plain, inputs):
    placed = copy.deepcopy(plain)
    place_blocks(placed, "cpu", 3, gradient_checkpointing=True)
    add_lora(placed, 4, seed=0)
    make_b_matter(placed)
    with lora_off(placed):
        prior = run(placed, inputs)
    assert torch.equal(prior, run(plain, inputs))
    assert not torch.equal(run(placed, inputs), prior)


def test_mixed_precision_weights_keep_their_types(plain, inputs):
    plain.blocks.to(torch.bfloat16)
    plain.blocks[0].norm2.to(torch.float32)
    types = [p.dtype for p in plain.parameters()]
    place_blocks(plain, "cpu", 5)
    assert [p.dtype for p in plain.parameters()] == types
    with plain.streamer.loaded(plain.streamer.slabs[0]):
        assert plain.blocks[0].norm2.weight.dtype == torch.float32
        assert torch.isfinite(plain.blocks[0].attn1.to_q.weight).all()


def test_all_swapped_blocks_share_one_buffer_on_the_device(plain, inputs):
    """A new one for every load would fragment the memory of a GPU that is nearly full."""
    streamer = place_blocks(plain, "cpu", 3)
    seen = set()
    for slab in streamer.slabs:
        with streamer.loaded(slab):
            seen |= {p.untyped_storage().data_ptr() for p in slab.parameters}
            with pytest.raises(AssertionError), streamer.loaded(slab):
                pass
    assert seen == {streamer.buffer.untyped_storage().data_ptr()}
    with torch.inference_mode():
        first = run(plain, inputs)
    add_lora(plain, 4, seed=0)
    output, grads = lora_grads(plain, inputs)  # after inference_mode, the buffer can still be trained with
    assert torch.equal(first, output) and all(g is not None for g in grads.values())


@pytest.mark.parametrize("num_swapped", [0, 2, 5])
@pytest.mark.parametrize("checkpointing", [False, True])
def test_under_bf16_autocast_every_placement_gives_the_same_bits(plain, inputs, num_swapped, checkpointing):
    keep = ("time_embedder", "scale_shift_table", "norm1", "norm2", "norm3")
    for name, p in plain.named_parameters():
        if not set(keep) & set(name.split(".")):
            p.data = p.data.bfloat16()
    placed = copy.deepcopy(plain)
    results = []
    for model, options in ((plain, {}), (placed, {"blocks_swapped": num_swapped, "gradient_checkpointing": checkpointing})):
        place_blocks(model, "cpu", **options)
        add_lora(model, 4, seed=0)
        make_b_matter(model)
        with torch.autocast("cpu", torch.bfloat16):
            output = run(model, inputs)
        output.float().square().mean().backward()
        results.append((output, {key: p.grad for key, p in trainable_lora(model).items()}))
    (expected, grads), (output, others) = results
    assert torch.equal(output, expected)
    assert all(g.dtype == torch.float32 and g.any() and torch.equal(g, others[key]) for key, g in grads.items())


def test_swapped_blocks_are_spread_evenly():
    assert swapped_indices(8, 4) == {1, 3, 5, 7}
    assert len(swapped_indices(40, 29)) == 29
    assert swapped_indices(4, 0) == set()


@pytest.mark.parametrize("number", [-1, 6])
def test_more_swapped_blocks_than_there_are_is_an_error_with_the_limit(plain, number):
    with pytest.raises(ValueError, match="from 0 to 5"):
        place_blocks(plain, "cpu", number)
