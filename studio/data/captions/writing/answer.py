"""Turns a captioner's answer, which is untrusted text, into the two parts of a caption, or says why it can't be used."""

import json
import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from studio.data import limits
from studio.data.captions.contradictions import find_contradiction
from studio.data.captions.forbidden import key_of, without
from studio.data.captions.whole_words import whole_word

MAX_ANSWER_CHARACTERS = 4_000
MIN_KNOWN_WORDS = 0.6  # share of the words that are English
ECHO_WORDS = 5  # of the question in a row
MIN_VARIETY = 0.4  # share of the words that differ from each other

_THINKING = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_SPECIAL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|<\|[^|>\n]{0,40}\|>|<[/!]?[a-zA-Z][^<>\n]{0,200}>")  # chat and markup tokens
_LABEL_INSIDE = re.compile(r"(?<=\S)[\s*#_\"',;.|]{1,12}(?=[*_\"]{0,2}(?:PERSON|SCENE)[*_\"]{0,2}\s?:)")
_LABEL = re.compile(
    r"^[\W\d_]{0,20}(person|subject|scene|setting|background|place)\b[\s*_\"]{0,6}(?:\([^()\n]{0,60}\))?[\s*_\"]{0,6}[:=](.*)$",
    re.IGNORECASE,
)
_PERSON_LABELS = ("person", "subject")
_CHATTER = re.compile(
    r"^(?:sure|certainly|of course|okay|ok|absolutely|here(?:'s| is| are)|the (?:answer|caption|description)|caption|answer|output|description)\b"
    r"[^:\n]{0,120}[:!]\s*",
    re.IGNORECASE,
)
_PICTURE = re.compile(
    r"^(?:in )?(?:the|this|an?) (?:\w+ )?(?:image|photo|photograph|picture|video|clip|frame|portrait)s?"
    r"(?: (?:is|shows?|depicts?|captures?|features?|displays?|of|we see|you see)\b){1,3}[,:]?\s*",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"^(?:(?:the|a|an|this|one|same) )*(?:\w+ )?(?:person|man|woman|boy|girl|child|subject|individual|figure|lady|guy|someone|he|she|they)"
    r"(?:'s|'re| is| are| was| were| appears to be| seems to be| can be seen)?(?: (?=(?:with|in|on|at|from|\w+ing|\w+s)\b)|$)",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(?:i'?m sorry|i am sorry|i apologi[sz]e|i can(?:no|')t|i cannot|i am unable|i'?m unable|unable to (?:see|view|help|provide|describe)|as an ai|"
    r"language model|can(?:no|')t (?:assist|help|identify)|no (?:image|photo|video|picture) (?:was|is|has)|not visible in the image)\b",
    re.IGNORECASE,
)
_LEAK = re.compile(
    r"\b(?:system (?:prompt|message)|instructions?|assistant|as requested|two lines|the (?:prompt|question|user|answer|trigger)|training (?:photo|clip|image)s?"
    r"|captions?|let me know|hope this helps|i (?:can|will|see|think|would)|here (?:is|are)|note that|endoftext|im_(?:start|end)|null|undefined|json|markdown)\b",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"^(?:n/?a|none|null|nil|unknown|unclear|not (?:clear|visible|specified|applicable|mentioned)|no \w+ visible|\.+|-+)$", re.IGNORECASE
)
_ADDRESS = re.compile(r"https?:|www\.|\w@\w|\.(?:com|org|net|io)\b|[\\/]\w+[\\/]", re.IGNORECASE)
_STARTERS = {
    "a",
    "an",
    "the",
    "in",
    "on",
    "at",
    "with",
    "under",
    "by",
    "near",
    "behind",
    "from",
    "against",
    "outdoors",
    "indoors",
    "close-up",
    "upper",
    "full",
    "soft",
    "bright",
}
_PLAIN = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": ",", "…": " ", "\u00a0": " ", "，": ",", "。": ".", "、": ",", "：": ":"}
)


@dataclass(frozen=True)
class Answer:
    """The two parts of a caption; if `problem` is not empty they are, and it says why. is_cut_off: more room for the answer may help."""

    person: str = ""
    scene: str = ""
    problem: str = ""
    is_cut_off: bool = False


