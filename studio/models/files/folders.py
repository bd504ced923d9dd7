"""A base model as a diffusers folder: its configs, its files, and whether they are whole. Torch-free."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.config.expert_names import EXPERTS
from studio.disk import file_sha256, parse_json
from studio.errors import Problem
from studio.models.files.layouts import Config
from studio.models.files.weight_files import read_header, stored_weights
from studio.models.preset import ModelPreset
from studio.workspace import safe_join

SUBFOLDERS = dict(zip(EXPERTS, ("transformer", "transformer_2"), strict=True))  # SimpleTuner has these swapped; diffusers decides
CONFIGS = {
    "transformer": "config.json",
    "transformer_2": "config.json",
    "vae": "config.json",
    "text_encoder": "config.json",
    "tokenizer": "tokenizer_config.json",
    "scheduler": "scheduler_config.json",
}
WEIGHTS = {
    "transformer": "diffusion_pytorch_model",
    "transformer_2": "diffusion_pytorch_model",
    "vae": "diffusion_pytorch_model",
    "text_encoder": "model",
}
PACK_FILE = "pack.json"  # of a built-in model: the hash of every file


@dataclass(frozen=True)
class DiffusersFolder:
    """Where the parts of a base model lie that somebody downloaded, or that is built in."""

    root: Path
    num_experts: int = 2

    @property
    def configs(self) -> dict[str, Config]:
        """{subfolder: config dict} of every component, and "" for model_index.json."""
        found = {"": _read_config(self.root, "model_index.json")}
        return found | {sub: _read_config(self.root, f"{sub}/{CONFIGS[sub]}") for sub in parts_of(CONFIGS, self.num_experts)}

    @property
    def tokenizer(self) -> Path:
        return self.root / "tokenizer"

    def weight_files(self, sub: str) -> list[Path]:
        """The safetensors files of a component, in order."""
        return _weight_files(self.root, sub)

    def files(self) -> list[tuple[str, Path]]:
        """(subfolder, path) of every file that what the model draws depends on."""
        return [(sub, path) for sub in (*parts_of(WEIGHTS, self.num_experts), "tokenizer") for path in sorted((self.root / sub).iterdir())]

    def check(self, preset: ModelPreset) -> None:
        check_folder(self.root, preset)

    def describe(self) -> list[str]:
        """Lines about the files that a person should know."""
        return []


def parts_of(table: Iterable[str], num_experts: int) -> list[str]:
    """The components of CONFIGS or WEIGHTS that a base model with so many experts has."""
    return [sub for sub in table if num_experts > 1 or sub != SUBFOLDERS[EXPERTS[-1]]]


def check_folder(folder: Path, preset: ModelPreset) -> None:
    """Problem naming the first file that is missing or damaged, or the first fact that is another model's."""
    index, expected = _read_config(folder, "model_index.json"), len(preset.experts)
    found = 1 if (index.get("transformer_2") or [None])[0] is None else 2
    if found != expected:
        words = {1: "one expert", 2: "two experts"}
        raise Problem(
            f"The model in {folder} has {words[found]}, {preset.title} has {words[expected].split()[0]}.",
            fix=f"Choose the folder of {preset.title} in diffusers form.",
        )
    for sub in parts_of(CONFIGS, expected):
        config = _read_config(folder, f"{sub}/{CONFIGS[sub]}")
        if sub in SUBFOLDERS.values():
            _check_facts(config, sub, preset)
    for sub in parts_of(WEIGHTS, expected):
        for path in _weight_files(folder, sub):
            read_header(path, folder)  # a download that broke off, before hours are planned on it
            stored_weights([path])  # and a form that can't be read, or fp8 without its scales
    if not any((folder / "tokenizer" / n).is_file() for n in ("tokenizer.json", "spiece.model")):
        raise _missing(folder, "tokenizer/tokenizer.json")


def check_pack(folder: Path) -> None:
    """Problem naming the first file of a built-in model that is missing or not as it was made, by the hashes in its pack.json."""
    if not (folder / PACK_FILE).is_file():
        raise _altered(folder, PACK_FILE, "is missing")
    try:
        entries = _read_config(folder, PACK_FILE).get("files")
    except Problem:
        raise _altered(folder, PACK_FILE, "is damaged") from None
    if not isinstance(entries, dict) or not entries:
        raise _altered(folder, PACK_FILE, "is damaged")
    for name, entry in entries.items():
        try:
            path = safe_join(folder, name)
            info = path.stat()
            same = info.st_size == entry["bytes"] and _sha256(path, info.st_size, info.st_mtime_ns) == entry["sha256"]
        except OSError:
            raise _altered(folder, name, "is missing") from None
        except (ValueError, KeyError, TypeError):
            raise _altered(folder, PACK_FILE, "is damaged") from None
        if not same:
            raise _altered(folder, name, "is not the file that was delivered")


@lru_cache(maxsize=1024)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    """Read once per version of the file."""
    return file_sha256(path)


def _altered(folder: Path, name: str, what: str) -> Problem:
    return Problem(
        f"{name} of the built-in model {what} ({folder}).",
        fix="Unpack the studio again, or git checkout presets; python -m studio.tiny.build makes the model anew, in hours.",
    )


def _check_facts(config: Config, sub: str, preset: ModelPreset) -> None:
    for key, expected in preset.expect.items():
        if config.get(key) != expected:
            raise Problem(
                f"This is not {preset.title}: {sub}/config.json says {key} = {config.get(key)}, expected {expected}.",
                fix="Choose the folder of that model, or another base model for the project.",
            )


def _read_config(folder: Path, name: str) -> dict[str, Any]:
    path = Path(folder) / name
    if not path.is_file():
        raise _missing(folder, name)
    try:
        config = parse_json(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise Problem(f"{name} in {folder} is damaged ({e}).", fix="Download that file again.") from None
    if not isinstance(config, dict):
        raise Problem(f"{name} in {folder} is damaged (not a JSON object).", fix="Download that file again.")
    return config


def _weight_files(folder: Path, sub: str) -> list[Path]:
    """The safetensors files of one component. Files of other kinds are refused: they can hold programs."""
    base, stem = Path(folder) / sub, WEIGHTS[sub]
    index = base / f"{stem}.safetensors.index.json"
    if index.is_file():
        shards = _read_config(folder, f"{sub}/{index.name}").get("weight_map")
        names = sorted({str(n) for n in shards.values()}) if isinstance(shards, dict) else []
        if not names or any(Path(n).name != n for n in names):
            raise Problem(f"{sub}/{index.name} in {folder} is damaged.", fix="Download that file again.")
    else:
        names = [f"{stem}.safetensors"]
    for name in names:
        if (base / name).is_file():
            continue
        unsafe = sorted(p.name for p in base.glob("*") if p.suffix in (".bin", ".pt", ".pth", ".ckpt"))
        if unsafe:
            raise Problem(
                f"{sub} in {folder} has its weights as {unsafe[0]}; such files can hold programs and are never opened.",
                fix="Download the .safetensors files of the model.",
            )
        raise _missing(folder, f"{sub}/{name}")
    return [base / name for name in names]


def _missing(folder: Path, name: str) -> Problem:
    return Problem(f"{name} is missing in {folder}.", fix="Download the model again; finished files are kept.")
