"""How much memory, disk and time a training run takes, counted from the base model's facts. Torch-free; every number is an estimate.

The facts are a base model preset's `[memory]` table: parameters_per_expert, num_blocks, block_parameters,
lora_parameters_per_rank, hidden, ffn, text_encoder_gb.
"""

from dataclasses import dataclass, replace

from studio.config import load_preset
from studio.machine import GIB

BYTES = {"bf16": 2, "fp32": 4}
LORA_BYTES = 16  # weight, gradient and AdamW's two averages, all fp32
CONTEXT_GB = 0.6  # what CUDA itself takes
SLACK = 1.05  # the allocator's rounding
PROGRAM_GB = 3.0  # Python, torch and the libraries, in RAM
ACTIVATIONS_OF_HIDDEN = 37  # tensors of (tokens, hidden) alive while one block with its LoRA is recomputed and differentiated; counted
ACTIVATIONS_OF_FFN = 4


@dataclass(frozen=True)
class Rows:
    """What one row of a step can be: tokens of the largest item, the mean over the dataset, and how many items there are."""

    largest_tokens: int
    mean_tokens: float
    num_items: int


def count_tokens(facts, width, height, num_frames=1):
    """Tokens of a picture or clip: one per patch of the latents, (F-1)/4+1 latent frames for WAN."""
    pixels = facts.get("pixels_per_token", 16)
    frames = (num_frames - 1) // facts.get("frames_per_latent", 4) + 1
    return max(1, round(width / pixels)) * max(1, round(height / pixels)) * frames


def vram_parts(facts, config, rows):
    """[(what, gb)] of the peak on the GPU while an expert trains; their sum is the prediction."""
    memory = config.memory
    size = BYTES[memory.precision]
    swapped = min(memory.blocks_swapped, facts["num_blocks"])
    resident = facts["parameters_per_expert"] - swapped * facts["block_parameters"]
    tokens, hidden = rows.largest_tokens * min(memory.rows_per_pass, config.accumulation), facts["hidden"]
    block_work = tokens * (ACTIVATIONS_OF_HIDDEN * hidden + ACTIVATIONS_OF_FFN * facts["ffn"]) * size
    kept = min(memory.blocks_kept, facts["num_blocks"]) if memory.gradient_checkpointing else facts["num_blocks"]
    whole = rows_per_walk(config) * rows.largest_tokens * (ACTIVATIONS_OF_HIDDEN * hidden + ACTIVATIONS_OF_FFN * facts["ffn"]) * size
    saved = whole * kept + (0 if memory.inputs_in_ram else input_bytes(facts, config, rows))
    parts = [
        ("the expert's weights that stay", resident * size / GIB),
        ("the block that visits and the next", 2 * facts["block_parameters"] * size / GIB if swapped else 0.0),
        ("LoRA and its optimizer", lora_parameters(facts, config) * LORA_BYTES / GIB),
        ("activations kept for the way back", saved / GIB),
        ("working memory of one block", block_work / GIB),
        ("CUDA", CONTEXT_GB),
    ]
    return parts + [("rounding of the allocator", (SLACK - 1) * sum(gb for _, gb in parts))]


