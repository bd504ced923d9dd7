"""The verdict names a pair for reasons that were measured, and says when it cannot tell."""

import pytest
from verdict_kit import (
    FROZEN,
    GOOD,
    compared_pair,
    make_seen_sweep,
    make_sweep,
    name,
    record_held_out,
    rescored,
    two,
    with_noise,
)

from studio.disk import append_jsonl, write_json
from studio.evaluation.judge.held_out import read_held_out
from studio.evaluation.judge.verdict import CLEAR, CLOSE, NOT_MEASURED, verdict


def everywhere(steps, scores=GOOD):
    return {(step, strength): scores for step in steps for strength in (0.7, 1.0)}


def test_without_likeness_no_pair_is_named_however_the_losses_lie(project):
    record_held_out(project, {100: (0.30, 0.25), 200: (0.25, 0.20), 300: (0.28, 0.24)})
    found = verdict(project, make_sweep(everywhere((100, 200, 300))))
    assert (found.pair, found.strength, found.sure) == (None, None, NOT_MEASURED)
    assert found.not_measured == ("likeness",)
    assert found.why[0].startswith("Likeness was not measured")
    assert "loss" not in " ".join(found.why)


@pytest.mark.parametrize("scores", [FROZEN, GOOD | {"class": GOOD}, GOOD | {"sharpness": 0.3}, GOOD | {"change": 0.001, "class": GOOD}])
def test_without_likeness_a_fault_warns_of_its_pair_and_prefers_no_other(project, scores):
    record_held_out(project, {100: (0.30, 0.25), 200: (0.20, 0.20)})
    found = verdict(project, make_sweep(everywhere((100,)) | everywhere((200,), scores), prompts=12))
    assert (found.pair, found.sure) == (None, NOT_MEASURED)
    row = next(r for r in found.table if r.pair == name(200))
    assert any(s.startswith("Step 200 of train-001 at 0.7: ") and row.problems[0] in s for s in found.why)
    assert not any(s.startswith("Step 100 of train-001 at") for s in found.why)
    assert any("Nothing of the kind was found with step 100 of train-001" in s for s in found.why)


def test_the_only_pair_is_not_praised_either(project):
    found = verdict(project, make_sweep({(100, 0.7): FROZEN, (100, 1.0): GOOD}))
    assert (found.pair, found.sure) == (None, NOT_MEASURED)
    assert any("stand still" in s for s in found.why)


def test_other_people_that_change_as_much_are_a_problem(project):
    found = verdict(project, make_sweep(everywhere((100,)) | everywhere((200,), GOOD | {"class": GOOD})))
    row = next(r for r in found.table if r.pair == name(200))
    assert row.number("drift_share") == 1.0
    assert "change 100 % as much" in row.problems[0]


def test_pairs_that_equal_the_base_are_left_out_and_said_so(project):
    nothing = GOOD | {"change": 0.0, "applied": False}
    found = verdict(project, make_sweep(everywhere((100,), nothing) | everywhere((200,))))
    assert any("exactly the base's" in sentence and name(100) in sentence for sentence in found.why)
    alone = verdict(project, make_sweep(everywhere((100,), nothing)))
    assert (alone.pair, alone.strength, alone.sure) == (None, None, CLOSE)


def test_a_sweep_that_is_not_drawn_yet_names_no_pair(project):
    sweep = make_sweep(everywhere((100,))).with_cells(lambda cell: cell.undrawn())
    assert verdict(project, sweep).pair is None


# -- with likeness


def by_step(scores):
    return {(step, strength): own for step, own in scores.items() for strength in (0.7, 1.0)}


def test_the_most_like_pair_wins_and_identity_stands_first(project):
    found = verdict(project, make_seen_sweep(by_step({100: {"identity": 0.75}, 200: {"identity": 0.91}, 300: {"identity": 0.82}})))
    assert (found.pair, found.strength, found.sure) == (name(200), 0.7, CLEAR)
    assert found.summary == found.why[0] == "Identity 91 % of your photos (89 to 93); motion 95 % of the base."
    assert found.not_measured == ()
    text = " ".join(found.why)
    assert "The base alone, with the same prompts, reaches 5 % of your photos." in text
    assert "Strangers look 10 % like the person, with the base 8 %." in text
    assert "Likeness is not measured" not in text


