"""Captions that contradict themselves, or what was measured of their pictures."""

import functools
import re
from collections.abc import Callable, Mapping, Sequence

from studio.data.auditing import lexicon
from studio.data.auditing.finding import CONTRADICTION, SEEN_OTHERWISE, WARNING, About, Finding, count_items, ids_of
from studio.data.auditing.phrases import stem
from studio.data.captions.contradictions import BEHIND_WORDS, CLOSE_WORDS, FRONTAL_WORDS, FULL_WORDS, GREY_WORDS, first_of, opposites_in
from studio.data.captions.whole_words import plain
from studio.data.item_record import Item
from studio.data.judging.judge import sight_of
from studio.data.judging.thresholds import GREY_MOST, Sight
from studio.data.looking.look import CLOSE, FRONT, FULL, OTHER_LEAST, PROFILE_LEFT, PROFILE_RIGHT, UPPER, WAIST, Look
from studio.data.people.who import Seen
from studio.data.remarks import Remark

COLOURED_LEAST = 5.0  # spread of colours, twice what black and white has at most: between the two it can't be told
_LETTERS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_AGAIN = frozenset({"another", "other", "second", "her", "his", "their", "or", "under", "over"})  # a second garment of that kind
_BOTH = frozenset({"and", "with", "on", "over", "under", "und", "et", "y", "e"})
_FRAMINGS = {CLOSE: "a close-up", UPPER: "the upper body", WAIST: "down to the waist", FULL: "the full body"}
_GARMENT_STEMS = frozenset(stem(word) for word in lexicon.GARMENTS)


def find_contradictions(items: Sequence[Item], about: About) -> list[Finding]:
    """Captions that say two things of which one is wrong, and those that say something else than was seen."""
    told = {item.id: contradictions_in(item.caption, item.kind == "clip") for item in items}
    seen = {
        item.id: what_was_seen(item.caption, about.looks.get(item.id), about.seen.get(item.id)) for item in items if item.kind == "photo"
    }
    fix = "Look at the picture, and keep what is right."
    other = "that may say something else than the photo shows"
    return [
        *_of(CONTRADICTION, items, told, "that seems to contradict itself", "that seem to contradict themselves", fix),
        *_of(SEEN_OTHERWISE, items, seen, other, other, "Look at the picture: it was measured, which is right about nine times in ten."),
    ]


def _of(code: str, items: Sequence[Item], told: Mapping[str, Sequence[str]], of_one: str, of_several: str, fix: str) -> list[Finding]:
    having = [item for item in items if told.get(item.id)]
    if not having:
        return []
    details = tuple(Remark(code=code, words=sentence, about=item.id) for item in having for sentence in told[item.id])
    captions = f"1 caption {of_one}" if len(having) == 1 else f"{len(having)} captions {of_several}"
    message = f"{captions} ({count_items(having)})."
    return [Finding(code=code, severity=WARNING, message=message, items=ids_of(having), fix=fix, details=details)]


# -- within one caption


@functools.lru_cache(maxsize=16_384)
def contradictions_in(caption: str, is_clip: bool = False) -> tuple[str, ...]:
    """Sentences about what can't both be so. In a clip somebody may stand first and sit then; a coat keeps its colour."""
    text = plain(caption)
    found = [f'It says "{one}" and "{other}".' for one, other in _two_colours(text)]
    found += [f'It says "{one.words}" and "{other.words}".' for one, other in opposites_in(caption, is_clip)]
    return tuple(found)


def _two_colours(text: str) -> list[tuple[str, str]]:
    """Pairs such as ("red coat", "blue coat"): one garment, two colours, and nothing that speaks of a second one."""
    said: dict[str, dict[str, str]] = {}
    for part in re.split(r"[.,;，、。；]", text):
        for garment, colours, words in (*_coloured(_LETTERS.findall(part)), *_coloured_unspaced(part)):
            if len(colours) == 1:  # red and white: one garment of two colours
                said.setdefault(garment, {}).setdefault(next(iter(colours)), words)
    return [tuple(words.values())[:2] for words in said.values() if len(words) > 1]  # pyright: ignore[reportReturnType]


