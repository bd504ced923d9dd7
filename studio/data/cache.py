"""The cache: every photo, clip and prompt is encoded once; the VAE and the text encoder leave memory before an expert comes."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from studio.config import DataConfig, SweepConfig, to_dict
from studio.data.buckets import choose_corner, cover_size
from studio.data.captions.rules import class_prompt
from studio.data.cropping.head import Part
from studio.data.cropping.trained_photo import choose_photo
from studio.data.item_record import Item
from studio.data.media.clips import read_frames
from studio.data.media.photos import load_photo
from studio.data.pieces.excerpt import Excerpt, Rule, choose_excerpt, read_excerpt
from studio.disk import write_atomic
from studio.errors import Problem
from studio.facts import Facts
from studio.models.catalogue import BaseModel
from studio.models.first_picture import PixelEncoder, encode_first_picture
from studio.workspace import Project

CODE_VERSION = 1  # raise it when the same input gives other numbers: old files are then made again
DAMAGED = (OSError, ValueError, KeyError, SafetensorError)
NO_HEADS: Mapping[str, Part] = MappingProxyType({})


class TextEncoder(Protocol):
    def encode(self, prompts: list[str]) -> torch.Tensor:
        """(N, L, D): an embedding for each prompt."""
        ...


LoadVae = Callable[[], AbstractContextManager[PixelEncoder]]
LoadTextEncoder = Callable[[], AbstractContextManager[TextEncoder]]


@dataclass(frozen=True, kw_only=True)
class Sample(Facts):
    """One photo or clip as it is trained: which pixels, which prompts, and where both lie encoded. A run keeps it in its files."""

    ALWAYS_WRITTEN = ("condition_key",)
    item_id: str
    kind: str  # "photo" or "clip"
    sha256: str
    prompt: str
    class_prompt: str
    bucket: tuple[int, int]  # width, height
    num_frames: int
    latents_key: str
    prompt_key: str
    class_prompt_key: str
    condition_key: str = ""  # of the first picture, where the base model takes one
    corner: tuple[int, int] | None = None  # left, top of the bucket in the scaled photo; None: in the middle

    def prompts(self) -> tuple[tuple[str, str], ...]:
        """(key, text) of each prompt that is to be encoded."""
        return (self.prompt_key, self.prompt), (self.class_prompt_key, self.class_prompt)


@dataclass(frozen=True)
class ClassPicture:
    """A picture of somebody else that the base model draws: its prompt, its seed, and where its latents and prompts lie encoded."""

    prompt: str
    negative_prompt: str
    seed: int
    latents_key: str
    prompt_key: str
    negative_key: str

    def prompts(self) -> tuple[tuple[str, str], ...]:
        return (self.prompt_key, self.prompt), (self.negative_key, self.negative_prompt)


def class_picture(prompt: str, seed: int, settings: SweepConfig, base: BaseModel) -> ClassPicture:
    """The ClassPicture of a prompt and seed, drawn with a SweepConfig: what decides its pixels decides its key."""
    drawn_with = {k: v for k, v in to_dict(settings).items() if k not in ("prompts", "seeds", "strengths", "blocks_swapped")}
    prompt_key, negative_key = (_key("prompt", text, base.max_prompt_tokens, base.key) for text in (prompt, settings.negative_prompt))
    latents_key = _key("class picture", prompt, seed, drawn_with, base.max_prompt_tokens, base.key)
    return ClassPicture(prompt, settings.negative_prompt, seed, latents_key, prompt_key, negative_key)


class Cache:
    """The folders cache/latents and cache/prompts of a project: one safetensors file for each key."""

    def __init__(self, project: Project) -> None:
        self.folder = project.cache_dir

    def latents_file(self, sample: Sample | ClassPicture) -> Path:
        """Of a Sample or a ClassPicture."""
        return self.folder / "latents" / f"{sample.latents_key}.safetensors"

    def condition_file(self, sample: Sample) -> Path:
        return self.folder / "latents" / f"{sample.condition_key}.safetensors"

    def prompt_file(self, key: str) -> Path:
        return self.folder / "prompts" / f"{key}.safetensors"

    def load(self, sample: Sample) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """(latents (C, F, h, w), prompt embedding (L, D), class prompt embedding (L, D)) on the CPU; encode_samples has checked them.

        Problem if one was deleted or damaged since.
        """
        files = self.latents_file(sample), self.prompt_file(sample.prompt_key), self.prompt_file(sample.class_prompt_key)
        latents, prompt, class_prompt = _read_all(files, f"{sample.kind} {sample.item_id}")
        return latents, prompt, class_prompt

    def load_condition(self, sample: Sample) -> torch.Tensor | None:
        """What the base model is given of the sample's first picture, (channels, F, h, w) on the CPU; None where it takes none. Problem as of `load`."""
        return _read_all((self.condition_file(sample),), f"{sample.kind} {sample.item_id}")[0] if sample.condition_key else None

    def load_class_picture(self, picture: ClassPicture) -> tuple[torch.Tensor, torch.Tensor]:
        """(latents (C, 1, h, w), prompt embedding (L, D)) on the CPU; Problem as of `load`."""
        files = self.latents_file(picture), self.prompt_file(picture.prompt_key)
        latents, prompt = _read_all(files, f"a picture of {picture.prompt!r}")
        return latents, prompt

    def load_prompt(self, key: str) -> torch.Tensor:
        """Embedding (L, D) on the CPU; Problem as of `load`."""
        return _read_all((self.prompt_file(key),), "a caption")[0]


