"""The verdict's table as the page and the terminal show it, which row of a pair is told of, and from where a comparison is read."""

from dataclasses import replace

import pytest
from verdict_kit import make_seen_sweep, make_sweep, name, of_strangers, one, record_held_out, rescored, two, with_base, with_noise

from studio.disk import append_jsonl
from studio.evaluation.judge.table import describe_rows
from studio.evaluation.judge.verdict import verdict

TITLES = {name(100): "Step 100", name(200): "Step 200"}


def table_of(project, sweep):
    heads, rows = describe_rows(verdict(project, sweep).table, TITLES)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def without(sweep, *names):
    return rescored(sweep, lambda cell: {key: value for key, value in cell.scores.items() if key not in names})


# -- the table


def test_a_row_of_the_table_in_words(project):
    assert table_of(project, one(visible=0.9)) == [
        {
            "Pair": "Step 100",
            "Strength": "0.7",
            "Identity": "90 % (base 5 %)",
            "Prompt followed": "95 % (base 96 %)",
            "Strangers like the person": "10 % (base 8 %)",
            "Copies": "1.1",
            "Motion": "95 %",
            "Problems": "none found",
        }
    ]


def test_what_was_not_measured_is_said_in_its_place_and_is_no_zero(project):
    (row,) = table_of(project, make_sweep({(100, 0.7): {"applied": True, "change": 0.1}}, strengths=(0.7,)))
    told = {head: words for head, words in row.items() if head not in ("Pair", "Strength", "Problems")}
    assert set(told.values()) == {"not measured"}
    (alone,) = table_of(project, rescored(one(), lambda cell: cell.scores if cell.pair else {}))
    assert (alone["Identity"], alone["Prompt followed"], alone["Strangers like the person"]) == ("90 %", "95 %", "10 %")


def test_several_problems_stand_in_one_cell_and_nothing_is_below_nothing(project):
    (row,) = table_of(project, with_base(one(identity=-0.1, motion=0.3), identity=-0.2))
    assert row["Identity"] == "0 % (base 0 %)"
    assert row["Problems"] == "identity is only 0 % of your photos; 4 of 4 clips stand still where the base moves"


def test_each_pair_and_strength_has_a_row_in_the_comparison_s_order(project):
    sweep = make_seen_sweep({(200, 0.5): {}, (200, 1.0): {}, (100, 0.5): {}, (100, 1.0): {}}, strengths=(0.5, 1.0))
    rows = [(row["Pair"], row["Strength"]) for row in table_of(project, sweep)]
    assert rows == [("Step 100", "0.5"), ("Step 100", "1"), ("Step 200", "0.5"), ("Step 200", "1")]


def test_a_row_as_json_holds_all_that_was_measured(project):
    record_held_out(project, {100: (0.25, 0.2)})
    (row,) = verdict(project, one(motion=0.3)).to_json()["table"]
    assert (row["pair"], row["run"], row["step"], row["strength"], row["clips"], row["failed"]) == (name(100), "train-001", 100, 0.7, 5, 0)
    assert row["faults"] == ["frozen"] and row["problems"] == ["4 of 4 clips stand still where the base moves"]
    assert row["findings"] == {"frozen": 4} and row["motion"] == 0.3 and row["base"]["identity"] == 0.05
    assert row["held_out"] == {"high_noise": 0.25, "low_noise": 0.2} and row["held_out_excess"] == 0.0


# -- held-out losses


def test_how_far_a_loss_lies_above_the_best_is_a_mean_over_the_experts_of_its_own_run(project):
    """30 % above the best for one expert, 10 % for the other: 20 %. The best of each expert may be another step's."""
    record_held_out(project, {100: (0.2, 0.3), 200: (0.26, 0.22), 300: (0.3, 0.2)})
    table = verdict(project, make_seen_sweep({(step, 0.7): {} for step in (100, 200, 300)}, strengths=(0.7,))).table
    assert [row.held_out_excess for row in table] == [0.25, 0.2, 0.25]


@pytest.mark.parametrize(("other", "words"), [
    ((0.125, 0.1), "is 100.0 % above the lowest of its run"),
    ((0.25, 0.1), "is 50.0 % above the lowest of its run"),
    ((0.24, 0.2), "is 2.1 % above the lowest of its run"),
    ((0.3, 0.3), "is the lowest of its run"),
])  # fmt: skip
def test_how_much_higher_a_loss_is_is_said_in_percent(project, other, words):
    record_held_out(project, {100: (0.25, 0.2), 200: other})
    said = [sentence for sentence in verdict(project, two({})).why if "set-aside" in sentence]
    assert said == [f"Its loss on the set-aside pictures {words}: 0.2500 for layout and motion, 0.2000 for detail and identity."]


def test_a_loss_of_nothing_is_not_divided_by(project):
    record_held_out(project, {100: (0.0, 0.2), 200: (0.1, 0.2)})
    assert [row.held_out_excess for row in verdict(project, two({})).table] == [0.0, 0.0]