def read_answer(
    text: str,
    *,
    trigger: str,
    instruction: str = "",
    leave_out: Collection[str] = (),
    max_words: int = 36,
    complete: bool = True,
    class_noun: str = "",
    is_clip: bool = False,
) -> Answer:
    """The parts of a caption in a model's answer; never raises, whatever the text.

    instruction: what the model was asked, so that an echo of it is noticed. complete: False if the answer was cut off at its longest: of what
    it says its last whole phrase may be the wrong half of a sentence, so that nothing of it is used.
    """
    text = _plain_text(text)
    if not any(c.isalpha() for c in text):
        return Answer(problem="the captioner answered nothing")
    if _REFUSAL.search(text):
        return Answer(problem="the captioner declined to describe it")
    if _foreign_share(text) > 0.2:
        return Answer(problem="the captioner did not answer in English")
    if not complete:
        return Answer(problem="the captioner's answer was cut off", is_cut_off=True)
    parts = _split_parts(text)
    if any(_is_echo(phrase, instruction) for part in parts for phrase in _split_phrases(part)):
        return Answer(problem="the captioner repeated the question")
    if contradiction := find_contradiction(", ".join(parts), class_noun, is_clip):
        return Answer(problem=f"the captioner's answer {contradiction}")
    seen = set()
    person, scene = (_join(_clean_phrases(part, trigger, leave_out, seen), max_words) for part in parts)
    problem = _find_leak(f"{person}, {scene}") or _find_fault(f"{person}, {scene}")
    return Answer(problem=problem) if problem else Answer(person, scene)


