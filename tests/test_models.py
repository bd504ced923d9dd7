"""The catalogue and the loading of base models: the embedded one for real, the 14 B one by its true shapes."""

import dataclasses
import json
import os
import shutil
import struct
import subprocess
import sys

import pytest
import torch
from diffusers import WanTransformer3DModel
from model_kit import check_weights, load_pipeline
from safetensors.torch import save

from studio.config import EXPERTS, SweepConfig, TrainConfig
from studio.errors import Problem
from studio.models import catalogue
from studio.models.catalogue import describe_model, find_model, link_model
from studio.models.files.folders import check_folder
from studio.models.files.weight_files import stored_weights
from studio.models.files.weights import count_parameters
from studio.models.loading import (
    dtype_of,
    load_expert,
    load_expert_on_meta,
    load_text_encoder,
    load_vae,
    release,
)
from studio.models.lora import add_lora, trainable_lora
from studio.models.presence import Presence
from studio.models.preset import list_models, model_preset
from studio.tiny.denoiser import TRANSFORMER
from studio.training.step.block_pass import Pass, begin_pass

A14B = "wan22-t2v-a14b"
A14B_CONFIG = {  # Wan-AI/Wan2.2-T2V-A14B-Diffusers, transformer/config.json
    "_class_name": "WanTransformer3DModel",
    "added_kv_proj_dim": None,
    "attention_head_dim": 128,
    "cross_attn_norm": True,
    "eps": 1e-06,
    "ffn_dim": 13824,
    "freq_dim": 256,
    "image_dim": None,
    "in_channels": 16,
    "num_attention_heads": 40,
    "num_layers": 40,
    "out_channels": 16,
    "patch_size": [1, 2, 2],
    "pos_embed_seq_len": None,
    "qk_norm": "rms_norm_across_heads",
    "rope_max_seq_len": 1024,
    "text_dim": 4096,
}
PARAMETERS = 14_288_491_584


def write_headers(folder, stem, shapes, num_files, itemsize=4):
    """Safetensors shards that have true headers and sparse bodies, empty but for the folder's name."""
    folder.mkdir(parents=True, exist_ok=True)
    keys, where = sorted(shapes), {}
    for n in range(num_files):
        name = f"{stem}-{n + 1:05d}-of-{num_files:05d}.safetensors"
        header, end = {}, 0
        for key in keys[n::num_files]:
            size = torch.Size(shapes[key]).numel() * itemsize
            header[key] = {"dtype": "F32", "shape": list(shapes[key]), "data_offsets": [end, end + size]}
            end, where[key] = end + size, name
        text = json.dumps(header).encode()
        with open(folder / name, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text)
            file.truncate(8 + len(text) + end)
            file.seek(-16, 2)
            file.write(folder.name.encode()[:16])
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": where}))


def write_json(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))


@pytest.fixture(scope="module")
def shapes():
    with torch.device("meta"):
        return {
            k: tuple(p.shape) for k, p in WanTransformer3DModel(**{k: v for k, v in A14B_CONFIG.items() if k[0] != "_"}).named_parameters()
        }


@pytest.fixture
def big_folder(tmp_path, shapes):
    """A WAN 2.2 A14B folder in which everything is true but the weights' values."""
    folder = tmp_path / "Wan2.2-T2V-A14B-Diffusers"
    index = {"_class_name": "WanPipeline", "boundary_ratio": 0.875, "transformer": ["diffusers", "WanTransformer3DModel"]}
    write_json(folder / "model_index.json", index | {"transformer_2": index["transformer"]})
    for sub in ("transformer", "transformer_2"):
        write_json(folder / sub / "config.json", A14B_CONFIG)
        write_headers(folder / sub, "diffusion_pytorch_model", shapes, 12)
    write_json(folder / "vae/config.json", {"z_dim": 16, "scale_factor_spatial": 8, "scale_factor_temporal": 4})
    (folder / "vae/diffusion_pytorch_model.safetensors").write_bytes(save({"decoder.conv_in.bias": torch.zeros(384)}))
    write_json(folder / "text_encoder/config.json", {"d_model": 4096})
    write_headers(folder / "text_encoder", "model", {"shared.weight": (256384, 4096)}, 1)
    write_json(folder / "tokenizer/tokenizer_config.json", {})
    write_json(folder / "tokenizer/tokenizer.json", {})
    write_json(folder / "scheduler/scheduler_config.json", {})
    return folder