# -- which row is told of


def test_a_later_pair_is_compared_at_the_strength_of_the_best(project):
    """At 1.0 it is the better of its own, with another fault less; at 0.7, where the best pair is, it hardly moves."""
    scores = {(100, 0.7): {"identity": 0.92}, (100, 1.0): {"motion": 0.3, "identity": 0.8}}
    scores |= {(200, 0.7): {"motion": 0.3}, (200, 1.0): {"sharpness": 3.0, "identity": 0.95}}
    found = verdict(project, make_seen_sweep(scores))
    assert (found.pair, found.strength) == (name(100), 0.7)
    (said,) = [sentence for sentence in found.why if sentence.startswith("Step 200 of train-001 is over-trained")]
    assert "4 of 4 clips stand still where the base moves" in said and "harsher" not in said


def test_a_later_pair_that_lacks_that_strength_is_told_of_at_its_own(project):
    sweep = make_seen_sweep({(100, 0.7): {}, (100, 1.0): {"motion": 0.3}, (200, 0.7): {}, (200, 1.0): {"sharpness": 3.0}})
    alone = replace(sweep, cells=tuple(cell for cell in sweep.cells if (cell.pair, cell.strength) != (name(200), 0.7)))
    begins = "Step 200 of train-001 is over-trained: 4 of 4 clips are much harsher than the base"
    assert any(sentence.startswith(begins) for sentence in verdict(project, alone).why)


def test_what_a_fault_says_is_not_said_again_as_a_loss(project):
    late = {"identity": 0.6, "motion": 0.3, "follows": 0.8} | of_strangers(follows=0.8)
    (said,) = [sentence for sentence in verdict(project, two(late)).why if sentence.startswith("Step 200")]
    assert "identity is only 60 % of your photos" in said and "against" not in said
    assert said.count("of what prompts say is seen") == 1 and "motion 30 %" not in said


def test_what_only_one_of_two_pairs_was_measured_for_is_no_loss(project):
    def lacks(pair, key):
        return rescored(two({"motion": 0.7}), lambda cell: {k: v for k, v in cell.scores.items() if (cell.pair, k) != (pair, key)})

    for pair in (name(100), name(200)):
        said = verdict(project, lacks(pair, "follows")).why
        assert any(sentence.startswith("Step 200 of train-001 is over-trained: motion 70 % of the base's") for sentence in said)
        assert not any("over-trained" in sentence for sentence in verdict(project, lacks(pair, "motion")).why)


# -- how far apart, and how many photos


@pytest.mark.parametrize(("early", "noise", "words"), [
    (0.72, 0.29, "-23 points of likeness (-76 to +30)"),
    (0.9, 0.0, "-5 points of likeness (-7 to -3)"),
])  # fmt: skip
def test_how_far_two_pairs_lie_apart_is_said_in_points(project, early, noise, words):
    """The later one has a fault, so the earlier one is named; one clip speaks against that, so the likeness is told."""
    sweep = with_noise(two({"identity": 0.95, "motion": 0.3}, {"identity": early}), noise)
    worse = {"memorised": 3.0, "identity_fall": 0.3, "sharpness": 3.0}
    against = rescored(sweep, lambda cell: {**cell.scores, **worse} if cell.pair == name(100) and cell.prompt == 0 else cell.scores)
    found = verdict(project, against)
    assert found.pair == name(100) and f"the first reaches {words}" in found.why[-1]


@pytest.mark.parametrize(("base_model", "least"), [("tiny", 3), ("wan22-t2v-a14b", 5), ("one-that-is-gone", 3)])
def test_how_many_photos_are_needed_is_what_the_eye_of_the_base_model_needs(project, base_model, least):
    unseen = replace(without(one(), "identity", "identity_fall"), base_model=base_model)
    said = f"Likeness was not measured: keep at least {least} photos of one person in the dataset, then run the comparison again."
    assert verdict(project, unseen).why[0] == said


# -- clips that are not there


def of_first_clip(sweep, change):
    """The sweep with the first clip of the person by the pair changed."""
    return sweep.with_cells(lambda cell: replace(cell, **change) if (cell.pair, cell.prompt) == (name(100), 0) else cell)


@pytest.mark.parametrize(("change", "failed"), [({"state": "failed"}, 1), ({"state": "planned"}, 0), ({"scores": {}}, 0)])
def test_a_clip_that_is_not_there_counts_for_nothing_whatever_was_measured_of_it_before(project, change, failed):
    bad = rescored(one(), lambda cell: {**cell.scores, "identity": 0.1, "motion": 0.1} if cell.pair and not cell.prompt else cell.scores)
    (row,) = verdict(project, of_first_clip(bad, change)).table
    assert (row.clips, row.failed, row.identity, row.motion, dict(row.findings)) == (4, failed, 0.9, 0.95, {})


