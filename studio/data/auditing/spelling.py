"""The trigger as it is mistyped: another case, a slip or two, glued to a word; and the person's name, which class prompts would keep."""

import collections
import functools
import re
from collections.abc import Iterator, Sequence

from studio.data.auditing.finding import GLUED, NAME, TYPO, WARNING, About, Finding, count_items, ids_of
from studio.data.captions.edits import REPLACE, CaptionEdit
from studio.data.captions.rules import PLACEHOLDER, SPELLING, is_real_word
from studio.data.captions.whole_words import whole_word, words_in
from studio.data.item_record import Item

MIN_FOR_SLIPS = 4  # letters of a trigger; shorter ones are near too many words
MIN_FOR_TWO_SLIPS = 6
MIN_NAME = 3  # letters of a name
PLACEHOLDER_TEXT = "[trigger]"


def find_spellings(items: Sequence[Item], about: About) -> list[Finding]:
    """Findings about the trigger's and the name's writing in captions."""
    if not about.trigger:
        return []
    slips, glued = _sort_words(items, about.trigger.casefold())
    found = [_of_typo(word, having, about.trigger) for word, having in sorted(slips.items())]
    found += [_of_glued(word, having, about) for word, having in sorted(glued.items())]
    return [*found, *_of_case(items, about.trigger), *_of_placeholder(items, about.trigger), *_of_name(items, about)]


def _sort_words(items: Sequence[Item], trigger: str) -> tuple[dict[str, list[Item]], dict[str, list[Item]]]:
    """({a mistyped trigger: captions}, {a word that holds the trigger: captions})."""
    slips, glued = collections.defaultdict(list), collections.defaultdict(list)
    for item in items:
        for word in set(words_in(item.caption)):
            if whole_word(trigger, any_case=True).search(word):
                continue
            if is_slip(word, trigger) and not is_real_word(word):
                slips[word].append(item)
            elif trigger in word and not is_real_word(word):
                glued[word].append(item)
    return slips, glued


def _of_typo(word: str, having: Sequence[Item], trigger: str) -> Finding:
    edit = CaptionEdit(kind=REPLACE, find=word, text=trigger, any_case=True)
    words = f'"{word}" looks like a mistyped {trigger} ({count_items(having)}).'
    return Finding(
        code=TYPO, severity=WARNING, message=words, items=ids_of(having), phrase=word, edit=edit,
        fix=f"Replace {word} by {trigger} in all captions.",
    )  # fmt: skip


def _of_glued(word: str, having: Sequence[Item], about: About) -> Finding:
    apart = " ".join(about.trigger if part == about.trigger.casefold() else part for part in _parts(word, about.trigger.casefold()))
    words = f'In "{word}" the trigger is glued to other letters ({count_items(having)}), so that it is another word, and stays in the class prompt.'
    return Finding(
        code=GLUED, severity=WARNING, message=words, items=ids_of(having), phrase=word, fix=f'Write "{apart}" instead.',
        edit=CaptionEdit(kind=REPLACE, find=word, text=apart, any_case=True),
    )  # fmt: skip


def _parts(word: str, trigger: str) -> Iterator[str]:
    """A word in pieces around the trigger; a single letter or digit that hangs on it goes."""
    for part in re.split(f"({re.escape(trigger)})", word):
        bare = part.strip("_-'’")
        if part == trigger or len(bare) > 1:
            yield bare


def _of_case(items: Sequence[Item], trigger: str) -> list[Finding]:
    pattern = whole_word(trigger, any_case=True)
    written = {item.id: {found for found in pattern.findall(item.caption) if found != trigger} for item in items}
    having = [item for item in items if written[item.id]]
    if not having:
        return []
    forms = ", ".join(sorted({form for forms in written.values() for form in forms}))
    edit = CaptionEdit(kind=REPLACE, find=trigger, text=trigger, any_case=True)
    words = f"The trigger is written {forms} ({count_items(having)}), which is read as another word."
    fix = f"Write {trigger}, as everywhere."
    return [Finding(code=SPELLING, severity=WARNING, message=words, items=ids_of(having), phrase=forms, fix=fix, edit=edit)]


def _of_placeholder(items: Sequence[Item], trigger: str) -> list[Finding]:
    having = [item for item in items if PLACEHOLDER_TEXT in item.caption]
    if not having:
        return []
    edit = CaptionEdit(kind=REPLACE, find=PLACEHOLDER_TEXT, text=trigger, whole_words=False)
    words = f"{PLACEHOLDER_TEXT} is a placeholder of another program and stands for nothing here ({count_items(having)})."
    fix = f"Replace it by {trigger}."
    return [Finding(code=PLACEHOLDER, severity=WARNING, message=words, items=ids_of(having), phrase=PLACEHOLDER_TEXT, fix=fix, edit=edit)]


def _of_name(items: Sequence[Item], about: About) -> list[Finding]:
    """Parts of the person's name in captions: the class prompt, which is for other people, would hold them too."""
    found = []
    for name in names_of(about):
        having = [item for item in items if whole_word(name, any_case=True).search(item.caption)]
        if not having:
            continue
        edit = CaptionEdit(kind=REPLACE, find=name, text=f"the {about.class_noun}", any_case=True)
        words = f"The name {name} stands in captions ({count_items(having)}); the class prompt, which is for other people, keeps it."
        fix = f"Leave the name out; {about.trigger} stands for the person."
        found.append(Finding(code=NAME, severity=WARNING, message=words, items=ids_of(having), phrase=name, fix=fix, edit=edit))
    return found


def names_of(about: About) -> list[str]:
    """The parts of the person's name that would say who it is: neither the trigger nor the class noun."""
    others = {about.trigger.casefold(), *words_in(about.class_noun)}
    return [part for part in dict.fromkeys(re.findall(r"[^\W\d_]+", about.name)) if len(part) >= MIN_NAME and part.casefold() not in others]


def traces_in(class_prompt: str, about: About) -> list[str]:
    """What of the trigger or the name a class prompt still holds: words that say who is meant where nobody should be."""
    trigger = about.trigger.casefold()
    words = [word for word in words_in(class_prompt) if trigger and trigger in word and not is_real_word(word)]
    return [*dict.fromkeys(words), *(name for name in names_of(about) if whole_word(name, any_case=True).search(class_prompt))]


@functools.lru_cache(maxsize=65_536)
def is_slip(word: str, trigger: str) -> bool:
    """Whether a word is the trigger with a slip: a letter added, lost or changed, two neighbours swapped; in a long one two of these, in a short
    one the same letters in another order."""
    if word == trigger or len(trigger) < MIN_FOR_SLIPS:
        return False
    most = 2 if len(trigger) >= MIN_FOR_TWO_SLIPS else 1
    return distance(word, trigger, most) <= most or sorted(word) == sorted(trigger)


def distance(word: str, other: str, most: int) -> int:
    """Letters added, lost, changed, or neighbours swapped, from one word to the other (optimal string alignment); most + 1 for more than that."""
    if abs(len(word) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(word, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if earlier and j > 1 and letter == other[j - 2] and word[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]
