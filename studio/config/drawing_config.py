"""The settings of a comparison's clips; `studio.config` has them beside the others."""

from collections.abc import Mapping
from dataclasses import dataclass

from studio.config.expert_names import EXPERTS
from studio.config.sections import Section, setting

USUAL_STRENGTH = 0.7  # of a LoRA: where to begin, and what is written down where nobody chose


@dataclass(frozen=True, kw_only=True)
class SweepConfig(Section):
    """How checkpoint pairs are compared: every pair x prompt x seed x strength, and the base once."""

    strengths: tuple[float, ...] = setting((USUAL_STRENGTH, 1.0), "How strongly the LoRA is applied.", label="Strengths", term="LoRA scale")
    seeds: tuple[int, ...] = setting((42,), "The same seeds for every pair, so that only the pair differs.", label="Seeds", term="seeds")
    prompts: tuple[str, ...] = setting(
        (),
        "What is drawn; [trigger] stands for the person, and [picture 0003] for what an image-to-video model begins with. Empty: the standard test prompts.",
        label="Prompts",
        term="prompts",
    )
    width: int = setting(480, "Width of the test clips.", label="Width", term="width", unit="px", minimum=32, maximum=1280)
    height: int = setting(832, "Height of the test clips.", label="Height", term="height", unit="px", minimum=32, maximum=1280)
    num_frames: int = setting(
        33, "Frames of a test clip; a multiple of four plus one.", label="Frames", term="num_frames", minimum=1, maximum=161
    )
    num_inference_steps: int = setting(
        20, "Denoising steps for a clip; more is finer and slower.", label="Drawing steps", term="inference steps", minimum=1, maximum=100
    )
    guidance_scale_high: float = setting(
        3.5, "How closely the layout follows the prompt.", label="Guidance, layout", term="CFG, high noise", minimum=1.0, maximum=15.0
    )
    guidance_scale_low: float = setting(
        3.5, "How closely the detail follows the prompt.", label="Guidance, detail", term="CFG, low noise", minimum=1.0, maximum=15.0
    )
    flow_shift: float = setting(
        5.0, "Moves the denoising steps towards strong noise.", label="Shift", term="flow shift", minimum=0.1, maximum=20.0
    )
    scheduler: str = setting(
        "unipc",
        "How the steps are taken; comfyui: as the workflows for ComfyUI take them, so that its clips are these.",
        label="Sampler",
        term="scheduler",
        choices=("unipc", "euler", "comfyui"),
    )
    negative_prompt: str = setting("", "What should not be drawn.", label="Avoid", term="negative prompt")
    blocks_swapped: int = setting(
        0, "How many blocks wait in RAM while clips are drawn.", label="Blocks kept in RAM", term="blocks swapped", minimum=0, maximum=80
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.num_frames - 1) % 4:
            raise ValueError(f"num_frames must be 4n + 1, got {self.num_frames}; try {(self.num_frames - 1) // 4 * 4 + 1}")
        if not self.seeds:
            raise ValueError("seeds is empty; give at least one number, for example 42")
        bad = [s for s in self.strengths if not 0 < s <= 2]
        if bad or not self.strengths:
            raise ValueError(f"strengths must lie above 0 and up to 2, got {bad or 'none'}; the base (0) is always included")
        for name in ("strengths", "seeds"):  # the same clip twice says nothing new
            object.__setattr__(self, name, tuple(dict.fromkeys(getattr(self, name))))

    def guidance_of(self, expert: str) -> float:
        """How closely an expert follows the prompt."""
        return {EXPERTS[0]: self.guidance_scale_high, EXPERTS[1]: self.guidance_scale_low}[expert]


def guidance_settings(guidance: Mapping[str, float]) -> dict[str, float]:
    """The settings of a SweepConfig that have the experts guided so; of two settings, one that no expert uses has the other's."""
    used = [guidance[expert] for expert in EXPERTS if expert in guidance]
    return {"guidance_scale_high": used[0], "guidance_scale_low": used[-1]} if used else {}
