"""LoRA files and their effect: ours equals stock diffusers', other trainers' files are read, and wrong files get a sentence."""

import pytest
import safetensors.torch
import torch
from model_kit import load_pipeline, lora_state

from studio.errors import Problem
from studio.models.files.lora_files import save_lora_file
from studio.models.loading import load_expert
from studio.models.lora import (
    add_lora,
    apply_lora,
    load_lora_state,
    lora_off,
    remove_lora,
    set_strength,
    trainable_lora,
)
from studio.models.loras.names import LAYERS
from studio.models.loras.reading import read_lora_file


@pytest.fixture
def expert(tiny_base):
    return load_expert(tiny_base, "high_noise", dtype=torch.float32, device="cpu")


@pytest.fixture
def state(expert):
    """A LoRA that changes something, in file keys."""
    return make_state(expert)


def make_state(model, rank=4, seed=3):
    generator = torch.Generator().manual_seed(seed)
    add_lora(model, rank, seed)
    state = {k: torch.randn(v.shape, generator=generator) * 0.05 for k, v in lora_state(model).items()}
    remove_lora(model)
    return state


@torch.no_grad()
def run(model):
    generator = torch.Generator().manual_seed(1)
    x, prompt = torch.randn(1, 12, 1, 8, 8, generator=generator), torch.randn(1, 12, 64, generator=generator)
    return model(hidden_states=x, timestep=torch.tensor([950.0]), encoder_hidden_states=prompt, return_dict=False)[0]


def rename(state, pattern):
    """A state under other names: pattern(block, our layer, diffusers' layer, part) -> key."""
    renamed = {}
    for key, tensor in state.items():
        _, _, block, layer = key.split(".", 3)
        layer, part = layer.rsplit(".lora_", 1)
        renamed[pattern(block, layer, LAYERS[layer], part[0])] = tensor
    return renamed


def test_the_ten_linears_of_each_block_get_an_adapter(expert):
    add_lora(expert, 16, seed=0)
    keys = list(trainable_lora(expert))
    assert len(keys) == 2 * 10 * 6 and keys == sorted(keys)
    assert "diffusion_model.blocks.0.self_attn.q.lora_A.weight" in keys
    assert "diffusion_model.blocks.5.ffn.2.lora_B.weight" in keys
    assert not any("alpha" in k for k in keys)
    trainable = [p for p in expert.parameters() if p.requires_grad]
    assert len(trainable) == len(keys) and all(p.dtype == torch.float32 for p in trainable)


def test_a_new_adapter_changes_nothing_and_depends_on_its_seed_alone(expert):
    base = run(expert)
    add_lora(expert, 4, seed=7)
    first = lora_state(expert)
    assert torch.equal(run(expert), base)
    assert all(first[k].abs().sum() == 0 for k in first if "lora_B" in k)
    remove_lora(expert)
    torch.manual_seed(123)
    before = torch.get_rng_state()
    add_lora(expert, 4, seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[k], v) for k, v in lora_state(expert).items())
    remove_lora(expert)
    add_lora(expert, 4, seed=8)
    assert not torch.equal(
        first["diffusion_model.blocks.0.ffn.0.lora_A.weight"], lora_state(expert)["diffusion_model.blocks.0.ffn.0.lora_A.weight"]
    )


def test_half_precision_experts_get_fp32_adapters(tiny_base):
    model = load_expert(tiny_base, "high_noise", dtype=torch.bfloat16, device="cpu")
    add_lora(model, 4, seed=0)
    assert all(p.dtype == torch.float32 for p in trainable_lora(model).values())


def test_switched_off_and_removed_it_is_the_base_to_the_last_bit(expert, state):
    base = run(expert)
    apply_lora(expert, state, 0.7)
    with lora_off(expert):
        assert torch.equal(run(expert), base)
    assert not torch.equal(run(expert), base)
    set_strength(expert, 0.0)
    assert torch.equal(run(expert), base)
    remove_lora(expert)
    assert torch.equal(run(expert), base)


