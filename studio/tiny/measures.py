"""How well the finished pack does what it is for, on people and prompts that no stage has seen; written into the pack as measures.json."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from studio.config import EXPERTS
from studio.disk import write_json
from studio.models.catalogue import BaseModel, find_model
from studio.models.loading import load_expert, load_text_encoder, load_vae
from studio.models.observer import Observer
from studio.models.render import decode_frames, draw_stage, to_bytes
from studio.tiny import world
from studio.tiny.eye.observer_measures import measure_observer
from studio.tiny.lessons import CLIP_FRAMES, draw_groups
from studio.tiny.pack import MEASURES_FILE
from studio.tiny.words.captioner_training import measure_captioner
from studio.training.step.randomness import generator
from studio.workspace import Workspace

PHOTOS, CLIPS, BATCH = 160, 90, 16
SEEN = ("hair", "style", "skin", "beard", "shirt", "glasses", "view", "framing", "place", "light")


def measure_pack(
    out: Path, work: Path, report: Callable[[str], None] = print, photos: int = PHOTOS, clips: int = CLIPS
) -> list[dict[str, str]]:
    """Measure everything and write measures.json; returns its rows [{"what", "bar", "value"}]."""
    base = find_model("tiny", Workspace(Path(work)))
    rows = [*_vae_rows(base)]
    for measure in (_photo_rows, _motion_rows):
        rows += measure(base, photos if measure is _photo_rows else clips)
        report(f"{rows[-1]['what']}: {rows[-1]['value']}")
    rows += [*_observer_rows(base), *_captioner_rows(base)]
    write_json(Path(out) / MEASURES_FILE, {"rows": rows})
    return rows


def draw_texts(base: BaseModel, texts: list[str], num_frames: int, seed: int = 0, **changes: Any) -> Iterator[np.ndarray]:
    """Frames (F, H, W, 3) uint8 of each text, with the settings of the base's own test clips, through the studio's own stages."""
    settings = base.preset.sweep_config({"num_frames": num_frames} | changes)
    encoder, vae = load_text_encoder(base, device="cpu", dtype=torch.float32), load_vae(base, device="cpu")
    shape = base.latent_shape(num_frames, settings.height, settings.width)
    experts = {e: load_expert(base, e, dtype=torch.float32, device="cpu") for e in EXPERTS}
    for start in range(0, len(texts), BATCH):
        some = texts[start : start + BATCH]
        prompts, nothing = encoder.encode(some), encoder.encode([""]).expand(len(some), -1, -1)
        state = {"latents": torch.stack([torch.randn(shape, generator=generator("measure", seed, start + i)) for i in range(len(some))])}
        for expert, model in experts.items():
            state = draw_stage(model, base, settings, expert, state, prompts, nothing, device="cpu")
        for latents in state["latents"]:
            yield to_bytes(decode_frames(vae, latents[None], "cpu"))


def _vae_rows(base: BaseModel) -> Iterator[dict[str, str]]:
    vae = load_vae(base, device="cpu")
    for name, pixels, bar in zip(("photos", "clips"), draw_groups("measure", 64, 32), (28, 25)):
        error = (vae.decode(vae.encode(pixels)) - pixels).square().mean()
        yield _row(f"VAE, {name}", f">= {bar} dB", f"{10 * np.log10(4 / error.item()):.1f} dB")


def _photo_rows(base: BaseModel, count: int) -> Iterator[dict[str, str]]:
    for name, share in measure_photos(base, count).items():
        yield _row(f"pictures drawn as told: {name}", ">= 90 %", f"{share:.1%}")


def measure_photos(base: BaseModel, count: int, seed: int = 11) -> dict[str, float]:
    """{attribute: share of pictures that show it as told}: held-out people in held-out scenes, drawn from their captions and read by the observer."""
    rng, observer = random.Random(seed), Observer.load(base.folder / base.preset.observer)
    people = [(world.draw_identity(rng, held_out=True), world.draw_scene(rng, held_out=True)) for _ in range(count)]
    texts = [world.caption(scene, world.describe(person)) for person, scene in people]
    right = defaultdict(list)
    for (person, scene), frames in zip(people, draw_texts(base, texts, 1)):
        found, told = observer.read(frames)[0], asdict(person) | asdict(scene)
        for name in SEEN:
            if not (name == "hair" and person.style == "bald"):  # no words and no pixels
                right[name].append(found[name] == told[name])
    return {name: float(np.mean(right[name])) for name in SEEN}


def _motion_rows(base: BaseModel, count: int) -> Iterator[dict[str, str]]:
    every, directed = measure_motions(base, count)
    yield _row("clips that move as told, of all nine motions", "", f"{every:.1%}")
    yield _row("clips whose direction is right (walking, turning, zooming)", ">= 85 %", f"{directed:.1%}")


def measure_motions(base: BaseModel, count: int, seed: int = 12) -> tuple[float, float]:
    """(share of clips that move as told, the same of those that walk, turn or zoom): the motions in turn, of held-out people in held-out scenes."""
    rng, observer = random.Random(seed), Observer.load(base.folder / base.preset.observer)
    scenes = [world.draw_scene(rng, world.MOTION[i % len(world.MOTION)], held_out=True) for i in range(count)]
    texts = [world.caption(scene, world.describe(world.draw_identity(rng, held_out=True))) for scene in scenes]
    seen = [observer.read_motion(frames) for frames in draw_texts(base, texts, CLIP_FRAMES)]
    right = [motion == scene.motion for motion, scene in zip(seen, scenes)]
    directed = [hit for hit, scene in zip(right, scenes) if scene.motion.split()[0] in ("walking", "turning", "zooming")]
    return float(np.mean(right)), float(np.mean(directed))


def _observer_rows(base: BaseModel) -> Iterator[dict[str, str]]:
    for name, value in measure_observer(base.folder / base.preset.observer).items():
        yield _row(f"observer: {name}", "", f"{value:.1%}" if name.startswith("read") else f"{value:.3f}")


def _captioner_rows(base: BaseModel) -> Iterator[dict[str, str]]:
    for name, value in measure_captioner(base.captioner).items():
        yield _row(f"captioner: {name}", ">= 90 %", f"{value:.1%}")


def _row(what: str, bar: str, value: str) -> dict[str, str]:
    return {"what": what, "bar": bar, "value": value}
