"""The verdict in plain sentences: what was measured, and nothing that was not. Free of torch."""

from collections.abc import Iterator, Sequence

from studio.config import EXPERTS
from studio.evaluation.diagnosis.symptom_causes import NOT_THE_PERSON, UNKNOWN
from studio.evaluation.judge.figures import percent, percent_or_not
from studio.evaluation.judge.measuring import was_seen
from studio.evaluation.judge.paired import LEAST_PAIRS, Difference, Interval, Outcome, compare
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.score import Fault, Finding, Gap, Loss, Telling
from studio.evaluation.judge.scores import parts
from studio.evaluation.judge.table import values_of
from studio.evaluation.sweep_facts import PERSON, Sweep
from studio.models.eyes import LikenessScale, find_eye
from studio.models.preset import WAN_WORDS, list_models, model_preset

NOT_MEASURED = "Likeness was not measured: look at the faces in the clips before you decide."
TOO_FEW = "Likeness was not measured: keep at least {} photos of one person in the dataset, then run the comparison again."
NOBODY = "Likeness was not measured: no prompt asks for the person."
SHARES = ("identity", "identity_fall", "resemblance", "follows", "motion", "visible", "sharpness", "clipping")  # what is said in percent
CLEAN_PLACE, ADVICE_PLACE = 60, 80  # of the sentences on what is wrong with the best pair, and what helps, among those that scores tell
AGAINST_BEST = {
    Outcome.BETTER: "more like the person than the best of yours",
    Outcome.WORSE: "less like the person than the best of yours",
    Outcome.EQUAL: "as like the person as the best of yours",
    Outcome.OPEN: "too close to the best of yours to call",
}
EXPERT_WORDS: dict[str, str] = dict(zip(EXPERTS, WAN_WORDS, strict=True))


def summary(best: Row, likeness: Interval | None) -> str:
    """ "Identity 91 % of your photos (87 to 95); motion 94 % of the base."."""
    between = f" ({_bare(likeness.low)} to {_bare(likeness.high)})" if likeness else ""
    motion = f"; motion {percent(best.motion)} of the base" if best.motion is not None else ""
    about = "about " if best.values.get("identity_about") else ""
    return f"Identity {about}{percent_or_not(best.identity)} of your photos{between}{motion}."


def _bare(share: float) -> str:
    """ "87"."""
    return f"{100 * max(share, 0):.0f}"


def reasons(sweep: Sweep, best: Row, rest: Sequence[Row], table: Sequence[Row], open_with: Row | None) -> list[str]:
    """Sentences after the summary for a pair that was named by its likeness, the most important first. open_with: what it can't be told from."""
    why = [*_told_of(best), _strength_sentence(best, table), *_compare_pairs(sweep, best, rest, table), *_sentences_of_files(sweep)]
    why += [_held_out_sentence(best, rest)] if best.held_out else []
    why += _left_out_sentences(table)
    return [*why, _open_sentence(sweep, best, open_with)] if open_with else why


def _open_sentence(sweep: Sweep, best: Row, other: Row) -> str:
    """That two pairs can't be told apart, and what would settle it."""
    said = f"{best.name} and {other.name_within} are too close to call by these measures"
    difference = compare(values_of(sweep, best, "identity"), values_of(sweep, other, "identity"))
    if difference is None or difference.num_values < LEAST_PAIRS:
        return f"{said}: compare their clips and trust your eye."
    apart = f"in the same {difference.num_values} clips the first reaches {_points_more(difference)}"
    if difference.outcome is Outcome.EQUAL:
        return f"{said}: {apart}, too little to matter. Take the one whose clips you like better."
    more = difference.clips_to_settle()
    tell = f"about {more} more clips of each would probably tell" if more else "more clips would hardly tell"
    return f"{said}: {apart}; {tell}. Or compare their clips and trust your eye."


def _points_more(difference: Difference) -> str:
    """ "+2 points of likeness (-1 to +5)"."""
    return f"{100 * difference.mean:+.0f} points of likeness ({100 * difference.low:+.0f} to {100 * difference.high:+.0f})"


def beside_guests(sweep: Sweep, best: Row, guests: Sequence[Row]) -> Iterator[str]:
    """How each guest stands to the pair that is named."""
    for row in guests:
        difference = compare(values_of(sweep, row, "identity"), values_of(sweep, best, "identity"))
        said = f"{row.name} reaches {percent_or_not(row.identity)} at {row.strength:g}"
        how = AGAINST_BEST[difference.outcome] if difference and difference.num_values >= LEAST_PAIRS else AGAINST_BEST[Outcome.OPEN]
        apart = (
            f" ({_points_more(difference)} in the same {difference.num_values} clips)"
            if difference and difference.num_values >= LEAST_PAIRS
            else ""
        )
        wrong = f". {'; '.join(row.problems).capitalize()}" if row.found else ""
        yield f"{said}: {how}{apart}{wrong}."


