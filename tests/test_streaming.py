"""Swapped blocks and block-major steps: the numbers of a plain loop, and as few loads as promised."""

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel

from studio.models.forward import begin, finish
from studio.models.lora import add_lora, lora_off, trainable_lora
from studio.models.stream.activation_store import ActivationStore, HostActivationStore
from studio.models.stream.links import Link
from studio.models.stream.slabs import Slab, poison
from studio.models.stream.streaming import place_blocks, swapped_indices
from studio.training.step.block_pass import StepPlan
from studio.training.step.gradients import Group, Row, accumulate_gradients, evaluate, split_block_passes

BLOCKS = 5
CONFIG = dict(
    num_attention_heads=2,
    attention_head_dim=12,
    text_dim=16,
    freq_dim=16,
    ffn_dim=48,
    num_layers=BLOCKS,
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


@pytest.fixture
def group():
    """Three photos and a clip to learn, and two pictures of others."""
    draw = torch.Generator().manual_seed(3)

    def row(frames, sigma):
        shape = (16, frames, 4, 4)
        latents, noise = torch.randn(shape, generator=draw), torch.randn(shape, generator=draw)
        return Row(latents, noise, sigma, torch.randn(6, 16, generator=draw))

    return Group((row(1, 0.2), row(3, 0.5), row(1, 0.7), row(1, 0.9)), (row(1, 0.4), row(1, 0.8)), 0.75)


class LateLink(Link):
    """A link of the worst kind that is allowed: what is sent arrives only when it is waited for, and is rubbish before and after its use."""

    def __init__(self):
        super().__init__()
        self.under_way, self.free = {}, set()

    def send(self, buffer, host):
        assert buffer.data_ptr() in self.free or buffer.data_ptr() not in self.under_way, "sent into a buffer that is still to be used"
        self.free.discard(buffer.data_ptr())
        self.under_way[buffer.data_ptr()] = host
        self.num_bytes, self.num_copies = self.num_bytes + host.nbytes, self.num_copies + 1

    def wait(self, buffer):
        buffer[: self.under_way[buffer.data_ptr()].nbytes].copy_(self.under_way[buffer.data_ptr()])

    def release(self, buffer):
        buffer.fill_(255)  # NaN as fp32 and bf16
        self.free.add(buffer.data_ptr())


def run(model, inputs):
    with torch.no_grad():
        return model(**inputs, return_dict=False)[0]


def with_lora(model, rank=4):
    """LoRA added, with values in B that matter."""
    add_lora(model, rank, seed=0)
    generator = torch.Generator().manual_seed(2)
    for key, p in trainable_lora(model).items():
        if "lora_B" in key:
            p.data.copy_(torch.randn(p.shape, generator=generator) * 0.1)
    return model


def placed(model, swapped=0, link=None, num_buffers=2, lora_first=False):
    """A copy of the model, placed, with LoRA; and its streamer."""
    model = copy.deepcopy(model)
    if lora_first:
        with_lora(model)
    streamer = place_blocks(model, "cpu", swapped, num_buffers, link)
    return (model if lora_first else with_lora(model)), streamer


def gradients(model):
    return {key: p.grad.clone() for key, p in trainable_lora(model).items()}


def plain_loop(model, group):
    """Row by row through the whole model, as other trainers do it: (mean losses, gradients)."""
    model = with_lora(copy.deepcopy(model))

    def answer(row):
        x_t, time = (1 - row.sigma) * row.latents + row.sigma * row.noise, torch.tensor([row.sigma * 1000])
        return model(x_t[None], time, row.prompt[None], return_dict=False)[0]

    mains = [F.mse_loss(answer(row), (row.noise - row.latents)[None]) for row in group.rows]
    with torch.no_grad(), lora_off(model):
        priors = [answer(row) for row in group.class_rows]
    kept = [F.mse_loss(answer(row), prior) for row, prior in zip(group.class_rows, priors)]
    main, preserved = sum(mains) / len(mains), sum(kept) / len(kept)
    (main + group.preservation_weight * preserved).backward()
    return torch.stack([main, preserved]).detach(), gradients(model)


def assert_equal_gradients(found, expected, tolerance=1e-5):
    assert found.keys() == expected.keys() and len(expected) == 2 * 10 * BLOCKS
    for key, gradient in expected.items():
        assert (found[key] - gradient).norm() <= tolerance * gradient.norm(), key


# -- drawing


@pytest.mark.parametrize("num_swapped", [0, 1, 2, 5])
def test_the_models_own_forward_gives_the_same_bits_with_one_load_a_swapped_block(plain, inputs, num_swapped):
    model, streamer = placed(plain, num_swapped, LateLink(), lora_first=True)
    expected = run(with_lora(copy.deepcopy(plain)), inputs)
    for _ in range(3):
        assert torch.equal(run(model, inputs), expected)
    once_a_pass_and_one_for_the_next = 3 * num_swapped + 1
    assert streamer.num_loads == (num_swapped if num_swapped <= streamer.num_buffers else once_a_pass_and_one_for_the_next)


def test_forward_in_parts_is_diffusers_forward_to_the_last_bit(plain, inputs):
    x_t, timestep, prompt = inputs.values()
    for model in (plain, copy.deepcopy(plain).to(torch.bfloat16)):
        for time in (timestep, timestep[:, None].expand(2, 8).contiguous() + torch.arange(8) * 10):
            x, text = x_t.to(model.dtype), prompt.to(model.dtype)
            with torch.no_grad():
                hidden, context = begin(model, x, time, text)
                for block in model.blocks:
                    hidden = block(hidden, *context.block_inputs)
                assert torch.equal(finish(model, hidden, context), model(x, time, text, return_dict=False)[0])


def test_lora_off_gives_the_base_output_while_blocks_are_swapped(plain, inputs):
    model, _ = placed(plain, 3)
    with lora_off(model):
        prior = run(model, inputs)
    assert torch.equal(prior, run(plain, inputs))
    assert not torch.equal(run(model, inputs), prior)


# -- a step


PLANS = [
    StepPlan(rows_per_pass, rows_per_block_pass, blocks_kept, inputs_in_ram)
    for rows_per_pass, rows_per_block_pass, blocks_kept, inputs_in_ram in itertools.product(
        (1, 3), (0, 1, 3), (0, 2, BLOCKS), (False, True)
    )
]


@pytest.mark.parametrize("plan", PLANS, ids=str)
def test_a_block_major_step_has_the_losses_and_gradients_of_a_plain_loop(plain, group, plan):
    losses, expected = plain_loop(plain, group)
    model, _ = placed(plain, 3, LateLink())
    found = accumulate_gradients(model, group, "cpu", plan)
    assert torch.allclose(found[:2], losses, rtol=1e-5) and found[2] > 0
    assert_equal_gradients(gradients(model), expected)


@pytest.mark.parametrize("num_swapped", [1, 2, 5])
@pytest.mark.parametrize("num_buffers", [1, 2, 3])
def test_a_swapped_block_is_loaded_twice_a_step_at_most_however_many_rows(plain, group, num_swapped, num_buffers):
    _, expected = plain_loop(plain, group)
    model, streamer = placed(plain, num_swapped, LateLink(), num_buffers)
    for step in range(3):
        before = streamer.num_loads
        model.zero_grad()
        accumulate_gradients(model, group, "cpu", StepPlan(inputs_in_ram=step == 1))
        assert_equal_gradients(gradients(model), expected)
        assert streamer.num_loads - before <= 2 * num_swapped - (1 if num_swapped > num_buffers else 0)
    assert (
        streamer.num_loads == streamer.link.num_copies
        and streamer.link.num_bytes == sum(streamer.slabs[i].nbytes for i in streamer.slabs) // len(streamer.slabs) * streamer.num_loads
    )
    if num_swapped <= num_buffers:
        assert streamer.num_loads == num_swapped, "blocks that fit into the ring never travel again"


def test_a_second_block_pass_loads_the_blocks_again_and_adds_up(plain, group):
    model, streamer = placed(plain, BLOCKS)
    plan = StepPlan(rows_per_block_pass=2)
    accumulate_gradients(model, group, "cpu", plan)
    block_passes = split_block_passes(group, plan)
    assert [sum(len(part.rows) for part in block_pass) for block_pass in block_passes] == [2, 2, 2]
    assert streamer.num_loads <= len(block_passes) * 2 * BLOCKS


def test_the_next_block_is_on_its_way_while_one_computes(plain, group):
    """Every load but the first is asked for before the block is due."""
    model, streamer = placed(plain, BLOCKS)
    late, send = [], streamer.link.send
    streamer.link.send = lambda buffer, host: (late.append(streamer.in_use is None), send(buffer, host))
    for _ in range(2):
        accumulate_gradients(model, group, "cpu")
    assert late.count(True) <= 2, late


def test_evaluation_of_any_rows_gives_their_losses_and_loads_each_block_once(plain, group):
    losses, _ = plain_loop(plain, group)
    model, streamer = placed(plain, BLOCKS)
    assert evaluate(model, iter(group.rows), "cpu").mean().item() == pytest.approx(losses[0].item(), rel=1e-5)
    assert streamer.num_loads == BLOCKS
    assert not any(p.grad is not None for p in trainable_lora(model).values())


def test_a_step_that_broke_off_leaves_nothing_for_the_next(plain, group):
    _, expected = plain_loop(plain, group)
    model, _ = placed(plain, 3, LateLink())
    store, plan = HostActivationStore("cpu"), StepPlan(inputs_in_ram=True)
    last = model.blocks[BLOCKS - 1]
    run_block, last.forward = last.forward, lambda *inputs: (_ for _ in ()).throw(torch.OutOfMemoryError("too large"))
    with pytest.raises(torch.OutOfMemoryError):
        accumulate_gradients(model, group, "cpu", plan, store)
    last.forward = run_block
    accumulate_gradients(model, group, "cpu", plan, store)
    assert_equal_gradients(gradients(model), expected)


def test_ram_for_inputs_is_used_again_in_the_next_step(plain, group):
    model, _ = placed(plain, 3)
    store, plan = HostActivationStore("cpu"), StepPlan(inputs_in_ram=True)
    accumulate_gradients(model, group, "cpu", plan, store)
    taken = store.num_bytes
    accumulate_gradients(model, group, "cpu", plan, store)
    assert store.num_bytes == taken > 0 and not store.kept


def test_tensors_come_back_from_ram_as_they_were_put(tmp_path):
    tensors = {(i, n): torch.randn(3, 4 + n) for i in range(4) for n in range(2)}
    for store in (ActivationStore(), HostActivationStore("cpu")):
        for key, tensor in tensors.items():
            store.put(key, tensor.clone())
        assert all(torch.equal(store.take(key), tensors[key]) for key in reversed(tensors))
        assert not store.kept


def test_only_learning_rows_leave_something_for_the_way_back(plain, group):
    class Counting(ActivationStore):
        most = 0

        def put(self, key, tensor):
            super().put(key, tensor)
            self.most = max(self.most, len(self.kept))

    model, _ = placed(plain, 2)
    store = Counting()
    accumulate_gradients(model, group, "cpu", StepPlan(blocks_kept=1), store)
    assert store.most == (len(group.rows) + len(group.class_rows)) * (BLOCKS - 1)


@pytest.mark.parametrize("num_swapped", [0, 2, 5])
def test_in_bf16_every_placement_and_plan_gives_the_same_bits(plain, group, num_swapped):
    keep = ("time_embedder", "scale_shift_table", "norm1", "norm2", "norm3")
    for name, p in plain.named_parameters():
        if not set(keep) & set(name.split(".")):
            p.data = p.data.bfloat16()
    results = []
    for swapped, plan in ((0, StepPlan()), (num_swapped, StepPlan(blocks_kept=2, inputs_in_ram=True))):
        model, _ = placed(plain, swapped, LateLink())
        losses = accumulate_gradients(model, group, "cpu", plan)
        results.append((losses, gradients(model)))
    (expected, grads), (losses, others) = results
    assert torch.equal(losses, expected)
    assert all(g.dtype == torch.float32 and g.any() and torch.equal(g, others[key]) for key, g in grads.items())


def test_bf16_inputs_are_kept_in_bf16_and_lora_in_fp32(plain, group):
    model, _ = placed(plain.to(torch.bfloat16), 2)
    kept = []
    store = ActivationStore()
    store.put = lambda key, tensor: (kept.append(tensor.dtype), ActivationStore.put(store, key, tensor))
    accumulate_gradients(model, group, "cpu", store=store)
    assert set(kept) == {torch.bfloat16}
    assert {p.dtype for p in trainable_lora(model).values()} == {torch.float32}


# -- slabs and buffers


def test_weights_of_an_evicted_block_are_poison_and_are_never_used(plain, inputs):
    place_blocks(plain, "cpu", 2)
    swapped = swapped_indices(BLOCKS, 2)
    for _ in range(2):
        for i, block in enumerate(plain.blocks):
            assert all(torch.isnan(p).all() == (i in swapped) for p in block.parameters())
        assert torch.isfinite(run(plain, inputs)).all()


def test_the_memory_of_an_evicted_block_is_one_slab_in_ram(plain):
    block_bytes = sum(p.nbytes for p in plain.blocks[0].parameters())
    streamer = place_blocks(plain, "cpu", BLOCKS)
    assert all(block_bytes <= slab.nbytes < 1.3 * block_bytes + 8192 for slab in streamer.slabs.values())
    assert sum(p.untyped_storage().nbytes() for p in plain.blocks.parameters()) < BLOCKS * 64 * 8
    assert [b.nbytes for b in streamer.buffers] == [streamer.slabs[0].nbytes] * 2


def test_slabs_keep_every_number_format(inputs):
    block = torch.nn.Module()
    values = {
        "sixteen": torch.randn(3, 5).bfloat16(),
        "thirty_two": torch.randn(7),
        "eight": torch.randn(4, 4).to(torch.float8_e4m3fn),
        "integers": torch.randint(-128, 127, (5, 3), dtype=torch.int8),
    }
    for name, value in values.items():
        block.register_parameter(name, torch.nn.Parameter(value.clone(), requires_grad=False))
    slab = Slab(block, torch.device("cpu"))
    assert all(p.shape == values[name].shape and p.dtype == values[name].dtype for name, p in block.named_parameters())
    assert block.integers.eq(poison(torch.int8)).all() and block.eight.isnan().all()
    slab.bind(slab.host.clone())
    assert all(torch.equal(p.view(torch.uint8), values[name].view(torch.uint8)) for name, p in block.named_parameters())


def test_blocks_in_ram_cannot_be_trained_by_the_models_own_forward(plain, inputs):
    model, _ = placed(plain, 2)
    with pytest.raises(AssertionError, match="block pass"):
        model(**inputs, return_dict=False)


def test_one_block_at_a_time(plain):
    streamer = place_blocks(plain, "cpu", 3)
    first, second = sorted(streamer.slabs)[:2]
    with streamer.use(first), pytest.raises(AssertionError, match="one block at a time"), streamer.use(second):
        pass


def test_swapped_blocks_are_spread_evenly():
    assert swapped_indices(8, 4) == {1, 3, 5, 7}
    assert len(swapped_indices(40, 29)) == 29
    assert swapped_indices(4, 0) == set()


@pytest.mark.parametrize("number", [-1, 6])
def test_more_swapped_blocks_than_there_are_is_an_error_with_the_limit(plain, number):
    with pytest.raises(ValueError, match="from 0 to 5"):
        place_blocks(plain, "cpu", number)
