"""Takes words out of a caption that it may not hold: as little around them as leaves a phrase that can stand alone."""

import re
from collections.abc import Collection

_JOINTS = re.compile(r"\s+(?=(?:and|with|plus|while|but)\b)", re.IGNORECASE)  # where something can be cut off a phrase
_JOINT = re.compile(r"^(?:and|with|plus|while|but)\s+", re.IGNORECASE)
# What is left of a phrase can stand alone if it begins so; "short" of "short and curly hair" can't.
_STANDS_ALONE = re.compile(
    r"^(?:\w+ing|a|an|the|his|her|their|one|two|in|on|at|holding|dressed|seated|close-up|upper body|full body)\b", re.IGNORECASE
)
# Nor can it if it ends with a word that describes what was cut off: "wearing black" of "wearing black and white glasses".
_DESCRIBES = re.compile(
    r"\b(?:a|an|the|his|her|their|with|in|of|long|short|medium|dark|light|black|white|grey|gray|red|blue|green|brown|golden|silver|round|square|thick|thin"
    r"|large|small|big|curly|straight|wavy|neat|trimmed|full)$",
    re.IGNORECASE,
)


def key_of(text: str) -> str:
    """Words in lower case with one space between them."""
    return " ".join(re.findall(r"[\w'-]+", text.casefold()))


def mentions(text: str, words: Collection[str]) -> bool:
    """Whether a text holds one of the words as a whole."""
    key = f" {key_of(text)} "
    return any(f" {word} " in key for word in words)


def without(phrase: str, words: Collection[str]) -> str:
    """The phrase without the part that mentions one of the words; "" where nothing is left that can stand alone."""
    if not mentions(phrase, words):
        return phrase
    parts = _JOINTS.split(phrase)
    kept = [part for part in parts if not mentions(part, words)]
    rest = _JOINT.sub("", " ".join(kept)).strip()
    is_whole = bool(_STANDS_ALONE.match(rest)) and not _DESCRIBES.search(rest) and (len(rest.split()) > 1 or rest.endswith("ing"))
    return rest if is_whole else ""


def take_out(caption: str, words: Collection[str]) -> str:
    """A caption without what mentions one of the words, phrase by phrase; it keeps its first phrase, the trigger."""
    first, *others = [part.strip() for part in caption.split(",")]
    return ", ".join([first, *(rest for part in others if part and (rest := without(part, words)))])
