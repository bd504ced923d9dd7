"""The number format of exported LoRA files: half the size of what training keeps, and how much that changes, measured. Torch-free.

Training and its safety copies keep fp32. In fp16 what a LoRA adds differs by about 0.03 %, in bf16 by 0.24 %, and so does the tiny model's output
(tests/test_lora_format.py): a LoRA's numbers lie where fp16 is eight times finer, so exports for drawing are written in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from safetensors import safe_open

from studio.errors import Problem

LoraFormat = Literal["fp16", "bf16", "fp32"]
FORMATS: tuple[LoraFormat, ...] = get_args(LoraFormat)
DESCRIBED = {
    "fp16": "half the size, as exact as drawing needs",
    "bf16": "half the size, coarser than fp16; for programs that ask for it",
    "fp32": "as training keeps them, for going on with training",
}
LARGEST_FP16 = 65504.0


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of LoRA files. difference: of what they add to the model, as a share of it (Frobenius norm over all layers); 0 in fp32."""

    lora_format: LoraFormat
    difference: float
    num_bytes: int

    def in_words(self) -> str:
        size = f"{self.num_bytes / 1e6:,.1f} MB" if self.num_bytes < 1e9 else f"{self.num_bytes / 1e9:,.2f} GB"
        if self.lora_format == "fp32":
            return f"Written in fp32, {size}, as training keeps them."
        return f"Written in {self.lora_format}, {size}, half the size of fp32: what the LoRA adds to the model differs by {100 * self.difference:.2g} %."


def find_format(name: str) -> LoraFormat:
    """ValueError names the formats there are."""
    for known in FORMATS:
        if known == name:
            return known
    raise ValueError(f"there is no number format {name!r} for LoRA files; choose one of {', '.join(FORMATS)}")


def write_in_format(source: Path, target: Path, lora_format: LoraFormat) -> Written:
    """Write one of our LoRA files (fp32, our keys) in another number format, equal bytes for equal files. Problem if a number does not fit."""
    round_off, dtype = _ROUNDING[lora_format]
    changed = whole = 0.0
    with safe_open(source, "np") as file, open(target, "wb") as out:
        keys = sorted(file.keys())
        out.write(_header({key: tuple(file.get_slice(key).get_shape()) for key in keys}, dtype, dict(file.metadata() or {})))
        for key_a, key_b in zip(keys[::2], keys[1::2], strict=True):  # the two of a layer lie side by side
            a, b = (_checked(file.get_tensor(key), source, lora_format) for key in (key_a, key_b))
            (stored_a, rounded_a), (stored_b, rounded_b) = round_off(a), round_off(b)
            out.write(stored_a.tobytes())
            out.write(stored_b.tobytes())
            change, size = _norms(a, rounded_a, b, rounded_b)
            changed, whole = changed + change, whole + size
        out.flush()
        os.fsync(out.fileno())
    difference = (changed / whole) ** 0.5 if whole else 0.0
    return Written(lora_format=lora_format, difference=difference, num_bytes=target.stat().st_size)


def _checked(values: np.ndarray, source: Path, lora_format: LoraFormat) -> np.ndarray:
    """As fp32. Problem if a number is too large for the format that is wanted."""
    if lora_format == "fp16" and values.size and float(np.abs(values).max()) > LARGEST_FP16:
        raise Problem(f"{source.name} holds numbers that are too large for fp16.", fix="Export it in bf16 or fp32.")
    return np.asarray(values, np.float32)


def together(several: Sequence[Written]) -> Written:
    """What became of a pair: its larger difference, and the size of both."""
    total, largest = sum(written.num_bytes for written in several), max(written.difference for written in several)
    return Written(lora_format=several[0].lora_format, difference=largest, num_bytes=total)


# -- numbers


def _to_fp16(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    stored = values.astype(np.float16)
    return stored, stored.astype(np.float32)


def _to_bf16(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The upper half of the bits, rounded to the nearest, ties to even; numpy has no such type."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    stored = ((bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)).astype(np.uint16)
    return stored, (stored.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _as_it_is(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return values, values


_ROUNDING: dict[LoraFormat, tuple[Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]], str]] = {
    "fp16": (_to_fp16, "F16"),
    "bf16": (_to_bf16, "BF16"),
    "fp32": (_as_it_is, "F32"),
}


def _norms(a: np.ndarray, a_rounded: np.ndarray, b: np.ndarray, b_rounded: np.ndarray) -> tuple[float, float]:
    """Squared Frobenius norms of B'A' - BA and of BA, through matrices of the rank's size: BA itself has 26 million numbers."""
    left = np.concatenate([b_rounded, -b], axis=1).astype(np.float64)
    right = np.concatenate([a_rounded, a], axis=0).astype(np.float64)
    gram_left, gram_right, rank = left.T @ left, right @ right.T, a.shape[0]
    change = float((gram_left * gram_right).sum())
    size = float((gram_left[rank:, rank:] * gram_right[rank:, rank:]).sum())
    return max(0.0, change), size


def _header(shapes: Mapping[str, tuple[int, ...]], dtype: str, metadata: Mapping[str, str]) -> bytes:
    """safetensors: length of the header, header. Sorted, so that equal LoRAs are equal files."""
    entries: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    width, position = {"F16": 2, "BF16": 2, "F32": 4}[dtype], 0
    for key, shape in shapes.items():
        end = position + width * int(np.prod(shape))
        entries[key] = {"dtype": dtype, "shape": list(shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