def _plain_text(text: str) -> str:
    """Letters, digits and punctuation in lines: no control characters, thoughts, chat tokens, markup or code fences."""
    text = unicodedata.normalize("NFKC", str(text)[:MAX_ANSWER_CHARACTERS].translate(_PLAIN))
    text = _SPECIAL.sub("\n", _THINKING.sub("\n", text.replace("\r", "\n").replace("\t", " ")))
    text = "".join(c if c == "\n" or unicodedata.category(c)[0] not in "CSZM" or c in "|=<>+`^$" else " " for c in text)
    lines = [re.sub(r"```\w*|`", " ", line).strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _foreign_share(text: str) -> float:
    letters = [c for c in text if c.isalpha()]
    return sum(not _is_latin(c) for c in letters) / len(letters)


def _is_latin(letter: str) -> bool:
    return letter.isascii() or unicodedata.name(letter, "").startswith("LATIN")


# -- finding the two parts


def _split_parts(text: str) -> tuple[str, str]:
    """(person, scene) from JSON, from labelled lines, or all of it as the person if there are no labels."""
    return _from_json(text) or _from_lines(text) or (_first_paragraph(text), "")


def _from_json(text: str) -> tuple[str, str] | None:
    start, end = text.find("{"), text.rfind("}")
    if start < 0:
        return None
    try:
        data = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        pairs = re.findall(r'"(\w{1,20})"\s*:\s*"((?:[^"\\]|\\.)*)', text[start:])  # cut off, or not quite JSON
        data = {}
        for key, value in pairs:
            data.setdefault(key, value)
    if not isinstance(data, dict):
        return None
    values = {str(key).casefold(): value for key, value in data.items()}
    person = next((v for k in _PERSON_LABELS if (v := _flatten(values.get(k)))), "")
    scene = next((v for k in ("scene", "setting", "background", "place") if (v := _flatten(values.get(k)))), "")
    return (person, scene) if person or scene else None


def _flatten(value: Any, depth: int = 0) -> str:
    """Text of a JSON value: strings, and lists or tables of them, joined by commas."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list) and depth < 3:
        return ", ".join(t for v in value[:30] if (t := _flatten(v, depth + 1)))
    return ""


def _from_lines(text: str) -> tuple[str, str] | None:
    """Parts after `PERSON:` and `SCENE:`; the first of each counts, a blank line ends one that has begun."""
    parts, current = {}, ""
    for line in _LABEL_INSIDE.sub("\n", text).split("\n"):
        label = _LABEL.match(line)
        if label:
            name = "person" if label[1].casefold() in _PERSON_LABELS else "scene"
            current = "" if name in parts else name
            if current:
                parts[name] = label[2]
        elif current and line:
            parts[current] = f"{parts[current]}, {line}" if parts[current] else line
        elif current and parts[current]:
            current = ""
    return (parts.get("person", ""), parts.get("scene", "")) if parts else None


def _first_paragraph(text: str) -> str:
    """Prose without labels: what follows the chatter."""
    paragraphs = [p for raw in text.split("\n\n") if (p := _CHATTER.sub("", raw.strip()).strip())]
    return paragraphs[0] if paragraphs else ""


# -- cleaning a part


def _split_phrases(part: str) -> list[str]:
    return re.split(r"[,;\n|•]|\.(?=\s|$)|\s(?=wearing\b)", part)


def _clean_phrases(part: str, trigger: str, leave_out: Collection[str], seen: set[str]) -> list[str]:
    """The phrases of a part worth keeping, in order, without repeats; `seen` is added to."""
    result = []
    for raw in _split_phrases(part):
        phrase = without(_clean_phrase(raw, trigger), leave_out)
        key = key_of(phrase)
        foreign = any(not _is_latin(c) for c in phrase if c.isalpha())
        if not key or key in seen or foreign or _UNKNOWN.match(phrase) or _ADDRESS.search(raw) or _is_loop(raw):
            continue
        seen.add(key)
        result.append(phrase)
    return result


def _clean_phrase(phrase: str, trigger: str) -> str:
    phrase = re.sub(r"[*_#`~^<>{}\[\]\"$=+|\\]", " ", phrase)
    phrase = re.sub(r"^\s*(?:[-•]+|\d{1,2}[.)])\s*", "", " ".join(phrase.split()))
    phrase = _CHATTER.sub("", phrase)
    phrase = _PICTURE.sub("", phrase)
    phrase = _SUBJECT.sub("", phrase)
    if trigger:
        phrase = whole_word(trigger, any_case=True).sub(" ", phrase)
    phrase = re.sub(r"^(?:and |also |who |while |is |are )+", "", " ".join(phrase.split()), flags=re.IGNORECASE)
    phrase = re.sub(r"\b(\w+)(?: \1\b)+", r"\1", phrase).strip(" .:!?-'()/&")
    first, _, rest = phrase.partition(" ")
    if first.lower() in _STARTERS or (first.istitle() and first.lower().endswith("ing")):
        phrase = f"{first.lower()} {rest}".strip()
    return phrase


def _is_echo(phrase: str, instruction: str) -> bool:
    """Words of the question in the answer: "what they wear and carry", or more of them in a row than chance puts together."""
    words, asked = key_of(phrase).split(), f" {key_of(instruction)} "
    if len(words) >= 3 and f" {' '.join(words)} " in asked:
        return True
    runs = (words[start : start + ECHO_WORDS] for start in range(len(words) - ECHO_WORDS + 1))
    return any(f" {' '.join(run)} " in asked for run in runs)


def _find_leak(text: str) -> str:
    """Words that belong to a conversation with a model and to no picture; "" where there are none."""
    found = _LEAK.search(text)
    return f"the captioner's answer holds what is no description ({found.group().strip()!r})" if found else ""


def _is_loop(text: str) -> bool:
    """Words that turn in circles: "the red the red the red"."""
    words = key_of(text).split()
    return len(words) >= 8 and len(set(words)) / len(words) < MIN_VARIETY


def _join(phrases: Sequence[str], max_words: int) -> str:
    """Phrases up to max_words; a single overlong phrase is cut."""
    kept, count = [], 0
    for phrase in phrases:
        words = phrase.split()
        if kept and count + len(words) > max_words:
            break
        kept.append(" ".join(words[:max_words]))
        count += len(words)
    return ", ".join(kept)[: limits.MAX_CAPTION_CHARACTERS // 3]


def _find_fault(text: str) -> str:
    """Why the cleaned text is no description, or ""."""
    from wordfreq import zipf_frequency

    words = [w for w in re.findall(r"[^\W\d_]+", text.casefold()) if len(w) > 1]
    if len(words) < 2:
        return "the captioner's answer had nothing to use"
    if max(map(len, words)) > 30:
        return "the captioner's answer was not readable"
    if _is_loop(text):
        return "the captioner repeated itself"
    known = [w for w in words if zipf_frequency(w, "en") >= 2.0]
    if len(known) / len(words) < MIN_KNOWN_WORDS:
        return "the captioner's answer was not readable"
    return ""