def test_the_catalogue_works_without_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from studio.workspace import Workspace; from studio.models import catalogue as c\n"
        "w = Workspace(Path(sys.argv[1])); print(c.list_models(), [c.describe_model(n, w) for n in c.list_models()])\n"
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    assert not list(tmp_path.rglob("*"))  # describing builds nothing


def test_every_model_preset_makes_valid_settings():
    for name in list_models():
        preset = model_preset(name)
        assert isinstance(preset.train_config, TrainConfig) and isinstance(preset.sweep_config(), SweepConfig)
        assert sum(expert.share or 0.5 for expert in preset.experts) == 1 and not preset.unknown and not preset.shape.unknown


@pytest.mark.parametrize("name", list_models())
def test_the_planners_facts_are_the_models_true_measures(name, shapes):
    preset = model_preset(name)
    with torch.device("meta"):
        model = WanTransformer3DModel(**preset.expect | (TRANSFORMER if name == "tiny" else {}))
    facts = preset.shape
    assert facts.parameters_per_expert == sum(p.numel() for p in model.parameters())
    assert facts.block_parameters == sum(p.numel() for p in model.blocks[0].parameters())
    assert (facts.num_blocks, facts.hidden, facts.ffn) == (
        len(model.blocks),
        model.patch_embedding.out_channels,
        model.config.ffn_dim,
    )
    add_lora(model, 1, seed=0)
    assert facts.lora_parameters_per_rank == sum(p.numel() for p in trainable_lora(model).values())


def test_the_tiny_model_describes_itself(tiny_base):
    assert tiny_base.boundary == 0.875 and tiny_base.experts == EXPERTS and tiny_base.fps == 16
    assert (tiny_base.spatial_factor, tiny_base.temporal_factor, tiny_base.patch_size) == (4, 4, (1, 2, 2))
    assert (tiny_base.latent_channels, tiny_base.num_blocks, tiny_base.size_multiple) == (12, 6, 8)
    assert tiny_base.latent_shape(9, 64, 48) == (12, 3, 16, 12)
    assert (tiny_base.captioner / "config.json").is_file()
    assert len(tiny_base.key) == 16


def test_frame_counts_and_sizes_that_cannot_be_made_name_the_nearest(tiny_base):
    tiny_base.check_num_frames(1)
    tiny_base.check_num_frames(81)
    with pytest.raises(ValueError, match=r"4n \+ 1, got 16; try 17"):
        tiny_base.check_num_frames(16)
    with pytest.raises(ValueError, match="try 1"):
        tiny_base.check_num_frames(0)
    with pytest.raises(ValueError, match=r"width must be a multiple of 8 px .* got 65; try 64"):
        tiny_base.latent_shape(9, 64, 65)


def test_noise_levels_belong_to_one_expert_each(tiny_base):
    assert [tiny_base.expert_of(s) for s in (1.0, 0.875, 0.8749, 0.0)] == ["high_noise", "high_noise", "low_noise", "low_noise"]
    assert tiny_base.sigma_range("high_noise") == (0.875, 1.0) and tiny_base.sigma_range("low_noise") == (0.0, 0.875)


def test_the_key_changes_with_the_weights(tiny_base, tmp_path):
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(tiny_base.folder, copy)
    same = dataclasses.replace(tiny_base, folder=copy)
    assert same.key == tiny_base.key
    with open(copy / "vae/diffusion_pytorch_model.safetensors", "ab") as file:
        file.write(b"0")
    assert dataclasses.replace(tiny_base, folder=copy).key != tiny_base.key


def test_an_unknown_model_names_the_nearest(workspace):
    with pytest.raises(Problem) as e:
        find_model("tinny", workspace)
    assert "tiny" in e.value.fix


def test_the_pipelines_experts_are_ours(tiny_base):
    pipeline = load_pipeline(tiny_base)
    for expert, theirs in (("high_noise", pipeline.transformer), ("low_noise", pipeline.transformer_2)):
        ours = load_expert(tiny_base, expert, dtype=torch.float32, device="cpu")
        assert not any(p.requires_grad for p in ours.parameters())
        assert all(torch.equal(a, b) for a, b in zip(ours.parameters(), theirs.parameters()))
    assert not torch.equal(pipeline.transformer.proj_out.weight, pipeline.transformer_2.proj_out.weight)
    assert pipeline.config.boundary_ratio == tiny_base.boundary


