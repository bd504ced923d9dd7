"""What trainers' lists say of the folders beside them: which hold class pictures, masks, controls or a cache, and no photos of the person."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from studio.data.incoming import beside
from studio.data.incoming.beside import Rule
from studio.data.incoming.listing import CAPTION_KEYS, as_captions, lines_of, path_parts
from studio.data.media.kinds import looks_like_media

SUFFIXES = (".toml", ".yaml", ".yml", ".json", ".jsonl", ".ndjson")
MAX_BYTES = 1024**2  # of a list of folders; one of captions may hold more
PHOTOS = (
    "image_dir", "image_directory", "video_directory", "image_path", "video_path", "path", "folder_path", "dataset_path", "instance_data_dir",
)  # keys that name what is learned  # fmt: skip
OTHERS = {  # beginning of a key -> what the folder, or the file, that it names holds
    "conditioning_data_dir": ("controls", beside.CONTROLS),
    "control_": ("controls", beside.CONTROLS),
    "inpaint_path": ("controls", beside.CONTROLS),
    "mask_": ("masks", beside.MASKS),
    "cache_dir": ("cache", beside.CACHE),
}
CLASSES = ("is_reg", "is_regularisation_data", "is_regularization_data")
CLASS_TYPES, VALIDATION_TYPES = ("PRIOR_PREDICTION", "regularization"), ("VALIDATION", "eval")
CONDITIONING_TYPES = ("conditioning",)
CACHE_TYPES = ("text_embeds", "image_embeds", "conditioning_image_embeds", "distillation_cache")
VALIDATION = "what a trainer checks itself by, and does not learn"
REPEATS = ("num_repeats", "repeats", "balancing")
FOR_BARE = ("class_tokens", "default_caption", "instance_prompt")  # keys of a caption for photos that have none
AROUND = ("caption_prefix", "caption_suffix")
READ = "it lists folders for a trainer, and was read: what it says of who or what is in them was followed"


@dataclass(frozen=True)
class Place:
    """A folder that a list names. rule: what it holds where that is no photo of the person."""

    parts: tuple[str, ...]
    rule: Rule | None


@dataclass(frozen=True)
class FolderList:
    """One that says something of folders. notes: what it asks for beside, and is not done here.
    holds_captions: whether it is read once more for the captions in it."""

    places: tuple[Place, ...]
    notes: tuple[str, ...]
    holds_captions: bool


def read_list(shown: str, raw: bytes) -> FolderList | None:
    """None where it is no list of folders (or can't be read): then it is some program's settings, or a text."""
    suffix = shown[shown.rfind(".") :].casefold()
    try:
        data = _parse(raw.decode("utf-8-sig"), suffix)
    except (ValueError, RecursionError, yaml.YAMLError):
        return None
    sets = list(_sets(data))
    places = tuple(place for part in sets for place in _places(part, shown))
    if not places:
        return None
    holds_captions = any(_is_row(part) or isinstance(part.get("text"), Mapping) for part in sets)
    return FolderList(places, tuple(dict.fromkeys(note for part in sets for note in _notes(part))), holds_captions)


def rule_of(lists: Iterable[FolderList], folder: Sequence[str]) -> Rule | None:
    """What lists say that a folder holds, where it is no photos: on another computer it lay elsewhere, so the likest end of its path tells."""
    places = [place for found in lists for place in found.places]
    alike = {place: _common_end(place.parts, folder) for place in places}
    most = max(alike.values(), default=0)
    best = [place for place in places if alike[place] == most] if most else []
    return None if any(place.rule is None for place in best) else next((place.rule for place in best), None)


def _common_end(a: Sequence[str], b: Sequence[str]) -> int:
    pairs = zip(reversed(a), reversed(b))
    return next((n for n, (one, other) in enumerate(pairs) if one != other), min(len(a), len(b)))


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".toml":
        return tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        return yaml.safe_load(text)
    return [json.loads(line) for line in lines_of(text)] if suffix in (".jsonl", ".ndjson") else json.loads(text)


# -- the tables that name folders


def _sets(data: Any) -> Iterator[Mapping[str, Any]]:
    """musubi's and kohya's datasets with their subsets, diffusion-pipe's directories, AI Toolkit's jobs, SimpleTuner's backends, OneTrainer's
    concepts, and rows that name a picture and its control picture."""
    for table in _tables(data):
        if any(_paths(table, key) for key in PHOTOS) or any(_is_other(key) for key in table):
            yield table
        for key in ("datasets", "directory", "subsets", "concepts", "process"):
            yield from _sets(table.get(key))
        if isinstance(table.get("config"), Mapping):
            yield from _sets(table["config"])


def _tables(node: Any) -> list[Mapping[str, Any]]:
    if isinstance(node, Mapping):
        return [node]
    return [part for part in node if isinstance(part, Mapping)] if isinstance(node, list) else []


def _is_other(key: object) -> bool:
    return isinstance(key, str) and key.startswith(tuple(OTHERS))


def _places(part: Mapping[str, Any], shown: str) -> Iterator[Place]:
    """The folders that one table names, and what it says of them."""
    says = _what_is_learned(part)
    own = Rule(says[0], f"so says {shown}", says[1]) if says else None
    files = _is_row(part)
    for path in (path for key in PHOTOS for path in _paths(part, key)):
        yield from _place(path, own, is_file=files)
    for key in filter(_is_other, part):
        code, what = next(meant for start, meant in OTHERS.items() if key.startswith(start))
        for path in _paths(part, key):
            yield from _place(path, Rule(code, f"so says {shown}", what), is_file=files)


def _is_row(part: Mapping[str, Any]) -> bool:
    """Whether it is of one picture, as a list of captions has it, and of no folder."""
    says_something = any(as_captions(part[key]) for key in CAPTION_KEYS if isinstance(part.get(key), (str, list)))
    return says_something or any(looks_like_media(path) for key in PHOTOS for path in _paths(part, key))


def _place(path: str, rule: Rule | None, *, is_file: bool) -> Iterator[Place]:
    parts = path_parts(path)[:-1] if is_file else path_parts(path)
    if parts:
        yield Place(parts, rule)


def _paths(part: Mapping[str, Any], key: str) -> list[str]:
    value = part.get(key)
    values = value if isinstance(value, list) else [value]
    return [path for path in values if isinstance(path, str) and path.strip()]


def _what_is_learned(part: Mapping[str, Any]) -> tuple[str, str] | None:
    """(code, what it is) of the pictures of a table, where they are not the person's."""
    kind = part.get("type"), part.get("dataset_type")
    if any(part.get(key) is True for key in CLASSES) or any(name in CLASS_TYPES for name in kind):
        return "class", beside.REGULAR
    if any(name in CONDITIONING_TYPES for name in kind):
        return "controls", beside.CONTROLS
    if any(name in VALIDATION_TYPES for name in kind):
        return "validation", VALIDATION
    return ("cache", beside.CACHE) if any(name in CACHE_TYPES for name in kind) else None


def _notes(part: Mapping[str, Any]) -> Iterator[str]:
    """What a table asks for of the person's pictures, and is not done here."""
    names = [path_parts(path)[-1] for key in PHOTOS for path in _paths(part, key) if path_parts(path)]
    if not names or _is_row(part) or _what_is_learned(part):
        return
    for key in REPEATS:
        value = part.get(key)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value != 1:
            yield f"{key} = {value:g} for {names[0]}: that trainer shows its pictures so many times a round; here all pictures are shown equally often"
    for key in FOR_BARE:
        if isinstance(part.get(key), str) and part[key].strip():
            yield f"{key}: that trainer captions photos that have no text with: {part[key]}"
    for key in AROUND:
        if isinstance(part.get(key), str) and part[key].strip():
            yield f"{key}: that trainer puts {part[key].strip()!r} {'before' if key == AROUND[0] else 'behind'} each caption; here captions stay as they are"
    if part.get("enabled") is False:
        yield f"{names[0]} is switched off there; its pictures come in here"