def what_may_be_wrong(sweep: Sweep, rows: Sequence[Row], table: Sequence[Row]) -> list[str]:
    """Sentences where likeness was not measured: why not, then each row's faults. They warn, and put no pair before another."""
    faulty = [row for row in rows if row.found or any(cause.heading for cause in row.causes)]
    told = {finding.pair for finding in sweep.findings}
    why = [_unmeasured(sweep, table), *_sentences_of_files(sweep)]
    why += ["These are what may have gone wrong:"] if faulty else []
    why += [_warning(row) for row in faulty]
    why += [_clean_sentence([row for row in rows if row.pair not in told], faulty), *_left_out_sentences(table)]
    why += [gap.words for gap in parts(Gap) if any(gap.is_in(row) for row in rows)]
    return [sentence for sentence in why if sentence]


def _warning(row: Row) -> str:
    headings = [f"it {cause.heading}" for cause in row.causes if cause.heading]
    return f"{row.name} at {row.strength:g}: {'; '.join([*headings, *row.problems])}. {_advice(row)}".strip()


def _clean_sentence(rows: Sequence[Row], faulty: Sequence[Row]) -> str:
    """The pairs that nothing speaks against, which is no praise: a pair that has learned nothing is among them."""
    spoilt = {row.pair for row in faulty}
    names = {row.pair: row.name_within for row in rows if row.pair not in spoilt}
    if not names:
        return ""
    return f"Nothing of the kind was found with {', '.join(names.values())}; a pair that has learned little looks like that, too."


def _left_out_sentences(table: Sequence[Row]) -> Iterator[str]:
    nothing_done = sorted({row.pair for row in table if row.does_nothing})
    if nothing_done:
        yield f"Left out, because the clips are exactly the base's: {', '.join(nothing_done)}. The file may be empty or of a wrong kind."
    failed = sum(row.failed for row in table)
    if failed:
        yield f"{failed} {'clip' if failed == 1 else 'clips'} could not be drawn; run the comparison again to try again."


def nothing(sweep: Sweep, table: Sequence[Row]) -> list[str]:
    """Sentences where no pair can be named."""
    if any(row.does_nothing for row in table):
        why = "Every pair draws exactly the base's clips: the LoRA files do nothing. Check where they came from."
    else:
        why = "No clip can be compared yet: run the comparison to its end first."
    return [sentence for sentence in (why, _unmeasured(sweep, table)) if sentence]


def _unmeasured(sweep: Sweep, table: Sequence[Row]) -> str:
    """Why likeness was not measured, or ""."""
    if any(row.identity is not None for row in table):
        return ""
    if not any(was_seen(cell) for cell in sweep.cells):
        return NOT_MEASURED
    return TOO_FEW.format(_least_photos(sweep)) if any(prompt.kind == PERSON for prompt in sweep.prompts) else NOBODY


def _least_photos(sweep: Sweep) -> int:
    """How many photos of the person the eye for the base model needs."""
    eye = find_eye(model_preset(sweep.base_model)) if sweep.base_model in list_models() else None
    return (eye.scale if eye else LikenessScale()).least


# -- one pair, with likeness


def _told_of(best: Row) -> list[str]:
    """What each score tells of the best pair, what could not be measured, and whether anything is wrong with it, in their order."""
    told = [(telling.place, sentence) for telling in parts(Telling) for sentence in telling.tell(best)]
    told += [(gap.place, gap.words) for gap in parts(Gap) if gap.is_in(best)]
    told.append((CLEAN_PLACE, _artifact_sentence(best)))
    told.append((ADVICE_PLACE, _advice_sentence(best)))
    return [sentence for _, sentence in sorted(told, key=lambda entry: entry[0]) if sentence]


def _advice_sentence(best: Row) -> str:
    """Why it is not better, and what can be done; what its files tell stands apart."""
    headings = [f"It {cause.heading}." for cause in best.causes if cause.heading]
    return " ".join([*headings, _advice(best)]).strip()


def _advice(row: Row) -> str:
    told = [cause for cause in row.causes if not cause.words]
    return " ".join(dict.fromkeys(said for said in (*(cause.cure for cause in told), *(cause.advice for cause in told)) if said))


def _strength_sentence(best: Row, table: Sequence[Row]) -> str:
    others = [row for row in table if row.pair == best.pair and row is not best]
    said = [_reached(row, row.identity, best) for row in others if row.identity is not None]
    if not said or best.identity is None:
        return f"Only strength {best.strength:g} was compared."
    return f"Of its strengths, {best.strength:g} is chosen, with an identity of {percent(best.identity)}; {'; '.join(said)}."


def _reached(row: Row, identity: float, best: Row) -> str:
    """What another strength reaches, and what is wrong with it that is not with the best."""
    text = f"{row.strength:g} reaches {percent(identity)}"
    new = [fault.words for fault in row.found if fault.name not in best.faults and not fault.is_too_little]
    return f"{text}, but {'; '.join(new)}" if new else text


