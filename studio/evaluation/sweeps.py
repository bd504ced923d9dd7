"""Sweeps on disk: which clips of a comparison exist, which can be taken from an earlier one, and what is damaged. Free of torch."""

import functools
import os
import shutil
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from studio.config import SweepConfig
from studio.disk import FORMAT, file_sha256, read_json
from studio.errors import Damaged, NewerFormat, Problem
from studio.evaluation.judge.measuring import missing_scores, score_keys
from studio.evaluation.sweep_facts import DONE, FAILED, WAITING, Cell, Sweep
from studio.evaluation.sweep_plan import describe_pair, plan_sweep
from studio.facts import read_facts, write_facts
from studio.models.catalogue import find_model
from studio.training.pairs import Pair
from studio.workspace import Project, new_numbered_dir, safe_join

WAVE_CELLS = 12  # about this many clips share one change of experts; a row (one prompt and seed) is never split
RESULTS = ("scores", "measured", "clip_sha256", "seconds")  # what a finished cell carries beside its state


def open_sweep(project: Project, config: SweepConfig, pairs: Sequence[str] | None = None, sample: bool | None = None) -> Path:
    """The folder of this comparison: the one that asked the same before (new pairs are added to it), else the next sweep-NNN.

    Finished cells are kept if their files are whole, and taken from other sweeps where the key is the same. sample: whether it is only
    a look at how a training goes, and no comparison yet; None leaves that as it is, and what was asked for as a comparison stays one.
    Problem if a comparison is damaged: it may be this one, and hours of drawing would be done twice.
    """
    project.require_ours()
    return open_planned(project, plan_sweep(project, config, pairs), sample)


def open_planned(project: Project, plan: Sweep, sample: bool | None = None) -> Path:
    """The folder of what is planned, as `open_sweep` finds it."""
    for problem in damaged_sweeps(project):
        raise problem
    folder = find_sweep(project, plan)
    if folder:
        old = read_sweep(folder)
        known = {cell.place: cell for cell in old.cells}
        plan = replace(plan, created=old.created, findings=old.findings, unknown=old.unknown).with_cells(
            lambda cell: known.get(cell.place, cell)
        )
        sample = sample is not False and old.sample
    plan = replace(plan, sample=bool(sample))
    if folder is None:
        folder = new_numbered_dir(project.sweeps_dir, "sweep")
        write_sweep(folder, plan)  # before any clip is in it, so that a folder of clips without this file is a damaged one
    plan = reuse_cells(project, folder, check_cells(folder, plan))
    if read_json(folder / "sweep.json") != {"format": FORMAT} | plan.to_json():  # a job may be writing what is the same anyway
        write_sweep(folder, plan)
    return folder


def find_sweep(project: Project, plan: Sweep) -> Path | None:
    """The folder of the newest comparison that asked the same as this plan, or None."""
    return next((f for f in reversed(list_sweeps(project)) if _continues(read_sweep(f), plan)), None)


def asks_the_same(one: Sweep, other: Sweep) -> bool:
    """Whether they draw the same rows with the same base model; their pairs may differ."""
    return (one.base_key, one.prompts, one.settings) == (other.base_key, other.prompts, other.settings)


def _continues(old: Sweep, new: Sweep) -> bool:
    return old.probe == new.probe and asks_the_same(old, new) and all(pair in new.pairs for pair in old.pairs)


def list_sweeps(project: Project, sample: bool | None = None) -> list[Path]:
    """Sweep folders, oldest first; a folder without a readable sweep.json is left out: `damaged_sweeps`.

    sample: True for those only that are samples of a training, False for the comparisons; None: all, drawings of files alone among them.
    """
    found = [(folder, _open(folder)[0]) for folder in _sweep_folders(project)]
    return [folder for folder, sweep in found if sweep and (sample is None or (sample == sweep.sample and not sweep.probe))]


def list_probes(project: Project) -> list[Path]:
    """The folders in which pairs' files were drawn alone, oldest first."""
    return [folder for folder in list_sweeps(project) if read_sweep(folder).probe]


