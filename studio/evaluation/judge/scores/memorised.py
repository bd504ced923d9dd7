"""How near the person's clips come to a training picture: a copy is no likeness."""

from collections.abc import Iterator

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.figures import decimal_or_not
from studio.evaluation.judge.row import Row
from studio.evaluation.judge.score import Column, Fault, Guide, Needs, Note, Score, Telling, median_of_all
from studio.evaluation.sweep_facts import PERSON, Values

COPYING = 2.0  # times as near to a training picture as those are to each other: the median of four new scenes stays below 1.8, copies reach 2 to 6
COPYING_RISE = 1.25  # and that much more than the base's, whose prompt may ask for a photo's scene


def measure(look: Look) -> Values:
    if look.prompt.kind != PERSON or look.watcher is None or look.watcher.copies is None:
        return {}
    return {"memorised": round(look.watcher.copies.nearness(look.frames), 4)}


def tell(best: Row) -> Iterator[str]:
    if best.number("memorised") is not None and "copied" not in best.faults:
        yield "Its clips are no copies of the training pictures."


SCORE = Score(
    name="memorised",
    version=1,
    needs=Needs.EYE,
    gives=("memorised",),
    measure=measure,
    summarize=median_of_all("memorised"),
    parts=(
        Fault(
            name="copied",
            place=20,
            reads=("memorised",),
            base_reads=("memorised",),
            base_missing=0.0,
            is_wrong=lambda own, base: own > max(COPYING, COPYING_RISE * base),
            words=lambda own, base: f"it copies training pictures, {own:.1f} times as near to one as those are to each other",
        ),
        Column(title="Copies", place=40, words=lambda row: decimal_or_not(row.number("memorised"), 1)),
        Note(place=40, reads="memorised", words=lambda own: f"near a training picture ({own:.1f} times)" if own > COPYING else ""),
        Guide(
            place=50,
            text="Copies says how near the clips come to a training picture: about 1 is a picture of its own, above 2 it repeats a picture instead of drawing the person anew.",
        ),
        Telling(place=40, tell=tell),
    ),
)
