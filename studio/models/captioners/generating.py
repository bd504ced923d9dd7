"""What the families share whose models transformers loads: from a folder to a model with its processor, and from its inputs to an answer."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.disk import read_json
from studio.errors import Problem
from studio.models.captioners.family import AGAIN, AS_STORED, FOUR_BIT, Answer
from studio.models.files.weight_files import read_header

if TYPE_CHECKING:
    from PIL import Image
    from transformers import BatchFeature

INDEX = "model.safetensors.index.json"  # which file holds which weights, where there is more than one
NEEDED = {
    "config.json": ("config.json",),
    "weights as *.safetensors": ("*.safetensors",),
    "a processor (processor_config.json or preprocessor_config.json)": ("processor_config.json", "preprocessor_config.json"),
    "a tokenizer (tokenizer.json or vocab.json)": ("tokenizer.json", "vocab.json"),
}
# Parts that stay as they are where the rest is kept in 4 bits: what sees, and what chooses the word, lose most by it.
WHOLE_PARTS = ("visual", "vision_tower", "multi_modal_projector", "vision_model", "lm_head")
TEMPERATURE = 0.7  # of an answer that is asked for anew


def list_missing(folder: Path) -> list[str]:
    """What a transformers folder lacks, in words. Problem for a damaged file."""
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


def load_parts(folder: Path, precision: str) -> tuple[Any, Any]:
    """(model, processor) of a transformers folder: safetensors only, no code from the folder; what does not fit on the GPU waits in RAM."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from studio.models.loading import pick_device  # loads torch

    on_gpu = pick_device().type == "cuda"
    safe: dict[str, Any] = dict(local_files_only=True, trust_remote_code=False)
    if precision == FOUR_BIT:
        safe["quantization_config"] = four_bit()
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        model = AutoModelForImageTextToText.from_pretrained(
            folder,
            use_safetensors=True,
            dtype=torch.bfloat16 if on_gpu else "auto",
            device_map="auto" if on_gpu else None,
            **safe,
        )
    except (OSError, ValueError, KeyError, ImportError) as e:
        raise Problem(
            f"the captioner in {folder.name} can't be loaded: {e}",
            cost="Nothing was changed.",
            fix="download the model's folder again, every file of it, choose another captioner, or write the captions by hand",
        ) from e
    return model.eval(), processor


def four_bit() -> Any:
    """How transformers keeps Linears in 4 bits (NF4, its scales in 8 bits), computing in bf16."""
    import torch
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=[rf"(?:.*\.)?{part}" for part in WHOLE_PARTS],  # names are matched from their beginning
    )


def version_of(folder: Path, precision: str = AS_STORED) -> str:
    """What tells the captioner in a folder from others of its name: a short hash of its config and of which weights there are."""
    found = hashlib.sha256((folder / "config.json").read_bytes())
    for path in sorted(folder.glob("*.safetensors")):
        found.update(f"{path.name} {path.stat().st_size}".encode())
    return ", ".join(part for part in (found.hexdigest()[:8], precision) if part)


@dataclass
class TransformersCaptioner:
    """A model with its processor, as transformers has made them; a family says how its inputs are prepared."""

    model: Any
    processor: Any
    name: str = ""
    version: str = ""
    sees_movement: bool = True

    def prepare(self, pictures: Sequence[Image.Image], fps: float, instruction: str) -> BatchFeature:
        raise NotImplementedError

    def answer(self, pictures: Sequence[Image.Image], fps: float, instruction: str, max_new_tokens: int, attempt: int = 0) -> Answer:
        """Greedy, so the same every time; asked anew, drawn with the attempt as seed."""
        import torch

        inputs = self.prepare(pictures, fps, instruction).to(self.model.device)
        floats = {key: value.to(self.model.dtype) for key, value in inputs.items() if value.is_floating_point()}
        drawn = dict(do_sample=True, temperature=TEMPERATURE, top_p=0.9, top_k=50)
        greedy = dict(do_sample=False, temperature=None, top_p=None, top_k=None)
        with torch.inference_mode(), torch.random.fork_rng():
            torch.manual_seed(attempt)
            output = self.model.generate(
                **{**inputs, **floats}, max_new_tokens=max_new_tokens, num_beams=1, **(drawn if attempt else greedy)
            )
        new = output[0, self.num_given(inputs) :]
        text = self.processor.tokenizer.decode(new, skip_special_tokens=True)
        return Answer(text, len(new) < max_new_tokens)

    def num_given(self, inputs: BatchFeature) -> int:
        """Tokens of the output that are not the answer's: of the question where the model writes on behind it."""
        return inputs["input_ids"].shape[1]

    def close(self) -> None:
        import torch

        self.model = self.processor = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def middle(pictures: Sequence[Image.Image]) -> Image.Image:
    """The one picture of a clip for a captioner that looks at one."""
    return pictures[len(pictures) // 2]


def tokenize(processor: Any, prompt: str, **media: Any) -> BatchFeature:
    """The inputs of a prompt that its template made: a token that begins every text is not put before it once more."""
    begin = processor.tokenizer.bos_token
    more = {"add_special_tokens": False} if begin and prompt.startswith(begin) else {}
    return processor(text=[prompt], return_tensors="pt", **media, **more)