def test_prompts_are_encoded_as_the_pipeline_does(tiny_base):
    encoder = load_text_encoder(tiny_base, device="cpu", dtype=torch.float32)
    prompts = ["ohwx,  a person &amp; a   dog ", "", "naïve “café” ☃ 漢字", "word " * 200]
    embeds = encoder.encode(prompts)
    with torch.no_grad():
        expected = load_pipeline(tiny_base)._get_t5_prompt_embeds(prompts, max_sequence_length=tiny_base.max_prompt_tokens)
    assert embeds.shape == (4, tiny_base.max_prompt_tokens, 64)
    assert torch.equal(embeds, expected)
    assert embeds[1, 1:].abs().sum() == 0


def test_latents_are_normalised_and_decoded_as_the_pipeline_does(tiny_base):
    vae, pipeline = load_vae(tiny_base, device="cpu"), load_pipeline(tiny_base)
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(1, 12, 2, 8, 8, generator=generator)
    pipeline.scheduler.set_timesteps(1)
    frames = vae.decode(latents)
    assert frames.shape == (1, 3, 5, 32, 32)
    mean, std = (torch.tensor(v).view(1, 12, 1, 1, 1) for v in (pipeline.vae.config.latents_mean, pipeline.vae.config.latents_std))
    with torch.no_grad():
        assert torch.equal(frames, pipeline.vae.decode(latents / (1.0 / std) + mean).sample)
        encoded = vae.encode(frames)
        torch.testing.assert_close(encoded * std + mean, pipeline.vae.encode(frames).latent_dist.mode())
    assert encoded.shape == latents.shape


class LittleMemory:
    """A VAE's method on a GPU that cannot take a whole picture: it fails unless the model works in tiles."""

    def __init__(self, model, run):
        self.model, self.run, self.failed = model, run, 0

    def __call__(self, *args, **options):
        if not self.model.use_tiling:
            self.failed += 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.run(*args, **options)


@pytest.mark.parametrize("method", ["encode", "decode"])
def test_a_vae_that_runs_out_of_gpu_memory_goes_on_in_tiles(tiny_base, method):
    vae, small = (load_vae(tiny_base, device="cpu") for _ in range(2))
    values = torch.rand(1, 3, 5, 64, 64) * 2 - 1
    values = values if method == "encode" else vae.encode(values)
    whole = getattr(vae, method)(values)
    little = LittleMemory(small.model, getattr(small.model, method))
    setattr(small.model, method, little)
    assert torch.equal(getattr(small, method)(values), whole)  # one tile holds so small a picture
    getattr(small, method)(values)
    assert little.failed == 1 and not vae.model.use_tiling


def test_an_encoder_stored_in_fp32_is_judged_by_the_size_it_has_when_loaded(tiny_base):
    files = tiny_base.weight_files("text_encoder")
    stored = sum(path.stat().st_size for path in files)
    assert count_parameters(files, "text_encoder") * torch.float32.itemsize == pytest.approx(stored, rel=0.1)


def test_the_published_text_encoder_says_untied_and_still_reads_its_words(tiny_base, tmp_path):
    """Wan-AI's config.json has tie_word_embeddings false and the file only shared.weight; transformers 5.0 left the words unset."""
    folder = tmp_path / "model"
    for part in ("text_encoder", "tokenizer"):
        shutil.copytree(tiny_base.folder / part, folder / part)
    config = json.loads((folder / "text_encoder/config.json").read_text())
    write_json(folder / "text_encoder/config.json", config | {"tie_word_embeddings": False})
    assert "encoder.embed_tokens.weight" not in stored_weights(tiny_base.weight_files("text_encoder"))
    published = dataclasses.replace(tiny_base, folder=folder)
    published.__dict__["configs"] = tiny_base.configs
    prompts = ["ohwx, a person, in a red shirt"]
    texts = [load_text_encoder(b, device="cpu", dtype=torch.float32).encode(prompts) for b in (tiny_base, published)]
    assert torch.equal(*texts)


