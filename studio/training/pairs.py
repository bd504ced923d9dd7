"""Checkpoint pairs on disk: one LoRA file for each expert and a manifest, in a folder that appears whole. Torch-free."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.config import EXPERTS, TrainConfig, from_dict
from studio.disk import file_sha256
from studio.errors import Damaged, Problem
from studio.facts import Facts, read_facts
from studio.workspace import Project, project_of, safe_join

LAST_STEP, AVERAGE = "last step", "average"  # which weights a LoRA file holds
_FOLDER = re.compile(r"step-(\d{6,})")


@dataclass(frozen=True, kw_only=True)
class SavedFile(Facts):
    """A file of a checkpoint pair or a safety copy. file: its name, below the folder; sha256: of what was saved."""

    file: str
    sha256: str


@dataclass(frozen=True, kw_only=True)
class SavedExpert(SavedFile):
    """One expert's LoRA in a manifest. steps: of this expert; trained: False for one without a step, whose LoRA changes nothing.

    weights: "last step" or "average"; raw: beside an average, the weights of the last step.
    """

    ALWAYS_WRITTEN = ("steps", "trained", "weights")
    weights: str = LAST_STEP
    raw: SavedFile | None = None
    steps: int = 0
    trained: bool = True


@dataclass(frozen=True, kw_only=True)
class Manifest(Facts):
    """A checkpoint pair's manifest.json. created: seconds since 1970; saved_by: "schedule", "hand" or "finish-by"; settings: as a dict of a
    TrainConfig; held_out: {expert: loss}, where somebody has written it in. What early versions or other programs leave out is empty."""

    ALWAYS_WRITTEN = ("run", "step", "saved_by", "created", "base_model", "base_key", "boundary")
    run: str = ""
    step: int = 0
    saved_by: str = "schedule"
    created: float = 0.0
    base_model: str = ""
    base_key: str = ""
    boundary: float | None = None
    experts: dict[str, SavedExpert]
    settings: dict[str, Any] | None = None
    held_out: dict[str, float | None] | None = None

    def train_config(self) -> TrainConfig:
        """ValueError if the manifest tells no settings, or such as this version does not know."""
        if self.settings is None:
            raise ValueError("manifest.json does not tell the settings that the pair was trained with")
        return from_dict(TrainConfig, self.settings, "manifest.json")


@dataclass(frozen=True)
class Pair:
    """One checkpoint pair. A file is None where the manifest names none for that expert."""

    run: str  # "train-001"
    step: int
    folder: Path
    high_noise: Path | None
    low_noise: Path | None
    manifest: Manifest

    @property
    def id(self) -> str:
        """ "train-001/step-001000" """
        return f"{self.run}/{self.folder.name}"

    @property
    def files(self) -> dict[str, Path]:
        """{expert: Path} of the files there are."""
        return {expert: path for expert in EXPERTS if (path := getattr(self, expert))}


def list_pairs(project: Project) -> list[Pair]:
    """Every whole pair of every run of a project, oldest first. A folder with a missing file or a damaged manifest is left out: `damaged_pairs`."""
    return [pair for run_dir in project.list_runs("train") for pair in list_run_pairs(run_dir)]


def damaged_pairs(project: Project | None) -> list[Damaged]:
    """What is wrong with each pair that `list_pairs` leaves out, and what can be done."""
    folders = [folder for run_dir in project.list_runs("train") for folder in _pair_folders(run_dir)] if project else []
    return [problem for folder in folders if (problem := _open_pair(folder)[1])]


def list_run_pairs(run_dir: Path) -> list[Pair]:
    """The whole pairs of one run, by step."""
    return [pair for folder in _pair_folders(run_dir) if (pair := read_pair(folder))]


def _pair_folders(run_dir: Path) -> list[Path]:
    return sorted((p for p in (Path(run_dir) / "checkpoints").glob("step-*") if _FOLDER.fullmatch(p.name)), key=_step_of)


def find_pair(project: Project, pair_id: str) -> Pair:
    """The pair of an id like "train-001/step-001000". ValueError lists the pairs there are."""
    pairs = list_pairs(project)
    for pair in pairs:
        if pair.id == pair_id:
            return pair
    require_whole(project, [pair_id])
    raise ValueError(f"there is no checkpoint pair {pair_id!r} (pairs: {', '.join(p.id for p in pairs) or 'none yet'})")


def require_whole(project: Project, pair_ids: list[str]) -> None:
    """Damaged of the first pair of these ids that is there, and damaged."""
    for pair_id in pair_ids:
        run, _, name = pair_id.partition("/")
        folder = next((f for f in _pair_folders(project.runs_dir / run) if f.name == name), None)
        if folder and (problem := _open_pair(folder)[1]):
            raise problem


def read_pair(folder: Path) -> Pair | None:
    """The pair in a folder, or None unless manifest and both files are there."""
    return _open_pair(Path(folder))[0]


def _open_pair(folder: Path) -> tuple[Pair | None, Damaged | None]:
    """The pair in a folder, or why there is none."""
    try:
        manifest = read_facts(Manifest, folder / "manifest.json")
        files = {expert: safe_join(folder, saved.file) for expert, saved in manifest.experts.items() if expert in EXPERTS}
    except FileNotFoundError:
        return None, _unusable(folder, "its manifest.json is missing")
    except OSError as e:
        return None, _unusable(folder, f"its manifest.json can't be read ({e.strerror or e})")
    except Problem as e:
        return None, _unusable(folder, f"its {e.message}")
    except ValueError:
        return None, _unusable(folder, "its manifest.json is damaged")
    lost = [path.name for path in files.values() if not path.is_file()]
    if lost or not files:
        return None, _unusable(folder, f"the file {lost[0]} is missing" if lost else "its manifest.json names no file")
    return Pair(folder.parent.parent.name, _step_of(folder), folder, files.get("high_noise"), files.get("low_noise"), manifest), None


def _unusable(folder: Path, reason: str) -> Damaged:
    run = folder.parent.parent.name
    return Damaged(
        f"{run}/{folder.name}",
        f"The checkpoint pair {run}/{folder.name} can't be used: {reason}.",
        cost="The other pairs are as they were.",
        fix=f"Restore that file from a backup, or delete the folder {folder.name} to do without the pair. It lies in {folder.parent}.",
    )


def verify_pair(pair: Pair) -> None:
    """ValueError naming the first file that is not what was saved."""
    for expert in pair.files:
        verify_file(pair, expert)


def verify_file(pair: Pair, expert: str) -> None:
    """ValueError unless the pair has that expert's file, and it is what was saved."""
    path = pair.files.get(expert)
    if path is None:
        raise ValueError(f"{pair.id} has no file of {expert}; use another pair")
    if file_sha256(path) != pair.manifest.experts[expert].sha256:
        raise ValueError(f"{path.name} of {pair.id} was changed or damaged after it was saved; use another pair")


def pair_folder(run_dir: Path, step: int) -> Path:
    return Path(run_dir) / "checkpoints" / f"step-{step:06d}"


def pair_file_name(run_dir: Path, step: int, expert: str) -> str:
    """<slug>_step-001000_high_noise.safetensors: says what it is wherever it is copied to."""
    return f"{project_of(run_dir).slug}_step-{step:06d}_{expert}.safetensors"


def _step_of(folder: Path) -> int:
    return int(folder.name.partition("-")[2])
