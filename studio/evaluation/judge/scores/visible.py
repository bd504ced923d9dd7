"""In how many frames of the person's clips a face is seen, where the eye is one for faces. A guard: it ranks nothing."""

from studio.evaluation.judge.clip_look import Look
from studio.evaluation.judge.figures import percent
from studio.evaluation.judge.score import Clips, Fault, Needs, Note, Score
from studio.evaluation.sweep_facts import PERSON, Values
from studio.models.eyes import FaceSight

HIDDEN = 0.6  # of what the base shows at the same prompts and seeds. A starting value: people turn away in real clips, too
FEW = 0.5  # of the frames of one clip


def measure(look: Look) -> Values:
    sees_faces = look.watcher is not None and isinstance(look.watcher.sight, FaceSight)
    if look.prompt.kind != PERSON or not sees_faces or look.seen_share is None:
        return {}
    return {"visible": round(look.seen_share, 4)}


def summarize(clips: Clips) -> Values:
    share = clips.mean("visible")
    return {} if share is None else {"visible": share}


SCORE = Score(
    name="visible",
    version=1,
    needs=Needs.FACES,
    gives=("visible",),
    measure=measure,
    summarize=summarize,
    parts=(
        Fault(
            name="hidden",
            place=15,
            reads=("visible",),
            base_reads=("visible",),
            is_wrong=lambda own, base: own < HIDDEN * base,
            words=lambda own, base: f"a face is seen in {percent(own)} of the frames, with the base in {percent(base)}",
        ),
        Note(place=15, reads="visible", words=lambda share: f"face in {percent(share)} of the frames" if share < FEW else ""),
    ),
)
