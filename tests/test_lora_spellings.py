"""Other people's LoRA files: every spelling means the same change of weights, at its own strength, and what is not used is named."""

import json
import shutil

import pytest
import torch
from lora_kit import FFN, LAYERS, RANK, WIDTH, deltas, deltas_of, dotted, header, joined, make_matrices, spell, write
from model_kit import load_pipeline
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file

from studio import cli
from studio.errors import Problem
from studio.models.loading import load_expert
from studio.models.lora import apply_lora, remove_lora
from studio.models.loras.reading import read_lora, read_lora_file

DEFAULT = ("lora_A.default.weight", "lora_B.default.weight")
KOHYA = ("lora_down.weight", "lora_up.weight")
SPELLINGS = {
    "ComfyUI, AI Toolkit, diffusion-pipe": dotted("diffusion_model."),
    "ComfyUI's extracted": dotted("diffusion_model.", ends=KOHYA),
    "ComfyUI, whole checkpoint": dotted("model.diffusion_model."),
    "DiffSynth": dotted(""),
    "DiffSynth, default": dotted("", ends=DEFAULT),
    "DiffSynth, dit": dotted("dit."),
    "DiffSynth, pipe": dotted("pipe.dit.", ends=DEFAULT),
    "DiffSynth, module": dotted("module."),
    "compiled": dotted("_orig_mod."),
    "diffusers": dotted("transformer.", theirs=True),
    "diffusers, adapter's own name": dotted("transformer.", theirs=True, ends=("lora_A.anna-v2.weight", "lora_B.anna-v2.weight")),
    "diffusers, old": dotted("transformer.", theirs=True, ends=("lora.down.weight", "lora.up.weight")),
    "diffusers, unet": dotted("unet.", theirs=True),
    "peft": dotted("base_model.model.", theirs=True),
    "peft, makers' names": dotted("base_model.model."),
    "peft, wrapped": dotted("base_model.model.transformer.", theirs=True),
    "peft, no weight": dotted("base_model.model.", ends=("lora_A", "lora_B")),
    "OneTrainer": dotted("transformer.", theirs=True, ends=KOHYA),
    "OneTrainer, kohya's": joined("lora_transformer_", theirs=True),
    "musubi": joined("lora_unet_"),
    "musubi, diffusers' names": joined("lora_unet_", theirs=True),
    "WAN Fun": joined("lora_unet__"),
    "lycoris": joined("lycoris_", theirs=True),
    "small letters": dotted("diffusion_model.", ends=("lora_a.weight", "lora_b.weight")),
    "an unknown wrapper": dotted("my_net."),
}


def assert_means(lora, matrices, factor=1.0):
    found, expected = deltas_of(lora.state), deltas(matrices, factor)
    assert found.keys() == expected.keys()
    for place, delta in expected.items():
        torch.testing.assert_close(found[place], delta, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_means_the_same_change_of_weights(name, tmp_path):
    matrices = make_matrices()
    found = read_lora(write(tmp_path / "one.safetensors", spell(matrices, SPELLINGS[name])))
    (lora,) = found.loras
    assert_means(lora, matrices)
    assert (lora.rank, lora.factors, lora.expert, found.refused) == (RANK, (1.0, 1.0), "", ())
    assert any("my_net" in note for note in found.notes) == (name == "an unknown wrapper")


@pytest.mark.parametrize("alpha", [torch.tensor(2.0), torch.tensor([1.0]), torch.tensor(8.0, dtype=torch.bfloat16), torch.tensor([[16]])])
@pytest.mark.parametrize("name", ["musubi", "OneTrainer", "WAN Fun", "ComfyUI's extracted", "lycoris"])
def test_alpha_tensors_count_whatever_their_shape(name, alpha, tmp_path):
    matrices = make_matrices()
    (lora,) = read_lora(write(tmp_path / "one.safetensors", spell(matrices, SPELLINGS[name], alpha))).loras
    assert_means(lora, matrices, float(alpha) / RANK)
    assert lora.factors == (float(alpha) / RANK,) * 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float8_e4m3fn])
