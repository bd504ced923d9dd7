"""What a human decides about the set: keep, leave out, put another in a photo's place, hold out; each one step that can be undone."""

from studio.data import dataset
from studio.data import remarks as said
from studio.data.remarks import HAND, Decision, Remark
from studio.errors import Problem
from studio.workspace import Project


def swap(project: Project, item_id: str, other_id: str) -> None:
    """The other photo takes this one's place: one is left out by hand, the other kept."""
    if item_id == other_id:
        raise Problem(f"{item_id} can't take its own place.", fix="Choose another photo for it.")
    gone = Decision(keep=False, reasons=(Remark(code=said.SWAPPED, words=f"{other_id} takes its place", about=other_id),), decided_by=HAND)
    dataset.set_decisions(project, {item_id: gone, other_id: Decision(decided_by=HAND)}, f"{other_id} in the place of {item_id}")


def hold_out(project: Project, item_id: str) -> bool:
    """Keep a photo for comparing only: training never learns from it. True if that changed anything."""
    words = "held out by you: training never sees it, and what is drawn is compared with it"
    decision = Decision(keep=False, held_out=True, reasons=(Remark(code=said.HELD_OUT, words=words),), decided_by=HAND)
    return dataset.set_decisions(project, {item_id: decision}, f"Holding out {item_id}") == 1


def release(project: Project, item_id: str) -> bool:
    """Leave a photo to the studio again: it stays as it is until the next check decides. True if a hand had decided."""
    item = dataset.get_item(project, item_id)
    if not item.is_by_hand:
        return False
    decision = Decision(keep=item.keep, held_out=item.held_out, reasons=item.reasons)
    return dataset.set_decisions(project, {item_id: decision}, f"Leaving {item_id} to the studio") == 1