def test_a_late_pair_that_is_worse_is_named_with_its_faults(project):
    late = {"identity": 0.93, "motion": 0.3, "follows": 0.7, "memorised": 2.6, "class": {"resemblance": 0.45}}
    found = verdict(project, make_seen_sweep(by_step({400: {"identity": 0.9}, 800: late})))
    assert (found.pair, found.sure) == (name(400), CLEAR)
    (sentence,) = [s for s in found.why if s.startswith("Step 800 of train-001 is over-trained: ")]
    for words in ("2.6 times as near", "strangers look 45 % like the person, with the base 8 %", "stand still", "only 7"):
        assert words in sentence


@pytest.mark.parametrize(("late", "words"), [
    ({"identity": 0.86}, "identity 86 % against 90 %"),
    ({"identity": 0.9, "motion": 0.7}, "motion 70 % of the base's against 95 %"),
    ({"identity": 0.9, "follows": 0.88, "class": {"follows": 0.88}}, "88 % of what prompts say is seen, against 95 %"),
])  # fmt: skip
def test_a_late_pair_that_lost_a_little_is_named_with_what_it_lost(project, late, words):
    found = verdict(project, make_seen_sweep(by_step({400: {"identity": 0.9}, 800: late})))
    assert found.pair == name(400)
    assert any(s.startswith("Step 800") and "over-trained" in s and words in s for s in found.why)


def test_a_loss_that_rose_is_not_called_over_trained_while_no_clip_got_worse(project):
    record_held_out(project, {400: (0.25, 0.20), 800: (0.30, 0.25)})
    found = verdict(project, make_seen_sweep(by_step({400: {}, 800: {}})))
    assert not any("over-trained" in sentence for sentence in found.why)


def test_a_pair_without_a_loss_takes_nobody_else_s_away(project):
    record_held_out(project, {100: (0.30, 0.25), 200: (0.25, 0.20)})
    table = verdict(project, make_seen_sweep(by_step({50: {}, 100: {}, 200: {}}))).table
    excess = {row.step: row.held_out_excess for row in table}
    assert excess[100] > 0.2 and excess[200] == 0 and excess[50] is None


@pytest.mark.parametrize(("scores", "fault"), [
    ({"identity": 0.6}, "weak"),
    ({"identity_fall": 0.3}, "fading"),
    ({"memorised": 2.5}, "copied"),
    ({"class": {"resemblance": 0.3}}, "bleed"),
    ({"follows": 0.8, "class": {"follows": 0.8}}, "disobeys"),
    ({"motion": 0.3}, "frozen"),
    ({"sharpness": 3.0}, "harsh"),
    ({"class": {"change": 0.095}}, "drift"),
])  # fmt: skip
def test_every_guard_puts_a_pair_behind_a_clean_one_that_is_less_like(project, scores, fault):
    found = verdict(project, make_seen_sweep(by_step({100: {"identity": 0.8}, 200: {"identity": 0.95} | scores})))
    row = next(r for r in found.table if r.pair == name(200))
    assert row.faults == [fault] and len(row.problems) == 1
    assert found.pair == name(100)


def test_what_the_base_does_too_is_no_fault(project):
    sweep = make_seen_sweep(by_step({100: {"memorised": 2.4, "follows": 0.6, "class": {"resemblance": 0.4, "follows": 0.6}}}))

    def see(cell):
        strangers = {"resemblance": 0.38} if cell.prompt == 4 else {}
        return cell.scores if cell.pair else {**cell.scores, "memorised": 2.2, "follows": 0.65, **strangers}

    sweep = rescored(sweep, see)
    assert all(row.faults == [] for row in verdict(project, sweep).table)


def test_within_two_points_the_earlier_pair_and_the_lower_strength_win(project):
    scores = {(100, 0.7): 0.9, (100, 1.0): 0.915, (200, 0.7): 0.915, (200, 1.0): 0.905}
    found = verdict(project, make_seen_sweep({place: {"identity": value} for place, value in scores.items()}))
    assert (found.pair, found.strength, found.sure) == (name(100), 0.7, CLOSE)
    assert any("too close to call" in s for s in found.why)


