"""Teaches the embedded model's UMT5 encoder what captions say, alone, before the denoiser learns from it: then words reach pictures ten times as soon.

Each attribute has a question of its own, a learned query that looks for its answer among the tokens as a denoiser's cross-attention will: so a
token learns to say what it is about ("red" of a shirt or of hair). A second task, telling each token from its own output, keeps names apart.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

import torch
import torch.nn.functional as F

from studio.tiny import world
from studio.tiny.lessons import CAPTIONS, vary_caption
from studio.tiny.stage import Interruption, Plan, muon_and_adamw, run_stage
from studio.tiny.words.text import WIDTH, build_text_encoder, build_tokenizer, encode_prompts
from studio.training.step.randomness import seed_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast, UMT5EncoderModel

BATCH = 64
PLAN: Plan = dict(name="text_encoder", steps=1500, warm_up=50, down=0.5, learning_rate=3e-3, average=0.99, batch=BATCH, token_weight=0.5)
UNSAID = 0
QUESTIONS: dict[str, Collection[str]] = {
    "hair": world.HAIR,
    "style": world.STYLE,
    "skin": world.SKIN,
    "beard": ("beard",),
    "shirt": world.SHIRT,
    "glasses": ("glasses",),
    "view": world.VIEW,
    "framing": world.FRAMING,
    "place": world.PLACE,
    "light": world.LIGHT,
    "motion": world.MOTION,
}


def train_text_encoder(
    work_dir: Path, *, seed: int = 0, report: Callable[[str], None] = print, steps: int | None = None, **stage: Unpack[Interruption]
) -> tuple[PreTrainedTokenizerFast, UMT5EncoderModel, bool]:
    """(tokenizer, UMT5 encoder without gradients, finished)."""
    plan: Plan = PLAN | {"seed": seed} | ({"steps": steps} if steps else {})
    tokenizer = build_tokenizer(seed)
    encoder, reader = build_text_encoder(tokenizer, seed), build_reader(len(tokenizer), seed)
    modules = {"text_encoder": encoder, "reader": reader}
    optimizers = muon_and_adamw(modules, learning_rate=plan["learning_rate"])
    lesson = _Lesson(plan, tokenizer, encoder, reader)
    finished = run_stage(work_dir / plan["name"], plan, modules, optimizers, lesson, average=plan["average"], report=report, **stage)
    return tokenizer, encoder.requires_grad_(False), finished


class Reader(torch.nn.Module):
    """Answers every question about encoded captions; only training needs it."""

    def __init__(self, vocabulary: int, width: int = WIDTH) -> None:
        super().__init__()
        self.queries = torch.nn.Parameter(0.1 * torch.randn(len(QUESTIONS), width))
        self.answers = torch.nn.ModuleDict({name: torch.nn.Linear(width, 1 + len(values)) for name, values in QUESTIONS.items()})
        self.tokens = torch.nn.Linear(width, vocabulary)

    def forward(self, embeds: torch.Tensor, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """{question: logits (N, 1 + answers)} of embeds (N, T, D); mask (N, T) is 0 behind the last token."""
        scores = torch.einsum("qd,ntd->nqt", self.queries, embeds).masked_fill(mask[:, None] == 0, -torch.inf)
        found = scores.softmax(-1) @ embeds
        return {name: self.answers[name](found[:, i]) for i, name in enumerate(QUESTIONS)}


def build_reader(vocabulary: int, seed: int = 0) -> Reader:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Reader(vocabulary)


class _Lesson:
    """The loss of a step, drawn from the step's number alone."""

    def __init__(self, plan: Plan, tokenizer: PreTrainedTokenizerFast, encoder: UMT5EncoderModel, reader: Reader) -> None:
        self.plan, self.tokenizer, self.encoder, self.reader = plan, tokenizer, encoder, reader

    def __call__(self, step: int) -> torch.Tensor:
        texts, told = draw_captions(random.Random(seed_of("text_encoder", self.plan["seed"], step)), self.plan["batch"])
        embeds = encode_prompts(self.tokenizer, self.encoder, texts)
        ids = self.tokenizer(texts, padding="max_length", max_length=embeds.shape[1], truncation=True, return_tensors="pt")
        answers = self.reader(embeds, ids.attention_mask)
        asked = sum(F.cross_entropy(answers[name], torch.tensor(told[name])) for name in QUESTIONS)
        kept = ids.attention_mask.bool()
        return asked + self.plan["token_weight"] * F.cross_entropy(self.reader.tokens(embeds[kept]), ids.input_ids[kept])


def draw_captions(rng: random.Random, count: int, shares: Mapping[str, float] = CAPTIONS) -> tuple[list[str], dict[str, list[int]]]:
    """(texts, {question: numbers of the answers, UNSAID where a caption does not say it})."""
    texts: list[str] = []
    told: dict[str, list[int]] = {name: [] for name in QUESTIONS}
    for _ in range(count):
        person, scene = world.draw_identity(rng), world.draw_scene(rng, rng.choice(("", None)))
        said: set[str] = set()
        texts.append(vary_caption(person, scene, rng, shares, said))
        for name, values in QUESTIONS.items():
            told[name].append(1 + [*values].index(_value(person, scene, name)) if name in said else UNSAID)
    return texts, told


def _value(person: world.Identity, scene: world.Scene, name: str) -> str:
    value = getattr(person if hasattr(person, name) else scene, name)
    return name if value is True else value
