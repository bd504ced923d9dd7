"""Sentences about the numbers of a plan: what differs from the recipe's, and how strongly other people are protected. Torch-free."""

from collections.abc import Mapping
from typing import Any

from studio.config import PreservationConfig, TrainConfig, from_dict, list_settings, to_dict
from studio.config.sections import Setting
from studio.models.preset import ModelPreset
from studio.training.plan.estimates import count_class_pictures

ORDINALS = {2: "second", 3: "third", 4: "fourth"}


def why_length(config: TrainConfig, overrides: Mapping[str, Any]) -> list[str]:
    """That a run is as long as the person asked."""
    if not any(name in overrides for name in ("steps", "save_every")):
        return []
    return [f"Here {config.steps:,} steps and a checkpoint pair every {config.save_every:,}: as you asked."]


def why_other_numbers(model: ModelPreset, recipe: Mapping[str, Any], overrides: Mapping[str, Any]) -> list[str]:
    """What a base model's preset asks for in place of a recipe's numbers, but for memory, which is planned anyway.

    recipe: its [train]; overrides: what the person set, which is not said again.
    """
    usual, by_hand, asked = _flat(to_dict(from_dict(TrainConfig, recipe))), _flat(overrides), _flat(model.train_settings)
    told = [
        _number(field, asked[name])
        for name, field, _ in list_settings(TrainConfig)
        if name in asked and asked[name] != usual[name] and name not in by_hand and not name.startswith("memory.")
    ]
    return [f"{model.title} asks for other numbers than the recipe: {', '.join(told)}."] if told else []


def why_protected(protection: PreservationConfig) -> str:
    """Where, how often and how strongly other people are protected over a whole run: what `preservation_weight` comes to."""
    if not protection.enabled or not protection.multiplier:
        return "Other people are not protected."
    pictures, every = count_class_pictures(protection), protection.every
    where = (
        f"by {pictures} pictures of other people, which the base model draws first" if pictures else "at your own photos and clips alone"
    )
    ordinal = ORDINALS.get(every, f"{every}th")
    often = "at every picture" if every == 1 else f"at every {ordinal} picture, {every} times as strongly there"
    total = "as strongly as usual" if protection.multiplier == 1 else f"{protection.multiplier:g} times as strongly as usual"
    return f"Other people are protected {where}: {often}; over the whole run {total}."


def _number(field: Setting, value: Any) -> str:
    """ "Photo size 80 px"."""
    if isinstance(value, bool):
        text = "on" if value else "off"
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = f"{value:,}" if isinstance(value, int) else value
    return f"{field.label} {text} {field.unit}".strip()


def _flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{dotted name: value} of nested dicts."""
    flat = {}
    for name, value in nested.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {prefix + name: value}
    return flat
