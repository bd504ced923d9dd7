"""What the training tests share: small real photos and clips, runs of the tiny model, and the record of their events."""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors import safe_open

from studio.config import TrainConfig, from_dict, merge
from studio.disk import write_json
from studio.workspace import Workspace

SMALL = {
    "steps": 8,
    "save_every": 4,
    "resume_every": 2,
    "held_out_every": 100,
    "accumulation": 2,
    "lora": {"rank": 4},
    "optimizer": {"learning_rate": 5e-3, "warmup_steps": 2},
    "data": {"photo_size": 32, "clip_size": 32, "clip_frames": 5},
    "memory": {"precision": "fp32", "gradient_checkpointing": False},
}


def small_config(**changes):
    """A run of seconds; nested changes as in a TOML file."""
    return from_dict(TrainConfig, merge(SMALL, changes))


def new_project(base, photos=6, name="Anna"):
    """A project with photos in the workspace where the tiny model lies already."""
    project = Workspace(base.models_dir.parent).create_project(name, trigger="ohwx", class_noun="person", base_model="tiny")
    for number in range(1, photos + 1):
        add_photo(project, number)
    return project


def add_photo(project, number, size=(48, 32), caption=None):
    """A photo of coloured patches, the same person under another scene each time, and its caption, put into dataset/ as people do."""
    project.dataset_dir.mkdir(exist_ok=True)
    path = project.dataset_dir / f"{number:04d}.png"
    person, scene = (np.random.default_rng(seed).integers(0, 255, (rows, 4, 3), dtype=np.uint8) for seed, rows in ((0, 3), (number, 1)))
    cells = np.concatenate([scene, person])
    Image.fromarray(cells).resize(size, Image.Resampling.BILINEAR).save(path)
    path.with_suffix(".txt").write_text(caption or f"ohwx, a person in a red coat, scene {number}", encoding="utf-8")
    return path


def add_clip(project, number, num_frames=16, fps=16, size=(64, 48)):
    """An H.264 clip whose brightness rises from frame to frame."""
    import av

    project.dataset_dir.mkdir(exist_ok=True)
    path = project.dataset_dir / f"clip-{number:02d}.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(num_frames):
            level = np.full((size[1], size[0], 3), 20 + i * 200 // num_frames, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(level, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    path.with_suffix(".txt").write_text(f"ohwx, a person waving, scene {number}", encoding="utf-8")
    return path


def new_run(project):
    """A run folder as the launcher makes it."""
    run_dir = project.new_run_dir("train")
    write_json(run_dir / "config.json", {"kind": "train", "trigger": "ohwx", "class_noun": "person", "base_model": "tiny"})
    return run_dir


class Events(list):
    """A `report` that keeps what it is told."""

    def __call__(self, event, **fields):
        self.append((event, fields))

    def of(self, name):
        return [fields for event, fields in self if event == name]


def lora_bits(run_dir):
    """{pair/file name: hash of every tensor's bits} of the LoRAs of a run. (The order of a file's metadata is left to chance.)"""
    return {f"{p.parent.name}/{p.name}": _bits(p) for p in sorted(Path(run_dir).glob("checkpoints/*/*.safetensors"))}


def _bits(path):
    digest = hashlib.sha256()
    with safe_open(path, "np") as file:
        for key in sorted(file.keys()):
            tensor = file.get_tensor(key)
            digest.update(f"{key} {tensor.dtype} {tensor.shape}".encode() + tensor.tobytes())
    return digest.hexdigest()