def damaged_sweeps(project: Project | None) -> list[Damaged]:
    """What is wrong with each sweep that `list_sweeps` leaves out, and what can be done. An empty folder is no sweep (yet)."""
    folders = _sweep_folders(project) if project else []
    return [damaged for folder in folders if (damaged := _open(folder)[1])]


def newer_sweeps(project: Project | None) -> list[NewerFormat]:
    """Of each sweep that a newer version of the studio wrote and that can be read here: it is shown, and nothing is drawn for it."""
    folders = list_sweeps(project) if project else []
    return [NewerFormat(f"The comparison {folder.name}") for folder in folders if read_sweep(folder).is_newer]


def _sweep_folders(project: Project) -> list[Path]:
    return sorted(project.sweeps_dir.glob("sweep-*"), key=lambda f: (len(f.name), f.name))


def _open(folder: Path) -> tuple[Sweep | None, Damaged | None]:
    """The sweep in a folder, or why it can't be used; neither if there is nothing in it."""
    file = folder / "sweep.json"
    if not file.exists():
        return None, _damaged(folder, "is missing") if (folder / "cells").exists() else None
    try:
        return _read(file), None
    except Problem as e:  # of a newer version
        return None, Damaged(folder.name, f"The comparison {folder.name} can't be used: {e.message}.", cost="", fix=e.fix)
    except (OSError, ValueError):
        return None, _damaged(folder, "is damaged")


def _damaged(folder: Path, what: str) -> Damaged:
    return Damaged(
        folder.name,
        f"sweep.json of {folder.name} {what}.",
        cost=f"The clips of that comparison are all there, in the folder cells of {folder.name}.",
        fix=f"Restore that file from a backup, or delete the folder {folder.name}: then its clips are drawn again when you ask for them. It lies in {folder.parent}.",
    )


def _read(file: Path) -> Sweep:
    """What a sweep.json says; read only when it has changed."""
    now = file.stat()
    return _read_once(file, (now.st_mtime_ns, now.st_size, now.st_ino))


@functools.lru_cache(maxsize=32)
def _read_once(file: Path, stamp: tuple[int, int, int]) -> Sweep:
    sweep = read_facts(Sweep, file)
    _ = sweep.config  # ValueError for settings that nobody could have asked for
    return sweep


def read_sweep(folder: Path) -> Sweep:
    """sweep.json of a folder; a finished cell whose clip or poster was deleted counts as waiting. Damaged if it can't be used."""
    folder = Path(folder)
    sweep, damaged = _open(folder)
    if sweep is None:
        raise damaged or _damaged(folder, "is missing")

    def check(cell: Cell) -> Cell:
        is_there = all(safe_join(folder, name).is_file() for name in (cell.clip, cell.poster))
        return cell if is_there or not cell.is_done else replace(cell, state=WAITING)

    return sweep.with_cells(check)


def write_sweep(folder: Path, sweep: Sweep) -> None:
    write_facts(Path(folder) / "sweep.json", sweep)


def check_cells(folder: Path, sweep: Sweep) -> Sweep:
    """Finished cells back to waiting where a file is missing or is not the one that was written; failed ones get another try."""

    def check(cell: Cell) -> Cell:
        is_lost = cell.state == FAILED or (cell.is_done and not _is_whole(folder, cell))
        return cell.undrawn() if is_lost else cell

    return sweep.with_cells(check)


def _is_whole(folder: Path, cell: Cell) -> bool:
    try:
        return file_sha256(folder / cell.clip) == cell.clip_sha256 and (folder / cell.poster).stat().st_size > 0
    except OSError:
        return False


def reuse_cells(project: Project, folder: Path, sweep: Sweep) -> Sweep:
    """The sweep with the finished clips that the project's other sweeps have under the same keys."""
    waiting = {cell.key for cell in sweep.cells if not cell.is_done}
    found: dict[str, Cell] = {}
    for other in list_sweeps(project):
        if other != folder and waiting - found.keys():
            found |= _take_clips(other, folder, waiting - found.keys())

    def take(cell: Cell) -> Cell:
        if cell.is_done or cell.key not in found:
            return cell
        results = {name: getattr(found[cell.key], name) for name in RESULTS}
        return replace(cell, state=DONE, error="", **results)

    return sweep.with_cells(take)