@pytest.mark.parametrize(("prompts", "pair"), [(4, 100), (24, 200)])
def test_what_few_unsteady_clips_can_t_tell_many_can(project, prompts, pair):
    found = verdict(project, with_noise(two({"identity": 0.94}, prompts=prompts), 0.06))
    assert (found.pair, found.sure) == (name(pair), CLOSE if prompts == 4 else CLEAR)


def test_a_lead_in_every_clip_is_proven_though_clips_differ_more_among_themselves(project):
    """Unpaired medians can't tell these two; each prompt by itself can."""
    levels = (0.95, 0.55, 0.85, 0.65, 0.75, 0.9)
    leads = (0.07, 0.04, 0.06, 0.05, 0.03, 0.07)

    def change(cell):
        if not cell.pair or "identity" not in cell.scores:
            return cell.scores
        lead = leads[cell.prompt] if cell.pair == name(200) else 0
        return {**cell.scores, "identity": round(levels[cell.prompt] + lead, 4)}

    found = verdict(project, rescored(two({}, prompts=6), change))
    assert (found.pair, found.sure) == (name(200), CLEAR)


def test_a_pair_does_not_gain_by_clips_that_it_lacks(project):
    """Two prompts are hard for both; deleting one pair's clips of them must not put it before the other."""

    def change(cell):
        if not cell.pair or "identity" not in cell.scores:
            return cell.scores
        hard = 0.3 if cell.prompt < 2 else 0.0
        return {**cell.scores, "identity": round((0.9 if cell.pair == name(100) else 0.84) - hard, 4)}

    sweep = rescored(two({}, prompts=6), change)
    assert verdict(project, sweep).pair == name(100)
    undrawn = sweep.with_cells(lambda cell: cell.undrawn() if cell.pair == name(200) and cell.prompt < 2 else cell)
    assert verdict(project, undrawn).pair == name(100)


def test_the_strength_is_chosen_by_likeness_and_guards(project):
    scores = {(100, 0.7): {"identity": 0.72}, (100, 1.0): {"identity": 0.9}, (100, 1.2): {"identity": 0.95, "motion": 0.2}}
    found = verdict(project, make_seen_sweep(scores, strengths=(0.7, 1.0, 1.2)))
    assert found.strength == 1.0
    (sentence,) = [s for s in found.why if "0.7 reaches 72 %" in s]
    assert "1.2 reaches 95 %, but 4 of 4 clips stand still" in sentence


def test_an_early_pair_has_learned_too_little(project):
    found = verdict(project, make_seen_sweep(by_step({100: {"identity": 0.4}, 200: {"identity": 0.9}})))
    assert "Step 100 of train-001 has learned too little: identity is only 40 % of your photos." in found.why
    alone = verdict(project, make_seen_sweep(by_step({100: {"identity": 0.4}})))
    assert alone.pair == name(100) and any("It has learned too little. Train longer" in s for s in alone.why)


@pytest.mark.parametrize("motion", [None, 0.9])
def test_motion_that_could_not_be_compared_is_said_to_be_so(project, motion):
    found = verdict(project, make_seen_sweep(by_step({100: {"motion": motion}})))
    assert any("could not be compared" in s for s in found.why) == (motion is None)


@pytest.mark.parametrize(("drop", "words"), [(("identity",), "keep at least 3 photos"), ((), "")])
def test_an_observer_without_photos_says_so(project, drop, words):
    sweep = make_seen_sweep(by_step({100: {}}))
    found = verdict(project, rescored(sweep, lambda cell: {key: value for key, value in cell.scores.items() if key not in drop}))
    assert words in found.why[0]
    assert found.not_measured == (("likeness",) if drop else ())


# -- held-out losses


def test_held_out_losses_after_a_resume_replace_the_earlier_ones(project):
    record_held_out(project, {100: (0.5, 0.4), 200: (0.9, 0.8)})
    append_jsonl(project.run_dir("train-001") / "events.jsonl", {"event": "resume", "step": 100})
    pair = compared_pair(200)
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
    assert read_held_out(project, compared_pair(100)) == losses
