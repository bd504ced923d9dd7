"""Draws the prompts of a trial with the product's own stages, and measures what was drawn with the base model's observer."""

import io
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from benchmarks.learning_people import CLIP_FRAMES, WAIT_SECONDS, dataset_scenes

from studio.config import EXPERTS
from studio.disk import locked, write_atomic
from studio.evaluation.judge.likeness import Likeness
from studio.models.loading import dtype_of, load_expert, load_text_encoder, load_vae, pick_device
from studio.models.lora import apply_lora, remove_lora
from studio.models.loras.reading import read_lora_file
from studio.models.observer import Observer
from studio.models.preset import model_preset
from studio.models.render import decode_frames, draw_stage, start_state, to_bytes
from studio.training.step.randomness import seed_of

VERSION = 1  # raise it when the same pair would be measured otherwise: old lines of results no longer count
ASKED = ("shirt", "place", "view", "framing", "light", "glasses")


class Artist:
    """The base model in memory: text encoder, both experts and VAE, loaded once a process."""

    def __init__(self, base):
        self.base, self.device = base, pick_device()
        self.dtype = dtype_of("bf16" if self.device.type == "cuda" else "fp32")
        preset = model_preset(base.name)
        self.settings = {frames: preset.sweep_config({"num_frames": frames}) for frames in (1, CLIP_FRAMES)}

    @cached_property
    def encoder(self):
        return load_text_encoder(self.base, device=self.device, dtype=self.dtype)

    @cached_property
    def experts(self):
        return {expert: load_expert(self.base, expert, dtype=self.dtype, device=self.device) for expert in EXPERTS}

    @cached_property
    def vae(self):
        return load_vae(self.base, device=self.device)

    @contextmanager
    def wearing(self, files):
        """The LoRA files {expert: Path} in their experts; an expert without one draws as the base does."""
        try:
            for expert, path in files.items():
                apply_lora(self.experts[expert], read_lora_file(path)[0])
            yield self
        finally:
            for model in self.experts.values():
                remove_lora(model)

    def draw(self, trial, described=False):
        """{kind: (N, F, H, W, 3) uint8}; the noise of a prompt depends on the trial and the prompt's number, not on the LoRA."""
        return {kind: self._draw_prompts(trial, kind, texts) for kind, texts in trial.prompts(described).items()}

    def _draw_prompts(self, trial, kind, texts):
        """All prompts of one kind as one batch."""
        settings = self.settings[CLIP_FRAMES if kind == "clips" else 1]
        if not texts:
            return np.zeros((0, settings.num_frames, settings.height, settings.width, 3), np.uint8)
        prompts = torch.cat([self.encoder.encode([text]) for text in texts])
        negative = self.encoder.encode([settings.negative_prompt]).expand(len(texts), -1, -1)
        seeds = [seed_of("learning bench", trial.number, trial.seed, kind, i) for i in range(len(texts))]
        state = {"latents": torch.cat([start_state(self.base, settings, seed)["latents"] for seed in seeds])}
        for expert in EXPERTS:
            state = draw_stage(self.experts[expert], self.base, settings, expert, state, prompts, negative, device=self.device)
        return np.stack([to_bytes(decode_frames(self.vae, one[None], self.device)) for one in state["latents"]])


def base_drawings(artist, trial, described, folder):
    """What the base draws of a trial, from disk where an arm has drawn it before; safe when two processes ask at once."""
    counts = "-".join(str(len(texts)) for texts in trial.prompts().values())
    file = folder / f"p{trial.number}-seed-{trial.seed}-{counts}{'-described' if described else ''}.npz"
    with locked(file, WAIT_SECONDS):
        if not file.is_file():
            buffer = io.BytesIO()
            np.savez_compressed(buffer, **artist.draw(trial, described))
            write_atomic(file, buffer.getvalue())
    with np.load(file) as found:
        return {kind: found[kind] for kind in found.files}


@dataclass(frozen=True)
class Judge:
    """A trial's measures: who looks like the person, what the pictures show, what changed against the base."""

    trial: object
    observer: object
    likeness: Likeness
    base: dict  # drawings of the base for the same prompts and noise

    @classmethod
    def of(cls, artist, trial, base):
        observer = Observer.load(artist.base.folder / artist.base.preset.observer)
        return cls(trial, observer, Likeness(observer.embed(trial.references())), base)

    def measure(self, drawn, dataset):
        """{measure: number, or None where nothing was drawn for it}; dataset: what was learned, whose clothes and places may bleed."""
        readings = self.observer.read(drawn["photos"][:, 0])
        asked = [[reading[name] == getattr(scene, name) for name in ASKED] for reading, scene in zip(readings, self.trial.photos)]
        learned = [scene for scenes in dataset_scenes(self.trial.number, dataset) for scene in scenes]
        return {
            "identity": _mean(self._shares(drawn["photos"])),
            "clip_identity": _mean(self._shares(drawn["clips"])),
            "prompt": _mean(asked),
            "drift": _mean(np.abs(drawn["strangers"].astype(np.int16) - self.base["strangers"]) / 255),
            "resemblance": self._resemblance(drawn["strangers"]),
            "outfit_bleed": self._bleed("shirt", readings, learned),
            "place_bleed": self._bleed("place", readings, learned),
            "motion": _mean([self.observer.read_motion(clip) == scene.motion for clip, scene in zip(drawn["clips"], self.trial.clips)]),
        }

    def _shares(self, clips):
        """The share of the ceiling of every frame of (N, F, H, W, 3)."""
        return self.likeness.shares(self.observer.embed(clips.reshape(-1, *clips.shape[2:])))

    def _resemblance(self, strangers):
        """How much more other people look like the person than the base's do."""
        return _mean(self._shares(strangers) - self._shares(self.base["strangers"]))

    def _bleed(self, name, readings, learned):
        """Share of pictures that show a shirt or place of the dataset in place of the one asked for, of those where that can be told."""
        worn = {getattr(scene, name) for scene in learned}
        pairs = [(reading[name], getattr(scene, name)) for reading, scene in zip(readings, self.trial.photos)]
        return _mean([seen != asked and seen in worn for seen, asked in pairs if worn - {asked}])


def _mean(values):
    return float(np.mean(values)) if np.size(values) else None
