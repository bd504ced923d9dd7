"""What the READMEs of exports share: the words for each kind of base model, what the trainer will do, what is left out, and the last line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from studio.export.left_out import Account, Fate
from studio.export.promises.promise import Promise
from studio.export.source import Source
from studio.export.target import Plain

FOOTER = """
What you make with these files is AI-generated: say so when you share it, and share it only with the person's permission.
"""
LEFT_OUT = """
Settings of the training run that these files do not hold:

{lines}
"""
NOT_NEEDED = """
Settings that need not be written:

{lines}
"""
PROMISE = """
What will come of it, reckoned by its own rules from the files in this folder:

{lines}
"""
PRIVATE = """
Private in this folder: {what}
"""


@dataclass(frozen=True)
class KindWords:
    kind: str
    begin: str  # how the last step of ComfyUI's guide begins
    cache_option: str  # of musubi-tuner's first command


FROM_WORDS = KindWords("text-to-video", "Begin ", "")
FROM_PICTURE = KindWords("image-to-video", "Give it a picture of the person as the start image, and begin ", " --i2v")


def kind_words(source: Source) -> KindWords:
    return FROM_PICTURE if source.first_picture else FROM_WORDS


def fill_in(template: str, source: Source, **more: str) -> str:
    """A README: facts of the pair and words for its base model in the places of a template, and the last line."""
    words = kind_words(source)
    return template.format(**source.facts, kind=words.kind, begin=words.begin, **more) + FOOTER


def trainer_readme(template: str, source: Source, accounts: Iterable[Account], promise: Promise | None, private: str) -> str:
    said = _in_lines(promise.in_words()) if promise else ""
    notes = PROMISE.format(lines=said) if said else ""
    return fill_in(template, source, notes=notes + describe_accounts(accounts) + (PRIVATE.format(what=private) if private else ""))


def describe_accounts(accounts: Iterable[Account]) -> str:
    """Lists of what an export does not hold, and of what need not be written; settings with the same reason share a line."""
    missing: dict[str, list[str]] = {}
    idle: dict[str, list[str]] = {}
    for entry in accounts:
        if entry.fate == Fate.LEFT_OUT:
            missing.setdefault(entry.why, []).append(f"{entry.name} = {show_value(entry.value)}")
        elif entry.fate != Fate.WRITTEN:
            idle.setdefault(entry.why or entry.fate.value, []).append(f"{entry.name} = {show_value(entry.value)}")
    return _list_by_reason(LEFT_OUT, missing) + _list_by_reason(NOT_NEEDED, idle)


def _list_by_reason(template: str, by_reason: dict[str, list[str]]) -> str:
    lines = [f"{', '.join(names)}: {why}" for why, names in by_reason.items()]
    return template.format(lines=_in_lines(lines)) if lines else ""


def _in_lines(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line if line.endswith('.') else f'{line}.'}" for line in lines)


def show_value(value: Plain) -> str:
    """A setting's value as a person reads it."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
