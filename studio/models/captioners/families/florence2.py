"""Florence-2: small, quick, and not to be instructed; it knows a few tasks by name, and describes one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.models.captioners.family import AS_STORED, Fit
from studio.models.captioners.generating import TransformersCaptioner, list_missing, load_parts, middle, version_of
from studio.models.fetch.needed import names_of_transformers_folder as choose_names

if TYPE_CHECKING:
    from PIL import Image
    from transformers import BatchFeature

TASK = "<MORE_DETAILED_CAPTION>"  # a paragraph; what of it is a caption's, the reading of answers decides

__all__ = ["choose_names", "fit", "list_missing", "load"]


def fit(config: Mapping[str, Any]) -> Fit:
    return Fit.MADE_FOR_IT if config.get("model_type") == "florence2" else Fit.NONE


def load(folder: Path, precision: str = AS_STORED) -> Florence2:
    parts = load_parts(folder, precision)
    return Florence2(*parts, name=folder.name, version=version_of(folder, precision), sees_movement=False)


class Florence2(TransformersCaptioner):
    def prepare(self, pictures: Sequence[Image.Image], fps: float, instruction: str) -> BatchFeature:
        """Its own task in place of the instruction, which it would not follow; of a clip the frame in the middle."""
        return self.processor(text=TASK, images=middle(pictures), return_tensors="pt")

    def num_given(self, inputs: BatchFeature) -> int:
        """Its decoder begins anew."""
        return 0
