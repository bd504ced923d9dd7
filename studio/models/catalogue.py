"""The base models the studio knows, found on disk and described from their configs. Torch-free."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from studio.config import PRESETS_DIR
from studio.disk import read_json, read_path, write_atomic, write_json
from studio.errors import Problem
from studio.models.files.comfyui_files import SingleFiles, find_experts, find_files, roles_of
from studio.models.files.folders import SUBFOLDERS, DiffusersFolder, check_pack
from studio.models.files.layouts import Config, WeightFile, condition_channels
from studio.models.files.weight_files import require_different, sample_of
from studio.models.presence import Presence
from studio.models.preset import ModelPreset, list_models, model_preset
from studio.workspace import Workspace

if TYPE_CHECKING:
    import torch

Linked = tuple[tuple[str, Path], ...]  # (role, path) of single files; () for a diffusers folder


@dataclass(frozen=True)
class BaseModel:
    """A base model on disk, with what its configs say. Nothing here loads weights.

    folder: the diffusers folder, or the one that was named to find `single_files` in: (role, path) of each, ComfyUI's way.
    """

    name: str
    title: str
    folder: Path
    preset: ModelPreset = field(compare=False, repr=False)
    models_dir: Path | None = field(default=None, compare=False, repr=False)
    single_files: "Linked" = ()

    @property
    def source(self) -> DiffusersFolder | SingleFiles:
        """Where its parts lie: a DiffusersFolder or SingleFiles."""
        return SingleFiles(dict(self.single_files), self.preset) if self.single_files else DiffusersFolder(self.folder, len(self.experts))

    @cached_property
    def configs(self) -> dict[str, Config]:
        """{subfolder: config dict} of every component, and "" for model_index.json."""
        return self.source.configs

    @property
    def experts(self) -> tuple[str, ...]:
        """In the order in which they draw."""
        return self.preset.expert_names

    @property
    def boundary(self) -> float:
        """Noise level (sigma) at and above which the first of two experts works; above all levels where there is no such expert."""
        return float(self.configs[""].get("boundary_ratio") or self.preset.default_boundary)

    @property
    def fps(self) -> int:
        return self.preset.fps

    @property
    def spatial_factor(self) -> int:
        return self.configs["vae"].get("scale_factor_spatial", 8)

    @property
    def temporal_factor(self) -> int:
        return self.configs["vae"].get("scale_factor_temporal", 4)

    @property
    def patch_size(self) -> tuple[int, ...]:
        return tuple(self.configs["transformer"].get("patch_size", (1, 2, 2)))

    @property
    def latent_channels(self) -> int:
        return self.configs["vae"].get("z_dim", 16)

    @cached_property
    def first_picture(self) -> bool:
        """Whether it draws from a first picture and words, not from words alone. Problem if it takes something else beside them."""
        channels = condition_channels(self.configs["transformer"])
        expected = self.temporal_factor + self.latent_channels  # a mask of the frames that are given, and their latents
        if channels not in (0, expected):
            raise Problem(
                f"{self.title} takes {channels} channels beside the noised picture, where a first picture has {expected}.",
                fix="Choose a text-to-video or a plain image-to-video model.",
            )
        return channels > 0

    @property
    def num_blocks(self) -> int:
        return self.configs["transformer"]["num_layers"]

    @property
    def max_prompt_tokens(self) -> int:
        return self.preset.max_prompt_tokens

    @property
    def size_multiple(self) -> int:
        """Widths and heights in pixels must be multiples of this."""
        return self.spatial_factor * self.patch_size[1]

    @property
    def captioner(self) -> Path:
        """Folder of the vision-language model that belongs to this base: inside its folder, else beside it. It may not exist."""
        inside = self.folder / self.preset.captioner
        return inside if inside.is_dir() or self.models_dir is None else self.models_dir / self.preset.captioner

    @cached_property
    def key(self) -> str:
        """Short hash of the configs and of names, sizes and samples of the weights: changes when the model does, without reading it all."""
        digest = hashlib.sha256(json.dumps(self.configs, sort_keys=True).encode())
        for sub, path in self.source.files():
            digest.update(f"{sub}/{path.name}:{path.stat().st_size}\n".encode())
            digest.update(sample_of(path))
        return digest.hexdigest()[:16]

    def latent_shape(self, num_frames: int, height: int, width: int) -> tuple[int, int, int, int]:
        """(C, F, h, w) of the latents of a clip; ValueError if the model cannot make that size."""
        self.check_num_frames(num_frames)
        for name, value in (("height", height), ("width", width)):
            if value <= 0 or value % self.size_multiple:
                nearest = max(round(value / self.size_multiple), 1) * self.size_multiple
                raise ValueError(f"{name} must be a multiple of {self.size_multiple} px for {self.title}, got {value}; try {nearest}")
        frames = (num_frames - 1) // self.temporal_factor + 1
        return self.latent_channels, frames, height // self.spatial_factor, width // self.spatial_factor

    def check_num_frames(self, num_frames: int) -> None:
        """ValueError with the nearest legal number unless num_frames is temporal_factor * n + 1."""
        step = self.temporal_factor
        if num_frames < 1 or (num_frames - 1) % step:
            nearest = max(round((num_frames - 1) / step), 0) * step + 1
            raise ValueError(f"num_frames must be {step}n + 1, got {num_frames}; try {nearest}")

    def expert_of(self, sigma: "float | torch.Tensor", highest: float = 1.0) -> str:
        """The name of the expert that works at a noise level, of `highest` at the most; at the boundary it is the first of two."""
        return self.experts[0 if sigma >= self.boundary * highest else -1]

    def sigma_range(self, expert: str) -> tuple[float, float]:
        """(lo, hi) of the noise levels that an expert works at."""
        is_first = len(self.experts) > 1 and expert == self.experts[0]
        return (self.boundary, 1.0) if is_first else (0.0, min(self.boundary, 1.0))

    def subfolder(self, expert: str) -> str:
        """The component that an expert is; a model with one expert keeps it where others have the first."""
        return tuple(SUBFOLDERS.values())[self.experts.index(expert)]

    @cached_property
    def has_small_files(self) -> bool:
        """Whether the experts' files are fp8."""
        return all(WeightFile(path).form.startswith("fp8") for expert in self.experts for path in self.weight_files(self.subfolder(expert)))

    def weight_files(self, subfolder: str) -> list[Path]:
        """The safetensors files of a component, in order."""
        return self.source.weight_files(subfolder)


