"""What training saves: the resume state, from which a run goes on exactly, and the checkpoint pairs made from it.

A state is the folder resume/step-NNNNNN: progress.json and one safetensors file for each expert that has begun, with its LoRA and what its
optimizer remembers. It appears by one rename; the last two are kept, so a damaged one costs `resume_every` steps at most.
"""

import contextlib
import shutil
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from studio.config import EXPERTS, to_dict
from studio.errors import DiskFull, Problem, is_disk_full
from studio.models.files.lora_files import save_lora_file
from studio.training.pairs import file_sha256, pair_file_name, pair_folder, read_pair
from studio.training.step.optimizers import CARRIED
from studio.workspace import finished_dir, locked, read_json, write_json

STATES_KEPT = 2
SAVING_PATIENCE_SECONDS = 600.0  # for another process of the run that saves: gigabytes on a slow disk
FACTS = ("step", "expert_steps", "recent_losses", "settings", "base_key", "rate_factor")  # of a State, in its progress.json
ADDED_LATER = {"rate_factor": 1.0}


@dataclass(frozen=True)
class State:
    """Where a run stands. `folder` is None before anything was saved."""

    step: int = 0  # optimizer steps of both experts together
    expert_steps: dict = field(default_factory=lambda: dict.fromkeys(EXPERTS, 0))
    recent_losses: dict = field(default_factory=lambda: {expert: [] for expert in EXPERTS})
    settings: dict = field(default_factory=dict)
    base_key: str = ""
    rate_factor: float = 1.0  # on the learning rate: a half since learning broke down
    files: dict = field(default_factory=dict)  # {expert: {"file", "sha256"}}
    folder: Path | None = None

    def expert_file(self, expert):
        """The file of an expert that has begun, else None."""
        return self.folder / self.files[expert]["file"] if expert in self.files else None


# -- the resume state


