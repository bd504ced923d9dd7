"""Every sentence of the verdict, word by word, with what brings it: a change of any of them is seen here."""

from dataclasses import replace

import pytest
from verdict_kit import (
    FROZEN,
    GOOD,
    make_seen_sweep,
    make_sweep,
    name,
    of_strangers,
    one,
    record_held_out,
    rescored,
    two,
    with_base,
    with_noise,
)

from studio.evaluation.judge.scores import all_scores
from studio.evaluation.judge.shown.chart import clip_note
from studio.evaluation.judge.verdict import CLEAR, CLOSE, NOT_MEASURED, VERDICT_VERSION, verdict

# -- what is written down, so that a change is one on purpose


VERSIONS = {
    "change": 1,
    "clipping": 1,
    "flicker": 1,
    "follows": 1,
    "identity": 1,
    "memorised": 1,
    "motion": 1,
    "resemblance": 1,
    "sharpness": 1,
    "visible": 1,
}


def test_a_version_is_raised_on_purpose():
    """A score's when the same clip would score differently, the verdict's when the same scores would be judged or told differently."""
    assert {score.name: score.version for score in all_scores()} == VERSIONS
    assert VERDICT_VERSION == 5


def test_how_sure_a_verdict_is_is_said_in_these_words():
    assert (CLEAR, CLOSE, NOT_MEASURED) == ("clear", "too close to call", "not measured")


# -- sentences


LIKENESS = "The base alone, with the same prompts, reaches 5 % of your photos."
PROMPT = "95 % of what the prompts say is seen; with the base 96 %."
STRANGERS = "Strangers look 10 % like the person, with the base 8 %."
NO_COPIES = "Its clips are no copies of the training pictures."
CLEAN = "Clipping, flicker and sharpness stay near the base's in every clip."
OTHERS = "People who are not asked for change 20 % as much as yours."
ALONE = "Only strength 0.7 was compared."
USUAL = [LIKENESS, PROMPT, STRANGERS, NO_COPIES, CLEAN, OTHERS, ALONE]
TOO_CLOSE = "Step 100 of train-001 and step 200 of train-001 are too close to call by these measures: "
LITTLE = "in the same 4 clips the first reaches {} points of likeness ({}), too little to matter. Take the one whose clips you like better."
CLOSE_WORDS = TOO_CLOSE + LITTLE.format("+0", "-2 to +2")
WEAK_AND_COPIED = "identity is only 60 % of your photos; it copies training pictures, 2.4 times as near to one as those are to each other"
LOOK = "Likeness was not measured: look at the faces in the clips before you decide."
MOVE = "Compare a lower strength, such as 0.5. Layout and motion come from the high-noise file: an earlier one beside this low-noise file may move."
STILL = f"Step 100 of train-001 at 0.7: 3 of 3 clips stand still where the base moves. {MOVE}"
NOTHING_FOUND = "Nothing of the kind was found with step {} of train-001; a pair that has learned little looks like that, too."
NO_OTHERS = "Other people were not among the prompts, so whether they stay themselves is not known."


def test_a_clean_pair(project):
    found = verdict(project, one())
    assert found.why == ["Identity 90 % of your photos (88 to 92); motion 95 % of the base.", *USUAL] and found.sure == CLEAR


def test_a_likeness_of_few_photos_is_said_about(project):
    assert verdict(project, one(identity_about=True)).summary == "Identity about 90 % of your photos (88 to 92); motion 95 % of the base."


def test_a_spoilt_pair(project):
    scores = {"identity": 0.6, "identity_fall": 0.2, "memorised": 2.5, "follows": 0.8}
    assert verdict(project, one(**scores, **of_strangers(resemblance=0.3, follows=0.8, change=0.09))).why == [
        "Identity 60 % of your photos (58 to 62); motion 95 % of the base.",
        LIKENESS,
        "80 % of what the prompts say is seen; with the base 96 %.",
        "Strangers look 30 % like the person, with the base 8 %.",
        "It is not clean: identity is only 60 % of your photos; the likeness fades within a clip, by 20 % from its first to its last third; "
        "it copies training pictures, 2.5 times as near to one as those are to each other; strangers look 30 % like the person, with the base "
        "8 %; only 80 % of what prompts say is seen, with the base 96 %.",
        "People who are not asked for change 90 % as much as yours.",
        "Compare a lower strength, such as 0.5. Take an earlier step, or more and more varied photos. "
        "Protect other people while training. Photos from the side, and a later low-noise file, help. Captions that name what changes from photo to photo help.",
        ALONE,
    ]


