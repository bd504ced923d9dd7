"""How every pair stands beside the best one: its likeness and motion with their intervals, and what the same clips prove of the two."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from studio.evaluation.judge.paired import LEAST_PAIRS, Difference, Interval, Outcome, compare, interval
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.table import values_of
from studio.evaluation.sweep_facts import Sweep
from studio.words import count


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A pair at the strength it does best with. likeness: share of what the person's own photos reach; motion: share of the base's, in the
    clips of the person, its mean what the row's summary says; None where it was not measured. lead: of the best pair over this one in the same clips, None for the best itself."""

    pair: str
    strength: float
    likeness: Interval | None
    motion: Interval | None
    lead: Difference | None
    is_best: bool
    words: str

    @property
    def is_open(self) -> bool:
        """Whether no measure tells it from the best."""
        return not self.is_best and (self.lead is None or self.lead.outcome in (Outcome.OPEN, Outcome.EQUAL))


def make_standings(sweep: Sweep, best: Row, rest: Sequence[Row]) -> tuple[Standing, ...]:
    """Of the best row and the best row of every other pair, in the order of the sweep's pairs."""
    own = values_of(sweep, best, "identity")
    found = {row.pair: _standing(sweep, best, own, row) for row in (best, *rest)}
    return tuple(found[pair.id] for pair in sweep.pairs if pair.id in found)


def _standing(sweep: Sweep, best: Row, of_best: Mapping[tuple[int, int], float], row: Row) -> Standing:
    likeness, motion = values_of(sweep, row, "identity"), values_of(sweep, row, "motion", of_person=True)
    lead = None if row is best else compare(of_best, likeness)
    return Standing(
        pair=row.pair,
        strength=row.strength,
        likeness=interval(list(likeness.values())) if likeness else None,
        motion=replace(interval(list(motion.values())), mean=row.motion) if motion and row.motion is not None else None,
        lead=lead,
        is_best=row is best,
        words=_words(best, row, lead),
    )


def _words(best: Row, row: Row, lead: Difference | None) -> str:
    """What the clips prove of it and the best; then the first thing that is wrong with it alone."""
    if row is best:
        return ""
    own = [fault.words for fault in row.found if fault.name not in best.faults and not fault.is_too_little]
    return "; ".join([_against_best(row, lead), *own[:1]])


def _against_best(row: Row, lead: Difference | None) -> str:
    if row.identity is None:
        return "likeness not measured"
    if lead is None or lead.num_values < LEAST_PAIRS:
        return "too few clips to tell it from the best"
    if lead.outcome is Outcome.BETTER:
        return f"{100 * lead.mean:.0f} points less like the person"
    if lead.outcome is Outcome.WORSE:
        return f"{-100 * lead.mean:.0f} points more like the person"
    if lead.outcome is Outcome.EQUAL:
        return "as like the person as the best"
    more = lead.clips_to_settle()
    return f"can't be told from the best yet; {count(more, 'more clip')} would tell" if more else "can't be told from the best by measure"
