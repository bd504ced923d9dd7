"""What a comparison will draw: its prompts, the pairs in it, and a cell for each clip, keyed by what decides its pixels. Free of torch."""

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from studio.config import EXPERTS, SweepConfig, to_dict
from studio.errors import Problem
from studio.evaluation.first_pictures import add_first_pictures
from studio.evaluation.guests.guest_list import list_guests
from studio.evaluation.prompts import resolve_prompts, standard_prompts
from studio.evaluation.sweep_facts import WAITING, Cell, ComparedPair, FirstPicture, Prompt, Sweep, text_for
from studio.models.catalogue import find_model
from studio.training.pairs import Pair, damaged_pairs, list_pairs, require_whole
from studio.workspace import Project

RENDER_VERSION = 2  # raise it when the same cell would look different
PICTURE_SETTINGS = (
    "width",
    "height",
    "num_frames",
    "num_inference_steps",
    "guidance_scale_high",
    "guidance_scale_low",
    "flow_shift",
    "scheduler",
    "negative_prompt",
)


def plan_sweep(project: Project, config: SweepConfig, pairs: Sequence[str] | None = None) -> Sweep:
    """A sweep that is not written yet: base row and every pair x prompt x seed x strength, each cell keyed by what decides its pixels.

    pairs: ids like "train-001/step-001000"; None for all there are. Problem if there is no pair; ValueError if one is unknown.
    """
    data = project.facts()
    base = find_model(data.base_model, project.workspace)
    base.latent_shape(config.num_frames, config.height, config.width)  # ValueError for a size this model can't draw
    prompts = resolve_prompts(config.prompts or standard_prompts(project, data.base_model), data.trigger, data.class_noun)
    compared = tuple(describe_selected(project, pairs))
    if base.first_picture:
        prompts = add_first_pictures(project, prompts, (config.width, config.height))
    elif any(prompt.picture for prompt in prompts):
        raise ValueError(f"{base.title} draws from words alone; take [picture ...] out of the prompts")
    return Sweep(
        created=time.time(),
        base_model=data.base_model,
        base_key=base.key,
        fps=base.fps,
        settings=to_dict(config),
        prompts=prompts,
        pairs=compared,
        cells=tuple(plan_cells(base.key, config, prompts, compared, data.trigger)),
        trigger=data.trigger if any(pair.called for pair in compared) else "",
    )


def select_pairs(project: Project, pairs: Sequence[str] | None = None) -> list[Pair]:
    """The pairs of these ids in their own order, guests behind the project's own; all of the project's own for None."""
    guests = [guest.pair for guest in list_guests(project)] if pairs else []
    found = {pair.id: pair for pair in (*list_pairs(project), *guests)}
    if not found and (damaged := damaged_pairs(project)):
        raise damaged[-1]
    if not found:
        raise Problem("There is no checkpoint pair yet.", fix="Train first; a pair is saved at every save interval.", action="open-train")
    if pairs is None:
        return list(found.values())
    unknown = [p for p in pairs if p not in found]
    require_whole(project, unknown)
    if unknown or not pairs:
        raise ValueError(f"there is no pair {', '.join(unknown) or '(none chosen)'}; there are {', '.join(found)}")
    return [pair for id, pair in found.items() if id in pairs]


def describe_selected(project: Project, pairs: Sequence[str] | None) -> list[ComparedPair]:
    """The pairs of these ids as a comparison notes them, guests with what they are called."""
    guests = {guest.id: guest.facts for guest in list_guests(project)}
    described, noun = [], project.facts().class_noun
    for pair in select_pairs(project, pairs):
        known = describe_pair(pair)
        guest = guests.get(pair.id)
        described.append(replace(known, title=guest.title, called=guest.trigger or noun) if guest else known)
    return described


def describe_pair(pair: Pair) -> ComparedPair:
    """A checkpoint pair as a comparison notes it."""
    shas = dict.fromkeys(EXPERTS, "") | {expert: saved.sha256 for expert, saved in pair.manifest.experts.items() if saved.trained}
    high, low = (shas[expert] for expert in EXPERTS)
    return ComparedPair(id=pair.id, run=pair.run, step=pair.step, high_sha256=high, low_sha256=low)


def plan_cells(
    base_key: str, config: SweepConfig, prompts: Sequence[Prompt], pairs: Sequence[ComparedPair], trigger: str
) -> Iterator[Cell]:
    """Every prompt and seed with the base and with each pair at each strength, keyed by what decides its pixels."""
    columns = [(None, 0.0)] + [(pair, strength) for pair in pairs for strength in config.strengths]
    for index, prompt in enumerate(prompts):
        for seed in config.seeds:
            for pair, strength in columns:
                asked = replace(prompt, text=text_for(prompt.text, pair, trigger))
                high, key = cell_keys(base_key, config, asked, seed, pair, strength)
                yield Cell(
                    key=key,
                    high_key=high,
                    pair=pair.id if pair else None,
                    prompt=index,
                    seed=seed,
                    strength=strength,
                    state=WAITING,
                    clip=f"cells/{key}.mp4",
                    poster=f"cells/{key}.jpg",
                )


def cell_keys(base_key: str, config: SweepConfig, prompt: Prompt, seed: int, pair: ComparedPair | None, strength: float) -> tuple[str, str]:
    """(key of the high stage, key of the clip): equal keys mean equal pixels, whatever the pair or sweep is called."""
    settings = {name: getattr(config, name) for name in PICTURE_SETTINGS}
    low_guidance = settings.pop("guidance_scale_low")
    picture = [_picture_part(prompt.first_picture)] if prompt.first_picture else []
    high_lora, low_lora = (_lora_part(sha, strength) for sha in ((pair.high_sha256, pair.low_sha256) if pair else ("", "")))
    high = _hash(RENDER_VERSION, base_key, prompt.text, seed, settings, high_lora, *picture)
    return high, _hash(high, low_guidance, low_lora)


def _picture_part(picture: FirstPicture) -> list[Any]:
    """What decides the pixels that a clip begins with; one cut in the middle is known by its content alone, as all of them once were."""
    return [picture.sha256] if picture.corner is None else [picture.sha256, list(picture.corner)]


def _lora_part(sha256: str, strength: float) -> list[Any] | None:
    return [sha256, float(strength)] if sha256 and strength else None


def _hash(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:24]