def test_what_most_clips_have_is_not_clean_and_less_than_nothing_is_nothing(project):
    found = verdict(project, with_base(one(clipping=0.3), identity=-0.2))
    strong = "It is too strong at 0.7. Compare a lower strength, such as 0.5."
    burnt = "It is not clean: 4 of 4 clips have burnt-out or crushed areas."
    assert found.reasons == (LIKENESS.replace("5 %", "0 %"), PROMPT, STRANGERS, NO_COPIES, burnt, OTHERS, strong, ALONE)


def test_what_could_not_be_measured_is_said(project):
    found = verdict(project, one(motion=None, **of_strangers(change=None)))
    still = "Motion could not be compared: the base's clips hardly move."
    assert found.why == ["Identity 90 % of your photos (88 to 92).", LIKENESS, PROMPT, STRANGERS, NO_COPIES, still, CLEAN, NO_OTHERS, ALONE]


@pytest.mark.parametrize(("name", "sentence"), [("identity", LIKENESS), ("follows", PROMPT), ("resemblance", STRANGERS)])
def test_what_the_base_s_clips_lack_is_not_told(project, name, sentence):
    sweep = rescored(one(), lambda cell: {key: value for key, value in cell.scores.items() if cell.pair or key != name})
    assert verdict(project, sweep).reasons == tuple(said for said in USUAL if said != sentence)


@pytest.mark.parametrize(("name", "sentence"), [("follows", PROMPT), ("resemblance", STRANGERS), ("memorised", NO_COPIES)])
def test_what_the_pair_s_clips_lack_is_not_told(project, name, sentence):
    sweep = rescored(one(), lambda cell: {key: value for key, value in cell.scores.items() if not cell.pair or key != name})
    assert verdict(project, sweep).reasons == tuple(said for said in USUAL if said != sentence)


def test_all_that_a_later_pair_lost_is_told_in_its_order(project):
    record_held_out(project, {100: (0.25, 0.2), 200: (0.3, 0.24)})
    late = {"identity": 0.87, "follows": 0.88, "motion": 0.7}
    found = verdict(project, two(late | of_strangers(resemblance=0.17, follows=0.88, change=0.05)))
    lost = (
        "identity 87 % against 90 % (1 to 5 points apart in 4 clips); "
        "88 % of what prompts say is seen, against 95 % (5 to 9 points apart in 5 clips); "
        "motion 70 % of the base's against 95 % (23 to 27 points apart in 4 clips)"
    )
    assert f"Step 200 of train-001 is over-trained: {lost}." in found.why


NOTES = [
    ({"identity": 0.91, "memorised": 2.0, "follows": 0.95}, "identity 91 %, prompt 95 %"),
    ({"identity": 0.91, "memorised": 2.04, "follows": 0.95}, "identity 91 %, prompt 95 %, near a training picture (2.0 times)"),
    ({"resemblance": 0.1, "follows": 0.8}, "like the person 10 %, prompt 80 %"),
    ({"identity": 0.91, "visible": 0.5}, "identity 91 %"),
    ({"identity": 0.91, "visible": 0.49}, "identity 91 %, face in 49 % of the frames"),
    (GOOD, ""),
]


@pytest.mark.parametrize(("scores", "words"), NOTES)
def test_what_stands_under_a_clip(scores, words):
    assert clip_note(scores) == words


STEADY = [
    ({"motion": 0.3}, "Clipping, flicker and sharpness stay near the base's in every clip; 1 of 4 clips stand still where the base moves."),
    ({"sharpness": 3.0}, "Clipping and flicker stay near the base's in every clip; 1 of 4 clips are much harsher than the base."),
    ({"sharpness": 0.3, "clipping": 0.3}, "Flicker stays near the base's in every clip; 1 of 4 clips have burnt-out or crushed areas; 1 of 4 clips are much softer than the base."),
    ({"sharpness": 0.3, "clipping": 0.3, "flicker": 0.1}, "1 of 4 clips have burnt-out or crushed areas; 1 of 4 clips flicker; 1 of 4 clips are much softer than the base."),
    ({"flicker": None}, "Clipping and sharpness stay near the base's in every clip."),
    ({"base_flicker": None, "sharpness": None}, "Clipping stays near the base's in every clip."),
    ({"flicker": None, "sharpness": None, "clipping": None}, None),
]  # fmt: skip


