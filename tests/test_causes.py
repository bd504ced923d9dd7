"""Each symptom's causes are told apart by what tells them apart, and advice looks at what was compared."""

from dataclasses import replace

import pytest
from verdict_kit import GOOD, make_seen_sweep, make_sweep, name, of_strangers, one, rescored, two

from studio.evaluation.diagnosis import symptom_causes as causes
from studio.evaluation.diagnosis.file_facts import FileFinding
from studio.evaluation.judge.verdict import NOT_MEASURED, verdict

LIKE_NOBODY = {"identity": 0.04}  # the base reaches .05


def codes(found, step, strength=0.7):
    (row,) = [row for row in found.table if (row.step, row.strength) == (step, strength)]
    return [cause.code for cause in row.causes]


def said_of(found, step):
    return [sentence for sentence in found.why if sentence.startswith(f"Step {step} ")]


def with_finding(sweep, code, step=100, words="The files are odd."):
    return replace(sweep, findings=(FileFinding(code=code, pair=name(step), words=words, fix="Mend them."),))


def by_strength(strengths, own):
    return make_seen_sweep({(100, strength): scores for strength, scores in zip(strengths, own, strict=True)}, strengths=strengths)


@pytest.mark.parametrize(("own", "code"), [
    ({"identity": 0.5}, "too-little"),
    (LIKE_NOBODY | {"change": 0.02} | of_strangers(change=0.01), "too-little"),
    (LIKE_NOBODY, "not-the-person"),
    ({"identity": 0.5, "clipping": 0.4}, "too-strong"),
    ({"identity": 0.5, "sharpness": 3.0}, "too-strong"),
    ({"motion": 0.2}, "frozen"),
    ({"memorised": 3.0}, "copying"),
    (of_strangers(resemblance=0.4), "bleed"),
    (of_strangers(change=0.095), "scene-bleed"),
    ({"identity_fall": 0.3}, "fading"),
    ({"follows": 0.7} | of_strangers(follows=0.7), "disobeys"),
])  # fmt: skip
def test_each_symptom_has_its_cause(project, own, code):
    assert codes(verdict(project, two({}, own)), 100) == [code]


def test_a_pair_that_is_like_nobody_is_not_said_to_have_learned_too_little(project):
    found = verdict(project, two({}, LIKE_NOBODY))
    (sentence,) = said_of(found, 100)
    assert "draws somebody else" in sentence and "swapped" in sentence and "trigger" in sentence
    assert "too little" not in " ".join(found.why)


def test_a_later_step_that_has_lost_the_person_has_not_learned_too_little(project):
    few = make_seen_sweep({(100, 0.7): {}, (200, 0.7): {"identity": 0.5}}, prompts=2, strengths=(0.7,))
    found = verdict(project, few)
    assert codes(found, 200) == [] and "Step 200 of train-001 has a problem: identity is only 50 % of your photos." in found.why


def test_alone_nothing_tells_another_person_from_an_early_step_and_it_is_said_so(project):
    found = verdict(project, one(**LIKE_NOBODY))
    assert codes(found, 100) == ["unknown"]
    assert any("has learned nothing of them yet, or its files are another person's, or swapped" in sentence for sentence in found.why)


@pytest.mark.parametrize(
    "code", ["swapped", "equal-experts", "other-project", "stands-apart", "scaled", "weak-file", "strong-file", "empty"]
)
@pytest.mark.parametrize("identity", [0.04, 0.5])
def test_what_the_files_tell_goes_before_what_the_clips_may_mean(project, code, identity):
    found = verdict(project, with_finding(two({}, {"identity": identity}), code))
    assert codes(found, 100) == [causes.OF_FILES[code]]
    assert "The files are odd. Mend them." in found.why
    assert "too little" not in " ".join(found.why) and "Train longer" not in " ".join(found.why)


