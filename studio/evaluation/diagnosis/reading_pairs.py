"""Reads both files of each pair once, before anything is drawn: measured by content, and kept beside the cache for the next time."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from studio.disk import file_sha256
from studio.errors import Problem
from studio.evaluation.diagnosis.file_facts import MEASURES_VERSION, FileMeasures, pack_sketch
from studio.evaluation.diagnosis.pair_findings import ReadFile, ReadPair
from studio.evaluation.guests.guest_list import list_guests
from studio.facts import read_facts, write_facts
from studio.models.loras.lora_measures import layer_norms, sketch, total_norm
from studio.models.loras.reading import read_lora
from studio.training.pairs import Pair
from studio.workspace import Project


def read_pairs(project: Project, pairs: Iterable[Pair], base: str, on_file: Callable[[Path], None] = lambda path: None) -> list[ReadPair]:
    """Every pair with what its files hold, or why they can't be read. base: the name of the base model that they are for."""
    guests = {guest.id: guest.facts for guest in list_guests(project)}
    read = [_read_pair(project, pair, base, on_file) for pair in pairs]
    return [replace(one, title=guests[one.id].title, for_both=guests[one.id].for_both) if one.id in guests else one for one in read]


def _read_pair(project: Project, pair: Pair, base: str, on_file: Callable[[Path], None]) -> ReadPair:
    files = {}
    for expert, path in pair.files.items():
        if pair.manifest.experts[expert].trained:  # else it is never opened: the base draws in its place
            on_file(path)
            files[expert] = _read_file(project, path, pair.manifest.experts[expert].sha256, base)
    return ReadPair(pair=pair, files=files)


def _read_file(project: Project, path: Path, saved_sha256: str, base: str) -> ReadFile:
    try:
        if file_sha256(path) != saved_sha256:
            return ReadFile(is_changed=True)
        return ReadFile(sha256=saved_sha256, measures=measure_file(project, path, saved_sha256, base))
    except Problem as e:
        return ReadFile(trouble=e)
    except OSError as e:
        return ReadFile(trouble=Problem(f"{path.name} can't be read ({e.strerror or e}).", fix="Restore it from a backup."))


def measure_file(project: Project, path: Path, sha256: str, base: str) -> FileMeasures:
    """What one LoRA file holds; looked at once for a content and a base model. Problem if it is no LoRA for one expert that can be used."""
    kept = project.cache_dir / "loras" / f"{sha256}.json"
    known = _read_kept(kept)
    if known and (known.version, known.base) == (MEASURES_VERSION, base):
        return known
    file = read_lora(path)
    file.require_whole()
    lora = file.only()
    measured = FileMeasures(
        version=MEASURES_VERSION,
        expert=lora.expert if lora.told_within else "",
        norm=total_norm(layer_norms(lora)),
        layers=len(lora.layers),
        rank=lora.rank,
        sketch=pack_sketch(sketch(lora)),
        base=base,
        unfit=lora.why_not(base),
    )
    kept.parent.mkdir(parents=True, exist_ok=True)
    write_facts(kept, measured)
    return measured


def _read_kept(path: Path) -> FileMeasures | None:
    try:
        return read_facts(FileMeasures, path)
    except (OSError, ValueError):  # not there, or not whole: then the file is looked at anew
        return None
