"""The workflows that are written: from words, from a first picture, and either in four steps; each as a graph of ComfyUI's nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.export.comfy.graph import Graph, Node, Out
from studio.export.comfy.inventory import Models
from studio.export.comfy.nodes import FIXED, NOTE
from studio.export.comfy.sampling import SAMPLER, SCHEDULER, Drawing
from studio.models.preset import ModelPreset

FROM_FIRST_TO_LAST = 10000  # ComfyUI's own number for "to the end"
LOADERS, LORA, TEXT, START, SAMPLING, DRAWING, VIDEO = range(7)  # columns of the page


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that a workflow names. loras: what ComfyUI calls the pair's files, in the order of the experts, "" for one that was not trained;
    quick_loras: those for four steps, in the same order, or (); picture: that it begins with, "" where it draws from words alone."""

    preset: ModelPreset
    boundary: float
    models: Models
    drawing: Drawing
    loras: tuple[str, ...]
    strength: float
    quick_loras: tuple[str, ...] = ()
    picture: str = ""
    file_prefix: str
    note: str


def build(recipe: Recipe) -> Graph:
    """The workflow: loaders, LoRA files, prompts, one sampler for each expert, the video."""
    graph = Graph()
    experts = [_load_expert(graph, recipe, number) for number in range(len(recipe.models.experts))]
    clip = graph.add("CLIPLoader", LOADERS, clip_name=recipe.models.text_encoder, type="wan", device="default")
    vae = graph.add("VAELoader", LOADERS, vae_name=recipe.models.vae)
    graph.add(NOTE, LOADERS, "About this workflow", text=recipe.note)
    prompts = [_write_prompt(graph, clip, *texts) for texts in _prompts(recipe)]
    positive, negative, latent = _start(graph, recipe, vae, prompts[0].out(), prompts[1].out())
    for number, expert in enumerate(experts):
        links = {"model": expert.out(), "positive": positive, "negative": negative, "latent_image": latent}
        latent = _sample(graph, recipe, number, links).out()
    _save_video(graph, recipe, vae, latent)
    return graph


def _expert_words(recipe: Recipe, number: int) -> str:
    """ "high noise", for titles; "" for a model with one expert."""
    names = recipe.preset.expert_names
    return f" ({names[number].replace('_', ' ')})" if len(names) > 1 else ""


def _load_expert(graph: Graph, recipe: Recipe, number: int) -> Node:
    """An expert with its LoRA files and the shift of its noise levels."""
    words = _expert_words(recipe, number)
    node = graph.add("UNETLoader", LOADERS, f"Load the model{words}", unet_name=recipe.models.experts[number], weight_dtype="default")
    if recipe.quick_loras:
        node = _add_lora(graph, node, f"Four steps{words}", recipe.quick_loras[number], 1.0)
    if recipe.loras[number]:
        node = _add_lora(graph, node, f"The person{words}", recipe.loras[number], recipe.strength)
    return graph.add("ModelSamplingSD3", SAMPLING, f"Shift{words}", links={"model": node.out()}, shift=recipe.drawing.shift)


def _add_lora(graph: Graph, node: Node, title: str, name: str, strength: float) -> Node:
    return graph.add("LoraLoaderModelOnly", LORA, title, links={"model": node.out()}, lora_name=name, strength_model=strength)


def _prompts(recipe: Recipe) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("What is drawn (the trigger is in it)", recipe.drawing.prompt), ("What is avoided", recipe.drawing.negative_prompt)


def _write_prompt(graph: Graph, clip: Node, title: str, text: str) -> Node:
    return graph.add("CLIPTextEncode", TEXT, title, links={"clip": clip.out()}, text=text)


def _start(graph: Graph, recipe: Recipe, vae: Node, positive: Out, negative: Out) -> tuple[Out, Out, Out]:
    """(positive, negative, latent) that the first sampler begins with."""
    drawing = recipe.drawing
    size: dict[str, Any] = {"width": drawing.width, "height": drawing.height, "length": drawing.num_frames, "batch_size": 1}
    if recipe.picture:
        picture = graph.add("LoadImage", TEXT, "The first picture: choose one of the person", image=recipe.picture, upload="image")
        links = {"positive": positive, "negative": negative, "vae": vae.out(), "start_image": picture.out("IMAGE")}
        node = graph.add("WanImageToVideo", START, "Size and length", links=links, **size)
        return node.out("positive"), node.out("negative"), node.out("latent")
    if _has_wide_latents(recipe.preset):
        return positive, negative, graph.add("Wan22ImageToVideoLatent", START, "Size and length", links={"vae": vae.out()}, **size).out()
    return positive, negative, graph.add("EmptyHunyuanLatentVideo", START, "Size and length", **size).out()


def _has_wide_latents(preset: ModelPreset) -> bool:
    """Whether it draws in the latents of WAN 2.2's own VAE, of 48 channels, for which ComfyUI has another node."""
    return int(preset.configs["vae"]["z_dim"]) > 16


def _sample(graph: Graph, recipe: Recipe, number: int, links: dict[str, Out]) -> Node:
    """The steps of one expert: the first one begins with noise, and leaves what noise is left to the second."""
    drawing, last = recipe.drawing, len(recipe.models.experts) - 1
    change = drawing.boundary_step(recipe.boundary)
    return graph.add(
        "KSamplerAdvanced",
        DRAWING,
        f"Draw{_expert_words(recipe, number)}",
        links=links,
        add_noise="enable" if number == 0 else "disable",
        noise_seed=drawing.seed,
        control_after_generate=FIXED,
        steps=drawing.steps,
        cfg=drawing.guidance[number],
        sampler_name=SAMPLER,
        scheduler=SCHEDULER,
        start_at_step=0 if number == 0 else change,
        end_at_step=FROM_FIRST_TO_LAST if number == last else change,
        return_with_leftover_noise="disable" if number == last else "enable",
    )


def _save_video(graph: Graph, recipe: Recipe, vae: Node, latent: Out) -> None:
    frames = graph.add("VAEDecode", VIDEO, links={"samples": latent, "vae": vae.out()})
    video = graph.add("CreateVideo", VIDEO, links={"images": frames.out()}, fps=recipe.drawing.fps)
    graph.add("SaveVideo", VIDEO, links={"video": video.out()}, filename_prefix=recipe.file_prefix, format="auto", codec="auto")
