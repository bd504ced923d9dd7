"""How long a comparison takes to draw: from clips drawn before, else reckoned from the graphics card's data sheet. Free of torch."""

from dataclasses import dataclass

from studio.config import EXPERTS, SweepConfig
from studio.evaluation import sweeps
from studio.evaluation.drawing_memory import GB, how_to_keep
from studio.evaluation.sweep_facts import Sweep
from studio.machine import GIB, Gpu, Machine, read_torch_build
from studio.models.catalogue import BaseModel, find_model
from studio.training.plan.cards import Card, find_card
from studio.training.plan.estimates import count_tokens, forward_operations, making_seconds
from studio.training.plan.memory import block_bytes, expert_bytes
from studio.training.plan.plan_presets import assumptions
from studio.workspace import Project


@dataclass(frozen=True)
class Estimate:
    """seconds: None where nothing is known; how_sure: where they come from, in words, or why there are none."""

    seconds: float | None
    how_sure: str


def estimate_drawing(project: Project, sweep: Sweep, machine: Machine) -> Estimate:
    """Of the clips that a sweep still lacks."""
    seconds = sweeps.estimate_seconds(project, sweep)
    if seconds is not None:
        return Estimate(seconds, "as clips before took")
    gpu = machine.gpus[0] if machine.gpus else None
    if gpu is None or read_torch_build().why_not(gpu):
        return Estimate(None, "how long that takes is not known for this computer; the first clips will tell")
    card = find_card(gpu.name)
    if card is None:
        return Estimate(None, f"how long that takes is not known, as there is no data sheet here of {gpu.name}; the first clips will tell")
    base = find_model(sweep.base_model, project.workspace)
    how_sure = f"a rough estimate, as on {card.with_article} by its data sheet; the first clips will tell"
    return Estimate(drawing_seconds(base, sweep, gpu, card, machine.ram_total_gb), how_sure)


def drawing_seconds(base: BaseModel, sweep: Sweep, gpu: Gpu, card: Card, ram_total_gb: float) -> float:
    """Of the missing stages: steps x passes of guidance through each expert, and the experts' loading. What goes before and after is little."""
    settings, assumed = sweep.config, assumptions()
    facts = base.preset.shape
    precision, swapped = how_to_keep(base, settings, gpu.vram_free_gb * GIB / GB, ram_total_gb * GIB / GB)
    swapped = max(swapped, settings.blocks_swapped)
    operations = forward_operations(facts, count_tokens(facts, settings.width, settings.height, settings.num_frames))
    computing = operations / (card.tflops * 1e12 * assumed.utilisation) + making_seconds(facts, precision, card.memory_gb_per_second)
    fetching = swapped * block_bytes(facts, precision) / 1e9 / (gpu.link_gb_per_second or assumed.link_gb_per_second)
    missing = [cell for cell in sweep.cells if not cell.is_done]
    passes = sum(
        len({cell.stage_key(expert, base.experts) for cell in missing}) * num_passes(settings, expert, base.boundary)
        for expert in base.experts
    )
    num_waves = -(-len({cell.key for cell in missing}) // sweeps.WAVE_CELLS)
    loading = num_waves * len(base.experts) * expert_bytes(facts, precision) / 1e9 / assumed.load_gb_per_second
    return passes * max(computing, fetching) + loading


def num_passes(settings: SweepConfig, expert: str, boundary: float) -> int:
    """How often a clip passes an expert: its share of the denoising steps, twice where it is guided."""
    is_high = expert == EXPERTS[0]
    guidance = settings.guidance_of(expert)
    levels = [1 - step / settings.num_inference_steps for step in range(settings.num_inference_steps)]
    sigmas = [settings.flow_shift * level / (1 + (settings.flow_shift - 1) * level) for level in levels]
    steps = sum((sigma >= boundary) == is_high for sigma in sigmas)
    return steps * (2 if guidance > 1 else 1)
