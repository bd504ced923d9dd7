"""A ComfyUI on this computer: where it looks for which models, and what it calls a file there. Found from any place in it, or near it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.errors import Problem
from studio.models.files.extra_model_paths import FILE, ExtraFolder, read_extra_folders

LORAS, EXPERTS, TEXT_ENCODERS, VAES = "loras", "diffusion_models", "text_encoders", "vae"
OWN_FOLDERS = {LORAS: ("loras",), EXPERTS: ("unet", "diffusion_models"), TEXT_ENCODERS: ("text_encoders", "clip"), VAES: ("vae",)}
ALSO_CALLED = {"unet": EXPERTS, "clip": TEXT_ENCODERS}  # in lists of further folders
ITS_MARKS = ("main.py", "custom_nodes", "user", "input")  # beside ComfyUI's folder of models
OF_WINDOWS = ("../python_embeded", ".venv/Scripts", "venv/Scripts")  # seen from it: it runs under Windows, wherever the studio does
DESKTOP_LISTS = (
    "ComfyUI/extra_models_config.yaml",
    "Comfy Desktop/shared_model_paths.yaml",
)  # of the desktop app, among a person's settings
MOST_PARENTS = 6
MAX_DEPTH = 6  # of folders in a folder of models


@dataclass(frozen=True)
class Installation:
    """root: ComfyUI's folder, None where a folder for LoRA files is all that is known of it; folders: (kind, folder), in the order in which it looks;
    separator: between the folders in a name."""

    root: Path | None
    folders: tuple[tuple[str, Path], ...]
    separator: str = os.sep

    def folders_of(self, kind: str) -> tuple[Path, ...]:
        return tuple(folder for of, folder in self.folders if of == kind)

    def list_names(self, kind: str) -> dict[str, Path]:
        """{what ComfyUI calls it: file} of the models of a kind. Of two files of one name it only ever finds the first."""
        found: dict[str, Path] = {}
        for folder in self.folders_of(kind):
            for path in _list_weights(folder):
                found.setdefault(self.separator.join(path.relative_to(folder).parts), path)
        return found

    @property
    def loras_folder(self) -> Path:
        """Where a new LoRA file goes: the first of its folders for them that is there. Problem if there is none."""
        for folder in self.folders_of(LORAS):
            if folder.is_dir():
                return folder
        raise Problem(f"{self.title} has no folder for LoRA files.", fix=f"Make the folder models{os.sep}loras in it.")

    @property
    def workflows_folder(self) -> Path | None:
        """Where its page lists workflows from; None where it never ran, or its folder is not known."""
        return self.root / "user/default/workflows" if self.root and (self.root / "user").is_dir() else None

    @property
    def title(self) -> str:
        return str(self.root or self.folders[0][1])


def find_installation(named: Path | str) -> Installation:
    """The ComfyUI that a folder belongs to: its own, the one that it was unpacked to, one in it, or a folder that it shares with others.

    A folder for LoRA files alone will do. Problem if it is nothing of the kind.
    """
    folder = Path(named).expanduser().absolute()
    if not folder.exists():
        raise Problem(f"There is no folder {folder}.", fix="Check the spelling, and whether the drive it is on is connected.")
    roots = list(_roots_near(folder))
    if roots:
        return _describe(roots[0])
    if "lora" in folder.name.casefold() and folder.is_dir():
        return Installation(None, ((LORAS, folder),))
    raise Problem(
        f"{folder} is no ComfyUI: there is no folder models with folders such as loras and diffusion_models in it.",
        fix="Name the folder that has ComfyUI's main.py or models in it, or its folder for LoRA files.",
    )


def find_by_files(files: Iterable[Path]) -> Installation | None:
    """The ComfyUI that one of these files lies in; None if there is none."""
    for file in files:
        for root in _roots_near(file.absolute()):
            if _has_marks(root):
                return _describe(root)
    return None


def find_desktop_app() -> Installation | None:
    """That of the desktop app, by its own list of folders."""
    for file in _desktop_lists():
        for extra in read_extra_folders(file):
            if _has_models(extra.base):
                return _describe(extra.base)
    return None


# -- where it is


def _roots_near(place: Path) -> Iterator[Path]:
    """ComfyUI folders: the place itself, the one in it, those around it, and those that share the models there."""
    around = [place, *list(place.parents)[:MOST_PARENTS]]
    for folder in (place, place / "ComfyUI", *around[1:]):
        if _has_models(folder):
            yield folder
    for folder in around:
        yield from _packages_in(folder, place)


def _packages_in(folder: Path, place: Path) -> Iterator[Path]:
    """Stability Matrix keeps programs in Packages and what they share in Models: the ComfyUI that is told of the place goes first."""
    found = [package for packages in (folder / "Packages", folder / "Data/Packages") for package in _subfolders(packages)]
    usable = [package for package in found if _has_models(package)]
    yield from sorted(usable, key=lambda package: not any(extra.path in (place, *place.parents) for extra in _extras_of(package)))


def _subfolders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def _has_models(folder: Path) -> bool:
    return any((folder / "models" / name).is_dir() for names in OWN_FOLDERS.values() for name in names)


def _has_marks(folder: Path) -> bool:
    return any((folder / mark).exists() for mark in ITS_MARKS)


# -- where it looks


def _describe(root: Path) -> Installation:
    """Its own folders, then further ones, those that are the default before all others: as ComfyUI lines them up."""
    folders = [(kind, root / "models" / name) for kind, names in OWN_FOLDERS.items() for name in names]
    for extra in _extras_of(root):
        entry = (ALSO_CALLED.get(extra.kind, extra.kind), extra.path)
        if entry[0] not in OWN_FOLDERS or (entry in folders and not extra.is_default):
            continue
        folders = [other for other in folders if other != entry]
        folders.insert(0 if extra.is_default else len(folders), entry)
    windows = os.name == "nt" or any((root / place).exists() for place in OF_WINDOWS)
    return Installation(root, tuple(folders), "\\" if windows else "/")


def _extras_of(root: Path) -> tuple[ExtraFolder, ...]:
    """From the list beside its main.py, and from the desktop app's where that is about this folder."""
    found = list(read_extra_folders(root / FILE))
    for file in _desktop_lists():
        extras = read_extra_folders(file)
        found += extras if any(extra.base == root for extra in extras) else ()
    return tuple(found)


def _desktop_lists() -> list[Path]:
    home = Path.home()
    settings = [Path(os.environ.get("APPDATA") or home / "AppData/Roaming"), home / "Library/Application Support"]
    settings.append(Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config"))
    return [place / name for place in settings for name in DESKTOP_LISTS if (place / name).is_file()]


def _list_weights(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder, followlinks=True):  # models often lie on another disk
        folders[:] = sorted(name for name in folders if name != ".git")
        if len(Path(place).relative_to(folder).parts) >= MAX_DEPTH:
            folders.clear()
        yield from (Path(place) / name for name in sorted(names) if Path(name).suffix.lower() == ".safetensors")