def plan_samples(
    items: Iterable[Item],
    *,
    base: BaseModel,
    data_config: DataConfig,
    trigger: str,
    class_noun: str,
    heads: Mapping[str, Part] = NO_HEADS,
) -> list[Sample]:
    """What will be trained, in the items' order. An item without a caption is trained on the trigger alone. Problem names a bad item.

    heads: the person's in each photo that was looked at, by id: it is never cut off.
    """
    return [_plan(item, heads.get(item.id), base, data_config, trigger, class_noun) for item in items]


def encode_samples(
    project: Project,
    samples: Sequence[Sample],
    items: Iterable[Item],
    *,
    base: BaseModel,
    load_vae: LoadVae,
    load_text_encoder: LoadTextEncoder,
    report: Callable[..., None],
    should_stop: Callable[[], bool],
    class_pictures: Sequence[ClassPicture] = (),
) -> bool:
    """Encode what of the samples is missing or damaged in the cache, from the items they came from. False if asked to stop in between.

    Of class pictures the prompts are encoded; they have no items. load_vae() and load_text_encoder() give context managers that yield the encoder
    and give its memory back; each is entered only if something is missing, one after the other. Running it again costs only the look at the files.
    """
    cache = Cache(project)
    latents = {cache.latents_file(s): (encode_item, s) for s in samples}
    latents |= {cache.condition_file(s): (_encode_condition_of, s) for s in samples if s.condition_key}
    prompts = {cache.prompt_file(key): text for s in (*samples, *class_pictures) for key, text in s.prompts()}
    latents = {file: source for file, source in latents.items() if not is_whole(file)}
    prompts = {file: text for file, text in prompts.items() if not is_whole(file)}
    sources = {item.id: item for item in items}
    for _, sample in latents.values():
        _require_source(sample, sources)

    def encode(vae: PixelEncoder, source: tuple[Callable[..., torch.Tensor], Sample]) -> torch.Tensor:
        how, sample = source
        return how(vae, sources[sample.item_id], sample, base)

    def encode_text(encoder: TextEncoder, text: str) -> torch.Tensor:
        return encoder.encode([text])[0]

    steps: list[tuple[str, Callable[[], AbstractContextManager[Any]], Mapping[Path, Any], Callable[[Any, Any], torch.Tensor]]] = [
        ("Photos and clips", load_vae, latents, encode),
        ("Captions", load_text_encoder, prompts, encode_text),
    ]
    return all(_encode_missing(*step, report, should_stop) for step in steps)