@pytest.mark.parametrize(("scores", "words"), STEADY)
def test_what_stays_near_the_base_s_in_every_clip_and_what_a_few_have(project, scores, words):
    """With one of the person's four clips as given."""
    sweep = rescored(one(), lambda cell: {**cell.scores, **scores} if cell.pair and cell.prompt == 0 else cell.scores)
    steady = [words] if words else []
    assert verdict(project, sweep).reasons == (LIKENESS, PROMPT, STRANGERS, NO_COPIES, *steady, OTHERS, ALONE)


def test_strengths_are_compared_with_what_is_wrong_with_them(project):
    spoilt = {"identity": 0.93, "memorised": 2.4, "motion": 0.3}
    scores = {(100, 0.5): {"identity": 0.6}, (100, 0.7): {}, (100, 1.0): spoilt}
    said = verdict(project, make_seen_sweep(scores, strengths=(0.5, 0.7, 1.0))).why
    copies = (
        "it copies training pictures, 2.4 times as near to one as those are to each other; 4 of 4 clips stand still where the base moves"
    )
    assert f"Of its strengths, 0.7 is chosen, with an identity of 90 %; 0.5 reaches 60 %; 1 reaches 93 %, but {copies}." in said


def test_losses_on_set_aside_pictures(project):
    values = "0.2600 for layout and motion, 0.2000 for detail and identity."
    record_held_out(project, {100: (0.26, 0.2)})
    assert verdict(project, one()).why[-1] == f"Loss on the set-aside pictures: {values}"
    record_held_out(project, {200: (0.25, 0.2)})
    assert verdict(project, two({})).why[-2:] == [
        f"Its loss on the set-aside pictures is 2.0 % above the lowest of its run: {values}",
        CLOSE_WORDS,
    ]
    record_held_out(project, {200: (0.27, 0.21)})
    assert f"Its loss on the set-aside pictures is the lowest of its run: {values}" in verdict(project, two({})).why


def test_of_three_that_are_alike_the_nearest_is_named(project):
    scores = {(100, 0.7): {}, (200, 0.7): {"identity": 0.905}, (300, 0.7): {"identity": 0.895}, (400, 0.7): {"identity": 0.75}}
    found = verdict(project, make_seen_sweep(scores, strengths=(0.7,)))
    assert (found.sure, found.why[-1]) == (CLOSE, TOO_CLOSE + LITTLE.format("-1", "-3 to +2"))


def test_what_would_settle_an_open_question_is_said(project):
    sweep = with_noise(two({"identity": 0.94}), 0.06)
    apart = "in the same 4 clips the first reaches -4 points of likeness (-15 to +7); about 10 more clips of each would probably tell."
    found = verdict(project, sweep)
    assert (found.pair, found.sure) == (name(100), CLOSE)
    assert found.why[-1] == f"{TOO_CLOSE}{apart} Or compare their clips and trust your eye."
    few = verdict(project, two({"identity": 0.94}, prompts=2))
    assert few.why[-1] == f"{TOO_CLOSE}compare their clips and trust your eye." and few.summary.startswith("Identity 90 % of your photos;")


def test_where_no_pair_can_be_named_it_is_said_why(project):
    nothing = {"change": 0.0, "applied": False}
    sweep = two(nothing | of_strangers(**nothing), nothing | of_strangers(**nothing))
    every = "Every pair draws exactly the base's clips: the LoRA files do nothing. Check where they came from."
    undrawn = sweep.with_cells(lambda cell: cell.undrawn() if cell.pair == name(200) else cell)
    for half in (sweep, undrawn):
        found = verdict(project, half)
        assert (found.pair, found.sure, found.why, found.not_measured) == (None, CLOSE, [every], ())


def test_an_eye_that_saw_only_some_of_the_clips_has_looked(project):
    sweep = rescored(one(), lambda cell: {key: value for key, value in cell.scores.items() if not key.startswith("identity")})
    some = sweep.with_cells(lambda cell: replace(cell, measured={}) if cell.prompt else cell)
    assert verdict(project, some).why[0].endswith("keep at least 3 photos of one person in the dataset, then run the comparison again.")