def test_other_number_formats_are_read_as_they_are(dtype, tmp_path):
    stored = {key: tensor.to(dtype) for key, tensor in spell(make_matrices(), dotted("diffusion_model.")).items()}
    found = read_lora(write(tmp_path / "one.safetensors", stored))
    assert found.form == {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float8_e4m3fn: "fp8"}[dtype]
    assert all(torch.equal(found.loras[0].state[key], tensor.float()) for key, tensor in stored.items())


def test_alpha_in_the_header_counts_with_the_patterns_for_single_layers(tmp_path):
    matrices = make_matrices()
    tensors = spell(matrices, dotted("transformer.", theirs=True))
    words = {"r": 4, "lora_alpha": 8, "alpha_pattern": {"blocks.1.attn1.to_q": 2, r"ffn\.net\.\d+": 1}, "rank_pattern": {}}
    found = read_lora(write(tmp_path / "one.safetensors", tensors, header(transformer=words)))
    read, once = deltas_of(found.loras[0].state), deltas(matrices)
    for (block, layer), delta in read.items():
        alpha = {(1, "self_attn.q"): 2, (0, "ffn.2"): 1, (1, "ffn.2"): 1}.get((block, layer), 8)  # `ffn.net.0.proj` does not end there
        torch.testing.assert_close(delta, once[block, layer] * alpha / RANK, rtol=1e-5, atol=1e-8)
    assert any("ComfyUI does not read it" in note for note in found.notes)
    rooted = read_lora(write(tmp_path / "root.safetensors", tensors, header(transformer={"r": 4, "lora_alpha": 8, "use_rslora": True})))
    assert_means(rooted.loras[0], matrices, 8 / RANK**0.5)


def test_what_diffusers_itself_saves_is_as_strong_here_as_there(tmp_path, tiny_base):
    """Saved by stock diffusers with ranks and alphas of single layers; the output of stock diffusers is the judge."""
    pipeline, model = load_pipeline(tiny_base), load_expert(tiny_base, "high_noise", dtype=torch.float32, device="cpu")
    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=["to_q", "net.2"],
        rank_pattern={"blocks.0.attn1.to_q": 2},
        alpha_pattern={"blocks.2.attn1.to_q": 1},
    )
    pipeline.transformer.add_adapter(config, "person")
    generator = torch.Generator().manual_seed(5)
    for name, p in pipeline.transformer.named_parameters():
        if "lora_" in name:
            p.data.copy_(torch.randn(p.shape, generator=generator) * 0.1)
    configs = {"transformer_lora_adapter_metadata": pipeline.transformer.peft_config["person"].to_dict()}
    layers = get_peft_model_state_dict(pipeline.transformer, adapter_name="person")
    pipeline.save_lora_weights(tmp_path, transformer_lora_layers=layers, **configs)
    found = read_lora(tmp_path / "pytorch_lora_weights.safetensors")
    apply_lora(model, found.loras[0].state)
    with torch.no_grad():
        torch.testing.assert_close(run(model), run(pipeline.transformer), rtol=1e-4, atol=1e-5)
    assert found.loras[0].bases == ("tiny",) and {layer.rank for layer in found.loras[0].layers} == {2, 4}


def test_a_config_beside_pefts_file_counts(tmp_path):
    matrices = make_matrices()
    path = write(tmp_path / "adapter_model.safetensors", spell(matrices, dotted("base_model.model.")))
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 2, "peft_type": "LORA"}), encoding="utf-8")
    found = read_lora(path)
    assert_means(found.loras[0], matrices, 0.5)
    (tmp_path / "adapter_config.json").write_text('{"r": 4, "lora_alpha": 2, "use_dora": true}', encoding="utf-8")
    assert [entry.method for entry in read_lora(path).refused] == ["DoRA"]
    (tmp_path / "adapter_config.json").write_text('{"lora_alpha": "many"}', encoding="utf-8")
    with pytest.raises(Problem, match=r"stands in adapter_config\.json beside it, and can't be read"):
        read_lora(path)


