"""What a text file says, whatever encoding it was saved in: decided by what is readable in a language, shown, and never guessed in silence."""

import functools
import gzip
import importlib.resources
import itertools
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.data import limits

NO_TEXT = "it holds no text that can be read"
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_MOST_CONTROLS = 0.05  # of all characters; a text has hardly any
_MOST_STRANGE = 0.1  # of all characters: those that are neither letters nor common signs
_SURE = 3.0  # how much likelier the best reading is than the next one (natural logarithm)
_SAMPLE = 60  # characters of a text that are shown to tell its encoding by
_MOST_POSSIBLE = 4  # ways to read a text among which a person is asked to choose
_LEAST = -10.0  # mean likelihood of a foreign character (natural logarithm), below which nothing was written in a language


@dataclass(frozen=True)
class Encoding:
    """One that texts were saved in before UTF-8: Python's name, the name that people know, the languages that are written in it."""

    codec: str
    name: str
    languages: tuple[str, ...]


ENCODINGS = (
    Encoding("cp1252", "Windows-1252", ("en", "de", "fr", "es", "pt", "it", "nl", "sv", "da", "nb", "fi")),
    Encoding("cp1250", "Windows-1250", ("pl", "cs", "hu", "ro", "sk", "sl")),
    Encoding("cp1251", "Windows-1251", ("ru", "uk", "bg")),
    Encoding("koi8_r", "KOI8-R", ("ru",)),
    Encoding("cp1253", "Windows-1253", ("el",)),
    Encoding("cp1254", "Windows-1254", ("tr",)),
    Encoding("cp1255", "Windows-1255", ("he",)),
    Encoding("cp1256", "Windows-1256", ("ar", "fa", "ur")),
    Encoding("cp1257", "Windows-1257", ("lt", "lv")),
    Encoding("cp866", "DOS 866", ("ru", "uk")),
    Encoding("iso8859_2", "ISO 8859-2", ("pl", "cs", "hu", "ro")),
    Encoding("gb18030", "GBK", ("zh",)),
    Encoding("cp950", "Big5", ("zh",)),
    Encoding("cp932", "Shift-JIS", ("ja",)),
    Encoding("euc_jp", "EUC-JP", ("ja",)),
    Encoding("cp949", "EUC-KR", ("ko",)),
    Encoding("utf-16-le", "UTF-16 without a mark", ("zh", "ja", "ko", "ru")),
    Encoding("utf-16-be", "UTF-16 without a mark", ("zh", "ja", "ko", "ru")),
)


@dataclass(frozen=True)
class Possible:
    """One of several ways to read a text, and how it begins then."""

    encoding: str
    sample: str


@dataclass(frozen=True)
class Reading:
    """What was read. encoding: "" for UTF-8 or a text with a mark, about which nothing needs to be said; fault: why there is no text;
    possible: the ways to read it, the likeliest first, where that is the fault: the person can tell."""

    text: str = ""
    encoding: str = ""
    fault: str = ""
    possible: tuple[Possible, ...] = ()


def read_texts(raws: Sequence[bytes], encoding: str = "") -> list[Reading]:
    """What the texts of one folder say: those whose encoding is not marked are decided together, for they were written by one program.

    encoding: the person's own decision, by a name of ENCODINGS or of Python; ValueError if there is none of that name.
    """
    plain = [_read_marked(raw) for raw in raws]
    open_ones = [raw for raw, reading in zip(raws, plain) if reading is None]
    if not open_ones:
        return [reading or Reading() for reading in plain]
    if encoding:
        decided = _find_codec(encoding)
        return [reading or _read_as(raw, decided, encoding) for raw, reading in zip(raws, plain)]
    together = _choose([_likelihoods(raw) for raw in dict.fromkeys(open_ones)])  # the same text again says nothing more
    return [reading or _decide(raw, together) for raw, reading in zip(raws, plain)]


def read_text(raw: bytes) -> Reading:
    """What one text says by itself."""
    return read_texts([raw])[0]


def _find_codec(name: str) -> str:
    known = {encoding.name.casefold(): encoding.codec for encoding in ENCODINGS}
    codec = known.get(name.casefold(), name)  # else one of Python's
    try:
        b"a".decode(codec)  # an empty text asks for no codec
    except LookupError:
        names = ", ".join(dict.fromkeys(encoding.name for encoding in ENCODINGS))
        raise ValueError(f"there is no encoding {name!r}; known are {names}") from None
    return codec


def _read_as(raw: bytes, codec: str, name: str) -> Reading:
    text = _decode(raw, codec)
    return Reading(text, name) if text is not None else Reading(fault=f"it can't be read as {name}")


# -- what says itself how it is to be read


