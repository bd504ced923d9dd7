"""LLaVA models, such as JoyCaption: each has a chat template of its own, and not every one of them says where the picture is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.errors import Problem
from studio.models.captioners.family import AS_STORED, Fit
from studio.models.captioners.generating import TransformersCaptioner, list_missing, load_parts, middle, tokenize, version_of
from studio.models.fetch.needed import names_of_transformers_folder as choose_names

if TYPE_CHECKING:
    from PIL import Image
    from transformers import BatchFeature

__all__ = ["choose_names", "fit", "list_missing", "load"]


def fit(config: Mapping[str, Any]) -> Fit:
    return Fit.MADE_FOR_IT if config.get("model_type") == "llava" else Fit.NONE


def load(folder: Path, precision: str = AS_STORED) -> Llava:
    return Llava(*load_parts(folder, precision), name=folder.name, version=version_of(folder, precision), sees_movement=False)


class Llava(TransformersCaptioner):
    def prepare(self, pictures: Sequence[Image.Image], fps: float, instruction: str) -> BatchFeature:
        """One picture, and its place in the prompt exactly once; of a clip the frame in the middle."""
        return tokenize(self.processor, self.prompt(instruction), images=[middle(pictures)])

    def prompt(self, instruction: str) -> str:
        """As the template writes it from parts, else from plain text, which JoyCaption's puts the picture before."""
        token = self.processor.image_token
        plain = [{"role": "system", "content": "You are a helpful image captioner."}, {"role": "user", "content": instruction}]
        in_parts = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": instruction}]}]
        with_token = [{"role": "user", "content": f"{token}\n{instruction}"}]
        for messages in (plain, in_parts, with_token):
            prompt = self._rendered(messages)
            if prompt.count(token) == 1 and instruction in prompt:
                return prompt
        raise Problem(
            f"the chat template of {self.name} has no place for a picture",
            cost="Nothing was changed.",
            fix="download the model's folder again, with its chat template, or choose another captioner",
        )

    def _rendered(self, messages: list[dict[str, Any]]) -> str:
        """ "" where the template can't be filled with these."""
        from jinja2 import TemplateError

        try:
            return self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except (TemplateError, TypeError, ValueError):
            return ""
