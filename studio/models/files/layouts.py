"""The names and shapes of weights as WAN's and UMT5's makers gave them, and how a file of another kind is recognised. Torch-free."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from studio.models.files.weight_files import FP8, parts, read_header, stored_weights, strip_prefix

Config = dict[str, Any]  # what a diffusers or transformers config.json says
Shapes = dict[str, tuple[int, ...]]  # by the name of the weight
LORA = re.compile(r"lora_(a|b|up|down)|\.lora\.|\.dora_scale|\.diff$|\.diff_b$", re.IGNORECASE)
KNOWN_EXPERTS = {  # (input channels, width): what people call it
    (16, 5120): "WAN text-to-video 14B",
    (36, 5120): "WAN image-to-video 14B",
    (48, 3072): "WAN 2.2 TI2V 5B",
    (16, 1536): "WAN 2.1 text-to-video 1.3B",
}
ADDITIONS = {  # beginnings of weights that a plain expert does not have
    "vace_": "VACE",
    "face_adapter": "Animate",
    "motion_encoder": "Animate",
    "casual_audio_encoder": "speech-to-video",
    "control_adapter": "camera control",
    "ref_conv": "Fun control",
    "img_emb": "WAN 2.1 image-to-video",
}
FORMS = {"F64": "fp64", "F32": "fp32", "F16": "fp16", "BF16": "bf16", "F8_E4M3": "fp8", "F8_E5M2": "fp8"}


def wan_shapes(config: Config) -> Shapes:
    """{name: shape} of an expert, from the settings that WanTransformer3DModel takes."""
    width, ffn = config["num_attention_heads"] * config["attention_head_dim"], config["ffn_dim"]
    text, freq, channels = config["text_dim"], config.get("freq_dim", 256), config["in_channels"]
    patch = tuple(config.get("patch_size", (1, 2, 2)))
    outputs = config.get("out_channels", 16) * patch[0] * patch[1] * patch[2]
    linears = {
        "text_embedding.0": (width, text),
        "text_embedding.2": (width, width),
        "time_embedding.0": (width, freq),
        "time_embedding.2": (width, width),
        "time_projection.1": (6 * width, width),
        "head.head": (outputs, width),
    }
    shapes: Shapes = {
        "patch_embedding.weight": (width, channels, *patch),
        "patch_embedding.bias": (width,),
        "head.modulation": (1, 2, width),
    }
    for i in range(config["num_layers"]):
        block = f"blocks.{i}"
        linears |= {f"{block}.{a}.{x}": (width, width) for a in ("self_attn", "cross_attn") for x in "qkvo"}
        linears |= {f"{block}.ffn.0": (ffn, width), f"{block}.ffn.2": (width, ffn)}
        shapes |= {f"{block}.{a}.norm_{x}.weight": (width,) for a in ("self_attn", "cross_attn") for x in "qk"}
        shapes |= {f"{block}.norm3.weight": (width,), f"{block}.norm3.bias": (width,), f"{block}.modulation": (1, 6, width)}
    for name, shape in linears.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def condition_channels(config: Config) -> int:
    """Channels that an expert takes behind the noised latents, from the same settings: those of a first picture; 0 where words are all it is given."""
    return config["in_channels"] - config.get("out_channels", 16)


def umt5_shapes(config: Config) -> Shapes:
    """{name: shape} of a UMT5 encoder, from the settings of UMT5Config."""
    width, inner, ffn = config["d_model"], config["num_heads"] * config["d_kv"], config["d_ff"]
    shapes: Shapes = {"shared.weight": (config["vocab_size"], width), "encoder.final_layer_norm.weight": (width,)}
    for i in range(config["num_layers"]):
        attention, feed = f"encoder.block.{i}.layer.0", f"encoder.block.{i}.layer.1"
        shapes |= {f"{attention}.SelfAttention.{x}.weight": (inner, width) for x in "qkv"}
        shapes |= {f"{attention}.SelfAttention.o.weight": (width, inner), f"{attention}.layer_norm.weight": (width,)}
        shapes |= {
            f"{attention}.SelfAttention.relative_attention_bias.weight": (config["relative_attention_num_buckets"], config["num_heads"])
        }
        shapes |= {f"{feed}.DenseReluDense.{x}.weight": (ffn, width) for x in ("wi_0", "wi_1")}
        shapes |= {f"{feed}.DenseReluDense.wo.weight": (width, ffn), f"{feed}.layer_norm.weight": (width,)}
    return shapes


@dataclass(frozen=True)
class WeightFile:
    """One safetensors file, as its header shows it; of a file in parts, all of them, by the first one's path."""

    path: Path

    @cached_property
    def paths(self) -> list[Path]:
        """All parts. Problem if one is missing."""
        return parts(self.path)

    @property
    def metadata(self) -> dict[str, str]:
        """Of the headers."""
        return {key: value for path in self.paths for key, value in read_header(path).metadata.items()}

    @property
    def num_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.paths)

    @cached_property
    def shapes(self) -> Shapes:
        """{name without ComfyUI's prefix: shape}, whatever is stored there. Problem for a damaged file."""
        return {strip_prefix(key): entry.shape for path in self.paths for key, entry in read_header(path).tensors.items()}

    @property
    def kind(self) -> str:
        """ "expert", "text_encoder", "vae", "lora", or "" for anything else."""
        if any(LORA.search(key) for key in self.shapes):
            return "lora"
        if self._rank("patch_embedding") == 5 and any(key.startswith("blocks.0.") for key in self.shapes):
            return "expert"
        if (
            "encoder.block.0.layer.0.SelfAttention.q.weight" in self.shapes
            and self._rank("encoder.block.0.layer.1.DenseReluDense.wi_0") == 2
        ):
            return "text_encoder"
        return "vae" if 5 in (self._rank("encoder.conv1"), self._rank("encoder.conv_in")) else ""

    @property
    def form(self) -> str:
        """How most of it is stored, in words: "fp16", "fp8 with scales", ... Problem for a form that can't be read."""
        sizes: dict[str, int] = {}
        for weight in stored_weights(self.paths).values():
            form = FORMS[weight.dtype] + (" with scales" if weight.scale_key and weight.dtype in FP8 else "")
            sizes[form] = sizes.get(form, 0) + weight.numel
        return max(sizes, key=lambda form: sizes[form])

    @property
    def expert_facts(self) -> tuple[int, int, int]:
        """(input channels, width, blocks) of an expert."""
        numbers = [int(key.split(".")[1]) for key in self.shapes if re.match(r"blocks\.\d+\.", key)]
        width, channels = self.shapes["patch_embedding.weight"][:2]
        return channels, width, 1 + max(numbers)

    @property
    def vae_channels(self) -> int:
        """Channels of the latents."""
        return next((self.shapes[key][0] for key in ("conv2.weight", "post_quant_conv.weight") if self.shapes.get(key)), 0)

    @property
    def is_bare_text_encoder(self) -> bool:
        """UMT5 as WAN's makers name it, which comes without its list of words: the files for WanVideoWrapper's nodes."""
        return {"token_embedding.weight", "blocks.0.attn.q.weight"} <= self.shapes.keys()

    @property
    def has_tokenizer(self) -> bool:
        return "spiece_model" in self.shapes

    @property
    def has_makers_names(self) -> bool:
        """False where the weights have diffusers' names."""
        return not any(key.startswith(("condition_embedder.", "encoder.mid_block.")) for key in self.shapes)

    def _rank(self, layer: str) -> int:
        return len(self.shapes.get(f"{layer}.weight", ()))


