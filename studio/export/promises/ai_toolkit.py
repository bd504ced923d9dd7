"""What AI Toolkit makes of a folder. Its rules are in toolkit/data_loader.py, toolkit/dataloader_mixins.py and SDTrainer.py of ostris/ai-toolkit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from studio.config import EXPERTS
from studio.export.promises.exported_files import FPS, Media, never_named, read_media
from studio.export.promises.promise import Promise, Taken, make_promise


def promise(root: Path) -> Promise:
    job = yaml.safe_load((root / "config.yaml").read_text(encoding="utf-8"))["config"]["process"][0]
    media = [(one, folder) for folder in job["datasets"] for one in read_media(root, folder["folder_path"])]
    # AiToolkitDataset.__init__: a folder of one frame is searched for pictures alone
    trained = [(one, folder) for one, folder in media if folder["num_frames"] > 1 or not one.is_clip]
    lost = {one.name for one, _ in media} - {one.name for one, _ in trained} | never_named(root, (one.name for one, _ in media))
    batch = job["train"]["gradient_accumulation"] * job["train"]["batch_size"]
    return make_promise("AI Toolkit", (_take(one, folder) for one, folder in trained), lost, _steps(job), batch)


def _take(media: Media, folder: Mapping[str, Any]) -> Taken:
    """ImageProcessingDTOMixin.load_and_process_video: every n-th frame with a whole n; a clip that is too short for that is stretched."""
    wanted = folder["num_frames"]
    if not media.is_clip:
        return Taken(media.name, 1, 0.0, FPS)
    step = max(1, round(media.fps / folder["fps"]))
    stretched = folder["shrink_video_to_frames"] or media.num_frames < wanted or media.num_frames // step < wanted
    last = media.num_frames - 1 if stretched else step * (wanted - 1)
    return Taken(media.name, wanted, last / media.fps, FPS)


def _steps(job: Mapping[str, Any]) -> dict[str, int]:
    """SDTrainer.hook_train_loop: turns are counted in batches, and an optimizer step takes `gradient_accumulation` of them."""
    train, experts = job["train"], [expert for expert in EXPERTS if job["model"]["model_kwargs"][f"train_{expert}"]]
    turn = train["switch_boundary_every"] // train["gradient_accumulation"]
    steps: dict[str, int] = dict.fromkeys(EXPERTS, 0)
    for start in range(0, train["steps"], turn):
        steps[experts[start // turn % len(experts)]] += min(turn, train["steps"] - start)
    return steps
