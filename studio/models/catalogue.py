"""The base models the studio knows, found on disk and described from their JSON configs. Torch-free."""

import difflib
import hashlib
import json
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from studio.config import EXPERTS, PRESETS_DIR, SweepConfig, from_dict, list_presets, load_preset, merge
from studio.errors import Problem
from studio.models.weight_files import read_header
from studio.workspace import read_path, safe_join, write_atomic

SUBFOLDERS = {"high_noise": "transformer", "low_noise": "transformer_2"}  # SimpleTuner has these swapped; diffusers decides
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
class BaseModel:
    """A diffusers folder on disk, with what its configs say. Nothing here loads weights."""

    name: str
    title: str
    folder: Path
    preset: dict = field(compare=False, repr=False)
    models_dir: Path | None = field(default=None, compare=False, repr=False)

    @cached_property
    def configs(self):
        """{subfolder: config dict} of every component, and "" for model_index.json."""
        found = {"": _read_config(self.folder, "model_index.json")}
        return found | {sub: _read_config(self.folder, f"{sub}/{name}") for sub, name in CONFIGS.items()}

    @property
    def experts(self):
        return EXPERTS

    @property
    def boundary(self):
        """Noise level (sigma) at and above which `high_noise` works."""
        return float(self.configs[""].get("boundary_ratio") or self.preset["default_boundary"])

    @property
    def fps(self):
        return self.preset["fps"]

    @property
    def spatial_factor(self):
        return self.configs["vae"].get("scale_factor_spatial", 8)

    @property
    def temporal_factor(self):
        return self.configs["vae"].get("scale_factor_temporal", 4)

    @property
    def patch_size(self):
        return tuple(self.configs["transformer"].get("patch_size", (1, 2, 2)))

    @property
    def latent_channels(self):
        return self.configs["vae"].get("z_dim", 16)

    @property
    def num_blocks(self):
        return self.configs["transformer"]["num_layers"]

    @property
    def max_prompt_tokens(self):
        return self.preset["max_prompt_tokens"]

    @property
    def size_multiple(self):
        """Widths and heights in pixels must be multiples of this."""
        return self.spatial_factor * self.patch_size[1]

    @property
    def captioner(self):
        """Folder of the vision-language model that belongs to this base: inside its folder, else beside it. It may not exist."""
        inside = self.folder / self.preset["captioner"]
        return inside if inside.is_dir() or self.models_dir is None else self.models_dir / self.preset["captioner"]

    @cached_property
    def key(self):
        """Short hash of the configs and of names, sizes and samples of the weights: changes when the model does, without reading it all."""
        digest = hashlib.sha256(json.dumps(self.configs, sort_keys=True).encode())
        for sub in (*WEIGHTS, "tokenizer"):
            for path in sorted((self.folder / sub).iterdir()):
                digest.update(f"{sub}/{path.name}:{path.stat().st_size}\n".encode())
                digest.update(_sample_of(path))
        return digest.hexdigest()[:16]

    def latent_shape(self, num_frames, height, width):
        """(C, F, h, w) of the latents of a clip; ValueError if the model cannot make that size."""
        self.check_num_frames(num_frames)
        for name, value in (("height", height), ("width", width)):
            if value <= 0 or value % self.size_multiple:
                nearest = max(round(value / self.size_multiple), 1) * self.size_multiple
                raise ValueError(f"{name} must be a multiple of {self.size_multiple} px for {self.title}, got {value}; try {nearest}")
        frames = (num_frames - 1) // self.temporal_factor + 1
        return self.latent_channels, frames, height // self.spatial_factor, width // self.spatial_factor

    def check_num_frames(self, num_frames):
        """ValueError with the nearest legal number unless num_frames is temporal_factor * n + 1."""
        step = self.temporal_factor
        if num_frames < 1 or (num_frames - 1) % step:
            nearest = max(round((num_frames - 1) / step), 0) * step + 1
            raise ValueError(f"num_frames must be {step}n + 1, got {num_frames}; try {nearest}")

    def expert_of(self, sigma):
        return "high_noise" if sigma >= self.boundary else "low_noise"

    def sigma_range(self, expert):
        """(lo, hi) of the noise levels that an expert works at."""
        return {"high_noise": (self.boundary, 1.0), "low_noise": (0.0, self.boundary)}[expert]

    def expert_dir(self, expert):
        return self.folder / SUBFOLDERS[expert]

    def weight_files(self, subfolder):
        """The safetensors files of a component, in order."""
        return _weight_files(self.folder, subfolder)


def _sample_of(path, num_places=8, num_bytes=4096):
    """Bytes from evenly spread places of a file: another fine-tune of the same shapes differs in every one of them."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        places = (file.seek(max(0, size - num_bytes) * i // (num_places - 1)) for i in range(num_places))
        return b"".join(file.read(num_bytes) for _ in places)


def list_models():
    return list_presets("models")


def model_preset(name):
    """presets/models/<name>.toml as a dict; ValueError names the models there are."""
    if name not in list_models():
        near = difflib.get_close_matches(str(name), list_models(), 1)
        hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(list_models())}."
        raise Problem(f"There is no base model named {name!r}.", fix=hint)
    return load_preset("models", name)


def sweep_config(preset, overrides=None):
    """SweepConfig, how a base model draws: defaults < the model preset's [sweep] < overrides (None values are left out)."""
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    return from_dict(SweepConfig, merge(preset.get("sweep", {}), given), "sweep")