def find_model(name: str, workspace: Workspace) -> BaseModel:
    """The base model of that name, complete and ready to load. A built-in model lies in presets/, and every file of it is checked.

    Problem, with the way to mend it, if it is not there or a file is missing.
    """
    preset = model_preset(name)
    folder, files = _find(name, preset, workspace, f"{preset.title} is not on this computer yet.")
    return BaseModel(name, preset.title, folder, preset, workspace.models_dir, files)


def describe_model(name: str, workspace: Workspace) -> Presence:
    """Whether a base model is here and ready. Builds nothing."""
    preset = model_preset(name)
    reason = ""
    try:
        _find(name, preset, workspace, "Not on this computer yet.")
    except Problem as e:
        reason = f"{e.message} {e.fix}".strip()
    return Presence(name, preset.title, reason)


def models_to_choose(workspace: Workspace) -> list[Presence]:
    """describe_model of each, in the order in which they are offered: what the studio is made for comes first."""
    names = sorted(list_models(), key=lambda name: model_preset(name).order)
    return [describe_model(name, workspace) for name in names]


def has_small_files(name: str, workspace: Workspace) -> bool:
    """Whether a base model that is here has fp8 files: kept as they are they lose nothing, and bf16 would give nothing back."""
    try:
        return find_model(name, workspace).has_small_files
    except Problem:  # not here, or damaged: said where it is asked for
        return False


def link_model(
    name: str, paths: str | Path | Sequence[str | Path], workspace: Workspace, high_noise: str | Path | None = None
) -> BaseModel:
    """Use the model that somebody already has, where it is: a diffusers folder, or a ComfyUI folder or WAN's own repository (or several folders
    and files). high_noise: which of two experts is the high-noise one, where the names don't say.

    Problem in words if it is another model or incomplete; an earlier link stays then.
    """
    preset = model_preset(name)
    if preset.is_built_in:
        raise Problem(f"{preset.title} is built in.", fix="Link a folder to one of the other models.")
    paths = _existing([paths] if isinstance(paths, str | Path) else paths)
    if len(paths) == 1 and _is_diffusers(paths[0]):
        source = DiffusersFolder(paths[0], len(preset.experts))
        source.check(preset)
        if source.num_experts > 1:
            require_different(*(source.weight_files(sub)[0] for sub in SUBFOLDERS.values()))
        write_atomic(_link_file(name, workspace), f"{paths[0]}\n".encode())
        _files_file(name, workspace).unlink(missing_ok=True)
    else:
        files = {role: str(path) for role, path in find_files(paths, preset, _existing([high_noise])[0] if high_noise else None).items()}
        write_json(_files_file(name, workspace), {"folder": str(paths[0]), "files": files})
    return find_model(name, workspace)


