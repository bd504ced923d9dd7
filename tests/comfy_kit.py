"""What the tests of ComfyUI share: installations as their makers lay them out, with true headers, and a project with a pair that was compared."""

from pathlib import Path

import numpy as np
from comfyui_kit import make_true_comfyui, write_header
from safetensors.numpy import save_file

from studio.config import EXPERTS, TrainConfig, to_dict
from studio.disk import file_sha256, write_json
from studio.models.preset import model_preset
from studio.project_facts import Permission
from studio.training.pairs import find_pair, pair_file_name, pair_folder
from studio.workspace import Project, Workspace

T2V, I2V = "wan22-t2v-a14b", "wan22-i2v-a14b"
RUN, STEP = "train-001", 3000
HIGH, LOW = "anna_run1_step3000_HIGH_noise.safetensors", "anna_run1_step3000_LOW_noise.safetensors"
QUICK = "wan2.2_{kind}_lightx2v_4steps_lora_{version}_{noise}_noise.safetensors"
FOLDERS = ("checkpoints", "clip", "diffusion_models", "loras", "text_encoders", "unet", "vae")


def make_empty_comfyui(root: Path) -> Path:
    """A ComfyUI that has run, as far as it is looked at; no models."""
    for name in FOLDERS:
        (root / "models" / name).mkdir(parents=True, exist_ok=True)
    for name in ("input", "custom_nodes", "user/default/workflows"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "main.py").touch()
    (root / "input/example.png").touch()
    return root


def make_whole_comfyui(root: Path, kinds: tuple[str, ...] = ("t2v", "i2v"), quick: tuple[str, ...] = ()) -> Path:
    """One with the experts of those kinds, and the LoRA files for four steps of those."""
    make_empty_comfyui(root)
    for kind in kinds:
        make_true_comfyui(root, model_preset(T2V), kind, in_channels={"t2v": 16, "i2v": 36}[kind])
    for kind in quick:
        for noise in ("high", "low"):
            make_quick_lora(root / "models/loras" / QUICK.format(kind=kind, version="v1", noise=noise))
    return root


def make_quick_lora(path: Path, width: int = 5120, num_blocks: int = 40) -> None:
    """As lightx2v's are named and shaped, but for what is in them."""
    entries: dict[str, tuple[str, tuple[int, ...], bytes]] = {}
    for block in range(num_blocks):
        layer = f"diffusion_model.blocks.{block}.self_attn.q"
        entries |= {f"{layer}.lora_down.weight": ("F16", (64, width), b""), f"{layer}.lora_up.weight": ("F16", (width, 64), b"")}
        entries |= {f"{layer}.alpha": ("F16", (), b""), f"{layer}.diff_b": ("F16", (width,), b"")}
    write_header(path, entries)


def make_project(workspace: Workspace, model: str = T2V, name: str = "Anna", seed: int = 0, trained: tuple[str, ...] = EXPERTS) -> Project:
    """A person with one pair of true names and a little of what such files hold."""
    project = workspace.create_project(name, trigger="ohwx", class_noun="woman", base_model=model, permission=Permission(granted=True))
    make_small_pair(project, model, seed, trained)
    return project


def make_small_pair(project: Project, model: str, seed: int = 0, trained: tuple[str, ...] = EXPERTS) -> None:
    run_dir = project.runs_dir / RUN
    folder, experts = pair_folder(run_dir, STEP), {}
    folder.mkdir(parents=True)
    write_json(run_dir / "config.json", {"kind": "train"})
    for expert in (expert for expert in model_preset(model).expert_names if expert in trained):
        file = folder / pair_file_name(run_dir, STEP, expert)
        rng = np.random.default_rng([seed, len(expert)])
        shapes = {"A": (2, 16), "B": (16, 2)}
        names = {part: f"diffusion_model.blocks.0.self_attn.q.lora_{part}.weight" for part in shapes}
        save_file({names[part]: rng.normal(size=shape).astype("float32") for part, shape in shapes.items()}, file)
        experts[expert] = {"file": file.name, "sha256": file_sha256(file), "trained": True}
    facts = {"run": RUN, "step": STEP, "base_model": model, "experts": experts, "settings": to_dict(TrainConfig())}
    write_json(folder / "manifest.json", facts)


def pair_of(project: Project):
    return find_pair(project, f"{RUN}/step-{STEP:06d}")
