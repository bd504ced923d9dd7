"""Which files a ComfyUI installation has for models like WAN, wherever in it a person points. Torch-free."""

import os
from collections.abc import Iterable
from pathlib import Path

from studio.errors import Problem
from studio.models.files.extra_model_paths import FILE, read_extra_folders

FOLDERS = ("diffusion_models", "unet", "checkpoints", "text_encoders", "clip", "vae")  # of ComfyUI's models folder
MAX_DEPTH, MAX_FILES = 6, 2000  # of a search: a folder by mistake may be a whole disk


def list_files(paths: Iterable[Path | str]) -> list[Path]:
    """Files of these paths, each once: a file itself, and all under a folder; of a ComfyUI folder only those for such models.

    Problem for a folder that has far too many files, or a damaged list of further folders.
    """
    found = []
    for path in map(Path, paths):
        if path.is_file():
            found.append(path)
            continue
        places = []
        for root in _roots(path):
            places += _find_files(root, path, MAX_FILES - len(places))
        found += places
    return list(dict.fromkeys(found))


def _roots(folder: Path) -> list[Path]:
    """Where to look: below a ComfyUI folder its model folders; anywhere else, or inside of one of those, the folder itself too."""
    below = next((f for f in (folder / "models", folder / "ComfyUI/models", folder) if _has_models(f)), None)
    above = next((f for f in folder.parents[:3] if _has_models(f)), None)
    models = below or above
    if models is None:
        return [folder, *_elsewhere(folder)]
    roots = [models / name for name in FOLDERS if (models / name).is_dir()] + _elsewhere(models.parent)
    return roots if below else [folder, *roots]


def _has_models(folder: Path) -> bool:
    return any((folder / name).is_dir() for name in FOLDERS)


def _elsewhere(comfyui: Path) -> list[Path]:
    """Folders that ComfyUI's own list of further places names for models like these, as far as they are there now."""
    named = [folder.path for folder in read_extra_folders(comfyui / FILE) if folder.kind in FOLDERS]
    return [folder for folder in named if folder.is_dir()]


def _find_files(root: Path, asked: Path, most: int) -> list[Path]:
    """All files under `root`. Problem behind `most` of them, in words about the folder that was asked for."""
    found = []
    for place, folders, names in os.walk(root, followlinks=True):  # models often lie on another disk
        folders.sort()
        if len(Path(place).relative_to(root).parts) >= MAX_DEPTH:
            folders.clear()
        found += [Path(place) / name for name in sorted(names)]
        if len(found) > most:
            raise Problem(f"There are more than {MAX_FILES:,} files in {asked}.", fix="Choose the models folder of ComfyUI.")
    return found
