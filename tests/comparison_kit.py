"""A drawn comparison on disk with clips of real size, made in seconds: a test pattern instead of what a model would draw. Free of torch."""

import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from studio.config import EXPERTS, SweepConfig, TrainConfig, to_dict
from studio.disk import file_sha256, write_json
from studio.evaluation import sweeps
from studio.evaluation.clip_files import write_clip, write_poster
from studio.evaluation.sweep_facts import FIRST_SCORES, FIRST_SCORES_OF_AN_EYE
from studio.training.pairs import pair_file_name, pair_folder

LANDSCAPE, PORTRAIT = (832, 480), (480, 832)
NUM_FRAMES, FPS = 81, 16
PROMPTS = (
    "Portrait | [trigger], a [class], smiling at the camera",
    "Walking, turned away | [trigger], a [class], walking away along a beach at dusk",
    "A label of a person who wrote all of the prompt before the bar and never thought of how long that would be on a page | [trigger] reads",
    "Stranger | another [class] on a busy street, seen from across the road",
    "[trigger], a [class] in a red coat with a fur collar, laughing, on a market square in the rain, seen from below, soft light",
)
SCORES = {"motion": 0.9, "sharpness": 1.0, "flicker": 0.0, "base_flicker": 0.0, "clipping": 0.0, "change": 0.1, "applied": True}


def make_comparison(project, size=LANDSCAPE, num_pairs=6, runs=("train-001",), strengths=(0.8,), prompts=PROMPTS):
    """The sweep's folder: a pair every 1000 steps of each run, each clip 81 frames of `size` (width, height). All clips play."""
    for run in runs:
        for number in range(1, num_pairs + 1):
            make_pair(project, run, 1000 * number)
    width, height = size
    config = SweepConfig(strengths=strengths, prompts=prompts, width=width, height=height, num_frames=NUM_FRAMES)
    folder = sweeps.open_sweep(project, config)
    sweep = sweeps.read_sweep(folder)
    drawn = sweep.with_cells(lambda cell: finish(folder, cell, sweep.prompt_of(cell).kind, pattern_files(size)))
    sweeps.write_sweep(folder, replace(drawn, fps=FPS))
    return folder


def make_pair(project, run, step):
    """A checkpoint pair as training leaves it, but for what is in its two files."""
    run_dir = project.runs_dir / run
    folder = pair_folder(run_dir, step)
    folder.mkdir(parents=True)
    write_json(run_dir / "config.json", {"kind": "train"})
    experts = {}
    for expert in EXPERTS:
        file = folder / pair_file_name(run_dir, step, expert)
        file.write_text(f"{run} {step} {expert}", encoding="utf-8")
        experts[expert] = {"file": file.name, "sha256": file_sha256(file), "trained": True}
    write_json(folder / "manifest.json", {"step": step, "base_model": "tiny", "experts": experts, "settings": to_dict(TrainConfig())})


def finish(folder, cell, kind, files):
    """The cell with its clip and poster, and what an observer would have measured."""
    for name, content in zip((cell.clip, cell.poster), files, strict=True):
        target = folder / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    seen = {"identity": 0.91, "memorised": 1.1, "identity_fall": 0.0} if kind == "person" else {"resemblance": 0.1}
    scores = (SCORES if cell.pair else {}) | seen | {"follows": 0.95}
    return replace(cell, state="done", clip_sha256=file_sha256(folder / cell.clip), scores=scores, measured=measured_with_an_eye(scores))


def measured_with_an_eye(scores, key="0123456789abcdef"):
    """What a cell notes of how it was measured."""
    return {name: "1" for name in FIRST_SCORES if name in scores} | dict.fromkeys(FIRST_SCORES_OF_AN_EYE, key)


@cache
def pattern_files(size):
    """(clip, poster) of the pattern as our own writers write them: bytes."""
    frames = draw_pattern(*size)
    with tempfile.TemporaryDirectory() as folder:
        clip, poster = Path(folder, "pattern.mp4"), Path(folder, "pattern.jpg")
        write_clip(clip, frames, FPS)
        write_poster(poster, frames)
        return clip.read_bytes(), poster.read_bytes()


def draw_pattern(width, height):
    """(81, height, width, 3): stripes of colour and a square that moves; a ring in the middle that shows whether a picture is stretched."""
    y, x = np.mgrid[:height, :width]
    still = np.stack([x * 255 // width, y * 255 // height, (x // 40 + y // 40) % 2 * 60 + 60], axis=-1).astype(np.uint8)
    distance = np.hypot(x - width / 2, y - height / 2)
    still[abs(distance - min(width, height) / 3) < 6] = 255
    frames = np.repeat(still[None], NUM_FRAMES, axis=0)
    for number, frame in enumerate(frames):
        left = (width - 60) * number // (NUM_FRAMES - 1)
        frame[height // 2 - 30 : height // 2 + 30, left : left + 60] = (240, 90, 40)
    return frames