def test_a_record_of_the_trainings_alpha_is_told_and_not_applied(tmp_path):
    matrices = make_matrices()
    found = read_lora(write(tmp_path / "one.safetensors", spell(matrices, dotted("diffusion_model.")), {"ss_network_alpha": "1"}))
    assert_means(found.loras[0], matrices)
    assert any("ss_network_alpha = 1" in note for note in found.notes)


@pytest.mark.parametrize("pattern", ["(a+)+b", "x" * 300, ".*.*.*.*.*y", "("])
def test_a_pattern_that_could_take_for_ever_is_refused(pattern, tmp_path):
    tensors = spell(make_matrices(), dotted("transformer.", theirs=True))
    path = write(tmp_path / "one.safetensors", tensors, header(transformer={"r": 4, "lora_alpha": 8, "alpha_pattern": {pattern: 1}}))
    with pytest.raises(Problem, match="can't be read"):
        read_lora(path)


PAIRS = {
    "diffusers": (dotted("transformer.", theirs=True), dotted("transformer_2.", theirs=True)),
    "AI Toolkit": (dotted("diffusion_model.transformer_1."), dotted("diffusion_model.transformer_2.")),
    "DiffSynth": (dotted("pipe.dit."), dotted("pipe.dit2.")),
    "WAN's folders": (dotted("high_noise_model."), dotted("low_noise_model.")),
    "OneTrainer": (joined("lora_transformer_", theirs=True), joined("lora_transformer_2_", theirs=True)),
    "kohya's": (joined("lora_unet_high_noise_"), joined("lora_unet_low_noise_")),
}


@pytest.mark.parametrize("name", PAIRS)
def test_a_whole_pair_in_one_file_is_two_loras(name, tmp_path):
    matrices = make_matrices(seed=1), make_matrices(seed=2)
    tensors = spell(matrices[1], PAIRS[name][1]) | spell(matrices[0], PAIRS[name][0])
    path = write(tmp_path / "pair.safetensors", tensors)
    found = read_lora(path)
    assert [lora.expert for lora in found.loras] == ["high_noise", "low_noise"]
    for lora, its in zip(found.loras, matrices, strict=True):
        assert_means(lora, its)
    with pytest.raises(Problem, match="holds a whole pair"):
        read_lora_file(path)


def test_each_half_of_a_pair_has_the_strength_that_its_own_header_says(tmp_path):
    high, low = make_matrices(seed=1), make_matrices(seed=2)
    tensors = spell(high, PAIRS["diffusers"][0]) | spell(low, PAIRS["diffusers"][1])
    words = header(transformer={"r": 4, "lora_alpha": 8}, transformer_2={"r": 4, "lora_alpha": 1})
    found = read_lora(write(tmp_path / "pair.safetensors", tensors, words))
    assert_means(found.loras[0], high, 2.0)
    assert_means(found.loras[1], low, 0.25)


@pytest.mark.parametrize(
    ("name", "spelling", "metadata", "expert"),
    [
        ("anna_HIGH_noise.safetensors", dotted("diffusion_model."), {}, "high_noise"),
        ("anna_low.safetensors", dotted("transformer.", theirs=True), {}, "low_noise"),
        ("anna.safetensors", dotted("transformer_2.", theirs=True), {}, "low_noise"),
        ("anna.safetensors", dotted("diffusion_model."), {"expert": "high_noise"}, "high_noise"),
        ("anna.safetensors", dotted("transformer.", theirs=True), {}, ""),
        ("anna_high.safetensors", dotted("transformer_2.", theirs=True), {}, "low_noise"),
    ],
)
def test_which_expert_a_file_is_for_is_told_with_what_tells_it(name, spelling, metadata, expert, tmp_path):
    found = read_lora(write(tmp_path / name, spell(make_matrices(), spelling), metadata))
    assert found.loras[0].expert == expert and bool(found.loras[0].told_by) == bool(expert)
    disagrees = "high" in name and expert == "low_noise"
    assert any("file name says high noise" in note for note in found.notes) == disagrees


