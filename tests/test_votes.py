"""Blind votes: what they say is what was voted, they ask where an answer tells most, nothing gives a side away, and no kill loses one."""

import math
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from verdict_kit import SEEN, make_seen_sweep, make_sweep, name, rescored

from studio.evaluation.judge.verdict import verdict
from studio.evaluation.votes.bradley_terry import fit, information, with_vote_expected
from studio.evaluation.votes.questions import MOST_VOTES, candidates, chances, count_votes, next_questions
from studio.evaluation.votes.vote_file import FILE, LEFT, RIGHT, Vote, add_vote, read_votes, take_back

ROOT = Path(__file__).resolve().parent.parent
ONE, OTHER, THIRD = (name(100), 0.7), (name(200), 0.7), (name(300), 0.7)


def votes(*answers, left=ONE, right=OTHER):
    return [Vote("person", 42, left, right, answer) for answer in answers]


# -- the model


def test_strengths_of_two_are_where_the_posterior_is_highest():
    found = fit(2, [(0, 1, 1.0)] * 9 + [(0, 1, 0.0)] * 3)
    gaps = np.linspace(-4, 4, 80_001)
    logs = (
        9 * -np.log1p(np.exp(-gaps)) + 3 * -np.log1p(np.exp(gaps)) - gaps**2 / (4 * 2.0**2)
    )  # two normals of spread 2 lie half the gap from 0
    assert found.strengths[0] - found.strengths[1] == pytest.approx(gaps[logs.argmax()], abs=1e-3)
    assert found.share(0, 1) == pytest.approx(0.72, abs=0.03)


def test_nobody_leads_before_a_vote_and_equal_votes_lead_nowhere():
    assert not fit(3, []).strengths.any()
    tied = fit(2, [(0, 1, 0.5)] * 20)
    assert tied.lead(0, 1)[0] == pytest.approx(0) and not tied.is_sure(0, 1) and not tied.is_sure(1, 0)


def test_certainty_is_what_it_says():
    """Of simulated voters with a true preference of 80 %, the certain answers are wrong in at most a few of a hundred."""
    rng, wrong, certain = random.Random(5), 0, 0
    for _ in range(200):
        found = fit(2, [(0, 1, float(rng.random() < 0.8)) for _ in range(16)])
        certain += found.is_sure(0, 1) or found.is_sure(1, 0)
        wrong += found.is_sure(1, 0)
    assert certain >= 100 and wrong <= 2


def test_of_equals_certainty_is_rare():
    rng = random.Random(6)
    certain = sum(
        found.is_sure(0, 1) or found.is_sure(1, 0)
        for _ in range(300)
        for found in [fit(2, [(0, 1, float(rng.random() < 0.5)) for _ in range(16)])]
    )
    assert certain <= 0.08 * 300


def test_a_vote_tells_less_the_more_there_are_and_less_of_what_is_known():
    none, some = fit(3, []), fit(3, [(0, 1, 1.0)] * 10)
    assert information(some, 0, 1) < information(none, 0, 1)
    assert information(some, 0, 2) > information(some, 0, 1)
    assert information(with_vote_expected(none, 0, 1), 0, 1) < information(none, 0, 1)
    assert np.allclose(with_vote_expected(none, 0, 1).strengths, none.strengths)


# -- who is voted on, and where


def test_only_what_no_measure_tells_apart_is_voted_on(project):
    sweep = make_seen_sweep({(100, 0.7): {"identity": 0.5}, (200, 0.7): {}, (300, 0.7): {}}, prompts=6, strengths=(0.7,))
    assert candidates(sweep, verdict(project, sweep)) == [OTHER, THIRD]


def test_without_likeness_all_pairs_are_voted_on_at_the_usual_strength(project):
    sweep = make_sweep(
        {(step, strength): SEEN | {"applied": True, "identity": None} for step in (100, 200) for strength in (0.3, 1.0)},
        strengths=(0.3, 1.0),
    )
    sweep = rescored(sweep, lambda cell: {"applied": True, "change": 0.1})
    assert candidates(sweep, verdict(project, sweep)) == [(name(100), 1.0), (name(200), 1.0)]


def three(prompts=4):
    return make_seen_sweep({(step, 0.7): {} for step in (100, 200, 300)}, prompts, strengths=(0.7,))


def test_every_two_meet_before_any_meet_again_and_prompts_take_turns():
    sweep, given, met = three(), [], []
    for _ in range(12):
        [question] = next_questions(sweep, [ONE, OTHER, THIRD], given, count=1)
        two = (question.left.pair, 0.7), (question.right.pair, 0.7)
        met.append((frozenset(two), question.left.prompt))
        given.append(Vote("person", 42, *two, "equal"))
    assert len({two for two, _ in met[:3]}) == 3 and sweep.prompts[3].kind == "person"
    assert all(sum(two == other for other, _ in met) == 4 for two, _ in met)


def test_the_two_at_the_top_are_asked_rather_than_one_that_is_beaten():
    given = votes(*[LEFT] * 8, left=ONE, right=THIRD) + votes(*[LEFT] * 8, left=OTHER, right=THIRD)
    for question in next_questions(three(), [ONE, OTHER, THIRD], given):
        assert {question.left.pair, question.right.pair} == {name(100), name(200)}


