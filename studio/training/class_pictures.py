"""Class pictures: other people as the base model draws them, before it learns anybody. Protection then keeps its answers at them.

Plain DOP asks for the class at the noised photos of the person, and so keeps the class only near them. What the base model itself draws of
others is where it will be asked for others. The pictures are those of DreamBooth's prior preservation (Ruiz et al. 2022, arXiv:2208.12242,
section 3.2); what is kept at them is the model's answer, not the picture.
"""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from studio.config import SweepConfig, TrainConfig, list_presets, load_preset
from studio.data.cache import Cache, ClassPicture, class_picture, is_whole, write_tensor
from studio.data.captions.rules import fill
from studio.facts import Facts
from studio.models.catalogue import BaseModel
from studio.models.loading import borrowed, load_expert
from studio.models.render import Stopped, draw_stage, start_state
from studio.training.events import Progressed, Report, tell
from studio.training.plan.estimates import count_class_pictures
from studio.training.run import Run

if TYPE_CHECKING:
    from diffusers.models.transformers.transformer_wan import WanTransformer3DModel

FOLDER, DEFAULT_SET = "people", "person"
STAGE = "Other people"


@dataclass(frozen=True, kw_only=True)
class PeoplePrompt(Facts):
    text: str


@dataclass(frozen=True, kw_only=True)
class PeopleSet(Facts):
    """A file of presets/people. models: base models that it is meant for."""

    prompts: tuple[PeoplePrompt, ...]
    models: tuple[str, ...] = ()


def plan_class_pictures(config: TrainConfig, base: BaseModel, class_noun: str) -> tuple[ClassPicture, ...]:
    """The ClassPictures of a TrainConfig; none if it protects without them. The same for every run with the same base model and class noun."""
    count = count_class_pictures(config.preservation)
    texts = [fill(text, "", class_noun) for text in other_people(base.name)] if count else []
    settings = drawing_settings(config, base)
    return tuple(class_picture(texts[i % len(texts)], i, settings, base) for i in range(count))


def other_people(base_model: str) -> list[str]:
    """Prompts of people who differ, [class] not filled in: the set for this base model, or the common one."""
    sets = {name: PeopleSet.from_json(load_preset(FOLDER, name), f"presets/{FOLDER}/{name}.toml") for name in list_presets(FOLDER)}
    chosen = next((found for found in sets.values() if base_model in found.models), sets[DEFAULT_SET])
    return [prompt.text for prompt in chosen.prompts]


def drawing_settings(config: TrainConfig, base: BaseModel) -> SweepConfig:
    """SweepConfig: single pictures, drawn as the base model's test clips are, square and of the size that photos are learned at."""
    side = max(config.data.photo_size // base.size_multiple, 1) * base.size_multiple
    size = {"width": side, "height": side, "num_frames": 1, "blocks_swapped": config.memory.blocks_swapped}
    return base.preset.sweep_config(size)


def draw_class_pictures(run: Run, pictures: Sequence[ClassPicture]) -> bool:
    """Draw what is missing of the pictures into the project's cache; False if asked to stop. Their prompts are in the cache already."""
    cache = Cache(run.project)
    missing = [picture for picture in pictures if not is_whole(cache.latents_file(picture))]
    if not missing:
        return True
    settings, size = drawing_settings(run.config, run.base), run.config.memory.rows_per_pass
    batches = [missing[start : start + size] for start in range(0, len(missing), size)]
    states = [_start(run, settings, batch) for batch in batches]
    progress = _Progress(run.report, len(missing), settings.num_inference_steps)
    try:
        for expert in run.base.experts:
            with borrowed(_load(run, expert)) as model:
                for i, batch in enumerate(batches):
                    states[i] = _draw(run, model, settings, expert, states[i], batch, functools.partial(progress.add, len(batch)))
                    if expert == run.base.experts[-1]:
                        _keep(cache, batch, states[i]["latents"])
    except Stopped:
        return False
    return True


def _start(run: Run, settings: SweepConfig, batch: Sequence[ClassPicture]) -> dict[str, Any]:
    return {"latents": torch.cat([start_state(run.base, settings, picture.seed)["latents"] for picture in batch])}


def _load(run: Run, expert: str) -> "WanTransformer3DModel":
    memory = run.config.memory
    return load_expert(
        run.base, expert, dtype=run.dtype, device=run.device, blocks_swapped=memory.blocks_swapped, precision=memory.precision
    )


def _draw(
    run: Run,
    model: "WanTransformer3DModel",
    settings: SweepConfig,
    expert: str,
    state: dict[str, Any],
    batch: Sequence[ClassPicture],
    on_step: Callable[[], None],
) -> dict[str, Any]:
    cache = Cache(run.project)
    prompts = torch.stack([cache.load_prompt(picture.prompt_key) for picture in batch])
    nothing = torch.stack([cache.load_prompt(picture.negative_key) for picture in batch])
    options = {"device": run.device, "should_stop": run.should_stop, "on_step": on_step}
    return draw_stage(model, run.base, settings, expert, state, prompts, nothing, **options)


def _keep(cache: Cache, batch: Sequence[ClassPicture], latents: torch.Tensor) -> None:
    for picture, one in zip(batch, latents.float()):
        write_tensor(cache.latents_file(picture), one)


class _Progress:
    def __init__(self, report: Report, pictures: int, steps: int):
        self.report, self.done, self.total = report, 0, pictures * steps
        self.add(0)

    def add(self, steps: int) -> None:
        self.done += steps
        words = "The base model draws other people, to keep them as they are"
        tell(self.report, Progressed(stage=STAGE, done=self.done, total=self.total, unit="steps", message=words))
