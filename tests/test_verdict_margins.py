"""Every threshold and margin of the verdict from both sides, and what is said beyond it: a change of any of them is seen here."""

from dataclasses import replace

import pytest
from verdict_kit import name, of_strangers, one, rescored, two, with_base

from studio.evaluation.judge.paired import Outcome, compare, interval, t_quantile
from studio.evaluation.judge.verdict import CLEAR, CLOSE, verdict

# -- thresholds: just inside, just outside, what is said then


FAULTS = [
    ("weak", {"identity": 0.7}, {"identity": 0.699}, "identity is only 70 % of your photos"),
    (
        "fading",
        {"identity_fall": 0.15},
        {"identity_fall": 0.151},
        "the likeness fades within a clip, by 15 % from its first to its last third",
    ),
    ("copied", {"memorised": 2.0}, {"memorised": 2.01}, "it copies training pictures, 2.0 times as near to one as those are to each other"),
    ("bleed", of_strangers(resemblance=0.18), of_strangers(resemblance=0.181), "strangers look 18 % like the person, with the base 8 %"),
    (
        "disobeys",
        {"follows": 0.86} | of_strangers(follows=0.86),
        {"follows": 0.859} | of_strangers(follows=0.859),
        "only 86 % of what prompts say is seen, with the base 96 %",
    ),
    ("frozen", {"motion": 0.5}, {"motion": 0.49}, "4 of 4 clips stand still where the base moves"),
    ("soft", {"sharpness": 0.5}, {"sharpness": 0.49}, "4 of 4 clips are much softer than the base"),
    ("harsh", {"sharpness": 2.0}, {"sharpness": 2.01}, "4 of 4 clips are much harsher than the base"),
    ("clipping", {"clipping": 0.15}, {"clipping": 0.151}, "4 of 4 clips have burnt-out or crushed areas"),
    ("flicker", {"flicker": 0.004}, {"flicker": 0.0041}, "4 of 4 clips flicker"),
    (
        "flicker",
        {"flicker": 0.006, "base_flicker": 0.002},
        {"flicker": 0.0061, "base_flicker": 0.002},
        "4 of 4 clips flicker",
    ),
    ("drift", of_strangers(change=0.08), of_strangers(change=0.0801), "people who are not asked for change 80 % as much as yours"),
]


@pytest.mark.parametrize(("fault", "inside", "outside", "words"), FAULTS)
def test_a_fault_begins_where_it_is_said_to(project, fault, inside, outside, words):
    (row,) = verdict(project, one(**inside)).table
    assert row.faults == []
    (row,) = verdict(project, one(**outside)).table
    assert (row.faults, row.problems) == ([fault], [words])


@pytest.mark.parametrize(("memorised", "faults"), [(2.5, []), (2.51, ["copied"])])
def test_a_prompt_that_asks_for_a_photo_s_scene_is_no_copy_until_it_is_a_quarter_nearer_than_the_base(project, memorised, faults):
    (row,) = verdict(project, with_base(one(memorised=memorised), memorised=2.0)).table
    assert row.faults == faults


@pytest.mark.parametrize(("resemblance", "faults"), [(0.1, []), (0.11, ["bleed"])])
def test_less_like_than_a_stranger_counts_as_nothing(project, resemblance, faults):
    (row,) = verdict(project, with_base(one(**of_strangers(resemblance=resemblance)), resemblance=-0.3)).table
    assert row.faults == faults


@pytest.mark.parametrize(("count", "prompts", "faults"), [(1, 4, []), (2, 4, ["frozen"]), (2, 5, []), (3, 5, ["frozen"])])
def test_a_finding_is_a_fault_from_half_of_the_person_s_clips(project, count, prompts, faults):
    sweep = rescored(one(prompts), lambda cell: {**cell.scores, "motion": 0.3} if cell.pair and cell.prompt < count else cell.scores)
    (row,) = verdict(project, sweep).table
    words = f"{count} of {prompts} clips stand still where the base moves"
    assert (row.faults, row.problems, dict(row.findings)) == (faults, [words] if faults else [], {"frozen": count})
    assert row.few == (() if faults else (words,))


@pytest.mark.parametrize(("visible", "faults"), [(0.48, []), (0.479, ["hidden"])])
def test_a_face_is_hidden_below_three_fifths_of_what_the_base_shows(project, visible, faults):
    (row,) = verdict(project, with_base(one(visible=visible), visible=0.8)).table
    assert row.faults == faults
    assert row.problems == (["a face is seen in 48 % of the frames, with the base in 80 %"] if faults else [])


def test_faults_stand_in_their_order(project):
    spoilt = {
        "identity": 0.6,
        "identity_fall": 0.2,
        "memorised": 2.5,
        "follows": 0.8,
        "motion": 0.3,
        "sharpness": 3.0,
        "flicker": 0.1,
        "clipping": 0.3,
    }
    (row,) = verdict(project, one(**spoilt, **of_strangers(resemblance=0.3, follows=0.8, change=0.09))).table
    expected = ["weak", "fading", "copied", "bleed", "disobeys", "clipping", "flicker", "frozen", "harsh", "drift"]
    assert row.faults == expected


# -- margins


LOSSES = [  # beyond the margin, and beyond what four clips (five with strangers') may differ by
    ({"identity": 0.877}, {"identity": 0.87}, "identity 87 % against 90 % (1 to 5 points apart in 4 clips)"),
    (
        {"follows": 0.9} | of_strangers(follows=0.9),
        {"follows": 0.899} | of_strangers(follows=0.899),
        "90 % of what prompts say is seen, against 95 % (3 to 7 points apart in 5 clips)",
    ),
    ({"motion": 0.8}, {"motion": 0.799}, "motion 80 % of the base's against 95 % (13 to 17 points apart in 4 clips)"),
]