def _coloured(words: Sequence[str]) -> list[tuple[str, set[str], str]]:
    """(garment, its colours, as it is written) for garments with a colour right before them, one word between at most, or right behind."""
    found = []
    for at, word in enumerate(words):
        if not _is_garment(word) or (at + 1 < len(words) and _is_garment(words[at + 1])):  # a top hat is no top
            continue
        before = list(words[max(0, at - 4) : at])
        start = next((n + 1 for n in reversed(range(len(before))) if _is_garment(before[n]) or before[n] in _AGAIN), 0)
        if start and before[start - 1] in _AGAIN:
            continue
        before = before[start:]
        near = [n for n, other in enumerate(before) if other in lexicon.COLOURS and (len(before) - n <= 2 or before[n + 1] in _BOTH)]
        colours = {lexicon.COLOURS[before[n]] for n in near}
        if colours:
            found.append((stem(word), colours, " ".join([*before[near[0] :], word])))
        elif at + 1 < len(words) and words[at + 1] in lexicon.COLOURS:
            found.append((stem(word), {lexicon.COLOURS[words[at + 1]]}, f"{word} {words[at + 1]}"))
    return found


def _is_garment(word: str) -> bool:
    return stem(word) in _GARMENT_STEMS


def _coloured_unspaced(text: str) -> list[tuple[str, set[str], str]]:
    """The same in Japanese, Chinese and Korean letters: 红色外套, 赤いコート."""
    letters, garments = "".join(lexicon.UNSPACED_COLOURS), "|".join(map(re.escape, lexicon.UNSPACED_GARMENTS))
    pattern = rf"([{letters}])(?:色)?[的いの]?({garments})"
    return [(found[2], {lexicon.UNSPACED_COLOURS[found[1]]}, found[0]) for found in re.finditer(pattern, text)]


# -- against what was seen


def what_was_seen(caption: str, look: Look | None, seen: Seen | None = None) -> tuple[str, ...]:
    """Sentences about what the picture shows otherwise than its caption says; () where nobody looked, or it can't be told.

    seen: who is in it, None where nobody compared: it is held against the person's face, or the largest one.
    """
    if look is None:
        return ()
    text, sight = plain(caption), sight_of(look, seen)
    return tuple(sentence for check in _CHECKS if (sentence := check(text, sight)))


def _framing(text: str, sight: Sight) -> str:
    close, full = first_of(text, CLOSE_WORDS), first_of(text, FULL_WORDS)
    framing = sight.look.framing_of(sight.face)
    if close and framing in (WAIST, FULL):
        return f'It says "{close}"; the photo shows about {_FRAMINGS[framing]}.'
    if full and framing in (CLOSE, UPPER):
        return f'It says "{full}"; the photo shows about {_FRAMINGS[framing]}.'
    return ""


def _people(text: str, sight: Sight) -> str:
    faces = [face for face in sight.look.faces if sight.face and face.width >= OTHER_LEAST * sight.face.width]
    several, alone = first_of(text, lexicon.SEVERAL_WORDS), first_of(text, lexicon.ALONE_WORDS)
    if several and len(faces) == 1:
        return f'It says "{several}"; one face was found.'
    if alone and len(faces) > 1:
        return f'It says "{alone}"; {len(faces)} faces were found.'
    return ""


def _angle(text: str, sight: Sight) -> str:
    if sight.face is None or not sight.face.angle:
        return ""
    angle = sight.face.angle
    profile, frontal = first_of(text, lexicon.PROFILE_WORDS), first_of(text, FRONTAL_WORDS)
    behind = first_of(text, BEHIND_WORDS)
    if profile and angle == FRONT:
        return f'It says "{profile}"; the face is seen about from the front.'
    if frontal and angle in (PROFILE_LEFT, PROFILE_RIGHT):
        return f'It says "{frontal}"; the face is seen about from the side.'
    return f'It says "{behind}"; the face is seen.' if behind and angle == FRONT else ""


def _colour(text: str, sight: Sight) -> str:
    if sight.look.colour is None:
        return ""
    grey = first_of(text, GREY_WORDS)
    if grey and sight.look.colour >= COLOURED_LEAST:
        return f'It says "{grey}"; the photo has colours.'
    named = [found[2] for found in _coloured(_LETTERS.findall(text))]
    if not grey and named and sight.look.colour <= GREY_MOST:
        return f'It says "{named[0]}"; the photo is about black and white.'
    return ""


_CHECKS: tuple[Callable[[str, Sight], str], ...] = (_framing, _people, _angle, _colour)