def save_state(run_dir, state, expert, tensors, numbers=None):
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
            elif state.expert_file(name):
                shutil.copyfile(state.expert_file(name), target)
            else:
                continue
            files[name] = {"file": target.name, "sha256": file_sha256(target)}
        write_json(temporary / "progress.json", {name: getattr(state, name) for name in FACTS} | {"files": files})
    for old in _state_folders(run_dir)[:-STATES_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return replace(state, files=files, folder=folder)


def load_state(run_dir, report):
    """The newest undamaged state; an empty one if there is none. A damaged one is reported and removed."""
    for folder in reversed(_state_folders(run_dir)):
        try:
            return _read_state(folder)
        except (OSError, ValueError, KeyError, TypeError) as e:
            report("note", message=f"The safety copy {folder.name} is damaged ({e}) and is not used.")
            shutil.rmtree(folder, ignore_errors=True)
    return State()


def newest_state(run_dir):
    """The newest state as it stands, without a look at its files: for one that another process of this run has just written."""
    for folder in reversed(_state_folders(run_dir)):
        with contextlib.suppress(FileNotFoundError):  # it was given up for a newer one just now
            return _read_state(folder, verify=False)
    return State()


def resume_lock(run_dir):
    """Held by a process while it reads the newest state and writes a newer one."""
    return locked(_resume_dir(run_dir) / "states", SAVING_PATIENCE_SECONDS)


def restore_expert(state, expert, optimizer):
    """Put an expert's weights and its LoraOptimizer back as they were saved. Does nothing for an expert that has not begun."""
    path = state.expert_file(expert)
    if path is None:
        return
    with _file_guard("the state"), safe_open(path, "pt") as file:
        optimizer.restore(file, state.expert_steps[expert])


def remove_leftovers(run_dir):
    """Delete what a killed process had begun to write; large, and of no use."""
    for folder in (_resume_dir(run_dir), Path(run_dir) / "checkpoints"):
        for path in folder.glob(".*.tmp"):
            shutil.rmtree(path, ignore_errors=True)


# -- checkpoint pairs


def save_pair(run_dir, state, config, base, *, saved_by="schedule"):
    """Make the checkpoint pair of a saved state; one that is there already stays as it is. Returns its step, or None if nothing was new.

    An expert without a single step gets a LoRA of zeros, which changes nothing, and the manifest says that it is untrained. Where an average
    of the weights is kept, the pair is of the averages, and raw/ holds the weights of the last step; the manifest says which is which.
    """
    folder = pair_folder(run_dir, state.step)
    if read_pair(folder):
        return None
    experts = {}
    with _file_guard(f"the checkpoint pair of step {state.step}"), finished_dir(folder) as temporary:
        loras = {expert: _read_loras(state.expert_file(expert)) for expert in state.files}
        for expert in base.experts:
            lora = loras.get(expert) or {"lora": {key: torch.zeros_like(t) for key, t in next(iter(loras.values()))["lora"].items()}}
            experts[expert] = _save_expert(
                temporary, pair_file_name(run_dir, state.step, expert), lora, _metadata(state, config, base, expert)
            )
            experts[expert] |= {"steps": state.expert_steps[expert], "trained": state.expert_steps[expert] > 0}
        facts = {"run": Path(run_dir).name, "step": state.step, "saved_by": saved_by, "created": time.time()}
        model = {"base_model": base.name, "base_key": base.key, "boundary": base.boundary}
        write_json(temporary / "manifest.json", facts | model | {"experts": experts, "settings": to_dict(config)})
    return state.step


def _save_expert(folder, name, lora, metadata):
    """One expert's file of a pair, and beside an average the raw weights; returns what the manifest says of them."""
    weights = "average" if "average" in lora else "last step"
    save_lora_file(folder / name, lora.get("average", lora["lora"]), metadata | {"weights": weights})
    said = {"file": name, "sha256": file_sha256(folder / name), "weights": weights}
    if weights == "last step":
        return said
    raw = f"raw/{name}"
    (folder / "raw").mkdir(exist_ok=True)
    save_lora_file(folder / raw, lora["lora"], metadata | {"weights": "last step"})
    return said | {"raw": {"file": raw, "sha256": file_sha256(folder / raw)}}


# -- inside


def remove_resume(run_dir):
    """Delete every safety copy of a run that will not go on."""
    shutil.rmtree(_resume_dir(run_dir), ignore_errors=True)


def _resume_dir(run_dir):
    return Path(run_dir) / "resume"


def _state_folders(run_dir):
    """Oldest first."""
    return sorted(
        (p for p in _resume_dir(run_dir).glob("step-*") if p.is_dir() and p.name[5:].isdigit()), key=lambda p: int(p.name.split("-")[1])
    )


def _read_state(folder, verify=True):
    data = ADDED_LATER | read_json(folder / "progress.json")
    files = data["files"]
    for entry in files.values() if verify else ():
        if file_sha256(folder / entry["file"]) != entry["sha256"]:
            raise ValueError(f"{entry['file']} is not what was saved")
    return State(**{name: data[name] for name in FACTS}, files=files, folder=folder)


def _read_loras(path):
    """{"lora": {key: tensor}} of an expert's state, and {"average": ...} where one is kept; fp32."""
    found = {}
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118
            part, _, key = name.partition("/")
            if part in CARRIED:
                found.setdefault(part, {})[key] = file.get_tensor(name).float()
    return found


def _on_cpu(tensors):
    """Tensors for a file, each in memory of its own: libraries may share one among parameters, which the format does not take."""
    found, seen = {}, set()
    for key, tensor in tensors.items():
        tensor = tensor.detach().cpu().contiguous()
        address = tensor.untyped_storage().data_ptr()
        found[key] = tensor.clone() if address in seen else tensor
        seen.add(address)
    return found


def _metadata(state, config, base, expert):
    """For the LoRA file itself, which travels without its manifest: neither paths nor names of people."""
    facts = {"software": "Likeness Studio", "base_model": base.name, "expert": expert, "boundary": base.boundary}
    facts |= {"rank": config.lora.rank, "step": state.step, "expert_steps": state.expert_steps[expert]}
    return {key: str(value) for key, value in facts.items()}


def _deleted():
    return Problem(
        "The safety copy was moved or deleted while training ran.",
        cost="Checkpoint pairs that are still in the run's folder are kept.",
        fix="Put the folder back, then resume; without it the run starts over from the last safety copy that is there.",
        action="resume",
    )


@contextlib.contextmanager
def _file_guard(what):
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
