"""What a training tells of how far it is: words for people, and beside them a code for programs, so that better words break nothing."""

from collections.abc import Callable, Mapping
from typing import Any

TRAINING, REHEARSAL = "training", "rehearsal"  # codes of what is done
STAGES = {TRAINING: "Training", REHEARSAL: "Rehearsal"}
LEARNING = {"high_noise": "Learning layout and motion", "low_noise": "Learning detail and identity", "": "Learning"}
PRACTISING = {"high_noise": "Practising layout and motion", "low_noise": "Practising detail and identity", "": "Practising"}


def report_steps(report: Callable[..., None], done: int, total: int, message: str, **more: Any) -> None:
    """So many steps of a training are done; message: what it does now."""
    report("progress", code=TRAINING, stage=STAGES[TRAINING], done=done, total=total, unit="steps", message=message, **more)


def report_learning(report: Callable[..., None], done: int, total: int, expert: str, seconds_left: float | None) -> None:
    """It learns. expert: which one, or "" for the only one."""
    report_steps(report, done, total, LEARNING[expert], learns=expert, seconds_left=seconds_left)


def is_training(fields: Mapping[str, Any]) -> bool:
    """Whether a progress event tells of the steps of a training."""
    return fields.get("code") == TRAINING


def as_rehearsal(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same progress in a rehearsal's words."""
    words = {"message": PRACTISING[fields["learns"]]} if "learns" in fields else {}
    return {**fields, "code": REHEARSAL, "stage": STAGES[REHEARSAL], **words}