def test_questions_ahead_are_the_ones_that_come():
    sweep = three()
    ahead = next_questions(sweep, [ONE, OTHER, THIRD], [], count=3)
    left, right = ((question.pair, 0.7) for question in (ahead[0].left, ahead[0].right))
    after = next_questions(sweep, [ONE, OTHER, THIRD], [Vote("person", 42, left, right, "equal")], count=2)
    assert [question.id for question in ahead[1:]] == [question.id for question in after]


def test_sides_are_even_and_say_nothing():
    sweep, sides = three(prompts=8), []
    for number in range(60):
        given = votes(*["equal"] * number)
        sides += [question.left.pair == name(100) for question in next_questions(sweep, [ONE, OTHER], given, count=1)]
    assert 18 <= sum(sides) <= 42


def test_the_same_clip_is_never_asked_against_itself_nor_other_people():
    sweep = three()
    same = sweep.with_cells(lambda cell: cell if cell.prompt else type(cell)(**(vars(cell) | {"key": "same"})))
    for question in next_questions(same, [ONE, OTHER, THIRD], [], count=9):
        assert question.left.prompt != 0 and same.prompt_of(question.left).kind == "person"
        assert question.left.row == question.right.row


def test_nothing_is_asked_of_one_pair_or_of_clips_that_are_not_there():
    waiting = three().with_cells(lambda cell: type(cell)(**(vars(cell) | {"state": "waiting"})))
    assert next_questions(three(), [ONE], []) == [] and next_questions(waiting, [ONE, OTHER], []) == []


# -- what they say


def test_votes_end_when_one_is_surely_preferred_to_each_other():
    tally = count_votes([ONE, OTHER], votes(*[RIGHT] * 9, LEFT))
    assert (tally.best, tally.is_sure, tally.is_over) == (OTHER, True, True)
    tally = count_votes([ONE, OTHER], votes(LEFT, RIGHT, LEFT))
    assert (tally.best, tally.is_sure, tally.is_over) == (ONE, False, False)


def test_so_many_votes_without_an_end_are_an_end():
    tally = count_votes([ONE, OTHER], votes(*[LEFT, RIGHT] * (MOST_VOTES // 2)))
    assert not tally.is_sure and tally.is_over


def test_votes_on_others_do_not_count_and_sides_do_not_matter():
    mixed = votes(LEFT, LEFT, LEFT) + votes(RIGHT, left=OTHER, right=ONE) + votes(*[RIGHT] * 50, left=ONE, right=THIRD)
    tally = count_votes([ONE, OTHER], mixed)
    assert (tally.num_votes, tally.best) == (4, ONE)


def test_votes_and_measures_together_say_how_probable_each_is(project):
    sweep = make_seen_sweep({(100, 0.7): {}, (200, 0.7): {}}, prompts=8, strengths=(0.7,))
    found = verdict(project, sweep)
    stood = candidates(sweep, found)
    assert chances(stood, count_votes(stood, []), found.standings) is None
    shares = chances(stood, count_votes(stood, votes(*[RIGHT] * 6)), found.standings)
    assert math.isclose(sum(shares), 1) and shares[1] > 0.9
    assert shares == chances(stood, count_votes(stood, votes(*[RIGHT] * 6)), found.standings), "the same again"
    assert chances(stood, count_votes(stood, votes(LEFT)), ()) is None


# -- on the disk


def test_votes_are_read_back_taken_back_and_survive_torn_and_foreign_lines(tmp_path):
    sweep = three()
    [question] = next_questions(sweep, [ONE, OTHER], [], count=1)
    for answer in (LEFT, RIGHT, "equal"):
        add_vote(tmp_path, "person", question.left, question.right, answer)
    assert [vote.answer for vote in read_votes(tmp_path)] == [LEFT, RIGHT, "equal"]
    take_back(tmp_path)
    assert [vote.answer for vote in read_votes(tmp_path)] == [LEFT, RIGHT]
    with open(tmp_path / FILE, "ab") as file:
        file.write(b'{"prompt": "x", "seed": 1, "left": 3}\n{"prompt": "x", "se')
    add_vote(tmp_path, "person", question.left, question.right, LEFT)
    assert [vote.answer for vote in read_votes(tmp_path)] == [LEFT, RIGHT, LEFT]
    with pytest.raises(ValueError, match="left, right, equal"):
        add_vote(tmp_path, "person", question.left, question.right, "both")


def test_a_vote_is_on_the_disk_when_it_is_taken(tmp_path):
    code = (
        "import os, sys; sys.path[:0] = ['tests']\n"
        "from pathlib import Path\nfrom verdict_kit import make_seen_sweep, name\n"
        "from studio.evaluation.votes.questions import next_questions\nfrom studio.evaluation.votes.vote_file import add_vote\n"
        "sweep = make_seen_sweep({(100, .7): {}, (200, .7): {}}, 3, strengths=(.7,))\n"
        "[asked] = next_questions(sweep, [(name(100), .7), (name(200), .7)], [], count=1)\n"
        "add_vote(Path(sys.argv[1]), 'person', asked.left, asked.right, 'left')\nos.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    assert [vote.answer for vote in read_votes(tmp_path)] == [LEFT]
