"""What trainers' dataset TOMLs say of the folders beside them: which hold class pictures, masks, controls or a cache, and no photos of the person."""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.data.incoming import beside
from studio.data.incoming.beside import Rule
from studio.data.incoming.found import fold
from studio.data.incoming.listing import path_parts

PHOTOS = ("image_dir", "image_directory", "video_directory", "path")  # keys that name a folder of what is learned
OTHERS = {  # key -> what the folder that it names holds
    "conditioning_data_dir": ("controls", beside.CONTROLS),
    "control_directory": ("controls", beside.CONTROLS),
    "control_path": ("controls", beside.CONTROLS),
    "mask_path": ("masks", beside.MASKS),
    "mask_directory": ("masks", beside.MASKS),
    "cache_directory": ("cache", beside.CACHE),
}
READ = "it lists folders for a trainer, and was read: what it says of them was followed"


@dataclass(frozen=True)
class DatasetToml:
    """One that says something of folders. named: {name of a folder: what it holds}; class_tokens: kohya's captions for photos without any."""

    named: Mapping[str, Rule]
    class_tokens: tuple[str, ...]


def read_toml(shown: str, raw: bytes) -> DatasetToml | None:
    """None where it is no list of folders (or can't be read): then it is some program's settings."""
    try:
        data = tomllib.loads(raw.decode("utf-8-sig"))
    except ValueError:
        return None
    sets = list(_sets(data))
    if not sets:
        return None
    learned = {name for part in sets if not part.get("is_reg") for name in _names(part, PHOTOS)}
    named = {name: Rule(code, f"so says {shown}", what) for name, code, what in _others(sets) if name not in learned}
    return DatasetToml(named, tuple(dict.fromkeys(str(part["class_tokens"]) for part in sets if part.get("class_tokens"))))


def _sets(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The tables that name folders: musubi's and kohya's datasets with their subsets, diffusion-pipe's directories."""
    for table in (*_tables(data, "datasets"), *_tables(data, "directory")):
        for part in (table, *_tables(table, "subsets")):
            if _names(part, (*PHOTOS, *OTHERS)):
                yield part


def _tables(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    found = data.get(key)
    return [part for part in found if isinstance(part, Mapping)] if isinstance(found, list) else []


def _names(part: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """The last parts of the paths that a table has under those keys: on another computer they lay elsewhere."""
    paths = [path_parts(part[key]) for key in keys if isinstance(part.get(key), str)]
    return [fold(parts[-1]) for parts in paths if parts]


def _others(sets: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str, str]]:
    """(name of a folder, code, what it holds) of what is no photo of the person."""
    for part in sets:
        if part.get("is_reg") is True:
            yield from ((name, "class", beside.REGULAR) for name in _names(part, PHOTOS))
        for key, (code, what) in OTHERS.items():
            yield from ((name, code, what) for name in _names(part, (key,)))
