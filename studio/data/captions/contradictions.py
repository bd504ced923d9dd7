"""What can't both be true of one picture: words of a caption that rule each other out, or that the person's class noun rules out."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from studio.data.captions.forbidden import mentions
from studio.data.captions.whole_words import plain, whole_word

CLOSE_WORDS = (
    "close-up", "closeup", "close up", "headshot", "head shot", "nahaufnahme", "gros plan", "primer plano", "特写", "特寫", "アップ",
)  # fmt: skip
FULL_WORDS = (
    "full body", "full-body", "full length", "full-length", "from head to toe", "ganzkörper", "cuerpo entero", "corps entier", "全身",
)  # fmt: skip
FRONTAL_WORDS = ("frontal view", "front view", "facing the camera", "facing camera", "facing viewer", "head-on")
BEHIND_WORDS = ("from behind", "back view", "seen from the back", "back to the camera")
GREY_WORDS = ("black and white photo", "black-and-white photo", "monochrome", "greyscale", "grayscale", "black and white photograph")
CAMERA_WORDS = ("looking at the camera", "looking into the camera", "looking at viewer", "looks at the camera", "eyes open")
LYING_WORDS = (
    "lying down",
    "lies down",
    "lying on her",
    "lying on his",
    "lying on their",
    "lying in bed",
    "lying on a bed",
    "lying on the bed",
)
# Each axis: what is said, and the words that say it. Two of one axis in one caption contradict each other.
AXES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "place": {
        "indoors": ("indoors", "indoor", "inside a room", "室内", "室內", "屋内"),
        "outdoors": ("outdoors", "outdoor", "户外", "戶外", "室外", "屋外"),
    },
    "time": {
        "night": ("at night", "nighttime", "night sky", "midnight"),
        "day": ("daylight", "daytime", "midday", "at noon", "sunny", "in sunlight"),
    },
    "framing": {"a close-up": CLOSE_WORDS, "the full body": FULL_WORDS},
    "posture": {
        "standing": ("standing", "stands"),
        "sitting": ("sitting", "sits", "seated"),
        "lying": LYING_WORDS,
        "kneeling": ("kneeling", "kneels"),
    },
    "mood": {
        "a smile": ("smiling", "smiles", "grinning", "laughing"),
        "no smile": ("not smiling", "unsmiling", "frowning", "without a smile"),
    },
    "eyes": {"closed eyes": ("eyes closed", "closed eyes"), "a look at the camera": CAMERA_WORDS},
    "glasses": {"no glasses": ("without glasses", "no glasses"), "glasses": ("wearing glasses", "with glasses", "eyeglasses")},
    "side": {"facing left": ("facing left", "turned left"), "facing right": ("facing right", "turned right")},
    "view": {"the back": BEHIND_WORDS, "the front": FRONTAL_WORDS},
    "colour": {"black and white": GREY_WORDS, "colours": ("in colour", "in color", "colourful", "colorful")},
}
FEMALE = ("woman", "girl", "lady", "she", "her", "female")
MALE = ("man", "boy", "gentleman", "guy", "he", "his", "him", "male")
_NOBODY = re.compile(r"\b(?:no (?:person|people|one|human|man|woman)|nobody|(?:person|subject) is (?:not|absent))\b", re.IGNORECASE)


@dataclass(frozen=True)
class Claim:
    """One side of an axis, and the words of a text that say it."""

    name: str
    words: str


def opposites_in(text: str, is_clip: bool) -> list[tuple[Claim, Claim]]:
    """Pairs of a caption's claims that rule each other out, one of each axis. Of a clip none: somebody may stand first and sit then."""
    text = plain(text)
    found = [] if is_clip else [_claims(text, axis) for axis in AXES.values()]
    return [(claims[0], claims[1]) for claims in found if len(claims) > 1]


def _claims(text: str, axis: Mapping[str, tuple[str, ...]]) -> list[Claim]:
    """What a text says of one axis; words within those of another side ("not smiling") are not said."""
    found = []
    for name, words in axis.items():
        others = [longer for other, said in axis.items() if other != name for longer in said if any(word in longer for word in words)]
        if said := first_of(text, words, others):
            found.append(Claim(name, said))
    return found


def first_of(text: str, words: Collection[str], but_not: Collection[str] = ()) -> str:
    """The first of these phrases that stands in a plain text; where one of the others holds it ("not smiling"), that is not it."""
    for word in but_not:
        text = whole_word(word).sub(" ", text)
    return next((word for word in words if whole_word(word).search(text)), "")


def find_contradiction(text: str, class_noun: str = "", is_clip: bool = False) -> str:
    """What of an answer can't be true, in words; "" where nothing is wrong."""
    for one, other in opposites_in(text, is_clip):
        return f"speaks of {one.name} and of {other.name}"
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
