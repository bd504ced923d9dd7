"""Why a pair's clips are as they are: each symptom's causes told apart by what tells them apart, with advice that looks at what was compared. Free of torch."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import median

from studio.evaluation.diagnosis import file_facts as files
from studio.evaluation.diagnosis.file_facts import FileFinding
from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.paired import Difference, compare
from studio.evaluation.judge.row import Cause, Row
from studio.evaluation.judge.table import base_scores, values_of
from studio.evaluation.sweep_facts import Sweep

# Causes, beside those that the files alone tell (file_facts).
NOTHING, TOO_LITTLE, TOO_STRONG = "nothing", "too-little", "too-strong"
ANOTHER_PERSON, NOT_THE_PERSON, UNKNOWN = "another-person", "not-the-person", "unknown"
FAINT = "faint"  # where likeness was not measured: its clips are hardly different from the base's
FROZEN, COPYING, BLEED, SCENE_BLEED, FADING, DISOBEYS = "frozen", "copying", "bleed", "scene-bleed", "fading", "disobeys"

NO_LEAD = 0.05  # of likeness over the base's: with less nobody sees the person
AS_MUCH = 0.5  # of what other pairs' clips change: a pair that changes so much has learned something
FAINTLY = 0.35  # with less its clips are hardly different from the base's
BURNT = ("clipping", "harsh")
LEARNED = {"copied", "bleed", "frozen", "disobeys"}  # faults of who has learned much
HIGHEST_USUAL = 0.85  # a strength above which clips often break
OF_FILES = {  # a finding -> the cause of what is seen in the clips; these speak before everything else
    files.EMPTY: NOTHING,
    files.SWAPPED: files.SWAPPED,
    files.EQUAL_EXPERTS: files.EQUAL_EXPERTS,
    files.OTHER_PROJECT: ANOTHER_PERSON,
    files.STANDS_APART: ANOTHER_PERSON,
    files.SCALED: files.SCALED,
    files.WEAK_FILE: files.WEAK_FILE,
    files.STRONG_FILE: TOO_STRONG,
}
SYMPTOMS = {"frozen": FROZEN, "copied": COPYING, "bleed": BLEED, "fading": FADING, "disobeys": DISOBEYS}
ADVICE = {
    FROZEN: "Layout and motion come from the high-noise file: an earlier one beside this low-noise file may move.",
    COPYING: "Take an earlier step, or more and more varied photos.",
    BLEED: "Protect other people while training.",
    SCENE_BLEED: "They do not look like the person: clothes, place or light of the photos were learned with the person, so name those in the captions.",
    FADING: "Photos from the side, and a later low-noise file, help.",
    DISOBEYS: "Captions that name what changes from photo to photo help.",
}


def with_causes(sweep: Sweep, table: Sequence[Row]) -> list[Row]:
    """The table with the causes of every row's symptoms, the most important first."""
    return [replace(row, causes=tuple(_find(sweep, row, table))) for row in table]


def _find(sweep: Sweep, row: Row, table: Sequence[Row]) -> Iterator[Cause]:
    of_files = list(_of_files(sweep, row))
    yield from of_files
    if row.does_nothing:
        if not of_files:
            yield _nothing(row)
        return
    burnt = [name for name in BURNT if name in row.faults]
    if burnt:
        yield Cause(code=TOO_STRONG, heading=f"is too strong at {row.strength:g}", cure=_cure(row, burnt, table))
    if "weak" in row.faults and not of_files and not burnt and (cause := _of_weak(sweep, row, table)):
        yield cause
    if row.identity is None and not of_files and (share := _share_of_change(sweep, row, table)) is not None and share < FAINTLY:
        yield Cause(code=FAINT, heading=_faint(share), advice="It has learned little, or its files are weak.")
    yield from _of_symptoms(row, table)


def _of_files(sweep: Sweep, row: Row) -> Iterator[Cause]:
    found: dict[str, FileFinding] = {}
    for finding in sweep.findings:
        if finding.pair == row.pair and finding.code in OF_FILES:
            found.setdefault(OF_FILES[finding.code], finding)
    for code, finding in found.items():
        yield Cause(code=code, words=finding.words, advice=finding.fix)


def _nothing(row: Row) -> Cause:
    advice = "Its files are read without a fault, so look at the strength: at 0 a pair is the base." if row.strength == 0 else ""
    return Cause(code=NOTHING, heading="changes nothing", advice=advice)


# -- it is not like the person


