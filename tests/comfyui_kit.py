"""ComfyUI folders of small real models: the tiny model's weights under their makers' names, in every form that such files have."""

import io
import json
import shutil
import struct

import torch
from safetensors.torch import load_file, save_file

from studio import config
from studio.models.files.layouts import umt5_shapes, wan_shapes
from studio.models.preset import model_preset

SMALL = "small"  # a base model of the tiny one's shapes that is not built in
FORMS = ("fp32", "fp16", "bf16", "fp8_scaled", "fp8_scaled_new", "fp8", "fp8_e5m2")
PLAIN = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "fp8": torch.float8_e4m3fn, "fp8_e5m2": torch.float8_e5m2}


def makers_names(tensors, expect):
    """A diffusers expert's {name: tensor} under the names that WAN's makers gave."""
    from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers

    names = convert_wan_transformer_to_diffusers({name: name for name in wan_shapes(expect)})
    return {names[key]: tensor for key, tensor in tensors.items()}


def in_form(tensors, form):
    """As files of that form store them: 8 bits for the large weights of the blocks, fp16 for the rest."""
    plain = {"fp8_scaled": torch.float8_e4m3fn, "fp8_scaled_new": torch.float8_e4m3fn} | PLAIN
    stored = {}
    for key, tensor in tensors.items():
        is_large = tensor.ndim == 2 and key.endswith(".weight") and not key.startswith(("head", "shared"))
        if "scaled" in form and is_large:
            scale = tensor.abs().max() / 448
            stored[key] = (tensor / scale).to(torch.float8_e4m3fn)
            layer = key.removesuffix(".weight")
            stored |= scales_of(layer, scale.float(), is_new=form.endswith("new"))
        else:
            stored[key] = tensor.to(plain[form] if is_large or not form.startswith("fp8") else torch.float16)
    return stored | ({"scaled_fp8": torch.empty(2, dtype=torch.float8_e4m3fn)} if form == "fp8_scaled" else {})


def scales_of(layer, scale, is_new):
    if not is_new:
        return {f"{layer}.scale_weight": scale.reshape(1), f"{layer}.scale_input": torch.ones(1)}
    words = torch.tensor(list(json.dumps({"format": "float8_e4m3fn"}).encode()), dtype=torch.uint8)
    return {f"{layer}.weight_scale": scale, f"{layer}.input_scale": torch.tensor(1.0), f"{layer}.comfy_quant": words}


def values_of(tensors, form):
    """What a reader should make of the stored form, in fp32, computed apart from it."""
    stored, values = in_form(tensors, form), {}
    for key in tensors:
        layer = key.removesuffix(".weight")
        scale = next((stored[f"{layer}.{n}"] for n in ("scale_weight", "weight_scale") if f"{layer}.{n}" in stored), torch.tensor(1.0))
        values[key] = stored[key].float() * scale.reshape(())
    return values


def word_list(vocab_size=300):
    """A SentencePiece model of the kind that UMT5 has, learned from a few sentences: bytes."""
    from sentencepiece import SentencePieceTrainer

    sentences = [
        f"ohwx, a person in a {c} coat, scene {n}, walking in the {p}" for n, c in enumerate(("red", "blue")) for p in ("park", "rain")
    ]
    model, ids = io.BytesIO(), {"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
    SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_writer=model,
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        byte_fallback=True,
        minloglevel=2,
        **ids,
    )
    return model.getvalue()


def make_comfyui(root, base, expect, form="fp32", prefix=""):
    """A ComfyUI folder in `root` with the parts of a diffusers base model; returns root."""
    models = root / "models"
    for name in ("diffusion_models", "text_encoders", "vae", "loras"):
        (models / name).mkdir(parents=True)
    for sub, noise in (("transformer", "high"), ("transformer_2", "low")):
        tensors = makers_names(load_file(base.folder / sub / "diffusion_pytorch_model.safetensors"), expect)
        stored = {prefix + key: tensor.contiguous() for key, tensor in in_form(tensors, form).items()}
        save_file(stored, models / f"diffusion_models/wan2.2_t2v_{noise}_noise_14B_{form}.safetensors")
    text = in_form(load_file(base.folder / "text_encoder/model.safetensors"), form)
    text["spiece_model"] = torch.frombuffer(bytearray(word_list()), dtype=torch.uint8)
    save_file(text, models / f"text_encoders/umt5_xxl_{form}.safetensors")
    shutil.copy(base.folder / "vae/diffusion_pytorch_model.safetensors", models / "vae/wan_2.1_vae.safetensors")
    return root


