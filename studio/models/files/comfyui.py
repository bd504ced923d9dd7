"""Finds the single files of a base model in a ComfyUI folder: by what their headers hold, and not by their names alone. Torch-free."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from studio.errors import Problem
from studio.models.files.comfyui_folders import list_files
from studio.models.files.layouts import Config, WeightFile, why_not_expert, why_not_text_encoder, why_not_vae
from studio.models.files.weight_files import require_different
from studio.models.preset import ModelPreset

ROLES = {
    "transformer": "high-noise expert",
    "transformer_2": "low-noise expert",
    "text_encoder": "text encoder (UMT5-XXL)",
    "vae": "VAE",
}
NAMES = {"transformer": r"high|(?<![a-z])hn(?![a-z])", "transformer_2": r"(?<![a-z])low(?=[^a-z]|noise|$)|(?<![a-z])ln(?![a-z])"}
DISTILLED = re.compile(r"light|distill|\d-?steps?|rapid|turbo|fast|causvid|remix|merge", re.IGNORECASE)
EXACTNESS = ("fp64", "fp32", "bf16", "fp16", "fp8 with scales", "fp8")
OTHER_KINDS = (".gguf", ".pth", ".pt", ".ckpt", ".bin")
MAX_NAMED = 4


def roles_of(preset: ModelPreset) -> dict[str, str]:
    """{role: what it is called} of a base model's files."""
    if len(preset.experts) > 1:
        return ROLES
    return {"transformer": "model itself"} | {role: words for role, words in ROLES.items() if role in ("text_encoder", "vae")}


@dataclass
class Search:
    """What was found so far. fitting: {role: files}; unsorted: experts of this model of which no name says which they are."""

    roles: dict[str, str]
    fitting: dict[str, list[WeightFile]]
    unsorted: list[str] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # (kind of file, or "" for a damaged one; a sentence)
    others: list[str] = field(default_factory=list)  # names of files that are never opened


def find_files(paths: Sequence[Path], preset: ModelPreset, where: str = "") -> dict[str, Path]:
    """{role: file} of a base model's files, from folders (ComfyUI's root, its models folder, or any other) and single files.

    where: what the paths are called where something is missing; "" for themselves. Problem that says in words what is missing and what the
    files there are instead.
    """
    roles = roles_of(preset)
    search = Search(roles, {role: [] for role in roles})
    for path in list_files(paths):
        if path.suffix.lower() == ".safetensors":
            _look_at(path, preset, search)
        elif path.suffix.lower() in OTHER_KINDS:
            search.others.append(path.name)
    missing = [role for role, files in search.fitting.items() if not files]
    if missing:
        raise _incomplete(where or ", ".join(map(str, paths)), missing, preset, search)
    files = {role: min(files, key=_rank).path for role, files in search.fitting.items()}
    if "transformer_2" in files:
        require_different(files["transformer"], files["transformer_2"])
    return files


def why_not(file: WeightFile, role: str, preset: ModelPreset) -> str:
    """Why a file can't be this role's, as the end of a sentence that begins with its name; "" if it can. Problem for a damaged file."""
    expected = {"transformer": "expert", "transformer_2": "expert"}.get(role, role)
    kind, title = file.kind, preset.title
    if kind == "lora":
        return "is a LoRA, not a base model"
    if kind != expected:
        return f"is no {ROLES[role]}"
    if kind == "expert":
        return why_not_expert(file, preset.expect, title)
    return (why_not_text_encoder if kind == "text_encoder" else why_not_vae)(file, preset.configs[kind], title)


def _look_at(path: Path, preset: ModelPreset, search: Search) -> None:
    file = WeightFile(path)
    try:
        kind = file.kind
        if not kind:
            return
        role = kind
        if kind == "expert":
            role = role_by_name(path) if "transformer_2" in search.roles else "transformer"
        reason = why_not(file, role or "transformer", preset)
        if not reason:
            file.form  # noqa: B018 - a form that can't be read is said now
    except Problem as e:
        search.refused.append(("", e.message))
        return
    if reason:
        search.refused.append((kind, f"{path.name} {reason}."))
    elif role:
        search.fitting[role].append(file)
    else:
        search.unsorted.append(path.name)


