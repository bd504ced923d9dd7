"""Where base models and captioners can be fetched from, and what that takes: a mirror, an offline mode, sizes and licences from the presets. Never goes online."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from studio.errors import Problem
from studio.machine import free_disk_gb
from studio.models.captioners import captioner_folder, captioner_preset, describe_captioner, list_captioners
from studio.models.catalogue import describe_model
from studio.models.preset import list_models, model_preset
from studio.words import gigabytes

HUB = "https://huggingface.co"
RESERVE_GB = 5.0  # of the disk stay free
WISH = "STUDIO_OFFLINE"  # set for the studio's processes: whether the person had the hub switched off
_YES = ("1", "ON", "YES", "TRUE")


@dataclass(frozen=True)
class Source:
    repository: str
    endpoint: str

    @property
    def host(self):
        return urlsplit(self.endpoint).netloc


def note_wish(environ):
    """{WISH: "1" or "0"}: the person's own HF_HUB_OFFLINE, noted before the studio sets it for all its processes."""
    wish = any(environ.get(name, "").upper() in _YES for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"))
    return {WISH: environ.get(WISH) or str(int(wish))}


def is_offline(workspace):
    """Whether nothing may be fetched, by the person's own wish."""
    return os.environ.get(WISH, "").upper() in _YES or workspace.facts().hub_offline


def endpoint(workspace):
    """The address of the hub: HF_ENDPOINT, else the workspace's mirror, else huggingface.co."""
    return check_endpoint(os.environ.get("HF_ENDPOINT") or workspace.facts().hub_mirror or HUB)


def check_endpoint(address):
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


def set_hub(workspace, *, mirror=None, offline=None):
    """Remember a mirror ("" or huggingface.co: the hub itself), or the offline mode; None leaves it."""
    if mirror is not None:
        is_hub = mirror.strip().rstrip("/").removeprefix("https://") in ("", urlsplit(HUB).netloc)
        workspace.update(hub_mirror="" if is_hub else check_endpoint(mirror))
    if offline is not None:
        workspace.update(hub_offline=bool(offline))


def is_captioner(name):
    return name in list_captioners()


def preset_of(name):
    """The preset of a captioner, or of a base model."""
    return captioner_preset(name) if is_captioner(name) else model_preset(name)


def describe(name, workspace):
    """{"name", "title", "available", "reason"} of a captioner, or of a base model."""
    return describe_captioner(name, workspace) if is_captioner(name) else describe_model(name, workspace)


def model_folder(name, workspace):
    """Where a download of a model goes."""
    return workspace.models_dir / name


def require_source(name, workspace):
    """The Source of a model. Problem if it has none, or the offline mode is on."""
    preset = preset_of(name)
    if preset.is_built_in:
        raise Problem(f"{preset.title} is built in; there is nothing to download.")
    if not preset.repository:
        raise Problem(f"{preset.title} can't be downloaded from here.", fix="Link the folder you have.")
    if is_offline(workspace):
        fix = "Switch it off where the download is offered or with `python -m studio models --offline off`, and take HF_HUB_OFFLINE out of the environment."
        raise Problem("The offline mode is on: nothing was fetched.", fix=fix)
    return Source(preset.repository, endpoint(workspace))


def describe_download(name, workspace):
    """What a person should know before a download, from the preset and the disk; "prevented" says why it can't be started, or ""."""
    preset, folder = preset_of(name), model_folder(name, workspace)
    size, here, free = preset.download_gb, folder_gb(folder), free_disk_gb(folder)
    prevented, host = "", ""
    try:
        host = require_source(name, workspace).host
        missing = max(0.0, size - here) + RESERVE_GB - free
        if missing > 0:
            prevented = f"{gigabytes(missing)} of free space is missing: {gigabytes(free)} are free where {folder} is."
    except Problem as e:
        prevented = f"{e.message} {e.fix}".strip()
    return {
        "model": name,
        "title": preset.title,
        "repository": preset.repository,
        "host": host,
        "licence": preset.licence,
        "folder": str(folder),
        "size_gb": size,
        "here_gb": min(here, size),
        "free_gb": free,
        "prevented": prevented,
    }


def describe_models(workspace):
    """Every base model and captioner: name, title, whether it is there (and why not), its size and its folder."""
    rows = []
    for name in [*list_models(), *list_captioners()]:
        preset, model = preset_of(name), describe(name, workspace)
        folder, size = _place_and_size(name, workspace)
        rows.append(
            {
                **model,
                "built_in": preset.is_built_in,
                "size_gb": round(size, 3) if model["available"] else preset.download_gb,
                "folder": str(folder),
                "repository": preset.repository,
                "licence": preset.licence,
            }
        )
    return rows


def _place_and_size(name, workspace):
    """(folder, GB of the model's weights)."""
    from studio.models.catalogue import find_model

    if is_captioner(name):
        folder = captioner_folder(name, workspace)
        return folder, sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e9
    try:
        model = find_model(name, workspace)
    except Problem:
        return model_folder(name, workspace), 0.0
    return model.folder, sum(path.stat().st_size for _, path in model.source.files()) / 1e9


def folder_gb(folder):
    """GB of 10^9 bytes in all files of a folder; 0.0 without one."""
    found = 0
    for path in Path(folder).rglob("*"):
        try:
            found += path.stat().st_size if path.is_file() else 0
        except OSError:
            continue  # just moved to its place
    return found / 1e9
