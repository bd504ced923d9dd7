"""What is wrong with pairs by their files alone, before anything is drawn: a finding each, with its sentence and what can be done. Free of torch."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Self

from studio.config import EXPERTS
from studio.errors import Problem
from studio.evaluation.diagnosis import file_facts as codes
from studio.evaluation.diagnosis.file_facts import FileFinding, FileMeasures
from studio.training.pairs import Pair

# Measured on runs of the tiny model (tests/benchmarks/diagnosis.py); cosines of whole updates, about.
SAME = 0.999  # the same update, whatever its strength
SAME_STRENGTH = 0.02  # by which the strengths of equal updates may differ, of number formats
CROSSED = 0.3  # a file and the other expert's: below .1; steps of one run: .35 to .92
CROSSED_LEAD = 0.2  # by which it must be more like the other expert's files than its own expert's
ONE_RUN = 0.6  # a step and the nearest one of its run: .81 and more
APART = 0.6  # through that: another person's file, with the same seed and so the same first values, reaches .37
FALL = 0.5  # through the strength of an earlier step of its run: training does not halve what it has learned
RISE = 5.0  # times the strength of all others of the comparison
LEAVE_OUT = "Leave it out of the comparison."
HIGH, LOW = EXPERTS


@dataclass(frozen=True, kw_only=True)
class ReadFile:
    """One file: its measures, or why it can't be read. is_changed: whether it is not the file that was saved."""

    sha256: str = ""
    measures: FileMeasures | None = None
    trouble: Problem | None = None
    is_changed: bool = False


@dataclass(frozen=True, kw_only=True)
class ReadPair:
    """files: {expert: what was read} of the experts that were trained. title: of a guest, "" for the project's own; for_both: whether one file is
    meant for both experts."""

    pair: Pair
    files: Mapping[str, ReadFile] = field(default_factory=dict)
    title: str = ""
    for_both: bool = False

    @property
    def id(self) -> str:
        return self.pair.id

    @property
    def name(self) -> str:
        return f'the guest "{self.title}"' if self.title else f"step {self.pair.step} of {self.pair.run}"

    def is_of_run_of(self, other: Self) -> bool:
        """Whether one training made both."""
        return not self.title and not other.title and self.pair.run == other.pair.run

    def measures(self, expert: str) -> FileMeasures | None:
        return self.files[expert].measures if expert in self.files else None


def find_all(pairs: Sequence[ReadPair], elsewhere: Mapping[str, str] | None = None) -> list[FileFinding]:
    """Of pairs that are compared with each other, in their order. elsewhere: {sha256: the project it belongs to} of other projects' files."""
    found = [finding for pair in pairs for finding in _find(pair, pairs, elsewhere or {})]
    return list(dict.fromkeys(found))


def _find(read: ReadPair, pairs: Sequence[ReadPair], elsewhere: Mapping[str, str]) -> Iterator[FileFinding]:
    alone = list(_of_one(read))
    yield from alone
    if any(finding.is_error for finding in alone):
        return
    others = [other for other in pairs if other.id != read.id]
    misplaced = list(_equal_experts(read)) or _swapped(read, others)
    yield from misplaced
    yield from _of_other_projects(read, elsewhere)
    same = list(_same(read, others))
    yield from same
    if not misplaced and not same:
        yield from _apart(read, others)
        yield from _strength(read, others)


# -- one pair


def _of_one(read: ReadPair) -> Iterator[FileFinding]:
    if not read.files:
        words = f"Neither file of {read.name} was trained: it would draw exactly what the base draws."
        yield FileFinding(code=codes.EMPTY, pair=read.id, words=words, fix=LEAVE_OUT, is_error=True)
    for expert, file in read.files.items():
        yield from _of_file(read, expert, file)


def _of_file(read: ReadPair, expert: str, file: ReadFile) -> Iterator[FileFinding]:
    which = f"The {_noise(expert)} file of {read.name}"
    if file.trouble:
        fix = f"{file.trouble.fix} Or leave the pair out of the comparison.".strip()
        words = f"{which} can't be used: {file.trouble.message}"
        yield FileFinding(code=codes.UNREADABLE, pair=read.id, expert=expert, words=words, fix=fix, is_error=True)
        return
    if file.is_changed or file.measures is None:
        words = f"{which} was changed or damaged after it was saved."
        fix = "Restore it from a backup, or leave the pair out of the comparison."
        yield FileFinding(code=codes.CHANGED, pair=read.id, expert=expert, words=words, fix=fix, is_error=True)
        return
    if file.measures.unfit:
        words = f"{which} is for another model: {file.measures.unfit}."
        yield FileFinding(code=codes.OTHER_MODEL, pair=read.id, expert=expert, words=words, fix=LEAVE_OUT, is_error=True)
    if file.measures.is_empty:
        words = f"{which} changes nothing: all that it would add to the model is zero."
        fix = "Use another step, or leave the pair out of the comparison."
        yield FileFinding(code=codes.EMPTY, pair=read.id, expert=expert, words=words, fix=fix, is_error=True)


