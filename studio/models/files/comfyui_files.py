"""Finds the single files of a base model in a ComfyUI folder: by what their headers hold, and not by their names alone. Torch-free."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from studio.errors import Problem
from studio.models.files.comfyui_folders import list_files
from studio.models.files.distilled import distilled
from studio.models.files.folders import SUBFOLDERS
from studio.models.files.layouts import Config, WeightFile, why_not_expert, why_not_text_encoder, why_not_vae
from studio.models.files.weight_files import SHARD, first_part, require_different
from studio.models.preset import ModelPreset

ROLES = {
    "transformer": "high-noise expert",
    "transformer_2": "low-noise expert",
    "text_encoder": "text encoder (UMT5-XXL)",
    "vae": "VAE",
}
NAMES = {"transformer": r"high|(?<![a-z])hn(?![a-z])", "transformer_2": r"(?<![a-z])low(?=[^a-z]|noise|$)|(?<![a-z])ln(?![a-z])"}
SUBFOLDER_EXPERTS = {role: expert for expert, role in SUBFOLDERS.items()}
DISTILLED = re.compile(r"light|distill|\d-?steps?|rapid|turbo|fast|causvid|remix|merge", re.IGNORECASE)
EXACTNESS = ("fp64", "fp32", "bf16", "fp16", "fp8 with scales", "fp8")
REPACKAGED = "Comfy-Org/Wan_2.2_ComfyUI_Repackaged"  # has every part of WAN 2.2 as safetensors
MAKERS_OWN = {  # parts of WAN's own repository that are no safetensors, by their names
    r"models_t5_umt5-xxl.*\.pth": "text_encoder",
    r"wan2\.[12]_vae\.pth": "vae",
}
OTHER_KINDS = (".gguf", ".pth", ".pt", ".ckpt", ".bin")
MAX_NAMED = 4
DISTILLED_WORDS = (
    "The {expert} was distilled to draw in few steps: what is learned on it fits the plain model less well, and it follows prompts without guidance; "
    "use the plain one if you have it"
)
SAY_WHICH = "Say which file is the high-noise expert: models --link NAME FOLDER --high-noise FILE; models --tell-apart looks which it is."


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
    unsorted: list[WeightFile] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)  # (kind of file, or "" for a damaged one; a sentence)
    others: list[str] = field(default_factory=list)  # names of files that are never opened

    @property
    def experts(self) -> list[WeightFile]:
        return [*(file for role in self.fitting if role.startswith("transformer") for file in self.fitting[role]), *self.unsorted]


def find_files(paths: Sequence[Path], preset: ModelPreset, high_noise: Path | None = None, where: str = "") -> dict[str, Path]:
    """{role: file} of a base model's files, from folders (ComfyUI's root, its models folder, WAN's own repository, or any other) and single
    files; of a file in parts the first one. high_noise: the one of two experts of which the person says so; the other is the low-noise one.

    where: what the paths are called where something is missing; "" for themselves. Problem that says in words what is missing and what the
    files there are instead.
    """
    search = _search([*paths, *([high_noise] if high_noise else [])], preset)
    if high_noise:
        _settle(search, first_part(high_noise))
    missing = [role for role, files in search.fitting.items() if not files]
    if missing:
        raise _incomplete(where or ", ".join(map(str, paths)), missing, preset, search)
    files = {role: min(files, key=_rank).path for role, files in search.fitting.items()}
    if "transformer_2" in files:
        require_different(files["transformer"], files["transformer_2"])
    return files


def find_experts(paths: Sequence[Path], preset: ModelPreset) -> list[Path]:
    """The experts among these files, whatever their names say; of a file in parts the first one."""
    return [file.path for file in _search(paths, preset).experts]


def _search(paths: Sequence[Path], preset: ModelPreset) -> Search:
    roles = roles_of(preset)
    search = Search(roles, {role: [] for role in roles})
    found = [path for path in list_files(paths) if path.suffix.lower() in (".safetensors", *OTHER_KINDS)]
    for path in dict.fromkeys(map(first_part, found)):
        if path.suffix.lower() == ".safetensors":
            _look_at(path, preset, search)
        else:
            search.others.append(path.name)
    return search


def _settle(search: Search, high_noise: Path) -> None:
    """Give the experts the roles that follow from the person's word. Problem where that file is no expert, or the other one can't be told."""
    fitting, experts = search.fitting, search.experts
    chosen = next((file for file in experts if _is_same(file.path, high_noise)), None)
    if chosen is None or "transformer_2" not in fitting:
        why = next((sentence for _, sentence in search.refused if high_noise.name in sentence), "")
        raise Problem(f"{high_noise} is not one of two experts of this model. {why}".strip(), fix="Name the file of its high-noise expert.")
    others = [file for file in fitting["transformer_2"] if file is not chosen] or [file for file in experts if file is not chosen]
    if len(others) > 1 and not fitting["transformer_2"]:
        raise Problem(
            f"{chosen.path.name} is the high-noise expert, and {_some([file.path.name for file in others])} can each be the other one.",
            fix="Name the two files alone.",
        )
    fitting["transformer"], fitting["transformer_2"], search.unsorted = [chosen], others, []


def _is_same(one: Path, other: Path) -> bool:
    return one == other or (one.exists() and other.exists() and one.samefile(other))


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
        search.unsorted.append(file)


def role_by_name(path: Path) -> str:
    """Which expert a file is of, by its name, else by its folder's; "" if they don't say. The weights can't tell."""
    for name in (path.stem.lower(), path.parent.name.lower()):
        roles = [role for role, pattern in NAMES.items() if re.search(pattern, name)]
        if len(roles) == 1:
            return roles[0]
    return ""


