"""Comparisons with scores as a test wants them, for the tests of the verdict: no clip is drawn."""

from dataclasses import replace

from comparison_kit import measured_with_an_eye

from studio.disk import append_jsonl
from studio.evaluation.sweep_facts import Cell, ComparedPair, Prompt, Sweep

GOOD = {"motion": 0.95, "sharpness": 1.0, "flicker": 0.001, "base_flicker": 0.001, "clipping": 0.0, "change": 0.1, "applied": True}
CLASS = GOOD | {"change": 0.02}
FROZEN = GOOD | {"motion": 0.2}


def make_sweep(scores, prompts=3, strengths=(0.7, 1.0), seen_with=""):
    """A sweep whose person cells score as given: {(step, strength): scores}, with one class prompt. seen_with: what an eye measured with."""
    steps = sorted({step for step, _ in scores})
    kinds = ["person"] * prompts + ["class"]
    cells = []

    def add(pair, prompt, strength, own):
        measured = measured_with_an_eye(own, seen_with) if seen_with else {}
        place = {"pair": pair, "prompt": prompt, "seed": 42, "strength": strength}
        files = {"key": str(len(cells)), "high_key": str(len(cells)), "clip": "cells/0.mp4", "poster": "cells/0.jpg"}
        cells.append(Cell(**place, **files, state="done", scores=own, measured=measured))

    for index, kind in enumerate(kinds):
        add(None, index, 0.0, {})
        for step in steps:
            for strength in strengths:
                given = scores[step, strength]
                own = given if kind == "person" else given.get("class", CLASS if given["applied"] else given)
                add(name(step), index, strength, own)
    pairs = tuple(compared_pair(step) for step in steps)
    prompts = tuple(Prompt(label=kind, text=kind, kind=kind) for kind in kinds)
    facts = {"created": 0.0, "base_model": "tiny", "base_key": "k", "fps": 16, "settings": {"seeds": [42]}}
    return Sweep(**facts, prompts=prompts, pairs=pairs, cells=tuple(cells))


def rescored(sweep, change):
    """The sweep with other scores: change(cell) -> its scores."""
    return sweep.with_cells(lambda cell: replace(cell, scores=change(cell)))


def name(step):
    return f"train-001/step-{step:06d}"


def compared_pair(step):
    return ComparedPair(id=name(step), run="train-001", step=step, high_sha256="", low_sha256="")


def record_held_out(project, losses):
    """{step: (high, low)} as the run's events."""
    run_dir = project.run_dir("train-001")
    run_dir.mkdir(parents=True, exist_ok=True)
    for step, values in losses.items():
        for expert, loss in zip(("high_noise", "low_noise"), values, strict=True):
            append_jsonl(run_dir / "events.jsonl", {"event": "held_out", "step": step, "expert": expert, "loss": loss})


# -- with likeness


SEEN = {"identity": 0.9, "identity_fall": 0.02, "memorised": 1.1, "follows": 0.95}
BASE_SEEN = {"identity": 0.05, "identity_fall": 0.0, "memorised": 1.0, "follows": 0.96}
STRANGERS = {"resemblance": 0.1, "follows": 0.95}


def make_seen_sweep(scores, prompts=4, strengths=(0.7, 1.0)):
    """As make_sweep, with what an observer measured: {(step, strength): scores of the person's clips, "class": those of strangers}."""
    given = {place: GOOD | SEEN | own | {"class": CLASS | STRANGERS | own.get("class", {})} for place, own in scores.items()}
    sweep = make_sweep(given, prompts, strengths, "0123456789abcdef")

    def see(cell):
        if cell.pair:
            return cell.scores
        return BASE_SEEN if sweep.prompt_of(cell).kind == "person" else {"resemblance": 0.08, "follows": 0.96}

    return rescored(sweep, see)


def one(prompts=4, **own):
    """A pair at one strength, seen by an eye."""
    return make_seen_sweep({(100, 0.7): own}, prompts, strengths=(0.7,))


def two(late, early=None, prompts=4):
    return make_seen_sweep({(100, 0.7): early or {}, (200, 0.7): late}, prompts, strengths=(0.7,))


def of_strangers(**scores):
    return {"class": scores}


def with_base(sweep, **scores):
    return rescored(sweep, lambda cell: cell.scores if cell.pair else {**cell.scores, **scores})


def with_noise(sweep, size):
    """The later pair's likeness higher and lower by `size` in turn, so that few clips can't tell."""

    def change(cell):
        if cell.pair != name(200) or "identity" not in cell.scores:
            return cell.scores
        return {**cell.scores, "identity": round(cell.scores["identity"] + size * (1 - 2 * (cell.prompt % 2)), 4)}

    return rescored(sweep, change)
