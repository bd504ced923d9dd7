"""Captioners of the hub that no preset tells of, by owner/name: any model that transformers loads as image and text to text. Torch-free."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.models.captioners.family import family_named
from studio.models.captioners.places import captioner_folder, check_captioner, link_captioner, why_not_here
from studio.models.fetch.needed import ReadJson
from studio.workspace import Workspace

WORD, ID = "captioner of the hub", "captioner"
_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


@dataclass(frozen=True)
class AboutHubModel:
    name: str
    licence: str = ""
    download_gb: float = 0.0  # not known before the hub is asked
    is_built_in: bool = False

    @property
    def title(self) -> str:
        return f"The captioner {self.name}"

    @property
    def description(self) -> str:
        return (
            "A model of the hub that the studio knows nothing of. It is used if it is one for pictures and text that transformers loads by itself, "
            "from safetensors, without code of its own."
        )

    @property
    def repository(self) -> str:
        return self.name


@dataclass(frozen=True)
class FetchableHubModel:
    about: AboutHubModel

    def why_not_here(self, workspace: Workspace) -> str:
        return why_not_here(self.about.name, workspace)

    def find_files(self, workspace: Workspace) -> tuple[Path, Sequence[Path]]:
        folder = captioner_folder(self.about.name, workspace)
        return folder, sorted(folder.glob("*.safetensors"))

    def link(self, paths: Sequence[str], workspace: Workspace) -> Sequence[str]:
        return [str(link_captioner(self.about.name, paths[0], workspace))]

    def choose_names(self, names: Collection[str], read_json: ReadJson) -> list[str]:
        return family_named("vision_language").choose_names(names, read_json)

    def check(self, folder: Path) -> None:
        check_captioner(folder)


def list_names() -> list[str]:
    """None: they are as many as the hub has."""
    return []


def knows(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def fetchable(name: str) -> FetchableHubModel:
    return FetchableHubModel(AboutHubModel(name))
