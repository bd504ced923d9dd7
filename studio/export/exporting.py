"""Exports one checkpoint pair: checked, named for people, in the layout that ComfyUI or another trainer expects. Never overwrites."""

from __future__ import annotations

import hashlib
import json
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from studio.config import USUAL_STRENGTH, to_dict
from studio.data.cropping.training_copy import copy_kept
from studio.data.dataset import kept_items
from studio.disk import file_sha256, finished_dir
from studio.errors import Problem
from studio.evaluation.report import has_current_report, write_report
from studio.evaluation.sweeps import list_sweeps, read_sweep
from studio.export.dataset_copy import Group, group_for_trainers, group_items
from studio.export.left_out import Account, LeftOut, account, left_out
from studio.export.lora_format import LoraFormat, Written, find_format, together, write_in_format
from studio.export.lora_keys import check_lora
from studio.export.promises.promise import Promise
from studio.export.source import Report, Source, Tell, tell_nobody
from studio.export.target import Target
from studio.export.targets import all_targets, find_target
from studio.facts import Facts, read_facts, write_facts
from studio.models.preset import model_preset
from studio.training.material import learnable
from studio.training.pairs import Pair, find_pair, verify_pair
from studio.workspace import Project


@dataclass(frozen=True, kw_only=True)
class ExportRecord(Facts):
    """An export's export.json. content: of all that decides what is written; files: {name: sha256}; lora_format: of the pair's files;
    difference: of what they add to the model from what training saved, as a share of it;
    promise: what the trainer will make of it, as it was reckoned when it was written; None for a target that trains nothing."""

    ALWAYS_WRITTEN = ("strength",)
    to: str
    pair: str
    strength: float | None = None
    content: str
    files: dict[str, str]
    lora_format: str = "fp32"
    difference: float = 0.0
    lora_bytes: int = 0
    promise: Promise | None = None

    @property
    def in_words(self) -> str:
        """How its LoRA files were written; "" of an early version's export."""
        if not self.lora_bytes:
            return ""
        return Written(lora_format=find_format(self.lora_format), difference=self.difference, num_bytes=self.lora_bytes).in_words()


def export_pair(
    project: Project,
    pair: Pair | str,
    to: str,
    strength: float | None = None,
    *,
    include_photos: bool = False,
    lora_format: str = "",
    tell: Tell = tell_nobody,
) -> Path:
    """Make exports/<to>-<run>-step-<step>/ and return it; the same export made before is returned as it is.

    pair: a Pair or an id like "train-001/step-001000". include_photos: for a bundle; the trainers' exports always hold the dataset.
    lora_format: "fp16", "bf16" or "fp32"; "" for what suits the target.
    tell: hears of each photo and clip before it is written, and may raise to end it: then nothing is left of it.
    Problem or ValueError if the pair is damaged or the target unknown.
    """
    target = find_target(to)
    if strength is not None and not 0 < strength <= 2:
        raise ValueError(f"the strength must lie above 0 and up to 2, got {strength:g}; {USUAL_STRENGTH:g} is a good start")
    project.require_ours()
    pair = find_pair(project, pair) if isinstance(pair, str) else pair
    source = replace(_read_source(project, pair, target, strength, include_photos), tell=tell)
    chosen = find_format(lora_format) if lora_format else target.lora_format
    content = _content_hash(source, target, chosen)
    stem = f"{to}-{pair.run}-{pair.folder.name}"
    made, number = project.exports_dir / stem, 1
    while made.exists():
        if _is_whole(made, content):
            return made
        number += 1
        made = project.exports_dir / f"{stem}-{number}"
    with finished_dir(made) as folder:
        written = _write(source, target, chosen, folder)
        promise = target.promise(folder) if target.promise else None
        files = {p.relative_to(folder).as_posix(): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}
        facts = {"lora_format": chosen, "difference": written.difference, "lora_bytes": written.num_bytes, "promise": promise}
        record = ExportRecord(to=to, pair=pair.id, strength=strength, content=content, files=files, **facts)
        write_facts(folder / "export.json", record)
    return made


def read_export(folder: Path) -> ExportRecord:
    """What an export is, from its folder."""
    return read_facts(ExportRecord, folder / "export.json")


def _write(source: Source, target: Target, chosen: LoraFormat, folder: Path) -> Written:
    """The target's files, made from the pair in that number format: in fp32 byte for byte what training saved."""
    if chosen == "fp32":
        target.write(source, folder)
        sizes = [path.stat().st_size for path in source.pair.files.values()]
        return Written(lora_format=chosen, difference=0.0, num_bytes=sum(sizes))
    with tempfile.TemporaryDirectory(dir=folder, prefix=".lora-") as temporary:
        place = Path(temporary)
        written = together([write_in_format(path, place / path.name, chosen) for path in source.pair.files.values()])
        target.write(replace(source, pair=_moved(source.pair, place), written=written), folder)
    return written


def _moved(pair: Pair, folder: Path) -> Pair:
    """The pair with its LoRA files as they lie in another folder; its manifest tells their hashes."""
    files = {expert: folder / path.name for expert, path in pair.files.items()}
    experts = {
        expert: replace(saved, sha256=file_sha256(files[expert])) for expert, saved in pair.manifest.experts.items() if expert in files
    }
    manifest = replace(pair.manifest, experts=pair.manifest.experts | experts)
    return replace(pair, manifest=manifest, **files)


def settings_left_out(pair: Pair, to: str) -> tuple[LeftOut, ...]:
    """The settings of the pair's training that an export to that target doesn't hold, each with the reason."""
    return left_out(pair.manifest.train_config(), find_target(to))


def settings_accounts(pair: Pair, to: str) -> tuple[Account, ...]:
    """What became of every setting of the pair's training in an export to that target."""
    return account(pair.manifest.train_config(), find_target(to))


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
    train = pair.manifest.train_config()
    groups: tuple[Group, ...] = ()
    if target.dataset == "always" or include_photos:
        copy_kept(project)
    if target.dataset == "always":
        groups = group_for_trainers(learnable(kept_items(project), preset), preset, train)
        if not groups:
            raise Problem(
                f"There is nothing in the dataset that {target.title} could learn from.",
                fix="Keep photos or clips first.",
            )
    elif target.dataset == "asked" and include_photos:
        groups = group_items(kept_items(project))
    return Source(
        pair=pair,
        name=f"{project.slug}_run{int(pair.run.rsplit('-', 1)[1])}_step{pair.step}",
        person=person,
        preset=preset,
        rank=rank,
        train=train,
        strength=strength,
        groups=groups,
        report=_find_report(project, pair) if target.with_report else None,
    )


def _content_hash(source: Source, target: Target, chosen: LoraFormat) -> str:
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
        *([] if chosen == "fp32" else [chosen]),  # the only one that early versions knew
    ]
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()


def _is_whole(folder: Path, content: str) -> bool:
    """Whether that folder is this export, with every file as it was written."""
    try:
        record = read_export(folder)
        return record.content == content and all(file_sha256(folder / name) == sha for name, sha in record.files.items())
    except (OSError, ValueError):
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
