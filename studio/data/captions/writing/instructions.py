"""What a captioner is asked: a style of presets/captions with the person's traits put in, and what is added when it is asked again."""

from collections.abc import Mapping, Sequence
from typing import Any

from studio.data.captions.traits import ChosenTraits, choose_traits

LEARNED = "{learned}"  # in a style's text: the traits that no caption names
REMINDER = "Your last answer could not be used. Answer with the two lines that begin with PERSON: and SCENE:, and with nothing before, between or after them."


def instruction(style: Mapping[str, Any], kind: str, traits: ChosenTraits | None = None, is_reminded: bool = False) -> str:
    """The question about a "photo" or a "clip". traits: None for the usual ones; is_reminded: the first answer was no use."""
    chosen = choose_traits({}) if traits is None else traits
    text = str(style[kind]).strip()
    nouns = [trait.noun for trait in chosen.learned]
    if LEARNED in text:
        text = text.replace(LEARNED, "".join(f"{noun}, " for noun in nouns))
    elif nouns:
        text += f"\nDo not mention {_listed(nouns)}."
    if chosen.named:
        text += "\nThese belong to the first line, whatever is said above: " + " ".join(trait.ask for trait in chosen.named)
    return f"{text}\n{REMINDER}" if is_reminded else text


def bounds(style: Mapping[str, Any], traits: ChosenTraits | None = None) -> dict[str, Any]:
    """What an answer is trimmed by: words that a caption may not hold, and how many each part may have."""
    chosen = choose_traits({}) if traits is None else traits
    return {"leave_out": (*style["leave_out"], *chosen.forbidden_words), "max_words": style["max_words"]}


def _listed(nouns: Sequence[str]) -> str:
    return " or ".join(part for part in (", ".join(nouns[:-1]), nouns[-1]) if part)