def rows_per_step(config):
    """Rows that an optimizer step takes through the blocks: those to learn, and those at which the base model's answer is kept."""
    protected = -(-config.accumulation // config.preservation.every) if config.preservation.enabled else 0
    return config.accumulation + protected


def rows_per_walk(config):
    return min(config.memory.rows_per_walk or rows_per_step(config), rows_per_step(config))


def input_bytes(facts, config, rows):
    """Of the blocks' inputs that are kept for the way back, for all rows of a walk."""
    kept = min(config.memory.blocks_kept, facts["num_blocks"]) if config.memory.gradient_checkpointing else facts["num_blocks"]
    each = rows.largest_tokens * facts["hidden"] * BYTES[config.memory.precision]
    return rows_per_walk(config) * each * (facts["num_blocks"] - kept)


def loads_per_step(facts, config):
    """How often a block travels from RAM to the GPU for an optimizer step: forth and back, once for each walk."""
    walks = -(-rows_per_step(config) // rows_per_walk(config))
    return walks * 2 * min(config.memory.blocks_swapped, facts["num_blocks"])


def transfer_seconds(facts, config, rows):
    """Time of an optimizer step's way between RAM and the GPU: blocks, and inputs where they wait in RAM, out and in again."""
    blocks = loads_per_step(facts, config) * block_seconds(facts, config)
    if not config.memory.inputs_in_ram:
        return blocks
    gigabytes = 2 * input_bytes(facts, config, rows) * rows_per_step(config) / rows_per_walk(config) / 1e9
    return blocks + gigabytes / load_preset("speeds", "gpus")["assumptions"]["block_gb_per_second"]


def ram_parts(facts, config, device, rows=None):
    """[(what, gb)] of the peak in RAM: an expert passes through it while loading; the text encoder comes before, not beside it."""
    size = BYTES[config.memory.precision]
    expert = facts["parameters_per_expert"] * size / GIB
    encoder = facts.get("text_encoder_gb", 0.0)
    parts = [
        ("the program", PROGRAM_GB if facts["parameters_per_expert"] > 1e9 else 1.0),
        ("one expert, or the text encoder before it", max(expert, encoder)),
    ]
    if device == "cpu":
        parts.append(("LoRA and its optimizer", lora_parameters(facts, config) * LORA_BYTES / GIB))
    elif config.memory.inputs_in_ram and rows:
        parts.append(("activations kept for the way back", input_bytes(facts, config, rows) / GIB))
    return parts


def disk_parts(facts, config, rows):
    """[(what, gb of 10^9)] that a run adds to the project's folder."""
    lora = 2 * lora_parameters(facts, config)  # both experts
    num_pairs = -(-config.steps // config.save_every)
    latents = rows.mean_tokens * 4 * 16 * 4  # 2 x 2 patches of 16 channels, fp32
    embeddings = 2 * facts.get("text_bytes", 512 * 4096 * 2)  # with the trigger, and with the class
    return [
        (f"{num_pairs} checkpoint pair" + ("s" if num_pairs > 1 else ""), num_pairs * lora * 4 / 1e9),
        ("safety copy, and a new one beside it", 2 * lora * 12 / 1e9),
        ("prepared photos, clips and captions", rows.num_items * (latents + embeddings) / 1e9),
    ]


def lora_parameters(facts, config):
    return config.lora.rank * facts["lora_parameters_per_rank"]


def blocks_that_must_wait(facts, config, rows, vram_free_gb):
    """The smallest number of blocks in RAM with which the step fits into that much GPU memory; all of them if it never does."""
    for swapped in range(facts["num_blocks"] + 1):
        trial = replace(config, memory=replace(config.memory, blocks_swapped=swapped))
        if sum(gb for _, gb in vram_parts(facts, trial, rows)) <= vram_free_gb:
            return swapped
    return facts["num_blocks"]


def tflops_of(gpu_name):
    """Data-sheet throughput of a GPU, by the longest name that fits; None for one that is not in the table, and for laptops' slower ones."""
    table = load_preset("speeds", "gpus")["tflops"]
    words = gpu_name.casefold().split()
    if "laptop" in words:
        return None
    found = [key for key in table if all(word in words for word in key.casefold().split())]
    return table[max(found, key=len)] if found else None


def seconds_per_step(facts, config, rows, tflops):
    """Time of one optimizer step on a GPU: arithmetic and the blocks' way from RAM, one after the other.

    A row costs a forward, a recompute and a backward (3 forwards); protection adds one without and one row with gradients (1 + 3).
    """
    assumed = load_preset("speeds", "gpus")["assumptions"]
    forward = forward_operations(facts, rows.mean_tokens)
    protected = 1 / config.preservation.every if config.preservation.enabled else 0
    main = 3 if config.memory.gradient_checkpointing else 2
    arithmetic = config.accumulation * forward * (main + protected * (1 + main)) / (tflops * 1e12 * assumed["utilisation"])
    return arithmetic + transfer_seconds(facts, config, rows)


def forward_operations(facts, tokens):
    """Floating-point operations of one row through an expert: its weights, and attention among its tokens."""
    return 2 * facts["parameters_per_expert"] * tokens + 4 * tokens**2 * facts["hidden"] * facts["num_blocks"]


def block_seconds(facts, config):
    """Time of one block's way from RAM to the GPU."""
    block_gb = facts["block_parameters"] * BYTES[config.memory.precision] / 1e9
    return block_gb / load_preset("speeds", "gpus")["assumptions"]["block_gb_per_second"]


def count_class_pictures(preservation):
    """How many pictures of others a PreservationConfig has drawn: none where they would protect nobody."""
    return preservation.pictures if preservation.enabled and preservation.multiplier else 0


def class_picture_seconds(facts, config, drawing, tflops):
    """Time to draw the class pictures on a GPU; drawing: the base model preset's [sweep] over its defaults, as a SweepConfig."""
    pictures = count_class_pictures(config.preservation)
    speed = tflops * 1e12 * load_preset("speeds", "gpus")["assumptions"]["utilisation"]
    forward = forward_operations(facts, count_tokens(facts, config.data.photo_size, config.data.photo_size))
    forwards = drawing.num_inference_steps * (1 + (max(drawing.guidance_scale_high, drawing.guidance_scale_low) > 1))
    loads = -(-pictures // config.memory.rows_per_pass) * forwards * min(config.memory.blocks_swapped, facts["num_blocks"])
    return pictures * forwards * forward / speed + loads * block_seconds(facts, config)


def loading_seconds(facts, config):
    """Time to load experts over a whole run: each span between two saves loads each once."""
    spans = -(-config.steps // config.save_every)
    expert_gb = facts["parameters_per_expert"] * BYTES[config.memory.precision] / 1e9
    return facts["num_experts"] * spans * expert_gb / load_preset("speeds", "gpus")["assumptions"]["load_gb_per_second"]
