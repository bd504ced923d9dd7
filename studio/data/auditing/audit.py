"""Looks over all captions of the kept items together, and says what to mend. Nothing that it finds stands in the way of training."""

import collections
import re
from collections.abc import Sequence

from studio.data.auditing.causes import find_fused
from studio.data.auditing.disagreements import find_contradictions
from studio.data.auditing.finding import ERROR, SAME, TRIGGER, WARNING, About, Finding, count_items, ids_of
from studio.data.auditing.spelling import find_spellings
from studio.data.captions.edits import BEGIN, CaptionEdit
from studio.data.captions.rules import NO_CAPTION, NO_TRIGGER, PLAIN, TRIGGER_LATER, check_trigger, says_nothing
from studio.data.captions.whole_words import whole_word, words_in
from studio.data.item_record import Item
from studio.data.remarks import CUT, Remark

_SAY = "Say what differs: clothes, pose, place, light."


def audit(items: Sequence[Item], about: About) -> list[Finding]:
    """Findings about all captions of the kept items together, errors first."""
    items = [item for item in items if item.keep]
    captioned = [item for item in items if item.caption]
    found = [*_of_trigger(about), *_find_empty(items), *_find_missing_trigger(captioned, about.trigger)]
    found += find_spellings(captioned, about)
    found += [*_find_plain(captioned, about), *_find_cut(captioned, about), *_find_duplicates(captioned)]
    found += [*find_contradictions(captioned, about), *find_fused(captioned, about)]
    return sorted(found, key=lambda finding: finding.severity != ERROR)


def _of_trigger(about: About) -> list[Finding]:
    fix = "Change the trigger in the project's settings."
    remarks = check_trigger(about.trigger, about.class_noun)
    return [Finding(code=TRIGGER, severity=ERROR, message=remark.words, items=(), fix=fix, phrase=remark.code) for remark in remarks]


def _find_empty(items: Sequence[Item]) -> list[Finding]:
    empty = [item for item in items if not item.caption]
    fix = "Write them, or let the captioner write them."
    return [_plain_finding(NO_CAPTION, ERROR, f"{count_items(empty)} without a caption.", empty, fix)] if empty else []


def _find_missing_trigger(items: Sequence[Item], trigger: str) -> list[Finding]:
    if not trigger:
        return []
    pattern = whole_word(trigger, any_case=True)
    missing = [item for item in items if not pattern.search(item.caption)]
    later = [item for item in items if pattern.search(item.caption) and not re.match(pattern, item.caption)]
    found = []
    if missing:
        edit = CaptionEdit(kind=BEGIN, text=trigger)
        fix = f"Begin each caption with {trigger}."
        words = f"{count_items(missing)} without the trigger {trigger}."
        found.append(Finding(code=NO_TRIGGER, severity=ERROR, message=words, items=ids_of(missing), fix=fix, edit=edit))
    if later:
        words = f"{count_items(later)} where {trigger} does not come first."
        found.append(_plain_finding(TRIGGER_LATER, WARNING, words, later, f"Move {trigger} to the front."))
    return found


def _find_plain(items: Sequence[Item], about: About) -> list[Finding]:
    having = [item for item in items if says_nothing(item.caption, about.trigger, about.class_noun)]
    words = f"{count_items(having)} whose caption says nothing about the scene."
    return [_plain_finding(PLAIN, WARNING, words, having, "Say what may change: clothes, pose, place, light.")] if having else []


def _find_cut(items: Sequence[Item], about: About) -> list[Finding]:
    """Captions of which the base model does not see the end."""
    if about.reader is None:
        return []
    rest = {item.id: about.reader.unread(item.caption) for item in items}
    having = [item for item in items if rest[item.id]]
    if not having:
        return []
    words = f"{count_items(having)} whose caption is longer than the {about.reader.prompt_tokens} tokens that the model reads."
    details = tuple(Remark(code=CUT, words=f'Not read: "{rest[item.id]}".', about=item.id) for item in having)
    fix = "Shorten them: what stands at the end is not learned."
    return [Finding(code=CUT, severity=WARNING, message=words, items=ids_of(having), fix=fix, details=details)]


def _find_duplicates(items: Sequence[Item]) -> list[Finding]:
    groups = collections.defaultdict(list)
    for item in items:
        groups[" ".join(words_in(item.caption))].append(item)
    several = [group for group in groups.values() if len(group) > 1]
    return [_plain_finding(SAME, WARNING, f"{count_items(group)} with the same caption.", group, _SAY) for group in several]


def _plain_finding(code: str, severity: str, message: str, items: Sequence[Item], fix: str) -> Finding:
    return Finding(code=code, severity=severity, message=message, items=ids_of(items), fix=fix)
