"""What makes a good trigger and a good caption, and the class prompt made of it."""

import functools
import hashlib
import re
from collections.abc import Collection

from studio.data import limits
from studio.data.captions.whole_words import whole_word, words_in
from studio.data.remarks import Remark

# codes of what is wrong with one caption
NO_CAPTION, NO_TRIGGER, TRIGGER_LATER, PLAIN = "no-caption", "no-trigger", "trigger-later", "plain"
SPELLING, PLACEHOLDER, ONLY_TRIGGER, LONG = "spelling", "placeholder", "only-trigger", "long"
EMPTY, SPACE, SIGNS, DIGITS, SHORT = "empty", "space", "signs", "digits", "short"  # codes of what is wrong with a trigger, LONG among them
CLASS_NOUN, REAL_WORD, CAPITALS = "class-noun", "real-word", "capitals"
MIN_TRIGGER, MAX_TRIGGER = 3, 24
_ADD = "add what may change: clothes, pose, place, light"
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


# -- words


def _words(text: str) -> list[str]:
    return words_in(text)


def _whole_word(trigger: str) -> re.Pattern[str]:
    return whole_word(trigger, any_case=True)


def is_real_word(text: str) -> bool:
    """Whether a word, or what stands in it before digits, is one of a language."""
    return bool(_real_word(text))


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