def _compare_pairs(sweep: Sweep, best: Row, rest: Sequence[Row], table: Sequence[Row]) -> Iterator[str]:
    """Later pairs of the run with what they do worse, then earlier ones with what they lack."""
    for row in sorted(rest, key=lambda r: r.step):
        if row.run == best.run and row.step > best.step:
            same = next((r for r in table if r.pair == row.pair and r.strength == best.strength), row)
            found = [] if _is_told_by_files(row) or _is_of_somebody_else(row) else _worse(sweep, best, same)
            if found:
                unproven = [
                    fault.words for fault in same.found if fault.name not in best.faults and not any(fault.words in said for said in found)
                ]
                also = f" It also has a problem: {'; '.join(unproven)}." if unproven else ""
                yield f"{row.name} is over-trained: {'; '.join(found)}.{also}"
                continue
        if row.found:
            yield _faulty_sentence(row)


def _faulty_sentence(row: Row) -> str:
    """What is wrong with a pair, by its cause where that is known, and what can be done."""
    explained = next((cause for cause in row.causes if cause.heading), None)
    heading = explained.heading if explained else "has a problem"
    return f"{row.name} {heading}: {'; '.join(row.problems)}. {_advice(row)}".strip()


def _is_told_by_files(row: Row) -> bool:
    return any(cause.words for cause in row.causes)


def _is_of_somebody_else(row: Row) -> bool:
    return any(cause.code in (NOT_THE_PERSON, UNKNOWN) for cause in row.causes)


def _sentences_of_files(sweep: Sweep) -> Iterator[str]:
    """What is wrong with pairs by their files."""
    yield from (finding.sentence for finding in sweep.findings)


def _worse(sweep: Sweep, best: Row, row: Row) -> list[str]:
    """What the clips of a row prove that it does worse than the best: its own faults, then scores that fell behind in the same prompts and seeds.

    A loss on set-aside pictures is no clip: it can't say so alone; nor can a fault that the same prompts and seeds don't prove.
    """
    faults = [(fault, apart) for fault in row.found if fault.name not in best.faults and (apart := _apart_by(sweep, best, row, fault.name))]
    found, told = [f"{fault.words} ({apart})" for fault, apart in faults], {fault.name for fault, _ in faults}
    for loss in parts(Loss):
        own, other = row.number(loss.reads), best.number(loss.reads)
        fall = compare(values_of(sweep, best, loss.reads, loss.of_person), values_of(sweep, row, loss.reads, loss.of_person))
        if loss.told_by not in told and own is not None and other is not None and fall and loss.is_in(fall):
            found.append(f"{loss.words.format(percent(own), percent(other))} ({_points(fall)})")
    return found


def _apart_by(sweep: Sweep, best: Row, row: Row, fault: str) -> str:
    """How far two rows lie apart in what a fault reads, in the same prompts and seeds; "" where that is not proven."""
    read = next(part.reads[0] for part in (*parts(Fault), *parts(Finding)) if part.name == fault)
    difference = compare(values_of(sweep, row, read), values_of(sweep, best, read))
    if difference is None or difference.num_values < LEAST_PAIRS or difference.low <= 0 <= difference.high:
        return ""
    if read in SHARES:
        return _points(difference)
    low, high = (f"{side:.2g}" for side in sorted((abs(difference.low), abs(difference.high))))
    return f"{low if low == high else f'{low} to {high}'} apart in {difference.num_values} clips"


def _points(fall: Difference) -> str:
    """ "2 to 6 points apart, 12 clips"."""
    low, high = sorted((abs(fall.low), abs(fall.high)))
    return f"{100 * low:.0f} to {100 * high:.0f} points apart in {fall.num_values} clips"


# -- one pair, beside its likeness


def _held_out_sentence(best: Row, rest: Sequence[Row]) -> str:
    values = ", ".join(f"{best.held_out[e]:.4f} for {words}" for e, words in EXPERT_WORDS.items() if e in best.held_out)
    if best.held_out_excess is None or not rest:
        return f"Loss on the set-aside pictures: {values}."
    if best.held_out_excess == 0:
        return f"Its loss on the set-aside pictures is the lowest of its run: {values}."
    return f"Its loss on the set-aside pictures is {100 * best.held_out_excess:.1f} % above the lowest of its run: {values}."


def _artifact_sentence(best: Row) -> str:
    """What is wrong with it; else what stays near the base's, and what a few clips have."""
    own = [fault.words for fault in best.found if not fault.is_told_apart]
    if own:
        return f"It is not clean: {'; '.join(own)}."
    steady = f"{_list(best.steady)} {'stays' if len(best.steady) == 1 else 'stay'} near the base's in every clip"
    said = "; ".join([*([steady] if best.steady else []), *best.few])
    return f"{said[0].upper()}{said[1:]}." if said else ""


def _list(names: Sequence[str]) -> str:
    """ "clipping, flicker and sharpness"."""
    return " and ".join(", ".join(names).rsplit(", ", 1))