def plain():
    return spell(make_matrices(), dotted("diffusion_model."))


UNUSED = {
    "bias": ({"diffusion_model.blocks.0.self_attn.q.diff_b": torch.ones(WIDTH)}, 1, r"changes? of biases as they are \(\.diff_b\)"),
    "weight": ({"diffusion_model.blocks.0.norm3.diff": torch.ones(WIDTH)}, 1, r"\(\.diff\)"),
    "DoRA": ({"diffusion_model.blocks.0.self_attn.q.dora_scale": torch.ones(WIDTH, 1)}, 3, "DoRA"),
    "peft's DoRA": ({"diffusion_model.blocks.1.ffn.0.lora_magnitude_vector.weight": torch.ones(FFN)}, 3, "DoRA"),
    "LoKr beside it": ({"lycoris_blocks_0_attn1_to_q.lokr_w1": torch.ones(2, 2)}, 1, "LoKr"),
    "LoHa beside it": ({"lora_unet_blocks_0_self_attn_q.hada_w1_a": torch.ones(2, 2)}, 1, "LoHa"),
    "k_img": ({"diffusion_model.blocks.0.cross_attn.k_img.lora_A.weight": torch.ones(4, WIDTH)}, 1, "WAN 2.1 image-to-video"),
    "VACE": ({"diffusion_model.vace_blocks.0.self_attn.q.lora_A.weight": torch.ones(4, WIDTH)}, 1, "VACE"),
    "head": ({"diffusion_model.head.head.lora_A.weight": torch.ones(4, WIDTH)}, 1, "outside attention and feed-forward"),
    "text": ({"lora_te1_encoder_layers_0_self_attn_q.lora_down.weight": torch.ones(4, WIDTH)}, 1, "text encoder"),
    "alone": ({"diffusion_model.blocks.7.self_attn.q.alpha": torch.tensor(4.0)}, 1, "no matrices"),
    "nonsense": ({"something": torch.ones(4)}, 1, "no matrix of a LoRA"),
}


@pytest.mark.parametrize("name", UNUSED)
def test_what_is_not_used_is_named_and_never_dropped_in_silence(name, tmp_path):
    more, count, words = UNUSED[name]
    path = write(tmp_path / "one.safetensors", plain() | more)
    found = read_lora(path)
    assert len(found.refused) == count and set(more) <= {entry.key for entry in found.refused}
    with pytest.raises(Problem, match=words):
        read_lora_file(path)


def test_a_base_model_is_told_without_reading_its_weights(tiny_base):
    for part, kind in (("transformer", "expert"), ("vae", "vae")):
        with pytest.raises(Problem, match=f"is not a LoRA: it is the {kind} of a base model"):
            read_lora(next((tiny_base.folder / part).glob("*.safetensors")))