def test_a_later_pair_of_somebody_else_is_not_called_over_trained(project):
    for sweep in (two(LIKE_NOBODY, {}), with_finding(two(LIKE_NOBODY, {}), "swapped", step=200)):
        assert "over-trained" not in " ".join(verdict(project, sweep).why)


def test_a_pair_that_does_nothing_has_learned_neither_too_little_nor_too_much(project):
    nothing = {"change": 0.0, "applied": False, "identity": 0.05}
    found = verdict(project, two({}, nothing | of_strangers(**nothing)))
    assert codes(found, 100) == ["nothing"]
    assert "too little" not in " ".join(found.why)


def test_a_higher_strength_is_advised_only_if_it_was_not_compared(project):
    weak, enough = {"identity": 0.5}, {"identity": 0.8}
    assert "or compare a higher strength such as 0.85" in " ".join(verdict(project, by_strength((0.7,), [weak])).why)
    both = verdict(project, by_strength((0.7, 1.0), [weak, {"identity": 0.55}])).why
    assert "Train longer." in " ".join(both) and "compare a higher strength" not in " ".join(both)
    row = verdict(project, by_strength((0.7, 1.0), [weak, enough])).table[0]
    assert [cause.advice for cause in row.causes] == ["At 1 it reaches enough."]


def test_what_is_burnt_at_one_strength_is_sent_to_the_one_at_which_it_is_not(project):
    burnt = {"clipping": 0.4}
    rows = {row.strength: row for row in verdict(project, by_strength((0.6, 1.0), [{}, burnt])).table}
    assert [cause.cure for cause in rows[1.0].causes] == ["At 0.6 it is not so: use that strength."]
    rows = {row.strength: row for row in verdict(project, by_strength((0.6, 1.0), [burnt, burnt])).table}
    assert [cause.cure for cause in rows[1.0].causes] == ["It is so at every strength that was compared."]
    later = verdict(project, two({"memorised": 3.0}, {}))
    (row,) = [row for row in later.table if row.step == 200]
    assert [cause.cure for cause in row.causes] == ["Step 100 of train-001 is not so at 0.7."]


def test_over_trained_is_said_with_the_interval_of_clips_that_got_worse_and_not_of_one_clip(project):
    (sentence,) = said_of(verdict(project, two({"memorised": 3.0}, {})), 200)
    assert sentence == (
        "Step 200 of train-001 is over-trained: it copies training pictures, 3.0 times as near to one as those are to each other "
        "(1.9 apart in 4 clips)."
    )
    (bled,) = said_of(verdict(project, two(of_strangers(resemblance=0.4), {})), 200)
    assert "over-trained" not in bled and "has a problem: strangers look 40 %" in bled


def test_without_likeness_clips_that_hardly_change_are_named_and_files_are_told_first(project):
    scores = {(100, 0.7): GOOD | {"change": 0.02, "class": GOOD | {"change": 0.004}}, (200, 0.7): GOOD, (300, 0.7): GOOD}
    found = verdict(project, make_sweep(scores, strengths=(0.7,)))
    assert (found.pair, found.sure, codes(found, 100)) == (None, NOT_MEASURED, ["faint"])
    assert any("changes the clips only 20 % as much as the other pairs do" in sentence for sentence in said_of(found, 100))
    swapped = verdict(project, with_finding(make_sweep(scores, strengths=(0.7,)), "swapped", step=200))
    assert swapped.why[1] == "The files are odd. Mend them."
    assert not any("Nothing of the kind was found with" in s and "step 200" in s for s in swapped.why)


def test_a_pair_whose_clips_lie_below_the_base_is_of_somebody_else_though_its_prompts_differ(project):
    sweep = rescored(
        two({}, {}),
        lambda cell: (
            {**cell.scores, "identity": 0.02 + 0.01 * cell.prompt} if cell.pair == name(100) and "identity" in cell.scores else cell.scores
        ),
    )
    assert codes(verdict(project, sweep), 100) == ["not-the-person"]
