"""Phrases that stand in nearly every caption: of words, lightly stemmed, and in scripts without spaces of letters.

Found as frequent item sets are (Agrawal and Srikant 1994): a phrase can only be frequent if the shorter ones in it are, so that two thousand
captions take a moment.
"""

import functools
import itertools
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from studio.data.auditing.lexicon import STOPWORDS, UNSPACED_STOPS, WEAK
from studio.data.captions.whole_words import WORD, is_unspaced, plain

LONGEST = 6  # words of a phrase
LONGEST_RUN = 12  # letters of one in a script without spaces
MOST_BEFORE = 2  # words without a meaning of their own that a phrase may begin with: in a room
NEARLY = 0.1  # of the captions: a part of a phrase is named of its own if it stands in so many more
_LANGUAGE_LEAST = 0.2  # of a caption's words are stopwords of its language
_PARTS = re.compile(r"[.,;:!?()\[\]{}\"“”«»|/\n、，。；：！？（）「」『』・]+")
_HIRAGANA = re.compile(r"[\u3040-\u309f]")
_KATAKANA = re.compile(r"[\u30a0-\u30ff]")
Gram = tuple[str, ...]


@dataclass(frozen=True)
class Token:
    """A word as it is compared, and as it was written. is_content: it says something; is_run: letters of a script without spaces."""

    stem: str
    written: str
    is_content: bool = True
    is_run: bool = False


Chunk = tuple[Token, ...]  # words without a meaning of their own, then those that say something


@dataclass(frozen=True)
class Phrase:
    """Words that stand together. text: as they are mostly written; members: the numbers of the captions; is_run: of a script without spaces."""

    text: str
    stems: Gram
    members: frozenset[int]
    is_run: bool = False