def test_changes_that_are_all_zero_are_left_out_with_a_word(tmp_path):
    found = read_lora(write(tmp_path / "one.safetensors", plain() | {"diffusion_model.blocks.0.norm3.diff": torch.zeros(WIDTH)}))
    assert not found.refused and any("all zero" in note for note in found.notes)


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"lycoris_blocks_0_attn1_to_q.lokr_w1": torch.ones(2, 2)}, "holds LoKr"),
        ({"lora_unet_blocks_0_self_attn_q.hada_w1_a": torch.ones(2, 2)}, "holds LoHa"),
        ({"transformer.double_blocks.0.img_attn.qkv.lora_A.weight": torch.ones(4, 8)}, "FLUX"),
        ({"transformer_blocks.0.attn1.to_q.lora_A.weight": torch.ones(4, 8)}, "Qwen-Image, LTX-Video"),
        ({"lora_transformer_transformer_blocks_0_attn1_to_q.lora_down.weight": torch.ones(4, 8)}, "Qwen-Image, LTX-Video"),
        ({"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": torch.zeros(4, 8)}, "SDXL"),
        ({"diffusion_model.head.head.lora_A.weight": torch.ones(4, 8)}, "outside attention"),
        ({}, "it is empty"),
    ],
)
def test_files_of_which_nothing_can_be_used_are_refused_by_name(tensors, words, tmp_path):
    with pytest.raises(Problem, match=words):
        read_lora(write(tmp_path / "one.safetensors", tensors))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t, a: t | {a: t[a] * float("inf")}, "not finite in blocks.0.self_attn.q"),
        (lambda t, a: t | {a: t[a][:2]}, r"matrices of blocks\.0\.self_attn\.q do not fit"),
        (lambda t, a: {k: v for k, v in t.items() if k != a}, "has only one of its two matrices"),
        (lambda t, a: t | {a: t[a].to(torch.int8)}, "stored as torch.int8"),
        (lambda t, a: t | {"lora_unet_blocks_0_self_attn_q.lora_down.weight": t[a].clone()}, "the same matrix twice"),
        (lambda t, a: t | {a.replace("lora_A.weight", "alpha"): torch.tensor(float("nan"))}, "is no strength"),
        (lambda t, a: t | {a.replace("lora_A.weight", "alpha"): torch.ones(3)}, "is no strength"),
    ],
)
def test_damage_is_named_with_its_layer(change, words, tmp_path):
    path = write(tmp_path / "one.safetensors", change(plain(), "diffusion_model.blocks.0.self_attn.q.lora_A.weight"))
    with pytest.raises(Problem, match=words):
        read_lora(path)


def test_a_suffix_in_capitals_and_matrices_saved_as_convolutions_are_read(tmp_path):
    matrices = make_matrices()
    tensors = {
        key: t[:, :, None, None] if t.ndim == 2 else t for key, t in spell(matrices, joined("lora_unet_"), torch.tensor(4.0)).items()
    }
    assert_means(read_lora(write(tmp_path / "ONE.SAFETENSORS", tensors)).loras[0], matrices)


@pytest.mark.parametrize(("width", "ffn", "blocks", "bases"), [(192, 768, 6, ("tiny",)), (192, 768, 7, ()), (8, 12, 1, ())])
def test_the_base_models_that_have_all_its_layers_are_named(width, ffn, blocks, bases, tmp_path):
    tensors = spell(make_matrices(blocks, 1, width, ffn), dotted("diffusion_model."))
    assert read_lora(write(tmp_path / "one.safetensors", tensors)).loras[0].bases == bases


@pytest.mark.parametrize(
    ("width", "ffn", "block", "fits"),
    [
        (5120, 13824, 39, {"wan22-t2v-a14b", "wan22-i2v-a14b"}),
        (3072, 14336, 29, {"wan22-ti2v-5b"}),
        (1536, 8960, 29, {"wan21-t2v-1.3b"}),
        (3072, 14336, 30, set()),
    ],
)
def test_files_of_the_other_wan_models_are_told_apart_by_their_shapes(width, ffn, block, fits, tmp_path):
    tensors = spell({(block, "ffn.0"): (torch.ones(1, width), torch.ones(ffn, 1))}, dotted("diffusion_model."))
    (lora,) = read_lora(write(tmp_path / "one.safetensors", tensors)).loras
    assert set(lora.bases) == fits
    assert bool(lora.why_not("wan22-t2v-a14b")) == ("wan22-t2v-a14b" not in fits)


