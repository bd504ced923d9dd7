"""Which captioner suits this computer, how its weights are kept, and why: reckoned from bytes and from what the machine has. Torch-free."""

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.machine import GIB, Gpu, Machine
from studio.models.captioners.family import AS_STORED, FOUR_BIT
from studio.models.captioners.generating import WHOLE_PARTS
from studio.models.files.weight_files import read_header
from studio.models.preset import CaptionerPreset, captioner_preset, list_captioners

WORKING_GB = 2.0  # beside the weights: CUDA's own, what a picture and the answer take, and loading; an estimate
OTHERS_GB = 1.5  # of a card that the desktop and a browser may hold
# Bytes of a weight in 4 bits: its half byte, and a scale of 8 bits for 64 of them, 256 of which share one of 32 bits.
FOUR_BIT_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)


@dataclass(frozen=True)
class Weights:
    """What a captioner's weights take in memory, in GB of 10^9 bytes."""

    gb: float
    four_bit_gb: float


@dataclass(frozen=True)
class Placing:
    """How a captioner is kept. precision: AS_STORED or FOUR_BIT; fits: on the graphics card alone; why: in a sentence."""

    precision: str
    fits: bool
    why: str


@dataclass(frozen=True)
class Suggestion:
    """The captioner that suits the machine."""

    name: str
    placing: Placing


def usual_captioners() -> list[CaptionerPreset]:
    """Those from which the studio chooses, the best first."""
    return [preset for preset in captioners_in_order() if preset.is_usual]


def captioners_in_order() -> list[CaptionerPreset]:
    return sorted((captioner_preset(name) for name in list_captioners()), key=lambda preset: preset.order)


def suggest(machine: Machine, why_not_four_bit: str = "") -> Suggestion:
    """The best one that fits on the graphics card, as it is or else in 4 bits; without a card the smallest one."""
    presets = usual_captioners()
    placings = [place(weights_of(preset), machine, preset.title, why_not_four_bit) for preset in presets]
    for preset, placing in zip(presets, placings, strict=True):
        if placing.fits:
            return Suggestion(preset.name, placing)
    return Suggestion(presets[-1].name, placings[-1])


def place(weights: Weights, machine: Machine, title: str, why_not_four_bit: str = "") -> Placing:
    """How one captioner is kept on a machine. why_not_four_bit: as `find_four_bit` gives it."""
    if not machine.gpus:
        return Placing(AS_STORED, False, _on_processor(weights, machine, title))
    gpu = max(machine.gpus, key=lambda gpu: gpu.vram_total_gb)
    room = gpu.vram_total_gb * GIB / 1e9 - OTHERS_GB
    whole, small = weights.gb + WORKING_GB, weights.four_bit_gb + WORKING_GB
    if whole <= room:
        return Placing(AS_STORED, True, f"{title} takes about {whole:.1f} GB, and {_card(gpu)} has room for {room:.1f} GB.")
    if small <= room and not why_not_four_bit:
        words = f"{title} takes about {whole:.1f} GB as it is, too much for {_card(gpu)}; in 4 bits it takes about {small:.1f} GB and fits."
        return Placing(FOUR_BIT, True, words)
    words = f"{title} takes about {whole:.1f} GB, and {_card(gpu)} has room for {room:.1f} GB: a part of it waits in RAM, which is slow."
    if small <= room:
        words += f" In 4 bits it would fit ({small:.1f} GB), but {why_not_four_bit}"
    return Placing(AS_STORED, False, words)


def _card(gpu: Gpu) -> str:
    return f"the {gpu.name} with {gpu.vram_total_gb:.0f} GB"


def _on_processor(weights: Weights, machine: Machine, title: str) -> str:
    needed, ram = weights.gb + WORKING_GB, machine.ram_total_gb * GIB / 1e9
    words = f"There is no graphics card that can be used, so {title} runs on the processor, which is slow; it takes about {needed:.1f} GB of RAM"
    return (
        f"{words}."
        if needed <= ram
        else f"{words}, and there are {ram:.0f} GB: it will hardly run. Florence-2, or a server, is better here."
    )


def find_four_bit(machine: Machine) -> str:
    """ "" where weights can be kept in 4 bits here, else why not, in a sentence that goes on."""
    if not machine.gpus:
        return "that needs a graphics card by NVIDIA."
    if importlib.util.find_spec("bitsandbytes") is None:
        return "the library bitsandbytes is not installed; start the studio with launch to repair that."
    return ""


def weights_of(preset: CaptionerPreset) -> Weights:
    return Weights(preset.memory_gb, preset.memory_4bit_gb)


def weights_in(folder: Path) -> Weights:
    """Of the captioner in a folder, from the headers of its files."""
    shapes = [(name, shape) for path in sorted(folder.glob("*.safetensors")) for name, shape in _shapes(path, folder)]
    return weigh(shapes)


def weigh(shapes: Sequence[tuple[str, Sequence[int]]]) -> Weights:
    """shapes: (name, shape) of every weight, tied ones once."""
    whole = sum(2 * math.prod(shape) for _, shape in shapes)
    small = sum(math.prod(shape) * (FOUR_BIT_BYTES if _is_small(name, shape) else 2) for name, shape in shapes)
    return Weights(round(whole / 1e9, 2), round(small / 1e9, 2))


def _is_small(name: str, shape: Sequence[int]) -> bool:
    """Whether a weight is of a Linear that is kept in 4 bits: not of what sees, of words, or of the choice of the next word."""
    is_word = "embed" in name or ".shared." in name
    return len(shape) == 2 and name.endswith(".weight") and not is_word and not any(part in name for part in WHOLE_PARTS)


def _shapes(path: Path, folder: Path) -> list[tuple[str, Sequence[int]]]:
    return [(name, tensor.shape) for name, tensor in read_header(path, folder).tensors.items()]
