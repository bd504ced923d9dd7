"""Exports one checkpoint pair: checked, named for people, in the layout that ComfyUI or another trainer expects. Never overwrites."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from studio.config import USUAL_STRENGTH, TrainConfig, to_dict
from studio.data.dataset import kept_items
from studio.disk import file_sha256
from studio.errors import Problem
from studio.evaluation.report import has_current_report, write_report
from studio.evaluation.sweeps import is_sample
from studio.export import configs, texts
from studio.export.dataset import copy_groups, group_items
from studio.export.lora_files import check_lora, write_for_musubi
from studio.models.preset import ModelPreset, model_preset
from studio.project_facts import Person
from studio.training.material import learnable
from studio.training.pairs import Pair, find_pair, verify_pair
from studio.workspace import finished_dir, read_json, write_json

EXPORT_VERSION = 1
TARGETS = ("comfyui", "ai-toolkit", "diffusion-pipe", "musubi", "bundle")
OF_ANY_MODEL = ("comfyui", "bundle")  # the trainers' configs are written for WAN 2.2 A14B
WORDS = {"high_noise": "HIGH_noise", "low_noise": "LOW_noise"}
REPORT_FILES = ("report.html", "verdict.json")
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same content gives the same file


@dataclass(frozen=True)
class Source:
    """All that an export is made of."""

    project_data: Person
    pair: Pair
    name: str  # "anna_run1_step3000"
    rank: int
    train: TrainConfig
    preset: ModelPreset
    strength: float | None
    groups: list

    @property
    def boundary(self):
        return float(self.pair.manifest.boundary or self.preset.default_boundary)

    @property
    def facts(self):
        """What the READMEs tell of the pair."""
        return {
            "name": self.name,
            "pair": self.pair.id,
            "strength": self.strength or USUAL_STRENGTH,
            "trigger": self.project_data.trigger,
            "class_noun": self.project_data.class_noun,
            "base_title": self.preset.title,
        }

    @property
    def words(self):
        """All that the READMEs are filled in with."""
        return self.facts | texts.WORDS_FOR_KIND[self.first_picture]

    @property
    def first_picture(self):
        return self.preset.takes_first_picture


def export_pair(project, pair, to, strength=None, *, include_photos=False):
    """Make exports/<to>-<run>-step-<step>/ and return it; the same export made before is returned as it is.

    pair: a Pair or an id like "train-001/step-001000". include_photos: for a bundle; the trainers' exports always hold the dataset.
    Problem or ValueError if the pair is damaged or the target unknown.
    """
    if to not in TARGETS:
        raise ValueError(f"there is no export to {to!r}; choose one of {', '.join(TARGETS)}")
    if strength is not None and not 0 < strength <= 2:
        raise ValueError(f"the strength must lie above 0 and up to 2, got {strength:g}; {USUAL_STRENGTH:g} is a good start")
    project.require_ours()
    pair = find_pair(project, pair) if isinstance(pair, str) else pair
    source = _read_source(project, pair, to, strength, include_photos)
    if to not in OF_ANY_MODEL and len(source.preset.experts) == 1:
        raise Problem(
            f"A LoRA for {source.preset.title} can't be exported to {to}: the settings for it are written for WAN 2.2's pairs.",
            fix="Export it for ComfyUI, or as a bundle.",
        )
    report = _find_report(project, pair) if to == "bundle" else None
    content = _content_hash(source, to, report)
    stem = f"{to}-{pair.run}-{pair.folder.name}"
    target, number = project.exports_dir / stem, 1
    while target.exists():
        if _is_whole(target, content):
            return target
        number += 1
        target = project.exports_dir / f"{stem}-{number}"
    with finished_dir(target) as folder:
        _WRITERS[to](source, folder, report)
        files = {p.relative_to(folder).as_posix(): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
        write_json(folder / "export.json", {"to": to, "pair": pair.id, "strength": strength, "content": content, "files": files})
    return target


# -- what goes in


def _read_source(project, pair, to, strength, include_photos):
    verify_pair(pair)
    rank = max(check_lora(path) for path in pair.files.values())
    data = project.facts()
    preset = model_preset(pair.manifest.base_model or data.base_model)
    items = []
    if to == "bundle" and include_photos:
        items = kept_items(project)
    elif to not in OF_ANY_MODEL:
        items = learnable(kept_items(project), preset)
    return Source(
        project_data=data.person(),
        pair=pair,
        name=f"{project.slug}_run{int(pair.run.rsplit('-', 1)[1])}_step{pair.step}",
        rank=rank,
        train=pair.manifest.train_config(),
        preset=preset,
        strength=strength,
        groups=group_items(items),
    )


def _content_hash(source, to, report):
    items = [[item.path.name, item.sha256, item.caption] for group in source.groups for item in group.items]
    loras = [saved.sha256 for saved in source.pair.manifest.experts.values()]
    what = [
        EXPORT_VERSION,
        to,
        source.pair.id,
        loras,
        source.facts,
        source.strength,
        items,
        [file_sha256(path) for path in report or ()],
        to_dict(source.train),
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _is_whole(folder, content):
    """Whether that folder is this export, with every file as it was written."""
    try:
        record = read_json(folder / "export.json")
        return record["content"] == content and all(file_sha256(folder / name) == sha for name, sha in record["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _find_report(project, pair):
    """(report.html, verdict.json) of the latest comparison that holds this pair, or None; one of an earlier version is written anew."""
    found = []
    for folder in project.sweeps_dir.glob("sweep-*"):
        if all((folder / name).is_file() for name in REPORT_FILES):
            sweep = read_json(folder / "sweep.json")
            if not is_sample(sweep) and any(entry["id"] == pair.id for entry in sweep["pairs"]):
                found.append(folder)
    latest = max(found, key=lambda folder: (len(folder.name), folder.name), default=None)
    if latest is None:
        return None
    if not has_current_report(latest):
        write_report(project, latest)
    return tuple(latest / name for name in REPORT_FILES)


# -- writers: (source, folder, report)


def _write_comfyui(source, folder, report):
    experts = source.preset.experts
    files = {expert: f"{source.name}{f'_{WORDS[expert]}' if len(experts) > 1 else ''}.safetensors" for expert in source.pair.files}
    for expert, name in files.items():
        shutil.copyfile(source.pair.files[expert], folder / name)
    _write_text(folder / "README.txt", texts.comfyui_readme(files, source.words))


def _write_ai_toolkit(source, folder, report):
    """The pair goes where AI Toolkit looks for the last save of a job of that name."""
    output = folder / "output" / source.name
    output.mkdir(parents=True)
    for expert, path in source.pair.files.items():
        shutil.copyfile(path, output / f"{source.name}_{source.pair.step:09d}_{expert}.safetensors")
    config = configs.ai_toolkit_config(source.name, source.train, source.project_data, source.groups, source.first_picture)
    _write_text(folder / "config.yaml", configs.to_yaml(config))
    _write_trainer_files(source, folder, texts.AI_TOOLKIT, "ai-toolkit")


def _write_musubi(source, folder, report):
    (folder / "weights").mkdir()
    for expert, path in source.pair.files.items():
        write_for_musubi(path, folder / "weights" / f"{source.name}_{expert}.safetensors")
        training = configs.musubi_training(expert, source.name, source.train, source.boundary, source.rank, source.first_picture)
        _write_text(folder / f"{expert}.toml", configs.to_toml(training))
    _write_text(folder / "dataset.toml", configs.to_toml(configs.musubi_dataset(source.train, source.groups)))
    _write_trainer_files(source, folder, texts.MUSUBI, "musubi")


def _write_diffusion_pipe(source, folder, report):
    num_items = sum(len(group.items) for group in source.groups)
    for expert, path in source.pair.files.items():
        (folder / f"lora_{expert}").mkdir()
        shutil.copyfile(path, folder / f"lora_{expert}" / "adapter_model.safetensors")
        training = configs.diffusion_pipe_training(expert, source.train, source.boundary, source.rank, num_items, source.first_picture)
        _write_text(folder / f"{expert}.toml", configs.to_toml(training))
    _write_text(folder / "dataset.toml", configs.to_toml(configs.diffusion_pipe_dataset(source.train, source.groups, source.first_picture)))
    _write_trainer_files(source, folder, texts.DIFFUSION_PIPE, "diffusion-pipe")


def _write_trainer_files(source, folder, readme, to):
    copy_groups(source.groups, folder)
    _write_text(folder / "README.txt", texts.trainer_readme(readme, source.words, texts.differences(source.train, to)))


def _write_bundle(source, folder, report):
    """One zip. LoRA files and clips do not shrink, so they are stored as they are."""
    parts = folder / "parts"
    (parts / "lora").mkdir(parents=True)
    _write_comfyui(source, parts / "lora", None)
    (parts / "lora" / "README.txt").rename(parts / "lora" / "README-ComfyUI.txt")
    shutil.copyfile(source.pair.folder / "manifest.json", parts / "manifest.json")
    write_json(parts / "settings.json", source.project_data.to_json() | {"train": to_dict(source.train)})
    if report:
        for path in report:
            shutil.copyfile(path, parts / path.name)
    copy_groups(source.groups, parts)
    _write_text(parts / "README.txt", texts.bundle_readme(source.words))
    with zipfile.ZipFile(folder / f"{source.name}.zip", "w") as archive:
        for path in sorted(p for p in parts.rglob("*") if p.is_file()):
            _add_to_zip(archive, path, path.relative_to(parts).as_posix())
    shutil.rmtree(parts)


def _add_to_zip(archive, path, name):
    stored = Path(name).suffix in (".safetensors", ".mp4", ".jpg", ".png", ".webp")
    info = zipfile.ZipInfo(name, ZIP_DATE)
    info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    with open(path, "rb") as file, archive.open(info, "w", force_zip64=True) as target:
        shutil.copyfileobj(file, target)


def _write_text(path, text):
    path.write_text(text, encoding="utf-8", newline="\n")


_WRITERS = {
    "comfyui": _write_comfyui,
    "ai-toolkit": _write_ai_toolkit,
    "musubi": _write_musubi,
    "diffusion-pipe": _write_diffusion_pipe,
    "bundle": _write_bundle,
}
