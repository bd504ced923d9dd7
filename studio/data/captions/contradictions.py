"""What can't both be true of one picture: words of a caption that rule each other out, or that the person's class noun rules out."""

import re
from collections.abc import Iterable

from studio.data.captions.forbidden import mentions

# Each axis: what is said, and the words that say it. Two of one axis in one caption contradict each other.
AXES: dict[str, dict[str, tuple[str, ...]]] = {
    "place": {"indoors": ("indoors", "indoor"), "outdoors": ("outdoors", "outdoor")},
    "time": {
        "night": ("at night", "nighttime", "midnight"),
        "day": ("midday", "at noon", "daytime", "in daylight", "bright daylight", "in sunlight"),
    },
    "framing": {
        "a close-up": ("close-up", "closeup", "close up"),
        "the full body": ("full body", "full-body", "full length", "full-length"),
    },
    "posture": {
        "standing": ("standing",),
        "sitting": ("sitting", "seated"),
        "lying": ("lying down", "lying on"),
        "kneeling": ("kneeling",),
    },
    "eyes": {"closed eyes": ("eyes closed", "closed eyes"), "a look at the camera": ("looking at the camera", "looking into the camera")},
    "side": {"facing left": ("facing left", "turned left"), "facing right": ("facing right", "turned right")},
}
FEMALE = ("woman", "girl", "lady", "she", "her", "female")
MALE = ("man", "boy", "gentleman", "guy", "he", "his", "him", "male")
_NOBODY = re.compile(r"\b(?:no (?:person|people|one|human|man|woman)|nobody|(?:person|subject) is (?:not|absent))\b", re.IGNORECASE)


def find_contradiction(text: str, class_noun: str = "") -> str:
    """What of a text can't be true, in words; "" where nothing is wrong."""
    for axis in AXES.values():
        said = [name for name, words in axis.items() if mentions(text, words)]
        if len(said) > 1:
            return f"speaks of {said[0]} and of {said[1]}"
    if _NOBODY.search(text):
        return "says that there is nobody"
    return _wrong_sex(text, class_noun)


def _wrong_sex(text: str, class_noun: str) -> str:
    """Where the person is called a woman and the answer speaks of a man alone, or the other way round."""
    for own, other in ((FEMALE, MALE), (MALE, FEMALE)):
        if mentions(class_noun, _nouns(own)) and mentions(text, other) and not mentions(text, own):
            return f"speaks of a {other[0]}, and the person is a {class_noun.strip()}"
    return ""


def _nouns(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in ("she", "her", "he", "his", "him"))
