"""Pairs whose files have planted faults, on disk: runs as training saves them, of weights that behave as those of trainings do."""

import torch
from model_kit import lora_state

from studio.config import TrainConfig, to_dict
from studio.disk import file_sha256, finished_dir, write_json
from studio.models.files.lora_files import save_lora_file
from studio.models.loading import load_expert
from studio.models.lora import add_lora
from studio.training.pairs import find_pair, pair_file_name, pair_folder

EXPERTS = ("high_noise", "low_noise")
KINDS = ("scaled", "high emptied", "low emptied", "swapped", "another person's", "equal files")


def lora_shapes(base):
    """{key: shape} of a LoRA of rank 2 of a base model."""
    model = load_expert(base, "high_noise", dtype=torch.float32, device=torch.device("cpu"))
    add_lora(model, 2, seed=0)
    return {key: t.shape for key, t in lora_state(model).items()}


def learned(shapes, person, expert, step, seed=0):
    """A state after so many steps: first values by the seed and the expert alone, and what is learned grows in the person's own direction.

    Steps of one run are alike, its experts are not, and two persons little more, as in trainings of the tiny model.
    """
    start = torch.Generator().manual_seed(hash_of(seed, expert))
    way = torch.Generator().manual_seed(hash_of(seed, person, expert))
    noise = torch.Generator().manual_seed(hash_of(seed, person, expert, step))
    state = {}
    for key, shape in shapes.items():
        if "lora_A" in key:
            state[key] = torch.randn(shape, generator=start) * 0.1
        else:
            common = torch.randn(shape, generator=start) * 0.5
            state[key] = (common + torch.randn(shape, generator=way) + 0.3 * torch.randn(shape, generator=noise)) * 0.01 * step**0.5
    return state


def hash_of(*parts):
    return sum(ord(letter) * 31**place for place, letter in enumerate(str(parts))) % 2**31


def weaken(state, factor):
    """A state whose update is that many times as strong."""
    return {key: tensor * factor if "lora_B" in key else tensor.clone() for key, tensor in state.items()}


def save_pair(project, step, high, low, run="train-001", headers=True, untrained=()):
    """A pair on disk as training saves it. headers: whether the files say which expert they are of: True, False, or {expert: what it says}."""
    run_dir = project.runs_dir / run
    run_dir.mkdir(parents=True, exist_ok=True)
    write_json(run_dir / "config.json", {"kind": "train"})
    said = headers if isinstance(headers, dict) else {expert: expert for expert in EXPERTS if headers}
    experts = {}
    with finished_dir(pair_folder(run_dir, step)) as folder:
        for expert, state in zip(EXPERTS, (high, low), strict=True):
            name = pair_file_name(run_dir, step, expert)
            save_lora_file(folder / name, state, {"expert": said[expert]} if expert in said else {})
            experts[expert] = {"file": name, "sha256": file_sha256(folder / name), "trained": expert not in untrained, "steps": step}
        write_json(folder / "manifest.json", {"step": step, "base_model": "tiny", "experts": experts, "settings": to_dict(TrainConfig())})
    return find_pair(project, f"{run}/step-{step:06d}")


def save_run(project, shapes, steps, person="Anna", seed=0, headers=True):
    """{step: (high, low)} of a run, saved."""
    states = {step: tuple(learned(shapes, person, expert, step, seed) for expert in EXPERTS) for step in steps}
    for step, pair in states.items():
        save_pair(project, step, *pair, headers=headers)
    return states


def plant(kind, good, strange):
    """((high, low), what the headers say) of a pair with that fault, made of a good pair and of one of another person."""
    (high, low), right = good, dict(zip(EXPERTS, EXPERTS))
    if kind == "scaled":
        return (weaken(high, 0.2), weaken(low, 0.2)), right
    if kind == "high emptied":
        return (weaken(high, 0), low), right
    if kind == "low emptied":
        return (high, weaken(low, 0)), right
    if kind == "swapped":
        return (low, high), dict(zip(EXPERTS, EXPERTS[::-1]))
    if kind == "another person's":
        return strange, right
    if kind == "equal files":
        return (high, high), dict.fromkeys(EXPERTS, "high_noise")
    raise ValueError(kind)