def encode_item(vae: PixelEncoder, item: Item, sample: Sample, base: BaseModel) -> torch.Tensor:
    """Latents (C, F, h, w) of one item."""
    pixels = read_pixels(item, sample, base.fps)
    return vae.encode(to_model_range(pixels))[0]


def encode_condition(
    vae: PixelEncoder, item: Item, size: tuple[int, int], num_frames: int, base: BaseModel, corner: tuple[int, int] | None = None
) -> torch.Tensor:
    """What the base model is given of an item's first picture, (1, channels, F, h, w), for a clip of that size (width, height)."""
    pixels = to_model_range(read_first_picture(item, size, base.fps, corner))
    return encode_first_picture(vae, pixels, num_frames, base.temporal_factor)


def read_pixels(item: Item, sample: Sample, fps: float) -> np.ndarray:
    """(F, H, W, 3) uint8 at the sample's bucket: scaled to cover it, the rest cut off; clips by timestamp, so their speed is kept."""
    if sample.kind != "clip":
        return read_first_picture(item, sample.bucket, fps, sample.corner)
    return read_excerpt(item.path, Excerpt(sample.bucket, sample.num_frames, fps))


def read_first_picture(item: Item, size: tuple[int, int], fps: float, corner: tuple[int, int] | None = None) -> np.ndarray:
    """(1, H, W, 3) uint8 of a photo, or of a clip's first frame: scaled to cover the size (width, height), cropped as of `fit_picture`."""
    if item.kind == "clip":
        return read_frames(item.path, 1, fps, size=size)
    with load_photo(item.path, max_pixels=item.width * item.height) as image:  # as large as the copy that it gets where it is kept
        return fit_picture(image, size, corner)


def fit_picture(image: Image.Image, size: tuple[int, int], corner: tuple[int, int] | None = None) -> np.ndarray:
    """(1, H, W, 3) uint8: scaled to cover the size (width, height), and that cut out at the corner (left, top), or of the middle."""
    scaled = cover_size(image.width, image.height, size)
    left, top = corner or choose_corner(image.width, image.height, size)
    whole = image.resize(scaled, Image.Resampling.LANCZOS)
    return np.asarray(whole.crop((left, top, left + size[0], top + size[1])))[None]


def to_model_range(pixels: np.ndarray) -> torch.Tensor:
    """(F, H, W, 3) uint8 -> (1, 3, F, H, W) float in [-1, 1]."""
    return torch.from_numpy(pixels.copy()).permute(3, 0, 1, 2)[None].float() / 127.5 - 1


def write_tensor(path: Path, tensor: torch.Tensor) -> None:
    """One tensor and the hash of its bytes, atomically."""
    tensor = tensor.detach().cpu().contiguous()
    write_atomic(path, save({"value": tensor}, {"sha256": _digest(tensor)}))


def read_tensor(path: Path, check: bool = True) -> torch.Tensor:
    """The tensor of a file; one of DAMAGED if it is missing, cut off or, if checked, changed."""
    with safe_open(path, "pt") as file:
        tensor, digest = file.get_tensor("value"), (file.metadata() or {}).get("sha256")
    if check and _digest(tensor) != digest:
        raise ValueError(f"{path.name} is damaged; delete it and it is made again")
    return tensor


def is_whole(path: Path) -> bool:
    """Whether a cached file is there and undamaged."""
    try:
        read_tensor(path)
    except DAMAGED:
        return False
    return True


# -- inside


