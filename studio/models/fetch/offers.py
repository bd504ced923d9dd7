"""Where things can be fetched from, and what that takes: a mirror, an offline mode, sizes and licences from the presets. Never goes online."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.errors import Problem
from studio.machine import free_disk_gb
from studio.models.fetch.fetchable import About, describe, find_fetchable, list_names
from studio.models.fetch.fetchables.hub_models import AboutHubModel
from studio.models.fetch.looked_up import read_looked_up
from studio.models.presence import Presence
from studio.words import gigabytes
from studio.workspace import Workspace, model_dir_name

HUB = "https://huggingface.co"
RESERVE_GB = 5.0  # of the disk stay free
WISH = "STUDIO_OFFLINE"  # set for the studio's processes: whether the person had the hub switched off
_YES = ("1", "ON", "YES", "TRUE")


@dataclass(frozen=True)
class Source:
    repository: str
    endpoint: str

    @property
    def host(self) -> str:
        return urlsplit(self.endpoint).netloc


def note_wish(environ: Mapping[str, str]) -> dict[str, str]:
    """{WISH: "1" or "0"}: the person's own HF_HUB_OFFLINE, noted before the studio sets it for all its processes."""
    wish = any(environ.get(name, "").upper() in _YES for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return {WISH: environ.get(WISH) or str(int(wish))}


def is_offline(workspace: Workspace) -> bool:
    """Whether nothing may be fetched, by the person's own wish."""
    return os.environ.get(WISH, "").upper() in _YES or workspace.facts().hub_offline


def endpoint(workspace: Workspace) -> str:
    """The address of the hub: HF_ENDPOINT, else the workspace's mirror, else huggingface.co."""
    return check_endpoint(os.environ.get("HF_ENDPOINT") or workspace.facts().hub_mirror or HUB)


def check_endpoint(address: str) -> str:
    """The address without a slash at its end; Problem if it is none."""
    address = str(address).strip().rstrip("/")
    try:
        parts = urlsplit(address)
        right = (
            parts.scheme in ("http", "https")
            and parts.hostname
            and not (parts.username or parts.query or parts.fragment or parts.port == 0)
        )
    except ValueError:
        right = False
    if not right or any(c.isspace() for c in address):
        raise Problem("The mirror's address can't be used.", fix=f"Give one like {HUB}, without a name and password in it.")
    return address


def set_hub(workspace: Workspace, *, mirror: str | None = None, offline: bool | None = None) -> None:
    """Remember a mirror ("" or huggingface.co: the hub itself), or the offline mode; None leaves it."""
    if mirror is not None:
        is_hub = mirror.strip().rstrip("/").removeprefix("https://") in ("", urlsplit(HUB).netloc)
        workspace.update(hub_mirror="" if is_hub else check_endpoint(mirror))
    if offline is not None:
        workspace.update(hub_offline=bool(offline))


def model_folder(name: str, workspace: Workspace) -> Path:
    """Where a download goes."""
    return workspace.models_dir / model_dir_name(name)


def require_source(name: str, workspace: Workspace) -> Source:
    """Where a thing is fetched from. Problem if it comes from nowhere, or the offline mode is on."""
    about = find_fetchable(name).about
    if about.is_built_in:
        raise Problem(f"{about.title} is built in; there is nothing to download.")
    if not about.repository:
        raise Problem(f"{about.title} can't be downloaded from here.", fix="Link the folder you have.")
    if is_offline(workspace):
        fix = "Switch it off where the download is offered or with `python -m studio models --offline off`, and take HF_HUB_OFFLINE out of the environment."
        raise Problem("The offline mode is on: nothing was fetched.", fix=fix)
    return Source(about.repository, endpoint(workspace))


@dataclass(frozen=True)
class Offer:
    """What a person should know before a download, from the preset and the disk. prevented: why it can't be started, or ""."""

    about: About
    host: str  # "" where nothing can be fetched
    folder: Path
    here_gb: float
    free_gb: float
    prevented: str = ""


def find_about(name: str, workspace: Workspace) -> About:
    """What is known of a thing: what its preset says, and of one without what the hub said when it was looked up."""
    about = find_fetchable(name).about
    if not isinstance(about, AboutHubModel):
        return about
    found = read_looked_up(name, workspace)
    return replace(about, licence=found.licence_words, download_gb=found.bytes / 1e9) if found else about


def needs_a_look(about: About) -> bool:
    """Whether the hub has to be asked how large it is, and what its licence is, before anybody can decide."""
    return isinstance(about, AboutHubModel) and not about.licence


def describe_download(name: str, workspace: Workspace) -> Offer:
    about, folder = find_about(name, workspace), model_folder(name, workspace)
    here, free = folder_gb(folder), free_disk_gb(folder)
    prevented, host = "", ""
    try:
        host = require_source(name, workspace).host
        missing = max(0.0, about.download_gb - here) + RESERVE_GB - free
        if missing > 0:
            prevented = f"{gigabytes(missing)} of free space is missing: {gigabytes(free)} are free where {folder} is."
    except Problem as e:
        prevented = f"{e.message} {e.fix}".strip()
    return Offer(about, host, folder, min(here, about.download_gb), free, prevented)


@dataclass(frozen=True)
class Listed:
    """A thing in the list of all that can be fetched. size_gb: of its weights if it is here, else of its download."""

    presence: Presence
    about: About
    folder: Path
    size_gb: float

    def to_json(self) -> dict[str, Any]:
        return self.presence.to_json() | {
            "built_in": self.about.is_built_in,
            "size_gb": self.size_gb,
            "folder": str(self.folder),
            "repository": self.about.repository,
            "licence": self.about.licence,
        }


def list_all(workspace: Workspace) -> list[Listed]:
    """Every base model, captioner, and whatever else can be fetched."""
    return [_listed(name, workspace) for name in list_names()]


def _listed(name: str, workspace: Workspace) -> Listed:
    thing, presence = find_fetchable(name), describe(name, workspace)
    folder, files = thing.find_files(workspace)
    size = round(sum(path.stat().st_size for path in files) / 1e9, 3) if presence.available else thing.about.download_gb
    return Listed(presence, thing.about, folder, size)


def folder_gb(folder: Path) -> float:
    """GB of 10^9 bytes in all files of a folder; 0.0 without one."""
    found = 0
    for path in folder.rglob("*"):
        try:
            found += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # just moved to its place
    return found / 1e9