@torch.no_grad()
def run(model):
    generator = torch.Generator().manual_seed(1)
    x, prompt = torch.randn(1, 12, 1, 8, 8, generator=generator), torch.randn(1, 12, 64, generator=generator)
    return model(hidden_states=x, timestep=torch.tensor([950.0]), encoder_hidden_states=prompt, return_dict=False)[0]


def test_the_tiny_models_output_changes_by_what_the_weights_change(tiny_base, tmp_path):
    """The judge adds alpha / rank times B A to the weights themselves."""
    matrices = make_matrices(6, 3, 192, 768)
    model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu")
    files = {
        "musubi": write(tmp_path / "a.safetensors", spell(matrices, joined("lora_unet_"), torch.tensor(1.5))),
        "header": write(
            tmp_path / "b.safetensors",
            spell(matrices, dotted("transformer.", theirs=True)),
            header(transformer={"r": 3, "lora_alpha": 1.5}),
        ),
    }
    outputs = {}
    for name, path in files.items():
        apply_lora(model, read_lora_file(path)[0])
        outputs[name] = run(model)
        remove_lora(model)
    base = run(model)
    for (block, layer), delta in deltas(matrices, 0.5).items():
        model.get_submodule(f"blocks.{block}.{LAYERS[layer]}").weight += delta.float()
    expected = run(model)
    assert (expected - base).abs().max() > 0.1
    for output in outputs.values():
        torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-4)


# -- the command


def test_the_command_says_what_is_in_files_and_goes_on_behind_one_that_it_cannot_read(tmp_path, workspace, capsys):
    pair = write(
        tmp_path / "pair.safetensors", spell(make_matrices(), PAIRS["diffusers"][0]) | spell(make_matrices(), PAIRS["diffusers"][1])
    )
    lokr = write(tmp_path / "lokr.safetensors", {"lycoris_blocks_0_attn1_to_q.lokr_w1": torch.ones(2, 2)})
    assert cli.main(["lora", str(lokr), str(pair), "--home", str(workspace.home)]) == 2
    said = capsys.readouterr()
    assert "holds LoKr" in said.out and "For the low noise expert" in said.out and "rank 4" in said.out
    assert cli.main(["lora", str(pair), "--json", "--home", str(workspace.home)]) == 0
    (file,) = json.loads(capsys.readouterr().out)["files"]
    assert [lora["expert"] for lora in file["loras"]] == ["high_noise", "low_noise"]


def test_the_command_makes_two_files_of_a_pair_that_comfyui_and_the_studio_read(tmp_path, workspace, capsys):
    high, low = make_matrices(seed=1), make_matrices(seed=2)
    tensors = spell(high, PAIRS["AI Toolkit"][0], torch.tensor(2.0)) | spell(low, PAIRS["AI Toolkit"][1])
    path, made = write(tmp_path / "anna v2.safetensors", tensors), tmp_path / "out"
    assert cli.main(["lora", str(path), "--write", str(made), "--home", str(workspace.home)]) == 0
    for expert, matrices, factor in (("high_noise", high, 0.5), ("low_noise", low, 1.0)):
        written = read_lora(made / f"anna v2_{expert}.safetensors")
        assert_means(written.loras[0], matrices, factor)
        assert written.loras[0].expert == expert and "diffusion_model.blocks.0.ffn.0.lora_A.weight" in load_file(written.path)
    before = {p: p.read_bytes() for p in made.iterdir()}
    assert cli.main(["lora", str(path), "--write", str(made), "--home", str(workspace.home)]) == 2
    assert "is there already" in capsys.readouterr().err and before == {p: p.read_bytes() for p in made.iterdir()}
    shutil.rmtree(made)
    bias = write(tmp_path / "bias.safetensors", tensors | {"diffusion_model.blocks.0.self_attn.q.diff_b": torch.ones(WIDTH)})
    assert cli.main(["lora", str(bias), "--write", str(made), "--home", str(workspace.home)]) == 2
    assert ".diff_b" in capsys.readouterr().err and not made.exists()
