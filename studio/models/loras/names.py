"""The names of a LoRA's weights in the spelling of every trainer: which expert, block, layer and matrix a key means, or why it can't be used. Torch-free.

Ours is what ComfyUI, AI Toolkit, diffusion-pipe and diffusers read: `diffusion_model.blocks.N.self_attn.q.lora_A.weight`, without alpha.
"""

import re
from dataclasses import dataclass

from studio.config.expert_names import EXPERTS

PREFIX = "diffusion_model."
LAYERS = {  # original name -> diffusers name, within a block
    "self_attn.q": "attn1.to_q",
    "self_attn.k": "attn1.to_k",
    "self_attn.v": "attn1.to_v",
    "self_attn.o": "attn1.to_out.0",
    "cross_attn.q": "attn2.to_q",
    "cross_attn.k": "attn2.to_k",
    "cross_attn.v": "attn2.to_v",
    "cross_attn.o": "attn2.to_out.0",
    "ffn.0": "ffn.net.0.proj",
    "ffn.2": "ffn.net.2",
}
ANY_LAYER = {name.replace(".", "_"): ours for ours, theirs in LAYERS.items() for name in (ours, theirs, theirs.removesuffix(".0"))}
HIGH, LOW = EXPERTS
WRAPPERS = (  # names with a point behind them that may stand before `blocks` and tell no expert, or only beside one that does
    *("base_model", "model", "_orig_mod", "module", "pipe", "pipeline", "unet", "net", "network", "lora", "wan", "dit"),
    *("diffusion_model", "transformer", "lora_unet", "lora_transformer"),
)
JOINED = (  # the same, joined to `blocks_N_...` as kohya's trainers write it; LTX-Video has layers of the same names in `transformer_blocks`
    *("lora", "lycoris", "unet", "dit", "diffusion_model", "lora_unet", "lora_transformer", "lora_dit", "lora_wan", "lora_model"),
    *("lora_diffusion_model", "lora_unet_diffusion_model"),
)
EXPERT_WORDS = {  # in such a name: the expert that it tells
    HIGH: re.compile(r"(transformer|dit)_?1$|(^|_)high_noise|(^|_)high$"),
    LOW: re.compile(r"(transformer|dit)_?2$|(^|_)low_noise|(^|_)low$"),
}
PARTS = {"lora_a": "A", "lora_down": "A", "lora_b": "B", "lora_up": "B", "alpha": "alpha", "lora_alpha": "alpha"}
METHODS = {  # in a key: what people call it
    r"lokr_": "LoKr",
    r"hada_": "LoHa",
    r"dora_scale|lora_magnitude_vector": "DoRA",
    r"oft_|boft_": "OFT",
    r"lora_mid": "LoCon with a middle matrix (Tucker)",
    r"lora_embedding_|lora_(a|b|up|down)(\.[\w-]+)?\.bias": "LoRA of biases or embeddings",
    r"\.diff_b$": "a change of biases as they are (.diff_b)",
    r"\.diff$|\.set_weight$": "a change of weights as they are (.diff)",
    r"[._](w|b)_norm$": "a change of norms",
    r"ia3|\.on_input$": "(IA)3",
    r"vera_lambda": "VeRA",
    r"reshape_weight": "LoRA of a reshaped layer",
}
OTHER_LAYERS = {  # in a module's name: why nothing here has it
    r"k_img|v_img|add_k_proj|add_v_proj|img_emb|norm_k_img": "a layer of WAN 2.1 image-to-video, which looks at its first picture by it",
    r"vace": "a layer of VACE",
    r"face_adapter|motion_encoder|face_encoder|fuser_block": "a layer of WAN Animate",
    r"audio": "a layer of WAN speech-to-video",
    r"control_adapter|ref_conv": "a layer of a control model",
    r"^(lora_)?te\d?_|text_encoder|text_model|t5": "a layer of the text encoder, which stays as it is here",
    r"patch_embedding|text_embedding|time_embedding|time_projection|time_embedder|text_embedder|time_proj|condition_embedder|head|proj_out|norm|modulation": (
        "a layer outside attention and feed-forward"
    ),
}
OTHER_MODELS = {  # in any key of a file without a layer of WAN: whose LoRA it is
    r"double_blocks|single_blocks|single_transformer_blocks": "FLUX, HunyuanVideo or a model like them",
    r"joint_blocks|joint_attn": "Stable Diffusion 3 or a model like it",
    r"down_blocks|up_blocks|mid_block|input_blocks|middle_block|output_blocks": "Stable Diffusion or SDXL",
    r"transformer_blocks": "Qwen-Image, LTX-Video or a model like them",
    r"(^|[._])layers?[._]\d": "Z-Image, Lumina or a language model",
}
_PART = re.compile(r"^(?P<module>.+?)[._](?P<part>lora[._](?:a|b|down|up)|alpha|lora_alpha)(?:\.[\w-]+?)??(?:\.weight)?$", re.IGNORECASE)
_BLOCK = re.compile(r"^(?P<before>.*?)(?:^|(?<=[._]))blocks[._](?P<block>\d{1,4})[._](?P<layer>.+)$")
_NEEDED = re.compile(r"^(?P<module>.+?)[._](dora_scale|lora_magnitude_vector|lora_mid|reshape_weight)\b")
_OTHER_PART = re.compile(r"vace|encoder|text|audio|adapter|control|motion|face|block")
_OLD_DIFFUSERS = re.compile(r"\.processor\.(\w+?)_lora\.(down|up)\b")


