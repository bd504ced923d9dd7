"""What makes a good trigger and a good caption, the class prompt made of it, and an audit of all captions together."""

import collections
import functools
import hashlib
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from studio.data import limits
from studio.data.captions.whole_words import whole_word, words_in
from studio.data.item_record import Item
from studio.data.remarks import Remark
from studio.facts import Facts

ERROR, WARNING = "error", "warning"
TRIGGER, NO_CAPTION, NO_TRIGGER, TRIGGER_LATER = "trigger", "no-caption", "no-trigger", "trigger-later"  # codes of findings
PLAIN, TYPO, SAME, FUSED = "plain", "typo", "same-caption", "fused"
SPELLING, PLACEHOLDER, ONLY_TRIGGER, LONG = (
    "spelling",
    "placeholder",
    "only-trigger",
    "long",
)  # codes of what is wrong with one caption, besides those
EMPTY, SPACE, SIGNS, DIGITS, SHORT = "empty", "space", "signs", "digits", "short"  # codes of what is wrong with a trigger, LONG among them
CLASS_NOUN, REAL_WORD, CAPITALS = "class-noun", "real-word", "capitals"
MIN_TRIGGER, MAX_TRIGGER = 3, 24
_ADD = "add what may change: clothes, pose, place, light"
FUSED_SHARE = 0.85  # of the captions: a word that stands in so many is learned as part of the person
MIN_CAPTIONS_FOR_FUSED = 5
# Rarer words of English are flagged too; of other languages the common ones. Scripts that wordfreq must cut into words first are looked up whole.
_LANGUAGES = (
    "de",
    "fr",
    "es",
    "it",
    "pt",
    "nl",
    "pl",
    "sv",
    "da",
    "nb",
    "fi",
    "cs",
    "ro",
    "hu",
    "tr",
    "id",
    "ru",
    "uk",
    "el",
    "ar",
    "he",
    "ja",
    "ko",
    "zh",
)
_RARE_ENGLISH = 1e-7  # one in ten million words
_COMMON = 3e-6
_STOPWORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be before behind beside between by for from her hers him his in into is it its near next of off on onto or out over she he "
        "the their them they this that to toward towards under up with while wearing who photo picture image portrait video clip shot of "
        "background foreground facing looking light",
    )
)


def check_trigger(text: str, class_noun: str = "") -> list[Remark]:
    """What is wrong with a trigger word, the worst first; [] when it is good."""
    text = text.strip()
    unusable = _why_unusable(text, class_noun)
    return [unusable] if unusable else _doubts_of_trigger(text)


def _why_unusable(text: str, class_noun: str) -> Remark | None:
    """Why a word can't be a trigger at all."""
    if not text:
        return _remark(EMPTY, "The trigger is empty; invent a word that stands for the person, for example ohwx.")
    if re.search(r"\s", text):
        return _remark(SPACE, "The trigger holds a space; use one word.")
    if not re.fullmatch(r"\w+", text):
        return _remark(SIGNS, "The trigger holds signs; use letters and digits only, so that it is found as a whole word.")
    if text.replace("_", "").isdigit():
        return _remark(DIGITS, "The trigger is only digits; numbers mean something else in captions. Use letters, for example ohwx.")
    if len(text) < MIN_TRIGGER:
        return _remark(SHORT, f"The trigger is too short; use at least {MIN_TRIGGER} letters, so that it means nothing else.")
    if len(text) > MAX_TRIGGER:
        return _remark(LONG, f"The trigger has {len(text)} letters; use at most {MAX_TRIGGER}.")
    if class_noun and text.casefold() == class_noun.strip().casefold():
        return _remark(CLASS_NOUN, f'The trigger is the class noun itself; "{class_noun}" stands for everyone. Invent another word.')
    return None


def _doubts_of_trigger(text: str) -> list[Remark]:
    """What a word already means to the model."""
    doubts = []
    if word := _real_word(text):
        known = f'"{word}" is a real word or name, which the model already has a picture of'
        doubts.append(_remark(REAL_WORD, f"{known}; invent one, for example {suggest_trigger(text)}."))
    if text != text.lower():
        doubts.append(_remark(CAPITALS, f"The trigger has capital letters, which are read as another word; write {text.lower()}."))
    return doubts


def suggest_trigger(name: str, taken: Collection[str] = ()) -> str:
    """An unused word for a person's name: always the same one for the same name, and one that `check_trigger` accepts."""
    consonants, vowels = "bdfghjklmnprstvwxz", "aeiouy"
    number = 0
    while True:
        digest = hashlib.sha256(f"{name.strip().casefold()}/{number}".encode()).digest()
        letters = [(vowels if place == 0 else consonants)[byte % (6 if place == 0 else 18)] for place, byte in enumerate(digest[:4])]
        word = "".join(letters)
        if word not in taken and not check_trigger(word):
            return word
        number += 1


