"""Captioners: what their files are, the captioner's family says. Torch-free."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.errors import Problem
from studio.models.captioners.family import family_named
from studio.models.captioners.places import captioner_folder, check_captioner, link_captioner, why_not_here
from studio.models.fetch.needed import ReadJson
from studio.models.preset import CaptionerPreset, captioner_preset, list_captioners
from studio.workspace import Workspace

WORD, ID = "captioner", "captioner"

list_names = list_captioners


def knows(name: str) -> bool:
    return name in list_names()


@dataclass(frozen=True)
class FetchableCaptioner:
    about: CaptionerPreset

    def why_not_here(self, workspace: Workspace) -> str:
        return why_not_here(self.about.name, workspace)

    def find_files(self, workspace: Workspace) -> tuple[Path, Sequence[Path]]:
        try:
            folder = captioner_folder(self.about.name, workspace)
        except Problem:  # said by why_not_here
            return workspace.models_dir / self.about.name, ()
        return folder, sorted(folder.glob("*.safetensors"))

    def link(self, paths: Sequence[str], workspace: Workspace) -> Sequence[str]:
        return [str(link_captioner(self.about.name, paths[0], workspace))]

    def choose_names(self, names: Collection[str], read_json: ReadJson) -> list[str]:
        return family_named(self.about.family).choose_names(names, read_json)

    def check(self, folder: Path) -> None:
        check_captioner(folder)


def fetchable(name: str) -> FetchableCaptioner:
    return FetchableCaptioner(captioner_preset(name))