def why_not_expert(file: WeightFile, config: Config, title: str) -> str:
    """Why an expert's file is not one of this model, as the end of a sentence that begins with its name; "" if it is one."""
    channels, width, num_layers = file.expert_facts
    expected = (config["in_channels"], config["num_attention_heads"] * config["attention_head_dim"], config["num_layers"])
    addition = next((what for start, what in ADDITIONS.items() if any(key.startswith(start) for key in file.shapes)), "")
    if (channels, width, num_layers) != expected:
        known = addition or KNOWN_EXPERTS.get((channels, width), "another model")
        return (
            f"is an expert of {known}: it has {channels} input channels, width {width} and {num_layers} blocks; "
            f"{title} has {expected[0]}, {expected[1]} and {expected[2]}"
        )
    if addition:
        return f"is a model for {addition}, with more in it than {title} has"
    return _why_not(file, wan_shapes(config), title) if file.has_makers_names else ""


def why_not_text_encoder(file: WeightFile, config: Config, title: str) -> str:
    if file.is_bare_text_encoder:
        return "is the text encoder in the form of the WanVideoWrapper nodes, which lacks its list of words; ComfyUI's own file has it"
    shapes = umt5_shapes(config)
    expected = shapes["shared.weight"]
    found = file.shapes.get("shared.weight") or file.shapes.get("encoder.embed_tokens.weight")
    if found != expected:
        return f"is another text encoder: it knows {found[0] if found else 0:,} words, that of {title} {expected[0]:,}"
    if not file.has_tokenizer:
        return "is the text encoder without its list of words (spiece_model), which ComfyUI's own files have"
    return _why_not(file, shapes, title)


def why_not_vae(file: WeightFile, config: Config, title: str) -> str:
    if file.vae_channels != config["z_dim"]:
        return f"is the VAE of another model: its latents have {file.vae_channels} channels, those of {title} {config['z_dim']}"
    return ""


def _why_not(file: WeightFile, expected: Shapes, title: str) -> str:
    """The first weight that is missing, misshaped or too many."""
    found = {strip_prefix(w.key).replace("encoder.embed_tokens.", "shared."): w.shape for w in stored_weights(file.paths).values()}
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            return f"lacks weights that {title} has ({name})"
        if name not in expected:
            return f"has weights that {title} does not have ({name})"
        if found[name] != expected[name]:
            return f"is of another model: {name} is {list(found[name])}, that of {title} {list(expected[name])}"
    return ""