def find_model(name, workspace):
    """The base model of that name, complete and ready to load. A built-in model lies in presets/, and every file of it is checked.

    Problem, with the way to mend it, if it is not there or a file is missing.
    """
    preset = model_preset(name)
    if "pack" in preset:
        folder = PRESETS_DIR / preset["pack"]
        check_pack(folder)
    else:
        folder = _linked_folder(name, workspace)
        if folder is None:
            raise Problem(f"{preset['title']} is not on this computer yet.", fix=_how_to_get(name, preset, workspace), action="link-model")
        check_folder(folder, preset)
    return BaseModel(name, preset["title"], folder, preset, workspace.models_dir)


def describe_model(name, workspace):
    """{"name", "title", "available", "reason"}; the reason is a sentence, "" if available. Builds nothing."""
    preset = model_preset(name)
    reason = ""
    try:
        if "pack" in preset:
            check_pack(PRESETS_DIR / preset["pack"])
        else:
            folder = _linked_folder(name, workspace)
            if folder is None:
                raise Problem("Not on this computer yet.", fix=_how_to_get(name, preset, workspace))
            check_folder(folder, preset)
    except Problem as e:
        reason = f"{e.message} {e.fix}".strip()
    return {"name": name, "title": preset["title"], "available": not reason, "reason": reason}


def link_model(name, folder, workspace):
    """Use the diffusers folder that somebody already has, where it is. Problem if it is another model or incomplete."""
    preset = model_preset(name)
    if "pack" in preset:
        raise Problem(f"{preset['title']} is built in.", fix="Link a folder to one of the other models.")
    folder = Path(folder).expanduser().resolve()
    if not folder.is_dir():
        raise Problem(f"There is no folder {folder}.", fix="Give the folder that holds the model's model_index.json.")
    check_folder(folder, preset)
    write_atomic(_link_file(name, workspace), f"{folder}\n".encode())
    return find_model(name, workspace)


def check_folder(folder, preset):
    """Problem naming the first file that is missing or damaged, or the first fact that is another model's."""
    index = _read_config(folder, "model_index.json")
    if index.get("transformer_2", [None])[0] is None:
        raise Problem(
            f"The model in {folder} has one expert, {preset['title']} has two.",
            fix="Choose the folder of WAN 2.2 A14B in diffusers form.",
        )
    for sub, name in CONFIGS.items():
        config = _read_config(folder, f"{sub}/{name}")
        if sub in SUBFOLDERS.values():
            _check_facts(config, sub, preset)
    for sub in WEIGHTS:
        for path in _weight_files(folder, sub):
            read_header(path, folder)  # a download that broke off, before hours are planned on it
    if not any((folder / "tokenizer" / n).is_file() for n in ("tokenizer.json", "spiece.model")):
        raise _missing(folder, "tokenizer/tokenizer.json")


def check_pack(folder):
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
def _sha256(path, size, mtime_ns):
    """Read once per version of the file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _altered(folder, name, what):
    return Problem(
        f"{name} of the built-in model {what} ({folder}).",
        fix="Unpack the studio again, or git checkout presets; python -m studio.tiny.build makes the model anew, in hours.",
    )


def _check_facts(config, sub, preset):
    for key, expected in preset["expect"].items():
        if config.get(key) != expected:
            raise Problem(
                f"This is not {preset['title']}: {sub}/config.json says {key} = {config.get(key)}, expected {expected}.",
                fix="Choose the folder of that model, or another base model for the project.",
            )


def _read_config(folder, name):
    path = Path(folder) / name
    if not path.is_file():
        raise _missing(folder, name)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise Problem(f"{name} in {folder} is damaged ({e}).", fix="Download that file again.") from None
    if not isinstance(config, dict):
        raise Problem(f"{name} in {folder} is damaged (not a JSON object).", fix="Download that file again.")
    return config


def _weight_files(folder, sub):
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


def _missing(folder, name):
    return Problem(f"{name} is missing in {folder}.", fix="Download the model again; finished files are kept.")


def _linked_folder(name, workspace):
    """models/<name>, or the folder that models/<name>.path names; None if there is neither."""
    folder = workspace.models_dir / name
    if folder.is_dir():
        return folder
    link = _link_file(name, workspace)
    if not link.is_file():
        return None
    folder = read_path(link)
    if not folder.is_dir():
        raise Problem(f"The folder {folder} of the base model is gone.", fix="Connect the drive it is on, or link the model again.")
    return folder


def _link_file(name, workspace):
    return workspace.models_dir / f"{name}.path"


def _how_to_get(name, preset, workspace):
    return (
        f"Download {preset['repository']} in the Train tab or with `python -m studio download {name}`, "
        f"or write the path of the folder you have into {_link_file(name, workspace)}."
    )