def _noise(expert: str) -> str:
    """ "high-noise"."""
    return expert.replace("_", "-")


def _equal_experts(read: ReadPair) -> Iterator[FileFinding]:
    high, low = read.measures(HIGH), read.measures(LOW)
    if not read.for_both and high and low and _is_same(high, low):
        words = f"Both files of {read.name} are the same: one of them is in the place of the other."
        fix = "Look for the file that is missing; a pair of one run has two different ones."
        yield FileFinding(code=codes.EQUAL_EXPERTS, pair=read.id, words=words, fix=fix)


def _of_other_projects(read: ReadPair, elsewhere: Mapping[str, str]) -> Iterator[FileFinding]:
    if read.title:  # it may well be another person's
        return
    projects = list(dict.fromkeys(elsewhere[file.sha256] for file in read.files.values() if file.sha256 in elsewhere))
    if projects:
        words = f"A file of {read.name} lies in the project {projects[0]}, too: one of the two draws somebody else's person."
        fix = "Put back the file of this run, or leave the pair out of the comparison."
        yield FileFinding(code=codes.OTHER_PROJECT, pair=read.id, other=projects[0], words=words, fix=fix)


# -- against the others


def _swapped(read: ReadPair, others: Sequence[ReadPair]) -> list[FileFinding]:
    """Its two files in each other's place: as their own headers say, or as they are like the other expert's files of the others."""
    told = [(expert, measures.expert) for expert in EXPERTS if (measures := read.measures(expert)) and measures.expert]
    by_header = bool(told) and all(own != said for own, said in told)
    if not by_header and (told or not _is_alike_crosswise(read, others)):
        return []
    why = "their own headers say so" if by_header else "they are like the other expert's files of the other pairs"
    open_with = "" if by_header or len(others) > 1 or _has_headers(others) else f", or those of {others[0].name},"
    words = f"The high-noise and low-noise files of {read.name}{open_with} are swapped: {why}."
    return [FileFinding(code=codes.SWAPPED, pair=read.id, words=words, fix="Exchange the two files, then compare it again.")]


def _has_headers(pairs: Sequence[ReadPair]) -> bool:
    return any(measures.expert for pair in pairs for expert in EXPERTS if (measures := pair.measures(expert)))


def _is_alike_crosswise(read: ReadPair, others: Sequence[ReadPair]) -> bool:
    """Whether each file is unlike its expert's files, and like the other expert's."""
    crossed = [
        (_nearest(read.measures(own), others, other), _nearest(read.measures(own), others, own))
        for own, other in ((HIGH, LOW), (LOW, HIGH))
    ]
    return all(there is not None and there > CROSSED and (here is None or there > here + CROSSED_LEAD) for there, here in crossed)


def _nearest(own: FileMeasures | None, others: Sequence[ReadPair], expert: str) -> float | None:
    """The highest cosine to a file of that expert among the others."""
    found = [alike[0] for other in others if (its := other.measures(expert)) and own and (alike := own.compare(its))]
    return max(found, default=None)


def _same(read: ReadPair, others: Sequence[ReadPair]) -> Iterator[FileFinding]:
    """Files that are another pair's, at the same or at another strength. Of two equal ones the later is named; of two strengths of one update the
    one that is further from what is usual in the comparison, of two alone the weaker."""
    relations = {other.id: _relations(read, other) for other in others}
    scaled = [other for other in others if any(_is_scaled(factor) for factor in relations[other.id].values())]
    originals = [other for other in scaled if _is_odder(read, other, others)]
    if originals:
        yield _scaled(read, min(originals, key=lambda other: _oddness(other, [read, *others])), relations)
    for other in others:
        same = [expert for expert, factor in relations[other.id].items() if not _is_scaled(factor)]
        if other in scaled or not same or not _is_later(read, other) or _went_on_unchanged(read, other, same):
            continue
        if len(same) == len(read.files) == len(other.files):
            words = f"{_capital(read.name)} holds the same files as {other.name}: their clips are the same, too."
            yield FileFinding(code=codes.SAME_PAIR, pair=read.id, other=other.id, words=words, fix="One of them is enough.")
        else:
            words = f"The {_noise(same[0])} file of {read.name} is the one of {other.name}."
            yield FileFinding(code=codes.SAME_FILE, pair=read.id, other=other.id, expert=same[0], words=words, fix="")


def _scaled(read: ReadPair, other: ReadPair, relations: Mapping[str, Mapping[str, float]]) -> FileFinding:
    factors = {expert: factor for expert, factor in relations[other.id].items() if _is_scaled(factor)}
    is_one = len(factors) == 1
    which = f"The {_noise(next(iter(factors)))} file" if is_one else "The files"
    factor = min(factors.values()) if min(factors.values()) < 1 else max(factors.values())
    strength = f"{factor:.2g} of its strength" if factor < 1 else f"{factor:.2g} times its strength"
    words = f"{which} of {read.name} {'is that' if is_one else 'are those'} of {other.name} at {strength}."
    where = "a lower" if factor < 1 else "a higher"
    code = codes.SCALED if factor < 1 else codes.STRONG_FILE
    return FileFinding(code=code, pair=read.id, other=other.id, words=words, fix=f"Compare {other.name} at {where} strength instead.")