def _read_marked(raw: bytes) -> Reading | None:
    """The text of UTF-8, of a mark, or of UTF-16 that shows by its zeros; None where only its letters can tell."""
    for mark, codec in _MARKS:
        if raw.startswith(mark):
            return _checked(_decode_to_the_end(raw, codec), "")
    text = _decode_to_the_end(raw, "utf-8")
    if (
        text is not None and "\0" not in text and not any(unicodedata.category(c) == "Cn" for c in text)
    ):  # bytes of another encoding may fit
        return _checked(text, "")
    if b"\0" in raw and len(raw) % 2 == 0:
        codec = "utf-16-le" if raw[1::2].count(0) >= raw[0::2].count(0) else "utf-16-be"
        wide = _decode(raw, codec)
        return _checked(wide, "UTF-16 without a mark") if wide is not None and _is_plausible(wide) else Reading(fault=NO_TEXT)
    return Reading(fault=NO_TEXT) if b"\0" in raw else None


def _checked(text: str | None, encoding: str) -> Reading:
    """The text, unless it is binary data: full of control signs, or without a letter."""
    if text is None or _num_controls(text) > _MOST_CONTROLS * len(text) or (text.strip("\ufeff \t\r\n\x1a") and not _LETTER.search(text)):
        return Reading(fault=NO_TEXT)
    return Reading(text.removeprefix("\ufeff"), encoding)


def _decode_to_the_end(raw: bytes, codec: str) -> str | None:
    """Strictly, but for the last letter of a text that was too long to read whole."""
    try:
        return raw.decode(codec)
    except UnicodeDecodeError as e:
        if len(raw) >= limits.MAX_CAPTION_BYTES and len(raw) - e.start < 4:
            return _decode(raw[: e.start], codec)
        return None


