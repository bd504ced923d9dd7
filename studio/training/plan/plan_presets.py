"""The files of presets/ that a plan is made of: hardware presets, recipes, and what estimates of time assume. Torch-free."""

import functools
from dataclasses import dataclass, field
from typing import Any

from studio import config
from studio.config import list_presets, load_preset
from studio.facts import Facts


@dataclass(frozen=True, kw_only=True)
class HardwarePreset(Facts):
    """A size of graphics card. min_free_gb: of its memory, to be chosen; usual_card: whose speed is meant where no card is named.

    train: a layer of a TrainConfig; limits: {section: {setting: the most}}, whatever the recipe says.
    """

    name: str  # of the file
    title: str
    description: str
    vram_gb: float
    min_free_gb: float
    usual_card: str
    train: dict[str, Any] = field(default_factory=dict)
    limits: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Recipe(Facts):
    """What to train with. train: a layer of a TrainConfig; order: among those to choose from, one without it comes last."""

    name: str  # of the file
    title: str
    description: str = ""
    order: int = 99
    train: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Assumptions(Facts):
    """What estimates of time assume where nothing is known. utilisation: share of a card's throughput that a step reaches; gb_per_second: from
    RAM to the GPU, of the GPU's memory, of an expert from the disk, and between the processes of an expert."""

    utilisation: float
    link_gb_per_second: float
    gpu_memory_gb_per_second: float
    load_gb_per_second: float
    exchange_gb_per_second: float


def hardware_preset(name: str) -> HardwarePreset:
    return HardwarePreset.from_json(load_preset("hardware", name) | {"name": name}, f"presets/hardware/{name}.toml")


def hardware_presets() -> list[HardwarePreset]:
    """The smallest first."""
    return sorted((hardware_preset(name) for name in list_presets("hardware")), key=lambda preset: preset.vram_gb)


def read_recipe(name: str) -> Recipe:
    return Recipe.from_json(load_preset("recipes", name) | {"name": name}, f"presets/recipes/{name}.toml")


def list_recipes() -> list[Recipe]:
    """In the order in which they are offered."""
    return sorted((read_recipe(name) for name in list_presets("recipes")), key=lambda recipe: (recipe.order, recipe.name))


def assumptions() -> Assumptions:
    return _assumptions(str(config.PRESETS_DIR))


@functools.cache
def _assumptions(presets_dir: str) -> Assumptions:
    """Read once for each folder of presets: a plan asks thousands of times."""
    return Assumptions.from_json(load_preset("speeds", "gpus")["assumptions"], "presets/speeds/gpus.toml")