def add_small_model(folder, base, monkeypatch, changes=()):
    """Let the studio know a base model of the tiny one's shapes, which is not built in. changes: {old: new} in its preset, which is returned."""
    presets = shutil.copytree(config.PRESETS_DIR, folder / "presets", ignore=shutil.ignore_patterns("tiny"))
    text = (presets / "models/tiny.toml").read_text(encoding="utf-8").replace('observer = "observer"\n', "")
    text = text.replace('pack = "tiny"', 'repository = "some/where"')
    more = {name: base.configs["transformer"][name] for name in ("freq_dim", "rope_max_seq_len")}
    text = text.replace("[expect]", "[expect]\n" + "\n".join(f"{name} = {value}" for name, value in more.items()))
    for part in ("text_encoder", "vae", "scheduler"):
        text += f"\n[configs.{part}]\n" + "".join(
            f"{key} = {json.dumps(value)}\n" for key, value in base.configs[part].items() if value is not None and key[0] != "_"
        )
    text += "\n[comfyui]\n" + "".join(f'{role} = "the {role}"\n' for role in ("transformer", "transformer_2", "text_encoder", "vae"))
    for old, new in dict(changes).items():
        assert old in text
        text = text.replace(old, new)
    (presets / f"models/{SMALL}.toml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(config, "PRESETS_DIR", presets)
    return model_preset(SMALL)


def make_true_comfyui(root, preset, kind="t2v", in_channels=16):
    """A ComfyUI folder for WAN 2.2 A14B in `root`: true headers, and bodies that hold nothing but the scales and the files' names."""
    models = root / "models"
    for noise, is_new in (("high", False), ("low", True)):
        shapes = wan_shapes(preset.expect | {"in_channels": in_channels})
        write_scaled(models / f"diffusion_models/wan2.2_{kind}_{noise}_noise_14B_fp8_scaled.safetensors", shapes, is_new)
    text = umt5_shapes(preset.configs["text_encoder"])
    write_scaled(models / "text_encoders/umt5_xxl_fp8_e4m3fn_scaled.safetensors", text, more={"spiece_model": ("U8", (9,), b"sentences")})
    vae = {"encoder.conv1.weight": ("BF16", (96, 3, 3, 3, 3), b""), "conv2.weight": ("BF16", (16, 16, 1, 1, 1), b"")}
    write_header(models / "vae/wan_2.1_vae.safetensors", vae)
    return root


def write_scaled(path, shapes, is_new=False, more=()):
    """fp8_scaled, in its old form or its new one."""
    words, entries = json.dumps({"format": "float8_e4m3fn"}).encode(), dict(more)
    for name, shape in shapes.items():
        is_large = len(shape) == 2 and name.startswith(("blocks", "encoder")) and "bias" not in name
        entries[name] = ("F8_E4M3" if is_large else "F16", shape, b"")
        layer, one = name.removesuffix(".weight"), struct.pack("<f", 1)
        if is_large and is_new:
            entries |= {f"{layer}.weight_scale": ("F32", (), one), f"{layer}.comfy_quant": ("U8", (len(words),), words)}
        elif is_large:
            entries[f"{layer}.scale_weight"] = ("F32", (1,), one)
    write_header(path, entries | ({} if is_new else {"scaled_fp8": ("F8_E4M3", (2,), b"")}))


def write_header(path, entries):
    """A sparse safetensors file of {name: (dtype, shape, first bytes)} that ends with its own name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header, end, written = {}, 0, []
    for name, (dtype, shape, data) in entries.items():
        size = torch.Size(shape).numel() * {"F8_E4M3": 1, "U8": 1, "F16": 2, "BF16": 2, "F32": 4, "F64": 8}[dtype]
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        written += [(end, data)] if data else []
        end += size
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + end)
        for offset, data in [*written, (max(0, end - 8), path.name.encode()[10:18])] if end else []:
            file.seek(8 + len(text) + offset)
            file.write(data)
