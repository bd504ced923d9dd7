"""What training saves: the resume state, from which a run goes on exactly, and the checkpoint pairs made from it.

A state is the folder resume/step-NNNNNN: progress.json and one safetensors file for each expert that has begun, with its LoRA and what its
optimizer remembers. It appears by one rename; the last two are kept, so a damaged one costs `resume_every` steps at most.
"""

import contextlib
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from studio.config import EXPERTS, TrainConfig, to_dict
from studio.disk import file_sha256, finished_dir, locked
from studio.errors import DiskFull, Problem, is_disk_full
from studio.facts import IN_MEMORY, Facts, read_facts, write_facts
from studio.models.catalogue import BaseModel
from studio.models.files.lora_files import save_lora_file
from studio.training.events import Report
from studio.training.pairs import AVERAGE, LAST_STEP, Manifest, SavedExpert, SavedFile, pair_file_name, pair_folder, read_pair
from studio.training.step.optimizers import AVERAGE_PART, CARRIED, LORA_PART, LoraOptimizer

STATES_KEPT = 2
SAVING_PATIENCE_SECONDS = 600.0  # for another process of the run that saves: gigabytes on a slow disk


@dataclass(frozen=True, kw_only=True)
class State(Facts):
    """Where a run stands, as the progress.json of a safety copy tells it. step: optimizer steps of both experts together.

    recent_losses: calm ones of each expert, by which a jump is known; settings: as a dict of a TrainConfig; rate_factor: on the learning rate,
    a half since learning broke down; files: of the experts that have begun; folder: None before anything was saved.
    """

    ALWAYS_WRITTEN = ("rate_factor",)
    step: int
    expert_steps: dict[str, int]
    recent_losses: dict[str, tuple[float, ...]]
    settings: dict[str, Any]
    base_key: str
    files: dict[str, SavedFile]
    rate_factor: float = 1.0  # what early versions, which knew no half, mean by leaving it out
    folder: Path | None = field(default=None, metadata=IN_MEMORY)

    def expert_file(self, expert: str) -> Path | None:
        """The file of an expert that has begun, else None."""
        return self.folder / self.files[expert].file if self.folder and expert in self.files else None


def empty_state() -> State:
    """Of a run that begins."""
    steps: dict[str, int] = dict.fromkeys(EXPERTS, 0)
    losses: dict[str, tuple[float, ...]] = dict.fromkeys(EXPERTS, ())
    return State(step=0, expert_steps=steps, recent_losses=losses, settings={}, base_key="", files={})


class SavedLora(NamedTuple):
    """An expert's weights in a safety copy, {key: fp32 tensor}: those of the last step, and their average where one is kept."""

    last_step: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor] | None


# -- the resume state


