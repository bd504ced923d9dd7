"""How exports write text: TOML and YAML that are read back to be sure, the same bytes on every system, and what all trainers' folders hold."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import tomli_w
import yaml

from studio.export.dataset_copy import copy_groups
from studio.export.left_out import account
from studio.export.readme import trainer_readme
from studio.export.scripts import Scripts, write_scripts
from studio.export.source import Source
from studio.export.target import Target


def to_toml(data: dict[str, Any]) -> str:
    text = tomli_w.dumps(data)
    assert tomllib.loads(text) == data
    return text


def to_yaml(data: dict[str, Any]) -> str:
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    assert yaml.safe_load(text) == data
    return text


def save_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def finish_folder(source: Source, folder: Path, target: Target, template: str, scripts: Scripts) -> None:
    """What every trainer's folder holds beside its configs: photos, clips, captions, start scripts, and a README that says what the trainer
    will make of it, and names what it does not hold."""
    copy_groups(source.groups, folder, source.tell)
    write_scripts(scripts, folder)
    promise = target.promise(folder) if target.promise else None
    save_text(folder / "README.txt", trainer_readme(template, source, account(source.train, target), promise, target.private))
