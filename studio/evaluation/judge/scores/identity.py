"""How much the person's clips are like the person's own photos. The verdict ranks pairs by it."""

from collections.abc import Iterator

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.row import SAME, Row
from studio.evaluation.judge.score import Clips, Column, Fault, Guide, Line, Loss, Needs, Note, Score, Telling
from studio.evaluation.sweep_facts import PERSON, Values

# Starting values of the failure table; shares of the person's own photos.
WEAK = 0.7  # drawn people: true clips of the person .82 and more, of somebody with the same description .41 (one in a hundred .74)
FADING = 0.15  # from a clip's first to its last third: a nod or a step aside may cost .2 of one clip, the median of four true clips stays below .13


def measure(look: Look) -> Values:
    if look.prompt.kind != PERSON:
        return {}
    about = {"identity_about": True} if look.watcher and look.watcher.likeness and look.watcher.likeness.is_about else {}
    if look.likeness is None:  # where the base shows somebody, a clip without a face speaks against its pair
        return {"identity": 0.0, "identity_fall": None, **about} if _is_lost(look) else {}
    share, fall = look.likeness
    return {"identity": round(share, 4), "identity_fall": round(fall, 4), **about}


def _is_lost(look: Look) -> bool:
    """Whether nobody is seen in a clip, although there is something to compare with and the base shows somebody."""
    can_tell = look.watcher is not None and look.watcher.likeness is not None
    return can_tell and look.seen_share == 0 and look.base is not None and bool(look.base.seen_share)


def summarize(clips: Clips) -> Values:
    about = {"identity_about": True} if any(values.get("identity_about") for values in clips.person) else {}
    return {"identity": clips.mean("identity"), "identity_fall": clips.median("identity_fall"), **about}


def tell(best: Row) -> Iterator[str]:
    base = best.of_base("identity")
    if base is not None:
        yield f"The base alone, with the same prompts, reaches {percent(base)} of your photos."


SCORE = Score(
    name="identity",
    version=1,
    needs=Needs.EYE,
    gives=("identity", "identity_fall", "identity_about"),
    measure=measure,
    summarize=summarize,
    parts=(
        Fault(
            name="weak",
            place=10,
            reads=("identity",),
            is_wrong=lambda identity: identity < WEAK,
            words=lambda identity: f"identity is only {percent(identity)} of your photos",
            is_too_little=True,
        ),
        Fault(
            name="fading",
            place=11,
            reads=("identity_fall",),
            is_wrong=lambda fall: fall > FADING,
            words=lambda fall: f"the likeness fades within a clip, by {percent(fall)} from its first to its last third",
        ),
        Loss(reads="identity", place=10, sign=1, margin=SAME, words="identity {} against {}", told_by="weak"),
        Column(title="Identity", place=10, words=lambda row: row.against_base("identity")),
        Line(title="Identity", place=10, reads="identity"),
        Note(place=10, reads="identity", words=lambda identity: f"identity {percent(identity)}"),
        Guide(
            place=20,
            text="Identity says how much the faces are like your photos: 100 % is as alike as your own photos are to each other, 0 % is nothing in common. "
            "It can be a little above 100 %; below 70 % the person is hardly recognised.",
        ),
        Telling(place=10, tell=tell),
    ),
)
