"""What is said of a photo or clip: a sentence, with the code that the program knows it by. A better wording breaks nothing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from studio.facts import Facts

SIZE, BLUR, BLOWN, BLOCKS, DARK, BRIGHT = "size", "blur", "blown", "blocks", "dark", "bright"  # too much of it, or nearly
STRANGER, SEVERAL_PEOPLE = "stranger", "several-people"
PLEASE_LOOK, CANT_TELL, SAID_OTHER = "please-look", "cant-tell", "said-other"  # who it is: unsure, not to be judged, said by a human
OTHER_PEOPLE, TWO_ALIKE, NO_FACE = "other-people", "two-alike", "no-face"  # faces in the picture
NO_FACES, TOO_FEW_FACES, WHICH_PERSON = "no-faces", "too-few-faces", "which-person"
OF_ALL_TOGETHER = frozenset({SEVERAL_PEOPLE, NO_FACES, TOO_FEW_FACES, WHICH_PERSON})  # and of no single photo
FACE_SIZE, UPSCALED = "face-size", "upscaled"
COLLAGE, DRAWING, MONOCHROME = "collage", "drawing", "monochrome"
TWIN, ALIKE, ENOUGH = "twin", "alike", "enough"  # of others that were chosen
HELD_OUT, SWAPPED = "held-out", "swapped"  # kept for comparing only; another one stands in its place
CUT_UP = "cut-up"  # a clip, into pieces that are items of their own
CUT = "cut"  # a caption, by what the base model reads of it
UNREADABLE, BY_HAND = "unreadable", "by-hand"
HAND, CURATE = "hand", "curate"  # who decided: a human, or the check of the pictures
SAID = "said"  # words that this studio has no code for


@dataclass(frozen=True, kw_only=True)
class Remark(Facts):
    """One thing that is said. As text it reads as its sentence."""

    ALWAYS_WRITTEN = ("code", "words")
    code: str
    words: str
    about: str = ""  # the id of the other item that it names

    def __str__(self) -> str:
        return self.words


def join(remarks: Iterable[Remark]) -> str:
    return "; ".join(remark.words for remark in remarks)


@dataclass(frozen=True, kw_only=True)
class Decision(Facts):
    """Whether an item is used for training, why not, and who said so."""

    ALWAYS_WRITTEN = ("keep", "decided_by")
    keep: bool = True
    reasons: tuple[Remark, ...] = ()  # why it is left out
    decided_by: str = ""  # HAND, CURATE or ""
    held_out: bool = False  # not learned from, but kept: what is drawn is compared with it

    @property
    def is_by_hand(self) -> bool:
        return self.decided_by == HAND

    @property
    def reason(self) -> str:
        return join(self.reasons)

    def decision(self) -> "Decision":
        """The decision alone, of whatever carries it."""
        return Decision(keep=self.keep, reasons=self.reasons, decided_by=self.decided_by, held_out=self.held_out)

    def same_as(self, other: "Decision") -> bool:
        """Whether both say the same, however it is worded and whoever decided it."""
        mine, theirs = ([(remark.code, remark.about) for remark in decision.reasons] for decision in (self, other))
        return (self.keep, self.held_out) == (other.keep, other.held_out) and mine == theirs

    @classmethod
    def from_json(cls, data: Any, where: str) -> Self:
        return super().from_json(code_the_reason(data), where)

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"reason": self.reason}


@dataclass(frozen=True, kw_only=True)
class Warned(Facts):
    """What carries warnings: what to know of an item, whether it is kept or not."""

    warnings: tuple[Remark, ...] = ()

    @classmethod
    def from_json(cls, data: Any, where: str) -> Self:
        return super().from_json(code_the_warnings(data), where)

    def to_json(self) -> dict[str, Any]:
        """With the warnings as sentences too, where versions without codes look for them."""
        written = super().to_json()
        remarks = written.pop("warnings", [])
        return written | ({"warnings": [str(warning) for warning in self.warnings], "remarks": remarks} if remarks else {})


# -- files of versions without codes


def code_the_reason(data: Any) -> Any:
    """Upgrade: a decision of a file that held its reasons as one sentence, or whose sentence such a version changed, gets their codes."""
    if not isinstance(data, Mapping) or "reason" not in data:
        return data
    rest = {name: value for name, value in data.items() if name != "reason"}
    reason = str(data["reason"])
    if reason == "; ".join(_words_of(rest.get("reasons"))):
        return rest
    if data.get("problem") == reason:
        return rest | {"reasons": [{"code": UNREADABLE, "words": reason}]}
    if data.get("decided_by") == HAND:
        return rest | {"reasons": [{"code": BY_HAND, "words": reason}]}
    return rest | {"reasons": [code_sentence(words) for words in _split(reason)]}


def code_the_warnings(data: Any) -> Any:
    """Upgrade: measurements of a file that held warnings as sentences alone get their codes."""
    if not isinstance(data, Mapping) or "warnings" not in data:
        return data
    sentences, rest = data["warnings"], {name: value for name, value in data.items() if name != "remarks"}
    if not isinstance(sentences, list):
        return rest  # damaged, as the reader will say
    coded = data.get("remarks", [])
    fits = sentences == _words_of(coded)
    return rest | {"warnings": coded if fits else [code_sentence(str(words)) for words in sentences]}


_ITEM = r"(?P<about>[^\s,;]+)"
_WORDED = {  # code -> how the versions without codes said it
    SIZE: r"(?:too )?small: \d+ px",
    BLUR: r"a little soft|blurred",
    BLOWN: r"some parts are blown out|the middle is blown out",
    BLOCKS: r"JPEG blocks|damaged by strong JPEG",
    DARK: r"(?:rather|too) dark",
    BRIGHT: r"(?:rather|too) bright",
    STRANGER: r"shows a different person",
    SEVERAL_PEOPLE: r"the pictures seem to show several people",
    TWIN: rf"nearly the same picture as {_ITEM}",
    ALIKE: rf"much like {_ITEM}",
    ENOUGH: rf"\d+ better or more different ones are kept(?:; of those it is most like {_ITEM})?",
}


def code_sentence(words: str) -> dict[str, str]:
    """A remark, as it lies in a file, for a sentence of those versions."""
    for code, pattern in _WORDED.items():
        if found := re.match(pattern, words):
            return {"code": code, "words": words, "about": found.groupdict().get("about") or ""}
    return {"code": SAID, "words": words}


def _split(reason: str) -> list[str]:
    """The sentences in a reason; what follows a semicolon and is none of those versions' own belongs to the one before."""
    found: list[str] = []
    for part in reason.split("; ") if reason else []:
        if found and not any(re.match(pattern, part) for pattern in _WORDED.values()):
            found[-1] += f"; {part}"
        else:
            found.append(part)
    return found


def _words_of(remarks: Any) -> list[Any]:
    is_list = isinstance(remarks, list) and all(isinstance(remark, Mapping) for remark in remarks)
    return [remark.get("words") for remark in remarks] if is_list else []