def check_caption(caption: str, trigger: str, class_noun: str = "") -> list[Remark]:
    """What is wrong with one caption; [] when it is good."""
    caption = caption.strip()
    if not caption:
        begin = f"write {trigger or 'the trigger'}, then what the person wears and does, then the place and light"
        return [_remark(NO_CAPTION, f"The caption is empty; {begin}.")]
    if not trigger:
        return []
    found = _whole_word(trigger).search(caption)
    if not found:
        return [_remark(NO_TRIGGER, f"The trigger is missing; begin with {trigger}.")]
    remarks = []
    if found.start() > 0:
        remarks.append(_remark(TRIGGER_LATER, f"The caption does not begin with the trigger; move {trigger} to the front."))
    if found.group() != trigger:
        remarks.append(_remark(SPELLING, f"The trigger is written {found.group()}; write {trigger}, as everywhere."))
    if "[trigger]" in caption:
        remarks.append(_remark(PLACEHOLDER, f"[trigger] is a placeholder of another program; write {trigger}."))
    if not _whole_word(trigger).sub("", caption).strip(" ,.;:-"):
        remarks.append(_remark(ONLY_TRIGGER, f"The caption says nothing but the trigger; {_ADD}."))
    elif says_nothing(caption, trigger, class_noun):
        remarks.append(_remark(PLAIN, f"The caption says nothing about the scene; {_ADD}."))
    if len(caption) > limits.MAX_CAPTION_CHARACTERS:
        remarks.append(_remark(LONG, f"The caption has {len(caption)} characters; use at most {limits.MAX_CAPTION_CHARACTERS}."))
    return remarks


def _remark(code: str, words: str) -> Remark:
    return Remark(code=code, words=words)


def says_nothing(caption: str, trigger: str, class_noun: str) -> bool:
    """Whether a caption is only "ohwx, a person": legal, but everything else in the picture is learned as part of the person."""
    rest = _words(_whole_word(trigger).sub(" ", caption) if trigger else caption)
    return bool(class_noun) and set(rest) <= {"a", "an", "the", *_words(class_noun)}


def class_prompt(caption: str, trigger: str, class_noun: str) -> str:
    """The caption with the trigger (whole word, any case) replaced by the class noun: what must stay as it was (DOP)."""
    return _whole_word(trigger).sub(lambda _: class_noun, caption) if trigger else caption


def compose_caption(trigger: str, person: str, scene: str) -> str:
    """`[trigger], [person], [scene]` from parts as they come; empty ones are left out."""
    parts = (" ".join(part.split()).strip(" ,.;") for part in (trigger, person, scene))
    return ", ".join(part for part in parts if part)


def fill(text: str, trigger: str, class_noun: str) -> str:
    """Put trigger and class noun into a prompt; "a [class]" becomes "an ..." before a vowel."""
    article = "an" if class_noun[:1].lower() in "aeiou" else "a"
    text = re.sub(r"\b(a)n?(?= \[class\])", lambda m: m[1] + article[1:], text, flags=re.IGNORECASE)
    return text.replace("[trigger]", trigger).replace("[class]", class_noun)


@dataclass(frozen=True, kw_only=True)
class Finding(Facts):
    """What is wrong with captions; as text it reads as its sentence."""

    ALWAYS_WRITTEN = ("code", "severity", "message", "items", "fix")
    code: str
    severity: str  # ERROR or WARNING
    message: str
    items: tuple[str, ...]  # ids
    fix: str

    def __str__(self) -> str:
        return self.message


def audit(items: Sequence[Item], trigger: str, class_noun: str) -> list[Finding]:
    """Findings about all captions of the kept items together, errors first."""
    items = [item for item in items if item.keep]
    captioned = [item for item in items if item.caption]
    fix = "Change the trigger in the project's settings."
    findings = [_finding(TRIGGER, ERROR, remark.words, [], fix) for remark in check_trigger(trigger, class_noun)]
    findings += _find_empty(items) + _find_missing_trigger(captioned, trigger) + _find_typos(captioned, trigger)
    findings += _find_plain(captioned, trigger, class_noun)
    findings += _find_duplicates(captioned) + _find_fused(captioned, trigger, class_noun)
    return sorted(findings, key=lambda finding: finding.severity != ERROR)


# -- findings


def _finding(code: str, severity: str, message: str, items: Sequence[Item], fix: str) -> Finding:
    return Finding(code=code, severity=severity, message=message, items=tuple(item.id for item in items), fix=fix)


def _find_empty(items: Sequence[Item]) -> list[Finding]:
    empty = [item for item in items if not item.caption]
    fix = "Write them, or let the captioner write them."
    return [_finding(NO_CAPTION, ERROR, f"{_count(empty)} without a caption.", empty, fix)] if empty else []


