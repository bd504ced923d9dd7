"""Why a word stands with the trigger nearly always, and what would change that: other photos, or other captions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.data.auditing import lexicon
from studio.data.auditing.finding import CAPTIONS, FUSED, PHOTOS, TRAIT, UNKNOWN, WARNING, About, Finding, ids_of
from studio.data.auditing.phrases import Phrase, find_phrases, stem
from studio.data.auditing.spelling import names_of
from studio.data.captions.edits import REMOVE, CaptionEdit
from studio.data.captions.whole_words import words_in
from studio.data.item_record import Item

FUSED_SHARE = 0.85  # of the captions: what stands in so many is learned as part of the person (caption-audit's limit, FACTS.md)
MIN_CAPTIONS = 5
MEASURED_LEAST = 0.6  # of the photos with the phrase, to say anything of what they show
# Of the photos, in the largest group that look alike: varied web photos have up to .45 in it, ten pictures of one photo mostly all
# (studio.data.looking.look_alikes). Between these shares it can't be told.
SAME_LEAST, DIFFERENT_MOST = 0.7, 0.5
GARMENT, PLACE, LOOKS, OTHER = "garment", "place", "looks", "other"  # what a phrase is about
_STEMS = {
    kind: frozenset(stem(word) for word in words)
    for kind, words in ((GARMENT, lexicon.GARMENTS), (LOOKS, lexicon.TRAITS), (PLACE, lexicon.PLACES))
}
_UNSPACED = {GARMENT: lexicon.UNSPACED_GARMENTS, LOOKS: lexicon.UNSPACED_TRAITS, PLACE: lexicon.UNSPACED_PLACES}


@dataclass(frozen=True)
class Alike:
    """The largest group of photos that look about the same: its items, and how many were measured."""

    ids: tuple[str, ...]
    num_measured: int

    @property
    def share(self) -> float:
        return len(self.ids) / self.num_measured


def find_fused(items: Sequence[Item], about: About) -> list[Finding]:
    """Phrases in nearly every caption: they are learned as one with the trigger."""
    if len(items) < MIN_CAPTIONS:
        return []
    breaks = {about.trigger, "trigger", *words_in(about.class_noun), *names_of(about)} - {""}
    phrases = find_phrases([item.caption for item in items], FUSED_SHARE, breaks)
    return [describe(phrase, items, about) for phrase in phrases]


def describe(phrase: Phrase, items: Sequence[Item], about: About) -> Finding:
    having = [item for number, item in enumerate(items) if number in phrase.members]
    kind = kind_of(phrase)
    groups = {GARMENT: about.outfits, PLACE: about.places}.get(kind, {})
    alike = largest_group(having, groups)
    cause = cause_of(kind, alike)
    stands = f'"{phrase.text}" stands in {len(having)} of {len(items)} captions and will become part of the person.'
    edit = CaptionEdit(kind=REMOVE, find=phrase.text, whole_words=not phrase.is_run, any_case=True)
    shown = alike.ids if alike and cause == PHOTOS else ids_of(having)
    message = f"{stands} {_what_is_seen(kind, cause, alike)}".strip()
    return Finding(
        code=FUSED, severity=WARNING, message=message, items=shown, fix=_FIXES[cause], phrase=phrase.text, cause=cause, edit=edit
    )


def kind_of(phrase: Phrase) -> str:
    """What a phrase is about, by the words in it: clothes before looks before places, as in "hat with a hair band"."""
    if phrase.is_run:
        return next((kind for kind, words in _UNSPACED.items() if any(word in phrase.text for word in words)), OTHER)
    stems = {stem(part) for word in phrase.text.split() for part in (word, *word.split("-"))}
    return next((kind for kind, known in _STEMS.items() if stems & known), OTHER)


def largest_group(items: Sequence[Item], groups: Mapping[str, int]) -> Alike | None:
    """None where too few of them were measured."""
    measured = [item.id for item in items if item.id in groups]
    if len(measured) < max(MIN_CAPTIONS, MEASURED_LEAST * len(items)):
        return None
    [(largest, _)] = Counter(groups[item_id] for item_id in measured).most_common(1)
    return Alike(tuple(item_id for item_id in measured if groups[item_id] == largest), len(measured))


def cause_of(kind: str, alike: Alike | None) -> str:
    if kind == LOOKS:
        return TRAIT
    if alike is None:
        return UNKNOWN
    if alike.share >= SAME_LEAST:
        return PHOTOS
    return CAPTIONS if alike.share <= DIFFERENT_MOST else UNKNOWN


def _what_is_seen(kind: str, cause: str, alike: Alike | None) -> str:
    if alike is None:
        return ""
    what = "outfit" if kind == GARMENT else "place"
    if cause == PHOTOS:
        return f"{len(alike.ids)} of {alike.num_measured} photos show about the same {what}."
    if cause == CAPTIONS:
        return f"The photos differ: no {what} is in more than about {len(alike.ids)} of {alike.num_measured}."
    return f"About {len(alike.ids)} of {alike.num_measured} photos show one {what}."


_FIXES = {
    PHOTOS: "Change the photos: add some without it, or leave some of these out. Other captions would not help.",
    CAPTIONS: "Change the captions: leave it out, or say what each photo really shows.",
    TRAIT: "Leave it out where it should belong to the person. Where it should stay changeable, add photos without it.",
    UNKNOWN: "Leave it out where it should belong to the person; otherwise add pictures without it, and caption those so.",
}
