"""What the audit of captions says: a finding with its code, its cause, the items it is about, and the edit that would mend it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from studio.data.captions.edits import CaptionEdit
from studio.data.item_record import Item
from studio.data.looking.look import Look
from studio.data.people.who import Seen
from studio.data.remarks import Remark
from studio.facts import Facts
from studio.models.files.prompt_length import PromptReader

ERROR, WARNING = "error", "warning"
# codes of findings, beside those of one caption (studio.data.captions.rules)
TRIGGER, TYPO, GLUED, NAME, SAME, FUSED = "trigger", "typo", "glued", "name", "same-caption", "fused"
CONTRADICTION, SEEN_OTHERWISE = "contradiction", "seen-otherwise"
# causes of a word that stands in nearly every caption: what has to change
PHOTOS, CAPTIONS, TRAIT, UNKNOWN = "photos", "captions", "trait", "unknown"


@dataclass(frozen=True, kw_only=True)
class Finding(Facts):
    """What is wrong with captions; as text it reads as its sentence.

    items: their ids; phrase: the words that it is about; cause: of PHOTOS, CAPTIONS, TRAIT, UNKNOWN, where the code is FUSED; edit: what would
    mend it in all captions at once; details: a sentence for each item, where they differ.
    """

    ALWAYS_WRITTEN = ("code", "severity", "message", "items", "fix")
    code: str
    severity: str  # ERROR or WARNING
    message: str
    items: tuple[str, ...]
    fix: str
    phrase: str = ""
    cause: str = ""
    edit: CaptionEdit | None = None
    details: tuple[Remark, ...] = ()

    def __str__(self) -> str:
        return self.message

    @property
    def key(self) -> str:
        """Names this finding among those of one audit, and the same one in the next."""
        return f"{self.code}/{self.phrase or ','.join(self.items[:3])}"


@dataclass(frozen=True, kw_only=True)
class About:
    """What captions are held against: the project's words, what was seen in the pictures, what counts tokens (None: nothing does).

    looks, seen, places, outfits: by the ids of items; those that nobody looked at are in none. The last two give the number of a group of photos that
    look as if taken in about one place, or in about one outfit.
    """

    trigger: str
    class_noun: str
    name: str = ""  # of the person
    looks: Mapping[str, Look] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)  # who is in the pictures
    places: Mapping[str, int] = field(default_factory=dict)
    outfits: Mapping[str, int] = field(default_factory=dict)
    reader: PromptReader | None = None


def count_items(items: Sequence[Item]) -> str:
    """ "1 photo", "3 clips", "2 items"."""
    kinds = {item.kind for item in items}
    noun = kinds.pop() if len(kinds) == 1 else "item"
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


def ids_of(items: Sequence[Item]) -> tuple[str, ...]:
    return tuple(item.id for item in items)