def test_where_the_base_s_clip_is_missing_the_others_are_compared(project):
    sweep = rescored(one(), lambda cell: cell.scores if cell.pair or cell.prompt else {**cell.scores, "identity": 0.8})
    (row,) = verdict(project, sweep).table
    assert row.of_base("identity") == 0.2375
    gone = sweep.with_cells(lambda cell: replace(cell, state="failed") if not cell.pair and not cell.prompt else cell)
    (row,) = verdict(project, gone).table
    assert (row.clips, row.of_base("identity"), row.against_base("identity")) == (5, 0.05, "90 % (base 5 %)")


def test_of_the_base_is_told_only_what_is_measured_of_it_alone(project):
    """Motion, sharpness and change are measured against the base: it has none."""
    (row,) = verdict(project, one()).table
    assert set(row.base) == {"identity", "identity_fall", "memorised", "follows", "resemblance"}


def test_a_pair_with_one_expert_s_loss_is_compared_by_that_one(project):
    record_held_out(project, {200: (0.2, 0.1)})
    append_jsonl(project.run_dir("train-001") / "events.jsonl", {"event": "held_out", "step": 100, "expert": "high_noise", "loss": 0.25})
    assert [row.held_out_excess for row in verdict(project, two({})).table] == [0.25, 0.0]


# -- what several pairs have in common, and what is not proven


def test_what_the_best_pair_has_too_is_not_told_of_a_later_one(project):
    (said,) = [
        words for words in verdict(project, two({"clipping": 0.3, "motion": 0.3}, {"clipping": 0.3})).why if words.startswith("Step 200")
    ]
    assert "over-trained: 4 of 4 clips stand still where the base moves" in said and "burnt-out" not in said


def test_what_the_best_strength_has_too_is_not_told_of_another(project):
    scores = {(100, 0.7): {"clipping": 0.3}, (100, 1.0): {"clipping": 0.3, "identity": 0.85}}
    assert "Of its strengths, 0.7 is chosen, with an identity of 90 %; 1 reaches 85 %." in verdict(project, make_seen_sweep(scores)).why


def test_a_fault_that_the_same_clips_do_not_prove_is_told_apart(project):
    """Both fade by about as much on the whole; the earlier one's clips lie on both sides of the limit."""
    falls = (0.14, 0.14, 0.6, -0.1)
    sweep = rescored(
        two({"identity_fall": 0.2, "motion": 0.55}),
        lambda cell: {**cell.scores, "identity_fall": falls[cell.prompt]} if cell.pair == name(100) and cell.prompt < 4 else cell.scores,
    )
    (said,) = [words for words in verdict(project, sweep).why if words.startswith("Step 200")]
    proven = "Step 200 of train-001 is over-trained: motion 55 % of the base's against 95 % (38 to 42 points apart in 4 clips)."
    fades = "the likeness fades within a clip, by 20 % from its first to its last third"
    assert said.startswith(f"{proven} It also has a problem: {fades}.")


def test_a_pair_of_another_run_is_not_called_over_trained(project):
    sweep = two({"motion": 0.3})
    pairs = (sweep.pairs[0], replace(sweep.pairs[1], run="train-002"))
    said = [words for words in verdict(project, replace(sweep, pairs=pairs)).why if words.startswith("Step 200")]
    assert len(said) == 1 and said[0].startswith("Step 200 of train-002 has a problem: 4 of 4 clips stand still where the base moves.")


# -- guests


GUESTS = [
    ({"identity": 0.96}, 4, 'reaches 96 % at 0.7: more like the person than the best of yours (+6 points of likeness (+4 to +8) in the same 4 clips).'),
    ({"identity": 0.96}, 3, 'reaches 96 % at 0.7: more like the person than the best of yours (+6 points of likeness (+2 to +10) in the same 3 clips).'),
    ({"identity": 0.96}, 2, "reaches 96 % at 0.7: too close to the best of yours to call."),
    ({"identity": 0.8}, 4, 'reaches 80 % at 0.7: less like the person than the best of yours (-10 points of likeness (-12 to -8) in the same 4 clips).'),
    ({}, 4, 'reaches 90 % at 0.7: as like the person as the best of yours (+0 points of likeness (-2 to +2) in the same 4 clips).'),
    ({"motion": 0.3}, 4, 'reaches 90 % at 0.7: as like the person as the best of yours (+0 points of likeness (-2 to +2) in the same 4 clips). 4 of 4 clips stand still where the base moves.'),
]  # fmt: skip


@pytest.mark.parametrize(("scores", "prompts", "words"), GUESTS)
def test_a_guest_is_held_against_the_best_of_the_person_s_own_and_never_named(project, scores, prompts, words):
    sweep = two(scores, prompts=prompts)
    found = verdict(project, replace(sweep, pairs=(sweep.pairs[0], replace(sweep.pairs[1], title="Lena"))))
    assert found.pair == name(100) and f'The guest "Lena" {words}' in found.why
