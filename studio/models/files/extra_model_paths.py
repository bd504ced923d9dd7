"""The further folders that ComfyUI is told of in extra_model_paths.yaml and files of that form, read as ComfyUI reads them. Torch-free."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from studio.errors import Problem

FILE = "extra_model_paths.yaml"  # beside ComfyUI's main.py
_SETTINGS = ("base_path", "is_default")  # what a section holds beside folders


@dataclass(frozen=True)
class ExtraFolder:
    """A folder of one kind of models. base: what the section's folders are seen from; is_default: it goes before ComfyUI's own."""

    kind: str  # as ComfyUI calls it: loras, vae, diffusion_models, ...
    path: Path
    base: Path
    is_default: bool


def read_extra_folders(file: Path) -> tuple[ExtraFolder, ...]:
    """All folders that such a file names, whether they are there or not; none where there is no such file. Problem for a damaged one."""
    if not file.is_file():
        return ()
    try:
        sections = yaml.safe_load(file.read_text(encoding="utf-8-sig")) or {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as e:
        raise _damaged(file, _where(e)) from None
    if not isinstance(sections, dict):
        raise _damaged(file, "it holds no sections")
    for name, section in sections.items():
        if section is not None and not (isinstance(section, dict) and isinstance(section.get("base_path") or "", str)):
            raise _damaged(file, f"the section {str(name)[:40]!r} holds no folders, or its base_path is none")
    return tuple(folder for section in sections.values() for folder in _read_section(section or {}, file.parent))


def _damaged(file: Path, words: str) -> Problem:
    return Problem(f"{file} can't be read: {words}.", fix="Mend that file, or name the folders of the models themselves.")


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if isinstance(error, UnicodeDecodeError):
        return "it is no text in UTF-8"
    return f"line {mark.line + 1} is not written as YAML is" if mark else "it is not written as YAML is"


def _read_section(section: dict[str, Any], beside: Path) -> Iterator[ExtraFolder]:
    """A value may name several folders, one a line; each is seen from base_path, and that from the file's own folder."""
    stated = Path(os.path.expandvars(section.get("base_path") or "")).expanduser()
    base = Path(os.path.normpath(beside / stated))
    for kind, value in section.items():
        if kind in _SETTINGS or not isinstance(value, str):
            continue
        for line in filter(None, map(str.strip, value.splitlines())):
            yield ExtraFolder(str(kind), Path(os.path.normpath(base / line)), base, bool(section.get("is_default")))