@dataclass(frozen=True)
class Named:
    """What a key means. expert: "" where its name tells none; module: the layer's name in the file, with all that stands before it;
    odd: what stands before it that no trainer we know writes."""

    key: str
    expert: str
    block: int
    layer: str  # our name
    part: str  # "A", "B" or "alpha"
    module: str
    odd: str = ""

    @property
    def name(self) -> str:
        return f"blocks.{self.block}.{self.layer}"


@dataclass(frozen=True)
class Refused:
    """A key that is not used. method: what people call it, "DoRA", or "" for a plain LoRA; why: as the end of a sentence about it;
    is_of_lora: False for a key that has nothing of a LoRA in it."""

    key: str
    method: str
    why: str
    is_of_lora: bool = True

    @property
    def owner(self) -> str:
        """The module whose matrices mean nothing without this part; "" where they stand for themselves."""
        match = _NEEDED.match(self.key)
        return match["module"] if match and self.method else ""

    @property
    def is_change(self) -> bool:
        """Whether it is added to a weight or bias as it is, so that zeros change nothing."""
        return self.key.endswith((".diff", ".diff_b"))


def file_key(module_name: str, part: str) -> str:
    """("blocks.3.attn1.to_q", "A") -> our key in a file."""
    _, block, layer = module_name.split(".", 2)
    return our_key(int(block), ANY_LAYER[layer.replace(".", "_")], part)


def our_key(block: int, layer: str, part: str) -> str:
    return f"{PREFIX}blocks.{block}.{layer}.lora_{part}.weight"


def read_name(key: str) -> Named | Refused:
    """What a key of a LoRA file means, in any spelling."""
    for pattern, method in METHODS.items():
        if re.search(pattern, key, re.IGNORECASE):
            return Refused(key, method, f"{method} is not supported")
    match = _PART.match(_OLD_DIFFUSERS.sub(r".\1.lora_\2", key))
    if match is None:
        return Refused(key, "", "it is no matrix of a LoRA", is_of_lora=False)
    module = match["module"]
    place = _BLOCK.match(module)
    wrapper = _read_wrapper(place["before"]) if place else None
    layer = ANY_LAYER.get(place["layer"].replace(".", "_")) if place else None
    if place is None or wrapper is None or layer is None:
        return Refused(key, "", _why_not_module(module))
    expert, odd = wrapper
    return Named(key, expert, int(place["block"]), layer, PARTS[match["part"].lower().replace(".", "_")], module, odd)


def whose(keys: list[str]) -> str:
    """The models that a LoRA without a layer of WAN is for, as far as its names tell; "" else."""
    return next((model for pattern, model in OTHER_MODELS.items() if any(re.search(pattern, key) for key in keys)), "")


def _read_wrapper(before: str) -> tuple[str, str] | None:
    """(expert, what is odd in it) of what stands before `blocks`; None if that belongs to another part of a model, or another model."""
    *dotted, joined = before.split(".")
    names = [*dotted, re.sub(r"__+", "_", joined).strip("_")] if joined else dotted
    if joined and not _is_known(names[-1], JOINED):
        return None
    odd = [name for name in dotted if not _is_known(name, WRAPPERS)]
    if any(_OTHER_PART.search(name) for name in odd):
        return None
    told = [expert for name in names for expert, words in EXPERT_WORDS.items() if words.search(name)]
    return (told[-1] if told else ""), ".".join(odd)


def _is_known(name: str, names: tuple[str, ...]) -> bool:
    """Whether it is one of the names, or one with an expert's word behind it: `lora_unet_low_noise`, `transformer_2`."""
    return name in names or bool(re.fullmatch(rf"(({'|'.join(names)})_?)?([12]|(high|low)(_noise)?(_model)?)", name))


def _why_not_module(module: str) -> str:
    return next((why for pattern, why in OTHER_LAYERS.items() if re.search(pattern, module)), "no layer of WAN has that name")
