"""Config files of other programs as plain data: TOML, YAML, JSON or the script that starts a training. Bounded, nothing in it is run. Torch-free."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from studio.errors import Problem
from studio.export.reading.advice import advise
from studio.export.reading.command_lines import NAMES as SCRIPT_NAMES
from studio.export.reading.command_lines import read_commands

MAX_BYTES, MAX_NODES = 256_000, 20_000
SUFFIXES = (".yaml", ".yml", ".json", ".jsonc", ".toml", *SCRIPT_NAMES)
OTHER_ENCODINGS = ("gb18030", "cp1252")  # where a file is none of the Unicode kinds


@dataclass(frozen=True)
class ConfigFile:
    """What one file holds. read_as: the encoding, where it is none of the usual ones."""

    name: str
    data: dict[str, Any]
    read_as: str = ""


def load_file(path: Path) -> list[ConfigFile]:
    """What is in a file: one config, or each training that a script starts. Problem in words."""
    text, read_as = _read_text(path)
    suffix = path.suffix.lower()
    if suffix in SCRIPT_NAMES:
        return [
            ConfigFile(path.name if number == 0 else f"{path.name} ({number + 1})", data, read_as)
            for number, data in enumerate(read_commands(text, path.name))
        ]
    try:
        found = _parse(text, suffix)
    except RecursionError:
        raise Problem(f"{path.name} is nested too deeply to be a config.") from None
    except Problem as e:
        raise Problem(f"{path.name} {e.message}", fix=e.fix) from None
    except (ValueError, yaml.YAMLError) as error:
        raise advise(path.name, text, error) from None
    if not isinstance(found, dict):
        raise Problem(f"{path.name} holds no settings.")
    return [ConfigFile(path.name, found, read_as)]


def _read_text(path: Path) -> tuple[str, str]:
    """(text, encoding where it is not Unicode)."""
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise Problem(f"There is no file {path}.", fix="Check the spelling.") from None
    except IsADirectoryError:
        raise Problem(f"{path.name} is a folder.", fix="Choose the config in it.") from None
    if len(data) > MAX_BYTES:
        raise Problem(f"{path.name} is too large for a config ({MAX_BYTES // 1000} kB at most).")
    text, read_as = decode(data)
    if "\0" in text:
        raise Problem(f"{path.name} is no text.", fix="Open it in an editor and save it as UTF-8.")
    return text.replace("\r\n", "\n"), read_as


def decode(data: bytes) -> tuple[str, str]:
    """(text, the encoding that it was read as where it is not Unicode)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), ""
    if len(data) >= 4 and (not data[1] or not data[0]) and data.count(b"\0") > len(data) // 4:
        return data.decode("utf-16-le" if not data[1] else "utf-16-be", errors="replace"), ""
    for encoding in ("utf-8-sig", *OTHER_ENCODINGS):
        try:
            return data.decode(encoding), "" if encoding == "utf-8-sig" else encoding
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1"), "latin-1"


def _parse(text: str, suffix: str) -> Any:
    if suffix == ".toml":
        return tomllib.loads(text)
    if suffix in (".json", ".jsonc"):
        return json.loads(text, parse_constant=float)
    return _load_yaml(text)


# -- YAML


def _load_yaml(text: str) -> Any:
    """Plain data. What refers to another place is bounded: a few lines of references can stand for more values than fit in memory."""
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_node() if loader.check_node() else None
        if loader.check_node():
            raise Problem("holds more than one config: a line --- divides them.", fix="Save the one that you mean as a file of its own.")
        if node is None:
            return None
        _check_size(node)
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _check_size(node: yaml.Node) -> None:
    """Problem if the values that a document stands for, each reference followed, are too many."""
    for number, _ in enumerate(_follow(node)):
        if number > MAX_NODES:
            raise Problem(
                "refers to another place in itself too often to be a config.", fix="Write the values themselves in place of the references."
            )


def _follow(node: yaml.Node) -> Iterator[yaml.Node]:
    """Every node, those that are referred to as often as they are."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        yield one
        if isinstance(one, yaml.SequenceNode):
            waiting += one.value
        elif isinstance(one, yaml.MappingNode):
            waiting += [part for pair in one.value for part in pair]
