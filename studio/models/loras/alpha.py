"""How strong a LoRA's layers are by its header, or by the adapter_config.json beside it: what peft and diffusers write in place of alpha tensors. Torch-free.

ComfyUI and musubi read alpha tensors alone; a strength that stands in the header counts where diffusers and peft load the file, and here.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.disk import parse_json
from studio.errors import Problem

HEADER_KEY = "lora_adapter_metadata"  # of diffusers' save_lora_weights
BESIDE, BESIDE_NAMES = "adapter_config.json", ("adapter_model.safetensors",)  # of peft's save_pretrained
RECORDS = (
    "ss_network_alpha",
    "network_alpha",
    "lora_alpha",
    "alpha",
)  # of a training; its writer has put it into alpha tensors, or into the numbers
MAX_TEXT, MAX_PATTERN, MAX_QUANTIFIERS = 1_000_000, 200, 3  # a pattern must not take for ever to match


@dataclass(frozen=True)
class Strength:
    """What one adapter's config says. patterns: {part of a layer's name, or a regular expression for it: alpha}; root: alpha over the root of the rank."""

    alpha: float | None = None
    patterns: tuple[tuple[str, float], ...] = ()
    root: bool = False
    method: str = ""  # of peft, where it is no plain LoRA

    def alpha_of(self, module: str, rank: int) -> float | None:
        """What alpha is for a layer of that name as the file has it: the update is alpha / rank times B A. None: not said."""
        found = next((alpha for pattern, alpha in self.patterns if _fits(pattern, module)), self.alpha)
        if found is None or not self.root:
            return found
        return found * math.sqrt(rank)


def read_strengths(path: Path, metadata: Mapping[str, str]) -> tuple[dict[str, Strength], str]:
    """({prefix of the names that it is for, "transformer" or "": Strength}, where that stands); ({}, "") where nothing says it. Problem if it can't be read."""
    text, where = metadata.get(HEADER_KEY, ""), "its header"
    if not text and path.name.lower() in BESIDE_NAMES and (path.parent / BESIDE).is_file():
        text, where = _read_text(path.parent / BESIDE), f"{BESIDE} beside it"
    if not text:
        return {}, ""
    try:
        if len(text) > MAX_TEXT:
            raise ValueError("it is too long")
        groups = _by_prefix(parse_json(text))
        return {prefix: _strength(values) for prefix, values in groups.items()}, where
    except (ValueError, TypeError, AttributeError) as e:
        words = " ".join(str(e).split())[:120]
        raise Problem(f"How strong {path.name} is stands in {where}, and can't be read ({words}).", fix=_FIX) from None


def choose(strengths: Mapping[str, Strength], module: str) -> Strength:
    """The one for a layer, by the beginning of its name."""
    for prefix in sorted(strengths, key=len, reverse=True):
        if prefix and module.startswith((f"{prefix}.", f"base_model.model.{prefix}.")):
            return strengths[prefix]
    if "" in strengths:
        return strengths[""]
    return next(iter(strengths.values())) if len(strengths) == 1 else Strength()


def recorded_alpha(metadata: Mapping[str, str]) -> str:
    """The alpha of the training, "ss_network_alpha = 16", where the header keeps one as a record; "" else."""
    return next((f"{key} = {metadata[key][:20]}" for key in RECORDS if metadata.get(key)), "")


_FIX = "Save the LoRA again in the program that made it, or use another file."
_FIELDS = ("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora", "use_dora", "peft_type")


def _read_text(path: Path) -> str:
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        return file.read(MAX_TEXT + 1)


def _by_prefix(data: Any) -> dict[str, dict[str, Any]]:
    """{"transformer": {"r": 4, ...}} of {"transformer.r": 4, ...}."""
    groups: dict[str, dict[str, Any]] = {}
    for key, value in data.items():
        prefix, _, name = str(key).rpartition(".")
        if name in _FIELDS:
            groups.setdefault(prefix, {})[name] = value
    return groups


def _strength(values: Mapping[str, Any]) -> Strength:
    kind = str(values.get("peft_type") or "LORA").rpartition(".")[2]
    other = "DoRA" if values.get("use_dora") else kind
    method = "" if other.upper() == "LORA" else other
    alpha = values.get("lora_alpha")
    patterns = tuple((_checked(str(pattern)), _number(value)) for pattern, value in (values.get("alpha_pattern") or {}).items())
    return Strength(None if alpha is None else _number(alpha), patterns, bool(values.get("use_rslora")), method)


def _number(value: Any) -> float:
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"alpha is {value}")
    return number


def _checked(pattern: str) -> str:
    quantifiers = re.findall(r"[*+{]|\)\s*\?", pattern)
    if len(pattern) > MAX_PATTERN or len(quantifiers) > MAX_QUANTIFIERS or re.search(r"\)\s*[*+{]", pattern):
        raise ValueError(f"the pattern {pattern[:40]!r} is too involved")
    try:
        re.compile(pattern)
    except re.error as e:
        raise ValueError(f"the pattern {pattern[:40]!r}: {e}") from None
    return pattern


def _fits(pattern: str, module: str) -> bool:
    """As peft matches: the pattern is the end of the name, from a point on; with ^ the whole of it."""
    inner = pattern.removeprefix("^")
    names = (module, module.partition(".")[2])  # peft's own has no prefix
    whole = pattern.startswith("^")
    return any(re.match(rf"({inner})$" if whole else rf"(.*\.)?({inner})$", name) for name in names)
