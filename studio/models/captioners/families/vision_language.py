"""Vision-language models that transformers loads by itself: Qwen3-VL, the tiny embedded model, and others of that form."""

from __future__ import annotations

import gc
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.disk import read_json
from studio.errors import Problem
from studio.models.captioners.family import AGAIN, Answer, Fit
from studio.models.fetch.needed import ReadJson, names_of_transformers_folder
from studio.models.files.weight_files import read_header

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image
    from transformers import BatchFeature

INDEX = "model.safetensors.index.json"  # which file holds which weights, where there is more than one
NEEDED = {
    "config.json": ("config.json",),
    "weights as *.safetensors": ("*.safetensors",),
    "a processor (processor_config.json or preprocessor_config.json)": ("processor_config.json", "preprocessor_config.json"),
    "a tokenizer (tokenizer.json or vocab.json)": ("tokenizer.json", "vocab.json"),
}


def fit(config: Mapping[str, Any]) -> Fit:
    """transformers tells its models apart by itself."""
    return Fit.IN_GENERAL


def list_missing(folder: Path) -> list[str]:
    missing = [what for what, patterns in NEEDED.items() if not any(any(folder.glob(pattern)) for pattern in patterns)]
    missing += [name for name in _list_shards(folder) if not (folder / name).is_file()]
    if not missing:
        for path in sorted(folder.glob("*.safetensors")):
            read_header(path, folder)  # a copy that broke off, before somebody waits for captions
    return missing


def _list_shards(folder: Path) -> list[str]:
    """The weight files that the index names; none without an index."""
    if not (folder / INDEX).is_file():
        return []
    try:
        return sorted({str(name) for name in read_json(folder / INDEX)["weight_map"].values()})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Problem(f"{INDEX} of the captioner in {folder.name!r} is damaged", cost="Nothing was changed.", fix=AGAIN) from None


def choose_names(names: Collection[str], read_json: ReadJson) -> list[str]:
    return names_of_transformers_folder(names, read_json)


def load(folder: Path) -> VisionLanguageModel:
    """From a transformers folder: safetensors only, no code from the folder, bf16 on a GPU (the part that does not fit waits in RAM)."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from studio.models.loading import pick_device  # loads torch

    on_gpu = pick_device().type == "cuda"
    safe: dict[str, Any] = dict(local_files_only=True, trust_remote_code=False)
    try:
        processor = AutoProcessor.from_pretrained(folder, **safe)
        model = AutoModelForImageTextToText.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=torch.bfloat16 if on_gpu else "auto",
            device_map="auto" if on_gpu else None,
            **safe,
        )
    except (OSError, ValueError, KeyError) as e:
        raise Problem(
            f"the captioner in {folder.name} can't be loaded: {e}",
            cost="Nothing was changed.",
            fix="download the model's folder again, every file of it, or write the captions by hand",
        ) from e
    return VisionLanguageModel(model.eval(), processor)


@dataclass
class VisionLanguageModel:
    """A model with its processor, as transformers has made them."""

    model: Any
    processor: Any

    def answer(self, pictures: Sequence[Image.Image], fps: float, instruction: str, max_new_tokens: int) -> Answer:
        """Greedy, so the same every time."""
        import torch

        inputs = self.prepare(pictures, fps, instruction).to(self.model.device)
        floats = {key: value.to(self.model.dtype) for key, value in inputs.items() if value.is_floating_point()}
        with torch.inference_mode():
            output = self.model.generate(
                **{**inputs, **floats},
                max_new_tokens=max_new_tokens,
                do_sample=False,
                num_beams=1,
                temperature=None,
                top_p=None,
                top_k=None,
            )
        new = output[0, inputs["input_ids"].shape[1] :]
        text = self.processor.tokenizer.decode(new, skip_special_tokens=True)
        return Answer(text, len(new) < max_new_tokens)

    def prepare(self, pictures: Sequence[Image.Image], fps: float, instruction: str) -> BatchFeature:
        """Model inputs. A model without a video processor gets the frames as pictures."""
        as_video = fps > 0 and getattr(self.processor, "video_processor", None) is not None
        media = [{"type": "video"}] if as_video else [{"type": "image"} for _ in pictures]
        messages = [{"role": "user", "content": [*media, {"type": "text", "text": instruction}]}]
        prompt = self.processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if not as_video:
            return self.processor(text=[prompt], images=list(pictures), return_tensors="pt")
        return self.processor(text=[prompt], videos=[_stack(pictures)], return_tensors="pt", **_clock(len(pictures), fps))

    def close(self) -> None:
        import torch

        self.model = self.processor = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _stack(pictures: Sequence[Image.Image]) -> np.ndarray:
    import numpy as np

    return np.stack([np.asarray(picture) for picture in pictures])  # (F, H, W, 3)


def _clock(num_frames: int, fps: float) -> dict[str, Any]:
    """Tells the processor when each frame was: they are spread evenly already and must not be sampled again."""
    from transformers.video_utils import VideoMetadata

    metadata = VideoMetadata(total_num_frames=num_frames, fps=fps, frames_indices=list(range(num_frames)))
    return {"do_sample_frames": False, "video_metadata": [metadata]}