def test_half_precision_keeps_norms_in_fp32_as_diffusers_does(tiny_base):
    model = load_expert(tiny_base, "low_noise", dtype=dtype_of("bf16"), device="cpu", blocks_swapped=2)
    assert model.dtype == torch.bfloat16
    assert model.blocks[0].attn1.to_q.weight.dtype == torch.bfloat16
    assert model.blocks[0].scale_shift_table.dtype == torch.float32
    theirs = WanTransformer3DModel.from_pretrained(tiny_base.folder / "transformer_2", dtype=torch.bfloat16).named_parameters()
    ours = dict(load_expert(tiny_base, "low_noise", dtype=torch.bfloat16, device="cpu").named_parameters())
    assert all(ours[name].dtype == p.dtype and torch.equal(ours[name], p) for name, p in theirs)
    with pytest.raises(ValueError, match="one of fp32, bf16"):
        dtype_of("fp16")


def test_released_models_hold_no_memory(tiny_base):
    model = load_expert(tiny_base, "low_noise", dtype=torch.float32, device="cpu", blocks_swapped=2)
    streamer = model.streamer
    release(model)
    assert all(p.is_meta for p in model.parameters()) and not streamer.slabs


# -- WAN 2.2 A14B, by its shapes


def test_a_real_a14b_folder_is_linked_and_described(big_folder, workspace, shapes):
    assert not describe_model(A14B, workspace).available
    base = link_model(A14B, str(big_folder), workspace)
    assert describe_model(A14B, workspace) == Presence(A14B, "WAN 2.2 T2V A14B")
    assert find_model(A14B, workspace) == base
    assert base.latent_shape(81, 480, 832) == (16, 21, 60, 104)
    assert (base.boundary, base.num_blocks, base.size_multiple, base.max_prompt_tokens) == (0.875, 40, 16, 512)
    assert [len(base.weight_files(s)) for s in ("transformer", "text_encoder")] == [12, 1]
    assert base.captioner.parent == workspace.models_dir


def test_the_a14b_weights_are_accounted_for_key_by_key(big_folder, workspace, shapes):
    base = link_model(A14B, big_folder, workspace)
    assert check_weights(base, "high_noise") == check_weights(base, "low_noise") == PARAMETERS
    wrong = dict(shapes)
    wrong["blocks.7.ffn.net.2.weight"] = (5120, 13823)
    del wrong["blocks.3.attn2.norm_q.weight"]
    wrong["blocks.0.attn1.to_q.lora"] = (1,)
    write_headers(big_folder / "transformer_2", "diffusion_pytorch_model", wrong, 12)
    with pytest.raises(Problem, match=r"1 missing: blocks\.3\.attn2\.norm_q\.weight; 1 unknown: .*lora; 1 misshaped: blocks\.7.*13823"):
        check_weights(base, "low_noise")


def test_a_lora_of_rank_32_on_the_a14b_has_its_true_size(big_folder, workspace):
    model = load_expert_on_meta(link_model(A14B, big_folder, workspace), "high_noise")
    add_lora(model, 32, seed=0)
    parameters = trainable_lora(model)
    assert len(parameters) == 2 * 400
    assert sum(p.numel() for p in parameters.values()) == 32 * 4_792_320  # 153.4 M
    assert all(p.is_meta for p in parameters.values())


@pytest.mark.parametrize(
    "name",
    [
        "model_index.json",
        "vae/config.json",
        "tokenizer/tokenizer.json",
        "transformer_2/diffusion_pytorch_model-00005-of-00012.safetensors",
        "text_encoder/model-00001-of-00001.safetensors",
    ],
)
def test_an_incomplete_folder_names_the_missing_file(big_folder, workspace, name):
    (big_folder / name).unlink()
    with pytest.raises(Problem, match=f"{name} is missing"):
        link_model(A14B, big_folder, workspace)
    assert not workspace.models_dir.exists()


def test_another_models_folder_is_refused(big_folder, tiny_base, workspace):
    with pytest.raises(Problem, match="num_layers = 6, expected 40"):
        link_model(A14B, tiny_base.folder, workspace)
    index = json.loads((big_folder / "model_index.json").read_text())
    write_json(big_folder / "model_index.json", index | {"transformer_2": [None, None]})
    with pytest.raises(Problem, match="one expert"):
        check_folder(big_folder, model_preset(A14B))


def test_weights_that_can_hold_programs_are_refused(big_folder, workspace):
    (big_folder / "vae/diffusion_pytorch_model.safetensors").rename(big_folder / "vae/diffusion_pytorch_model.bin")
    with pytest.raises(Problem, match="can hold programs"):
        link_model(A14B, big_folder, workspace)