@pytest.mark.parametrize(("inside", "outside", "words"), LOSSES)
def test_a_later_pair_lost_something_from_the_margin_on(project, inside, outside, words):
    said = verdict(project, two(inside)).why
    assert not any(sentence.startswith("Step 200 of train-001 is") for sentence in said)
    found = verdict(project, two(outside))
    assert found.pair == name(100) and f"Step 200 of train-001 is over-trained: {words}." in found.why


def test_one_stranger_s_clip_proves_nothing(project):
    said = verdict(project, two(of_strangers(resemblance=0.17))).why
    assert not any("over-trained" in sentence for sentence in said)


@pytest.mark.parametrize(("later", "chosen", "sure"), [(0.9199, 100, CLOSE), (0.92, 200, CLEAR)])
def test_two_points_in_six_of_six_prompts_are_a_lead(project, later, chosen, sure):
    found = verdict(project, two({"identity": later}, prompts=6))
    assert (found.pair, found.sure) == (name(chosen), sure)


@pytest.mark.parametrize(("later", "chosen", "sure"), [(0.923, 100, CLOSE), (0.925, 200, CLEAR)])
def test_a_steady_lead_is_proven_with_few_prompts(project, later, chosen, sure):
    found = verdict(project, two({"identity": later}))
    assert (found.pair, found.sure) == (name(chosen), sure)


def test_five_points_with_a_prompt_against_them_are_too_close_to_call(project):
    sweep = two({"identity": 0.96})
    against = rescored(
        sweep, lambda cell: {**cell.scores, "identity": 0.89} if cell.pair == name(200) and cell.prompt == 0 else cell.scores
    )
    assert (verdict(project, sweep).sure, verdict(project, against).sure) == (CLEAR, CLOSE)
    assert (verdict(project, sweep).pair, verdict(project, against).pair) == (name(200), name(100))


@pytest.mark.parametrize("early", [0.72, 0.75, 0.8, 0.83, 0.86, 0.9, 0.93])
def test_a_margin_is_the_same_wherever_the_likeness_lies(project, early):
    """Two points in six of six prompts are a lead, and no loss yet."""
    later = verdict(project, two({"identity": round(early + 0.02, 4)}, {"identity": early}, prompts=6))
    assert (later.pair, later.sure) == (name(200), CLEAR)
    said = verdict(project, two({"identity": round(early - 0.02, 4), "motion": 0.8}, {"identity": early}, prompts=6)).why
    assert not any("over-trained" in sentence for sentence in said)


@pytest.mark.parametrize(("later", "chosen", "sure"), [(0.92, 100, CLOSE), (0.96, 200, CLEAR)])
def test_a_prompt_in_which_both_are_alike_speaks_for_neither(project, later, chosen, sure):
    sweep = two({"identity": later}, prompts=6)
    alike = rescored(sweep, lambda cell: {**cell.scores, "identity": 0.9} if cell.pair and cell.prompt == 0 else cell.scores)
    found = verdict(project, alike)
    assert (found.pair, found.sure) == (name(chosen), sure)


def test_fewer_faults_are_clear_until_a_clip_speaks_against_them(project):
    sweep = two({"motion": 0.3})
    assert (verdict(project, sweep).pair, verdict(project, sweep).sure) == (name(100), CLEAR)
    worse = {"identity": 0.5, "memorised": 3.0, "identity_fall": 0.3}
    against = rescored(sweep, lambda cell: {**cell.scores, **worse} if cell.pair == name(100) and cell.prompt == 0 else cell.scores)
    assert (verdict(project, against).pair, verdict(project, against).sure) == (name(100), CLOSE)


@pytest.mark.parametrize("own, other, outcome", [
    ([0.95] * 6, [0.93] * 6, Outcome.BETTER),
    ([0.93] * 6, [0.95] * 6, Outcome.WORSE),
    ([0.95] * 6, [0.9301] * 6, Outcome.EQUAL),
    ([0.95, 0.9], [0.5, 0.4], Outcome.OPEN),  # two clips prove nothing, however far
    ([0.95, 0.8, 0.95, 0.8], [0.9, 0.9, 0.9, 0.9], Outcome.OPEN),
])  # fmt: skip
def test_what_is_known_of_two_pairs(own, other, outcome):
    first, second = ({(prompt, 42): value for prompt, value in enumerate(values)} for values in (own, other))
    assert compare(first, second).outcome is outcome
    assert compare(first, {(99, 42): 0.5}) is None


def test_the_interval_is_student_s():
    """0.1, 0.2, 0.3, 0.4: mean .25, sd .1291, t(3) 3.182, so .0446 to .4554. Twenty and more: within .002 of the table (t(24) 2.064, t(60) 2.000)."""
    found = interval([0.1, 0.2, 0.3, 0.4])
    assert (round(found.mean, 4), round(found.low, 4), round(found.high, 4)) == (0.25, 0.0446, 0.4554)
    assert abs(t_quantile(24) - 2.064) < 0.002 and abs(t_quantile(60) - 2.0) < 0.002


def test_a_failed_clip_and_a_missing_likeness_put_a_pair_behind(project):
    sweep = two({"identity": 0.96})
    failed = sweep.with_cells(
        lambda cell: replace(cell, state="failed", scores={}) if cell.pair == name(200) and cell.prompt == 0 else cell
    )
    assert (verdict(project, sweep).pair, verdict(project, failed).pair) == (name(200), name(100))
    half = two({})
    unseen = rescored(
        half, lambda cell: {k: v for k, v in cell.scores.items() if k != "identity"} if cell.pair == name(200) else cell.scores
    )
    found = verdict(project, unseen)
    assert (found.pair, found.sure) == (name(100), CLEAR), "a pair that was not measured is not named"
