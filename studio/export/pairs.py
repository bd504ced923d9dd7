"""Exports one checkpoint pair: checked, named for people, in the layout that ComfyUI or another trainer expects. Never overwrites."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from studio.config import USUAL_STRENGTH, to_dict
from studio.data.dataset import kept_items
from studio.data.item_record import Item
from studio.disk import file_sha256, finished_dir, read_json, write_json
from studio.errors import Problem
from studio.evaluation.report import has_current_report, write_report
from studio.evaluation.sweeps import list_sweeps, read_sweep
from studio.export.dataset import group_items
from studio.export.left_out import LeftOut, left_out
from studio.export.lora_keys import check_lora
from studio.export.source import Report, Source
from studio.export.target import Target
from studio.export.targets import all_targets, find_target
from studio.models.preset import model_preset
from studio.training.material import learnable
from studio.training.pairs import Pair, find_pair, verify_pair
from studio.workspace import Project


def export_pair(project: Project, pair: Pair | str, to: str, strength: float | None = None, *, include_photos: bool = False) -> Path:
    """Make exports/<to>-<run>-step-<step>/ and return it; the same export made before is returned as it is.

    pair: a Pair or an id like "train-001/step-001000". include_photos: for a bundle; the trainers' exports always hold the dataset.
    Problem or ValueError if the pair is damaged or the target unknown.
    """
    target = find_target(to)
    if strength is not None and not 0 < strength <= 2:
        raise ValueError(f"the strength must lie above 0 and up to 2, got {strength:g}; {USUAL_STRENGTH:g} is a good start")
    project.require_ours()
    pair = find_pair(project, pair) if isinstance(pair, str) else pair
    source = _read_source(project, pair, target, strength, include_photos)
    content = _content_hash(source, target)
    stem = f"{to}-{pair.run}-{pair.folder.name}"
    made, number = project.exports_dir / stem, 1
    while made.exists():
        if _is_whole(made, content):
            return made
        number += 1
        made = project.exports_dir / f"{stem}-{number}"
    with finished_dir(made) as folder:
        target.write(source, folder)
        files = {p.relative_to(folder).as_posix(): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
        write_json(folder / "export.json", {"to": to, "pair": pair.id, "strength": strength, "content": content, "files": files})
    return made


def settings_left_out(pair: Pair, to: str) -> tuple[LeftOut, ...]:
    """The settings of the pair's training that an export to that target doesn't hold, each with the reason."""
    return left_out(pair.manifest.train_config(), find_target(to))


# -- what goes in


def _read_source(project: Project, pair: Pair, target: Target, strength: float | None, include_photos: bool) -> Source:
    verify_pair(pair)
    rank = max(check_lora(path) for path in pair.files.values())
    person = project.facts().person()
    preset = model_preset(pair.manifest.base_model or person.base_model)
    if not target.serves(preset):
        others = " or ".join(other.title for other in all_targets() if other.serves(preset))
        raise Problem(
            f"A LoRA for {preset.title} can't be exported to {target.name}: the settings for it are written for WAN 2.2's pairs.",
            fix=f"Export it for {others}.",
        )
    items: list[Item] = []
    if target.dataset == "always":
        items = learnable(kept_items(project), preset)
    elif target.dataset == "asked" and include_photos:
        items = kept_items(project)
    return Source(
        pair=pair,
        name=f"{project.slug}_run{int(pair.run.rsplit('-', 1)[1])}_step{pair.step}",
        person=person,
        preset=preset,
        rank=rank,
        train=pair.manifest.train_config(),
        strength=strength,
        groups=group_items(items),
        report=_find_report(project, pair) if target.with_report else None,
    )


def _content_hash(source: Source, target: Target) -> str:
    """Of all that decides what is written, so that an export made before is known again. Files on disk hold it: its parts and their order stay."""
    what = [
        target.version,
        target.name,
        source.pair.id,
        [saved.sha256 for saved in source.pair.manifest.experts.values()],
        source.facts,
        source.strength,
        [[item.path.name, item.sha256, item.caption] for group in source.groups for item in group.items],
        [file_sha256(path) for path in (source.report.files if source.report else ())],
        to_dict(source.train),
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _is_whole(folder: Path, content: str) -> bool:
    """Whether that folder is this export, with every file as it was written."""
    try:
        record = read_json(folder / "export.json")
        return record["content"] == content and all(file_sha256(folder / name) == sha for name, sha in record["files"].items())
    except (OSError, ValueError, KeyError):
        return False


def _find_report(project: Project, pair: Pair) -> Report | None:
    """That of the latest comparison that holds this pair; one of an earlier version is written anew."""
    found = []
    for folder in list_sweeps(project, sample=False):
        if all(path.is_file() for path in _report_in(folder).files) and any(entry.id == pair.id for entry in read_sweep(folder).pairs):
            found.append(folder)
    if not found:
        return None
    latest = found[-1]
    if not has_current_report(latest):
        write_report(project, latest)
    return _report_in(latest)


def _report_in(folder: Path) -> Report:
    return Report(page=folder / "report.html", verdict=folder / "verdict.json")