def _plan(item: Item, head: Part | None, base: BaseModel, data_config: DataConfig, trigger: str, class_noun: str) -> Sample:
    try:
        excerpt, corner = _choose(item, head, base, data_config)
    except ValueError as e:
        name = f"{item.id} ({item.original})" if item.original else item.id
        raise Problem(f"{name}: {e}", cost="Nothing was lost.", fix="Leave it out of the dataset.", action="open-dataset") from None
    bucket, num_frames = excerpt.size, excerpt.num_frames
    cropped = [] if corner is None else [list(corner)]  # in the middle, as all of them were once: what was encoded then is still right
    content = (item.sha256, item.kind, list(bucket), num_frames, base.fps, base.key, *cropped)
    prompt = item.caption or trigger or class_noun
    other = _class_prompt(prompt, trigger, class_noun)
    return Sample(
        item_id=item.id,
        kind=item.kind,
        sha256=item.sha256,
        prompt=prompt,
        class_prompt=other,
        bucket=bucket,
        corner=corner,
        num_frames=num_frames,
        latents_key=_key("latents", *content),
        condition_key=_key("first picture", *content) if base.first_picture else "",
        prompt_key=_key("prompt", prompt, base.max_prompt_tokens, base.key),
        class_prompt_key=_key("prompt", other, base.max_prompt_tokens, base.key),
    )


def _choose(item: Item, head: Part | None, base: BaseModel, data_config: DataConfig) -> tuple[Excerpt, tuple[int, int] | None]:
    """(what of an item is trained, where it is cut out of a photo). ValueError if it is too small."""
    if item.kind == "clip":
        return choose_excerpt(item, data_config, Rule(base.fps, base.size_multiple, base.temporal_factor)), None
    found = choose_photo(item.width, item.height, data_config.photo_size, base.size_multiple, head)
    return Excerpt(found.size, 1, base.fps), found.corner


def _class_prompt(prompt: str, trigger: str, class_noun: str) -> str:
    """The prompt for people in general. A caption without the trigger is the person's own prompt: there the class noun alone stands in."""
    text = class_prompt(prompt, trigger, class_noun)
    return text if text and text != prompt else class_noun


def _encode_condition_of(vae: PixelEncoder, item: Item, sample: Sample, base: BaseModel) -> torch.Tensor:
    return encode_condition(vae, item, sample.bucket, sample.num_frames, base, sample.corner)[0]


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps([CODE_VERSION, *parts], ensure_ascii=False).encode()).hexdigest()[:32]


def _digest(tensor: torch.Tensor) -> str:
    content = tensor if tensor.ndim else tensor[None]
    return hashlib.sha256(content.view(torch.uint8).numpy().data).hexdigest()


def _read_all(files: Iterable[Path], what: str) -> tuple[torch.Tensor, ...]:
    try:
        return tuple(read_tensor(file, check=False) for file in files)
    except DAMAGED as e:
        raise Problem(
            f"What was prepared for training of {what} was deleted or damaged since.",
            cost="Everything up to the last safety copy is kept.",
            fix="Resume: it is prepared again from the dataset.",
            action="resume",
        ) from e


def _require_source(sample: Sample, sources: Mapping[str, Item]) -> None:
    item = sources.get(sample.item_id)
    if item is None or item.sha256 != sample.sha256 or not Path(item.path).is_file():
        raise Problem(
            f"{sample.kind} {sample.item_id} was changed or removed, and what was prepared from it is gone too",
            cost="Nothing was lost; the checkpoint pairs so far are kept.",
            fix="Undo the change in the dataset, or start a new run with the dataset as it is now.",
            action="open-dataset",
        )


def _encode_missing(
    stage: str,
    load: Callable[[], AbstractContextManager[Any]],
    missing: Mapping[Path, Any],
    encode: Callable[[Any, Any], torch.Tensor],
    report: Callable[..., None],
    should_stop: Callable[[], bool],
) -> bool:
    """Encode {file: source} one by one with the model that load() gives; False if asked to stop."""
    if not missing:
        return True
    if should_stop():
        return False
    report("progress", stage=stage, done=0, total=len(missing), unit="items", message="Loading the encoder")
    with load() as model:
        for number, (file, source) in enumerate(missing.items(), 1):
            if should_stop():
                return False
            write_tensor(file, encode(model, source))
            report("progress", stage=stage, done=number, total=len(missing), unit="items", message=f"{stage} prepared for training")
    return True
