"""Captions that contradict themselves, or what was measured of their pictures."""

import functools
import re
from collections.abc import Callable, Collection, Mapping, Sequence

from studio.data.auditing import lexicon
from studio.data.auditing.finding import CONTRADICTION, SEEN_OTHERWISE, WARNING, About, Finding, count_items, ids_of
from studio.data.auditing.phrases import plain, stem
from studio.data.captions.whole_words import whole_word
from studio.data.item_record import Item
from studio.data.looking.look import CLOSE, FRONT, FULL, PROFILE_LEFT, PROFILE_RIGHT, UPPER, WAIST, Look
from studio.data.remarks import Remark

SECOND_FACE = 0.4  # of the main face's width: then somebody else is in the picture (FACTS.md, "Faces and curation")
GREY_MOST, COLOURED_LEAST = 2.5, 5.0  # spread of colours: of 180 photos in colour the lowest has 5.7, the one in black and white .1
_LETTERS = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_AGAIN = frozenset({"another", "other", "second", "her", "his", "their", "or", "under", "over"})  # a second garment of that kind
_BOTH = frozenset({"and", "with", "on", "over", "under", "und", "et", "y", "e"})
_FRAMINGS = {CLOSE: "a close-up", UPPER: "the upper body", WAIST: "down to the waist", FULL: "the full body"}
_GARMENT_STEMS = frozenset(stem(word) for word in lexicon.GARMENTS)


def find_contradictions(items: Sequence[Item], about: About) -> list[Finding]:
    """Captions that say two things of which one is wrong, and those that say something else than was seen."""
    told = {item.id: contradictions_in(item.caption, item.kind == "clip") for item in items}
    seen = {item.id: what_was_seen(item.caption, about.looks.get(item.id)) for item in items if item.kind == "photo"}
    own, other = "that seem to contradict themselves", "that may say something else than the photo shows"
    fix = "Look at the picture, and keep what is right."
    return [
        *_of(CONTRADICTION, items, told, own, fix),
        *_of(SEEN_OTHERWISE, items, seen, other, "Look at the picture: it was measured, which is right about nine times in ten."),
    ]


def _of(code: str, items: Sequence[Item], told: Mapping[str, Sequence[str]], words: str, fix: str) -> list[Finding]:
    having = [item for item in items if told.get(item.id)]
    if not having:
        return []
    details = tuple(Remark(code=code, words=sentence, about=item.id) for item in having for sentence in told[item.id])
    captions = "caption" if len(having) == 1 else "captions"
    message = f"{len(having)} {captions} {words} ({count_items(having)})."
    return [Finding(code=code, severity=WARNING, message=message, items=ids_of(having), fix=fix, details=details)]


# -- within one caption


@functools.lru_cache(maxsize=16_384)
def contradictions_in(caption: str, is_clip: bool = False) -> tuple[str, ...]:
    """Sentences about what can't both be so. In a clip somebody may stand first and sit then; a coat keeps its colour."""
    text = plain(caption)
    found = [f'It says "{one}" and "{other}".' for one, other in _two_colours(text)]
    for side, against in () if is_clip else lexicon.OPPOSITES:
        one, other = _first_of(text, against), _first_of(text, side, but_not=against)
        if one and other:
            found.append(f'It says "{other}" and "{one}".')
    return tuple(found)


def _first_of(text: str, words: Collection[str], but_not: Collection[str] = ()) -> str:
    """The first of these phrases that stands in a text; where one of the others holds it ("not smiling"), that is not it."""
    for word in but_not:
        text = whole_word(word).sub(" ", text)
    return next((word for word in words if whole_word(word).search(text)), "")


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


def what_was_seen(caption: str, look: Look | None) -> tuple[str, ...]:
    """Sentences about what the picture shows otherwise than its caption says; () where nobody looked, or it can't be told."""
    if look is None:
        return ()
    text = plain(caption)
    return tuple(sentence for check in _CHECKS if (sentence := check(text, look)))


def _framing(text: str, look: Look) -> str:
    close, full = _first_of(text, lexicon.CLOSE_WORDS), _first_of(text, lexicon.FULL_WORDS)
    if close and look.framing in (WAIST, FULL):
        return f'It says "{close}"; the photo shows about {_FRAMINGS[look.framing]}.'
    if full and look.framing in (CLOSE, UPPER):
        return f'It says "{full}"; the photo shows about {_FRAMINGS[look.framing]}.'
    return ""


def _people(text: str, look: Look) -> str:
    faces = [face for face in look.faces if look.face and face.width >= SECOND_FACE * look.face.width]
    several, alone = _first_of(text, lexicon.SEVERAL_WORDS), _first_of(text, lexicon.ALONE_WORDS)
    if several and len(faces) == 1:
        return f'It says "{several}"; one face was found.'
    if alone and len(faces) > 1:
        return f'It says "{alone}"; {len(faces)} faces were found.'
    return ""


def _angle(text: str, look: Look) -> str:
    if look.face is None or not look.face.angle:
        return ""
    profile, frontal = _first_of(text, lexicon.PROFILE_WORDS), _first_of(text, lexicon.FRONTAL_WORDS)
    behind = _first_of(text, lexicon.BEHIND_WORDS)
    if profile and look.face.angle == FRONT:
        return f'It says "{profile}"; the face is seen about from the front.'
    if frontal and look.face.angle in (PROFILE_LEFT, PROFILE_RIGHT):
        return f'It says "{frontal}"; the face is seen about from the side.'
    return f'It says "{behind}"; the face is seen.' if behind and look.face.angle == FRONT else ""


def _colour(text: str, look: Look) -> str:
    if look.colour is None:
        return ""
    grey = _first_of(text, lexicon.GREY_WORDS)
    if grey and look.colour >= COLOURED_LEAST:
        return f'It says "{grey}"; the photo has colours.'
    named = [found[2] for found in _coloured(_LETTERS.findall(text))]
    if not grey and named and look.colour <= GREY_MOST:
        return f'It says "{named[0]}"; the photo is about black and white.'
    return ""


_CHECKS: tuple[Callable[[str, Look], str], ...] = (_framing, _people, _angle, _colour)