def _of_weak(sweep: Sweep, row: Row, table: Sequence[Row]) -> Cause | None:
    """Too little, or of somebody else: told by whether it goes beyond the base, and by whether its clips change as others' do. None for a pair
    that has learned other things only too well."""
    lead, share = _lead_over_base(sweep, row), _share_of_change(sweep, row, table)
    if lead is None or lead.mean > NO_LEAD or (share is not None and share < AS_MUCH):
        if LEARNED & set(row.faults) or _was_better_earlier(row, table):
            return None
        return Cause(code=TOO_LITTLE, heading="has learned too little", advice=_more(row, table))
    base = row.of_base("identity")
    reached = (
        f"no more like the person than the base, which reaches {percent(base)}"
        if base is not None
        else "no more like the person than the base"
    )
    if share is None:
        advice = "It has learned nothing of them yet, or its files are another person's, or swapped; compare it with another step, or draw each of its files alone."
        return Cause(code=UNKNOWN, heading=f"draws somebody who is {reached}", advice=advice)
    heading = f"draws somebody else: {reached}, although its clips change {percent(share)} as much as the other pairs'"
    advice = "Its files are another person's, or swapped, or the trigger is not the one that it was trained with: draw each of its files alone to tell."
    return Cause(code=NOT_THE_PERSON, heading=heading, advice=advice)


def _was_better_earlier(row: Row, table: Sequence[Row]) -> bool:
    """Whether an earlier step of its run is like the person at this strength: then it has not learned too little."""
    earlier = [other for other in table if (other.run, other.strength) == (row.run, row.strength) and other.step < row.step]
    return any(other.identity is not None and "weak" not in other.faults for other in earlier)


def _lead_over_base(sweep: Sweep, row: Row) -> Difference | None:
    """How much more like the person its clips are than the base's of the same prompts and seeds."""
    base = {place: float(value) for place, scores in base_scores(sweep).items() if (value := scores.get("identity")) is not None}
    return compare(values_of(sweep, row, "identity"), base)


def _share_of_change(sweep: Sweep, row: Row, table: Sequence[Row]) -> float | None:
    """How much its clips of the person change, as a share of what the other pairs' change in the same prompts and seeds; None without others."""
    own = values_of(sweep, row, "change", of_person=True)
    shares = []
    for other in table:
        if other.pair != row.pair and other.strength == row.strength and not other.does_nothing:
            its = values_of(sweep, other, "change", of_person=True)
            both = [place for place in own.keys() & its.keys() if its[place]]
            shares += [median(own[place] / its[place] for place in both)] if both else []
    return median(shares) if shares else None


def _more(row: Row, table: Sequence[Row]) -> str:
    """What would give more likeness, of what was not compared yet."""
    own = [other for other in table if other.pair == row.pair and other.strength > row.strength and other.identity is not None]
    if any("weak" not in other.faults for other in own):
        return f"At {min(other.strength for other in own if 'weak' not in other.faults):g} it reaches enough."
    later = [
        other
        for other in table
        if other.run == row.run and other.step > row.step and "weak" not in other.faults and other.identity is not None
    ]
    if later:
        return ""
    return (
        "Train longer."
        if own or row.strength >= HIGHEST_USUAL
        else f"Train longer, or compare a higher strength such as {HIGHEST_USUAL:g}."
    )


def _faint(share: float) -> str:
    return f"changes the clips only {percent(share)} as much as the other pairs do"


# -- the other symptoms


def _of_symptoms(row: Row, table: Sequence[Row]) -> Iterator[Cause]:
    for fault, code in SYMPTOMS.items():
        if fault in row.faults:
            yield Cause(code=code, cure=_cure(row, [fault], table), advice=ADVICE[code])
    if "drift" in row.faults and "bleed" not in row.faults and row.number("resemblance") is not None:
        yield Cause(code=SCENE_BLEED, cure=_cure(row, ["drift"], table), advice=ADVICE[SCENE_BLEED])


def _cure(row: Row, faults: Sequence[str], table: Sequence[Row]) -> str:
    """Where among what was compared it is not so; else what has not been compared yet."""
    lower = [other for other in table if other.pair == row.pair and other.strength < row.strength]
    well = [other.strength for other in lower if _is_free(other, faults)]
    if well:
        return f"At {max(well):g} it is not so: use that strength."
    earlier = [other for other in table if other.run == row.run and other.step < row.step and other.strength == row.strength]
    free = [other for other in earlier if _is_free(other, faults) and not other.does_nothing]
    if free:
        return f"{max(free, key=lambda other: other.step).name} is not so at {row.strength:g}."
    if lower:
        return "It is so at every strength that was compared."
    return f"Compare a lower strength, such as {max(row.strength - 0.2, 0.4):.1g}." if row.strength > 0.5 else ""


def _is_free(row: Row, faults: Sequence[str]) -> bool:
    return not any(fault in row.faults for fault in faults)
