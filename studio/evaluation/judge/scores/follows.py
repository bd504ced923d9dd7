"""How much of what a prompt says is seen in its clip."""

from collections.abc import Iterator

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.row import Row, lead
from studio.evaluation.judge.score import Clips, Column, Fault, Guide, Line, Loss, Needs, Note, Score, Telling
from studio.evaluation.sweep_facts import Values

DISOBEDIENCE = 0.1  # of what prompts say, that is seen less often than with the base


def measure(look: Look) -> Values:
    from studio.evaluation.judge.scores._obedience import prompt_accuracy  # here, as it loads torch

    namer = look.watcher.namer if look.watcher else None
    if namer is None:
        return {}
    share = prompt_accuracy(namer, look.prompt.text, look.frames)
    return {} if share is None else {"follows": round(share, 4)}


def summarize(clips: Clips) -> Values:
    return {"follows": clips.mean("follows")}


def tell(best: Row) -> Iterator[str]:
    own, base = best.number("follows"), best.of_base("follows")
    if own is not None and base is not None:
        yield f"{percent(own)} of what the prompts say is seen; with the base {percent(base)}."


SCORE = Score(
    name="follows",
    version=1,
    needs=Needs.EYE,
    gives=("follows",),
    measure=measure,
    summarize=summarize,
    parts=(
        Fault(
            name="disobeys",
            place=40,
            reads=("follows",),
            base_reads=("follows",),
            is_wrong=lambda own, base: lead(base, own) > DISOBEDIENCE,
            words=lambda own, base: f"only {percent(own)} of what prompts say is seen, with the base {percent(base)}",
        ),
        Loss(reads="follows", place=30, sign=1, margin=0.05, words="{} of what prompts say is seen, against {}", told_by="disobeys"),
        Column(title="Prompt followed", place=20, words=lambda row: row.against_base("follows")),
        Line(title="Prompt followed", place=30, reads="follows"),
        Note(place=30, reads="follows", words=lambda share: f"prompt {percent(share)}"),
        Guide(
            place=30,
            text="Prompt followed is how much of what the prompt says (clothes, place, view, light, movement) is seen. A pair that has learned too long stops listening.",
        ),
        Telling(place=20, tell=tell),
    ),
)
