"""Edits of many captions at once: what each caption becomes, shown before it is done."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from studio.data import limits
from studio.data.captions.caption_files import clean_caption
from studio.data.captions.whole_words import is_joined, is_unspaced, whole_word
from studio.data.item_record import Item
from studio.facts import Facts

REPLACE, REMOVE, BEGIN, END = "replace", "remove", "begin", "end"
KINDS = (REPLACE, REMOVE, BEGIN, END)
NEEDS_FIND, NEEDS_TEXT = (REPLACE, REMOVE), (BEGIN, END)
_BETWEEN = ",;、，；"  # what stands between two phrases
_STOPS = ".!?。！？"  # what ends a sentence
_JOINS = _BETWEEN + ":：/-(（"  # a text that ends so is joined as it is


@dataclass(frozen=True, kw_only=True)
class CaptionEdit(Facts):
    """One change for many captions. find: what is replaced or removed; text: what takes its place, or is added."""

    kind: str
    find: str = ""
    text: str = ""
    whole_words: bool = True
    any_case: bool = False
    after_trigger: bool = True  # what is put at the beginning goes behind the trigger where a caption begins with it


@dataclass(frozen=True)
class Edited:
    """A caption that changes."""

    id: str
    before: str
    after: str


@dataclass(frozen=True)
class EditPlan:
    """What an edit does. empty: without a caption, left alone; too_long: would be longer than a caption may be, and stay as they are;
    without_trigger: of the changed, those that lose the trigger."""

    changes: tuple[Edited, ...]
    num_looked_at: int
    empty: tuple[str, ...]
    too_long: tuple[str, ...]
    without_trigger: tuple[str, ...]

    @property
    def key(self) -> str:
        """Short hash of what changes, in whatever order: another one means that captions were changed meanwhile."""
        text = "\0".join(sorted(f"{change.id}\0{change.before}\0{change.after}" for change in self.changes))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_edit(items: Iterable[Item], edit: CaptionEdit, trigger: str) -> EditPlan:
    """What the edit makes of these captions; nothing is written. ValueError if the edit says nothing."""
    change = _change_of(edit, trigger)
    changes, empty, too_long, without = [], [], [], []
    items = list(items)
    for item in items:
        before = unicodedata.normalize("NFC", item.caption)
        if not before:
            empty.append(item.id)
            continue
        after = change(before)
        if after == before:
            continue
        after = clean_caption(after, most=0)
        if len(after) > limits.MAX_CAPTION_CHARACTERS:
            too_long.append(item.id)
            continue
        changes.append(Edited(item.id, item.caption, after))
        if trigger and _has(before, trigger) and not _has(after, trigger):
            without.append(item.id)
    return EditPlan(tuple(changes), len(items), tuple(empty), tuple(too_long), tuple(without))


def _has(caption: str, trigger: str) -> bool:
    return whole_word(trigger, any_case=True).search(caption) is not None


def _change_of(edit: CaptionEdit, trigger: str) -> Callable[[str], str]:
    """What makes a caption another one. ValueError where something is missing."""
    find, text = (unicodedata.normalize("NFC", part) for part in (edit.find, edit.text))
    if edit.kind not in KINDS:
        raise ValueError(f"an edit of captions is {', '.join(KINDS)}, not {edit.kind!r}")
    if edit.kind in NEEDS_FIND and not find.strip():
        raise ValueError("the text to find is empty; type what should be changed")
    if edit.kind in NEEDS_TEXT and not text.strip():
        raise ValueError("the text to add is empty; type what should be added")
    if edit.kind == REPLACE:
        pattern = _pattern(find, edit)
        return lambda caption: pattern.sub(lambda _: text, caption)
    if edit.kind == REMOVE:
        pattern = _pattern(find.strip(), edit)
        return lambda caption: _without(caption, pattern)
    if edit.kind == BEGIN:
        return lambda caption: _begin(caption, text, trigger if edit.after_trigger else "")
    return lambda caption: _end(caption, text)


def _pattern(find: str, edit: CaptionEdit) -> re.Pattern[str]:
    if edit.whole_words:
        return whole_word(find, edit.any_case)
    return re.compile(re.escape(find), re.IGNORECASE if edit.any_case else 0)


def _without(caption: str, pattern: re.Pattern[str]) -> str:
    """The caption without what is found; the comma that only parted it from its neighbours goes too."""
    for found in reversed(list(pattern.finditer(caption))):
        caption = _close_gap(caption[: found.start()], caption[found.end() :])
    return caption


def _close_gap(left: str, right: str) -> str:
    """Both sides of what was taken out, joined as they would be written."""
    had_space = left[-1:].isspace() or right[:1].isspace()
    left, right = left.rstrip(), right.lstrip()
    if not left:
        return right.lstrip(_BETWEEN + _STOPS + " ")
    if not right:
        return left.rstrip(_BETWEEN + " ")
    if right[0] in _BETWEEN + _STOPS:  # theirs parts what is left
        return left.rstrip(_BETWEEN + " ") + right
    return left + (" " if had_space else "") + right


def _begin(caption: str, text: str, trigger: str) -> str:
    """The text before the caption, or behind the trigger that it begins with; a caption that has it there already stays."""
    head = whole_word(trigger, any_case=True).match(caption) if trigger and not _has(text, trigger) else None
    if not head:
        return caption if _starts_with(caption, text) else _join(text, caption)
    rest = caption[head.end() :].lstrip(_BETWEEN + " ")
    if _starts_with(rest, text):
        return caption
    first = f"{head.group()}, {text.strip(_BETWEEN + ' ')}"
    return f"{first}, {rest}" if rest and rest[0] not in _STOPS else first + rest


def _join(text: str, caption: str) -> str:
    is_joined_already = text[-1:].isspace() or text[-1:] in _JOINS
    return text.rstrip() + " " + caption if is_joined_already else f"{text}, {caption}"


def _starts_with(caption: str, text: str) -> bool:
    text = text.strip(_BETWEEN + " ").casefold()
    return caption.casefold().startswith(text) and not (is_joined(text[-1:]) and is_joined(caption[len(text) : len(text) + 1]))


def _end(caption: str, text: str) -> str:
    """The text behind the caption; a caption that ends with it already stays."""
    text = text.strip()
    bare, added = caption.rstrip(_BETWEEN + " "), text.lstrip(_BETWEEN + " ")
    if not added or _ends_with(bare.rstrip(_STOPS), added.rstrip(_STOPS)):
        return caption
    if bare[-1:] in _STOPS:
        return bare + ("" if is_unspaced(added[0]) else " ") + added
    return f"{bare}, {added}"


def _ends_with(caption: str, text: str) -> bool:
    before = caption[: -len(text)][-1:]
    return bool(text) and caption.casefold().endswith(text.casefold()) and not (is_joined(text[0]) and is_joined(before))
