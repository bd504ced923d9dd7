"""Which workflows are written for a pair in a ComfyUI, under which names, and why others are not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.errors import Problem
from studio.evaluation.sweep_facts import Sweep
from studio.export.comfy import sentences
from studio.export.comfy.graph import to_api, to_ui
from studio.export.comfy.installation import Installation
from studio.export.comfy.inventory import Models, find_models, find_quick_loras
from studio.export.comfy.sampling import drawing_of
from studio.export.comfy.variants import Recipe, build
from studio.models.catalogue import find_model
from studio.models.preset import ModelPreset, list_models, model_preset
from studio.training.pairs import Pair
from studio.workspace import Project, Workspace

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
ITS_OWN_PICTURE = "example.png"  # that ComfyUI comes with


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is drawn with: a pair in a ComfyUI. loras: what it calls the pair's files, by expert; name: of the pair's export."""

    project: Project
    comfyui: Installation
    pair: Pair
    preset: ModelPreset
    loras: dict[str, str]
    strength: float
    sweep: Sweep | None
    name: str


@dataclass(frozen=True)
class Workflow:
    """title: of its file, without an ending; ui, api: what is in the two files."""

    title: str
    ui: str
    api: str


@dataclass(frozen=True)
class Written:
    workflows: tuple[Workflow, ...]
    said: tuple[str, ...]  # what is missing, and what is good to know


def write_workflows(subject: Subject) -> Written:
    """Every workflow that this ComfyUI has the files for, and in words what the others lack."""
    workflows: list[Workflow] = []
    said = list(sentences.tell_sampler(subject.sweep))
    for preset in _relatives(subject.preset):
        try:
            models = find_models(subject.comfyui, preset, linked_files(preset.name, subject.project.workspace))
        except Problem as e:
            said.append(sentences.tell_missing(preset, e))
            continue
        said += sentences.tell_distilled(preset, models)
        recipe = _recipe(subject, preset, models)
        quick = find_quick_loras(subject.comfyui, preset) if len(preset.experts) > 1 else ()
        if len(preset.experts) > 1 and not quick:
            said.append(sentences.tell_no_quick(preset))
        workflows += [_make(subject, each) for each in _variants(recipe, quick)]
    return Written(tuple(workflows), tuple(said))


def linked_files(name: str, workspace: Workspace) -> dict[str, Path]:
    """{role: file} of a base model that lies in single files, {"": its folder} of one that doesn't; nothing if it is built in or not here."""
    if model_preset(name).is_built_in:
        return {}
    try:
        base = find_model(name, workspace)
    except Problem:  # not here, or damaged: said where it is asked for
        return {}
    return dict(base.single_files) or {"": base.folder}


def _relatives(preset: ModelPreset) -> list[ModelPreset]:
    """The base model itself, then others with the same layers, which a LoRA for it fits: from words and from a picture."""
    others = [model_preset(name) for name in list_models() if name != preset.name]
    return [preset, *(other for other in others if not other.is_built_in and _layers(other) == _layers(preset))]


def _layers(preset: ModelPreset) -> dict[str, Any]:
    return {name: value for name, value in preset.expect.items() if name != "in_channels"} | {"experts": preset.expert_names}


def _recipe(subject: Subject, preset: ModelPreset, models: Models) -> Recipe:
    is_own = preset.name == subject.preset.name
    boundary = subject.pair.manifest.boundary if is_own else None
    return Recipe(
        preset=preset,
        boundary=float(boundary or preset.default_boundary),
        models=models,
        drawing=drawing_of(subject.project, preset, subject.sweep),
        loras=tuple(subject.loras.get(expert, "") for expert in preset.expert_names),  # one that was not trained has no file
        strength=subject.strength,
        picture=_first_picture(subject.comfyui) if preset.takes_first_picture else "",
        file_prefix=f"video/{subject.name}",
        note="",
    )


def _variants(recipe: Recipe, quick: tuple[str, ...]) -> Iterator[Recipe]:
    yield recipe
    if quick:
        yield replace(recipe, quick_loras=quick, drawing=recipe.drawing.quick)


def _make(subject: Subject, recipe: Recipe) -> Workflow:
    kind = "image to video" if recipe.picture else "text to video"
    title = f"{subject.name} {kind}{', 4 steps' if recipe.quick_loras else ''}"
    graph = build(replace(recipe, note=sentences.note(title, subject.pair.id, recipe)))
    return Workflow(title, _as_text(to_ui(graph)), _as_text(to_api(graph)))


def _as_text(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, indent=1) + "\n"


def _first_picture(comfyui: Installation) -> str:
    """A picture that its node for pictures can show until the person chooses one: ComfyUI's own, else the first there is."""
    folder = comfyui.root / "input" if comfyui.root else None
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in PICTURES) if folder and folder.is_dir() else []
    return names[0] if names and ITS_OWN_PICTURE not in names else ITS_OWN_PICTURE
