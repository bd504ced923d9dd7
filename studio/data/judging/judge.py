"""Holds the measurements of a photo against the limits: reasons to leave it out and doubts, each with its figure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.data import remarks as said
from studio.data.item_record import Item
from studio.data.judging.thresholds import BY_NAME, LEAVE_OUT, THRESHOLDS, WARN, Sight, Threshold
from studio.data.looking.look import Look
from studio.data.people.groups import SAME_LEAST
from studio.data.people.sightings import LEAST_WIDTH
from studio.data.people.who import CANT_TELL, GUARD_LEAST, LOOK, LOOK_LEAST, STRANGER, Seen, person_face
from studio.data.remarks import Remark

UNCLEAR_WORDS = "please look: who this is can't be told from this face, and it is little like the person's"
SIZE_LEAST, SIZE_WANTED = 1 / 3, 2 / 3  # of the side that training takes: what is smaller would be enlarged three times, or one and a half


@dataclass(frozen=True)
class Finding:
    """A limit that a photo is beyond, with its value."""

    threshold: Threshold
    value: float
    limit: float

    @property
    def remark(self) -> Remark:
        return Remark(code=self.threshold.code, words=self.threshold.words)

    @property
    def figure(self) -> str:
        return self.threshold.say(self.value, self.limit)


@dataclass(frozen=True)
class Judgement:
    """What is said of one photo by its measurements."""

    reasons: tuple[Remark, ...] = ()  # to leave it out
    warnings: tuple[Remark, ...] = ()  # doubts


def sight_of(look: Look, seen: Seen | None) -> Sight:
    """What the limits are held against: the person's face where it is known, else the largest."""
    return Sight(look, person_face(look, seen), seen.share_of_others if seen else 0.0)


def find_faults(look: Look, seen: Seen | None, limits: Mapping[str, float]) -> list[Finding]:
    """Every limit that a photo is beyond, the gravest first. limits: those that were moved."""
    sight, found = sight_of(look, seen), []
    for threshold in THRESHOLDS:
        value, limit = threshold.measure(sight), limits.get(threshold.name, threshold.limit)
        if value is not None and threshold.is_beyond(value, limit):
            found.append(Finding(threshold, value, limit))
    return found


def how_many(name: str, limit: float, looks: Mapping[str, Look], seen: Mapping[str, Seen]) -> int:
    """How many photos a limit would flag if it lay there. Nothing is measured for that."""
    threshold = BY_NAME[name]
    return sum(threshold.is_beyond(threshold.measure(sight_of(look, seen.get(item))), limit) for item, look in looks.items())


def judge_look(look: Look, seen: Seen | None, limits: Mapping[str, float]) -> Judgement:
    """What is said of a photo whose faces were looked for."""
    findings = find_faults(look, seen, limits)
    reasons = [found.remark for found in findings if found.threshold.grade == LEAVE_OUT]
    doubts = [found.remark for found in findings if found.threshold.grade == WARN]
    return Judgement(_once(reasons), _once(_milder(doubts, reasons)))


def _once(remarks: Sequence[Remark]) -> tuple[Remark, ...]:
    """The first remark of each code: two limits may say the same."""
    return tuple({remark.code: remark for remark in reversed(remarks)}.values())[::-1]


def _milder(doubts: Sequence[Remark], reasons: Sequence[Remark]) -> list[Remark]:
    """The doubts that no reason says more strongly."""
    return [doubt for doubt in doubts if doubt.code not in {reason.code for reason in reasons}]


def judge_size(item: Item, wanted: int, face_share: float | None = None) -> Judgement:
    """What is said of an item's px. wanted: the side that training takes; face_share: width of the person's face as a share of the item's.

    Nothing is ever enlarged: a small photo shows as much of a face as a large one that is scaled down to the same face. So where there is a face,
    its px in training tell whether a photo is small, and not its own."""
    side = min(item.width, item.height)
    if side < wanted * SIZE_LEAST:
        return Judgement(reasons=(Remark(code=said.SIZE, words=f"too small: {side} px on the short side"),))
    if face_share is not None:
        face = round(face_share * item.width * min(1.0, wanted / math.sqrt(item.width * item.height)))
        words = f"small: {face} px of the face are left at the size that training takes; {LEAST_WIDTH} are wanted"
        return Judgement(warnings=(Remark(code=said.SIZE, words=words),)) if face < LEAST_WIDTH else Judgement()
    words = f"small: {side} px on the short side"
    return Judgement(warnings=(Remark(code=said.SIZE, words=words),)) if side < wanted * SIZE_WANTED else Judgement()


def judge_who(seen: Seen, can_accuse: bool = True) -> Judgement:
    """What is said of who a photo shows. Without can_accuse nobody is called somebody else."""
    if seen.said and seen.who == STRANGER:
        return Judgement(reasons=(Remark(code=said.SAID_OTHER, words="you said that this is somebody else"),))
    if seen.who == STRANGER and can_accuse:
        return Judgement(reasons=(Remark(code=said.STRANGER, words="shows a different person than the other photos"),))
    if seen.who == LOOK and can_accuse:
        return Judgement(warnings=(Remark(code=said.PLEASE_LOOK, words="please look: this may be somebody else"),))
    if seen.num_alike > 1 and not seen.said:
        return Judgement(warnings=(Remark(code=said.TWO_ALIKE, words="two faces here are like the person: say which one is meant"),))
    if seen.who == CANT_TELL and can_accuse and seen.face is not None:
        if seen.likeness is not None and seen.likeness < GUARD_LEAST:
            return Judgement(warnings=(Remark(code=said.PLEASE_LOOK, words=UNCLEAR_WORDS),))
        return Judgement(warnings=(Remark(code=said.CANT_TELL, words="who this is can't be told from this face"),))
    return Judgement()


def figure_of_who(seen: Seen) -> str:
    """How like the person the face is, for those who ask."""
    if seen.likeness is None:
        return "the face could not be compared"
    return f"likeness {seen.likeness:.2f}: from {SAME_LEAST:.2f} it is the person, below {LOOK_LEAST:.2f} somebody else"