@pytest.mark.parametrize("damage", ["cut off", "empty", "a web page"])
def test_a_weight_file_that_broke_off_is_named_before_anything_is_planned(big_folder, workspace, damage):
    link_model(A14B, big_folder, workspace)
    path = big_folder / "transformer_2" / "diffusion_pytorch_model-00007-of-00012.safetensors"
    os.truncate(path, path.stat().st_size - 1 if damage == "cut off" else 0)
    path.write_bytes(b"<html>404</html>") if damage == "a web page" else None
    with pytest.raises(Problem, match=r"transformer_2/diffusion_pytorch_model-00007.* is incomplete or damaged") as caught:
        find_model(A14B, workspace)
    assert "Download that file again" in caught.value.fix
    assert "00007" in describe_model(A14B, workspace).reason


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("transformer/diffusion_pytorch_model.safetensors", "cut off", "is not the file that was delivered"),
        ("vae/diffusion_pytorch_model.safetensors", "one bit", "is not the file that was delivered"),
        ("tokenizer/tokenizer.json", "gone", "is missing"),
        ("observer/config.json", "one bit", "is not the file that was delivered"),
        ("pack.json", "cut off", "is damaged"),
        ("pack.json", "gone", "is missing"),
    ],
)
def test_a_built_in_model_with_an_altered_file_is_refused_by_name(tiny_base, workspace, tmp_path, monkeypatch, name, change, words):
    shutil.copytree(tiny_base.folder, tmp_path / "tiny")
    monkeypatch.setattr(catalogue, "PRESETS_DIR", tmp_path)
    assert find_model("tiny", workspace).key == tiny_base.key
    path = tmp_path / "tiny" / name
    whole = path.read_bytes()
    path.unlink()
    if change != "gone":
        path.write_bytes(whole[:-10] if change == "cut off" else whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(Problem, match=f"{name} of the built-in model {words}") as caught:
        find_model("tiny", workspace)
    assert "studio.tiny.build" in caught.value.fix and name in describe_model("tiny", workspace).reason


def test_damaged_json_and_shards_outside_the_folder_are_named(big_folder, workspace):
    path = big_folder / "transformer/diffusion_pytorch_model.safetensors.index.json"
    write_json(path, {"weight_map": {"a": "../../secret.safetensors"}})
    with pytest.raises(Problem, match=r"index\.json .* is damaged"):
        link_model(A14B, big_folder, workspace)
    (big_folder / "vae/config.json").write_text("{")
    with pytest.raises(Problem, match=r"vae/config.json .* is damaged"):
        link_model(A14B, big_folder, workspace)


def test_a_linked_folder_that_is_gone_gets_a_sentence(big_folder, workspace):
    link_model(A14B, big_folder, workspace)
    big_folder.rename(big_folder.with_name("moved"))
    assert "is gone" in describe_model(A14B, workspace).reason
    with pytest.raises(Problem, match="is gone"):
        find_model(A14B, workspace)


def test_a_cut_off_weight_file_is_named(tiny_base, tmp_path):
    import shutil

    shutil.copytree(tiny_base.folder, tmp_path / "copy")
    base = dataclasses.replace(tiny_base, folder=tmp_path / "copy")
    file = tmp_path / "copy/transformer/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(Problem, match=r"diffusion_pytorch_model\.safetensors .* is incomplete or damaged"):
        check_weights(base, "high_noise")
    assert check_weights(base, "low_noise") == model_preset("tiny").shape.parameters_per_expert


def test_noise_levels_stay_apart_in_half_precision(tiny_base):
    """bf16 keeps 8 bits: 0.875 and 0.8755 would be one noise level, were sigma or its waves kept in it."""
    model = load_expert(tiny_base, "high_noise", dtype=torch.bfloat16, device="cpu")
    latents = torch.zeros(2, *tiny_base.latent_shape(1, tiny_base.size_multiple, tiny_base.size_multiple))
    prompt = torch.zeros(2, 4, tiny_base.configs["transformer"]["text_dim"])
    with torch.no_grad():
        _, context = begin_pass(model, Pass(latents, None, torch.tensor([0.875, 0.8755]), prompt), model.dtype)
    assert model.condition_embedder.time_embedder.linear_1.weight.dtype == torch.float32
    assert not torch.equal(*context.time)
