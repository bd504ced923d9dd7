"""The memory that a training step takes on the GPU and in RAM, by formula. Torch-free: the window plans with it.

The formula was fitted to `tests/simulation_kit.py`, which counts the real step on shapes, at the widths of WAN's 14 B and 5 B models; a test holds
the two within 2 % of each other. facts: the Shape of a base model preset.
"""

import math
from dataclasses import dataclass

from studio.config import TrainConfig
from studio.machine import GIB
from studio.models.preset import Shape
from studio.training.plan.optimizer_facts import lora_bytes_per_parameter
from studio.training.plan.prediction import Part, total_gb

BYTES = {"fp32": 4, "bf16": 2, "int8": 2, "fp8": 2}  # of a number in activations, and of weights that are not in 8 bits
SMALL = ("int8", "fp8")  # number formats that keep the blocks' weights in 8 bits
SMALL_WEIGHT = 1 + 2 / 64  # bytes of a weight in 8 bits, with a 2-byte scale for each 64
NUM_BUFFERS = 2  # for blocks that visit: studio.models.stream.streaming
CONTEXT_GB = 0.6  # what CUDA itself and its libraries take
SLACK = 1.05  # the allocator's rounding
PROGRAM_GB = 3.0  # Python, torch and the libraries, in RAM

# Numbers alive for each token while one block with its LoRA is computed again and differentiated: of the hidden size and of the feed-forward's.
WORK = (27.55, 3.364)
KEPT = (21.86, 2.166)  # ... that stay when a block's intermediate results are kept instead
KEPT_WORK = (4.7, 1.53)  # ... while a block is differentiated whose results were kept
DRAWN = (
    30,
    4,
)  # bytes alive for each token while a clip is drawn, of the hidden size and of the feed-forward's: norms and rotary tables are fp32
PER_WIDTH = 45e6 / 5120  # bytes beside tokens, for a unit of width: the prompt's queries and keys
KEPT_PER_WIDTH = 27e6 / 5120  # ... that stay with a block's kept results
SMALL_SAVES, KEPT_SMALL_SAVES = 3.3, 2.35  # hidden sizes a token by which the moment when a weight is made from 8 bits lies below the peak
ROW_OF_PIXELS = 4 * 4  # bytes for each channel and token of x_t, and of its target: 2 x 2 latents in fp32
ROPE = 8  # bytes for each token and dimension of a head: cosine and sine in fp32


@dataclass(frozen=True)
class Rows:
    """What one row of a step can be: tokens of the largest item, the mean over the dataset, and how many items there are.

    class_tokens: of a picture of others, where the base model draws them; 0: as many as an item.
    """

    largest_tokens: int
    mean_tokens: float
    num_items: int
    class_tokens: int = 0


def rows_per_step(config: TrainConfig) -> int:
    """Rows that an optimizer step takes through the blocks: those to learn, and those at which the base model's answer is kept."""
    return config.accumulation + preserved_rows(config)


def preserved_rows(config: TrainConfig) -> int:
    """The most of them in a step."""
    return math.ceil(mean_preserved_rows(config))


def mean_preserved_rows(config: TrainConfig) -> float:
    """Of a step, over the whole run: where it has fewer pictures than lie between two protected ones, not every step has one."""
    protection = config.preservation
    return config.accumulation / protection.every if protection.enabled and protection.multiplier else 0.0


def rows_per_block_pass(config: TrainConfig) -> int:
    return min(config.memory.rows_per_walk or rows_per_step(config), rows_per_step(config))


def lora_parameters(facts: Shape, config: TrainConfig) -> int:
    """Of one expert."""
    return config.lora.rank * facts.lora_parameters_per_rank


# -- weights


def block_bytes(facts: Shape, precision: str) -> float:
    """Bytes of one block's frozen weights."""
    if precision in SMALL:
        linears = 8 * facts.hidden**2 + 2 * facts.hidden * facts.ffn  # query, key, value, out, twice; feed-forward
        return linears * SMALL_WEIGHT + (facts.block_parameters - linears) * 2
    return facts.block_parameters * BYTES[precision]


def expert_bytes(facts: Shape, precision: str) -> float:
    """Bytes of one expert's frozen weights."""
    beside = facts.parameters_per_expert - facts.num_blocks * facts.block_parameters
    kept_fp32 = facts.hidden * (facts.hidden + 256) * (4 - BYTES[precision])  # the time embedding stays fp32
    return facts.num_blocks * block_bytes(facts, precision) + beside * BYTES[precision] + kept_fp32


def placed_bytes(facts: Shape, precision: str, swapped: int) -> float:
    """Bytes of an expert's weights on the GPU with so many blocks in RAM: those that stay, and the buffers that the others visit."""
    block = block_bytes(facts, precision)
    return expert_bytes(facts, precision) + (min(NUM_BUFFERS, swapped) - swapped) * block


# -- drawing


def drawing_gb(facts: Shape, precision: str, swapped: int, tokens: int, lora_rank: int) -> float:
    """The peak on the GPU while clips of so many tokens are drawn. GB of 2**30 bytes."""
    activations = tokens * (DRAWN[0] * facts.hidden + DRAWN[1] * facts.ffn)
    lora = facts.lora_parameters_per_rank * lora_rank * 4
    return SLACK * ((placed_bytes(facts, precision, swapped) + activations + lora) / GIB + CONTEXT_GB)


# -- the step


def swapped_blocks(facts: Shape, config: TrainConfig) -> int:
    return min(config.memory.blocks_swapped, facts.num_blocks)


def kept_blocks(facts: Shape, config: TrainConfig) -> int:
    """Blocks whose intermediate results are kept."""
    return min(config.memory.blocks_kept, facts.num_blocks) if config.memory.gradient_checkpointing else facts.num_blocks


