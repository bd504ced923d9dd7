"""The eye that comes with a base model: the tiny model's observer, which knows the drawn people of its world and nobody else."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from studio.models.eyes import EMBEDDINGS, MOTION, NAMES, LikenessScale, Sight
from studio.models.preset import ModelPreset

if TYPE_CHECKING:
    from studio.models.catalogue import BaseModel


DRAWN = LikenessScale()


@dataclass(frozen=True)
class ObserverEye:
    name: str = "observer"
    version: int = 2  # 1 saw people in photographs too
    title: str = "The base model's own observer"
    gives: frozenset[str] = frozenset((EMBEDDINGS, NAMES, MOTION))
    needs_base: bool = True
    milliseconds: float = 1.0
    licence: str = "as the base model's"
    scale: LikenessScale = DRAWN
    unseen: str = "what judges likeness here knows drawn people alone, and these are photographs; look at the faces yourself"

    def is_for(self, preset: ModelPreset) -> bool:
        return bool(preset.observer)

    def files(self, base: "BaseModel | None") -> list[Path]:
        assert base is not None
        return sorted(path for path in (base.folder / base.preset.observer).glob("*") if path.is_file())

    def open(self, base: "BaseModel | None") -> Sight:
        from studio.models.observer import Observer  # keeps torch out

        assert base is not None
        return Observer.load(base.folder / base.preset.observer)


EYE = ObserverEye()