def _take_clips(source: Path, target: Path, keys: Collection[str]) -> dict[str, Cell]:
    """Link what a folder has of these clips into another: {key: its cell there}."""
    taken = {}
    for cell in read_sweep(source).cells:
        if cell.is_done and cell.key in keys and cell.key not in taken and _is_whole(source, cell):
            for name in (cell.clip, cell.poster, *([cell.face] if (source / cell.face).is_file() else [])):
                _link(source / name, target / name)
            taken[cell.key] = cell
    return taken


def cells_by_key(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """{key: [cells]}: two pairs with equal files have equal clips, drawn once."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.key, []).append(cell)
    return groups


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(source, target)


# -- reading a sweep


def count_unmeasured(project: Project, sweep: Sweep) -> int:
    """Finished clips that lack a score, or whose were measured in an earlier version or against other pictures than are kept now."""
    keys = score_keys(project, find_model(sweep.base_model, project.workspace))
    return sum(bool(missing_scores(cell, keys)) for cell in sweep.cells)


def check_compared(folder: Path, pair: Pair) -> None:
    """Problem unless the pair is the one whose clips the sweep holds: another training may bear the name of one that was deleted."""
    now = describe_pair(pair)
    known = [(entry.id, entry.high_sha256, entry.low_sha256) for entry in read_sweep(folder).pairs]
    if (now.id, now.high_sha256, now.low_sha256) not in known:
        raise Problem(
            f"{pair.id} is another pair now than the one that was compared: nothing was changed.", fix="Draw the test clips of the new one."
        )


def find_last_with(project: Project, pair: str) -> Sweep | None:
    """The last comparison that holds a pair; None if none does."""
    found = [read_sweep(folder) for folder in list_sweeps(project, sample=False)]
    return next((sweep for sweep in reversed(found) if any(entry.id == pair for entry in sweep.pairs)), None)


def comparison_file(sweep_dir: Path, prompt_index: int, seed: int, strength: float | None = None) -> Path:
    """Where the side-by-side video of a prompt is, or will be."""
    suffix = "" if strength is None else f"-{strength:g}"
    return sweep_dir / "comparisons" / f"prompt-{prompt_index + 1:02d}-seed-{seed}{suffix}.mp4"


def missing_comparisons(sweep_dir: Path, sweep: Sweep) -> list[int]:
    """The prompts (their numbers, from 0) whose side-by-side video is missing, or older than a clip in it."""
    return [index for index in range(len(sweep.prompts)) if _lacks_comparison(sweep_dir, sweep, index)]


def _lacks_comparison(sweep_dir: Path, sweep: Sweep, index: int) -> bool:
    clips = [sweep_dir / cell.clip for cell in sweep.cells if cell.prompt == index and cell.is_done]
    video = comparison_file(sweep_dir, index, sweep.config.seeds[0])
    return bool(clips) and not (video.is_file() and video.stat().st_mtime >= max(clip.stat().st_mtime for clip in clips))


def estimate_seconds(project: Project, sweep: Sweep) -> float | None:
    """Seconds for the cells that are still missing, from clips drawn before with this base model on this machine; None if none was."""
    measured = []
    for folder in list_sweeps(project):
        earlier = read_sweep(folder)
        if earlier.base_model == sweep.base_model:
            measured += [cell.seconds / _work(earlier.config) for cell in earlier.cells if cell.seconds]
    left = sum(not cell.is_done for cell in sweep.cells)
    if measured:
        return median(measured) * _work(sweep.config) * left
    return None if left else 0.0


def _work(config: SweepConfig) -> int:
    """Size of one clip's work: pixels x frames x model passes."""
    passes = (config.guidance_scale_high > 1) + (config.guidance_scale_low > 1) + 2
    return config.width * config.height * config.num_frames * config.num_inference_steps * passes
