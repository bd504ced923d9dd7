"""Puts a pair into a person's ComfyUI: the LoRA files into its folder for them, and workflows that draw with them; all of it told in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from studio.disk import finished_dir
from studio.errors import Problem
from studio.evaluation.sweep_facts import Sweep
from studio.export.comfy import sentences
from studio.export.comfy.installation import LORAS, Installation, find_by_files, find_desktop_app, find_installation
from studio.export.comfy.placing import Put, put_file, read_notes, write_notes
from studio.export.comfy.workflows import Subject, Workflow, linked_files, write_workflows
from studio.export.exporting import export_pair
from studio.export.targets.comfyui import IN_FILE_NAMES
from studio.models.preset import ModelPreset, list_models, model_preset
from studio.training.pairs import Pair
from studio.workspace import Project, Workspace

UI, API = ".json", " (API).json"  # how the files of a workflow end


@dataclass(frozen=True, kw_only=True)
class Used:
    """loras: {expert: where its file is}; folder: with both forms of every workflow, None if none could be written; listed: those in ComfyUI's own
    list; said: what became of it, a sentence each, of which the first `num_first` are what to know at once."""

    comfyui: Installation
    loras: Mapping[str, Put]
    folder: Path | None
    listed: tuple[Path, ...]
    said: tuple[str, ...]
    num_first: int


def choose_installation(workspace: Workspace, named: str = "") -> Installation:
    """The ComfyUI that is named now, which is remembered; else that was named before; else where the linked base models lie, or the desktop app's.

    Problem if there is none, or the named folder is nothing of the kind.
    """
    if named:
        found = find_installation(named)
        workspace.update(comfyui=str(Path(named).expanduser().absolute()))
        return found
    if known := workspace.facts().comfyui:
        return find_installation(known)
    linked = [path for name in list_models() for path in linked_files(name, workspace).values()]
    by_itself = find_by_files(linked) or find_desktop_app()
    if by_itself is None:
        raise Problem(
            "No ComfyUI was found on this computer.",
            fix="Name its folder under ComfyUI, below the clips, or with `use PROJECT --comfyui FOLDER`.",
            action="open-comfyui",
        )
    return by_itself


def put_into_comfyui(project: Project, comfyui: Installation, pair: Pair, strength: float, sweep: Sweep | None = None) -> Used:
    """Copy the pair, write its workflows, and note both in the project. Never overwrites; what is there already is recognised.

    sweep: the comparison whose prompt and numbers the workflows draw with. Problem in words if the pair can't be used there.
    """
    preset = model_preset(pair.manifest.base_model or project.facts().base_model)
    if preset.is_built_in:
        raise Problem(
            f"ComfyUI can't draw with {preset.title}, which is the studio's own: nothing was copied.",
            fix="Teach a base model of WAN; its pairs can be used there.",
        )
    exported = export_pair(project, pair, "comfyui", strength, lora_format=project.facts().lora_format)
    loras = _copy_pair(project, comfyui, _files_of_experts(exported, preset))
    name = f"{project.slug}_run{int(pair.run.rsplit('-', 1)[1])}_step{pair.step}"
    subject = Subject(
        project=project,
        comfyui=comfyui,
        pair=pair,
        preset=preset,
        loras=_names_there(comfyui, loras),
        strength=strength,
        sweep=sweep,
        name=name,
    )
    written = write_workflows(subject)
    folder = _save(project, pair, written.workflows)
    listed = _list(project, comfyui, folder)
    titles = [workflow.title for workflow in written.workflows]
    first = (*sentences.tell_copied(loras, comfyui.loras_folder), sentences.tell_workflows(titles, bool(listed), folder))
    said = first + written.said
    write_notes(project, replace(read_notes(project), pair=pair.id, comfyui=comfyui.title, workflows=tuple(titles), said=said))
    return Used(comfyui=comfyui, loras=loras, folder=folder, listed=listed, said=said, num_first=len(first))


# -- the pair


def _files_of_experts(folder: Path, preset: ModelPreset) -> dict[str, Path]:
    """{expert: file} in an export for ComfyUI."""
    found = sorted(folder.glob("*.safetensors"))
    if len(preset.experts) == 1:
        return dict(zip(preset.expert_names, found, strict=True))
    return {expert: path for expert in preset.expert_names for path in found if path.stem.endswith(IN_FILE_NAMES[expert])}


def _copy_pair(project: Project, comfyui: Installation, files: Mapping[str, Path]) -> dict[str, Put]:
    folder = comfyui.loras_folder
    return {expert: put_file(project, path, folder, path.name, comfyui.folders_of(LORAS)) for expert, path in files.items()}


def _names_there(comfyui: Installation, loras: Mapping[str, Put]) -> dict[str, str]:
    """{expert: what ComfyUI calls its file}."""
    names = {path: name for name, path in comfyui.list_names(LORAS).items()}
    return {expert: names[put.path] for expert, put in loras.items()}


# -- the workflows


def _save(project: Project, pair: Pair, workflows: tuple[Workflow, ...]) -> Path | None:
    """Both forms of each, in a folder of the project's exports; the same ones written before are found again."""
    files = {f"{workflow.title}{UI}": workflow.ui for workflow in workflows} | {f"{w.title}{API}": w.api for w in workflows}
    if not files:
        return None
    made, number = project.exports_dir / f"comfyui-workflows-{pair.run}-{pair.folder.name}", 1
    first = made
    while made.exists():
        if {path.name: path.read_text(encoding="utf-8") for path in made.iterdir()} == files:
            return made
        number += 1
        made = first.with_name(f"{first.name}-{number}")
    with finished_dir(made) as folder:
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return made


def _list(project: Project, comfyui: Installation, folder: Path | None) -> tuple[Path, ...]:
    """Put the page's form of each workflow where ComfyUI's page lists them."""
    target = comfyui.workflows_folder
    if target is None or folder is None:
        return ()
    pages = [path for path in sorted(folder.iterdir()) if not path.name.endswith(API)]
    return tuple(put_file(project, path, target, path.name).path for path in pages)