def _decode(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except UnicodeDecodeError:
        return None


def _num_controls(text: str) -> int:
    return sum(unicodedata.category(c) in ("Cc", "Cn", "Co", "Cs") and c not in "\t\n\r" for c in text)


def _num_strange(text: str) -> int:
    signs = _LATIN_SIGNS + "".join(_SIGNS.values())
    return sum(ord(c) > 0x7F and not c.isalpha() and not c.isspace() and c not in signs for c in text)


def _is_plausible(text: str) -> bool:
    """Whether every sign is one that people write, letters of a few scripts and not of many."""
    if _num_controls(text):
        return False
    rare = sum(ord(c) > 0x7F and not _KNOWN.match(c) for c in text)
    return rare <= len(text) // 10


_KNOWN = re.compile(
    r"[\u00a0-\u052f\u0590-\u06ff\u0e00-\u0e7f\u1e00-\u206f\u20a0-\u20bf\u3000-\u30ff\u4e00-\u9fff\uac00-\ud7a3\uff00-\uffef]"
)


# -- what only its letters can tell


def _decide(raw: bytes, together: str) -> Reading:
    """The reading of one text: by itself where that is sure, else as the others beside it were read."""
    alone = _choose([_likelihoods(raw)])
    codec = alone or (together if together and _decode(raw, together) is not None else "")
    if not codec:
        return _doubt(raw)
    encoding = next(encoding for encoding in ENCODINGS if encoding.codec == codec)
    return Reading(raw.decode(codec), encoding.name)


def _doubt(raw: bytes) -> Reading:
    """Why no reading was chosen, with those that are possible."""
    scores = _likelihoods(raw)
    ranked = sorted(scores, key=lambda codec: -scores[codec])
    if not ranked:
        return Reading(fault=NO_TEXT)
    name_of = {encoding.codec: encoding.name for encoding in ENCODINGS}
    possible = tuple(Possible(name_of[codec], " ".join(raw.decode(codec)[:_SAMPLE].split())) for codec in ranked[:_MOST_POSSIBLE])
    said = " or ".join(f"{way.encoding} ({way.sample[:30]!r})" for way in possible[:2])
    fault = f"its encoding can't be told: it may be {said}; save it as UTF-8, or name the encoding"
    return Reading(fault=fault, possible=possible)


def _choose(tables: Sequence[Mapping[str, float]]) -> str:
    """The codec that reads all texts best, by {codec: likelihood} of each; "" if there is none, or another one is about as good."""
    common = set.intersection(*(set(table) for table in tables)) if tables else set()
    ranked = sorted(common, key=lambda codec: -sum(table[codec] for table in tables))
    if not ranked:
        return ""
    best = sum(table[ranked[0]] for table in tables)
    rivals = [sum(table[codec] for table in tables) for codec in ranked[1:]]
    return ranked[0] if not rivals or best - rivals[0] >= _SURE else ""


@functools.lru_cache(maxsize=512)
def _likelihoods(raw: bytes) -> Mapping[str, float]:
    """{codec: logarithm of how likely a person wrote that} of every encoding in which the bytes are a text; equal texts count once."""
    found: dict[str, float] = {}
    seen: dict[str, str] = {}
    for encoding in ENCODINGS:
        text = _decode(raw, encoding.codec)
        if text is None or _num_controls(text) or (encoding.codec.startswith("utf-16") and len(raw) % 2):
            continue
        foreign = sum(ord(c) > 0x7F for c in text)
        score, own = max((_score(text, language) for language in encoding.languages), key=lambda pair: pair[0])
        if not foreign or own / foreign < _LEAST or _num_strange(text) > _MOST_STRANGE * len(text):
            continue
        twin = seen.setdefault(text, encoding.codec)
        found[twin] = max(score, found[twin]) if twin in found else score
    return found


_PLAIN = math.log(1 / 30)  # an ASCII sign, whatever the language
_STRANGE = math.log(1e-7)  # a sign that the language does not have
_SIGNS = {"zh": "，。、；：！？“”‘’（）《》「」—…·\u3000", "ja": "、。「」『』・ー！？（）〜\u3000", "ko": "“”‘’·…"}
_LATIN_SIGNS = "«»“”„‘’–—…°©®€"
_MIXED = math.log(1e-3)  # letters of two alphabets in one word
_CASE = math.log(1e-2)  # a capital after a small letter
_OTHER_ALPHABETS = ("ru", "uk", "bg", "el", "he", "ar", "fa", "ur")
_LETTER = re.compile(r"[^\W_]")
_WORD = re.compile(r"[^\W\d_]+")


def _score(text: str, language: str) -> tuple[float, float]:
    """(the logarithm of how likely a text is in a language, the part of it that its foreign signs bring)."""
    letters, words = _letters(language), _known_words(language)
    signs = _SIGNS.get(language, _LATIN_SIGNS)
    plain = sum(1 for c in text if ord(c) < 0x80)
    foreign = 0.0
    for c in text:
        if ord(c) >= 0x80:
            foreign += _letter_score(c, letters, signs)
    for match in _WORD.finditer(text):
        word = match[0]
        if not word.isascii():
            foreign += _word_score(word, language, words)
    return plain * _PLAIN + foreign, foreign


def _letter_score(c: str, letters: Mapping[str, float], signs: str) -> float:
    if c in signs:
        return math.log(0.01)
    small = _simple(c)
    if small in letters:
        return letters[small]
    return _STRANGE


def _word_score(word: str, language: str, words: Mapping[str, float]) -> float:
    """What a word as a whole adds: known ones are likelier than their letters; mixed alphabets and capitals in odd places are not."""
    if language in ("zh", "ja"):
        return 0.0
    known = 1.5 * len(word) if len(word) > 1 and (word.lower() in words or word.casefold() in words) else 0.0
    borders = sum(a.isascii() != b.isascii() for a, b in itertools.pairwise(word)) if language in _OTHER_ALPHABETS else 0
    return known + borders * _MIXED + _case_score(word)


def _case_score(word: str) -> float:
    if word == word.lower():
        return 0.0
    if word[1:] == word[1:].lower() or word == word.upper():
        return math.log(0.1)
    return _CASE * sum(c != c.lower() for c in word)


@functools.cache
def _known_words(language: str) -> Mapping[str, float]:
    from wordfreq import get_frequency_dict  # reads a list of words: start-up time

    return get_frequency_dict(language, "small")


@functools.cache
def _letters(language: str) -> Mapping[str, float]:
    """{letter that is not ASCII: logarithm of its share of all that is written in a language}, from the words that are used and how often."""
    counts: dict[str, float] = defaultdict(float)
    for word, share in _known_words(language).items():
        for c in word:
            counts[c] += share
    total = sum(counts.values())
    found = {c: math.log(count / total) for c, count in counts.items() if ord(c) > 0x7F and c.isalpha()}
    return found | ({"ß": math.log(0.003)} if language == "de" else {})  # the lists write ss


@functools.cache
def _simple(c: str) -> str:
    """A letter as the lists of words have it: small, and of the simplified hanzi."""
    return _simplified().get(ord(c), c.lower())


@functools.cache
def _simplified() -> Mapping[int, str]:
    """{hanzi: the simplified one}, from the table that the lists of words were made with; jieba, which wordfreq's own reader asks for, is not needed."""
    import msgpack

    table = importlib.resources.files("wordfreq") / "data" / "_chinese_mapping.msgpack.gz"
    return msgpack.unpackb(gzip.decompress(table.read_bytes()), use_list=False, strict_map_key=False)
