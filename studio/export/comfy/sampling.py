"""How a workflow draws: with the numbers of the comparison, or the usual ones, and the step at which the second expert takes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.config import SweepConfig
from studio.evaluation.prompts import resolve_prompts, standard_prompts
from studio.evaluation.sweep_facts import PERSON, Prompt, Sweep
from studio.models.preset import ModelPreset
from studio.models.simple_schedule import simple_sigmas
from studio.workspace import Project

SAMPLER, SCHEDULER = "euler", "simple"  # as ComfyUI's own workflows for WAN 2.2 have it
AS_THERE = "comfyui"  # the sampler of a comparison that takes its steps so too
QUICK_STEPS, QUICK_SHIFT = 4, 5.0  # that the four-step LoRA files were made for


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """guidance: of each expert, in the order in which they draw."""

    width: int
    height: int
    num_frames: int
    fps: int
    steps: int
    shift: float
    guidance: tuple[float, ...]
    seed: int
    prompt: str
    negative_prompt: str

    def boundary_step(self, boundary: float) -> int:
        """How many of the steps belong to the first expert: those that begin at a noise level of `boundary` or above."""
        return sum(level >= boundary for level in simple_sigmas(self.steps, self.shift)[:-1])

    @property
    def quick(self) -> Drawing:
        """The same in four steps, without guidance: it is in the LoRA files for that."""
        return replace(self, steps=QUICK_STEPS, shift=QUICK_SHIFT, guidance=tuple(1.0 for _ in self.guidance))


def drawing_of(project: Project, preset: ModelPreset, sweep: Sweep | None) -> Drawing:
    """With the numbers of a comparison and its first prompt that asks for the person; without a comparison the usual ones."""
    config = sweep.config if sweep else preset.sweep_config()
    return Drawing(
        width=config.width,
        height=config.height,
        num_frames=config.num_frames,
        fps=preset.fps,
        steps=config.num_inference_steps,
        shift=config.flow_shift,
        guidance=_guidance(config, preset),
        seed=config.seeds[0],
        prompt=_prompt_of(project, preset, sweep.prompts if sweep else ()),
        negative_prompt=config.negative_prompt,
    )


def _guidance(config: SweepConfig, preset: ModelPreset) -> tuple[float, ...]:
    return tuple(config.guidance_of(expert) for expert in preset.expert_names)


def _prompt_of(project: Project, preset: ModelPreset, compared: Sequence[Prompt]) -> str:
    """The first prompt with the trigger: of the comparison, else of the usual ones."""
    facts = project.facts()
    usual = resolve_prompts(standard_prompts(project, preset.name), facts.trigger, facts.class_noun)
    asked = [prompt.text for prompt in (*compared, *usual) if prompt.kind == PERSON]
    return asked[0] if asked else f"{facts.trigger}, a {facts.class_noun}"