def test_other_pairs_with_problems(project):
    spoilt = {"identity": 0.6, "memorised": 2.4}
    copies = "Compare a lower strength, such as 0.5. Take an earlier step, or more and more varied photos."
    assert f"Step 200 of train-001 has a problem: {WEAK_AND_COPIED}. {copies}" in verdict(project, two(spoilt, spoilt)).why
    earlier = verdict(project, two({}, {"motion": 0.3, "clipping": 0.3})).why
    still = "4 of 4 clips have burnt-out or crushed areas; 4 of 4 clips stand still where the base moves"
    assert f"Step 100 of train-001 is too strong at 0.7: {still}. {MOVE}" in earlier
    frozen = verdict(project, two({}, {"motion": 0.3})).why
    assert f"Step 100 of train-001 has a problem: 4 of 4 clips stand still where the base moves. {MOVE}" in frozen
    little = verdict(project, two({}, {"identity": 0.6})).why
    assert "Step 100 of train-001 has learned too little: identity is only 60 % of your photos." in little


def test_a_pair_that_does_nothing_is_left_out(project):
    nothing = {"change": 0.0, "applied": False}
    found = verdict(project, two({}, nothing | of_strangers(**nothing)))
    left_out = f"Left out, because the clips are exactly the base's: {name(100)}. The file may be empty or of a wrong kind."
    assert found.why == ["Identity 90 % of your photos (88 to 92); motion 95 % of the base.", *USUAL, left_out]
    several = verdict(
        project,
        make_seen_sweep({(step, 0.7): nothing | of_strangers(**nothing) for step in (200, 100)} | {(300, 0.7): {}}, strengths=(0.7,)),
    )
    assert several.why[-1] == left_out.replace(name(100), f"{name(100)}, {name(200)}")
    alone = verdict(project, make_sweep({(100, 0.7): GOOD | nothing}, strengths=(0.7,)))
    every = "Every pair draws exactly the base's clips: the LoRA files do nothing. Check where they came from."
    assert (alone.pair, alone.sure, alone.why) == (None, CLOSE, [every, LOOK])


def test_without_a_likeness(project):
    sweep = make_sweep({(100, 0.7): FROZEN, (200, 0.7): GOOD}, strengths=(0.7,))
    found = verdict(project, sweep)
    assert (found.pair, found.sure) == (None, NOT_MEASURED)
    assert found.why == [LOOK, "These are what may have gone wrong:", STILL, NOTHING_FOUND.format(200)]
    waiting = verdict(project, sweep.with_cells(lambda cell: cell.undrawn())).why
    assert waiting == ["No clip can be compared yet: run the comparison to its end first.", LOOK]
    alone = make_sweep({(100, 0.7): FROZEN}, strengths=(0.7,))
    assert verdict(project, alone).why == [LOOK, "These are what may have gone wrong:", STILL]


@pytest.mark.parametrize(("count", "words"), [(1, "1 clip could"), (2, "2 clips could")])
def test_clips_that_failed_are_counted(project, count, words):
    sweep = make_sweep({(100, 0.7): GOOD}, strengths=(0.7,))
    failed = sweep.with_cells(lambda cell: replace(cell, state="failed", scores={}) if cell.pair and cell.prompt < count else cell)
    said = verdict(project, failed).why
    assert said == [LOOK, NOTHING_FOUND.format(100), f"{words} not be drawn; run the comparison again to try again."]


def test_an_eye_that_could_not_measure_says_why(project):
    sweep = rescored(one(), lambda cell: {key: value for key, value in cell.scores.items() if not key.startswith("identity")})
    too_few = "Likeness was not measured: keep at least 3 photos of one person in the dataset, then run the comparison again."
    assert verdict(project, sweep).why == [too_few, NOTHING_FOUND.format(100)]
    nobody = replace(sweep, prompts=tuple(replace(prompt, kind="class") for prompt in sweep.prompts))
    said = ["Likeness was not measured: no prompt asks for the person.", NOTHING_FOUND.format(100), NO_OTHERS]
    assert verdict(project, nobody).why == said