def _is_scaled(factor: float) -> bool:
    return abs(factor - 1) > SAME_STRENGTH


def _is_odder(read: ReadPair, other: ReadPair, others: Sequence[ReadPair]) -> bool:
    own, its = (round(_oddness(one, [read, *others]), 6) for one in (read, other))
    return own > its


def _oddness(read: ReadPair, pairs: Sequence[ReadPair]) -> float:
    """How far its files' strengths lie from the median of all pairs', as the mean of logarithms."""
    found = []
    for expert in read.files:
        norms = [measures.norm for pair in pairs if (measures := pair.measures(expert)) and not measures.is_empty]
        own = read.measures(expert)
        if own and not own.is_empty:
            found.append(abs(math.log(own.norm / median(norms))))
    return fmean(found) if found else 0.0


def _relations(read: ReadPair, other: ReadPair) -> dict[str, float]:
    """{expert: how many times as strong its file is} where both have the same update."""
    return {expert: factor for expert in read.files if expert in other.files and (factor := _relation(read, other, expert))}


def _relation(read: ReadPair, other: ReadPair, expert: str) -> float | None:
    """How many times as strong its file is as the other's, where both are the same update; None where they are not."""
    own, its = read.measures(expert), other.measures(expert)
    alike = own.compare(its) if own and its else None
    return alike[1] if alike and alike[0] > SAME else None


def _is_same(one: FileMeasures, other: FileMeasures) -> bool:
    alike = one.compare(other)
    return alike is not None and alike[0] > SAME and abs(alike[1] - 1) <= SAME_STRENGTH


def _is_later(read: ReadPair, other: ReadPair) -> bool:
    """Guests come after the project's own."""
    return (bool(read.title), read.pair.run, read.pair.step, read.id) > (bool(other.title), other.pair.run, other.pair.step, other.id)


def _went_on_unchanged(read: ReadPair, other: ReadPair, same: Iterable[str]) -> bool:
    """Whether its manifest says that those experts took no step between the two: their turns are long."""
    steps = [(pair.pair.manifest.experts[expert].steps) for expert in same for pair in (read, other)]
    return read.is_of_run_of(other) and all(steps) and all(a == b for a, b in zip(steps[::2], steps[1::2], strict=True))


def _apart(read: ReadPair, others: Sequence[ReadPair]) -> Iterator[FileFinding]:
    """Unlike all others of its run, which are alike: it comes from another training."""
    same_run = [other for other in others if other.is_of_run_of(read)]
    unlike = [expert for expert in EXPERTS if _is_unlike(read, same_run, expert)]
    if unlike:
        which = "Its files are" if len(unlike) == 2 else f"Its {_noise(unlike[0])} file is"
        words = f"{_capital(read.name)} does not come from the training of the others in its run. {which} unlike all of theirs, as another person's would be."
        fix = "Put back the files of this run, or leave the pair out of the comparison."
        yield FileFinding(code=codes.STANDS_APART, pair=read.id, expert="" if len(unlike) == 2 else unlike[0], words=words, fix=fix)


def _is_unlike(read: ReadPair, others: Sequence[ReadPair], expert: str) -> bool:
    rest = [other for other in others if other.measures(expert)]
    nearest = _nearest(read.measures(expert), rest, expert)
    among = [_nearest(other.measures(expert), [o for o in rest if o is not other], expert) for other in rest]
    known = [alike for alike in among if alike is not None]
    return nearest is not None and len(known) > 1 and min(known) > ONE_RUN and nearest < APART * min(known)


def _strength(read: ReadPair, others: Sequence[ReadPair]) -> Iterator[FileFinding]:
    """Files far weaker than an earlier step of the run, or far stronger than all others."""
    for expert in read.files:
        own = read.measures(expert)
        known = [(other, its) for other in others if (its := other.measures(expert)) and not its.is_empty]
        if own is None or not known:
            continue
        earlier = [its.norm for other, its in known if other.is_of_run_of(read) and other.pair.step < read.pair.step]
        usual = median(its.norm for _, its in known)
        if earlier and own.norm < FALL * max(earlier):
            words = f"The {_noise(expert)} file of {read.name} is only {own.norm / max(earlier):.2g} times as strong as an earlier step's, although training goes on from there."
            yield FileFinding(code=codes.WEAK_FILE, pair=read.id, expert=expert, words=words, fix="Use another step.")
        elif own.norm > RISE * max(its.norm for _, its in known):
            words = f"The {_noise(expert)} file of {read.name} is {own.norm / usual:.2g} times as strong as the others'."
            yield FileFinding(code=codes.STRONG_FILE, pair=read.id, expert=expert, words=words, fix="Compare it at a lower strength.")


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
