"""The verdict names a pair for reasons that were measured, and says when it cannot tell."""

import pytest

from studio.evaluation.held_out import read_held_out
from studio.evaluation.verdict import CLEAR, CLOSE, verdict
from studio.workspace import append_jsonl, write_json

GOOD = {"motion": 0.95, "sharpness": 1.0, "flicker": 0.001, "base_flicker": 0.001, "clipping": 0.0, "change": 0.1, "applied": True}
CLASS = GOOD | {"change": 0.02}
FROZEN = GOOD | {"motion": 0.2}


def make_sweep(scores, prompts=3, strengths=(0.7, 1.0)):
    """A sweep whose person cells score as given: {(step, strength): scores}, with one class prompt."""
    steps = sorted({step for step, _ in scores})
    kinds = ["person"] * prompts + ["class"]
    cells = []
    for index, kind in enumerate(kinds):
        cells.append({"pair": None, "prompt": index, "seed": 42, "strength": 0.0, "state": "done", "scores": {}})
        for step in steps:
            for strength in strengths:
                given = scores[step, strength]
                own = given if kind == "person" else given.get("class", CLASS if given["applied"] else given)
                cells.append({"pair": name(step), "prompt": index, "seed": 42, "strength": strength, "state": "done", "scores": own})
    pairs = [{"id": name(step), "run": "train-001", "step": step} for step in steps]
    return {"prompts": [{"label": k, "text": k, "kind": k} for k in kinds], "pairs": pairs, "cells": cells, "settings": {"seeds": [42]}}


def name(step):
    return f"train-001/step-{step:06d}"


def record_held_out(project, losses):
    """{step: (high, low)} as the run's events."""
    run_dir = project.run_dir("train-001")
    run_dir.mkdir(parents=True, exist_ok=True)
    for step, values in losses.items():
        for expert, loss in zip(("high_noise", "low_noise"), values, strict=True):
            append_jsonl(run_dir / "events.jsonl", {"event": "held_out", "step": step, "expert": expert, "loss": loss})


def everywhere(steps, scores=GOOD):
    return {(step, strength): scores for step in steps for strength in (0.7, 1.0)}


def test_the_lowest_held_out_loss_wins_clearly_and_the_usual_strength_is_named(project):
    record_held_out(project, {100: (0.30, 0.25), 200: (0.25, 0.20), 300: (0.28, 0.24)})
    found = verdict(project, make_sweep(everywhere((100, 200, 300))))
    assert (found["pair"], found["strength"], found["sure"]) == (name(200), 0.7, CLEAR)
    text = " ".join(found["why"])
    assert "lowest of its run: 0.2500 for layout and motion, 0.2000 for detail" in text
    assert "Likeness is not measured yet" in text
    assert found["not_measured"] == ["likeness"]


def test_a_held_out_loss_that_is_hardly_lower_is_too_close_to_call(project):
    record_held_out(project, {100: (0.300, 0.250), 200: (0.299, 0.249)})
    found = verdict(project, make_sweep(everywhere((100, 200))))
    assert (found["pair"], found["sure"]) == (name(200), CLOSE)
    assert any("too close to call" in sentence for sentence in found["why"])


def test_experts_that_disagree_are_too_close_to_call(project):
    record_held_out(project, {100: (0.30, 0.20), 200: (0.20, 0.25)})
    assert verdict(project, make_sweep(everywhere((100, 200))))["sure"] == CLOSE


def test_without_held_out_loss_nothing_is_made_up(project):
    found = verdict(project, make_sweep(everywhere((100, 200))))
    assert found["sure"] == CLOSE
    assert any(sentence.startswith("No loss on set-aside pictures was recorded") for sentence in found["why"])
    assert all(row["held_out"] == {} and row["held_out_excess"] is None for row in found["table"])


def test_frozen_motion_outweighs_a_lower_loss_but_needs_six_prompts_to_be_clear(project):
    record_held_out(project, {100: (0.30, 0.25), 200: (0.20, 0.20)})
    scores = everywhere((100,)) | everywhere((200,), FROZEN)
    few, many = verdict(project, make_sweep(scores, prompts=3)), verdict(project, make_sweep(scores, prompts=6))
    assert few["pair"] == many["pair"] == name(100)
    assert (few["sure"], many["sure"]) == (CLOSE, CLEAR)
    assert any("stand still" in sentence for sentence in many["why"])


def test_a_strength_with_fewer_problems_goes_before_the_usual_one(project):
    scores = {(100, 0.7): FROZEN, (100, 1.0): GOOD}
    found = verdict(project, make_sweep(scores))
    assert (found["strength"], found["sure"]) == (1.0, CLEAR)


def test_other_people_that_change_as_much_are_a_problem(project):
    scores = everywhere((100,)) | everywhere((200,), GOOD | {"class": GOOD})
    found = verdict(project, make_sweep(scores))
    assert found["pair"] == name(100)
    row = next(r for r in found["table"] if r["pair"] == name(200))
    assert row["drift_share"] == 1.0
    assert "change 100% as much" in row["problems"][0]


def test_pairs_that_equal_the_base_are_left_out_and_said_so(project):
    nothing = GOOD | {"change": 0.0, "applied": False}
    found = verdict(project, make_sweep(everywhere((100,), nothing) | everywhere((200,))))
    assert found["pair"] == name(200)
    assert any("exactly the base's" in sentence for sentence in found["why"])
    alone = verdict(project, make_sweep(everywhere((100,), nothing)))
    assert (alone["pair"], alone["strength"], alone["sure"]) == (None, None, CLOSE)


def test_a_sweep_that_is_not_drawn_yet_names_no_pair(project):
    sweep = make_sweep(everywhere((100,)))
    for cell in sweep["cells"]:
        cell |= {"state": "waiting", "scores": {}}
    assert verdict(project, sweep)["pair"] is None


@pytest.mark.parametrize("motion", [None, 0.9])
def test_motion_that_could_not_be_compared_is_said_to_be_so(project, motion):
    found = verdict(project, make_sweep(everywhere((100,), GOOD | {"motion": motion})))
    assert any("could not be compared" in s for s in found["why"]) == (motion is None)


def test_held_out_losses_after_a_resume_replace_the_earlier_ones(project):
    record_held_out(project, {100: (0.5, 0.4), 200: (0.9, 0.8)})
    append_jsonl(project.run_dir("train-001") / "events.jsonl", {"event": "resume", "step": 100})
    pair = {"id": name(200), "run": "train-001", "step": 200}
    assert read_held_out(project, pair) == {"high_noise": 0.5, "low_noise": 0.4}
    record_held_out(project, {200: (0.3, 0.2)})
    assert read_held_out(project, pair) == {"high_noise": 0.3, "low_noise": 0.2}


def test_held_out_losses_in_the_manifest_are_preferred(project):
    record_held_out(project, {100: (0.5, 0.4)})
    folder = project.run_dir("train-001") / "checkpoints" / "step-000100"
    folder.mkdir(parents=True)
    write_json(project.run_dir("train-001") / "config.json", {"kind": "train"})
    (folder / "a.safetensors").write_bytes(b"x")
    losses = {"high_noise": 0.1, "low_noise": 0.2}
    write_json(folder / "manifest.json", {"experts": {"high_noise": {"file": "a.safetensors", "sha256": ""}}, "held_out": losses})
    assert read_held_out(project, {"id": name(100), "run": "train-001", "step": 100}) == losses
