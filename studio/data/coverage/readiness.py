"""How ready the kept photos are: one share, one grade, and every finding with what it will probably cause. Nothing but an empty set stops training."""

from dataclasses import dataclass

from studio.data.coverage.board import Board
from studio.data.coverage.shortfall import ADD_PHOTOS, Shortfall, lacking
from studio.words import count

EMPTY, FEW, NOT_MEASURED = "empty", "few", "not-measured"
STRANGERS, UNSURE, NO_CAPTIONS, FAULTS, SMALL, ASKED = "strangers", "unsure", "no-captions", "faults", "small-photos", "asked"
ENOUGH_PHOTOS, ENOUGH_CLIPS = 10, 12  # a good dataset has 10 to 30 photos, or 12 to 20 clips (DESIGN.md)
READY, GOOD, FAIR, WEAK = "ready", "good", "fair", "weak"
_GRADES = ((0.93, READY), (0.75, GOOD), (0.5, FAIR), (0.0, WEAK))  # least share -> grade


@dataclass(frozen=True, kw_only=True)
class KeptSet:
    """What is kept, in numbers. ids where a finding shows them.

    unmeasured, strangers, unsure, faulty, small, bare: how many are not measured, show somebody else, may do so, have a fault, are smaller than
    training wants, have no caption. question: what a human must say before anybody is compared, or "".
    """

    photos: int
    clips: int
    unmeasured: int = 0
    strangers: int = 0
    unsure: int = 0
    faulty: int = 0
    small: int = 0
    bare: int = 0
    question: str = ""

    @property
    def num_items(self) -> int:
        return self.photos + self.clips


@dataclass(frozen=True)
class Readiness:
    """share: 0 to 1; grade: READY, GOOD, FAIR or WEAK; findings: what costs most first."""

    share: float
    grade: str
    findings: tuple[Shortfall, ...]


def judge(kept: KeptSet, board: Board) -> Readiness:
    """Of what is kept. What was not measured costs a word, and no more than the doubt that it leaves."""
    if not kept.num_items:
        cause = "there is nothing to train with"
        return Readiness(0.0, WEAK, (Shortfall(code=EMPTY, words="nothing is kept", cause=cause, weight=1.0, action=ADD_PHOTOS),))
    findings = [*_of_number(kept), *_of_person(kept), *_of_quality(kept), *lacking(board)]
    share = round(max(0.0, 1 - sum(finding.weight for finding in findings)), 2)  # the grade goes by what is shown
    grade = next(grade for least, grade in _GRADES if share >= least)
    return Readiness(share, grade, tuple(sorted(findings, key=lambda finding: -finding.weight)))


def _of_number(kept: KeptSet) -> list[Shortfall]:
    """Photos and clips count together: ten photos, twelve clips, or a part of each, make enough."""
    reached = kept.photos / ENOUGH_PHOTOS + kept.clips / ENOUGH_CLIPS
    if reached >= 1:
        return []
    only = " and ".join(count(n, noun) for n, noun in ((kept.photos, "photo"), (kept.clips, "clip")) if n)
    words = f"only {only}; {ENOUGH_PHOTOS} photos or {ENOUGH_CLIPS} clips make a good start"
    cause = "the LoRA may repeat these photos instead of learning the person"
    return [Shortfall(code=FEW, words=words, cause=cause, weight=round(0.5 * (1 - reached), 3), action=ADD_PHOTOS)]


def _of_person(kept: KeptSet) -> list[Shortfall]:
    found = []
    if kept.question:
        found.append(Shortfall(code=ASKED, words=kept.question, cause="strangers can't be told from the person before", weight=0.1))
    if kept.strangers:
        words = f"{count(kept.strangers, 'kept photo shows', 'kept photos show')} somebody else"
        weight = min(0.5, 2 * kept.strangers / kept.num_items)
        cause = "the LoRA may mix two people"
        found.append(Shortfall(code=STRANGERS, words=words, cause=cause, weight=weight, show="kept/who:stranger"))
    if kept.unsure:
        words = f"{count(kept.unsure, 'kept photo', 'kept photos')} may show somebody else: please look"
        weight = min(0.1, kept.unsure / kept.num_items)
        found.append(Shortfall(code=UNSURE, words=words, cause="the LoRA may mix two people", weight=weight, show="kept/who:look"))
    return found


def _of_quality(kept: KeptSet) -> list[Shortfall]:
    found = []
    if kept.unmeasured:
        words = f"{count(kept.unmeasured, 'photo or clip is', 'photos and clips are')} not measured yet"
        weight = 0.15 * kept.unmeasured / kept.num_items
        cause = "blurred photos, twins and other people are not found"
        found.append(Shortfall(code=NOT_MEASURED, words=words, cause=cause, weight=weight, action="check-photos"))
    if kept.faulty:
        words = f"{count(kept.faulty, 'kept photo has', 'kept photos have')} a fault"
        weight = min(0.2, 0.5 * kept.faulty / kept.num_items)
        found.append(Shortfall(code=FAULTS, words=words, cause="blur and damage are learned, too", weight=weight, show="doubt"))
    if kept.small:
        words = f"{count(kept.small, 'kept photo is', 'kept photos are')} smaller than training wants, and never enlarged"
        weight = min(0.1, 0.2 * kept.small / kept.num_items)
        found.append(Shortfall(code=SMALL, words=words, cause="fine detail can't be learned from those", weight=weight, show="small"))
    if kept.bare:
        words = f"{count(kept.bare, 'has', 'have')} no caption"
        weight = 0.12 * kept.bare / kept.num_items
        cause = "clothes and places that no caption names are learned as the person"
        found.append(Shortfall(code=NO_CAPTIONS, words=words, cause=cause, weight=weight, action="write-captions", show="no-caption"))
    return found
