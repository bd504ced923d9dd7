"""Each size of graphics card: what the planner chooses for WAN 2.2 A14B, and the step's peak as simulated with that, on the true shapes of all 40 blocks.

    python tests/benchmarks/tiers.py [--only 8]

Prints one JSON object a line: the plan, its predicted peak, the simulated one (the same code path on `meta` tensors, CUDA's own memory and the
allocator's rounding added), and whether it fits into what is usable of the card. GB of 2**30 bytes. Rank 32, DOP on, batch 1 x 4.
"""

import argparse
import json
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from simulation_kit import Shape, simulate_step

from studio.config import TrainConfig, from_dict
from studio.machine import GIB
from studio.models.preset import model_preset
from studio.training.plan.memory import CONTEXT_GB, SLACK, rows_per_block_pass
from studio.training.plan.placement import Room, place
from studio.training.step.block_pass import StepPlan

RAM_GB = 58  # free of 64
CLIP = {"clip_size": 632}  # 480 x 832 has as many pixels
# (GB on the card, usable, kind, sizes, (latent frames, height, width))
BARS = (
    (24, 22.5, "photo", {"photo_size": 1024}, (1, 128, 128)),
    (24, 22.5, "clip", CLIP | {"clip_frames": 81}, (21, 60, 104)),
    (16, 14.8, "photo", {"photo_size": 768}, (1, 96, 96)),
    (16, 14.8, "clip", CLIP | {"clip_frames": 33}, (9, 60, 104)),
    (12, 11.0, "photo", {"photo_size": 512}, (1, 64, 64)),
    (8, 7.2, "photo", {"photo_size": 512}, (1, 64, 64)),
)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=int, help="cards of this many GB")
    args = parser.parse_args()
    preset = model_preset("wan22-t2v-a14b")
    for card, usable, kind, sizes, latents in BARS:
        if args.only in (None, card):
            print(json.dumps(measure(preset, card, usable, kind, sizes, latents)), flush=True)


def measure(preset, card, usable, kind, sizes, latents):
    config = from_dict(TrainConfig, {"data": sizes, "lora": {"rank": 32}, "accumulation": 4})
    room = Room(preset.shape, [SimpleNamespace(kind=kind)] * 12, usable, RAM_GB, 165.2, 25.0, {"data": sizes})
    config, _ = place(room, config)
    memory = config.memory
    peaks = {mix: simulated(preset, config, latents, *mix) for mix in mixes(config)}
    peak = max(peaks.values(), key=lambda simulated: simulated.peak)
    total = (peak.peak / GIB + CONTEXT_GB) * SLACK
    return {
        "card_gb": card,
        "usable_gb": usable,
        "what": f"{kind} {sizes}",
        "precision": memory.precision,
        "blocks_swapped": memory.blocks_swapped,
        "rows_per_block_pass": rows_per_block_pass(config),
        "inputs_in_ram": memory.inputs_in_ram,
        "predicted_gb": round(room.vram(config), 2),
        "simulated_gb": round(total, 2),
        "predicted_ram_gb": round(room.ram(config), 1),
        "simulated_waiting_in_ram_gb": round(peak.host / GIB, 1),
        "fits": total <= usable,
    }


def mixes(config):
    """(rows to learn, preserved rows) that a block pass can be made of."""
    num_rows = rows_per_block_pass(config)
    return {(4, 4)} if num_rows == 8 else {(min(4, num_rows), max(0, num_rows - 4)), (max(0, num_rows - 4), min(4, num_rows))}


def simulated(preset, config, latents, learned, preserved):
    shape = Shape(*latents, rows=learned, preserved=preserved)
    memory = config.memory
    return simulate_step(
        preset.expect | {"cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "freq_dim": 256},
        shape,
        StepPlan.of(memory, 40),
        rank=config.lora.rank,
        blocks_swapped=memory.blocks_swapped,
        precision=memory.precision,
    )


if __name__ == "__main__":
    main()
