"""The held-out loss that belongs to a checkpoint pair: from its manifest, else from the run's events."""

from studio.config import EXPERTS
from studio.training.pairs import list_pairs
from studio.workspace import read_jsonl


def read_held_out(project, pair):
    """{expert: loss} at the step of a pair (an entry of sweep.json); {} if nothing was recorded."""
    found = next((p for p in list_pairs(project) if p.id == pair["id"]), None)
    recorded = (found.manifest.get("held_out") if found else None) or {}
    losses = {e: float(recorded[e]) for e in EXPERTS if isinstance(recorded.get(e), (int, float))}
    return losses or _from_events(project.run_dir(pair["run"]) / "events.jsonl", pair["step"])


def _from_events(path, step):
    """The last check of each expert up to that step; what a resumed run did again counts as it was done last."""
    checks = []
    for event in read_jsonl(path)[0]:
        if event.get("event") == "resume":
            checks = [c for c in checks if c["step"] <= event.get("step", 0)]
        elif event.get("event") == "held_out" and event.get("step", 0) <= step and isinstance(event.get("loss"), (int, float)):
            checks.append(event)
    return {c["expert"]: float(c["loss"]) for c in sorted(checks, key=lambda c: c["step"]) if c.get("expert") in EXPERTS}