def save_state(run_dir: Path, state: State, expert: str, tensors: dict[str, torch.Tensor], numbers: dict[str, str] | None = None) -> State:
    """Save the state with the working expert's tensors; the other expert's file is copied from the state before. Returns it, placed.

    tensors, numbers: as a LoraOptimizer gives them. Problem if the disk is full; what was saved before stays.
    """
    folder = _resume_dir(run_dir) / f"step-{state.step:06d}"
    files = {}
    with _file_guard("the safety copy"), finished_dir(folder) as temporary:
        for name in EXPERTS:
            target = temporary / f"{name}.safetensors"
            if name == expert:
                save_file(_on_cpu(tensors), target, numbers)
            elif before := state.expert_file(name):
                shutil.copyfile(before, target)
            else:
                continue
            files[name] = SavedFile(file=target.name, sha256=file_sha256(target))
        write_facts(temporary / "progress.json", replace(state, files=files))
    for old in _state_folders(run_dir)[:-STATES_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return replace(state, files=files, folder=folder)


def load_state(run_dir: Path, report: Report) -> State:
    """The newest undamaged state; an empty one if there is none. A damaged one is reported and removed."""
    for folder in reversed(_state_folders(run_dir)):
        try:
            return _read_state(folder)
        except (OSError, ValueError) as e:
            report("note", message=f"The safety copy {folder.name} is damaged ({e}) and is not used.")
            shutil.rmtree(folder, ignore_errors=True)
    return empty_state()


def newest_state(run_dir: Path) -> State:
    """The newest state as it stands, without a look at its files: for one that another process of this run has just written."""
    for folder in reversed(_state_folders(run_dir)):
        with contextlib.suppress(FileNotFoundError):  # it was given up for a newer one just now
            return _read_state(folder, verify=False)
    return empty_state()


def resume_lock(run_dir: Path) -> AbstractContextManager[None]:
    """Held by a process while it reads the newest state and writes a newer one."""
    return locked(_resume_dir(run_dir) / "states", SAVING_PATIENCE_SECONDS)


def restore_expert(state: State, expert: str, optimizer: LoraOptimizer) -> None:
    """Put an expert's weights and its LoraOptimizer back as they were saved. Does nothing for an expert that has not begun."""
    path = state.expert_file(expert)
    if path is None:
        return
    with _file_guard("the state"), safe_open(path, "pt") as file:
        optimizer.restore(file, state.expert_steps[expert])


def remove_leftovers(run_dir: Path) -> None:
    """Delete what a killed process had begun to write; large, and of no use."""
    for folder in (_resume_dir(run_dir), Path(run_dir) / "checkpoints"):
        for path in folder.glob(".*.tmp"):
            shutil.rmtree(path, ignore_errors=True)


# -- checkpoint pairs


def save_pair(run_dir: Path, state: State, config: TrainConfig, base: BaseModel, *, saved_by: str = "schedule") -> int | None:
    """Make the checkpoint pair of a saved state; one that is there already stays as it is. Returns its step, or None if nothing was new.

    An expert without a single step gets a LoRA of zeros, which changes nothing, and the manifest says that it is untrained. Where an average
    of the weights is kept, the pair is of the averages, and raw/ holds the weights of the last step; the manifest says which is which.
    """
    folder = pair_folder(run_dir, state.step)
    if read_pair(folder):
        return None
    experts = {}
    with _file_guard(f"the checkpoint pair of step {state.step}"), finished_dir(folder) as temporary:
        loras = {expert: _read_loras(path) for expert in state.files if (path := state.expert_file(expert))}
        for expert in base.experts:
            lora = loras.get(expert) or _without_effect(next(iter(loras.values())))
            name, steps = pair_file_name(run_dir, state.step, expert), state.expert_steps[expert]
            saved = _save_expert(temporary, name, lora, _metadata(state, config, base, expert))
            experts[expert] = replace(saved, steps=steps, trained=steps > 0)
        manifest = Manifest(
            run=Path(run_dir).name,
            step=state.step,
            saved_by=saved_by,
            created=time.time(),
            base_model=base.name,
            base_key=base.key,
            boundary=base.boundary,
            experts=experts,
            settings=to_dict(config),
        )
        write_facts(temporary / "manifest.json", manifest)
    return state.step


def _without_effect(lora: SavedLora) -> SavedLora:
    """Zeros of the same shapes: a LoRA that changes nothing."""
    return SavedLora({key: torch.zeros_like(tensor) for key, tensor in lora.last_step.items()}, None)


def _save_expert(folder: Path, name: str, lora: SavedLora, metadata: dict[str, str]) -> SavedExpert:
    """One expert's file of a pair, and beside an average the raw weights; returns what the manifest says of them."""
    if lora.average is None:
        saved = _save_lora(folder, name, lora.last_step, metadata, LAST_STEP)
        return SavedExpert(file=saved.file, sha256=saved.sha256, weights=LAST_STEP)
    (folder / "raw").mkdir(exist_ok=True)
    raw = _save_lora(folder, f"raw/{name}", lora.last_step, metadata, LAST_STEP)
    saved = _save_lora(folder, name, lora.average, metadata, AVERAGE)
    return SavedExpert(file=saved.file, sha256=saved.sha256, weights=AVERAGE, raw=raw)


def _save_lora(folder: Path, name: str, tensors: dict[str, torch.Tensor], metadata: dict[str, str], weights: str) -> SavedFile:
    save_lora_file(folder / name, tensors, metadata | {"weights": weights})
    return SavedFile(file=name, sha256=file_sha256(folder / name))


# -- inside


def remove_resume(run_dir: Path) -> None:
    """Delete every safety copy of a run that will not go on."""
    shutil.rmtree(_resume_dir(run_dir), ignore_errors=True)


def _resume_dir(run_dir: Path) -> Path:
    return Path(run_dir) / "resume"


def _state_folders(run_dir: Path) -> list[Path]:
    """Oldest first."""
    return sorted(
        (p for p in _resume_dir(run_dir).glob("step-*") if p.is_dir() and p.name[5:].isdigit()), key=lambda p: int(p.name.split("-")[1])
    )


def _read_state(folder: Path, verify: bool = True) -> State:
    state = replace(read_facts(State, folder / "progress.json"), folder=folder)
    for saved in state.files.values() if verify else ():
        if file_sha256(folder / saved.file) != saved.sha256:
            raise ValueError(f"{saved.file} is not what was saved")
    return state


def _read_loras(path: Path) -> SavedLora:
    """From an expert's file of a safety copy."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            part, _, key = name.partition("/")
            if part in CARRIED:
                found.setdefault(part, {})[key] = file.get_tensor(name).float()
    return SavedLora(found[LORA_PART], found.get(AVERAGE_PART))


def _on_cpu(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors for a file, each in memory of its own: libraries may share one among parameters, which the format does not take."""
    found: dict[str, torch.Tensor] = {}
    seen: set[int] = set()
    for key, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        found[key] = tensor.clone() if address in seen else tensor
        seen.add(address)
    return found


def _metadata(state: State, config: TrainConfig, base: BaseModel, expert: str) -> dict[str, str]:
    """For the LoRA file itself, which travels without its manifest: neither paths nor names of people."""
    facts = {"software": "Likeness Studio", "base_model": base.name, "expert": expert, "boundary": base.boundary}
    facts |= {"rank": config.lora.rank, "step": state.step, "expert_steps": state.expert_steps[expert]}
    return {key: str(value) for key, value in facts.items()}


def _deleted() -> Problem:
    return Problem(
        "The safety copy was moved or deleted while training ran.",
        cost="Checkpoint pairs that are still in the run's folder are kept.",
        fix="Put the folder back, then resume; without it the run starts over from the last safety copy that is there.",
        action="resume",
    )


@contextlib.contextmanager
def _file_guard(what: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as e:
        raise _deleted() from e
    except (OSError, SafetensorError) as e:
        if not is_disk_full(e):
            raise
        raise DiskFull(
            f"The disk is full: {what} could not be saved.",
            cost="Earlier checkpoint pairs and the safety copy before this one are kept.",
            fix="Free some space on the disk of the workspace, then resume.",
            action="resume",
        ) from e
