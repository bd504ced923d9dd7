"""What the optimizers take and need, for plans and pages. Torch-free."""

import importlib.util

from studio.config import TrainConfig

EIGHT_BIT_LIBRARY = "bitsandbytes"
EIGHT_BIT_VERSION = "0.50.2"
PRODIGY_SLICE = 11  # Prodigy reckons its rate from every 11th number: its authors' advice where memory is short
FP32 = 4  # bytes


def lora_bytes_per_parameter(config: TrainConfig) -> float:
    """Bytes on the device for each LoRA parameter of a TrainConfig, between steps: weight, fp32 gradient, optimizer state.

    The average of the weights lies in RAM; the fp32 stand-ins of bf16 weights are there only while no activations are.
    """
    weight = 2 if config.lora.precision == "bf16" else FP32
    return weight + FP32 + _state_bytes(config.optimizer.name, config.lora.rank)


def _state_bytes(name: str, rank: int) -> float:
    return {
        "adamw": 2 * FP32,
        "adamw8bit": 2 * (1 + FP32 / 256),  # one scale for each 256 numbers
        "prodigy": 2 * FP32 + 2 * FP32 / PRODIGY_SLICE,
        "adafactor": FP32 / rank,  # a row and a column of each matrix, and the longer one counts
    }[name]


def why_not_usable(name: str, device: str) -> str:
    """Why an optimizer can't be used on a device ("cuda" or "cpu"), in words, or ""."""
    if name != "adamw8bit":
        return ""
    if device != "cuda":
        return "8-bit AdamW works on NVIDIA GPUs only, and this training runs on the processor."
    if importlib.util.find_spec(EIGHT_BIT_LIBRARY) is None:
        return f"8-bit AdamW needs the library {EIGHT_BIT_LIBRARY}, which is not installed in the studio's .venv."
    return ""


def how_to_use(name: str, device: str) -> str:
    """What helps where `why_not_usable` says something."""
    other = "Choose adamw, or adafactor, which takes even less memory"
    if device != "cuda":
        return f"{other}, as the way of learning (optimizer)."
    return f"Install it with: python -m pip install --no-deps {EIGHT_BIT_LIBRARY}=={EIGHT_BIT_VERSION} (the python of .venv). {other}."
