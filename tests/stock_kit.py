"""A clip drawn by diffusers' own pipelines, to compare ours with."""

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler


def draw_by_pipeline(pipeline, settings, seed, *inputs, output_type="np", max_prompt_tokens=512):
    """The `frames` that a WAN pipeline draws with a SweepConfig's numbers; inputs: a first picture, if it takes one, and the prompt."""
    kind = {"unipc": UniPCMultistepScheduler, "euler": FlowMatchEulerDiscreteScheduler}[settings.scheduler]
    options = {"flow_shift": settings.flow_shift} if settings.scheduler == "unipc" else {"shift": settings.flow_shift}
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config, **options)
    return run_pipeline(pipeline, settings, seed, *inputs, output_type=output_type, max_prompt_tokens=max_prompt_tokens)


def run_pipeline(pipeline, settings, seed, *inputs, output_type="np", max_prompt_tokens=512):
    """The same with the scheduler that the pipeline has."""
    return pipeline(
        *inputs,
        negative_prompt=settings.negative_prompt,
        height=settings.height,
        width=settings.width,
        num_frames=settings.num_frames,
        num_inference_steps=settings.num_inference_steps,
        guidance_scale=settings.guidance_scale_high,
        guidance_scale_2=settings.guidance_scale_low,
        generator=torch.Generator("cpu").manual_seed(seed),
        max_sequence_length=max_prompt_tokens,
        output_type=output_type,
    ).frames