def _find_missing_trigger(items: Sequence[Item], trigger: str) -> list[Finding]:
    if not trigger:
        return []
    missing = [item for item in items if not _whole_word(trigger).search(item.caption)]
    later = [item for item in items if item not in missing and not re.match(_whole_word(trigger), item.caption)]
    found = []
    if missing:
        words = f"{_count(missing)} without the trigger {trigger}."
        found.append(_finding(NO_TRIGGER, ERROR, words, missing, f"Begin each caption with {trigger}."))
    if later:
        words = f"{_count(later)} where {trigger} does not come first."
        found.append(_finding(TRIGGER_LATER, WARNING, words, later, f"Move {trigger} to the front."))
    return found


def _find_plain(items: Sequence[Item], trigger: str, class_noun: str) -> list[Finding]:
    plain = [item for item in items if says_nothing(item.caption, trigger, class_noun)]
    fix = "Say what may change: clothes, pose, place, light."
    words = "whose caption says nothing about the scene"
    return [_finding(PLAIN, WARNING, f"{_count(plain)} {words}.", plain, fix)] if plain else []


def _find_typos(items: Sequence[Item], trigger: str) -> list[Finding]:
    """Words one slip away from the trigger that are no words of their own."""
    if len(trigger) < 4:
        return []
    slips = collections.defaultdict(list)
    for item in items:
        for word in set(_words(item.caption)):
            if word != trigger.casefold() and _is_slip(word, trigger.casefold()) and not _real_word(word):
                slips[word].append(item)
    return [_typo(word, found, trigger) for word, found in sorted(slips.items())]


def _typo(word: str, found: Sequence[Item], trigger: str) -> Finding:
    words = f'"{word}" looks like a mistyped {trigger} ({_count(found)}).'
    return _finding(TYPO, WARNING, words, found, f"Replace {word} by {trigger} in all captions.")


def _find_duplicates(items: Sequence[Item]) -> list[Finding]:
    groups = collections.defaultdict(list)
    for item in items:
        groups[" ".join(_words(item.caption))].append(item)
    fix = "Say what differs: clothes, pose, place, light."
    return [_finding(SAME, WARNING, f"{_count(group)} with the same caption.", group, fix) for group in groups.values() if len(group) > 1]


def _find_fused(items: Sequence[Item], trigger: str, class_noun: str) -> list[Finding]:
    """Content words in nearly every caption: they are learned as one with the trigger."""
    if len(items) < MIN_CAPTIONS_FOR_FUSED:
        return []
    ignored = _STOPWORDS | set(_words(trigger)) | set(_words(class_noun)) | {"trigger"}
    counts = collections.Counter(word for item in items for word in set(_words(item.caption)) - ignored if not word.isdigit())
    fused = sorted(((word, n) for word, n in counts.items() if n >= FUSED_SHARE * len(items)), key=lambda x: (-x[1], x[0]))
    fix = "Leave it out where it should belong to the person; otherwise add pictures without it, and caption those so."
    words = '"{}" stands in {} of {} captions and will become part of the person.'
    return [_finding(FUSED, WARNING, words.format(word, n, len(items)), _having(items, word), fix) for word, n in fused]


def _having(items: Sequence[Item], word: str) -> list[Item]:
    return [item for item in items if word in _words(item.caption)]


def _count(items: Sequence[Item]) -> str:
    kinds = {item.kind for item in items}
    noun = kinds.pop() if len(kinds) == 1 else "item"
    return f"{len(items)} {noun}{'' if len(items) == 1 else 's'}"


# -- words


def _words(text: str) -> list[str]:
    return words_in(text)


def _whole_word(trigger: str) -> re.Pattern[str]:
    return whole_word(trigger, any_case=True)


def _is_slip(word: str, target: str) -> bool:
    """One letter added, lost or changed, or two neighbours swapped."""
    if abs(len(word) - len(target)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, target)) if a != b), min(len(word), len(target)))
    a, b = word[start:], target[start:]
    return a[1:] == b[1:] or a[1:] == b or a == b[1:] or (a[:2] == b[:2][::-1] and a[2:] == b[2:])


def _real_word(text: str) -> str:
    """The real word in a trigger (itself, or before digits: anna2), or ""."""
    word = text.casefold()
    stem = word.rstrip("0123456789_")
    if _frequency(word) > 0:
        return text
    return text[: len(stem)] if len(stem) >= MIN_TRIGGER and stem != word and _frequency(stem) >= _COMMON else ""


@functools.lru_cache(maxsize=4096)
def _frequency(word: str) -> float:
    """How often a word is used in the language that uses it most, as a share of all words; 0.0 for no word."""
    from wordfreq import get_frequency_dict

    english = get_frequency_dict("en", "large").get(word, 0.0)
    common = max(get_frequency_dict(language, "small").get(word, 0.0) for language in ("en", *_LANGUAGES))
    return max(english if english >= _RARE_ENGLISH else 0.0, common)