def input_bytes(facts: Shape, config: TrainConfig, rows: Rows) -> float:
    """Of the blocks' inputs that are kept for the backward pass, for all rows of a block pass."""
    each = rows.largest_tokens * facts.hidden * BYTES[config.memory.precision]
    return rows_per_block_pass(config) * each * (facts.num_blocks - kept_blocks(facts, config))


def step_bytes(facts: Shape, config: TrainConfig, rows: Rows) -> tuple[float, float]:
    """(bytes of what is kept for the backward pass, bytes of working memory) on the GPU at a step's peak: the fullest of its three moments.

    Those are the backward pass of the last block, when all inputs wait; the first one, when all gradients are there; a block whose results were kept.
    """
    size, num_blocks, kept = BYTES[config.memory.precision], facts.num_blocks, kept_blocks(facts, config)
    tokens, num_rows = rows.largest_tokens, rows_per_block_pass(config)
    at_once = min(config.memory.rows_per_pass, num_rows)
    hidden = tokens * facts.hidden * size
    beside = PER_WIDTH * facts.hidden
    work = tokens * at_once * _per_token(facts, WORK) * size
    work = max(work, work - SMALL_SAVES * hidden * at_once + _whole_weight(facts, config))
    rows_there = (num_rows - 1) * _row_bytes(facts, tokens, size)
    inputs = 2 * hidden if config.memory.inputs_in_ram else input_bytes(facts, config, rows)
    grads = lora_parameters(facts, config) * 4
    results = kept * num_rows * (tokens * _per_token(facts, KEPT) * size + KEPT_PER_WIDTH * facts.hidden)
    moments: list[tuple[float, float]] = [
        (grads + (2 if config.memory.inputs_in_ram else num_rows + 1) * hidden, work + rows_there + 0.55 * beside)
    ]
    if kept < num_blocks:
        moments.append((inputs + grads * kept / num_blocks, work + rows_there + beside))
    if kept:
        back = tokens * at_once * _per_token(facts, KEPT_WORK) * size
        back += max(0.0, _whole_weight(facts, config) - KEPT_SMALL_SAVES * hidden)
        moments.append((results + inputs, back + rows_there + beside))
    return max(moments, key=sum)


def _per_token(facts: Shape, numbers: tuple[float, float]) -> float:
    return numbers[0] * facts.hidden + numbers[1] * facts.ffn


def _whole_weight(facts: Shape, config: TrainConfig) -> float:
    """Bytes of the largest weight that is made from 8 bits for its use."""
    return facts.hidden * facts.ffn * 2 * 1.02 if config.memory.precision in SMALL else 0


def _row_bytes(facts: Shape, tokens: int, size: int) -> float:
    """Of a further row of a block pass while another one is computed: its gradient, rotary angles, pictures and prompt."""
    channels, text = 2 * facts.latent_channels + facts.condition_channels, facts.prompt_tokens
    per_token = facts.hidden * size + ROPE * facts.head_dim + ROW_OF_PIXELS * channels
    return tokens * per_token + text * (4 * facts.text_dim + facts.hidden * size)


def lora_bytes(facts: Shape, config: TrainConfig) -> float:
    """Of the LoRA and its optimizer on the GPU, without its gradients, which are part of the step."""
    return lora_parameters(facts, config) * (lora_bytes_per_parameter(config) - 4)


def vram_parts(facts: Shape, config: TrainConfig, rows: Rows) -> list[Part]:
    """Parts of the peak on the GPU while an expert trains; their sum is the prediction. GB of 2**30 bytes, as GPUs are sold."""
    memory, swapped = config.memory, swapped_blocks(facts, config)
    block = block_bytes(facts, memory.precision)
    kept, work = step_bytes(facts, config, rows)
    parts = [
        Part("the expert's weights that stay", (expert_bytes(facts, memory.precision) - swapped * block) / GIB),
        Part("the block that visits and the next", min(NUM_BUFFERS, swapped) * block / GIB),
        Part("LoRA and its optimizer", lora_bytes(facts, config) / GIB),
        Part("kept for the way back", kept / GIB),
        Part("working memory of one block", work / GIB),
        Part("CUDA", CONTEXT_GB),
    ]
    return parts + [Part("rounding of the allocator", (SLACK - 1) * total_gb(parts))]


def ram_parts(facts: Shape, config: TrainConfig, device: str, rows: Rows | None = None, num_here: int = 0) -> list[Part]:
    """Parts of the peak in RAM. The text encoder comes before the expert, not beside it; with a GPU, blocks that stay there pass RAM one by one.

    num_here: how many of the run's processes are on this computer; 0: all.
    """
    precision, encoder, num_here = config.memory.precision, facts.text_encoder_gb, num_here or config.processes
    parts = [Part("the program", (PROGRAM_GB if facts.parameters_per_expert > 1e9 else 1.0) * num_here)]
    if device == "cpu":
        expert = expert_bytes(facts, precision) / GIB
        lora = lora_parameters(facts, config) * lora_bytes_per_parameter(config) / GIB
        return [
            *parts,
            Part("an expert for each process, or the text encoder before", max(num_here * expert, encoder)),
            Part("LoRA and its optimizer", num_here * lora),
        ]
    waiting = num_here * (swapped_blocks(facts, config) + 1) * block_bytes(facts, precision) / GIB  # each has a copy of its own
    inputs = num_here * input_bytes(facts, config, rows) / GIB if config.memory.inputs_in_ram and rows else 0.0
    if encoder > waiting + inputs:
        return [*parts, Part("the text encoder, before the training", encoder)]
    return [*parts, Part("blocks that wait", waiting), Part("kept for the way back", inputs)]