@functools.lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The word without a common ending of English, so that smiles and smiling are one; what is short stays."""
    word = re.sub(r"['’]s$", "", word)
    if len(word) > 5 and word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ings", "ing", "sses", "xes", "ches", "shes", "ed", "s", "e"):
        if not word.endswith(ending) or len(word) - len(ending) < 3 or word.endswith("ss"):
            continue
        word = word[: -len(ending)] + {"sses": "ss", "xes": "x", "ches": "ch", "shes": "sh"}.get(ending, "")
        return word[:-1] if ending in ("ings", "ing", "ed") and len(word) > 3 and word[-1] == word[-2] else word.removesuffix("e")
    return word


@functools.lru_cache(maxsize=16_384)
def chunks_of(caption: str, breaks: frozenset[str]) -> tuple[Chunk, ...]:
    """A caption in pieces that a phrase does not cross: signs, the words of `breaks`, and what begins anew after words that say something."""
    parts = [re.findall(WORD, part) for part in _PARTS.split(plain(caption))]
    stops = _stopwords_of([word for part in parts for word in part])
    return tuple(chunk for part in parts for chunk in _cut(part, stops, breaks))


def _stopwords_of(words: Sequence[str]) -> frozenset[str]:
    """Those of English, and of the language that most of these words are of."""
    counts = {language: sum(word in stops for word in words) for language, stops in STOPWORDS.items()}
    best = max(counts, key=lambda language: counts[language])
    is_sure = counts[best] > counts["en"] and counts[best] >= _LANGUAGE_LEAST * len(words)
    return STOPWORDS["en"] | STOPWORDS[best] if is_sure else STOPWORDS["en"]


def _cut(words: Sequence[str], stops: Collection[str], breaks: frozenset[str]) -> list[Chunk]:
    chunks: list[list[Token]] = [[]]
    for word in words:
        if is_unspaced(word[0]):
            chunks += [[Token(run, run, is_run=True)] for run in _split_run(word, breaks)] + [[]]
        elif word in breaks or word.isdigit():
            chunks.append([])
        else:
            is_content = word not in stops
            if not is_content and chunks[-1] and chunks[-1][-1].is_content:
                chunks.append([])
            chunks[-1].append(Token(stem(word), word, is_content))
    return [tuple(chunk) for chunk in chunks if any(token.is_content for token in chunk)]


def _split_run(run: str, breaks: frozenset[str]) -> list[str]:
    inside = sorted((word for word in breaks if word and word in run), key=len, reverse=True)
    return [part for part in re.split("|".join(map(re.escape, inside)), run) if part] if inside else [run]


def find_phrases(captions: Sequence[str], least: float, breaks: Collection[str] = ()) -> list[Phrase]:
    """The longest phrases that stand in at least that share of the captions, the most frequent first. breaks: words that are no part of any."""
    known = frozenset(word.casefold() for word in breaks)
    number = least * len(captions)
    chunks = [chunks_of(caption, known) for caption in captions]
    found = [*_longest(_phrases_of_words(chunks, number), len(captions)), *_longest(_phrases_of_runs(chunks, number), len(captions))]
    return sorted(found, key=lambda phrase: (-len(phrase.members), phrase.text))


def _phrases_of_words(captions: Sequence[tuple[Chunk, ...]], least: float) -> list[Phrase]:
    rows = [tuple(tuple(token.stem for token in chunk) for chunk in of_one if not chunk[0].is_run) for of_one in captions]
    frequent = _frequent(rows, least, LONGEST)
    written: dict[Gram, Counter[str]] = {gram: Counter() for gram in frequent}
    parts = {stem for gram in frequent for stem in gram}
    for of_one in captions:
        for chunk in of_one:
            if any(token.stem in parts for token in chunk):
                _note_writing(chunk, written)
    return [Phrase(texts.most_common(1)[0][0], gram, frequent[gram]) for gram, texts in written.items() if texts]


def _note_writing(chunk: Chunk, written: dict[Gram, Counter[str]]) -> None:
    """Count how frequent grams are written; one that begins with too much that says nothing, or ends so, is no phrase."""
    for start in range(len(chunk)):
        for end in range(start + 1, min(start + LONGEST, len(chunk)) + 1):
            tokens = chunk[start:end]
            texts = written.get(tuple(token.stem for token in tokens))
            if texts is None:
                break  # nor is a longer one frequent
            before = sum(not token.is_content for token in tokens)
            if tokens[-1].is_content and before <= MOST_BEFORE and any(token.written not in WEAK for token in tokens[before:]):
                texts[" ".join(token.written for token in tokens)] += 1


def _phrases_of_runs(captions: Sequence[tuple[Chunk, ...]], least: float) -> list[Phrase]:
    rows = [tuple(tuple(chunk[0].stem) for chunk in of_one if chunk[0].is_run) for of_one in captions]
    frequent = _frequent(rows, least, LONGEST_RUN)
    return [Phrase("".join(gram), gram, members, is_run=True) for gram, members in frequent.items() if _says_something(gram)]


def _says_something(gram: Gram) -> bool:
    """Whether letters of a script without spaces are a phrase: two or more, and neither end is a particle. A run of hiragana alone is an ending."""
    edges = (gram[0], gram[-1])
    if len(gram) < 2 or any(edge in UNSPACED_STOPS or _HIRAGANA.match(edge) for edge in edges):
        return False
    is_katakana = all(_KATAKANA.match(letter) for letter in gram)
    return not is_katakana or len(gram) > 2


def _frequent(captions: Sequence[tuple[Gram, ...]], least: float, longest: int) -> dict[Gram, frozenset[int]]:
    """{gram: the numbers of the captions it stands in} of those in at least so many."""
    counts = Counter(part for rows in captions for part in {part for row in rows for part in row})
    usual = {part for part, count in counts.items() if count >= least}
    left = [[piece for row in rows for piece in _pieces(row, usual)] for rows in captions]
    found: dict[Gram, frozenset[int]] = {}
    shorter: set[Gram] = {()}
    for length in range(1, longest + 1):
        level: dict[Gram, set[int]] = {}
        for number, rows in enumerate(left):
            for gram in _grams(rows, length):
                if length == 1 or (gram[:-1] in shorter and gram[1:] in shorter):
                    level.setdefault(gram, set()).add(number)
        frequent = {gram: frozenset(members) for gram, members in level.items() if len(members) >= least}
        if not frequent:
            break
        found |= frequent
        shorter = set(frequent)
    return found


def _pieces(row: Gram, usual: Collection[str]) -> list[Gram]:
    """A row, cut where something rare stands."""
    return [tuple(group) for is_usual, group in itertools.groupby(row, usual.__contains__) if is_usual]


def _grams(rows: Sequence[Gram], length: int) -> Iterator[Gram]:
    for row in rows:
        for start in range(len(row) - length + 1):
            yield row[start : start + length]


def _longest(phrases: Sequence[Phrase], num_captions: int) -> list[Phrase]:
    """Without those that stand in a longer one nearly always."""
    kept: list[Phrase] = []
    for phrase in sorted(phrases, key=lambda phrase: (-len(phrase.stems), -len(phrase.members))):
        longer = [other for other in kept if _stands_in(phrase.stems, other.stems)]
        if all(len(phrase.members - other.members) >= NEARLY * num_captions for other in longer):
            kept.append(phrase)
    return kept


def _stands_in(short: Gram, long: Gram) -> bool:
    return any(long[start : start + len(short)] == short for start in range(len(long) - len(short) + 1))
