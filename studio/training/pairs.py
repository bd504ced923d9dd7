"""Checkpoint pairs on disk: one LoRA file for each expert and a manifest, in a folder that appears whole. Torch-free."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from studio.config import EXPERTS
from studio.workspace import project_of, read_json, safe_join

_FOLDER = re.compile(r"step-(\d{6,})")


@dataclass(frozen=True)
class Pair:
    """One checkpoint pair. A file is None where the manifest names none for that expert."""

    run: str  # "train-001"
    step: int
    folder: Path
    high_noise: Path | None
    low_noise: Path | None
    manifest: dict

    @property
    def id(self):
        """ "train-001/step-001000" """
        return f"{self.run}/{self.folder.name}"

    @property
    def files(self):
        """{expert: Path} of the files there are."""
        return {expert: path for expert in EXPERTS if (path := getattr(self, expert))}


def list_pairs(project):
    """Every whole pair of every run of a project, oldest first. A folder with a missing file or a damaged manifest is left out."""
    return [pair for run_dir in project.list_runs("train") for pair in list_run_pairs(run_dir)]


def list_run_pairs(run_dir):
    """The whole pairs of one run, by step."""
    folders = [p for p in (Path(run_dir) / "checkpoints").glob("step-*") if _FOLDER.fullmatch(p.name)]
    found = [read_pair(folder) for folder in sorted(folders, key=_step_of)]
    return [pair for pair in found if pair]


def find_pair(project, pair_id):
    """The pair of an id like "train-001/step-001000". ValueError lists the pairs there are."""
    pairs = list_pairs(project)
    for pair in pairs:
        if pair.id == pair_id:
            return pair
    raise ValueError(f"there is no checkpoint pair {pair_id!r} (pairs: {', '.join(p.id for p in pairs) or 'none yet'})")


def read_pair(folder):
    """The pair in a folder, or None unless manifest and both files are there."""
    folder = Path(folder)
    try:
        manifest = read_json(folder / "manifest.json")
        files = {expert: safe_join(folder, entry["file"]) for expert, entry in manifest["experts"].items() if expert in EXPERTS}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if not files or not all(path.is_file() for path in files.values()):
        return None
    return Pair(folder.parent.parent.name, _step_of(folder), folder, files.get("high_noise"), files.get("low_noise"), manifest)


def verify_pair(pair):
    """ValueError naming the first file that is not what was saved."""
    for expert, path in pair.files.items():
        if file_sha256(path) != pair.manifest["experts"][expert]["sha256"]:
            raise ValueError(f"{path.name} of {pair.id} was changed or damaged after it was saved; use another pair")


def pair_folder(run_dir, step):
    return Path(run_dir) / "checkpoints" / f"step-{step:06d}"


def pair_file_name(run_dir, step, expert):
    """<slug>_step-001000_high_noise.safetensors: says what it is wherever it is copied to."""
    return f"{project_of(run_dir).slug}_step-{step:06d}_{expert}.safetensors"


def file_sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _step_of(folder):
    return int(_FOLDER.fullmatch(folder.name)[1])