def role_by_name(path: Path) -> str:
    """Which expert a file is, by its name, else by its folder's; "" if they don't say. The weights can't tell."""
    for name in (path.stem.lower(), path.parent.name.lower()):
        roles = [role for role, pattern in NAMES.items() if re.search(pattern, name)]
        if len(roles) == 1:
            return roles[0]
    return ""


def _rank(file: WeightFile) -> tuple[bool, int, int, str]:
    """The makers' own before what others made of it, the most exact form, then the shortest name."""
    name = file.path.name
    return bool(DISTILLED.search(name)), EXACTNESS.index(file.form), len(name), name


def _incomplete(where: str, missing: Sequence[str], preset: ModelPreset, search: Search) -> Problem:
    roles = " and ".join(", ".join(f"the {search.roles[role]}" for role in missing).rsplit(", ", 1))
    parts = [f"{roles[0].upper()}{roles[1:]} of {preset.title} {'is' if len(missing) == 1 else 'are'} not in {where}."]
    if search.unsorted and {"transformer", "transformer_2"} & set(missing):
        parts.append(
            f"{_some(search.unsorted)} can be either expert: their weights look alike, and the names don't say high noise or low noise."
        )
    kinds = {"", *missing} | ({"expert", "lora"} if {"transformer", "transformer_2"} & set(missing) else set())
    refused = [sentence for kind, sentence in search.refused if kind in kinds]
    parts += refused[:MAX_NAMED]
    if len(refused) > MAX_NAMED:
        parts.append(f"{len(refused) - MAX_NAMED} more files there don't fit.")
    if search.others:
        parts.append(f"Only .safetensors files are opened, so {_some(search.others)} can't be used.")
    usual = "; ".join(f"{search.roles[role]}: {preset.comfyui[role]}" for role in missing)
    return Problem(" ".join(parts), fix=f"Name the folder that has them, or fetch them into ComfyUI. Their usual names: {usual}.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_NAMED]) + (", ..." if len(names) > MAX_NAMED else "")


@dataclass(frozen=True)
class SingleFiles:
    """Where the parts of a base model lie that are single files, ComfyUI's way; what their configs would say is in the preset."""

    paths: dict[str, Path]  # by role
    preset: ModelPreset = field(compare=False, repr=False)

    @property
    def configs(self) -> dict[str, Config]:
        """As DiffusersFolder.configs."""
        experts = {role: self.preset.expect for role in self.paths if role.startswith("transformer")}
        return {"": {}, "tokenizer": {}, "scheduler": {}} | experts | self.preset.configs

    @property
    def tokenizer(self) -> Path:
        """The text encoder's file, which carries it."""
        return self.paths["text_encoder"]

    def weight_files(self, sub: str) -> list[Path]:
        return [self.paths[sub]]

    def files(self) -> list[tuple[str, Path]]:
        return sorted(self.paths.items())

    def check(self, preset: ModelPreset) -> None:
        """Problem for the first file that is gone, damaged or another model's."""
        for role, path in self.paths.items():
            if reason := why_not(WeightFile(path), role, preset):
                raise Problem(f"{path.name} in {path.parent} {reason}.", fix="Choose the model's folder again.", action="link-model")

    def describe(self) -> list[str]:
        """One line a file, and what a person should know about them."""
        forms = {role: WeightFile(path).form for role, path in self.paths.items()}
        roles = roles_of(self.preset)
        lines = [f"{roles[role]}: {path.name} ({forms[role]})" for role, path in self.paths.items()]
        if "transformer_2" in roles:
            lines.append("Which expert is which is told by the files' names; their weights can't tell.")
        if forms["transformer"].startswith("fp8"):
            lines.append("With the number format fp8 it stays as its files have it, and takes half of bf16's memory.")
        return lines
