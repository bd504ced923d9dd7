"""How much time and disk a training run takes, reckoned from the base model's facts and a GPU's data sheet. Torch-free; every number is an estimate.

The facts are the Shape of a base model preset; memory itself is in studio.training.plan.memory.
"""

from studio.config import PreservationConfig, SweepConfig, TrainConfig
from studio.models.preset import Shape
from studio.training.plan.memory import (
    BYTES,
    SMALL,
    Rows,
    block_bytes,
    expert_bytes,
    input_bytes,
    kept_blocks,
    lora_parameters,
    mean_preserved_rows,
    rows_per_block_pass,
    rows_per_step,
    swapped_blocks,
)
from studio.training.plan.plan_presets import assumptions
from studio.training.plan.prediction import Part
from studio.training.schedule import group_size, num_process_groups


def count_tokens(facts: Shape, width: int, height: int, num_frames: int = 1) -> int:
    """Tokens of a picture or clip: one per patch of the latents, (F-1)/4+1 latent frames for WAN."""
    pixels = facts.pixels_per_token
    frames = (num_frames - 1) // facts.frames_per_latent + 1
    return max(1, round(width / pixels)) * max(1, round(height / pixels)) * frames


def seconds_per_step(
    facts: Shape, config: TrainConfig, rows: Rows, tflops: float, link_gb_per_second: float = 0.0, memory_gb_per_second: float = 0.0
) -> float:
    """Time of one optimizer step on a GPU: its arithmetic, or the way between RAM and the GPU where that takes longer; the two go on at once.

    A row costs a forward, a recompute and a backward (3 forwards, 2 where a block's results are kept); protection adds one without and one
    row with gradients, at pictures of others or at the items themselves. Weights in 8 bits are made anew for each.
    """
    assumed = assumptions()
    main = 3 - kept_blocks(facts, config) / facts.num_blocks
    learned, protected = config.accumulation * main, mean_preserved_rows(config) * (1 + main)
    class_tokens = rows.class_tokens if count_class_pictures(config.preservation) and rows.class_tokens else rows.mean_tokens
    operations = learned * forward_operations(facts, rows.mean_tokens) + protected * forward_operations(facts, class_tokens)
    arithmetic = operations / (tflops * 1e12 * assumed.utilisation)
    making = (learned + protected) / config.memory.rows_per_pass * making_seconds(facts, config.memory.precision, memory_gb_per_second)
    return max(arithmetic + making, transfer_seconds(facts, config, rows, link_gb_per_second))


def making_seconds(facts: Shape, precision: str, memory_gb_per_second: float = 0.0) -> float:
    """Time to make an expert's weights from 8 bits once: read, write, read."""
    if precision not in SMALL:
        return 0.0
    num_bytes = facts.num_blocks * facts.block_parameters * (1 + 2 * BYTES[precision])
    return num_bytes / 1e9 / (memory_gb_per_second or assumptions().gpu_memory_gb_per_second)


def transfer_seconds(facts: Shape, config: TrainConfig, rows: Rows, link_gb_per_second: float = 0.0) -> float:
    """Time of an optimizer step's way between RAM and the GPU: blocks, and inputs where they wait in RAM, out and in again."""
    gigabytes = loads_per_step(facts, config) * block_bytes(facts, config.memory.precision) / 1e9
    if config.memory.inputs_in_ram:
        gigabytes += 2 * input_bytes(facts, config, rows) * rows_per_step(config) / rows_per_block_pass(config) / 1e9
    return gigabytes / (link_gb_per_second or assumptions().link_gb_per_second)


def exchange_seconds(facts: Shape, config: TrainConfig) -> float:
    """Time of an optimizer step in which the processes of an expert all-reduce their gradients, fp32, through RAM."""
    processes = group_size(config, facts.num_experts)
    gigabytes = 2 * (processes - 1) / processes * lora_parameters(facts, config) * 4 / 1e9
    return gigabytes / assumptions().exchange_gb_per_second


def loads_per_step(facts: Shape, config: TrainConfig) -> int:
    """How often a block travels from RAM to the GPU for an optimizer step: forward and backward, once for each block pass."""
    block_passes = -(-rows_per_step(config) // rows_per_block_pass(config))
    return block_passes * 2 * swapped_blocks(facts, config)


def forward_operations(facts: Shape, tokens: float) -> float:
    """Floating-point operations of one row through an expert: its weights, and attention among its tokens."""
    return 2 * facts.parameters_per_expert * tokens + 4 * tokens**2 * facts.hidden * facts.num_blocks


def count_class_pictures(preservation: PreservationConfig) -> int:
    """How many pictures of others a PreservationConfig has drawn: none where they would protect nobody."""
    return preservation.pictures if preservation.enabled and preservation.multiplier else 0


def class_picture_seconds(facts: Shape, config: TrainConfig, drawing: SweepConfig, tflops: float, link_gb_per_second: float = 0.0) -> float:
    """Time to draw the class pictures on a GPU; drawing: the base model preset's [sweep] over its defaults, as a SweepConfig."""
    pictures = count_class_pictures(config.preservation)
    speed = tflops * 1e12 * assumptions().utilisation
    forward = forward_operations(facts, count_tokens(facts, config.data.photo_size, config.data.photo_size))
    forwards = drawing.num_inference_steps * (1 + (max(drawing.guidance_scale_high, drawing.guidance_scale_low) > 1))
    loads = -(-pictures // config.memory.rows_per_pass) * forwards * swapped_blocks(facts, config)
    link = link_gb_per_second or assumptions().link_gb_per_second
    block_seconds = block_bytes(facts, config.memory.precision) / 1e9 / link
    return pictures * forwards * forward / speed + loads * block_seconds


def loading_seconds(facts: Shape, config: TrainConfig) -> float:
    """Time to load experts over a whole run: each span between two saves loads each once, one after the other but where they have cards of their own."""
    spans = -(-config.steps // config.save_every)
    expert_gb = expert_bytes(facts, config.memory.precision) / 1e9
    return facts.num_experts / num_process_groups(config, facts.num_experts) * spans * expert_gb / assumptions().load_gb_per_second


def disk_parts(facts: Shape, config: TrainConfig, rows: Rows) -> list[Part]:
    """Parts (gb of 10^9) that a run adds to the project's folder."""
    lora = 2 * lora_parameters(facts, config)  # both experts
    num_pairs = -(-config.steps // config.save_every)
    channels = facts.latent_channels + facts.condition_channels
    latents = rows.mean_tokens * 4 * channels * 4  # 2 x 2 patches, fp32
    embeddings = 2 * facts.text_bytes  # with the trigger, and with the class
    kept = 2 if config.optimizer.average else 1  # beside an average its raw weights are kept
    return [
        Part(f"{num_pairs} checkpoint pair" + ("s" if num_pairs > 1 else ""), num_pairs * kept * lora * 4 / 1e9),
        Part("safety copy, and a new one beside it", 2 * lora * 12 / 1e9),
        Part("prepared photos, clips and captions", rows.num_items * (latents + embeddings) / 1e9),
    ]
