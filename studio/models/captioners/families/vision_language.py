"""Vision-language models that transformers loads by itself: Qwen3-VL, the tiny embedded model, and others of that form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.models.captioners.family import AS_STORED, Fit
from studio.models.captioners.generating import TransformersCaptioner, list_missing, load_parts, tokenize, version_of
from studio.models.fetch.needed import names_of_transformers_folder as choose_names

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from transformers import BatchFeature

__all__ = ["choose_names", "fit", "list_missing", "load"]


def fit(config: Mapping[str, Any]) -> Fit:
    """transformers tells its models apart by itself."""
    return Fit.IN_GENERAL


def load(folder: Path, precision: str = AS_STORED) -> VisionLanguageModel:
    return VisionLanguageModel(*load_parts(folder, precision), name=folder.name, version=version_of(folder, precision))


class VisionLanguageModel(TransformersCaptioner):
    def prepare(self, pictures: Sequence[Image.Image], fps: float, instruction: str) -> BatchFeature:
        """Model inputs. A model without a video processor gets the frames as pictures, each behind its second."""
        as_video = fps > 0 and getattr(self.processor, "video_processor", None) is not None
        media = [{"type": "video"}] if as_video else _pictures_in_time(len(pictures), fps)
        messages = [{"role": "user", "content": [*media, {"type": "text", "text": instruction}]}]
        prompt = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if not as_video:
            return tokenize(self.processor, prompt, images=list(pictures))
        clock = _clock(len(pictures), fps)
        return tokenize(self.processor, _unwrapped(self.processor, prompt), videos=[_stack(pictures)], **clock)


def _pictures_in_time(count: int, fps: float) -> list[dict[str, str]]:
    if not fps:
        return [{"type": "image"}] * count
    return [part for i in range(count) for part in ({"type": "text", "text": f"{i / fps:.1f} seconds:"}, {"type": "image"})]


def _unwrapped(processor: Any, prompt: str) -> str:
    """Qwen3-VL's template puts a clip between two marks, and its processor puts each frame behind its second between the same two.

    Qwen's own code, from which the model learned, takes the outer ones away; transformers 5.23 leaves them.
    """
    if type(processor).__name__ != "Qwen3VLProcessor":
        return prompt
    return prompt.replace(f"{processor.vision_start_token}{processor.video_token}{processor.vision_end_token}", processor.video_token)


def _stack(pictures: Sequence[Image.Image]) -> np.ndarray:
    import numpy as np

    return np.stack([np.asarray(picture) for picture in pictures])  # (F, H, W, 3)


def _clock(num_frames: int, fps: float) -> dict[str, Any]:
    """Tells the processor when each frame was: they are spread evenly already and must not be sampled again."""
    from transformers.video_utils import VideoMetadata

    metadata = VideoMetadata(total_num_frames=num_frames, fps=fps, frames_indices=list(range(num_frames)))
    return {"do_sample_frames": False, "video_metadata": [metadata]}
