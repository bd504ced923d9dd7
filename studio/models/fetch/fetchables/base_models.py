"""Base models, in diffusers form; a link may also name ComfyUI's single files. Torch-free."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.errors import Problem
from studio.models.catalogue import describe_model, find_model, link_model
from studio.models.fetch.needed import ReadJson, names_of_diffusers_folder
from studio.models.files.folders import check_folder
from studio.models.preset import ModelPreset, list_models, model_preset
from studio.workspace import Workspace

WORD, ID = "base model", "model"

list_names = list_models


def knows(name: str) -> bool:
    return name in list_names()


@dataclass(frozen=True)
class FetchableModel:
    about: ModelPreset

    def why_not_here(self, workspace: Workspace) -> str:
        return describe_model(self.about.name, workspace).reason

    def find_files(self, workspace: Workspace) -> tuple[Path, Sequence[Path]]:
        try:
            model = find_model(self.about.name, workspace)
        except Problem:  # said by why_not_here
            return workspace.models_dir / self.about.name, ()
        return model.folder, [path for _, path in model.source.files()]

    def link(self, paths: Sequence[str], workspace: Workspace) -> Sequence[str]:
        base = link_model(self.about.name, paths, workspace)
        return [str(base.folder), *base.source.describe()]

    def choose_names(self, names: Collection[str], read_json: ReadJson) -> list[str]:
        return names_of_diffusers_folder(names, read_json, len(self.about.experts))

    def check(self, folder: Path) -> None:
        check_folder(folder, self.about)


def fetchable(name: str) -> FetchableModel:
    return FetchableModel(model_preset(name))