def pick_experts(name: str, paths: Sequence[str | Path], workspace: Workspace) -> BaseModel:
    """A base model of two experts among these files, whatever their names say, for a look at which is which: nothing is linked.

    Problem unless there are just two experts, and the other parts.
    """
    preset = model_preset(name)
    found = _existing(paths)
    experts = find_experts(found, preset)
    if len(preset.experts) < 2 or len(experts) != 2:
        raise Problem(
            f"{len(experts)} experts of {preset.title} are there, and two are to be told apart: {', '.join(map(str, experts)) or 'none'}.",
            fix="Name the two files, and the folder with the text encoder and the VAE.",
        )
    files = find_files(found, preset, high_noise=experts[0])
    return BaseModel(name, preset.title, found[0], preset, workspace.models_dir, tuple(files.items()))


def _existing(paths: Sequence[str | Path]) -> list[Path]:
    """As full paths. Problem for one that is not there."""
    found = [Path(path).expanduser().resolve() for path in paths]
    for path in found:
        if not path.exists():
            raise Problem(
                f"There is no folder {path}.", fix="Give the folder that holds the model's model_index.json, or ComfyUI's folder."
            )
    return found


def _is_diffusers(folder: Path) -> bool:
    return any((folder / part).exists() for part in ("model_index.json", "transformer", "transformer_2"))


def _find(name: str, preset: ModelPreset, workspace: Workspace, not_here: str) -> tuple[Path, Linked]:
    """(folder, single files) of a base model, checked; Problem, with the way to mend it."""
    if preset.is_built_in:
        folder = PRESETS_DIR / preset.pack
        check_pack(folder)
        return folder, ()
    folder, files = _linked(name, preset, workspace)
    if folder is None:
        raise Problem(not_here, fix=_how_to_get(name, preset), action="link-model")
    (SingleFiles(dict(files), preset) if files else DiffusersFolder(folder, len(preset.experts))).check(preset)
    return folder, files


def _linked(name: str, preset: ModelPreset, workspace: Workspace) -> tuple[Path | None, Linked]:
    """(folder, single files): what the person linked, else models/<name>; (None, ()) if there is neither. Problem for a link that can't be
    followed, where nothing lies in models/<name>."""
    downloaded = workspace.models_dir / name
    try:
        linked = _follow_link(name, preset, workspace)
    except Problem:
        if downloaded.is_dir():
            return downloaded, ()
        raise
    if linked is None and downloaded.is_dir():
        return downloaded, ()
    return linked or (None, ())


def _follow_link(name: str, preset: ModelPreset, workspace: Workspace) -> tuple[Path, Linked] | None:
    """What the person linked; None where they linked nothing. Problem if it is gone, or the link is damaged."""
    if _files_file(name, workspace).exists():
        folder, files = _read_files(_files_file(name, workspace), preset)
        lost = [path for _, path in files if not path.is_file()]
        if lost:
            raise _gone(f"The file {lost[0]}")
        return folder, files
    if not _link_file(name, workspace).exists():
        return None
    folder = read_path(_link_file(name, workspace))
    if not folder.is_dir():
        raise _gone(f"The folder {folder}")
    return folder, ()


def _gone(what: str) -> Problem:
    return Problem(f"{what} of the base model is gone.", fix="Connect the drive it is on, or link the model again.", action="link-model")


def _read_files(path: Path, preset: ModelPreset) -> tuple[Path, Linked]:
    """(folder, ((role, path), ...)) from a link to single files. Problem unless it names a file for each role."""
    fix = "Link the model's folder again."
    if path.is_dir():
        raise Problem(f"{path.name} is a folder, where a list of files belongs.", fix=fix, action="link-model")
    try:
        data = read_json(path)
        folder, files = Path(data["folder"]), tuple((role, Path(file)) for role, file in data["files"].items())
        if {role for role, _ in files} != set(roles_of(preset)):
            raise ValueError("it names other parts than the model has")
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        raise Problem(f"{path.name} is damaged.", fix=fix, action="link-model") from None
    return folder, files


def _link_file(name: str, workspace: Workspace) -> Path:
    return workspace.models_dir / f"{name}.path"


def _files_file(name: str, workspace: Workspace) -> Path:
    return workspace.models_dir / f"{name}.files.json"


def _how_to_get(name: str, preset: ModelPreset) -> str:
    return (
        f"Download {preset.repository} in the window or with `python -m studio download {name}`. If you have it already, for ComfyUI or as "
        f"a diffusers folder, name that folder under About this person, or with `python -m studio models --link {name} FOLDER`."
    )
