"""The held-out loss that belongs to a checkpoint pair: from its manifest, else from the run's events."""

from pathlib import Path

from studio.config import EXPERTS
from studio.evaluation.sweep_facts import ComparedPair
from studio.training.history import read_history
from studio.training.pairs import list_pairs
from studio.workspace import Project


def read_held_out(project: Project, pair: ComparedPair) -> dict[str, float]:
    """{expert: loss} at the step of a pair; {} if nothing was recorded, as of a guest."""
    if pair.title:
        return {}
    found = next((p for p in list_pairs(project) if p.id == pair.id), None)
    recorded = (found.manifest.held_out if found else None) or {}
    losses = {expert: loss for expert, loss in recorded.items() if expert in EXPERTS and loss is not None}
    return losses or _from_events(project.run_dir(pair.run), pair.step)


def _from_events(run_dir: Path, step: int) -> dict[str, float]:
    """The last check of each expert up to that step; what a resumed run did again counts as it was done last."""
    checks = [check for check in read_history(run_dir).checks if check.step <= step]
    return {check.expert: check.loss for check in sorted(checks, key=lambda check: check.step)}
