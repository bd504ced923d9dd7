"""How much people who are not asked for look like the person."""

from collections.abc import Iterator

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.row import Row, lead
from studio.evaluation.judge.score import Column, Fault, Guide, Line, Loss, Needs, Note, Score, Telling, median_of_all
from studio.evaluation.sweep_facts import CLASS, Values

BLEED = 0.1  # that strangers may look more like the person than the base's do


def measure(look: Look) -> Values:
    if look.prompt.kind != CLASS or look.likeness is None:
        return {}
    return {"resemblance": round(look.likeness[0], 4)}


def tell(best: Row) -> Iterator[str]:
    own, base = best.number("resemblance"), best.of_base("resemblance")
    if own is not None and base is not None:
        yield f"Strangers look {percent(own)} like the person, with the base {percent(base)}."


SCORE = Score(
    name="resemblance",
    version=1,
    needs=Needs.EYE,
    gives=("resemblance",),
    measure=measure,
    summarize=median_of_all("resemblance"),
    parts=(
        Fault(
            name="bleed",
            place=30,
            reads=("resemblance",),
            base_reads=("resemblance",),
            is_wrong=lambda own, base: lead(own, max(base, 0)) > BLEED,
            words=lambda own, base: f"strangers look {percent(own)} like the person, with the base {percent(base)}",
        ),
        Loss(reads="resemblance", place=20, sign=-1, margin=0.05, words="strangers look {} like the person, against {}", told_by="bleed"),
        Column(title="Strangers like the person", place=30, words=lambda row: row.against_base("resemblance")),
        Line(title="Strangers like the person", place=40, reads="resemblance"),
        Note(place=20, reads="resemblance", words=lambda own: f"like the person {percent(own)}"),
        Guide(
            place=40, text="Strangers says how much people who are not asked for look like the person. It should stay where the base's is."
        ),
        Telling(place=30, tell=tell),
    ),
)