def test_lora_off_leaves_trainable_what_was_trainable(expert, state):
    add_lora(expert, 4, seed=0)
    with lora_off(expert):
        pass
    assert all(p.requires_grad for p in trainable_lora(expert).values())
    apply_lora(expert, state)
    with lora_off(expert):
        pass
    assert not any(p.requires_grad for p in expert.parameters())


def test_a_saved_file_gives_the_same_state_and_metadata(expert, state, tmp_path):
    save_lora_file(tmp_path / "a.safetensors", state, {"step": "20"})
    read, metadata = read_lora_file(tmp_path / "a.safetensors")
    assert metadata["step"] == "20"
    assert read.keys() == state.keys() and all(torch.equal(read[k], state[k]) for k in state)
    add_lora(expert, 4, seed=0)
    load_lora_state(expert, read)
    assert all(torch.equal(v, state[k]) for k, v in lora_state(expert).items())


@pytest.mark.parametrize("strength", [1.0, 0.7])
def test_a_pair_of_files_draws_the_same_in_stock_diffusers(tiny_base, tmp_path, strength):
    pipeline = load_pipeline(tiny_base)
    for expert, part, options in (("high_noise", "transformer", {}), ("low_noise", "transformer_2", {"load_into_transformer_2": True})):
        ours = load_expert(tiny_base, expert, dtype=torch.float32, device="cpu")
        state, base = make_state(ours, seed=len(part)), run(ours)
        save_lora_file(tmp_path / f"{expert}.safetensors", state, {})
        pipeline.load_lora_weights(tmp_path / f"{expert}.safetensors", adapter_name=f"stock_{expert}", **options)
        getattr(pipeline, part).set_adapters([f"stock_{expert}"], [strength])
        apply_lora(ours, state, strength)
        assert not torch.equal(run(ours), base)
        assert torch.equal(run(getattr(pipeline, part)), run(ours))


@pytest.mark.parametrize(
    "pattern",
    [
        lambda n, ours, theirs, p: f"transformer.blocks.{n}.{theirs}.lora_{p}.weight",
        lambda n, ours, theirs, p: f"diffusion_model.blocks.{n}.{ours}.lora_{p}.default.weight",
        lambda n, ours, theirs, p: f"blocks.{n}.{ours}.lora_{p}.default.weight",
        lambda n, ours, theirs, p: f"base_model.model.blocks.{n}.{theirs}.lora_{p}.weight",
        lambda n, ours, theirs, p: f"diffusion_model.blocks.{n}.{ours}.lora_{'down' if p == 'A' else 'up'}.weight",
    ],
)
def test_other_trainers_names_are_read(state, tmp_path, pattern):
    safetensors.torch.save_file(rename(state, pattern), tmp_path / "other.safetensors")
    read, _ = read_lora_file(tmp_path / "other.safetensors")
    assert read.keys() == state.keys() and all(torch.equal(read[k], state[k]) for k in state)


def test_a_musubi_file_is_scaled_by_its_alpha(expert, state, tmp_path):
    file = rename(
        state, lambda n, ours, theirs, p: f"lora_unet_blocks_{n}_{ours.replace('.', '_')}.lora_{'down' if p == 'A' else 'up'}.weight"
    )
    alphas = {k.replace("lora_down.weight", "alpha"): torch.tensor(1.0) for k in file if "lora_down" in k}
    safetensors.torch.save_file(file | alphas, tmp_path / "musubi.safetensors")
    read, _ = read_lora_file(tmp_path / "musubi.safetensors")
    apply_lora(expert, read, 1.0)
    scaled = run(expert)
    apply_lora(expert, state, 1.0 / 4)  # alpha 1 at rank 4
    torch.testing.assert_close(scaled, run(expert), rtol=1e-5, atol=1e-6)


