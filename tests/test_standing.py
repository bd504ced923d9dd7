"""How the pairs stand beside the best: what the same clips prove of them, in words that nobody has to interpret; which prompt tells most."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from verdict_kit import make_seen_sweep, make_sweep, name, rescored

from studio.evaluation.judge.clip_look import Look, cut_square
from studio.evaluation.judge.paired import Outcome
from studio.evaluation.judge.verdict import verdict
from studio.evaluation.sweep_facts import Prompt
from studio.models.eyes.of_faces import EYE
from studio.ui.evaluate.faces_strip import find_face, find_own_faces
from studio.ui.evaluate.standings import describe_standings, order_rows


def standings(project, sweep):
    return {standing.pair: standing for standing in verdict(project, sweep).standings}


def spread(sweep, amounts, score="identity"):
    """The sweep with a score that lies by some amount higher or lower in each prompt, the same for all pairs."""
    is_meant = lambda cell: cell.pair and score in cell.scores  # noqa: E731
    return rescored(sweep, lambda cell: dict(cell.scores) | ({score: cell.scores[score] + amounts[cell.prompt]} if is_meant(cell) else {}))


def test_the_best_stands_apart_from_one_that_is_less_like_the_person_in_every_clip(project):
    sweep = spread(
        make_seen_sweep({(100, 0.7): {"identity": 0.6}, (200, 0.7): {"identity": 0.9}}, strengths=(0.7,)), (0.1, -0.1, 0.05, -0.05, 0)
    )
    found = standings(project, sweep)
    best, other = found[name(200)], found[name(100)]
    assert best.is_best and best.lead is None and best.words == "" and not best.is_open
    assert (other.lead.outcome, other.is_open) == (Outcome.BETTER, False)
    assert "30 points less like the person" in other.words
    assert best.likeness.low < 0.9 < best.likeness.high and best.likeness.mean == pytest.approx(0.9)


def test_pairs_that_differ_by_chance_are_open_and_it_is_said_how_many_clips_would_tell(project):
    sweep = make_seen_sweep({(100, 0.7): {}, (200, 0.7): {}}, prompts=4, strengths=(0.7,))
    apart = {0: 0.12, 1: -0.05, 2: 0.08, 3: 0.05}
    sweep = rescored(
        sweep,
        lambda cell: (
            dict(cell.scores) | ({"identity": 0.8 + apart[cell.prompt]} if cell.pair == name(200) and cell.prompt in apart else {})
        ),
    )
    found = standings(project, sweep)
    [other] = [standing for standing in found.values() if not standing.is_best]
    assert other.is_open and "can't be told from the best" in other.words
    more = other.lead.clips_to_settle()
    assert more is None or str(more) in other.words


def test_equal_pairs_are_said_to_be_as_like(project):
    found = standings(project, make_seen_sweep({(100, 0.7): {}, (200, 0.7): {}}, prompts=8, strengths=(0.7,)))
    assert found[name(100)].is_best, "the earliest of equals"
    assert found[name(200)].is_open and "as like the person as the best" in found[name(200)].words


def test_a_fault_of_its_own_is_named_and_one_that_the_best_has_too_is_not(project):
    faulty = {"identity": 0.8, "motion": 0.2}
    found = standings(project, make_seen_sweep({(100, 0.7): {}, (200, 0.7): faulty}, strengths=(0.7,)))
    assert "stand still" in found[name(200)].words
    both = standings(project, make_seen_sweep({(100, 0.7): {"motion": 0.2}, (200, 0.7): faulty}, strengths=(0.7,)))
    assert "stand still" not in both[name(200)].words


def test_the_motion_beside_it_is_the_one_of_the_summary(project):
    sweep = spread(make_seen_sweep({(100, 0.7): {}}, strengths=(0.7,)), (0.2, 0, 0, 0.1, 0), "motion")
    found = verdict(project, sweep)
    assert f"motion {100 * found.standings[0].motion.mean:.0f} % of the base" in found.summary


def test_without_likeness_no_pair_stands_anywhere(project):
    assert verdict(project, make_sweep({(100, 0.7): {"applied": True, "change": 0.1}}, strengths=(0.7,))).standings == ()


def test_each_pair_stands_at_the_strength_it_does_best_with_in_the_order_of_the_pairs(project):
    scores = {
        (step, strength): {"identity": value}
        for step, strength, value in ((100, 0.7, 0.5), (100, 1.0, 0.7), (200, 0.7, 0.9), (200, 1.0, 0.6))
    }
    sweep = make_seen_sweep(scores)
    assert [(s.pair, s.strength) for s in verdict(project, sweep).standings] == [(name(100), 1.0), (name(200), 0.7)]
    first, second = describe_standings(sweep, verdict(project, sweep))
    assert (first.column, second.column) == (1, 2) and second.is_best
    assert 0 <= first.likeness.low <= first.likeness.at < second.likeness.at <= 1


def test_two_clips_have_a_dot_and_no_whisker(project):
    sweep = make_seen_sweep({(100, 0.7): {}}, prompts=2, strengths=(0.7,))
    [stand] = describe_standings(sweep, verdict(project, sweep))
    assert (stand.likeness.low, stand.likeness.high, stand.likeness.words) == (None, None, "90 %")


# -- the prompt that tells most


def test_the_prompt_where_pairs_differ_most_stands_first_and_other_people_last():
    sweep = make_seen_sweep({(100, 0.7): {}, (200, 0.7): {}}, prompts=3, strengths=(0.7,))
    apart = {0: 0.05, 1: 0.3, 2: 0.1}
    sweep = rescored(
        sweep, lambda cell: dict(cell.scores) | ({"identity": 0.9 - apart.get(cell.prompt, 0)} if cell.pair == name(200) else {})
    )
    assert order_rows(sweep, 0.7) == ((1, 2, 0, 3), True)


def test_prompts_stay_as_they_were_asked_for_where_nothing_was_measured():
    sweep = make_sweep({(100, 0.7): {"applied": True}, (200, 0.7): {"applied": True}}, strengths=(0.7,))
    assert order_rows(sweep, 0.7) == ((0, 1, 2, 3), False)


def test_one_pair_differs_from_nobody():
    assert order_rows(make_seen_sweep({(100, 0.7): {}}, strengths=(0.7,)), 0.7)[1] is False


# -- the face in a clip


class Watching:
    """An eye for faces without a person to compare with."""

    likeness = copies = namer = None

    def __init__(self):
        self.sight = self.finder = EYE.open(None)


@pytest.mark.parametrize("left", [0, 140, 396])
def test_the_face_in_a_clip_is_cut_out_wherever_it_is(media, left):
    photo = np.asarray(Image.open(media / "person_a_1.jpg").convert("RGB"))
    frames = np.full((5, max(300, photo.shape[0]), 600, 3), 90, np.uint8)
    frames[1:4, : photo.shape[0], left : left + photo.shape[1]] = photo[:, : 600 - left]
    face = Look(frames, Prompt(label="", text="", kind="person"), Watching()).face
    assert face.shape[0] == face.shape[1]
    [found] = EYE.open(None).find(face)
    assert found.width * found.height > 0.15 * face.shape[0] * face.shape[1], "the face fills it"


def test_a_clip_without_a_face_has_none():
    frames = np.random.default_rng(0).integers(0, 255, (3, 96, 96, 3), dtype=np.uint8)
    assert Look(frames, Prompt(label="", text="", kind="person"), Watching()).face is None


@pytest.mark.parametrize(("x", "y", "side"), [(0, 0, 40), (99, 59, 40), (50, 30, 500), (50, 30, 0.2)])
def test_a_square_stays_inside_its_frame(x, y, side):
    cut = cut_square(np.zeros((60, 100, 3), np.uint8), x, y, side)
    assert cut.shape[0] == cut.shape[1] == max(1, min(round(side), 60))


def test_the_faces_of_a_comparison_are_listed_and_posters_stand_in(project, tmp_path):
    sweep = make_seen_sweep({(100, 0.7): {}}, strengths=(0.7,))
    cell = replace(sweep.cells[1], poster="cells/abc.jpg")
    assert find_face(tmp_path, cell) == "cells/abc.jpg"
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells/abc.face.jpg").write_bytes(b"x")
    assert find_face(tmp_path, cell) == "cells/abc.face.jpg"
    assert find_own_faces(project) == ()
