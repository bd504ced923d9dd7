"""Which base model a config of another trainer is for: what is not WAN is refused by its name."""

from __future__ import annotations

from studio.errors import Problem

NAMES = {  # beginnings of what trainers call them
    "hunyuan": "HunyuanVideo", "hv": "HunyuanVideo", "fpack": "FramePack", "framepack": "FramePack", "flux": "FLUX", "sdxl": "Stable Diffusion XL",
    "sd15": "Stable Diffusion", "sd1": "Stable Diffusion", "sd2": "Stable Diffusion", "sd3": "Stable Diffusion 3", "sd": "Stable Diffusion",
    "ltx": "LTX-Video", "cosmos": "Cosmos", "lumina": "Lumina", "chroma": "Chroma", "hidream": "HiDream", "qwen": "Qwen-Image",
    "zimage": "Z-Image", "z_image": "Z-Image", "kandinsky": "Kandinsky", "omnigen": "OmniGen", "auraflow": "AuraFlow", "pixart": "PixArt",
    "flex": "Flex", "krea": "Krea", "ideogram": "Ideogram", "minimax": "MiniMax", "ernie": "ERNIE-Image", "anima": "Anima",
    "xl": "Stable Diffusion XL", "ssd": "Stable Diffusion XL", "vega": "Stable Diffusion XL", "v2": "Stable Diffusion", "v3": "Stable Diffusion 3",
}  # fmt: skip


def require_wan(name: str, word: str) -> None:
    """Problem unless `word`, as a trainer names the model's family in the file `name`, is WAN's."""
    plain = word.casefold().replace("-", "_")
    if plain.startswith("wan"):
        return
    fits = [start for start in NAMES if plain.startswith(start)]
    family = f"{NAMES[max(fits, key=len)]} ({word})" if fits else word
    raise Problem(
        f"{name} is for another base model: {family}. Its settings would not mean the same for WAN 2.2.",
        fix="Choose a config for WAN 2.2, or set the numbers by hand under All settings.",
    )


def describe_other_wan(word: str) -> str:
    """What is to be known where a config is for another model of WAN's family than the pair of WAN 2.2, or ""."""
    plain = word.casefold()
    if any(part in plain for part in ("1.3b", "1_3b", "wan21", "wan2.1", "t2v-14b", "i2v-14b", "flf2v")):
        return "it is for WAN 2.1, a single model: here its settings are used for both experts of WAN 2.2"
    if "5b" in plain:
        return "it is for WAN 2.2 5B, a single model: here its settings are used for both experts"
    return ""