def test_a_lora_of_fewer_layers_and_lower_ranks_changes_only_those(expert, state):
    base = run(expert)
    key = "diffusion_model.blocks.1.ffn.0.lora_"
    some = {f"{key}A.weight": state[f"{key}A.weight"], f"{key}B.weight": state[f"{key}B.weight"]}
    apply_lora(expert, some)
    alone = run(expert)
    assert not torch.equal(alone, base)
    other = "diffusion_model.blocks.2.ffn.0.lora_"
    mixed = some | {f"{other}A.weight": torch.zeros(9, 192), f"{other}B.weight": torch.zeros(768, 9)}
    apply_lora(expert, mixed)
    torch.testing.assert_close(run(expert), alone)


def test_one_lora_after_another_leaves_nothing_of_the_first(expert, state):
    other = make_state(expert, seed=9)
    some = {key: tensor for key, tensor in other.items() if ".blocks.1." in key}
    apply_lora(expert, some)
    alone = run(expert)
    apply_lora(expert, state, 0.5)
    apply_lora(expert, some)
    assert torch.equal(run(expert), alone)


def test_files_that_are_no_wan_lora_get_a_sentence(tmp_path):
    path = tmp_path / "x.safetensors"
    unet = {"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": torch.zeros(4, 8)}
    for tensors in (unet, {"weight": torch.zeros(2)}, {}):
        safetensors.torch.save_file(tensors, path)
        with pytest.raises(Problem, match="not a LoRA for WAN"):
            read_lora_file(path)
    path.write_bytes(path.read_bytes()[:5])
    with pytest.raises(Problem, match="cut off or no safetensors"):
        read_lora_file(path)
    with pytest.raises(Problem, match="no file"):
        read_lora_file(tmp_path / "absent.safetensors")
    (tmp_path / "x.pt").write_bytes(b"x")
    with pytest.raises(Problem, match="can hold programs"):
        read_lora_file(tmp_path / "x.pt")


def test_cut_off_incomplete_or_broken_files_are_named(state, tmp_path):
    path = tmp_path / "anna.safetensors"
    save_lora_file(path, state, {})
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(Problem, match=r"anna\.safetensors cannot be read"):
        read_lora_file(path)
    key = "diffusion_model.blocks.0.self_attn.q.lora_B.weight"
    save_lora_file(path, {k: v for k, v in state.items() if k != key}, {})
    with pytest.raises(Problem, match=r"blocks.0.self_attn.q has only one"):
        read_lora_file(path)
    save_lora_file(path, state | {key: state[key] * float("nan")}, {})
    with pytest.raises(Problem, match="not finite"):
        read_lora_file(path)
    save_lora_file(path, state | {"diffusion_model.head.head.lora_A.weight": torch.zeros(4, 8)}, {})
    with pytest.raises(Problem, match=r"head\.head"):
        read_lora_file(path)


def test_a_lora_of_another_base_model_is_refused_and_leaves_the_base(expert, state):
    base = run(expert)
    key = "diffusion_model.blocks.0.self_attn.q.lora_A.weight"
    with pytest.raises(Problem, match=r"blocks.0.self_attn.q.lora_A.weight is \(4, 5120\)"):
        apply_lora(expert, state | {key: torch.zeros(4, 5120)})
    with pytest.raises(Problem, match=r"blocks\.39"):
        apply_lora(expert, state | {key.replace(".0.", ".39."): state[key]})
    assert torch.equal(run(expert), base)
    add_lora(expert, 4, seed=0)
    with pytest.raises(Problem, match="incomplete"):
        load_lora_state(expert, {key: state[key]})


def test_equal_loras_are_equal_files(tmp_path):
    """Sweeps recognise a pair by its file's hash; the library writes metadata in an order that changes from call to call."""
    state = {f"diffusion_model.blocks.{i}.self_attn.q.lora_{p}.weight": torch.ones(2, 2) * i for i in range(3) for p in "AB"}
    metadata = {f"key_{i}": str(i) for i in range(8)}
    written = set()
    for i in range(8):
        save_lora_file(tmp_path / f"{i}.safetensors", state, metadata)
        written.add((tmp_path / f"{i}.safetensors").read_bytes())
    assert len(written) == 1
    tensors, found = read_lora_file(tmp_path / "0.safetensors")
    assert found == metadata | {"format": "pt"}
    assert all(torch.equal(tensors[key], value) for key, value in state.items())
