"""What the READMEs of exports share: the words for each kind of base model, what is left out, and the last line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from studio.export.left_out import LeftOut
from studio.export.source import Source
from studio.export.target import Plain

FOOTER = """
What you make with these files is AI-generated: say so when you share it, and share it only with the person's permission.
"""
LEFT_OUT = """
Settings of the training run that these files do not hold:

{lines}
"""


@dataclass(frozen=True)
class KindWords:
    kind: str
    begin: str  # how the last step of ComfyUI's guide begins
    cache_option: str  # of musubi-tuner's first command


FROM_WORDS = KindWords("text-to-video", "Begin ", "")
FROM_PICTURE = KindWords("image-to-video", "Give it a picture of the person as the start image, and begin ", " --i2v")


def fill_in(template: str, source: Source, **more: str) -> str:
    """A README: facts of the pair and words for its base model in the places of a template, and the last line."""
    words = FROM_PICTURE if source.first_picture else FROM_WORDS
    return template.format(**source.facts, kind=words.kind, begin=words.begin, cache_option=words.cache_option, **more) + FOOTER


def trainer_readme(template: str, source: Source, left_out: Iterable[LeftOut]) -> str:
    return fill_in(template, source, notes=describe_left_out(left_out))


def describe_left_out(left_out: Iterable[LeftOut]) -> str:
    """A list of what an export does not hold; settings that have the same reason share a line."""
    by_reason: dict[str, list[str]] = {}
    for name, value, why in left_out:
        by_reason.setdefault(why, []).append(f"{name} = {_show(value)}")
    lines = [f"- {', '.join(names)}: {why}." for why, names in by_reason.items()]
    return LEFT_OUT.format(lines="\n".join(lines)) if lines else ""


def _show(value: Plain) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
