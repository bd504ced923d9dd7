"""One word for one thing in all captions: which words mean the same, how often each is used, and which one is proposed for all."""

import collections
import functools
import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from studio.config import list_presets, load_preset
from studio.data.item_record import Item
from studio.errors import Problem

_VOWEL = re.compile(r"[aeio]|u(?!ni|se|s\b)", re.IGNORECASE)  # before which "an" stands; "a uniform"


@dataclass(frozen=True)
class Term:
    """A word that captions use. count: captions that hold it; automatic: those of them that a captioner wrote."""

    word: str
    count: int
    automatic: int


@dataclass(frozen=True)
class Proposal:
    """Words for one thing, and the one that is proposed. terms: the most used first; num_changed: automatic captions that would change."""

    chosen: str
    terms: tuple[Term, ...]
    num_changed: int

    @property
    def key(self) -> str:
        """What tells it from the other proposals of the list."""
        return " = ".join(sorted(term.word for term in self.terms))

    @property
    def others(self) -> tuple[str, ...]:
        return tuple(term.word for term in self.terms if term.word != self.chosen)


@functools.cache
def same_words() -> tuple[tuple[str, ...], ...]:
    """Groups of words that mean the same, of presets/vocabulary."""
    return tuple(tuple(group) for name in list_presets("vocabulary") for group in load_preset("vocabulary", name)["same"])


def propose(items: Sequence[Item]) -> list[Proposal]:
    """Where captions of the kept items call one thing by several words; what changes most comes first."""
    kept = [item for item in items if item.keep and item.caption]
    groups = [*same_words(), *_spellings(item.caption for item in kept)]
    found = [proposal for group in groups if (proposal := _propose(group, kept))]
    unique = {proposal.key: proposal for proposal in reversed(found)}
    return sorted(unique.values(), key=lambda proposal: (-proposal.num_changed, proposal.chosen.casefold()))


def _propose(group: Sequence[str], items: Sequence[Item]) -> Proposal | None:
    """None where one word is used at most, or where no automatic caption would change. A word of the person's own captions wins."""
    counts: dict[str, list[int]] = {word: [0, 0] for word in group}
    for item in items:
        for word in set(_words_used(group, item.caption)):
            counts[word][0] += 1
            counts[word][1] += item.caption_source == "auto"
    order = {word: place for place, word in enumerate(group)}
    terms = [Term(word, every, automatic) for word, (every, automatic) in counts.items() if every]
    if len(terms) < 2:
        return None
    terms.sort(key=lambda term: (-term.count, order[term.word]))
    chosen = max(terms, key=lambda term: (term.count - term.automatic, term.count, -order[term.word])).word
    rewrites = sum(
        item.caption_source == "auto" and unify(item.caption, {other: chosen for other in group if other != chosen}) != item.caption
        for item in items
    )
    return Proposal(chosen, tuple(terms), rewrites) if rewrites else None


def _words_used(group: Sequence[str], caption: str) -> list[str]:
    """The words of a group that a caption holds; of "hooded sweatshirt jacket" the longest one that fits, and no word within it."""
    longest_first = sorted(group, key=len, reverse=True)
    used, rest = [], caption
    for word in longest_first:
        rest, count = _pattern(word).subn(" ", rest)
        used += [word] * bool(count)
    return used


def _spellings(captions: Iterable[str]) -> list[tuple[str, ...]]:
    """Words of the captions that differ by a hyphen, a space or capitals alone: "close-up", "close up", "closeup"."""
    forms: dict[str, collections.Counter[str]] = {}
    for caption in captions:
        for phrase in re.split(r"[,.;]", caption)[1:]:  # the trigger is no word of the vocabulary
            words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", phrase)
            for form in {*words, *(f"{a} {b}" for a, b in itertools.pairwise(words))}:
                forms.setdefault(re.sub(r"[\s-]", "", form).casefold(), collections.Counter())[_lowered(form)] += 1
    groups = [_without_capitals(found) for found in forms.values()]
    return [group for group in groups if len(group) > 1]


def _without_capitals(found: collections.Counter[str]) -> tuple[str, ...]:
    """The spellings, the most used first; of those that differ by capitals alone the most used one."""
    first: dict[str, str] = {}
    for form, _ in found.most_common():
        first.setdefault(form.casefold(), form)
    return tuple(first.values())


def _lowered(form: str) -> str:
    """Without the capital that begins a sentence; "T-shirt" and "TV" keep theirs."""
    return form[0].lower() + form[1:] if form[:1].isupper() and form[1:2].islower() else form


@functools.lru_cache(maxsize=4096)
def _pattern(word: str) -> re.Pattern[str]:
    """A word as a whole, in the singular or plural, in any case."""
    forms = "|".join(re.escape(form) for form in sorted({word, plural(word)}, key=len, reverse=True))
    return re.compile(rf"(?<![\w-])(?:{forms})(?![\w-])", re.IGNORECASE)


def plural(word: str) -> str:
    """The plural of a word's last part; one that has none, or is one already, as it is."""
    if word.endswith("s") and not word.endswith("ss"):
        return word
    if re.search(r"(?:ss|x|ch|sh)$", word):
        return f"{word}es"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}s" if re.search(r"[a-z]$", word) and not word.endswith("ing") else word


def unify(caption: str, instead: Mapping[str, str]) -> str:
    """A caption with words replaced: {word: the one that is used instead}. Plurals stay plurals, "a" and "an" follow, and the trigger stays."""
    trigger, comma, rest = caption.partition(",")
    for word in sorted(instead, key=len, reverse=True):
        rest = _replace(rest, word, instead[word])
    return f"{trigger}{comma}{rest}"


def replacements(proposals: Iterable[Proposal], accepted: Mapping[str, str]) -> dict[str, str]:
    """{word: the one instead of it}. accepted: {key of a proposal: the word that is taken}. Problem if the captions changed meanwhile."""
    known = {proposal.key: proposal for proposal in proposals}
    found: dict[str, str] = {}
    for key, chosen in accepted.items():
        words = [term.word for term in known[key].terms] if key in known else []
        if chosen not in words:
            raise Problem("The captions have changed since this list was made.", cost="Nothing was changed.", fix="Look at the list again.")
        found |= {word: chosen for word in words if word != chosen}
    return found


def _replace(caption: str, word: str, chosen: str) -> str:
    if _pattern(chosen).fullmatch(word):
        return caption
    held = _pattern(chosen)

    def put(found: re.Match[str]) -> str:
        if any(kept.start() <= found.start() and found.end() <= kept.end() for kept in held.finditer(caption)):
            return found.group()  # "navy" within "navy blue", where that is the word for all
        is_plural = found.group("word").casefold() == plural(word).casefold() != word.casefold()
        new = plural(chosen) if is_plural else chosen
        article = found.group("article") or ""
        return f"{_article(article.strip(), new)} {new}" if article else new

    pattern = re.compile(rf"(?P<article>\b(?:a|an)\s+)?(?P<word>{_pattern(word).pattern})", re.IGNORECASE)
    return pattern.sub(put, caption)


def _article(article: str, word: str) -> str:
    right = "an" if _VOWEL.match(word) else "a"
    return right.capitalize() if article[:1].isupper() else right