def _rank(file: WeightFile) -> tuple[bool, int, int, str]:
    """The makers' own before what others made of it, the most exact form, then the shortest name."""
    name = file.path.name
    return bool(DISTILLED.search(name) or distilled(name, file.metadata)), EXACTNESS.index(file.form), len(name), name


def _incomplete(where: str, missing: Sequence[str], preset: ModelPreset, search: Search) -> Problem:
    roles = " and ".join(", ".join(f"the {search.roles[role]}" for role in missing).rsplit(", ", 1))
    parts = [f"{roles[0].upper()}{roles[1:]} of {preset.title} {'is' if len(missing) == 1 else 'are'} not in {where}."]
    two_unsaid = bool(search.unsorted) and bool({"transformer", "transformer_2"} & set(missing))
    if two_unsaid:
        parts.append(
            f"{_some([_title(file.path) for file in search.unsorted])} can be either expert: their weights look alike, and the names don't say high "
            "noise or low noise."
        )
    kinds = {"", *missing} | ({"expert", "lora"} if {"transformer", "transformer_2"} & set(missing) else set())
    refused = [sentence for kind, sentence in search.refused if kind in kinds]
    parts += refused[:MAX_NAMED]
    if len(refused) > MAX_NAMED:
        parts.append(f"{len(refused) - MAX_NAMED} more files there don't fit.")
    parts += _describe_others(search, missing)
    usual = "; ".join(f"{search.roles[role]}: {preset.comfyui[role]}" for role in missing)
    fix = f"Name the folder that has them, or fetch them into ComfyUI. Their usual names: {usual}."
    if two_unsaid:
        fix = f"{SAY_WHICH} {fix}"
    if any(_makers_own(name) in missing for name in search.others):
        fix += f" All parts are in {REPACKAGED} as safetensors; name them beside this folder."
    return Problem(" ".join(parts), fix=fix)


def _describe_others(search: Search, missing: Sequence[str]) -> list[str]:
    """What is there and never opened: WAN's own files by what they are, the others by name."""
    own = [name for name in search.others if _makers_own(name) in missing]
    rest = [name for name in search.others if name not in own]
    found = [f"{name} is WAN's {search.roles[_makers_own(name)]} in a form that can hold programs and is never opened." for name in own]
    return found + ([f"Only .safetensors files are opened, so {_some(rest)} can't be used."] if rest else [])


def _makers_own(name: str) -> str:
    """The role of a file of WAN's own repository that is no safetensors; "" for any other."""
    return next((role for pattern, role in MAKERS_OWN.items() if re.fullmatch(pattern, name, re.IGNORECASE)), "")


def _title(path: Path) -> str:
    """The name of a file; of one in parts with the folder's, since all models have those names."""
    return f"{path.parent.name}/{path.name}" if SHARD.fullmatch(path.name) else path.name


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
        """All parts, where the file is in parts."""
        return WeightFile(self.paths[sub]).paths

    def files(self) -> list[tuple[str, Path]]:
        return [(role, part) for role in sorted(self.paths) for part in self.weight_files(role)]

    def check(self, preset: ModelPreset) -> None:
        """Problem for the first file that is gone, damaged or another model's."""
        for role, path in self.paths.items():
            if reason := why_not(WeightFile(path), role, preset):
                raise Problem(f"{path.name} in {path.parent} {reason}.", fix="Choose the model's folder again.", action="link-model")

    def describe(self) -> list[str]:
        """One line a file, and what a person should know about them."""
        files = {role: WeightFile(path) for role, path in self.paths.items()}
        roles = roles_of(self.preset)
        lines = [f"{roles[role]}: {_title(file.path)}{_more_parts(file)} ({file.form})" for role, file in files.items()]
        if "transformer_2" in roles:
            lines.append(self._how_told())
        for role in (role for role in files if role.startswith("transformer")):
            if what := distilled(files[role].path.name, files[role].metadata):
                lines.append(f"{DISTILLED_WORDS.format(expert=roles[role])} ({what}).")
        if files["transformer"].form.startswith("fp8"):
            lines.append("With the number format fp8 it stays as its files have it, and takes half of bf16's memory.")
        return lines

    def _how_told(self) -> str:
        if all(role_by_name(self.paths[role]) == role for role in NAMES):
            return "Which expert is which is told by the files' names; their weights can't tell."
        return "Which expert is which is as you said; their names and weights don't tell."


def _more_parts(file: WeightFile) -> str:
    return f" and {len(file.paths) - 1} more parts" if len(file.paths) > 1 else ""
